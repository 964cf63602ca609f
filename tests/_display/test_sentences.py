"""One sentence, one scale."""

from __future__ import annotations

import pytest

from wagegap._display.sentences import Scale, say
from wagegap.errors import UnitError

POINTS = Scale(100.0, "percentage points", "10 log points")


def test_numbers_of_a_sentence_share_their_decimals():
    said = say("{a} ({b}; {c})", a=POINTS.slope(-0.0796), b=POINTS.interval(-0.4246, 0.2653), c=POINTS.size(0.1648))
    assert said == "-8.0 percentage points (-42.5 to +26.5; 16.5)"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (Scale(1.0, "per 10,000", "one log"), Scale(0.1, "per 10,000", "10 log points")),
        (Scale(100.0, "per cent"), Scale(1e4, "per 10,000")),
        (Scale(1.0, "log"), Scale(100.0, "log points")),
    ],
)
def test_two_scales_of_one_thing_do_not_meet(one, other):
    with pytest.raises(UnitError, match="one sentence, one scale"):
        say("{a} and {b}", a=one.change(0.1), b=other.change(0.2))


def test_a_level_and_its_change_may_meet_and_so_may_different_things():
    level, change = Scale(100.0, "per cent", bounds=(0, 100)), Scale(100.0, "percentage points")
    assert say("{a} by {b}", a=level.level(0.123), b=change.change(-0.01)) == "12.3 per cent by -1.0 percentage points"
    pay, rate = Scale(1.0, "percentage points", of="premium"), Scale(1e4, "per 10,000", of="rate")
    assert say("{a}, {b}", a=pay.level(6.0), b=rate.change(-0.006)) == "6.00 percentage points, -60.0 per 10,000"


def test_levels_of_a_share_stay_within_nought_and_a_hundred():
    share = Scale(100.0, "per cent", bounds=(0.0, 100.0))
    assert share.between(-176.0, 177.0, "and") == "0 and 100 per cent"
    assert share.said(1.3) == "100 per cent"


def test_what_is_infinite_or_unknown_is_said_in_words():
    inf, nan = float("inf"), float("nan")
    assert say("{a}", a=POINTS.interval(-inf, inf)) == "the whole line"
    assert say("{a}", a=POINTS.interval(-inf, 0.01, bare=False)) == "anything up to +1.00 percentage points"
    assert say("{a}", a=POINTS.interval(-0.01, inf)) == "anything from -1.00 on"
    assert say("{a} ({b})", a=POINTS.slope(nan), b=POINTS.size(nan)) == "unknown (unknown)"


def test_labels_with_braces_are_words():
    assert (
        say("{a} of {what}", a=POINTS.slope(0.01), what="{0.__class__}") == "+1.00 percentage points of {0.__class__}"
    )
