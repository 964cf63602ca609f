"""What a handful of countries can say: every small-sample test of the slope side by side.

The naive slope with HC3 and with CR2 and Bell and McCaffrey's degrees of freedom, the permutation test, three wild
bootstraps, the jackknife, and the corrected fit beside them. The smallest p-value that each could have given, what the
slope would be without each country, and the slope that so many countries could have detected.

References
----------
Bell, R. and D. McCaffrey (2002). Bias reduction in standard errors for linear regression with multi-stage samples.
Survey Methodology 28, 169-181.
Cameron, A. C., J. Gelbach and D. Miller (2008). Bootstrap-based improvements for inference with clustered errors.
Review of Economics and Statistics 90, 414-427.
Webb, M. (2023). Reworking wild bootstrap-based inference for clustered errors. Canadian Journal of Economics 56,
839-858.
Belsley, D., E. Kuh and R. Welsch (1980). Regression Diagnostics. Wiley, chapter 2.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy import optimize, stats

from wagegap._arguments import public
from wagegap._display.axes import FAINT, new_axes, put_legend
from wagegap._display.facts import note_lines_to, note_names, note_stroke
from wagegap._display.intervals import intervals
from wagegap._display.numbers import format_p
from wagegap._display.scales import scale_axis
from wagegap._display.sentences import say
from wagegap._typing import Alpha, AnyArray, AxesLike, CodeArray, Count, FloatArray, RngLike, Share
from wagegap.estimation.covariance.clusters import adjust_clusters, satterthwaite
from wagegap.estimation.likelihood.wild import Multipliers, WildDraws, draw_wild, pose
from wagegap.regression.link.cells import LinkCells
from wagegap.regression.link.estimators.estimator import jackknife_errors
from wagegap.regression.link.estimators.ols import least_squares_without
from wagegap.regression.link.estimators.table import ESTIMATORS
from wagegap.regression.link.fitted import Answer, FittedLink, slope_scale, t_test
from wagegap.regression.link.permutation import permute_slope
from wagegap.regression.link.setup import Setup

__all__ = ["FewCountries", "detectable", "few_countries", "influence", "wild_test"]


@dataclass(frozen=True, slots=True, eq=False)
class FewCountries(Answer):
    """Small-sample inference about one slope.

    Attributes
    ----------
    tests : DataFrame
        method, slope (which is tested: the naive one, or that by an estimator of the link), estimate, std_error,
        df, p_value, conf_low, conf_high, smallest_p, note.
    influence : DataFrame
        cell, leverage, residual (studentised, deleted), slope (without it), change (in standard errors).
    detectable : float
        Slope that a test of size `alpha` would have found with the power asked for.
    power : float
        That power.
    alpha : float
        Size of tests, one minus the coverage of intervals.
    cells : LinkCells
        Data of the link.
    """

    tests: pd.DataFrame
    influence: pd.DataFrame
    detectable: float
    power: float
    alpha: Alpha
    cells: LinkCells

    def tidy(self) -> pd.DataFrame:
        """Return the tests, one row each."""
        return self.tests

    def in_words(self) -> str:
        """Say what the tests agree on, those of one slope together, and what they could have found."""
        scale = slope_scale(self.cells)
        in_errors = self.influence["change"].abs()
        worst = self.influence.iloc[int(np.argmax(in_errors.fillna(-1.0)))]
        known = in_errors.notna().any()
        counts = "; ".join(self._counted(slope, tests) for slope, tests in self.tests.groupby("slope", sort=False))
        return say(
            "With {cells} and at {size} %, {counts}; leaving out {worst} {moves}, and "
            "only an association of {least} or more per {step} of premium would have been found {power} times in a "
            "hundred.",
            cells=self.cells.counted(), counts=counts, size=f"{100 * self.alpha:g}",
            worst=self.cells.name_of(worst["cell"]) if known else f"any {self.cells.noun}",
            moves=f"moves the slope by {in_errors.max():.1f} standard errors" if known else "leaves none",
            least=scale.level(abs(self.detectable)), step=scale.step, power=f"{100 * self.power:g}",
        )  # fmt: skip

    def _counted(self, slope: Any, tests: pd.DataFrame) -> str:
        """How many tests of one slope reject that it is zero."""
        p = tests["p_value"]
        which = "the naive slope" if slope == "naive" else f"the slope by {slope}"
        if p.isna().all():
            return f"there is no test of {which}"
        if len(tests) == 1:
            does = "rejects" if p.iloc[0] < self.alpha else "does not reject"
            return f"the test of {which} {does} zero (p = {format_p(p.iloc[0])})"
        return (
            f"{(p < self.alpha).sum()} of {len(p)} tests of {which} reject zero (p from {format_p(p.min())} "
            f"to {format_p(p.max())})"
        )

    @property
    def slope(self) -> float:
        """The slope of which the influence of each cell is shown."""
        own = self.tests[self.tests["slope"] != "naive"]
        return float((self.tests if own.empty else own)["estimate"].iloc[-1 if own.empty else 0])

    def plot(self, ax: AxesLike = None) -> Any:
        """Draw the slope without each country, the fullest change first."""
        shown = self.influence.assign(size=self.influence["change"].abs()).sort_values("size", ascending=False)
        shown = shown[np.isfinite(shown["slope"])].head(40)
        ax = new_axes(6.3, 0.9 + 0.2 * len(shown)) if ax is None else ax
        b, every = shown["slope"].to_numpy(dtype=float), self.slope
        names = [f"without {self.cells.name_of(name)}" for name in shown["cell"]]
        ax = intervals(ax, names, b, np.minimum(b, every), np.maximum(b, every), sizes="equal")
        line = ax.axvline(every, linewidth=1.0, linestyle="--", color=FAINT)
        put_legend(ax, [line], [f"with every {self.cells.noun}"])
        note_stroke(ax, "line", f"with every {self.cells.noun}")
        note_names(ax, names, "slope", "slopes")
        note_lines_to(ax, f"the slope with every {self.cells.noun}")
        title = f"slope without one {self.cells.noun}"
        return scale_axis(ax, "x", title, slope_scale(self.cells))


@public
def few_countries(
    link: FittedLink, *, alpha: Alpha = 0.05, power: Share = 0.8, reps: Count = 9_999, rng: RngLike = 0
) -> FewCountries:
    """Put every small-sample test of the slope side by side.

    Parameters
    ----------
    link : Link
        With a premium.
    alpha : float
        Size of tests, one minus the coverage of intervals.
    power : float
        For the detectable slope.
    reps : int
        Random orders and draws, where there are too many to enumerate.
    rng : Generator, int or None
        Their source.

    Examples
    --------
    >>> import wagegap as wg
    >>> net = wg.datasets.talent_migration("ai")
    >>> link = wg.fit_link("net_migration ~ premium", net, wg.datasets.published_premiums())
    >>> few_countries(link).tests["method"].tolist()[:3]
    ['HC3', 'CR2', 'permutation']
    """
    link.check_premium("few_countries")
    link.check_deviations("few_countries")
    setup = link.setup
    rows = [*_robust(setup, alpha), _permutation(setup, reps, rng), *_wild(setup, reps, rng), _jackknife(setup, alpha)]
    frame = influence(setup.problem.y, setup.problem.x, setup.problem.estimated[0], link.cells.names)
    own = rows[-1]
    if link.method != "ols":
        # Where moments and likelihood do not settle on a slope each has its own test; the moments show the influence.
        rows += [_own(part, alpha) for part in link.parts]
        first, own = link.parts[0], rows[-len(link.parts)]
        slope = first.leave_one_out["slope"].to_numpy(dtype=float)
        frame = frame.assign(slope=slope, change=(first.slope - slope) / own["std_error"])
    size = detectable(own["std_error"], own["df"], alpha, power)
    return FewCountries(pd.DataFrame(rows), frame, size, power, alpha, link.cells)


def influence(y: FloatArray, x: FloatArray, j: int, names: tuple[str, ...]) -> pd.DataFrame:
    """Leverage, deleted residual, and the slope without each row, by downdating."""
    # b_(i) = b - (X'X)^-1 x_i e_i / (1 - h_i), s_(i)^2 = (e'e - e_i^2 / (1 - h_i)) / (n - k - 1)
    n, k = x.shape
    q, r = np.linalg.qr(x)
    row = np.linalg.solve(r, q.T)[j]
    leverage, residuals = np.sum(q**2, axis=1), y - q @ (q.T @ y)
    room = np.maximum(1 - leverage, 1e-12)
    deleted = np.sqrt(np.maximum(residuals @ residuals - residuals**2 / room, 0.0) / max(n - k - 1, 1))
    without = least_squares_without(y, x, j)
    with np.errstate(divide="ignore", invalid="ignore"):
        student = residuals / (deleted * np.sqrt(room))
        change = (row @ y - without) / (deleted * np.sqrt(row @ row))
    return pd.DataFrame(
        {"cell": list(names), "leverage": leverage, "residual": student, "slope": without, "change": change}
    )


def detectable(error: float, df: float, alpha: Alpha, power: float) -> float:
    """Slope whose t test, with this standard error, has the power asked for: non-central t.

    >>> round(detectable(1.0, 1e6, 0.05, 0.8), 2), round(detectable(1.0, 4.0, 0.05, 0.8), 2)
    (2.8, 3.76)
    """
    if not np.isfinite(error) or df < 1:
        return float("inf")
    t = float(stats.t.isf(alpha / 2, df))
    if df > 1e5:
        return error * (t + float(stats.norm.isf(1 - power)))
    most = t + 10 + 4 * t / np.sqrt(df)
    return error * float(optimize.brentq(lambda shift: stats.nct.sf(t, df, shift) - power, 0.0, most, xtol=1e-8))


def _robust(setup: Setup, alpha: Alpha) -> list[dict[str, Any]]:
    """HC3 with t(n - k), CR2 with Bell and McCaffrey's degrees; by cluster where there is one."""
    x, y, j = setup.problem.x, setup.problem.y, setup.problem.estimated[0]
    bread = np.asarray(np.linalg.inv(x.T @ x))
    b = bread @ (x.T @ y)
    residuals, row = y - x @ b, x @ bread[j]
    # HC3: sum_i (b_j's weight of i)^2 e_i^2 / (1 - h_i)^2
    room = np.maximum(1 - np.einsum("ij,jk,ik->i", x, bread, x), 1e-12)
    hc3 = float(np.sqrt(np.sum((row * residuals / room) ** 2)))
    scores, degrees = adjust_clusters(x, residuals, bread, _codes(setup), bread[[j]], kind="CR2")
    cr2, df = float(np.sqrt(np.sum(scores**2))), satterthwaite(degrees.pairs(np.ones(1)))
    return [
        _t_row("HC3", float(b[j]), hc3, float(len(y) - len(b)), alpha, "naive slope, t(n - k)"),
        _t_row("CR2", float(b[j]), cr2, df, alpha, "naive slope, Satterthwaite's degrees of freedom"),
    ]


def _permutation(setup: Setup, reps: int, rng: RngLike) -> dict[str, Any]:
    problem = setup.problem
    test = permute_slope(problem.y, problem.x[:, problem.estimated[0]], problem.others, reps=reps, rng=rng)
    random = "seeded orders, +1 rule" if problem.k == 2 else "approximate (Freedman-Lane)"
    note = f"naive slope, {'exact, all orders' if test.exact else random}, ties counted"
    return _row("permutation", test.statistic, p_value=test.p_value, smallest_p=test.smallest, note=note)


def _wild(setup: Setup, reps: int, rng: RngLike) -> list[dict[str, Any]]:
    y, x, j = setup.problem.y, setup.problem.x, setup.problem.estimated[0]
    kinds: tuple[Multipliers, ...] = ("rademacher", "webb", "mammen")
    tests = {kind: wild_test(y, x, j, groups=setup.groups, weights=kind, reps=reps, rng=rng) for kind in kinds}
    note = "naive slope, null imposed, {} {:,} draws, ties counted"
    return [
        _row(
            f"wild {kind}", test.gap, p_value=test.p_value(), smallest_p=test.smallest,
            note=note.format("all" if test.enumerated else "random", len(test.drawn)),
        )
        for kind, test in tests.items()
    ]  # fmt: skip


def wild_test(
    y: FloatArray,
    x: FloatArray,
    j: int,
    *,
    groups: AnyArray | None = None,
    restricted: bool = True,
    weights: Multipliers = "rademacher",
    reps: int = 9_999,
    rng: RngLike = 0,
) -> WildDraws:
    """Test that a least squares coefficient is zero by the wild cluster bootstrap, enumerated where clusters are few.

    Parameters
    ----------
    y, x : ndarray, shapes (n,) and (n, k)
        Outcome and regressors.
    j : int
        Column tested.
    groups : ndarray, shape (n,), optional
        Clusters; each row is one where absent.
    restricted : bool
        Impose the null on the residuals.
    weights : {"rademacher", "webb", "mammen"}
        Multipliers.
    reps : int
        Random draws, where there are more vectors than that.
    rng : Generator, int or None
        Source of random draws.

    Examples
    --------
    >>> import numpy as np
    >>> x = np.column_stack([np.arange(6.0), np.ones(6)])
    >>> test = wild_test(np.array([0.0, 1.2, 1.8, 3.1, 3.9, 5.0]), x, 0)
    >>> len(test.drawn), test.enumerated, test.smallest
    (64, True, 0.03125)
    """
    codes = np.arange(len(y)) if groups is None else np.unique(groups, return_inverse=True)[1]
    problem = pose(y, x, np.eye(x.shape[1])[j], codes, null=0.0, restricted=restricted)
    return draw_wild(problem, multipliers=weights, reps=reps, rng=rng)


def _jackknife(setup: Setup, alpha: Alpha) -> dict[str, Any]:
    """Delete-one jackknife of the naive slope, by cluster where there is one."""
    x, y, j, codes = setup.problem.x, setup.problem.y, setup.problem.estimated[0], _codes(setup)
    last = int(codes.max())
    b, *parts = (np.linalg.lstsq(x[codes != g], y[codes != g], rcond=None)[0][j] for g in range(-1, last + 1))
    error = float(jackknife_errors(np.array(parts)))
    return _t_row("jackknife", float(b), error, float(last), alpha, "naive slope, one country at a time")


def _own(link: FittedLink, alpha: Alpha) -> dict[str, Any]:
    """The link's own test."""
    at = link.estimates.labels["term"].tolist().index(link.cells.premiums[0])
    test = link.tidy(alpha)[["std_error", "p_value", "conf_low", "conf_high"]].iloc[at]
    figures = {str(name): float(value) for name, value in test.items()}
    note = "corrected slope" if link.problem is not None else "the link's own"
    title = ESTIMATORS[link.method].title.split(",")[0]
    return _row(link.method, link.slope, slope=title, df=float(link.estimates.df[at]), note=note, **figures)


def _codes(setup: Setup) -> CodeArray:
    groups = np.arange(setup.problem.n) if setup.groups is None else setup.groups
    return np.unique(groups, return_inverse=True)[1].astype(np.int32)


def _t_row(method: str, b: float, error: float, df: float, alpha: Alpha, note: str) -> dict[str, Any]:
    """A t test."""
    low, high, p = t_test(b, error, df, alpha)
    return _row(method, b, std_error=error, df=df, p_value=p, conf_low=low, conf_high=high, note=note)


def _row(method: str, estimate: float, **figures: Any) -> dict[str, Any]:
    """A test; what it has not is NaN, and a t test has no smallest p-value."""
    unknown = dict.fromkeys(("std_error", "df", "p_value", "conf_low", "conf_high"), float("nan"))
    return {"method": method, "slope": "naive", "estimate": estimate, **unknown, "smallest_p": 0.0, **figures}
