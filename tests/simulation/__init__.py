"""Terminals and central in one process, under one clock and one seed: everything that happens follows from the seed.

The journal, the exchange, the service, the rules, central's API and its ledger are the real ones. Simulated are time,
chance, the network, crashes, disks that come back older, and the people at the tills.
"""
