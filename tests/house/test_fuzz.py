"""The fuzzer: every public name has a valid call in it, it finds what is planted, and finds nothing here.

A bounded run stands here; the full one is `python tools/fuzz.py --count 10000 --jobs 2`, whose figures are in
docs/safety.md.
"""

from __future__ import annotations

import inspect
import os
import random
import sys
import types
import warnings
from collections import Counter
from pathlib import Path

import matplotlib
import numpy as np
import pandas as pd
import pytest

import wagegap as wg
from wagegap.errors import DataError, DataWarning

matplotlib.use("Agg")
TOOLS = Path(__file__).resolve().parents[2] / "tools"
sys.path.insert(0, str(TOOLS))

from fuzzing import methods  # noqa: E402
from fuzzing.calls import Call  # noqa: E402
from fuzzing.cases import SEEDS, Case, Outcome, build, carry_out, doors, run, warm_up  # noqa: E402
from fuzzing.doors import function_doors  # noqa: E402
from fuzzing.judge import FAULTS  # noqa: E402
from fuzzing.mutations import CANARY, Change  # noqa: E402
from fuzzing.workers import carry_out_all  # noqa: E402

SEVERAL_FORMS = 4
"""Forms of a function's call that are tried; the bounded run tries others."""


@pytest.fixture(autouse=True)
def in_a_folder(tmp_path, monkeypatch):
    """Doors write the files that they read."""
    monkeypatch.chdir(tmp_path)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        warm_up()


def public_names():
    """Functions and classes that users call, by the name of their door."""
    for where, module in {"": wg, "cov.": wg.cov, "datasets.": wg.datasets, "figures.": wg.figures}.items():
        for name in module.__all__:
            one = getattr(module, name)
            if not isinstance(one, types.ModuleType | types.UnionType):
                yield f"{where}{name}", one


def test_every_public_name_has_a_valid_call():
    classes = {"Panel": "panel", "Estimates": "estimates"}
    there = set(doors()) | {
        name for name, one in classes.items() if f"{one}.tidy" in doors() or f"{one}.filter" in doors()
    }
    assert [name for name, _ in public_names() if name not in there] == []


def test_every_method_of_every_result_has_a_valid_call():
    assert methods.without_call() == []
    known = {kind.__name__ for kind in methods.result_classes()}
    results = [kind for kind in everything_below(wg.estimation.result.Result) if not inspect.isabstract(kind)]
    bases = {"FittedLink", "SettlingResult", "Result"}
    assert sorted({kind.__name__ for kind in results} - known - bases) == []


def everything_below(kind):
    """Subclasses of a class, at any depth."""
    return [one for below in kind.__subclasses__() for one in (below, *everything_below(below))]


@pytest.mark.parametrize("door", sorted(function_doors()))
def test_calls_of_functions_are_valid_as_long_as_nothing_is_spoilt(door):
    for form in range(SEVERAL_FORMS):
        call = doors()[door](np.random.default_rng(form))
        verdict, _ = carry_out(call)
        right = ("typed", "DownloadError") if door == "datasets.download" else ("right", "")
        assert (verdict.kind, verdict.where) == right, str(call)


def test_calls_of_methods_and_readers_are_valid_as_long_as_nothing_is_spoilt():
    wrong = {}
    for door in sorted(set(doors()) - set(function_doors())):
        call = doors()[door](np.random.default_rng(0))
        verdict, _ = carry_out(call)
        if verdict.kind != "right":
            wrong[str(call)] = verdict
    assert wrong == {}


# what is planted is found --------------------------------------------------------------------------------------------


def judged(target, *args, **kwargs):
    """What a call of a planted function is."""
    verdict, _ = carry_out(Call("planted", target, list(args), kwargs))
    return verdict.kind, verdict.where


def test_errors_of_the_package_are_typed_and_others_are_not():
    def typed():
        raise DataError("the data are wrong")

    def untyped():
        raise KeyError("iso3")

    assert judged(typed) == ("typed", "DataError")
    kind, where = judged(untyped)
    assert kind == "untyped"
    assert "KeyError: 'iso3'" in where


def test_the_place_of_an_untyped_error_is_the_innermost_line_of_the_package(monkeypatch):
    monkeypatch.setattr("wagegap.panel.events.check_keys", lambda *args: {}["nothing"], raising=False)
    kind, where = judged(wg.errors.listing, 3)
    assert kind == "untyped"
    assert where.startswith("errors.py:")
    assert ":listing | TypeError" in where


def test_a_changed_input_is_found_wherever_it_is():
    frame = pd.DataFrame({"a": [1.0, 2.0], "b": [["deep"], []]})

    def changes_a_value(data):
        data.iloc[0, 0] = 3.0

    def changes_what_is_within(data):
        data["b"].iloc[0].append("more")

    def changes_attributes(data):
        data.attrs["seen"] = True

    for planted in (changes_a_value, changes_what_is_within, changes_attributes):
        assert judged(planted, frame.copy())[0] == "changed", planted.__name__
    assert judged(lambda given: given["x"].append(1), {"x": []})[0] == "changed"
    assert judged(lambda data: data.sum(), frame[["a"]])[0] == "right"


@pytest.mark.parametrize(
    ("planted", "name"),
    [
        (lambda: np.seterr(all="raise"), "numpy's handling of errors"),
        (lambda: pd.set_option("display.precision", 3), "pandas' options"),
        (lambda: matplotlib.rcParams.update({"font.size": 3}), "matplotlib's settings"),
        (lambda: random.seed(3), "random numbers"),
        (lambda: os.environ.update(PLANTED="1"), "environment"),
        (lambda: os.chdir(".."), "folder"),
        (lambda: Path("stray").write_text("x"), "files in the folder (stray)"),
        (lambda: Path(CANARY).write_text("x"), f"its text was run: {CANARY} appeared"),
        (lambda: sys.setrecursionlimit(sys.getrecursionlimit() + 1), "limit of recursion"),
        (lambda: KEPT_OPEN.append(Path(__file__).open()), "open files"),  # noqa: SIM115 (left open on purpose)
    ],
)
def test_a_change_of_what_others_share_is_found(planted, name, tmp_path):
    old = np.geterr(), pd.get_option("display.precision"), matplotlib.rcParams.copy(), sys.getrecursionlimit()
    try:
        kind, where = judged(planted)
        assert kind == "changed"
        assert name in where
    finally:
        np.seterr(**old[0])
        pd.set_option("display.precision", old[1])
        matplotlib.rcParams.update(old[2])
        sys.setrecursionlimit(old[3])
        os.environ.pop("PLANTED", None)
        os.chdir(tmp_path)
        while KEPT_OPEN:
            KEPT_OPEN.pop().close()


KEPT_OPEN = []


def tidy(**columns):
    return pd.DataFrame(
        {"estimate": [0.1], "std_error": [0.1], "p_value": [0.3], "conf_low": [0.0], "conf_high": [0.2], **columns}
    )


@pytest.mark.parametrize(
    ("columns", "reason"),
    [
        ({"estimate": [np.nan]}, "estimate unknown without a word"),
        ({"std_error": [np.inf]}, "std_error unknown without a word"),
        ({"std_error": [-1.0]}, "a negative standard error"),
        ({"p_value": [1.5]}, "a p-value of 1.5"),
        ({"conf_low": [3.0]}, "an interval whose ends are exchanged"),
        ({"estimate": [1e30]}, "an estimate of 1.0e+30"),
    ],
)
def test_silent_nonsense_is_found(columns, reason):
    kind, where = judged(lambda: tidy(**columns))
    assert kind == "nonsense"
    assert reason in where
    assert judged(tidy) == ("right", "")


def test_what_is_unknown_and_said_to_be_is_no_nonsense():
    def unknown():
        return tidy(std_error=[np.nan], p_value=[np.nan])

    def warned():
        wg.errors.warn("the error is unknown", DataWarning)
        return unknown()

    assert judged(warned)[0] == "right"
    table = pd.DataFrame({"iso3": ["KOR"], "b": [0.1], "se": [np.nan]})
    assert judged(lambda data: unknown(), table)[0] == "right"
    assert judged(lambda data: unknown(), table.assign(se=0.1))[0] == "nonsense"


def test_a_covariance_that_is_none_is_found():
    class Planted:
        def tidy(self):
            return tidy()

        def cov_params(self):
            return np.array([[1.0, 2.0], [2.0, 1.0]])

    kind, where = judged(Planted)
    assert (kind, "eigenvalue" in where) == ("nonsense", True)


def test_foreign_warnings_floods_and_long_messages_are_found():
    def foreign():
        np.log(np.array([-1.0]))

    def flood():
        for _ in range(30):
            wg.errors.warn("again", DataWarning)

    class LongError(DataError):
        """Errors of the package shorten themselves; this one does not."""

        def __str__(self):
            return "y" * 700

    def long_error():
        raise LongError

    def long_warning():
        wg.errors.warn("y" * 700, DataWarning)

    for planted in (foreign, flood, long_error, long_warning):
        assert judged(planted)[0] == "nonsense", planted.__name__


@pytest.mark.parametrize(("moved", "kind"), [(1e-3, "nonsense"), (1e-9, "right")])
def test_another_result_from_another_carrier_is_found(moved, kind, monkeypatch):
    def planted(number, *, spoilt=True):
        call = Call("planted", lambda: tidy(estimate=[0.1 + moved * spoilt]))
        return Case(number, "planted", call, (Change("another carrier", harmless=True),) if spoilt else ())

    monkeypatch.setattr("fuzzing.cases.build", planted)
    outcome = run(1)
    assert outcome.kind == kind, outcome.where
    assert ("another result" in outcome.where) == (kind == "nonsense")


PLANTED = """
import ctypes, os, time

def run(number):
    if number == 1:
        while True:
            pass
    if number == 2:
        os.kill(os.getpid(), 9)
    if number == 3:
        list(range(10**12))
    return ("done", number)
"""


def test_a_case_that_hangs_or_ends_its_process_costs_itself_alone(tmp_path, monkeypatch):
    (tmp_path / "planted.py").write_text(PLANTED)
    monkeypatch.syspath_prepend(str(tmp_path))
    found = {number: outcome for number, outcome, _ in carry_out_all(range(5), limit=1, runner="planted:run")}
    assert found[0] == ("done", 0)
    assert found[1] == "hung"
    assert found[2] == "the process died: SIGKILL"
    assert found[4] == ("done", 4)


def test_a_case_is_the_same_each_time():
    for number in range(SEEDS, SEEDS + 40):
        first, second = build(number), build(number)
        assert str(first.call) == str(second.call)
        assert first.changes == second.changes


# and nothing is found ------------------------------------------------------------------------------------------------


def test_a_bounded_run_finds_nothing():
    found = Counter()
    places = []
    for number, outcome, _ in carry_out_all(range(SEEDS, SEEDS + 300)):
        kind = outcome.kind if isinstance(outcome, Outcome) else "hung" if outcome == "hung" else "untyped"
        found[kind] += 1
        if kind in FAULTS:
            places.append(f"{number}: {getattr(outcome, 'where', outcome)}")
    assert places == []
    assert sum(found.values()) == 300
    assert min(found["typed"], found["right"]) > 60
