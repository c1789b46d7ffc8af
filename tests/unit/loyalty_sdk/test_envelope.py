from __future__ import annotations

import hashlib
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loyalty_sdk.codec import CodecError, loads
from loyalty_sdk.envelope import (
    ENTRY_BYTES_MAX,
    Entry,
    JournalOpenedBody,
    attachment_hash,
    attachment_info,
    chain_hash,
    decode_entry,
    document_signing_input,
    encode_entry,
    first_hash,
    upload_signing_input,
)
from loyalty_sdk.errors import LoyaltyError
from tests.unit.loyalty_sdk.strategies import entries

OPENED = Entry(
    v=1,
    terminal="t-1",
    journal="j-1",
    seq=1,
    id="e-1",
    kind="journal_opened",
    occurred_at=datetime(2026, 5, 1, 9, 30, tzinfo=UTC),
    central_time_seen=None,
    receipt_key=None,
    programme_version=None,
    snapshot_revision=None,
    grants=(),
    attachment_hash=None,
    body=JournalOpenedBody(agent_version="0.1.0"),
)
FIELDS = (
    *("v", "terminal", "journal", "seq", "id", "kind", "occurred_at", "central_time_seen", "receipt_key"),
    *("programme_version", "snapshot_revision", "grants", "attachment_hash", "body"),
)


@given(entries())
def test_every_entry_travels_and_comes_back_equal(entry: Entry) -> None:
    assert decode_entry(encode_entry(entry)) == entry


@given(entries())
def test_an_entry_is_one_line_with_its_fields_in_the_documented_order(entry: Entry) -> None:
    data = encode_entry(entry)
    assert b"\n" not in data
    assert tuple(loads(data)) == FIELDS


@given(st.binary(max_size=100))
def test_no_bytes_raise_anything_but_a_named_error(data: bytes) -> None:
    with pytest.raises((CodecError, LoyaltyError)):
        decode_entry(data)


@given(entries(), st.data())
def test_a_damaged_entry_raises_nothing_but_a_named_error(entry: Entry, data: st.DataObject) -> None:
    whole = bytearray(encode_entry(entry))
    whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    with suppress(CodecError, LoyaltyError):
        assert isinstance(decode_entry(bytes(whole)), Entry)


def test_another_version_is_refused() -> None:
    with pytest.raises(CodecError, match="v is 2; this release reads envelopes of version 1"):
        decode_entry(encode_entry(replace(OPENED, v=2)))


def test_a_body_of_another_kind_is_refused_with_its_place() -> None:
    with pytest.raises(CodecError, match=r"body\.hold_id is missing"):
        decode_entry(encode_entry(replace(OPENED, kind="release")))


def test_an_entry_has_a_limit() -> None:
    with pytest.raises(CodecError, match="split the basket"):
        encode_entry(replace(OPENED, id="x" * ENTRY_BYTES_MAX))


def test_the_chain_is_that_of_the_protocol() -> None:
    previous = bytes(range(32))
    start = hashlib.sha256(b"loyalty-journal-v1\nt-1\nj-1\n" + previous.hex().encode()).digest()
    assert first_hash("t-1", "j-1", previous) == start
    assert first_hash("t-1", "j-1") == hashlib.sha256(b"loyalty-journal-v1\nt-1\nj-1\n").digest()
    assert chain_hash(start, b"{}") == hashlib.sha256(start + b"{}").digest()


def test_the_chain_depends_on_every_byte_and_on_the_order() -> None:
    start = first_hash("t-1", "j-1")
    one, other = encode_entry(OPENED), encode_entry(replace(OPENED, seq=2))
    assert chain_hash(chain_hash(start, one), other) != chain_hash(chain_hash(start, other), one)
    assert chain_hash(start, one) != chain_hash(start, one + b" ")


def test_what_is_signed_carries_its_domain() -> None:
    assert document_signing_input("grant", "{}") == b"loyalty-grant-v1\n{}"
    assert document_signing_input("programme", "{}") == b"loyalty-programme-v1\n{}"
    assert attachment_info("t-1", "e-1") == b"loyalty-attachment-v1\nt-1\ne-1"
    assert attachment_hash(b"sealed") == hashlib.sha256(b"sealed").hexdigest()


def test_an_upload_signs_everything_that_places_it() -> None:
    signed = upload_signing_input(
        terminal="t-1", journal="j-1", epoch="e", first_seq=3, head_seq=9, head_hash=b"\xab\xcd", body=b"lines"
    )
    digest = hashlib.sha256(b"lines").hexdigest()
    assert signed == f"loyalty-upload-v1\nt-1\nj-1\ne\n3\n9\nabcd\n{digest}".encode()
