"""What a first study takes for what: guesses with their reasons, and what only a person can decide."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Decision", "Guess", "quoted"]


@dataclass(frozen=True, slots=True)
class Guess:
    """What a column is taken for.

    Attributes
    ----------
    role : str
        Such as "wage".
    value : str
        The column.
    why : str
        What speaks for it.
    others : tuple of str
        Other columns that it could be.
    """

    role: str
    value: str
    why: str
    others: tuple[str, ...] = ()

    def __str__(self) -> str:
        others = f"; or {', '.join(self.others)}" if self.others else ""
        return f"{self.value}: {self.why}{others}"


@dataclass(frozen=True, slots=True)
class Decision:
    """What the table does not say and a person must.

    Attributes
    ----------
    about : str
        Such as "wage".
    text : str
        What is to be decided, and why it cannot be told.
    candidates : tuple of str
        What could be meant.
    """

    about: str
    text: str
    candidates: tuple[str, ...] = ()

    def __str__(self) -> str:
        candidates = f" Candidates: {', '.join(self.candidates)}." if self.candidates else ""
        return f"{self.about}: {self.text}{candidates}"


def quoted(name: str) -> str:
    """Return a column's name as a formula has it.

    >>> quoted("pay"), quoted("hourly wage")
    ('pay', '`hourly wage`')
    """
    return name if name.isidentifier() else f"`{name}`"
