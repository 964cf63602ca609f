"""How a result was made, so that it can be made again on other data: the frozen call.

Results never keep the workers. Whatever needs them again (a bootstrap through both stages, other clusters, split
samples) is handed them and asks the result to refit itself; the asker knows no stage by name.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from wagegap._typing import FloatArray
from wagegap.errors import OptionError, did_you_mean, listing

__all__ = ["NotKept", "Refittable", "Spec", "kept"]


class Refittable(Protocol):
    """A result that can be fitted again."""

    def refit(self, data: Any, *, weights: FloatArray | None = None, **changes: Any) -> Any:
        """Fit the same specification to other data, or with other weights."""


@dataclass(frozen=True, slots=True)
class NotKept:
    """Stands where the call had values of workers, which results do not keep.

    Attributes
    ----------
    what : str
        The argument.
    """

    what: str


def kept(what: str, value: Any) -> Any:
    """Return what a spec keeps of an argument: a column's name, or a sign that values were given.

    >>> kept("weights", "sampwt"), kept("weights", [1.0, 2.0])
    ('sampwt', NotKept(what='weights'))
    """
    return value if value is None or isinstance(value, str) else NotKept(what)


@dataclass(frozen=True, slots=True)
class Spec:
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
            arguments["weights"] = weights
        lost = [name for name, value in arguments.items() if isinstance(value, NotKept)]
        if lost:
            raise OptionError(
                f"the fit was given {listing(lost)} by value, which results do not keep: pass {lost[0]}= to refit."
            )
        return self.function(data, **arguments)

    def __str__(self) -> str:
        inside = ", ".join(f"{name}={value!r}" for name, value in self.arguments if value is not None)
        return f"{self.function.__name__}({inside})"
