"""TLS on real sockets: only a certificate that is trusted, in force and of central's name is spoken to."""

from __future__ import annotations

import gc
import ssl
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePrivateKey, generate_private_key
from cryptography.x509.oid import NameOID

from tests.integration.exchange.proxy import Proxy
from tests.integration.exchange.site import CentralSite
from tests.integration.exchange.test_faults import held_once
from tests.integration.exchange.tills import Till, wait_until

DAY = timedelta(days=1)


class Authority:
    """A certificate authority, and the certificates that it makes."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._key = generate_private_key(SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test authority")])
        certificate = self._made(self._name, self._name, self._key, ca=True)
        self.path = folder / "authority.pem"
        self.path.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))

    def server(self, name: str = "localhost", *, until: timedelta = DAY, signed: bool = True) -> ssl.SSLContext:
        """What a server needs to show a certificate for a name."""
        key = generate_private_key(SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        certificate = self._made(subject, self._name if signed else subject, key, name=name, until=until, signed=signed)
        path = self._folder / "server.pem"
        path.write_bytes(
            certificate.public_bytes(serialization.Encoding.PEM)
            + key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(path)
        return context

    def client(self) -> ssl.SSLContext:
        """A client that trusts this authority alone."""
        return ssl.create_default_context(cafile=str(self.path))

    def _made(
        self,
        subject: x509.Name,
        issuer: x509.Name,
        key: EllipticCurvePrivateKey,
        *,
        ca: bool = False,
        name: str = "",
        until: timedelta = DAY,
        signed: bool = True,
    ) -> x509.Certificate:
        now = datetime.now(UTC)
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(issuer)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - 10 * DAY)
            .not_valid_after(now + until)
            .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
        )
        if name:
            builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        return builder.sign(self._key if signed else key, hashes.SHA256())


# CPython's `wrap_socket` leaves a connection open that is reset before TLS began; it is told of when it is collected.
pytestmark = pytest.mark.filterwarnings(
    "ignore:Exception ignored in. <ssl.SSLSocket:pytest.PytestUnraisableExceptionWarning"
)


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


@pytest.fixture
def site(shared: tuple[CentralSite, Proxy, Till]) -> CentralSite:
    return shared[0]


@pytest.fixture
def till(shared: tuple[CentralSite, Proxy, Till]) -> Iterator[Till]:
    """The shared terminal, stopped; it speaks to central directly again afterwards."""
    till = shared[2]
    till.drain()
    till.stop()
    url = till.url
    yield till
    till.stop()
    gc.collect()
    till.url = url
    till.start(request_s_max=0.3)


def test_a_trusted_certificate_is_spoken_to(till: Till, site: CentralSite, authority: Authority) -> None:
    proxy = Proxy(site.port, authority.server())
    till.url = proxy.url
    till.start(verify=authority.client())
    till.sell(member_id=None)
    till.drain()
    held_once(site, till)
    till.stop()
    proxy.close()


@pytest.mark.parametrize("kind", ["self-signed", "expired", "of another name", "of nobody we trust", "no TLS"])
def test_any_other_certificate_is_not(till: Till, site: CentralSite, authority: Authority, kind: str) -> None:
    contexts = {
        "self-signed": authority.server(signed=False) if kind == "self-signed" else None,
        "expired": authority.server(until=-DAY) if kind == "expired" else None,
        "of another name": authority.server("example.com") if kind == "of another name" else None,
        "of nobody we trust": authority.server() if kind == "of nobody we trust" else None,
        "no TLS": None,
    }
    proxy = Proxy(site.port, contexts[kind])
    till.url = proxy.url.replace("http://", "https://")
    till.start(verify=True if kind == "of nobody we trust" else authority.client(), request_s_max=0.3)
    till.sell(member_id=None)
    wait_until(lambda: not till.exchange.online and bool(till.exchange.trouble))
    till.sell(member_id=None)
    assert not till.is_drained()
    # Not even the token was sent.
    assert proxy.requests == []
    # A listener that closes resets who just connected, and CPython's `wrap_socket` leaves such a socket open.
    till.stop()
    proxy.close()
