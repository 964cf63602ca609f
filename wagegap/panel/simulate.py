"""Simulated workers with known premiums, emigration and switching: the truth beside the data.

Premiums of countries are drawn around a mean; emigration of skilled workers is linear in the premium with an error;
workers have persistent pay, and the chance of leaving may go with their pay residual, so that the errors of estimated
premiums and rates are correlated while the truth stays what it is.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
from scipy import stats

from wagegap._typing import FloatArray, RngLike
from wagegap.errors import OptionError, check_option
from wagegap.panel.load import read_panel
from wagegap.panel.panel import Panel

__all__ = ["Simulation", "simulate_panel"]

_COUNTRIES = (
    "AUS AUT BEL BGR BRA CAN CHE CHL CHN COL CZE DEU DNK EGY ESP EST FIN FRA GBR GRC HUN IDN IND IRL ISR ITA JPN KOR "
    "LTU LVA MEX MYS NLD NOR NZL PER PHL POL PRT ROU RUS SGP SVK SVN SWE THA TUR TWN UKR USA VNM ZAF"
).split()
_EDUCATION = np.array([0.0, 0.15, 0.3])


@dataclass(frozen=True, slots=True, eq=False)
class Simulation:
    """Simulated data and their truth.

    Attributes
    ----------
    panel : Panel
        The workers.
    truth : DataFrame
        iso3, premium (log points), emigration, switching (shares) of the population of each country.
    link_slope, link_intercept, link_sd : float
        Emigration = intercept + slope x premium + error with this standard deviation.
    """

    panel: Panel
    truth: pd.DataFrame
    link_slope: float
    link_intercept: float
    link_sd: float


def simulate_panel(  # noqa: PLR0913
    *,
    countries: int = 12,
    workers: int = 400,
    periods: int = 2,
    premium_mean: float = 0.15,
    premium_sd: float = 0.05,
    link_slope: float = -0.5,
    link_intercept: float = 0.2,
    link_sd: float = 0.01,
    switching_mean: float = 0.3,
    share_treated: float = 0.3,
    wage_sd: float = 0.5,
    worker_sd: float = 0.3,
    error_correlation: float = 0.0,
    design: Literal["simple", "clustered", "stratified"] = "simple",
    rng: RngLike = None,
) -> Simulation:
    """Simulate workers of several countries over several periods.

    Parameters
    ----------
    countries, workers, periods : int
        Countries (at most 52), workers in each, periods that each is seen.
    premium_mean, premium_sd : float
        Distribution of the true premiums, log points.
    link_slope, link_intercept, link_sd : float
        Emigration of skilled workers on the premium, shares per log point.
    switching_mean : float
        Mean share of skilled workers who change field.
    share_treated : float
        Share of workers with the skill.
    wage_sd, worker_sd : float
        Standard deviations of the pay residual: of a period, and persistent over a worker's periods.
    error_correlation : float
        Correlation of a worker's pay residual with the inclination to leave, -1 to 1.
    design : {"simple", "clustered", "stratified"}
        With a sampling unit's common error; with strata sampled at unequal rates and weights.
    rng : Generator, int or None
        Source of randomness.

    Returns
    -------
    Simulation

    Raises
    ------
    OptionError

    Examples
    --------
    >>> made = simulate_panel(countries=4, workers=100, rng=0)
    >>> len(made.panel), made.truth.columns.tolist()
    (800, ['iso3', 'premium', 'emigration', 'switching'])
    """
    check_option("design", design, ("simple", "clustered", "stratified"))
    if not 2 <= countries <= len(_COUNTRIES):
        raise OptionError(f"countries={countries} must lie between 2 and {len(_COUNTRIES)}.")
    if not -1 <= error_correlation <= 1:
        raise OptionError(f"error_correlation={error_correlation} must lie between -1 and 1.")
    generator = np.random.default_rng(rng)
    premium = generator.normal(premium_mean, premium_sd, countries)
    emigration = link_intercept + link_slope * premium + generator.normal(0, link_sd, countries)
    switching = np.clip(generator.normal(switching_mean, 0.05, countries), 0.02, 0.98)
    if (emigration <= 0).any() or (emigration >= 1).any():
        raise OptionError("the link gives emigration outside 0 to 1: choose another intercept, slope or spread.")
    names = generator.permutation(np.array(_COUNTRIES))[:countries]
    truth = pd.DataFrame({"iso3": names, "premium": premium, "emigration": emigration, "switching": switching})
    truth = truth.sort_values("iso3", ignore_index=True)
    people = _people(truth, workers, share_treated, design, generator)
    rows = _rows(people, truth, periods, (wage_sd, worker_sd, error_correlation), generator)
    clusters, strata = (None, None) if design == "simple" else ("psu", "stratum" if design == "stratified" else None)
    panel = read_panel(
        rows, worker="pid", country="iso3", period="year", wage="hourly_wage", field="field", occupation="occupation",
        weight="weight" if design == "stratified" else None, cluster=clusters, strata=strata, worker_scope="global",
        source_name="simulated workers",
    )  # fmt: skip
    return Simulation(panel, truth, link_slope, link_intercept, link_sd)


def _people(
    truth: pd.DataFrame, workers: int, share: float, design: str, generator: np.random.Generator
) -> pd.DataFrame:
    n = len(truth) * workers
    country = np.repeat(np.arange(len(truth)), workers)
    stratum = generator.integers(4, size=n)
    people = pd.DataFrame(
        {
            "pid": np.arange(n), "home": country, "ai": (generator.random(n) < share).astype(int),
            "female": generator.integers(2, size=n), "exper": generator.integers(0, 30, size=n).astype(float),
            "level": generator.integers(3, size=n), "stratum": stratum,
            "psu": stratum * 10 + generator.integers(10, size=n),
        }
    )  # fmt: skip
    people["weight"] = np.array([1.0, 2.0, 3.0, 4.0])[stratum] if design == "stratified" else 1.0
    people["psu_error"] = 0.0
    if design != "simple":
        people["psu_error"] = generator.normal(0, 0.15, (len(truth), 40))[country, people["psu"]]
    return people


def _rows(
    people: pd.DataFrame,
    truth: pd.DataFrame,
    periods: int,
    spread: tuple[float, float, float],
    generator: np.random.Generator,
) -> pd.DataFrame:
    wage_sd, worker_sd, correlation = spread
    n = len(people)
    persistent = generator.normal(size=n)
    inclination = correlation * persistent + np.sqrt(1 - correlation**2) * generator.normal(size=n)
    home = people["home"].to_numpy()
    ai = people["ai"].to_numpy()
    leaves = _below(inclination, np.where(ai == 1, truth["emigration"].to_numpy()[home], 0.05))
    switches = generator.random(n) < np.where(ai == 1, truth["switching"].to_numpy()[home], 0.2)
    switch_at = generator.integers(1, max(periods, 2), size=n)
    parts = []
    for t in range(periods):
        noise = generator.normal(0, wage_sd, n) + worker_sd * persistent + people["psu_error"]
        exper = people["exper"] + t
        log_wage = (
            2.5 + 0.1 * home + truth["premium"].to_numpy()[home] * ai + 0.03 * exper - 0.0005 * exper**2
            - 0.1 * people["female"] + _EDUCATION[people["level"]] + noise
        )  # fmt: skip
        field = np.where(switches & (t >= switch_at), "other", np.where(ai == 1, "computing", "general"))
        parts.append(
            people.assign(
                year=2020 + t, exper=exper, hourly_wage=np.exp(log_wage), field=field,
                abroad_next=leaves.astype(float), new_field_next=switches.astype(float),
            )
        )  # fmt: skip
    rows = pd.concat(parts, ignore_index=True)
    rows["iso3"] = truth["iso3"].to_numpy()[rows["home"]]
    rows["educ"] = np.array(["school", "college", "graduate"])[rows["level"]]
    rows["occupation"] = np.where(rows["field"] == "computing", "developer", "clerk")
    keep = ["pid", "iso3", "year", "ai", "exper", "female", "educ", "field", "occupation", "hourly_wage", "abroad_next"]
    return rows[[*keep, "new_field_next", "weight", "psu", "stratum"]]


def _below(inclination: FloatArray, chance: FloatArray) -> FloatArray:
    """One for those in the tail of inclination that has the chance's probability."""
    return (stats.norm.cdf(inclination) < chance).astype(float)
