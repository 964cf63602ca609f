"""Rates: standardisation, moves between fields, stocks abroad, intervals, censoring; and switching in PIAAC."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import wagegap as wg
from wagegap.errors import DataError, EmptyDataError, IdentificationError, OptionError, SmallCellWarning, UnitError
from wagegap.panel.load import read_panel
from wagegap.regression.rates.mobility import fit_rates
from wagegap.regression.rates.stocks import stock_rates
from wagegap.regression.rates.transitions import fit_transitions


def workers(n=4000, seed=0):
    rng = np.random.default_rng(seed)
    country, age = rng.integers(3, size=n), rng.integers(3, size=n)
    p = 0.05 + 0.1 * age + 0.05 * country
    now = rng.integers(3, size=n)
    stays = rng.random(n) < 0.6
    return pd.DataFrame({
        "pid": np.arange(n), "iso3": np.array(["JPN", "KOR", "USA"])[country], "age": np.array(["a", "b", "c"])[age],
        "left": (rng.random(n) < p) * 1.0, "came": (rng.random(n) < 0.1) * 1.0, "w": 0.5 + rng.random(n),
        "field": np.array(["eng", "law", "med"])[now],
        "next": np.array(["eng", "law", "med"])[np.where(stays, now, rng.integers(3, size=n))],
    })  # fmt: skip


# standardisation -----------------------------------------------------------------------------------------------------


def test_direct_standardisation_by_hand():
    data = workers()
    rates = fit_rates(data, "left", by=["iso3", "age"], cov="HC0")
    found = rates.standardise("age")
    shares = data["age"].value_counts(normalize=True)
    by_cell = data.groupby(["iso3", "age"])["left"].mean().unstack()
    np.testing.assert_allclose(found.params, (by_cell * shares).sum(axis=1), rtol=1e-10)
    errors = rates.bse.to_numpy().reshape(3, 3)
    np.testing.assert_allclose(
        found.bse, np.sqrt((errors**2 * shares.sort_index().to_numpy() ** 2).sum(axis=1)), rtol=1e-10
    )
    assert found.estimates.by == ["iso3"]
    given = rates.standardise("age", standard={"a": 2, "b": 1, "c": 1})
    np.testing.assert_allclose(given.params, (by_cell * [0.5, 0.25, 0.25]).sum(axis=1), rtol=1e-10)


def test_indirect_standardisation_by_hand():
    data = workers()
    rates = fit_rates(data, "left", by=["iso3", "age"], cov="HC0")
    found = rates.standardise("age", method="indirect")
    overall = data.groupby("age")["left"].mean()
    expected = data.assign(e=data["age"].map(overall)).groupby("iso3")["e"].mean()
    smr = data.groupby("iso3")["left"].mean() / expected
    np.testing.assert_allclose(found.params, smr * data["left"].mean(), rtol=1e-10)
    usa = rates.standardise("age", method="indirect", standard={"iso3": "USA"})
    assert usa.params["USA"] == pytest.approx(data.loc[data["iso3"] == "USA", "left"].mean(), rel=1e-10)
    at_home = ((rates.estimates.labels["iso3"] == "USA") * rates.cells["n"]).to_numpy() / (data["iso3"] == "USA").sum()
    crude = rates.estimates.map(at_home[None], labels=pd.DataFrame({"term": ["crude"]}))
    assert usa.bse["USA"] == pytest.approx(crude.bse.iloc[0], rel=1e-8)


def test_derivatives_of_indirect_standardisation():
    rates = fit_rates(workers(800), "left", by=["iso3", "age"], cov="HC0")
    found = rates.standardise("age", method="indirect")
    from dataclasses import replace

    for i in (0, 4, 8):
        ends = []
        for sign in (1, -1):
            values = rates.estimates.values + sign * 1e-6 * (np.arange(9) == i)
            ends.append(
                replace(rates, estimates=replace(rates.estimates, values=values)).standardise("age", method="indirect")
            )
        numeric = (ends[0].estimates.values - ends[1].estimates.values) / 2e-6
        np.testing.assert_allclose(
            (found.estimates.maps[0] @ np.linalg.pinv(rates.estimates.maps[0]))[:, i], numeric, atol=1e-7
        )


def test_a_composition_shared_by_all_changes_nothing():
    data = pd.concat([workers(900).assign(iso3=name) for name in ("KOR", "USA")])
    rates = fit_rates(data, "left", by=["iso3", "age"])
    crude = fit_rates(data, "left", by="iso3")
    for method in ("direct", "indirect"):
        np.testing.assert_allclose(rates.standardise("age", method=method).params, crude.params, rtol=1e-9)


def test_weights_enter_the_standard():
    data = workers()
    rates = fit_rates(data, "left", by=["iso3", "age"], weights="w")
    shares = data.groupby("age")["w"].sum() / data["w"].sum()
    by_cell = data.assign(y=data["w"] * data["left"]).groupby(["iso3", "age"])[["y", "w"]].sum()
    by_cell = (by_cell["y"] / by_cell["w"]).unstack()
    np.testing.assert_allclose(rates.standardise("age").params, (by_cell * shares).sum(axis=1), rtol=1e-10)


def test_cells_that_lack_a_level_are_left_out_by_name():
    data = workers()
    data = data[~((data["iso3"] == "JPN") & (data["age"] == "c"))]
    rates = fit_rates(data, "left", by=["iso3", "age"])
    with pytest.warns(SmallCellWarning, match="JPN left"):
        assert rates.standardise("age").params.index.tolist() == ["KOR", "USA"]
    assert len(rates.standardise("age", method="indirect").params) == 3


def test_bad_standards():
    rates = fit_rates(workers(), "left", by=["iso3", "age"])
    for words, call in (
        ("Did you mean 'age'", dict(over="agee")),
        ("single cell once composition", dict(over=["iso3", "age"])),
        ("neither a level", dict(over="age", standard={"z": 1.0})),
        ("needs rates", dict(over="age", standard={"a": 1.0}, method="indirect")),
        ("no cell has these keys", dict(over="age", standard={"iso3": "XXX"})),
        ("not be negative", dict(over="age", standard={"a": -1.0, "b": 2.0})),
    ):
        with pytest.raises(OptionError, match=words):
            rates.standardise(**call)


# intervals, net rates, stocks ----------------------------------------------------------------------------------------


@pytest.mark.filterwarnings("ignore:in . of . cells everybody did the same")
def test_jeffreys_intervals_of_counts():
    data = workers(600)
    found = fit_rates(data, "left", by="iso3", cov="HC0")
    counts = data.groupby("iso3")["left"].agg(["sum", "count"])
    a, b = counts["sum"] + 0.5, counts["count"] - counts["sum"] + 0.5
    np.testing.assert_allclose(found.jeffreys()["conf_low"], stats.beta.ppf(0.025, a, b), rtol=1e-10)
    np.testing.assert_allclose(found.jeffreys(0.1)["conf_high"], stats.beta.ppf(0.95, a, b), rtol=1e-10)
    nobody = fit_rates(data.assign(left=0.0), "left", by="iso3")
    assert (nobody.jeffreys()["conf_low"] == 0).all()
    n = counts["count"].to_numpy()
    np.testing.assert_allclose(nobody.jeffreys()["conf_high"], stats.beta.isf(0.025, 0.5, n + 0.5), rtol=1e-10)
    assert (fit_rates(data.assign(left=1.0), "left", by="iso3").jeffreys()["conf_high"] == 1).all()
    with pytest.raises(OptionError, match="difference of rates"):
        fit_rates(data, {"in": "came", "out": "left"}, by="iso3").net("in", "out").jeffreys()


def test_net_migration_per_ten_thousand():
    data = workers()
    rates = fit_rates(data, {"in": "came", "out": "left"}, by="iso3", cov="HC0")
    net = rates.net("in", "out", unit="per 10,000")
    difference = data.assign(d=data["came"] - data["left"]).groupby("iso3")["d"]
    np.testing.assert_allclose(net.params, 1e4 * difference.mean(), rtol=1e-10)
    np.testing.assert_allclose(net.bse, 1e4 * np.sqrt(difference.var(ddof=0) / difference.count()), rtol=1e-10)
    assert (net.params < 0).all()
    assert net.unit == "per 10,000"


def test_stocks_abroad():
    table = pd.DataFrame({"iso3": ["KOR", "USA"], "abroad": [160.0, 20], "domestic": [840.0, 980], "se_a": [10.0, 2],
                          "se_d": [5.0, 5]})  # fmt: skip
    found = stock_rates(table, abroad_error="se_a", domestic_error="se_d")
    np.testing.assert_allclose(found.params, [0.16, 0.02])
    numeric = np.sqrt((840 / 1e6 * 10) ** 2 + (160 / 1e6 * 5) ** 2)
    assert found.bse.iloc[0] == pytest.approx(numeric)
    assert stock_rates(table).bse.isna().all()
    with pytest.raises(UnitError, match="1 of 2 rows"):
        stock_rates(table.assign(abroad=[-1.0, 1.0]))


# moves ---------------------------------------------------------------------------------------------------------------


def test_transition_matrix_and_shorrocks_index():
    data = workers()
    found = fit_transitions(data, "field", "next", cov="HC0")
    matrix = pd.crosstab(data["field"], data["next"], normalize="index")
    np.testing.assert_allclose(found.matrix().to_numpy(), matrix.to_numpy(), rtol=1e-10)
    index = found.mobility()
    assert index.params["shorrocks"] == pytest.approx((3 - np.trace(matrix)) / 2, rel=1e-10)
    p, n = np.diag(matrix), data["field"].value_counts().sort_index().to_numpy()
    assert index.bse["shorrocks"] == pytest.approx(np.sqrt((p * (1 - p) / n).sum()) / 2, rel=1e-10)
    assert index.params["moved"] == pytest.approx(1 - np.trace(matrix) / 3, rel=1e-10)


def test_moves_by_country_have_a_joint_covariance():
    data = workers()
    found = fit_transitions(data, "field", "next", by="iso3")
    test = found.mobility().test("KOR shorrocks = USA shorrocks")
    assert 0 <= test.p_value <= 1
    assert found.matrix(iso3="KOR").shape == (3, 3)
    with pytest.raises(OptionError, match="several cells"):
        found.matrix()
    alone = fit_transitions(data[data["iso3"] == "KOR"], "field", "next")
    np.testing.assert_allclose(found.mobility().select(iso3="KOR").bse, alone.mobility().bse, rtol=1e-10)


def test_nobody_and_everybody_moves():
    data = workers(600)
    still = fit_transitions(data.assign(next=data["field"]), "field", "next").mobility()
    np.testing.assert_allclose(still.values, 0.0, atol=1e-12)
    with pytest.raises(IdentificationError, match="index of mobility"):
        fit_transitions(data.assign(next=data["next"].replace("eng", "art")), "field", "next").mobility()
    with pytest.raises(DataError, match="fewer than two values"):
        fit_transitions(data.assign(next="eng"), "field", "next")


# censoring and bad input ---------------------------------------------------------------------------------------------


def test_censoring_is_shown_with_the_rates():
    made = wg.simulate_panel(countries=3, workers=200, periods=3, rng=1).panel
    panel = made.filter("not (pid % 7 == 0 and year == 2021)").transitions()
    found = fit_rates(panel, {"emigration": "abroad_next"}, by="iso3")
    summary = " ".join(found.summary().split())
    assert "are in the last periods" in summary
    assert "are observed again only later" in summary
    assert f"{int(panel.frame['abroad_next'].isna().sum()):,} unknown emigration" in summary


def test_rates_outside_zero_and_one():
    data = workers(300)
    with pytest.raises(DataError, match=r"two values, 0 and 100, .*'left == 100'"):
        fit_rates(data.assign(left=100 * data["left"]), "left", by="iso3")
    with pytest.raises(UnitError, match="outside 0 to 1"):
        fit_rates(data.assign(left=np.linspace(0, 100, len(data))), "left", by="iso3")
    with pytest.raises(EmptyDataError, match="nobody"):
        fit_rates(data.assign(left=np.nan), "left", by="iso3")


# real data -----------------------------------------------------------------------------------------------------------

# Share of employed graduates of science and engineering outside STEM occupations, in per cent: KOR 74 (1.9), USA 61,
# JPN 63, SWE 44, NOR 39; in health occupations KOR 2.5 (.6), USA 6.8. OECD PIAAC, cycle 1, final weights; JK2 errors.
SWITCHING = {"KOR": 74, "USA": 61, "JPN": 63, "SWE": 44, "NOR": 39}


@pytest.fixture(scope="module")
def graduates(data_folder):
    path = data_folder / "piaac" / "piaac_c1.parquet"
    if not path.exists():
        pytest.skip("no local copy of PIAAC")
    rows = pd.read_parquet(path)
    code = rows["ISCO2C"].astype(object).fillna("").astype(str)
    known = code.str.fullmatch(r"\d\d") & ~code.str.startswith("99")
    chosen = rows["EDCAT7"].between(5, 8) & rows["B_Q01b"].isin([5, 6]) & known & (rows["C_D05"] == 1)
    return rows.assign(
        iso3=rows["iso3"].astype(object), working_stem=chosen * 1, outside=~code.isin(["21", "25", "31", "35"]) * 1.0,
        health=code.isin(["22", "32"]) * 1.0,
    )  # fmt: skip


def test_switching_out_of_stem_by_country(graduates):
    panel = read_panel(graduates, country="iso3", weight="SPFWT0", source_name="PIAAC")
    chosen = panel.filter("iso3 in ['KOR', 'USA', 'JPN', 'SWE', 'NOR']")
    found = fit_rates(chosen, {"switching": "outside", "health": "health"}, among="working_stem", cov="HC0")
    rates = found.estimates.select(term="switching").params
    for iso3, expected in SWITCHING.items():
        assert round(100 * rates[iso3]) == expected
    health = found.estimates.select(term="health")
    assert f"{100 * health.params['KOR']:.1f}" == "2.5"
    assert f"{100 * health.params['USA']:.1f}" == "6.8"
    assert f"{100 * health.bse['KOR']:.1f}" == "0.6"


def test_switching_with_the_surveys_replicates(graduates, data_folder):
    path = data_folder / "piaac" / "piaac_c1_repwt_kor_usa_jpn.parquet"
    if not path.exists():
        pytest.skip("no local copy of PIAAC's replicate weights")
    weights = pd.read_parquet(path).astype({"iso3": object})
    names = [c for c in weights.columns if c.startswith("SPFWT") and c != "SPFWT0"]
    merged = graduates.merge(weights[["iso3", "pid", *names]], on=["iso3", "pid"])
    panel = read_panel(merged, country="iso3", weight="SPFWT0", replicate_weights=names, replicate_kind="JK2",
                       source_name="PIAAC")  # fmt: skip
    found = fit_rates(panel, {"switching": "outside", "health": "health"}, among="working_stem")
    rates, errors = found.params, found.bse
    for iso3 in ("KOR", "USA", "JPN"):
        assert round(100 * rates[f"{iso3} switching"]) == SWITCHING[iso3]
    assert f"{100 * errors['KOR switching']:.1f}" == "1.9"
    assert f"{100 * rates['KOR health']:.1f}" == "2.5"
    assert f"{100 * rates['USA health']:.1f}" == "6.8"


# everybody did the same ----------------------------------------------------------------------------------------------


def some_did_alike():
    """Nobody left A, everybody B, half of C; among the young of C nobody."""
    left = [0] * 50 + [1] * 50 + [0] * 25 + [0, 1] * 25
    return pd.DataFrame(
        {"iso3": ["A"] * 50 + ["B"] * 50 + ["C"] * 75, "left": left, "young": ([1] * 25 + [0] * 25) * 3 + [0] * 25}
    )


@pytest.mark.public_case("link_zero_variance")
def test_a_rate_of_nobody_has_no_standard_error_of_zero():
    with pytest.warns(SmallCellWarning, match=r"2 of 3 cells .*A 0 of 50, B 1 of 50.*wilson"):
        rates = fit_rates(some_did_alike(), "left", by="iso3", cov="HC0")
    assert np.isnan(rates.bse[["A", "B"]]).all()
    assert rates.pvalues[["A", "B"]].isna().all()
    # the other cell is as it was: p (1 - p) / n
    assert rates.bse["C"] == pytest.approx(np.sqrt(25 / 75 * 50 / 75 / 75), rel=1e-12)
    assert "unknown" in str(rates)
    # Wilson's upper end of nobody in 50: z^2 / (n + z^2)
    z2 = stats.norm.isf(0.025) ** 2
    assert rates.wilson().loc["A", "conf_high"] == pytest.approx(z2 / (50 + z2), rel=1e-10)
    assert (rates.wilson().loc["A", "conf_low"], rates.wilson().loc["B", "conf_high"]) == (0.0, 1.0)


@pytest.mark.parametrize("cov", ["iid", "HC1", "HC3", "CR1:psu", wg.cov.Bootstrap(50, rng=1)])
def test_nobody_has_no_error_under_any_covariance(cov):
    data = some_did_alike().assign(psu=np.arange(175) // 5)
    with pytest.warns(SmallCellWarning, match="everybody did the same"):
        rates = fit_rates(data, "left", by="iso3", cov=cov)
    assert np.isnan(rates.bse[["A", "B"]]).all()
    assert rates.bse["C"] > 0


def test_a_difference_from_nobody_has_no_known_error_and_a_standardised_rate_has():
    with pytest.warns(SmallCellWarning, match="everybody did the same"):
        rates = fit_rates(some_did_alike(), "left", by=["iso3", "young"], cov="HC0", min_rows=10)
    standard = rates.standardise("young", standard={0: 0.5, 1: 0.5})
    old = rates.estimates.labels.eval("iso3 == 'C' and young == 0").to_numpy()
    assert np.isnan(standard.bse[["A", "B"]]).all()
    assert standard.bse["C"] == pytest.approx(0.5 * rates.bse.to_numpy()[old][0], rel=1e-12)


def test_premiums_join_rates_of_nobody():
    data = some_did_alike().assign(ai=np.arange(175) % 2, pay=np.exp(np.sin(np.arange(175.0))))
    with pytest.warns(SmallCellWarning, match="everybody did the same"):
        rates = fit_rates(data, "left", by="iso3", cov="HC1")
    premiums = wg.fit_premiums(
        data, "log(pay) ~ ai", premium="ai", by="iso3", cov="HC1", min_treated=5, min_comparison=5
    )
    for joined in (wg.join(premiums, rates), wg.join(rates, premiums)):
        unknown = np.isnan(joined.variances)
        assert joined.labels["term"][unknown].tolist() == ["left", "left"]
        assert np.isfinite(joined.variances[~unknown]).all()
    assert np.isnan(rates.with_cov("HC0").bse[["A", "B"]]).all()


def test_moves_that_nobody_made_have_no_error_and_mobility_has():
    data = pd.DataFrame({"now": ["a", "b"] * 40, "next": ["a", "b"] * 30 + ["a", "a"] * 10})
    moves = wg.fit_transitions(data, "now", "next", cov="HC0")
    frame = moves.tidy().set_index(["now", "term"])["std_error"]
    assert np.isnan(frame[("a", "a")])
    assert np.isnan(frame[("a", "b")])
    # 10 of 40 left b, and nobody a: trace P = 1 + 3/4, whose error is that of the second
    error = np.sqrt(0.25 * 0.75 / 40)
    assert frame[("b", "a")] == pytest.approx(error, rel=1e-12)
    assert moves.mobility().bse.tolist() == pytest.approx([error, error / 2], rel=1e-12)
