"""Gaps of means against Stata, R and hand-written algebra, and every way of asking for one."""

from __future__ import annotations

import json
import re

import designs
import numpy as np
import pandas as pd
import pytest

import wagegap as wg
from wagegap.errors import (
    ColumnError,
    CovarianceError,
    DataError,
    EmptyDataError,
    FewClustersWarning,
    FormulaError,
    IdentificationError,
    IdentificationWarning,
    OptionError,
)
from wagegap.estimation.covariance.options import Bootstrap, Replicates, Survey
from wagegap.estimation.estimates import join

X = ["educ", "exper", "tenure"]
JANN = "lnwage ~ educ + exper + tenure"
MEN_WOMEN = {"group": "female", "groups": (0, 1)}


def read(shared, name, *parts):
    path = shared.joinpath(*parts, name)
    if not path.is_file():
        pytest.skip(f"{name} is not among the reference values")
    return json.loads(path.read_text()) if name.endswith(".json") else pd.read_csv(path)


def reference(shared, case):
    return read(shared, f"{case}.json", "reference")["results"]


def table(result):
    """Estimate and standard error by component and term."""
    return result.tidy().set_index(["component", "term"])[["estimate", "std_error"]]


def agree(result, expected, *, rtol=1e-8, rtol_se=1e-6, atol=1e-13, atol_se=1e-13):
    """Compare with {component: {term: (estimate, standard error)}}; None is not compared."""
    found = table(result)
    for component, terms in expected.items():
        for term, (estimate, error) in terms.items():
            own = found.loc[(component, term)]
            if estimate is not None:
                assert own["estimate"] == pytest.approx(estimate, rel=rtol, abs=atol), (component, term)
            if error is not None:
                assert own["std_error"] == pytest.approx(error, rel=rtol_se, abs=atol_se), (component, term)


def stata_terms(components):
    """Components of a reference file, its constant called as a formula calls it."""
    rename = {"_cons": "Intercept", "Total": "total"}
    return {
        name: {rename.get(term, term): (cell["est"], cell["se"]) for term, cell in terms.items()}
        for name, terms in components.items()
        if name in ("explained", "unexplained", "endowments", "coefficients", "interaction")
    }


# Stata: Jann's data -------------------------------------------------------------------------------------------------

JANN_CASES = {
    "threefold": {"threefold": True, "convention": "stata"},
    "twofold_w0": {"reference": "B", "convention": "stata"},
    "twofold_w0.5": {"reference": "reimers", "convention": "stata"},
    "twofold_w1": {"reference": "A", "convention": "stata"},
    "twofold_cotton": {"reference": "cotton", "convention": "stata"},
    "pooled_with_group_robust": {"reference": "pooled", "convention": "stata"},
    "pooled_with_group_robust_full_joint": {"reference": "pooled"},
    "pooled_omega_robust": {"reference": "neumark", "convention": "stata"},
    "pooled_with_group_pweights": {"reference": "pooled", "convention": "stata", "weights": "wt"},
    "pooled_with_group_pweights_full_joint": {"reference": "pooled", "weights": "wt"},
}


@pytest.fixture(scope="module")
def jann(shared):
    return read(shared, "jann_oaxaca.csv", "refdata")


@pytest.fixture(scope="module")
def workers_with_pay():
    return designs.workers().dropna(subset="lnwage")


def agree_by_delta_method(rows, expected, case):
    found = wg.oaxaca(rows, JANN, **MEN_WOMEN, **JANN_CASES[case])
    agree(found, stata_terms(expected[case]), rtol=1e-10, rtol_se=1e-9)
    levels = expected[case].get("levels", None if "pweights" in case else expected["levels"])
    if levels is not None:
        gap = levels["difference"]
        classical = "levels" not in expected[case]
        assert found.params.iloc[0] == pytest.approx(gap["est"], rel=1e-10)
        if classical == (JANN_CASES[case].get("reference") not in ("pooled", "neumark")):
            assert found.bse.iloc[0] == pytest.approx(gap["se"], rel=1e-9)
            assert found.levels.bse.tolist() == pytest.approx(
                [levels["prediction_1"]["se"], levels["prediction_2"]["se"]], rel=1e-9
            )


@pytest.mark.parametrize("case", JANN_CASES)
def test_errors_by_the_delta_method(facts, workers_with_pay, case):
    agree_by_delta_method(workers_with_pay, facts("oaxaca_delta"), case)


def test_stata_jann(shared, jann):
    expected = reference(shared, "own_jann_oaxaca_delta")
    expected["twofold_cotton"] = expected["twofold_w0.5237099024"]
    for case in JANN_CASES:
        agree_by_delta_method(jann, expected, case)


def test_printed_in_jann_2008(jann):
    """Jann (2008), first example, as printed: seven decimals."""
    found = wg.oaxaca(jann, JANN, **MEN_WOMEN, threefold=True, convention="stata")
    printed = {
        "difference": {"total": (0.1734607, 0.0279880)},
        "endowments": {"total": (0.0852798, 0.0156930)},
        "coefficients": {"total": (0.0825630, 0.0255804)},
        "interaction": {"total": (0.0056180, 0.0109660)},
    }
    agree(found, printed, rtol=0, rtol_se=0, atol=6e-8, atol_se=6e-8)


# Stata: handbook ----------------------------------------------------------------------------------------------------

DEMOGRAPHY = ["age00", "msa", "ctrlcity", "north_central", "south00", "west", "hispanic", "black"]
EXPERIENCE = ["wkswk_18", "yrsmil78_00", "pcntpt_22"]
HANDBOOK_REFERENCE = {1: "A", 2: "A", 3: "B", 4: 0.500926, 5: "pooled"}
HANDBOOK_TOTALS = {
    1: (0.1973076, 0.0180079, 0.0359927, 0.0185897),
    5: (0.1415073, 0.0121464, 0.0917930, None),
}
"""Printed by Stata's oaxaca (2010): explained, its error, unexplained, its error."""


def handbook(rows, case, **options):
    """One column of table 3 of Fortin, Lemieux and Firpo (2011)."""
    education, industry = case["education_dummies"].split(), case["industry_dummies"].split()
    groups = {
        "groupdem": DEMOGRAPHY, "grouped": education, "groupaf": "afqtp89", "groupfam": "famrspb",
        "groupex": EXPERIENCE, "groupind": industry,
    }  # fmt: skip
    names = [*DEMOGRAPHY, *education, "afqtp89", "famrspb", *EXPERIENCE, *industry]
    options = {"convention": "stata", "detail": groups, **options}
    at = HANDBOOK_REFERENCE[case["table3_column"]]
    return wg.oaxaca(rows, f"lropc00 ~ {' + '.join(names)}", **MEN_WOMEN, reference=at, **options)


@pytest.mark.parametrize("column", HANDBOOK_REFERENCE)
def test_stata_handbook(shared, column):
    rows = read(shared, "nlsy00_flf.csv", "refdata")
    stata = reference(shared, "stata_flf2011_table3")[column - 1]
    own = reference(shared, "own_flf2011_table3_delta")[column - 1]
    found = handbook(rows, stata)
    printed = stata_terms({name: stata[name] for name in ("explained", "unexplained")})
    agree(found, printed, rtol=0, rtol_se=0, atol=5.2e-8, atol_se=2e-6)  # seven printed decimals; float regressors
    agree(found, stata_terms(own), rtol=1e-9, rtol_se=1e-9)
    by_variable = handbook(rows, stata, detail="columns")
    agree(by_variable, stata_terms(own["by_variable"]), rtol=1e-8, rtol_se=1e-8)
    if column == 5:
        full = stata_terms(own["full_joint_influence_function"])
        agree(handbook(rows, stata, convention="full"), full, rtol=1e-9, rtol_se=1e-9)
    if column in HANDBOOK_TOTALS:
        explained, error, rest, rest_error = HANDBOOK_TOTALS[column]
        expected = {"explained": {"total": (explained, error)}, "unexplained": {"total": (rest, rest_error)}}
        agree(found, expected, rtol=0, rtol_se=0, atol=5.2e-8, atol_se=2e-6)


# R: oaxaca ----------------------------------------------------------------------------------------------------------


def chicago(request):
    rows = read(request.getfixturevalue("shared"), "chicago.csv", "refdata")
    rows.columns = [name.replace(".", "_") for name in rows]
    names = ["age", "female", "LTHS", "some_college", "college", "advanced_degree"]
    return rows, f"ln_real_wage ~ {' + '.join(names)}", "foreign_born"


def cps1985(request):
    rows = request.getfixturevalue("packaged")("AER", "CPS1985").assign(fem=lambda d: (d["gender"] == "female") * 1)
    rows = rows.assign(mar=(rows["married"] == "yes") * 1, un=(rows["union"] == "yes") * 1)
    rows = rows.assign(sou=(rows["region"] == "south") * 1, exp2=rows["experience"] ** 2)
    return rows, "log(wage) ~ education + experience + exp2 + mar + un + sou", "fem"


def cps1988(request):
    rows = request.getfixturevalue("packaged")("AER", "CPS1988").assign(afam=lambda d: (d["ethnicity"] == "afam") * 1)
    return rows.iloc[::4], "log(wage) ~ education + experience + I(experience**2) + smsa + parttime + region", "afam"


def psid1982(request):
    rows = request.getfixturevalue("packaged")("AER", "PSID1982").assign(fem=lambda d: (d["gender"] == "female") * 1)
    return rows, "log(wage) ~ education + experience + weeks + union + ethnicity + south + smsa", "fem"


def swiss(request):
    return read(request.getfixturevalue("shared"), "jann_oaxaca.csv", "refdata"), JANN, "female"


def designed(request):
    return designs.workers().dropna(subset="lnwage"), JANN, "female"


R_CASES = {
    "oaxaca_chicago_boot1000": chicago,
    "oaxaca_cps1985_boot1000": cps1985,
    "oaxaca_jann_boot1000": swiss,
}
R_WEIGHTS = {0.0: "B", 1.0: "A", 0.5: "reimers", -1.0: "neumark", -2.0: "pooled"}


def r_rows(variables, names, weight=None):
    """Detail of R's oaxaca as {component: {term: (estimate, None)}}."""
    out = {name: {} for name in names}
    for row in variables:
        term = row["term"].replace("(Intercept)", "Intercept").replace(".", "_")
        for name in names:
            out[name][term] = (row[f"coef({name})"], None)
    return out


def r_case(request, case):
    """Rows, formula, group, and what R's oaxaca gives."""
    known = request.getfixturevalue("facts")("oaxaca_r")
    expected = known[case] if case in known else reference(request.getfixturevalue("shared"), case)
    return *R_CASES[case](request), expected


@pytest.mark.parametrize("case", R_CASES)
def test_r_oaxaca_point_estimates(request, case):
    rows, formula, group, expected = r_case(request, case)
    options = {"group": group, "groups": (0, 1), "detail": "columns"}
    three = wg.oaxaca(rows, formula, **options, threefold=True)
    names = ("endowments", "coefficients", "interaction")
    overall = expected["threefold_overall"]
    agree(three, {name: {"total": (overall[f"coef({name})"], None)} for name in names}, rtol=1e-9)
    agree(three, r_rows(expected["threefold_variables"], names), rtol=1e-8, atol=1e-12)
    for overall, variables in zip(expected["twofold_overall"], expected["twofold_variables"], strict=True):
        weight = overall["group.weight"]
        two = wg.oaxaca(rows, formula, **options, reference=R_WEIGHTS.get(weight, "cotton"))
        totals = {name: {"total": (overall[f"coef({name})"], None)} for name in ("explained", "unexplained")}
        agree(two, totals, rtol=1e-9)
        agree(two, r_rows(variables, ("explained", "unexplained")), rtol=1e-8, atol=1e-12)
        split = table(wg.oaxaca(rows, formula, **options, reference=R_WEIGHTS.get(weight, "cotton"), split=True))
        for own, theirs in (("unexplained_first", "unexplained A"), ("unexplained_second", "unexplained B")):
            value = overall[f"coef({theirs})"]
            assert split.loc[(own, "total"), "estimate"] == pytest.approx(value, rel=1e-9, abs=1e-12)


@pytest.mark.parametrize("case", R_CASES)
def test_r_oaxaca_bootstrap_errors(request, case):
    """1,000 resamples on either side: 1/sqrt(2000) = .022 each, and four times the two together is .126."""
    rows, formula, group, expected = r_case(request, case)
    cov = Bootstrap(1000, rng=5)
    options = {"group": group, "groups": (0, 1), "detail": "columns", "cov": cov}
    three = wg.oaxaca(rows, formula, **options, threefold=True)
    names = ("endowments", "coefficients", "interaction")
    overall = expected["threefold_overall"]
    agree(three, {name: {"total": (None, overall[f"se({name})"])} for name in names}, rtol_se=0.126)
    for overall in expected["twofold_overall"]:
        at = R_WEIGHTS.get(overall["group.weight"], "cotton")
        two = wg.oaxaca(rows, formula, **options, reference=at)
        errors = {name: {"total": (None, overall[f"se({name})"])} for name in ("explained", "unexplained")}
        agree(two, errors, rtol_se=0.126)


@pytest.mark.parametrize("data", [cps1985, cps1988, psid1982, designed])
def test_statsmodels_on_other_data(request, data):
    """The same numbers from statsmodels' OaxacaBlinder, whose neumark is spelt nuemark."""
    from formulaic import model_matrix
    from statsmodels.stats.oaxaca import OaxacaBlinder

    rows, formula, group = data(request)
    outcome, _, right = formula.partition("~")
    y, x = (np.asarray(model_matrix(side, rows), dtype=float) for side in (f"{outcome} - 1", right))
    model = OaxacaBlinder(y[:, 0], np.column_stack([x[:, 1:], rows[group], x[:, 0]]), x.shape[1] - 1, swap=False)
    for own, theirs in {"pooled": "pooled", "neumark": "nuemark", "cotton": "cotton", "reimers": "reimers"}.items():
        unexplained, explained, _ = model.two_fold(two_fold_type=theirs).params
        found = table(wg.oaxaca(rows, formula, group=group, groups=(0, 1), reference=own))["estimate"]
        assert found["explained", "total"] == pytest.approx(explained, rel=1e-7)
        assert found["unexplained", "total"] == pytest.approx(unexplained, rel=1e-7)
    found = table(wg.oaxaca(rows, formula, group=group, groups=(0, 1), threefold=True))["estimate"]
    values = [found[name, "total"] for name in ("endowments", "coefficients", "interaction", "difference")]
    assert values == pytest.approx(list(model.three_fold().params), rel=1e-7)


def test_stata_figures_in_statsmodels_tests():
    """`ccard`, a data set that comes with statsmodels, with what Stata printed for it (seven digits)."""
    import statsmodels.api as sm

    rows = sm.datasets.ccard.load_pandas().data
    formula = "AVGEXP ~ AGE + INCOME + INCOMESQ"
    three = wg.oaxaca(rows, formula, group="OWNRENT", groups=(1, 0), threefold=True)
    printed = {"difference": 158.7504, "endowments": 321.7482, "coefficients": 75.45371, "interaction": -238.4515}
    agree(three, {name: {"total": (value, None)} for name, value in printed.items()}, rtol=5e-7)
    two = wg.oaxaca(rows, formula, group="OWNRENT", groups=(1, 0), reference="pooled")
    printed = {"explained": 130.8095, "unexplained": 27.94091}
    agree(two, {name: {"total": (value, None)} for name, value in printed.items()}, rtol=5e-7)


@pytest.mark.parametrize("case", ["statsmodels_jann", "statsmodels_flf2011"])
def test_statsmodels_values(shared, case):
    expected = reference(shared, case)
    if case.endswith("jann"):
        rows, formula = read(shared, "jann_oaxaca.csv", "refdata"), JANN
    else:
        rows = read(shared, "nlsy00_flf.csv", "refdata")
        columns = read(shared, f"{case}.json", "reference")["data"]["columns"]
        formula = f"lropc00 ~ {' + '.join(columns[2:])}"
    for own, theirs in {"pooled": "pooled", "neumark": "nuemark", "cotton": "cotton", "reimers": "reimers"}.items():
        found = wg.oaxaca(rows, formula, **MEN_WOMEN, reference=own)
        agree(found, {name: {"total": (expected[theirs][name], None)} for name in ("explained", "unexplained")})
    three = wg.oaxaca(rows, formula, **MEN_WOMEN, threefold=True)
    names = ("endowments", "coefficients", "interaction")
    agree(three, {name: {"total": (expected["three_fold"][name], None)} for name in names})


# PyPI oaxaca --------------------------------------------------------------------------------------------------------


def agree_with_pypi_oaxaca(rows, expected, weight, normalize):
    options = {"reference": weight, "normalize": normalize, "detail": "columns"}
    found = table(wg.oaxaca(rows, f"{JANN} + C(isco)", **MEN_WOMEN, **options))["estimate"]
    expected = expected[f"two_{'unweighted' if normalize else 'none'}_{weight}"]
    assert found["explained", "total"] == pytest.approx(expected["explained"], rel=1e-9)
    own = {
        term.replace("[T.", "["): (found["explained", term], found["unexplained", term])
        for term in found["explained"].index
    }
    columns = [expected["detailed"][name] for name in ("category", "explained_detailed", "unexplained_detailed")]
    for term, explained, unexplained in zip(*columns, strict=True):
        values = (explained, unexplained)
        assert own[term.replace("[T.", "[")] == pytest.approx(values, rel=1e-8, abs=1e-12), term


@pytest.mark.parametrize("normalize", [(), "isco"])
@pytest.mark.parametrize("weight", [1.0, 0.0, 0.5])
def test_pypi_oaxaca_with_a_factor(facts, workers_with_pay, weight, normalize):
    agree_with_pypi_oaxaca(workers_with_pay, facts("oaxaca_pypi"), weight, normalize)


def test_pypi_oaxaca_on_the_data_of_jann(shared, jann):
    rows, expected = jann.dropna(subset="lnwage").astype({"isco": int}), reference(shared, "pypioaxaca_jann_isco")
    for normalize in ((), "isco"):
        for weight in (1.0, 0.0, 0.5):
            agree_with_pypi_oaxaca(rows, expected, weight, normalize)


# R: ddecompose ------------------------------------------------------------------------------------------------------

NLYS = (
    "log(wage) ~ age + central_city + msa + region + black + hispanic + education + afqt + family_responsibility"
    " + years_worked_civilian + years_worked_military + part_time + industry"
)
FACTORS = ["central_city", "msa", "region", "black", "hispanic", "education", "industry"]
DDECOMPOSE = {
    "ref0": {"reference": "B"},
    "ref1": {"reference": "A"},
    "hc1": {"reference": "B", "cov": "HC1"},
    "normalised": {"reference": "B", "normalize": FACTORS},
}


def ddecompose(shared, case, **options):
    whole = read(shared, f"ddecompose_nlys00_ob_{case}.json", "reference")
    rows = read(shared, "nlys00.csv", "refdata")
    for name, levels in whole["data"]["factor_levels"].items():
        rows[name] = pd.Categorical(rows[name], categories=levels)
    options = {"convention": "ddecompose", "detail": "columns", **options}
    found = wg.oaxaca(rows, NLYS, group="female", groups=("no", "yes"), **options)
    return found, whole["results"]["ob_decompose"]


def flat(term):
    """R's name of a column: `education[T.BA]` is `educationBA`."""
    return {"total": "Total", "Intercept": "(Intercept)"}.get(term, re.sub(r"\[(T\.)?(.*)\]", r"\2", term))


@pytest.mark.parametrize("case", ["ref0", "ref1", "hc1"])
def test_errors_of_products(facts, workers_with_pay, case):
    """The formula of ddecompose, written down in R, with its factor of nine levels."""
    expected, formula = facts("oaxaca_products")[case], f"{JANN} + C(isco)"
    options = {"convention": "ddecompose", "detail": "columns", **DDECOMPOSE[case]}
    found = wg.oaxaca(workers_with_pay, formula, **MEN_WOMEN, **options)
    cells = table(found)
    for place, component in enumerate(("explained", "unexplained")):
        terms = cells.loc[component].drop("total")
        np.testing.assert_allclose(terms["estimate"], expected[component], rtol=1e-9, atol=1e-12)
        np.testing.assert_allclose(terms["std_error"], expected[f"se_{component}"], rtol=1e-10, atol=1e-14)
        total = cells.loc[(component, "total")]
        assert total["estimate"] == pytest.approx(sum(expected[component]), rel=1e-9)
        assert total["std_error"] == pytest.approx(expected["se_total"][place], rel=1e-10)
    assert found.bse.iloc[0] == pytest.approx(expected["se_difference"], rel=1e-10)


@pytest.mark.parametrize("case", DDECOMPOSE)
def test_ddecompose_estimates_and_errors(shared, case):
    found, expected = ddecompose(shared, case, **DDECOMPOSE[case])
    values = {row["Variable"]: row for row in expected["decomposition_terms"]}
    errors = {row["Variable"]: row for row in expected["se"]}
    compared = 0
    for (component, term), own in table(found).iterrows():
        if component == "difference":
            continue
        name = {"explained": "Composition_effect", "unexplained": "Structure_effect"}[component]
        assert own["estimate"] == pytest.approx(values[flat(term)][name], rel=1e-9, abs=1e-12)
        error = errors[flat(term)][name]
        if error is not None:  # with normalised factors R returns NaN for the total and some levels
            assert own["std_error"] == pytest.approx(error, rel=1e-10, abs=1e-14)
            compared += 1
    assert compared >= (40 if case == "normalised" else 2 * len(values))
    if case != "normalised":
        assert found.bse.iloc[0] == pytest.approx(errors["Total"]["Observed_difference"], rel=1e-10)


def test_ddecompose_bootstrap_errors(shared):
    """200 resamples there, 1,000 here: standard errors of .05 and .022, four times both together is .22."""
    found, expected = ddecompose(shared, "boot200", reference="B", cov=Bootstrap(1000, rng=3), convention="full")
    errors = {row["Variable"]: row for row in expected["se"]}
    rare = ("education<10 yrs",)  # few persons: its distribution is far from normal
    for (component, term), own in table(found).iterrows():
        name = {"explained": "Composition_effect", "unexplained": "Structure_effect"}.get(component)
        if name is not None and term != "Intercept" and flat(term) not in rare:
            assert own["std_error"] == pytest.approx(errors[flat(term)][name], rel=0.22), (component, term)


# by hand ------------------------------------------------------------------------------------------------------------

FORMULA = "pay ~ educ + exper + skill"
COLUMNS = ["Intercept", "educ", "exper", "skill[T.low]"]


def workers(n=900, seed=0):
    """Three countries in two years, sampling units that cross countries, in four strata."""
    rng = np.random.default_rng(seed)
    country, psu = rng.choice(["JPN", "KOR", "USA"], size=n, p=[0.3, 0.3, 0.4]), rng.integers(60, size=n)
    educ, exper = rng.integers(8, 19, size=n).astype(float), rng.gamma(2.0, 5.0, size=n)
    skill = rng.choice(["high", "low"], size=n, p=[0.4, 0.6])
    usa = country == "USA"
    educ += usa
    pay = 1 + 0.07 * educ + 0.01 * exper + 0.05 * usa * educ - 0.2 * (skill == "low") + 0.1 * rng.normal(size=60)[psu]
    return pd.DataFrame(
        {
            "country": country, "year": rng.choice([2019, 2024], size=n), "psu": psu, "stratum": psu % 4,
            "firm": rng.integers(30, size=n), "educ": educ, "exper": exper, "skill": skill,
            "pay": pay + 0.3 * rng.normal(size=n) * (1 + 0.05 * exper),
            "w": rng.gamma(2.0, 1.0, size=n) + 0.1, "times": rng.integers(1, 4, size=n),
        }
    )  # fmt: skip


@pytest.fixture(scope="module")
def rows():
    return workers()


class ByHand:
    """Means, coefficients, and the influence of every row on them, from the normal equations."""

    def __init__(self, rows, weights=None):
        self.rows = rows
        low = rows["skill"] == "low"
        self.x = np.column_stack([np.ones(len(rows)), rows["educ"], rows["exper"], low]).astype(float)
        self.y = rows["pay"].to_numpy()
        self.w = np.ones(len(rows)) if weights is None else rows[weights].to_numpy(dtype=float)

    def means(self, at):
        w = self.w * at
        mean = w @ self.x / w.sum()
        return mean, w[:, None] * (self.x - mean) / w.sum()

    def coefs(self, at, indicator=None):
        x = self.x if indicator is None else np.column_stack([self.x, indicator])
        w = self.w * at
        bread = np.linalg.inv(x.T @ (w[:, None] * x))
        b = bread @ (x.T @ (w * self.y))
        return b[:4], ((w * (self.y - x @ b))[:, None] * x @ bread)[:, :4]

    def components(self, first, second, *, reference="A", threefold=False, cell=True):
        """Values (q,) and influence (n, q): the gap, then each component's total and columns."""
        a, b = (((self.rows["country"] == level) & cell).to_numpy(dtype=float) for level in (first, second))
        m = {"a": self.means(a), "b": self.means(b)}
        f = {"a": self.coefs(a), "b": self.coefs(b)}
        f["r"] = self.reference(reference, a, b, f)
        table = (
            {"endowments": "+ab -bb", "coefficients": "+ba -bb", "interaction": "+aa -ab -ba +bb"}
            if threefold
            else {"explained": "+ar -br", "unexplained": "+aa -ar +br -bb"}
        )
        values, influence = [np.zeros(4)], [np.zeros_like(self.x)]
        for terms in ("+aa -bb", *table.values()):
            value, moves = np.zeros(4), np.zeros_like(self.x)
            for term in terms.split():
                (mean, of_mean), (coef, of_coef) = m[term[1]], f[term[2]]
                sign = 1 if term[0] == "+" else -1
                value, moves = value + sign * mean * coef, moves + sign * (of_mean * coef + mean * of_coef)
            values.append(np.r_[value.sum(), value])
            influence.append(np.column_stack([moves.sum(axis=1), moves]))
        return np.r_[values[1][0], *values[2:]], np.column_stack([influence[1][:, 0], *influence[2:]])

    def reference(self, name, a, b, fits):
        if name in ("pooled", "neumark"):
            return self.coefs(a + b, b if name == "pooled" else None)
        shares = {"A": 1.0, "B": 0.0, "reimers": 0.5, "cotton": (self.w @ a) / (self.w @ (a + b))}
        share = shares[name] if isinstance(name, str) else np.asarray(name)
        return tuple(share * of_a + (1 - share) * of_b for of_a, of_b in zip(fits["a"], fits["b"], strict=True))


def cluster_sums(influence, group):
    return pd.DataFrame(influence).groupby(np.asarray(group)).sum().to_numpy()


def covariance(cov, influence, rows):
    """Every covariance written out, the whole sample being one estimation."""
    n = len(rows)
    if cov in ("HC0", "HC1"):
        return influence.T @ influence * (n / (n - 1) if cov == "HC1" else 1)
    kind, _, clusters = cov.partition(":")
    total, smallest = 0.0, np.inf
    names = clusters.split("+")
    columns = [(rows[name].astype(str), 1) for name in names]
    columns += [(rows[names].astype(str).agg(" ".join, axis=1), -1)] * (len(names) > 1)
    for own, sign in columns:
        sums = cluster_sums(influence, own)
        smallest = min(smallest, len(sums)) if sign > 0 else smallest
        total = total + sign * sums.T @ sums
    return total * (smallest / (smallest - 1) if kind == "CR1" else 1)


OPTIONS = [
    {"reference": name} for name in ("A", "B", "pooled", "neumark", "cotton", "reimers", 0.3, [0.1, 0.5, 0.9, 0.2])
]


@pytest.mark.parametrize("kind", [None, "sampling", "analytic"])
@pytest.mark.parametrize("cov", ["HC0", "HC1", "CR0:psu", "CR1:psu", "CR1:psu+firm"])
@pytest.mark.parametrize("options", [*OPTIONS, {"threefold": True}], ids=str)
def test_every_reference_covariance_and_weight(rows, options, cov, kind):
    rows = rows[rows["country"] != "JPN"].reset_index(drop=True)
    weights = {} if kind is None else {"weights": "w", "weight_kind": kind}
    # the sum itself, which for the threefold parts is not positive semidefinite here
    asked = wg.cov.Robust("CR1", ("psu", "firm"), repair="none") if "+" in cov and "threefold" in options else cov
    for keep_units in (True, False):
        found = wg.oaxaca(
            rows, FORMULA, group="country", groups=("USA", "KOR"), detail="columns", cov=asked, keep_units=keep_units,
            **options, **weights,
        )  # fmt: skip
        values, influence = ByHand(rows, weights.get("weights")).components("USA", "KOR", **options)
        np.testing.assert_allclose(found.params, values, rtol=1e-10, atol=1e-13)
        expected = covariance(cov, influence, rows)
        np.testing.assert_allclose(found.cov_params(), expected, rtol=1e-8, atol=1e-13)
        assert found.estimates.labels["term"].tolist()[:6] == ["total", "total", *COLUMNS]


@pytest.mark.parametrize("reference", ["A", "pooled", "cotton"])
@pytest.mark.parametrize("groups", [("*", "USA"), (["KOR", "JPN"], "USA"), "pairs"], ids=str)
def test_many_groups_jointly(rows, groups, reference):
    pairs = {"pairs": [("JPN", "KOR"), ("JPN", "USA"), ("KOR", "USA")]}.get(
        groups if isinstance(groups, str) else "", [("JPN", "USA"), ("KOR", "USA")]
    )
    pairs = pairs[::-1] if isinstance(groups[0], list) else pairs
    hand = ByHand(rows)
    parts = [hand.components(*pair, reference=reference) for pair in pairs]
    for cov in ("HC1", "CR1:psu"):
        for keep_units in (True, False):
            found = wg.oaxaca(
                rows, FORMULA, group="country", groups=groups, reference=reference, detail="columns", cov=cov,
                keep_units=keep_units,
            )  # fmt: skip
            np.testing.assert_allclose(found.params, np.concatenate([part[0] for part in parts]), rtol=1e-9, atol=1e-12)
            joint = covariance(cov, np.column_stack([part[1] for part in parts]), rows)
            np.testing.assert_allclose(found.cov_params(), joint, rtol=1e-8, atol=1e-13)
    assert found.keys == ["first", "second"]
    assert found.comparisons["direction"].tolist() == [f"{first} minus {second}" for first, second in pairs]
    first, second = (f"{a} {b} explained total" for a, b in pairs[:2])
    difference = found.test(f"{first} = {second}")
    row = (found.params.index == first) * 1.0 - (found.params.index == second)
    assert difference.std_error[0] == pytest.approx(np.sqrt(row @ joint @ row), rel=1e-6)


def test_cells_are_decomposed_jointly(rows):
    found = wg.oaxaca(rows, FORMULA, group="country", groups=("USA", "KOR"), by="year", detail="columns", cov="CR0:psu")
    chosen = rows[rows["country"] != "JPN"].reset_index(drop=True)
    hand = ByHand(chosen)
    parts = [hand.components("USA", "KOR", cell=chosen["year"] == year) for year in (2019, 2024)]
    np.testing.assert_allclose(found.params, np.concatenate([part[0] for part in parts]), rtol=1e-10, atol=1e-13)
    joint = covariance("CR0:psu", np.column_stack([part[1] for part in parts]), chosen)
    np.testing.assert_allclose(found.cov_params(), joint, rtol=1e-8, atol=1e-13)
    assert found.keys == ["year"]
    alone = wg.oaxaca(
        rows[rows["year"] == 2024], FORMULA, group="country", groups=("USA", "KOR"), detail="columns", cov="CR0:psu"
    )
    at = found.tidy()["year"] == 2024
    np.testing.assert_allclose(found.bse[at.to_numpy()], alone.bse, rtol=1e-10, atol=1e-14)


def test_survey_design(rows):
    chosen = rows[rows["country"] != "JPN"].reset_index(drop=True)
    cov = Survey("psu", "stratum")
    found = wg.oaxaca(
        rows,
        FORMULA,
        group="country",
        groups=("USA", "KOR"),
        reference="pooled",
        detail="columns",
        cov=cov,
        weights="w",
    )
    _, influence = ByHand(chosen, "w").components("USA", "KOR", reference="pooled")
    total = 0.0
    for stratum, everything in rows.groupby("stratum"):
        at = (chosen["stratum"] == stratum).to_numpy()
        units = everything["psu"].unique()
        sums = np.zeros((len(units), influence.shape[1]))
        for i, unit in enumerate(units):
            sums[i] = influence[at & (chosen["psu"] == unit).to_numpy()].sum(axis=0)
        centred = sums - sums.mean(axis=0)
        total = total + len(units) / (len(units) - 1) * centred.T @ centred
    np.testing.assert_allclose(found.cov_params(), total, rtol=1e-8, atol=1e-13)
    lean = wg.oaxaca(
        rows, FORMULA, group="country", groups=("USA", "KOR"), reference="pooled", detail="columns", cov=cov,
        weights="w", keep_units=False,
    )  # fmt: skip
    np.testing.assert_allclose(lean.cov_params(), total, rtol=1e-8, atol=1e-13)


def test_frequency_weights_are_repeated_rows(rows):
    repeated = rows.loc[rows.index.repeat(rows["times"])].reset_index(drop=True)
    for cov in ("HC0", "HC1", "CR1:psu"):
        for options in ({"reference": "pooled"}, {"threefold": True}, {"convention": "stata"}):
            for keep_units in (True, False):
                options = {"group": "country", "groups": ("USA", "KOR"), **options, "cov": cov}
                short = wg.oaxaca(
                    rows, FORMULA, weights="times", weight_kind="frequency", keep_units=keep_units, **options
                )
                full = wg.oaxaca(repeated, FORMULA, **options)
                np.testing.assert_allclose(short.params, full.params, rtol=1e-9, atol=1e-12)
                np.testing.assert_allclose(short.cov_params(), full.cov_params(), rtol=1e-8, atol=1e-13)
                np.testing.assert_allclose(short.estimates.df, full.estimates.df)


# replicates ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "options", [{"reference": "pooled"}, {"reference": "cotton"}, {"threefold": "reverse"}], ids=str
)
def test_replicate_weights_refit_everything(rows, options):
    """JK2-like: in each replicate one of two units of a stratum counts double, the other nothing."""
    rng = np.random.default_rng(3)
    columns = {}
    for r in range(12):
        drop, double = rng.choice(60, size=2, replace=False)
        columns[f"r{r}"] = rows["w"] * np.where(rows["psu"] == drop, 0.0, np.where(rows["psu"] == double, 2.0, 1.0))
    data = rows.assign(**columns)
    cov = Replicates(tuple(columns), "JK2")
    call = {"group": "country", "groups": ("USA", "KOR"), "detail": "columns", **options}
    found = wg.oaxaca(data, FORMULA, cov=cov, weights="w", **call)
    at_full_shares = dict(call)
    gaps = []
    for name in columns:
        kept = data[data[name] > 0]
        if options.get("reference") == "cotton":  # weights of the reference are those of the full sample
            w = rows.groupby("country")["w"].sum()
            at_full_shares["reference"] = w["USA"] / (w["USA"] + w["KOR"])
        gaps.append(wg.oaxaca(kept, FORMULA, cov="HC0", weights=name, **at_full_shares).params.to_numpy())
    deviations = np.array(gaps) - found.params.to_numpy()
    np.testing.assert_allclose(found.cov_params(), deviations.T @ deviations, rtol=1e-7, atol=1e-13)


@pytest.mark.parametrize("kind", ["pairs", "bayesian"])
@pytest.mark.parametrize("cluster", [None, "psu"])
def test_bootstrap_is_refitting_with_drawn_weights(rows, cluster, kind):
    from wagegap.decomposition.groups import group_samples

    cov = Bootstrap(8, kind=kind, cluster=cluster, rng=4)
    call = {"group": "country", "groups": ("USA", "KOR")}
    found = wg.oaxaca(rows, FORMULA, reference="pooled", detail="columns", cov=cov, **call)
    grouped = group_samples(rows, FORMULA, cov=cov, **call)
    drawn = grouped.data.replicate_weights()
    chosen = rows.iloc[grouped.design.rows].reset_index(drop=True)
    values = []
    for weights in drawn:
        again = chosen.assign(drawn=weights)
        values.append(ByHand(again, "drawn").components("USA", "KOR", reference="pooled")[0])
    deviations = np.array(values) - found.params.to_numpy()
    np.testing.assert_allclose(found.cov_params(), deviations.T @ deviations / 7, rtol=1e-8, atol=1e-13)


def test_bootstrap_within_groups_keeps_their_sizes(rows):
    """Resampled within each group, the sizes that the pooled reference weighs by are fixed."""
    call = {"group": "country", "groups": ("USA", "KOR"), "reference": "pooled"}
    within = wg.oaxaca(rows, FORMULA, cov=Bootstrap(400, strata="country", rng=1), **call)
    analytic = wg.oaxaca(rows, FORMULA, **call)
    np.testing.assert_allclose(within.bse, analytic.bse, rtol=0.16)  # 4 / sqrt(800), and what n = 500 leaves
    assert "bootstrap" in within.summary()


def test_bootstrap_agrees_with_influence_functions(rows):
    call = {"group": "country", "groups": "pairs", "by": "year", "detail": "none", "reference": "neumark"}
    for cluster in (None, "psu"):
        boot = wg.oaxaca(rows, FORMULA, cov=Bootstrap(999, cluster=cluster, rng=2), **call)
        exact = wg.oaxaca(rows, FORMULA, cov=f"CR1:{cluster}" if cluster else "HC1", **call)
        np.testing.assert_allclose(boot.bse, exact.bse, rtol=0.2)


# what else can be asked ---------------------------------------------------------------------------------------------

USA_KOR = {"group": "country", "groups": ("USA", "KOR")}


def test_a_matrix_weighs_coefficients(rows):
    matrix = np.array([[1, 0, 0, 0], [0, 0.5, 0.1, 0], [0, 0.2, 0, 0], [0.3, 0, 0, 0.7]])
    found = table(wg.oaxaca(rows, FORMULA, reference=matrix, detail="columns", **USA_KOR))["estimate"]
    hand = ByHand(rows)
    a, b = ((rows["country"] == level).to_numpy(dtype=float) for level in ("USA", "KOR"))
    of_a, of_b = hand.coefs(a)[0], hand.coefs(b)[0]
    at = matrix @ of_a + (np.eye(4) - matrix) @ of_b
    explained = (hand.means(a)[0] - hand.means(b)[0]) * at
    np.testing.assert_allclose(found["explained"].loc[COLUMNS], explained, rtol=1e-9, atol=1e-12)
    as_diagonal = wg.oaxaca(rows, FORMULA, reference=np.diag([0.1, 0.5, 0.9, 0.2]), **USA_KOR)
    pd.testing.assert_frame_equal(
        table(as_diagonal), table(wg.oaxaca(rows, FORMULA, reference=[0.1, 0.5, 0.9, 0.2], **USA_KOR))
    )


def test_split_and_reverse(rows):
    split = table(wg.oaxaca(rows, FORMULA, reference="pooled", split=True, **USA_KOR))
    whole = table(wg.oaxaca(rows, FORMULA, reference="pooled", **USA_KOR))
    parts = split.loc["unexplained_first", "estimate"] + split.loc["unexplained_second", "estimate"]
    np.testing.assert_allclose(parts, whole.loc["unexplained", "estimate"], rtol=1e-9, atol=1e-12)
    forth = table(wg.oaxaca(rows, FORMULA, threefold=True, **USA_KOR))
    back = table(wg.oaxaca(rows, FORMULA, threefold="reverse", **USA_KOR))
    # At the first group's coefficients: endowments and interaction together, and the same gap.
    both = forth.loc["endowments", "estimate"] + forth.loc["interaction", "estimate"]
    np.testing.assert_allclose(back.loc["endowments", "estimate"], both, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("options", [{"reference": "pooled"}, {"threefold": True}, {"convention": "stata"}], ids=str)
def test_normalised_factors_do_not_depend_on_the_base(rows, options):
    rows = rows.assign(size=np.array(["large", "medium", "small"])[np.arange(len(rows)) % 3])
    call = {"detail": "columns", "normalize": ["skill", "size"], **options, **USA_KOR}
    found = []
    for bases in (("high", "large"), ("low", "small")):
        skill, size = (f"C({name}, Treatment({base!r}))" for name, base in zip(("skill", "size"), bases, strict=True))
        shown = table(wg.oaxaca(rows, f"pay ~ educ*{skill} + exper + {size}", **call))
        shown.index = pd.MultiIndex.from_tuples(
            [(component, re.sub(r"C\((\w+), Treatment\('\w+'\)\)\[(?:T\.)?(\w+)\]", r"\1=\2", term))
             for component, term in shown.index]
        )  # fmt: skip
        found.append(shown.sort_index())
    assert found[0].index.get_level_values(1).nunique() == 11  # total, 1, educ, exper, 2 + 3 levels, 2 slopes
    pd.testing.assert_frame_equal(found[0], found[1].loc[found[0].index], rtol=1e-8, atol=1e-11)
    levels = found[0]["estimate"].drop("total", level=1)
    gap = levels.sum()
    assert gap == pytest.approx(table(wg.oaxaca(rows, FORMULA, **USA_KOR)).iloc[0, 0], rel=1e-9)


def test_normalised_levels_by_hand(rows):
    """Gardeazabal and Ugidos: effects less their mean, the mean added to the constant."""
    found = table(wg.oaxaca(rows, FORMULA, detail="columns", normalize="skill", reference="A", **USA_KOR))["estimate"]
    hand = ByHand(rows)
    a, b = ((rows["country"] == level).to_numpy(dtype=float) for level in ("USA", "KOR"))
    coefs = {name: hand.coefs(at)[0] for name, at in (("a", a), ("b", b))}
    low = {name: hand.means(at)[0][3] for name, at in (("a", a), ("b", b))}
    d = {name: b[3] / 2 for name, b in coefs.items()}
    assert found["explained", "skill[T.low]"] == pytest.approx((low["a"] - low["b"]) * d["a"])
    assert found["explained", "skill[high]"] == pytest.approx((low["a"] - low["b"]) * d["a"])
    assert found["unexplained", "skill[high]"] == pytest.approx((1 - low["b"]) * (d["b"] - d["a"]))
    constant = coefs["a"][0] + d["a"] - coefs["b"][0] - d["b"]
    assert found["unexplained", "Intercept"] == pytest.approx(constant)


def test_named_groups_sum_their_members(rows):
    groups = {"human capital": ["educ", "exper"], "place": "skill[T.low]"}
    found = wg.oaxaca(rows, FORMULA, detail=groups, **USA_KOR)
    columns = wg.oaxaca(rows, FORMULA, detail="columns", **USA_KOR)
    assert found.detail("explained").estimates.labels["term"].tolist() == ["Intercept", "human capital", "place"]
    own, of_columns = table(found)["estimate"], table(columns)["estimate"]
    total = of_columns["explained", "educ"] + of_columns["explained", "exper"]
    assert own["explained", "human capital"] == pytest.approx(total)
    summed = columns.test("explained educ + explained exper = 0")
    assert table(found).loc[("explained", "human capital"), "std_error"] == pytest.approx(summed.std_error[0], rel=1e-9)
    assert wg.oaxaca(rows, FORMULA, detail="none", **USA_KOR).estimates.labels["term"].tolist() == ["total"] * 3


def test_a_level_that_one_group_lacks(rows):
    rows = rows.assign(skill=np.where((rows["country"] == "USA") & (rows["exper"] > 20), "top", rows["skill"]))
    with pytest.raises(IdentificationError, match=r"skill\[T.top\] = 0 in KOR.*absent_levels='base'"):
        wg.oaxaca(rows, FORMULA, **USA_KOR)
    with pytest.warns(IdentificationWarning, match=r"taken as that of the base: skill\[T.top\] = 0 in KOR"):
        found = wg.oaxaca(rows, FORMULA, absent_levels="base", detail="columns", **USA_KOR)
    # Stata's relax: the coefficient is zero in Korea, so at American coefficients the level is all explained.
    own = table(found)["estimate"]
    usa = rows[rows["country"] == "USA"]
    x = np.column_stack([np.ones(len(usa)), usa["educ"], usa["exper"], usa["skill"] == "low", usa["skill"] == "top"])
    b = np.linalg.lstsq(x.astype(float), usa["pay"].to_numpy(), rcond=None)[0]
    assert own["explained", "skill[T.top]"] == pytest.approx((usa["skill"] == "top").mean() * b[4])
    assert own["unexplained", "skill[T.top]"] == pytest.approx(0, abs=1e-12)
    with pytest.warns(IdentificationWarning):
        boot = wg.oaxaca(
            rows, FORMULA, absent_levels="base", detail="columns", cov=Bootstrap(200, kind="bayesian", rng=1), **USA_KOR
        )
    np.testing.assert_allclose(boot.params, found.params, rtol=1e-9, atol=1e-12)


def test_a_duplicated_column_changes_a_warning_only(rows):
    once = wg.oaxaca(rows, FORMULA, reference="pooled", **USA_KOR)
    for options in ({}, {"keep_units": False}, {"cov": Bootstrap(20, rng=1)}):
        with pytest.warns(IdentificationWarning, match="years = 1\\*educ in USA"):
            twice = wg.oaxaca(
                rows.assign(years=rows["educ"]), FORMULA + " + years", reference="pooled", **options, **USA_KOR
            )
        own, other = table(once), table(twice)
        np.testing.assert_allclose(other.loc[own.index, "estimate"], own["estimate"], rtol=1e-8, atol=1e-10)
        if "cov" not in options:
            np.testing.assert_allclose(other.loc[own.index, "std_error"], own["std_error"], rtol=1e-7, atol=1e-10)
        assert other.loc[("explained", "years"), "estimate"] == 0


def test_shares_with_delta_and_fieller_intervals(rows):
    found = wg.oaxaca(rows, FORMULA, **USA_KOR)
    shares = found.shares().set_index(["component", "term"])
    v, own = found.cov_params().to_numpy(), found.params.to_numpy()
    slope = np.zeros(len(own))
    slope[1], slope[0] = 1 / own[0], -own[1] / own[0] ** 2
    assert shares.loc[("explained", "total"), "share"] == pytest.approx(own[1] / own[0])
    assert shares.loc[("explained", "total"), "std_error"] == pytest.approx(np.sqrt(slope @ v @ slope), rel=1e-9)
    assert shares.loc[("difference", "total"), ["share", "std_error"]].tolist() == pytest.approx([1, 0], abs=1e-7)
    fieller = found.shares(method="fieller").set_index(["component", "term"])
    for end in ("conf_low", "conf_high"):
        ratio = fieller.loc[("explained", "total"), end]
        row = np.zeros(len(own))
        row[1], row[0] = 1, -ratio
        assert abs(found.test(row[None, :]).p_value) == pytest.approx(0.05, abs=1e-8)
    flat = wg.oaxaca(
        rows.assign(pay=rows["pay"] - rows.groupby("country")["pay"].transform("mean")), FORMULA, **USA_KOR
    )
    unbounded = flat.shares(method="fieller")
    assert np.isneginf(unbounded["conf_low"]).all()
    assert np.isposinf(unbounded["conf_high"]).all()


def test_a_decomposition_joins_premiums_of_the_same_panel(rows):
    """The American premium of skill is among the coefficients: their covariance is that of the stacked influence."""
    same = wg.read_panel(rows.assign(low=(rows["skill"] == "low") * 1.0), country="country")
    gap = wg.oaxaca(same, "pay ~ educ + exper + low", detail="columns", cov="HC0", **USA_KOR)
    premium = wg.fit_premiums(same, "pay ~ educ + exper + low", premium="low", by="country", cov="HC0")
    both = join(gap.estimates, premium.estimates.select(country="USA"))
    hand = ByHand(rows)
    _, influence = hand.components("USA", "KOR")
    at = (rows["country"] == "USA").to_numpy(dtype=float)
    of_premium = hand.coefs(at)[1][:, 3]
    np.testing.assert_allclose(both.covariance[:-1, -1], influence.T @ of_premium, rtol=1e-8, atol=1e-14)


def test_refit_pickle_and_other_covariances(rows):
    import pickle

    found = wg.oaxaca(rows, FORMULA, cov="HC1", **USA_KOR)
    again = found.refit(rows, cov="CR1:psu")
    assert again.bse.iloc[0] != found.bse.iloc[0]
    panel = wg.read_panel(rows, cluster="psu")
    np.testing.assert_allclose(wg.oaxaca(panel, FORMULA, **USA_KOR).bse, again.bse, rtol=1e-12)
    np.testing.assert_allclose(
        wg.oaxaca(panel, FORMULA, cov="HC0", **USA_KOR).with_cov("CR1:psu").bse, again.bse, rtol=1e-12
    )
    copy = pickle.loads(pickle.dumps(found))
    pd.testing.assert_frame_equal(copy.tidy(), found.tidy())
    np.testing.assert_allclose(found.without_units().bse, found.bse, rtol=1e-12)


def test_words_and_ledger(rows):
    data = rows.assign(educ=rows["educ"].where(rows.index > 9))
    found = wg.oaxaca(data, FORMULA, group="country", groups=("USA", "KOR"), reference="cotton")
    text = found.summary()
    assert "USA minus KOR" in text
    assert "coefficients weighted by the groups' sizes" in text
    assert "missing educ" in text
    assert "in other groups" in text
    assert max(map(len, text.splitlines())) <= 80
    assert found.nobs == found.ledger.rows_used
    sorted_groups = wg.oaxaca(rows[rows["country"] != "JPN"], FORMULA, group="country")
    assert "The groups are in sorted order" in sorted_groups.summary()
    assert sorted_groups.comparisons["direction"].tolist() == ["KOR minus USA"]
    numbered = wg.oaxaca(rows, FORMULA, group="year", groups=(2024, 2019))
    assert "year 2024 minus year 2019" in numbered.summary()
    glance = found.glance().iloc[0]
    assert (glance["method"], glance["nobs"], glance["n_comparisons"]) == ("oaxaca", found.nobs, 1)


def test_words_that_need_the_name_of_the_group(rows):
    data = rows.assign(abroad=np.where(rows["country"] == "USA", "yes", "no"))
    found = wg.oaxaca(data, FORMULA, group="abroad", groups=("yes", "no"))
    assert found.comparisons["direction"].tolist() == ["abroad yes minus abroad no"]
    odd = rows.replace({"country": {"USA": "a minus b"}})
    found = wg.oaxaca(odd, FORMULA, group="country", groups=("a minus b", "KOR"))
    assert "a minus b minus KOR" in found.summary()
    n = rows["country"].value_counts()
    assert f"Rows: {n['USA']:,} a minus b, {n['KOR']:,} KOR." in found.summary()
    assert found.plot().get_xlabel().startswith("a minus b minus KOR")


@pytest.mark.parametrize("dtype", ["int64", "Int64", "float32", "boolean", "bool"])
def test_plain_columns_are_what_the_formula_engine_makes_of_them(rows, dtype):
    """A sum of numeric columns is put together without the engine; `I(...)` calls for it."""
    data = rows.assign(educ=(rows["educ"] > 14 if "bool" in dtype else rows["educ"]).astype(dtype))
    own = wg.oaxaca(data, "pay ~ educ + exper + educ", **USA_KOR)
    engine = wg.oaxaca(data, "pay ~ educ + I(exper)", **USA_KOR)
    np.testing.assert_allclose(own.params, engine.params, rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(own.bse, engine.bse, rtol=1e-12, atol=1e-14)
    without = wg.oaxaca(data, "pay ~ educ + exper - 1", **USA_KOR)
    assert without.detail("explained").estimates.labels["term"].tolist() == ["educ", "exper"]


# bad input ----------------------------------------------------------------------------------------------------------


def oaxaca(rows, formula=FORMULA, **options):
    return wg.oaxaca(rows, formula, **{**USA_KOR, **options})


BAD = [
    ({"groups": None}, OptionError, "3 groups .* where two are needed"),
    ({"group": "contry"}, ColumnError, "Did you mean 'country'"),
    ({"groups": ("USB", "KOR")}, OptionError, "Did you mean 'USA'"),
    ({"groups": ("USA", "USA")}, OptionError, "compared with itself"),
    ({"groups": ("USA", "KOR", "JPN")}, OptionError, "must be two groups"),
    ({"groups": ([], "KOR")}, OptionError, "names no group"),
    ({"groups": (["USA", "USA"], "KOR")}, OptionError, "names a group twice"),
    ({"groups": "pair"}, OptionError, "'pairs'"),
    ({"group": "year", "groups": ("2019", "2024")}, OptionError, "It is str, the levels are int"),
    ({"by": "yeer"}, ColumnError, "Did you mean 'year'"),
    ({"by": "country"}, OptionError, "among by too"),
    ({"reference": "poled"}, OptionError, "Did you mean 'pooled'"),
    ({"reference": np.nan}, OptionError, "reference=nan must be a number"),
    ({"reference": [1.0, 2.0]}, OptionError, r"shape \(2,\)"),
    ({"reference": ["a"]}, OptionError, "give a name"),
    ({"threefold": "rev"}, OptionError, "Did you mean 'reverse'"),
    ({"threefold": True, "split": True}, OptionError, "leave threefold out"),
    ({"normalize": "skil"}, OptionError, "Did you mean 'skill'"),
    ({"normalize": "educ"}, OptionError, "is no factor"),
    ({"formula": "pay ~ educ + skill - 1", "normalize": "skill"}, OptionError, "needs a constant"),
    ({"formula": "pay ~ educ + skill:C(year)", "normalize": "skill"}, OptionError, "no factor of the formula"),
    ({"formula": "pay ~ educ + skill*C(year)", "normalize": "skill"}, OptionError, "another factor"),
    ({"detail": "term"}, OptionError, "Did you mean 'terms'"),
    ({"detail": {"hc": ["expr"]}}, OptionError, "Did you mean 'exper'"),
    ({"detail": {"a": ["educ"], "b": ["educ"]}}, OptionError, "stands in 'a' and in 'b'"),
    ({"detail": {"total": ["educ"]}}, OptionError, "cannot be called 'total'"),
    ({"detail": {"exper": ["educ"]}}, OptionError, "cannot be called 'exper'"),
    ({"convention": "Stata"}, OptionError, "Did you mean 'stata'"),
    ({"convention": "stata", "cov": Bootstrap(20)}, OptionError, "leave it out"),
    ({"absent_levels": "drop"}, OptionError, "absent_levels"),
    ({"small_sample": "stat"}, OptionError, "Did you mean 'stata'"),
    ({"keep_units": "no"}, OptionError, "keep_units"),
    ({"cov": "iid"}, OptionError, "convention='stata'"),
    ({"cov": "HC3"}, CovarianceError, "HC0, HC1"),
    ({"cov": "CR2:psu"}, CovarianceError, "CR0, CR1"),
    ({"cov": "CR1:psus"}, ColumnError, "Did you mean 'psu'"),
    ({"cov": "CR1:country"}, CovarianceError, "in a single cluster"),
    ({"cov": "iid", "convention": "stata", "reference": "pooled"}, CovarianceError, "use 'HC1'"),
    ({"cov": Bootstrap(20, strata="contry")}, ColumnError, "Did you mean 'country'"),
    ({"formula": "pay ~ educ | firm"}, OptionError, "no absorbed effects"),
    ({"formula": "pay ~ edu"}, ColumnError, "Did you mean 'educ'"),
    ({"formula": "pay educ"}, FormulaError, "must read"),
    ({"formula": "pay ~ educ + country"}, OptionError, "is the group itself"),
    ({"weight_kind": "sampling"}, OptionError, "without weights"),
    ({"weights": "w", "weight_kind": "prob"}, OptionError, "weight_kind"),
    ({"weights": "w", "cov": "iid"}, OptionError, "iid"),
]  # fmt: skip


@pytest.mark.parametrize(("options", "kind", "words"), BAD, ids=[f"{i}" for i in range(len(BAD))])
def test_unknown_options_teach(rows, options, kind, words):
    options = dict(options)
    with pytest.raises(kind, match=words):
        oaxaca(rows, options.pop("formula", FORMULA), **options)


def test_data_that_cannot_be_decomposed(rows):
    usa, korea = (rows[rows["country"] == level] for level in ("USA", "KOR"))
    with pytest.raises(DataError, match="has only 'USA'"):
        oaxaca(usa, groups=None)
    with pytest.raises(IdentificationError, match=r"no more rows than the 4 columns.*KOR \(3 rows\)"):
        oaxaca(pd.concat([usa, korea.head(3)]))
    with pytest.raises(IdentificationError, match="identified in one group only"):
        oaxaca(rows.assign(skill=np.where(rows["country"] == "USA", "top", rows["skill"])))
    with pytest.raises(DataError, match="there is no gap"):
        oaxaca(rows.assign(pay=1.0))
    with pytest.raises(DataError, match="USA minus KOR year=2019"):
        oaxaca(rows.assign(pay=rows["pay"].where(rows["year"] == 2024, 2.0)), by="year")
    with pytest.raises(DataError, match="zero in all 900 rows"):
        oaxaca(rows.assign(w=0.0), weights="w")
    with pytest.raises(EmptyDataError, match="weight has country 'USA'"):
        oaxaca(rows.assign(w=np.where(rows["country"] == "USA", 0.0, 1.0)), weights="w")
    with pytest.raises(DataError, match="negative"):
        oaxaca(rows.assign(w=-rows["w"]), weights="w")
    with pytest.raises(EmptyDataError, match="'KOR' in year 2019"):
        oaxaca(rows[(rows["year"] == 2024) | (rows["country"] == "USA")], by="year")
    with pytest.raises(DataError, match="educ infinite in 1"):
        oaxaca(rows.assign(educ=np.where(rows.index == usa.index[0], np.inf, rows["educ"])))
    with pytest.warns(FewClustersWarning, match="4 of stratum in KOR"):
        oaxaca(rows, cov="CR1:stratum")
    with pytest.raises(OptionError, match="totals only"):
        oaxaca(rows, detail="none").detail("explained")
    with pytest.raises(OptionError, match="Did you mean 'explained'"):
        oaxaca(rows).detail("explaned")
    with pytest.raises(OptionError, match="fieller"):
        oaxaca(rows).shares(method="filler")


# figures and tables -------------------------------------------------------------------------------------------------


def labels(ax):
    return [text.get_text() for text in ax.get_yticklabels()]


def test_figures_say_direction_shares_and_levels(rows):
    found = wg.oaxaca(rows, FORMULA, detail="columns", normalize="skill", **USA_KOR)
    ax = found.plot()
    assert labels(ax) == ["difference", "explained", "unexplained"]
    assert ax.get_xlabel() == "USA minus KOR, 95 % intervals"
    shares = [text.get_text() for text in ax.texts]
    assert shares[0] == "100 %"
    assert sum(float(share.removesuffix(" %").replace("\N{MINUS SIGN}", "-")) for share in shares[1:]) in (99, 100, 101)
    detail = found.plot(component="explained", alpha=0.1)
    assert detail.get_xlabel() == "explained, USA minus KOR, 90 % intervals"
    assert set(labels(detail)) == {"educ", "exper", "skill: high", "skill: low"}  # the constant is zero
    widths = [bar.get_width() for bar in detail.patches]
    assert widths == sorted(widths, reverse=True)
    assert found.detail("explained").tidy()["share"].sum() == pytest.approx(found.tidy()["share"].iloc[1])


def test_figures_of_many_groups(rows):
    many = wg.oaxaca(rows, FORMULA, group="country", groups=("*", "USA"), by="year")
    ax = many.plot()
    assert labels(ax) == [f"{year}, {first} minus USA" for year in (2019, 2024) for first in ("JPN", "KOR")]
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["difference", "explained", "unexplained"]
    detail = many.plot(component="unexplained")
    assert len(detail.get_legend().get_texts()) == 4
    assert set(labels(detail)) == {"Intercept", "educ", "exper", "skill"}
    pairs = wg.oaxaca(rows, FORMULA, group="country", groups="pairs", by="year").plot(component="unexplained")
    assert "2019, JPN minus KOR: educ" in labels(pairs)


def test_tables_in_every_format(rows):
    first = wg.oaxaca(rows, FORMULA, **USA_KOR)
    second = wg.oaxaca(rows, FORMULA, reference="pooled", **USA_KOR)
    table = wg.table({"own": first, "pooled": second})
    value = f"{first.params.iloc[1]:.3f}"
    for text in (table.text(), table.html(), table.latex(), table.markdown()):
        assert value in text
        assert "explained total" in text
    assert max(map(len, table.text().splitlines())) <= 80
    assert "explained total,estimate" in table.csv()


# coverage -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("options", [{"reference": "pooled"}, {"threefold": True}], ids=str)
def test_intervals_cover_the_truth(options):
    """200 samples of 500: a share within .95 plus or minus .02 and three Monte Carlo errors, 3 sqrt(.0475 / 200)."""
    rng, draws, n, p = np.random.default_rng(12), 200, 500, 0.45
    a, b = np.array([1.2, 0.08, -0.2]), np.array([1.3, 0.06, -0.1])
    m_a, m_b = np.array([1.0, 13.0, 0.3]), np.array([1.0, 13.6, 0.4])
    # Regressors are independent within a group, so that the pooled slopes with an indicator are weighted means.
    s_a, s_b = (share * np.array([4.0, m[2] * (1 - m[2])]) for share, m in ((p, m_a), (1 - p, m_b)))
    r = np.r_[0.0, (s_a * a[1:] + s_b * b[1:]) / (s_a + s_b)]
    truth = {"difference": m_a @ a - m_b @ b, "explained": (m_a - m_b) @ r, "endowments": (m_a - m_b) @ b}
    truth["coefficients"], truth["interaction"] = m_b @ (a - b), (m_a - m_b) @ (a - b)
    truth["unexplained"] = truth["difference"] - truth["explained"]
    covered = []
    for _ in range(draws):
        first = rng.random(n) < p
        m, coefs = np.where(first[:, None], m_a, m_b), np.where(first[:, None], a, b)
        educ, union = m[:, 1] + 2 * rng.normal(size=n), (rng.random(n) < m[:, 2]).astype(float)
        pay = (np.column_stack([np.ones(n), educ, union]) * coefs).sum(axis=1)
        pay += 0.3 * (1 + 0.1 * np.abs(educ - 13)) * rng.normal(size=n)
        data = pd.DataFrame({"pay": pay, "educ": educ, "union": union, "first": first * 1})
        found = wg.oaxaca(data, "pay ~ educ + union", group="first", groups=(1, 0), detail="none", **options)
        covered.append([low <= truth[name] <= high for name, low, high in zip(
            found.components, *found.conf_int().to_numpy().T, strict=True)])  # fmt: skip
    shares = np.mean(covered, axis=0)
    band = 0.02 + 3 * np.sqrt(0.0475 / draws)
    assert (np.abs(shares - 0.95) < band).all(), dict(zip(found.components, shares, strict=True))
