"""From what an estimator leaves behind to a joint covariance: influence functions, or replicates.

An estimator gives, for each comparison, its components and the influence of every row on them. Scores of one panel then
give every covariance that the package knows (robust, clustered, a survey's design), related across comparisons, cells
and stages through the rows, workers or clusters they share. Where replicates or a bootstrap are asked for, the
estimator is run again with each set of weights, and its components are compared as they are.

References
----------
Jann, B. (2020). Influence functions continued. A framework for estimating standard errors in reweighting, matching,
and regression adjustment. University of Bern Social Sciences Working Paper 35.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np
import pandas as pd

from wagegap._typing import FloatArray, IntArray, SmallSample
from wagegap.decomposition.groups import Comparison, GroupedSample, GroupRows
from wagegap.decomposition.result import TOTAL, Decomposition
from wagegap.errors import DataError, IdentificationError
from wagegap.estimation.covariance.replication import ReplicateWeights, check_replicates
from wagegap.estimation.covariance.sources import ErrorSource, ReplicateSource, source_of_values
from wagegap.estimation.estimates import Estimates
from wagegap.estimation.sample import CellFit
from wagegap.estimation.scores import score_source

__all__ = [
    "Estimated",
    "Estimator",
    "component_labels",
    "decomposition",
    "estimate_comparisons",
    "estimates_from_influence",
    "estimates_from_replicates",
    "joint_estimates",
    "replicate_values",
]

Estimator: TypeAlias = Callable[[Comparison, tuple[GroupRows, GroupRows], bool], tuple[FloatArray, FloatArray | None]]
"""From the rows of both groups to the numbers (q,) of a comparison and, where asked for, the influence (n, q) of the
rows on them, those of the first group in front."""

LEVEL = "level"
"""Component under which the two levels themselves stand until `decomposition` parts them from the gap."""


@dataclass(frozen=True, slots=True, eq=False)
class Estimated:
    """Components of one comparison.

    Attributes
    ----------
    comparison : Comparison
        The gap.
    labels : DataFrame, q rows
        Component and term (and statistic) of each value; unit.
    values : ndarray, shape (q,)
        The components.
    influence : ndarray, shape (n_first + n_second, q), optional
        Influence of each row, those of the first sample in front; the sum of their squares is the variance.
    n_params : int
        Parameters that the small-sample factor counts.
    """

    comparison: Comparison
    labels: pd.DataFrame
    values: FloatArray
    influence: FloatArray | None = None
    n_params: int = 1


def component_labels(details: Mapping[str, Sequence[str]], unit: str) -> pd.DataFrame:
    """Return component, term and unit: of each component its total and detail, then of the levels of both groups.

    >>> component_labels({"difference": (), "explained": ["educ"]}, "share")["term"].tolist()
    ['total', 'total', 'educ', 'first', 'second']
    """
    listed = [(name, term) for name, rows in details.items() for term in (TOTAL, *rows)]
    frame = pd.DataFrame([*listed, (LEVEL, "first"), (LEVEL, "second")], columns=["component", "term"])
    return frame.assign(unit=unit)


def estimate_comparisons(
    grouped: GroupedSample, labels: pd.DataFrame, estimator: Estimator, *, rule: SmallSample, title: str
) -> Estimates:
    """Run an estimator on every comparison, and under every replicate where replicates are asked for."""
    replicated = grouped.cov.replicated
    n_params = grouped.sample.x.shape[1]
    estimated = [
        Estimated(c, labels, *estimator(c, grouped.sides(c), not replicated), n_params) for c in grouped.comparisons
    ]
    if not replicated:
        return estimates_from_influence(grouped, estimated, rule=rule, title=title)

    def again(weights: FloatArray) -> list[FloatArray]:
        return [_values_or_nan(estimator, c, grouped.sides(c, weights), len(labels)) for c in grouped.comparisons]

    return estimates_from_replicates(grouped, estimated, again, title=title)


def _values_or_nan(estimator: Estimator, c: Comparison, sides: tuple[GroupRows, GroupRows], size: int) -> FloatArray:
    """Numbers under a replicate's weights; NaN where these leave something undetermined."""
    try:
        return estimator(c, sides, False)[0]
    except (DataError, IdentificationError):
        return np.full(size, np.nan)


def decomposition(
    estimates: Estimates,
    grouped: GroupedSample,
    method: str,
    *,
    levels: str,
    reference: str = "",
    notes: Sequence[str] = (),
) -> Decomposition:
    """Part the levels of the groups, whose title is given, from the components of their gap."""
    is_level = (estimates.labels["component"] == LEVEL).to_numpy()
    parts, of_groups = estimates.select(~is_level), estimates.select(is_level)
    of_groups = replace(of_groups, labels=of_groups.labels.drop(columns="component"), title=levels)
    parts = replace(parts, notes=(*parts.notes, *notes))
    components = tuple(dict.fromkeys(parts.labels["component"]))
    return Decomposition(parts, method, components, grouped.sizes(), of_groups, reference)


def joint_estimates(
    grouped: GroupedSample,
    labels: pd.DataFrame,
    values: FloatArray,
    source: ErrorSource,
    matrix: FloatArray | None = None,
    *,
    title: str,
) -> Estimates:
    """Estimates of all comparisons: `labels` are those of one, `matrix` maps the source's columns to the values."""
    image = np.eye(len(values)) if matrix is None else matrix
    return Estimates(
        grouped.label_all(labels), values, (source.reported(image),), (image,),
        title=title, ledger=grouped.design.ledger, notes=grouped.notes,
    )  # fmt: skip


def estimates_from_influence(
    grouped: GroupedSample, estimated: Sequence[Estimated], *, rule: SmallSample = "stata", title: str = ""
) -> Estimates:
    """Relate the components of all comparisons through the rows they share.

    Raises
    ------
    CovarianceError
        For a covariance that influence functions do not have.
    """
    assert not grouped.cov.replicated
    sample, cells, fits = grouped.sample, [], []
    for number, one in enumerate(estimated):
        rows = np.concatenate(grouped.rows(one.comparison))
        cells.append(replace(sample.cell(0, rows), name=one.comparison.direction, number=number))
        fits.append(CellFit(values=one.values, influence=one.influence, n_params=one.n_params))
    source = score_source(sample, cells, fits, cov=grouped.cov, rule=rule)
    labels = [
        grouped.label(one.comparison, one.labels.assign(comparison=one.comparison.direction)) for one in estimated
    ]
    values, image = np.concatenate([one.values for one in estimated]), np.eye(source.size)
    return Estimates(
        pd.concat(labels, ignore_index=True), values, (source.reported(image),), (image,), title=title,
        ledger=grouped.design.ledger, notes=grouped.notes,
    )  # fmt: skip


def estimates_from_replicates(
    grouped: GroupedSample,
    estimated: Sequence[Estimated],
    again: Callable[[FloatArray], Sequence[FloatArray]],
    *,
    title: str = "",
) -> Estimates:
    """Run the estimator with each replicate's weights.

    Parameters
    ----------
    grouped : GroupedSample
        With `cov` a `Replicates` or a `Bootstrap`.
    estimated : sequence of Estimated
        Full-sample components.
    again : callable
        From weights of all rows, shape (n,), to the components of every comparison.
    """
    estimate = np.array([one.values for one in estimated])

    def values_of(replicates: ReplicateWeights) -> FloatArray:
        return np.array([again(weights) for weights in replicates], dtype=float)

    members = [np.concatenate(grouped.rows(one.comparison)) for one in estimated]
    source = replicate_values(grouped, estimate, values_of, members)
    return joint_estimates(grouped, estimated[0].labels, estimate.ravel(), source, title=title)


def replicate_values(
    grouped: GroupedSample,
    estimate: FloatArray,
    values_of: Callable[[ReplicateWeights], FloatArray],
    members: Sequence[IntArray],
    *,
    signed: bool = False,
) -> ReplicateSource:
    """Source of estimates whose values under all replicates a function gives at once.

    Parameters
    ----------
    grouped : GroupedSample
        With `cov` a `Replicates` or a `Bootstrap`.
    estimate : ndarray, shape (C, q)
        Full-sample estimates, a row for each comparison.
    values_of : callable
        From the replicates' weights to estimates (R, C, q).
    members : sequence of ndarray of int, length C
        Rows of the sample that each comparison stands on; where they are of one country its replicates are its own.
    signed : bool
        Whether the function takes weights below zero.
    """
    replicates = grouped.data.replicate_weights(signed=signed)
    check_replicates(replicates, grouped.sample.rows_by_cell(), grouped.sample.cell_names)
    return source_of_values(estimate, values_of(replicates), replicates, grouped.data.scopes(members), members)
