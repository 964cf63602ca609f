"""What if this country paid another premium? Its rate, had its premium been X and all else stayed as it is.

The country keeps its own deviation from the line, so the answer is Y_c + b (X - P_c), P_c its true premium. Of that
only a noisy estimate is known, and a country picked because its estimate is low stands low partly by luck: the move
starts at the premium that the estimate and those of the others make likely together (`shrunken`), and ends, where X is
the premium of another country, at that country's. The errors of start and end, what they have to do with the error of
the country's own rate, and that of the slope, whose interval may be lopsided, are put together by the method of
variance estimates recovery. Where moments and likelihood do not settle on a slope the answer is the hull of both; a
rate that is a share stays one.

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
from wagegap._display.axes import WATCHED, new_axes
from wagegap._display.facts import note_words
from wagegap._display.scatter import ellipses
from wagegap._display.sentences import say
from wagegap._typing import Alpha, AxesLike
from wagegap.errors import DataError, shown
from wagegap.regression.link.fitted import Answer, FittedLink, level_of, level_of_rates, one_row, scale_of
from wagegap.regression.link.lines import (
    draw_lines,
    given_controls,
    label_link,
    name_cells,
    seen_cells,
    write_legend,
)
from wagegap.regression.link.questions.shrunken import ShrunkenPremiums, shrunken_premiums
from wagegap.regression.link.verdict import hull

__all__ = ["Prediction", "predict"]


@dataclass(frozen=True, slots=True, eq=False)
class Prediction(Answer):
    """A country's rate under another premium.

    Attributes
    ----------
    country : str
        The cell.
    premium, own_premium : float
        Premium supposed, and the country's own from which it moves: both shrunken where they are estimates.
    estimated : float
        The country's own premium as estimated.
    rate, low, high : float
        Rate under it, with its interval; NaN rate where the slope is not settled. Shares stay within 0 and 1.
    own_rate : float
        Rate as estimated.
    change, change_low, change_high : float
        Change of the rate that the other premium makes; NaN change where the slope is not settled.
    extrapolates : bool
        Whether the premium supposed lies outside the shrunken premiums of the countries in the link.
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
    estimated: float
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
        return " ".join(part for part in (self._answer(), *self._cautions()) if part)

    def _answer(self) -> str:
        cells, settled = self.link.cells, self.link.settled
        premium, rate = level_of(cells.units[1], "premium"), scale_of(cells.units[0])
        if not np.isfinite(self.change_low) and not np.isfinite(self.change_high):
            change = "could be anything: these data do not bound the slope"
        elif settled:
            change = "would change by {change} ({percent} % interval {ends}): {known}"
        else:
            change = "would change by anything from {ends} (both {percent} % intervals together: not settled): {known}"
        shrunken = "" if self.own_premium == self.estimated else " (estimated at {estimated}, part of it noise)"
        sure = np.sign(self.change_low) * np.sign(self.change_high) > 0
        return say(
            f"If the association across {{cells}} were causal and {{country}}'s premium were {{supposed}} instead of "
            f"{{own}}{shrunken}, its {{outcome}} {change}.",
            cells=cells.counted(), country=cells.name_of(self.country), supposed=premium.level(self.premium),
            own=premium.level(self.own_premium), estimated=premium.level(self.estimated),
            outcome=cells.outcome_in_words.removeprefix("the "), change=rate.change(self.change),
            percent=f"{100 * (1 - self.alpha):g}",
            ends=rate.interval(self.change_low, self.change_high, bare=settled),
            known="its direction is settled" if sure else "the data do not say whether it would rise or fall",
        )  # fmt: skip

    def _cautions(self) -> tuple[str, ...]:
        cells = self.link.cells
        (low, high), level = cells.bounds, level_of_rates(cells)
        bounded = np.isfinite(low) and (self.low <= low or self.high >= high)
        unknown = [f"The error of the {name} is" for name, i in (("premiums", 1), ("rates", 0)) if not cells.known(i)]
        return (
            f"The rate is a share, and stays within {level.between(low, high, 'and')}." if bounded else "",
            "The premium is outside those of the countries seen, their noise taken out: an extrapolation."
            if self.extrapolates
            else "",
            *(f"{what} unknown and not in the interval." for what in unknown),
        )

    def plot(self, ax: AxesLike = None) -> Any:
        """Draw the country as it is and as it would be, beside the others and the line."""
        cells = self.link.cells
        ax = new_axes(6.3, 4.6) if ax is None else ax
        p, y = seen_cells(self.link)
        i = cells.names.index(self.country)
        start, moved = (float(p[i]), float(y[i])), float(y[i] - cells.y[i])  # moved by what the controls explain
        end = start[0] + self.premium - cells.p[i, 0]
        ends = np.append(p, end)
        pad = 0.06 * float(np.ptp(ends))
        at = np.linspace(ends.min() - pad, ends.max() + pad, 60)
        ax = ellipses(ax, p, y, np.zeros((cells.n, 2, 2)), cells.names, watch=[self.country])
        name_cells(ax, cells)
        entries = draw_lines(ax, self.link, at, self.alpha)
        if np.isfinite(self.rate):
            ax.annotate(
                "", (end, self.rate + moved), start, arrowprops={"arrowstyle": "->", "color": WATCHED},
            )  # fmt: skip
        supposed = f"{cells.name_of(self.country)} under the premium supposed"
        if np.isfinite([self.low, self.high]).all():
            ax.plot([end] * 2, np.array([self.low, self.high]) + moved, color=WATCHED, linewidth=1.6)
            supposed += f", with {100 * (1 - self.alpha):g} % interval"
        (mark,) = ax.plot([end], [self.rate + moved], "s", color=WATCHED, markersize=5)
        write_legend(ax, [*entries, (mark, supposed)])
        rate = level_of_rates(cells).said(self.rate)
        note_words(ax, f"the square is {supposed}" + (f": {rate}" if np.isfinite(self.rate) else ""))
        room = 0.5 * float(np.ptp(y))
        ax.set_xlim(float(at[0]), float(at[-1]))
        heights = [*y, *(height + moved for height in (self.rate,) if np.isfinite(height))]
        ax.set_ylim(min(heights) - room, max(heights) + room)
        return label_link(ax, self.link, given_controls(self.link))


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
        Premium supposed, in the link's unit, or another cell, whose premium is supposed: its estimate shrunken, with
        the error that is left.
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
    cells, i = link.cells, link.cell_at(country)
    given: Any = premium
    other = link.cell_at(premium) if isinstance(premium, str) else None
    if other is None and (isinstance(given, bool) or not isinstance(given, Real) or not np.isfinite(float(given))):
        raise DataError(f"premium={shown(premium)} must be a number, or the name of a cell.")
    shrunken = shrunken_premiums(link)
    values = shrunken.values
    target = float(given) if other is None else float(values[other])
    moves = [_moved(part, shrunken, i, target if other is None else other, alpha) for part in link.parts]
    changes, rates = (hull(*ends) for ends in zip(*(move[1:] for move in moves), strict=True))
    rate, change = moves[0][0] if link.settled else (np.nan, np.nan)
    low, high = cells.bounds
    own = float(cells.y[i])
    rate, rate_low, rate_high = np.clip([rate, *rates], low, high).tolist()
    change, change_low, change_high = np.clip([change, *changes], low - own, high - own).tolist()
    outside = bool(target < values.min() or target > values.max())
    return Prediction(
        cells.names[i], target, float(values[i]), float(cells.p[i, 0]), rate, rate_low, rate_high, own,
        change, change_low, change_high, outside, cells.known(1), alpha, link,
    )  # fmt: skip


def _moved(
    link: FittedLink, shrunken: ShrunkenPremiums, i: int, target: float | int, alpha: Alpha
) -> tuple[tuple[float, float], tuple[float, float], tuple[float, float]]:
    """Rate and change, then the intervals of the change and of the rate, with the slope of one estimator."""
    slope, ends = link.slope, link.slope_interval(alpha)
    t = float(stats.t.isf(alpha / 2, link.estimates.df_resid))
    move = shrunken.move(i, target, slope)
    change = slope * move.gap
    low, high = sorted(move.gap * end for end in ends) if move.gap != 0 else (0.0, 0.0)
    # The error of the slope times that of the gap
    both = ((ends[1] - ends[0]) / (2 * t)) ** 2 * move.gap_variance if move.gap_variance > 0 else 0.0
    of_change, of_rate = slope**2 * move.gap_variance + both, move.rate_variance + both
    rate = float(link.cells.y[i]) - move.shift + change
    below, above = _recovered(change, low, high, t * np.sqrt(of_rate))
    return (rate, change), _recovered(change, low, high, t * np.sqrt(of_change)), (
        rate + below - change, rate + above - change,
    )  # fmt: skip


def _recovered(change: float, low: float, high: float, reach: float) -> tuple[float, float]:
    """Interval of a change with an interval of its own and a further independent error."""
    # l = c - (z^2 V + (c - c_l)^2)^(1/2), u = c + (z^2 V + (c_u - c)^2)^(1/2)
    return change - float(np.hypot(reach, change - low)), change + float(np.hypot(reach, high - change))
