"""The server as a process: ready, served by real sockets, killed, stopped, and written beside by the command line."""

import signal

import httpx
import pytest

from loyalty_sdk.codec import decode, dumps, loads
from loyalty_sdk.programme import parse_programme
from loyalty_sdk.protocol import EnrolmentAnswer, UploadAnswer
from tests.integration.central_api.support import PROGRAMME, Program
from tests.support.terminal import SupportTerminal, basket_of
from tests.unit.central_api.support import START


@pytest.fixture
def program(new_program: Program) -> Program:
    new_program.init()
    return new_program


def enrolled(program: Program, address: str, name: str, seed: int) -> SupportTerminal:
    till = SupportTerminal(seed=seed, now=START, programme=parse_programme(PROGRAMME))
    code = program.json("terminal", "add", name)["code"]
    headers = {"Content-Type": "application/json"}
    answer = httpx.post(f"{address}/v1/enrolments", content=dumps(till.enrolment_request(code)), headers=headers)
    till.enrolled(decode(EnrolmentAnswer, loads(answer.content)))
    return till


def upload(address: str, till: SupportTerminal) -> UploadAnswer:
    assert till.enrolment is not None
    made, body = till.upload()
    headers = {"Authorization": f"Bearer {till.enrolment.token}", "Content-Type": "application/x-ndjson"}
    path = f"{address}/v1/journals/{till.journal}/entries"
    answer = httpx.post(path, content=body, headers=headers | made.to_headers())
    return decode(UploadAnswer, loads(answer.content))


def test_what_was_acknowledged_outlives_a_kill(program: Program) -> None:
    with program.serving() as (process, address):
        member = program.json("member", "add", "--alias", "1")["member_id"]
        till = enrolled(program, address, "till-1", 1)
        till.sale(basket_of(1000), member)
        first = upload(address, till)
        process.send_signal(signal.SIGKILL)
        process.wait()
    with program.serving() as (_, address):
        till.sale(basket_of(2000), member)
        second = upload(address, till)
    assert (first.watermark, second.watermark) == (2, 3)
    assert second.epoch == first.epoch
    report = program.json("member", "show", "1")
    assert (report["available"], report["owed"]) == (30, 0)


def test_sigterm_stops_cleanly(program: Program) -> None:
    with program.serving() as (process, address):
        assert httpx.get(f"{address}/v1/health").json()["status"] == "ok"
        process.terminate()
        assert process.wait() == 0
        assert process.stdout is not None
        assert process.stdout.read() == ""


def test_a_port_that_is_taken_is_said_so(program: Program) -> None:
    with program.serving() as (_, address):
        port = address.rpartition(":")[2]
        assert f"cannot listen on 127.0.0.1:{port}" in program.refused("serve", "--port", port)
    assert "--port" in program.refused("serve", "--port", "99999")


def test_the_command_line_sees_what_the_server_wrote(program: Program) -> None:
    with program.serving() as (_, address):
        member = program.json("member", "add", "--alias", "1", "--name", "Maria da Silva")["member_id"]
        till = enrolled(program, address, "till-1", 1)
        held = till.sale(basket_of(1000), alias="2")
        till.sale(basket_of(1000), member)
        assert [one.outcome for one in upload(address, till).outcomes] == ["applied", "held", "applied"]
        other = program.json("member", "add", "--alias", "2")["member_id"]
        report = program.json("member", "show", "2")
        assert program.json("verify")["differences"] == 0
    assert (report["member_id"], report["available"]) == (other, 10)
    assert [(one["id"], one["outcome"]) for one in report["entries"]] == [(held.entry.id, "applied")]
    states = [(one["terminal"], one["state"]) for one in program.json("terminal", "list")["terminals"]]
    assert states == [("till-1", "enrolled")]


def test_two_servers_on_one_database_are_one_central(program: Program) -> None:
    if not program.url:
        pytest.skip("an SQLite file is served by one server")
    with program.serving() as (_, first), program.serving() as (_, second):
        member = program.json("member", "add", "--alias", "1")["member_id"]
        till = enrolled(program, first, "till-1", 1)
        till.sale(basket_of(1000), member)
        answers = [upload(address, till) for address in (second, first)]
        assert answers[0].outcomes == answers[1].outcomes
        assert program.json("member", "show", "1")["available"] == 10
