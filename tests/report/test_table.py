"""One table for any mix of results."""

from __future__ import annotations

import io
from dataclasses import FrozenInstanceError

import numpy as np
import pandas as pd
import pytest

from wagegap.errors import (
    ColumnError,
    DataError,
    DuplicateKeyError,
    EmptyDataError,
    OptionError,
    OutputError,
)
from wagegap.report.table import table

NAN = float("nan")
MINUS = "\N{MINUS SIGN}"


class Result:
    def __init__(self, tidy, title="", notes=(), unit=None, **glance):
        self._tidy, self.title, self.notes, self.unit, self._glance = tidy, title, notes, unit, glance

    def tidy(self):
        return self._tidy

    def glance(self):
        return pd.DataFrame([self._glance])


def frame(terms, estimates, errors, p_values=None, **keys):
    made = pd.DataFrame({**keys, "term": terms, "estimate": estimates, "std_error": errors})
    return made if p_values is None else made.assign(p_value=p_values)


@pytest.fixture
def link():
    tidy = frame(["premium", "log(gdp)"], [-0.2134, 0.0121], [0.0813, 0.0304], [0.013, 0.69])
    return Result(
        tidy, "Link", ("First-stage error carried.",), "share", nobs=12345, r2=0.4123, tau2=0.00123, cov="CR1:iso3"
    )


@pytest.fixture
def naive():
    tidy = frame(["premium", "log(gdp)"], [-0.1502, 0.011], [0.051, 0.0301], [0.0034, 0.7])
    return Result(tidy, "Naive", ("Premium error ignored.",), "share", nobs=12345, r2=0.4023, cov="HC3")


@pytest.fixture
def published():
    return frame(["premium"], [-0.3], [NAN])


@pytest.fixture
def three(link, naive, published):
    return table(
        link, naive, {"Published": published}, labels={"premium": "Wage premium"}, stars=True, title="Emigration"
    )


def test_golden_text(three):
    assert three.text() == (
        "Emigration\n"
        "============================================\n"
        "                  Link      Naive  Published\n"
        "--------------------------------------------\n"
        "Wage premium  -0.213**  -0.150***     -0.300\n"
        "              (0.081)   (0.051)      unknown\n"
        "log(gdp)       0.012     0.011\n"
        "              (0.030)   (0.030)\n"
        "--------------------------------------------\n"
        "unit             share      share\n"
        "observations  12,345    12,345\n"
        "R2             0.412     0.402\n"
        "tau2           0.001\n"
        "covariance    CR1:iso3        HC3\n"
        "============================================\n"
        "Standard errors in parentheses.\n"
        "1 of 5 standard errors are unknown, not zero.\n"
        "*** p < .01, ** p < .05, * p < .1.\n"
        "Link: First-stage error carried.\n"
        "Naive: Premium error ignored."
    )


def test_golden_latex(three):
    body = three.latex().split("\\midrule\n")[1]
    assert body.splitlines() == [
        r"Wage premium & $-$0.213$^{**}$ & $-$0.150$^{***}$ & $-$0.300 \\",
        r" & (0.081)\phantom{$^{*}$} & (0.051)\phantom{$^{**}$} & unknown \\",
        r"log(gdp) & 0.012\phantom{$^{**}$} & 0.011\phantom{$^{***}$} &  \\",
        r" & (0.030)\phantom{$^{*}$} & (0.030)\phantom{$^{**}$} &  \\",
    ]


def test_golden_markdown(three):
    assert three.markdown().splitlines()[:8] == [
        "**Emigration**",
        "",
        "|  | Link | Naive | Published |",
        "| :--- | ---: | ---: | ---: |",
        rf"| Wage premium | {MINUS}0.213\*\* | {MINUS}0.150\*\*\* | {MINUS}0.300 |",
        "|  | (0.081) | (0.051) | unknown |",
        "| log(gdp) | 0.012 | 0.011 |  |",
        "|  | (0.030) | (0.030) |  |",
    ]


def test_golden_csv(three):
    assert three.csv() == (
        "row,measure,Link,Naive,Published\n"
        "premium,estimate,-0.2134,-0.1502,-0.3\n"
        "premium,std_error,0.0813,0.051,NA\n"
        "log(gdp),estimate,0.0121,0.011,\n"
        "log(gdp),std_error,0.0304,0.0301,\n"
        "unit,statistic,share,share,\n"
        "nobs,statistic,12345,12345,\n"
        "r2,statistic,0.4123,0.4023,\n"
        "tau2,statistic,0.00123,,\n"
        "cov,statistic,CR1:iso3,HC3,\n"
    )


def test_golden_html(three):
    html = three.html()
    assert '<th scope="row" style="text-align:left;font-weight:normal;padding:0.2em 0.8em">Wage premium</th>' in html
    assert f">{MINUS}0.150***</td>" in html
    assert '>(0.051)<span style="visibility:hidden">**</span></td>' in html
    assert html.count("<tr") == html.count("</tr>") == 1 + 9 + 5


def test_representations(three):
    assert repr(three) == three.text()
    assert three._repr_html_() == three.html()
    assert three._repr_markdown_() == three.markdown()
    with pytest.raises(FrozenInstanceError):
        three.spec = None


def test_the_tidy_frame_is_a_copy(three):
    long = three.frame
    assert list(long.columns[:4]) == ["result", "term", "estimate", "std_error"]
    assert long["result"].tolist() == ["Link", "Link", "Naive", "Naive", "Published"]
    assert np.isnan(long["std_error"].iloc[-1])
    long["estimate"] = 0.0
    assert three.frame["estimate"].iloc[0] == -0.2134


def test_notes_say_whose_they_are(link, naive, published):
    both = table(link, naive).spec.notes
    assert both == (
        "Standard errors in parentheses.",
        "Link: First-stage error carried.",
        "Naive: Premium error ignored.",
    )
    assert table(link, notes=["Mine."]).spec.notes[1:] == ("First-stage error carried.", "Mine.")
    assert table(published).spec.notes == ("1 of 1 standard errors are unknown, not zero.",)
    assert table(link, naive, title=None).spec.title == ""
    assert table(link).spec.title == "Link"


def test_stars_need_a_known_p_value():
    tidy = frame(list("abcde"), [1.0] * 5, [0.1] * 5, [0.0099, 0.049, 0.099, 0.1, NAN])
    texts = [row.cells[0].text for row in table(tidy, stars=True).spec.rows if row.measure == "estimate"]
    assert texts == ["1.000***", "1.000**", "1.000*", "1.000", "1.000"]
    assert "*" not in table(tidy).text()


def test_rows_are_chosen_ordered_and_checked(link, naive):
    assert [row.stub for row in table(link, naive, rows=["log(gdp)", "premium"], statistics=()).spec.rows[::2]] == [
        "log(gdp)",
        "premium",
    ]
    with pytest.raises(OptionError, match=r"no row is called 'premum'\. Did you mean 'premium'"):
        table(link, rows=["premum"])
    with pytest.raises(OptionError, match="is one string"):
        table(link, rows="premium")


def test_statistics_are_chosen_ordered_and_checked(link, naive):
    rows = table(link, naive, statistics=["r2", "nobs"], labels={"r2": "Fit"}).spec.rows
    assert [row.stub for row in rows if row.measure == "statistic"] == ["Fit", "observations"]
    assert not any(row.measure == "statistic" for row in table(link, statistics=()).spec.rows)
    with pytest.raises(OptionError, match="Did you mean 'tau2'"):
        table(link, statistics=["tau"])
    with pytest.raises(OptionError, match="No result offers any"):
        table(link.tidy(), statistics=["nobs"])


def test_cells_are_part_of_the_label_and_meet_across_results():
    first = frame(["ai", "ai"], [0.1, 0.2], [0.01, 0.02], iso3=["KOR", "USA"], year=[2015, 2015])
    second = frame(["ai", "ai"], [0.3, 0.4], [0.03, 0.04], iso3=["USA", "JPN"], year=[2015.0, 2015.0])
    made = table({"a": first, "b": second}, labels={"KOR": "Korea"})
    stubs = [row.stub for row in made.spec.rows if row.measure == "estimate"]
    assert stubs == ["Korea 2015", "United States 2015", "Japan 2015"]
    assert [cell.text for cell in made.spec.rows[2].cells] == ["0.200", "0.300"]
    assert [cell.text for cell in made.spec.rows[4].cells] == ["", "0.400"]
    assert made.frame.columns.tolist()[:4] == ["result", "iso3", "year", "term"]
    mixed = table(first, frame(["premium"], [1.0], [0.1]))
    assert [row.stub for row in mixed.spec.rows if row.measure == "estimate"] == [
        "South Korea 2015 ai",
        "United States 2015 ai",
        "premium",
    ]
    assert table({"a": first, "b": second}, rows=["USA 2015"]).spec.rows[0].stub == "United States 2015"


def test_layouts(link, naive, published):
    beside = table(link, naive, {"P": published}, layout="beside")
    assert [(column.group, column.header) for column in beside.spec.columns][:2] == [
        ("Link", "estimate"),
        ("Link", "std. error"),
    ]
    assert [cell.text for cell in beside.spec.rows[0].cells] == [
        "-0.213",
        "0.081",
        "-0.150",
        "0.051",
        "-0.300",
        "unknown",
    ]
    long = table(link, naive, {"P": published}, layout="long")
    assert [row.group for row in long.spec.rows] == ["Link", "Link", "Naive", "Naive", "P"]
    assert [cell.text for cell in long.spec.rows[-1].cells] == ["-0.300", "unknown", "-"]
    assert any("observations 12,345" in note for note in long.spec.notes)
    with pytest.raises(OptionError, match="Did you mean 'stacked'"):
        table(link, layout="stack")


def test_many_rows_put_errors_beside():
    n = 60
    tall = frame(["ai"] * n, np.arange(n) / 100, [0.01] * n, iso3=[f"C{i:02d}" for i in range(n)])
    made = table(tall)
    assert len(made.spec.rows) == n
    assert len(made.spec.columns) == 2


def test_many_results_fit_the_page(link):
    made = table({f"specification {i}": link for i in range(12)})
    assert max(map(len, made.text().splitlines())) <= 80
    assert max(map(len, made.text(width=50).splitlines())) <= 50
    assert made.text().count("Wage") == 0
    assert made.text().count("log(gdp)") > 1


def test_headings_are_never_the_same(link, published):
    assert [column.header for column in table(link, link, published).spec.columns] == ["Link (1)", "Link (2)", "(3)"]


def test_small_errors_and_unknown_ones_are_never_zero():
    made = table(frame(["a", "b"], [0.5, 0.5], [0.000021, None]))
    assert "(0.000021)" in made.text()
    assert "unknown" in made.text()
    assert "nan" not in made.text() + made.latex() + made.markdown()
    no_errors = table(pd.DataFrame({"term": ["a"], "estimate": [0.5]}))
    assert "unknown" in no_errors.text()


@pytest.mark.parametrize(
    ("bad", "error", "words"),
    [
        ((), EmptyDataError, "no results"),
        (({},), EmptyDataError, "no results"),
        ((3,), DataError, "is a int"),
        ((pd.DataFrame({"term": ["a"], "estimates": [1.0]}),), ColumnError, "Did you mean 'estimates'"),
        ((pd.DataFrame({"term": [], "estimate": []}),), EmptyDataError, "no rows"),
        ((pd.DataFrame({"term": ["a", "a"], "estimate": [1.0, 2.0]}),), DuplicateKeyError, "two rows for 'a'"),
    ],
)
def test_bad_input_is_refused_in_words(bad, error, words):
    with pytest.raises(error, match=words):
        table(*bad)


def test_a_glance_of_two_rows_is_refused(link):
    link.glance = lambda: pd.DataFrame({"nobs": [1, 2]})
    with pytest.raises(DataError, match=r"glance\(\) of Link has 2 rows"):
        table(link)


def test_inputs_are_not_changed(link, published):
    before = published.copy(), link.tidy().copy()
    made = table(link, {"P": published}, stars=True).frame
    made["estimate"] = 0.0
    pd.testing.assert_frame_equal(published, before[0])
    pd.testing.assert_frame_equal(link.tidy(), before[1])


@pytest.mark.parametrize("suffix", [".txt", ".html", ".tex", ".md", ".csv", ".TXT"])
def test_files_by_suffix(three, tmp_path, suffix):
    path = three.save(tmp_path / f"t{suffix}")
    content = {
        ".txt": three.text() + "\n",
        ".tex": three.latex() + "\n",
        ".md": three.markdown() + "\n",
        ".csv": three.csv(),
    }.get(suffix.lower())
    written = path.read_bytes().decode()
    assert written == content if content else three.html() in written
    assert [entry.name for entry in tmp_path.iterdir()] == [f"t{suffix}"]
    three.save(path)
    assert path.read_bytes().decode() == written


def test_csv_reads_back(three, tmp_path):
    back = pd.read_csv(io.StringIO(three.csv()))
    assert back.loc[0, "Link"] == "-0.2134" or float(back.loc[0, "Link"]) == -0.2134
    assert back["Published"].isna().sum() == 8


def test_unknown_suffixes_name_the_known_ones(three, tmp_path):
    with pytest.raises(OptionError, match=r"'\.htm'.*Did you mean '\.html'\?.*\.txt, \.html, \.tex, \.md, \.csv"):
        three.save(tmp_path / "t.htm")
    with pytest.raises(OptionError, match="no format has"):
        three.save(tmp_path / "t")
    assert list(tmp_path.iterdir()) == []


def test_unwritable_folders_leave_nothing(three, tmp_path, monkeypatch):
    with pytest.raises(OutputError, match="no folder"):
        three.save(tmp_path / "none" / "t.tex")
    path = tmp_path / "t.tex"
    path.write_text("old")

    def refuse(*args, **kwargs):
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr("wagegap._display.files.os.open", refuse)
    with pytest.raises(OutputError, match="Read-only file system"):
        three.save(path)
    assert path.read_text() == "old"
    assert len(list(tmp_path.iterdir())) == 1


def test_the_same_on_every_call(link, naive):
    first, second = table(link, naive), table(link, naive)
    assert first.spec == second.spec
    for form in ("text", "html", "latex", "markdown", "csv"):
        assert getattr(first, form)() == getattr(second, form)()
