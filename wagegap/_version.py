"""The version, and the pickles it opens: those of another version end in one message.

A pickle names modules and classes, and these move between versions. Results therefore give their version before
anything else, and it is compared before any class is looked up. Pickles of 0.3 name no version; they are known by the
modules they ask for.
"""

from __future__ import annotations

import sys
from pkgutil import resolve_name
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from wagegap.errors import VersionError

__all__ = ["Unreadable", "__version__", "reduce_with_version", "reopen"]

__version__ = "0.8.0"

_MOVED = {
    "decomposition": "counterfactual dfl kitagawa oaxaca offers parts reweighting rif_oaxaca",
    "estimation": "cov fit groupings influence mean_slopes replication roots sample",
    "panel": "sampling",
    "regression": "choice_sets flow_design flows grogger_hanson hazards linear_design mobility person_periods premium "
    "roy standardisation wild",
    "regression.link": "curve few fits instruments moderate one_step outlier permutation pooling predict swap wild",
}
"""Modules of 0.3 that pickles of its results name, by room."""


def reduce_with_version(result: Any) -> tuple[Any, ...]:
    """Pickle an object as its version, the name of its class, and its state: a class's `__reduce__`."""
    kind = type(result)
    return reopen, (__version__, f"{kind.__module__}:{kind.__qualname__}"), result.__getstate__()


def reopen(version: str, kind: str) -> Any:
    """Return a blank object of a class, for a state that was pickled by `version`.

    Raises
    ------
    VersionError
        The version is another, but for its last part.
    """
    if version.split(".")[:2] != __version__.split(".")[:2]:
        raise _refusal(f"This was pickled by wagegap {version}")
    cls = resolve_name(kind)
    return cls.__new__(cls)


class Unreadable:
    """What stands where 0.3 had a class of results and there is a package now."""

    def __new__(cls, *_: object) -> Unreadable:
        raise _refusal("This was pickled by wagegap 0.3 or older")


class _FormerModules:
    """Finds no module; says of those that 0.3 had that they have moved."""

    @staticmethod
    def find_spec(name: str, path: object = None, target: object = None) -> None:
        room, _, module = name.removeprefix("wagegap.").rpartition(".")
        if name.startswith("wagegap.") and module in _MOVED.get(room, "").split():
            raise _refusal(f"{name} is a module of wagegap 0.3, whose pickles name it")


sys.meta_path.append(_FormerModules)  # asked last, of names that nobody else knows


def _refusal(reason: str) -> VersionError:
    from wagegap.errors import VersionError

    return VersionError(
        f"{reason}; this is {__version__}. Estimate it again; or open it with the version that made it and save what "
        "its tidy() and cov_params() return, which Estimates.from_table(table, estimate='estimate', term='term', "
        "unit=..., vcov=...) reads here."
    )
