"""The plan of a first study: its sections, what was guessed for them, what a person must decide."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from wagegap.report.begin.guesses import Decision, Guess, quoted
from wagegap.report.begin.roles import RoleGuesses, find_roles
from wagegap.report.begin.seen import Column, Table
from wagegap.report.begin.toml_text import Entry, Section
from wagegap.report.begin.treatments import (
    Cells,
    Controls,
    Events,
    find_cells,
    find_controls,
    find_events,
    find_premium,
    is_positive,
    only_answered,
)

__all__ = ["Plan", "plan_workers"]

_PANEL = "workers"
_ROLES = ("worker", "country", "period", "wage", "field", "occupation", "weight", "cluster", "strata")
_LINKED = 5
"""Fewest countries for which a link is written down."""


@dataclass(frozen=True, slots=True)
class Plan:
    """A first study.

    Attributes
    ----------
    title, question : str
        Of the study.
    sections : tuple of Section
        What it says.
    guesses : tuple of Guess
        What columns were taken for.
    decisions : tuple of Decision
        What a person must decide.
    notes : tuple of str
        What was not taken, and what else there is to know.
    """

    title: str
    question: str
    sections: tuple[Section, ...]
    guesses: tuple[Guess, ...] = ()
    decisions: tuple[Decision, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def ready(self) -> bool:
        """Whether it can be carried out as it is."""
        return any(not one.waits and one.heading.startswith(("[premiums", "[rates")) for one in self.sections)


def plan_workers(table: Table, path: str, said: Mapping[str, str]) -> Plan:
    """Plan the study of a table of workers; `path` is the table's, as the study names it."""
    roles = find_roles(table, said)
    premium = find_premium(table, roles, said.get("premium", ""))
    waits = any(one.about == "wage" for one in roles.decisions)
    sections: list[Section] = [_panel(table, roles, path)]
    guesses, notes = [*roles.of.values()], [*table.notes, *roles.notes]
    made = roles.replication
    if made is not None and made.kind:
        guesses.append(Guess("replicates", f"{len(made.columns)} columns, {made.kind}", made.why))
    decisions, events = list(roles.decisions), Events()
    name = quoted_name(premium.value) if isinstance(premium, Guess) else ""
    if isinstance(premium, Guess):
        column = table.columns[premium.value]
        cells = find_cells(table, roles, column)
        controls = find_controls(table, roles, column)
        events = find_events(table, roles, column.name)
        guesses += [premium, Guess("by", ", ".join(cells.by) or "nothing", cells.why)]
        if controls.of:
            guesses.append(Guess("controls", ", ".join(controls.of), "schooling, experience, sex, by their names"))
        notes += controls.notes
        sections.append(replace(_premiums(table, roles, column, cells, controls, _reason(premium)), waits=waits))
        sections += _rates(table, roles, column, cells, events)
    else:
        decisions.append(premium)
        cells, events = Cells((), ""), find_events(table, roles, "")
        sections += _rates(table, roles, None, cells, events)
    if events.transitions:
        sections[0] = replace(sections[0], entries=(
            *sections[0].entries, Entry("transitions", True, f"makes {', '.join(events.of.values())}: {events.why}"),
        ))  # fmt: skip
    guesses += [Guess("events", ", ".join(f"{k} ({v})" for k, v in events.of.items()), events.why)] if events.of else []
    decisions += _replicates_undecided(roles)
    notes += [] if events.of else ["no column says who left, and none can be made: no rates, and so no link"]
    sections += _link(name, events, cells) if not waits and name else []
    title = f"What {premium.value} pays" if isinstance(premium, Guess) else f"A study of {table.path.name}"
    return Plan(f"{title} ({table.path.name})" if name else title, _question(premium, events), tuple(sections),
                tuple(guesses), tuple(decisions), tuple(dict.fromkeys(notes)))  # fmt: skip


def _reason(guess: Guess) -> str:
    return f"{guess.why}; or {', '.join(guess.others)}" if guess.others else guess.why


def quoted_name(column: str) -> str:
    """A column as the name of a section and of files.

    >>> quoted_name("AI skill (yes/no)")
    'AI_skill_yes_no'
    """
    return re.sub(r"\W+", "_", column).strip("_")[:40] or "premium"


def _question(premium: Guess | Decision, events: Events) -> str:
    if not isinstance(premium, Guess):
        return "Who leaves?" if events.of else ""
    leaving = ", and do those who are paid less for it leave" if events.of else ""
    return f"What is {premium.value} worth in pay{leaving}?"


def _panel(table: Table, roles: RoleGuesses, path: str) -> Section:
    entries = [Entry("path", path, f"{table.n:,} rows")]
    entries += [Entry(name, value, "as its text shows") for name, value in table.options.items()]
    for role in _ROLES:
        if role in roles.of:
            guess = roles.of[role]
            entries.append(Entry(role, guess.value, _reason(guess)))
    entries += [
        Entry(name, value, _WHY.get(name, _WHY.get(f"{name} = {value}", ""))) for name, value in roles.options.items()
    ]
    if roles.replication is not None and roles.replication.kind:
        made = roles.replication
        entries += [Entry("replicate_weights", made.stem, f"{len(made.columns)} columns"),
                    Entry("replicate_kind", made.kind, made.why)]  # fmt: skip
        entries += [Entry("fay", made.fay)] if made.kind == "Fay" else []
    return Section(f"[panels.{_PANEL}]", tuple(entries), "The table, and what its columns are.")


_WHY = {
    "units": "its values are logarithms of pay",
    "invalid_wage": "in some rows pay is missing, zero, negative or text: these have no wage",
    "country_names": "its values are no names of countries; they stay as they are",
    "worker_scope": "some ids stand in several countries, in different periods",
    "duplicates = keep": "some workers stand in several rows of a period, which differ: are these jobs, or mistakes?",
    "duplicates = drop": "some rows are the same in every column as an earlier one: these are left out",
}


def _replicates_undecided(roles: RoleGuesses) -> list[Decision]:
    made = roles.replication
    if made is None or made.kind:
        return []
    return [Decision(
        "replicate weights", f"{len(made.columns)} columns such as {made.columns[0]}: {made.why}. Look it up in the "
        f"survey's documentation and add replicate_weights = {made.stem!r} and replicate_kind to [panels.{_PANEL}].",
        ("BRR", "Fay", "JK1", "JK2", "JKn", "bootstrap", "SDR"),
    )]  # fmt: skip


def _premiums(table: Table, roles: RoleGuesses, premium: Column, cells: Cells, controls: Controls, why: str) -> Section:
    wage = roles.column("wage")
    outcome = "log(WAGE)" if wage is None else quoted(wage) if "units" in roles.options else f"log({quoted(wage)})"
    effects = [quoted(period) for period in [roles.column("period")]
               if period is not None and period not in cells.by and table.columns[period].n_levels > 1]  # fmt: skip
    formula = f"{outcome} ~ {' + '.join([quoted(premium.name), *controls.of.values()])}"
    formula += f" | {' + '.join(effects)}" if effects else ""
    entries = [Entry("panel", _PANEL), Entry("label", f"Premium of {premium.name}"), Entry("formula", formula),
               Entry("premium", premium.name, why)]  # fmt: skip
    if premium.holds == "words" and premium.plain_binary:
        entries.append(Entry("base", str(_declined(premium)), f"the premium is that of {premium.positive}"))
    elif premium.holds == "words":
        counts = premium.values[premium.answered].value_counts()
        entries.append(Entry("base", str(counts.index[0]), "the most frequent; the others are compared with it"))
    entries.append(Entry("by", list(cells.by), cells.why))
    entries += _conditions(table, [premium.name, *controls.of], wage)
    entries += _clustered(table, roles)
    if cells.some_empty:
        entries.append(Entry("empty_cells", "exclude", "in some of them nobody, or everybody, holds it"))
    return Section(f"[premiums.{quoted_name(premium.name)}]", tuple(entries), "What it pays.")


def _declined(premium: Column) -> object:
    """The value that says no."""
    return next(value for value in premium.levels if value != premium.positive)


def _conditions(table: Table, names: Sequence[str], wage: str | None) -> list[Entry]:
    """Which rows have an answer; wages that are negative codes are none already, by `invalid_wage`."""
    high = wage is not None and any(code > 0 for code in table.columns[wage].codes)
    condition = only_answered(table, [*([wage] if wage is not None and high else []), *names])
    return [Entry("subpop", condition, "codes for no answer are left out")] if condition else []


def _clustered(table: Table, roles: RoleGuesses) -> list[Entry]:
    """Errors clustered by worker in every section, where a worker stands in several rows and no design is declared."""
    worker = roles.column("worker")
    if worker is None or roles.replication is not None or {"cluster", "strata"} & set(roles.of):
        return []
    if table.columns[worker].n_levels == table.n:
        return []
    return [Entry("cov", "CR1:worker", "rows of a worker are alike: errors are clustered by worker")]


def _rates(table: Table, roles: RoleGuesses, premium: Column | None, cells: Cells, events: Events) -> list[Section]:
    """A section for each event, so that each has its own name in sentences."""
    among = (
        [Entry("among", is_positive(premium), "whose rates: those with the premium")]
        if premium is not None and premium.binary
        else []
    )
    return [
        Section(f"[rates.{event}]", (
            Entry("panel", _PANEL), Entry("label", _called(event, condition, roles, events)),
            Entry("events", {event: condition}, events.why), *among, Entry("by", list(cells.by)),
            *_clustered(table, roles),
        ), "Who leaves." if i == 0 else "")
        for i, (event, condition) in enumerate(events.of.items())
    ]  # fmt: skip


def _called(event: str, condition: str, roles: RoleGuesses, events: Events) -> str:
    """What a rate is called in sentences."""
    if not events.transitions:
        return f"{event.capitalize()} ({condition})"
    what = {"abroad_next": "Emigration", "new_field_next": f"Change of {roles.column('field')}"}
    other = f"Change of {roles.column('occupation')}"
    return f"{what.get(condition, other)} by the next {roles.column('period')}"


def _link(premium: str, events: Events, cells: Cells) -> list[Section]:
    if not events.of or not cells.by or cells.n < _LINKED:
        return []
    return [
        Section("[[links]]", (
            Entry("name", event), Entry("rates", event), Entry("premiums", premium),
            Entry("formula", f"{event} ~ premium"),
        ), f"Does {event} go with the premium, across {cells.n} cells?")
        for event in events.of
    ]  # fmt: skip
