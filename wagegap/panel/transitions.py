"""What workers did next: moves across countries, fields and occupations from one period to the next.

A worker's next outcome is what the same worker is observed to do `horizon` periods later. Where the worker is not
observed then, the outcome is missing: nothing is taken from an earlier or a later period, and the ledger says how many
outcomes are missing and why. Leaving the data is not leaving the country.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from wagegap._typing import AnyArray, BoolArray, FloatArray, IntArray
from wagegap.errors import DataError, DuplicateKeyError, MissingValueError, check_count, listing
from wagegap.panel.panel import Panel

__all__ = ["transitions"]

_OUTCOMES = {"country": "abroad_next", "field": "new_field_next", "occupation": "new_occupation_next"}


def transitions(panel: Panel, *, horizon: int = 1) -> Panel:
    """Add what each worker did `horizon` periods later.

    Adds `next_country`, `next_field`, `next_occupation` and the outcomes `abroad_next`, `new_field_next`,
    `new_occupation_next` (1 or 0) for each role that is declared, and `gap`, the number of periods until the worker is
    observed again (missing where never). Outcomes are missing where the worker is not observed exactly `horizon`
    periods later. Columns of these names that the panel has are replaced, with a note in the ledger.

    Parameters
    ----------
    panel : Panel
        With the roles worker and period; moves across countries are seen only under `worker_scope="global"`.
    horizon : int
        Steps along the periods that occur in the data.

    Returns
    -------
    Panel
        The same rows, with the columns added and notes of what was censored.

    Raises
    ------
    DataError
        Without the roles worker and period.
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
    check_count("horizon", horizon)
    steps = _steps(panel, horizon)
    columns: dict[str, Any] = {}
    for role, column in _watched(panel).items():
        codes = pd.factorize(panel.frame[column])[0]
        known = (steps.target >= 0) & (codes >= 0) & (codes[steps.target] >= 0)
        moved = (codes[steps.target] != codes).astype(float)
        columns[f"next_{role}"] = panel.frame[column].reindex(steps.target).set_axis(panel.frame.index)
        columns[_OUTCOMES[role]] = np.where(known, moved, np.nan)
    columns["gap"] = steps.gap
    ledger = panel.ledger
    for note in _notes(panel, steps, [name for name in columns if name in panel.frame]):
        ledger = ledger.note(note)
    return replace(panel.assign(**columns), ledger=ledger)


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


def _steps(panel: Panel, horizon: int) -> _Steps:
    worker, (time, periods) = _workers(panel), _times(panel)
    n, count = len(panel), len(periods)
    key = worker * (count + horizon) + time
    order = np.argsort(key, kind="stable")
    ordered = key[order]
    twice = int((np.diff(ordered) == 0).sum())
    if twice:
        raise DuplicateKeyError(
            f"{twice:,} of {n:,} rows repeat a worker within a period: transitions need one row of each. Keep the main "
            "job, say, with panel.filter(...)."
        )
    place = np.minimum(np.searchsorted(ordered, key + horizon), n - 1)
    target = np.where(ordered[place] == key + horizon, order[place], -1)
    same = np.diff(worker[order]) == 0
    gap = np.full(n, np.nan)
    gap[order[:-1][same]] = np.diff(time[order])[same]
    last = np.zeros(worker.max() + 1, dtype=np.intp)
    np.maximum.at(last, worker, time)
    return _Steps(target, gap, time >= count - horizon, last[worker] > time + horizon, periods)


def _workers(panel: Panel) -> IntArray:
    """Number of each row's worker."""
    if panel.roles.worker is None:
        raise DataError("transitions need the role worker: read_panel(..., worker=, period=).")
    everyone = panel.groupings(np.arange(len(panel)))["worker"]
    return everyone.codes.astype(np.intp)


def _times(panel: Panel) -> tuple[IntArray, AnyArray]:
    """Number of each row's period, and the periods."""
    name = panel.roles.period
    if name is None:
        raise DataError("transitions need the role period: read_panel(..., worker=, period=).")
    codes, periods = pd.factorize(panel.frame[name], sort=True)
    missing = int((codes < 0).sum())
    if missing:
        raise MissingValueError(f"period {name!r} is missing in {missing:,} of {len(panel):,} rows: filter them out.")
    return codes.astype(np.intp), np.asarray(periods)


def _local(panel: Panel) -> bool:
    return panel.roles.country is not None and panel.roles.worker_scope == "country"


def _watched(panel: Panel) -> dict[str, str]:
    """Columns whose change is an outcome, by role."""
    roles = panel.roles
    named = {
        "country": None if _local(panel) else roles.country,
        "field": roles.field,
        "occupation": roles.occupation,
    }
    return {role: column for role, column in named.items() if column is not None}


def _notes(panel: Panel, steps: _Steps, replaced: list[str]) -> list[str]:
    """Say what is known of the next period, what is not, and why."""
    seen = steps.target >= 0
    later = int((~seen & ~steps.final & steps.returns).sum())
    gone = int((~seen & ~steps.final & ~steps.returns).sum())
    notes = [
        f"next outcomes are known for {int(seen.sum()):,} of {len(panel):,} rows; of the others "
        f"{int(steps.final.sum()):,} are in the last periods, {later:,} are observed again only later, "
        f"{gone:,} are not observed again"
    ]
    if steps.periods.dtype.kind in "iuf" and len(set(np.diff(steps.periods).tolist())) > 1:
        notes.append(f"periods are unevenly spaced ({listing(steps.periods, 6)}): the next one is the next of these")
    if _local(panel):
        notes.append("ids are local to a country, so that moves abroad cannot be seen (worker_scope='global')")
    if replaced:
        notes.append(f"transitions replaced the columns {listing(replaced)}")
    return notes
