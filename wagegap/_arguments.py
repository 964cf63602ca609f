"""The door of every public call: what it is given is held against the annotations of its signature, before it runs.

`public` makes a function, `public_methods` and `public_class` those of a class, answer a misspelt keyword or an
argument of the wrong kind with one `OptionError` that names the call, the option, the value and what it must be.
Nothing is stated twice: the annotations say it all, `Literal["a", "b"]` the values that are known,
`Annotated[float, check_alpha]` a rule that a type cannot say, `Annotated[str, "the name of one column"]` what messages
call it. An annotation is read when its function is first called, once.
"""

from __future__ import annotations

import functools
import inspect
import re
from collections.abc import Callable, KeysView, Mapping, Sequence, ValuesView
from dataclasses import dataclass
from numbers import Integral
from os import PathLike
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, TypeVar, Union, get_args, get_origin

import numpy as np

from wagegap.errors import ArgumentError, OptionError, did_you_mean, is_number, listing, shown

__all__ = ["argument_types", "flaw_in", "flaw_of", "public", "public_class", "public_methods"]

_Function = TypeVar("_Function", bound=Callable[..., Any])
_Class = TypeVar("_Class")
_GENERIC_AT_REST = re.compile(r"\bpd\.(Series|Index)\[\w+\]")
"""Classes of pandas that take parameters in stubs alone."""
_SIGNS = {"VAR_POSITIONAL": "*{}", "VAR_KEYWORD": "**{}", "KEYWORD_ONLY": "{}="}
"""How a parameter is written: `name=` where it is given by name only, `*names`, `**options` where several may be."""


def public(function: _Function) -> _Function:
    """Hold the arguments of a function against its annotations.

    >>> def fit(formula: str, *, method: Literal["ols", "eiv"] = "ols") -> str:
    ...     return method
    >>> public(fit)("y ~ x", metod="eiv")
    Traceback (most recent call last):
    wagegap.errors.ArgumentError: fit() takes no keyword 'metod'. Did you mean 'method'? It takes: formula, method.
    >>> public(fit)("y ~ x", method="eivs")
    Traceback (most recent call last):
    wagegap.errors.OptionError: fit(): method='eivs' is not known. Did you mean 'eiv'? Known: 'ols', 'eiv'.
    >>> public(fit)(3)
    Traceback (most recent call last):
    wagegap.errors.OptionError: fit(): formula=3 must be text, not int.
    """
    door: _Function = _door(function, getattr(function, "__name__", "call"))
    return door


def public_methods(cls: type[_Class]) -> type[_Class]:
    """Hold the arguments of a class's own public methods against their annotations, in place."""
    for name, member in list(vars(cls).items()):
        if name.startswith("_"):
            continue
        if inspect.isfunction(member):
            setattr(cls, name, _door(member, name))
        elif isinstance(member, classmethod | staticmethod):
            setattr(cls, name, type(member)(_door(member.__func__, name)))
    return cls


def public_class(cls: type[_Class]) -> type[_Class]:
    """Hold the arguments of a class that users make, and of its own public methods, against their annotations."""
    setattr(cls, "__init__", _door(vars(cls)["__init__"], cls.__name__))  # noqa: B010 - mypy refuses the plain form
    return public_methods(cls)


def flaw_of(function: Callable[..., Any], name: str, value: object) -> str:
    """Say why a parameter of a function does not take a value, without a call; an empty string where it does.

    >>> def fit(formula: str, *, method: Literal["ols", "eiv"] = "ols") -> str:
    ...     return method
    >>> flaw_of(fit, "formula", 3)
    'formula=3 must be text, not int.'
    """
    parameter = _door(function, function.__name__).__takes__().by_name[name]
    return _refusal(parameter.kinds, name, value) if parameter.kinds and value is not parameter.default else ""


def flaw_in(annotation: Any, name: str, value: object) -> str:
    """Say why a value is not what an annotation allows; an empty string where it is.

    >>> flaw_in(Literal["ols", "eiv"], "method", "eivs")
    "method='eivs' is not known. Did you mean 'eiv'? Known: 'ols', 'eiv'."
    """
    return _refusal(_kinds(annotation), name, value)


def argument_types(function: Callable[..., Any]) -> dict[str, Any]:
    """Return what the annotations of a function's parameters allow, by name; `Any` where one allows anything.

    >>> def fit(formula: str, data: Any = None, further: "Any | None" = None) -> str:
    ...     return formula
    >>> argument_types(fit)
    {'formula': <class 'str'>, 'data': typing.Any, 'further': typing.Any}
    """
    names = getattr(inspect.unwrap(function), "__globals__", {})
    parameters = inspect.signature(function).parameters.items()
    types = {name: _evaluated(one.annotation, names) for name, one in parameters}
    return {name: annotation if _kinds(annotation) else Any for name, annotation in types.items()}


def _door(function: Any, title: str) -> Any:
    """The function behind a check of its arguments; itself where it has one already."""
    if hasattr(function, "__takes__"):
        return function

    @functools.cache
    def takes() -> _Signature:
        return _read_signature(function, title)

    @functools.wraps(function)
    def checked(*args: Any, **kwargs: Any) -> Any:
        return function(*takes().check(args, kwargs), **kwargs)

    checked.__takes__ = takes  # type: ignore[attr-defined]
    return checked


@dataclass(frozen=True, slots=True)
class _Kind:
    """One of the kinds of values that a parameter takes.

    Attributes
    ----------
    words, plural : str
        How a value of this kind, and several, are called in messages.
    fits : callable
        Whether a value is of this kind, whatever may be wrong inside it.
    flaw : callable, optional
        What is wrong inside a value that fits, given its name; an empty string where nothing is.
    known : tuple
        The values of a `Literal`.
    rule : bool
        Whether `flaw` judges values of other kinds too.
    lists, arrays : bool
        Whether values are lists, or arrays, or may be.
    """

    words: str
    plural: str
    fits: Callable[[Any], bool]
    flaw: Callable[[str, Any], str] | None = None
    known: tuple[object, ...] = ()
    rule: bool = False
    lists: bool = False
    arrays: bool = False


_Kinds = tuple[_Kind, ...]
"""What a parameter takes: a value of any of these kinds, anything where there are none."""


@dataclass(frozen=True, slots=True)
class _Parameter:
    """A parameter, what it takes, and the default, which is never held against it."""

    name: str
    kinds: _Kinds
    default: object
    listed: bool


@dataclass(frozen=True, slots=True)
class _Signature:
    """Parameters of a call, as they may be given."""

    title: str
    plain: inspect.Signature
    in_order: tuple[_Parameter, ...]
    by_name: Mapping[str, _Parameter]
    needed: tuple[tuple[int, str], ...]
    further: _Parameter | None
    free: _Parameter | None
    lists: bool

    def check(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, ...]:
        """Raise unless the arguments go with the parameters, and each is of a kind that its parameter takes.

        Returns the arguments given by place. An array or column that stands for a list of names or numbers becomes one,
        there and in `kwargs`.
        """
        self._check_names(args, kwargs)
        for parameter, value in zip(self.in_order, args, strict=False):
            self._check_value(parameter, parameter.name, value)
        if self.further is not None and self.further.kinds:
            for place, value in enumerate(args[len(self.in_order) :]):
                self._check_value(self.further, f"{self.further.name}[{place}]", value)
        for name, value in kwargs.items():
            named = self.by_name.get(name) or self.free
            if named is not None:
                self._check_value(named, name, value)
                if named.listed and _stands_for_a_list(value):
                    kwargs[name] = list(value)
        if not self.lists:
            return args
        listed = [*(one.listed for one in self.in_order), *(False for _ in args)]
        return tuple(
            list(value) if is_list and _stands_for_a_list(value) else value
            for is_list, value in zip(listed, args, strict=False)
        )

    def _check_value(self, parameter: _Parameter, name: str, value: Any) -> None:
        if parameter.kinds and value is not parameter.default:
            refusal = _refusal(parameter.kinds, name, value)
            if refusal:
                raise OptionError(f"{self.title}(): {refusal}")

    def _check_names(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> None:
        """Raise `ArgumentError` where an argument has no parameter, or a parameter no argument, or two."""
        if self.free is None:
            for name in kwargs:
                if name not in self.by_name:
                    hint = f"{did_you_mean(name, self.by_name)} It takes: {listing(self.by_name, 30)}."
                    raise ArgumentError(f"{self.title}() takes no keyword {shown(name)}.{hint}")
        many = len(args) > len(self.in_order) and self.further is None
        lost = any(place >= len(args) and name not in kwargs for place, name in self.needed)
        twice = bool(kwargs) and any(one.name in kwargs for one in self.in_order[: len(args)])
        if many or lost or twice:
            try:
                self.plain.bind(*args, **kwargs)
            except TypeError as error:
                parameters = [one for one in self.plain.parameters.values() if one.name not in ("self", "cls")]
                takes = listing((_SIGNS.get(one.kind.name, "{}").format(one.name) for one in parameters), 30)
                raise ArgumentError(f"{self.title}(): {error}. It takes: {takes}.") from None


def _read_signature(function: Callable[..., Any], title: str) -> _Signature:
    """Read what a function takes from its annotations."""
    plain = inspect.signature(function)
    names = getattr(inspect.unwrap(function), "__globals__", {})
    read = {
        name: _parameter(name, _kinds(_evaluated(one.annotation, names)), one.default)
        for name, one in plain.parameters.items()
    }
    kinds = {name: one.kind for name, one in plain.parameters.items()}
    in_order = tuple(read[name] for name, kind in kinds.items() if kind.name.startswith("POSITIONAL"))
    places = {parameter.name: place for place, parameter in enumerate(in_order)}
    given = [name for name, kind in kinds.items() if not kind.name.startswith("VAR")]
    several = {kind.name: read[name] for name, kind in kinds.items() if kind.name.startswith("VAR")}
    by_name = {
        name: read[name] for name in given if name not in ("self", "cls") and kinds[name].name != "POSITIONAL_ONLY"
    }
    # a parameter given by name alone stands after every place
    needed = tuple(
        (places.get(name, len(kinds) + 1), name) for name in given if read[name].default is inspect.Parameter.empty
    )
    return _Signature(
        title,
        plain,
        in_order,
        by_name,
        needed,
        several.get("VAR_POSITIONAL"),
        several.get("VAR_KEYWORD"),
        any(one.listed for one in in_order),
    )


def _parameter(name: str, kinds: _Kinds, default: object) -> _Parameter:
    return _Parameter(
        name, kinds, default, any(kind.lists for kind in kinds) and not any(kind.arrays for kind in kinds)
    )


def _evaluated(annotation: Any, names: dict[str, Any]) -> Any:
    """The type that an annotation names."""
    if annotation is inspect.Parameter.empty:
        return Any
    if not isinstance(annotation, str):
        return annotation
    return eval(_GENERIC_AT_REST.sub(r"pd.\1", annotation), names)


# what annotations mean ---------------------------------------------------------------------------------------------


def _kinds(annotation: Any) -> _Kinds:
    """The kinds that an annotation allows; none where it allows anything."""
    members = list(get_args(annotation)) if get_origin(annotation) in (Union, UnionType) else [annotation]
    listed = [_member(member) for member in members]
    if not all(listed):
        return ()
    kinds = [kind for some in listed for kind in some]
    known = tuple(dict.fromkeys(value for kind in kinds for value in kind.known))
    others = [kind for kind in kinds if not kind.known]
    return (*others, _literal(known, others)) if known else tuple(others)


def _member(annotation: Any) -> _Kinds:
    """The kinds of one member of a union."""
    origin, inside = get_origin(annotation), get_args(annotation)
    if origin in (Union, UnionType):
        return _kinds(annotation)
    if origin is Annotated:
        return _ruled(_kinds(inside[0]), inside[1:])
    if origin is Literal:
        return (_literal(inside, ()),)
    if annotation in _PLAIN:
        return (_PLAIN[annotation],)
    kind = annotation if origin is None else origin
    if kind is Callable or kind is _ABSTRACT_CALL:
        return (_Kind("a function", "functions", callable),)
    if not isinstance(kind, type) or kind in (Any, object) or getattr(kind, "_is_protocol", False):
        return ()
    return (_of_class(kind, inside),)


def _of_class(kind: type, inside: tuple[Any, ...]) -> _Kind:
    """Values of a class: sequences, mappings and arrays by what they hold."""
    if kind is tuple and len(inside) > 0 and inside[-1] is not Ellipsis:
        return _fixed(tuple(_kinds(one) for one in inside))
    if kind in (list, tuple) or kind is Sequence:
        return _sequence(_kinds(inside[0]) if inside else ())
    if issubclass(kind, Mapping):
        return _mapping(*(_kinds(one) for one in inside or (Any, Any)))
    if issubclass(kind, np.ndarray):
        return _array(inside)
    if kind is PathLike:
        return _Kind("a path", "paths", lambda value: isinstance(value, PathLike))
    article = "an" if kind.__name__[0] in "AEIOU" else "a"
    return _Kind(f"{article} {kind.__name__}", f"{kind.__name__}s", lambda value: isinstance(value, kind))


def _number_flaw(name: str, value: Any) -> str:
    return f"{name}={shown(value)} must be a number." if value != value else ""


_ABSTRACT_CALL = get_origin(Callable[..., Any])
_PLAIN: dict[Any, _Kind] = {
    bool: _Kind("True or False", "True or False", lambda value: isinstance(value, bool | np.bool_)),
    int: _Kind(
        "a whole number", "whole numbers", lambda value: isinstance(value, Integral) and not isinstance(value, bool)
    ),
    float: _Kind("a number", "numbers", is_number, _number_flaw),
    str: _Kind("text", "text", lambda value: isinstance(value, str)),
    None: _Kind("None", "None", lambda value: value is None),
    NoneType: _Kind("None", "None", lambda value: value is None),
}


def _ruled(kinds: _Kinds, rules: tuple[Any, ...]) -> _Kinds:
    """Kinds under other words, or whose values also pass a rule: a function of name and value that raises."""
    checks = [rule for rule in rules if callable(rule)]
    words = next((rule for rule in rules if isinstance(rule, str)), _either([kind.words for kind in kinds]))

    def flaw(name: str, value: Any) -> str:
        try:
            for check in checks:
                check(name, value)
        except OptionError as error:
            return str(error)
        return "" if checks else _refusal(kinds, name, value)

    fits = [kind.fits for kind in kinds]
    lists, arrays = any(kind.lists for kind in kinds), any(kind.arrays for kind in kinds)
    return (
        _Kind(
            words, words, lambda value: not fits or any(fit(value) for fit in fits), flaw,
            rule=bool(checks), lists=lists, arrays=arrays,
        ),
    )  # fmt: skip


def _literal(known: tuple[object, ...], others: Sequence[_Kind]) -> _Kind:
    """Values that are listed; `others` are the kinds that would do as well."""
    kinds = {_simple(value) for value in known}

    def flaw(name: str, value: Any) -> str:
        if any(_simple(value) is _simple(one) and value == one for one in known):
            return ""
        also = f", or {_either([kind.words for kind in others])}" if others else ""
        names = listing((repr(one) for one in known), 20)
        return f"{name}={shown(value)} is not known.{did_you_mean(value, known)} Known: {names}{also}."

    return _Kind(_either([repr(one) for one in known]), "names", lambda value: _simple(value) in kinds, flaw, known)


def _simple(value: Any) -> type | None:
    """The kind of a value that can be listed: of truth, whole numbers, text; none of others."""
    if isinstance(value, bool | np.bool_):
        return bool
    return int if isinstance(value, Integral) else str if isinstance(value, str) else None


def _is_sequence(value: Any) -> bool:
    """Whether a value has one order of items: lists, tuples, columns; no text, set or mapping."""
    if isinstance(value, str | bytes | bytearray | memoryview | Mapping):
        return False
    if isinstance(value, Sequence | KeysView | ValuesView):
        return True
    return getattr(value, "ndim", None) == 1 and hasattr(value, "__len__") and hasattr(value, "__iter__")


def _sequence(inside: _Kinds) -> _Kind:
    """Lists, or what stands for one, each item of some kinds."""

    def flaw(name: str, value: Any) -> str:
        numbers = getattr(getattr(value, "dtype", None), "kind", "")
        if not inside or (numbers in ("i", "u", "f") and _PLAIN[float] in inside):
            return ""
        flaws = (_refusal(inside, f"{name}[{place}]", item) for place, item in enumerate(value))
        return next(filter(None, flaws), "")

    of = f" of {_either([kind.plural for kind in inside])}" if inside else ""
    return _Kind(f"a list{of}", f"lists{of}", _is_sequence, flaw, lists=True)


def _stands_for_a_list(value: Any) -> bool:
    """Whether a value is a list but for its type: an array, an index or a column, keys of a dict."""
    return not isinstance(value, Sequence) and _is_sequence(value)


def _fixed(inside: tuple[_Kinds, ...]) -> _Kind:
    """So many values in a row, each of its own kinds."""

    def flaw(name: str, value: Any) -> str:
        flaws = (
            _refusal(kinds, f"{name}[{place}]", item)
            for place, (kinds, item) in enumerate(zip(inside, value, strict=True))
        )
        return next(filter(None, flaws), "")

    of = f" of {inside[0][0].plural}" if all(kinds == inside[0] and kinds for kinds in inside) else ""
    many = "a pair" if len(inside) == 2 else f"{len(inside)} values"
    return _Kind(many + of, many + of, lambda value: _is_sequence(value) and len(value) == len(inside), flaw)


def _mapping(keys: _Kinds, values: _Kinds) -> _Kind:
    """Dictionaries, keys and values each of some kinds."""

    def flaw(name: str, value: Any) -> str:
        for key, one in value.items():
            refusal = _refusal(keys, f"a key of {name}", key) or _refusal(values, f"{name}[{shown(key)}]", one)
            if refusal:
                return refusal
        return ""

    return _Kind("a dict", "dicts", lambda value: isinstance(value, Mapping), flaw if keys or values else None)


def _array(inside: tuple[Any, ...]) -> _Kind:
    """Arrays of one dimension or more, and what becomes one."""
    held = get_args(inside[1]) if len(inside) > 1 else ()
    number = held[0] if held and isinstance(held[0], type) and issubclass(held[0], np.number) else None
    places = number is not None and issubclass(number, np.integer)
    words = "an array of whole numbers" if places else "an array" if number is None else "an array of numbers"

    def fits(value: Any) -> bool:
        if isinstance(value, list | tuple):
            return True
        return hasattr(value, "__array__") and getattr(value, "ndim", 1) != 0 and not isinstance(value, type)

    def flaw(name: str, value: Any) -> str:
        try:
            array = np.asarray(value) if places or isinstance(value, list | tuple) else None
        except (ValueError, TypeError):
            return f"{name}={shown(value)} must be {words}, all rows of one length."
        if places and array is not None and array.size and array.dtype.kind not in "iu":
            return f"{name}={shown(value)} must be {words}."
        return ""

    return _Kind(words, words.replace("an array", "arrays"), fits, flaw, arrays=True)


# what is wrong -----------------------------------------------------------------------------------------------------


def _refusal(kinds: _Kinds, name: str, value: Any) -> str:
    """What is wrong with a value, an empty string where nothing is."""
    first = ""
    for kind in kinds:
        if kind.fits(value):
            flaw = "" if kind.flaw is None else kind.flaw(name, value)
            if not flaw:
                return ""
            first = first or flaw
    if first or not kinds:
        return first
    plain = any(kind.lists and kind.words.startswith("a list") for kind in kinds)
    if plain and isinstance(value, str) and not _refusal(kinds, name, [value]):
        return f"{name}={shown(value)} is one string; give a list, [{shown(value)}]."
    judges = [kind.flaw for kind in kinds if kind.flaw is not None and (kind.known or (kind.rule and len(kinds) == 1))]
    refused = judges[0](name, value) if judges else ""
    words = _either([kind.words for kind in kinds])
    return refused or f"{name}={shown(value)} must be {words}, not {type(value).__name__}."


def _either(words: Sequence[str]) -> str:
    """Words joined by commas and `or`, each once."""
    once = list(dict.fromkeys(words))
    return once[0] if len(once) == 1 else f"{', '.join(once[:-1])} or {once[-1]}" if once else "anything"
