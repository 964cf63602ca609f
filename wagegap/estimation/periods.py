"""Periods and their order: numbers, dates, ordered categories, and the ways in which periods are written as text.

Text sorts by its letters, so that wave 10 would stand before wave 8, and April before January. Every estimator to whom
the order of periods matters (transitions, differences, lags, durations) asks here. Text is read where all periods are
written in one of these forms, in capitals or not; two spellings of one period are one period:

    numbers             '8', '2019'
    waves, rounds       'wave 8', 'w10', 'wave_11', 'Round 3', '3rd wave'
    quarters, halves    '2019Q4', '2019-Q4', 'Q4 2019', '2019H1'
    months, weeks       '2019-03', '2019m3', 'Mar 2019', '2019-W08'
    dates               '2019-03-31', '2019-03-31 12:00'
    spans of years      '2019/20', '2015-2019', by their first year

The order of an ordered category is obeyed. Anything else is refused, with the way to give the order.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import pandas as pd

from wagegap._typing import AnyArray, IntArray
from wagegap.errors import DataError, listing
from wagegap.estimation.design import check_keys

__all__ = ["Periods", "natural_order", "order_periods"]

_Parsed: TypeAlias = "tuple[str, float] | None"
"""What stands before or behind the number, in which all periods must agree, and the number."""

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_MONTH_NAMES = re.compile(
    "(jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sept?(?:ember)?|oct(?:ober)?|"
    r"nov(?:ember)?|dec(?:ember)?)\.?"
)
_GAP = r"[\s._/:-]*"
_FORMS = (
    "numbers, waves ('wave 8', 'w10'), quarters ('2019Q4'), months ('2019-03', 'Mar 2019'), dates ('2019-03-31') and "
    "years such as '2019/20'"
)
_CENTURY = 100


@dataclass(frozen=True, slots=True, eq=False)
class Periods:
    """Periods of rows, in the order of time.

    Attributes
    ----------
    codes : ndarray of int, shape (n,)
        Place of each row's period among those that occur; -1 where it is missing.
    levels : ndarray, shape (T,)
        The periods, as the data write them.
    values : ndarray of int or float, shape (T,)
        What they stand for: the number, the place of an ordered category, months or quarters since year 0, the
        microseconds of a date. Rising.
    even : bool
        Whether they are equally far apart; dates of one day of the month are, by months.
    """

    codes: IntArray
    levels: AnyArray
    values: AnyArray
    even: bool

    @property
    def of_rows(self) -> AnyArray:
        """What the period of each row stands for, shape (n,); NaN where it is missing."""
        if (self.codes >= 0).all():
            return np.asarray(self.values[self.codes])
        return np.where(self.codes >= 0, self.values[self.codes].astype(float), np.nan)


def order_periods(column: pd.Series[Any]) -> Periods:
    """Bring the periods of a column into the order of time.

    Parameters
    ----------
    column : Series, n rows
        Numbers, dates, ordered categories, or text in one of the forms above.

    Raises
    ------
    DataError
        For text in several forms or none, which has no order that is known.

    Examples
    --------
    >>> order_periods(pd.Series(["wave10", "wave8", "wave9"])).codes.tolist()
    [2, 0, 1]
    >>> order_periods(pd.Series(["Q1 2020", "Q4 2019"])).levels.tolist()
    ['Q4 2019', 'Q1 2020']
    >>> order_periods(pd.Series(["before", "after"], name="when"))
    Traceback (most recent call last):
    ...
    wagegap.errors.DataError: periods 'when' are text without a known order, such as 'before', 'after'. ...
    """
    name = str(column.name or "period")
    check_keys(column.to_frame(name), [name])
    codes, levels = pd.factorize(column)
    labels = pd.Series(levels, name=column.name)
    found = _values_of(labels)
    if found is None:
        raise DataError(_refusal(labels))
    values, steps = found
    if not len(values):
        return Periods(np.asarray(codes, dtype=np.intp), np.asarray(labels), values, True)
    rising, first, place = np.unique(values, return_index=True, return_inverse=True)
    even = len(np.unique(np.diff(steps[first]))) <= 1
    ordered = np.where(codes >= 0, place.ravel()[codes], -1).astype(np.intp)
    present = labels.iloc[first]
    plain = present.to_numpy() if pd.api.types.is_numeric_dtype(present) else np.array(present.tolist(), dtype=object)
    return Periods(ordered, plain, rising, even)


def natural_order(column: pd.Series[Any]) -> pd.Series[Any]:
    """Return the places of texts in order: of what they stand for where that is known, else of their letters.

    Texts of one meaning, such as '1' and '01', keep the order of their letters. What is no text is returned as it is.

    >>> natural_order(pd.Series(["wave10", "wave8"])).tolist()
    [1, 0]
    """
    kind = column.dtype
    if isinstance(kind, pd.CategoricalDtype) or not (column.dtype == object or pd.api.types.is_string_dtype(kind)):
        return column
    codes, levels = pd.factorize(column)
    texts = np.asarray(levels, dtype=object).tolist()
    if not texts or (codes < 0).any() or not all(isinstance(text, str) for text in texts):
        return column
    by_letters = np.argsort(np.argsort(np.array(texts, dtype=object)))
    found = _read_text(texts)
    rank = by_letters if found is None else np.argsort(np.lexsort((by_letters, found)))
    return pd.Series(rank[codes], index=column.index, name=column.name)


def _values_of(labels: pd.Series[Any]) -> tuple[AnyArray, AnyArray] | None:
    """What different periods stand for, and the same in the steps that they are apart; None where that is not known."""
    kind = labels.dtype
    if isinstance(kind, pd.CategoricalDtype):
        if labels.cat.ordered:
            places = labels.cat.codes.to_numpy().astype(np.int64)
            return places, np.arange(len(places))[np.argsort(np.argsort(places))]
        labels = labels.astype(kind.categories.dtype)
    held = pd.api.types.infer_dtype(labels, skipna=True)
    if held in ("datetime64", "datetime", "date"):
        return _dates(pd.to_datetime(labels, utc=True))
    if held == "period":
        ordinals = pd.PeriodIndex(labels).asi8
        return ordinals, ordinals
    if held in ("timedelta64", "timedelta"):
        lengths = pd.to_timedelta(labels).to_numpy().astype("timedelta64[us]").astype(np.int64)
        return lengths, lengths
    if pd.api.types.is_numeric_dtype(labels) and not pd.api.types.is_complex_dtype(labels):
        numbers = labels.to_numpy()
        numbers = numbers if numbers.dtype.kind in "iuf" else labels.to_numpy(dtype=float)
        return numbers, numbers
    if len(labels) <= 1:
        return np.zeros(len(labels)), np.zeros(len(labels))
    texts = [str(label) for label in labels]
    dates = _matched_dates(texts)
    if dates is not None:
        return _dates(dates)
    numbers_of_text = _read_text(texts)
    return None if numbers_of_text is None else (numbers_of_text, numbers_of_text)


def _dates(dates: pd.Series[Any]) -> tuple[AnyArray, AnyArray]:
    """Microseconds of dates, and their steps: months, where all are of one day of the month, or of its last day."""
    when = pd.DatetimeIndex(dates).tz_convert(None) if pd.DatetimeIndex(dates).tz else pd.DatetimeIndex(dates)
    values = when.to_numpy().astype("datetime64[us]").astype(np.int64)
    by_month = when.is_month_end.all() or (when.day.nunique() == 1 and (when == when.normalize()).all())
    return values, np.asarray(when.year * 12 + when.month) if by_month else values


def _matched_dates(texts: Sequence[str]) -> pd.Series[Any] | None:
    """Dates of texts that all begin as one, year first."""
    if not all(re.match(r"\s*\d{4}[-/]\d{1,2}[-/]\d{1,2}(?!\d)", text) for text in texts):
        return None
    dates = pd.to_datetime(
        pd.Series([text.replace("/", "-") for text in texts]), errors="coerce", utc=True, format="mixed"
    )
    return None if dates.isna().any() else dates


def _read_text(texts: Sequence[str]) -> AnyArray | None:
    """Numbers that all texts stand for, by the first form in which all are written."""
    plain = [text.strip().lower() for text in texts]
    for form in _ALL_FORMS:
        parsed = [form(text) for text in plain]
        known = [one for one in parsed if one is not None]
        if len(known) == len(plain) and len({around for around, _ in known}) == 1:
            values = np.array([value for _, value in known])
            return None if _are_short_years(plain) else values
    return None


def _are_short_years(texts: Sequence[str]) -> bool:
    """Whether numbers of two digits are years that pass from one century to the next: 98, 99, 00."""
    digits = [re.sub(r"\D", "", text) for text in texts]
    return all(len(one) == len("99") for one in digits) and "00" in digits and max(map(int, digits)) > _CENTURY / 2


def _number(text: str) -> _Parsed:
    return ("", float(text)) if re.fullmatch(r"[+-]?\d+(\.\d*)?", text) else None


def _part_of_year(letters: str, parts: int) -> Callable[[str], _Parsed]:
    """Reader of '2019Q4', 'Q4 2019' and '4Q2019', for the letters of a part of a year and the number of parts."""
    forms = (
        rf"(?P<year>\d{{4}}){_GAP}[{letters}]{_GAP}(?P<part>\d{{1,2}})",
        rf"[{letters}]{_GAP}(?P<part>\d{{1,2}})[\s._/:-]+(?P<year>\d{{4}})",
        rf"(?P<part>\d{{1,2}}){_GAP}[{letters}]{_GAP}(?P<year>\d{{4}})",
    )

    def read(text: str) -> _Parsed:
        for form in forms:
            found = re.fullmatch(form, text)
            if found and 1 <= int(found["part"]) <= parts:
                return "", float(int(found["year"]) * parts + int(found["part"]))
        return None

    return read


def _school_year(text: str) -> _Parsed:
    """'2019/20': a year and the two last digits of the next."""
    found = re.fullmatch(r"(\d{4})\s*[-/\u2013]\s*(\d{2})", text)
    follows = found and (int(found[1]) + 1) % _CENTURY == int(found[2])
    return ("", float(found[1])) if found and follows else None


def _span(text: str) -> _Parsed:
    """'2015-2019': by its first year."""
    found = re.fullmatch(r"(\d{4})\s*[-/\u2013]\s*(\d{4})", text)
    return ("", float(found[1])) if found and int(found[1]) < int(found[2]) else None


def _month(text: str) -> _Parsed:
    """'2019-03', '2019/3'."""
    found = re.fullmatch(r"(\d{4})\s*[-/.]\s*(\d{1,2})", text)
    return ("", float(int(found[1]) * 12 + int(found[2]))) if found and 1 <= int(found[2]) <= len(_MONTHS) else None


def _named_month(text: str) -> _Parsed:
    """'Mar 2019', '2019 March'."""
    name = _MONTH_NAMES.search(text)
    year = re.fullmatch(r"[\s._/,-]*(\d{4})[\s._/,-]*", text.replace(name[0], "", 1)) if name else None
    return ("", float(int(year[1]) * 12 + _MONTHS.index(name[1][:3]))) if name and year else None


def _counted(text: str) -> _Parsed:
    """'wave 8', 'w10', '3rd wave': a word and a number, the word alike in all."""
    before = re.fullmatch(r"([^\W\d_]+(?:[\s._-]+[^\W\d_]+)*)[\s._#:-]*(\d+)", text)
    behind = re.fullmatch(r"(\d+)(?:st|nd|rd|th|\.)?[\s._-]*([^\W\d_]+(?:\s+[^\W\d_]+)*)", text)
    word, number = before.groups() if before else (behind[2], behind[1]) if behind else ("", "")
    word = "wave" if word == "w" else re.sub(r"[\s._-]+", " ", word)
    return (word, float(number)) if word and not _MONTH_NAMES.fullmatch(word) else None


_ALL_FORMS = (
    _number, _part_of_year("q", 4), _part_of_year("hs", 2), _part_of_year("m", 12), _part_of_year("w", 53),
    _school_year, _span, _month, _named_month, _counted,
)  # fmt: skip


def _refusal(labels: pd.Series[Any]) -> str:
    """Why periods have no order, and how to give it."""
    texts = [str(label) for label in labels]
    shown = listing((repr(text) for text in texts), 3)
    name = f"periods {labels.name!r}" if labels.name is not None else "the periods"
    column = repr(labels.name) if labels.name is not None else "'period'"
    plain = [text.strip().lower() for text in texts]
    why = "are text without a known order"
    if _are_short_years(plain):
        why = "are years of two digits, whose century is not known"
    elif all(any(form(text) for form in _ALL_FORMS) for text in plain):
        why = "are written in several ways"
    return (
        f"{name} {why}, such as {shown}. Give numbers or dates, or the order itself: data[{column}] = "
        f"pandas.Categorical(data[{column}], categories=[first, second, ...], ordered=True). Text that is read: "
        f"{_FORMS}."
    )
