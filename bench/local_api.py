"""Recording a sale through the SDK and the local API of a real agent, against the same call in process."""

from __future__ import annotations

from collections.abc import Iterator

from bench.measure import contest
from bench.process import running_agent
from bench.rows import Row, at_most, compared
from bench.terminal import new_identity, open_terminal, prepare, sales
from bench.workshop import Subject, Workshop
from loyalty_sdk.model import Sale

__all__ = ["LOCAL_API"]

P50 = "record a sale through SDK and local API, p50"
P99 = "record a sale through SDK and local API, p99"


def measure_local_api(workshop: Workshop) -> Iterator[Row]:
    """Both sides have a journal of their own on the same disk."""
    workshop.begin("SDK and local API", workshop.rounds)
    directory = workshop.directory / "local-api"
    directory.mkdir()
    identity = new_identity()
    prepare(directory / "journal.db", identity)
    with (
        open_terminal(directory / "journal.db", identity) as terminal,
        running_agent(directory / "agent") as agent,
        agent.till() as till,
    ):
        requests = sales()

        def record() -> Sale:
            request = next(requests)
            return till.record_sale(request.basket, request.receipt_number, request.tenders, member=request.member_id)

        sides = {"ours": record, "in process": terminal.record}
        taken = contest(sides, rounds=workshop.rounds, operations=workshop.operations, advance=workshop.step)
    ours, other = taken["ours"], taken["in process"]
    yield compared(P50, "ms", ours.p50s_ms, other.p50s_ms, "in process", at_most(2, "difference"))
    yield compared(P99, "ms", ours.p99s_ms, other.p99s_ms, "in process")


LOCAL_API = Subject(names=(P50, P99), measure=measure_local_api)
