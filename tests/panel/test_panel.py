"""The panel through the public door: what is read, who is who, and what the fits make of it."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

import wagegap as wg
from wagegap.errors import JoinError

ROLES = dict(worker="pid", country="where", period="year", wage="pay", source_name="survey")
FORMULA = "log(pay) ~ ai + exper"


def workers(n=400, seed=0, **columns):
    """Rows of two countries, written as two surveys write them, and of two years."""
    rng = np.random.default_rng(seed)
    ai, exper = rng.integers(2, size=n), rng.integers(30, size=n).astype(float)
    frame = pd.DataFrame(
        {
            "pid": np.arange(n), "where": np.where(np.arange(n) % 2 == 0, "Korea, Rep.", "USA"),
            "year": 2020 + (np.arange(n) // 2) % 2, "ai": ai, "exper": exper,
            "pay": np.exp(2 + 0.2 * ai + 0.01 * exper + rng.normal(0, 0.4, n)),
            "leaves": rng.integers(2, size=n).astype(float),
        }
    )  # fmt: skip
    return frame.assign(**columns)


class OnlyToPandas:
    """What some data frame libraries offer, and no more."""

    def __init__(self, frame):
        self._frame = frame

    def to_pandas(self):
        return self._frame.copy()


def as_polars(frame, folder):
    return pytest.importorskip("polars").from_pandas(frame)


def as_file(name):
    def write(frame, folder):
        path = folder / name
        if name.endswith(".parquet"):
            frame.to_parquet(path)
        elif name.endswith(".dta"):
            frame.to_stata(path, write_index=False)
        else:
            frame.to_csv(path, index=False)
        return path

    return write


def as_glob(frame, folder):
    for year, rows in frame.groupby("year"):
        rows.to_csv(folder / f"w{year}.csv", index=False)
    return str(folder / "w*.csv")


SOURCES = {
    "pandas": lambda frame, folder: frame,
    "odd index": lambda frame, folder: frame.set_index(np.arange(len(frame))[::-1] // 3),
    "polars": as_polars,
    "arrow": lambda frame, folder: pa.Table.from_pandas(frame),
    "to_pandas": lambda frame, folder: OnlyToPandas(frame),
    "csv": as_file("w.csv"),
    "csv.gz": as_file("w.csv.gz"),
    "parquet": as_file("w.parquet"),
    "dta": as_file("w.dta"),
    "glob": as_glob,
}


@pytest.mark.parametrize("source", SOURCES)
def test_every_source_gives_the_same_premiums(source, tmp_path):
    expected = wg.fit_premiums(wg.read_panel(workers(), **ROLES), FORMULA, premium="ai")
    panel = wg.read_panel(SOURCES[source](workers(), tmp_path), **ROLES)
    found = wg.fit_premiums(panel, FORMULA, premium="ai")
    assert found.params.index.tolist() == ["KOR", "USA"]
    np.testing.assert_allclose(found.params, expected.params, rtol=1e-12)
    np.testing.assert_allclose(found.cov_params(), expected.cov_params(), rtol=1e-12, atol=1e-18)
    assert panel.ledger.rows_read == 400


@pytest.mark.parametrize("source", ["pandas", "odd index", "polars", "arrow"])
def test_no_stage_changes_its_input(source, tmp_path):
    rows = workers(w=1.5, psu=np.arange(400) // 8)
    rows.loc[3, "exper"] = np.nan
    given = SOURCES[source](rows, tmp_path)
    before = given.copy(deep=True) if isinstance(given, pd.DataFrame) else given.to_pandas()
    panel = wg.read_panel(given, **ROLES, weight="w", cluster="psu")
    panel = panel.transitions().filter("exper > 1 or exper.isna()").assign(more=1.0)
    for data in (panel, given):
        by = "where" if data is given else None
        wg.fit_premiums(data, FORMULA, premium="ai", by=by, weights=None if data is panel else "w")
        wg.fit_rates(data, {"emigration": "leaves", "other": "leaves == 0"}, among="ai", by=by, cov="HC1")
    after = given if isinstance(given, pd.DataFrame) else given.to_pandas()
    pd.testing.assert_frame_equal(after, before)


def test_spellings_of_a_country_are_one_cell():
    names = ["Korea, Rep.", "South Korea", "KOR", "kr", "Türkiye", "Turkey", "TUR", "Côte d'Ivoire", "Ivory Coast"]
    codes = ["KOR"] * 4 + ["TUR"] * 3 + ["CIV"] * 2
    frame = workers(n=900)
    panel = wg.read_panel(frame.assign(where=np.resize(names, 900)), **ROLES)
    found = wg.fit_premiums(panel, FORMULA, premium="ai", cov="HC1")
    plain = wg.fit_premiums(frame.assign(where=np.resize(codes, 900)), FORMULA, premium="ai", by="where", cov="HC1")
    assert found.params.index.tolist() == ["CIV", "KOR", "TUR"]
    np.testing.assert_allclose(found.params, plain.params, rtol=1e-13)


def test_the_ledger_runs_from_the_door_to_the_result():
    rows = workers(w=np.r_[np.full(200, 1.0), np.full(200, 3.0)])
    rows.loc[[0, 1, 399], "pay"] = [0.0, -1.0, np.nan]
    rows.loc[[2, 3], "exper"] = np.nan
    rows.loc[[4, 398], "w"] = 0.0
    panel = wg.read_panel(rows, **ROLES, weight="w", invalid_wage="drop")
    panel = panel.filter("exper < 29 or exper.isna()", reason="old")
    old = int((workers()["exper"].drop([0, 1, 399, 2, 3]) == 29).sum())
    found = wg.fit_premiums(panel, FORMULA, premium="ai")
    lost = {loss.reason: (loss.rows, loss.weight) for loss in found.ledger.losses}
    assert found.ledger.rows_read == 400
    assert found.ledger.weight_read == 200 * 1 + 200 * 3 - 1 - 3
    assert lost["zero pay"] == lost["negative pay"] == (1, 1.0)
    assert lost["missing pay"] == (1, 3.0)
    assert lost["missing exper"] == (2, 2.0)
    assert lost["zero w"][1] == 0.0
    assert lost["old"][0] == old
    assert found.nobs == 400 - sum(rows for rows, _ in lost.values()) == found.cells["n"].sum()
    account = found.ledger.to_frame()
    assert account["rows"].iloc[:-1].sum() == account["rows"].iloc[-1] == found.nobs
    assert account["share_weight"].iloc[-1] == pytest.approx(found.ledger.weight_used / found.ledger.weight_read)
    assert "zero pay" in str(found.ledger)


def influence(frame, regressors, outcome):
    """Influence of each row on the second coefficient, by plain least squares."""
    x = np.column_stack([np.ones(len(frame)), *(frame[name] for name in regressors)])
    bread = np.linalg.inv(x.T @ x)
    y = outcome(frame).to_numpy()
    return (x @ bread[min(1, len(regressors))]) * (y - x @ bread @ x.T @ y)


@pytest.mark.parametrize("keyed", [True, False])
def test_filtered_panels_share_their_rows(keyed):
    roles = ROLES if keyed else {**ROLES, "worker": None}
    panel = wg.read_panel(workers(where="KOR"), **roles)
    low, high = panel.filter("exper < 20"), panel.filter("exper >= 10")
    first = wg.fit_premiums(low, FORMULA, premium="ai", cov="HC0").estimates
    second = wg.fit_premiums(high, FORMULA, premium="ai", cov="HC0").estimates
    labels = second.labels.assign(term="ai, older")
    joined = wg.join(first, second.map(np.eye(1), labels=labels))
    s = [
        pd.Series(influence(p.frame, ["ai", "exper"], lambda f: np.log(f["pay"])), index=p.frame["pid"])
        for p in (low, high)
    ]
    expected = (s[0] * s[1]).dropna().sum()
    assert abs(expected) > 1e-6
    assert joined.covariance[0, 1] == pytest.approx(expected, rel=1e-10)


def test_premiums_and_rates_of_one_panel_are_related_through_their_rows():
    panel = wg.read_panel(workers(where="KOR"), **ROLES)
    premiums = wg.fit_premiums(panel, FORMULA, premium="ai", cov="HC0").estimates
    rates = wg.fit_rates(panel, {"emigration": "leaves"}, among="ai", cov="HC0").estimates
    pay = pd.Series(influence(panel.frame, ["ai", "exper"], lambda f: np.log(f["pay"])), index=panel.frame["pid"])
    skilled = panel.frame[panel.frame["ai"] == 1].set_index("pid")["leaves"]
    leaving = (skilled - skilled.mean()) / len(skilled)
    assert wg.join(premiums, rates).covariance[0, 1] == pytest.approx((pay * leaving).dropna().sum(), rel=1e-10)


def test_different_sources_never_match():
    def premiums(name, seed, term):
        panel = wg.read_panel(workers(where="KOR", seed=seed), **{**ROLES, "source_name": name})
        estimates = wg.fit_premiums(panel, FORMULA, premium="ai", cov="HC1").estimates
        return estimates.map(np.eye(1), labels=estimates.labels.assign(term=term))

    here, there = premiums("survey", 0, "a"), premiums("another", 1, "b")
    with pytest.raises(JoinError, match=r"'another'.*'survey'.*independent=True"):
        wg.join(here, there)
    assert wg.join(here, there, independent=True).covariance[0, 1] == 0.0


@pytest.mark.parametrize("scope", ["country", "global"])
def test_the_scope_of_a_worker_decides_whether_countries_are_related(scope):
    frame = workers()
    same = frame.assign(pid=frame["pid"] // 2, year=2020 + np.arange(400) % 2)  # the same ids in both countries
    panel = wg.read_panel(same, **ROLES, worker_scope=scope)
    found = wg.fit_premiums(panel, FORMULA, premium="ai", cov="CR0:worker").estimates
    s = {}
    for where, rows in same.groupby("where"):
        s[where] = pd.Series(influence(rows, ["ai", "exper"], lambda f: np.log(f["pay"])), index=rows["pid"])
    expected = (s["Korea, Rep."] * s["USA"]).sum()
    assert abs(expected) > 1e-5
    assert found.covariance[0, 1] == pytest.approx(expected if scope == "global" else 0.0, rel=1e-9, abs=1e-15)


_SPELLS = pd.DataFrame(
    [
        (1, "KOR", 2020), (1, "USA", 2021), (1, "USA", 2022), (2, "KOR", 2020), (2, "KOR", 2021), (2, "USA", 2022),
        (3, "KOR", 2020), (3, "USA", 2022), (4, "KOR", 2020), (5, "KOR", 2020), (5, "KOR", 2021),
    ],
    columns=["pid", "where", "year"],
)  # fmt: skip
SPELLS = pd.concat([_SPELLS, _SPELLS.assign(pid=_SPELLS["pid"] + 10)])  # two workers of each kind


def moves(horizon):
    panel = wg.read_panel(SPELLS, worker="pid", country="where", period="year", worker_scope="global")
    return panel.transitions(horizon=horizon)


@pytest.mark.filterwarnings("ignore:.*everybody did the same:wagegap.errors.SmallCellWarning")
def test_movers_make_the_rate_and_who_is_not_observed_does_not():
    rates = wg.fit_rates(moves(1), {"emigration": "abroad_next"}, by=["where", "year"], min_rows=1, cov="HC0")
    counts = rates.cells.set_index(["where", "year"])[["n", "happened"]]
    assert counts.loc[("KOR", 2020)].tolist() == [6, 2]  # 1, 2 and 5 are seen in 2021; 3 and 4 are not
    assert counts.loc[("KOR", 2021)].tolist() == [2, 2]  # 5 is not seen in 2022
    assert counts.loc[("USA", 2021)].tolist() == [2, 0]
    assert len(counts) == 3
    assert rates.params.tolist() == pytest.approx([1 / 3, 1.0, 0.0])
    assert rates.ledger.losses[-1].reason == "unknown emigration"
    assert rates.ledger.losses[-1].rows == 22 - 10
    two = wg.fit_rates(moves(2), {"emigration": "abroad_next"}, by=["where", "year"], min_rows=1, cov="HC0")
    assert two.cells[["n", "happened"]].to_numpy().tolist() == [[6, 6]]  # 1, 2 and 3 from 2020 to 2022


def test_an_expression_of_the_next_country_does_not_count_who_is_missing():
    events = {"emigration": "abroad_next", "by hand": "next_country != where", "seen": "next_country.notna()"}
    rates = wg.fit_rates(moves(1), events, by=[], min_rows=1, cov="HC0")
    assert rates.params["emigration"] == rates.params["by hand"] == pytest.approx(2 / 5)
    assert rates.params["seen"] == pytest.approx(5 / 11)


DESIGNS = {"simple": "CR1:worker", "clustered": "CR1:psu", "stratified": "Survey(stratum/psu)"}
CONTROLS = "log(hourly_wage) ~ ai + exper + I(exper**2) + female | educ"


@pytest.mark.parametrize("design", DESIGNS)
def test_a_big_draw_gives_the_truth_back(design):
    made = wg.simulate_panel(countries=4, workers=8_000, design=design, error_correlation=0.6, rng=11)
    assert made.panel.roles.declared().get("strata") == ("stratum" if design == "stratified" else None)
    premiums = wg.fit_premiums(made.panel, CONTROLS, premium="ai")
    events = {"emigration": "abroad_next", "switching": "new_field_next"}
    rates = wg.fit_rates(made.panel, events, among="ai")
    for result in (premiums, rates):
        assert result.estimates.describe().startswith(DESIGNS[design])
    truth = made.truth.set_index("iso3")
    found = [(premiums.tidy(), "premium")] + [(rates.tidy().query("term == @e"), e) for e in events]
    for tidy, name in found:
        error = (tidy["estimate"] - tidy["iso3"].map(truth[name])) / tidy["std_error"]
        assert len(error) == 4
        assert error.abs().max() < 4
        assert tidy["std_error"].max() < 0.06


def test_a_seed_is_the_data():
    first, second, third = (wg.simulate_panel(countries=3, workers=50, rng=seed) for seed in (1, 1, 2))
    pd.testing.assert_frame_equal(first.panel.frame, second.panel.frame)
    pd.testing.assert_frame_equal(first.truth, second.truth)
    assert not first.panel.frame["hourly_wage"].equals(third.panel.frame["hourly_wage"])


@pytest.mark.parametrize("correlation", [0.9, 0.0, -0.9])
def test_correlated_errors_stand_in_the_cross_block(correlation):
    made = wg.simulate_panel(countries=3, workers=6_000, periods=1, error_correlation=correlation, worker_sd=0.0, rng=7)
    premiums = wg.fit_premiums(made.panel, CONTROLS, premium="ai", cov="HC1").estimates
    rates = wg.fit_rates(made.panel, {"emigration": "abroad_next"}, among="ai", cov="HC1").estimates
    joined = wg.join(premiums, rates)
    scale = joined.bse.to_numpy()
    block = (joined.covariance / np.outer(scale, scale))[:3, 3:]
    own, others = np.diag(block), block[~np.eye(3, dtype=bool)]
    np.testing.assert_allclose(others, 0.0, atol=1e-12)  # nobody is in two countries in one period
    assert np.all(np.abs(own) < 0.06) if correlation == 0.0 else np.all(np.sign(correlation) * own > 0.25)


def test_clusters_and_strata_change_the_errors_as_they_should():
    made = wg.simulate_panel(countries=3, workers=4_000, periods=1, design="stratified", rng=3)
    formula = "log(hourly_wage) ~ 1 + ai"
    declared, plain = (wg.fit_premiums(made.panel, formula, premium="ai", cov=cov) for cov in (None, "HC1"))
    np.testing.assert_allclose(declared.params, plain.params, rtol=1e-13)
    assert (declared.estimates.df == 40 - 4).all()
    means = [wg.fit_rates(made.panel, "female", cov=cov).bse for cov in (None, "HC1")]
    np.testing.assert_allclose(*means, rtol=0.5)
    wages = made.panel.assign(high=(made.panel.frame["hourly_wage"] > 20).astype(float))
    clustered, independent = (wg.fit_rates(wages, "high", cov=cov).bse for cov in (None, "HC1"))
    assert (clustered > 1.3 * independent).all()  # sampling units share a part of their pay
