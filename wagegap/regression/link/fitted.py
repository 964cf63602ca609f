"""A fitted link: its numbers, and what a question needs to ask it anything. `Link` adds the questions themselves.

And what every answer owes its reader: a sentence, a frame, a figure; with the words and tests that answers share.
"""

from __future__ import annotations

import textwrap
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, Self

import numpy as np
import pandas as pd
from scipy import special, stats

from wagegap._arguments import public_methods
from wagegap._display.axes import new_axes
from wagegap._display.facts import note_level, note_names
from wagegap._display.intervals import intervals
from wagegap._display.scales import scale_axis
from wagegap._display.sentences import Scale
from wagegap._display.session import Shown
from wagegap._typing import Alpha, AnyArray, AxesLike, BoolArray, FloatArray
from wagegap.errors import DataError, IdentificationError, OptionError, did_you_mean, listing, no_column, shown
from wagegap.estimation.column_types import given_numbers
from wagegap.estimation.countries.columns import level_meant, near_country
from wagegap.estimation.hypothesis import TestResult, parse_hypothesis
from wagegap.estimation.units import level_of, scale_of, step_of
from wagegap.regression.link.cells import LinkCells
from wagegap.regression.link.estimators.estimator import LinkFit
from wagegap.regression.link.estimators.exact import lies_on_line
from wagegap.regression.link.estimators.table import ESTIMATORS
from wagegap.regression.link.permutation import PermutationTest
from wagegap.regression.link.problem import LinkProblem
from wagegap.regression.link.settling import SettlingResult
from wagegap.regression.link.setup import Setup
from wagegap.regression.link.verdict import Verdict, hull

__all__ = [
    "Answer",
    "FittedLink",
    "LinkCall",
    "Scale",
    "draw_slopes",
    "level_of",
    "level_of_rates",
    "one_row",
    "scale_of",
    "slope_scale",
    "slopes_of",
    "t_test",
]


_SCALES: Mapping[str, tuple[Callable[..., Any], Callable[..., Any]]] = {
    "log odds": (special.logit, special.expit), "log": (np.log, np.exp),
}  # fmt: skip
"""From a rate to what a method is linear in, and back."""


@dataclass(frozen=True, slots=True, eq=False)
class LinkCall(Shown):
    """A call of `fit_link`, so that a question can ask it again with something changed.

    Attributes
    ----------
    function : callable
        `fit_link`.
    arguments : mapping of str to object
        What was given, by name; results, which hold no workers.
    """

    function: Callable[..., Any]
    arguments: Mapping[str, Any]

    def again(self, **changes: Any) -> Any:
        """Fit again, with other arguments by name."""
        return self.function(**{**self.arguments, **changes})

    def by(self, method: str) -> LinkCall:
        """Return the same call by another method, which takes no instruments."""
        return LinkCall(self.function, {**self.arguments, "method": method, "instruments": None})


@dataclass(frozen=True, eq=False, repr=False)
class FittedLink(SettlingResult):
    """Numbers of a link.

    Attributes
    ----------
    estimates : Estimates
        Coefficients.
    method : str
        Estimator.
    setup : Setup
        Cells, columns, error covariance and clusters behind it.
    fit : LinkFit
        What the estimator gave.
    call : LinkCall
        The call, so that questions can ask it again.
    reliability : float or None
        Share of the premiums' spread, given the controls, that is not sampling error; None where errors are unknown.
    permutation : PermutationTest or None
        Of the naive slope.
    plain : Link or None
        The naive fit.
    beside : Link or None
        The other corrected estimator.
    verdict : Verdict or None
        Whether moments and likelihood settle on one slope, where both are there.
    binding : bool
        Whether the verdict decides what is given, as it does under `method="auto"`.
    """

    method: str
    setup: Setup
    fit: LinkFit
    call: LinkCall
    reliability: float | None
    permutation: PermutationTest | None
    plain: Self | None = None
    beside: Self | None = None
    verdict: Verdict | None = None
    binding: bool = False

    @property
    def settled(self) -> bool:
        """Whether there is a single slope: not where `method="auto"` found that moments and likelihood disagree."""
        return not self.binding or self.verdict is None or self.verdict.settled

    @property
    def rule(self) -> str:
        """Which rule spoke: the estimator, or "not settled"."""
        return self.method if self.settled else "not settled"

    @property
    def parts(self) -> tuple[Self, ...]:
        """The fits that say the slope, each by itself: this one, and where it is not settled the one beside it."""
        if self.settled:
            return (self,)
        alone = replace(self, binding=False)
        return (alone,) if self.beside is None else (alone, self.beside)

    @property
    def moments(self) -> Self | None:
        """The weighted corrected moments by themselves, where they are the fit or beside it."""
        return self._part("moments")

    @property
    def likelihood(self) -> Self | None:
        """The restricted likelihood by itself, where it is the fit or beside it."""
        return self._part("ml")

    def _part(self, method: str) -> Self | None:
        candidates = (replace(self, binding=False), self.beside)
        return next((part for part in candidates if part is not None and part.method == method), None)

    @property
    def cells(self) -> LinkCells:
        """The data: rates, premiums, their covariance."""
        return self.setup.cells

    @property
    def nobs(self) -> int:
        """Number of cells."""
        return self.cells.n

    @property
    def slope(self) -> float:
        """Coefficient of the first premium; NaN where it is not settled (`moments` and `likelihood` have theirs)."""
        self.check_premium("slope")
        return float(self.params[self.cells.premiums[0]])

    @property
    def slope_error(self) -> float:
        """Standard error of the slope."""
        self.check_premium("slope_error")
        return float(self.bse[self.cells.premiums[0]])

    @property
    def attenuation(self) -> float | None:
        """Factor by which sampling error shrinks the naive slope: the reliability."""
        return self.reliability

    @property
    def tau2(self) -> float | None:
        """Variance of the rates beyond premiums, controls and sampling error."""
        return self.fit.tau2

    @property
    def tau2_interval(self) -> tuple[float, float] | None:
        """95 % interval of `tau2`, in a meta-regression."""
        return self.fit.tau2_interval

    @property
    def p_premium(self) -> float | None:
        """p-value of the premium by likelihood ratio, under ml."""
        return self.fit.p_value if self.settled else None

    @property
    def problem(self) -> LinkProblem | None:
        """Arrays behind a corrected fit."""
        return self.fit.problem

    @property
    def interval(self) -> tuple[float, float] | None:
        """95 % interval of the slope, where it is not a number of standard errors: profile, percentiles, hull."""
        return self.fit.interval if self.settled else self.slope_interval()

    @property
    def slopes(self) -> FloatArray | None:
        """Bootstrap draws of the slope."""
        return self.fit.slopes

    @property
    def leave_one_out(self) -> pd.DataFrame:
        """Slope on the premium without each cell: cell, slope."""
        if self.fit.without is None:
            return pd.DataFrame({"cell": [], "slope": []})
        return pd.DataFrame({"cell": list(self.cells.names), "slope": self.fit.without})

    def naive(self) -> Self:
        """Return the least squares fit that takes the premiums as exact."""
        return self if self.plain is None else self.plain

    @property
    def settled_terms(self) -> BoolArray:
        """Whether each coefficient is settled: all are, or none."""
        return np.full(len(self.estimates.values), self.settled)

    def slope_interval(self, alpha: Alpha = 0.05) -> tuple[float, float]:
        """Return the interval of the slope; where it is not settled the hull of those of moments and likelihood."""
        self.check_premium("slope_interval")
        if not self.settled:
            return hull(*(part.slope_interval(alpha) for part in self.parts))
        if self.fit.interval is not None and self.fit.interval_at is not None:
            return self.fit.interval if alpha == 0.05 else self.fit.interval_at(alpha=alpha)
        low, high = super().conf_int(alpha).loc[self.cells.premiums[0]].to_numpy(dtype=float)
        return float(low), float(high)

    def conf_int(self, alpha: Alpha = 0.05) -> pd.DataFrame:
        """Return intervals; under ml that of the premium is from the profile likelihood, else of percentiles.

        Where the slope is not settled each is the hull of the intervals of moments and likelihood.
        """
        if not self.settled:
            frames = [part.conf_int(alpha) for part in self.parts]
            hulls = [hull(*rows) for rows in zip(*(frame.to_numpy(dtype=float) for frame in frames), strict=True)]
            return pd.DataFrame(hulls, index=frames[0].index, columns=frames[0].columns)
        frame = super().conf_int(alpha)
        if self.fit.interval is not None:
            frame.loc[self.cells.premiums[0]] = list(self.slope_interval(alpha))
        return frame

    @property
    def pvalues(self) -> pd.Series[float]:
        """Two-sided p-values; under ml that of the premium is by likelihood ratio; NaN where it is not settled."""
        values = super().pvalues
        if self.fit.p_value is not None and self.settled:
            values[self.cells.premiums[0]] = self.fit.p_value
        return values

    def test(self, hypothesis: str | Sequence[str] | AnyArray, value: float | FloatArray = 0.0) -> TestResult:
        """Test linear hypotheses; under ml one of the premium alone by its profile likelihood, as `tidy` does.

        Refused where the slope is not settled: `moments` and `likelihood` have each a test of their own.
        """
        if not self.settled:
            raise IdentificationError(
                "the slope is not settled, and there is no single test of it: link.moments.test(...) and "
                "link.likelihood.test(...) are those of the estimators by themselves, where there are both."
            )
        result = super().test(hypothesis, value)
        rows, right, _ = parse_hypothesis(hypothesis, value, self.estimates.names)
        at = self.estimates.names.index(self.cells.premiums[0]) if self.cells.premiums else -1
        if self.fit.p_at is None or len(rows) > 1 or np.flatnonzero(rows[0]).tolist() != [at]:
            return result
        p = self.fit.p_at(float(right[0] / rows[0, at]))
        # the t whose p-value this is, on the side of the estimate
        t = float(np.sign(result.estimate[0]) * stats.t.isf(p / 2, result.df_denom))
        return replace(result, statistic=t, p_value=p)

    def tidy(self, alpha: Alpha = 0.05) -> pd.DataFrame:
        """Return one row for each coefficient; `rule` says which rule spoke: the estimator, or "not settled"."""
        return super().tidy(alpha).assign(rule=self.rule)

    def glance(self) -> pd.DataFrame:
        """Return one row about the whole."""
        slopes = None if self.fit.without is None else pd.Series(self.fit.without)
        row: dict[str, Any] = {
            "method": self.method, "rule": self.rule, "nobs": self.cells.n, "reliability": self.reliability,
            "tau": None if self.tau2 is None else float(np.sqrt(self.tau2)),
            "naive_slope": self.plain.slope if self.plain is not None and self.cells.premiums else None,
            "permutation_p": None if self.permutation is None else self.permutation.p_value,
            "slope_min_without_one": None if slopes is None else slopes.min(),
            "slope_max_without_one": None if slopes is None else slopes.max(),
            **self.fit.statistics,
            **self._spreads(),
            **self.further_cell(),
            "boundary": "; ".join(self.fit.boundary) or None,
        }  # fmt: skip
        return pd.DataFrame([{name: value for name, value in row.items() if value is not None}])

    def _spreads(self) -> dict[str, float]:
        """Standard deviation of true premiums by either estimator, and the reliability each implies."""
        if self.verdict is None:
            return {}
        fits = {"moments": self.verdict.moments, "likelihood": self.verdict.likelihood}
        row = {f"sigma_{name}": fit.sigma for name, fit in fits.items() if fit is not None}
        likelihood = self.verdict.likelihood
        implied = {} if likelihood is None else {"reliability_likelihood": likelihood.reliability}
        return {**row, "weighted_reliability": self.verdict.weighted_reliability, **implied}

    def further_cell(self) -> dict[str, float]:
        """Prediction interval of a plain meta-regression at the means of its regressors; nothing of other links."""
        if self.method != "meta" or self.cells.premiums or self.cells.design.effects:
            return {}
        row = self.prediction_interval().iloc[0]
        return {"prediction_low": float(row["prediction_low"]), "prediction_high": float(row["prediction_high"])}

    def prediction_interval(self, at: Mapping[str, float] | None = None, *, alpha: Alpha = 0.05) -> pd.DataFrame:
        """Return the rate that a meta-regression expects, and the interval of the true rate of a further cell.

        x'b -+ t (x'Vx + tau^2)^(1/2), with t of the test in force (Higgins, Thompson and Spiegelhalter 2009).

        Parameters
        ----------
        at : mapping of str to float, optional
            Values of regressors by term; those of the others are their means, and so are all where absent.
        alpha : float
            One minus the coverage of intervals.

        Returns
        -------
        DataFrame
            One row: estimate, std_error, conf_low, conf_high, prediction_low, prediction_high.

        Raises
        ------
        OptionError
            For another method, or a name that is no term.

        Examples
        --------
        >>> import pandas as pd
        >>> import wagegap as wg
        >>> frame = pd.DataFrame({"iso3": list("ABCDE"), "b": [1.0, 2.0, 3.0, 4.0, 5.0], "se": 0.5})
        >>> link = wg.fit_link("rate ~ 1", wg.Estimates.from_table(frame, term="rate"), None, method="meta")
        >>> link.prediction_interval().round(2).iloc[0].tolist()
        [3.0, 0.71, 1.04, 4.96, -1.6, 7.6]
        """
        if self.method != "meta" or self.tau2 is None:
            raise OptionError(f"a prediction interval is of a meta-regression, not {self.method!r}: method='meta'.")
        if self.cells.design.effects:
            raise OptionError("a prediction interval needs a line without absorbed effects: a further cell has none.")
        estimates, x = self.estimates, self.setup.problem.x
        terms = self.setup.terms
        row = x[:, list(self.setup.shown)].mean(axis=0)
        for name, value in (at or {}).items():
            if name not in terms or name == "Intercept":
                raise no_column(name, [term for term in terms if term != "Intercept"], "among the regressors")
            row[terms.index(name)] = float(value)
        expected, variance = float(row @ estimates.values), float(row @ estimates.covariance @ row)
        df = float(estimates.df_resid)
        low, high, _ = t_test(expected, float(np.sqrt(variance)), df, alpha)
        least, most, _ = t_test(expected, float(np.sqrt(variance + self.tau2)), df, alpha)
        columns = ["estimate", "std_error", "conf_low", "conf_high", "prediction_low", "prediction_high"]
        return pd.DataFrame([(expected, np.sqrt(variance), low, high, least, most)], columns=columns)

    def line(self, at: FloatArray, alpha: Alpha = 0.05) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Return the fitted rates at some premiums, controls at their means, with a pointwise band.

        Where the slope is not settled there is no line (NaN), and the band is that of both estimators. A line in log
        odds, or in logs, is brought back to rates.

        Parameters
        ----------
        at : array of shape (k,)
            Premiums, in the unit of the link.
        alpha : float
            One minus the coverage of the band.
        """
        if not self.settled:
            lines = [part.line(at, alpha) for part in self.parts]
            low, high = (np.array([line[i] for line in lines]) for i in (1, 2))
            return np.full(low.shape[1], np.nan), low.min(axis=0), high.max(axis=0)
        cells, coefficients = self.cells, self.estimates
        if not cells.premiums:
            raise OptionError("a meta-regression without a premium has no line to draw.")
        at = np.atleast_1d(given_numbers("at", at))
        if at.ndim != 1:
            raise OptionError(f"at={shown(at)} must be premiums in one row.")
        terms = coefficients.labels["term"].tolist()
        mean = dict(zip(cells.design.names, cells.design.x.mean(axis=0), strict=True))
        rows = np.tile([mean.get(name, 0.0) for name in terms], (len(at), 1))
        rows[:, terms.index(cells.premiums[0])] = at
        fit = rows @ coefficients.values
        # Effects are not among the terms: the line is moved to pass through the means.
        scaled, rate = _SCALES.get(ESTIMATORS[self.method].scale or "", (np.asarray, np.asarray))
        middle = np.interp(cells.p[:, 0].mean(), at, fit)
        shift = float(scaled(cells.y.mean()) - middle) if cells.design.effects else 0.0
        half = stats.t.isf(alpha / 2, coefficients.df_resid) * np.sqrt(
            np.einsum("ij,jk,ik->i", rows, coefficients.covariance, rows)
        )
        return rate(fit + shift), rate(fit + shift - half), rate(fit + shift + half)

    # what questions ask ----------------------------------------------------------------------------------------

    def check_premium(self, question: str, *, single: bool = False, linear: bool = False) -> None:
        """Raise unless the link has a premium, only one where asked, and is linear in it where asked.

        Parameters
        ----------
        question : str
            What was asked, for the message.
        single, linear : bool
            Whether there must be one premium, and a slope.
        """
        refused = {
            f"{question} is about the slope on a premium, and the link has none.": not self.cells.premiums,
            f"{question} takes a link with one premium.": single and len(self.cells.premiums) > 1,
            f"{question} needs a link that is linear in the premium, not {self.method!r}: use 'ml'.": (
                linear and self.fit.unit is not None
            ),
        }
        for message, holds in refused.items():
            if holds:
                raise OptionError(message)

    def check_deviations(self, question: str) -> None:
        """Raise where every cell lies on the line exactly, so that there is nothing to weigh a deviation by.

        Parameters
        ----------
        question : str
            What was asked, for the message.
        """
        if lies_on_line(self.setup.problem.y, self.setup.problem.x):
            raise DataError(
                f"{question} weighs the cells' deviations from the line, and there are none: all {self.cells.n} lie on "
                "the line exactly."
            )

    def cell_at(self, country: str) -> int:
        """Position of a cell by its name, or by the one key that says it; a country by its name or code.

        Parameters
        ----------
        country : str
            Name of a cell; of a country its name or code.
        """
        names, to_read = list(self.cells.names), list(self.cells.names_to_read)
        for spelt in (names, to_read):
            if country in spelt:
                return spelt.index(country)
        keys = self.cells.keys.astype(str)
        levels = {str(level) for _, column in keys.items() for level in column}
        wanted = level_meant(country, sorted(levels))
        rows = [i for i, row in enumerate(keys.to_numpy()) if wanted in row]
        if len(rows) == 1:
            return rows[0]
        if rows:
            raise DataError(f"{country!r} has {len(rows)} cells ({listing(names[i] for i in rows)}): name one of them.")
        near = near_country(country, levels) or did_you_mean(country, names)
        raise DataError(f"no cell {country!r} in the link.{near} Cells: {listing(names, 12)}.")


@public_methods
class Answer(Shown, ABC):
    """An answer to a question about a link: frozen, with a sentence, a frame and a figure."""

    __slots__ = ()

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        public_methods(cls)

    @abstractmethod
    def in_words(self) -> str:
        """Say the answer in one sentence."""

    @abstractmethod
    def tidy(self) -> pd.DataFrame:
        """Return the numbers behind it."""

    @abstractmethod
    def plot(self, ax: AxesLike = None) -> Any:
        """Draw it; takes and returns axes."""

    def _in_session(self) -> str:
        return textwrap.fill(self.in_words(), 80)


def one_row(answer: Any, *left_out: str) -> pd.DataFrame:
    """Put the attributes of an answer in a frame of one row, some of them left out."""
    names = [field.name for field in fields(answer) if field.name not in left_out]
    return pd.DataFrame([{name: getattr(answer, name) for name in names}])


def level_of_rates(cells: LinkCells) -> Scale:
    """Scale of a level of the rates, within what they can be: differences of shares may be negative."""
    scale, bounds = level_of(cells.units[0]), cells.bounds
    return replace(
        scale, bounds=(scale.factor * bounds[0], scale.factor * bounds[1]) if np.isfinite(bounds[0]) else None
    )


def slope_scale(cells: LinkCells, unit: str | None = None) -> Scale:
    """Scale of a slope: the unit of the rates, or another, for a readable step of premium."""
    step, said = step_of(cells.units[1])
    rates = scale_of(cells.units[0] if unit is None else unit)
    return Scale(step * rates.factor, rates.unit, said)


def t_test(estimate: float, error: float, df: float, alpha: Alpha) -> tuple[float, float, float]:
    """Interval and two-sided p-value of an estimate; no p-value without a positive error.

    >>> low, high, p = t_test(2.0, 1.0, 30.0, 0.05)
    >>> round(low, 2), round(high, 2), round(p, 3)
    (-0.04, 4.04, 0.055)
    """
    half = float(stats.t.isf(alpha / 2, df)) * error
    p = float(2 * stats.t.sf(abs(estimate) / error, df)) if error > 0 else np.nan
    return estimate - half, estimate + half, p


def slopes_of(links: Mapping[str, FittedLink], alpha: Alpha = 0.05) -> pd.DataFrame:
    """Slopes with intervals of named links, a row each; of one that is not settled by both estimators: name, ..."""
    rows = [
        (name if link.settled else f"{name}, {part.method}", part.slope, *part.slope_interval(alpha))
        for name, link in links.items()
        for part in link.parts
    ]
    return pd.DataFrame(rows, columns=["name", "estimate", "conf_low", "conf_high"])


def draw_slopes(frame: pd.DataFrame, column: str, ax: Any, *, height: float, cells: LinkCells, alpha: float) -> Any:
    """Draw slopes per step of premium with their intervals, a row each; an infinite end is left open."""
    ax = new_axes(6.3, height) if ax is None else ax
    low, high = (frame[c].where(np.isfinite(frame[c])).to_numpy(dtype=float) for c in ("conf_low", "conf_high"))
    ax = intervals(ax, frame[column].tolist(), frame["estimate"].to_numpy(dtype=float), low, high)
    note_level(ax, 1 - alpha)
    note_names(ax, frame[column].tolist(), "slope", "slopes")
    errors = f",\n{100 * (1 - alpha):g} % intervals"
    return scale_axis(ax, "x", f"slope of {cells.outcome_in_words}", slope_scale(cells), note=errors)
