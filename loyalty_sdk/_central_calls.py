"""How a call to central is put together: its path from one table, its body, its key. No I/O, and no call of its own.

The calls themselves are in `_member_calls`, `_office_calls` and `_terminal_calls`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Generic, Literal, TypeVar
from urllib.parse import quote

from loyalty_sdk._flow import Call, Effect
from loyalty_sdk.codec import dumps
from loyalty_sdk.errors import CentralFailure, InvalidRequest

__all__ = ["ENDPOINTS", "Pages", "ask", "following_call", "listed", "write"]

T = TypeVar("T")
Item = TypeVar("Item")
Page = TypeVar("Page")
Method = Literal["GET", "POST", "PATCH", "DELETE"]

_IDEMPOTENCY_KEY = re.compile(r"[!-~]([ -~]{0,253}[!-~])?")
_ETAG = re.compile(r"[!#-~]+")

ENDPOINTS: Mapping[str, tuple[Method, str]] = {
    # A terminal's calls
    "enrol": ("POST", "/v1/enrolments"),
    "signed_programme": ("GET", "/v1/programme"),
    "signed_programme_version": ("GET", "/v1/programme/{version}"),
    "identify": ("POST", "/v1/members/identify"),
    "issue_grant": ("POST", "/v1/grants"),
    "upload": ("POST", "/v1/journals/{journal}/entries"),
    "journal": ("GET", "/v1/journals/{journal}"),
    "journal_entries": ("GET", "/v1/journals/{journal}/entries"),
    "report_journal": ("POST", "/v1/journals/{journal}/reports"),
    "changes": ("GET", "/v1/changes"),
    "health": ("GET", "/v1/health"),
    # Members
    "members": ("GET", "/v1/members"),
    "create_member": ("POST", "/v1/members"),
    "search_members": ("POST", "/v1/members/search"),
    "member": ("GET", "/v1/members/{member_id}"),
    "update_member": ("PATCH", "/v1/members/{member_id}"),
    "add_alias": ("POST", "/v1/members/{member_id}/aliases"),
    "remove_alias": ("DELETE", "/v1/members/{member_id}/aliases/{alias_id}"),
    "adjust": ("POST", "/v1/members/{member_id}/adjustments"),
    "write_off": ("POST", "/v1/members/{member_id}/write-offs"),
    "merge_members": ("POST", "/v1/members/{member_id}/merge"),
    "transfers": ("GET", "/v1/members/{member_id}/transfers"),
    "member_entries": ("GET", "/v1/members/{member_id}/entries"),
    "decisions": ("GET", "/v1/members/{member_id}/decisions"),
    "lots": ("GET", "/v1/members/{member_id}/lots"),
    "member_grants": ("GET", "/v1/members/{member_id}/grants"),
    # Grants, terminals, journals
    "grants": ("GET", "/v1/grants"),
    "grant": ("GET", "/v1/grants/{grant_id}"),
    "recall_grant": ("POST", "/v1/grants/{grant_id}/recall"),
    "terminals": ("GET", "/v1/terminals"),
    "create_terminal": ("POST", "/v1/terminals"),
    "terminal": ("GET", "/v1/terminals/{terminal}"),
    "recall_grants": ("POST", "/v1/terminals/{terminal}/recall"),
    "revoke_terminal": ("POST", "/v1/terminals/{terminal}/revoke"),
    "entries": ("GET", "/v1/entries"),
    "entry": ("GET", "/v1/entries/{entry_id}"),
    "quarantine": ("GET", "/v1/quarantine"),
    "judge_quarantine": ("POST", "/v1/quarantine/judge"),
    # The programme
    "programmes": ("GET", "/v1/programmes"),
    "programme": ("GET", "/v1/programmes/{version}"),
    "activate_programme": ("POST", "/v1/programmes"),
    "withdraw_programme": ("POST", "/v1/programmes/{version}/withdraw"),
    "validate_programme": ("POST", "/v1/programmes/validate"),
    "dry_run_programme": ("POST", "/v1/programmes/dry-run"),
    # Keys, jobs, totals, the audit trail
    "api_keys": ("GET", "/v1/keys"),
    "create_api_key": ("POST", "/v1/keys"),
    "rotate_api_key": ("POST", "/v1/keys/{key_id}/rotate"),
    "revoke_api_key": ("DELETE", "/v1/keys/{key_id}"),
    "jobs": ("GET", "/v1/jobs"),
    "totals": ("GET", "/v1/totals"),
    "audit": ("GET", "/v1/audit"),
}
"""The name of a call, its method, and its path as the OpenAPI document writes it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pages(Generic[Item, Page]):
    """A list in pages: the call for the first, what a page holds, and what to ask for the next, None at the end."""

    call: Call[Page]
    items: Callable[[Page], tuple[Item, ...]]
    following: Callable[[Page], Mapping[str, str] | None]


def ask(
    name: str,
    answer: type[T],
    *,
    path: Mapping[str, str] | None = None,
    query: Mapping[str, object] | None = None,
    body: object = None,
    effect: Effect = "question",
    known: T | None = None,
    known_etag: str = "",
    public: bool = False,
) -> Call[T]:
    """Return a call that changes nothing, or that carries its key in its body. Raises ValueError."""
    method, template = ENDPOINTS[name]
    return Call(
        name=name,
        method=method,
        path=_filled(template, path or {}),
        answer=answer,
        effect=effect,
        body=b"" if body is None else dumps(body),
        query={key: str(value) for key, value in (query or {}).items() if value not in (None, "")},
        headers={"If-None-Match": _etag(known_etag)} if known is not None else {},
        known=known,
        public=public,
    )


def write(
    name: str,
    answer: type[T],
    body: object,
    idempotency_key: str | None,
    *,
    path: Mapping[str, str] | None = None,
    etag: str | None = None,
) -> Call[T]:
    """Return a call that happens once under its key, which is made when the call begins where none is given."""
    if idempotency_key is not None and not _IDEMPOTENCY_KEY.fullmatch(idempotency_key):
        raise InvalidRequest("an idempotency key has 1 to 255 printable ASCII characters, as a UUID has")
    call = ask(name, answer, path=path, body=body, effect="keyed")
    return replace(
        call,
        idempotency_key=idempotency_key or "",
        headers={} if etag is None else {"If-Match": _etag(etag)},
    )


def listed(call: Call[Any], items: Callable[[Page], tuple[Item, ...]]) -> Pages[Item, Page]:
    """Return the pages of a list that goes on with a cursor."""
    return Pages(call=call, items=items, following=_next_cursor)


def following_call(pages: Pages[Item, Page], call: Call[Page], page: Page) -> Call[Page] | None:
    """Return the call for the next page. Raises CentralFailure where it would be the same page for ever."""
    query = pages.following(page)
    if query is None:
        return None
    following = replace(call, query={**call.query, **query})
    if following.query == call.query:
        raise CentralFailure(f"central answers {call.name} with the same page again; bring it to the SDK's release")
    return following


def _next_cursor(page: Any) -> Mapping[str, str] | None:
    return None if page.next_cursor is None else {"cursor": page.next_cursor}


def _filled(template: str, path: Mapping[str, str]) -> str:
    for name, value in path.items():
        if not value or value in (".", ".."):
            raise InvalidRequest(f"{name} must not be {value!r}; give the id as central told it")
    return template.format(**{name: quote(value, safe="") for name, value in path.items()})


def _etag(text: str) -> str:
    if not _ETAG.fullmatch(text):
        raise InvalidRequest("what was read carries no etag; read it once more, and pass on what was read")
    return f'"{text}"'
