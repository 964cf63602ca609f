"""What every stage result owes its users: numbers under the usual names, tidy frames, and strings.

A result holds an `Estimates` and adds only what is its own. The numbers carry statsmodels' names, the frames broom's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

import pandas as pd

from wagegap._arguments import public_methods
from wagegap._display.sentences import Scale
from wagegap._display.shown_table import ShownTable
from wagegap._display.spec import TableSpec
from wagegap._display.text import to_text
from wagegap._typing import Alpha, AnyArray, FloatArray, SmallSample
from wagegap._version import reduce_with_version
from wagegap.estimation.covariance.options import CovLike
from wagegap.estimation.estimates import Estimates
from wagegap.estimation.hypothesis import TestResult
from wagegap.estimation.ledger import Ledger
from wagegap.estimation.units import scale_of

__all__ = ["Result", "draw_estimates"]


@public_methods
@dataclass(frozen=True, eq=False, repr=False)
class Result(ShownTable):
    """Result of a stage: estimates with a joint covariance, and their account.

    Attributes
    ----------
    estimates : Estimates
        The parameters with what is needed to relate them to those of other results.
    """

    estimates: Estimates

    __reduce__ = reduce_with_version

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        public_methods(cls)

    # numbers ---------------------------------------------------------------------------------------------------

    @property
    def params(self) -> pd.Series[float]:
        """Estimates by name."""
        return self.estimates.params

    @property
    def bse(self) -> pd.Series[float]:
        """Standard errors by name; NaN where unknown."""
        return self.estimates.bse

    @property
    def tvalues(self) -> pd.Series[float]:
        """Estimates over standard errors."""
        return self.estimates.tvalues

    @property
    def pvalues(self) -> pd.Series[float]:
        """Two-sided p-values."""
        return self.estimates.pvalues

    @property
    def nobs(self) -> int:
        """Rows used."""
        return self.estimates.nobs

    @property
    def df_resid(self) -> float:
        """Smallest degrees of freedom among the estimates."""
        return self.estimates.df_resid

    @property
    def unit(self) -> str:
        """Unit of the estimates, or units joined by commas."""
        return self.estimates.unit

    @property
    def title(self) -> str:
        """What was estimated."""
        return self.estimates.title

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader should know."""
        return self.estimates.notes

    @property
    def ledger(self) -> Ledger | None:
        """Account of the sample."""
        return self.estimates.ledger

    def conf_int(self, alpha: Alpha = 0.05) -> pd.DataFrame:
        """Return intervals that cover with probability 1 - alpha."""
        return self.estimates.conf_int(alpha)

    def cov_params(self) -> pd.DataFrame:
        """Return the joint covariance with names."""
        return self.estimates.cov_params()

    def test(self, hypothesis: str | Sequence[str] | AnyArray, value: float | FloatArray = 0.0) -> TestResult:
        """Test linear hypotheses, such as `"USA = KOR"`."""
        return self.estimates.test(hypothesis, value)

    # new objects -----------------------------------------------------------------------------------------------

    def with_cov(self, cov: CovLike, *, small_sample: SmallSample | None = None) -> Self:
        """Return the same result under another covariance, where what was kept allows it."""
        return replace(self, estimates=self.estimates.with_cov(cov, small_sample=small_sample))

    def without_units(self) -> Self:
        """Keep the covariance and forget the workers: small, but no longer joinable."""
        return replace(self, estimates=self.estimates.without_units())

    def refit(self, data: Any, *, weights: FloatArray | None = None, **changes: Any) -> Any:
        """Fit the same specification to other data, or with other weights or options."""
        return self.estimates.refit(data, weights=weights, **changes)

    # frames and strings ----------------------------------------------------------------------------------------

    def tidy(self, alpha: Alpha = 0.05) -> pd.DataFrame:
        """Return one row for each estimate, with columns whose names never change."""
        return self.estimates.tidy(alpha)

    def glance(self) -> pd.DataFrame:
        """Return one row about the whole."""
        return self.estimates.glance()

    def spec_of_table(self, alpha: Alpha = 0.05) -> TableSpec:
        """Return the result as a table, for any renderer."""
        return self.estimates.spec_of_table(alpha)

    def summary(self, alpha: Alpha = 0.05) -> str:
        """Return the result as text, 80 columns wide, the same on every run."""
        return to_text(self.spec_of_table(alpha))

    def _in_session(self) -> str:
        return self.summary()

    def _in_short(self) -> str:
        return f"<{type(self).__name__}: {self.title}, {len(self.estimates.values)} estimates>"


def draw_estimates(
    estimates: Estimates, ax: Any, alpha: Alpha, words: str, *, row_height: float = 0.25, scale: Scale | None = None,
    names: Sequence[str] | None = None,
) -> Any:  # fmt: skip
    """Draw estimates with their intervals, a row each, on new axes where none are given.

    Parameters
    ----------
    estimates : Estimates
        What is drawn, from the top.
    ax : Axes or None
        Where to draw.
    alpha : float
        One minus the coverage.
    words : str
        What the axis shows, without the unit.
    row_height : float
        Inches for each row of new axes.
    scale : Scale, optional
        How numbers are written; as changes, in the unit of the estimates, where absent. Several units have none.
    names : sequence of str, optional
        Names of rows.

    Returns
    -------
    Axes
    """
    from wagegap._display.axes import new_axes
    from wagegap._display.facts import note_level
    from wagegap._display.intervals import intervals
    from wagegap._display.scales import scale_axis

    tidy = estimates.tidy(alpha)
    ax = new_axes(6.3, 0.9 + row_height * len(tidy)) if ax is None else ax
    rows = estimates.names if names is None else names
    ax = intervals(ax, rows, *(tidy[c].to_numpy() for c in ("estimate", "conf_low", "conf_high")))
    note_level(ax, 1 - alpha)
    if scale is None:
        scale = scale_of("none" if "," in estimates.unit else estimates.unit)
    errors = f"{100 * (1 - alpha):g} % intervals" if tidy["conf_low"].notna().any() else "errors unknown"
    return scale_axis(ax, "x", words, scale, note=f", {errors}")
