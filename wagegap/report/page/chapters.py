"""Chapters of a report: questions a reader has, and which sections answer them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from wagegap.report.findings import Finding, Report, Section

__all__ = ["Chapter", "chapters_of", "refused_and_absent"]

_CHAPTERS = (
    ("pay", "What does the skill pay?", ("premiums",)),
    ("leave", "Who leaves?", ("rates",)),
    ("link", "Do rates go with premiums?", ("links", "systems", "curves")),
    ("asked", "Questions asked of it", ("questions",)),
    ("gaps", "Where do gaps come from?", ("gaps",)),
    ("exits", "Who leaves, and how?", ("exits",)),
    ("flows", "Where do they go?", ("flows",)),
    ("models", "Models", ("models",)),
    ("sure", "How sure is this?", ("caution",)),
    ("more", "Further figures and tables", ("figures", "tables")),
)
"""Anchor, question and kinds of sections of each chapter, in order."""


@dataclass(frozen=True, slots=True)
class Chapter:
    """A question, and the sections that answer it.

    Attributes
    ----------
    anchor, title : str
        On the page.
    sections : tuple of Section
        In the order of the file.
    """

    anchor: str
    title: str
    sections: tuple[Section, ...]


def chapters_of(report: Report) -> list[Chapter]:
    """Return the chapters that have something to show; what no section holds comes last."""
    known = {kind for _, _, kinds in _CHAPTERS for kind in kinds}
    shown = [section for section in report.sections if section.name]
    chapters = [
        Chapter(anchor, title, tuple(section for section in shown if section.kind in kinds))
        for anchor, title, kinds in _CHAPTERS
    ]
    rest = [*(section for section in shown if section.kind not in known), *_unplaced(report)]
    last = chapters.pop()
    chapters.append(Chapter(last.anchor, last.title, (*last.sections, *rest)))
    return [chapter for chapter in chapters if chapter.sections]


def _unplaced(report: Report) -> list[Section]:
    """A section for all that the study's sections do not hold."""
    placed = {name for section in report.sections for name in (*section.figures, *section.tables)}
    names = [name for name in dict.fromkeys([*report.figures, *report.tables]) if name not in placed]
    return [
        Section(
            name, "figures", "", figures=tuple(n for n in [name] if n in report.figures),
            tables=tuple(n for n in [name] if n in report.tables),
        )
        for name in names
    ]  # fmt: skip


def refused_and_absent(findings: Sequence[Finding]) -> list[Finding]:
    """Return what was refused and who is absent, which are findings too."""
    return [finding for finding in findings if finding.kind in ("refused", "absent")]
