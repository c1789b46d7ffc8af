"""Central's side of the exchange: uploads, changes, grants, recovery (docs/exchange.md)."""
