"""A call that can be spoilt, shown and made: what is called, on what, with which arguments."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

__all__ = ["Call", "shown"]

Key = int | str
_ADDRESS = re.compile(r" at 0x[0-9a-f]+")


@dataclass
class Call:
    """One call of a public name.

    Attributes
    ----------
    name : str
        As it is written: `wg.fit_rates`, `link.predict`.
    target : callable
        What is called.
    args, kwargs
        What it is given.
    subject : object
        The result whose method it is, None for functions.
    writes : bool
        Whether it is there to write files.
    """

    name: str
    target: Callable[..., Any]
    args: list[Any] = field(default_factory=list)
    kwargs: dict[str, Any] = field(default_factory=dict)
    subject: Any = None
    writes: bool = False

    def __call__(self) -> Any:
        """Make the call."""
        return self.target(*self.args, **self.kwargs)

    def items(self) -> Iterator[tuple[Key, Any]]:
        """Places and values of its arguments."""
        yield from enumerate(self.args)
        yield from self.kwargs.items()

    def put(self, key: Key, value: Any) -> None:
        """Set an argument: a number is a place, a word a keyword."""
        if isinstance(key, int):
            self.args[key] = value
        else:
            self.kwargs[key] = value

    def __str__(self) -> str:
        given = [shown(value) for value in self.args] + [f"{key}={shown(value)}" for key, value in self.kwargs.items()]
        return f"{self.name}({', '.join(given)})"


def shown(value: Any, limit: int = 160) -> str:
    """Show an argument in one short piece."""
    if isinstance(value, pd.DataFrame):
        return f"<DataFrame {value.shape[0]} x {value.shape[1]}>"
    if isinstance(value, pd.Series | pd.Index):
        return f"<{type(value).__name__} of {len(value)}>"
    if isinstance(value, np.ndarray):
        return f"<array {value.dtype} {value.shape}>" if value.size > 6 else f"np.{value!r}"
    if isinstance(value, Path):
        return f"Path({str(value)!r})"
    if isinstance(value, dict):
        text = "{" + ", ".join(f"{key!r}: {shown(one)}" for key, one in value.items()) + "}"
    else:
        try:
            text = _ADDRESS.sub("", " ".join(repr(value).split()))
        except Exception as error:
            text = f"<{type(value).__name__}, whose repr gives {type(error).__name__}>"
    return text if len(text) <= limit else f"{text[: limit - 20]}... ({len(text):,} characters)"
