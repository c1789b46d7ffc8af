"""Where the agent is and what opens it: addresses, the token, and the texts that say what to do when one is missing."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass

from loyalty_sdk._peer import Peer, agent_peer
from loyalty_sdk.errors import AccessRefused, InvalidRequest

__all__ = ["AGENT_VARIABLE", "TOKEN_VARIABLE", "Endpoint", "is_token", "resolve_endpoint"]

AGENT_VARIABLE = "LOYALTY_AGENT"
TOKEN_VARIABLE = "LOYALTY_AGENT_TOKEN"
TOKEN_BYTES_MAX = 4_096
_LOCAL_STATE = os.path.join("~", ".local", "state")


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """The agent's address as given, taken apart for httpx, and the token or the file that holds it."""

    address: str
    base_url: str
    socket_path: str | None = None
    token: str | None = None
    token_path: str | None = None

    @property
    def trusts_environment(self) -> bool:
        """No proxy stands between a POS and its agent."""
        return False

    def verify(self) -> bool:
        """Check the certificate where there is one."""
        return self.base_url.startswith("https:")

    def peer(self) -> Peer:
        """Return who is there."""
        return agent_peer(self.address, self.remedy())

    def authorization(self) -> str | None:
        """Return the Authorization header, or None where neither agent nor token is there yet.

        The file is read for every call: an agent that was set up anew has a new token. Raises AccessRefused.
        """
        token = self.token or self._token_of_file()
        return None if token is None else f"Bearer {token}"

    def remedy(self) -> str:
        """Say how an agent that does not answer is brought to answer."""
        start = f"start it with `loyalty-agent run --directory {self._directory()}`"
        return f"{start}, or name another with agent= or {AGENT_VARIABLE}"

    def _directory(self) -> str:
        return os.path.dirname(self.socket_path) if self.socket_path else "DIRECTORY"

    def _token_of_file(self) -> str | None:
        if self.token_path is None:
            raise AccessRefused(f"no token for {self.address}; give token= or set {TOKEN_VARIABLE}")
        try:
            with open(self.token_path, encoding="ascii") as file:
                token = file.read(TOKEN_BYTES_MAX).strip()
        except (FileNotFoundError, NotADirectoryError):
            self._refuse_missing()
            return None
        except (OSError, ValueError) as error:
            raise AccessRefused(
                f"the token file {self.token_path} cannot be read ({error}); run the POS as a user who may, "
                f"give token= or set {TOKEN_VARIABLE}"
            ) from None
        return token if is_token(token) else self._refuse_empty()

    def _refuse_missing(self) -> None:
        """A missing token beside a missing socket means no agent, which the connection will say; else it is refused."""
        if self.socket_path and os.path.exists(self.socket_path):
            raise AccessRefused(
                f"the agent at {self.address} has no token file {self.token_path} beside its socket; "
                f"give token= or set {TOKEN_VARIABLE}"
            )

    def _refuse_empty(self) -> str:
        raise AccessRefused(f"{self.token_path} holds no token; restart the agent, give token= or set {TOKEN_VARIABLE}")


def resolve_endpoint(agent: str | None, token: str | None, environment: Mapping[str, str]) -> Endpoint:
    """Find the agent: as given, else by LOYALTY_AGENT, else the socket in the user's state folder."""
    address = agent or environment.get(AGENT_VARIABLE) or f"unix:{_default_socket(environment)}"
    token = (token or environment.get(TOKEN_VARIABLE) or "").strip() or None
    if token is not None and not is_token(token):
        raise InvalidRequest("the token holds characters that no token has; give the text of the agent's file `token`")
    if address.startswith("unix:"):
        return _unix_endpoint(address, token)
    if address.startswith(("http://", "https://")) and address.isprintable() and " " not in address:
        return Endpoint(address=address, base_url=address.rstrip("/"), token=token)
    raise InvalidRequest(f"agent={address!r} is no address; write unix:/path/agent.sock or http://127.0.0.1:8787")


def _unix_endpoint(address: str, token: str | None) -> Endpoint:
    path = os.path.expanduser(address.removeprefix("unix:"))
    if not os.path.isabs(path):
        raise InvalidRequest(f"agent={address!r} needs a whole path, as unix:/path/agent.sock")
    return Endpoint(
        address=f"unix:{path}",
        base_url="http://localhost",
        socket_path=path,
        token=token,
        token_path=os.path.join(os.path.dirname(path), "token"),
    )


def _default_socket(environment: Mapping[str, str]) -> str:
    state = environment.get("XDG_STATE_HOME") or os.path.expanduser(_LOCAL_STATE)
    return os.path.join(state, "loyalty-agent", "agent.sock")


def is_token(token: str) -> bool:
    """True where a text may stand in the header Authorization."""
    return bool(token) and token.isascii() and token.isprintable() and " " not in token
