"""Terminals: made by an operator, enrolled with a one-time code, known by a bearer token, revoked and recalled.

Codes and tokens are kept as SHA-256 digests only. They are random enough that no salt or slow hash is needed.
"""

from __future__ import annotations

import hashlib
from base64 import b32encode
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from sqlalchemy import Connection, Row, select, update

from central_api.capabilities import Capabilities
from central_api.ledger import feed
from central_api.problems import Refused, refuse
from central_api.storage.audit import Act, note_act
from central_api.storage.installation import epoch_of
from central_api.storage.locks import lock_bells, locks_rows
from central_api.storage.schema import enrolment_codes, grants, terminals
from central_api.storage.statements import given, insert_rows, select_row
from loyalty_sdk.protocol import EnrolmentAnswer, EnrolmentRequest

__all__ = [
    "CODE_HOURS",
    "Terminal",
    "add_terminal",
    "authenticate",
    "check_not_revoked",
    "enrol",
    "keep_from_revoking",
    "recall_grant",
    "recall_grants",
    "revoke_terminal",
    "terminal_rows",
]

CODE_HOURS = 24
CODE_BYTES = 10
NAME_LENGTH_MAX = 64
ED25519_KEY_BYTES = 32

_BY_TOKEN = select(terminals.c.tenant, terminals.c.terminal, terminals.c.state, terminals.c.public_key).where(
    given(terminals.c.token_hash)
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Terminal:
    """A terminal that has proved its token."""

    tenant: str
    terminal: str
    state: str
    public_key: bytes


def add_terminal(connection: Connection, capabilities: Capabilities, tenant: str, name: str) -> str:
    """Make a terminal, or a new code for one that has not enrolled yet or was revoked. Returns the one-time code.

    Raises Refused `invalid-request` for a name that cannot be used, `conflict` for a terminal that is enrolled.
    """
    _check_name(name)
    row = _row(connection, tenant, name)
    if row is None:
        now = capabilities.now()
        insert_rows(connection, terminals, [{"tenant": tenant, "terminal": name, "created_at": now}])
    elif row.state == "enrolled":
        raise refuse("conflict", f"terminal {name} is {row.state} already; choose another name")
    code = b32encode(capabilities.random_bytes(CODE_BYTES)).decode()
    code = "-".join(code[start : start + 4] for start in range(0, len(code), 4))
    expires_at = capabilities.now() + timedelta(hours=CODE_HOURS)
    row_of_code = {"tenant": tenant, "code_hash": _code_hash(code), "terminal": name, "expires_at": expires_at}
    insert_rows(connection, enrolment_codes, [row_of_code])
    return code


def enrol(connection: Connection, capabilities: Capabilities, request: EnrolmentRequest) -> EnrolmentAnswer:
    """Use up a code: keep the terminal's public key and give it a token. Raises Refused `code-invalid`.

    The same key gets the same answer again with the same code: the first answer may have been lost.
    """
    if len(request.public_key) != ED25519_KEY_BYTES:
        raise refuse("invalid-request", f"public_key must be an Ed25519 key of {ED25519_KEY_BYTES} raw bytes")
    found = _usable_code(connection, capabilities, request)
    token = capabilities.keys.enrolment_token(found.tenant, found.terminal, found.code_hash, request.public_key)
    now = capabilities.now()
    this_code = (enrolment_codes.c.tenant == found.tenant) & (enrolment_codes.c.code_hash == found.code_hash)
    connection.execute(update(enrolment_codes).where(this_code).values(used_at=now))
    connection.execute(
        update(terminals)
        .where(terminals.c.tenant == found.tenant, terminals.c.terminal == found.terminal)
        .values(
            state="enrolled",
            public_key=request.public_key,
            token_hash=_hash(token),
            agent_version=request.agent_version[:NAME_LENGTH_MAX],
            enrolled_at=now,
        )
    )
    if found.used_at is None:
        enrolled = Act("terminal-enrolled", found.terminal)
        note_act(connection, capabilities, found.tenant, f"terminal:{found.terminal}", enrolled)
    return EnrolmentAnswer(
        tenant=found.tenant,
        terminal=found.terminal,
        token=token,
        epoch=epoch_of(connection),
        signing_keys=capabilities.keys.signing_keys(),
        sealing_key=capabilities.keys.sealing_key(),
        central_time=now,
    )


def authenticate(connection: Connection, token: str) -> Terminal:
    """Return the terminal of a token, revoked or not. Raises Refused `access-refused`."""
    row = select_row(connection, _BY_TOKEN, {"token_hash": _hash(token)}) if token else None
    if row is None:
        raise refuse("access-refused", "the token is not known here; enrol the terminal with a new code")
    return Terminal(tenant=row.tenant, terminal=row.terminal, state=row.state, public_key=row.public_key)


def check_not_revoked(terminal: Terminal) -> None:
    """Raise Refused `terminal-revoked`: a revoked terminal may only deliver what it has recorded."""
    if terminal.state == "revoked":
        raise refuse(
            "terminal-revoked",
            f"terminal {terminal.terminal} was revoked; it may only upload, until it is enrolled anew",
        )


def keep_from_revoking(connection: Connection, terminal: Terminal) -> None:
    """Let a terminal not be revoked until the transaction ends: what it is given now, the revocation finds.

    Raises Refused `terminal-revoked` where it was revoked since it proved its token. Beside its uploads, which wait for
    nothing here. On SQLite, where one writes at a time, there is nothing to do.
    """
    if locks_rows(connection):
        lock_bells(connection, terminal.tenant, [_revoking(terminal.terminal)], waits=False)
        row = _row(connection, terminal.tenant, terminal.terminal)
        check_not_revoked(terminal if row is None else replace(terminal, state=row.state))


def revoke_terminal(connection: Connection, capabilities: Capabilities, tenant: str, name: str) -> None:
    """Let a terminal do nothing but upload from now on, and want its grants back. Raises Refused `not-found`."""
    _existing(connection, tenant, name)
    lock_bells(connection, tenant, [_revoking(name)], waits=True)
    this_terminal = (terminals.c.tenant == tenant) & (terminals.c.terminal == name)
    connection.execute(update(terminals).where(this_terminal).values(state="revoked"))
    recall_grants(connection, capabilities, tenant, terminal=name)


def recall_grants(
    connection: Connection,
    capabilities: Capabilities,
    tenant: str,
    *,
    terminal: str | None = None,
    member_id: str | None = None,
    but: str = "",
) -> int:
    """Want back the open grants of a terminal, or of a member except at terminal `but`. Returns how many.

    A recall takes nothing back by itself: the terminal hears of it and closes what is free by an entry of its own.
    """
    if terminal is not None:
        _existing(connection, tenant, terminal)
    query = select(grants.c.terminal, grants.c.grant_id).where(grants.c.tenant == tenant, grants.c.state == "open")
    if terminal is not None:
        query = query.where(grants.c.terminal == terminal)
    if member_id is not None:
        query = query.where(grants.c.member_id == member_id, grants.c.terminal != but)
    found = [(row.terminal, row.grant_id) for row in connection.execute(query.order_by(grants.c.grant_id))]
    for _, grant_id in found:
        this_grant = (grants.c.tenant == tenant) & (grants.c.grant_id == grant_id)
        connection.execute(update(grants).where(this_grant).values(recalled=1))
    feed.grants_wanted_back(connection, tenant, found, capabilities.now())
    return len(found)


def recall_grant(connection: Connection, capabilities: Capabilities, tenant: str, grant_id: str) -> None:
    """Want one grant back, as `recall_grants` does. Raises Refused `not-found`, `conflict` for one that is closed."""
    this_grant = (grants.c.tenant == tenant) & (grants.c.grant_id == grant_id)
    row = connection.execute(select(grants.c.terminal, grants.c.state).where(this_grant)).first()
    if row is None:
        raise refuse("not-found", "there is no such grant; they are listed in GET /v1/grants")
    if row.state != "open":
        raise refuse("conflict", "this grant is closed; nothing is set aside by it any more")
    connection.execute(update(grants).where(this_grant).values(recalled=1))
    feed.grants_wanted_back(connection, tenant, [(row.terminal, grant_id)], capabilities.now())


def terminal_rows(connection: Connection, tenant: str) -> list[Row[Any]]:
    """Return the terminals in order of their names."""
    query = select(terminals).where(terminals.c.tenant == tenant).order_by(terminals.c.terminal)
    return list(connection.execute(query))


def _revoking(name: str) -> str:
    return f"revoking:{name}"


def _usable_code(connection: Connection, capabilities: Capabilities, request: EnrolmentRequest) -> Row[Any]:
    query = select(enrolment_codes).where(enrolment_codes.c.code_hash == _code_hash(request.code)).with_for_update()
    row = connection.execute(query).first()
    terminal = None if row is None else _row(connection, row.tenant, row.terminal)
    if row is None or terminal is None or row.expires_at < capabilities.now():
        raise _code_invalid()
    first_time = row.used_at is None and terminal.state in ("new", "revoked")
    again = row.used_at is not None and terminal.state == "enrolled" and terminal.public_key == request.public_key
    if not first_time and not again:
        raise _code_invalid()
    return row


def _code_invalid() -> Refused:
    return refuse(
        "code-invalid", "the code is wrong, used or expired; make a new one with: loyalty-central terminal add NAME"
    )


def _row(connection: Connection, tenant: str, name: str) -> Row[Any] | None:
    query = select(terminals).where(terminals.c.tenant == tenant, terminals.c.terminal == name)
    return connection.execute(query).first()


def _existing(connection: Connection, tenant: str, name: str) -> None:
    if _row(connection, tenant, name) is None:
        raise refuse("not-found", f"there is no terminal {name}; see: loyalty-central terminal list")


def _check_name(name: str) -> None:
    if not 0 < len(name) <= NAME_LENGTH_MAX or not name.isprintable() or name.strip() != name or "/" in name:
        raise refuse("invalid-request", f"a terminal's name has 1 to {NAME_LENGTH_MAX} printable characters without /")


def _code_hash(code: str) -> str:
    return _hash("".join(character for character in code.upper() if character.isalnum()))


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
