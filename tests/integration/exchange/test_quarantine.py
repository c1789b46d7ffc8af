"""Quarantine (Law 6): what central cannot judge is kept and shown, holds back nothing, and is judged anew."""

from __future__ import annotations

import base64

from tests.integration.exchange.site import CentralSite, programme
from tests.integration.exchange.tills import Till, wait_until
from tests.support.terminal_memory import basket_of


def test_law_6_what_cannot_be_judged_waits_and_nothing_waits_for_it(till: Till, site: CentralSite, member: str) -> None:
    """A programme was put in force after the backup that central was restored from."""
    till.start()
    till.drain()
    yesterday, epoch = site.backup(), till.fact("epoch")
    site.activate(programme(version=2, per_minor=50))
    wait_until(lambda: till.scalar("SELECT max(version) FROM programmes") == 2)
    first = till.sell(basket_of(10_000), member_id=member).entry_id
    till.drain()
    site.restore(yesterday)
    wait_until(lambda: till.fact("epoch") != epoch)
    second = till.sell(basket_of(10_000), member_id=None).entry_id
    till.drain()
    entry_row = "SELECT outcome, reason FROM entries WHERE id = ?"
    assert site.rows(entry_row, first) == [("quarantined", "programme-unknown")]
    assert site.rows(entry_row, second) == [("quarantined", "programme-unknown")]
    # Shown on both sides, with bytes and reason.
    quarantined = site.program.json("quarantine", "list")["quarantined"]
    assert {one["id"] for one in quarantined} == {first, second}
    ours = {entry.id: data for entry, (_, data, _) in zip(till.entries(), till.chain(), strict=True)}
    assert all(base64.b64decode(one["bytes"]) == ours[one["id"]] for one in quarantined)
    (listed,) = till.rows("SELECT DISTINCT outcome, reason FROM outcomes")
    assert tuple(listed) == ("quarantined", "programme-unknown")
    # Too early: nothing was mended yet.
    assert site.program.json("quarantine", "judge", "--all")["still_quarantined"] == 2
    site.activate(programme(version=2, per_minor=50))
    (judged,) = site.program.json("quarantine", "judge", first)["judged"]
    assert judged["outcome"] == "applied"
    place = f"till-1/{till.journal}/{quarantined[1]['seq']}"
    assert site.program.json("quarantine", "judge", place)["still_quarantined"] == 0
    assert site.figures() == (200, 0, 0)
    wait_until(lambda: till.scalar("SELECT count(*) FROM outcomes") == 0)
    wait_until(lambda: (view := till.view(member)) is not None and view.balance == 200)
    assert "nothing quarantined" in site.program.refused("quarantine", "judge", first)
