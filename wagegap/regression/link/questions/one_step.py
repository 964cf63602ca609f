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
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from scipy import stats

from wagegap._display.axes import new_axes
from wagegap._display.intervals import intervals
from wagegap._typing import FloatArray, IntArray, RngLike
from wagegap.errors import DataError, OptionError, check_count, no_column, public
from wagegap.estimation.design import build_design, free_name
from wagegap.estimation.formula import FormulaParts, required_columns
from wagegap.estimation.likelihood.wild import draw_wild, pose_sums
from wagegap.panel.events import event_values
from wagegap.panel.panel import Panel, as_panel
from wagegap.panel.rows import weighted_rows
from wagegap.regression.link.answer import Answer, interval_in_words, scale_of, setup_of, step_of

if TYPE_CHECKING:
    from wagegap.regression.link.result import Link

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
    link: Link

    def tidy(self) -> pd.DataFrame:
        """Return the micro slope, the naive and the link's own, a row each."""
        rows = [{"step": "one step", "estimate": self.slope, "conf_low": self.low, "conf_high": self.high}]
        for name, link in (("two steps, naive", self.link.naive()), ("two steps", self.link)):
            low, high = link.slope_interval()
            rows.append({"step": name, "estimate": link.slope, "conf_low": low, "conf_high": high})
        return pd.DataFrame(rows)

    def in_words(self) -> str:
        """Say both slopes, per step of premium."""
        factor, unit = scale_of(self.link.cells.units[0])
        step, what = step_of(self.link.cells.units[1])
        scale = factor * step
        tail = f" {unit}" if unit else ""
        span = interval_in_words(scale * self.low, scale * self.high, unit)
        return (
            f"Among {self.workers:,} workers of {self.countries} countries, {what} more premium go with "
            f"{scale * self.slope:+.3g}{tail} of {self.link.cells.outcome.replace('_', ' ')} of the skilled compared "
            f"with others of their country (95 % interval {span}, wild bootstrap p = {self.p_wild:.3f}); in two steps "
            f"the naive slope is {scale * self.link.naive().slope:+.3g}{tail}."
        )

    def plot(self, ax: Any = None) -> Any:
        """Draw the slopes with their intervals."""
        ax = new_axes(6.3, 1.8) if ax is None else ax
        frame = self.tidy()
        low, high = (frame[c].where(np.isfinite(frame[c])).to_numpy(dtype=float) for c in ("conf_low", "conf_high"))
        ax = intervals(ax, frame["step"].tolist(), frame["estimate"].to_numpy(dtype=float), low, high)
        ax.set_xlabel("slope, 95 % intervals")
        return ax


@public
def one_step(
    link: Link,
    workers: Any,
    *,
    event: str,
    skill: str,
    controls: str | Sequence[str] = (),
    reps: int = 9_999,
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
    setup_of(link)
    if len(link.cells.premiums) > 1:
        raise OptionError("one_step takes a link with one premium.")
    check_count("reps", reps)
    panel = as_panel(workers)
    keys = list(link.cells.keys.columns)
    for name in (event, skill, *keys):
        if name not in panel.frame:
            raise no_column(name, panel.frame.columns, "in workers")
    premium = panel.frame[keys].merge(link.cells.keys.assign(_p=link.cells.p[:, 0]), on=keys, how="left")["_p"]
    y, x, weights, codes = _rows(panel, premium.to_numpy(), event, skill, controls, keys)
    xx, xy = _by_country(y, x, weights, codes)
    n_groups, n, k = len(xx), len(y), x.shape[1]
    draws = draw_wild(pose_sums(xx, xy, np.eye(k)[0]), reps=reps, rng=rng)
    factor = n_groups / (n_groups - 1) * (n - 1) / (n - k - n_groups)
    b, error = draws.gap, float(np.sqrt(factor)) * draws.error
    half = float(stats.t.isf(0.025, n_groups - 1)) * error
    return OneStep(b, error, b - half, b + half, draws.p_value(), len(draws.drawn), draws.enumerated, n, n_groups, link)


def _rows(
    panel: Panel, premium: FloatArray, event: str, skill: str, controls: str | Sequence[str], keys: list[str]
) -> tuple[FloatArray, FloatArray, FloatArray, IntArray]:
    """Outcome and regressors of workers of the link's countries, interaction first, and the code of the country."""
    more = [controls] if isinstance(controls, str) else list(controls)
    required_columns(" + ".join([skill, *more]), panel.frame)
    column = free_name(panel.frame, "premium")
    right = " + ".join([skill, f"{skill}:{column}", *more])
    weights, positive, ledger = weighted_rows(panel)
    happened = event_values(panel, event, event)
    known = ~np.isnan(happened) & ~np.isnan(premium)
    keep = known if positive is None else known & positive
    if not keep.any():
        raise DataError("no worker has both a premium in the link and a known event.")
    frame = panel.frame.assign(**{column: premium, event: happened})
    design = build_design(frame, FormulaParts(event, right, ()), ledger=ledger, weights=weights, keep=keep)
    own = [j for j, term in enumerate(design.terms) if term == f"{skill}:{column}"]
    if len(own) != 1:
        raise DataError(f"{skill!r} must be a 0/1 number to be interacted with the premium.")
    others = [j for j, name in enumerate(design.names) if j != own[0] and name != "Intercept"]
    cells = panel.frame[keys].iloc[design.rows].groupby(keys, sort=True, observed=True)
    codes = cells.ngroup().to_numpy().astype(np.intp)
    used = np.ones(len(design.rows)) if weights is None else weights[design.rows]
    return design.y, design.x[:, [own[0], *others]], used, codes


def _by_country(y: FloatArray, x: FloatArray, w: FloatArray, codes: IntArray) -> tuple[FloatArray, FloatArray]:
    """Cross-products of each country, country means taken out."""
    n_groups, k = int(codes.max()) + 1, x.shape[1]
    if n_groups < 3:
        raise DataError(f"workers are of {n_groups} countries of the link: three are needed.")
    xx, xy = np.zeros((n_groups, k, k)), np.zeros((n_groups, k))
    order = np.argsort(codes, kind="stable")
    for g, rows in enumerate(np.split(order, np.flatnonzero(np.diff(codes[order])) + 1)):
        weight = w[rows]
        dx = x[rows] - weight @ x[rows] / weight.sum()
        dy = y[rows] - weight @ y[rows] / weight.sum()
        wx = dx * weight[:, None]
        xx[g], xy[g] = wx.T @ dx, wx.T @ dy
    return xx, xy
