"""Field of degree and work in the United States: out of field by major, relatedness of job to degree, pay by major.

References
----------
National Center for Science and Engineering Statistics. National Survey of College Graduates, waves 1993 to 2021.
US Census Bureau. American Community Survey 2010-12, as tabulated by FiveThirtyEight.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal

import numpy as np
import pandas as pd

from wagegap.datasets.local import PathLike, Years, carried, keep_rows, local_table, named_table, within_years
from wagegap.errors import check_option, public

__all__ = ["read_degree_relatedness", "read_major_pay", "read_out_of_field"]

_REASONS = ("career_change", "family", "location", "pay", "conditions", "no_job", "other")
_RECENT_ONLY = (2001, 2006, 2008)
_NO_PAY = 999_999
_TABLES: Mapping[int, int] = MappingProxyType({2017: 6837, 2019: 5294, 2021: 7763})
_PATH = "level_and_field_of_highest_degree_full_path"
_LEVELS = ("Bachelor", "Master", "Doctorate", "Professional")
_OCCUPATIONS = {
    "all": "field_all", "science_engineering": "field_s_e_occupations", "related": "field_s_e_related_occupations",
    "other": "field_non_s_e_occupations",
}  # fmt: skip


@public
def read_out_of_field(*, recent_waves: bool = False, years: Years = None, path: PathLike | None = None) -> pd.DataFrame:
    """Read why graduates work outside their field, by major and wave (NSCG, 47 majors).

    Parameters
    ----------
    recent_waves : bool
        Keep the waves of 2001, 2006 and 2008, which cover recent graduates alone and are another population.
    years : (int, int), optional
        First and last wave, both included.
    path : path, optional
        The table; `WAGEGAP_DATA`/us_fields/nscg_graduates_by_major_year.parquet where absent.

    Returns
    -------
    DataFrame
        major, year, employed (persons), salary_median (dollars), spoilt (whether 999,999, which means no pay, was
        counted as pay, so that the median is somewhat high: 1993, and a few majors of 1995), and for each reason
        (career_change, family, location, pay, conditions, no_job, other) the share of the employed who tick it.
        Respondents tick all that apply, so that shares of different reasons must not be added (they reach 187 %): none
        is a rate of working outside the field. Mean salaries are of no use for the same code, and left out.

    Raises
    ------
    DataError, ColumnError, EmptyDataError, OptionError
    """
    columns = [f"out_{reason}" for reason in _REASONS]
    needed = ["year", "major", "employed", "salary_median", "salary_max", *columns]
    frame = local_table(path, "us_fields/nscg_graduates_by_major_year.parquet", needed)
    frame = within_years(frame, years)
    if not recent_waves:
        frame = keep_rows(frame, ~frame["year"].isin(_RECENT_ONLY), "a wave of recent graduates")
    frame = keep_rows(frame, frame["employed"] > 0, "nobody employed")
    shares = {reason: frame[f"out_{reason}"] / frame["employed"] for reason in _REASONS}
    median = frame["salary_median"].where(frame["salary_median"] > 0, np.nan)
    spoilt = frame["salary_max"] == _NO_PAY
    table = frame[["major", "year", "employed"]].assign(salary_median=median, spoilt=spoilt, **shares)
    return carried(table.sort_values(["major", "year"], ignore_index=True), frame)


@public
def read_degree_relatedness(
    year: Literal[2017, 2019, 2021] = 2021,
    *,
    occupation: Literal["all", "science_engineering", "related", "other"] = "all",
    path: PathLike | None = None,
) -> pd.DataFrame:
    """Read how closely jobs are related to the highest degree, by field and level of the degree (NCSES tables).

    Parameters
    ----------
    year : {2017, 2019, 2021}
        Wave.
    occupation : {"all", "science_engineering", "related", "other"}
        Employed in which occupations; related ones are health, teaching of science, technical work.
    path : path, optional
        The table; `WAGEGAP_DATA`/us_fields/ncses/table_7763.csv.gz (2021), 5294 (2019), 6837 (2017).

    Returns
    -------
    DataFrame
        level (of the degree; "All degrees"), field, depth (0 for all fields; those of greater depth are parts of those
        above, so that depths must not be summed), employed (persons), closely, somewhat, not_related (shares of the
        employed). Suppressed cells are missing.

    Raises
    ------
    DataError, ColumnError, EmptyDataError, OptionError
    """
    check_option("year", year, tuple(_TABLES))
    check_option("occupation", occupation, tuple(_OCCUPATIONS))
    stem = _OCCUPATIONS[occupation]
    names = {"closely": "closely_related", "somewhat": "somewhat_related", "not_related": "not_related"}
    needed = [_PATH, f"{stem}_total", *(f"{stem}_{name}" for name in names.values())]
    frame = local_table(path, f"us_fields/ncses/table_{_TABLES[year]}.csv.gz", needed)
    total = pd.to_numeric(frame[f"{stem}_total"], errors="coerce")
    paths = [str(path).split(" -> ") for path in frame[_PATH]]
    levels = [path[1] if len(path) > 1 and path[1].split("'")[0] in _LEVELS else path[0] for path in paths]
    below = [path[path.index(level) + 1 :] for path, level in zip(paths, levels, strict=True)]
    table = pd.DataFrame({"level": levels, "field": [names[-1] if names else "All fields" for names in below],
                          "depth": [len(names) for names in below], "employed": total})  # fmt: skip
    for new, old in names.items():
        table[new] = pd.to_numeric(frame[f"{stem}_{old}"], errors="coerce") / total.where(total > 0)
    return carried(table, frame)


@public
def read_major_pay(who: Literal["all", "recent", "graduate"] = "all", *, path: PathLike | None = None) -> pd.DataFrame:
    """Read employment and median pay by major (ACS 2010-12, 173 majors).

    Parameters
    ----------
    who : {"all", "recent", "graduate"}
        Graduates of all ages; recent ones (under 28); those with a graduate degree, beside those without.
    path : path, optional
        The table; `WAGEGAP_DATA`/us_fields/acs_all_ages.parquet, acs_recent_grads or acs_grad_students.

    Returns
    -------
    DataFrame
        major, category, employed (persons), median, p25, p75 (dollars a year); "recent" adds college_jobs, the share of
        graduates in jobs that need a degree; "graduate" adds median_without, of those without a graduate degree.

    Raises
    ------
    DataError, ColumnError, EmptyDataError, OptionError
    """
    check_option("who", who, ("all", "recent", "graduate"))
    stem = {"all": "acs_all_ages", "recent": "acs_recent_grads", "graduate": "acs_grad_students"}[who]
    names = {"Major": "major", "Major_category": "category"} | (
        {"Grad_employed": "employed", "Grad_median": "median", "Grad_P25": "p25", "Grad_P75": "p75",
         "Nongrad_median": "median_without"}
        if who == "graduate"
        else {"Employed": "employed", "Median": "median", "P25th": "p25", "P75th": "p75"}
    )  # fmt: skip
    jobs = ["College_jobs", "Non_college_jobs"] if who == "recent" else []
    frame = local_table(path, f"us_fields/{stem}.parquet", [*names, *jobs])
    if jobs:
        total = frame[jobs].sum(axis=1, skipna=False)
        frame["college_jobs"] = frame["College_jobs"] / total.where(total > 0)
        names["college_jobs"] = "college_jobs"
    return named_table(frame, names, ["major"])
