"""Wild cluster bootstrap: enumeration against published counts, draws against refits, and what it refuses."""

from __future__ import annotations

import time

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import wagegap as wg
from wagegap.errors import ArgumentError, ColumnError, FewClustersWarning, IdentificationError, OptionError
from wagegap.estimation.kernels.lstsq import fit_lstsq
from wagegap.estimation.kernels.wild import MULTIPLIERS, draw_wild, pose

FORMULA = "invest ~ value + capital"
# Of 1,024 sign vectors of Grunfeld's ten firms: ties counted, and strictly larger (own brute force in numpy; pyfixest
# 0.60 and wildboottest 0.3.2 give the strict counts). Counts are exact.
COUNTS = {
    ("value", True): (4, 2),
    ("value", False): (0, 0),
    ("capital", True): (24, 22),
    ("capital", False): (248, 248),
}
T = {"value": 7.27064983181356, "capital": 2.7149150015423715}


@pytest.fixture(scope="module")
def grunfeld():
    from statsmodels.datasets import grunfeld

    frame = grunfeld.load_pandas().data
    return frame[frame["firm"] != "American Steel"].reset_index(drop=True)


@pytest.fixture(scope="module")
def noisy():
    """Weighted rows in 7 clusters, with years that cross them and teams that are nested in them."""
    rng = np.random.default_rng(3)
    frame = pd.DataFrame({"g": rng.integers(0, 7, 90), "year": rng.integers(0, 5, 90), "w": rng.uniform(0.5, 2, 90)})
    frame["team"] = frame["g"] * 2 + rng.integers(0, 2, 90)
    frame["x"], frame["z"] = rng.normal(size=(2, 90))
    frame["y"] = 0.2 * frame["x"] + rng.normal(size=7)[frame["g"]] + rng.normal(size=90)
    return frame


@pytest.mark.parametrize(("name", "restricted"), COUNTS)
def test_enumeration_counts_as_published(grunfeld, name, restricted):
    call = dict(cluster="firm", restricted=restricted)
    tied, strict = (wg.wild_bootstrap(grunfeld, FORMULA, name, ties=ties, **call) for ties in ("count", "strict"))
    assert (len(tied.distribution), tied.enumerated, tied.clusters, tied.nobs) == (1024, True, 10, 200)
    assert (tied.p_value * 1024, strict.p_value * 1024) == COUNTS[name, restricted]
    # Both are double precision; t has the factor of CR1.
    assert tied.statistic == pytest.approx(T[name], rel=1e-10) == tied.estimate / tied.std_error


def test_reference_file_agrees(grunfeld, shared):
    import json

    log = json.loads((shared / "reference" / "wild_bootstrap_and_cross_checks.json").read_text())["results"]
    for (name, restricted), counts in COUNTS.items():
        exact = log[f"exact_WC{'R' if restricted else 'U'}_{name}"]
        assert (exact["p_ge"] * 1024, exact["p_gt"] * 1024) == counts
        assert exact["t"] == pytest.approx(T[name], rel=1e-12)


@pytest.mark.parametrize("effects", [(), ("team",), ("year",), ("team", "year")])
@pytest.mark.parametrize("restricted", [True, False])
@pytest.mark.parametrize("weighted", [True, False])
@pytest.mark.filterwarnings("ignore::wagegap.errors.FewClustersWarning")
@pytest.mark.filterwarnings("ignore:few clusters")
def test_draws_are_those_of_refitting_every_outcome(noisy, effects, restricted, weighted):
    bar = f" | {' + '.join(effects)}" if effects else ""
    found = wg.wild_bootstrap(
        noisy, f"y ~ x + z{bar}", "x - z = 0.1", cluster="g", restricted=restricted,
        weights="w" if weighted else None, weight_kind="sampling" if weighted else None,
    )  # fmt: skip
    weights = noisy["w"].to_numpy() if weighted else None
    dummies = [pd.get_dummies(noisy[name]).to_numpy(dtype=float) for name in effects] or [np.ones((90, 1))]
    x = np.column_stack([noisy["x"], noisy["z"], *dummies])
    slow, own = _by_refitting(noisy, x, weights, restricted)
    # The same numbers from sums by cluster and from rows, in the order of clusters or another: rounding only.
    np.testing.assert_allclose(np.sort(found.distribution / found.statistic), np.sort(slow / own), rtol=1e-6, atol=1e-8)
    flows = wg.fit_flows(noisy, f"y ~ x + z{bar}", family="gaussian", cov="CR1:g",
                         weights="w" if weighted else None)  # fmt: skip
    test = flows.test("x - z = 0.1")
    assert (found.estimate, found.std_error) == pytest.approx((test.estimate[0], test.std_error[0]), rel=1e-8)


def _by_refitting(frame, x, weights, restricted):
    """t of every vector of signs in turn, from fits on the rows with dummies."""
    w = np.ones(len(x)) if weights is None else weights
    y, group = frame["y"].to_numpy(), frame["g"].to_numpy()
    free = fit_lstsq(y, x, weights)
    own = np.nan_to_num(free.params)
    a = free.bread[0] - free.bread[1]
    gap = own[0] - own[1] - 0.1
    b = own - a * gap / (a[0] - a[1]) if restricted else own
    fitted = x @ b
    centre = b[0] - b[1]
    out = []
    for number in range(2**7):
        v = np.array([-1.0 if number // 2**g % 2 == 0 else 1.0 for g in range(7)])[group]
        drawn = fit_lstsq(fitted + v * (y - fitted), x, weights)
        moved = np.nan_to_num(drawn.params)
        scores = np.bincount(group, weights=w * (x @ a) * drawn.residuals)
        out.append((moved[0] - moved[1] - centre) / np.sqrt(scores @ scores))
    scores = np.bincount(group, weights=w * (x @ a) * free.residuals)
    return np.array(out), gap / np.sqrt(scores @ scores)


def test_multipliers_have_mean_zero_and_variance_one():
    for points, chance in MULTIPLIERS.values():
        assert chance.sum() == pytest.approx(1)
        assert points @ chance == pytest.approx(0, abs=1e-15)
        assert points**2 @ chance == pytest.approx(1)


@pytest.mark.parametrize("multipliers", MULTIPLIERS)
def test_random_draws_tend_to_the_enumeration(noisy, multipliers):
    few = noisy[noisy["g"] < 6]
    call = dict(cluster="g", multipliers=multipliers)
    points = len(MULTIPLIERS[multipliers][0])
    every = wg.wild_bootstrap(few, "y ~ x", "x", reps=points**6, **call)
    total = len(every.distribution)
    some = np.mean([
        wg.wild_bootstrap(few, "y ~ x", "x", reps=total - 1, rng=seed, **call).p_value
        for seed in range(20 if total < 1000 else 1)
    ])  # fmt: skip
    draws = (total - 1) * (20 if total < 1000 else 1)
    # Three errors of simulation, and the one that the data add to random draws.
    assert some == pytest.approx(every.p_value, abs=3 * np.sqrt(0.25 / draws) + 1 / total)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000), scale=st.floats(0.01, 100), shift=st.floats(-5, 5))
def test_p_is_free_of_order_names_scale_and_origin(seed, scale, shift):
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame({"g": np.repeat(np.arange(6), 5), "x": rng.normal(size=30)})
    frame["y"] = rng.normal(size=6)[frame["g"]] + rng.normal(size=30)
    other = frame.sample(frac=1, random_state=seed).assign(
        g=lambda d: d["g"].map(dict(enumerate("fbdace"))), x=lambda d: scale * d["x"] + shift
    )
    other["y"] = shift - scale * other["y"]
    first, second = (wg.wild_bootstrap(d.reset_index(drop=True), "y ~ x", "x", cluster="g") for d in (frame, other))
    assert first.p_value == second.p_value
    assert abs(first.statistic) == pytest.approx(abs(second.statistic), rel=1e-7)


def test_frequency_weights_repeat_rows(noisy):
    times = noisy.assign(w=np.arange(90) % 3 + 1)
    repeated = times.loc[times.index.repeat(times["w"])].reset_index(drop=True)
    short = wg.wild_bootstrap(times, "y ~ x | year", "x", cluster="g", weights="w", weight_kind="frequency")
    long = wg.wild_bootstrap(repeated, "y ~ x | year", "x", cluster="g")
    assert (short.p_value, short.nobs) == (long.p_value, long.nobs)
    assert short.statistic == pytest.approx(long.statistic, rel=1e-9)


def test_draws_do_not_depend_on_blocks(noisy, monkeypatch):
    call = dict(cluster="row", reps=500, rng=4)
    whole = wg.wild_bootstrap(noisy, "y ~ x", "x", **call)
    monkeypatch.setattr("wagegap.estimation.kernels.wild._BLOCK", 700)
    np.testing.assert_allclose(wg.wild_bootstrap(noisy, "y ~ x", "x", **call).distribution, whole.distribution)


@pytest.mark.slow
def test_null_is_rejected_as_often_as_said():
    """Ten clusters with a common shock, a regressor that varies between them: the usual t rejects too often."""
    rng, reps, wild, usual = np.random.default_rng(0), 600, 0, 0
    group = np.repeat(np.arange(10), 12)
    for _ in range(reps):
        x = np.column_stack([rng.normal(size=10)[group], np.ones(120)])
        y = rng.normal(size=10)[group] + rng.normal(size=120)
        draws = draw_wild(pose(y, x, np.array([1.0, 0.0]), group), reps=1024)
        wild += draws.p_value() <= 0.05
        usual += abs(draws.statistic) * np.sqrt(9 / 10) > 1.96
    # .05 within three errors of simulation; the normal quantile shows what is mended.
    assert wild / reps == pytest.approx(0.05, abs=3 * np.sqrt(0.0475 / reps))
    assert usual / reps > 0.09


def test_time_depends_on_rows_through_sums_alone():
    rng = np.random.default_rng(0)
    n = 100_000
    x = np.column_stack([rng.normal(size=(n, 3)), np.ones(n)])
    group, y = rng.integers(0, 12, n), rng.normal(size=n)
    start = time.process_time()
    draws = draw_wild(pose(y, x, np.eye(4)[0], group), multipliers="webb")
    # An n x B matrix alone would take 8 gigabytes; sums take a few hundredths of a second.
    assert time.process_time() - start < 1.0
    assert (len(draws.drawn), draws.enumerated) == (9_999, False)


def test_what_it_says(grunfeld):
    test = wg.wild_bootstrap(grunfeld, FORMULA, "capital", cluster="firm")
    assert repr(test) == str(test)
    assert " ".join(str(test).split()) == test.in_words()
    assert max(map(len, str(test).splitlines())) <= 80
    assert test.in_words().startswith("capital = 0: 0.2307 (0.08497), t = 2.71, wild bootstrap p = 0.0234 (all 1,024")
    assert wg.wild_bootstrap(grunfeld, FORMULA, "capital", value=0.1, cluster="firm").hypothesis == "capital = 0.1"
    rows = wg.wild_bootstrap(grunfeld, FORMULA, np.array([0.0, 0.0, 1.0]), value=0.1, cluster="firm")
    words = wg.wild_bootstrap(grunfeld, FORMULA, "capital = 0.1", cluster="firm")
    assert (rows.p_value, rows.estimate) == (words.p_value, words.estimate)
    few = grunfeld[grunfeld["firm"].isin(grunfeld["firm"].unique()[:4])]
    with pytest.warns(FewClustersWarning, match=r"no p-value below 0\.125"):
        found = wg.wild_bootstrap(few, FORMULA, "capital", cluster="firm")
    assert "No p-value below 0.125" in found.in_words()


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        (dict(multipliers="rademacer"), OptionError, "Did you mean 'rademacher'"),
        (dict(ties="both"), OptionError, "ties"),
        (dict(reps=0), OptionError, "reps=0"),
        (dict(cluster="frim"), ColumnError, "Did you mean 'firm'"),
        (dict(cluster="worker"), ColumnError, "declares none"),
        (dict(hypothesis="capitol"), OptionError, "Did you mean 'capital'"),
        (dict(hypothesis=np.eye(3)), OptionError, "one restriction"),
        (dict(clusters="firm"), ArgumentError, "Did you mean 'cluster'"),
        (dict(formula="invest ~ value + capital + I(2 * capital)", hypothesis="I(2 * capital)"), IdentificationError,
         "do not identify"),
        (dict(formula="invest ~ value + capital | firm^year"), IdentificationError, "do not identify"),
        (dict(weights="value", weight_kind="frequency", cluster="row"), OptionError, "frequency"),
    ],
)  # fmt: skip
def test_bad_input(grunfeld, change, error, words):
    call = dict(formula=FORMULA, hypothesis="capital", cluster="firm") | change
    with pytest.raises(error, match=words):
        wg.wild_bootstrap(grunfeld, **call)


def test_one_cluster_is_refused(grunfeld):
    with pytest.raises(IdentificationError, match="two clusters"):
        wg.wild_bootstrap(grunfeld.assign(all=1), FORMULA, "capital", cluster="all")
