"""Enrolling this terminal: a key is made, central is told its public half, and central's keys are pinned."""

from __future__ import annotations

import os
import secrets
from importlib import resources
from pathlib import Path

import httpx

from loyalty_sdk.protocol import EnrolmentAnswer, EnrolmentRequest
from sync.central import CentralFailure, json_call, parse, receive
from sync.host import Host
from sync.identity import Identity, new_private_key, public_key_of, write
from terminal_agent.data_directory import DataDirectory
from terminal_agent.settings import CentralSection, ConfigurationError

__all__ = ["EnrolmentFailed", "enrol"]

TIMEOUT_S = 30


class EnrolmentFailed(Exception):
    """The terminal could not be enrolled; the text names the remedy. Nothing was left behind."""


def enrol(directory: DataDirectory, *, url: str, code: str, agent_version: str, host: Host) -> Identity:
    """Enrol with a one-time code and write identity, token and configuration. Raises EnrolmentFailed."""
    try:
        CentralSection(url=url)
    except ValueError as error:
        raise EnrolmentFailed(f"--central: {error}") from None
    if directory.identity.exists():
        raise EnrolmentFailed(f"{directory.path} is already enrolled: choose another --directory")
    directory.create()
    private_key = new_private_key()
    request = EnrolmentRequest(code=code, public_key=public_key_of(private_key), agent_version=agent_version)
    try:
        with httpx.Client(base_url=url, timeout=TIMEOUT_S) as client:
            call = json_call("POST", "/v1/enrolments", request)
            answer = parse(EnrolmentAnswer, receive(client, call.request(client, None)), host.now())
    except CentralFailure as error:
        raise EnrolmentFailed(f"central at {url} did not enrol this terminal: {error}") from None
    identity = Identity.from_enrolment(answer, private_key, host.random_bytes(32))
    write(directory.identity, identity)
    _write_private(directory.token, secrets.token_urlsafe(32))
    if not directory.settings.exists():
        directory.settings.write_text(template(url), encoding="utf-8")
    return identity


def template(url: str) -> str:
    """Return the commented configuration template with central's address filled in."""
    text = resources.files("terminal_agent").joinpath("agent.template.toml").read_text(encoding="utf-8")
    if '"' in url or "\\" in url:
        raise ConfigurationError(f"{url!r} is no address of central")
    return text.replace("{url}", url)


def _write_private(path: Path, text: str) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(text)
