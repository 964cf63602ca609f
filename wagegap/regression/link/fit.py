"""Rates on premiums: one door to every estimator of the link.

Y_c = a + b P_c + g'x_c + u_c, where rates and premiums are observed with errors whose joint covariance the first stage
knows. `method="auto"` takes weighted corrected moments from ten cells (or clusters) on and the restricted likelihood
below where that covariance is known, either with the other beside it, and gives no single slope where the two do not
settle on one; meta-regression where premiums are exact; and least squares with exact permutation where the premiums'
errors are unknown: unknown is never zero.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from pandas.api.types import is_numeric_dtype

from wagegap._arguments import public
from wagegap._typing import ColumnNames, Count, FloatArray, Formula, FrameLike, Labels, MetaTest, RngLike, Tau2Method
from wagegap.errors import (
    ColumnError,
    CovarianceError,
    DataError,
    MissingValueError,
    OptionError,
    ReliabilityError,
    ReliabilityWarning,
    WagegapError,
    check_column,
    check_option,
    listing,
    warn,
)
from wagegap.estimation.carriers import as_pandas
from wagegap.estimation.covariance.groupings import Grouping
from wagegap.estimation.covariance.options import parse_cov
from wagegap.estimation.covariance.sources import ErrorSource, ScoreSource, StatedSource
from wagegap.estimation.estimates import Estimates
from wagegap.estimation.least_squares.fit import fit_least_squares
from wagegap.estimation.reliability import (
    REFUSED_BELOW,
    WARNED_BELOW,
    noise_in_words,
    noise_variance,
    reliability,
    reliability_in_words,
)
from wagegap.estimation.sample import Sample
from wagegap.estimation.scores import score_source
from wagegap.regression.link.cells import LinkCells, are_related, estimates_of, match_cells, positions, single_premium
from wagegap.regression.link.estimators.estimator import LinkFit, Options
from wagegap.regression.link.estimators.exact import lies_on_line, rounding_of, unknown_below, without_rounding
from wagegap.regression.link.estimators.moments import precision_weights, weighted_reliability
from wagegap.regression.link.estimators.split import in_every_half
from wagegap.regression.link.estimators.table import ESTIMATORS, Method
from wagegap.regression.link.fitted import LinkCall
from wagegap.regression.link.paragraph import naive_in_words
from wagegap.regression.link.permutation import PermutationTest, permute_slope
from wagegap.regression.link.problem import LinkProblem
from wagegap.regression.link.result import Link
from wagegap.regression.link.setup import Setup, build_setup, is_constant
from wagegap.regression.link.stages import resampled, split_halves
from wagegap.regression.link.verdict import OneEstimate, judge

__all__ = ["fit_link"]

FEWEST_FOR_MOMENTS = 10
"""Cells, or clusters, from which on `method="auto"` takes moments; below, the jackknife has too few deletions."""


@public
def fit_link(  # noqa: PLR0913
    formula: Formula,
    rates: Any,
    premiums: Any,
    *,
    data: FrameLike | None = None,
    on: ColumnNames | None = None,
    workers: Any = None,
    method: Method = "auto",
    instruments: Any = None,
    tau2: Tau2Method = "REML",
    test: MetaTest = "knha",
    cov: str | None = None,
    cluster: str | None = None,
    draws: Count | None = None,
    labels: Labels | None = None,
    force: bool = False,
    rng: RngLike = 0,
    progress: bool = False,
) -> Link:
    """Regress rates on premiums across cells, with the errors of both carried along.

    Parameters
    ----------
    formula : str
        `event ~ premium + controls | effects`: the outcome is a term of the rates, `premium` the estimated regressor.
    rates : Rates or Estimates
        The outcome, with its covariance.
    premiums : Premiums, Estimates, or dict of name -> these, or None
        Estimated regressors; None is a plain meta-regression.
    data : DataFrame, optional
        Covariates, a row for each cell.
    on : str or sequence of str, optional
        Keys to match; those shared where absent.
    workers : Panel or data frame, optional
        The workers behind both stages, for `split`, and for `bootstrap` where results did not keep their units.
    method : str
        Estimator: `auto`, `moments` (corrected, weighted by precision, jackknife), `ml` (restricted likelihood), `ols`,
        `meta`, `eiv` (corrected moments without weights, sandwich), `york`, `simex`, `iv`, `fractional` (a share,
        logit), `poisson` (a flow), `split`, `bootstrap`. `auto` holds moments and likelihood against each other and
        gives the hull of their intervals where they do not settle on one slope.
    instruments : str, sequence of str, Premiums or Estimates, optional
        For `iv`: columns of `data`, or premiums of another source.
    tau2 : str
        Estimator of the variance beyond sampling error, in a meta-regression.
    test : {"z", "t", "knha"}
        Reference distribution there.
    cov : str, optional
        Covariance of `ols`: HC3, or CR2 with a cluster, where absent.
    cluster : str, optional
        Cell key, or column of `data`, within whose values deviations may be correlated.
    draws : int, optional
        Pseudo-errors of `simex`, `fractional` and `poisson`, halvings of `split`, draws of `bootstrap`.
    labels : mapping of str to str, optional
        What sentences and figures call the outcome, and the premiums: `{"outside": "graduates who work elsewhere"}`.
    force : bool
        Report a corrected interval however low the reliability.
    rng : Generator, int or None
        Source of random orders and draws.
    progress : bool
        Report on stderr what takes seconds.

    Returns
    -------
    Link

    Raises
    ------
    ReliabilityError
        When less than half of the premiums' spread is more than sampling error, or `moments` have no interval because
        the slope does not exist without some cell, and `force` is false.
    ColumnError, DataError, OptionError, FormulaError, CovarianceError, IdentificationError

    Examples
    --------
    >>> import wagegap as wg
    >>> net = wg.datasets.talent_migration("ai")
    >>> link = wg.fit_link("net_migration ~ premium", net, wg.datasets.published_premiums())
    >>> link.method, link.nobs
    ('ols', 6)
    """
    data = None if data is None else as_pandas(data)
    arguments = dict(
        formula=formula, rates=rates, premiums=premiums, data=data, on=on, method=method, instruments=instruments,
        tau2=tau2, test=test, cov=cov, cluster=cluster, draws=draws, labels=labels, force=force, rng=rng,
    )  # fmt: skip
    cells = replace(match_cells(formula, rates, premiums, data=data, on=on), labels=dict(labels or {}))
    for name in cells.labels:
        check_option("name in labels=", name, (cells.outcome, *cells.premiums))
    setup = build_setup(cells, data, cov=cov, cluster=cluster)
    chosen = _chosen(method, setup, instruments)
    options = Options(
        setup.groups, tau2, test, ESTIMATORS[chosen].draws if draws is None else int(draws), rng,
        jackknife_df=setup.jackknife_df, force=force,
    )  # fmt: skip
    call = LinkCall(fit_link, arguments)
    problem = setup.problem
    permutation = share = None
    if problem.estimated:
        first = problem.x[:, problem.estimated[0]]
        # Of the first premium, given every other column
        share = reliability(first, cells.block(1, 1), problem.others) if cells.premiums_known else None
        permutation = permute_slope(problem.y, first, problem.others, rng=rng)
    elif _regressors(setup):
        # Of the first regressor of a plain meta-regression
        j = setup.shown[setup.terms.index(_regressors(setup)[0])]
        permutation = permute_slope(problem.y, problem.x[:, j], np.delete(problem.x, j, axis=1), rng=rng)
    build = partial(_link, setup, share, permutation)
    naive = build("ols", ESTIMATORS["ols"].fit(setup.problem, options), call)
    _check_reliability(naive, chosen, force=force)
    if chosen == "ols":
        return naive
    problem, options, notes = _prepared(chosen, setup, options, call, workers, progress=progress)
    fit = ESTIMATORS[chosen].fit(problem, options)
    fit = replace(fit, notes=(*fit.notes, *notes))
    plain = replace(naive, call=call.by("ols")) if fit.naive is None else build(chosen, fit.naive, call)
    link = build(chosen, fit, call, plain=plain, beside=_beside(chosen, problem, options, plain, build))
    return replace(_judged(link), binding=method == "auto")


def _regressors(setup: Setup) -> list[str]:
    """Terms other than the constant."""
    return [name for name in setup.terms if name != "Intercept"]


def _link(
    setup: Setup,
    share: float | None,
    permutation: PermutationTest | None,
    method: str,
    fit: LinkFit,
    call: LinkCall,
    plain: Link | None = None,
    beside: Link | None = None,
) -> Link:
    """Make a link: the one place that does."""
    problem = setup.problem
    if fit.unit is None:
        fit = without_rounding(fit, problem.y, problem.x, problem.estimated[0] if problem.estimated else None)
    return Link(_labelled(setup, fit), method, setup, fit, call, share, permutation, plain, beside)


def _labelled(setup: Setup, fit: LinkFit) -> Estimates:
    """Label the coefficients that are reported, with the covariance that the estimator states, or a robust one."""
    cells, at = setup.cells, list(setup.shown)
    source = _source(setup, fit)
    labels = pd.DataFrame({"term": setup.terms, "unit": fit.unit or cells.units[0], "comparison": ""})
    right = ", ".join(_regressors(setup))
    title = f"{cells.outcome} on {right}" if right else cells.outcome
    about_errors = {
        f"Errors of the rates are unknown{cells.unknown_in_words(0)}; the spread of the residuals holds them.": (
            not cells.known(0)
        ),
        "Errors of rates and premiums come from different data and are taken as independent.": (
            cells.premiums and not cells.related
        ),
    }
    unknown = fit.unit is None and bool(np.isnan(np.diag(source.covariance())).any())
    exact = (_about_exact(setup, fit),) if unknown and lies_on_line(cells.y, setup.problem.x) else ()
    notes = (*exact, *(note for note, holds in about_errors.items() if holds), *fit.notes)
    image = np.eye(len(at))
    return Estimates(
        labels, fit.params[at], (source.reported(image),), (image,), title=title, ledger=cells.ledger, notes=notes
    ).announced()  # fmt: skip


def _source(setup: Setup, fit: LinkFit) -> ErrorSource:
    """Source of error of the coefficients that are reported; errors that are rounding of zero are unknown."""
    at, df = list(setup.shown), setup.df if fit.df is None else fit.df
    if fit.cov is not None:
        return StatedSource("link", fit.cov[np.ix_(at, at)], df, fit.covariance)
    source = _robust(setup, fit)
    cov = unknown_below(source.covariance(), rounding_of(setup.problem.y, setup.problem.x)[at])
    return StatedSource("link", cov, df, source.describe()) if np.isnan(cov).any() else source


def _about_exact(setup: Setup, fit: LinkFit) -> str:
    """Why there is no standard error where no cell is off the line."""
    cells, problem = setup.cells, setup.problem
    exact = list(problem.exact)
    sampling = (
        " test='z' takes the error from the sampling errors alone."
        if fit.tau2 is not None and fit.df != np.inf and problem.v_y.any()
        else ""
    )
    if is_constant(cells.y):
        said = f"{cells.outcome} is {cells.y[0]:.6g} in all {cells.n} cells: slopes are zero, and"
    elif exact and lies_on_line(cells.y, problem.x[:, exact]):
        said = f"The controls make up {cells.outcome} exactly: slopes of premiums are zero, and"
    else:
        said = f"All {cells.n} cells lie on the line exactly:"
    return f"{said} no deviation is left from which a standard error could be estimated.{sampling}"


def _robust(setup: Setup, fit: LinkFit) -> ScoreSource:
    """Robust covariance of least squares on the rows, or on the rows times W^(1/2)."""
    problem = setup.problem
    parsed = parse_cov(setup.cov)
    if parsed.replicated or not (parsed.independent or parsed.clusters):
        raise OptionError(f"cov={setup.cov!r} of a link must be a string such as 'HC3' or 'CR2:iso3'.")
    groupings: dict[str, Any] = {"row": Grouping.from_keys("row", "link", np.arange(problem.n))}
    for name in parsed.clusters:
        if setup.groups is None:
            raise OptionError(f"cov={setup.cov!r} names a cluster: say which with cluster={name!r}.")
        groupings[name] = Grouping.from_keys(name, "link", setup.groups)
    half = np.eye(problem.n) if fit.half_weight is None else fit.half_weight
    sample = Sample(
        half @ problem.y, half @ problem.x, problem.names, (), (), None, None, np.zeros(problem.n, dtype=np.int32),
        ("",), groupings, "link",
    )  # fmt: skip
    cell = sample.cell(0, np.arange(problem.n))
    slopes = fit_least_squares(cell, sample, list(setup.shown), parsed)
    return score_source(sample, [cell], [slopes], cov=parsed, rule="stata")


def _beside(
    method: str, problem: LinkProblem, options: Options, plain: Link, build: Callable[..., Link]
) -> Link | None:
    """Fit the estimator that is shown beside a method's own, where there is one and it exists."""
    other, options = ESTIMATORS[method].beside, replace(options, force=True)
    if plain.cells.shared is not None:
        return None  # the likelihood has a true premium for each cell
    with suppress(WagegapError):
        if other is not None:
            return build(other, ESTIMATORS[other].fit(problem, options), plain.call.by(other), plain=plain)
    return None


def _judged(link: Link) -> Link:
    """Hold moments and likelihood against each other, where the link is of one of them."""
    fits = {part.method: part for part in (link, link.beside) if part is not None}
    moments, likelihood = (_in_short(fits[name]) if name in fits else None for name in ("moments", "ml"))
    if moments is None and likelihood is None:
        return link
    problem = link.setup.problem
    return replace(link, verdict=judge(moments, likelihood, weighted_reliability(problem, precision_weights(problem))))


def _in_short(link: Link) -> OneEstimate:
    """What an estimator says of slope and spread."""
    problem = link.setup.problem
    noise = noise_variance(problem.v_x[0, 0], problem.others)
    sigma2 = 0.0 if link.fit.sigma2 is None else link.fit.sigma2
    # Moments below zero say so: 1 - tr(M V) / p'M p; of the likelihood s^2 / (s^2 + noise)
    by_moments = link.method == "moments" and link.reliability is not None
    share = float(link.reliability or 0.0) if by_moments else sigma2 / (sigma2 + noise) if sigma2 + noise > 0 else 0.0
    return OneEstimate(link.slope, link.slope_interval(), float(np.sqrt(sigma2)), share)


def _chosen(method: Method, setup: Setup, instruments: Any) -> Method:
    """Say what `auto` means, and refuse what the errors known do not allow."""
    cells, estimator = setup.cells, ESTIMATORS.get(method)
    refused = (
        (
            (method == "iv") != (instruments is not None),
            OptionError("method='iv' and instruments= go together: name columns of data, or another source."),
        ),
        (
            estimator is not None and estimator.needs_premium and not cells.premiums,
            OptionError(f"method={method!r} needs premiums; without them there are 'meta' and 'ols'."),
        ),
        (
            estimator is not None and estimator.corrects and not cells.premiums_known,
            CovarianceError(
                f"method={method!r} needs the premiums' errors, which are unknown{cells.unknown_in_words(1)}: unknown "
                "is not zero. method='ols' gives the naive slope with an exact permutation test."
            ),
        ),
        (
            method in ("meta", "york") and not cells.known(0),
            CovarianceError(
                f"method={method!r} needs the errors of the rates, which are unknown{cells.unknown_in_words(0)}: "
                "unknown is not zero. Leave those cells out, or use method='ols'."
            ),
        ),
    )
    shared = None if method != "ml" or not cells.premiums else cells.shared
    if shared is not None:
        raise OptionError(
            f"method='ml' has a true premium for each cell, and {cells.n} cells share {len(np.unique(shared))}: use "
            "method='moments', which knows that their errors are one."
        )
    for holds, error in refused:
        if holds:
            raise error
    return _automatic(setup) if method == "auto" else method


def _automatic(setup: Setup) -> Method:
    """Moments from ten groups on, and of several premiums; else likelihood; other methods where premiums are exact.

    Meta-regression of exact premiums where the errors of the rates are known; least squares where they are not, or
    where those of the premiums are not.
    """
    cells = setup.cells
    if not cells.premiums_known:
        return "ols"
    if any(np.any(cells.block(1 + i, 1 + i)) for i in range(len(cells.premiums))):
        likely = len(cells.premiums) == 1 and cells.shared is None
        return "ml" if likely and setup.n_groups < FEWEST_FOR_MOMENTS else "moments"
    return "meta" if cells.known(0) else "ols"


def _prepared(
    method: str, setup: Setup, options: Options, call: LinkCall, workers: Any, *, progress: bool
) -> tuple[LinkProblem, Options, tuple[str, ...]]:
    """Arrays and options of an estimator: checked where it corrects, with what it takes from workers or instruments."""
    cells, given = setup.cells, call.arguments
    if method == "iv":
        _check_other_source(given["instruments"], given["premiums"])
        options = replace(options, instruments=_instrument_columns(cells, given["data"], given["instruments"]))
    if method not in ("split", "bootstrap"):
        return setup.problem.checked() if ESTIMATORS[method].corrects else setup.problem, options, ()
    if len(cells.premiums) != 1:
        raise OptionError(f"method={method!r} takes one premium, not {len(cells.premiums)}.")
    generator = np.random.default_rng(options.rng)
    stages = given["rates"], single_premium(given["premiums"]), workers
    if method == "bootstrap":
        problem = resampled(cells, setup.problem, *stages, draws=options.draws, rng=generator, progress=progress)
        return problem, replace(options, rng=generator), ()
    if workers is None:
        raise OptionError(f"method={method!r} needs the workers again: pass workers=panel.")
    halves = split_halves(cells, *stages, splits=options.draws, rng=generator, progress=progress)
    lost = [name for name, there in zip(cells.names, in_every_half(halves), strict=True) if not there]
    notes = (f"Too few workers in a half, left out: {listing(lost)}.",) if lost else ()
    return setup.problem, replace(options, halves=halves), notes


def _instrument_columns(cells: LinkCells, data: pd.DataFrame | None, instruments: Any) -> FloatArray:
    """Values of the instruments in every cell, shape (n, l)."""
    names = [instruments] if isinstance(instruments, str) else instruments
    if isinstance(names, list | tuple) and all(isinstance(name, str) for name in names):
        if data is None:
            raise ColumnError(f"instruments {listing(names)} are columns of data: pass data=.")
        for name in names:
            check_column(name, data.columns, "in data for that instrument")
            if not is_numeric_dtype(data[name]):
                raise DataError(f"instrument {name!r} holds {data[name].dtype}, not numbers.")
        labels, columns = data, data[list(names)].to_numpy(dtype=float)
    else:
        source = estimates_of(instruments, "instruments")
        labels, columns = source.labels, source.values[:, None]
    at = positions(cells.keys, labels)
    values = np.where((at >= 0)[:, None], columns[at], np.nan)
    lost = np.array(cells.names)[~np.isfinite(values).all(axis=1)].tolist()
    if lost:
        raise MissingValueError(
            f"instruments are missing in {len(lost)} of {cells.n} cells: {listing(lost)}. Leave those out."
        )
    return np.asarray(values)


def _check_other_source(instruments: Any, premiums: Any) -> None:
    """Refuse premiums of the same workers as instruments: their errors are related."""
    if isinstance(instruments, str | list | tuple):
        return
    source = estimates_of(instruments, "instruments")
    given = premiums.values() if isinstance(premiums, Mapping) else (premiums,)
    if any(are_related(source, estimates_of(part, "premiums")) for part in given):
        raise CovarianceError(
            "the instruments are estimated from the workers behind the premiums, so that their errors are related: "
            "take another source, or method='split', which halves the workers."
        )


def _check_reliability(naive: Link, method: str, *, force: bool) -> None:
    """Warn, or refuse, where an estimator that corrects for errors would rest on premiums that are mostly noise."""
    share, estimator = naive.reliability, ESTIMATORS[method]
    if share is None or share >= WARNED_BELOW or not (estimator.corrects or estimator.scale is not None):
        return
    noise = noise_in_words(share, "their spread given the controls")
    if share >= REFUSED_BELOW or force:
        warn(
            f"reliability of the premiums is {reliability_in_words(share)}: {noise}, and the correction rests on its "
            "covariance.",
            ReliabilityWarning,
        )
        return
    said = f"{share:.2f}, below {REFUSED_BELOW}" if share >= 0 else reliability_in_words(share)
    # Factor on the workers of each cell at which half of the spread would be real
    needed = (
        f"With about {(1 - share) / share:.1f} times as many workers in each cell reliability would be one half."
        if share > 0
        else "The premiums spread no more than their errors, so that no number of workers can be read off."
    )
    raise ReliabilityError(
        f"reliability of the premiums is {said}: {noise}, and a corrected interval would mean little. "
        f"{naive_in_words(naive)} {needed}",
        "force=True reports it anyway; method='ols' gives the naive fit.",
    )
