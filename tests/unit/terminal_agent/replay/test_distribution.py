"""Which register records which receipt: always the same one, and each gets its share."""

from collections import Counter

from terminal_agent.replay.distribution import lane_of, lanes


def test_every_register_has_a_place_of_its_own() -> None:
    available = lanes(2, 3, 4)
    assert len({(lane.store, lane.register) for lane in available}) == 24
    assert Counter(lane.terminal for lane in available) == {
        f"store-{store}-terminal-{terminal}": 4 for store in (1, 2) for terminal in (1, 2, 3)
    }


def test_the_place_of_an_invoice_never_changes() -> None:
    available = lanes(2, 2, 2)
    assert [lane_of(invoice, available).register for invoice in ("536365", "C536379")] == ["1-1", "2-1"]


def test_receipts_are_spread_over_all_registers() -> None:
    available = lanes(2, 2, 2)
    shares = Counter(lane_of(str(number), available) for number in range(536_365, 537_965))
    assert set(shares) == set(available)
    assert min(shares.values()) > 140
