"""The result of a decomposition: components that add up to the gap, or no result.

Whatever the method, a decomposition holds labelled parameters with a joint covariance: for every comparison (and
statistic) the whole gap, its components, and their detail by regressor. The identity is checked when the object is
made. Shares of the gap, figures and tables are read off the same parameters.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd
from scipy import stats

from wagegap._display.spec import TableSpec, tabulate_frame
from wagegap._typing import Alpha, AxesLike, FloatArray, IntArray
from wagegap.errors import DataError, OptionError, check_option, listing
from wagegap.estimation.countries.columns import to_read
from wagegap.estimation.estimates import Estimates
from wagegap.estimation.result import Result
from wagegap.estimation.units import unit_in_heading

__all__ = ["TOTAL", "Decomposition", "Detail"]

TOTAL = "total"
"""Term of the aggregate rows."""

_GAP = "difference"
_SHOWN = ["estimate", "std_error", "p_value", "conf_low", "conf_high", "share"]


@dataclass(frozen=True, eq=False, repr=False)
class Detail(Result):
    """One component of a decomposition by regressor.

    Attributes
    ----------
    estimates : Estimates
        A parameter for each row of the detail.
    component : str
        Which component.
    shares : ndarray, shape (p,)
        Share that each row is of its gap.
    whole : Estimates or None
        The component itself, which the rows add up to.
    """

    component: str
    shares: FloatArray
    whole: Estimates | None = None

    def tidy(self, alpha: Alpha = 0.05) -> pd.DataFrame:
        """Return one row for each row of the detail, with its share of the gap."""
        return super().tidy(alpha).assign(share=self.shares)

    def plot(self, ax: AxesLike = None, *, kind: Literal["bars", "waterfall"] = "bars", alpha: Alpha = 0.05) -> Any:
        """Draw the detail as bars with intervals, largest first; along a run of quantiles as lines.

        Rows that are zero by construction, such as the constant among what characteristics explain, are left out.

        Parameters
        ----------
        ax : Axes, optional
            Where to draw.
        kind : {"bars", "waterfall"}
            Bars beside each other, or steps that lead from zero to the component; a waterfall is of one comparison.
        alpha : float
            One minus the coverage of intervals.

        Returns
        -------
        Axes

        Raises
        ------
        OptionError
            For a waterfall of several comparisons or statistics.
        """
        from wagegap.decomposition.figures import plot_detail, plot_waterfall

        direction, *others = self.estimates.labels["comparison"].unique()
        keys = [name for name in self.estimates.by if name != "component"]
        if kind == "waterfall" and self.whole is not None:
            frame = pd.concat([self.tidy(alpha), self.whole.tidy(alpha).assign(term=self.component)], ignore_index=True)
            title = f"{self.component}, {direction}"
            return plot_waterfall(frame, self.component, title, self.unit, ax, alpha=alpha)
        return plot_detail(self.tidy(alpha), keys, "" if others else str(direction), self.unit, ax, alpha=alpha)


@dataclass(frozen=True, eq=False, repr=False)
class Decomposition(Result):
    """A gap, its components and their detail.

    Attributes
    ----------
    estimates : Estimates
        Keys of the comparison, `measure` where there are several statistics, `component`, then the term (`total` for
        the aggregate).
    method : str
        Which decomposition.
    components : tuple of str
        The gap itself, then its components.
    comparisons : DataFrame
        Keys, direction in words, and names and rows of the two groups.
    levels : Estimates or None
        The statistic in each group, with the same joint covariance.
    reference : str
        What the components are evaluated at, in words.

    Raises
    ------
    DataError
        When the components do not add up to the gap, or a detail not to its component.
    """

    method: str
    components: tuple[str, ...]
    comparisons: pd.DataFrame
    levels: Estimates | None = None
    reference: str = ""

    def __post_init__(self) -> None:
        _check_identity(self.estimates, self.components)

    @property
    def keys(self) -> list[str]:
        """Labels of a comparison and statistic: every cell key but the component."""
        return [name for name in self.estimates.by if name != "component"]

    def totals(self) -> Estimates:
        """Return the aggregate rows alone."""
        return self.estimates.select(term=TOTAL)

    def detail(self, component: str) -> Detail:
        """Return one component by regressor.

        Parameters
        ----------
        component : str
            Component that has detail, such as "explained".

        Raises
        ------
        OptionError
            For an unknown component, or one that has no detail.
        """
        check_option("component", component, self.components)
        labels = self.estimates.labels
        chosen = ((labels["component"] == component) & (labels["term"] != TOTAL)).to_numpy()
        if not chosen.any():
            raise OptionError(f"the {component} component has no detail: this decomposition was made with totals only.")
        shares, whole = (self.estimates.values / self._gaps())[chosen], self.totals().select(component=component)
        return Detail(self.estimates.select(chosen), component, shares, whole)

    def _gaps(self) -> FloatArray:
        """Gap that each row is a part of, shape (p,); NaN where it is zero but for rounding, as nothing has a share."""
        values, gap = np.abs(self.estimates.values), _positions_of_gaps(self.estimates)
        largest = np.zeros(len(values))
        np.maximum.at(largest, gap, values)
        level = 0.0 if self.levels is None else float(np.abs(self.levels.values).max(initial=0.0))
        is_zero = values[gap] <= np.maximum(1e-12 * largest[gap], 1e-15 * level)
        return np.where(is_zero, np.nan, self.estimates.values[gap])

    def shares(self, alpha: Alpha = 0.05, *, method: Literal["delta", "fieller"] = "delta") -> pd.DataFrame:
        """Return every row as a share of its gap, with intervals.

        Parameters
        ----------
        alpha : float
            One minus the coverage.
        method : {"delta", "fieller"}
            Delta method, or Fieller's interval of a ratio, which is unbounded where the gap may be zero.

        Returns
        -------
        DataFrame
            Keys, component, term, share, std_error, conf_low, conf_high; NaN where the gap is zero.

        References
        ----------
        Fieller, E. C. (1954). Some problems in interval estimation. Journal of the Royal Statistical Society B 16.
        """
        estimates, gap, whole = self.estimates, _positions_of_gaps(self.estimates), self._gaps()
        values, covariance = estimates.values, estimates.covariance
        critical: FloatArray = np.asarray(stats.t.isf(alpha / 2, estimates.df), dtype=float)
        # r = a / g, var r = (var a - 2 r cov(a, g) + r^2 var g) / g^2
        share, at = values / whole, np.arange(len(gap))
        variance = covariance[at, at] - 2 * share * covariance[at, gap] + share**2 * covariance[gap, gap]
        # what is left of two that are equal is rounding, of the size of either
        size = np.abs(covariance[at, at]) + share**2 * np.abs(covariance[gap, gap])
        variance = np.where(variance < -1e-9 * size, np.nan, np.maximum(variance, 0.0))
        errors = np.sqrt(np.where(at == gap, 0.0 * variance, variance)) / np.abs(whole)
        low, high = share - critical * errors, share + critical * errors
        if method == "fieller":
            low, high = _fieller(values, values[gap], covariance, gap, critical)
        return estimates.labels[[*estimates.by, "term"]].assign(
            share=share, std_error=errors, conf_low=low, conf_high=high
        )

    def tidy(self, alpha: Alpha = 0.05) -> pd.DataFrame:
        """Return one row for each parameter: keys, component, term, estimate, ..., and the share of the gap."""
        return super().tidy(alpha).assign(share=self.estimates.values / self._gaps())

    def glance(self) -> pd.DataFrame:
        """Return one row about the whole."""
        return pd.DataFrame([{
            "method": self.method, "nobs": self.nobs, "n_comparisons": len(self.comparisons),
            "reference": self.reference, "covariance": self.estimates.describe(),
        }])  # fmt: skip

    def spec_of_table(self, alpha: Alpha = 0.05) -> TableSpec:
        """Return the decomposition as a table: totals first, then the detail of each component."""
        frame = self.tidy(alpha)
        rank = frame["component"].map(self.components.index)
        frame = frame.iloc[np.lexsort((rank, frame["term"] != TOTAL, _positions_of_gaps(self.estimates)))]
        shown = frame[[*self.keys, "component", "term", *_SHOWN]].replace({"term": {TOTAL: ""}})
        return tabulate_frame(shown, title=self.heading(), written=to_read(shown[list(self.keys)]), notes=self._notes())

    def heading(self) -> str:
        """Title with the direction of the gap and the unit."""
        return f"{self.title}: {listing(self.comparisons['direction'].unique(), 3)}{unit_in_heading(self.unit)}"

    def _notes(self) -> tuple[str, ...]:
        sizes = self.comparisons
        first, second = ("first", "second") if len(sizes) > 1 else sizes.loc[0, ["name_first", "name_second"]]
        rows = f"Rows: {sizes['n_first'].sum():,} {first}, {sizes['n_second'].sum():,} {second}."
        reference = [f"Reference: {self.reference}."] if self.reference else []
        sample = [] if self.ledger is None else [f"Sample: {self.ledger.line()}."]
        no_gap = ["A gap of zero has no shares."] if np.isnan(self._gaps()).any() else []
        return (*reference, rows, f"Covariance: {self.estimates.describe()}.", *sample, *self.notes, *no_gap)

    def plot(
        self,
        ax: AxesLike = None,
        *,
        component: str | None = None,
        kind: Literal["bars", "waterfall"] = "bars",
        alpha: Alpha = 0.05,
    ) -> Any:
        """Draw the decomposition.

        Parameters
        ----------
        ax : Axes, optional
            Where to draw.
        component : str, optional
            Draw the detail of one component instead of the totals.
        kind : {"bars", "waterfall"}
            Bars beside each other, or steps that lead from zero to the gap; a waterfall is of one comparison.
        alpha : float
            One minus the coverage of intervals.

        Returns
        -------
        Axes
            Bars of totals; curves with bands where the statistics are a run of quantiles.

        Raises
        ------
        OptionError
            For a component that is not there, or a waterfall of several comparisons or statistics.
        """
        if component is not None:
            return self.detail(component).plot(ax, kind=kind, alpha=alpha)
        from wagegap.decomposition.figures import plot_totals, plot_waterfall

        frame, (direction, *others) = self.tidy(alpha), self.comparisons["direction"].unique()
        gap = "gap and its parts" if others else str(direction)
        totals = frame[frame["term"] == TOTAL]
        if kind == "waterfall":
            return plot_waterfall(totals.assign(term=totals["component"]), _GAP, gap, self.unit, ax, alpha=alpha)
        return plot_totals(totals, self.keys, gap, self.unit, ax, alpha=alpha)


def _positions_of_gaps(estimates: Estimates) -> IntArray:
    """Position of the gap that each row is a part of: the total of the first component under the same keys."""
    labels = estimates.labels
    keys = [name for name in estimates.by if name != "component"]
    is_gap = (labels["component"] == _GAP) & (labels["term"] == TOTAL)
    cells = labels.groupby(keys, sort=False, dropna=False).ngroup() if keys else pd.Series(0, index=labels.index)
    position = pd.Series(np.arange(len(labels)), index=labels.index)[is_gap]
    return cells.map(position.set_axis(cells[is_gap])).to_numpy()


def _check_identity(estimates: Estimates, components: Sequence[str]) -> None:
    """Raise unless components sum to the gap and details to their components."""
    values, labels = estimates.values, estimates.labels
    number = np.unique(_positions_of_gaps(estimates), return_inverse=True)[1]
    place = number * len(components) + labels["component"].map(components.index).to_numpy()
    shape, is_total = (number.max() + 1, len(components)), (labels["term"] == TOTAL).to_numpy()
    totals, details = (
        np.bincount(place[rows], weights=values[rows], minlength=shape[0] * shape[1]).reshape(shape)
        for rows in (is_total, ~is_total)
    )
    scale = np.full(shape[0], 1e-300)
    np.maximum.at(scale, number, np.abs(values))
    sums = totals[:, 1:].sum(axis=1)
    for i in np.flatnonzero(np.abs(sums - totals[:, 0]) > 1e-8 * scale):
        raise DataError(f"the components add up to {sums[i]:.10g}, the gap is {totals[i, 0]:.10g}.")
    has_detail = np.isin(np.arange(totals.size), place[~is_total]).reshape(shape)
    for i, j in np.argwhere(has_detail & (np.abs(details - totals) > 1e-8 * scale[:, None])):
        raise DataError(f"the detail of {components[j]!r} does not add up to {totals[i, j]:.10g}.")


def _fieller(
    parts: FloatArray, gap: FloatArray, covariance: FloatArray, whole: IntArray, critical: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Interval of a ratio from the roots of (a - r g)^2 = c^2 var(a - r g); unbounded where the gap may be zero."""
    # r^2 (g^2 - c^2 v_g) - 2 r (a g - c^2 v_ag) + (a^2 - c^2 v_a) = 0
    at = np.arange(len(parts))
    c2 = critical**2
    v_a, v_g, v_ag = covariance[at, at], covariance[whole, whole], covariance[at, whole]
    lead, middle, last = gap**2 - c2 * v_g, gap * parts - c2 * v_ag, parts**2 - c2 * v_a
    root = np.sqrt(np.maximum(middle**2 - lead * last, 0.0))
    with np.errstate(divide="ignore", invalid="ignore"):
        low, high = (middle - root) / lead, (middle + root) / lead
    bounded = lead > 0
    return np.where(bounded, low, -np.inf), np.where(bounded, high, np.inf)
