"""What the columns of a table show: numbers, words, levels, codes for no answer, bands in place of amounts."""

from __future__ import annotations

import re
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd

from wagegap._typing import BoolArray, FloatArray
from wagegap.errors import DataWarning, WagegapError
from wagegap.estimation.column_types import held_by, number_or_nan
from wagegap.estimation.yes_no import means_no, means_yes
from wagegap.panel.csv_dialects import seen_dialect
from wagegap.panel.load import read_panel
from wagegap.panel.value_labels import says_missing

__all__ = ["Column", "Table", "look_at"]

Holds = Literal["numbers", "words", "numbers and words", "other", "nothing"]
_TEXT = (".csv", ".csv.gz", ".tsv")
_NEGATIVE = re.compile(r"-(?:[1-9]|9[0-9]|9[0-9]{2}|8{2,4}|7{2,4}|9{4})")
_NINES = re.compile(r"9{2,}[6-9]?|9+[6-9]|8{2,}|7{2,}")
_AMOUNT = r"\D{0,3}\d[\d.,' ]*\s*[kKmM]?"
_BAND = re.compile(
    rf"{_AMOUNT}\D{{0,12}}(?:-|–|—|\bto\b|\bund\b|\band\b|\bbis\b)\D{{0,4}}\d.*"
    r"|\s*(?:<|>|≤|≥|under|less|more|over|above|below|up to|at least).{0,12}\d.*"
    rf"|{_AMOUNT}\s*(?:\+|or more|and (?:more|over)).*",
    re.IGNORECASE,
)
"""An amount between two bounds, or beyond one."""
_MOST = 2_000
"""Levels that are looked at one by one."""


@dataclass(frozen=True, eq=False)
class Column:
    """A column as the table shows it.

    Attributes
    ----------
    name : str
        Its name.
    values : Series, n rows
        Its values.
    """

    name: str
    values: pd.Series[Any] = field(repr=False)

    @cached_property
    def numbers(self) -> FloatArray:
        """Its values as numbers, shape (n,), NaN where they are none or a code for no answer."""
        numbers = self.as_they_stand.copy()
        numbers[np.isin(numbers, list(self.codes))] = np.nan
        return numbers

    @cached_property
    def as_they_stand(self) -> FloatArray:
        """Its values as numbers, shape (n,), codes among them; NaN where they are none."""
        if held_by(self.values) == "numbers":
            return number_or_nan(self.values).astype(float)
        if held_by(self.values) in ("dates", "durations", "complex", "objects"):
            return np.full(len(self.values), np.nan)
        text = self.values.astype(object).where(self.values.notna(), None)
        return pd.to_numeric(text, errors="coerce").to_numpy(dtype=float, na_value=np.nan)

    @cached_property
    def n_missing(self) -> int:
        """Rows without a value."""
        return int(self.values.isna().sum())

    @cached_property
    def holds(self) -> Holds:
        """What its values are."""
        known = len(self.values) - self.n_missing
        if not known:
            return "nothing"
        if held_by(self.values) in ("dates", "durations", "complex", "objects"):
            return "other"
        n = int(np.isfinite(self.as_they_stand).sum())
        return "numbers" if n == known else "numbers and words" if 2 * n > known else "words"

    @cached_property
    def levels(self) -> tuple[Any, ...]:
        """Its values, each once, without codes and words for no answer, in their order; the first ones of very many."""
        known = self.values[self.answered].drop_duplicates().head(_MOST).tolist()
        try:
            return tuple(sorted(known))
        except TypeError:
            return tuple(known)

    @cached_property
    def n_levels(self) -> int:
        """How many values it has."""
        return int(self.values[self.answered].nunique())

    @cached_property
    def codes(self) -> Mapping[float, int]:
        """Numbers that look like codes for no answer, with their rows: far below or above all others, of nines."""
        known, counts = np.unique(self.as_they_stand[np.isfinite(self.as_they_stand)], return_counts=True)
        rows = dict(zip(known.tolist(), counts.tolist(), strict=True))
        low = {value: n for value, n in rows.items() if value < 0}
        coded = 0 < len(low) <= 6 and all(_NEGATIVE.fullmatch(f"{value:.12g}") for value in low)
        if not coded or sum(low.values()) > 0.5 * sum(counts) or len(rows) - len(low) < 2:
            low = {}
        others = [value for value in rows if value >= 0]
        nines = [value for value in others[-6:] if _NINES.fullmatch(f"{value:.12g}")]
        below = max((value for value in others if value not in nines), default=0.0)
        high = {value: rows[value] for value in nines if value > 2 * below and len(others) > len(nines) + 1}
        return {**low, **high}

    @cached_property
    def refused(self) -> Mapping[str, int]:
        """Words that say that nobody answered, with their rows."""
        if self.holds not in ("words", "numbers and words"):
            return {}
        texts = self.values.dropna().astype(str)
        counts = texts[pd.to_numeric(texts, errors="coerce").isna()].value_counts().head(_MOST)
        return {str(word): int(n) for word, n in counts.items() if says_missing(str(word))}

    @cached_property
    def answered(self) -> BoolArray:
        """Rows that hold an answer, shape (n,)."""
        known: BoolArray = self.values.notna().to_numpy(dtype=bool, copy=True)
        if self.codes:
            known &= ~np.isin(self.as_they_stand, list(self.codes))
        declined = self.values.astype(object).isin(list(self.refused)).to_numpy(dtype=bool)
        answered: BoolArray = known & ~declined
        return answered

    @property
    def binary(self) -> bool:
        """Whether it has two values."""
        return self.n_levels == 2 and self.holds != "other"

    @property
    def positive(self) -> Any:
        """Of two values the one that says yes: 1, "Yes"; the later one where neither does."""
        for value in self.levels:
            if means_yes(value):
                return value
        denied = [value for value in self.levels if means_no(value)]
        return next((value for value in self.levels if value not in denied), None) if denied else self.levels[-1]

    @property
    def plain_binary(self) -> bool:
        """Whether it has nothing but the values that say yes and no."""
        return self.binary and any(map(means_yes, self.levels)) and any(map(means_no, self.levels))

    @property
    def holds_positive(self) -> BoolArray:
        """Rows with the value that says yes, shape (n,)."""
        rows: BoolArray = (self.values.astype(object) == self.positive).to_numpy(dtype=bool)
        return rows

    @property
    def banded(self) -> bool:
        """Whether its words are mostly amounts between bounds."""
        if self.holds not in ("words", "numbers and words") or self.n_levels > _MOST:
            return False
        texts = [str(value) for value in self.levels]
        return len(texts) > 1 and 2 * sum(_BAND.fullmatch(text) is not None for text in texts) > len(texts)

    @property
    def whole(self) -> bool:
        """Whether its numbers are whole."""
        known = self.numbers[np.isfinite(self.numbers)]
        return len(known) > 0 and bool((known == np.round(known)).all())


@dataclass(frozen=True, eq=False)
class Table:
    """A data file that has been read once.

    Attributes
    ----------
    path : Path
        Of the file.
    columns : mapping of str to Column
        Its columns.
    options : mapping
        Arguments of `read_panel` that its text shows: encoding, sep, decimal, thousands.
    notes : tuple of str
        What was said of it when it was read.
    """

    path: Path
    columns: Mapping[str, Column]
    options: Mapping[str, Any]
    notes: tuple[str, ...] = ()

    @property
    def n(self) -> int:
        """Rows."""
        return len(next(iter(self.columns.values())).values)

    @cached_property
    def frame(self) -> pd.DataFrame:
        """Its rows."""
        return pd.DataFrame({name: column.values for name, column in self.columns.items()})


def look_at(path: Path) -> Table:
    """Read a data file, by the options that its text shows.

    All rows are read, not the first ones: a code for no answer or a key that occurs twice may stand anywhere.

    Raises
    ------
    WagegapError
        For a file that is not there, or of no kind that is read.
    """
    options: dict[str, Any] = {}
    if path.is_file() and str(path).lower().endswith(_TEXT):
        dialect = seen_dialect(str(path))
        asked = {name: getattr(dialect, name) for name in ("encoding", "sep", "decimal", "thousands")}
        options = {name: value for name, value in asked.items() if value is not None}
    try:
        panel, notes = _read(path, options)
    except WagegapError:
        if "thousands" not in options:
            raise
        options.pop("thousands")
        panel, notes = _read(path, options)
    columns = {str(name): Column(str(name), panel.frame[name]) for name in panel.frame}
    return Table(path, columns, options, notes)


def _read(path: Path, options: Mapping[str, Any]) -> tuple[Any, tuple[str, ...]]:
    """Rows of a file, and what was said of them."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", DataWarning)
        panel = read_panel(str(path), **options)
    said = tuple(str(one.message) for one in caught if issubclass(one.category, DataWarning))
    return panel, (*panel.ledger.notes, *said)
