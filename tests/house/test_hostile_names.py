"""Names of columns, labels and titles are shown for what they are: no text of theirs is markup, command or formula."""

from __future__ import annotations

import csv
import io
import re
from html.parser import HTMLParser
from xml.etree import ElementTree

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

import wagegap as wg
from wagegap.errors import WagegapError

NAMES = [
    "__import__('os').system('echo > canary')", "a`b", "`; import os", "np", "pd", "log", "C", "I", "__class__", "self",
    "frame", "quo'te", 'quo"te', "new\nline", "tab\t", "back\\slash", "{brace}", "[0]", "dot.dot", "exper.values",
    "a b", " a", "~", "|", "a | b ~ c", "1", "2.5", "-1", "@pd", "\0", "é", "ｅｘｐｅｒ", "lambda", "None", "True",
    "in", "not in", "Intercept", "index", "level_0", "%s", "{0.__class__}", "=cmd|'/C calc'!A0",
    "<script>alert(1)</script>", "$x$", "\\input{a}", "f0", "f1", "data", "C(field)", "log(z)", "z:field", "x[T.1]",
    "offset(x)", "# comment", "\u202ebidi", "\u200b", "\ufeff", "x" * 3000, "1_000", "*", "**", "()", "''", "...",
    "a=1", "a;b", "a,b", "&amp;", "../x", "values", "columns", "row", "unit", "term", "estimate",
]  # fmt: skip
HOSTILE = [
    "<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "'><svg onload=alert(1)>",
    "</title><script>x()</script>", "</table></td><iframe src=javascript:alert(1)>", "<!-- ", "]]>", "<![CDATA[",
    "&lt;b&gt;", "&#60;script&#62;", '<a href="javascript:alert(1)">x</a>', "<style>*{display:none}</style>",
    "</text></svg><script>x()</script>", "<?php x ?>", "\\input{/etc/passwd}", "\\write18{echo > canary}",
    "}\\input{/etc/passwd}{", "$\\input{a}$", "\\end{table}\\input{a}", "\\catcode`\\@=11", "^^5cinput{a}", "% comment",
    "a & b \\\\ c", "#1", "$\\frac{$", "$x^{2}$", "$", "$$", "_{", "\\", "=cmd|'/C calc'!A0", "+1+cmd", "-2+3+cmd",
    "@SUM(1)", "\t=1+1", "\r=1+1", "=HYPERLINK(\"http://127.0.0.1:9\",\"x\")", "[x](javascript:alert(1))",
    "![x](http://127.0.0.1:9/x)", "| a | b |", "`code`", "{{7*7}}", "{0.__class__}", "%(x)s%n%s", "\x1b[31mred\x1b[0m",
    "\u202edesrever", "a\u200bb", "line\nbreak", "nul\0", "x" * 60, "ünï ß",
]  # fmt: skip


def rows(name="x", n=60):
    """Sixty workers, one of whose columns has a name of its own."""
    rng, i = np.random.default_rng(5), np.arange(n)
    frame = pd.DataFrame({"z": rng.normal(size=n), "y": rng.normal(size=n), "kind": np.array(["p", "q"])[i // 2 % 2]})
    frame[name] = (i % 2) * 1.0
    return frame


def quoted(name):
    return f"`{name}`"


CALLS = {
    "regressor": lambda frame, name: wg.fit_linear(frame, f"y ~ {quoted(name)} + z").params.to_numpy(),
    "outcome": lambda frame, name: wg.fit_linear(frame, f"{quoted(name)} ~ z").params.to_numpy(),
    "within a function": lambda frame, name: wg.fit_linear(frame, f"y ~ I({quoted(name)} + z)").params.to_numpy(),
    "factor": lambda frame, name: wg.fit_linear(frame, f"y ~ C({quoted(name)})*z").params.to_numpy(),
    "absorbed": lambda frame, name: wg.fit_linear(frame, f"y ~ z | {quoted(name)}").params.to_numpy(),
    "condition": lambda frame, name: wg.read_panel(frame).filter(f"{quoted(name)} == 1").row_ids,
    "missing": lambda frame, name: wg.read_panel(frame).filter(f"{quoted(name)}.notna() and z > 0").row_ids,
    "premium": lambda frame,
    name: wg.fit_premiums(frame, f"y ~ {quoted(name)} + z", premium=name, by=[]).params.to_numpy(),
    "group": lambda frame, name: wg.oaxaca(frame, "y ~ z", group=name).params.to_numpy(), "cluster": lambda frame,
    name: wg.fit_linear(frame, "y ~ z", cov=wg.cov.Bootstrap(9, cluster=name, rng=1)).bse.to_numpy(),
    "event": lambda frame, name: wg.fit_rates(frame, name, by="kind", min_rows=1).params.to_numpy(), "by": lambda frame,
    name: wg.fit_rates(frame.assign(e=frame["y"] > 0), "e", by=name, min_rows=1).params.to_numpy(),
}  # fmt: skip


OWN = {("cluster", "row")}
"""Names with a meaning of their own at a door."""


@pytest.mark.filterwarnings("ignore::wagegap.errors.WagegapWarning")
@pytest.mark.parametrize("door", CALLS)
def test_a_column_is_called_what_it_is(door, tmp_path, monkeypatch):
    """The same numbers as under a plain name, or one typed error: what a name says is not done."""
    monkeypatch.chdir(tmp_path)
    call, refused = CALLS[door], []
    plain = call(rows(), "x")
    for name in [name for name in NAMES if (door, name) not in OWN]:
        try:
            values = call(rows(name), name)
        except WagegapError as error:
            refused.append((name, str(error)))
            continue
        np.testing.assert_array_equal(values, plain, err_msg=repr(name))
    assert all(len(message) <= 700 for _, message in refused)
    assert len(refused) <= 4, refused  # a backtick within the name, and those that results have themselves
    assert not list(tmp_path.iterdir())


# labels and titles --------------------------------------------------------------------------------------------------


class Shown(HTMLParser):
    """Elements, attributes and text of a page."""

    def __init__(self, page):
        super().__init__()
        self.elements, self.text = set(), ""
        self.feed(page)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.elements |= {tag, *(f"{tag} {name}" for name, _ in attrs)}

    def handle_data(self, data):
        self.text += data


def labelled(text):
    """A table, every label of which is a text."""
    fit = wg.fit_linear(rows(), "y ~ x + z")
    return wg.table(fit, labels={"x": text}, title=text, notes=[text])


def plain(text):
    """Text without blanks and what cannot be seen, for what a renderer leaves of it."""
    return re.sub(r"[\s\x00-\x1f\x7f\u200b-\u202e\ud800\ufffd]+", "", text)


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_a_table_shows_its_labels_as_they_are(text):
    made, tame = labelled(text), labelled("years")
    page = Shown(made.html())
    assert page.elements == Shown(tame.html()).elements
    assert plain(page.text).count(plain(text)[:200]) >= 2
    assert commands(made.latex()) <= commands(tame.latex()) | ESCAPES
    assert made.latex().count("\\\\") == tame.latex().count("\\\\")
    cells = [cell for line in csv.reader(io.StringIO(made.csv().replace("\0", ""))) for cell in line]
    assert not [cell for cell in cells if cell[:1] in "=+-@\t\r" and cell and not NUMBER.fullmatch(cell)]
    assert "<" not in re.sub(r"\\<|&lt;", "", made.markdown()) or not re.search(r"<[a-zA-Z!/?]", made.markdown())
    assert "\x1b" not in made.text() + made.markdown() + made.latex() + made.csv()


NUMBER = re.compile(r"[-+]?[\d.,]+(?:[eE][-+]?\d+)?|\([-\d.,]+\)|-?inf|nan")
ESCAPES = {
    "\\textbackslash", "\\textasciitilde", "\\textasciicircum", "\\textless", "\\textgreater", "\\textbar", "\\_",
    "\\%", "\\&", "\\#", "\\$", "\\{", "\\}", "\\textquotedbl", "\\textquotesingle", "\\textasciigrave", "\\char",
    "\\ ",
}  # fmt: skip


def commands(latex):
    """Control sequences of a text of LaTeX, and the marks that have a meaning where no backslash stands before."""
    found = set(re.findall(r"\\(?:[a-zA-Z]+|.)", latex))
    bare = re.sub(r"\\(?:[a-zA-Z]+|.)", "", latex, flags=re.DOTALL)
    return found | set(re.findall(r"[%#$^~]", bare))


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_a_figure_shows_its_labels_as_they_are(text, tmp_path):
    frame = pd.DataFrame({"place": [text, "other"], "b": [0.1, 0.2], "se": [0.1, 0.1]})
    estimates = wg.Estimates.from_table(frame, by=["place"])
    axes = wg.figures.plot_forest(estimates)
    axes.figure.savefig(tmp_path / "figure.svg")
    plt.close("all")
    tree = ElementTree.parse(tmp_path / "figure.svg")
    elements = {element.tag.rpartition("}")[2] for element in tree.iter()}
    assert elements <= {"svg", "metadata", "RDF", "Work", "type", "date", "format", "creator", "Agent", "title", "defs",
                        "style", "g", "path", "use", "clipPath", "rect", "text", "tspan", "desc", "image"}  # fmt: skip
    assert not [name for element in tree.iter() for name in element.attrib if name.lower().startswith("on")]


@pytest.mark.parametrize("text", HOSTILE[:12] + HOSTILE[14:16] + HOSTILE[24:32] + HOSTILE[-9:])
def test_a_report_shows_its_words_as_they_are(text, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    shown = Shown(_report(text, tmp_path / "hostile"))
    assert shown.elements == Shown(_report("words", tmp_path / "tame")).elements
    assert plain(text)[:200] in plain(shown.text)
    names = [
        {path.relative_to(folder) for path in folder.rglob("*")} for folder in (tmp_path / "hostile", tmp_path / "tame")
    ]
    assert names[0] == names[1]
    assert {path.name for path in tmp_path.iterdir()} == {"hostile", "tame", "workers.csv"}


def _report(text, folder):
    """The page of a study whose words are a text."""
    rows().to_csv("workers.csv", index=False)
    fit = {"panel": "p", "formula": "y ~ x", "premium": "x", "min_treated": 1, "min_comparison": 1, "label": text}
    study = {"title": text, "question": text, "panels": {"p": {"path": "workers.csv"}}, "premiums": {"a": fit}}
    wg.study(study).save(folder)
    return (folder / "report.html").read_text(encoding="utf-8")
