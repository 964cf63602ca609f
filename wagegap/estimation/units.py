"""Units of numbers: a premium in log points and a premium in per cent are different things.

Every labelled parameter carries a unit. Shares, per cent and the like convert into each other by a factor; log points
do not (exp(b) - 1 is not linear), and counts and currencies convert into nothing.
"""

from __future__ import annotations

from wagegap._typing import FloatArray
from wagegap.errors import UnitError, did_you_mean, listing

__all__ = ["PER_ONE", "UNITS", "check_share", "check_unit", "conversion", "unit_in_heading", "unit_of_outcome"]

PER_ONE = {"share": 1.0, "per cent": 100.0, "percentage points": 100.0, "per 1,000": 1e3, "per 10,000": 1e4}
"""Units of proportions: how many of the unit make one."""

UNITS = (*PER_ONE, "log points", "years", "count", "rank", "index", "none")
"""Known units; a currency is written `currency:USD`."""


def check_unit(unit: str) -> str:
    """Return the unit, or raise `UnitError` where it is not known.

    >>> check_unit("log points")
    'log points'
    """
    if unit in UNITS or unit.startswith("currency:"):
        return unit
    raise UnitError(
        f"unit {unit!r} is not known.{did_you_mean(unit, UNITS)} Known: {listing(UNITS, 20)}, currency:XXX."
    )


def conversion(source: str, target: str) -> float:
    """Return the factor that turns a number in `source` into one in `target`.

    >>> conversion("share", "per 10,000")
    10000.0
    """
    if source == target:
        return 1.0
    if source in PER_ONE and target in PER_ONE:
        return PER_ONE[target] / PER_ONE[source]
    raise UnitError(f"a number in {source!r} cannot be turned into {target!r} by a factor.")


def unit_of_outcome(outcome: str) -> str:
    """Return the unit of differences of an outcome: log points of a logarithm, else none.

    >>> unit_of_outcome("log(hourly_wage)")
    'log points'
    """
    return "log points" if outcome.replace(" ", "").startswith(("log(", "np.log(")) else "none"


def unit_in_heading(unit: str) -> str:
    """Return the unit, or units joined by commas, as a heading shows it: in brackets, and nothing where there is none.

    >>> unit_in_heading("log points"), unit_in_heading("none"), unit_in_heading("log points, none")
    (' (log points)', '', ' (log points, or without unit)')
    """
    named = [word for word in unit.split(", ") if word not in ("", "none")]
    if not named:
        return ""
    return f" ({', '.join(named)}{', or without unit' if 'none' in unit.split(', ') else ''})"


def check_share(values: FloatArray, unit: str, where: str) -> None:
    """Raise `UnitError` where a share is outside [0, 1] (in its unit); missing values pass."""
    top = PER_ONE[unit]
    outside = (values < 0) | (values > top)
    if outside.any():
        worst = values[outside][0]
        hint = (
            " Is it per cent? Divide by 100, or say so where the call takes a unit."
            if unit == "share" and worst > 1
            else ""
        )
        raise UnitError(
            f"{where}: {int(outside.sum())} of {len(values)} values are outside 0 to {top:g} "
            f"({unit}); the first is {worst:g}.{hint}"
        )
