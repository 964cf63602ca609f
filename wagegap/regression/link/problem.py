"""The data of a second stage: an outcome, regressors of which some are estimates, and their joint sampling covariance.

Each row is a cell (a country, or a country in a period). The observed outcome is y = Y + e and each estimated
regressor p_j = P_j + v_j, with the errors (e, v_1, ..., v_p) jointly normal with mean zero and a covariance known from
the first stage: full, across rows and between outcome and regressors. The structure among the true values is
Y = sum_j beta_j P_j + Z gamma + u with u independent, variance tau^2. Country and period effects are dummies among Z:
a slope then uses the data and the covariance after the same projection, M y, M p and M V M.

References
----------
Fuller, W. (1987). Measurement Error Models. Wiley, chapter 3.
Buonaccorsi, J. (2010). Measurement Error: Models, Methods and Applications. Chapman & Hall, chapter 5.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike

from wagegap._display.session import Shown
from wagegap._typing import AnyArray, FloatArray, IntArray
from wagegap.errors import (
    CovarianceError,
    DataError,
    EmptyDataError,
    IdentificationError,
    MissingValueError,
    OptionError,
    WagegapError,
    listing,
)
from wagegap.estimation.least_squares.lstsq import fit_lstsq

__all__ = ["LinkProblem", "delete_groups", "without_deletions"]


@dataclass(frozen=True, slots=True, eq=False)
class LinkProblem(Shown):
    """A second-stage regression with sampling errors. `LinkProblem.build` makes and checks one whose errors are known.

    Attributes
    ----------
    y : ndarray, shape (n,)
        Outcome, such as a rate, in its own unit.
    x : ndarray, shape (n, k)
        Regressors, the constant among them.
    estimated : tuple of int, length p
        Positions of the columns of `x` that are estimates.
    v_y : ndarray, shape (n, n)
        Sampling covariance of the outcome; zeros where it is taken as exact.
    v_x : ndarray, shape (p, p, n, n)
        `v_x[j, l]` is the sampling covariance of estimated regressor j (its rows) with l (its columns); NaN where it is
        unknown, which `checked` refuses.
    v_xy : ndarray, shape (p, n, n)
        `v_xy[j][a, b]` is the covariance of the error of regressor j in row a with that of the outcome in row b.
    names : tuple of str, length k
        Names of the columns of `x`.
    cells : tuple of str, length n
        Names of the rows; none where they are not known.
    """

    y: FloatArray
    x: FloatArray
    estimated: tuple[int, ...]
    v_y: FloatArray
    v_x: FloatArray
    v_xy: FloatArray
    names: tuple[str, ...]
    cells: tuple[str, ...] = ()

    @classmethod
    def build(
        cls,
        y: ArrayLike,
        x: ArrayLike,
        *,
        estimated: Sequence[int] = (0,),
        v_y: ArrayLike | None = None,
        v_x: ArrayLike | None = None,
        v_xy: ArrayLike | None = None,
        names: Sequence[str] | None = None,
    ) -> LinkProblem:
        """Check the arrays and put them in their full shapes.

        Parameters
        ----------
        y : array_like, shape (n,)
            Outcome.
        x : array_like, shape (n, k)
            Regressors; a constant is not added.
        estimated : sequence of int, default (0,)
            Columns of `x` that are estimates. Empty for a plain meta-regression.
        v_y : array_like, shape (n, n) or (n,), optional
            Covariance, or variances, of the outcome's errors. None is zero: whoever does not know an error
            must not call this with None, but choose a method that needs no such knowledge.
        v_x : array_like, shape (n, n), (n,), (p, p, n, n) or (p, n), optional
            Covariance of the errors of the estimated regressors; of one, or of all.
        v_xy : array_like, shape (n, n), (n,), (p, n, n) or (p, n), optional
            Covariance of each regressor's errors (rows) with the outcome's (columns).
        names : sequence of str, optional
            Names of the columns; `x0`, `x1`, ... if not given.

        Returns
        -------
        LinkProblem

        Raises
        ------
        DataError, EmptyDataError, MissingValueError
            Wrong shapes, too few rows, missing values.
        IdentificationError
            Collinear columns, or an estimated column that does not vary.
        CovarianceError
            A covariance that is missing, not symmetric, or has a negative eigenvalue.

        Examples
        --------
        >>> import numpy as np
        >>> p = np.array([0.06, 0.15, 0.18, 0.25])
        >>> problem = LinkProblem.build([3.0, 2.5, 2.0, 1.0], np.column_stack([p, np.ones(4)]), v_x=[1e-4] * 4)
        >>> problem
        LinkProblem(n=4, estimated=['x0'], exact=['x1'])
        """
        y_, x_ = np.asarray(y, dtype=np.float64), np.asarray(x, dtype=np.float64)
        columns = _checked_names(y_, x_, names)
        n, where = len(y_), tuple(int(j) for j in estimated)
        p = len(where)
        if len(set(where) & set(range(len(columns)))) != p:
            raise OptionError(f"estimated={where} must name different columns among 0 to {len(columns) - 1}.")
        blocks = _blocks(v_y, "v_y", (), n), _blocks(v_x, "v_x", (p, p), n), _blocks(v_xy, "v_xy", (p,), n)
        return cls(y_, x_, where, *blocks, columns).checked()

    def checked(self) -> LinkProblem:
        """Return the problem where data, columns and covariance allow a correction; else raise, as `build` does."""
        _check_values(self)
        _check_design(self)
        _check_covariance(self)
        return self

    def __repr__(self) -> str:
        estimated, exact = ([self.names[j] for j in columns] for columns in (self.estimated, self.exact))
        return f"LinkProblem(n={self.n}, estimated={estimated}, exact={exact})"

    @property
    def n(self) -> int:
        """Number of rows."""
        return len(self.y)

    @property
    def k(self) -> int:
        """Number of columns."""
        return int(self.x.shape[1])

    @property
    def exact(self) -> tuple[int, ...]:
        """Positions of the columns known without error."""
        return tuple(j for j in range(self.k) if j not in self.estimated)

    @property
    def premiums(self) -> FloatArray:
        """Estimated columns, shape (n, p)."""
        return self.x[:, list(self.estimated)]

    @property
    def controls(self) -> FloatArray:
        """Exact columns, shape (n, k - p)."""
        return self.x[:, list(self.exact)]

    @property
    def others(self) -> FloatArray:
        """Columns other than the first premium, shape (n, k - 1)."""
        return np.delete(self.x, self.estimated[0], axis=1)

    @property
    def rows_independent(self) -> bool:
        """Whether no two rows have correlated sampling errors."""
        return not any(np.any(block[..., ~np.eye(self.n, dtype=bool)]) for block in (self.v_y, self.v_x, self.v_xy))

    def joint(self) -> FloatArray:
        """Covariance of (e, v_1, ..., v_p), each of n rows, shape ((1 + p) n, (1 + p) n)."""
        # [[V_yy, V_yp], [V_py, V_pp]] with V_yp = V_py'
        first = [self.v_y, *(block.T for block in self.v_xy)]
        return np.block([first, *([cross, *row] for cross, row in zip(self.v_xy, self.v_x, strict=True))])

    def named(self, rows: IntArray) -> str:
        """Names of some rows for a message, or their numbers."""
        return listing([self.cells[i] for i in rows] if self.cells else rows)

    def take(self, rows: IntArray) -> LinkProblem:
        """Keep the given rows, and check that their columns are still not collinear."""
        a, b = np.ix_(rows, rows)
        part = replace(
            self, y=self.y[rows], x=self.x[rows], v_y=self.v_y[a, b], v_x=self.v_x[:, :, a, b],
            v_xy=self.v_xy[:, a, b], cells=tuple(self.cells[i] for i in rows) if self.cells else (),
        )  # fmt: skip
        _check_design(part)
        return part


def delete_groups(
    problem: LinkProblem,
    refit: Callable[[LinkProblem, IntArray], FloatArray],
    groups: AnyArray | None = None,
    *,
    required: bool = False,
) -> FloatArray:
    """Coefficients without each row, or without each group of rows.

    Parameters
    ----------
    problem : LinkProblem
        The full data.
    refit : callable
        From the rows that are left, as a problem, and their positions to coefficients, shape (k,).
    groups : ndarray, shape (n,), optional
        Label of the group of each row; rows are deleted one at a time if not given.
    required : bool
        Raise where no deletion can be had, rather than return NaN throughout.

    Returns
    -------
    ndarray, shape (m, k)
        A row for each deletion, in sorted order of the labels; NaN where what is left does not identify the
        coefficients.
    """
    labels = np.arange(problem.n) if groups is None else np.asarray(groups)
    if labels.shape != (problem.n,):
        raise DataError(f"groups has shape {labels.shape}: give one label for each of the {problem.n} rows.")
    every = np.unique(labels)
    parts = np.full((len(every), problem.k), np.nan)
    for i, label in enumerate(every):
        try:
            rows = np.flatnonzero(labels != label)
            parts[i] = refit(problem.take(rows), rows)
        except (WagegapError, np.linalg.LinAlgError):
            continue
    if required and np.isnan(parts).all():
        raise IdentificationError(without_deletions(problem, len(every)))
    return parts


def without_deletions(problem: LinkProblem, size: int) -> str:
    """Say why no corrected slope can be had without any one of so many groups."""
    why = (
        "the columns of what remains are collinear, or premiums vary no more than their errors. Leave out controls."
        if problem.n > problem.k + 1
        else f"{problem.n} cells for {problem.k} coefficients ({listing(problem.names)}), where {problem.k + 2} "
        "are needed. method='ols' gives the naive slope with an exact permutation test."
    )
    return f"the error of a corrected slope needs fits without each cell, and none of the {size} can be had: {why}"


def _checked_names(y: FloatArray, x: FloatArray, names: Sequence[str] | None) -> tuple[str, ...]:
    """Names of the columns, once the shapes are known to agree."""
    if y.ndim != 1 or x.ndim != 2 or x.shape[0] != len(y):
        raise DataError(f"y has shape {y.shape} and x {x.shape}: give n outcomes and an (n, k) matrix of regressors.")
    if len(y) == 0:
        raise EmptyDataError("There are no rows: no cell has both an outcome and the regressors.")
    columns = tuple((f"x{j}" for j in range(x.shape[1])) if names is None else names)
    if len(columns) != x.shape[1]:
        raise DataError(f"{len(columns)} names for {x.shape[1]} columns.")
    return columns


def _blocks(v: ArrayLike | None, name: str, lead: tuple[int, ...], n: int) -> FloatArray:
    """Covariance blocks of shape (*lead, n, n): zero, as given, or from the variances of p variables."""
    blocks = np.zeros((*lead, n, n))
    given = blocks if v is None else np.asarray(v, dtype=np.float64)
    p = lead[0] if lead else 1
    if given.shape == blocks.shape or (p == 1 and given.shape == (n, n)):
        return given.reshape(blocks.shape)
    if given.shape == (p, n) or (p == 1 and given.shape == (n,)):
        for j, variances in enumerate(given.reshape(p, n)):
            blocks[(j,) * len(lead)] = np.diag(variances)
        return blocks
    one = f", or for one column ({n}, {n}) or ({n},)" if p == 1 else ""
    raise DataError(f"{name} has shape {given.shape}: give {blocks.shape}, variances ({p}, {n}){one}.")


def _check_values(problem: LinkProblem) -> None:
    """No missing value in the data or in the covariance."""
    columns = zip(
        ("The outcome", *(f"Column {name!r}" for name in problem.names)), (problem.y, *problem.x.T), strict=True
    )
    for name, values in columns:
        rows = np.flatnonzero(~np.isfinite(values))
        if len(rows):
            raise MissingValueError(f"{name} is missing in {len(rows)} rows ({problem.named(rows)}): drop them first.")
    for block, name in ((problem.v_y, "v_y"), (problem.v_x, "v_x"), (problem.v_xy, "v_xy")):
        if not np.isfinite(block).all():
            raise CovarianceError(
                f"{name} has {np.sum(~np.isfinite(block))} missing or infinite elements: an unknown error is not a "
                "zero one. Leave those rows out, or use a method that needs no such covariance."
            )


def _check_design(problem: LinkProblem) -> None:
    """More rows than columns, independent columns, estimated columns that vary."""
    n, k = problem.x.shape
    if n <= k:
        raise DataError(f"{n} rows for {k} coefficients ({listing(problem.names)}): at least {k + 1} rows are needed.")
    for j in problem.estimated:
        if np.ptp(problem.x[:, j]) == 0:
            raise IdentificationError(f"Column {problem.names[j]!r} is the same in all {n} rows: it has no slope.")
    said = [
        f"{problem.names[c.column]} = {' + '.join(f'{b:.4g} {problem.names[j]}' for j, b in c.made_of) or '0'}"
        for c in fit_lstsq(problem.y, problem.x).collinear
    ]
    if said:
        raise IdentificationError(f"Collinear columns: {listing(said)}. Drop one of each; {n} rows cannot part them.")


def _check_covariance(problem: LinkProblem) -> None:
    """Symmetric, and no negative eigenvalue once every error has unit variance."""
    joint = problem.joint()
    scale = np.sqrt(np.abs(np.outer(np.diag(joint), np.diag(joint))))
    largest = float(np.max(np.abs(joint - joint.T) - 1e-8 * scale, initial=0.0))
    if largest > 0:
        raise CovarianceError(f"The sampling covariance is not symmetric: elements differ by up to {largest:.3g}.")
    negative = np.flatnonzero(np.diag(joint) < 0)
    if len(negative):
        raise CovarianceError(
            f"{len(negative)} sampling variances are negative (rows {problem.named(negative % problem.n)})."
        )
    # |V_ab| <= (V_aa V_bb)^(1/2)
    beyond = int(np.sum(np.abs(joint) > (1 + 1e-8) * scale))
    if beyond:
        raise CovarianceError(
            f"{beyond // 2} sampling covariances exceed what the two variances allow: check v_x, v_y, v_xy."
        )
    unit = joint / np.where(scale > 0, scale, 1.0)
    lowest = float(np.linalg.eigvalsh((unit + unit.T) / 2)[0])
    if lowest < -1e-8 * len(unit):
        raise CovarianceError(
            f"The joint sampling covariance of outcome and regressors is not one: as correlations, its smallest "
            f"eigenvalue is {lowest:.3g}. Blocks from different first stages must be joined, not pasted."
        )
