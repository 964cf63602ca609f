"""Premiums shrunken before they are moved, and lines that countries are held against: by hand, and calibrated."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import integrate, stats

import wagegap as wg
from wagegap.regression.link.estimators.eiv import eiv_params
from wagegap.regression.link.questions.deviations import line_of, noise_of
from wagegap.regression.link.questions.shrunken import shrunken_premiums

pytestmark = pytest.mark.filterwarnings("ignore::wagegap.errors.ReliabilityWarning")


def table(names, values, variances, term, unit="none"):
    frame = pd.DataFrame({"iso3": names, "b": values, "se": np.sqrt(variances)})
    return wg.Estimates.from_table(frame, std_error="se", term=term, unit=unit)


def linked(p, y, v, v_y=np.nan, *, method="moments", units=("none", "none"), **options):
    """A link of countries with premiums p, rates y and error variances v."""
    names = [f"C{i:02d}" for i in range(len(p))]
    premiums = table(names, p, np.broadcast_to(v, len(p)), "premium", units[1])
    rates = table(names, y, np.broadcast_to(v_y, len(p)), "r", units[0])
    return wg.fit_link("r ~ premium", rates, premiums, method=method, force=True, **options)


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(4)
    v = rng.uniform(0.05, 0.6, 24)
    true = rng.standard_normal(24)
    return true + np.sqrt(v) * rng.standard_normal(24), 1 + 2 * true + 0.5 * rng.standard_normal(24), v


# shrinkage -----------------------------------------------------------------------------------------------------------


def test_with_equal_errors_every_premium_moves_by_one_share_to_the_mean(data):
    p, y, _ = data
    v = 0.3
    values = shrunken_premiums(linked(p, y, v)).values
    share = (values - p.mean()) / (p - p.mean())
    np.testing.assert_allclose(share, share[0], rtol=1e-9)
    # The share is E[s^2 / (s^2 + v)] with log s^2 flat, by quadrature.
    size, square, df = np.var(p), np.sum((p - p.mean()) ** 2), len(p) - 1

    def density(log):
        total = np.exp(log) + v
        return np.exp(-0.5 * (df * np.log(total) + square / total))

    ends = np.log(1e-3 * size), np.log(30 * size)
    whole = integrate.quad(density, *ends, limit=200)[0]
    part = integrate.quad(lambda log: density(log) * np.exp(log) / (np.exp(log) + v), *ends, limit=200)[0]
    # A grid of 32 points against the integral.
    assert share[0] == pytest.approx(part / whole, abs=0.005)


def test_premiums_without_error_stay_where_they_are(data):
    p, y, v = data
    exact = shrunken_premiums(linked(p, y, v, method="ols"))
    np.testing.assert_array_equal(exact.values, p)
    precise = linked(p, y, 1e-10)
    np.testing.assert_allclose(shrunken_premiums(precise).values, p, atol=1e-6)
    answer = precise.predict(country="C00", premium=3.0)
    change = precise.slope * (3.0 - p[0])
    assert answer.change == pytest.approx(change, rel=1e-6)
    # What is left is the interval of the slope.
    low, high = sorted((3.0 - p[0]) * end for end in precise.slope_interval())
    assert (answer.change_low, answer.change_high) == pytest.approx((low, high), rel=1e-5)


def test_the_noisier_of_two_equal_premiums_moves_further(data):
    p, y, v = (part.copy() for part in data)
    p[:2], v[:2] = 2.5, (0.05, 0.6)
    first, second = shrunken_premiums(linked(p, y, v)).values[:2]
    assert p.mean() < second < first < 2.5


def test_error_of_the_rate_goes_with_that_of_the_premium():
    """With a known link between the errors the conditional mean is taken; the matrices are written down here."""
    rng = np.random.default_rng(0)
    n, v, v_y, cross = 30, 0.3, 0.2, 0.15
    p, y = rng.standard_normal(n), rng.standard_normal(n)
    names = [f"C{i}" for i in range(n)]
    joint = np.block([[v_y * np.eye(n), cross * np.eye(n)], [cross * np.eye(n), v * np.eye(n)]])
    frame = pd.DataFrame({"iso3": names * 2, "b": [*y, *p], "term": np.repeat(["r", "premium"], n)})
    both = wg.Estimates.from_table(frame, term="term", vcov=joint)
    link = wg.fit_link("r ~ premium", both.select(term="r"), both.select(term="premium"), method="moments", force=True)
    shrunken = shrunken_premiums(link)
    move, b = shrunken.move(3, 1.0, 0.7), 0.7
    shift = variance = 0.0
    unit, mean = np.eye(n)[3], np.full(n, 1 / n)
    moved = []
    for weight, s in zip(shrunken.spreads.weights, shrunken.spreads.variances[:, 0], strict=True):
        share, ratio = s / (s + v), cross / (s + v)
        predictor = share * unit + (1 - share) * mean
        of_error = ratio * (unit - mean)
        # e_3 - of_error p - b (predictor p - P_3) with p = P + v: sums of P, of v and of e
        on_true, on_v = b * (unit - predictor) - of_error, -b * predictor - of_error
        apart = s * on_true @ on_true + v * on_v @ on_v + v_y + 2 * cross * on_v[3]
        moved.append((weight, b * (1.0 - predictor @ p) - of_error @ p, apart))
        shift += weight * (of_error @ p)
    weights, values, apart = np.array(moved).T
    variance = weights @ apart + weights @ (values - weights @ values) ** 2
    assert move.shift == pytest.approx(shift, rel=1e-9)
    assert move.rate_variance == pytest.approx(variance, rel=1e-9)


def test_prediction_knows_no_units_and_no_order(data):
    p, y, v = data
    link = linked(p, y, v)
    answer = link.predict(country="C03", premium=1.0)
    scaled = linked(100 * p, 10 * y, 1e4 * v).predict(country="C03", premium=100.0)
    assert scaled.change == pytest.approx(10 * answer.change, rel=1e-9)
    assert scaled.low == pytest.approx(10 * answer.low, rel=1e-9)
    order = np.random.default_rng(0).permutation(len(p))
    names = np.array(link.cells.names)[order]
    rates, premiums = table(names, y[order], np.full(24, np.nan), "r"), table(names, p[order], v[order], "premium")
    other = wg.fit_link("r ~ premium", rates, premiums, method="moments", force=True)
    assert other.predict(country="C03", premium=1.0).high == pytest.approx(answer.high, rel=1e-9)


def test_a_share_stays_one(data):
    p, y, v = data
    share = 1 / (1 + np.exp(-y))
    link = linked(p, share, v, units=("share", "log"))
    far = link.predict(country="C00", premium=50.0)
    assert 0.0 <= far.low <= far.rate <= far.high <= 1.0
    assert far.own_rate + far.change_low >= -1e-12
    assert far.own_rate + far.change_high <= 1 + 1e-12
    assert "stays within 0 and 100 per cent" in far.in_words()
    assert far.extrapolates
    held = linked(p, share, 2 * v, units=("share", "log")).outlier("C05")
    assert 0.0 <= held.low <= held.high <= 1.0
    # A difference of shares may be negative, and a net rate per 10,000 anything.
    assert linked(p, share - 0.5, v, units=("share", "log")).cells.bounds == (-1.0, 1.0)
    assert linked(p, share, v, units=("per 10,000", "log")).cells.bounds == (-np.inf, np.inf)


def test_a_slope_that_is_not_settled_gives_the_hull(data):
    p, y, v = data
    link = linked(p, y, 2.4 * v, method="auto")
    assert not link.settled
    answer = link.predict(country="C00", premium=1.0)
    each = [part.predict(country="C00", premium=1.0) for part in link.parts]
    assert np.isnan(answer.rate)
    assert np.isnan(answer.change)
    assert answer.change_low == min(part.change_low for part in each)
    assert answer.change_high == max(part.change_high for part in each)
    assert "not settled" in answer.in_words()
    assert answer.plot().lines
    held, parts = link.outlier("C00"), [part.outlier("C00") for part in link.parts]
    assert (held.low, held.high) == (min(part.low for part in parts), max(part.high for part in parts))
    assert held.p_value == max(part.p_value for part in parts)
    assert "(moments and likelihood together)" in held.in_words()
    assert held.plot().lines


# lines and deviations ------------------------------------------------------------------------------------------------


def test_a_country_is_held_against_the_links_own_line(data):
    p, y, v = data
    link = linked(p, y, v)
    without = link.leave_one_out.set_index("cell")["slope"]
    assert link.outlier("C07").slope == pytest.approx(without["C07"], rel=1e-9)
    unweighted = linked(p, y, v, method="eiv")
    keep = np.arange(24) != 7
    part = unweighted.setup.problem.take(np.flatnonzero(keep))
    assert unweighted.outlier("C07").slope == pytest.approx(eiv_params(part)[part.estimated[0]], rel=1e-9)


def test_the_line_is_linear_in_the_rates(data):
    p, y, v = data
    line = line_of(linked(p, y, v))
    np.testing.assert_allclose(line.of_rates @ y, line.params, rtol=1e-9)
    b = line.slope
    np.testing.assert_allclose(noise_of(line.problem, line.params), b**2 * v)
    # The shares of variance in the squared deviations are those of a projection, where there is no error.
    exact = line_of(linked(p, y, v, 1e-12, method="meta"))
    shares = exact.squares()[1]
    np.testing.assert_allclose(shares.sum(axis=1), 1 - np.diag(exact.problem.x @ exact.of_rates), rtol=1e-9)


def test_spread_beyond_the_line_is_that_of_least_squares_without_errors(data):
    p, y, v = data
    line = line_of(linked(p, y, v, 1e-12, method="meta"))
    x = line.problem.x
    residuals = y - x @ np.linalg.lstsq(x, y, rcond=None)[0]
    assert line.spread() == pytest.approx(residuals @ residuals / 22, rel=1e-9)


def test_outlier_with_equal_errors_is_nearly_the_studentised_residual(data):
    """One variance, and a line without error: what the grid is averaged to is the t of one variance."""
    p, y, _ = data
    link, plain = linked(p, y, 1e-9), linked(p, y, np.nan, method="ols")
    for cell in ("C00", "C05", "C11"):
        one, other = link.outlier(cell), plain.outlier(cell)
        assert one.expected == pytest.approx(other.expected, rel=1e-5)
        assert one.deviation == pytest.approx(other.deviation, rel=0.03)
        assert one.df == pytest.approx(other.df, rel=0.1)


def draw(rng, grows):
    """Countries of the Stack Overflow kind whose rates are looser, and premiums wider, where figures are noisy."""
    v = np.geomspace(0.0004, 0.043, 38)
    wide = np.sqrt(v / v.mean()) if grows else 1.0
    true = 0.125 * wide * rng.standard_normal(38)
    y = 6.4 * true + wide * rng.standard_normal(38)
    return true, true + np.sqrt(v) * rng.standard_normal(38), y, v


@pytest.mark.parametrize("grows", [False, True])
def test_answers_are_calibrated_where_spreads_grow_with_errors(grows):
    """`benchmarks/link_questions.py` runs hundreds of draws of every design."""
    held, p_noisy, p_precise = [], [], []
    for seed in range(60):
        true, p, y, v = draw(np.random.default_rng([seed, grows]), grows)
        if wg.estimation.reliability.reliability(p, np.diag(v)) < 0.5:
            continue
        link = linked(p, y, v)
        low, high = int(p.argmin()), int(p.argmax())
        answer = link.predict(country=link.cells.names[low], premium=link.cells.names[high])
        held.append(answer.change_low <= 6.4 * (true[high] - true[low]) <= answer.change_high)
        p_precise.append(link.outlier("C00").p_value)
        p_noisy.append(link.outlier("C37").p_value)
    n = len(held)
    assert n >= 35
    # .93 less three Monte Carlo errors
    assert np.mean(held) >= 0.93 - 3 * np.sqrt(0.93 * 0.07 / n)
    assert stats.kstest(p_noisy, "uniform").pvalue > 0.01
    assert stats.kstest(p_precise, "uniform").pvalue > 0.01


# pooling, sources, few countries, specifications ---------------------------------------------------------------------


def test_rates_of_unknown_error_move_no_premium(data):
    p, y, v = data
    unknown, other = linked(p, y, v), linked(p, -3 * y, v)
    frame, moved = unknown.pool().tidy(), other.pool().tidy()
    np.testing.assert_allclose(frame["pooled_premium"], moved["pooled_premium"], rtol=1e-12)
    assert frame[["rate_error", "pooled_rate", "pooled_rate_error"]].isna().all(axis=None)
    assert "not pooled" in unknown.pool().in_words()
    # By hand: s^2 / (s^2 + v) of the way from the mean that these weights give.
    weights = 1 / (unknown.fit.sigma2 + v)
    mean = weights @ p / weights.sum()
    np.testing.assert_allclose(frame["pooled_premium"], mean + unknown.fit.sigma2 * weights * (p - mean), rtol=1e-9)
    assert unknown.pool().plot().lines
    known = linked(p, y, v, 0.01).pool().tidy()
    assert known["pooled_rate"].notna().all()


def test_the_shipped_premium_of_iran_keeps_its_sign():
    net = wg.datasets.talent_migration("ai")
    link = wg.fit_link("net_migration ~ premium", net, wg.datasets.country_premiums("stack_overflow"))
    frame = link.pool().tidy().set_index("cell")
    assert frame.loc["IRN", "premium"] < frame.loc["IRN", "pooled_premium"] < 0


def test_pooling_has_the_slope_and_the_spreads_of_its_link(data):
    p, y, v = data
    by = {method: linked(p, y, v, 0.05, method=method).pool().tidy() for method in ("moments", "ml", "eiv")}
    assert not np.allclose(by["moments"]["pooled_premium"], by["ml"]["pooled_premium"], rtol=1e-4)
    assert not np.allclose(by["moments"]["pooled_premium"], by["eiv"]["pooled_premium"], rtol=1e-4)


def test_tests_of_two_slopes_are_counted_apart(data):
    p, y, v = data
    answer = linked(p, y, 2.4 * v, method="auto").few_countries(reps=99)
    assert answer.tests["slope"].value_counts().to_dict() == {
        "naive": 7, "weighted corrected moments": 1, "restricted likelihood": 1,
    }  # fmt: skip
    said = answer.in_words()
    assert "of 7 tests of the naive slope" in said
    assert "the test of the slope by weighted corrected moments" in said
    assert answer.plot().lines


def test_a_swap_says_which_is_subtracted(data):
    p, y, v = data
    link = linked(p, y, v)
    again = table(link.cells.names, p + 0.1 * np.sin(np.arange(24)), v, "premium")
    answer = link.swap(again, names=("one", "other"))
    assert answer.difference == pytest.approx(answer.second.slope - answer.first.slope)
    assert "other minus one" in answer.in_words()


def test_a_swap_of_slopes_that_are_not_settled_gives_the_hull(data):
    p, y, v = data
    link = linked(p, y, 2.4 * v, method="auto")
    again = table(link.cells.names, p + 0.1 * np.sin(np.arange(24)), 2.4 * v, "premium")
    answer = link.swap(again, force=True)
    assert np.isnan(answer.difference)
    ends = []
    for one, other in ((link.moments, answer.second.moments), (link.likelihood, answer.second.likelihood)):
        parts = (other.leave_one_out["slope"] - one.leave_one_out["slope"]).dropna()
        half = stats.t.isf(0.025, len(parts) - 1) * np.sqrt((len(parts) - 1) * np.var(parts))
        ends += [other.slope - one.slope - half, other.slope - one.slope + half]
    assert (answer.low, answer.high) == pytest.approx((min(ends), max(ends)))
    assert answer.plot().lines


@pytest.mark.parametrize("method", ["moments", "ml"])
def test_a_specification_is_the_fit_of_its_method(data, method):
    p, y, v = data
    link = linked(p, y, v, method=method)
    covariates = pd.DataFrame({"iso3": link.cells.names, "w": np.cos(np.arange(24.0))})
    given = link.call.arguments
    curve = wg.specification_curve(
        "r", given["rates"], {"a": given["premiums"]}, data=covariates, controls=["w"], methods=[method], reps=5
    )
    for row in curve.frame.itertuples():
        right = "premium" if row.controls == "none" else "premium + w"
        one = wg.fit_link(f"r ~ {right}", given["rates"], given["premiums"], data=covariates, method=method, force=True)
        assert row.estimate == pytest.approx(one.slope, rel=1e-8)
        assert (row.conf_low, row.conf_high) == pytest.approx(one.slope_interval(), rel=1e-6)
        assert row.p_value == pytest.approx(float(one.pvalues["premium"]), rel=1e-6)


def test_permuted_moments_are_fits_of_permuted_rates(data):
    """The sign that a permuted order is counted with is that of a fit to it, deletions and all."""
    from wagegap.regression.link.estimators.moments import fit_weighted
    from wagegap.regression.link.questions.curve import _Permuted, _weighted

    p, y, v = data
    rng = np.random.default_rng(0)
    orders = np.vstack([np.arange(24), *(rng.permutation(24) for _ in range(3))])
    z = np.ones((24, 1))
    m = np.eye(24) - 1 / 24
    rates = (m @ y)[orders] @ m
    permuted = _Permuted(m, p, rates, np.diag(v), np.zeros((24, 24)), np.full((4, 24), np.nan), z)
    slopes = _weighted(permuted)
    for order in range(4):
        fit = fit_weighted(permuted.problem(order))
        assert slopes.b[order] == pytest.approx(fit.params[0], rel=1e-9)
        assert slopes.error[order] == pytest.approx(np.sqrt(fit.cov[0, 0]), rel=1e-9)
