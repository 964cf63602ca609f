"""What must not matter: properties of premiums, rates and the link under random data, the same in every run.

Each example draws a seed and the shape of the data; tolerances are those of two ways of computing one number in double
precision (1e-9), wider where an optimum is found by iteration (1e-5 of the slope, where the objective is flat).
"""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

import wagegap as wg
from wagegap.errors import ReliabilityWarning, SmallCellWarning, WagegapWarning
from wagegap.estimation.covariance.options import Bootstrap, Survey

SETTINGS = settings(
    max_examples=5, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
COUNTRIES = ("FRA", "JPN", "KOR", "USA")
COVS = ("HC0", "HC1", "HC3", "CR0:psu", "CR1:psu", "CR2:psu", "CR1:psu+firm", Survey("psu", "stratum"))
FORMULA = "log(pay) ~ ai + exper + C(field)"
seeds = st.integers(0, 2**32 - 1)
covs = st.sampled_from(COVS)
pytestmark = pytest.mark.filterwarnings("ignore::wagegap.errors.WagegapWarning")


@st.composite
def workers(draw, low=240, high=500):
    """Two to four countries of unequal size, clusters that cross them, a heavy-tailed control, integer weights."""
    rng = np.random.default_rng(draw(seeds))
    n, countries = draw(st.integers(low, high)), draw(st.integers(2, 4))
    size = rng.dirichlet(np.full(countries, 8.0))
    psu = rng.integers(draw(st.integers(24, 60)), size=n)
    ai = (rng.random(n) < draw(st.floats(0.3, 0.7))).astype(int)
    exper, field = rng.lognormal(1, 1, n).round(1), rng.choice(["art", "law", "med"], size=n)
    log_pay = 2 + 0.2 * ai + 0.02 * exper + 0.3 * rng.normal(size=100)[psu] + 0.4 * rng.standard_t(5, size=n)
    return pd.DataFrame(
        {
            "iso3": rng.choice(COUNTRIES[:countries], p=size, size=n), "ai": ai, "exper": exper, "field": field,
            "pay": np.exp(log_pay), "psu": psu, "stratum": psu % 3, "firm": rng.integers(20, size=n),
            "city": rng.integers(8, size=n), "w": rng.integers(1, 6, size=n) * 0.5,
            "leaves": (rng.random(n) < 0.3) * 1.0, "pid": rng.integers(n // 2, size=n),
        }
    )  # fmt: skip


def premiums(rows, formula=FORMULA, **options):
    return wg.fit_premiums(
        rows, formula, **{"premium": "ai", "by": "iso3", "min_treated": 8, "min_comparison": 8, **options}
    )


def rates(rows, events="leaves", **options):
    return wg.fit_rates(rows, events, **{"by": "iso3", "min_rows": 8, **options})


def same(first, second, rtol=1e-9, factor=1.0):
    np.testing.assert_allclose(first.params, factor * np.asarray(second.params), rtol=rtol, atol=1e-12)
    scale = factor**2 * np.abs(np.asarray(second.cov_params())).max()
    np.testing.assert_allclose(
        first.cov_params(), factor**2 * np.asarray(second.cov_params()), rtol=10 * rtol, atol=10 * rtol * scale
    )


# premiums and rates ------------------------------------------------------------------------------------------------


@given(rows=workers(), cov=covs, scale=st.floats(1e-6, 1e6), method=st.sampled_from(["separate", "stacked"]))
@SETTINGS
def test_the_scale_of_sampling_weights_does_not_matter(rows, cov, scale, method):
    larger = rows.assign(w=scale * rows["w"])
    options = dict(cov=cov, weights="w")
    same(premiums(larger, method=method, **options), premiums(rows, method=method, **options))
    same(rates(larger, among="ai", **options), rates(rows, among="ai", **options))


@given(rows=workers(), cov=covs, factor=st.floats(1e-4, 1e4), shift=st.floats(-50, 50))
@SETTINGS
def test_the_unit_of_a_control_does_not_matter(rows, cov, factor, shift):
    other = rows.assign(exper=factor * (rows["exper"] + shift))
    same(premiums(other, cov=cov), premiums(rows, cov=cov), rtol=1e-7)  # exper shifted by far more than it spreads


@given(rows=workers(), cov=covs, factor=st.floats(1e-3, 1e3))
@SETTINGS
def test_the_unit_of_a_dose_is_the_unit_of_its_premium(rows, cov, factor):
    dosed = rows.assign(dose=rows["ai"] * (1 + rows["exper"] % 3))
    formula, options = "log(pay) ~ dose + exper", dict(cov=cov, premium="dose")
    found = premiums(dosed.assign(dose=dosed["dose"] / factor), formula, **options)
    same(found, premiums(dosed, formula, **options), factor=factor)


@given(rows=workers(), cov=covs, currency=st.floats(1e-4, 1e4))
@SETTINGS
def test_the_currency_does_not_matter(rows, cov, currency):
    same(premiums(rows.assign(pay=currency * rows["pay"]), cov=cov), premiums(rows, cov=cov))


@given(rows=workers(), cov=covs, base=st.sampled_from(["art", "law", "med"]))
@SETTINGS
def test_the_base_of_a_control_does_not_matter(rows, cov, base):
    order = [base, *(level for level in ("art", "law", "med") if level != base)]
    other = rows.assign(field=pd.Categorical(rows["field"], categories=order))
    same(premiums(other, cov=cov), premiums(rows, cov=cov))
    renamed = rows.assign(field=rows["field"].map({"art": "z", "law": "y", "med": "x"}))
    same(premiums(renamed, cov=cov), premiums(rows, cov=cov))


@given(rows=workers(low=400), cov=covs)
@SETTINGS
def test_another_base_of_the_premium_is_a_map(rows, cov):
    options = dict(premium="field", cov=cov)
    first = premiums(rows, "log(pay) ~ field + exper", base="art", **options).estimates
    second = premiums(rows, "log(pay) ~ field + exper", base="law", **options).estimates
    cells = first.labels["iso3"].nunique()
    assume(len(first.values) == len(second.values) == 2 * cells)
    # over art: law, med; over law: art, med
    matrix = np.kron(np.eye(cells), np.array([[-1.0, 0.0], [-1.0, 1.0]]))
    same(first.map(matrix, labels=second.labels), second)


@given(rows=workers(), cov=covs, seed=seeds)
@SETTINGS
def test_the_order_of_rows_and_the_names_of_units_do_not_matter(rows, cov, seed):
    rng = np.random.default_rng(seed)
    other = rows.sample(frac=1, random_state=seed % 2**31)
    for name in ("psu", "firm"):
        names = rng.permutation(1000)[:200]
        other = other.assign(**{name: np.array([f"unit {number}" for number in names])[other[name]]})
    same(premiums(other, cov=cov), premiums(rows, cov=cov))
    same(rates(other, among="ai", cov=cov), rates(rows, among="ai", cov=cov))


@given(
    rows=workers(), cov=st.sampled_from(["iid", "HC0", "HC1", "HC3", "CR0:psu", "CR2:psu"]),
    effects=st.sampled_from([("city",), ("city", "firm"), ("field", "city")]), weighted=st.booleans(),
)  # fmt: skip
@SETTINGS
def test_absorbed_effects_are_dummies(rows, cov, effects, weighted):
    options = dict(cov=cov, weights="w", weight_kind="analytic") if weighted else dict(cov=cov)
    # dummies keep rows that are alone in a level, which absorbing leaves out by default
    absorbed = premiums(rows, f"log(pay) ~ ai + exper | {' + '.join(effects)}", singletons="keep", **options)
    dummies = premiums(rows, f"log(pay) ~ ai + exper + {' + '.join(f'C({e})' for e in effects)}", **options)
    same(absorbed, dummies, rtol=1e-8)  # effects are taken out by iteration
    np.testing.assert_allclose(absorbed.estimates.df, dummies.estimates.df, rtol=1e-6)


@given(rows=workers(), weighted=st.booleans())
@SETTINGS
def test_joined_countries_are_the_fit_of_all(rows, weighted):
    """Ids are global: a worker in two countries relates their premiums, and premiums to rates."""
    rows = rows.assign(year=np.arange(len(rows)))
    roles = dict(worker="pid", country="iso3", period="year", worker_scope="global", source_name="survey")
    panel = wg.read_panel(rows, **roles, weight="w" if weighted else None)
    options = dict(by="iso3", cov="CR0:worker")
    whole = wg.join(premiums(panel, **options).estimates, rates(panel, among="ai", **options).estimates)
    names = sorted(rows["iso3"].unique())
    alone = [panel.filter(f"iso3 == {name!r}") for name in names]
    parts = [premiums(one, **options).estimates for one in alone]
    assume(sum(len(part.values) for part in parts) == len(names))
    parts += [rates(one, among="ai", **options).estimates for one in alone]
    joined = wg.join(*parts)
    same(joined, whole, rtol=1e-10)
    assert np.abs(whole.covariance[0, 1]) > 0


@given(rows=workers(), cov=covs, times=st.sampled_from([2.0, -0.25, 1e3]))
@SETTINGS
def test_a_copied_column_changes_no_number(rows, cov, times):
    twice = rows.assign(copied=times * rows["exper"] + 1)
    with pytest.warns(WagegapWarning, match="collinear columns were left out"):
        found = premiums(twice, FORMULA + " + copied", cov=cov)
    same(found, premiums(rows, cov=cov), rtol=1e-8)


@given(rows=workers(), cov=covs)
@SETTINGS
def test_who_does_not_leave_stays(rows, cov):
    both = rates(rows, {"leave": "leaves", "stay": "leaves == 0"}, cov=cov).estimates
    leave, stay = both.select(term="leave"), both.select(term="stay")
    np.testing.assert_allclose(leave.values + stay.values, 1.0, rtol=1e-13)
    np.testing.assert_allclose(leave.covariance, stay.covariance, rtol=1e-9, atol=1e-16)
    n = len(leave.values)
    total = both.map(np.hstack([np.eye(n), np.eye(n)]), labels=leave.labels)
    assert np.abs(total.covariance).max() < 1e-15


@given(rows=workers(), cov=st.sampled_from(["HC0", "CR0:psu"]))
@SETTINGS
def test_a_rate_is_the_coefficient_of_a_constant(rows, cov):
    """The premium of a regression of the event on a dummy of the skill is the difference of two rates."""
    gap = premiums(rows, "leaves ~ ai", cov=cov).estimates
    panel = wg.read_panel(rows, source_name="survey").assign(not_ai=1 - rows["ai"])
    of = [rates(panel, {name: "leaves"}, among=name, cov=cov).estimates for name in ("ai", "not_ai")]
    joined = wg.join(*of)
    n = len(gap.values)
    assume(len(joined.values) == 2 * n)
    same(joined.map(np.hstack([np.eye(n), -np.eye(n)]), labels=gap.labels), gap)


@given(rows=workers(low=500, high=700), seed=st.integers(0, 1000))
@settings(SETTINGS, max_examples=2)
def test_the_bootstrap_of_rates_agrees_within_its_monte_carlo_error(rows, seed):
    reps = 300
    drawn, formula = (rates(rows, among="ai", cov=cov) for cov in (Bootstrap(reps, cluster="psu", rng=seed), "CR1:psu"))
    np.testing.assert_allclose(drawn.params, formula.params, rtol=1e-12)
    # 4 Monte Carlo errors of a standard deviation, and 8 % for the ratio's own terms of order 1/G
    np.testing.assert_allclose(drawn.bse / formula.bse, 1.0, atol=4 / np.sqrt(2 * reps) + 0.08)


# link --------------------------------------------------------------------------------------------------------------


@st.composite
def countries(draw, exact=False):
    """Rates and premiums of 12 to 18 countries with correlated errors, an income, and their joint covariance."""
    rng, n = np.random.default_rng(draw(seeds)), draw(st.integers(12, 18))
    p, income = rng.normal(0.15, 0.1, n), rng.lognormal(10, 0.5, n)
    y = 0.3 - draw(st.floats(-0.5, 0.5)) * p + rng.normal(0, 0.03, n)
    root = rng.normal(size=(2 * n, 2 * n)) * 0.1 + np.diag(rng.uniform(0.5, 1.5, 2 * n))
    scale = np.concatenate([np.full(n, 0.01), np.full(n, 0.025)])
    v = np.zeros((2 * n, 2 * n)) if exact else scale[:, None] * (root @ root.T) * scale
    error = rng.multivariate_normal(np.zeros(2 * n), v)
    names = [f"C{i:02d}" for i in range(n)]
    frame = pd.DataFrame({"iso3": names, "y": y + error[:n], "p": p + error[n:], "gdp": income})
    return frame, v


def tables(frame, v):
    """Rates and premiums as related estimates."""
    long = pd.concat(
        [
            frame[["iso3"]].assign(term="emigration", b=frame["y"], unit="share"),
            frame[["iso3"]].assign(term="ai", b=frame["p"], unit="log"),
        ]
    )
    both = wg.Estimates.from_table(long, term="term", unit="unit", vcov=v)
    return both.select(term="emigration"), both.select(term="ai")


def link(frame, v, formula="emigration ~ premium + log(gdp)", **options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ReliabilityWarning)
        return wg.fit_link(formula, *tables(frame, v), data=frame[["iso3", "gdp"]], force=True, **options)


METHODS = ("ols", "meta", "eiv", "ml")
PRECISION = {"ols": 1e-9, "meta": 1e-6, "eiv": 1e-9, "ml": 1e-5}
LINKS = settings(SETTINGS, max_examples=2)


def same_link(first, second, factor=1.0):
    rtol = PRECISION[first.method]
    assert first.slope == pytest.approx(factor * second.slope, rel=rtol, abs=abs(factor) * rtol)
    a, b = first.conf_int().loc["premium"], second.conf_int().loc["premium"] * factor
    size = abs(b.iloc[1] - b.iloc[0])
    np.testing.assert_allclose(np.sort(a), np.sort(b), rtol=20 * rtol, atol=20 * rtol * size)


@pytest.mark.parametrize("method", METHODS)
@given(data=countries(exact=True))
@LINKS
def test_without_errors_every_link_is_least_squares(method, data):
    frame, v = data
    x = np.column_stack([np.ones(len(frame)), frame["p"], np.log(frame["gdp"])])
    slope = np.linalg.lstsq(x, frame["y"], rcond=None)[0][1]
    assert link(frame, v, method=method).slope == pytest.approx(slope, rel=1e-6, abs=1e-8)


@pytest.mark.parametrize("method", METHODS)
@given(data=countries(), seed=seeds)
@LINKS
def test_the_order_of_countries_does_not_matter_to_the_link(method, data, seed):
    frame, v = data
    n = len(frame)
    order = np.random.default_rng(seed).permutation(n)
    both = np.concatenate([order, n + order])
    found = link(frame.iloc[order].reset_index(drop=True), v[np.ix_(both, both)], method=method)
    same_link(found, link(frame, v, method=method))


@pytest.mark.parametrize("method", METHODS)
@given(data=countries(), by=st.sampled_from([100.0, 0.1]), income=st.floats(1e-3, 1e3))
@LINKS
def test_the_units_of_premiums_and_controls_do_not_matter_to_the_link(method, data, by, income):
    frame, v = data
    n = len(frame)
    scale = np.concatenate([np.ones(n), np.full(n, by)])
    other = frame.assign(p=by * frame["p"], gdp=income * frame["gdp"])
    same_link(link(other, scale[:, None] * v * scale, method=method), link(frame, v, method=method), factor=1 / by)


@pytest.mark.parametrize("method", METHODS)
@given(data=countries(), by=st.sampled_from([0.1, 0.5]))
@LINKS
def test_the_unit_of_rates_is_the_unit_of_the_slope(method, data, by):
    frame, v = data
    n = len(frame)
    scale = np.concatenate([np.full(n, by), np.ones(n)])
    other = frame.assign(y=by * frame["y"])
    same_link(link(other, scale[:, None] * v * scale, method=method), link(frame, v, method=method), factor=by)


@pytest.mark.parametrize("method", METHODS)
@given(data=countries(), shift=st.floats(-0.2, 0.2))
@LINKS
def test_a_premium_measured_from_elsewhere_has_the_same_slope(method, data, shift):
    frame, v = data
    same_link(link(frame.assign(p=frame["p"] + shift), v, method=method), link(frame, v, method=method))


@given(data=countries())
@LINKS
def test_an_error_that_all_premiums_share_moves_no_slope(data):
    """It shifts every premium alike, which the constant takes up."""
    frame, v = data
    n = len(frame)
    common = v.copy()
    common[n:, n:] += 0.05**2
    for method in ("eiv", "ml"):
        first, second = link(frame, common, method=method), link(frame, v, method=method)
        assert first.slope == pytest.approx(second.slope, rel=1e-4, abs=1e-5)
        assert first.reliability == pytest.approx(second.reliability, rel=1e-9)


@given(rows=workers(low=400))
@LINKS
def test_small_cells_leave_the_others_alone(rows):
    few = rows[(rows["iso3"] != "FRA") | (rows["ai"] == 0) | (rows.index % 50 == 0)]
    assume(((few["iso3"] == "FRA") & (few["ai"] == 1)).sum() < 8)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SmallCellWarning)
        found = premiums(few, cov="HC1", empty_cells="exclude")
    assert "FRA" not in found.params.index
    same(found, premiums(rows[rows["iso3"] != "FRA"], cov="HC1"))
