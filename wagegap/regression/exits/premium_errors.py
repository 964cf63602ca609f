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

import re
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
    for (name, own), shift in zip(premiums.items(), task.shifts, strict=True):
        if not np.isfinite(own.covariance).all():
            continue
        share, where = _lowest(task, own, name, shift.codes)
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


def _lowest(task: HazardTask, own: Estimates, name: str, codes: IntArray) -> tuple[float, str]:
    """Smallest reliability over the cells that have coefficients of their own, and which cell it is."""
    others = [j for j, column in enumerate(task.risk.names) if name not in re.findall(r"\w+", column)]
    x, weights = task.risk.x[:, others], task.sample.weights
    found = []
    for where, rows in zip(task.risk.cells.names, task.sample.rows_by_cell(), strict=True):
        own_weights = None if weights is None else weights[rows]
        share = reliability_of_rows(own.values, own.covariance, codes[rows], x[rows], own_weights)
        found.append((share, f" in {where}" if where else ""))
    return min(found)


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
        total: list[CellFit] = []
        for error in track(errors, f"simex, {scale:g} times the errors", how.progress):
            done = _fit_moved(task, premiums, np.sqrt(scale) * error)
            total = done if not total else [_plus(a, b) for a, b in zip(total, done, strict=True)]
        levels.append([_times(cell, 1 / len(errors)) for cell in total])
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
    risk, values, start = task.risk, {}, 0
    evaluator = risk.evaluator()
    for (name, own), shift in zip(premiums.items(), task.shifts, strict=True):
        values[name] = evaluator.frame[name].to_numpy(dtype=float) + error[start + shift.codes]
        start += len(own.values)
    x = evaluator.at(values)[:, : risk.design.x.shape[1]]
    columns = {}
    for name, moved in values.items():
        whole = risk.panel.frame[name].to_numpy(dtype=float, copy=True)
        whole[risk.design.rows] = moved
        columns[name] = whole
    changed = replace(risk, panel=risk.panel.assign(**columns), design=replace(risk.design, x=x))
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


def _plus(a: CellFit, b: CellFit) -> CellFit:
    moved = tuple(one + two for one, two in zip(a.by_premium, b.by_premium, strict=True))
    return replace(a, values=a.values + b.values, influence=a.influence + b.influence, by_premium=moved)


def _times(a: CellFit, factor: float) -> CellFit:
    moved = tuple(factor * one for one in a.by_premium)
    return replace(a, values=factor * a.values, influence=factor * a.influence, by_premium=moved)


def _ended(levels: Sequence[CellFit]) -> CellFit:
    """End of the curves of one cell, and the same combination of influences and derivatives."""
    scales = np.concatenate([[0.0], GRID])
    values = np.array([level.values for level in levels])
    known = np.isfinite(values).all(axis=0)
    ends, slopes = np.full(values.shape[1], np.nan), np.zeros_like(values)
    ends[known] = extrapolate(scales, values[:, known], "rational")
    slopes[:, known] = extrapolation_slopes(scales, values[:, known], "rational")
    influence = sum(s[None, :] * level.influence for s, level in zip(slopes, levels, strict=True))
    moved = tuple(
        np.asarray(sum(s[:, None] * level.by_premium[i] for s, level in zip(slopes, levels, strict=True)))
        for i in range(len(levels[0].by_premium))
    )
    return replace(levels[0], values=ends, influence=np.asarray(influence), by_premium=moved)
