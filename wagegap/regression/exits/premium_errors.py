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
from functools import partial

import numpy as np
import pandas as pd

from wagegap._progress import track
from wagegap._typing import FloatArray, RngLike
from wagegap.errors import DataError, IdentificationError, ReliabilityWarning, listing, warn
from wagegap.estimation.cellwise import fit_named
from wagegap.estimation.covariance.sources import ScoreSource
from wagegap.estimation.estimates import Estimates, join_estimates
from wagegap.estimation.likelihood.simex import GRID, extrapolate, extrapolation_slopes, paired_draws
from wagegap.estimation.reliability import WARNED_BELOW, reliability_in_words, reliability_of_rows
from wagegap.regression.exits.hazards import HazardFit, HazardTask, fit_hazard
from wagegap.regression.exits.person_periods import mentions

__all__ = ["Simulated", "extrapolated_cells", "reliability_notes", "with_errors_of"]


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
    for name, premium in premiums.items():
        if not np.isfinite(premium.covariance).all():
            continue
        share, where = _lowest(task, premium, name)
        said = reliability_in_words(share)
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


def _lowest(task: HazardTask, premium: Estimates, name: str) -> tuple[float, str]:
    """Smallest reliability over the cells that have coefficients of their own, and which cell it is."""
    codes, rows = task.shifts[name].codes, task.risk.rows
    others = [j for j, column in enumerate(rows.design.columns) if not mentions(column, name)]
    return min(
        (
            reliability_of_rows(premium.values, premium.covariance, codes[cell.rows], cell.x[:, others], cell.weights),
            f" in {cell.name}" if cell.name else "",
        )
        for cell in rows.sample.by_cell()
    )


def extrapolated_cells(
    task: HazardTask, premiums: Mapping[str, Estimates], plain: Sequence[HazardFit], how: Simulated
) -> list[HazardFit]:
    """Return the cells' fits extended to premiums without error.

    Parameters
    ----------
    task : HazardTask
        What is fitted.
    premiums : mapping of str to Estimates
        The premiums, whose covariance is known.
    plain : sequence of HazardFit
        Fits with the premiums as they are.
    how : Simulated
        Draws.

    Raises
    ------
    IdentificationError
        Where a fit under pseudo-errors does not exist.
    """
    errors = _pseudo_errors(premiums, how)
    levels: list[list[HazardFit]] = [list(plain)]
    for scale in GRID:
        mean: list[HazardFit] = []
        for r, error in enumerate(track(errors, f"simex, {scale:g} times the errors", how.progress)):
            fits = _fit_moved(task, premiums, np.sqrt(scale) * error)
            # mean of r + 1 fits = r / (r + 1) mean of r + 1 / (r + 1) new
            shares = np.array([[r], [1.0]]) / (r + 1)
            mean = [_combined(pair, shares) for pair in zip(mean, fits, strict=True)] if mean else fits
        levels.append(mean)
    return [_ended([level[c] for level in levels]) for c in range(len(plain))]


def with_errors_of(premium: Estimates, name: str, estimates: Estimates, slopes: FloatArray) -> Estimates:
    """Add the errors of premiums: values stay, their errors gain `slopes`, (q, P), times those of the premiums."""
    origins = {source.origin for source in estimates.sources if isinstance(source, ScoreSource)}
    foreign = bool(origins) and not any(source.origin in origins for source in premium.sources)
    joint = join_estimates(_numbered(estimates, "value"), _numbered(premium, name), independent=foreign)
    # V = [I D] V_joint [I D]'
    matrix = np.hstack([np.eye(len(estimates.values)), np.nan_to_num(slopes)])
    note = (
        f"Errors of {name!r} ({len(premium.values)} cells) are carried"
        f"{', as independent of these workers' if foreign else ''}; shocks common to its cells are not part of them."
    )
    maps = tuple(matrix @ part for part in joint.maps)
    return replace(estimates, sources=joint.sources, maps=maps, notes=(*estimates.notes, note))


def _numbered(estimates: Estimates, word: str) -> Estimates:
    """The same with numbers as labels, to be joined with others."""
    terms = [f"{word} {i}" for i in range(len(estimates.values))]
    return replace(estimates, labels=pd.DataFrame({"term": terms, "unit": "none", "comparison": ""}))


def _pseudo_errors(premiums: Mapping[str, Estimates], how: Simulated) -> FloatArray:
    """Errors of all premiums' parameters, shape (draws, P), with their joint covariance."""
    cov = join_estimates(*(_numbered(premium, name) for name, premium in premiums.items()), independent=True).covariance
    if not np.isfinite(cov).all():
        raise DataError(
            f"correction='simex' needs the covariance of the premiums, which is unknown for "
            f"{int((~np.isfinite(np.diag(cov))).sum())} of {len(cov)}: leave them out, or correction=None."
        )
    return paired_draws(cov, how.draws, np.random.default_rng(how.rng))


def _fit_moved(task: HazardTask, premiums: Mapping[str, Estimates], error: FloatArray) -> list[HazardFit]:
    """Fit all cells with errors added to the premiums."""
    risk, values, start = task.risk, {}, 0
    for name, premium in premiums.items():
        exact = risk.evaluator.frame[name].to_numpy(dtype=float)
        values[name] = exact + error[start + task.shifts[name].codes]
        start += len(premium.values)
    evaluator = risk.evaluator.shifted(values)
    moved = HazardTask.of(
        replace(risk, evaluator=evaluator), task.model, premiums, margins=bool(task.questions.variables)
    )
    cells = [replace(cell, x=evaluator.design.x[cell.rows]) for cell in risk.rows.sample.by_cell()]
    try:
        return [fit_named(cell, partial(fit_hazard, moved)) for cell in cells]
    except IdentificationError as error_of_fit:
        raise IdentificationError(
            f"under pseudo-errors of the premiums a fit does not exist ({error_of_fit}): too little is known for "
            "correction='simex'; use fit_link on the rates."
        ) from error_of_fit


def _combined(fits: Sequence[HazardFit], factors: FloatArray) -> HazardFit:
    """Sum of fits of a cell, each of its values times a factor, shape (len(fits), q or 1)."""
    pairs = list(zip(factors, fits, strict=True))
    moved = [sum(f[:, None] * fit.by_premium[i] for f, fit in pairs) for i in range(len(fits[0].by_premium))]
    return replace(
        fits[0],
        values=np.asarray(sum(f * fit.values for f, fit in pairs)),
        influence=np.asarray(sum(f * fit.influence for f, fit in pairs)),
        by_premium=tuple(np.asarray(one) for one in moved),
    )


def _ended(levels: Sequence[HazardFit]) -> HazardFit:
    """End of the curves of one cell, and the same combination of influences and derivatives."""
    scales = np.concatenate([[0.0], GRID])
    values = np.array([level.values for level in levels])
    known = np.isfinite(values).all(axis=0)
    ends, slopes = np.full(values.shape[1], np.nan), np.zeros_like(values)
    ends[known] = extrapolate(scales, values[:, known], "rational")
    slopes[:, known] = extrapolation_slopes(scales, values[:, known], "rational")
    return replace(_combined(levels, slopes), values=ends)
