"""What errors of premiums do to a model of workers in which they are regressors, and its correction.

A premium estimated for each cell stands in every row of the cell, with the same error. The spread that errors add to
the premiums pulls its coefficient towards zero, as in a regression of the cells; by how much, its reliability among the
rows says: with M the matrix that takes residuals from the other regressors, D the cell of each row, W its weight,

    lambda = 1 - tr(A V) / p'A p,   A = D'M'W M D.

Simulation and extrapolation corrects it in any of the models: the fit is repeated under pseudo-errors of growing size,
and coefficients, effects and curves are extended to none, with their influence functions and their derivatives in the
premiums, so that errors of both stages carry over.

References
----------
Carroll, R., D. Ruppert, L. Stefanski and C. Crainiceanu (2006). Measurement Error in Nonlinear Models, 2nd ed.,
chapters 3 and 5.
Cook, J. R. and L. A. Stefanski (1994). Simulation-extrapolation estimation in parametric measurement error models.
Journal of the American Statistical Association 89, 1314-1328.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from wagegap._progress import track
from wagegap._typing import FloatArray, IntArray, RngLike
from wagegap.errors import DataError, IdentificationError, ReliabilityWarning, listing, warn
from wagegap.estimation.estimates import Estimates, join
from wagegap.estimation.likelihood.simex import GRID, extrapolate, extrapolation_slopes, paired_draws
from wagegap.estimation.reliability import WARNED_BELOW, reliability_of_rows
from wagegap.regression.exits.hazards import CellFit, HazardTask, Questions, fit_cell, premium_shifts
from wagegap.regression.exits.person_periods import mentions

__all__ = ["Simulated", "extrapolated_cells", "reliability_notes"]


@dataclass(frozen=True, slots=True)
class Simulated:
    """How simulation and extrapolation is done.

    Attributes
    ----------
    draws : int
        Pseudo-errors at each multiple; in pairs of opposite sign.
    rng : Generator, int or None
        Source of pseudo-errors.
    progress : bool
        Say on stderr how far it is.
    """

    draws: int
    rng: RngLike
    progress: bool


def reliability_notes(task: HazardTask, premiums: Mapping[str, Estimates], *, corrected: bool) -> tuple[str, ...]:
    """Return the reliability of every premium among the rows, in words, and warn where it is low."""
    notes, low = [], []
    for (name, premium), shift in zip(premiums.items(), task.shifts, strict=True):
        if not np.isfinite(premium.covariance).all():
            continue
        share, where = _lowest(task, premium, name, shift.codes)
        said = "below 0" if share < 0 else f"{share:.2f}"
        notes.append(f"Reliability of {name!r} among these rows: {said}{where}.")
        if share < WARNED_BELOW:
            low.append(f"{name!r} {said}{where}")
    if low and not corrected:
        warn(
            f"reliability of {listing(low)}: coefficients are pulled towards zero by about that factor. "
            "correction='simex' corrects them; fit_link on the cells' rates does so also for errors that both share.",
            ReliabilityWarning,
        )
    return tuple(notes)


def _lowest(task: HazardTask, premium: Estimates, name: str, codes: IntArray) -> tuple[float, str]:
    """Smallest reliability over the cells that have coefficients of their own, and which cell it is."""
    others = [j for j, column in enumerate(task.risk.names) if not mentions(column, name)]
    x, weights = task.risk.x[:, others], task.sample.weights
    by_cell = []
    for where, rows in zip(task.risk.cells.names, task.sample.rows_by_cell(), strict=True):
        own_weights = None if weights is None else weights[rows]
        share = reliability_of_rows(premium.values, premium.covariance, codes[rows], x[rows], own_weights)
        by_cell.append((share, f" in {where}" if where else ""))
    return min(by_cell)


def extrapolated_cells(
    task: HazardTask, premiums: Mapping[str, Estimates], plain: Sequence[CellFit], how: Simulated
) -> list[CellFit]:
    """Return the cells' fits extended to premiums without error.

    Parameters
    ----------
    task : HazardTask
        What is fitted.
    premiums : mapping of str to Estimates
        The premiums, whose covariance is known.
    plain : sequence of CellFit
        Fits with the premiums as they are.
    how : Simulated
        Draws.

    Raises
    ------
    IdentificationError
        Where a fit under pseudo-errors does not exist.
    """
    errors = _pseudo_errors(premiums, how)
    levels: list[list[CellFit]] = [list(plain)]
    for scale in GRID:
        mean: list[CellFit] = []
        for r, error in enumerate(track(errors, f"simex, {scale:g} times the errors", how.progress)):
            fits = _fit_moved(task, premiums, np.sqrt(scale) * error)
            # mean of r + 1 fits = r / (r + 1) mean of r + 1 / (r + 1) new
            shares = np.array([[r], [1.0]]) / (r + 1)
            mean = [_combined(pair, shares) for pair in zip(mean, fits, strict=True)] if mean else fits
        levels.append(mean)
    return [_ended([level[c] for level in levels]) for c in range(len(plain))]


def _pseudo_errors(premiums: Mapping[str, Estimates], how: Simulated) -> FloatArray:
    """Errors of all premiums' parameters, shape (draws, P), with their joint covariance."""
    numbered = [
        replace(own, labels=pd.DataFrame({"term": [f"{name} {i}" for i in range(len(own.values))], "unit": "none",
                                          "comparison": ""}))
        for name, own in premiums.items()
    ]  # fmt: skip
    cov = join(*numbered, independent=True).covariance
    if not np.isfinite(cov).all():
        raise DataError(
            f"correction='simex' needs the covariance of the premiums, which is unknown for "
            f"{int((~np.isfinite(np.diag(cov))).sum())} of {len(cov)}: leave them out, or correction=None."
        )
    return paired_draws(cov, how.draws, np.random.default_rng(how.rng))


def _fit_moved(task: HazardTask, premiums: Mapping[str, Estimates], error: FloatArray) -> list[CellFit]:
    """Fit all cells with errors added to the premiums."""
    risk, values, columns, start = task.risk, {}, {}, 0
    evaluator = risk.evaluator()
    for (name, premium), shift in zip(premiums.items(), task.shifts, strict=True):
        values[name] = evaluator.frame[name].to_numpy(dtype=float) + error[start + shift.codes]
        start += len(premium.values)
    for name, moved in values.items():
        columns[name] = risk.panel.frame[name].to_numpy(dtype=float, copy=True)
        columns[name][risk.design.rows] = moved
    changed = replace(risk, panel=risk.panel.assign(**columns), design=evaluator.shifted(values).design)
    asked = bool(task.questions.variables)
    questions = Questions.of(changed, premiums) if asked else task.questions
    moved_task = replace(
        task, risk=changed, questions=questions, shifts=premium_shifts(changed, premiums, questions, asked)
    )
    weights = task.sample.weights
    try:
        return [
            fit_cell(moved_task, c, rows, None if weights is None else weights[rows])
            for c, rows in enumerate(task.sample.rows_by_cell())
        ]
    except IdentificationError as error_of_fit:
        raise IdentificationError(
            f"under pseudo-errors of the premiums a fit does not exist ({error_of_fit}): too little is known for "
            "correction='simex'; use fit_link on the rates."
        ) from error_of_fit


def _combined(fits: Sequence[CellFit], factors: FloatArray) -> CellFit:
    """Sum of fits of a cell, each of its values times a factor, shape (len(fits), q or 1)."""
    pairs = list(zip(factors, fits, strict=True))
    moved = [sum(f[:, None] * fit.by_premium[i] for f, fit in pairs) for i in range(len(fits[0].by_premium))]
    return replace(
        fits[0],
        values=np.asarray(sum(f * fit.values for f, fit in pairs)),
        influence=np.asarray(sum(f * fit.influence for f, fit in pairs)),
        by_premium=tuple(np.asarray(one) for one in moved),
    )


def _ended(levels: Sequence[CellFit]) -> CellFit:
    """End of the curves of one cell, and the same combination of influences and derivatives."""
    scales = np.concatenate([[0.0], GRID])
    values = np.array([level.values for level in levels])
    known = np.isfinite(values).all(axis=0)
    ends, slopes = np.full(values.shape[1], np.nan), np.zeros_like(values)
    ends[known] = extrapolate(scales, values[:, known], "rational")
    slopes[:, known] = extrapolation_slopes(scales, values[:, known], "rational")
    return replace(_combined(levels, slopes), values=ends)
