"""Nothing that a study or its data bring is obeyed by what opens the report: browser, picture, LaTeX, spreadsheet."""

from __future__ import annotations

import base64
import csv
import hashlib
import os
import re
import shutil
import subprocess
import warnings
import xml.etree.ElementTree as ET
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest

from wagegap._display.axes import figure_of, literal, new_axes
from wagegap._display.files import save_figure
from wagegap._display.intervals import intervals
from wagegap._display.text import neutral
from wagegap.errors import OptionError, OutputError
from wagegap.estimation.estimates import Estimates
from wagegap.regression.link.fit import fit_link
from wagegap.report.figures import add_title, plot_forest, plot_link
from wagegap.report.findings import Finding
from wagegap.report.page.files import Study
from wagegap.report.table import table

EVIL = [
    "<script>document.title='ran'</script>", '"><img src=x onerror=alert(1)>', "</style><script>alert(1)</script>",
    "$\\frac{$", "a $ b $ c", "\\$\\notacommand$", "$x^$", "\\input{/etc/passwd}", "line\nbreak", "nul\0esc\x1b[31m",
    "\u202egnp.exe", "=cmd|' /C calc'!A0", "@SUM(A1)", "+1+1", "-2+3", "\t=1", "\r=1", "javascript:alert(1)", "%{jndi}",
    "&lt;b&gt;", "]]>", "--><!--", "_x_", "\ud800",
]  # fmt: skip


@pytest.fixture(scope="module")
def evil():
    """A study all of whose words are attacks."""
    places = [text for text in EVIL if text.isascii() or "\u202e" in text]  # a lone surrogate is no text of a column
    n = len(places)
    frame = pd.DataFrame({"place": places, "b": np.linspace(-0.3, 0.3, n), "se": 0.05})
    premiums = Estimates.from_table(frame, by=["place"], term="ai", unit="log")
    rates = Estimates.from_table(frame.assign(b=np.linspace(0.4, 0.1, n)), by=["place"], term="out", unit="share")
    link = fit_link("out ~ premium", rates, premiums, method="ols")
    title = " ".join(EVIL)
    figures = {
        "forest": (figure_of(add_title(plot_forest(premiums), title)), title),
        "link": (figure_of(add_title(plot_link(link), title)), title),
    }
    findings = tuple(Finding(text, text, text) for text in EVIL)
    return Study(title, title, findings, {"evil": table(premiums, title=title, notes=EVIL)}, figures, {}, 1)


@pytest.fixture(scope="module")
def folder(evil, tmp_path_factory):
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing")
        return evil.save(tmp_path_factory.mktemp("evil") / "out")


class Page(HTMLParser):
    def __init__(self):
        super().__init__()
        self.tags, self.attributes, self.metas = set(), [], []

    def handle_starttag(self, tag, attributes):
        self.tags.add(tag)
        self.attributes += [(tag, *pair) for pair in attributes]
        if tag == "meta":
            self.metas.append(dict(attributes))


def test_the_page_holds_no_tag_that_words_brought(folder):
    page = Page()
    html = (folder / "report.html").read_text(encoding="utf-8")
    page.feed(html)
    assert page.tags <= {
        "html", "head", "meta", "title", "style", "body", "main", "h1", "h2", "h3", "p", "span", "br", "strong", "div",
        "img", "details", "summary", "table", "caption", "thead", "tbody", "tfoot", "tr", "th", "td", "nav", "ol", "ul",
        "li", "a", "section", "article", "figure", "figcaption", "picture", "source", "dl", "dt", "dd", "code",
        "script",
    }  # fmt: skip
    assert not [one for one in page.attributes if one[1].startswith("on")]
    assert html.count("<script") == 1  # the page's own, which sorts tables
    sources = [one[2] for one in page.attributes if one[1] in ("src", "srcset")]
    assert {source[:11] for source in sources} == {"data:image/"}
    targets = [one[2] for one in page.attributes if one[1] == "href"]
    assert targets
    assert all(re.fullmatch(r"#[\w%-]*|(figures|tables)/[\w%.-]+", target) for target in targets)
    assert not re.search("[\x00-\x09\x0b-\x1f\u202a-\u202e\u2066-\u2069]", html)


def test_the_policy_comes_first_and_allows_nothing_but_styles_pictures_and_one_script(folder):
    page = Page()
    html = (folder / "report.html").read_text(encoding="utf-8")
    page.feed(html)
    assert page.metas[1]["http-equiv"] == "Content-Security-Policy"
    policy = dict(part.strip().split(" ", 1) for part in page.metas[1]["content"].split(";"))
    assert policy["default-src"] == "'none'"
    assert policy["img-src"] == "data:"
    assert policy["style-src"] == "'unsafe-inline'"
    script = re.search(r"<script>(.*?)</script>", html, re.DOTALL).group(1)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert policy["script-src"] == f"'sha256-{digest}'"  # the page's own script, and no other


def test_pictures_are_whole_and_hold_no_script(folder):
    for path in (folder / "figures").glob("*.svg"):
        root = ET.fromstring(path.read_bytes())  # well-formed, control characters and all
        tags = {element.tag.rpartition("}")[2] for element in root.iter()}
        assert not tags & {"script", "foreignObject", "image", "a", "iframe"}
        assert not [name for element in root.iter() for name in element.attrib if name.lower().startswith("on")]


@pytest.mark.parametrize("text", EVIL)
def test_words_on_figures_are_drawn_as_they_are(tmp_path, text):
    ax = intervals(new_axes(3, 2), [text, "b"], [0.1, 0.2], [0.0, 0.1], [0.2, 0.3])
    add_title(ax, text)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing")
        save_figure(figure_of(ax), tmp_path / "one", alt_text=f"x {text}", formats=("png", "svg", "pdf"))
    drawn = ax.get_yticklabels()[0]
    assert drawn._preprocess_math(drawn.get_text()) == (literal(text).replace(r"\$", "$"), False)


def test_latex_has_no_command_that_words_brought(folder):
    text = (folder / "tables" / "evil.tex").read_text(encoding="utf-8")
    known = {
        "usepackage", "begin", "end", "centering", "caption", "toprule", "midrule", "bottomrule", "smallskip",
        "footnotesize", "par", "linewidth", "textbackslash", "textasciitilde", "textasciicircum", "textless",
        "textgreater", "textbar", "textasciigrave", "char", "multicolumn", "cmidrule", "phantom", "times", "pm",
    }  # fmt: skip
    assert set(re.findall(r"\\([A-Za-z]+)", text)) <= known
    one = table(pd.DataFrame({"term": ["a"], "estimate": [1.0]}))
    for label in ("a}\\input{/etc/passwd}", "a b}", "ü", "a%", "a\\", " a", "#1"):
        with pytest.raises(OptionError, match="cannot be a label of LaTeX"):
            one.latex(label=label)
    assert r"\label{tab:one two_3.4}" in one.latex(label="tab:one two_3.4")


def rows(path):
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.reader(file))


def test_spreadsheets_carry_out_no_cell(folder):
    cells = [cell for row in rows(folder / "tables" / "evil.csv") for cell in row]
    numbers = [cell for cell in cells if re.fullmatch(r"-?[\d.e-]+", cell)]
    assert any(number.startswith("-") for number in numbers)  # numbers stay numbers
    for cell in set(cells).difference(numbers):
        assert cell.strip(" \t\r\n\"'\u00a0")[:1] not in tuple("=+-@") or cell.startswith("'"), cell
    assert sum(cell.startswith("'") for cell in cells) >= 6


def test_headers_and_groups_are_cells_too():
    one = pd.DataFrame({"term": ["=a", "b"], "estimate": [-0.3, 2.0], "std_error": [0.1, 0.2]})
    shown = table({"=HYPERLINK(1)": one, "@x": one}, layout="beside")
    text = shown.csv()
    assert text.splitlines()[0].count("'=HYPERLINK(1)") == 2
    assert "'@x" in text
    assert "\n'=a,-0.3," in text
    kept = shown.csv(formulas="keep")
    assert "'" not in kept
    assert kept.splitlines()[0].startswith("row,=HYPERLINK(1)")
    with pytest.raises(OptionError, match="formulas"):
        shown.csv(formulas="no")


def test_the_option_reaches_the_file(tmp_path):
    shown = table(pd.DataFrame({"term": ["=a"], "estimate": [-0.3]}))
    assert "'=a" in shown.save(tmp_path / "a.csv").read_text()
    assert "\n=a" in shown.save(tmp_path / "a.csv", formulas="keep").read_text()
    with pytest.raises(OptionError, match="formulas"):
        shown.save(tmp_path / "a.csv", formulas="x")


@pytest.mark.parametrize(
    ("text", "cell"),
    [
        ("=1", "'=1"), ("+1+1", "'+1+1"), ("-a", "'-a"), ("@a", "'@a"), ("\ta", "'\ta"), ("\ra", "'\ra"),
        (" =1", "' =1"), ('"=1', "'\"=1"), ("\uff1d1", "'\uff1d1"), ("-0.3", "-0.3"), ("+0.3", "+0.3"),
        ("-1e-5", "-1e-5"), ("-inf", "-inf"), ("-", "-"), ("", ""), ("a=1", "a=1"), ("-1_0", "'-1_0"), ("NA", "NA"),
    ],
)  # fmt: skip
def test_what_is_taken_for_a_formula(text, cell):
    assert neutral(text) == cell


@pytest.mark.parametrize(
    "names",
    [["a/b"], ["../x"], [""], ["CON"], ["a\0"], ["a", "A"], ["x" * 300], [".wagegap-work"], ["\u00e9", "e\u0301"]],
)
def test_a_study_cannot_name_files_elsewhere(tmp_path, names):
    one = table(pd.DataFrame({"term": ["a"], "estimate": [1.0]}))
    study = Study("t", "q", (), dict.fromkeys(names, one), {}, {}, 1)
    with pytest.raises(OutputError, match=r"cannot be the name of a file.* Nothing was written"):
        study.save(tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("policy", [True, False])
def test_a_browser_obeys_the_policy(folder, tmp_path, policy):
    chromium = shutil.which("chromium")
    if chromium is None:
        if os.environ.get("WAGEGAP_CHROMIUM") == "required":
            pytest.fail("chromium is required here and not installed")
        pytest.skip("no chromium to open the report with")
    html = (folder / "report.html").read_text(encoding="utf-8")
    html = html.replace("</body>", "<script>document.title = 'a script ran'</script></body>")
    if not policy:  # the script would run: what stops it is the policy
        html = re.sub(r"<meta http-equiv=.*?>", "", html)
    probe = tmp_path / "report.html"
    probe.write_text(html, encoding="utf-8")
    profile = f"--user-data-dir={tmp_path / 'profile'}"  # of its own: two browsers of one profile wait for each other
    flags = ["--headless", "--no-sandbox", "--disable-gpu", profile, "--dump-dom"]
    ran = subprocess.run([chromium, *flags, probe.as_uri()], capture_output=True, timeout=120, text=True)
    assert ("<title>a script ran</title>" in ran.stdout) is not policy
