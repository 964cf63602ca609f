"""Counterfactual distributions against R and Stata, by hand, and in every way of asking for one."""

from __future__ import annotations

import json
import pickle

import designs
import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from hypothesis import given, settings
from hypothesis import strategies as st

import wagegap as wg
from wagegap.decomposition.distributions.conditional import MODELS, Process, fit_conditional, fit_location
from wagegap.decomposition.distributions.counterfactual import counterfactual
from wagegap.decomposition.distributions.distreg import (
    average_distribution,
    choose_thresholds,
    distribution_update,
    fit_distribution,
    refit_distribution,
)
from wagegap.decomposition.distributions.functional import curve_tests, uniform_critical
from wagegap.decomposition.distributions.rearrange import invert_distribution, pooled_quantiles, values_at
from wagegap.errors import CovarianceError, DataError, IdentificationError, OptionError
from wagegap.estimation.covariance.options import Bootstrap, Replicates

DECILES = np.arange(1, 10) / 10
FORMULA = "np.log(wage) ~ tenure + ttl_exp + grade"
UNION = {"group": "union", "groups": (1, 0), "reference": "B"}
FEW = Bootstrap(2, kind="bayesian", rng=0)

# R 4.2.2, Counterfactual 1.2, quantreg 5.94: counterfactual(lwage ~ tenure + ttl_exp + grade, group = union,
# treatment = TRUE, decomposition = TRUE, quantiles = 1:9/10, method, nreg = 100) on nlsw88, 1,866 rows: structure and
# composition effect.
R_EFFECTS = {
    "qr": (
        [0.251804784304194, 0.228136323339289, 0.202510361651417, 0.180653953925199, 0.158478362064178,
         0.129021636552184, 0.0902158329431422, 0.040000678274188, -0.0344107698559015],
        [0.11297379269996, 0.104381855868059, 0.102073140516957, 0.101234989300852, 0.10540881826577,
         0.109488348533032, 0.113605778918466, 0.114821005491558, 0.114638036343715],
    ),
    "loc": (
        [0.630181821354538, 0.600722007487752, 0.574336536466244, 0.559982253065626, 0.528334774421458,
         0.507350024819742, 0.478690025105425, 0.450823070577745, 0.414834079909578],
        [0.0793284825078953, 0.0646366152506146, 0.0773554708979027, 0.0678346494980011, 0.104600078389833,
         0.1170168503481, 0.129138560761882, 0.118586124120072, 0.109705275067201],
    ),
    "lpm": (
        [0.239479480333002, 0.189114385645293, 0.200386939069829, 0.189990979638609, 0.156654302532948,
         0.149952681474117, 0.0894637186804426, 0.0260128556510839, 0.021638635846466],
        [0.0606246131071473, 0.0732499426009998, 0.0864430967305305, 0.0820826563261661, 0.0982379127081923,
         0.112237696354783, 0.0973053428567172, 0.0887429995097411, 0.0317487699555157],
    ),
    "logit": (
        [0.239479480333002, 0.207876355627281, 0.217723856369242, 0.189990979638609, 0.156654302532948,
         0.149952681474117, 0.0714292711324989, 0.0172665024765819, -0.00794310936145504],
        [0.0606246131071473, 0.0544879726190113, 0.069106179431117, 0.0820826563261661, 0.0982379127081923,
         0.112237696354783, 0.115339790404661, 0.0974893526842431, 0.0613305151634367],
    ),
}  # fmt: skip


@pytest.fixture(scope="module")
def women(shared):
    path = shared / "refdata" / "nlsw88.csv"
    if not path.is_file():
        pytest.skip("nlsw88.csv is not among the reference data")
    frame = pd.read_csv(path).dropna(subset=["union", "grade", "tenure", "ttl_exp"])
    return frame.assign(union=frame["union"].astype(int))


def simulated(seed=0, n=600, k=3, gap=0.2):
    """Two groups whose regressors and pay structure differ."""
    rng = np.random.default_rng(seed)
    first = (rng.random(n) < 0.5).astype(int)
    x = rng.normal(size=(n, k)) + 0.3 * first[:, None]
    y = 2 + x @ np.full(k, 0.2) + gap * first + (1 + 0.2 * first) * (0.5 + 0.1 * x[:, 0]) * rng.normal(size=n)
    return pd.DataFrame(x, columns=[f"x{j}" for j in range(k)]).assign(y=y, first=first)


def ask(data, **options):
    options = {"cov": FEW, "regressions": 40, **options}
    return counterfactual(data, "y ~ x0 + x1 + x2", **{"group": "first", "groups": (1, 0), **options})


def curve(gap, component):
    return gap.tidy().loc[lambda frame: frame["component"] == component, "estimate"].to_numpy()


# agreement ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("model", R_EFFECTS)
def test_r_counterfactual(women, model):
    gap = counterfactual(women, FORMULA, model=model, convention="r", cov=FEW, **UNION)
    structure, composition = (np.array(values) for values in R_EFFECTS[model])
    np.testing.assert_allclose(curve(gap, "unexplained"), structure, atol=1e-8)
    np.testing.assert_allclose(curve(gap, "explained"), composition, atol=1e-8)
    np.testing.assert_allclose(curve(gap, "difference"), structure + composition, atol=1e-8)


def test_r_values_in_the_files_are_those_typed_here(shared):
    for model, effects in R_EFFECTS.items():
        found = json.loads((shared / "reference" / f"counterfactual_nlsw88_{model}.json").read_text())["results"]
        for name, typed in zip(("structral_effect", "composition_effect"), effects, strict=True):
            values = [value["V1"] if isinstance(value, dict) else value for value in found[name]]
            np.testing.assert_allclose(values, typed, atol=1e-14)


@pytest.mark.parametrize("model", ["qr", "loc", "lpm", "logit", "probit", "cloglog"])
def test_distributions_of_r(facts, model):
    """R's quantile, least-squares and binary regressions, averaged and inverted there by the definition."""
    rows = designs.workers().dropna(subset="lnwage").assign(step=lambda frame: np.round(frame["lnwage"] * 10) / 10)
    pay = "lnwage" if model in ("qr", "loc") else "step"
    gap = counterfactual(
        rows, f"{pay} ~ educ + exper + tenure", group="female", groups=(0, 1), reference="B", model=model,
        probs=0.07 + np.arange(9) / 10, cov=FEW,
    )  # fmt: skip
    for component, values in facts("counterfactual")[model].items():
        np.testing.assert_allclose(curve(gap, component), values, atol=1e-8)


def test_where_r_goes_astray_in_the_location_model(women):
    """Its errors all have the quantile of their maximum, so that its gap is that of x'b plus the largest error."""
    y, union = np.log(women["wage"].to_numpy()), women["union"].to_numpy()
    x = sm.add_constant(women[["tenure", "ttl_exp", "grade"]].to_numpy())
    levels, fitted = [], []
    for group in (1, 0):
        rows = union == group
        fit = sm.OLS(y[rows], x[rows]).fit()
        shifted = fit.fittedvalues + fit.resid.max()
        weight = np.full(rows.sum(), 1 / len(y))
        levels.append(pooled_quantiles(np.tile(shifted, (100, 1)), weight, DECILES, convention="r"))
        fitted.append(fit_location(y[rows], x[rows], Process().levels))
    np.testing.assert_allclose(levels[0] - levels[1], np.add(*R_EFFECTS["loc"]), atol=1e-8)
    # With the errors' own quantiles the gap at the median is that of the sample, not two and a half times as much.
    right = counterfactual(women, FORMULA, model="loc", cov=FEW, **UNION)
    observed = [np.quantile(y[union == group], 0.5) for group in (1, 0)]
    assert curve(right, "difference")[4] == pytest.approx(observed[0] - observed[1], abs=0.06)
    assert np.add(*R_EFFECTS["loc"])[4] > 2 * (observed[0] - observed[1])
    assert all(len(np.unique(fit.errors)) > 90 for fit in fitted)


def test_where_r_goes_astray_in_the_level_of_quantiles(women):
    """Its position 1 + (W - 1) p with W = 24.6 is the quantile at .137 for p = .1, of the smaller group."""
    y, x = np.log(women["wage"].to_numpy()), sm.add_constant(women[["tenure", "ttl_exp", "grade"]].to_numpy())
    rows = women["union"].to_numpy() == 1
    weight = np.full(rows.sum(), 1 / len(y))
    model = fit_conditional(y[rows], x[rows], weight, "qr", Process())
    total = 100 * weight.sum()
    position = 1 + (total - 1) * 0.1
    astray = fit_conditional(y[rows], x[rows], weight, "qr", Process(convention="r"))
    at_ten = astray.quantiles(astray.fitted, x[rows], weight, np.array([0.1]))[0]
    ends = model.quantiles(model.fitted, x[rows], weight, np.array([np.floor(position), np.ceil(position)]) / total)
    assert ends[0] <= at_ten <= ends[1]
    assert np.floor(position) / total > 0.12
    assert model.quantiles(model.fitted, x[rows], weight, np.array([0.1]))[0] < at_ten - 0.05


def test_r_bootstrap(shared, women):
    path = shared / "reference" / "counterfactual_nlsw88_logit_boot20.json"
    if not path.is_file():
        pytest.skip(f"{path.name} is not among the reference values")
    found = json.loads(path.read_text())["results"]
    gap = counterfactual(
        women, FORMULA, model="logit", convention="r", cov=Bootstrap(60, kind="bayesian", rng=1), **UNION
    ).tidy()
    for component, name, error in (("unexplained", "resSE", "se.se"), ("explained", "resCE", "se.ce")):
        theirs = np.array([row[error] for row in found[name]])
        ours = gap.loc[gap["component"] == component, "std_error"].to_numpy()
        # A standard error of 20 replicates errs by 16 %, nine that move together hardly less in their mean; R draws
        # rows with exponential probabilities on top of resampling, which doubles the variance of a weight.
        ratio = theirs / ours / np.sqrt(2)
        assert abs(np.log(ratio).mean()) < 0.3
        assert (np.abs(np.log(ratio)) < 0.75).all()


def test_stata_rqdeco(shared):
    """Melly's rqdeco on the NLSY of Fortin, Lemieux and Firpo (2011, table 4); men's pay structure, women minus men."""
    path = shared / "refdata" / "nlsy00_flf.csv"
    if not path.is_file():
        pytest.skip("nlsy00_flf.csv is not among the reference data")
    columns = (
        "age00 msa ctrlcity north_central south00 west hispanic black sch_10 diploma_hs ged_hs smcol bachelor_col "
        "master_col doctor_col afqtp89 famrspb wkswk_18 yrsmil78_00 pcntpt_22 manuf eduheal othind"
    )
    gap = counterfactual(
        pd.read_csv(path), f"lropc00 ~ {columns.replace(' ', ' + ')}", group="female", groups=(1, 0), reference="B",
        probs=(0.1, 0.5, 0.9), cov=FEW,
    )  # fmt: skip
    stata = {
        "difference": [-0.192128, -0.238791, -0.275643],
        "explained": [-0.256768, -0.197441, -0.1431],
        "unexplained": [0.06464, -0.041351, -0.132543],
    }
    for component, values in stata.items():
        # Stata's data are floats and its quantile regressions stop by a tolerance; the difference is a fiftieth of the
        # bootstrap standard errors (.018 to .027) that it prints.
        np.testing.assert_allclose(curve(gap, component), values, atol=4e-4)


# rearrangement -----------------------------------------------------------------------------------------------------


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 4), st.booleans())
def test_binned_quantiles_are_sorted_quantiles(seed, rounding, heavy):
    rng = np.random.default_rng(seed)
    values = np.round(rng.standard_cauchy(size=(60, 500)) if heavy else rng.normal(size=(60, 500)), rounding)
    weights = rng.integers(0, 3, size=500) * rng.exponential(size=500)
    targets = np.array([0.0, 0.01, 0.5, 0.77, 1.0]) * 60 * weights.sum()
    flat, every = values.ravel(), np.broadcast_to(weights, values.shape).ravel()
    order = np.argsort(flat, kind="stable")
    reached = np.cumsum(every[order])
    place = np.minimum(np.searchsorted(reached, targets - 1e-11 * reached[-1]), len(flat) - 1)
    np.testing.assert_array_equal(values_at(values, weights, targets)[1:], flat[order][place][1:])


@settings(max_examples=60, deadline=None)
@given(st.lists(st.floats(-0.1, 1.1), min_size=2, max_size=20), st.booleans())
def test_inverted_distributions_rise(distribution, between):
    thresholds = np.cumsum(np.random.default_rng(0).exponential(size=len(distribution) + 1))
    probs = np.linspace(0.01, 0.99, 41)
    found = invert_distribution(thresholds, np.array(distribution), probs, between=between)
    assert (np.diff(found) >= 0).all()
    assert thresholds[0] <= found[0]
    assert found[-1] <= thresholds[-1]
    shuffled = np.random.default_rng(1).permutation(distribution)
    np.testing.assert_array_equal(found, invert_distribution(thresholds, shuffled, probs, between=between))


def test_trimmed_processes_leave_the_ends_out():
    values = np.arange(90.0)[:, None]
    assert pooled_quantiles(values, np.ones(1), np.array([0.5]), trimmed=0.05)[0] == 44
    assert pooled_quantiles(values, np.ones(1), np.array([0.02, 0.98]), trimmed=0.05).tolist() == [0, 89]


# conditional models ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("link", ["logit", "probit", "cloglog", "lpm"])
def test_distribution_regression_is_a_binary_response_at_each_threshold(link):
    data = simulated(1, 300)
    y, x = data["y"].to_numpy(), sm.add_constant(data[["x0", "x1", "x2"]].to_numpy())
    thresholds, complete = choose_thresholds(y, 12)
    fit = fit_distribution(y, x, thresholds, None, link)
    assert not complete
    assert len(fit.params) == 11
    glm = {
        "logit": sm.families.Binomial(),
        "probit": sm.families.Binomial(sm.families.links.Probit()),
        "cloglog": sm.families.Binomial(sm.families.links.CLogLog()),
        "lpm": sm.families.Gaussian(),
    }[link]
    for j in (3, 5, 8):
        outcome = (y <= thresholds[j]).astype(float)
        expected = sm.GLM(outcome, x, family=glm).fit(tol=1e-14, maxiter=200).params
        np.testing.assert_allclose(fit.params[j], expected, rtol=1e-6, atol=1e-8)
    if link in ("logit", "lpm"):  # the score of the constant: fitted and observed shares are equal
        shares = (y <= thresholds[:-1, None]).mean(axis=1)
        np.testing.assert_allclose(average_distribution(fit, fit.params, x, np.ones(300)), shares, atol=1e-7)


@pytest.mark.parametrize("link", ["logit", "probit", "cloglog", "lpm"])
def test_two_steps_are_close_to_refits(link):
    data = simulated(2, 400)
    y, x = data["y"].to_numpy(), sm.add_constant(data[["x0", "x1", "x2"]].to_numpy())
    fit = fit_distribution(y, x, choose_thresholds(y, 30)[0], None, link)
    update, rng = distribution_update(fit, y, x, np.ones(400)), np.random.default_rng(0)
    quick, full = [], []
    for _ in range(25):
        w = rng.exponential(size=400)
        quick.append(average_distribution(fit, refit_distribution(fit, y, x, w, update), x, w))
        full.append(average_distribution(fit, refit_distribution(fit, y, x, w, exact=True), x, w))
    gap, spread = np.abs(np.array(quick) - full)[:, 3:-3], np.std(full, axis=0)[3:-3]
    # Newton's error after two steps is of order n^(-2), against a spread of n^(-1/2), but for the constant, which is
    # large where few outcomes are on one side; the linear model has no second derivative, and no error.
    share = np.sqrt(np.mean(gap**2, axis=0)) / spread
    assert (share < (1e-6 if link == "lpm" else 0.1)).all()
    assert np.median(share) < 0.01


@pytest.mark.parametrize("model", MODELS)
def test_weights_are_repeated_rows(model):
    data = simulated(3, 200)
    y, x = data["y"].to_numpy(), sm.add_constant(data[["x0", "x1"]].to_numpy())
    times = np.random.default_rng(3).integers(1, 4, size=200)
    rows = np.repeat(np.arange(200), times)
    process, at = Process(30), np.array([0.11, 0.5, 0.87])
    weighted = fit_conditional(y, x, times.astype(float), model, process)
    repeated = fit_conditional(y[rows], x[rows], None, model, process)
    one = weighted.quantiles(weighted.fitted, x, times.astype(float), at)
    two = repeated.quantiles(repeated.fitted, x[rows], np.ones(len(rows)), at)
    # A quantile regression with whole multiplicities may have an edge of solutions, of which either end is taken.
    np.testing.assert_allclose(one, two, atol=0.02 if model == "qr" else 1e-7)


@pytest.mark.parametrize("model", MODELS)
def test_models_follow_the_unit_of_pay(model):
    data = simulated(4, 200)
    y, x, w = data["y"].to_numpy(), sm.add_constant(data[["x0", "x1"]].to_numpy()), np.ones(200)
    models = [fit_conditional(values, x, w, model, Process(30)) for values in (y, 100 + 1000 * y)]
    found = [one.quantiles(one.fitted, x, w, DECILES) for one in models]
    np.testing.assert_allclose(found[1], 100 + 1000 * found[0], rtol=1e-6)


@pytest.mark.parametrize("model", MODELS)
def test_the_model_of_a_group_gives_its_distribution(model):
    data = simulated(5, 4000)
    y, x = data["y"].to_numpy(), sm.add_constant(data[["x0", "x1", "x2", "first"]].to_numpy())
    found = fit_conditional(y, x, None, model, Process())
    own = found.quantiles(found.fitted, x, np.ones(4000), DECILES)
    np.testing.assert_allclose(own, np.quantile(y, DECILES), atol=0.06)


def test_refits_under_the_own_weights_change_nothing():
    data = simulated(6, 200)
    y, x = data["y"].to_numpy(), sm.add_constant(data[["x0", "x1"]].to_numpy())
    w = np.random.default_rng(1).exponential(size=200)
    for model in MODELS:
        found = fit_conditional(y, x, w, model, Process(30))
        for exact in (False, True):
            again = found.quantiles(found.again(2 * w, exact), x, w, DECILES)
            np.testing.assert_allclose(again, found.quantiles(found.fitted, x, w, DECILES), atol=1e-6)


def test_thresholds_that_split_nobody():
    y, x = np.arange(10.0), np.ones((10, 1))
    with pytest.raises(DataError, match=r"1 of 3 thresholds lie below the smallest outcome, 0: -1\.0"):
        fit_distribution(y, x, np.array([-1.0, 3.0, 5.0]))
    with pytest.raises(DataError, match="no threshold lies below the largest outcome"):
        fit_distribution(y, x, np.array([9.0, 20.0]))
    fit = fit_distribution(y, x, np.array([4.0, 9.0, 20.0]))
    assert fit.thresholds.tolist() == [4.0, 9.0]
    with pytest.raises(DataError, match="the outcome is 1 in all 10 rows"):
        fit_distribution(np.ones(10), x, np.array([1.0]))


def test_a_group_may_be_called_minus():
    data = simulated(n=200)
    data["first"] = np.where(data["first"] == 1, "net minus tax", "gross")
    options = {"model": "logit", "groups": ("net minus tax", "gross"), "regressions": 10}
    gap = ask(data, **options)
    assert gap.comparisons[["name_first", "name_second"]].to_numpy().tolist() == [["net minus tax", "gross"]]
    lone = data.assign(x2=np.where(data["first"] == "gross", data["x2"], 0.0))
    with pytest.raises(IdentificationError, match=r"x2: rows of gross .* structure of net minus tax says"):
        ask(lone, **options)


def test_separated_thresholds_end_at_zero_and_one():
    y = np.concatenate([np.arange(50.0), 100 + np.arange(50.0)])
    x = np.column_stack([np.ones(100), np.repeat([0.0, 1.0], 50)])
    fit = fit_distribution(y, x, np.array([10.0, 49.0, 120.0]))
    assert fit.converged.tolist() == [False, False, False]
    shares = (y <= np.array([[10.0], [49.0], [120.0]])).mean(axis=1)
    np.testing.assert_allclose(average_distribution(fit, fit.params, x, np.ones(100)), shares, atol=1e-4)


def test_location_scale_needs_residuals():
    x = np.column_stack([np.ones(6), np.arange(6.0)])
    with pytest.raises(DataError, match="6 of 6 residuals are zero"):
        fit_location(x @ np.array([1.0, 2.0]), x, np.array([0.5]), scale=True)


# bands and tests ---------------------------------------------------------------------------------------------------


def test_bands_hold_whole_curves_and_tests_keep_their_size():
    rng = np.random.default_rng(1)
    root = np.linalg.cholesky(0.3 + 0.7 * np.eye(7))
    critical, held, rejected, trials = [], 0, 0, 400
    for _ in range(trials):
        draws, estimate = rng.normal(size=(199, 7)) @ root.T, rng.normal(size=7) @ root.T
        errors = draws.std(axis=0)
        critical.append(uniform_critical(draws, errors, 0.1))
        held += (np.abs(estimate) <= critical[-1] * errors).all()
        rejected += curve_tests(estimate, draws, 3)[0].cms_p <= 0.1
    error = 3 * np.sqrt(0.09 / trials)
    assert abs(held / trials - 0.9) < error + 0.01
    assert abs(rejected / trials - 0.1) < error + 0.01
    assert min(critical) > 1.645


def test_dominance_is_told_from_its_opposite():
    draws = np.random.default_rng(2).normal(size=(299, 9))
    tests = {test.hypothesis: test for test in curve_tests(np.linspace(2, 12, 9), draws, 4)}
    assert tests["nowhere_negative"].ks_p == 1.0
    assert tests["nowhere_positive"].ks_p < 0.02
    assert tests["no_effect"].cms_p < 0.02
    assert tests["constant_effect"].cms_p < 0.02
    level = {test.hypothesis: test for test in curve_tests(np.full(9, 5.0), draws, 4)}
    assert level["constant_effect"].ks_p == 1.0


# the public call ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("model", MODELS)
def test_parts_add_up_and_groups_can_be_turned_round(model):
    data = simulated(8)
    gap = ask(data, model=model)
    total = curve(gap, "difference")
    np.testing.assert_allclose(curve(gap, "explained") + curve(gap, "unexplained"), total, atol=1e-12)
    turned = ask(data, model=model, groups=(0, 1), reference="B")
    for component in ("difference", "explained", "unexplained"):
        np.testing.assert_allclose(curve(turned, component), -curve(gap, component), atol=1e-10)


def test_equal_groups_have_no_gap():
    data = simulated(9, 200)
    twice = pd.concat([data.assign(first=0), data.assign(first=1)])
    for model in ("qr", "logit", "locsca"):
        np.testing.assert_allclose(ask(twice, model=model).params, 0, atol=1e-10)


def test_order_of_rows_does_not_matter():
    data = simulated(10)
    np.testing.assert_allclose(ask(data.sample(frac=1, random_state=1)).params, ask(data).params, atol=1e-9)


def test_frequency_weights_are_repeated_rows():
    data = simulated(11, 300)
    times = np.random.default_rng(0).integers(1, 4, size=300)
    weighted = ask(data.assign(w=times), model="logit", weights="w", weight_kind="frequency")
    repeated = ask(data.loc[np.repeat(data.index, times)], model="logit")
    np.testing.assert_allclose(weighted.params, repeated.params, atol=1e-6)


@pytest.mark.parametrize("model", ["qr", "logit", "loc"])
def test_replicates_of_both_kinds_have_the_errors_of_refits(model):
    data = simulated(12, 700)
    errors = [
        ask(data, model=model, refit=refit, cov=Bootstrap(60, kind="bayesian", rng=4), regressions=30).bse.to_numpy()
        for refit in ("one-step", "full")
    ]
    # Equal weights in both, so that the noise of the draws cancels; see the test of one-step updates.
    assert abs((errors[0] / errors[1]).mean() - 1) < (0.08 if model == "qr" else 0.01)


def test_bootstraps_of_both_kinds_agree():
    data = simulated(13, 800)
    errors = [
        ask(data, model="logit", cov=Bootstrap(150, kind=kind, rng=2)).bse.to_numpy() for kind in ("pairs", "bayesian")
    ]
    # 150 replicates each: 1 / sqrt(300) = 6 % of noise each, 8 % of their ratio, less in the mean of 27.
    assert abs(np.log(errors[0] / errors[1]).mean()) < 0.15


def test_errors_are_those_of_repeated_samples():
    """The spread of the estimates over samples of one population, and the mean of their standard errors."""
    draws = [ask(simulated(100 + s, 400), model="logit", regressions=30, probs=(0.25, 0.5, 0.75),
                 cov=Bootstrap(30, kind="bayesian", rng=s)) for s in range(50)]  # fmt: skip
    spread = np.std([draw.params for draw in draws], axis=0)
    mean = np.mean([draw.bse for draw in draws], axis=0)
    # Fifty samples: 10 % of noise in each spread, three times that at most.
    assert (np.abs(np.log(mean / spread)) < 0.3).all()


def test_bands_tests_table_and_figure():
    gap = ask(simulated(14), cov=Bootstrap(60, kind="bayesian", rng=1))
    tidy = gap.tidy(0.1)
    assert (tidy["band_low"] <= tidy["conf_low"]).all()
    assert (tidy["band_high"] >= tidy["conf_high"]).all()
    assert tidy["measure"].unique().tolist() == [f"quantile({p:g})" for p in DECILES]
    tests = gap.curve_tests()
    assert set(tests["component"]) == {"difference", "explained", "unexplained", "first", "second"}
    assert tests["ks_p"].between(0, 1).all()
    summary = gap.summary()
    assert "Intervals hold a whole curve with probability 0.95" in summary
    assert "one Newton step" in " ".join(summary.split())
    assert max(len(line) for line in summary.splitlines()) <= 80
    assert summary == pickle.loads(pickle.dumps(gap)).summary()
    assert len(gap.plot().lines) == 4
    assert gap.plot(component="explained", bands="pointwise").get_xlabel().endswith("95 % pointwise bands")
    assert gap.levels is not None
    assert len(gap.levels.values) == 45


def test_a_single_quantile_is_a_point():
    gap = ask(simulated(15), probs=0.5, bands="pointwise", cov=Bootstrap(99, kind="bayesian", rng=1))
    assert gap.keys == []
    tidy = gap.tidy()
    assert len(tidy) == 3
    # One point: its band is its interval, but for quantiles of draws in place of normal ones.
    np.testing.assert_allclose((tidy["band_high"] - tidy["estimate"]) / tidy["std_error"], 2, atol=0.45)
    assert set(gap.curve_tests()["hypothesis"]) == {
        "no_effect", "nowhere_negative", "nowhere_positive", "correct_model"
    }  # fmt: skip


def test_cells_and_pairs_of_groups_are_joint():
    data = pd.concat([simulated(s, 400).assign(iso3=name) for s, name in ((16, "KOR"), (17, "USA"))])
    gap = ask(data, by="iso3", model="logit", probs=(0.3, 0.6), cov=Bootstrap(20, kind="bayesian", rng=3))
    assert len(gap.params) == 12
    own = ask(data[data["iso3"] == "USA"], model="logit", probs=(0.3, 0.6))
    both = gap.tidy()
    np.testing.assert_allclose(both.loc[both["iso3"] == "USA", "estimate"], own.params, atol=1e-12)
    gap.plot(iso3="USA")
    with pytest.raises(OptionError, match="choose one comparison"):
        gap.plot()
    with pytest.raises(OptionError, match=r"no key of the comparisons. Did you mean 'iso3'"):
        gap.plot(iso="USA")
    three = data.assign(first=np.random.default_rng(0).integers(0, 3, size=len(data)))
    pairs = ask(three, groups="pairs", probs=0.5, model="lpm").tidy()
    middle = pairs.set_index(["first", "second", "component"])["estimate"]
    assert middle[0, 1, "difference"] + middle[1, 2, "difference"] == pytest.approx(middle[0, 2, "difference"])


def test_survey_replicates_are_used_as_they_are():
    data = simulated(18, 300).assign(w=1.0)
    draws = np.random.default_rng(0).exponential(size=(300, 20))
    data[[f"r{i}" for i in range(20)]] = draws
    columns = tuple(f"r{i}" for i in range(20))
    gap = ask(data, weights="w", cov=Replicates(columns, kind="BRR"), model="lpm")
    assert (gap.bse > 0).all()
    assert (gap.tidy()["band_low"] < gap.tidy()["conf_low"]).mean() > 0.9


def test_by_itself_it_is_the_bootstrap():
    data = simulated(19, 200).assign(firm=np.repeat(np.arange(40), 5))
    gap = counterfactual(data, "y ~ x0", group="first", groups=(1, 0), model="loc", probs=0.5)
    assert "200 exponential weights of rows, seed 0" in " ".join(gap.notes)
    panel = wg.read_panel(data.assign(id=range(200)), worker="id", cluster="firm", wage="y")
    clustered = counterfactual(panel, "y ~ x0", group="first", groups=(1, 0), model="loc", probs=0.5)
    assert "200 exponential weights of firm" in " ".join(clustered.notes)
    stratified = wg.read_panel(
        data.assign(id=range(200), region=data["firm"].to_numpy() // 20), worker="id", cluster="firm", strata="region",
        wage="y",
    )  # fmt: skip
    drawn = counterfactual(stratified, "y ~ x0", group="first", groups=(1, 0), model="loc", probs=0.5)
    assert "200 draws of firm within region" in " ".join(drawn.notes)
    again = clustered.refit(panel, probs=(0.5,))
    np.testing.assert_allclose(again.bse, clustered.bse)


def test_trimming_and_fewer_regressions():
    data = simulated(20)
    full, trimmed = ask(data, regressions=100), ask(data, regressions=100, trimming=0.05)
    np.testing.assert_allclose(full.params, trimmed.params, atol=0.05)
    assert np.abs(full.params - trimmed.params).max() > 0


# bad input ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"probs": (0.5, 1.2)}, OptionError, "1.2 is not between 0 and 1"),
        ({"probs": (10, 50)}, OptionError, "Divide by 100"),
        ({"model": "logti"}, OptionError, "Did you mean 'logit'"),
        ({"reference": "pooled"}, OptionError, "reference='pooled'"),
        ({"bands": "both"}, OptionError, "bands='both'"),
        ({"refit": "fully"}, OptionError, "Did you mean 'full'"),
        ({"regressions": 2}, OptionError, "at least 4"),
        ({"regressions": 10.5}, OptionError, "whole number"),
        ({"trimming": 0.4}, OptionError, "between 0 and 0.1"),
        ({"convention": "stata"}, OptionError, "convention='stata'"),
        ({"cov": "HC1"}, CovarianceError, "replicates only"),
    ],
)
def test_options_that_do_not_exist(options, error, message):
    with pytest.raises(error, match=message):
        ask(simulated(21, 100), **options)


def test_outcomes_that_do_not_vary():
    data = simulated(22, 100)
    for model in MODELS:
        with pytest.raises(DataError, match=r"the outcome is 1 in all \d+ rows of first 1"):
            ask(data.assign(y=np.where(data["first"] == 1, 1.0, data["y"])), model=model)


def test_fewer_rows_than_columns():
    data = simulated(23, 60)
    few = pd.concat([data[data["first"] == 0], data[data["first"] == 1].head(3)])
    with pytest.raises(IdentificationError, match="no more rows than the 4 columns"):
        ask(few)


def test_a_level_that_only_one_group_has():
    data = simulated(24, 200)
    data["x2"] = np.where(data["first"] == 0, (data["x2"] > 0).astype(float), 0.0)
    with pytest.raises(IdentificationError, match="x2: rows of first 0 have values"):
        ask(data, model="logit")
    turned = ask(data, model="logit", reference="B")
    assert np.isfinite(turned.params).all()


def test_trimming_leaves_both_ends_out():
    """(i - 1/2) / 20 from .075 to .925 where .075 is trimmed: the ends themselves stay."""
    np.testing.assert_allclose(Process(regressions=20, trimming=0.075).kept, (np.arange(1, 19) + 0.5) / 20)
    assert len(Process(regressions=20, trimming=0.08).kept) == 16
