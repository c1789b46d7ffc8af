"""The registers at work: each receipt once, a return after its sale, and an error that ends the run."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from threading import Event, Lock

import pytest

from loyalty_sdk.basket import Basket, Line
from loyalty_sdk.model import ReturnLine
from terminal_agent.replay.cashier import Refusal, Task
from terminal_agent.replay.crew import Crew, RegisterFailed
from terminal_agent.replay.distribution import Lane, lane_of, lanes, receipt_key
from terminal_agent.replay.linking import Step
from terminal_agent.replay.receipts import Receipt

LANES = lanes(1, 2, 2)


def receipt(invoice: str) -> Receipt:
    return Receipt(
        invoice=invoice,
        cancellation=invoice.startswith("C"),
        member="m",
        occurred_at=datetime(2011, 1, 31, tzinfo=UTC),
        basket=Basket.of("GBP", Line.of("A", 100)),
        rows=(2,),
    )


def task(invoice: str, original: str | None = None) -> Task:
    sale = None if original is None else receipt(original)
    lines = None if original is None else (ReturnLine(line=1, quantity=Decimal(1)),)
    step = Step(receipt=receipt(invoice), original=sale, lines=lines)
    return Task(step=step, key=receipt_key(step.receipt, LANES[0]))


@dataclass
class Log:
    """A cashier that notes what it was given; a sale waits for `gate`."""

    gate: Event
    refused: Sequence[str] = ()
    invoices: list[str] = field(default_factory=list)
    lock: Lock = field(default_factory=Lock)

    def record(self, task: Task) -> Refusal | None:
        invoice = task.step.receipt.invoice
        if invoice == "broken":
            raise RuntimeError("the register is on fire")
        if not task.step.receipt.cancellation:
            assert self.gate.wait(10)
        with self.lock:
            self.invoices.append(invoice)
        return Refusal(invoice=invoice, reason="no") if invoice in self.refused else None


def crew_of(log: Log, originals: Sequence[str] = ()) -> tuple[Crew, list[int]]:
    counted: list[int] = []
    places: dict[Lane, Log] = dict.fromkeys(LANES, log)
    crew = Crew(places, originals, stopping=Event(), on_recorded=lambda: counted.append(1))
    return crew, counted


def opened() -> Event:
    gate = Event()
    gate.set()
    return gate


def test_each_receipt_is_recorded_once() -> None:
    log = Log(opened())
    crew, counted = crew_of(log)
    numbers = [str(number) for number in range(200)]
    for number in numbers:
        crew.hand_out(lane_of(number, LANES), task(number))
    assert crew.finish() == ()
    assert sorted(log.invoices) == sorted(numbers)
    assert len(counted) == 200


def test_a_linked_return_waits_for_its_sale_at_another_register() -> None:
    log = Log(Event())
    crew, _ = crew_of(log, ["1"])
    crew.hand_out(LANES[0], task("1"))
    crew.hand_out(LANES[1], task("C2", original="1"))
    crew.hand_out(LANES[2], task("C3"))
    while "C3" not in log.invoices:
        Event().wait(0.01)
    assert log.invoices == ["C3"]
    log.gate.set()
    crew.finish()
    assert log.invoices == ["C3", "1", "C2"]


def test_the_return_of_a_refused_sale_is_refused_too() -> None:
    log = Log(opened(), refused=["1"])
    crew, counted = crew_of(log, ["1"])
    crew.hand_out(LANES[0], task("1"))
    crew.hand_out(LANES[1], task("C2", original="1"))
    assert {(refusal.invoice, refusal.reason) for refusal in crew.finish()} == {
        ("1", "no"),
        ("C2", "its sale 1 was refused"),
    }
    assert log.invoices == ["1"]
    assert len(counted) == 2


def test_a_register_that_fails_ends_the_run_even_where_others_wait() -> None:
    crew, _ = crew_of(Log(opened()), ["broken"])
    crew.hand_out(LANES[0], task("broken"))
    waiting = [task(f"C{number}", original="broken") for number in range(100)]
    with pytest.raises(RegisterFailed, match="on fire"):
        hand_out_all(crew, waiting)


def hand_out_all(crew: Crew, tasks: Sequence[Task]) -> None:
    for one in tasks:
        crew.hand_out(LANES[1], one)
    crew.finish()
