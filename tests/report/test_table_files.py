"""Tables beside other packages, over pages, in Word and Excel; stars at levels of one's own."""

import io
import re
import shutil
import subprocess

import numpy as np
import pandas as pd
import pytest
import statsmodels.formula.api as smf

import wagegap as wg
from wagegap.errors import OptionError
from wagegap.report.table import table

HOSTILE = '=HYPERLINK("http://x")'


@pytest.fixture(scope="module")
def rows():
    rng = np.random.default_rng(1)
    made = pd.DataFrame({"x": rng.normal(size=200), "g": np.repeat(np.arange(20), 10)})
    made["t"] = np.tile(np.arange(10), 20)
    made["y"] = 0.5 * made["x"] + rng.normal(size=200)
    return made


def cells(made, stub):
    rows = [row for row in made.spec.rows if row.stub == stub]
    return [cell.text for cell in rows[0].cells]


def test_statsmodels_stands_beside_wagegap(rows):
    ours, theirs = wg.fit_linear(rows, "y ~ x", cov="iid"), smf.ols("y ~ x", rows).fit()
    made = table([ours, theirs], labels={"(2)": "statsmodels"})
    assert cells(made, "x")[0] == cells(made, "x")[1]
    assert cells(made, "observations") == ["200", "200"]
    assert cells(made, "R2")[0] == cells(made, "R2")[1]
    numbers = made.frame.set_index("result")[["estimate", "std_error", "statistic", "p_value", "conf_low", "conf_high"]]
    own, other = numbers.loc[ours.title].to_numpy(), numbers.loc["statsmodels"].to_numpy()
    np.testing.assert_allclose(own, other, rtol=1e-10)  # one projection: rounding alone


def test_statsmodels_on_arrays_is_read_too(rows):
    import statsmodels.api as sm

    fit = sm.OLS(rows["y"].to_numpy(), sm.add_constant(rows[["x"]].to_numpy())).fit()
    assert [row.stub for row in table(fit).spec.rows if row.measure == "estimate"] == ["const", "x1"]


@pytest.mark.filterwarnings("ignore")  # pyfixest calls what newer versions of pandas warn of
def test_pyfixest_stands_beside_wagegap(rows):
    pf = pytest.importorskip("pyfixest")
    ours, theirs = (
        wg.fit_linear(rows, "y ~ x | g", cov="HC1", small_sample="fixest"),
        pf.feols("y ~ x | g", rows, vcov="HC1"),
    )
    made = table({"ours": ours, "theirs": theirs})
    assert cells(made, "x") == [cells(made, "x")[0]] * 2
    assert cells(made, "observations") == ["200", "200"]
    assert cells(made, "R2")[0] == cells(made, "R2")[1]


def test_linearmodels_stands_beside_wagegap(rows):
    models = pytest.importorskip("linearmodels")
    fit = models.PanelOLS.from_formula("y ~ 1 + x", rows.set_index(["g", "t"])).fit()
    assert cells(table([wg.fit_linear(rows, "y ~ x"), fit]), "x")[1] == f"{fit.params['x']:.3f}"


class LikeLinearmodels:
    """What a table reads of linearmodels, which is not installed everywhere."""

    params = pd.Series({"x": 0.5})
    std_errors = pd.Series({"x": 0.1})
    tstats = pd.Series({"x": 5.0})
    pvalues = pd.Series({"x": 1e-6})
    nobs = 200
    rsquared = 0.25
    rsquared_within = 0.2

    def conf_int(self):
        return pd.DataFrame({"lower": [0.3], "upper": [0.7]}, index=["x"])


def test_attributes_of_linearmodels_are_read():
    made = table([LikeLinearmodels()], layout="stacked")
    assert cells(made, "x") == ["0.500"]
    assert cells(made, "R2 within") == ["0.200"]
    assert made.frame[["conf_low", "conf_high"]].iloc[0].tolist() == [0.3, 0.7]


def test_what_has_no_coefficients_is_still_refused():
    with pytest.raises(wg.errors.DataError, match="statsmodels, linearmodels and pyfixest"):
        table(["premiums"])


P_VALUES = pd.DataFrame(
    {"term": list("abcd"), "estimate": 1.0, "std_error": 0.1, "p_value": [0.0005, 0.005, 0.03, 0.07]}
)


@pytest.mark.parametrize(
    ("stars", "expected", "note"),
    [
        (True, ["***", "***", "**", "*"], "*** p < .01, ** p < .05, * p < .1."),
        ([0.001, 0.01, 0.05], ["***", "**", "*", ""], "*** p < .001, ** p < .01, * p < .05."),
        ((0.05,), ["*", "*", "*", ""], "* p < .05."),
        (False, ["", "", "", ""], None),
    ],
)
def test_stars_mean_the_levels_that_are_written(stars, expected, note):
    made = table(P_VALUES, stars=stars)
    marks = [re.sub(r"[\d.]", "", row.cells[0].text) for row in made.spec.rows if row.measure == "estimate"]
    assert marks == expected
    assert (note in made.spec.notes) if note else not any("p <" in text for text in made.spec.notes)


@pytest.mark.parametrize("stars", [[0.1, 0.05, 0.01], [0.05, 0.05], [0.0], [1.0], [], [1, 5, 10]])
def test_stars_that_mean_nothing_are_refused(stars):
    with pytest.raises(OptionError, match="smallest first"):
        table(P_VALUES, stars=stars)


def test_rows_that_say_nothing_are_left_out_unless_asked_for():
    class Decomposed:
        unit = "none"

        def tidy(self):
            return P_VALUES

        def glance(self):
            return pd.DataFrame([{"nobs": 10, "n_comparisons": 1, "n_absent": 0}])

    assert [row.stub for row in table(Decomposed()).spec.rows if row.measure == "statistic"] == ["observations"]
    assert cells(table(Decomposed(), statistics=["n_comparisons"]), "n comparisons") == ["1"]


def hostile():
    frame = P_VALUES.assign(term=[HOSTILE, "a & b_%$#", "Korea", "<b>"])
    return table({HOSTILE: frame, "(2)": frame}, title="Premiums & pay", notes=["+SUM(A1)"], stars=True)


def test_word_holds_the_strings(tmp_path):
    docx = pytest.importorskip("docx")
    made = hostile()
    document = docx.Document(made.save(tmp_path / "t.docx"))
    assert [p.text for p in document.paragraphs] == ["Premiums & pay", *made.spec.notes]
    (grid,) = document.tables
    texts = [[cell.text for cell in row.cells] for row in grid.rows]
    assert texts[0] == ["", HOSTILE, "(2)"]
    assert texts[1:] == [[row.stub, *(cell.text for cell in row.cells)] for row in made.spec.rows]
    assert "tblHeader" in grid.rows[0]._tr.xml
    assert "tblHeader" not in grid.rows[1]._tr.xml


def test_excel_holds_the_numbers_and_no_formula(tmp_path):
    openpyxl = pytest.importorskip("openpyxl")
    made = hostile()
    sheet = openpyxl.load_workbook(made.save(tmp_path / "t.xlsx")).active
    written = [cell for line in sheet.iter_rows() for cell in line if cell.value is not None]
    assert all(cell.data_type != "f" for cell in written)
    assert {cell.value for cell in written if isinstance(cell.value, str)} >= {f"'{HOSTILE}", "'+SUM(A1)", "<b>"}
    assert (sheet["B3"].value, sheet["B3"].number_format) == (1.0, '0.000"***"')
    assert (sheet["B4"].value, sheet["B4"].number_format) == (0.1, '"("0.000")"')
    kept = openpyxl.load_workbook(io.BytesIO(made.save(tmp_path / "k.xlsx", formulas="keep").read_bytes())).active
    assert any(cell.data_type == "f" for line in kept.iter_rows() for cell in line)


@pytest.mark.parametrize("layout", ["stacked", "beside", "long"])
def test_files_of_every_layout(tmp_path, layout):
    docx, openpyxl = pytest.importorskip("docx"), pytest.importorskip("openpyxl")
    made = table({"a": P_VALUES, "b": P_VALUES}, layout=layout)
    (grid,) = docx.Document(made.save(tmp_path / "t.docx")).tables
    shown = [[cell.text for cell in row.cells] for row in grid.rows]
    assert [made.spec.rows[-1].stub, *(cell.text for cell in made.spec.rows[-1].cells)] == shown[-1]
    sheet = openpyxl.load_workbook(made.save(tmp_path / "t.xlsx")).active
    numbers = [c.value for line in sheet.iter_rows() for c in line if isinstance(c.value, float | int)]
    assert sorted(numbers) == sorted(c.value for row in made.spec.rows for c in row.cells if c.numeric)


def long_table():
    frame = pd.DataFrame({"term": [f"country {i}" for i in range(139)], "estimate": 1.0, "std_error": 0.1})
    return table({"premium & pay": frame}, title="Premiums of 139 countries", notes=["Own figures, 100 %."])


def test_a_long_table_repeats_its_header():
    text = long_table().latex(longtable=True, label="tab:long")
    assert text.count("premium \\& pay") == 2
    assert r"\endfirsthead" in text
    assert r"\begin{table}" not in text
    assert r"\caption{Premiums of 139 countries}\label{tab:long} \\" in text


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="needs LaTeX")
def test_a_long_table_compiles(tmp_path):
    text = long_table().latex(longtable=True, label="tab:long")
    page = rf"\documentclass{{article}}\usepackage{{booktabs,longtable}}\begin{{document}}{text}\end{{document}}"
    (tmp_path / "t.tex").write_text(page)
    run = subprocess.run(
        ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "t.tex"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stdout[-2000:]
    assert "Overfull" not in run.stdout
