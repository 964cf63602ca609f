"""Keys of rates, premiums and covariates: what reads alike and never meets is refused, what is lost is named."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import wagegap as wg
from wagegap.errors import DataError, DuplicateKeyError, EmptyDataError, FormulaError, IdentificationError

ISO = ["KOR", "USA", "JPN", "DEU", "FRA", "GBR", "ITA", "ESP"]
RNG = np.random.default_rng(5)
P = RNG.uniform(0.05, 0.3, 8)
Y = 0.2 - 0.3 * P + 0.02 * RNG.normal(size=8)


def table(values, keys, term, name="iso3", unit="none"):
    frame = pd.DataFrame({name: keys, "b": values, "se": 0.01})
    return wg.Estimates.from_table(frame, by=name, term=term, unit=unit)


def link(rate_keys=ISO, premium_keys=ISO, formula="emigration ~ premium", name="iso3", **options):
    rates, premiums = table(Y, rate_keys, "emigration", name), table(P, premium_keys, "premium", name)
    return wg.fit_link(formula, rates, premiums, method="ols", **options)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (ISO, [name.lower() for name in ISO]),
        (ISO, [f"{name} " for name in ISO]),
        (list(range(8)), [str(i) for i in range(8)]),
        ([str(float(i)) for i in range(8)], list(range(8))),
        (ISO, [*ISO[:7], "esp"]),
    ],
)
def test_keys_that_read_alike_and_never_meet_are_refused(first, second):
    for one, other in ((first, second), (second, first)):
        with pytest.raises(DataError, match=r"'iso3': \d of \d values .*would meet one of"):
            link(one, other)


def test_keys_of_covariates_instruments_traits_and_other_sources_too():
    lower = pd.DataFrame({"iso3": [name.lower() for name in ISO], "age": np.sin(np.arange(8.0))})
    fitted, other = link(), table(P, lower["iso3"], "premium")
    rates, premiums = table(Y, ISO, "emigration"), table(P, ISO, "premium")
    for ask in (
        lambda: link(formula="emigration ~ premium + age", data=lower),
        lambda: fitted.moderate("age", data=lower),
        lambda: fitted.swap(other),
        lambda: wg.specification_curve("emigration", rates, {"a": other}, reps=9),
        lambda: wg.fit_link("emigration ~ premium", rates, premiums, method="iv", instruments=other),
    ):
        with pytest.raises(DataError, match="would meet one of"):
            ask()


def test_years_as_numbers_of_either_kind_meet():
    fitted = link(list(range(2010, 2018)), [float(year) for year in range(2010, 2018)], name="year")
    assert fitted.nobs == 8
    assert fitted.slope == pytest.approx(np.polyfit(P, Y, 1)[0], rel=1e-10)


def test_cells_lost_are_named_on_each_side():
    fitted = link(premium_keys=[*ISO[1:], "CHN"])
    said = " ".join(str(fitted).split())
    assert "not in premium (KOR)" in said
    assert "1 cells of premium have no rate: CHN" in said
    # the premiums moved one country on
    assert fitted.slope == pytest.approx(np.polyfit(P[:7], Y[1:], 1)[0], rel=1e-10)


def test_nothing_in_common_is_one_error_whatever_the_types():
    for other in ([f"X{i}" for i in range(8)], list(range(8))):
        with pytest.raises(EmptyDataError, match="no cell has both rates and premium"):
            link(premium_keys=other)


def test_covariates_twice_or_missing():
    data = pd.DataFrame({"iso3": ISO, "age": np.sin(np.arange(8.0))})
    with pytest.raises(DuplicateKeyError, match="1 rows with keys"):
        link(formula="emigration ~ premium + age", data=pd.concat([data, data.head(1)]))
    fitted = link(formula="emigration ~ premium + age", data=data.iloc[1:])
    assert fitted.nobs == 7
    assert "not in data (KOR)" in " ".join(str(fitted).split())
    unknown = link(formula="emigration ~ premium + age", data=data.assign(age=data["age"].where(data["iso3"] != "USA")))
    assert "cells with missing covariates: USA" in " ".join(str(unknown).split())


def test_a_rate_among_its_own_regressors_is_refused():
    data = pd.DataFrame({"iso3": ISO, "emigration": Y, "copy": Y, "emigration_before": np.sin(np.arange(8.0))})
    for right in ("premium + emigration", "premium + log(emigration)", "premium + copy"):
        with pytest.raises(FormulaError, match="both sides of the formula"):
            link(formula=f"emigration ~ {right}", data=data)
    assert link(formula="emigration ~ premium + emigration_before", data=data).nobs == 8


def test_equations_with_the_same_residuals_have_no_weights():
    rates = wg.join(table(Y, ISO, "emigration"), table(2 * Y, ISO, "switching"), independent=True)
    call = ["emigration ~ premium", "switching ~ premium"], rates, table(P, ISO, "premium")
    with pytest.raises(IdentificationError, match=r"correlation of up to 1\.000.*weighting='separate'"):
        wg.fit_link_system(*call, weighting="sur")
    assert wg.fit_link_system(*call).residual_correlation.iloc[0, 1] == pytest.approx(1.0)
