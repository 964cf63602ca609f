"""Begin a study of one's own data: look at a table, guess what its columns are, write the study that follows.

Nothing is guessed silently: each entry of the study has its reason beside it, what a person must decide is marked
`# DECIDE:` with the candidates, and the study is tried on its data before it is written.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from wagegap import __version__
from wagegap.errors import DataError
from wagegap.report.begin.plan import Plan, plan_workers
from wagegap.report.begin.published import is_published, plan_published
from wagegap.report.begin.seen import Table, look_at
from wagegap.report.begin.toml_text import Entry, comment
from wagegap.report.begin.trial import tried

__all__ = ["MARK", "begin", "plan_of", "text_of"]

MARK = "# DECIDE: "
"""What stands before something that a person must decide."""


def begin(data: str | Path, *, folder: str | Path = ".", said: Mapping[str, str] | None = None) -> str:
    """Return a first study of a data file, as text.

    Parameters
    ----------
    data : path
        A file of a kind that `read_panel` reads.
    folder : path
        Where the study is going to stand; the path of the data is written as seen from there.
    said : mapping of role to column, optional
        What a person has told: worker, country, period, wage, premium. An empty text says that there is none.

    Returns
    -------
    str
        TOML with comments: a study that can be carried out, or one that says after `# DECIDE:` what is to be decided.

    Raises
    ------
    WagegapError
        For a file that cannot be read, or a column that is not there.

    Examples
    --------
    >>> import tempfile, tomllib, wagegap as wg
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     data = Path(folder, "workers.csv")
    ...     wg.simulate_panel(countries=6, workers=300, rng=1).panel.frame.to_csv(data, index=False)
    ...     study = tomllib.loads(begin(data, folder=folder))
    >>> study["panels"]["workers"]["wage"], study["premiums"]["ai"]["by"]
    ('hourly_wage', ['iso3'])
    """
    table = look_at(Path(data))
    return text_of(plan_of(table, folder=folder, said=said), table)


def plan_of(table: Table, *, folder: str | Path = ".", said: Mapping[str, str] | None = None) -> Plan:
    """Return the plan of a first study, tried on its data."""
    if not table.n or not table.columns:
        raise DataError(f"{table.path.name} has no rows.")
    path = _seen_from(table.path, Path(folder))
    published = not said and is_published(table)
    plan = plan_published(table, path) if published else plan_workers(table, path, said or {})
    return tried(plan, Path(folder))


def _seen_from(path: Path, folder: Path) -> str:
    """Path of a file as seen from a folder, or in full where that is on another disk."""
    try:
        return Path(os.path.relpath(path.resolve(), folder.resolve())).as_posix()
    except ValueError:  # on another drive
        return path.resolve().as_posix()


def text_of(plan: Plan, table: Table) -> str:
    """Return the study that a plan says, with its reasons as comments."""
    head = [
        f"# A first study of {table.path.name} ({table.n:,} rows, {len(table.columns)} columns) by wagegap init.",
        "# Every guess has its reason beside it: correct what is wrong. Then",
        "#     wagegap check STUDY.toml     (what is wrong with it, and what it would do)",
        "#     wagegap run STUDY.toml       (the report)",
        "# Every key: docs/study_keys.md, or `wagegap schema` for an editor.",
    ]
    undecided = [comment(str(one), MARK) for one in plan.decisions]
    version = ".".join(__version__.split(".")[:2])
    top = [Entry("version", version), Entry("title", plan.title), Entry("question", plan.question)]
    more = ['# author = "..."', '# watch = ["KOR", "USA"]   # countries that every finding is to mention']
    notes = ["# Not taken, and worth knowing:", *(comment(note, "# - ") for note in plan.notes)] if plan.notes else []
    blocks = ["\n".join(head), "\n".join(undecided), "\n".join([*map(str, top), *more]), *map(str, plan.sections),
              "\n".join(notes)]  # fmt: skip
    return "\n\n".join(block for block in blocks if block) + "\n"
