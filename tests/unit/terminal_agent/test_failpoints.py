"""Failpoints stop the writer exactly there, and only where a sale is being recorded."""

import threading
from pathlib import Path

from sync.sales import RecordSale
from terminal_agent.failpoints import failpoint_hooks
from tests.integration.drivers.waiting import wait_until
from tests.unit.terminal_agent.rig import sale_request

SALE = RecordSale(request=sale_request(), digest=b"", entry_id="")


def test_a_point_that_is_not_armed_is_passed(tmp_path: Path) -> None:
    hooks = failpoint_hooks(tmp_path / "missing")
    hooks.before_commit([SALE])
    hooks.after_commit([SALE])


def test_an_armed_point_stops_a_sale_and_nothing_else(tmp_path: Path) -> None:
    armed = tmp_path / "record_sale.after_commit"
    armed.touch()
    hooks = failpoint_hooks(tmp_path)
    hooks.after_commit([lambda transaction: None])
    hooks.before_commit([SALE])
    assert armed.exists()
    thread = threading.Thread(target=hooks.after_commit, args=([SALE],), daemon=True)
    thread.start()
    wait_until((tmp_path / "record_sale.after_commit.reached").exists, "the point")
    assert not armed.exists()
    assert thread.is_alive()
