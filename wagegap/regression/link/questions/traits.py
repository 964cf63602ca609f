"""Traits of countries that a slope may differ with, and the regression in which it does.

A trait is a column of data, taken as exact, or an estimate with its error: of the same workers as the premiums, whose
errors are then related, or of others. Each is measured from the middle of its quartiles, in their distance.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from wagegap._typing import FloatArray
from wagegap.errors import CovarianceError, DataError, MissingValueError, OptionError, listing, shown
from wagegap.estimation.countries.columns import meet_countries
from wagegap.estimation.estimates import Estimates
from wagegap.estimation.result import Result
from wagegap.regression.link.cells import estimates_of, joined, positions, single_premium
from wagegap.regression.link.fitted import FittedLink
from wagegap.regression.link.problem import LinkProblem
from wagegap.regression.link.questions.deviations import as_taken
from wagegap.regression.link.trait import trait_of

__all__ = ["Interaction", "Trait", "named_traits", "with_interactions"]


@dataclass(frozen=True, slots=True, eq=False)
class Trait:
    """A trait of the cells.

    Attributes
    ----------
    name : str
        Its name.
    values : ndarray, shape (n,)
        Its values.
    quartiles : tuple of float
        Lower and upper.
    estimates : Estimates or None
        What they are estimates of, in the order of the cells; None where they are exact.
    """

    name: str
    values: FloatArray
    quartiles: tuple[float, float]
    estimates: Estimates | None = None

    def scaled(self, value: Any) -> Any:
        """Put values in distances of the quartiles from their middle."""
        lower, upper = self.quartiles
        return (value - 0.5 * (lower + upper)) / (upper - lower)

    def outside(self, value: float) -> bool:
        """Whether a value lies beyond those of the cells."""
        return bool(value < self.values.min() or value > self.values.max())


@dataclass(frozen=True, slots=True, eq=False)
class Interaction:
    """A regression with traits and their products with the premium.

    Attributes
    ----------
    problem : LinkProblem
        Its arrays.
    premium : int
        Column of the premium.
    traits : tuple of int or None
        Columns of the traits; None where the controls determine a trait.
    products : tuple of int
        Columns of the products.
    """

    problem: LinkProblem
    premium: int
    traits: tuple[int | None, ...]
    products: tuple[int, ...]


def named_traits(link: FittedLink, given: Any, data: pd.DataFrame | None) -> tuple[Trait, ...]:
    """Look up traits: a name or an estimate, a list of them, or a dict of name -> estimates."""
    if isinstance(given, Mapping):
        asked = [(str(name), value) for name, value in given.items()]
    else:
        several = given if isinstance(given, Sequence) and not isinstance(given, str) else [given]
        asked = [(one if isinstance(one, str) else "", one) for one in several]
    if not asked:
        raise OptionError("moderate needs a trait: the name of a column, or estimates.")
    traits = tuple(_trait(link, name, value, data) for name, value in asked)
    names = [trait.name for trait in traits]
    if len(set(names)) < len(names):
        raise OptionError(f"traits are named {listing(names)}: each must have a name of its own.")
    return traits


def _trait(link: FittedLink, name: str, given: Any, data: pd.DataFrame | None) -> Trait:
    estimates = _estimated(link, given, name) if isinstance(given, Estimates | Result) else None
    if estimates is None and not isinstance(given, str):
        raise OptionError(f"trait={shown(given)} must be the name of a column, estimates, or a list or dict of them.")
    values = trait_of(link, given, data) if estimates is None else estimates.values
    name = name or (str(estimates.labels["term"].iloc[0]) if estimates is not None else str(given))
    lower, upper = (float(q) for q in np.quantile(values, [0.25, 0.75]))
    if upper == lower:
        raise DataError(f"{name!r} is {lower:g} in at least half of the cells: its quartiles do not differ.")
    noisy = estimates is not None and bool(np.diag(estimates.covariance).any())
    return Trait(name, values, (lower, upper), estimates if noisy else None)


def _estimated(link: FittedLink, given: Any, name: str) -> Estimates:
    """Estimates of a trait in the order of the cells, with known errors."""
    estimates = estimates_of(given, "trait")
    terms = list(dict.fromkeys(estimates.labels["term"].astype(str)))
    what = repr(name or terms[0])
    if len(terms) > 1:
        raise DataError(
            f"the trait {what} holds {len(terms)} terms ({listing(terms)}): choose one by .select(term=...)."
        )
    labels = meet_countries(link.cells.keys, estimates.labels)[1]
    keys = [key for key in link.cells.keys.columns if key in labels]
    if not keys:
        raise DataError(
            f"the trait {what} shares no key with the cells, which have {listing(link.cells.keys.columns)}."
        )
    at = positions(link.cells.keys[keys], labels, ("the link", "the trait"))
    missing = [cell for cell, place in zip(link.cells.names, at, strict=True) if place < 0]
    if missing:
        raise MissingValueError(
            f"{what} is missing in {len(missing)} of {link.cells.n} cells: {listing(missing)}. Fit the link without "
            "those."
        )
    chosen = estimates.select(at)
    if not np.isfinite(np.diag(chosen.covariance)).all():
        raise CovarianceError(
            f"the errors of the trait {what} are unknown, and unknown is not zero: a trait that is to be taken as "
            "exact is a column of data=."
        )
    return chosen


def with_interactions(link: FittedLink, traits: Sequence[Trait]) -> Interaction:
    """Add traits and their products with the premium to the regression of a link."""
    base = as_taken(link)
    middle = np.column_stack([trait.scaled(trait.values) for trait in traits])
    scale = [1.0, *(1.0 / (trait.quartiles[1] - trait.quartiles[0]) for trait in traits)]
    v, v_y = _covariances(link, base, traits, np.array(scale))
    p, j = base.premiums[:, 0], base.estimated[0]
    dropped = [c for c in range(base.k) if c != j and any(np.array_equal(base.x[:, c], t.values) for t in traits)]
    x = np.delete(base.x, dropped, axis=1)
    names, j = [name for c, name in enumerate(base.names) if c not in dropped], j - sum(c < j for c in dropped)
    places: list[int | None] = []
    for trait, column in zip(traits, middle.T, strict=True):
        spanned = np.linalg.lstsq(x, column, rcond=None)[0]
        determined = np.linalg.norm(column - x @ spanned) <= 1e-8 * np.linalg.norm(column - column.mean())
        places.append(None if determined else x.shape[1])
        if not determined:
            x, names = np.column_stack([x, column]), [*names, trait.name]
    products = tuple(range(x.shape[1], x.shape[1] + len(traits)))
    # E p m = P M + C
    x = np.column_stack([x, p[:, None] * middle - np.array([np.diag(v[0, i + 1]) for i in range(len(traits))]).T])
    names += [f"premium x {trait.name}" for trait in traits]
    noisy = [
        (place, i + 1) for i, (place, trait) in enumerate(zip(places, traits, strict=True))
        if place is not None and trait.estimates is not None
    ]  # fmt: skip
    columns = (j, *(place for place, _ in noisy), *products)
    kinds = [(False, 0), *((False, i) for _, i in noisy), *((True, i + 1) for i in range(len(traits)))]
    factors = np.column_stack([np.zeros(base.n), middle])
    v_x = np.array([[_block(v, p, factors, one, other) for other in kinds] for one in kinds])
    v_xy = np.array([v_y[0] * factors[:, [i]] + v_y[i] * p[:, None] if product else v_y[i] for product, i in kinds])
    problem = LinkProblem(base.y, x, columns, base.v_y, v_x, v_xy, tuple(names), base.cells)
    return Interaction(problem, j, tuple(places), products)


def _covariances(
    link: FittedLink, base: LinkProblem, traits: Sequence[Trait], scale: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Covariance of the errors of premium and traits, shape (1 + t, 1 + t, n, n), and with those of the rates."""
    n, size = base.n, 1 + len(traits)
    v, v_y = np.zeros((size, size, n, n)), np.zeros((size, n, n))
    v[0, 0], v_y[0] = base.v_x[0, 0], base.v_xy[0]
    noisy = [i + 1 for i, trait in enumerate(traits) if trait.estimates is not None]
    if noisy:
        first = [_in_order(link, which) for which in ("rates", "premiums")]
        estimates = [trait.estimates for trait in traits if trait.estimates is not None]
        both = joined([*first, *estimates])[0].covariance.reshape(len(first) + len(noisy), n, -1, n).swapaxes(1, 2)
        both = np.nan_to_num(both)
        taken = bool(base.v_x.any())
        for a, i in enumerate(noisy):
            v_y[i] = both[2 + a, 0]
            v[i, 0], v[0, i] = (both[2 + a, 1], both[1, 2 + a]) if taken else (v[i, 0], v[0, i])
            for b, other in enumerate(noisy):
                v[i, other] = both[2 + a, 2 + b]
    return v * scale[:, None, None, None] * scale[:, None, None], v_y * scale[:, None, None]


def _in_order(link: FittedLink, which: str) -> Estimates:
    """Rates, or premiums, in the order of the cells."""
    given = estimates_of(single_premium(link.call.arguments[which]), which)
    if which == "rates":
        given = given.select(term=link.cells.outcome)
    return given.select(positions(link.cells.keys, given.labels))


def _block(v: FloatArray, p: FloatArray, m: FloatArray, one: tuple[bool, int], other: tuple[bool, int]) -> FloatArray:
    """Covariance of the errors of two columns, each a variable or the product of one with the premium."""
    (left, i), (right, j) = one, other
    if not left and not right:
        return np.asarray(v[i, j])
    if left and right:
        linear = v[0, 0] * np.outer(m[:, i], m[:, j]) + v[i, j] * np.outer(p, p)
        crossed = v[0, j] * np.outer(m[:, i], p) + v[i, 0] * np.outer(p, m[:, j])
        return np.asarray(linear + crossed - v[0, 0] * v[i, j] - v[0, j] * v[i, 0])
    if right:
        return np.asarray(v[i, 0] * m[:, j] + v[i, j] * p)
    return np.asarray(v[0, j] * m[:, [i]] + v[i, j] * p[:, None])
