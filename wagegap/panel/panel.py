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

from wagegap._arguments import public_class
from wagegap._display.session import Shown
from wagegap._typing import AnyArray, BoolArray, Condition, Count, FloatArray, IntArray
from wagegap.errors import (
    ColumnError,
    DataError,
    EmptyDataError,
    MissingValueError,
    check_column,
    listing,
    refuse_rows,
    written,
)
from wagegap.estimation.carriers import as_pandas
from wagegap.estimation.column_types import LARGEST_WEIGHT, LEAST_WEIGHT, fault_of, held_by, number_or_nan, refuse_sizes
from wagegap.estimation.conditions import condition_values
from wagegap.estimation.covariance.groupings import Grouping
from wagegap.estimation.design import check_keys
from wagegap.estimation.ledger import Ledger
from wagegap.estimation.periods import order_periods
from wagegap.panel.alignment import align
from wagegap.panel.roles import Roles
from wagegap.panel.transitions import next_outcomes

__all__ = ["Panel", "as_panel", "check_columns", "make_panel"]

_HASHED_ROWS = 2_000_000


@public_class
@dataclass(frozen=True, slots=True, eq=False)
class Panel(Shown):
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
    keyed : bool
        Whether no two rows share country, worker and period; without that, rows are known by their numbers.
    index : Index, n rows, optional
        Labels of the rows in the frame that was given, on which series given beside it are aligned; the numbers at the
        door where absent.
    adopted : bool
        Whether it was made of a frame for one call, so that nobody has seen its own labels.
    unfiltered : DataFrame, optional
        The rows at the door where some have been filtered out since: a survey's design counts their units.

    Raises
    ------
    ColumnError, DataError
        By its methods; `read_panel`, which makes panels, says what else can be wrong with rows.

    Examples
    --------
    >>> import pandas as pd
    >>> import wagegap as wg
    >>> rows = pd.DataFrame({"iso3": ["KOR", "KOR", "USA"], "pay": [20.0, 24.0, 30.0], "ai": [0, 1, 1]})
    >>> panel = wg.read_panel(rows, country="iso3", wage="pay")
    >>> len(panel), len(panel.filter("ai == 1"))
    (3, 2)
    """

    frame: pd.DataFrame
    roles: Roles
    ledger: Ledger
    source: str
    fingerprint: str
    row_ids: IntArray
    keyed: bool = False
    index: pd.Index[Any] | None = None
    adopted: bool = False
    unfiltered: pd.DataFrame | None = None

    def __len__(self) -> int:
        return len(self.frame)

    def filter(self, condition: Condition | BoolArray | pd.Series[bool], *, reason: str | None = None) -> Panel:
        """Keep the rows for which a condition holds.

        The rows kept are a domain of the sample: covariances of a survey's design go on counting the sampling units and
        strata of the others (as R's `subset` of a design). Rows that were never of the sample, and a sample of its own,
        are left out before `read_panel`.

        Parameters
        ----------
        condition : str, callable, or array of bool of shape (n,)
            An expression of columns, a callable of the data frame, or a mask; missing counts as false. A series must
            have the index of `panel.frame`, so that a mask of another table, or of the rows in another order, is
            refused.
        reason : str, optional
            Why the others go, for the ledger.

        Raises
        ------
        ColumnError, FormulaError, DataError, EmptyDataError

        Examples
        --------
        >>> panel = as_panel({"pay": [10.0, 20.0, 30.0]}).filter("pay > 10", reason="low pay")
        >>> panel
        <Panel: data; 2 of 3 rows; lost: 1 low pay; no roles>
        >>> panel.row_ids.tolist()
        [1, 2]
        """
        mask = self._mask(condition)
        words = reason or (f"not {condition}" if isinstance(condition, str) else "filtered out")
        name = self.roles.weight
        weight = None if name is None else _total(number_or_nan(self.frame[name])[~mask])
        ledger = self.ledger.lose(words, int((~mask).sum()), weight)
        if not mask.any():
            said = f"no row has {condition}" if isinstance(condition, str) else f"no row is left: all are {words}"
            raise EmptyDataError(f"{said}.\n{ledger}")
        if mask.all():
            return replace(self, ledger=ledger)
        return replace(
            self,
            frame=self.frame[mask].reset_index(drop=True),
            ledger=ledger,
            row_ids=self.row_ids[mask],
            index=None if self.index is None else self.index[mask],
            unfiltered=self.frame if self.unfiltered is None else self.unfiltered,
        )

    def assign(self, **columns: Any) -> Panel:
        """Return the panel with further columns, values of shape (n,) or functions of the frame.

        A series is aligned on its index, with that of `panel.frame` or of the frame that was read.

        Parameters
        ----------
        **columns : array of shape (n,), or function of the frame
            Columns by name.

        Raises
        ------
        DataError
            Where a column has another number of values than the panel has rows, or the index of a series not all rows.
        """
        return self.with_columns(**{
            name: self.align(values, f"values of column {name!r}") for name, values in columns.items()
        })  # fmt: skip

    def align(self, values: Any, what: str) -> Any:
        """Return values given beside the data in the order of the rows: a series is aligned on its index.

        Parameters
        ----------
        values : array of shape (n,), or Series
            Values given beside the data.
        what : str
            What they are, for the message.

        Raises
        ------
        DataError, DuplicateKeyError
            Where the index does not say which value is whose.
        """
        labels = pd.Index(self.row_ids) if self.index is None else self.index
        return align(values, labels, None if self.adopted else self.frame.index, what)

    def with_columns(self, **columns: Any) -> Panel:
        """Return the panel with further columns whose series, if any, have the index of its own frame.

        Parameters
        ----------
        **columns : values of shape (n,)
            Columns by name.
        """
        try:
            frame = self.frame.assign(**columns)
        except (TypeError, ValueError) as error:
            raise DataError(
                f"columns {listing(columns)} cannot be added to {len(self):,} rows: {error}. Give one value, or one "
                "for each row."
            ) from error
        key = (self.roles.country, self.roles.worker, self.roles.period)
        keyed = _is_keyed(frame, self.roles) if any(name in columns for name in key if name) else self.keyed
        whole = self.unfiltered
        if whole is not None and any(name in whole for name in columns):
            whole = whole.drop(columns=[name for name in columns if name in whole])
        return replace(self, frame=frame, keyed=keyed, unfiltered=whole)

    def transitions(self, *, horizon: Count = 1) -> Panel:
        """Add what each worker did `horizon` periods later.

        Adds `next_country`, `next_field`, `next_occupation` and the outcomes `abroad_next`, `new_field_next`,
        `new_occupation_next` (1 or 0) for each role that is declared, and `gap`, the number of periods until the worker
        is observed again (missing where never). Outcomes are missing where the worker is not observed exactly `horizon`
        periods later. Columns of these names that the panel has are replaced, with a note in the ledger. Moves across
        countries are seen only under `worker_scope="global"`.

        Parameters
        ----------
        horizon : int
            Steps along the periods that occur in the data, in the order of time also where they are text: "wave 8" to
            "wave 11", "2019Q4", "Mar 2019", or an ordered category.

        Returns
        -------
        Panel
            The same rows, with the columns added and notes of what was censored.

        Raises
        ------
        DataError
            Without the roles worker and period; where periods are text whose order is not known.
        MissingValueError, DuplicateKeyError
            Where a worker or period is missing, or a worker stands twice in a period.
        OptionError
            Where horizon is no whole number of at least 1.

        Examples
        --------
        >>> import pandas as pd
        >>> from wagegap.panel.load import read_panel
        >>> rows = pd.DataFrame({"pid": [1, 1, 2], "iso3": ["KOR", "USA", "KOR"], "year": [2020, 2021, 2020]})
        >>> panel = read_panel(rows, worker="pid", country="iso3", period="year", worker_scope="global")
        >>> panel.transitions().frame["abroad_next"].tolist()
        [1.0, nan, nan]
        """
        for role in ("worker", "period"):
            if getattr(self.roles, role) is None:
                raise DataError(f"transitions need the role {role}: read_panel(..., worker=, period=).")
        workers = self.groupings(np.arange(len(self)))["worker"].codes
        columns, notes = next_outcomes(self.frame, self.roles, workers, horizon)
        return replace(self.with_columns(**columns), ledger=self.ledger.note(*notes))

    def weights(self, rows: IntArray) -> FloatArray | None:
        """Weights of some rows, checked; None where nothing is weighted.

        Parameters
        ----------
        rows : array of int of shape (m,)
            Positions.

        Raises
        ------
        MissingValueError, DataError
        """
        name = self.roles.weight
        if name is None:
            return None
        column = self.frame[name].iloc[rows]
        if held_by(column) in ("dates", "durations", "complex"):
            raise DataError(f"weights: {name!r} {fault_of(column)}.")
        values = number_or_nan(column)
        cure = "turn text into numbers with pandas.to_numeric; " if column[np.isnan(values)].notna().any() else ""
        refuse_rows(
            np.isnan(values), MissingValueError, f"weights {name!r} are missing or text in ",
            f" rows: {cure}filter them out with panel.filter('{name}.notna()'), or fill them in.",
        )  # fmt: skip
        infinite, negative = int(np.isinf(values).sum()), int(((values < 0) & ~np.isinf(values)).sum())
        if negative or infinite:
            raise DataError(
                f"weights {name!r} are negative in {negative:,} and infinite in {infinite:,} of {len(values):,} rows: "
                "mend them, or filter those rows out."
            )
        refuse_sizes(values[values > 0], f"weights {name!r}", len(values), least=LEAST_WEIGHT, most=LARGEST_WEIGHT)
        if len(values) and not values.any():
            raise DataError(f"weights {name!r} are zero in all {len(values):,} rows: nothing is left to weight.")
        if self.roles.weight_kind == "frequency":
            broken = values != np.round(values)
            refuse_rows(broken, DataError, f"frequency weights {name!r} must be whole numbers; ", " are not.")
        return values

    def groupings(self, rows: IntArray, extra: Sequence[str] = ()) -> dict[str, Grouping]:
        """Groupings of some rows: row, worker, every declared cluster and stratum, and `extra` columns.

        Parameters
        ----------
        rows : ndarray of int, shape (m,)
            Positions in the frame.
        extra : sequence of str
            Further columns (or `"worker"`) to group by.

        Returns
        -------
        dict of str to Grouping
            Labels of a row are (country, worker, period) where that is a key, else its number at the door under a
            source that names this very data; of a worker, and of any other column, (country, value). The country is
            empty where none is declared, for workers whose ids are global, and for the country and period columns.

        Raises
        ------
        ColumnError, MissingValueError
        """
        nowhere = np.zeros(len(rows), dtype=np.intp), np.array([""], dtype=object)
        scope = nowhere if self.roles.country is None else pd.factorize(self.ids(self.roles.country, rows))
        found = {"row": self._row_grouping(rows, scope[1][scope[0]])}
        if self.roles.worker is not None:
            where = nowhere if self.roles.worker_scope == "global" else scope
            workers = pd.factorize(self.ids(self.roles.worker, rows))
            found["worker"] = Grouping.from_codes("worker", self.source, where, workers)
        elif "worker" in extra:
            raise ColumnError("cov names 'worker', but the panel declares none: read_panel(..., worker='column').")
        strata = [self.roles.strata] if self.roles.strata and self.roles.strata not in extra else []
        further = [name for name in (*strata, *extra) if name not in ("worker", "row", *self.roles.cluster)]
        for name in [*self.roles.cluster, *further]:
            where = nowhere if name in (self.roles.country, self.roles.period) else scope
            found[name] = Grouping.from_codes(name, self.source, where, pd.factorize(self.ids(name, rows)))
        return found

    def sampled(self, columns: Sequence[str]) -> tuple[Panel, IntArray]:
        """Return the sample at the door, rows filtered out since included, and the place of each row in it.

        Rows that were filtered out count where these columns, the country and the weight are known.

        Parameters
        ----------
        columns : sequence of str
            Columns wanted.

        Raises
        ------
        ColumnError
            Where a column was added, or changed, after rows had been filtered out.
        """
        whole = self.unfiltered
        if whole is None:
            return self, np.arange(len(self))
        names = [self.roles.worker if name == "worker" else name for name in columns if name != "row"]
        names += [self.roles.country] if self.roles.country else []
        for name in names:
            check_column(name, self.frame.columns, "for the survey's design")
            if name not in whole:
                raise ColumnError(
                    f"{name!r} was added or changed after rows had been filtered out, so that the sampling units of "
                    "those are not known: assign(...) it before filter(...)."
                )
        names += [self.roles.weight] if self.roles.weight in whole else []
        counted = np.array(whole[names].notna().all(axis=1))
        counted[self.row_ids] = True
        frame = whole[counted].reset_index(drop=True)
        sample = replace(self, frame=frame, row_ids=np.flatnonzero(counted), index=None)
        return sample, np.searchsorted(sample.row_ids, self.row_ids)

    def _row_grouping(self, rows: IntArray, scope: AnyArray) -> Grouping:
        """Rows by (scope, worker, period) where that was a key at the door, else by their number in this very data."""
        codes = np.arange(len(rows), dtype=np.int32)
        if self.keyed and self.roles.worker is not None:
            period = self.roles.period
            times = np.full(len(rows), "", dtype=object) if period is None else self.ids(period, rows)
            return Grouping("row", self.source, codes, (scope, self.ids(self.roles.worker, rows), times))
        return Grouping("row", f"{self.source}#{self.fingerprint}", codes, (self.row_ids[rows],))

    def ids(self, name: str, rows: IntArray) -> AnyArray:
        """Return the values of a column that identifies something, none of them missing.

        Parameters
        ----------
        name : str
            A column or a role.
        rows : array of int of shape (m,)
            Positions.

        Raises
        ------
        ColumnError, MissingValueError
        """
        check_column(name, self.frame.columns, "to group by")
        check_keys(self.frame, [name])
        column = self.frame[name].iloc[rows]
        refuse_rows(
            column.isna(), MissingValueError, f"{name!r} is missing in ",
            f" rows, which would otherwise form a group of their own: filter them out with "
            f"panel.filter('{name}.notna()'), or fill them in.",
        )  # fmt: skip
        return np.asarray(column)

    def periods(self, name: str, rows: IntArray) -> AnyArray:
        """Return numbers that rise with the periods of a column, none of them missing.

        Parameters
        ----------
        name : str
            A column or a role.
        rows : array of int of shape (m,)
            Positions.

        Raises
        ------
        ColumnError, MissingValueError
        DataError
            Where they are text whose order is not known.
        """
        self.ids(name, rows)
        return order_periods(self.frame[name].iloc[rows]).of_rows

    def numbers(self, name: str, rows: IntArray) -> FloatArray:
        """Return a column as numbers, NaN where it holds none.

        Parameters
        ----------
        name : str
            A column or a role.
        rows : array of int of shape (m,)
            Positions.

        Raises
        ------
        ColumnError
        """
        check_column(name, self.frame.columns)
        return number_or_nan(self.frame[name].iloc[rows])

    def _mask(self, condition: Condition | BoolArray | pd.Series[bool]) -> BoolArray:
        mask: Any = condition
        evaluated = False
        if isinstance(condition, str) or callable(condition):
            mask, evaluated = condition_values(self.frame, condition, "for the condition"), True
        labelled = isinstance(mask, pd.Series) and len(mask) == len(self)
        if labelled and not mask.index.equals(self.frame.index):
            raise DataError(
                "the index of the condition is not that of panel.frame: build it from panel.frame, or pass "
                "condition.to_numpy() if it has the panel's rows in their order."
            )
        # What was evaluated on the panel's frame stands in its rows already.
        values = np.asarray(self.align(mask, "condition") if labelled and not evaluated else mask)
        if values.shape != (len(self),):
            raise DataError(f"a condition must give true or false for each of the {len(self):,} rows.")
        known = pd.notna(values)
        odd = [value for value in pd.unique(pd.Series(values[known])).tolist() if value not in (True, False)]
        if odd:
            raise DataError(f"a condition must be true or false; values such as {odd[0]!r} are neither.")
        return np.where(known, values, False).astype(bool)

    def _roles_line(self) -> str:
        return ", ".join(f"{role} {column}" for role, column in self.roles.declared().items()) or "no roles"

    def _in_session(self) -> str:
        rows = self.ledger.line() if self.ledger.losses else f"{len(self):,} rows"
        return f"<Panel: {self.source}; {rows}; {self._roles_line()}>"

    def _in_short(self) -> str:
        return self._in_session()

    def _repr_html_(self) -> str:
        lines = [self.ledger.line(), self._roles_line(), *self.ledger.notes]
        items = "".join(f"<li>{escape(line)}</li>" for line in lines)
        return f"<p><b>{escape(self.source)}</b></p><ul>{items}</ul>{self.frame.head().to_html()}"


def as_panel(data: Any) -> Panel:
    """Return a panel: itself, or any data frame without roles.

    Raises
    ------
    DataError, EmptyDataError, ColumnError

    Examples
    --------
    >>> as_panel({"iso3": ["KOR", "USA"]})
    <Panel: data; 2 rows; no roles>
    """
    return data if isinstance(data, Panel) else replace(make_panel(as_pandas(data), Roles(), "data"), adopted=True)


def make_panel(frame: pd.DataFrame, roles: Roles, source: str, ledger: Ledger | None = None) -> Panel:
    """Number the rows of a frame and open its account.

    Raises
    ------
    EmptyDataError, ColumnError
    """
    check_columns(frame, source)
    n = len(frame)
    index = None if frame.index.equals(pd.RangeIndex(n)) else frame.index
    frame = frame.reset_index(drop=True)
    total = float(n) if roles.weight is None else _total(number_or_nan(frame[roles.weight]))
    opened = ledger or Ledger(n, total)
    keyed = _is_keyed(frame, roles)
    return Panel(frame, roles, opened, source, _fingerprint(frame), np.arange(n), keyed, index)


def check_columns(frame: pd.DataFrame, source: str) -> None:
    """Raise unless there are rows, and columns that each name one thing."""
    if len(frame) == 0:
        raise EmptyDataError(f"{source} has no rows: look at the filter or the file it was read from.")
    if not frame.columns.is_unique:
        twice = [repr(name) for name in frame.columns[frame.columns.duplicated()].unique()]
        names = "1 name" if len(twice) == 1 else f"{len(twice)} names"
        raise ColumnError(f"{source} has {names} that several columns share: {listing(twice)}. Rename them.")


def _is_keyed(frame: pd.DataFrame, roles: Roles) -> bool:
    """Say whether no two rows share country, worker and period."""
    keys = [name for name in (roles.country, roles.worker, roles.period) if name is not None]
    if roles.worker is None:
        return False
    check_keys(frame, keys)
    return not frame.duplicated(keys).any()


def _total(weights: FloatArray) -> float:
    """Sum of the weights that are numbers; whoever uses the others, or too large ones, is told."""
    with np.errstate(over="ignore"):
        return float(weights[np.isfinite(weights)].sum())


def _fingerprint(frame: pd.DataFrame) -> str:
    """Hash of the content; of more than two million rows, from as many evenly spaced."""
    some = frame.iloc[:: -(-len(frame) // _HASHED_ROWS)]
    digest = hashlib.sha256(f"{frame.shape}{list(map(str, frame.columns))}".encode())
    if not frame.shape[1]:  # which pandas 2 cannot hash
        return digest.hexdigest()[:16]
    try:
        digest.update(pd.util.hash_pandas_object(some, index=False).to_numpy().tobytes())
    except TypeError:  # lists, bytes and other things without a hash
        digest.update(pd.util.hash_pandas_object(some.astype(object).map(written), index=False).to_numpy().tobytes())
    return digest.hexdigest()[:16]
