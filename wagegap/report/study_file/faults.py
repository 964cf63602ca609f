"""A fault of a study: what is wrong, in which section, at which line; and a section as the check sees it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from wagegap.errors import CountryError, StudyError, WagegapError, listing
from wagegap.report.kinds import Kind
from wagegap.report.study_file.lines import Address
from wagegap.report.study_file.parts import short

__all__ = ["Fault", "Place", "fault_of", "named", "raise_faults"]

_SHOWN, _WIDTH = 4, 90
"""Faults that one error tells, each up to so many characters; the lines of all others are named."""


@dataclass(frozen=True, slots=True)
class Fault:
    """Something wrong with a study.

    Attributes
    ----------
    line : int
        Of the file, from 1; 0 where it is known of no line.
    section : str
        Such as `[premiums.main]`; "the study" of what stands above all sections.
    text : str
        What is wrong and what to do, the section named.
    address : tuple of str and int
        What leads to the entry or section.
    error : type
        The kind of error that it is, where it is the only one.
    """

    line: int
    section: str
    text: str
    address: Address = field(default=(), repr=False)
    error: type[WagegapError] = field(default=StudyError, repr=False)


@dataclass(frozen=True, slots=True, eq=False)
class Place:
    """A section, or the study itself, while it is checked.

    Attributes
    ----------
    kind : Kind
        What kind of section it is.
    where : str
        As messages name it.
    address : tuple of str and int
        What leads to it.
    entries : mapping
        What it says.
    """

    kind: Kind
    where: str
    address: Address
    entries: Mapping[str, Any]

    def fault(self, text: str, *address: str | int, error: type[WagegapError] = StudyError) -> Fault:
        """Return a fault of this section, or of an entry in it; the text follows the section's name."""
        return Fault(0, self.where, f"{self.where}{text}", (*self.address, *address), error)

    def caught(self, check: Callable[..., object], *given: Any, entry: str = "", says: str = "") -> Iterator[Fault]:
        """Give the fault of a check that raises, if it does; `says` is put before what it says."""
        try:
            check(*given)
        except WagegapError as error:
            kind = CountryError if isinstance(error, CountryError) else StudyError
            address = (*self.address, entry) if entry else self.address
            yield Fault(0, self.where, f"{says}{error}", address, kind)


def fault_of(error: WagegapError, line: int = 0) -> Fault:
    """Return an error of a whole file as a fault."""
    return Fault(line, "the study", str(error), (), type(error))


def raise_faults(faults: Sequence[Fault]) -> None:
    """Raise one error for all faults: the first in full, then how many there are and each with its line.

    Raises
    ------
    StudyError, CountryError
        The latter where nothing but countries are wrong.
    """
    if not faults:
        return
    kinds = {fault.error for fault in faults}
    error = kinds.pop() if len(kinds) == 1 else StudyError
    raise error(faults[0].text if len(faults) == 1 else f"{faults[0].text}\n{_all_in_short(faults)}")


def _all_in_short(faults: Sequence[Fault]) -> str:
    """How many faults there are, the further ones in a line each, and the lines of those that are not told."""
    further = [f"  {_at(fault)}{_first(fault.text)}" for fault in faults[1:_SHOWN]]
    others = [str(fault.line) for fault in faults[_SHOWN:] if fault.line]
    rest = f"  and {len(faults) - _SHOWN} more" if len(faults) > _SHOWN else ""
    at = f", at lines {listing(others, 20)}" if others else ""
    head = f"{len(faults)} faults in all, this one{f' at line {faults[0].line}' if faults[0].line else ''}:"
    return "\n".join([head, *further, *([f"{rest}{at}: `wagegap check` prints each."] if rest else [])])


def _at(fault: Fault) -> str:
    return f"line {fault.line}: " if fault.line else ""


def _first(text: str) -> str:
    """The beginning of a text, on one line."""
    line = " ".join(text.split())
    return line if len(line) <= _WIDTH else f"{line[: _WIDTH - 3]}..."


def named(kind: Kind, name: object, number: int) -> str:
    """How messages name a section of a list: by its name where it has one, else by its number.

    >>> from wagegap.report.kinds import KINDS
    >>> named(KINDS["links"], "main", 0), named(KINDS["links"], None, 0)
    ("[[links]] 'main'", '[[links]] 1')
    """
    return f"[[{kind.name}]] {number + 1 if name is None else short(name)}"
