"""Will it come to others? Whether the slope differs with traits of countries, such as ageing, and what it is elsewhere.

    Y = a + b P + sum_j (c_j + d_j P) (m_j - middle_j) + g'x + u

The interaction of an estimated premium with a trait is an estimate too. Where the trait is known its error is v m;
where it is itself an estimate m = M + s, such as the pay of seniority or a licence wedge, the product of the two has
the error v M + P s + v s - E v s, whose moments are known up to M and P, and are found without bias from what is
observed:

    E q_r q_s = V m_r m_s + S p_r p_s + C m_r p_s + C' p_r m_s - V S - C C',

V, S and C the covariances of v with v, s with s and v with s in rows r and s. Premium, traits and interactions are then
corrected together by the moments of the link, with its weights, and a jackknife.

References
----------
Fuller, W. A. (1987). Measurement Error Models. Wiley, section 3.1.
Buonaccorsi, J. (2010). Measurement Error: Models, Methods and Applications. Chapman & Hall, chapter 5.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from wagegap._arguments import public
from wagegap._display.axes import PALETTE, apply_style, new_axes
from wagegap._display.facts import note_stroke
from wagegap._display.sentences import Scale, say
from wagegap._display.session import Shown
from wagegap._typing import Alpha, AxesLike, FloatArray, FrameLike
from wagegap.errors import OptionError, ReliabilityError, did_you_mean, listing, shown
from wagegap.estimation.carriers import as_pandas
from wagegap.estimation.reliability import noise_in_words, reliability_in_words
from wagegap.regression.link.estimators.moments import corrected_moments, fit_weighted, weighted_reliability
from wagegap.regression.link.fitted import Answer, FittedLink, level_of_rates, slope_scale, t_test
from wagegap.regression.link.lines import given_controls, label_link, seen_cells, write_legend
from wagegap.regression.link.questions.deviations import moments_line, weights_of
from wagegap.regression.link.questions.shrunken import shrunken_premiums
from wagegap.regression.link.questions.traits import Interaction, Trait, named_traits, with_interactions
from wagegap.regression.link.trait import trait_of

__all__ = ["Moderation", "TraitEffect", "moderate"]

_REFUSED_BELOW = 0.5
"""Share of an interaction's weighted spread, given all else, that must be more than sampling error."""


@dataclass(frozen=True, slots=True, eq=False)
class TraitEffect(Shown):
    """How the slope differs with one trait.

    Attributes
    ----------
    trait : str
        The trait.
    difference, std_error, low, high, p_value : float
        Difference of the slope between the upper and the lower quartile of the trait.
    quartiles : tuple of float
        Lower and upper quartile.
    slopes, slope_errors : tuple of float
        Slopes there, other traits in the middle of theirs, with standard errors.
    reliability : float or None
        Share of the interaction's weighted spread, given all else, that is not sampling error; None where premium and
        trait are taken as exact.
    values : ndarray, shape (n,)
        The trait of each cell.
    """

    trait: str
    difference: float
    std_error: float
    low: float
    high: float
    p_value: float
    quartiles: tuple[float, float]
    slopes: tuple[float, float]
    slope_errors: tuple[float, float]
    reliability: float | None
    values: FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class Moderation(Answer):
    """How the slope differs with traits of countries.

    `trait`, `difference` and the other attributes of a `TraitEffect` are those of the first trait.

    Attributes
    ----------
    effects : tuple of TraitEffect
        One for each trait.
    df : float
        Degrees of freedom of the jackknife.
    alpha : float
        One minus the coverage.
    link : Link
        The link without the interaction.
    projections : DataFrame or None
        For each place or future asked for by `at=`: cell, the traits, slope, slope_low, slope_high, rate, rate_low,
        rate_high, extrapolates.
    """

    effects: tuple[TraitEffect, ...]
    df: float
    alpha: Alpha
    link: FittedLink
    projections: pd.DataFrame | None = None

    @property
    def trait(self) -> str:
        """Name of the first trait."""
        return self.effects[0].trait

    @property
    def difference(self) -> float:
        """Difference of the slope between its quartiles."""
        return self.effects[0].difference

    @property
    def std_error(self) -> float:
        """Standard error of the difference."""
        return self.effects[0].std_error

    @property
    def low(self) -> float:
        """Lower end of its interval."""
        return self.effects[0].low

    @property
    def high(self) -> float:
        """Upper end of its interval."""
        return self.effects[0].high

    @property
    def p_value(self) -> float:
        """Of no difference."""
        return self.effects[0].p_value

    @property
    def at(self) -> tuple[float, float]:
        """Lower and upper quartile."""
        return self.effects[0].quartiles

    @property
    def slopes(self) -> tuple[float, float]:
        """Slopes at the quartiles."""
        return self.effects[0].slopes

    @property
    def slope_errors(self) -> tuple[float, float]:
        """Standard errors of the slopes."""
        return self.effects[0].slope_errors

    @property
    def reliability(self) -> float | None:
        """Reliability of the interaction."""
        return self.effects[0].reliability

    @property
    def values(self) -> FloatArray:
        """The trait of each cell."""
        return self.effects[0].values

    def tidy(self) -> pd.DataFrame:
        """Return the slope at both quartiles of each trait and their difference, a row each."""
        at = "lower quartile", "upper quartile", "difference"
        rows = [
            (effect.trait, name, slope, error, *t_test(slope, error, self.df, self.alpha)[:2])
            for effect in self.effects
            for name, slope, error in zip(
                at, (*effect.slopes, effect.difference), (*effect.slope_errors, effect.std_error), strict=True
            )
        ]
        return pd.DataFrame(rows, columns=["trait", "at", "estimate", "std_error", "conf_low", "conf_high"])

    def in_words(self) -> str:
        """Say whether the slope differs, per step of premium, and what it is where it was asked for."""
        lines = [self._effect_in_words(effect) for effect in self.effects]
        if self.projections is not None:
            lines += [self._projection_in_words(row) for row in self.projections.head(3).to_dict("records")]
            rest = len(self.projections) - 3
            lines += [f"{rest} more are in .projections."] if rest > 0 else []
        exact = all(effect.reliability is None for effect in self.effects)
        return " ".join([*lines, *(["Premiums are taken as exact here."] if exact else [])])

    def _effect_in_words(self, effect: TraitEffect) -> str:
        cells = self.link.cells
        scale, of_trait = slope_scale(cells), Scale(1.0, "", of=effect.trait)
        settled = (
            "these data do not say whether the association differs"
            if not (effect.low > 0 or effect.high < 0)
            else "the association differs more than sampling error explains"
        )
        return say(
            "Per {step} of premium, {outcome} differs by {lower} where {trait} is {at_lower} and by {upper} where it "
            "is {at_upper}; the difference is {difference} ({percent} % interval {interval}, {counted}): {settled}.",
            step=scale.step, outcome=cells.outcome_in_words, lower=scale.slope(effect.slopes[0]), trait=effect.trait,
            at_lower=of_trait.level(effect.quartiles[0]), upper=scale.slope(effect.slopes[1]),
            at_upper=of_trait.level(effect.quartiles[1]),
            difference=scale.slope(effect.difference), percent=f"{100 * (1 - self.alpha):g}",
            interval=scale.interval(effect.low, effect.high), counted=cells.counted(), settled=settled,
        )  # fmt: skip

    def _projection_in_words(self, row: Mapping[Any, Any]) -> str:
        cells = self.link.cells
        scale, level = slope_scale(cells), level_of_rates(cells)
        names = [effect.trait for effect in self.effects]
        where = " and ".join(
            say("{name} is {value}", name=name, value=Scale(1.0, "", of=name).level(row[name])) for name in names
        )
        slope = say(
            "Where {where}{far}, {step} more premium {goes} with {slope} of {outcome} ({percent} % interval "
            "{interval})",
            where=where if row["cell"] is None else f"{where} ({cells.name_of(str(row['cell']))})",
            far=", outside what is seen (an extrapolation)" if row["extrapolates"] else "", step=scale.step,
            goes=scale.goes,
            slope=scale.slope(row["slope"]), outcome=cells.outcome_in_words, percent=f"{100 * (1 - self.alpha):g}",
            interval=scale.interval(row["slope_low"], row["slope_high"]),
        )  # fmt: skip
        if np.isnan(row["rate"]):
            return f"{slope}; what the rate would be there is not said, because the controls determine a trait."
        whose = f"of a further {cells.noun} of average premium" if row["cell"] is None else "there"
        rate = say(
            "the rate {whose} is expected between {low} and {high}", whose=whose,
            low=level.level(row["rate_low"]).bare_copy(), high=level.level(row["rate_high"]),
        )  # fmt: skip
        return f"{slope}. By the same line {rate}."

    def plot(self, ax: AxesLike = None) -> Any:
        """Draw countries by half of the first trait, with the line at either quartile."""
        ax = new_axes(6.3, 4.6) if ax is None else ax
        (p, y), upper = seen_cells(self.link), self.values > np.median(self.values)
        at = np.linspace(p.min(), p.max(), 40)
        entries = []
        halves = ((~upper, PALETTE[0], "o", "up to"), (upper, PALETTE[1], "s", "above"))
        for slope, (rows, color, marker, where) in zip(self.slopes, halves, strict=True):
            (dots,) = ax.plot(p[rows], y[rows], marker, color=color, markersize=4.5, linestyle="none")
            (line,) = ax.plot(at, y.mean() + slope * (at - p.mean()), "--", color=color, linewidth=1.4, zorder=3)
            quartile = "lower" if where == "up to" else "upper"
            entries += [(dots, f"{self.trait} {where} the median"), (line, f"slope at its {quartile} quartile")]
        room = 0.2 * float(np.ptp(y))
        ax.set_ylim(float(y.min()) - room, float(y.max()) + room)
        write_legend(apply_style(ax), entries)
        for _, name in entries[1::2]:
            note_stroke(ax, "line", name)
        return label_link(ax, self.link, given_controls(self.link))


@public
def moderate(
    link: FittedLink,
    trait: Any,
    *,
    data: FrameLike | None = None,
    at: Mapping[str, float] | FrameLike | None = None,
    alpha: Alpha = 0.05,
    force: bool = False,
) -> Moderation:
    """Ask whether the slope differs with traits of countries, and what it and the rates would be elsewhere.

    The moments of the link, with its weights, and a jackknife; under a likelihood those weighted by precision, and
    under least squares without a correction.

    Parameters
    ----------
    link : Link
        With one premium.
    trait : str, Estimates, or a list or dict of them
        Columns of the link's data, or of `data`, as they stand: no expression such as `log(gdp)`. Estimates, such as
        the pay of seniority, have their error carried; a dict names them.
    data : DataFrame, optional
        Where traits are, if not among the link's covariates; a row for each cell.
    at : mapping of str to float, or DataFrame, optional
        Values of traits at which slope and rate are wanted: of one further country, whose other traits are median and
        whose premium and controls are average; or in a future of the link's countries, a row for each, which keep
        their premium and their deviation from the line.
    alpha : float
        One minus the coverage of intervals.
    force : bool
        Answer however low the reliability of the interaction.

    Raises
    ------
    ColumnError, MissingValueError, DataError, OptionError
    CovarianceError
        For estimates of a trait whose errors are unknown.
    ReliabilityError
        When less than half of what is left of an interaction is more than sampling error.

    Examples
    --------
    >>> import pandas as pd
    >>> import wagegap as wg
    >>> net, premiums = wg.datasets.talent_migration("ai"), wg.datasets.country_premiums("kaggle")
    >>> link = wg.fit_link("net_migration ~ premium", net, premiums, method="ols", data=wg.datasets.income())
    >>> answer = moderate(link, "gdp_per_head", at={"gdp_per_head": 60_000})
    >>> answer.low < answer.difference < answer.high, len(answer.projections)
    (True, 1)
    """
    link.check_premium("moderate", single=True)
    traits = named_traits(link, trait, None if data is None else as_pandas(data))
    model = with_interactions(link, traits)
    weights = weights_of(link)
    shares = _shares(model, traits, weights, force=force)
    df = max(link.setup.jackknife_df - (model.problem.k - link.setup.problem.k), 1.0)
    fitted = _Fitted(*_fitted(link, model, traits, weights, force=force), df, alpha)
    effects = tuple(_effect(traits[i], model, i, fitted, share) for i, share in enumerate(shares))
    projections = None if at is None else _projected(link, traits, model, fitted, weights, at)
    return Moderation(effects, df, alpha, link, projections)


@dataclass(frozen=True, slots=True, eq=False)
class _Fitted:
    """Coefficients, their covariance, degrees of freedom and the size of intervals."""

    params: FloatArray
    cov: FloatArray
    df: float
    alpha: Alpha

    def along(self, row: FloatArray, variance: float = 0.0) -> tuple[float, float, float]:
        """A sum of coefficients with its interval, further variance added."""
        value, error = float(row @ self.params), float(np.sqrt(row @ self.cov @ row + variance))
        return value, *t_test(value, error, self.df, self.alpha)[:2]


def _shares(model: Interaction, traits: Sequence[Trait], weights: FloatArray, *, force: bool) -> list[float | None]:
    """Reliability of each interaction; refused where one is mostly noise."""
    problem, shares = model.problem, list[float | None]()
    for trait, place in zip(traits, model.products, strict=True):
        i = problem.estimated.index(place)
        if not problem.v_x[i, i].any():
            shares.append(None)
            continue
        alone = replace(
            problem, estimated=(place,), v_x=problem.v_x[i : i + 1, i : i + 1], v_xy=problem.v_xy[i : i + 1]
        )
        share = weighted_reliability(alone, weights)
        if share < _REFUSED_BELOW and not force:
            raise ReliabilityError(
                f"given premium and {trait.name!r}, {noise_in_words(share, 'what is left of their interaction')} "
                f"(reliability {reliability_in_words(share)}): whether the slope differs cannot be told.",
                "force=True reports it anyway.",
            )
        shares.append(share)
    return shares


def _fitted(
    link: FittedLink, model: Interaction, traits: Sequence[Trait], weights: FloatArray, *, force: bool
) -> tuple[FloatArray, FloatArray]:
    """Coefficients with their jackknife covariance, which is unknown where some deletion has none."""
    problem, names = model.problem, listing([trait.name for trait in traits])
    if problem.n <= problem.k + 1:
        raise OptionError(
            f"{problem.n} cells for {problem.k} coefficients with the interactions of {names}: at least "
            f"{problem.k + 2} are needed. Ask for fewer traits."
        )
    if not corrected_moments(problem, weights, deletions=False).exists[0]:
        raise ReliabilityError(
            f"premium and its interaction with {names} vary no more than their sampling errors, given the rest: "
            "whether the slope differs cannot be told from these data."
        )
    fit = fit_weighted(problem, weights=weights, groups=link.setup.groups)
    if fit.lost and not force:
        raise ReliabilityError(
            f"without one of {len(fit.lost)} cells the interaction with {names} would vary no more than its sampling "
            "error, so that there is no interval.",
            "force=True gives the estimate without one.",
        )
    return fit.params, fit.cov


def _slope_row(model: Interaction, scaled: Sequence[float]) -> FloatArray:
    """Coefficients whose sum is the slope at some values of the traits, in distances of their quartiles."""
    row = np.zeros(model.problem.k)
    row[model.premium] = 1.0
    row[list(model.products)] = scaled
    return row


def _effect(trait: Trait, model: Interaction, i: int, fitted: _Fitted, share: float | None) -> TraitEffect:
    """Slopes at the quartiles of a trait, and their difference."""
    unit = np.eye(len(model.products))[i]
    ends = [_slope_row(model, side * unit) for side in (-0.5, 0.5)]
    rows = np.array([*ends, ends[1] - ends[0]])
    first, second, difference = (rows @ fitted.params).tolist()
    first_error, second_error, error = np.sqrt(np.einsum("ij,jk,ik->i", rows, fitted.cov, rows)).tolist()
    return TraitEffect(
        trait.name, difference, error, *t_test(difference, error, fitted.df, fitted.alpha), trait.quartiles,
        (first, second), (first_error, second_error), share, trait.values,
    )  # fmt: skip


def _projected(
    link: FittedLink, traits: Sequence[Trait], model: Interaction, fitted: _Fitted, weights: FloatArray, at: Any
) -> pd.DataFrame:
    """Slope and rate at other values of the traits: of one further country, or of those of the link."""
    if isinstance(at, Mapping):
        rows = [_of_another(link, traits, model, fitted, weights, _values_at(traits, at))]
    else:
        futures = np.column_stack([trait_of(link, trait.name, as_pandas(at)) for trait in traits])
        rows = _of_the_same(link, traits, model, fitted, futures)
    return pd.DataFrame(rows)


def _values_at(traits: Sequence[Trait], at: Mapping[str, float]) -> FloatArray:
    """Value of each trait: as asked, or the median."""
    names = [trait.name for trait in traits]
    for name, value in at.items():
        if name not in names:
            raise OptionError(f"at= names {shown(name)}, which is no trait asked for.{did_you_mean(str(name), names)}")
        if isinstance(value, bool | str) or not np.isfinite(value):
            raise OptionError(f"at= gives {shown(name)} as {shown(value)}: a finite number is needed.")
    return np.array([float(at.get(trait.name, np.median(trait.values))) for trait in traits])


def _row_of(
    traits: Sequence[Trait], model: Interaction, values: FloatArray, fitted: _Fitted, cell: str | None
) -> dict[str, Any]:
    """A projection without its rate."""
    scaled = [float(trait.scaled(value)) for trait, value in zip(traits, values, strict=True)]
    slope, low, high = fitted.along(_slope_row(model, scaled))
    named = {trait.name: float(value) for trait, value in zip(traits, values, strict=True)}
    outside = any(trait.outside(float(value)) for trait, value in zip(traits, values, strict=True))
    return {
        "cell": cell, **named, "slope": slope, "slope_low": low, "slope_high": high, "rate": np.nan, "rate_low": np.nan,
        "rate_high": np.nan, "extrapolates": outside,
    }  # fmt: skip


def _of_another(
    link: FittedLink, traits: Sequence[Trait], model: Interaction, fitted: _Fitted, weights: FloatArray,
    values: FloatArray,
) -> dict[str, Any]:  # fmt: skip
    """A further country with these traits: the interval is that of its true rate, the spread of rates in it."""
    out = _row_of(traits, model, values, fitted, None)
    if None in model.traits:
        return out
    problem = model.problem
    row = problem.x.mean(axis=0)
    scaled = np.array([float(trait.scaled(value)) for trait, value in zip(traits, values, strict=True)])
    row[[place for place in model.traits if place is not None]] = scaled
    row[list(model.products)] = row[model.premium] * scaled
    spread = moments_line(problem, weights).spread()
    return {**out, **_bounded(link, fitted.along(row, spread))}


def _of_the_same(
    link: FittedLink, traits: Sequence[Trait], model: Interaction, fitted: _Fitted, futures: FloatArray
) -> list[dict[str, Any]]:
    """The link's countries with these traits, premium and deviation from the line as they are."""
    shrunken, problem = shrunken_premiums(link), model.problem
    premiums = shrunken.values
    out = []
    for i, cell in enumerate(link.cells.names):
        row = _row_of(traits, model, futures[i], fitted, cell)
        if None not in model.traits:
            # y_c + sum_j (c_j + d_j P_c) step_j
            steps = np.array([t.scaled(new) - t.scaled(t.values[i]) for t, new in zip(traits, futures[i], strict=True)])
            change = np.zeros(problem.k)
            change[[place for place in model.traits if place is not None]] = steps
            change[list(model.products)] = premiums[i] * steps
            turned = float(fitted.params[list(model.products)] @ steps)
            move = shrunken.move(i, 0.0, -turned)
            rate, low, high = fitted.along(change, move.rate_variance)
            row |= _bounded(link, tuple(float(problem.y[i]) - move.shift + end for end in (rate, low, high)))
        out.append(row)
    return out


def _bounded(link: FittedLink, rates: Sequence[float]) -> dict[str, float]:
    """A rate with its interval, within what it can be."""
    clipped = np.clip(rates, *link.cells.bounds).tolist()
    return dict(zip(("rate", "rate_low", "rate_high"), clipped, strict=True))
