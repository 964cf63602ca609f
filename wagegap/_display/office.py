"""Tables as files of Word and Excel: the strings that a reader is shown, and in Excel the raw numbers behind them.

Word has three rules, as in print, a header that is repeated on each page, and notes beneath. In Excel a number is a
number whose format writes it as the reader was shown it, parentheses and stars included; text that would be carried out
as a formula is neutralised as in delimited text.
"""

from __future__ import annotations

import io
import re
from collections.abc import Sequence
from typing import Any

from wagegap._display.spec import Cell, Row, TableSpec, headed_rows, spans
from wagegap._display.text import Formulas, neutral
from wagegap.errors import ExtraMissingError

__all__ = ["to_docx", "to_xlsx"]

_NUMBER = re.compile(r"(?P<before>[^\d.\-]*)(?P<number>-?[\d,]*\.?\d+)(?P<after>\D*)")
_WIDEST, _NARROWEST = 60, 9


def to_docx(spec: TableSpec) -> bytes:
    """Write a table as a Word document.

    Raises
    ------
    ExtraMissingError
        Without python-docx.
    """
    try:
        import docx
        from docx.shared import Pt
    except ImportError as error:
        raise ExtraMissingError("Word files need python-docx: pip install 'wagegap[tables]'.") from error
    document = docx.Document()
    if spec.title:
        document.add_paragraph().add_run(spec.title).bold = True
    lines = _lines(spec)
    grid = document.add_table(rows=len(lines), cols=len(lines[0][1]))
    for at, (kind, texts) in enumerate(lines):
        row = grid.rows[at]
        for j, text in enumerate(texts):
            paragraph = row.cells[j].paragraphs[0]
            run = paragraph.add_run(text)
            run.font.size, run.italic = Pt(9), kind == "group"
            paragraph.alignment = _alignment(spec, j)
            paragraph.paragraph_format.space_after = Pt(0)
        _rule(row, above=kind == "rule" or at == 0, below=_ends(lines, at), repeated=kind == "header")
    for note in spec.notes:
        document.add_paragraph().add_run(note).font.size = Pt(8)
    return _bytes(document)


def to_xlsx(spec: TableSpec, *, formulas: Formulas = "neutralise") -> bytes:
    """Write a table as an Excel workbook of one sheet.

    Raises
    ------
    ExtraMissingError
        Without openpyxl.
    """
    try:
        import openpyxl
        from openpyxl.styles import Alignment, Border, Font, Side
    except ImportError as error:
        raise ExtraMissingError("Excel files need openpyxl: pip install 'wagegap[tables]'.") from error
    book = openpyxl.Workbook()
    sheet, at = book.active, 1
    safe = neutral if formulas == "neutralise" else str
    if spec.title:
        sheet.cell(at, 1, safe(spec.title)).font = Font(bold=True)
        at += 1
    first, numbers = at, _numbers(spec)
    for offset, (kind, texts) in enumerate(_lines(spec)):
        for j, text in enumerate(texts):
            cell, number = sheet.cell(at + offset, j + 1), numbers.get((offset, j))
            if number is not None and (shape := _format(number)) is not None:
                cell.value, cell.number_format = number.value, shape
            else:
                cell.value = safe(text) or None
            cell.alignment = Alignment(horizontal=_side(spec, j))
            if kind in ("rule", "header"):
                edge = Side(style="thin")
                cell.border = Border(top=edge if kind == "rule" or offset == 0 else None,
                                     bottom=edge if kind == "header" else None)  # fmt: skip
    _fit_columns(sheet, first)
    for note in spec.notes:
        sheet.cell(sheet.max_row + 1, 1, safe(note)).font = Font(size=9)
    return _bytes(book)


def _lines(spec: TableSpec) -> list[tuple[str, list[str]]]:
    """Every line as texts, with what it is: "header", "group" (a heading of rows), "rule" (one stands above), "row"."""
    stub = [spec.stub_header] if spec.has_stub else []
    lines = []
    if any(column.group for column in spec.columns):
        above = [text for group, count in spans(spec.columns) for text in (group, *[""] * (count - 1))]
        lines.append(("header", [*("" for _ in stub), *above]))
    lines.append(("header", [*stub, *(column.header for column in spec.columns)]))
    for heading, rule, row in headed_rows(spec):
        if heading:
            lines.append(("group", [heading, *[""] * (len(spec.columns) + len(stub) - 1)]))
        lines.append(("rule" if rule else "row", _texts(spec, row)))
    return lines


def _texts(spec: TableSpec, row: Row) -> list[str]:
    return [*([row.stub] if spec.has_stub else []), *(cell.text for cell in row.cells)]


def _numbers(spec: TableSpec) -> dict[tuple[int, int], Cell]:
    """Cells with numbers by their line and column, as `_lines` counts them."""
    at = 2 if any(column.group for column in spec.columns) else 1
    found: dict[tuple[int, int], Cell] = {}
    for heading, _, row in headed_rows(spec):
        at += bool(heading)
        found |= {(at, j + spec.has_stub): cell for j, cell in enumerate(row.cells) if cell.numeric}
        at += 1
    return found


def _format(cell: Cell) -> str | None:
    """Format by which Excel writes a number as its text has it; None where the text is no number.

    >>> _format(Cell("(0.021)", 0.0213)), _format(Cell("0.251***", 0.2513)), _format(Cell("1,234", 1234))
    ('"("0.000")"', '0.000"***"', '#,##0')
    """
    parts = _NUMBER.fullmatch(cell.text)
    if parts is None or cell.value != cell.value:
        return None
    whole, _, decimals = parts["number"].partition(".")
    number = ("#,##0" if "," in whole else "0") + ("." + "0" * len(decimals) if decimals else "")
    quoted = ["" if not text else '"' + text.replace('"', "") + '"' for text in (parts["before"], parts["after"])]
    return f"{quoted[0]}{number}{quoted[1]}"


def _side(spec: TableSpec, j: int) -> str:
    return "left" if spec.has_stub and j == 0 else spec.columns[j - spec.has_stub].align


def _alignment(spec: TableSpec, j: int) -> Any:
    from docx.enum.text import WD_ALIGN_PARAGRAPH

    return getattr(WD_ALIGN_PARAGRAPH, _side(spec, j).upper())


def _ends(lines: Sequence[tuple[str, list[str]]], at: int) -> bool:
    """Whether a rule stands below a line: below the last of the header, and below the table."""
    return at + 1 == len(lines) or (lines[at][0] == "header" and lines[at + 1][0] != "header")


def _rule(row: Any, *, above: bool, below: bool, repeated: bool) -> None:
    """Draw rules of a row of Word, and have it repeated on each page."""
    from docx.oxml import OxmlElement
    from docx.oxml.ns import qn

    if repeated:
        row._tr.get_or_add_trPr().append(OxmlElement("w:tblHeader"))
    edges = [name for name, drawn in (("top", above), ("bottom", below)) if drawn]
    for cell in row.cells if edges else ():
        borders = OxmlElement("w:tcBorders")
        for name in edges:
            edge = OxmlElement(f"w:{name}")
            for key, value in {"val": "single", "sz": "6", "color": "000000"}.items():
                edge.set(qn(f"w:{key}"), value)
            borders.append(edge)
        cell._tc.get_or_add_tcPr().append(borders)


def _fit_columns(sheet: Any, first: int) -> None:
    """Make columns as wide as what is in them, the title left out."""
    from openpyxl.utils import get_column_letter

    for j, column in enumerate(sheet.iter_cols(min_row=first), start=1):
        widest = max((len(str(cell.value)) for cell in column if isinstance(cell.value, str)), default=0)
        sheet.column_dimensions[get_column_letter(j)].width = min(max(widest + 2, _NARROWEST), _WIDEST)


def _bytes(document: Any) -> bytes:
    stream = io.BytesIO()
    document.save(stream)
    return stream.getvalue()
