"""Tables of published figures: a country, an estimate, perhaps its standard error, and no workers."""

from __future__ import annotations

import numpy as np

from wagegap.report.begin.guesses import Decision, Guess
from wagegap.report.begin.names import plain_name, rank
from wagegap.report.begin.plan import Plan, quoted_name
from wagegap.report.begin.roles import RoleGuesses, find_roles
from wagegap.report.begin.seen import Column, Table
from wagegap.report.begin.toml_text import Entry, Section

__all__ = ["is_published", "plan_published"]

_MOST = 2_000
_APART = 10.0
"""How many times larger the least number above 1 is than the largest below, where these are of two units."""
_RATES = ("net_migration", "migration", "emigration", "switching", "leaving", "outside", "abroad", "rate", "share")


def is_published(table: Table) -> bool:
    """Return whether a table holds published figures: countries, each once (and a year), with an estimate."""
    estimates = _estimates(table) if table.n <= _MOST else []
    country = _country(table) if estimates else None
    if country is None:
        return False
    return not table.frame.duplicated(_keys(table, country)).any()


def _country(table: Table) -> str | None:
    return find_roles(table, {}).column("country")


def _estimates(table: Table) -> list[str]:
    """Columns called like an estimate or a rate, that hold numbers."""
    named = [
        (0 if rank("estimate", name) is not None else 1, i, name) for i, (name, column) in
        enumerate(table.columns.items()) if column.holds == "numbers" and column.n_levels > 1
        and rank("std_error", name) is None
        and (rank("estimate", name) is not None or rank("rate", name) is not None)
    ]  # fmt: skip
    return [name for *_, name in sorted(named)]


def _keys(table: Table, country: str) -> list[str]:
    """Columns that tell rows apart: the country, and a period or a name of what is estimated where there is one."""
    roles: RoleGuesses = find_roles(table, {})
    keys = [country]
    for name in [roles.column("period"), *(name for name, column in table.columns.items() if column.holds == "words")]:
        if name is not None and name not in keys and table.frame.duplicated(keys).any():
            keys.append(name)
    return keys


def plan_published(table: Table, path: str) -> Plan:
    """Plan a study of published figures only."""
    country = _country(table) or ""
    keys, estimates = _keys(table, country), _estimates(table)
    chosen, errors = estimates[0], _errors(table)
    column = table.columns[chosen]
    rate = any(word in plain_name(chosen) for word in _RATES) and "premium" not in plain_name(chosen)
    kind, name = ("rates", quoted_name(chosen)) if rate else ("premiums", "published")
    unit, why = _unit(column, rate=rate)
    others = f"; or {', '.join(estimates[1:])}" if estimates[1:] else ""
    entries = [
        Entry("path", path, f"{table.n:,} rows"),
        *(Entry(option, mark, "as its text shows") for option, mark in table.options.items()),
        Entry("label", f"{chosen}, {table.path.stem}"), Entry("by", keys, "each row once"),
        Entry("estimate", chosen, f"by its name{others}"),
    ]  # fmt: skip
    if errors is not None:
        entries.append(Entry("std_error", errors, "by its name"))
    entries += [Entry("term", _free(name if rate else "premium", table)), Entry("unit", unit, why)]
    guesses = [Guess("country", country, "its values are countries"), Guess("estimate", chosen, "by its name"),
               Guess("unit", unit, why)]  # fmt: skip
    if errors is not None:
        guesses.append(Guess("std_error", errors, "by its name"))
    notes = [] if errors else ["no column is called like a standard error: errors are taken as unknown"]
    if kind == "premiums":
        notes.append(
            "a link to net migration of people with AI skills, which is shipped, stands in the study and waits: take "
            "the '# ' before its lines away where these are premiums of AI skills, or name rates of your own"
        )
    decisions = _undecided(column) if rate else []
    section = Section(f"[{kind}.{name}]", tuple(entries), "Published figures.", waits=bool(decisions))
    return Plan(f"{chosen} ({table.path.name})", "What do published figures say?", (section, *_further(kind, name)),
                tuple(guesses), tuple(decisions), (*table.notes, *notes))  # fmt: skip


def _free(term: str, table: Table) -> str:
    """What figures are called: no name of a column, which would stand for what that holds."""
    return next(name for name in (term, f"published_{term}", f"{term}_in_all") if name not in table.columns)


def _errors(table: Table) -> str | None:
    held = (name for name, column in table.columns.items() if column.holds == "numbers")
    return next((name for name in held if rank("std_error", name) == 0), None)


def _unit(column: Column, *, rate: bool) -> tuple[str, str]:
    """Unit of figures, by their name and size."""
    known, plain = column.numbers[np.isfinite(column.numbers)], plain_name(column.name)
    if any(word in plain for word in ("pct", "percent", "per_cent")):
        return "per cent", "by its name"
    small = bool((np.abs(known) <= 1).all())
    if rate:
        return ("share", "all between -1 and 1") if small else ("per cent", "some are above 1: correct it if not")
    if small:
        return "log", "all between -1 and 1: differences of logs; write 'share' for plain ratios"
    return "per cent", "some are above 1: per cent, or 'log points' where they are a hundred times logs"


def _undecided(column: Column) -> list[Decision]:
    """What is wrong with rates of which some are shares and others per cent."""
    sizes = np.sort(np.abs(column.numbers[np.isfinite(column.numbers) & (column.numbers != 0)]))
    below, above = sizes[sizes <= 1], sizes[sizes > 1]
    if not len(below) or not len(above) or above[0] < _APART * below[-1]:
        return []
    return [Decision(
        "unit", f"{column.name} holds values up to {below[-1]:g} and others from {above[0]:g}: shares beside per cent? "
        "Bring them to one unit, and name it.", ("share", "per cent"),
    )]  # fmt: skip


def _further(kind: str, name: str) -> list[Section]:
    """What published figures can be held against: shipped rates or premiums, once somebody wants it."""
    if kind == "rates":
        return []
    return [
        Section("[rates.ai_migration]", (
            Entry("label", "Net migration of people with AI skills"),
            Entry("shipped", "talent_migration:ai"),
        ), "Shipped rates to link premiums of AI skills to: take the marks away where yours are.", waits=True),
        Section("[[links]]", (
            Entry("name", "published"), Entry("rates", "ai_migration"), Entry("premiums", name),
            Entry("formula", "net_migration ~ premium"),
        ), waits=True),
    ]  # fmt: skip
