"""The ledger: accounts, lots, transfers, and the fold that they follow from. Knows no uploads."""
