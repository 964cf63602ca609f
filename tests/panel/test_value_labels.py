"""Value labels of Stata and SPSS files: labels for codes, missing codes missing, numbers numbers."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import wagegap as wg
from wagegap.errors import CountryError, DataError, MissingValueError, OptionError, WageError
from wagegap.panel.load import read_panel
from wagegap.panel.value_labels import says_missing

pyreadstat = pytest.importorskip("pyreadstat")
ROLES = dict(worker="pid", country="country", period="year", wage="wage", duplicates="keep")
COUNTRIES = {1: "Korea, Rep.", 2: "Japan", 3: "France"}


def workers(**columns):
    n = 12
    base = {"pid": np.arange(n), "country": np.tile([1, 2, 3], 4), "year": 2020, "wage": np.arange(n) + 10.0}
    return pd.DataFrame({**base, **columns})


def write(frame, path, labels, **more):
    writer = pyreadstat.write_dta if path.suffix == ".dta" else pyreadstat.write_sav
    writer(frame, str(path), variable_value_labels=labels, **more)
    return path


@pytest.fixture(params=["a.dta", "a.sav"])
def path(request, tmp_path):
    return tmp_path / request.param


def test_labelled_countries_are_countries(path):
    panel = read_panel(write(workers(), path, {"country": COUNTRIES}), **ROLES)
    assert panel.frame["country"].tolist() == ["KOR", "JPN", "FRA"] * 4
    assert "labels stand in place of codes in country" in " ".join(panel.ledger.notes)


def test_a_wage_labelled_as_refused_is_no_wage(path):
    rows = workers(wage=[99997.0] * 4 + [10.0] * 8)
    write(rows, path, {"country": COUNTRIES, "wage": {99997: "Refused"}})
    with pytest.raises(WageError, match=r"4 of 12 rows \(4 labelled 'Refused' \(99997\)\).*row 0: 'Refused'"):
        read_panel(path, **ROLES)
    kept = read_panel(path, **ROLES, invalid_wage="missing")
    assert kept.frame["wage"].max() == 10
    assert kept.frame["wage"].isna().sum() == 4
    assert "wage 'Refused' (99997) in 4 rows" in " ".join(kept.ledger.notes)
    dropped = read_panel(path, **ROLES, invalid_wage="drop")
    assert {loss.reason: loss.rows for loss in dropped.ledger.losses} == {"labelled 'Refused' (99997) wage": 4}


@pytest.mark.parametrize(
    ("code", "label"),
    [(-9, "Don't know"), (9999, "Not applicable"), (1, "No answer"), (99998, "Not employed"), (7, "Self-employed")],
)
def test_any_labelled_code_of_a_wage_is_no_amount(path, code, label):
    write(workers(wage=[code] * 2 + [50.0] * 10), path, {"country": COUNTRIES, "wage": {code: label}})
    panel = read_panel(path, **ROLES, invalid_wage="missing")
    assert panel.frame["wage"].dropna().unique().tolist() == [50.0]


@pytest.mark.parametrize("label", ["Top-coded at 50", "50 or more", "50", "50+"])
def test_the_top_of_a_scale_and_a_number_labelled_as_itself_are_amounts(path, label):
    write(workers(wage=[50.0] * 6 + [20.0] * 6), path, {"country": COUNTRIES, "wage": {50: label}})
    panel = read_panel(path, **ROLES)
    assert sorted(panel.frame["wage"].unique()) == [20, 50]
    assert f"wage (50 {label})" in panel.ledger.notes[-1]


def test_bands_of_pay_are_no_amounts(path):
    bands = {1: "Under 10,000", 2: "10,000 to 20,000", 3: "20,000 or less than 30,000"}
    write(workers(wage=np.tile([1, 2, 3], 4)), path, {"country": COUNTRIES, "wage": bands})
    with pytest.raises(
        WageError, match=r"labelled codes such as 'Under 10,000'.*all of its 12 rows.*middle of each band"
    ):
        read_panel(path, **ROLES)


OTHERS = {
    "field": {1: "1. Science", 2: "2. Health", 3: "Don't know/refused"}, "occ": {1: "Refuse collectors", 2: "Doctors"},
    "educ": {1: "primary", 2: "secondary", 3: "tertiary"}, "female": {0: "Male", 1: "Female"},
    "years": {97: "97 or more", 98: "Not stated", 99: "Inapplicable (never worked)"},
    "twice": {1: "Other", 2: "Other", 3: "Mining"}, "w": {-1: "Not in universe"},
}  # fmt: skip


@pytest.fixture
def labelled(path):
    rows = workers(
        field=np.tile([1, 2, 3], 4), occ=np.tile([1, 2], 6), educ=np.tile([3, 1, 2], 4), female=np.tile([0, 1], 6),
        years=[3.0, 97, 98, 99] * 3, twice=np.tile([1, 2, 3], 4), w=[-1.0] + [1.0] * 11,
    )  # fmt: skip
    return write(rows, path, {"country": COUNTRIES, **OTHERS})


def test_each_column_takes_what_its_role_needs(labelled):
    panel = read_panel(labelled, **ROLES, field="field", occupation="occ")
    frame = panel.frame
    assert frame["field"].tolist()[:2] == ["Science", "Health"]
    assert frame["field"].isna().sum() == 4
    assert set(frame["occ"]) == {"Refuse collectors", "Doctors"}
    assert list(frame["educ"].cat.categories) == ["primary", "secondary", "tertiary"]
    assert frame["female"].tolist()[:2] == [0, 1]
    assert frame["years"].dropna().unique().tolist() == [3, 97]
    assert set(frame["twice"]) == {"Other (1)", "Other (2)", "Mining"}
    assert np.isnan(frame["w"].iloc[0])
    said = " ".join(panel.ledger.notes)
    for words in (
        "field \"Don't know/refused\" (3) in 4 rows", "years 'Not stated' (98) in 3 rows",
        "w 'Not in universe' (-1) in 1 rows",
        "in place of codes in country, field, occ, educ, twice", "stay numbers in female (0 Male, 1 Female), years (97",
    ):  # fmt: skip
        assert words in said


def test_codes_and_labels_can_be_asked_for(labelled):
    codes = read_panel(labelled, **ROLES, field="field", value_labels="codes").frame
    assert codes["educ"].tolist()[:3] == [3, 1, 2]
    assert codes["field"].iloc[0] == "Science"
    assert codes["years"].dropna().unique().tolist() == [3, 97]
    labels = read_panel(labelled, **ROLES, value_labels="labels").frame
    assert labels["female"].tolist()[:2] == ["Male", "Female"]
    with pytest.raises(OptionError, match="Did you mean 'labels'"):
        read_panel(labelled, **ROLES, value_labels="label")


def test_a_weight_whose_code_is_missing_is_refused_where_it_is_used(labelled):
    panel = read_panel(labelled, **ROLES, weight="w")
    with pytest.raises(MissingValueError, match="weights 'w' are missing or text in 1 of 12"):
        wg.fit_rates(panel, {"female": "female"}, min_rows=2)


def test_groups_and_factors_read_as_the_survey_has_them(path):
    rng = np.random.default_rng(3)
    rows = workers().loc[np.repeat(np.arange(12), 60)].reset_index(drop=True)
    rows = rows.assign(pid=np.arange(720), ai=rng.integers(0, 2, 720), sex=rng.integers(1, 3, 720))
    rows["wage"] = np.exp(2 + 0.1 * rows["ai"] + rng.normal(0, 0.1, 720))
    write(rows, path, {"country": COUNTRIES, "sex": {1: "Man", 2: "Woman"}, "ai": {0: "No", 1: "Yes"}})
    panel = read_panel(path, **ROLES)
    premiums = wg.fit_premiums(panel, "log(wage) ~ ai", premium="ai", by=["country", "sex"])
    assert set(premiums.estimates.labels["sex"]) == {"Man", "Woman"}
    codes = wg.fit_premiums(rows, "log(wage) ~ ai", premium="ai", by=["country", "sex"])
    np.testing.assert_allclose(np.sort(premiums.params), np.sort(codes.params), rtol=1e-10)
    gap = wg.oaxaca(panel, "log(wage) ~ ai", group="sex", groups=("Man", "Woman"))
    assert gap.comparisons.loc[0, "name_first"] == "Man"


def test_countries_without_a_label_are_named(path):
    write(workers(), path, {"country": {1: "Korea", 2: "Japan"}})
    with pytest.raises(CountryError, match=r"1 name in 4 of 12 rows.*'3'"):
        read_panel(path, **ROLES)


@pytest.mark.parametrize("labels", [{1: "1 year", 2: "2 years", 3: "3 years"}, {1: "1", 2: "2", 3: "3"}])
def test_numbers_labelled_by_themselves_stay_numbers(path, labels):
    write(workers(tenure=np.tile([1, 2, 3], 4)), path, {"country": COUNTRIES, "tenure": labels})
    for use in ("auto", "labels", "codes"):
        assert read_panel(path, **ROLES, value_labels=use).frame["tenure"].tolist()[:3] == [1, 2, 3]


@pytest.mark.parametrize(
    "labels", [{1: "1 Science", 2: "2 Health", 3: "3 Law"}, {1: "1. low", 2: "2. middle", 3: "3. high"}]
)
def test_codes_before_words_are_codes(path, labels):
    write(workers(kind=np.tile([1, 2, 3], 4)), path, {"country": COUNTRIES, "kind": labels})
    assert read_panel(path, **ROLES).frame["kind"].tolist()[0] in ("Science", "low")


def test_codes_without_a_label_are_said(path):
    write(workers(occ=np.tile([1, 2, 13], 4)), path, {"country": COUNTRIES, "occ": {1: "Clerks", 2: "Doctors"}})
    panel = read_panel(path, **ROLES, occupation="occ")
    assert panel.frame["occ"].tolist()[:3] == ["Clerks", "Doctors", "13"]
    assert "codes without a label stay as they are: occ 13 in 4 rows" in panel.ledger.notes


def test_a_country_labelled_as_missing_is_missing(path):
    write(workers(), path, {"country": {1: "Korea", 2: "Japan", 3: "Not stated"}})
    with pytest.raises(MissingValueError, match="no country in 4 of 12"):
        read_panel(path, **ROLES)


def test_categories_that_pandas_writes_to_stata_are_read_again(tmp_path):
    rows = workers(
        country=pd.Categorical(["Korea, Rep.", "Japan", "France"] * 4),
        region=pd.Categorical(["north", "south", "east"] * 4), sex=pd.Categorical(["man", "woman"] * 6),
    )  # fmt: skip
    path = tmp_path / "a.dta"
    rows.to_stata(path, write_index=False)
    panel = read_panel(path, **ROLES, value_labels="labels")
    assert panel.frame["country"].tolist() == ["KOR", "JPN", "FRA"] * 4
    assert panel.frame["region"].tolist() == rows["region"].tolist()
    assert panel.frame["sex"].tolist() == rows["sex"].tolist()
    two = workers(country=pd.Categorical(["Japan", "Korea"] * 6))
    two.to_stata(path, write_index=False)
    assert read_panel(path, **ROLES).frame["country"].tolist() == ["JPN", "KOR"] * 6


def test_missing_values_that_spss_declares_are_missing_and_counted(tmp_path):
    rows = workers(age=[30.0, -9, 97, 98] * 3, town=["a", "z", "b", "c"] * 3, wage=[10.0] * 11 + [9999998.0])
    ranges = {"age": [-9, {"lo": 97, "hi": 99}], "town": ["z"], "wage": [9999998]}
    path = write(rows, tmp_path / "a.sav", {"country": COUNTRIES, "age": {-9: "Ref."}}, missing_ranges=ranges)
    panel = read_panel(path, **ROLES, invalid_wage="drop")
    assert panel.frame["age"].dropna().unique().tolist() == [30]
    assert panel.frame["town"].isna().sum() == 3
    assert [loss.reason for loss in panel.ledger.losses] == ["labelled code 9999998 wage"]
    said = " ".join(panel.ledger.notes)
    assert "age code 97 in 3 rows, 'Ref.' (-9) in 3 rows" in said or "age 'Ref.' (-9) in 3 rows" in said


def test_labelled_missing_values_of_stata_are_counted(tmp_path):
    rows = workers(age=pd.Series([30.0, "a", "b", 40.0] * 3, dtype=object))
    labels = {"country": COUNTRIES, "age": {"a": "Refused", "b": "Dead"}}
    path = write(rows, tmp_path / "a.dta", labels, missing_user_values={"age": ["a", "b"]})
    panel = read_panel(path, **ROLES)
    assert panel.frame["age"].dropna().unique().tolist() == [30, 40]
    assert "age 'Refused' (.a) in 3 rows, 'Dead' (.b) in 3 rows" in panel.ledger.notes[0]


def test_files_that_give_one_code_several_meanings_are_read_each_by_its_labels(tmp_path):
    write(workers(year=2019), tmp_path / "a1.dta", {"country": COUNTRIES, "wage": {10: "Refused"}})
    write(workers(year=2020), tmp_path / "a2.dta", {"country": {1: "Japan", 2: "Korea", 3: "USA"}})
    panel = read_panel(tmp_path / "a*.dta", **ROLES, invalid_wage="missing")
    first, second = (panel.frame[panel.frame["year"] == year] for year in (2019, 2020))
    assert first["country"].tolist()[:3] == ["KOR", "JPN", "FRA"]
    assert second["country"].tolist()[:3] == ["JPN", "KOR", "USA"]
    assert (first["wage"].isna().sum(), second["wage"].isna().sum()) == (1, 0)


def test_moves_between_labelled_fields_are_moves(path):
    rows = pd.DataFrame(
        {"pid": [1, 1, 2, 2], "country": 1, "year": [2019, 2020] * 2, "wage": 10.0, "field": [1, 2, 2, 2]}
    )
    write(rows, path, {"country": COUNTRIES, "field": {1: "Science", 2: "Health"}})
    panel = read_panel(path, **{**ROLES, "duplicates": "raise"}, field="field").transitions()
    assert panel.frame["new_field_next"].tolist() == pytest.approx([1, np.nan, 0, np.nan], nan_ok=True)
    assert panel.frame["next_field"].iloc[0] == "Health"


MISSING = [
    "Refused", "REFUSAL", "-9. Don't know/no answer", "Don’t know", "DK", "DK/NA", "N/A", "n.a.", "NIU", "IAP",
    "Not applicable (not at work)", "Not in universe", "Missing", "System missing", "Not stated", "Not ascertained",
    "Inap", "Inapplicable: never worked", "Valid skip", "No response", "Non-response", "Unknown", "Not reported",
    "Prefer not to say", "Refused to answer", "Don't know, refused", "Unknown or not stated", "[Missing]",
    "Can't say", "Unspecified", "99 = Not available",
]  # fmt: skip
SAID = [
    "Refuse collectors", "Refuse sorters", "None", "No degree", "Other", "Not employed", "No", "Never",
    "Missing persons unit",
    "Unknown Soldier's Guild", "Knows a trade", "Not satisfied", "North America", "Applicable", "Nurse", "NRW",
    "Don't know many people", "Others, not elsewhere classified",
]  # fmt: skip


@pytest.mark.parametrize("label", MISSING)
def test_labels_of_nothing_answered(label):
    assert says_missing(label)


@pytest.mark.parametrize("label", SAID)
def test_labels_of_answers(label):
    assert not says_missing(label)


def test_options_of_text_files_are_refused_for_others(path):
    write(workers(), path, {"country": COUNTRIES})
    for option in (dict(sep=";"), dict(encoding="cp1252"), dict(decimal=","), dict(sheet=0)):
        with pytest.raises(OptionError, match=r"of text files|of workbooks"):
            read_panel(path, **ROLES, **option)
    with pytest.raises(OptionError, match="source is a frame"):
        read_panel(workers(country="KOR"), **ROLES, sep=";")
    assert issubclass(WageError, DataError)
