"""Gravity of occupations: who changes from one occupation, or field, into another.

The flow from occupation j to k over those who stay in j falls with the distance between their tasks,

    log(M_jk / M_jj) = x_jk'b + a_j + c_k + u_jk,

with effects of the occupation left and of the one entered, whose entry costs and attractions they hold. Poisson
pseudo-maximum likelihood keeps the pairs that nobody takes.

References
----------
Cortes, G. M. and G. Gallipoli (2018). The costs of occupational mobility: an aggregate analysis. Journal of the
European Economic Association 16, 275-315.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Literal

import numpy as np
import pandas as pd

from wagegap._typing import BoolArray, ColumnName, Condition, FloatArray
from wagegap.errors import (
    DataError,
    DuplicateKeyError,
    EmptyDataError,
    OptionError,
    check_column,
    listing,
    refuse_rows,
)
from wagegap.estimation.covariance.options import CovLike, Robust
from wagegap.estimation.design import check_columns_meet, check_keys
from wagegap.estimation.formula import required_columns
from wagegap.estimation.spec import refittable
from wagegap.panel.events import known_numbers
from wagegap.panel.panel import Panel, as_panel
from wagegap.panel.rows import domain_of
from wagegap.regression.gravity.flows import Flows, fit_flows

__all__ = ["occupation_gravity"]


@refittable
def occupation_gravity(
    data: Any,
    distance: str,
    *,
    origin: ColumnName,
    target: ColumnName,
    flow: ColumnName,
    family: Literal["poisson", "gaussian"] = "poisson",
    cov: CovLike | None = None,
    subpop: Condition | BoolArray | None = None,
) -> Flows:
    """Fit flows between occupations over stayers on the distance of their tasks.

    Parameters
    ----------
    data : Panel or data frame
        A row for each pair of occupations; those with origin equal to target hold the stayers.
    distance : str
        Regressors, such as `task_distance + same_group`.
    origin, target, flow : str
        Columns.
    family : {"poisson", "gaussian"}
        The ratio with its zeros, or its logarithm without them.
    cov : str or object of `wagegap.cov`, optional
        Covariance; clusters of origin and target (CR1) where absent.
    subpop : str, callable, or ndarray of bool of shape (n,), optional
        Rows asked about, as an expression, a callable of the data frame, or a mask: a domain, of which a survey's
        design counts the others' units.

    Returns
    -------
    Flows

    Raises
    ------
    ColumnError, OptionError, DataError, DuplicateKeyError, EmptyDataError, IdentificationError

    Examples
    --------
    >>> import numpy as np, pandas as pd
    >>> rng = np.random.default_rng(0)
    >>> pairs = pd.MultiIndex.from_product([range(15), range(15)], names=["left", "entered"]).to_frame(index=False)
    >>> pairs["task_distance"] = abs(pairs.left - pairs.entered) / 10
    >>> pairs["moved"] = np.where(pairs.left == pairs.entered, 5000, rng.poisson(300 * np.exp(-pairs.task_distance)))
    >>> fitted = occupation_gravity(pairs, "task_distance", origin="left", target="entered", flow="moved")
    >>> fitted.params.round(1).to_dict()
    {'task_distance': -1.0}
    """
    data, *_ = domain_of(data, subpop)
    panel = as_panel(data)
    for name, purpose in ((origin, "for origin"), (target, "for target"), (flow, "for flow")):
        check_column(name, panel.frame.columns, purpose)
    if "per_stayer" in required_columns(distance, panel.frame):
        raise OptionError(f"distance={distance!r}: the outcome is named 'per_stayer'; rename your column.")
    panel = _known_pairs(panel, origin, target, flow)
    stays = (panel.frame[origin].astype(object) == panel.frame[target].astype(object)).to_numpy(dtype=bool)
    per_stayer = panel.frame[flow].to_numpy() / _stayers(panel.frame, stays, origin, flow)
    twice = int(panel.frame[~stays].duplicated([origin, target]).sum())
    if twice:
        raise DuplicateKeyError(
            f"{twice:,} rows have the {origin!r} and {target!r} of another: add them up first, or choose one period."
        )
    moves = panel.with_columns(per_stayer=per_stayer).filter(~stays, reason="stayers")
    outcome, name = "per_stayer", "Poisson"
    if family == "gaussian":
        moves = moves.filter("per_stayer > 0", reason="pairs that nobody takes")
        outcome, name = "log(per_stayer)", "log-linear"
    formula, clusters = f"{outcome} ~ {distance} | {origin} + {target}", Robust("CR1", (origin, target))
    flows = fit_flows(moves, formula, family=family, cov=clusters if cov is None else cov)
    return replace(flows, estimates=replace(flows.estimates, title=f"Flows over stayers, {name}"))


def _known_pairs(panel: Panel, origin: str, target: str, flow: str) -> Panel:
    """Pairs whose occupations and flow are known, the flow as a number that is not negative."""
    check_keys(panel.frame, [origin, target])
    check_columns_meet(panel.frame[origin], panel.frame[target], "occupations", (repr(origin), repr(target)))
    flows = known_numbers(panel.frame, flow)
    refuse_rows((flows < 0) | np.isinf(flows), DataError, f"{flow!r} is negative or infinite in ", " rows: it counts.")
    panel = panel.with_columns(**{flow: flows})
    for name in (origin, target, flow):
        known = panel.frame[name].notna().to_numpy()
        panel = panel if known.all() else panel.filter(known, reason=f"missing {name}")
    return panel


def _stayers(frame: pd.DataFrame, stays: BoolArray, origin: str, flow: str) -> FloatArray:
    """Number of stayers of each row's origin."""
    staying = frame.loc[stays, [origin, flow]]
    if staying.empty:
        raise EmptyDataError(f"no row has {origin!r} equal to the target: those rows hold the stayers.")
    twice = staying.loc[staying[origin].duplicated(), origin].unique()
    if len(twice):
        raise DuplicateKeyError(f"stayers of {listing(twice)} stand in several rows: add them up first.")
    stayers = frame[origin].map(staying.set_index(origin)[flow]).to_numpy(dtype=float)
    without = frame.loc[~(stayers > 0), origin].unique()
    if len(without):
        raise DataError(
            f"{len(without)} occupation{'s have' if len(without) > 1 else ' has'} no stayers: {listing(without)}. "
            "Leave out those rows."
        )
    return stayers
