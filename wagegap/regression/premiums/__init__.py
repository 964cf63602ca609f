"""Wage premiums by cell."""
