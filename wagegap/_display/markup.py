r"""Tables as HTML, as LaTeX and as Markdown; every string is escaped.

HTML, for notebooks and pages, is one `<table>` that carries its own few styles and no script. Headers state what they
head (`scope`), rules take the colour of the text, so that the table also reads on a dark page.

LaTeX has the rules of the booktabs package and nothing else to load. What is escaped are characters that it takes for
commands, brackets and stars that would be read as an argument of the preceding line break, and the Greek letters, minus
signs and superscripts that common fonts lack.

Markdown has pipes, as GitHub, Jupyter and Quarto read them. Such tables know neither spanning headings nor rules: the
heading of a group of columns stands before each header, that of a group of rows in a row of its own.
"""

from __future__ import annotations

import re
from html import escape

from wagegap._display.numbers import typographic
from wagegap._display.session import escape_markdown
from wagegap._display.spec import ABSENT, Cell, Row, TableSpec, headed_rows, hidden_tail, spans, tail, tails
from wagegap.errors import OptionError

__all__ = ["escape_latex", "policy", "to_html", "to_html_page", "to_latex", "to_markdown"]

# HTML ----------------------------------------------------------------------------------------------------------------


def policy(script_hash: str = "") -> str:
    """Return what a page may do: show its own styles and the pictures it holds, and ask the network for nothing.

    It runs nothing either, or one script alone: the one whose SHA-256, in base64, is given.

    >>> "script-src" in policy(), "script-src 'sha256-abc=';" in policy("abc=")
    (False, True)
    """
    script = f"script-src 'sha256-{script_hash}'; " if script_hash else ""
    return (
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'; "
        f"{script}img-src data:; base-uri 'none'; form-action 'none'\">"
    )


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
    lines += ["<thead>", *_html_header(spec), "</thead>"]
    lines += [f'<tbody style="border-top:{_THIN};border-bottom:{_THICK}">', *_html_body(spec), "</tbody>"]
    if spec.notes:
        lines += ["<tfoot>", *(_full_width(spec, note, "td", "font-size:0.9em;") for note in spec.notes), "</tfoot>"]
    return "\n".join([*lines, "</table>"])


def to_html_page(spec: TableSpec) -> str:
    """Write a table as a whole HTML page, which names its encoding and may run nothing."""
    head = f'<head>\n<meta charset="utf-8">\n{policy()}\n<title>{escape(spec.title or "Table")}</title>\n</head>'
    return f'<!DOCTYPE html>\n<html lang="en">\n{head}\n<body>\n{to_html(spec)}\n</body>\n</html>\n'


def _html_header(spec: TableSpec) -> list[str]:
    heads = [f'<th scope="col" style="text-align:left;{_PAD}">{escape(spec.stub_header)}</th>'] if spec.has_stub else []
    heads += [
        f'<th scope="col" style="text-align:{column.align};{_PAD}">{escape(column.header)}</th>'
        for column in spec.columns
    ]
    top = f'<tr style="border-top:{_THICK}">'
    if not any(column.group for column in spec.columns):
        return [top, *heads, "</tr>"]
    groups = ["<td></td>"] if spec.has_stub else []
    style = f"text-align:center;{_PAD};border-bottom:{_THIN}"
    groups += [
        f'<th scope="colgroup" colspan="{count}" style="{style}">{escape(group)}</th>'
        if group
        else f'<td colspan="{count}"></td>'
        for group, count in spans(spec.columns)
    ]
    return [top, *groups, "</tr>", "<tr>", *heads, "</tr>"]


def _html_body(spec: TableSpec) -> list[str]:
    longest = tails(spec)
    lines = []
    for heading, rule, row in headed_rows(spec):
        lines += [_full_width(spec, heading, "th")] if heading else []
        lines.append(f'<tr style="border-top:{_THIN}">' if rule else "<tr>")
        lines += [_stub(row)] if spec.has_stub else []
        lines += [
            f'<td style="text-align:{column.align};{_PAD}">{_html_content(cell, ending)}</td>'
            for column, cell, ending in zip(spec.columns, row.cells, longest, strict=True)
        ]
        lines.append("</tr>")
    return lines


def _stub(row: Row) -> str:
    if not row.stub:
        return "<td></td>"
    indent = ";padding-left:1.8em" if row.group else ""
    return f'<th scope="row" style="text-align:left;font-weight:normal;{_PAD}{indent}">{escape(row.stub)}</th>'


def _html_content(cell: Cell, ending: str) -> str:
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


# LaTeX ---------------------------------------------------------------------------------------------------------------

_LATEX = {
    "\\": r"\textbackslash{}",
    "&": r"\&",
    "%": r"\%",
    "$": r"\$",
    "#": r"\#",
    "_": r"\_",
    "{": r"\{",
    "}": r"\}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    "[": "{[}",
    "]": "{]}",
    "`": r"\textasciigrave{}",
    '"': r"\char34{}",
    "\N{MINUS SIGN}": "$-$",
    "\N{EN DASH}": "--",
    "\N{EM DASH}": "---",
    "\N{NO-BREAK SPACE}": "~",
    "\N{MULTIPLICATION SIGN}": r"$\times$",
    "\N{PLUS-MINUS SIGN}": r"$\pm$",
    "\N{INFINITY}": r"$\infty$",
    "\N{LESS-THAN OR EQUAL TO}": r"$\leq$",
    "\N{GREATER-THAN OR EQUAL TO}": r"$\geq$",
    "\N{SUPERSCRIPT TWO}": "$^{2}$",
    "\N{SUPERSCRIPT THREE}": "$^{3}$",
    "\N{GREEK CAPITAL LETTER DELTA}": r"$\Delta$",
    "\N{GREEK CAPITAL LETTER SIGMA}": r"$\Sigma$",
    "α": r"$\alpha$", "β": r"$\beta$", "γ": r"$\gamma$", "δ": r"$\delta$", "ε": r"$\epsilon$", "ζ": r"$\zeta$",
    "η": r"$\eta$", "θ": r"$\theta$", "κ": r"$\kappa$", "λ": r"$\lambda$", "μ": r"$\mu$", "ν": r"$\nu$",
    "ξ": r"$\xi$", "π": r"$\pi$", "ρ": r"$\rho$", "σ": r"$\sigma$", "τ": r"$\tau$", "φ": r"$\phi$", "χ": r"$\chi$",
    "ψ": r"$\psi$", "ω": r"$\omega$",
}  # fmt: skip


_LABEL = re.compile(r"[A-Za-z0-9:._/+-]+(?: [A-Za-z0-9:._/+-]+)*")
"""What a label may be: it is a name, which cannot be escaped."""


def escape_latex(text: str) -> str:
    r"""Escape a string for the text of a LaTeX document.

    >>> print(escape_latex("R&D_share: 5 % of $100"))
    R\&D\_share: 5 \% of \$100
    """
    escaped = "".join(_LATEX.get(char, char) for char in text)
    ligatures = re.sub(r"-(?=-)", "-{}", escaped) if "--" in text else escaped
    return "{*}" + ligatures[1:] if ligatures.startswith("*") else ligatures


def to_latex(spec: TableSpec, *, label: str = "", longtable: bool = False) -> str:
    r"""Write a table as a LaTeX `table` environment, or as a `longtable` that runs over pages.

    Parameters
    ----------
    spec : TableSpec
        The table.
    label : str
        Label for `\ref`, of letters, digits and `:._/+-`; empty for none.
    longtable : bool
        Whether the table may be broken across pages, its header repeated.

    Returns
    -------
    str
        LaTeX that needs `\usepackage{booktabs}`, a long one `\usepackage{longtable}` too.

    Raises
    ------
    OptionError
        For a label that LaTeX would not take for one.

    Examples
    --------
    >>> from wagegap._display.spec import make_row, make_table
    >>> print(to_latex(make_table(["USA"], [make_row("R&D", ["0.25"])], title="Premiums")))
    % needs \usepackage{booktabs}
    \begin{table}[htbp]
    \centering
    \caption{Premiums}
    \begin{tabular}{lr}
    \toprule
     & USA \\
    \midrule
    R\&D & 0.25 \\
    \bottomrule
    \end{tabular}
    \end{table}
    """
    if label and not _LABEL.fullmatch(label):
        raise OptionError(
            f"label={label[:60]!r} cannot be a label of LaTeX: use letters, digits, blanks between and : . _ / + - "
            "alone, such as 'tab:premiums'."
        )
    if longtable:
        return _long_latex(spec, label)
    lines = [r"% needs \usepackage{booktabs}", r"\begin{table}[htbp]", r"\centering"]
    lines += [rf"\caption{{{escape_latex(spec.title)}}}"] if spec.title else []
    lines += [rf"\label{{{label}}}"] if label else []
    lines += [rf"\begin{{tabular}}{{{_pattern(spec)}}}", r"\toprule", *_latex_header(spec), r"\midrule"]
    lines += [*_latex_body(spec), r"\bottomrule", r"\end{tabular}"]
    if spec.notes:
        notes = [rf"{escape_latex(note)}\par" for note in spec.notes]
        lines += ["", r"\smallskip", r"\begin{minipage}{0.95\linewidth}\footnotesize", *notes, r"\end{minipage}"]
    return "\n".join([*lines, r"\end{table}"])


def _long_latex(spec: TableSpec, label: str) -> str:
    """A table over pages: the header stands on each, the caption on the first, the notes behind the last row."""
    caption = rf"\caption{{{escape_latex(spec.title)}}}" if spec.title else ""
    marks = caption + (rf"\label{{{label}}}" if label else "")
    header = [r"\toprule", *_latex_header(spec), r"\midrule"]
    lines = [r"% needs \usepackage{booktabs} and \usepackage{longtable}", rf"\begin{{longtable}}{{{_pattern(spec)}}}"]
    lines += [*([marks + r" \\"] if marks else []), *header, r"\endfirsthead", *header, r"\endhead"]
    lines += [r"\bottomrule", r"\endfoot", *_latex_body(spec), r"\end{longtable}"]
    notes = [rf"\noindent {escape_latex(note)}\par" for note in spec.notes]
    return "\n".join([*lines, *(["{\\footnotesize", *notes, "}"] if notes else [])])


def _pattern(spec: TableSpec) -> str:
    """Alignment of every column, as `tabular` takes it."""
    return ("l" if spec.has_stub else "") + "".join(column.align[0] for column in spec.columns)


def _latex_header(spec: TableSpec) -> list[str]:
    lines, stub = [], [spec.stub_header] if spec.has_stub else []
    if any(column.group for column in spec.columns):
        cells, rules, start = ["" for _ in stub], [], 1 + len(stub)
        for group, count in spans(spec.columns):
            heading = rf"\multicolumn{{{count}}}{{c}}{{{escape_latex(group)}}}"
            cells += [heading] if group else [""] * count
            rules += [rf"\cmidrule(lr){{{start}-{start + count - 1}}}"] if group else []
            start += count
        lines += [" & ".join(cells) + r" \\", "".join(rules)]
    headers = [escape_latex(header) for header in stub]
    headers += [
        rf"\multicolumn{{1}}{{c}}{{{escape_latex(column.header)}}}"
        if column.align == "center"
        else escape_latex(column.header)
        for column in spec.columns
    ]
    return [*lines, " & ".join(headers) + r" \\"]


def _latex_body(spec: TableSpec) -> list[str]:
    longest = tails(spec)
    lines = []
    for heading, rule, row in headed_rows(spec):
        across = rf"\multicolumn{{{len(spec.columns) + spec.has_stub}}}{{l}}{{{escape_latex(heading)}}} \\"
        lines += [*([r"\midrule"] if rule else []), *([across] if heading else [])]
        indent = r"\quad " if row.group and row.stub else ""
        cells = [indent + escape_latex(row.stub)] if spec.has_stub else []
        cells += [_latex_content(cell, ending) for cell, ending in zip(row.cells, longest, strict=True)]
        lines.append(" & ".join(cells) + r" \\")
    return lines


def _latex_content(cell: Cell, ending: str) -> str:
    """Escape a cell; stars are raised, and phantoms behind a number let digits stand under digits."""
    if not cell.numeric:
        return escape_latex(cell.text)
    if cell.text == ABSENT:
        return "--"
    shown, hidden = tail(cell), hidden_tail(cell, ending)
    return (
        escape_latex(typographic(cell.text.removesuffix(shown)))
        + _raised(shown)
        + (rf"\phantom{{{_raised(hidden)}}}" if hidden else "")
    )


def _raised(ending: str) -> str:
    return f"$^{{{ending}}}$" if ending and set(ending) == {"*"} else escape_latex(ending)


# Markdown ------------------------------------------------------------------------------------------------------------

_RULES = {"left": ":---", "right": "---:", "center": ":---:"}


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
    rules = [*([_RULES["left"]] if stub else []), *(_RULES[column.align] for column in spec.columns)]
    lines += [_pipes([escape_markdown(header) for header in [*stub, *headers]]), _pipes(rules)]
    for heading, _, row in headed_rows(spec):
        if heading:
            lines.append(_pipes([f"**{escape_markdown(heading)}**", *[""] * (len(rules) - 1)]))
        named = [escape_markdown(row.stub)] if stub else []
        lines.append(_pipes([*named, *(_markdown_content(cell) for cell in row.cells)]))
    return "\n".join([*lines, *(line for note in spec.notes for line in ("", escape_markdown(note)))])


def _markdown_content(cell: Cell) -> str:
    if not cell.numeric:
        return escape_markdown(cell.text)
    return "\N{EN DASH}" if cell.text == ABSENT else escape_markdown(typographic(cell.text))


def _pipes(cells: list[str]) -> str:
    return "| " + " | ".join(cells) + " |"
