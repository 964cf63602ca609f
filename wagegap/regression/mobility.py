"""Rates of leaving by cell: emigration, switching of field, staying, with their joint covariance.

The rate of an event in a cell is the weighted share of workers (of the population named) to whom it happened,

    R_c = sum w_i d_i / sum w_i,

a regression on a constant, so that designs, clusters and replicates are those of the premiums, and workers who stand in
both make rates and premiums correlated.

References
----------
Wilson, E. B. (1927). Probable inference, the law of succession, and statistical inference. Journal of the American
Statistical Association 22, 209-212.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from wagegap._typing import FloatArray, SmallSample, WeightKind
from wagegap.errors import (
    ColumnError,
    DataError,
    EmptyDataError,
    OptionError,
    SmallCellWarning,
    did_you_mean,
    listing,
    warn,
)
from wagegap.estimation.cov import CovLike
from wagegap.estimation.design import FormulaParts, build_design
from wagegap.estimation.estimates import Estimates, join
from wagegap.estimation.result import Result
from wagegap.estimation.spec import Spec
from wagegap.estimation.units import PER_ONE, check_share, conversion
from wagegap.panel.panel import Panel, as_panel
from wagegap.panel.sampling import fit_sample, index_cells, resolve_cov, with_weights

__all__ = ["Rates", "fit_rates"]


@dataclass(frozen=True, eq=False, repr=False)
class Rates(Result):
    """Rates by cell and event.

    Attributes
    ----------
    estimates : Estimates
        A rate for each cell and event (the term), with the joint covariance.
    events : tuple of str
        Names of the events.
    among : str
        Whose rates they are.
    cells : DataFrame
        Keys, event, n and count of each cell.
    absent : DataFrame
        Keys, event, n and the reason for each cell left out.
    """

    events: tuple[str, ...]
    among: str
    cells: pd.DataFrame
    absent: pd.DataFrame = field(default_factory=pd.DataFrame)

    def in_unit(self, unit: str) -> Rates:
        """Return the rates in another unit of proportions: per cent, per 10,000."""
        factor = conversion(self.unit, unit)
        own = self.estimates
        return replace(self, estimates=own.map(factor * np.eye(len(own.values)), labels=own.labels.assign(unit=unit)))

    def net(self, inward: str, outward: str, *, name: str = "net") -> Rates:
        """Return one event less another, such as arrivals less departures."""
        for event in (inward, outward):
            if event not in self.events:
                raise OptionError(
                    f"no event {event!r}.{did_you_mean(event, self.events)} Events: {listing(self.events)}."
                )
        own = self.estimates
        keys = own.labels[own.by].apply(tuple, axis=1)
        is_in, is_out = own.labels["term"] == inward, own.labels["term"] == outward
        shared = [key for key in keys[is_in] if key in set(keys[is_out])]
        matrix = np.array([(keys == key) * (is_in * 1.0 - is_out * 1.0) for key in shared])
        labels = own.labels[is_in & keys.isin(shared)].assign(term=name)
        return replace(self, estimates=own.map(matrix, labels=labels, title=f"{name} rate"), events=(name,))

    def wilson(self, alpha: float = 0.05) -> pd.DataFrame:
        """Return Wilson's intervals with the design's effective sizes, for display: they stay within 0 and 1."""
        top = PER_ONE[self.unit]
        p, v = self.estimates.values / top, np.diag(self.estimates.covariance) / top**2
        with np.errstate(divide="ignore", invalid="ignore"):
            n = np.where(v > 0, p * (1 - p) / v, np.nan)
        z2 = stats.norm.isf(alpha / 2) ** 2
        centre = (p + z2 / (2 * n)) / (1 + z2 / n)
        half = np.sqrt(z2) / (1 + z2 / n) * np.sqrt(p * (1 - p) / n + z2 / (4 * n**2))
        frame = pd.DataFrame({"conf_low": centre - half, "conf_high": centre + half}, index=self.estimates.names)
        return frame * top

    def plot(self, ax: Any = None, *, event: str | None = None, alpha: float = 0.05) -> Any:
        """Draw the rates of one event with their intervals, largest first."""
        from wagegap._display.axes import intervals

        chosen = self.estimates.select(term=event or self.events[0])
        tidy = chosen.tidy(alpha).assign(name=chosen.names).sort_values("estimate", ascending=False)
        ax = intervals(ax, tidy["name"].tolist(), *(tidy[c].to_numpy() for c in ("estimate", "conf_low", "conf_high")))
        ax.set_xlabel(f"{event or self.events[0]} ({self.unit}), {100 * (1 - alpha):g} % intervals")
        return ax


def fit_rates(  # noqa: PLR0913
    data: Any,
    events: Mapping[str, str] | str | Sequence[str],
    *,
    among: str | None = None,
    by: str | Sequence[str] | None = None,
    cov: CovLike | None = None,
    small_sample: SmallSample = "stata",
    weights: str | FloatArray | None = None,
    weight_kind: WeightKind | None = None,
    min_rows: int = 30,
    keep_units: bool = True,
) -> Rates:
    """Estimate rates of one or several events in every cell, with the joint covariance.

    Parameters
    ----------
    data : Panel or data frame
        Workers.
    events : mapping of name to column, or column names
        0/1 columns (or shares), or expressions of columns; missing where unknown.
    among : str, optional
        Whose rates: a 0/1 column or an expression such as `"ai == 1 and year > 2019"`.
    by : str or sequence of str, optional
        Cell keys; the panel's country where absent.
    cov, small_sample, weights, weight_kind, keep_units
        As in `fit_premiums`.
    min_rows : int
        Cells with fewer rows are left out and listed in `absent`.

    Returns
    -------
    Rates
        Shares.

    Raises
    ------
    ColumnError, OptionError, DataError, UnitError, EmptyDataError

    Examples
    --------
    >>> import wagegap as wg
    >>> data = wg.simulate_panel(countries=3, workers=300, rng=1).panel
    >>> rates = wg.fit_rates(data, {"emigration": "abroad_next"}, among="ai", by="iso3")
    >>> rates.estimates.labels["term"].unique().tolist()
    ['emigration']
    """
    if min_rows < 1:
        raise OptionError(f"min_rows={min_rows} must be at least 1.")
    named = _named(events)
    whole = with_weights(as_panel(data), weights, weight_kind)
    keys = (
        [whole.roles.country] if by is None and whole.roles.country else [by] if isinstance(by, str) else list(by or [])
    )
    panel = whole if among is None else _among(whole, among)
    parts = [_one_event(panel, name, column, keys, cov, small_sample, min_rows) for name, column in named.items()]
    _warn_small([part.absent for part in parts], min_rows)
    estimates = join(parts[0].estimates, *(part.estimates for part in parts[1:]), title="Rates")
    arguments = dict(
        events=dict(named), among=among, by=keys, cov=cov, small_sample=small_sample, weight_kind=weight_kind,
        min_rows=min_rows, keep_units=keep_units,
    )  # fmt: skip
    notes = (f"Among: {among}.",) if among else ()
    estimates = replace(estimates, notes=notes, spec=Spec(fit_rates, tuple(arguments.items())))
    cells = pd.concat([part.cells for part in parts], ignore_index=True)
    absent = pd.concat([part.absent for part in parts], ignore_index=True)
    done = Rates(estimates, tuple(named), among or "everyone", cells, absent)
    return done if keep_units else done.without_units()


@dataclass(frozen=True, slots=True, eq=False)
class _Part:
    """Rates of one event, with its cells used and left out."""

    estimates: Estimates
    cells: pd.DataFrame
    absent: pd.DataFrame


def _named(events: Mapping[str, str] | str | Sequence[str]) -> dict[str, str]:
    if isinstance(events, str):
        return {events: events}
    named = dict(events) if isinstance(events, Mapping) else {name: name for name in events}
    if not named:
        raise OptionError("fit_rates needs at least one event, such as {'emigration': 'abroad_next'}.")
    return named


def _among(panel: Panel, among: str) -> Panel:
    if among not in panel.frame:
        return panel.filter(among, reason=f"not {among}")
    values = panel.frame[among]
    known = values.dropna()
    if not pd.api.types.is_bool_dtype(known) and not known.isin([0, 1]).all():
        raise DataError(
            f"among={among!r} must be 0/1; to name a level write an expression, such as {among!r} + ' == 1'."
        )
    return panel.filter(values.fillna(0).astype(bool), reason=f"not {among}")


def _with_event(panel: Panel, name: str, column: str) -> tuple[Panel, str]:
    """Let an event that is an expression be a column."""
    if column in panel.frame:
        return panel, column
    if column.isidentifier():
        raise ColumnError(f"no column {column!r} for event {name!r}.{did_you_mean(column, panel.frame.columns)}")
    try:
        values = panel.frame.eval(column)
    except Exception as error:
        raise DataError(f"cannot evaluate event {name!r}, {column!r}: {error}.") from error
    return panel.assign(**{f"event {name}": pd.Series(values, index=panel.frame.index).astype(float)}), f"event {name}"


def _one_event(
    panel: Panel, name: str, column: str, keys: list[str], cov: CovLike | None, small_sample: SmallSample, min_rows: int
) -> _Part:
    panel, column = _with_event(panel, name, column)
    for key in keys:
        if key not in panel.frame:
            raise ColumnError(f"no column {key!r} for by.{did_you_mean(key, panel.frame.columns)}")
    values = pd.to_numeric(panel.frame[column], errors="coerce").to_numpy(dtype=float, na_value=np.nan)
    check_share(values, "share", f"event {name!r}")
    panel = panel.assign(_event=values)
    everyone = np.arange(len(panel))
    parts = FormulaParts("_event", "1", ())
    design = build_design(panel.frame, parts, ledger=panel.ledger, weights=panel.weights(everyone), also=keys)
    index = index_cells(panel.frame.iloc[design.rows], keys)
    n = np.bincount(index.codes, minlength=len(index.names))
    frame = index.keys.assign(event=name, n=n, happened=np.bincount(index.codes, weights=design.y))
    used = n >= min_rows
    if not used.any():
        raise EmptyDataError(
            f"no cell has {min_rows} rows for {name!r}; the largest has {n.max()}: pool, or lower min_rows."
        )
    if not used.all():
        design = design.take(used[index.codes], "in cells under the minimum", panel.weights(design.rows))
        index = index_cells(panel.frame.iloc[design.rows], keys)
    fitted = fit_sample(
        panel, design, index, [0], cov=resolve_cov(panel, cov, design.rows), small_sample=small_sample
    )  # fmt: skip
    labels = index.keys.assign(term=name, unit="share", comparison="")
    estimates = Estimates(
        labels, fitted.values.ravel(), (fitted.root,), (fitted.matrix,), title=f"Rate of {name}", ledger=design.ledger
    )
    absent = frame[~used].assign(reason=f"fewer than {min_rows} rows")
    return _Part(estimates, frame[used].reset_index(drop=True), absent.reset_index(drop=True))


def _warn_small(absent: Sequence[pd.DataFrame], min_rows: int) -> None:
    frame = pd.concat(list(absent), ignore_index=True)
    if len(frame):
        cells = frame.drop(columns=["event", "n", "happened", "reason"]).astype(str).agg(" ".join, axis=1)
        warn(
            f"{len(frame)} cells are left out, with fewer than {min_rows} rows: {listing(cells)}. They are in .absent.",
            SmallCellWarning,
        )
