"""What a command prints: text that a study or its data brought, in the letters that the terminal has, and no others."""

from __future__ import annotations

import os
import sys
import unicodedata
from contextlib import suppress
from typing import TextIO

__all__ = ["complain", "discard", "fill_streams", "put"]


def put(stream: TextIO | None, text: str) -> None:
    """Print text; raise `OSError` where there is nowhere to."""
    if stream is None:  # closed before the program began
        raise OSError(9, "stdout is closed")
    encoding = getattr(stream, "encoding", None) or "utf-8"
    shown = "".join(map(_harmless, text)).encode(encoding, "backslashreplace").decode(encoding)
    try:
        print(shown, file=stream, flush=True)
    except ValueError as error:  # closed since
        raise OSError(9, "stdout is closed") from error


def _harmless(char: str) -> str:
    r"""A character, spelt out where a terminal would obey it or hide what follows.

    >>> _harmless("é"), _harmless("\x1b")
    ('é', '\\x1b')
    """
    return char if char == "\n" or unicodedata.category(char) not in ("Cc", "Cf", "Cs") else ascii(char)[1:-1]


def complain(message: str) -> None:
    """Print a line on stderr, where there is one."""
    with suppress(OSError):
        if sys.stderr is not None:
            put(sys.stderr, f"wagegap: {message}")


def fill_streams() -> None:
    """Open what was closed before the program began, so that no file of the report becomes its stdout or stderr."""
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)


def discard(stream: TextIO | None) -> None:
    """Let a stream that takes nothing end in nothing, so that the interpreter does not complain of it as it ends."""
    with suppress(OSError, ValueError):
        if stream is not None:
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
