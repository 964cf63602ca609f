"""Tables as plain text that fits a terminal and is the same on every run, and as delimited text for machines.

A table that is wider than the page is cut into panels of columns, each with the row labels repeated; labels, headers
and words that are too long are wrapped. Nothing is ever left out. Widths are those of a terminal, in which East Asian
characters take two columns and combining marks none.

Delimited text holds the raw numbers to the last digit, not what a reader was shown: a number that is unknown is `NA`, a
cell that has none is empty; both read as missing.
"""

from __future__ import annotations

import csv
import io
import math
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate, groupby
from typing import Literal, TypeAlias

from wagegap._display.numbers import typographic
from wagegap._display.spec import Align, Cell, Row, TableSpec, headed_rows, hidden_tail, tails
from wagegap.errors import OptionError, check_option

__all__ = ["Formulas", "Minus", "display_width", "neutral", "to_csv", "to_text", "wrap"]

Minus: TypeAlias = Literal["hyphen", "sign"]
Formulas: TypeAlias = Literal["neutralise", "keep"]

_FORMULAS = ("=", "+", "-", "@", "\uff1d", "\uff0b", "\uff0d", "\uff20")
"""What a formula begins with, the wide forms of East Asian keyboards included."""
_BEFORE_FORMULAS = " \t\r\n\u00a0\u3000\"'"

GAP = 2
NARROWEST = 20
WORDS = 22
"""Columns of words are wrapped to this width."""
STUB = 16
"""Row labels are not wrapped to less than this, to keep all columns in one panel."""
NOTES = 60
"""Titles and notes may be this wide under a narrower table."""


@dataclass(frozen=True, slots=True)
class _Grid:
    """Widths of the stub and of the columns, and the longest tail of the numbers of each column."""

    stub: int
    columns: tuple[int, ...]
    tails: list[str]

    def across(self, chosen: Sequence[int]) -> int:
        """Width of the given columns with the gaps between them."""
        return sum(self.columns[j] for j in chosen) + GAP * max(len(chosen) - 1, 0)

    def total(self, chosen: Sequence[int]) -> int:
        """Width of a panel of the given columns."""
        return self.stub + (GAP if self.stub and chosen else 0) + self.across(chosen)


def to_text(spec: TableSpec, width: int = 80, *, minus: Minus = "hyphen") -> str:
    """Write a table as plain text.

    Parameters
    ----------
    spec : TableSpec
        The table.
    width : int
        Columns of the page, at least 20; a wider table becomes several panels.
    minus : {"hyphen", "sign"}
        Minus as the ASCII hyphen, or as U+2212.

    Returns
    -------
    str
        Lines without trailing blanks, joined by line feeds; none is wider than `width`.

    Raises
    ------
    OptionError
        For a page narrower than 20 columns, or an unknown `minus`.

    Examples
    --------
    >>> from wagegap._display.spec import make_row, make_table
    >>> rows = [make_row("premium", ["0.25", "0.06"]), make_row("rows", ["9,812", "411"], rule_above=True)]
    >>> print(to_text(make_table(["USA", "Korea"], rows))) # doctest: -NORMALIZE_WHITESPACE
    =====================
               USA  Korea
    ---------------------
    premium   0.25   0.06
    ---------------------
    rows     9,812    411
    =====================
    """
    check_option("minus", minus, ("hyphen", "sign"))
    if width < NARROWEST:
        raise OptionError(f"width={width} leaves no room for a table; the least is {NARROWEST}.")
    grid = _grid(spec, width)
    panels = _panels(spec, grid, width)
    margin = min(width, max(NOTES, *(grid.total(panel) for panel in panels)))
    lines = wrap(spec.title, margin) if spec.title else []
    for panel in panels:
        if len(panels) > 1:
            which = f"columns {panel[0] + 1} to {panel[-1] + 1}" if len(panel) > 1 else f"column {panel[0] + 1}"
            lines += [*([""] if panel[0] else []), f"{which} of {len(spec.columns)}"]
        lines += _panel_lines(spec, grid, panel, minus)
    for note in spec.notes:
        lines += wrap(note, margin, hanging=2)
    return "\n".join(line.rstrip() for line in lines)


def display_width(text: str) -> int:
    """Return how many terminal columns a string takes.

    >>> display_width("Korea"), display_width("한국")
    (5, 4)
    """
    return len(text) if text.isascii() else sum(_char_width(char) for char in text)


def wrap(text: str, width: int, *, hanging: int = 0) -> list[str]:
    """Break a string into lines of at most `width` columns, within words only where one is longer than a line.

    >>> wrap("annual earnings of workers", 16, hanging=2)
    ['annual earnings', '  of workers']
    """
    hanging = min(hanging, max(width - 2, 0))
    lines = [""]
    for word in text.split():
        trial = f"{lines[-1]} {word}" if lines[-1].strip() else lines[-1] + word
        if display_width(trial) <= width:
            lines[-1] = trial
            continue
        while word:
            if lines[-1].strip():
                lines.append(" " * hanging)
            room = width - len(lines[-1])
            taken = max(sum(used <= room for used in accumulate(map(_char_width, word))), 1)
            lines[-1] += word[:taken]
            word = word[taken:]
    return lines


def _char_width(char: str) -> int:
    if unicodedata.combining(char):
        return 0
    return 2 if unicodedata.east_asian_width(char) in "WF" else 1


def _grid(spec: TableSpec, width: int) -> _Grid:
    """Choose widths: as wide as the strings are, if these fit; else with headers wrapped, then with labels wrapped."""
    longest = tails(spec)
    room = width - (NARROWEST // 2 + GAP if spec.has_stub else 0)
    labels = [display_width(_indent(row) + row.stub) for row in spec.rows]
    natural = max([*labels, display_width(spec.stub_header), 0])
    for compact in (False, True):
        columns = tuple(min(_column_width(spec, j, longest[j], compact), room) for j in range(len(spec.columns)))
        beside_columns = width - sum(columns) - GAP * (len(columns) - (0 if natural else 1))
        if natural <= beside_columns:
            return _Grid(natural, columns, longest)
    beside = width - GAP - max(columns, default=0)
    stub = beside_columns if beside_columns >= STUB else min(natural, max(STUB, int(0.4 * width)), beside)
    return _Grid(stub if natural else 0, columns, longest)


def _column_width(spec: TableSpec, j: int, longest: str, compact: bool) -> int:
    header = spec.columns[j].header
    cells = [row.cells[j] for row in spec.rows]
    fixed = [display_width(c.text) + len(hidden_tail(c, longest)) for c in cells if c.numeric]
    words = [display_width(c.text) for c in cells if not c.numeric]
    least = max([*fixed, *(display_width(word) for word in header.split()), 1])
    return max(least, min(max([*words, 0 if compact else display_width(header)]), WORDS))


def _panels(spec: TableSpec, grid: _Grid, width: int) -> list[list[int]]:
    """Fill pages with columns; columns under one heading stay together where a page can hold them."""
    panels: list[list[int]] = [[]]
    for group, members in groupby(range(len(spec.columns)), key=lambda j: spec.columns[j].group):
        block = list(members)
        together = bool(group) and grid.total(block) <= width
        for piece in [block] if together else [[j] for j in block]:
            if panels[-1] and grid.total([*panels[-1], *piece]) > width:
                panels.append([])
            panels[-1] += piece
    return panels


def _panel_lines(spec: TableSpec, grid: _Grid, panel: Sequence[int], minus: Minus) -> list[str]:
    total = grid.total(panel)
    lines = ["=" * total, *_header_lines(spec, grid, panel), "-" * total]
    for heading, rule, row in headed_rows(spec):
        lines += ["-" * total] if rule else []
        lines += wrap(heading, total) if heading else []
        lines += _row_lines(spec, grid, panel, row, minus)
    return [*lines, "=" * total]


def _header_lines(spec: TableSpec, grid: _Grid, panel: Sequence[int]) -> list[str]:
    lines: list[str] = []
    if any(spec.columns[j].group for j in panel):
        spanned = groupby(panel, key=lambda j: spec.columns[j].group)
        widths = [(group, grid.across(list(members))) for group, members in spanned]
        blocks = [[*_aligned(group, width, "center"), "-" * width] if group else [] for group, width in widths]
        lines = _join([[], *blocks], [grid.stub, *(width for _, width in widths)], bottom=True)
    headers = [_aligned(spec.columns[j].header, grid.columns[j], spec.columns[j].align) for j in panel]
    return lines + _join(
        [wrap(spec.stub_header, max(grid.stub, 1)), *headers],
        [grid.stub, *(grid.columns[j] for j in panel)],
        bottom=True,
    )


def _row_lines(spec: TableSpec, grid: _Grid, panel: Sequence[int], row: Row, minus: Minus) -> list[str]:
    indent = _indent(row)
    blocks = [[indent + line for line in wrap(row.stub, max(grid.stub - len(indent), 1), hanging=2)]]
    for j in panel:
        cell = row.cells[j]
        text = typographic(cell.text) if minus == "sign" and cell.numeric else cell.text
        pad = len(hidden_tail(cell, grid.tails[j]))
        blocks.append([line + " " * pad for line in _aligned(text, grid.columns[j] - pad, spec.columns[j].align)])
    return _join(blocks, [grid.stub, *(grid.columns[j] for j in panel)])


def _indent(row: Row) -> str:
    return "  " if row.group and row.stub else ""


def _aligned(text: str, width: int, align: Align) -> list[str]:
    return [_align(line, width, align) for line in wrap(text, width)]


def _align(text: str, width: int, align: Align) -> str:
    blanks = max(width - display_width(text), 0)
    before = {"left": 0, "right": blanks, "center": blanks // 2}[align]
    return " " * before + text + " " * (blanks - before)


def _join(blocks: Sequence[Sequence[str]], widths: Sequence[int], *, bottom: bool = False) -> list[str]:
    """Put blocks of lines side by side; the first, the stub, vanishes where it has no width."""
    columns = []
    for block, width in zip(blocks, widths, strict=True):
        blank = [""] * (max(map(len, blocks)) - len(block))
        lines = [*blank, *block] if bottom else [*block, *blank]
        columns += [[_align(line, width, "left") for line in lines]] if width else []
    return [(" " * GAP).join(parts) for parts in zip(*columns, strict=True)]


# for machines --------------------------------------------------------------------------------------------------------


def to_csv(spec: TableSpec, *, delimiter: str = ",", formulas: Formulas = "neutralise") -> str:
    """Write a table as delimited text.

    Parameters
    ----------
    spec : TableSpec
        The table.
    delimiter : str
        Character between cells.
    formulas : {"neutralise", "keep"}
        Text that a spreadsheet would carry out as a formula (it begins with `=`, `+`, `-`, `@`, a tab or a carriage
        return, blanks and quotes before it not counted) gets an apostrophe before it, or stays as it is. Numbers stay.

    Returns
    -------
    str
        A header line and a line for each row: group and measure where the table has them, row, then the cells. Titles
        and notes are left out.

    Raises
    ------
    OptionError
        For an unknown `formulas`.

    Examples
    --------
    >>> from wagegap._display.spec import Cell, make_row, make_table
    >>> print(to_csv(make_table(["USA"], [make_row("premium", [Cell("0.25", 0.2513)])])))
    row,USA
    premium,0.2513
    <BLANKLINE>
    """
    check_option("formulas", formulas, ("neutralise", "keep"))
    stub = spec.stub_header or "row"
    leading = {
        "group": [row.group for row in spec.rows],
        stub: [row.name for row in spec.rows],
        "measure": [row.measure for row in spec.rows],
    }
    leading = {head: column for head, column in leading.items() if any(column) or (head == stub and spec.has_stub)}
    headers = [": ".join(filter(None, (column.group, column.name or column.header))) for column in spec.columns]
    cells = [[_raw(cell) for cell in row.cells] for row in spec.rows]
    body = [[*(column[i] for column in leading.values()), *row] for i, row in enumerate(cells)]
    lines = [[*leading, *headers], *body]
    if formulas == "neutralise":
        lines = [[neutral(text) for text in line] for line in lines]
    buffer = io.StringIO()
    csv.writer(buffer, delimiter=delimiter, lineterminator="\n").writerows(lines)
    return buffer.getvalue()


def neutral(text: str) -> str:
    """Put an apostrophe before text that a spreadsheet would carry out; a number, and a lone `-`, are none.

    >>> neutral("=cmd()"), neutral(" +A1"), neutral("-0.3"), neutral("-")
    ("'=cmd()", "' +A1", '-0.3', '-')
    """
    start = text.lstrip(_BEFORE_FORMULAS)
    begins = text[:1] in ("\t", "\r") or start[:1] in _FORMULAS
    return f"'{text}" if begins and start != "-" and not _is_number(text) else text


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return "_" not in text


def _raw(cell: Cell) -> str:
    if isinstance(cell.value, float):
        return "NA" if math.isnan(cell.value) else repr(cell.value)
    return cell.text if cell.value is None else str(cell.value)
