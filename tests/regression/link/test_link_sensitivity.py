"""What assumed errors make of a slope: Klepper and Leamer's bounds, the curve, the premium that turns a sign."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import wagegap as wg
from wagegap.errors import ColumnError, DataError, IdentificationError, OptionError
from wagegap.regression.link.questions.sensitivity import correlated_slope, klepper_leamer, tipping_premiums

pytestmark = pytest.mark.filterwarnings("ignore::wagegap.errors.ReliabilityWarning")


@pytest.fixture(scope="module")
def published():
    """The six published premiums against net migration: no error is known of either."""
    return wg.fit_link("net_migration ~ premium", wg.datasets.talent_migration("ai"), wg.datasets.published_premiums())


@pytest.fixture(scope="module")
def answer(published):
    return published.sensitivity(correlations=[0.0, 0.5])


def estimates(p, y, unit="none", rate_unit="none", se=None):
    names = [f"C{i:02d}" for i in range(len(p))]
    tables = (("premium", p, unit, se), ("r", y, rate_unit, None))
    premium, rate = (
        wg.Estimates.from_table(
            pd.DataFrame({"cell": names, "b": values, "se": np.nan if error is None else error}),
            by=["cell"], term=term, unit=given,
        )
        for term, values, given, error in tables
    )  # fmt: skip
    return rate, premium


def test_the_six_published_premiums(answer):
    # link_audit.md, section D: bounds per point
    np.testing.assert_allclose(answer.bounds, [16.1, 39.5], rtol=5e-3)
    assert answer.naive == pytest.approx(answer.bounds[0])
    tipping = answer.tipping.set_index("cell")
    # 19.8 to three digits of a grid; the root itself is 19.862
    assert tipping.loc["KOR", "tipping"] == pytest.approx(19.862, abs=1e-3)
    assert tipping["within"].tolist() == [name == "KOR" for name in tipping.index]
    others = tipping.drop(index="KOR")["tipping"]
    # AUS is at -1.2 and FRA at 36.8; the range of the six is 6 to 25
    assert ((others < -1) | (others > 36)).all()


def test_restricted_likelihood_under_assumed_errors(published):
    """Intervals that the audit gives for standard errors of half a point to three points."""
    curve = published.sensitivity(std_errors=[0.5, 1, 2, 3, 4], correlations=0).curve
    assert curve["conf_low"].round(1).tolist()[:4] == [-10.9, -11.1, -12.2, -14.7]
    assert curve["conf_high"].round(1).tolist()[:4] == [43.3, 44.2, 49.0, 87.4]
    assert np.isinf(curve["conf_high"].iloc[4])


def test_without_assumed_error_it_is_least_squares(published, answer):
    first = answer.curve[answer.curve["std_error"] == 0]
    np.testing.assert_allclose(first["estimate"], published.naive().slope, rtol=1e-12)
    np.testing.assert_allclose(first["conf_low"], published.naive().slope_interval()[0], rtol=1e-12)


def test_at_its_tipping_premium_the_naive_slope_is_zero():
    rng = np.random.default_rng(0)
    p, z = rng.normal(size=12), rng.normal(size=12)
    y = 0.4 * p + z + rng.normal(size=12)
    controls = np.column_stack([np.ones(12), z])
    for c, tip in enumerate(tipping_premiums(y, p, controls)):
        moved = np.where(np.arange(12) == c, tip, p)
        slope = np.linalg.lstsq(np.column_stack([moved, controls]), y, rcond=None)[0][0]
        assert abs(slope) < 1e-10


def test_bounds_are_of_what_the_controls_leave():
    rng = np.random.default_rng(1)
    p, z = rng.normal(size=15), rng.normal(size=15)
    y = -0.7 * p + z + 0.5 * rng.normal(size=15)
    controls = np.column_stack([np.ones(15), z])
    left = [v - controls @ np.linalg.lstsq(controls, v, rcond=None)[0] for v in (p, y)]
    expected = sorted([left[0] @ left[1] / (left[0] @ left[0]), left[1] @ left[1] / (left[0] @ left[1])])
    np.testing.assert_allclose(klepper_leamer(y, p, controls), expected, rtol=1e-10)
    assert klepper_leamer(np.array([1.0, 0.0, 0.0, 1.0]), np.array([-1.0, 1.0, -1.0, 1.0]), np.ones((4, 1))) == (
        -np.inf, np.inf,
    )  # fmt: skip


@pytest.mark.parametrize("r", [-0.6, -0.2, 0.0, 0.3, 0.7])
def test_a_correlated_error_is_corrected_for(r):
    """Variances of a world whose slope, error and correlation are known give that slope back."""
    b, sigma, s, w = 1.5, 1.0, 0.6, 0.8
    moments = (sigma**2 + s**2, b * sigma**2 + r * s * w, b**2 * sigma**2 + w**2)
    assert correlated_slope(moments, s, r) == pytest.approx(b, rel=1e-12)
    assert np.isnan(correlated_slope(moments, 2.0, r))


def test_units_and_order_do_not_matter():
    rng = np.random.default_rng(3)
    p = rng.uniform(5, 25, 12)
    y = 3 * p + rng.normal(0, 30, 12)
    first = wg.fit_link("r ~ premium", *estimates(p, y)).sensitivity(std_errors=[2.0], correlations=0.3)
    order = rng.permutation(12)
    other = wg.fit_link("r ~ premium", *estimates(p[order] / 100, 10 * y[order])).sensitivity(
        std_errors=[0.02], correlations=0.3
    )
    np.testing.assert_allclose(other.bounds, 1000 * np.array(first.bounds), rtol=1e-9)
    np.testing.assert_allclose(other.curve["estimate"], 1000 * first.curve["estimate"], rtol=1e-6)
    np.testing.assert_allclose(other.tipping["tipping"], first.tipping["tipping"].to_numpy()[order] / 100, rtol=1e-8)


def test_known_errors_are_taken_at_multiples_and_refusals_stay():
    net, premiums = wg.datasets.talent_migration("ai"), wg.datasets.country_premiums("stack_overflow")
    link = wg.fit_link("net_migration ~ premium", net, premiums)
    curve = link.sensitivity().curve.set_index("times")
    assert curve["correlation"].isna().all()
    assert curve.loc[0.0, "reliability"] == 1.0
    assert curve.index.tolist() == [0.0, 0.5, 1.0, 1.5, 2.0]
    assert curve["refused"].tolist() == [False, False, False, True, True]
    np.testing.assert_allclose(curve.loc[1.0, ["conf_low", "conf_high"]].astype(float), link.slope_interval())
    assert curve.loc[1.0, "rule"] == "not settled"


def test_errors_that_cells_share_may_be_related_to_those_of_the_rates():
    """A cross block r V_pp^(1/2) V_yy^(1/2) is a covariance where r times the standard errors is none."""
    rng, n = np.random.default_rng(8), 12
    names, true = [f"C{i:02d}" for i in range(n)], rng.normal(size=n)
    v = 0.05 * (0.1 * np.eye(n) + 0.9)
    p, y = true + 0.2 * rng.normal(size=n), true + 0.3 * rng.normal(size=n)
    premium = wg.Estimates.from_table(pd.DataFrame({"cell": names, "b": p}), by=["cell"], term="premium", vcov=v)
    rate = wg.Estimates.from_table(pd.DataFrame({"cell": names, "b": y, "se": 0.2}), by=["cell"], term="r")
    curve = wg.fit_link("r ~ premium", rate, premium).sensitivity(correlations=0.5).curve
    assert not curve["refused"].any()
    said = wg.fit_link("r ~ premium", rate, premium).sensitivity().in_words()
    assert "these bounds" in said


def test_the_sentence_has_one_scale_and_says_who_turns_the_sign(answer):
    said = answer.in_words()
    assert "between +161 and +395 per 10,000 for 10 percentage points of premium" in said
    assert "South Korea's were 19.9 per cent instead of 6.0" in said


def test_the_figure_names_every_line(answer):
    ax = answer.plot()
    said = [text.get_text() for text in ax.get_legend().get_texts()]
    lines = ["correlation 0", "95 % band, correlation 0", "correlation 0.5", "naive", "bounds of Klepper and Leamer"]
    assert said == lines


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"std_errors": [1.0, -2.0]}, OptionError, "not negative"),
        ({"std_errors": [float("nan")]}, (DataError, OptionError), "finite"),
        ({"std_errors": "large"}, (DataError, OptionError), "std_errors"),
        ({"correlations": 1.5}, OptionError, "between -1 and 1"),
        ({"correlations": []}, DataError, "correlations"),
        ({"std_error": 1.0}, (ColumnError, OptionError, wg.errors.ArgumentError), "std_errors"),
    ],
)
def test_bad_input(published, options, error, words):
    with pytest.raises(error, match=words):
        published.sensitivity(**options)


def test_three_cells_and_premiums_that_do_not_differ():
    small = wg.fit_link("r ~ premium", *estimates([1.0, 2.0, 4.0], [1.0, 3.0, 2.0]))
    assert np.isfinite(small.sensitivity(correlations=0).bounds).all()
    with pytest.raises(IdentificationError, match="premiums that differ"):
        wg.fit_link("r ~ premium", *estimates([1.0, 1.0, 1.0, 1.0], [1.0, 3.0, 2.0, 5.0]))
