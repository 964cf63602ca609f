"""The yearly files of the Stack Overflow survey in one set of columns, whatever each year asked and called it.

Which column of which year holds what is data, in `survey_columns.csv`; how answers become numbers is one rule for each
column, for all years. Answers that no rule knows are taken as missing, and said. What differs between years and cannot
be mended: 2015-16 ask for degrees in computer science only, and for pay in bands; 2025 asks for years of coding in
all, not as a profession, and not for full-time work; sex is not asked after 2022, nor age in 2017.

Column names are those of the published files as the schemas of 2016 and 2025 and public code that reads each year
agree on them. The files of 2011-14 have another form (questions as headings, regions instead of countries), which is
not established here, so that those years are refused.
"""

from __future__ import annotations

import csv
import os
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import pandas as pd

from wagegap._arguments import public
from wagegap.datasets.download import difference, published_files
from wagegap.datasets.local import local_file
from wagegap.errors import (
    ChecksumError,
    ColumnError,
    DataError,
    DataWarning,
    DuplicateKeyError,
    EmptyDataError,
    OptionError,
    did_you_mean,
    listing,
    warn,
)
from wagegap.panel.countries import country_code
from wagegap.panel.file_contents import check_content, open_text
from wagegap.panel.load import read_panel
from wagegap.panel.panel import Panel, make_panel
from wagegap.panel.roles import Roles

__all__ = ["COLUMNS", "ai_work", "join_years", "read_stack_overflow_year"]

COLUMNS = (
    "year", "country", "iso3", "pay_usd", "pay_lo", "pay_hi", "pay_kind", "role", "ai", "exp_years", "educ", "age",
    "female", "org_size", "employment", "fulltime",
)  # fmt: skip

_Unknown: TypeAlias = dict[str, dict[str, int]]
"""Answers that no rule knows, by column, with their number."""
_OPEN_BAND = 10_000.0  # what the survey itself adds to the lower end of its top band
_NO_ANSWER = ["", "NA", "N/A"]
_NO_COUNTRY = {
    "I prefer not to say", "Netherlands Antilles", "Nomadic", "Other", "Other (please specify)",
    "Other Country (Not Listed Above)",
}  # fmt: skip
_REFUSED = {"", "i prefer not to say", "prefer not to say", "prefer not to disclose"}
_AI = re.compile(r"data scientist|machine learning|developer, ai|ai/ml|applied scientist", re.IGNORECASE)
_SEX = {"Male": 0.0, "Man": 0.0, "Female": 1.0, "Woman": 1.0}
_AGES = {
    "< 20": 18.0, "20-24": 22.0, "25-29": 27.0, "30-34": 32.0, "35-39": 37.0, "40-50": 45.0, "51-60": 55.0,
    "> 60": 65.0,
    "under 18 years old": 17.0, "18-24 years old": 21.0, "25-34 years old": 30.0, "35-44 years old": 40.0,
    "45-54 years old": 50.0, "55-64 years old": 60.0, "65 years or older": 67.0,
}  # fmt: skip
_DEGREES = (
    ("bachelor", "bachelor"), ("master", "master"), ("professional degree", "phd_prof"),
    ("other doctoral", "phd_prof"), ("doctoral", "phd_prof"), ("associate", "below_ba"), ("some college", "below_ba"),
    ("secondary school", "below_ba"), ("primary", "below_ba"), ("i never completed", "below_ba"),
)  # fmt: skip
_NO_DEGREE = ("something else", "other (please", "i prefer not", "prefer not")
_COMPUTING_DEGREES = ((r"\bPhD\b", "phd_prof"), (r"\bMasters\b", "master"), (r"\bB\.?[SA]\b|\bBachelor", "bachelor"))


@public
def read_stack_overflow_year(year: int, path: str | os.PathLike[str] | None = None) -> Panel:
    """Read the respondents of one year's published file.

    Parameters
    ----------
    year : int
        2015 to 2025.
    path : path, optional
        The file; the one that `download("stack_overflow_YEAR")` puts below `WAGEGAP_DATA` where absent, which must be
        the published one to the last byte.

    Returns
    -------
    Panel
        A row per respondent with a country: year; country as answered and iso3; pay_usd, a year's pay in US dollars
        (the middle of a band, and 10,000 above the beginning of the open one), between pay_lo and pay_hi; pay_kind
        ("exact", "band10k", "band20k"); role as answered; ai, whether a role is one of data science, machine learning
        or AI; exp_years, years of coding as a profession (2025: of coding); educ; age; female; org_size and employment
        as answered; fulltime.

    Raises
    ------
    OptionError
        A year whose columns are not established.
    DataError, ChecksumError, ColumnError
        No such file, one that cannot be read, not the published one, without the columns of its year.

    Examples
    --------
    >>> read_stack_overflow_year(2012)
    Traceback (most recent call last):
    wagegap.errors.OptionError: year=2012: the files of 2011-14 ask for regions instead of countries, ...
    """
    layout = _layout(year)
    unknown: _Unknown = {}
    frame = _harmonised(_read(_published(layout.year, path), layout), layout, unknown)
    _tell(unknown, f"Stack Overflow survey {year}")
    return make_panel(frame, Roles(country="iso3", period="year"), f"Stack Overflow survey {year}").filter(
        frame["iso3"].notna(), reason="no country"
    )


def join_years(panels: Sequence[Panel]) -> Panel:
    """Return years of the survey, each read by itself, as one panel.

    Raises
    ------
    EmptyDataError, DataError, DuplicateKeyError
        No panel, one that is no year of the survey, a year twice.
    """
    for panel in panels:
        missing = [name for name in COLUMNS if name not in getattr(panel, "frame", {})]
        if missing:
            raise DataError(
                f"source must hold panels that read_stack_overflow_year made; one lacks {len(missing)} columns "
                f"({listing(missing)})."
            )
    if not panels:
        raise EmptyDataError("source holds no panel: read the years first, by read_stack_overflow_year.")
    years = [year for panel in panels for year in sorted(panel.frame["year"].unique().tolist())]
    twice = sorted({year for year in years if years.count(year) > 1})
    if twice:
        raise DuplicateKeyError(f"source holds {listing(twice)} more than once: give each year once.")
    rows = pd.concat([panel.frame[list(COLUMNS)] for panel in panels], ignore_index=True)
    return read_panel(
        rows, country="iso3", period="year", source_name=f"Stack Overflow surveys, yearly files of {listing(years, 20)}"
    )


def ai_work(roles: pd.Series[Any]) -> pd.Series[Any]:
    """Return whether roles are of data science, machine learning or AI; missing where the role is.

    >>> ai_work(pd.Series(["Data scientist; Web developer", "Developer, AI", "Designer", None])).tolist()
    [True, True, False, <NA>]
    """
    return _mapped(roles, lambda text: _AI.search(text) is not None).astype("boolean")


@dataclass(frozen=True, slots=True)
class _Layout:
    """Where a year's file has what; several columns where an answer is spread over them."""

    year: int
    header: int
    pay_kind: str
    columns: Mapping[str, tuple[str, ...]]


def _tell(unknown: _Unknown, source: str) -> None:
    """Warn of answers that no rule knows."""
    if not unknown:
        return
    parts = [
        f"{column}: {listing([f'{value!r} ({n:,})' for value, n in counts.items()], 4)}"
        for column, counts in unknown.items()
    ]
    rows = sum(sum(counts.values()) for counts in unknown.values())
    warn(
        f"{source}: {rows:,} answers are none that is known, and were taken as missing ({'; '.join(parts)}). Look "
        "whether the file is of that year.",
        DataWarning,
    )


@cache
def _layouts() -> dict[int, _Layout]:
    text = files("wagegap.datasets").joinpath("survey_columns.csv").read_text(encoding="utf-8")
    return {
        int(row["year"]): _Layout(
            int(row["year"]),
            int(row["header"]),
            row["pay_kind"],
            {
                what: tuple(filter(None, names.split("|")))
                for what, names in row.items()
                if what not in ("year", "header", "pay_kind")
            },
        )
        for row in csv.DictReader(text.splitlines())
    }


def _layout(year: int) -> _Layout:
    known = _layouts()
    if year in range(2011, min(known)):
        raise OptionError(
            f"year={year}: the files of 2011-14 ask for regions instead of countries, and their columns are not "
            f"established here. Known: {min(known)} to {max(known)}."
        )
    if isinstance(year, bool) or year not in known:
        raise OptionError(f"year={year!r} is no year of the survey that is known: {min(known)} to {max(known)}.")
    return known[year]


def _published(year: int, path: str | os.PathLike[str] | None) -> Path:
    """Return the file to read; a copy in the folder of downloads must be the published one."""
    known = published_files()[f"stack_overflow_{year}"]
    try:
        found = local_file(path, known.file)
    except DataError as error:
        raise DataError(f"{error} It can be fetched: wagegap.datasets.download({known.name!r}).") from None
    if path is not None:
        by_size = {each.size: each.year for each in reversed(published_files().values())}
        other = by_size.get(found.stat().st_size, year)
        if other != year:  # files of neighbouring years have the same headings
            raise DataError(f"{found} has the size of the published file of {other}: read it with year={other}.")
        return found
    wrong = difference(found, known)
    if wrong:
        raise ChecksumError(
            f"{found} is not {known.name} as published: {wrong}. Fetch it anew, download({known.name!r}, "
            "overwrite=True), or pass path= to read it as it is."
        )
    return found


def _read(path: Path, layout: _Layout) -> pd.DataFrame:
    """Read the columns needed, all as text."""
    options: dict[str, Any] = dict(
        header=layout.header, dtype=str, keep_default_na=False, na_values=_NO_ANSWER, encoding_errors="replace"
    )
    needed = [name for names in layout.columns.values() for name in names]
    check_content(str(path), ".csv.gz" if path.name.endswith(".gz") else ".csv")
    try:
        with open_text(str(path)) as file:
            there = pd.read_csv(file, nrows=0, **options).columns
        missing = [name for name in needed if name not in there]
        if missing:
            raise ColumnError(
                f"{path} lacks {len(missing)} of {len(needed)} columns of the survey of {layout.year}: "
                f"{listing(repr(name) for name in missing)}.{did_you_mean(missing[0], there)} Is it of another year?"
            )
        with open_text(str(path)) as file:
            return pd.DataFrame(pd.read_csv(file, usecols=needed, **options))
    except pd.errors.EmptyDataError as error:
        raise EmptyDataError(f"{path} has no rows.") from error
    except (OSError, pd.errors.ParserError, UnicodeError, ValueError) as error:
        raise DataError(f"{path} cannot be read as the survey of {layout.year}: {error}") from error


def _harmonised(raw: pd.DataFrame, layout: _Layout, unknown: _Unknown) -> pd.DataFrame:
    """Turn a year's columns into the common ones."""
    asked = {what: _one(raw, names) for what, names in layout.columns.items() if what != "educ"}
    low, high = _pay(asked["pay"], layout, unknown)
    frame = pd.DataFrame(
        {
            "year": layout.year, "country": asked["country"], "iso3": _countries(asked["country"], unknown),
            "pay_usd": np.where(np.isinf(high), low + _OPEN_BAND, (low + high) / 2), "pay_lo": low, "pay_hi": high,
            "pay_kind": layout.pay_kind, "role": asked["role"], "ai": ai_work(asked["role"]),
            "exp_years": _ruled(asked["exp_years"], "exp_years", years, unknown).astype(float),
            "educ": _education(raw, layout.columns["educ"], unknown),
            "age": _ruled(asked["age"], "age", _age, unknown).astype(float),
            "female": asked["gender"].map(_SEX).astype(float), "org_size": asked["org_size"],
            "employment": asked["employment"],
            "fulltime": _mapped(asked["employment"], full_time).astype("boolean"),
        }
    )  # fmt: skip
    texts = ["country", "pay_kind", "role", "educ", "org_size", "employment"]
    return frame.astype(dict.fromkeys(texts, "category"))[list(COLUMNS)]


def _one(raw: pd.DataFrame, names: tuple[str, ...]) -> pd.Series[Any]:
    """Return one column; several are joined by semicolons, and none is all missing."""
    if not names:
        return pd.Series(np.nan, index=raw.index, dtype=object)
    joined = raw[names[0]]
    for name in names[1:]:
        joined = (joined + "; " + raw[name]).fillna(joined).fillna(raw[name])
    return joined


def _mapped(column: pd.Series[Any], rule: Callable[[str], Any]) -> pd.Series[Any]:
    """Apply a rule once to each distinct answer; missing stays missing."""
    return column.map({value: rule(value) for value in column.dropna().unique()})


def _ruled(
    column: pd.Series[Any],
    name: str,
    rule: Callable[[str], Any],
    unknown: _Unknown,
    odd: Callable[[str], object] = re.compile(r"\d").search,
) -> pd.Series[Any]:
    """Apply a rule once to each distinct answer; odd ones that it does not read are noted."""
    counts = {str(value): int(n) for value, n in column.value_counts().items()}
    known = {value: rule(value) for value in counts}
    noted = {value: n for value, n in counts.items() if known[value] is None and odd(value)}
    if noted:
        unknown[name] = noted
    return column.map(known)


def years(answer: str) -> float | None:
    """Return the years that an answer stands for: a number, the middle of a band; 2 above an open one.

    Half of "less than 1", and 1 above "more than 50", as those who answer so are few beyond.

    >>> [years(text) for text in ("7", "2 - 5 years", "20 or more years", "11+ years", "Less than a year")]
    [7.0, 3.5, 22.0, 13.0, 0.5]
    >>> years("More than 50 years"), years("none")
    (51.0, None)
    """
    text = answer.strip().lower()
    figures = [float(figure) for figure in re.findall(r"\d+(?:\.\d+)?", text)]
    if text.startswith("less than"):
        return figures[0] / 2 if figures else 0.5
    if len(figures) == 2 and re.search(r"-|–| to ", text):
        return sum(figures) / 2
    if len(figures) != 1:
        return None
    if text.startswith("more than"):
        return figures[0] + 1
    if "or more" in text or "+" in text:
        return figures[0] + 2
    return figures[0] if re.fullmatch(r"[\d.]+( years?)?", text) else None


def _age(answer: str) -> float | None:
    """Return the age in years: a number, or what stands for a band."""
    text = re.sub(r"\s*-\s*", "-", answer.strip().lower())
    if re.fullmatch(r"\d+(\.\d+)?", text):
        return float(text)
    return _AGES.get(text)


def full_time(answer: str) -> bool | None:
    """Return whether one of the answers is full-time employment.

    Missing where only employment was asked (2025), and where somebody prefers not to say.

    >>> [full_time(text) for text in ("Employed full-time", "Student, part-time;Employed, full-time", "Retired")]
    [True, True, False]
    >>> [full_time(text) for text in ("Employed", "I prefer not to say")]
    [None, None]
    """
    chosen = {part.strip().replace(",", "").lower() for part in answer.split(";")}
    if "employed full-time" in chosen:
        return True
    return None if "employed" in chosen or chosen <= _REFUSED else False


def _pay(column: pd.Series[Any], layout: _Layout, unknown: _Unknown) -> tuple[Any, Any]:
    """Lower and upper ends of a year's pay; equal where it is exact."""
    ends = _ruled(column, "pay", _exact if layout.pay_kind == "exact" else band, unknown).astype(object)
    return ends.str[0].astype(float).to_numpy(), ends.str[1].astype(float).to_numpy()


def _exact(answer: str) -> tuple[float, float] | None:
    try:
        value = float(answer)
    except ValueError:
        return None
    return (value, value) if np.isfinite(value) else None


def band(answer: str) -> tuple[float, float] | None:
    """Return the ends of a band of pay; of an open one, infinity.

    >>> band("$20,000 - $40,000"), band("Less than $10,000"), band("More than $200,000"), band("Rather not say")
    ((20000.0, 40000.0), (0.0, 10000.0), (200000.0, inf), None)
    """
    text = answer.strip().lower()
    figures = [float(figure.replace(",", "")) for figure in re.findall(r"\d[\d,]*", text)]
    if len(figures) == 2:
        return figures[0], figures[1]
    if len(figures) == 1 and re.match(r"less than|<|under", text):
        return 0.0, figures[0]
    if len(figures) == 1 and re.match(r"more than|>|over", text):
        return figures[0], np.inf
    return None


def _education(raw: pd.DataFrame, names: tuple[str, ...], unknown: _Unknown) -> pd.Series[Any]:
    """Return the highest degree: of any field, or in 2015-16 of computing."""
    if len(names) > 1:  # a column for each degree, blank for those who have it not
        ticked = pd.DataFrame({name: raw[name].notna().map({True: name, False: ""}) for name in names})
        return _mapped(ticked.agg(";".join, axis=1), computing_degree)
    column = raw[names[0]]
    if names[0] == "education":
        return _mapped(column, computing_degree)
    return _ruled(column, "educ", _degree, unknown, lambda v: not v.strip().lower().startswith(_NO_DEGREE))


def computing_degree(answer: str) -> str:
    """Return the highest of the degrees in computing that were ticked.

    >>> computing_degree("On-the-job training; B.S. in Computer Science (or related field)")
    'bachelor'
    """
    return next((code for pattern, code in _COMPUTING_DEGREES if re.search(pattern, answer)), "below_ba_or_not_cs")


def _degree(answer: str) -> str | None:
    """Return the code of an answer."""
    return next((code for prefix, code in _DEGREES if answer.strip().lower().startswith(prefix)), None)


def _countries(column: pd.Series[Any], unknown: _Unknown) -> pd.Series[Any]:
    """Return codes of countries; answers that are none are missing."""
    return _ruled(column, "country", country_code, unknown, lambda name: name not in _NO_COUNTRY).astype(object)
