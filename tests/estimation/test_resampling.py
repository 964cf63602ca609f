"""Resamples are what they say, the same in any order and on any threads; cross-products equal weighted rows."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

import wagegap as wg
from wagegap.errors import CovarianceError, DataError, JoinError, OptionError
from wagegap.estimation.covariance import resampling
from wagegap.estimation.covariance.options import Bootstrap
from wagegap.estimation.covariance.replication import (
    ReplicateWeights,
    bootstrap_weights,
)
from wagegap.estimation.covariance.resampling import (
    GivenWeights,
    draw_resamples,
    map_in_order,
    replicate_moments,
    solve_replicates,
    unpack_moments,
)
from wagegap.estimation.covariance.sources import replicate_source, source_of_values
from wagegap.estimation.estimates import join
from wagegap.estimation.least_squares.lstsq import fit_lstsq

BLOCK = resampling._BLOCK


def multipliers(draws):
    """Multipliers of every unit in every replicate, shape (R, N)."""
    return np.array([draws.replicate(i) for i in range(draws.reps)])


def columns(n, seed=0, p=4):
    rng = np.random.default_rng(seed)
    z = rng.normal(size=(n, p))
    z[:, 0] = 1.0
    return z


def by_rows(z, weights):
    """Cross-products under each set of weights, shape (R, p, p), one after the other."""
    return np.array([(z * w[:, None]).T @ z for w in weights])


# The draws


def test_counts_are_multinomial():
    """Means, variances and covariances of N draws from N, each within five Monte Carlo errors."""
    n, reps = 12, 20_000
    counts = multipliers(draw_resamples(n, reps, rng=1))
    assert (counts.sum(axis=1) == n).all()
    assert (counts == np.round(counts)).all()
    variance = 1 - 1 / n
    assert np.abs(counts.mean(axis=0) - 1).max() < 5 * np.sqrt(variance / reps)
    covariance = np.cov(counts.T)
    expected = np.full((n, n), -1 / n) + np.eye(n)
    assert np.abs(covariance - expected).max() < 5 * np.sqrt(3 / reps)  # the fourth moment of a count is below 4
    times = np.bincount(counts[:, 0].astype(int), minlength=n + 1)
    chances = stats.binom.pmf(np.arange(n + 1), n, 1 / n) * reps
    pooled = [np.append(x[:5], x[5:].sum()) for x in (times, chances)]
    assert stats.chisquare(*pooled).pvalue > 1e-4


def test_every_pair_of_counts_of_three_units_has_its_multinomial_chance():
    reps = 40_000
    counts = multipliers(draw_resamples(3, reps, rng=7)).astype(int)
    seen = np.bincount(counts[:, 0] * 4 + counts[:, 1], minlength=16)
    chance = stats.multinomial(3, np.full(3, 1 / 3))
    expected = np.array([chance.pmf([a, b, 3 - a - b]) if a + b <= 3 else 0.0 for a in range(4) for b in range(4)])
    assert (seen[expected == 0] == 0).all()
    assert stats.chisquare(seen[expected > 0], expected[expected > 0] * reps).pvalue > 1e-4


def test_counts_are_multinomial_across_blocks():
    """Totals of blocks vary and covary as those of one multinomial; each replicate has N draws in all."""
    n, reps = 2 * BLOCK + 100, 400
    draws = draw_resamples(n, reps, rng=2)
    totals = np.column_stack([draws.block(k, 0, reps).sum(axis=1, dtype=int) for k in range(3)])
    assert (totals.sum(axis=1) == n).all()
    share = np.array([BLOCK, BLOCK, 100]) / n
    expected = n * (np.diag(share) - np.outer(share, share))
    assert np.abs((totals.mean(axis=0) - n * share) / np.sqrt(np.diag(expected) / reps)).max() < 5
    scale = np.sqrt(np.outer(np.diag(expected), np.diag(expected)))
    assert np.abs((np.cov(totals.T) - expected) / scale).max() < 5 * np.sqrt(2 / reps)
    first = draws.block(0, 0, reps)
    assert abs(first.mean(axis=0).std() * np.sqrt(reps) - 1) < 5 / np.sqrt(2 * BLOCK)
    chances = np.bincount(first.ravel(), minlength=12)[:5] / first.size
    np.testing.assert_allclose(chances, stats.poisson.pmf(np.arange(5), 1.0), rtol=0.01)


@settings(max_examples=30, deadline=None)
@given(
    sizes=st.lists(st.integers(1, 40), min_size=1, max_size=12),
    seed=st.integers(0, 2**32),
    shuffled=st.booleans(),
    large=st.booleans(),
)
def test_every_stratum_draws_as_many_units_as_it_has(sizes, seed, shuffled, large):
    sizes = [*sizes, BLOCK + 17, 5] if large else sizes
    strata = np.repeat(np.arange(len(sizes)), sizes)
    if shuffled:
        strata = np.random.default_rng(seed).permutation(strata)
    counts = multipliers(draw_resamples(len(strata), 3, strata=strata, rng=seed))
    for row in counts:
        assert np.bincount(strata, weights=row).tolist() == sizes


def test_counts_within_a_stratum_are_multinomial():
    strata = np.array([0, 1, 1, 1, 0, 2])
    reps = 20_000
    counts = multipliers(draw_resamples(6, reps, strata=strata, rng=3))
    assert (counts[:, 5] == 1).all()
    within = np.cov(counts[:, [1, 2, 3]].T)
    assert np.abs(within - (np.eye(3) - 1 / 3)).max() < 5 * np.sqrt(3 / reps)
    assert abs(np.cov(counts[:, 0], counts[:, 1])[0, 1]) < 5 * np.sqrt(1 / reps)


def test_strata_of_any_integers_are_sorted():
    strata = np.array([5, 2, 5, 2, 2], dtype=np.uint8)
    counts = multipliers(draw_resamples(5, 9, strata=strata, rng=1))
    assert (counts[:, strata == 5].sum(axis=1) == 2).all()


def test_one_stratum_is_none():
    plain, one = (draw_resamples(50, 4, strata=s, rng=1) for s in (None, np.full(50, 3)))
    np.testing.assert_array_equal(multipliers(plain), multipliers(one))


def test_bayesian_weights_are_exponential():
    draws = draw_resamples(BLOCK + 50, 20, kind="bayesian", rng=4)
    weights = multipliers(draws)
    assert (weights > 0).all()
    assert stats.kstest(weights[:, ::7].ravel(), "expon").pvalue > 1e-4
    assert np.abs(np.corrcoef(weights)[~np.eye(20, dtype=bool)]).max() < 5 / np.sqrt(BLOCK)


@pytest.mark.parametrize("kind", ["pairs", "bayesian"])
@pytest.mark.parametrize("strata", [None, "interleaved"])
def test_a_number_depends_on_seed_replicate_and_unit_alone(kind, strata):
    n = BLOCK + 300
    strata = None if strata is None else np.arange(n) % 3
    few, many = (draw_resamples(n, reps, kind=kind, strata=strata, rng=5) for reps in (3, 9))
    np.testing.assert_array_equal(multipliers(few), multipliers(many)[:3])
    order = np.arange(n) if many.order is None else many.order
    for first, last in ((0, 9), (4, 6), (8, 9)):
        drawn = np.hstack([many.block(k, first, last) for k in range(2)])
        np.testing.assert_array_equal(drawn, multipliers(many)[first:last][:, order])
    again, other = (draw_resamples(n, 3, kind=kind, strata=strata, rng=seed) for seed in (5, 6))
    np.testing.assert_array_equal(multipliers(few), multipliers(again))
    assert (multipliers(few) != multipliers(other)).any()


def test_a_generator_is_moved_on_and_a_seed_is_not():
    rng = np.random.default_rng(1)
    first, second = (draw_resamples(20, 2, rng=rng) for _ in range(2))
    assert first.seed != second.seed
    assert first.seed == draw_resamples(20, 2, rng=1).seed == draw_resamples(20, 2, rng=np.random.default_rng(1)).seed


# Cross-products


@pytest.fixture
def small_pieces(monkeypatch):
    """Process few rows and few replicates at a time; the draws do not change."""
    monkeypatch.setattr(resampling, "_ROWS", 37)
    monkeypatch.setattr(resampling, "_AT_ONCE", 3 * 300)


@pytest.mark.parametrize("layout", ["C", "F"])
@pytest.mark.parametrize("kind", ["pairs", "bayesian"])
@pytest.mark.parametrize("weighted", [False, True])
def test_moments_equal_weighted_rows(kind, weighted, layout):
    n = BLOCK + 700
    z = np.asarray(columns(n), order=layout)
    weights = np.random.default_rng(9).random(n) if weighted else None
    draws = draw_resamples(n, 6, kind=kind, rng=1)
    expected = by_rows(z, multipliers(draws) * (1.0 if weights is None else weights))
    found = unpack_moments(replicate_moments(z, draws, weights=weights))
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-12 * n)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**32), n_units=st.integers(1, 60), n_cells=st.integers(1, 4), stratified=st.booleans())
def test_moments_of_clusters_and_cells_equal_weighted_rows(seed, n_units, n_cells, stratified):
    rng = np.random.default_rng(seed)
    n = 200
    units, cells = rng.integers(n_units, size=n), rng.integers(n_cells, size=n)
    cells[:n_cells] = np.arange(n_cells)
    z, weights = columns(n, seed), rng.random(n)
    strata = rng.integers(3, size=n_units) if stratified else None
    draws = draw_resamples(n_units, 5, strata=strata, rng=seed)
    found = replicate_moments(z, draws, units=units, weights=weights, cells=cells)
    drawn = multipliers(draws)[:, units] * weights
    for c in range(n_cells):
        expected = by_rows(z, drawn * (cells == c))
        np.testing.assert_allclose(unpack_moments(found[c]), expected, rtol=1e-12, atol=1e-11)


def test_the_cluster_route_equals_the_row_route():
    """Sums within clusters first, or the multiplier of its cluster for every row."""
    rng = np.random.default_rng(1)
    units = rng.integers(40, size=3000)
    z = columns(3000)
    draws = draw_resamples(40, 8, rng=2)
    rows = GivenWeights(multipliers(draws)[:, units].T)
    np.testing.assert_allclose(
        replicate_moments(z, draws, units=units), replicate_moments(z, rows), rtol=1e-12, atol=1e-9
    )


def test_moments_do_not_depend_on_workers():
    n = 3 * BLOCK
    z = columns(n)
    draws = draw_resamples(n, 10, rng=1)
    cells = np.arange(n) % 2
    one, two, five = (replicate_moments(z, draws, cells=cells, workers=w) for w in (1, 2, 5))
    np.testing.assert_array_equal(one, two)
    np.testing.assert_array_equal(one, five)


def test_moments_do_not_depend_on_what_is_held_at_once(request):
    n = 300
    z = columns(n)
    draws = draw_resamples(n, 10, rng=1)
    whole = replicate_moments(z, draws)
    request.getfixturevalue("small_pieces")
    assert len(list(resampling._spans(draws))) == 4
    np.testing.assert_allclose(replicate_moments(z, draws), whole, rtol=1e-13, atol=1e-11)
    units = np.arange(n) % 20
    few = draw_resamples(20, 10, rng=1)
    np.testing.assert_allclose(
        unpack_moments(replicate_moments(z, few, units=units)), by_rows(z, multipliers(few)[:, units]), rtol=1e-12,
        atol=1e-11,
    )  # fmt: skip


def test_the_order_of_rows_does_not_matter():
    rng = np.random.default_rng(3)
    n, again = 2000, np.random.default_rng(4).permutation(2000)
    units, cells, z, w = rng.integers(500, size=n), rng.integers(3, size=n), columns(n), rng.random(n)
    draws = draw_resamples(500, 7, rng=1)
    here = replicate_moments(z, draws, units=units, cells=cells, weights=w)
    there = replicate_moments(z[again], draws, units=units[again], cells=cells[again], weights=w[again])
    np.testing.assert_allclose(here, there, rtol=1e-12, atol=1e-10)


def test_some_rows_of_a_panel_have_the_draws_of_the_panel():
    n = 2 * BLOCK
    z, draws = columns(n), draw_resamples(n, 4, rng=1)
    rows = np.flatnonzero(np.random.default_rng(1).random(n) < 0.1)
    found = unpack_moments(replicate_moments(z[rows], draws, units=rows))
    np.testing.assert_allclose(found, by_rows(z[rows], multipliers(draws)[:, rows]), rtol=1e-12, atol=1e-9)


def test_given_weights_stand_in_place_of_weights():
    z = columns(500)
    weights = np.random.default_rng(1).random((500, 7))
    found = unpack_moments(replicate_moments(z, GivenWeights(weights)))
    np.testing.assert_allclose(found, by_rows(z, weights.T), rtol=1e-12, atol=1e-12)


# Solutions


def test_solutions_equal_weighted_least_squares():
    n = 900
    z = columns(n, p=6)
    z[:, 5] += z[:, 1]
    draws = draw_resamples(n, 12, rng=1)
    moments = unpack_moments(replicate_moments(z, draws))
    found = solve_replicates(moments[:, :5, :5], moments[:, :5, 5])
    for i in range(12):
        weights = draws.replicate(i)
        some = weights > 0
        fit = fit_lstsq(z[some, 5], z[some, :5], weights[some])
        np.testing.assert_allclose(found[i], fit.params, rtol=1e-10, atol=1e-12)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**32), k=st.integers(1, 60), exponent=st.integers(-6, 6))
def test_solutions_do_not_depend_on_units_of_columns(seed, k, exponent):
    rng = np.random.default_rng(seed)
    x, y = rng.normal(size=(3, k + 20, k)), rng.normal(size=(3, k + 20, 2))
    scale = 10.0 ** (rng.integers(-1, 2, size=k) * exponent)
    plain, scaled = (solve_replicates(np.swapaxes(a, 1, 2) @ a, np.swapaxes(a, 1, 2) @ y) for a in (x, x * scale))
    assert plain.shape == (3, k, 2)
    np.testing.assert_allclose(scaled * scale[:, None], plain, rtol=1e-8, atol=1e-10)


@pytest.mark.parametrize("exact", [True, False])
def test_a_singular_replicate_is_named(exact):
    x = columns(50, p=3)[None].repeat(4, axis=0)
    x[2, :, 2] = x[2, :, 1] * 3.0 + (0.0 if exact else 1e-7 * x[0, :, 2])
    products = np.swapaxes(x, 1, 2) @ x
    with pytest.raises(CovarianceError, match=r"replicate 3 of 4 of KOR cannot be fitted \(as 1 in all\): column 'ai'"):
        solve_replicates(products, products[:, :, 0], sample="KOR", columns=("1", "x", "ai"))


def test_a_column_without_rows_in_a_replicate_is_named():
    z = columns(40, p=3)
    z[:, 1] = np.arange(40) < 3
    weights = np.ones((40, 2))
    weights[:3, 1] = 0.0
    moments = unpack_moments(replicate_moments(z, GivenWeights(weights)))
    with pytest.raises(CovarianceError, match=r"replicate 2 of 2 cannot be fitted .* column number 2 has no rows"):
        solve_replicates(moments[:, :2, :2], moments[:, :2, 2])


def test_missing_values_are_not_called_collinear():
    with pytest.raises(DataError, match="of USA are not finite"):
        solve_replicates(np.full((2, 2, 2), np.nan), np.ones((2, 2)), sample="USA")


# Replicates of a panel


def test_weights_of_a_replicate_are_those_of_the_moments():
    rng = np.random.default_rng(0)
    units = rng.integers(60, size=500).astype(np.int32)
    rows = np.flatnonzero(rng.random(500) < 0.7)
    weights, z = rng.random(len(rows)), columns(len(rows))
    replicates = bootstrap_weights(units, rows, weights, "data", reps=15, rng=1)
    expected = by_rows(z, np.array(list(replicates)))
    np.testing.assert_allclose(unpack_moments(replicates.moments(z)), expected, rtol=1e-12, atol=1e-12)
    fixed = ReplicateWeights(GivenWeights(rng.random((500, 4))), None, None, np.ones(4), "JK2", "data")
    np.testing.assert_allclose(
        unpack_moments(fixed.moments(columns(500))), by_rows(columns(500), np.array(list(fixed))), rtol=1e-12
    )


def test_strata_are_part_of_a_design():
    units = np.arange(40, dtype=np.int32)
    strata = (units >= 25).astype(np.int32)
    plain, within, other = (
        bootstrap_weights(units, units, None, "data", strata=s, reps=9, rng=1) for s in (None, strata, 1 - strata)
    )
    assert len({plain.design, within.design, other.design}) == 3
    assert [w[:25].sum() for w in within] == [25.0] * 9
    with pytest.raises(CovarianceError, match="1 of 20 units have rows in several strata"):
        bootstrap_weights(units // 2, units, None, "data", strata=strata, reps=9, rng=1)


def test_roots_of_refits_and_of_moments_are_the_same_on_any_threads():
    n = 400
    z, units = columns(n), np.arange(n, dtype=np.int32)
    replicates = bootstrap_weights(units, units, None, "data", reps=25, rng=3)

    def refit(weights):
        return solve_replicates(*_normal(by_rows(z, weights[None])))

    estimate = refit(np.ones(n))
    one, three = (replicate_source(estimate, refit, replace(replicates, workers=w), [""], [units]) for w in (1, 3))
    np.testing.assert_array_equal(one.deviations, three.deviations)
    values = solve_replicates(*_normal(unpack_moments(replicates.moments(z))))
    batched = source_of_values(estimate, values[:, None, :], replicates, [""], [units])
    np.testing.assert_allclose(batched.deviations, one.deviations, rtol=1e-9, atol=1e-13)
    assert batched.relates(one)
    assert batched.keys == one.keys


def _normal(moments):
    return moments[:, :-1, :-1], moments[:, :-1, -1]


def test_a_replicate_that_leaves_a_cell_undetermined_is_named():
    units = np.arange(10, dtype=np.int32)
    replicates = bootstrap_weights(units, units, None, "data", reps=4, rng=1)
    values = np.ones((4, 3, 2))
    values[2, 1, 0] = np.nan
    with pytest.raises(CovarianceError, match=r"replicate 3 of 4 cannot be fitted in 1 of 3 cells \(numbers 1\)"):
        source_of_values(np.ones((3, 2)), values, replicates, ["", "", ""], [units, units, units])


def test_results_of_one_bootstrap_are_joined():
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"s": rng.integers(2, size=300), "x": rng.normal(size=300), "iso": ["KOR", "USA"] * 150})
    frame["pay"] = np.exp(0.2 * frame["s"] + 0.3 * frame["x"] + rng.normal(size=300))
    panel = wg.read_panel(frame.assign(t=frame["s"]), country="iso")
    first, second, other = (
        wg.fit_premiums(panel, f"log(pay) ~ {term} + x", premium=term, cov=Bootstrap(60, rng=seed)).estimates
        for term, seed in (("s", 1), ("t", 1), ("t", 2))
    )
    covariance = join(first, second).covariance
    np.testing.assert_allclose(covariance[:2, 2:], covariance[:2, :2], rtol=1e-10, atol=1e-15)
    with pytest.raises(JoinError):
        join(first, other)


# Bad input, progress


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda z: draw_resamples(10, 0), OptionError, "reps=0 must be a whole number"),
        (lambda z: draw_resamples(0, 5), OptionError, "n_units=0"),
        (lambda z: draw_resamples(10, 5, kind="pair"), OptionError, "Did you mean 'pairs'"),
        (lambda z: draw_resamples(10, 5, strata=np.zeros(9)), DataError, "for 10 units"),
        (lambda z: replicate_moments(z, draw_resamples(9, 2)), DataError, "10 rows for 9 resampled units"),
        (lambda z: replicate_moments(z, draw_resamples(9, 2), units=np.arange(10)), DataError, "units 0 to 9"),
        (lambda z: replicate_moments(z, draw_resamples(9, 2), units=np.arange(8)), DataError, "units of 8 rows for 10"),
        (lambda z: replicate_moments(z, draw_resamples(10, 2), cells=np.zeros(3, int)), DataError, "3 cells for 10"),
        (lambda z: replicate_moments(z, draw_resamples(10, 2), workers=0), OptionError, "workers=0"),
    ],
)
def test_bad_input(call, error, words):
    with pytest.raises(error, match=words):
        call(columns(10))


def test_progress_is_told_and_otherwise_silent(capsys):
    z, draws = columns(2 * BLOCK), draw_resamples(2 * BLOCK, 2, rng=1)
    replicate_moments(z, draws)
    assert capsys.readouterr() == ("", "")
    replicate_moments(z, draws, progress=True)
    printed = capsys.readouterr()
    assert printed.out == ""
    assert "blocks: 100%" in printed.err
    assert "2/2" in printed.err


def test_threads_keep_the_order_and_hand_on_errors():
    assert list(map_in_order(lambda i: i * i, range(50), workers=4)) == [i * i for i in range(50)]
    with pytest.raises(ZeroDivisionError):
        list(map_in_order(lambda i: 1 // i, [1, 0, 2], workers=2))


def test_units_that_were_not_drawn_are_refused():
    draws = draw_resamples(4, 3, rng=1)
    rows = np.ones((3, 1))
    for units in ([-1, 0, 1], [0, 1, 4]):
        with pytest.raises(DataError, match="not all among the 4 resampled"):
            replicate_moments(rows, draws, units=np.array(units))
