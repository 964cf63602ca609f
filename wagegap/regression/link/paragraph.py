"""What is always printed beside a slope: how it was found, what moments and likelihood make of it, how it may fail.

Every slope of the paragraph is for the same step of premium and in the same unit of the rates, so that the numbers can
be held against each other: a sentence of slopes holds nothing but slopes, one of spreads nothing but spreads.
"""

from __future__ import annotations

import numpy as np

from wagegap._display.numbers import format_p
from wagegap._display.sentences import Scale, say
from wagegap.errors import IdentificationError, listing
from wagegap.estimation.reliability import REFUSED_BELOW, reliability, reliability_in_words
from wagegap.regression.link.estimators.table import ESTIMATORS
from wagegap.regression.link.fitted import FittedLink, level_of_rates, scale_of, slope_scale
from wagegap.regression.link.weak import weak_set_of

__all__ = [
    "headline",
    "naive_in_words",
    "paragraph",
    "slope_in_words",
    "slope_scale_of",
    "unreliable_without",
]

_SAME_STEP = "for the same step"
_MANY = 30
"""Cells, or clusters, from which on an unbounded weak set says that premiums are weak: below, hardly any is bounded."""


def slope_scale_of(link: FittedLink) -> Scale:
    """Scale on which every slope of a link is said."""
    return slope_scale(link.cells, ESTIMATORS[link.method].scale)


def slope_in_words(link: FittedLink) -> str:
    """Say the slope in units: what ten log points (or percentage points) of premium go with."""
    link.check_premium("slope_in_words")
    scale, outcome = slope_scale_of(link), link.cells.outcome_in_words
    low, high = link.slope_interval()
    if not link.settled:
        return _not_settled(link, scale, (low, high))
    given = {"step": scale.step, "goes": scale.goes, "slope": scale.slope(link.slope), "outcome": outcome}
    if np.isnan(low) or np.isnan(high):
        return say("{step} more premium {goes} with {slope} of {outcome} (error unknown)", **given)
    if not (np.isfinite(low) or np.isfinite(high)):
        because = ", because the true premiums might all be equal" if link.method == "ml" else ""
        return (
            f"{scale.step} more premium could go with any change of {outcome}: the 95 % interval is the whole line"
            f"{because}"
        )
    return say(
        "{step} more premium {goes} with {slope} of {outcome} (95 % interval {interval})",
        interval=scale.interval(low, high), **given,
    )  # fmt: skip


def _not_settled(link: FittedLink, scale: Scale, ends: tuple[float, float]) -> str:
    """Say the hull of both intervals, and that there is no single slope."""
    outcome = link.cells.outcome_in_words
    if not np.isfinite(ends).all():
        return f"The slope is not settled: {scale.step} more premium could go with any change of {outcome}"
    return say(
        "The slope is not settled: {step} more premium {goes} with a change of {outcome} anywhere from {interval} "
        "({which})", step=scale.step, goes=scale.goes, outcome=outcome, interval=scale.interval(*ends, bare=False),
        which="both 95 % intervals together" if len(link.parts) > 1 else "95 % interval",
    )  # fmt: skip


def paragraph(link: FittedLink) -> tuple[str, ...]:
    """Say what a reader of the slope must know."""
    lines = [f"Method: {_method(link)}; {link.cells.n} cells."]
    if link.cells.premiums:
        lines = [f"{slope_in_words(link)}.", *_about_verdict(link), *lines, *_about_errors(link)]
    return (*lines, *_about_spread(link), *_about_permutation(link), *_without_one(link))


def headline(link: FittedLink) -> tuple[str, ...]:
    """Say the slope, and why it is not settled where it is not."""
    reasons = link.verdict.reasons if link.verdict is not None and not link.settled else ()
    return (f"{slope_in_words(link)}.", *((f"Why: {'; '.join(reasons)}.",) if reasons else ()))


def _method(link: FittedLink) -> str:
    """The estimator, or both where neither alone decides."""
    titles = [ESTIMATORS[part.method].title for part in link.parts]
    return " and ".join(titles)


def _about_verdict(link: FittedLink) -> list[str]:
    """Why the slope is not settled, and both estimates with the spread of true premiums each finds."""
    verdict = link.verdict
    if verdict is None:
        return []
    why = f"{'; '.join(verdict.reasons)}."
    lines = [] if verdict.settled else [f"Why: {why}" if link.binding else f"Not settled, taken with the other: {why}"]
    scale, spread = slope_scale_of(link), scale_of(link.cells.units[1])
    fits = {"moments": verdict.moments, "likelihood": verdict.likelihood}
    present = {name: fit for name, fit in fits.items() if fit is not None}
    lines += [
        say("By {name}, {same}: {slope} (95 % interval {interval}).", name=name, same=_SAME_STEP,
            slope=scale.slope(fit.slope), interval=scale.interval(*fit.interval))
        for name, fit in present.items()
    ]  # fmt: skip
    sigmas = " and ".join(f"{{{name}}} by {name}" for name in present)
    said = {name: spread.level(fit.sigma) for name, fit in present.items()}
    lines.append(say(f"True premiums differ by a standard deviation of {sigmas}.", **said))
    shares = [f"{reliability_in_words(fit.reliability)} by {name}" for name, fit in present.items()]
    weighted = f"{reliability_in_words(verdict.weighted_reliability)} weighted by precision"
    return [*lines, f"Reliability of the premiums: {', '.join([*shares, weighted])}."]


def _about_errors(link: FittedLink) -> list[str]:
    """Reliability of the premiums, and the slope that takes them as exact."""
    if link.reliability is None:
        return ["Premium error unknown: the slope is not corrected for it, and the interval does not hold it."]
    lines = []
    if link.verdict is None:
        # Only unweighted moments are the naive slope over the reliability.
        share = ", the share to which sampling error shrinks the naive slope" if link.method == "eiv" else ""
        if link.reliability < 0:
            share = ", they spread less than their sampling errors alone would spread them"
        words = reliability_in_words(link.reliability)
        lines.append(f"Reliability of the premiums given the controls: {words}{share}.")
    if link.plain is not None:
        lines.append(_slope_and_error(link.plain))
    weak = _weak_in_words(link)
    return [*lines, weak] if weak else lines


def _weak_in_words(link: FittedLink) -> str:
    """Say the slopes that are not rejected however weak the premiums are, where moments are among the estimators."""
    if link.verdict is None or link.verdict.moments is None or len(link.cells.premiums) > 1:
        return ""
    found, scale = weak_set_of(link), slope_scale_of(link)
    weak = "the premiums are weak" if link.setup.n_groups >= _MANY else "with few cells that says little"
    said = {
        "interval": "slopes from {low} to {high} are not rejected",
        "two rays": "slopes up to {low} and from {high} on are not rejected",
        "whole line": f"no slope is rejected ({weak})",
    }
    return say(
        f"Weak-identification check (Anderson and Rubin), {_SAME_STEP}: {said[found.shape]}.",
        low=scale.slope(found.low).bare_copy(), high=scale.slope(found.high),
    )  # fmt: skip


def _about_spread(link: FittedLink) -> list[str]:
    """Spread beyond sampling error, how much of the whole that is, and what is estimated on its boundary."""
    lines = []
    if link.tau2 is not None:
        scale = scale_of(link.cells.units[0])
        known = link.tau2_interval is not None and link.tau2_interval != (0.0, 0.0)
        ends = np.sqrt(link.tau2_interval or (np.nan, np.nan)).tolist()
        beyond = "premium, controls and sampling error" if link.cells.premiums else "controls and sampling error"
        template = f"Spread of rates beyond {beyond}: tau {{tau}}{' ({low} to {high})' if known else ''}."
        tau, low, high = (scale.level(value) for value in (float(np.sqrt(link.tau2)), *ends))
        lines.append(say(template, tau=tau, low=low.bare_copy(), high=high.bare_copy()))
    statistics = link.fit.statistics
    if np.isfinite(statistics.get("q", np.nan)):
        lines.append(
            f"Q({statistics['q_df']:.0f}) = {statistics['q']:.2f}, p {format_p(statistics['q_p_value'])}; I2 "
            f"{100 * statistics['i2']:.1f} %."
        )
    predicted = link.further_cell()
    if predicted and np.isfinite(predicted["prediction_low"]):
        where = " at the means of the regressors" if len(link.estimates.values) > 1 else ""
        between = level_of_rates(link.cells).between(predicted["prediction_low"], predicted["prediction_high"])
        lines.append(f"95 % prediction interval of a further cell's true rate{where}: {between}.")
    return lines + _boundaries(link)


def _boundaries(link: FittedLink) -> list[str]:
    """Say which parameters are on the boundary, in this fit or the one beside it."""
    lines = [f"On the boundary, {name}: {meaning}." for name, meaning in link.fit.boundary.items()]
    if link.beside is not None:
        lines += [
            f"On the boundary in the {ESTIMATORS[link.beside.method].title.split(',')[0]}, {name}: {meaning}."
            for name, meaning in link.beside.fit.boundary.items()
        ]
    return lines


def _about_permutation(link: FittedLink) -> list[str]:
    """The permutation test of the naive slope."""
    if link.permutation is None:
        return []
    least = 1 / (link.permutation.orders + (0 if link.permutation.exact else 1))
    of = "" if link.cells.premiums else f" of {next(name for name in link.setup.terms if name != 'Intercept')}"
    return [f"Naive slope{of}: {link.permutation}; the smallest attainable is {least:.2g}."]


def _without_one(link: FittedLink) -> list[str]:
    """Range of the slope without one cell, and the cells without which there is none."""
    slopes, name_of = link.leave_one_out, link.cells.name_of
    weak = [name_of(cell) for cell in unreliable_without(link)]
    slopes = slopes.assign(cell=[name_of(cell) for cell in slopes["cell"]])
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
        scale = slope_scale_of(link)
        lines.append(say(
            "Without {which} cell the slope{of}, {same}, is between {least} (without {first}) and {most} (without "
            "{last}).", which="another" if lines else "one", same=_SAME_STEP, first=low["cell"], last=high["cell"],
            of="" if link.settled else f" of the {ESTIMATORS[link.method].title}",
            least=scale.slope(low["slope"]).bare_copy(), most=scale.slope(high["slope"]),
        ))  # fmt: skip
    return lines


def unreliable_without(link: FittedLink) -> list[str]:
    """Cells without which a corrected slope would be refused for low reliability, where it is given with them."""
    problem = link.problem
    if problem is None or link.reliability is None or link.reliability < REFUSED_BELOW:
        return []
    p, v, z = problem.premiums[:, 0], problem.v_x[0, 0], problem.controls
    weak = []
    for i, name in enumerate(link.cells.names):
        rows = np.delete(np.arange(problem.n), i)
        try:
            share = reliability(p[rows], v[np.ix_(rows, rows)], z[rows])
        except IdentificationError:
            continue
        if share < REFUSED_BELOW:
            weak.append(name)
    return weak


def naive_in_words(link: FittedLink) -> str:
    """Say a naive slope by itself, for a reader who is given no other."""
    scale = slope_scale_of(link)
    return say(
        "The naive slope for {step} of premium is {slope} (standard error {error}, {n} cells).", step=scale.step,
        slope=scale.slope(link.slope), error=scale.size(link.slope_error), n=link.cells.n,
    )  # fmt: skip


def _slope_and_error(link: FittedLink) -> str:
    scale = slope_scale_of(link)
    return say(
        "Naive slope, {same}: {slope} (standard error {error}).", same=_SAME_STEP, slope=scale.slope(link.slope),
        error=scale.size(link.slope_error),
    )  # fmt: skip
