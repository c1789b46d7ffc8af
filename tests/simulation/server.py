"""Central as a process that may break: before a commit, after it, or by answering that it has too much to do."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import TypeVar

from sqlalchemy import Connection

from central_api.capabilities import Capabilities
from central_api.exchange.claims import begin_and_settle
from tests.simulation.central_site import START, TENANT, CentralBreaks, CentralSite, Surroundings
from tests.simulation.scenario import Scenario
from tests.simulation.scheduler import Scheduler
from tests.simulation.story import Story
from tests.simulation.wire import WireAnswer, WireRequest
from tests.support.settling import settle_due

__all__ = ["CentralServer"]

T = TypeVar("T")
SETTLED_MAX = 3
BUSY = WireAnswer(
    status_code=503,
    headers={"Content-Type": "application/problem+json", "Retry-After": "5"},
    body=b'{"type":"urn:loyalty:problem:busy","title":"busy","status":503,"detail":"come again"}',
)


class CentralServer:
    """Central's one process after another, in front of its database."""

    def __init__(self, site: CentralSite, scheduler: Scheduler, story: Story, scenario: Scenario) -> None:
        self.site = site
        self._scheduler = scheduler
        self._story = story
        self.scenario = scenario
        self.skew = timedelta(0)
        self.faults: list[str] = []
        self.restored = False
        self._down = False
        self._operating = False
        site.begin(
            Surroundings(
                now=self._now,
                random_bytes=scheduler.random.randbytes,
                before_commit=self._before_commit,
                after_commit=self._after_commit,
            )
        )
        self._backup = site.image()

    @property
    def capabilities(self) -> Capabilities:
        """The clock, randomness and keys of this central."""
        return self.site.capabilities

    @property
    def connection(self) -> Connection:
        """The database, for the laws to read."""
        return self.site.connection

    def set_clock(self, skew: timedelta) -> None:
        """Set central's clock."""
        self.skew = skew

    def back_up(self) -> None:
        """Take a backup, as an operator does at times and after each decision."""
        self._backup = self.site.image()

    def restore(self) -> None:
        """Put the backup in the place of the database: what came after it is gone.

        The first time the tills show it. Their word counts once a day: after that the operator says it, or nobody does.
        """
        self._story.tell("central", "is restored from its backup")
        again, self.restored = self.restored, True
        self.site.restore(self._backup)
        if again and self._scheduler.chance(0.5):
            self._story.tell("operator", "begins a recovery")
            self.decide(lambda connection: begin_and_settle(connection, self.capabilities, "begun by command"))

    def serve(self, request: WireRequest) -> WireAnswer | None:
        """Answer, or None where nobody does."""
        if self._down:
            return None
        if self._scheduler.chance(self.scenario.central_overload):
            self._story.tell("central", "has too much to do")
            return BUSY
        try:
            answer = self.site.serve(request)
        except Exception:
            self.faults.append(f"central did not foresee this: {traceback.format_exc()}")
            return None
        if answer is not None and answer.status_code >= 400:
            self._story.tell("central", f"refuses {request.method} {request.path}: {answer.body.decode()[:200]}")
        return answer

    def decide(self, work: Callable[[Connection], T]) -> T:
        """Do what an operator commands; the command is given again should central break over it."""
        self._operating = True
        try:
            return self.site.decide(work)
        finally:
            self._operating = False
            self.back_up()

    def settle(self) -> int:
        """Run the job that books what dates have done, for some members; returns how many. It may break, as central."""
        if self._down:
            return 0
        try:
            settled = self.site.decide(self._settle_some)
        except CentralBreaks:
            return 0
        if settled:
            self._story.tell("central", f"books what dates have done to {settled} members")
        return settled

    def _settle_some(self, connection: Connection) -> int:
        return settle_due(connection, self.capabilities, TENANT, SETTLED_MAX)

    def _now(self) -> datetime:
        return START + timedelta(milliseconds=self._scheduler.now_ms) + self.skew

    def _before_commit(self) -> None:
        self._break_by(self.scenario.central_crashes_before_commit, "before a commit")

    def _after_commit(self) -> None:
        self._break_by(self.scenario.central_crashes_after_commit, "after a commit")

    def _break_by(self, chance: float, where: str) -> None:
        if self._operating or not self._scheduler.chance(chance):
            return
        self._story.tell("central", f"breaks {where}")
        self._down = True
        self._scheduler.after(self._scheduler.random.randint(200, 5_000), self._restart)
        raise CentralBreaks

    def _restart(self) -> None:
        self._down = False
