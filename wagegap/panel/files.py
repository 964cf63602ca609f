"""Files of rows: what their names end with says how they are read; value labels and missing codes come along.

Content is held against the name first (`panel.file_contents`), so that no reader is given an address, or what it would
run or unpack without end.
"""

from __future__ import annotations

import os
import re
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias, TypeVar

import numpy as np
import pandas as pd

from wagegap._typing import BoolArray
from wagegap.errors import (
    ColumnError,
    DataError,
    EmptyDataError,
    ExtraMissingError,
    OptionError,
    did_you_mean,
    listing,
)
from wagegap.panel.csv_dialects import CsvDialect, check_names, csv_columns, read_csv
from wagegap.panel.file_contents import check_content, check_path, parquet_columns

__all__ = ["SUFFIXES", "FileOptions", "FileRows", "Wanted", "plain_code", "read_columns", "read_file", "read_rows"]

Wanted: TypeAlias = Callable[[str], bool]
"""Whether to read a column."""
_T = TypeVar("_T")
_FIRST_TAG = 2_147_483_622  # of Stata's .a among the codes of a set of value labels; .b to .z follow


@dataclass(frozen=True, slots=True)
class FileOptions:
    """What has been said of how files are written: the dialect of text, the sheet of a workbook, what holds amounts.

    Columns of `amounts` are numbers cell by cell in text files, where pandas leaves all of a column text for one word.
    """

    csv: CsvDialect = field(default_factory=CsvDialect)
    sheet: str | int | None = None
    amounts: Wanted | None = None


@dataclass(frozen=True, slots=True)
class FileRows:
    """Rows of a file.

    Attributes
    ----------
    frame : DataFrame
        Rows; what the file itself calls missing is missing.
    labels : mapping of column to mapping of code to label
        Value labels.
    missing : mapping of column to mapping of label to mask
        Rows that the file calls missing by a code of their own (user-missing values of SPSS, .a to .z of Stata).
    notes : tuple of str
        What a ledger should say.
    """

    frame: pd.DataFrame
    labels: Mapping[str, Mapping[Any, str]] = field(default_factory=dict)
    missing: Mapping[str, Mapping[str, BoolArray]] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def read_file(path: str, wanted: Wanted | None = None) -> pd.DataFrame:
    """Read a file by what its name ends with: csv, csv.gz, tsv, parquet, dta, sav, xlsx; all columns, or those wanted.

    Codes stay as they are: `read_rows` brings their labels.
    """
    return read_rows(path, wanted).frame


def read_rows(path: str, wanted: Wanted | None = None, options: FileOptions | None = None) -> FileRows:
    """Read a file as `read_file` does, with its value labels and its own missing codes.

    Raises
    ------
    DataError, EmptyDataError, ColumnError, ExtraMissingError, OptionError
    """
    return _opened(
        path, options or FileOptions(), lambda known, suffix, chosen: _READERS[suffix](known, wanted, chosen)
    )


def read_columns(path: str, options: FileOptions | None = None) -> list[str]:
    """Return the names of the columns of a file that `read_rows` reads, without its rows.

    Raises
    ------
    DataError, EmptyDataError, ColumnError, ExtraMissingError, OptionError
    """
    return _opened(path, options or FileOptions(), lambda known, suffix, chosen: _HEADINGS[suffix](known, chosen))


def _opened(path: str, chosen: FileOptions, read: Callable[[str, str, FileOptions], _T]) -> _T:
    """What a reader of a file's kind makes of it, after its content is held against its name."""
    path = check_path(path)
    suffix = next((s for s in sorted(_READERS, key=len, reverse=True) if path.lower().endswith(s)), "")
    if not os.path.exists(path):
        raise DataError(f"no file {path!r}.")
    if not suffix:
        check_content(path, suffix)
        raise DataError(f"{path!r} is no file of a kind that is read. Known: {listing(_READERS)}.")
    if chosen.csv.said and suffix not in _TEXT:
        raise OptionError(
            f"encoding, sep, decimal and thousands are of text files ({listing(_TEXT)}); {path!r} is none."
        )
    if chosen.sheet is not None and suffix != ".xlsx":
        raise OptionError(f"sheet={chosen.sheet!r} is of workbooks (.xlsx); {path!r} is none.")
    try:
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.filterwarnings("ignore", category=RuntimeWarning)  # of numbers that a broken file says it holds
            warnings.filterwarnings("error", category=pd.errors.ParserWarning)  # values would be left out
            check_content(path, suffix)
            return read(path, suffix, chosen)
    except (DataError, ColumnError, OptionError):
        raise
    except pd.errors.EmptyDataError as error:
        raise EmptyDataError(f"{path!r} has no rows.") from error
    except ImportError as error:
        raise ExtraMissingError(f"reading {suffix} needs the extra 'data': pip install 'wagegap[data]'.") from error
    except Exception as error:  # readers of six formats, each with errors of its own
        raise DataError(f"{path!r} cannot be read as {suffix}: {error}") from error


def _read_csv(path: str, wanted: Wanted | None, options: FileOptions) -> FileRows:
    frame, notes = read_csv(path, wanted, options.csv, options.amounts)
    return FileRows(frame, notes=tuple(notes))


def _read_parquet(path: str, wanted: Wanted | None, _: FileOptions) -> FileRows:
    import pyarrow as pa

    columns = parquet_columns(path, wanted)
    with open(path, "rb") as file:
        frame = pd.read_parquet(file, columns=columns)
    for _name, column in frame.items():
        if isinstance(column.dtype, pd.StringDtype | pd.ArrowDtype):
            pa.array(column.array).validate(full=True)  # of bytes that are no text, as long as the file is known
    return FileRows(frame)


def _read_stata(path: str, wanted: Wanted | None, _: FileOptions) -> FileRows:
    with pd.read_stata(path, iterator=True) as reader:
        names = [str(name) for name in reader.variable_labels()]
        sets = reader.value_labels()
        of_column = dict(zip(names, reader._lbllist, strict=True))  # type: ignore[attr-defined]
    columns = list(filter(wanted, names)) if wanted else None
    frame = pd.DataFrame(pd.read_stata(path, columns=columns, convert_categoricals=False))
    labels = {name: sets[of_column[name]] for name in map(str, frame) if of_column[name] in sets}
    tagged = [name for name, codes in labels.items() if max(codes, default=0) >= _FIRST_TAG]
    return FileRows(frame, labels, _stata_missing(path, tagged, labels) if tagged else {})


def _stata_missing(
    path: str, columns: list[str], labels: Mapping[str, Mapping[Any, str]]
) -> dict[str, dict[str, BoolArray]]:
    """Rows of Stata's missing values .a to .z that have a label."""
    frame = pd.read_stata(path, columns=columns, convert_categoricals=False, convert_missing=True)
    found: dict[str, dict[str, BoolArray]] = {}
    for name in columns:
        texts = frame[name].astype(object).map(str)
        for code, label in labels[name].items():
            tag = "." + chr(ord("a") + int(code) - _FIRST_TAG) if code >= _FIRST_TAG else ""
            rows = (texts == tag).to_numpy()
            if tag and rows.any():
                found.setdefault(name, {})[f"{label!r} ({tag})"] = rows
    return found


def _read_spss(path: str, wanted: Wanted | None, _: FileOptions) -> FileRows:
    import pyreadstat

    _ignored, about = pyreadstat.read_sav(path, metadataonly=True)
    columns = list(filter(wanted, about.column_names)) if wanted else None
    frame, about = pyreadstat.read_sav(path, usecols=columns, user_missing=True)
    frame = pd.DataFrame(frame)
    missing: dict[str, dict[str, BoolArray]] = {}
    missing_ranges: Mapping[str, list[dict[str, Any]]] = about.missing_ranges  # type: ignore[assignment]
    for name, ranges in missing_ranges.items():
        labels = about.variable_value_labels.get(name, {})
        column = frame[name]
        ends = [(each["lo"], each["hi"]) for each in ranges]
        rows = np.logical_or.reduce([column == low if low == high else column.between(low, high) for low, high in ends])
        for code in column[rows].unique():
            label = f"{labels[code]!r} ({plain_code(code)})" if code in labels else f"code {plain_code(code)}"
            missing.setdefault(name, {})[label] = (column == code).to_numpy()
        frame = frame.assign(**{name: column.where(~rows)})
    return FileRows(frame, about.variable_value_labels, missing)


def plain_code(code: Any) -> str:
    """Return a code as text, a whole number without a point.

    >>> plain_code(9999997.0), plain_code("KR")
    ('9999997', 'KR')
    """
    if isinstance(code, int | float | np.integer | np.floating) and float(code).is_integer():
        return str(int(code))
    return str(code)


def _read_excel(path: str, wanted: Wanted | None, options: FileOptions) -> FileRows:
    with pd.ExcelFile(path, engine="openpyxl") as book:
        sheets = list(map(str, book.sheet_names))
        sheet = _sheet(path, sheets, options)
        frame = pd.read_excel(book, sheet_name=sheet, usecols=wanted)
        if any(re.fullmatch(r".+\.\d+", str(name)) for name in frame):  # pandas numbers further columns of one name
            first = pd.read_excel(book, sheet_name=sheet, header=None, nrows=1).iloc[0]
            check_names(path, [str(name) for name in first.dropna()])
    others = [name for name in sheets if name != sheet]
    said = f"sheet {sheet!r} is read, the first of {len(sheets)}; others: {listing(others)} (sheet=)"
    return FileRows(frame, notes=(said,) if others and options.sheet is None else ())


def _sheet(path: str, sheets: list[str], options: FileOptions) -> str:
    """The sheet that is read: the first, or the one that was named or numbered."""
    sheet = sheets[0] if options.sheet is None else options.sheet
    if isinstance(sheet, int) and 0 <= sheet < len(sheets):
        sheet = sheets[sheet]
    if sheet not in sheets:
        raise OptionError(
            f"sheet={sheet!r} is no sheet of {path!r}.{did_you_mean(sheet, sheets)} There are: {listing(sheets)}."
        )
    return str(sheet)


# names of columns alone ----------------------------------------------------------------------------------------------


def _stata_columns(path: str, _: FileOptions) -> list[str]:
    with pd.read_stata(path, iterator=True) as reader:
        return [str(name) for name in reader.variable_labels()]


def _spss_columns(path: str, _: FileOptions) -> list[str]:
    import pyreadstat

    _ignored, about = pyreadstat.read_sav(path, metadataonly=True)
    return list(about.column_names)


def _excel_columns(path: str, options: FileOptions) -> list[str]:
    with pd.ExcelFile(path, engine="openpyxl") as book:
        sheet = _sheet(path, list(map(str, book.sheet_names)), options)
        return [str(name) for name in pd.read_excel(book, sheet_name=sheet, nrows=0)]


_TEXT = (".csv", ".csv.gz", ".tsv")
_READERS: dict[str, Callable[[str, Wanted | None, FileOptions], FileRows]] = {
    **dict.fromkeys(_TEXT, _read_csv), ".parquet": _read_parquet, ".dta": _read_stata, ".sav": _read_spss,
    ".xlsx": _read_excel,
}  # fmt: skip

_HEADINGS: dict[str, Callable[[str, FileOptions], list[str]]] = {
    **dict.fromkeys(_TEXT, lambda path, options: csv_columns(path, options.csv)),
    ".parquet": lambda path, _: parquet_columns(path, lambda _: True) or [],
    ".dta": _stata_columns, ".sav": _spss_columns, ".xlsx": _excel_columns,
}  # fmt: skip

SUFFIXES = tuple(_READERS)
"""What the names of files that are read end with."""
