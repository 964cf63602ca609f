"""Numbers as a reader wants them: decimals that suit the standard error, p-values, counts, units in words.

A number is shown with the decimals asked for, with more where these would hide it (a standard error of .0004 is not
"0.000") and fewer where it is large. What is unknown is called unknown; it is never shown as zero or "nan". Numbers
are formatted with the ASCII hyphen as their minus, which every terminal can show; renderers for print replace it by
`typographic`.
"""

from __future__ import annotations

import math
import re
from typing import Any

import pandas as pd

from wagegap.errors import DataError

__all__ = [
    "MINUS",
    "UNKNOWN",
    "decimals_for",
    "format_count",
    "format_estimate",
    "format_key",
    "format_number",
    "format_p",
    "is_missing",
    "spaced",
    "typographic",
]

UNKNOWN = "unknown"
MINUS = "\N{MINUS SIGN}"
MAX_DECIMALS = 8
GROUPED_FROM = 10_000

_HYPHEN_BEFORE_NUMBER = re.compile(r"(?<![\w.)])-(?=[\d.]|inf\b)")


def is_missing(value: Any) -> bool:
    """Tell whether a scalar is None, NaN, NaT or NA.

    >>> is_missing(float("nan")), is_missing(0.0), is_missing("nan")
    (True, False, False)
    """
    return value is None or (pd.api.types.is_scalar(value) and bool(pd.isna(value)))


def decimals_for(scale: float, digits: int = 3) -> int:
    """Return how many decimals suit numbers whose error, or size, is `scale`.

    Parameters
    ----------
    scale : float
        Standard error, or the number itself where no error is known.
    digits : int
        Decimals of a number below ten.

    Returns
    -------
    int
        `digits`; enough for two digits of `scale` where `digits` decimals would show none; one fewer for every digit
        before the point beyond the first.

    Examples
    --------
    >>> [decimals_for(scale) for scale in (0.021, 0.00042, 12.3, 4567.0)]
    [3, 5, 2, 0]
    """
    if digits < 0:
        raise DataError(f"digits={digits} is negative; 3 shows three decimals.")
    if not math.isfinite(scale) or scale == 0:
        return digits
    lead = math.floor(math.log10(abs(scale)))
    return 1 - lead if -lead > digits else max(digits - max(lead, 0), 0)


def format_number(
    value: float | None,
    digits: int = 3,
    *,
    scale: float | None = None,
    decimals: int | None = None,
) -> str:
    """Write a number; `scale`, if given, is what its decimals are to suit.

    Parameters
    ----------
    value : float or None
        The number; None and NaN are unknown.
    digits : int
        Decimals of a number below ten.
    scale : float, optional
        Size of the error of the number; the number itself where absent.
    decimals : int, optional
        The decimals themselves, instead.

    Examples
    --------
    >>> format_number(-0.12345), format_number(1234567.0), format_number(2.5e-11), format_number(None)
    ('-0.123', '1,234,567', '2.50e-11', 'unknown')
    """
    if value is None or is_missing(value):
        return UNKNOWN
    number = float(value)
    if math.isinf(number):
        return "inf" if number > 0 else "-inf"
    if decimals is None:
        decimals = decimals_for(scale if scale and math.isfinite(scale) else number, digits)
    if decimals > MAX_DECIMALS or abs(number) >= 1e15:
        mantissa, _, exponent = f"{number:.{max(digits - 1, 1)}e}".partition("e")
        return f"{mantissa}e{int(exponent)}"
    grouped = "," if abs(number) >= GROUPED_FROM else ""
    text = f"{number:{grouped}.{decimals}f}"
    return text.lstrip("-") if float(text.replace(",", "")) == 0 else text


def format_estimate(estimate: float | None, std_error: float | None, digits: int = 3) -> tuple[str, str]:
    """Write an estimate and its standard error with the same decimals, which suit the error.

    Parameters
    ----------
    estimate, std_error : float or None
        The estimate and its standard error; None and NaN are unknown.
    digits : int
        Decimals of an error below ten.

    Returns
    -------
    tuple of str
        Estimate and standard error.

    Raises
    ------
    DataError
        For a negative standard error.

    Examples
    --------
    >>> format_estimate(0.25134, 0.0213)
    ('0.251', '0.021')
    >>> format_estimate(0.25134, 0.000213)
    ('0.25134', '0.00021')
    >>> format_estimate(0.06, None)
    ('0.060', 'unknown')
    """
    if std_error is None or is_missing(std_error):
        return format_number(estimate, digits), UNKNOWN
    if std_error < 0:
        raise DataError(f"a standard error is not negative, as {std_error} is.")
    return format_number(estimate, digits, scale=std_error), format_number(std_error, digits, scale=std_error)


def format_p(p: float | None) -> str:
    """Write a p-value to three decimals without the zero before the point.

    >>> format_p(0.0314), format_p(2e-9), format_p(0.99999), format_p(None)
    ('.031', '<.001', '>.999', 'unknown')
    """
    if p is None or is_missing(p):
        return UNKNOWN
    if not 0 <= p <= 1:
        raise DataError(f"a p-value lies between 0 and 1, as {p} does not.")
    if p < 0.001:
        return "<.001"
    return ">.999" if p > 0.999 else f"{p:.3f}".removeprefix("0")


def say_p(p: float | None) -> str:
    """Say a p-value in a sentence.

    >>> say_p(0.0314), say_p(2e-9), say_p(1.0), say_p(None)
    ('p = .031', 'p < .001', 'p > .999', 'p unknown')
    """
    text = format_p(p)
    return f"p {text[0]} {text[1:]}" if text[0] in "<>" else f"p {text}" if text == UNKNOWN else f"p = {text}"


def format_count(n: float | None) -> str:
    """Write a count, with commas; a weighted count to one decimal.

    >>> format_count(1234567), format_count(12.5), format_count(None)
    ('1,234,567', '12.5', 'unknown')
    """
    if n is None or is_missing(n):
        return UNKNOWN
    return f"{int(n):,}" if float(n).is_integer() else f"{n:,.1f}"


def format_key(value: Any) -> str:
    """Write the value of a cell key: a year has no commas and no decimals, also where a merge made it a float.

    >>> format_key(2015.0), format_key("KOR"), format_key(pd.Timestamp("2015-03-01")), format_key(None)
    ('2015', 'KOR', '2015-03-01', '')
    """
    if is_missing(value):
        return ""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, pd.Timestamp) and value == value.normalize():
        return str(value.date())
    return str(value)


def spaced(name: object) -> str:
    """Write a name as a reader would: underscores become spaces.

    >>> spaced("new_field_next")
    'new field next'
    """
    return str(name).replace("_", " ")


def typographic(text: str) -> str:
    """Replace the hyphens that stand before a number by minus signs.

    >>> typographic("[-0.1, 2e-9]")
    '[−0.1, 2e-9]'
    """
    return _HYPHEN_BEFORE_NUMBER.sub(MINUS, text)
