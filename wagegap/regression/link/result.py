"""The result of a link: the questions it answers, and what is always printed beside its slope."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import stats

from wagegap._display.axes import FAINT, PALETTE, name_axes, new_axes
from wagegap._display.intervals import intervals
from wagegap._display.numbers import format_number, format_p
from wagegap._display.scatter import ellipses, line_band
from wagegap._display.spec import TableSpec, tabulate_frame
from wagegap._typing import Alpha, AxesLike, ColumnName, FloatArray
from wagegap.errors import IdentificationError, listing
from wagegap.estimation.reliability import REFUSED_BELOW, reliability
from wagegap.regression.link.estimators.table import ESTIMATORS
from wagegap.regression.link.fitted import FittedLink, Scale, level_of, slope_scale
from wagegap.regression.link.questions.few import FewCountries, few_countries
from wagegap.regression.link.questions.moderate import Moderation, moderate
from wagegap.regression.link.questions.one_step import OneStep, one_step
from wagegap.regression.link.questions.outlier import Outlier, outlier
from wagegap.regression.link.questions.pooling import Pooled, pool
from wagegap.regression.link.questions.predict import Prediction, predict
from wagegap.regression.link.questions.swap import Swap, swap

__all__ = ["Link"]


@dataclass(frozen=True, eq=False, repr=False)
class Link(FittedLink):
    """Rates on premiums, with what the first stage did not know carried along.

    Attributes
    ----------
    estimates : Estimates
        Coefficients.
    method : str
        Estimator.
    cells : LinkCells
        The data: rates, premiums, their covariance.
    slope : float
        Coefficient of the first premium.
    reliability, attenuation : float or None
        Share of the premiums' spread, given the controls, that is not sampling error, which is the factor by which it
        shrinks the naive slope; None where errors are unknown.
    tau2 : float or None
        Variance of the rates beyond premiums, controls and sampling error.
    tau2_interval : tuple of float or None
        Its 95 % interval, in a meta-regression.
    leave_one_out : DataFrame
        Slope on the premium without each cell: cell, slope.
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
    call : LinkCall
        The call, so that questions can ask it again.
    setup : Setup
        Columns, error covariance and clusters behind it.
    """

    # questions -------------------------------------------------------------------------------------------------

    def few_countries(self, **options: Any) -> FewCountries:
        """Return every small-sample test of the slope."""
        return few_countries(self, **options)

    def predict(self, *, country: str, premium: float | str, alpha: Alpha = 0.05) -> Prediction:
        """Return a country's rate under another premium."""
        return predict(self, country=country, premium=premium, alpha=alpha)

    def outlier(self, country: str, *, alpha: Alpha = 0.05) -> Outlier:
        """Return a country against the line of the others."""
        return outlier(self, country, alpha=alpha)

    def moderate(self, trait: ColumnName, **options: Any) -> Moderation:
        """Return how the slope differs with a trait of countries."""
        return moderate(self, trait, **options)

    def swap(self, premiums: Any, **options: Any) -> Swap:
        """Return the link under another source of premiums."""
        return swap(self, premiums, **options)

    def one_step(self, workers: Any, **options: Any) -> OneStep:
        """Return the micro model beside the link."""
        return one_step(self, workers, **options)

    def pool(self, *, alpha: Alpha = 0.05) -> Pooled:
        """Return premiums and rates pooled under the link, for display."""
        return pool(self, alpha=alpha)

    # what is always printed ------------------------------------------------------------------------------------

    def slope_in_words(self) -> str:
        """Say the slope in units: what ten log points (or percentage points) of premium go with."""
        self.check_premium("slope_in_words")
        scale = _slope_scale(self)
        low, high = self.slope_interval()
        if np.isnan(low) or np.isnan(high):
            change = scale.signed(self.slope)
            return f"{scale.step} more premium go with {change} of {self.cells.outcome_in_words} (error unknown)"
        if not (np.isfinite(low) or np.isfinite(high)):
            because = ", because the true premiums might all be equal" if self.method == "ml" else ""
            return (
                f"{scale.step} more premium could go with any change of {self.cells.outcome_in_words}: the 95 % "
                f"interval is the whole line{because}"
            )
        return (
            f"{scale.step} more premium go with {scale.signed(self.slope)} of {self.cells.outcome_in_words} (95 % "
            f"interval {format_number(scale.factor * low)} to {format_number(scale.factor * high)})"
        )

    def always_printed(self) -> tuple[str, ...]:
        """Say what a reader of the slope must know."""
        lines = [f"Method: {ESTIMATORS[self.method].title}; {self.cells.n} cells."]
        if self.cells.premiums:
            lines = [f"{self.slope_in_words()}.", *lines, *self._about_errors()]
        lines += self._about_spread()
        if self.permutation is not None:
            least = 1 / (self.permutation.orders + (0 if self.permutation.exact else 1))
            of = "" if self.cells.premiums else f" of {next(name for name in self.setup.terms if name != 'Intercept')}"
            lines.append(f"Naive slope{of}: {self.permutation}; the smallest attainable is {least:.2g}.")
        return (*lines, *self._without_one())

    def _about_spread(self) -> list[str]:
        """Spread beyond sampling error, how much of the whole that is, and what is estimated on its boundary."""
        lines = []
        if self.tau2 is not None:
            known = self.tau2_interval is not None and self.tau2_interval != (0.0, 0.0)
            ends = " ({:.3g} to {:.3g})".format(*np.sqrt(self.tau2_interval)) if known and self.tau2_interval else ""
            beyond = "premium, controls and sampling error" if self.cells.premiums else "controls and sampling error"
            lines.append(f"Spread of rates beyond {beyond}: tau {np.sqrt(self.tau2):.3g}{ends}.")
        statistics = self.fit.statistics
        if np.isfinite(statistics.get("q", np.nan)):
            lines.append(
                f"Q({statistics['q_df']:.0f}) = {statistics['q']:.2f}, p {format_p(statistics['q_p_value'])}; I2 "
                f"{100 * statistics['i2']:.1f} %."
            )
        predicted = self._predicted()
        if predicted and np.isfinite(predicted["prediction_low"]):
            scale = level_of(self.cells.units[0])
            where = " at the means of the regressors" if len(self.estimates.values) > 1 else ""
            between = scale.between(predicted["prediction_low"], predicted["prediction_high"])
            lines.append(f"95 % prediction interval of a further cell's true rate{where}: {between}.")
        return lines + [f"On the boundary, {name}: {meaning}." for name, meaning in self.fit.boundary.items()]

    def _about_errors(self) -> list[str]:
        if self.reliability is None:
            return ["Premium error unknown: the slope is not corrected for it, and the interval does not hold it."]
        share = (
            f"{self.reliability:.2f}, the share to which sampling error shrinks the naive slope"
            if self.reliability >= 0
            else "below 0, they spread less than their sampling errors alone would spread them"
        )
        lines = [f"Reliability of the premiums given the controls: {share}."]
        if self.plain is not None:
            lines.append(f"Naive slope, for the same step: {_slope_and_error(self.plain)}.")
        if self.beside is not None:
            lines.append(f"Beside it, {ESTIMATORS[self.beside.method].title}: {_slope_and_error(self.beside)}.")
            (low, high), (least, most) = self.slope_interval(), self.beside.slope_interval()
            if not (low <= self.beside.slope <= high and least <= self.slope <= most):
                lines.append(
                    "The two estimators disagree, so the slope is not settled: one is outside the other's interval "
                    "(the likelihood relies on normality and on unequal errors)."
                )
        return lines

    def _without_one(self) -> list[str]:
        """Range of the slope without one cell, and the cells without which there is none."""
        weak, slopes = self.unreliable_without(), self.leave_one_out
        slopes = slopes[~slopes["cell"].isin(weak)]
        none = slopes.loc[slopes["slope"].isna(), "cell"].tolist()
        said = {
            f"Without {listing(weak, 4)} the reliability falls below {REFUSED_BELOW}, and no corrected slope would be "
            "given.": weak,
            f"Without {listing(none, 4)} the slope is not identified.": none,
        }
        lines = [line for line, cells in said.items() if cells]
        slopes = slopes.dropna(subset="slope").sort_values("slope")
        if len(slopes):
            low, high = slopes.iloc[0], slopes.iloc[-1]
            least, most = (format_number(_slope_scale(self).factor * end["slope"]) for end in (low, high))
            lines.append(
                f"Without {'another' if lines else 'one'} cell the slope, for the same step, is between {least} "
                f"(without {low['cell']}) and {most} (without {high['cell']})."
            )
        return lines

    def unreliable_without(self) -> list[str]:
        """Cells without which a corrected slope would be refused for low reliability, where it is given with them."""
        problem = self.problem
        if problem is None or self.reliability is None or self.reliability < REFUSED_BELOW:
            return []
        p, v, z = problem.premiums[:, 0], problem.v_x[0, 0], problem.controls
        weak = []
        for i, name in enumerate(self.cells.names):
            rows = np.delete(np.arange(problem.n), i)
            try:
                share = reliability(p[rows], v[np.ix_(rows, rows)], z[rows])
            except IdentificationError:
                continue
            if share < REFUSED_BELOW:
                weak.append(name)
        return weak

    def spec_of_table(self, alpha: Alpha = 0.05) -> TableSpec:
        """Return the result as a table, for any renderer."""
        frame = self.tidy(alpha)[["term", "estimate", "std_error", "p_value", "conf_low", "conf_high"]]
        notes = (
            *self.always_printed(), f"Covariance: {self.estimates.describe()}.", f"Cells: {self.cells.ledger.line()}.",
            *self.cells.ledger.notes, *self.notes,
        )  # fmt: skip
        return tabulate_frame(frame, title=self.title, notes=notes)

    # figures ---------------------------------------------------------------------------------------------------

    def plot(self, ax: AxesLike = None, *, alpha: Alpha = 0.05) -> Any:
        """Draw rates against premiums with error ellipses, country labels, the fitted line and its band.

        Beside a corrected line the naive one is dashed. Without a premium the rates are drawn with their intervals, and
        dashed the rate expected at the means of the regressors.
        """
        if not self.cells.premiums:
            return self._plot_rates(ax, alpha)
        ax = new_axes(6.3, 4.6) if ax is None else ax
        cells = self.cells
        p = cells.p[:, 0]
        cov = np.array([[np.diag(cells.block(i, j)) for j in (1, 0)] for i in (1, 0)]).transpose(2, 0, 1)
        unknown = np.isnan(cov[:, 0, 0]) | np.isnan(cov[:, 1, 1])
        cov[unknown, 0, 1] = cov[unknown, 1, 0] = 0.0
        pad = 0.04 * float(np.ptp(p))
        at = np.linspace(p.min() - pad, p.max() + pad, 60)
        ax = ellipses(ax, p, cells.y, cov, cells.names, level=1 - alpha)
        ax = line_band(ax, at, *self.line(at, alpha))
        if self.plain is not None and self.fit.unit is None:
            nothing = np.full_like(at, np.nan)
            ax = line_band(ax, at, self.plain.line(at)[0], nothing, nothing, color=PALETTE[1])
        ax.set_xlim(*_limits(p))
        ax.set_ylim(*_limits(cells.y))
        return cells.label_axes(ax)

    def _plot_rates(self, ax: Any, alpha: Alpha) -> Any:
        """Draw the rates with their sampling intervals, largest first, and the rate that is expected."""
        cells = self.cells
        order = np.argsort(-cells.y, kind="stable")
        ax = new_axes(6.3, 0.9 + 0.2 * cells.n) if ax is None else ax
        half = float(stats.norm.isf(alpha / 2)) * np.sqrt(np.diag(cells.block(0, 0)))[order]
        y = cells.y[order]
        ax = intervals(ax, [cells.names[i] for i in order], y, y - half, y + half)
        mean = self.setup.problem.x[:, list(self.setup.shown)].mean(axis=0)
        ax.axvline(float(mean @ self.estimates.values), linewidth=1.0, linestyle="--", color=FAINT)
        return name_axes(ax, x=f"{cells.outcome_in_words} ({cells.units[0]}), {100 * (1 - alpha):g} % intervals")


def _limits(values: FloatArray) -> tuple[float, float]:
    """Where the points are, with room for their errors; a band that is wider is cut off."""
    room = 0.4 * float(np.ptp(values))
    return float(values.min()) - room, float(values.max()) + room


def _slope_scale(link: FittedLink) -> Scale:
    """Scale on which every slope of a sentence is said."""
    return slope_scale(link.cells, ESTIMATORS[link.method].scale)


def _slope_and_error(link: FittedLink) -> str:
    factor = _slope_scale(link).factor
    return f"{format_number(factor * link.slope)} ({format_number(factor * link.slope_error)})"
