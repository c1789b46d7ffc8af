"""Replay of real receipts: a CSV file goes through SDK, agents and central as real processes, and is then checked.

Reading, linking and distributing are pure; `command` joins them with the processes. How the demo keeps and checks
what was acknowledged is used here too: `terminal_agent.demo`.
"""
