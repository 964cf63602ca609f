"""Units of numbers: a premium as a difference of logs, in log points and in per cent are different things.

Every labelled parameter carries a unit. Shares, per cent and the like convert into each other by a factor, and so do
`log`, a difference of logarithms (.110), and *log points*, a hundred of them (11.0). Logs and per cent do not
(exp(b) - 1 is not linear), and counts and currencies convert into nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from wagegap._display.sentences import Scale
from wagegap._typing import AnyArray, FloatArray
from wagegap.errors import FormulaError, UnitError, UnitWarning, did_you_mean, listing, warn
from wagegap.estimation.grammar import Call, Chain, Constant, Name, Node, Unary, parse_side, written

__all__ = [
    "PER_LOG",
    "PER_ONE",
    "UNITS",
    "check_level_of_logs",
    "check_not_mixed",
    "check_one_unit",
    "check_share",
    "check_unit",
    "conversion",
    "level_of",
    "scale_of",
    "settle_log_points",
    "spoken_change",
    "spoken_level",
    "step_of",
    "unit_in_heading",
    "unit_of_outcome",
]

PER_ONE = {"share": 1.0, "per cent": 100.0, "percentage points": 100.0, "per 1,000": 1e3, "per 10,000": 1e4}
"""Units of proportions: how many of the unit make one."""

PER_LOG = {"log": 1.0, "log points": 100.0}
"""Units of differences of logarithms: how many of the unit make one log."""

UNITS = (*PER_ONE, *PER_LOG, "years", "count", "rank", "index", "none")
"""Known units; a currency is written `currency:USD`."""

_FAMILIES = (PER_ONE, PER_LOG)
_SEVERAL, _LARGE_LOG = 3, 3.0
"""Differences of logs of which a unit can be told, and one that no gap of pay is."""
_WIDEST_LOGS, _NARROWEST_POINTS = 50.0, 20.0
"""Logs of pay never span 50 (a ratio of 10^21), and pay in log points is never all within 20 (22 per cent)."""


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


def check_one_unit(units: Iterable[str], what: str) -> str:
    """Return the one unit of some numbers, or raise `UnitError` where there are several.

    >>> check_one_unit(["log", "log"], "the premiums")
    'log'
    """
    different = list(dict.fromkeys(map(str, units)))
    if len(different) == 1:
        return different[0]
    raise UnitError(
        f"{what} are in {len(different)} units ({listing(different)}), which are not one number: bring them into one "
        "by .in_unit(...), or select those of one unit."
    )


def check_not_mixed(units: Sequence[str], what: str) -> None:
    """Raise `UnitError` where numbers stand side by side whose units measure one thing by different numbers.

    >>> check_not_mixed(["log", "share"], "a premium beside a rate")
    """
    for family in _FAMILIES:
        used = [unit for unit in dict.fromkeys(units) if unit in family]
        if len({family[unit] for unit in used}) > 1:
            raise UnitError(f"{what}: the numbers are in {listing(used)}. Bring them into one unit by .in_unit(...).")


def conversion(source: str, target: str) -> float:
    """Return the factor that turns a number in `source` into one in `target`.

    >>> conversion("share", "per 10,000"), conversion("log", "log points")
    (10000.0, 100.0)
    """
    if source == target:
        return 1.0
    for family in _FAMILIES:
        if source in family and target in family:
            return family[target] / family[source]
    way = " per_cent() turns premiums in logs into per cent." if source in PER_LOG and target in PER_ONE else ""
    raise UnitError(f"a number in {source!r} cannot be turned into {target!r} by a factor.{way}")


# the unit of an outcome ----------------------------------------------------------------------------------------------


def unit_of_outcome(outcome: str, declared: Mapping[str, str] | None = None) -> str:
    """Return the unit of differences of an outcome: the one declared for its column, `log` of a logarithm, else none.

    Parameters
    ----------
    outcome : str
        Left side of a formula.
    declared : mapping of column to unit, optional
        Units of columns, as `read_panel(units=)` takes them.

    Raises
    ------
    UnitError
        For the logarithm of a column that is declared a logarithm.

    Examples
    --------
    >>> unit_of_outcome("log(hourly_wage)"), unit_of_outcome("lwage"), unit_of_outcome("lwage", {"lwage": "log"})
    ('log', 'none', 'log')
    >>> unit_of_outcome("I(100 * log(hourly_wage))"), unit_of_outcome("log(hourly_wage):age")
    ('log points', 'none')
    """
    try:
        tree = parse_side(outcome)
    except FormulaError:
        return "none"
    level = _unit_of(tree, declared or {})
    return "percentage points" if level == "per cent" else level


def _unit_of(node: Node, declared: Mapping[str, str]) -> str:
    """Unit of an expression."""
    match node:
        case Name(name):
            return declared.get(name, "none")
        case Unary(_, operand) | Call("I" | "{}", (operand,)):
            return _unit_of(operand, declared)
        case Call("log" | "np.log", (argument,)):
            return _unit_of_log(node.function, argument, declared)
        case Chain("sum", parts):
            return _unit_of_sum(node, [_unit_of(part, declared) for part in parts if not isinstance(part, Constant)])
        case Chain("product", (Constant(100), part) | (part, Constant(100)), ("*",)):
            return "log points" if _unit_of(part, declared) == "log" else "none"
    return "none"


def _unit_of_log(function: str, argument: Node, declared: Mapping[str, str]) -> str:
    """Unit of a logarithm."""
    unit = _unit_of(argument, declared)
    if unit in PER_LOG:
        inside = written(argument)
        raise UnitError(
            f"{function}({inside}) takes the logarithm of {inside!r}, whose unit is {unit!r}, a logarithm already: put "
            f"{inside} as the outcome, or mend units=."
        )
    return "log"


def _unit_of_sum(node: Node, units: Sequence[str]) -> str:
    """Unit of a sum or difference of expressions of one unit; numbers have none."""
    if set(units) >= set(PER_LOG):
        raise UnitError(f"{written(node)} mixes logs and log points, a hundred of them.")
    return units[0] if len(set(units)) == 1 else "none"


# what is declared, held against the values ---------------------------------------------------------------------------


def settle_log_points(values: FloatArray, units: Sequence[str], *, as_stated: bool) -> list[str]:
    """Return the units of some differences; those declared log points and all below 1 in size are taken as logs.

    For one version; the next refuses them. Nothing is rescaled.

    Parameters
    ----------
    values : ndarray, shape (n,)
        The numbers.
    units : sequence of str
        Unit of each, as declared.
    as_stated : bool
        Whether the user affirms the units.
    """
    if not as_stated:
        _warn_of_large_logs(values[np.array([unit == "log" for unit in units], dtype=bool)])
    points = np.array([unit == "log points" for unit in units], dtype=bool)
    size = np.abs(values[points])
    if as_stated or not size.any() or size.max() >= 1:
        return list(units)
    warn(
        f"{int(points.sum())} numbers are declared unit='log points' and are all below 1 in size, the largest "
        f"{size.max():.3g}: they are taken as differences of logs, unit='log' (0.110, of which log points are a "
        "hundred: 11.0). Write unit='log'; if they are log points, affirm it by as_stated=True. The next version "
        "refuses them.",
        UnitWarning,
    )
    return ["log" if point else str(unit) for point, unit in zip(points, units, strict=True)]


def _warn_of_large_logs(logs: FloatArray) -> None:
    """Warn of differences of logs that are all above 1 in size, several of them: factors of three and more on pay."""
    size = np.abs(logs[np.isfinite(logs) & (logs != 0)])
    if len(size) >= _SEVERAL and size.min() > 1 and size.max() > _LARGE_LOG:
        warn(
            f"{len(size)} numbers are declared unit='log' and are all above 1 in size, the largest {size.max():.3g}, "
            f"which is a factor of {np.exp(min(float(size.max()), 700.0)):.2g}. If they are a hundred times logs write "
            "unit='log points', if per cent unit='per cent'; if they are logs, affirm it by as_stated=True.",
            UnitWarning,
        )


def check_level_of_logs(values: FloatArray, unit: str, column: str, *, wages: bool) -> None:
    """Hold a column declared as logs, or as log points, against the span of its values.

    Raises
    ------
    UnitError
        Where logs span what log points would, or wages in log points what logs would; a warning where a column that
        is not said to hold wages does, which may hold premiums.
    """
    known = values[np.isfinite(values)]
    span = float(np.ptp(known)) if known.size else 0.0
    spans = f"{column!r}, declared as {unit}, spans {span:.3g} from its lowest to its highest value, as"
    if unit == "log" and span > _WIDEST_LOGS:
        raise UnitError(
            f"{spans} no logarithm of pay does: log points are a hundred logs, and are declared as 'log points'."
        )
    if unit == "log points" and 0 < span < _NARROWEST_POINTS:
        words = f"{spans} logarithms of pay do: a column of log(pay) is declared as 'log'; log points are a hundred "
        if wages:
            raise UnitError(f"{words}times that.")
        warn(f"{words}times that, and so are coefficients of this column taken to be.", UnitWarning)


# units in words ------------------------------------------------------------------------------------------------------


def spoken_level(unit: str) -> tuple[float, str]:
    """Return how a sentence says a level: the factor on the number, and the words behind it.

    >>> spoken_level("log"), spoken_level("share"), spoken_level("currency:USD")
    ((100.0, 'log points'), (100.0, 'per cent'), (1.0, 'USD'))
    """
    scaled = {"log": (100.0, "log points"), "share": (100.0, "per cent"), "none": (1.0, "")}
    return scaled.get(unit, (1.0, unit.removeprefix("currency:")))


def spoken_change(unit: str) -> tuple[float, str]:
    """Return how a sentence says a change: of shares and of per cent in percentage points.

    >>> spoken_change("share"), spoken_change("per cent"), spoken_change("log")
    ((100.0, 'percentage points'), (1.0, 'percentage points'), (100.0, 'log points'))
    """
    factor, words = spoken_level(unit)
    return factor, "percentage points" if words == "per cent" else words


def scale_of(unit: str, of: str = "") -> Scale:
    """Scale of a change: shares in percentage points, logs in log points; `of` says what changes, such as a premium.

    >>> scale_of("share").signed(0.012), scale_of("log").signed(-0.1)
    ('+1.20 percentage points', '-10.0 log points')
    """
    return Scale(*spoken_change(unit), of=of)


def level_of(unit: str, of: str = "", *, observed: AnyArray | None = None) -> Scale:
    """Scale of a level; shares are written within 0 and 100 per cent where those observed are, as net rates are not.

    A premium is a difference, and has no bounds: nothing is said to be observed.

    >>> import numpy as np
    >>> level_of("share").said(-0.02), level_of("share", observed=np.array([0.1, 0.4])).said(-0.02)
    ('-2.00 per cent', '0 per cent')
    """
    shares = observed is not None and bool(((observed >= 0) & (observed <= 1) | np.isnan(observed)).all())
    return Scale(*spoken_level(unit), of=of, bounds=(0.0, 100.0) if unit == "share" and shares else None)


def step_of(unit: str) -> tuple[float, str]:
    """Return a readable step of a regressor, in its unit and in words.

    Ten of what is said, and one where there is no unit.

    >>> step_of("log"), step_of("log points"), step_of("per cent"), step_of("none")
    ((0.1, '10 log points'), (10.0, '10 log points'), (10.0, '10 percentage points'), (1.0, 'one unit'))
    """
    if unit == "none":
        return 1.0, "one unit"
    factor, words = spoken_change(unit)
    return 10.0 / factor, f"10 {words}"


def unit_in_heading(unit: str) -> str:
    """Return the unit, or units joined by commas, as a heading shows it: in brackets, and nothing where there is none.

    >>> unit_in_heading("log"), unit_in_heading("none"), unit_in_heading("log, none")
    (' (log)', '', ' (log, or without unit)')
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
