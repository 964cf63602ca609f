"""A case by its number: which door, which form of its call, how it is spoilt; and what became of it.

A number says all: `build(17)` is the same call in every process and on every machine with the same version of the
package, numpy and pandas.
"""

from __future__ import annotations

import contextlib
import io
import os
import pkgutil
import shutil
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np

import wagegap
from fuzzing.calls import Call
from fuzzing.doors import Door, function_doors
from fuzzing.fingerprints import digest, settled_open_files, shared_state
from fuzzing.judge import FAULTS, Verdict, judge_error, judge_result, judge_warnings, numbers_of
from fuzzing.methods import method_doors
from fuzzing.mutations import CANARY, Change, spoil
from fuzzing.readers import reader_doors

__all__ = ["Case", "Outcome", "build", "carry_out", "door_of", "doors", "run", "warm_up"]

SEEDS = 1_000_000
"""Case number = seed * SEEDS + count."""
_OFTEN = {
    "read_panel_of_a_file": 8,
    "read_panel": 8,
    "fit_premiums": 8,
    "fit_link": 6,
    "study": 4,
    "main": 2,
    "table": 6,
}
_TOLERANCE = 1e-6
"""Two carriers are summed in another order, iterations stop at 1e-8 of a standard error: 1e-6 tells neither apart."""


@dataclass(frozen=True)
class Case:
    """A call as it was spoilt."""

    number: int
    door: str
    call: Call
    changes: tuple[Change, ...]

    @property
    def harmless(self) -> bool:
        """Whether every change is one of the carrier alone."""
        return bool(self.changes) and all(change.harmless for change in self.changes)


@dataclass(frozen=True)
class Outcome:
    """What became of a case; what a worker sends back."""

    number: int
    door: str
    kind: str
    where: str = ""
    seconds: float = 0.0


@cache
def doors() -> dict[str, Door]:
    """All doors by name: functions, readers, methods."""
    return function_doors() | reader_doors() | method_doors()


@cache
def _schedule() -> tuple[list[str], Any]:
    """Names of doors and how often each is tried: functions more often than methods, of which there are many."""
    functions, readers = function_doors(), reader_doors()
    names = list(doors())
    weights = [
        _OFTEN.get(name, 1 if "." in name else 4) if name in functions else 1.5 if name in readers else 0.35
        for name in names
    ]
    return names, np.array(weights) / sum(weights)


@cache
def _warm() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        warm_up()


def door_of(number: int) -> str:
    """The door of a case."""
    names, shares = _schedule()
    return str(names[np.random.default_rng([number, 1]).choice(len(names), p=shares)])


def build(number: int, *, spoilt: bool = True) -> Case:
    """Make the call of a case, in a folder that may be written to; `spoilt=False` gives the valid call it came from."""
    name = door_of(number)
    call = doors()[name](np.random.default_rng([number, 2]))
    changes = spoil(np.random.default_rng([number, 3]), call) if spoilt else []
    return Case(number, name, call, tuple(changes))


@contextlib.contextmanager
def _folder(name: str) -> Iterator[None]:
    """An empty folder below the present one."""
    here, path = Path.cwd(), Path(name).absolute()
    shutil.rmtree(path, ignore_errors=True)
    path.mkdir()
    os.chdir(path)
    try:
        yield
    finally:
        os.chdir(here)
        shutil.rmtree(path, ignore_errors=True)


def run(number: int) -> Outcome:
    """Carry out a case and judge what comes back."""
    _warm()
    with _folder("case"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            case = build(number)
        except Exception as error:
            return Outcome(number, door_of(number), "harness", f"{type(error).__name__}: {error}")
        verdict, numbers = carry_out(case.call)
    plt.close("all")
    if verdict.kind == "right" and case.harmless and numbers is not None:
        verdict = _compare(number, numbers) or verdict
    return Outcome(number, case.door, verdict.kind, verdict.where)


def _compare(number: int, numbers: Any) -> Verdict | None:
    """Hold the numbers of another carrier against those of the plain call."""
    with _folder("case"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        plain, expected = carry_out(build(number, spoilt=False).call)
    plt.close("all")
    if plain.kind != "right" or expected is None:
        return None
    if numbers.shape == expected.shape and np.allclose(numbers, expected, rtol=_TOLERANCE, atol=1e-9, equal_nan=True):
        return None
    return Verdict("nonsense", "another result from another carrier of the same data")


def carry_out(call: Call) -> tuple[Verdict, Any]:
    """Make a call; return what became of it, and the numbers of its result."""
    inputs = [call.args, call.kwargs, call.subject]
    before, state = digest(inputs), shared_state()
    result = None
    with _quietly() as caught:
        try:
            result = call()
            _show(result)
            verdict = Verdict("right")
        except BaseException as error:
            if isinstance(error, KeyboardInterrupt):
                raise
            verdict = judge_error(error, _qualified(call))
            error.__traceback__ = None
    after = shared_state()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        changed = "an input" if digest(inputs) != before else _changed(call, state, after)
        if verdict.kind not in FAULTS:
            verdict = judge_warnings(caught) or verdict
        if verdict.kind == "right":
            given = [value for _, value in call.items()] + [call.subject]
            verdict = judge_result(result, given, bool(caught)) or verdict
        numbers = numbers_of(result) if verdict.kind == "right" else None
    return (Verdict("changed", f"{call.name}: {changed}") if changed else verdict), numbers


def _qualified(call: Call) -> str:
    return f"call of {getattr(call.target, '__qualname__', call.name)}()"


def _show(result: Any) -> None:
    """Print a result in the ways of a session."""
    str(result)
    for name in ("_repr_html_", "summary", "in_words"):
        method = getattr(result, name, None)
        if callable(method) and type(result).__module__.startswith("wagegap"):
            method()


@contextlib.contextmanager
def _quietly() -> Iterator[list[warnings.WarningMessage]]:
    """Catch what is warned of, and what is printed."""
    with (
        warnings.catch_warnings(record=True) as caught,
        contextlib.redirect_stdout(io.StringIO()),
        contextlib.redirect_stderr(io.StringIO()),
    ):
        warnings.simplefilter("always")
        yield caught


def _changed(call: Call, before: dict[str, Any], after: dict[str, Any]) -> str:
    """Say what that others share is not as it was, or nothing."""
    after = after | {"open files": settled_open_files(before["open files"])}
    new = sorted(set(after["files in the folder"]) - set(before["files in the folder"]))
    if CANARY in new:
        return f"its text was run: {CANARY} appeared"
    if call.writes:
        after["files in the folder"] = before["files in the folder"]
    changed = [name for name, value in before.items() if after[name] != value]
    return ", ".join(changed) + (f" ({new[0]})" if changed and new else "")


def warm_up() -> None:
    """Load what is loaded on first use, and estimate what has methods: both settle what others share."""
    for name in (
        "pickletools",
        "pyarrow.parquet",
        "openpyxl",
        "pyreadstat",
        "polars",
        "pooch",
        "requests",
        "pyfixest",
        "matplotlib.pyplot",
    ):
        with contextlib.suppress(ImportError):
            import_module(name)
    for module in pkgutil.walk_packages(wagegap.__path__, "wagegap."):
        if not module.name.endswith("__main__"):
            import_module(module.name)
    _schedule()
