"""The identity: signing, sealing, verifying, and its file."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from cryptography.exceptions import InvalidSignature, InvalidTag
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from loyalty_sdk.protocol import EnrolmentAnswer
from sync import identity as identities
from sync.identity import Identity, IdentityError, SignatureRefused, new_private_key, public_key_of
from tests.support.terminal_memory import CentralKeys, TerminalMemory


@pytest.fixture
def identity(memory: TerminalMemory) -> Identity:
    return memory.identity


def test_a_signature_verifies_with_the_public_key_and_no_other(identity: Identity) -> None:
    signature = identity.sign(b"message")
    Ed25519PublicKey.from_public_bytes(public_key_of(identity.private_key)).verify(signature, b"message")
    with pytest.raises(InvalidSignature):
        Ed25519PublicKey.from_public_bytes(public_key_of(new_private_key())).verify(signature, b"message")


def test_a_document_of_central_verifies_to_its_exact_text(memory: TerminalMemory) -> None:
    document = '{ "spaces" : "stay" }'
    assert memory.identity.verify("grant", memory.keys.sign("grant", document)) == document


def test_documents_of_others_are_refused(memory: TerminalMemory) -> None:
    signed = memory.keys.sign("grant", "{}")
    for wrong in (
        replace(signed, document="{ }"),
        replace(signed, signature=bytes(64)),
        replace(signed, signature=b""),
        CentralKeys().sign("grant", "{}"),
        memory.keys.sign("programme", "{}"),
    ):
        with pytest.raises(SignatureRefused, match="not central's"):
            memory.identity.verify("grant", wrong)
    with pytest.raises(SignatureRefused, match="signing-9, which this terminal has not pinned"):
        memory.identity.verify("grant", replace(signed, key_id="signing-9"))


def test_law_12_sealed_fields_open_only_with_the_private_key_beside_their_entry(memory: TerminalMemory) -> None:
    sealed = memory.identity.seal(b"CARD-1", "entry-1")
    assert memory.keys.open(sealed, "till-1", "entry-1") == b"CARD-1"
    assert b"CARD-1" not in sealed
    assert memory.identity.seal(b"CARD-1", "entry-1") != sealed
    for keys, terminal, entry_id in (
        (memory.keys, "till-1", "entry-2"),
        (memory.keys, "till-2", "entry-1"),
        (CentralKeys(), "till-1", "entry-1"),
    ):
        with pytest.raises(InvalidTag):
            keys.open(sealed, terminal, entry_id)


def test_the_file_is_the_owner_s_alone_and_reads_back(identity: Identity, tmp_path: Path) -> None:
    path = tmp_path / "identity.json"
    identities.write(path, identity)
    identities.write(path, replace(identity, token="token-2"))
    assert path.stat().st_mode & 0o777 == 0o600
    assert identities.read(path) == replace(identity, token="token-2")
    assert [file.name for file in tmp_path.iterdir()] == ["identity.json"]


def test_a_file_left_by_somebody_lends_no_mode(identity: Identity, tmp_path: Path) -> None:
    left = tmp_path / "identity.new"
    left.touch(0o644)
    identities.write(tmp_path / "identity.json", identity)
    assert (tmp_path / "identity.json").stat().st_mode & 0o777 == 0o600


def test_a_missing_file_and_a_damaged_one_name_the_remedy(tmp_path: Path) -> None:
    path = tmp_path / "identity.json"
    with pytest.raises(IdentityError, match="loyalty-agent init"):
        identities.read(path)
    for content in (b"", b"{", b"[]", b'{"tenant": 1}', b"\xff\xfe"):
        path.write_bytes(content)
        with pytest.raises(IdentityError, match="restore it, or enrol"):
            identities.read(path)


def test_secrets_stand_in_no_log(identity: Identity) -> None:
    shown = repr(identity)
    assert "till-1" in shown
    for secret in (identity.token, repr(identity.private_key), repr(identity.alias_key)):
        assert secret not in shown


def test_an_enrolment_makes_an_identity(memory: TerminalMemory) -> None:
    ours = memory.identity
    answer = EnrolmentAnswer(
        tenant=ours.tenant,
        terminal=ours.terminal,
        token=ours.token,
        epoch=ours.epoch,
        signing_keys=ours.signing_keys,
        sealing_key=ours.sealing_key,
        central_time=memory.clock.now,
    )
    assert Identity.from_enrolment(answer, ours.private_key, ours.alias_key) == ours
