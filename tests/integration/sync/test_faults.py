"""Faults of the real machine: full, failing and read-only disks, two agents, and damage that central hears of.

docs/faults.md says what the journal does about each. What can be shown without disk, process or central is in
tests/unit/sync/.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import pytest

from central_api.exchange import grants
from central_api.exchange.changes import changes_page
from central_api.exchange.upload import receive_upload
from central_api.programmes.versions import signed_programme
from central_api.terminals import terminals
from central_api.terminals.terminals import Terminal
from loyalty_sdk.errors import OutcomeUnknown
from loyalty_sdk.protocol import (
    EnrolmentRequest,
    GrantRequest,
    IdentifyRequest,
    MemberAnswer,
    UploadAnswer,
    UploadHeaders,
)
from sync.answers import StoreAcknowledgement, StoreChanges, StoreMember
from sync.central import upload_call
from sync.identity import Identity, new_private_key, public_key_of
from sync.journal import queue_batch, watermark
from sync.replica import store_programme
from sync.store import report_damage
from tests.integration.sync.faulty_disk import SCENARIOS
from tests.support.databases import sqlite_place
from tests.support.terminal_memory import TerminalMemory, basket_of
from tests.unit.central_api.support import TENANT, World, new_world

ROOT = Path(__file__).parents[3]
SHIM = Path(__file__).with_name("failing_disk.c")
ON_MOUNTS = ("full", "full_at_the_start", "read_only")
UNSHARE = (("unshare", "--mount"), ("unshare", "--map-root-user", "--mount"))
TIMEOUT_S = 120
BYTES_MAX = 1_000_000


@cache
def namespace() -> tuple[str, ...] | None:
    """How to get a mount namespace of one's own here; None where nothing works."""
    for command in UNSHARE:
        probe = [*command, "sh", "-c", "mount -t tmpfs probe /mnt"]
        if shutil.which("unshare") and subprocess.run(probe, capture_output=True, check=False).returncode == 0:
            return command
    return None


def run_scenario(name: str, directory: Path, *prefix: str, preload: Path | None = None) -> None:
    command = [*prefix, sys.executable, "-m", "tests.integration.sync.faulty_disk", name, str(directory)]
    environment = os.environ | ({"LD_PRELOAD": str(preload)} if preload else {})
    done = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=TIMEOUT_S
    )
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def shim(tmp_path_factory: pytest.TempPathFactory) -> Path:
    compiler = shutil.which("gcc") or shutil.which("cc")
    if compiler is None:
        pytest.skip("no C compiler: install gcc to let calls on the disk fail")
    library = tmp_path_factory.mktemp("shim") / "failing_disk.so"
    flags = ("-std=gnu11", "-O1", "-Wall", "-Wextra", "-Werror", "-U_FORTIFY_SOURCE", "-fPIC", "-shared")
    subprocess.run([compiler, *flags, "-o", str(library), str(SHIM), "-ldl"], check=True)
    return library


@pytest.mark.parametrize("scenario", ON_MOUNTS)
def test_a_disk_that_takes_no_more(scenario: str, tmp_path: Path) -> None:
    command = namespace()
    if command is None:
        pytest.skip("no mount namespace here: run as root, or allow unprivileged user namespaces (`unshare --mount`)")
    run_scenario(scenario, tmp_path, *command)


@pytest.mark.parametrize("scenario", sorted(SCENARIOS.keys() - set(ON_MOUNTS)))
def test_law_1_a_disk_that_fails_loses_nothing_acknowledged(scenario: str, tmp_path: Path, shim: Path) -> None:
    run_scenario(scenario, tmp_path, preload=shim)


def test_a_second_agent_on_the_directory_is_refused(tmp_path: Path) -> None:
    script = (
        "import sys; from pathlib import Path; from terminal_agent.data_directory import DataDirectory\n"
        "with DataDirectory(Path(sys.argv[1])).lock(): print('locked', flush=True); sys.stdin.read()"
    )
    command = [sys.executable, "-c", script, str(tmp_path)]
    first = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert first.stdin is not None
    assert first.stdout is not None
    with first.stdout, first.stdin:
        assert first.stdout.readline() == "locked\n"
        second = subprocess.run(command, cwd=ROOT, input="", capture_output=True, text=True, check=False)
        assert "another agent runs on" in second.stderr
        assert "stop it first" in second.stderr
        first.kill()
    first.wait()
    third = subprocess.run(command, cwd=ROOT, input="", capture_output=True, text=True, check=False)
    assert (third.returncode, third.stdout) == (0, "locked\n"), "the lock goes with the process, killed or not"


class Shop:
    """A terminal with its real journal, enrolled at the real ledger of central."""

    def __init__(self, path: Path, world: World) -> None:
        self.world = world
        private_key = new_private_key()
        request = EnrolmentRequest(
            code=terminals.add_terminal(world.connection, world.capabilities, TENANT, "till"),
            public_key=public_key_of(private_key),
            agent_version="test",
        )
        answer = terminals.enrol(world.connection, world.capabilities, request)
        self.row: Terminal = terminals.authenticate(world.connection, answer.token)
        self.member_id = world.member("CARD-1")
        self.memory = TerminalMemory(path=path.with_name("unused.db"))
        self.memory.store.close()
        self.memory.identity = Identity.from_enrolment(answer, private_key, bytes(32))
        self.memory.path, self.memory.clock.now = path, world.now
        self.memory.store = self.memory.new_store()
        self.memory.store.open()
        signed = signed_programme(world.connection, TENANT, world.now)
        self.memory.run(lambda transaction: store_programme(transaction, signed))

    def meet(self) -> None:
        """Identify the member: a snapshot."""
        request = IdentifyRequest(alias="CARD-1", journal=self.memory.journal, grant_ahead=False)
        self._store(grants.identify_member(self.world.connection, self.world.capabilities, self.row, request))

    def grant(self, points: int) -> None:
        """Let central set points aside at this till."""
        request = GrantRequest(
            redemption_id=f"ahead-{points}",
            member_id=self.member_id,
            journal=self.memory.journal,
            points=points,
            points_min=points,
        )
        self._store(grants.issue_exact_grant(self.world.connection, self.world.capabilities, self.row, request))

    def _store(self, answer: object) -> None:
        assert isinstance(answer, MemberAnswer)
        self.memory.run(StoreMember(answer=answer))

    def upload(self, entries_max: int = 100) -> UploadAnswer:
        """Send the next entries of the queue; the answer is not stored."""
        with self.memory.store.reading() as connection:
            mark = watermark(connection)
            batch = queue_batch(connection, mark.seq, entries_max, BYTES_MAX)
        call = upload_call(self.memory.identity, mark, batch)
        headers = UploadHeaders(
            epoch=call.headers["Loyalty-Epoch"],
            first_seq=batch[0].seq,
            head_seq=batch[-1].seq,
            head_hash=batch[-1].hash,
            signature=bytes.fromhex(call.headers["Loyalty-Signature"]),
        )
        world = self.world
        return receive_upload(world.connection, world.capabilities, self.row, mark.journal, headers, call.content)

    def catch_up(self, entries_max: int = 100) -> UploadAnswer:
        """Upload, store the acknowledgement, and hear what changed."""
        answer = self.upload(entries_max)
        self.memory.run(StoreAcknowledgement(answer=answer))
        world = self.world
        page = changes_page(world.connection, world.capabilities, self.row, self.memory.journal, "", 100)
        self.memory.run(StoreChanges(page=page))
        return answer

    def shown(self) -> int:
        view = self.memory.view(self.member_id)
        assert view is not None
        return view.balance

    def booked(self) -> int:
        """The member's points as central's ledger has them: available and reserved, less owed."""
        available, reserved, owed = self.world.figures(self.member_id)
        return available + reserved - owed


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    with sqlite_place() as place, new_world(place) as world:
        shop = Shop(tmp_path / "journal.db", world)
        yield shop
        shop.memory.store.close()


@contextmanager
def replaced(memory: TerminalMemory) -> Iterator[None]:
    before = memory.journal
    with pytest.raises(OutcomeUnknown, match="replaced"):
        memory.run(report_damage)
    assert memory.journal != before
    yield


def test_central_counts_every_sale_of_a_damaged_journal_once(shop: Shop) -> None:
    memory, member = shop.memory, shop.member_id
    shop.meet()
    for amount in (10_000, 20_000, 30_000):
        memory.sell(basket_of(amount), member_id=member)
    shop.catch_up(entries_max=3)
    shop.meet()
    shop.grant(200)
    assert shop.shown() == 600
    held, left_open = (memory.hold(member_id=member) for _ in range(2))
    memory.sell(basket_of(5_000), member_id=member, discount_minor=held.discount_minor, hold_id=held.hold_id)
    returned = memory.sell(basket_of(1_000), member_id=member)
    memory.reverse("return", original=returned.receipt)
    # Central takes two more entries, and its answer is lost: the till cannot know that they arrived.
    shop.upload(entries_max=2)
    memory.sell(basket_of(700), member_id=member)
    queued, shown = [entry.id for entry in memory.entries()][1:], shop.shown()

    with replaced(memory):
        assert [entry.id for entry in memory.entries()][1:] == queued
        assert shop.shown() == shown
    memory.sell(basket_of(5_000), member_id=member, discount_minor=500, hold_id=left_open.hold_id)
    shown = shop.shown()

    answer = shop.catch_up()
    assert answer.watermark == len(queued) + 2
    assert shop.booked() == shown == 600 - 100 + 45 + 7 - 100 + 45
    assert shop.shown() == shown
    shop.world.check_laws(member)
    # What central had from the journal before is told apart by its id alone.
    refused = [(one.seq, one.reason) for one in answer.outcomes if one.outcome != "applied"]
    assert refused == [(seq, "duplicate-entry") for seq in (2, 3, 4, 5)]
    shop.memory.sell(basket_of(300), member_id=member)
    shop.catch_up()
    assert shop.booked() == shop.shown() == shown + 3


def test_an_answer_of_the_journal_before_is_not_taken_for_the_new_one(shop: Shop) -> None:
    """An acknowledgement that was under way while the journal was replaced speaks of other entries."""
    memory = shop.memory
    shop.meet()
    for _ in range(3):
        memory.sell(basket_of(1_000), member_id=shop.member_id)
    late = shop.upload()
    with replaced(memory):
        pass
    (result,) = memory.results(StoreAcknowledgement(answer=late))
    assert result.error is not None
    assert "another entry" in str(result.error) or "we wrote up to" in str(result.error)
    shop.catch_up()
    assert shop.booked() == shop.shown() == 30
    shop.world.check_laws(shop.member_id)


def test_a_journal_that_was_damaged_twice_still_counts_once(shop: Shop) -> None:
    memory = shop.memory
    shop.meet()
    memory.sell(basket_of(1_000), member_id=shop.member_id)
    for _ in range(2):
        with replaced(memory):
            memory.sell(basket_of(1_000), member_id=shop.member_id)
    asides = sorted(memory.path.parent.glob("journal.damaged-*.db")) if memory.path else []
    assert len(asides) == 2, "at the same time of the clock, the second goes beside the first and not over it"
    shop.catch_up()
    assert shop.booked() == shop.shown() == 30
    shop.world.check_laws(shop.member_id)
