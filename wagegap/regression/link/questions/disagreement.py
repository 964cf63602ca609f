"""Why do the estimators differ? Which feature of the data, left out by the likelihood, brings its slope to the moments.

The likelihood of the link takes true premiums, and rates beyond them, to spread as much in every cell, and as normal;
weighted moments take neither. Where the slopes of the two are far apart, one of these may be wrong: here each is let go
by itself, and all together, in the restricted likelihood of `estimators.flexible`. A feature that the data show (twice
its gain of log likelihood against chi-squared with one degree; half of that for the tails, whose parameter is on the
boundary where there are none) and that brings the slope nearer to that of the moments is a reason; one that does
neither is none, and often the data show none.

Features are tried in turn, so that the smallest p-value of three is no p-value: `p_if_picked` multiplies it by how
many were tried, and a feature counts as shown where that is below `alpha`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from wagegap._arguments import public
from wagegap._display.numbers import format_p, spaced
from wagegap._display.sentences import say
from wagegap._typing import Alpha, AxesLike, ColumnName, FrameLike
from wagegap.errors import CovarianceError, DataError, ReliabilityError
from wagegap.regression.link.estimators.flexible import FEATURES, FlexibleFit, fit_features, ratio_p
from wagegap.regression.link.estimators.moments import fit_weighted
from wagegap.regression.link.fitted import Answer, FittedLink, draw_slopes, slope_scale
from wagegap.regression.link.trait import trait_of

__all__ = ["Disagreement", "disagreement"]

_FEWEST = 6  # cells beyond coefficients: three variances, two growths and a slope


@dataclass(frozen=True, slots=True, eq=False)
class Disagreement(Answer):
    """Features of the data that might set the estimators apart, each by itself and all together.

    Attributes
    ----------
    by : str or None
        Trait that spreads may grow with; None is the size of the premium's error, the logarithm of its variance.
    plain : FlexibleFit
        Restricted likelihood without any feature.
    alone : tuple of FlexibleFit
        With each feature alone.
    together : FlexibleFit
        With all.
    moments : float or None
        Slope of the weighted corrected moments; None where the premiums spread no more than their errors.
    moments_interval : tuple of float
        Its jackknife interval.
    alpha : float
        One minus the coverage of intervals, and the level at which a feature counts as shown.
    link : Link
        The link.
    """

    by: str | None
    plain: FlexibleFit
    alone: tuple[FlexibleFit, ...]
    together: FlexibleFit
    moments: float | None
    moments_interval: tuple[float, float]
    alpha: Alpha
    link: FittedLink

    @property
    def p_values(self) -> tuple[float, ...]:
        """p-value of each feature alone, named in advance."""
        return tuple(self._ratio(fit)[1] for fit in self.alone)

    @property
    def p_if_picked(self) -> tuple[float, ...]:
        """The same where the most striking of them is picked: times how many were tried, at most one."""
        return tuple(min(1.0, len(self.alone) * p) for p in self.p_values)

    @property
    def shown(self) -> tuple[str, ...]:
        """Features that the data show."""
        picked = zip(self.alone, self.p_if_picked, strict=True)
        return tuple(_name(fit) for fit, p in picked if p < self.alpha)

    @property
    def nearest(self) -> str | None:
        """Of the features shown, the one that brings the likelihood's slope nearest to the moments, if any."""
        if self.moments is None:
            return None
        apart = {_name(fit): abs(fit.slope - self.moments) for fit in self.alone if _name(fit) in self.shown}
        if not apart or min(apart.values()) >= abs(self.plain.slope - self.moments):
            return None
        return min(apart, key=lambda name: apart[name])

    def _ratio(self, fit: FlexibleFit) -> tuple[float, float]:
        """Twice the gain of log likelihood of a fit over the plain one, and its p-value."""
        ratio = max(2 * (fit.loglik - self.plain.loglik), 0.0)
        return ratio, ratio_p(ratio, fit.features)

    def tidy(self) -> pd.DataFrame:
        """Return a row for each feature, for none and all of them, and for the moments.

        `value` is the feature's own estimate: the logarithm of the factor by which a variance grows for a unit of the
        trait (of the logarithm of the error's variance: the power), or the degrees of freedom of the tails. Slopes are
        in the unit of the link.
        """
        rows: list[tuple[Any, ...]] = [("none", *[np.nan] * 4, self.plain.slope, *self.plain.interval)]
        picked = self.p_if_picked
        for fit, p in zip(self.alone, picked, strict=True):
            value = {"premiums": fit.growth[0], "rates": fit.growth[1], "tails": fit.df}[_name(fit)]
            rows.append((self._title(fit), value, *self._ratio(fit), p, fit.slope, *fit.interval))
        every = self.together
        rows.append(("all of them", np.nan, *self._ratio(every), np.nan, every.slope, *every.interval))
        moments = np.nan if self.moments is None else self.moments
        rows.append(("weighted moments", *[np.nan] * 4, moments, *self.moments_interval))
        columns = "feature", "value", "statistic", "p_value", "p_if_picked", "estimate", "conf_low", "conf_high"
        return pd.DataFrame(rows, columns=list(columns))

    def in_words(self) -> str:
        """Say which feature brings the likelihood's slope to that of the moments, and whether the data show it."""
        parts = [self._reason(), self._joint()]
        if len(self.alone) < len(FEATURES):
            parts.append("Heavy tails were not tried: the errors of the cells are correlated.")
        return " ".join(part for part in parts if part)

    def _reason(self) -> str:
        """Which feature the data show, if any, and what it does to the slope."""
        scale = slope_scale(self.link.cells)
        fit = self._told
        ratio_p, picked = self._ratio(fit)[1], self.p_if_picked[self.alone.index(fit)]
        parts = {
            "step": scale.step, "n": len(self.alone), "feature": self._clause(fit), "p": _p(ratio_p),
            "picked": format_p(picked), "plain": scale.slope(self.plain.slope), "slope": scale.slope(fit.slope),
        }  # fmt: skip
        start = "Per {step} of premium the likelihood's slope is {plain}"
        if self.moments is not None:
            start, parts["moments"] = start + " and that of the moments {moments}", scale.slope(self.moments)
        if not self.shown:
            template = (
                ". The data do not say why: the likeliest of the {n} features tried, that {feature}, may be chance "
                "({p}, {picked} as the one picked of {n})."
            )
        elif self.nearest is None:
            template = (
                ". The data show that {feature} ({p}, {picked} as the one picked of {n}), but with that allowed the "
                "likelihood's slope, for the same step, is {slope}, which is no nearer to the moments."
            )
        else:
            template = (
                ". They differ, in part at least, because {feature} ({p}, {picked} as the one picked of {n}): with "
                "that allowed the likelihood's slope, for the same step, is {slope}."
            )
        return say(start + template, **parts)

    @property
    def _told(self) -> FlexibleFit:
        """Fit with the feature that the sentence is about: the one that explains, else the likeliest."""
        explains = [fit for fit in self.alone if _name(fit) == self.nearest]
        return explains[0] if explains else self.alone[int(np.argmin(self.p_values))]

    def _clause(self, fit: FlexibleFit) -> str:
        """A feature alone as a clause."""
        name = _name(fit)
        if name == "tails":
            return "tails are heavier than normal"
        growth, who = (
            (fit.growth[0], "true premiums") if name == "premiums" else (fit.growth[1], "rates beyond premiums")
        )
        more = "more" if growth > 0 else "less"
        where = "premiums are measured with more error" if self.by is None else f"{spaced(self.by)} is higher"
        return f"{who} spread {more} where {where}"

    def _title(self, fit: FlexibleFit) -> str:
        """A feature alone as a label."""
        name = _name(fit)
        if name == "tails":
            return "heavy tails"
        who = "true premiums" if name == "premiums" else "rates beyond premiums"
        return f"spread of {who} changes with {'the size of the error' if self.by is None else self.by}"

    def _joint(self) -> str:
        """What all features together give."""
        scale, every = slope_scale(self.link.cells), self.together
        level = f"{100 * (1 - self.alpha):g} % interval"
        return say(
            "With all of them it is {slope} ({level} {interval}; {p} for all together).",
            slope=scale.slope(every.slope), interval=scale.interval(*every.interval), level=level,
            p=_p(self._ratio(every)[1]),
        )  # fmt: skip

    def plot(self, ax: AxesLike = None) -> Any:
        """Draw the slope under each model, with its interval, per step of premium."""
        frame = self.tidy()
        features = (_FREE[_name(fit)] for fit in self.alone)
        frame["model"] = ["likelihood", *features, "all of these", "weighted moments"]
        frame = frame.dropna(subset="estimate")
        return draw_slopes(frame, "model", ax, height=2.6, cells=self.link.cells, alpha=self.alpha)


_FREE = {"premiums": "spread of premiums free", "rates": "spread of rates free", "tails": "heavy tails"}
"""Features as labels of a figure."""


def _name(fit: FlexibleFit) -> str:
    """Feature of a fit with one."""
    return FEATURES[fit.features.index(True)]


def _p(p: float) -> str:
    text = format_p(p)
    return f"p {text[0]} {text[1:]}" if text[0] in "<>" else f"p = {text}"


@public
def disagreement(
    link: FittedLink, *, by: ColumnName | None = None, data: FrameLike | None = None, alpha: Alpha = 0.05
) -> Disagreement:
    """Ask which feature of the data sets likelihood and moments apart.

    Parameters
    ----------
    link : Link
        With one premium whose errors are known, by whatever method.
    by : str, optional
        Column of the link's data, or of `data`, that the spread of true premiums and of rates may change with; the
        size of the premium's error if not given.
    data : DataFrame, optional
        Where that column is, if not among the link's covariates; a row for each cell.
    alpha : float
        One minus the coverage of intervals, and the level at which a feature counts as shown.

    Raises
    ------
    OptionError
        Several premiums, none, or a link that is not linear.
    CovarianceError
        Errors of the premiums that are unknown; or zero, where `by` is not given.
    DataError, ColumnError, MissingValueError
        Too few cells, a trait that is the same in all, or not there.

    Examples
    --------
    >>> import wagegap as wg
    >>> rng = np.random.default_rng(1)
    >>> frame = pd.DataFrame({"iso3": [f"C{i}" for i in range(30)], "b": rng.normal(0, 0.3, 30)})
    >>> frame = frame.assign(se=np.linspace(0.02, 0.1, 30), rate=0.2 - 0.5 * frame["b"] + rng.normal(0, 0.05, 30))
    >>> rates = wg.Estimates.from_table(frame, estimate="rate", std_error=None, term="leaving")
    >>> answer = disagreement(wg.fit_link("leaving ~ premium", rates, wg.Estimates.from_table(frame)))
    >>> len(answer.alone), answer.together.loglik >= answer.plain.loglik
    (3, True)
    """
    link.check_premium("disagreement", single=True, linear=True)
    if not link.cells.known(1):
        raise CovarianceError(
            f"disagreement weighs premiums by their errors, which are unknown{link.cells.unknown_in_words(1)}: give "
            "standard errors, or leave those cells out."
        )
    link.check_deviations("disagreement")
    problem = link.setup.problem.checked()
    if problem.n - problem.k < _FEWEST:
        raise DataError(
            f"{problem.n} cells for {problem.k} coefficients are too few to ask which feature of the data sets "
            f"estimators apart: at least {problem.k + _FEWEST} are needed."
        )
    trait = None if by is None else trait_of(link, by, data)
    plain, *alone, together = fit_features(problem, trait, alpha=alpha)
    moments, interval = _moments(link, alpha)
    return Disagreement(by, plain, tuple(alone), together, moments, interval, alpha, link)


def _moments(link: FittedLink, alpha: Alpha) -> tuple[float | None, tuple[float, float]]:
    """Slope of the weighted moments, and its interval; None where there is none."""
    problem = link.setup.problem
    try:
        fit = fit_weighted(problem, groups=link.setup.groups)
    except ReliabilityError:
        return None, (np.nan, np.nan)
    j = problem.estimated[0]
    half = float(stats.t.isf(alpha / 2, link.setup.jackknife_df) * np.sqrt(fit.cov[j, j]))
    slope = float(fit.params[j])
    return slope, (slope - half, slope + half)
