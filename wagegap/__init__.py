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
    "fit_premiums": "wagegap.regression.premiums.premium",
    "fit_rates": "wagegap.regression.rates.mobility",
    "fit_choice": "wagegap.regression.choice.choice",
    "fit_flows": "wagegap.regression.gravity.flows",
    "fit_linear": "wagegap.regression.linear.linear",
    "hausman": "wagegap.regression.linear.linear",
    "fit_link": "wagegap.regression.link.fit",
    "fit_link_system": "wagegap.regression.link.system",
    "specification_curve": "wagegap.regression.link.questions.curve",
    "oaxaca": "wagegap.decomposition.means.oaxaca",
    "rif_oaxaca": "wagegap.decomposition.distributions.rif_oaxaca",
    "dfl": "wagegap.decomposition.distributions.dfl",
    "counterfactual": "wagegap.decomposition.distributions.counterfactual",
    "kitagawa": "wagegap.decomposition.rates.kitagawa",
    "fairlie": "wagegap.decomposition.rates.rate_gaps",
    "yun": "wagegap.decomposition.rates.rate_gaps",
    "fit_exits": "wagegap.regression.exits.exits",
    "fit_selection": "wagegap.regression.selection.selection",
    "oaxaca_offers": "wagegap.decomposition.means.oaxaca_selection",
    "fit_roy": "wagegap.regression.selection.roy",
    "fit_transitions": "wagegap.regression.rates.standardise",
    "stock_rates": "wagegap.regression.rates.standardise",
    "grogger_hanson": "wagegap.regression.gravity.grogger_hanson",
    "occupation_gravity": "wagegap.regression.gravity.occupations",
    "common_correlated_effects": "wagegap.regression.gravity.common_effects",
    "wild_bootstrap": "wagegap.regression.linear.wild_bootstrap",
    "table": "wagegap.report.table",
    "study": "wagegap.report.study",
}
_ROOMS = {
    "cov": "wagegap.estimation.covariance.options",
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
    from wagegap.decomposition.distributions.counterfactual import counterfactual as counterfactual
    from wagegap.decomposition.distributions.dfl import dfl as dfl
    from wagegap.decomposition.distributions.rif_oaxaca import rif_oaxaca as rif_oaxaca
    from wagegap.decomposition.means.oaxaca import oaxaca as oaxaca
    from wagegap.decomposition.means.oaxaca_selection import oaxaca_offers as oaxaca_offers
    from wagegap.decomposition.rates.kitagawa import kitagawa as kitagawa
    from wagegap.decomposition.rates.rate_gaps import fairlie as fairlie
    from wagegap.decomposition.rates.rate_gaps import yun as yun
    from wagegap.estimation.covariance import options as cov
    from wagegap.estimation.estimates import Estimates as Estimates
    from wagegap.estimation.estimates import join as join
    from wagegap.panel.load import read_panel as read_panel
    from wagegap.panel.panel import Panel as Panel
    from wagegap.panel.simulate import simulate_panel as simulate_panel
    from wagegap.regression.choice.choice import fit_choice as fit_choice
    from wagegap.regression.exits.exits import fit_exits as fit_exits
    from wagegap.regression.gravity.common_effects import common_correlated_effects as common_correlated_effects
    from wagegap.regression.gravity.flows import fit_flows as fit_flows
    from wagegap.regression.gravity.grogger_hanson import grogger_hanson as grogger_hanson
    from wagegap.regression.gravity.occupations import occupation_gravity as occupation_gravity
    from wagegap.regression.linear.linear import fit_linear as fit_linear
    from wagegap.regression.linear.linear import hausman as hausman
    from wagegap.regression.linear.wild_bootstrap import wild_bootstrap as wild_bootstrap
    from wagegap.regression.link.fit import fit_link as fit_link
    from wagegap.regression.link.questions.curve import specification_curve as specification_curve
    from wagegap.regression.link.system import fit_link_system as fit_link_system
    from wagegap.regression.premiums.premium import fit_premiums as fit_premiums
    from wagegap.regression.rates.mobility import fit_rates as fit_rates
    from wagegap.regression.rates.standardise import fit_transitions as fit_transitions
    from wagegap.regression.rates.standardise import stock_rates as stock_rates
    from wagegap.regression.selection.roy import fit_roy as fit_roy
    from wagegap.regression.selection.selection import fit_selection as fit_selection
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
