"""Moments, slopes and sums of squared scores of samples, as arrays, against plain formulas and badly scaled data."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace

import designs
import numpy as np
import pandas as pd
import pytest

from wagegap.errors import CovarianceError
from wagegap.estimation.covariance.groupings import Grouping
from wagegap.estimation.covariance.options import Robust
from wagegap.estimation.covariance.sources import ScoreSource, StatedSource
from wagegap.estimation.least_squares.lstsq import fit_lstsq
from wagegap.estimation.least_squares.mean_slopes import Pooling, fit_samples, point_fits
from wagegap.estimation.least_squares.moments import fit_mean_slopes, row_blocks
from wagegap.estimation.sample import Sample


def data(n=9_000, seed=0):
    """More rows than a block, a constant first, columns of different scale."""
    rng = np.random.default_rng(seed)
    x = np.column_stack([np.ones(n), 1e4 + rng.normal(size=n), rng.gamma(2, 1e-3, size=n), rng.integers(2, size=n)])
    y = x @ np.array([1.0, 0.2, 50.0, -0.3]) + rng.normal(size=n)
    return y, x, rng.gamma(2.0, 1.0, size=n) + 0.1


@pytest.mark.parametrize("weighted", [False, True])
def test_means_slopes_and_bread(weighted):
    y, x, w = data()
    w = w if weighted else None
    fit, exact = fit_mean_slopes(y, x, w), fit_lstsq(y, x, w)
    np.testing.assert_allclose(fit.params, exact.params, rtol=1e-9)
    np.testing.assert_allclose(fit.residuals, exact.residuals, atol=1e-9)
    np.testing.assert_allclose(fit.mean, np.average(x, axis=0, weights=w), rtol=1e-13)
    own = np.ones(len(y)) if w is None else w
    centred = x - fit.mean
    np.testing.assert_allclose(fit.centred, (own[:, None] * centred).T @ centred, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(fit.bread, exact.bread, rtol=1e-6)
    assert fit.total == pytest.approx(own.sum())
    assert (fit.n, fit.collinear) == (len(y), ())
    assert fit.kept.all()


HANDBOOK = (
    "age00 msa ctrlcity north_central south00 west hispanic black sch_10 diploma_hs ged_hs smcol bachelor_col "
    "master_col doctor_col afqtp89 famrspb wkswk_18 yrsmil78_00 pcntpt_22 primary manuf eduheal othind female"
).split()


@pytest.mark.parametrize("model", ["men", "women", "men_other_base", "pooled"])
def test_regressions_of_r(facts, model):
    log = facts("least_squares")[model]
    rows = designs.workers().dropna(subset="lnwage")
    if model != "pooled":
        rows = rows[rows["female"] == (model == "women")]
    levels = [9, *range(1, 9)] if model == "men_other_base" else range(1, 10)
    dummies = [rows["isco"] == level for level in levels][1:]
    others = [rows["female"]] if model == "pooled" else []
    x = np.column_stack([np.ones(len(rows)), rows[["educ", "exper", "tenure"]], *dummies, *others]).astype(float)
    y = rows["lnwage"].to_numpy()
    fit = fit_mean_slopes(y, x)
    variance = fit.residuals @ fit.residuals / (len(y) - x.shape[1])
    assert len(y) == log["n"]
    np.testing.assert_allclose(fit.params, log["b"], rtol=1e-9)
    np.testing.assert_allclose(np.sqrt(variance * np.diag(fit.bread)), log["se"], rtol=1e-9)


def test_regressions_of_the_handbook(shared):
    """Fortin, Lemieux and Firpo (2011), table 2: Stata's log prints seven digits of single-precision numbers.

    Men, women, men with another base, and all with a dummy for women.
    """
    logs = json.loads((shared / "reference" / "stata_flf2011_table2_regressions.json").read_text())["results"]
    table = pd.read_csv(shared / "refdata" / "nlsy00_flf.csv")
    for log, sex in zip(logs, ([0], [1], [0], [0, 1]), strict=True):
        rows = table[table["female"].isin(sex)]
        short = {name.replace("north_central", "north_cent~l"): name for name in HANDBOOK}
        names = [name for name in log["coef"] if name != "_cons"]
        x = np.column_stack([np.ones(len(rows)), rows[[short[name] for name in names]]])
        y = rows["lropc00"].to_numpy(dtype=float)
        fit = fit_mean_slopes(y, x)
        variance = fit.residuals @ fit.residuals / (len(y) - x.shape[1])
        assert len(y) == log["n"]
        order = ["_cons", *names]
        np.testing.assert_allclose(fit.params, [log["coef"][name] for name in order], rtol=2e-6, atol=1e-7)
        np.testing.assert_allclose(
            np.sqrt(variance * np.diag(fit.bread)), [log["se"][name] for name in order], rtol=2e-6, atol=1e-7
        )


def test_without_a_constant():
    y, x, w = data(500)
    x = x[:, 1:]
    fit, exact = fit_mean_slopes(y, x, w), fit_lstsq(y, x, w)
    np.testing.assert_allclose(fit.params, exact.params, rtol=1e-9)
    np.testing.assert_allclose(fit.bread, exact.bread, rtol=1e-7)


def test_nearly_collinear_columns_are_factored():
    """Products keep half the digits of the factorisation; here none would be left."""
    y, x, _ = data(300)
    rng = np.random.default_rng(1)
    x = np.column_stack([x, x[:, 3] + 1e-9 * rng.normal(size=300)])
    fit, exact = fit_mean_slopes(y, x), fit_lstsq(y, x)
    np.testing.assert_array_equal(fit.params, np.where(exact.kept, exact.params, 0))
    powers = np.column_stack([np.linspace(1, 2, 60) ** j for j in range(6)])
    target = powers @ np.arange(1.0, 7.0)
    np.testing.assert_allclose(fit_mean_slopes(target, powers).params, np.arange(1.0, 7.0), rtol=1e-8)


def test_a_column_that_others_make_is_named():
    y, x, w = data(400)
    fit = fit_mean_slopes(y, np.column_stack([x, x[:, 1] - x[:, 3]]), w)
    assert fit.kept.sum() == 4
    assert [found.column for found in fit.collinear] == [4]
    assert fit.params[4] == 0
    np.testing.assert_allclose(fit.params[:4], fit_lstsq(y, x, w).params, rtol=1e-7)
    constant = fit_mean_slopes(y, np.column_stack([x, np.full(400, 3.0)]))
    assert not constant.kept[4]


def test_blocks_cover_every_row_once():
    for n in (1, 4095, 4096, 4097, 10_000):
        rows = np.concatenate([np.arange(n)[block] for block in row_blocks(n)])
        np.testing.assert_array_equal(rows, np.arange(n))


def sample(n=900, weight_kind="sampling"):
    y, x, w = data(n, seed=2)
    rng = np.random.default_rng(3)
    w = rng.integers(1, 4, size=n).astype(float) if weight_kind == "frequency" else w
    groupings = {
        "row": Grouping.from_keys("row", "data", np.arange(n)),
        "firm": Grouping.from_keys("firm", "data", np.arange(n) % 40)
    }  # fmt: skip
    cells = rng.integers(3, size=n).astype(np.int32)
    return Sample(
        y, x, ("Intercept", "a", "b", "c"), (), (), None if weight_kind is None else w, weight_kind, cells,
        ("first", "second", "third"), groupings, "data",
    )  # fmt: skip


POOLINGS = (Pooling(0, 1, True), Pooling(2, 1, False), Pooling(0, 2, True))


@pytest.mark.parametrize("weight_kind", [None, "sampling", "frequency"])
@pytest.mark.parametrize("cov", [Robust("HC0"), Robust("HC1"), Robust("CR1", ("firm",))])
def test_scores_and_sums_give_one_covariance(weight_kind, cov):
    given = sample(weight_kind=weight_kind)
    with_scores = fit_samples(given, POOLINGS, cov=cov, keep_units=True)
    without = fit_samples(given, POOLINGS, cov=cov, keep_units=False)
    assert isinstance(with_scores.source, ScoreSource)
    assert isinstance(without.source, StatedSource)
    first, second = (fits.matrix @ fits.source.covariance() @ fits.matrix.T for fits in (with_scores, without))
    sd = np.sqrt(np.diag(first))
    sd[sd == 0] = 1.0  # of the constant, whose mean is known
    np.testing.assert_allclose(second / np.outer(sd, sd), first / np.outer(sd, sd), atol=1e-11)
    df, df_without = ([fits.source.degrees(row) for row in np.eye(fits.size)] for fits in (with_scores, without))
    np.testing.assert_array_equal(df_without, df)
    np.testing.assert_array_equal(with_scores.values, point_fits(given, POOLINGS).values)


@pytest.mark.parametrize("keep_units", [True, False])
def test_large_means_cost_no_digits(keep_units):
    """Slopes and their errors are those of the centred column, where it is a million times its spread from zero."""
    given = sample()
    far = given.x.copy()
    far[:, 1] = given.x[:, 1] - 1e4 + 1e6
    near = given.x.copy()
    near[:, 1] = far[:, 1] - 1e6
    found = []
    for x in (far, near):
        fits = fit_samples(replace(given, x=x), POOLINGS[:1], cov=Robust("HC1"), keep_units=keep_units)
        v = fits.matrix @ fits.source.covariance() @ fits.matrix.T
        at = np.r_[5:8, 2 * 3 * 4 + 1 : 2 * 3 * 4 + 4]  # slopes of the first sample, and pooled ones
        found.append((fits.values[at], np.sqrt(np.diag(v))[at]))
    np.testing.assert_allclose(found[0][0], found[1][0], rtol=1e-7)
    np.testing.assert_allclose(found[0][1], found[1][1], rtol=1e-7)


def test_scores_add_up_to_nothing():
    fits = fit_samples(sample(), POOLINGS, cov=Robust("HC0"), keep_units=True)
    scores = fits.source.scores.toarray()
    np.testing.assert_allclose(scores.sum(axis=0) / np.abs(scores).sum(axis=0).clip(1e-300), 0, atol=1e-9)


def test_pooled_fits_by_hand():
    given = sample()
    fits = point_fits(given, POOLINGS)
    for p, pooling in enumerate(POOLINGS):
        at = np.isin(given.cells, (pooling.first, pooling.second))
        second = (given.cells == pooling.second)[at, None]
        x = np.hstack([given.x[at], second]) if pooling.indicator else given.x[at]
        exact = fit_lstsq(given.y[at], x, given.weights[at])
        np.testing.assert_allclose(fits.values[fits.pooled_at(p)], exact.params[:4], rtol=1e-8)


@pytest.mark.parametrize("kind", ["HC2", "HC3", "CR2"])
def test_covariances_of_regressions_are_refused(kind):
    with pytest.raises(CovarianceError, match="HC0, HC1, CR0, CR1"):
        fit_samples(sample(), cov=Robust(kind, ("firm",) if kind == "CR2" else ()))


def test_the_kernel_loads_no_frames():
    code = (
        "import sys; import wagegap.estimation.least_squares.moments; "
        "print([m for m in ('pandas', 'statsmodels', 'matplotlib', 'formulaic') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
