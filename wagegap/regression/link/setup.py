"""What every estimator of the link starts from: columns that are not collinear, errors, and clusters."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from wagegap._display.session import Shown
from wagegap._typing import AnyArray, FloatArray
from wagegap.errors import (
    CovarianceError,
    DataError,
    IdentificationError,
    IdentificationWarning,
    OptionError,
    listing,
    no_column,
    warn,
)
from wagegap.estimation.least_squares.lstsq import fit_lstsq
from wagegap.regression.link.cells import LinkCells
from wagegap.regression.link.problem import LinkProblem

__all__ = ["Setup", "build_setup", "is_constant"]


@dataclass(frozen=True, slots=True, eq=False)
class Setup(Shown):
    """Cells, the arrays made of them, and how their errors are clustered.

    Attributes
    ----------
    cells : LinkCells
        Matched cells.
    problem : LinkProblem
        Arrays: columns that are not collinear, effects as dummies; the error covariance is not checked yet, and NaN
        where that of the premiums is unknown.
    shown : tuple of int
        Positions of columns that are reported; dummies of effects are not.
    groups : ndarray, shape (n,), or None
        Cluster of each cell; where none is given, the premium that cells share.
    cov : str
        Covariance of least squares.
    """

    cells: LinkCells
    problem: LinkProblem
    shown: tuple[int, ...]
    groups: AnyArray | None
    cov: str

    @property
    def terms(self) -> list[str]:
        """Names of the columns that are reported."""
        return [self.problem.names[j] for j in self.shown]

    @property
    def df(self) -> float:
        """Degrees of freedom: rows less columns, or clusters less one."""
        return float(self.problem.n - self.problem.k if self.groups is None else self.n_groups - 1)

    @property
    def n_groups(self) -> int:
        """Number of clusters, or of cells where there are none: what a jackknife leaves out one at a time."""
        return self.problem.n if self.groups is None else len(np.unique(self.groups))

    @property
    def jackknife_df(self) -> float:
        """Groups less coefficients: every column, or with clusters those reported and the constant of effects."""
        if self.groups is None:
            return float(self.problem.n - self.problem.k)
        return float(self.n_groups - len(self.shown) - bool(self.cells.design.effects))


def build_setup(
    cells: LinkCells, data: pd.DataFrame | None = None, *, cov: str | None = None, cluster: str | None = None
) -> Setup:
    """Keep columns that are not collinear, turn effects into dummies, and find the cluster of each cell.

    Raises
    ------
    DataError
        When there are no more cells than coefficients.
    OptionError
        When a premium is collinear with the controls and effects.
    """
    design = cells.design
    dummies = [np.eye(int(codes.max()) + 1)[codes] for codes in design.effects]
    labels = [f"{name}[{j}]" for name, d in zip(design.effect_names, dummies, strict=True) for j in range(d.shape[1])]
    x, n_terms = np.column_stack([design.x, *dummies]), design.x.shape[1]
    if cells.n <= n_terms:
        raise DataError(
            f"{cells.n} cells ({listing(cells.names)}) for {n_terms} coefficients ({listing(design.names)}): at least "
            f"{n_terms + 1} cells are needed."
        )
    # Effects come first, so that of a covariate and the effects that make it up the covariate is left out; premiums
    # last, so that one that the others make up is refused.
    last = [j for j in range(n_terms) if design.names[j] in cells.premiums]
    order = [*range(n_terms, x.shape[1]), *(j for j in range(n_terms) if j not in last), *last]
    kept = sorted(order[i] for i in np.flatnonzero(fit_lstsq(cells.y, x[:, order]).kept))
    names = tuple([*design.names, *labels][j] for j in kept)
    _check_premiums(cells, names)
    _warn_left_out(cells, [j for j in range(n_terms) if j not in kept])
    shared = cells.shared if cells.premiums else None
    groups = shared if cluster is None else _groups(cells, data, cluster)
    robust = "HC3" if groups is None else f"CR2:{cluster or 'premium'}"
    shown = tuple(i for i, j in enumerate(kept) if j < n_terms)
    # Unknown errors of the rates are left to the spread of the residuals.
    size = 1 + len(cells.premiums)
    v = cells.v.reshape(size, cells.n, size, cells.n).swapaxes(1, 2)
    estimated = tuple(names.index(name) for name in cells.premiums)
    problem = LinkProblem(
        cells.y, x[:, kept], estimated, np.nan_to_num(v[0, 0]), v[1:, 1:], np.nan_to_num(v[1:, 0]), names, cells.names
    )
    return Setup(cells, problem, shown, groups, robust if cov is None else cov)


def _check_premiums(cells: LinkCells, names: tuple[str, ...]) -> None:
    """Raise where a premium is not among the columns kept."""
    for name, values in zip(cells.premiums, cells.p.T, strict=True):
        if name not in names and is_constant(values):
            raise IdentificationError(
                f"{name!r} is {values[0]:g} in all {cells.n} cells: a slope needs premiums that differ."
            )
        if name not in names:
            raise OptionError(f"{name!r} is collinear with the controls and effects: leave some of them out.")


def is_constant(values: FloatArray) -> bool:
    """Say whether values are one and the same, as far as rounding tells."""
    return bool(np.ptp(values) <= 1e-12 * np.abs(values).max())


def _warn_left_out(cells: LinkCells, lost: list[int]) -> None:
    """Say which columns of the formula are left out because they are collinear with others."""
    design = cells.design
    others = " or ".join(["the other columns", *design.effect_names])
    reasons = [
        f"{design.names[j]} is {design.x[0, j]:g} in all {cells.n} cells"
        if is_constant(design.x[:, j])
        else f"{design.names[j]} is collinear with {others}"
        for j in lost
        if design.names[j] != "Intercept" or not design.effects
    ]
    if reasons:
        warn(f"left out of the link: {listing(reasons)}, so that it has no slope of its own.", IdentificationWarning)


def _groups(cells: LinkCells, data: pd.DataFrame | None, cluster: str) -> AnyArray:
    """Cluster of each cell, of which there are two at least."""
    groups = np.asarray(cells.keys[cluster]) if cluster in cells.keys else _looked_up(cells, data, cluster)
    if len(np.unique(groups)) < 2:
        raise CovarianceError(
            f"all {cells.n} cells have a single group of {cluster!r} ({groups[0]}), and so no variance between groups: "
            "cluster on a finer column, or leave cluster= out."
        )
    return groups


def _looked_up(cells: LinkCells, data: pd.DataFrame | None, cluster: str) -> AnyArray:
    """Cluster of each cell in the data beside them."""
    if data is None or cluster not in data:
        raise no_column(cluster, [*cells.keys, *([] if data is None else data)], "or key to cluster by")
    keys = list(cells.keys.columns)
    values = cells.keys.merge(data[[*keys, cluster]], on=keys, how="left")[cluster]
    if values.isna().any():
        raise CovarianceError(f"cluster {cluster!r} is missing in {int(values.isna().sum())} of {cells.n} cells.")
    return np.asarray(values)
