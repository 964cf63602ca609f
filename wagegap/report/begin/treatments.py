"""Whose premium it is, by which cells, with which controls, and which columns say that somebody left."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from wagegap._typing import BoolArray
from wagegap.estimation.periods import order_periods
from wagegap.report.begin.guesses import Decision, Guess, quoted
from wagegap.report.begin.names import plain_name, rank
from wagegap.report.begin.roles import RoleGuesses
from wagegap.report.begin.seen import Column, Table

__all__ = ["Cells", "Controls", "Events", "find_cells", "find_controls", "find_events", "find_premium", "only_answered"]

_PERSON = re.compile(
    r"(?:^|_)(?:female|male|fem|sex|gender|married|maried|marital|marr|black|white|nonwhite|hisp\w*|asian|race|ethn\w*"
    r"|minority|kids\w*|child\w*|birth\w*)(?:_|$)"
)
_PLACE = re.compile(
    r"(?:^|_)(?:south|north|east|west|ne|nc|nw|se|sw|central|nrth\w*|north\w*|south\w*|smsa|msa|urban|rural|city"
    r"|\w*city|reg\d+|smsa\d*|south\d*)(?:_|$)"
)
_DUMMY = re.compile(r"(?:y|d|yr|year|q|m|t|wave)_?\d{1,4}|unnamed_\d+|rownames|row_?(?:id|nr|number)?|index|flag\w*"
                    r"|miss\w*")  # fmt: skip
_HOLDERS, _OTHERS, _ROWS = 20, 30, 30
"""Fewest holders and others of a premium's cell, and rows of a rate's, as the estimators have them."""
_CATEGORIES = 8
_ANSWERED = 0.7
_CONTROLS = ("education", "experience", "age", "tenure", "sex")
_SQUARED = ("experience", "age")


@dataclass(frozen=True, slots=True)
class Cells:
    """By what premiums and rates are estimated.

    Attributes
    ----------
    by : tuple of str
        Columns.
    why : str
        What speaks for them.
    n : int
        Cells that are large enough.
    some_empty : bool
        Whether in some cells nobody, or everybody, holds the premium.
    """

    by: tuple[str, ...]
    why: str
    n: int = 1
    some_empty: bool = False


@dataclass(frozen=True, slots=True)
class Events:
    """Columns that say that somebody left, and what is made of the panel for it.

    Attributes
    ----------
    of : mapping of str to str
        Names of events, and the column or condition of each.
    why : str
        What speaks for them.
    transitions : bool
        Whether they are made by following workers.
    """

    of: Mapping[str, str] = field(default_factory=dict)
    why: str = ""
    transitions: bool = False


def find_premium(table: Table, roles: RoleGuesses, said: str = "") -> Guess | Decision:
    """Return the column whose premium is asked for, or what must be decided."""
    if said:
        return Guess("premium", said, "as you said")
    known = _with_wage(table, roles)
    pool = [
        column for name, column in table.columns.items()
        if name not in roles.taken and column.holds in ("words", "numbers") and not _is_event(column)
        and not _DUMMY.fullmatch(plain_name(name)) and rank("wage", name) is None and column.answered.mean() > 0.1
    ]  # fmt: skip
    skills = sorted((one for one in pool if rank("skill", one.name) is not None and _parts(one, known)),
                    key=lambda one: rank("skill", one.name) or 0)  # fmt: skip
    binary = [one for one in pool if _parts(one, known) and one.plain_binary]
    of_person_or_place = {one.name for one in pool for words in (_PERSON, _PLACE) if words.search(plain_name(one.name))}
    plain = [one for one in binary if one.name not in of_person_or_place]
    educated = [one for one in pool if rank("education", one.name) is not None and one.n_levels > 1]
    persons = [one for one in pool if _parts(one, known) and one.binary and _PERSON.search(plain_name(one.name))]
    groups = (
        (skills, "called like a skill or a treatment"), (plain, "it has two values, yes and no"),
        (educated, "no column has two values that tell a skill; this is schooling"),
        (persons, "no column tells a skill or schooling; this parts people in two"), (binary, "it has two values"),
    )  # fmt: skip
    for columns, why in groups:
        if columns:
            others = dict.fromkeys(one.name for one in (*columns[1:], *skills, *plain) if one is not columns[0])
            return Guess("premium", columns[0].name, why, tuple(others)[:5])
    return Decision(
        "premium", "no column parts workers into those with a skill and others. Say which is: "
        f"wagegap init {table.path.name} --premium COLUMN.",
        tuple(one.name for one in pool if one.n_levels > 1)[:8],
    )  # fmt: skip


def _with_wage(table: Table, roles: RoleGuesses) -> BoolArray:
    """Rows that have a wage, shape (n,); all where no column is one."""
    wage = roles.column("wage")
    return np.ones(table.n, dtype=bool) if wage is None else np.isfinite(table.columns[wage].numbers)


def _parts(column: Column, known: BoolArray) -> bool:
    """Whether a column parts those who have a wage into a few groups, each of some size."""
    if not 2 <= column.n_levels <= _CATEGORIES or (column.holds == "numbers" and column.n_levels > 2) or column.banded:
        return False
    counts = column.values[column.answered & known].value_counts()
    return int((counts > 0).sum()) >= 2 and int(counts[counts > 0].min()) >= _HOLDERS


def _is_event(column: Column) -> bool:
    return column.plain_binary and (rank("away", column.name) is not None or rank("changed", column.name) is not None)


def find_cells(table: Table, roles: RoleGuesses, premium: Column) -> Cells:
    """Return the finest sensible cells that have enough holders and others: countries, regions, periods, or all."""
    named = [(roles.column("country"), "countries"), (_region(table, roles, premium), "regions"),
             (roles.column("period"), "periods")]  # fmt: skip
    for name, called in named:
        if name is None or table.columns[name].n_levels < 2:
            continue
        n, some_empty = _large_cells(table, name, premium, roles.column("wage"))
        if n >= 2 or (n == 1 and called == "countries"):
            levels = table.columns[name].n_levels
            return Cells((name,), f"{n} of {levels} {called} have enough rows", n, some_empty)
    return Cells((), "one estimate of all rows: there are no cells with enough of them")


def _region(table: Table, roles: RoleGuesses, premium: Column) -> str | None:
    ranked = [
        (rank("region", name), name) for name, column in table.columns.items()
        if name not in roles.taken and name != premium.name and not column.n_missing and 2 < column.n_levels <= 100
        and column.holds in ("words", "numbers")
    ]  # fmt: skip
    return min(((place, name) for place, name in ranked if place is not None), default=(0, None))[1]


def _large_cells(table: Table, by: str, premium: Column, wage: str | None) -> tuple[int, bool]:
    """How many cells have enough holders and others with a wage, and whether some have none of these."""
    known = premium.answered if wage is None else premium.answered & np.isfinite(table.columns[wage].numbers)
    cells = table.columns[by].values[known]
    if not premium.binary:
        counts = cells.value_counts()
        return int((counts >= _OTHERS).sum()), False
    holds = premium.holds_positive[known]
    holders = cells[holds].value_counts().reindex(cells.unique(), fill_value=0)
    others = cells[~holds].value_counts().reindex(cells.unique(), fill_value=0)
    large = (holders >= _HOLDERS) & (others >= _OTHERS)
    return int(large.sum()), bool(((holders == 0) | (others == 0)).any())


@dataclass(frozen=True, slots=True)
class Controls:
    """What premiums are estimated given.

    Attributes
    ----------
    of : mapping of str to str
        Columns, and the term of a formula that each becomes.
    notes : tuple of str
        What was not taken, and why.
    """

    of: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def find_controls(table: Table, roles: RoleGuesses, premium: Column) -> Controls:
    """Return the controls that a table has: schooling, experience or age, tenure, sex."""
    taken, notes, found = {*roles.taken, premium.name}, list[str](), dict[str, str]()
    aged = False
    for role in _CONTROLS:
        ranked = sorted((rank(role, name) or 0, i, name) for i, name in enumerate(table.columns)
                        if name not in taken and rank(role, name) is not None)  # fmt: skip
        usable = [name for *_, name in ranked if _is_control(table.columns[name], notes)]
        if not usable or (role == "age" and aged):
            continue
        aged = aged or role == "experience"
        column = table.columns[usable[0]]
        squared = role in _SQUARED and column.holds == "numbers" and column.n_levels > 5
        term = quoted(column.name) + (f" + I({quoted(column.name)}**2)" if squared else "")
        found[column.name] = term
        taken.add(column.name)
    return Controls(found, tuple(notes))


def _is_control(column: Column, notes: list[str]) -> bool:
    if column.holds == "numbers and words":
        words = [word for word in column.values.dropna().astype(str).unique() if not _is_number(word)]
        notes.append(f"{column.name} is no control: it holds numbers and words such as {words[0]!r}")
        return False
    if column.answered.mean() < _ANSWERED or column.n_levels < 2:
        notes.append(f"{column.name} is no control: it has an answer in {column.answered.mean():.0%} of rows")
        return False
    return column.holds == "numbers" or (column.holds == "words" and column.n_levels <= 20)


def _is_number(word: str) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return True


def find_events(table: Table, roles: RoleGuesses, premium: str) -> Events:
    """Return columns that say that somebody left, or what following workers gives where the table permits it."""
    of: dict[str, str] = {}
    for event, role in (("leaving", "away"), ("switching", "changed")):
        ranked = sorted((rank(role, name) or 0, name) for name, column in table.columns.items()
                        if name not in {*roles.taken, premium} and rank(role, name) is not None and _is_event(column)
                        and column.answered.sum() >= _ROWS)  # fmt: skip
        if ranked:
            of[event] = is_positive(table.columns[ranked[0][1]])
    if of:
        return Events(of, "columns that are called so, with two values")
    return _followed(table, roles)


def is_positive(column: Column) -> str:
    """Return the condition that a column of two values says yes; a column of 0 and 1 is one itself."""
    if set(column.levels) <= {0, 1} and not column.codes:
        return quoted(column.name)
    return f"{quoted(column.name)} == {_value(column.positive)}"


def _value(value: Any) -> str:
    return repr(str(value)) if isinstance(value, str) else f"{float(value):g}"


def _followed(table: Table, roles: RoleGuesses) -> Events:
    """What following workers from period to period gives."""
    worker, period = roles.column("worker"), roles.column("period")
    if worker is None or period is None or roles.options.get("duplicates") == "keep":
        return Events()
    periods = order_periods(table.columns[period].values)
    if len(periods.levels) < 2 or table.frame.groupby(worker, observed=True)[period].nunique().max() < 2:
        return Events()
    of = {}
    if roles.column("country") is not None and roles.options.get("worker_scope") == "global":
        of["emigration"] = "abroad_next"
    if roles.column("field") is not None and _changes(table, worker, roles.column("field")):
        of["switching"] = "new_field_next"
    if roles.column("occupation") is not None and _changes(table, worker, roles.column("occupation")):
        of["new_occupation"] = "new_occupation_next"
    return Events(of, "workers are followed from one period to the next", transitions=bool(of))


def _changes(table: Table, worker: str, name: str | None) -> bool:
    """Whether some workers are in several levels of a column."""
    return name is not None and bool((table.frame.groupby(worker, observed=True)[name].nunique() > 1).any())


def only_answered(table: Table, names: Iterable[str]) -> str:
    """Return the condition that rows have an answer in columns whose codes or words say that nobody gave one."""
    clauses = []
    for name in dict.fromkeys(names):
        column = table.columns[name]
        if column.holds == "words" and column.refused:
            clauses.append(f"{quoted(name)} not in [{', '.join(map(repr, column.refused))}]")
        elif column.codes:
            clauses.append(f"{quoted(name)} not in [{', '.join(f'{value:.12g}' for value in column.codes)}]")
    return " and ".join(clauses)
