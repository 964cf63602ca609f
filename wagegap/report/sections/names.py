"""Names of files that sections and their terms give."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace
from itertools import chain, count

from wagegap.report.findings import Part
from wagegap.report.folder import same_file

__all__ = ["file_name", "placed"]

_LONGEST_TERM = 60
"""Letters of a term in the name of a file."""


def file_name(term: object) -> str:
    """Return a term as part of the name of a file.

    >>> file_name("field[T.law]:ai"), file_name("net_migration")
    ('field_T.law_ai', 'net_migration')
    """
    return re.sub(r"[^\w.-]+", "_", str(term)).strip("_.")[:_LONGEST_TERM].strip("_.")


def placed(parts: Iterable[Part]) -> list[Part]:
    """Return parts whose sections, tables and figures have names of their own, to any disk; later ones are numbered."""
    taken: dict[str, set[str]] = {"tables": set(), "figures": set(), "sections": set()}
    return [_renamed(part, taken) for part in parts]


def _renamed(part: Part, taken: dict[str, set[str]]) -> Part:
    names = {kind: _free(getattr(part, kind), taken[kind]) for kind in ("tables", "figures")}
    section = replace(
        part.section,
        name=_free([part.section.name] if part.section.name else [], taken["sections"]).get(part.section.name, ""),
        tables=tuple(names["tables"].get(name, name) for name in part.section.tables),
        figures=tuple(names["figures"].get(name, name) for name in part.section.figures),
    )
    tables = {names["tables"][name]: item for name, item in part.tables.items()}
    figures = {names["figures"][name]: item for name, item in part.figures.items()}
    captions = {names["figures"][name]: text for name, text in part.captions.items()}
    return replace(part, section=section, tables=tables, figures=figures, captions=captions)


def _free(names: Iterable[str], taken: set[str]) -> dict[str, str]:
    """A name that no other has, for each."""
    given: dict[str, str] = {}
    for name in names:
        free = next(new for new in chain([name], (f"{name}_{i}" for i in count(2))) if same_file(new) not in taken)
        taken.add(same_file(free))
        given[name] = free
    return given
