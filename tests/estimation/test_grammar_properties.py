"""Any text at all is read or refused by one typed error, and what is read can be written and read again."""

from __future__ import annotations

import re
import time

import numpy as np
import pandas as pd
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from wagegap.errors import WagegapError
from wagegap.estimation.conditions import condition_values
from wagegap.estimation.formula import design_matrix, split_formula, split_offset
from wagegap.estimation.functions import FUNCTIONS
from wagegap.estimation.grammar import parse_condition, parse_side, written

ROWS = pd.DataFrame(
    {
        "a": [1.0, 2.0, 3.0, 5.0], "b": [0.5, -1.0, 2.5, 4.0], "k": [0, 1, 1, 2], "t": ["x", "y", "y", "z"],
        "day": pd.to_datetime(["2020-01-01", "2021-01-01", None, "2022-01-01"]), "odd name": [1, 2, 2, 1],
    }
)  # fmt: skip
WORDS = "a b k t day nobody np np.log a.values 1 2 0.5 1e3 'x' in not and or lambda if for None __class__ isna() é ٣"
MARKS = "+ - * / // % ** ^ : ~ | & == != < <= > %in% ( ) [ ] { } , = . @ ; # ` \\ .isna() .between( offset("
TOKENS = [*WORDS.split(), *MARKS.split(), "`odd name`", "\n", "\0", "\u202e", *(f"{name}(" for name in FUNCTIONS)]
SOUP = st.lists(st.sampled_from(TOKENS), max_size=14).map(" ".join) | st.lists(
    st.sampled_from(TOKENS), max_size=10
).map("".join)


def outcome(call, *given):
    """The value of a call, or None where it is refused; another error is a fault."""
    try:
        return call(*given)
    except WagegapError as error:
        said = str(error)
    assert len(said) < 1500
    return None


@pytest.mark.filterwarnings("ignore::wagegap.errors.WagegapWarning")
@given(SOUP | st.text(max_size=30))
@example("a | b ~ (")
@example("C(a, levels=a)")
@example("t % 'x'")
@example("day + 1")
@example("bs(t)")
@settings(max_examples=400, deadline=None)
def test_any_text_is_read_or_refused(text):
    for read in (
        lambda: condition_values(ROWS, text, "for a test"),
        lambda: design_matrix(ROWS, text),
        lambda: split_formula(f"{text} ~ {text}"),
        lambda: split_offset(text),
    ):
        outcome(read)


@given(SOUP)
@settings(max_examples=300, deadline=None)
def test_what_is_read_is_written_and_read_again(text):
    for read in (parse_condition, parse_side):
        tree = outcome(read, text)
        if tree is not None:
            once = outcome(written, tree)
            assert written(read(once)) == once


LEAVES = st.sampled_from(["a", "b", "k"]) | st.integers(0, 9).map(str) | st.floats(0.25, 9).map(lambda x: f"{x:.2f}")


def joined(inner):
    calculated = st.tuples(inner, st.sampled_from(["+", "-", "*", "/", "//", "%"]), inner)
    raised = st.tuples(inner, st.just("**"), st.sampled_from(["2", "3", "-1"]))
    return (calculated | raised).map(lambda parts: "({} {} {})".format(*parts)) | inner.map(lambda text: f"(-{text})")


@given(st.recursive(LEAVES, joined, max_leaves=8))
@settings(max_examples=300, deadline=None)
def test_numbers_are_what_numpy_makes_of_them(text):
    columns = {name: ROWS[name].to_numpy(float) for name in ("a", "b", "k")}
    with np.errstate(all="ignore"):
        plain = eval(_as_floats(text), {"__builtins__": {}}, columns | {"number": np.float64})
    value = outcome(condition_values, ROWS, text, "for a test")
    np.testing.assert_allclose(np.broadcast_to(np.asarray(value, float), 4), np.broadcast_to(plain, 4), rtol=1e-9)


def _as_floats(text):
    """The same expression with numbers as floats, which numpy divides by zero."""
    return re.sub(r"(?<![\w.])(\d+(?:\.\d+)?)", r"number(\1)", text)


BOOLEANS = st.sampled_from(["a > 2", "k == 1", "b <= a", "t == 'y'", "t in ['x', 'z']", "1 < a < 4", "not k == 1"])


def both(inner):
    pairs = st.tuples(inner, st.sampled_from(["and", "or"]), inner).map(lambda parts: "({} {} {})".format(*parts))
    return pairs | inner.map(lambda text: f"(not {text})")


@given(st.recursive(BOOLEANS, both, max_leaves=8))
@settings(max_examples=200, deadline=None)
def test_conditions_are_what_python_makes_of_each_row(text):
    rows = ROWS[["a", "b", "k", "t"]].to_dict("records")
    assert list(condition_values(ROWS, text, "for a test")) == [eval(text, {"__builtins__": {}}, row) for row in rows]


PIECES = (" + a", " + log(a)", "*a", " or a", "(", "-", "a.", "'a' ", "`a", "[1, ", "{", " in ")


@pytest.mark.parametrize("piece", PIECES)
def test_the_time_of_reading_grows_with_the_text(piece):
    """Eight times the text takes eight times as long, not sixty-four: the bound is twenty-four, of noisy clocks."""

    def once(times):
        parse_condition.__globals__["_tree"].cache_clear()
        began = time.process_time()
        outcome(parse_condition, "a" + piece * times)
        return time.process_time() - began

    def seconds(times):
        return min(once(times) for _ in range(5))  # what a busy machine adds is left out

    seconds(500)
    assert seconds(8000) < 24 * max(seconds(1000), 0.01)
