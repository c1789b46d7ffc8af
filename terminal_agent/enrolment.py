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
from sync.central import CentralFailure, CentralUnreachable, json_call, parse, receive
from sync.host import Host
from sync.identity import Identity, IdentityError, SignatureRefused, new_private_key, public_key_of, read, write
from sync.replica import store_programme
from sync.store import Store
from terminal_agent.data_directory import DataDirectory
from terminal_agent.settings import CentralSection

__all__ = ["EnrolmentFailed", "enrol"]

TIMEOUT_S = 30


class EnrolmentFailed(Exception):
    """The terminal could not be enrolled; the text names the remedy. Only the key of a lost answer is left behind."""


def enrol(
    directory: DataDirectory, *, url: str, code: str, agent_version: str, host: Host, again: bool = False
) -> Identity:
    """Enrol with a one-time code; write identity, token, configuration and a new journal. Raises EnrolmentFailed.

    After a lost answer the same code works once more, with the key that was kept. `again` enrols a directory anew that
    has an identity: a terminal that was revoked, or that a central restored from a backup does not know, keeps its
    journal.
    """
    try:
        CentralSection(url=url)
    except ValueError as error:
        raise EnrolmentFailed(f"--central: {error}") from None
    before = _identity_before(directory, again=again)
    with _prepared(directory), httpx.Client(base_url=url, timeout=TIMEOUT_S) as client:
        identity = _enrol(directory, client, _request_key(directory, before), before, code, agent_version, host)
        write(directory.identity, identity)
        directory.enrolment_key.unlink(missing_ok=True)
        if not directory.settings.exists():
            directory.settings.write_text(template(url), encoding="utf-8")
        _open_journal(directory, client, identity, agent_version, host)
    return identity


def _identity_before(directory: DataDirectory, *, again: bool) -> Identity | None:
    if not again:
        if directory.identity.exists():
            raise EnrolmentFailed(
                f"{directory.path} is already enrolled: choose another --directory, or enrol it anew with --again"
            )
        return None
    try:
        return read(directory.identity)
    except IdentityError as error:
        raise EnrolmentFailed(str(error)) from None


def _request_key(directory: DataDirectory, before: Identity | None) -> bytes:
    """The private key to enrol with: the one there is, that of an answer that was lost, or a new one."""
    if before is not None:
        return before.private_key
    if directory.enrolment_key.exists():
        return bytes.fromhex(directory.enrolment_key.read_text(encoding="ascii"))
    private_key = new_private_key()
    _write_private(directory.enrolment_key, private_key.hex())
    return private_key


@contextmanager
def _prepared(directory: DataDirectory) -> Iterator[None]:
    """Make the directory and write the token before the code is used up; take both away if that comes to nothing."""
    was_there = directory.path.exists()
    directory.create()
    if not directory.token.exists():
        _write_private(directory.token, secrets.token_urlsafe(32))
    try:
        yield
    except BaseException:
        if not directory.identity.exists():
            directory.token.unlink()
            if not was_there and not directory.enrolment_key.exists():
                directory.path.rmdir()
        raise


def _enrol(
    directory: DataDirectory,
    client: httpx.Client,
    private_key: bytes,
    before: Identity | None,
    code: str,
    agent_version: str,
    host: Host,
) -> Identity:
    request = EnrolmentRequest(code=code, public_key=public_key_of(private_key), agent_version=agent_version)
    call = json_call("POST", "/v1/enrolments", request)
    try:
        answer = parse(EnrolmentAnswer, receive(client, call.request(client, None)), host.now())
    except CentralFailure as error:
        lost = isinstance(error, CentralUnreachable) and error.sent
        if not lost:
            directory.enrolment_key.unlink(missing_ok=True)
        remedy = "; its answer may have been lost: run the same command again, with the same code" if lost else ""
        url = str(client.base_url).rstrip("/")
        raise EnrolmentFailed(f"central at {url} did not enrol this terminal: {error}{remedy}") from None
    if before is not None and answer.terminal != before.terminal:
        raise EnrolmentFailed(
            f"the code is for terminal {answer.terminal}, this is {before.terminal}: "
            f"make one with `loyalty-central terminal add {before.terminal}`"
        )
    return Identity.from_enrolment(answer, private_key, host.random_bytes(32) if before is None else before.alias_key)


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
