"""Columns of every kind through every door that takes a frame.

A column that no call asks for changes nothing, whatever it holds. One that is asked for gives what the plain column
gives, or one typed error; nothing warns but the package.
"""

from __future__ import annotations

import functools
import os
import warnings
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pandas as pd
import pytest

import wagegap as wg
from wagegap.regression.gravity.grogger_hanson import simulate_migrants

IN_FULL = pytest.mark.skipif(not os.environ.get("WAGEGAP_FULL"), reason="many minutes: tools/full_gate runs it")


@functools.cache
def workers():
    """Three hundred workers of three countries, some of whom are paid, leave, and change field."""
    rng = np.random.default_rng(0)
    n = 300
    frame = pd.DataFrame(
        {
            "iso3": np.array(["FRA", "KOR", "USA"], dtype=object)[np.arange(n) % 3], "pid": np.arange(n),
            "year": np.array([2019, 2020])[np.arange(n) // 3 % 2], "ai": rng.integers(2, size=n),
            "exper": rng.integers(1, 30, size=n) * 1.0, "psu": rng.integers(30, size=n), "w": rng.random(n) + 0.5,
            "z": rng.normal(size=n), "leaves": rng.integers(2, size=n), "group": rng.choice(["a", "b"], n),
            "field": rng.choice(["cs", "law", "med"], n), "next_field": rng.choice(["cs", "law", "med"], n),
        }
    )  # fmt: skip
    error = rng.normal(size=n)
    frame["pay"] = np.exp(2 + 0.2 * frame["ai"] + 0.01 * frame["exper"] + 0.4 * error).round(2)
    frame["works"] = (frame["z"] + error + rng.normal(size=n) > -0.5).astype(int)
    return frame


@functools.cache
def sets():
    """A hundred choosers of three places."""
    rng = np.random.default_rng(3)
    frame = pd.MultiIndex.from_product([range(100), ["us", "kr", "de"]], names=["who", "place"]).to_frame(index=False)
    frame = frame.assign(pay=rng.normal(size=300), w=np.repeat(rng.random(100) + 0.5, 3))
    utility = frame["pay"] + rng.gumbel(size=300)
    return frame.assign(took=(utility == utility.groupby(frame["who"]).transform("max")).astype(int))


@functools.cache
def occupations():
    """Moves between eight occupations, stayers among them."""
    rng = np.random.default_rng(1)
    frame = pd.MultiIndex.from_product([range(8), range(8)], names=["left", "entered"]).to_frame(index=False)
    frame = frame.assign(dist=rng.random(64))
    moved = rng.poisson(30 * np.exp(-frame["dist"]))
    return frame.assign(moved=np.where(frame["left"] == frame["entered"], 5000, moved))


@functools.cache
def places():
    """Ten units over twelve years, with a common factor."""
    rng = np.random.default_rng(2)
    frame = pd.MultiIndex.from_product([range(10), range(12)], names=["unit", "year"]).to_frame(index=False)
    common = rng.normal(size=12).cumsum()[frame["year"]] * rng.normal(size=10)[frame["unit"]]
    frame = frame.assign(x=rng.normal(size=120) + common, w=rng.random(120) + 0.5)
    frame["field"] = rng.choice(["cs", "law", "med"], 120)
    return frame.assign(y=0.5 * frame["x"] + common + rng.normal(size=120))


@functools.cache
def spells():
    """Spells in the field, a row for each period until somebody leaves."""
    rng = np.random.default_rng(4)
    frame = pd.DataFrame(
        {"who": np.repeat(np.arange(80), 4), "t": np.tile(np.arange(1, 5), 80), "x": rng.normal(size=320)}
    )
    frame["exit"] = (rng.random(320) < 0.25).astype(int)
    return frame[frame.groupby("who")["exit"].cumsum().sub(frame["exit"]).eq(0)].reset_index(drop=True)


@functools.cache
def migrants():
    return simulate_migrants(origins=8, destinations=8, rng=1)


@functools.cache
def flows():
    rng = np.random.default_rng(6)
    frame = pd.MultiIndex.from_product([range(8), range(8)], names=["o", "d"]).to_frame(index=False)
    frame = frame[frame["o"] != frame["d"]].reset_index(drop=True).assign(dist=lambda d: rng.random(len(d)))
    return frame.assign(moves=rng.poisson(20 * np.exp(-frame["dist"])))


@functools.cache
def published():
    """Premiums and rates of twelve countries as published."""
    rng = np.random.default_rng(5)
    codes = ["AUS", "AUT", "BEL", "CAN", "CHE", "DEU", "ESP", "FRA", "GBR", "ITA", "JPN", "KOR"]
    frame = pd.DataFrame({"iso3": codes, "b": rng.normal(0.2, 0.1, 12), "se": rng.random(12) / 20 + 0.01})
    return frame.assign(rate=0.6 - frame["b"] + rng.normal(0, 0.05, 12), gdp=rng.normal(10, 1, 12), stock=range(20, 32))


def premiums(frame=None, **options):
    given = published() if frame is None else frame
    return wg.Estimates.from_table(
        given, by=["iso3"], estimate="b", std_error="se", term="premium", unit="log", **options
    )


def rates():
    return wg.Estimates.from_table(
        published(), by=["iso3"], estimate="rate", std_error="se", term="leaving", unit="share"
    )


def two_rates():
    table = published()
    return wg.Estimates.from_table(
        pd.concat([table.assign(term="leaving"), table.assign(term="staying", rate=0.9 - table["rate"])]),
        by=["iso3"], estimate="rate", std_error="se", term="term", unit="share",
    )  # fmt: skip


PAY = dict(origin_wages=["wo_skilled", "wo_primary"], destination_wages=["wd_skilled", "wd_primary"])
SKILLS = dict(movers=["skilled", "primary"], stayers=["stay_skilled", "stay_primary"])
ROLES = dict(worker="pid", country="iso3", period="year", weight="w", cluster="psu")
FORMULA = "log(pay) ~ ai + exper"
DOORS = {
    "premiums": (workers, ("pay", "ai", "exper", "iso3", "w"),
                 lambda d: wg.fit_premiums(d, FORMULA, premium="ai", by="iso3", weights="w")),
    "a panel": (workers, ("pay", "iso3", "pid", "year", "psu", "w"),
                lambda d: wg.fit_premiums(wg.read_panel(d, wage="pay", **ROLES), FORMULA, premium="ai")),
    "clusters": (workers, ("psu",), lambda d: wg.fit_premiums(d, FORMULA, premium="ai", by=(), cov="CR1:psu")),
    "effects absorbed": (workers, ("field", "ai"),
                         lambda d: wg.fit_premiums(d, "log(pay) ~ ai | field", premium="ai", by=())),
    "survey": (workers, ("psu", "field"),
               lambda d: wg.fit_premiums(d, FORMULA, premium="ai", by=(), cov=wg.cov.Survey("psu", strata="field"))),
    "rates": (workers, ("leaves", "iso3", "w"), lambda d: wg.fit_rates(d, "leaves", by="iso3", weights="w")),
    "among": (workers, ("exper",), lambda d: wg.fit_rates(d, "leaves", among="exper > 3", by="iso3")),
    "transitions": (places, ("unit", "year", "field"), lambda d: wg.fit_rates(
        wg.read_panel(d, worker="unit", period="year", field="field").transitions(), "new_field_next", by=())),
    "exits": (spells, ("exit", "x", "t"), lambda d: wg.fit_exits(d, "exit ~ x", time="t")),
    "linear": (places, ("y", "x", "unit", "year"),
               lambda d: wg.fit_linear(d, "y ~ x", model="differences", unit="unit", period="year")),
    "oaxaca": (workers, ("pay", "group", "exper", "w"),
               lambda d: wg.oaxaca(d, FORMULA, group="group", weights="w")),
    "rif": (workers, ("pay", "group"), lambda d: wg.rif_oaxaca(d, FORMULA, group="group", probs=[0.5])),
    "dfl": (workers, ("pay", "group", "ai"), lambda d: wg.dfl(d, FORMULA, group="group", probs=[0.5])),
    "fairlie": (workers, ("leaves", "group", "exper"), lambda d: wg.fairlie(d, "leaves ~ exper", group="group")),
    "yun": (workers, ("leaves", "group"), lambda d: wg.yun(d, "leaves ~ exper + ai", group="group")),
    "kitagawa": (workers, ("leaves", "field", "group"), lambda d: wg.kitagawa(d, "leaves", "field", group="group")),
    "roy": (workers, ("pay", "leaves"), lambda d: wg.fit_roy(d, "log(pay) ~ exper", leave="leaves", reps=9)),
    "two steps": (workers, ("works", "z"),
                  lambda d: wg.fit_selection(d, "log(pay) ~ ai", selection="works ~ ai + z")),
    "moves": (workers, ("field", "next_field", "iso3"),
              lambda d: wg.fit_transitions(d, "field", "next_field", by="iso3")),
    "wild": (workers, ("psu", "pay"), lambda d: wg.wild_bootstrap(d, FORMULA, "ai", cluster="psu", reps=99)),
    "choice": (sets, ("who", "place", "took", "pay"),
               lambda d: wg.fit_choice(d, "pay", chooser="who", alternative="place", chosen="took")),
    "flows": (flows, ("moves", "dist", "o", "d"), lambda d: wg.fit_flows(d, "moves ~ log(dist) | o + d")),
    "occupations": (occupations, ("left", "entered", "moved", "dist"),
                    lambda d: wg.occupation_gravity(d, "dist", origin="left", target="entered", flow="moved")),
    "common effects": (places, ("x", "unit", "year"),
                       lambda d: wg.common_correlated_effects(d, "y ~ x", unit="unit", period="year")),
    "migrants": (migrants, ("o", "d", "skilled", "wo_skilled", "dist"),
                 lambda d: wg.grogger_hanson(d, origin="o", destination="d", costs="dist", **SKILLS, **PAY)),
    "a table": (published, ("b", "se", "iso3"), lambda d: premiums(d)),
    "stocks": (published, ("stock", "iso3"), lambda d: wg.stock_rates(d, abroad="stock", domestic="gdp")),
    "link": (published, ("gdp", "iso3"), lambda d: wg.fit_link("leaving ~ premium + gdp", rates(), premiums(),
                                                               data=d[["iso3", "gdp", *spare(d)]])),
    "system": (published, ("gdp", "iso3"),
               lambda d: wg.fit_link_system(["leaving ~ premium + gdp", "staying ~ premium"], two_rates(), premiums(),
                                            data=d[["iso3", "gdp", *spare(d)]])),
    "curve": (published, ("gdp", "iso3"),
              lambda d: wg.specification_curve("leaving", rates(), {"premium": premiums()}, controls=["gdp"],
                                               data=d[["iso3", "gdp", *spare(d)]])),
    "pairs": (flows, ("moves", "o"),
              lambda d: wg.datasets.complete_pairs(d.rename(columns={"o": "origin", "d": "destination"}), value="moves",
                                                   by_year=False)),
}  # fmt: skip


def spare(frame):
    return [name for name in frame if name == "spare"]


def numbers_of(result):
    """Estimates and their errors."""
    tidy = result if isinstance(result, pd.DataFrame) else result.tidy()
    columns = [name for name in ("estimate", "std_error", "moves") if name in tidy]
    return tidy[columns].to_numpy(dtype=float)


def sparse(column):
    return pd.Series(pd.arrays.SparseArray(column), index=column.index)


def arrow(column):
    return column.convert_dtypes(dtype_backend="pyarrow")


def objects(make):
    return lambda column: pd.Series([make(value) for value in column], index=column.index, dtype=object)


def filled(values):
    return lambda column: pd.Series(values(len(column)), index=column.index)


def numeric(kind):
    return lambda column: column.astype(kind) if pd.api.types.is_numeric_dtype(column) else column


SAME = {
    "long double": numeric(np.longdouble), "big-endian": lambda column: swapped(column),
    "nullable": lambda c: c.convert_dtypes(), "Arrow": arrow, "objects": lambda c: c.astype(object),
    "decimals": objects(lambda value: value if isinstance(value, str) else Decimal(str(value))),
}  # fmt: skip
OTHERS = {
    "half": numeric("float16"), "single": numeric("float32"), "sparse": sparse,
    "complex": numeric("complex128"), "category": lambda c: c.astype("category"),
    "ordered": lambda c: c.astype("category").cat.as_ordered(),
    "fractions": objects(lambda value: value if isinstance(value, str) else Fraction(value)),
    "categories of intervals": lambda c: pd.cut(pd.Series(np.arange(len(c)), index=c.index), 3),
    "categories of lists": lambda c: pd.Series(pd.Categorical([(i % 2, "a") for i in range(len(c))]), index=c.index),
    "periods": filled(lambda n: pd.period_range("2000", periods=n, freq="M")),
    "intervals": filled(lambda n: pd.interval_range(0, n)),
    "days": filled(lambda n: pd.timedelta_range("1D", periods=n)),
    "dates": filled(lambda n: pd.date_range("2000", periods=n)),
    "a zone": filled(lambda n: pd.date_range("2000", periods=n, tz="Asia/Seoul")),
    "lists": objects(lambda value: [value]), "dicts": objects(lambda value: {"a": value}),
    "arrays": objects(lambda value: np.array([1, 2])), "sets": objects(lambda value: {value}),
    "bytes": objects(lambda value: b"\xff"), "classes": objects(lambda value: object()),
    "types": objects(lambda value: int), "mixed": lambda c: c.astype(object).where(np.arange(len(c)) % 2 == 0, "x"),
    "missing": filled(lambda n: [None] * n), "missing of pandas": filled(lambda n: [pd.NA] * n),
    "no times": filled(lambda n: [pd.NaT] * n),
    "one missing": lambda c: c.astype(object).where(np.arange(len(c)) > 0, None),
    "text": lambda c: c.astype(str), "strings": lambda c: c.astype(str).astype("string"),
    "Arrow lists": lambda c: arrow_of([[1, 2]] * len(c), c),
    "Arrow structs": lambda c: arrow_of([{"a": 1}] * len(c), c),
    "Arrow dates": lambda c: arrow_of([pd.Timestamp("2020-01-01").date()] * len(c), c),
    "Arrow decimals": lambda c: arrow_of([Decimal("1.5")] * len(c), c),
    "Arrow bytes": lambda c: arrow_of([b"\xff"] * len(c), c),
    "huge": filled(lambda n: [1e308] * n), "tiny": filled(lambda n: [5e-324] * n),
    "minus zero": filled(lambda n: [-0.0] * n),
    "infinite": filled(lambda n: [np.inf] + [1.0] * (n - 1)), "huge whole": filled(lambda n: [2**63 + 5] * n),
    "whole without bound": filled(lambda n: pd.Series([2**80] * n, dtype=object)),
}  # fmt: skip


def swapped(column):
    kind = column.dtype
    return column.astype(kind.newbyteorder(">")) if isinstance(kind, np.dtype) and kind.kind in "iuf" else column


def arrow_of(values, column):
    pa = pytest.importorskip("pyarrow")
    return pd.Series(pd.arrays.ArrowExtensionArray(pa.array(values)), index=column.index)


CARRIERS = SAME | OTHERS


def called(fit, frame):
    """What a door returns or raises; any warning that is not the package's is raised."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.simplefilter("ignore", wg.errors.WagegapWarning)
        try:
            return fit(frame)
        except wg.errors.WagegapError as error:
            return error


@functools.cache
def plain(door):
    make, _used, fit = DOORS[door]
    return numbers_of(called(fit, make()))


def cases(door, step):
    """Columns of a door that are changed, and how: every `step`-th of all."""
    _make, used, _fit = DOORS[door]
    every = [(column, carrier) for carrier in CARRIERS for column in ("spare", *used)]
    return every[sum(map(ord, door)) % step :: step]


def with_column(frame, column, carrier):
    return frame.assign(**{column: CARRIERS[carrier](frame[frame.columns[0] if column == "spare" else column])})


def check(door, column, carrier):
    """A column of some kind gives what the plain one gives, or one typed error."""
    make, _used, fit = DOORS[door]
    try:
        frame = with_column(make(), column, carrier)
    except (TypeError, ValueError):
        return  # pandas knows no such column
    result = called(fit, frame)
    if column == "spare" or carrier in SAME:
        assert not isinstance(result, wg.errors.WagegapError), (door, column, carrier, result)
        np.testing.assert_allclose(numbers_of(result), plain(door), rtol=1e-6, atol=1e-9, err_msg=f"{column} {carrier}")
    elif not isinstance(result, wg.errors.WagegapError) and door != "pairs":  # flows that are missing stay so
        assert np.isfinite(numbers_of(result)[:, 0]).all(), (door, column, carrier)


@pytest.mark.parametrize("door", DOORS)
def test_columns_of_some_kinds(door):
    for column, carrier in cases(door, 29):
        check(door, column, carrier)


@pytest.mark.slow
@IN_FULL
@pytest.mark.parametrize("door", DOORS)
def test_columns_of_every_kind(door):
    for column, carrier in cases(door, 1):
        check(door, column, carrier)


FRAMES = {
    "levels of columns": lambda f: f.set_axis(pd.MultiIndex.from_product([["a"], f.columns]), axis=1),
    "levels of rows": lambda f: f.set_index([f.columns[0], f.columns[1]]),
    "two of a name": lambda f: pd.concat([f, f[[f.columns[-1]]]], axis=1),
    "one label": lambda f: f.set_axis([0] * len(f)),
    "an index named like a column": lambda f: f.set_index(f.columns[0], drop=False),
    "polars": lambda f: pytest.importorskip("polars").from_pandas(f),
    "Arrow": lambda f: pytest.importorskip("pyarrow").Table.from_pandas(f, preserve_index=False),
    "a type": lambda _: pd.DataFrame, "numbers": lambda f: f.select_dtypes("number").to_numpy(),
    "records": lambda f: f.to_dict("records"), "nothing": lambda _: None, "a series": lambda f: f[f.columns[0]],
    "names that are numbers": lambda f: f.set_axis(range(f.shape[1]), axis=1),
}  # fmt: skip
EQUAL = ("levels of rows", "one label", "an index named like a column")


@pytest.mark.parametrize("frame", FRAMES)
def test_frames_of_every_kind(frame):
    whole = sorted(set(DOORS) - {"link", "system", "curve", "pairs"})  # these look at the columns themselves
    for door in whole[list(FRAMES).index(frame) % 4 :: 4]:
        make, _used, fit = DOORS[door]
        result = called(fit, FRAMES[frame](make()))
        if frame in EQUAL:
            np.testing.assert_allclose(numbers_of(result), plain(door), rtol=1e-6, atol=1e-9, err_msg=door)
        elif isinstance(result, wg.errors.WagegapError):
            assert frame not in ("polars", "Arrow"), (door, result)


# keys of covariates beside a link ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        (lambda d: d.assign(iso3=range(len(d))), wg.errors.EmptyDataError, "text in rates and numbers in data"),
        (lambda d: d.assign(iso3=pd.Timestamp("2020")).head(1), wg.errors.EmptyDataError, "text in rates and dates in"),
        (lambda d: d.assign(iso3=d["iso3"].str.lower()), wg.errors.DataError, r"key 'iso3': 12 of 12 values.*capitals"),
        (lambda d: d.assign(iso3=[["KOR"]] * len(d)), wg.errors.DataError, "'iso3' holds a list in 12 of 12 rows"),
        (lambda d: pd.concat([d, d["iso3"]], axis=1), wg.errors.ColumnError, "several columns share"),
        (lambda d: d.iloc[[0, *range(len(d))]], wg.errors.DuplicateKeyError, "one row per cell"),
        (lambda d: d.drop(columns="iso3"), wg.errors.ColumnError, "no column 'iso3'"),
    ],
)
def test_keys_that_do_not_meet(change, error, words):
    data = change(published()[["iso3", "gdp"]])
    both = ["leaving ~ premium + gdp", "staying ~ premium"]
    calls = (
        lambda: wg.fit_link("leaving ~ premium + gdp", rates(), premiums(), data=data),
        lambda: wg.fit_link_system(both, two_rates(), premiums(), data=data),
        lambda: wg.specification_curve("leaving", rates(), {"premium": premiums()}, controls=["gdp"], data=data),
    )
    for call in calls:
        with pytest.raises(error, match=words):
            call()


def test_a_key_that_is_also_the_index():
    data = published()[["iso3", "gdp"]]
    plainly = wg.fit_link("leaving ~ premium + gdp", rates(), premiums(), data=data, method="ols")
    for indexed in (data.set_index("iso3", drop=False), data.set_index("iso3")):
        found = wg.fit_link("leaving ~ premium + gdp", rates(), premiums(), data=indexed, method="ols")
        np.testing.assert_allclose(numbers_of(found), numbers_of(plainly), rtol=1e-12)


# numbers too large or small ------------------------------------------------------------------------------------------


def fit_pay(**options):
    changed = {name: options.pop(name) for name in ("w", "exper") if name in options}
    return wg.fit_premiums(workers().assign(**changed), FORMULA, premium="ai", **options)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: wg.fit_exits(spells().assign(w=1e308), "exit ~ x", time="t", weights="w"), "'w' are beyond 1e.50 in"),
        (lambda: fit_pay(w=5e-324, by=(), weights="w"), "weights 'w' are below 1e-100"),
        (lambda: fit_pay(exper=1e308, by=()), "'exper' is beyond 1e.100 in 300 of 300"),
        (lambda: premiums(published().assign(se=[1e308] + [0.1] * 11)), "'se' is beyond 1e.100 in 1 of 12"),
        (lambda: premiums(published().assign(b=[-1e200] + [0.1] * 11)), "in 1 of 12 rows, first -1e.200"),
        (lambda: wg.fit_linear(workers().assign(z=5e-324), "z ~ exper"), "'z' is below 1e-100 and not zero"),
        (lambda: wg.stock_rates(published().assign(stock=1e308), abroad="stock", domestic="gdp"), "'stock' is beyond"),
    ],
)
def test_numbers_without_squares(call, words):
    with pytest.raises(wg.errors.DataError, match=words):
        call()


def test_scales_that_have_squares_do_not_matter():
    scaled = fit_pay(w=workers()["w"] * 1e40, exper=workers()["exper"] * 1e-60, by="iso3", weights="w")
    np.testing.assert_allclose(numbers_of(scaled), plain("premiums"), rtol=1e-8)


# factors of hundreds of levels ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [str, "category", "string"])
def test_factors_of_hundreds_of_levels_are_asked_about(kind):
    frame = workers().assign(name=[f"worker {i % 150}" for i in range(300)]).astype({"name": kind})
    held = "a category" if kind == "category" else "text"
    words = rf"'name' is {held} of 150 levels in 300 rows.*write C\(name\).*pandas.to_numeric.*\| name"
    for call in (
        lambda: wg.fit_premiums(frame, "log(pay) ~ ai + name", premium="ai", by=()),
        lambda: wg.fit_exits(frame.assign(t=1), "leaves ~ name", time="t"),
        lambda: wg.fit_linear(frame, "pay ~ exper:name"),
        lambda: wg.oaxaca(frame, "pay ~ exper + name", group="group"),
    ):
        with pytest.raises(wg.errors.DataError, match=words):
            call()
    meant = wg.fit_linear(frame, "pay ~ exper + C(name)")
    assert len(meant.estimates.values) == 151


def test_factors_of_many_levels_with_many_rows_each_are_none_of_these():
    frame = pd.concat([workers()] * 5).assign(name=[f"worker {i % 140}" for i in range(1500)])
    assert len(wg.fit_linear(frame, "pay ~ exper + name").estimates.values) == 141
