"""People between countries: flows of scholars, stocks of migrants, net moves of LinkedIn members; and who leaves.

Tables of pairs come out in one layout: `origin` and `destination` (ISO 3166, three letters), `year`, and what was
counted; tables of countries have `iso3` and `year`. Pairs that a publisher does not list are absent, not zero:
`complete_pairs` adds the zeros, which a gravity equation needs, over the countries and years that a table covers.
`frame.attrs["ledger"]` says which rows were left out.

References
----------
Akbaritabar, A., T. Theile and E. Zagheni (2024). Bilateral flows and rates of international migration of scholars.
Scientific Data 11, 816.
Bruecker, H., S. Capuano and A. Marfouk (2013). Education, gender and international migration: insights from a
panel-dataset 1980-2010. Institute for Employment Research, Nuremberg.
United Nations, Department of Economic and Social Affairs (2019). International migrant stock 2019.
World Bank Group and LinkedIn (2020). Digital Data for Development: jobs, skills and migration trends.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Annotated, Any, Literal

import numpy as np
import pandas as pd

from wagegap._arguments import public
from wagegap._typing import ColumnName
from wagegap.datasets.layout import layout
from wagegap.datasets.local import (
    PathLike,
    Years,
    carried,
    checked_years,
    coded_table,
    keep_rows,
    local_table,
    with_countries,
    within_years,
)
from wagegap.errors import (
    ColumnError,
    DataError,
    MissingValueError,
    OptionError,
    check_column,
    check_count,
    check_known,
    did_you_mean,
    listing,
    refuse_rows,
)
from wagegap.estimation.carriers import as_pandas
from wagegap.estimation.column_types import as_numbers, in_order
from wagegap.estimation.design import check_columns_meet, check_keys
from wagegap.panel.panel import check_columns

__all__ = [
    "complete_pairs",
    "read_emigrant_stocks",
    "read_emigration_rates",
    "read_linkedin_industries",
    "read_linkedin_pairs",
    "read_linkedin_skills",
    "read_migrant_stocks",
    "read_scholar_flows",
    "read_scholar_rates",
]

ScholarSource = Literal["scopus", "openalex"]
_NET = "net_per_10K_"
_NET_YEARS = tuple(f"{_NET}{year}" for year in range(2015, 2020))
_WHOM = {"total": "Male and Female", "male": "Male", "female": "Female"}
_LAST_WHOLE_YEAR = 2018  # OpenAlex's later years are incomplete


@public
def read_scholar_flows(
    source: ScholarSource = "scopus", *, years: Years = None, path: PathLike | None = None
) -> pd.DataFrame:
    """Read moves of researchers between countries, from the affiliations of their publications.

    Parameters
    ----------
    source : {"scopus", "openalex"}
        Bibliographic database; the two differ in coverage and must not be mixed.
    years : (int, int), optional
        First and last year, both included; all up to 2018 where absent. OpenAlex lists later ones, which are not
        complete.
    path : path, optional
        The table; `WAGEGAP_DATA`/scholarly_migration/scopus_2024_flows.parquet or openalex_2023_flows.parquet where
        absent.

    Returns
    -------
    DataFrame
        origin, destination, year, moves (researchers). Pairs without moves are not listed: `complete_pairs`.

    Raises
    ------
    DataError, ColumnError, EmptyDataError, OptionError

    Notes
    -----
    Four fifths of OpenAlex's moves have an end without a code, most of them arrivals in the United States: a tenth of
    its rows, which are left out and counted. Namibia, whose code NA is read as missing, is among them.

    Examples
    --------
    With a copy of the table below the folder `WAGEGAP_DATA`:

    >>> import wagegap as wg
    >>> list(wg.datasets.read_scholar_flows())
    ['origin', 'destination', 'year', 'moves']
    """
    name = {"scopus": "scopus_2024_flows", "openalex": "openalex_2023_flows"}[source]
    ends = ("iso3codefrom", "iso3codeto") if source == "scopus" else ("migrationfrom", "migrationto")
    needed = layout(text=ends, year=["year"], number=["n_migrations"])
    frame = local_table(path, f"scholarly_migration/{name}.parquet", needed)
    years = years or (min(int(frame["year"].min()), _LAST_WHOLE_YEAR), _LAST_WHOLE_YEAR)
    countries = dict(zip(ends, ("origin", "destination"), strict=True))
    return coded_table(frame, {"n_migrations": "moves"}, countries=countries, years=years)


@public
def read_migrant_stocks(*, years: Years = None, path: PathLike | None = None) -> pd.DataFrame:
    """Read who lives abroad: migrants by country of origin and of residence, every fifth year 1990-2015, and 2019.

    Parameters
    ----------
    years : (int, int), optional
        First and last year, both included.
    path : path, optional
        The table; `WAGEGAP_DATA`/un_desa_2019/bilateral_stock.parquet where absent.

    Returns
    -------
    DataFrame
        origin, destination, year, stock (persons, of any age and skill). Regions are left out: the region Micronesia is
        not the country, though files give it the country's code.

    Raises
    ------
    DataError, ColumnError, EmptyDataError, OptionError

    Examples
    --------
    With a copy of the table below the folder `WAGEGAP_DATA`:

    >>> import wagegap as wg
    >>> list(wg.datasets.read_migrant_stocks())
    ['origin', 'destination', 'year', 'stock']
    """
    needed = layout(text=["dest", "origin"], year=["year"], number=["stock"])
    frame = local_table(path, "un_desa_2019/bilateral_stock.parquet", needed)
    frame = within_years(frame, years)
    frame = keep_rows(frame, frame["dest"] != "Micronesia", "a region (Micronesia)")
    return coded_table(frame, ["stock"], countries={"origin": "origin", "dest": "destination"}, what="a region")


@public
def read_emigrant_stocks(
    *, sex: Literal["total", "male", "female"] = "total", years: Years = None, path: PathLike | None = None
) -> pd.DataFrame:
    """Read emigrants aged 25 and over in twenty OECD countries, every fifth year 1980-2010.

    Parameters
    ----------
    sex : {"total", "male", "female"}
        Whom; total is the sum of the others.
    years : (int, int), optional
        First and last year, both included.
    path : path, optional
        The table; `WAGEGAP_DATA`/iab_brain_drain/bilateral_stock_by_sex.parquet where absent.

    Returns
    -------
    DataFrame
        origin, destination, year, stock (persons). Serbia and Montenegro, and unknown origins, have no code and are
        left out.

    Raises
    ------
    DataError, ColumnError, EmptyDataError, OptionError

    Examples
    --------
    With a copy of the table below the folder `WAGEGAP_DATA`:

    >>> import wagegap as wg
    >>> list(wg.datasets.read_emigrant_stocks())
    ['origin', 'destination', 'year', 'stock']
    """
    needed = layout(text=["dest", "origin_iso3", "origin", "sex"], year=["year"], number=["stock"])
    frame = local_table(path, "iab_brain_drain/bilateral_stock_by_sex.parquet", needed)
    frame = keep_rows(frame, frame["sex"] == sex, f"sex other than {sex}")
    return coded_table(
        frame,
        ["stock"],
        countries={"origin_iso3": "origin", "dest": "destination"},
        years=years,
        what="an origin without code",
    )


@public
def read_linkedin_pairs(*, years: Years = None, path: PathLike | None = None) -> pd.DataFrame:
    """Read net moves of LinkedIn members between pairs of countries, 2015-19.

    Parameters
    ----------
    years : (int, int), optional
        First and last year, both included.
    path : path, optional
        The table; `WAGEGAP_DATA`/wb_linkedin/country_migration.parquet where absent.

    Returns
    -------
    DataFrame
        origin (the other country), destination (the base), year, net_per_10k: arrivals from the origin less departures
        to it, for 10,000 members in the destination. A pair stands twice, seen from either side, with denominators that
        differ, so that the two are not each other's negative. Net moves have no logarithm.

    Raises
    ------
    DataError, ColumnError, EmptyDataError, OptionError

    Examples
    --------
    With a copy of the table below the folder `WAGEGAP_DATA`:

    >>> import wagegap as wg
    >>> list(wg.datasets.read_linkedin_pairs())
    ['origin', 'destination', 'year', 'net_per_10k']
    """
    needed = layout(text=["base_iso3", "target_iso3"], number=_NET_YEARS)
    frame = local_table(path, "wb_linkedin/country_migration.parquet", needed)
    coded = with_countries(frame[[*needed]], {"target_iso3": "origin", "base_iso3": "destination"})
    return _long_by_year(coded, ["origin", "destination", "year"], years)


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

    Examples
    --------
    With a copy of the table below the folder `WAGEGAP_DATA`:

    >>> import wagegap as wg
    >>> list(wg.datasets.read_linkedin_skills())
    ['iso3', 'year', 'skill', 'category', 'net_per_10k']
    """
    names = {"skill_group_name": "skill", "skill_group_category": "category"}
    return _members(path, "wb_linkedin/skill_migration.parquet", names, skill, years)


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

    Examples
    --------
    With a copy of the table below the folder `WAGEGAP_DATA`:

    >>> import wagegap as wg
    >>> list(wg.datasets.read_linkedin_industries())
    ['iso3', 'year', 'industry', 'section', 'net_per_10k']
    """
    names = {"industry_name": "industry", "isic_section_index": "section"}
    return _members(path, "wb_linkedin/industry_migration.parquet", names, industry, years)


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

    Examples
    --------
    With a copy of the table below the folder `WAGEGAP_DATA`:

    >>> import wagegap as wg
    >>> list(wg.datasets.read_scholar_rates())
    ['iso3', 'year', 'researchers', 'arrivals', 'departures', 'in_rate', 'out_rate', 'net_rate']
    """
    names = {
        "padded_population_of_researchers": "researchers", "number_of_inmigrations": "arrivals",
        "number_of_outmigrations": "departures",
    }  # fmt: skip
    needed = layout(text=["iso3code"], year=["year"], number=names)
    frame = local_table(path, f"scholarly_migration/{source}_2024_country_year.parquet", needed)
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

    Examples
    --------
    With a copy of the table below the folder `WAGEGAP_DATA`:

    >>> import wagegap as wg
    >>> list(wg.datasets.read_emigration_rates())
    ['iso3', 'year', 'total', 'low', 'medium', 'high']
    """
    names = {"tot_rate": "total", "low_rate": "low", "med_rate": "medium", "high_rate": "high"}
    needed = layout(text=["origin", "gender"], year=["year"], number=names)
    frame = local_table(path, "iab_brain_drain/emigration_rates_by_skill.parquet", needed)
    frame = keep_rows(frame, frame["gender"] == _WHOM[sex], f"sex other than {sex}")
    # By name: the publisher's codes have Guinea and Guinea-Bissau in each other's place.
    return coded_table(frame, names, countries={"origin": "iso3"}, years=years)


@public
def complete_pairs(
    flows: Any,
    countries: Annotated[Sequence[Any] | int, "codes in a list, or the number of countries"] | None = None,
    *,
    value: ColumnName | None = None,
    by_year: bool = True,
) -> pd.DataFrame:
    """Return every ordered pair of countries, with zero where a table lists nothing.

    Parameters
    ----------
    flows : data frame
        Of pandas, polars or Arrow: origin, destination, a column of counts, and year where `by_year`.
    countries : sequence of str, int, or None
        Codes; or so many countries, those with the most departures; all that occur on either side where absent.
    value : str, optional
        Column of counts; the only other column where absent.
    by_year : bool
        A row for each pair and year of the table; otherwise sums over the years.

    Returns
    -------
    DataFrame
        origin, destination, (year,) and the counts; no country with itself. A pair that is listed with a missing count
        has a missing one.

    Raises
    ------
    ColumnError, DataError, MissingValueError, OptionError
        For columns that are not there or hold something else, a country twice, one that has no row, or counts that are
        negative (a net flow has no zeros to add).

    Examples
    --------
    >>> flows = pd.DataFrame({"origin": ["KOR", "JPN"], "destination": ["USA", "USA"], "year": 2018, "moves": [5, 3]})
    >>> complete_pairs(flows, ["JPN", "KOR", "USA"])["moves"].tolist()
    [0, 3, 0, 5, 0, 0]
    """
    keys = ["origin", "destination", *(["year"] if by_year else [])]
    frame = as_pandas(flows)
    check_columns(frame, "flows")
    there = listing(frame.columns, 12)
    check_known(keys, frame, lambda name, _: ColumnError(f"the flows have no column {name!r}. There are: {there}."))
    value = _counted(frame, value)
    counts = _counts(frame[value], value)
    plain = pd.DataFrame({**{key: _keys(frame[key]) for key in keys}, value: counts})
    check_columns_meet(plain["origin"], plain["destination"], "countries", ("origin", "destination"))
    chosen = _countries(plain, countries, value)
    sides = [chosen, chosen, *([in_order(plain["year"].unique())] if by_year else [])]
    grid = pd.MultiIndex.from_product(sides, names=keys).to_frame(index=False)
    grid = grid[grid["origin"] != grid["destination"]]
    # A pair that is listed without a figure has no known sum: only the pairs that are not listed are zero.
    groups = plain.groupby(keys, observed=True, sort=False)[value]
    sums = groups.sum().where(groups.count() == groups.size())
    at = sums.index.get_indexer(pd.MultiIndex.from_frame(grid))
    filled = sums.iloc[at].set_axis(grid.index).where(at >= 0, 0).astype(counts.dtype)
    return grid.assign(**{value: filled}).reset_index(drop=True)


def _members(
    path: PathLike | None, name: str, names: dict[str, str], wanted: str | Sequence[str] | None, years: Years
) -> pd.DataFrame:
    """Rows of a table of LinkedIn's by year, of some groups."""
    group = next(iter(names.values()))
    needed = layout(text=["iso3", *names], number=_NET_YEARS)
    frame = local_table(path, name, needed)[[*needed]].rename(columns=names)
    if wanted is not None:
        chosen = [wanted] if isinstance(wanted, str) else list(wanted)
        known = sorted(frame[group].unique())
        check_known(
            chosen, known, lambda name, hint: OptionError(f"no {group} {name!r}.{hint} There are {len(known)}.")
        )
        frame = keep_rows(frame, frame[group].isin(chosen), f"another {group}")
    return _long_by_year(with_countries(frame, {"iso3": "iso3"}), ["iso3", "year", group], years)


def _long_by_year(frame: pd.DataFrame, keys: Sequence[str], years: Years) -> pd.DataFrame:
    """LinkedIn's columns of years as rows, in the order of the keys, with all else that the frame has.

    The ledger goes on counting the publisher's rows.
    """
    columns = {name: int(name.removeprefix(_NET)) for name in map(str, frame) if name.startswith(_NET)}
    low, high = min(columns.values()), max(columns.values())
    first, last = checked_years(years) or (low, high)
    inside = {name: year for name, year in columns.items() if first <= year <= last}
    if not inside:
        raise OptionError(f"years={years!r}: the table has {low} to {high}.")
    others = [name for name in frame if name not in columns]
    parts = [frame[others].assign(year=year, net_per_10k=frame[name]) for name, year in inside.items()]
    long = pd.concat(parts, ignore_index=True)
    ordered = [*keys, *(name for name in others if name not in keys), "net_per_10k"]
    return carried(long[ordered].sort_values(list(keys), ignore_index=True), frame)


def _counted(flows: pd.DataFrame, value: Any) -> Any:
    """Name of the column of counts: the one given, or the only one that is no key."""
    others = [name for name in flows if name not in ("origin", "destination", "year")]
    if value is None and len(others) == 1:
        return others[0]
    if value is not None:
        check_column(value, others, "for the counts")
        return value
    raise ColumnError(f"value=None must name the column of counts. There are: {listing(others, 12)}.")


def _counts(column: pd.Series[Any], name: Any) -> pd.Series[Any]:
    """Counts as numbers, whole ones wide enough for their sums."""
    values = as_numbers(column, f"{name!r}")
    refuse_rows(values < 0, DataError, f"{name!r} is negative in ", " rows: net flows have no zeros to add.")
    refuse_rows(np.isinf(values), DataError, f"{name!r} is infinite in ", " rows: mend them, or filter them out.")
    if not pd.api.types.is_integer_dtype(column.dtype) or isinstance(column.dtype, pd.SparseDtype):
        return pd.Series(values, index=column.index)
    return column.astype("Int64" if np.isnan(values).any() else np.int64)


def _keys(column: pd.Series[Any]) -> pd.Series[Any]:
    """Countries or years as plain values, none of them missing."""
    check_keys(column.to_frame(), [str(column.name)])
    refuse_rows(column.isna(), MissingValueError, f"{column.name!r} is missing in ", " rows: filter them out.")
    return column if isinstance(column.dtype, np.dtype) else pd.Series(column.tolist(), index=column.index)


def _countries(flows: pd.DataFrame, wanted: Any, value: Any) -> list[Any]:
    """Countries of the pairs: those named, so many with the most departures, or all."""
    there = in_order([*flows["origin"], *flows["destination"]])
    if wanted is None:
        return there
    if isinstance(wanted, int | np.integer):
        check_count("countries", wanted)
        largest = (
            flows.groupby("origin", observed=True, sort=False)[value].sum().sort_values(ascending=False, kind="stable")
        )
        return in_order(largest.index[: int(wanted)])
    if isinstance(wanted, str) or not isinstance(wanted, Iterable):
        raise OptionError(f"countries={wanted!r} must be codes, such as ['KOR', 'USA'], or how many of the largest.")
    codes = list(wanted)
    unknown = [code for code in codes if code not in there]
    if unknown:
        raise DataError(f"no flow from or to {listing(unknown)}.{did_you_mean(unknown[0], there)}")
    if len(set(codes)) < len(codes):
        raise DataError(f"countries name {listing(sorted({str(c) for c in codes if codes.count(c) > 1}))} twice.")
    return codes
