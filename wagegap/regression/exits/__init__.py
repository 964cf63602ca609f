"""Who leaves, and how, in discrete time."""

from wagegap._version import Unreadable as Exits  # noqa: F401
