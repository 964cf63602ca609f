"""Periods in the order of time, whatever they are written in."""

from __future__ import annotations

import datetime

import numpy as np
import pandas as pd
import pytest

import wagegap as wg
from wagegap.errors import DataError
from wagegap.estimation.periods import natural_order, order_periods

# each in the order of time, none of them in that of the alphabet
WRITTEN = {
    "numbers": ["8", "9", "10", "11"],
    "waves": ["wave8", "wave9", "wave10", "wave11"],
    "short waves": ["w8", "W9", "w10", "wave_11"],
    "counted": ["8th wave", "9th wave", "10th wave", "11th wave"],
    "rounds": ["ESS round 8", "ESS round 9", "ESS round 10", "ESS round 11"],
    "quarters": ["Q3 2019", "Q4 2019", "Q1 2020", "Q2 2020"],
    "quarters before": ["4Q2018", "1Q2019", "2Q2019", "3Q2019"],
    "halves": ["H1 2019", "H2 2019", "H1 2020", "H2 2020"],
    "months": ["2019m9", "2019m10", "2019m11", "2019m12"],
    "named months": ["Nov 2019", "Dec 2019", "Jan 2020", "Feb 2020"],
    "whole months": ["March 2019", "April 2019", "May 2019", "June 2019"],
    "unpadded months": ["2019-9", "2019-10", "2019-11", "2019-12"],
    "school years": ["1998/99", "1999/00", "2000-01", "2001/02"],
    "dates and times": ["2019-3-31", "2019-06-30 12:00", "2019-09-30T08:00", "2019-10-31"],
    "mixed types": [8, "9", 10.0, "11"],
    "quarters of pandas": list(pd.period_range("2019Q3", periods=4, freq="Q")),
    "days": [datetime.date(2019, month, 1) for month in (2, 4, 9, 12)],
    "stamps": list(pd.date_range("2019-01-31", periods=4, freq="D", tz="Asia/Seoul")),
    "categories": pd.Categorical(["low", "base", "end", "after"], ["low", "base", "end", "after"], ordered=True),
    "unordered": pd.Categorical(["w8", "w9", "w10", "w11"]),
    "nullable": pd.array([8, 9, 10, 11], dtype="Int64"),
    "arrow": pd.array(["w8", "w9", "w10", "w11"], dtype="string[pyarrow]"),
}

SHUFFLED = np.array([2, 0, 3, 1, 1, 2, 0, 3])


@pytest.mark.parametrize("written", WRITTEN.values(), ids=WRITTEN.keys())
def test_periods_are_in_the_order_of_time(written):
    column = pd.Series(written).iloc[SHUFFLED].reset_index(drop=True)
    found = order_periods(column)
    np.testing.assert_array_equal(found.codes, SHUFFLED)
    assert found.levels.tolist() == pd.Series(written).tolist()
    np.testing.assert_array_equal(np.argsort(found.of_rows[:4]), np.argsort(SHUFFLED[:4]))


@pytest.mark.parametrize(
    ("written", "pieces"),
    [
        (["before", "after"], ["without a known order", "'before', 'after'"]),
        (["pre", "post", "later", "last"], ["'pre', 'post', 'later' and 1 more"]),
        (["2019", "2019Q4"], ["in several ways"]),
        (["t1", "x2"], ["in several ways"]),
        (["Mar-19", "Apr-19"], ["without a known order"]),  # a day of March, or March of a year
        (["31.12.2019", "01.02.2020"], ["without a known order"]),  # day or month first
        (["98", "99", "00"], ["two digits"]),
        (["FY98", "FY99", "FY00"], ["two digits"]),
        ([("a", 1), ("b", 2)], ["without a known order"]),
        (pd.Categorical(["before", "after"]), ["without a known order"]),
    ],
)
def test_an_order_that_is_not_known_is_asked_for(written, pieces):
    with pytest.raises(DataError, match="ordered=True") as raised:
        order_periods(pd.Series(written, name="when"))
    assert all(piece in str(raised.value) for piece in ["'when'", "Give numbers", *pieces])


def test_two_spellings_are_one_period_and_missing_ones_none():
    found = order_periods(pd.Series(["wave 8", "Wave 8", "w8", None, "wave 10"]))
    assert found.codes.tolist() == [0, 0, 0, -1, 1]
    assert order_periods(pd.Series(["before", None])).codes.tolist() == [0, -1]  # one period needs no order


@pytest.mark.parametrize(
    ("written", "even"),
    [
        (["2019Q4", "2020Q1", "2020Q2"], True),
        (["2019Q4", "2020Q2", "2020Q3"], False),
        (["2019-11-30", "2019-12-31", "2020-01-31", "2020-02-29"], True),  # months, though not days, are as far apart
        (["2019-03-01", "2019-04-01", "2019-06-01"], False),
        ([2010, 2012, 2014], True),
        ([2010, 2012, 2013], False),
        (["w1", "w2", "w4"], False),
    ],
)
def test_gaps_between_periods_are_seen(written, even):
    assert order_periods(pd.Series(written)).even is even


def test_cells_stand_in_the_order_of_time_and_texts_of_one_meaning_stay_apart():
    assert natural_order(pd.Series(["w10", "w9"])).tolist() == [1, 0]
    assert natural_order(pd.Series(["1", "01", "2"])).tolist() == [1, 0, 2]
    assert natural_order(pd.Series(["b", "a", "B"])).tolist() == [2, 1, 0]


@pytest.fixture(scope="module")
def movers():
    """Four waves of 200 people who move between two countries, with a trend of one a wave."""
    rng = np.random.default_rng(21)
    rows = []
    for person in range(200):
        country = rng.choice(["KOR", "USA"])
        for wave in range(4):
            rows.append((person, country, wave, np.exp(rng.normal(2, 0.3)), rng.normal()))
            if rng.random() < 0.15:
                country = "USA" if country == "KOR" else "KOR"
    frame = pd.DataFrame(rows, columns=["pid", "iso3", "k", "pay", "x"])
    return frame.assign(y=frame.x + rng.normal(size=len(frame)) + frame.k)


def written_as(frame, levels):
    return frame.assign(per=pd.Series(levels).iloc[frame.k].to_numpy())


FORMS = ["numbers", "waves", "quarters", "named months", "school years", "mixed types", "categories"]


def panel_of(frame, levels):
    rows = written_as(frame, levels)
    if isinstance(levels, pd.Categorical):
        rows["per"] = pd.Categorical(rows["per"], levels.categories, ordered=True)
    return rows, wg.read_panel(rows, worker="pid", country="iso3", period="per", wage="pay", worker_scope="global")


@pytest.mark.public_case("text_periods")
@pytest.mark.parametrize("form", FORMS)
def test_shares_abroad_next_do_not_depend_on_how_periods_are_written(facts, movers, form):
    _, panel = panel_of(movers, WRITTEN[form])
    right = facts("public_cases")["text_periods"]["right"]["abroad_next"]
    moved = movers.iso3 != movers.groupby("pid").iso3.shift(-1)
    counted = moved[movers.k < 3].mean()
    assert counted == pytest.approx(right, abs=5e-4)  # the digits stated
    assert panel.transitions().frame["abroad_next"].mean() == pytest.approx(counted, rel=1e-12)


@pytest.mark.public_case("text_periods")
def test_periods_without_an_order_are_refused_where_it_matters_and_only_there(movers):
    rows, panel = panel_of(movers, ["before", "start", "middle", "after"])
    assert len(wg.fit_rates(panel, {"high": "pay > 8"}, by="per").params) == 4
    for call in (
        panel.transitions,
        lambda: wg.fit_linear(rows, "y ~ x", model="differences", unit="pid", period="per"),
        lambda: wg.fit_linear(rows, "y ~ x", cov=wg.cov.DriscollKraay("per", 1)),
        lambda: wg.fit_linear(rows, "y ~ x", cov=wg.cov.NeweyWest("pid", "per", 1)),
        lambda: wg.fit_exits(panel.assign(out=rows["pay"] > 9), "out ~ x", time="per"),
    ):
        with pytest.raises(DataError, match=r"'per' are text without a known order.*pandas\.Categorical"):
            call()


@pytest.mark.parametrize("form", FORMS)
def test_differences_and_lags_are_those_of_numbered_periods(movers, form):
    rows, _ = panel_of(movers, WRITTEN[form])
    by_number = movers.assign(per=movers.k)
    for how in (
        dict(model="differences", unit="pid", period="per"),
        dict(cov=wg.cov.DriscollKraay("per", 2)),
        dict(cov=wg.cov.NeweyWest("pid", "per", 2)),
    ):
        one, two = (wg.fit_linear(frame, "y ~ x", **how) for frame in (rows, by_number))
        np.testing.assert_allclose(one.params, two.params, rtol=1e-12)
        np.testing.assert_allclose(one.bse, two.bse, rtol=1e-12)


@pytest.fixture(scope="module")
def spells():
    """Rows at risk in five periods, with hazards of .05, .4, .1, .1, .1."""
    rng = np.random.default_rng(2)
    rows = pd.DataFrame([(i, t) for i in range(300) for t in range(5)], columns=["id", "k"])
    rows["out"] = (rng.random(len(rows)) < np.array([0.05, 0.4, 0.1, 0.1, 0.1])[rows.k]).astype(int)
    return rows[rows.groupby("id").out.transform(lambda out: out.cumsum().shift(fill_value=0)) == 0]


@pytest.mark.parametrize(
    "levels",
    [
        [8, 9, 10, 11, 12],
        ["8", "9", "10", "11", "12"],
        ["w8", "w9", "w10", "w11", "w12"],
        ["Q3 2019", "Q4 2019", "Q1 2020", "Q2 2020", "Q3 2020"],
        pd.Categorical(["one", "two", "three", "four", "five"], ["one", "two", "three", "four", "five"], ordered=True),
    ],
)
def test_incidence_cumulates_in_the_order_of_time(spells, levels):
    column = pd.Series(levels).iloc[spells.k].to_numpy()
    if isinstance(levels, pd.Categorical):
        column = pd.Categorical(column, levels.categories, ordered=True)
    found = wg.fit_exits(spells.assign(t=column), "out ~ 1", time="t")
    # F(t) = 1 - prod_s (1 - h_s)
    hazards = spells.groupby("k").out.mean()
    frame = found.incidence.tidy()
    np.testing.assert_allclose(frame["estimate"], 1 - (1 - hazards).cumprod(), rtol=1e-6)
    assert frame["time"].tolist() == list(levels)
    ax = found.plot_incidence()
    at, drawn = ax.lines[0].get_data()
    np.testing.assert_allclose(drawn, frame["estimate"])
    assert (np.diff(at) > 0).all()
    assert found.bands(uniform=True, reps=50)["conf_low"].notna().all()


def test_figures_name_periods_that_are_text(spells):
    found = wg.fit_exits(spells.assign(t="w" + (spells.k + 8).astype(str)), "out ~ 1", time="t")
    ax = found.plot_incidence()
    assert [tick.get_text() for tick in ax.get_xticklabels()] == ["w8", "w9", "w10", "w11", "w12"]


def test_cells_of_text_periods_stand_in_the_order_of_time(movers):
    rows = written_as(movers, WRITTEN["waves"])
    rates = wg.fit_rates(rows, {"high": "pay > 8"}, by=["iso3", "per"])
    assert rates.estimates.labels["per"].tolist() == WRITTEN["waves"] * 2


def test_uneven_periods_are_noted(movers):
    rows, panel = panel_of(movers, ["w1", "w2", "w5", "w6"])
    assert any("unevenly spaced (w1, w2, w5, w6)" in note for note in panel.transitions().ledger.notes)
    steps = wg.fit_linear(rows, "y ~ x", model="differences", unit="pid", period="per")
    assert "unevenly spaced (w1, w2, w5, w6)" in steps.summary()


def test_columns_of_text_and_numbers_keep_their_own_order():
    column = pd.Series(["wave10", 8, "wave9"], dtype=object)
    pd.testing.assert_series_equal(natural_order(column), column)
