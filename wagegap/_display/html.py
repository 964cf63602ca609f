"""Tables as HTML for notebooks and pages: one `<table>` that carries its own few styles and no script.

Every string is escaped. Headers state what they head (`scope`), rules take the colour of the text, so that the table
also reads on a dark page.
"""

from __future__ import annotations

from html import escape

from wagegap._display.numbers import typographic
from wagegap._display.spec import ABSENT, Cell, Row, TableSpec, headed_rows, hidden_tail, spans, tails

__all__ = ["to_html", "to_html_page"]

_THICK = "1.5px solid currentColor"
_THIN = "0.75px solid currentColor"
_PAD = "padding:0.2em 0.8em"


def to_html(spec: TableSpec) -> str:
    """Write a table as an HTML fragment.

    Parameters
    ----------
    spec : TableSpec
        The table.

    Returns
    -------
    str
        A `<table>` element.

    Examples
    --------
    >>> from wagegap._display.spec import make_row, make_table
    >>> html = to_html(make_table(["<b>"], [make_row("R&D", ["-0.1"])]))
    >>> "&lt;b&gt;" in html, "R&amp;D" in html
    (True, True)
    """
    lines = ['<table class="wagegap" style="border-collapse:collapse;font-variant-numeric:tabular-nums">']
    if spec.title:
        lines.append(f'<caption style="caption-side:top;text-align:left;{_PAD}">{escape(spec.title)}</caption>')
    lines += ["<thead>", *_header_lines(spec), "</thead>"]
    lines += [f'<tbody style="border-top:{_THIN};border-bottom:{_THICK}">', *_body_lines(spec), "</tbody>"]
    if spec.notes:
        lines += ["<tfoot>", *(_full_width(spec, note, "td", "font-size:0.9em;") for note in spec.notes), "</tfoot>"]
    return "\n".join([*lines, "</table>"])


def to_html_page(spec: TableSpec) -> str:
    """Write a table as a whole HTML page, which names its encoding."""
    title = escape(spec.title or "Table")
    head = f'<head>\n<meta charset="utf-8">\n<title>{title}</title>\n</head>'
    return f'<!DOCTYPE html>\n<html lang="en">\n{head}\n<body>\n{to_html(spec)}\n</body>\n</html>\n'


def _header_lines(spec: TableSpec) -> list[str]:
    heads = [f'<th scope="col" style="text-align:left;{_PAD}">{escape(spec.stub_header)}</th>'] if spec.has_stub else []
    for column in spec.columns:
        style = f"text-align:{column.align};{_PAD}"
        heads.append(f'<th scope="col" style="{style}">{escape(column.header)}</th>')
    top = f'<tr style="border-top:{_THICK}">'
    if not any(column.group for column in spec.columns):
        return [top, *heads, "</tr>"]
    groups = ["<td></td>"] if spec.has_stub else []
    for group, count in spans(spec.columns):
        style = f"text-align:center;{_PAD};border-bottom:{_THIN}"
        heading = f'<th scope="colgroup" colspan="{count}" style="{style}">{escape(group)}</th>'
        groups.append(heading if group else f'<td colspan="{count}"></td>')
    return [top, *groups, "</tr>", "<tr>", *heads, "</tr>"]


def _body_lines(spec: TableSpec) -> list[str]:
    longest = tails(spec)
    lines = []
    for heading, rule, row in headed_rows(spec):
        lines += [_full_width(spec, heading, "th")] if heading else []
        lines.append(f'<tr style="border-top:{_THIN}">' if rule else "<tr>")
        lines += [_stub(row)] if spec.has_stub else []
        for column, cell, ending in zip(spec.columns, row.cells, longest, strict=True):
            content = _content(cell, ending if column.align == "right" else "")
            lines.append(f'<td style="text-align:{column.align};{_PAD}">{content}</td>')
        lines.append("</tr>")
    return lines


def _stub(row: Row) -> str:
    if not row.stub:
        return "<td></td>"
    indent = ";padding-left:1.8em" if row.group else ""
    return f'<th scope="row" style="text-align:left;font-weight:normal;{_PAD}{indent}">{escape(row.stub)}</th>'


def _content(cell: Cell, ending: str) -> str:
    """Escape a cell; hidden characters behind a number let digits stand under digits."""
    if not cell.numeric:
        return escape(cell.text)
    text = escape("\N{EN DASH}" if cell.text == ABSENT else typographic(cell.text))
    hidden = hidden_tail(cell, ending)
    return f'{text}<span style="visibility:hidden">{escape(hidden)}</span>' if hidden else text


def _full_width(spec: TableSpec, text: str, tag: str, style: str = "") -> str:
    count = len(spec.columns) + spec.has_stub
    scope = ' scope="rowgroup"' if tag == "th" else ""
    return f'<tr><{tag}{scope} colspan="{count}" style="text-align:left;{style}{_PAD}">{escape(text)}</{tag}></tr>'
