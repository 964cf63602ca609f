"""Occupations and fields: exposure to artificial intelligence, licences, wages; work outside the field of degree.

The three measures of exposure mean different things. The ILO's score says how far tasks can be automated by generative
AI (clerks highest), that of Felten, Raj and Seamans how far abilities overlap with AI (professionals highest), that of
Eloundou and others which tasks go faster with language models. None has a country dimension.

References
----------
Eloundou, T., S. Manning, P. Mishkin and D. Rock (2024). GPTs are GPTs: labor market impact potential of LLMs. Science
384, 1306-1308.
Felten, E., M. Raj and R. Seamans (2021). Occupational, industry, and geographic exposure to artificial intelligence.
Strategic Management Journal 42, 2195-2217.
Gmyrek, P., J. Berg, K. Kaminski and others (2025). Generative AI and jobs: a refined global index of occupational
exposure. ILO working paper 140.
National Center for Science and Engineering Statistics. National Survey of College Graduates, waves 1993 to 2021.
US Bureau of Labor Statistics. Current Population Survey, table 52, 2020; Occupational Employment and Wage Statistics,
May 2021.
US Census Bureau. American Community Survey 2010-12, as tabulated by FiveThirtyEight.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal

import numpy as np
import pandas as pd

from wagegap._arguments import public
from wagegap.datasets.layout import layout
from wagegap.datasets.local import (
    PathLike,
    Years,
    carried,
    indicator,
    keep_rows,
    local_table,
    named_table,
    within_years,
)

__all__ = [
    "read_ai_exposure",
    "read_ai_exposure_soc",
    "read_ai_tasks",
    "read_degree_relatedness",
    "read_isco_soc",
    "read_licences",
    "read_major_pay",
    "read_out_of_field",
    "read_us_wages",
]

_ILO = {"mean_score_2025": "ilo_2025", "mean_score_2023": "ilo_2023"}
_OTHERS = {"aioe": "felten", "lm_aioe": "felten_language", "gpt4_beta": "eloundou", "human_beta": "eloundou_human"}
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
def read_ai_exposure(digits: Literal[2, 4] = 4, *, path: PathLike | None = None) -> pd.DataFrame:
    """Read exposure to AI by occupation of ISCO-08.

    Parameters
    ----------
    digits : {2, 4}
        Sub-major or unit groups; where a survey has two digits only, the unweighted mean over unit groups.
    path : path, optional
        The table; `WAGEGAP_DATA`/occupations/ai_exposure_isco08_bridge.parquet, or ai_exposure_isco2.parquet.

    Returns
    -------
    DataFrame
        isco (text, so that merging keeps leading zeros), ilo_2025, ilo_2023 (0 to 1; they differ in method, so that
        their difference is no progress of AI), felten, felten_language (standardised over US occupations), eloundou,
        eloundou_human (0 to 1: share of tasks); with four digits also title, gradient (the ILO's category) and
        n_soc, the US occupations behind the bridged measures. Where n_soc is 0 they are missing; armed forces have no
        ILO score.

    Raises
    ------
    DataError, ColumnError, EmptyDataError, OptionError

    Examples
    --------
    With a copy of the table below the folder `WAGEGAP_DATA`:

    >>> import wagegap as wg
    >>> list(wg.datasets.read_ai_exposure())
    ['isco', 'ilo_2025', 'ilo_2023', 'felten', 'felten_language', 'eloundou', 'eloundou_human', 'title',
    'gradient', 'n_soc']
    """
    if digits == 2:
        names = {"isco2": "isco"} | _ILO | _OTHERS
        frame = local_table(
            path, "occupations/ai_exposure_isco2.parquet", layout(code=["isco2"], number=[*_ILO, *_OTHERS])
        )
        return named_table(frame.astype({"isco2": str}), names, ["isco"])
    names = {"isco08": "isco"} | _ILO | _OTHERS | {"title": "title", "potential25": "gradient", "n_soc": "n_soc"}
    needed = layout(code=["isco08"], number=[*_ILO, *_OTHERS, "n_soc"], text=["title", "potential25"])
    frame = local_table(path, "occupations/ai_exposure_isco08_bridge.parquet", needed)
    frame = named_table(frame.astype({"isco08": str}), names, ["isco"])
    frame.loc[~(frame["n_soc"] > 0), list(_OTHERS.values())] = np.nan
    return frame


@public
def read_ai_exposure_soc(source: Literal["felten", "eloundou"], *, path: PathLike | None = None) -> pd.DataFrame:
    """Read exposure to AI by occupation of the US classification.

    Parameters
    ----------
    source : {"felten", "eloundou"}
        Felten's is by SOC 2010, Eloundou's by SOC 2018. They cannot be joined on equal codes: every computer occupation
        and every physician would be lost.
    path : path, optional
        The table; `WAGEGAP_DATA`/occupations/felten_aioe_soc.parquet or eloundou_gpts_onet.parquet.

    Returns
    -------
    DataFrame
        soc (six digits), classification ("SOC 2010" or "SOC 2018"), title, and the measures: felten, felten_language,
        felten_image; or eloundou, eloundou_human, the mean over O*NET occupations within a code.

    Raises
    ------
    DataError, ColumnError, EmptyDataError, OptionError

    Examples
    --------
    With a copy of the table below the folder `WAGEGAP_DATA`:

    >>> import wagegap as wg
    >>> list(wg.datasets.read_ai_exposure_soc("felten"))
    ['soc', 'classification', 'title', 'felten', 'felten_language', 'felten_image']
    """
    if source == "felten":
        names = {"aioe": "felten", "lm_aioe": "felten_language", "ig_aioe": "felten_image"}
        frame = local_table(
            path, "occupations/felten_aioe_soc.parquet", layout(code=["soc"], text=["title"], number=names)
        )
        table = frame.rename(columns=names).assign(classification="SOC 2010")
    else:
        names = {"gpt4_beta": "eloundou", "human_beta": "eloundou_human"}
        frame = local_table(
            path, "occupations/eloundou_gpts_onet.parquet", layout(code=["soc6"], text=["title"], number=names)
        )
        grouped = frame.rename(columns={"soc6": "soc", **names}).groupby("soc", as_index=False)
        summaries = {"title": "first", **dict.fromkeys(names.values(), "mean")}
        table = grouped.agg(summaries).assign(classification="SOC 2018")
    return carried(table[["soc", "classification", "title", *names.values()]], frame)


@public
def read_ai_tasks(path: PathLike | None = None) -> pd.DataFrame:
    """Read the ILO's scores of single tasks.

    Parameters
    ----------
    path : path, optional
        The table; `WAGEGAP_DATA`/occupations/ilo_genai_tasks.parquet where absent.

    Returns
    -------
    DataFrame
        isco (four digits, text), task_id, task, ilo_2025 (0 to 1), ilo_2023.

    Raises
    ------
    DataError, ColumnError, EmptyDataError

    Examples
    --------
    With a copy of the table below the folder `WAGEGAP_DATA`:

    >>> import wagegap as wg
    >>> list(wg.datasets.read_ai_tasks())
    ['isco', 'task_id', 'task', 'ilo_2025', 'ilo_2023']
    """
    names = {
        "isco08": "isco", "task_id": "task_id", "task": "task", "score_2025": "ilo_2025", "score_2023": "ilo_2023",
    }  # fmt: skip
    needed = layout(code=["isco08"], text=["task"], number=["task_id", "score_2025", "score_2023"])
    return named_table(local_table(path, "occupations/ilo_genai_tasks.parquet", needed), names, ["isco", "task_id"])


@public
def read_isco_soc(path: PathLike | None = None) -> pd.DataFrame:
    """Read which US occupations (SOC 2010) belong to which unit group of ISCO-08.

    Parameters
    ----------
    path : path, optional
        The table; `WAGEGAP_DATA`/occupations/isco08_soc2010_crosswalk.parquet where absent.

    Returns
    -------
    DataFrame
        isco, isco_title, soc, soc_title, partial (whether a part of the US occupation belongs elsewhere). Many to many:
        a merge multiplies rows. SOC 2010: measures by SOC 2018 do not join to it.

    Raises
    ------
    DataError, ColumnError, EmptyDataError

    Examples
    --------
    With a copy of the table below the folder `WAGEGAP_DATA`:

    >>> import wagegap as wg
    >>> list(wg.datasets.read_isco_soc())
    ['isco', 'isco_title', 'soc', 'soc_title', 'partial']
    """
    names = {"isco08": "isco", "isco_title": "isco_title", "soc2010": "soc", "soc_title": "soc_title",
             "part": "partial"}  # fmt: skip
    needed = layout(code=["isco08", "soc2010"], text=["isco_title", "soc_title"], flag=["part"])
    return named_table(
        local_table(path, "occupations/isco08_soc2010_crosswalk.parquet", needed), names, ["isco", "soc"]
    )


@public
def read_licences(path: PathLike | None = None) -> pd.DataFrame:
    """Read who is licensed in the United States in 2020, by industry and class of worker (CPS, table 52).

    Parameters
    ----------
    path : path, optional
        The table; `WAGEGAP_DATA`/occupations/licensing_us_cps52_2020.parquet where absent.

    Returns
    -------
    DataFrame
        group, employed (persons), licensed, certified_only, neither (shares of the employed). No table by occupation,
        and none by country, was found.

    Raises
    ------
    DataError, ColumnError, EmptyDataError

    Examples
    --------
    With a copy of the table below the folder `WAGEGAP_DATA`:

    >>> import wagegap as wg
    >>> list(wg.datasets.read_licences())
    ['group', 'employed', 'licensed', 'certified_only', 'neither']
    """
    names = {"license_pct": "licensed", "cert_no_license_pct": "certified_only", "neither_pct": "neither"}
    needed = layout(text=["group"], number=["employed_thousand", *names])
    frame = local_table(path, "occupations/licensing_us_cps52_2020.parquet", needed)
    return frame[["group"]].assign(
        employed=1000 * frame["employed_thousand"], **{new: frame[old] / 100 for old, new in names.items()}
    )


@public
def read_us_wages(
    level: Literal["detailed", "broad", "major"] = "detailed", *, path: PathLike | None = None
) -> pd.DataFrame:
    """Read employment and wages by occupation in the United States, May 2021 (OEWS, SOC 2018).

    Parameters
    ----------
    level : {"detailed", "broad", "major"}
        Level of the classification; levels contain one another and must not be summed.
    path : path, optional
        The table; `WAGEGAP_DATA`/oww/us_oews_2021.parquet where absent.

    Returns
    -------
    DataFrame
        soc, title, employed (persons), mean, median, p10, p25, p75, p90 (dollars a year), topcoded. Above 208,000
        dollars the publisher prints none: such figures are missing, and topcoded says so. The median of physicians is
        one of them, so that a mean over medians leaves the best paid out.

    Raises
    ------
    DataError, ColumnError, EmptyDataError, OptionError

    Examples
    --------
    With a copy of the table below the folder `WAGEGAP_DATA`:

    >>> import wagegap as wg
    >>> list(wg.datasets.read_us_wages())
    ['soc', 'title', 'employed', 'mean', 'median', 'p10', 'p25', 'p75', 'p90', 'topcoded']
    """
    names = {
        "occ_code": "soc", "occ_title": "title", "tot_emp": "employed", "a_mean": "mean", "a_median": "median",
        "a_pct10": "p10", "a_pct25": "p25", "a_pct75": "p75", "a_pct90": "p90", "topcoded": "topcoded",
    }  # fmt: skip
    figures = [name for name in names if name.startswith(("tot_", "a_"))]
    needed = layout(code=["occ_code"], text=["occ_title", "o_group"], number=figures, flag=["topcoded"])
    frame = local_table(path, "oww/us_oews_2021.parquet", needed)
    frame = keep_rows(frame, frame["o_group"] == level, f"another level than {level}")
    return carried(frame.rename(columns=names)[list(names.values())], frame)


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

    Examples
    --------
    With a copy of the table below the folder `WAGEGAP_DATA`:

    >>> import wagegap as wg
    >>> list(wg.datasets.read_out_of_field())
    ['major', 'year', 'employed', 'salary_median', 'spoilt', 'career_change', 'family', 'location', 'pay',
    'conditions', 'no_job', 'other']
    """
    figures = ["employed", "salary_median", "salary_max", *(f"out_{reason}" for reason in _REASONS)]
    needed = layout(text=["major"], year=["year"], number=figures)
    frame = within_years(local_table(path, "us_fields/nscg_graduates_by_major_year.parquet", needed), years)
    if not recent_waves:
        frame = keep_rows(frame, ~frame["year"].isin(_RECENT_ONLY), "a wave of recent graduates")
    frame = keep_rows(frame, frame["employed"] > 0, "nobody employed")
    table = frame[["major", "year", "employed"]].assign(
        salary_median=frame["salary_median"].where(frame["salary_median"] > 0, np.nan),
        spoilt=indicator(frame["salary_max"] == _NO_PAY, frame["salary_max"]),
        **{reason: frame[f"out_{reason}"] / frame["employed"] for reason in _REASONS},
    )
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

    Examples
    --------
    With a copy of the table below the folder `WAGEGAP_DATA`:

    >>> import wagegap as wg
    >>> list(wg.datasets.read_degree_relatedness())
    ['level', 'field', 'depth', 'employed', 'closely', 'somewhat', 'not_related']
    """
    stem = _OCCUPATIONS[occupation]
    names = {"closely": "closely_related", "somewhat": "somewhat_related", "not_related": "not_related"}
    needed = layout(text=[_PATH], figure=[f"{stem}_total", *(f"{stem}_{name}" for name in names.values())])
    frame = local_table(path, f"us_fields/ncses/table_{_TABLES[year]}.csv.gz", needed)
    total = frame[f"{stem}_total"]
    paths = [str(path).split(" -> ") for path in frame[_PATH]]
    levels = [path[1] if len(path) > 1 and path[1].split("'")[0] in _LEVELS else path[0] for path in paths]
    below = [path[path.index(level) + 1 :] for path, level in zip(paths, levels, strict=True)]
    table = pd.DataFrame({"level": levels, "field": [names[-1] if names else "All fields" for names in below],
                          "depth": [len(names) for names in below], "employed": total})  # fmt: skip
    for new, old in names.items():
        table[new] = frame[f"{stem}_{old}"] / total.where(total > 0)
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

    Examples
    --------
    With a copy of the table below the folder `WAGEGAP_DATA`:

    >>> import wagegap as wg
    >>> list(wg.datasets.read_major_pay())
    ['major', 'category', 'employed', 'median', 'p25', 'p75']
    """
    stem = {"all": "acs_all_ages", "recent": "acs_recent_grads", "graduate": "acs_grad_students"}[who]
    names = {"Major": "major", "Major_category": "category"} | (
        {"Grad_employed": "employed", "Grad_median": "median", "Grad_P25": "p25", "Grad_P75": "p75",
         "Nongrad_median": "median_without"}
        if who == "graduate"
        else {"Employed": "employed", "Median": "median", "P25th": "p25", "P75th": "p75"}
    )  # fmt: skip
    jobs = ["College_jobs", "Non_college_jobs"] if who == "recent" else []
    figures = [name for name in (*names, *jobs) if name not in ("Major", "Major_category")]
    needed = layout(text=["Major", "Major_category"], number=figures)
    frame = local_table(path, f"us_fields/{stem}.parquet", needed)
    if jobs:
        total = frame[jobs].sum(axis=1, skipna=False)
        frame["college_jobs"] = frame["College_jobs"] / total.where(total > 0)
        names["college_jobs"] = "college_jobs"
    return named_table(frame, names, ["major"])
