"""Central's keys and what is done with them: sign, verify, seal, unseal. Knows no table and no file.

Ed25519 signs documents and checks uploads; HPKE (RFC 9180) opens attachments; ChaCha20-Poly1305 (RFC 8439) seals
personal fields under each member's own key, so that deleting that key erases them; HMAC-SHA256 finds aliases.
"""

from __future__ import annotations

import hashlib
import hmac
from base64 import urlsafe_b64encode
from collections.abc import Callable
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature, InvalidTag
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite

from loyalty_sdk.envelope import DocumentKind, document_signing_input
from loyalty_sdk.protocol import PublicKey, SignedDocument

__all__ = [
    "HPKE_SUITE",
    "KEYS_FORMAT",
    "KeyRing",
    "PrivateKey",
    "SealBroken",
    "new_key_ring",
    "new_private_key",
    "open_sealed",
    "seal",
    "signature_is_valid",
]

KEYS_FORMAT = "loyalty-central-keys-1"
HPKE_SUITE = Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.CHACHA20_POLY1305)
KEY_BYTES = 32
NONCE_BYTES = 12

RandomBytes = Callable[[int], bytes]


class SealBroken(ValueError):
    """What is sealed does not open with this key: it was altered, moved, or sealed for somebody else."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PrivateKey:
    """32 raw private bytes and the id under which the public key is known."""

    key_id: str
    private_key: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyRing:
    """All secrets of one central: the newest signing key signs, all of them verify.

    `index_key` finds aliases by digest, `master_key` wraps the members' own keys.
    """

    format: str
    signing: tuple[PrivateKey, ...]
    sealing: PrivateKey
    index_key: bytes
    master_key: bytes

    def __post_init__(self) -> None:
        if self.format != KEYS_FORMAT or not self.signing:
            raise ValueError(f"this is no key file of the format {KEYS_FORMAT}")

    def signing_keys(self) -> tuple[PublicKey, ...]:
        """Return the public keys that terminals pin."""
        return tuple(PublicKey(key_id=key.key_id, public_key=_signing_public(key)) for key in self.signing)

    def sealing_key(self) -> PublicKey:
        """Return the public key that terminals seal personal fields to."""
        public = X25519PrivateKey.from_private_bytes(self.sealing.private_key).public_key()
        return PublicKey(key_id=self.sealing.key_id, public_key=public.public_bytes_raw())

    def sign(self, kind: DocumentKind, document: str) -> SignedDocument:
        """Sign a document's exact text with the newest signing key."""
        key = self.signing[-1]
        signature = Ed25519PrivateKey.from_private_bytes(key.private_key).sign(document_signing_input(kind, document))
        return SignedDocument(document=document, key_id=key.key_id, signature=signature)

    def verify(self, kind: DocumentKind, signed: SignedDocument) -> bool:
        """Say whether central itself signed the document, with any of its keys."""
        key = next((key for key in self.signing if key.key_id == signed.key_id), None)
        message = document_signing_input(kind, signed.document)
        return key is not None and signature_is_valid(_signing_public(key), signed.signature, message)

    def open_attachment(self, sealed: bytes, info: bytes) -> bytes:
        """Open what a terminal sealed. Raises SealBroken."""
        private = X25519PrivateKey.from_private_bytes(self.sealing.private_key)
        try:
            return HPKE_SUITE.decrypt(sealed, private, info=info)
        except (InvalidTag, ValueError) as error:
            raise SealBroken("the attachment does not open with central's sealing key") from error

    def enrolment_token(self, tenant: str, terminal: str, code_hash: str, public_key: bytes) -> str:
        """Return the token that this code gives this key: the same however often the answer was lost."""
        text = "\n".join(("loyalty-token-v1", tenant, terminal, code_hash, public_key.hex()))
        digest = hmac.new(self.master_key, text.encode(), hashlib.sha256).digest()
        return urlsafe_b64encode(digest).decode().rstrip("=")

    def alias_digest(self, tenant: str, alias: str) -> str:
        """Return the digest under which an alias is found: the table of digests alone tells nobody a card number."""
        return hmac.new(self.index_key, f"{tenant}\n{alias.strip()}".encode(), hashlib.sha256).hexdigest()


def signature_is_valid(public_key: bytes, signature: bytes, message: bytes) -> bool:
    """Check an Ed25519 signature; malformed keys and signatures are simply not valid."""
    try:
        Ed25519PublicKey.from_public_bytes(public_key).verify(signature, message)
    except (InvalidSignature, ValueError):
        return False
    return True


def seal(key: bytes, plain: bytes, context: str, random_bytes: RandomBytes) -> bytes:
    """Seal under a symmetric key as nonce ‖ ciphertext; it opens only with the same context."""
    nonce = random_bytes(NONCE_BYTES)
    return nonce + ChaCha20Poly1305(key).encrypt(nonce, plain, context.encode())


def open_sealed(key: bytes, sealed: bytes, context: str) -> bytes:
    """Open what `seal` made. Raises SealBroken."""
    try:
        return ChaCha20Poly1305(key).decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], context.encode())
    except (InvalidTag, ValueError) as error:
        raise SealBroken(f"what is sealed as {context!r} does not open with this key") from error


def new_private_key(kind: str, random_bytes: RandomBytes) -> PrivateKey:
    """Make a key from injected randomness; `kind` is the first part of its id."""
    return PrivateKey(key_id=f"{kind}-{random_bytes(6).hex()}", private_key=random_bytes(KEY_BYTES))


def new_key_ring(random_bytes: RandomBytes) -> KeyRing:
    """Make all keys of a new central."""
    return KeyRing(
        format=KEYS_FORMAT,
        signing=(new_private_key("signing", random_bytes),),
        sealing=new_private_key("sealing", random_bytes),
        index_key=random_bytes(KEY_BYTES),
        master_key=random_bytes(KEY_BYTES),
    )


def _signing_public(key: PrivateKey) -> bytes:
    return Ed25519PrivateKey.from_private_bytes(key.private_key).public_key().public_bytes_raw()
