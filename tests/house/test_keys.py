"""Keys of two sides meet, or it is said why not: types, capitals, spaces, and names that an index carries."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import wagegap as wg
from wagegap.errors import DataError, OptionError, check_keys_meet

UNLIKE = {
    "text": lambda v: v.astype(str),
    "padded": lambda v: v.astype(str).str.zfill(3),
    "decimals": lambda v: v.astype(float).astype(str),
    "spaces": lambda v: v.astype(str) + " ",
    "category": lambda v: v.astype(str).astype("category"),
}
ALIKE = {
    "floats": lambda v: v.astype(float),
    "nullable": lambda v: v.astype("Int64"),
    "objects": lambda v: v.astype(object),
    "small": lambda v: v.astype("int16"),
    "category": lambda v: v.astype("category"),
    "arrow": lambda v: v.astype("int64[pyarrow]"),
}


@pytest.fixture(scope="module")
def pairs():
    rng = np.random.default_rng(1)
    frame = pd.MultiIndex.from_product([range(1, 13), range(1, 13)], names=["o", "e"]).to_frame(index=False)
    frame = frame[frame.o != frame.e].reset_index(drop=True)
    u, v = rng.normal(size=(2, 13))
    frame["x"] = u[frame.o] + u[frame.e] + rng.normal(size=len(frame))
    return frame.assign(y=v[frame.o] + v[frame.e] + rng.normal(size=len(frame)), moved=rng.poisson(9, len(frame)) + 1.0)


def dyadic(frame):
    return wg.fit_linear(frame, "y ~ x", cov=wg.cov.Dyadic("o", "e", repair="none")).cov_params().to_numpy()


def linked(premiums, *, data=None, formula="leaving ~ premium"):
    rates = wg.Estimates.from_table(
        CELLS.assign(b=[0.1, 0.3, 0.2, 0.5, 0.4, 0.6]), by=["iso3", "year"], term="leaving", unit="share"
    )
    return wg.fit_link(formula, rates, premiums, data=data).params.to_numpy()


CELLS = pd.DataFrame({"iso3": list("ABCABC"), "year": [2019] * 3 + [2020] * 3, "se": 0.01})
PREMIUMS = CELLS.assign(b=[0.11, 0.19, 0.32, 0.38, 0.52, 0.61])
COVARIATES = CELLS[["iso3", "year"]].assign(gdp=[1.0, 4.0, 2.0, 7.0, 3.0, 9.0])


def premiums_of(table):
    return wg.Estimates.from_table(table, by=["iso3", "year"], unit="none")


@pytest.mark.parametrize("change", UNLIKE.values(), ids=UNLIKE.keys())
def test_members_of_pairs_that_would_meet_but_for_their_type_are_refused(pairs, change):
    with pytest.raises(DataError, match=r"would meet one of 'e' but for their type, capitals or spaces: 1 and '"):
        dyadic(pairs.assign(e=change(pairs.e)))


@pytest.mark.parametrize("change", ALIKE.values(), ids=ALIKE.keys())
def test_members_of_pairs_of_equal_value_meet(pairs, change):
    np.testing.assert_allclose(dyadic(pairs.assign(e=change(pairs.e))), dyadic(pairs), rtol=1e-12)


def test_members_in_small_letters_are_refused(pairs):
    named = pairs.assign(o="C" + pairs.o.astype(str), e="C" + pairs.e.astype(str))
    np.testing.assert_allclose(dyadic(named), dyadic(pairs), rtol=1e-12)
    with pytest.raises(DataError, match="'C1' and 'c1'"):
        dyadic(named.assign(e=named.e.str.lower()))


@pytest.mark.parametrize("change", ALIKE.values(), ids=ALIKE.keys())
def test_cells_of_a_link_meet_whatever_the_kind_of_whole_numbers(change):
    expected = linked(premiums_of(PREMIUMS), data=COVARIATES, formula="leaving ~ premium + gdp")
    found = linked(
        premiums_of(PREMIUMS.assign(year=change(PREMIUMS.year))),
        data=COVARIATES.assign(year=change(COVARIATES.year)), formula="leaving ~ premium + gdp",
    )  # fmt: skip
    np.testing.assert_allclose(found, expected, rtol=1e-12)


@pytest.mark.parametrize("change", [UNLIKE[name] for name in ("text", "decimals", "spaces", "category")])
def test_cells_of_a_link_that_would_meet_are_refused(change):
    message = r"key 'year': 2 of 2 values of rates would meet one of premium but for .* 2019 and '2019"
    with pytest.raises(DataError, match=message):
        linked(premiums_of(PREMIUMS.assign(year=change(PREMIUMS.year))))
    with pytest.raises(DataError, match="values of rates would meet one of data"):
        linked(
            premiums_of(PREMIUMS), data=COVARIATES.assign(year=change(COVARIATES.year)),
            formula="leaving ~ premium + gdp",
        )  # fmt: skip


def test_countries_of_a_link_in_small_letters_are_refused():
    with pytest.raises(DataError, match=r"1 of 3 values of rates .* 'B' and 'b'"):
        linked(premiums_of(PREMIUMS.assign(iso3=PREMIUMS.iso3.replace("B", "b"))))


def test_premiums_meet_the_workers_of_exits():
    rng = np.random.default_rng(1)
    rows = pd.DataFrame({"year": rng.integers(2019, 2021, 400), "iso3": rng.choice(list("ABC"), 400)})
    rows["out"] = (rng.random(400) < 0.3).astype(int)
    for year in ("int", "float"):
        changed = rows.assign(year=rows.year.astype(year))
        found = wg.fit_exits(changed, "out ~ premium", premiums=premiums_of(PREMIUMS), margins=False)
        assert found.nobs == 400
    with pytest.raises(DataError, match="the data would meet one of the premiums"):
        wg.fit_exits(rows.assign(year=rows.year.astype(str)), "out ~ premium", premiums=premiums_of(PREMIUMS))


def test_moves_are_counted_between_names_of_one_kind():
    rows = pd.DataFrame({"now": ["cs", "cs", "law", "law"] * 10, "then": ["cs", "law", "law", "law"] * 10})
    stays = np.diag(wg.fit_transitions(rows, "now", "then").matrix())
    codes = rows.apply(lambda column: column.map({"cs": 1, "law": 2}))
    np.testing.assert_allclose(np.diag(wg.fit_transitions(codes, "now", "then").matrix()), stays)
    as_text = codes.assign(then=codes.then.astype(float), now=codes.now.astype(str))
    np.testing.assert_allclose(np.diag(wg.fit_transitions(as_text, "now", "then").matrix()), stays)
    with pytest.raises(DataError, match="'law' and 'Law'"):
        wg.fit_transitions(rows.assign(then=rows.then.str.title()), "now", "then")


def test_flows_between_occupations_find_their_stayers(pairs):
    grid = pd.MultiIndex.from_product([range(12), range(12)], names=["o", "e"]).to_frame(index=False)
    rng = np.random.default_rng(0)
    grid = grid.assign(dist=np.abs(grid.o - grid.e) / 10 + rng.random(144), moved=rng.poisson(200, 144) + 1)
    call = dict(origin="o", target="e", flow="moved")
    expected = wg.occupation_gravity(grid, "dist", **call).params
    alike = wg.occupation_gravity(grid.assign(e=grid.e.astype(float)), "dist", **call).params
    pd.testing.assert_series_equal(alike, expected)
    with pytest.raises(DataError, match="1 and '1'"):
        wg.occupation_gravity(grid.assign(e=grid.e.astype(str)), "dist", **call)


def test_flows_are_drawn_between_places_of_one_kind(pairs):
    drawn = [
        wg.figures.plot_corridors(pairs.assign(e=change(pairs.e)), origin="o", destination="e", flow="moved")
        for change in (lambda v: v, ALIKE["floats"], UNLIKE["text"])
    ]
    assert len({tuple(tick.get_text() for tick in ax.get_yticklabels()) for ax in drawn}) == 1
    named = pairs.assign(o="C" + pairs.o.astype(str), e="c" + pairs.e.astype(str))
    with pytest.raises(DataError, match="'C1' and 'c1'"):
        wg.figures.plot_corridors(named, origin="o", destination="e", flow="moved")


def test_ids_of_files_in_two_types_are_refused(tmp_path):
    frame = pd.DataFrame({"pid": [1, 2, 3], "year": 2019, "pay": 10.0})
    frame.to_parquet(tmp_path / "one.parquet")
    frame.assign(year=2020, pid=frame.pid.astype(str)).to_parquet(tmp_path / "two.parquet")
    with pytest.raises(DataError, match="'pid' has 3 values in two types, such as 1 and '1', which would count as two"):
        wg.read_panel(str(tmp_path / "*.parquet"), worker="pid", period="year", wage="pay")
    for column in ("place", "group"):
        rows = pd.DataFrame({column: [1, "1", 2, "2"] * 10, "y": np.arange(40.0)})
        with pytest.raises(DataError, match=f"'{column}' has 2 values in two types"):
            wg.fit_linear(rows, f"y ~ 1 | {column}" if column == "place" else "y ~ 1", cov=f"CR1:{column}")


def test_labels_that_are_selected_in_other_capitals_are_refused():
    estimates = premiums_of(PREMIUMS)
    assert len(estimates.select(iso3=["A", "B"]).values) == 4
    assert len(estimates.select(year=2019.0).values) == 3
    for wanted in (["A", "b"], "a", ["A "]):
        with pytest.raises(DataError, match="select"):
            estimates.select(iso3=wanted)
    with pytest.raises(DataError, match="'2019' and 2019"):
        estimates.select(year="2019")


def test_codes_of_one_side_alone_are_none_that_failed_to_meet():
    check_keys_meet(["0110", "2512"], ["110", "2512"], "codes")  # two codes of one list
    check_keys_meet(["KOR"], ["USA"], "countries")
    check_keys_meet([1, 2, 3], [2.0, np.int8(3)], "numbers")
    with pytest.raises(DataError, match="'01' and 1"):
        check_keys_meet(["01"], [1], "codes")
    with pytest.raises(DataError, match="2020-01-01"):
        check_keys_meet([pd.Timestamp("2020-01-01")], ["2020-01-01"], "dates")


# an index with the names of keys ---------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def workers():
    made = wg.simulate_panel(countries=3, workers=300, rng=4).panel.frame
    return made.assign(iso3=made["iso3"].astype(str))


INDEXED = {
    "both": lambda frame: frame.set_index("iso3", drop=False),
    "index alone": lambda frame: frame.set_index("iso3"),
    "two levels": lambda frame: frame.set_index(["iso3", "year"]),
    "two levels, both": lambda frame: frame.set_index(["iso3", "year"], drop=False),
    "sorted": lambda frame: frame.set_index("year", drop=False).sort_index(kind="stable"),
}
ASKED = {
    "premiums": lambda data: wg.fit_premiums(data, "log(hourly_wage) ~ ai + exper", premium="ai", by="iso3"),
    "absorbed": lambda data: wg.fit_linear(data, "hourly_wage ~ ai | iso3"),
    "rates": lambda data: wg.fit_rates(data, {"left": "abroad_next"}, by=["iso3", "year"]),
    "oaxaca": lambda data: wg.oaxaca(data, "hourly_wage ~ exper", group="iso3", groups=("KOR", "USA")),
    "exits": lambda data: wg.fit_exits(data, "abroad_next ~ ai", by="iso3", margins=False),
}


@pytest.mark.parametrize("index", INDEXED.values(), ids=INDEXED.keys())
@pytest.mark.parametrize("ask", ASKED.values(), ids=ASKED.keys())
def test_an_index_may_carry_the_names_of_keys(workers, index, ask):
    if "KOR" not in set(workers["iso3"]):
        workers = workers.replace({"iso3": dict(zip(sorted(set(workers["iso3"])), ("KOR", "USA", "JPN"), strict=True))})
    before = index(workers)
    np.testing.assert_allclose(ask(before).estimates.values, ask(workers).estimates.values, rtol=1e-9)
    assert before.index.names == index(workers).index.names


def test_tables_and_covariates_may_carry_keys_in_their_index():
    indexed = [lambda f: f.set_index(["iso3", "year"]), lambda f: f.set_index(["iso3", "year"], drop=False)]
    expected = linked(premiums_of(PREMIUMS), data=COVARIATES, formula="leaving ~ premium + gdp")
    for change in indexed:
        found = linked(premiums_of(change(PREMIUMS)), data=change(COVARIATES), formula="leaving ~ premium + gdp")
        np.testing.assert_allclose(found, expected, rtol=1e-12)


def test_matrices_with_names_are_read_by_their_names():
    v = pd.DataFrame([[0.04, 0.01], [0.01, 0.09]], index=["KOR", "USA"], columns=["KOR", "USA"])
    table = pd.DataFrame({"iso3": ["USA", "KOR"], "b": [0.2, 0.1]})
    for matrix, rows in (
        (v, table),
        (v.iloc[::-1], table),
        (v, table.set_index("iso3")),
        (v.to_numpy()[::-1, ::-1], table),
    ):
        assert wg.Estimates.from_table(rows, vcov=matrix).bse.tolist() == pytest.approx([0.3, 0.2])
    with pytest.raises(OptionError, match=r"vcov is given by the names JPN, USA, which are not those .*\.to_numpy\(\)"):
        wg.Estimates.from_table(table, vcov=v.rename(index={"KOR": "JPN"}, columns={"KOR": "JPN"}))
    estimates = wg.Estimates.from_table(table, vcov=v)
    gap = pd.DataFrame({"KOR": [1.0], "USA": [-1.0]})
    labels = pd.DataFrame({"term": ["gap"]})
    assert estimates.map(gap, labels=labels).values == pytest.approx([-0.1])
    large = (estimates.params > 0.15).sort_index()
    assert estimates.select(large).names == ["USA"]
    rng = np.random.default_rng(0)
    rows = pd.DataFrame({"x": rng.normal(size=90), "z": rng.normal(size=90), "g": ["a", "b"] * 45})
    rows["y"] = rows.x + (rows.g == "a") * rows.z + rng.normal(size=90)
    weights = pd.Series({"x": 0.2, "z": 0.7, "Intercept": 0.5})
    in_order = wg.oaxaca(rows, "y ~ x + z", group="g", reference=weights[["Intercept", "x", "z"]].to_numpy())
    by_names = wg.oaxaca(rows, "y ~ x + z", group="g", reference=weights)
    np.testing.assert_allclose(by_names.params, in_order.params, rtol=1e-12)
