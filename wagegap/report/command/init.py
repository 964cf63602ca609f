"""`wagegap init`: a first study of a table, asked for on a terminal, said in a summary, and never over another file."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Mapping
from pathlib import Path

from wagegap._display.files import write_whole
from wagegap.errors import OptionError, OutputError, check_known
from wagegap.report.begin.begin import plan_of, text_of
from wagegap.report.begin.examples import example_files
from wagegap.report.begin.guesses import Guess
from wagegap.report.begin.plan import Plan
from wagegap.report.begin.seen import Table, look_at
from wagegap.report.command.arguments import ROLES
from wagegap.report.command.streams import put

__all__ = ["initialised"]

_STUDY = "study.toml"
_TRIES = 3


def initialised(options: argparse.Namespace) -> tuple[str, int]:
    """Write a first study; return what was guessed, what is to be decided, and the exit code."""
    if options.example:
        return _copied(options.example, options), 0
    if options.data is None:
        return _copied("ai_talent", options), 0
    target = Path(options.output or _STUDY)
    _check_free([target], force=options.force)
    table = look_at(Path(options.data))
    said = {role: getattr(options, role) for role in ROLES if getattr(options, role) is not None}
    plan = plan_of(table, folder=target.parent, said=said)
    if not options.yes and sys.stdin is not None and sys.stdin.isatty():
        asked = _asked(table, plan, said)
        plan = plan_of(table, folder=target.parent, said={**said, **asked}) if asked else plan
    _write({target: text_of(plan, table).encode()})
    return _summary(plan, target), 0


def _check_free(targets: list[Path], *, force: bool) -> None:
    """Raise where a file would be overwritten that nobody gave up."""
    there = [str(path) for path in targets if os.path.lexists(path)]
    if there and not force:
        raise OutputError(f"{there[0]} is there already: give another name by -o, or --force to overwrite it.")
    folder = targets[0].parent
    if not folder.is_dir():
        raise OutputError(f"there is no folder {folder}: make it first, or give another name by -o.")


def _write(contents: Mapping[Path, bytes]) -> None:
    for path, content in contents.items():
        write_whole(path, content)


# a model study -------------------------------------------------------------------------------------------------------


def _copied(name: str, options: argparse.Namespace) -> str:
    """Copy a shipped study and its data to where the study is wanted."""
    if options.data is not None:
        raise OptionError("--example copies a study with data of its own: give either DATA or --example.")
    study, *data = example_files(name).items()
    target = Path(options.output or (_STUDY if options.example is None else study[0]))
    contents = {target: study[1], **{target.parent / file: content for file, content in data}}
    _check_free(list(contents), force=options.force)
    _write(contents)
    wrote = ", ".join(map(str, contents))
    return f"Wrote {wrote}.\nNext: wagegap run {target}"


# questions -----------------------------------------------------------------------------------------------------------


def _asked(table: Table, plan: Plan, said: Mapping[str, str]) -> dict[str, str]:
    """Ask which columns are meant, the guess in brackets; Enter takes it, a hyphen says that there is none."""
    guessed = {guess.role: guess for guess in plan.guesses}
    if "estimate" in guessed:
        return {}
    put(sys.stderr, f"{table.path.name}: {table.n:,} rows, columns {', '.join(table.columns)}")
    put(sys.stderr, "Enter takes what stands in brackets; - says that there is none.")
    answers = {}
    for role in ROLES:
        if role not in said:
            answer = _answer(role, guessed.get(role), table)
            if answer != (guessed[role].value if role in guessed else ""):
                answers[role] = answer
    return answers


def _answer(role: str, guess: Guess | None, table: Table) -> str:
    """The column that a person names; what is none of the table is asked for again, a few times."""
    default = guess.value if guess is not None else ""
    why = f" ({guess.why})" if guess is not None else ""
    for _ in range(_TRIES):
        sys.stderr.write(f"Which column is the {role}? [{default or '-'}]{why} ")
        sys.stderr.flush()
        answer = sys.stdin.readline().strip()
        if not answer:
            return default
        if answer == "-":
            return ""
        if answer in table.columns:
            return answer
        try:
            check_known([answer], table.columns, lambda name, hint: OptionError(f"There is no column {name!r}.{hint}"))
        except OptionError as error:
            put(sys.stderr, str(error))
    return default


# what was done -------------------------------------------------------------------------------------------------------


def _summary(plan: Plan, target: Path) -> str:
    """What was guessed and why, what was not taken, what is to be decided, and what to do next."""
    width = max((len(guess.role) for guess in plan.guesses), default=0)
    lines = [f"  {guess.role:<{width}}  {guess}" for guess in plan.guesses]
    said = [f"Wrote {target}. Guessed:" if lines else f"Wrote {target}.", *lines]
    said += ["Not taken, and worth knowing:", *(f"  - {note}" for note in plan.notes)] if plan.notes else []
    said += (
        ["To decide, marked # DECIDE: in the study:", *(f"  - {one}" for one in plan.decisions)]
        if plan.decisions
        else []
    )
    return "\n".join([*said, f"Next: wagegap {'run' if plan.ready and not plan.decisions else 'check'} {target}"])
