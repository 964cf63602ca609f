"""A first study tried on its data: what cannot be carried out is found here, before anybody runs it."""

from __future__ import annotations

import tomllib
import warnings
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from wagegap.errors import ReliabilityError, WagegapError, WagegapWarning
from wagegap.estimation.estimates import Estimates
from wagegap.estimation.result import Result
from wagegap.panel.load import read_panel
from wagegap.panel.panel import Panel
from wagegap.regression.link.fit import fit_link
from wagegap.regression.premiums.premium import fit_premiums
from wagegap.regression.rates.mobility import fit_rates
from wagegap.report.begin.guesses import Decision
from wagegap.report.begin.plan import Plan
from wagegap.report.begin.toml_text import Section
from wagegap.report.kinds import COMMON, PUBLISHED
from wagegap.report.study_file import LINK_TAKES, without

__all__ = ["tried"]


def tried(plan: Plan, folder: Path) -> Plan:
    """Return the plan with what its data refuse: sections that wait, and what must be decided for them."""
    results: dict[str, Any] = {}
    sections: list[Section] = []
    decisions, notes = list(plan.decisions), list(plan.notes)
    for section in plan.sections:
        try:
            if not section.waits:
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore", WagegapWarning)
                    _carry_out(section, results, folder)
            sections.append(section)
        except ReliabilityError:  # which a report says as a finding
            sections.append(section)
        except _Waiting:
            sections += [] if section.listed else [replace(section, waits=True)]
        except WagegapError as error:
            if section.listed:
                notes.append(f"{section.heading} is left out: {error}")
            else:
                sections.append(replace(section, waits=True))
                decisions.append(Decision(section.heading, str(error)))
    return replace(plan, sections=tuple(sections), decisions=tuple(decisions), notes=tuple(notes))


class _Waiting(Exception):
    """What a section is of waits itself."""


def _carry_out(section: Section, results: dict[str, Any], folder: Path) -> None:
    """Carry out a section as a study does, without its figures and sentences."""
    content = tomllib.loads(str(section))
    kind = next(iter(content))
    held = content[kind]
    name, entries = (held[0]["name"], held[0]) if isinstance(held, list) else next(iter(held.items()))
    results[f"{kind}.{name}"] = _DOORS[kind](entries, results, folder)


def _panel(entries: Mapping[str, Any], _: Mapping[str, Any], folder: Path) -> Any:
    panel = read_panel(str(folder / entries["path"]), **without(entries, "path", "transitions", *COMMON))
    return Panel.transitions(panel) if entries.get("transitions") else panel


def _fitted(fit: Callable[..., Any]) -> Callable[..., Any]:
    def carry_out(entries: Mapping[str, Any], results: Mapping[str, Any], folder: Path) -> Any:
        options = without(entries, "panel", "path", *COMMON)
        if "path" in entries:
            return PUBLISHED(str(folder / entries["path"]), **options)
        return fit(_result(results, "panels", entries["panel"]), **options)

    return carry_out


def _link(entries: Mapping[str, Any], results: Mapping[str, Any], _: Path) -> Any:
    rates, premiums = (_estimates(_result(results, kind, entries[kind])) for kind in ("rates", "premiums"))
    return fit_link(entries["formula"], rates, premiums, **without(entries, *LINK_TAKES, *COMMON))


def _result(results: Mapping[str, Any], kind: str, name: str) -> Any:
    if f"{kind}.{name}" not in results:
        raise _Waiting
    return results[f"{kind}.{name}"]


def _estimates(result: Any) -> Estimates:
    found: Estimates = result.estimates if isinstance(result, Result) else result
    return found


_DOORS: Mapping[str, Callable[..., Any]] = {
    "panels": _panel, "premiums": _fitted(fit_premiums), "rates": _fitted(fit_rates), "links": _link,
}  # fmt: skip
