"""Exits: agreement with other software, errors of everything that is estimated, and bad input."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from hypothesis import given, settings
from hypothesis import strategies as st

import wagegap as wg
from wagegap import errors
from wagegap.errors import (
    CovarianceError,
    DataError,
    DuplicateKeyError,
    IdentificationError,
    IdentificationWarning,
    JoinError,
    OptionError,
    UnitError,
)
from wagegap.estimation.likelihood.multinomial import fit_multinomial
from wagegap.panel.load import read_panel
from wagegap.regression.exits.exits import fit_exits
from wagegap.regression.exits.margins import Response, average_change, average_elasticity, average_slope, incidence

# R 4.2.2: mlogit 1.1.3 on Fishing (mode ~ 0 | income) and glm(binomial("cloglog")) on survival::lung as person-periods.
# Estimates to 1e-8, standard errors to 1e-6 (R stops its steps a little short of the maximum).
MLOGIT = {"boat": (0.738920768069089, 9.19063628564497e-05), "pier": (0.814150269668753, -0.000143402914563964)}
MLOGIT_LOGLIK = -1477.15056919517
LUNG = {"age": (0.0160012639874701, 0.00907433605281923), "female": (-0.529608030190174, 0.167531072064659)}


def spells(n=600, periods=4, seed=0, worker_sd=0.0):
    """Workers at risk of two exits, observed until they leave."""
    rng = np.random.default_rng(seed)
    skill, taste = rng.integers(2, size=n), worker_sd * rng.normal(size=n)
    rows = []
    here = np.ones(n, dtype=bool)
    for t in range(1, periods + 1):
        pay = rng.normal(size=n) + 0.3 * skill
        index = np.column_stack([np.zeros(n), -2 + 0.8 * skill - 0.4 * pay + taste, -1.5 + 0.3 * pay + 0.1 * t])
        p = np.exp(index) / np.exp(index).sum(axis=1, keepdims=True)
        exit = (rng.random(n)[:, None] > np.cumsum(p, axis=1)).sum(axis=1)
        part = pd.DataFrame({"pid": np.arange(n), "t": t, "skill": skill, "pay": pay, "exit": exit})
        rows.append(part[here])
        here &= exit == 0
    frame = pd.concat(rows, ignore_index=True)
    frame["how"] = frame["exit"].map({0: "stay", 1: "abroad", 2: "field"})
    frame["abroad"], frame["field"] = (frame["exit"] == 1) * 1.0, (frame["exit"] == 2) * 1.0
    frame["group"] = np.where(frame["pid"] % 3 == 0, "a", np.where(frame["pid"] % 3 == 1, "b", "c"))
    frame["w"] = 0.5 + (frame["pid"] % 5)
    return frame


def panel_of(frame, **roles):
    return read_panel(frame, worker="pid", period="t", source_name="spells", **roles)


# agreement -----------------------------------------------------------------------------------------------------------


def test_multinomial_logit_of_fishing(facts, packaged):
    data = packaged("Ecdat", "Fishing")
    found = fit_exits(data, "mode ~ income", model="multinomial", base="beach", cov="iid")
    for name, expected in MLOGIT.items():
        np.testing.assert_allclose(found.estimates.select(exit=name).values, expected, rtol=1e-8)
    assert found.loglik == pytest.approx(MLOGIT_LOGLIK, rel=1e-12)
    reference = facts("mlogit")["mlogit_fishing_mnl_income"]
    np.testing.assert_allclose(found.params.to_numpy().reshape(3, 2).T.ravel(), reference["b"], rtol=1e-8)
    np.testing.assert_allclose(found.bse.to_numpy().reshape(3, 2).T.ravel(), reference["se"], rtol=1e-6)


def test_hazard_of_lung_patients(facts, lung_periods):
    data = lung_periods
    found = fit_exits(data, "event ~ age + female", time="t", model="cloglog", cov="iid", information="expected")
    for name, (b, se) in LUNG.items():
        assert found.params[name] == pytest.approx(b, rel=1e-8)
        assert found.bse[name] == pytest.approx(se, rel=1e-6)
    reference = facts("glm")["discrete_hazard_lung_cloglog"]
    np.testing.assert_allclose(found.params, reference["b"], rtol=1e-8)
    np.testing.assert_allclose(found.bse, reference["se"], rtol=1e-6)
    assert found.loglik == pytest.approx(reference["ll"], rel=1e-12)


@pytest.mark.parametrize("cov", ["HC0", "CR0:pid"])
def test_multinomial_sandwich_of_statsmodels(cov):
    frame = spells()
    found = fit_exits(frame, "how ~ skill + pay", model="multinomial", cov=cov)
    x = np.column_stack([np.ones(len(frame)), frame["skill"], frame["pay"]])
    options = {"cov_type": "HC0"} if cov == "HC0" else {
        "cov_type": "cluster", "cov_kwds": {"groups": frame["pid"].to_numpy(), "use_correction": False}
    }  # fmt: skip
    other = sm.MNLogit(frame["exit"].to_numpy(), x).fit(disp=0, method="newton", tol=1e-12, maxiter=50, **options)
    np.testing.assert_allclose(found.params, other.params.T.ravel(), rtol=1e-8)
    np.testing.assert_allclose(found.bse, other.bse.T.ravel(), rtol=1e-6)


@pytest.mark.parametrize("model", ["logit", "probit"])
def test_marginal_effects_of_statsmodels(model):
    frame = spells()
    found = fit_exits(frame, "abroad ~ pay + skill", model=model, cov="iid")
    x = np.column_stack([np.ones(len(frame)), frame["pay"], frame["skill"]])
    fit = {"logit": sm.Logit, "probit": sm.Probit}[model](frame["abroad"].to_numpy(), x).fit(disp=0, tol=1e-12)
    for estimates, method in ((found.effects, "dydx"), (found.elasticities, "eyex")):
        other = fit.get_margeff(method=method, dummy=method == "dydx")
        at = slice(None) if method == "dydx" else slice(0, 1)
        np.testing.assert_allclose(estimates.values, other.margeff[at], rtol=1e-7)
        if model == "logit":  # statsmodels' probit covariance is of the observed information, ours of the expected
            np.testing.assert_allclose(estimates.bse, other.margeff_se[at], rtol=1e-6)


def test_multinomial_marginal_effects_of_statsmodels():
    frame = spells()
    found = fit_exits(frame, "how ~ pay", model="multinomial", cov="iid")
    x = sm.add_constant(frame["pay"].to_numpy())
    other = sm.MNLogit(frame["exit"].to_numpy(), x).fit(disp=0, method="newton", tol=1e-12).get_margeff()
    np.testing.assert_allclose(found.effects.values, other.margeff[0, 1:], rtol=1e-7)
    np.testing.assert_allclose(found.effects.bse, other.margeff_se[0, 1:], rtol=1e-6)


def test_linear_exits_are_least_squares():
    frame = spells()
    found = fit_exits(frame, "abroad ~ pay + skill", model="lpm", cov="HC1")
    x = sm.add_constant(frame[["pay", "skill"]].to_numpy(dtype=float))
    other = sm.OLS(frame["abroad"].to_numpy(), x).fit(cov_type="HC1")
    np.testing.assert_allclose(found.params, other.params, rtol=1e-10)
    np.testing.assert_allclose(found.bse, other.bse, rtol=1e-10)
    np.testing.assert_allclose(found.effects.values, other.params[1:], rtol=1e-8)
    plain = fit_exits(frame, "abroad ~ pay + skill", model="lpm", cov="iid")
    np.testing.assert_allclose(plain.bse, sm.OLS(frame["abroad"].to_numpy(), x).fit().bse, rtol=1e-10)


def test_means_over_workers_make_linear_effects_those_within():
    """With balanced rows the coefficient beside a worker's mean is the within estimator, whatever stands constant."""
    frame = wg.simulate_panel(countries=2, workers=100, periods=3, rng=4).panel.frame.assign(
        pay=lambda d: np.log(d["hourly_wage"])
    )
    panel = read_panel(frame, worker="pid", country="iso3", period="year", worker_scope="global")
    found = fit_exits(panel, "new_field_next ~ pay + female", mundlak="pay", model="lpm", margins=False)
    within = frame.assign(
        y=frame["new_field_next"] - frame.groupby("pid")["new_field_next"].transform("mean"),
        x=frame["pay"] - frame.groupby("pid")["pay"].transform("mean"),
    )
    assert found.params["pay"] == pytest.approx(
        float(within["x"] @ within["y"] / (within["x"] @ within["x"])), rel=1e-9
    )
    assert found.params.index.tolist() == ["Intercept", "pay", "female", "mean(pay)"]


def test_effects_behind_the_bar_are_dummies():
    frame = spells()
    absorbed = fit_exits(frame, "abroad ~ pay | group", cov="HC0", margins=False)
    dummies = fit_exits(frame, "abroad ~ pay + C(group)", cov="HC0", margins=False)
    assert absorbed.params.index.tolist() == ["Intercept", "pay"]
    np.testing.assert_allclose(absorbed.params["pay"], dummies.params["pay"], rtol=1e-9)
    np.testing.assert_allclose(absorbed.bse["pay"], dummies.bse["pay"], rtol=1e-9)


def test_groups_without_variation_are_left_out_and_counted():
    frame = spells()
    frame.loc[frame["group"] == "c", "abroad"] = 0.0
    found = fit_exits(frame, "abroad ~ pay | group", cov="HC0", margins=False)
    only = fit_exits(frame[frame["group"] != "c"], "abroad ~ pay | group", cov="HC0", margins=False)
    assert found.params["pay"] == pytest.approx(only.params["pay"], rel=1e-10)
    assert "without variation of the exit" in found.ledger.line()


def test_effects_of_factors_are_from_the_base_of_the_formula():
    frame = spells(300)
    plain = fit_exits(frame, "abroad ~ pay + group").effects
    other = fit_exits(frame, "abroad ~ pay + C(group, contr.treatment('b'))").effects
    assert plain.labels["term"].tolist() == ["pay", "group[b]", "group[c]"]
    assert other.labels["term"].tolist() == ["pay", "group[a]", "group[c]"]
    assert other.values[1] == pytest.approx(-plain.values[1], rel=1e-8)
    assert other.values[2] == pytest.approx(plain.values[2] - plain.values[1], rel=1e-8)


# incidence -----------------------------------------------------------------------------------------------------------


def test_saturated_incidence_is_the_life_table():
    frame = spells()
    found = fit_exits(panel_of(frame), "~ 1", exit={"abroad": "abroad", "field": "field"}, time="t")
    survival, totals = 1.0, np.zeros(2)
    for t, part in frame.groupby("t"):
        hazard = np.array([(part["exit"] == 1).mean(), (part["exit"] == 2).mean()])
        np.testing.assert_allclose(found.hazards.select(time=t).values, hazard, rtol=1e-8)
        totals = totals + survival * hazard
        survival *= 1 - hazard.sum()
        np.testing.assert_allclose(found.incidence.select(time=t).values, totals, rtol=1e-8)


def test_variance_of_a_single_exit_is_greenwoods():
    frame = spells()
    frame = frame[frame["exit"] != 2]
    found = fit_exits(panel_of(frame), "abroad ~ 1", time="t", cov="iid")
    d, n = (frame.groupby("t")["abroad"].agg(how).to_numpy() for how in ("sum", "count"))
    survival = np.cumprod(1 - d / n)
    np.testing.assert_allclose(found.incidence.values, 1 - survival, rtol=1e-8)
    greenwood = survival * np.sqrt(np.cumsum(d / (n * (n - d))))
    np.testing.assert_allclose(found.incidence.bse, greenwood, rtol=1e-6)


def test_bands_hold_the_curve_and_uniform_ones_are_wider():
    found = fit_exits(panel_of(spells()), "how ~ skill + pay", model="multinomial", time="t")
    point, whole = found.bands(), found.bands(uniform=True)
    assert ((point["conf_low"] < point["estimate"]) & (point["estimate"] < point["conf_high"])).all()
    assert (whole["conf_high"] >= point["conf_high"]).all()
    assert whole["conf_high"].between(0, 1).all()
    ax = found.plot_incidence(uniform=True)
    assert [t.get_text() for t in ax.texts] == ["abroad", "field"]


# errors of everything that is estimated ------------------------------------------------------------------------------


def test_influence_is_the_derivative_in_the_weights():
    frame = spells(200)
    call = dict(formula="how ~ skill + pay + I(pay**2) + skill:pay", model="multinomial", time="t", gaps="keep")
    panel = panel_of(frame)
    found = fit_exits(panel, **call, cov="HC0")
    parts = [found.estimates, found.effects, found.elasticities, found.hazards, found.incidence]
    for i in (0, 17, 150):
        ends = []
        for sign in (1, -1):
            w = np.ones(len(frame))
            w[i] += sign * 1e-4
            again = fit_exits(panel, **call, cov="HC0", weights=w, weight_kind="analytic")
            ends.append([getattr(again, n) for n in ("estimates", "effects", "elasticities", "hazards", "incidence")])
        for own, up, down in zip(parts, *ends, strict=True):
            (source,), (matrix,) = own.sources, own.maps
            influence = matrix @ source.scores[[i]].toarray()[0]
            np.testing.assert_allclose(influence, (up.values - down.values) / 2e-4, rtol=1e-4, atol=1e-9)


def test_bootstrap_is_near_the_analytic_errors():
    panel = panel_of(spells(400))
    call = dict(formula="how ~ skill + pay", model="multinomial", time="t")
    analytic = fit_exits(panel, **call)
    drawn = fit_exits(panel, **call, cov=wg.cov.Bootstrap(200, cluster="worker", rng=1))
    for name in ("estimates", "effects", "incidence"):
        ratio = getattr(drawn, name).bse.to_numpy() / getattr(analytic, name).bse.to_numpy()
        # a standard error of 200 draws has a relative error of 1 / sqrt(400), .05; four of them
        assert np.abs(np.log(ratio)).max() < 0.22, name


def premiums_of(made, **options):
    return wg.fit_premiums(
        made.panel, "log(hourly_wage) ~ ai + exper + I(exper**2) + female + educ", premium="ai", by="iso3", **options
    )


@pytest.mark.filterwarnings("ignore::wagegap.errors.ReliabilityWarning")
@pytest.mark.parametrize("model", ["logit", "multinomial"])
def test_first_stage_errors_come_by_the_derivative_in_the_premiums(model):
    made = wg.simulate_panel(countries=3, workers=150, periods=3, rng=3)
    leaving = {"abroad": "abroad_next", "field": "new_field_next"}
    exit = leaving if model == "multinomial" else "abroad_next"
    call = dict(formula="~ ai * premium + I(premium**2) + exper", exit=exit, time="year", model=model)
    premiums = premiums_of(made).estimates
    found = fit_exits(made.panel, premiums=premiums, **call)
    table = premiums.labels[["iso3"]]
    for c in (0, 2):
        ends = []
        for sign in (1, -1):
            b = premiums.values + sign * 1e-5 * (np.arange(3) == c)
            known = wg.Estimates.from_table(table.assign(b=b, se=0.0), term="ai", source="another")
            again = fit_exits(made.panel, premiums=known, **call)
            ends.append([getattr(again, n) for n in ("estimates", "effects", "elasticities", "hazards", "incidence")])
        for own, up, down in zip(
            (found.estimates, found.effects, found.elasticities, found.hazards, found.incidence), *ends, strict=True
        ):
            slope = own.maps[0][:, -3 + c]
            np.testing.assert_allclose(slope, (up.values - down.values) / 2e-5, rtol=2e-3, atol=2e-5)


@pytest.mark.filterwarnings("ignore::wagegap.errors.ReliabilityWarning")
def test_first_stage_errors_add_their_cross_terms():
    made = wg.simulate_panel(countries=6, workers=200, periods=2, error_correlation=0.7, rng=5)
    premiums = premiums_of(made)
    call = dict(formula="abroad_next ~ ai * premium", margins=False)
    joint = fit_exits(made.panel, premiums=premiums, **call)
    known = wg.Estimates.from_table(
        premiums.estimates.labels[["iso3"]].assign(b=premiums.estimates.values, se=0.0), term="ai", source="known"
    )
    naive = fit_exits(made.panel, premiums=known, **call)
    np.testing.assert_allclose(joint.params, naive.params, rtol=1e-12)
    slope = joint.estimates.maps[0][:, -6:]
    both = wg.join(naive.estimates.select([0]), premiums.estimates, independent=True).covariance[1:, 1:]
    alone = naive.estimates.covariance + slope @ both @ slope.T
    cross = joint.estimates.covariance - alone
    assert np.abs(cross).max() > 1e-3 * np.abs(alone).max()
    np.testing.assert_allclose(premiums.estimates.covariance, both, rtol=1e-10)


@pytest.mark.filterwarnings("ignore::wagegap.errors.ReliabilityWarning")
def test_replicates_carry_both_stages():
    made = wg.simulate_panel(countries=4, workers=150, periods=2, rng=6)
    cov = wg.cov.Bootstrap(60, cluster="worker", rng=2)
    found = fit_exits(
        made.panel, "abroad_next ~ ai * premium", premiums=premiums_of(made, cov=cov), cov=cov, margins=False
    )
    alone = fit_exits(made.panel, "abroad_next ~ ai * premium", premiums=premiums_of(made), margins=False)
    assert np.abs(np.log(found.bse / alone.bse)).max() < 0.4  # 60 draws: .09; four of them


@pytest.mark.filterwarnings("ignore::wagegap.errors.ReliabilityWarning")
def test_other_covariances_of_the_premiums_are_refused():
    made = wg.simulate_panel(countries=4, workers=150, periods=2, rng=6)
    with pytest.raises(JoinError, match="different covariances"):
        fit_exits(made.panel, "abroad_next ~ ai * premium", premiums=premiums_of(made, cov="HC1"), margins=False)


def test_cells_are_the_fits_of_their_rows():
    panel = panel_of(spells())
    found = fit_exits(panel, "abroad ~ pay + skill", by="group", cov="CR1:worker", time="t")
    for name in "abc":
        alone = fit_exits(panel.filter(f"group == '{name}'"), "abroad ~ pay + skill", cov="CR1:worker", time="t")
        for part in ("estimates", "effects", "incidence"):
            own, other = getattr(found, part).select(group=name), getattr(alone, part)
            np.testing.assert_allclose(own.values, other.values, rtol=1e-9)
            np.testing.assert_allclose(own.bse, other.bse, rtol=1e-9)


def test_rates_and_exits_of_one_panel_join():
    panel = panel_of(spells())
    exits = fit_exits(panel, "abroad ~ 1", model="lpm", cov="HC0", margins=False)
    rates = wg.fit_rates(panel, {"leaving": "abroad"}, by=[], cov="HC0")
    both = wg.join(exits.estimates, rates.estimates)
    np.testing.assert_allclose(both.covariance, both.covariance[0, 0], rtol=1e-10)


# invariance ----------------------------------------------------------------------------------------------------------


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 10_000), scale=st.floats(0.01, 100))
def test_unit_order_and_base_are_irrelevant(seed, scale):
    frame = spells(150, seed=seed)
    first = fit_exits(frame, "how ~ pay", model="multinomial", cov="HC0")
    shuffled = frame.sample(frac=1, random_state=seed).assign(pay=lambda d: d["pay"] * scale)
    second = fit_exits(shuffled, "how ~ pay", model="multinomial", cov="HC0")
    np.testing.assert_allclose(second.effects.values * scale, first.effects.values, rtol=1e-6, atol=1e-10)
    np.testing.assert_allclose(second.elasticities.values, first.elasticities.values, rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(second.effects.bse * scale, first.effects.bse, rtol=1e-6)
    other = fit_exits(frame, "how ~ pay", model="multinomial", cov="HC0", base="field")
    np.testing.assert_allclose(other.effects.select(exit="abroad").values, first.effects.select(exit="abroad").values,
                               rtol=1e-6, atol=1e-10)  # fmt: skip


def test_frequency_weights_are_repeated_rows():
    frame = spells(200)
    times = (frame["pid"] % 3 + 1).to_numpy()
    weighted = fit_exits(frame.assign(k=times), "how ~ pay", model="multinomial", cov="HC1", weights="k",
                         weight_kind="frequency")  # fmt: skip
    repeated = fit_exits(frame.loc[frame.index.repeat(times)], "how ~ pay", model="multinomial", cov="HC1")
    np.testing.assert_allclose(weighted.params, repeated.params, rtol=1e-9)
    np.testing.assert_allclose(weighted.bse, repeated.bse, rtol=1e-9)
    np.testing.assert_allclose(weighted.effects.bse, repeated.effects.bse, rtol=1e-9)
    columns = ["n", *weighted.exits]
    pd.testing.assert_frame_equal(weighted.cells[columns], repeated.cells[columns])


def test_sampling_weights_have_no_scale():
    frame = spells(200)
    one, two = (
        fit_exits(frame.assign(w=frame["w"] * s), "how ~ pay", model="multinomial", weights="w") for s in (1, 1e4)
    )
    np.testing.assert_allclose(one.params, two.params, rtol=1e-9)
    np.testing.assert_allclose(one.effects.bse, two.effects.bse, rtol=1e-8)


def test_without_units_and_other_covariances():
    found = fit_exits(panel_of(spells(200)), "abroad ~ pay", time="t")
    assert "CR1:worker" in found.estimates.describe()
    assert found.with_cov("HC0").effects.describe() == "HC0"
    small = found.without_units()
    np.testing.assert_allclose(small.effects.bse, found.effects.bse)
    assert found.refit(panel_of(spells(200, seed=1))).nobs != found.nobs


def test_kernel_gradients_are_derivatives():
    rng = np.random.default_rng(0)
    n, k = 40, 3
    x = np.column_stack([np.ones(n), rng.normal(size=(n, 2))])
    dx = np.column_stack([np.zeros(n), np.ones(n), 2 * x[:, 1]])
    share = rng.random(n)
    share /= share.sum()
    designs = [x + t * np.array([0.1, 0, 0]) for t in range(4)]
    for link, m in (("logit", 1), ("probit", 1), ("cloglog", 1), ("lpm", 1), ("multinomial", 2)):
        own = Response(link)
        b = rng.normal(size=(m, k)) * 0.3 if link != "lpm" else np.array([[0.3, 0.05, 0.02]])
        for make in (
            lambda b, own=own: average_slope(own, b, x, dx, share),
            lambda b, own=own: average_elasticity(own, b, x, dx, x[:, 1] + 3, share),
            lambda b, own=own: average_change(own, b, x, x + dx, share),
            lambda b, own=own: incidence(own, b, designs, share)[0],
            lambda b, own=own: incidence(own, b, designs, share)[1],
        ):
            steps = 1e-6 * np.eye(m * k).reshape(m * k, m, k)
            numeric = [(make(b + h).values(share) - make(b - h).values(share)) / 2e-6 for h in steps]
            np.testing.assert_allclose(make(b).gradient.T, numeric, atol=1e-7)


# truth ---------------------------------------------------------------------------------------------------------------


def draw_of_competing_exits(seed):
    """Panel of eight countries whose premium moves both exits, and the true coefficients."""
    rng = np.random.default_rng(seed)
    countries, n = 8, 250
    premium = np.linspace(0.0, 0.7, countries)
    place, ai = np.repeat(np.arange(countries), n), rng.integers(2, size=countries * n)
    error = rng.normal(size=countries * n)
    wage = 2 + premium[place] * ai + 0.5 * error
    # the inclination to leave goes with pay, so that the two stages' errors are correlated
    index = np.column_stack([np.zeros(countries * n), -1.0 - 2.0 * premium[place], -1.5 + 1.0 * premium[place]])
    p = np.exp(index) / np.exp(index).sum(axis=1, keepdims=True)
    rank = np.argsort(np.argsort(0.6 * error * (2 * ai - 1) + 0.8 * rng.normal(size=len(ai)))) / len(ai)
    u = rank + 0.5 / len(ai)
    exit = (u[:, None] > np.cumsum(p, axis=1)).sum(axis=1)
    frame = pd.DataFrame({"pid": np.arange(len(ai)), "iso3": place, "ai": ai, "pay": np.exp(wage), "t": 1,
                          "how": np.array(["stay", "abroad", "field"])[exit]})  # fmt: skip
    panel = read_panel(frame, worker="pid", wage="pay", source_name="draw")
    return panel, {"abroad premium": -2.0, "field premium": 1.0}


def interval_of_draw(seed, carried=True):
    panel, truth = draw_of_competing_exits(seed)
    premiums = wg.fit_premiums(panel, "log(pay) ~ ai", premium="ai", by="iso3", cov="HC1")
    own = premiums.estimates
    if not carried:
        own = wg.Estimates.from_table(own.labels[["iso3"]].assign(b=own.values, se=0.0), source="known")
    exits = fit_exits(panel, "how ~ premium", model="multinomial", premiums=own, cov="HC1", margins=False)
    interval = exits.conf_int()
    return [bool(interval.loc[k, "conf_low"] <= v <= interval.loc[k, "conf_high"]) for k, v in truth.items()]


@pytest.mark.filterwarnings("ignore::wagegap.errors.ReliabilityWarning")
def test_competing_exits_cover_the_truth_with_first_stage_errors():
    reps = 80
    covered = np.mean([interval_of_draw(seed) for seed in range(reps)], axis=0)
    slack = 3 * np.sqrt(0.0475 / reps)
    # the premium is measured with a reliability of about .93: its attenuation is a small part of the error
    assert (covered > 0.93 - slack).all()
    assert (covered < 0.97 + slack).all()


def draw_of_noisy_premiums(seed, error=0.2):
    """Forty countries whose premiums spread by .25 and are published with errors; the true slope is -2."""
    rng = np.random.default_rng(seed)
    truth = rng.normal(0, 0.25, 40)
    seen = pd.DataFrame({"iso3": np.arange(40), "b": truth + error * rng.normal(size=40), "se": error})
    place, age = np.repeat(np.arange(40), 150), rng.normal(size=6000)
    left = rng.random(6000) < 1 / (1 + np.exp(1 + 2 * truth[place] - 0.3 * age))
    frame = pd.DataFrame({"iso3": place, "age": age, "left": left * 1.0})
    return frame, wg.Estimates.from_table(seen, by=["iso3"], source="published")


def test_simulation_and_extrapolation_takes_the_pull_towards_zero_out():
    """Reliability .6, 24 samples: the plain slope is off by four tenths, the corrected one by its Monte Carlo error."""
    found = []
    for seed in range(24):
        frame, premium = draw_of_noisy_premiums(seed)
        call = dict(premiums=premium, margins=False, cov="HC1")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", errors.ReliabilityWarning)
            plain = fit_exits(frame, "left ~ premium + age", **call)
        corrected = fit_exits(frame, "left ~ premium + age", **call, correction="simex", draws=10)
        low, high = corrected.conf_int().loc["premium"]
        found.append((plain.params["premium"], corrected.params["premium"], low <= -2 <= high))
    plain, corrected, covered = np.array(found, dtype=float).T
    assert -1.35 < np.median(plain) < -1.05
    # the median of 24 has an error of 1.25 / sqrt(24) of a deviation
    assert abs(np.median(corrected) + 2) < 3 * 1.25 * np.std(corrected) / np.sqrt(24)
    assert covered.mean() > 0.93 - 3 * np.sqrt(0.0475 / 24)


def test_simulation_and_extrapolation_of_exact_premiums_changes_nothing():
    frame, premium = draw_of_noisy_premiums(0)
    exact = premium.labels[["iso3"]].assign(b=premium.values, se=0.0)
    exact = wg.Estimates.from_table(exact, by=["iso3"], source="known")
    call = dict(premiums=exact, cov="HC1")
    plain = fit_exits(frame, "left ~ premium + age", **call)
    corrected = fit_exits(frame, "left ~ premium + age", **call, correction="simex", draws=4)
    for one, two in (
        (plain, corrected),
        (plain.effects, corrected.effects),
        (plain.elasticities, corrected.elasticities),
    ):
        np.testing.assert_allclose(two.params, one.params, rtol=1e-9)
        np.testing.assert_allclose(two.bse, one.bse, rtol=1e-7)


def test_simulation_and_extrapolation_of_several_exits_repeats_itself():
    panel, _ = draw_of_competing_exits(3)
    premiums = wg.fit_premiums(panel, "log(pay) ~ ai", premium="ai", by="iso3", cov="HC1").estimates
    call = dict(model="multinomial", premiums=premiums, cov="HC1", correction="simex", draws=6)
    one, two = (fit_exits(panel, "how ~ premium", **call, rng=4) for _ in range(2))
    np.testing.assert_array_equal(one.estimates.values, two.estimates.values)
    other = fit_exits(panel, "how ~ premium", **call, rng=5)
    assert np.abs(other.params - one.params).max() < one.bse.max()
    assert "simulation and extrapolation, 6 draws" in " ".join(one.notes)
    assert one.effects is not None
    # the premium is reliable here, so that the correction is small
    plain = fit_exits(panel, "how ~ premium", model="multinomial", premiums=premiums, cov="HC1")
    np.testing.assert_allclose(one.params, plain.params, rtol=0.1, atol=0.02)


def test_reliability_of_premiums_is_said_and_warned_of():
    frame, premium = draw_of_noisy_premiums(1)
    with pytest.warns(errors.ReliabilityWarning, match=r"reliability of 'premium' 0\.\d+: coefficients are pulled"):
        found = fit_exits(frame, "left ~ premium + age", premiums=premium, margins=False)
    x = np.column_stack([np.ones(6000), frame["age"]])
    dummies = np.eye(40)[frame["iso3"]]
    inside = dummies - x @ np.linalg.lstsq(x, dummies, rcond=None)[0]
    a = inside.T @ inside
    share = 1 - np.trace(a @ premium.covariance) / (premium.values @ a @ premium.values)
    assert f"Reliability of 'premium' among these rows: {share:.2f}." in found.notes


@pytest.mark.filterwarnings("ignore::wagegap.errors.ReliabilityWarning")
def test_bad_corrections(capfd):
    frame, premium = draw_of_noisy_premiums(0)
    unknown = premium.labels[["iso3"]].assign(b=premium.values)
    unknown = wg.Estimates.from_table(unknown, by=["iso3"], std_error=None, source="unknown")
    call = dict(premiums=premium, margins=False, correction="simex", draws=2)
    for change, error, words in (
        ({"correction": "simx"}, OptionError, "simex"),
        ({"premiums": None, "correction": "simex"}, OptionError, "of which none are given"),
        ({"draws": 0}, OptionError, "draws"),
        ({"cov": "iid"}, errors.CovarianceError, "does not go with correction"),
        ({"cov": wg.cov.Bootstrap(20)}, errors.CovarianceError, "does not go with correction"),
        ({"premiums": unknown}, DataError, "unknown for 40 of 40"),
    ):
        with pytest.raises(error, match=words):
            fit_exits(frame, "left ~ premium + age" if change.get("premiums", 1) is not None else "left ~ age",
                      **(call | change))  # fmt: skip
    capfd.readouterr()
    fit_exits(frame, "left ~ premium + age", **call, progress=True)
    assert "simex, 2 times the errors: 100%" in capfd.readouterr().err


# bad input -----------------------------------------------------------------------------------------------------------


def test_gaps_between_periods():
    frame = spells(50)
    frame = frame[~((frame["pid"] < 20) & (frame["t"] == 2))]
    with pytest.raises(DataError, match=r"gaps between the 't' of \d+ workers.*gaps='keep'"):
        fit_exits(panel_of(frame), "abroad ~ pay", time="t")
    kept = fit_exits(panel_of(frame), "abroad ~ pay", time="t", gaps="keep")
    assert any("kept as they are" in note for note in kept.notes)


def test_bad_input():
    frame = spells(200)
    panel = panel_of(frame)
    table = pd.DataFrame({"group": list("abc"), "b": [0.1, 0.2, 0.3], "se": 0.1})
    known = wg.Estimates.from_table(table, by=["group"])
    cases = [
        (IdentificationError, "never happens", dict(formula="abroad ~ pay", data=frame.assign(abroad=0.0))),
        (IdentificationError, "single outcome", dict(formula="how ~ pay", data=frame.assign(how="stay"),
                                                     model="multinomial")),
        (UnitError, "outside 0 to 1", dict(formula="abroad ~ pay", data=frame.assign(abroad=frame["pay"]))),
        (UnitError, "two values, 1 and 2.*'abroad == 2'", dict(formula="abroad ~ pay",
                                                              data=frame.assign(abroad=frame["abroad"] + 1))),
        (OptionError, "compete", dict(formula="~ pay", exit={"a": "abroad", "b": "field"}, model="logit")),
        (OptionError, "no left side", dict(formula="~ pay")),
        (OptionError, "leave one out", dict(formula="abroad ~ pay", exit="field")),
        (OptionError, "Did you mean 'logit'", dict(formula="abroad ~ pay", model="logitt")),
        (OptionError, "incidental", dict(formula="abroad ~ pay | pid", data=panel)),
        (CovarianceError, "not defined", dict(formula="abroad ~ pay", cov="HC3")),
        (OptionError, "several exits|depend on the other rows", dict(formula="abroad ~ scale(pay)")),
        (DataError, "must be 0/1", dict(formula="~ pay", exit={"a": "abroad", "b": "w / 10"})),
        (OptionError, "no regressor 'premium'", dict(formula="abroad ~ pay", premiums=known)),
        (IdentificationError, "swallow it", dict(formula="abroad ~ pay + premium | group", premiums=known)),
        (OptionError, "needs the role worker", dict(formula="abroad ~ pay", mundlak="pay")),
    ]  # fmt: skip
    for kind, words, call in cases:
        with pytest.raises(kind, match=words):
            fit_exits(**{"data": frame, **call})


def test_collinear_columns_are_named():
    frame = spells(200).assign(twice=lambda d: 2 * d["pay"])
    with pytest.warns(IdentificationWarning, match=r"twice = 2\*pay"):
        found = fit_exits(frame, "abroad ~ pay + twice", margins=False)
    assert found.params.index.tolist() == ["Intercept", "pay"]


def test_repeated_periods():
    frame = spells(50)
    twice = read_panel(pd.concat([frame, frame.iloc[:3]]), worker="pid", period="t", duplicates="keep")
    with pytest.raises(DuplicateKeyError, match="3 of"):
        fit_exits(twice, "abroad ~ pay", time="t")


def test_separation_names_columns_and_cell():
    frame = spells(200).assign(never=lambda d: (d["abroad"] == 0) * 1.0)
    with pytest.raises(IdentificationError, match="never"):
        fit_exits(frame, "abroad ~ pay + never")
    with pytest.raises(IdentificationError, match=r"never.*abroad"):
        fit_exits(frame, "how ~ pay + never", model="multinomial")
    with pytest.raises(DataError, match="never happens"):
        fit_multinomial(np.array([0, 2]), np.ones((2, 1)), outcomes=["a", "b", "c"])


def test_several_exits_at_once_are_counted():
    frame = spells(200)
    frame.loc[:4, ["abroad", "field"]] = 1.0
    found = fit_exits(frame, "~ pay", exit={"abroad": "abroad", "field": "field"})
    assert any("5 rows have several exits at once" in note for note in found.notes)
    assert found.cells["abroad"].iloc[0] == (frame["abroad"] == 1).sum()
    unknown = frame.assign(abroad=frame["abroad"].where(frame["pid"] > 10))
    again = fit_exits(unknown, "~ pay", exit={"field": "field", "abroad": "abroad"})
    # who changed field first is known, whatever happened abroad
    assert again.nobs == int(((unknown["field"] == 1) | unknown["abroad"].notna()).sum())
