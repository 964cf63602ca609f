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
from itertools import product
from typing import Annotated, Any

import numpy as np
import pandas as pd

from wagegap._display.sentences import say
from wagegap._typing import Alpha, AxesLike, BoolArray, ColumnName, Condition
from wagegap.errors import (
    CovarianceWarning,
    DataError,
    DuplicateKeyError,
    EmptyDataError,
    FormulaError,
    IdentificationError,
    OptionError,
    check_column,
    no_column,
    refuse_rows,
    warn,
)
from wagegap.estimation.covariance.options import Covariance, CovLike, Robust, parse_cov
from wagegap.estimation.design import check_keys
from wagegap.estimation.estimates import Estimates, join_estimates
from wagegap.estimation.formula import required_columns
from wagegap.estimation.ledger import Ledger
from wagegap.estimation.result import Result, draw_estimates
from wagegap.estimation.spec import refittable
from wagegap.estimation.units import scale_of
from wagegap.panel.events import known_numbers
from wagegap.panel.panel import as_panel
from wagegap.panel.rows import domain_of
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
        pay = self.estimates.select(term="wage_gap").tidy().set_index(["wages", "equation"])
        numbers = {"": "estimate", "_std_error": "std_error"}
        return pd.DataFrame({
            wages + ending: pay.loc[wages, number] for wages in _WAGES for ending, number in numbers.items()
        }).loc[list(_EQUATIONS)]  # fmt: skip

    def plot(self, ax: AxesLike = None, *, alpha: Alpha = 0.05) -> Any:
        """Draw the coefficients of pay in logarithms, which have no unit of money, on new axes where none are given.

        Returns
        -------
        Axes
        """
        return draw_estimates(
            self.estimates.select(term="wage_gap", wages="log"), ax, alpha, "coefficient of the gap of log pay"
        )

    def predicted_selection(self) -> Estimates:
        """Return the mean selection that pay predicts, the coefficient of the selection equation times the mean gap.

        Positive: the first skill is drawn more than the second, in logs of relative odds.
        """
        chosen = self.estimates.select(equation="selection", term="wage_gap")
        labels = chosen.labels.assign(term="predicted selection", unit="log")
        return chosen.map(np.diag(labels["wages"].map(self.gap)), labels=labels, title="Predicted selection")


@refittable
def grogger_hanson(  # noqa: PLR0913
    data: Any,
    *,
    origin: ColumnName,
    destination: ColumnName,
    movers: Annotated[Sequence[ColumnName], "two columns, in a list"],
    stayers: Annotated[Sequence[ColumnName], "two columns, in a list"],
    origin_wages: Annotated[Sequence[ColumnName], "two columns, in a list"],
    destination_wages: Annotated[Sequence[ColumnName], "two columns, in a list"],
    costs: str = "",
    cov: CovLike | None = None,
    subpop: Condition | BoolArray | None = None,
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
    subpop : str, callable, or ndarray of bool of shape (n,), optional
        Rows asked about, as an expression, a callable of the data frame, or a mask: a domain, of which a survey's
        design counts the others' units.

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
    data, *_ = domain_of(data, subpop)
    columns = dict(movers=movers, stayers=stayers, origin_wages=origin_wages, destination_wages=destination_wages)
    parsed = parse_cov(Robust("CR1", (destination,)) if cov is None else cov)
    if parsed.replicated or parsed.independent:
        raise OptionError(
            f"cov={str(parsed)!r}: the equations share destinations and origins; use clusters or dyads, such as "
            "'CR1:destination'."
        )
    panel = as_panel(data)
    _check_costs(panel.frame, costs)
    frame, ledger = _pairs(panel.frame, panel.ledger, (origin, destination), columns)
    estimates = join_estimates(*_fits(frame, columns, costs, origin, parsed), title="Scale, selection and sorting")
    # mean of (W_1d - W_2d) - (W_1o - W_2o)
    gap = {wages: float(_equation(frame, columns, "selection", wages)["wage_gap"].mean()) for wages in _WAGES}
    units = {"linear": "none", "log": "log"}
    notes = tuple(
        say("Mean gap of gaps, {wages} wages: {gap}.", wages=wages, gap=scale_of(units[wages]).change(value))
        for wages, value in gap.items()
    )
    return GroggerHanson(replace(estimates, ledger=ledger, notes=notes), (movers[0], movers[1]), gap)


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
        odds = np.exp(shared + gain + generator.normal(scale=noise / 3, size=len(frame)))
        frame[skill] = frame[f"stay_{skill}"] * odds
    return frame


def _check_costs(frame: pd.DataFrame, costs: str) -> None:
    """Raise unless costs are regressors of the data, none of them named as the equations name their own."""
    if not isinstance(costs, str):
        raise OptionError(f"costs={costs!r} must be text, such as 'log(dist) + contig'.")
    if "~" in costs or "|" in costs:
        raise FormulaError(f"costs={costs!r} are regressors alone, such as 'log(dist) + contig': no tilde and no bar.")
    taken = [name for name in (required_columns(costs, frame) if costs.strip() else []) if name in _MADE]
    if taken:
        raise OptionError(f"costs={costs!r}: the equations have a {taken[0]!r} of their own; rename your column.")


def _pairs(
    frame: pd.DataFrame, ledger: Ledger, places: tuple[str, str], columns: dict[str, Sequence[str]]
) -> tuple[pd.DataFrame, Ledger]:
    """Rows with movers of both skills, checked."""
    for purpose, names in columns.items():
        if not isinstance(names, Sequence) or isinstance(names, str) or len(names) != 2 or names[0] == names[1]:
            raise OptionError(f"{purpose}={names!r} must be two columns that differ, one for each skill.")
        for name in names:
            if name not in frame:
                raise no_column(name, frame.columns, f"for {purpose}")
    everything = [name for names in columns.values() for name in names]
    _check_places(frame, places)
    frame = frame.assign(**{name: known_numbers(frame, name) for name in everything})
    known = frame[[*everything, *places]].notna().all(axis=1)
    used = frame[known]
    for name in everything:
        counts = name in columns["movers"]
        bad = ~np.isfinite(used[name]) | ((used[name] < 0) if counts else (used[name] <= 0))
        fault = "negative" if counts else "zero, negative"
        refuse_rows(bad, DataError, f"{name!r} is {fault} or infinite in ", " rows.")
    moved = (used[list(columns["movers"])] > 0).all(axis=1)
    ledger = ledger.lose("missing movers, stayers, pay or place", int((~known).sum()))
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
    advice = (
        f" rows have the {places[0]!r} and {places[1]!r} of another: one row of each is needed. Choose one period, "
    )
    refuse_rows(frame.duplicated(list(places)), DuplicateKeyError, "", f"{advice}or add the rows up.")
    if frame[places[1]].nunique() == 1:
        raise IdentificationError(f"there is one {places[1]!r}: where people go is compared between several.")


def _fits(
    frame: pd.DataFrame, columns: dict[str, Sequence[str]], costs: str, origin: str, cov: Covariance
) -> list[Estimates]:
    """Every equation with either kind of wages; the first warning is given once."""
    more = f" + {costs}" if costs.strip() else ""
    endings = {"scale": f"{more} + second_skill", "selection": more, "sorting": f"{more} | {origin}"}
    fits = []
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        warnings.simplefilter("ignore", CovarianceWarning)  # of the equations together it is said at the end
        for wages, equation in product(_WAGES, _EQUATIONS):
            rows, formula = _equation(frame, columns, equation, wages), f"log_odds ~ wage_gap{endings[equation]}"
            estimates = fit_flows(rows, formula, family="gaussian", cov=cov).estimates
            labels = estimates.labels.assign(equation=equation, wages=wages, unit="log")
            labels = labels[["equation", "wages", "term", "unit", "comparison"]]
            fits.append(replace(estimates, labels=labels, notes=()))
    if caught:
        warn(str(caught[0].message), caught[0].category)  # type: ignore[arg-type]
    return fits


def _equation(frame: pd.DataFrame, columns: dict[str, Sequence[str]], equation: str, wages: str) -> pd.DataFrame:
    """Rows of one equation, with the outcome and the wage gap."""
    moved, stayed = ([np.log(frame[name]) for name in columns[side]] for side in ("movers", "stayers"))
    home, away = (
        [np.log(frame[name]) if wages == "log" else frame[name] for name in columns[side]]
        for side in ("origin_wages", "destination_wages")
    )
    if equation == "scale":
        skills = [
            frame.assign(log_odds=moved[s] - stayed[s], wage_gap=away[s] - home[s], second_skill=float(s))
            for s in (0, 1)
        ]
        return pd.concat(skills, ignore_index=True)
    log_odds, wage_gap = moved[0] - moved[1], away[0] - away[1]
    if equation == "selection":
        log_odds, wage_gap = log_odds - (stayed[0] - stayed[1]), wage_gap - (home[0] - home[1])
    return frame.assign(log_odds=log_odds, wage_gap=wage_gap)
