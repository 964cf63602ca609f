"""How a result was made, so that it can be made again on other data: the frozen call.

Results never keep the workers. Whatever needs them again (a bootstrap through both stages, other clusters, split
samples) is handed them and asks the result to refit itself; the asker knows no stage by name.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, ParamSpec, Protocol, TypeVar

from wagegap._arguments import public
from wagegap._display.session import Shown
from wagegap._typing import FloatArray
from wagegap.errors import OptionError, did_you_mean, listing

__all__ = ["NotKept", "Refittable", "Spec", "kept", "refittable"]

_P = ParamSpec("_P")
_R = TypeVar("_R")


class Refittable(Protocol):
    """A result that can be fitted again."""

    def refit(self, data: Any, *, weights: FloatArray | None = None, **changes: Any) -> Any:
        """Fit the same specification to other data, or with other weights."""


@dataclass(frozen=True, slots=True)
class NotKept:
    """Stands where the call had values of workers, or a callable, which results do not keep.

    Attributes
    ----------
    what : str
        The argument.
    """

    what: str


def kept(what: str, value: Any) -> Any:
    """Return what a spec keeps of an argument: a column's name, or a sign that values or a callable were given.

    >>> kept("weights", "sampwt"), kept("weights", [1.0, 2.0])
    ('sampwt', NotKept(what='weights'))
    """
    return value if value is None or isinstance(value, str) else NotKept(what)


@dataclass(frozen=True, slots=True)
class Spec(Shown):
    """A call of a stage, without its data.

    Attributes
    ----------
    function : callable
        The public function.
    arguments : tuple of (str, object)
        Its keyword arguments.
    """

    function: Callable[..., Any]
    arguments: tuple[tuple[str, Any], ...]

    def refit(self, data: Any, *, weights: FloatArray | None = None, **changes: Any) -> Any:
        """Call the stage again with these data; `changes` replace arguments by name."""
        arguments = dict(self.arguments)
        for name in changes:
            if name not in arguments:
                raise OptionError(
                    f"{self.function.__name__} was not called with {name!r}.{did_you_mean(name, arguments)} "
                    f"Known: {listing(arguments, 20)}."
                )
        arguments.update(changes)
        if weights is not None:
            if "weights" not in arguments:
                raise OptionError(f"{self.function.__name__} takes no weights.")
            arguments["weights"] = weights
        lost = [name for name, value in arguments.items() if isinstance(value, NotKept)]
        if lost:
            raise OptionError(
                f"the fit was given {listing(lost)} by value or by a callable, which results do not keep: pass "
                f"{lost[0]}= to refit."
            )
        return self.function(data, **arguments)

    def __str__(self) -> str:
        inside = ", ".join(f"{name}={value!r}" for name, value in self.arguments if value is not None)
        return f"{self.function.__name__}({inside})"


def _holds_callable(value: Any) -> bool:
    """Whether an argument is a callable, or a mapping or list with one: code, which no pickle keeps."""
    if isinstance(value, Mapping):
        return any(map(_holds_callable, value.values()))
    if isinstance(value, list | tuple):
        return any(map(_holds_callable, value))
    return callable(value)


def refittable(function: Callable[_P, _R]) -> Callable[_P, _R]:
    """Make a stage public, let its result remember the call, but for the data, and say what its errors lack.

    The result holds `estimates`, whose keys are those of the cells. Where the cells were left to the panel's roles
    they are remembered by name, so that the call can be made again on a plain frame.
    """
    signature = inspect.signature(function)

    @functools.wraps(function)
    def remembering(*args: _P.args, **kwargs: _P.kwargs) -> _R:
        done: Any = function(*args, **kwargs)
        bound = signature.bind(*args, **kwargs)
        bound.apply_defaults()
        arguments = dict(list(bound.arguments.items())[1:])
        if "group" not in arguments and arguments.get("by", "") is None:
            arguments["by"] = list(done.estimates.by)
        for name, value in arguments.items():
            if name in ("weights", "subpop") or _holds_callable(value):
                arguments[name] = kept(name, value)
        spec = Spec(shown, tuple(arguments.items()))
        made: _R = replace(done, estimates=replace(done.estimates, spec=spec).announced())
        return made

    shown = public(remembering)
    return shown
