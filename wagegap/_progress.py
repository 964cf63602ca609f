"""How far a long loop is: a bar on stderr, on request."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from contextlib import suppress
from typing import Any, TextIO, TypeVar

__all__ = ["track"]

_T = TypeVar("_T")


def track(items: Iterable[_T], description: str, progress: bool, *, total: int | None = None) -> Iterable[_T]:
    """Yield `items`, with a bar on stderr where `progress`.

    Parameters
    ----------
    items : iterable
        What the loop goes over.
    description : str
        What stands before the bar.
    progress : bool
        Whether there is a bar.
    total : int, optional
        Number of items, where they have no length.

    Examples
    --------
    >>> [replicate**2 for replicate in track(range(3), "replicates", progress=False)]
    [0, 1, 4]
    """
    if not progress or sys.stderr is None:
        return items
    from tqdm import tqdm

    return tqdm(items, description, total, file=_Lenient(sys.stderr))


class _Lenient:
    """A stream whose failures are no reason to stop: a bar is lost, not the work."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> None:
        with suppress(OSError, ValueError):
            self._stream.write(text)

    def flush(self) -> None:
        with suppress(OSError, ValueError):
            self._stream.flush()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)
