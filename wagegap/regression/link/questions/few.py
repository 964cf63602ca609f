"""What a handful of countries can say: every small-sample test of the slope side by side.

The naive slope with HC3 and with CR2 and Bell and McCaffrey's degrees of freedom, the permutation test, three wild
bootstraps, the jackknife, and the corrected fit beside them. The smallest p-value that each could have given, what the
slope would be without each country, and the slope that so many countries could have detected.

References
----------
Bell, R. and D. McCaffrey (2002). Bias reduction in standard errors for linear regression with multi-stage samples.
Survey Methodology 28, 169-181.
Belsley, D., E. Kuh and R. Welsch (1980). Regression Diagnostics. Wiley, chapter 2.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import factorial
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from scipy import optimize, stats

from wagegap._display.axes import new_axes
from wagegap._display.intervals import intervals
from wagegap._display.numbers import format_number
from wagegap._typing import AnyArray, FloatArray, RngLike
from wagegap.errors import OptionError, check_count, public
from wagegap.estimation.covariance.clusters import adjust_clusters, satterthwaite
from wagegap.regression.link.answer import Answer, named, scale_of, setup_of, step_of
from wagegap.regression.link.questions.permutation import ENUMERATED_ROWS, permute_slope
from wagegap.regression.link.questions.wild import WildWeights, wild_test
from wagegap.regression.link.setup import Setup

if TYPE_CHECKING:
    from wagegap.regression.link.result import Link

__all__ = ["FewCountries", "detectable", "few_countries", "influence"]


@dataclass(frozen=True, slots=True, eq=False)
class FewCountries(Answer):
    """Small-sample inference about one slope.

    Attributes
    ----------
    tests : DataFrame
        method, estimate, std_error, df, p_value, conf_low, conf_high, smallest_p, note.
    influence : DataFrame
        cell, leverage, residual (studentised, deleted), slope (without it), change (in standard errors).
    detectable : float
        Slope that a test of size `alpha` would have found with the power asked for.
    power : float
        That power.
    alpha : float
        Size of tests, one minus the coverage of intervals.
    n : int
        Countries.
    units : tuple of str
        Units of rates and premiums.
    """

    tests: pd.DataFrame
    influence: pd.DataFrame
    detectable: float
    power: float
    alpha: float
    n: int
    units: tuple[str, str]

    def tidy(self) -> pd.DataFrame:
        """Return the tests, one row each."""
        return self.tests

    def in_words(self) -> str:
        """Say what the tests agree on, and what they could have found."""
        p = self.tests["p_value"]
        below = int((p < self.alpha).sum())
        step, what = step_of(self.units[1])
        factor, unit = scale_of(self.units[0])
        worst = self.influence.iloc[int(np.nanargmax(self.influence["change"].abs()))]
        size = f"{format_number(abs(step * factor * self.detectable))}{f' {unit}' if unit else ''}"
        return (
            f"With {self.n} countries, {below} of {len(p)} tests reject a slope of zero at {100 * self.alpha:g} % (p "
            f"from {_short(float(p.min()))} to {_short(float(p.max()))}); leaving out {named(worst['cell'])} moves "
            f"the slope by {abs(worst['change']):.1f} standard errors, and only an association of {size} or more per "
            f"{what} of premium would have been found {100 * self.power:g} times in a hundred."
        )

    def plot(self, ax: Any = None) -> Any:
        """Draw the slope without each country, the fullest change first."""
        shown = self.influence.assign(size=self.influence["change"].abs()).sort_values("size", ascending=False)
        shown = shown[np.isfinite(shown["slope"])].head(40)
        ax = new_axes(6.3, 0.9 + 0.2 * len(shown)) if ax is None else ax
        row = self.tests.iloc[-1]
        names = [f"without {name}" for name in shown["cell"]]
        b = shown["slope"].to_numpy(dtype=float)
        ax = intervals(ax, names, b, np.minimum(b, row["estimate"]), np.maximum(b, row["estimate"]), sizes="equal")
        ax.axvline(float(row["estimate"]), linewidth=1.0, linestyle="--", color="#8A8A8A")
        ax.set_xlabel("slope without one country (dashed: all countries)")
        return ax


@public
def few_countries(
    link: Link, *, alpha: float = 0.05, power: float = 0.8, reps: int = 9_999, rng: RngLike = 0
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
    for name, value in (("alpha", alpha), ("power", power)):
        if not 0 < value < 1:
            raise OptionError(f"{name}={value!r} must lie between 0 and 1.")
    check_count("reps", reps)
    setup = setup_of(link)
    j, y = setup.estimated[0], link.cells.y
    rows = [*_robust(setup, y, j, alpha), _permutation(setup, y, j, reps, rng), *_wild(setup, y, j, reps, rng)]
    rows.append(_jackknife(setup, y, j, alpha))
    if link.method not in ("ols",):
        rows.append(_own(link, alpha))
    tests = pd.DataFrame(rows)
    frame = influence(y, setup.x, j, link.cells.names)
    error, free = float(tests.iloc[-1]["std_error"]), float(tests.iloc[-1]["df"])
    if link.method != "ols":
        frame = _with_corrected(frame, link, error)
    units = (link.cells.units[0], link.cells.units[1])
    return FewCountries(tests, frame, detectable(error, free, alpha, power), power, alpha, link.cells.n, units)


def influence(y: FloatArray, x: FloatArray, j: int, names: tuple[str, ...]) -> pd.DataFrame:
    """Leverage, deleted residual, and the slope without each row, by downdating."""
    n, k = x.shape
    q, r = np.linalg.qr(x)
    row = np.linalg.solve(r, q.T)[j]
    leverage = np.sum(q**2, axis=1)
    left = np.maximum(1 - leverage, 1e-12)
    rest = y - q @ (q.T @ y)
    b, square = float(row @ y), float(rest @ rest)
    free = max(n - k - 1, 1)
    deleted = np.sqrt(np.maximum(square - rest**2 / left, 0.0) / free)
    scale = float(np.sqrt(row @ row))
    with np.errstate(divide="ignore", invalid="ignore"):
        slope = np.where(left > 1e-10, b - row * rest / left, np.nan)
        student = rest / (deleted * np.sqrt(left))
        change = (b - slope) / (deleted * scale)
    return pd.DataFrame(
        {"cell": list(names), "leverage": leverage, "residual": student, "slope": slope, "change": change}
    )


def detectable(error: float, free: float, alpha: float, power: float) -> float:
    """Slope whose t test, with this standard error, has the power asked for: non-central t.

    >>> round(detectable(1.0, 1e6, 0.05, 0.8), 2), round(detectable(1.0, 4.0, 0.05, 0.8), 2)
    (2.8, 3.76)
    """
    if not np.isfinite(error) or free < 1:
        return float("inf")
    t = float(stats.t.isf(alpha / 2, free))
    if free > 1e5:
        return error * (t + float(stats.norm.isf(1 - power)))

    def short(shift: float) -> float:
        return float(stats.nct.sf(t, free, shift)) - power

    return error * float(optimize.brentq(short, 0.0, t + 10 + 4 * t / np.sqrt(free), xtol=1e-8))


def _robust(setup: Setup, y: FloatArray, j: int, alpha: float) -> list[dict[str, Any]]:
    """HC3 with t(n - k), CR2 with Bell and McCaffrey's degrees; by cluster where there is one."""
    x, n, k = setup.x, *setup.x.shape
    bread = np.asarray(np.linalg.inv(x.T @ x))
    b = bread @ (x.T @ y)
    rest, row = y - x @ b, x @ bread[j]
    left = np.maximum(1 - np.einsum("ij,jk,ik->i", x, bread, x), 1e-12)
    hc3 = float(np.sqrt(np.sum((row * rest / left) ** 2)))
    scores, degrees = adjust_clusters(x, rest, bread, _codes(setup), bread[[j]], kind="CR2")
    cr2 = float(np.sqrt(np.sum(scores**2)))
    free = satterthwaite(degrees.pairs(np.ones(1)))
    return [
        _row("HC3", float(b[j]), hc3, float(n - k), alpha, note="naive slope, t(n - k)"),
        _row("CR2", float(b[j]), cr2, free, alpha, note="naive slope, Satterthwaite's degrees of freedom"),
    ]


def _permutation(setup: Setup, y: FloatArray, j: int, reps: int, rng: RngLike) -> dict[str, Any]:
    controls = np.delete(setup.x, j, axis=1)
    test = permute_slope(y, setup.x[:, j], controls, reps=reps, rng=rng)
    n = len(y)
    smallest = 1 / factorial(n) if n <= ENUMERATED_ROWS else 1 / (1 + test.orders)
    alone = controls.shape[1] == 1
    words = "exact, all orders" if test.exact else "seeded orders, +1 rule" if alone else "approximate (Freedman-Lane)"
    return _bare("permutation", test.statistic, test.p_value, smallest, f"naive slope, {words}, ties counted")


def _wild(setup: Setup, y: FloatArray, j: int, reps: int, rng: RngLike) -> list[dict[str, Any]]:
    rows = []
    kinds: tuple[WildWeights, ...] = ("rademacher", "webb", "mammen")
    for weights in kinds:
        test = wild_test(y, setup.x, j, groups=setup.groups, weights=weights, reps=reps, rng=rng)
        note = f"naive slope, null imposed, {'all' if test.enumerated else 'random'} {test.draws:,} draws, ties counted"
        slope = float(np.linalg.lstsq(setup.x, y, rcond=None)[0][j])
        rows.append(_bare(f"wild {weights}", slope, test.p_value, test.smallest, note))
    return rows


def _jackknife(setup: Setup, y: FloatArray, j: int, alpha: float) -> dict[str, Any]:
    """Delete-one jackknife of the naive slope, by cluster where there is one."""
    codes, b = _codes(setup), float(np.linalg.lstsq(setup.x, y, rcond=None)[0][j])
    m = int(codes.max()) + 1
    parts = np.array([np.linalg.lstsq(setup.x[codes != g], y[codes != g], rcond=None)[0][j] for g in range(m)])
    error = float(np.sqrt((m - 1) / m * np.sum((parts - parts.mean()) ** 2)))
    return _row("jackknife", b, error, float(m - 1), alpha, note="naive slope, one country at a time")


def _own(link: Link, alpha: float) -> dict[str, Any]:
    """The link's own test."""
    at = link.estimates.labels["term"].tolist().index(link.cells.premiums[0])
    wanted = ["estimate", "std_error", "p_value", "conf_low", "conf_high"]
    b, error, p, low, high = (float(v) for v in link.tidy(alpha)[wanted].to_numpy(dtype=float)[at])
    return {
        "method": link.method, "estimate": b, "std_error": error, "df": float(link.estimates.df[at]), "p_value": p,
        "conf_low": low, "conf_high": high,
        "smallest_p": 0.0, "note": "corrected slope" if link.problem is not None else "the link's own",
    }  # fmt: skip


def _with_corrected(frame: pd.DataFrame, link: Link, error: float) -> pd.DataFrame:
    """Slopes without each country of the fit itself, in its own standard errors."""
    slope = link.leave_one_out["slope"].to_numpy(dtype=float)
    return frame.assign(slope=slope, change=(link.slope - slope) / error)


def _codes(setup: Setup) -> AnyArray:
    n = len(setup.x)
    return (np.arange(n) if setup.groups is None else np.unique(setup.groups, return_inverse=True)[1]).astype(np.int32)


def _row(method: str, b: float, error: float, free: float, alpha: float, *, note: str) -> dict[str, Any]:
    half = float(stats.t.isf(alpha / 2, free)) * error
    p = float(2 * stats.t.sf(abs(b) / error, free)) if error > 0 else 0.0
    return {
        "method": method, "estimate": b, "std_error": error, "df": free, "p_value": p, "conf_low": b - half,
        "conf_high": b + half, "smallest_p": 0.0, "note": note,
    }  # fmt: skip


def _bare(method: str, b: float, p: float, smallest: float, note: str) -> dict[str, Any]:
    """A test without a standard error."""
    nothing = float("nan")
    return {
        "method": method, "estimate": b, "std_error": nothing, "df": nothing, "p_value": p, "conf_low": nothing,
        "conf_high": nothing, "smallest_p": smallest, "note": note,
    }  # fmt: skip


def _short(p: float) -> str:
    return "< .001" if p < 0.001 else f"{p:.3f}".lstrip("0")
