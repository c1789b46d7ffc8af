"""Takes an upload: authentic or not, a fork or not; then stores every entry and has it judged. One transaction.

It refuses an upload as a whole only for what concerns the whole: signature, epoch, chain. A bad entry is no such thing.
"""

from __future__ import annotations

import re
from collections.abc import Sequence, Set
from typing import Any

from sqlalchemy import Connection, Row, select

from central_api.capabilities import Capabilities
from central_api.exchange.claims import begin_epoch_on_claim
from central_api.exchange.journals import entry_outcomes, hash_at, hashes_between, journal_row
from central_api.judging.reading import read_entry
from central_api.judging.sitting import Sitting
from central_api.keys import signature_is_valid
from central_api.ledger.records import EntryRow, Place
from central_api.problems import refuse
from central_api.storage.epochs import note_returned
from central_api.storage.installation import epoch_of
from central_api.storage.locks import lock_terminal
from central_api.storage.schema import entries, journals
from central_api.storage.statements import among, given, select_rows, upsert_rows
from central_api.terminals.terminals import Terminal
from loyalty_sdk.codec import CodecError
from loyalty_sdk.envelope import JournalOpenedBody, chain_hash, decode_entry, first_hash, upload_signing_input
from loyalty_sdk.errors import LoyaltyError
from loyalty_sdk.protocol import UPLOAD_ENTRIES_MAX, EntryOutcome, UploadAnswer, UploadHeaders, UploadLine, split_upload

__all__ = ["receive_upload"]

JOURNAL_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")

_IDS = select(entries.c.id).where(given(entries.c.tenant), among(entries.c.id))


def receive_upload(
    connection: Connection,
    capabilities: Capabilities,
    terminal: Terminal,
    journal: str,
    headers: UploadHeaders,
    body: bytes,
    set_aside: Set[Place] = frozenset(),
) -> UploadAnswer:
    """Store and judge what is new of an upload. Raises Refused or JudgingFailed; then nothing of it is stored.

    After JudgingFailed the caller comes again with the entry `set_aside`: it is stored and quarantined.
    """
    lines = _checked_lines(connection, terminal, journal, headers, body)
    lock_terminal(connection, terminal.tenant, terminal.terminal)
    held = journal_row(connection, terminal, journal)
    head = (held.watermark, held.watermark_hash) if held is not None else (0, b"")
    watermark, watermark_hash = head
    if headers.first_seq > watermark + 1:
        # The terminal goes on after what central acknowledged: an earlier life of this database held that.
        says = f"goes on at entry {headers.first_seq}"
        return _answer(capabilities, begin_epoch_on_claim(connection, capabilities, terminal, says), head, ())
    start = held.first_hash if held is not None else _first_hash(terminal, journal, lines[0])
    if headers.first_seq == 1:
        before: bytes | None = start
    elif headers.first_seq == watermark + 1:
        before = watermark_hash
    else:
        before = hash_at(connection, terminal, journal, headers.first_seq - 1)
    hashes = _chained(headers, before, lines)
    known = _check_known(connection, terminal, journal, headers, hashes, watermark)
    rows = _new_rows(connection, capabilities, terminal, journal, headers.first_seq, lines, hashes, known)
    if rows:
        _keep_journal(connection, capabilities, terminal, journal, held, start, rows[-1])
        sitting = Sitting(connection, capabilities, terminal.tenant, set_aside)
        sitting.judge_new(rows)
        sitting.write()
        note_returned(connection, terminal.tenant, terminal.terminal, journal, rows[-1].seq)
        head = rows[-1].seq, rows[-1].hash
    last_known = headers.first_seq + known - 1
    if not rows:  # Others overtook it: all that today's watermark covers is told, or the terminal never hears of it.
        last_known = max(last_known, min(watermark, headers.first_seq + UPLOAD_ENTRIES_MAX - 1))
    outcomes = entry_outcomes(connection, terminal, journal, headers.first_seq, last_known) if known else []
    outcomes += [row.to_outcome() for row in rows]
    return _answer(capabilities, headers.epoch, head, outcomes)


def _checked_lines(
    connection: Connection, terminal: Terminal, journal: str, headers: UploadHeaders, body: bytes
) -> list[UploadLine]:
    if not JOURNAL_ID.fullmatch(journal):
        raise refuse("invalid-request", "a journal is named by its UUID in lower case")
    epoch = epoch_of(connection)
    if headers.epoch != epoch:
        raise refuse("epoch-changed", f"central is in epoch {epoch}, the upload names {headers.epoch}")
    message = upload_signing_input(
        terminal=terminal.terminal,
        journal=journal,
        epoch=headers.epoch,
        first_seq=headers.first_seq,
        head_seq=headers.head_seq,
        head_hash=headers.head_hash,
        body=body,
    )
    if not signature_is_valid(terminal.public_key, headers.signature, message):
        raise refuse("access-refused", "the upload's signature is not that of the terminal's enrolled key")
    try:
        lines = list(split_upload(body))
    except CodecError as error:
        raise refuse("invalid-request", str(error)) from None
    if len(lines) > UPLOAD_ENTRIES_MAX:
        raise refuse("body-too-large", f"an upload holds at most {UPLOAD_ENTRIES_MAX} entries, not {len(lines)}")
    if not lines or headers.first_seq < 1 or headers.head_seq - headers.first_seq + 1 != len(lines):
        raise refuse(
            "invalid-request",
            f"the headers name the entries {headers.first_seq} to {headers.head_seq}, the body holds {len(lines)}",
        )
    return lines


def _first_hash(terminal: Terminal, journal: str, line: UploadLine) -> bytes:
    """The hash before a journal's first entry, which itself names the journal before."""
    try:
        body = decode_entry(line.entry).body
        previous = body.previous_hash if isinstance(body, JournalOpenedBody) else None
        return first_hash(terminal.terminal, journal, bytes.fromhex(previous or ""))
    except (CodecError, LoyaltyError, ValueError):
        # A first entry that cannot be read is quarantined like any other; it names no journal before.
        return first_hash(terminal.terminal, journal)


def _chained(headers: UploadHeaders, before: bytes | None, lines: Sequence[UploadLine]) -> list[bytes]:
    """The chain hash of each line, continued from what central holds and checked against the signed head."""
    if before is None:
        raise refuse("fork", f"central has no entry {headers.first_seq - 1} of this journal")
    hashes = []
    for line in lines:
        before = chain_hash(before, line.entry)
        hashes.append(before)
    if before != headers.head_hash:
        raise refuse(
            "fork",
            f"the entries from {headers.first_seq} do not continue the journal that central holds: "
            "it has another life on a clone or a restored disk",
        )
    return hashes


def _check_known(
    connection: Connection,
    terminal: Terminal,
    journal: str,
    headers: UploadHeaders,
    hashes: Sequence[bytes],
    watermark: int,
) -> int:
    """Return how many of the entries central has already. Raises Refused `fork` where it has others."""
    known = max(0, min(watermark, headers.head_seq) - headers.first_seq + 1)
    last_known = headers.first_seq + known - 1
    stored = hashes_between(connection, terminal, journal, headers.first_seq, last_known) if known else []
    if stored != list(hashes[:known]):
        raise refuse(
            "fork", f"central holds other entries from {headers.first_seq} on: this journal was continued twice"
        )
    return known


def _new_rows(
    connection: Connection,
    capabilities: Capabilities,
    terminal: Terminal,
    journal: str,
    first_seq: int,
    lines: Sequence[UploadLine],
    hashes: Sequence[bytes],
    known: int,
) -> list[EntryRow]:
    received_at = capabilities.now()
    rows = [
        EntryRow(
            terminal=terminal.terminal,
            journal=journal,
            seq=first_seq + index,
            data=lines[index].entry,
            hash=hashes[index],
            received_at=received_at,
            effective_at=received_at,
            sealed=lines[index].sealed,
        )
        for index in range(known, len(lines))
    ]
    for row in rows:
        read_entry(row, capabilities.keys, terminal.tenant)
    _mark_duplicates(connection, terminal.tenant, rows)
    return rows


def _mark_duplicates(connection: Connection, tenant: str, rows: Sequence[EntryRow]) -> None:
    """An id belongs to the first entry that named it, here or in any other journal."""
    named = [row.entry.id for row in rows if row.entry is not None]
    seen = {row.id for row in select_rows(connection, _IDS, {"tenant": tenant, "id": named})} if named else set()
    for row in rows:
        if row.entry is None:
            continue
        row.is_duplicate = row.entry.id in seen
        seen.add(row.entry.id)


def _keep_journal(
    connection: Connection,
    capabilities: Capabilities,
    terminal: Terminal,
    journal: str,
    held: Row[Any] | None,
    start: bytes,
    head: EntryRow,
) -> None:
    values = {
        "tenant": terminal.tenant,
        "terminal": terminal.terminal,
        "journal": journal,
        "first_hash": start,
        "watermark": head.seq,
        "watermark_hash": head.hash,
        "opened_at": held.opened_at if held is not None else capabilities.now(),
    }
    upsert_rows(connection, journals, [values])


def _answer(
    capabilities: Capabilities, epoch: str, head: tuple[int, bytes], outcomes: Sequence[EntryOutcome]
) -> UploadAnswer:
    return UploadAnswer(
        epoch=epoch,
        watermark=head[0],
        watermark_hash=head[1].hex(),
        outcomes=tuple(outcomes),
        central_time=capabilities.now(),
    )
