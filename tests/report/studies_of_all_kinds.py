"""One valid section of each kind and estimator, with the tables that they are of: for tests of what a study can say."""

from __future__ import annotations

import copy
import sys
from pathlib import Path

import wagegap as wg

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tools"))

from fuzzing import samples

GROUP = {"group": "female"}
ROWS = ("workers", "exit_rows", "choosers", "pairs", "occupations", "places", "firms", "migrants")

SECTIONS = {
    ("panels", "read_panel"): {
        "path": "w.csv", "worker": "pid", "country": "iso3", "period": "year", "wage": "hourly_wage",
        "worker_scope": "global", "field": "field", "transitions": {"horizon": 1}, "label": "Workers",
        "source": "A survey.", "title": "The workers", "replicate_weights": "weig", "replicate_kind": "BRR",
    },
    ("covariates", "read_panel"): {"path": "country_table.csv", "country": "iso3", "units": {"rate": "share"}},
    ("premiums", "fit_premiums"): {
        "panel": "w", "formula": "log(hourly_wage) ~ ai + C(educ) + exper | field^year + iso3", "premium": "ai",
        "subpop": "female == 1 and year >= 2020", "cov": "CR1:psu", "weights": "weight",
    },
    ("premiums", "fit_selection"): {
        "panel": "workers", "estimator": "fit_selection", "formula": "log(paid) ~ ai + exper",
        "selection": "~ ai + z", "premium": "ai",
    },
    ("rates", "fit_rates"): {
        "panel": "w", "events": {"emigration": "abroad_next", "switching": "new_field_next == 1"}, "among": "ai",
    },
    ("rates", "stock_rates"): {
        "path": "country_table.csv", "estimator": "stock_rates", "abroad_error": "part_se",
    },
    ("rates", "fit_transitions"): {
        "panel": "w", "estimator": "fit_transitions", "origin": "field", "destination": "next_field", "by": ["iso3"],
    },
    ("gaps", "oaxaca"): {
        "panel": "workers", "formula": "log(pay) ~ ai + C(educ)", "normalize": ["C(educ)"], **GROUP,
    },
    ("gaps", "oaxaca_selection"): {
        "panel": "workers", "estimator": "oaxaca_selection", "formula": "log(paid) ~ ai",
        "selection": "works ~ ai + z", **GROUP,
    },
    ("gaps", "rif_oaxaca"): {
        "panel": "workers", "estimator": "rif_oaxaca", "formula": "log(pay) ~ ai + exper", "probs": [0.5],
        "propensity": "ai * exper", "reweight": "logit", **GROUP,
    },
    ("gaps", "dfl"): {"panel": "workers", "estimator": "dfl", "formula": "log(pay) ~ ai + exper", **GROUP},
    ("gaps", "counterfactual"): {
        "panel": "workers", "estimator": "counterfactual", "formula": "log(pay) ~ ai + exper", "probs": 0.5, **GROUP,
    },
    ("gaps", "kitagawa"): {
        "panel": "workers", "estimator": "kitagawa", "outcome": "leaves", "factors": ["ai", "educ"], **GROUP,
    },
    ("gaps", "fairlie"): {"panel": "workers", "estimator": "fairlie", "formula": "works ~ ai + z", "rng": 1, **GROUP},
    ("gaps", "yun"): {"panel": "workers", "estimator": "yun", "formula": "works ~ ai + z", **GROUP},
    ("exits", "fit_exits"): {"panel": "exit_rows", "formula": "how ~ skill + pay", "model": "multinomial"},
    ("exits", "fit_roy"): {
        "panel": "workers", "estimator": "fit_roy", "formula": "log(pay)", "leave": "leaves > 0", "orders": [1, 2],
    },
    ("flows", "fit_flows"): {
        "panel": "pairs", "formula": "moves ~ log(dist) + offset(log(stock)) | origin + destination^year",
    },
    ("flows", "fit_choice"): {
        "panel": "choosers", "estimator": "fit_choice", "formula": "pay + cost", "chooser": "who",
        "alternative": "place", "chosen": "took", "nests": {"north": ["us", "ca"], "far": ["kr", "de"]},
    },
    ("flows", "grogger_hanson"): {
        "panel": "migrants", "estimator": "grogger_hanson", "origin": "o", "destination": "d",
        "movers": ["skilled", "primary"], "stayers": ["stay_skilled", "stay_primary"],
        "origin_wages": ["wo_skilled", "wo_primary"], "destination_wages": ["wd_skilled", "wd_primary"],
        "costs": "log(dist)",
    },
    ("flows", "occupation_gravity"): {
        "panel": "occupations", "estimator": "occupation_gravity", "distance": "dist", "origin": "left",
        "target": "entered", "flow": "moved",
    },
    ("models", "fit_linear"): {"panel": "places", "formula": "y ~ x", "instruments": "x ~ offer"},
    ("models", "common_correlated_effects"): {
        "panel": "places", "estimator": "common_correlated_effects", "formula": "y ~ x", "unit": "unit",
        "period": "year",
    },
    ("models", "wild_bootstrap"): {
        "panel": "firms", "estimator": "wild_bootstrap", "formula": "y ~ x + z", "hypothesis": "x", "cluster": "row",
    },
    ("links", "fit_link"): {
        "name": "main", "rates": "leaving", "premiums": "ai", "formula": "emigration ~ premium + old",
        "covariates": "countries", "leave_out": ["South Korea", "usa"], "max_std_error": 0.5, "sensitivity": True,
        "without_cross_block": False, "label": "Pay and leaving", "method": "ml",
    },
    ("systems", "fit_link_system"): {
        "rates": "leaving", "premiums": "ai", "formulas": ["emigration ~ premium", "switching ~ premium"],
    },
    ("curves", "specification_curve"): {
        "outcome": "emigration", "rates": "leaving", "premiums": ["ai", "second"], "covariates": "countries",
        "controls": ["old", "log(gdp)"], "samples": {"without Korea": ["KOR"]},
    },
    ("questions", "predict"): {"ask": "predict", "link": "main", "country": "south korea", "premium": 0.2},
    ("questions", "outlier"): {"ask": "outlier", "link": "main_without", "country": "KOR", "name": "odd"},
    ("questions", "few_countries"): {"ask": "few_countries", "link": "main", "reps": 99},
    ("questions", "moderate"): {"ask": "moderate", "link": "main", "trait": "old", "data": "countries"},
    ("questions", "swap"): {"ask": "swap", "link": "main", "swap_in": "second", "names": ["one", "two"]},
    ("questions", "one_step"): {
        "ask": "one_step", "link": "main", "workers": "w", "event": "abroad_next", "skill": "ai",
    },
    ("questions", "pool"): {"ask": "pool", "link": "main"},
    ("questions", "disagreement"): {"ask": "disagreement", "link": "main", "by": "region", "data": "countries"},
    ("questions", "sensitivity"): {"ask": "sensitivity", "link": "main", "correlations": [0.0, 0.5]},
    ("questions", "power"): {"ask": "power", "workers": 500, "skilled": 0.2, "pay_sd": 0.5, "countries": [9, 12]},
    ("tables", "table"): {"name": "both", "of": ["ai", "main"], "digits": 2, "labels": {"ai": "AI"}},
    ("figures", "forest"): {"name": "f1", "plot": "forest", "of": "ai", "keep": ["KOR"]},
    ("figures", "link"): {"name": "f2", "plot": "link", "of": ["main"]},
    ("figures", "effects"): {"name": "f3", "plot": "effects", "of": ["stayed"], "which": "effects"},
    ("figures", "incidence"): {"name": "f4", "plot": "incidence", "of": ["stayed"], "stacked": True},
    ("figures", "transitions"): {"name": "f5", "plot": "transitions", "of": ["moves"]},
    ("figures", "corridors"): {
        "name": "f6", "plot": "corridors", "of": "flowing", "origin": "o", "destination": "d", "flow": "n",
    },
    ("figures", "slopes"): {"name": "f7", "plot": "slopes", "of": "ai", "over": "year", "watch": ["KOR"]},
    ("figures", "tiles"): {"name": "f8", "plot": "tiles", "of": "ai", "theme": "dark"},
    ("caution", "examine"): {
        "premiums": "published", "flows": "talent_migration_by_year:ai", "year": 2019, "without": "Korea",
    },
}  # fmt: skip
"""Entries by kind and estimator."""

NAMES = {
    ("premiums", "fit_premiums"): "ai", ("premiums", "fit_selection"): "second", ("rates", "fit_rates"): "leaving",
    ("panels", "read_panel"): "w", ("covariates", "read_panel"): "countries", ("exits", "fit_exits"): "stayed",
    ("rates", "fit_transitions"): "moves", ("flows", "fit_flows"): "flowing",
}  # fmt: skip
"""What sections are called to which others refer."""

TOP = {
    "version": "0.8", "title": "Everything", "question": "Does it hold?", "author": ["A", "B"], "notes": "None.",
    "watch": ["South Korea"], "seed": 3, "answer": "main",
}  # fmt: skip


def everything():
    """One study with a section of every kind and estimator."""
    content = {**TOP, "panels": {name: {"path": f"{name}.csv"} for name in ROWS}}
    content["premiums"] = {
        "published": {"shipped": "published_premiums"},
        "of_a_file": {"path": "country_table.csv", "by": "iso3", "estimate": "b", "unit": "log", "label": "Figures"},
    }
    for (kind, estimator), entries in copy.deepcopy(SECTIONS).items():
        if kind in ("links", "questions", "tables", "figures"):
            content.setdefault(kind, []).append(entries)
        elif kind == "caution":
            content[kind] = entries
        else:
            content.setdefault(kind, {})[NAMES.get((kind, estimator), estimator)] = entries
    return content


def place_of(content, kind, estimator):
    """What leads to the section of a kind and estimator, and its entries."""
    if kind == "caution":
        return (kind,), content[kind]
    if isinstance(content[kind], list):
        number = [one for of_kind, one in SECTIONS if of_kind == kind].index(estimator)
        return (kind, number), content[kind][number]
    name = NAMES.get((kind, estimator), estimator)
    return (kind, name), content[kind][name]


def write_tables(folder):
    """Write the tables that the sections are of."""
    made = wg.simulate_panel(
        countries=12, workers=120, premium_sd=0.2, link_slope=-0.2, link_intercept=0.25, rng=3
    ).panel
    made.frame.drop(columns=["abroad_next", "new_field_next"]).to_csv(folder / "w.csv", index=False)
    for name in (*ROWS, "country_table"):
        getattr(samples, name)().to_csv(folder / f"{name}.csv", index=False)
