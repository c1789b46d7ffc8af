"""What happens to the shops and to central from outside: outages, crashes, clocks, and what operators decide."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import timedelta

from sqlalchemy import Connection

from central_api.members import members
from central_api.programmes import versions as programmes
from central_api.terminals import terminals
from tests.simulation.central_site import GRANT_HOURS, TENANT
from tests.simulation.goods import UNREGISTERED, programme_document
from tests.simulation.scenario import Scenario
from tests.simulation.scheduler import Scheduler
from tests.simulation.server import CentralServer
from tests.simulation.story import Story
from tests.simulation.terminal import SimulatedTerminal
from tests.simulation.wire import Network

__all__ = ["Events"]


class Events:
    """Spreads what a scenario counts over the time in which the shops are open."""

    def __init__(
        self,
        scheduler: Scheduler,
        story: Story,
        network: Network,
        server: CentralServer,
        shops: Sequence[SimulatedTerminal],
        clone: Callable[[SimulatedTerminal], None],
    ) -> None:
        self._scheduler = scheduler
        self._random = scheduler.random
        self._story = story
        self._network = network
        self._server = server
        self._shops = shops
        self._unregistered = list(UNREGISTERED)
        self._version = 1
        self._dated = False
        self.revoked: set[str] = set()
        self._clone = clone
        self.over = False

    def plan(self, scenario: Scenario, span_ms: int) -> None:
        """Draw when everything happens within a span of time."""
        planned: tuple[tuple[int, Callable[[], object]], ...] = (
            (scenario.outages, self._cut_off),
            (scenario.terminal_crashes, self._crash_terminal),
            (scenario.clock_jumps, self._jump_clock),
            (scenario.naps, self._nap),
            (scenario.recalls, self._recall),
            (scenario.revocations, self._revoke),
            (scenario.programme_changes, self._change_programme),
            (scenario.registrations, self.register_one),
            (scenario.central_restores, self._server.back_up),
            (scenario.central_restores, self._server.restore),
            (scenario.terminal_restores * 2, self._back_up_terminal),
            (scenario.terminal_restores, self._restore_terminal),
            (scenario.clones, self._clone_terminal),
            (scenario.days_passing, self._pass_days),
            (scenario.settlings, self._server.settle),
        )
        for count, event in planned:
            for _ in range(count):
                self._scheduler.after(self._random.randrange(span_ms), lambda event=event: self._happen(event))  # type: ignore[misc]  # bound for each event

    def begin_with_dates(self) -> None:
        """Put a programme in force whose points wait and expire."""
        self._dated = True
        self._change_programme()

    def register_one(self) -> None:
        """Register a member whose card was sold to before."""
        if not self._unregistered:
            return
        alias = self._unregistered.pop()
        self._story.tell("operator", f"registers {alias}")
        registration = members.Registration(aliases=(alias,), name=f"Rui {alias}")

        def work(connection: Connection) -> None:
            members.register_members(connection, self._server.capabilities, TENANT, [registration])

        self._server.decide(work)

    def _happen(self, event: Callable[[], object]) -> None:
        if not self.over:
            event()

    def _cut_off(self) -> None:
        shop = self._random.choice(self._shops)
        self._network.cut(shop.name, int(self._random.expovariate(1 / 20_000)))

    def _crash_terminal(self) -> None:
        self._random.choice(self._shops).crash("when somebody pulls the plug")

    def _back_up_terminal(self) -> None:
        self._random.choice(self._shops).back_up()

    def _restore_terminal(self) -> None:
        self._random.choice(self._shops).restore()

    def _clone_terminal(self) -> None:
        self._clone(self._random.choice(self._shops))

    def _jump_clock(self) -> None:
        """A till's clock, or central's own: minutes, hours or a year, forward or back."""
        shop = self._random.choice((*self._shops, None))
        hours = self._random.choice((-8_760, -30, -30, -3, -3, -0.1, 0, 3, 30, 8_760))
        if shop is None:
            hours = max(-0.1, min(hours, 0.1))  # Central's clock is the one that counts; it is kept right.
            self._server.set_clock(timedelta(hours=hours))
        else:
            shop.skew = timedelta(hours=hours)
        self._story.tell("clock", f"of {'central' if shop is None else shop.name} is off by {hours} h")

    def _nap(self) -> None:
        minutes = self._random.randint(30, 200)
        self._story.tell("clock", f"nothing happens anywhere for {minutes} min")
        self._scheduler.jump(minutes * 60_000)

    def _pass_days(self) -> None:
        days = self._random.choice((1, 9, 20, 33))
        self._story.tell("clock", f"nothing happens anywhere for {days} days")
        self._scheduler.jump(days * 24 * 3_600_000)
        self._server.back_up()  # As every night: a till prunes what central has had for a month.

    def _recall(self) -> None:
        shop = self._random.choice(self._shops)
        self._story.tell("operator", f"wants all grants of {shop.terminal} back")
        self._server.decide(
            lambda connection: terminals.recall_grants(
                connection, self._server.capabilities, TENANT, terminal=shop.terminal
            )
        )

    def _revoke(self) -> None:
        shop = self._random.choice(self._shops)
        self._story.tell("operator", f"revokes {shop.terminal}")
        self.revoked.add(shop.terminal)
        self._server.decide(
            lambda connection: terminals.revoke_terminal(connection, self._server.capabilities, TENANT, shop.terminal)
        )

    def _change_programme(self) -> None:
        self._version += 1
        self._story.tell("operator", f"activates version {self._version} of the programme")
        document = programme_document(self._version, GRANT_HOURS, dated=self._dated)

        def work(connection: Connection) -> None:
            programmes.activate_programme(connection, self._server.capabilities, TENANT, document)

        self._server.decide(work)
