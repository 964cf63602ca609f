"""Formulas and conditions of a study, which are read by the closed grammar before any data are; columns they name.

Which entries hold them is told by the annotations of the arguments that they give.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import MappingProxyType, UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from wagegap._arguments import flaw_in
from wagegap._typing import ColumnName, Condition, Formula
from wagegap.errors import WagegapError
from wagegap.estimation.formula import split_formula, split_offset
from wagegap.estimation.functions import check_functions
from wagegap.estimation.grammar import columns_in, parse_condition, parse_side, split_at
from wagegap.regression.choice.choice import fit_choice
from wagegap.regression.exits.exits import fit_exits
from wagegap.regression.gravity.flows import fit_flows
from wagegap.regression.selection.roy import fit_roy
from wagegap.report.study_file.arguments import Arguments
from wagegap.report.study_file.faults import Fault, Place

__all__ = ["columns_of_texts", "flaw_of_expression", "text_faults", "texts_in"]


def text_faults(place: Place, entries: Mapping[str, Any], arguments: Arguments) -> Iterator[Fault]:
    """Give the formulas and conditions of a section that cannot be read."""
    for entry, value in entries.items():
        for kind, text in _texts(arguments, entry, value):
            if kind != "column":
                yield from place.caught(_READERS[kind], text, arguments, entry=entry, says=f"{place.where}: ")


def columns_of_texts(arguments: Arguments, entry: str, value: Any, there: Sequence[str]) -> list[str]:
    """Return the columns that an entry names and a table lacks; none where a formula or condition cannot be read.

    Where a column is asked for, an expression of columns will do.
    """
    named: list[str] = []
    for kind, text in _texts(arguments, entry, value):
        if kind == "column":
            names = [] if text in there or text in _WORDS.get(entry, ()) else _columns_in(text)
        else:
            try:
                names = _READERS[kind](text, arguments)
            except WagegapError:
                names = []
        named += [name for name in names if name not in there]
    return list(dict.fromkeys(named))


def _columns_in(text: str) -> list[str]:
    """The columns of a term or an expression; a text that is neither is the name of one."""
    for read in (_of_side, _of_condition):
        try:
            return read(text)
        except WagegapError:
            continue
    return [text]


def flaw_of_expression(text: str) -> str:
    """Return why a text that is written as an expression cannot be read; an empty string where it is a mere name.

    >>> flaw_of_expression("hours a week"), flaw_of_expression("log(x")
    ('', "cannot read 'log(x': it ends where a column or number is missing, at character 6.")
    """
    if not re.search(r"[()<>=*+]", text):
        return ""
    try:
        _of_condition(text)
    except WagegapError as error:
        return str(error)
    return ""


def _texts(arguments: Arguments, entry: str, value: Any) -> Iterator[tuple[str, str]]:
    """Give the texts of an entry, with what they are."""
    if entry not in arguments.by_entry:
        return
    kind = _READ_AS.get(entry) if arguments.kind.name in _OF_DATA else None
    if kind is None:
        yield from texts_in(arguments.takes(entry), value)
        return
    inside = value.values() if isinstance(value, Mapping) else value if isinstance(value, list | tuple) else [value]
    for text in inside:
        if isinstance(text, str):
            yield kind, text


def texts_in(annotation: Any, value: Any) -> Iterator[tuple[str, str]]:
    """Give the texts of a value that are formulas, conditions or names of columns, with what they are.

    >>> from collections.abc import Sequence
    >>> list(texts_in(Formula | None, "pay ~ ai")), list(texts_in(Sequence[ColumnName] | None, ["iso3"]))
    ([('formula', 'pay ~ ai')], [('column', 'iso3')])
    """
    origin, inside = get_origin(annotation), get_args(annotation)
    kind = next((name for name, marked in _MARKED.items() if annotation == marked), None)
    if kind is not None:
        if isinstance(value, str):
            yield kind, value
    elif origin in (Union, UnionType):
        fitting = next((one for one in inside if not flaw_in(one, "", value)), None)
        yield from texts_in(fitting, value)
    elif origin is Annotated:
        yield from texts_in(inside[0], value)
    elif inside and isinstance(value, Mapping):
        for one in value.values():
            yield from texts_in(inside[-1], one)
    elif inside and isinstance(value, list | tuple):
        for one in value:
            yield from texts_in(inside[0], one)


_MARKED: Mapping[str, Any] = MappingProxyType({"formula": Formula, "condition": Condition, "column": ColumnName})


_OF_DATA = ("premiums", "rates", "gaps", "exits", "flows", "models", "systems")
"""Kinds of sections whose estimators look at rows, or at several formulas."""
_READ_AS: Mapping[str, str] = MappingProxyType({
    "selection": "selection", "instruments": "formula", "formulas": "formula", "costs": "terms", "distance": "terms",
    "propensity": "terms", "premium": "column", "outcome": "column", "leave": "column", "exit": "column",
    "events": "column",
})  # fmt: skip
"""Arguments whose annotations say no more than that they are texts."""
_WORDS: Mapping[str, tuple[str, ...]] = MappingProxyType({"cluster": ("worker", "row")})
"""What arguments that name columns may say besides."""
_MAY_BE_BARE = (fit_choice, fit_exits, fit_roy)
"""Estimators whose formula may have one side alone."""


def _of_formula(text: str, arguments: Arguments) -> list[str]:
    bare = arguments.estimator in _MAY_BE_BARE and (text.lstrip().startswith("~") or len(split_at(text, "~")) == 1)
    parts = split_formula(f"_ ~ {text.strip().removeprefix('~')}" if bare else text)
    regressors, fixed = parts.regressors, tuple[str, ...]()
    if arguments.estimator is fit_flows:
        regressors, fixed = split_offset(parts.regressors)
    named = [name for side in (*([] if bare else [parts.outcome]), regressors, *fixed) for name in _of_side(side)]
    return [*named, *(name for effect in parts.effects for name in effect.split("^"))]


def _of_selection(text: str, arguments: Arguments) -> list[str]:
    first, tilde, _ = text.partition("~")
    return _of_formula(text if first.strip() or not tilde else f"1 {text.strip()}", arguments)


def _of_side(text: str) -> list[str]:
    tree = parse_side(text)
    check_functions(tree, text, in_side=True)
    return columns_in(tree)


def _of_condition(text: str) -> list[str]:
    tree = parse_condition(text)
    check_functions(tree, text, in_side=False)
    return columns_in(tree)


_READERS: Mapping[str, Callable[[str, Arguments], list[str]]] = MappingProxyType({
    "formula": _of_formula, "selection": _of_selection, "terms": lambda text, _: _of_side(text) if text else [],
    "condition": lambda text, _: _of_condition(text), "column": lambda text, _: [text],
})  # fmt: skip
"""The columns that a text of each kind names; they raise where it cannot be read."""
