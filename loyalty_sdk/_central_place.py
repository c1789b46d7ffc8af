"""Where central is and what opens it: the address, the token, and what its certificate is checked against."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from loyalty_sdk._endpoint import is_token
from loyalty_sdk._peer import Peer, central_peer
from loyalty_sdk.errors import AccessRefused, InvalidRequest

if TYPE_CHECKING:
    import ssl

__all__ = ["TOKEN_VARIABLE", "URL_VARIABLE", "CentralPlace", "resolve_central"]

URL_VARIABLE = "LOYALTY_CENTRAL_URL"
TOKEN_VARIABLE = "LOYALTY_CENTRAL_TOKEN"


@dataclass(frozen=True, slots=True, kw_only=True)
class CentralPlace:
    """Central's address, a terminal's token or an API key, and a file of certificate authorities of one's own."""

    base_url: str
    token: str | None = None
    certificate_authority: str | None = None

    @property
    def socket_path(self) -> None:
        """Central listens on no Unix socket."""
        return None

    @property
    def trusts_environment(self) -> bool:
        """A back office may reach central only through the proxy that its environment names."""
        return True

    def peer(self) -> Peer:
        """Return who is there."""
        remedy = f"see that it runs and that {self.base_url}/v1/health answers from here, or name another with url="
        return central_peer(self.base_url, remedy)

    def authorization(self) -> str:
        """Return the Authorization header. Raises AccessRefused where there is no token."""
        if self.token is None:
            raise AccessRefused(
                f"no token for {self.base_url}; give token= or set {TOKEN_VARIABLE}: the API key of "
                "`loyalty-central key add`, or a terminal's token"
            )
        return f"Bearer {self.token}"

    def verify(self) -> ssl.SSLContext | bool:
        """Return what central's certificate is checked against. Raises InvalidRequest where the file does not read."""
        if self.certificate_authority is None:
            return self.base_url.startswith("https:")
        # Imported here because it costs more than the rest of the SDK.
        import ssl

        try:
            return ssl.create_default_context(cafile=self.certificate_authority)
        except OSError as error:
            raise InvalidRequest(
                f"certificate_authority={self.certificate_authority!r} cannot be read ({error}); name a PEM file"
            ) from None


def resolve_central(
    url: str | None, token: str | None, certificate_authority: str | None, environment: Mapping[str, str]
) -> CentralPlace:
    """Find central: as given, else by LOYALTY_CENTRAL_URL and LOYALTY_CENTRAL_TOKEN. Raises InvalidRequest."""
    address = (url or environment.get(URL_VARIABLE) or "").strip().rstrip("/")
    if not address.startswith(("http://", "https://")) or not address.isprintable() or " " in address:
        found = f"url={address!r} is no address of central" if address else "no address of central"
        raise InvalidRequest(f"{found}; give url= or set {URL_VARIABLE}, as https://central.example.com")
    token = (token or environment.get(TOKEN_VARIABLE) or "").strip() or None
    if token is not None and not is_token(token):
        raise InvalidRequest("the token holds characters that no token has; give the whole text as central told it")
    return CentralPlace(base_url=address, token=token, certificate_authority=certificate_authority)
