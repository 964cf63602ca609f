"""The waist: joined cells equal the stacked fit; what cannot be related is refused."""

from __future__ import annotations

import pickle

import numpy as np
import pandas as pd
import pytest

from wagegap.errors import CovarianceError, DuplicateKeyError, JoinError, OptionError, UnitError
from wagegap.estimation.covariance.groupings import Grouping
from wagegap.estimation.covariance.options import parse_cov
from wagegap.estimation.estimates import Estimates, join
from wagegap.estimation.hypothesis import parse_hypothesis
from wagegap.estimation.least_squares.fit import fit_least_squares
from wagegap.estimation.least_squares.lstsq import fit_lstsq
from wagegap.estimation.sample import Sample
from wagegap.estimation.scores import score_source
from wagegap.panel.load import read_panel
from wagegap.panel.simulate import simulate_panel
from wagegap.regression.premiums.premium import fit_premiums
from wagegap.regression.rates.mobility import fit_rates

N, CELLS = 900, 3


def make_sample(seed=0, weights=None, kind=None, cells=None, part=None):
    rng = np.random.default_rng(seed)
    cell = rng.integers(CELLS, size=N).astype(np.int32)
    worker = rng.integers(200, size=N)
    treated, level = rng.integers(2, size=N).astype(float), rng.integers(4, size=N).astype(float)
    y = 0.2 * treated + 0.1 * level + rng.normal(size=200)[worker] + rng.normal(size=N)
    x = np.column_stack([np.ones(N), treated, level])
    if weights is not None:
        weights = weights(rng)
    keep = np.ones(N, dtype=bool) if part is None else cell == part
    rows = np.flatnonzero(keep)
    groups = {
        "row": Grouping.from_keys("row", "data", np.arange(N)).take(rows),
        "worker": Grouping.from_keys("worker", "data", worker).take(rows),
    }
    codes = np.zeros(len(rows), dtype=np.int32) if part is not None or cells == 1 else cell[rows]
    names = ("a",) if part is not None or cells == 1 else tuple("abc")
    return Sample(
        y[rows], x[rows], ("1", "s", "x"), (), (), None if weights is None else weights[rows], kind, codes, names,
        groups, "data",
    )  # fmt: skip


def as_estimates(sample, cov, rule="stata", name="a"):
    cells, parsed = sample.by_cell(), parse_cov(cov)
    fits = [fit_least_squares(cell, sample, [1], parsed) for cell in cells]
    source = score_source(sample, cells, fits, cov=parsed, rule=rule)
    values = np.concatenate([fit.values for fit in fits])
    keys = [name] if len(sample.cell_names) == 1 else list(sample.cell_names)
    labels = pd.DataFrame({"cell": keys, "term": "s", "unit": "log", "comparison": "not s"})
    return Estimates(labels, values, (source,), (np.eye(values.size),))


def stacked_sandwich(sample, cluster):
    """One regression with every column interacted with the cells, and clustered scores: written out in full."""
    dummies = np.eye(CELLS)[sample.cells]
    x = np.hstack([sample.x * dummies[:, [c]] for c in range(CELLS)])
    bread = np.linalg.inv(x.T @ x)
    b = bread @ x.T @ sample.y
    scores = x * (sample.y - x @ b)[:, None]
    sums = pd.DataFrame(scores).groupby(cluster).sum().to_numpy()
    return b[1::3], (bread @ sums.T @ sums @ bread)[1::3, 1::3], x.shape, len(sums)


def test_joined_cells_equal_the_stacked_fit_under_cr0():
    parts = [as_estimates(make_sample(part=c), "CR0:worker", name="abc"[c]) for c in range(CELLS)]
    joined = join(*parts)
    whole = make_sample()
    b, v, _, _ = stacked_sandwich(whole, whole.groupings["worker"].codes)
    np.testing.assert_allclose(joined.values, b, rtol=1e-10)
    np.testing.assert_allclose(joined.covariance, v, rtol=1e-10, atol=1e-14)
    assert abs(joined.covariance[0, 1]) > 1e-6


def test_joint_factor_equals_the_stacked_fit_under_cr1():
    parts = [as_estimates(make_sample(part=c), "CR1:worker", "joint", "abc"[c]) for c in range(CELLS)]
    whole = make_sample()
    _, v, (n, k), g = stacked_sandwich(whole, whole.groupings["worker"].codes)
    factor = g / (g - 1) * (n - 1) / (n - k)
    np.testing.assert_allclose(join(*parts).covariance, factor * v, rtol=1e-10, atol=1e-14)


def test_cells_keep_their_own_factor_otherwise():
    parts = [as_estimates(make_sample(part=c), "CR1:worker", name="abc"[c]) for c in range(CELLS)]
    joined = join(*parts)
    np.testing.assert_allclose(np.diag(joined.covariance), [p.covariance[0, 0] for p in parts], rtol=1e-12)


@pytest.mark.parametrize(
    "cov", ["iid", "HC0", "HC1", "HC2", "HC3", "CR0:worker", "CR1:worker", "CR2:worker", "CR3:worker"]
)
def test_frequency_weights_are_repeated_rows(cov):
    sample = make_sample(weights=lambda rng: rng.integers(1, 4, size=N).astype(float), kind="frequency")
    times = sample.weights.astype(int)
    again = np.repeat(np.arange(N), times)
    worker = Grouping("worker", "data", sample.groupings["worker"].codes[again], sample.groupings["worker"].labels)
    row = Grouping.from_keys("row", "data", np.arange(len(again)))
    repeated = Sample(
        sample.y[again], sample.x[again], sample.names, (), (), None, None, sample.cells[again], sample.cell_names,
        {"row": row, "worker": worker}, "data",
    )  # fmt: skip
    weighted, plain = as_estimates(sample, cov), as_estimates(repeated, cov)
    np.testing.assert_allclose(weighted.values, plain.values, rtol=1e-11)
    np.testing.assert_allclose(weighted.covariance, plain.covariance, rtol=1e-9, atol=1e-15)
    np.testing.assert_allclose(weighted.df, plain.df, rtol=1e-8)


def test_scale_of_sampling_weights_does_not_matter():
    one = as_estimates(make_sample(weights=lambda rng: rng.random(N) + 0.5, kind="sampling"), "HC1")
    other = as_estimates(make_sample(weights=lambda rng: 1e4 * (rng.random(N) + 0.5), kind="sampling"), "HC1")
    np.testing.assert_allclose(one.covariance, other.covariance, rtol=1e-10)


def test_two_way_is_the_signed_sum():
    sample = make_sample(cells=1)
    other = Grouping.from_keys("level", "data", sample.x[:, 2])
    both = Sample(
        sample.y, sample.x, sample.names, (), (), None, None, sample.cells, sample.cell_names,
        {**sample.groupings, "level": other}, "data",
    )  # fmt: skip

    def v(cov, groupings=both.groupings):
        return as_estimates(both, cov).covariance

    crossed = both.groupings["worker"].cross(other)
    both.groupings["cross"] = Grouping("cross", "data", crossed.codes, crossed.labels)
    expected = v("CR0:worker") + v("CR0:level") - v("CR0:cross")
    np.testing.assert_allclose(v("CR0:worker+level"), expected, rtol=1e-10)


def test_map_and_join_carry_the_covariance():
    parts = [as_estimates(make_sample(part=c), "CR0:worker", name="abc"[c]) for c in range(CELLS)]
    joined = join(*parts)
    labels = pd.DataFrame({"cell": ["gap"], "term": ["s"]})
    gap = joined.map(np.array([[1.0, -1.0, 0.0]]), labels=labels)
    v = joined.covariance
    assert gap.covariance[0, 0] == pytest.approx(v[0, 0] + v[1, 1] - 2 * v[0, 1], rel=1e-12)
    relative = joined.map(lambda b: np.expm1(b))
    np.testing.assert_allclose(relative.covariance, v * np.exp(np.add.outer(joined.values, joined.values)), rtol=1e-8)
    test = joined.test("a = b")
    assert test.std_error[0] == pytest.approx(gap.bse.iloc[0], rel=1e-12)


def test_multiplier_draws_have_the_covariance():
    whole = as_estimates(make_sample(), "CR0:worker")
    draws = whole.draws(20_000, rng=1)
    np.testing.assert_allclose(np.cov(draws.T), whole.covariance, atol=4 * whole.covariance.max() / np.sqrt(10_000))


def test_what_cannot_be_related_is_refused():
    a = as_estimates(make_sample(part=0), "CR0:worker")
    b = as_estimates(make_sample(part=1), "CR1:worker", name="b")
    with pytest.raises(JoinError, match="different covariances"):
        join(a, b)
    table = Estimates.from_table(pd.DataFrame({"iso3": ["KOR"], "b": [0.1], "se": [0.02]}))
    with pytest.raises(JoinError, match="independent=True"):
        join(a, table)
    both = join(a, table, independent=True)
    assert both.covariance[0, 1] == 0.0
    with pytest.raises(DuplicateKeyError):
        join(a, a)
    iid = as_estimates(make_sample(cells=1), "iid")
    with pytest.raises(JoinError, match="stand in both"):
        join(iid, as_estimates(make_sample(cells=1), "iid", name="other"))
    with pytest.raises(CovarianceError, match="refit"):
        a.with_cov("CR2:worker")
    with pytest.raises(CovarianceError, match="psu"):
        a.with_cov("CR1:psu")
    with pytest.raises(OptionError, match="HC1"):
        a.with_cov("HC11")


def test_with_cov_equals_a_fit_with_it():
    sample = make_sample()
    first = as_estimates(sample, "HC1")
    for cov in ("HC0", "HC2", "HC3", "CR0:worker", "CR1:worker", "iid"):
        np.testing.assert_allclose(first.with_cov(cov).covariance, as_estimates(sample, cov).covariance, rtol=1e-12)


def test_missing_errors_of_a_table_are_unknown_never_zero():
    table = Estimates.from_table(pd.DataFrame({"iso3": ["KOR", "USA"], "b": [0.06, 0.25]}), std_error=None)
    assert table.bse.isna().all()
    assert "unknown" in table.summary()
    with pytest.raises(UnitError, match="log points"):
        Estimates.from_table(pd.DataFrame({"iso3": ["KOR"], "b": [0.1], "se": [0.1]}), unit="log point")


def test_pickle_and_forgetting_the_units():
    whole = as_estimates(make_sample(), "CR1:worker")
    again = pickle.loads(pickle.dumps(whole))
    np.testing.assert_array_equal(again.covariance, whole.covariance)
    small = whole.without_units()
    np.testing.assert_array_equal(small.covariance, whole.covariance)
    assert len(pickle.dumps(small)) < 10_000
    with pytest.raises(JoinError):
        join(small, as_estimates(make_sample(part=0), "CR1:worker", name="z"))


def test_collinear_columns_are_named():
    x = np.column_stack([np.ones(10), np.arange(10.0), 2 * np.arange(10.0) + 1])
    fit = fit_lstsq(np.arange(10.0) ** 2, x)
    assert fit.rank == 2
    assert [found.column for found in fit.collinear] == [2]


def test_hypotheses_on_names_with_asterisks():
    names = ["I(exper ** 2)", "a", "I(x**2)"]
    found = {"I(x**2) = 0.1": [0, 0, 1], "2*a - I(x**2)": [0, 2, -1], "2 * I(exper ** 2) = a": [2, -1, 0]}
    for text, row in found.items():
        assert parse_hypothesis(text, 0.0, names)[0].tolist() == [row]
    with pytest.raises(OptionError, match="'x' in 'x\\*a' is not a number"):
        parse_hypothesis("x*a", 0.0, names)
    with pytest.raises(OptionError, match="no parameter 'b'"):
        parse_hypothesis("b", 0.0, names)


def test_sources_of_error_were_called_roots():
    estimates = as_estimates(make_sample(), "HC1")
    with pytest.warns(FutureWarning, match="is called sources now"):
        assert estimates.roots is estimates.sources


def test_unknown_errors_of_a_table_leave_its_covariances_zero():
    frame = pd.DataFrame({"iso3": ["KOR", "USA", "JPN"], "b": [0.1, 0.2, 0.3]})
    covariance = Estimates.from_table(frame, term="ai", unit="log", std_error=None).covariance
    np.testing.assert_array_equal(np.isnan(covariance), np.eye(3, dtype=bool))


def test_the_first_wave_meets_a_panel_that_follows_workers():
    """Rates of workers that stand in one row each carry HC1, premiums of both waves CR1: one covariance, two names."""
    made = simulate_panel(countries=3, workers=400, periods=2, rng=1).panel
    roles = {"worker": "pid", "country": "iso3", "period": "year", "wage": "hourly_wage", "field": "field"}
    frame = made.frame.drop(columns=["abroad_next", "new_field_next"])
    panel = read_panel(frame, **roles, worker_scope="global").transitions()
    premiums = fit_premiums(panel, "log(hourly_wage) ~ ai + exper", premium="ai", by="iso3")
    events = {"emigration": "abroad_next"}
    rates = fit_rates(panel, events, among="ai", by="iso3")
    named = fit_rates(panel, events, among="ai", by="iso3", cov="CR1:worker")
    assert rates.estimates.describe() == "HC1"
    joined = join(rates, premiums)
    np.testing.assert_allclose(joined.covariance, join(named, premiums).covariance, rtol=1e-13)  # n/(n-1) (n-1)/(n-k)
    np.testing.assert_allclose(joined.bse[:3], rates.bse, rtol=1e-13)
    assert np.abs(joined.covariance[:3, 3:]).max() > 0
    with pytest.raises(JoinError, match="carry different covariances"):
        join(fit_premiums(panel, "log(hourly_wage) ~ ai", premium="ai", by="iso3", cov="HC1"), premiums)
