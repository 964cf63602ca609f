"""Countries are found by what a column holds, and meet by name or code, whatever the column is called."""

import pandas as pd
import pytest

import wagegap as wg
from wagegap.errors import DataError, DuplicateKeyError, EmptyDataError, OptionError
from wagegap.estimation.countries.columns import country_key, country_name, hold_countries, meet_countries, near_country

NET = wg.datasets.talent_migration("ai")
NAMES = {
    "AUS": "Australia", "CAN": "Canada", "FRA": "France", "GBR": "UK", "KOR": "Korea, Rep.", "USA": "United States",
}  # fmt: skip
AGEING = {"AUS": 3.0, "CAN": 4.0, "FRA": 5.5, "GBR": 4.5, "KOR": 9.0, "USA": 2.0}


def premiums_under(heading, *, named=False):
    published = wg.datasets.published_premiums()
    keys = published.labels["iso3"].map(NAMES) if named else published.labels["iso3"]
    frame = pd.DataFrame({heading: keys.tolist(), "b": published.values})
    return wg.Estimates.from_table(frame, by=[heading], std_error=None, term="premium", unit="per cent")


def covariates_under(heading, *, named=False):
    keys = [NAMES[iso3] if named else iso3 for iso3 in AGEING]
    return pd.DataFrame({heading: keys, "ageing": list(AGEING.values())})


@pytest.mark.parametrize("named", [False, True], ids=["codes", "names"])
@pytest.mark.parametrize("heading", ["Country", "cntry", "nation", "where", "iso3"])
@pytest.mark.parametrize("of_data", ["iso3", "Land", "COUNTRY"])
def test_premiums_rates_and_data_meet_by_country(heading, named, of_data):
    plain = wg.fit_link(
        "net_migration ~ premium + ageing", NET, premiums_under("iso3"), data=covariates_under("iso3"), method="ols"
    )
    link = wg.fit_link(
        "net_migration ~ premium + ageing",
        NET,
        premiums_under(heading, named=named),
        data=covariates_under(of_data, named=named),
        method="ols",
    )
    pd.testing.assert_frame_equal(link.tidy(), plain.tidy())
    assert link.cells.names == plain.cells.names
    said = f"'{heading}' of premium is matched with 'iso3' of the rates"
    assert (said in str(link)) == (heading != "iso3")
    assert ("of data is matched" in str(link)) == (of_data != "iso3")


@pytest.mark.parametrize("on", [None, "iso3", "Country"])
def test_on_names_the_country_by_either_heading(on):
    link = wg.fit_link("net_migration ~ premium", NET, premiums_under("Country"), on=on, method="ols")
    assert link.cells.noun == "country"
    assert len(link.cells.names) == 6


def test_a_key_that_on_names_and_both_have_is_not_replaced_by_a_country():
    both = wg.Estimates.from_table(
        pd.DataFrame({"region": ["a", "b", "c", "d"], "Country": ["KOR", "USA", "FRA", "GBR"], "b": [1.0, 2, 3, 5]}),
        by=["region", "Country"], std_error=None, term="premium", unit="per cent",
    )  # fmt: skip
    rates = wg.Estimates.from_table(
        pd.DataFrame({"region": ["a", "b", "c", "d"], "iso3": ["USA", "KOR", "GBR", "FRA"], "b": [4.0, 1, 2, 6]}),
        by=["region", "iso3"], std_error=None, term="rate",
    )  # fmt: skip
    link = wg.fit_link("rate ~ premium", rates, both, on="region", method="ols")
    assert link.cells.names == ("a", "b", "c", "d")
    assert link.cells.p[:, 0].tolist() == [1.0, 2.0, 3.0, 5.0]


def test_a_country_twice_by_two_spellings_is_refused():
    frame = pd.DataFrame({"nation": ["Korea, Rep.", "South Korea", "USA", "France"], "b": [1.0, 2.0, 3.0, 4.0]})
    premiums = wg.Estimates.from_table(frame, by=["nation"], std_error=None, term="premium", unit="per cent")
    with pytest.raises(DuplicateKeyError, match="KOR"):
        wg.fit_link("net_migration ~ premium", NET, premiums, method="ols")


@pytest.mark.parametrize("named", [False, True], ids=["codes", "names"])
def test_questions_take_names_and_codes(named):
    link = wg.fit_link("net_migration ~ premium", NET, premiums_under("Country", named=named))
    answers = [link.outlier(wanted) for wanted in ("KOR", "South Korea", "Korea, Republic of", "KR")]
    assert len({str(answer) for answer in answers}) == 1
    assert "South Korea's" in str(answers[0])
    one = link.predict(country="Korea", premium="United States")
    assert str(one) == str(link.predict(country="KOR", premium="USA"))
    by_trait = link.moderate("ageing", data=covariates_under("economy", named=True))
    assert str(by_trait) == str(link.moderate("ageing", data=covariates_under("iso3")))


@pytest.mark.parametrize(
    ("wanted", "meant"), [("Frence", "France"), ("KRO", "KOR"), ("Untied States", "United States")]
)
def test_an_unknown_country_is_refused_with_the_near_one(wanted, meant):
    link = wg.fit_link("net_migration ~ premium", NET, premiums_under("Country"), method="ols")
    with pytest.raises(DataError, match=f"Did you mean '{meant}'"):
        link.outlier(wanted)
    with pytest.raises(EmptyDataError, match=f"Did you mean '{meant}'"):
        premiums_under("Country").select(Country=wanted)
    with pytest.raises(OptionError, match=f"'{wanted}' is no country. Did you mean '{meant}'"):
        premiums_under("Country").select(Country=["USA", wanted])


def test_estimates_are_selected_by_names_under_any_heading():
    for premiums in (premiums_under("Country"), premiums_under("Country", named=True)):
        assert premiums.select(Country=["South Korea", "USA"]).values.tolist() == [6.0, 25.0]


def test_groups_are_countries_by_name():
    panel = wg.simulate_panel(countries=2, workers=200, rng=1).panel
    first, second = sorted(panel.frame["iso3"].unique())
    frame = panel.frame.rename(columns={"iso3": "Country"})
    gap = wg.oaxaca(frame, "log(hourly_wage) ~ exper", group="Country", groups=(country_name(first), second))
    assert country_name(first) != first
    pd.testing.assert_frame_equal(
        gap.tidy(),
        wg.oaxaca(frame, "log(hourly_wage) ~ exper", group="Country", groups=(first, second)).tidy(),
    )


def test_which_column_holds_countries():
    assert country_key(pd.DataFrame({"field": ["AI", "ML"], "year": [1, 2]})) is None  # Anguilla and Mali
    assert country_key(pd.DataFrame({"Country": ["AI", "ML"], "field": ["KOR", "USA"]})) == "Country"
    assert country_key(pd.DataFrame({"place": ["Türkiye", "KOR"], "year": [1, 2]})) == "place"
    assert not hold_countries(pd.DataFrame({"place": ["Total", "KOR"]}))
    assert near_country("Elsewhere", ["FRA"]) == ""


def test_codes_in_small_letters_still_do_not_meet_those_in_capitals():
    keys, other, _ = meet_countries(pd.DataFrame({"iso3": ["KOR"]}), pd.DataFrame({"iso3": ["kor"]}))
    assert keys["iso3"].tolist() == ["KOR"]
    assert other["iso3"].tolist() == ["kor"]
