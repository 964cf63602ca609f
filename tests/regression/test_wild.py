"""Wild cluster bootstrap: enumeration against published counts, draws against refits, and what it refuses."""

from __future__ import annotations

import time
import warnings

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import wagegap as wg
from wagegap.errors import (
    ArgumentError,
    ColumnError,
    FewClustersWarning,
    FormulaError,
    IdentificationError,
    IdentificationWarning,
    OptionError,
)
from wagegap.estimation.least_squares.lstsq import fit_lstsq
from wagegap.estimation.likelihood.wild import MULTIPLIERS, draw_wild, pose, pose_sums

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


def test_reference_file_agrees(facts):
    log = facts("wild")
    for (name, restricted), counts in COUNTS.items():
        exact = log[f"exact_WC{'R' if restricted else 'U'}_{name}"]
        assert (exact["p_ge"] * 1024, exact["p_gt"] * 1024) == counts
        assert exact["t"] == pytest.approx(T[name], rel=1e-12)
        peer = log[f"pyfixest_WC{'R' if restricted else 'U'}_{name}"]
        assert (peer["t"], peer["p"] * 1024) == (pytest.approx(T[name], rel=1e-12), counts[1])


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
@pytest.mark.filterwarnings("ignore::wagegap.errors.FewClustersWarning")
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
    # The slope changes its sign alone. A step of p is where two t are equal, found from sums of rounded products.
    low, high = second.conf_int(0.1)
    assert first.conf_int(0.1) == pytest.approx((-high, -low), rel=1e-5, abs=1e-6)


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
    monkeypatch.setattr("wagegap.estimation.likelihood.wild._BLOCK", 700)
    np.testing.assert_allclose(wg.wild_bootstrap(noisy, "y ~ x", "x", **call).distribution, whole.distribution)


def test_sums_of_clusters_pose_the_same_problem_as_rows(noisy):
    y, x, group = noisy["y"].to_numpy(), noisy[["x", "z"]].to_numpy(), noisy["g"].to_numpy()
    rows = draw_wild(pose(y, x, np.array([1.0, 0.0]), group, null=0.1, effects=[group.astype(np.int32)]))
    flat = pd.DataFrame(x).assign(y=y)
    flat = (flat - flat.groupby(group).transform("mean")).to_numpy()
    parts = [flat[group == g] for g in range(7)]
    xx, xy = (np.array([p[:, :2].T @ p[:, at] for p in parts]) for at in (slice(0, 2), 2))
    sums = draw_wild(pose_sums(xx, xy, np.array([1.0, 0.0]), null=0.1))
    # The same numbers by two ways of adding up: rounding only.
    np.testing.assert_allclose(sums.drawn, rows.drawn, rtol=1e-8, atol=1e-10)
    assert sums.interval() == pytest.approx(rows.interval(), rel=1e-7)


@pytest.mark.parametrize("call", [
    dict(formula="y ~ x + z"),
    dict(formula="y ~ x + z", restricted=False),
    dict(formula="y ~ x + z", ties="strict"),
    dict(formula="y ~ x + z", weights="w", weight_kind="sampling"),
    dict(formula="y ~ x + z", multipliers="webb", reps=499),
    dict(formula="y ~ x + z", multipliers="mammen", alpha=0.2),
    dict(formula="y ~ x + z | team"),
    dict(formula="y ~ x + z | year", hypothesis="x - z", alpha=0.1),
    dict(formula="y ~ x + z | year", restricted=False, multipliers="webb", reps=199),
])  # fmt: skip
@pytest.mark.filterwarnings("ignore::wagegap.errors.FewClustersWarning")
def test_interval_ends_where_the_test_begins_to_reject(noisy, call):
    call = dict(hypothesis="x", cluster="g", value=0.3) | call
    alpha = call.pop("alpha", 0.05)
    found = wg.wild_bootstrap(noisy, **call)
    low, high = found.conf_int(alpha)
    assert low < found.estimate + 0.3 < high
    step = 1e-7 * (high - low)  # wider than the rounding of the place of a step, and no wider than that needs

    def p_by_refitting(value):
        return wg.wild_bootstrap(noisy, **call | dict(value=value)).p_value

    assert min(p_by_refitting(low + step), p_by_refitting(high - step)) >= alpha
    assert max(p_by_refitting(low - step), p_by_refitting(high + step)) < alpha
    for value in (low - 1, low, 0.0, 0.25, high + 0.5):
        assert found.p_value_at(value + 1e-9) == pytest.approx(p_by_refitting(value + 1e-9), abs=1e-12)


def test_interval_without_the_null_is_a_quantile_of_t(noisy):
    found = wg.wild_bootstrap(noisy, "y ~ x", "x", cluster="g", restricted=False, multipliers="webb", reps=999)
    # p = (1 + draws at least as large) / 1,000 is .05 at the 49th largest |t| and less beyond.
    half = np.sort(np.abs(found.distribution))[-49] * found.std_error
    # Ties are counted within a relative 1e-9.
    assert found.conf_int() == pytest.approx((found.estimate - half, found.estimate + half), rel=1e-7)


@pytest.mark.parametrize("multipliers", MULTIPLIERS)
def test_smallest_p_is_that_of_far_values(noisy, multipliers):
    few = noisy[noisy["g"] < 5]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = wg.wild_bootstrap(few, "y ~ x", "x", cluster="g", multipliers=multipliers)
    # Vectors of one value have the t of the data: two of 2^5, six of 6^5, and Mammen's two with their chances.
    expected = {
        "rademacher": 2 / 2**5,
        "webb": 6 / 6**5,
        "mammen": (5**0.5 + 1) ** 5 / 20**2.5 + (5**0.5 - 1) ** 5 / 20**2.5,
    }
    assert found.smallest == pytest.approx(expected[multipliers])
    assert found.p_value_at(1e4) == pytest.approx(found.smallest, rel=1e-9)


def test_smallest_p_of_random_draws_counts_the_data(noisy):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = wg.wild_bootstrap(noisy, "y ~ x", "x", cluster="g", multipliers="webb", reps=499, rng=1)
    assert not found.enumerated
    assert found.smallest == pytest.approx(1 / 500)


@pytest.mark.parametrize("multipliers", ["rademacher", "mammen"])
def test_smallest_p_without_the_null_is_the_step_of_p(noisy, multipliers):
    """Each vector counts by its chance, and where signs alone are drawn its mirror image with it."""
    few = noisy[noisy["g"] < 5]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = wg.wild_bootstrap(few, "y ~ x", "x", cluster="g", multipliers=multipliers, restricted=False)
    assert found.enumerated
    low = (5**0.5 - 1) / (2 * 5**0.5)  # the rarer of Mammen's two values
    assert found.smallest == pytest.approx(2 / 2**5 if multipliers == "rademacher" else low**5)


def test_interval_is_the_whole_line_with_too_few_clusters(grunfeld):
    few = grunfeld[grunfeld["firm"].isin(grunfeld["firm"].unique()[:4])]
    with pytest.warns(FewClustersWarning):
        found = wg.wild_bootstrap(few, FORMULA, "capital", cluster="firm")
    with pytest.warns(FewClustersWarning, match=r"whole line: with 4 clusters of 'firm' no value has a p below 0\.05"):
        assert found.conf_int() == (-np.inf, np.inf)
    assert np.isfinite(found.conf_int(0.2)).all()  # a fifth of 16 vectors is three, two of which always tie
    with pytest.raises(OptionError, match="alpha=95"):
        found.conf_int(95)


# Stata's boottest, `unit tests.log` of its repository (droodman/boottest): wage on tenure, ttl_exp and collgrad of NLSW
# 1988, also with ttl_exp held at .2 by cnsreg; random Rademacher draws, null imposed, strictly larger draws counted:
# draws, t, p, 95 % confidence set of tenure. "pair" joins row 1,000 + i to row i. Of the held model by industry the
# log's lower end, .008795, is left out: it stays so in a second run of other draws, whose upper end is .2115, and p
# there is .002 by enumeration as in both runs at 0; it is no end of the set.
FREE, HELD = "wage ~ tenure + ttl_exp + collgrad", "I(wage - 0.2 * ttl_exp) ~ tenure + collgrad"
BOOTTEST = [
    ("industry", FREE, 999, 1.0772, 0.2843, (-0.03531, 0.1968)),
    ("industry", HELD, 999, 2.1254, 0.0000, (0.1846,)),
    ("pair", HELD, 9_999, 3.3434, 0.0009, (0.02721, 0.1027)),
    ("row", FREE, 999, 1.2941, 0.2002, (-0.0196, 0.0829)),
]


@pytest.mark.parametrize(("cluster", "formula", "reps", "t", "p", "ends"), BOOTTEST)
def test_interval_agrees_with_boottest(shared, cluster, formula, reps, t, p, ends):
    frame = pd.read_csv(shared / "refdata" / "nlsw88.csv")
    frame = frame.dropna(subset=["tenure"] if cluster == "row" else ["tenure", "industry"])
    frame["pair"] = np.arange(len(frame)) % 1_000 + 1_000 * (np.arange(len(frame)) >= 2_000)
    found = wg.wild_bootstrap(frame, formula, "tenure", cluster=cluster, ties="strict", reps=4_096, rng=1)
    # HC1 there has n / (n - k); CR1 of single rows has n / (n - 1) (n - 1) / (n - k): the same.
    assert found.statistic == pytest.approx(t, abs=5e-5)
    error = np.sqrt(1 / reps + (0 if found.enumerated else 1 / 4_096))
    # Their ends are random as p is: at each, ours is .05 but for three errors of simulation.
    assert found.p_value == pytest.approx(p, abs=3 * error * np.sqrt(found.p_value * (1 - found.p_value)))
    for end in ends:
        assert found.p_value_at(end) == pytest.approx(0.05, abs=3 * error * np.sqrt(0.0475))


@pytest.mark.slow
def test_null_is_rejected_as_often_as_said():
    """Ten clusters with a common shock, a regressor that varies between them: the usual t rejects too often."""
    rng, reps, wild, usual, covered = np.random.default_rng(0), 600, 0, 0, 0
    group = np.repeat(np.arange(10), 12)
    for _ in range(reps):
        x = np.column_stack([rng.normal(size=10)[group], np.ones(120)])
        y = rng.normal(size=10)[group] + rng.normal(size=120)
        draws = draw_wild(pose(y, x, np.array([1.0, 0.0]), group), reps=1024)
        wild += draws.p_value() <= 0.05
        low, high = draws.interval()
        covered += low <= 0 <= high
        usual += abs(draws.statistic) * np.sqrt(9 / 10) > 1.96
    # .05 within three errors of simulation; the normal quantile shows what is mended.
    assert wild / reps == pytest.approx(0.05, abs=3 * np.sqrt(0.0475 / reps))
    assert usual / reps > 0.09
    # The interval covers zero wherever the test does not reject it, and now and then where stretches lie apart.
    assert covered >= reps - wild
    assert covered / reps == pytest.approx(0.95, abs=3 * np.sqrt(0.0475 / reps))


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
    low, high = test.conf_int()
    assert test.in_words().endswith(f"ties counted). 95 % interval [{low:.4g}, {high:.4g}].")
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


# what is not identified ----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def aliased():
    rng = np.random.default_rng(13)
    frame = pd.DataFrame({"x": rng.normal(size=400), "ai": rng.integers(0, 2, 400), "c": rng.integers(0, 8, 400)})
    frame["y"] = 0.2 * frame["ai"] + rng.normal(size=400)
    return frame.assign(not_ai=1 - frame["ai"], twice=2 * frame["x"], third=frame["c"] % 3)


@pytest.mark.parametrize(
    ("regressors", "hypothesis"),
    [
        ("ai + not_ai + x", "ai"), ("not_ai + ai + x", "ai"), ("ai + not_ai + x", "not_ai"),
        ("x + twice + ai", "x"), ("twice + x + ai", "x"), ("x + twice + ai", "x + ai"),
        ("ai + not_ai + x", "ai + not_ai"), ("C(third) + I(1.0*(third == 1)) + ai", "C(third)[T.1]"),
    ],
)  # fmt: skip
def test_a_hypothesis_on_aliased_columns_is_refused_in_any_order(aliased, regressors, hypothesis):
    with pytest.raises(IdentificationError, match="collinear") as refused:
        wg.wild_bootstrap(aliased, f"y ~ {regressors}", hypothesis, cluster="c")
    with pytest.raises(IdentificationError, match="collinear"):
        wg.fit_linear(aliased, f"y ~ {regressors}")
    assert "=" in str(refused.value)  # which column is made of which


def test_what_aliased_columns_leave_identified_is_tested_and_said(aliased):
    plain = wg.wild_bootstrap(aliased, "y ~ ai + x", "ai", cluster="c")
    for regressors in ("ai + x + twice", "twice + x + ai"):
        with pytest.warns(IdentificationWarning, match="twice|x ="):
            controls = wg.wild_bootstrap(aliased, f"y ~ {regressors}", "ai", cluster="c")
        assert controls.p_value == plain.p_value
        assert controls.statistic == pytest.approx(plain.statistic, rel=1e-9)
    # of ai and its complement the difference of their coefficients is identified: that of ai alone
    with pytest.warns(IdentificationWarning, match="not_ai"):
        gap = wg.wild_bootstrap(aliased, "y ~ ai + not_ai + x", "ai - not_ai", cluster="c")
    assert gap.p_value == plain.p_value


def test_an_effect_that_absorbs_the_hypothesis(aliased):
    within = aliased.assign(level=aliased["c"] % 2)
    with pytest.raises(IdentificationError, match="'level' is not identified: it does not vary within c"):
        wg.wild_bootstrap(within, "y ~ level + x | c", "level", cluster="c")


@pytest.mark.parametrize(
    "formula", ["y ~ y + ai", "y ~ ai + I(y)", "y ~ C(third)*y", "np.exp(y) ~ np.exp(y) + ai", "y ~ ai | y",
                "y ~ ai + copy"]
)  # fmt: skip
def test_an_outcome_among_its_own_regressors_is_refused(aliased, formula):
    rows = aliased.assign(copy=aliased["y"], g=aliased["third"] > 0)
    doors = [
        lambda: wg.wild_bootstrap(rows, formula, "ai", cluster="c"),
        lambda: wg.fit_linear(rows, formula),
        lambda: wg.fit_premiums(rows, formula, premium="ai"),
        lambda: wg.fit_linear(rows, formula, cov=wg.cov.Bootstrap(9, rng=1)),
    ]
    doors += [lambda: wg.oaxaca(rows, formula, group="g")] if "|" not in formula else []
    for door in doors:
        with pytest.raises(FormulaError, match="stands on both sides of the formula"):
            door()


def test_functions_of_the_outcome_are_left_to_the_user(aliased):
    assert wg.fit_linear(aliased, "np.exp(y) ~ y + ai").params["y"] > 0
    share = aliased.assign(share=np.exp(aliased["y"]) / 50)
    with pytest.raises(FormulaError, match="'share' stands on both sides"):
        wg.fit_flows(share, "share ~ share + x")
    with pytest.raises(IdentificationError, match="the outcomes are separated"):
        wg.fit_exits(aliased, "ai ~ x + C(ai)", by=())
