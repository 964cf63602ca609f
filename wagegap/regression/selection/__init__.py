"""Outcomes of those who stay, corrected for selection."""
