"""Choice among places or fields."""

from wagegap._version import Unreadable as Choice  # noqa: F401
