"""Reading workers: from frames and files to a panel whose columns have been looked at.

What is wrong is said at the door, once, with the column and the count: wages that cannot be wages, countries nobody
knows, keys that occur twice, shares above one.
"""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

import numpy as np
import pandas as pd

from wagegap._arguments import public
from wagegap._progress import track
from wagegap._typing import BoolArray, ColumnName, ColumnNames, FloatArray, IntArray, ReplicateKind, WeightKind
from wagegap.errors import (
    ColumnError,
    DataError,
    DataWarning,
    DuplicateKeyError,
    MissingValueError,
    OptionError,
    UnitError,
    WageError,
    did_you_mean,
    listing,
    refuse_rows,
    warn,
)
from wagegap.estimation.carriers import as_pandas
from wagegap.estimation.column_types import held_by, number_or_nan
from wagegap.estimation.covariance.options import check_fay
from wagegap.estimation.design import check_keys
from wagegap.estimation.units import PER_LOG, PER_ONE, check_level_of_logs, check_share, check_unit
from wagegap.panel.countries import read_countries
from wagegap.panel.csv_dialects import CsvDialect, check_dialect, number_advice, number_cells
from wagegap.panel.file_contents import check_path
from wagegap.panel.files import FileOptions, FileRows, Wanted, read_rows
from wagegap.panel.panel import Panel, check_columns, make_panel
from wagegap.panel.roles import Roles
from wagegap.panel.value_labels import Labelled, LabelUse, apply_labels

__all__ = ["read_panel"]

_NINES = re.compile(r"9{2,}[6-9]")
"""Codes as surveys give them to those who do not answer."""
_LAST = 8
"""So many of the largest wages are looked at for codes."""
_NO_WAGES = (
    pd.api.types.is_datetime64_any_dtype, pd.api.types.is_timedelta64_dtype, pd.api.types.is_bool_dtype,
    pd.api.types.is_complex_dtype,
)  # fmt: skip


@public
def read_panel(  # noqa: PLR0913
    source: Any,
    *,
    worker: ColumnName | None = None,
    country: ColumnName | None = None,
    period: ColumnName | None = None,
    wage: ColumnName | None = None,
    field: ColumnName | None = None,
    occupation: ColumnName | None = None,
    weight: ColumnName | None = None,
    weight_kind: WeightKind | None = None,
    cluster: ColumnNames | None = None,
    strata: ColumnName | None = None,
    replicate_weights: ColumnNames | None = None,
    replicate_kind: ReplicateKind | None = None,
    fay: float = 0.0,
    worker_scope: Literal["country", "global"] = "country",
    units: Annotated[Mapping[str, str], "a dict that gives units to columns, such as {'rate': 'share'}"] | None = None,
    source_name: str | None = None,
    invalid_wage: Literal["raise", "missing", "drop"] = "raise",
    country_names: Literal["normalise", "keep"]
    | Annotated[Mapping[str, str], "a dict of names and countries, such as {'Korean Republic': 'KOR'}"] = "normalise",
    duplicates: Literal["raise", "keep", "drop"] = "raise",
    columns: ColumnNames | None = None,
    value_labels: LabelUse = "auto",
    encoding: str | None = None,
    sep: Annotated[str, "one character"] | None = None,
    decimal: Annotated[str, "one character, '.' or ','"] | None = None,
    thousands: Annotated[str, "one character"] | None = None,
    sheet: str | int | None = None,
    progress: bool = False,
) -> Panel:
    """Read workers and say what the columns mean.

    Parameters
    ----------
    source : data frame, path or glob
        A frame (pandas, polars, Arrow, anything with an Arrow stream or `to_pandas`), or files: csv, csv.gz, tsv,
        parquet, dta, and, with the extra `data`, sav and xlsx.
    worker : str, optional
        Column of workers' ids.
    country : str, optional
        Column of countries, by names or codes.
    period : str, optional
        Column of years, quarters, months or waves.
    wage : str, optional
        Column of pay.
    field, occupation : str, optional
        Column of the field of work or study; of occupations.
    weight, strata : str, optional
        Column of weights; of strata.
    weight_kind : {"sampling", "analytic", "frequency"}, optional
        What the weights are; sampling where absent.
    cluster : str or sequence of str, optional
        Columns of clusters; the first is the sampling unit.
    replicate_weights : sequence of str, or str, optional
        Columns of replicate weights, or a regular expression that their beginnings match (such as "SPFWT"); the column
        `weight` is never one of them.
    replicate_kind : {"BRR", "Fay", "JK1", "JK2", "JKn", "bootstrap", "SDR"}, optional
        How they were made; SDR are the successive differences of ACS and CPS.
    fay : float
        Fay's factor, which kind Fay needs and no other has.
    worker_scope : {"country", "global"}
        Whether a worker's id means the same person in every country; survey ids do not.
    units : mapping of column to unit, optional
        Such as `{"rate": "share"}`; values are held against it. A column that holds logarithms, `{"lwage": "log"}`, is
        an outcome like `log(wage)` in every call that asks.
    source_name : str, optional
        Name of the data; results of one name are taken to share units by their ids.
    invalid_wage : {"raise", "missing", "drop"}
        What to do with wages that are zero, negative, missing, infinite or text.
    country_names : {"normalise", "keep"} or mapping of name to country
        Turn names and codes into ISO3 codes, or leave them; a mapping says what names of your own stand for,
        `{"Korean Republic": "KOR"}`, and the others are turned as before.
    duplicates : {"raise", "keep", "drop"}
        What to do where a worker stands twice in one country and period. "drop" leaves out rows that are the same in
        every column as an earlier one, which the ledger says, and raises for others.
    columns : sequence of str, optional
        Columns to read besides those with a role or a unit; all where absent. Files are read by column where their
        format allows.
    value_labels : {"auto", "labels", "codes"}
        Of dta and sav: countries, fields and occupations take their labels, and codes labelled as refused or missing
        are missing, always. "auto" gives labels to every other column too of which each value has one, but for codes 0
        and 1, and for columns whose role is numbers or ids; "labels" to those of 0 and 1 as well; "codes" to none.
    encoding : str, optional
        Of text files: "utf-8" where absent and no byte order mark says otherwise.
    sep : str, optional
        Of text files: what separates columns; "," where absent, a tab for tsv.
    decimal, thousands : str, optional
        Of text files: the decimal mark, "." or ","; the mark between groups of three digits. Nothing of how a file is
        written is guessed; where the file shows that it is written otherwise, the error says how.
    sheet : str or int, optional
        Of xlsx: name or number (from 0) of the sheet; the first where absent, which the ledger says.
    progress : bool
        Say on stderr how many files are read.

    Returns
    -------
    Panel

    Raises
    ------
    EmptyDataError, ColumnError, WageError, CountryError, MissingValueError, DuplicateKeyError, UnitError, OptionError
        What is wrong, in which column, in how many rows, and what to do.
    DataError, ExtraMissingError
        A file that is not there, cannot be read, or whose format needs the extra `data`.

    Examples
    --------
    >>> import pandas as pd
    >>> rows = pd.DataFrame({"who": [1, 2], "where": ["Korea, Rep.", "USA"], "pay": [20.0, 30.0]})
    >>> read_panel(rows, worker="who", country="where", wage="pay", source_name="example")
    <Panel: example; 2 rows; worker who, country where, wage pay>

    A European text file: `read_panel("workers.csv", wage="pay", sep=";", decimal=",", encoding="cp1252")`.
    """
    dialect = CsvDialect(encoding, sep, decimal, thousands)
    check_dialect(dialect)
    pattern = replicate_weights if isinstance(replicate_weights, str) else None
    roles = Roles(
        worker, country, period, wage, field, occupation, weight, weight_kind or ("sampling" if weight else None),
        (cluster,) if isinstance(cluster, str) else tuple(() if cluster is None else cluster), strata,
        () if pattern is not None else tuple(() if replicate_weights is None else replicate_weights),
        replicate_kind, fay, worker_scope,
        tuple((str(column), check_unit(unit)) for column, unit in (units or {}).items()),
    )  # fmt: skip
    _check_options(roles, pattern)
    named = [name for name in (worker, country, period, wage, field, occupation, weight, strata) if name is not None]
    needed = [*named, *roles.cluster, *roles.replicate_weights, *(units or ()), *(columns or ())]
    wanted = None if columns is None else partial(_is_wanted, frozenset(needed), pattern)
    amounts = partial(_is_wanted, _amounts(roles), pattern)
    files, file_name = _read(source, wanted, FileOptions(dialect, sheet, amounts), progress)
    name = source_name or file_name
    read = apply_labels(files, roles, pattern, value_labels)
    read = _each_once(read) if duplicates == "drop" else read
    frame, notes = read.frame, read.notes
    check_columns(frame, name)
    for column in needed:
        if column not in frame:
            hint = f"{did_you_mean(column, frame.columns)} There are: {listing(frame.columns, 12)}."
            raise ColumnError(f"{name} has no column {column!r}.{hint}")
    if pattern is not None:
        roles = replace(roles, replicate_weights=_matching(frame, pattern, weight))
    if country is not None:
        check_keys(frame, [country])
    if country is not None and country_names != "keep":
        codes, said = read_countries(frame[country], None if isinstance(country_names, str) else country_names)
        frame, notes = frame.assign(**{country: codes}), (*notes, *said)
    _check_declared(frame, roles, duplicates)
    _check_numbers(frame, roles, dialect)
    _check_weight(frame, roles.weight)
    panel = _with_wages(make_panel(frame, roles, name), wage, invalid_wage, read.wages, dialect)
    return replace(panel, ledger=panel.ledger.note(*notes)) if notes else panel


def _is_wanted(names: frozenset[str], pattern: str | None, name: str) -> bool:
    """Whether a column is one of those named, or matched by a regular expression."""
    return name in names or (pattern is not None and re.match(pattern, str(name)) is not None)


def _amounts(roles: Roles) -> frozenset[str]:
    """Columns that hold numbers by what was said of them."""
    named = (roles.wage, roles.weight, *roles.replicate_weights, *(column for column, _ in roles.units))
    return frozenset(name for name in named if name is not None)


def _check_options(roles: Roles, pattern: str | None) -> None:
    if roles.weight_kind is not None and roles.weight is None:
        raise OptionError(f"weight_kind={roles.weight_kind!r} is given without weight.")
    replicated = bool(roles.replicate_weights) or pattern is not None
    if replicated != (roles.replicate_kind is not None):
        raise OptionError(
            f"replicate_weights and replicate_kind go together: one of {listing(get_args(ReplicateKind))} with the "
            "columns, or neither."
        )
    check_fay(roles.fay, roles.replicate_kind)
    if roles.fay and roles.replicate_kind is None:
        raise OptionError(f"fay={roles.fay:g} is given without replicate weights of kind 'Fay'.")
    if roles.replicate_kind == "Fay" and not roles.fay:
        raise OptionError("replicate_kind='Fay' needs Fay's factor: fay=0.5, say; 'BRR' is without.")
    if pattern is not None:
        try:
            re.compile(pattern)
        except re.error as error:
            raise OptionError(f"replicate_weights={pattern!r} is no regular expression: {error}.") from error


def _read(source: Any, wanted: Wanted | None, options: FileOptions, progress: bool) -> tuple[list[FileRows], str]:
    if not isinstance(source, str | os.PathLike):
        if options.csv.said or options.sheet is not None:
            raise OptionError("encoding, sep, decimal, thousands and sheet say how a file is read; source is a frame.")
        frame = as_pandas(source)
        if wanted is not None:
            frame = frame[[name for name in frame.columns.unique() if wanted(name)]]
        return [FileRows(frame)], "data"
    text = check_path(source)
    paths = [text] if os.path.exists(text) else sorted(glob.glob(text))
    if not paths:
        beside = Path(text).parent
        near = [str(path) for path in beside.iterdir()] if beside.is_dir() else []
        raise DataError(f"no file {text!r}.{did_you_mean(text, near)}")
    return [read_rows(path, wanted, options) for path in track(paths, "files read", progress)], Path(text).name


def _matching(frame: pd.DataFrame, pattern: str, weight: str | None) -> tuple[str, ...]:
    names = tuple(str(c) for c in frame.columns if re.match(pattern, str(c)) and c != weight)
    if not names:
        raise ColumnError(f"no column matches replicate_weights={pattern!r}. There are: {listing(frame.columns, 12)}.")
    return names


def _check_declared(frame: pd.DataFrame, roles: Roles, duplicates: str) -> None:
    named = [("country", roles.country), ("worker", roles.worker), ("period", roles.period)]
    named += [("cluster or stratum", name) for name in (*roles.cluster, roles.strata)]
    for role, name in named:
        if name is not None:
            refuse_rows(
                frame[name].isna(), MissingValueError, f"{name!r}, declared as {role}, is missing in ",
                " rows: filter them out before reading, or declare another column.",
            )  # fmt: skip
    for column, unit in roles.units:
        if unit in PER_ONE or unit in PER_LOG:
            values = number_or_nan(frame[column])
            text = np.isnan(values) & frame[column].notna().to_numpy()
            refuse_rows(text, UnitError, f"{column!r}, declared as {unit}, is text in ", " rows.")
            if unit in PER_ONE:
                check_share(values, unit, column)
            check_level_of_logs(values, unit, column, wages=column == roles.wage)
    if roles.worker is not None and duplicates != "keep":
        _check_duplicates(frame, roles)


def _check_duplicates(frame: pd.DataFrame, roles: Roles) -> None:
    scoped = roles.country is not None and roles.worker_scope == "country"
    keys = [k for k in (roles.country if scoped else None, roles.worker, roles.period) if k is not None]
    check_keys(frame, keys)
    twice = frame.duplicated(keys)
    if twice.any():
        first = frame.loc[twice, keys].iloc[0].tolist()
        example = ", ".join(f"{key} {value}" for key, value in zip(keys, first, strict=True))
        hint = "" if roles.period else " If they are periods, declare period=."
        raise DuplicateKeyError(
            f"{int(twice.sum()):,} of {len(frame):,} rows have a key ({', '.join(keys)}) that an earlier row has; the "
            f"first is {example}.{hint} {_cure(frame, twice)}"
        )


def _cure(frame: pd.DataFrame, twice: pd.Series[bool]) -> str:
    """What to do with rows that share a key: those that are the same throughout can go, others are several jobs."""
    same = int(frame.duplicated().sum())
    if same == int(twice.sum()):
        return "They are the same in every column: pass duplicates='drop', or duplicates='keep' to count them all."
    some = f" {same:,} of them are the same in every column." if same else ""
    return f"Drop those that are not meant, or pass duplicates='keep'.{some}"


def _each_once(read: Labelled) -> Labelled:
    """The rows without those that are the same in every column as an earlier one, and a note of how many these were."""
    check_keys(read.frame, list(read.frame.columns))
    again = read.frame.duplicated().to_numpy(dtype=bool)
    if not again.any():
        return read
    n = int(again.sum())
    said = f"{n:,} of {len(again):,} rows are the same in every column as an earlier one, and were left out"
    wages = {label: rows[~again] for label, rows in read.wages.items()}
    return Labelled(read.frame[~again], (*read.notes, said), wages)


def _check_numbers(frame: pd.DataFrame, roles: Roles, dialect: CsvDialect) -> None:
    """Raise where amounts or weights are text, as numbers of other countries are when read; warn of it elsewhere."""
    numeric, marks = _amounts(roles), (dialect.decimal or ".", dialect.thousands)
    ids = {roles.worker, roles.country, roles.period, roles.strata, *roles.cluster}
    names = [name for name in map(str, frame) if name not in ids]
    texts = {name: number_advice(frame[name], *marks, among_words=name in numeric) for name in names}
    said = {name: f"{name!r} is text, {advice}" for name, advice in texts.items() if advice is not None}
    refused = [words for name, words in said.items() if name in numeric]
    if refused:
        raise DataError(f"{listing(refused, 4)}; or turn it into numbers before reading.")
    if said:
        warn(f"{listing(said.values(), 4)}. As text they are no numbers in a formula.", DataWarning)


def _check_weight(frame: pd.DataFrame, name: str | None) -> None:
    """Raise where weights are text, negative or infinite; missing ones may still be filtered out."""
    if name is None or held_by(frame[name]) in ("dates", "durations", "complex"):
        return
    values = number_or_nan(frame[name])
    text = np.isnan(values) & frame[name].notna().to_numpy()
    cure = " rows: turn it into numbers with pandas.to_numeric before reading."
    refuse_rows(text, MissingValueError, f"weights {name!r} are missing or text in ", cure)
    infinite, negative = int(np.isinf(values).sum()), int(((values < 0) & ~np.isinf(values)).sum())
    if negative or infinite:
        raise DataError(
            f"weights {name!r} are negative in {negative:,} and infinite in {infinite:,} of {len(values):,} rows: mend "
            "them, or filter those rows out before reading."
        )


def _with_wages(
    panel: Panel, wage: str | None, invalid: str, labelled: Mapping[str, BoolArray], dialect: CsvDialect
) -> Panel:
    """Hold the wages against what a wage can be, and do with the others as told."""
    if wage is None:
        return panel
    column = panel.frame[wage]
    if any(is_kind(column) for is_kind in _NO_WAGES):
        raise WageError(
            f"{wage!r} holds {column.dtype} in {len(column):,} of {len(column):,} rows, which is no amount of pay: "
            "declare the column that holds wages as numbers."
        )
    pay, from_text = _pay(column, dialect)
    if from_text:
        said = f"{wage} is read from text in {from_text:,} of {len(panel):,} rows"
        panel = replace(panel, ledger=panel.ledger.note(said))
    logs = dict(panel.roles.units).get(wage) in PER_LOG
    kinds = _invalid_wages(column, pay, labelled, logs=logs)
    if not logs:
        _warn_of_codes(pay, wage)
    if not kinds:
        return panel.with_columns(**{wage: pay})
    bad = np.isin(np.arange(len(pay)), np.concatenate(list(kinds.values())))
    counts = ", ".join(f"{len(rows):,} {kind}" for kind, rows in kinds.items())
    if invalid == "raise":
        raise _no_wages(column, bad, counts, labelled)
    panel = panel.with_columns(**{wage: np.where(bad, np.nan, pay)})
    if invalid == "missing":
        note = f"{wage} is taken as missing in {int(bad.sum()):,} rows ({counts})"
        return replace(panel, ledger=panel.ledger.note(note))
    for kind, rows in kinds.items():
        panel = panel.filter(~np.isin(panel.row_ids, rows), reason=f"{kind} {wage}")
    return panel


def _no_wages(column: pd.Series[Any], bad: BoolArray, counts: str, labelled: Mapping[str, BoolArray]) -> WageError:
    """The error for wages that are none, with the first of them; a labelled code by its label."""
    places = np.flatnonzero(bad)[:3]
    coded = {int(i): label for label, rows in labelled.items() for i in np.flatnonzero(rows)[:3]}
    values = zip(places.tolist(), column.iloc[places].tolist(), strict=True)
    first = [f"row {i}: {coded.get(i, repr(value))}" for i, value in values]
    return WageError(
        f"{column.name!r} cannot be a wage in {int(bad.sum()):,} of {len(bad):,} rows ({counts}); the first are "
        f"{listing(first)}. Mend them, or pass invalid_wage='missing' (keep the rows without a wage) or 'drop'."
    )


def _warn_of_codes(pay: FloatArray, wage: str) -> None:
    """Warn of wages that look like codes for no answer: nines, more than once, far above all other wages."""
    known = pay[np.isfinite(pay)]
    if not len(known) or not _NINES.fullmatch(f"{known.max():.12g}"):
        return
    values, counts = np.unique(known, return_counts=True)
    coded = np.array([_NINES.fullmatch(f"{value:.12g}") is not None for value in values[-_LAST:]])
    others = np.r_[values[:-_LAST], values[-_LAST:][~coded]]
    far = (values > 2 * others.max(initial=0.0)) & (counts > 1) & np.r_[np.zeros(len(values) - len(coded), bool), coded]
    if far.any() and len(others):
        said = listing(f"{value:,.0f} in {n:,} rows" for value, n in zip(values[far], counts[far], strict=True))
        warn(
            f"{wage!r} is {said}, and at most {others.max():,.6g} in all others: such numbers are often codes for no "
            f"answer. Where they are, filter them out: panel.filter('{wage} < {values[far].min():.0f}').",
            DataWarning,
        )


def _pay(column: pd.Series[Any], dialect: CsvDialect) -> tuple[FloatArray, int]:
    """Wages as numbers, NaN where they are none, and how many of them are digits in text."""
    pay = number_or_nan(column)
    if held_by(column) not in ("text", "mixed"):
        return pay, 0
    read = number_cells(column, dialect.decimal or ".", dialect.thousands)
    from_text = np.isnan(pay) & ~np.isnan(read)
    return np.where(from_text, read, pay), int(from_text.sum())


def _invalid_wages(
    column: pd.Series[Any], pay: FloatArray, labelled: Mapping[str, BoolArray], *, logs: bool
) -> dict[str, IntArray]:
    """Rows whose wage is none, by what is wrong with it; logarithms of wages may be zero or negative."""
    missing = column.isna().to_numpy()
    coded = np.logical_or.reduce([np.zeros(len(pay), dtype=bool), *labelled.values()])
    kinds = {
        **{f"labelled {label}": mask for label, mask in labelled.items()},
        "text": np.isnan(pay) & ~missing,
        "missing": missing & ~coded,
        "infinite": np.isinf(pay),
        "zero": (pay == 0) & (not logs),
        "negative": (pay < 0) & ~np.isinf(pay) & (not logs),
    }
    return {kind: np.flatnonzero(mask) for kind, mask in kinds.items() if mask.any()}
