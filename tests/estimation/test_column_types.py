"""One rule for what columns hold: numbers of any kind enter, text, dates, durations and complex numbers are refused."""

from __future__ import annotations

import decimal
import fractions

import numpy as np
import pandas as pd
import pytest

import wagegap as wg
from wagegap.errors import DataError
from wagegap.estimation.column_types import fault_of, held_by, number_or_nan

START = pd.Timestamp("2020-01-01")


def days(values):
    return START + pd.to_timedelta(values, unit="D")


NUMBERS = {
    "float": lambda v: v,
    "float32": lambda v: v.astype("float32"),
    "nullable": lambda v: v.astype("Float64"),
    "arrow": lambda v: v.astype("float64[pyarrow]"),
    "objects": lambda v: v.astype(object),
    "long": lambda v: v.astype("longdouble"),
    "big endian": lambda v: v.astype(">f8"),
    "decimals": lambda v: v.map(lambda one: decimal.Decimal(str(one))),
    "fractions": lambda v: v.map(lambda one: fractions.Fraction(str(one))),
}
NO_NUMBERS = {
    "digits": (lambda v: v.map(str), "text"),
    "string": (lambda v: v.map(str).astype("string"), "text"),
    "arrow text": (lambda v: v.map(str).astype("string[pyarrow]"), "text"),
    "commas": (lambda v: v.map(lambda one: str(one).replace(".", ",")), "text"),
    "dates": (days, "dates"),
    "days": (lambda v: days(v).dt.date, "dates"),
    "zoned": (lambda v: days(v).dt.tz_localize("UTC"), "dates"),
    "periods": (lambda v: days(v).dt.to_period("D"), "dates"),
    "arrow dates": (lambda v: days(v).astype("timestamp[ns][pyarrow]"), "dates"),
    "durations": (lambda v: pd.to_timedelta(v, unit="D"), "durations"),
    "complex": (lambda v: v + 1j, "complex"),
    "complex objects": (lambda v: (v + 1j).astype(object), "complex"),
}


@pytest.fixture(scope="module")
def rows():
    rng = np.random.default_rng(5)
    frame = pd.DataFrame({"x": rng.uniform(1, 40, 120).round(1), "w": rng.uniform(1, 3, 120).round(1)})
    frame = frame.assign(y2=np.round(frame.w * 3), g=np.array(["a", "b"])[np.arange(120) % 2])
    frame["in_work"] = (rng.random(120) < 0.7).astype(int)
    return frame.assign(d=rng.integers(0, 2, 120), y=frame.x / 10 + rng.normal(size=120), share=(frame.x / 40).round(3))


TABLE = pd.DataFrame({"iso3": ["KOR", "USA"], "b": [1.0, 2.0], "se": [0.5, 0.25]})


def changed(frame, name, change):
    return frame.assign(**{name: change(frame[name])})


ROLES = {
    "outcome": lambda rows, change: wg.fit_linear(changed(rows, "y", lambda v: change(v.round(2))), "y ~ d").params,
    "regressor": lambda rows, change: wg.fit_linear(changed(rows, "x", change), "y ~ x + d").params,
    "interaction": lambda rows, change: wg.fit_linear(changed(rows, "x", change), "y ~ d + d:x").params,
    "offset": lambda rows, change: wg.fit_flows(changed(rows, "x", change), "y2 ~ d + offset(x)").params,
    "selection": lambda rows, change: (
        wg.oaxaca_selection(changed(rows, "x", change), "y ~ d", group="g", selection="in_work ~ x").params
    ),
    "control": lambda rows, change: wg.fit_exits(changed(rows, "x", change), "d ~ x", margins=False).params,
    "weight": lambda rows, change: wg.fit_linear(changed(rows, "w", change), "y ~ x", weights="w").params,
    "event": lambda rows, change: wg.fit_rates(changed(rows, "share", change), {"share": "share"}, by=()).params,
    "estimate": lambda _, change: wg.Estimates.from_table(changed(TABLE, "b", change)).params,
    "std_error": lambda _, change: wg.Estimates.from_table(changed(TABLE, "se", change)).bse,
}


@pytest.mark.parametrize("role", ROLES.values(), ids=ROLES.keys())
@pytest.mark.parametrize("change", NUMBERS.values(), ids=NUMBERS.keys())
def test_numbers_of_any_kind_are_numbers(rows, role, change):
    np.testing.assert_allclose(role(rows, change), role(rows, lambda v: v), rtol=1e-5, atol=1e-7)  # float32


@pytest.mark.parametrize("role", ROLES.values(), ids=ROLES.keys())
@pytest.mark.parametrize(("change", "held"), NO_NUMBERS.values(), ids=NO_NUMBERS.keys())
def test_what_is_no_number_is_refused_everywhere(rows, role, change, held):
    with pytest.raises(DataError, match="text in" if held == "text" else f"holds {held}"):
        role(rows, change)


@pytest.mark.public_case("digit_text")
def test_a_regressor_of_digits_in_text_is_refused_with_advice():
    panel = wg.simulate_panel(countries=3, workers=400, rng=1).panel
    right = wg.fit_premiums(panel, "log(hourly_wage) ~ ai + exper", premium="ai")
    text = panel.assign(exper=panel.frame["exper"].map("{:.1f}".format))
    advice = r"'exper' is text .* hold digits, .* pandas\.to_numeric, or write C\(exper\) where its \d+ values"
    with pytest.raises(DataError, match=advice):
        wg.fit_premiums(text, "log(hourly_wage) ~ ai + exper", premium="ai")
    again = text.assign(exper=lambda frame: pd.to_numeric(frame["exper"]).round(1))
    rounded = panel.assign(exper=panel.frame["exper"].round(1))
    fits = [wg.fit_premiums(one, "log(hourly_wage) ~ ai + exper", premium="ai") for one in (again, rounded)]
    np.testing.assert_allclose(fits[0].params, fits[1].params, rtol=1e-12)
    np.testing.assert_allclose(fits[0].params, right.params, atol=2e-3)  # a twentieth of a year


@pytest.mark.parametrize(
    "values",
    [["1", "2", "3"], ["3.0", "12.5", "."], ["1,5", "2,5", "3,5"], [" 1", "-2", "1e3"], ["5 %", "6 %", "7 %"]],
)
def test_text_of_mostly_digits_is_a_factor_only_where_it_is_said(rows, values):
    codes = rows.assign(code=np.array(values)[np.arange(len(rows)) % 3])
    with pytest.raises(DataError, match=r"'code' is text .* C\(code\)"):
        wg.fit_linear(codes, "y ~ x + code")
    expected = wg.fit_linear(codes.assign(code=np.arange(len(rows)) % 3), "y ~ x | code").params["x"]
    for formula in ("y ~ x + C(code)", "y ~ x | code"):
        assert wg.fit_linear(codes, formula).params["x"] == pytest.approx(expected)
    category = codes.assign(code=codes["code"].astype("category"))
    assert wg.fit_linear(category, "y ~ x + code").params["x"] == pytest.approx(expected)


def test_words_dates_and_truth_values_keep_their_meaning(rows):
    words = rows.assign(word=np.array(["no", "yes"])[rows.d], when=days(rows.x), flag=rows.d == 1)
    expected = wg.fit_linear(rows, "y ~ x + d").params["d"]
    assert wg.fit_linear(words, "y ~ x + word").params["word[T.yes]"] == pytest.approx(expected)
    assert wg.fit_linear(words, "y ~ x + flag").params["flag"] == pytest.approx(expected)
    late = wg.fit_linear(words, "y ~ I(when > '2020-01-20')").params.iloc[1]
    assert late == pytest.approx(wg.fit_linear(words.assign(late=words.when > "2020-01-20"), "y ~ late").params["late"])
    assert wg.fit_linear(words, "I(word == 'yes') ~ 1").params.iloc[0] == pytest.approx(rows.d.mean())
    with pytest.raises(DataError, match=r"'word' is text in 120 of 120 rows.*pandas\.to_numeric"):
        wg.fit_linear(words, "y ~ log(word)")


def test_wages_read_from_text_are_said():
    rows = {"pid": [1, 2, 3], "pay": ["10", "20.5", "30"]}
    panel = wg.read_panel(rows, worker="pid", wage="pay")
    assert panel.frame["pay"].tolist() == [10.0, 20.5, 30.0]
    assert "pay is read from text in 3 of 3 rows" in panel.ledger.notes


def test_columns_that_are_empty_hold_nothing_that_is_wrong():
    for empty in (
        pd.Series([None, None], dtype="string"),
        pd.Series([np.nan, np.nan]),
        pd.Series([None], dtype=object),
    ):
        assert held_by(empty) == "numbers"
        assert fault_of(empty) == ""
        assert np.isnan(number_or_nan(empty)).all()
