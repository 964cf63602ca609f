"""Tables as Markdown with pipes, as GitHub, Jupyter and Quarto read them.

Such tables know neither spanning headings nor rules: the heading of a group of columns stands before each header, that
of a group of rows in a row of its own.
"""

from __future__ import annotations

import re

from wagegap._display.numbers import typographic
from wagegap._display.spec import ABSENT, Cell, TableSpec, headed_rows

__all__ = ["escape_markdown", "to_markdown"]

_MARKS = re.compile(r"([\\`*_{}\[\]<>#|~$^@])")
_RULES = {"left": ":---", "right": "---:", "center": ":---:"}


def escape_markdown(text: str) -> str:
    r"""Escape what Markdown, its mathematics and the HTML within it would take for marks.

    >>> print(escape_markdown("a|b_c & <script>"))
    a\|b\_c &amp; \<script\>
    """
    return _MARKS.sub(r"\\\1", text).replace("&", "&amp;")


def to_markdown(spec: TableSpec) -> str:
    r"""Write a table as Markdown.

    Parameters
    ----------
    spec : TableSpec
        The table.

    Returns
    -------
    str
        A title in bold, a pipe table, and a paragraph for each note.

    Examples
    --------
    >>> from wagegap._display.spec import make_row, make_table
    >>> print(to_markdown(make_table(["USA", "Korea"], [make_row("premium", ["0.25", "0.06"])])))
    |  | USA | Korea |
    | :--- | ---: | ---: |
    | premium | 0.25 | 0.06 |
    """
    headers = [f"{column.group}: {column.header}" if column.group else column.header for column in spec.columns]
    stub = [spec.stub_header] if spec.has_stub else []
    lines = [f"**{escape_markdown(spec.title)}**", ""] if spec.title else []
    lines.append(_line([escape_markdown(header) for header in [*stub, *headers]]))
    lines.append(_line([*([_RULES["left"]] if stub else []), *(_RULES[column.align] for column in spec.columns)]))
    for heading, _, row in headed_rows(spec):
        if heading:
            lines.append(_line([f"**{escape_markdown(heading)}**", *[""] * (len(spec.columns) + len(stub) - 1)]))
        cells = [_content(cell) for cell in row.cells]
        lines.append(_line([*([escape_markdown(row.stub)] if stub else []), *cells]))
    for note in spec.notes:
        lines += ["", escape_markdown(note)]
    return "\n".join(lines)


def _content(cell: Cell) -> str:
    if not cell.numeric:
        return escape_markdown(cell.text)
    return "\N{EN DASH}" if cell.text == ABSENT else escape_markdown(typographic(cell.text))


def _line(cells: list[str]) -> str:
    return "| " + " | ".join(cells) + " |"
