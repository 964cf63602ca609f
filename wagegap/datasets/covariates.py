"""What countries differ in: distance, income, age structure, technology, labour institutions, pay of occupations.

References
----------
Armingeon, K., S. Engler, L. Leemann and D. Weisstanner (2025). Comparative Political Data Set 1960-2023.
Feenstra, R., R. Inklaar and M. Timmer (2015). The next generation of the Penn World Table. American Economic Review
105, 3150-3182.
International Labour Organization. ILOSTAT; Employment protection legislation database (EPLex).
Mayer, T. and S. Zignago (2011). Notes on CEPII's distances measures: the GeoDist database. CEPII working paper 2011-25.
Organisation for Economic Co-operation and Development. Indicators of employment protection; Health statistics.
Visser, J. ICTWSS database, version 6.1. Amsterdam Institute for Advanced Labour Studies.
World Bank. World Development Indicators; Worldwide Bureaucracy Indicators.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import numpy as np
import pandas as pd

from wagegap._arguments import public
from wagegap.datasets.layout import layout
from wagegap.datasets.local import PathLike, Years, carried, coded_table, keep_rows, local_table, within_years

__all__ = [
    "read_ageing",
    "read_dismissal_rules",
    "read_distances",
    "read_doctor_engineer_pay",
    "read_doctor_pay",
    "read_hourly_earnings",
    "read_income",
    "read_penn_world_table",
    "read_ppp_factors",
    "read_public_pay",
    "read_technology",
    "read_unions",
]

UnionSource = Literal["ictwss", "ilostat", "oecd2018", "cpds"]
_PAIRS = ("contig", "comlang_off", "comlang_ethno", "colony", "comcol", "curcol", "col45", "smctry")
_DISTANCES = ("dist", "distcap", "distw", "distwces")
_UNIONS: Mapping[str, Mapping[str, str]] = {
    "ictwss": {"ictwss_UD": "density", "ictwss_AdjCov": "coverage", "ictwss_Coord": "coordination"},
    "ilostat": {"ilostat_ud": "density", "ilostat_cbc": "coverage"},
    "oecd2018": {"oecd2018_ud_adm": "density", "oecd2018_ud_svy": "density_survey", "oecd2018_cbc": "coverage"},
    "cpds": {"cpds_ud": "density", "cpds_adjcov": "coverage"},
}
_PROTECTION: Mapping[str, Mapping[str, str]] = {
    "oecd_v4": {"oecd_epl_v4_regular": "regular", "oecd_epl_v4_temporary": "temporary"},
    "cpds": {"cpds_emprot_reg": "regular", "cpds_emprot_temp": "temporary"},
}


@public
def read_distances(path: PathLike | None = None) -> pd.DataFrame:
    """Read distances between countries, and what else pairs of them share.

    Parameters
    ----------
    path : path, optional
        The table; `WAGEGAP_DATA`/gravity/dist_cepii.parquet where absent.

    Returns
    -------
    DataFrame
        origin, destination; dist, distcap, distw, distwces (km, between largest cities, capitals, weighted by people);
        0/1: contig (a border), comlang_off, comlang_ethno (language), colony, comcol, curcol, col45, smctry. Old codes
        become today's (Romania, Congo); the Netherlands Antilles are left out, and a country with itself.

    Raises
    ------
    DataError, ColumnError, EmptyDataError

    Examples
    --------
    With a copy of the table below the folder `WAGEGAP_DATA`:

    >>> import wagegap as wg
    >>> list(wg.datasets.read_distances())
    ['origin', 'destination', 'dist', 'distcap', 'distw', 'distwces', 'contig', 'comlang_off', 'comlang_ethno',
    'colony', 'comcol', 'curcol', 'col45', 'smctry']
    """
    return coded_table(
        local_table(path, "gravity/dist_cepii.parquet", layout(text=["iso_o", "iso_d"], number=[*_PAIRS, *_DISTANCES])),
        [*_DISTANCES, *_PAIRS],
        countries={"iso_o": "origin", "iso_d": "destination"},
    )


@public
def read_penn_world_table(*, years: Years = None, path: PathLike | None = None) -> pd.DataFrame:
    """Read the Penn World Table: output, people, hours, human capital and prices of 185 economies from 1980.

    Parameters
    ----------
    years : (int, int), optional
        First and last year, both included.
    path : path, optional
        The table, of version 11.0; `WAGEGAP_DATA`/covariates/pwt110.parquet where absent.

    Returns
    -------
    DataFrame
        iso3, year, and the publisher's columns: rgdpe, rgdpo, cgdpe, cgdpo (million 2021 PPP dollars), pop, emp
        (millions), avh (hours a year), hc (index), labsh (share), xr, pl_con, pl_gdpo, pl_c, csh_x, csh_m; and made
        here gdp_per_head (PPP dollars, rgdpe / pop) and gdp_per_worker. rgdpe is for living standards, rgdpo for
        productive capacity.

    Raises
    ------
    DataError, ColumnError, EmptyDataError, OptionError

    Examples
    --------
    With a copy of the table below the folder `WAGEGAP_DATA`:

    >>> import wagegap as wg
    >>> list(wg.datasets.read_penn_world_table())
    ['iso3', 'year', 'rgdpe', 'rgdpo', 'pop', 'emp', 'hc', 'gdp_per_head', 'gdp_per_worker']
    """
    needed = layout(text=["iso3"], year=["year"], number=["rgdpe", "rgdpo", "pop", "emp"])
    frame = local_table(
        path, "covariates/pwt110.parquet", needed, others=lambda name: None if name == "country" else "number"
    )
    people = frame[["pop", "emp"]].where(frame[["pop", "emp"]] > 0)
    frame = frame.assign(gdp_per_head=frame["rgdpe"] / people["pop"], gdp_per_worker=frame["rgdpo"] / people["emp"])
    return coded_table(frame, [name for name in frame if name not in ("iso3", "country", "year")], years=years)


@public
def read_income(*, years: Years = None, path: PathLike | None = None) -> pd.DataFrame:
    """Read GDP per head in PPP dollars of 2017, of the World Bank by way of Our World in Data, 1990-2022.

    Parameters
    ----------
    years : (int, int), optional
        First and last year, both included.
    path : path, optional
        The table; `WAGEGAP_DATA`/covariates/gdppc_owid.parquet where absent.

    Returns
    -------
    DataFrame
        iso3, year, gdp_per_head (2017 PPP dollars), population. Regions and states that are no more are left out, and
        years without a figure. The Penn World Table is another series: never fill one from the other.

    Raises
    ------
    DataError, ColumnError, EmptyDataError, OptionError

    Examples
    --------
    With a copy of the table below the folder `WAGEGAP_DATA`:

    >>> import wagegap as wg
    >>> list(wg.datasets.read_income())
    ['iso3', 'year', 'gdp_per_head', 'population']
    """
    names = {"gdppc_ppp_const2017": "gdp_per_head", "population": "population"}
    frame = _by_year(path, "covariates/gdppc_owid.parquet", names, years)
    return keep_rows(frame, frame["gdp_per_head"].notna(), "no GDP per head")


@public
def read_ppp_factors(*, years: Years = None, path: PathLike | None = None) -> pd.DataFrame:
    """Read what an international dollar costs in local currency (World Bank, PA.NUS.PPP).

    Parameters
    ----------
    years : (int, int), optional
        First and last year, both included.
    path : path, optional
        The table; `WAGEGAP_DATA`/covariates/ppp_factor_wb.parquet where absent.

    Returns
    -------
    DataFrame
        iso3, year, ppp_factor (local currency for one international dollar). Today's currency throughout: older pay may
        be in a currency that is no more.

    Raises
    ------
    DataError, ColumnError, EmptyDataError, OptionError

    Examples
    --------
    With a copy of the table below the folder `WAGEGAP_DATA`:

    >>> import wagegap as wg
    >>> list(wg.datasets.read_ppp_factors())
    ['iso3', 'year', 'ppp_factor']
    """
    needed = layout(text=["country", "iso2"], year=["year"], number=["ppp_factor"])
    frame = local_table(path, "covariates/ppp_factor_wb.parquet", needed)
    frame["iso2"] = frame["iso2"].fillna(frame["country"])  # Namibia's code, NA, may have been read as missing
    return coded_table(frame, ["ppp_factor"], countries={"iso2": "iso3"}, years=years, what="a region")


@public
def read_ageing(*, years: Years = None, projections: bool = False, path: PathLike | None = None) -> pd.DataFrame:
    """Read how old countries are: the share of people of 65 and more, and old-age dependency.

    Parameters
    ----------
    years : (int, int), optional
        First and last year, both included.
    projections : bool
        Keep the projections of 2017 for the years after 2015. They are too low for Korea already (2023: 18.1, in fact
        18.3), and no observation.
    path : path, optional
        The table; `WAGEGAP_DATA`/institutions/ageing.parquet where absent.

    Returns
    -------
    DataFrame
        iso3, year, share_65 (per cent, World Bank), dependency (65 and more for 100 of 15 to 64, World Bank of 2018, to
        2017), dependency_cpds (36 countries), dependency_wpp2017, share_65_wpp2017 and is_projection (United Nations
        2017). Sources are columns of their own, and never spliced.

    Raises
    ------
    DataError, ColumnError, EmptyDataError, OptionError

    Examples
    --------
    With a copy of the table below the folder `WAGEGAP_DATA`:

    >>> import wagegap as wg
    >>> list(wg.datasets.read_ageing())
    ['iso3', 'year', 'share_65', 'dependency', 'dependency_cpds', 'dependency_wpp2017', 'share_65_wpp2017']
    """
    names = {
        "share_65up_pct": "share_65", "oldage_dep_wdi2018_pct": "dependency", "oldage_dep_cpds_pct": "dependency_cpds",
        "oldage_dep_wpp2017_pct": "dependency_wpp2017", "share_65up_wpp2017_pct": "share_65_wpp2017",
        "wpp2017_is_projection": "is_projection",
    }  # fmt: skip
    frame = _without_aggregates(path, "institutions/ageing.parquet", names, years)
    if projections:
        return frame
    frame.loc[frame["is_projection"], ["dependency_wpp2017", "share_65_wpp2017"]] = np.nan
    frame = frame.drop(columns="is_projection")
    return keep_rows(frame, frame.drop(columns=["iso3", "year"]).notna().any(axis=1), "nothing but a projection")


@public
def read_technology(*, years: Years = None, path: PathLike | None = None) -> pd.DataFrame:
    """Read how technical countries are: research spending, researchers, exports of high technology (World Bank).

    Parameters
    ----------
    years : (int, int), optional
        First and last year, both included.
    path : path, optional
        The table; `WAGEGAP_DATA`/institutions/tech_intensity.parquet where absent.

    Returns
    -------
    DataFrame
        iso3, year, research_spending (per cent of GDP), researchers (full-time, for a million people), hitech_exports
        (per cent of manufactured exports, from 2007). The last year has few countries (2024: two of the OECD).

    Raises
    ------
    DataError, ColumnError, EmptyDataError, OptionError

    Examples
    --------
    With a copy of the table below the folder `WAGEGAP_DATA`:

    >>> import wagegap as wg
    >>> list(wg.datasets.read_technology())
    ['iso3', 'year', 'research_spending', 'researchers', 'hitech_exports']
    """
    names = {
        "rd_pct_gdp": "research_spending", "researchers_per_million": "researchers",
        "hitech_exports_pct_manuf": "hitech_exports",
    }  # fmt: skip
    return _without_aggregates(path, "institutions/tech_intensity.parquet", names, years)


@public
def read_unions(
    source: UnionSource,
    *,
    protection: Literal["oecd_v4", "cpds"] | None = None,
    years: Years = None,
    path: PathLike | None = None,
) -> pd.DataFrame:
    """Read union density, bargaining coverage and, if asked, employment protection, each from one source.

    Parameters
    ----------
    source : {"ictwss", "ilostat", "oecd2018", "cpds"}
        Whose density and coverage. They differ (Korea's density in 2017: 10.5 in ICTWSS, 12.4 in ILOSTAT), so that a
        series is never filled from another.
    protection : {"oecd_v4", "cpds"}, optional
        Add the strictness of employment protection: the OECD's version 4 (2019 alone, 37 countries) or the older one
        (1985-2019); their scales differ.
    years : (int, int), optional
        First and last year, both included.
    path : path, optional
        The table; `WAGEGAP_DATA`/institutions/labour_institutions.parquet where absent.

    Returns
    -------
    DataFrame
        iso3, year, density (per cent of employees), coverage (per cent), with "ictwss" coordination (1 to 5), with
        "oecd2018" density_survey; regular and temporary (0 to 6). Years without any of them are left out.

    Raises
    ------
    DataError, ColumnError, EmptyDataError, OptionError

    Examples
    --------
    With a copy of the table below the folder `WAGEGAP_DATA`:

    >>> import wagegap as wg
    >>> list(wg.datasets.read_unions("ictwss"))
    ['iso3', 'year', 'density', 'coverage', 'coordination']
    """
    names = dict(_UNIONS[source])
    if protection is not None:
        names |= _PROTECTION[protection]
    frame = _by_year(path, "institutions/labour_institutions.parquet", names, years)
    return keep_rows(frame, frame[list(names.values())].notna().any(axis=1), f"nothing from {source}")


@public
def read_dismissal_rules(path: PathLike | None = None) -> pd.DataFrame:
    """Read rules of dismissal and fixed-term contracts as text, of the ILO's EPLex: a row for each of 103 countries.

    Parameters
    ----------
    path : path, optional
        The table; `WAGEGAP_DATA`/institutions/ilo_eplex_rules.parquet where absent.

    Returns
    -------
    DataFrame
        iso3, year (of the latest entry; topics of six countries are of different years) and the publisher's columns,
        mostly "Yes" or "No", such as ftc_reg (fixed-term contracts regulated), vd_economic (dismissal for economic
        reasons), spd_pregnant, pd_tum.

    Raises
    ------
    DataError, ColumnError, EmptyDataError

    Examples
    --------
    With a copy of the table below the folder `WAGEGAP_DATA`:

    >>> import wagegap as wg
    >>> list(wg.datasets.read_dismissal_rules())
    ['iso3', 'year', 'ftc_reg', 'vd_economic', 'ftc_max']
    """
    needed = layout(text=["iso3", "ftc_reg", "vd_economic"], year=["year"])
    frame = local_table(path, "institutions/ilo_eplex_rules.parquet", needed, others=lambda _: "entry")
    frame = coded_table(frame, [name for name in frame if name not in ("iso3", "year")])
    # Six countries have topics in rows of their own: the latest entry of each column counts.
    return carried(frame.groupby("iso3", as_index=False).last(), frame)


@public
def read_doctor_pay(*, years: Years = None, path: PathLike | None = None) -> pd.DataFrame:
    """Read pay of doctors and hospital nurses over GDP per head, and of specialists over nurses (OECD).

    Parameters
    ----------
    years : (int, int), optional
        First and last of 2010, 2015, 2019, 2020.
    path : path, optional
        The table; `WAGEGAP_DATA`/oww/oecd_doctor_nurse_pay.parquet where absent.

    Returns
    -------
    DataFrame
        iso3, year, specialist, gp, nurse (each over GDP per head), specialist_over_nurse. Dollars are at market rates,
        so that levels are not comparable over time and are not given. Salaried and self-employed doctors are mixed and
        not told apart; GDP per head is not the average wage, and is inflated in Ireland and Luxembourg.

    Raises
    ------
    DataError, ColumnError, EmptyDataError, OptionError

    Examples
    --------
    With a copy of the table below the folder `WAGEGAP_DATA`:

    >>> import wagegap as wg
    >>> list(wg.datasets.read_doctor_pay())
    ['iso3', 'year', 'specialist', 'gp', 'nurse', 'specialist_over_nurse']
    """
    names = {
        "specialist_over_gdp_per_head": "specialist", "gp_over_gdp_per_head": "gp",
        "nurse_hospital_over_gdp_per_head": "nurse", "specialist_over_nurse": "specialist_over_nurse",
    }  # fmt: skip
    return _by_year(path, "oww/oecd_doctor_nurse_pay.parquet", names, years)


@public
def read_doctor_engineer_pay(path: PathLike | None = None) -> pd.DataFrame:
    """Read gaps of hourly pay between health and STEM professionals, and doctors and engineers (PIAAC, 2011-15).

    Parameters
    ----------
    path : path, optional
        The table; `WAGEGAP_DATA`/oww/piaac_doctor_engineer_pay.parquet where absent.

    Returns
    -------
    DataFrame
        iso3, n_doctor, n_engineer, doctor_engineer, se_doctor_engineer (logs; NaN with fewer than ten doctors,
        as in Korea and Japan), n_health, n_stem, health_stem, se_health_stem. Errors ignore the survey's replicates.
        Countries without pay in the public file (USA, Germany, Austria, Sweden, Singapore, Turkey) are absent.

    Raises
    ------
    DataError, ColumnError, EmptyDataError

    Examples
    --------
    The frame is ready for `Estimates.from_table(frame, by=["iso3"], estimate="health_stem",
    std_error="se_health_stem", unit="log")`.

    With a copy of the table below the folder `WAGEGAP_DATA`:

    >>> import wagegap as wg
    >>> list(wg.datasets.read_doctor_engineer_pay())
    ['iso3', 'n_doctor', 'n_engineer', 'doctor_engineer', 'se_doctor_engineer', 'n_health', 'n_stem',
    'health_stem', 'se_health_stem']
    """
    names = {
        "n_doctor": "n_doctor", "n_engineer_ict": "n_engineer", "ln_doctor_engineer": "doctor_engineer",
        "se_doctor_engineer": "se_doctor_engineer", "n_health_prof": "n_health", "n_stem_prof": "n_stem",
        "ln_health_stem": "health_stem", "se_health_stem": "se_health_stem",
    }  # fmt: skip
    needed = layout(text=["iso3"], number=names)
    frame = coded_table(local_table(path, "oww/piaac_doctor_engineer_pay.parquet", needed), names)
    frame.loc[frame["n_doctor"] < 10, ["doctor_engineer", "se_doctor_engineer"]] = np.nan
    return frame


@public
def read_hourly_earnings(
    classification: Literal["isco08", "isco88"] = "isco08", *, years: Years = None, path: PathLike | None = None
) -> pd.DataFrame:
    """Read mean hourly earnings by major group of occupations (ILOSTAT), a row for each country, year and group.

    Parameters
    ----------
    classification : {"isco08", "isco88"}
        Which classification; the two are not comparable.
    years : (int, int), optional
        First and last year, both included.
    path : path, optional
        The table; `WAGEGAP_DATA`/oww/ilostat_hourly_earnings_isco1.parquet where absent.

    Returns
    -------
    DataFrame
        iso3, year, group ("1" managers, "2" professionals, ... "9", "0" armed forces, "X" unknown), over_total: hourly
        earnings over those of all. Levels are not given, since their currency is not stated and changes within a
        country (Albania has 42.0 in 2012 and 5.6 in 2018); sources change too.

    Raises
    ------
    DataError, ColumnError, EmptyDataError, OptionError

    Examples
    --------
    With a copy of the table below the folder `WAGEGAP_DATA`:

    >>> import wagegap as wg
    >>> list(wg.datasets.read_hourly_earnings())
    ['iso3', 'year', 'group', 'over_total']
    """
    stem = f"hourearn_{classification}_"
    needed = layout(text=["iso3"], year=["year"], number=[f"{stem}total"])
    frame = local_table(
        path, "oww/ilostat_hourly_earnings_isco1.parquet", needed,
        others=lambda name: "number" if name.startswith(stem) else None,
    )  # fmt: skip
    groups = {name: name.removeprefix(stem) for name in map(str, frame) if name.startswith(stem)}
    frame = coded_table(frame, groups, years=years)
    frame = keep_rows(frame, frame["total"] > 0, f"no earnings by {classification}")
    long = frame.melt(["iso3", "year", "total"], var_name="group", value_name="over_total")
    long = long.assign(over_total=long["over_total"] / long["total"]).drop(columns="total").dropna()
    return carried(long.sort_values(["iso3", "year", "group"], ignore_index=True), frame)


@public
def read_public_pay(*, years: Years = None, path: PathLike | None = None) -> pd.DataFrame:
    """Read public and private pay, of professionals and others over clerks (World Bank, Bureaucracy Indicators).

    Parameters
    ----------
    years : (int, int), optional
        First and last year, both included.
    path : path, optional
        The table; `WAGEGAP_DATA`/oww/wwbi_relative_wages.parquet where absent.

    Returns
    -------
    DataFrame
        iso3, year, code, indicator, value: premiums as shares, relative wages and compression as ratios. 93 countries,
        2000-16, without Korea.

    Raises
    ------
    DataError, ColumnError, EmptyDataError, OptionError

    Examples
    --------
    With a copy of the table below the folder `WAGEGAP_DATA`:

    >>> import wagegap as wg
    >>> list(wg.datasets.read_public_pay())
    ['iso3', 'year', 'code', 'indicator', 'value']
    """
    needed = layout(text=["iso3", "indicator", "code"], year=["year"], number=["value"])
    frame = local_table(path, "oww/wwbi_relative_wages.parquet", needed)
    return coded_table(frame, ["indicator", "value"], keys=["code"], years=years)


def _by_year(path: PathLike | None, name: str, values: Mapping[str, str], years: Years) -> pd.DataFrame:
    """Read values (old name: new name) by country and year."""
    needed = layout(text=["iso3"], year=["year"], number=values)
    return coded_table(local_table(path, name, needed), values, years=years)


def _without_aggregates(path: PathLike | None, name: str, values: Mapping[str, str], years: Years) -> pd.DataFrame:
    """Read values (old name: new name) by country and year, regions and income groups left out."""
    flags = [name for name in ("is_aggregate", *values) if "is_" in name]
    needed = layout(text=["iso3"], year=["year"], flag=flags, number=[name for name in values if name not in flags])
    frame = within_years(local_table(path, name, needed), years)
    return coded_table(keep_rows(frame, ~frame["is_aggregate"], "a region or income group"), values)
