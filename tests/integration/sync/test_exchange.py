"""The exchange's thread against a real HTTP server: what goes out, what comes back, and what must not stop the shop."""

from __future__ import annotations

import threading
from dataclasses import replace

import pytest

from loyalty_sdk.codec import dumps
from loyalty_sdk.errors import JournalUnavailable
from loyalty_sdk.protocol import UploadAnswer
from sync.machine import MachineSettings
from tests.integration.sync.conftest import FAST, WAIT_S, Terminal, wait_until
from tests.integration.sync.scripted_central import Received, Reply, ScriptedCentral, problem
from tests.support.terminal_memory import CentralKeys, TerminalMemory

PORTAL = Reply(body=b"<h1>Log in to our Wi-Fi</h1>", headers={"Content-Type": "text/html"})


def test_the_whole_journal_arrives_signed_in_order_byte_for_byte(terminal: Terminal) -> None:
    terminal.sell(120)
    terminal.exchange.start()
    terminal.sell(30)
    terminal.wait_drained()
    assert terminal.central.entries == [data for _, data, _ in terminal.memory.chain()]
    assert len(terminal.central.entries) == 151
    assert terminal.exchange.online
    assert terminal.exchange.trouble == ""


def test_law_12_an_attachment_travels_until_it_is_acknowledged(terminal: Terminal) -> None:
    terminal.sell(alias="CARD-4711")
    terminal.central.fail("/entries", problem("busy", 503), terminal.central.lose_answer)
    terminal.exchange.start()
    terminal.wait_drained()
    assert terminal.memory.scalar("SELECT count(*) FROM attachments") == 0
    for upload in terminal.central.uploads():
        assert b'{"attachment":' in upload.body
        assert b"4711" not in upload.body


def test_a_lost_answer_is_followed_by_the_same_bytes_again(terminal: Terminal) -> None:
    terminal.sell(5)
    terminal.central.fail("/entries", terminal.central.lose_answer, terminal.central.lose_answer)
    terminal.exchange.start()
    terminal.wait_drained()
    first, second, third = terminal.central.uploads()[:3]
    assert first.body == second.body == third.body
    assert first.headers["Loyalty-Signature"] == second.headers["Loyalty-Signature"]
    assert len(terminal.central.entries) == 6


@pytest.mark.parametrize(
    "fault",
    [
        PORTAL,
        Reply(body=b'{"epoch":"epoch-1"', body_sent=None),
        Reply(body=b'{"epoch":"epoch-1","watermark":2}', body_sent=12),
        Reply(status=500, body=b"oops", headers={"Content-Type": "text/plain"}),
        Reply(body=b"{}", headers={"Content-Type": "application/json", "Content-Encoding": "gzip"}),
        problem("too-many-requests", 429, **{"Retry-After": "0"}),
        problem("invalid-request", 422),
        problem("body-too-large", 413),
        Reply(status=409, body=b"[]", headers={"Content-Type": "application/problem+json"}),
    ],
)
def test_law_11_whatever_answers_the_queue_drains_in_the_end(terminal: Terminal, fault: Reply) -> None:
    terminal.sell(5)
    terminal.central.fail("/changes", fault)
    terminal.central.fail("/entries", fault, fault)
    terminal.exchange.start()
    terminal.wait_drained()
    wait_until(lambda: terminal.exchange.trouble == "")
    assert len(terminal.central.entries) == 6


def test_a_fork_is_reported_and_selling_goes_on(terminal: Terminal) -> None:
    terminal.central.fail("/entries", *[problem("fork", 409)] * 10_000)
    terminal.exchange.start()
    wait_until(lambda: "fork" in terminal.exchange.trouble)
    terminal.sell(3)
    assert terminal.exchange.online  # Central answers, and says no.
    assert terminal.mark.seq == 0
    assert terminal.mark.head_seq == 4


def test_another_epoch_stops_uploads_until_a_person_decides(terminal: Terminal) -> None:
    terminal.sell(2)
    terminal.central.epoch = "epoch-2"
    terminal.exchange.start()
    wait_until(lambda: "another epoch" in terminal.exchange.trouble)
    terminal.sell(2)
    assert terminal.mark.seq == 0
    terminal.central.epoch = "epoch-1"
    terminal.wait_drained()


def test_a_watermark_with_a_foreign_hash_is_not_believed(terminal: Terminal) -> None:
    def lie(central: ScriptedCentral, received: Received) -> Reply:
        answer = central._acknowledgement()
        assert isinstance(answer, UploadAnswer)
        return Reply(body=dumps(replace(answer, watermark=2, watermark_hash="00" * 32)))

    terminal.sell(2)
    terminal.central.fail("/entries", lie)
    terminal.exchange.start()
    wait_until(lambda: len(terminal.central.uploads()) >= 2)
    terminal.wait_drained()
    assert len(terminal.central.entries) == 3


def test_a_central_that_takes_nothing_is_not_hammered(memory: TerminalMemory, central: ScriptedCentral) -> None:
    """It answers well and its watermark stands still: the second upload waits for the back-off."""
    slow = MachineSettings(backoff_ms=600_000, backoff_ms_max=600_000, changes_ms=600_000, changes_after_upload_ms=1)
    terminal = Terminal.of(memory, central, slow)
    terminal.exchange._machine._random_below = lambda limit: limit - 1
    terminal.sell(2)
    central.fail("/entries", *[lambda central, received: Reply(body=dumps(central._acknowledgement()))] * 9)
    terminal.exchange.start()
    wait_until(lambda: len(central.uploads()) == 1)
    terminal.exchange.stop()
    terminal.writer.stop()
    assert len(central.uploads()) == 1


def test_a_feed_whose_cursor_stands_still_is_not_followed(memory: TerminalMemory, central: ScriptedCentral) -> None:
    terminal = Terminal.of(memory, central, replace(FAST, changes_ms=600_000, changes_after_upload_ms=600_000))
    pages = [lambda central, received: Reply(body=dumps(central.memory_changes(more=True, cursor="7")))] * 100
    central.fail("/changes", *pages)

    def asked() -> int:
        return len([received for received in central.received if "/changes" in received.path])

    terminal.exchange.start()
    wait_until(lambda: asked() >= 2)
    terminal.wait_drained()
    terminal.exchange.stop()
    terminal.writer.stop()
    assert asked() == 2


def test_a_full_page_is_followed_by_the_next(terminal: Terminal) -> None:
    for cursor in ("1", "2"):
        reply = Reply(body=dumps(terminal.central.memory_changes(more=True, cursor=cursor)))
        terminal.central.fail("/changes", reply)
    terminal.exchange.start()
    wait_until(lambda: len([received for received in terminal.central.received if "cursor=2" in received.path]) > 0)


def test_a_new_programme_is_fetched_checked_and_in_force(terminal: Terminal) -> None:
    terminal.central.programme = terminal.memory.programme(2, name="Second")
    terminal.central.programme_version = 2
    terminal.exchange.start()
    wait_until(lambda: terminal.memory.scalar("SELECT max(version) FROM programmes") == 2)


@pytest.mark.parametrize("forged", [True, False])
def test_a_programme_that_is_none_is_reported_and_the_queue_drains(terminal: Terminal, forged: bool) -> None:
    memory, genuine = terminal.memory, terminal.memory.keys
    if forged:
        memory.keys = CentralKeys()
    terminal.central.programme = memory.programme(2, **{} if forged else {"colour": "red"})
    memory.keys = genuine
    terminal.central.programme_version = 2
    terminal.exchange.start()
    wait_until(lambda: ("not central's" if forged else "colour") in terminal.exchange.trouble)
    terminal.sell(3)
    terminal.wait_drained()
    assert memory.scalar("SELECT max(version) FROM programmes") == 1


def test_grants_that_central_wants_back_are_closed_and_the_close_is_uploaded(terminal: Terminal) -> None:
    terminal.memory.know(300, terminal.memory.grant(300))
    page = terminal.central.memory_changes(grants_recalled=("grant-1",), cursor="1")
    terminal.central.fail("/changes", Reply(body=dumps(page)))
    terminal.exchange.start()
    wait_until(lambda: any(b'"grant_closed"' in data for data in terminal.central.entries))


def test_expired_grants_are_closed_without_central(memory: TerminalMemory, central: ScriptedCentral) -> None:
    memory.know(300, memory.grant(300, hours=1))
    memory.clock.forward(hours=2)
    terminal = Terminal.of(memory, central)
    central.close()
    terminal.exchange.start()
    wait_until(lambda: memory.grant_row("grant-1").state == "closed")
    terminal.sell()
    terminal.exchange.stop()
    terminal.writer.stop()
    central.__init__(memory)  # type: ignore[misc]  # the fixture closes it again


def test_a_central_that_returns_is_found_and_the_backlog_drains(terminal: Terminal) -> None:
    terminal.central.fail("", *[terminal.central.lose_answer_unread] * 5)
    terminal.sell(60)
    terminal.exchange.start()
    wait_until(lambda: not terminal.exchange.online)
    terminal.sell(60)
    terminal.wait_drained()
    wait_until(lambda: terminal.exchange.online)
    assert len(terminal.central.entries) == 121


def test_somebody_else_s_contact_ends_the_back_off(memory: TerminalMemory, central: ScriptedCentral) -> None:
    hour = MachineSettings(backoff_ms=3_600_000, backoff_ms_max=3_600_000)
    terminal = Terminal.of(memory, central, hour)
    central.fail("", central.lose_answer_unread)
    terminal.exchange.start()
    wait_until(lambda: not terminal.exchange.online)
    terminal.exchange.reached()
    terminal.wait_drained()
    terminal.exchange.stop()
    terminal.writer.stop()


def test_a_disk_that_refuses_the_acknowledgement_loses_nothing(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    call, failures = terminal.writer.call, iter(range(6))

    def full(command: object) -> object:
        if next(failures, None) is not None:
            raise JournalUnavailable("the disk is full: make room")
        return call(command)  # type: ignore[arg-type]  # passed through as it came

    monkeypatch.setattr(terminal.writer, "call", full)
    terminal.exchange.start()
    terminal.wait_drained()
    assert len(terminal.central.entries) == 1


def stops(terminal: Terminal) -> None:
    """Stop in a thread of its own, so that a stop that never ends fails the test and does not hang it."""
    stopping = threading.Thread(target=terminal.exchange.stop, daemon=True)
    stopping.start()
    stopping.join(WAIT_S)
    assert not stopping.is_alive()


def test_stop_ends_while_the_exchange_waits(memory: TerminalMemory, central: ScriptedCentral) -> None:
    hour = 3_600_000
    terminal = Terminal.of(memory, central, replace(FAST, changes_ms=hour, changes_after_upload_ms=hour))
    terminal.exchange.start()
    terminal.wait_drained()
    stops(terminal)
    terminal.writer.stop()


def test_stop_ends_while_a_request_hangs(
    memory: TerminalMemory, central: ScriptedCentral, caplog: pytest.LogCaptureFixture
) -> None:
    """The server holds the request until the test is over, and the client would wait ten minutes."""
    terminal = Terminal.of(memory, central)
    central.fail("", central.hang)
    terminal.exchange.start()
    wait_until(lambda: len(central.received) == 1)
    stops(terminal)
    terminal.writer.stop()
    assert not central.released.is_set()
    assert "unexpectedly" not in caplog.text
