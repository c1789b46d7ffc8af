"""Central in the simulation: the real application and ledger on one SQLite connection in memory, without a thread.

The application is called as ASGI, by hand: nothing in it waits, so each call runs to its end at once. Made once for a
process, because an application takes longer to make than a simulation to run; each simulation begins with a copy of
the same database, in which terminals are enrolled and members registered.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Coroutine, MutableMapping
from dataclasses import dataclass
from datetime import UTC, datetime
from random import Random
from typing import Any, TypeVar, cast

from sqlalchemy import Connection, create_engine
from sqlalchemy.pool import StaticPool

from central_api import keys
from central_api.api.application import create_app
from central_api.api.limits import Limits
from central_api.capabilities import Capabilities
from central_api.members import members
from central_api.programmes import versions as programmes
from central_api.storage import installation
from central_api.storage.database import Database, configure_sqlite
from central_api.terminals import terminals
from loyalty_sdk.envelope import attachment_info
from loyalty_sdk.protocol import EnrolmentRequest
from sync.identity import Identity, public_key_of
from tests.simulation.goods import ALIASES, programme_document
from tests.simulation.wire import WireAnswer, WireRequest

__all__ = ["GRANT_HOURS", "START", "TENANT", "CentralBreaks", "CentralSite", "Surroundings", "run_to_end"]

T = TypeVar("T")
TENANT = "chain"
START = datetime(2026, 5, 4, 8, 0, tzinfo=UTC)
TERMINALS_MAX = 4
GRANT_HOURS = 2
CALLS_MAX = 1e9
SEAL_KEY = bytes(32)


class CentralBreaks(BaseException):
    """Central's process ends here."""


class SimulatedIdentity(Identity):
    """A terminal's identity whose seals hold no randomness of their own, so that entries follow from the seed."""

    def seal(self, plaintext: bytes, entry_id: str) -> bytes:
        """Seal so that `SimulatedKeyRing` opens it."""
        return keys.seal(SEAL_KEY, plaintext, attachment_info(self.terminal, entry_id).decode(), bytes)


class SimulatedKeyRing(keys.KeyRing):
    """Central's keys with the other half of `SimulatedIdentity.seal`; everything else is real."""

    def open_attachment(self, sealed: bytes, info: bytes) -> bytes:
        """Open what a simulated terminal sealed."""
        return keys.open_sealed(SEAL_KEY, sealed, info.decode())


@dataclass(slots=True)
class Surroundings:
    """What central takes from outside in the simulation that runs now."""

    now: Callable[[], datetime]
    random_bytes: Callable[[int], bytes]
    before_commit: Callable[[], None]
    after_commit: Callable[[], None]


class CentralSite:
    """The one central of this process. `begin` starts a simulation with it."""

    def __init__(self) -> None:
        random = Random("central site")
        self._outside = Surroundings(
            now=lambda: START, random_bytes=random.randbytes, before_commit=_nothing, after_commit=_nothing
        )
        ring = keys.new_key_ring(random.randbytes)
        self.capabilities = Capabilities(
            now=lambda: self._outside.now(),
            random_bytes=lambda count: self._outside.random_bytes(count),
            keys=SimulatedKeyRing(**{name: getattr(ring, name) for name in ring.__dataclass_fields__}),
        )
        self._image: bytes | None = None
        # One engine for all: it remembers how statements compile.
        self._engine = create_engine("sqlite://", poolclass=StaticPool, creator=self._connect)
        configure_sqlite(self._engine, writes=True)
        self.connection: Connection = self._engine.connect()
        database = cast("Database", self)  # It reads and writes like one; files and locks have no place in memory.
        # By the machine's clock a limit would depend on how fast the simulation runs: none, then.
        limits = Limits(per_s=CALLS_MAX, burst=CALLS_MAX)
        self._app = create_app(database=database, capabilities=self.capabilities, version="simulated", limits=limits)
        self.identities = self._enrol(random)
        self._first_image = self.image()

    def begin(self, outside: Surroundings) -> None:
        """Start a simulation from the first image."""
        self._outside = outside
        self.restore(self._first_image)

    def image(self) -> bytes:
        """Return the whole database."""
        driver: Any = self.connection.connection.driver_connection
        data: bytes = driver.serialize()
        return data

    def restore(self, image: bytes) -> None:
        """Put an image in the place of the database, on a connection that knows nothing of the one before."""
        self._image = image
        self.connection.close()
        self._engine.dispose()
        self.connection = self._engine.connect()

    def serve(self, request: WireRequest) -> WireAnswer | None:
        """Answer one request; None where central broke off. Raises what the application does not foresee."""
        body: list[bytes] = []
        start: dict[str, Any] = {}

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": request.content, "more_body": False}

        async def send(message: MutableMapping[str, Any]) -> None:
            start.update(message if message["type"] == "http.response.start" else {})
            body.append(message.get("body", b""))

        try:
            run_to_end(self._app(_scope(request), receive, send))
        except CentralBreaks:
            return None
        headers = {name.decode().title(): value.decode() for name, value in start["headers"]}
        return WireAnswer(status_code=start["status"], headers=headers, body=b"".join(body))

    async def read(self, work: Callable[[Connection], T]) -> T:
        """Run work in a transaction."""
        with self.connection.begin():
            return work(self.connection)

    async def write(self, work: Callable[[Connection], T]) -> T:
        """Run work in a transaction; central may break before its commit, or after it and before the answer."""
        return self.decide(work)

    def decide(self, work: Callable[[Connection], T]) -> T:
        """Run work in a transaction, as `write` and the operator's commands do."""
        with self.connection.begin():
            value = work(self.connection)
            self._outside.before_commit()
        self._outside.after_commit()
        return value

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(":memory:")
        if self._image is not None:
            connection.deserialize(self._image)
        return connection

    def _enrol(self, random: Random) -> list[Identity]:
        with self.connection.begin():
            connection, capabilities = self.connection, self.capabilities
            installation.install(connection, capabilities, TENANT)
            programmes.activate_programme(connection, capabilities, TENANT, programme_document(1, GRANT_HOURS))
            registrations = [members.Registration(aliases=(alias,), name=f"Ana {alias}") for alias in ALIASES]
            members.register_members(connection, capabilities, TENANT, registrations)
            return [self._identity(random, f"till-{number}") for number in range(1, TERMINALS_MAX + 1)]

    def _identity(self, random: Random, name: str) -> Identity:
        code = terminals.add_terminal(self.connection, self.capabilities, TENANT, name)
        private_key = random.randbytes(32)
        question = EnrolmentRequest(code=code, public_key=public_key_of(private_key), agent_version="simulated")
        answer = terminals.enrol(self.connection, self.capabilities, question)
        return SimulatedIdentity.from_enrolment(answer, private_key, random.randbytes(32))


def run_to_end(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine that never waits for an event loop."""
    try:
        coroutine.send(None)
    except StopIteration as end:
        value: T = end.value
        return value
    raise RuntimeError("something real waited for an event loop; the simulation has none")


def _scope(request: WireRequest) -> dict[str, Any]:
    path, _, query = request.path.partition("?")
    return {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": request.method,
        "scheme": "https",
        "path": path,
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "root_path": "",
        "headers": [(name.lower().encode(), value.encode()) for name, value in request.headers.items()],
        "client": None,
        "server": ("central", 443),
    }


def _nothing() -> None:
    return None
