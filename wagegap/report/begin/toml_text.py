"""TOML as a person writes it: entries with a reason beside each, sections that are commented out until decided."""

from __future__ import annotations

import json
import re
import textwrap
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

__all__ = ["Entry", "Section", "comment", "toml_value"]

_WIDTH = 100
_BARE = re.compile(r"[A-Za-z0-9_-]+")


@dataclass(frozen=True, slots=True)
class Entry:
    """An entry of a section, and why it stands there."""

    name: str
    value: Any
    why: str = ""

    def __str__(self) -> str:
        text = f"{_key(self.name)} = {toml_value(self.value)}"
        if not self.why:
            return text
        beside = f"{text}  # {_line(self.why)}"
        return beside if len(beside) <= _WIDTH + 20 else f"{comment(self.why)}\n{text}"


@dataclass(frozen=True, slots=True)
class Section:
    """A section of a study.

    Attributes
    ----------
    heading : str
        Such as "[panels.workers]".
    entries : tuple of Entry
        What it says.
    about : str
        What it is for.
    waits : bool
        Whether it is commented out, until something is decided.
    """

    heading: str
    entries: tuple[Entry, ...]
    about: str = ""
    waits: bool = False

    @property
    def listed(self) -> bool:
        """Whether it is one of a list, such as [[links]]."""
        return self.heading.startswith("[[")

    def __str__(self) -> str:
        lines = "\n".join([self.heading, *map(str, self.entries)]).split("\n")
        body = "\n".join(f"# {line}" for line in lines) if self.waits else "\n".join(lines)
        return f"{comment(self.about)}\n{body}" if self.about else body


def comment(text: str, mark: str = "# ") -> str:
    """Return text as lines of comment."""
    return textwrap.fill(_line(text), _WIDTH, initial_indent=mark, subsequent_indent="#   ", break_long_words=False)


def toml_value(value: Any) -> str:
    """Return a value as TOML writes it.

    >>> toml_value({"log pay": ["a", 1.5, True]})
    '{ "log pay" = ["a", 1.5, true] }'
    """
    if isinstance(value, Mapping):
        return f"{{ {', '.join(f'{_key(str(name))} = {toml_value(one)}' for name, one in value.items())} }}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(toml_value, value))}]"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return repr(value)
    return json.dumps(str(value), ensure_ascii=False).replace("\x7f", "\\u007f")


def _key(name: str) -> str:
    return name if _BARE.fullmatch(name) else toml_value(name)


def _line(text: str) -> str:
    """Text in one line, without characters that TOML has not in comments."""
    return " ".join("".join(char if char.isprintable() else " " for char in text).split())
