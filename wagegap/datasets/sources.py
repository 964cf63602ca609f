"""What every reader of a local table reads: terms, unit, coverage, and what goes wrong with it.

The cards are facts about publications and are shipped; the tables are not.
"""

from __future__ import annotations

import textwrap
import tomllib
from dataclasses import asdict, dataclass
from functools import cache
from importlib.resources import files

import pandas as pd

from wagegap._arguments import public, public_class
from wagegap._display.session import Shown
from wagegap.errors import check_option

__all__ = ["Source", "catalogue", "describe"]

_WIDTH = 78


@public_class
@dataclass(frozen=True, slots=True)
class Source(Shown):
    """One table.

    Attributes
    ----------
    reader : str
        Function of `wagegap.datasets` that reads it.
    what : str
        What it holds.
    file : str
        Its place below the folder that WAGEGAP_DATA names.
    unit : str
        Unit of its numbers.
    coverage : str
        Countries and years.
    terms : str
        On what terms the publisher gives it.
    source : str
        Publisher and name.
    traps : tuple of str
        What a user must know, of which the reader takes care where it can.

    Examples
    --------
    >>> describe("distances").unit
    'km; 0/1'
    """

    reader: str
    what: str
    file: str
    unit: str
    coverage: str
    terms: str
    source: str
    traps: tuple[str, ...]

    def __str__(self) -> str:
        lines = [f"{self.what} ({self.reader})"]
        pairs = {"source": self.source, "covers": self.coverage, "unit": self.unit, "terms": self.terms,
                 "file": self.file}  # fmt: skip
        indented = [(f"  {label:<8}", text) for label, text in pairs.items()] + [("  - ", trap) for trap in self.traps]
        for indent, text in indented:
            lines += textwrap.wrap(text, _WIDTH, initial_indent=indent, subsequent_indent=" " * len(indent))
        return "\n".join(lines)


@public
def catalogue() -> pd.DataFrame:
    """Return what every reader of a local table reads.

    Returns
    -------
    DataFrame
        A row for each reader: reader, what, unit, coverage, terms, source, file, traps.

    Examples
    --------
    >>> catalogue().set_index("reader").loc["read_distances", "unit"]
    'km; 0/1'
    """
    rows = [asdict(one) | {"traps": " ".join(one.traps)} for one in _sources().values()]
    return pd.DataFrame(rows, columns=["reader", "what", "unit", "coverage", "terms", "source", "file", "traps"])


@public
def describe(reader: str) -> Source:
    """Return what a reader reads, and what goes wrong with it.

    Parameters
    ----------
    reader : str
        Such as "read_distances", or "distances".

    Returns
    -------
    Source
        The card of its table, which prints as text.

    Raises
    ------
    OptionError

    Examples
    --------
    >>> print(describe("licences"))
    Licensed workers in the United States by industry (read_licences)
      source  US Bureau of Labor Statistics, CPS table 52
      covers  22 groups, 2020
      unit    share of the employed
      terms   public domain
      file    occupations/licensing_us_cps52_2020.parquet
      - Not by occupation, and of one country.
    """
    known = _sources()
    name = reader if reader in known else f"read_{reader}"
    check_option("reader", name, tuple(known))
    return known[name]


@cache
def _sources() -> dict[str, Source]:
    cards = tomllib.loads(files("wagegap.datasets").joinpath("sources.toml").read_text(encoding="utf-8"))
    return {name: Source(name, **{**card, "traps": tuple(card["traps"])}) for name, card in cards.items()}
