"""The panel: rows of workers, what the columns mean, and who is who.

Everything that the package knows of data enters through here. A panel is never changed; filtering and adding columns
give new ones, and the ledger remembers what was lost. The identity of a unit is (source, scope, id): ids of different
sources never match, and a worker's id crosses countries only where it is declared global.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from html import escape
from typing import Any

import numpy as np
import pandas as pd

from wagegap._typing import AnyArray, BoolArray, FloatArray, IntArray
from wagegap.errors import (
    ColumnError,
    DataError,
    EmptyDataError,
    FormulaError,
    MissingValueError,
    did_you_mean,
    listing,
)
from wagegap.estimation.groupings import Grouping
from wagegap.estimation.ledger import Ledger
from wagegap.panel.roles import Roles

__all__ = ["Panel", "as_pandas", "as_panel", "make_panel"]


@dataclass(frozen=True, slots=True, eq=False)
class Panel:
    """Rows of workers with declared roles.

    Attributes
    ----------
    frame : DataFrame
        The rows; not to be changed.
    roles : Roles
        What the columns mean.
    ledger : Ledger
        Account of the rows.
    source : str
        Name of the data.
    fingerprint : str
        Hash of the data at the door.
    row_ids : ndarray of int, shape (n,)
        Number of each row at the door, by which filtered panels find their common rows.
    """

    frame: pd.DataFrame
    roles: Roles
    ledger: Ledger
    source: str
    fingerprint: str
    row_ids: IntArray

    def __len__(self) -> int:
        return len(self.frame)

    def filter(self, condition: str | BoolArray | pd.Series[bool], *, reason: str | None = None) -> Panel:
        """Keep the rows for which a condition holds.

        Parameters
        ----------
        condition : str, or array of bool of shape (n,)
            An expression of pandas' `query`, or a mask; missing counts as false.
        reason : str, optional
            Why the others go, for the ledger.

        Raises
        ------
        FormulaError, DataError, EmptyDataError
        """
        mask = self._mask(condition)
        words = reason or (f"not {condition}" if isinstance(condition, str) else "filtered out")
        ledger = self.ledger.lose(words, int((~mask).sum()), self._weight_of(~mask))
        if not mask.any():
            raise EmptyDataError(f"no row has {condition if isinstance(condition, str) else words}.\n{ledger}")
        frame = self.frame[mask].reset_index(drop=True)
        return replace(self, frame=frame, ledger=ledger, row_ids=self.row_ids[mask])

    def assign(self, **columns: Any) -> Panel:
        """Return the panel with further columns, values of shape (n,) or functions of the frame."""
        return replace(self, frame=self.frame.assign(**columns))

    def transitions(self, *, horizon: int = 1) -> Panel:
        """Return the panel with what each worker did next; see `wagegap.panel.transitions`."""
        from wagegap.panel.transitions import transitions

        return transitions(self, horizon=horizon)

    def weights(self, rows: IntArray) -> FloatArray | None:
        """Weights of some rows, checked; None where nothing is weighted.

        Raises
        ------
        MissingValueError, DataError
        """
        name = self.roles.weight
        if name is None:
            return None
        values = pd.to_numeric(self.frame[name], errors="coerce").to_numpy(dtype=float, na_value=np.nan)[rows]
        missing, negative = int(np.isnan(values).sum()), int((values < 0).sum())
        if missing:
            raise MissingValueError(
                f"weights {name!r} are missing in {missing:,} of {len(rows):,} rows: filter them out."
            )
        if negative or np.isinf(values).any():
            raise DataError(
                f"weights {name!r} are negative or infinite in {negative + int(np.isinf(values).sum()):,} rows."
            )
        if len(values) and not values.any():
            raise DataError(f"weights {name!r} are zero in all {len(values):,} rows.")
        if self.roles.weight_kind == "frequency" and (values != np.round(values)).any():
            bad = int((values != np.round(values)).sum())
            raise DataError(f"frequency weights {name!r} must be whole numbers; {bad:,} of {len(values):,} are not.")
        return values

    def groupings(self, rows: IntArray, extra: Sequence[str] = ()) -> dict[str, Grouping]:
        """Groupings of some rows: row, worker, every declared cluster and stratum, and `extra` columns.

        Raises
        ------
        ColumnError, MissingValueError
        """
        scope = self._scope(rows)
        found = {"row": self._row_grouping(rows, scope)}
        if self.roles.worker is not None:
            workers = self._ids(self.roles.worker, rows)
            where = np.zeros(len(rows), dtype=np.int8) if self.roles.worker_scope == "global" else scope
            found["worker"] = Grouping.from_keys("worker", self.source, where, workers)
        strata = [self.roles.strata] if self.roles.strata else []
        for name in dict.fromkeys([*self.roles.cluster, *strata, *extra]):
            everywhere = name in (self.roles.country, self.roles.period)
            where = np.zeros(len(rows), dtype=np.int8) if everywhere else scope
            found[name] = Grouping.from_keys(name, self.source, where, self._ids(name, rows))
        return found

    def _row_grouping(self, rows: IntArray, scope: AnyArray) -> Grouping:
        """Rows by (scope, worker, period) where that is unique, else by their number in this very data."""
        if self.roles.worker is not None and self.roles.period is not None:
            parts = (scope, self._ids(self.roles.worker, rows), self._ids(self.roles.period, rows))
            unique = Grouping.from_keys("row", self.source, *parts)
            if unique.n_groups == len(rows):
                return unique
        return Grouping(
            "row", f"{self.source}#{self.fingerprint}", np.arange(len(rows), dtype=np.int32), (self.row_ids[rows],)
        )

    def _scope(self, rows: IntArray) -> AnyArray:
        if self.roles.country is None:
            return np.zeros(len(rows), dtype=np.int8)
        return np.asarray(self.frame[self.roles.country])[rows]

    def _ids(self, name: str, rows: IntArray) -> AnyArray:
        if name not in self.frame:
            raise ColumnError(f"no column {name!r} to group by.{did_you_mean(name, self.frame.columns)}")
        column = self.frame[name].iloc[rows]
        missing = int(column.isna().sum())
        if missing:
            raise MissingValueError(
                f"{name!r} is missing in {missing:,} of {len(rows):,} rows, which would otherwise form a group of "
                f"their own: filter them out with panel.filter('{name}.notna()'), or fill them in."
            )
        return np.asarray(column)

    def _mask(self, condition: str | BoolArray | pd.Series[bool]) -> BoolArray:
        if isinstance(condition, str):
            try:
                mask = self.frame.eval(condition)
            except Exception as error:
                raise FormulaError(
                    f"cannot evaluate {condition!r}: {error}. Columns: {listing(self.frame.columns, 12)}."
                ) from error
        else:
            mask = condition
        values = pd.Series(np.asarray(mask)).fillna(False)
        if len(values) != len(self) or not values.isin([True, False]).all():
            raise DataError(f"a condition must give true or false for each of the {len(self):,} rows.")
        return values.to_numpy(dtype=bool)

    def _weight_of(self, mask: BoolArray) -> float | None:
        if self.roles.weight is None:
            return None
        return float(np.nansum(pd.to_numeric(self.frame[self.roles.weight], errors="coerce")[mask]))

    def __repr__(self) -> str:
        roles = ", ".join(f"{role} {column}" for role, column in self.roles.declared().items()) or "no roles"
        return f"<Panel: {self.source}, {len(self):,} rows; {roles}>"

    def _repr_html_(self) -> str:
        return f"<p><b>{escape(self.source)}</b>: {escape(self.ledger.line())}</p>{self.frame.head().to_html()}"


def as_panel(data: Any) -> Panel:
    """Return a panel: itself, or any data frame without roles."""
    if isinstance(data, Panel):
        return data
    return make_panel(as_pandas(data), Roles(), "data")


def make_panel(frame: pd.DataFrame, roles: Roles, source: str, ledger: Ledger | None = None) -> Panel:
    """Number the rows of a frame and open its account."""
    if len(frame) == 0:
        raise EmptyDataError(f"{source} has no rows.")
    frame = frame.reset_index(drop=True)
    n = len(frame)
    total = float(n)
    if roles.weight is not None:
        total = float(
            np.nansum(pd.to_numeric(frame[roles.weight], errors="coerce").to_numpy(dtype=float, na_value=np.nan))
        )
    return Panel(frame, roles, ledger or Ledger(n, total), source, _fingerprint(frame), np.arange(n))


def as_pandas(data: Any) -> pd.DataFrame:
    """Turn any data frame into pandas: pandas, polars, Arrow, or whatever offers `to_pandas` or an Arrow stream."""
    if isinstance(data, pd.DataFrame):
        return data
    if hasattr(data, "__arrow_c_stream__"):
        import pyarrow as pa

        return pd.DataFrame(pa.table(data).to_pandas())
    if hasattr(data, "to_pandas"):
        return pd.DataFrame(data.to_pandas())
    if isinstance(data, dict):
        return pd.DataFrame(data)
    raise DataError(f"{type(data).__name__} is not a data frame: give pandas, polars, Arrow, or a path.")


def _fingerprint(frame: pd.DataFrame) -> str:
    """Hash of the content, from at most a hundred thousand rows evenly spaced."""
    step = max(1, len(frame) // 100_000)
    some = frame.iloc[::step]
    digest = hashlib.sha256(f"{frame.shape}{list(map(str, frame.columns))}".encode())
    try:
        digest.update(pd.util.hash_pandas_object(some, index=False).to_numpy().tobytes())
    except TypeError:
        digest.update(pd.util.hash_pandas_object(some.astype(str), index=False).to_numpy().tobytes())
    return digest.hexdigest()[:16]
