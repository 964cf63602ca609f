"""What drawing functions leave on axes for those who put a figure into words: marks, lines, bands, scales.

A sentence about a figure is true where it is made of what was drawn. So each primitive notes what it draws, with names
and values, when it draws it; `wagegap._display.described` reads the notes and writes the sentences.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal, TypeAlias

from wagegap._display.axes import Axes
from wagegap._display.sentences import Scale
from wagegap._typing import FloatArray

__all__ = [
    "Facts",
    "Marks",
    "Side",
    "Stroke",
    "facts_of",
    "note_level",
    "note_lines_to",
    "note_marks",
    "note_names",
    "note_stroke",
    "note_words",
]

Side: TypeAlias = Literal["x", "y"]
Kind: TypeAlias = Literal["dot", "row", "bar", "step", "slope", "tile"]
Shape: TypeAlias = Literal["line", "band", "wedge", "ray"]

_PLACE = "_wagegap_facts"


@dataclass(frozen=True, slots=True)
class Marks:
    """Marks of estimates.

    Attributes
    ----------
    kind : {"dot", "row", "bar", "step", "slope", "tile"}
        What each is.
    names : sequence of str
        What each is of, as a sentence has it.
    values : mapping of {"x", "y"} to ndarray
        Where each stands, on the axes that are numbers.
    level : float or None
        Coverage of intervals or ellipses; None where it is not known, or they are none of confidence.
    with_interval : int
        How many have one.
    with_bars : sequence of int, length 2
        How many dots have an interval along x alone, and along y alone.
    hollow : int
        How many are hollow, as an error is unknown.
    watched : sequence of int
        Positions of those that stand out.
    groups : sequence of str
        Names of groups, where there are several.
    """

    kind: Kind
    names: Sequence[str]
    values: Mapping[Side, FloatArray]
    level: float | None = None
    with_interval: int = 0
    with_bars: Sequence[int] = (0, 0)
    hollow: int = 0
    watched: Sequence[int] = ()
    groups: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Stroke:
    """A line or a band, with what the legend calls it."""

    shape: Shape
    words: str


@dataclass(slots=True)
class Facts:
    """All that is known of what stands on some axes.

    Attributes
    ----------
    marks : list of Marks
    strokes : list of Stroke
    scales : mapping of {"x", "y"} to Scale
        How the numbers of an axis are written.
    titles : mapping of {"x", "y"} to str
        What an axis shows, without its unit.
    noun, plural : str
        What a mark is of.
    given : str
        Controls that marks and lines are given.
    words : list of str
        Sentences of the caller.
    """

    marks: list[Marks] = field(default_factory=list)
    strokes: list[Stroke] = field(default_factory=list)
    scales: dict[Side, Scale] = field(default_factory=dict)
    titles: dict[Side, str] = field(default_factory=dict)
    noun: str = "estimate"
    plural: str = "estimates"
    given: str = ""
    words: list[str] = field(default_factory=list)


def facts_of(ax: Axes) -> Facts:
    """Return what is noted of axes, to read or to add to.

    >>> from wagegap._display.axes import new_axes
    >>> ax = new_axes(3, 2)
    >>> note_stroke(ax, "line", "naive")
    >>> [stroke.words for stroke in facts_of(ax).strokes]
    ['naive']
    """
    facts = getattr(ax, _PLACE, None)
    if not isinstance(facts, Facts):
        facts = Facts()
        setattr(ax, _PLACE, facts)
    return facts


def note_marks(ax: Axes, marks: Marks) -> None:
    """Note marks of estimates that were drawn."""
    facts_of(ax).marks.append(marks)


def note_level(ax: Axes, level: float) -> None:
    """Note the coverage of the intervals of the last marks, where some were drawn."""
    marks = facts_of(ax).marks
    marks[-1:] = [replace(last, level=level) for last in marks[-1:]]


def note_lines_to(ax: Axes, end: str) -> None:
    """Note that the lines of the last marks lead to something, and are no intervals."""
    facts = facts_of(ax)
    facts.marks[-1:] = [replace(last, with_interval=0, level=None) for last in facts.marks[-1:]]
    facts.words.append(f"The line from each mark leads to {end}")


def note_names(ax: Axes, names: Sequence[str], noun: str, plural: str) -> None:
    """Note what a sentence calls the last marks, one by one, and what they are of, such as countries."""
    facts = facts_of(ax)
    facts.marks[-1:] = [replace(last, names=list(names)) for last in facts.marks[-1:]]
    facts.noun, facts.plural = noun, plural


def note_stroke(ax: Axes, shape: Shape, words: str) -> None:
    """Note a line or a band that was drawn."""
    facts_of(ax).strokes.append(Stroke(shape, words))


def note_words(ax: Axes, *sentences: str) -> None:
    """Note sentences that a caption ends with."""
    facts_of(ax).words.extend(sentence for sentence in sentences if sentence)
