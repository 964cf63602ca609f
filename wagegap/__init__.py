"""Does pay move people? Wage premiums, emigration and field switching across countries.

Premiums are estimated, and so are rates; their joint covariance reaches the last regression and the last figure. Names
are listed in `__init__.pyi` and loaded on first use, so that importing the package costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

import lazy_loader

from wagegap._version import __version__ as __version__

_load, _, __all__ = lazy_loader.attach_stub(__name__, __file__)
# Rooms inside others, which the loader of a stub does not look for.
_ROOMS = {"cov": "wagegap.estimation.covariance.options", "figures": "wagegap.report.figures"}
__all__ += _ROOMS


def __getattr__(name: str) -> Any:
    if name in _ROOMS:
        return import_module(_ROOMS[name])
    if name not in __all__:
        from wagegap.errors import did_you_mean

        raise AttributeError(f"wagegap has no {name!r}.{did_you_mean(name, __all__)}")
    return _load(name)


def __dir__() -> list[str]:
    return sorted({*__all__, "__version__"})
