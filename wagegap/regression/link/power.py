"""Before data are bought: workers and countries that a reliability, a slope or an interval needs.

Of countries, workers a country and slope two are given, and the third is solved for: the slope that would be found four
times in five, or the workers or countries for one that is stated. Every figure is of the estimator that `fit_link`
takes from ten countries on, weighted corrected moments with their jackknife, in samples drawn from what is assumed; a
sample that it would refuse counts as one in which nothing is found.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any, Literal

import numpy as np
import pandas as pd
from scipy import stats

from wagegap._arguments import public
from wagegap._display.axes import FAINT, color_of, marker_of, name_axes, new_axes, put_legend
from wagegap._display.sentences import Scale, say
from wagegap._display.session import Shown
from wagegap._typing import Alpha, AxesLike, Count, Finite, FloatArray, Positive, RngLike, Share
from wagegap.errors import DataError, OptionError, listing
from wagegap.estimation.reliability import REFUSED_BELOW
from wagegap.estimation.units import check_unit, step_of
from wagegap.regression.link.assumptions import Assumptions, Stated, from_pilot, from_stated, variance_of_rate
from wagegap.regression.link.fitted import Answer, FittedLink, scale_of
from wagegap.regression.link.questions.few import detectable
from wagegap.regression.link.simulated import (
    LinkDesign,
    SimulatedLinks,
    fewest_from,
    large_sample_error,
    least_from,
    simulate_links,
)

__all__ = ["Goal", "Power", "Samples", "power"]

Unknown = Literal["countries", "workers", "slope", "power"]
Counts = Count | Sequence[Count]

_MOST_COUNTRIES, _MOST_WORKERS, _MOST_CONTROLS, _MOST_UNEVEN, _MOST_APART = 200, 1e9, 50, 4.0, 1e6
_MOST_DRAWS = 100_000
_FAR = 1e6  # multiple of the workers that make a reliability of .9, up to which a search goes
_FEWEST_FOR_MOMENTS = 10  # countries from which on the default of `fit_link` is what is drawn here
_WORTH_SAYING = 0.0005
_AROUND = (0.25, 0.35, 0.5, 0.7, 1.0, 1.4, 2.0, 2.8, 4.0, 8.0)  # multiples of the workers that a figure shows


@dataclass(frozen=True, slots=True)
class Goal(Shown):
    """What a design must give.

    Attributes
    ----------
    slope : float
        True slope; zero where it is sought.
    power : float
        Share of samples in which it is to be found.
    width : float or None
        Median width of the interval that is wanted instead, refusals counting as wider than any.
    alpha : float
        Size of the test, one minus the coverage of intervals.
    """

    slope: float
    power: float
    width: float | None
    alpha: float

    def excess(self, links: SimulatedLinks) -> float:
        """By how much samples of a design do better than asked."""
        if self.width is None:
            return links.found(self.slope, self.alpha) - self.power
        return 1 - links.width_or_refusal(self.slope, self.alpha) / self.width

    def excess_in_large_samples(self, design: LinkDesign) -> float:
        """By how much a design would do better were it large; where a search begins."""
        error = large_sample_error(design, self.slope)
        if self.width is None:
            return float(np.log(abs(self.slope) / detectable(error, design.df, self.alpha, self.power)))
        return float(np.log(self.width / (2 * stats.t.isf(self.alpha / 2, design.df) * error)))


@dataclass(frozen=True, slots=True, eq=False)
class Samples(Shown):
    """Samples of what is assumed, by number of countries and workers.

    Attributes
    ----------
    assumed : Assumptions
        What is assumed.
    draws, seed : int
        How many, and the seed that all designs share.
    """

    assumed: Assumptions
    draws: int
    seed: int

    def of(self, countries: int, workers: float) -> SimulatedLinks:
        """Samples of so many countries with so many workers each."""
        return simulate_links(self.assumed.design(countries, workers), self.draws, self.seed)

    def workers_for(self, goal: Goal, countries: int) -> float:
        """Fewest workers a country that reach a goal; infinite where none do."""
        usual = self.assumed.workers_for(0.9, countries)
        far = _FAR * usual
        start = least_from(lambda n: goal.excess_in_large_samples(self.assumed.design(countries, n)), usual, most=far)
        # A few samples narrow the search, all of them end it
        for samples in (replace(self, draws=max(self.draws // 5, 100)), self):
            excess = cache(lambda n, samples=samples: goal.excess(samples.of(countries, n)))
            start = least_from(excess, min(start, far), most=far)
        return start

    def countries_for(self, goal: Goal, workers: float) -> int | None:
        """Fewest countries that reach a goal; None where 200 do not."""
        bounds = self.assumed.fewest, _MOST_COUNTRIES
        start = fewest_from(
            lambda n: goal.excess_in_large_samples(self.assumed.design(n, workers)), self.assumed.fewest, *bounds
        )
        excess = cache(lambda n: goal.excess(self.of(n, workers)))
        return fewest_from(excess, start or _MOST_COUNTRIES, *bounds)


@dataclass(frozen=True, slots=True, eq=False)
class Power(Answer):
    """What links of assumed designs would give.

    Attributes
    ----------
    scenarios : DataFrame
        A row for each design: countries, workers (a country), slope, power, reliability, width (median, of the interval
        at that slope), refused (share of samples in which no corrected slope is given), not_settled (share in which the
        precision-weighted reliability alone keeps it from being one; the likelihood's part of that rule is not drawn).
    unknown : {"countries", "workers", "slope", "power"}
        What was solved for.
    goal : Goal
        What for.
    samples : Samples
        Samples of what is assumed.
    """

    scenarios: pd.DataFrame
    unknown: Unknown
    goal: Goal
    samples: Samples

    @property
    def solution(self) -> float:
        """What was solved for, of one scenario."""
        if len(self.scenarios) != 1:
            raise DataError(f"there are {len(self.scenarios)} scenarios: read .tidy(){[self.unknown]!r}.")
        return float(self.scenarios[self.unknown].iloc[0])

    def tidy(self) -> pd.DataFrame:
        """Return the scenarios, one row each."""
        return self.scenarios

    def in_words(self) -> str:
        """Say what the first scenario gives, and how far others differ."""
        first = self.scenarios.iloc[0]
        said = [f"{self._design_in_words(first)}: {self._found_in_words(first)}.", *_refusals_in_words(first)]
        if len(self.scenarios) > 1:
            said.append(self._range_in_words())
        if self.scenarios["countries"].min() < _FEWEST_FOR_MOMENTS:
            said.append(
                f"Below {_FEWEST_FOR_MOMENTS} countries fit_link takes the likelihood, of which this does not speak."
            )
        return " ".join(said)

    def _design_in_words(self, row: pd.Series[Any]) -> str:
        countries, workers = f"{row['countries']:.0f} countries", f"{row['workers']:,.0f} workers"
        share = f"premiums would have a reliability of {row['reliability']:.2f}"
        if self.unknown == "countries":
            return f"{countries} are needed. With {workers} in each, {share}"
        if self.unknown == "workers":
            return f"{workers} in each of {countries} are needed. With them {share}"
        return f"With {countries} and {workers} in each, {share}"

    def _found_in_words(self, row: pd.Series[Any]) -> str:
        """Say how often a slope is found, and how wide its interval is; of a slope of zero the interval alone."""
        scale, alpha = _slope_scale(self.samples.assumed.units), self.goal.alpha
        test, often = f"{100 * alpha:g} % test", f"{100 * row['power']:.0f} of 100 samples"
        if not np.isfinite(row["slope"]):
            wanted = f"{100 * self.goal.power:g} of 100 samples"
            return f"no slope, however steep, would be found in {wanted}, but in {often} at most ({test})"
        narrow = f"half of the {100 * (1 - alpha):g} % intervals would be narrower than {{width}}"
        found = "a slope of {slope}{least} per {step} of premium would be found in {often} ({test})"
        template = f"{found}, and {narrow}"
        if row["slope"] == 0:
            template = f"about a slope of zero {narrow} per {{step}} of premium"
        return say(
            template, slope=scale.level(row["slope"]), width=scale.level(row["width"]), step=scale.step, often=often,
            test=test, least=" or more" if self.unknown == "slope" else "",
        )  # fmt: skip

    def _range_in_words(self) -> str:
        """Say how far the answers of several scenarios differ."""
        every = self.scenarios[self.unknown].to_numpy(dtype=float)
        some = every[np.isfinite(every)]
        if not len(some):
            return f"So it is in all {len(every)} scenarios."
        per_step = _slope_scale(self.samples.assumed.units)
        scale, tail = {
            "slope": (per_step, f" per {per_step.step} of premium"),
            "power": (Scale(100.0, "of 100 samples"), ""),
            "workers": (Scale(1.0, "workers"), " in each country"),
            "countries": (Scale(1.0, "countries"), ""),
        }[self.unknown]
        return say(
            "Over all {n} scenarios the answer lies between {low} and {high}{tail}{none}.", n=len(every), tail=tail,
            low=scale.level(some.min()).bare_copy(), high=scale.level(some.max()),
            none=f", and there is none in {len(every) - len(some)}" if len(some) < len(every) else "",
        )  # fmt: skip

    def plot(self, ax: AxesLike = None, *, of: Literal["slope", "width"] = "slope") -> Any:
        """Draw the detectable slope, or the width of the interval, against workers, a line by number of countries.

        Dotted, the workers at which reliability is .5, below which no corrected slope is given, and .8. Marked, the
        scenarios.

        Parameters
        ----------
        ax : Axes, optional
            Axes to draw on.
        of : {"slope", "width"}
            What is drawn. Widths are at the slope of the first scenario.
        """
        ax = new_axes(6.3, 4.2) if ax is None else ax
        scale, goal = _slope_scale(self.samples.assumed.units), self.goal
        every = sorted(self.scenarios["countries"].unique())
        lines = []
        for at, countries in enumerate(every):
            asked = self.scenarios.loc[self.scenarios["countries"] == countries, "workers"].to_numpy(dtype=float)
            workers, color = _workers_shown(asked), color_of(at)
            drawn, marked = (scale.factor * self._drawn(int(countries), sizes, of) for sizes in (workers, asked))
            lines += ax.plot(workers, drawn, color=color, linewidth=1.4)
            ax.plot(asked, marked, marker_of(at), color=color, markersize=5, linestyle="none")
        _write_workers(ax, self.samples.assumed, int(every[0]))
        found = f"slope found in {100 * goal.power:g} of 100 samples"
        name = found if of == "slope" else f"median width of the {100 * (1 - goal.alpha):g} % interval"
        name_axes(ax, x="workers in each country", y=f"{name}\n({scale.unit or 'rate'} per {scale.step} of premium)")
        return put_legend(ax, lines, [f"{countries:.0f} countries" for countries in every])

    def _drawn(self, countries: int, workers: FloatArray, of: str) -> FloatArray:
        """What a figure shows at numbers of workers; NaN where no slope is found so often."""
        goal, links = self.goal, [self.samples.of(countries, size) for size in workers]
        if of == "slope":
            sizes = np.array([one.detectable(goal.power, goal.alpha) for one in links])
            return np.where(np.isfinite(sizes), sizes, np.nan)
        slope = float(self.scenarios["slope"].iloc[0])
        return np.array([one.width(slope if np.isfinite(slope) else 0.0, goal.alpha) for one in links])


@public
def power(  # noqa: PLR0913
    *,
    countries: Counts | None = None,
    workers: Counts | None = None,
    slope: Finite | None = None,
    power: Share | None = None,
    width: Positive | None = None,
    reliability: Share | None = None,
    skilled: Share | None = None,
    pay_sd: Positive | None = None,
    premium_sd: Positive | None = None,
    rate_sd: Positive | None = None,
    rate: Positive | None = None,
    correlation: Finite = 0.0,
    controls: int | None = None,
    uneven: Finite = 0.0,
    design_effect: Positive = 1.0,
    unit: str | None = None,
    rate_unit: str | None = None,
    pilot: Any = None,
    pilot_workers: Positive | None = None,
    alpha: Alpha = 0.05,
    draws: Count = 1_000,
    rng: RngLike = 0,
) -> Power:
    """Say what a link would find, before its data are bought.

    Of `countries`, `workers` and `slope` one is left out and solved for; with all three, the power is. Lists of
    countries or workers make a grid of scenarios.

    Parameters
    ----------
    countries, workers : int or sequence of int, optional
        Numbers of countries, and of workers in each (their mean, where uneven), skilled and others.
    slope : float, optional
        True slope, in `rate_unit` for each `unit` of premium, as `Link.slope` is.
    power : float, optional
        Share of samples in which the interval is to exclude zero; .8 where absent.
    width : float, optional
        Median width of the interval at `slope` (at zero where absent), sought in place of a power; refused samples
        count as wider than any.
    reliability : float, optional
        Reliability of the premiums that workers are to give, in place of `workers`.
    skilled : float
        Share of skilled workers, without a pilot.
    pay_sd : float
        Standard deviation of pay given the regressors of the first stage, in `unit`, without a pilot.
    premium_sd : float, optional
        Standard deviation of true premiums among countries given the controls; that of the pilot where absent.
    rate_sd : float, optional
        Standard deviation of true rates beyond premiums and controls; that of a pilot link where absent.
    rate : float, optional
        Mean rate, where rates are shares of the same skilled workers; without it they are known, as from registers.
    correlation : float
        Of the errors of premium and rate.
    controls : int, optional
        Regressors of countries beside the premium; those of a pilot link where absent.
    uneven : float
        Standard deviation of the logarithm of workers among countries; with a pilot it is the pilot's.
    design_effect : float
        What clusters and weights multiply sampling variances by.
    unit, rate_unit : str
        Units of premiums and rates: log and share where absent; a pilot has its own.
    pilot : Premiums, Estimates or Link, optional
        A pilot, whose errors at other numbers of workers are its own times the ratio of both numbers.
    pilot_workers : float, optional
        Workers a country of the pilot, where it does not hold them.
    alpha : float
        Size of the test.
    draws : int
        Samples of premiums in each design, each with four of rates: with 1,000 a power of .8 has a standard error of
        about .01.
    rng : Generator, int or None
        Their source.

    Returns
    -------
    Power

    Raises
    ------
    OptionError
        Nothing or too much left out, values outside their range, a goal that no number of workers or countries reaches.
    DataError, CovarianceError
        A pilot that does not say what is asked of it.

    Notes
    -----
    True premiums and all errors are drawn normal and unrelated among countries. V_pp = pay_sd^2 / (a (1 - a) n) and
    V_yy = y (1 - y) / (a n), with a the share of skilled workers. The interval is that of `method="moments"`; where
    the likelihood beside it disagrees, `method="auto"` gives the hull of both, which is wider.

    Examples
    --------
    >>> import wagegap as wg
    >>> assumed = dict(skilled=0.1, pay_sd=0.5, premium_sd=0.1, rate_sd=0.02, draws=200)
    >>> answer = wg.power(countries=38, reliability=0.8, **assumed)
    >>> int(answer.tidy()["workers"].iloc[0]), answer.unknown
    (1112, 'slope')
    """
    unknown = _Asked(countries, workers, slope, power, width, reliability).unknown()
    counts, sizes = _listed(countries), _listed(workers)
    _check_range(correlation, controls, uneven, sizes, draws)
    _refuse_unused(
        pilot, skilled=skilled, pay_sd=pay_sd, uneven=uneven, rate=rate, correlation=correlation, unit=unit,
        rate_unit=rate_unit, pilot_workers=pilot_workers,
    )  # fmt: skip
    units = check_unit(rate_unit or "share"), check_unit(unit or "log")
    stated = Stated(
        premium_sd, rate_sd, controls, variance_of_rate(rate, units[0], skilled), correlation, design_effect, units
    )
    assumed = _assumed(stated, pilot, pilot_workers, skilled=skilled, pay_sd=pay_sd, uneven=uneven)
    goal = Goal(slope or 0.0, 0.8 if power is None else power, width, alpha)
    if goal.power <= alpha:
        raise OptionError(f"power={goal.power:g} must be above alpha={alpha:g}, which a slope of zero has already.")
    _check_countries(assumed, counts)
    _check_sizes(assumed, goal)
    samples = Samples(assumed, int(draws), int(np.random.default_rng(rng).integers(2**62)))
    rows = []
    for count in counts:
        wanted = sizes
        if reliability is not None and count is not None:
            wanted = [int(np.ceil(assumed.workers_for(reliability, count)))]
        rows += [_scenario(samples, goal, unknown, count, size) for size in wanted]
    return Power(pd.DataFrame(rows), unknown, goal, samples)


def _assumed(
    stated: Stated,
    pilot: Any,
    pilot_workers: float | None,
    *,
    skilled: float | None,
    pay_sd: float | None,
    uneven: float,
) -> Assumptions:
    """Assumptions from a pilot, or from figures alone."""
    if pilot is not None:
        return from_pilot(pilot, stated, pilot_workers)
    lacking = {"skilled=": skilled, "pay_sd=": pay_sd, "premium_sd=": stated.premium_sd, "rate_sd=": stated.rate_sd}
    missing = [name for name, value in lacking.items() if value is None]
    if missing or skilled is None or pay_sd is None:
        raise OptionError(f"power() needs {listing(missing)}, or a pilot= to take them from.")
    return from_stated(stated, skilled=skilled, pay_sd=pay_sd, uneven=uneven)


def _refuse_unused(pilot: Any, **given: Any) -> None:
    """Raise where something is given that would not be used: a pilot says it, or it goes with something else."""
    named = {f"{name}=": value for name, value in given.items() if value}
    says = {"pay_sd=", "uneven=", "unit="}
    if isinstance(pilot, FittedLink):
        says |= {"skilled=", "rate=", "correlation=", "rate_unit="}
    elif "rate=" not in named:
        says |= {"skilled="}
    both = sorted(says & set(named)) if pilot is not None else []
    if both == ["skilled="] and not isinstance(pilot, FittedLink):
        raise OptionError("skilled= goes with rate= where there is a pilot.")
    if both:
        raise OptionError(f"pilot= says what {listing(both)} would: leave out one or the other.")
    if pilot is None and "pilot_workers=" in named:
        raise OptionError("pilot_workers= goes with pilot=.")
    if "correlation=" in named and "rate=" not in named and not isinstance(pilot, FittedLink):
        raise OptionError("correlation= is that of errors of premium and rate, and rates have errors with rate= alone.")


@dataclass(frozen=True, slots=True)
class _Asked:
    """What a call gives, of what it might."""

    countries: Counts | None
    workers: Counts | None
    slope: float | None
    power: float | None
    width: float | None
    reliability: float | None

    def unknown(self) -> Unknown:
        """What is left out, and to be solved for."""
        refused = {
            "width= and power= are two goals: give one.": self.width is not None and self.power is not None,
            "reliability= stands in place of workers=: give one.": (
                self.reliability is not None and self.workers is not None
            ),
            "reliability= says how many workers, and width= asks for it: give one.": (
                self.reliability is not None and self.width is not None
            ),
        }
        for message, holds in refused.items():
            if holds:
                raise OptionError(f"power(): {message}")
        names = ("countries", "workers") if self.width is not None else ("countries", "workers", "slope")
        lacking = [name for name in names if getattr(self, name) is None]
        if self.reliability is not None:
            lacking.remove("workers")
        if len(lacking) > 1:
            raise OptionError(
                f"power() solves for one of {listing(names)}, and {len(lacking)} are left out ({listing(lacking)}): "
                f"give all but one of them{', or reliability= for workers' if 'workers' in lacking else ''}."
            )
        if not lacking and (self.power is not None or self.width is not None):
            raise OptionError(
                f"power() has nothing to solve for: leave out one of {listing((*names, 'power'))}"
                f"{' and width=' if self.width is not None else ''}."
            )
        unknown = lacking[0] if lacking else "power"
        if self.slope == 0 and self.width is None and unknown in ("countries", "workers"):
            raise OptionError(f"slope=0 is not found however many {unknown} there are: say which slope is to be found.")
        return unknown  # type: ignore[return-value]


def _listed(given: Counts | None) -> list[int | None]:
    """The scenarios of one argument; one of an unknown value where it was not given."""
    if given is None:
        return [None]
    values: list[int | None] = [int(value) for value in np.atleast_1d(np.asarray(given, dtype=object))]
    if not values:
        raise OptionError("countries= and workers= must hold a number at least.")
    return values


def _check_range(
    correlation: float, controls: int | None, uneven: float, workers: list[int | None], draws: int
) -> None:
    """Ranges that are not those of a kind of number."""
    if not -1 < correlation < 1:
        raise OptionError(f"correlation={correlation:g} must lie between -1 and 1.")
    if controls is not None and not 0 <= controls <= _MOST_CONTROLS:
        raise OptionError(f"controls={controls} must be a whole number from 0 to {_MOST_CONTROLS}.")
    if not 0 <= uneven <= _MOST_UNEVEN:
        raise OptionError(f"uneven={uneven:g} must lie between 0 (the same number in each) and {_MOST_UNEVEN:g}.")
    if draws > _MOST_DRAWS:
        raise OptionError(f"draws={draws} are more than {_MOST_DRAWS:,}.")
    most = max((size for size in workers if size is not None), default=0)
    if most > _MOST_WORKERS:
        raise OptionError(f"workers={most:.3g} are more than {_MOST_WORKERS:.0g}.")


def _check_countries(assumed: Assumptions, countries: list[int | None]) -> None:
    """Numbers of countries of which samples can be drawn."""
    for count in countries:
        if count is not None and not assumed.fewest <= count <= _MOST_COUNTRIES:
            with_controls = f" with {assumed.controls} controls" if assumed.controls else ""
            raise OptionError(
                f"countries={count} must be from {assumed.fewest}, the fewest that give an interval{with_controls}, to "
                f"{_MOST_COUNTRIES}, the most of which samples are drawn."
            )


def _check_sizes(assumed: Assumptions, goal: Goal) -> None:
    """Figures that can be computed with, none of which is out of all proportion to another of its unit."""
    within = {"premium_sd": assumed.premium_sd, "rate_sd": assumed.rate_sd}
    for name, size in within.items():
        if not 1 / _MOST_APART**4 < size < _MOST_APART**4:
            raise OptionError(f"{name}={size:.3g} is too far from one to compute with: is it in a common unit?")
    ratios = {
        "errors of the premiums of one worker to premium_sd=": (
            float(np.sqrt(assumed.errors.premium.max())) / assumed.premium_sd
        ),
        "errors of the rates of one worker to rate_sd=": float(np.sqrt(assumed.errors.rate.max())) / assumed.rate_sd,
        "slope= times premium_sd= to rate_sd=": abs(goal.slope) * assumed.premium_sd / assumed.rate_sd,
    }
    for what, ratio in ratios.items():
        if not ratio < _MOST_APART:
            raise OptionError(f"power(): {what} are as {ratio:.3g} to 1: are they in one unit?")


def _scenario(
    samples: Samples, goal: Goal, unknown: Unknown, countries: int | None, workers: float | None
) -> dict[str, float]:
    """Solve one scenario, and say what it gives."""
    if countries is None:
        countries = _countries(samples, goal, workers or 1.0)
    if workers is None:
        workers = _workers(samples, goal, countries)
    links, alpha = samples.of(countries, workers), goal.alpha
    slope = links.detectable(goal.power, alpha) if unknown == "slope" else goal.slope
    exists = np.isfinite(slope)
    return {
        "countries": countries, "workers": workers, "slope": slope,
        "power": links.found(slope, alpha) if exists else links.found_at_most(alpha),
        "reliability": samples.assumed.design(countries, workers).reliability,
        "width": links.width(slope, alpha) if exists else np.inf,
        "refused": links.refused, "not_settled": links.not_settled,
    }  # fmt: skip


def _workers(samples: Samples, goal: Goal, countries: int) -> int:
    """Workers a country for a goal."""
    workers = samples.workers_for(goal, countries)
    if np.isfinite(workers):
        return int(np.ceil(workers))
    best = _best(samples.of(countries, np.inf), goal, samples.assumed.units)
    raise OptionError(
        f"workers= has no solution: {countries} countries whose premiums were known without error would have {best}. "
        "More countries are needed, or a smaller goal."
    )


def _countries(samples: Samples, goal: Goal, workers: float) -> int:
    """Countries for a goal."""
    countries = samples.countries_for(goal, workers)
    if countries is not None:
        return countries
    best = samples.of(_MOST_COUNTRIES, workers)
    reliability = samples.assumed.design(_MOST_COUNTRIES, workers).reliability
    raise OptionError(
        f"countries= has no solution: {_MOST_COUNTRIES} countries of {workers:,.0f} workers (reliability "
        f"{reliability:.2f}) would have {_best(best, goal, samples.assumed.units)}. More workers are needed, or a "
        "smaller goal."
    )


def _best(links: SimulatedLinks, goal: Goal, units: tuple[str, str]) -> str:
    """What is the best that can be had."""
    scale = _slope_scale(units)
    if goal.width is not None:
        return say(
            "a median width of the interval of {wide} per {step} of premium, where {asked} is asked for",
            wide=scale.level(links.width(goal.slope, goal.alpha)), asked=scale.level(goal.width), step=scale.step,
        )  # fmt: skip
    least = links.detectable(goal.power, goal.alpha)
    found = "a slope of {slope} per {step} of premium found in {found} of 100 samples, where {asked} are asked for"
    return say(
        f"{found}; they would find {{least}} so often" if np.isfinite(least) else found,
        slope=scale.level(goal.slope), step=scale.step, found=f"{100 * links.found(goal.slope, goal.alpha):.0f}",
        asked=f"{100 * goal.power:g}", least=scale.level(least),
    )  # fmt: skip


def _slope_scale(units: tuple[str, str]) -> Scale:
    """Scale of a slope, from the units of rates and premiums: of rates, for a readable step of premium."""
    step, said = step_of(units[1])
    rates = scale_of(units[0])
    return Scale(step * rates.factor, rates.unit, said)


def _refusals_in_words(row: pd.Series[Any]) -> list[str]:
    """Say how often no slope is given, or none of its own."""
    said = {
        f"In {100 * row['refused']:.1f} % of samples no corrected slope would be given: their reliability comes out "
        f"below {REFUSED_BELOW}, or the slope hangs on one country.": row["refused"] >= _WORTH_SAYING,
        f"In {100 * row['not_settled']:.1f} % it would not be settled: premiums weighted by their precision come out "
        "as mostly noise.": row["not_settled"] >= _WORTH_SAYING,
    }
    return [sentence for sentence, holds in said.items() if holds]


def _workers_shown(asked: FloatArray) -> FloatArray:
    """Numbers of workers along the axis of a figure: those asked for, or some around one or two."""
    asked = np.unique(asked)
    return asked if len(asked) > 2 else np.unique(np.ceil(np.outer(asked, _AROUND)))


def _write_workers(ax: Any, assumed: Assumptions, countries: int) -> None:
    """An axis of workers from where no slope is given on, with the workers of two reliabilities marked."""
    shares = {share: assumed.workers_for(share, countries) for share in (REFUSED_BELOW, 0.8)}
    ax.set_xscale("log")
    ax.set_xlim(left=min(ax.get_xlim()[0], 0.9 * shares[REFUSED_BELOW]))
    ax.set_ylim(bottom=0)
    left, right = ax.get_xlim()
    for share, at in shares.items():
        if left < at < right:
            ax.axvline(at, color=FAINT, linewidth=0.9, linestyle=":")
            ax.annotate(
                f"reliability {share:g}", (at, 0.02), xycoords=("data", "axes fraction"), rotation=90, va="bottom",
                ha="right", fontsize=7.5, color=FAINT, textcoords="offset points", xytext=(-2, 0),
            )  # fmt: skip
    ticks = [digit * 10.0**ten for ten in range(10) for digit in (1, 2, 5) if left <= digit * 10.0**ten <= right]
    ax.set_xticks(ticks, [f"{tick:,.0f}" for tick in ticks])
    ax.minorticks_off()
