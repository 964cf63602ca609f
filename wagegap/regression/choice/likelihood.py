"""Conditional and nested logit: one alternative chosen out of a set, by maximum likelihood.

Chooser i takes alternative j of the set with probability exp(V_ij) / sum_l exp(V_il), V = x'b. The log likelihood is
concave; Newton steps with the exact Hessian, halved where they overshoot, reach its maximum in a few passes over the
rows. Sets may differ in size.

In a nested logit the alternatives of a nest m have errors in common,

    P_j = exp(V_j / l_m) / exp(I_m) x exp(l_m I_m) / sum_n exp(l_n I_n),    I_m = log sum_(j in m) exp(V_j / l_m),

with a dissimilarity l_m that is one under the conditional logit and lies in (0, 1] where choices maximise a random
utility. The likelihood is not concave in l; Newton steps use the exact Hessian where it is negative definite and the
products of the scores elsewhere.

References
----------
Berndt, E., B. Hall, R. Hall and J. Hausman (1974). Estimation and inference in nonlinear structural models. Annals of
Economic and Social Measurement 3, 653-665.
McFadden, D. (1974). Conditional logit analysis of qualitative choice behavior. In P. Zarembka (ed.), Frontiers in
Econometrics. Academic Press.
McFadden, D. (1978). Modelling the choice of residential location. In A. Karlqvist et al. (eds), Spatial Interaction
Theory and Planning Models. North-Holland.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import linalg

from wagegap._typing import AnyArray, BoolArray, FloatArray, IntArray
from wagegap.errors import IdentificationError, listing
from wagegap.estimation.least_squares.lstsq import Collinear, fit_lstsq
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
_SETTLED = 0.02  # a last step that still moves an index by more is no convergence
_STEPS = 100
_SUSPECT = 15  # steps after which separation is looked for
_HALVINGS = 40
_PIVOT = 1e-7


@dataclass(frozen=True, slots=True, eq=False)
class ChoiceSets:
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
class Nests:
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
    w = np.ones(len(sets.starts)) if weights is None else weights
    params = np.zeros(x.shape[1])
    state = _conditional(params, x, sets, chosen, w)
    for step in range(1, _STEPS + 1):
        total = state.score.sum(axis=0)
        move = _newton(state.information, total)
        last = float(move @ total) <= _TOLERANCE * float(w.mean())
        params, state = _ahead(params, move, state.loglik, lambda b: _conditional(b, x, sets, chosen, w))
        if last and np.abs(x @ move).max() <= _SETTLED:
            return _finish(params, state, step)
        if last or step == _SUSPECT:
            _check_separated(x, sets, chosen, labels)
    raise IdentificationError(f"the choice model did not settle in {_STEPS} steps: rescale {listing(labels)}.")


def fit_nested_logit(
    x: FloatArray,
    sets: ChoiceSets,
    chosen: IntArray,
    nests: Nests,
    weights: FloatArray | None = None,
    *,
    start: FloatArray | None = None,
    names: Sequence[str] | None = None,
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

    Raises
    ------
    IdentificationError
        Where the steps do not settle.
    """
    w = np.ones(len(sets.starts)) if weights is None else weights
    if start is None:
        plain = fit_conditional_logit(x, sets, chosen, weights, names=names).params
        start = np.concatenate([plain, np.ones(nests.count)])
    tree = _Tree.of(x, sets, chosen, nests, w)
    params = start
    state = tree.at(params)
    for step in range(1, _STEPS + 1):
        total = state.score.sum(axis=0)
        move = _uphill(state, total)
        last = float(move @ total) <= _TOLERANCE * float(w.mean())
        params, state = _ahead(params, move, state.loglik, tree.at)
        if last:
            return _finish(params, state, step)
    raise IdentificationError(
        f"the nested logit did not settle in {_STEPS} steps; its dissimilarities stood at "
        f"{np.round(params[x.shape[1] :], 3).tolist()}: merge nests, or give them a common dissimilarity."
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
    """Log likelihood with its derivatives."""

    loglik: float
    score: FloatArray
    information: FloatArray
    probabilities: FloatArray


def _conditional(b: FloatArray, x: FloatArray, sets: ChoiceSets, chosen: IntArray, w: FloatArray) -> _State:
    index = x @ b
    top = sets.log_sum(index)
    p = np.exp(index - sets.spread(top))
    mean = sets.sums(x * p[:, None])
    apart = x - sets.spread(mean)
    information = (apart * (p * sets.spread(w))[:, None]).T @ apart
    loglik = float(w @ (index[chosen] - top))
    return _State(loglik, (x[chosen] - mean) * w[:, None], information, p)


@dataclass(frozen=True, slots=True, eq=False)
class _Parts:
    """Utility and share within nests of the rows; shares of the nests; derivatives of rows, nests and choosers."""

    utility: FloatArray
    q: FloatArray
    share: FloatArray
    rows: FloatArray
    within: FloatArray
    nest: FloatArray
    centre: FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class _Tree:
    """Rows within segments (a nest of a chooser) within choosers."""

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
        slopes = parts.rows + self.segments.spread(parts.nest - parts.within - self.choosers.spread(parts.centre))
        probability = parts.q * self.segments.spread(parts.share)
        dissimilarity, scale = (self.segments.spread(values) for values in self._scales(params))
        return Response(probability, parts.q, scale, dissimilarity, slopes)

    def _scales(self, params: FloatArray) -> tuple[FloatArray, FloatArray]:
        given = np.concatenate([params[self.x.shape[1] :], [1.0]])
        dissimilarity = given[self.parameter]
        return dissimilarity, 1 / dissimilarity if self.nests.scaled else np.ones_like(dissimilarity)

    def at(self, params: FloatArray) -> _State:
        """Log likelihood, scores and information; not a number where a dissimilarity is not positive."""
        k, size = self.x.shape[1], len(params)
        if (params[k:] <= 0).any():
            return _State(-np.inf, np.empty((0, size)), np.empty((size, size)), np.empty(0))
        dissimilarity, _ = self._scales(params)
        parts = self._parts(params)
        slopes = parts.rows[self.chosen] + (parts.nest - parts.within)[self.taken] - parts.centre
        gains = np.log(parts.q[self.chosen] * parts.share[self.taken])
        hessian = self._hessian(parts, dissimilarity)
        probabilities = parts.q * self.segments.spread(parts.share)
        return _State(float(self.w @ gains), slopes * self.w[:, None], -hessian, probabilities)

    def _parts(self, params: FloatArray) -> _Parts:
        dissimilarity, scale = self._scales(params)
        utility = self.x @ params[: self.x.shape[1]]
        z = utility * self.segments.spread(scale)
        value = self.segments.log_sum(z)
        q = np.exp(z - self.segments.spread(value))
        share = np.exp(dissimilarity * value - self.choosers.spread(self.choosers.log_sum(dissimilarity * value)))
        rows = self._slopes_of_rows(scale, utility, len(params))
        within = self.segments.sums(rows * q[:, None])
        nest = within * dissimilarity[:, None]
        own = np.flatnonzero(self.parameter >= 0)
        nest[own, self.x.shape[1] + self.parameter[own]] += value[own]
        centre = self.choosers.sums(nest * share[:, None])
        return _Parts(utility, q, share, rows, within, nest, centre)

    def _slopes_of_rows(self, scale: FloatArray, utility: FloatArray, size: int) -> FloatArray:
        """Derivatives of the rows' scaled utilities."""
        k = self.x.shape[1]
        rows = np.zeros((len(self.x), size))
        rows[:, :k] = self.x * self.segments.spread(scale)[:, None]
        if self.nests.scaled:
            parameter = self.segments.spread(self.parameter)
            free = np.flatnonzero(parameter >= 0)
            rows[free, k + parameter[free]] = -(self.segments.spread(scale**2) * utility)[free]
        return rows

    def _hessian(self, parts: _Parts, dissimilarity: FloatArray) -> FloatArray:
        """Second derivatives of the log likelihood."""
        k, size = self.x.shape[1], parts.rows.shape[1]
        w = self.choosers.spread(self.w)
        taken = np.zeros(len(parts.share))
        taken[self.taken] = 1.0
        inside = w * ((dissimilarity - 1) * taken - dissimilarity * parts.share)
        between = w * (taken - parts.share)
        apart = parts.rows - self.segments.spread(parts.within)
        nest = parts.nest - self.choosers.spread(parts.centre)
        load = parts.q * self.segments.spread(inside)
        out = (apart * load[:, None]).T @ apart - (nest * (w * parts.share)[:, None]).T @ nest
        crossed = np.zeros((size, size))
        for number in range(self.nests.count):
            own = self.parameter == number
            crossed[k + number] += between[own] @ parts.within[own]
        out += crossed + crossed.T
        if self.nests.scaled:
            load[self.chosen] += self.w
            self._add_curvature(out, load, parts.utility, 1 / dissimilarity)
        return np.asarray(out)

    def _add_curvature(self, out: FloatArray, load: FloatArray, utility: FloatArray, scale: FloatArray) -> None:
        """Add the rows' loads times the second derivatives of their scaled utilities."""
        k = self.x.shape[1]
        spread, parameter = self.segments.spread(scale), self.segments.spread(self.parameter)
        for number in range(self.nests.count):
            own = parameter == number
            mixed = -(load * spread**2)[own] @ self.x[own]
            out[:k, k + number] += mixed
            out[k + number, :k] += mixed
            out[k + number, k + number] += float(np.sum((2 * load * spread**3 * utility)[own]))


def _newton(information: FloatArray, total: FloatArray) -> FloatArray:
    """Newton's step, scaled to a unit diagonal."""
    root = 1 / np.sqrt(np.maximum(np.diag(information), np.finfo(float).tiny))
    scaled = information * np.outer(root, root)
    return np.asarray(linalg.lstsq(scaled, total * root, cond=1e-14)[0] * root)


def _uphill(state: _State, total: FloatArray) -> FloatArray:
    """Newton's step where the likelihood is concave, else that of the products of scores."""
    root = 1 / np.sqrt(np.maximum(np.abs(np.diag(state.information)), np.finfo(float).tiny))
    scaled = state.information * np.outer(root, root)
    try:
        factor = linalg.cho_factor(scaled)
    except linalg.LinAlgError:
        return _newton(state.score.T @ state.score, total)
    return np.asarray(linalg.cho_solve(factor, total * root) * root)


def _ahead(
    params: FloatArray, move: FloatArray, before: float, at: Callable[[FloatArray], _State]
) -> tuple[FloatArray, _State]:
    """Parameters after a step, halved until the likelihood does not fall."""
    ahead, state = params + move, at(params + move)
    for halvings in range(1, _HALVINGS):
        if state.loglik >= before - 1e-12 * abs(before):
            break
        ahead = params + 0.5**halvings * move
        state = at(ahead)
    return ahead, state


def _finish(params: FloatArray, state: _State, steps: int) -> ChoiceFit:
    root = 1 / np.sqrt(np.diag(state.information))
    scaled = linalg.inv(state.information * np.outer(root, root))
    return ChoiceFit(params, scaled * np.outer(root, root), state.score, state.probabilities, state.loglik, steps)


def _within_sets(x: FloatArray, sets: ChoiceSets, names: Sequence[str]) -> FloatArray:
    """Columns less their means over each set; raise where one does not vary there, or others make it up."""
    means = sets.sums(x) / sets.counts[:, None]
    apart = x - sets.spread(means)
    gram = apart.T @ apart
    size = np.sqrt(np.diag(gram))
    flat = size <= 1e-10 * np.sqrt(np.einsum("ij,ij->j", x, x))
    if flat.any():
        words = listing(repr(name) for name, own in zip(names, flat, strict=True) if own)
        raise IdentificationError(
            f"{words} does not vary between the alternatives of any chooser, so that it moves no choice: interact it "
            "with the alternatives."
        )
    if linalg.eigvalsh(gram / np.outer(size, size), check_finite=False)[0] > _PIVOT:
        return np.asarray(apart)
    found = fit_lstsq(np.zeros(len(apart)), apart).collinear
    if found:
        words = listing((_in_words(one, names) for one in found), 3)
        raise IdentificationError(f"attributes cannot be told apart within choice sets: {words}. Leave one out.")
    return np.asarray(apart)


def _in_words(found: Collinear, names: Sequence[str]) -> str:
    return f"{names[found.column]} goes with {listing((names[j] for j, _ in found.made_of), 4)}"


def _check_separated(x: FloatArray, sets: ChoiceSets, chosen: IntArray, names: Sequence[str]) -> None:
    """Raise where some combination of attributes is highest for what is chosen in every set."""
    apart = x - sets.spread(x[chosen])
    passed: BoolArray = np.ones(len(x), dtype=bool)
    passed[chosen] = False
    found = find_separated(np.full(int(passed.sum()), -1), apart[passed]).rows
    if not found.any():
        return
    decided = np.unique(sets.spread(np.arange(len(sets.starts)))[passed][found])
    moving = [names[j] for j in range(x.shape[1]) if np.abs(apart[passed][found][:, j]).max() > 0]
    raise IdentificationError(
        f"choices are predicted perfectly for {len(decided):,} of {len(sets.starts):,} choosers by a combination of "
        f"{listing(moving)}, whose coefficients would be infinite: is an alternative never chosen, or always?"
    )
