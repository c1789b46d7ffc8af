"""The frozen vectors of docs/protocol.md, read by both sides: the terminal's code and central's."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from central_api.keys import KEYS_FORMAT, KeyRing, PrivateKey, SealBroken, signature_is_valid
from loyalty_sdk import envelope
from loyalty_sdk.protocol import PublicKey, SignedDocument, join_upload, split_upload
from sync.identity import Identity, SignatureRefused, public_key_of

VECTORS: dict[str, Any] = json.loads(
    (Path(__file__).parents[2] / "docs" / "protocol-vectors.json").read_text(encoding="utf-8")
)
KEYS: dict[str, str] = VECTORS["keys"]


@pytest.fixture
def terminal() -> Identity:
    return Identity(
        tenant="default",
        terminal=VECTORS["terminal"],
        token="token",
        epoch=VECTORS["epoch"],
        private_key=bytes.fromhex(KEYS["terminal_ed25519_private"]),
        alias_key=bytes(32),
        signing_keys=(
            PublicKey(key_id=KEYS["central_key_id"], public_key=bytes.fromhex(KEYS["central_ed25519_public"])),
        ),
        sealing_key=PublicKey(key_id="sealing", public_key=bytes.fromhex(KEYS["sealing_x25519_public"])),
    )


@pytest.fixture
def central() -> KeyRing:
    return KeyRing(
        format=KEYS_FORMAT,
        signing=(
            PrivateKey(key_id=KEYS["central_key_id"], private_key=bytes.fromhex(KEYS["central_ed25519_private"])),
        ),
        sealing=PrivateKey(key_id="sealing", private_key=bytes.fromhex(KEYS["sealing_x25519_private"])),
        index_key=bytes(32),
        master_key=bytes(32),
    )


def test_chain() -> None:
    first = envelope.first_hash(VECTORS["terminal"], VECTORS["journal"])
    assert first.hex() == VECTORS["first_hash"]
    by_hand = b"\n".join((b"loyalty-journal-v1", VECTORS["terminal"].encode(), VECTORS["journal"].encode(), b""))
    assert first == hashlib.sha256(by_hand).digest()
    digest = first
    for link in VECTORS["chain"]:
        digest = envelope.chain_hash(digest, link["entry"].encode())
        assert digest.hex() == link["hash"]


def test_first_hash_names_the_journal_before() -> None:
    after = VECTORS["first_hash_after_another_journal"]
    previous = bytes.fromhex(after["previous_hash"])
    assert envelope.first_hash(VECTORS["terminal"], VECTORS["journal"], previous).hex() == after["first_hash"]


@pytest.mark.parametrize("link", VECTORS["chain"], ids=lambda link: json.loads(link["entry"])["kind"])
def test_entries_read_and_encode_to_the_same_bytes(link: dict[str, str]) -> None:
    data = link["entry"].encode()
    assert envelope.encode_entry(envelope.decode_entry(data)) == data


def test_upload_is_spliced_and_taken_apart() -> None:
    body = VECTORS["upload"]["body"].encode()
    lines = list(split_upload(body))
    assert [line.entry.decode() for line in lines] == [link["entry"] for link in VECTORS["chain"]]
    attachment = VECTORS["attachment"]
    sealed = [line.sealed for line in lines if line.sealed is not None]
    assert [envelope.attachment_hash(data) for data in sealed] == [attachment["hash"]]
    hashes = [attachment["hash"] if line.sealed is not None else None for line in lines]
    assert join_upload((line.entry, name, line.sealed) for line, name in zip(lines, hashes, strict=True)) == body


def test_upload_signature(terminal: Identity) -> None:
    upload = VECTORS["upload"]
    message = envelope.upload_signing_input(
        terminal=VECTORS["terminal"],
        journal=VECTORS["journal"],
        epoch=VECTORS["epoch"],
        first_seq=1,
        head_seq=len(VECTORS["chain"]),
        head_hash=bytes.fromhex(VECTORS["chain"][-1]["hash"]),
        body=upload["body"].encode(),
    )
    assert message.decode() == upload["signing_input"]
    assert terminal.sign(message).hex() == upload["signature"]
    public = public_key_of(terminal.private_key)
    assert public.hex() == KEYS["terminal_ed25519_public"]
    assert signature_is_valid(public, bytes.fromhex(upload["signature"]), message)
    assert not signature_is_valid(public, bytes.fromhex(upload["signature"]), message + b" ")


@pytest.mark.parametrize("document", VECTORS["documents"], ids=lambda document: str(document["kind"]))
def test_documents_of_central(document: dict[str, Any], terminal: Identity, central: KeyRing) -> None:
    kind, text = document["kind"], document["document"]
    assert envelope.document_signing_input(kind, text).decode() == document["signing_input"]
    signed = central.sign(kind, text)
    assert signed.signature.hex() == document["signature"]
    assert central.verify(kind, signed)
    assert terminal.verify(kind, signed) == text
    altered = SignedDocument(document=text + " ", key_id=signed.key_id, signature=signed.signature)
    assert not central.verify(kind, altered)
    with pytest.raises(SignatureRefused):
        terminal.verify(kind, altered)


def test_sealed_attachment(terminal: Identity, central: KeyRing) -> None:
    attachment = VECTORS["attachment"]
    info = envelope.attachment_info(VECTORS["terminal"], attachment["entry_id"])
    assert info.decode() == attachment["info"]
    sealed = bytes.fromhex(attachment["sealed"])
    assert envelope.attachment_hash(sealed) == attachment["hash"]
    assert central.open_attachment(sealed, info).decode() == attachment["plaintext"]
    with pytest.raises(SealBroken):
        central.open_attachment(sealed, envelope.attachment_info(VECTORS["terminal"], "another entry"))
    again = terminal.seal(attachment["plaintext"].encode(), attachment["entry_id"])
    assert again != sealed
    assert central.open_attachment(again, info).decode() == attachment["plaintext"]


def test_public_key_of_central(terminal: Identity, central: KeyRing) -> None:
    assert central.signing_keys() == terminal.signing_keys
    assert central.sealing_key().public_key == terminal.sealing_key.public_key
    private = Ed25519PrivateKey.from_private_bytes(bytes.fromhex(KEYS["central_ed25519_private"]))
    assert private.public_key().public_bytes_raw().hex() == KEYS["central_ed25519_public"]
