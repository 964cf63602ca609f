"""What if this country paid another premium? Its rate, had its premium been X and all else stayed as it is.

The country keeps its own deviation from the line, so the answer is Y_c + b (X - P_c), estimated by y_c + b (X - p_c).
Its errors are those of the country's own figures, e_c - b v_c (and of another country's premium where X is that), whose
covariance is known, and that of the slope, whose interval may be lopsided; the two are put together by the method of
variance estimates recovery.

References
----------
Zou, G. Y. and A. Donner (2008). Construction of confidence limits about effect measures: a general approach. Statistics
in Medicine 27, 1693-1702.
"""

from __future__ import annotations

from dataclasses import dataclass
from numbers import Real
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from wagegap._arguments import public
from wagegap._display.axes import PALETTE, new_axes
from wagegap._display.scatter import ellipses, line_band
from wagegap._typing import Alpha, AxesLike, FloatArray
from wagegap.errors import DataError
from wagegap.regression.link.fitted import Answer, FittedLink, level_of, one_row, scale_of

__all__ = ["Prediction", "predict"]


@dataclass(frozen=True, slots=True, eq=False)
class Prediction(Answer):
    """A country's rate under another premium.

    Attributes
    ----------
    country : str
        The cell.
    premium, own_premium : float
        Premium supposed, and as estimated.
    rate, low, high : float
        Rate under it, with its interval.
    own_rate : float
        Rate as estimated.
    change, change_low, change_high : float
        Change of the rate that the other premium makes.
    extrapolates : bool
        Whether the premium lies outside those of the countries in the link.
    known : bool
        Whether the errors of premiums are known; else the interval holds only the spread of the line.
    alpha : float
        One minus the coverage.
    link : Link
        The link.
    """

    country: str
    premium: float
    own_premium: float
    rate: float
    low: float
    high: float
    own_rate: float
    change: float
    change_low: float
    change_high: float
    extrapolates: bool
    known: bool
    alpha: Alpha
    link: FittedLink

    def tidy(self) -> pd.DataFrame:
        """Return one row."""
        return one_row(self, "known", "alpha", "link")

    def in_words(self) -> str:
        """Say what would change, how little is known of it, and that it is an association."""
        cells = self.link.cells
        country = cells.name_of(self.country)
        level = level_of(cells.units[1])
        supposed, estimated = (level.said(value) for value in (self.premium, self.own_premium))
        if not np.isfinite(self.change_low) and not np.isfinite(self.change_high):
            return (
                f"If {country}'s premium were {supposed}, its {cells.outcome_in_words} could be anything: these data "
                "do not bound the slope."
            )
        scale = scale_of(cells.units[0])
        settled = np.sign(self.change_low) * np.sign(self.change_high) > 0
        known = "its direction is settled" if settled else "the data do not say whether it would rise or fall"
        outside = " The premium is outside those observed." if self.extrapolates else ""
        unknown = "" if self.known else " The error of the premiums is unknown and not in the interval."
        return (
            f"If the association across {cells.counted()} were causal and {country}'s premium were {supposed} "
            f"instead of {estimated}, its {cells.outcome_in_words} would change by {scale.signed(self.change)} "
            f"({100 * (1 - self.alpha):g} % interval {scale.between(self.change_low, self.change_high)}): "
            f"{known}.{outside}{unknown}"
        )

    def plot(self, ax: AxesLike = None) -> Any:
        """Draw the country as it is and as it would be, beside the others and the line."""
        cells = self.link.cells
        ax = new_axes(6.3, 4.6) if ax is None else ax
        p, y = cells.p[:, 0], cells.y
        ends = np.append(p, self.premium)
        pad = 0.06 * float(np.ptp(ends))
        at = np.linspace(ends.min() - pad, ends.max() + pad, 60)
        ax = ellipses(ax, p, y, np.zeros((cells.n, 2, 2)), cells.names)
        ax = line_band(ax, at, *self.link.line(at, self.alpha))
        ax.annotate(
            "", (self.premium, self.rate), (self.own_premium, self.own_rate),
            arrowprops={"arrowstyle": "->", "color": PALETTE[1]},
        )  # fmt: skip
        if np.isfinite([self.low, self.high]).all():
            ax.plot([self.premium] * 2, [self.low, self.high], color=PALETTE[1], linewidth=1.6)
        ax.plot([self.premium], [self.rate], "s", color=PALETTE[1], markersize=5)
        room = 0.5 * float(np.ptp(y))
        ax.set_xlim(float(at[0]), float(at[-1]))
        ax.set_ylim(min(float(y.min()), self.rate) - room, max(float(y.max()), self.rate) + room)
        return cells.label_axes(ax)


@public
def predict(link: FittedLink, *, country: str, premium: float | str, alpha: Alpha = 0.05) -> Prediction:
    """Say a country's rate under another premium.

    Parameters
    ----------
    link : Link
        With one premium, linear in it.
    country : str
        The cell.
    premium : float or str
        Premium supposed, in the link's unit, or another cell, whose estimated premium (error and all) is supposed.
    alpha : float
        One minus the coverage of intervals.

    Raises
    ------
    DataError, OptionError

    Examples
    --------
    >>> import wagegap as wg
    >>> net = wg.datasets.talent_migration("ai")
    >>> link = wg.fit_link("net_migration ~ premium", net, wg.datasets.published_premiums())
    >>> answer = predict(link, country="KOR", premium="USA")
    >>> answer.premium, answer.extrapolates
    (25.0, False)
    """
    link.check_premium("predict", linear=True)
    i, p = link.cell_at(country), link.cells.p[:, 0]
    given: Any = premium
    other = link.cell_at(premium) if isinstance(premium, str) else None
    if other is None and (isinstance(given, bool) or not isinstance(given, Real) or not np.isfinite(float(given))):
        raise DataError(f"premium={premium!r} must be a number, or the name of a cell.")
    target = float(premium if other is None else p[other])
    gap, rate = target - float(p[i]), float(link.cells.y[i])
    change = link.slope * gap
    low, high = sorted(gap * end for end in link.slope_interval(alpha)) if gap != 0 else (0.0, 0.0)
    # Change and rate, whose errors are -b v_c (+ b v_other), and e_c beside: each with its interval
    (change_low, change_high), (rate_low, rate_high) = (
        _recovered(change, low, high, variance, alpha) for variance in _noise(link, i, other)
    )
    return Prediction(
        link.cells.names[i], target, float(p[i]), rate + change, rate + rate_low, rate + rate_high, rate, change,
        change_low, change_high, bool(target < p.min() or target > p.max()), link.cells.known(1), alpha, link,
    )  # fmt: skip


def _recovered(change: float, low: float, high: float, variance: float, alpha: Alpha) -> tuple[float, float]:
    """Interval of a change with an interval of its own and a further independent error."""
    # l = c - (z^2 V + (c - c_l)^2)^(1/2), u = c + (z^2 V + (c_u - c)^2)^(1/2)
    reach = float(stats.norm.isf(alpha / 2) * np.sqrt(variance))
    return change - float(np.hypot(reach, change - low)), change + float(np.hypot(reach, high - change))


def _noise(link: FittedLink, i: int, other: int | None) -> tuple[float, float]:
    """Known variance of -b v_c (+ b v_other), and with e_c; unknown errors count for nothing and are told."""
    v_y, v_p, v_py = (np.nan_to_num(link.cells.block(a, b)) for a, b in ((0, 0), (1, 1), (1, 0)))
    weight: FloatArray = np.zeros(link.cells.n)
    weight[i] -= link.slope
    if other is not None:
        weight[other] += link.slope
    of_change = float(weight @ v_p @ weight)
    return max(of_change, 0.0), max(of_change + float(v_y[i, i] + 2 * weight @ v_py[:, i]), 0.0)
