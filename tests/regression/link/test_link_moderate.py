"""Whether a slope differs with traits: by hand, with estimated traits, and in a future that is asked for."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import wagegap as wg
from wagegap.errors import CovarianceError, DataError, MissingValueError, OptionError, ReliabilityError
from wagegap.regression.link.estimators.moments import precision_weights
from wagegap.regression.link.questions.traits import named_traits, with_interactions

pytestmark = pytest.mark.filterwarnings("ignore::wagegap.errors.ReliabilityWarning")

NAMES = [f"C{i:02d}" for i in range(40)]


def table(values, variances, term):
    frame = pd.DataFrame({"iso3": NAMES[: len(values)], "b": values, "se": np.sqrt(variances)})
    return wg.Estimates.from_table(frame, std_error="se", term=term)


def world(seed=0, differs=0.0, noise=0.15, trait_noise=0.0):
    """Premiums, rates and traits of countries: arrays, and the link."""
    rng = np.random.default_rng(seed)
    v, s = rng.uniform(0.3, 1.7, 40) * noise, rng.uniform(0.3, 1.7, 40) * trait_noise
    true, trait, other = rng.standard_normal((3, 40))
    p, m = true + np.sqrt(v) * rng.standard_normal(40), trait + np.sqrt(s) * rng.standard_normal(40)
    y = 1 + true + 0.5 * trait + differs * true * trait + 0.5 * rng.standard_normal(40)
    data = pd.DataFrame({"iso3": NAMES, "trait": trait, "other": other})
    link = wg.fit_link(
        "r ~ premium", table(y, np.full(40, np.nan), "r"), table(p, v, "premium"), data=data, method="moments",
        force=True,
    )  # fmt: skip
    return link, table(m, s, "trait"), data


def corrected_by_hand(y, columns, noise, weights, exact):
    """(A - sum_c M_cc N_c)^-1 B with M = W - W Z (Z'W Z)^-1 Z'W, errors independent across rows."""
    w, z, x = np.diag(weights), exact, np.column_stack(columns)
    m = w - w @ z @ np.linalg.inv(z.T @ w @ z) @ z.T @ w
    inside = x.T @ m @ x - np.einsum("c,cij->ij", np.diag(m), noise)
    return np.linalg.solve(inside, x.T @ m @ y)


def test_moderation_is_the_weighted_regression_written_down():
    link, _, data = world()
    answer = link.moderate("trait")
    low, high = np.quantile(data["trait"], [0.25, 0.75])
    m = (data["trait"].to_numpy() - 0.5 * (low + high)) / (high - low)
    p, v = link.cells.p[:, 0], np.diag(link.cells.block(1, 1))
    noise = np.array([v_c * np.array([[1.0, m_c], [m_c, m_c**2]]) for v_c, m_c in zip(v, m, strict=True)])
    weights = precision_weights(link.setup.problem)
    b, d = corrected_by_hand(link.cells.y, [p, p * m], noise, weights, np.column_stack([np.ones(40), m]))
    assert answer.difference == pytest.approx(d, rel=1e-8)
    assert answer.slopes == pytest.approx((b - d / 2, b + d / 2), rel=1e-8)
    parts = []
    for i in range(40):
        k = np.arange(40) != i
        exact = np.column_stack([np.ones(39), m[k]])
        parts.append(corrected_by_hand(link.cells.y[k], [p[k], (p * m)[k]], noise[k], weights[k], exact)[1])
    assert answer.std_error == pytest.approx(np.sqrt(39 * np.var(parts)), rel=1e-8)
    assert answer.df == 36
    answer.plot().figure.canvas.draw()


def test_the_error_of_a_product_of_estimates_is_without_bias():
    """The mean of q q' less its stated error, over draws of related errors, is the product of the truths."""
    rng = np.random.default_rng(5)
    true, trait = np.array([0.5, -1.0, 0.3, 0.9]), np.array([1.0, 0.4, -0.7, 0.2])
    root = 0.4 * rng.standard_normal((8, 8))
    cov = root @ root.T
    left, total = [], np.zeros((3, 3, 4, 4))
    draws = 20_000
    for e in rng.standard_normal((draws, 8)) @ root.T:
        p, m = true + e[:4], trait + e[4:]
        v = cov.reshape(2, 4, 2, 4).swapaxes(1, 2)
        problem = interaction_arrays(p, m, v)
        total += problem
    product = true * trait
    for i, one in enumerate((true, trait, product)):
        for j, other in enumerate((true, trait, product)):
            left.append(np.max(np.abs(total[i, j] / draws - np.outer(one, other))))
    # Standard deviations of the products are up to about 6: five Monte Carlo errors.
    assert max(left) < 5 * 6 / np.sqrt(draws)


def interaction_arrays(p, m, v):
    """x_i x_j' less the error covariance that the questions state, for premium, trait and their product."""
    from wagegap.regression.link.questions.traits import _block

    factors = np.column_stack([np.zeros_like(m), m])
    kinds = ((False, 0), (False, 1), (True, 1))
    columns = (p, m, p * m - np.diag(v[0, 1]))
    return np.array(
        [
            [np.outer(a, b) - _block(v, p, factors, one, other) for b, other in zip(columns, kinds, strict=True)]
            for a, one in zip(columns, kinds, strict=True)
        ]
    )


def test_a_trait_estimated_without_error_is_an_exact_one():
    link, _, data = world()
    exact, estimated = link.moderate("trait"), link.moderate(table(data["trait"].to_numpy(), np.zeros(40), "trait"))
    assert estimated.trait == "trait"
    assert estimated.difference == pytest.approx(exact.difference, rel=1e-9)
    assert estimated.std_error == pytest.approx(exact.std_error, rel=1e-9)


def test_an_estimated_trait_is_corrected_for_its_error():
    """The naive difference is too small by the trait's error; with that known it is not."""
    naive, corrected = [], []
    for seed in range(40):
        link, estimates, data = world(seed, differs=0.6, trait_noise=0.3)
        noisy = data.assign(trait=estimates.values)
        width = float(np.subtract(*np.quantile(estimates.values, [0.75, 0.25])))
        naive.append(link.moderate("trait", data=noisy, force=True).difference / width)
        corrected.append(link.moderate({"trait": estimates}, force=True).difference / width)
    error = np.std(corrected) / np.sqrt(40) * 1.25
    assert abs(np.median(corrected) - 0.6) < 3 * error
    assert np.median(naive) < 0.6 - 3 * np.std(naive) / np.sqrt(40) * 1.25


def test_moderation_knows_no_units_and_no_order():
    link, _, data = world(differs=0.4)
    answer = link.moderate("trait")
    moved = link.moderate("trait", data=data.assign(trait=30 - 5 * data["trait"]))
    assert moved.difference == pytest.approx(-answer.difference, rel=1e-9)
    assert moved.std_error == pytest.approx(answer.std_error, rel=1e-9)
    shuffled = link.moderate("trait", data=data.sample(frac=1.0, random_state=1))
    assert shuffled.difference == pytest.approx(answer.difference, rel=1e-12)


def test_several_traits_at_once():
    link, _, data = world(differs=0.8)
    answer = link.moderate(["trait", "other"], force=True)
    assert [effect.trait for effect in answer.effects] == ["trait", "other"]
    assert answer.effects[0].low > 0
    assert answer.effects[1].low < 0 < answer.effects[1].high
    assert len(answer.tidy()) == 6
    p, m = link.cells.p[:, 0], []
    for name in ("trait", "other"):
        low, high = np.quantile(data[name], [0.25, 0.75])
        m.append((data[name].to_numpy() - 0.5 * (low + high)) / (high - low))
    v = np.diag(link.cells.block(1, 1))
    factor = np.column_stack([np.ones(40), *m])
    noise = v[:, None, None] * factor[:, :, None] * factor[:, None, :]
    b = corrected_by_hand(link.cells.y, list(p * factor.T), noise, precision_weights(link.setup.problem), factor)
    assert [effect.difference for effect in answer.effects] == pytest.approx(b[1:], rel=1e-7)


# projections ---------------------------------------------------------------------------------------------------------


def test_a_further_country_at_a_quartile_has_its_slope():
    link, _, data = world(differs=0.4)
    answer = link.moderate("trait", at={"trait": float(np.quantile(data["trait"], 0.75))})
    row = answer.projections.iloc[0]
    assert row["slope"] == pytest.approx(answer.slopes[1], rel=1e-9)
    assert row["slope_high"] == pytest.approx(answer.tidy()["conf_high"].iloc[1], rel=1e-9)
    assert not row["extrapolates"]
    assert row["rate_low"] < row["rate"] < row["rate_high"]
    far = link.moderate("trait", at={"trait": 40.0})
    assert far.projections["extrapolates"].all()
    assert "an extrapolation" in far.in_words()
    assert far.projections["slope_high"].iloc[0] - far.projections["slope_low"].iloc[0] > 10 * (
        row["slope_high"] - row["slope_low"]
    )


def test_countries_in_their_future():
    link, _, data = world(differs=0.4)
    same = link.moderate("trait", at=data).projections
    np.testing.assert_allclose(same["rate"], link.cells.y, rtol=1e-12)
    np.testing.assert_allclose(same["rate_high"], link.cells.y, rtol=1e-12)
    older = link.moderate("trait", at=data.assign(trait=data["trait"] + 0.5))
    rows = older.projections
    assert rows["cell"].tolist() == NAMES
    assert (rows["rate_high"] - rows["rate_low"] > 0).all()
    assert "more are in .projections" in older.in_words()


def test_the_rate_of_a_further_country_is_covered():
    """A country of average premium drawn anew: its true rate, not the line, is in the interval."""
    held = []
    for seed in range(60):
        link, *_ = world(seed, differs=0.3)
        row = link.moderate("trait", at={"trait": 0.5}, force=True).projections.iloc[0]
        premium = link.cells.p[:, 0].mean()
        rng = np.random.default_rng([seed, 1])
        rate = 1 + premium + 0.25 + 0.3 * premium * 0.5 + 0.5 * rng.standard_normal()
        held.append(row["rate_low"] <= rate <= row["rate_high"])
    assert np.mean(held) >= 0.93 - 3 * np.sqrt(0.93 * 0.07 / 60)


# bad input -----------------------------------------------------------------------------------------------------------


def test_traits_that_cannot_be_used_are_said():
    link, estimates, data = world(trait_noise=0.2)
    with pytest.raises(DataError, match="quartiles do not differ"):
        link.moderate("flat", data=data.assign(flat=1.0))
    with pytest.raises(CovarianceError, match="unknown is not zero"):
        link.moderate(table(np.arange(40.0), np.full(40, np.nan), "t"))
    with pytest.raises(MissingValueError, match="missing in 10 of 40 cells"):
        link.moderate(table(np.arange(30.0), np.ones(30), "t"))
    with pytest.raises(OptionError, match="Did you mean 'trait'"):
        link.moderate("trait", at={"triat": 1.0})
    with pytest.raises(OptionError, match="finite number"):
        link.moderate("trait", at={"trait": float("nan")})
    with pytest.raises(OptionError, match="name of a column"):
        link.moderate(3)
    with pytest.raises(OptionError, match="a name of its own"):
        link.moderate(["trait", estimates], force=True)
    with pytest.raises(ReliabilityError, match="cannot be told"):
        world(noise=3.0)[0].moderate("trait")


def test_a_trait_among_the_controls_is_not_counted_twice():
    link = world(differs=0.4)[0]
    controlled = link.call.again(formula="r ~ premium + trait")
    one, other = link.moderate("trait"), controlled.moderate("trait")
    assert other.difference == pytest.approx(one.difference, rel=1e-9)
    assert other.df == one.df
    model = with_interactions(controlled, named_traits(controlled, "trait", None))
    assert model.traits[0] is not None
