"""What a study can say, as data: kinds of sections, the estimators each can name, the entries that are its own.

Any further entry of a section is an argument of its estimator, by the name that it has there. The check of a study, its
schema, the page of its keys and its carrying out all read this table: nothing is listed twice.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from wagegap.decomposition.distributions.counterfactual import counterfactual
from wagegap.decomposition.distributions.dfl import dfl
from wagegap.decomposition.distributions.rif_oaxaca import rif_oaxaca
from wagegap.decomposition.means.oaxaca import oaxaca
from wagegap.decomposition.means.oaxaca_selection import oaxaca_selection
from wagegap.decomposition.rates.kitagawa import kitagawa
from wagegap.decomposition.rates.rate_gaps import fairlie, yun
from wagegap.errors import StudyError, check_known
from wagegap.panel.load import read_panel
from wagegap.regression.choice.choice import fit_choice
from wagegap.regression.exits.exits import fit_exits
from wagegap.regression.gravity.common_effects import common_correlated_effects
from wagegap.regression.gravity.flows import fit_flows
from wagegap.regression.gravity.grogger_hanson import grogger_hanson
from wagegap.regression.gravity.occupations import occupation_gravity
from wagegap.regression.linear.linear import fit_linear
from wagegap.regression.linear.wild_bootstrap import wild_bootstrap
from wagegap.regression.link.fit import fit_link
from wagegap.regression.link.power import power
from wagegap.regression.link.questions.curve import specification_curve
from wagegap.regression.link.questions.disagreement import disagreement
from wagegap.regression.link.questions.few import few_countries
from wagegap.regression.link.questions.moderate import moderate
from wagegap.regression.link.questions.one_step import one_step
from wagegap.regression.link.questions.outlier import outlier
from wagegap.regression.link.questions.pooling import pool
from wagegap.regression.link.questions.predict import predict
from wagegap.regression.link.questions.sensitivity import sensitivity
from wagegap.regression.link.questions.swap import swap
from wagegap.regression.link.system import fit_link_system
from wagegap.regression.premiums.premium import fit_premiums
from wagegap.regression.rates.mobility import fit_rates
from wagegap.regression.rates.stocks import stock_rates
from wagegap.regression.rates.transitions import fit_transitions
from wagegap.regression.selection.roy import fit_roy
from wagegap.regression.selection.selection import fit_selection
from wagegap.report.caution import examine
from wagegap.report.figures import (
    plot_corridors,
    plot_effects,
    plot_forest,
    plot_incidence,
    plot_link,
    plot_slopes,
    plot_tiles,
    plot_transitions,
)
from wagegap.report.published import published
from wagegap.report.table import table

__all__ = ["CAUTION", "COMMON", "KINDS", "PUBLISHED", "Kind", "estimator_of"]

COMMON = ("label", "title", "source")
"""Entries of every section: what it is called in sentences, its heading in the report, where its data come from."""


PUBLISHED = published
"""What reads premiums and rates that a section takes from a table of published figures."""


@dataclass(frozen=True, slots=True, eq=False)
class Kind:
    """A kind of section.

    Attributes
    ----------
    name : str
        Of the sections: `[premiums.NAME]`, or `[[links]]` where they are `listed`.
    about : str
        What it is for, in one line.
    estimators : mapping of str to callable
        What it can name; the first one is meant where it names none.
    chosen_by : str
        The entry that names one.
    places : tuple of str
        Entries of which one says where its data come from; empty where other sections do.
    takes : tuple of str
        Entries of its own, beyond the common ones, `places` and the arguments of its estimator.
    needs : tuple of str
        Entries that cannot be left out.
    refers : mapping of str to str
        Entries that name another section, and the kind that it is of.
    renamed : mapping of str to str
        Entries that are not called what the argument is that they give.
    filled : tuple of str
        Arguments of estimators that the places, or other entries, give: no entries themselves.
    besides : mapping of str to tuple of str
        Entries that a section needs beside the arguments of an estimator, by its name.
    countries : tuple of str
        Entries that hold countries, by name or code.
    listed : bool
        Whether the sections are a list, `[[links]]`, each with a `name`.
    """

    name: str
    about: str
    estimators: Mapping[str, Callable[..., Any]]
    chosen_by: str = "estimator"
    places: tuple[str, ...] = ()
    takes: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()
    refers: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    renamed: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    filled: tuple[str, ...] = ("data",)
    besides: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: MappingProxyType({}))
    countries: tuple[str, ...] = ()
    listed: bool = False


def _by_name(*estimators: Callable[..., Any]) -> Mapping[str, Callable[..., Any]]:
    return MappingProxyType({estimator.__name__: estimator for estimator in estimators})


_OF_PANEL = MappingProxyType({"panel": "panels"})
_OF_LINK = MappingProxyType({"rates": "rates", "premiums": "premiums", "covariates": "covariates"})

KINDS: Mapping[str, Kind] = MappingProxyType({kind.name: kind for kind in (
    Kind(
        "panels", "A table of workers, read from a file; with `transitions` who is abroad or in another field next.",
        _by_name(read_panel), places=("path",), takes=("transitions",), needs=("path",),
        filled=("source",),
    ),
    Kind(
        "covariates", "A table of controls by country, read from a file or shipped.", _by_name(read_panel),
        places=("path", "shipped"), filled=("source",),
    ),
    Kind(
        "premiums", "Wage premiums by country: estimated from a panel, shipped, or published figures of a file.",
        _by_name(fit_premiums, fit_selection), places=("panel", "shipped", "path"), refers=_OF_PANEL,
        besides=MappingProxyType({"fit_selection": ("premium",)}),
    ),
    Kind(
        "rates", "Rates of leaving by country: counted in a panel, shipped, or published figures of a file.",
        _by_name(fit_rates, stock_rates, fit_transitions), places=("panel", "shipped", "path"), refers=_OF_PANEL,
        filled=("data", "table"),
    ),
    Kind(
        "gaps", "A gap of pay or of rates between two groups, taken apart.",
        _by_name(oaxaca, oaxaca_selection, rif_oaxaca, dfl, counterfactual, kitagawa, fairlie, yun),
        places=("panel",), needs=("panel",), refers=_OF_PANEL,
    ),
    Kind(
        "exits", "Who leaves, how, and on what it depends.", _by_name(fit_exits, fit_roy), places=("panel",),
        needs=("panel",), refers=MappingProxyType({"panel": "panels", "premiums": "premiums"}),
    ),
    Kind(
        "flows", "Flows between places, or the choice of one.",
        _by_name(fit_flows, fit_choice, grogger_hanson, occupation_gravity), places=("panel",), needs=("panel",),
        refers=_OF_PANEL,
    ),
    Kind(
        "models", "A linear model of a panel, with effects or instruments; a test of it with few clusters.",
        _by_name(fit_linear, common_correlated_effects, wild_bootstrap), places=("panel",), needs=("panel",),
        refers=_OF_PANEL,
    ),
    Kind(
        "links", "How rates go with premiums across countries, with the errors of both carried along.",
        _by_name(fit_link), takes=("name", "rates", "premiums", "covariates", "max_std_error", "leave_out",
                                   "without_cross_block", "sensitivity"),
        needs=("name", "rates", "premiums", "formula"),
        refers=MappingProxyType({**_OF_LINK, "workers": "panels"}), filled=("data", "progress"),
        countries=("leave_out",), listed=True,
    ),
    Kind(
        "systems", "Several rates on premiums at once, with the joint covariance of their slopes.",
        _by_name(fit_link_system), takes=("rates", "premiums", "covariates"),
        needs=("rates", "premiums", "formulas"), refers=_OF_LINK,
    ),
    Kind(
        "curves", "One slope under every defensible choice: premiums, controls, estimators, samples.",
        _by_name(specification_curve), takes=("rates", "premiums", "covariates"),
        needs=("outcome", "rates", "premiums"), refers=_OF_LINK,
        filled=("data", "progress"),
    ),
    Kind(
        "questions", "A question asked of a link, or of a design before data are bought (`power`).",
        _by_name(predict, outlier, few_countries, moderate, swap, one_step, pool, disagreement, sensitivity, power),
        chosen_by="ask", takes=("name",), needs=("ask",),
        refers=MappingProxyType({"link": "links", "data": "covariates", "workers": "panels", "swap_in": "premiums"}),
        renamed=MappingProxyType({"swap_in": "premiums"}), filled=(), countries=("country", "premium"), listed=True,
    ),
    Kind(
        "tables", "One table of several results.", _by_name(table), takes=("name", "of"), needs=("name", "of"),
        filled=("results",), listed=True,
    ),
    Kind(
        "figures", "One figure of several results.",
        MappingProxyType({
            "forest": plot_forest, "link": plot_link, "effects": plot_effects, "incidence": plot_incidence,
            "transitions": plot_transitions, "corridors": plot_corridors, "slopes": plot_slopes, "tiles": plot_tiles,
        }),
        chosen_by="plot", takes=("name", "of"), needs=("name", "plot", "of"),
        filled=("results", "link", "fits", "transitions", "flows", "ax"), listed=True,
    ),
)})  # fmt: skip
"""Kinds of sections by name, in the order in which they are carried out."""

CAUTION = Kind(
    "caution", "What a few published premiums and one year's rates can and cannot show: one section, without a name.",
    _by_name(examine), takes=("premiums", "flows", "year", "without"), needs=("premiums", "flows", "year", "without"),
    refers=MappingProxyType({"premiums": "premiums"}), filled=("label", "outcome"), countries=("without",),
)  # fmt: skip
"""The one section that is no list and has no name."""


def estimator_of(kind: str, entries: Mapping[str, Any], where: str = "") -> Callable[..., Any]:
    """Return what a section is given to: what it names, what reads published figures, or the kind's first.

    >>> estimator_of("gaps", {}).__name__, estimator_of("gaps", {"estimator": "yun"}).__name__
    ('oaxaca', 'yun')

    Raises
    ------
    StudyError
        For an estimator that the kind does not have.
    """
    known, chosen_by = KINDS[kind].estimators, KINDS[kind].chosen_by
    if chosen_by not in entries:
        return PUBLISHED if kind in ("premiums", "rates") and "path" in entries else next(iter(known.values()))
    name = entries[chosen_by]
    check_known([name], known, lambda odd, hint: StudyError(
        f"{where or f'[{kind}]'}: {chosen_by} = {odd!r} is not known.{hint} Known: {', '.join(known)}."
    ))  # fmt: skip
    return known[name]
