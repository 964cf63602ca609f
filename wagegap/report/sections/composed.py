"""Tables and figures of a study that hold several of its results."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

from wagegap._display.spec import plain
from wagegap.errors import StudyError, check_known
from wagegap.panel.panel import Panel
from wagegap.report.findings import Part, Section
from wagegap.report.kinds import COMMON, KINDS, estimator_of
from wagegap.report.sections.context import Context, call
from wagegap.report.sections.pictures import picture_of
from wagegap.report.study_file import without
from wagegap.report.table import table

__all__ = ["figure_part", "table_part"]


def table_part(entries: Mapping[str, Any], context: Context) -> Part:
    """One table of the results that the file names."""
    name, where = entries["name"], f"[[tables]] {entries['name']!r}"
    options = without(entries, *KINDS["tables"].takes, *COMMON)
    title = plain(entries.get("title", name))
    shown = call(where, table, _named(entries, context, where), title=title, **options)
    key = f"table_{name}"
    return Part(Section(key, "tables", title, tables=(key,), source=entries.get("source", "")), {key: shown})


def figure_part(entries: Mapping[str, Any], context: Context) -> Part:
    """One figure of the results that the file names."""
    name, where = entries["name"], f"[[figures]] {entries['name']!r}"
    options = without(entries, *KINDS["figures"].takes, KINDS["figures"].chosen_by, *COMMON)
    draw, title = estimator_of("figures", entries, where), plain(entries.get("title", name))
    if "watch" in inspect.signature(draw).parameters:
        options.setdefault("watch", tuple(context.watch))
    named = _named(entries, context, where)
    shown = {one: result.frame if isinstance(result, Panel) else result for one, result in named.items()}
    given = next(iter(shown.values())) if len(shown) == 1 else shown
    drawn = call(where, draw, given, **options)
    key = f"figure_{name}"
    section = Section(key, "figures", title, figures=(key,), source=entries.get("source", ""))
    return Part.drawn(section, {key: picture_of(drawn, title)})


def _named(entries: Mapping[str, Any], context: Context, where: str) -> dict[str, Any]:
    """Results by what they are called, of whatever kind: of one name the link, others behind the name of their kind."""
    there = {name: result for results in context.results.values() for name, result in results.items()}
    there |= context.results.get("links", {})
    there |= {f"{kind}.{name}": result for kind, of_kind in context.results.items() for name, result in of_kind.items()}
    names = [entries["of"]] if isinstance(entries["of"], str) else list(entries["of"])
    check_known(names, there, lambda name, hint: StudyError(f"{where}: of names {name!r}, which gave no result.{hint}"))
    return {name: there[name] for name in names}
