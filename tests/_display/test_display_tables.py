"""One table in five forms: golden texts, escaping, width, and nothing cut."""

from __future__ import annotations

import csv
import io
import re
from html.parser import HTMLParser
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest

from wagegap._display.files import write_whole
from wagegap._display.markup import escape_latex, to_html, to_html_page, to_latex, to_markdown
from wagegap._display.spec import Cell, make_column, make_row, make_table, plain, spans, tabulate_frame
from wagegap._display.text import display_width, to_csv, to_text, wrap
from wagegap.errors import DataError, EmptyDataError, OptionError, OutputError

NASTY = r"<script>alert('x')</script> & R_D 5% $100 {a} [b] ~^\ #1 | `c` *d* @e"
MINUS = "\N{MINUS SIGN}"


@pytest.fixture
def small():
    columns = [make_column("b", group="Korea"), make_column("se", group="Korea", name="std_error"), make_column("n")]
    rows = [
        make_row("premium", [Cell("-0.061**", -0.0612), Cell("(0.021)", 0.0213), Cell("1,234", 1234)], group="Wages"),
        make_row("tenure", [Cell("0.012", 0.0121), Cell("unknown", float("nan")), Cell("")], group="Wages"),
        make_row("all", [Cell("0.1", 0.1), Cell("-", float("nan")), Cell("99", 99)], rule_above=True),
    ]
    return make_table(columns, rows, title="Small", stub_header="term", notes=["A note."])


@pytest.fixture
def wide():
    columns = [make_column(f"a long heading number {j}", group=f"group {j // 4}") for j in range(14)]
    rows = [
        make_row(
            f"a row label that is much too long for its column, number {i}",
            [Cell(f"{i}.{j:03d}", i + j / 1000) for j in range(14)],
        )
        for i in range(3)
    ]
    return make_table(columns, rows, title="A wide table " * 9, notes=["A note that goes on and on. " * 6])


def test_golden_text(small):
    assert to_text(small) == (
        "Small\n"
        "===================================\n"
        "                 Korea\n"
        "           -----------------\n"
        "term              b       se      n\n"
        "-----------------------------------\n"
        "Wages\n"
        "  premium  -0.061**  (0.021)  1,234\n"
        "  tenure    0.012    unknown\n"
        "-----------------------------------\n"
        "all           0.1          -     99\n"
        "===================================\n"
        "A note."
    )


def test_golden_html(small):
    html = to_html(small)
    assert html.startswith('<table class="wagegap" style="border-collapse:collapse;font-variant-numeric:tabular-nums">')
    assert '<th scope="colgroup" colspan="2"' in html
    assert f'<td style="text-align:right;padding:0.2em 0.8em">{MINUS}0.061**</td>' in html
    assert '0.012<span style="visibility:hidden">**</span></td>' in html
    assert ">unknown</td>" in html
    assert ">\N{EN DASH}</td>" in html
    assert to_html_page(small).count('<meta charset="utf-8">') == 1


def test_golden_latex(small):
    assert to_latex(small, label="tab:small") == "\n".join(
        [
            r"% needs \usepackage{booktabs}",
            r"\begin{table}[htbp]",
            r"\centering",
            r"\caption{Small}",
            r"\label{tab:small}",
            r"\begin{tabular}{lrrr}",
            r"\toprule",
            r" & \multicolumn{2}{c}{Korea} &  \\",
            r"\cmidrule(lr){2-3}",
            r"term & b & se & n \\",
            r"\midrule",
            r"\multicolumn{4}{l}{Wages} \\",
            r"\quad premium & $-$0.061$^{**}$ & (0.021) & 1,234 \\",
            r"\quad tenure & 0.012\phantom{$^{**}$} & unknown &  \\",
            r"\midrule",
            r"all & 0.1\phantom{$^{**}$} & -- & 99 \\",
            r"\bottomrule",
            r"\end{tabular}",
            "",
            r"\smallskip",
            r"\begin{minipage}{0.95\linewidth}\footnotesize",
            r"A note.\par",
            r"\end{minipage}",
            r"\end{table}",
        ]
    )


def test_golden_markdown(small):
    assert to_markdown(small) == "\n".join(
        [
            "**Small**",
            "",
            "| term | Korea: b | Korea: se | n |",
            "| :--- | ---: | ---: | ---: |",
            "| **Wages** |  |  |  |",
            rf"| premium | {MINUS}0.061\*\* | (0.021) | 1,234 |",
            "| tenure | 0.012 | unknown |  |",
            "| all | 0.1 | \N{EN DASH} | 99 |",
            "",
            "A note.",
        ]
    )


def test_golden_csv(small):
    assert to_csv(small) == (
        "group,term,Korea: b,Korea: std_error,n\n"
        "Wages,premium,-0.0612,0.0213,1234\n"
        "Wages,tenure,0.0121,NA,\n"
        ",all,0.1,NA,99\n"
    )


def nasty_table():
    return make_table(
        [make_column(NASTY, group=NASTY)],
        [make_row(NASTY, [NASTY], group=NASTY)],
        title=NASTY,
        stub_header=NASTY,
        notes=[NASTY],
    )


class Reader(HTMLParser):
    def __init__(self):
        super().__init__()
        self.tags, self.words = set(), []

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)

    def handle_data(self, data):
        self.words.append(data)


def test_html_escapes_every_string():
    reader = Reader()
    html = to_html_page(nasty_table())
    reader.feed(html)
    assert "script" not in reader.tags
    assert "<script" not in html
    assert sum(word.strip() == NASTY for word in reader.words) == 9  # and once as the title of the page


def test_latex_escapes_every_string():
    latex = to_latex(nasty_table())
    escaped = escape_latex(NASTY)
    assert latex.count(escaped) == 8
    rest = latex.replace(escaped, "")
    assert not re.search(r"(?<!\\)[$#_~^|]", rest.replace("htbp", ""))
    stripped = re.sub(
        r"\\(textbackslash|textasciitilde|textasciicircum|textless|textgreater|textbar|textasciigrave)\{\}", "", escaped
    )
    assert not re.search(r"(?<!\\)[&%$#_~^<>|`]", stripped)
    assert stripped.count(r"\{") == stripped.count(r"\}") == 1


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[0, 1]", "{[}0, 1{]}"),
        ("*** p", "{*}** p"),
        ("a--b", "a-{}-b"),
        ("τ² ≤ 1", r"$\tau$$^{2}$ $\leq$ 1"),
        ("\\", r"\textbackslash{}"),
        ("%$&_#", r"\%\$\&\_\#"),
    ],
)
def test_latex_hazards(text, expected):
    assert escape_latex(text) == expected


def test_markdown_escapes_every_string():
    lines = to_markdown(nasty_table()).splitlines()
    assert all(len(re.findall(r"(?<!\\)\|", line)) in (0, 3) for line in lines)
    assert not any(re.search(r"(?<!\\)[<>`$@]", line) for line in lines)


def test_control_characters_and_line_breaks_are_freed():
    assert plain("a\nb\t\x1b[31mc\u202e") == "a b [31mc"
    spec = make_table(["x\ny"], [make_row("a\nb", ["c\r\nd"])], title="t\nu", notes=["n\nm"])
    assert "x y" in to_text(spec)
    assert to_csv(spec) == "row,x y\na b,c d\n"


@pytest.mark.parametrize("width", [20, 33, 60, 80, 132, 400])
def test_nothing_is_wider_than_the_page_and_nothing_is_lost(wide, width):
    text = to_text(wide, width)
    assert max(display_width(line) for line in text.splitlines()) <= width
    squeezed = re.sub(r"[\s=-]", "", text)
    for row in wide.rows:
        for cell in row.cells:
            assert cell.text in squeezed
    words = re.sub(r"\s", "", wide.notes[0])
    assert words in squeezed
    assert text == to_text(wide, width)


def test_a_wide_table_becomes_panels_that_repeat_the_labels(wide):
    text = to_text(wide, 80)
    panels = re.findall(r"columns? (\d+)(?: to (\d+))? of 14", text)
    ends = [(int(first), int(last or first)) for first, last in panels]
    assert ends[0][0] == 1
    assert ends[-1][1] == 14
    assert all(before[1] + 1 == after[0] for before, after in pairwise(ends))
    assert text.count("number 2\n") + text.count("number 2 ") >= len(ends)
    assert "of 14" not in to_text(wide, 400)


def test_columns_under_one_heading_stay_in_one_panel():
    columns = [make_column(head, group=f"result {j}") for j in range(7) for head in ("estimate", "std. error")]
    text = to_text(make_table(columns, [make_row("premium", ["0.123456789"] * 14)]), 62)
    panels = [(int(first), int(last)) for first, last in re.findall(r"columns (\d+) to (\d+)", text)]
    assert len(panels) > 2
    assert all(first % 2 == 1 and last % 2 == 0 for first, last in panels)


def test_long_words_in_cells_are_wrapped():
    words = "a description of the covariance that takes many words and goes beyond the page " * 2
    text = to_text(make_table(["x"], [make_row("covariance", [words])]), 60)
    assert re.sub(r"\s", "", words) in re.sub(r"\s|covariance(?=\s{2})", "", text)
    with pytest.raises(OptionError, match="width=10"):
        to_text(make_table(["x"], []), 10)


def test_east_asian_characters_take_two_columns():
    spec = make_table(["b"], [make_row("한국", ["1"]), make_row("USA", ["22"])])
    lines = to_text(spec).splitlines()
    assert {display_width(line) for line in lines if "1" in line or "22" in line} == {8}
    assert display_width("e\u0301") == 1
    assert wrap("한국어", 4) == ["한국", "어"]


def test_the_minus_of_text_is_a_choice(small):
    assert f"{MINUS}0.061**" in to_text(small, minus="sign")
    assert MINUS not in to_text(small)


def test_a_row_needs_a_cell_for_each_column():
    with pytest.raises(DataError, match=r"row 'a' has 1 cells; there are 2 columns"):
        make_table(["x", "y"], [make_row("a", ["1"])])
    with pytest.raises(OptionError, match="Did you mean 'right'"):
        make_column("x", align="rigth")


def test_spans_join_only_neighbours():
    columns = [make_column("a", group="g"), make_column("b"), make_column("c", group="g"), make_column("d", group="g")]
    assert spans(columns) == [("g", 1), ("", 1), ("g", 2)]


# tidy frames -----------------------------------------------------------------------------------------------------


@pytest.fixture
def tidy():
    return pd.DataFrame(
        {
            "iso3": ["KOR", "USA"],
            "year": [2015, 2015],
            "term": ["ai", "ai"],
            "estimate": [0.0612, -0.2513],
            "std_error": [np.nan, 0.0213],
            "statistic": [np.nan, -11.8],
            "p_value": [np.nan, 1e-12],
            "conf_low": [np.nan, -0.293],
            "conf_high": [np.nan, -0.21],
        }
    )


def test_a_tidy_frame(tidy):
    before = tidy.copy()
    spec = tabulate_frame(tidy, title="Premiums", notes=["Log points."])
    assert to_text(spec) == (
        "Premiums\n"
        "======================================================================\n"
        "iso3 year term  estimate  std. error  statistic      p     low    high\n"
        "----------------------------------------------------------------------\n"
        "KOR 2015 ai        0.061     unknown          -      -       -       -\n"
        "USA 2015 ai       -0.251       0.021      -11.8  <.001  -0.293  -0.210\n"
        "======================================================================\n"
        "Log points."
    )
    pd.testing.assert_frame_equal(tidy, before)
    assert to_csv(spec).splitlines()[0] == "iso3 year term,estimate,std_error,statistic,p_value,conf_low,conf_high"


@pytest.mark.parametrize("render", [to_text, to_html, to_latex, to_markdown, to_csv])
def test_no_form_says_nan_or_zero_for_an_unknown_error(tidy, render):
    out = render(tabulate_frame(tidy[["iso3", "estimate", "std_error"]].head(1)))
    assert "nan" not in out.lower().replace("tabular-nums", "")
    assert not re.search(r"\b0\.0+\b", out.replace("0.061", ""))
    assert "NA" in out if render is to_csv else "unknown" in out


def test_an_object_column_of_errors_is_unknown_where_it_is_none():
    frame = pd.DataFrame(
        {"iso3": ["KOR", "USA"], "estimate": [0.1, 0.2], "std_error": pd.Series([None, 0.1], dtype=object)}
    )
    cells = [row.cells[1].text for row in tabulate_frame(frame).rows]
    assert cells == ["unknown", "0.100"]
    allgone = tabulate_frame(frame.assign(std_error=None))
    assert [row.cells[1].text for row in allgone.rows] == ["unknown", "unknown"]


def test_a_ledger_like_frame():
    frame = pd.DataFrame(
        {
            "step": ["read", "wage missing"],
            "rows": [12345, -45],
            "share_rows": [1.0, -0.00365],
            "year": [2015, 2016],
            "ok": [True, False],
        }
    )
    spec = tabulate_frame(frame)
    assert [cell.text for cell in spec.rows[0].cells] == ["12,345", "1.000", "2015", "yes"]
    assert [cell.text for cell in spec.rows[1].cells] == ["-45", "-0.004", "2016", "no"]
    assert spec.columns[1].header == "share rows"


def test_a_named_index_and_two_levels_of_columns():
    frame = pd.DataFrame({("KOR", "b"): [0.1], ("KOR", "se"): [0.2]}, index=pd.Index(["premium"], name="term"))
    spec = tabulate_frame(frame)
    assert [(column.group, column.header) for column in spec.columns] == [("KOR", "b"), ("KOR", "se")]
    assert spec.rows[0].stub == "premium"
    with pytest.raises(EmptyDataError, match="no columns"):
        tabulate_frame(pd.DataFrame())


def test_a_small_number_in_a_column_is_not_shown_as_zero():
    frame = pd.DataFrame({"term": ["a", "b", "c"], "estimate": [0.1, 0.2, 0.3], "std_error": [0.1, 0.2, 0.00004]})
    assert [row.cells[1].text for row in tabulate_frame(frame).rows] == ["0.100", "0.200", "0.000040"]


def test_an_empty_frame_with_columns_is_a_table_without_rows():
    frame = pd.DataFrame({"term": [], "estimate": [], "std_error": []})
    spec = tabulate_frame(frame)
    assert spec.rows == ()
    for render in (to_text, to_html, to_latex, to_markdown, to_csv):
        assert "estimate" in render(spec)


# files -----------------------------------------------------------------------------------------------------------


def test_csv_round_trips_the_raw_numbers():
    values = [0.1 + 0.2, -1e-300, 12345678901234567, 2.0]
    spec = make_table(["x"], [make_row(f'r "{i}", {i}', [Cell("shown", value)]) for i, value in enumerate(values)])
    rows = list(csv.reader(io.StringIO(to_csv(spec))))
    assert [float(row[1]) for row in rows[1:]] == [float(value) for value in values]
    assert rows[1][0] == 'r "0", 0'
    read = pd.read_csv(io.StringIO(to_csv(spec)), dtype={"x": str})  # numbers that pandas 2 reads lose a last digit
    assert float(read["x"].iloc[0]) == 0.1 + 0.2


def test_a_file_is_written_whole_and_keeps_its_permissions(tmp_path):
    path = tmp_path / "a.txt"
    assert write_whole(path, "é") == path
    assert path.read_bytes() == "é".encode()
    path.chmod(0o640)
    write_whole(path, b"new")
    assert path.read_bytes() == b"new"
    assert path.stat().st_mode & 0o777 == 0o640
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.txt"]


@pytest.mark.parametrize("function", ["replace", "fsync"])
def test_a_failure_leaves_what_stood_there(tmp_path, monkeypatch, function):
    path = tmp_path / "a.txt"
    path.write_text("old")

    def fail(*args, **kwargs):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(f"wagegap._display.files.os.{function}", fail)
    with pytest.raises(OutputError, match="was not written: Permission denied"):
        write_whole(path, "new")
    assert path.read_text() == "old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.txt"]


def test_folders_that_cannot_be_written_to(tmp_path):
    (tmp_path / "file").write_text("x")
    for bad in (tmp_path / "none" / "a.txt", tmp_path / "file" / "a.txt", tmp_path):
        with pytest.raises(OutputError, match="was not written"):
            write_whole(bad, "new")
    assert [entry.name for entry in tmp_path.iterdir()] == ["file"]
