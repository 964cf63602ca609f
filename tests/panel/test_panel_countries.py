"""Country names: the table, its spellings, and those of real data."""

from __future__ import annotations

import csv
import re
from importlib.resources import files

import pandas as pd
import pytest

from wagegap.errors import CountryError, DataWarning, MissingValueError
from wagegap.estimation.countries.spellings import folded, near_name, no_country
from wagegap.panel.countries import country_code, country_name, normalise_countries
from wagegap.panel.load import read_panel


@pytest.fixture(scope="module")
def table():
    with files("wagegap.estimation.countries").joinpath("countries.csv").open(encoding="utf-8") as handle:
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
        for spelling in [row["iso3"], row["iso2"], row["name"], row["official"], *row["aliases"].split("|")]:
            if spelling:
                assert seen.setdefault(folded(spelling), row["iso3"]) == row["iso3"], spelling


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


# Spellings and abbreviations of the open tables (Natural Earth, World Bank, UN), and what each is.
ABBREVIATED = {
    "PRK": ["Korea, Dem. Rep.", "Korea DPR", "D.P.R Korea", "D.P.R.K.", "N. Korea", "Dem. Rep. Korea", "Korea (N.)",
            "DPR Korea", "Korea, Democratic People's Rep. of", "Dem. People's Rep. of Korea"],
    "KOR": ["S. Korea", "Sth Korea", "Korea, Rep. of", "Rep. of Korea", "REPUBLIC OF KOREA", "Korea - KOR"],
    "COD": ["Dem. Rep. of the Congo", "Dem. Rep. Congo", "D.R. Congo", "Congo DR", "Congo (Kinshasa)", "DRC",
            "Congo - Kinshasa", "Congo, Dem. Rep."],
    "COG": ["Congo, Rep.", "Rep. of the Congo", "Congo (Brazzaville)", "Congo - Brazzaville"],
    "SSD": ["S. Sudan", "S.Sudan", "Republic of South Sudan"],
    "SDN": ["Rep. of the Sudan", "The Sudan"],
    "GBR": ["N. Ireland", "U. K.", "Gt. Britain", "Utd. Kingdom"],
    "IRL": ["Rep. of Ireland", "Ireland, Republic of"],
    "GNQ": ["Eq. Guinea", "Equat. Guinea", "Guinea, Equatorial", "Guinea Equatorial"],
    "GNB": ["Guinea Bissau", "Rep. of Guinea-Bissau"],
    "GIN": ["Guinea, Rep. of", "Guinea-Conakry"],
    "PNG": ["Papua N. Guinea", "Papua New Guinea, Independent State of"],
    "WSM": ["Western Samoa", "W. Samoa", "Samoa"],
    "ASM": ["American Samoa", "Am. Samoa", "Samoa, American"],
    "KGZ": ["Kirgizia", "Kirghizia", "Kyrgyz Rep."],
    "XKX": ["RKS", "KOS", "Kosovo*", "Rep. of Kosovo"],
    "ESH": ["W. Sahara", "Western Sahara"],
    "MKD": ["N. Macedonia", "Macedonia (FYR)", "FYR of Macedonia", "Rep. of Macedonia"],
    "VIR": ["U.S. Virgin Is.", "US Virgin Islands", "Virgin Islands, U.S.", "Virgin Is. (US)"],
    "VGB": ["British Virgin Is.", "Br. Virgin Is.", "Virgin Islands, British", "Virgin Islands (UK)"],
    "SXM": ["St Maarten", "St. Martin (Dutch part)", "Sint Maarten (Dutch part)"],
    "MAF": ["St. Martin (French part)", "Saint-Martin (French part)"],
    "CAF": ["Central African Rep.", "C. African Rep.", "Cent. Afr. Rep."],
    "DOM": ["Dominican Rep.", "Dom. Rep."],
    "DMA": ["Commonwealth of Dominica"],
    "MNP": ["N. Mariana Is.", "Northern Mariana Isl."],
    "FSM": ["Fed. States of Micronesia", "Micronesia, Fed. Sts."],
    "HKG": ["Hong Kong, China SAR", "China: Hong Kong SAR", "Hong Kong S.A.R."],
    "MAC": ["Macao SAR, China", "Macau"],
    "TWN": ["Taiwan, Prov. of China", "China, Taiwan", "Taiwan ROC"],
    "CHN": ["P.R. China", "China, P. R.", "PRC", "China, People's Rep. of"],
    "PSE": ["State of Palestine", "West Bank & Gaza", "Occupied Palestinian Terr."],
    "TLS": ["East Timor", "E. Timor", "Timor-Leste"],
    "SWZ": ["Swaziland", "Eswatini"], "CPV": ["Cape Verde"], "MMR": ["Burma"], "NLD": ["Holland"], "IRN": ["Persia"],
    "NER": ["Rep. of the Niger", "Niger"], "NGA": ["Fed. Rep. of Nigeria", "Nigeria"],
    "ATG": ["Antigua and Barb.", "Antigua & Barbuda"], "VCT": ["St. Vin. and Gren.", "St Vincent & the Grenadines"],
    "TCA": ["Turks & Caicos Is."], "IOT": ["Br. Indian Ocean Ter."], "ATF": ["Fr. S. Antarctic Lands"],
    "BIH": ["Bosnia and Herz.", "Bosnia & Herzegovina"], "LAO": ["Lao P.D.R.", "Lao PDR"], "ZAF": ["S. Africa"],
    "USA": ["U. S. A.", "U.S.", "United States (USA)"], "NZL": ["N. Zealand"],
}  # fmt: skip


@pytest.mark.parametrize("iso3", ABBREVIATED)
def test_abbreviations_and_orders_of_words(iso3):
    assert set(normalise_countries(ABBREVIATED[iso3])) == {iso3}


NOT_COUNTRIES = [
    ("USSR", "former state"), ("U.S.S.R.", "former state"), ("Yugoslavia", "BIH, HRV, MKD, MNE, SRB, SVN"),
    ("Czechoslovakia", "CZE and SVK"), ("East Germany", "former state"), ("E. Germany", "former state"),
    ("Netherlands Antilles", "BES, CUW and SXM"), ("Neth. Antilles", "former"),
    ("Serbia and Montenegro", "SRB and MNE"), ("W. Germany", "former state"),
    ("Total", "an aggregate"), ("World", "an aggregate"), ("EU", "an aggregate"), ("EU-27", "an aggregate"),
    ("OECD - Total", "an aggregate"), ("Sub-Saharan Africa", "an aggregate"), ("S. Asia", "an aggregate"),
    ("Southern Africa", "an aggregate"), ("High income", "an aggregate"), ("Rest of the World", "an aggregate"),
    ("Virgin Islands", "VGB or VIR"), ("Republic of China", "CHN, or by its official name TWN"),
    ("Guiana", "GUF or GUY"), ("New Guinea", "PNG"),
    ("N. Cyprus", "a part of CYP"), ("Channel Is.", "GGY and JEY"), ("Other", "no country"), ("n/a", "no country"),
    ("N.A.", "no country"), ("GER", "has DEU there"), ("CHI", "has CHL there"),
]  # fmt: skip


@pytest.mark.parametrize(("word", "said"), NOT_COUNTRIES)
def test_what_is_no_country_is_said_and_no_state_is_offered(word, said):
    with pytest.raises(CountryError) as caught:
        normalise_countries([word, "KOR"])
    assert said in str(caught.value)
    assert "Did you mean" not in str(caught.value)
    assert country_code(word) is None


TOO_NEAR = ["Nigera", "Iras", "Irelnd", "Malt", "Nambia", "Dominica Rep.", "Republic of Samoa South", "New Jersey",
            "West Korea", "Papua Guinea", "Western Guinea", "South Ireland of", "Republic Dominica", "Sudan North",
            "Paris, France", "Georgia, USA", "Macedonia Greece", "Virgin Islands East", "Austrla"]  # fmt: skip


@pytest.mark.parametrize("word", TOO_NEAR)
def test_a_name_that_could_be_of_two_states_is_neither_taken_nor_turned_into_one(word):
    with pytest.raises(CountryError) as caught:
        normalise_countries([word])
    assert "Did you mean" not in str(caught.value)


@pytest.mark.parametrize(
    ("word", "meant"),
    [("North Koera", "PRK"), ("S. Koera", "KOR"), ("Untied Kingdom", "GBR"), ("Jappan", "JPN"), ("Germny", "DEU"),
     ("Equatorial Guinae", "GNQ"), ("Dem. Rep. Cogno", "COD"), ("Cogno, Rep.", "COG"), ("S. Sduan", "SSD")],
)  # fmt: skip
def test_a_slip_of_the_keys_leads_to_the_state_meant(word, meant):
    near = near_name(word)
    assert near is not None
    assert country_code(near) == meant


SHORT = [
    ("Saint", "St."), ("Saint", "St"), (" and ", " & "), ("Republic", "Rep."), ("Republic", "Rep"), ("Islands", "Is."),
    ("Democratic", "Dem."), ("Democratic People's Republic", "D.P.R."), ("Democratic People's Republic", "DPR"),
    ("North", "N."), ("Northern", "N."), ("South", "S."), ("Southern", "S."), ("East", "E."), ("West", "W."),
    ("Western", "W."), ("Equatorial", "Eq."), ("Central", "C."), ("Federated", "Fed."), ("Federal", "Fed."),
    ("States", "Sts."), ("United States", "U.S."), ("United Kingdom", "UK"), ("British", "Br."), ("French", "Fr."),
    ("Territory", "Ter."), ("Special Administrative Region", "SAR"), ("New", "N."), ("African", "Afr."),
]  # fmt: skip


def ways_of_writing(name):
    """A name in capitals, without punctuation, in the order of an index, and with each abbreviation."""
    yield from (name, name.upper(), f"The {name}", f"{name} (the)", f" {name}* ", name.replace("-", " "))
    if ", " in name:
        yield " ".join(reversed(name.split(", ", 1)))
    if len(name.split()) == 2:
        yield ", ".join(reversed(name.split()))
    for long, short in SHORT:
        once = re.sub(rf"\b{long}\b" if long.strip() == long else long, short, name)
        yield once
        yield from (re.sub(rf"\b{more}\b", brief, once) for more, brief in SHORT if more.strip() == more)


def test_no_way_of_writing_a_name_leads_to_another_state(table):
    """All short, official and other names, some 30 ways each: the state, or a refusal that offers no other one."""
    for row in table:
        for name in filter(None, [row["name"], row["official"], *row["aliases"].split("|")]):
            for written in dict.fromkeys(ways_of_writing(name)):
                found = country_code(written)
                assert found in (row["iso3"], None), (written, found)
                if found is None and no_country(written) is None:
                    near = near_name(written)
                    assert near is None or country_code(near) == row["iso3"], (written, near)


def test_every_name_of_iso_is_known_however_it_is_written():
    pycountry = pytest.importorskip("pycountry")
    for country in pycountry.countries:
        names = [country.name, *(getattr(country, kind, None) for kind in ("official_name", "common_name"))]
        for name in filter(None, names):
            for written in dict.fromkeys(ways_of_writing(name)):
                assert country_code(written) == country.alpha_3, written


def test_no_slip_of_the_keys_leads_to_another_state(table):
    """Every name with one letter left out, or two swapped: no suggestion is another state's."""
    for row in table:
        name = row["name"]
        slips = [name[:i] + name[i + 1 :] for i in range(len(name))]
        slips += [name[:i] + name[i + 1] + name[i] + name[i + 2 :] for i in range(len(name) - 1)]
        for written in slips[:: max(len(slips) // 6, 1)]:
            if country_code(written) is None:
                near = near_name(written)
                assert near is None or country_code(near) == row["iso3"], (written, near)


# numeric codes -------------------------------------------------------------------------------------------------------

NUMBERS = [410, 36, 840]


@pytest.mark.parametrize(
    "column",
    [NUMBERS, [410.0, 36.0, 840.0], ["410", "036", "840"], ["410", "36", "840"], ["410.0", "36.0", "840.0"],
     pd.array(NUMBERS, dtype="Int64"), pd.Categorical(NUMBERS)],
)  # fmt: skip
def test_a_column_of_numbers_holds_numeric_codes(column):
    assert normalise_countries(pd.Series(column)).tolist() == ["KOR", "AUS", "USA"]


def test_numeric_codes_are_said_in_the_ledger():
    rows = pd.DataFrame({"where": [410, 36, 410], "pay": [1.0, 2, 3]})
    panel = read_panel(rows, country="where", wage="pay")
    assert panel.frame["where"].tolist() == ["KOR", "AUS", "KOR"]
    assert "'where' holds numbers, read as ISO 3166 numeric codes: 410 KOR, 36 AUS" in panel.ledger.notes[0]


@pytest.mark.parametrize(
    ("column", "said"),
    [
        ([1, 2, 3], "3 of its 3 values.*: 1, 2, 3"), ([410, 999], "1 of its 2 values, in 1 of 2 rows"),
        ([410, 810], "810 \\(a former state: the Soviet Union"), ([410, 900.0], "900"), ([410, 419], "an aggregate"),
        (["KOR", "410"], "a number: numeric codes are read where the whole column"), ([410.5, 410.0], "'410.5'"),
    ],
)  # fmt: skip
def test_other_numbers_are_no_countries(column, said):
    with pytest.raises(CountryError, match=said):
        normalise_countries(column)


def test_small_numbers_may_be_codes_of_a_survey():
    with pytest.warns(DataWarning, match="no number above 99.*4 AFG, 8 ALB.*survey's own codes"):
        assert normalise_countries([4, 8, 4]).tolist() == ["AFG", "ALB", "AFG"]
    assert normalise_countries(["004", "008"]).tolist() == ["AFG", "ALB"]
