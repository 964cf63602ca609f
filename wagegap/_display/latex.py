r"""Tables as LaTeX, with the rules of the booktabs package and nothing else to load.

Every string is escaped: characters that LaTeX takes for commands, brackets and stars that would be read as an argument
of the preceding line break, and the Greek letters, minus signs and superscripts that common fonts lack.
"""

from __future__ import annotations

import re

from wagegap._display.numbers import typographic
from wagegap._display.spec import ABSENT, Cell, Row, TableSpec, headed_rows, hidden_tail, spans, tail, tails

__all__ = ["escape_latex", "to_latex"]

_CHARACTERS = {
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
}
_GREEK = {
    "α": "alpha",
    "β": "beta",
    "γ": "gamma",
    "δ": "delta",
    "ε": "epsilon",
    "ζ": "zeta",
    "η": "eta",
    "θ": "theta",
    "κ": "kappa",
    "λ": "lambda",
    "μ": "mu",
    "ν": "nu",
    "ξ": "xi",
    "π": "pi",
    "ρ": "rho",
    "σ": "sigma",
    "τ": "tau",
    "φ": "phi",
    "χ": "chi",
    "ψ": "psi",
    "ω": "omega",
}
_CHARACTERS |= {letter: rf"$\{name}$" for letter, name in _GREEK.items()}


def escape_latex(text: str) -> str:
    r"""Escape a string for the text of a LaTeX document.

    >>> print(escape_latex("R&D_share: 5 % of $100"))
    R\&D\_share: 5 \% of \$100
    """
    escaped = "".join(_CHARACTERS.get(char, char) for char in text)
    ligatures = re.sub(r"-(?=-)", "-{}", escaped) if "--" in text else escaped
    return "{*}" + ligatures[1:] if ligatures.startswith("*") else ligatures


def to_latex(spec: TableSpec, *, label: str = "") -> str:
    r"""Write a table as a LaTeX `table` environment.

    Parameters
    ----------
    spec : TableSpec
        The table.
    label : str
        Label for `\ref`; empty for none.

    Returns
    -------
    str
        LaTeX that needs `\usepackage{booktabs}`.

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
    lines = [r"% needs \usepackage{booktabs}", r"\begin{table}[htbp]", r"\centering"]
    if spec.title:
        lines.append(rf"\caption{{{escape_latex(spec.title)}}}")
    if label:
        lines.append(rf"\label{{{label}}}")
    pattern = ("l" if spec.has_stub else "") + "".join(column.align[0] for column in spec.columns)
    lines += [rf"\begin{{tabular}}{{{pattern}}}", r"\toprule", *_header_lines(spec), r"\midrule"]
    lines += [*_body_lines(spec), r"\bottomrule", r"\end{tabular}"]
    if spec.notes:
        lines += ["", r"\smallskip", r"\begin{minipage}{0.95\linewidth}\footnotesize"]
        lines += [rf"{escape_latex(note)}\par" for note in spec.notes]
        lines.append(r"\end{minipage}")
    return "\n".join([*lines, r"\end{table}"])


def _header_lines(spec: TableSpec) -> list[str]:
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


def _body_lines(spec: TableSpec) -> list[str]:
    longest = tails(spec)
    lines = []
    for heading, rule, row in headed_rows(spec):
        lines += [r"\midrule"] if rule else []
        if heading:
            lines.append(rf"\multicolumn{{{len(spec.columns) + spec.has_stub}}}{{l}}{{{escape_latex(heading)}}} \\")
        cells = [_stub(row)] if spec.has_stub else []
        cells += [
            _content(cell, ending if column.align == "right" else "")
            for column, cell, ending in zip(spec.columns, row.cells, longest, strict=True)
        ]
        lines.append(" & ".join(cells) + r" \\")
    return lines


def _stub(row: Row) -> str:
    indent = r"\quad " if row.group and row.stub else ""
    return indent + escape_latex(row.stub)


def _content(cell: Cell, ending: str) -> str:
    """Escape a cell; stars are raised, and phantoms behind a number let digits stand under digits."""
    if not cell.numeric:
        return escape_latex(cell.text)
    if cell.text == ABSENT:
        return "--"
    shown, hidden = tail(cell), hidden_tail(cell, ending)
    number = escape_latex(typographic(cell.text.removesuffix(shown)))
    return number + _raised(shown) + (rf"\phantom{{{_raised(hidden)}}}" if hidden else "")


def _raised(ending: str) -> str:
    return f"$^{{{ending}}}$" if ending and set(ending) == {"*"} else escape_latex(ending)
