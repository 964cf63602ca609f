"""The result of a link: the questions it answers, and what is always printed beside its slope."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import stats

from wagegap._display.axes import FAINT, new_axes
from wagegap._display.facts import note_level, note_names, note_stroke
from wagegap._display.intervals import intervals
from wagegap._display.scales import scale_axis
from wagegap._display.spec import TableSpec, tabulate_frame
from wagegap._typing import Alpha, AxesLike, Watched
from wagegap.regression.figures import watched_names
from wagegap.regression.link.fitted import FittedLink, level_of_rates
from wagegap.regression.link.lines import draw_link, write_legend
from wagegap.regression.link.paragraph import paragraph, slope_in_words, unreliable_without
from wagegap.regression.link.questions.disagreement import Disagreement, disagreement
from wagegap.regression.link.questions.few import FewCountries, few_countries
from wagegap.regression.link.questions.moderate import Moderation, moderate
from wagegap.regression.link.questions.one_step import OneStep, one_step
from wagegap.regression.link.questions.outlier import Outlier, outlier
from wagegap.regression.link.questions.pooling import Pooled, pool
from wagegap.regression.link.questions.predict import Prediction, predict
from wagegap.regression.link.questions.sensitivity import Sensitivity, sensitivity
from wagegap.regression.link.questions.swap import Swap, swap
from wagegap.regression.link.weak import WeakSet, weak_set_of

__all__ = ["Link"]

_ENDS = ("conf_low", "conf_high")
"""Columns of a table of coefficients that are not settled: the hull."""


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
        """Return a country's rate under another premium.

        Parameters
        ----------
        country : str
            Name or code.
        premium : float or str
            Premium in the unit of the link, or the country whose premium it is.
        alpha : float
            One minus the coverage.
        """
        return predict(self, country=country, premium=premium, alpha=alpha)

    def outlier(self, country: str, *, alpha: Alpha = 0.05) -> Outlier:
        """Return a country against the line of the others.

        Parameters
        ----------
        country : str
            Name or code.
        alpha : float
            One minus the coverage.
        """
        return outlier(self, country, alpha=alpha)

    def moderate(self, trait: Any, **options: Any) -> Moderation:
        """Return how the slope differs with traits of countries, and what it would be elsewhere.

        Parameters
        ----------
        trait : str or sequence of str
            Columns of `data`, or traits made in a formula.
        **options
            Those of `wagegap.regression.link.questions.moderate.moderate`.
        """
        return moderate(self, trait, **options)

    def swap(self, premiums: Any, **options: Any) -> Swap:
        """Return the link under another source of premiums.

        Parameters
        ----------
        premiums : Premiums or Estimates
            Another source, with the same keys.
        **options
            Those of `wagegap.regression.link.questions.swap.swap`.
        """
        return swap(self, premiums, **options)

    def one_step(self, workers: Any, **options: Any) -> OneStep:
        """Return the micro model beside the link.

        Parameters
        ----------
        workers : Panel or data frame
            The workers behind rates and premiums.
        **options
            Those of `wagegap.regression.link.questions.one_step.one_step`.
        """
        return one_step(self, workers, **options)

    def sensitivity(self, **options: Any) -> Sensitivity:
        """Return what errors of the premiums, assumed or larger than known, would make of the slope."""
        return sensitivity(self, **options)

    def pool(self, *, alpha: Alpha = 0.05) -> Pooled:
        """Return premiums and rates pooled under the link, for display."""
        return pool(self, alpha=alpha)

    def disagreement(self, **options: Any) -> Disagreement:
        """Return which feature of the data sets likelihood and moments apart."""
        return disagreement(self, **options)

    # what is always printed ------------------------------------------------------------------------------------

    def slope_in_words(self) -> str:
        """Say the slope in units: what ten log points (or percentage points) of premium go with."""
        return slope_in_words(self)

    def always_printed(self) -> tuple[str, ...]:
        """Say what a reader of the slope must know."""
        return paragraph(self)

    def weak_set(self, alpha: Alpha = 0.05) -> WeakSet:
        """Return the slopes that the weighted moments do not reject, however weak the premiums are.

        Fieller's set, which is that of Anderson and Rubin: an interval, two rays, or the whole line.

        Parameters
        ----------
        alpha : float
            One minus the coverage.

        Raises
        ------
        OptionError
            Without a premium, or with several.
        CovarianceError
            Where the errors of the premiums are unknown.
        """
        return weak_set_of(self, alpha)

    def unreliable_without(self) -> list[str]:
        """Cells without which a corrected slope would be refused for low reliability, where it is given with them."""
        return unreliable_without(self)

    def spec_of_table(self, alpha: Alpha = 0.05) -> TableSpec:
        """Return the result as a table, for any renderer."""
        numbers = ("estimate", "std_error", "p_value", "conf_low", "conf_high") if self.settled else _ENDS
        frame = self.tidy(alpha)[["term", *numbers]]
        notes = (
            *self.always_printed(), f"Covariance: {self.estimates.describe()}.", f"Cells: {self.cells.ledger.line()}.",
            *self.cells.ledger.notes, *self.notes,
        )  # fmt: skip
        return tabulate_frame(frame, title=self.title, notes=notes)

    # figures ---------------------------------------------------------------------------------------------------

    def plot(self, ax: AxesLike = None, *, alpha: Alpha = 0.05, watch: Watched = ()) -> Any:
        """Draw rates against premiums with error ellipses, country labels, the fitted line and its band.

        A link with controls is drawn as partial residuals: what the controls explain is taken out of rates and
        premiums, which are moved back to their means, and the axes say what they are given. Beside a corrected line
        the naive one is dashed. Where the slope is not settled there are the lines of both estimators, and a grey
        wedge of all slopes that either allows; slopes that are not rejected however weak the premiums are stand beside
        it where they are two rays. Without a premium the rates are drawn with their intervals, and dashed the rate
        expected at the means of the regressors.

        Parameters
        ----------
        ax : Axes, optional
            Where to draw.
        alpha : float
            One minus the coverage of ellipses and bands.
        watch : str or sequence of str
            Cells that stand out, such as `("KOR", "USA")`: by their name, or a country by code or name. Countries that
            are not in the link are passed over.

        Returns
        -------
        Axes
            Numbers are in the unit of the link; ticks are written in that of sentences.

        Raises
        ------
        OptionError
            For a word in `watch` that is neither a cell nor a country.
        """
        if not self.cells.premiums:
            return self._plot_rates(ax, alpha, watch)
        return draw_link(self, ax, alpha, watch)

    def _plot_rates(self, ax: Any, alpha: Alpha, watch: str | Sequence[str]) -> Any:
        """Draw the rates with their sampling intervals, largest first, and the rate that is expected."""
        cells = self.cells
        order = np.argsort(-cells.y, kind="stable")
        ax = new_axes(6.3, 0.9 + 0.2 * cells.n) if ax is None else ax
        half = float(stats.norm.isf(alpha / 2)) * np.sqrt(np.diag(cells.block(0, 0)))[order]
        y, names = cells.y[order], [cells.names[i] for i in order]
        lit = watched_names(watch, cells.names, cells.keys)
        ax = intervals(ax, names, y, y - half, y + half, watch=lit)
        note_level(ax, 1 - alpha)
        note_names(ax, [cells.name_of(name) for name in names], cells.noun, cells.counted().split(" ", 1)[1])
        mean = self.setup.problem.x[:, list(self.setup.shown)].mean(axis=0)
        line = ax.axvline(float(mean @ self.estimates.values), linewidth=1.0, linestyle="--", color=FAINT)
        write_legend(ax, [(line, "expected at the means")])
        note_stroke(ax, "line", "expected at the means")
        errors = f", {100 * (1 - alpha):g} % intervals" if np.isfinite(half).any() else ", errors unknown"
        return scale_axis(ax, "x", cells.outcome_in_words, level_of_rates(cells), note=errors)
