"""Signals that end a command: they raise, so that nothing half done stays, and none of them is lost."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

__all__ = ["Signals", "Stop", "stoppable"]


class Stop(BaseException):
    """A signal that ends the run; not an `Exception`, so that nothing takes it for a failure of its own."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


class Signals:
    """The signals that ended the run: what they raise is lost where it comes while something is being disposed of."""

    def __init__(self) -> None:
        self._number: int | None = None

    def stop(self, number: int, frame: object) -> NoReturn:
        """End the run."""
        self._number = number
        raise KeyboardInterrupt if number == signal.SIGINT else Stop(number)

    def check(self) -> None:
        """End the run where a signal should have."""
        if self._number is not None:
            self.stop(self._number, None)


@contextmanager
def stoppable() -> Iterator[Signals]:
    """Let the signals that end a program raise, so that nothing half done stays; afterwards as it was."""
    numbers = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]
    if threading.current_thread() is not threading.main_thread():
        numbers = []
    former = {number: signal.getsignal(number) for number in numbers}
    ending = {number: one for number, one in former.items() if one in (signal.SIG_DFL, signal.default_int_handler)}
    signals = Signals()
    try:
        for number in ending:
            signal.signal(number, signals.stop)
        yield signals
    finally:
        for number, handler in ending.items():
            signal.signal(number, handler)
