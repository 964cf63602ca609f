"""What nobody answered is missing: no indicator of a reader is 0 because a code is unknown."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import wagegap as wg
from wagegap.datasets import stack_overflow
from wagegap.datasets.harmonise import _full_time
from wagegap.datasets.local import indicator, zero_one

# Adults of PIAAC: STEM graduates in STEM (1), management (2), health (3), out of work (4) and with hidden codes (5-7);
# a graduate of health (8); somebody without a degree who studied engineering (9); one whose degree is unknown (10); a
# graduate of an unknown field (11).
ADULTS = pd.DataFrame(
    {
        "iso3": "KOR", "pid": np.arange(1, 12), "SPFWT0": 1.0,
        "ISCO2C": ["21", "13", "22", "9996", "9999", ".", "9", "22", "31", "51", "52"],
        "EDCAT7": [6.0, 6, 7, 5, 6, 6, 6, 6, 3, np.nan, 6],
        "B_Q01b": [5.0, 6, 6, 5, 6, 6, 6, 8, 6, 6, np.nan],
        "EARNHRPPP": 20.0, "C_Q09_C": 5.0, "GENDER_R": [1.0, 2] * 5 + [np.nan],
        "C_D05": [1.0, 1, 1, 2, 1, 1, 1, 1, 1, 1, np.nan],
    }
)  # fmt: skip
_ = np.nan  # not known
EXPECTED = {
    "graduate": [1, 1, 1, 1, 1, 1, 1, 1, 0, _, 1],
    "stem": [1, 1, 1, 1, 1, 1, 1, 0, _, _, _],
    "health": [0, 0, 0, 0, 0, 0, 0, 1, _, _, _],
    "outside": [0, 1, 1, _, _, _, _, 1, 0, 1, 1],
    "in_field": [1, 0, 0, _, _, _, _, 0, 1, 0, 0],
    "outside_or_manager": [0, 0, 1, _, _, _, _, 1, 0, 1, 1],
    "to_health": [0, 0, 1, _, _, _, _, 1, 0, 0, 0],
    "working_stem": [1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0],
    "has_pay": [1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0],
    "paid": [1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0],
}


@pytest.fixture
def adults(tmp_path):
    path = tmp_path / "piaac_c1.parquet"
    ADULTS.to_parquet(path)
    return wg.datasets.read_piaac(path)


@pytest.mark.parametrize("column", EXPECTED)
def test_an_adult_without_an_answer_is_not_counted_among_the_zeros(adults, column):
    np.testing.assert_array_equal(adults.frame[column].astype(float), EXPECTED[column])


def test_levels_of_education_are_words(adults):
    assert adults.frame["educ_level"].tolist()[8:] == ["level 3", "na", "level 6"]


def test_rates_leave_out_those_whose_occupation_is_unknown(adults):
    rates = wg.fit_rates(adults, {"outside": "outside"}, among="stem", cov="HC0", min_rows=2)
    assert rates.params.iloc[0] == pytest.approx(2 / 3)  # of 7 STEM graduates 3 have an occupation
    assert {"unknown outside": 4}.items() <= {loss.reason: loss.rows for loss in rates.estimates.ledger.losses}.items()


@pytest.mark.shared
@pytest.mark.public_case("piaac_outside")
def test_korean_graduates_outside_stem_are_those_with_an_occupation(data_folder, facts):
    path = data_folder / "piaac" / "piaac_c1.parquet"
    if not path.exists():
        pytest.skip("no local copy of the PIAAC table")
    korea = wg.datasets.read_piaac(path).filter("iso3 == 'KOR'")
    rates = wg.fit_rates(korea, {"outside": "outside"}, among="stem")
    assert f"{100 * rates.params.iloc[0]:.1f}" == str(facts("public_cases")["piaac_outside"]["right"]["korea_per_cent"])


def test_indicators_join_as_what_is_known_of_them():
    true, false, missing = (pd.Series([value], dtype="boolean") for value in (True, False, None))
    assert (false & missing).tolist() == [False]
    assert (true | missing).tolist() == [True]
    assert zero_one(~missing).tolist() == pytest.approx([np.nan], nan_ok=True)
    two = pd.DataFrame({"a": [1.0, 1, np.nan], "b": ["x", None, "x"]})
    both = indicator(two["a"].eq(1) & two["b"].eq("x"), two["a"], two["b"])
    assert both.tolist() == [True, pd.NA, pd.NA]


def test_silence_on_employment_is_not_part_time_work():
    answers = pd.Series(["Employed full-time", "Retired", "Prefer not to disclose", "I prefer not to say", "Employed"])
    found = stack_overflow._mapped(pd.concat([answers, pd.Series([None])]), stack_overflow.full_time)
    assert found.astype("boolean").tolist() == [True, False, pd.NA, pd.NA, pd.NA, pd.NA]


def test_full_time_is_not_taken_for_granted_where_it_was_asked():
    asked = pd.DataFrame({"year": 2019, "fulltime": pd.array([True, False, None], dtype="boolean")})
    not_asked = pd.DataFrame({"year": 2025, "fulltime": pd.array([None, False, None], dtype="boolean")})
    both = pd.concat([asked, not_asked], ignore_index=True)
    employment = both.assign(employment=["Employed full-time", "Retired", None, "Employed", "Retired", None])
    assert _full_time(employment).tolist() == [True, False, False, True, False, False]
    # A table that has no employment of 2025 at all, as so_micro: nobody was asked.
    silent = pd.DataFrame({"year": 2025, "fulltime": pd.array([None, None], dtype="boolean"), "employment": None})
    assert _full_time(silent).all()


def test_data_scientists_are_not_told_from_a_missing_title(tmp_path):
    rows = pd.DataFrame(
        {
            "iso3": "KOR", "year": 2020, "title": ["Data Scientist", "Data Analyst", None, "Student"], "pay_lo": 2e4,
            "pay_hi": 3e4, "code_years_mid": 4.0, "educ": "master", "female": [0.0, 1, 0, 1],
        }
    )  # fmt: skip
    path = tmp_path / "kaggle_2019_2022.parquet"
    rows.to_parquet(path)
    panel = wg.datasets.read_kaggle(path)
    assert panel.frame["ai"].tolist() == [1, 0]
    assert {loss.reason: loss.rows for loss in panel.ledger.losses} == {
        "students and respondents without a job": 1, "no title": 1,
    }  # fmt: skip


def test_a_pair_listed_without_a_count_is_no_zero():
    flows = pd.DataFrame(
        {
            "origin": ["KOR", "KOR", "JPN"], "destination": ["USA", "USA", "USA"], "year": [2018, 2019, 2018],
            "moves": [5.0, np.nan, 3.0],
        }
    )  # fmt: skip
    pairs = wg.datasets.complete_pairs(flows, ["JPN", "KOR", "USA"]).set_index(["origin", "destination", "year"])
    assert pairs.loc[("KOR", "USA", 2018), "moves"] == 5
    assert np.isnan(pairs.loc[("KOR", "USA", 2019), "moves"])
    assert pairs.loc[("JPN", "USA", 2019), "moves"] == 0
    summed = wg.datasets.complete_pairs(flows, ["JPN", "KOR", "USA"], by_year=False)
    assert summed["moves"].isna().sum() == 1


def test_a_wave_without_a_highest_salary_is_not_known_to_be_sound(tmp_path):
    reasons = ("career_change", "family", "location", "pay", "conditions", "no_job", "other")
    rows = pd.DataFrame(
        {
            "year": 2015, "major": ["a", "b", "c"], "employed": 100.0, "salary_median": 5e4,
            "salary_max": [999_999, 150_000, np.nan], **{f"out_{reason}": 10.0 for reason in reasons},
        }
    )  # fmt: skip
    path = tmp_path / "nscg_graduates_by_major_year.parquet"
    rows.to_parquet(path)
    found = wg.datasets.read_out_of_field(path=path)
    assert found["spoilt"].tolist() == [True, False, pd.NA]
