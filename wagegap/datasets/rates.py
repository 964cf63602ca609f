"""Who leaves, by country and year: LinkedIn members with a skill or in an industry, researchers, the skilled of IAB.

References
----------
Akbaritabar, A., T. Theile and E. Zagheni (2024). Bilateral flows and rates of international migration of scholars.
Scientific Data 11, 816.
Bruecker, H., S. Capuano and A. Marfouk (2013). Education, gender and international migration: insights from a
panel-dataset 1980-2010. Institute for Employment Research, Nuremberg.
World Bank Group and LinkedIn (2020). Digital Data for Development: jobs, skills and migration trends.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import pandas as pd

from wagegap.datasets.codes import coded_table, with_countries
from wagegap.datasets.flows import ScholarSource, long_by_year
from wagegap.datasets.local import PathLike, Years, keep_rows, local_table
from wagegap.errors import OptionError, check_option, did_you_mean, public

__all__ = ["read_emigration_rates", "read_linkedin_industries", "read_linkedin_skills", "read_scholar_rates"]

_YEARS = tuple(f"net_per_10K_{year}" for year in range(2015, 2020))
_WHOM = {"total": "Male and Female", "male": "Male", "female": "Female"}


@public
def read_linkedin_skills(
    skill: str | Sequence[str] | None = None, *, years: Years = None, path: PathLike | None = None
) -> pd.DataFrame:
    """Read net migration of LinkedIn members by skill, 2015-19.

    Parameters
    ----------
    skill : str or sequence of str, optional
        Skill groups, such as "Artificial Intelligence (AI)" (61 countries) or "Data Science" (139); all 249 where
        absent.
    years : (int, int), optional
        First and last year, both included.
    path : path, optional
        The table; `WAGEGAP_DATA`/wb_linkedin/skill_migration.parquet where absent.

    Returns
    -------
    DataFrame
        iso3, year, skill, category, net_per_10k: arrivals less departures for 10,000 members with the skill. Members
        choose to be members; gross flows are not published, nor are errors; cells under 50 members are left out.

    Raises
    ------
    DataError, ColumnError, EmptyDataError, OptionError
    """
    names = {"skill_group_name": "skill", "skill_group_category": "category"}
    frame = local_table(path, "wb_linkedin/skill_migration.parquet", ["iso3", *names, *_YEARS])
    return _members(frame, names, skill, years)


@public
def read_linkedin_industries(
    industry: str | Sequence[str] | None = None, *, years: Years = None, path: PathLike | None = None
) -> pd.DataFrame:
    """Read net migration of LinkedIn members by industry, 2015-19.

    Parameters
    ----------
    industry : str or sequence of str, optional
        Industries as LinkedIn names them; all where absent.
    years : (int, int), optional
        First and last year, both included.
    path : path, optional
        The table; `WAGEGAP_DATA`/wb_linkedin/industry_migration.parquet where absent.

    Returns
    -------
    DataFrame
        iso3, year, industry, section (ISIC), net_per_10k, for 10,000 members in the industry.

    Raises
    ------
    DataError, ColumnError, EmptyDataError, OptionError
    """
    names = {"industry_name": "industry", "isic_section_index": "section"}
    frame = local_table(path, "wb_linkedin/industry_migration.parquet", ["iso3", *names, *_YEARS])
    return _members(frame, names, industry, years)


@public
def read_scholar_rates(
    source: ScholarSource = "scopus", *, years: Years = None, path: PathLike | None = None
) -> pd.DataFrame:
    """Read researchers and their moves by country and year.

    Parameters
    ----------
    source : {"scopus", "openalex"}
        Bibliographic database. They differ by a factor of two and more (Korea's departures in 2018: 1.2 % in Scopus,
        3.8 % in OpenAlex): use one.
    years : (int, int), optional
        First and last year, both included.
    path : path, optional
        The table; `WAGEGAP_DATA`/scholarly_migration/scopus_2024_country_year.parquet, or openalex_2024 likewise.

    Returns
    -------
    DataFrame
        iso3, year, researchers, arrivals, departures (persons); in_rate, out_rate, net_rate (shares of the researchers,
        whose number the publisher pads between publications, so that a small country may have a rate above one).

    Raises
    ------
    DataError, ColumnError, EmptyDataError, OptionError
    """
    check_option("source", source, ("scopus", "openalex"))
    names = {
        "padded_population_of_researchers": "researchers", "number_of_inmigrations": "arrivals",
        "number_of_outmigrations": "departures",
    }  # fmt: skip
    name = f"scholarly_migration/{source}_2024_country_year.parquet"
    frame = local_table(path, name, ["iso3code", "year", *names])
    frame = coded_table(frame, names, countries={"iso3code": "iso3"}, years=years)
    frame = keep_rows(frame, frame["researchers"] > 0, "no researchers")
    return frame.assign(
        in_rate=frame["arrivals"] / frame["researchers"],
        out_rate=frame["departures"] / frame["researchers"],
        net_rate=(frame["arrivals"] - frame["departures"]) / frame["researchers"],
    )


@public
def read_emigration_rates(
    *,
    sex: Literal["total", "male", "female"] = "total",
    years: Years = None,
    path: PathLike | None = None,
) -> pd.DataFrame:
    """Read emigration rates by education to twenty OECD countries, every fifth year 1980-2010.

    Parameters
    ----------
    sex : {"total", "male", "female"}
        Whose.
    years : (int, int), optional
        First and last year, both included.
    path : path, optional
        The table; `WAGEGAP_DATA`/iab_brain_drain/emigration_rates_by_skill.parquet where absent.

    Returns
    -------
    DataFrame
        iso3, year, total, low, medium, high: emigrants aged 25 and over with so much education, as shares of residents
        and emigrants together (a stock, not a flow). Countries go by name, since the publisher's codes have Guinea and
        Guinea-Bissau in each other's place. The world and Serbia and Montenegro are left out.

    Raises
    ------
    DataError, ColumnError, EmptyDataError, OptionError
    """
    check_option("sex", sex, tuple(_WHOM))
    names = {"tot_rate": "total", "low_rate": "low", "med_rate": "medium", "high_rate": "high"}
    needed = ["origin", "gender", "year", *names]
    frame = local_table(path, "iab_brain_drain/emigration_rates_by_skill.parquet", needed)
    frame = keep_rows(frame, frame["gender"] == _WHOM[sex], f"sex other than {sex}")
    # By name: the publisher's codes have Guinea and Guinea-Bissau in each other's place.
    return coded_table(frame, names, countries={"origin": "iso3"}, years=years)


def _members(
    frame: pd.DataFrame, names: dict[str, str], wanted: str | Sequence[str] | None, years: Years
) -> pd.DataFrame:
    """Rows of LinkedIn's tables by year, of some groups."""
    group = next(iter(names.values()))
    frame = frame[["iso3", *names, *_YEARS]].rename(columns=names)
    if wanted is not None:
        chosen = [wanted] if isinstance(wanted, str) else list(wanted)
        known = sorted(frame[group].unique())
        unknown = [name for name in chosen if name not in known]
        if unknown:
            raise OptionError(f"no {group} {unknown[0]!r}.{did_you_mean(unknown[0], known)} There are {len(known)}.")
        frame = keep_rows(frame, frame[group].isin(chosen), f"another {group}")
    return long_by_year(with_countries(frame, {"iso3": "iso3"}), ["iso3", "year", group], years)
