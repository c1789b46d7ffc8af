"""Devices at the till: scanner, printer, drawer. Knows bytes, not loyalty."""
