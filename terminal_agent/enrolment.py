"""Enrolling this terminal: a key is made, central is told its public half, and central's keys are pinned."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib import resources
from pathlib import Path

import httpx

from loyalty_sdk.protocol import EnrolmentAnswer, EnrolmentRequest, SignedDocument
from sync.central import CentralFailure, json_call, parse, receive
from sync.host import Host
from sync.identity import Identity, SignatureRefused, new_private_key, public_key_of, write
from sync.replica import store_programme
from sync.store import Store
from terminal_agent.data_directory import DataDirectory
from terminal_agent.settings import CentralSection

__all__ = ["EnrolmentFailed", "enrol"]

TIMEOUT_S = 30


class EnrolmentFailed(Exception):
    """The terminal could not be enrolled; the text names the remedy. Nothing was left behind."""


def enrol(directory: DataDirectory, *, url: str, code: str, agent_version: str, host: Host) -> Identity:
    """Enrol with a one-time code; write identity, token, configuration and a new journal. Raises EnrolmentFailed."""
    try:
        CentralSection(url=url)
    except ValueError as error:
        raise EnrolmentFailed(f"--central: {error}") from None
    if directory.identity.exists():
        raise EnrolmentFailed(f"{directory.path} is already enrolled: choose another --directory")
    with _prepared(directory), httpx.Client(base_url=url, timeout=TIMEOUT_S) as client:
        try:
            identity = _enrol(client, code, agent_version, host)
        except CentralFailure as error:
            raise EnrolmentFailed(f"central at {url} did not enrol this terminal: {error}") from None
        write(directory.identity, identity)
        if not directory.settings.exists():
            directory.settings.write_text(template(url), encoding="utf-8")
        _open_journal(directory, client, identity, agent_version, host)
    return identity


@contextmanager
def _prepared(directory: DataDirectory) -> Iterator[None]:
    """Make the directory and write the token before the code is used up; take both away if that comes to nothing."""
    was_there = directory.path.exists()
    directory.create()
    _write_private(directory.token, secrets.token_urlsafe(32))
    try:
        yield
    except BaseException:
        if not directory.identity.exists():
            directory.token.unlink()
            if not was_there:
                directory.path.rmdir()
        raise


def _enrol(client: httpx.Client, code: str, agent_version: str, host: Host) -> Identity:
    private_key = new_private_key()
    request = EnrolmentRequest(code=code, public_key=public_key_of(private_key), agent_version=agent_version)
    call = json_call("POST", "/v1/enrolments", request)
    answer = parse(EnrolmentAnswer, receive(client, call.request(client, None)), host.now())
    return Identity.from_enrolment(answer, private_key, host.random_bytes(32))


def _open_journal(
    directory: DataDirectory, client: httpx.Client, identity: Identity, agent_version: str, host: Host
) -> None:
    """Start the journal with the programme in it, so that the very first sale earns.

    Without a programme at central, or a network that just went, the agent fetches it when it can.
    """
    with directory.lock():
        store = Store(directory.journal, identity, host, agent_version)
        store.open()
        with suppress(CentralFailure, SignatureRefused):
            call = json_call("GET", "/v1/programme")
            signed = parse(SignedDocument, receive(client, call.request(client, identity.token)), host.now())
            store.transact([lambda transaction: store_programme(transaction, signed)])
        store.close()


def template(url: str) -> str:
    """Return the commented configuration template with central's address filled in."""
    text = resources.files("terminal_agent").joinpath("agent.template.toml").read_text(encoding="utf-8")
    return text.replace("{url}", url)


def _write_private(path: Path, text: str) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(text)
