"""What workers did next: moves across countries, fields and occupations from one period to the next."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd

from wagegap._typing import AnyArray, BoolArray
from wagegap.errors import DataError, OptionError
from wagegap.estimation.ledger import Ledger
from wagegap.panel.panel import Panel

__all__ = ["transitions"]


def transitions(panel: Panel, *, horizon: int = 1) -> Panel:
    """Add what each worker did `horizon` periods later.

    Adds `next_country`, `next_field`, `next_occupation`, and the 0/1 outcomes `abroad_next`, `new_field_next`,
    `new_occupation_next`, for each role that is declared. They are missing where the worker is not observed then: in
    the last period, and where the worker left the data (which may be because they left the country).

    Parameters
    ----------
    panel : Panel
        With the roles worker and period; moves across countries need `worker_scope="global"`.
    horizon : int
        Steps along the periods that occur in the data.

    Raises
    ------
    DataError, OptionError
    """
    roles = panel.roles
    if roles.worker is None or roles.period is None:
        raise DataError("transitions need read_panel(..., worker=, period=).")
    if horizon < 1:
        raise OptionError(f"horizon={horizon} must be at least 1.")
    frame = panel.frame
    period = pd.factorize(frame[roles.period], sort=True)[0]
    scoped = roles.worker_scope == "country" and roles.country is not None
    keys = frame[[roles.worker]].assign(_country=frame[roles.country] if scoped else "", _period=period)
    named = {"country": roles.country, "field": roles.field, "occupation": roles.occupation}
    watched = {
        role: column for role, column in named.items() if column is not None and not (role == "country" and scoped)
    }
    if keys.duplicated().any():
        raise DataError(
            f"{int(keys.duplicated().sum()):,} workers stand twice in a period: transitions need one row each."
        )
    later = keys.assign(_period=period - horizon, **{f"next_{role}": frame[column] for role, column in watched.items()})
    joined = keys.merge(later.assign(_seen=True), on=[*keys.columns], how="left")
    seen = joined["_seen"].notna().to_numpy()
    added: dict[str, object] = {}
    outcomes = {"country": "abroad_next", "field": "new_field_next", "occupation": "new_occupation_next"}
    for role, column in watched.items():
        after = joined[f"next_{role}"].to_numpy()
        known = seen & pd.notna(after) & frame[column].notna().to_numpy()
        added[f"next_{role}"] = after
        added[outcomes[role]] = np.where(known, (after != frame[column].to_numpy()).astype(float), np.nan)
    return replace(panel.assign(**added), ledger=_noted(panel, seen, period, horizon, scoped))


def _noted(panel: Panel, seen: BoolArray, period: AnyArray, horizon: int, scoped: bool) -> Ledger:
    last = period > period.max() - horizon
    note = (
        f"next outcomes are known for {int(seen.sum()):,} rows; {int(last.sum()):,} are in the last periods, "
        f"{int((~seen & ~last).sum()):,} workers are not seen again"
    )
    if scoped:
        note += "; ids are local to a country, so that moves abroad cannot be seen (worker_scope='global')"
    return panel.ledger.note(note)
