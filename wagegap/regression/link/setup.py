"""What every estimator of the link starts from: columns that can be told apart, errors, clusters, and options."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np
import pandas as pd

from wagegap._typing import AnyArray, FloatArray, MetaTest, RngLike, Tau2Method
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
from wagegap.estimation.covariance.sources import StatedSource
from wagegap.estimation.estimates import Estimates
from wagegap.estimation.least_squares.lstsq import fit_lstsq
from wagegap.regression.link.cells import LinkCells
from wagegap.regression.link.problem import LinkProblem

__all__ = ["METHODS", "LinkCall", "Method", "Setup", "build_setup", "plain_estimates", "stated_estimates"]

Method: TypeAlias = Literal[
    "auto", "ols", "meta", "eiv", "ml", "york", "simex", "iv", "fractional", "poisson", "split", "bootstrap"
]
METHODS: tuple[Method, ...] = (
    "auto", "ols", "meta", "eiv", "ml", "york", "simex", "iv", "fractional", "poisson", "split", "bootstrap",
)  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class LinkCall:
    """A call of `fit_link`, so that a question can ask it again with something changed.

    Attributes
    ----------
    function : callable
        `fit_link`.
    formula : str
        The formula.
    rates, premiums : object
        What was given; results, which hold no workers.
    data : DataFrame or None
        Covariates.
    options : mapping of str to object
        Keyword arguments.
    """

    function: Callable[..., Any]
    formula: str
    rates: Any
    premiums: Any
    data: pd.DataFrame | None
    options: Mapping[str, Any]

    def again(self, **changes: Any) -> Any:
        """Fit again, with other arguments by name."""
        given = {"formula": self.formula, "rates": self.rates, "premiums": self.premiums, "data": self.data}
        given.update(self.options)
        given.update(changes)
        return self.function(given.pop("formula"), given.pop("rates"), given.pop("premiums"), **given)


@dataclass(frozen=True, slots=True, eq=False)
class Setup:
    """Columns kept, error covariance, clusters and options.

    Attributes
    ----------
    cells : LinkCells
        Matched cells.
    x : ndarray, shape (n, k)
        Columns that can be told apart, effects as dummies.
    names : tuple of str, length k
        Their names.
    shown : tuple of int
        Positions of columns that are reported; dummies of effects are not.
    estimated : tuple of int
        Positions of the premiums.
    groups : ndarray, shape (n,), or None
        Cluster of each cell.
    cov : str
        Covariance of least squares.
    tau2, test : str
        Options of the meta-regression.
    rng : Generator, int or None
        Source of random orders and draws.
    """

    cells: LinkCells
    x: FloatArray
    names: tuple[str, ...]
    shown: tuple[int, ...]
    estimated: tuple[int, ...]
    groups: AnyArray | None
    cov: str
    tau2: Tau2Method
    test: MetaTest
    rng: RngLike

    @property
    def v_y(self) -> FloatArray:
        """Covariance of the rates' errors; unknown ones are left to the spread of the residuals."""
        return np.nan_to_num(self.cells.block(0, 0))

    @property
    def others(self) -> FloatArray:
        """Columns other than the first premium."""
        return np.delete(self.x, self.estimated[0], axis=1)

    @property
    def free(self) -> float:
        """Degrees of freedom: rows less columns, or clusters less one."""
        if self.groups is not None:
            return float(len(np.unique(self.groups)) - 1)
        return float(self.cells.n - self.x.shape[1])

    def problem(self) -> LinkProblem:
        """Arrays for the corrected estimators."""
        m = len(self.estimated)
        v_x = np.array([[self.cells.block(1 + i, 1 + j) for j in range(m)] for i in range(m)])
        v_xy = np.array([np.nan_to_num(self.cells.block(1 + i, 0)) for i in range(m)])
        return LinkProblem.build(
            self.cells.y, self.x, estimated=self.estimated, v_y=self.v_y, v_x=v_x, v_xy=v_xy, names=self.names
        )


def build_setup(
    cells: LinkCells,
    data: pd.DataFrame | None,
    *,
    cov: str | None,
    cluster: str | None,
    tau2: Tau2Method,
    test: MetaTest,
    rng: RngLike,
) -> Setup:
    """Keep columns that can be told apart, turn effects into dummies, and find the cluster of each cell.

    Raises
    ------
    DataError
        When there are no more cells than coefficients.
    OptionError
        When a premium cannot be told apart from the controls and effects.
    """
    design = cells.design
    dummies = [np.eye(int(codes.max()) + 1)[codes] for codes in design.effects]
    labels = [f"{name}[{j}]" for name, d in zip(design.effect_names, dummies, strict=True) for j in range(d.shape[1])]
    full, own = np.column_stack([design.x, *dummies]), design.x.shape[1]
    if cells.n <= own:
        raise DataError(
            f"{cells.n} cells ({listing(cells.names)}) for {own} coefficients ({listing(design.names)}): at least "
            f"{own + 1} cells are needed."
        )
    order = [*range(own, full.shape[1]), *range(own)]
    fit = fit_lstsq(cells.y, full[:, order])
    kept = sorted(order[i] for i in np.flatnonzero(fit.kept))
    names = tuple([*design.names, *labels][j] for j in kept)
    estimated = tuple(names.index(name) for name in cells.premiums if name in names)
    if len(estimated) < len(cells.premiums):
        lost = [name for name in cells.premiums if name not in names]
        values = cells.p[:, cells.premiums.index(lost[0])]
        if np.ptp(values) <= 1e-12 * np.abs(values).max():
            raise IdentificationError(
                f"{lost[0]!r} is {values[0]:g} in all {cells.n} cells: a slope needs premiums that differ."
            )
        raise OptionError(f"{lost[0]!r} cannot be told apart from the controls and effects: leave some of them out.")
    shown = tuple(i for i, j in enumerate(kept) if j < own)
    _warn_left_out(cells, [j for j in range(own) if j not in kept])
    groups = None if cluster is None else _groups(cells, data, cluster)
    if cov is None:
        cov = "HC3" if cluster is None else f"CR2:{cluster}"
    return Setup(cells, full[:, kept], names, shown, estimated, groups, cov, tau2, test, rng)


def _warn_left_out(cells: LinkCells, lost: Sequence[int]) -> None:
    """Say which columns of the formula are left out because nothing tells them apart from others."""
    design = cells.design
    words = []
    for j in lost:
        if design.names[j] == "Intercept" and design.effects:
            continue
        column = design.x[:, j]
        if np.ptp(column) <= 1e-12 * np.abs(column).max():
            words.append(f"{design.names[j]} is {column[0]:g} in all {cells.n} cells")
        else:
            others = " or ".join(["the other columns", *design.effect_names])
            words.append(f"{design.names[j]} is made up by {others}")
    if words:
        warn(f"left out of the link: {listing(words)}, so that it has no slope of its own.", IdentificationWarning)


def plain_estimates(setup: Setup, values: FloatArray, source: Any, notes: tuple[str, ...] = ()) -> Estimates:
    """Label the coefficients that are reported."""
    cells = setup.cells
    labels = pd.DataFrame({"term": [setup.names[j] for j in setup.shown], "unit": cells.units[0], "comparison": ""})
    said = []
    if not cells.known(0):
        said.append("Errors of the rates are unknown; the spread of the residuals holds them.")
    if cells.premiums and not cells.related:
        said.append("Errors of rates and premiums come from different data and are taken as independent.")
    right = ", ".join(setup.names[j] for j in setup.shown if setup.names[j] != "Intercept")
    title = f"{cells.outcome} on {right}" if right else cells.outcome
    return Estimates(
        labels, values, (source,), (np.eye(len(values)),), title=title, ledger=cells.ledger, notes=(*said, *notes)
    )


def stated_estimates(
    setup: Setup,
    params: FloatArray,
    cov: FloatArray,
    phrase: str,
    *,
    free: float | None = None,
    notes: tuple[str, ...] = (),
) -> Estimates:
    """Coefficients with a covariance that the estimator states."""
    at = list(setup.shown)
    source = StatedSource("link", cov[np.ix_(at, at)], setup.free if free is None else free, phrase)
    return plain_estimates(setup, params[at], source, notes)


def _groups(cells: LinkCells, data: pd.DataFrame | None, cluster: str) -> AnyArray:
    if cluster in cells.keys:
        return np.asarray(cells.keys[cluster])
    if data is None or cluster not in data:
        known = [*cells.keys.columns, *([] if data is None else data.columns)]
        raise no_column(cluster, known, "or key to cluster by")
    keys = list(cells.keys.columns)
    values = cells.keys.merge(data[[*keys, cluster]], on=keys, how="left")[cluster]
    if values.isna().any():
        raise CovarianceError(f"cluster {cluster!r} is missing in {int(values.isna().sum())} of {cells.n} cells.")
    return np.asarray(values)
