"""Columns of every kind through every door that takes a frame.

A column that no call asks for changes nothing, whatever it holds. One that is asked for gives what the plain column
gives, or one typed error; nothing warns but the package.
"""

from __future__ import annotations

import functools
import warnings
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pandas as pd
import pytest

import wagegap as wg
from wagegap.regression.gravity.grogger_hanson import simulate_migrants


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
    return frame.assign(y=0.5 * frame["x"] + common + rng.normal(size=120))


@functools.cache
def spells():
    """Spells in the field, a row for each period until somebody leaves."""
    rng = np.random.default_rng(4)
    frame = pd.DataFrame({"who": np.repeat(np.arange(80), 4), "t": np.tile(np.arange(1, 5), 80), "x": rng.normal(size=320)})
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
    return frame.assign(rate=0.3 - frame["b"] + rng.normal(0, 0.05, 12), gdp=rng.normal(10, 1, 12), stock=range(20, 32))


def premiums(frame=None, **options):
    given = published() if frame is None else frame
    return wg.Estimates.from_table(
        given, by=["iso3"], estimate="b", std_error="se", term="premium", unit="log", **options
    )


def rates():
    return wg.Estimates.from_table(
        published(), by=["iso3"], estimate="rate", std_error="se", term="leaving", unit="share"
    )


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
    "transitions": (workers, ("pid", "year", "field"),
                    lambda d: wg.fit_rates(wg.read_panel(d.assign(pid=d["pid"] // 6), worker="pid", period="year",
                                                         field="field", country="iso3", duplicates="keep"), "leaves")),
    "exits": (spells, ("exit", "x", "t"), lambda d: wg.fit_exits(d, "exit ~ x", time="t")),
    "linear": (places, ("y", "x", "unit", "year"),
               lambda d: wg.fit_linear(d, "y ~ x | unit", unit="unit", period="year", cov=wg.cov.DriscollKraay("year"))),
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
               lambda d: wg.fit_link_system(["leaving ~ premium", "leaving ~ premium + gdp"], rates(), premiums(),
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
    "long double": numeric(np.longdouble), "big-endian": lambda column: swapped(column), "nullable": lambda c: c.convert_dtypes(),
    "Arrow": arrow, "objects": lambda c: c.astype(object),
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
    "no times": filled(lambda n: [pd.NaT] * n), "one missing": lambda c: c.astype(object).where(np.arange(len(c)) > 0, None),
    "text": lambda c: c.astype(str), "strings": lambda c: c.astype(str).astype("string"),
    "Arrow lists": lambda c: arrow_of([[1, 2]] * len(c), c),
    "Arrow structs": lambda c: arrow_of([{"a": 1}] * len(c), c),
    "Arrow dates": lambda c: arrow_of([pd.Timestamp("2020-01-01").date()] * len(c), c),
    "Arrow decimals": lambda c: arrow_of([Decimal("1.5")] * len(c), c),
    "Arrow bytes": lambda c: arrow_of([b"\xff"] * len(c), c),
    "huge": filled(lambda n: [1e308] * n), "tiny": filled(lambda n: [5e-324] * n), "minus zero": filled(lambda n: [-0.0] * n),
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
