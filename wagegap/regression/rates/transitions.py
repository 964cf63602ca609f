"""Moves between fields, occupations or countries: the matrix of shares, and how mobile it is.

The share of those in an origin who are in a destination next is a rate; rates of all destinations are estimated
jointly, so that whatever they share with premiums of the same workers carries over to mobility indices.

References
----------
Shorrocks, A. (1978). The measurement of mobility. Econometrica 46, 1013-1024.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from wagegap._typing import (
    AxesLike,
    BoolArray,
    ColumnName,
    ColumnNames,
    Condition,
    Count,
    FloatArray,
    SmallSample,
    WeightKind,
)
from wagegap.errors import (
    DataError,
    IdentificationError,
    OptionError,
    check_keys_meet,
    listing,
    no_column,
)
from wagegap.estimation.covariance.options import CovLike
from wagegap.estimation.design import check_keys
from wagegap.estimation.estimates import Estimates
from wagegap.estimation.result import Result
from wagegap.estimation.spec import refittable
from wagegap.panel.panel import Panel, as_panel
from wagegap.panel.rows import cell_keys, domain_of
from wagegap.regression.rates.mobility import rates_of
from wagegap.regression.rates.same import linearised, same_unknown

__all__ = ["Transitions", "fit_transitions"]

_MOST_LEVELS = 500  # more are no code: occupations of ISCO at four digits number 436


@dataclass(frozen=True, eq=False, repr=False)
class Transitions(Result):
    """Moves between fields, occupations or countries.

    Attributes
    ----------
    estimates : Estimates
        Keys of the cell, the origin, and the destination (the term): the share of those in the origin who are in the
        destination next.
    origin, destination : str
        Columns.
    cells : DataFrame
        Keys, origin and n.
    """

    origin: str
    destination: str
    cells: pd.DataFrame

    def matrix(self, **keys: Any) -> pd.DataFrame:
        """Return the matrix of one cell, origins in rows; `iso3="KOR"` says which, where there are several.

        Parameters
        ----------
        **keys : str
            Values of the cell keys.
        """
        shares = self.estimates.select(**keys) if keys else self.estimates
        frame = shares.labels.assign(share=shares.values)
        if frame.duplicated([self.origin, "term"]).any():
            raise OptionError(
                f"there are several cells: name one by {listing(name for name in shares.by if name != self.origin)}."
            )
        table = frame.pivot_table(index=self.origin, columns="term", values="share", observed=True)
        return table.rename_axis(columns=self.destination)

    def plot(self, ax: AxesLike = None, *, at_most: int = 12, **keys: Any) -> Any:
        """Draw the matrix: shares in per cent with their standard errors, origins in rows, stayers set off.

        Parameters
        ----------
        ax : Axes, optional
            Where to draw one matrix.
        at_most : int
            Cells drawn where there are several, those with most rows.
        **keys
            Which cells: `iso3="KOR"`, or a list; all where absent.

        Returns
        -------
        Axes, or ndarray of Axes
            One for each cell where there are several, on one scale of colours.

        Raises
        ------
        OptionError
            For a cell that is not there, or several for the axes given.

        Examples
        --------
        >>> import wagegap as wg
        >>> panel = wg.simulate_panel(countries=2, workers=400, periods=2, rng=1).panel.transitions()
        >>> fit_transitions(panel, "field", "next_field").plot().get_ylabel()
        'field'
        """
        from wagegap.regression.rates.figures import draw_moves

        return draw_moves(
            self.estimates, self.cells, origin=self.origin, destination=self.destination, at_most=at_most, ax=ax,
            keys=keys,
        )  # fmt: skip

    def mobility(self) -> Estimates:
        """Return indices of mobility of each cell, with their joint covariance.

        `shorrocks` (k - trace P) / (k - 1): zero where nobody moves, one where the destination does not depend on the
        origin; `moved`, the mean over origins of the share who left them.

        Raises
        ------
        IdentificationError
            Where a cell lacks an origin or destination.
        """
        shares, labels = self.estimates, self.estimates.labels
        keys = [name for name in shares.by if name != self.origin]
        cells = list(zip(*(labels[name] for name in keys), strict=True)) if keys else [()] * len(labels)
        stays = (labels[self.origin].map(_name_of) == labels["term"].astype(str)).to_numpy()
        rows, indices, shift = [], [], []
        for cell in dict.fromkeys(cells):
            here = np.array([c == cell for c in cells])
            k, origins = int((here & stays).sum()), labels.loc[here, self.origin].nunique()
            if k < 2 or k < origins:
                raise IdentificationError(
                    f"{' '.join(map(str, cell)) or 'the matrix'} has {origins} origin{'' if origins == 1 else 's'} and "
                    f"{k} that are destinations too: an index of mobility needs the same, at least two."
                )
            # (k - trace P) / (k - 1) and (k - trace P) / k
            for index, scale in (("shorrocks", 1 / (k - 1)), ("moved", 1 / k)):
                rows.append(-scale * (here & stays))
                shift.append(k * scale)
                indices.append((*cell, index))
        matrix = np.array(rows)
        frame = pd.DataFrame(indices, columns=[*keys, "term"]).assign(unit="index", comparison="")
        indices_of = linearised(shares).map(
            lambda p: matrix @ p + shift, labels=frame, jacobian=lambda _: matrix, title="Mobility"
        )
        return same_unknown(indices_of)


@refittable
def fit_transitions(  # noqa: PLR0913
    data: Any,
    origin: ColumnName,
    destination: ColumnName,
    *,
    by: ColumnNames = (),
    among: Condition | None = None,
    cov: CovLike | None = None,
    small_sample: SmallSample = "stata",
    weights: str | FloatArray | None = None,
    weight_kind: WeightKind | None = None,
    subpop: Condition | BoolArray | None = None,
    min_rows: Count = 10,
) -> Transitions:
    """Estimate the shares of each origin that are in each destination next.

    Parameters
    ----------
    data : Panel or data frame
        Workers; `panel.transitions()` adds `next_field`, `next_occupation`, `next_country`.
    origin, destination : str
        Columns of now and next, such as `"field"` and `"next_field"`.
    by, among, cov, small_sample, weights, weight_kind
        As in `fit_rates`; a single matrix by default.
    min_rows : int
        Origins with fewer rows are left out, with a warning.
    subpop : str, callable, or ndarray of bool of shape (n,), optional
        Rows asked about, as an expression, a callable of the data frame, or a mask: a domain, of which a survey's
        design counts the others' units.

    Returns
    -------
    Transitions

    Raises
    ------
    ColumnError, OptionError, DataError, EmptyDataError

    Examples
    --------
    >>> import wagegap as wg
    >>> panel = wg.simulate_panel(countries=2, workers=400, periods=2, rng=1).panel.transitions()
    >>> moves = fit_transitions(panel, "field", "next_field")
    >>> moves.matrix().sum(axis=1).round(12).unique().tolist()
    [1.0]
    """
    data, weights, weight_kind = domain_of(data, subpop, weights, weight_kind)
    panel = as_panel(data)
    keys = _keys_of_moves(panel, origin, destination, by)
    check_keys(panel.frame, [origin, destination])
    column = panel.frame[destination]
    now, following = (list(map(_name_of, panel.frame[name].dropna().unique())) for name in (origin, destination))
    check_keys_meet(now, following, "moves", (repr(origin), repr(destination)))
    levels = sorted(column.dropna().unique().tolist(), key=str)
    if len(levels) < 2:
        raise DataError(f"{destination!r} has fewer than two values: there are no moves to count.")
    if len(levels) > _MOST_LEVELS:
        raise DataError(f"{destination!r} has {len(levels):,} values: moves are counted between levels of a code.")
    known = column.notna().to_numpy()
    events = {
        f"{destination} {_name_of(level)}": np.where(known, (column == level).to_numpy(float, na_value=np.nan), np.nan)
        for level in levels
    }
    rates = rates_of(
        panel, events, among=among, min_rows=min_rows, by=[*keys, origin], cov=cov, small_sample=small_sample,
        weights=weights, weight_kind=weight_kind,
    )  # fmt: skip
    shares, first = rates.estimates, next(iter(events))
    assert shares.ledger is not None
    # rows without a destination, which the first event counted, by the name of the column
    losses = tuple(
        replace(loss, reason=f"unknown {destination}") if loss.reason == f"unknown {first}" else loss
        for loss in shares.ledger.losses
    )
    estimates = replace(
        shares,
        labels=shares.labels.assign(
            term=shares.labels["term"].map(dict(zip(events, map(_name_of, levels), strict=True)))
        ),
        ledger=replace(shares.ledger, losses=losses),
        title=f"Moves from {origin} to {destination}",
        spec=None,
    )
    cells = rates.cells[rates.cells["event"] == first].drop(columns=["event", "happened"])
    return Transitions(estimates, origin, destination, cells.reset_index(drop=True))


def _keys_of_moves(panel: Panel, origin: str, destination: str, by: str | Sequence[str]) -> list[str]:
    """Keys of the cells, once origin and destination are two columns, and neither of them a key."""
    for name in (origin, destination):
        if not isinstance(name, str):
            raise OptionError(f"origin and destination must each be the name of one column, not {name!r}.")
        if name not in panel.frame:
            raise no_column(name, panel.frame.columns, "of moves")
    if origin == destination:
        raise OptionError(
            f"{origin!r} is origin and destination: moves are from a column of now to one of next, such as 'field' and "
            "'next_field' (panel.transitions() adds the second)."
        )
    keys = cell_keys(panel, by or ())
    for name, role in ((origin, "origin"), (destination, "destination")):
        if name in keys:
            raise OptionError(
                f"by={name!r} is the {role} of the moves, which the matrix has already: by= names what splits people "
                "into matrices of their own, such as a country."
            )
    return keys


def _name_of(level: Any) -> str:
    """Name of a level, in which codes that missing values made decimal are whole: 2512.0 is '2512'."""
    return str(int(level) if isinstance(level, float | np.floating) and float(level).is_integer() else level)
