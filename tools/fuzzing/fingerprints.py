"""What a call was given, and what everybody shares, as digests: equal before and after, or something was changed."""

from __future__ import annotations

import contextlib
import dataclasses
import gc
import hashlib
import os
import random
import sys
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd

__all__ = ["digest", "shared_state"]


def digest(value: Any) -> str:
    """Return a digest of a value and of all that is in it."""
    running = hashlib.blake2b(digest_size=16)
    _feed(running, value, 0)
    return running.hexdigest()


def _feed(running: Any, value: Any, depth: int) -> None:
    running.update(type(value).__qualname__.encode())
    if depth > 30:
        return
    if isinstance(value, np.ndarray):
        _feed_array(running, value, depth)
    elif isinstance(value, pd.DataFrame):
        _feed_frame(running, value, depth)
    elif isinstance(value, pd.Series | pd.Index):
        _feed(running, [str(value.dtype), str(value.name), _plain(value)], depth + 1)
    elif (parts := _parts(value)) is not None:
        for one in parts:
            _feed(running, one, depth + 1)
    elif isinstance(value, Path) and value.is_file():
        running.update(value.read_bytes())
    else:
        _feed_other(running, value, depth)


def _parts(value: Any) -> list[Any] | None:
    """What a container holds, in its order; None of what is none."""
    if isinstance(value, Mapping):
        return [one for item in value.items() for one in item]
    if isinstance(value, list | tuple):
        return list(value)
    if isinstance(value, set | frozenset):
        return sorted(map(repr, value))
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return [getattr(value, one.name, None) for one in dataclasses.fields(value)]
    return None


def _feed_array(running: Any, value: Any, depth: int) -> None:
    running.update(f"{value.dtype}{value.shape}".encode())
    if value.dtype == object:
        for one in value.ravel():
            _feed(running, one, depth + 1)
    else:
        running.update(np.ascontiguousarray(value).tobytes())


def _feed_frame(running: Any, value: pd.DataFrame, depth: int) -> None:
    _feed(running, [list(map(repr, value.columns)), list(value.columns.names), value.index, value.attrs], depth + 1)
    for place in range(value.shape[1]):
        _feed(running, value.iloc[:, place], depth + 1)


def _plain(value: Any) -> Any:
    """Values of a column without copies of what numpy can hold."""
    if isinstance(value.dtype, np.dtype):
        return value.to_numpy()
    return np.asarray(value.astype(object), dtype=object)


def _feed_other(running: Any, value: Any, depth: int) -> None:
    if hasattr(value, "to_pandas") and hasattr(value, "schema"):  # polars and pyarrow
        _feed(running, value.to_pandas(), depth + 1)
    elif isinstance(value, np.random.Generator):
        running.update(repr(value.bit_generator.state).encode())
    elif callable(value) or not type(value).__module__.startswith(
        ("builtins", "numpy", "pandas", "decimal", "fractions", "scipy")
    ):
        running.update(str(id(value)).encode())
    elif hasattr(value, "__next__"):
        return  # to be used up is what it is for
    elif hasattr(value, "indptr"):  # a sparse array
        _feed(running, [value.data, value.indices, value.indptr], depth + 1)
    else:
        running.update(repr(value).encode("utf-8", "replace"))


def shared_state() -> dict[str, Any]:
    """Return what a call must leave as it was, by name."""
    return {
        "numpy's handling of errors": np.geterr(),
        "numpy's printing": repr(np.get_printoptions()),
        "pandas' options": repr(object.__getattribute__(pd.options, "d")),
        "matplotlib's settings": repr(sorted((key, repr(value)) for key, value in mpl.rcParams.items())),
        "matplotlib's backend": mpl.rcParams._get("backend") if hasattr(mpl.rcParams, "_get") else "",
        "filters of warnings": repr(warnings.filters),
        "random numbers of numpy": digest(np.random.get_state()[1]),  # noqa: NPY002 (whether anything draws from it)
        "random numbers": hash(random.getstate()),
        "folder": os.getcwd(),
        "environment": dict(os.environ),
        "limit of recursion": sys.getrecursionlimit(),
        "search path": list(sys.path),
        "files in the folder": _files(),
        "open files": _open_files(),
    }


def _files() -> dict[str, int]:
    return {str(path): path.stat().st_size if path.is_file() else -1 for path in sorted(Path().rglob("*"))}


def _open_files() -> list[str]:
    """Files that are open, but for fonts, which matplotlib keeps at hand."""
    folder = Path("/proc/self/fd")
    names = []
    for entry in folder.iterdir() if folder.is_dir() else ():
        with contextlib.suppress(OSError):  # the one that lists the folder is closed by now
            names.append(str(entry.readlink()))
    return sorted(name for name in names if name.startswith("/") and not name.endswith((".ttf", ".otf", ".afm", "/fd")))


def settled_open_files(before: list[str]) -> list[str]:
    """Return which files are open, once what nobody holds any more is gone."""
    names = _open_files()
    if names != before:
        gc.collect()
        names = _open_files()
    return names
