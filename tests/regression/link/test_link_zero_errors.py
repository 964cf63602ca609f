"""Sampling errors of zero, rates that do not vary or lie on a line exactly, and estimates on a boundary."""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import wagegap as wg
from wagegap.errors import CovarianceError, DataError, IdentificationError, OptionError
from wagegap.regression.link.estimators.meta import TAU2_METHODS, fit_meta
from wagegap.regression.link.estimators.york import fit_york
from wagegap.regression.link.permutation import correlation, permute, permute_slope

pytestmark = pytest.mark.filterwarnings("ignore::wagegap.errors.ReliabilityWarning")

ISO = ["KOR", "USA", "JPN", "DEU", "FRA", "GBR", "ITA", "ESP"]
P = np.arange(1, 9) / 30
LINE = 0.2 - 0.3 * P


def scattered():
    return LINE + np.random.default_rng(3).normal(size=8) * 0.02


def table(values, errors, term, unit):
    frame = pd.DataFrame({"iso3": ISO[: len(values)], "b": values, "se": errors})
    return wg.Estimates.from_table(frame, term=term, unit=unit)


def link(y, y_error, p=P, p_error=0.0, **options):
    rates, premiums = table(y, y_error, "emigration", "share"), table(p, p_error, "premium", "none")
    return wg.fit_link("emigration ~ premium", rates, premiums, **options)


def some_zero():
    return np.r_[0, 0, np.full(6, 0.2)]


# an exact line -------------------------------------------------------------------------------------------------------


@pytest.mark.public_case("link_zero_variance")
@pytest.mark.parametrize("method", ["auto", "ols", "meta", "eiv", "ml", "simex"])
def test_an_exact_line_without_errors_is_found_and_has_no_standard_error(method):
    fitted = link(LINE, 0.0, method=method)
    assert fitted.slope == pytest.approx(-0.3, rel=1e-12)
    assert np.isnan(fitted.slope_error)
    assert fitted.tidy()["p_value"].isna().all()
    assert "All 8 cells lie on the line exactly" in str(fitted)
    assert "true premiums might all be equal" not in str(fitted)
    # the reversed order is as exact: premiums are evenly spaced
    assert fitted.permutation.p_value == pytest.approx(2 / 40320)


@pytest.mark.parametrize("tau2", [name for name in TAU2_METHODS if name != "EE"])
def test_every_estimator_of_tau_has_the_exact_line(tau2):
    fitted = link(LINE, 0.0, tau2=tau2, method="meta")
    assert fitted.slope == pytest.approx(-0.3, rel=1e-12)
    assert fitted.tau2 == 0
    mixed = link(LINE, some_zero(), tau2=tau2, method="meta")
    assert mixed.slope == pytest.approx(-0.3, rel=1e-12)


def test_knapp_and_hartung_have_no_error_on_a_line_and_z_has_that_of_sampling():
    fitted = link(LINE, 0.02, method="meta")
    assert np.isnan(fitted.slope_error)
    assert "test='z'" in str(fitted)
    by_z = link(LINE, 0.02, method="meta", test="z")
    assert by_z.slope_error == pytest.approx(0.02 / np.sqrt(np.sum((P - P.mean()) ** 2)), rel=1e-10)
    assert "lie on the line" not in str(by_z)


def test_questions_that_need_deviations_say_that_there_are_none():
    fitted = link(LINE, 0.0)
    for ask in (fitted.few_countries, lambda: fitted.outlier("KOR")):
        with pytest.raises(DataError, match="line exactly"):
            ask()


# zero errors of some cells, or of all --------------------------------------------------------------------------------


@pytest.mark.parametrize("tau2", ["DL", "HE", "HS", "EE"])
@pytest.mark.public_case("link_zero_variance")
def test_zero_errors_of_some_cells_are_refused_by_name_with_advice_that_works(tau2):
    with pytest.raises(OptionError, match=r"2 of 8 cells \(KOR, USA\)") as refused:
        link(scattered(), some_zero(), tau2=tau2, method="meta")
    advised = [name for name in TAU2_METHODS if f"'{name}'" in str(refused.value).partition("A rounded")[2]]
    assert advised
    for name in advised:
        assert np.isfinite(link(scattered(), some_zero(), tau2=name, method="meta").bse).all()
    assert np.isfinite(link(scattered(), some_zero(), method="ols").bse).all()


@pytest.mark.parametrize("tau2", ["REML", "PM", "SJ", "EB"])
def test_zero_errors_of_some_cells_are_weighed_by_tau(tau2):
    fitted = link(scattered(), some_zero(), tau2=tau2, method="meta", test="t")
    w = 1 / (some_zero() ** 2 + fitted.tau2)
    x = np.column_stack([np.ones(8), P])
    bread = np.linalg.inv(x.T @ (w[:, None] * x))
    np.testing.assert_allclose(fitted.params, bread @ (x.T @ (w * scattered())), rtol=1e-8)
    np.testing.assert_allclose(fitted.bse, np.sqrt(np.diag(bread)), rtol=1e-8)
    assert "q" not in fitted.glance() or np.isnan(fitted.glance()["q"].iloc[0])


@pytest.mark.parametrize("tau2", [name for name in TAU2_METHODS if name != "EE"])
def test_without_any_error_tau2_is_the_residual_variance(tau2):
    y = scattered()
    fitted = link(y, 0.0, tau2=tau2, method="meta")
    b, square = np.linalg.lstsq(np.column_stack([np.ones(8), P]), y, rcond=None)[:2]
    assert fitted.tau2 == pytest.approx(square[0] / (8 if tau2 in ("ML", "HS") else 6), rel=1e-7)
    np.testing.assert_allclose(fitted.params, b, rtol=1e-8)
    # Knapp and Hartung's scale makes it the t test of least squares whatever tau2 is
    assert fitted.tidy()["p_value"].iloc[1] == pytest.approx(stats.linregress(P, y).pvalue, rel=1e-6)


def test_a_singular_covariance_says_how_many_combinations_have_no_error():
    rng = np.random.default_rng(0)
    half = rng.normal(size=(8, 3)) * 0.05
    x = np.column_stack([np.ones(8), P])
    with pytest.raises(OptionError, match="5 combinations of the 8 cells have no error"):
        fit_meta(scattered(), x, half @ half.T, tau2="DL")


def test_york_without_errors_says_how_many_rows_have_none():
    with pytest.raises(DataError, match="of 8 rows 8 have no error of the outcome and 8 none of the premium"):
        link(scattered(), 0.0, method="york", force=True)
    with pytest.raises(IdentificationError, match="8 have no error of the outcome"):
        link(np.full(8, 0.1), 0.0, p_error=0.02, method="york")


@pytest.mark.parametrize("method", ["meta", "york"])
def test_an_unknown_error_is_not_zero_and_the_cells_are_named(method):
    errors = np.r_[np.nan, np.full(7, 0.02)]
    with pytest.raises(CovarianceError, match=r"unknown in 1 of 8 cells \(KOR\)"):
        link(scattered(), errors, p_error=0.02, method=method)
    assert "unknown in 1 of 8 cells (KOR)" in str(link(scattered(), errors, p_error=0.02, method="eiv"))


def test_a_variance_that_extrapolates_below_zero_is_unknown():
    # so large errors of the rates that the naive variance of pseudo-data is nearly all of the draws' spread
    fitted = link(LINE, 0.0, p_error=0.05, method="poisson", draws=20, force=True)
    assert not fitted.bse.iloc[1] < 1e-6


# rates that do not vary ----------------------------------------------------------------------------------------------


@pytest.mark.public_case("permutation_constant")
@pytest.mark.parametrize("rate", [0.0, 0.1, 0.3, 1 / 3])
def test_rates_that_are_all_equal_tie_in_every_order(facts, rate):
    fitted = link(np.full(8, rate), 0.02, p=np.linspace(0.05, 0.3, 8))
    assert fitted.glance()["permutation_p"].iloc[0] == facts("public_cases")["permutation_constant"]["right"]
    assert fitted.slope == 0.0
    assert np.isnan(fitted.slope_error)
    assert "e-1" not in str(fitted)
    assert f"emigration is {rate:.6g} in all 8 cells" in str(fitted)
    assert "0 percentage points" in fitted.slope_in_words()


@pytest.mark.parametrize("method", ["ols", "eiv", "ml", "meta"])
def test_rates_that_are_all_equal_have_a_slope_of_zero(method):
    fitted = link(np.full(8, 0.1), 0.0, p_error=0.02, method=method)
    assert abs(fitted.slope) < 1e-12
    assert fitted.permutation.p_value == 1.0
    assert not fitted.slope_error < 1e-9


def test_rates_that_the_controls_make_up_have_a_slope_of_zero():
    traits = pd.DataFrame({"iso3": ISO, "age": np.sin(np.arange(8.0))})
    rates = table(0.1 + 0.07 * traits["age"].to_numpy(), 0.02, "emigration", "share")
    fitted = wg.fit_link("emigration ~ premium + age", rates, table(P, 0.0, "premium", "none"), data=traits)
    assert fitted.slope == 0.0
    assert fitted.permutation.p_value == 1.0
    assert fitted.params["age"] == pytest.approx(0.07, rel=1e-10)
    assert "The controls make up emigration exactly" in str(fitted)


def test_a_specification_curve_of_equal_rates_has_p_one():
    rates, premiums = table(np.full(8, 0.1), 0.02, "emigration", "share"), table(P, 0.01, "premium", "none")
    curve = wg.specification_curve("emigration", rates, {"a": premiums}, reps=49)
    assert curve.p_value == 1.0
    assert (curve.frame["estimate"] == 0).all()
    assert curve.frame["p_value"].isna().all()


@pytest.mark.parametrize("unit", [1e-9, 1.0, 1e9])
@pytest.mark.parametrize("y", [[0.1, 0.3, 0.1, 0.3, 0.3, 0.1], [0.1, 0.2, 0.3, 0.3, 0.2, 0.1]])
def test_ties_are_counted_exactly_in_any_unit(y, unit):
    # in whole numbers there is no rounding: sum (x - mean) y of tenths and of halves
    x, tenths = np.array([1, 2, 3, 4, 5, 6]), np.round(10 * np.array(y)).astype(int)
    sums = [abs(int((2 * x - 7) @ np.array(order))) for order in itertools.permutations(tenths)]
    exact = np.mean(np.array(sums) >= abs(int((2 * x - 7) @ tenths)))
    test = permute_slope(unit * np.array(y), x / 30, np.ones((6, 1)))
    assert test.p_value == pytest.approx(exact, rel=1e-12)


def test_a_correlation_that_is_rounding_is_none():
    constant = np.array([0.1, 0.2, 0.3, 0.4, 0.5]) + np.array([0.5, 0.4, 0.3, 0.2, 0.1])
    assert np.isnan(correlation(constant, np.arange(5.0)))
    assert np.isnan(permute(lambda order: correlation(constant, np.arange(5.0)[order]), 5).p_value)
    x, y = np.arange(6.0), np.array([0.1, 0.3, 0.1, 0.3, 0.3, 0.1])
    both = permute(lambda order: correlation(x, y[order]), 6), permute_slope(y, x, np.ones((6, 1)))
    assert both[0].p_value == both[1].p_value


# boundaries ----------------------------------------------------------------------------------------------------------


def test_a_spread_of_zero_is_said():
    fitted = link(scattered(), 0.2, method="meta")
    assert fitted.tau2 == 0
    assert "tau = 0" in fitted.glance()["boundary"].iloc[0]
    assert "On the boundary, tau = 0: the rates spread no more than their sampling errors" in " ".join(
        str(fitted).split()
    )
    assert "boundary" not in link(scattered(), 0.001, method="meta").glance()


def test_likelihood_says_which_of_its_variances_is_zero():
    fitted = link(scattered(), 0.2, p_error=0.01, method="ml")
    assert fitted.glance()["boundary"].iloc[0] == "tau = 0"
    assert "correlated perfectly" in " ".join(str(fitted).split())
    noise = link(scattered(), 0.2, p_error=0.3, method="ml", force=True)
    assert noise.glance()["boundary"].iloc[0] == "sigma = 0; tau = 0"
    assert "premiums spread no more than their sampling errors" in " ".join(str(noise).split())


def test_correlation_and_york_in_their_smallest_cases():
    x, y = np.array([1.0, 2.0, 4.0, 8.0]), np.array([3.0, 1.0, 5.0, 4.0])
    assert correlation(x, y) == pytest.approx(np.corrcoef(x, y)[0, 1], rel=1e-12)
    v = np.full(3, 0.01)
    # three rows with equal errors of both: orthogonal regression
    params = fit_york(x[:3], y[:3], v, v, 0 * v)[0]
    dx, dy = x[:3] - x[:3].mean(), y[:3] - y[:3].mean()
    gap = dy @ dy - dx @ dx
    slope = (gap + np.sqrt(gap**2 + 4 * (dx @ dy) ** 2)) / (2 * dx @ dy)
    assert params[0] == pytest.approx(slope, rel=1e-10)
    assert params[1] == pytest.approx(y[:3].mean() - slope * x[:3].mean(), rel=1e-10)
    with pytest.raises(DataError, match="2 rows"):
        fit_york(x[:2], y[:2], v[:2], v[:2], 0 * v[:2])
