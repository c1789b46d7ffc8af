"""What a print job is called: in the spool by what it prints, towards the POS by printer and number.

One reference is one job, so that a receipt is printed once however often it is asked for; copies, interim reports and
test pages carry an id of their own and are printed every time.
"""

from __future__ import annotations

from typing import Literal

from drivers.printer.spool import Job
from loyalty_sdk.model import PrintJob, ReceiptKey

__all__ = ["content_of", "copy_reference", "entry_id_of", "job_id", "own_reference", "parse_job_id", "told"]

Content = Literal["receipt", "copy", "report", "test"]
_COPY = " copy "


def copy_reference(reference: str, new_id: str) -> str:
    """Return the reference of a further print of the same."""
    return f"{reference}{_COPY}{new_id}"


def own_reference(content: Literal["report", "test"], name: str) -> str:
    """Return the reference of a report or a test page; a receipt's is the id of its entry."""
    return f"{content} {name}"


def content_of(reference: str) -> Content:
    """Return what a job prints."""
    if reference.startswith("report "):
        return "report"
    if reference.startswith("test "):
        return "test"
    return "copy" if _COPY in reference else "receipt"


def entry_id_of(reference: str) -> str | None:
    """Return the entry whose receipt a job prints; None for a report and a test page."""
    return reference.partition(_COPY)[0] if content_of(reference) in ("receipt", "copy") else None


def job_id(printer: str, number: int) -> str:
    """Return the id by which a POS knows a job."""
    return f"{printer}:{number}"


def parse_job_id(text: str) -> tuple[str, int] | None:
    """Return a job's printer and number; None for a text that is no job's id."""
    printer, _, number = text.rpartition(":")
    return (printer, int(number)) if printer and number.isascii() and number.isdigit() and len(number) < 16 else None


def told(printer: str, job: Job, receipt: ReceiptKey | None = None) -> PrintJob:
    """Return a job as the POS is told of it."""
    return PrintJob(
        job_id=job_id(printer, job.number),
        state=job.state.value,
        reason=job.reason,
        printer=printer,
        content=content_of(job.reference),
        receipt=receipt,
        queued_at=job.queued_at,
        ended_at=job.settled_at,
    )
