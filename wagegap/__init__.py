"""Does pay move people? Wage premiums, emigration and field switching across countries.

Premiums are estimated, and so are rates; their joint covariance reaches the last regression and the last figure. Names
are loaded on first use, so that importing the package costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.3.0"

_HOME = {
    "read_panel": "wagegap.panel.load",
    "Panel": "wagegap.panel.panel",
    "simulate_panel": "wagegap.panel.simulate",
    "Estimates": "wagegap.estimation.estimates",
    "join": "wagegap.estimation.estimates",
    "fit_premiums": "wagegap.regression.premium",
    "fit_rates": "wagegap.regression.mobility",
    "fit_choice": "wagegap.regression.choice",
    "fit_flows": "wagegap.regression.flows",
    "fit_linear": "wagegap.regression.linear",
    "hausman": "wagegap.regression.linear",
    "fit_link": "wagegap.regression.link",
    "fit_link_system": "wagegap.regression.link",
    "specification_curve": "wagegap.regression.link",
    "oaxaca": "wagegap.decomposition.oaxaca",
    "rif_oaxaca": "wagegap.decomposition.rif_oaxaca",
    "dfl": "wagegap.decomposition.dfl",
    "counterfactual": "wagegap.decomposition.counterfactual",
    "kitagawa": "wagegap.decomposition.kitagawa",
    "fairlie": "wagegap.decomposition.rates",
    "yun": "wagegap.decomposition.rates",
    "fit_exits": "wagegap.regression.exits",
    "fit_selection": "wagegap.regression.selection",
    "oaxaca_offers": "wagegap.decomposition.offers",
    "fit_roy": "wagegap.regression.roy",
    "fit_transitions": "wagegap.regression.standardisation",
    "stock_rates": "wagegap.regression.standardisation",
    "grogger_hanson": "wagegap.regression.grogger_hanson",
    "occupation_gravity": "wagegap.regression.occupations",
    "common_correlated_effects": "wagegap.regression.common_effects",
    "wild_bootstrap": "wagegap.regression.wild",
    "table": "wagegap.report.table",
    "study": "wagegap.report.study",
}
_ROOMS = {
    "cov": "wagegap.estimation.cov",
    "datasets": "wagegap.datasets",
    "errors": "wagegap.errors",
    "figures": "wagegap.report.figures",
}

__all__ = [
    "Estimates",
    "Panel",
    "common_correlated_effects",
    "counterfactual",
    "cov",
    "datasets",
    "dfl",
    "errors",
    "fairlie",
    "figures",
    "fit_choice",
    "fit_exits",
    "fit_flows",
    "fit_linear",
    "fit_link",
    "fit_link_system",
    "fit_premiums",
    "fit_rates",
    "fit_roy",
    "fit_selection",
    "fit_transitions",
    "grogger_hanson",
    "hausman",
    "join",
    "kitagawa",
    "oaxaca",
    "oaxaca_offers",
    "occupation_gravity",
    "read_panel",
    "rif_oaxaca",
    "simulate_panel",
    "specification_curve",
    "stock_rates",
    "study",
    "table",
    "wild_bootstrap",
    "yun",
]

if TYPE_CHECKING:
    from wagegap import datasets as datasets
    from wagegap import errors as errors
    from wagegap.decomposition.counterfactual import counterfactual as counterfactual
    from wagegap.decomposition.dfl import dfl as dfl
    from wagegap.decomposition.kitagawa import kitagawa as kitagawa
    from wagegap.decomposition.oaxaca import oaxaca as oaxaca
    from wagegap.decomposition.offers import oaxaca_offers as oaxaca_offers
    from wagegap.decomposition.rates import fairlie as fairlie
    from wagegap.decomposition.rates import yun as yun
    from wagegap.decomposition.rif_oaxaca import rif_oaxaca as rif_oaxaca
    from wagegap.estimation import cov as cov
    from wagegap.estimation.estimates import Estimates as Estimates
    from wagegap.estimation.estimates import join as join
    from wagegap.panel.load import read_panel as read_panel
    from wagegap.panel.panel import Panel as Panel
    from wagegap.panel.simulate import simulate_panel as simulate_panel
    from wagegap.regression.choice import fit_choice as fit_choice
    from wagegap.regression.common_effects import common_correlated_effects as common_correlated_effects
    from wagegap.regression.exits import fit_exits as fit_exits
    from wagegap.regression.flows import fit_flows as fit_flows
    from wagegap.regression.grogger_hanson import grogger_hanson as grogger_hanson
    from wagegap.regression.linear import fit_linear as fit_linear
    from wagegap.regression.linear import hausman as hausman
    from wagegap.regression.link import fit_link as fit_link
    from wagegap.regression.link import fit_link_system as fit_link_system
    from wagegap.regression.link import specification_curve as specification_curve
    from wagegap.regression.mobility import fit_rates as fit_rates
    from wagegap.regression.occupations import occupation_gravity as occupation_gravity
    from wagegap.regression.premium import fit_premiums as fit_premiums
    from wagegap.regression.roy import fit_roy as fit_roy
    from wagegap.regression.selection import fit_selection as fit_selection
    from wagegap.regression.standardisation import fit_transitions as fit_transitions
    from wagegap.regression.standardisation import stock_rates as stock_rates
    from wagegap.regression.wild import wild_bootstrap as wild_bootstrap
    from wagegap.report import figures as figures
    from wagegap.report.study import study as study
    from wagegap.report.table import table as table


def __getattr__(name: str) -> Any:
    if name in _HOME:
        value = getattr(import_module(_HOME[name]), name)
    elif name in _ROOMS:
        value = import_module(_ROOMS[name])
    else:
        from wagegap.errors import did_you_mean

        raise AttributeError(f"wagegap has no {name!r}.{did_you_mean(name, __all__)}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
