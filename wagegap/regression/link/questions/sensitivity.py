"""What if the premiums had errors of this size? Bounds, slopes under assumed errors, and the premium that turns a sign.

Three answers that need no known error, for published figures above all:

* Error in the premiums that has nothing to do with the rates leaves the sign of the slope and makes it steeper: it lies
  between the direct regression and the reverse one (Klepper and Leamer), y'M p / p'M p and y'M y / y'M p, with M the
  annihilator of the controls.
* An assumed standard error s, and a correlation r of that error with what else moves the rate, w = y - b P, give a
  slope with its interval by the rule of the link. The covariance that r means is r s sd(w), and sd(w) depends on the
  slope, so that with D = p'M p / (n - q) - s^2 and S_py, S_yy alike the slope solves

      (S_py - b D)^2 = r^2 s^2 (S_yy - b^2 D).

* The naive slope has the sign of y'M p, which is linear in the premium of one country: it turns where that premium is
  p_c - y'M p / (M y)_c.

Where errors are known they are taken at multiples of themselves, related to those of the rates as they are; an r that
is given is the correlation with the rates' own errors instead. Without any error the interval is that of least squares
(HC3), with some that of the rule of the link, whose columns say which: the two are not of one kind, and where the first
is the wider one, error does not make the slope more certain.

References
----------
Klepper, S. and E. Leamer (1984). Consistent sets of estimates for regressions with errors in all variables.
Econometrica 52, 163-183.
Erickson, T. (1993). Restricting regression slopes in the errors-in-variables model by bounding the error correlation.
Econometrica 61, 959-969.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from wagegap._arguments import public
from wagegap._display.axes import FAINT, PALETTE, apply_style, new_axes, put_legend
from wagegap._display.facts import note_stroke
from wagegap._display.numbers import typographic
from wagegap._display.scales import scale_axis
from wagegap._display.sentences import Scale, say
from wagegap._typing import Alpha, AxesLike, FloatArray
from wagegap.errors import DataError, OptionError, ReliabilityError, ReliabilityWarning, listing, shown
from wagegap.estimation.column_types import given_numbers
from wagegap.estimation.estimates import Estimates
from wagegap.estimation.reliability import REFUSED_BELOW, annihilator
from wagegap.regression.link.fitted import Answer, FittedLink, level_of, slope_scale

__all__ = ["Sensitivity", "correlated_slope", "klepper_leamer", "sensitivity", "tipping_premiums"]

_TIMES = (0.0, 0.5, 1.0, 1.5, 2.0)
"""Multiples of known standard errors that are tried."""
_CORRELATIONS = (-0.5, 0.0, 0.5)
_POINTS = 6
"""Assumed standard errors that are tried where none is known."""
_NEAR_REFUSAL = 0.98
_ENDS = ("conf_low", "conf_high")
_KEPT_APART = " of the sensitivity"
"""End of columns of a table made here, so that they meet no key of the cells."""


def klepper_leamer(y: FloatArray, p: FloatArray, z: FloatArray) -> tuple[float, float]:
    """Slopes of the direct and of the reverse regression given the controls, the smaller first.

    >>> import numpy as np
    >>> p, y = np.array([0.0, 1.0, 2.0, 3.0]), np.array([0.0, 2.0, 1.0, 3.0])
    >>> low, high = klepper_leamer(y, p, np.ones((4, 1)))
    >>> round(low, 6), round(high, 6)
    (0.8, 1.25)
    """
    m = annihilator(z)
    cross, premium, rate = float(y @ m @ p), float(p @ m @ p), float(y @ m @ y)
    if abs(cross) <= 1e-12 * np.sqrt(premium * rate):
        return -np.inf, np.inf
    low, high = sorted((cross / premium, rate / cross))
    return low, high


def tipping_premiums(y: FloatArray, p: FloatArray, z: FloatArray) -> FloatArray:
    """Premium of each country at which the naive slope would be zero, all others as they are; infinite where none.

    >>> import numpy as np
    >>> p, y = np.array([0.0, 1.0, 2.0]), np.array([0.0, 1.0, 2.0])
    >>> tipping_premiums(y, p, np.ones((3, 1))).round(6).tolist()
    [2.0, inf, 0.0]
    """
    # y'M p is zero at p_c - y'M p / (M y)_c
    rest = annihilator(z) @ y
    none = np.abs(rest) <= 1e-12 * np.linalg.norm(y)
    return np.where(none, np.inf, p - float(rest @ p) / np.where(none, 1.0, rest))


def correlated_slope(moments: tuple[float, float, float], s: float, r: float) -> float:
    """Slope where the premiums' error has standard deviation s and correlation r with what else moves the rate.

    NaN where the premiums spread no more than that error.

    Parameters
    ----------
    moments : tuple of float
        Variance of premiums, covariance, and variance of rates, given the controls.
    s, r : float
        Standard deviation, and correlation.

    Examples
    --------
    >>> round(correlated_slope((1.0, 0.5, 1.0), 0.5, 0.0), 6)
    0.666667
    """
    pp, py, yy = moments
    d = pp - s**2
    if d <= 0:
        return float("nan")
    # b^2 (D^2 + r^2 s^2 D) - 2 b S_py D + S_py^2 - r^2 s^2 S_yy = 0, the root at which S_py - b D has the sign of r
    a, c = d**2 + (r * s) ** 2 * d, py**2 - (r * s) ** 2 * yy
    root = np.sqrt(max((py * d) ** 2 - a * c, 0.0))
    return float((py * d - np.sign(r) * root) / a)


@dataclass(frozen=True, slots=True, eq=False)
class Sensitivity(Answer):
    """How a slope depends on errors that are assumed.

    Attributes
    ----------
    naive : float
        Slope that takes the premiums as exact.
    bounds : tuple of float
        Klepper and Leamer's: of the direct regression and of the reverse one.
    curve : DataFrame
        std_error (of a premium, the root mean square over cells), times (multiple of known errors; NaN where the size
        is assumed), correlation (NaN: as it is known), reliability, estimate, conf_low, conf_high, rule, refused.
    tipping : DataFrame
        cell, premium, tipping (premium at which the naive slope is zero), distance, in_errors (the distance in the
        premium's own standard errors, where known), within (whether it is within the range of the others' premiums).
    alpha : float
        One minus the coverage.
    link : Link
        The link.
    """

    naive: float
    bounds: tuple[float, float]
    curve: pd.DataFrame
    tipping: pd.DataFrame
    alpha: Alpha
    link: FittedLink

    def tidy(self) -> pd.DataFrame:
        """Return a row for each assumed error."""
        return self.curve

    def in_words(self) -> str:
        """Say what error alone could do, and which country's premium would turn the sign."""
        cells, scale = self.link.cells, slope_scale(self.link.cells)
        low, high = self.bounds
        if not np.isfinite(high):
            about = f"The naive slope is nothing per {scale.step} of premium, and unrelated error leaves it there"
        else:
            ends = scale.slope(low).bare_copy(), scale.slope(high)
            about = say(
                "Error in the premiums that is unrelated to {outcome} makes the slope steeper, not flatter: between "
                "{low} and {high} for {step} of premium", outcome=cells.outcome_in_words, low=ends[0], high=ends[1],
                step=scale.step,
            )  # fmt: skip
        return f"{about}; {self._tipping_in_words()}.{self._within_in_words()}{self._refused_in_words()}"

    def _refused_in_words(self) -> str:
        """How many of the assumed errors leave no single slope."""
        refused, without = int(self.curve["refused"].sum()), int(self.curve["estimate"].isna().sum())
        if not without:
            return ""
        counts = {"refused": refused, "not settled": without - refused}
        said = " and ".join(f"{count} {what}" for what, count in counts.items() if count)
        return f" Under {without} of {len(self.curve)} assumed errors there is no single slope ({said})."

    def _within_in_words(self) -> str:
        """Whether a corrected slope lies between the bounds, where there is one."""
        if self.link.reliability is None or not self.link.settled:
            return ""
        where = "between" if self.bounds[0] <= self.link.slope <= self.bounds[1] else "outside"
        slope = slope_scale(self.link.cells).slope(self.link.slope)
        return say(
            " The corrected slope, for the same step {slope}, lies {where} these bounds.", slope=slope, where=where
        )

    def _tipping_in_words(self) -> str:
        """Countries whose premium alone turns the sign within the range of premiums."""
        near = self.tipping[self.tipping["within"]].sort_values("distance", key=np.abs)
        if near.empty:
            return f"no {self.link.cells.noun}'s premium, alone and within the range of the others, would turn its sign"
        level, cells = level_of(self.link.cells.units[1], "premium"), self.link.cells
        said = [
            say("{name}'s were {tipping} instead of {premium}", name=cells.name_of(str(row["cell"])),
                tipping=level.level(float(row["tipping"])), premium=level.level(float(row["premium"])).bare_copy())
            for _, row in near.head(3).iterrows()
        ]  # fmt: skip
        more = f", or one of {len(near) - 3} more" if len(near) > 3 else ""
        return f"its sign would turn if {' or '.join(said)}{more}"

    def plot(self, ax: AxesLike = None) -> Any:
        """Draw slope and interval against the assumed error, with the naive slope and the bounds.

        The band is of the correlation nearest to zero; of others the ends are dotted. What lies far off is cut.
        """
        ax = new_axes(6.3, 4.2) if ax is None else ax
        scale, level = slope_scale(self.link.cells), level_of(self.link.cells.units[1])
        bottom, top = self._limits()
        curve = self.curve[~self.curve["refused"]].sort_values("std_error")
        filled = min(self.curve["correlation"].fillna(0.0), key=abs)
        for color, (r, part) in zip(PALETTE * 3, curve.groupby(curve["correlation"].fillna(0.0)), strict=False):
            at = level.factor * part["std_error"].to_numpy(dtype=float)
            ends = [np.clip(scale.factor * part[end].to_numpy(dtype=float), bottom, top) for end in _ENDS]
            b = scale.factor * part["estimate"].to_numpy(dtype=float)
            known = part["correlation"].isna().all()
            label = "errors as known" if known else typographic(f"correlation {float(np.max(part['correlation'])):g}")
            ax.plot(at, b, "o-", color=color, markersize=3, linewidth=1.2, label=label)
            if r == filled:
                band = f"{100 * (1 - self.alpha):g} % band, {label}"
                ax.fill_between(at, *ends, color=color, alpha=0.14, linewidth=0, label=band)
                continue
            for end in ends:
                ax.plot(at, end, ":", color=color, linewidth=0.9)
        ax.set_ylim(bottom, top)
        ax.axhline(0.0, color=FAINT, linewidth=0.8)
        ax.axhline(scale.factor * self.naive, color=PALETTE[3], linewidth=1.0, linestyle="--", label="naive")
        for bound, label in zip(self.bounds, ("bounds of Klepper and Leamer", "_nolegend_"), strict=True):
            if np.isfinite(bound):
                ax.axhline(scale.factor * bound, color=PALETTE[3], linewidth=0.9, linestyle=":", label=label)
        handles, names = ax.get_legend_handles_labels()
        put_legend(apply_style(ax), handles, names)
        for name in names:
            note_stroke(ax, "band" if " band, " in name else "line", name)
        drawn = Scale(1.0, level.unit), Scale(1.0, scale.unit, scale.step)  # numbers are drawn in these units
        scale_axis(ax, "x", "assumed standard error of a premium", drawn[0])
        return scale_axis(ax, "y", "slope", drawn[1])

    def _limits(self) -> tuple[float, float]:
        """Where slopes, bounds and the naive interval are, with room."""
        least = self.curve[self.curve["std_error"] == self.curve["std_error"].min()]
        values = [*self.curve["estimate"], *self.bounds, *least["conf_low"], *least["conf_high"], self.naive, 0.0]
        there = slope_scale(self.link.cells).factor * np.array([v for v in values if np.isfinite(v)], dtype=float)
        room = 0.25 * float(np.ptp(there))
        return float(there.min()) - room, float(there.max()) + room


@public
def sensitivity(
    link: FittedLink,
    *,
    std_errors: Any = None,
    correlations: float | Sequence[float] | None = None,
    alpha: Alpha = 0.05,
) -> Sensitivity:
    """Ask what errors of the premiums, assumed or larger than known, would make of the slope.

    Parameters
    ----------
    link : Link
        With one premium, linear in it.
    std_errors : sequence of float, optional
        Standard errors of a premium that are assumed, one for all cells, in the premium's unit. Where absent:
        multiples of the known ones; or, where none are known, up to that at which reliability is one half.
    correlations : float or sequence of float, optional
        Correlations of these errors with what else moves the rate; where errors of the rates are known, with these.
        Where absent: as known, at multiples of known errors; else -.5, 0 and .5.
    alpha : float
        One minus the coverage of intervals.

    Returns
    -------
    Sensitivity

    Raises
    ------
    OptionError
        Without a premium or with several; errors that are negative, correlations beyond 1.
    DataError
        Errors or correlations that are no numbers.

    Examples
    --------
    >>> import wagegap as wg
    >>> net = wg.datasets.talent_migration("ai")
    >>> link = wg.fit_link("net_migration ~ premium", net, wg.datasets.published_premiums())
    >>> answer = sensitivity(link, correlations=0.0)
    >>> [round(end, 1) for end in answer.bounds]
    [16.1, 39.5]
    """
    link.check_premium("sensitivity", single=True, linear=True)
    problem, cells = link.setup.problem, link.cells
    p, z = cells.p[:, 0], problem.others
    m = annihilator(z)
    room = float(np.trace(m))
    moments = tuple(float(a @ m @ b) / room for a, b in ((p, p), (p, cells.y), (cells.y, cells.y)))
    errors = _errors(link, std_errors, moments[0])
    as_known = all(given.times == given.times for given in errors)
    absent = (np.nan,) if as_known else _CORRELATIONS
    at = np.array(absent) if correlations is None else _numbers("correlations", correlations)
    if (np.abs(at) > 1).any():
        raise OptionError(f"correlations={shown(correlations)} must lie between -1 and 1.")
    rows = [_assumed(link, given, float(r), moments, alpha) for r in at for given in errors]
    frame = _tipping(link, tipping_premiums(cells.y, p, z))
    naive = float(link.naive().slope)
    return Sensitivity(naive, klepper_leamer(cells.y, p, z), pd.DataFrame(rows), frame, alpha, link)


def _tipping(link: FittedLink, tips: FloatArray) -> pd.DataFrame:
    """Premiums that turn the sign, and how far from their own they are."""
    cells, p = link.cells, link.cells.p[:, 0]
    error = np.sqrt(np.diag(cells.block(1, 1)))
    others = [np.delete(p, i) for i in range(cells.n)]
    within = [bool(rest.min() <= tip <= rest.max()) for rest, tip in zip(others, tips, strict=True)]
    distance = tips - p
    in_errors = distance / np.where(error > 0, error, np.nan)
    return pd.DataFrame(
        {
            "cell": list(cells.names), "premium": p, "tipping": tips, "distance": distance, "in_errors": in_errors,
            "within": within,
        }
    )  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class _Assumed:
    """Errors that are assumed: the covariance of the premiums' errors, and its multiple of what is known."""

    v: FloatArray
    times: float

    @property
    def std_error(self) -> float:
        """Root mean square of the standard errors."""
        return float(np.sqrt(np.mean(np.diag(self.v))))


def _numbers(name: str, given: Any) -> FloatArray:
    values = np.atleast_1d(given_numbers(name, given)).astype(float)
    if values.ndim != 1 or not len(values) or not np.isfinite(values).all():
        raise DataError(f"{name}={shown(given)} must be finite numbers in one row.")
    return values


def _errors(link: FittedLink, given: Any, variance: float) -> list[_Assumed]:
    """Errors to try: as given, multiples of the known, or up to the reliability at which a slope is refused."""
    cells = link.cells
    if given is not None:
        sizes = _numbers("std_errors", given)
        if (sizes < 0).any():
            raise OptionError(f"std_errors={shown(given)} holds {listing(sizes[sizes < 0])}: an error is not negative.")
        return [_Assumed(s**2 * np.eye(cells.n), float("nan")) for s in sizes]
    if cells.known(1) and cells.block(1, 1).any():
        return [_Assumed(times**2 * cells.block(1, 1), times) for times in _TIMES]
    # 1 - s^2 / S_pp = 1/2 at s = (S_pp / 2)^(1/2)
    most = _NEAR_REFUSAL * float(np.sqrt((1 - REFUSED_BELOW) * variance))
    return [_Assumed(s**2 * np.eye(cells.n), float("nan")) for s in np.linspace(0.0, most, _POINTS)]


def _assumed(link: FittedLink, given: _Assumed, r: float, moments: tuple[float, ...], alpha: Alpha) -> dict[str, Any]:
    """What the link says under errors that are assumed; what it refuses is said to be refused."""
    row = {"std_error": given.std_error, "times": given.times, "correlation": r}
    unknown = {"reliability": np.nan, "estimate": np.nan, "conf_low": np.nan, "conf_high": np.nan}
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ReliabilityWarning)
            again = _asked_again(link, given, r, moments)
    except ReliabilityError:
        return {**row, **unknown, "rule": "refused", "refused": True}
    low, high = again.slope_interval(alpha)
    share = 1.0 if again.reliability is None or not given.v.any() else again.reliability
    slopes = {"reliability": share, "estimate": again.slope, "conf_low": low, "conf_high": high}
    return {**row, **slopes, "rule": again.rule, "refused": False}


def _asked_again(link: FittedLink, given: _Assumed, r: float, moments: tuple[float, ...]) -> Any:
    """The link with assumed errors; least squares where they are none."""
    cells, n = link.cells, link.cells.n
    name = cells.premiums[0]
    if not given.v.any():
        return link.naive()
    v_y = cells.block(0, 0)
    if np.isnan(r):
        cross, v_y = given.times * np.nan_to_num(cells.block(1, 0)), np.nan_to_num(v_y)
    elif cells.known(0) and v_y.any():
        # r V_pp^(1/2) V_yy^(1/2), which is a covariance for every r up to 1, whatever cells share
        cross = r * _root(given.v) @ _root(v_y)
    else:
        # e = r w, of variance r^2 sd(w)^2, is that part of w which goes with the premium's error
        s = given.std_error
        b = correlated_slope((moments[0], moments[1], moments[2]), s, r)
        spread = np.sqrt(max(moments[2] - b**2 * (moments[0] - s**2), 0.0))
        v_y = np.eye(n) * (r * spread) ** 2
        cross = r * spread * np.diag(np.sqrt(np.diag(given.v)))
    rates, premiums = _joint(link, given.v, v_y, cross)
    if not cells.known(0) and (np.isnan(r) or r == 0.0):
        rates = link.call.arguments["rates"]
    return link.call.again(rates=rates, premiums={name: premiums}, method="auto", instruments=None, on=None)


def _root(v: FloatArray) -> FloatArray:
    """Symmetric square root of a covariance."""
    values, vectors = np.linalg.eigh(v)
    return np.asarray((vectors * np.sqrt(np.maximum(values, 0.0))) @ vectors.T)


def _joint(link: FittedLink, v_p: FloatArray, v_y: FloatArray, cross: FloatArray) -> tuple[Estimates, Estimates]:
    """Rates and premiums of the cells with a joint covariance."""
    cells = link.cells
    term, unit, value = (f"{word}{_KEPT_APART}" for word in ("term", "unit", "value"))
    frame = pd.concat([cells.keys, cells.keys], ignore_index=True)
    frame[term] = np.repeat(np.array([cells.outcome, "premium"], dtype=object), cells.n)
    frame[unit] = np.repeat(np.array(cells.units[:2], dtype=object), cells.n)
    frame[value] = np.concatenate([cells.y, cells.p[:, 0]])
    vcov = np.block([[v_y, cross.T], [cross, v_p]])
    both = Estimates.from_table(
        frame, by=list(cells.keys.columns), estimate=value, term=term, unit=unit, vcov=vcov, as_stated=True
    )
    n = cells.n
    return both.select(np.arange(n)), both.select(np.arange(n, 2 * n))
