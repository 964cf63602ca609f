"""Copies of public tables that are broken, column by column and byte by byte: read right, or one typed error.

The tables are small ones of the publishers' form, with made-up values.
"""

from __future__ import annotations

import datetime
import warnings
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest

from wagegap import datasets, errors

ROWS = 12
CODES = ["KOR", "USA", "JPN", "DEU", "FRA", "GBR", "CAN", "AUS", "ITA", "ESP", "NLD", "SWE"]
YEARS = list(range(2010, 2010 + ROWS))


def numbers(*names):
    rng = np.random.default_rng(len(names))
    return {name: rng.random(ROWS) + 1 for name in names}


def texts(*names):
    return {name: [f"{name} {i}" for i in range(ROWS)] for name in names}


COUNTRIES = {"iso3": CODES, "year": YEARS}
FLAGS = {"is_aggregate": [False] * ROWS}
PAIRS = ("contig", "comlang_off", "comlang_ethno", "colony", "comcol", "curcol", "col45", "smctry")
NET = [f"net_per_10K_{year}" for year in range(2015, 2020)]
EXPOSURE = ["mean_score_2025", "mean_score_2023", "aioe", "lm_aioe", "gpt4_beta", "human_beta"]
REASONS = ["career_change", "family", "location", "pay", "conditions", "no_job", "other"]
SCHOLARS = ["padded_population_of_researchers", "number_of_inmigrations", "number_of_outmigrations"]
EARNINGS = [f"hourearn_isco08_{group}" for group in ("total", "1", "2", "X")]
DEGREE = "level_and_field_of_highest_degree_full_path"
TABLES = {
    "read_distances": {"iso_o": CODES, "iso_d": CODES[::-1], **dict.fromkeys(PAIRS, 0),
                       **numbers("dist", "distcap", "distw", "distwces")},
    "read_penn_world_table": {**COUNTRIES, "country": CODES, **numbers("rgdpe", "rgdpo", "pop", "emp", "hc")},
    "read_income": {**COUNTRIES, **numbers("gdppc_ppp_const2017", "population")},
    "read_ppp_factors": {"country": CODES, "iso2": ["KR", "US", *CODES[2:]], "year": YEARS, **numbers("ppp_factor")},
    "read_ageing": {**COUNTRIES, **FLAGS, "wpp2017_is_projection": [False] * ROWS,
                    **numbers("share_65up_pct", "oldage_dep_wdi2018_pct", "oldage_dep_cpds_pct",
                              "oldage_dep_wpp2017_pct", "share_65up_wpp2017_pct")},
    "read_technology": {**COUNTRIES, **FLAGS,
                        **numbers("rd_pct_gdp", "researchers_per_million", "hitech_exports_pct_manuf")},
    "read_dismissal_rules": {**COUNTRIES, **texts("ftc_reg", "vd_economic"), **numbers("ftc_max")},
    "read_doctor_pay": {**COUNTRIES,
                        **numbers("specialist_over_gdp_per_head", "gp_over_gdp_per_head",
                                  "nurse_hospital_over_gdp_per_head", "specialist_over_nurse")},
    "read_doctor_engineer_pay": {"iso3": CODES, "n_doctor": range(ROWS),
                                 **numbers("n_engineer_ict", "ln_doctor_engineer", "se_doctor_engineer",
                                           "n_health_prof", "n_stem_prof", "ln_health_stem", "se_health_stem")},
    "read_hourly_earnings": {**COUNTRIES, **numbers(*EARNINGS)},
    "read_public_pay": {**COUNTRIES, **texts("indicator", "code"), **numbers("value")},
    "read_migrant_stocks": {"year": YEARS, "dest": CODES[::-1], "origin": CODES, "stock": range(ROWS)},
    "read_emigrant_stocks": {"dest": CODES[::-1], "origin_iso3": CODES, "origin": CODES, "year": YEARS,
                             "sex": ["total"] * ROWS, "stock": range(ROWS)},
    "read_linkedin_pairs": {"base_iso3": CODES, "target_iso3": CODES[::-1], **numbers(*NET)},
    "read_linkedin_skills": {"iso3": CODES, **texts("skill_group_name", "skill_group_category"), **numbers(*NET)},
    "read_linkedin_industries": {"iso3": CODES, **texts("industry_name", "isic_section_index"), **numbers(*NET)},
    "read_scholar_rates": {"iso3code": CODES, "year": YEARS, **numbers(*SCHOLARS)},
    "read_scholar_flows": {"iso3codefrom": CODES, "iso3codeto": CODES[::-1], "year": YEARS,
                           "n_migrations": range(ROWS)},
    "read_emigration_rates": {"origin": CODES, "gender": ["Male and Female"] * ROWS, "year": YEARS,
                              **numbers("tot_rate", "low_rate", "med_rate", "high_rate")},
    "read_ai_exposure": {"isco08": [f"{i:04}" for i in range(110, 110 + ROWS)], "title": CODES, "potential25": CODES,
                         "n_soc": range(ROWS), **numbers(*EXPOSURE)},
    "read_ai_tasks": {"isco08": [f"{i:04}" for i in range(110, 110 + ROWS)], "task_id": range(ROWS),
                      **texts("task"), **numbers("score_2025", "score_2023")},
    "read_isco_soc": {**texts("isco08", "isco_title", "soc2010", "soc_title"), "part": [True, False] * (ROWS // 2)},
    "read_licences": {**texts("group"), **numbers("employed_thousand", "license_pct", "cert_no_license_pct",
                                                  "neither_pct")},
    "read_us_wages": {**texts("occ_code", "occ_title"), "o_group": ["detailed"] * ROWS, "topcoded": [False] * ROWS,
                      **numbers("tot_emp", "a_mean", "a_median", "a_pct10", "a_pct25", "a_pct75", "a_pct90")},
    "read_out_of_field": {"year": YEARS, **texts("major"),
                          **numbers("employed", "salary_median", "salary_max", *(f"out_{r}" for r in REASONS))},
    "read_degree_relatedness": {DEGREE: ["All degrees -> Bachelor's -> Law"] * ROWS, "field_all_total": range(ROWS),
                                "field_all_closely_related": ["S", *map(str, range(ROWS - 1))],
                                **numbers("field_all_somewhat_related", "field_all_not_related")},
    "read_major_pay": {**texts("Major", "Major_category"), **numbers("Employed", "Median", "P25th", "P75th")},
    "read_kaggle": {**COUNTRIES, "title": ["Data Scientist", "Other"] * (ROWS // 2), "educ": CODES,
                    "pay_lo": [50_000.0] * ROWS, "pay_hi": [60_000.0] * (ROWS - 1) + [np.inf],
                    **numbers("code_years_mid"), "female": [0.0, 1.0] * (ROWS // 2)},
    "read_piaac": {"iso3": CODES, "pid": range(ROWS), **numbers("SPFWT0", "EARNHRPPP", "C_Q09_C"),
                   "ISCO2C": ["21", "22", "9999"] * (ROWS // 3), "EDCAT7": 6, "B_Q01b": [5, 8] * (ROWS // 2),
                   "GENDER_R": [1, 2] * (ROWS // 2), "C_D05": 1},
    "read_stack_overflow": {"iso3": ["KOR"] * ROWS, "year": [2019] * ROWS, "pay_usd": range(50_000, 50_000 + ROWS),
                            "pay_kind": ["exact"] * ROWS, "ai": [True, False] * (ROWS // 2), "educ": CODES,
                            "exp_years": 3.0, "female": [0.0, 1.0] * (ROWS // 2), "fulltime": [True] * ROWS},
}  # fmt: skip
ARGUMENTS = {"read_unions": ("ictwss",), "read_ai_exposure_soc": ("felten",)}
TABLES |= {
    "read_unions": {**COUNTRIES, **numbers("ictwss_UD", "ictwss_AdjCov", "ictwss_Coord")},
    "read_ai_exposure_soc": {**texts("soc", "title"), **numbers("aioe", "lm_aioe", "ig_aioe")},
}
FILLS = {
    "words": "nope", "dates": pd.Timestamp("2020-01-01"), "a zone": pd.Timestamp("2020-01-01", tz="UTC"),
    "days": pd.Timedelta("3D"), "a date": datetime.date(2020, 1, 1), "decimals": Decimal("1.5"), "bytes": b"\xff",
    "missing": None, "infinite": np.inf, "large": 1e308, "negative": -1.0, "true": True, "blank": "", "huge": 2**62,
}  # fmt: skip
CHANGES = {
    **{name: lambda column, fill=fill: pd.Series([fill] * len(column)) for name, fill in FILLS.items()},
    "lists": lambda column: pd.Series([[1, 2]] * len(column)),
    "dicts": lambda column: pd.Series([{"a": 1}] * len(column)),
    "one word": lambda column: column.astype(object).map(str).where(column.index != 3, "oops"),
    "one missing": lambda column: column.astype(object).where(column.index != 3, None),
    "nullable": lambda column: column.convert_dtypes(),
    "category": lambda column: column.astype("category"),
    "halves": lambda column: pd.Series(np.arange(len(column)) + 2000.5),
    "months": lambda column: pd.Series(pd.period_range("2000", periods=len(column), freq="M").astype(str)),
}


def read(name, path):
    """What a reader returns, or the error; warnings that are not the package's fail."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", errors.WagegapWarning)
        try:
            result = getattr(datasets, name)(*ARGUMENTS.get(name, ()), **_path(name, path))
        except errors.WagegapError as error:
            return error
    return result if isinstance(result, pd.DataFrame) else result.frame


def _path(name, path):
    return {"source" if name == "read_stack_overflow" else "path": path}


def is_finite(frame, but=("pay_hi",)):
    """Whether no number that a reader made is infinite."""
    made = frame.drop(columns=[name for name in but if name in frame]).select_dtypes("number")
    return not np.isinf(made.to_numpy(dtype=float, na_value=np.nan)).any()


def test_there_is_a_table_for_every_reader():
    readers = {name for name in datasets.__all__ if name.startswith("read_")} - {"read_stack_overflow_year"}
    assert set(TABLES) == readers


@pytest.mark.parametrize("name", sorted(TABLES))
def test_whole_copies_are_read(name, tmp_path):
    pd.DataFrame(TABLES[name]).to_parquet(tmp_path / "copy.parquet")
    assert len(read(name, tmp_path / "copy.parquet")) > 0


@pytest.mark.parametrize("name", sorted(TABLES))
def test_columns_that_hold_something_else(name, tmp_path):
    whole = pd.DataFrame(TABLES[name])
    path, refused, tried = tmp_path / "copy.parquet", 0, 0
    for place, column in enumerate(whole):
        for change in list(CHANGES.values())[place % 3 :: 3]:
            whole.assign(**{column: change(whole[column])}).to_parquet(path)
            found = read(name, path)
            assert isinstance(found, errors.WagegapError) or is_finite(found)
            refused, tried = refused + isinstance(found, errors.WagegapError), tried + 1
    assert tried / 4 < refused < tried


@pytest.mark.parametrize("name", sorted(TABLES))
def test_layouts_that_are_others(name, tmp_path):
    whole = pd.DataFrame(TABLES[name])
    path = tmp_path / "copy.parquet"
    for column in whole:
        whole.drop(columns=column).to_parquet(path)
        found = read(name, path)
        # What is returned as the publisher has it is not asked for by name.
        assert isinstance(found, errors.ColumnError) or column not in found
    whole.set_index(whole.columns[0]).to_parquet(path)
    assert isinstance(read(name, path), pd.DataFrame)
    whole.head(0).to_parquet(path)
    assert isinstance(read(name, path), errors.EmptyDataError)


@pytest.mark.parametrize("suffix", [".parquet", ".csv", ".csv.gz", ".dta", ".xlsx"])
def test_broken_bytes(suffix, tmp_path):
    pytest.importorskip("openpyxl")
    rng = np.random.default_rng(7)
    whole, path = pd.DataFrame(TABLES["read_income"]), tmp_path / f"copy{suffix}"
    {".parquet": whole.to_parquet, ".csv": whole.to_csv, ".csv.gz": whole.to_csv, ".xlsx": whole.to_excel,
     ".dta": lambda path, index: whole.to_stata(path, write_index=index)}[suffix](path, index=False)  # fmt: skip
    content = path.read_bytes()
    places, masks = rng.integers(len(content), size=60), rng.integers(1, 255, size=60).tolist()
    flips = [content[:at] + bytes([content[at] ^ by]) + content[at + 1 :] for at, by in zip(places, masks, strict=True)]
    cuts = [content[: int(len(content) * part)] for part in np.linspace(0, 0.99, 12)]
    for broken in (*flips, *cuts, content[99:], content * 2, rng.bytes(500), b"\xef\xbb\xbf" + content):
        path.write_bytes(broken)
        found = read("read_income", path)
        assert isinstance(found, errors.WagegapError) or is_finite(found)


def test_the_error_names_column_kind_and_rows(tmp_path):
    rows = pd.DataFrame(TABLES["read_income"])
    rows.assign(year=[f"in {year}" for year in YEARS], population="many").to_csv(tmp_path / "mine.csv", index=False)
    words = (
        r"mine.csv is no copy of covariates/gdppc_owid.parquet: 'year' should hold years, and is text in 12 of 12 "
        r"rows, first 'in 2010'.*Others of its columns are wrong too: 'population'"
    )
    with pytest.raises(errors.DataError, match=words):
        datasets.read_income(path=tmp_path / "mine.csv")
    rows.assign(year=20.5).to_csv(tmp_path / "mine.csv", index=False)
    with pytest.raises(errors.DataError, match=r"is no year in 12 of 12 rows, first 20\.5"):
        datasets.read_income(path=tmp_path / "mine.csv")


def test_codes_that_lost_their_zeros_are_refused(tmp_path):
    rows = pd.DataFrame(TABLES["read_ai_exposure"])
    rows.to_csv(tmp_path / "copy.csv", index=False)
    with pytest.raises(errors.DataError, match=r"'isco08' should hold codes.*zeros that codes begin with"):
        datasets.read_ai_exposure(path=tmp_path / "copy.csv")


@pytest.mark.parametrize("path", [3, b"copy.csv", ["copy.csv"], np.nan, {"a": 1}])
def test_paths_that_are_none(path):
    with pytest.raises(errors.OptionError, match="path"):
        datasets.read_income(path=path)


# pairs ---------------------------------------------------------------------------------------------------------------

FLOWS = pd.DataFrame(
    {"origin": ["KOR", "JPN", "USA"], "destination": ["USA", "KOR", "KOR"], "year": [2018, 2018, 2019],
     "moves": [5, 2, 3]}
)  # fmt: skip
CARRIERS = {
    "dict": lambda frame: {name: column.tolist() for name, column in frame.items()},
    "polars": lambda frame: pytest.importorskip("polars").from_pandas(frame),
    "arrow": lambda frame: pytest.importorskip("pyarrow").Table.from_pandas(frame),
    "arrow types": lambda frame: frame.convert_dtypes(dtype_backend="pyarrow"),
    "nullable": lambda frame: frame.convert_dtypes(),
    "categories": lambda frame: frame.astype(dict.fromkeys(["origin", "destination", "year"], "category")),
    "ordered": lambda frame: frame.assign(moves=pd.Categorical(frame["moves"], ordered=True)),
    "index": lambda frame: frame.set_index(["origin", "destination", "year"]),
    "sparse": lambda frame: frame.assign(moves=pd.arrays.SparseArray(frame["moves"])),
    "big-endian": lambda frame: frame.astype({"moves": ">i8", "year": ">i4"}),
    "small": lambda frame: frame.assign(moves=frame["moves"].astype("uint8")),
    "half": lambda frame: frame.assign(moves=frame["moves"].astype("float16")),
    "decimals": lambda frame: frame.assign(moves=[Decimal(int(n)) for n in frame["moves"]]),
}


@pytest.mark.parametrize("carrier", CARRIERS)
def test_pairs_of_any_frame(carrier):
    expected = datasets.complete_pairs(FLOWS)
    found = datasets.complete_pairs(CARRIERS[carrier](FLOWS))
    assert found["moves"].tolist() == expected["moves"].tolist()
    assert (
        found[["origin", "destination", "year"]]
        .astype(str)
        .equals(expected[["origin", "destination", "year"]].astype(str))
    )


def test_sums_of_pairs_do_not_overflow():
    many = pd.concat([FLOWS.assign(moves=np.array([200, 100, 50], dtype=np.uint8))] * 3)
    assert datasets.complete_pairs(many, by_year=False)["moves"].sum() == 3 * 350


@pytest.mark.parametrize(
    ("change", "call", "error", "words"),
    [
        (lambda f: [1, 2], {}, errors.DataError, "list is not a data frame"),
        (lambda f: None, {}, errors.DataError, "NoneType"),
        (lambda f: f["moves"], {}, errors.DataError, "Series"),
        (lambda f: f.assign(moves="many"), {}, errors.DataError, "'moves' is text in 3 of 3"),
        (lambda f: f.assign(moves=pd.Timestamp("2020")), {}, errors.DataError, "'moves' holds dates"),
        (lambda f: f.assign(moves=pd.Timedelta("1D")), {}, errors.DataError, "'moves' holds durations"),
        (lambda f: f.assign(moves=[1, 2, np.inf]), {}, errors.DataError, "infinite in 1 of 3"),
        (lambda f: f.assign(origin=[["KOR"], ["JPN"], ["USA"]]), {}, errors.DataError, "'origin' holds a list"),
        (lambda f: f.assign(origin=["KOR", None, "USA"]), {}, errors.MissingValueError, "'origin' is missing in 1"),
        (lambda f: f.assign(year=[{}, {}, {}]), {}, errors.DataError, "'year' holds a dict"),
        (lambda f: f.rename(columns={"year": "moves"}), {}, errors.ColumnError, "several columns share"),
        (lambda f: f.head(0), {}, errors.EmptyDataError, "no rows"),
        (lambda f: f, {"value": ["moves"]}, errors.OptionError, "must be"),
        (lambda f: f, {"value": {"a": 1}}, errors.OptionError, "must be"),
        (lambda f: f, {"countries": "KOR"}, errors.OptionError, "countries=.*must be"),
        (lambda f: f, {"countries": -2}, errors.OptionError, "whole number, at least 1"),
        (lambda f: f, {"countries": 2.5}, errors.OptionError, "countries=.*must be"),
    ],
)
def test_pairs_of_something_else(change, call, error, words):
    with pytest.raises(error, match=words):
        datasets.complete_pairs(change(FLOWS), **call)


def test_countries_of_two_types_keep_an_order():
    mixed = FLOWS.assign(origin=["KOR", 1, pd.Timestamp("2020")])
    assert len(datasets.complete_pairs(mixed, by_year=False)) == 12
