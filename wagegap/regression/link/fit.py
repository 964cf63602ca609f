"""Rates on premiums: one door to every estimator of the link.

Y_c = a + b P_c + g'x_c + u_c, where rates and premiums are observed with errors whose joint covariance the first stage
knows. `method="auto"` takes maximum likelihood where that covariance is known, meta-regression where premiums are
exact, and least squares with exact permutation where the premiums' errors are unknown: unknown is never zero.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
from pandas.api.types import is_numeric_dtype

from wagegap._typing import FloatArray, MetaTest, RngLike, Tau2Method
from wagegap.errors import (
    ColumnError,
    CovarianceError,
    DataError,
    MissingValueError,
    OptionError,
    ReliabilityError,
    ReliabilityWarning,
    check_option,
    listing,
    no_column,
    public,
    warn,
)
from wagegap.estimation.reliability import (
    REFUSED_BELOW,
    WARNED_BELOW,
    noise_in_words,
    reliability,
    reliability_in_words,
)
from wagegap.panel.panel import as_pandas
from wagegap.regression.link.cells import LinkCells, are_related, estimates_of, match_cells
from wagegap.regression.link.estimators import fits
from wagegap.regression.link.estimators.meta import META_TESTS, TAU2_METHODS
from wagegap.regression.link.result import Link
from wagegap.regression.link.setup import METHODS, LinkCall, Method, Setup, build_setup

__all__ = ["fit_link"]

_CORRECTED = ("eiv", "ml", "york", "simex", "bootstrap")
_NEEDS_PREMIUM = (*_CORRECTED, "iv", "split", "fractional", "poisson")
_DRAWS = {"simex": 2_000, "fractional": 500, "poisson": 500, "split": 10, "bootstrap": 1_000}


@public
def fit_link(  # noqa: PLR0913
    formula: str,
    rates: Any,
    premiums: Any,
    *,
    data: pd.DataFrame | None = None,
    on: str | Sequence[str] | None = None,
    workers: Any = None,
    method: Method = "auto",
    instruments: Any = None,
    tau2: Tau2Method = "REML",
    test: MetaTest = "knha",
    cov: str | None = None,
    cluster: str | None = None,
    draws: int | None = None,
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
        Estimator: `auto`, `ols`, `meta`, `eiv` (corrected moments), `ml`, `york`, `simex`, `iv`, `fractional` (a share,
        logit), `poisson` (a flow), `split`, `bootstrap`.
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
        When less than half of the premiums' spread is more than sampling error and `force` is false.
    ColumnError, DataError, OptionError, FormulaError, CovarianceError, IdentificationError

    Examples
    --------
    >>> import wagegap as wg
    >>> net = wg.datasets.talent_migration("ai")
    >>> link = wg.fit_link("net_migration ~ premium", net, wg.datasets.published_premiums())
    >>> link.method, link.nobs
    ('ols', 6)
    """
    check_option("method", method, METHODS)
    check_option("tau2", tau2, TAU2_METHODS)
    check_option("test", test, META_TESTS)
    data = None if data is None else as_pandas(data)
    cells = match_cells(formula, rates, premiums, data=data, on=on)
    setup = build_setup(cells, data, cov=cov, cluster=cluster, tau2=tau2, test=test, rng=rng)
    chosen = _chosen(method, cells, instruments)
    number = _DRAWS.get(chosen, 1) if draws is None else _checked_draws(draws)
    stages = fits.Stages(rates, _single(premiums), workers, number, progress)
    z = None
    if chosen == "iv":
        _check_other_source(instruments, premiums)
        z = _instrument_columns(cells, data, instruments)
    link = _fitted(setup, chosen, stages, z, force=force)
    options = dict(
        on=on, method=method, instruments=instruments, tau2=tau2, test=test, cov=cov, cluster=cluster, draws=draws,
        force=force, rng=rng,
    )  # fmt: skip
    return replace(link, call=LinkCall(fit_link, formula, rates, premiums, data, options), setup=setup)


def _fitted(setup: Setup, chosen: Method, stages: fits.Stages, z: FloatArray | None, *, force: bool) -> Link:
    """Fit by the method chosen, after the check of reliability where it corrects for errors."""
    plain = fits.plain_link(setup)
    cells = setup.cells
    known = bool(cells.premiums) and all(cells.known(1 + i) for i in range(len(cells.premiums)))
    share = _reliability(setup) if known else None
    if share is not None and (chosen in _CORRECTED or (chosen in ("fractional", "poisson") and share < 1)):
        _check_reliability(share, setup, plain, force=force)
    plain = replace(plain, reliability=share)
    if chosen == "ols":
        return plain
    if chosen == "meta":
        return fits.meta_link(setup, plain, share)
    if chosen == "iv":
        assert z is not None
        return fits.iv_link(setup, plain, share, z)
    if chosen == "fractional" or chosen == "poisson":
        return fits.bounded_link(setup, plain, share, chosen, stages.draws)
    if chosen == "split":
        return fits.split_link(setup, plain, share, stages)
    assert share is not None
    if chosen == "simex":
        return fits.simex_link(setup, plain, share, stages.draws)
    if chosen == "bootstrap":
        return fits.bootstrap_link(setup, plain, share, stages)
    return {"eiv": fits.eiv_link, "ml": fits.ml_link, "york": fits.york_link}[chosen](setup, plain, share)


def _chosen(method: Method, cells: LinkCells, instruments: Any) -> Method:
    """Say what `auto` means, and refuse what the errors known do not allow."""
    if (method == "iv") != (instruments is not None):
        raise OptionError("method='iv' and instruments= go together: name columns of data, or another source.")
    if not cells.premiums:
        if method in _NEEDS_PREMIUM:
            raise OptionError(f"method={method!r} needs premiums; without them there are 'meta' and 'ols'.")
        return ("meta" if cells.known(0) else "ols") if method == "auto" else method
    if not all(cells.known(1 + i) for i in range(len(cells.premiums))):
        if method in _CORRECTED:
            raise CovarianceError(
                f"method={method!r} needs the premiums' errors, which are unknown: unknown is not zero. method='ols' "
                "gives the naive slope with an exact permutation test."
            )
        return "ols" if method == "auto" else method
    if method != "auto":
        return method
    exact = all(not np.any(cells.block(1 + i, 1 + i)) for i in range(len(cells.premiums)))
    if exact and not cells.known(0):
        return "ols"
    return "meta" if exact else "ml" if len(cells.premiums) == 1 else "eiv"


def _single(premiums: Any) -> Any:
    """The one premium of a dict of one."""
    if isinstance(premiums, Mapping) and len(premiums) == 1:
        return next(iter(premiums.values()))
    return premiums


def _checked_draws(draws: Any) -> int:
    if not isinstance(draws, int | np.integer) or isinstance(draws, bool) or draws < 1:
        raise OptionError(f"draws={draws!r} must be a whole number, 1 or more.")
    return int(draws)


def _instrument_columns(cells: LinkCells, data: pd.DataFrame | None, instruments: Any) -> FloatArray:
    """Values of the instruments in every cell, shape (n, l)."""
    keys = list(cells.keys.columns)
    names = [instruments] if isinstance(instruments, str) else instruments
    if isinstance(names, list | tuple) and all(isinstance(name, str) for name in names):
        if data is None:
            raise ColumnError(f"instruments {listing(names)} are columns of data: pass data=.")
        for name in names:
            if name not in data:
                raise no_column(name, data.columns, "in data for that instrument")
            if not is_numeric_dtype(data[name]):
                raise DataError(f"instrument {name!r} holds {data[name].dtype}, not numbers.")
        side, columns = data[[*keys, *names]], list(names)
    else:
        own = estimates_of(instruments, "instruments")
        side, columns = own.labels[keys].assign(_instrument=own.values), ["_instrument"]
    values = cells.keys.merge(side, on=keys, how="left")[columns].to_numpy(dtype=float)
    lost = ~np.isfinite(values).all(axis=1)
    if lost.any():
        names_lost = [cells.names[i] for i in np.flatnonzero(lost)]
        raise MissingValueError(
            f"instruments are missing in {int(lost.sum())} of {cells.n} cells: {listing(names_lost)}. Leave those out."
        )
    return np.asarray(values)


def _check_other_source(instruments: Any, premiums: Any) -> None:
    """Refuse premiums of the same workers as instruments: their errors are related."""
    if isinstance(instruments, str | list | tuple):
        return
    given = premiums.values() if isinstance(premiums, Mapping) else (premiums,)
    own = estimates_of(instruments, "instruments")
    if any(are_related(own, estimates_of(part, "premiums")) for part in given):
        raise CovarianceError(
            "the instruments are estimated from the workers behind the premiums, so that their errors are related: "
            "take another source, or method='split', which halves the workers."
        )


def _reliability(setup: Setup) -> float:
    """Of the first premium, given every other column."""
    return reliability(setup.x[:, setup.estimated[0]], setup.cells.block(1, 1), setup.others)


def _check_reliability(share: float, setup: Setup, plain: Link, *, force: bool) -> None:
    if share >= WARNED_BELOW:
        return
    if share >= REFUSED_BELOW or force:
        warn(
            f"reliability of the premiums is {reliability_in_words(share)}: "
            f"{noise_in_words(share, 'their spread given the controls')}, and the correction rests on its covariance.",
            ReliabilityWarning,
        )
        return
    name = setup.cells.premiums[0]
    said = f"{share:.2f}, below {REFUSED_BELOW}" if share >= 0 else reliability_in_words(share)
    raise ReliabilityError(
        f"reliability of the premiums is {said}: {noise_in_words(share, 'their spread given the controls')}, and a "
        "corrected interval would mean little. "
        f"Naive slope {plain.slope:.4g} (standard error {float(plain.bse[name]):.3g}, {setup.cells.n} cells). "
        f"{_workers_needed(share)} force=True reports it anyway; method='ols' gives the naive fit."
    )


def _workers_needed(share: float) -> str:
    """Factor on the workers of each cell at which half of the spread would be real."""
    if share <= 0:
        return "The premiums spread no more than their errors, so that no number of workers can be read off."
    factor = (1 - share) / share
    return f"With about {factor:.1f} times as many workers in each cell reliability would be one half."
