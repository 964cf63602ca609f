"""Premiums, rates and links on the real tables, against the figures of the plain pandas and statsmodels chain."""

from __future__ import annotations

import pandas as pd
import pytest

from wagegap.errors import IdentificationError, SmallCellWarning
from wagegap.panel.load import read_panel
from wagegap.regression.mobility import fit_rates
from wagegap.regression.premium import fit_premiums

KINDS = ["exact", "exact_trimmed", "band10k", "band20k"]
FORMULA = "log(pay_usd) ~ ai + exp_years + I(exp_years**2) + educ_level + sex + C(year)"

# Per cent, standard error, respondents with AI work, all respondents: HC1, Stack Overflow surveys 2015-17, 2019, 2024,
# 2025, as the plain chain prints them (pandas and statsmodels OLS).
PUBLISHED = """
USA 11.7 2.1 1852 32560
GBR 8.4 4.0 442 9575
IND 27.2 6.5 379 8412
DEU 5.5 3.0 424 8202
CAN 3.9 4.3 209 4805
FRA 0.2 3.3 230 3879
POL 16.3 7.3 93 2904
BRA 16.8 9.3 113 2847
AUS 4.0 6.5 118 2820
ESP 8.1 7.4 146 2750
NLD 1.6 4.9 140 2496
SWE 5.5 4.3 84 2410
ITA 12.9 8.7 104 2298
RUS 6.8 7.0 96 2117
CHE -0.8 5.8 124 1471
ISR 18.9 6.3 65 1106
TUR 4.4 9.6 50 1010
ZAF 39.5 16.5 41 957
JPN 10.2 8.9 32 517
SGP 26.2 18.5 28 386
"""


@pytest.fixture(scope="module")
def developers(data_folder):
    path = data_folder / "so_survey" / "so_micro.parquet"
    if not path.exists():
        pytest.skip("no local copy of the Stack Overflow table")
    rows = pd.read_parquet(path)
    rows["iso3"] = rows["iso3"].astype("object")
    keep = rows["pay_kind"].astype(str).isin(KINDS) & rows["ai"].notna() & rows["pay_usd"].gt(500)
    keep &= rows["exp_years"].notna() & rows["iso3"].notna()
    rows = rows[keep & rows["fulltime"].fillna(True).astype(bool)].copy()
    rank = rows.groupby(["iso3", "year"], observed=True)["pay_usd"].rank(pct=True)
    rows = rows[(rank > 0.01) & (rank < 0.99)].copy()
    rows["ai"] = rows["ai"].astype(int)
    rows["sex"] = rows["female"].map({0: "m", 1: "f"}).fillna("na")
    early = rows["year"].astype(str).isin(["2015", "2016"]).map({True: "b_", False: ""})
    rows["educ_level"] = early + rows["educ"].astype("object").fillna("na").astype(str)
    return read_panel(rows, country="iso3", period="year", wage="pay_usd", source_name="Stack Overflow")


@pytest.fixture(scope="module")
def premiums(developers):
    with pytest.warns(SmallCellWarning, match="left out"):
        return fit_premiums(developers, FORMULA, premium="ai", by="iso3", cov="HC1", empty_cells="exclude")


@pytest.mark.parametrize("line", PUBLISHED.split("\n")[1:-1], ids=lambda line: line[:3])
def test_premiums_of_developers(premiums, line):
    iso3, per_cent, error, n_ai, n = line.split()
    row = premiums.per_cent().tidy().set_index("iso3").loc[iso3]
    cell = premiums.cells.set_index("iso3").loc[iso3]
    assert f"{row['estimate']:.1f}" == per_cent
    assert f"{row['std_error']:.1f}" == error
    assert (cell["n_treated"], cell["n"]) == (int(n_ai), int(n))


def test_korea_is_absent_and_can_be_asked_for(developers, premiums):
    assert len(premiums.cells) == 40
    korea = premiums.absent.set_index("iso3").loc["KOR"]
    assert (korea["n_treated"], korea["n"]) == (17, 282)
    asked = fit_premiums(
        developers.filter("iso3 == 'KOR'"), FORMULA, premium="ai", by="iso3", cov="HC1", min_treated=15
    )
    row = asked.per_cent().tidy().iloc[0]
    assert (round(row["estimate"]), round(row["std_error"])) == (-27, 15)


def test_a_country_without_holders_is_an_error(developers):
    with pytest.raises(IdentificationError, match="no premium holder"):
        fit_premiums(developers, FORMULA, premium="ai", by="iso3", cov="HC1")


@pytest.fixture(scope="module")
def adults(data_folder):
    path = data_folder / "piaac" / "piaac_c1.parquet"
    if not path.exists():
        pytest.skip("no local copy of the PIAAC table")
    rows = pd.read_parquet(path)
    rows["iso3"] = rows["iso3"].astype("object")
    occupation = rows["ISCO2C"].astype("object").fillna("")
    rows["occ_ok"] = occupation.str.fullmatch(r"\d\d") & ~occupation.str.startswith("99")
    stem = rows["EDCAT7"].between(5, 8) & rows["B_Q01b"].isin([5, 6])
    rows["among"] = (stem & rows["occ_ok"] & rows["C_D05"].eq(1)).astype(int)
    rows["outside"] = 1.0 - occupation.isin(["21", "25", "31", "35"]).astype(float)
    return rows


def test_korean_stem_graduates_outside_stem(adults):
    korea = adults[adults["iso3"] == "KOR"]
    names = [c for c in korea.columns if c.startswith("SPFWT") and c != "SPFWT0"]
    linear = read_panel(korea, country="iso3", weight="SPFWT0", source_name="PIAAC")
    rate = fit_rates(linear, {"outside": "outside"}, among="among", cov="HC0")
    assert 100 * rate.params.iloc[0] == pytest.approx(74, abs=0.5)
    assert f"{100 * rate.bse.iloc[0]:.1f}" == "1.8"
    replicated = read_panel(
        korea, country="iso3", weight="SPFWT0", replicate_weights=names, replicate_kind="JK2", source_name="PIAAC"
    )
    again = fit_rates(replicated, {"outside": "outside"}, among="among")
    assert len(names) == 80
    assert f"{100 * again.bse.iloc[0]:.1f}" == "1.9"
