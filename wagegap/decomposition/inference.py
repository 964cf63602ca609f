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

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from wagegap._typing import FloatArray, IntArray, SmallSample
from wagegap.decomposition.groups import Comparison, GroupedSample
from wagegap.estimation.covariance.influence import InfluenceBlock, influence_source
from wagegap.estimation.covariance.replication import ReplicateWeights
from wagegap.estimation.covariance.sources import ReplicateSource, source_of_values
from wagegap.estimation.estimates import Estimates, join
from wagegap.panel.rows import replicate_scopes

__all__ = ["Estimated", "estimates_from_influence", "estimates_from_replicates", "is_replicated", "replicate_values"]


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


def is_replicated(grouped: GroupedSample) -> bool:
    """Say whether the covariance asked for comes from replicates or a bootstrap."""
    return grouped.cov.replicated


def estimates_from_influence(
    grouped: GroupedSample, estimated: Sequence[Estimated], *, rule: SmallSample = "stata", title: str = ""
) -> Estimates:
    """Relate the components of all comparisons through the rows they share.

    Raises
    ------
    CovarianceError
        For a covariance that influence functions do not have.
    """
    parts = [_from_scores(grouped, one, rule) for one in estimated]
    joined = join(parts[0], *parts[1:])
    return replace(joined, title=title, ledger=grouped.design.ledger, notes=grouped.notes)


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
    members = [np.concatenate(grouped.rows(one.comparison)) for one in estimated]

    def values_of(replicates: ReplicateWeights) -> FloatArray:
        return np.array([again(weights) for weights in replicates], dtype=float)

    source = replicate_values(grouped, estimate, values_of, members)
    labels = pd.concat([grouped.label(one.comparison, _labels(one)) for one in estimated], ignore_index=True)
    return Estimates(
        labels, estimate.ravel(), (source,), (np.eye(estimate.size),), title=title, ledger=grouped.design.ledger,
        notes=grouped.notes,
    )  # fmt: skip


def replicate_values(
    grouped: GroupedSample,
    estimate: FloatArray,
    values_of: Callable[[ReplicateWeights], FloatArray],
    members: Sequence[IntArray],
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
    """
    assert grouped.cov.replicated
    rows = grouped.design.rows
    replicates = grouped.cov.replicate_weights(grouped.panel, rows, grouped.sample.weights)
    scopes = replicate_scopes(grouped.panel, rows, grouped.cov, members)
    return source_of_values(estimate, values_of(replicates), replicates, scopes)


def _labels(one: Estimated) -> pd.DataFrame:
    labels = one.labels.assign(comparison=one.comparison.direction)
    return labels if "unit" in labels else labels.assign(unit="none")


def _from_scores(grouped: GroupedSample, one: Estimated, rule: SmallSample) -> Estimates:
    assert one.influence is not None
    assert not grouped.cov.replicated
    rows = np.concatenate(grouped.rows(one.comparison))
    block = InfluenceBlock(one.comparison.direction, rows, one.influence, one.n_params)
    source = influence_source(grouped.sample, [block], cov=grouped.cov, rule=rule)
    return Estimates(grouped.label(one.comparison, _labels(one)), one.values, (source,), (np.eye(source.size),))
