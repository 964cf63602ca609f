"""The result of a decomposition: components that add up to the gap, or no result.

Whatever the method, a decomposition holds labelled parameters with a joint covariance: for every comparison (and
statistic) the whole gap, its components, and their detail by regressor. The identity is checked when the object is
made. Shares of the gap, figures and tables are read off the same parameters.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import pandas as pd
from scipy import stats

from wagegap._display.spec import TableSpec, tabulate_frame
from wagegap._typing import FloatArray
from wagegap.errors import DataError, OptionError, check_option, listing
from wagegap.estimation.estimates import Estimates
from wagegap.estimation.result import Result
from wagegap.estimation.units import unit_in_heading

__all__ = ["TOTAL", "Decomposition", "Detail"]

TOTAL = "total"
"""Term of the aggregate rows."""

_WHOLE = "difference"
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
    """

    component: str
    shares: FloatArray

    def tidy(self, alpha: float = 0.05) -> pd.DataFrame:
        """Return one row for each row of the detail, with its share of the gap."""
        return super().tidy(alpha).assign(share=self.shares)

    def plot(self, ax: Any = None, *, alpha: float = 0.05) -> Any:
        """Draw the detail as bars with intervals, largest first; along a run of quantiles as lines.

        Rows that are zero by construction, such as the constant among what characteristics explain, are left out.
        """
        from wagegap.decomposition.figures import plot_detail

        return plot_detail(self, ax, alpha=alpha)


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
        with np.errstate(divide="ignore", invalid="ignore"):
            shares = self.estimates.values[chosen] / self.estimates.values[self._whole()[chosen]]
        return Detail(self.estimates.select(chosen), component, shares)

    def shares(self, alpha: float = 0.05, *, method: Literal["delta", "fieller"] = "delta") -> pd.DataFrame:
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
            Keys, component, term, share, std_error, conf_low, conf_high.

        References
        ----------
        Fieller, E. C. (1954). Some problems in interval estimation. Journal of the Royal Statistical Society B 16.
        """
        check_option("method", method, ("delta", "fieller"))
        whole = self._whole()
        own = self.estimates
        share, slope = own.values / own.values[whole], np.eye(len(whole))
        slope[np.arange(len(whole)), whole] -= share
        slope /= own.values[whole][:, None]
        frame = own.labels[[*own.by, "term"]].assign(share=share)
        critical: FloatArray = np.asarray(stats.t.isf(alpha / 2, own.df), dtype=float)
        variance = np.einsum("ij,jk,ik->i", slope, own.covariance, slope)
        frame["std_error"] = np.sqrt(np.maximum(variance, 0.0))
        if method == "delta":
            half = critical * frame["std_error"].to_numpy()
            return frame.assign(conf_low=share - half, conf_high=share + half)
        low, high = _fieller(own.values, own.values[whole], own.covariance, whole, critical)
        return frame.assign(conf_low=low, conf_high=high)

    def tidy(self, alpha: float = 0.05) -> pd.DataFrame:
        """Return one row for each parameter: keys, component, term, estimate, ..., and the share of the gap."""
        values = self.estimates.values
        with np.errstate(divide="ignore", invalid="ignore"):
            return super().tidy(alpha).assign(share=values / values[self._whole()])

    def glance(self) -> pd.DataFrame:
        """Return one row about the whole."""
        row = {"method": self.method, "nobs": self.nobs, "n_comparisons": len(self.comparisons)}
        return pd.DataFrame([{**row, "reference": self.reference, "covariance": self.estimates.describe()}])

    def spec_of_table(self, alpha: float = 0.05) -> TableSpec:
        """Return the decomposition as a table: totals first, then the detail of each component."""
        frame = self.tidy(alpha)
        rank = {name: i for i, name in enumerate(self.components)}
        order = frame.assign(
            _detail=(frame["term"] != TOTAL).astype(int),
            _component=frame["component"].map(rank),
            _row=range(len(frame)),
        )
        if self.keys:
            order["_cell"] = order.groupby(self.keys, sort=False).ngroup()
        cell = ["_cell"] if self.keys else []
        frame = frame.loc[order.sort_values([*cell, "_detail", "_component", "_row"], kind="stable").index]
        shown = frame[[*self.keys, "component", "term", *_SHOWN]].replace({"term": {TOTAL: ""}})
        return tabulate_frame(shown, title=self.heading(), notes=self._notes())

    def heading(self) -> str:
        """Title with the direction of the gap and the unit."""
        directions = list(dict.fromkeys(self.comparisons["direction"]))
        return f"{self.title}: {listing(directions, 3)}{unit_in_heading(self.unit)}"

    def _notes(self) -> tuple[str, ...]:
        sizes = self.comparisons
        first, second = ("first", "second") if len(sizes) > 1 else sizes.loc[0, ["name_first", "name_second"]]
        rows = f"Rows: {sizes['n_first'].sum():,} {first}, {sizes['n_second'].sum():,} {second}."
        lines = [f"Reference: {self.reference}."] if self.reference else []
        lines += [rows, f"Covariance: {self.estimates.describe()}."]
        if self.ledger is not None:
            lines.append(f"Sample: {self.ledger.line()}.")
        return (*lines, *self.notes)

    def plot(self, ax: Any = None, *, component: str | None = None, alpha: float = 0.05) -> Any:
        """Draw the decomposition.

        Parameters
        ----------
        ax : Axes, optional
            Where to draw.
        component : str, optional
            Draw the detail of one component instead of the totals.
        alpha : float
            One minus the coverage of intervals.

        Returns
        -------
        Axes
            Bars of totals; curves with bands where the statistics are a run of quantiles.
        """
        if component is not None:
            return self.detail(component).plot(ax, alpha=alpha)
        from wagegap.decomposition.figures import plot_totals

        return plot_totals(self, ax, alpha=alpha)

    def _whole(self) -> FloatArray:
        """Position of the gap that each row is a part of."""
        return np.asarray(_whole_of(self.estimates))

    def with_notes(self, *notes: str) -> Decomposition:
        """Return the decomposition with further notes."""
        return replace(self, estimates=replace(self.estimates, notes=(*self.notes, *notes)))


def _whole_of(estimates: Estimates) -> list[int]:
    labels = estimates.labels
    keys = [name for name in estimates.by if name != "component"]
    cells = list(zip(*(labels[name] for name in keys), strict=True)) if keys else [()] * len(labels)
    is_whole = (labels["component"] == _WHOLE) & (labels["term"] == TOTAL)
    place = {cell: i for i, (cell, whole) in enumerate(zip(cells, is_whole, strict=True)) if whole}
    return [place[cell] for cell in cells]


def _check_identity(estimates: Estimates, components: Sequence[str]) -> None:
    """Raise unless components sum to the gap and details to their components."""
    whole = np.array(_whole_of(estimates))
    labels = estimates.labels
    is_total = (labels["term"] == TOTAL).to_numpy()
    for at in np.unique(whole):
        here = whole == at
        parts = np.array([labels["component"] == name for name in components[1:]])[:, here]
        values, total = estimates.values[here], is_total[here]
        scale = max(float(np.abs(values).max()), 1e-300)
        sums = [float(values[part & total].sum()) for part in parts]
        gap = float(estimates.values[at])
        if abs(sum(sums) - gap) > 1e-8 * scale:
            raise DataError(f"the components add up to {sum(sums):.10g}, the gap is {gap:.10g}.")
        for name, part, whole_part in zip(components[1:], parts, sums, strict=True):
            rows = part & ~total
            if rows.any() and abs(float(values[rows].sum()) - whole_part) > 1e-8 * scale:
                raise DataError(f"the detail of {name!r} does not add up to {whole_part:.10g}.")


def _fieller(
    parts: FloatArray, gap: FloatArray, covariance: FloatArray, whole: FloatArray, critical: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Interval of a ratio from the roots of (a - r g)^2 = c^2 var(a - r g); unbounded where the gap may be zero."""
    at = np.arange(len(parts))
    c2 = critical**2
    v_a, v_g, v_ag = covariance[at, at], covariance[whole, whole], covariance[at, whole]
    lead, middle, last = gap**2 - c2 * v_g, gap * parts - c2 * v_ag, parts**2 - c2 * v_a
    root = np.sqrt(np.maximum(middle**2 - lead * last, 0.0))
    with np.errstate(divide="ignore", invalid="ignore"):
        low, high = (middle - root) / lead, (middle + root) / lead
    bounded = lead > 0
    return np.where(bounded, low, -np.inf), np.where(bounded, high, np.inf)
