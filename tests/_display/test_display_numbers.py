"""Numbers are shown as a reader wants them, and what is unknown is never shown as zero or nan."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wagegap._display.numbers import (
    decimals_for,
    format_count,
    format_estimate,
    format_key,
    format_number,
    format_p,
    is_missing,
    typographic,
)
from wagegap.errors import DataError

UNKNOWN = [None, float("nan"), np.nan, pd.NA, pd.NaT]


@pytest.mark.parametrize("value", UNKNOWN)
def test_unknown_is_said_in_words(value):
    assert is_missing(value)
    assert format_number(value) == format_p(value) == format_count(value) == "unknown"
    assert format_estimate(0.5, value) == ("0.500", "unknown")


@pytest.mark.parametrize(
    ("estimate", "std_error", "digits", "expected"),
    [
        (0.25134, 0.0213, 3, ("0.251", "0.021")),
        (0.25134, 0.0213, 2, ("0.25", "0.02")),
        (0.25134, 0.000213, 3, ("0.25134", "0.00021")),
        (-0.0004, 0.2, 3, ("0.000", "0.200")),
        (1234.567, 12.34, 3, ("1234.57", "12.34")),
        (1234567.8, 4321.0, 3, ("1,234,568", "4321")),
        (0.5, 0.0, 3, ("0.500", "0.000")),
        (0.0, 0.1, 3, ("0.000", "0.100")),
        (2e-12, 3.1e-12, 3, ("2.00e-12", "3.10e-12")),
    ],
)
def test_decimals_suit_the_standard_error(estimate, std_error, digits, expected):
    assert format_estimate(estimate, std_error, digits) == expected


def test_a_negative_standard_error_is_refused():
    with pytest.raises(DataError, match="not negative"):
        format_estimate(0.1, -0.2)


@given(st.floats(min_value=1e-30, max_value=1e30))
def test_a_positive_standard_error_is_never_shown_as_zero(std_error):
    assert float(format_estimate(0.0, std_error)[1].replace(",", "")) > 0


@given(st.floats(-1e300, 1e300), st.integers(0, 6))
def test_what_is_shown_is_near_the_number(value, digits):
    shown = float(format_number(value, digits).replace(",", ""))
    slack = 0.5 * 10.0 ** -max(decimals_for(value, digits), 0) if abs(value) < 1e15 else 0.06 * abs(value)
    assert math.isclose(shown, value, rel_tol=0.06, abs_tol=slack * 1.0000001)


@pytest.mark.parametrize(
    ("p", "expected"),
    [(0.0314, ".031"), (0.0, "<.001"), (0.00099, "<.001"), (0.001, ".001"), (0.9996, ">.999"), (1.0, ">.999")],
)
def test_p_values(p, expected):
    assert format_p(p) == expected


@pytest.mark.parametrize("p", [-0.1, 1.1])
def test_impossible_p_values_are_refused(p):
    with pytest.raises(DataError, match="between 0 and 1"):
        format_p(p)


def test_the_minus_is_a_choice():
    assert format_number(-0.5) == "-0.500"
    assert typographic(format_number(-0.5)) == "\N{MINUS SIGN}0.500"
    assert typographic(format_number(-math.inf)) == "\N{MINUS SIGN}inf"
    assert typographic("(-0.1) to-day 1e-9 2015-16") == "(\N{MINUS SIGN}0.1) to-day 1e-9 2015-16"


@pytest.mark.parametrize(
    ("key", "expected"), [(2015, "2015"), (2015.0, "2015"), (2.5, "2.5"), ("a", "a"), (np.int64(7), "7"), (None, "")]
)
def test_keys_have_no_commas_and_no_decimals(key, expected):
    assert format_key(key) == expected
