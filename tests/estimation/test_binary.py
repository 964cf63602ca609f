"""Binary response: agreement with other software, many fits at once, separation and collinear columns."""

from __future__ import annotations

import numpy as np
import pytest
import statsmodels.api as sm
from hypothesis import given, settings
from hypothesis import strategies as st

from wagegap.errors import DataError, IdentificationError, OptionError
from wagegap.estimation.least_squares.lstsq import fit_lstsq
from wagegap.estimation.likelihood.binary import LINKS, fit_binary, fit_binary_many, probability, score, slope
from wagegap.estimation.likelihood.newton import solve_scaled

CURVED = ("logit", "probit", "cloglog")


def draw(n=800, k=5, seed=0, link="logit"):
    rng = np.random.default_rng(seed)
    x = np.column_stack([np.ones(n), rng.normal(size=(n, k - 2)), rng.integers(2, size=n)])
    index = x @ rng.normal(scale=0.4, size=k) - 0.3
    y = (rng.random(n) < probability(index, link)).astype(float)
    return y, x, rng.exponential(size=n), rng.normal(scale=0.2, size=n)


def statsmodels_fit(y, x, w, link, offset=None):
    family = {"logit": sm.families.links.Logit, "probit": sm.families.links.Probit,
              "cloglog": sm.families.links.CLogLog}[link]  # fmt: skip
    model = sm.GLM(y, x, family=sm.families.Binomial(family()), var_weights=w, offset=offset)
    return model.fit(tol=1e-14, maxiter=300)


# agreement -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("link", CURVED)
@pytest.mark.parametrize("weighted", [False, True])
def test_agrees_with_statsmodels(link, weighted):
    y, x, w, offset = draw(link=link)
    w = w if weighted else None
    fit, other = fit_binary(y, x, w, link, offset=offset), statsmodels_fit(y, x, w, link, offset)
    np.testing.assert_allclose(fit.params, other.params, rtol=1e-8, atol=1e-10)
    np.testing.assert_allclose(fit.probabilities, other.fittedvalues, rtol=1e-8)
    np.testing.assert_allclose(fit.loglik, other.llf, rtol=1e-10)
    np.testing.assert_allclose(fit.inverse_information(x, "expected"), other.cov_params(), rtol=1e-7, atol=1e-12)
    observed = -np.linalg.inv(other.model.hessian(other.params, scale=1.0, observed=True))
    np.testing.assert_allclose(fit.bread, observed, rtol=1e-6, atol=1e-10)


@pytest.mark.parametrize("link", CURVED)
def test_influence_makes_the_sandwich_of_statsmodels(link):
    y, x, _, _ = draw(link=link)
    fit = fit_binary(y, x, link=link)
    model = {"logit": sm.Logit, "probit": sm.Probit}.get(link)
    influence = fit.influence(x)
    np.testing.assert_allclose(influence.sum(axis=0), 0, atol=1e-9)
    if model is not None:  # statsmodels' cloglog knows no sandwich by the observed information
        other = model(y, x).fit(disp=0, tol=1e-12, cov_type="HC0")
        np.testing.assert_allclose(influence.T @ influence, other.cov_params(), rtol=1e-6, atol=1e-12)


@pytest.mark.parametrize("link", CURVED)
def test_influence_is_the_derivative_in_the_weights(link):
    y, x, w, _ = draw(n=150, k=3, link=link)
    influence = fit_binary(y, x, w, link).influence(x)
    for i in (0, 7, 101):
        step = np.zeros(len(w))
        step[i] = 1e-4 * w[i]
        up, down = (fit_binary(y, x, w + s * step, link).params for s in (1, -1))
        np.testing.assert_allclose((up - down) / 2e-4, influence[i], rtol=1e-5, atol=1e-9)


def test_linear_probability_is_least_squares():
    y, x, w, _ = draw()
    fit, other = fit_binary(y, x, w, "lpm"), fit_lstsq(y, x, w)
    np.testing.assert_array_equal(fit.params, other.params)
    np.testing.assert_allclose(fit.residuals, other.residuals, atol=1e-14)
    many = fit_binary_many(y, x, np.stack([w, np.ones(len(w))]), "lpm")
    np.testing.assert_allclose(many.params[0], other.params, rtol=1e-10)
    assert many.converged.all()


def test_agrees_with_r_on_person_periods(facts, lung_periods):
    """R 4.2.2 glm, epsilon 1e-14; errors by the expected information."""
    rows, values = lung_periods, facts("glm")["discrete_hazard_lung_cloglog"]
    periods = np.eye(8)[rows["t"].to_numpy() - 1][:, 1:]
    x = np.column_stack([np.ones(len(rows)), rows["age"], rows["female"], periods])
    fit = fit_binary(rows["event"].to_numpy(float), x, link="cloglog")
    np.testing.assert_allclose(fit.params, values["b"], rtol=1e-8)
    np.testing.assert_allclose(np.sqrt(np.diag(fit.inverse_information(x, "expected"))), values["se"], rtol=1e-6)
    np.testing.assert_allclose(fit.loglik, values["ll"], rtol=1e-10)


def test_shares_of_cells_equal_their_rows():
    """Admissions to Berkeley in 1973 by sex and department (Bickel, Hammel and O'Connell 1975)."""
    yes = np.array([512, 89, 353, 17, 120, 202, 138, 131, 53, 94, 22, 24], dtype=float)
    no = np.array([313, 19, 207, 8, 205, 391, 279, 244, 138, 299, 351, 317], dtype=float)
    x = np.column_stack([np.tile([0.0, 1.0], 6), np.eye(6)[np.repeat(np.arange(6), 2)]])
    cells = fit_binary(yes / (yes + no), x, yes + no)
    rows = np.repeat(np.arange(12), (yes + no).astype(int))
    y = np.concatenate([np.repeat([1.0, 0.0], [int(a), int(b)]) for a, b in zip(yes, no, strict=True)])
    np.testing.assert_allclose(fit_binary(y, x[rows]).params, cells.params, rtol=1e-9)
    np.testing.assert_allclose(fit_binary(y, x[rows]).bread, cells.bread, rtol=1e-9, atol=1e-14)


@pytest.mark.parametrize("link", LINKS)
def test_slope_and_score_are_derivatives(link):
    index, h = np.linspace(-3, 2, 21), 1e-6
    np.testing.assert_allclose(
        slope(index, link), (probability(index + h, link) - probability(index - h, link)) / (2 * h), rtol=1e-7
    )
    p, f = probability(index, link), slope(index, link)
    if link != "lpm":
        np.testing.assert_allclose(score(index, np.ones(21), link), f / p, rtol=1e-10)
        np.testing.assert_allclose(score(index, np.zeros(21), link), -f / (1 - p), rtol=1e-10)


@pytest.mark.parametrize("link", LINKS)
def test_far_indices_stay_finite(link):
    index = np.array([-1e3, -50.0, 50.0, 1e3])
    for values in (probability(index, link), slope(index, link), score(index, np.ones(4), link)):
        assert np.isfinite(values).all()


@pytest.mark.parametrize("link", CURVED)
def test_bad_starts_do_no_harm(link):
    y, x, w, _ = draw(link=link)
    good = fit_binary(y, x, w, link)
    far = fit_binary(y, x, w, link, start=good.params + np.array([6.0, -5.0, 4.0, 3.0, -3.0]))
    np.testing.assert_allclose(far.params, good.params, rtol=1e-8)
    assert fit_binary(y, x, w, link, start=good.params).steps <= 2


# many fits -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("link", CURVED)
@pytest.mark.parametrize("reps", [3, 12])
def test_many_weights_equal_one_by_one(link, reps):
    y, x, w, offset = draw(link=link)
    weights = w * np.random.default_rng(1).multinomial(len(y), np.full(len(y), 1 / len(y)), size=reps)
    start = fit_binary(y, x, w, link, offset=offset).params
    many = fit_binary_many(y, x, weights, link, offset=offset, start=start)
    assert many.converged.all()
    for params, own in zip(many.params, weights, strict=True):
        np.testing.assert_allclose(params, fit_binary(y, x, own, link, offset=offset).params, rtol=1e-7, atol=1e-9)


@pytest.mark.parametrize("link", LINKS)
def test_many_outcomes_equal_one_by_one(link):
    rng = np.random.default_rng(2)
    x = np.column_stack([np.ones(600), rng.normal(size=(600, 3))])
    latent = x @ np.array([0.0, 0.5, -0.3, 0.2]) + rng.logistic(size=600)
    outcomes = (latent <= np.linspace(-1.5, 1.5, 9)[:, None]).astype(float)
    many = fit_binary_many(outcomes, x, link=link)
    assert many.converged.all()
    for params, y in zip(many.params, outcomes, strict=True):
        np.testing.assert_allclose(params, fit_binary(y, x, link=link).params, rtol=1e-7, atol=1e-9)


def test_one_step_from_the_full_sample_is_close():
    y, x, _, _ = draw(n=4000)
    start = fit_binary(y, x).params
    weights = np.random.default_rng(3).multinomial(4000, np.full(4000, 1 / 4000), size=8)
    one = fit_binary_many(y, x, weights.astype(float), start=start, steps=1)
    full = fit_binary_many(y, x, weights.astype(float), start=start)
    assert one.steps == 1
    assert np.abs(one.params - full.params).max() < 0.1 * np.abs(full.params - start).max()


def test_blocks_do_not_change_the_numbers():
    y, x, w, _ = draw(n=20_000, k=12)
    weights = np.stack([w] * 6)
    np.testing.assert_allclose(fit_binary_many(y, x, weights).params[3], fit_binary(y, x, w).params, rtol=1e-9)


def test_a_replicate_without_information_on_a_column_leaves_it():
    y, x, _, _ = draw(n=300, k=3)
    level = np.r_[np.ones(10), np.zeros(290)]
    y[:10] = [0, 1] * 5
    weights = np.stack([np.ones(300), 1 - level])
    fits = fit_binary_many(y, np.column_stack([x, level]), weights)
    assert fits.converged.all()
    np.testing.assert_allclose(fits.params[1, :3], fit_binary(y[10:], x[10:]).params, rtol=1e-7)


# separation and collinear columns ------------------------------------------------------------------------------------


@pytest.mark.parametrize("link", CURVED)
@pytest.mark.parametrize("value", [0.0, 1.0])
def test_separation_names_the_column(link, value):
    y, x, _, _ = draw(n=400, k=3)
    level = np.r_[np.ones(12), np.zeros(388)]
    y[:12] = value
    with pytest.raises(IdentificationError, match=r"separated: small predicts the outcome of 12 of 400 rows"):
        fit_binary(y, np.column_stack([x, level]), link=link, names=["1", "age", "female", "small"])
    fit = fit_binary(y, np.column_stack([x, level]), link=link, separation="report")
    np.testing.assert_array_equal(fit.separation.columns, [3])
    np.testing.assert_array_equal(fit.separation.rows, np.arange(12))
    inside = fit_binary(y[12:], x[12:], link=link)
    np.testing.assert_allclose(fit.params[:3], inside.params, rtol=1e-4, atol=1e-5)
    many = fit_binary_many(y, np.column_stack([x, level]), np.ones((3, 400)), link)
    assert not many.converged.any()


@pytest.mark.parametrize("link", CURVED)
def test_complete_separation_and_constant_outcomes(link):
    _, x, _, _ = draw(n=400, k=3)
    with pytest.raises(IdentificationError, match="age"):
        fit_binary((x[:, 1] > 0.2).astype(float), x, link=link, names=["1", "age", "female"])
    with pytest.raises(IdentificationError, match="400 of 400 rows"):
        fit_binary(np.ones(400), x, link=link)


@pytest.mark.parametrize("link", CURVED)
def test_rare_outcomes_are_not_called_separated(link):
    y, x, _, _ = draw(n=3000, k=3)
    level = np.r_[np.ones(200), np.zeros(2800)]
    y[:200] = 0
    y[17] = 1
    fit = fit_binary(y, np.column_stack([x[:, :1], level]), link=link)
    np.testing.assert_allclose(fit.probabilities[0], 1 / 200, rtol=1e-9)


@pytest.mark.parametrize("link", LINKS)
def test_collinear_columns_are_set_aside(link):
    y, x, w, _ = draw(link="logit")
    wide = np.column_stack([x, x[:, 1] - 2 * x[:, 2], np.zeros(len(y))])
    fit, narrow = fit_binary(y, wide, w, link), fit_binary(y, x, w, link)
    assert [c.column for c in fit.collinear] == [5, 6]
    assert np.isnan(fit.params[5:]).all()
    np.testing.assert_allclose(fit.params[:5], narrow.params, rtol=1e-8)
    np.testing.assert_allclose(fit.bread[:5, :5], narrow.bread, rtol=1e-8)
    assert not fit.bread[5:].any()
    made = dict(fit.collinear[0].made_of)
    np.testing.assert_allclose([made[1], made[2]], [1, -2])


@pytest.mark.parametrize("link", CURVED)
def test_nearly_collinear_columns_keep_their_digits(link):
    y, x, _, _ = draw()
    years = np.column_stack([x[:, 0], 2005 + 1e-3 * x[:, 1], x[:, 2:]])
    fit, plain = fit_binary(y, years, link=link), fit_binary(y, x, link=link)
    np.testing.assert_allclose(fit.probabilities, plain.probabilities, rtol=1e-9)
    np.testing.assert_allclose(fit.params[1] * 1e-3, plain.params[1], rtol=1e-8)
    np.testing.assert_allclose(fit.bread[1, 1] * 1e-6, plain.bread[1, 1], rtol=1e-7)


# invariances ---------------------------------------------------------------------------------------------------------


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 10_000), link=st.sampled_from(CURVED), scale=st.floats(1e-6, 1e6))
def test_invariances(seed, link, scale):
    y, x, _, _ = draw(n=250, k=4, seed=seed)
    times = np.random.default_rng(seed).integers(1, 4, size=250)
    weighted = fit_binary(y, x, times.astype(float), link)
    again = np.repeat(np.arange(250), times)
    np.testing.assert_allclose(fit_binary(y[again], x[again], link=link).params, weighted.params, rtol=1e-7, atol=1e-9)
    np.testing.assert_allclose(fit_binary(y, x, times * scale, link).params, weighted.params, rtol=1e-7, atol=1e-9)
    order = np.random.default_rng(seed).permutation(250)
    shuffled = fit_binary(y[order], x[order], times[order].astype(float), link)
    np.testing.assert_allclose(shuffled.params, weighted.params, rtol=1e-7, atol=1e-9)
    units = fit_binary(y, x * np.array([1, scale, 1, 1]), times.astype(float), link)
    np.testing.assert_allclose(units.params[1] * scale, weighted.params[1], rtol=1e-7, atol=1e-9)


@pytest.mark.parametrize("link", ["logit", "probit"])
def test_swapping_the_outcome_turns_the_signs(link):
    y, x, w, _ = draw()
    np.testing.assert_allclose(fit_binary(1 - y, x, w, link).params, -fit_binary(y, x, w, link).params, rtol=1e-8)


# bad input -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        (dict(y=np.r_[2.0, np.zeros(799)]), DataError, "1 of 800 values"),
        (dict(y=np.r_[np.nan, np.zeros(799)]), DataError, "1 of 800 values"),
        (dict(weights=np.r_[-1.0, np.ones(799)]), DataError, "1 of 800 weights are negative"),
        (dict(weights=np.zeros(800)), DataError, "sum to zero"),
        (dict(link="logitt"), OptionError, "Did you mean 'logit'"),
    ],
)
def test_bad_input(change, error, words):
    y, x, w, _ = draw()
    call = {"y": y, "x": x, "weights": w, "link": "logit", **change}
    with pytest.raises(error, match=words):
        fit_binary(**call)


def test_systems_with_a_ridge_by_hand():
    """(D A D + r I) z = D b, D the lengths of the diagonal: x = D z."""
    a, b, ridge = np.array([[4.0, 1.0], [1.0, 9.0]]), np.array([1.0, 2.0]), 0.25
    d = np.diag(1 / np.sqrt(np.diag(a)))
    expected = d @ np.linalg.solve(d @ a @ d + ridge * np.eye(2), d @ b)
    np.testing.assert_allclose(solve_scaled(a[None], b[None], ridge=ridge)[0], expected, rtol=1e-12)
