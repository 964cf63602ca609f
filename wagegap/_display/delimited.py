"""Tables as delimited text, for machines: the raw numbers to the last digit, not what a reader was shown.

A number that is unknown is `NA`, a cell that has none is empty; both read as missing.
"""

from __future__ import annotations

import csv
import io
import math

from wagegap._display.spec import Cell, TableSpec

__all__ = ["to_csv"]


def to_csv(spec: TableSpec, *, delimiter: str = ",") -> str:
    """Write a table as delimited text.

    Parameters
    ----------
    spec : TableSpec
        The table.
    delimiter : str
        Character between cells.

    Returns
    -------
    str
        A header line and a line for each row: group and measure where the table has them, row, then the cells. Titles
        and notes are left out.

    Examples
    --------
    >>> from wagegap._display.spec import Cell, make_row, make_table
    >>> print(to_csv(make_table(["USA"], [make_row("premium", [Cell("0.25", 0.2513)])])))
    row,USA
    premium,0.2513
    <BLANKLINE>
    """
    stub = spec.stub_header or "row"
    leading = {
        "group": [row.group for row in spec.rows],
        stub: [row.name for row in spec.rows],
        "measure": [row.measure for row in spec.rows],
    }
    leading = {head: column for head, column in leading.items() if any(column) or (head == stub and spec.has_stub)}
    buffer = io.StringIO()
    writer = csv.writer(buffer, delimiter=delimiter, lineterminator="\n")
    names = [column.name or column.header for column in spec.columns]
    headers = [f"{c.group}: {name}" if c.group else name for c, name in zip(spec.columns, names, strict=True)]
    writer.writerow([*leading, *headers])
    for i, row in enumerate(spec.rows):
        writer.writerow([*(column[i] for column in leading.values()), *(_raw(cell) for cell in row.cells)])
    return buffer.getvalue()


def _raw(cell: Cell) -> str:
    if cell.value is None:
        return cell.text
    if isinstance(cell.value, float):
        return "NA" if math.isnan(cell.value) else repr(cell.value)
    return str(cell.value)
