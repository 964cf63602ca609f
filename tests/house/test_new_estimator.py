"""The estimator that CONTRIBUTING.md builds is real: its code and its test are taken from the page and run.

Median premiums by cell agree with pandas, their bootstrap with one written by hand, and what the engine promises of any
estimator holds for it: weights, joins with rates of the same workers, tables, links, refits, and typed errors.
"""

from __future__ import annotations

import itertools
import re
import sys
import types
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import wagegap as wg
from wagegap.errors import (
    ArgumentError,
    ColumnError,
    CovarianceError,
    DataError,
    DataWarning,
    EmptyDataError,
    IdentificationError,
    OptionError,
    WageError,
)
from wagegap.estimation.cellwise import estimate, least_squares, relate
from wagegap.estimation.sample import CellFit
from wagegap.panel.rows import prepare

PAGE = Path(__file__).resolve().parents[2] / "CONTRIBUTING.md"
NAME = "wagegap.regression.medians.medians"
ESTIMATOR, TEST = re.findall(r"^```python\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)


@pytest.fixture(scope="module")
def fit():
    """The page's estimator, as a module where the page puts it."""
    package = NAME.rpartition(".")[0]
    made = {package: types.ModuleType(package), NAME: types.ModuleType(NAME)}
    sys.modules.update(made)
    exec(compile(ESTIMATOR, str(PAGE), "exec"), vars(made[NAME]))
    yield vars(made[NAME])["fit_median_premiums"]
    for name in made:
        del sys.modules[name]


@pytest.fixture(scope="module")
def panel():
    return wg.simulate_panel(countries=4, workers=250, rng=3).panel


CALL = dict(outcome="log(hourly_wage)", premium="ai")


def by_hand(frame, keys=("iso3",)):
    medians = np.log(frame["hourly_wage"]).groupby([*(frame[key] for key in keys), frame["ai"]]).median().unstack()
    return medians[1] - medians[0]


def test_it_is_short():
    assert len(ESTIMATOR.splitlines()) < 60
    assert max(map(len, ESTIMATOR.splitlines())) <= 120


def test_the_test_of_the_page_passes(fit):
    names = {}
    exec(compile(TEST, str(PAGE), "exec"), names)
    tests = [value for name, value in names.items() if name.startswith("test_")]
    assert len(tests) == 1
    tests[0]()


@pytest.mark.parametrize("by", [("iso3",), ("iso3", "female"), ()])
def test_premiums_are_differences_of_medians(fit, panel, by):
    found = fit(panel, **CALL, by=by, cov=wg.cov.Bootstrap(9, kind="bayesian", rng=1))
    expected = by_hand(panel.frame.assign(one_cell=0), by or ["one_cell"])
    np.testing.assert_allclose(found.params, expected, rtol=1e-12)
    assert found.unit == "log"
    assert set(found.estimates.labels["comparison"]) == {"not ai"}


def test_errors_are_those_of_a_bootstrap_by_hand(fit, panel):
    reps = 400
    found = fit(panel, **CALL, cov=wg.cov.Bootstrap(reps, rng=1))
    rng = np.random.default_rng(2)
    frame = panel.frame
    draws = [by_hand(frame.iloc[rng.integers(len(frame), size=len(frame))]) for _ in range(reps)]
    # the log of a ratio of two standard deviations of 400 draws each has one of sqrt(1/800 + 1/800) = .05: four of them
    np.testing.assert_allclose(np.log(found.bse / np.std(draws, axis=0, ddof=1)), 0, atol=0.2)


def test_frequencies_are_repeated_rows(fit, panel):
    counts = np.random.default_rng(0).integers(1, 4, size=len(panel))
    weighted = wg.read_panel(panel.frame.assign(n=counts), country="iso3", weight="n", weight_kind="frequency")
    repeated = panel.frame.loc[panel.frame.index.repeat(counts)]
    cov = wg.cov.Bootstrap(9, rng=1)
    np.testing.assert_allclose(fit(weighted, **CALL, cov=cov).params, by_hand(repeated), rtol=1e-12)


def test_replicate_weights_of_the_panel_are_the_default(fit, panel):
    columns = {f"r{i}": np.random.default_rng(i).poisson(1.0, size=len(panel)) * 1.0 for i in range(12)}
    declared = wg.read_panel(
        panel.frame.assign(w=1.0, **columns), country="iso3", weight="w", replicate_weights=list(columns),
        replicate_kind="JK2",
    )  # fmt: skip
    found = fit(declared, **CALL)
    deviations = [
        by_hand(panel.frame.loc[panel.frame.index.repeat(draw.astype(int))]) - found.params.to_numpy()
        for draw in columns.values()
    ]
    np.testing.assert_allclose(found.bse, np.sqrt(np.sum(np.square(deviations), axis=0)), rtol=1e-10)


def test_premiums_and_rates_of_the_same_workers_are_joined(fit, panel):
    cov = wg.cov.Bootstrap(99, rng=1)
    premiums, rates = fit(panel, **CALL, cov=cov), wg.fit_rates(panel, "abroad_next", among="ai", cov=cov)
    joined = wg.join(premiums, rates)
    cells = len(premiums.params)
    np.testing.assert_allclose(joined.covariance[:cells, :cells], premiums.estimates.covariance, rtol=1e-12)
    assert (np.diag(joined.covariance[:cells, cells:]) != 0).all()
    with pytest.raises(wg.errors.JoinError):
        wg.join(premiums, wg.fit_rates(panel, "abroad_next", cov=wg.cov.Bootstrap(99, rng=2)))


@pytest.mark.filterwarnings("ignore::wagegap.errors.ReliabilityWarning")
def test_the_result_goes_everywhere(fit, panel):
    cov = wg.cov.Bootstrap(99, rng=1)
    premiums, rates = fit(panel, **CALL, cov=cov), wg.fit_rates(panel, "abroad_next", cov=cov)
    link = wg.fit_link("abroad_next ~ premium", rates, premiums, method="ols")
    assert link.nobs == 4
    assert "Median premium of ai" in str(wg.table(premiums, rates))
    assert max(map(len, str(premiums).splitlines())) <= 80
    again = premiums.refit(panel, cov=cov)
    pd.testing.assert_frame_equal(again.tidy(), premiums.tidy())
    first, second = premiums.estimates.names[:2]
    assert 0 <= premiums.test(f"{first} = {second}").p_value <= 1


BOOTSTRAP = wg.cov.Bootstrap(9, rng=1)
BAD = {
    "no resampling": (dict(cov="HC1"), CovarianceError, ["HC1", "influence of each row", "wg.cov.Bootstrap(999"]),
    "classical": (dict(cov="iid"), CovarianceError, ["influence of each row", "wg.cov.Bootstrap(999"]),
    "default": (dict(cov=None), CovarianceError, ["influence of each row", "wg.cov.Bootstrap(999"]),
    "skill": (dict(premium="aii"), ColumnError, ["'aii'", "Did you mean 'ai'"]),
    "levels": (dict(premium="educ"), DataError, ["'educ'", "0 and 1"]),
    "number": (dict(premium="exper"), DataError, ["'exper'", "0 and 1"]),
    "two": (dict(premium="ai + female"), DataError, ["0 and 1"]),
    "outcome": (dict(outcome="log(hourly_wag)"), ColumnError, ["Did you mean 'hourly_wage'"]),
    "zero": (dict(outcome="log(ai)"), WageError, ["'log(ai)'", "zero"]),
    "cell": (dict(by="iso"), ColumnError, ["'iso'", "for by"]),
    "keyword": (dict(cow="HC1"), ArgumentError, ["'cow'", "Did you mean 'cov'"]),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_refused(fit, panel, case):
    changes, error, pieces = BAD[case]
    with pytest.raises(error) as caught:
        fit(panel, **{**CALL, "cov": BOOTSTRAP, **changes})
    for piece in pieces:
        assert piece in str(caught.value)


def test_cells_that_cannot_be_fitted_are_named(fit, panel):
    cells = sorted(panel.frame["iso3"].unique())
    with pytest.raises(IdentificationError, match=f"in {cells[1]}, everybody or nobody holds 'ai'"):
        fit(panel.filter(f"not (iso3 == '{cells[1]}' and ai == 1)"), **CALL, cov=BOOTSTRAP)
    frame = panel.frame
    one = frame.index[(frame["iso3"] == cells[0]) & (frame["ai"] == 1)][1:]
    with pytest.raises(CovarianceError, match=rf"cannot be fitted in 1 of 4 cells \({cells[0]}\)"):
        fit(frame.drop(one), **CALL, by="iso3", cov=wg.cov.Bootstrap(99, rng=1))
    with pytest.raises(EmptyDataError):
        fit(frame.head(0), **CALL, cov=BOOTSTRAP)


def fitted(panel, fit_cell, labels=("mean",), cov=BOOTSTRAP):
    return estimate(prepare(panel, "log(hourly_wage) ~ 1", cov=cov), fit_cell, labels, title="Means")


def test_slips_in_a_new_estimator_are_said(panel):
    mean = lambda cell: np.average(cell.y, weights=cell.weights)  # noqa: E731
    by_row = lambda cell: (cell.y - cell.y.mean()) / len(cell.y)  # noqa: E731
    with pytest.raises(DataError, match=r"values of shape \(\) and influence of shape None; .*\(q,\) and \(n, q\)"):
        fitted(panel, lambda cell: CellFit(values=mean(cell)))
    with pytest.raises(DataError, match=r"influence of shape \(\d+,\)"):
        fitted(panel, lambda cell: CellFit(values=np.array([mean(cell)]), influence=by_row(cell)), cov="HC1")
    with pytest.raises(DataError, match=r"values of shape \(2,\) and influence of shape \(\d+, 1\)"):
        fitted(panel, lambda cell: CellFit(values=np.ones(2), influence=by_row(cell)[:, None]), cov="HC1")
    with pytest.raises(OptionError, match="1 labels, but the 4 cells have 8 estimates"):
        fitted(panel, lambda cell: CellFit(values=np.array([mean(cell)] * 2)))
    with pytest.raises(DataError, match=r"must return a CellFit\(values=\.\.\.\), not float64"):
        fitted(panel, mean)
    with pytest.raises(DataError, match=r"left the influence of 1 of \d+ rows"):
        fitted(panel, lambda cell: CellFit(values=np.array([mean(cell)]), influence=np.ones((1, 1))), cov="HC1")
    with pytest.raises(CovarianceError, match="left no influence in 1 of 4 cells"):
        fitted(
            panel,
            lambda cell: CellFit(
                values=np.array([mean(cell)]), influence=by_row(cell)[:, None] if cell.number else None
            ),
            cov="HC1",
        )
    assert fitted(panel, lambda cell: CellFit(values=np.array([mean(cell)])), "mean").labels["term"].eq("mean").all()
    with pytest.raises(IdentificationError, match="Means: no finite estimate in 4 of 4 cells"):
        fitted(panel, lambda cell: CellFit(values=np.array([np.nan])))
    with pytest.warns(DataWarning, match="fit_cell does not use cell.weights"):
        fitted(panel, lambda cell: CellFit(values=np.array([cell.y.mean()])))


def test_an_estimator_with_influence_has_every_covariance(panel):
    """The mean by its influence: HC0 and clusters as least squares on a constant has them."""

    def fit_cell(cell):
        weights = np.ones(len(cell.y)) if cell.weights is None else cell.weights
        mean = np.average(cell.y, weights=weights)
        influence = (weights * (cell.y - mean) / weights.sum())[:, None]
        return CellFit(values=np.array([mean]), influence=influence, n_params=1)

    weighted = dict(weights=np.resize([1.0, 2.0, 0.5], len(panel)), weight_kind="sampling")
    for cov, how in itertools.product(("HC0", "HC1", "CR0:worker", "CR1:worker"), ({}, weighted)):
        rows = prepare(panel, "log(hourly_wage) ~ 1", cov=cov, **how)
        expected = relate(rows, *least_squares(rows), ["mean"], title="Means")
        found = estimate(rows, fit_cell, ["mean"], title="Means")
        np.testing.assert_allclose(found.values, expected.values, rtol=1e-12)
        np.testing.assert_allclose(found.covariance, expected.covariance, rtol=1e-10, atol=1e-18)
