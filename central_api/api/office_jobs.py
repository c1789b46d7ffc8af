"""The back office's calls about how central runs: its jobs, and the whole programme's totals. Decides nothing."""

from __future__ import annotations

import re
from datetime import date, timedelta
from typing import Annotated

from fastapi import FastAPI, Query, Request, Response
from pydantic import BeforeValidator

from central_api.api.office_calls import Office
from central_api.api.openapi_office import Cursor, Limit, describe_list, describe_read
from central_api.office.jobs import job_list, total_list
from central_api.storage.paging import Paging
from loyalty_sdk.office import LIMIT_DEFAULT, JobList, TotalList

__all__ = ["add_job_calls"]

DAYS_DEFAULT = 30
DAY = re.compile("[0-9]{4}-[0-9]{2}-[0-9]{2}")


def _written_out(text: object) -> object:
    """Pydantic takes a number for seconds since 1970; a day is written as a day."""
    if isinstance(text, str) and not DAY.fullmatch(text):
        raise ValueError("write a day as 2026-05-01")
    return text


Day = Annotated[date | None, BeforeValidator(_written_out)]
First = Annotated[Day, Query(alias="from", description="The first day, UTC; by default 29 days before `to`.")]
Last = Annotated[Day, Query(alias="to", description="The last day, UTC; by default today.")]


def add_job_calls(app: FastAPI, office: Office) -> None:
    """Add the calls that show jobs and totals."""

    @app.get("/v1/jobs", summary="What central does by itself", **describe_read(JobList))
    async def list_jobs(request: Request) -> Response:
        now = office.capabilities.now()
        return await office.read(request, lambda connection, key: job_list(connection, key.tenant, now))

    @app.get("/v1/totals", summary="The whole programme by day", **describe_list(TotalList))
    async def list_totals(
        request: Request,
        first: First = None,
        last: Last = None,
        limit: Limit = LIMIT_DEFAULT,
        cursor: Cursor = None,
    ) -> Response:
        end = last or office.capabilities.now().date()
        begin = first or end - timedelta(days=min(DAYS_DEFAULT - 1, (end - date.min).days))
        filters = {"from": begin.isoformat(), "to": end.isoformat()}
        paging = Paging(name="totals", filters=filters, limit=limit, cursor=cursor)
        return await office.read(
            request, lambda connection, key: total_list(connection, key.tenant, begin, end, paging)
        )
