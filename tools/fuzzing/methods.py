"""A valid call of every public method of every kind of result, on results that are estimated once.

Methods are found, not listed: a new one, or a new kind of result, is tried as soon as it needs no arguments, and
`without_call()` names it when it needs some that are not given here.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np

import wagegap as wg
from fuzzing.calls import Call
from fuzzing.doors import Door, maybe, of, premiums_and_rates, study_entries
from fuzzing.samples import (
    choosers,
    country_table,
    exit_rows,
    firms,
    migrants,
    occupations,
    pairs,
    places,
    workers,
)

__all__ = ["INTERNAL", "method_doors", "result", "result_classes", "without_call"]

_MAKERS: dict[str, Callable[[], Any]] = {}

INTERNAL = {
    "align",
    "announced",
    "always_printed",
    "cell_at",
    "check_deviations",
    "check_premium",
    "degrees",
    "groupings",
    "heading",
    "ids",
    "numbers",
    "of_exit",
    "periods",
    "sampled",
    "spec_of_table",
    "weights",
    "with_unknown",
    "curves",
    "describe",
    "with_columns",
    "unreliable_without",
    "totals",
    "note",
    "lose",
}
"""Methods through which rooms of the package speak to each other, with arguments that no user makes."""


def _made(make: Callable[[], Any]) -> Callable[[], Any]:
    _MAKERS[make.__name__.strip("_")] = make
    return make


@cache
def result(name: str) -> Any:
    """One result by name, estimated on first use."""
    return _MAKERS[name]()


@_made
def panel() -> Any:
    return wg.read_panel(
        workers(), worker="pid", country="iso3", period="year", wage="pay", field="field", weight="w", cluster="psu"
    )


@_made
def estimates() -> Any:
    return premiums_and_rates()[0]


@_made
def premiums() -> Any:
    formula = "log(pay) ~ ai + exper"
    return wg.fit_premiums(workers(), formula, premium="ai", by="iso3", cov="HC1", min_treated=5, min_comparison=5)


@_made
def rates() -> Any:
    return wg.fit_rates(workers(), ["leaves", "abroad"], by=["iso3", "year"], cov="HC1", min_rows=5)


@_made
def transitions() -> Any:
    return wg.fit_transitions(workers(), "field", "next_field", by="iso3", min_rows=5)


@_made
def stocks() -> Any:
    return wg.stock_rates(country_table(), abroad_error="part_se")


@_made
def exits() -> Any:
    return wg.fit_exits(exit_rows(), "how ~ skill + pay", model="multinomial", base="stay")


@_made
def hazards() -> Any:
    return wg.fit_exits(exit_rows(), "gone ~ skill", model="cloglog", time="t", by="iso3")


@_made
def choice() -> Any:
    return wg.fit_choice(choosers(), "pay + cost", chooser="who", alternative="place", chosen="took")


@_made
def nested() -> Any:
    names = {"chooser": "who", "alternative": "place", "chosen": "took"}
    return wg.fit_choice(choosers(), "pay + cost", **names, nests={"north": ["us", "ca"], "far": ["kr", "de"]})


@_made
def flows() -> Any:
    return wg.fit_flows(pairs(), "moves ~ log(dist) + contig | origin")


@_made
def shares_of_flows() -> Any:
    return wg.fit_flows(pairs(), "leaving ~ log(dist)", family="fractional")


@_made
def gravity() -> Any:
    return wg.occupation_gravity(occupations(), "dist", origin="left", target="entered", flow="moved")


@_made
def grogger() -> Any:
    return wg.grogger_hanson(
        migrants(),
        origin="o",
        destination="d",
        movers=["skilled", "primary"],
        stayers=["stay_skilled", "stay_primary"],
        origin_wages=["wo_skilled", "wo_primary"],
        destination_wages=["wd_skilled", "wd_primary"],
        costs="dist",
    )


@_made
def linear() -> Any:
    return wg.fit_linear(places(), "y ~ x | unit", cov="CR1:unit")


@_made
def two_stage() -> Any:
    return wg.fit_linear(places(), "y ~ x", instruments="x ~ offer")


@_made
def effects() -> Any:
    return wg.common_correlated_effects(places(), "y ~ x", unit="unit", period="year")


@_made
def wild() -> Any:
    return wg.wild_bootstrap(firms(), "y ~ x + z", "x", cluster="firm", reps=19)


@_made
def selection() -> Any:
    return wg.fit_selection(workers(), "log(paid) ~ ai + exper", selection="works ~ ai + z")


@_made
def places_chosen() -> Any:
    return wg.fit_selection(workers(), "log(pay) ~ ai", selection="field ~ exper + z", method="dahl")


@_made
def roy() -> Any:
    return wg.fit_roy(workers(), "log(pay) ~ exper", leave="leaves", reps=19)


def _link(method: str) -> Any:
    first, second = premiums_and_rates()
    return wg.fit_link("emigration ~ premium", second, first, data=country_table(), method=method)


@_made
def link() -> Any:
    return _link("eiv")


@_made
def meta() -> Any:
    return _link("meta")


@_made
def likely() -> Any:
    return _link("ml")


@_made
def system() -> Any:
    first, second = premiums_and_rates()
    return wg.fit_link_system(["emigration ~ premium", "switching ~ premium"], second, first)


@_made
def curve() -> Any:
    first, second = premiums_and_rates()
    return wg.specification_curve(
        "emigration", second, {"table": first}, data=country_table(), controls=["old"], reps=9
    )


@_made
def power() -> Any:
    return wg.power(
        countries=[9, 12], workers=500, skilled=0.2, pay_sd=0.5, premium_sd=0.1, rate_sd=0.02, draws=9, rng=1
    )


@_made
def few() -> Any:
    return result("link").few_countries(reps=19)


@_made
def disagreement() -> Any:
    return result("link").disagreement(by="old")


@_made
def moderation() -> Any:
    return result("link").moderate("old", force=True)


@_made
def outlier() -> Any:
    return result("link").outlier("KOR")


@_made
def pooled() -> Any:
    return result("link").pool()


@_made
def prediction() -> Any:
    return result("link").predict(country="KOR", premium=0.2)


@_made
def swapped() -> Any:
    return result("link").swap(premiums_and_rates()[0], force=True)


@cache
def _micro() -> tuple[Any, Any]:
    """A panel of six countries, and the link of its own premiums and rates."""
    made = wg.simulate_panel(countries=6, workers=80, premium_sd=0.2, link_slope=-0.2, link_intercept=0.25, rng=3).panel
    first = wg.fit_premiums(made, "log(hourly_wage) ~ ai", premium="ai", by="iso3", min_treated=5, min_comparison=5)
    second = wg.fit_rates(made, {"emigration": "abroad_next"}, among="ai", by="iso3", min_rows=5)
    return made, wg.fit_link("emigration ~ premium", second, first, force=True)


@_made
def micro_link() -> Any:
    return _micro()[1]


@_made
def one_step() -> Any:
    made, linked = _micro()
    return linked.one_step(made, event="abroad_next", skill="ai")


def _gap(name: str, formula: str, **options: Any) -> Any:
    return getattr(wg, name)(workers(), formula, group="female", **options)


@_made
def oaxaca() -> Any:
    return _gap("oaxaca", "log(pay) ~ ai + exper")


@_made
def detail() -> Any:
    return result("oaxaca").detail("explained")


@_made
def rif() -> Any:
    return _gap("rif_oaxaca", "log(pay) ~ ai + exper", statistic="quantile", probs=(0.5,))


@_made
def dfl() -> Any:
    return _gap("dfl", "log(pay) ~ ai + exper")


@_made
def counterfactual() -> Any:
    return _gap("counterfactual", "log(pay) ~ ai + exper", probs=(0.25, 0.5), regressions=10)


@_made
def kitagawa() -> Any:
    return wg.kitagawa(workers(), "leaves", "ai", group="female")


@_made
def fairlie() -> Any:
    return _gap("fairlie", "works ~ ai + z", reps=9, rng=1)


@_made
def yun() -> Any:
    return _gap("yun", "works ~ ai + z")


@_made
def selected() -> Any:
    return _gap("oaxaca_selection", "log(paid) ~ ai", selection="works ~ ai + z")


@_made
def table() -> Any:
    return wg.table(result("premiums"), title="A table")


@_made
def study() -> Any:
    return wg.study(study_entries())


@_made
def ledger() -> Any:
    return result("panel").ledger


@_made
def simulation() -> Any:
    return wg.simulate_panel(countries=3, workers=40, rng=1)


# arguments -----------------------------------------------------------------------------------------------------------

Given = Callable[[np.random.Generator], tuple[list[Any], dict[str, Any]]]


def _of(*args: Any, **kwargs: Any) -> Given:
    return lambda rng: (list(args), dict(kwargs))


def _test(name: str) -> Given:
    def given(rng: np.random.Generator) -> tuple[list[Any], dict[str, Any]]:
        k = len(result(name).params)
        return of(rng, ([np.eye(k)[-1]], {}), ([np.eye(k)[-1:], 0.5], {}))

    return given


def _of_fresh(make: Callable[[], Any]) -> Given:
    return lambda rng: ([make()], {})


def _path(*names: str) -> Given:
    return lambda rng: ([of(rng, *names)], {})


_ARGUMENTS: dict[str, Given] = {
    "assign": lambda rng: ([], {"extra": np.arange(240.0)}),
    "elasticities": lambda rng: (["pay"], maybe(rng, 0.3, data=choosers())),
    "few_countries": lambda rng: ([], {"reps": 19}),
    "filter": lambda rng: ([of(rng, "ai == 1", "exper > 3 and iso3 != 'KOR'")], maybe(rng, 0.3, reason="others")),
    "in_unit": lambda rng: ([of(rng, "log points", "log")], {}),
    "line": _of(np.array([0.1, 0.2])),
    "map": lambda rng: ([np.eye(12)], {}),
    "draws": lambda rng: ([5], {"rng": 1}),
    "disagreement": lambda rng: ([], {"by": of(rng, "old", "gdp"), **maybe(rng, 0.3, alpha=0.1)}),
    "moderate": lambda rng: ([of(rng, "old", ["old"])], {"force": True} | maybe(rng, 0.4, at={"old": 0.3})),
    "one_step": lambda rng: ([_micro()[0]], {"event": "abroad_next", "skill": "ai"}),
    "outlier": lambda rng: (["KOR"], maybe(rng, 0.3, alpha=0.1)),
    "p_value_at": _of(0.5),
    "predict": lambda rng: ([], {"country": "KOR", "premium": of(rng, 0.2, "USA")}),
    "sensitivity": lambda rng: ([], {"std_errors": [0.1], "correlations": 0.0}),
    "prediction_interval": lambda rng: ([], maybe(rng, 0.5, at={"premium": 0.2})),
    "premium": _of("ai"),
    "save": _path("made.csv", "made.tex", "made.html", "made.md", "made.txt"),
    "select": lambda rng: ([], {"iso3": "KOR"}),
    "swap": lambda rng: ([premiums_and_rates()[0]], {"force": True}),
    "transitions": lambda rng: ([], {"horizon": 1}),
    "detail": _of("explained"),
}
_OF_ONE: dict[tuple[str, str], Given] = {
    ("rates", "in_unit"): _of("per 10,000"),
    ("stocks", "in_unit"): _of("per cent"),
    ("rates", "net"): _of("leaves", "abroad"),
    ("rates", "standardise"): lambda rng: (["year"], maybe(rng, 0.3, method="indirect")),
    ("choice", "matrix"): lambda rng: ([result("choice").substitution()], {}),
    ("nested", "matrix"): lambda rng: ([result("nested").substitution()], {}),
    ("transitions", "matrix"): _of(iso3="KOR"),
    ("study", "save"): _of("report"),
    ("ledger", "line"): _of(),
    ("estimates", "from_table"): lambda rng: ([country_table()], {}),
    ("places_chosen", "premium"): lambda rng: (["ai"], {"place": "law"}),
    ("micro_link", "predict"): lambda rng: ([], {"country": str(_micro()[1].cells.names[0]), "premium": 0.2}),
    ("micro_link", "outlier"): lambda rng: ([str(_micro()[1].cells.names[0])], {}),
    ("micro_link", "swap"): lambda rng: ([_micro()[1].call.arguments["premiums"]], {"force": True}),
}
_COVARIANCES = {"linear": "CR1:unit", "grogger": "CR1:d"}
_DATA: dict[str, Callable[[], Any]] = {
    "exits": exit_rows,
    "hazards": exit_rows,
    "choice": choosers,
    "nested": choosers,
    "flows": pairs,
    "shares_of_flows": pairs,
    "gravity": occupations,
    "grogger": migrants,
    "linear": places,
    "two_stage": places,
    "effects": places,
}
_STATED = ("estimates", "stocks", "link", "meta", "likely", "micro_link", "system")
REFUSED = {
    *((name, method) for name in _STATED for method in ("refit", "with_cov")),
    *((name, "prediction_interval") for name in ("link", "likely", "micro_link")),
    *((name, "detail") for name in ("dfl", "counterfactual", "kitagawa")),
    ("exits", "bands"),
    ("exits", "plot_incidence"),
    ("micro_link", "moderate"),
    ("micro_link", "disagreement"),
    ("counterfactual", "with_cov"),
    ("stocks", "net"),
    ("stocks", "standardise"),
}
"""Questions that a result cannot answer, as its typed error says: no call of them is valid."""


def _given(name: str, method: str) -> Given | None:
    """Arguments of a method of a result; None where there are none that are known to be right."""
    if (name, method) in _OF_ONE:
        return _OF_ONE[name, method]
    if method == "refit":
        return _of_fresh(_DATA.get(name, workers))
    if method == "test":
        return _test(name)
    if method == "with_cov":
        return lambda rng: ([_COVARIANCES.get(name, of(rng, "HC0", "HC1"))], {})
    if method in _ARGUMENTS:
        return _ARGUMENTS[method]
    needed = [
        one
        for one in inspect.signature(getattr(type(result(name)), method)).parameters.values()
        if one.default is one.empty and one.kind in (one.POSITIONAL_ONLY, one.POSITIONAL_OR_KEYWORD, one.KEYWORD_ONLY)
    ]
    return None if len(needed) > 1 else lambda rng: ([], maybe(rng, 0.3, **_alpha(name, method)))


def _alpha(name: str, method: str) -> dict[str, Any]:
    known = inspect.signature(getattr(type(result(name)), method)).parameters
    return {"alpha": 0.1} if "alpha" in known else {}


def result_classes() -> set[type]:
    """Classes that have a result here."""
    return {type(result(name)) for name in _MAKERS}


def methods_of(kind: type) -> list[str]:
    """Public methods of a class, but for those that rooms alone call."""
    names = [name for name in dir(kind) if not name.startswith("_") and name not in INTERNAL]
    return [name for name in names if callable(getattr(kind, name)) and not isinstance(getattr(kind, name), type)]


def asked_of(name: str) -> list[str]:
    """Methods that a result can answer."""
    return [one for one in methods_of(type(result(name))) if (name, one) not in REFUSED]


def without_call() -> list[str]:
    """Methods that need arguments which are not given here."""
    return [f"{name}.{one}" for name in _MAKERS for one in asked_of(name) if _given(name, one) is None]


def method_doors() -> dict[str, Door]:
    """Doors of methods, by `kind.method`."""
    return {
        f"{name}.{one}": _door(name, one) for name in _MAKERS for one in asked_of(name) if _given(name, one) is not None
    }


def _door(name: str, method: str) -> Door:
    def make(rng: np.random.Generator) -> Call:
        subject, given = result(name), _given(name, method)
        assert given is not None
        args, kwargs = given(rng)
        return Call(f"{name}.{method}", getattr(subject, method), args, kwargs, subject, writes=method == "save")

    return make
