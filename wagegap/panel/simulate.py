"""Simulated workers with known premiums, emigration and switching: the truth beside the data.

Premiums of countries are drawn around a mean; emigration of skilled workers is linear in the premium with an error.
Each period every worker is paid, may leave for another country, where the data find them again, and may change field.
Pay has a part that stays with the worker and a part of the period; the inclination to leave may go with the latter, so
that the errors of an estimated premium and an estimated rate are correlated through the workers they share. The part of
the next period is drawn anew and the part that stays plays no role in leaving: who stands in a country in a period is
thus unrelated to their pay residuals there, and the truth stays exact for any correlation.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
from scipy import special

from wagegap._arguments import public, public_methods
from wagegap._display.shown_table import ShownTable
from wagegap._display.spec import TableSpec, tabulate_frame
from wagegap._typing import AnyArray, Count, Finite, FloatArray, IntArray, RngLike
from wagegap.errors import OptionError
from wagegap.estimation.countries.columns import to_read
from wagegap.panel.load import read_panel
from wagegap.panel.panel import Panel

__all__ = ["Simulation", "simulate_panel"]

_COUNTRIES = (
    "AUS AUT BEL BGR BRA CAN CHE CHL CHN COL CZE DEU DNK EGY ESP EST FIN FRA GBR GRC HUN IDN IND IRL ISR ITA JPN KOR "
    "LTU LVA MEX MYS NLD NOR NZL PER PHL POL PRT ROU RUS SGP SVK SVN SWE THA TUR TWN UKR USA VNM ZAF"
).split()
_LEVELS = np.array(["school", "college", "graduate"], dtype=object)
_LEVEL_PAY = np.array([0.0, 0.15, 0.3])
_FIELDS = np.array(["computing", "engineering", "medicine", "business"], dtype=object)
_FIELDS_UP_TO = {1: np.array([0.6, 0.85, 0.9]), 0: np.array([0.1, 0.3, 0.6])}
_OCCUPATIONS = np.array(
    ["developer", "data analyst", "engineer", "technician", "physician", "nurse", "manager", "clerk"], dtype=object
)
_OTHERS_LEAVE, _OTHERS_SWITCH = 0.05, 0.2
_FIRST_YEAR = 2020
_STRATUM_WEIGHTS = np.array([1.0, 2.0, 3.0, 4.0])
_STRATUM_PAY = np.array([-0.2, -0.1, 0.1, 0.2])
_PSU_PER_STRATUM = 10
_PSU_SD = 0.15


@public_methods
@dataclass(frozen=True, slots=True, eq=False)
class Simulation(ShownTable):
    """Simulated data and their truth.

    Attributes
    ----------
    panel : Panel
        The workers.
    truth : DataFrame
        iso3, premium (log), emigration, switching (shares) of the population of each country, sorted by iso3.
        The premium is the coefficient of `ai` in a regression of `log(hourly_wage)` on `ai`, `exper`, its square and
        `female` within levels of `educ`, in each country and period; the rates are the chances in each period that a
        worker with the skill leaves the country, and changes field.
    link_slope, link_intercept, link_sd : float
        Emigration = intercept + slope x premium + error with this standard deviation.
    """

    panel: Panel
    truth: pd.DataFrame
    link_slope: float
    link_intercept: float
    link_sd: float

    def spec_of_table(self) -> TableSpec:
        """Return the truth of each country as a table, and what was drawn."""
        line = f"emigration = {self.link_intercept:g} {self.link_slope:+g} x premium, +/- {self.link_sd:g}"
        return tabulate_frame(
            self.truth, title="Simulated workers: the truth of each country (.truth); the workers are .panel",
            notes=[f"{self.panel}", f"In the population {line}."], written=to_read(self.truth[["iso3"]]),
        )  # fmt: skip


@public
def simulate_panel(  # noqa: PLR0913
    *,
    countries: Count = 12,
    workers: Count = 400,
    periods: Count = 2,
    premium_mean: Finite = 0.15,
    premium_sd: Finite = 0.05,
    link_slope: Finite = -0.5,
    link_intercept: Finite = 0.2,
    link_sd: Finite = 0.01,
    switching_mean: Finite = 0.3,
    share_treated: Finite = 0.3,
    wage_sd: Finite = 0.5,
    worker_sd: Finite = 0.3,
    error_correlation: Finite = 0.0,
    design: Literal["simple", "clustered", "stratified"] = "simple",
    rng: RngLike = None,
) -> Simulation:
    """Simulate workers of several countries over several periods.

    log pay = country + premium ai + .03 exper - .0005 exper^2 - .1 female + education + worker_sd u_i + wage_sd e_it;
    worker i leaves after t where r e_it + sqrt(1 - r^2) v_it is in the upper tail that has the rate's chance (u, e, v
    standard normal, r the error correlation).

    Parameters
    ----------
    countries, workers, periods : int
        Countries (2 to 52), workers who are in each at first, periods. Whoever leaves is in another country, drawn at
        random, from the next period on, under the same id.
    premium_mean, premium_sd : float
        Distribution of the true premiums, as differences of logs.
    link_slope, link_intercept, link_sd : float
        Emigration of skilled workers on the premium, shares per log point.
    switching_mean : float
        Mean share of skilled workers who change field in a period.
    share_treated : float
        Share of workers with the skill.
    wage_sd, worker_sd : float
        Standard deviations of the pay residual: of a period, and persistent over a worker's periods.
    error_correlation : float
        Correlation of a worker's pay residual of the period with the inclination to leave after it, -1 to 1.
    design : {"simple", "clustered", "stratified"}
        With a common error of each `psu`; and with four strata of unequal pay, sampled at unequal rates, and weights.
    rng : Generator, int or None
        Source of randomness.

    Returns
    -------
    Simulation
        Columns of the panel: pid, iso3, year, ai, exper, female, educ, field, occupation, hourly_wage, abroad_next,
        new_field_next (1 or 0; known in the last period too, as if a later wave had asked), weight, psu, stratum.

    Raises
    ------
    OptionError
        An unknown design, a number out of its range, or emigration outside 0 to 1.

    Examples
    --------
    >>> made = simulate_panel(countries=4, workers=100, rng=0)
    >>> len(made.panel), made.truth.columns.tolist()
    (800, ['iso3', 'premium', 'emigration', 'switching'])
    """
    _check_ranges(countries, share_treated, error_correlation, (premium_sd, link_sd, wage_sd, worker_sd))
    generator = np.random.default_rng(rng)
    premium = generator.normal(premium_mean, premium_sd, countries)
    emigration = link_intercept + link_slope * premium + generator.normal(0, link_sd, countries)
    switching = np.clip(generator.normal(switching_mean, 0.05, countries), 0.02, 0.98)
    if (emigration <= 0).any() or (emigration >= 1).any():
        raise OptionError(
            f"the link gives emigration from {emigration.min():.3f} to {emigration.max():.3f}, outside 0 to 1: choose "
            "another link_intercept, link_slope, premium_sd or link_sd."
        )
    names = np.sort(generator.permutation(np.array(_COUNTRIES))[:countries]).astype(object)
    truth = pd.DataFrame({"iso3": names, "premium": premium, "emigration": emigration, "switching": switching})
    world = _World(premium, emigration, switching, wage_sd, worker_sd, error_correlation, design)
    rows = _simulate(world, _people(countries, workers, share_treated, generator), periods, generator)
    panel = read_panel(
        _frame(rows, names, design), worker="pid", country="iso3", period="year", wage="hourly_wage", field="field",
        occupation="occupation", weight="weight" if design == "stratified" else None,
        cluster=None if design == "simple" else "psu", strata="stratum" if design == "stratified" else None,
        worker_scope="global", source_name="simulated workers",
    )  # fmt: skip
    return Simulation(panel, truth, link_slope, link_intercept, link_sd)


@dataclass(frozen=True, slots=True, eq=False)
class _World:
    """What rules pay and moves.

    Attributes
    ----------
    premium, emigration, switching : ndarray, shape (C,)
        Of each country: differences of logs, and chances in a period.
    wage_sd, worker_sd, correlation : float
        Spread of pay residuals of a period and of a worker; correlation of the former with the inclination to leave.
    design : str
        Which errors pay has in common.
    """

    premium: FloatArray
    emigration: FloatArray
    switching: FloatArray
    wage_sd: float
    worker_sd: float
    correlation: float
    design: str


def _check_ranges(countries: int, share: float, correlation: float, spreads: tuple[float, ...]) -> None:
    for name, value, inside, bounds in (
        ("countries", countries, 2 <= countries <= len(_COUNTRIES), f"2 and {len(_COUNTRIES)}"),
        ("share_treated", share, 0 < share < 1, "0 and 1"),
        ("error_correlation", correlation, -1 <= correlation <= 1, "-1 and 1"),
    ):
        if not inside:
            raise OptionError(f"{name}={value} must lie between {bounds}.")
    if min(spreads) < 0:
        raise OptionError("premium_sd, link_sd, wage_sd and worker_sd must not be negative.")


def _people(countries: int, workers: int, share: float, generator: np.random.Generator) -> dict[str, AnyArray]:
    """Workers before the first period, by column; shape (countries x workers,)."""
    n = countries * workers
    ai = (generator.random(n) < share).astype(np.intp)
    place = generator.random(n)
    others, skilled = (np.searchsorted(_FIELDS_UP_TO[kind], place, "right") for kind in (0, 1))
    field = np.where(ai == 1, skilled, others)
    stratum = generator.integers(len(_STRATUM_WEIGHTS), size=n)
    return {
        "pid": np.arange(n), "country": np.repeat(np.arange(countries), workers), "ai": ai,
        "exper": generator.integers(0, 30, size=n).astype(float), "female": generator.integers(2, size=n),
        "level": generator.integers(len(_LEVELS), size=n), "field": field,
        "occupation": 2 * field + generator.integers(2, size=n), "stratum": stratum,
        "psu": _drawn_units(stratum, generator), "persistent": generator.normal(size=n),
    }  # fmt: skip


def _simulate(
    world: _World, people: dict[str, AnyArray], periods: int, generator: np.random.Generator
) -> dict[str, AnyArray]:
    """Pay and moves of all periods, by column; shape (people x periods,)."""
    n, countries = len(people["pid"]), len(world.premium)
    units = len(_STRATUM_WEIGHTS) * _PSU_PER_STRATUM
    common = generator.normal(0, 0.0 if world.design == "simple" else _PSU_SD, (countries, units))
    now, parts = people, []
    for t in range(periods):
        error = generator.normal(size=n)
        log_wage = _log_wage(world, now, error) + common[now["country"], now["psu"]]
        skilled = now["ai"] == 1
        other = np.sqrt(1 - world.correlation**2) * generator.normal(size=n)
        chance = np.where(skilled, world.emigration[now["country"]], _OTHERS_LEAVE)
        leaves = special.ndtr(-(world.correlation * error + other)) < chance
        switches = generator.random(n) < np.where(skilled, world.switching[now["country"]], _OTHERS_SWITCH)
        parts.append({**now, "year": np.full(n, _FIRST_YEAR + t), "wage": np.exp(log_wage), "leaves": leaves,
                      "switches": switches})  # fmt: skip
        now = _moved(now, leaves, switches, countries, generator)
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def _log_wage(world: _World, now: dict[str, AnyArray], error: FloatArray) -> FloatArray:
    """Log pay of a period, but for what a sampling unit has in common."""
    country, exper = now["country"], now["exper"]
    strata = _STRATUM_PAY[now["stratum"]] if world.design == "stratified" else 0.0
    fixed = 2.5 + 0.6 * country / len(world.premium) + world.premium[country] * now["ai"]
    observed = 0.03 * exper - 0.0005 * exper**2 - 0.1 * now["female"] + _LEVEL_PAY[now["level"]]
    return np.asarray(fixed + observed + strata + world.worker_sd * now["persistent"] + world.wage_sd * error)


def _moved(
    now: dict[str, AnyArray], leaves: AnyArray, switches: AnyArray, countries: int, generator: np.random.Generator
) -> dict[str, AnyArray]:
    """Workers a period later: older, some in another country and its sampling units, some in another field."""
    n = len(leaves)
    abroad = (now["country"] + generator.integers(1, countries, size=n)) % countries
    field = (now["field"] + generator.integers(1, len(_FIELDS), size=n)) % len(_FIELDS)
    return {
        **now,
        "exper": now["exper"] + 1,
        "country": np.where(leaves, abroad, now["country"]),
        "psu": np.where(leaves, _drawn_units(now["stratum"], generator), now["psu"]),
        "field": np.where(switches, field, now["field"]),
        "occupation": np.where(switches, 2 * field + generator.integers(2, size=n), now["occupation"]),
    }


def _drawn_units(stratum: IntArray, generator: np.random.Generator) -> IntArray:
    """Draw a sampling unit of each worker's stratum."""
    return np.asarray(stratum * _PSU_PER_STRATUM + generator.integers(_PSU_PER_STRATUM, size=len(stratum)))


def _frame(rows: dict[str, AnyArray], names: AnyArray, design: str) -> pd.DataFrame:
    weighted = design == "stratified"
    return pd.DataFrame(
        {
            "pid": rows["pid"], "iso3": names[rows["country"]], "year": rows["year"], "ai": rows["ai"],
            "exper": rows["exper"], "female": rows["female"], "educ": _LEVELS[rows["level"]],
            "field": _FIELDS[rows["field"]], "occupation": _OCCUPATIONS[rows["occupation"]],
            "hourly_wage": rows["wage"], "abroad_next": rows["leaves"].astype(float),
            "new_field_next": rows["switches"].astype(float),
            "weight": _STRATUM_WEIGHTS[rows["stratum"]] if weighted else np.ones(len(rows["pid"])),
            "psu": rows["psu"], "stratum": rows["stratum"],
        }
    )  # fmt: skip
