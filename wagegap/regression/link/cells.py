"""Cells of the link: rates, premiums and covariates of the same countries, with the joint covariance of the errors."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from wagegap._typing import FloatArray, IntArray
from wagegap.errors import (
    ColumnError,
    DataError,
    DuplicateKeyError,
    EmptyDataError,
    FormulaError,
    OptionError,
    did_you_mean,
    listing,
    no_column,
)
from wagegap.estimation.design import Design, build_design
from wagegap.estimation.estimates import Estimates, join
from wagegap.estimation.formula import FormulaParts, required_columns, split_formula
from wagegap.estimation.ledger import Ledger
from wagegap.estimation.result import Result

__all__ = [
    "LinkCells",
    "are_related",
    "estimates_of",
    "joined",
    "match_cells",
    "positions",
    "rate_of",
    "single_premium",
]

PREMIUM = "premium"


@dataclass(frozen=True, slots=True, eq=False)
class LinkCells:
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
    def premiums_known(self) -> bool:
        """Whether the errors of all premiums are known."""
        return all(self.known(1 + i) for i in range(len(self.premiums)))

    @property
    def outcome_in_words(self) -> str:
        """The outcome as it stands in a sentence."""
        return self.outcome.replace("_", " ")

    def label_axes(self, ax: Any) -> Any:
        """Name the axes of rates against premiums."""
        ax.set_xlabel(f"premium ({self.units[1]})")
        ax.set_ylabel(f"{self.outcome_in_words} ({self.units[0]})")
        return ax


def estimates_of(result: Any, role: str) -> Estimates:
    """Take the estimates out of a result."""
    if isinstance(result, Estimates):
        return result
    if isinstance(result, Result):
        return result.estimates
    raise DataError(
        f"{role} must be a result or Estimates, not {type(result).__name__}: published figures enter through "
        "Estimates.from_table(frame, ...)."
    )


def single_premium(premiums: Any) -> Any:
    """The one premium of a dict of one."""
    return next(iter(premiums.values())) if isinstance(premiums, Mapping) and len(premiums) == 1 else premiums


def positions(keys: pd.DataFrame, labels: pd.DataFrame) -> IntArray:
    """Where each cell stands among labels, -1 where it is none of them.

    >>> positions(pd.DataFrame({"iso3": ["USA", "KOR"]}), pd.DataFrame({"iso3": ["KOR"], "term": "premium"}))
    array([-1,  0])
    """
    index = pd.MultiIndex.from_frame(labels[list(keys.columns)])
    if not index.is_unique:
        raise DuplicateKeyError(f"keys {list(keys.columns)} occur more than once: one row per cell.")
    return np.asarray(index.get_indexer(pd.MultiIndex.from_frame(keys)), dtype=np.intp)


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
    outcome = rate_of(rates, parts.outcome)
    named = _named_premiums(premiums)
    keys = _keys(outcome, named, on)
    frame, ledger = _matched(outcome, named, keys, data)
    frame, design = _evaluated(frame, parts, named, ledger, data, keys)
    rows = [frame[f"_row {name}"].to_numpy(dtype=int) for name in ("", *named)]
    values = [outcome.select(rows[0]), *(est.select(at) for est, at in zip(named.values(), rows[1:], strict=True))]
    first_stage, related = joined(values)
    n = len(frame)
    units = tuple(", ".join(dict.fromkeys(part.labels["unit"].astype(str))) for part in values)
    p = first_stage.values[n:].reshape(len(named), n).T
    return LinkCells(
        frame[keys].reset_index(drop=True), _cell_names(frame, keys), parts.outcome, tuple(named),
        first_stage.values[:n], p, first_stage.covariance, design, units, design.ledger, related,
    )  # fmt: skip


def rate_of(rates: Any, name: str) -> Estimates:
    """Estimates of one rate; an error with the nearest name where there is none."""
    given = estimates_of(rates, "rates")
    terms = list(dict.fromkeys(given.labels["term"].astype(str)))
    if name not in terms:
        raise ColumnError(f"no rate {name!r}.{did_you_mean(name, terms)} There are: {listing(terms)}.")
    return given.select(term=name)


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
    return named


def _keys(outcome: Estimates, named: Mapping[str, Estimates], on: Sequence[str] | str | None) -> list[str]:
    if on is not None:
        if not isinstance(on, str) and not isinstance(on, Sequence):
            raise OptionError(f"on={on!r} must be a key of the cells, or a list of them.")
        keys = [on] if isinstance(on, str) else list(on)
    else:
        keys = [key for key in outcome.by if all(key in est.by for est in named.values())]
    for role, est in {"rates": outcome, **named}.items():
        absent = [key for key in keys if key not in est.by]
        if absent:
            raise ColumnError(
                f"{role} has no key {absent[0]!r}.{did_you_mean(absent[0], est.by)} Keys: {listing(est.by)}."
            )
        twice = int(est.labels.duplicated(keys).sum()) if keys else len(est.labels) - 1
        if twice:
            raise DuplicateKeyError(
                f"{role} has {twice} further cells with keys that occur already; keys matched are {keys}, its own are "
                f"{est.by}: match on all of them, or select one."
            )
    if not keys:
        raise DataError("rates and premiums share no cell key: name the keys with on=.")
    return keys


def _matched(
    outcome: Estimates, named: Mapping[str, Estimates], keys: list[str], data: pd.DataFrame | None
) -> tuple[pd.DataFrame, Ledger]:
    """Rows of labels that belong together; which cells are lost, by name."""
    frame = outcome.labels[keys].assign(**{"_row ": np.arange(len(outcome.labels))})
    ledger = Ledger(len(frame), float(len(frame)))
    sides = {
        name: est.labels[keys].assign(**{f"_row {name}": np.arange(len(est.labels))}) for name, est in named.items()
    }
    if data is not None:
        absent = [key for key in keys if key not in data]
        if absent:
            raise no_column(absent[0], data.columns, "in data for that key")
        twice = int(data.duplicated(keys).sum())
        if twice:
            raise DuplicateKeyError(f"data has {twice} rows with keys {keys} that occur already: one row per cell.")
        sides["data"] = data
    for name, side in sides.items():
        gone = frame[positions(frame[keys], side) < 0]
        if len(gone):
            ledger = ledger.lose(f"not in {name} ({_cells(gone, keys)})", len(gone))
        extra = side[positions(side[keys], frame) < 0]
        if name != "data" and len(extra):
            ledger = ledger.note(f"{len(extra)} cells of {name} have no rate: {_cells(extra, keys)}.")
        frame = frame.merge(side, on=keys, how="inner")
    if frame.empty:
        raise EmptyDataError(f"no cell has both rates and premiums (keys {keys}).\n{ledger}")
    return frame, ledger


def _evaluated(
    frame: pd.DataFrame,
    parts: FormulaParts,
    named: Mapping[str, Estimates],
    ledger: Ledger,
    data: pd.DataFrame | None,
    keys: list[str],
) -> tuple[pd.DataFrame, Design]:
    for name, est in named.items():
        if data is not None and name in data:
            raise FormulaError(f"data has a column {name!r}, which is the name of the premium: rename it.")
        frame = frame.assign(**{name: est.values[frame[f"_row {name}"].to_numpy(dtype=int)]})
    seen = frame.drop(columns=[f"_row {name}" for name in ("", *named)])
    required_columns(parts.regressors, seen)
    design = build_design(seen, replace(parts, values=np.zeros(len(seen))), ledger=ledger)
    for name in named:
        _check_linear(design, name, parts.regressors)
    kept = frame.iloc[design.rows]
    if len(kept) < len(frame):
        gone = frame.drop(index=frame.index[design.rows])
        lost = design.ledger.note(f"cells with missing covariates: {_cells(gone, keys)}.")
        design = replace(design, ledger=lost)
    return kept, design


def _check_linear(design: Design, name: str, regressors: str) -> None:
    columns = design.columns_of(name)
    inside = re.compile(rf"\b{re.escape(name)}\b")
    others = [term for term in dict.fromkeys(design.terms) if term != name and inside.search(term)]
    if len(columns) != 1 or others:
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
    related = all(are_related(relabelled[0], other) for other in relabelled[1:])
    return join(relabelled[0], *relabelled[1:], independent=True), related


def are_related(a: Estimates, b: Estimates) -> bool:
    """Say whether two results share sampled units, so that their errors may be correlated."""
    return any(x is y or x.relates(y) for x in a.sources for y in b.sources)


def _cell_names(frame: pd.DataFrame, keys: list[str]) -> tuple[str, ...]:
    """The keys of each cell in one string."""
    return tuple(" ".join(str(v) for v in row) for row in frame[keys].itertuples(index=False))


def _cells(frame: pd.DataFrame, keys: list[str]) -> str:
    return listing(_cell_names(frame, keys), 6)
