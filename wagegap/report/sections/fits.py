"""Any other fit of a study: gaps, exits, flows, models, systems of links, specification curves."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from wagegap._display.numbers import spaced
from wagegap._display.sentences import Quantity, Scale, say
from wagegap.decomposition.result import Decomposition
from wagegap.errors import OptionError, ReliabilityError
from wagegap.estimation.result import Result
from wagegap.estimation.units import spoken_change
from wagegap.regression.exits.exits import Exits
from wagegap.regression.linear.wild_bootstrap import WildBootstrap
from wagegap.regression.link.questions.curve import SpecificationCurve
from wagegap.regression.link.system import LinkSystem
from wagegap.report.findings import Finding, Part, Section
from wagegap.report.kinds import COMMON, KINDS, estimator_of
from wagegap.report.sections.context import Context, call, label_of, source_in, title_of
from wagegap.report.sections.frames import frame_of, notes_of
from wagegap.report.sections.pictures import picture_of
from wagegap.report.study_file import without
from wagegap.report.table import table

__all__ = ["fit_part"]

_MOST = 3
"""Coefficients that a sentence holds."""


def fit_part(kind: str, name: str, entries: Mapping[str, Any], context: Context) -> Part:
    """Carry out a section of any kind whose result is a table, a sentence and a figure."""
    where, title = f"[{kind}.{name}]", title_of(entries, name)
    key = f"{kind}_{name}"
    estimator = estimator_of(kind, entries, where)
    try:
        result = call(where, estimator, *_given(kind, entries, context, where),
                      **_arguments(kind, entries, context, where))  # fmt: skip
    except ReliabilityError as error:
        finding = Finding(title, f"No estimate is given: {error.finding}", "refused")
        return Part(Section(key, kind, title, lead=finding.text, findings=(finding,), methods=(estimator.__name__,)))
    lead = lead_of(result, label_of(entries, name))
    pictures = {key: picture_of(_drawn(result), title)} if callable(getattr(result, "plot", None)) else {}
    tables = {key: table(result, title=title)} if isinstance(result, Result) else {}
    section = Section(
        key, kind, title, lead=lead, findings=(Finding(title, lead),), figures=tuple(pictures), tables=tuple(tables),
        frame=frame_of(result) if isinstance(result, Result) else result.tidy(), notes=notes_of(result),
        source=source_in(entries), methods=(estimator.__name__,),
    )  # fmt: skip
    return Part.drawn(section, pictures, tables=tables, result=result)


def _given(kind: str, entries: Mapping[str, Any], context: Context, where: str) -> list[Any]:
    """Data of a fit: a panel; rates and premiums behind formulas."""
    if kind == "systems":
        return [entries["formulas"], *(context.result(one, entries[one], where) for one in ("rates", "premiums"))]
    if kind == "curves":
        return []
    return [context.result("panels", entries["panel"], where)]


def _arguments(kind: str, entries: Mapping[str, Any], context: Context, where: str) -> dict[str, Any]:
    """Entries as arguments of the estimator."""
    own = (*COMMON, *KINDS[kind].places, *KINDS[kind].takes, KINDS[kind].chosen_by, "formulas")
    options = without(entries, *own)
    if kind in ("systems", "curves") and "covariates" in entries:
        options["data"] = context.result("covariates", entries["covariates"], where)
    if kind == "exits" and "premiums" in entries:
        options["premiums"] = context.result("premiums", entries["premiums"], where)
    if kind == "curves":
        options["rates"] = context.result("rates", entries["rates"], where)
        names = [entries["premiums"]] if isinstance(entries["premiums"], str) else entries["premiums"]
        options["premiums"] = {spaced(name): context.result("premiums", name, where) for name in names}
    return options


def _drawn(result: Any) -> Any:
    """A gap as steps from its parts to the whole, where there is one gap; anything else as it is drawn."""
    one_gap = isinstance(result, Decomposition)
    try:
        return result.plot(kind="waterfall") if one_gap else result.plot()
    except OptionError:  # several comparisons or statistics, of which there is no waterfall
        return result.plot()


# in words ------------------------------------------------------------------------------------------------------------


def lead_of(result: Any, label: str) -> str:
    """Say a result in a sentence: a gap and its parts, or its first coefficients with their intervals."""
    if isinstance(result, SpecificationCurve | WildBootstrap):
        return result.in_words()
    if isinstance(result, LinkSystem) and result.links:
        return " ".join(f"{spaced(name).capitalize()}: {link.slope_in_words()}." for name, link in result.links.items())
    shown = result.of_exit("effects", None)[0] if isinstance(result, Exits) and result.effects is not None else result
    frame = frame_of(shown)
    unit = str(frame["unit"].iloc[0]) if "unit" in frame else result.unit
    if "component" in frame:
        title = result.heading() if isinstance(result, Decomposition) else result.title
        return _gap_in_words(frame[frame["term"] == "total"], unit, title or label)
    frame = frame[(frame["term"] != "Intercept") & (frame.get("unit", unit) == unit)]
    scale, numbers, stated = _change(unit), dict[str, Quantity | str](), []
    for i, row in enumerate(frame.head(_MOST).to_dict("records")):
        stated.append(f"{{term_{i}}} {{value_{i}}}{f' ({{interval_{i}}})' if np.isfinite(row['conf_low']) else ''}")
        numbers[f"term_{i}"] = _cell(row)
        numbers[f"value_{i}"] = scale.change(row["estimate"])
        numbers[f"interval_{i}"] = scale.interval(row["conf_low"], row["conf_high"])
    more = f"; {len(frame) - _MOST} further estimates" if len(frame) > _MOST else ""
    return say(f"{{label}}: {', '.join(stated)}{more}.", label=label, **numbers)


def _cell(row: Mapping[Any, Any]) -> str:
    """What a coefficient is of: the name of the country where it has one, and its term."""
    exit = f"{row['exit']}:" if "exit" in row else ""
    return " ".join(str(word) for word in (row.get("country", ""), exit, row["term"]) if word)


def _change(unit: str) -> Scale:
    return Scale(*spoken_change(unit)) if unit not in ("none", "") else Scale(1.0, "")


def _gap_in_words(totals: pd.DataFrame, unit: str, title: str) -> str:
    """Say the whole gap with its interval and how much each part is; of several cells the range of the whole.

    Of several statistics, which have no one scale, the first is said.
    """
    if "measure" in totals and totals["measure"].nunique() > 1:
        first = totals["measure"].iloc[0]
        title = f"{title.rpartition(' (')[0] or title}; {first} ("
        totals = totals[totals["measure"] == first]
    whole = totals[totals["component"] == "difference"]
    if len(whole) == 0:
        whole = totals.head(1)
    scale, heading = _change(unit), title.rpartition(" (")[0] or title
    if len(whole) > 1:
        ends = scale.interval(whole["estimate"].min(), whole["estimate"].max(), bare=False)
        return say("{heading}: from {ends} across {n} cells.", heading=heading, ends=ends, n=len(whole))
    row = whole.iloc[0]
    rest = totals[totals["component"] != row["component"]]
    parts = [f"{{name_{i}}} {{part_{i}}}" for i in range(len(rest))]
    numbers: dict[str, Quantity | str] = {f"name_{i}": str(name) for i, name in enumerate(rest["component"])}
    numbers |= {f"part_{i}": scale.change(value) for i, value in enumerate(rest["estimate"])}
    return say(
        f"{{heading}}: {{gap}} (95 % interval {{interval}}){', of which ' if parts else ''}{', '.join(parts)}.",
        heading=heading, gap=scale.change(row["estimate"]),
        interval=scale.interval(row["conf_low"], row["conf_high"]), **numbers,
    )  # fmt: skip
