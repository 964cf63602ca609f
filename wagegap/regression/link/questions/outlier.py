"""Is this country off the line of the others? Fit without it, and ask how far its rate is from where they put it.

With the line of the other countries, by the estimator of the link and with its weights, the left-out one deviates by

    d = y_c - x_c'b,    var d = tau_c^2 + V_y - 2 b V_py + b^2 V_p + var x_c'b,

the spread of true rates, the country's own sampling errors, and the error of the line. The errors are known; the spread
is not, and may be larger among countries whose figures are noisy: it is averaged over a grid of such models, each with
its likelihood (`deviations`, `spreads`). The reference is the t distribution that this average is closest to, which
with one spread for all and no errors is that of the externally studentised residual, t(n - 1 - k). Where the errors of
premiums are unknown, and under least squares, it is exactly that. Where moments and likelihood do not settle on a slope
both are asked, and the interval is the hull, the p-value the larger.

References
----------
Cook, R. D. and S. Weisberg (1982). Residuals and Influence in Regression. Chapman & Hall, chapter 2.
Satterthwaite, F. E. (1946). An approximate distribution of estimates of variance components. Biometrics Bulletin 2,
110-114.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from wagegap._arguments import public
from wagegap._display.axes import PALETTE, WATCHED, new_axes
from wagegap._display.facts import note_stroke
from wagegap._display.numbers import say_p
from wagegap._display.scatter import ellipses
from wagegap._display.sentences import say
from wagegap._typing import Alpha, AxesLike, IntArray
from wagegap.errors import DataError, OptionError, check_option
from wagegap.regression.link.fitted import Answer, FittedLink, level_of_rates, one_row, t_test
from wagegap.regression.link.lines import given_controls, label_link, name_cells, seen_cells, write_legend
from wagegap.regression.link.problem import LinkProblem
from wagegap.regression.link.questions.deviations import as_taken, line_of, noise_of
from wagegap.regression.link.verdict import hull

__all__ = ["Outlier", "outlier"]

_METHODS = ("moments", "ml", "eiv", "ols", "meta", "york", "simex", "split", "bootstrap")


@dataclass(frozen=True, slots=True, eq=False)
class Outlier(Answer):
    """A country against the line of the others.

    Attributes
    ----------
    country : str
        The cell.
    rate : float
        Its rate.
    expected, low, high : float
        Rate that the others' line gives it, with the interval in which it should lie; NaN rate where the slope is not
        settled, and the hull. Shares stay within 0 and 1.
    deviation : float
        Deviation over its standard deviation; where the slope is not settled, by the estimator of the larger p-value.
    df : float
        Degrees of freedom of the reference t.
    p_value : float
        Of a country named in advance; the larger of both where the slope is not settled.
    p_if_picked : float
        The same for a country picked because it looked odd: times the number of countries, at most one.
    slope : float
        Slope without the country; NaN where it is not settled.
    alpha : float
        One minus the coverage.
    link : Link
        The link with the country.
    """

    country: str
    rate: float
    expected: float
    low: float
    high: float
    deviation: float
    df: float
    p_value: float
    p_if_picked: float
    slope: float
    alpha: Alpha
    link: FittedLink

    def tidy(self) -> pd.DataFrame:
        """Return one row."""
        return one_row(self, "alpha", "link")

    def in_words(self) -> str:
        """Say where the country is, and whether that is more than the others' own scatter."""
        cells, level = self.link.cells, level_of_rates(self.link.cells)
        if self.low <= self.rate <= self.high:
            said = "which is inside: these data do not show it to be an exception"
        elif self.p_if_picked < self.alpha:
            said = "which is outside: it does not follow the pattern of the others"
        else:
            said = f"which is outside, as now and then one of {cells.counted()} is"
        everywhere = (self.low, self.high) == cells.bounds or not np.isfinite([self.low, self.high]).any()
        where = "at any value it can have" if everywhere else "between {low} and {high}"
        return say(
            f"From the {{others}} one would expect {{country}}'s {{outcome}} {where}{{both}}; it is {{rate}}, {{said}} "
            "({p} if the {noun} was named in advance, {picked} if it was picked for looking odd).",
            others=cells.counted(cells.n - 1, "other"), country=cells.name_of(self.country),
            outcome=cells.outcome_in_words.removeprefix("the "), low=level.level(self.low).bare_copy(),
            high=level.level(self.high).bare_copy(),
            both="" if self.link.settled else " (moments and likelihood together)", rate=level.level(self.rate),
            said=said, p=say_p(self.p_value), noun=cells.noun, picked=say_p(self.p_if_picked),
        )  # fmt: skip

    def plot(self, ax: AxesLike = None) -> Any:
        """Draw the others, their line, and the interval for the country."""
        cells = self.link.cells
        ax = new_axes(6.3, 4.6) if ax is None else ax
        p, y = seen_cells(self.link)
        i = cells.names.index(self.country)
        moved = y[i] - cells.y[i]  # what the controls explain of this country's rate
        ellipses(ax, p, y, np.zeros((cells.n, 2, 2)), cells.names, watch=[self.country])
        name_cells(ax, cells)
        entries = []
        if self.link.settled:
            at = np.array([p.min(), p.max()])
            line = self.expected + moved + self.slope * (at - p[i])
            entries += [(ax.plot(at, line, color=PALETTE[3], linewidth=1.2)[0], "line of the others")]
        ends = [end + moved for end in (self.low, self.high) if np.isfinite(end)]
        if len(ends) == 2:
            interval = ax.plot([p[i]] * 2, ends, color=WATCHED, linewidth=2.2, alpha=0.6, zorder=3)[0]
            level = 100 * (1 - self.alpha)
            entries += [(interval, f"where the others put {cells.name_of(self.country)}, with {level:g} %")]
        low, high = min([float(y.min()), *ends]), max([float(y.max()), *ends])
        ax.set_ylim(low - 0.08 * (high - low), high + 0.08 * (high - low))
        for _, name in entries:
            note_stroke(ax, "line", name)
        write_legend(ax, entries)
        return label_link(ax, self.link, given_controls(self.link))


@public
def outlier(link: FittedLink, country: str, *, alpha: Alpha = 0.05) -> Outlier:
    """Ask whether a country is off the line of the others.

    Parameters
    ----------
    link : Link
        With a premium, linear in it.
    country : str
        The cell.
    alpha : float
        One minus the coverage of the interval.

    Raises
    ------
    DataError
        No such cell, or too few others.
    OptionError
        A link that is not linear.

    Examples
    --------
    >>> import wagegap as wg
    >>> net = wg.datasets.talent_migration("ai")
    >>> link = wg.fit_link("net_migration ~ premium", net, wg.datasets.published_premiums())
    >>> answer = outlier(link, "KOR")
    >>> answer.low < answer.rate < answer.high
    True
    """
    link.check_premium("outlier")
    link.check_deviations("outlier")
    check_option("method of the link", link.method, _METHODS)
    cells, problem, i = link.cells, link.setup.problem, link.cell_at(country)
    if cells.n - 1 - problem.k <= 0:
        raise OptionError(f"without {country} there are {cells.n - 1} cells for {problem.k} coefficients.")
    found = [_against(part, i) for part in link.parts]
    if not any(deviation.usable(cells.y[i]) for deviation in found):
        why = _no_scale(found[0].error, cells.n - 1)
        raise DataError(f"without {country} no deviation can be weighed: {why}.")
    tests = [deviation.test(float(cells.y[i]), alpha) for deviation in found]
    least = int(np.argmax([p for *_, p in tests]))
    low, high = (float(np.clip(end, *cells.bounds)) for end in hull(*(test[:2] for test in tests)))
    p, chosen = tests[least][2], found[least]
    expected, slope = (chosen.expected, chosen.slope) if link.settled else (np.nan, np.nan)
    return Outlier(
        cells.names[i], float(cells.y[i]), expected, low, high, (float(cells.y[i]) - chosen.expected) / chosen.error,
        chosen.df, p, min(1.0, cells.n * p), slope, alpha, link,
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Deviation:
    """What the line of the others makes of the left-out cell: expected rate, standard deviation, df of its t."""

    expected: float
    error: float
    df: float
    slope: float

    def usable(self, rate: float) -> bool:
        """Whether there is something to weigh a deviation by."""
        return bool(np.isfinite(self.error) and self.error > 1e-12 * abs(rate))

    def test(self, rate: float, alpha: Alpha) -> tuple[float, float, float]:
        """Interval of the rate, and the p-value; everything is possible where there is no line."""
        if not self.usable(rate):
            return -np.inf, np.inf, 1.0
        low, high, _ = t_test(self.expected, self.error, self.df, alpha)
        return low, high, t_test(rate - self.expected, self.error, self.df, alpha)[2]


def _no_scale(error: float, n: int) -> str:
    """Why the deviation of a country has no standard deviation."""
    if np.isfinite(error):
        return f"the {n} other cells lie on a line exactly"
    return f"the premiums of the {n} other cells might all be equal, so that they give no line"


def _against(link: FittedLink, i: int) -> _Deviation:
    """Hold one cell against the line of the others by one estimator."""
    problem = as_taken(link)
    others = np.delete(np.arange(problem.n), i)
    if link.method == "ols" or not link.cells.premiums_known:
        return _studentised(problem, others, i)
    line = line_of(link, others)
    row, order = problem.x[i], np.append(others, i)
    known = np.diag(problem.v_x[0, 0] if problem.v_x[0, 0].any() else problem.v_y)[order]
    shares, error = line.error_at(row)
    if not (np.isfinite(line.params).all() and np.isfinite(error)):
        return _Deviation(np.nan, np.inf, np.nan, np.nan)
    spreads = line.spreads(known)
    each = spreads.variances + noise_of(problem, line.params)[order]
    # A t that has the mean and the variance of the precision 1 / var d: df = 2 / cv^2, as the chi^2 of one variance has
    precision = 1 / (each[:, -1] + each[:, :-1] @ shares + error)
    mean = float(spreads.weights @ precision)
    spread = float(spreads.weights @ (precision - mean) ** 2)
    df = 2 * mean**2 / spread if spread > 0 else np.inf
    return _Deviation(float(row @ line.params), float(mean**-0.5), df, line.slope)


def _studentised(problem: LinkProblem, others: IntArray, i: int) -> _Deviation:
    """Line of the others by least squares: the externally studentised residual."""
    x, y = problem.x[others], problem.y[others]
    bread = np.asarray(np.linalg.pinv(x.T @ x))
    b, df = bread @ (x.T @ y), len(others) - problem.k
    variance = float(np.sum((y - x @ b) ** 2)) / (len(y) - np.linalg.matrix_rank(x))
    error = float(np.sqrt(variance * (1 + problem.x[i] @ bread @ problem.x[i])))
    return _Deviation(float(problem.x[i] @ b), error, float(df), float(b[problem.estimated[0]]))
