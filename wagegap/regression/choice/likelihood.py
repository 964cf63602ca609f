"""Conditional and nested logit: one alternative chosen out of a set, by maximum likelihood.

Chooser i takes alternative j of the set with probability exp(V_ij) / sum_l exp(V_il), V = x'b. The log likelihood is
concave; Newton's method (`newton.maximise`) reaches its maximum in a few passes over the rows. Sets may differ in size.

In a nested logit the alternatives of a nest m have errors in common,

    P_j = exp(V_j / l_m) / exp(I_m) x exp(l_m I_m) / sum_n exp(l_n I_n),    I_m = log sum_(j in m) exp(V_j / l_m),

with a dissimilarity l_m that is one under the conditional logit and lies in (0, 1] where choices maximise a random
utility. The likelihood is not concave in l; where its Hessian is not negative definite, Newton's steps take the
eigenvalues with the sign they should have.

References
----------
McFadden, D. (1974). Conditional logit analysis of qualitative choice behavior. In P. Zarembka (ed.), Frontiers in
Econometrics. Academic Press.
McFadden, D. (1978). Modelling the choice of residential location. In A. Karlqvist et al. (eds), Spatial Interaction
Theory and Planning Models. North-Holland.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import linalg

from wagegap._display.session import Shown
from wagegap._typing import AnyArray, BoolArray, FloatArray, IntArray
from wagegap.errors import IdentificationError, listing
from wagegap.estimation.least_squares.lstsq import fit_lstsq
from wagegap.estimation.likelihood.newton import (
    MOST_MOVED,
    Ascent,
    Derivatives,
    invert_information,
    maximise,
    uphill_step,
)
from wagegap.estimation.likelihood.separation import find_separated

__all__ = [
    "ChoiceFit",
    "ChoiceSets",
    "Nests",
    "Response",
    "choice_sets",
    "fit_conditional_logit",
    "fit_nested_logit",
    "respond",
]

_TOLERANCE = 1e-12  # squared distance to the maximum, in standard errors at unit weights, before the last step
_STEPS = 100
_SUSPECT = 15  # steps after which separation is looked for
_PIVOT = 1e-7
_FLAT = 1e-9  # information on a dissimilarity, or relative to that of scaled parameters, that counts as none
_VANISHING = 1e-3  # a dissimilarity that goes to zero


@dataclass(frozen=True, slots=True, eq=False)
class ChoiceSets(Shown):
    """Rows of alternatives, sorted so that those of a chooser (or a nest of one) stand together.

    Attributes
    ----------
    starts : ndarray of int, shape (N,)
        First row of each set.
    n_rows : int
        Number of rows.
    size : int
        Rows of each set where all have as many, else 0.
    """

    starts: IntArray
    n_rows: int
    size: int

    @property
    def counts(self) -> IntArray:
        """Rows of each set."""
        return np.diff(self.starts, append=self.n_rows)

    def sums(self, values: FloatArray) -> FloatArray:
        """Sums over sets, shape (N,) or (N, k)."""
        if self.size:
            return np.asarray(values.reshape(len(self.starts), self.size, *values.shape[1:]).sum(axis=1))
        return np.asarray(np.add.reduceat(values, self.starts, axis=0))

    def spread(self, values: AnyArray) -> AnyArray:
        """Values of the sets on their rows."""
        return np.asarray(np.repeat(values, self.size or self.counts, axis=0))

    def log_sum(self, index: FloatArray) -> FloatArray:
        """Logarithm of the sum of exp(index) over sets, shape (N,)."""
        top = index.reshape(-1, self.size).max(axis=1) if self.size else np.maximum.reduceat(index, self.starts)
        return np.asarray(top + np.log(self.sums(np.exp(index - self.spread(top)))))


def choice_sets(codes: IntArray) -> ChoiceSets:
    """Return the sets of rows of equal, adjacent codes.

    >>> choice_sets(np.array([0, 0, 0, 1, 1])).starts
    array([0, 3])
    """
    starts = np.flatnonzero(np.concatenate([[True], codes[1:] != codes[:-1]]))
    counts = np.diff(starts, append=len(codes))
    return ChoiceSets(starts, len(codes), int(counts[0]) if (counts == counts[0]).all() else 0)


@dataclass(frozen=True, slots=True, eq=False)
class Nests(Shown):
    """Nests of alternatives.

    Attributes
    ----------
    codes : ndarray of int, shape (n,)
        Nest of each row; rows of a nest of a chooser stand together.
    parameter : ndarray of int, shape (M,)
        Number of the dissimilarity of each nest; -1 where it is one.
    scaled : bool
        Whether utilities are divided by the dissimilarity within nests, as random utility has it; else they are not.
    """

    codes: IntArray
    parameter: IntArray
    scaled: bool = True

    @property
    def count(self) -> int:
        """Number of dissimilarities."""
        return int(self.parameter.max(initial=-1)) + 1


@dataclass(frozen=True, slots=True, eq=False)
class ChoiceFit:
    """A choice model.

    Attributes
    ----------
    params : ndarray, shape (k,)
        Coefficients, dissimilarities last.
    bread : ndarray, shape (k, k)
        Inverse of the observed information.
    scores : ndarray, shape (N, k)
        Derivative of each chooser's weighted log likelihood.
    probabilities : ndarray, shape (n,)
        Fitted probability of each row.
    loglik : float
        Weighted log likelihood.
    steps : int
        Newton steps taken.
    """

    params: FloatArray
    bread: FloatArray
    scores: FloatArray
    probabilities: FloatArray
    loglik: float
    steps: int


def fit_conditional_logit(
    x: FloatArray,
    sets: ChoiceSets,
    chosen: IntArray,
    weights: FloatArray | None = None,
    *,
    names: Sequence[str] | None = None,
) -> ChoiceFit:
    """Fit a conditional logit.

    Parameters
    ----------
    x : ndarray, shape (n, k)
        Attributes of the alternatives.
    sets : ChoiceSets
        Rows of each chooser.
    chosen : ndarray of int, shape (N,)
        Row that each chooser took.
    weights : ndarray, shape (N,), optional
        Weights of the choosers, not negative.
    names : sequence of str, optional
        Names of the columns, for messages.

    Raises
    ------
    IdentificationError
        Where columns do not vary within sets, make up one another, or predict the choices perfectly.

    Examples
    --------
    >>> import numpy as np
    >>> cost = np.array([[1.0], [2.0], [1.0], [2.0], [1.0], [2.0]])
    >>> fit = fit_conditional_logit(cost, choice_sets(np.repeat([0, 1, 2], 2)), np.array([0, 2, 5]))
    >>> fit.params.round(6)
    array([-0.693147])
    """
    labels = [str(j) for j in range(x.shape[1])] if names is None else list(names)
    x = _within_sets(x, sets, labels)  # what all alternatives of a set share moves no choice, and costs digits
    model = _Conditional(x, sets, chosen, np.ones(len(sets.starts)) if weights is None else weights)
    ascent = _ascend(model, np.zeros(x.shape[1]), _SUSPECT)
    steps = ascent.steps
    if not ascent.converged[0] or np.abs(x @ ascent.last[0]).max() > MOST_MOVED:
        _check_separated(x, sets, chosen, labels)
        ascent = _ascend(model, ascent.params[0], _STEPS - _SUSPECT)
        steps += ascent.steps
    if not ascent.converged[0]:
        raise IdentificationError(f"the choice model did not converge in {_STEPS} steps: rescale {listing(labels)}.")
    return _finish(ascent.params[0], model.at(ascent.params[0]), steps)


def fit_nested_logit(
    x: FloatArray,
    sets: ChoiceSets,
    chosen: IntArray,
    nests: Nests,
    weights: FloatArray | None = None,
    *,
    start: FloatArray | None = None,
    names: Sequence[str] | None = None,
    dissimilarities: Sequence[str] | None = None,
) -> ChoiceFit:
    """Fit a nested logit, from the conditional logit or the values given.

    Parameters
    ----------
    x, sets, chosen, weights, names
        As for the conditional logit.
    nests : Nests
        Nest of each row.
    start : ndarray, shape (k + L,), optional
        Coefficients and dissimilarities to start from.
    dissimilarities : sequence of str, optional
        Names of the dissimilarities, for messages.

    Raises
    ------
    IdentificationError
        Where the steps do not settle, or a dissimilarity goes to zero.
    """
    w = np.ones(len(sets.starts)) if weights is None else weights
    if start is None:
        plain = fit_conditional_logit(x, sets, chosen, weights, names=names).params
        start = np.concatenate([plain, np.ones(nests.count)])
    tree = _Tree.of(x, sets, chosen, nests, w)
    ascent = _ascend(tree, start, _STEPS)
    last = ascent.params[0, x.shape[1] :]
    labels = [f"dissimilarity {j}" for j in range(1, nests.count + 1)] if dissimilarities is None else dissimilarities
    vanishing = [name for name, value in zip(labels, last, strict=True) if not value > _VANISHING]
    if vanishing:
        verb = "goes" if len(vanishing) == 1 else "go"
        raise IdentificationError(
            f"the likelihood of the nested logit rises as {listing(vanishing)} {verb} to zero, where a nest's "
            "alternatives are perfect substitutes and no estimate exists: give the nests a common dissimilarity, merge "
            "them, or leave nests out."
        )
    if not ascent.converged[0]:
        stood = listing(f"{name} {value:.3g}" for name, value in zip(labels, last, strict=True))
        raise IdentificationError(
            f"the nested logit did not converge in {_STEPS} steps, where it stood at {stood}: merge nests, give them a "
            "common dissimilarity, or leave them out."
        )
    state = tree.at(ascent.params[0])
    _check_told_apart(state.information / w.sum(), [*map(str, names or range(x.shape[1])), *labels], labels)
    return _finish(ascent.params[0], state, ascent.steps)


def _check_told_apart(information: FloatArray, names: Sequence[str], dissimilarities: Sequence[str]) -> None:
    """Raise where the likelihood does not change along some direction of the parameters."""
    of_each = np.diag(information)[len(names) - len(dissimilarities) :]  # dissimilarities have no unit
    moving = [name for name, known in zip(dissimilarities, of_each, strict=True) if known <= _FLAT]
    if not moving:
        size = np.sqrt(np.maximum(np.diag(information), np.finfo(float).tiny))
        values, vectors = linalg.eigh(information / np.outer(size, size), check_finite=False)
        moving = [] if values[0] > _FLAT else [names[int(j)] for j in np.flatnonzero(np.abs(vectors[:, 0]) > 0.05)]
    if moving:
        unknown = listing(name for name in dissimilarities if name in moving) or "the parameters"
        raise IdentificationError(
            f"the choices do not identify {unknown}: the likelihood is the same along a combination of "
            f"{listing(moving)}. A nest of all alternatives, of those that no chooser has together, or nests of one "
            "whose utilities are not scaled, have no dissimilarity."
        )


@dataclass(frozen=True, slots=True, eq=False)
class Response:
    """Probabilities, and what their responses to utilities are made of, for each row.

    d log P_j / d V_k = s_k (1[j = k] + 1[same nest] (l_k - 1) q_k - l_k P_k).

    Attributes
    ----------
    probability : ndarray, shape (n,)
        P, of the row.
    within : ndarray, shape (n,)
        q, the probability within the nest.
    scale, dissimilarity : ndarray, shape (n,)
        s and l of the row's nest.
    slopes : ndarray, shape (n, k)
        Derivative of log P in the coefficients.
    """

    probability: FloatArray
    within: FloatArray
    scale: FloatArray
    dissimilarity: FloatArray
    slopes: FloatArray


def respond(params: FloatArray, x: FloatArray, sets: ChoiceSets, nests: Nests | None = None) -> Response:
    """Return probabilities of rows and how they respond.

    >>> cost = np.array([[1.0], [2.0]])
    >>> respond(np.array([-1.0]), cost, choice_sets(np.array([0, 0]))).probability.round(3)
    array([0.731, 0.269])
    """
    if nests is not None:
        tree = _Tree.of(x, sets, sets.starts, nests, np.ones(len(sets.starts)))
        return tree.respond(params)
    index = x @ params
    p = np.exp(index - sets.spread(sets.log_sum(index)))
    one = np.ones(len(x))
    return Response(p, p, one, one, x - sets.spread(sets.sums(x * p[:, None])))


@dataclass(frozen=True, slots=True, eq=False)
class _State:
    """Log likelihood, scores (N, k), information (k, k) and probabilities of rows (n,)."""

    loglik: float
    score: FloatArray
    information: FloatArray
    probabilities: FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class _Conditional:
    """Conditional logit."""

    x: FloatArray
    sets: ChoiceSets
    chosen: IntArray
    w: FloatArray

    def at(self, b: FloatArray) -> _State:
        """Log likelihood with its derivatives."""
        x, sets = self.x, self.sets
        index = x @ b
        log_total = sets.log_sum(index)
        p = np.exp(index - sets.spread(log_total))
        # L = sum_i w_i (V_i,chosen - log sum_j exp V_ij)
        loglik = float(self.w @ (index[self.chosen] - log_total))
        # g_i = w_i (x_i,chosen - xbar_i),   xbar_i = sum_j P_ij x_ij
        mean = sets.sums(x * p[:, None])
        score = (x[self.chosen] - mean) * self.w[:, None]
        # H = sum_ij w_i P_ij (x_ij - xbar_i)(x_ij - xbar_i)'
        deviation = x - sets.spread(mean)
        information = (deviation * (p * sets.spread(self.w))[:, None]).T @ deviation
        return _State(loglik, score, information, p)


@dataclass(frozen=True, slots=True, eq=False)
class _Parts:
    """What probabilities and derivatives are made of.

    Attributes
    ----------
    utility, q : ndarray, shape (n,)
        V and the probability within its nest of each row.
    share : ndarray, shape (S,)
        Q, the probability of each segment: a nest of a chooser.
    rows : ndarray, shape (n, k)
        Derivative of s V, the scaled utility.
    within : ndarray, shape (S, k)
        Derivative of the inclusive value I.
    nest : ndarray, shape (S, k)
        Derivative of l I.
    centre : ndarray, shape (N, k)
        Derivative of log sum_m exp(l_m I_m) of each chooser.
    """

    utility: FloatArray
    q: FloatArray
    share: FloatArray
    rows: FloatArray
    within: FloatArray
    nest: FloatArray
    centre: FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class _Tree:
    """Nested logit: rows within segments (a nest m of a chooser) within choosers, parameters (b, l)."""

    x: FloatArray
    chosen: IntArray
    segments: ChoiceSets
    choosers: ChoiceSets
    taken: IntArray
    parameter: IntArray
    nests: Nests
    w: FloatArray

    @classmethod
    def of(cls, x: FloatArray, sets: ChoiceSets, chosen: IntArray, nests: Nests, w: FloatArray) -> _Tree:
        """Cut the choosers' sets into segments."""
        owner = sets.spread(np.arange(len(sets.starts)))
        segments = choice_sets(owner * (int(nests.codes.max()) + 1) + nests.codes)
        taken = np.searchsorted(segments.starts, chosen, side="right") - 1
        parameter = nests.parameter[nests.codes[segments.starts]]
        return cls(x, chosen, segments, choice_sets(owner[segments.starts]), taken, parameter, nests, w)

    def respond(self, params: FloatArray) -> Response:
        """Probabilities and what their responses are made of."""
        parts = self._parts(params)
        # d log P_j = d(s V_j) - dI_m + d(l_m I_m) - d log sum_n exp(l_n I_n)
        slopes = parts.rows + self.segments.spread(parts.nest - parts.within - self.choosers.spread(parts.centre))
        probability = parts.q * self.segments.spread(parts.share)
        dissimilarity, scale = (self.segments.spread(values) for values in self._scales(params))
        return Response(probability, parts.q, scale, dissimilarity, slopes)

    def at(self, params: FloatArray) -> _State:
        """Log likelihood with its derivatives; minus infinity where a dissimilarity is not positive."""
        size = len(params)
        if (params[self.x.shape[1] :] <= 0).any():
            return _State(-np.inf, np.zeros((0, size)), np.eye(size), np.empty(0))
        parts = self._parts(params)
        # L = sum_i w_i log(q_j Q_m),   j the alternative and m the nest taken; the scores as in `respond`
        with np.errstate(divide="ignore"):  # a step too far, which is halved
            loglik = float(self.w @ np.log(parts.q[self.chosen] * parts.share[self.taken]))
        slopes = parts.rows[self.chosen] + (parts.nest - parts.within)[self.taken] - parts.centre
        probabilities = parts.q * self.segments.spread(parts.share)
        return _State(
            loglik, slopes * self.w[:, None], self._information(parts, self._scales(params)[0]), probabilities
        )

    def _scales(self, params: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Dissimilarity l of each segment, and s = 1 / l where utilities are scaled, else 1."""
        dissimilarity = np.append(params[self.x.shape[1] :], 1.0)[self.parameter]
        return dissimilarity, 1 / dissimilarity if self.nests.scaled else np.ones_like(dissimilarity)

    def _parts(self, params: FloatArray) -> _Parts:
        k = self.x.shape[1]
        segments, choosers = self.segments, self.choosers
        dissimilarity, scale = self._scales(params)
        utility = self.x @ params[:k]
        # I_m = log sum_(j in m) exp(s V_j),   q_j = exp(s V_j - I_m),   Q_m = exp(l_m I_m) / sum_n exp(l_n I_n)
        scaled = utility * segments.spread(scale)
        value = segments.log_sum(scaled)
        q = np.exp(scaled - segments.spread(value))
        log_share = dissimilarity * value
        share = np.exp(log_share - choosers.spread(choosers.log_sum(log_share)))
        rows = self._slopes_of_rows(scale, utility, len(params))
        # dI_m = sum_j q_j d(s V_j);   d(l_m I_m) = l_m dI_m + I_m dl_m;   the mean of it over nests with shares Q_m
        within = segments.sums(rows * q[:, None])
        nest = within * dissimilarity[:, None]
        with_parameter = np.flatnonzero(self.parameter >= 0)
        nest[with_parameter, k + self.parameter[with_parameter]] += value[with_parameter]
        return _Parts(utility, q, share, rows, within, nest, choosers.sums(nest * share[:, None]))

    def _slopes_of_rows(self, scale: FloatArray, utility: FloatArray, size: int) -> FloatArray:
        """Derivatives of the rows' scaled utilities."""
        k = self.x.shape[1]
        rows = np.zeros((len(self.x), size))
        # d(s V) / db = s x,   d(V / l) / dl = -V / l^2
        rows[:, :k] = self.x * self.segments.spread(scale)[:, None]
        if self.nests.scaled:
            parameter = self.segments.spread(self.parameter)
            at = np.flatnonzero(parameter >= 0)
            rows[at, k + parameter[at]] = -(self.segments.spread(scale**2) * utility)[at]
        return rows

    def _information(self, parts: _Parts, dissimilarity: FloatArray) -> FloatArray:
        """Minus the second derivatives of the log likelihood."""
        k, size = self.x.shape[1], parts.rows.shape[1]
        w = self.choosers.spread(self.w)
        taken = np.zeros(len(parts.share))
        taken[self.taken] = 1.0
        # With 1_m one for the nest taken, u_j = d(s V_j) - dI_m, v_m = d(l_m I_m) - sum_n Q_n d(l_n I_n),
        #   d2 I_m = sum_j q_j [u_j u_j' + d2(s V_j)],   d2(l_m I_m) = l_m d2 I_m + dl_m dI_m' + dI_m dl_m',
        #   d2 log sum_n exp(l_n I_n) = sum_n Q_n [d2(l_n I_n) + v_n v_n'],
        # so that d2 log P_j is
        #   d2(s V_j) + sum_m [(l_m - 1) 1_m - l_m Q_m] d2 I_m + (1_m - Q_m)(dl_m dI_m' + dI_m dl_m') - Q_m v_m v_m'.
        load = parts.q * self.segments.spread(w * ((dissimilarity - 1) * taken - dissimilarity * parts.share))
        deviation = parts.rows - self.segments.spread(parts.within)
        nest = parts.nest - self.choosers.spread(parts.centre)
        hessian = (deviation * load[:, None]).T @ deviation - (nest * (w * parts.share)[:, None]).T @ nest
        between = w * (taken - parts.share)
        crossed = np.zeros((size, size))
        for number in range(self.nests.count):
            at = self.parameter == number
            crossed[k + number] = between[at] @ parts.within[at]
        hessian += crossed + crossed.T
        if self.nests.scaled:
            load[self.chosen] += self.w
            hessian += self._curvature(load, parts.utility, 1 / dissimilarity)
        return np.asarray(-hessian)

    def _curvature(self, load: FloatArray, utility: FloatArray, scale: FloatArray) -> FloatArray:
        """Sum of the rows' loads times the second derivatives of their scaled utilities."""
        k, size = self.x.shape[1], self.x.shape[1] + self.nests.count
        out = np.zeros((size, size))
        spread, parameter = self.segments.spread(scale), self.segments.spread(self.parameter)
        # d2(V / l) / db dl = -x / l^2,   d2(V / l) / dl2 = 2 V / l^3
        for number in range(self.nests.count):
            at = parameter == number
            mixed = -(load * spread**2)[at] @ self.x[at]
            out[:k, k + number] = out[k + number, :k] = mixed
            out[k + number, k + number] = np.sum((2 * load * spread**3 * utility)[at])
        return out


def _ascend(model: _Conditional | _Tree, start: FloatArray, steps: int) -> Ascent:
    """Newton's method on one model."""

    def evaluate(params: FloatArray, _: IntArray) -> Derivatives:
        state = model.at(params[0])
        return Derivatives.of_one(state.loglik, state.score.sum(axis=0), state.information)

    tolerance = _TOLERANCE * float(model.w.mean())
    return maximise(evaluate, start[None], tolerance=tolerance, steps=steps, direction=uphill_step)


def _finish(params: FloatArray, state: _State, steps: int) -> ChoiceFit:
    bread = invert_information(state.information)
    return ChoiceFit(params, bread, state.score, state.probabilities, state.loglik, steps)


def _within_sets(x: FloatArray, sets: ChoiceSets, names: Sequence[str]) -> FloatArray:
    """Columns less their means over each set; raise where one does not vary there, or others make it up."""
    deviation = x - sets.spread(sets.sums(x) / sets.counts[:, None])
    gram = deviation.T @ deviation
    size = np.sqrt(np.diag(gram))
    flat = size <= 1e-10 * np.sqrt(np.einsum("ij,ij->j", x, x))
    if flat.any():
        lost = listing(repr(names[j]) for j in np.flatnonzero(flat).tolist())
        raise IdentificationError(
            f"{lost} does not vary between the alternatives of any chooser, so that it moves no choice: interact it "
            "with the alternatives."
        )
    if linalg.eigvalsh(gram / np.outer(size, size), check_finite=False)[0] <= _PIVOT:
        collinear = fit_lstsq(np.zeros(len(deviation)), deviation).collinear
        goes_with = [
            f"{names[one.column]} goes with {listing((names[j] for j, _ in one.made_of), 4)}" for one in collinear
        ]
        if goes_with:
            raise IdentificationError(
                f"attributes are collinear within choice sets: {listing(goes_with, 3)}. Leave one out."
            )
    return np.asarray(deviation)


def _check_separated(x: FloatArray, sets: ChoiceSets, chosen: IntArray, names: Sequence[str]) -> None:
    """Raise where some combination of attributes is highest for what is chosen in every set."""
    passed: BoolArray = np.ones(len(x), dtype=bool)
    passed[chosen] = False
    # (x_ij - x_i,chosen)'d <= 0 for every j passed over, strictly for some
    difference = (x - sets.spread(x[chosen]))[passed]
    separated = find_separated(np.full(len(difference), -1), difference).rows
    if not separated.any():
        return
    decided = np.unique(sets.spread(np.arange(len(sets.starts)))[passed][separated])
    moving = [names[j] for j in np.flatnonzero(difference[separated].any(axis=0)).tolist()]
    raise IdentificationError(
        f"choices are predicted perfectly for {len(decided):,} of {len(sets.starts):,} choosers by a combination of "
        f"{listing(moving)}, whose coefficients would be infinite: is an alternative never chosen, or always?"
    )
