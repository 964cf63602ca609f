"""Counterfactual weights: what a sample would look like with the regressors of another.

A row of the source sample with regressors x is weighted by

    psi(x) = p(x) / (1 - p(x)) x (W_source / W_target),

where p(x) is the probability of belonging to the target sample and W are sums of weights. Reweighted by psi, the
regressors of the source are distributed as those of the target, while the outcome given the regressors stays its own
(DiNardo, Fortin and Lemieux 1996). The probability is a logit, probit or complementary log-log, or the share of the
target in every cell of equal regressors. Weights are only as good as the overlap of the samples, so their effective
sample size, largest shares and the balance they reach come with them.

References
----------
Crump, R., V. J. Hotz, G. Imbens and O. Mitnik (2009). Dealing with limited overlap in estimation of average treatment
effects. Biometrika 96, 187-199.
DiNardo, J., N. Fortin and T. Lemieux (1996). Labor market institutions and the distribution of wages, 1973-1992: a
semiparametric approach. Econometrica 64, 1001-1044.
Firpo, S. and C. Pinto (2016). Identification and estimation of distributional impacts of interventions using changes in
inequality measures. Journal of Applied Econometrics 31, 457-486.
Huber, M., M. Lechner and C. Wunsch (2013). The performance of estimators based on the propensity score. Journal of
Econometrics 175, 1-21.
Imbens, G. and D. Rubin (2015). Causal Inference for Statistics, Social, and Biomedical Sciences, chapter 14. Cambridge
University Press.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
import pandas as pd
from scipy import sparse

from wagegap._typing import BoolArray, FloatArray, IntArray
from wagegap.errors import (
    DataError,
    DataWarning,
    IdentificationError,
    OptionError,
    check_option,
    listing,
    refuse_rows,
    warn,
)
from wagegap.estimation.likelihood.binary import (
    BinaryFit,
    LinkFunction,
    fit_binary,
    fit_binary_many,
    probability,
    score,
    slope,
)

__all__ = ["MODELS", "ReweightModel", "Reweighting", "Trim", "parse_trim", "reweight", "warn_overlap"]

ReweightModel: TypeAlias = Literal["logit", "probit", "cloglog", "cells"]
MODELS: tuple[ReweightModel, ...] = ("logit", "probit", "cloglog", "cells")

_LARGEST_INDEX, _LARGEST_PROBIT, _LARGEST_CLOGLOG = 500.0, 37.0, 6.5
_POOR_SIZE, _POOR_SHARE, _POOR_PROPENSITY, _POOR_TARGET = 0.1, 0.1, 0.999, 0.01


@dataclass(frozen=True, slots=True)
class Trim:
    """Which rows are left out for want of overlap.

    Attributes
    ----------
    rule : {"none", "crump", "share"}
        Crump: rows of both samples whose propensity lies outside [a, 1 - a]. Share: rows whose weight psi is more than
        a share of the sum of psi in the source, and rows of the target with as large a psi (Huber, Lechner, Wunsch).
    bound : float, optional
        The a, or the share. Absent: Crump's optimal a, or 1 / sqrt(n) with n rows in the source.
    """

    rule: str
    bound: float | None = None

    def __str__(self) -> str:
        return self.rule if self.bound is None else f"{self.rule}:{self.bound:g}"


def parse_trim(trim: str) -> Trim:
    """Say what a `trim` option means: a rule, or a rule and its bound.

    >>> parse_trim("crump:0.1")
    Trim(rule='crump', bound=0.1)
    """
    if not isinstance(trim, str):
        raise OptionError(f"trim={trim!r} must be text: 'none', 'crump', 'crump:0.1', 'share' or 'share:0.01'.")
    rule, colon, text = trim.partition(":")
    check_option("trim", rule, ("none", "crump", "share"))
    if not colon:
        return Trim(rule)
    try:
        bound = float(text)
    except ValueError:
        bound = np.nan
    if rule == "none" or not 0 < bound < (0.5 if rule == "crump" else 1.0):
        raise OptionError(f"trim={trim!r}: write 'none', 'crump:a' with 0 < a < 0.5, or 'share:s' with 0 < s < 1.")
    return Trim(rule, bound)


@dataclass(frozen=True, slots=True, eq=False)
class _Rows:
    """Rows of both samples, those of the source first, and the cells that are fitted in their place.

    Attributes
    ----------
    x : ndarray, shape (n, k)
        Regressors.
    target : ndarray, shape (n,)
        One for rows of the target.
    weights : ndarray, shape (n,)
        Weights.
    source : int
        Rows of the source.
    code : ndarray of int, shape (n,)
        Cell of each row: rows of equal regressors, or the row alone where few repeat.
    first : ndarray of int, shape (m,)
        A row of each cell.
    """

    x: FloatArray
    target: FloatArray
    weights: FloatArray
    source: int
    code: IntArray
    first: IntArray

    def sums(self, weights: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Weight of the source and of the target in every cell, from weights (R, n): two arrays (R, m)."""
        m, cut = len(self.first), self.source
        return _by_cell(self.code[:cut], m, weights[:, :cut]), _by_cell(self.code[cut:], m, weights[:, cut:])

    def totals(self, weights: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Weight of the source and of the target, from weights (R, n)."""
        return weights[:, : self.source].sum(axis=1), weights[:, self.source :].sum(axis=1)


@dataclass(frozen=True, slots=True, eq=False)
class Reweighting:
    """Weights that give the source sample the regressors of the target.

    Attributes
    ----------
    model : str
        Model of the propensity.
    trim : Trim
        Rule for rows without overlap.
    factor : ndarray, shape (n_source,)
        psi, to be multiplied by the weights of the source; zero for rows trimmed, or unlike any row of the target.
    propensity : tuple of ndarray, shapes (n_source,), (n_target,)
        Probability of belonging to the target, of the rows of the source and of the target.
    kept : tuple of ndarray of bool, shapes (n_source,), (n_target,)
        Rows that are not trimmed.
    fit : BinaryFit, optional
        The model of the propensity, of rows or of cells of equal regressors; absent for exact cells.
    """

    model: ReweightModel
    trim: Trim
    factor: FloatArray
    propensity: tuple[FloatArray, FloatArray]
    kept: tuple[BoolArray, BoolArray]
    fit: BinaryFit | None
    _rows: _Rows
    _alive: BoolArray

    @property
    def weights(self) -> FloatArray:
        """Weights of the reweighted source: the source's own times psi, shape (n_source,)."""
        return self._rows.weights[: self._rows.source] * self.factor

    def influence(self, derivative: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return what the estimated propensity adds to the influence of the rows.

        A statistic of the reweighted source that changes by `derivative` per unit of a row's weight also depends on
        every row of both samples through the coefficients of the propensity:
        [sum_i d_i c_i h_i x_i]' x influence of the row on the coefficients, c_i the weights of the reweighted source
        and h the derivative of the log odds in the index (one under logit), and through the sums of weights.

        Parameters
        ----------
        derivative : ndarray, shape (n_source,) or (n_source, q)
            Derivative of each of q statistics with respect to the weights of the reweighted source. For a statistic
            with influence function IF it is IF / sum of the weights.

        Returns
        -------
        tuple of ndarray
            Influence of the rows of the source and of the target, shapes (n_source, q), (n_target, q).
        """
        rows, cut = self._rows, self._rows.source
        pushed = derivative.reshape(cut, -1) * self.weights[:, None]
        out = self._through_cells(pushed) if self.fit is None else self._through_fit(pushed, self.fit)
        # psi has the factor W_source / W_target: + w_i / W_source sum_j d_j c_j, and - w_i / W_target for the target
        source, target = rows.totals(rows.weights[None])
        out += np.outer(rows.weights * np.where(rows.target == 1, -1 / target, 1 / source), pushed.sum(axis=0))
        return out[:cut].reshape(derivative.shape), out[cut:].reshape(-1, *derivative.shape[1:])

    def replicate(self, source: FloatArray, target: FloatArray) -> FloatArray:
        """Return psi re-estimated with other weights, rows trimmed here staying trimmed.

        Parameters
        ----------
        source, target : ndarray, shapes (R, n_source), (R, n_target)
            Weights of every replicate.

        Returns
        -------
        ndarray, shape (R, n_source)
            NaN throughout a replicate in which the propensity has no maximum likelihood estimate.
        """
        rows = self._rows
        weights = np.concatenate([source, target], axis=1)
        odds = self._cell_odds(weights) if self.fit is None else self._fitted_odds(weights, self.fit)
        total_source, total_target = rows.totals(weights)
        odds *= (total_source / total_target)[:, None]
        odds[:, ~(self.kept[0] & self._alive[: rows.source])] = 0.0
        return odds

    def overlap(self) -> pd.DataFrame:
        """Return one row on the quality of the weights.

        Columns: rows of the source; their effective number (sum c)^2 / sum c^2 before and after reweighting; the share
        of the largest weight; the range of the propensity in either sample; rows trimmed of the source and target.
        """
        before = self._rows.weights[: self._rows.source]
        inside, outside = self.propensity
        return pd.DataFrame({
            "n_source": [len(before)],
            "effective_n_before": [_effective(before)],
            "effective_n": [_effective(self.weights)],
            "largest_share": [float(self.weights.max() / self.weights.sum())],
            "propensity_min_source": [float(inside.min())],
            "propensity_max_source": [float(inside.max())],
            "propensity_min_target": [float(outside.min())],
            "propensity_max_target": [float(outside.max())],
            "trimmed_source": [int((~self.kept[0]).sum())],
            "trimmed_target": [int((~self.kept[1]).sum())],
        })  # fmt: skip

    def balance(self, names: Sequence[str]) -> pd.DataFrame:
        """Return means of the regressors and their standardised differences, before and after reweighting.

        A standardised difference is target less source over the root of the average of both variances before
        reweighting; above .1 in size it is usually called imbalance.

        Parameters
        ----------
        names : sequence of str, length k
            Names of the columns; a constant is left out.
        """
        rows, cut = self._rows, self._rows.source
        before, target = rows.weights[:cut], rows.weights[cut:] * self.kept[1]
        mean_target, spread_target = _moments(rows.x[cut:], target)
        mean_before, spread_before = _moments(rows.x[:cut], before * self.kept[0])
        mean_after = _moments(rows.x[:cut], self.weights)[0]
        scale = np.sqrt((spread_target + spread_before) / 2)
        varies = scale > 1e-12 * np.abs(mean_target)
        scale = np.where(varies, scale, 1.0)
        return pd.DataFrame({
            "column": list(names),
            "mean_target": mean_target,
            "mean_source": mean_before,
            "mean_reweighted": mean_after,
            "difference_before": (mean_target - mean_before) / scale,
            "difference_after": (mean_target - mean_after) / scale,
        })[varies].reset_index(drop=True)  # fmt: skip

    def _through_fit(self, pushed: FloatArray, fit: BinaryFit) -> FloatArray:
        """Influence through the coefficients, shape (n, q)."""
        # [sum_j d_j c_j h_j x_j]' H^-1 x_i s_i w_i, with h the slope of the log odds and s_i the score in the index
        rows, index = self._rows, fit.index[self._rows.code]
        lift = _log_odds_slope(index[: rows.source], fit.link)[:, None]
        toward = fit.bread @ (rows.x[: rows.source].T @ (pushed * lift))
        residuals = score(index, rows.target, fit.link) * rows.weights * self._alive
        return np.asarray((rows.x @ toward) * residuals[:, None])

    def _through_cells(self, pushed: FloatArray) -> FloatArray:
        """Influence through the shares of the target in the cells, shape (n, q)."""
        # the odds T_g / S_g of cell g: + w_i / T_g for a row of the target, - w_i / S_g for one of the source
        rows = self._rows
        source, target = (of_cells[0] for of_cells in rows.sums(rows.weights[None]))
        by_cell = np.column_stack([
            np.bincount(rows.code[: rows.source], column, len(source)) for column in pushed.T
        ])  # fmt: skip
        total = np.where(rows.target == 1, target[rows.code], -source[rows.code])
        return np.asarray((rows.weights / np.where(total == 0, 1.0, total))[:, None] * by_cell[rows.code])

    def _fitted_odds(self, weights: FloatArray, fit: BinaryFit) -> FloatArray:
        """Odds of the source rows from refitted coefficients, shape (R, n_source)."""
        rows, link = self._rows, fit.link
        total = weights if self._alive.all() else weights * self._alive
        cells, outcome = rows.x[rows.first], rows.target
        if len(rows.first) < len(rows.x):  # rows alone have outcomes that replicates share
            source, target = rows.sums(total)
            total = source + target
            outcome = _share(target, total)
        fits = fit_binary_many(outcome, cells, total, link, start=fit.params)
        odds = _odds(fits.params @ cells.T, link)[:, rows.code[: rows.source]]
        odds[~fits.converged] = np.nan
        return odds

    def _cell_odds(self, weights: FloatArray) -> FloatArray:
        """Odds of the source rows from the shares of the cells, shape (R, n_source)."""
        rows = self._rows
        source, target = rows.sums(weights)
        odds = target / np.where(source > 0, source, np.inf)
        odds[((source <= 0) & (target > 0)).any(axis=1)] = np.nan
        return odds[:, rows.code[: rows.source]]


def reweight(
    source: FloatArray,
    target: FloatArray,
    weights: tuple[FloatArray | None, FloatArray | None] = (None, None),
    *,
    model: ReweightModel = "logit",
    trim: str | Trim = "none",
    names: Sequence[str] | None = None,
    groups: tuple[str, str] = ("source", "target"),
) -> Reweighting:
    """Weight a source sample so that its regressors look like those of a target sample.

    Parameters
    ----------
    source, target : ndarray, shapes (n_source, k), (n_target, k)
        Regressors of the propensity, the constant among them.
    weights : tuple of ndarray, shapes (n_source,), (n_target,)
        Weights of the samples; None for ones.
    model : {"logit", "probit", "cloglog", "cells"}
        Model of the propensity. Cells: the exact shares among rows of equal regressors, the saturated model.
    trim : str or Trim
        `"none"`; `"crump"` or `"crump:0.1"`; `"share"` or `"share:0.01"`. The propensity is not fitted again after
        rows are trimmed.
    names : sequence of str, length k, optional
        Names of the columns, for messages.
    groups : tuple of str
        Names of the samples, for messages.

    Returns
    -------
    Reweighting

    Raises
    ------
    DataError
        For weights that are negative or sum to zero, and samples with fewer rows than columns.
    IdentificationError
        Where rows of the target have no like in the source.

    Examples
    --------
    >>> import numpy as np
    >>> high = np.array([0.0, 0, 0, 1]), np.array([0.0, 1, 1, 1])
    >>> source, target = (np.column_stack([np.ones(4), x]) for x in high)
    >>> reweight(source, target).factor.round(6)
    array([0.333333, 0.333333, 0.333333, 3.      ])
    """
    check_option("model", model, MODELS)
    rule = parse_trim(trim) if isinstance(trim, str) else trim
    rows = _stack(source, target, weights, groups, always=model == "cells")
    if model == "cells":
        fit, alive = None, np.ones(len(rows.target), dtype=bool)
        in_source, in_target = (of_cells[0] for of_cells in rows.sums(rows.weights[None]))
        p = _share(in_target, in_source + in_target)[rows.code]
        lone = np.flatnonzero((p == 1) & (rows.target == 1) & (rows.weights > 0))
        if lone.size and rule.rule != "crump":
            raise _no_overlap(rows, lone, [], groups)
        odds = np.asarray(np.divide(p, 1 - p, out=np.full(len(p), np.inf), where=p < 1))
    else:
        fit, alive, p = _fit_propensity(rows, model, names, groups, drop=rule.rule == "crump")
        odds = _odds(fit.index[rows.code], fit.link)
    # psi = p / (1 - p) W_source / W_target, zero for rows of the source unlike any of the target
    cut = rows.source
    total_source, total_target = (float(total[0]) for total in rows.totals(rows.weights[None]))
    factor = np.where(alive | (rows.target == 1), odds, 0.0) * (total_source / total_target)
    kept = _kept(rule, p, factor, rows)
    if not kept[:cut].any() or not kept[cut:].any():
        raise IdentificationError(f"trim={str(rule)!r} leaves no rows of {groups[not kept[cut:].any()]}: trim less.")
    psi = np.where(kept, factor, 0.0)[:cut]
    if not (rows.weights[:cut] * psi).sum() > 0:
        raise IdentificationError(f"no row of {groups[0]} resembles one of {groups[1]}: the samples do not overlap.")
    return Reweighting(model, rule, psi, (p[:cut], p[cut:]), (kept[:cut], kept[cut:]), fit, rows, alive)


def warn_overlap(reweightings: Sequence[tuple[str, Reweighting]]) -> None:
    """Warn once of weights that rest on few rows.

    Parameters
    ----------
    reweightings : sequence of (str, Reweighting)
        What was reweighted, in words, and the weights.
    """
    poor = []
    for label, weights in reweightings:
        row = weights.overlap().iloc[0]
        size = row["effective_n"] / row["effective_n_before"]
        extreme = float(np.average(weights.propensity[1][weights.kept[1]] > _POOR_PROPENSITY))
        if size < _POOR_SIZE or row["largest_share"] > _POOR_SHARE or extreme > _POOR_TARGET:
            poor.append(
                f"{label} (effective sample {row['effective_n']:,.0f} of {row['effective_n_before']:,.0f}, largest "
                f"weight {100 * row['largest_share']:.2g} %, propensity above {_POOR_PROPENSITY} for "
                f"{100 * extreme:.2g} % of the target)"
            )
    if poor:
        warn(
            f"poor overlap in {len(poor)} of {len(reweightings)} reweighted samples: {listing(poor, 3)}. Few rows "
            "carry the counterfactual: look at .overlap, merge levels, or trim='crump'.",
            DataWarning,
        )


# propensities ------------------------------------------------------------------------------------------------------


def _stack(
    source: FloatArray,
    target: FloatArray,
    weights: tuple[FloatArray | None, FloatArray | None],
    groups: tuple[str, str],
    *,
    always: bool,
) -> _Rows:
    """Put both samples into one, with cells where rows repeat."""
    filled = []
    for name, x, w in zip(groups, (source, target), weights, strict=True):
        filled.append(np.ones(len(x)) if w is None else w)
        refuse_rows(~(filled[-1] >= 0), DataError, "", f" weights of {name} are negative or missing.")
        if not filled[-1].sum() > 0:
            raise DataError(f"the weights of the {len(x):,} rows of {name} sum to zero.")
        if len(x) < x.shape[1] and not always:
            raise DataError(
                f"{name} has {len(x):,} rows for {x.shape[1]} columns of the propensity: use fewer regressors, or "
                "pool cells."
            )
    x, in_target = np.vstack([source, target]), np.repeat([0.0, 1.0], [len(source), len(target)])
    return _Rows(x, in_target, np.concatenate(filled), len(source), *_cells(x, always=always))


def _cells(x: FloatArray, *, always: bool) -> tuple[IntArray, IntArray]:
    """Number the distinct rows, or all rows unless few are distinct; and a row of each.

    Two rows of one random projection are compared in full.
    """
    key = x @ np.random.default_rng(1).standard_normal(x.shape[1])
    few, alone = 2000, np.arange(len(x))
    if not always and len(np.unique(key[:few])) > min(few, len(key)) / 4:
        return alone, alone
    _, first, code = np.unique(key, return_index=True, return_inverse=True)
    if not np.array_equal(x[first][code], x):
        _, first, code = np.unique(x, axis=0, return_index=True, return_inverse=True)
        code = code.ravel()
    if not always and len(first) > len(x) / 4:
        return alone, alone
    return code.astype(np.intp), first.astype(np.intp)


def _fit_propensity(
    rows: _Rows, link: LinkFunction, names: Sequence[str] | None, groups: tuple[str, str], *, drop: bool
) -> tuple[BinaryFit, BoolArray, FloatArray]:
    """Fit the propensity; rows of the source unlike any of the target leave with a propensity of zero.

    Rows that the regressors predict perfectly make the coefficients infinite. Those of the source have a weight of zero
    in the limit; those of the target have no counterpart, which is an error unless they are to be trimmed.
    """
    alive = np.ones(len(rows.target), dtype=bool)
    while True:
        source, target = (of_cells[0] for of_cells in rows.sums((rows.weights * alive)[None]))
        total = source + target
        fit = fit_binary(_share(target, total), rows.x[rows.first], total, link, separation="report")
        if fit.separation is None:
            return fit, alive, np.where(alive, fit.probabilities[rows.code], rows.target)
        separated = alive & (rows.weights > 0) & np.isin(rows.code, fit.separation.rows)
        lone = np.flatnonzero(separated & (rows.target == 1))
        remaining = rows.target[alive & (rows.weights > 0) & ~separated]
        overlap = bool((remaining == 1).any() and (remaining == 0).any())
        if lone.size and not (drop and overlap):
            columns = [f"column {j}" if names is None else names[j] for j in fit.separation.columns]
            raise _no_overlap(rows, lone, columns, groups)
        if not overlap:
            raise _no_overlap(rows, np.flatnonzero(rows.target == 1), [], groups)
        alive &= ~separated


def _no_overlap(rows: _Rows, lone: IntArray, names: Sequence[str], groups: tuple[str, str]) -> IdentificationError:
    """Say which rows of the target have no like in the source."""
    why = f" ({listing(names)} {'tells' if len(names) == 1 else 'tell'} the groups apart)" if names else ""
    return IdentificationError(
        f"no overlap: {len(lone):,} of {len(rows.target) - rows.source:,} rows of {groups[1]}, with "
        f"{100 * rows.weights[lone].sum() / rows.weights[rows.source :].sum():.3g} % of its weight, have no like in "
        f"{groups[0]}{why}. Merge "
        "levels, leave the regressor out, or trim='crump' to compare only where both groups are found."
    )


def _share(part: FloatArray, total: FloatArray) -> FloatArray:
    """Part of a total, zero where there is nothing."""
    return np.asarray(part / np.where(total > 0, total, 1.0))


def _by_cell(code: IntArray, m: int, weights: FloatArray) -> FloatArray:
    """Sums of weights (R, n) by cell, shape (R, m)."""
    if len(weights) == 1:
        return np.bincount(code, weights[0], m).astype(float, copy=False)[None]
    member = sparse.csr_array((np.ones(len(code)), code, np.arange(len(code) + 1)), shape=(len(code), m))
    return np.asarray(weights @ member)


# weights -----------------------------------------------------------------------------------------------------------


def _odds(index: FloatArray, link: LinkFunction) -> FloatArray:
    """Odds p / (1 - p) at an index, finite: e^v under logit, exp(e^v) - 1 under cloglog."""
    bounded = np.clip(index, -_LARGEST_INDEX, _LARGEST_INDEX)
    if link == "logit":
        return np.asarray(np.exp(bounded))
    if link == "probit":
        bounded = np.clip(index, -_LARGEST_PROBIT, _LARGEST_PROBIT)
        return np.asarray(probability(bounded, link) / probability(-bounded, link))
    return np.asarray(np.expm1(np.exp(np.minimum(bounded, _LARGEST_CLOGLOG))))


def _log_odds_slope(index: FloatArray, link: LinkFunction) -> FloatArray:
    """Derivative of the log odds in the index, p' / (p (1 - p)): one under logit."""
    if link == "logit":
        return np.ones_like(index)
    p = probability(index, link)
    product = p * (1 - p)
    return np.divide(slope(index, link), product, out=np.zeros_like(index), where=product > 0)


def _kept(trim: Trim, p: FloatArray, factor: FloatArray, rows: _Rows) -> BoolArray:
    """Rows of both samples that the rule keeps."""
    if trim.rule == "crump":
        bound = _crump_bound(p, rows.weights) if trim.bound is None else trim.bound
        return (p >= bound) & (p <= 1 - bound)
    if trim.rule == "share":
        psi = factor[: rows.source]
        bound = 1 / np.sqrt(len(psi)) if trim.bound is None else trim.bound
        over = psi[psi / psi.sum() > bound]
        if over.size:
            return np.asarray(factor < over.min())
    return np.ones(len(p), dtype=bool)


def _crump_bound(p: FloatArray, weights: FloatArray) -> float:
    """Crump's optimal a: the sample with g = 1 / (p (1 - p)) up to g* that has the least sum w g / (sum w)^2."""
    product = p * (1 - p)
    inside = (product > 0) & (weights > 0)
    order = np.argsort(-product[inside], kind="stable")
    sorted_product, w = product[inside][order], weights[inside][order]
    if not len(w):
        return 0.0
    variance = np.cumsum(w / sorted_product) / np.cumsum(w) ** 2
    ends = np.append(sorted_product[1:] < sorted_product[:-1], True)
    best = sorted_product[ends][int(np.argmin(variance[ends]))]
    if best <= sorted_product[-1] and inside.all():
        return 0.0
    return float(0.5 - np.sqrt(max(0.25 - best, 0.0))) * (1 - 1e-12)


def _effective(weights: FloatArray) -> float:
    """Kish's effective sample size."""
    return float(weights.sum() ** 2 / np.sum(weights**2))


def _moments(x: FloatArray, weights: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Weighted mean and variance of each column."""
    share = weights / weights.sum()
    mean = share @ x
    return mean, np.maximum(share @ (x - mean) ** 2, 0.0)
