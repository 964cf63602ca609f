"""The table before it has a form: titles, headers, rows and notes as strings, with the raw number behind each cell.

Whoever makes a table builds a `TableSpec`; whoever draws one (text, HTML, LaTeX, Markdown, delimited text) reads only
that. A table of regressions and a tidy frame are the same kind of thing here, and no renderer knows a model.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any, Literal, NamedTuple, TypeAlias, cast

import pandas as pd

from wagegap._display.numbers import (
    UNKNOWN,
    decimals_for,
    format_count,
    format_key,
    format_number,
    format_p,
    is_missing,
    spaced,
)
from wagegap.errors import DataError, EmptyDataError, check_option

__all__ = [
    "ABSENT",
    "COLUMN_LABELS",
    "Align",
    "Cell",
    "Column",
    "Row",
    "TableSpec",
    "headed_rows",
    "hidden_tail",
    "make_column",
    "make_row",
    "make_table",
    "plain",
    "spans",
    "statistic_cell",
    "tabulate_frame",
    "tail",
    "tails",
]

Align: TypeAlias = Literal["left", "right", "center"]
Scalar: TypeAlias = float | int | bool | str | None

ABSENT = "-"
"""What stands where a number cannot be, since another is unknown."""

COLUMN_LABELS: Mapping[str, str] = {
    "std_error": "std. error",
    "p_value": "p",
    "conf_low": "low",
    "conf_high": "high",
}
"""Display labels of columns whose names are not what a reader expects; else underscores become spaces."""

_COUNTS = ("nobs", "rows", "count", "counts", "workers", "clusters")
_SHARING = ("estimate", "std_error", "conf_low", "conf_high")
_NO_KEYS = ("unit", "comparison", "share")


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell.

    Attributes
    ----------
    text : str
        What the reader sees.
    value : float, int, bool, str or None
        The raw value, unrounded, for files that machines read; NaN is unknown, None means that the text is all.
    """

    text: str = ""
    value: Scalar = None

    @property
    def numeric(self) -> bool:
        """Whether a number stands behind the text."""
        return isinstance(self.value, (int, float)) and not isinstance(self.value, bool)


@dataclass(frozen=True, slots=True)
class Column:
    """One column.

    Attributes
    ----------
    header : str
        Its heading.
    align : {"left", "right", "center"}
        Where its cells stand.
    group : str
        Heading that it shares with neighbours of the same group; empty for none.
    name : str
        What the column is called in files that machines read; empty where that is its heading.
    """

    header: str
    align: Align = "right"
    group: str = ""
    name: str = ""


@dataclass(frozen=True, slots=True)
class Row:
    """One row.

    Attributes
    ----------
    stub : str
        Label the reader sees; empty where the row continues the one above.
    cells : tuple of Cell
        One for each column.
    group : str
        Heading above this and the neighbouring rows of the same group; empty for none.
    name : str
        What the row is called in files that machines read.
    measure : str
        What its cells are (`"estimate"`, `"std_error"`), for the same files; empty where this goes without saying.
    rule_above : bool
        Whether a rule separates it from the row above.
    """

    stub: str
    cells: tuple[Cell, ...]
    group: str = ""
    name: str = ""
    measure: str = ""
    rule_above: bool = False


@dataclass(frozen=True, slots=True)
class TableSpec:
    """A table as strings.

    Attributes
    ----------
    columns : tuple of Column
        The columns beside the stub.
    rows : tuple of Row
        The rows, each with a cell for each column.
    title : str
        Title; empty for none.
    stub_header : str
        Heading of the stub.
    notes : tuple of str
        Notes beneath.

    Raises
    ------
    DataError
        When a row has not one cell for each column.
    """

    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    title: str = ""
    stub_header: str = ""
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for row in self.rows:
            if len(row.cells) != len(self.columns):
                raise DataError(f"row {row.stub!r} has {len(row.cells)} cells; there are {len(self.columns)} columns.")

    @property
    def has_stub(self) -> bool:
        """Whether any row, or the stub itself, bears a label."""
        return bool(self.stub_header) or any(row.stub for row in self.rows)


def make_column(header: str, *, align: Align = "right", group: str = "", name: str = "") -> Column:
    """Build a column, its strings freed of line breaks and control characters.

    Raises
    ------
    OptionError
        For an unknown `align`.
    """
    check_option("align", align, ("left", "right", "center"))
    return Column(plain(header), align, plain(group), plain(name))


def make_row(
    stub: str,
    cells: Sequence[Cell | str],
    *,
    group: str = "",
    name: str | None = None,
    measure: str = "",
    rule_above: bool = False,
) -> Row:
    """Build a row; strings become cells without a number."""
    cleaned = tuple(Cell(plain(c)) if isinstance(c, str) else Cell(plain(c.text), c.value) for c in cells)
    return Row(plain(stub), cleaned, plain(group), plain(stub if name is None else name), measure, rule_above)


def make_table(
    columns: Sequence[Column | str],
    rows: Sequence[Row],
    *,
    title: str = "",
    stub_header: str = "",
    notes: Sequence[str] = (),
) -> TableSpec:
    """Build a table; strings become right-aligned columns.

    Raises
    ------
    DataError
        When a row has not one cell for each column.

    Examples
    --------
    >>> spec = make_table(["Korea"], [make_row("premium", ["0.06"])])
    >>> spec.columns[0].align
    'right'
    """
    heads = tuple(make_column(c) if isinstance(c, str) else c for c in columns)
    return TableSpec(heads, tuple(rows), plain(title), plain(stub_header), tuple(plain(note) for note in notes))


def plain(text: object) -> str:
    r"""Return a string of one line, without control characters.

    >>> plain("two\nlines\x1b[31m")
    'two lines [31m'
    """
    return " ".join("".join(char if char.isprintable() else " " for char in str(text)).split())


def spans(columns: Sequence[Column]) -> list[tuple[str, int]]:
    """Return the group headings of neighbouring columns and how many columns each spans.

    >>> spans([Column("b", group="Korea"), Column("se", group="Korea"), Column("n")])
    [('Korea', 2), ('', 1)]
    """
    return [(group, len(list(members))) for group, members in groupby(columns, key=lambda column: column.group)]


def headed_rows(spec: TableSpec) -> Iterator[tuple[str, bool, Row]]:
    """Yield each row with the heading to write above it, empty for none, and whether a rule goes there."""
    group = ""
    for position, row in enumerate(spec.rows):
        yield row.group if row.group != group else "", row.rule_above and position > 0, row
        group = row.group


def tails(spec: TableSpec) -> list[str]:
    """Return the longest tail of each column whose digits are to stand under digits: those aligned to the right."""
    return [
        max((tail(row.cells[j]) for row in spec.rows if column.align == "right"), key=len, default="")
        for j, column in enumerate(spec.columns)
    ]


def hidden_tail(cell: Cell, longest: str) -> str:
    """Return what the longest tail of a column has beyond that of a number, so that digits can stand under digits."""
    return longest[len(tail(cell)) :] if cell.numeric and any(char.isdigit() for char in cell.text) else ""


def tail(cell: Cell) -> str:
    """Return what follows the last digit of a number: a parenthesis, stars.

    >>> tail(Cell("(0.021)", 0.0213)), tail(Cell("0.251***", 0.2513)), tail(Cell("unknown", float("nan")))
    (')', '***', '')
    """
    match = re.search(r"(?<=\d)\D*$", cell.text) if cell.numeric else None
    return match.group() if match else ""


def tabulate_frame(
    frame: pd.DataFrame,
    *,
    title: str = "",
    digits: int = 3,
    notes: Sequence[str] = (),
    labels: Mapping[str, str] | None = None,
    written: Mapping[str, Callable[[Any], str]] | None = None,
) -> TableSpec:
    """Make a table of any tidy frame.

    Columns before `estimate` that name the row (cell keys and term) become its label; a frame without `estimate` is
    labelled by its leading text columns, a named index, or its first column. A missing standard error is unknown.

    Parameters
    ----------
    frame : DataFrame of shape (n, k)
        The frame; it is not changed.
    title : str
        Title.
    digits : int
        Decimals of numbers below ten; a column shows more where its numbers need them.
    notes : sequence of str
        Notes beneath.
    labels : mapping, optional
        Display labels of columns.
    written : mapping of str to callable, optional
        How the values of some keys are written for a reader; files that machines read keep the values.

    Returns
    -------
    TableSpec
        A row for each row.

    Raises
    ------
    EmptyDataError
        When the frame has no columns.

    Examples
    --------
    >>> from wagegap._display.text import to_text
    >>> frame = pd.DataFrame({"iso3": ["KOR", "USA"], "estimate": [0.06, 0.25], "std_error": [None, 0.0312]})
    >>> print(to_text(tabulate_frame(frame, title="Premiums"))) # doctest: -NORMALIZE_WHITESPACE
    Premiums
    ==========================
    iso3  estimate  std. error
    --------------------------
    KOR      0.060     unknown
    USA      0.250       0.031
    ==========================
    """
    columns = _columns(frame)
    if not columns:
        raise EmptyDataError("the frame has no columns, so there is nothing to tabulate.")
    shown = {**COLUMN_LABELS, **(labels or {})}
    keys, body = _keys_and_body(columns)
    common = _usual_decimals(
        [value for column in body if column.name == "std_error" for value in column.values], digits
    )
    cells = [_cells(column, common, digits) for column in body]
    heads = [
        make_column(
            shown.get(column.name, spaced(column.name)),
            align="right" if any(cell.numeric for cell in written) else "left",
            group=column.group,
            name=column.name,
        )
        for column, written in zip(body, cells, strict=True)
    ]
    names, stubs = _stubs(keys, len(frame), {}), _stubs(keys, len(frame), written or {})
    rows = [make_row(stubs[i], [column[i] for column in cells], name=name) for i, name in enumerate(names)]
    return make_table(
        heads,
        rows,
        title=title,
        stub_header=" ".join(shown.get(key.name, spaced(key.name)) for key in keys),
        notes=notes,
    )


def statistic_cell(name: str, value: Any, digits: int = 3) -> Cell:
    """Write one statistic of a fit: counts with commas, p-values as such, numbers with decimals, words as they are.

    >>> statistic_cell("nobs", 12345).text, statistic_cell("r2", 0.41234).text, statistic_cell("test", "knha").text
    ('12,345', '0.412', 'knha')
    """
    if is_missing(value):
        return Cell("")
    if pd.api.types.is_bool(value):
        return Cell("yes" if value else "no", bool(value))
    if not pd.api.types.is_number(value):
        return Cell(format_key(value))
    number = float(cast("float", value))
    if _is_count(name) or pd.api.types.is_integer(value):
        return Cell(format_count(number), int(number) if number.is_integer() else number)
    return Cell(format_p(number) if _is_p(name) else format_number(number, digits), number)


def _stubs(keys: Sequence[_Values], n: int, written: Mapping[str, Callable[[Any], str]]) -> list[str]:
    """Labels of n rows by their keys, some of them written in their own way."""
    parts = [[written.get(key.name, format_key)(value) for value in key.values] for key in keys]
    return [" ".join(filter(None, (part[i] for part in parts))) for i in range(n)]


class _Values(NamedTuple):
    """A column of a frame: the upper levels of its name, its name, its values, and whether they are numbers."""

    group: str
    name: str
    values: list[Any]
    numeric: bool


def _columns(frame: pd.DataFrame) -> list[_Values]:
    """Read the columns of a frame, a named index first."""
    levels = [name for name in frame.index.names if name is not None and name not in frame.columns]
    flat = frame.reset_index(levels) if levels else frame
    columns = []
    for label, values in flat.items():
        *upper, name = [str(part) for part in (label if isinstance(label, tuple) else (label,)) if part != ""] or [""]
        columns.append(_Values(" ".join(upper), name, values.tolist(), _is_number_column(values)))
    return columns


def _keys_and_body(columns: Sequence[_Values]) -> tuple[list[_Values], list[_Values]]:
    """Part the columns that label a row from the others."""
    names = [column.name for column in columns]
    if "estimate" in names:
        keys = [column for column in columns[: names.index("estimate")] if column.name not in _NO_KEYS]
    else:
        first_number = next((i for i, column in enumerate(columns) if column.numeric), 1)
        keys = list(columns[: max(first_number, 1)])
    return keys, [column for column in columns if not any(column is key for key in keys)]


def _cells(column: _Values, common: int | None, digits: int) -> list[Cell]:
    """Write a column; an estimate, its error and its interval have the decimals that suit the errors."""
    name = column.name
    if not column.numeric:
        return [
            Cell(UNKNOWN, float("nan")) if name == "std_error" and is_missing(value) else statistic_cell(name, value)
            for value in column.values
        ]
    decimals = common
    if common is None or name not in _SHARING:
        decimals = _usual_decimals(column.values, 2 if name == "statistic" else digits)
    hides = name == "std_error" or common is None
    return [_number_cell(name, value, decimals, hides=hides) for value in column.values]


def _usual_decimals(values: Sequence[Any], digits: int) -> int | None:
    """Decimals that suit the middle one of some numbers; None where there are none."""
    each = sorted(decimals_for(float(value), digits) for value in values if not is_missing(value))
    return each[len(each) // 2] if each else None


def _number_cell(name: str, value: Any, decimals: int | None, *, hides: bool) -> Cell:
    if is_missing(value):
        return Cell(UNKNOWN if name == "std_error" else ABSENT, float("nan"))
    if _is_count(name) or _is_p(name):
        return statistic_cell(name, value)
    if isinstance(value, int):
        return Cell(str(value), value)
    number = float(value)
    vanishes = hides and decimals is not None and number != 0 and round(abs(number), decimals) == 0
    return Cell(format_number(number, decimals or 0, decimals=None if vanishes else decimals), number)


def _is_number_column(column: pd.Series[Any]) -> bool:
    if pd.api.types.is_numeric_dtype(column):
        return not pd.api.types.is_bool_dtype(column)
    known = [value for value in column.tolist() if not is_missing(value)]
    return bool(known) and all(pd.api.types.is_number(v) and not pd.api.types.is_bool(v) for v in known)


def _is_count(name: str) -> bool:
    return name in _COUNTS or name.startswith("n_")


def _is_p(name: str) -> bool:
    return name in ("p", "p_value", "pvalue") or name.endswith(("_p_value", "_pvalue"))
