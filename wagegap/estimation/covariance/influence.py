"""The source of estimators that leave an influence function behind: maximum likelihood, two steps, averages of effects.

Each block (a cell, a fit) has rows of the sample and the influence of each on its columns, scaled so that the sum of
their squares is the variance. One sparse matrix of scores holds all blocks, and the rows' groupings relate them to each
other and to other stages.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import sparse

from wagegap._typing import FloatArray, IntArray, SmallSample
from wagegap.errors import CovarianceError
from wagegap.estimation.covariance.options import Analytic, Covariance
from wagegap.estimation.covariance.sources import Block, ScoreSource
from wagegap.estimation.sample import Sample

__all__ = ["InfluenceBlock", "check_influence_cov", "influence_source"]


@dataclass(frozen=True, slots=True, eq=False)
class InfluenceBlock:
    """Influence of the rows of one fit.

    Attributes
    ----------
    label : str
        The cell.
    rows : ndarray of int, shape (n,)
        Positions in the sample.
    influence : ndarray, shape (n, q)
        Influence of each row on each column.
    n_params : int
        Parameters that small-sample factors count.
    classical : ndarray, shape (q, q), optional
        Covariance where the model is true, for `iid`.
    """

    label: str
    rows: IntArray
    influence: FloatArray
    n_params: int
    classical: FloatArray | None = None


def check_influence_cov(cov: Covariance, *, classical: bool = True) -> None:
    """Raise for a covariance that influence functions do not have.

    Parameters
    ----------
    cov : covariance
        Covariance in force.
    classical : bool
        Whether the model has a covariance of its own where it is true, for `iid`.

    Raises
    ------
    CovarianceError
    """
    if cov.leverages or cov.adjusts_clusters or (cov.model_based and not classical):
        raise CovarianceError(
            f"cov={str(cov)!r} is not defined for this model: use HC0, HC1, CR0:COLUMN, CR1:COLUMN (two-way with +), a "
            "survey's design, replicates or the bootstrap."
        )


def influence_source(
    sample: Sample, blocks: Sequence[InfluenceBlock], *, cov: Analytic, rule: SmallSample = "stata"
) -> ScoreSource:
    """Return the source of all blocks, column after column.

    Parameters
    ----------
    sample : Sample
        Rows with groupings.
    blocks : sequence of InfluenceBlock
        Fits.
    cov : analytic covariance
        Covariance in force.
    rule : str
        Small-sample rule.

    Raises
    ------
    CovarianceError
    """
    check_influence_cov(cov, classical=all(block.classical is not None for block in blocks))
    part = sample.take(np.concatenate([block.rows for block in blocks]))
    sizes = [block.influence.shape for block in blocks]
    parts = [sparse.csr_array(block.influence) for block in blocks]
    scores = parts[0] if len(parts) == 1 else sparse.csr_array(sparse.block_diag(parts, format="csr"))
    stated = tuple(
        Block(block.label, sample.observations(block.rows), block.n_params, (), block.classical) for block in blocks
    )
    at = np.arange(len(blocks))
    of_columns, of_rows = (np.repeat(at, [size[axis] for size in sizes]) for axis in (1, 0))
    return ScoreSource(
        part.source, scores, of_columns, of_rows.astype(np.int32), stated, part.groupings, cov, rule, None, part.repeats
    )
