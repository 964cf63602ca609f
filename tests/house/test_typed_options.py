"""Arguments of the wrong kind: every public call answers with one typed error of readable length, whatever it is given.

The first part counts: every public name and every public method of what they return passes through the door that reads
annotations. The second gives every parameter of every one of them values of some thirty kinds. A value of a kind that
the annotation does not name must be refused; one that it names may also be right.
"""

from __future__ import annotations

import functools
import inspect
import os
import typing
import warnings
from pathlib import Path

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

import wagegap as wg
from wagegap._arguments import _evaluated, _refusal
from wagegap.errors import WagegapError
from wagegap.regression.gravity.grogger_hanson import simulate_migrants

IN_FULL = pytest.mark.skipif(not os.environ.get("WAGEGAP_FULL"), reason="many minutes: tools/full_gate runs it")

matplotlib.use("Agg")

LONGEST = 650
"""A message: the 600 characters at which it is cut, and what an error adds."""


# what users call ---------------------------------------------------------------------------------------------------

ROOMS = (wg, wg.cov, wg.datasets, wg.figures)
MADE_INSIDE = {
    "wagegap.estimation.covariance.sources": "roots of errors: made by fits, read by covariances",
    "wagegap.estimation.covariance.groupings": "groupings of rows: made by a panel, read by covariances",
    "wagegap.estimation.covariance.replication": "weights of replicates: made by options, read by fits",
    "wagegap.estimation.ledger": "the account of a sample: written by fits",
    "wagegap.regression.link.cells": "cells of a link: made by the link",
    "wagegap.regression.link.problem": "arrays of a link: made by the link",
    "wagegap._display.spec": "a table for renderers",
}
"""Modules whose classes stand in attributes of results and that no user calls, and why."""


def classes_of(annotation):
    """Classes of the package that a type names."""
    if inspect.isclass(annotation) and typing.get_origin(annotation) is None:
        return [annotation] if annotation.__module__.startswith("wagegap") else []
    return [one for part in typing.get_args(annotation) for one in classes_of(part)]


def returned(function):
    """Classes of the package that a function returns."""
    plain = inspect.unwrap(function)
    return classes_of(_evaluated(plain.__annotations__.get("return", inspect.Parameter.empty), plain.__globals__))


def methods_of(cls):
    """Public methods of a class by name, and getters of its public attributes beside them."""
    named = {name: inspect.getattr_static(cls, name) for name in dir(cls) if not name.startswith("_")}
    plain = {name: getattr(one, "__func__", one) for name, one in named.items()}
    called = {name: one for name, one in plain.items() if inspect.isfunction(one)}
    return called, [one.fget for one in named.values() if isinstance(one, property)]


def public_functions():
    """Public functions by name."""
    rooms = {room: room.__name__.rpartition(".")[2] for room in ROOMS}
    return {
        f"{rooms[room]}.{name}": getattr(room, name)
        for room in ROOMS
        for name in room.__all__
        if inspect.isfunction(getattr(room, name))
    }


def public_classes():
    """Classes that users make or are given: named by a room, or returned by what they call, and those made of them."""
    named = [getattr(room, name) for room in ROOMS for name in room.__all__]
    waiting = [one for one in named if inspect.isclass(one)]
    waiting += [cls for function in public_functions().values() for cls in returned(function)]
    found = {}
    while waiting:
        cls = waiting.pop()
        if cls in found or cls.__module__ in MADE_INSIDE:
            continue
        found[cls] = None
        called, getters = methods_of(cls)
        waiting += [*cls.__subclasses__(), *(one for each in [*called.values(), *getters] for one in returned(each))]
    return sorted(found, key=lambda cls: cls.__qualname__)


def constructors():
    """Classes that a room names: users make them."""
    return {getattr(room, name) for room in ROOMS for name in room.__all__ if inspect.isclass(getattr(room, name))}


@pytest.mark.parametrize("name", public_functions())
def test_every_public_function_passes_the_door(name):
    assert hasattr(public_functions()[name], "__takes__")


@pytest.mark.parametrize("cls", public_classes(), ids=lambda cls: cls.__qualname__)
def test_every_public_method_passes_the_door(cls):
    called, _ = methods_of(cls)
    assert [name for name, one in called.items() if not hasattr(one, "__takes__")] == []
    assert cls not in constructors() or hasattr(cls.__init__, "__takes__")


def test_an_exception_that_is_none_is_struck_off():
    assert len(public_classes()) > 30
    assert not {cls.__module__ for cls in constructors()} & set(MADE_INSIDE)


# a valid call of each ----------------------------------------------------------------------------------------------


@functools.cache
def workers():
    """A hundred and twenty workers of three countries over two years."""
    rng = np.random.default_rng(0)
    n = 120
    frame = pd.DataFrame(
        {
            "pid": np.arange(n) // 2, "iso3": np.repeat(["FRA", "KOR", "USA"], n // 3), "year": 2019 + np.arange(n) % 2,
            "ai": rng.integers(2, size=n), "exper": rng.integers(1, 30, size=n) * 1.0, "z": rng.normal(size=n),
            "psu": rng.integers(10, size=n), "w": rng.random(n) + 0.5, "leaves": rng.integers(2, size=n),
            "female": rng.integers(2, size=n), "field": rng.choice(["cs", "law"], n),
            "next_field": rng.choice(["cs", "law"], n), "works": rng.integers(2, size=n),
        }
    )  # fmt: skip
    frame["pay"] = np.exp(2 + 0.2 * frame["ai"] + 0.01 * frame["exper"] + 0.4 * rng.normal(size=n))
    return frame.assign(paid=frame["pay"].where(frame["works"] == 1))


@functools.cache
def sets():
    """Forty choosers of three places."""
    rng = np.random.default_rng(3)
    frame = pd.MultiIndex.from_product([range(40), ["us", "kr", "de"]], names=["who", "place"]).to_frame(index=False)
    return frame.assign(pay=rng.normal(size=120), took=np.tile([1, 0, 0, 0, 1, 0, 0, 0, 1, 1, 0, 0], 10))


@functools.cache
def occupations():
    """Moves between six occupations, stayers among them."""
    rng = np.random.default_rng(1)
    frame = pd.MultiIndex.from_product([range(6), range(6)], names=["left", "entered"]).to_frame(index=False)
    return frame.assign(dist=rng.random(36), moved=rng.poisson(20, 36) + 1.0)


@functools.cache
def places():
    """Ten units over twelve periods."""
    rng = np.random.default_rng(2)
    frame = pd.MultiIndex.from_product([range(10), range(12)], names=["unit", "year"]).to_frame(index=False)
    return frame.assign(x=rng.normal(size=120), y=rng.normal(size=120))


@functools.cache
def panel():
    return wg.read_panel(workers(), worker="pid", country="iso3", period="year", field="field", weight="w")


@functools.cache
def published(shift=0.0):
    """Estimates of twelve countries, as published."""
    rng = np.random.default_rng(5 if shift == 0 else 6)
    keys = ["KOR", "USA", "FRA", "JPN", "DEU", "GBR", "CAN", "ITA", "ESP", "SWE", "NOR", "AUS"]
    frame = pd.DataFrame({"iso3": keys, "b": rng.normal(0.2, 0.1, 12) + shift, "se": 0.05, "term": "leaving"})
    return wg.Estimates.from_table(frame, term="term", unit="share" if shift else "log")


@functools.cache
def two_rates():
    """Rates of leaving and of staying of the same countries."""
    both = [published(0.1), published(0.3)]
    frame = pd.concat([one.tidy().assign(term=term) for one, term in zip(both, ("leaving", "staying"), strict=True)])
    return wg.Estimates.from_table(frame, estimate="estimate", std_error="std_error", term="term", unit="share")


@functools.cache
def migrants():
    """Migrants of twelve origins to twelve destinations."""
    return simulate_migrants(origins=12, destinations=12, rng=1)


def covariates():
    return pd.DataFrame({"iso3": published().labels["iso3"], "gdp": np.random.default_rng(0).random(12)})


GAP = dict(data=workers, formula="log(pay) ~ exper", group="female", groups=(0, 1))
MIGRANTS = dict(
    data=migrants, origin="o", destination="d",
    movers=["skilled", "primary"], stayers=["stay_skilled", "stay_primary"], costs="dist",
    origin_wages=["wo_skilled", "wo_primary"], destination_wages=["wd_skilled", "wd_primary"],
)  # fmt: skip
LINKED = dict(rates=lambda: published(0.1), premiums=published)
CALLS = {
    "common_correlated_effects": dict(data=places, formula="y ~ x", unit="unit", period="year"),
    "counterfactual": dict(GAP, probs=(0.5,), model="loc"),
    "dfl": dict(GAP, statistics="mean"),
    "fairlie": dict(GAP, formula="leaves ~ exper", reps=5),
    "yun": dict(GAP, formula="leaves ~ exper"),
    "oaxaca": GAP,
    "oaxaca_offers": dict(GAP, formula="log(paid) ~ exper", selection="works ~ exper + z"),
    "oaxaca_selection": dict(GAP, formula="log(paid) ~ exper", selection="works ~ exper + z"),
    "rif_oaxaca": dict(GAP, probs=(0.5,)),
    "kitagawa": dict(data=workers, outcome="leaves", factors="field", group="female", groups=(0, 1)),
    "fit_choice": dict(data=sets, formula="pay", chooser="who", alternative="place", chosen="took"),
    "fit_exits": dict(data=workers, formula="leaves ~ exper", time="year", draws=5),
    "fit_flows": dict(data=occupations, formula="moved ~ dist"),
    "fit_linear": dict(data=places, formula="y ~ x"),
    "fit_link": dict(LINKED, formula="leaving ~ premium"),
    "fit_link_system": dict(LINKED, formulas=["leaving ~ premium", "staying ~ premium"], rates=lambda: two_rates()),
    "fit_premiums": dict(data=workers, formula="log(pay) ~ ai", premium="ai", min_treated=2, min_comparison=2),
    "fit_rates": dict(data=workers, events="leaves", min_rows=2),
    "fit_roy": dict(data=workers, formula="log(pay)", leave="leaves", reps=9),
    "fit_selection": dict(data=workers, formula="log(paid) ~ ai", selection="works ~ ai + z"),
    "fit_transitions": dict(data=workers, origin="field", destination="next_field"),
    "grogger_hanson": MIGRANTS,
    "hausman": dict(fixed=lambda: made("Linear"), random=lambda: made("Linear")),
    "join": dict(first=published, others=lambda: made("Rates"), independent=True),
    "occupation_gravity": dict(data=occupations, distance="dist", origin="left", target="entered", flow="moved"),
    "power": dict(countries=10, workers=500, skilled=0.2, pay_sd=0.5, premium_sd=0.1, rate_sd=0.02, draws=9),
    "read_panel": dict(source=workers),
    "simulate_panel": dict(countries=2, workers=20, rng=1),
    "specification_curve": dict(
        outcome="leaving", rates=lambda: published(0.1), premiums=lambda: {"a": published()}, methods="ols", reps=9
    ),
    "stock_rates": dict(
        table=lambda: pd.DataFrame({"iso3": ["KOR", "USA"], "abroad": [16.0, 1], "domestic": [84.0, 9]})
    ),
    "study": dict(source=lambda: {"premiums": {"p": {"shipped": "published_premiums"}}}),
    "table": dict(results=published),
    "wild_bootstrap": dict(data=workers, formula="pay ~ ai", hypothesis="ai", cluster="psu", reps=9),
    "parse_cov": dict(cov="HC1"),
    "check_fay": dict(fay=0.0, kind=None),
    "replicate_scale": dict(kind="BRR", n=4, fay=0.0, scales=None),
    "complete_pairs": dict(
        flows=lambda: pd.DataFrame({"origin": ["KOR"], "destination": ["USA"], "year": [2015], "migrants": [1.0]})
    ),
    "country_premiums": dict(source="piaac"),
    "describe": dict(reader="read_income"),
    "download": dict(name="stack_overflow_2019", url="https://localhost:1/none"),
    "read_ai_exposure_soc": dict(source="felten", path="none.parquet"),
    "read_stack_overflow": dict(source="none.parquet"),
    "read_stack_overflow_year": dict(year=2019, path="none.csv"),
    "read_unions": dict(source="cpds", path="none.parquet"),
    "plot_corridors": dict(
        flows=lambda: pd.DataFrame({"o": ["KOR", "USA"], "d": ["USA", "KOR"], "n": [3.0, 4.0]}), origin="o",
        destination="d", flow="n",
    ),
    "plot_effects": dict(results=lambda: made("Exits")),
    "plot_forest": dict(results=published),
    "plot_incidence": dict(fits=lambda: made("Exits")),
    "plot_link": dict(link=lambda: made("Link")),
    "plot_transitions": dict(transitions=lambda: made("Transitions")),
}  # fmt: skip
"""Arguments of a valid call by the function's name; those that are functions make the argument."""

MAKERS = {
    "Choice": "fit_choice", "CounterfactualGap": "counterfactual", "Decomposition": "oaxaca", "Exits": "fit_exits",
    "Flows": "fit_flows", "GroggerHanson": "grogger_hanson", "Linear": "fit_linear", "Link": "fit_link",
    "LinkSystem": "fit_link_system", "Premiums": "fit_premiums", "Rates": "fit_rates", "ReweightedGap": "dfl",
    "RifDecomposition": "rif_oaxaca", "Roy": "fit_roy", "Selection": "fit_selection", "Transitions": "fit_transitions",
    "WildBootstrap": "wild_bootstrap", "Table": "table", "Study": "study", "SpecificationCurve": "specification_curve",
    "Simulation": "simulate_panel", "Power": "power",
}  # fmt: skip
"""Results by the call that makes them."""
OTHERS = {
    "Estimates": published,
    "Panel": panel,
    "Detail": lambda: made("Decomposition").detail("explained"),
    "TestResult": lambda: published().test("KOR = USA"),
    "Disagreement": lambda: made("Link").disagreement(by="gdp", data=covariates()),
    "FewCountries": lambda: made("Link").few_countries(reps=9),
    "Moderation": lambda: made("Link").moderate("gdp", data=covariates()),
    "Outlier": lambda: made("Link").outlier("KOR"),
    "Pooled": lambda: made("Link").pool(),
    "Prediction": lambda: made("Link").predict(country="KOR", premium=0.1),
    "Sensitivity": lambda: made("Link").sensitivity(std_errors=[0.01], correlations=0.0),
    "Swap": lambda: made("Link").swap(published()),
    "WeakSet": lambda: made("Link").weak_set(),
    "Source": lambda: wg.datasets.describe("read_income"),
    "CrossProducts": wg.datasets.developer_pay,
    "BeckKatz": lambda: wg.cov.BeckKatz("unit", "year"),
    "Bootstrap": lambda: wg.cov.Bootstrap(9, rng=1),
    "Conley": lambda: wg.cov.Conley("lat", "lon", 100.0),
    "DriscollKraay": lambda: wg.cov.DriscollKraay("year", 1),
    "Dyadic": lambda: wg.cov.Dyadic("o", "d"),
    "NeweyWest": lambda: wg.cov.NeweyWest("unit", "year", 1),
    "Replicates": lambda: wg.cov.Replicates(("a", "b"), "BRR"),
    "Robust": lambda: wg.cov.Robust("HC1"),
    "Survey": lambda: wg.cov.Survey("psu"),
}
FACTOR = dict(rule="stata", nobs=100.0, n_params=2, degrees=9.0)
ARGUMENTS = {
    "Choice.elasticities": dict(variable="pay"),
    "Choice.matrix": dict(pairs=lambda: made("Choice").elasticities("pay")),
    "Decomposition.detail": dict(component="explained"), "Estimates.degrees": dict(contrast=lambda: np.eye(12)[0]),
    "Estimates.draws": dict(reps=3), "Estimates.in_unit": dict(unit="log points"),
    "Estimates.map": dict(transform=lambda: np.eye(12)),
    "Estimates.from_table": dict(frame=lambda: pd.DataFrame({"iso3": ["KOR"], "b": [0.1], "se": [0.1]})),
    "Estimates.with_unknown": dict(at=lambda: np.array([0]), phrase="no"), "Result.test": dict(hypothesis="ai"),
    "Result.with_cov": dict(cov="HC0"), "Result.refit": dict(data=workers), "Estimates.refit": dict(data=workers),
    "Estimates.with_cov": dict(cov="HC0"), "Estimates.test": dict(hypothesis="KOR"),
    "Exits.of_exit": dict(kind="", exit=None), "Link.line": dict(at=lambda: np.array([0.1])),
    "Link.cell_at": dict(country="KOR"), "Link.one_step": dict(workers=workers), "Link.moderate": dict(trait="gdp"),
    "Link.outlier": dict(country="KOR"), "Link.swap": dict(premiums=published),
    "Link.predict": dict(country="KOR", premium=0.1), "Link.check_premium": dict(question="this"),
    "Link.check_deviations": dict(question="this"), "Panel.align": dict(values=lambda: np.ones(120), what="these"),
    "Panel.assign": dict(), "Panel.filter": dict(condition="exper > 5"), "Panel.sampled": dict(columns=["psu"]),
    "Rates.net": dict(inward="leaves", outward="leaves"), "Rates.standardise": dict(over="iso3"),
    "Selection.premium": dict(term="ai"), "Premiums.in_unit": dict(unit="log points"),
    "Rates.in_unit": dict(unit="per cent"), "Table.save": dict(path="table.txt"),
    "WildBootstrap.p_value_at": dict(value=0.1), "_Option.check_weights": dict(kind="sampling"),
    "_Option.declared": dict(columns=["a"], kind=None, fay=0.0), "_Option.drawn_by": dict(unit="row"),
    "_Analytic.terms": dict(groupings={}), "_Analytic.units": dict(groupings={}),
    **{f"{name}.factor": FACTOR for name in ("_Analytic", "Robust", "Survey")},
    **{f"{name}.degrees": dict(rule="stata", n_params=2, degrees=9.0) for name in ("_Analytic", "Robust")},
    **{f"Panel.{name}": dict(name="psu", rows=lambda: np.arange(5)) for name in ("ids", "numbers", "periods")},
    **{f"Panel.{name}": dict(rows=lambda: np.arange(5)) for name in ("weights", "groupings")},
}  # fmt: skip


@functools.cache
def made(name):
    """A result of this class."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return OTHERS[name]() if name in OTHERS else call(getattr(wg, MAKERS[name]), CALLS[MAKERS[name]])


def call(function, given, /, **changes):
    """Call a function with arguments of a table, of which those that are called are made now; some changed."""
    plain = {name: value() if callable(value) else value for name, value in given.items()} | changes
    kinds = {name: one.kind for name, one in inspect.signature(function).parameters.items()}
    several = [name for name, kind in kinds.items() if kind is inspect.Parameter.VAR_POSITIONAL and name in plain]
    ahead = [name for name, kind in kinds.items() if kind is inspect.Parameter.POSITIONAL_ONLY and name in plain]
    before = [name for name in kinds if several and list(kinds).index(name) < list(kinds).index(several[0])]
    args = [plain.pop(name) for name in dict.fromkeys([*ahead, *before, *several])]
    return function(*args, **plain)


# what they are given -----------------------------------------------------------------------------------------------


class Unwritable:
    """A value that cannot be written."""

    def __repr__(self):
        raise RuntimeError("this cannot be written")


class Wordy:
    """A value that is written in a hundred thousand characters."""

    def __repr__(self):
        return "x" * 100_000


VALUES = {
    "None": None, "True": True, "minus one": -1, "three": 3, "half": 0.5, "nan": np.nan, "inf": np.inf,
    "text": "nonsense", "empty text": "", "long text": "x y" * 3000, "bytes": b"x", "no items": [],
    "None in a list": [None], "names": ["a", "b"], "lists in a list": [[1], [2, 3]], "no values": (),
    "empty dict": {}, "dict": {"k": 1}, "dict of columns": {"k": [1]}, "set": {1}, "array": np.array([1.0, 2.0]),
    "text without axes": np.array("x"), "no numbers": np.array([]), "NA": pd.NA, "series": pd.Series([1.0, 2.0]),
    "frame": pd.DataFrame({"k": [1.0]}), "object": object(), "class": int, "function": lambda *_: None,
    "path": Path("nowhere"), "date": pd.Timestamp("2020"), "complex": 1j, "number of numpy": np.float64(0.5),
    "missing date": pd.NaT, "unwritable": Unwritable(), "wordy": Wordy(), "many": list(range(5000)),
    "estimates": published(), "covariance": wg.cov.Robust("HC1"),
}  # fmt: skip


def parameters(function):
    """Parameters of a call but the object itself, a name for those that have none."""
    named = inspect.signature(function).parameters.values()
    return [one for one in named if one.name not in ("self", "cls")]


def outcome(function, given, parameter, value):
    """What a call says to a value: nothing, or the error."""
    name = "iso3" if parameter.kind is inspect.Parameter.VAR_KEYWORD else parameter.name
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            call(function, given, **{name: value})
        except Exception as error:
            return error
        finally:
            plt.close("all")
    return None


def read_parameter(function, name):
    """What a function takes for a parameter, read from its annotation."""
    takes = function.__takes__()
    every = [*takes.in_order, *takes.by_name.values(), takes.further, takes.free]
    return next(one for one in every if one is not None and one.name == name)


def to_try(function, *, right=False):
    """Parameters and values of wrong kinds, and all values where an annotation allows anything.

    With `right`, values of right kinds as well, but those that are surely right: None, True, a function of the user's.
    """
    for parameter in parameters(function):
        kinds = read_parameter(function, parameter.name).kinds
        for what, value in VALUES.items():
            wrong = bool(_refusal(kinds, parameter.name, value))
            sure = value is parameter.default or value is None or value is True or callable(value)
            if wrong or not kinds or (right and not sure):
                yield parameter, what, value, wrong


def faults(function, given, tried):
    """Values by parameter that were let in though of a wrong kind, ended in another error, or in a long message."""
    found = []
    for parameter, what, value, wrong in tried:
        error = outcome(function, given, parameter, value)
        if not isinstance(error, WagegapError | None):
            found.append(f"{parameter.name}={what}: {type(error).__name__}: {str(error)[:100]}")
        elif wrong and error is None:
            found.append(f"{parameter.name}={what} was let in")
        elif len(str(error)) > LONGEST:
            found.append(f"{parameter.name}={what}: a message of {len(str(error)):,} characters")
    return found


# Methods that estimators ask, and what answers them.
ASKED = {"Panel": {"weights", "groupings", "ids", "periods", "numbers", "sampled", "align"}}
ASKED |= {"Estimates": {"with_unknown"}, "Exits": {"of_exit"}}


def is_asked(cls, owner, name):
    """Whether the package alone calls a method, of its own objects, with what it has made: there a kind is all."""
    return name in ASKED.get(cls, ()) or owner in ("_Option", "_Analytic", "_Replicated") or cls in vars(wg.cov)


@pytest.fixture(autouse=True)
def nowhere(tmp_path, monkeypatch):
    """A folder without data, for what is written and read."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("WAGEGAP_DATA", str(tmp_path))


@pytest.mark.parametrize("name", public_functions())
def test_a_function_refuses_every_wrong_kind(name):
    function = public_functions()[name]
    assert faults(function, CALLS.get(name.rpartition(".")[2], {}), to_try(function)) == []


@pytest.mark.slow
@IN_FULL
@pytest.mark.parametrize("name", public_functions())
def test_a_function_answers_every_value(name):
    function = public_functions()[name]
    assert faults(function, CALLS.get(name.rpartition(".")[2], {}), to_try(function, right=True)) == []


def methods():
    """Methods with parameters, each once: its class, and where it is defined."""
    every = [cls for cls in public_classes() if cls.__name__ in {*MAKERS, *OTHERS}]
    found = {}
    for cls in every:
        for name, function in methods_of(cls)[0].items():
            owner = next(one for one in cls.__mro__ if name in vars(one))
            if parameters(function):
                found.setdefault((owner.__name__, name), cls.__name__)
    return [(cls, owner, name) for (owner, name), cls in found.items()]


def given_to(cls, owner, name):
    """A method of an object, and arguments it takes."""
    return getattr(made(cls), name), ARGUMENTS.get(f"{cls}.{name}", ARGUMENTS.get(f"{owner}.{name}", {}))


@pytest.mark.parametrize(("cls", "owner", "name"), methods())
def test_a_method_refuses_every_wrong_kind(cls, owner, name):
    method, given = given_to(cls, owner, name)
    if not is_asked(cls, owner, name):
        assert faults(method, given, to_try(method)) == []
    else:
        assert faults(method, given, [one for one in to_try(method) if one[-1]]) == []


@pytest.mark.slow
@IN_FULL
@pytest.mark.parametrize(("cls", "owner", "name"), [one for one in methods() if not is_asked(*one)])
def test_a_method_answers_every_value(cls, owner, name):
    method, given = given_to(cls, owner, name)
    assert faults(method, given, to_try(method, right=True)) == []


def test_every_result_that_a_call_makes_is_here():
    left = {cls.__name__ for cls in public_classes()} - {*MAKERS, *OTHERS}
    # bases, and an answer that asks for workers of many countries, whose two methods others have as well
    assert left == {"Result", "SettlingResult", "FittedLink", "OneStep", "_Option"} & left


# calls that ended in an error of Python, numpy or pandas -----------------------------------------------------------


def gap(**options):
    return call(wg.oaxaca, GAP, **options)


def odd(column, cells):
    """Workers with one column of cells that cannot be keys."""
    return workers().assign(**{column: [cells] * len(workers())})


FOUND = [
    (lambda: wg.table(published(), notes=np.nan), "notes=nan", "a list"),
    (lambda: wg.table(published(), notes=np.array(0.5)), "notes=0.5", "a list"),
    (lambda: wg.table(published(), statistics=3), "statistics=3", "a list"),
    (lambda: wg.table(published(), digits="2"), "digits='2'", "a whole number"),
    (lambda: wg.table(published(), rows=np.array(0.5)), "rows=0.5", "a list"),
    (lambda: wg.table(published(), labels=["x"]), "labels=['x']", "a dict"),
    (lambda: wg.table(published(), layout=np.array([])), "layout=<ndarray", "Known: 'auto'"),
    (lambda: published().in_unit(np.nan), "unit=nan", "text"),
    (lambda: made("Premiums").in_unit(None), "unit=None", "text"),
    (lambda: gap().shares("CR0:nope"), "alpha='CR0:nope'", "between 0 and 1"),
    (lambda: gap().shares(Path("nowhere")), "alpha=PosixPath('nowhere')", "between 0 and 1"),
    (lambda: call(wg.kitagawa, CALLS["kitagawa"], factors=0.0), "factors=0.0", "a list of columns"),
    (lambda: call(wg.yun, CALLS["yun"], normalize=True), "normalize=True", "a list of columns"),
    (lambda: call(wg.fairlie, CALLS["fairlie"], order=3), "order=3", "'all', 'random', or a list"),
    (lambda: call(wg.fairlie, CALLS["fairlie"], convention=np.array([])), "convention=", "Known: 'full'"),
    (lambda: call(wg.dfl, CALLS["dfl"], probs="keep"), "probs='keep'", "a list of numbers"),
    (lambda: call(wg.dfl, CALLS["dfl"], sequence=np.int64(3)), "sequence=3", "a list"),
    (lambda: call(wg.fit_roy, CALLS["fit_roy"], orders="x"), "orders='x'", "whole number"),
    (lambda: call(wg.fit_exits, CALLS["fit_exits"], mundlak=np.float32(0.5)), "mundlak=0.5", "a list of columns"),
    (lambda: call(wg.fit_exits, CALLS["fit_exits"], keep_units=pd.Series([1.0, 2.0])), "keep_units=", "True or False"),
    (
        lambda: call(wg.fit_selection, CALLS["fit_selection"], probabilities=pd.Timestamp("2020")),
        "probabilities=Timestamp", "a list of columns",
    ),
    (lambda: wg.read_panel(workers(), fay="x"), "fay='x'", "a number"),
    (lambda: wg.read_panel(workers(), source_name=wg.cov.Replicates()), "source_name=", "text"),
    (lambda: wg.read_panel(workers(), duplicates=np.array([1.0, 2.0])), "duplicates=", "Known: 'raise', 'keep'"),
    (lambda: call(wg.counterfactual, CALLS["counterfactual"], trimming="x"), "trimming='x'", "a number"),
    (lambda: call(wg.rif_oaxaca, CALLS["rif_oaxaca"], bandwidth="x"), "bandwidth='x'", "a number"),
    (lambda: wg.datasets.describe({}), "reader={}", "text"),
    (lambda: wg.datasets.read_income(path=2), "path=2", "a path"),
    (lambda: wg.datasets.read_income(path=np.inf), "path=inf", "a path"),
    (lambda: published().test(()), "restricts nothing"),
    (lambda: published().draws(pd.NA), "reps=<NA>", "a whole number"),
    (
        lambda: call(wg.specification_curve, CALLS["specification_curve"], on=np.array("x")), "on='x'",
        "a list of columns",
    ),
    (lambda: wg.figures.plot_forest(published(), at_most=pd.NA), "at_most=<NA>", "whole number"),
    (lambda: wg.figures.plot_forest(published(), keep=3), "keep=3", "a list"),
    (lambda: wg.figures.plot_forest(None), "None", "results"),
    (lambda: call(wg.figures.plot_corridors, CALLS["plot_corridors"], labels=3), "labels=3", "a dict"),
    (lambda: wg.figures.plot_transitions(made("Transitions"), cells=3), "cells=3", "a dict"),
    (lambda: wg.figures.plot_link(None), "link=None", "a Link"),
    (lambda: wg.figures.plot_link("a'b"), "link=", "a Link"),
    (lambda: wg.Estimates.from_table(pd.DataFrame({"iso3": ["KOR"], "b": [[None]], "se": [0.1]})), "'b'"),
    (
        lambda: wg.Estimates.from_table(pd.DataFrame({"iso3": ["KOR"], "b": [1], "se": [1]}), comparison={}),
        "comparison={}",
    ),
    (lambda: wg.join(published(), title=pd.Series([1.0, 2.0])), "title=<Series", "text"),
    (lambda: made("Choice").elasticities(pd.Series([1.0, 2.0])), "variable=<Series", "text"),
    (lambda: wg.datasets.complete_pairs(-1), "int is not a data frame"),
    (lambda: wg.datasets.complete_pairs(None), "NoneType is not a data frame"),
    (lambda: panel().assign(k=int), "k"),
    (lambda: panel().transitions(horizon="x"), "horizon='x'", "whole number"),
    (lambda: wg.hausman(3, made("Linear")), "fixed=3", "a Linear"),
    (lambda: call(wg.fit_linear, CALLS["fit_linear"], unit=pd.NA), "unit=<NA>", "one column"),
    (lambda: call(wg.fit_linear, CALLS["fit_linear"], period="B", cov="HC1", unit="unit", model="random"), "'B'"),
    (
        lambda: call(wg.fit_link_system, CALLS["fit_link_system"], weighting=pd.NA),
        "weighting=<NA>", "Known: 'separate'",
    ),
    (lambda: published().select(iso3=int), "iso3=<class int>"),
    (lambda: made("Exits").plot_incidence(alpha="x y" * 3000), "alpha=", "between 0 and 1"),
]  # fmt: skip
CELLS = {"dict": {"a": 1}, "list": [1], "array": np.ones(2)}
UNHASHABLE = {
    "labels": lambda cells: wg.Estimates.from_table(
        pd.DataFrame({"iso3": [cells], "b": [0.1], "se": [0.1]})
    ),
    "group": lambda cells: gap(data=odd("female", cells)),
    "group of dfl": lambda cells: call(wg.dfl, CALLS["dfl"], data=odd("female", cells)),
    "group of rif": lambda cells: call(wg.rif_oaxaca, CALLS["rif_oaxaca"], data=odd("female", cells)),
    "offers": lambda cells: call(wg.oaxaca_selection, CALLS["oaxaca_selection"], data=odd("female", cells)),
    "effects": lambda cells: call(
        wg.fit_linear, CALLS["fit_linear"], data=places().assign(unit=[cells] * 120), unit="unit", model="random"
    ),
    "absorbed": lambda cells: wg.fit_linear(places().assign(unit=[cells] * 120), "y ~ x | unit"),
    "stayers": lambda cells: call(
        wg.occupation_gravity, CALLS["occupation_gravity"], data=occupations().assign(left=[cells] * 36)
    ),
    "flows": lambda cells: wg.datasets.complete_pairs(
        pd.DataFrame({"origin": [cells], "destination": ["USA"], "year": [2015], "migrants": [1.0]})
    ),
    "cells": lambda cells: call(wg.fit_rates, CALLS["fit_rates"], data=odd("iso3", cells), by="iso3"),
    "moves": lambda cells: call(wg.fit_transitions, CALLS["fit_transitions"], data=odd("field", cells)),
    "choosers": lambda cells: call(wg.fit_choice, CALLS["fit_choice"], data=sets().assign(who=[cells] * 120)),
    "worker": lambda cells: wg.read_panel(odd("pid", cells), worker="pid"),
    "country": lambda cells: wg.read_panel(odd("iso3", cells), country="iso3"),
    "panel": lambda cells: wg.read_panel(odd("iso3", cells), country="iso3", country_names="keep", worker="pid"),
    "covariates": lambda cells: call(
        wg.fit_link, CALLS["fit_link"], formula="leaving ~ premium + gdp", data=covariates().assign(iso3=[cells] * 12)
    ),
}  # fmt: skip


def refused(make):
    """The message of the one typed error that a call ends in."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with pytest.raises(WagegapError) as caught:
            make()
    return str(caught.value)


@pytest.mark.parametrize(("make", "pieces"), [(make, pieces) for make, *pieces in FOUND])
def test_what_once_escaped_is_said(make, pieces):
    message = refused(make)
    assert [piece for piece in pieces if piece not in message] == []
    assert len(message) <= LONGEST


@pytest.mark.parametrize("cells", CELLS)
@pytest.mark.parametrize("where", UNHASHABLE)
def test_cells_that_cannot_be_keys_are_refused(where, cells):
    assert len(refused(lambda: UNHASHABLE[where](CELLS[cells]))) <= LONGEST
