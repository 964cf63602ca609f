"""A figure in words: what is said of intervals, lines and countries is what was drawn."""

from __future__ import annotations

import numpy as np
import pytest

from wagegap._display.axes import name_axes, new_axes, new_panels
from wagegap._display.described import describe
from wagegap._display.facts import note_level, note_names, note_words
from wagegap._display.intervals import bars, intervals
from wagegap._display.scales import scale_axis
from wagegap._display.scatter import ellipses, line_band
from wagegap._display.sentences import Scale

NAN = float("nan")


@pytest.mark.parametrize(
    ("high", "said", "hollow"),
    [
        ([3.0, 2.0], "with 90 % intervals.", ""),
        ([3.0, NAN], "with 90 % intervals in 1 of 2.", "hollow where an error is unknown"),
        ([NAN, NAN], "without intervals.", "hollow as an error is unknown"),
    ],
)
def test_intervals_are_named_where_they_are_drawn(high, said, hollow):
    low = np.where(np.isfinite(high), 0.0, NAN)
    ax = intervals(new_axes(4, 2), ["a", "b"], [2, 1], low, high)
    note_level(ax, 0.9)
    text = describe(name_axes(ax, x="premium"))
    assert text.alt.startswith(f"Forest plot: premium of 2 estimates, {said}")
    assert ("90 % interval" in text.caption) == bool(np.isfinite(high).any())
    assert hollow in text.caption
    assert ("hollow" in text.caption) == bool(hollow)


@pytest.mark.parametrize(
    ("cov", "said"),
    [
        (np.eye(2), "with 95 % error ellipses"),
        (np.diag([NAN, 1.0]), "with 95 % intervals of the vertical axis"),
        (np.diag([1.0, NAN]), "with 95 % intervals of the horizontal axis"),
        (np.full((2, 2), NAN), "without error ellipses"),
        (np.zeros((2, 2)), "without error ellipses"),
    ],
)
def test_ellipses_and_bars_are_told_apart(cov, said):
    with np.errstate(invalid="ignore"):
        cov = np.where(np.isnan(np.diag(cov)).any() & ~np.eye(2, dtype=bool), 0.0, cov)
    ax = ellipses(new_axes(4, 3), [0, 1], [0, 1], np.array([cov, cov]), ["A", "B"])
    assert f"2 estimates, {said}." in describe(ax).alt


def test_one_known_direction_has_an_interval_and_no_quantile_of_an_ellipse():
    ax = ellipses(new_axes(4, 3), [0.0], [0.0], [[[1.0, 0.0], [0.0, NAN]]], ["A"])
    assert max(ax.lines[0].get_xdata()) == pytest.approx(1.959964, abs=1e-6)


def test_numbers_of_a_description_are_in_the_unit_of_the_axis():
    ax = ellipses(new_axes(4, 3), [0.1, 0.2], [0.5, 0.7], np.zeros((2, 2, 2)), ["KOR", "USA"], watch=["KOR"])
    note_names(ax, ["South Korea", "United States"], "country", "countries")
    scale_axis(ax, "x", "premium", Scale(100.0, "log points"))
    scale_axis(ax, "y", "leaving", Scale(100.0, "per cent", bounds=(0.0, 100.0)))
    line_band(ax, [0, 1], [0, 1], [NAN, NAN], [NAN, NAN], label="naive")
    note_words(ax, "a note of the caller")
    text = describe(ax)
    assert text.alt == (
        "Scatter plot: leaving (per cent) against premium (log points), 2 countries, without error ellipses. Highest: "
        "United States, 70.0 per cent; lowest: South Korea, 50.0 per cent. Lines: naive. In colour: South Korea, 50.0 "
        "per cent at 10.0 log points."
    )
    assert text.caption == "Each dot is a country. In colour: South Korea. A note of the caller."


def test_axes_of_others_are_described_by_what_stands_on_them():
    ax = name_axes(new_axes(3, 2), x="share ($)", y="count")
    assert describe(ax).alt == "Count against share ($)."
    assert describe(ax).caption == ""
    panels = new_panels(2, across=2, width=3, height=2)
    for panel, name in zip(panels, ("first", "second"), strict=True):
        bars(panel, ["x"], [1.0], [NAN], [NAN])
        name_axes(panel, x=name)
    assert describe(np.array(panels, dtype=object)).alt == (
        "Bars: first of 1 estimate, without intervals. Bars: second of 1 estimate, without intervals."
    )


def test_limits_of_shares_stay_within_what_they_can_be():
    ax = new_axes(3, 2)
    ax.set_xlim(-0.2, 1.4)
    scale_axis(ax, "x", "rate", Scale(100.0, "per cent", bounds=(0.0, 100.0)))
    assert ax.get_xlim() == (0.0, 1.0)
    ax.set_xlim(-3.0, -2.0)  # nothing of it can be: the caller's limits stand
    scale_axis(ax, "x", "rate", Scale(100.0, "per cent", bounds=(0.0, 100.0)))
    assert ax.get_xlim() == (-3.0, -2.0)


@pytest.mark.parametrize(
    ("factor", "ticks", "written"),
    [
        (100.0, [-0.1, 0.0, 0.1], ["−10", "0", "10"]),
        (100.0, [0.0, 0.025, 0.05], ["0.0", "2.5", "5.0"]),
        (1.0, [0.0, 0.25, 0.5], ["0.00", "0.25", "0.50"]),
        (100.0, [0.3], ["30"]),
        (100.0, [], []),
        (1.0, [1000.0, 2000.0], ["1000", "2000"]),
    ],
)
def test_ticks_are_written_in_the_unit_of_sentences(factor, ticks, written):
    ax = scale_axis(new_axes(3, 2), "y", "rate", Scale(factor, "per cent"))
    assert ax.yaxis.get_major_formatter().format_ticks(ticks) == written
