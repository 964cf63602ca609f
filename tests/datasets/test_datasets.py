"""Readers of public tables: against the copies where they are, and on small tables of the publisher's form."""

from __future__ import annotations

import inspect
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import wagegap as wg
from wagegap import datasets, errors
from wagegap.datasets.local import iso3_or_none

ROOT = Path(__file__).resolve().parents[2]
READERS = sorted(name for name in datasets.__all__ if name.startswith("read_"))


@pytest.fixture
def copies(data_folder, monkeypatch):
    """Readers find the copies by themselves."""
    monkeypatch.setenv("WAGEGAP_DATA", str(data_folder))
    return data_folder


def read(copies, name, *arguments, **options):
    """What a reader returns; the test is skipped where its file is absent."""
    source = datasets.describe(name)
    if not (copies / source.file).exists():
        pytest.skip(f"no local copy of {source.file}")
    return getattr(datasets, name)(*arguments, **options)


def at(frame, column, **keys):
    """The one value of a column where keys have these values."""
    mask = np.logical_and.reduce([frame[name] == value for name, value in keys.items()])
    assert mask.sum() == 1, keys
    return frame.loc[mask, column].iloc[0]


# figures known from the publishers -----------------------------------------------------------------------------------


def test_members_with_ai_skills(copies):
    found = read(copies, "read_linkedin_skills", "Artificial Intelligence (AI)")
    assert found["iso3"].nunique() == 61
    means = found.groupby("iso3")["net_per_10k"].mean().round()
    assert means[["USA", "KOR", "JPN", "DEU", "IND"]].tolist() == [226, -63, 243, 422, -402]
    korea = found[found["iso3"] == "KOR"].set_index("year")["net_per_10k"].round(2)
    assert korea.to_dict() == {2015: -142.87, 2016: -93.80, 2017: -68.52, 2018: 17.02, 2019: -26.03}
    assert read(copies, "read_linkedin_skills", "Data Science", years=(2019, 2019))["year"].unique().tolist() == [2019]
    with pytest.raises(errors.OptionError, match="Did you mean 'Artificial Intelligence"):
        datasets.read_linkedin_skills("Artificial Inteligence (AI)")


def test_members_in_industries_and_pairs(copies):
    industries = read(copies, "read_linkedin_industries")
    assert len(industries) == 5 * 5_295
    pairs = read(copies, "read_linkedin_pairs", years=(2015, 2019))
    assert len(pairs) == 5 * 4_148
    korea = pairs[(pairs["origin"] == "USA") & (pairs["destination"] == "KOR")].set_index("year")["net_per_10k"]
    assert korea.round(2).tolist() == [-3.66, -3.15, -1.95, 2.20, 0.04]
    assert pairs.attrs["ledger"].rows_read == 4_148


def test_gravity_of_scholars_in_five_lines(copies):
    flows = read(copies, "read_scholar_flows", "scopus", years=(2010, 2018))
    pairs = datasets.complete_pairs(flows, 50, by_year=False)
    pairs = pairs.merge(read(copies, "read_distances"), on=["origin", "destination"])
    formula = "moves ~ log(distw) + contig + comlang_off + colony | origin + destination"
    gravity = wg.fit_flows(pairs, formula, cov="CR1:origin")
    assert len(pairs) == 50 * 49
    assert f"{gravity.params['log(distw)']:.3f}" == "-0.516"
    assert f"{gravity.bse['log(distw)']:.3f}" == "0.041"
    assert f"{gravity.with_cov('CR1:origin', small_sample='fixest').bse['log(distw)']:.3f}" == "0.040"


def test_scholars_of_both_databases(copies):
    """Out-migration rates of 2018: Korea 3.8 %, Japan 1.8, United States 3.9 in OpenAlex."""
    rates = read(copies, "read_scholar_rates", "openalex", years=(2018, 2018)).set_index("iso3")
    assert (100 * rates.loc[["KOR", "JPN", "USA"], "out_rate"]).round(1).tolist() == [3.8, 1.8, 3.9]
    np.testing.assert_allclose(rates["net_rate"], rates["in_rate"] - rates["out_rate"], atol=1e-12)
    other = read(copies, "read_scholar_rates", "scopus", years=(2018, 2018)).set_index("iso3")
    assert round(100 * other.loc["KOR", "out_rate"], 1) == 1.2
    flows = read(copies, "read_scholar_flows", "openalex")
    assert flows["year"].max() == 2018
    assert not flows.duplicated(["origin", "destination", "year"]).any()
    lost = {loss.reason: loss.rows for loss in flows.attrs["ledger"].losses}
    assert lost["no country"] > 10_000


def test_stocks_abroad(copies):
    stocks = read(copies, "read_migrant_stocks", years=(2019, 2019))
    assert at(stocks, "stock", origin="KOR", destination="USA") == 1_083_794
    assert not stocks.duplicated(["origin", "destination"]).any()
    emigrants = read(copies, "read_emigrant_stocks", years=(2010, 2010)).query("origin == 'KOR'")
    expected = {"USA": 1_035_154, "CAN": 136_764, "AUS": 57_435, "NZL": 32_338}
    assert {to: int(at(emigrants, "stock", destination=to)) for to in expected} == expected
    women = read(copies, "read_emigrant_stocks", sex="female", years=(2010, 2010))
    assert at(women, "stock", origin="KOR", destination="USA") == 591_493


def test_emigration_of_the_skilled(copies):
    """2010, high education: Korea 5.7 %, United States .5, Japan .9, Great Britain 16.7; old codes are today's."""
    rates = read(copies, "read_emigration_rates", years=(2010, 2010)).set_index("iso3")
    assert (100 * rates.loc[["KOR", "USA", "JPN", "GBR"], "high"]).round(1).tolist() == [5.7, 0.5, 0.9, 16.7]
    assert {"ROU", "COD", "SGP", "ARE", "PSE", "TLS"} <= set(rates.index)
    # Guinea and Guinea-Bissau, whose codes the file has in each other's place.
    raw = pd.read_parquet(copies / "iab_brain_drain" / "emigration_rates_by_skill.parquet")
    raw = raw[(raw["year"] == 2010) & (raw["gender"] == "Male and Female")].set_index("origin")["high_rate"]
    np.testing.assert_allclose(rates.loc[["GIN", "GNB"], "high"], raw[["Guinea", "Guinea-Bissau"]], rtol=1e-6)
    assert not {"ROM", "WLD", "SIN"} & set(rates.index)


def test_distances_and_income(copies):
    distances = read(copies, "read_distances")
    assert len(distances) == 223 * 222
    assert {"ROU", "COD", "TLS"} <= set(distances["origin"])
    seoul = distances[(distances["origin"] == "KOR") & (distances["destination"] == "JPN")]
    assert 900 < seoul["dist"].iloc[0] < 1_300
    income = read(copies, "read_income", years=(2015, 2019)).groupby("iso3")["gdp_per_head"].mean()
    shipped = datasets.income().set_index("iso3")["gdp_per_head"]
    np.testing.assert_allclose(income[shipped.index], shipped, rtol=1e-6)
    world = read(copies, "read_penn_world_table", years=(2019, 2019))
    assert len(world) == 185
    np.testing.assert_allclose(world["gdp_per_head"], world["rgdpe"] / world["pop"])
    factors = read(copies, "read_ppp_factors", years=(2019, 2019))
    assert "NAM" in set(factors["iso3"])  # its two-letter code is NA
    assert 800 < at(factors, "ppp_factor", iso3="KOR") < 900


def test_ageing_and_technology(copies):
    ageing = read(copies, "read_ageing")
    assert round(at(ageing, "share_65", iso3="KOR", year=2023), 1) == 18.3
    assert ageing["year"].max() <= 2023
    assert "is_projection" not in ageing
    assert ageing.loc[ageing["year"] > 2015, "share_65_wpp2017"].isna().all()
    whole = read(copies, "read_ageing", projections=True)
    assert round(at(whole, "share_65_wpp2017", iso3="KOR", year=2023), 1) == 18.1
    assert whole["year"].max() == 2050
    assert not {"OED", "WLD"} & set(whole["iso3"])
    technology = read(copies, "read_technology", years=(2020, 2020))
    assert at(technology, "research_spending", iso3="KOR") > 4


def test_unions_are_not_spliced(copies):
    first = read(copies, "read_unions", "ictwss", years=(2017, 2017))
    second = read(copies, "read_unions", "ilostat", years=(2017, 2017))
    assert round(at(first, "density", iso3="KOR"), 1) == 10.5
    assert round(at(second, "density", iso3="KOR"), 1) == 12.4
    strict = read(copies, "read_unions", "oecd2018", protection="oecd_v4", years=(2019, 2019))
    assert strict["regular"].notna().sum() == 37
    assert round(at(strict, "temporary", iso3="DEU"), 2) == 1.67
    older = read(copies, "read_unions", "cpds", protection="cpds", years=(2019, 2019))
    assert round(at(older, "temporary", iso3="DEU"), 2) == 1.38
    rules = read(copies, "read_dismissal_rules")
    assert len(rules) == 103
    assert rules.set_index("iso3").loc["CZE", ["ftc_reg", "lc_domestic"]].tolist() == ["Yes", "Yes"]
    assert set(rules["ftc_reg"].dropna()) <= {"Yes", "No"}


def test_pay_of_occupations(copies):
    doctors = read(copies, "read_doctor_pay")
    assert set(doctors["year"]) == {2010, 2015, 2019, 2020}
    assert not [name for name in doctors if "usd" in name]
    gaps = read(copies, "read_doctor_engineer_pay").set_index("iso3")
    assert gaps["doctor_engineer"].notna().sum() == 12
    assert np.isnan(gaps.loc["KOR", "doctor_engineer"])
    known = gaps.dropna(subset="health_stem").reset_index()
    call = dict(estimate="health_stem", std_error="se_health_stem", unit="log")
    estimates = wg.Estimates.from_table(known, by=["iso3"], **call)
    assert np.isfinite(estimates.bse).all()
    hourly = read(copies, "read_hourly_earnings", years=(2014, 2014))
    assert at(hourly, "over_total", iso3="AFG", group="1") == pytest.approx(5.74 / 3.01)
    assert "hourly" not in hourly
    public = read(copies, "read_public_pay")
    assert public["iso3"].nunique() == 93
    assert "KOR" not in set(public["iso3"])
    wages = read(copies, "read_us_wages")
    assert len(wages) == 831
    assert wages.loc[wages["topcoded"], ["p90", "median", "mean"]].isna().any(axis=1).all()


def test_exposure_to_ai(copies):
    four, two = read(copies, "read_ai_exposure"), datasets.read_ai_exposure(2)
    assert four[["ilo_2025", "felten", "eloundou"]].notna().sum().tolist() == [427, 424, 408]
    assert at(four, "isco", title="Legislators") == "1111"
    assert {"01", "11"} <= set(two["isco"])
    inside = four[four["isco"].str[:2] == "44"]
    assert at(two, "ilo_2025", isco="44") == pytest.approx(inside["ilo_2025"].mean(), rel=1e-5)
    felten, eloundou = (read(copies, "read_ai_exposure_soc", name) for name in ("felten", "eloundou"))
    assert (len(felten), len(eloundou)) == (774, 798)
    assert felten["felten"].mean() == pytest.approx(0.0, abs=0.05)
    assert not eloundou["soc"].duplicated().any()
    tasks = read(copies, "read_ai_tasks")
    assert len(tasks) == 3_266
    assert at(tasks, "ilo_2025", isco="1111", task_id=1) == pytest.approx(0.34)
    links = read(copies, "read_isco_soc")
    assert (links["isco"].nunique(), links["soc"].nunique(), len(links)) == (438, 840, 1_125)
    assert links["partial"].dtype == bool
    licences = read(copies, "read_licences").set_index("group")["licensed"]
    assert round(100 * licences["Total, 16 years and over"], 1) == 22.7


def test_jobs_not_related_to_the_degree(copies):
    """NCSES 2021: computer science 9.5 %, engineering 10.8, physics 22.1, biology 26.0, psychology 27.3, health 7.6."""
    found = read(copies, "read_degree_relatedness", 2021)
    expected = {
        "Computer and information sciences": 9.5, "Engineering": 10.8, "Physics and astronomy": 22.1,
        "Biological sciences": 26.0, "Psychology": 27.3, "Health": 7.6,
    }  # fmt: skip
    for field, share in expected.items():
        assert round(100 * at(found, "not_related", level="All degrees", field=field), 1) == share
    sums = found[["closely", "somewhat", "not_related"]].sum(axis=1, skipna=False).dropna()
    assert (abs(sums - 1) < 0.02).mean() > 0.95  # counts are rounded to thousands
    for year in (2017, 2019):
        assert len(datasets.read_degree_relatedness(year, occupation="other")) == 164


def test_reasons_to_work_outside_the_field(copies):
    found = read(copies, "read_out_of_field")
    assert sorted(found["year"].unique()) == [1993, 1995, 1997, 1999, 2003, 2010, 2013, 2015]
    assert found["major"].nunique() <= 47
    assert "salary_mean" not in found
    assert found["salary_median"].max() < 999_999
    assert set(found.loc[found["spoilt"], "year"]) == {1993, 1995}
    assert read(copies, "read_out_of_field", recent_waves=True)["year"].isin([2001, 2006, 2008]).any()
    recent = read(copies, "read_major_pay", "recent")
    assert len(recent) == 173
    assert recent["college_jobs"].dropna().between(0, 1).all()
    assert {"median_without"} <= set(datasets.read_major_pay("graduate"))


def test_graduates_with_replicates_are_two_lines(copies):
    if not (copies / "piaac" / "piaac_c1_repwt_kor_usa_jpn.parquet").exists():
        pytest.skip("no local copy of PIAAC's replicate weights")
    adults = datasets.read_piaac(replicates=True)
    found = wg.fit_rates(adults, {"outside": "outside", "health": "to_health"}, among="working_stem")
    shares, deviations = 100 * found.params, 100 * found.bse
    assert [round(shares[f"{iso3} outside"]) for iso3 in ("KOR", "USA", "JPN")] == [74, 61, 63]
    assert f"{deviations['KOR outside']:.1f}" == "1.9"
    assert [f"{shares[f'{iso3} health']:.1f}" for iso3 in ("KOR", "USA")] == ["2.5", "6.8"]
    assert "JK2" in found.estimates.describe()
    everywhere = datasets.read_piaac()
    without = wg.fit_rates(everywhere, "outside_or_manager", among="working_stem", cov="HC0", min_rows=80)
    assert [round(100 * without.params[c]) for c in ("NOR", "SWE", "KOR")] == [30, 35, 69]
    own = everywhere.filter("working_stem == 1").frame
    assert (own.loc[own["kind"] == "STEM", "outside"] == 0).all()
    assert (own.loc[own["kind"] == "health", "to_health"] == 1).all()
    assert (own["in_field"] + own["outside"] == 1).all()


def test_premiums_of_working_in_the_field_and_of_health(copies):
    """Log points: in-field premium of Korean STEM graduates .129 (.057), health over STEM .121 (.072)."""
    adults = read(copies, "read_piaac")
    formula = "log(EARNHRPPP) ~ {} + exp_years + I(exp_years**2 / 100) + educ_level + sex"
    korea = adults.filter("iso3 == 'KOR' and has_pay == 1")
    inside = korea.filter("stem == 1 and kind.notna()")
    first = wg.fit_premiums(inside, formula.format("in_field"), premium="in_field", by=[], cov="HC1")
    second = wg.fit_premiums(
        korea.filter("stem == 1 or health == 1"), formula.format("health"), premium="health", by=[], cov="HC1"
    )
    for found, expected in ((first, ("0.129", "0.057")), (second, ("0.121", "0.072"))):
        assert (f"{found.params.iloc[0]:.3f}", f"{found.bse.iloc[0]:.3f}") == expected


# behaviour -----------------------------------------------------------------------------------------------------------


def test_every_reader_has_its_card():
    cards = datasets.catalogue().set_index("reader")
    assert sorted(cards.index) == READERS
    for name in READERS:
        assert "Raises" in inspect.getdoc(getattr(datasets, name))
        assert "Returns" in inspect.getdoc(getattr(datasets, name)) or name in (
            "read_kaggle", "read_piaac", "read_stack_overflow"
        )  # fmt: skip
    assert (cards["traps"].str.len() > 0).all()
    assert datasets.describe("distances") == datasets.describe("read_distances")
    with pytest.raises(errors.OptionError, match="read_distances"):
        datasets.describe("distnces")


def test_the_page_of_tables_is_the_catalogue():
    page = (ROOT / "docs" / "tables.md").read_text(encoding="utf-8")
    for row in datasets.catalogue().itertuples():
        assert f"| `{row.reader}` | {row.what} | {row.unit} | {row.coverage} | {row.terms} |" in page, row.reader


def test_codes_of_yesterday():
    words = pd.Series(["ROM", "ZAR", "KOR", "kr", "World", "ANT", "", None, "Korea, Rep."])
    assert iso3_or_none(words).tolist() == ["ROU", "COD", "KOR", "KOR", None, None, None, None, "KOR"]


@pytest.fixture
def pairs(tmp_path):
    """CEPII's table of three countries, one of them by its old code, and the Netherlands Antilles."""
    codes = ["KOR", "ROM", "USA", "ANT"]
    frame = pd.MultiIndex.from_product([codes, codes], names=["iso_o", "iso_d"]).to_frame(index=False)
    for name in ("contig", "comlang_off", "comlang_ethno", "colony", "comcol", "curcol", "col45", "smctry"):
        frame[name] = 0
    for name in ("dist", "distcap", "distw", "distwces"):
        frame[name] = np.arange(16, dtype=np.float32)
    frame.to_csv(tmp_path / "dist.csv", index=False)
    frame.to_stata(tmp_path / "dist.dta", write_index=False)
    return tmp_path


@pytest.mark.parametrize("suffix", ["csv", "dta"])
def test_a_copy_in_any_format(pairs, suffix):
    found = datasets.read_distances(pairs / f"dist.{suffix}")
    assert sorted(found["origin"].unique()) == ["KOR", "ROU", "USA"]
    assert len(found) == 6
    assert found.attrs["ledger"].line() == "6 of 16 rows; lost: 7 no country (ANT), 3 a country with itself"
    assert found["distw"].dtype == np.float64


def test_the_wrong_table_is_refused_by_name(pairs, tmp_path, monkeypatch):
    with pytest.raises(errors.ColumnError, match=r"dist.csv is no copy of .*un_desa.*lacks year, dest, origin, stock"):
        datasets.read_migrant_stocks(path=pairs / "dist.csv")
    with pytest.raises(errors.DataError, match="Did you mean"):
        datasets.read_distances(pairs / "dists.csv")
    monkeypatch.setenv("WAGEGAP_DATA", str(tmp_path))
    with pytest.raises(errors.DataError, match=r"gravity/dist_cepii\.parquet in the folder that WAGEGAP_DATA names"):
        datasets.read_distances()
    monkeypatch.delenv("WAGEGAP_DATA")
    with pytest.raises(errors.DataError, match="set WAGEGAP_DATA"):
        datasets.read_income()
    (tmp_path / "empty.csv").write_text("iso_o,iso_d\n")
    with pytest.raises(errors.ColumnError, match="lacks contig"):
        datasets.read_distances(tmp_path / "empty.csv")


@pytest.mark.parametrize(
    ("years", "words"),
    [((2018, 2010), "first and the last"), ((2010,), "first and the last"), ((1900, 1901), "has 2017")],
)
def test_years_that_are_none(tmp_path, years, words):
    rows = pd.DataFrame(
        {"iso3": ["KOR", "USA"], "year": [2017, 2018], "rgdpe": 1.0, "pop": 1.0, "emp": 1.0, "rgdpo": 1}
    )
    rows.to_csv(tmp_path / "pwt.csv", index=False)
    with pytest.raises(errors.OptionError, match=words):
        datasets.read_penn_world_table(years=years, path=tmp_path / "pwt.csv")


def test_namibia_and_what_is_missing(tmp_path):
    rows = pd.DataFrame({"country": ["Namibia", "World", "Korea, Rep."], "iso2": [None, None, "KR"],
                         "year": 2019, "ppp_factor": [7.0, 1.0, 850.0]})  # fmt: skip
    rows.to_parquet(tmp_path / "ppp.parquet")
    found = datasets.read_ppp_factors(path=tmp_path / "ppp.parquet")
    assert found["iso3"].tolist() == ["KOR", "NAM"]
    assert "1 a region (World)" in found.attrs["ledger"].line()


FLOWS = pd.DataFrame({"origin": ["KOR", "KOR", "JPN", "USA"], "destination": ["USA", "JPN", "USA", "KOR"],
                      "year": [2017, 2018, 2018, 2018], "moves": [5, 2, 3, 1]})  # fmt: skip


def test_complete_pairs():
    whole = datasets.complete_pairs(FLOWS)
    assert len(whole) == 3 * 2 * 2
    assert whole["moves"].sum() == FLOWS["moves"].sum()
    assert whole["moves"].dtype == FLOWS["moves"].dtype
    summed = datasets.complete_pairs(FLOWS, 2, by_year=False)
    assert summed[["origin", "destination", "moves"]].values.tolist() == [["JPN", "KOR", 0], ["KOR", "JPN", 2]]
    assert at(datasets.complete_pairs(FLOWS, ["USA", "KOR"], by_year=False), "moves", origin="KOR") == 5


@pytest.mark.parametrize(
    ("change", "call", "error", "words"),
    [
        ({}, {"countries": ["KOR", "USAA"]}, errors.DataError, "USAA.*Did you mean 'USA'"),
        ({}, {"countries": ["KOR", "KOR"]}, errors.DataError, "KOR twice"),
        ({"moves": [5, -2, 3, 1]}, {}, errors.DataError, "negative in 1 of"),
        ({"more": 1}, {}, errors.ColumnError, "value=None must name"),
        ({"more": 1}, {"value": "move"}, errors.ColumnError, "Did you mean 'moves'"),
    ],
)
def test_bad_pairs(change, call, error, words):
    with pytest.raises(error, match=words):
        datasets.complete_pairs(FLOWS.assign(**change), **call)
    with pytest.raises(errors.ColumnError, match="'year'"):
        datasets.complete_pairs(FLOWS.drop(columns="year"))


def test_replicate_weights_that_do_not_fit(copies, tmp_path):
    rows = pd.read_parquet(copies / "piaac" / "piaac_c1.parquet").query("iso3 == 'KOR'").head(50)
    few = rows[["iso3", "pid"]].astype({"iso3": object}).assign(SPFWT1=1.0, SPFWT2=2.0)
    for weights, error, words in (
        (few.drop(columns=["SPFWT1", "SPFWT2"]), errors.ColumnError, "no replicate weights"),
        (pd.concat([few, few.head(3)]), errors.DuplicateKeyError, "3 persons twice"),
        (few, errors.DataError, "persons have no replicate weights"),
    ):
        weights.to_parquet(tmp_path / "weights.parquet")
        with pytest.raises(error, match=words):
            datasets.read_piaac(replicates=tmp_path / "weights.parquet")


@pytest.mark.parametrize(
    ("reader", "name", "lost"),
    [
        (wg.datasets.read_kaggle, "kaggle_survey/kaggle_2019_2022.parquet", "title"),
        (wg.datasets.read_stack_overflow, "so_survey/so_micro.parquet", "exp_years"),
        (wg.datasets.read_piaac, "piaac/piaac_c1.parquet", "EDCAT7"),
    ],
)
def test_survey_without_a_column_is_no_copy_of_its_table(facts, tmp_path, reader, name, lost):
    path = tmp_path / "copy.parquet"
    pd.DataFrame([dict.fromkeys(facts("survey_columns")[name], 1.0)]).drop(columns=lost).to_parquet(path)
    with pytest.raises(errors.ColumnError, match=rf"copy.parquet is no copy of {name}: it lacks {lost}\."):
        reader(path)


def test_columns_of_the_surveys_are_those_recorded(copies, facts):
    import pyarrow.parquet as pq

    for name, columns in facts("survey_columns").items():
        assert pq.read_schema(copies / name).names == columns
