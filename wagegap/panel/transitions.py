"""What workers did next: moves across countries, fields and occupations from one period to the next.

A worker's next outcome is what the same worker is observed to do `horizon` periods later. Where the worker is not
observed then, the outcome is missing: nothing is taken from an earlier or a later period, and the ledger says how many
outcomes are missing and why. Leaving the data is not leaving the country.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from wagegap._typing import AnyArray, BoolArray, CodeArray, FloatArray, IntArray
from wagegap.errors import DuplicateKeyError, MissingValueError, listing, refuse_rows
from wagegap.panel.roles import Roles

__all__ = ["next_outcomes"]

_OUTCOMES = {"country": "abroad_next", "field": "new_field_next", "occupation": "new_occupation_next"}


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
    """
    steps = _steps(frame, roles, workers.astype(np.intp), horizon)
    columns: dict[str, Any] = {}
    for role, column in _watched(roles).items():
        codes = pd.factorize(frame[column])[0]
        known = (steps.target >= 0) & (codes >= 0) & (codes[steps.target] >= 0)
        moved = (codes[steps.target] != codes).astype(float)
        columns[f"next_{role}"] = frame[column].reindex(steps.target).set_axis(frame.index)
        columns[_OUTCOMES[role]] = np.where(known, moved, np.nan)
    columns["gap"] = steps.gap
    return columns, _notes(roles, steps, [name for name in columns if name in frame])


@dataclass(frozen=True, slots=True, eq=False)
class _Steps:
    """Where each row's worker is found again.

    Attributes
    ----------
    target : ndarray of int, shape (n,)
        Row of the same worker `horizon` periods later; -1 where there is none.
    gap : ndarray, shape (n,)
        Periods until the worker is observed again; NaN where never.
    final : ndarray of bool, shape (n,)
        Whether the data end before `horizon` periods have passed.
    returns : ndarray of bool, shape (n,)
        Whether the worker is observed after the horizon.
    periods : ndarray
        Periods that occur, sorted.
    """

    target: IntArray
    gap: FloatArray
    final: BoolArray
    returns: BoolArray
    periods: AnyArray


def _steps(frame: pd.DataFrame, roles: Roles, worker: IntArray, horizon: int) -> _Steps:
    codes, periods = pd.factorize(frame[roles.period], sort=True)
    refuse_rows(codes < 0, MissingValueError, f"period {roles.period!r} is missing in ", " rows: filter them out.")
    time = codes.astype(np.intp)
    n, count = len(frame), len(periods)
    key = worker * (count + horizon) + time
    order = np.argsort(key, kind="stable")
    ordered = key[order]
    refuse_rows(
        np.diff(ordered, prepend=-1) == 0, DuplicateKeyError, "",
        " rows repeat a worker within a period: transitions need one row of each. Keep the main job, say, with "
        "panel.filter(...).",
    )  # fmt: skip
    place = np.minimum(np.searchsorted(ordered, key + horizon), n - 1)
    target = np.where(ordered[place] == key + horizon, order[place], -1)
    same = np.diff(worker[order]) == 0
    gap = np.full(n, np.nan)
    gap[order[:-1][same]] = np.diff(time[order])[same]
    last = np.zeros(worker.max() + 1, dtype=np.intp)
    np.maximum.at(last, worker, time)
    return _Steps(target, gap, time >= count - horizon, last[worker] > time + horizon, np.asarray(periods))


def _local(roles: Roles) -> bool:
    return roles.country is not None and roles.worker_scope == "country"


def _watched(roles: Roles) -> dict[str, str]:
    """Columns whose change is an outcome, by role."""
    country = None if _local(roles) else roles.country
    named = {"country": country, "field": roles.field, "occupation": roles.occupation}
    return {role: column for role, column in named.items() if column is not None}


def _notes(roles: Roles, steps: _Steps, replaced: list[str]) -> list[str]:
    """Say what is known of the next period, what is not, and why."""
    seen = steps.target >= 0
    later = int((~seen & ~steps.final & steps.returns).sum())
    gone = int((~seen & ~steps.final & ~steps.returns).sum())
    notes = [
        f"next outcomes are known for {int(seen.sum()):,} of {len(seen):,} rows; of the others "
        f"{int(steps.final.sum()):,} are in the last periods, {later:,} are observed again only later, "
        f"{gone:,} are not observed again"
    ]
    if steps.periods.dtype.kind in "iuf" and len(set(np.diff(steps.periods).tolist())) > 1:
        notes.append(f"periods are unevenly spaced ({listing(steps.periods, 6)}): the next one is the next of these")
    if _local(roles):
        notes.append("ids are local to a country, so that moves abroad cannot be seen (worker_scope='global')")
    if replaced:
        notes.append(f"transitions replaced the columns {listing(replaced)}")
    return notes
