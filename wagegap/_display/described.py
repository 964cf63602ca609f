"""A figure in words: an alternative text for those who cannot see it, and a caption that says how to read it.

Both are made of what drawing functions noted on the axes, and of what stands on them: no sentence is written
beforehand, so none can claim an interval, a line or a country that is not there.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from wagegap._display.axes import Axes, written
from wagegap._display.facts import Facts, Marks, Side, Stroke, facts_of
from wagegap._display.labels import hidden_labels
from wagegap._display.numbers import typographic
from wagegap._display.scales import unit_in_words
from wagegap._display.sentences import Scale
from wagegap.errors import listing

__all__ = ["Description", "describe"]

_KINDS = {
    "dot": "Scatter plot", "row": "Forest plot", "bar": "Bars", "step": "Waterfall", "slope": "Slope graph",
    "tile": "Tile map",
}  # fmt: skip
_MARK = {"dot": "dot", "row": "mark", "bar": "bar", "step": "bar", "slope": "line", "tile": "tile"}
_NUMBER = Scale(1.0, "")


@dataclass(frozen=True, slots=True)
class Description:
    """A figure in words.

    Attributes
    ----------
    alt : str
        What it shows, for those who cannot see it.
    caption : str
        How to read it: what marks, lines and bands are.
    """

    alt: str
    caption: str


def describe(ax: Any) -> Description:
    """Say what stands on axes, from what was drawn on them.

    Parameters
    ----------
    ax : Axes or ndarray of Axes
        Axes that functions of this package drew on; of others it says what their axes and legends say.

    Returns
    -------
    Description
        `alt` and `caption`.

    Examples
    --------
    >>> from wagegap._display.axes import name_axes, new_axes
    >>> from wagegap._display.intervals import intervals
    >>> ax = intervals(new_axes(4, 2), ["Korea", "France"], [2.0, 1.0], [float("nan")] * 2, [float("nan")] * 2)
    >>> text = describe(name_axes(ax, x="premium"))
    >>> print(text.alt)
    Forest plot: premium of 2 estimates, without intervals. Highest: Korea, 2.00; lowest: France, 1.00.
    >>> print(text.caption)
    Each mark is an estimate, hollow as an error is unknown.
    """
    every = [panel for panel in np.atleast_1d(np.asarray(ax, dtype=object)).ravel().tolist() if panel is not None]
    parts = [_described(panel) for panel in every]
    return Description(
        " ".join(dict.fromkeys(part.alt for part in parts)),
        " ".join(dict.fromkeys(sentence for part in parts for sentence in [part.caption] if sentence)),
    )


def _described(ax: Axes) -> Description:
    facts = facts_of(ax)
    alt = [_subject(ax, facts), *(_ends(facts, marks) for marks in facts.marks[:1]), *_strokes_in_alt(facts)]
    alt += [_watched(facts, marks) for marks in facts.marks[:1]]
    return Description(_joined(alt), _joined([*_reading(facts), *_room(ax, facts), *facts.words]))


def _joined(sentences: Iterable[str]) -> str:
    return typographic(" ".join(f"{text[:1].upper()}{text[1:]}".rstrip(".") + "." for text in sentences if text))


# what an axis shows --------------------------------------------------------------------------------------------------


def _quantity(ax: Axes, facts: Facts, side: Side) -> str:
    """What an axis shows, with its unit, in one line; of a caption under the axes nothing."""
    if side in facts.titles:
        unit = unit_in_words(facts.scales[side]) if side in facts.scales else ""
        return f"{facts.titles[side]} ({unit})" if unit else facts.titles[side]
    return " ".join(written(ax.get_xlabel() if side == "x" else ax.get_ylabel()).split())


def _subject(ax: Axes, facts: Facts) -> str:
    """Kind of figure, what is on its axes, and how many marks with what intervals."""
    x, y = _quantity(ax, facts, "x"), _quantity(ax, facts, "y")
    if not facts.marks:
        title = written(ax.get_title(loc="left") or ax.get_title())
        shown = f"{y} against {x}" if x and y else x or y
        return f"{title}: {shown}" if title and shown else title or shown or "A figure"
    marks = facts.marks[0]
    given = f", both given {facts.given}" if facts.given else ""
    numbers = f"{y} against {x}{given}, {_counted(facts, marks)}"
    if marks.kind != "dot":
        numbers = f"{(y if 'y' in marks.values else x) or 'values'} of {_counted(facts, marks)}"
    return f"{_KINDS[marks.kind]}: {numbers}, {_intervals(marks)}"


def _counted(facts: Facts, marks: Marks) -> str:
    n = len(set(marks.names))
    return f"{n:,} {facts.noun if n == 1 else facts.plural}"


def _intervals(marks: Marks) -> str:
    shape = "error ellipses" if marks.kind == "dot" else "intervals"
    said = [_some(f"{_level(marks)}{shape}", marks.with_interval, marks)]
    sides = zip(marks.with_bars, ("of the horizontal axis", "of the vertical axis"), strict=True)
    said += [_some(f"{_level(marks)}intervals {side}", n, marks) for n, side in sides]
    return listing([text for text in said if text]) or f"without {shape}"


def _level(marks: Marks) -> str:
    """Coverage, to stand before a word; nothing where it is not known."""
    return "" if marks.level is None else f"{100 * marks.level:g} % "


def _some(what: str, n: int, marks: Marks) -> str:
    """So many marks with something, nothing where none has it."""
    if not n:
        return ""
    return f"with {what}" if n == len(marks.names) else f"with {what} in {n} of {len(marks.names)}"


# the ends, the lines, and who is watched -----------------------------------------------------------------------------


def _sides(marks: Marks) -> list[Side]:
    """Axes that are numbers, that of the outcome first."""
    sides: tuple[Side, ...] = ("y", "x")
    return [side for side in sides if side in marks.values]


def _ends(facts: Facts, marks: Marks) -> str:
    """The highest and the lowest mark, by name."""
    side = next(iter(_sides(marks)), None)
    if side is None or len(marks.names) < 2 or marks.kind == "step":
        return ""
    values = np.array(marks.values[side])
    if not np.isfinite(values).any():
        return ""
    high, low = int(np.nanargmax(values)), int(np.nanargmin(values))
    said = [f"{marks.names[i]}, {_said(facts, side, values[i])}" for i in (high, low)]
    return f"Highest: {said[0]}; lowest: {said[1]}"


def _said(facts: Facts, side: Side, value: float) -> str:
    return facts.scales.get(side, _NUMBER).said(float(value))


def _watched(facts: Facts, marks: Marks) -> str:
    """Values of those that stand out."""
    said = [
        f"{marks.names[i]}, {' at '.join(_said(facts, side, marks.values[side][i]) for side in _sides(marks))}"
        for i in marks.watched
    ]
    return f"In colour: {'; '.join(said)}" if said else ""


def _strokes_in_alt(facts: Facts) -> list[str]:
    return [
        f"{name}: {listing([stroke.words for stroke in strokes], 8)}"
        for name, strokes in (("Lines", _of(facts, "line", "ray")), ("Bands", _of(facts, "band", "wedge")))
        if strokes
    ]


def _of(facts: Facts, *shapes: str) -> list[Stroke]:
    return [stroke for stroke in facts.strokes if stroke.shape in shapes]


# how to read it ------------------------------------------------------------------------------------------------------


def _reading(facts: Facts) -> list[str]:
    """What a mark is, what goes with it, what is given."""
    sentences = [_mark(facts, marks) for marks in facts.marks[:1]]
    if facts.given:
        sentences.append(f"Marks and lines are given {facts.given}: what that explains is taken out of both axes")
    for stroke in _of(facts, "wedge"):
        sentences.append(f"Grey wedge: {stroke.words}")
    watched = [marks.names[i] for marks in facts.marks[:1] for i in marks.watched]
    return [*sentences, f"In colour: {listing(watched, 12)}" if watched else ""]


def _mark(facts: Facts, marks: Marks) -> str:
    """What a mark is, its interval, and why it is hollow."""
    article = "an" if facts.noun[:1] in "aeiou" else "a"
    parts = [f"Each {_MARK[marks.kind]} is {article} {facts.noun}"]
    if marks.with_interval:
        area = "an ellipse its {}region" if marks.kind == "dot" else "the line through it its {}interval"
        parts.append(area.format(_level(marks)))
    if any(marks.with_bars):
        parts.append(f"a line through it its {_level(marks)}interval")
    if marks.hollow:
        parts.append(f"hollow {'as' if marks.hollow == len(marks.names) else 'where'} an error is unknown")
    return ", ".join(parts)


def _room(ax: Axes, facts: Facts) -> list[str]:
    """What had no room for its label."""
    hidden: Sequence[str] = hidden_labels(ax)
    if not hidden:
        return []
    n = sum(len(marks.names) for marks in facts.marks[:1])
    watched = " and those in colour" if any(marks.watched for marks in facts.marks) else ""
    return [f"{n - len(hidden):,} of {n:,} have room for a label, the outermost{watched}"]
