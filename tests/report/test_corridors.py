"""Bars of corridors: both ways of a pair, the net, what is left out, and flows that cannot be drawn."""

from __future__ import annotations

import hashlib
import itertools
import sys

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_rgba

import wagegap as wg
from wagegap._display.axes import FAINT, PALETTE, figure_of, new_axes
from wagegap._display.files import save_figure
from wagegap._display.labels import text_sizes
from wagegap.errors import ArgumentError, ColumnError, DataError, EmptyDataError, MissingValueError, OptionError
from wagegap.report.corridors import WAY_GID

COLUMNS = dict(origin="start", destination="end", flow="n")


@pytest.fixture(scope="module")
def moves():
    rows = """
    KOR USA 30, USA KOR 12, IND USA 60, IND GBR 25, GBR USA 40, USA GBR 22, GBR AUS 18, KOR JPN 9, USA USA 500,
    FRA CHE 0
    """
    rows = [(a, b, int(n)) for a, b, n in (row.split() for row in rows.split(","))]
    return pd.DataFrame(rows, columns=["start", "end", "n"])


def corridors(frame, **options):
    return wg.figures.plot_corridors(frame, **{**COLUMNS, **options})


def table(*rows):
    return pd.DataFrame(list(rows), columns=["start", "end", "n"])


def ways(ax):
    """Bars by the way they stand for."""
    return {p.get_gid().split(":", 1)[1]: p for p in ax.patches if str(p.get_gid()).startswith(WAY_GID)}


def lengths(ax):
    return {way: bar.get_width() for way, bar in ways(ax).items() if bar.get_width() > 0}


def rows_of(ax):
    return [text.get_text() for text in ax.get_yticklabels()]


def caption(ax):
    return " ".join(ax.get_xlabel().split())


def net(ax):
    """Numbers right of the rows, from the top."""
    return [text.get_text() for text in ax.texts if text.xy[0] == 1.0 and text.get_text() != "net"]


def assert_legible(ax):
    """No two texts of a figure overlap, and none leaves it."""
    figure = figure_of(ax)
    figure.draw_without_rendering()
    texts = [*ax.texts, *ax.get_yticklabels(), ax.xaxis.label, *ax.get_legend().get_texts()]
    boxes = [text.get_window_extent().get_points() for text in texts]
    for (p, q), (r, s) in itertools.combinations(boxes, 2):
        assert not (np.minimum(q, s) - np.maximum(p, r) > 1).all()
    assert min(box.min() for box in boxes) >= -1
    assert (np.array([box[1] for box in boxes]) <= [figure.bbox.x1 + 1, figure.bbox.y1 + 1]).all()


def digest(ax, folder):
    (path,) = save_figure(figure_of(ax), folder / "figure", alt_text="a figure", formats=("svg",))
    return hashlib.sha256(path.read_bytes()).hexdigest()


# what is drawn -------------------------------------------------------------------------------------------------------


def test_bars_are_as_long_as_flows_and_start_at_zero(moves):
    ax = corridors(moves)
    drawn = moves[(moves["start"] != moves["end"]) & (moves["n"] > 0)]
    assert lengths(ax) == dict(zip(drawn["start"] + ">" + drawn["end"], drawn["n"], strict=True))
    assert {bar.get_x() for bar in ways(ax).values()} == {0.0}
    assert ax.get_xlim()[0] == 0.0


def test_rows_are_sorted_and_named_by_the_larger_way(moves):
    ax = corridors(moves)
    assert rows_of(ax) == [
        "India → United States", "United Kingdom → United States", "South Korea → United States",
        "India → United Kingdom", "United Kingdom → Australia", "South Korea → Japan",
    ]  # fmt: skip
    assert ax.yaxis_inverted()
    bars = ways(ax)
    larger = [bars[way].get_width() for way in ("IND>USA", "GBR>USA", "KOR>USA", "IND>GBR", "GBR>AUS", "KOR>JPN")]
    assert larger == sorted(larger, reverse=True)


def test_both_ways_of_a_pair_share_a_row_and_the_net_stands_beside_it(moves):
    ax = corridors(moves)
    bars = ways(ax)
    there, back = bars["KOR>USA"], bars["USA>KOR"]
    assert round(there.get_y() + there.get_height() / 2) == round(back.get_y() + back.get_height() / 2) == 2
    assert there.get_y() + there.get_height() < back.get_y()
    assert to_rgba(there.get_facecolor())[:3] == to_rgba(back.get_facecolor())[:3]
    assert there.get_alpha() > back.get_alpha()
    assert net(ax) == ["60", "18", "18", "25", "18", "9"]
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["the way named", "the way back"]
    amounts = [text.get_text() for text in ax.texts if text.xy[0] not in (1.0,)]
    assert sorted(amounts, key=float) == ["9", "12", "18", "22", "25", "30", "40", "60"]


def test_equal_ways_have_a_net_of_zero_and_are_named_by_the_alphabet():
    ax = corridors(table(("B", "A", 5), ("A", "B", 5)))
    assert rows_of(ax) == ["A → B"]
    assert net(ax) == ["0"]


def test_a_single_corridor_is_drawn():
    ax = corridors(table(("KOR", "USA", 0.25)))
    assert lengths(ax) == {"KOR>USA": 0.25}
    assert caption(ax) == "One pair, 0.25 n."
    assert_legible(ax)


# what is said --------------------------------------------------------------------------------------------------------


def test_what_is_left_out_is_said_in_figures(moves):
    ax = corridors(moves, at_most=3, unit="moves")
    # 60 + (40 + 22) + (30 + 12) of 216
    assert "The 3 largest of 6 pairs: 76 % of all moves (164 of 216); the others together: 52" in caption(ax)
    assert "1 within a country (500) left out" in caption(ax)
    assert len(rows_of(ax)) == 3
    again = caption(corridors(pd.concat([moves, moves])))
    assert "All 6 pairs, 432 n" in again
    assert "16 rows added up" in again
    assert "The largest of 6 pairs" in caption(corridors(moves, at_most=1))


def test_rows_of_one_corridor_are_added_up():
    once = corridors(table(("A", "B", 5), ("B", "C", 3)))
    twice = corridors(table(("A", "B", 1), ("B", "C", 3), ("A", "B", 4)))
    assert lengths(once) == lengths(twice)
    assert "3 rows added up" in caption(twice)
    assert "added up" not in caption(once)


def test_names_given_stand_in_rows_and_caption(moves):
    ax = corridors(moves, labels={"IND": "Bharat", "USA": "US$"}, highlight="IND")
    assert rows_of(ax)[0] == r"Bharat → US\$"
    assert "In colour: Bharat" in caption(ax)
    assert not any("India" in text for text in [*rows_of(ax), caption(ax)])


def test_a_name_that_is_too_long_is_shortened(moves):
    long = "The Confederation of Exceedingly Long Names and Dependencies"
    ax = corridors(moves, labels={"KOR": long, "USA": long[::-1]})
    assert all(len(side) <= 26 for row in rows_of(ax) for side in row.split(" → "))
    assert rows_of(ax)[5].startswith("The Confederation of Exce…")
    assert_legible(ax)


# what is chosen ------------------------------------------------------------------------------------------------------


def test_ties_take_the_first_in_the_alphabet_whatever_the_order_of_rows(tmp_path):
    flows = table(*[(a, b, 1) for a, b in itertools.permutations("DCBA", 2)])
    drawn = [corridors(flows.sample(frac=1, random_state=seed), at_most=2) for seed in (1, 2)]
    assert [rows_of(ax) for ax in drawn] == [["A → B", "A → C"]] * 2
    assert digest(drawn[0], tmp_path) == digest(drawn[1], tmp_path)


def test_countries_kept_have_their_largest_corridors_out_and_in(moves):
    flows = table(("A", "B", 90), ("B", "A", 80), ("K", "A", 3), ("K", "B", 2), ("B", "K", 4), ("C", "A", 70))
    ax = corridors(flows, at_most=1, keep="K")
    assert rows_of(ax) == ["A → B", "B → K", "K → A"]
    assert "The largest, and 2 kept, of 4 pairs" in caption(ax)
    both = corridors(moves, at_most=1, keep=["AUS", "KOR"])
    assert len(rows_of(both)) == 3


def test_watched_countries_stand_out(moves):
    ax = corridors(moves, at_most=2, highlight="JPN")
    colors = {way: to_rgba(bar.get_facecolor())[:3] for way, bar in ways(ax).items()}
    assert {way for way, color in colors.items() if color == to_rgba(PALETTE[0])[:3]} == {"KOR>JPN", "JPN>KOR"}
    assert colors["IND>USA"] == to_rgba(FAINT)[:3]
    weights = {text.get_text(): text.get_fontweight() for text in ax.get_yticklabels()}
    assert [name for name, weight in weights.items() if weight == "bold"] == ["South Korea → Japan"]
    assert "In colour: Japan" in caption(ax)
    plain = corridors(moves)
    assert {to_rgba(bar.get_facecolor())[:3] for bar in ways(plain).values()} == {to_rgba(PALETTE[0])[:3]}
    assert {text.get_fontweight() for text in plain.get_yticklabels()} == {"normal"}


# how it is drawn -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("count", [1, 12, 40])
def test_texts_do_not_overlap_and_nothing_is_cut(count):
    rng = np.random.default_rng(0)
    pairs = rng.permutation([(a, b) for a in range(30) for b in range(30) if a != b])[:200]
    flow = np.exp(2 * rng.normal(size=len(pairs)) + 5).round()
    frame = pd.DataFrame(pairs, columns=["start", "end"]).map(lambda i: f"Country number {i}").assign(n=flow)
    ax = corridors(frame, at_most=count)
    assert len(rows_of(ax)) == count
    assert_legible(ax)


def test_numbers_of_different_sizes_are_written_whole_or_to_three_digits():
    ax = corridors(table(("A", "B", 1234567.0), ("A", "C", 12.345)))
    shown = [text.get_text() for text in ax.texts]
    assert {"1,234,567", "12.3"} <= set(shown)
    assert text_sizes(ax.texts).shape == (len(shown), 2)


def test_corridors_leave_their_input_and_matplotlib_as_they_are(moves, tmp_path):
    before, settings, pyplot = moves.copy(), dict(mpl.rcParams), "matplotlib.pyplot" in sys.modules
    digests = {digest(corridors(moves), tmp_path) for _ in range(2)}
    assert len(digests) == 1
    pd.testing.assert_frame_equal(moves, before)
    assert dict(mpl.rcParams) == settings
    assert ("matplotlib.pyplot" in sys.modules) == pyplot
    ax = new_axes(5, 5)
    assert corridors(moves, ax=ax) is ax


# what is refused -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "options", "error", "pieces"),
    [
        (dict(n=-1), {}, DataError, ["negative or infinite in 1 of 10", "KOR, USA, -1"]),
        (dict(n=np.inf), {}, DataError, ["negative or infinite in 1 of 10"]),
        (dict(n=np.nan), {}, MissingValueError, ["'n' is missing in 1 of 10"]),
        (dict(n="many"), {}, DataError, ["text in 1 of 10", "'many'"]),
        (dict(start=None), {}, MissingValueError, ["'start' is missing in 1 of 10"]),
        ({}, dict(highlight="KRO"), OptionError, ["highlight='KRO'", "Did you mean 'KOR'?"]),
        ({}, dict(keep=["USA", "CHN"]), OptionError, ["keep='CHN'", "6 places"]),
        ({}, dict(flow="m"), ColumnError, ["no column 'm' of flows", "start, end, n"]),
        ({}, dict(destination="start"), OptionError, ["origin and destination are both 'start'"]),
        ({}, dict(at_most=0), OptionError, ["at_most=0"]),
        ({}, dict(highlite="KOR"), ArgumentError, ["Did you mean 'highlight'?"]),
    ],
)
def test_flows_that_cannot_be_drawn_are_refused_by_name(moves, change, options, error, pieces):
    frame = moves.astype(object)
    for column, value in change.items():
        frame.loc[0, column] = value
    with pytest.raises(error) as caught:
        wg.figures.plot_corridors(frame, **{**COLUMNS, **options})
    for piece in pieces:
        assert piece in str(caught.value)


def test_flows_within_places_alone_are_no_corridors(moves):
    with pytest.raises(EmptyDataError, match="no flow above zero between two places"):
        wg.figures.plot_corridors(moves[moves["start"] == moves["end"]], **COLUMNS)


def test_dates_are_no_flows(moves):
    with pytest.raises(DataError, match="holds dates"):
        corridors(moves.assign(n=pd.Timestamp("2020-01-01")))


@pytest.mark.shared
def test_real_corridors_of_researchers(data_folder):
    path = data_folder / "scholarly_migration" / "scopus_2024_flows.parquet"
    if not path.exists():
        pytest.skip("no local copy of the flows of researchers")
    flows = pd.read_parquet(path)
    columns = dict(origin="iso3codefrom", destination="iso3codeto", flow="n_migrations")
    ax = corridors(flows, **columns, highlight="KOR")
    totals = flows.groupby(["iso3codefrom", "iso3codeto"], observed=True)["n_migrations"].sum()
    assert totals.idxmax() == ("CHN", "USA")
    assert lengths(ax)["CHN>USA"] == totals.max()
    assert rows_of(ax)[0] == "China → United States"
    assert_legible(ax)
