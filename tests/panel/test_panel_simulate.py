"""Simulated panels: the truth is the truth, whatever else is asked for."""

from __future__ import annotations

import time

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from wagegap.errors import OptionError
from wagegap.panel.simulate import simulate_panel

DESIGNS = ["simple", "clustered", "stratified"]


def coefficient_errors(made):
    """Error and HC1-like standard error of the premium in each country and period, by plain least squares."""
    found = []
    for (iso3, year), rows in made.panel.frame.groupby(["iso3", "year"]):
        dummies = pd.get_dummies(rows["educ"], dtype=float)
        x = np.column_stack([rows["ai"], rows["exper"], rows["exper"] ** 2, rows["female"], dummies]).astype(float)
        w = rows["weight"].to_numpy()
        bread = np.linalg.inv(x.T @ (w[:, None] * x))
        b = bread @ (x.T @ (w * np.log(rows["hourly_wage"].to_numpy())))
        e = np.log(rows["hourly_wage"].to_numpy()) - x @ b
        v = bread @ (x.T @ ((w * e)[:, None] ** 2 * x)) @ bread
        found.append((iso3, year, b[0], np.sqrt(v[0, 0])))
    frame = pd.DataFrame(found, columns=["iso3", "year", "b", "se"])
    truth = made.truth.set_index("iso3")["premium"]
    return (frame["b"] - frame["iso3"].map(truth)).to_numpy(), frame["se"].to_numpy()


def rate_errors(made, outcome, truth):
    """Error and binomial standard error of the rate among the skilled in each country and period."""
    skilled = made.panel.frame[made.panel.frame["ai"] == 1]
    cells = skilled.groupby(["iso3", "year"])[outcome].agg(["mean", "size"]).reset_index()
    p = cells["iso3"].map(made.truth.set_index("iso3")[truth]).to_numpy()
    return cells["mean"].to_numpy() - p, np.sqrt(p * (1 - p) / cells["size"].to_numpy())


def pooled_z(errors, spread):
    """Standardised sum of independent errors."""
    return errors.sum() / np.sqrt((spread**2).sum())


@pytest.mark.parametrize("correlation", [0.0, 0.9])
def test_the_truth_is_exact_for_any_correlation(correlation):
    made = simulate_panel(countries=4, workers=25_000, periods=3, error_correlation=correlation, wage_sd=0.7, rng=8)
    for errors, spread in (
        coefficient_errors(made),
        rate_errors(made, "abroad_next", "emigration"),
        rate_errors(made, "new_field_next", "switching"),
    ):
        assert len(errors) == 12
        assert abs(pooled_z(errors, spread)) < 3.5
        assert (np.abs(errors) / spread).max() < 4.5


def test_the_truth_is_exact_under_a_stratified_design():
    made = simulate_panel(countries=4, workers=25_000, periods=2, design="stratified", error_correlation=0.8, rng=9)
    errors, spread = coefficient_errors(made)
    assert np.abs(errors / spread).max() < 5
    errors, spread = rate_errors(made, "abroad_next", "emigration")
    assert abs(pooled_z(errors, spread)) < 3.5


@pytest.mark.parametrize("correlation", [0.9, 0.0, -0.9])
def test_errors_of_premiums_and_rates_go_together(correlation):
    share, rate, pairs = 0.5, 0.125, []
    for seed in range(8):
        made = simulate_panel(
            countries=50, workers=400, periods=1, error_correlation=correlation, worker_sd=0.0, share_treated=share,
            premium_sd=0.0, link_sd=0.0, link_slope=-0.5, link_intercept=rate + 0.5 * 0.15, rng=seed,
        )  # fmt: skip
        errors = (np.divide(*coefficient_errors(made)), np.divide(*rate_errors(made, "abroad_next", "emigration")))
        pairs.append(np.column_stack(errors))
    found = np.corrcoef(np.concatenate(pairs).T)[0, 1]
    # A residual and whether a correlated normal is in its upper tail; the premium also has the errors of the others.
    point_biserial = correlation * stats.norm.pdf(stats.norm.isf(rate)) / np.sqrt(rate * (1 - rate))
    assert found == pytest.approx(point_biserial * np.sqrt(1 - share), abs=4 / np.sqrt(400))


def test_emigrants_are_found_abroad():
    made = simulate_panel(countries=5, workers=2000, periods=3, rng=4)
    recorded = made.panel.frame
    followed = made.panel.transitions().frame
    before_last = recorded["year"] < recorded["year"].max()
    assert recorded.loc[before_last, "abroad_next"].sum() > 500
    for outcome in ("abroad_next", "new_field_next"):
        pd.testing.assert_series_equal(followed.loc[before_last, outcome], recorded.loc[before_last, outcome])
        assert followed.loc[~before_last, outcome].isna().all()
    rows = np.arange(len(recorded))
    assert made.panel.groupings(rows)["worker"].n_groups == 10_000


def test_pay_persists_with_the_worker():
    def correlation(worker_sd):
        made = simulate_panel(
            countries=2, workers=10_000, wage_sd=0.5, worker_sd=worker_sd, link_slope=0, link_intercept=0.01, link_sd=0,
            premium_sd=0, rng=3,
        )  # fmt: skip
        frame = made.panel.frame
        pay = np.log(frame["hourly_wage"]) - frame.groupby(["iso3", "year", "educ", "female", "ai", "exper"])[
            "hourly_wage"
        ].transform(lambda values: np.log(values).mean())
        wide = frame.assign(pay=pay).pivot_table(index="pid", columns="year", values="pay")
        return wide.corr().iloc[0, 1]

    assert abs(correlation(0.0)) < 0.05
    assert correlation(0.5) == pytest.approx(0.5, abs=0.06)


def test_rates_follow_the_link():
    made = simulate_panel(countries=52, workers=10, link_slope=-0.7, link_intercept=0.3, link_sd=0.002, rng=6)
    slope, intercept = np.polyfit(made.truth["premium"], made.truth["emigration"], 1)
    assert slope == pytest.approx(-0.7, abs=0.03)
    assert intercept == pytest.approx(0.3, abs=0.005)
    assert (made.link_slope, made.link_intercept, made.link_sd) == (-0.7, 0.3, 0.002)


@pytest.mark.parametrize("design", DESIGNS)
def test_designs(design):
    made = simulate_panel(countries=3, workers=4000, design=design, rng=1)
    roles, frame = made.panel.roles, made.panel.frame
    assert roles.worker_scope == "global"
    assert roles.cluster == (() if design == "simple" else ("psu",))
    assert (roles.weight, roles.strata) == (("weight", "stratum") if design == "stratified" else (None, None))
    assert frame["weight"].nunique() == (4 if design == "stratified" else 1)
    assert (frame["psu"] // 10 == frame["stratum"]).all()
    home = frame[frame["year"] == frame["year"].min()]
    log_pay = np.log(home["hourly_wage"]) - 0.6 * home["iso3"].map({c: i / 3 for i, c in enumerate(made.truth["iso3"])})
    within = log_pay - log_pay.groupby([home["iso3"], home["stratum"]]).transform("mean")
    means = within.groupby([home["iso3"], home["psu"]]).agg(["mean", "size"])
    between = (means["mean"] ** 2 * means["size"]).sum() / (120 - 12)
    ratio = between / within.var()
    assert ratio > 3 if design != "simple" else 0.5 < ratio < 1.6


def test_a_seed_gives_the_same_data():
    first, second = simulate_panel(rng=5), simulate_panel(rng=np.random.default_rng(5))
    pd.testing.assert_frame_equal(first.panel.frame, second.panel.frame)
    pd.testing.assert_frame_equal(first.truth, second.truth)
    assert first.panel.fingerprint == second.panel.fingerprint
    assert simulate_panel(rng=6).panel.fingerprint != first.panel.fingerprint


def test_columns_and_size():
    made = simulate_panel(countries=3, workers=10, periods=2, rng=0)
    assert len(made.panel) == 60
    assert {"pid", "iso3", "year", "ai", "exper", "female", "educ", "field", "occupation", "hourly_wage"} <= {
        *made.panel.frame
    }
    assert made.truth["iso3"].is_monotonic_increasing
    assert set(made.panel.frame["iso3"]) <= set(made.truth["iso3"])


def test_a_hundred_thousand_rows_take_no_time():
    started = time.perf_counter()
    made = simulate_panel(countries=50, workers=1000, periods=2, rng=0)
    assert time.perf_counter() - started < 5  # about a tenth of a second on an idle machine
    assert len(made.panel) == 100_000


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (dict(countries=1), "countries=1"),
        (dict(countries=53), "countries=53"),
        (dict(workers=0), "workers=0"),
        (dict(periods=0), "periods=0"),
        (dict(share_treated=1.0), "share_treated"),
        (dict(error_correlation=1.1), "error_correlation"),
        (dict(wage_sd=-1), "negative"),
        (dict(design="clusterd"), "Did you mean 'clustered'"),
        (dict(link_intercept=-0.5), "outside 0 to 1"),
    ],
)
def test_what_cannot_be_simulated(options, words):
    with pytest.raises(OptionError, match=words):
        simulate_panel(**options, rng=0)
