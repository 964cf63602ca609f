"""The result of a link, and what is always printed beside its slope."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from wagegap._display.numbers import format_number
from wagegap._display.spec import TableSpec, tabulate_frame
from wagegap._typing import FloatArray
from wagegap.errors import IdentificationError, OptionError, listing, public
from wagegap.estimation.reliability import REFUSED_BELOW, reliability
from wagegap.estimation.result import Result
from wagegap.regression.link.cells import LinkCells
from wagegap.regression.link.estimators.ml import profile_interval
from wagegap.regression.link.estimators.two_stage import expanded_percentiles
from wagegap.regression.link.problem import LinkProblem
from wagegap.regression.link.questions.few import FewCountries, few_countries
from wagegap.regression.link.questions.moderate import Moderation, moderate
from wagegap.regression.link.questions.one_step import OneStep, one_step
from wagegap.regression.link.questions.outlier import Outlier, outlier
from wagegap.regression.link.questions.permutation import PermutationTest
from wagegap.regression.link.questions.pooling import Pooled, pool
from wagegap.regression.link.questions.predict import Prediction, predict
from wagegap.regression.link.questions.swap import Swap, swap
from wagegap.regression.link.setup import LinkCall, Setup

__all__ = ["Link"]

_IN_WORDS = {
    "ols": "least squares",
    "meta": "meta-regression",
    "eiv": "errors in variables, corrected moments",
    "ml": "maximum likelihood, errors in variables",
    "york": "York's line",
    "simex": "least squares, simulation and extrapolation",
    "iv": "two-stage least squares",
    "fractional": "fractional logit",
    "poisson": "Poisson pseudo-likelihood",
    "split": "split samples, one half's premium an instrument for the other's",
    "bootstrap": "corrected moments, two-stage bootstrap",
}
_NONLINEAR = ("fractional", "poisson")


@dataclass(frozen=True, eq=False, repr=False)
class Link(Result):
    """Rates on premiums, with what the first stage did not know carried along.

    Attributes
    ----------
    estimates : Estimates
        Coefficients.
    method : str
        Estimator.
    cells : LinkCells
        The data: rates, premiums, their covariance.
    reliability : float or None
        Share of the premiums' spread, given the controls, that is not sampling error; None where errors are unknown.
    tau2 : float or None
        Variance of the rates beyond premiums, controls and sampling error.
    tau2_interval : tuple of float or None
        Its 95 % interval, in a meta-regression.
    leave_one_out : DataFrame
        Slope on the premium without each cell: keys, slope.
    permutation : PermutationTest or None
        Of the naive slope.
    p_premium : float or None
        p-value of the premium by likelihood ratio, under ml.
    problem : LinkProblem or None
        The arrays behind a corrected fit.
    beside : Link or None
        The other corrected estimator.
    plain : Link or None
        The naive fit.
    interval : tuple of float or None
        95 % interval of the slope, where it is not a number of standard errors: profile likelihood, percentiles.
    slopes : ndarray or None
        Bootstrap draws of the slope.
    call : LinkCall or None
        The call, so that questions can ask it again.
    setup : Setup or None
        Columns, error covariance and clusters behind it.
    """

    method: str
    cells: LinkCells
    reliability: float | None
    tau2: float | None
    tau2_interval: tuple[float, float] | None
    leave_one_out: pd.DataFrame
    permutation: PermutationTest | None
    p_premium: float | None = None
    problem: LinkProblem | None = None
    beside: Link | None = None
    plain: Link | None = field(default=None)
    interval: tuple[float, float] | None = None
    slopes: FloatArray | None = None
    call: LinkCall | None = None
    setup: Setup | None = None

    @property
    def slope(self) -> float:
        """Coefficient of the first premium."""
        return float(self.params[self.cells.premiums[0]])

    @property
    def attenuation(self) -> float | None:
        """Factor by which sampling error shrinks the naive slope: the reliability."""
        return self.reliability

    @property
    def nobs(self) -> int:
        """Number of cells."""
        return self.cells.n

    def naive(self) -> Link:
        """Return the least squares fit that takes the premiums as exact."""
        return self if self.plain is None else self.plain

    def conf_int(self, alpha: float = 0.05) -> pd.DataFrame:
        """Return intervals; under ml that of the premium is from the profile likelihood, else of percentiles."""
        frame = super().conf_int(alpha)
        if self.interval is not None:
            frame.loc[self.cells.premiums[0]] = list(self.slope_interval(alpha))
        return frame

    def slope_interval(self, alpha: float = 0.05) -> tuple[float, float]:
        """Return the interval of the slope."""
        if self.interval is None:
            low, high = super().conf_int(alpha).loc[self.cells.premiums[0]].to_numpy(dtype=float)
            return float(low), float(high)
        if alpha == 0.05:
            return self.interval
        if self.slopes is not None:
            return expanded_percentiles(self.slopes, self.cells.n, int(self.estimates.df_resid), alpha)
        assert self.problem is not None
        return profile_interval(self.problem, alpha=alpha)

    def tidy(self, alpha: float = 0.05) -> pd.DataFrame:
        """Return one row for each coefficient."""
        frame = super().tidy(alpha)
        interval = self.conf_int(alpha)
        frame["conf_low"], frame["conf_high"] = interval["conf_low"].to_numpy(), interval["conf_high"].to_numpy()
        if self.p_premium is not None:
            frame.loc[frame["term"] == self.cells.premiums[0], "p_value"] = self.p_premium
        return frame

    def glance(self) -> pd.DataFrame:
        """Return one row about the whole."""
        row: dict[str, Any] = {"method": self.method, "nobs": self.cells.n}
        if self.reliability is not None:
            row["reliability"] = self.reliability
        if self.tau2 is not None:
            row["tau"] = float(np.sqrt(self.tau2))
        if self.plain is not None:
            row["naive_slope"] = self.plain.slope
        if self.permutation is not None:
            row["permutation_p"] = self.permutation.p_value
        if len(self.leave_one_out):
            row["slope_min_without_one"] = self.leave_one_out["slope"].min()
            row["slope_max_without_one"] = self.leave_one_out["slope"].max()
        return pd.DataFrame([row])

    def slope_in_words(self) -> str:
        """Say the slope in units: what ten log points (or per cent) of premium go with."""
        outcome, premium = self.cells.units[0], self.cells.units[1] if len(self.cells.units) > 1 else "none"
        if self.method in _NONLINEAR:
            outcome = "log odds" if self.method == "fractional" else "log points"
        step = {"log points": 0.1, "share": 0.1}.get(premium, 10.0)
        factor, unit = {"share": (100.0, "percentage points")}.get(outcome, (1.0, outcome))
        size = {"log points": "10 log points", "per cent": "10 per cent", "share": "10 percentage points"}
        row = self.tidy().set_index("term").loc[self.cells.premiums[0]]
        low, high = (format_number(step * factor * float(str(row[c]))) for c in ("conf_low", "conf_high"))
        unit = "" if unit == "none" else f" {unit}"
        if not (np.isfinite(float(str(row["conf_low"]))) or np.isfinite(float(str(row["conf_high"])))):
            return (
                f"{size.get(premium, '10 units')} more premium could go with any change of "
                f"{self.cells.outcome.replace('_', ' ')}: the 95 % interval is the whole line, because the true "
                "premiums might all be equal"
            )
        return (
            f"{size.get(premium, '10 units')} more premium go with {step * factor * row['estimate']:+.3g}{unit} of "
            f"{self.cells.outcome.replace('_', ' ')} (95 % interval {low} to {high})"
        )

    def always_printed(self) -> tuple[str, ...]:
        """Say what a reader of the slope must know."""
        method = f"Method: {_IN_WORDS[self.method]}; {self.cells.n} cells."
        lines = [method]
        if self.cells.premiums:
            lines = [f"{self.slope_in_words()}.", method, *self._about_errors()]
        if self.tau2 is not None:
            spread = f"Spread of rates beyond premium, controls and sampling error: tau {np.sqrt(self.tau2):.3g}"
            if self.tau2_interval is not None:
                low, high = np.sqrt(self.tau2_interval)
                spread += f" ({low:.3g} to {high:.3g})"
            lines.append(f"{spread}.")
        lines += self._about_cells()
        return tuple(lines)

    def _about_errors(self) -> list[str]:
        if self.reliability is None:
            return ["Premium error unknown: the slope is not corrected for it, and the interval does not hold it."]
        lines = [
            f"Reliability of the premiums given the controls: {self.reliability:.2f}, the share to which sampling "
            "error shrinks the naive slope."
            if self.reliability >= 0
            else "Reliability of the premiums given the controls: below 0, they spread less than their sampling errors "
            "alone would spread them."
        ]
        if self.plain is not None:
            lines.append(f"Naive slope {format_number(self.plain.slope)} ({format_number(_error(self.plain))}).")
        if self.beside is not None:
            how, error = _IN_WORDS[self.beside.method], format_number(_error(self.beside))
            lines.append(f"Beside it, {how}: {format_number(self.beside.slope)} ({error}).")
            (low, high), (least, most) = self.slope_interval(), self.beside.slope_interval()
            if not (low <= self.beside.slope <= high and least <= self.slope <= most):
                lines.append(
                    "One of the two is outside the other's interval: they lean on different features of the data "
                    "(likelihood on normality and on unequal errors), the slope is not settled."
                )
        return lines

    def _about_cells(self) -> list[str]:
        lines = []
        if self.permutation is not None:
            least = 1 / self.permutation.orders if self.permutation.exact else 1 / (self.permutation.orders + 1)
            lines.append(f"Naive slope: {self.permutation}; the smallest attainable is {least:.2g}.")
        if len(self.leave_one_out):
            lines += self._without_one()
        return lines

    def _without_one(self) -> list[str]:
        """Range of the slope without one cell, and the cells without which there is none."""
        weak, slopes = self.unreliable_without(), self.leave_one_out
        none = slopes.loc[slopes["slope"].isna() & ~slopes["cell"].isin(weak), "cell"]
        lines = []
        if weak:
            words = f"the reliability falls below {REFUSED_BELOW}, and no corrected slope would be given"
            lines.append(f"Without {listing(weak, 4)} {words}.")
        if len(none):
            lines.append(f"Without {listing(none, 4)} no slope can be told from another.")
        named = slopes[slopes["slope"].notna() & ~slopes["cell"].isin(weak)].sort_values("slope")
        if len(named):
            low, high = named.iloc[0], named.iloc[-1]
            which = "another" if lines else "one"
            lines.append(
                f"Without {which} cell the slope is between {format_number(low['slope'])} (without {low['cell']}) and "
                f"{format_number(high['slope'])} (without {high['cell']})."
            )
        return lines

    def unreliable_without(self) -> list[str]:
        """Cells without which a corrected slope would be refused for low reliability, where it is given with them."""
        problem = self.problem
        if problem is None or self.reliability is None or self.reliability < REFUSED_BELOW:
            return []
        p, v, z = problem.premiums[:, 0], problem.v_x[0, 0], problem.controls
        found = []
        for i, name in enumerate(self.cells.names):
            rows = np.delete(np.arange(problem.n), i)
            try:
                share = reliability(p[rows], v[np.ix_(rows, rows)], z[rows])
            except IdentificationError:
                continue
            if share < REFUSED_BELOW:
                found.append(name)
        return found

    def spec_of_table(self, alpha: float = 0.05) -> TableSpec:
        """Return the result as a table, for any renderer."""
        frame = self.tidy(alpha)[["term", "estimate", "std_error", "p_value", "conf_low", "conf_high"]]
        notes = [
            *self.always_printed(),
            f"Covariance: {self.estimates.describe()}.",
            f"Cells: {self.cells.ledger.line()}.",
        ]
        return tabulate_frame(frame, title=self.title, notes=(*notes, *self.cells.ledger.notes, *self.notes))

    # questions -------------------------------------------------------------------------------------------------

    @public
    def few_countries(self, **options: Any) -> FewCountries:
        """Return every small-sample test of the slope; see `link.few.few_countries`."""
        return few_countries(self, **options)

    @public
    def predict(self, *, country: str, premium: float | str, alpha: float = 0.05) -> Prediction:
        """Return a country's rate under another premium; see `link.predict.predict`."""
        return predict(self, country=country, premium=premium, alpha=alpha)

    @public
    def outlier(self, country: str, *, alpha: float = 0.05) -> Outlier:
        """Return a country against the line of the others; see `link.outlier.outlier`."""
        return outlier(self, country, alpha=alpha)

    @public
    def moderate(self, trait: str, **options: Any) -> Moderation:
        """Return how the slope differs with a trait of countries; see `link.moderate.moderate`."""
        return moderate(self, trait, **options)

    @public
    def swap(self, premiums: Any, **options: Any) -> Swap:
        """Return the link under another source of premiums; see `link.swap.swap`."""
        return swap(self, premiums, **options)

    @public
    def one_step(self, workers: Any, **options: Any) -> OneStep:
        """Return the micro model beside the link; see `link.one_step.one_step`."""
        return one_step(self, workers, **options)

    @public
    def pool(self, *, alpha: float = 0.05) -> Pooled:
        """Return premiums and rates pooled under the link, for display; see `link.pooling.pool`."""
        return pool(self, alpha=alpha)

    # figures ---------------------------------------------------------------------------------------------------

    def line(self, at: FloatArray, alpha: float = 0.05) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Return the fitted rates at some premiums, controls at their means, with a pointwise band."""
        if not self.cells.premiums:
            raise OptionError("a meta-regression without a premium has no line to draw.")
        own = self.estimates
        mean = self.cells.design.x.mean(axis=0)
        columns = {name: mean[j] for j, name in enumerate(self.cells.design.names)}
        rows = np.array([[columns.get(name, 0.0) for name in own.labels["term"]] for _ in at])
        rows[:, list(own.labels["term"]).index(self.cells.premiums[0])] = at
        fit = rows @ own.values
        shift = (
            float(self.cells.y.mean() - np.interp(self.cells.p[:, 0].mean(), at, fit))
            if self.cells.design.effects
            else 0.0
        )
        half = stats.t.isf(alpha / 2, own.df_resid) * np.sqrt(np.einsum("ij,jk,ik->i", rows, own.covariance, rows))
        return fit + shift, fit + shift - half, fit + shift + half

    def plot(self, ax: Any = None, *, alpha: float = 0.05) -> Any:
        """Draw rates against premiums with error ellipses, country labels, the fitted line and its band.

        Beside a corrected line the naive one is dashed.
        """
        from wagegap._display.axes import PALETTE, new_axes
        from wagegap._display.scatter import ellipses, line_band

        ax = new_axes(6.3, 4.6) if ax is None else ax
        cells = self.cells
        p = cells.p[:, 0]
        cov = np.empty((cells.n, 2, 2))
        for a, i in enumerate((1, 0)):
            for b, j in enumerate((1, 0)):
                cov[:, a, b] = np.diag(cells.block(i, j))
        unknown = np.isnan(cov[:, 0, 0]) | np.isnan(cov[:, 1, 1])
        cov[unknown, 0, 1] = cov[unknown, 1, 0] = 0.0
        pad = 0.04 * float(np.ptp(p))
        at = np.linspace(p.min() - pad, p.max() + pad, 60)
        ax = ellipses(ax, p, cells.y, cov, cells.names, level=1 - alpha)
        ax = line_band(ax, at, *self.line(at, alpha))
        if self.plain is not None and self.method not in _NONLINEAR:
            nothing = np.full_like(at, np.nan)
            ax = line_band(ax, at, self.plain.line(at)[0], nothing, nothing, color=PALETTE[1])
        ax.set_xlim(*_limits(p))
        ax.set_ylim(*_limits(cells.y))
        ax.set_xlabel(f"premium ({cells.units[1]})")
        ax.set_ylabel(f"{cells.outcome.replace('_', ' ')} ({cells.units[0]})")
        return ax


def _limits(values: FloatArray) -> tuple[float, float]:
    """Where the points are, with room for their errors; a band that is wider is cut off."""
    room = 0.4 * float(np.ptp(values))
    return float(values.min()) - room, float(values.max()) + room


def _error(link: Link) -> float:
    return float(link.bse[link.cells.premiums[0]])
