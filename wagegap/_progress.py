"""How far a long loop is: a bar on stderr, on request."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeVar

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
    if not progress:
        return items
    from tqdm import tqdm

    return tqdm(items, description, total)
