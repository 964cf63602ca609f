"""What a study found: findings in words, sections that hold them with figures and tables, the study as a whole."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from wagegap._arguments import public_methods
from wagegap._display.session import Shown
from wagegap._display.spec import plain
from wagegap.regression.link.result import Link
from wagegap.report.table import Table

__all__ = ["Fact", "Finding", "Headline", "Part", "Report", "Section"]


@dataclass(frozen=True, slots=True)
class Finding(Shown):
    """One finding, in words.

    Attributes
    ----------
    about : str
        Premiums, rates or link it is about.
    text : str
        What was found, with its uncertainty.
    kind : {"finding", "refused", "absent", "caution"}
        What sort of finding it is.
    """

    about: str
    text: str
    kind: str = "finding"


@dataclass(frozen=True, slots=True, eq=False)
class Section(Shown):
    """A part of the report about one thing: a sentence, what backs it, and which figures and tables show it.

    Attributes
    ----------
    name : str
        Of the section; its anchor on the page.
    kind : str
        Kind of section in the study file: "premiums", "links", "gaps".
    title : str
        Heading.
    lead : str
        What was found, in a sentence or two.
    findings : tuple of Finding
        The same in full.
    figures, tables : tuple of str
        Names of what shows it, among those of the study.
    frame : DataFrame, optional
        Numbers behind it, keys and units as columns.
    notes : tuple of str
        Sample and covariance, line by line.
    source : str
        Where its data come from.
    methods : tuple of str
        Names of the methods used.
    """

    name: str
    kind: str
    title: str
    lead: str = ""
    findings: tuple[Finding, ...] = ()
    figures: tuple[str, ...] = ()
    tables: tuple[str, ...] = ()
    frame: pd.DataFrame | None = None
    notes: tuple[str, ...] = ()
    source: str = ""
    methods: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """What carrying out a section of a study file gives.

    Attributes
    ----------
    section : Section
        What the report says of it.
    tables : mapping of str to Table
        By name.
    figures : mapping of str to (Figure, str)
        Figure and what it shows, by name.
    captions : mapping of str to str
        How to read each figure, by its name.
    links : mapping of str to Link
        Fitted links by name.
    result : object
        What other sections may name.
    """

    section: Section
    tables: Mapping[str, Table] = field(default_factory=dict)
    figures: Mapping[str, tuple[Any, str]] = field(default_factory=dict)
    captions: Mapping[str, str] = field(default_factory=dict)
    links: Mapping[str, Link] = field(default_factory=dict)
    result: Any = None

    @classmethod
    def drawn(cls, section: Section, pictures: Mapping[str, Any], **more: Any) -> Part:
        """Return a part whose figures and captions are those of pictures by name."""
        figures = {name: (one.figure, one.alt) for name, one in pictures.items()}
        captions = {name: one.caption for name, one in pictures.items()}
        return cls(section, figures=figures, captions=captions, **more)


@dataclass(frozen=True, slots=True)
class Fact(Shown):
    """A number to remember, and what it is.

    Attributes
    ----------
    number : str
        The number, with its unit.
    what : str
        What it is a number of.
    """

    number: str
    what: str


@dataclass(frozen=True, slots=True)
class Headline(Shown):
    """The first screen: the answer to the question, why it is no better, one picture, and numbers to remember.

    Attributes
    ----------
    verdict : str
        Two or three words: "Not settled", "An association".
    answer : str
        The answer, with its interval and unit.
    reason : str
        On what it rests, and why it is no better.
    section : str
        Name of the section that it is taken from.
    figure : str
        Name of the picture; empty for none.
    caption : str
        What the picture does not show.
    facts : tuple of Fact
        At most three.
    """

    verdict: str
    answer: str
    reason: str
    section: str
    figure: str = ""
    caption: str = ""
    facts: tuple[Fact, ...] = ()


@public_methods
@dataclass(frozen=True, slots=True, eq=False)
class Report:
    """What a study found, and what shows it.

    Attributes
    ----------
    title, question : str
        From its file.
    findings : tuple of Finding
        In the order of the file.
    tables : mapping of str to Table
        By name.
    figures : mapping of str to (Figure, str)
        Figure and what it shows, by name.
    links : mapping of str to Link
        Fitted links, by name; refused ones are in the findings.
    seed : int
        Of random orders.
    hashes : mapping of str to str
        SHA-256 of the study file and of every file of data it used, by name, as `sha256sum` prints it.
    file : str
        Name of the study file; empty where the study was given as a mapping, which has no file and no hash.
    sections : tuple of Section
        In the order of the file.
    headline : Headline or None
        The first screen of the report; None where nothing answers the question.
    about : mapping of str to str
        Author, date and notes, from its file.
    captions : mapping of str to str
        How to read each figure, by its name.
    """

    title: str
    question: str
    findings: tuple[Finding, ...]
    tables: Mapping[str, Table]
    figures: Mapping[str, tuple[Any, str]]
    links: Mapping[str, Link]
    seed: int
    hashes: Mapping[str, str] = field(default_factory=dict)
    file: str = ""
    sections: tuple[Section, ...] = ()
    headline: Headline | None = None
    about: Mapping[str, str] = field(default_factory=dict)
    captions: Mapping[str, str] = field(default_factory=dict)

    def text(self) -> str:
        """Return the findings as text."""
        title = plain(self.title)
        lines = [title, "=" * min(len(title), 80), plain(self.question), ""]
        if self.headline is not None:
            lines += [plain(f"{self.headline.verdict}. {self.headline.answer} {self.headline.reason}"), ""]
        lines += [plain(f"{finding.about}: {finding.text}") for finding in self.findings]
        return "\n".join(lines)
