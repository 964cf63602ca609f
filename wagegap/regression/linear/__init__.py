"""Linear models of panels and instruments, and the wild cluster bootstrap."""

from wagegap._version import Unreadable as Linear  # noqa: F401
