"""Who moves and where to: scale, selection and sorting of migrants by skill.

With E_sod the number of skill s from origin o in destination d, N_so those who stayed, and W pay by skill and place,

    scale      log(E_sod / N_so)                                  on  W_sd - W_so,
    selection  log(E_1od / E_2od) - log(N_1o / N_2o)              on  (W_1d - W_2d) - (W_1o - W_2o),
    sorting    log(E_1od / E_2od), origin effects absorbed,       on  W_1d - W_2d,

the first skill less the second, beside costs of moving. The three are one model of income maximisation, in which the
coefficient of pay is the same. Whether pay enters in levels or in logarithms decides the sign of the selection that is
predicted: where origins pay less but reward skill relatively more, gaps in levels favour the skilled, and gaps in
logarithms the unskilled. Both are therefore always shown.

References
----------
Borjas, G. (1987). Self-selection and the earnings of immigrants. American Economic Review 77, 531-553.
Grogger, J. and G. Hanson (2011). Income maximization and the selection and sorting of international migrants. Journal
of Development Economics 95, 42-57.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from wagegap.errors import (
    DataError,
    DuplicateKeyError,
    EmptyDataError,
    FormulaError,
    IdentificationError,
    OptionError,
    check_column,
    no_column,
    warn,
)
from wagegap.estimation.covariance.options import CovLike, parse_cov
from wagegap.estimation.design import check_keys
from wagegap.estimation.estimates import Estimates, join
from wagegap.estimation.formula import required_columns
from wagegap.estimation.ledger import Ledger
from wagegap.estimation.result import Result, draw_estimates
from wagegap.estimation.spec import refittable
from wagegap.panel.events import known_numbers
from wagegap.panel.panel import as_panel
from wagegap.regression.gravity.flows import fit_flows

__all__ = ["GroggerHanson", "grogger_hanson", "simulate_migrants"]

_EQUATIONS = ("scale", "selection", "sorting")
_WAGES = ("linear", "log")
_MADE = ("log_odds", "wage_gap", "second_skill")


@dataclass(frozen=True, eq=False, repr=False)
class GroggerHanson(Result):
    """Scale, selection and sorting, with pay in levels and in logarithms.

    Attributes
    ----------
    estimates : Estimates
        Coefficients by equation and kind of wages (the keys), with their joint covariance.
    skills : tuple of str
        Columns of movers, first less second.
    gap : dict
        Mean of (W_1d - W_2d) - (W_1o - W_2o) in levels and in logarithms.
    """

    skills: tuple[str, str]
    gap: dict[str, float]

    def side_by_side(self) -> pd.DataFrame:
        """Return the coefficient of pay with its error: a row for each equation, linear beside log."""
        tidy = self.tidy()
        pay = tidy[tidy["term"] == "wage_gap"].set_index(["wages", "equation"])
        columns = {}
        for wages in _WAGES:
            columns[wages] = pay.loc[wages, "estimate"]
            columns[f"{wages}_std_error"] = pay.loc[wages, "std_error"]
        return pd.DataFrame(columns).loc[list(_EQUATIONS)]

    def plot(self, ax: Any = None, *, alpha: float = 0.05) -> Any:
        """Draw the coefficients of pay in logarithms, which have no unit of money, on new axes where none are given.

        Returns
        -------
        Axes
        """
        chosen = self.estimates.select(term="wage_gap", wages="log")
        return draw_estimates(chosen, ax, alpha, "coefficient of the gap of log pay")

    def predicted_selection(self) -> Estimates:
        """Return the mean selection that pay predicts, the coefficient of the selection equation times the mean gap.

        Positive: the first skill is drawn more than the second, in log points of relative odds.
        """
        chosen = self.estimates.select(equation="selection", term="wage_gap")
        factor = np.diag([self.gap[wages] for wages in chosen.labels["wages"]])
        labels = chosen.labels.assign(term="predicted selection", unit="log points")
        return chosen.map(factor, labels=labels, title="Predicted selection")


@refittable
def grogger_hanson(  # noqa: PLR0913
    data: Any,
    *,
    origin: str,
    destination: str,
    movers: Sequence[str],
    stayers: Sequence[str],
    origin_wages: Sequence[str],
    destination_wages: Sequence[str],
    costs: str = "",
    cov: CovLike | None = None,
) -> GroggerHanson:
    """Fit scale, selection and sorting of migrants, with pay in levels and in logarithms side by side.

    Parameters
    ----------
    data : Panel or data frame
        A row for each origin and destination.
    origin, destination : str
        Columns.
    movers, stayers, origin_wages, destination_wages : pairs of str
        Columns of two skills, in one order: how many moved, how many stayed at the origin, and pay there and in the
        destination, positive and in one currency (thousands read best).
    costs : str
        Further regressors, such as `log(dist) + contig`.
    cov : str or object of `wagegap.cov`, optional
        Covariance by clusters, dyads or places; clusters of destinations (CR1) where absent.

    Returns
    -------
    GroggerHanson
        Pairs without movers of either skill have no log odds; the ledger counts them.

    Raises
    ------
    ColumnError, OptionError, FormulaError, DataError, DuplicateKeyError, EmptyDataError, IdentificationError

    Examples
    --------
    >>> import wagegap as wg
    >>> from wagegap.regression.gravity.grogger_hanson import grogger_hanson, simulate_migrants
    >>> fitted = grogger_hanson(
    ...     simulate_migrants(rng=1), origin="o", destination="d", movers=["skilled", "primary"],
    ...     stayers=["stay_skilled", "stay_primary"], origin_wages=["wo_skilled", "wo_primary"],
    ...     destination_wages=["wd_skilled", "wd_primary"], costs="log(dist)")
    >>> fitted.side_by_side()["linear"].round(2).to_dict()
    {'scale': 0.05, 'selection': 0.05, 'sorting': 0.05}
    """
    columns = dict(movers=movers, stayers=stayers, origin_wages=origin_wages, destination_wages=destination_wages)
    chosen = cov if cov is not None else f"CR1:{destination}"
    _check_cov(chosen)
    panel = as_panel(data)
    _check_costs(panel.frame, costs)
    frame, ledger = _pairs(panel.frame, panel.ledger, (origin, destination), columns)
    fits, said = _fits(frame, columns, costs, origin, chosen)
    if said:
        warn(*said)
    joined = join(fits[0], *fits[1:], title="Scale, selection and sorting")
    gap = {wages: float(np.mean(_gap(frame, columns, wages))) for wages in _WAGES}
    notes = tuple(f"Mean gap of gaps, {wages} wages: {value:.3f}." for wages, value in gap.items())
    joined = replace(joined, ledger=ledger, notes=notes)
    return GroggerHanson(joined, (movers[0], movers[1]), gap)


def simulate_migrants(
    origins: int = 25, destinations: int = 15, *, slope: float = 0.05, noise: float = 0.3, rng: Any = None
) -> pd.DataFrame:
    """Simulate migrants of two skills whose log odds rise by `slope` with each thousand of pay gained.

    Returns
    -------
    DataFrame, a row for each origin and destination
        Columns o, d, dist, skilled, primary, stay_*, wo_*, wd_*.
    """
    generator = np.random.default_rng(rng)
    frame = pd.MultiIndex.from_product([range(origins), range(destinations)], names=["o", "d"]).to_frame(index=False)
    base_o, base_d = generator.uniform(2, 12, origins), generator.uniform(15, 40, destinations)
    return_o, return_d = generator.uniform(1.8, 3.5, origins), generator.uniform(1.3, 2.2, destinations)
    frame["dist"] = generator.uniform(200, 9000, len(frame))
    shared = -4 - 0.4 * np.log(frame["dist"] / 1000) + generator.normal(scale=noise, size=len(frame))
    for skill, times_o, times_d in (("skilled", return_o, return_d), ("primary", 1.0, 1.0)):
        frame[f"wo_{skill}"] = (base_o * times_o)[frame["o"]]
        frame[f"wd_{skill}"] = (base_d * times_d)[frame["d"]]
        frame[f"stay_{skill}"] = generator.uniform(1e6, 1e7, origins)[frame["o"]]
        gain = slope * (frame[f"wd_{skill}"] - frame[f"wo_{skill}"])
        own = generator.normal(scale=noise / 3, size=len(frame))
        frame[skill] = frame[f"stay_{skill}"] * np.exp(shared + gain + own)
    return frame


def _check_cov(cov: CovLike) -> None:
    parsed = parse_cov(cov)
    if parsed.replicated or parsed.independent:
        raise OptionError(
            f"cov={str(parsed)!r}: the equations share destinations and origins; use clusters or dyads, such as "
            "'CR1:destination'."
        )


def _check_costs(frame: pd.DataFrame, costs: str) -> None:
    """Raise unless costs are regressors of the data, none of them named as the equations name their own."""
    if not isinstance(costs, str):
        raise OptionError(f"costs={costs!r} must be text, such as 'log(dist) + contig'.")
    if "~" in costs or "|" in costs:
        raise FormulaError(f"costs={costs!r} are regressors alone, such as 'log(dist) + contig': no tilde and no bar.")
    used = required_columns(costs, frame) if costs.strip() else []
    taken = [name for name in used if name in _MADE]
    if taken:
        raise OptionError(f"costs={costs!r}: the equations have a {taken[0]!r} of their own; rename your column.")


def _pairs(
    frame: pd.DataFrame, ledger: Ledger, places: tuple[str, str], columns: dict[str, Sequence[str]]
) -> tuple[pd.DataFrame, Ledger]:
    """Rows with movers of both skills, checked."""
    for purpose, names in columns.items():
        pair = list(names) if isinstance(names, Sequence) and not isinstance(names, str) else []
        if len(pair) != 2 or pair[0] == pair[1]:
            raise OptionError(f"{purpose}={names!r} must be two columns that differ, one for each skill.")
        for name in names:
            if name not in frame:
                raise no_column(name, frame.columns, f"for {purpose}")
    everything = [name for names in columns.values() for name in names]
    _check_places(frame, places)
    frame = frame.assign(**{name: known_numbers(frame, name) for name in everything})
    known = frame[[*everything, *places]].notna().all(axis=1)
    ledger = ledger.lose("missing movers, stayers, pay or place", int((~known).sum()))
    used = frame[known]
    for name in everything:
        bad = (used[name] < 0) if name in columns["movers"] else (used[name] <= 0)
        bad |= np.isinf(used[name])
        if bad.any():
            words = "negative" if name in columns["movers"] else "zero, negative"
            raise DataError(f"{name!r} is {words} or infinite in {int(bad.sum()):,} of {len(used):,} rows.")
    moved = (used[list(columns["movers"])] > 0).all(axis=1)
    ledger = ledger.lose("pairs without movers of either skill", int((~moved).sum()))
    if not moved.any():
        raise EmptyDataError(f"no pair has movers of both skills.\n{ledger}")
    return used[moved].reset_index(drop=True), ledger


def _check_places(frame: pd.DataFrame, places: tuple[str, str]) -> None:
    """Raise unless each origin stands once with each of several destinations."""
    for name in places:
        check_column(name, frame.columns, "for origin or destination")
    check_keys(frame, places)
    if places[0] == places[1]:
        raise OptionError(f"origin and destination are both {places[0]!r}: people move between two columns of places.")
    twice = int(frame.duplicated(list(places)).sum())
    if twice:
        raise DuplicateKeyError(
            f"{twice:,} of {len(frame):,} rows have the {places[0]!r} and {places[1]!r} of another: one row of each is "
            "needed. Choose one period, or add the rows up."
        )
    if frame[places[1]].nunique() == 1:
        raise IdentificationError(f"there is one {places[1]!r}: where people go is compared between several.")


def _fits(
    frame: pd.DataFrame, columns: dict[str, Sequence[str]], costs: str, origin: str, cov: CovLike
) -> tuple[list[Estimates], tuple[str, Any] | None]:
    """Every equation with either kind of wages, and the first warning."""
    more = f" + {costs}" if costs.strip() else ""
    fits = []
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for wages in _WAGES:
            for equation in _EQUATIONS:
                rows = _equation(frame, columns, equation, wages)
                formula = f"log_odds ~ wage_gap{more}"
                formula += {"scale": " + second_skill", "selection": "", "sorting": f" | {origin}"}[equation]
                found = fit_flows(rows, formula, family="gaussian", cov=cov).estimates
                labels = found.labels.assign(equation=equation, wages=wages, unit="log points")
                labels = labels[["equation", "wages", "term", "unit", "comparison"]]
                fits.append(replace(found, labels=labels, notes=()))
    return fits, (str(caught[0].message), caught[0].category) if caught else None


def _equation(frame: pd.DataFrame, columns: dict[str, Sequence[str]], equation: str, wages: str) -> pd.DataFrame:
    """Rows of one equation, with the outcome and the wage gap."""
    one, two = (np.log(frame[name]) for name in columns["movers"])
    stay = [np.log(frame[name]) for name in columns["stayers"]]
    home, away = (_pay(frame, columns[side], wages) for side in ("origin_wages", "destination_wages"))
    if equation == "scale":
        parts = [
            frame.assign(log_odds=moved - stayed, wage_gap=there - here, second_skill=float(second))
            for second, (moved, stayed, there, here) in enumerate(zip((one, two), stay, away, home, strict=True))
        ]
        return pd.concat(parts, ignore_index=True)
    if equation == "selection":
        return frame.assign(log_odds=one - two - (stay[0] - stay[1]), wage_gap=away[0] - away[1] - (home[0] - home[1]))
    return frame.assign(log_odds=one - two, wage_gap=away[0] - away[1])


def _pay(frame: pd.DataFrame, names: Sequence[str], wages: str) -> list[pd.Series[Any]]:
    return [np.log(frame[name]) if wages == "log" else frame[name] for name in names]


def _gap(frame: pd.DataFrame, columns: dict[str, Sequence[str]], wages: str) -> pd.Series[Any]:
    """Return (W_1d - W_2d) - (W_1o - W_2o) of every row."""
    return _equation(frame, columns, "selection", wages)["wage_gap"]
