"""Local copies of tables that are not shipped: where they are, and reading them as what they should be.

`WAGEGAP_DATA` names the folder that holds local copies; every reader also takes a path. A file that lacks the columns
of its table is refused by name, so that one table is never read as another.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import pandas as pd

from wagegap.errors import ColumnError, DataError, EmptyDataError, OptionError, did_you_mean, listing
from wagegap.estimation.ledger import Ledger
from wagegap.panel.load import read_file

__all__ = [
    "PathLike",
    "Years",
    "carried",
    "checked_years",
    "keep_rows",
    "local_file",
    "local_table",
    "named_table",
    "whole_table",
    "within_years",
]

PathLike: TypeAlias = str | os.PathLike[str]
Years: TypeAlias = tuple[int, int] | None


def local_file(path: PathLike | None, name: str) -> Path:
    """Return the path of a local copy: the one given, or `name` in the folder that WAGEGAP_DATA names.

    Raises
    ------
    DataError
        Where there is no such file.
    """
    if path is not None:
        given = Path(path)
        if not given.is_file():
            near = [str(beside) for beside in given.parent.iterdir()] if given.parent.is_dir() else []
            raise DataError(f"no file {str(given)!r}.{did_you_mean(given, near)} It should be a copy of {name}.")
        return given
    folder = os.environ.get("WAGEGAP_DATA")
    if folder is None:
        raise DataError(f"no local copy of {name}: give its path, or set WAGEGAP_DATA to the folder that holds it.")
    copy = Path(folder) / name
    if not copy.exists():
        raise DataError(f"no file {name} in the folder that WAGEGAP_DATA names ({folder}).")
    return copy


def whole_table(path: PathLike | None, name: str, columns: Sequence[str]) -> pd.DataFrame:
    """Read a local copy, and check that it has rows and the columns of its table.

    Raises
    ------
    DataError, ColumnError, EmptyDataError
    """
    copy = local_file(path, name)
    frame = read_file(str(copy))
    lost = [column for column in columns if column not in frame]
    if lost:
        near = did_you_mean(lost[0], frame.columns)
        raise ColumnError(
            f"{copy.name} is no copy of {name}: it lacks {listing(lost)}.{near} It has {listing(frame.columns, 12)}."
        )
    if frame.empty:
        raise EmptyDataError(f"{copy.name} has no rows.")
    return frame


def local_table(path: PathLike | None, name: str, columns: Sequence[str]) -> pd.DataFrame:
    """Read a local copy as `whole_table` does, and make its types plain.

    Categories become plain objects and single precision double, so that means and products keep their digits.

    Raises
    ------
    DataError, ColumnError, EmptyDataError
    """
    frame = whole_table(path, name, columns)
    texts = [isinstance(kind, pd.CategoricalDtype) or pd.api.types.is_string_dtype(kind) for kind in frame.dtypes]
    single = frame.dtypes == np.float32
    frame = frame.astype(dict.fromkeys(frame.columns[texts], object) | dict.fromkeys(frame.columns[single], np.float64))
    frame.attrs["ledger"] = Ledger(len(frame), float(len(frame)))
    return frame


def keep_rows(frame: pd.DataFrame, mask: Any, reason: str) -> pd.DataFrame:
    """Keep some rows; the ledger in the frame's attributes says how many went, and why."""
    keep = np.asarray(mask, dtype=bool)
    ledger: Ledger = frame.attrs["ledger"].lose(reason, int((~keep).sum()))
    if not keep.any():
        raise EmptyDataError(f"no rows are left.\n{ledger}")
    kept = frame[keep].reset_index(drop=True)
    kept.attrs["ledger"] = ledger
    return kept


def carried(frame: pd.DataFrame, other: pd.DataFrame) -> pd.DataFrame:
    """Give a frame the attributes of the one it was made from."""
    frame.attrs = dict(other.attrs)
    return frame


def named_table(frame: pd.DataFrame, names: Mapping[str, str], order: Sequence[str]) -> pd.DataFrame:
    """Return columns under new names (old name: new name), rows in the order of some of them."""
    return carried(frame.rename(columns=names)[[*names.values()]].sort_values([*order], ignore_index=True), frame)


def checked_years(years: Years) -> Years:
    """Return the first and the last year; None where all are wanted.

    Raises
    ------
    OptionError
        Where they are no pair in order.
    """
    if years is None:
        return None
    ends = list(years) if isinstance(years, Iterable) else []
    if len(ends) != 2 or not all(isinstance(end, int | np.integer) for end in ends) or ends[0] > ends[1]:
        raise OptionError(f"years={years!r} must be the first and the last, such as (2010, 2018).")
    return int(ends[0]), int(ends[1])


def within_years(frame: pd.DataFrame, years: Years) -> pd.DataFrame:
    """Keep the years from first to last, both included; all where None.

    Raises
    ------
    OptionError
        Where the years are no pair in order, or the table has none of them.
    """
    ends = checked_years(years)
    if ends is None:
        return frame
    inside = (frame["year"] >= ends[0]) & (frame["year"] <= ends[1])
    if not inside.any():
        low, high = int(frame["year"].min()), int(frame["year"].max())
        raise OptionError(f"years={years!r}: the table has {low} to {high}.")
    return keep_rows(frame, inside, f"outside {ends[0]}-{ends[1]}")
