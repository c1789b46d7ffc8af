"""The faults of the demo: the agent is killed with SIGKILL exactly where it hurts, and started again.

It strikes where the plan of the day says so: with a hold open, and with a `record_sale` in flight, before COMMIT, after
COMMIT and before the answer, and at a moment that chance picks.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from random import Random

from terminal_agent.demo.day import Fault, Visit
from terminal_agent.demo.pos import Watcher
from terminal_agent.demo.processes import Agent, wait_until

__all__ = ["Saboteur"]

# A sale takes some milliseconds from call to answer.
MOMENT_S_MAX = 0.003
FAILPOINTS: dict[Fault, str] = {
    "before_commit": "record_sale.before_commit",
    "after_commit": "record_sale.after_commit",
}


class Saboteur(Watcher):
    """Strikes beside the POS, in a thread of its own; `strikes` counts what hit, by kind of fault.

    `settle` waits until nothing is under way at the printer, and after a restart until the agent is as it was.
    """

    def __init__(self, agent: Agent, random: Random, settle: Callable[[], None]) -> None:
        self._agent = agent
        self._random = random
        self._settle = settle
        self._thread: threading.Thread | None = None
        self._failure: Exception | None = None
        self._flight = threading.Event()
        # Whether the moment that chance picked fell outside the call; the next sale is struck then.
        self._missed = False
        self.strikes: Counter[Fault] = Counter()

    def held(self, visit: Visit) -> bool:
        """Kill the agent while the customer looks for the money."""
        if visit.fault != "hold_open":
            return False
        self._settle()
        self._kill("hold_open")
        self._settle()
        return True

    def recording(self, visit: Visit) -> None:
        """Lie in wait for the call that comes now."""
        if visit.fault in FAILPOINTS:
            self._settle()
            reached = self._agent.arm(FAILPOINTS[visit.fault])
            self._start(lambda: self._strike_at(visit.fault, reached))
        elif visit.fault == "any_moment" or self._missed:
            self._settle()
            self._start(self._strike_at_any_moment)
        self._flight.set()

    def recorded(self, visit: Visit) -> None:
        """Wait until the agent is back. Raises what went wrong while it was killed and started."""
        self._flight.clear()
        if self._thread is None:
            return
        self._thread.join()
        self._thread = None
        if self._failure is not None:
            raise self._failure
        self._settle()

    def _start(self, strike: Callable[[], None]) -> None:
        self._thread = threading.Thread(target=self._guard, args=(strike,), name="saboteur", daemon=True)
        self._thread.start()

    def _guard(self, strike: Callable[[], None]) -> None:
        try:
            strike()
        # Raised again in the POS's thread by `recorded`.
        except Exception as error:
            self._failure = error

    def _strike_at(self, fault: Fault | None, reached: Path) -> None:
        assert fault is not None  # it was looked up in FAILPOINTS
        wait_until(reached.exists, f"the agent to come to {FAILPOINTS[fault]}")
        self._kill(fault)

    def _strike_at_any_moment(self) -> None:
        self._flight.wait()
        time.sleep(self._random.uniform(0, MOMENT_S_MAX))
        self._kill("any_moment")

    def _kill(self, fault: Fault) -> None:
        self._agent.kill()
        if fault == "any_moment":
            self._missed = not self._flight.is_set()
        self.strikes[fault] += not (fault == "any_moment" and self._missed)
        self._agent.start()
