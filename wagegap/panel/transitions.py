"""What workers did next: moves across countries, fields and occupations from one period to the next.

A worker's next outcome is what the same worker is observed to do `horizon` periods later. Where the worker is not
observed then, the outcome is missing: nothing is taken from an earlier or a later period, and the ledger says how many
outcomes are missing and why. Leaving the data is not leaving the country.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from wagegap._typing import CodeArray, FloatArray, IntArray
from wagegap.errors import DuplicateKeyError, MissingValueError, listing, refuse_rows
from wagegap.estimation.design import check_keys
from wagegap.estimation.periods import order_periods
from wagegap.panel.roles import Roles

__all__ = ["NEXT_OF_ROLES", "next_outcomes"]

_OUTCOMES = {"country": "abroad_next", "field": "new_field_next", "occupation": "new_occupation_next"}
NEXT_OF_ROLES = {role: (f"next_{role}", outcome) for role, outcome in _OUTCOMES.items()}
"""Columns that are made for each role that is declared."""


def next_outcomes(
    frame: pd.DataFrame, roles: Roles, workers: CodeArray, horizon: int
) -> tuple[dict[str, Any], list[str]]:
    """Return what each worker did `horizon` periods later, as columns, and notes of what was censored.

    Parameters
    ----------
    frame : DataFrame, n rows
        Rows of workers.
    roles : Roles
        What the columns mean.
    workers : ndarray of int, shape (n,)
        Number of each row's worker.
    horizon : int
        Steps along the periods that occur in the data.

    Raises
    ------
    MissingValueError, DuplicateKeyError
        Where a period is missing, or a worker stands twice in a period.
    DataError
        Where periods are text whose order is not known.
    """
    check_keys(frame, list(_watched(roles).values()))
    periods = order_periods(frame[roles.period])
    refuse_rows(
        periods.codes < 0, MissingValueError, f"period {roles.period!r} is missing in ", " rows: filter them out."
    )
    worker, time, count = workers.astype(np.intp), periods.codes, len(periods.levels)
    target, gap = _found_again(worker, time, count, horizon)
    columns: dict[str, Any] = {}
    for role, column in _watched(roles).items():
        values = pd.factorize(frame[column])[0]
        known = (target >= 0) & (values >= 0) & (values[target] >= 0)
        columns[f"next_{role}"] = frame[column].reindex(target).set_axis(frame.index)
        columns[_OUTCOMES[role]] = np.where(known, (values[target] != values).astype(float), np.nan)
    columns["gap"] = gap
    notes = [_known(worker, time, target, count, horizon)]
    if not periods.even:
        notes.append(f"periods are unevenly spaced ({listing(periods.levels, 6)}): the next one is the next of these")
    if _local(roles):
        notes.append("ids are local to a country, so that moves abroad cannot be seen (worker_scope='global')")
    replaced = [name for name in columns if name in frame]
    if replaced:
        notes.append(f"transitions replaced the columns {listing(replaced)}")
    return columns, notes


def _found_again(worker: IntArray, time: IntArray, periods: int, horizon: int) -> tuple[IntArray, FloatArray]:
    """Row of the same worker `horizon` periods later, -1 where there is none; and periods until the worker is observed
    again, NaN where never.
    """
    n = len(worker)
    key = worker * (periods + horizon) + time
    order = np.argsort(key, kind="stable")
    ordered = key[order]
    refuse_rows(
        np.diff(ordered, prepend=-1) == 0, DuplicateKeyError, "",
        " rows repeat a worker within a period: transitions need one row of each. Keep the main job, say, with "
        "panel.filter(...).",
    )  # fmt: skip
    place = np.minimum(np.searchsorted(ordered, key + horizon), n - 1)
    same = np.diff(worker[order]) == 0
    gap = np.full(n, np.nan)
    gap[order[:-1][same]] = np.diff(time[order])[same]
    return np.where(ordered[place] == key + horizon, order[place], -1), gap


def _known(worker: IntArray, time: IntArray, target: IntArray, periods: int, horizon: int) -> str:
    """Say of how many rows the next period is known, of how many not, and why."""
    last = np.zeros(worker.max() + 1, dtype=np.intp)
    np.maximum.at(last, worker, time)
    seen, final, returns = target >= 0, time >= periods - horizon, last[worker] > time + horizon
    later, gone = (int((~seen & ~final & after).sum()) for after in (returns, ~returns))
    return (
        f"next outcomes are known for {int(seen.sum()):,} of {len(seen):,} rows; of the others "
        f"{int(final.sum()):,} are in the last periods, {later:,} are observed again only later, "
        f"{gone:,} are not observed again"
    )


def _local(roles: Roles) -> bool:
    return roles.country is not None and roles.worker_scope == "country"


def _watched(roles: Roles) -> dict[str, str]:
    """Columns whose change is an outcome, by role."""
    country = None if _local(roles) else roles.country
    named = {"country": country, "field": roles.field, "occupation": roles.occupation}
    return {role: column for role, column in named.items() if column is not None}
