"""What came back from a call, and whether it may.

A case is one of

typed      one of the package's own errors, in at most 600 characters
right      a result that says nothing absurd
untyped    any other exception, or the end of the process
hung       more seconds of processor time than a case has
changed    an input, a setting that others share, a file or the folder is not as it was
nonsense   a result, or a message, that misleads without a word

Nonsense is one of

- an estimate, or an error beside which no p-value stands, that is NaN or infinite, and no warning of the package, no
  note and no word of the printed result says so, and no input held an unknown error (a missing or infinite standard
  error or variance in what the call was given);
- a p-value outside [0, 1], a negative standard error, a covariance with an eigenvalue below -1e-8 of the largest, a
  lower bound of an interval above the upper;
- an estimate larger in size than the largest ratio of any two numbers of the input times 1e8;
- a warning that is not the package's own (of numpy, pandas, Python), but for a name that goes with the next version, or
  more than twenty warnings;
- a message of more than 600 characters;
- another result than without the change, where the same data came in another carrier (relative difference above 1e-6).
"""

from __future__ import annotations

import re
import traceback
import warnings
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import wagegap
from wagegap.errors import WagegapError, WagegapWarning

__all__ = ["CLASSES", "FAULTS", "Verdict", "judge_error", "judge_result", "judge_warnings", "numbers_of", "place_of"]

CLASSES = ("typed", "right", "untyped", "hung", "changed", "nonsense", "harness")
FAULTS = ("untyped", "hung", "changed", "nonsense", "harness")
LONGEST = 600
_PACKAGE = str(Path(wagegap.__file__).parent)
_SAID = re.compile(
    r"unknown|not known|undefined|not defined|cannot|no standard error|no error|too few|not identified|"
    r"not settled|no single slope|not estimat|left out|nan|infinite|no interval|no p-value|boundary|not available|"
    r"missing",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Verdict:
    """A class, and the place or reason in one line."""

    kind: str
    where: str = ""


def place_of(error: BaseException, name: str = "the call") -> str:
    """Return the innermost line of the package in a traceback, or the name of the call, and the error."""
    frames = traceback.extract_tb(error.__traceback__)
    inside = [frame for frame in frames if frame.filename.startswith(_PACKAGE)]
    where = f"{_short(inside[-1].filename)}:{inside[-1].lineno}:{inside[-1].name}" if inside else name
    return f"{where} | {type(error).__name__}: {_one_line(error)}"


def _short(path: str) -> str:
    return path.removeprefix(_PACKAGE).lstrip("/\\")


def _one_line(error: BaseException, limit: int = 150) -> str:
    try:
        text = " ".join(str(error).split())
    except Exception as second:
        text = f"(whose message gives {type(second).__name__})"
    return text[:limit]


def judge_error(error: BaseException, name: str = "the call") -> Verdict:
    """Say what an exception is; `name` of the call stands for the place where no line of the package was reached."""
    if isinstance(error, SystemExit) and error.code in (0, 2, None):
        return Verdict("typed", "the command's own exit")
    if not isinstance(error, WagegapError):
        return Verdict("untyped", place_of(error, name))
    if len(str(error)) > LONGEST:
        return Verdict("nonsense", f"message of more than {LONGEST} characters: {place_of(error)}")
    return Verdict("typed", type(error).__name__)


def judge_warnings(caught: Iterable[warnings.WarningMessage]) -> Verdict | None:
    """Say what is wrong with the warnings of a call, or nothing."""
    caught = list(caught)
    for one in caught:
        place = f"{_short(one.filename)}:{one.lineno}"
        text = " ".join(str(one.message).split())
        renamed = issubclass(one.category, FutureWarning) and text.startswith("wagegap.")
        if not issubclass(one.category, WagegapWarning) and not renamed:
            return Verdict("nonsense", f"{place} | foreign warning {one.category.__name__}: {text[:110]}")
        if len(text) > LONGEST:
            return Verdict("nonsense", f"{place} | warning of more than {LONGEST} characters: {text[:80]}")
    if len(caught) > 20:
        return Verdict("nonsense", f"more than twenty warnings, first: {str(caught[0].message)[:80]}")
    return None


def judge_result(result: Any, given: Iterable[Any], warned: bool) -> Verdict | None:
    """Say what is wrong with a result, or nothing."""
    given = list(given)
    tidy = _tidy(result)
    if tidy is None:
        return None
    return (
        _judge_numbers(tidy, result, given, warned)
        or _judge_bounds(tidy)
        or _judge_covariance(result)
        or _judge_size(tidy, given)
    )


def _tidy(result: Any) -> pd.DataFrame | None:
    """The table of a result; of a table of numbers itself, where it is one."""
    frame = result.tidy() if callable(getattr(result, "tidy", None)) else result
    return frame if isinstance(frame, pd.DataFrame) and {"estimate", "std_error"} & set(frame.columns) else None


def _judge_numbers(tidy: pd.DataFrame, result: Any, given: list[Any], warned: bool) -> Verdict | None:
    for name in ("estimate", "std_error"):
        if name not in tidy:
            continue
        values = _floats(tidy[name])
        bad = ~np.isfinite(values)
        if name == "std_error" and "p_value" in tidy:  # a test by orders or draws needs no error
            bad &= np.isinf(values) | ~np.isfinite(_floats(tidy["p_value"]))
        if bad.any() and not (warned or _says(result) or any(map(_holds_unknown, given))):
            return Verdict("nonsense", f"{type(result).__name__}: {name} unknown without a word")
    return None


def _floats(column: Any) -> Any:
    """A column as numbers, NaN where it holds none."""
    return pd.to_numeric(column, errors="coerce").to_numpy(dtype=float, na_value=np.nan)


def _says(result: Any) -> bool:
    """Whether the result tells of something unknown, in its notes or as it is printed."""
    notes = [str(note) for note in getattr(result, "notes", ())]
    printed = "" if isinstance(result, pd.DataFrame) else str(result)
    if callable(getattr(result, "summary", None)):
        printed += str(result.summary())
    return any(_SAID.search(text) for text in (*notes, printed))


def _holds_unknown(value: Any) -> bool:
    """Whether an input has an unknown error: of estimates, or a missing or infinite number where errors stand."""
    if hasattr(value, "bse"):
        return not bool(np.isfinite(np.asarray(value.bse, dtype=float)).all())
    if isinstance(value, pd.DataFrame):
        return any(
            _unknown_column(value, name) for name in value.columns if isinstance(name, str) and "se" in name.split("_")
        )
    if isinstance(value, np.ndarray) and value.ndim == 2 and value.dtype.kind == "f":
        return not bool(np.isfinite(value).all())
    return False


def _unknown_column(frame: pd.DataFrame, name: str) -> bool:
    column = frame[name] if frame.columns.is_unique else None
    if column is None or isinstance(column, pd.DataFrame):
        return True
    numbers = _floats(column)
    return not bool(np.isfinite(numbers).all()) or bool((np.abs(numbers) > 1e150).any())


def _judge_bounds(tidy: pd.DataFrame) -> Verdict | None:
    numbers = {name: _floats(tidy[name]) for name in tidy if name in ("p_value", "std_error", "conf_low", "conf_high")}
    p = numbers.get("p_value")
    if p is not None and ((p < 0) | (p > 1)).any():
        return Verdict("nonsense", f"a p-value of {p[(p < 0) | (p > 1)][0]:g}")
    if "std_error" in numbers and (numbers["std_error"] < 0).any():
        return Verdict("nonsense", "a negative standard error")
    if {"conf_low", "conf_high"} <= set(numbers) and (numbers["conf_low"] > numbers["conf_high"]).any():
        return Verdict("nonsense", "an interval whose ends are exchanged")
    return None


def _judge_covariance(result: Any) -> Verdict | None:
    if not callable(getattr(result, "cov_params", None)):
        return None
    matrix = np.asarray(result.cov_params(), dtype=float)
    known = np.isfinite(np.diag(matrix))
    matrix = matrix[np.ix_(known, known)]
    if not matrix.size or not np.isfinite(matrix).all() or np.abs(matrix).max() > 1e150:
        return None
    scale = np.sqrt(np.where(np.diag(matrix) > 0, np.diag(matrix), 1.0))
    lowest = np.linalg.eigvalsh((matrix + matrix.T) / 2 / np.outer(scale, scale))
    if lowest[0] < -1e-6 * max(1.0, lowest[-1]):
        return Verdict("nonsense", f"{type(result).__name__}: a covariance with an eigenvalue of {lowest[0]:.1e}")
    return None


def _judge_size(tidy: pd.DataFrame, given: list[Any]) -> Verdict | None:
    if "estimate" not in tidy:
        return None
    estimates = np.abs(_floats(tidy["estimate"]))
    largest = np.nanmax(estimates, initial=0.0)
    if np.isfinite(largest) and largest > 1e8 and np.log10(largest) > 8 + _orders(given):
        return Verdict("nonsense", f"an estimate of {largest:.1e}")
    return None


def _orders(given: list[Any]) -> float:
    """Orders of magnitude between the largest and the smallest number of the inputs."""
    logs = [0.0]
    for value in given:
        if isinstance(value, pd.DataFrame):
            for place in range(value.shape[1]):
                logs += _logs(value.iloc[:, place])
        elif isinstance(value, np.ndarray | pd.Series | int | float):
            logs += _logs(pd.Series(np.ravel(value)))
    return max(logs) - min(logs)


def _logs(column: Any) -> list[float]:
    """Logarithms of the largest number and of the smallest step of a column, dates as pandas counts them."""
    if str(column.dtype).startswith(("datetime", "timedelta", "period")):
        return [18.0]
    values = pd.to_numeric(column, errors="coerce")
    try:
        numbers = np.abs(values.to_numpy(dtype=float, na_value=np.nan))
    except (TypeError, ValueError):
        return []
    numbers = numbers[np.isfinite(numbers) & (numbers > 0)]
    if not len(numbers):
        return []
    spread = float(np.ptp(numbers)) or float(numbers.max())
    return [float(np.log10(numbers.max())), float(np.log10(numbers.min())), float(np.log10(spread))]


def numbers_of(result: Any) -> Any:
    """Estimates and errors of a result, sorted, to compare with another; None where it has none."""
    tidy = _tidy(result)
    if tidy is None:
        return None
    columns = [name for name in ("estimate", "std_error") if name in tidy]
    values = tidy[columns].apply(pd.to_numeric, errors="coerce").to_numpy(dtype=float, na_value=np.nan)
    return np.sort(values, axis=0)
