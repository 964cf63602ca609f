"""The schema of studies, by which editors complete, explain and check them as they are written.

It is made of the table of kinds of sections, the annotations of their estimators' arguments and what the documentation
says of these. What a schema cannot say (that a section is defined, that a formula can be read) is left to the check.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from inspect import Parameter
from typing import Any

from wagegap._arguments import argument_types
from wagegap.panel.panel import Panel
from wagegap.report.kinds import CAUTION, COMMON, KINDS, PUBLISHED, Kind
from wagegap.report.shipped import SHIPPED
from wagegap.report.study_file.arguments import entries_of, held_by_shipped, types_of
from wagegap.report.study_file.check import VERSIONS
from wagegap.report.study_file.described import about_arguments
from wagegap.report.study_file.entries import OF_THE_STUDY, Entry, entry_of
from wagegap.report.study_file.values import Schema, can_be_written, schema_of_type

__all__ = ["entry_schema", "own_entries", "schema", "shipped_names"]


def schema() -> Schema:
    """Return the JSON schema (draft 2020-12) of a study.

    Returns
    -------
    dict
        Of plain lists, texts and numbers, as `json.dumps` takes it.

    Examples
    --------
    >>> made = schema()
    >>> made["properties"]["gaps"]["additionalProperties"]["properties"]["estimator"]["enum"][:2]
    ['oaxaca', 'oaxaca_selection']
    >>> made["properties"]["seed"]
    {'type': 'integer', 'minimum': 0, 'description': 'Seed of random orders and draws.', 'default': 0, 'examples': [1]}
    """
    top = {name: _own(entry) for name, entry in OF_THE_STUDY.items()}
    top["version"]["enum"] = list(VERSIONS)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "A study of wagegap",
        "description": "Sources, premiums, rates, links and questions, carried out by `wagegap run` as one report.",
        "type": "object",
        "properties": {**top, **{kind.name: _kind(kind) for kind in (*KINDS.values(), CAUTION)}},
        "additionalProperties": False,
    }


def _own(entry: Entry) -> Schema:
    """The schema of an entry of a study's own."""
    default = {} if entry.default is None else {"default": entry.default}
    return {**(schema_of_type(entry.takes) or {}), "description": entry.about, **default, "examples": [entry.example]}


def _kind(kind: Kind) -> Schema:
    """The schema of all sections of a kind."""
    one = _section(kind)
    if kind is CAUTION:
        return one
    if kind.listed:
        return {"type": "array", "description": kind.about, "items": one}
    return {"type": "object", "description": kind.about, "additionalProperties": one}


def _section(kind: Kind) -> Schema:
    """The schema of a section, whatever it is given to, and what further holds by what it says."""
    made: Schema = {
        "type": "object", "description": kind.about, "properties": _properties(kind), "additionalProperties": False,
        "required": [name for name in kind.needs if name not in kind.places or len(kind.places) == 1],
    }  # fmt: skip
    if len(kind.places) > 1:
        made["oneOf"] = [{"required": [name]} for name in kind.places]
    further = list(_conditions(kind))
    return {**made, "allOf": further} if further else made


def _properties(kind: Kind) -> dict[str, Schema]:
    """Schemas of all entries that a section of a kind may have, by name."""
    entries: dict[str, Schema] = {name: entry_schema(kind, name, None) for name in own_entries(kind)}
    for name in {name: None for one in _readers(kind) for name in entries_of(kind, one)}:
        readers = [one for one in _readers(kind) if name in entries_of(kind, one)]
        if name not in entries or name in kind.refers:
            entries[name] = _either([entry_schema(kind, name, one) for one in readers])
    return entries


def own_entries(kind: Kind) -> list[str]:
    """Return the entries of a kind that are no arguments, those of every kind last."""
    chosen_by = [kind.chosen_by] if len(kind.estimators) > 1 else []
    return list(dict.fromkeys((*kind.places, *chosen_by, *kind.takes, *COMMON)))


def _readers(kind: Kind) -> list[Callable[..., Any]]:
    """What the sections of a kind may be given to."""
    published = [PUBLISHED] if {"path", "panel"} <= set(kind.places) else []
    return [] if kind is CAUTION else [*kind.estimators.values(), *published]


def entry_schema(kind: Kind, name: str, estimator: Callable[..., Any] | None) -> Schema:
    """Return the schema of an entry, given to an estimator or, without one, of the study's own."""
    own = entry_of(kind.name, name)
    if estimator is not None and name in entries_of(kind, estimator):
        argument = kind.renamed.get(name, name)
        annotation = types_of(estimator)[argument]
        of_some = {one for names in kind.besides.values() for one in names}
        if own is None or name in of_some or (name in kind.refers and can_be_written(annotation)):
            about = about_arguments(estimator).get(argument, "")
            default = _plain(entries_of(kind, estimator)[name].default)
            return {
                **(schema_of_type(annotation) or {}), **({"description": about} if about else {}),
                **({} if default is None else {"default": default}),
            }  # fmt: skip
    if own is None:
        return {}
    made = _own(own)
    if name == kind.chosen_by:
        names = list(kind.estimators)
        made = {"enum": names, "description": own.about, **({} if name in kind.needs else {"default": names[0]})}
    elif name == "shipped" or (kind is CAUTION and name == "flows"):
        made |= {"pattern": f"^({'|'.join(SHIPPED)})(:.+)?$", "examples": shipped_names(kind)}
    elif name == "transitions":
        made["anyOf"] = [{"type": "boolean"}, _transitions()]
    return made


def shipped_names(kind: Kind) -> list[str]:
    """Return what is shipped that a section of a kind can name.

    >>> shipped_names(KINDS["covariates"])
    ['talent_migration_by_year:ai', 'talent_migration_by_year:data_science', 'income']
    """
    tables = kind is CAUTION or kind.name == "covariates"
    return [spec for name in SHIPPED if (held_by_shipped(name) == "DataFrame") == tables for spec in _specs(name)]


def _specs(name: str) -> list[str]:
    """Something shipped, once with each word that it takes."""
    for annotation in argument_types(SHIPPED[name][0]).values():
        words = (schema_of_type(annotation) or {}).get("enum", [])
        if words:
            return [f"{name}:{word}" for word in words]
    return [name]


def _transitions() -> Schema:
    about = about_arguments(Panel.transitions)
    types = {name: one for name, one in argument_types(Panel.transitions).items() if name != "self"}
    return {
        "type": "object", "additionalProperties": False,
        "properties": {
            name: {**(schema_of_type(one) or {}), "description": about.get(name, "")} for name, one in types.items()
        },
    }  # fmt: skip


def _either(schemas: Sequence[Schema]) -> Schema:
    """One schema for an entry that several estimators take, each in its own way."""
    once = [one for i, one in enumerate(schemas) if one not in schemas[:i]]
    if len(once) == 1:
        return once[0]
    about = next((one["description"] for one in once if "description" in one), "")
    shapes = [{key: value for key, value in one.items() if key not in ("description", "default")} for one in once]
    shapes = [one for i, one in enumerate(shapes) if one not in shapes[:i]]
    shape: Schema = {} if {} in shapes else shapes[0] if len(shapes) == 1 else {"anyOf": shapes}
    return {**shape, **({"description": about} if about else {})}


def _plain(value: Any) -> Any:
    """A default as JSON has it; None where there is none, or it is nothing that JSON has."""
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    return value if isinstance(value, str | int | float) and value is not Parameter.empty else None


# what holds under conditions -----------------------------------------------------------------------------------------


def _conditions(kind: Kind) -> Iterator[Schema]:
    """What holds of a section by the estimator that it names, and by where its data come from."""
    if kind is CAUTION:
        return
    first = next(iter(kind.estimators))
    for name, estimator in kind.estimators.items():
        named: Schema = {"properties": {kind.chosen_by: {"const": name}}, "required": [kind.chosen_by]}
        if len(kind.estimators) == 1:
            named = {}
        elif name == first and kind.chosen_by not in kind.needs:
            named = {"anyOf": [named, _without(kind)]}
        yield from _given_to(kind, estimator, named)
    if PUBLISHED in _readers(kind):
        path = {"required": ["path"], "not": {"required": [kind.chosen_by]}}
        yield {"if": path, "then": _holds(kind, PUBLISHED, needed=True)}
    if "shipped" in kind.places:
        crossed = "|".join(name for name in SHIPPED if held_by_shipped(name) == "CrossProducts")
        plain = {"properties": {"shipped": {"pattern": f"^(?!{crossed})"}}, "required": ["shipped"]}
        yield {"if": plain, "then": {"propertyNames": {"enum": ["shipped", *COMMON]}}}


def _without(kind: Kind) -> Schema:
    """No estimator is named, so that the first is meant."""
    absent: list[Schema] = [{"required": [kind.chosen_by]}]
    if PUBLISHED in _readers(kind):
        absent.append({"required": ["path"]})
    return {"not": {"anyOf": absent}}


def _given_to(kind: Kind, estimator: Callable[..., Any], named: Schema) -> Iterator[Schema]:
    """What holds where a section is given to an estimator; what this needs, only where data are given to it."""
    several = len(kind.places) > 1
    yield from _if(named, _holds(kind, estimator, needed=not several))
    if several and "panel" in kind.places:
        yield from _if({"allOf": [named, {"required": ["panel"]}]}, {"required": _needed(kind, estimator)})


def _if(condition: Schema, then: Schema) -> Iterator[Schema]:
    if then.get("required") == [] and len(then) == 1:
        return
    yield {"if": condition, "then": then} if condition else then


def _holds(kind: Kind, estimator: Callable[..., Any], *, needed: bool) -> Schema:
    """Which entries a section has that is given to an estimator, and what they are where estimators differ."""
    besides = kind.besides.get(estimator.__name__, ())
    known = list(dict.fromkeys((*own_entries(kind), *entries_of(kind, estimator), *besides)))
    every = _properties(kind)
    own = {name: _shape(entry_schema(kind, name, estimator)) for name in entries_of(kind, estimator)}
    narrower = {name: one for name, one in own.items() if one and one != _shape(every[name])}
    return {
        "propertyNames": {"enum": known}, **({"properties": narrower} if narrower else {}),
        **({"required": _needed(kind, estimator)} if needed else {}),
    }  # fmt: skip


def _shape(schema: Mapping[str, Any]) -> Schema:
    return {key: value for key, value in schema.items() if key not in ("description", "default", "examples")}


def _needed(kind: Kind, estimator: Callable[..., Any]) -> list[str]:
    parameters: Iterable[tuple[str, inspect.Parameter]] = entries_of(kind, estimator).items()
    besides = kind.besides.get(estimator.__name__, ())
    return [*(name for name, one in parameters if one.default is Parameter.empty), *besides]
