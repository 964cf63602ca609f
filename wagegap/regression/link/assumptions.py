"""What is assumed of a link before data are bought: from figures that are stated, or from a pilot."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import stats

from wagegap._display.session import Shown
from wagegap._typing import FloatArray
from wagegap.errors import CovarianceError, DataError, OptionError, listing
from wagegap.estimation.reliability import noise_variance, true_variance
from wagegap.estimation.units import PER_ONE, check_one_unit, check_unit
from wagegap.regression.link.cells import estimates_of, single_premium
from wagegap.regression.link.fitted import FittedLink
from wagegap.regression.link.simulated import LinkDesign

__all__ = ["Assumptions", "OneWorker", "Stated", "from_pilot", "from_stated", "variance_of_rate"]

_PATTERN = 1_000  # quantiles of the numbers of workers, where these are uneven


@dataclass(frozen=True, slots=True, eq=False)
class OneWorker(Shown):
    """Sampling variances that one worker a country would give, of countries in the order of their premiums' variances.

    Attributes
    ----------
    premium, rate, cross : ndarray, shape (m,)
        Variances of premium and rate, and their covariance. Of n countries the i-th, from 0, has those at the quantile
        (i + 1/2) / n.
    """

    premium: FloatArray
    rate: FloatArray
    cross: FloatArray

    def of(self, countries: int) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Variances of so many countries, each shape (n,)."""
        at = ((np.arange(countries) + 0.5) / countries * len(self.premium)).astype(int)
        return self.premium[at], self.rate[at], self.cross[at]


@dataclass(frozen=True, slots=True, eq=False)
class Assumptions(Shown):
    """What a link is assumed to be made of, whatever the number of countries and workers.

    Attributes
    ----------
    errors : OneWorker
        Sampling variances.
    premium_sd, rate_sd : float
        Standard deviations of true premiums given the controls, and of true rates beyond them.
    controls : int
        Regressors of countries beside the premium.
    units : tuple of str
        Unit of rates, and of premiums.
    """

    errors: OneWorker
    premium_sd: float
    rate_sd: float
    controls: int
    units: tuple[str, str]

    @property
    def fewest(self) -> int:
        """Fewest countries of which there is an interval."""
        return self.controls + 4

    def design(self, countries: int, workers: float) -> LinkDesign:
        """The link that so many countries and workers a country give; infinitely many give no sampling errors."""
        premium, rate, cross = (part / workers for part in self.errors.of(countries))
        return LinkDesign(self.premium_sd, self.rate_sd, premium, rate, cross, self.controls)

    def workers_for(self, reliability: float, countries: int) -> float:
        """Workers a country for a reliability r: those that make mean V = s^2 (1 - r) / r."""
        needed = self.premium_sd**2 * (1 - reliability) / reliability
        return float(self.errors.of(countries)[0].mean()) / needed


@dataclass(frozen=True, slots=True)
class Stated:
    """What a call states besides a pilot; None where it does not.

    Attributes
    ----------
    premium_sd, rate_sd : float or None
        As in `Assumptions`.
    controls : int or None
        As there.
    rate_variance : float
        Sampling variance of the rate of one worker a country; zero where rates are known without error.
    correlation : float
        Of the errors of premium and rate.
    design_effect : float
        What every sampling variance is multiplied by.
    units : tuple of str
        As in `Assumptions`.
    """

    premium_sd: float | None
    rate_sd: float | None
    controls: int | None
    rate_variance: float
    correlation: float
    design_effect: float
    units: tuple[str, str]


def variance_of_rate(rate: float | None, unit: str, skilled: float | None) -> float:
    """Sampling variance of the rate among the skilled of one worker, f^2 y (1 - y) / a; zero without a rate.

    >>> variance_of_rate(0.5, "share", 0.1), variance_of_rate(None, "share", None)
    (2.5, 0.0)
    """
    if rate is None:
        return 0.0
    if unit not in PER_ONE:
        raise OptionError(
            f"rate={rate:g} is the mean of a proportion, which rate_unit={unit!r} is not: leave out rate=, or give "
            f"rate_unit= as one of {listing(PER_ONE)}."
        )
    if not 0 < rate < PER_ONE[unit]:
        raise OptionError(f"rate={rate:g} must lie between 0 and {PER_ONE[unit]:g} (rate_unit={unit!r}).")
    if skilled is None:
        raise OptionError("rate= needs skilled=, the share of workers among whom it is counted.")
    y = rate / PER_ONE[unit]
    return float(PER_ONE[unit] ** 2 * y * (1 - y) / skilled)


def from_stated(stated: Stated, *, skilled: float, pay_sd: float, uneven: float) -> Assumptions:
    """Assumptions from figures alone: V_pp = pay_sd^2 / (a (1 - a)), with a the share of skilled workers.

    Parameters
    ----------
    stated : Stated
        With both standard deviations.
    skilled, pay_sd : float
        Share of skilled workers, and standard deviation of pay given the regressors.
    uneven : float
        Standard deviation of the logarithm of workers among countries.

    Examples
    --------
    >>> stated = Stated(0.1, 0.01, None, 0.0, 0.0, 1.0, ("share", "log"))
    >>> from_stated(stated, skilled=0.5, pay_sd=0.5, uneven=0.0).workers_for(0.8, 20)
    400.0
    """
    if stated.premium_sd is None or stated.rate_sd is None:
        raise OptionError("premium_sd= and rate_sd= are needed where there is no pilot to take them from.")
    # Shares of workers are log-normal with mean one: 1 / n_c = exp(-s z + s^2 / 2) / workers
    z = stats.norm.ppf((np.arange(_PATTERN) + 0.5) / _PATTERN)
    pattern = np.exp(uneven * z + uneven**2 / 2) * stated.design_effect
    premium, rate = pattern * pay_sd**2 / (skilled * (1 - skilled)), pattern * stated.rate_variance
    errors = OneWorker(premium, rate, stated.correlation * np.sqrt(premium * rate))
    return Assumptions(errors, stated.premium_sd, stated.rate_sd, stated.controls or 0, stated.units)


# from a pilot ---------------------------------------------------------------------------------------------------------


def from_pilot(pilot: Any, stated: Stated, workers: float | None) -> Assumptions:
    """Assumptions from a pilot, premiums or a link; what is stated stands in place of what it says.

    Parameters
    ----------
    pilot : Premiums, Estimates or Link
        The pilot.
    stated : Stated
        What the call states.
    workers : float, optional
        Workers a country of the pilot; those of its premiums where absent.
    """
    factor = (_workers_of(pilot) if workers is None else workers) * stated.design_effect
    if isinstance(pilot, FittedLink):
        return _from_link(pilot, stated, factor)
    premiums = _one_term(pilot)
    unit = check_unit(check_one_unit(premiums.labels["unit"], "the premiums of the pilot"))
    v = _known(premiums.covariance)
    if stated.rate_sd is None:
        raise OptionError(
            "rate_sd= is missing, the spread of true rates beyond premiums: premiums do not say it, a pilot link does."
        )
    sd = stated.premium_sd or _true_sd(premiums.values, v, np.ones((len(v), 1)))
    premium = np.diag(v) * factor
    rate = np.full(len(premium), stated.rate_variance * stated.design_effect)
    errors = _in_order(premium, rate, stated.correlation * np.sqrt(premium * rate))
    return Assumptions(errors, sd, stated.rate_sd, stated.controls or 0, (stated.units[0], unit))


def _from_link(link: FittedLink, stated: Stated, factor: float) -> Assumptions:
    """All of it from a pilot link; unknown errors of its rates are part of the spread of true ones."""
    link.check_premium("power", single=True, linear=True)
    if link.cells.design.effects:
        raise OptionError(
            "pilot= is a link with absorbed effects, and power() speaks of one cell a country: fit the pilot without "
            "them, or assume values."
        )
    cells, problem = link.cells, link.setup.problem
    p, v, others = problem.premiums[:, 0], _known(cells.block(1, 1)), problem.others
    v_rate, cross = (np.nan_to_num(cells.block(i, 0)) for i in (0, 1))
    sd = stated.premium_sd or _true_sd(p, v, others)
    # y - b p = Z g + u + e - b v
    noise = v_rate + link.slope**2 * v - link.slope * (cross + cross.T)
    rate_sd = stated.rate_sd or float(np.sqrt(true_variance(problem.y - link.slope * p, noise, others)))
    if rate_sd == 0:
        raise DataError(
            "rates of the pilot deviate from its line no more than sampling errors would make them (by a standard "
            f"deviation of {np.sqrt(noise_variance(noise, others)):.3g}), so that it does not say how much true ones "
            "do: give rate_sd=."
        )
    controls = others.shape[1] - 1 if stated.controls is None else stated.controls
    errors = _in_order(*(factor * np.diag(part) for part in (v, v_rate, cross)))
    return Assumptions(errors, sd, rate_sd, controls, (cells.units[0], cells.units[1]))


def _workers_of(pilot: Any) -> float:
    """Mean number of workers a country of a pilot."""
    premiums = single_premium(pilot.call.arguments["premiums"]) if isinstance(pilot, FittedLink) else pilot
    cells = getattr(premiums, "cells", None)
    if cells is None or "n" not in cells:
        raise OptionError("pilot= does not hold its numbers of workers: give pilot_workers=, their mean by country.")
    return float(cells["n"].mean())


def _one_term(pilot: Any) -> Any:
    """Premiums of a pilot, which are of one term and of three countries at least."""
    premiums = estimates_of(pilot, "pilot")
    terms = premiums.labels["term"].unique()
    if len(terms) > 1:
        raise DataError(f"pilot= holds {len(terms)} terms ({listing(terms)}): choose one by .select(term=...).")
    if len(premiums.values) < 3:
        raise DataError(f"pilot= holds {len(premiums.values)} premiums: at least three countries are needed.")
    return premiums


def _known(v: FloatArray) -> FloatArray:
    """A covariance, no part of which is unknown, and none without error."""
    variances = np.diag(v)
    unknown = int(np.sum(~np.isfinite(variances)))
    if unknown:
        raise CovarianceError(
            f"{unknown} of {len(v)} premiums of the pilot have unknown errors, which are not zero: leave them out, or "
            "assume values instead of a pilot."
        )
    if not (variances > 0).all():
        raise CovarianceError(
            f"{int(np.sum(variances <= 0))} of {len(v)} premiums of the pilot have no sampling error, so that it does "
            "not say what further workers would change."
        )
    return v


def _true_sd(p: FloatArray, v: FloatArray, others: FloatArray) -> float:
    """Spread of true premiums of a pilot, by moments."""
    sd = float(np.sqrt(true_variance(p, v, others)))
    if sd == 0:
        raise DataError(
            f"the {len(p)} premiums of the pilot spread no more than their sampling errors would make them, so that it "
            "does not say how much true ones do: give premium_sd=."
        )
    return sd


def _in_order(premium: FloatArray, rate: FloatArray, cross: FloatArray) -> OneWorker:
    """Variances of countries in the order of their premiums'."""
    order = np.argsort(premium, kind="stable")
    return OneWorker(premium[order], rate[order], cross[order])
