"""Who this terminal is to central: its keys, its token and the keys of central that it pinned at enrolment.

The identity is one JSON file beside the journal, readable by its owner alone. Signing and sealing are done here with
`cryptography`; what is signed is defined in `loyalty_sdk.envelope`.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hpke
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PublicKey

from loyalty_sdk.codec import CodecError, decode, dumps, loads
from loyalty_sdk.envelope import DocumentKind, attachment_info, document_signing_input
from loyalty_sdk.protocol import EnrolmentAnswer, PublicKey, SignedDocument

__all__ = ["Identity", "IdentityError", "SignatureRefused", "new_private_key", "public_key_of", "read", "write"]

_SUITE = hpke.Suite(hpke.KEM.X25519, hpke.KDF.HKDF_SHA256, hpke.AEAD.CHACHA20_POLY1305)


class IdentityError(Exception):
    """The identity file is missing or damaged; the text names the remedy."""


class SignatureRefused(Exception):
    """A document does not carry a signature of a key that this terminal pinned."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """The terminal's identity. `private_key` is Ed25519, 32 raw bytes; `alias_key` keys the digests kept here."""

    tenant: str
    terminal: str
    token: str = field(repr=False)
    epoch: str
    private_key: bytes = field(repr=False)
    alias_key: bytes = field(repr=False)
    signing_keys: tuple[PublicKey, ...]
    sealing_key: PublicKey

    @classmethod
    def from_enrolment(cls, answer: EnrolmentAnswer, private_key: bytes, alias_key: bytes) -> Identity:
        """Make the identity from central's answer to an enrolment."""
        return cls(
            tenant=answer.tenant,
            terminal=answer.terminal,
            token=answer.token,
            epoch=answer.epoch,
            private_key=private_key,
            alias_key=alias_key,
            signing_keys=answer.signing_keys,
            sealing_key=answer.sealing_key,
        )

    def sign(self, message: bytes) -> bytes:
        """Return the Ed25519 signature of `message`, 64 bytes."""
        return Ed25519PrivateKey.from_private_bytes(self.private_key).sign(message)

    def seal(self, plaintext: bytes, entry_id: str) -> bytes:
        """Seal personal fields to central's key (HPKE, RFC 9180); they open only beside the entry `entry_id`."""
        key = X25519PublicKey.from_public_bytes(self.sealing_key.public_key)
        return _SUITE.encrypt(plaintext, key, info=attachment_info(self.terminal, entry_id))

    def verify(self, kind: DocumentKind, signed: SignedDocument) -> str:
        """Return the text of a document that central signed. Raises SignatureRefused."""
        pinned = next((key for key in self.signing_keys if key.key_id == signed.key_id), None)
        if pinned is None:
            raise SignatureRefused(f"the {kind} is signed by key {signed.key_id}, which this terminal has not pinned")
        public_key = Ed25519PublicKey.from_public_bytes(pinned.public_key)
        try:
            public_key.verify(signed.signature, document_signing_input(kind, signed.document))
        except InvalidSignature:
            raise SignatureRefused(f"the signature of the {kind} is not central's") from None
        return signed.document


def new_private_key() -> bytes:
    """Return a new Ed25519 private key as 32 raw bytes."""
    return Ed25519PrivateKey.generate().private_bytes_raw()


def public_key_of(private_key: bytes) -> bytes:
    """Return the Ed25519 public key of a private key, both as 32 raw bytes."""
    return Ed25519PrivateKey.from_private_bytes(private_key).public_key().public_bytes_raw()


def read(path: Path) -> Identity:
    """Read the identity file. Raises IdentityError."""
    try:
        return decode(Identity, loads(path.read_bytes()))
    except FileNotFoundError:
        raise IdentityError(f"{path} is missing: enrol this terminal with `loyalty-agent init`") from None
    except (OSError, CodecError) as error:
        raise IdentityError(f"{path} cannot be read ({error}): restore it, or enrol the terminal anew") from None


def write(path: Path, identity: Identity) -> None:
    """Write the identity file, readable by its owner alone; an existing file is replaced as a whole."""
    temporary = path.with_suffix(".new")
    temporary.unlink(missing_ok=True)  # A file that is there already would keep its own mode.
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(dumps(identity))
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
