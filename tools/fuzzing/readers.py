"""A valid call of every reader of a public table, on a small one with the publisher's columns and invented numbers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import wagegap as wg
from fuzzing.calls import Call
from fuzzing.doors import Door, maybe, of

__all__ = ["reader_doors"]

N = 12
_ISO3 = ("KOR", "USA", "JPN", "FRA")
_NET = [f"net_per_10K_{year}" for year in range(2015, 2020)]


def _texts(*values: Any) -> list[Any]:
    """Values in turn."""
    return [values[k % len(values)] for k in range(N)]


def _numbers(names: Sequence[str], low: float = 1.0, high: float = 9.0, *, whole: bool = False) -> dict[str, Any]:
    """Invented numbers in each column, the same in every process."""
    rng = np.random.default_rng(len(names))
    drawn = {name: rng.uniform(low, high, N).round(3) for name in names}
    return {name: values.astype(int) if whole else values for name, values in drawn.items()}


def _codes(*values: Any) -> list[Any]:
    """Each value for three rows in a row."""
    return [values[k // 3 % len(values)] for k in range(N)]


_BY_YEAR: dict[str, Any] = {"iso3": _codes(*_ISO3), "year": _texts(2015, 2016, 2017)}
_PAIRS: tuple[Any, Any] = (_codes(*_ISO3), _texts("USA", "FRA", "DEU"))
_NOT_ONESELF: tuple[Any, Any] = (_codes(*_ISO3), _texts("DEU", "GBR", "ITA"))
_DIMS = ("contig", "comlang_off", "comlang_ethno", "colony", "comcol", "curcol", "col45", "smctry")
_ILO = ["mean_score_2023", "mean_score_2025", "aioe", "lm_aioe", "ig_aioe", "gpt4_beta", "human_beta", "gpt4_alpha"]
_PATH = "level_and_field_of_highest_degree_full_path"
_RELATED = ("closely_related", "somewhat_related", "not_related", "total")
_REASONS = ("career_change", "family", "location", "pay", "conditions", "no_job", "other")

Columns = Mapping[str, Any]
_TABLES: dict[str, Callable[[], Columns]] = {
    "read_ageing": lambda: (
        _BY_YEAR
        | {"is_aggregate": False, "wpp2017_is_projection": False}
        | _numbers(
            [
                "share_65up_pct",
                "oldage_dep_wdi2018_pct",
                "oldage_dep_cpds_pct",
                "oldage_dep_wpp2017_pct",
                "share_65up_wpp2017_pct",
            ]
        )
    ),
    "read_ai_exposure": lambda: (
        {
            "isco08": [f"{2110 + k}" for k in range(N)],
            "isco2": "21",
            "title": _texts("Analysts", "Clerks"),
            "potential25": "Exposed: Gradient 2",
            "n_soc": 2,
        }
        | _numbers(_ILO, 0, 1)
    ),
    "read_ai_exposure_soc": lambda: (
        {"soc": [f"15-{1110 + k}" for k in range(N)], "title": "Analysts"} | _numbers(_ILO, 0, 1)
    ),
    "read_ai_tasks": lambda: (
        {"isco08": _codes("2111", "2112"), "task_id": _texts(1, 2, 3), "task": "Write"}
        | _numbers(["score_2025", "score_2023"], 0, 1)
    ),
    "read_degree_relatedness": lambda: (
        {_PATH: _texts("All degrees", "All degrees -> Bachelor's", "All degrees -> Bachelor's -> S&E fields")}
        | _numbers(
            [
                f"{stem}_{name}"
                for stem in (
                    "field_all",
                    "field_s_e_occupations",
                    "field_s_e_related_occupations",
                    "field_non_s_e_occupations",
                )
                for name in _RELATED
            ],
            100,
            999,
            whole=True,
        )
    ),
    "read_dismissal_rules": lambda: _BY_YEAR | {"ftc_reg": _texts("Yes", "No"), "vd_economic": "No", "ftc_max": 24.0},
    "read_distances": lambda: (
        dict(zip(("iso_o", "iso_d"), _NOT_ONESELF, strict=True))
        | dict.fromkeys(_DIMS, 0)
        | _numbers(["dist", "distcap", "distw", "distwces"], 100, 9000)
    ),
    "read_doctor_engineer_pay": lambda: (
        {"iso3": ["AUS", "BEL", "CAN", "CHE", "DNK", "ESP", "FRA", "GBR", "ITA", "JPN", "KOR", "NLD"]}
        | _numbers(["n_doctor", "n_engineer_ict", "n_health_prof", "n_stem_prof"], 5, 60, whole=True)
        | _numbers(["ln_doctor_engineer", "se_doctor_engineer", "ln_health_stem", "se_health_stem"], 0.1, 0.4)
    ),
    "read_doctor_pay": lambda: (
        _BY_YEAR
        | _numbers(
            [
                "specialist_over_gdp_per_head",
                "gp_over_gdp_per_head",
                "nurse_hospital_over_gdp_per_head",
                "specialist_over_nurse",
            ]
        )
    ),
    "read_emigrant_stocks": lambda: (
        {
            "dest": _texts("USA", "FRA", "DEU"),
            "origin": _codes("Korea", "Japan"),
            "origin_iso3": _codes("KOR", "JPN"),
            "year": _codes(2000, 2000, 2010, 2010),
            "sex": "total",
        }
        | _numbers(["stock"], 10, 999)
    ),
    "read_emigration_rates": lambda: (
        {
            "origin": _codes("Korea", "Japan", "France", "Italy"),
            "gender": "Male and Female",
            "year": _texts(1990, 2000, 2010),
        }
        | _numbers(["tot_rate", "low_rate", "med_rate", "high_rate"], 0, 0.5)
    ),
    "read_hourly_earnings": lambda: _BY_YEAR | _numbers([f"hourearn_isco08_{k}" for k in ("total", *"1234567890X")]),
    "read_income": lambda: _BY_YEAR | _numbers(["gdppc_ppp_const2017", "population"], 1e3, 5e4),
    "read_isco_soc": lambda: {
        "isco08": [f"{2110 + k}" for k in range(N)],
        "isco_title": "Analysts",
        "part": _texts(True, False),
        "soc2010": "15-1111",
        "soc_title": "Analysts",
    },
    "read_kaggle": lambda: {
        "iso3": _codes(*_ISO3),
        "year": 2021,
        "title": _texts("Data Scientist", "Engineer"),
        "educ": "Master's degree",
        "female": _texts(0.0, 1.0),
        "pay_lo": 50000.0,
        "pay_hi": 60000.0,
        "code_years_mid": 4.0,
    },
    "read_licences": lambda: (
        {"group": [f"Group {k}" for k in range(N)]}
        | _numbers(["employed_thousand"], 10, 999, whole=True)
        | _numbers(["license_pct", "cert_no_license_pct", "neither_pct"], 1, 90)
    ),
    "read_linkedin_industries": lambda: (
        {
            "iso3": _codes(*_ISO3),
            "industry_name": _texts("Banking", "Hospitals", "Mining"),
            "isic_section_index": _texts("K", "Q", "B"),
        }
        | _numbers(_NET, -50, 50)
    ),
    "read_linkedin_pairs": lambda: (
        dict(zip(("base_iso3", "target_iso3"), _NOT_ONESELF, strict=True)) | _numbers(_NET, -5, 5)
    ),
    "read_linkedin_skills": lambda: (
        {
            "iso3": _codes(*_ISO3),
            "skill_group_name": _texts("Data Science", "Law", "Music"),
            "skill_group_category": "Business",
        }
        | _numbers(_NET, -50, 50)
    ),
    "read_major_pay": lambda: (
        {"Major": [f"FIELD {k}" for k in range(N)], "Major_category": _texts("Arts", "Law")}
        | _numbers(["Employed", "Median", "P25th", "P75th"], 1e4, 9e4, whole=True)
    ),
    "read_migrant_stocks": lambda: (
        {
            "year": 2019,
            "dest": _texts("United States", "France", "Germany"),
            "origin": _codes("Japan", "Italy", "Iraq", "Kuwait"),
        }
        | _numbers(["stock"], 10, 999, whole=True)
    ),
    "read_out_of_field": lambda: (
        {"year": _texts(1993, 2003, 2013), "major": _codes("Physics", "Law", "History", "Music")}
        | _numbers(["employed", "salary_median", "salary_max"], 1e4, 9e4, whole=True)
        | _numbers([f"out_{reason}" for reason in _REASONS], 10, 500, whole=True)
    ),
    "read_penn_world_table": lambda: _BY_YEAR | {"country": "Name"} | _numbers(["rgdpe", "rgdpo", "pop", "emp", "hc"]),
    "read_piaac": lambda: {
        "iso3": _codes(*_ISO3),
        "pid": range(N),
        "SPFWT0": 1.5,
        "ISCO2C": _texts("21", "22", "13"),
        "EDCAT7": 6.0,
        "B_Q01b": _texts(5.0, 6.0, 8.0),
        "EARNHRPPP": 20.0,
        "C_Q09_C": 5.0,
        "GENDER_R": _texts(1.0, 2.0),
        "C_D05": 1.0,
    },
    "read_ppp_factors": lambda: (
        {
            "country": _codes("Korea", "Japan", "France", "Italy"),
            "iso2": _codes("KR", "JP", "FR", "IT"),
            "year": _texts(2015, 2016, 2017),
        }
        | _numbers(["ppp_factor"])
    ),
    "read_public_pay": lambda: (
        _BY_YEAR
        | {"country": "Name", "indicator": "Public sector wage premium", "code": "BI.WAG.PREM.PB"}
        | _numbers(["value"], 0, 1)
    ),
    "read_scholar_flows": lambda: (
        dict(zip(("iso3codefrom", "iso3codeto"), _NOT_ONESELF, strict=True))
        | {"year": 2015.0}
        | _numbers(["n_migrations"], 1, 50, whole=True)
    ),
    "read_scholar_rates": lambda: (
        {"iso3code": _codes(*_ISO3), "year": _texts(2015, 2016, 2017)}
        | _numbers(
            ["padded_population_of_researchers", "number_of_inmigrations", "number_of_outmigrations"],
            100,
            999,
            whole=True,
        )
    ),
    "read_stack_overflow": lambda: {
        "iso3": _codes("KOR", "USA"),
        "year": 2019,
        "pay_usd": np.arange(N) * 1000.0 + 30000,
        "pay_kind": "exact",
        "ai": _texts(True, False),
        "exp_years": 4.0,
        "educ": "master",
        "female": _texts(0.0, 1.0),
        "fulltime": True,
    },
    "read_technology": lambda: (
        _BY_YEAR
        | {"is_aggregate": False}
        | _numbers(["rd_pct_gdp", "researchers_per_million", "hitech_exports_pct_manuf"])
    ),
    "read_unions": lambda: (
        _BY_YEAR
        | _numbers(
            [
                "ictwss_UD",
                "ictwss_AdjCov",
                "ictwss_Coord",
                "cpds_ud",
                "cpds_adjcov",
                "ilostat_ud",
                "ilostat_cbc",
                "cpds_emprot_reg",
                "cpds_emprot_temp",
            ],
            1,
            5,
        )
    ),
    "read_us_wages": lambda: (
        {
            "occ_code": [f"15-{1110 + k}" for k in range(N)],
            "occ_title": "Analysts",
            "o_group": "detailed",
            "topcoded": False,
        }
        | _numbers(["tot_emp", "a_mean", "a_median", "a_pct10", "a_pct25", "a_pct75", "a_pct90"], 1e4, 9e4)
    ),
}
_CODES = ("read_ai_exposure", "read_ai_tasks", "read_isco_soc", "read_piaac")
_OPTIONS: dict[str, tuple[list[Any], dict[str, Any]]] = {
    "read_ageing": ([], {"projections": True, "years": (2015, 2016)}),
    "read_ai_exposure_soc": (["felten"], {}),
    "read_doctor_pay": ([], {"years": (2015, 2016)}),
    "read_income": ([], {"years": (2015, 2016)}),
    "read_linkedin_industries": ([], {"industry": "Banking", "years": (2016, 2018)}),
    "read_linkedin_pairs": ([], {"years": (2016, 2018)}),
    "read_linkedin_skills": ([], {"skill": ["Law"], "years": (2016, 2018)}),
    "read_penn_world_table": ([], {"years": (2015, 2016)}),
    "read_scholar_rates": ([], {"source": "scopus", "years": (2015, 2016)}),
    "read_unions": (["ictwss"], {"years": (2015, 2016)}),
}


def reader_doors() -> dict[str, Door]:
    """Doors of readers, by `datasets.name`."""
    doors = {f"datasets.{name}": _reader(name) for name in _TABLES}
    return doors | {"datasets.read_stack_overflow_year": _year_of_developers}


def table_of(name: str) -> pd.DataFrame:
    """The small table of a reader."""
    return pd.DataFrame(dict(_TABLES[name]()), index=range(N))


def _written(name: str, kind: str) -> Path:
    path = Path(f"table.{kind}")
    if kind == "parquet":
        table_of(name).to_parquet(path)
    else:
        table_of(name).to_csv(path, index=False)
    return path


def _reader(name: str) -> Door:
    def make(rng: np.random.Generator) -> Call:
        source = {"read_stack_overflow": "source"}.get(name, "path")
        needed, options = _OPTIONS.get(name, ([], {}))
        given = maybe(rng, 0.3, **options)
        # Codes of occupations are text, which a file of comma separated values cannot say.
        kind = "parquet" if name in _CODES else of(rng, "parquet", "parquet", "csv")
        return Call(
            f"wg.datasets.{name}", getattr(wg.datasets, name), list(needed), {**given, source: _written(name, kind)}
        )

    return make


def _year_of_developers(rng: np.random.Generator) -> Call:
    answers = {
        "Respondent": range(N),
        "Employment": "Employed full-time",
        "Country": _texts("South Korea", "United States"),
        "EdLevel": "Master’s degree (MA, MS, M.Eng., MBA, etc.)",
        "OrgSize": "20 to 99 employees",
        "DevType": "Developer, back-end",
        "YearsCode": 9,
        "YearsCodePro": 4,
        "CompTotal": 1,
        "ConvertedComp": 55000,
        "Age": 29,
        "Gender": _texts("Man", "Woman"),
    }
    pd.DataFrame(answers, index=range(N)).to_csv("developers.csv", index=False)
    call = wg.datasets.read_stack_overflow_year
    return Call("wg.datasets.read_stack_overflow_year", call, [2019], {"path": Path("developers.csv")})
