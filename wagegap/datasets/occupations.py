"""What occupations are exposed to: artificial intelligence by ISCO-08 and SOC, licences and wages in the United States.

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
US Bureau of Labor Statistics. Current Population Survey, table 52, 2020; Occupational Employment and Wage Statistics,
May 2021.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
import pandas as pd

from wagegap.datasets.local import PathLike, carried, keep_rows, local_table, named_table
from wagegap.errors import check_option, public

__all__ = [
    "read_ai_exposure",
    "read_ai_exposure_soc",
    "read_ai_tasks",
    "read_isco_soc",
    "read_licences",
    "read_us_wages",
]

_ILO = {"mean_score_2025": "ilo_2025", "mean_score_2023": "ilo_2023"}
_OTHERS = {"aioe": "felten", "lm_aioe": "felten_language", "gpt4_beta": "eloundou", "human_beta": "eloundou_human"}


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
    """
    check_option("digits", digits, (2, 4))
    names = _ILO | _OTHERS
    if digits == 2:
        names = {"isco2": "isco"} | names
        frame = local_table(path, "occupations/ai_exposure_isco2.parquet", list(names))
        return named_table(frame.astype({"isco2": str}), names, ["isco"])
    names = {"isco08": "isco"} | names | {"title": "title", "potential25": "gradient", "n_soc": "n_soc"}
    frame = local_table(path, "occupations/ai_exposure_isco08_bridge.parquet", list(names))
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
    """
    check_option("source", source, ("felten", "eloundou"))
    if source == "felten":
        names = {"aioe": "felten", "lm_aioe": "felten_language", "ig_aioe": "felten_image"}
        frame = local_table(path, "occupations/felten_aioe_soc.parquet", ["soc", "title", *names])
        table = frame.rename(columns=names).assign(classification="SOC 2010")
    else:
        names = {"gpt4_beta": "eloundou", "human_beta": "eloundou_human"}
        frame = local_table(path, "occupations/eloundou_gpts_onet.parquet", ["soc6", "title", *names])
        grouped = frame.rename(columns={"soc6": "soc", **names}).groupby("soc", as_index=False)
        means = dict.fromkeys(names.values(), "mean")
        table = grouped.agg({"title": "first", **means}).assign(classification="SOC 2018")
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
    """
    names = {
        "isco08": "isco", "task_id": "task_id", "task": "task", "score_2025": "ilo_2025", "score_2023": "ilo_2023",
    }  # fmt: skip
    frame = local_table(path, "occupations/ilo_genai_tasks.parquet", list(names))
    return named_table(frame, names, ["isco", "task_id"])


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
    """
    names = {"isco08": "isco", "isco_title": "isco_title", "soc2010": "soc", "soc_title": "soc_title",
             "part": "partial"}  # fmt: skip
    frame = local_table(path, "occupations/isco08_soc2010_crosswalk.parquet", list(names))
    return named_table(frame, names, ["isco", "soc"])


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
    """
    names = {"license_pct": "licensed", "cert_no_license_pct": "certified_only", "neither_pct": "neither"}
    needed = ["group", "employed_thousand", *names]
    frame = local_table(path, "occupations/licensing_us_cps52_2020.parquet", needed)
    shares = {new: frame[old] / 100 for old, new in names.items()}
    return frame[["group"]].assign(employed=1000 * frame["employed_thousand"], **shares)


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
    """
    check_option("level", level, ("detailed", "broad", "major"))
    names = {
        "occ_code": "soc", "occ_title": "title", "tot_emp": "employed", "a_mean": "mean", "a_median": "median",
        "a_pct10": "p10", "a_pct25": "p25", "a_pct75": "p75", "a_pct90": "p90", "topcoded": "topcoded",
    }  # fmt: skip
    frame = local_table(path, "oww/us_oews_2021.parquet", [*names, "o_group"])
    frame = keep_rows(frame, frame["o_group"] == level, f"another level than {level}")
    return carried(frame.rename(columns=names)[list(names.values())], frame)
