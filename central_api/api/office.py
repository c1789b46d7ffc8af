"""All calls of the back office, as docs/api.md has them."""

from __future__ import annotations

from fastapi import FastAPI

from central_api.api.office_audit import add_audit_calls
from central_api.api.office_calls import Office
from central_api.api.office_entries import add_entry_calls
from central_api.api.office_jobs import add_job_calls
from central_api.api.office_keys import add_key_calls
from central_api.api.office_ledger import add_ledger_calls
from central_api.api.office_members import add_member_calls
from central_api.api.office_programmes import add_programme_calls
from central_api.api.office_terminals import add_terminal_office_calls

__all__ = ["add_office_calls"]


def add_office_calls(app: FastAPI, office: Office) -> None:
    """Add every call of the back office; each proves an API key and its scope."""
    add_member_calls(app, office)
    add_ledger_calls(app, office)
    add_entry_calls(app, office)
    add_terminal_office_calls(app, office)
    add_programme_calls(app, office)
    add_key_calls(app, office)
    add_job_calls(app, office)
    add_audit_calls(app, office)
