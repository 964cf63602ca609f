"""Formulas and conditions of a study, which are read by the closed grammar before any data are; columns they name.

Which entries hold them is told by the annotations of the arguments that they give.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType, UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from wagegap._arguments import flaw_in
from wagegap._typing import ColumnName, Condition, Formula
from wagegap.estimation.formula import split_formula, split_offset
from wagegap.estimation.functions import check_functions
from wagegap.estimation.grammar import columns_in, parse_condition, parse_side
from wagegap.regression.gravity.flows import fit_flows
from wagegap.report.study_file.arguments import Arguments
from wagegap.report.study_file.faults import Fault, Place

__all__ = ["columns_of_texts", "text_faults", "texts_in"]


def text_faults(place: Place, entries: Mapping[str, Any], arguments: Arguments) -> Iterator[Fault]:
    """Give the formulas and conditions of a section that cannot be read."""
    for entry, value in entries.items():
        if entry in arguments.by_entry:
            for kind, text in texts_in(arguments.takes(entry), value):
                read = _READERS[kind]
                yield from place.caught(
                    read, text, arguments.estimator is fit_flows, entry=entry, says=f"{place.where}: "
                )


def columns_of_texts(arguments: Arguments, entry: str, value: Any) -> list[str]:
    """Return the columns that an entry names; none where it cannot be read."""
    named = [
        name
        for kind, text in texts_in(arguments.takes(entry), value)
        for name in _READERS[kind](text, arguments.estimator is fit_flows)
    ]
    return list(dict.fromkeys(named))


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


def _of_formula(text: str, offsets: bool) -> list[str]:
    parts = split_formula(text)
    regressors, fixed = split_offset(parts.regressors) if offsets else (parts.regressors, ())
    named = [name for side in (parts.outcome, regressors, *fixed) for name in _of_side(side)]
    return [*named, *(name for effect in parts.effects for name in effect.split("^"))]


def _of_side(text: str) -> list[str]:
    tree = parse_side(text)
    check_functions(tree, text, in_side=True)
    return columns_in(tree)


def _of_condition(text: str, _: bool) -> list[str]:
    tree = parse_condition(text)
    check_functions(tree, text, in_side=False)
    return columns_in(tree)


_READERS: Mapping[str, Callable[[str, bool], list[str]]] = MappingProxyType({
    "formula": _of_formula, "condition": _of_condition, "column": lambda text, _: [text],
})  # fmt: skip
"""The columns that a text of each kind names; they raise where it cannot be read."""
