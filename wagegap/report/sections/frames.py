"""The numbers behind a section as a table of data: keys, names of countries, unit and comparison as columns."""

from __future__ import annotations

from typing import Any

import pandas as pd

from wagegap.estimation.countries.columns import country_key, country_name
from wagegap.estimation.estimates import Estimates
from wagegap.estimation.result import Result

__all__ = ["country_key_of", "frame_of", "notes_of"]

_WIDE = ("statistic", "p_value", "conf_low", "conf_high")


def country_key_of(estimates: Estimates) -> str | None:
    """The cell key that holds countries, whatever its name; None where none does."""
    return country_key(estimates.labels[list(estimates.by)])


def frame_of(result: Any) -> pd.DataFrame:
    """Return every number of a result in a row of its own, with what it is of and its unit.

    >>> import wagegap as wg
    >>> first = frame_of(wg.datasets.published_premiums()).iloc[0]
    >>> first["country"], first["term"], float(first["estimate"]), first["unit"]
    ('Australia', 'premium', 15.0, 'per cent')
    """
    estimates: Estimates = result.estimates if isinstance(result, Result) else result
    frame: pd.DataFrame = result.tidy().copy()
    if len(frame) == len(estimates.labels):
        for name in ("unit", "comparison"):
            frame[name] = estimates.labels[name].astype(str).to_numpy()
    key = country_key_of(estimates)
    if key is not None and key in frame:
        names = [country_name(str(code)) for code in frame[key]]
        frame.insert(list(frame.columns).index(key) + 1, "country" if key.lower() != "country" else "name", names)
    return frame


def notes_of(result: Any) -> tuple[str, ...]:
    """Say how a result was estimated, from which sample, where it knows."""
    return tuple(result.notes) if isinstance(result, Result) else ()
