"""Data frames of any library as one of pandas whose columns are of kinds that the rest knows: once, at the door.

Numbers of another machine's bytes, of more of them than a float or of half precision become plain ones, and so do
sparse columns; objects that are all numbers become numbers; lists and records of Arrow become those of Python, which
keys refuse. All other columns stay as they are, since a column that nobody asks for must not break a call.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from wagegap.errors import DataError
from wagegap.estimation.named import with_index_columns

__all__ = ["as_pandas"]

_NUMBERS: dict[str, Any] = {
    "floating": "Float64", "mixed-integer-float": "Float64", "integer": "Int64", "boolean": "boolean",
    "decimal": "Float64",
}  # fmt: skip
_NATIVE: dict[str, Any] = {"i": np.int64, "u": np.uint64, "f": np.float64}
_BYTES = 8


def as_pandas(data: Any) -> pd.DataFrame:
    """Turn any data frame into pandas: pandas, polars, Arrow, or whatever offers `to_pandas` or an Arrow stream.

    Columns of Python's objects that hold numbers and nothing else become numbers, so that no formula takes them for
    levels of a factor; levels of an index that have names become columns.

    Raises
    ------
    DataError

    Examples
    --------
    >>> as_pandas({"age": pd.Series([30, 41, None], dtype=object)})["age"].dtype
    Int64Dtype()
    """
    try:
        frame = data if isinstance(data, pd.DataFrame) else _converted(data)
    except Exception as error:  # whatever another library raises of its own data
        raise DataError(f"{type(data).__name__} cannot be made a data frame: {error}.") from error
    if isinstance(frame, pd.DataFrame):
        return _with_plain_columns(with_index_columns(frame))
    hint = "; simulate_panel(...).panel is the panel" if hasattr(data, "panel") else ""
    hint = "; give data.collect()" if hasattr(data, "collect") else hint
    raise DataError(
        f"{type(data).__name__} is not a data frame: give pandas, polars or Arrow; read_panel(path) reads a file{hint}."
    )


def _with_plain_columns(frame: pd.DataFrame) -> pd.DataFrame:
    """Columns in kinds that the rest knows; whole numbers stay whole where some are missing."""
    if not frame.columns.is_unique:
        return frame
    objects = [name for name, kind in frame.dtypes.items() if pd.api.types.is_object_dtype(kind)]
    held = {name: pd.api.types.infer_dtype(frame[name], skipna=True) for name in objects}
    typed = {name: _typed(frame[name], _NUMBERS[kind]) for name, kind in held.items() if kind in _NUMBERS}
    typed |= {name: _native(frame[name]) for name, kind in frame.dtypes.items() if _is_foreign(kind)}
    typed |= {name: frame[name].astype(object) for name, kind in frame.dtypes.items() if _is_nested(kind)}
    typed |= {name: _dense(frame[name]) for name, kind in frame.dtypes.items() if isinstance(kind, pd.SparseDtype)}
    changed = frame.copy(deep=False) if typed else frame
    for name, column in typed.items():
        changed[name] = column
    return changed


def _is_foreign(kind: Any) -> bool:
    """Whether numbers have the bytes of another machine, or more of them than a float, or half as many as a single."""
    if not isinstance(kind, np.dtype) or kind.kind not in _NATIVE:
        return False
    return not kind.isnative or kind.itemsize > _BYTES or kind == np.float16


def _native(column: pd.Series[Any]) -> pd.Series[Any]:
    """Foreign numbers as plain ones; a long double beyond a float is infinite, which whoever uses it is told."""
    with np.errstate(over="ignore"):
        return column.astype(_NATIVE[column.dtype.kind])


def _dense(column: pd.Series[Any]) -> pd.Series[Any]:
    """A sparse column as a plain one."""
    return pd.Series(np.asarray(column.array), index=column.index)


def _is_nested(kind: Any) -> bool:
    """Whether Arrow holds lists, records or maps, of which it finds no distinct ones."""
    if not isinstance(kind, pd.ArrowDtype):
        return False
    import pyarrow as pa

    return bool(pa.types.is_nested(kind.pyarrow_dtype))


def _typed(column: pd.Series[Any], kind: Any) -> pd.Series[Any]:
    """A column of objects in the type of what it holds; numbers too large for that stay as they are."""
    try:
        plain = column if column.hasnans else column.infer_objects()
        return plain.astype(kind) if plain.dtype == object else plain  # of Python's decimals it knows no type
    except (OverflowError, TypeError, ValueError):
        return column


def _converted(data: Any) -> Any:
    """What the data offer of themselves: pandas, an Arrow stream, or columns; None where they offer nothing."""
    if isinstance(data, pd.Series | type):
        return None
    if hasattr(data, "to_pandas"):
        return data.to_pandas()
    if hasattr(data, "__arrow_c_stream__"):
        import pyarrow as pa

        return pa.table(data).to_pandas()
    return pd.DataFrame(data) if isinstance(data, dict) else None
