"""The only input door: roles, units, ledger, reading, simulation."""
