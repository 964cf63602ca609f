"""Cells of the link: rates, premiums and covariates of the same countries, with the joint covariance of the errors."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd

from wagegap._display.numbers import spaced
from wagegap._display.session import Shown
from wagegap._typing import BoolArray, FloatArray, IntArray
from wagegap.errors import (
    ColumnError,
    DataError,
    DuplicateKeyError,
    EmptyDataError,
    FormulaError,
    OptionError,
    check_column,
    did_you_mean,
    listing,
)
from wagegap.estimation.column_types import held_by
from wagegap.estimation.countries.columns import country_key, country_name, hold_countries, meet_countries, with_names
from wagegap.estimation.design import Design, build_design, check_columns_meet, check_keys
from wagegap.estimation.estimates import LABELS, Estimates, join
from wagegap.estimation.formula import FormulaParts, required_columns, split_formula
from wagegap.estimation.ledger import Ledger
from wagegap.estimation.result import Result
from wagegap.estimation.units import check_one_unit
from wagegap.panel.panel import check_columns

__all__ = [
    "LinkCells",
    "are_related",
    "cell_matcher",
    "estimates_of",
    "in_cells",
    "joined",
    "match_cells",
    "positions",
    "rate_of",
    "single_premium",
]

PREMIUM = "premium"
_QUOTED = re.compile(r"`([^`]+)`")


@dataclass(frozen=True, slots=True, eq=False)
class LinkCells(Shown):
    """Matched cells of a link.

    Attributes
    ----------
    keys : DataFrame, n rows
        Cell keys.
    names : tuple of str
        The keys of each cell in one string.
    outcome : str
        Term of the rates.
    premiums : tuple of str
        Names of the estimated regressors.
    y : ndarray, shape (n,)
        Rates.
    p : ndarray, shape (n, m)
        Premiums.
    v : ndarray, shape ((1 + m) n, (1 + m) n)
        Joint covariance of (y, p_1, ..., p_m); NaN variances are unknown.
    design : Design
        The right-hand side: constant, premiums, covariates, effects.
    units : tuple of str
        Unit of the rates, then of each premium.
    ledger : Ledger
        Cells lost, by name.
    related : bool
        Whether the covariance of rates and premiums is known rather than taken as zero.
    labels : mapping of str to str
        What sentences and figures call the outcome and the premiums, where that is not their name.
    """

    keys: pd.DataFrame
    names: tuple[str, ...]
    outcome: str
    premiums: tuple[str, ...]
    y: FloatArray
    p: FloatArray
    v: FloatArray
    design: Design
    units: tuple[str, ...]
    ledger: Ledger
    related: bool
    labels: Mapping[str, str] = field(default_factory=dict)

    @property
    def n(self) -> int:
        """Number of cells."""
        return len(self.y)

    def block(self, i: int, j: int) -> FloatArray:
        """Covariance of variable i with variable j (0 is the rate), shape (n, n)."""
        n = self.n
        return self.v[i * n : (i + 1) * n, j * n : (j + 1) * n]

    def known(self, i: int) -> bool:
        """Whether the errors of a variable are known."""
        return not np.isnan(np.diag(self.block(i, i))).any()

    @property
    def shared(self) -> IntArray | None:
        """Which premium each cell has, where cells share one: equal, with one and the same error; None where not."""
        if not self.premiums:
            return None
        v, p = self.block(1, 1), self.p[:, 0]
        size = np.sqrt(np.maximum(np.diag(v), 0.0))
        # V_ab = (V_aa V_bb)^(1/2) > 0 and p_a = p_b
        one = (v >= (1 - 1e-9) * np.outer(size, size)) & (np.outer(size, size) > 0) & (p[:, None] == p)
        codes = np.asarray(np.argmax(one | np.eye(self.n, dtype=bool), axis=1), dtype=np.intp)
        return codes if len(np.unique(codes)) < self.n else None

    def unknown_in_words(self, i: int) -> str:
        """Where the errors of a variable are unknown, to follow the word: nothing where it is everywhere."""
        unknown = np.isnan(np.diag(self.block(i, i)))
        if unknown.all() or not unknown.any():
            return ""
        names = [name for name, is_unknown in zip(self.names, unknown, strict=True) if is_unknown]
        return f" in {len(names)} of {self.n} cells ({listing(names)})"

    @property
    def premiums_known(self) -> bool:
        """Whether the errors of all premiums are known."""
        return all(self.known(1 + i) for i in range(len(self.premiums)))

    @property
    def bounds(self) -> tuple[float, float]:
        """What a rate can be: 0 to 1 for shares, and -1 to 1 for differences of them; else anything.

        A rate in shares, or in per cent, is a difference where some cell's is below zero.
        """
        top = {"share": 1.0, "per cent": 100.0}.get(self.units[0], np.inf)
        if np.any(np.abs(self.y) > top):
            return -np.inf, np.inf
        return (-top if np.any(self.y < 0) else 0.0 if np.isfinite(top) else -np.inf), top

    @property
    def outcome_in_words(self) -> str:
        """The outcome as it stands in a sentence: its label, or its name."""
        return self.labels.get(self.outcome, spaced(self.outcome))

    @property
    def premium_in_words(self) -> str:
        """The first premium as it stands in a figure: its label, or its name."""
        return self.labels.get(self.premiums[0], spaced(self.premiums[0]))

    @property
    def noun(self) -> str:
        """What a cell is, in a sentence."""
        return "country" if hold_countries(self.keys) else "cell"

    def counted(self, n: int | None = None, of: str = "") -> str:
        """So many cells, all where none are counted: countries, where they are that."""
        plural = "countries" if self.noun == "country" else "cells"
        return " ".join(word for word in (str(self.n if n is None else n), of, plural) if word)

    def name_of(self, cell: str) -> str:
        """A cell as it stands in a sentence: a country by its name."""
        return self.names_to_read[self.names.index(cell)] if cell in self.names else country_name(cell)

    @property
    def names_to_read(self) -> tuple[str, ...]:
        """The keys of each cell in one string, countries by their names."""
        return _cell_names(with_names(self.keys, list(self.keys.columns)))


def estimates_of(result: Any, role: str) -> Estimates:
    """Take the estimates out of a result."""
    if isinstance(result, Estimates | Result):
        return result if isinstance(result, Estimates) else result.estimates
    raise DataError(
        f"{role} must be a result or Estimates, not {type(result).__name__}: published figures enter through "
        "Estimates.from_table(frame, ...)."
    )


def single_premium(premiums: Any) -> Any:
    """The one premium of a dict of one."""
    return next(iter(premiums.values())) if isinstance(premiums, Mapping) and len(premiums) == 1 else premiums


def positions(keys: pd.DataFrame, labels: pd.DataFrame, names: tuple[str, str] = ("cells", "labels")) -> IntArray:
    """Where each cell stands among labels, -1 where it is none of them; `names` are what both are called.

    Refused where keys read alike and never meet.

    >>> positions(pd.DataFrame({"iso3": ["USA", "KOR"]}), pd.DataFrame({"iso3": ["KOR"], "term": "premium"}))
    array([-1,  0])
    """
    keys, labels, _ = meet_countries(keys, labels)
    index = pd.MultiIndex.from_frame(labels[list(keys.columns)])
    if not index.is_unique:
        raise DuplicateKeyError(f"keys {list(keys.columns)} occur more than once: one row per cell.")
    for key in keys:
        check_columns_meet(keys[key], labels[key], f"key {str(key)!r}", names)
    return np.asarray(index.get_indexer(pd.MultiIndex.from_frame(keys)), dtype=np.intp)


def in_cells(labels: pd.DataFrame, cells: pd.DataFrame) -> BoolArray:
    """Say which rows of labels are of some cells.

    >>> in_cells(pd.DataFrame({"Country": ["USA", "KOR"], "term": "ai"}), pd.DataFrame({"iso3": ["KOR"]}))
    array([False,  True])
    """
    cells, labels, _ = meet_countries(cells, labels)
    return positions(labels[list(cells.columns)], cells) >= 0


def match_cells(
    formula: str,
    rates: Any,
    premiums: Any,
    *,
    data: pd.DataFrame | None,
    on: Sequence[str] | str | None,
) -> LinkCells:
    """Match rates, premiums and covariates by their cell keys, and evaluate the formula.

    Raises
    ------
    ColumnError, DataError, DuplicateKeyError, EmptyDataError, FormulaError
    """
    parts = split_formula(formula)
    quoted = _QUOTED.fullmatch(parts.outcome)  # a rate of any name, as a formula has a column of any name
    return cell_matcher(quoted[1] if quoted else parts.outcome, rates, premiums, data=data, on=on)(parts)


def cell_matcher(
    outcome: str, rates: Any, premiums: Any, *, data: pd.DataFrame | None, on: Sequence[str] | str | None
) -> Callable[[FormulaParts], LinkCells]:
    """Match rates, premiums and covariates once, for any right-hand side: from a formula's parts to its cells."""
    rate, named, data, said = _by_country(rate_of(rates, outcome), _named_premiums(premiums), data, on)
    keys = _keys(rate, named, _in_force(on, rate, said))
    frame, rows, ledger = _matched(rate, named, keys, data)
    ledger = ledger.note(*said.values())
    among = frame[keys]
    values = [_in_cells(est, at, among) for est, at in zip((rate, *named.values()), rows, strict=True)]
    first_stage, related = joined(values)
    size, n_all = len(values), len(frame)
    estimates, v = first_stage.values.reshape(size, n_all), first_stage.covariance.reshape((size, n_all) * 2)

    def cells(parts: FormulaParts) -> LinkCells:
        design = _design(frame, parts, tuple(named), ledger, keys)
        kept, n = design.rows, len(design.rows)
        _refuse_outcome(design, outcome, estimates[0, kept], parts.regressors)
        units = tuple(", ".join(dict.fromkeys(part.labels["unit"].iloc[kept].astype(str))) for part in values)
        among = frame[keys].iloc[kept].reset_index(drop=True)
        return LinkCells(
            among, _cell_names(among), outcome, tuple(named), estimates[0, kept], estimates[1:, kept].T,
            v[:, kept][..., kept].reshape(size * n, size * n), design, units, design.ledger, related,
        )  # fmt: skip

    return cells


def _in_cells(estimates: Estimates, at: IntArray, keys: pd.DataFrame) -> Estimates:
    """Estimates of the cells, a row each, under their keys: D p, where one that cells share stands in each of these."""
    kept = estimates.labels[["term", "unit", "comparison"]].iloc[at]
    labels = pd.concat([keys.reset_index(drop=True), kept.reset_index(drop=True)], axis=1)
    return estimates.map(np.eye(len(estimates.values))[at], labels=labels)


def rate_of(rates: Any, name: str) -> Estimates:
    """Estimates of one rate; an error with the nearest name where there is none."""
    given = estimates_of(rates, "rates")
    terms = list(dict.fromkeys(given.labels["term"].astype(str)))
    if name not in terms:
        raise ColumnError(f"no rate {name!r}.{did_you_mean(name, terms)} There are: {listing(terms)}.")
    chosen = given.select(term=name)
    check_one_unit(chosen.labels["unit"], f"the rates {name!r}")
    return chosen


def _named_premiums(premiums: Any) -> dict[str, Estimates]:
    if premiums is None:
        return {}
    given = premiums if isinstance(premiums, Mapping) else {PREMIUM: premiums}
    named = {str(name): estimates_of(value, f"premiums[{name!r}]") for name, value in given.items()}
    for name, estimates in named.items():
        terms = list(dict.fromkeys(estimates.labels["term"].astype(str)))
        if len(terms) > 1:
            raise DataError(
                f"{name!r} holds {len(terms)} terms ({listing(terms)}): choose one with .select(term=...), or give a "
                "dict of name -> estimates."
            )
        check_one_unit(estimates.labels["unit"], f"the values of {name!r}")
    return named


def _by_country(
    rate: Estimates, named: Mapping[str, Estimates], data: pd.DataFrame | None, on: Sequence[str] | str | None
) -> tuple[Estimates, dict[str, Estimates], pd.DataFrame | None, dict[str, str]]:
    """Rates, premiums and data whose countries stand under the heading of the rates; what was called otherwise."""
    said: dict[str, str] = {}
    asked = [on] if isinstance(on, str) else list(on) if isinstance(on, Sequence) else []

    def met(name: str, keys: pd.DataFrame) -> pd.DataFrame:
        nonlocal rate
        if on is not None and all(key in keys and key in rate.by for key in asked):
            return keys
        own, other, heading = meet_countries(rate.labels[rate.by], keys)
        rate = replace(rate, labels=pd.concat([own, rate.labels[list(LABELS)]], axis=1))
        if heading:
            said[heading] = f"{heading!r} of {name} is matched with {country_key(own)!r} of the rates: both countries."
        return other

    by_name = {}
    for name, est in named.items():
        labels = pd.concat([met(name, est.labels[est.by]), est.labels[list(LABELS)]], axis=1)
        by_name[name] = replace(est, labels=labels)
    return rate, by_name, data if data is None else met("data", data), said


def _in_force(on: Sequence[str] | str | None, rate: Estimates, said: Mapping[str, str]) -> Sequence[str] | str | None:
    """The keys asked for, by the headings of the rates where they name another side's countries."""
    if not said or not isinstance(on, Sequence):
        return on
    key = country_key(rate.labels[rate.by])
    return [str(key) if name in said else name for name in ([on] if isinstance(on, str) else on)]


def _keys(outcome: Estimates, named: Mapping[str, Estimates], on: Sequence[str] | str | None) -> list[str]:
    if on is None:
        keys = [key for key in outcome.by if all(key in est.by for est in named.values())]
        finer = outcome.labels.duplicated(keys).any() if keys else False
        if finer and all(set(est.by) <= set(outcome.by) for est in named.values()):
            # Premiums of countries, rates of countries in years: a premium is shared by the cells of its country.
            keys = list(outcome.by)
    elif isinstance(on, Sequence):
        keys = [on] if isinstance(on, str) else list(on)
    else:
        raise OptionError(f"on={on!r} must be a key of the cells, or a list of them.")
    for role, est in {"rates": outcome, **named}.items():
        absent = [key for key in keys if key not in est.by]
        own = _own_keys(est, keys)
        if absent and (role == "rates" or on is not None or not own):
            raise ColumnError(
                f"{role} has no key {absent[0]!r}.{did_you_mean(absent[0], est.by)} Keys: {listing(est.by)}."
            )
        twice = int(est.labels.duplicated(own).sum()) if own else len(est.labels) - 1
        if twice:
            raise DuplicateKeyError(
                f"{role} has {twice} further cells with keys that occur already; keys matched are {keys}, its own are "
                f"{est.by}: match on all of them, or select one."
            )
    if not keys:
        raise DataError("rates and premiums share no cell key: name the keys with on=.")
    return keys


def _matched(
    rate: Estimates, named: Mapping[str, Estimates], keys: list[str], data: pd.DataFrame | None
) -> tuple[pd.DataFrame, list[IntArray], Ledger]:
    """Covariates and premiums of cells that have all, the rows of each estimate, and which cells are lost, by name."""
    frame = rate.labels[keys].assign(**{"_row ": np.arange(len(rate.labels))})
    ledger = Ledger(len(frame), float(len(frame)))
    sides = {
        name: est.labels[_own_keys(est, keys)].assign(**{f"_row {name}": np.arange(len(est.labels))})
        for name, est in named.items()
    }
    if data is not None:
        check_columns(data, "data")
        for key in keys:
            check_column(key, data.columns, "in data for that key")
        check_keys(data, keys)
        twice = int(data.duplicated(keys).sum())
        if twice:
            raise DuplicateKeyError(f"data has {twice} rows with keys {keys} that occur already: one row per cell.")
        sides["data"] = data
    for name, side in sides.items():
        shared = [key for key in keys if key in side]
        at = positions(frame[shared], side, ("rates", name))
        gone, extra = frame[at < 0], side.iloc[np.setdiff1d(np.arange(len(side)), at)]
        if len(gone):
            ledger = ledger.lose(f"not in {name} ({_cells(gone, keys)})", len(gone))
        if name != "data" and len(extra):
            ledger = ledger.note(f"{len(extra)} cells of {name} have no rate: {_cells(extra, shared)}.")
        if len(gone) == len(frame):
            kinds = _unlike_kinds(frame, side, keys, ("rates", name))
            raise EmptyDataError(f"no cell has both rates and {name} (keys {keys}){kinds}.\n{ledger}")
        there = side.drop(columns=shared).iloc[at[at >= 0]].reset_index(drop=True)
        frame = pd.concat([frame[at >= 0].reset_index(drop=True), there], axis=1)
    rows = [frame.pop(f"_row {name}").to_numpy(dtype=np.intp) for name in ("", *named)]
    for (name, est), at in zip(named.items(), rows[1:], strict=True):
        if data is not None and name in data:
            raise FormulaError(f"data has a column {name!r}, which is the name of the premium: rename it.")
        frame[name] = est.values[at]
    return frame, rows, ledger


def _own_keys(estimates: Estimates, keys: Sequence[str]) -> list[str]:
    """Those of the keys by which some estimates are given."""
    return [key for key in keys if key in estimates.by]


def _unlike_kinds(one: pd.DataFrame, other: pd.DataFrame, keys: Sequence[str], names: tuple[str, str]) -> str:
    """Which keys hold one kind on one side and another on the other, in words; nothing where none does."""
    held = [(key, held_by(one[key]), held_by(other[key])) for key in keys if key in other]
    unlike = [f"{key!r} holds {a} in {names[0]} and {b} in {names[1]}" for key, a, b in held if a != b]
    return f": {listing(unlike)}" if unlike else ""


def _design(
    frame: pd.DataFrame, parts: FormulaParts, premiums: tuple[str, ...], ledger: Ledger, keys: list[str]
) -> Design:
    """The right-hand side of a formula; cells with missing covariates are left out and named."""
    required_columns(parts.regressors, frame)
    design = build_design(frame, replace(parts, values=np.zeros(len(frame))), ledger=ledger)
    for name in premiums:
        _check_linear(design, name, parts.regressors)
    if len(design.rows) == len(frame):
        return design
    lost = _cells(frame.drop(index=frame.index[design.rows]), keys)
    return replace(design, ledger=design.ledger.note(f"cells with missing covariates: {lost}."))


def _refuse_outcome(design: Design, outcome: str, y: FloatArray, regressors: str) -> None:
    """Raise where the rate, by its name or its values, stands among the regressors."""
    for j, term in enumerate(design.terms):
        named = re.search(rf"(?<!\w){re.escape(outcome)}(?!\w)", term)
        if named or (np.ptp(y) > 0 and term != PREMIUM and np.array_equal(design.x[:, j], y)):
            raise FormulaError(
                f"{outcome!r} stands on both sides of the formula: the regressor {term!r} in {regressors!r} is the "
                "rate itself, or made of it. Leave it out, or rename the column where it is another variable."
            )


def _check_linear(design: Design, name: str, regressors: str) -> None:
    inside = re.compile(rf"\b{re.escape(name)}\b")
    others = [term for term in dict.fromkeys(design.terms) if term != name and inside.search(term)]
    if len(design.columns_of(name)) != 1 or others:
        also = f"; it also enters {listing(others)}" if others else ""
        raise FormulaError(
            f"the estimated premium {name!r} must enter {regressors!r} once and linearly, because its error is known "
            f"as it stands{also}."
        )


def joined(values: Sequence[Estimates]) -> tuple[Estimates, bool]:
    """One object with the covariance of all; whether they were related."""
    relabelled = [
        est.map(np.eye(len(est.values)), labels=est.labels.assign(term=str(i))) for i, est in enumerate(values)
    ]
    first, *others = relabelled
    return join(first, *others, independent=True), all(are_related(first, other) for other in others)


def are_related(a: Estimates, b: Estimates) -> bool:
    """Say whether two results share sampled units, so that their errors may be correlated."""
    return any(x is y or x.relates(y) for x in a.sources for y in b.sources)


def _cell_names(keys: pd.DataFrame) -> tuple[str, ...]:
    """The keys of each cell in one string."""
    return tuple(" ".join(str(v) for v in row) for row in keys.itertuples(index=False))


def _cells(frame: pd.DataFrame, keys: list[str]) -> str:
    return listing(_cell_names(frame[keys]), 6)
