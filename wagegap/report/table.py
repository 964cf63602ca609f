"""One table for any mix of results: a column for each, a row for each term, standard errors beneath.

A result is whatever offers `tidy()` (a row for each estimate) and, if it likes, `glance()` (one row about the whole), a
`title`, `notes` and a `unit`; a tidy frame is one too. The table is made of strings once, with the raw numbers kept
behind them, and then drawn as text, HTML, LaTeX, Markdown or delimited text.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeAlias

import pandas as pd

from wagegap._arguments import public, public_methods
from wagegap._display.files import write_whole
from wagegap._display.markup import to_html, to_html_page, to_latex, to_markdown
from wagegap._display.numbers import (
    UNKNOWN,
    format_count,
    format_estimate,
    format_key,
    format_number,
    format_p,
    is_missing,
    spaced,
)
from wagegap._display.office import to_docx, to_xlsx
from wagegap._display.spec import (
    ABSENT,
    COLUMN_LABELS,
    Cell,
    Column,
    Row,
    TableSpec,
    make_column,
    make_row,
    make_table,
    statistic_cell,
)
from wagegap._display.text import Formulas, Minus, to_csv, to_text
from wagegap._typing import Labels
from wagegap.errors import (
    ColumnError,
    DataError,
    DuplicateKeyError,
    EmptyDataError,
    OptionError,
    check_known,
    did_you_mean,
    listing,
    shown,
)
from wagegap.estimation.countries.columns import with_names
from wagegap.estimation.estimates import Estimates
from wagegap.estimation.result import Result
from wagegap.estimation.units import unit_in_heading
from wagegap.report.other_packages import read_other

__all__ = ["Layout", "Table", "table"]

Layout: TypeAlias = Literal["auto", "stacked", "beside", "long"]

LAYOUTS: tuple[Layout, ...] = ("auto", "stacked", "beside", "long")
NUMBERS = ("estimate", "std_error", "statistic", "p_value", "conf_low", "conf_high")
STARS = (0.01, 0.05, 0.1)
_MOST_STARS = 4
TALLEST = 40
"""From more rows on, `layout="auto"` puts standard errors beside the estimates."""

STATISTIC_LABELS: Mapping[str, str] = {
    "nobs": "observations",
    "n_cells": "cells",
    "n_clusters": "clusters",
    "n_parameters": "parameters",
    "r2": "R2",
    "r2_within": "R2 within",
    "r2_adjusted": "R2 adjusted",
    "i2": "I2",
    "cov": "covariance",
}
"""Display labels of statistics whose names are not what a reader expects; else underscores become spaces."""

_ORDER = ("unit", "nobs", "n_cells", "n_clusters", "r2", "r2_adjusted", "r2_within", "tau2", "i2", "reliability")
_LAST = ("method", "test", "small_sample", "weights", "cov", "covariance")
_TRIVIAL: Mapping[str, Any] = {"unit": "none", "n_comparisons": 1, "n_absent": 0}
_NOT_KEYS = ("term", "unit", "comparison", "share", "df", *NUMBERS)

_Key: TypeAlias = tuple[tuple[str, ...], str]


@dataclass(frozen=True, slots=True)
class _Entry:
    """One column: a result read once.

    Attributes
    ----------
    name : str
        Heading.
    keys : list of str
        Names of its cell keys.
    rows : dict
        For each (cell, term), the numbers by name.
    records : list of dict
        Each row of it with the result, the cell keys as they were, the term and the numbers.
    statistics : dict
        Statistics of the whole by name.
    notes : tuple of str
        Its notes.
    """

    name: str
    keys: list[str]
    rows: dict[_Key, dict[str, float | None]]
    records: list[dict[str, Any]]
    statistics: dict[str, Any]
    notes: tuple[str, ...]


@public_methods
@dataclass(frozen=True, slots=True, eq=False)
class Table:
    """A table that can be read, shown and saved.

    Attributes
    ----------
    spec : TableSpec
        The strings, with the raw numbers behind them.
    long : DataFrame
        A row for each estimate of each result; see `frame`.

    Examples
    --------
    >>> import pandas as pd
    >>> from wagegap.report.table import table
    >>> usa = pd.DataFrame({"term": ["ai"], "estimate": [0.25], "std_error": [0.031]})
    >>> korea = pd.DataFrame({"term": ["ai"], "estimate": [0.06], "std_error": [None]})
    >>> table({"USA": usa, "Korea": korea}, title="Premiums") # doctest: -NORMALIZE_WHITESPACE
    Premiums
    ====================
            USA    Korea
    --------------------
    ai   0.250     0.060
        (0.031)  unknown
    ====================
    Standard errors in parentheses.
    1 of 2 standard errors are unknown, not zero.
    """

    spec: TableSpec
    long: pd.DataFrame

    @property
    def frame(self) -> pd.DataFrame:
        """Every estimate of every result: result, cell keys, term, estimate, std_error and so on (a copy)."""
        return self.long.copy()

    def text(self, width: int = 80, *, minus: Minus = "hyphen") -> str:
        """Return plain text at most `width` columns wide; a wider table becomes several panels."""
        return to_text(self.spec, width, minus=minus)

    def html(self) -> str:
        """Return an HTML `<table>`."""
        return to_html(self.spec)

    def latex(self, *, label: str = "", longtable: bool = False) -> str:
        """Return a LaTeX `table`, which needs the booktabs package; a label that is none is refused.

        With `longtable=True` it runs over pages, its header repeated, and needs the package longtable too.
        """
        return to_latex(self.spec, label=label, longtable=longtable)

    def markdown(self) -> str:
        """Return a Markdown table with pipes."""
        return to_markdown(self.spec)

    def csv(self, *, formulas: Formulas = "neutralise") -> str:
        """Return comma-delimited text with the raw numbers; `NA` is unknown, empty is absent.

        Text that a spreadsheet would carry out as a formula (a name such as `=cmd()`) gets an apostrophe before it;
        `formulas="keep"` leaves it as it is. Numbers are never touched.
        """
        return to_csv(self.spec, formulas=formulas)

    def save(self, path: str | os.PathLike[str], *, formulas: Formulas = "neutralise", longtable: bool = False) -> Path:
        """Write the table to a file whose suffix says how: .txt, .html, .tex, .md, .csv, .docx or .xlsx.

        Parameters
        ----------
        path : str or path
            Where to; a file there is replaced.
        formulas : {"neutralise", "keep"}
            Of .csv and .xlsx: what becomes of text that a spreadsheet would carry out, see `csv`.
        longtable : bool
            Of .tex: a table that runs over pages, see `latex`.

        Returns
        -------
        Path
            Where it stands.

        Raises
        ------
        OptionError
            For another suffix, or an unknown `formulas`.
        OutputError
            When the file cannot be written; what stood there still does.
        ExtraMissingError
            For .docx and .xlsx without the extra `tables`.
        """
        writers: dict[str, Callable[[], str | bytes]] = {
            ".txt": lambda: self.text() + "\n",
            ".html": lambda: to_html_page(self.spec),
            ".tex": lambda: self.latex(longtable=longtable) + "\n",
            ".md": lambda: self.markdown() + "\n",
            ".csv": lambda: self.csv(formulas=formulas),
            ".docx": lambda: to_docx(self.spec),
            ".xlsx": lambda: to_xlsx(self.spec, formulas=formulas),
        }
        suffix = Path(path).suffix.lower()
        wrong = f"{path} has the suffix {suffix!r}, which no format has."
        check_known([suffix], writers, lambda _, hint: OptionError(f"{wrong}{hint} Known: {listing(writers)}."))
        return write_whole(path, writers[suffix]())

    __repr__ = text
    _repr_html_ = html
    _repr_markdown_ = markdown


@public
def table(
    *results: Any,
    labels: Labels | None = None,
    rows: Sequence[str] | None = None,
    statistics: Sequence[str] | None = None,
    digits: int = 3,
    stars: bool | Sequence[float] = False,
    title: str | None = None,
    notes: Sequence[str] | None = None,
    layout: Layout = "auto",
) -> Table:
    """Put any mix of results into one table.

    Parameters
    ----------
    *results : result, DataFrame, or a list of these or mapping of them by name
        Anything with `tidy()`, or a tidy frame: cell keys, `term`, `estimate`, and `std_error` where known. Results of
        statsmodels, linearmodels and pyfixest stand beside them, with their observations and R-squared.
    labels : mapping, optional
        Display labels of terms, cell keys' values, statistics and results; what it does not name keeps its name.
    rows : sequence of str, optional
        Terms, or whole row names, to show, in this order; all where absent.
    statistics : sequence of str, optional
        Columns of `glance()` to show beneath, in this order; none where empty. Where absent all but those that say
        nothing: no unit, one comparison, no cell left out.
    digits : int
        Decimals of a standard error below ten; smaller errors show more, so that none is shown as zero.
    stars : bool or sequence of float
        Mark p-values below .01, .05 and .1 by three stars, two and one; or below levels of your own, the smallest
        first, of which each has one star fewer than the one before: `[.001, .01, .05]`.
    title : str, optional
        Title; that of the result where there is but one.
    notes : sequence of str, optional
        Notes, behind those of the results.
    layout : {"auto", "stacked", "beside", "long"}
        Standard errors beneath the estimates, beside them, or every number of every estimate in a row of its own.
        `"auto"` stacks tables of up to 40 rows.

    Returns
    -------
    Table
        Text, HTML, LaTeX, Markdown, delimited text, and a tidy frame.

    Raises
    ------
    EmptyDataError
        Without results, or when one has no rows.
    ColumnError
        When a result has no column `estimate`.
    DuplicateKeyError
        When two rows of a result have the same keys and term.
    OptionError
        For unknown rows, statistics or layouts, and for levels of stars that do not rise from 0 to 1.

    Examples
    --------
    >>> import pandas as pd
    >>> link = pd.DataFrame({"term": ["premium", "log(gdp)"], "estimate": [-0.21, 0.012], "std_error": [0.08, 0.03]})
    >>> table(link, labels={"premium": "Wage premium"}, rows=["premium"]) # doctest: -NORMALIZE_WHITESPACE
    =====================
                      (1)
    ---------------------
    Wage premium  -0.210
                  (0.080)
    =====================
    Standard errors in parentheses.
    """
    if labels is not None and not isinstance(labels, Mapping):
        raise OptionError(f"labels={labels!r} must be a dict of name -> label shown.")
    entries = _read(results, dict(labels or {}))
    keys = _chosen_keys(entries, rows)
    names = _row_labels(keys, entries, labels or {})
    if layout == "auto":
        layout = "stacked" if len(keys) <= TALLEST else "beside"
    chosen = _chosen_statistics(entries, statistics)
    style = _Style(digits, _levels(stars), dict(STATISTIC_LABELS) | dict(labels or {}))
    columns, body = _BUILDERS[layout](entries, names, chosen, style)
    if title is None:
        title = str(getattr(results[0], "title", "") or "") if len(results) == 1 else ""
    return Table(
        make_table(columns, body, title=title, notes=[*_notes(entries, keys, style, layout, chosen), *(notes or ())]),
        _long_frame(entries),
    )


@dataclass(frozen=True, slots=True)
class _Style:
    """How numbers and statistics are shown."""

    digits: int
    stars: tuple[float, ...]
    labels: dict[str, str]

    def statistic(self, name: str) -> str:
        """Label of a statistic."""
        return self.labels.get(name, spaced(name))

    def mark(self, p: float) -> str:
        """Stars of a p-value."""
        return next((n * "*" for n, level in self.starred() if p < level), "")

    def starred(self) -> list[tuple[int, float]]:
        """How many stars stand for each level, the most first."""
        return [(len(self.stars) - at, level) for at, level in enumerate(self.stars)]


def _levels(stars: Any) -> tuple[float, ...]:
    """Levels of significance that are starred, the smallest first; none where there are no stars."""
    if isinstance(stars, bool):
        return STARS if stars else ()
    levels = [float(level) for level in stars]
    rising = all(0 < low < high < 1 for low, high in zip(levels, levels[1:] or [0.999], strict=False))
    if not rising or not 0 < len(levels) <= _MOST_STARS:
        raise OptionError(
            f"stars={shown(stars)} must be levels between 0 and 1, the smallest first, such as [.001, .01, .05]: "
            f"{_MOST_STARS} of them at most."
        )
    return tuple(levels)


# reading results -------------------------------------------------------------------------------------------------


def _read(results: tuple[Any, ...], labels: dict[str, str]) -> list[_Entry]:
    """Read every result once, and give each a heading of its own."""
    named: list[tuple[str, Any]] = []
    for result in (one for given in results for one in (given if isinstance(given, list | tuple) else [given])):
        title = "" if isinstance(result, str) else str(getattr(result, "title", "") or "")
        several = isinstance(result, Mapping) and not hasattr(result, "tidy")
        named += [(str(name), member) for name, member in result.items()] if several else [(title, result)]
    if not named:
        raise EmptyDataError("table() was given no results; give it one or more, or frames with a column 'estimate'.")
    numbered = [name or f"({at})" for at, (name, _) in enumerate(named, start=1)]
    headings = [
        labels.get(name, name) + (f" ({at})" if numbered.count(name) > 1 else "")
        for at, name in enumerate(numbered, start=1)
    ]
    return [_entry(name, result) for name, (_, result) in zip(headings, named, strict=True)]


def _entry(name: str, result: Any) -> _Entry:
    other = None if isinstance(result, pd.DataFrame | Result | Estimates) else read_other(result)
    if other is None and not isinstance(result, pd.DataFrame) and not callable(getattr(result, "tidy", None)):
        raise DataError(
            f"{name} is a {type(result).__name__}; table() takes results that have tidy(), tidy frames, and results of "
            "statsmodels, linearmodels and pyfixest."
        )
    frame = other.frame if other is not None else result if isinstance(result, pd.DataFrame) else result.tidy()
    frame = frame.reset_index() if any(level is not None for level in frame.index.names) else frame
    there = listing(frame.columns)
    check_known(
        ["estimate"], frame, lambda column, hint: ColumnError(f"{name} has no column {column!r}.{hint} It has {there}.")
    )
    if len(frame) == 0:
        raise EmptyDataError(f"{name} has no rows.")
    keys = [str(column) for column in frame.columns[: frame.columns.get_loc("estimate")] if column not in _NOT_KEYS]
    terms = frame["term"].map(format_key).tolist() if "term" in frame else [""] * len(frame)
    cells = list(zip(*(frame[key] for key in keys), strict=True)) or [()] * len(frame)
    numbers = {
        column: [None if is_missing(value) else float(value) for value in frame[column]]
        for column in NUMBERS
        if column in frame
    }
    rows: dict[_Key, dict[str, float | None]] = {}
    records = []
    for at, (cell, term) in enumerate(zip(cells, terms, strict=True)):
        key = (tuple(format_key(value) for value in cell), term)
        if key in rows:
            raise DuplicateKeyError(f"{name} has two rows for {_name(key)!r}: keys are {[*keys, 'term']}.")
        rows[key] = {column: values[at] for column, values in numbers.items()}
        records.append({"result": name, **dict(zip(keys, cell, strict=True)), "term": term, **rows[key]})
    statistics = _statistics(name, result) if other is None else other.statistics
    return _Entry(name, keys, rows, records, statistics, () if other is not None else _result_notes(result))


def _statistics(name: str, result: Any) -> dict[str, Any]:
    if isinstance(result, pd.DataFrame):
        return {}
    unit = str(getattr(result, "unit", None) or "")
    stated: dict[str, Any] = {"unit": unit_in_heading(unit)[2:-1] or unit} if unit else {}
    if not callable(getattr(result, "glance", None)):
        return stated
    frame = result.glance()
    if len(frame) != 1:
        raise DataError(f"glance() of {name} has {len(frame)} rows; it must have one.")
    return stated | {str(column): frame[column].iloc[0] for column in frame.columns}


def _result_notes(result: Any) -> tuple[str, ...]:
    notes = () if isinstance(result, pd.DataFrame) else getattr(result, "notes", None) or ()
    return (notes,) if isinstance(notes, str) else tuple(str(note) for note in notes)


# choosing rows and statistics ------------------------------------------------------------------------------------


def _chosen_keys(entries: Sequence[_Entry], rows: Sequence[str] | None) -> list[_Key]:
    """Rows in the order in which results first have them, or in the order asked for."""
    every = list(dict.fromkeys(key for entry in entries for key in entry.rows))
    if rows is None:
        return every
    names = {key: (key[1], _name(key), " ".join(key[0])) for key in every}
    for wanted in rows:
        if not any(wanted in called for called in names.values()):
            known = list(dict.fromkeys([*(key[1] for key in every if key[1]), *map(_name, every)]))
            raise OptionError(
                f"rows: no row is called {wanted!r}.{did_you_mean(wanted, known)} Known: {listing(known)}."
            )
    return list(dict.fromkeys(key for wanted in rows for key in every if wanted in names[key]))


def _name(key: _Key) -> str:
    return " ".join(part for part in (*key[0], key[1]) if part)


def _row_labels(keys: Sequence[_Key], entries: Sequence[_Entry], labels: Mapping[str, str]) -> dict[_Key, str]:
    """Label rows by cell and term, countries by their names; a term that all share goes without saying."""
    shared = len({term for _, term in keys}) == 1 and all(cell for cell, _ in keys)
    names = {key: name for entry in reversed(entries) for key, name in _cells_to_read(entry).items()}
    parts = {key: key[0] if shared else (*key[0], key[1]) for key in keys}
    written = {key: names[key] if shared else (*names[key], key[1]) for key in keys}
    return {
        key: labels.get(_name(key))
        or " ".join(labels.get(part, name) for part, name in zip(parts[key], written[key], strict=True) if part)
        for key in keys
    }


def _cells_to_read(entry: _Entry) -> dict[_Key, tuple[str, ...]]:
    """The cell of each row as a reader is shown it."""
    cells = pd.DataFrame([cell for cell, _ in entry.rows], columns=entry.keys, dtype=object)
    if cells.empty or not entry.keys:
        return {key: key[0] for key in entry.rows}
    shown = with_names(cells, entry.keys)
    return dict(zip(entry.rows, shown.itertuples(index=False, name=None), strict=True))


def _chosen_statistics(entries: Sequence[_Entry], wanted: Sequence[str] | None) -> list[str]:
    known = list(dict.fromkeys(name for entry in entries for name in entry.statistics))
    if wanted is None:
        present = [name for name in known if any(_says(name, e.statistics.get(name)) for e in entries)]
        return [
            *(n for n in _ORDER if n in present),
            *[name for name in present if name not in (*_ORDER, *_LAST)],
            *(n for n in _LAST if n in present),
        ]
    these = f"Known: {listing(known, limit=20)}." if known else "No result offers any."
    check_known(wanted, known, lambda name, hint: OptionError(f"statistics: no result has {name!r}.{hint} {these}"))
    return list(dict.fromkeys(wanted))


def _says(name: str, value: Any) -> bool:
    """Whether a statistic of a result says anything: not that a unit is none, a comparison one, or nothing left out."""
    return not is_missing(value) and not (name in _TRIVIAL and value == _TRIVIAL[name])


# layouts ---------------------------------------------------------------------------------------------------------

_Parts: TypeAlias = tuple[list[Column], list[Row]]


def _stacked(entries: Sequence[_Entry], names: Mapping[_Key, str], chosen: Sequence[str], style: _Style) -> _Parts:
    body = []
    for key, label in names.items():
        pairs = [_pair(entry, key, style) for entry in entries]
        errors = [error if error.text in ("", UNKNOWN) else Cell(f"({error.text})", error.value) for _, error in pairs]
        body += [
            make_row(label, [estimate for estimate, _ in pairs], name=_name(key), measure="estimate"),
            make_row("", errors, name=_name(key), measure="std_error"),
        ]
    body += [
        make_row(
            style.statistic(name), [_statistic_cell(entry, name, style) for entry in entries], name=name,
            measure="statistic", rule_above=name == chosen[0],
        )
        for name in chosen
    ]  # fmt: skip
    return [make_column(entry.name) for entry in entries], body


def _beside(entries: Sequence[_Entry], names: Mapping[_Key, str], chosen: Sequence[str], style: _Style) -> _Parts:
    columns = [
        make_column(head, group=entry.name, name=name)
        for entry in entries
        for head, name in (("estimate", ""), ("std. error", "std_error"))
    ]
    body = [
        make_row(label, [cell for entry in entries for cell in _pair(entry, key, style)], name=_name(key))
        for key, label in names.items()
    ]
    body += [
        make_row(
            style.statistic(name), [cell for e in entries for cell in (_statistic_cell(e, name, style), Cell())],
            name=name, rule_above=name == chosen[0],
        )
        for name in chosen
    ]  # fmt: skip
    return columns, body


def _in_rows(entries: Sequence[_Entry], names: Mapping[_Key, str], chosen: Sequence[str], style: _Style) -> _Parts:
    shown = [name for name in NUMBERS if any(name in row for entry in entries for row in entry.rows.values())]
    columns = [make_column(COLUMN_LABELS.get(name, name), name=name) for name in shown]
    body = [
        make_row(
            label, [_single(entry.rows[key], name, style) for name in shown],
            group=entry.name if len(entries) > 1 else "", name=_name(key),
        )
        for entry in entries for key, label in names.items() if key in entry.rows
    ]  # fmt: skip
    return columns, body


_BUILDERS: Mapping[Layout, Callable[..., _Parts]] = {"stacked": _stacked, "beside": _beside, "long": _in_rows}


def _statistic_cell(entry: _Entry, name: str, style: _Style) -> Cell:
    return statistic_cell(name, entry.statistics.get(name), style.digits)


def _pair(entry: _Entry, key: _Key, style: _Style) -> list[Cell]:
    """Estimate and standard error of one result; empty where it has no such row."""
    return [_single(entry.rows[key], name, style) if key in entry.rows else Cell() for name in NUMBERS[:2]]


def _is_range(numbers: Mapping[str, float | None]) -> bool:
    """Whether a result gives a range in the place of an estimate, because two that are defensible disagree."""
    ends = (numbers.get("conf_low"), numbers.get("conf_high"))
    return numbers.get("estimate") is None and not any(end is None for end in ends)


def _single(numbers: Mapping[str, float | None], name: str, style: _Style) -> Cell:
    """One number of an estimate, in the decimals that suit its standard error."""
    value, error = numbers.get(name), numbers.get("std_error")
    if name in ("estimate", "std_error") and _is_range(numbers):
        ends = (format_number(numbers[end], style.digits) for end in ("conf_low", "conf_high"))
        return Cell(f"[{', '.join(ends)}]" if name == "estimate" else "", float("nan"))
    if name in ("estimate", "std_error"):
        estimate_text, error_text = format_estimate(numbers["estimate"], error, style.digits)
        text = estimate_text if name == "estimate" else error_text
    elif value is None:
        text = ABSENT
    elif name == "p_value":
        text = format_p(value)
    else:
        text = format_number(value, 2) if name == "statistic" else format_number(value, style.digits, scale=error)
    p = numbers.get("p_value")
    if name == "estimate" and style.stars and p is not None:
        text += style.mark(p)
    return Cell(text, float("nan") if value is None else value)


# what stands around ----------------------------------------------------------------------------------------------


def _notes(
    entries: Sequence[_Entry],
    keys: Sequence[_Key],
    style: _Style,
    layout: Layout,
    chosen: Sequence[str],
) -> list[str]:
    rows = [entry.rows[key] for entry in entries for key in keys if key in entry.rows]
    errors = [row.get("std_error") for row in rows if not _is_range(row)]
    made = []
    if layout == "stacked" and any(error is not None for error in errors):
        made.append("Standard errors in parentheses.")
    if (unknown := sum(error is None for error in errors)) > 0:
        made.append(f"{format_count(unknown)} of {format_count(len(errors))} standard errors are unknown, not zero.")
    if len(errors) < len(rows) and layout != "long":
        made.append("In brackets: not settled, all that 95 % intervals hold (of both estimators, where there are two).")
    if style.stars:
        marks = (f"{n * '*'} p < {f'{level:g}'.removeprefix('0')}" for n, level in style.starred())
        made.append(f"{', '.join(marks)}.")
    if layout == "long":
        made += _statistic_lines(entries, chosen, style)
    for note in dict.fromkeys(note for entry in entries for note in entry.notes):
        owners = [entry.name for entry in entries if note in entry.notes]
        made.append(note if len(owners) == len(entries) else f"{listing(owners)}: {note}")
    return made


def _statistic_lines(entries: Sequence[_Entry], chosen: Sequence[str], style: _Style) -> Iterable[str]:
    for entry in entries:
        texts = {name: _statistic_cell(entry, name, style).text for name in chosen}
        stated = "; ".join(f"{style.statistic(name)} {text}" for name, text in texts.items() if text)
        if stated:
            yield f"{entry.name}: {stated}." if len(entries) > 1 else f"{stated}."


def _long_frame(entries: Sequence[_Entry]) -> pd.DataFrame:
    keys = list(dict.fromkeys(key for entry in entries for key in entry.keys))
    records = [record for entry in entries for record in entry.records]
    columns = {name: [record.get(name) for record in records] for name in ("result", *keys, "term", *NUMBERS)}
    return pd.DataFrame(columns, dtype=object).infer_objects().astype(dict.fromkeys(NUMBERS, float))
