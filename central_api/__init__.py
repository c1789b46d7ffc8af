"""The reference central loyalty API: ledger, members, programme, terminals."""
