"""What a request costs one process of the real central, measured: the figures that the simulated central stands on.

Central runs as a program on SQLite and its own processor time is counted: no disk and no neighbour of this machine is
in it. Linux only.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from pathlib import Path

import httpx

from loyalty_sdk.codec import decode, dumps, loads
from loyalty_sdk.programme import parse_programme
from loyalty_sdk.protocol import ChangesPage, EnrolmentAnswer, UploadAnswer
from tests.herd.central import Capacity
from tests.integration.central_api.support import PROGRAMME, Program
from tests.support.terminal import SupportTerminal, basket_of
from tests.unit.central_api.support import START

__all__ = ["measured_capacity"]

MEMBERS = 500
FEW, MANY = 10, 200
"""Entries in an upload; what an entry costs is the difference."""

WORK_S = 1.0
"""So much processor time at least is measured of each kind of request: the system counts in hundredths."""


def measured_capacity(processes: int) -> Capacity:
    """Measure one process, and return the capacity of so many that each have a processor of their own."""
    with tempfile.TemporaryDirectory() as folder:
        program = Program(Path(folder))
        program.init()
        with program.serving() as (process, address), httpx.Client(base_url=address, trust_env=False) as client:
            visitor = _Visitor(program, client)
            few, many = (_cost_us(process.pid, visitor.uploads_of(count)) for count in (FEW, MANY))
            cursor = visitor.fetch_changes("")
            page, empty = (_cost_us(process.pid, lambda at=at: visitor.fetch_changes(at)) for at in ("", cursor))  # type: ignore[misc]  # the default binds the loop's cursor
    entry_us = (many - few) // (MANY - FEW)
    return Capacity(
        processes=processes,
        upload_us=few - FEW * entry_us,
        entry_us=entry_us,
        changes_us=empty,
        snapshot_us=(page - empty) // MEMBERS,
    )


def _cost_us(pid: int, ask: Callable[[], object]) -> int:
    """Return the processor time that a request costs the process, after a few to warm up."""
    for _ in range(3):
        ask()
    start_s, times = _used_s(pid), 0
    while (used_s := _used_s(pid) - start_s) < WORK_S:
        ask()
        times += 1
    return int(used_s * 1_000_000 / times)


def _used_s(pid: int) -> float:
    """Processor time of a process; proc(5): fields 14 and 15 of stat, counted behind the program's name."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class _Visitor:
    """A terminal that sells to MEMBERS members, one after the other."""

    def __init__(self, program: Program, client: httpx.Client) -> None:
        self._client = client
        table = program.folder / "members.csv"
        rows = "\n".join(f"{number},M" for number in range(MEMBERS))
        table.write_text(f"alias,name\n{rows}\n", encoding="utf-8")
        program.json("member", "import", str(table))
        self._members = [one["member_id"] for one in program.json("member", "list")["members"]]
        self._till = SupportTerminal(seed=1, now=START, programme=parse_programme(PROGRAMME))
        code = program.json("terminal", "add", "till-1")["code"]
        headers = {"Content-Type": "application/json"}
        answer = client.post("/v1/enrolments", content=dumps(self._till.enrolment_request(code)), headers=headers)
        self._till.enrolled(decode(EnrolmentAnswer, loads(answer.content)))
        assert self._till.enrolment is not None
        self._token = {"Authorization": f"Bearer {self._till.enrolment.token}"}
        self._sales = 0

    def uploads_of(self, entries: int) -> Callable[[], None]:
        """Return what sells so often and uploads that."""

        def upload() -> None:
            first_seq = len(self._till.recorded) + 1
            for _ in range(entries):
                self._sales += 1
                self._till.sale(basket_of(499, 115), self._members[self._sales % MEMBERS])
            made, body = self._till.upload(1 if first_seq == 2 else first_seq)
            path = f"/v1/journals/{self._till.journal}/entries"
            headers = self._token | {"Content-Type": "application/x-ndjson"} | made.to_headers()
            answer = self._client.post(path, content=body, headers=headers)
            found = decode(UploadAnswer, loads(answer.content))
            assert found.watermark == len(self._till.recorded), answer.text

        return upload

    def fetch_changes(self, cursor: str) -> str:
        """Fetch a page of as many changes as there are members, and return its cursor."""
        query = {"journal": self._till.journal, "cursor": cursor, "limit": str(MEMBERS)}
        answer = self._client.get("/v1/changes", params=query, headers=self._token)
        return decode(ChangesPage, loads(answer.content)).cursor
