"""The tests, foldered by cost: unit, integration, acceptance."""
