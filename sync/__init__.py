"""The terminal's memory: journal, replica, grants, and the exchange with central."""
