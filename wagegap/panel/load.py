"""Reading workers: from frames and files to a panel whose columns have been looked at.

What is wrong is said at the door, once, with the column and the count: wages that cannot be wages, countries nobody
knows, keys that occur twice, shares above one.
"""

from __future__ import annotations

import glob
import os
import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd

from wagegap._typing import ReplicateKind, WeightKind
from wagegap.errors import (
    ColumnError,
    DataError,
    DuplicateKeyError,
    EmptyDataError,
    ExtraMissingError,
    MissingValueError,
    OptionError,
    WageError,
    check_option,
    did_you_mean,
    listing,
)
from wagegap.estimation.units import PER_ONE, check_share, check_unit
from wagegap.panel.countries import normalise_countries
from wagegap.panel.panel import Panel, as_pandas, make_panel
from wagegap.panel.roles import Roles

__all__ = ["read_panel"]

_SUFFIXES = (".csv", ".csv.gz", ".parquet", ".dta", ".sav", ".xlsx")


def read_panel(  # noqa: PLR0913
    source: Any,
    *,
    worker: str | None = None,
    country: str | None = None,
    period: str | None = None,
    wage: str | None = None,
    field: str | None = None,
    occupation: str | None = None,
    weight: str | None = None,
    weight_kind: WeightKind | None = None,
    cluster: str | Sequence[str] | None = None,
    strata: str | None = None,
    replicate_weights: str | Sequence[str] | None = None,
    replicate_kind: ReplicateKind | None = None,
    fay: float = 0.0,
    worker_scope: Literal["country", "global"] = "country",
    units: Mapping[str, str] | None = None,
    source_name: str | None = None,
    invalid_wage: Literal["raise", "missing", "drop"] = "raise",
    country_names: Literal["normalise", "keep"] = "normalise",
    duplicates: Literal["raise", "keep"] = "raise",
    columns: Sequence[str] | None = None,
    progress: bool = False,
) -> Panel:
    """Read workers and say what the columns mean.

    Parameters
    ----------
    source : data frame, path or glob
        A frame (pandas, polars, Arrow, anything with an Arrow stream or `to_pandas`), or files: csv, csv.gz, parquet,
        dta, and, with the extra `data`, sav and xlsx.
    worker, country, period, wage, field, occupation, weight, strata : str, optional
        Columns.
    weight_kind : {"sampling", "analytic", "frequency"}, optional
        What the weights are; sampling where absent.
    cluster : str or sequence of str, optional
        Columns of clusters; the first is the sampling unit.
    replicate_weights : sequence of str, or str, optional
        Columns of replicate weights, or a regular expression that they match.
    replicate_kind : {"BRR", "Fay", "JK1", "JK2", "JKn", "bootstrap"}, optional
        How they were made.
    fay : float
        Fay's factor.
    worker_scope : {"country", "global"}
        Whether a worker's id means the same person in every country; survey ids do not.
    units : mapping of column to unit, optional
        Such as `{"rate": "share"}`; values are held against it.
    source_name : str, optional
        Name of the data; results of one name are taken to share units by their ids.
    invalid_wage : {"raise", "missing", "drop"}
        What to do with wages that are zero, negative, missing, infinite or text.
    country_names : {"normalise", "keep"}
        Turn names and codes into ISO3 codes, or leave them.
    duplicates : {"raise", "keep"}
        What to do where a worker stands twice in one country and period.
    columns : sequence of str, optional
        Columns to read besides those with a role; all where absent.
    progress : bool
        Say on stderr which file is read.

    Returns
    -------
    Panel

    Raises
    ------
    EmptyDataError, ColumnError, WageError, CountryError, MissingValueError, DuplicateKeyError, UnitError, OptionError

    Examples
    --------
    >>> import pandas as pd
    >>> rows = pd.DataFrame({"who": [1, 2], "where": ["Korea, Rep.", "USA"], "pay": [20.0, 30.0]})
    >>> read_panel(rows, worker="who", country="where", wage="pay", source_name="example")
    <Panel: example, 2 rows; worker who, country where, wage pay>
    """
    check_option("invalid_wage", invalid_wage, ("raise", "missing", "drop"))
    check_option("country_names", country_names, ("normalise", "keep"))
    check_option("duplicates", duplicates, ("raise", "keep"))
    check_option("worker_scope", worker_scope, ("country", "global"))
    if weight_kind is not None:
        check_option("weight_kind", weight_kind, ("sampling", "analytic", "frequency"))
        if weight is None:
            raise OptionError(f"weight_kind={weight_kind!r} is given without weight.")
    clusters = (cluster,) if isinstance(cluster, str) else tuple(cluster or ())
    replicates_pattern = replicate_weights if isinstance(replicate_weights, str) else None
    listed = () if replicates_pattern is not None else tuple(replicate_weights or ())
    needed = [n for n in (worker, country, period, wage, field, occupation, weight, strata) if n] + [*clusters, *listed]
    wanted = None if columns is None or replicates_pattern else list(dict.fromkeys([*needed, *columns]))
    frame, name = _read(source, wanted, progress)
    name = source_name or name
    for column in [*needed, *(columns or ())]:
        _check_column(frame, column, name)
    replicates = listed or _matching(frame, replicates_pattern)
    if replicates and replicate_kind is None:
        raise OptionError("replicate weights need replicate_kind: BRR, Fay, JK1, JK2, JKn or bootstrap.")
    declared = tuple((str(c), check_unit(u)) for c, u in (units or {}).items())
    roles = Roles(
        worker, country, period, wage, field, occupation, weight, (weight_kind or "sampling") if weight else None,
        clusters, strata, replicates, replicate_kind, fay, worker_scope, declared,
    )  # fmt: skip
    if len(frame) == 0:
        raise EmptyDataError(f"{name} has no rows.")
    frame = _with_countries(frame, country) if country and country_names == "normalise" else frame
    _check_declared(frame, roles, duplicates)
    return _with_wages(make_panel(frame, roles, name), wage, invalid_wage)


def _read(source: Any, wanted: list[str] | None, progress: bool) -> tuple[pd.DataFrame, str]:
    if not isinstance(source, str | os.PathLike):
        return as_pandas(source), "data"
    text = os.fspath(source)
    paths = sorted(glob.glob(text)) if any(mark in text for mark in "*?[") else [text]
    if not paths or not all(os.path.exists(path) for path in paths):
        beside = Path(text).parent
        near = [str(p) for p in beside.iterdir()] if beside.is_dir() else []
        raise DataError(f"no file {text!r}.{did_you_mean(text, near)}")
    frames = []
    for path in paths:
        if progress:
            print(f"reading {path}", file=sys.stderr)
        frames.append(_read_file(path, wanted))
    frame = frames[0] if len(frames) == 1 else pd.concat(frames, ignore_index=True)
    return frame, Path(text).name


def _read_file(path: str, wanted: list[str] | None) -> pd.DataFrame:
    suffix = next((s for s in sorted(_SUFFIXES, key=len, reverse=True) if path.lower().endswith(s)), None)
    try:
        if suffix in (".csv", ".csv.gz"):
            return pd.read_csv(path, usecols=(lambda c: c in wanted) if wanted else None, low_memory=False)
        if suffix == ".parquet":
            import pyarrow.parquet as pq

            present = pq.read_schema(path).names
            return pd.read_parquet(path, columns=[c for c in wanted if c in present] if wanted else None)
        if suffix == ".dta":
            return pd.read_stata(path, convert_categoricals=False)
        if suffix == ".sav":
            return pd.read_spss(path, convert_categoricals=False)
        if suffix == ".xlsx":
            return pd.read_excel(path)
    except pd.errors.EmptyDataError as error:
        raise EmptyDataError(f"{path} has no rows.") from error
    except ImportError as error:
        raise ExtraMissingError(f"reading {suffix} needs the extra 'data': pip install 'wagegap[data]'.") from error
    raise DataError(f"{path}: files of this kind are not read. Known: {listing(_SUFFIXES)}.")


def _check_column(frame: pd.DataFrame, column: str, name: str) -> None:
    if column not in frame:
        raise ColumnError(
            f"{name} has no column {column!r}.{did_you_mean(column, frame.columns)} "
            f"There are: {listing(frame.columns, 12)}."
        )


def _matching(frame: pd.DataFrame, pattern: str | None) -> tuple[str, ...]:
    if pattern is None:
        return ()
    found = tuple(str(c) for c in frame.columns if re.match(pattern, str(c)))
    if not found:
        raise ColumnError(f"no column matches replicate_weights={pattern!r}. There are: {listing(frame.columns, 12)}.")
    return found


def _with_countries(frame: pd.DataFrame, country: str) -> pd.DataFrame:
    return frame.assign(**{country: normalise_countries(frame[country])})


def _check_declared(frame: pd.DataFrame, roles: Roles, duplicates: str) -> None:
    for name in (*roles.cluster, *([roles.strata] if roles.strata else [])):
        missing = int(frame[name].isna().sum())
        if missing:
            raise MissingValueError(
                f"{name!r}, declared as cluster or stratum, is missing in {missing:,} of {len(frame):,} rows: "
                "filter them out before reading, or declare another column."
            )
    for column, unit in roles.units:
        _check_column(frame, column, "the data")
        if unit in PER_ONE:
            check_share(frame[column].to_numpy(dtype=float, na_value=np.nan), unit, column)
    if roles.worker is not None and duplicates == "raise":
        _check_duplicates(frame, roles)


def _check_duplicates(frame: pd.DataFrame, roles: Roles) -> None:
    scoped = roles.country is not None and roles.worker_scope == "country"
    keys = [k for k in (roles.country if scoped else None, roles.worker, roles.period) if k is not None]
    twice = frame.duplicated(keys)
    if twice.any():
        example = frame.loc[twice, keys].iloc[0].to_dict()
        hint = "" if roles.period else " If they are periods, declare period=."
        raise DuplicateKeyError(
            f"{int(twice.sum()):,} of {len(frame):,} rows have a key that an earlier row has; keys are {keys}, "
            f"the first is {example}.{hint} Drop the duplicates, or pass duplicates='keep'."
        )


def _with_wages(panel: Panel, wage: str | None, invalid: str) -> Panel:
    if wage is None:
        return panel
    column = panel.frame[wage]
    numbers = pd.to_numeric(column, errors="coerce").to_numpy(dtype=float, na_value=np.nan)
    kinds = {
        "text": np.isnan(numbers) & column.notna().to_numpy(),
        "missing": column.isna().to_numpy(),
        "infinite": np.isinf(numbers),
        "zero": numbers == 0,
        "negative": (numbers < 0) & ~np.isinf(numbers),
    }
    bad = np.any(list(kinds.values()), axis=0)
    if not bad.any():
        return panel.assign(**{wage: numbers})
    if invalid == "raise":
        counts = [f"{int(mask.sum()):,} {kind}" for kind, mask in kinds.items() if mask.any()]
        first = [f"row {i}: {column.iloc[i]!r}" for i in np.flatnonzero(bad)[:3]]
        raise WageError(
            f"{wage!r} cannot be a wage in {int(bad.sum()):,} of {len(panel):,} rows ({', '.join(counts)}); "
            f"{listing(first)}. Mend them, or pass invalid_wage='missing' (keep the rows without a wage) or 'drop'."
        )
    panel = panel.assign(**{wage: np.where(bad, np.nan, numbers)})
    if invalid == "missing":
        return panel
    for kind, mask in kinds.items():
        gone = mask[panel.row_ids]
        panel = panel if not gone.any() else panel.filter(~gone, reason=f"{kind} {wage}")
    return panel
