"""A valid call of every public function, in several forms; `doors()` lists them by name.

A door is a function of a random generator, which picks the form, to a `Call`. Methods of results are in `methods.py`,
readers of public tables in `readers.py`.
"""

from __future__ import annotations

import gzip
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import wagegap as wg
from fuzzing.calls import Call
from fuzzing.samples import (
    choosers,
    country_table,
    exit_rows,
    firms,
    migrants,
    moves,
    occupations,
    pairs,
    places,
    workers,
)

__all__ = ["Door", "function_doors", "maybe", "of", "premiums_and_rates", "study_entries"]

Door = Callable[[np.random.Generator], Call]
_DOORS: dict[str, Door] = {}
_KEEP: dict[str, Any] = {}
"""Numbers of rows that a cell must have, low enough for small tables."""


def _door(make: Door) -> Door:
    _DOORS[make.__name__.strip("_")] = make
    return make


def of(rng: np.random.Generator, *options: Any) -> Any:
    """Pick one of some options."""
    return options[rng.integers(len(options))]


def maybe(rng: np.random.Generator, share: float, /, **options: Any) -> dict[str, Any]:
    """Give each option with a probability."""
    return {name: value for name, value in options.items() if rng.random() < share}


def function_doors() -> dict[str, Door]:
    """Doors of functions, by name; those of `datasets`, `cov` and `figures` with the module before the name."""
    return {name.replace("__", "."): make for name, make in _DOORS.items()}


def _public(name: str, *args: Any, writes: bool = False, **kwargs: Any) -> Call:
    """Call a public name such as `figures.plot_link` by its path below the package."""
    target: Any = wg
    for part in name.split("."):
        target = getattr(target, part)
    return Call(f"wg.{name}", target, list(args), kwargs, writes=writes)


def _covariance(rng: np.random.Generator) -> Any:
    """A covariance that goes with whatever is estimated from the workers."""
    return of(
        rng,
        "HC0",
        "HC1",
        "CR0:psu",
        "CR1:psu",
        wg.cov.Survey("psu", "strat"),
        wg.cov.Bootstrap(9, rng=1),
        wg.cov.Bootstrap(9, "bayesian", rng=1),
    )


def _of_a_regression(rng: np.random.Generator) -> dict[str, Any]:
    """A covariance of regressions, with the weights that it goes with."""
    replicates = {"cov": wg.cov.Replicates(tuple(f"r{k}" for k in range(1, 9)), "BRR"), "weights": "w"}
    conley = {"cov": wg.cov.Conley("lat", "lon", 500.0)}
    return of(
        rng, {}, {"cov": _covariance(rng), **_weights(rng)}, {"cov": "CR2:psu"}, {"cov": "HC3"}, conley, replicates
    )


def _robust(rng: np.random.Generator) -> Any:
    return of(rng, "HC1", "HC3", "CR1:psu", "CR2:psu")


def _weights(rng: np.random.Generator) -> dict[str, Any]:
    """Weights of workers now and then; a boolean column as subpopulation less often."""
    return maybe(rng, 0.3, weights="w") | maybe(rng, 0.1, subpop="exper > 2")


# premiums and rates --------------------------------------------------------------------------------------------------


@_door
def fit_premiums(rng: np.random.Generator) -> Call:
    formula = of(
        rng,
        "log(pay) ~ ai + exper",
        "log(pay) ~ ai + exper + I(exper**2) | educ",
        "log(pay) ~ ai * female",
        "log(pay) ~ C(field) + exper",
        "pay ~ ai + bs(exper, 4)",
    )
    options: dict[str, Any] = {
        "premium": "field" if "field" in formula else "ai",
        "by": of(rng, "iso3", ["iso3"], None),
    }
    options |= _of_a_regression(rng)
    options |= maybe(rng, 0.3, method="stacked") | {"min_treated": 5, "min_comparison": 5}
    return _public("fit_premiums", workers(), formula, **options)


@_door
def fit_rates(rng: np.random.Generator) -> Call:
    events = of(rng, "leaves", ["leaves", "abroad"], {"emigration": "abroad", "switching": "field != next_field"})
    options = {"by": of(rng, "iso3", ["iso3", "year"], None), "min_rows": 5, **maybe(rng, 0.3, among="ai == 1")}
    options |= _of_a_regression(rng)
    return _public("fit_rates", workers(), events, **options)


@_door
def fit_transitions(rng: np.random.Generator) -> Call:
    options = {"by": of(rng, "iso3", ()), "min_rows": 5, **maybe(rng, 0.4, among="ai", cov=_robust(rng))}
    return _public("fit_transitions", workers(), "field", "next_field", **options, **_weights(rng))


@_door
def stock_rates(rng: np.random.Generator) -> Call:
    given = maybe(rng, 0.5, abroad_error="part_se", domestic_error="part_se")
    return _public("stock_rates", country_table(), by="iso3", **given)


@_door
def read_panel(rng: np.random.Generator) -> Call:
    roles = {"worker": "pid", "country": "iso3", "period": "year", "wage": "pay"}
    more = {
        "field": "field",
        "cluster": of(rng, "psu", ["psu"]),
        "strata": "strat",
        "units": {"leaves": "share"},
        "invalid_wage": of(rng, "drop", "missing"),
        "worker_scope": "global",
        "source_name": "workers",
    }
    weights = of(rng, {}, {"weight": "w"}, {"weight": "w", "weight_kind": "sampling"})
    return _public("read_panel", workers(), **roles, **maybe(rng, 0.3, **more), **weights)


@cache
def _written(kind: str) -> bytes:
    """The workers as a file of some kind."""
    frame, path = workers(), Path(f"made.{kind}")
    if kind == "csv":
        return frame.to_csv(index=False).encode()
    if kind == "csv.gz":
        return gzip.compress(frame.to_csv(index=False).encode(), mtime=0)
    if kind in ("dta", "sav"):
        import pyreadstat

        write = pyreadstat.write_dta if kind == "dta" else pyreadstat.write_sav
        write(frame, str(path))
    elif kind == "xlsx":
        frame.to_excel(path, index=False)
    else:
        frame.to_parquet(path)
    content = path.read_bytes()
    path.unlink()
    return content


@_door
def read_panel_of_a_file(rng: np.random.Generator) -> Call:
    kind = of(rng, "csv", "csv", "csv.gz", "parquet", "dta", "sav", "xlsx")
    path = Path(f"workers.{kind}")
    path.write_bytes(_written(kind))
    roles = {"worker": "pid", "country": "iso3", "period": "year", "wage": "pay"}
    return _public("read_panel", path, **roles, **maybe(rng, 0.3, weight="w", cluster="psu"))


@_door
def simulate_panel(rng: np.random.Generator) -> Call:
    design = of(rng, "simple", "clustered", "stratified")
    return _public("simulate_panel", countries=3, workers=40, rng=1, design=design, **maybe(rng, 0.3, periods=3))


# exits, choices, flows ----------------------------------------------------------------------------------------------


@_door
def fit_exits(rng: np.random.Generator) -> Call:
    options: dict[str, Any] = of(
        rng,
        {"formula": "gone ~ skill + pay", "model": "logit"},
        {"formula": "gone ~ skill + pay", "model": "probit"},
        {"formula": "gone ~ skill", "model": "cloglog", "time": "t"},
        {"formula": "gone ~ pay", "model": "lpm"},
        {"formula": "how ~ skill + pay", "model": "multinomial", "base": "stay"},
        {"formula": "gone ~ skill + pay", "model": "logit", "mundlak": "pay"},
        {"formula": "gone ~ pay", "model": "logit", "by": "iso3"},
    )
    options = dict(options)
    panel = (
        wg.read_panel(exit_rows(), worker="pid", country="iso3", period="t") if "mundlak" in options else exit_rows()
    )
    options |= maybe(rng, 0.4, weights="w") | maybe(rng, 0.4, cov=of(rng, "HC1", "CR1:pid", wg.cov.Bootstrap(9, rng=1)))
    return _public("fit_exits", panel, options.pop("formula"), **options)


@_door
def fit_choice(rng: np.random.Generator) -> Call:
    names = {"chooser": "who", "alternative": "place", "chosen": "took"}
    nests = {"north": ["us", "ca"], "far": ["kr", "de"]}
    options = of(rng, {}, {"base": "us"}, {"nests": nests}, {"nests": nests, "common_dissimilarity": True})
    formula = of(rng, "pay + cost", "pay + C(place)")
    given = of(rng, {}, {"weights": "w"}, {"weights": "w", "cov": "HC1"}, {"cov": "iid"})
    return _public("fit_choice", choosers(), formula, **names, **options, **given)


@_door
def fit_flows(rng: np.random.Generator) -> Call:
    call = of(
        rng,
        {"formula": "moves ~ log(dist) + contig | origin + destination"},
        {"formula": "moves ~ dist + C(year)"},
        {"formula": "leaving ~ log(dist)", "family": "fractional"},
        {"formula": "log(moves + 1) ~ dist", "family": "gaussian"},
        {"formula": "moves ~ dist", "family": "binomial", "trials": "stock"},
        {"formula": "moves ~ dist", "family": "binomial", "trials": "stock", "link": "probit"},
    )
    call = dict(call)
    cov = of(rng, "HC1", "CR1:origin", "CR1:origin+destination", wg.cov.Dyadic("origin", "destination"))
    return _public("fit_flows", pairs(), call.pop("formula"), **call, **maybe(rng, 0.6, cov=cov))


@_door
def occupation_gravity(rng: np.random.Generator) -> Call:
    names = {"origin": "left", "target": "entered", "flow": "moved"}
    moved = occupations().assign(moved=lambda frame: frame["moved"] + 1)
    return _public("occupation_gravity", moved, "dist", **names, **maybe(rng, 0.3, family="gaussian"))


@_door
def grogger_hanson(rng: np.random.Generator) -> Call:
    names = {
        "origin": "o",
        "destination": "d",
        "movers": ["skilled", "primary"],
        "stayers": ["stay_skilled", "stay_primary"],
        "origin_wages": ["wo_skilled", "wo_primary"],
        "destination_wages": ["wd_skilled", "wd_primary"],
    }
    return _public("grogger_hanson", migrants(), **names, **maybe(rng, 0.7, costs=of(rng, "dist", "log(dist)")))


@_door
def common_correlated_effects(rng: np.random.Generator) -> Call:
    return _public(
        "common_correlated_effects", places(), "y ~ x", unit="unit", period="year", **maybe(rng, 0.3, weights="w")
    )


# selection and linear models -----------------------------------------------------------------------------------------


@_door
def fit_selection(rng: np.random.Generator) -> Call:
    call = of(
        rng,
        ("log(paid) ~ ai", "works ~ ai + z", {}),
        ("log(paid) ~ ai + exper", "works ~ exper + z", {"method": "ml"}),
        ("log(pay) ~ ai", "field ~ exper + z", {"method": "dahl"}),
        ("log(pay) ~ ai", "field ~ exper + z", {"method": "lee"}),
        ("log(pay) ~ ai", "field ~ exper + z", {"method": "dubin-mcfadden"}),
    )
    options = maybe(rng, 0.3, weights="w", cov=of(rng, "HC1", "CR1:psu", wg.cov.Bootstrap(5, rng=1)))
    return _public("fit_selection", workers(), call[0], selection=call[1], **call[2], **options)


@_door
def fit_roy(rng: np.random.Generator) -> Call:
    return _public(
        "fit_roy",
        workers(),
        "log(pay) ~ exper",
        leave="leaves",
        reps=19,
        **maybe(rng, 0.4, parts=3, orders=1, weights="w"),
    )


@_door
def fit_linear(rng: np.random.Generator) -> Call:
    of_units = ("HC1", "iid", "CR1:unit", "CR2:unit")
    over_time = (wg.cov.DriscollKraay("year", 2), wg.cov.NeweyWest("unit", "year", 2), wg.cov.BeckKatz("unit", "year"))
    formula, options, covs = of(
        rng,
        ("y ~ x", {}, of_units + over_time),
        ("y ~ x | unit", {}, of_units + over_time),
        ("y ~ x | unit + year", {}, of_units),
        ("y ~ x", {"model": "between", "unit": "unit"}, ("iid", "HC1")),
        ("y ~ x", {"model": "random", "unit": "unit"}, of_units),
        ("y ~ x", {"model": "differences", "unit": "unit", "period": "year"}, of_units),
        ("y ~ x", {"instruments": "x ~ offer"}, of_units),
        ("y ~ x + C(region)", {"weights": "w"}, ("HC1", "CR1:unit")),
    )
    return _public("fit_linear", places(), formula, **options, **maybe(rng, 0.5, cov=of(rng, *covs)))


@_door
def hausman(rng: np.random.Generator) -> Call:
    fixed, random = _hausman_pair()
    return _public("hausman", fixed, random, **maybe(rng, 0.5, error_variance=of(rng, "own", "fixed", "random")))


@cache
def _hausman_pair() -> tuple[Any, Any]:
    fixed = wg.fit_linear(places(), "y ~ x | unit", cov="iid")
    return fixed, wg.fit_linear(places(), "y ~ x", model="random", unit="unit", cov="iid")


@_door
def wild_bootstrap(rng: np.random.Generator) -> Call:
    multipliers = of(rng, "rademacher", "webb", "mammen")
    options = maybe(rng, 0.3, weights="w", restricted=False, multipliers=multipliers, value=0.5)
    return _public("wild_bootstrap", firms(), "y ~ x + z", "x", cluster="firm", reps=19, **options)


# the link ------------------------------------------------------------------------------------------------------------


@cache
def premiums_and_rates() -> tuple[wg.Estimates, wg.Estimates]:
    """Premiums and rates of twelve countries."""
    table = country_table()
    premiums = wg.Estimates.from_table(table, estimate="b", std_error="se", unit="log")
    rates = pd.concat(
        [
            table.assign(b=table["rate"] / k, se=table["rate_se"], term=term)
            for k, term in ((1, "emigration"), (2, "switching"))
        ]
    )
    return premiums, wg.Estimates.from_table(rates, term="term", unit="share")


@_door
def fit_link(rng: np.random.Generator) -> Call:
    premiums, rates = premiums_and_rates()
    method = of(rng, "auto", "ols", "meta", "eiv", "ml", "york", "simex", "bootstrap", "fractional")
    controls = [""] if method == "york" else ["", " + log(gdp)", " + old"]
    formula = f"emigration ~ premium{of(rng, *controls)}"
    options = {"draws": 9} if method in ("simex", "bootstrap") else {}
    options |= maybe(rng, 0.3, cluster="region", tau2=of(rng, "REML", "DL", "PM"), force=True, on="iso3")
    return _public("fit_link", formula, rates, premiums, data=country_table(), method=method, **options)


@_door
def fit_link_system(rng: np.random.Generator) -> Call:
    premiums, rates = premiums_and_rates()
    formulas = ["emigration ~ premium", of(rng, "switching ~ premium", "switching ~ premium + old")]
    return _public(
        "fit_link_system", formulas, rates, premiums, data=country_table(), **maybe(rng, 0.3, weighting="separate")
    )


@_door
def specification_curve(rng: np.random.Generator) -> Call:
    premiums, rates = premiums_and_rates()
    options = maybe(
        rng,
        0.4,
        controls=["log(gdp)", "old"],
        methods=["ols", "moments", "eiv", "ml"],
        samples={"small": ["KOR", "USA"]},
    )
    return _public(
        "specification_curve", "emigration", rates, {"table": premiums}, data=country_table(), reps=9, **options
    )


@_door
def power(rng: np.random.Generator) -> Call:
    premiums, _ = premiums_and_rates()
    assumed = {"skilled": 0.2, "pay_sd": 0.5, "premium_sd": 0.1}
    known = of(rng, assumed, {"pilot": premiums, "pilot_workers": 80, "premium_sd": 0.1})
    asked = of(rng, {"workers": 500}, {"workers": [400, 900], "slope": 0.1}, {"reliability": 0.8})
    options = maybe(rng, 0.3, controls=1, design_effect=1.5, alpha=0.1, rng=1)
    options |= of(rng, {}, {"rate": 0.05, "skilled": 0.2})
    return _public("power", countries=of(rng, 10, [9, 12]), rate_sd=0.02, draws=9, **{**known, **asked, **options})


# decompositions ------------------------------------------------------------------------------------------------------


def _gap(name: str, rng: np.random.Generator, formula: str, **options: Any) -> Call:
    """A decomposition of workers between women and men."""
    options |= {"rng": options.pop("seed")} if "seed" in options else {}
    return _public(
        name, workers(), formula, group="female", **options, **maybe(rng, 0.4, groups=(1, 0)), **_weights(rng)
    )


@_door
def oaxaca(rng: np.random.Generator) -> Call:
    formula = of(rng, "log(pay) ~ ai + exper", "log(pay) ~ ai + C(educ)", "log(pay) ~ ai + educ + exper")
    reference = of(rng, "A", "B", "pooled", "neumark", "cotton", "reimers", 0.5)
    more = {"normalize": "educ"} if "educ" in formula and rng.random() < 0.5 else {}
    more |= maybe(rng, 0.3, threefold=True, cov=_covariance(rng), by="iso3", convention="stata")
    return _gap("oaxaca", rng, formula, reference=reference, **more)


@_door
def rif_oaxaca(rng: np.random.Generator) -> Call:
    statistic = of(rng, "quantile", "variance", "gini", ["mean", "quantile"])
    more = maybe(
        rng, 0.3, reweight="logit", probs=(0.5,), density="stata", cov=of(rng, "HC1", wg.cov.Bootstrap(5, rng=1))
    )
    return _gap("rif_oaxaca", rng, "log(pay) ~ ai + exper", statistic=statistic, **more)


@_door
def dfl(rng: np.random.Generator) -> Call:
    more = maybe(
        rng,
        0.3,
        sequence=["ai", "exper"],
        reweight="probit",
        reference="B",
        trim=of(rng, "crump", "share"),
        probs=(0.5,),
    )
    return _gap("dfl", rng, "log(pay) ~ ai + exper", **more)


@_door
def counterfactual(rng: np.random.Generator) -> Call:
    model = of(rng, "qr", "logit", "probit", "loc")
    more = maybe(rng, 0.3, bands="pointwise", reference="B")
    return _gap("counterfactual", rng, "log(pay) ~ ai + exper", model=model, probs=(0.25, 0.5), regressions=10, **more)


@_door
def kitagawa(rng: np.random.Generator) -> Call:
    options = maybe(rng, 0.3, detail=of(rng, "factors", "cells", "none"), by="iso3", groups=(1, 0), weights="w")
    return _public("kitagawa", workers(), "leaves", of(rng, "ai", ["ai"]), group="female", **options)


@_door
def fairlie(rng: np.random.Generator) -> Call:
    more = maybe(rng, 0.3, model="probit", order="random", match="draws", reference=of(rng, "B", "pooled"))
    return _gap("fairlie", rng, "works ~ ai + z", reps=9, seed=1, **more)


@_door
def yun(rng: np.random.Generator) -> Call:
    return _gap("yun", rng, "works ~ ai + z", **maybe(rng, 0.3, model="probit", reference="B", by="iso3"))


@_door
def oaxaca_selection(rng: np.random.Generator) -> Call:
    selection = of(rng, "works ~ ai + z", {1: "works ~ ai + z", 0: "works ~ z"})
    return _gap("oaxaca_selection", rng, "log(paid) ~ ai", selection=selection, **maybe(rng, 0.3, threefold=True))


@_door
def oaxaca_offers(rng: np.random.Generator) -> Call:
    return _gap("oaxaca_offers", rng, "log(paid) ~ ai", selection="works ~ ai + z")


# estimates, tables, studies ------------------------------------------------------------------------------------------


@_door
def Estimates__from_table(rng: np.random.Generator) -> Call:
    options = maybe(rng, 0.4, unit=of(rng, "log", "log points"), comparison="others", vcov=np.diag(np.full(12, 0.01)))
    if "vcov" not in options and rng.random() < 0.2:
        options["std_error"] = None
    return _public("Estimates.from_table", country_table(), by=["iso3"], **options)


@_door
def join(rng: np.random.Generator) -> Call:
    premiums, rates = premiums_and_rates()
    return _public("join", premiums, rates, independent=True, **maybe(rng, 0.4, title="Both"))


@_door
def table(rng: np.random.Generator) -> Call:
    premiums, rates = premiums_and_rates()
    options = maybe(rng, 0.3, labels={"premium": "Premium"}, digits=2, stars=True, title="Table", notes=["A note."])
    results = of(rng, [premiums], [premiums, rates], list(_hausman_pair()))
    return _public("table", *results, **options)


def study_entries() -> dict[str, Any]:
    """A study of shipped premiums and rates, as a mapping."""
    return {
        "version": "0.5",
        "title": "Pay and moves",
        "question": "Does pay move people?",
        "watch": ["KOR", "USA"],
        "seed": 1,
        "premiums": {"published": {"label": "Published", "shipped": "published_premiums"}},
        "rates": {"moves": {"label": "Net migration", "shipped": "talent_migration:ai"}},
        "covariates": {"income": {"shipped": "income"}},
        "links": [
            {"name": "published", "rates": "moves", "premiums": "published", "formula": "net_migration ~ premium"}
        ],
    }


_STUDY = """version = "0.5"
title = "Pay and moves"
seed = 1
watch = ["KOR"]
[panels.workers]
path = "workers.csv"
worker = "pid"
country = "iso3"
wage = "pay"
[premiums.ai]
panel = "workers"
formula = "log(pay) ~ ai + exper"
premium = "ai"
by = ["iso3"]
[rates.leaving]
panel = "workers"
events = { leaving = "leaves" }
by = ["iso3"]
[[links]]
name = "leaving"
rates = "leaving"
premiums = "ai"
formula = "leaving ~ premium"
method = "ols"
"""


@_door
def study(rng: np.random.Generator) -> Call:
    if rng.random() < 0.5:
        return _public("study", study_entries())
    Path("workers.csv").write_bytes(_written("csv"))
    Path("study.toml").write_text(_STUDY, encoding="utf-8")
    return _public("study", Path("study.toml"))


@_door
def main(rng: np.random.Generator) -> Call:
    Path("workers.csv").write_bytes(_written("csv"))
    Path("study.toml").write_text(_STUDY, encoding="utf-8")
    return Call("python -m wagegap", _command, ["study.toml", "-o", "report", *of(rng, [], ["-q"])], writes=True)


def _command(*words: Any, **options: Any) -> int:
    """Run the command line: a shell gives text, whatever was meant."""
    from wagegap.__main__ import main as run

    return run([*map(str, words), *(f"--{name}={value}" for name, value in options.items())])


# figures -------------------------------------------------------------------------------------------------------------


@_door
def figures__plot_forest(rng: np.random.Generator) -> Call:
    premiums, _ = premiums_and_rates()
    results = of(rng, premiums, {"premiums": premiums, "again": premiums})
    return _public(
        "figures.plot_forest",
        results,
        **maybe(rng, 0.4, at_most=5, keep=["KOR"], theme="dark", alpha=0.1, watch=("KOR", "United States")),
    )


@_door
def figures__vega_link(rng: np.random.Generator) -> Call:
    from fuzzing.methods import result

    return _public("figures.vega_link", result("link"), **maybe(rng, 0.4, alpha=0.1, watch="KOR", theme="dark"))


@_door
def figures__plot_slopes(rng: np.random.Generator) -> Call:
    premiums, _ = premiums_and_rates()
    return _public(
        "figures.plot_slopes", {"2016": premiums, "2020": premiums}, **maybe(rng, 0.4, at_most=3, watch="KOR")
    )


@_door
def figures__plot_tiles(rng: np.random.Generator) -> Call:
    premiums, _ = premiums_and_rates()
    return _public("figures.plot_tiles", premiums, **maybe(rng, 0.4, watch=("KOR", "Chad"), theme="dark"))


@_door
def figures__plot_corridors(rng: np.random.Generator) -> Call:
    names = {"origin": "origin", "destination": "destination", "flow": "moves"}
    return _public(
        "figures.plot_corridors",
        moves(),
        **names,
        **maybe(rng, 0.4, at_most=4, keep="CAN", highlight=["FRA"], labels={"FRA": "France"}),
    )


@_door
def figures__plot_link(rng: np.random.Generator) -> Call:
    from fuzzing.methods import result

    return _public("figures.plot_link", result("link"), **maybe(rng, 0.5, theme="dark", alpha=0.1, watch="KOR"))


@_door
def figures__plot_transitions(rng: np.random.Generator) -> Call:
    from fuzzing.methods import result

    return _public(
        "figures.plot_transitions",
        result("transitions"),
        **maybe(rng, 0.5, theme="dark", at_most=2),
    )


@_door
def figures__plot_effects(rng: np.random.Generator) -> Call:
    from fuzzing.methods import result

    return _public("figures.plot_effects", result("exits"), **maybe(rng, 0.4, which="elasticities", theme="dark"))


@_door
def figures__plot_incidence(rng: np.random.Generator) -> Call:
    from fuzzing.methods import result

    return _public("figures.plot_incidence", result("hazards"), **maybe(rng, 0.4, theme="dark", stacked=True))


# covariance options --------------------------------------------------------------------------------------------------


@_door
def cov__BeckKatz(rng: np.random.Generator) -> Call:
    return _public("cov.BeckKatz", "unit", "year")


@_door
def cov__Bootstrap(rng: np.random.Generator) -> Call:
    return _public(
        "cov.Bootstrap", 9, **maybe(rng, 0.4, kind="bayesian", cluster="psu", rng=1, strata="strat", workers=2)
    )


@_door
def cov__Conley(rng: np.random.Generator) -> Call:
    return _public("cov.Conley", "lat", "lon", 100.0, **maybe(rng, 0.4, kernel="bartlett", repair="none"))


@_door
def cov__DriscollKraay(rng: np.random.Generator) -> Call:
    return _public("cov.DriscollKraay", "year", 2)


@_door
def cov__Dyadic(rng: np.random.Generator) -> Call:
    return _public("cov.Dyadic", "origin", "destination")


@_door
def cov__NeweyWest(rng: np.random.Generator) -> Call:
    return _public("cov.NeweyWest", "unit", "year", 2)


@_door
def cov__Replicates(rng: np.random.Generator) -> Call:
    return _public("cov.Replicates", ("r1", "r2"), of(rng, "BRR", "JK1", "JK2"), **maybe(rng, 0.3, centre="mean"))


@_door
def cov__Robust(rng: np.random.Generator) -> Call:
    return of(rng, _public("cov.Robust", "CR1", ("psu",)), _public("cov.Robust", "HC1"))


@_door
def cov__Survey(rng: np.random.Generator) -> Call:
    return _public("cov.Survey", "psu", **maybe(rng, 0.4, strata="strat", lonely="adjust"))


@_door
def cov__check_fay(rng: np.random.Generator) -> Call:
    return _public("cov.check_fay", 0.5, "Fay")


@_door
def cov__parse_cov(rng: np.random.Generator) -> Call:
    return _public("cov.parse_cov", of(rng, "HC1", "iid", "CR1:firm+year", wg.cov.Bootstrap(9)))


@_door
def cov__replicate_scale(rng: np.random.Generator) -> Call:
    return _public("cov.replicate_scale", of(rng, "BRR", "JK1"), 8, 0.0, None)


# shipped tables ------------------------------------------------------------------------------------------------------


@_door
def datasets__complete_pairs(rng: np.random.Generator) -> Call:
    return _public(
        "datasets.complete_pairs",
        pairs()[["origin", "destination", "year", "moves"]],
        **maybe(rng, 0.4, countries=4, by_year=False, value="moves"),
    )


@_door
def datasets__country_premiums(rng: np.random.Generator) -> Call:
    return _public("datasets.country_premiums", of(rng, "stack_overflow", "kaggle", "piaac"))


@_door
def datasets__describe(rng: np.random.Generator) -> Call:
    return _public("datasets.describe", of(rng, "licences", "read_distances"))


@_door
def datasets__download(rng: np.random.Generator) -> Call:
    """Nothing answers here: that the address is refused is what is right."""
    return _public(
        "datasets.download",
        "stack_overflow_2019",
        folder=Path(),
        url="http://127.0.0.1:9/file",
        timeout=0.1,
        writes=True,
    )


@_door
def datasets__downloads(rng: np.random.Generator) -> Call:
    return _public("datasets.downloads", folder=Path(), **maybe(rng, 0.4, verify=True))


@_door
def datasets__facts(rng: np.random.Generator) -> Call:
    return _public("datasets.facts", **maybe(rng, 0.6, topic="ai_premium"))


@_door
def datasets__talent_migration(rng: np.random.Generator) -> Call:
    return _public("datasets.talent_migration", of(rng, "ai", "data_science"))


@_door
def datasets__talent_migration_by_year(rng: np.random.Generator) -> Call:
    return _public("datasets.talent_migration_by_year", of(rng, "ai", "data_science"))


def _without_arguments(name: str) -> Door:
    return lambda rng: _public(name)


for _name in ("catalogue", "developer_pay", "income", "published_premiums", "stem_graduates", "table_hashes"):
    _DOORS[f"datasets__{_name}"] = _without_arguments(f"datasets.{_name}")


@_door
def datasets__Source(rng: np.random.Generator) -> Call:
    texts = ("read_it", "what", "file.parquet", "share", "everywhere", "free", "somebody")
    return _public("datasets.Source", *texts, ("a trap",))


def frame_of(name: str) -> pd.DataFrame:
    """A small table by name, for those who replay a case."""
    from fuzzing import samples

    made: pd.DataFrame = getattr(samples, name)()
    return made
