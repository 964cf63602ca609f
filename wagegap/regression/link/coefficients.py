"""Coefficients of a link as `Estimates`: those that are reported, under their names, with their covariance."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from wagegap.errors import OptionError
from wagegap.estimation.covariance.groupings import Grouping
from wagegap.estimation.covariance.options import parse_cov
from wagegap.estimation.covariance.sources import ScoreSource, StatedSource
from wagegap.estimation.estimates import Estimates
from wagegap.estimation.least_squares.fit import fit_cells
from wagegap.estimation.sample import Sample
from wagegap.regression.link.estimators.estimator import LinkFit
from wagegap.regression.link.setup import Setup

__all__ = ["label_coefficients"]


def label_coefficients(setup: Setup, fit: LinkFit) -> Estimates:
    """Label the coefficients that are reported, with the covariance that the estimator states, or a robust one."""
    cells, at = setup.cells, list(setup.shown)
    source: StatedSource | ScoreSource
    if fit.cov is None:
        source = _robust(setup, fit)
    else:
        source = StatedSource("link", fit.cov[np.ix_(at, at)], setup.df if fit.df is None else fit.df, fit.covariance)
    unit = cells.units[0] if fit.unit is None else fit.unit
    labels = pd.DataFrame({"term": setup.terms, "unit": unit, "comparison": ""})
    right = ", ".join(name for name in setup.terms if name != "Intercept")
    title = f"{cells.outcome} on {right}" if right else cells.outcome
    notes = (*_about_errors(setup), *fit.notes)
    return Estimates(
        labels, fit.params[at], (source,), (np.eye(len(at)),), title=title, ledger=cells.ledger, notes=notes
    )  # fmt: skip


def _about_errors(setup: Setup) -> list[str]:
    cells, notes = setup.cells, []
    if not cells.known(0):
        notes.append("Errors of the rates are unknown; the spread of the residuals holds them.")
    if cells.premiums and not cells.related:
        notes.append("Errors of rates and premiums come from different data and are taken as independent.")
    return notes


def _robust(setup: Setup, fit: LinkFit) -> ScoreSource:
    """Robust covariance of least squares on the rows, or on the rows times W^(1/2)."""
    problem = setup.problem
    parsed = parse_cov(setup.cov)
    if parsed.replicated or not (parsed.independent or parsed.clusters):
        raise OptionError(f"cov={setup.cov!r} of a link must be a string such as 'HC3' or 'CR2:iso3'.")
    groupings: dict[str, Any] = {"row": Grouping.from_keys("row", "link", np.arange(problem.n))}
    for name in parsed.clusters:
        if setup.groups is None:
            raise OptionError(f"cov={setup.cov!r} names a cluster: say which with cluster={name!r}.")
        groupings[name] = Grouping.from_keys(name, "link", setup.groups)
    half = np.eye(problem.n) if fit.half_weight is None else fit.half_weight
    sample = Sample(
        half @ problem.y, half @ problem.x, problem.names, (), (), None, None, np.zeros(problem.n, dtype=np.int32),
        ("",), groupings, "link",
    )  # fmt: skip
    return fit_cells(sample, list(setup.shown), cov=parsed, rule="stata").source
