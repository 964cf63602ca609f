"""Who leaves, and how: exits of workers in discrete time, one or several that compete.

The hazard of an exit in a period, given that the worker is still there, is a logit, probit, complementary log-log or
linear function of regressors and dummies of the duration; competing exits (leaving the country, leaving the field,
staying) are a multinomial logit, whose probabilities are the cause-specific hazards. What is read off are average
marginal effects and elasticities, average hazards, and cumulative incidence. Rows of a worker go together.

A premium that another stage estimated for each cell can be a regressor. Its errors V_pp reach every number: with
d theta / dp the derivative of the coefficients in the premiums, the covariance gains D V_pp D' and, where workers made
both, the cross terms.

References
----------
Jenkins, S. (1995). Easy estimation methods for discrete-time duration models. Oxford Bulletin of Economics and
Statistics 57, 129-138.
Allison, P. (1982). Discrete-time methods for the analysis of event histories. Sociological Methodology 13, 61-98.
Bartus, T. (2005). Estimation of marginal effects using margeff. Stata Journal 5, 309-329.
Murphy, K. and R. Topel (1985). Estimation and inference in two-step econometric models. Journal of Business & Economic
Statistics 3, 370-379.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Annotated, Any, Literal, Self

import numpy as np
import pandas as pd
from scipy import stats

from wagegap._typing import (
    Alpha,
    AxesLike,
    BoolArray,
    ColumnName,
    ColumnNames,
    Condition,
    FloatArray,
    Formula,
    Information,
    RngLike,
    Singletons,
    SmallSample,
    WeightKind,
)
from wagegap.errors import CovarianceError, OptionError, check_count, check_option
from wagegap.estimation.cellwise import fit_cells, relate
from wagegap.estimation.covariance.options import CovLike
from wagegap.estimation.estimates import Estimates
from wagegap.estimation.result import Result
from wagegap.estimation.spec import refittable
from wagegap.panel.panel import as_panel
from wagegap.panel.rows import domain_of
from wagegap.regression.exits.hazards import HazardTask, fit_hazard
from wagegap.regression.exits.margins import ExitLink
from wagegap.regression.exits.person_periods import ExitCall, ExitLike, as_estimates, rows_at_risk
from wagegap.regression.exits.premium_errors import (
    Simulated,
    extrapolated_cells,
    reliability_notes,
    with_errors_of,
)

__all__ = ["Exits", "band_words", "fit_exits"]

_MODELS = ("logit", "probit", "cloglog", "lpm", "multinomial")


@dataclass(frozen=True, eq=False, repr=False)
class Exits(Result):
    """Hazards of exits.

    Attributes
    ----------
    estimates : Estimates
        Coefficients: keys of the cell, the exit where several compete, the term.
    model : str
        Logit, probit, cloglog, lpm or multinomial.
    exits : tuple of str
        Names of the exits.
    base : str
        Name of staying.
    effects : Estimates or None
        Average marginal effects on the hazard of each exit: the derivative in a number, the change from 0 to 1 or from
        the base level of a factor.
    elasticities : Estimates or None
        Average elasticities of the hazards in numbers.
    hazards, incidence : Estimates or None
        Average hazard of each exit in each period, and cumulative incidence up to it, were the workers to keep the
        regressors of their first row; where `time` was named.
    cells : DataFrame
        Keys, n, workers, and how often each exit happened.
    loglik : float
        Log likelihood, over all cells.
    time : str
        Column of the duration; empty where none was named.
    """

    model: str
    exits: tuple[str, ...]
    base: str
    effects: Estimates | None = None
    elasticities: Estimates | None = None
    hazards: Estimates | None = None
    incidence: Estimates | None = None
    cells: pd.DataFrame = field(default_factory=pd.DataFrame)
    loglik: float = np.nan
    time: str = ""

    def with_cov(self, cov: CovLike, *, small_sample: SmallSample | None = None) -> Self:
        """Return the same result under another covariance, where what was kept allows it."""
        return self._each(lambda own: own.with_cov(cov, small_sample=small_sample))

    def without_units(self) -> Self:
        """Keep the covariance and forget the workers: small, but no longer joinable."""
        return self._each(lambda own: own.without_units())

    def glance(self) -> pd.DataFrame:
        """Return one row about the whole."""
        first = super().glance()
        return first.assign(
            model=self.model, loglik=self.loglik, **{name: self.cells[name].sum() for name in self.exits}
        )

    def bands(self, alpha: Alpha = 0.05, *, uniform: bool = False, reps: int = 2000, rng: RngLike = 0) -> pd.DataFrame:
        """Return cumulative incidence with bands.

        Parameters
        ----------
        alpha : float
            One minus the coverage.
        uniform : bool
            Bands that cover a whole curve (by the largest studentised deviation of random draws), or each point.
        reps : int
            Draws.
        rng : Generator, int or None
            Source of randomness.

        Returns
        -------
        DataFrame
            Keys, exit, time, estimate, std_error, conf_low, conf_high; bands stay within 0 and 1 (by the complementary
            log-log transformation).
        """
        own = self._incidence()
        frame = own.tidy(alpha)[[*own.by, "estimate", "std_error"]]
        critical = np.full(len(frame), stats.norm.isf(alpha / 2))
        if uniform:
            keys = [name for name in own.by if name != "time"]
            curves = frame.groupby(keys, sort=False, observed=True).ngroup().to_numpy()
            ratio = np.abs(own.draws(reps, rng=rng)) / np.maximum(frame["std_error"].to_numpy(), 1e-300)
            for curve in np.unique(curves):
                largest = ratio[:, curves == curve].max(axis=1)
                critical[curves == curve] = np.quantile(largest, 1 - alpha)
        f, s = frame["estimate"].to_numpy(), frame["std_error"].to_numpy()
        inside = (f > 0) & (f < 1)
        safe = np.where(inside, f, 0.5)
        scale = np.where(inside, s / np.abs((1 - safe) * np.log1p(-safe)), 0.0) * critical
        low, high = (1 - (1 - safe) ** np.exp(sign * scale) for sign in (-1, 1))
        return frame.assign(conf_low=np.where(inside, low, f), conf_high=np.where(inside, high, f))

    def plot(self, ax: AxesLike = None, *, exit: str | None = None, alpha: Alpha = 0.05) -> Any:
        """Draw the average marginal effects with their intervals, exits beside each other, on new axes by itself.

        Parameters
        ----------
        ax : Axes, optional
            Where to draw.
        exit : str, optional
            The exit; all where absent.
        alpha : float
            One minus the coverage.

        Returns
        -------
        Axes

        Examples
        --------
        >>> import wagegap as wg
        >>> data = wg.simulate_panel(countries=2, workers=500, rng=1).panel
        >>> wg.fit_exits(data, "abroad_next ~ ai + exper").plot().get_xlabel()
        'average effect on abroad_next (percentage points), 95 % intervals'
        """
        from wagegap.regression.figures import draw_effects

        chosen, name = self.of_exit("effects", exit)
        on = f" on {name}" if name else ""
        return draw_effects({"": chosen}, what=f"average effect{{of}}{on}", ax=ax, alpha=alpha)

    def plot_incidence(
        self,
        ax: AxesLike = None,
        *,
        exit: str | None = None,
        alpha: Alpha = 0.05,
        uniform: bool = False,
        stacked: bool = False,
        **keys: Any,
    ) -> Any:
        """Draw the cumulative incidence of exits with its band.

        Parameters
        ----------
        ax : Axes, optional
            Where to draw.
        exit : str, optional
            One exit, of all cells in one panel; where absent all exits, in a panel for each cell.
        alpha : float
            One minus the coverage.
        uniform : bool
            Bands that cover whole curves.
        stacked : bool
            Exits one upon the other, with the band of their sum.
        **keys
            Which cells, where there are several: `iso3="KOR"`, or a list.

        Returns
        -------
        Axes, or ndarray of Axes
            One for each cell where there are several cells and exits.

        Raises
        ------
        OptionError
            For an exit, a key or a cell that is not there; without a duration; several panels for the axes given.

        Examples
        --------
        >>> import wagegap as wg
        >>> data = wg.simulate_panel(countries=2, workers=500, periods=4, rng=1).panel
        >>> found = wg.fit_exits(data, "abroad_next ~ ai", time="year")
        >>> found.plot_incidence().get_ylabel()
        'cumulative incidence (per cent)'
        """
        from wagegap.regression.exits.figures import draw_incidence

        curves = self.curves(exit=exit, alpha=alpha, uniform=uniform, total=stacked, **keys)
        return draw_incidence(curves, words=band_words(alpha, uniform=uniform), stacked=stacked, ax=ax)

    def curves(
        self,
        name: str = "",
        *,
        exit: str | None = None,
        alpha: Alpha = 0.05,
        uniform: bool = False,
        total: bool = False,
        **keys: Any,
    ) -> list[Any]:
        """Return cumulative incidence with bands for each cell, ready to be drawn.

        Parameters
        ----------
        name : str
            What the fit is called.
        exit, alpha, uniform
            As in `plot_incidence`.
        total : bool
            Whether to add the incidence of any of the exits.
        **keys
            Which cells.

        Returns
        -------
        list of Curves
        """
        from wagegap.regression.exits.figures import curves_of
        from wagegap.regression.figures import chosen_cells

        if exit is not None:
            check_option("exit", exit, self.exits)
        by = [key for key in self._incidence().by if key not in ("exit", "time")]
        frame = chosen_cells(self.bands(alpha, uniform=uniform), by, keys)
        frame = frame if exit is None else frame[frame["exit"] == exit]
        whole = chosen_cells(self._any_exit().bands(alpha, uniform=uniform), by, keys) if total else None
        return curves_of(name, frame, by, whole, time=self.time or "period")

    def _any_exit(self) -> Self:
        """The same with the incidence of any exit, the sum of those of each."""
        own = self._incidence()
        keys = [key for key in own.by if key != "exit"]
        cells = own.labels.groupby(keys, sort=False, observed=True).ngroup().to_numpy()
        matrix = (np.arange(cells.max() + 1)[:, None] == cells) * 1.0
        first = ~pd.Series(cells).duplicated().to_numpy()
        return replace(self, incidence=own.map(matrix, labels=own.labels[first].assign(exit="any")))

    def of_exit(self, kind: Literal["effects", "elasticities"], exit: str | None) -> tuple[Estimates, str]:
        """Return effects or elasticities of one exit, or of all, and its name where it is one.

        Parameters
        ----------
        kind : {"effects", "elasticities"}
            Which.
        exit : str, optional
            The exit.
        """
        own = getattr(self, kind)
        if own is None:
            raise OptionError(f"there are no {kind} to draw: fit with margins=True and a regressor.")
        if exit is not None:
            check_option("exit", exit, self.exits)
        name = exit or (self.exits[0] if len(self.exits) == 1 else "")
        if not name or "exit" not in own.labels:
            return own, name
        chosen = own.select(exit=name)
        return replace(chosen, labels=chosen.labels.drop(columns="exit")), name

    def _incidence(self) -> Estimates:
        if self.incidence is None:
            raise OptionError("there is no cumulative incidence: name the duration in time= (and margins=True).")
        return self.incidence

    def _each(self, change: Callable[[Estimates], Estimates]) -> Self:
        names = ("estimates", "effects", "elasticities", "hazards", "incidence")
        changed: dict[str, Any] = {n: change(getattr(self, n)) for n in names if getattr(self, n) is not None}
        return replace(self, **changed)


@refittable
def fit_exits(  # noqa: PLR0913
    data: Any,
    formula: Formula,
    *,
    exit: ExitLike = None,
    model: ExitLink | None = None,
    time: ColumnName | None = None,
    mundlak: ColumnNames = (),
    premiums: Any = None,
    by: ColumnNames = (),
    base: Annotated[str, "text: what staying is called"] | None = None,
    gaps: Literal["raise", "keep"] = "raise",
    margins: bool = True,
    correction: Literal["simex"] | None = None,
    draws: int = 50,
    rng: RngLike = 0,
    progress: bool = False,
    cov: CovLike | None = None,
    small_sample: SmallSample = "stata",
    information: Information = "observed",
    singletons: Singletons = "drop",
    weights: str | FloatArray | None = None,
    weight_kind: WeightKind | None = None,
    subpop: Condition | BoolArray | None = None,
    keep_units: bool = True,
) -> Exits:
    """Estimate who leaves, and how, from rows of workers and periods.

    Parameters
    ----------
    data : Panel or data frame
        A row for each worker and period at risk.
    formula : str
        `exit ~ regressors`, or `~ regressors` with the exit named in `exit`; columns behind a bar have dummies, which
        are not reported. Groups of them in which a single exit never, or always, happens are left out, but under the
        linear model, where their effect is finite.
    exit : str or mapping of name to column, optional
        A 0/1 column or an expression of columns; several that compete, the first of which counts where several happened
        at once; or, under model="multinomial", a column whose values are the outcomes.
    model : {"logit", "probit", "cloglog", "lpm", "multinomial"}, optional
        Logit for one exit, multinomial logit for several, where absent. Complementary log-log is the proportional
        hazard in grouped time.
    time : str, optional
        Column of the duration: its levels get dummies (the baseline hazard), unless the formula has it already, and
        average hazards and cumulative incidence are given over it. Text ("wave 8", "2019Q4") is in the order of time.
    mundlak : str or sequence of str
        Columns whose means over each worker's rows are added, so that their own coefficients are within workers.
    premiums : result, Estimates, or mapping of name to these, optional
        Estimates by cell, merged by their keys as a column `premium` (or the name) that the formula holds.
    by : str or sequence of str
        Cells with coefficients of their own, estimated jointly; none by itself.
    base : str, optional
        Of a column of outcomes, the one that others are compared with, which must occur. Of exits that are 0/1, which
        are always compared with staying, what staying is called: any word that is no exit's, nor close to one.
    gaps : {"raise", "keep"}
        What to do where a worker misses a period in between.
    margins : bool
        Whether to evaluate effects, elasticities, hazards and incidence.
    correction : {"simex"}, optional
        What to do about the errors of premiums. They are carried into all errors in any case; "simex" takes out besides
        what they add to the spread of the premiums, which pulls coefficients towards zero, by simulation and
        extrapolation. Errors that exits and premiums of the same workers share are not corrected for: `fit_link` does.
    draws, rng, progress
        Pseudo-errors at each of four multiples, their source, and whether to say on stderr how far it is.
    cov : str or object of `wagegap.cov`, optional
        HC0, HC1, CR0:COLUMN, CR1:COLUMN (two-way with +), a survey's design, replicates, a bootstrap, or iid (the
        inverse of the information). What the panel declares, else clusters of workers where they have several rows,
        else HC1.
    information : {"observed", "expected"}
        Information whose inverse is the bread of every covariance: the observed, as Stata has it, or the expected, as
        R's glm has it. They differ under probit and cloglog alone.
    singletons : {"drop", "keep"}
        Under the linear model, rows alone in a level of an effect: as in `fit_linear`.
    small_sample, weights, weight_kind, keep_units
        As in `fit_premiums`.
    subpop : str, callable, or ndarray of bool of shape (n,), optional
        Rows asked about, as an expression, a callable of the data frame, or a mask: a domain, of which a survey's
        design counts the others' units.

    Returns
    -------
    Exits

    Raises
    ------
    ColumnError, OptionError, FormulaError, DataError, DuplicateKeyError, EmptyDataError, IdentificationError
    CovarianceError, JoinError

    Examples
    --------
    >>> import wagegap as wg
    >>> data = wg.simulate_panel(countries=3, workers=500, periods=3, rng=1).panel
    >>> leaving = {"abroad": "abroad_next", "field": "new_field_next"}
    >>> exits = wg.fit_exits(data, "~ ai + exper", exit=leaving, time="year")
    >>> exits.effects.names
    ['abroad ai', 'field ai', 'abroad exper', 'field exper']
    """
    data, weights, weight_kind = domain_of(data, subpop, weights, weight_kind)
    if correction is not None:
        _check_correction(correction, premiums, draws, rng)
    how = dict(by=by or (), cov=cov, small_sample=small_sample, weights=weights, weight_kind=weight_kind)
    given = as_estimates(premiums)
    several = None if model is None else model == "multinomial"
    call = ExitCall(formula, exit, time, mundlak, base, gaps, several, model == "lpm", singletons)
    risk = rows_at_risk(as_panel(data), call, given, how)
    taken = [name for name in risk.rows.by if name in ("exit", "time")]
    if taken:
        raise OptionError(f"by={taken[0]!r}: results have a column of this name themselves; rename yours.")
    chosen = model or ("logit" if len(risk.exits) == 1 else "multinomial")
    task = HazardTask.of(risk, chosen, given, margins=margins, information=information)
    simulated = None if correction is None else Simulated(draws, rng, progress)
    result = _result(task, *_estimated(task, given, simulated))
    return result if keep_units else result.without_units()


# from fits to results ------------------------------------------------------------------------------------------------


def _check_correction(correction: str, premiums: Any, draws: int, rng: RngLike) -> None:
    check_option("correction", correction, ("simex",))
    check_count("draws", draws)
    if premiums is None:
        raise OptionError("correction='simex' corrects for the errors of premiums=, of which none are given.")


def _estimated(
    task: HazardTask, premiums: Mapping[str, Estimates], simulated: Simulated | None
) -> tuple[Estimates, float]:
    """All values of all cells, with the errors of the premiums, and the log likelihood."""
    rows = task.risk.rows
    fits = fit_cells(rows, partial(fit_hazard, task))
    loglik = float(sum(fit.loglik for fit in fits))
    notes = task.risk.notes + reliability_notes(task, premiums, corrected=simulated is not None)
    if simulated is not None:
        if rows.cov.replicated or rows.cov.model_based:  # extended fits have influences, and nothing else
            raise CovarianceError(
                f"cov={str(rows.cov)!r} does not go with correction='simex': use HC1, a cluster or the survey's design."
            )
        fits = extrapolated_cells(task, premiums, fits, simulated)
        notes += (f"Corrected for the errors of premiums by simulation and extrapolation, {simulated.draws} draws.",)
    known = np.isfinite([fit.values for fit in fits])  # collinear columns have no value
    estimates = relate(
        rows, fits, partial(fit_hazard, replace(task, shifts={})), _labels(task), title=f"Exits ({task.model})",
        notes=notes, wanted=known,
    )  # fmt: skip
    for i, (name, premium) in enumerate(premiums.items()):
        estimates = with_errors_of(
            premium, name, estimates, np.vstack([fit.by_premium[i] for fit in fits])[known.ravel()]
        )
    return estimates, loglik


def _labels(task: HazardTask) -> pd.DataFrame:
    """Labels of the values of one cell, in their order, with kind, exit and time among the keys."""
    risk, asked = task.risk, task.questions
    rows: list[tuple[str, str, str, Any]] = []
    rows += [("coefficient", e, term, None) for e in risk.exits for term in risk.names[: risk.n_reported]]
    rows += [("effect", e, variable.term, None) for variable in asked.variables for e in risk.exits]
    rows += [("elasticity", e, slope.term, None) for slope in asked.slopes for e in risk.exits]
    rows += [(kind, e, kind, time) for kind in ("hazard", "incidence") for time in asked.times for e in risk.exits]
    labels = pd.DataFrame(rows, columns=["kind", "exit", "term", "time"])
    if asked.times and not pd.api.types.is_numeric_dtype(pd.Series(asked.times)):
        labels["time"] = pd.Categorical(labels["time"], categories=list(asked.times), ordered=True)
    shares = ["effect", "hazard", "incidence", *(["coefficient"] if task.model == "lpm" else [])]
    return labels.assign(unit=np.where(labels["kind"].isin(shares), "share", "none"), comparison=risk.base)


def _result(task: HazardTask, everything: Estimates, loglik: float) -> Exits:
    """Part coefficients from effects, elasticities, hazards and incidence."""
    risk, labels = task.risk, everything.labels
    parts: dict[str, Estimates | None] = dict.fromkeys(_TITLES)
    for kind, title in _TITLES.items():
        wanted = (labels["kind"] == kind).to_numpy()
        if not wanted.any():
            continue
        drop = ["kind"]
        if kind not in ("hazard", "incidence"):
            drop += ["time", *(["exit"] if task.model != "multinomial" else [])]
        chosen = everything.select(wanted)
        parts[kind] = replace(chosen, labels=chosen.labels.drop(columns=drop), title=title.format(task.model))
    rows = risk.rows
    # a share of leaving counts as an exit
    counts = {name: rows.count(np.ceil(rows.design.y) == j) for j, name in enumerate(risk.exits, start=1)}
    cells = rows.cells.keys.assign(n=rows.count(), **counts)
    if rows.workers is not None:
        cells["workers"] = pd.Series(rows.workers).groupby(rows.cells.codes).nunique().to_numpy()
    assert parts["coefficient"] is not None
    return Exits(
        parts["coefficient"], task.model, risk.exits, risk.base, parts["effect"], parts["elasticity"], parts["hazard"],
        parts["incidence"], cells.reset_index(drop=True), loglik, risk.time or "",
    )  # fmt: skip


_TITLES = {
    "coefficient": "Exits: coefficients ({})",
    "effect": "Exits: average marginal effects ({})",
    "elasticity": "Exits: average elasticities ({})",
    "hazard": "Exits: average hazards ({})",
    "incidence": "Exits: cumulative incidence ({})",
}


def band_words(alpha: Alpha, *, uniform: bool) -> str:
    """What the bands are.

    >>> band_words(0.05, uniform=False)
    'pointwise 95 % bands'
    """
    return f"{'uniform' if uniform else 'pointwise'} {100 * (1 - alpha):g} % bands"
