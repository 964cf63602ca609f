"""The one-step check: workers, the premium of their country, and who leaves, in one regression.

    leaves = country + c skill + b skill x premium of the country + g'x + error

Country effects take out everything that skilled and other workers of a country share, so b asks whether the skilled
leave more often, compared with others of their country, where their skill pays more. Errors are clustered by country,
and the wild bootstrap imposes the null. Premiums are taken as exact: it checks the naive slope, not the correction.

Everything is computed from cross-products by country, so that a draw costs no more than a few small matrices.

References
----------
Cameron, A. C., J. Gelbach and D. Miller (2008). Bootstrap-based improvements for inference with clustered errors.
Review of Economics and Statistics 90, 414-427.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from wagegap._arguments import public
from wagegap._display.numbers import say_p
from wagegap._display.sentences import say
from wagegap._typing import AxesLike, CodeArray, Count, FloatArray, RngLike
from wagegap.errors import DataError, check_column
from wagegap.estimation.countries.columns import country_key
from wagegap.estimation.design import free_name
from wagegap.estimation.formula import FormulaParts, required_columns
from wagegap.estimation.likelihood.wild import draw_wild, pose_sums
from wagegap.panel.events import event_values
from wagegap.panel.panel import Panel, as_panel
from wagegap.panel.rows import prepare
from wagegap.regression.link.cells import positions
from wagegap.regression.link.fitted import Answer, FittedLink, draw_slopes, slope_scale, slopes_of, t_test

__all__ = ["OneStep", "one_step"]


@dataclass(frozen=True, slots=True, eq=False)
class OneStep(Answer):
    """The micro slope beside the two-step ones.

    Attributes
    ----------
    slope, std_error, low, high : float
        Interaction of skill and premium, clustered by country, CR1 with t(G - 1).
    p_wild : float
        Wild cluster bootstrap, null imposed, Rademacher, ties counted.
    draws : int
        Vectors of signs.
    enumerated : bool
        Whether these are all of them.
    workers, countries : int
        Rows and clusters.
    link : Link
        The two-step link.
    """

    slope: float
    std_error: float
    low: float
    high: float
    p_wild: float
    draws: int
    enumerated: bool
    workers: int
    countries: int
    link: FittedLink

    def tidy(self) -> pd.DataFrame:
        """Return the micro slope, the naive and the link's own, a row each."""
        links = {"two steps, naive": self.link.naive(), "two steps": self.link}
        rows = [
            ("one step", self.slope, self.low, self.high),
            *((name, link.slope, *link.slope_interval()) for name, link in links.items()),
        ]
        return pd.DataFrame(rows, columns=["step", "estimate", "conf_low", "conf_high"])

    def in_words(self) -> str:
        """Say both slopes, per step of premium."""
        cells, naive = self.link.cells, self.link.naive().slope
        scale = slope_scale(cells)
        two = "the naive slope is {naive}"
        if self.link.naive() is not self.link:
            settled = "{own} ({ends})" if self.link.settled else "is not settled ({ends})"
            two += f" and the corrected one {settled}"
        return say(
            "Among {workers} workers of {cells}, {step} more premium {goes} with {slope} of {outcome} of the skilled "
            "compared with others of their {noun} (95 % interval {interval}, wild bootstrap {p}); in two steps "
            f"{two}.",
            workers=f"{self.workers:,}", cells=cells.counted(self.countries), step=scale.step, goes=scale.goes,
            slope=scale.slope(self.slope), outcome=cells.outcome_in_words, noun=cells.noun,
            interval=scale.interval(self.low, self.high), p=say_p(self.p_wild), naive=scale.slope(naive),
            own=scale.slope(self.link.slope), ends=scale.interval(*self.link.slope_interval()),
        )  # fmt: skip

    def plot(self, ax: AxesLike = None) -> Any:
        """Draw the slopes with their intervals; of a link that is not settled those of both estimators."""
        links = slopes_of({"two steps, naive": self.link.naive(), "two steps": self.link})
        rows = pd.concat([self.tidy().iloc[:1].rename(columns={"step": "name"}), links])
        return draw_slopes(rows, "name", ax, height=0.6 + 0.4 * len(rows), cells=self.link.cells,
                           alpha=0.05)  # fmt: skip


@public
def one_step(
    link: FittedLink,
    workers: Any,
    *,
    event: str,
    skill: str,
    controls: str | Sequence[str] = (),
    reps: Count = 9_999,
    rng: RngLike = 0,
) -> OneStep:
    """Fit the micro model beside the link.

    Parameters
    ----------
    link : Link
        With one premium, whose cells are countries (or countries in periods) of the panel.
    workers : Panel or data frame
        Workers, skilled and others.
    event, skill : str
        0/1 columns: who leaves, who holds the skill.
    controls : str or sequence of str
        Further regressors, as in a formula.
    reps : int
        Random draws, where there are more vectors of signs than that.
    rng : Generator, int or None
        Their source.

    Raises
    ------
    ColumnError, DataError, OptionError

    Examples
    --------
    >>> import wagegap as wg
    >>> made = wg.simulate_panel(countries=8, workers=400, premium_sd=0.2, link_slope=-0.2, rng=3)
    >>> premiums = wg.fit_premiums(made.panel, "log(hourly_wage) ~ ai + exper", premium="ai", by="iso3")
    >>> rates = wg.fit_rates(made.panel, {"emigration": "abroad_next"}, among="ai", by="iso3")
    >>> link = wg.fit_link("emigration ~ premium", rates, premiums)
    >>> one_step(link, made.panel, event="abroad_next", skill="ai").countries
    8
    """
    link.check_premium("one_step", single=True)
    panel, cells = as_panel(workers), link.cells
    own = {country_key(cells.keys): panel.roles.country}
    keys = [key if key in panel.frame else own.get(key) or key for key in cells.keys.columns]
    for name in (event, skill, *keys):
        check_column(name, panel.frame.columns, "in workers")
    at = positions(panel.frame[keys], cells.keys)
    premium = np.where(at >= 0, cells.p[at, 0], np.nan)
    y, x, weights, codes = _rows(panel, premium, event, skill, controls, keys)
    xx, xy = _by_country(y, x, weights, codes)
    n_groups, n, k = len(xx), len(y), x.shape[1]
    draws = draw_wild(pose_sums(xx, xy, np.eye(k)[0]), reps=reps, rng=rng)
    # CR1: G / (G - 1) (n - 1) / (n - k - G), with t(G - 1)
    error = float(np.sqrt(n_groups / (n_groups - 1) * (n - 1) / (n - k - n_groups))) * draws.error
    low, high, _ = t_test(draws.gap, error, n_groups - 1, 0.05)
    return OneStep(draws.gap, error, low, high, draws.p_value(), len(draws.drawn), draws.enumerated, n, n_groups, link)


def _rows(
    panel: Panel, premium: FloatArray, event: str, skill: str, controls: str | Sequence[str], keys: list[str]
) -> tuple[FloatArray, FloatArray, FloatArray, CodeArray]:
    """Outcome and regressors of workers of the link's countries, interaction first, and the code of the country."""
    more = [controls] if isinstance(controls, str) else list(controls)
    required_columns(" + ".join([skill, *more]), panel.frame)
    column = free_name(panel.frame, "premium")
    right = " + ".join([skill, f"{skill}:{column}", *more])
    happened = event_values(panel, event, event)
    if (np.isnan(happened) | np.isnan(premium)).all():
        raise DataError("no worker has both a premium in the link and a known event.")
    rows = prepare(panel.with_columns(**{column: premium}), FormulaParts(event, right, values=happened), by=keys)
    design = rows.design
    product = [j for j, term in enumerate(design.terms) if term == f"{skill}:{column}"]
    if len(product) != 1:
        raise DataError(f"{skill!r} must be a 0/1 number to be interacted with the premium.")
    others = [j for j, name in enumerate(design.names) if j != product[0] and name != "Intercept"]
    weights = np.ones(len(rows)) if rows.weights is None else rows.weights
    return design.y, design.x[:, [*product, *others]], weights, rows.cells.codes


def _by_country(y: FloatArray, x: FloatArray, w: FloatArray, codes: CodeArray) -> tuple[FloatArray, FloatArray]:
    """Cross-products of each country, country means taken out."""
    n_groups = int(codes.max()) + 1
    if n_groups < 3:
        raise DataError(f"workers are of {n_groups} countries of the link: three are needed.")
    # X_g'W_g X_g and X_g'W_g y_g of deviations from weighted means
    sums = []
    order = np.argsort(codes, kind="stable")
    for rows in np.split(order, np.flatnonzero(np.diff(codes[order])) + 1):
        dx, dy = (part[rows] - np.average(part[rows], axis=0, weights=w[rows]) for part in (x, y))
        wx = dx * w[rows, None]
        sums.append((wx.T @ dx, wx.T @ dy))
    xx, xy = zip(*sums, strict=True)
    return np.array(xx), np.array(xy)
