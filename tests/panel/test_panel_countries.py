"""Country names: the table, its spellings, and those of real data."""

from __future__ import annotations

import csv
import re
from importlib.resources import files

import pandas as pd
import pytest

from wagegap.errors import CountryError, MissingValueError
from wagegap.panel.countries import _folded, country_name, normalise_countries


@pytest.fixture(scope="module")
def table():
    with files("wagegap.panel").joinpath("countries.csv").open(encoding="utf-8") as handle:
        return list(csv.DictReader(handle))


def test_the_table_is_iso_3166(table):
    assert [row["iso3"] for row in table] == sorted({row["iso3"] for row in table})
    assert len(table) == 249 + 1  # and Kosovo
    assert all(re.fullmatch("[A-Z]{3}", row["iso3"]) and re.fullmatch("[A-Z]{2}", row["iso2"]) for row in table)
    numbers = [row["numeric"] for row in table if row["iso3"] != "XKX"]
    assert all(re.fullmatch(r"\d{3}", number) for number in numbers)
    assert len(set(numbers)) == len({row["iso2"] for row in table}) - 1 == 249


def test_codes_are_those_of_pycountry(table):
    pycountry = pytest.importorskip("pycountry")
    theirs = {c.alpha_3: (c.alpha_2, c.numeric) for c in pycountry.countries}
    assert {r["iso3"]: (r["iso2"], r["numeric"]) for r in table if r["iso3"] != "XKX"} == theirs


def test_no_spelling_means_two_countries(table):
    seen = {}
    for row in table:
        for spelling in [row["iso3"], row["iso2"], row["name"], *filter(None, row["aliases"].split("|"))]:
            assert seen.setdefault(_folded(spelling), row["iso3"]) == row["iso3"], spelling


SPELLINGS = {
    "KOR": ["South Korea", "Korea, Rep.", "Republic of Korea", "Korea (South)", "Korea", "kor", "KR", " Korea, South "],
    "PRK": ["North Korea", "Korea, Dem. People's Rep.", "Korea (North)"],
    "USA": ["United States", "United States of America", "USA", "U.S.A.", "us", "the United States"],
    "GBR": ["UK", "United Kingdom", "Great Britain", "United Kingdom of Great Britain and Northern Ireland", "gb"],
    "TUR": ["Türkiye", "Turkiye", "TURKEY", "TÜRKİYE"],
    "VNM": ["Viet Nam", "Vietnam"],
    "RUS": ["Russian Federation", "Russia"],
    "CZE": ["Czechia", "Czech Republic"],
    "HKG": ["Hong Kong (S.A.R.)", "Hong Kong SAR, China", "China, Hong Kong SAR", "Hong Kong"],
    "IRN": ["Iran, Islamic Rep.", "Iran, Islamic Republic of...", "Iran"],
    "TWN": ["Taiwan", "Taiwan, China", "Chinese Taipei"],
    "XKX": ["Kosovo", "XK"],
    "CIV": ["Côte d'Ivoire", "Côte d’Ivoire", "Cote dIvoire", "Ivory Coast"],
    "COD": ["Congo, Dem. Rep.", "DR Congo", "Zaire"],
    "COG": ["Congo, Rep.", "Republic of the Congo"],
    "NLD": ["Netherlands", "The Netherlands"],
    "LCA": ["St. Lucia", "Saint Lucia"],
    "STP": ["ST", "Sao Tome and Principe", "São Tomé & Príncipe"],
    "NAM": ["NA", "Namibia"],
}


@pytest.mark.parametrize("iso3", SPELLINGS)
def test_spellings(iso3):
    assert set(normalise_countries(SPELLINGS[iso3])) == {iso3}


def test_what_is_near_is_offered_and_not_taken():
    names = pd.Series(["Koera", "KOR", "Germny", "Germny"], name="where")
    with pytest.raises(CountryError) as caught:
        normalise_countries(names)
    said = str(caught.value)
    assert "'where' has 2 names in 3 of 4 rows" in said
    assert "'Koera' (Did you mean 'Korea'?), 'Germny' (Did you mean 'Germany'?)" in said
    assert "country_names='keep'" in said


def test_many_unknown_names_are_not_all_compared():
    with pytest.raises(CountryError, match="and 49992 more"):
        normalise_countries([f"id {i}" for i in range(50_000)])


@pytest.mark.parametrize("missing", [None, float("nan"), "", "  "])
def test_a_missing_country_is_counted(missing):
    with pytest.raises(MissingValueError, match="1 of 2 rows"):
        normalise_countries(["KOR", missing])


@pytest.mark.parametrize("dtype", ["category", "object", "string"])
def test_columns_of_any_kind(dtype):
    assert normalise_countries(pd.Series(["us", "kr", "us"], dtype=dtype)).tolist() == ["USA", "KOR", "USA"]


def test_labels():
    assert country_name("KOR") == "South Korea"
    assert country_name("XYZ") == "XYZ"


# The survey's table has the code of Georgia for the islands of South Georgia.
MISCODED = ["S. Georgia & S. Sandwich Isls."]

REAL = [
    ("wb_linkedin/country_migration", "base_country_name", "base_iso3"),
    ("wb_linkedin/country_migration", "target_country_code", "target_iso3"),
    ("un_desa_2019/bilateral_stock", "origin", "origin_iso3"),
    ("kaggle_survey/kaggle_2019_2022", "country", "iso3"),
    ("so_survey/so_2017_sample_major", "country", "iso3"),
    ("covariates/pwt110", "country", "iso3"),
    ("oww/oecd_doctor_nurse_pay", "country", "iso3"),
    ("institutions/labour_institutions", "country", "iso3"),
    ("scholarly_migration/openalex_2024_country_year", "countryname", "iso3code"),
    ("scholarly_migration/openalex_2024_country_year", "iso2code", "iso3code"),
]


@pytest.mark.parametrize(("name", "column", "code"), REAL)
def test_names_of_real_tables_give_their_codes(facts, name, column, code):
    codes = {name: iso3 for name, iso3 in facts("country_names")[f"{name}:{column}"].items() if name not in MISCODED}
    assert len(codes) > 30
    assert dict(zip(codes, normalise_countries(pd.Series(list(codes))), strict=True)) == codes


@pytest.mark.shared
def test_names_of_real_tables_are_those_recorded(facts, data_folder):
    for name, column, code in REAL:
        pairs = pd.read_parquet(data_folder / f"{name}.parquet", columns=[column, code]).astype(object).dropna()
        assert dict(zip(pairs[column], pairs[code], strict=True)) == facts("country_names")[f"{name}:{column}"]
