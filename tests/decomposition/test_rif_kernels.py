"""Statistics, their influence functions, and RIF regressions on arrays: conventions, algebra, references, bootstrap."""

from __future__ import annotations

import json
import tracemalloc
from dataclasses import replace

import designs
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wagegap.decomposition.distributions.rif import classical_covariance, fit_rif, replicate_rif, rif_covariance
from wagegap.decomposition.distributions.statistics import (
    DENSITY_RULES,
    STATISTICS,
    CustomStatistic,
    bandwidth,
    density_at,
    density_rule,
    distribution,
    influence_of,
    parse_statistics,
    quantile,
)
from wagegap.errors import DataError, OptionError
from wagegap.estimation.covariance.resampling import draw_resamples

R, STATA = DENSITY_RULES["r"], DENSITY_RULES["stata"]
SMOOTH = ["mean", "variance", "standard_deviation", "gini", "theil", "mld", "atkinson:0.5", "atkinson:1", "atkinson:2"]
ALL = [
    *SMOOTH, "quantile:0.3", "lorenz:0.4", "generalized_lorenz:0.5", "interquantile_range:0.9,0.1",
    "interquantile_ratio:0.8,0.2", "share_below:1.1", "share_below:0.6 median",
]  # fmt: skip


def sample(n=400, seed=0):
    """Regressors, positive outcome, weights."""
    rng = np.random.default_rng(seed)
    x = np.column_stack([np.ones(n), rng.normal(size=(n, 2))])
    y = np.exp(0.3 * x[:, 1] + 0.2 * x[:, 2] + 0.5 * rng.normal(size=n))
    return y, x, rng.uniform(0.5, 2.0, n)


def fit(y, x, names, weights=None, rule=R, counts=None):
    built = distribution(y, weights, counts)
    recentred = [one.build(built, rule) for one in parse_statistics(names)]
    return fit_rif(y, x, recentred, weights if weights is not None else counts)


def test_the_density_at_a_line_moves_with_the_median():
    """IF of f(c q), of a kernel estimate at an estimated line: K_h(c q - y) - f(c q) + f'(c q) c IF_q."""
    y = sample()[0]
    built = distribution(y)
    found = parse_statistics("share_below:0.6 median")[0].build(built, R).nuisance(y)
    h, line = bandwidth(built, R), 0.6 * quantile(built, 0.5)

    def kernel(at):
        return np.exp(-0.5 * ((at - y) / h) ** 2) / (h * np.sqrt(2 * np.pi))

    rise = (kernel(line + 1e-5).mean() - kernel(line - 1e-5).mean()) / 2e-5
    expected = kernel(line) - kernel(line).mean() + rise * 0.6 * found[:, 0]
    np.testing.assert_allclose(found[:, -1], expected, rtol=1e-6, atol=1e-8)


# conventions ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("prob", [0.01, 0.1, 0.25, 0.5, 0.83, 0.99])
def test_unweighted_hmisc_quantiles_are_those_of_type_seven(prob):
    y = np.random.default_rng(1).normal(size=37)
    assert quantile(distribution(y), prob) == pytest.approx(np.quantile(y, prob), abs=1e-14)


@pytest.mark.parametrize(("prob", "expected"), [(0.25, 1.5), (0.3, 2.0), (0.5, 2.5), (0.75, 4.0), (0.9, 5.0)])
def test_stata_quantiles_average_neighbours_where_the_position_is_whole(prob, expected):
    assert quantile(distribution(np.array([5.0, 3.0, 1.0, 2.0])), prob, "pctile") == expected


def test_weighted_quantiles_by_hand():
    y, w = np.array([10.0, 20.0, 30.0]), np.array([1.0, 2.0, 1.0])
    counted = distribution(y, None, w)
    assert quantile(counted, 0.5) == 20.0  # position 1 + 3 * .5 = 2.5, between two of the value 20
    assert quantile(counted, 0.75) == pytest.approx(22.5)  # position 3.25: a quarter from 20 to 30
    assert quantile(distribution(y, w), 0.75, "pctile") == 25.0  # .75 of the weight lies exactly up to 20


def test_bandwidth_rules_by_hand():
    y = np.random.default_rng(2).normal(size=50)
    spread, inner = y.std(ddof=1), np.subtract(*np.quantile(y, [0.75, 0.25]))
    assert bandwidth(distribution(y), R) == pytest.approx(0.9 * min(spread, inner / 1.34) * 50**-0.2, rel=1e-12)
    stata = distribution(y)
    inner = quantile(stata, 0.75, "pctile") - quantile(stata, 0.25, "pctile")
    assert bandwidth(stata, STATA) == pytest.approx(0.9 * min(spread, inner / 1.349) * 50**-0.2, rel=1e-12)
    assert bandwidth(stata, density_rule("stata", bandwidth=0.3)) == 0.3


def test_weights_enter_the_bandwidth_by_stata_only():
    y, _, w = sample()
    assert bandwidth(distribution(y, w), R) == pytest.approx(bandwidth(distribution(y), R), rel=1e-14)
    assert bandwidth(distribution(y, w), STATA) != pytest.approx(bandwidth(distribution(y), STATA), rel=1e-3)


def test_densities_against_the_kernel_sum():
    y, _, w = sample()
    share, h = w / w.sum(), 0.2
    u = (1.1 - y) / h
    exact = float(share @ (np.exp(-u * u / 2) / np.sqrt(2 * np.pi))) / h
    assert density_at(distribution(y, w), 1.1, replace(R, binned=False), h) == pytest.approx(exact, rel=1e-13)
    # R evaluates the kernel at distances that are 511/511.5 of the true ones, and cuts it at four bandwidths.
    assert density_at(distribution(y, w), 1.1, R, h) == pytest.approx(exact, rel=2e-3)
    epanechnikov = np.where(np.abs(u) < np.sqrt(5), 0.75 * (1 - u * u / 5) / np.sqrt(5), 0)
    assert density_at(distribution(y, w), 1.1, STATA, h) == pytest.approx(float(share @ epanechnikov) / h, rel=1e-13)


def test_ties_lie_below_the_quantile_in_r_and_above_it_in_stata():
    y = np.array([1.0, 2.0, 2.0, 2.0, 3.0])
    (median,) = parse_statistics("quantile:0.5")
    for rule, below in ((R, True), (STATA, False)):
        steps = median.build(distribution(y), replace(rule, bandwidth=0.5)).steps
        assert (steps[0].point, steps[0].ties == "below") == (2.0, below)


# statistics -----------------------------------------------------------------------------------------------------------


def test_values_by_definition():
    y, _, w = sample(200)
    p = w / w.sum()
    mu = p @ y
    pairs = float(p @ np.minimum(y[:, None], y[None, :]) @ p)
    expected = {
        "mean": mu,
        "variance": p @ (y - mu) ** 2,
        "standard_deviation": np.sqrt(p @ (y - mu) ** 2),
        "gini": float(p @ np.abs(y[:, None] - y[None, :]) @ p) / (2 * mu),
        "theil": p @ (y / mu * np.log(y / mu)),
        "mld": np.log(mu) - p @ np.log(y),
        "atkinson:0.5": 1 - (p @ np.sqrt(y)) ** 2 / mu,
        "atkinson:1": 1 - np.exp(p @ np.log(y)) / mu,
        "atkinson:2": 1 - 1 / (p @ (1 / y)) / mu,
        "share_below:1.1": p @ (y < 1.1),
    }
    values, _ = influence_of(parse_statistics(list(expected)), y, w)
    np.testing.assert_allclose(values, list(expected.values()), rtol=1e-12)
    assert 1 - pairs / mu == pytest.approx(values[3], rel=1e-12)


def test_lorenz_ordinates_of_equal_pay_are_the_probabilities():
    y = np.full(11, 3.0)
    values, _ = influence_of(
        parse_statistics(["lorenz", "generalized_lorenz"], probs=(0.2, 0.7)), y, rule=density_rule("r", bandwidth=1.0)
    )
    np.testing.assert_allclose(values, [0.2, 0.7, 0.6, 2.1], rtol=1e-14)


@pytest.mark.parametrize("name", SMOOTH)
def test_influence_functions_are_derivatives(name):
    y, _, w = sample(60)
    statistics = parse_statistics(name)
    _, influence = influence_of(statistics, y, w)
    assert w @ influence[:, 0] / w.sum() == pytest.approx(0.0, abs=1e-13)
    for row in (3, 17, 41):
        mass = np.zeros(60)
        mass[row] = w.sum()
        values = [influence_of(statistics, y, w + h * mass)[0][0] for h in (1e-5, -1e-5)]
        slope = (values[0] - values[1]) / 2e-5  # adding to a weight and rescaling: T((F + h d) / (1 + h))
        assert slope == pytest.approx(influence[row, 0], rel=1e-6, abs=1e-9)


@pytest.mark.parametrize("name", SMOOTH)
def test_influence_of_coefficients_is_their_derivative(name):
    """Each row's weight moved a little: everything that is estimated in the RIF moves with it."""
    y, x, w = sample(80)
    rows = np.vstack([block for _, block in fit(y, x, name, w).influence(y, x, w)])
    np.testing.assert_allclose(rows.sum(axis=0), 0.0, atol=1e-12)
    for row in (0, 33, 79):
        moved = []
        for h in (1e-4, -1e-4):
            other = w.copy()
            other[row] *= 1 + h
            moved.append(fit(y, x, name, other).base)
        np.testing.assert_allclose((moved[0] - moved[1]) / 2e-4, rows[row], rtol=1e-5, atol=1e-8)


def test_a_function_of_the_user_equals_the_statistic_it_computes():
    y, x, w = sample(300)

    def spread(values, weights):
        mean = weights @ values / weights.sum()
        return float(weights @ (values - mean) ** 2 / weights.sum())

    given = CustomStatistic(spread, lambda v, u: (v - u @ v / u.sum()) ** 2, "given")
    found = fit(y, x, [spread, given, "variance"], w)
    # A difference quotient of second order in steps of 1e-4.
    np.testing.assert_allclose(found.params[0], found.params[2], rtol=1e-5)
    np.testing.assert_allclose(found.params[1], found.params[2], rtol=1e-12)


def test_a_function_of_the_user_is_called_at_most_a_few_hundred_times():
    y, _, _ = sample(5_000)
    calls = []

    def mean(values, weights):
        calls.append(1)
        return float(weights @ values / weights.sum())

    _, influence = influence_of(parse_statistics(mean), y)
    assert len(calls) < 1_000
    np.testing.assert_allclose(influence[:, 0], y - y.mean(), atol=1e-6)


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    name=st.sampled_from(ALL),
    rule=st.sampled_from([R, STATA]),
    scale=st.floats(1e-6, 1e6),
)
def test_frequency_weights_repeat_rows_and_scale_and_order_are_irrelevant(seed, name, rule, scale):
    rng = np.random.default_rng(seed)
    y, x, w = sample(50, seed)
    y, counts, order = np.round(y, 1) + 0.05, rng.integers(1, 4, 50).astype(float), rng.permutation(50)
    times = counts.astype(int)
    repeated = fit(np.repeat(y, times), np.repeat(x, times, axis=0), name, rule=rule)
    np.testing.assert_allclose(fit(y, x, name, rule=rule, counts=counts).base, repeated.base, rtol=1e-9, atol=1e-10)
    weighted = fit(y, x, name, w, rule=rule)
    np.testing.assert_allclose(fit(y, x, name, w * scale, rule=rule).base, weighted.base, rtol=1e-8, atol=1e-9)
    np.testing.assert_allclose(
        fit(y[order], x[order], name, w[order], rule=rule).base, weighted.base, rtol=1e-8, atol=1e-9
    )


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10_000), shift=st.floats(-5, 5), scale=st.floats(0.01, 100))
def test_quantiles_move_with_the_outcome_and_relative_measures_do_not_scale(seed, shift, scale):
    y, x, _ = sample(80, seed)
    for rule in (R, STATA):
        before, after = fit(y, x, "quantile:0.4", rule=rule), fit(shift + scale * y, x, "quantile:0.4", rule=rule)
        expected = scale * before.params[0] + shift * np.array([1.0, 0.0, 0.0])
        np.testing.assert_allclose(after.params[0], expected, rtol=1e-6, atol=1e-6 * scale)
    relative = ["gini", "theil", "mld", "atkinson:0.7", "lorenz:0.3", "interquantile_ratio:0.9,0.1"]
    np.testing.assert_allclose(fit(scale * y, x, relative).params, fit(y, x, relative).params, rtol=1e-6, atol=1e-8)


# RIF regressions ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("rule", [R, STATA])
def test_coefficients_are_the_least_squares_fit_of_the_rif(rule):
    y, x, w = sample()
    built = [one.build(distribution(y, w), rule) for one in parse_statistics(ALL)]
    rif = np.column_stack([one.rif(y) for one in built])
    root = np.sqrt(w)[:, None]
    expected = np.linalg.lstsq(x * root, rif * root, rcond=None)[0].T
    np.testing.assert_allclose(fit_rif(y, x, built, w).params, expected, rtol=1e-9, atol=1e-10)


def test_no_matrix_of_rows_by_quantiles_is_formed():
    y, x, _ = sample(30_000)
    names = [f"quantile:{i / 100}" for i in range(1, 100)]
    fit(y[:500], x[:500], names[:2])
    tracemalloc.start()
    fit(y, x, names)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 30_000 * 99 * 8 / 3, peak


def test_robust_covariance_of_a_known_rif_is_that_of_its_regression():
    y, x, w = sample()
    done = fit(y, x, ["quantile:0.3", "variance"], w)
    got = rif_covariance(done, y, x, w, estimated=False)
    bread = np.linalg.inv(x.T @ (w[:, None] * x))
    for j, one in enumerate(done.recentred):
        scores = x * (w * (one.rif(y) - x @ done.params[j]))[:, None]
        at = slice(3 * (1 + j), 3 * (2 + j))
        np.testing.assert_allclose(got[at, at], bread @ scores.T @ scores @ bread, rtol=1e-9)
    spread = ((done.recentred[0].rif(y) - x @ done.params[0]) ** 2) @ w / (len(y) - 3)
    np.testing.assert_allclose(classical_covariance(done, y, x, w)[3:6, 3:6], spread * bread, rtol=1e-9)


# other software -------------------------------------------------------------------------------------------------------

JANN = {  # R 4.2.2, rifreg 1.1.0 on Jann's data: constant, educ, exper, tenure
    "quantile:0.1": (1.57068068577297, 0.0903250828917151, 0.0169073974906706, 0.00283616568746047),
    "quantile:0.5": (2.44889012214089, 0.0673814032644053, 0.00853640427421361, 0.00826112711429212),
    "quantile:0.9": (2.86614972893918, 0.0820479337241124, 0.00010917036288038, 0.0122370611776255),
    "variance": (0.861448676793349, -0.0366393650161434, -0.0127439840091285, 0.00136063718992822),
}


@pytest.mark.parametrize(
    "name", ["quantile:0.1", "quantile:0.5", "quantile:0.9", "interquantile_range:0.75,0.25", "variance", "gini"]
)
def test_regressions_of_influence_functions_of_r(facts, name):
    rows, log = designs.workers().dropna(subset="lnwage"), facts("rif")
    x = np.column_stack([np.ones(len(rows)), rows[["educ", "exper", "tenure"]]])
    y = rows["lnwage"].to_numpy() if name != "gini" else np.exp(rows["lnwage"].to_numpy())
    done = fit(y, x, [name])
    np.testing.assert_allclose(done.params[0], log[name]["b"], rtol=1e-9, atol=1e-9)
    covariance = rif_covariance(done, y, x, estimated=False) * len(y) / (len(y) - 4)
    np.testing.assert_allclose(np.sqrt(np.diag(covariance))[4:], log[name]["se_hc1"], rtol=1e-6)
    if name == "gini":
        assert done.recentred[0].value == pytest.approx(log["gini_value"], rel=1e-9)


def jann(shared):
    table = pd.read_csv(shared / "refdata" / "jann_oaxaca.csv").dropna(subset=["lnwage"])
    return table["lnwage"].to_numpy(), np.column_stack([np.ones(len(table)), table[["educ", "exper", "tenure"]]])


def test_rifreg_on_jann_compact(shared):
    y, x = jann(shared)
    np.testing.assert_allclose(fit(y, x, list(JANN)).params, list(JANN.values()), rtol=1e-10, atol=1e-11)


def test_rifreg_on_jann(shared):
    """All statistics; the Gini to the accuracy of R's integrate(), whose tolerance is 1e-4 of the Lorenz curve."""
    y, x = jann(shared)
    results = json.loads((shared / "reference" / "rifreg_jann.json").read_text())["results"]
    cases = {
        "quantiles": (y, [f"quantile:{p}" for p in results["quantiles"]["probs"]], 1e-9),
        "variance": (y, ["variance"], 1e-9),
        "gini": (np.exp(y), ["gini"], 1e-4),
        "interquantile_range": (y, ["interquantile_range:0.75,0.25"], 1e-9),
    }
    for case, (outcome, names, tolerance) in cases.items():
        done = fit(outcome, x, names)
        reference = pd.DataFrame(results[case]["estimates"]).drop(columns=["term", "_row"]).to_numpy(dtype=float).T
        np.testing.assert_allclose(done.params, reference, rtol=tolerance, atol=tolerance, err_msg=case)
        covariance = rif_covariance(done, outcome, x, estimated=False) * len(y) / (len(y) - 4)
        errors = np.sqrt(np.diag(covariance))[4:].reshape(-1, 4)
        expected = [list(row.values()) for row in results[case]["se_hc1"].values()]
        np.testing.assert_allclose(errors, expected, rtol=max(tolerance, 1e-6), err_msg=case)


def test_rifreg_interquantile_ratio_lacks_a_division(shared):
    """The derivative of q9 / q1 in q1 is -q9 / q1^2; rifreg 1.1.0 takes -q9 / q1, seventeen times too much here.

    Its coefficients follow from ours of the two quantiles with that factor. Its 512 points are spread over both
    quantiles, coarser than for one, so that densities agree to about 1e-3.
    """
    y, x = jann(shared)
    wage, constant = np.exp(y), np.array([1.0, 0, 0, 0])
    results = json.loads((shared / "reference" / "rifreg_jann.json").read_text())["results"]["interquantile_ratio"]
    reference = pd.DataFrame(results["estimates"]).drop(columns=["term", "_row"]).to_numpy(dtype=float).ravel()
    done = fit(wage, x, ["quantile:0.1", "quantile:0.9", "interquantile_ratio:0.9,0.1"])
    low, high = (one.value for one in done.recentred[:2])
    influence = done.params[:2] - np.outer([low, high], constant)
    wrong = high / low * constant + influence[1] / low - high / low * influence[0]
    np.testing.assert_allclose(wrong, reference, rtol=5e-3)
    right = high / low * constant + influence[1] / low - high / low**2 * influence[0]
    np.testing.assert_allclose(done.params[2], right, rtol=1e-10)


def men8385(shared, case):
    """Results of rifreg, and the outcome, columns and weights that they were computed on."""
    reference = json.loads((shared / "reference" / f"{case}.json").read_text())
    table = pd.read_parquet(shared / "refdata" / "men8385.parquet")
    y, w = np.log(table["wage"].to_numpy(dtype=float)), table["weights"].to_numpy(dtype=float)
    columns = [np.ones(len(y))]
    for name in ("union", "nonwhite", "married", "education", "experience"):
        levels = reference["data"]["factor_levels"][name]
        columns += [(table[name].astype(str) == level).to_numpy(dtype=float) for level in levels[1:]]
    return reference["results"], y, np.column_stack(columns), w


@pytest.mark.parametrize(
    ("case", "name", "column"),
    [
        ("rifreg_men8385_variance", "variance", "rif_variance"),
        ("rifreg_men8385_interquantile_range", "interquantile_range:0.9,0.1", "rif_iq_range_0.9_0.1"),
    ],
)
def test_rifreg_on_weighted_spread(shared, case, name, column):
    """The variance has no ties; of the range, each end's heap lies on the side where R's rounding leaves it."""
    results, y, x, w = men8385(shared, case)
    expected = pd.DataFrame(results["estimates"])[column].to_numpy(dtype=float)
    own = replace(R, bandwidth=bandwidth(distribution(y), R))
    if name == "variance":
        fits = [fit(y, x, [name], rule=own, counts=w)]
        found = [fits[0].params[0]]
        errors = np.sqrt(np.diag(rif_covariance(fits[0], y, x, w, estimated=False)))[x.shape[1] :]
        factor = np.sqrt(len(y) / (len(y) - x.shape[1]))
        np.testing.assert_allclose(errors * factor, list(results["se_hc1"][column].values()), rtol=1e-6)
    else:
        ends = ["quantile:0.9", "quantile:0.1"]
        fits = [fit(y, x, ends, rule=replace(own, ties=side), counts=w) for side in ("below", "above")]
        found = [high.params[0] - low.params[1] for high in fits for low in fits]
    assert sum(np.allclose(one, expected, rtol=1e-8, atol=1e-10) for one in found) == 1


@pytest.mark.parametrize(
    ("case", "rule"),
    [
        ("rifreg_men8385_deciles_weighted", R),
        ("rifreg_men8385_deciles_bw0065_epan", density_rule("r", bandwidth=0.065, kernel="epanechnikov")),
    ],
)
def test_rifreg_on_weighted_deciles(shared, case, rule):
    """Wages heap on round figures, and which side of a quantile the heap lies on is an accident in the reference.

    Hmisc::wtd.quantile passes values through their names, which have fifteen digits, and interpolates between equal
    values; where this leaves the quantile a little too low, the wages equal to it count as above it. Every decile
    agrees with the heap on one side, and on one side only. Hmisc takes weights for counts of observations; R's
    bandwidth takes no weights at all.
    """
    results, y, x, w = men8385(shared, case)
    k, above = x.shape[1], 0
    names, estimates = [f"quantile:{i / 10}" for i in range(1, 10)], pd.DataFrame(results["estimates"])
    own = replace(rule, bandwidth=bandwidth(distribution(y), rule))
    fits = [fit(y, x, names, rule=replace(own, ties=side), counts=w) for side in ("below", "above")]
    meats = [rif_covariance(one, y, x, w, estimated=False) * len(y) / (len(y) - k) for one in fits]
    for j in range(9):
        column = f"rif_quantile_{(j + 1) / 10:g}"
        expected = estimates[column].to_numpy(dtype=float)
        agree = [np.allclose(one.params[j], expected, rtol=1e-8, atol=1e-10) for one in fits]
        assert sum(agree) == 1, column
        above += agree[1]
        errors = np.sqrt(np.diag(meats[int(agree[1])]))[(1 + j) * k : (2 + j) * k]
        np.testing.assert_allclose(errors, list(results["se_hc1"][column].values()), rtol=1e-6)
    assert 0 < above < 9


# replicates -----------------------------------------------------------------------------------------------------------

DRAWN = ["quantile:0.25", "quantile:0.5", "interquantile_range:0.9,0.1", "interquantile_ratio:0.8,0.2", "gini", "mld"]


def sorted_sample(n, seed=0, digits=None):
    y, x, w = sample(n, seed)
    y = y if digits is None else np.round(y, digits) + 0.01
    order = np.argsort(y, kind="stable")
    return y[order], x[order], w[order]


@pytest.mark.parametrize("rule", [R, STATA, replace(R, bandwidth=0.2)])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize(
    "mass_points", [{"mass_points": "peers"}, {"recentred_at": (0.1, 0.2, 0.25, 0.5, 0.8, 0.9)}], ids=str
)
def test_replicates_equal_fits_with_their_weights(rule, weighted, mass_points):
    """Rows drawn twice count twice; densities of replicates are read from cells, which costs a few in ten thousand."""
    y, x, w = sorted_sample(3_000, digits=2)
    weights, statistics = (w if weighted else None), parse_statistics(DRAWN)
    rule = replace(rule, **mass_points)
    draws = draw_resamples(3_000, 4, rng=1)
    counts = np.array([draws.replicate(i) for i in range(4)])
    got = replicate_rif(distribution(y, weights), x, statistics, counts.astype(np.uint8), rule=rule)
    for r, drawn in enumerate(counts):
        total = drawn if weights is None else drawn * weights
        built = distribution(y, None if weights is None else total, drawn)
        again = fit_rif(y, x, [one.build(built, rule) for one in statistics], total)
        np.testing.assert_allclose(got.means[r], again.slopes.mean, rtol=1e-11)
        scale = np.abs(again.params).max(axis=1, keepdims=True)
        np.testing.assert_allclose(got.params[r] / scale, again.params / scale, atol=2e-3)
        np.testing.assert_allclose(got.params[r, 4:], again.params[4:], rtol=1e-9, atol=1e-12)


def test_replicates_in_which_every_row_counts_once_are_the_estimate():
    y, x, w = sorted_sample(5_000)
    for rule in (R, STATA):
        once = replicate_rif(distribution(y, w), x, parse_statistics(DRAWN), np.ones((2, 5_000), np.uint8), rule=rule)
        expected = fit(y, x, DRAWN, w, rule=rule)
        np.testing.assert_allclose(once.params[1], expected.params, rtol=1e-9, atol=1e-11)


def test_weights_of_replicates_may_differ():
    y, x, w = sorted_sample(800)
    other = np.vstack([w, w[::-1]])
    got = replicate_rif(distribution(y, w), x, parse_statistics("variance"), np.ones((2, 800)), rule=R, weights=other)
    np.testing.assert_allclose(got.params[1], fit(y, x, "variance", w[::-1]).params, rtol=1e-10)


def test_analytic_errors_agree_with_the_bootstrap_and_naive_ones_do_not():
    """Within Monte Carlo error, 4 / sqrt(2 R) of 400 draws; a RIF taken as known misses by much more at the median."""
    y, x, _ = sorted_sample(3_000, seed=5)
    y = np.log(y)
    names = ["quantile:0.25", "quantile:0.5", "quantile:0.75", "variance"]
    draws = draw_resamples(3_000, 400, rng=2)
    counts = np.array([draws.replicate(i) for i in range(400)]).astype(np.uint8)
    drawn = replicate_rif(distribution(y), x, parse_statistics(names), counts, rule=R).params.std(axis=0, ddof=1)
    done = fit(y, x, names)
    full, naive = (
        np.sqrt(np.diag(rif_covariance(done, y, x, estimated=estimated)))[3:].reshape(-1, 3)
        for estimated in (True, False)
    )
    np.testing.assert_allclose(drawn / full, 1.0, atol=4 / np.sqrt(800))
    assert (drawn / naive)[1, 1] > 1.25


# bad input ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "probs", "words"),
    [
        ("quantil", (0.5,), "Did you mean 'quantile'"),
        ("quantile", (1.2,), "1.2 is no probability"),
        ("quantile", (0.0,), "0 is no probability"),
        ("quantile:50", (0.5,), "50 is no probability"),
        ("atkinson", (0.5,), "needs a number"),
        ("atkinson:-1", (0.5,), "must be positive"),
        ("share_below:x", (0.5,), "is no number"),
        ("share_below", (0.5,), "needs a line"),
        ("gini:2", (0.5,), "takes no parameter"),
        ("interquantile_range", (0.5,), "two different probabilities"),
        (["gini", "gini"], (0.5,), "asked for twice"),
        ([], (0.5,), "no statistic"),
        (3, (0.5,), "neither a name nor a function"),
    ],
)
def test_statistics_that_do_not_exist(given, probs, words):
    with pytest.raises(OptionError, match=words):
        parse_statistics(given, probs)


def test_every_name_is_known():
    parameters = {"atkinson": ":0.5", "share_below": ":1"}
    named = parse_statistics([name + parameters.get(name, "") for name in STATISTICS], probs=(0.2, 0.8))
    assert {one.family for one in named} == set(STATISTICS)
    assert [one.name for one in parse_statistics(["atkinson(0.5)", "share_below(0.6 median)"])] == [
        "atkinson(0.5)", "share_below(0.6 median)"
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "y", "words"),
    [
        ("quantile:0.5", np.full(20, 2.0), "same in all rows"),
        ("standard_deviation", np.full(20, 2.0), "same in all rows"),
        ("theil", np.array([1.0, 0.0, -2.0]), "2 of 3 are zero or negative"),
        ("gini", np.array([-1.0, -2.0]), "must be positive"),
        ("interquantile_ratio:0.9,0.1", np.arange(-5.0, 5.0), "needs a positive one"),
        (lambda y, w: float("nan"), np.arange(5.0), "returned nan"),
        (CustomStatistic(lambda y, w: 1.0, lambda y, w: y[:2], "short"), np.arange(5.0), "for each of 5 rows"),
    ],
)
def test_outcomes_that_a_statistic_cannot_take(name, y, words):
    with pytest.raises(DataError, match=words):
        influence_of(parse_statistics(name), y)


def test_a_density_of_zero_is_an_error_that_names_the_quantile():
    y = np.array([0.0] * 10 + [10.0] * 10)
    with pytest.raises(DataError, match=r"density at the quantile 0\.5 \(5\) is zero"):
        influence_of(parse_statistics("quantile:0.5"), y, rule=density_rule("stata", bandwidth=0.1))


def test_weights_that_cannot_be():
    for weights, words in ((np.zeros(3), "add up to zero"), (np.array([1.0, -1, 1]), "negative")):
        with pytest.raises(DataError, match=words):
            distribution(np.arange(3.0), weights)
    with pytest.raises(DataError, match="finite"):
        distribution(np.array([1.0, np.nan]))


def test_conventions_that_do_not_exist():
    with pytest.raises(OptionError, match="Did you mean 'stata'"):
        density_rule("Stata")
    with pytest.raises(OptionError, match="must be positive"):
        density_rule("r", bandwidth=-1.0)
    with pytest.raises(OptionError, match="kernel"):
        density_rule("r", kernel="box")
