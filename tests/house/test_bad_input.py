"""Bad input: one typed error each, that says what is wrong, where, how many, and what to do.

Every case is a call, the error, and the pieces its message must have, in their order. Errors of numpy, pandas or the
formula engine must not reach the user; what a tired analyst tries besides stands below what must be refused.
"""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
import pytest

import wagegap as wg
from wagegap.__main__ import main
from wagegap.errors import (
    ArgumentError,
    ColumnError,
    CountryError,
    CovarianceError,
    DataError,
    DuplicateKeyError,
    EmptyDataError,
    FormulaError,
    IdentificationError,
    IdentificationWarning,
    MissingValueError,
    OptionError,
    OutputError,
    ReliabilityError,
    StudyError,
    UnitError,
    WageError,
    WagegapError,
)
from wagegap.estimation.estimates import Estimates
from wagegap.regression.gravity.grogger_hanson import simulate_migrants

N = 600
FORMULA = "log(pay) ~ ai + exper"
ROLES = dict(worker="pid", country="iso3", period="year", wage="pay")


def workers(**columns):
    """Three countries of 200 rows; `columns` replace some."""
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        {
            "pid": np.arange(N), "iso3": np.array(["FRA", "KOR", "USA"], dtype=object)[np.arange(N) % 3],
            "year": 2020 + np.arange(N) % 2, "ai": rng.integers(2, size=N), "exper": rng.integers(1, 30, size=N) * 1.0,
            "pay": np.exp(rng.normal(2, 0.4, N)), "psu": rng.integers(40, size=N), "w": rng.random(N) + 0.5,
            "leaves": rng.integers(2, size=N) * 1.0, "field": rng.choice(["cs", "law", "med"], N),
        }
    )  # fmt: skip
    return frame.assign(**columns)


def put(column, value, rows=(3,)):
    """Workers with one value in some rows of a column."""
    frame = workers()
    frame[column] = frame[column].astype(object)
    frame.loc[list(rows), column] = value
    return frame.infer_objects() if not isinstance(value, str) else frame


def read(frame=None, **options):
    return wg.read_panel(workers() if frame is None else frame, **{**ROLES, **options})


def premiums(frame=None, formula=FORMULA, **options):
    return wg.fit_premiums(workers() if frame is None else frame, formula, **{"premium": "ai", "by": "iso3", **options})


def rates(frame=None, events="leaves", **options):
    return wg.fit_rates(workers() if frame is None else frame, events, **{"by": "iso3", **options})


def table(**columns):
    return Estimates.from_table(pd.DataFrame({"iso3": ["KOR", "USA"], "b": [0.1, 0.2], "se": [0.1, 0.1], **columns}))


def link(formula="net_migration ~ premium", **options):
    net, shipped = wg.datasets.talent_migration("ai"), wg.datasets.country_premiums("stack_overflow")
    return wg.fit_link(formula, net, shipped, **options)


def study(**entries):
    return wg.study({"premiums": {"p": {"shipped": "published_premiums"}}, **entries})


def caution(**changes):
    entries = {"premiums": "p", "flows": "talent_migration_by_year:ai", "year": 2019, "without": "KOR", **changes}
    return study(caution={key: value for key, value in entries.items() if value is not None})


def covariates(**columns):
    """A covariate for each country of the shipped premiums."""
    keys = wg.datasets.country_premiums("stack_overflow").labels["iso3"].to_numpy()
    return pd.DataFrame({"iso3": keys, "gdp": np.random.default_rng(0).random(len(keys))}).assign(**columns)


def curve(**options):
    net, shipped = wg.datasets.talent_migration("ai"), wg.datasets.country_premiums("stack_overflow")
    return wg.specification_curve("net_migration", net, {"shipped": shipped}, **options)


def stocks(**columns):
    frame = pd.DataFrame({"iso3": ["KOR", "USA"], "abroad": [160.0, 10], "domestic": [840.0, 900], "se": [9.0, 1]})
    return wg.stock_rates(frame.assign(**columns), abroad_error="se")


def few(method, n=3):
    """A link of a few countries whose premiums and rates have small errors."""
    frame = pd.DataFrame({"iso3": ["KOR", "USA", "FRA", "JPN"], "b": [0.1, 0.2, 0.35, 0.4], "se": 0.01}).head(n)
    rates = Estimates.from_table(frame.assign(b=[0.3, 0.2, 0.15, 0.1][:n], term="leaving"), term="term")
    return wg.fit_link("leaving ~ premium", rates, Estimates.from_table(frame), method=method)


def moves(origin="field", destination="next", frame=None, **options):
    return wg.fit_transitions(workers(next=MOVED) if frame is None else frame, origin, destination, **options)


def migrants(**changes):
    """Scale, selection and sorting of simulated migrants; columns, or options, replaced."""
    frame = simulate_migrants(origins=12, destinations=8, rng=1)
    names = dict(movers=["skilled", "primary"], stayers=["stay_skilled", "stay_primary"], costs="log(dist)")
    pay = dict(origin_wages=["wo_skilled", "wo_primary"], destination_wages=["wd_skilled", "wd_primary"])
    columns = {key: value for key, value in changes.items() if key not in {**names, **pay, "cov": 0}}
    options = {**names, **pay, **{key: value for key, value in changes.items() if key not in columns}}
    return wg.grogger_hanson(frame.assign(**columns), origin="o", destination="d", **options)


def gravity(distance="dist", drop=(), **columns):
    """Moves between eight occupations, stayers on the diagonal."""
    pairs = pd.MultiIndex.from_product([range(8), range(8)], names=["left", "entered"]).to_frame(index=False)
    rng = np.random.default_rng(0)
    pairs = pairs.assign(dist=rng.random(64), moved=rng.poisson(20, 64) + 1.0).assign(**columns).drop(index=list(drop))
    return wg.occupation_gravity(pairs, distance, origin="left", target="entered", flow="moved")


def effects(formula="y ~ x", **columns):
    """Ten units over twelve periods, in common correlated effects."""
    rows = pd.MultiIndex.from_product([range(10), range(12)], names=["unit", "year"]).to_frame(index=False)
    rng = np.random.default_rng(0)
    rows = rows.assign(x=rng.normal(size=120), y=rng.normal(size=120)).assign(**columns)
    return wg.common_correlated_effects(rows, formula, unit="unit", period="year")


def selection(formula="log(pay) ~ ai", selected="leaves ~ ai + exper", frame=None, **options):
    return wg.fit_selection(workers() if frame is None else frame, formula, selection=selected, **options)


def wild(hypothesis="ai", cluster="psu", value=0.0, **columns):
    return wg.wild_bootstrap(workers(**columns), FORMULA, hypothesis, cluster=cluster, value=value, reps=9)


LISTS = [[1]] * N


def choice(**options):
    sets = pd.DataFrame({"who": [1, 1, 2, 2], "place": ["a", "b"] * 2, "pay": [1.0, 2, 3, 1], "took": [1, 0, 0, 1]})
    return wg.fit_choice(sets, "pay", chooser="who", alternative="place", chosen="took", **options)


GAPS = [wg.oaxaca, wg.rif_oaxaca, wg.dfl, wg.counterfactual, wg.yun]
WHOSE = workers()["iso3"]
MOVED = workers()["field"].iloc[::-1].to_numpy()
NO_LEAVERS = workers()[~((WHOSE == "KOR") & (workers()["leaves"] == 1))]
ASKED = [
    # no rows
    (lambda: read(workers().head(0)), EmptyDataError, "no rows", "look at"),
    (lambda: premiums(workers().head(0)), EmptyDataError, "no rows", "look at"),
    (lambda: premiums(workers(pay=None)), EmptyDataError, "no rows are left", "missing pay", "-600"),
    # wages
    (lambda: read(put("pay", 0.0)), WageError, "'pay'", "1 of 600", "1 zero", "row 3", "invalid_wage='missing'"),
    (lambda: read(put("pay", -2.0)), WageError, "'pay'", "1 of 600", "1 negative", "row 3", "'drop'"),
    (lambda: read(put("pay", np.nan, (3, 4))), WageError, "'pay'", "2 of 600", "2 missing", "row 3", "'drop'"),
    (lambda: read(put("pay", np.inf)), WageError, "'pay'", "1 of 600", "1 infinite", "row 3", "'drop'"),
    (lambda: read(put("pay", "12,5")), WageError, "'pay'", "1 of 600", "1 text", "'12,5'", "'drop'"),
    (lambda: read(put("pay", "")), WageError, "'pay'", "1 of 600", "1 text", "''", "'drop'"),
    (lambda: read(workers(pay=True)), WageError, "'pay' holds bool", "600 of 600", "declare"),
    (lambda: read(workers(pay=pd.Timestamp("2020"))), WageError, "'pay' holds datetime", "600 of 600", "declare"),
    (lambda: read(workers(pay=1 + 2j)), WageError, "'pay' holds complex", "600 of 600", "declare"),
    (lambda: premiums(put("pay", 0.0)), WageError, "'log(pay)'", "1 of 600", "pay zero in 1", "filter or mend"),
    (lambda: premiums(put("pay", -1.0)), WageError, "'log(pay)'", "1 of 600", "pay negative in 1", "filter or mend"),
    (lambda: premiums(put("pay", np.inf)), WageError, "'log(pay)'", "1 of 600", "pay infinite in 1", "filter or mend"),
    (lambda: premiums(put("pay", "n/a")), WageError, "'pay' is text", "1 of 600", "'n/a'", "pandas.to_numeric"),
    # countries
    (lambda: read(put("iso3", "Koera")), CountryError, "'iso3'", "1 of 600", "'Koera'", "Did you mean 'Korea'", "keep"),
    (lambda: read(put("iso3", "")), MissingValueError, "'iso3'", "1 of 600", "filter"),
    (lambda: read(put("iso3", None)), MissingValueError, "'iso3'", "1 of 600", "filter"),
    (lambda: read(workers(iso3=411)), CountryError, "'iso3'", "600 of 600", "411", "keep"),
    (lambda: premiums(workers(ai=workers()["ai"].where(WHOSE != "KOR", 0))), IdentificationError, "1 of 3",
     "KOR (no premium holder)", "empty_cells='exclude'"),
    (lambda: premiums(workers(ai=1)), IdentificationError, "3 of 3", "everybody holds", "empty_cells='exclude'"),
    (lambda: premiums(min_treated=10**6), EmptyDataError, "1000000 holders", "the largest has", "lower min_treated"),
    # collinear regressors
    (lambda: premiums(workers(no=1 - workers()["ai"]), FORMULA + " + no"), IdentificationError, "'ai'", "in FRA",
     "no = 1*Intercept - 1*ai", "Leave one of them out"),
    (lambda: premiums(None, FORMULA + " | ai"), IdentificationError, "'ai'", "absorbed effects (ai)", "Leave one"),
    # clusters
    (lambda: read(put("psu", None), cluster="psu"), MissingValueError, "'psu'", "1 of 600", "filter"),
    (lambda: premiums(put("psu", None), cov="CR1:psu"), MissingValueError, "'psu'", "1 of 600", "filter"),
    (lambda: premiums(workers(psu=1), cov="CR1:psu"), CovarianceError, "3 of 3", "'psu'", "finer column"),
    (lambda: premiums(cov="CR1:worker"), ColumnError, "'worker'", "declares none", "read_panel"),
    # shares
    (lambda: rates(put("leaves", 1.3)), UnitError, "'leaves'", "1 of 600", "1.3", "per cent"),
    (lambda: rates(put("leaves", -0.3)), UnitError, "'leaves'", "1 of 600", "-0.3"),
    (lambda: rates(put("leaves", "yes")), UnitError, "'leaves'", "text in 1 of 600", "0/1"),
    (lambda: rates(events="field"), UnitError, "'field'", "text in 600 of 600", "0/1"),
    (lambda: read(put("leaves", 1.3), units={"leaves": "share"}), UnitError, "leaves", "1 of 600", "1.3", "per cent"),
    (lambda: read(units={"leaves": "shares"}), UnitError, "'shares'", "Did you mean 'share'", "Known"),
    (lambda: read(units=["leaves"]), OptionError, "units=['leaves']", "such as"),
    # duplicate keys
    (lambda: read(workers(pid=7)), DuplicateKeyError, "of 600", "iso3", "pid 7", "duplicates='keep'"),
    (lambda: table(iso3=["KOR", "KOR"]), DuplicateKeyError, "1 parameters", "KOR"),
    # misspelt columns
    (lambda: read(wage="paye"), ColumnError, "no column 'paye'", "Did you mean 'pay'", "There are"),
    (lambda: read(country=["iso3"]), OptionError, "country=['iso3']", "one column"),
    (lambda: read(cluster=5), OptionError, "cluster=5", "name of a column"),
    (lambda: premiums(by="iso"), ColumnError, "'iso'", "for by", "Did you mean 'iso3'"),
    (lambda: premiums(by=["iso3", "yaer"]), ColumnError, "'yaer'", "for by", "Did you mean 'year'"),
    (lambda: premiums(by=""), ColumnError, "no column ''", "for by", "There are"),
    (lambda: premiums(by=3), OptionError, "by=3", "list of columns"),
    (lambda: premiums(workers(term=1), by="term"), OptionError, "by='term'", "rename"),
    (lambda: premiums(workers(iso3=[["KOR"]] * N)), DataError, "iso3", "cannot be keys", "numbers or text"),
    (lambda: premiums(premium="ia"), ColumnError, "'ia'", "Did you mean 'ai'"),
    (lambda: premiums(premium="psu"), ColumnError, "'psu'", "is not a regressor", "Regressors"),
    (lambda: premiums(premium=["ai", "ia"]), ColumnError, "'ia'", "Did you mean 'ai'"),
    (lambda: premiums(premium=[]), OptionError, "must name a regressor"),
    (lambda: premiums(premium=3), OptionError, "premium=3", "the name of a regressor"),
    (lambda: premiums(at="means"), OptionError, "at='means'", "Did you mean 'mean'"),
    (lambda: premiums(at={"femal": 1}), OptionError, "'femal'", "crossed with nothing"),
    (lambda: premiums(None, "log(pay) ~ ai * exper", at={"expr": 1}), OptionError, "Did you mean 'exper'"),
    (lambda: premiums(weights="ww"), ColumnError, "'ww'", "for weights", "Did you mean 'w'"),
    (lambda: premiums(cov="CR1:psuu"), ColumnError, "'psuu'", "Did you mean 'psu'"),
    (lambda: rates(events="leavs"), ColumnError, "'leavs'", "Did you mean 'leaves'"),
    (lambda: rates(events={"x": "leavs == 1"}), ColumnError, "'leavs'", "'x'", "Did you mean 'leaves'"),
    (lambda: rates(among="aii == 1"), ColumnError, "'aii'", "Did you mean 'ai'"),
    (lambda: rates(among="field"), DataError, "among='field'", "0/1", "expression"),
    (lambda: rates(among="ai == 7"), EmptyDataError, "ai == 7", "600"),
    (lambda: read().filter("payy > 3"), ColumnError, "'payy'", "Did you mean 'pay'"),
    (lambda: read().filter("pay >"), FormulaError, "'pay >'", "ends where a column or number is missing"),
    (lambda: read().filter(np.ones(3, dtype=bool)), DataError, "each of the 600 rows"),
    (lambda: read().assign(x=[1, 2]), DataError, "columns x", "600 rows", "one value"),
    (lambda: premiums(pd.concat([workers(), workers()[["ai"]]], axis=1)), ColumnError, "1 name that", "'ai'", "Rename"),
    # misspelt options
    (lambda: premiums(covv="HC1"), ArgumentError, "'covv'", "Did you mean 'cov'", "It takes"),
    (lambda: read(contry="iso3"), ArgumentError, "'contry'", "Did you mean 'country'"),
    (lambda: wg.simulate_panel(country=3), ArgumentError, "'country'", "Did you mean 'countries'"),
    (lambda: wg.datasets.facts(topics="x"), ArgumentError, "'topics'", "Did you mean 'topic'"),
    (lambda: premiums(cov="HC11"), OptionError, "'HC11'", "Did you mean 'HC1'", "Known"),
    (lambda: premiums(cov="CR1"), OptionError, "'CR1'", "names no cluster", "CR1:psu"),
    (lambda: premiums(cov=1), OptionError, "cov=1"),
    (lambda: premiums(method="seperate"), OptionError, "'seperate'", "Did you mean 'separate'"),
    (lambda: premiums(small_sample="stat"), OptionError, "'stat'", "Did you mean 'stata'"),
    (lambda: premiums(min_treated=2.5), OptionError, "min_treated=2.5", "whole number"),
    (lambda: premiums(None, "log(pay) ~ field", premium="field", base="laww"), OptionError, "'laww'",
     "Did you mean 'law'", "Levels"),
    (lambda: link(method="oelse"), OptionError, "'oelse'", "Did you mean 'ols'"),
    (lambda: link(tau2="remll"), OptionError, "'remll'", "Did you mean 'REML'"),
    (lambda: link(test="knah"), OptionError, "'knah'", "Did you mean 'knha'"),
    (lambda: premiums().tidy(95), OptionError, "alpha=95", "between 0 and 1"),
    (lambda: premiums().per_cent("kenedy"), OptionError, "'kenedy'", "Did you mean 'kennedy'"),
    (lambda: premiums().test("USA = KROE"), OptionError, "'KROE'", "KOR"),
    (lambda: rates().in_unit("percent"), UnitError, "'percent'", "Did you mean 'per cent'"),
    (lambda: rates().plot(event="leavs"), OptionError, "event='leavs'", "Did you mean 'leaves'"),
    (lambda: wg.simulate_panel(countries="3"), OptionError, "countries='3'", "whole number"),
    (lambda: wg.simulate_panel(premium_sd=np.nan), OptionError, "premium_sd=nan", "finite"),
    (lambda: wg.simulate_panel(rng="x"), OptionError, "rng='x'", "whole number"),
    (lambda: wg.datasets.country_premiums("kagle"), OptionError, "'kagle'", "Did you mean 'kaggle'"),
    (lambda: read().transitions(horizon=1.5), OptionError, "horizon=1.5", "whole number"),
    (lambda: wg.read_panel(workers()).transitions(), DataError, "role worker", "read_panel"),
    # options that cross-products, whose regression is made already, would have to ignore
    (lambda: wg.fit_premiums(wg.datasets.developer_pay(), FORMULA, premium="ai"), OptionError, "leave formula out"),
    (lambda: wg.fit_premiums(wg.datasets.developer_pay(), premium="ai", by="year", method="stacked"), OptionError,
     "leave out by, method", "fit the workers"),
    (lambda: wg.fit_premiums(wg.datasets.developer_pay(), premium="ai", cov="CR1:x"), OptionError, "'CR1:x'",
     "workers"),
    (lambda: wg.fit_premiums(wg.datasets.developer_pay(), premium="aii"), ColumnError, "'aii'", "Did you mean 'ai'"),
    # weights
    (lambda: premiums(put("w", np.nan), weights="w"), MissingValueError, "'w'", "1 of 600", "filter"),
    (lambda: premiums(put("w", np.inf), weights="w"), DataError, "'w'", "infinite in 1 of 600", "mend"),
    (lambda: premiums(put("w", -1.0), weights="w"), DataError, "'w'", "negative in 1", "of 600", "mend"),
    (lambda: premiums(workers(w=-1), weights="w", weight_kind="frequency"), DataError, "'w'", "negative in 600"),
    (lambda: premiums(weights="w", weight_kind="frequency"), DataError, "'w'", "whole numbers", "600 of 600"),
    (lambda: premiums(workers(w="a"), weights="w"), MissingValueError, "'w'", "600 of 600", "filter"),
    (lambda: premiums(workers(w="1.5"), weights="w"), MissingValueError, "'w'", "text in 600 of 600", "to_numeric"),
    (lambda: premiums(workers(exper="1.5")), DataError, "'exper' is text", "600 of 600", "to_numeric", "C(exper)"),
    (lambda: premiums(workers(w=0.0), weights="w"), DataError, "'w'", "zero in all 600"),
    (lambda: premiums(weights=workers()["w"].head(10)), DataError, "10 weights for 600 rows", "one number for each"),
    (lambda: premiums(weights=workers()["w"].set_axis(range(1, 601))), DataError, "index", "1 of", "to_numpy"),
    (lambda: premiums(weights=np.ones((N, 2))), DataError, "shape (600, 2)", "one number for each"),
    (lambda: premiums(weights=["a"] * N), DataError, "weights", "numbers"),
    (lambda: premiums(weights="w", weight_kind="pweight"), OptionError, "'pweight'", "sampling"),
    (lambda: premiums(weight_kind="sampling"), OptionError, "without weights"),
    (lambda: premiums(weights="w", cov="iid"), OptionError, "iid", "HC1"),
    # formulas
    (lambda: premiums(None, ""), FormulaError, "''", "outcome ~ regressors"),
    (lambda: premiums(None, None), OptionError, "needs a formula", "log(wage)"),
    (lambda: premiums(None, ["log(pay)", "ai"]), OptionError, "text such as", "not list"),
    (lambda: premiums(None, "log(pay) + ai"), FormulaError, "'log(pay) + ai'", "outcome ~ regressors"),
    (lambda: premiums(None, "pay ~ ai ~ exper"), FormulaError, "must read"),
    (lambda: premiums(None, "log(pay ~ ai + exper"), FormulaError, "must read"),
    (lambda: premiums(None, FORMULA + " +"), FormulaError, "'ai + exper +'"),
    (lambda: premiums(None, FORMULA + ")"), FormulaError, "'ai + exper)'"),
    (lambda: premiums(None, FORMULA + " |"), FormulaError, "nothing stands behind the bar"),
    (lambda: premiums(None, FORMULA + " | psu | field"), FormulaError, "2 bars", "one"),
    (lambda: premiums(None, FORMULA + " | feild"), ColumnError, "'feild'", "to absorb", "Did you mean 'field'"),
    (lambda: premiums(None, "log(pay) ~ ai + expr"), ColumnError, "'expr'", "Did you mean 'exper'", "There are"),
    (lambda: premiums(None, "log(pya) ~ ai"), ColumnError, "'pya'", "Did you mean 'pay'"),
    (lambda: premiums(None, "ln(pay) ~ ai"), FormulaError, "'ln'", "no function", "log"),
    (lambda: premiums(None, "log(pay) ~ ai + factor(field)"), FormulaError, "'factor'", "no function", "C"),
    (lambda: premiums(None, "log(pay) ~ ai + i.field"), ColumnError, "'i.field'", "Stata's i.field is C(field) here"),
    (lambda: premiums(None, "log(pay) ~ ai + ib2.field"), ColumnError, "C(field, Treatment(2))"),
    (lambda: premiums(None, "log(pay) ~ ai + L.exper"), ColumnError, "Stata's L.exper", "shift()"),
    (lambda: premiums(None, "log(pay) ~ ai + c.exper##c.exper"), FormulaError, "a * b for a##b", "C(x) for i.x"),
    (lambda: premiums(None, "log(pay) ~ ai + (field='law')"), FormulaError, "I(field == 'law')"),
    (lambda: wg.fit_rates(workers(), "abroad_next", by=()), ColumnError, "panel.transitions() makes it"),
    (lambda: premiums(None, "log(pay) ~ ai##exper"), FormulaError, "ai##exper'", "'#' is no part", "character 14"),
    (lambda: premiums(None, "log(pay) ~ ai + exper − psu"), FormulaError, "'−'"),
    (lambda: premiums(None, "pay + exper ~ ai"), FormulaError, "2 columns", "one column"),
    (lambda: premiums(None, "log(field) ~ ai"), WageError, "'field' is text", "600 of 600", "pandas.to_numeric"),
    (lambda: premiums(put("exper", 0.0), "log(pay) ~ ai + log(exper)"), DataError, "'log(exper)'", "1 of 600",
     "exper zero in 1", "filter or mend"),
    (lambda: premiums(put("exper", np.inf)), DataError, "'exper'", "1 of 600", "infinite in 1", "filter or mend"),
    (lambda: premiums(put("exper", "ten")), DataError, "'exper' is text", "1 of 600", "'ten'", "to_numeric"),
    (lambda: premiums(workers(exper=[[1]] * N)), DataError, "'exper' holds list in 600 of 600 rows", "not numbers"),
    # what is no data frame
    (lambda: premiums([1, 2, 3]), DataError, "list is not a data frame", "read_panel(path)"),
    (lambda: wg.fit_premiums(None, FORMULA, premium="ai"), DataError, "NoneType is not a data frame"),
    (lambda: wg.fit_premiums("w.csv", FORMULA, premium="ai"), DataError, "str is not a data frame", "read_panel(path)"),
    (lambda: premiums(workers().to_numpy()), DataError, "ndarray is not a data frame"),
    (lambda: premiums(workers()["pay"]), DataError, "Series is not a data frame"),
    (lambda: premiums({"ai": [1, 2], "pay": [1.0]}), DataError, "dict cannot be made a data frame", "same length"),
    (lambda: premiums(wg.simulate_panel(countries=2, workers=9, rng=1)), DataError, "Simulation", ".panel"),
    (lambda: wg.read_panel("none.csv"), DataError, "no file 'none.csv'"),
    (lambda: wg.datasets.read_piaac("none.parquet"), DataError, "no file 'none.parquet'", "piaac_c1.parquet"),
    (lambda: wg.datasets.download("stack_overflow_2091"), OptionError, "name='stack_overflow_2091'", "Did you mean"),
    (lambda: wg.datasets.download("stack_overflow_2019", folder="nowhere"), DataError, "no folder 'nowhere'"),
    (lambda: wg.datasets.download("stack_overflow_2019", folder=".", url="ftp://a/b"), OptionError, "ftp://a/b"),
    (lambda: wg.datasets.download("stack_overflow_2019", folder=".", timeout="soon"), OptionError, "timeout='soon'"),
    (lambda: wg.datasets.download("stack_overflow_2019", folder=7), OptionError, "folder=7", "path"),
    (lambda: wg.datasets.download(2019, folder="."), OptionError, "name=2019", "downloads()"),
    (lambda: wg.datasets.read_stack_overflow_year(2013), OptionError, "year=2013", "2015 to 2025"),
    (lambda: wg.datasets.read_stack_overflow_year("2019"), OptionError, "year='2019'"),
    (lambda: wg.datasets.read_stack_overflow_year(2019, "none.csv"), DataError, "no file 'none.csv'", "download("),
    (lambda: wg.datasets.read_stack_overflow([]), EmptyDataError, "no panel", "read_stack_overflow_year"),
    (lambda: wg.datasets.read_stack_overflow(2019), OptionError, "source=2019", "read_stack_overflow_year"),
    # tables of published figures
    (lambda: table(b=[np.nan, 0.1]), DataError, "1 of 2", "'b'"),
    (lambda: table(se=[-0.1, 0.1]), CovarianceError, "1 of 2", "'se'", "negative"),
    (lambda: Estimates.from_table(pd.DataFrame({"iso3": ["KOR"], "b": [1.3], "se": [0.1]}), unit="share"), UnitError,
     "'b'", "1 of 1", "1.3", "per cent"),
    # the link
    (lambda: wg.fit_link("net_migration ~ premium", wg.datasets.talent_migration(),
                         wg.datasets.country_premiums("kaggle")),
     ReliabilityError, "0.30, below 0.5", "naive slope", "49 cells", "force=True"),
    (lambda: link("net_migraton ~ premium"), ColumnError, "'net_migraton'", "Did you mean 'net_migration'"),
    (lambda: link("net_migration ~ premum"), ColumnError, "'premum'", "Did you mean 'premium'"),
    (lambda: link(on="iso"), ColumnError, "'iso'", "Did you mean 'iso3'"),
    (lambda: link("net_migration ~ premium + gdp"), ColumnError, "'gdp'"),
    (lambda: wg.fit_link("a ~ premium", None, None), DataError, "NoneType", "from_table"),
    (lambda: wg.fit_link("net_migration ~ premium", wg.datasets.talent_migration().select(iso3="KOR"),
                         wg.datasets.country_premiums("kaggle").select(iso3="KOR")), WagegapError, "premium"),
    (lambda: link("net_migration ~ premium + gdp", data=[1]), DataError, "list is not a data frame"),
    (lambda: link("net_migration ~ premium + gpd", data=covariates()), ColumnError, "'gpd'", "There are: iso3, gdp, p"),
    (lambda: link(method="iv", data=covariates(gdp="x"), instruments="gdp"), DataError, "'gdp'", "not numbers"),
    (lambda: wg.fit_link("net_migration ~ premium", wg.datasets.talent_migration("ai"),
                         Estimates.from_table(covariates(b=0.1, se=0.1))),
     IdentificationError, "'premium' is 0.1 in all", "premiums that differ"),
    (lambda: link(method="ols").moderate("gdp", data=covariates(gdp="x")), DataError, "'gdp'", "0 and 1"),
    (lambda: link(method="ols").moderate("gdp", data=[1]), DataError, "list is not a data frame"),
    (lambda: link(method="ols").predict(country="USA", premium=None), OptionError, "premium=None", "a number"),
    (lambda: link(method="ols").predict(country="USA", premium=[0.1]), OptionError, "premium=[0.1]", "a number"),
    (lambda: link(method="ols").predict(country="USA", premium=0.1, alpha=5), OptionError, "alpha=5", "0 and 1"),
    (lambda: link(method="ols").outlier("USA", alpha=95), OptionError, "alpha=95", "0 and 1"),
    (lambda: link(method="ols").few_countries(reps=-1), OptionError, "reps=-1", "whole number"),
    (lambda: link(method="ols").predict("KOR", 0.1), ArgumentError, "predict()", "positional", "country=, premium="),
    (lambda: link(method="ols").predict(country="KOR", premum=0.1), ArgumentError, "Did you mean 'premium'",
     "It takes: country, premium"),
    (lambda: link(method="ols").moderate([1], data=covariates()), OptionError, "trait=1", "name of a column"),
    (lambda: link(method="ols").swap(), ArgumentError, "'premiums'", "It takes: premiums, **options"),
    (lambda: link(method="ols").few_countries(9), ArgumentError, "positional", "It takes: **options"),
    (lambda: link(method="ols").few_countries(rep=9), ArgumentError, "'rep'", "Did you mean 'reps'"),
    (lambda: link(method="ols").one_step(), ArgumentError, "'workers'", "It takes: workers, **options"),
    (lambda: link(method="ols").moderate("log(gdp)", data=covariates()), ColumnError, "'log(gdp)'", "as it stands",
     "data.assign", "There are: iso3, gdp"),
    (lambda: link("net_migration ~ premium + gdp", data=covariates(gdp=None)), EmptyDataError, "'net_migration'",
     "missing gdp"),
    (lambda: few("eiv"), IdentificationError, "without each cell", "3 cells for 2", "where 4 are needed", "'ols'"),
    (lambda: few("bootstrap"), IdentificationError, "3 cells for 2", "where 4 are needed"),
    (lambda: few("eiv", 2), DataError, "2 cells", "at least 3"),
    (lambda: wg.join(), ArgumentError, "'first'", "It takes: first, *others, independent="),
    (lambda: wg.join(premiums(), indep=True), ArgumentError, "'indep'", "Did you mean 'independent'"),
    (lambda: wg.join(premiums(), 1), DataError, "not int"),
    (lambda: curve(samples={"few": ["CHN", "KRO"]}), OptionError, "samples['few']", "'KRO'", "There are"),
    (lambda: curve(samples={"few": ["USB"]}), OptionError, "'USB'", "Did you mean 'USA'"),
    (lambda: curve(data=covariates(gdp=2.0), controls="gdp", reps=9), DataError, "gdp is 2 in all", "controls="),
    (lambda: curve(data=covariates().assign(a=lambda d: 2 * d["gdp"]), controls=["gdp", "a"], reps=9), DataError,
     "premium, gdp, a", "collinear", "leave one"),
    (lambda: gravity(dist=pd.Categorical(np.random.default_rng(0).random(64))), IdentificationError, "are collinear",
     "columns more"),
    (lambda: curve(samples={"few": 3}), OptionError, "samples['few']=3", "a list of text"),
    (lambda: wg.specification_curve("net_migration ~ premium", wg.datasets.talent_migration("ai"), {"a": table()}),
     FormulaError, "name of a rate (net_migration)", "not a formula"),
    (lambda: wg.specification_curve("net_migraton", wg.datasets.talent_migration("ai"), {"a": table()}),
     ColumnError, "'net_migraton'", "Did you mean 'net_migration'"),
    (lambda: curve(reps=-1), OptionError, "reps=-1", "whole number"),
    (lambda: curve(samples=[["KOR"]]), OptionError, "samples", "dict"),
    (lambda: curve(controls="gdp"), ColumnError, "'gdp'"),
    (lambda: curve(methods="olss"), OptionError, "'olss'", "Did you mean 'ols'"),
    # gaps, moves and tables
    *[(lambda gap=gap: gap(workers(), FORMULA, group=["field"]), OptionError, "group=['field']", "one column")
      for gap in GAPS],
    (lambda: wg.fit_exits(workers(), "~ ai", exit=["leaves"]), OptionError, "exit=['leaves']", "name -> column"),
    (lambda: wg.fit_exits(workers(), "leaves ~ ai", base="leave"), OptionError, "base='leave'", "'leaves' is an exit"),
    (lambda: wg.fit_exits(workers(), "~ ai", exit={"abroad": "leaves", "law": "field == 'law'"}, base="abrod"),
     OptionError, "base='abrod'", "'abroad' is an exit", "compared with staying", "multinomial"),
    (lambda: wg.fit_exits(workers(), "field ~ ai", model="multinomial", base="laww"), OptionError, "'laww'",
     "Did you mean 'law'"),
    (lambda: wg.fit_exits(workers(), "leaves ~ ai", base=3), OptionError, "base=3", "must be text"),
    (lambda: wg.fit_exits(workers(), "leaves ~ aii"), ColumnError, "'aii'", "Did you mean 'ai'", "field."),
    (lambda: wg.fit_selection(workers(), "log(pay) ~ ai", selection="~"), FormulaError, "selection='~'",
     "names no regressors"),
    (lambda: wg.fit_selection(workers(gone=None), "log(pay) ~ ai", selection="leaves ~ gone"), EmptyDataError,
     "'leaves'", "missing gone"),
    (lambda: wg.fit_selection(workers(), "log(pay) ~ ai", selection="leaves ~ aii"), ColumnError, "'aii'", "field."),
    (lambda: choice(base="c"), OptionError, "'c'", "There are: a, b"),
    (lambda: wg.oaxaca(NO_LEAVERS, FORMULA, group="leaves", by="iso3"), EmptyDataError, "1 comparison lacks",
     "leaves 1.0 in iso3 KOR", "filter these cells out"),
    (lambda: wg.fit_roy(workers(), None, leave="leaves"), OptionError, "formula=None", "'log(wage) ~"),
    (lambda: wg.fit_roy(workers(), "log(pay) ~ ai | psu", leave="leaves"), FormulaError, "psu", "C(...)"),
    # selection, choice, moves and gravity under attack
    (lambda: migrants(skilled="many"), DataError, "'skilled' is text", "96 of 96", "'many'", "to_numeric"),
    (lambda: migrants(skilled=-1.0), DataError, "'skilled'", "negative or infinite", "96 of 96"),
    (lambda: migrants(wd_primary=np.inf), DataError, "'wd_primary'", "zero, negative or infinite", "96 of 96"),
    (lambda: migrants(stay_primary=pd.Timestamp("2020")), DataError, "'stay_primary' holds dates", "not numbers"),
    (lambda: migrants(o=[[1]] * 96), DataError, "'o' holds a list", "96 of 96", "numbers or text"),
    (lambda: migrants(costs="log(dit)"), ColumnError, "'dit'", "Did you mean 'dist'"),
    (lambda: migrants(costs="wage_gap", wage_gap=1.0), OptionError, "'wage_gap' of their own", "rename"),
    (lambda: migrants(costs="log(dist) | o"), FormulaError, "costs='log(dist) | o'", "no bar"),
    (lambda: migrants(costs=["dist"]), OptionError, "costs=['dist']", "text"),
    (lambda: migrants(o=1), DuplicateKeyError, "88 of 96 rows", "'o' and 'd' of another", "one period"),
    (lambda: migrants(d=0, o=range(96)), IdentificationError, "one 'd'", "several"),
    (lambda: migrants(movers=["skilled"]), OptionError, "movers=['skilled']", "two columns"),
    (lambda: gravity(moved="ten"), DataError, "'moved' is text", "64 of 64"),
    (lambda: gravity(moved=-1.0), DataError, "'moved' is negative", "64 of 64"),
    (lambda: gravity(moved=1.0), DataError, "'per_stayer' is 1 in all 56 rows", "nothing to explain"),
    (lambda: gravity(left=[[1]] * 64), DataError, "'left' holds a list"),
    (lambda: gravity(drop=[0]), DataError, "1 occupation has no stayers: 0", "Leave out"),
    (lambda: gravity("per_stayer", per_stayer=1.0), OptionError, "'per_stayer'", "rename"),
    (lambda: gravity(entered=np.arange(64) // 8, left=np.repeat([*range(8)], 8)), DuplicateKeyError, "several rows"),
    (lambda: gravity(entered=np.where(np.arange(64) == 2, 1, np.tile(range(8), 8))), DuplicateKeyError, "1 rows have",
     "'left' and 'entered' of another"),
    (lambda: gravity("dits"), ColumnError, "'dits'", "Did you mean 'dist'"),
    (lambda: wg.fit_flows({"y": [2.0] * 9, "x": range(9)}, "y ~ x"), DataError, "'y' is 2 in all 9 rows"),
    (lambda: effects(year=np.repeat(np.arange(12), 10) // 2), DuplicateKeyError, "of 120 rows", "'unit' and 'year'"),
    (lambda: effects(unit=[[1]] * 120), DataError, "'unit' holds a list", "120 of 120"),
    (lambda: effects(x=pd.Timestamp("2020")), DataError, "'x' holds dates", "datetime64", "not numbers", "dt.year"),
    *[(lambda how=how: selection(selected="leaves ~ ai + w", frame=workers(w=1.0), method=how), IdentificationError,
       "collinear", "w") for how in ("two-step", "ml")],
    (lambda: selection(frame=workers(pay=3.0)), IdentificationError, "one number", "no error"),
    (lambda: selection(frame=workers(pay=3.0), method="ml"), IdentificationError, "one number"),
    (lambda: selection(selected="field ~ exper", frame=workers(field=None), method="lee"), IdentificationError,
     "'field' has no place"),
    (lambda: selection(selected="field ~ exper", frame=workers(field=LISTS), method="lee"), DataError, "holds a list"),
    (lambda: selection(frame=workers(leaves=1 + 2j)), DataError, "'leaves' holds complex"),
    (lambda: wg.fit_roy(workers(leaves=1 + 2j), "pay", leave="leaves"), DataError, "'leaves' holds complex"),
    (lambda: moves(frame=workers(next=LISTS)), DataError, "'next' holds a list", "600 of 600"),
    (lambda: wg.wild_bootstrap(workers(psu=LISTS), FORMULA, "ai", cluster="psu"), DataError, "'psu' holds a list"),
    (lambda: premiums(workers(field=LISTS), FORMULA + " | field"), DataError, "'field' holds a list"),
    (lambda: wg.stock_rates({"abroad": [1.0], "domestic": [9.0]}, by=None), OptionError, "by=None", "list of columns"),
    (lambda: wg.stock_rates({"term": ["a"], "abroad": [1], "domestic": [9]}, by="term"), OptionError, "by='term'"),
    (lambda: choice(base="a", weights=[1.0] * 3), DataError, "3 weights for 4 rows"),
    (lambda: wg.fit_choice(workers(), "exper | psu", chooser="pid", alternative="field", chosen="leaves"), FormulaError,
     "'exper | psu' has a bar", "C(...)"),
    (lambda: wg.fit_choice(workers(), "exper", chooser=["pid"], alternative="field", chosen="leaves"), OptionError,
     "chooser=['pid']", "one column"),
    (lambda: wg.common_correlated_effects(workers(), "pay ~ ai", unit=["pid"], period="year"), OptionError,
     "unit=['pid']", "one column"),
    (lambda: wg.common_correlated_effects(workers(), "pay ~ ai", unit="pid", period="pid"), OptionError, "both 'pid'"),
    (lambda: effects(y=1.0), DataError, "nothing of 'y' is left", "each unit"),
    (lambda: wild(pay=2.0), DataError, "'log(pay)' is 0.693147 in all 600 rows"),
    (lambda: wild(value="a"), OptionError, "value='a'", "a finite number"),
    (lambda: wild(cluster=["psu"]), OptionError, "cluster=['psu']", "one column"),
    (lambda: wild(cluster="psuu"), ColumnError, "'psuu'", "Did you mean 'psu'"),
    (lambda: wild(hypothesis="aii"), OptionError, "'aii'", "Did you mean 'ai'"),
    (lambda: wild(hypothesis=np.array([0, np.nan, 1])), OptionError, "coefficients of a hypothesis", "missing"),
    (lambda: wg.fit_roy(workers(), "log(pay)", leave="leaves", orders=3), OptionError, "orders=3", "1, 2"),
    (lambda: wg.fit_roy(workers(), "log(pay)", leave="leaves", orders=()), OptionError, "orders=[]"),
    (lambda: wg.fit_roy(workers(), "log(pay)", leave=None), OptionError, "leave=None", "one column"),
    (lambda: wg.fit_roy(workers(pay=2.0), "log(pay)", leave="leaves", parts=2), DataError, "in all 600 rows"),
    (lambda: wg.fit_roy(workers(), "pay", leave="leaves", reps=9).verdict(5), OptionError, "alpha=5"),
    (lambda: stocks(iso3="KOR"), DuplicateKeyError, "1 of 2 rows", "iso3 of another", "KOR", "add them up"),
    (lambda: stocks(iso3=[[1], [2]]), DataError, "'iso3' holds a list"),
    (lambda: moves("field", "field"), OptionError, "'field' is origin and destination", "'next_field'"),
    (lambda: moves(by="field"), OptionError, "by='field' is the origin"),
    (lambda: moves(by=["iso3", "next"]), OptionError, "by='next' is the destination"),
    (lambda: moves(min_rows=500), EmptyDataError, "'next cs'", "min_rows"),
    (lambda: wg.fit_transitions(workers(), "field", "w"), DataError, "'w' has 600 values", "a code"),
    (lambda: wg.fit_transitions(workers(), ["field"], "leaves"), OptionError, "origin=['field']", "one column"),
    (lambda: stocks(abroad="1,000"), DataError, "'abroad' is text", "2 of 2", "'1,000'", "to_numeric"),
    (lambda: stocks(abroad=-1.0), UnitError, "2 of 2", "first KOR, -1.0, 840.0"),
    (lambda: stocks(iso3=[None, "USA"]), MissingValueError, "iso3", "1 of 2"),
    (lambda: stocks(se=[-1.0, 1]), CovarianceError, "1 standard errors", "negative"),
    (lambda: stocks(se="a"), DataError, "'se' is text", "2 of 2"),
    (lambda: wg.stock_rates([1]), DataError, "list is not a data frame"),
    (lambda: wg.stock_rates({"iso3": [], "abroad": [], "domestic": []}), EmptyDataError, "no rows"),
    (lambda: link(method="ols").one_step(workers(), event="leaves", skill="ai", reps=-1), OptionError, "reps=-1"),
    (lambda: choice(nests=["a"]), OptionError, "nests=['a']", "nest -> alternatives"),
    (lambda: wg.table("a"), DataError, "(1) is a str", "tidy()"),
    (lambda: wg.table(premiums(), labels=["x"]), OptionError, "labels=['x']", "name -> label"),
    # studies
    (lambda: wg.study("none.toml"), StudyError, "none.toml", "No such file"),
    (lambda: wg.study(3), OptionError, "the path of a TOML file", "int"),
    (lambda: wg.study({}), StudyError, "[premiums.NAME]", "nothing to do"),
    (lambda: study(premum=1), StudyError, "'premum'", "Did you mean 'premiums'"),
    (lambda: study(seed="a"), StudyError, "seed = 'a'", "whole number"),
    (lambda: study(watch=["Koera"]), CountryError, "'watch'", "'Koera'", "Did you mean"),
    (lambda: study(watch=3), StudyError, "watch = 3", "list of countries"),
    (lambda: study(links={"name": "a"}), StudyError, "[[links]]"),
    (lambda: study(links=[{"nane": "a"}]), StudyError, "'nane'", "Did you mean 'name'"),
    (lambda: study(panels={"w": {"path": "none.csv"}}), StudyError, "[panels.w]", "no file 'none.csv'"),
    (lambda: study(panels={"w": {"worker": "pid"}}), StudyError, "[panels.w]", "path ="),
    (lambda: study(panels={"w": {"path": "none.csv", "wrker": "pid"}}), StudyError, "[panels.w]", "'wrker'",
     "Did you mean 'worker'"),
    (lambda: study(rates={"r": {"panel": "w", "events": "moved"}}), StudyError, "'w'", "not defined"),
    (lambda: study(rates={"r": {"shipped": "income"}}), StudyError, "[rates.r]", "covariates"),
    (lambda: study(covariates={"c": {"shipped": "published_premiums"}}), StudyError, "[covariates.c]", "'income'"),
    (lambda: study(premiums={"p": {"shipped": "publshed_premiums"}}), StudyError, "Did you mean 'published_premiums'"),
    (lambda: study(premiums={"p": {"shipped": "country_premiums"}}), StudyError, "country_premiums:NAME"),
    (lambda: study(premiums={"p": {"shipped": "published_premiums:a"}}), StudyError, "says too much"),
    (lambda: study(premiums={"p": {"shipped": "published_premiums", "by": "x"}}), StudyError, "[premiums.p]", "by"),
    (lambda: study(premiums={"p": {"shipped": "developer_pay"}}), StudyError, "[premiums.p] lacks 'premium'"),
    (lambda: caution(flow="x"), StudyError, "'flow'", "Did you mean 'flows'"),
    (lambda: caution(year=None), StudyError, "[caution] lacks 'year'"),
    (lambda: caution(year=1999), DataError, "[caution]", "1999"),
    (lambda: caution(flows="income"), StudyError, "[caution]", "yearly"),
    # options of a kind that is not theirs
    (lambda: curve(controls=5), OptionError, "controls=5", "a list of text"),
    (lambda: curve(controls="premium"), OptionError, "'premium'", "every specification"),
    (lambda: curve(methods=[]), OptionError, "methods=[]", "'ols'"),
    (lambda: link(on=5), OptionError, "on=5", "a list of columns"),
    (lambda: rates(by=["iso3", ["year"]]), OptionError, "by[1]=['year']", "one column"),
    (lambda: rates(events={"x": ["leaves"]}), OptionError, "events['x']=['leaves']", "not list"),
    (lambda: wg.fit_roy(workers(), "log(pay) ~ leaves", leave="leaves"), OptionError, "'leaves' says who leaves"),
    (lambda: wg.fit_roy(workers(), "pay", leave="leaves", small_sample="stat"), OptionError, "Did you mean 'stata'"),
    (lambda: wg.wild_bootstrap(workers(), FORMULA, "ai", cluster="psu", restricted="no"), OptionError,
     "restricted='no'"),
    (lambda: wg.stock_rates(pd.DataFrame({"iso3": ["KOR"], "abroad": [1.0]}), domestic="abroad"), OptionError,
     "both 'abroad'"),
    (lambda: wg.stock_rates(pd.DataFrame({"iso3": ["KOR"], "abroad": [1.0], "domestic": [2.0], "se": [np.inf]}),
                            abroad_error="se"), CovarianceError, "1 standard errors of stocks are infinite"),
    (lambda: wg.fit_rates(workers(), "leaves", by="iso3").net(), ArgumentError, "net()", "inward"),
    (lambda: wg.fit_rates(workers(), "leaves", by="iso3").with_cov(), ArgumentError, "with_cov()", "cov"),
    (lambda: read().filter(), ArgumentError, "filter()", "condition"),
]  # fmt: skip


@pytest.mark.parametrize(("call", "kind", "pieces"), [pytest.param(c, k, p, id=" ".join(p)[:60]) for c, k, *p in ASKED])
def test_what_is_wrong_is_said(call, kind, pieces):
    with pytest.raises(kind) as caught:
        call()
    message = str(caught.value)
    assert type(caught.value) is kind or kind is WagegapError
    assert re.search(".*".join(re.escape(piece) for piece in pieces), message, re.DOTALL), message
    assert len(message) < 700


@pytest.mark.parametrize("spelling", ["kor", "kOR", "south korea", "Korea, Rep.", " KOR "])
def test_spellings_of_a_country_are_accepted(spelling):
    panel = read(put("iso3", spelling, range(1, N, 3)))
    assert set(panel.frame["iso3"]) == {"FRA", "KOR", "USA"}


def test_a_missing_key_is_in_the_ledger():
    found = premiums(put("iso3", None, range(7)))
    assert [(loss.reason, loss.rows) for loss in found.ledger.losses] == [("missing iso3", 7)]


def test_what_is_missing_is_named_in_the_words_of_the_call():
    holes = workers(next=pd.Series(MOVED).where(np.arange(N) > 6))
    assert [loss.reason for loss in moves(frame=holes).ledger.losses] == ["unknown next"]
    keyless = rates(put("iso3", None, range(7)))
    assert [loss.reason for loss in keyless.ledger.losses] == ["missing iso3"]


@pytest.mark.filterwarnings("ignore:rho, a correlation:wagegap.errors.IdentificationWarning")
def test_columns_named_as_ours_are_the_users():
    frame = workers(selected=workers()["exper"], exit=workers()["exper"], selection_code=0.0)
    frame["pay"] = frame["pay"].where(frame["leaves"] == 1)
    plain, own = (
        wg.fit_selection(frame, "log(pay) ~ ai", selection=f"~ ai + {name}") for name in ("exper", "selected")
    )
    np.testing.assert_array_equal(plain.estimates.values, own.estimates.values)
    plain, own = (wg.fit_exits(frame, f"leaves ~ ai + {name}") for name in ("exper", "exit"))
    np.testing.assert_array_equal(plain.estimates.values, own.estimates.values)
    names = {"to_0_of_moves": 1, "destination 0": 1}
    found = moves(frame=workers(next=MOVED).assign(**names))
    np.testing.assert_array_equal(found.estimates.values, moves().estimates.values)


def test_a_constant_covariate_leaves_the_link_with_a_warning():
    with pytest.warns(IdentificationWarning, match="gdp is 3 in all 38 cells"):
        found = link("net_migration ~ premium + gdp", data=covariates(gdp=3.0), method="ols")
    assert "gdp" not in found.params
    twice = covariates().assign(again=lambda frame: 2 * frame["gdp"])
    with pytest.warns(IdentificationWarning, match="again is collinear with the other columns"):
        link("net_migration ~ premium + gdp + again", data=twice, method="ols")


def test_a_factor_of_one_level_is_said_to_have_no_coefficient():
    for formula in (FORMULA + " + field", FORMULA + " + C(year)"):
        with pytest.warns(IdentificationWarning, match=r"('field' is 'cs'|'year' is 2020) in all 600 rows used"):
            found = premiums(workers(field="cs", year=2020), formula)
        np.testing.assert_array_equal(found.params, premiums(workers(field="cs", year=2020)).params)


def test_a_name_of_staying_is_free_where_it_is_no_exit():
    exits = wg.fit_exits(workers(), "leaves ~ ai", base="remains")
    assert exits.base == "remains"


def test_units_of_a_heading_leave_out_what_has_none():
    found = wg.dfl(workers(), FORMULA, group="leaves")
    assert found.heading().endswith("(log, or without unit)")
    roy = wg.fit_roy(workers(), "log(pay)", leave="leaves", reps=9)
    assert roy.estimates.labels["unit"].tolist() == ["log", *["none"] * 5]


def test_a_reliability_below_zero_is_said_in_words():
    noisy = pd.DataFrame({"iso3": ["KOR", "USA", "FRA", "JPN"], "b": [0.1, 0.11, 0.1, 0.12], "se": 5.0})
    known = Estimates.from_table(noisy.assign(b=[0.3, 0.2, 0.15, 0.1], term="leaving"), term="term")
    with pytest.raises(ReliabilityError, match=r"is below 0: sampling error alone would make more than all of their"):
        wg.fit_link("leaving ~ premium", known, Estimates.from_table(noisy), method="eiv")
    printed = " ".join(str(wg.fit_link("leaving ~ premium", known, Estimates.from_table(noisy), method="ols")).split())
    assert "given the controls: below 0, they spread less" in printed


def test_a_country_without_weight_is_not_silently_gone():
    frame = workers()
    frame["w"] = frame["w"].where(frame["iso3"] != "KOR", 0.0)
    found = premiums(frame, weights="w")
    assert [(loss.reason, loss.rows) for loss in found.ledger.losses] == [("zero w", 200)]


def test_a_collinear_control_is_named_with_what_makes_it():
    with pytest.warns(IdentificationWarning, match=r"months = 12\*exper \(in FRA, KOR, USA\)"):
        premiums(workers(months=12 * workers()["exper"]), FORMULA + " + months")


FRAMES = {
    "polars": lambda frame: pytest.importorskip("polars").from_pandas(frame),
    "arrow": lambda frame: pytest.importorskip("pyarrow").Table.from_pandas(frame),
    "batch": lambda frame: pytest.importorskip("pyarrow").RecordBatch.from_pandas(frame),
    "nullable": lambda frame: frame.convert_dtypes(),
    "arrow types": lambda frame: frame.convert_dtypes(dtype_backend="pyarrow"),
    "dict": lambda frame: frame.to_dict("list"),
}


@pytest.mark.parametrize("kind", FRAMES)
def test_frames_of_every_kind_give_the_same(kind):
    np.testing.assert_allclose(premiums(FRAMES[kind](workers())).params, premiums().params, rtol=1e-12)


def test_a_lazy_frame_is_asked_to_collect():
    lazy = FRAMES["polars"](workers()).lazy()
    with pytest.raises(DataError, match=r"LazyFrame is not a data frame.*collect\(\)"):
        premiums(lazy)


@pytest.mark.filterwarnings("ignore:reliability")
def test_covariates_may_be_polars_and_a_link_without_constant():
    frame = covariates()
    own, other = (link("net_migration ~ 0 + premium", data=data) for data in (frame, FRAMES["polars"](frame)))
    np.testing.assert_array_equal(own.params, other.params)
    assert own.method == "moments"
    assert list(own.params.index) == ["premium"]


def test_the_unit_of_a_control_does_not_matter_to_a_curve():
    plain = curve(data=covariates(), controls="gdp", reps=9, methods="ols")
    large = curve(
        data=covariates().assign(gdp=lambda frame: 1e17 * frame["gdp"]), controls="gdp", reps=9, methods="ols"
    )
    np.testing.assert_allclose(large.frame["estimate"], plain.frame["estimate"], rtol=1e-8)


def test_one_control_and_one_method_need_no_list():
    options = dict(data=covariates(), reps=9)
    found = curve(controls="gdp", methods="ols", **options).frame
    pd.testing.assert_frame_equal(found, curve(controls=["gdp"], methods=["ols"], **options).frame)


def test_answers_are_printed_within_80_columns():
    fitted = link(method="ols")
    for answer in (fitted.outlier("USA"), fitted.predict(country="USA", premium=0.1), fitted.pool()):
        assert max(map(len, str(answer).splitlines())) <= 80
        assert " ".join(str(answer).split()) == answer.in_words()


def write_report(target):
    return study().save(target)


def test_an_output_that_cannot_be_written_leaves_nothing(tmp_path):
    (tmp_path / "file").write_text("mine")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "tables").write_text("mine")
    (tmp_path / "odd" / "report.html").mkdir(parents=True)
    before = sorted(str(path) for path in tmp_path.rglob("*"))
    for name in ("file", "file/below", "full", "odd"):
        with pytest.raises(OutputError, match=r"cannot write the report.*Nothing was written"):
            write_report(tmp_path / name)
    assert sorted(str(path) for path in tmp_path.rglob("*")) == before


def test_the_command_looks_at_the_folder_before_it_works(tmp_path, capsys):
    (tmp_path / "file").write_text("mine")
    assert main(["-o", str(tmp_path / "file")]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith("wagegap: cannot write the report")


def test_a_reader_who_has_seen_enough_is_no_error(tmp_path):
    import subprocess
    import sys

    (tmp_path / "s.toml").write_text('title = "A"\n[premiums.p]\nshipped = "published_premiums"\n')
    command = f"{sys.executable} -m wagegap -q s.toml | true"
    done = subprocess.run(["sh", "-c", command], cwd=tmp_path, capture_output=True, text=True, timeout=100)
    assert done.stderr == ""
    assert (tmp_path / "wagegap-report" / "report.html").exists()
