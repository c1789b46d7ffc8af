from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loyalty_sdk.codec import CodecError
from loyalty_sdk.envelope import Entry, attachment_hash, encode_entry
from loyalty_sdk.protocol import UploadHeaders, UploadLine, join_upload, split_upload
from tests.unit.loyalty_sdk.strategies import entries

sealed_attachments = st.none() | st.binary(max_size=60)


@settings(max_examples=30)
@given(st.lists(st.tuples(entries(), sealed_attachments), max_size=4))
def test_an_upload_comes_apart_as_it_was_joined(parts: list[tuple[Entry, bytes | None]]) -> None:
    lines = [(encode_entry(entry), sealed) for entry, sealed in parts]
    body = join_upload((entry, attachment_hash(sealed) if sealed else None, sealed) for entry, sealed in lines)
    kept = [UploadLine(entry=entry, sealed=sealed or None) for entry, sealed in lines]
    assert [UploadLine(entry=line.entry, sealed=line.sealed or None) for line in split_upload(body)] == kept


def test_entries_are_spliced_byte_for_byte() -> None:
    assert join_upload([(b'{"a": 1}', None, None), (b"not json", "h", None)]) == b'{"a": 1}\nnot json'


def test_an_empty_upload_has_no_lines() -> None:
    assert list(split_upload(b"")) == []


@pytest.mark.parametrize(
    "body",
    [
        b'{"attachment":"h","sealed":""}',
        b'{"v":1}\n{"attachment":"h","sealed":""}\n{"attachment":"h","sealed":""}',
    ],
)
def test_a_stray_attachment_is_refused(body: bytes) -> None:
    with pytest.raises(CodecError, match="without its entry"):
        list(split_upload(body))


def test_a_damaged_attachment_is_refused() -> None:
    with pytest.raises(CodecError):
        list(split_upload(b'{"v":1}\n{"attachment":"h","sealed":"*"}'))


def test_the_headers_are_those_of_the_protocol() -> None:
    headers = UploadHeaders(epoch="e", first_seq=1, head_seq=2, head_hash=b"\x01", signature=b"\xff")
    assert headers.to_headers() == {
        "Loyalty-Epoch": "e",
        "Loyalty-First-Seq": "1",
        "Loyalty-Head-Seq": "2",
        "Loyalty-Head-Hash": "01",
        "Loyalty-Signature": "ff",
    }
