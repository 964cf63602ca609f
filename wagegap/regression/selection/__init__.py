"""Outcomes of those who stay, corrected for selection."""

from wagegap._version import Unreadable as Selection  # noqa: F401
