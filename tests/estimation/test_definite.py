"""Covariances that are not positive semidefinite: one repair, whatever the units and the coding, and it is said."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import wagegap as wg
from wagegap.errors import CovarianceError, CovarianceWarning, FewClustersWarning, IdentificationError, OptionError
from wagegap.estimation.covariance.definite import repair_covariance, repair_eigenvalues

ANYTHING = st.integers(0, 10_000)


@pytest.fixture(scope="module")
def rows():
    rng = np.random.default_rng(1)
    n = 40
    frame = {"a": rng.integers(0, 5, n), "b": rng.integers(0, 5, n), "x": rng.normal(size=n), "y": rng.normal(size=n)}
    return pd.DataFrame(frame).assign(level=lambda d: pd.cut(d["x"], 3, labels=["low", "mid", "top"]).astype(str))


@pytest.fixture(scope="module")
def flows():
    """All pairs of six countries, nothing related to anything."""
    rng = np.random.default_rng(6)
    origin, destination = (places.ravel() for places in np.meshgrid(np.arange(6), np.arange(6)))
    frame = pd.DataFrame({"o": origin, "d": destination})
    frame = frame[frame["o"] != frame["d"]].reset_index(drop=True)
    return frame.assign(x=rng.normal(size=len(frame)), y=rng.normal(size=len(frame)), z=rng.normal(size=len(frame)))


@pytest.fixture(scope="module")
def places():
    rng = np.random.default_rng(4)
    n = 60
    frame = {"lat": rng.uniform(33, 39, n), "lon": rng.uniform(125, 130, n), "x": rng.normal(size=n)}
    return pd.DataFrame(frame).assign(y=rng.normal(size=n))


def quietly(call, *kinds):
    with warnings.catch_warnings():
        for kind in (FewClustersWarning, *kinds):
            warnings.simplefilter("ignore", kind)
        return call()


def fit(frame, formula="y ~ x", cov="CR1:a+b"):
    return quietly(lambda: wg.fit_linear(frame, formula, cov=cov), CovarianceWarning)


def raw(frame, formula, cov, **options):
    """The sum itself, without a repair."""
    fields = {name: getattr(cov, name) for name in cov.__dataclass_fields__}
    return fit(frame, formula, type(cov)(**{**fields, "repair": "none", **options})).cov_params().to_numpy()


TWO_WAY = wg.cov.Robust("CR1", ("a", "b"))


@pytest.mark.public_case("negative_variance")
def test_a_negative_variance_is_repaired_alike_in_every_coding(rows, facts):
    right = facts("public_cases")["negative_variance"]["right"]
    with pytest.warns(CovarianceWarning, match="2 coefficients, 1 of them of negative variance") as found:
        result = quietly(lambda: wg.fit_linear(rows, "y ~ x", cov="CR1:a+b"))
    assert len([one for one in found if one.category is CovarianceWarning]) == 1
    assert raw(rows, "y ~ x", TWO_WAY)[1, 1] < 0
    error = result.bse["x"]
    assert 0.05 < error < 0.09  # sandwich's own repair of its own sum gives .0707
    test = result.test("x = 0")
    assert "CR1:a+b (5 a x 5 b, stata factor), repaired." in result.summary().replace("\n  ", " ")
    assert test.std_error[0] == pytest.approx(error, rel=1e-12)
    assert test.p_value == pytest.approx(result.pvalues["x"], rel=1e-12)
    assert np.sqrt(result.cov_params().loc["x", "x"]) == pytest.approx(error, rel=1e-12)
    half = result.conf_int()["conf_high"]["x"] - result.params["x"]
    assert half == pytest.approx(error * 2.7764451, rel=1e-7)  # t(4)
    for shift, scale in ((1, 1), (-2, 1), (5, 1), (0, 10), (0, 0.1), (3, 1_000)):
        recoded = fit(rows.assign(x=scale * (rows["x"] + shift)))
        assert scale * recoded.bse["x"] == pytest.approx(error, rel=1e-9)
    # the plain repair moves with the coding: 1 and 10 and 100 times x, in the digits published
    plain = wg.cov.Robust("CR1", ("a", "b"), repair="eigenvalue")
    errors = [scale * fit(rows.assign(x=scale * rows["x"]), cov=plain).bse["x"] for scale in (1, 10, 100)]
    np.testing.assert_allclose(errors, right["plain_eigenvalue_se_in_four_codings"][:3], atol=6e-4)


@settings(deadline=None, max_examples=60)
@given(seed=ANYTHING, q=st.integers(1, 6), shrink=st.floats(0.3, 1.5))
def test_the_repair_commutes_with_every_recoding(seed, q, shrink):
    rng = np.random.default_rng(seed)
    plus, minus, recode = rng.normal(size=(q, q + 2)), shrink * rng.normal(size=(q, q)), rng.normal(size=(q, q))
    v, m = plus @ plus.T - minus @ minus.T, plus @ plus.T + minus @ minus.T
    repaired = repair_covariance(v, m)
    assert np.linalg.eigvalsh(repaired.matrix).min() >= -1e-9 * np.abs(v).max()
    other = repair_covariance(recode @ v @ recode.T, recode @ m @ recode.T).matrix
    if np.linalg.cond(recode) < 1e3:
        size = np.abs(recode) @ np.abs(m) @ np.abs(recode).T
        assert np.abs(other - recode @ repaired.matrix @ recode.T).max() <= 1e-7 * size.max()
    # the positive terms alone are an upper bound, and the metric of these gives the same
    assert np.linalg.eigvalsh(plus @ plus.T - repaired.matrix).min() >= -1e-9 * np.abs(m).max()
    np.testing.assert_allclose(repair_covariance(v, plus @ plus.T).matrix, repaired.matrix, atol=1e-6 * m.max())


@settings(deadline=None, max_examples=30)
@given(seed=ANYTHING, q=st.integers(1, 6), rank=st.integers(1, 6))
def test_what_is_positive_semidefinite_stays_bit_for_bit(seed, q, rank):
    root = np.random.default_rng(seed).normal(size=(q, rank)) * np.logspace(-3, 3, q)[:, None]
    v = root @ root.T
    for repaired in (repair_covariance(v, 3 * v), repair_covariance(v, v + np.diag(np.diag(v))), repair_eigenvalues(v)):
        assert repaired.matrix is v
        assert not repaired.vanishing(np.eye(q)).any()


def test_the_plain_repair_by_hand():
    # eigenvalues 3, -1 along (1, 1) and (1, -1)
    repaired = repair_eigenvalues(np.array([[1.0, 2.0], [2.0, 1.0]]))
    np.testing.assert_allclose(repaired.matrix, [[1.5, 1.5], [1.5, 1.5]])
    assert repaired.lowest == pytest.approx(-1 / 3)
    assert (repaired.n_directions, repaired.n_negative) == (1, 0)
    assert repaired.vanishing(np.array([[1.0, -1], [1, 1], [1, 0], [0, 0]])).tolist() == [True, False, False, False]
    negative = repair_eigenvalues(np.diag([1.0, -4.0, 2.0]))
    np.testing.assert_allclose(negative.matrix, np.diag([1.0, 0, 2]))
    assert (negative.lowest, negative.n_directions, negative.n_negative) == (-1.0, 1, 1)


def test_directions_without_any_size_are_left_alone():
    v, m = np.diag([1.0, -0.5, 0.0]), np.diag([1.0, 0.5, 0.0])
    repaired = repair_covariance(v, m)
    np.testing.assert_allclose(repaired.matrix, np.diag([1.0, 0, 0]), atol=1e-15)
    assert (repaired.lowest, repaired.n_directions, repaired.n_negative) == (pytest.approx(-1.0), 1, 1)
    assert repaired.vanishing(np.eye(3)).tolist() == [False, True, False]  # the third was never uncertain


def test_by_hand_of_three_by_three():
    # V+ = I: the repair is the plain one there, and a change of units takes it along
    v = np.array([[1.0, 0.9, 0.9], [0.9, 1.0, -0.9], [0.9, -0.9, 1.0]])
    values, vectors = np.linalg.eigh(v)
    expected = (vectors * np.maximum(values, 0)) @ vectors.T
    repaired = repair_covariance(v, np.eye(3))
    np.testing.assert_allclose(repaired.matrix, expected, atol=1e-12)
    assert repaired.lowest == pytest.approx(values[0])
    assert (repaired.n_directions, repaired.n_negative) == (1, 0)
    assert repaired.vanishing(np.vstack([vectors[:, 0], vectors[:, 1]])).tolist() == [True, False]


@pytest.mark.parametrize(
    "cov",
    [wg.cov.Dyadic("o", "d"), wg.cov.Robust("CR1", ("o", "d")), wg.cov.Robust("CR0", ("o", "d", "half"))],
    ids=["dyads", "two-way", "three-way"],
)
def test_flows_between_unrelated_countries(flows, cov):
    frame = flows.assign(half=flows["o"] % 2 + 2 * (flows["d"] % 2))
    before, result = raw(frame, "y ~ x + z", cov), fit(frame, "y ~ x + z", cov)
    scale = np.sqrt(np.abs(np.diag(before)))
    assert np.linalg.eigvalsh(before / np.outer(scale, scale))[0] < -1e-3
    after = result.cov_params().to_numpy()
    assert np.linalg.eigvalsh(after / np.outer(scale, scale))[0] > -1e-12
    assert np.linalg.eigvalsh((after - before) / np.outer(scale, scale))[0] > -1e-12
    shifted = fit(frame.assign(x=100 - 3 * frame["x"], z=frame["z"] + 2 * frame["x"]), "y ~ x + z", cov)
    # b_x x + b_z z = c_x (100 - 3 x) + c_z (z + 2 x):  b_z = c_z,  b_x = 2 c_z - 3 c_x
    assert shifted.bse["z"] == pytest.approx(result.bse["z"], rel=1e-8)
    assert shifted.test("2 * z - 3 * x").std_error[0] == pytest.approx(result.bse["x"], rel=1e-8)


@pytest.mark.parametrize("kernel", ["uniform", "bartlett"])
def test_places_within_a_circle(places, kernel):
    cov = wg.cov.Conley("lat", "lon", 250.0, kernel)
    before, result = raw(places, "y ~ x", cov), fit(places, "y ~ x", cov)
    lowest = np.linalg.eigvalsh(before / np.outer(*[np.sqrt(np.abs(np.diag(before)))] * 2))[0]
    recoded = fit(places.assign(x=50 * places["x"] + 7), "y ~ x", cov)
    assert 50 * recoded.bse["x"] == pytest.approx(result.bse["x"], rel=1e-9)
    if kernel == "uniform":
        assert lowest < 0
        assert result.bse.notna().all()
    else:
        np.testing.assert_array_equal(result.cov_params(), before)


def test_base_levels_do_not_matter(rows):
    first = fit(rows, "y ~ C(level)")
    levels = ["mid", "low", "top"]
    second = fit(rows.assign(level=pd.Categorical(rows["level"], categories=levels)), "y ~ level")
    gap = first.test("C(level)[T.top] - C(level)[T.mid]")
    assert second.bse["level[T.top]"] == pytest.approx(gap.std_error[0], rel=1e-9)
    assert second.bse["level[T.low]"] == pytest.approx(first.bse["C(level)[T.mid]"], rel=1e-9)


def test_doors_agree(rows):
    linear = fit(rows)
    premium = quietly(lambda: wg.fit_premiums(rows, "y ~ x", premium="x", cov="CR1:a+b"), CovarianceWarning)
    assert premium.bse.iloc[0] == pytest.approx(linear.bse["x"], rel=1e-12)
    both = quietly(lambda: wg.fit_linear(rows, "y ~ x", cov=wg.cov.Robust("CR1", ("a", "b"), repair="none")))
    with pytest.warns(CovarianceWarning, match="not positive semidefinite"):
        again = both.with_cov("CR1:a+b")
    np.testing.assert_array_equal(again.cov_params(), linear.cov_params())
    assert np.isnan(both.bse["x"])
    assert np.isnan(both.pvalues["x"])
    assert np.isnan(both.test("x = 0").p_value)


def test_draws_maps_and_forgetting_the_units_use_the_repaired_matrix(rows):
    estimates = fit(rows).estimates
    draws = estimates.draws(40_000, rng=1)
    # three Monte Carlo errors of a standard deviation, 3 / sqrt(2 * 40,000)
    np.testing.assert_allclose(draws.std(axis=0), estimates.bse, rtol=0.011)
    doubled = estimates.map(np.array([[0.0, 2.0]]), labels=pd.DataFrame({"term": ["double"]}))
    assert doubled.bse["double"] == pytest.approx(2 * estimates.bse["x"], rel=1e-12)
    np.testing.assert_array_equal(estimates.without_units().covariance, estimates.covariance)


def test_joined_results_are_repaired_as_a_whole(rows):
    panel = wg.read_panel(rows.assign(u=rows["y"] + rows["x"] ** 2), source_name="rows")
    parts = [fit(panel, "y ~ x"), fit(panel, "u ~ x")]
    renamed = [part.estimates.map(np.eye(2), labels=part.estimates.labels.assign(term=[f"c{i}", f"x{i}"]))
               for i, part in enumerate(parts)]  # fmt: skip
    both = quietly(lambda: wg.join(*renamed), CovarianceWarning)
    values = np.linalg.eigvalsh(both.covariance / np.outer(both.bse, both.bse))
    assert values[0] > -1e-12
    gap = both.test("x1 - x0")
    assert gap.std_error[0] > 0


def test_a_contrast_without_variance_is_refused_and_never_small(rows):
    # one coefficient, its variance negative: nothing is left
    frame = rows.assign(x=rows["x"] - rows["x"].mean(), y=rows["y"] - rows["y"].mean())
    result = fit(frame, "y ~ x - 1")
    assert raw(frame, "y ~ x - 1", TWO_WAY)[0, 0] < 0
    assert result.bse.isna().all()
    assert result.pvalues.isna().all()
    assert "0.000" not in result.summary().split("Covariance")[0]
    with pytest.raises(CovarianceError, match=r"1 of 1 contrasts had a negative variance.*rank here is 0 of 1"):
        result.test("x = 0")
    # of two, the combination that had the negative variance
    two = fit(rows)
    source = two.estimates.sources[0]
    metric, matrix = source._repaired.metric, source.covariance()
    direction = np.linalg.eigh(np.linalg.solve(np.linalg.cholesky(metric), matrix) @
                               np.linalg.inv(np.linalg.cholesky(metric)).T)[1][:, 0]  # fmt: skip
    contrast = np.linalg.solve(np.linalg.cholesky(metric).T, direction)
    with pytest.raises(CovarianceError, match="rank here is 0 of 1"):
        two.test(contrast[None])
    # and beside one that has a variance
    with pytest.raises(CovarianceError, match="1 of 2 contrasts had a negative variance"):
        two.test(np.vstack([contrast, [1.0, 0.0]]))
    with pytest.raises(IdentificationError, match="rank 1"):
        two.test(["x = 0", "Intercept = 0"])


def test_a_singular_joint_test_says_its_rank(rows):
    frame = rows.assign(z=rows["x"] ** 2)
    few = quietly(lambda: wg.fit_linear(frame.assign(c=frame["a"] % 2), "y ~ x + z", cov="CR1:c"))
    with pytest.raises(IdentificationError, match="the 2 hypotheses has rank 1"):
        few.test(["x = 0", "z = 0"])
    result = wg.fit_linear(frame, "y ~ x + z")
    for doubled in (["x = 0", "x = 0"], ["x = 0", "2 * x = 0"], ["x = 0", "z = 0", "x + z = 0"]):
        with pytest.raises(IdentificationError, match=f"the {len(doubled)} hypotheses has rank {len(doubled) - 1}"):
            result.test(doubled)
    # units do not decide what is singular
    small = wg.fit_linear(frame.assign(z=1e9 * frame["z"]), "y ~ x + z")
    assert small.test(["x = 0", "z = 0"]).p_value == pytest.approx(result.test(["x = 0", "z = 0"]).p_value, rel=1e-8)


def test_unknown_repairs_are_refused():
    for cov in (
        lambda: wg.cov.Robust("CR1", ("a", "b"), repair="eigen"),
        lambda: wg.cov.Dyadic("a", "b", repair="eigen"),
        lambda: wg.cov.Conley("lat", "lon", 10, repair="eigen"),
    ):
        with pytest.raises(OptionError, match="Did you mean 'eigenvalue'"):
            cov()


def shared_workers(seed, shift=0.0, scale=1.0):
    """A link whose rates share errors far beyond what their residuals show, as of workers who stand in many cells."""
    rng = np.random.default_rng(seed)
    premium, noise = rng.normal(0.15, 0.08, 12), rng.normal(0, 0.004, 12)
    common, pair = rng.normal(size=(12, 1)), 0.03 * rng.normal(size=(12, 2))
    of_rates = 0.0009 * common @ common.T / np.abs(common).max() ** 2 + 1e-6 * np.eye(12)
    keys = pd.DataFrame({"iso3": [f"C{i}" for i in range(12)]})
    rates = wg.Estimates.from_table(
        keys.assign(b=0.12 - 0.2 * premium + noise), term="emigration", unit="share", vcov=of_rates
    )
    premiums = wg.Estimates.from_table(
        keys.assign(b=premium), term="ai", unit="log", vcov=0.3 * pair @ pair.T + 1e-4 * np.eye(12)
    )
    data = keys.assign(g=scale * (np.random.default_rng(7).normal(size=12) + shift))
    return wg.fit_link("emigration ~ premium + g", rates, premiums, data=data, method="eiv", force=True)


@pytest.mark.filterwarnings("ignore:reliability:wagegap.errors.ReliabilityWarning")
def test_links_of_cells_that_share_workers():
    with pytest.warns(CovarianceWarning, match="cells that share workers leave") as found:
        link = shared_workers(2)
    assert len([one for one in found if one.category is CovarianceWarning]) == 1
    values = np.linalg.eigvalsh(link.cov_params() / np.outer(link.bse, link.bse))
    assert values[0] > -1e-10
    recoded = quietly(lambda: shared_workers(2, shift=5.0, scale=100.0), CovarianceWarning)
    assert recoded.bse["premium"] == pytest.approx(link.bse["premium"], rel=1e-8)
    assert 100 * recoded.bse["g"] == pytest.approx(link.bse["g"], rel=1e-8)


@pytest.mark.parametrize("scale", [1.0, 1e-6, 1e6])
def test_stated_covariances_are_held_to_it_in_any_unit(scale):
    frame = pd.DataFrame({"iso3": ["KOR", "USA", "JPN"], "b": [0.1, 0.2, 0.3]})
    units = np.diag([scale, scale, 1.0])
    v = np.array([[1.0, 0.9, 0], [0.9, 1.0, 0], [0, 0, 1.0]])
    assert wg.Estimates.from_table(frame, term="ai", vcov=units @ v @ units).bse["JPN"] == 1
    v[0, 1] = v[1, 0] = 1.1
    with pytest.raises(CovarianceError, match="not positive semidefinite: the smallest"):
        wg.Estimates.from_table(frame, term="ai", vcov=units @ v @ units)


def test_what_cancels_but_for_rounding_has_no_variance_and_what_is_negative_has_no_error():
    v = np.array([[1.0, 1.0], [1.0, 1.0]]) / 3
    v[1, 1] -= 1e-16
    labels = pd.DataFrame({"term": ["gap"], "unit": "none", "comparison": ""})
    for shift, error in ((0.0, 0.0), (-1e-6, np.nan)):
        source = wg.Estimates.from_table(
            pd.DataFrame({"iso3": ["KOR", "USA"], "b": [0.1, 0.2]}), term="ai", vcov=v
        ).sources[0]
        stated = type(source)("s", source.matrix + np.array([[shift, 0], [0, 0]]))
        gap = wg.Estimates(labels, np.array([0.1]), (stated,), (np.array([[1.0, -1.0]]),))
        np.testing.assert_array_equal(gap.bse, [error])
