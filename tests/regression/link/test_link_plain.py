"""Plain meta-regression through the door, `premiums=None`, against metafor: what is printed beside its coefficients."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pytest

import wagegap as wg
from wagegap.errors import ColumnError, OptionError
from wagegap.regression.link.permutation import permute_slope


@pytest.fixture(scope="module")
def trials(typed):
    frame = typed("bcg")
    return frame.assign(trial=[f"T{i:02d}" for i in frame["trial"]], se=np.sqrt(frame["vi"]))


def fitted(trials, right="1", **options):
    rates = wg.Estimates.from_table(trials, by="trial", estimate="yi", std_error="se", term="risk", unit="none")
    data = trials[["trial", "ablat", "year"]]
    return wg.fit_link(f"risk ~ {right}", rates, None, data=data, method="meta", **options)


RIGHT = {"mean": "1", "metareg_ablat_year": "ablat + year"}


# Q to 1e-8, I2 to 1e-6 relative: iterations are converged there
@pytest.mark.parametrize("tau2", ["EE", "DL", "HE", "HS", "SJ", "ML", "REML", "EB", "PM"])
@pytest.mark.parametrize("model", list(RIGHT))
def test_heterogeneity_of_metafor_is_shown(facts, trials, model, tau2):
    log, link = facts("metafor")[f"{model}_{tau2}_knha"], fitted(trials, RIGHT[model], tau2=tau2)
    row = link.glance().iloc[0]
    assert row["q"] == pytest.approx(log["QE"], rel=1e-8)
    assert row["q_p_value"] == pytest.approx(log["QEp"], rel=1e-6)
    assert row["q_df"] == 13 - len(link.params)
    assert 100 * row["i2"] == pytest.approx(log["I2"], rel=1e-6)
    np.testing.assert_allclose(link.bse, np.atleast_1d(log["se"]), rtol=1e-6)
    assert f"Q({row['q_df']:.0f}) = {log['QE']:.2f}" in str(link)
    assert f"I2 {log['I2']:.1f} %" in str(link)


def test_prediction_intervals_of_metafor(facts, trials):
    for case, log in facts("metafor_prediction").items():
        model, _, rest = case.partition("_at_")[0].rpartition("_")[0].rpartition("_")
        test = case.partition("_at_")[0].rpartition("_")[2]
        link = fitted(trials, RIGHT[model], tau2=rest, test=test)
        at = {"ablat": 33, "year": 1970} if "_at_" in case else None
        row = link.prediction_interval(at).iloc[0]
        # relative to the interval's size: 1e-6
        for name, value in log.items():
            assert row[name] == pytest.approx(value, rel=1e-6, abs=1e-6), (case, name)
    low, high = fitted(trials).glance().iloc[0][["prediction_low", "prediction_high"]]
    assert (low, high) == pytest.approx(
        tuple(facts("metafor_prediction")["mean_REML_knha"][f"prediction_{end}"] for end in ("low", "high")), rel=1e-6
    )


def test_prediction_interval_says_what_it_cannot(trials):
    with pytest.raises(ColumnError, match="yaer"):
        fitted(trials, "year").prediction_interval({"yaer": 1970})
    rates = wg.Estimates.from_table(trials, by="trial", estimate="yi", std_error="se", term="risk", unit="none")
    with pytest.raises(OptionError, match="'ols'"):
        wg.fit_link("risk ~ 1", rates, None, method="ols").prediction_interval()


def test_permutation_is_of_the_first_regressor(trials):
    link = fitted(trials, "ablat + year")
    x = np.column_stack([np.ones(13), trials["year"]])
    alone = permute_slope(trials["yi"].to_numpy(), trials["ablat"].to_numpy(dtype=float), x)
    assert link.permutation.p_value == alone.p_value
    assert "Naive slope of ablat: permutation" in str(link)
    assert fitted(trials).permutation is None


def test_figure_draws_every_rate(trials):
    ax = fitted(trials, "ablat").plot()
    assert len([label for label in ax.get_yticklabels() if label.get_text()]) == 13
    assert "risk" in ax.get_xlabel()
    plt.close("all")


def test_a_question_about_the_premium_says_that_there_is_none(trials):
    link = fitted(trials, "ablat")
    for ask in (lambda: link.slope, link.slope_in_words, link.slope_interval, link.few_countries, link.pool):
        with pytest.raises(OptionError, match="the link has none"):
            ask()
