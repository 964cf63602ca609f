"""Where decompositions change their mind: thresholds from both sides, and small kernels against their formulas."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import wagegap as wg
from wagegap.decomposition.distributions.functional import curve_tests, uniform_critical, zero_test
from wagegap.decomposition.distributions.mass_points import GroupMass, notes_on_mass_points
from wagegap.decomposition.distributions.reweighting import parse_trim
from wagegap.decomposition.distributions.statistics import (
    DENSITY_RULES,
    MassPoint,
    bandwidth,
    density_at,
    distribution,
    quantile,
    recentres,
    share_out,
)
from wagegap.decomposition.parts import REWEIGHTED, SPLIT, THREEFOLD, THREEFOLD_REVERSE, TWOFOLD
from wagegap.decomposition.rates.dasgupta import decompose_rates
from wagegap.decomposition.rates.switching import Side, SwitchPlan, match_draws, match_quantiles, switch_parts
from wagegap.errors import FewClustersWarning, IdentificationError, MassPointWarning, OptionError

R, STATA = DENSITY_RULES["r"], DENSITY_RULES["stata"]


def two_groups(n, seed=0):
    rng = np.random.default_rng(seed)
    data = pd.DataFrame({"g": np.repeat(["one", "two"], n), "x": rng.normal(size=2 * n)})
    return data.assign(y=0.5 * data["x"] + (data["g"] == "one") + rng.normal(size=2 * n))


# mass points ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("tied", "recentred"), [(5, False), (6, False), (7, True)])
def test_more_than_half_a_per_cent_is_a_mass_point(tied, recentred):
    """Of 1,000 rows six at a value are five besides one, .005 and not more."""
    y = np.r_[np.arange(500 - tied // 2), np.full(tied, 600.0), 700 + np.arange(500 - tied + tied // 2)]
    assert len(y) == 1_000
    assert bool(recentres(distribution(y), 600.0, 0.5, R)) is recentred


def test_a_rule_may_recentre_everywhere_or_nowhere():
    sample = distribution(np.arange(100.0))
    always, never = replace(R, recentred_at=(0.5,)), replace(R, mass_points="peers", recentred_at=(0.5,))
    assert bool(recentres(sample, 49.5, 0.5, always))
    assert not bool(recentres(sample, 49.5, 0.4, always))
    assert not bool(recentres(sample, 49.5, 0.5, never))


@pytest.mark.parametrize(("share", "warns"), [(0.049, False), (0.05, True), (0.051, True)])
def test_five_per_cent_tied_warns(share, warns, recwarn):
    masses = [GroupMass("men", MassPoint("quantile(0.1)", 0.1, 2.0, share, False))]
    notes = notes_on_mass_points(masses, "An effect.", dropped=False, replicated=False)
    assert notes == [f"Mass points: {100 * share:.2g} % of men at quantile(0.1) = 2.", "An effect."]
    assert any(isinstance(one.message, MassPointWarning) for one in recwarn) is warns
    assert notes_on_mass_points([], "An effect.", dropped=False, replicated=False) == []


def test_six_mass_points_are_named_and_the_rest_counted():
    masses = [GroupMass(f"group {i}", MassPoint("quantile(0.1)", 0.1, 2.0, 0.01, False)) for i in range(8)]
    (note,) = notes_on_mass_points([*masses, masses[0]], dropped=False, replicated=False)
    assert "group 5 " in note
    assert "group 6 " not in note
    assert note.endswith("and 2 more.")


def test_effective_observations():
    """W^2 / sum w^2; frequency weights count what they stand for."""
    y = np.arange(4.0)
    assert distribution(y, np.array([1.0, 1, 1, 5])).effective == pytest.approx(64 / 28)
    assert distribution(y, None, np.array([1.0, 1, 1, 5])).effective == pytest.approx(8.0)
    assert distribution(y).effective == 4.0


# quantiles and densities ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("prob", "hmisc", "pctile"), [(0.2, 1.8, 1.5), (0.25, 2.0, 2.0), (0.5, 3.0, 3.0), (0.9, 4.6, 5.0), (0.4, 2.6, 2.5)]
)
def test_quantiles_of_one_to_five(prob, hmisc, pctile):
    sample = distribution(np.array([4.0, 2.0, 5.0, 1.0, 3.0]))
    assert quantile(sample, prob) == pytest.approx(hmisc, rel=1e-14)
    assert quantile(sample, prob, "pctile") == pctile


def test_bandwidth_takes_the_lesser_of_spread_and_interquartile_range():
    y = np.array([0.0, 1.0, 2.0, 3.0, 100.0])
    assert bandwidth(distribution(y), R) == pytest.approx(0.9 * (2 / 1.34) * 5**-0.2, rel=1e-14)
    assert bandwidth(distribution(y), STATA) == pytest.approx(0.9 * (2 / 1.349) * 5**-0.2, rel=1e-14)
    even = np.array([0.0, 0.0, 0.0, 0.0, 1.0])
    assert bandwidth(distribution(even), R) == pytest.approx(0.9 * np.std(even, ddof=1) * 5**-0.2, rel=1e-14)
    wide = np.array([-1.0, -1.0, 1.0, 1.0])
    assert bandwidth(distribution(wide), R) == pytest.approx(0.9 * np.std(wide, ddof=1) * 4**-0.2, rel=1e-14)


def test_kernel_densities_against_their_formulas():
    y, w, h = np.array([0.0, 0.4, 1.0, 3.0]), np.array([1.0, 2.0, 3.0, 2.0]), 0.7
    u = (0.5 - y) / h
    epanechnikov = np.where(np.abs(u) < np.sqrt(5), 0.75 * (1 - u**2 / 5) / np.sqrt(5), 0.0)
    assert density_at(distribution(y, w), 0.5, STATA, h) == pytest.approx(w @ epanechnikov / 8 / h, rel=1e-13)
    # R's is read off 512 points
    assert density_at(distribution(y, w), 0.5, R, h) == pytest.approx(w @ stats.norm.pdf(u) / 8 / h, rel=5e-4)
    steps = np.array([-2.0, -0.5, 0.0, 0.5, 2.0])
    for rule in (R, STATA):
        numeric = (rule.shape(steps + 1e-6) - rule.shape(steps - 1e-6)) / 2e-6
        np.testing.assert_allclose(rule.slope(steps), numeric, atol=1e-8)


def test_weights_are_shared_out_between_neighbours():
    assert share_out(np.array([0.0, 1.75, 3.0]), np.array([1.0, 4.0, 2.0]), 4).tolist() == [1.0, 1.0, 3.0, 2.0]


# tables of signs ------------------------------------------------------------------------------------------------------

M = np.array([[1.0, 2.0], [1.0, 5.0], [1.0, 3.0]])
B = np.array([[0.5, 0.3], [0.2, 0.7], [0.1, 0.4]])


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        (TWOFOLD, {"explained": (M[0] - M[1]) * B[2], "unexplained": M[0] * (B[0] - B[2]) + M[1] * (B[2] - B[1])}),
        (SPLIT, {"explained": (M[0] - M[1]) * B[2], "unexplained_first": M[0] * (B[0] - B[2]),
                 "unexplained_second": M[1] * (B[2] - B[1])}),
        (THREEFOLD, {"endowments": (M[0] - M[1]) * B[1], "coefficients": M[1] * (B[0] - B[1]),
                     "interaction": (M[0] - M[1]) * (B[0] - B[1])}),
        (THREEFOLD_REVERSE, {"endowments": (M[0] - M[1]) * B[0], "coefficients": M[0] * (B[0] - B[1]),
                             "interaction": -(M[0] - M[1]) * (B[0] - B[1])}),
        (REWEIGHTED["A"], {"explained": (M[0] - M[2]) * B[0], "specification_error": M[2] * (B[0] - B[2]),
                           "unexplained": M[1] * (B[2] - B[1]), "reweighting_error": (M[2] - M[1]) * B[2]}),
        (REWEIGHTED["B"], {"explained": (M[2] - M[1]) * B[1], "specification_error": M[2] * (B[2] - B[1]),
                           "unexplained": M[0] * (B[0] - B[2]), "reweighting_error": (M[0] - M[2]) * B[2]}),
    ],
    ids=["twofold", "split", "threefold", "reverse", "reweighted A", "reweighted B"],
)  # fmt: skip
def test_parts_by_their_formulas(parts, expected):
    means = M if "reweighting_error" in expected else M[:2]
    found = parts.evaluate(means, B)
    assert parts.components == ("difference", *expected)
    np.testing.assert_allclose(found[0], M[0] * B[0] - M[1] * B[1])
    for row, values in zip(found[1:], expected.values(), strict=False):
        np.testing.assert_allclose(row, values, atol=1e-15)
    np.testing.assert_allclose(found[len(parts.components) :][:2], [M[0] * B[0], M[1] * B[1]])


# curves ---------------------------------------------------------------------------------------------------------------


def test_uniform_factor_is_the_order_statistic_of_the_largest():
    """Of nine draws the largest |t| are 1, ..., 9: of ten with the sample's the .8 quantile is the eighth."""
    draws = np.column_stack([np.arange(1.0, 10.0), np.zeros(9)]) * [2.0, 1.0]
    errors = np.array([2.0, 1.0])
    for alpha, place in ((0.2, 8), (0.1, 9), (0.05, 9), (0.5, 5)):
        assert uniform_critical(draws, errors, alpha) == place
    assert uniform_critical(draws, np.array([0.0, 0.0]), 0.1) == 0.0
    assert uniform_critical(draws, np.array([2.0, np.nan]), 0.2) == 8


def test_tests_of_a_curve_count_the_sample_among_the_draws():
    draws = np.array([[1.0], [-1.0], [2.0], [-2.0]])
    scale = np.sqrt(np.mean(draws**2) * (1 + 1e-9))
    found = zero_test(np.array([2.0]), draws, "no_effect")
    assert (found.ks_p, found.cms_p) == (3 / 5, 3 / 5)
    assert found.ks == pytest.approx(2.0 / scale, rel=1e-12)
    assert found.cms == pytest.approx(4.0 / scale**2, rel=1e-12)
    assert zero_test(np.array([2.1]), draws, "no_effect").ks_p == 1 / 5
    names = {test.hypothesis: test for test in curve_tests(np.array([-2.1, 0.0]), np.hstack([draws, draws / 9]), 1)}
    assert names["nowhere_negative"].ks_p == 1 / 5
    assert names["nowhere_positive"].ks_p == 1.0
    assert names["constant_effect"].ks_p == 1 / 5


# rates ----------------------------------------------------------------------------------------------------------------


def test_all_orders_are_the_mean_over_orders():
    for k in (1, 2, 3, 4):
        every, listed = SwitchPlan.all_orders(k), SwitchPlan.orders(list(itertools.permutations(range(k))), k)
        place = {tuple(row): i for i, row in enumerate(listed.subsets)}
        np.testing.assert_allclose(every.signs, listed.signs[[place[tuple(row)] for row in every.subsets]], atol=1e-15)


def test_matching_by_quantiles_of_unequal_weights():
    x = np.array([[1.0], [2.0]])
    first = Side.of(x, np.array([1.0, 3.0]), np.ones(1), np.ones((1, 1)))
    second = Side.of(x, np.array([1.0, 1.0]), np.ones(1), np.ones((1, 1)))
    pairs = match_quantiles(first, second)
    assert pairs.first.tolist() == [0, 1, 1]
    assert pairs.second.tolist() == [0, 0, 1]
    assert pairs.weights.tolist() == [0.25, 0.25, 0.5]
    assert pairs.ranks.tolist() == [0.125, 0.375, 0.75]
    part = switch_parts(first, second, pairs, "lpm", SwitchPlan.all_orders(1))
    assert part.tolist() == [0.25]  # 1.75 less 1.5


def test_rows_alike_are_one_and_share_an_influence_by_weight():
    x = np.array([[2.0, 0.0], [1.0, 1.0], [2.0, 0.0], [0.0, 2.0]])
    side = Side.of(x, np.array([1.0, 1.0, 3.0, 2.0]), np.array([1.0, 1.0]), np.eye(2))
    assert side.x.tolist() == [[0.0, 2.0], [1.0, 1.0], [2.0, 0.0]]  # equal index: by their regressors
    assert side.weights.tolist() == [2.0, 1.0, 4.0]
    assert side.counts.tolist() == [1, 1, 2]
    assert side.observations == 4
    assert side.is_weighted
    assert side.of_rows(np.array([[2.0], [1.0], [8.0]])).ravel().tolist() == [2.0, 1.0, 6.0, 2.0]
    counted = Side.of(x, np.array([1.0, 1.0, 3.0, 2.0]), np.ones(2), np.eye(2), np.array([1.0, 1.0, 3.0, 2.0]))
    assert counted.counts.tolist() == [2, 1, 4]
    assert not counted.is_weighted


def test_drawn_matches_are_in_order_and_as_many_as_the_smaller_group():
    side = Side.of(np.arange(3.0)[:, None], np.ones(3), np.ones(1), np.ones((1, 1)))
    large = Side.of(np.arange(9.0)[:, None], np.ones(9), np.ones(1), np.ones((1, 1)))
    pairs = match_draws(side, large, 4, 1)
    assert pairs.first.tolist() == [0, 1, 2] * 4
    drawn = pairs.second.reshape(4, 3)
    assert (np.diff(drawn, axis=1) > 0).all()
    assert set(drawn.ravel().tolist()) <= set(range(9))
    np.testing.assert_allclose(pairs.weights, 1 / 12)
    np.testing.assert_allclose(pairs.ranks, np.tile([1 / 6, 3 / 6, 5 / 6], 4))


def test_a_cell_that_one_group_lacks_is_composition():
    """Its rate there is the other's: no part of the rates."""
    sizes, rates = np.array([[50.0, 50.0, 0.0], [50.0, 0.0, 50.0]]), np.array([[0.1, 0.2, 0.9], [0.3, 0.9, 0.4]])
    found = decompose_rates(sizes, rates, np.arange(3)[:, None], list(np.arange(3)[:, None]))
    assert found.values[1:] == pytest.approx([0.5 * (0.1 - 0.3), 0.0, 0.0])
    assert found.values[0] == pytest.approx(0.2 * 0.5 - 0.4 * 0.5)
    assert (found.by_rate[0, :, 2] == 0).all()  # nobody there
    assert (found.by_rate[1, :, 1] == 0).all()


def test_errors_of_tables_by_their_formula():
    """Two cells alike in rate and share: no composition nor an error of it, and two binomial rates."""
    table = pd.DataFrame({"g": list("aabb"), "cell": [1, 2] * 2, "n": [20, 20, 45, 45], "rate": [0.25] * 2 + [0.5] * 2})
    gap = wg.kitagawa(table, "rate", "cell", group="g", groups=("a", "b"), size="n", detail="none")
    error = np.sqrt(0.25 * 0.75 / 40 + 0.5 * 0.5 / 90)
    np.testing.assert_allclose(gap.bse, [error, 0.0, error], rtol=1e-12, atol=1e-15)
    np.testing.assert_allclose(gap.levels.bse, [np.sqrt(0.25 * 0.75 / 40), np.sqrt(0.25 / 90)], rtol=1e-12)
    shares = wg.kitagawa(table.assign(n=0.5), "rate", "cell", group="g", groups=("a", "b"), size="n", detail="none")
    assert shares.bse.isna().all()


def test_two_thousand_cells_and_no_more():
    data = pd.DataFrame({"g": ["a", "b"] * 2_001, "cell": np.repeat(np.arange(2_001), 2), "e": [0, 1] * 2_001})
    wg.kitagawa(data[data["cell"] < 2_000], "e", "cell", group="g", groups=("a", "b"), detail="none")
    with pytest.raises(OptionError, match="2,001 cells, more than 2,000"):
        wg.kitagawa(data, "e", "cell", group="g", groups=("a", "b"), detail="none")


# samples and shares ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("clusters", [9, 10])
def test_fewer_than_ten_clusters_warn(clusters, recwarn):
    data = two_groups(60).assign(firm=lambda d: np.arange(len(d)) % clusters)
    wg.oaxaca(data, "y ~ x", group="g", groups=("one", "two"), cov="CR1:firm")
    assert any(isinstance(one.message, FewClustersWarning) for one in recwarn) is (clusters < 10)


def test_a_group_needs_more_rows_than_columns():
    data = two_groups(40)
    short = pd.concat([data[data["g"] == "one"], data[data["g"] == "two"].head(3)])
    wg.oaxaca(short, "y ~ x", group="g", groups=("one", "two"), cov="HC0")
    with pytest.raises(IdentificationError, match=r"no more rows than the 2 columns.*two \(2 rows\)"):
        wg.oaxaca(short.drop(short.index[-1]), "y ~ x", group="g", groups=("one", "two"), cov="HC0")


def test_delta_and_fieller_intervals_of_shares_by_their_formulas():
    gap = wg.oaxaca(two_groups(80), "y ~ x", group="g", groups=("one", "two"), detail="none")
    (g, a, _), v = gap.estimates.values, gap.estimates.covariance
    critical = stats.t.isf(0.05, gap.estimates.df[0])
    share = a / g
    error = np.sqrt(v[1, 1] - 2 * share * v[0, 1] + share**2 * v[0, 0]) / abs(g)
    row = gap.shares(alpha=0.1).iloc[1]
    assert row[["share", "std_error"]].tolist() == pytest.approx([share, error], rel=1e-10)
    assert row[["conf_low", "conf_high"]].tolist() == pytest.approx(
        [share - critical * error, share + critical * error]
    )
    assert gap.shares().iloc[0][["share", "std_error"]].tolist() == [1.0, 0.0]
    for end in gap.shares(alpha=0.1, method="fieller").iloc[1][["conf_low", "conf_high"]]:
        # the ends are where (a - r g)^2 = c^2 var(a - r g)
        assert (a - end * g) ** 2 == pytest.approx(critical**2 * (v[1, 1] - 2 * end * v[0, 1] + end**2 * v[0, 0]))


@pytest.mark.parametrize(("gap", "has_shares"), [(3e-12, True), (3e-13, False)])
def test_a_gap_is_zero_at_twelve_digits_of_its_parts(gap, has_shares):
    x = np.r_[np.tile([0.0, 2.0], 60), np.tile([1.0, 3.0], 60)]
    data = pd.DataFrame({"x": x, "g": np.repeat(["one", "two"], 120)})
    data["y"] = x + np.tile([0.1, 0.1, -0.1, -0.1], 60) + np.where(data["g"] == "one", 1.0 + gap, 0.0) - 1.5
    found = wg.oaxaca(data, "y ~ x", group="g", groups=("one", "two"), detail="none")
    assert found.tidy()["share"].notna().all() == has_shares


@pytest.mark.parametrize("trim", ["crump:0.5", "crump:0", "share:1", "share:0", "crump:nan"])
def test_bounds_of_trimming_are_open(trim):
    with pytest.raises(OptionError, match="write 'none'"):
        parse_trim(trim)
    assert parse_trim("crump:0.499").bound == 0.499
    assert parse_trim("share:0.999").bound == 0.999
