"""Where things stand in a study file: the line of every key and item of TOML text.

The reader of TOML gives values without their places. This walks through text that it has read before, and so is known
to be whole: only keys, brackets, quotes and comments are told apart, and nothing is judged.
"""

from __future__ import annotations

import re
import tomllib
from bisect import bisect_right
from collections.abc import Mapping
from typing import TypeAlias

__all__ = ["Address", "line_of", "lines_of"]

Address: TypeAlias = tuple[str | int, ...]
"""What leads to a value: keys of tables, places in lists."""

_BLANK = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_SPACE = re.compile(r"[ \t]*")
_REST_OF_LINE = re.compile(r"[^\n]*")
_KEY = re.compile(r"""[A-Za-z0-9_-]+|"(?:\\.|[^"\\])*"|'[^']*'""")
_TEXT = re.compile(
    r'''"""(?:\\.|[^\\])*?"{3,5}|\'\'\'.*?\'{3,5}|"(?:\\.|[^"\\])*"|'[^']*\'''', re.DOTALL
)  # fmt: skip
_PLAIN = re.compile(r"\d{4}-\d\d-\d\d[ Tt]\d\d:[^\s,\]}#]*|[^\s,\]}#]+")
"""Numbers, truths and dates; a date and its time may stand apart."""


def lines_of(text: str) -> dict[Address, int]:
    r"""Return the line, from 1, at which each key and each item of a list begins, by what leads to it.

    Parameters
    ----------
    text : str
        What `tomllib` reads without an error.

    Examples
    --------
    >>> lines_of('seed = 1\n[[links]]\nname = "main"')
    {('seed',): 1, ('links',): 2, ('links', 0): 2, ('links', 0, 'name'): 3}
    """
    walk = _Walk(text.replace("\r\n", "\n"))
    walk.document()
    ends = [match.start() for match in re.finditer("\n", walk.text)]
    return {address: bisect_right(ends, place - 1) + 1 for address, place in walk.places.items()}


def line_of(lines: Mapping[Address, int], address: Address) -> int:
    """Return the line of what an address leads to, or of the nearest that it passes through; 0 where there is none.

    >>> line_of({("seed",): 1, ("links", 0): 2}, ("links", 0, "formula"))
    2
    """
    nearest = (address[:n] for n in range(len(address), 0, -1) if address[:n] in lines)
    return lines.get(next(nearest, ()), 0)


class _Walk:
    """A walk through TOML text that notes where each key and item begins.

    Attributes
    ----------
    text : str
        With one character at the end of a line.
    places : dict of address to int
        Where each begins, first come.
    """

    def __init__(self, text: str) -> None:
        self.text = text
        self.places: dict[Address, int] = {}
        self._at = 0
        self._lists: dict[Address, int] = {}

    def document(self) -> None:
        """Walk through headings, and through the entries under each."""
        under: Address = ()
        while self._take(_BLANK) is not None and self._at < len(self.text):
            if self.text[self._at] == "[":
                under = self._heading()
            else:
                self._entry(under)
            self._take(_REST_OF_LINE)

    def _heading(self) -> Address:
        """Where the entries under a heading belong, `[name]` or `[[name]]`."""
        start, listed = self._at, self.text.startswith("[[", self._at)
        self._at += 1 + listed
        names = self._names()
        address: Address = ()
        for place, name in enumerate(names):
            address = (*address, name)
            self.places.setdefault(address, start)
            if listed and place == len(names) - 1:
                self._lists[address] = self._lists.get(address, 0) + 1
            if address in self._lists:
                address = (*address, self._lists[address] - 1)
                self.places.setdefault(address, start)
        return address

    def _names(self) -> list[str]:
        """Names of a key, of which dots make several."""
        names: list[str] = []
        while True:
            self._take(_SPACE)
            name = self._take(_KEY) or ""
            names.append(tomllib.loads(f"name = {name}")["name"] if name.startswith(('"', "'")) else name)
            self._take(_SPACE)
            if self.text[self._at : self._at + 1] != ".":
                return names
            self._at += 1

    def _entry(self, under: Address) -> None:
        """Walk through a key and its value."""
        start, address = self._at, under
        for name in self._names():
            address = (*address, name)
            self.places.setdefault(address, start)
        self._at += 1  # the sign between the two
        self._take(_SPACE)
        self._value(address)

    def _value(self, address: Address) -> None:
        opening = self.text[self._at]
        if opening == "[":
            self._inside("]", address)
        elif opening == "{":
            self._inside("}", address)
        else:
            self._take(_TEXT if opening in "\"'" else _PLAIN)

    def _inside(self, closing: str, address: Address) -> None:
        """Walk through a list, or a table that is written as a value."""
        self._at += 1
        number = 0
        while self._take(_BLANK) is not None and self.text[self._at] != closing:
            if self.text[self._at] == ",":
                self._at += 1
            elif closing == "}":
                self._entry(address)
            else:
                self.places[(*address, number)] = self._at
                self._value((*address, number))
                number += 1
        self._at += 1

    def _take(self, pattern: re.Pattern[str]) -> str | None:
        """The text that a pattern matches here, which is passed; None where it does not."""
        match = pattern.match(self.text, self._at)
        if match is None:
            return None
        self._at = match.end()
        return match[0]
