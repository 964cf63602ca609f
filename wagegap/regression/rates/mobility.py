"""Rates of leaving by cell: emigration, switching of field, staying, with their joint covariance.

The rate of an event in a cell is the weighted share of workers (of the population named) to whom it happened,

    R_c = sum w_i d_i / sum w_i,

a regression on a constant, so that designs, clusters and replicates are those of the premiums, and workers who stand in
both make rates and premiums correlated.

Rates of cells that differ in composition are standardised: directly, by what the rate would be with the composition of
a standard, or indirectly, by the ratio of what happened to what the standard's rates make of the cell's composition.

References
----------
Wilson, E. B. (1927). Probable inference, the law of succession, and statistical inference. Journal of the American
Statistical Association 22, 209-212.
Brown, L., T. Cai and A. DasGupta (2001). Interval estimation for a binomial proportion. Statistical Science 16,
101-133.
Breslow, N. and N. Day (1987). Statistical Methods in Cancer Research II: The Design and Analysis of Cohort Studies,
chapter 2. IARC Scientific Publications 82.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np
import pandas as pd
from scipy import stats

from wagegap._typing import (
    Alpha,
    AxesLike,
    BoolArray,
    ColumnNames,
    Condition,
    Count,
    FloatArray,
    SmallSample,
    WeightKind,
)
from wagegap.errors import (
    DataError,
    EmptyDataError,
    OptionError,
    SmallCellWarning,
    check_option,
    did_you_mean,
    listing,
    warn,
)
from wagegap.estimation.cellwise import least_squares, relate
from wagegap.estimation.column_types import number_or_nan
from wagegap.estimation.covariance.options import CovLike
from wagegap.estimation.estimates import Estimates, join_estimates
from wagegap.estimation.formula import FormulaParts
from wagegap.estimation.result import Result
from wagegap.estimation.spec import refittable
from wagegap.estimation.units import PER_ONE, level_of
from wagegap.panel.events import event_values
from wagegap.panel.panel import Panel, as_panel
from wagegap.panel.rows import domain_of, prepare
from wagegap.regression.rates.same import same_unknown
from wagegap.regression.rates.standardise import standardised

__all__ = ["Rates", "fit_rates", "rates_of"]


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
        Keys, event, n, count and weight of each cell.
    absent : DataFrame
        Keys, event, n and the reason for each cell left out.
    """

    events: tuple[str, ...]
    among: str
    cells: pd.DataFrame
    absent: pd.DataFrame = field(default_factory=pd.DataFrame)

    def in_unit(self, unit: str) -> Rates:
        """Return the rates in another unit of proportions: per cent, per 10,000.

        Parameters
        ----------
        unit : str
            Unit to convert to: "share", "per cent", "per 1,000", "per 10,000".
        """
        return replace(self, estimates=self.estimates.in_unit(unit))

    def net(self, inward: str, outward: str, *, name: str = "net", unit: str | None = None) -> Rates:
        """Return one event less another, such as arrivals less departures, per 10,000 if `unit` says so.

        A net rate may be negative, so that it has no logarithm.

        Parameters
        ----------
        inward, outward : str
            Events.
        name : str
            What the difference is called.
        unit : str
            Its unit.
        """
        for event in (inward, outward):
            if event not in self.events:
                raise OptionError(
                    f"no event {event!r}.{did_you_mean(event, self.events)} Events: {listing(self.events)}."
                )
        labels = self.estimates.labels
        keys = pd.Series(list(zip(*(labels[key] for key in self.estimates.by), strict=True)) or [()] * len(labels))
        is_in, is_out = labels["term"] == inward, labels["term"] == outward
        shared = [key for key in keys[is_in] if key in set(keys[is_out])]
        if not shared:
            raise EmptyDataError(f"no cell has both {inward!r} and {outward!r}.")
        matrix = np.array([(keys == key) * (is_in * 1.0 - is_out * 1.0) for key in shared])
        labels = labels[is_in & keys.isin(shared)].assign(term=name)
        net = replace(self, estimates=self.estimates.map(matrix, labels=labels, title=f"{name} rate"), events=(name,))
        return net if unit is None else net.in_unit(unit)

    def wilson(self, alpha: Alpha = 0.05) -> pd.DataFrame:
        """Return Wilson's intervals with the design's effective sizes, for display: they stay within 0 and 1.

        Where all did the same the size is the number of workers. Differences of rates have no such interval.
        """
        p, n, top = self._effective("Wilson's")
        # [p + z^2 / 2n -+ z sqrt(p (1 - p) / n + z^2 / 4n^2)] / (1 + z^2 / n)
        z2 = stats.norm.isf(alpha / 2) ** 2
        centre = (p + z2 / (2 * n)) / (1 + z2 / n)
        half = np.sqrt(z2) / (1 + z2 / n) * np.sqrt(p * (1 - p) / n + z2 / (4 * n**2))
        # both are exact where nobody did, or everybody
        ends = {"conf_low": np.where(p <= 0, 0.0, centre - half), "conf_high": np.where(p >= 1, 1.0, centre + half)}
        return pd.DataFrame(ends, index=self.estimates.names) * top

    def jeffreys(self, alpha: Alpha = 0.05) -> pd.DataFrame:
        """Return Jeffreys' intervals with the design's effective sizes, for display: they stay within 0 and 1.

        Quantiles of a beta distribution with half an event and half a non-event added; the lower end is 0 where nobody
        did, the upper 1 where all did.
        """
        p, n, top = self._effective("Jeffreys'")
        a, b = n * p + 0.5, n * (1 - p) + 0.5
        ends = {
            "conf_low": np.where(p <= 0, 0.0, stats.beta.ppf(alpha / 2, a, b)),
            "conf_high": np.where(p >= 1, 1.0, stats.beta.isf(alpha / 2, a, b)),
        }
        return pd.DataFrame(ends, index=self.estimates.names) * top

    def standardise(
        self,
        over: str | Sequence[str],
        *,
        standard: Mapping[Any, float] | Mapping[str, Any] | None = None,
        method: Literal["direct", "indirect"] = "direct",
    ) -> Rates:
        """Return rates that do not reflect the composition of their cells.

        Parameters
        ----------
        over : str or sequence of str
            Keys among those the rates were fitted by, whose composition is to be the same: age groups, say.
        standard : mapping, optional
            Share of each level of `over` (a tuple for several), or, of the cells that have these keys, such as
            `{"iso3": "USA"}`, their composition and rates. Everybody in all cells where absent.
        method : {"direct", "indirect"}
            Direct: sum of p_s r_cs with the shares p of the standard. Indirect: r_c / (sum of p_cs r_s) times the
            standard's rate, with its rates r_s; it needs no precise rates of small cells, but two cells so standardised
            are compared with the standard and not with each other.

        Returns
        -------
        Rates
            By the other keys. Composition is taken as given.

        Raises
        ------
        OptionError, DataError

        Examples
        --------
        >>> import wagegap as wg
        >>> data = wg.simulate_panel(countries=3, workers=300, rng=1).panel
        >>> rates = wg.fit_rates(data, "abroad_next", by=["iso3", "educ"])
        >>> rates.standardise("educ").estimates.by
        ['iso3']
        """
        over = [over] if isinstance(over, str) else list(over)
        estimates, cells = standardised(self.estimates, self.cells, over, standard, method)
        return replace(self, estimates=estimates, cells=cells)

    def _effective(self, whose: str) -> tuple[FloatArray, FloatArray, float]:
        """Shares, the sizes at which a binomial has their variance, and what one is in their unit."""
        if not set(self.estimates.labels["term"]) <= set(self.cells["event"]):
            raise OptionError(f"{listing(self.events)} is a difference of rates: {whose} interval is of shares only.")
        top = PER_ONE[self.unit]
        p, v = self.estimates.values / top, np.diag(self.estimates.covariance) / top**2
        same = (p <= 1e-12) | (p >= 1 - 1e-12)
        p = np.where(same, np.round(p), np.clip(p, 0.0, 1.0))
        keys = [*self.estimates.by, "event"]
        workers = self.estimates.labels.rename(columns={"term": "event"})[keys].merge(self.cells, how="left", on=keys)
        with np.errstate(divide="ignore", invalid="ignore"):
            return p, np.where(same, workers["n"], p * (1 - p) / v), top

    def plot(self, ax: AxesLike = None, *, event: str | None = None, alpha: Alpha = 0.05) -> Any:
        """Draw the rates of one event with their intervals, largest first, on new axes where none are given.

        Parameters
        ----------
        ax : Axes, optional
            Where to draw.
        event : str, optional
            Event meant, where there are several.
        alpha : float
            One minus the coverage.

        Examples
        --------
        >>> import wagegap as wg
        >>> made = wg.simulate_panel(countries=3, workers=300, rng=1)
        >>> rates = wg.fit_rates(made.panel, {"emigration": "abroad_next"}, among="ai")
        >>> rates.plot().get_xlabel()
        'emigration (per cent), 95 % intervals'
        """
        from wagegap.regression.figures import draw_cells

        event = self.events[0] if event is None else event
        check_option("event", event, self.events)
        rates = self.estimates.select(term=event)
        rates = rates.select(np.argsort(-rates.values, kind="stable"))
        return draw_cells(rates, ax, alpha, event, level_of(self.unit, observed=rates.values))


@refittable
def fit_rates(  # noqa: PLR0913
    data: Any,
    events: Mapping[str, Condition] | str | Sequence[str],
    *,
    among: Condition | None = None,
    by: ColumnNames | None = None,
    cov: CovLike | None = None,
    small_sample: SmallSample = "stata",
    weights: str | FloatArray | None = None,
    weight_kind: WeightKind | None = None,
    subpop: Condition | BoolArray | None = None,
    min_rows: Count = 30,
    keep_units: bool = True,
) -> Rates:
    """Estimate rates of one or several events in every cell, with the joint covariance.

    Parameters
    ----------
    data : Panel or data frame
        Workers.
    events : mapping of name to column, or column names
        0/1 columns (or shares), expressions of columns, or callables of the data frame; an expression is missing where
        a column of it is, unless the expression itself asks for missing values (`isna`, `notna`).
    among : str or callable, optional
        Whose rates: a 0/1 column, an expression such as `"ai == 1 and year > 2019"`, or a callable of the data frame.
    by : str or sequence of str, optional
        Cell keys; the panel's country where absent.
    cov, small_sample, weights, weight_kind, keep_units
        As in `fit_premiums`.
    min_rows : int
        Cells with fewer rows are left out and listed in `absent`.
    subpop : str, callable, or ndarray of bool of shape (n,), optional
        Rows asked about, as an expression, a callable of the data frame, or a mask: a domain, of which a survey's
        design counts the others' units.

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
    data, weights, weight_kind = domain_of(data, subpop, weights, weight_kind)
    named, panel = _named(events), as_panel(data)
    values = {name: event_values(panel, name, column) for name, column in named.items()}
    rates = rates_of(
        panel, values, among=among, min_rows=min_rows, by=by, cov=cov, small_sample=small_sample, weights=weights,
        weight_kind=weight_kind,
    )  # fmt: skip
    _warn_same(rates)
    return rates if keep_units else rates.without_units()


def rates_of(
    panel: Panel, events: Mapping[str, FloatArray], *, among: Condition | None, min_rows: int, **how: Any
) -> Rates:
    """Rates of events whose values are known for every row of the panel, NaN where they are not.

    Parameters
    ----------
    panel : Panel
        Workers.
    events : mapping of str to ndarray of shape (n,)
        Values by name.
    among, min_rows
        As in `fit_rates`.
    **how
        Options of `panel.rows.prepare`: by, cov, small_sample, weights, weight_kind.
    """
    population = among if among is None or isinstance(among, str) else "those a callable chose"
    subpop = [] if among is None else [(f"outside the subpopulation ({population})", ~_among(panel, among))]
    estimates, cells, absent = zip(
        *(_one_event(panel, name, values, subpop, min_rows, how) for name, values in events.items()), strict=True
    )
    left_out = pd.concat(absent, ignore_index=True)
    if len(left_out):
        keys = left_out.drop(columns=["event", "n", "happened", "weight", "reason"]).astype(str).agg(" ".join, axis=1)
        warn(
            f"{len(keys)} cells are left out, with fewer than {min_rows} rows: {listing(keys)}. They are in .absent.",
            SmallCellWarning,
        )
    # the panel's account of outcomes that are not known is shown with the rates, which are of the others
    notes = [f"{note[0].upper()}{note[1:]}." for note in panel.ledger.notes]
    notes = [f"Among: {population}.", *notes] if population else notes
    joined = same_unknown(replace(join_estimates(*estimates, title="Rates"), notes=tuple(notes)))
    return Rates(joined, tuple(events), population or "everyone", pd.concat(cells, ignore_index=True), left_out)


def _warn_same(rates: Rates) -> None:
    """Say in which cells everybody did the same, so that the error is unknown."""
    estimates = rates.estimates
    same = np.isnan(estimates.variances)
    if not same.any():
        return
    sizes = rates.cells.rename(columns={"event": "term"})
    on = [*estimates.by, "term"]
    merged = estimates.labels[same][on].merge(sizes[[*on, "n"]], how="left", on=on)["n"]
    named = [
        f"{name} {share:g} of {n:,.0f}"
        for name, share, n in zip(
            np.array(estimates.names)[same], np.round(estimates.values[same], 6) + 0.0, merged, strict=True
        )
    ]
    warn(
        f"in {len(named)} of {len(same)} cells everybody did the same, so that the linearised variance is zero, which "
        f"is no error of zero: it is unknown ({listing(named)}). wilson() and jeffreys() give intervals there.",
        SmallCellWarning,
    )


def _named(events: Mapping[str, Condition] | str | Sequence[str]) -> dict[str, Condition]:
    events = [events] if isinstance(events, str) else events
    if not isinstance(events, Mapping | Sequence):
        raise OptionError(f"events={events!r} must name columns, such as {{'emigration': 'abroad_next'}}.")
    if not events:
        raise OptionError("fit_rates needs at least one event, such as {'emigration': 'abroad_next'}.")
    return dict(events) if isinstance(events, Mapping) else {name: name for name in events}


def _among(panel: Panel, among: Condition) -> BoolArray:
    """Rows of the population; missing counts as outside."""
    if not isinstance(among, str) and not callable(among):
        raise OptionError(f"among={among!r} must be a column's name, an expression, or a callable.")
    if not isinstance(among, str) or among not in panel.frame:
        return np.isin(panel.row_ids, panel.filter(among).row_ids)
    values = number_or_nan(panel.frame[among])
    if not (np.isin(values, (0.0, 1.0)) | panel.frame[among].isna().to_numpy()).all():
        raise DataError(
            f"among={among!r} must be 0/1; to name a level write an expression, such as \"{among} == 'x'\"."
        )
    if not (values == 1).any():
        raise EmptyDataError(f"nobody is among {among!r}: it is 1 in none of {len(panel):,} rows.")
    return np.asarray(values == 1)


def _one_event(
    panel: Panel,
    name: str,
    values: FloatArray,
    subpop: Sequence[tuple[str, BoolArray]],
    min_rows: int,
    how: Mapping[str, Any],
) -> tuple[Estimates, pd.DataFrame, pd.DataFrame]:
    """Regress an event on a constant, over the rows of the population in which it is known; cells used and left out."""
    unknown = np.isnan(values)
    if np.logical_or.reduce([unknown, *(outside for _, outside in subpop)]).all():
        raise EmptyDataError(f"event {name!r} is known for nobody among those asked about.\n{panel.ledger}")
    subpop = [*subpop, (f"unknown {name}", unknown)]
    rows = prepare(panel, FormulaParts(name, "1", values=values), subpop=subpop, **how)
    n, weights = rows.count(), rows.observations if rows.weights is None else rows.weights
    frame = rows.cells.keys.assign(
        event=name,
        n=n,
        happened=np.bincount(rows.cells.codes, weights=rows.observations * rows.design.y),
        weight=np.bincount(rows.cells.codes, weights=weights),
    )
    used = n >= min_rows
    if not used.any():
        raise EmptyDataError(
            f"no cell has {min_rows} rows for {name!r}; the largest has {n.max()}: pool, or lower min_rows."
        )
    if not used.all():
        rows = rows.keep(used[rows.cells.codes], "in cells under the minimum")
    labels = pd.DataFrame({"term": [name], "unit": "share"})
    estimates = relate(rows, *least_squares(rows), labels, title=f"Rate of {name}")
    return estimates, frame[used], frame[~used].assign(reason=f"fewer than {min_rows} rows")
