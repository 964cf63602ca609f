"""Published figures and tables that this package produced, shipped; and readers of public tables that are not.

`catalogue()` lists the readers with terms, units, coverage and traps. Of what is shipped, each function returns a fresh
object, so that nothing a user does to it reaches another; what was produced here is made by `tools/produce_tables.py`,
and the sources and licences are in `tables/NOTICE.md`.
"""

from __future__ import annotations

import hashlib
from importlib.resources import files
from typing import Literal

import numpy as np
import pandas as pd

from wagegap._arguments import public
from wagegap.datasets import harmonise
from wagegap.datasets.covariates import (
    read_ageing,
    read_dismissal_rules,
    read_distances,
    read_doctor_engineer_pay,
    read_doctor_pay,
    read_hourly_earnings,
    read_income,
    read_penn_world_table,
    read_ppp_factors,
    read_public_pay,
    read_technology,
    read_unions,
)
from wagegap.datasets.download import download, downloads
from wagegap.datasets.flows import (
    complete_pairs,
    read_emigrant_stocks,
    read_emigration_rates,
    read_linkedin_industries,
    read_linkedin_pairs,
    read_linkedin_skills,
    read_migrant_stocks,
    read_scholar_flows,
    read_scholar_rates,
)
from wagegap.datasets.harmonise import read_kaggle, read_piaac, read_stack_overflow
from wagegap.datasets.occupations import (
    read_ai_exposure,
    read_ai_exposure_soc,
    read_ai_tasks,
    read_degree_relatedness,
    read_isco_soc,
    read_licences,
    read_major_pay,
    read_out_of_field,
    read_us_wages,
)
from wagegap.datasets.products import unpack
from wagegap.datasets.sources import Source, catalogue, describe
from wagegap.datasets.stack_overflow import read_stack_overflow_year
from wagegap.errors import check_option
from wagegap.estimation.covariance.sources import StatedSource
from wagegap.estimation.cross_products import CrossProducts
from wagegap.estimation.estimates import Estimates

__all__ = [
    "Source",
    "catalogue",
    "complete_pairs",
    "country_premiums",
    "describe",
    "developer_pay",
    "download",
    "downloads",
    "facts",
    "income",
    "published_premiums",
    "read_ageing",
    "read_ai_exposure",
    "read_ai_exposure_soc",
    "read_ai_tasks",
    "read_degree_relatedness",
    "read_dismissal_rules",
    "read_distances",
    "read_doctor_engineer_pay",
    "read_doctor_pay",
    "read_emigrant_stocks",
    "read_emigration_rates",
    "read_hourly_earnings",
    "read_income",
    "read_isco_soc",
    "read_kaggle",
    "read_licences",
    "read_linkedin_industries",
    "read_linkedin_pairs",
    "read_linkedin_skills",
    "read_major_pay",
    "read_migrant_stocks",
    "read_out_of_field",
    "read_penn_world_table",
    "read_piaac",
    "read_ppp_factors",
    "read_public_pay",
    "read_scholar_flows",
    "read_scholar_rates",
    "read_stack_overflow",
    "read_stack_overflow_year",
    "read_technology",
    "read_unions",
    "read_us_wages",
    "stem_graduates",
    "table_hashes",
    "talent_migration",
    "talent_migration_by_year",
]

PremiumSource = Literal["stack_overflow", "kaggle", "piaac"]

_SPECIFICATIONS = {
    "stack_overflow": harmonise.DEVELOPERS,
    "kaggle": harmonise.DATA_SCIENTISTS,
    "piaac": harmonise.GRADUATES,
}


@public
def facts(topic: str | None = None) -> pd.DataFrame:
    """Return published figures on premiums, leaving and switching, each with its source.

    Parameters
    ----------
    topic : str, optional
        One topic; all where absent.

    Returns
    -------
    DataFrame
        topic, iso3, year, quantity, value, unit, confidence (A: several sources agree, B: one source, or sources
        differ), publication, url, note.

    Raises
    ------
    OptionError
        A topic that there is not; the error lists those there are.

    Examples
    --------
    >>> facts("ai_premium").query("year == 2024")[["iso3", "value"]].values.tolist()[:2]
    [['KOR', 6.0], ['USA', 25.0]]
    """
    frame = _read("facts.csv")
    frame["year"] = frame["year"].astype("Int64")
    if topic is not None:
        check_option("topic", topic, list(frame["topic"].unique()))
        frame = frame[frame["topic"] == topic].reset_index(drop=True)
    return frame


@public
def published_premiums() -> Estimates:
    """Return the Bank of Korea's AI premiums of 2024, in per cent; their standard errors were not published.

    Returns
    -------
    Estimates
        Six countries, term `premium`, per cent.

    Examples
    --------
    >>> float(published_premiums().params["KOR"])
    6.0
    """
    frame = facts("ai_premium").query("year == 2024").sort_values("iso3")
    return Estimates.from_table(
        frame, by=["iso3"], estimate="value", std_error=None, term="premium", unit="per cent",
        comparison="workers without AI skills", source="Bank of Korea, December 2025",
    )  # fmt: skip


@public
def country_premiums(source: PremiumSource) -> Estimates:
    """Return premiums by country as this package estimated them from a survey, as differences of logs.

    Parameters
    ----------
    source : {"stack_overflow", "kaggle", "piaac"}
        AI work among developers; data scientists among Kaggle's respondents; STEM degrees among graduates.

    Returns
    -------
    Estimates
        A premium for each country, differences of logs (unit `log`), with standard errors.

    Raises
    ------
    OptionError
        A source that is not known.

    Examples
    --------
    >>> round(float(country_premiums("stack_overflow").params["USA"]), 3)
    0.11
    """
    frame = _read("country_premiums.csv").query("source == @source").reset_index(drop=True)
    spec = _SPECIFICATIONS[source]
    labels = frame[["iso3"]].assign(term=spec.premium, unit="log", comparison=spec.comparison)
    variance, df = frame["std_error"].to_numpy() ** 2, frame["df"].to_numpy(dtype=float)
    return Estimates(
        labels, frame["premium"].to_numpy(dtype=float), (StatedSource(spec.source, np.diag(variance), df, "HC1"),),
        (np.eye(len(frame)),),
        title=f"Premium of {spec.premium}, {spec.source}",
    )  # fmt: skip


@public
def developer_pay() -> CrossProducts:
    """Return pay of developers as cross-products by country, for `fit_premiums(developer_pay(), premium="ai")`.

    Returns
    -------
    CrossProducts
        Sums over developers by country, of log pay in US dollars a year and its regressors.

    Examples
    --------
    >>> len(developer_pay().cells) > 40
    True
    """
    with files("wagegap.datasets").joinpath("tables", "developer_pay.npz").open("rb") as handle:
        return unpack(handle.read())


@public
def stem_graduates() -> Estimates:
    """Return STEM premiums and rates of working outside STEM, of the same graduates, with their covariance.

    Terms are `premium` (log, over graduates of other fields, health left out) and `outside` (share of employed
    STEM graduates in other occupations). People who stand in both make the two correlated within a country.

    Returns
    -------
    Estimates
        Both terms of 20 countries, with a covariance of shape (40, 40).

    Examples
    --------
    >>> both = stem_graduates()
    >>> round(100 * float(both.params["KOR outside"]))
    74
    """
    frame = _read("stem_graduates.csv")
    spec = harmonise.GRADUATES
    premium = frame[["iso3"]].assign(term="premium", unit="log", comparison=spec.comparison)
    outside = frame[["iso3"]].assign(term="outside", unit="share", comparison="")
    cross = np.diag(frame["covariance"])
    v = np.block([[np.diag(frame["var_premium"]), cross], [cross, np.diag(frame["var_outside"])]])
    values = np.concatenate([frame["premium"], frame["outside"]])
    source = StatedSource(spec.source, v, np.tile(frame["n"] - 1.0, 2), "HC1")
    return Estimates(
        pd.concat([premium, outside], ignore_index=True),
        values,
        (source,),
        (np.eye(len(values)),),
        title=f"STEM graduates, {spec.source}",
    )


@public
def talent_migration(skill: Literal["ai", "data_science"] = "ai") -> Estimates:
    """Return net migration of members with a skill by country, per 10,000, mean of 2015-19; its errors are unknown.

    Parameters
    ----------
    skill : {"ai", "data_science"}
        Members of LinkedIn who state it.

    Returns
    -------
    Estimates
        A rate for each country, term `net_migration`, per 10,000 members and year.

    Raises
    ------
    OptionError
        A skill that is not known.

    Examples
    --------
    >>> round(float(talent_migration().params["KOR"]))
    -63
    """
    frame = _read("talent_migration.csv").query("skill == @skill and net.notna()").reset_index(drop=True)
    return Estimates.from_table(
        frame, by=["iso3"], estimate="net", std_error=None, term="net_migration", unit="per 10,000",
        source="World Bank and LinkedIn, mean 2015-19",
    )  # fmt: skip


@public
def talent_migration_by_year(skill: Literal["ai", "data_science"] = "ai") -> pd.DataFrame:
    """Return yearly net migration of the six countries of the published premiums.

    Parameters
    ----------
    skill : {"ai", "data_science"}
        Members of LinkedIn who state it.

    Returns
    -------
    DataFrame
        iso3, year (2015 to 2019), net (per 10,000 members).

    Raises
    ------
    OptionError
        A skill that is not known.

    Examples
    --------
    >>> talent_migration_by_year("ai").query("iso3 == 'KOR'")["year"].tolist()
    [2015, 2016, 2017, 2018, 2019]
    """
    return (
        _read("talent_migration_by_year.csv").query("skill == @skill")[["iso3", "year", "net"]].reset_index(drop=True)
    )


@public
def income() -> pd.DataFrame:
    """Return GDP per head by country, a control for links.

    Returns
    -------
    DataFrame
        iso3, gdp_per_head (PPP dollars of 2017, mean of 2015-19).

    Examples
    --------
    >>> float(income().set_index("iso3").loc["KOR", "gdp_per_head"].round(-3))
    41000.0
    """
    return _read("income.csv")


@public
def table_hashes() -> dict[str, str]:
    """Return the SHA-256 of every shipped table.

    Returns
    -------
    dict of str to str
        Name of the file, and its hash as `sha256sum` prints it.

    Examples
    --------
    >>> len(table_hashes()["facts.csv"])
    64
    """
    folder = files("wagegap.datasets").joinpath("tables")
    names = sorted(entry.name for entry in folder.iterdir() if entry.name.endswith((".csv", ".npz")))
    return {name: hashlib.sha256(folder.joinpath(name).read_bytes()).hexdigest() for name in names}


def _read(name: str) -> pd.DataFrame:
    with files("wagegap.datasets").joinpath("tables", name).open(encoding="utf-8") as handle:
        return pd.read_csv(handle)
