"""What annotations allow as values of a text file, in the words of JSON schema.

Text can give truths, numbers, texts, dates, lists and tables; what else an argument may be (a panel, a function, an
array) no file can say.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType, NoneType, UnionType
from typing import Annotated, Any, Literal, TypeAlias, Union, get_args, get_origin

from wagegap._typing import ColumnName, Condition, Formula
from wagegap.errors import (
    check_alpha,
    check_axes,
    check_between_0_and_1,
    check_count,
    check_label,
    check_positive,
    check_rng,
)
from wagegap.report.study_file.entries import Country, check_above_0, check_seed

__all__ = ["Schema", "can_be_written", "schema_of_type"]

Schema: TypeAlias = dict[str, Any]
"""JSON schema of a value; empty where anything is allowed."""

_PLAIN: Mapping[Any, Mapping[str, Any]] = MappingProxyType({
    bool: {"type": "boolean"}, int: {"type": "integer"}, float: {"type": "number"}, str: {"type": "string"},
    dt.date: {"type": "string", "format": "date"},
})  # fmt: skip
_MARKED: Mapping[Any, str] = MappingProxyType({
    ColumnName: "column", Formula: "formula", Condition: "condition", Country: "country",
})  # fmt: skip
"""What texts are, in a word that readers of schemas pass over where they do not know it."""
_RULES: Mapping[Callable[..., Any], Mapping[str, Any]] = MappingProxyType({
    check_alpha: {"exclusiveMinimum": 0, "exclusiveMaximum": 1},
    check_between_0_and_1: {"exclusiveMinimum": 0, "exclusiveMaximum": 1},
    check_count: {"minimum": 1}, check_positive: {"exclusiveMinimum": 0}, check_above_0: {"exclusiveMinimum": 0},
    check_seed: {"minimum": 0}, check_rng: {"minimum": 0}, check_label: {"type": ["string", "number", "boolean"]},
})  # fmt: skip
"""What rules of annotations say of a value."""


def schema_of_type(annotation: Any) -> Schema | None:
    """Return the JSON schema of the values that an annotation allows; None where a file can hold none of them.

    >>> schema_of_type(Literal["ols", "ml"] | float | None)
    {'anyOf': [{'enum': ['ols', 'ml']}, {'type': 'number'}]}
    >>> schema_of_type(Sequence[str]), schema_of_type(Callable[..., Any]), schema_of_type(Any)
    ({'type': 'array', 'items': {'type': 'string'}}, None, {})
    """
    origin, inside = get_origin(annotation), get_args(annotation)
    if annotation in _MARKED:
        return {"type": "string", "format": _MARKED[annotation]}
    if annotation is Any or annotation is object:
        return {}
    if annotation in _PLAIN:
        return dict(_PLAIN[annotation])
    if origin in (Union, UnionType):
        return _one_of([schema_of_type(one) for one in inside if one is not NoneType])
    if origin is Annotated:
        return _ruled(schema_of_type(inside[0]), inside[1:])
    if origin is Literal:
        return {"enum": [one for one in inside if one is not None]}
    return _holding(annotation if origin is None else origin, inside)


def can_be_written(annotation: Any) -> bool:
    """Return whether a file can say what an annotation allows, which is not just anything, or a table of anything.

    >>> can_be_written(float | None), can_be_written(Any), can_be_written(Callable[..., Any])
    (True, False, False)
    """
    schema = schema_of_type(annotation)
    return bool(schema) and schema != {"type": "object", "additionalProperties": {}}


def _one_of(schemas: Sequence[Schema | None]) -> Schema | None:
    """The schema of a union; members that no file can hold are left out."""
    known = [one for one in schemas if one is not None]
    if not known or {} in known:
        return {} if known else None
    flat = [part for one in known for part in (one["anyOf"] if set(one) == {"anyOf"} else [one])]
    enums = [value for one in flat if set(one) == {"enum"} for value in one["enum"]]
    others = [one for i, one in enumerate(flat) if set(one) != {"enum"} and one not in flat[:i]]
    parts = [*([{"enum": list(dict.fromkeys(enums))}] if enums else []), *others]
    return parts[0] if len(parts) == 1 else {"anyOf": parts}


def _ruled(schema: Schema | None, rules: Sequence[Any]) -> Schema | None:
    """A schema under the rules of an annotation."""
    if check_axes in rules:
        return None
    said = [_RULES[rule] for rule in rules if callable(rule) and rule in _RULES]
    return schema if schema is None or not said else {**schema, **said[0]}


def _holding(kind: Any, inside: tuple[Any, ...]) -> Schema | None:
    """The schema of lists and tables by what they hold."""
    if not isinstance(kind, type):
        return None
    if kind is tuple and inside and inside[-1] is not Ellipsis:
        items = [schema_of_type(one) or {} for one in inside]
        return {"type": "array", "prefixItems": items, "minItems": len(items), "maxItems": len(items)}
    if kind in (list, tuple) or kind is Sequence:
        items_of = schema_of_type(inside[0]) if inside else {}
        return None if items_of is None else {"type": "array", "items": items_of}
    if issubclass(kind, Mapping):
        values = schema_of_type(inside[-1]) if inside else {}
        return None if values is None else {"type": "object", "additionalProperties": values}
    return None
