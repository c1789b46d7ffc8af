"""The printer of a FakeAgent: it prints at once, whatever it is given."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from loyalty_sdk._fake_texts import printed_text
from loyalty_sdk.errors import NotFound
from loyalty_sdk.local import PrintJobs
from loyalty_sdk.model import PrintJob, ReceiptKey, Reversal, Sale
from loyalty_sdk.programme import ReceiptTexts

__all__ = ["FakePrinter", "Printed"]

PRINTER_COLUMNS = 42
JOBS_MAX = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Printed:
    """What the fake's printer put on paper; `receipt` is None for a report and for a test page."""

    job_id: str
    receipt: ReceiptKey | None
    text: str
    copy: bool
    printed_at: datetime
    content: Literal["receipt", "copy", "report", "test"] = "receipt"


class FakePrinter:
    """The paper, and the jobs as the agent tells of them."""

    def __init__(self, new_id: Callable[[], str], now: Callable[[], datetime]) -> None:
        self.printed: list[Printed] = []
        self._new_id = new_id
        self._now = now

    def print_receipt(self, recorded: Sale | Reversal, texts: ReceiptTexts, *, copy: bool) -> PrintJob:
        """Print a receipt once, or a copy every time."""
        key = recorded.receipt
        before = [done for done in self.printed if done.receipt == key and not done.copy]
        if before and not copy:
            return _job(before[0])
        text = printed_text(recorded, texts, PRINTER_COLUMNS, copy=copy)
        return self._print("copy" if copy else "receipt", text, key)

    def print_text(self, content: Literal["report", "test"], text: str) -> PrintJob:
        """Print what is no receipt."""
        return self._print(content, text, None)

    def jobs(self) -> PrintJobs:
        """Return the latest jobs, the newest first."""
        return PrintJobs(jobs=tuple(_job(done) for done in reversed(self.printed[-JOBS_MAX:])))

    def job(self, job_id: str) -> PrintJob:
        """Return one job; it is printed, so that nothing is left to cancel. Raises NotFound."""
        for done in self.printed:
            if done.job_id == job_id:
                return _job(done)
        raise NotFound(f"no print job {job_id} is known here; list them with print_jobs()")

    def _print(
        self, content: Literal["receipt", "copy", "report", "test"], text: str, receipt: ReceiptKey | None
    ) -> PrintJob:
        done = Printed(
            job_id=self._new_id(),
            receipt=receipt,
            text=text,
            copy=content == "copy",
            printed_at=self._now(),
            content=content,
        )
        self.printed.append(done)
        return _job(done)


def _job(done: Printed) -> PrintJob:
    return PrintJob(
        job_id=done.job_id,
        state="printed",
        printer="fake",
        content=done.content,
        receipt=done.receipt,
        queued_at=done.printed_at,
        ended_at=done.printed_at,
    )
