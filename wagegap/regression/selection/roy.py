"""Who are those who leave: the Roy model's diagnostics from the pay of leavers and stayers before anybody left.

Roy's model says that leavers are drawn from the top of the pay distribution where skill pays more abroad, and from the
bottom where it pays less. Two descriptions show it without a model of pay: the selection ratio of each part of the pay
distribution (its share among leavers over its share among stayers, one where leaving is random), and stochastic
dominance, whether the distribution of leavers lies to the right of the stayers' everywhere. The test of dominance is
Barrett and Donald's, with the multiplier bootstrap of the two empirical distributions.

References
----------
Borjas, G. (1987). Self-selection and the earnings of immigrants. American Economic Review 77, 531-553.
Borjas, G., I. Kauppinen and P. Poutvaara (2019). Self-selection of emigrants: theory and evidence on stochastic
dominance in observable and unobservable characteristics. Economic Journal 129, 143-171.
Barrett, G. and S. Donald (2003). Consistent tests for stochastic dominance. Econometrica 71, 71-104.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import product
from typing import Any

import numpy as np
import pandas as pd

from wagegap._typing import (
    Alpha,
    AxesLike,
    BoolArray,
    ColumnName,
    Condition,
    Count,
    FloatArray,
    Formula,
    IntArray,
    RngLike,
    SmallSample,
    WeightKind,
)
from wagegap.errors import (
    CovarianceError,
    DataError,
    EmptyDataError,
    FormulaError,
    OptionError,
    check_column,
    check_option,
    listing,
)
from wagegap.estimation.cellwise import Rows, relate
from wagegap.estimation.covariance.groupings import Grouping
from wagegap.estimation.covariance.options import CovLike
from wagegap.estimation.covariance.survey_design import StratifiedGrouping
from wagegap.estimation.estimates import Estimates
from wagegap.estimation.formula import FormulaParts, split_formula
from wagegap.estimation.least_squares.lstsq import fit_lstsq
from wagegap.estimation.result import Result
from wagegap.estimation.sample import CellFit
from wagegap.estimation.spec import refittable
from wagegap.estimation.units import level_of
from wagegap.panel.events import event_values
from wagegap.panel.panel import Panel, as_panel
from wagegap.panel.rows import domain_of, prepare

__all__ = ["Roy", "fit_roy"]

_GRID = 200


@dataclass(frozen=True, eq=False, repr=False)
class Roy(Result):
    """Selection of leavers.

    Attributes
    ----------
    estimates : Estimates
        `mean gap` (leavers minus stayers) and the selection ratio of each part of the stayers' distribution, `ratio 1`
        the lowest.
    leave : str
        Who leaves.
    outcome : str
        What is compared.
    curves : DataFrame
        `at`, and the distribution functions of leavers and stayers.
    dominance : DataFrame
        A row for each hypothesis and order: statistic and p-value.
    """

    leave: str
    outcome: str
    curves: pd.DataFrame = field(default_factory=pd.DataFrame)
    dominance: pd.DataFrame = field(default_factory=pd.DataFrame)

    def plot(self, ax: AxesLike = None) -> Any:
        """Draw both distribution functions: where leavers' lies below, they are drawn from the top.

        Returns
        -------
        Axes
        """
        from wagegap._display.axes import PALETTE, apply_style, name_axes, new_axes, put_legend
        from wagegap._display.facts import note_stroke
        from wagegap._display.scales import scale_axis

        ax = new_axes(6.3, 4.0) if ax is None else ax
        apply_style(ax)
        lines: list[Any] = []
        for i, name in enumerate(("leavers", "stayers")):
            lines += ax.plot(self.curves["at"], self.curves[name], ("-", "--")[i], color=PALETTE[i])
            note_stroke(ax, "line", name)
        put_legend(ax, lines, ["leavers", "stayers"])
        name_axes(ax, x=self.outcome)
        ax.set_ylim(0, 1)
        return scale_axis(ax, "y", "those with at most as much", level_of("share"))

    def verdict(self, alpha: Alpha = 0.05, *, order: int = 1) -> str:
        """Say which way selection goes at a level of the dominance tests.

        Parameters
        ----------
        alpha : float
            Level of the tests.
        order : int
            Order of dominance.

        Returns
        -------
        str
            "positive": that stayers dominate is rejected, that leavers do is not; "negative" the reverse; "none":
            neither is, the distributions may be the same; "mixed": both are, the distributions cross.
        """
        rows = self.dominance[self.dominance["order"] == order].set_index("hypothesis")["p_value"]
        check_option("order", order, tuple(self.dominance["order"].unique().tolist()))
        rejected = bool(rows["leavers dominate"] < alpha), bool(rows["stayers dominate"] < alpha)
        return {(False, True): "positive", (True, False): "negative", (False, False): "none"}.get(rejected, "mixed")


@refittable
def fit_roy(  # noqa: PLR0913
    data: Any,
    formula: Formula,
    *,
    leave: ColumnName,
    parts: Count = 5,
    orders: int | Sequence[int] = (1, 2),
    reps: Count = 999,
    rng: RngLike = 0,
    cov: CovLike | None = None,
    small_sample: SmallSample = "stata",
    weights: str | FloatArray | None = None,
    weight_kind: WeightKind | None = None,
    subpop: Condition | BoolArray | None = None,
) -> Roy:
    """Compare the pay of those who will leave with that of those who will stay.

    Parameters
    ----------
    data : Panel or data frame
        Workers before anybody left.
    formula : str
        What is compared, such as `log(wage)`; with regressors, `log(wage) ~ age + educ`, the residual of all workers'
        least squares (selection on what is not observed).
    leave : str
        0/1 column, or an expression, that says who leaves.
    parts : int
        Parts of the stayers' distribution, of equal size, whose selection ratios are reported.
    orders : int or sequence of int
        Orders of dominance, 1 and 2.
    reps : int
        Multiplier draws of the tests.
    rng : Generator, int or None
        Their source of randomness.
    cov, small_sample, weights, weight_kind
        As in `fit_premiums`; the tests draw rows, the single cluster of cov, or the units of a survey's design.
    subpop : str, callable, or ndarray of bool of shape (n,), optional
        Rows asked about, as an expression, a callable of the data frame, or a mask: a domain, of which a survey's
        design counts the others' units.

    Returns
    -------
    Roy

    Raises
    ------
    ColumnError, OptionError, FormulaError, DataError, UnitError, EmptyDataError, CovarianceError

    Examples
    --------
    >>> import numpy as np
    >>> import pandas as pd
    >>> pay = np.random.default_rng(1).normal(size=2000)
    >>> leaves = pay + np.random.default_rng(2).normal(size=2000) > 1.5
    >>> roy = fit_roy(pd.DataFrame({"pay": pay, "leaves": leaves * 1}), "pay", leave="leaves")
    >>> roy.verdict()
    'positive'
    """
    data, weights, weight_kind = domain_of(data, subpop, weights, weight_kind)
    orders = [orders] if isinstance(orders, int) else list(orders)
    if not orders:
        raise OptionError("orders=[] names no order of dominance: 1, 2, or both.")
    for order in orders:
        check_option("orders", order, (1, 2))
    check_column(leave, [leave], "for leave")
    if parts < 2:
        raise OptionError("parts=1: at least two parts are needed for a ratio.")
    rows = _rows(
        as_panel(data), formula, leave, cov=cov, small_sample=small_sample, weights=weights, weight_kind=weight_kind
    )  # fmt: skip
    estimates, values = _ratios(rows, parts), np.unique(rows.y)
    # all values, or evenly spaced quantiles of many
    grid = values if len(values) <= _GRID else np.quantile(values, np.linspace(0, 1, _GRID))
    curves = {name: _distribution(rows, getattr(rows, name), grid) for name in ("leavers", "stayers")}
    tests = _dominance(rows, grid, orders, reps, np.random.default_rng(rng))
    return Roy(estimates, leave, rows.outcome, pd.DataFrame({"at": grid, **curves}), tests)


@dataclass(frozen=True, eq=False)
class _Rows:
    """Pay (n,), who leaves, shares in the weight of leavers and of stayers, and the rows they are of."""

    outcome: str
    y: FloatArray
    leaves: BoolArray
    leavers: FloatArray
    stayers: FloatArray
    rows: Rows

    @cached_property
    def order(self) -> IntArray:
        """Rows in the order of pay."""
        return np.argsort(self.y, kind="stable")

    @property
    def repeats(self) -> FloatArray | float:
        """Observations that each row stands for."""
        return 1.0 if self.rows.sample.repeats is None else self.rows.sample.repeats

    def worth(self, share: FloatArray) -> float:
        """Number of observations that weighted shares are worth; repeated rows are independent."""
        return 1 / float(np.sum(share**2 / self.repeats))


def _sides_of(formula: str) -> tuple[str, str]:
    """What is compared, and given what; nothing where the right side is absent."""
    if not isinstance(formula, str) or not formula.strip():
        raise FormulaError(f"formula={formula!r} must be text: 'log(wage)', or 'log(wage) ~ age + educ' for residuals.")
    if "~" not in formula:
        return formula.strip(), ""
    parts = split_formula(formula)
    if parts.effects:
        raise FormulaError(f"formula {formula!r}: put {listing(parts.effects)} among the regressors, as C(...).")
    return parts.outcome, parts.regressors


def _rows(panel: Panel, formula: str, leave: str, **how: Any) -> _Rows:
    outcome, regressors = _sides_of(formula)
    if leave in re.findall(r"\w+", f"{outcome} {regressors or ''}"):
        raise OptionError(f"{leave!r} says who leaves: it cannot stand in formula={formula!r} too.")
    leaves = event_values(panel, leave, leave)
    unknown = np.isnan(leaves)
    if not np.isin(leaves[~unknown], (0.0, 1.0)).all():
        raise DataError(f"leave={leave!r} must be 0/1.")
    if unknown.all():
        raise EmptyDataError(f"leave={leave!r} is known for nobody.\n{panel.ledger}")
    rows = prepare(
        panel, FormulaParts(outcome, regressors or "1"), by=(), subpop=[(f"unknown {leave}", unknown)], **how
    )
    weights = np.ones(len(rows)) if rows.weights is None else rows.weights
    y = fit_lstsq(rows.design.y, rows.design.x, weights).residuals if regressors else rows.design.y
    leaves_of_rows = leaves[rows.design.rows] == 1
    for verb, mask in (("leaves", leaves_of_rows), ("stays", ~leaves_of_rows)):
        if mask.sum() < 2:
            raise EmptyDataError(f"{int(mask.sum())} of {len(mask):,} rows {verb}: there is nobody to compare.")
    leavers, stayers = (mask * weights / weights[mask].sum() for mask in (leaves_of_rows, ~leaves_of_rows))
    return _Rows(f"{outcome} given {regressors}" if regressors else outcome, y, leaves_of_rows, leavers, stayers, rows)


def _distribution(rows: _Rows, share: FloatArray, grid: FloatArray) -> FloatArray:
    """Distribution function on a grid."""
    upto = np.searchsorted(rows.y[rows.order], grid, side="right")
    return np.asarray(np.concatenate([[0.0], np.cumsum(share[rows.order])])[upto])


def _integrated(rows: _Rows, share: FloatArray, grid: FloatArray) -> FloatArray:
    """Integral of the distribution function up to the points of a grid: the mean of what pay falls short of them."""
    # int F = (y - y_0) F(y) - sum_{i: y_i <= y} s_i (y_i - y_0)
    rise = grid - grid[0]
    return np.asarray(rise * _distribution(rows, share, grid) - _distribution(rows, share * (rows.y - grid[0]), grid))


def _multipliers(rows: _Rows, generator: np.random.Generator) -> FloatArray:
    """Normal multipliers of the rows: one for each cluster, those of the design's units, or one for each observation.

    That of a row that stands for several observations is the mean of theirs.
    """
    cov, groupings = rows.rows.cov, rows.rows.sample.groupings
    if cov.replicated or cov.independent:
        return np.asarray(generator.standard_normal(len(rows.y)) / np.sqrt(rows.repeats))
    units = cov.units(groupings)
    if len(units) == 1 and isinstance(units[0], Grouping):
        return np.asarray(generator.standard_normal(units[0].n_groups)[units[0].codes])
    if len(units) == 1 and isinstance(units[0], StratifiedGrouping):
        return units[0].multipliers(generator)
    raise CovarianceError(
        f"cov={cov}: the tests of dominance draw rows, the clusters of one column, or the sampling units of one stage: "
        "'HC1', 'CR1:column' or wagegap.cov.Survey(psu, strata)."
    )


def _values(y: FloatArray, leaves: BoolArray, w: FloatArray, parts: int) -> tuple[FloatArray, FloatArray, IntArray]:
    """Mean gap and ratios, cuts of the stayers' distribution, and the part of each row."""
    stay, go = w * ~leaves, w * leaves
    order = np.argsort(y, kind="stable")
    total = np.cumsum(stay[order])
    cuts = y[order][np.searchsorted(total, total[-1] * np.arange(1, parts) / parts * (1 - 1e-12))]
    part = np.searchsorted(cuts, y, side="left")
    shares = [np.bincount(part, weights=v, minlength=parts) / v.sum() for v in (go, stay)]
    ratios = np.divide(shares[0], shares[1], out=np.full(parts, np.nan), where=shares[1] > 0)
    return np.array([go @ y / go.sum() - stay @ y / stay.sum(), *ratios]), cuts, part


def _ratios(rows: _Rows, parts: int) -> Estimates:
    def fit(w: FloatArray | None) -> tuple[FloatArray, FloatArray, IntArray]:
        return _values(rows.y, rows.leaves, np.ones(len(rows.y)) if w is None else w, parts)

    values, cuts, part = fit(rows.rows.weights)
    if np.ptp(rows.y) == 0:
        raise DataError(
            f"{rows.outcome} is {rows.y[0]:g} in all {len(rows.y):,} rows: leavers and stayers earn the same."
        )
    if len(np.unique(cuts)) < len(cuts):
        raise DataError(f"{rows.outcome} has too few values for {parts} parts of equal size: lower parts.")
    cell_fit = CellFit(values=values, influence=_influence(rows, cuts, part), n_params=1)
    labels = pd.DataFrame({
        "term": ["mean gap", *(f"ratio {p + 1}" for p in range(parts))],
        "unit": [rows.rows.design.unit, *["none"] * parts],
        "comparison": "stayers",
    })  # fmt: skip
    title = f"Selection of those who leave, by {rows.outcome}"
    return relate(rows.rows, [cell_fit], lambda cell: fit(cell.weights)[0], labels, title=title)


def _influence(rows: _Rows, cuts: FloatArray, part: IntArray) -> FloatArray:
    """Influence of every row on the mean gap and the ratios, the stayers' quantiles estimated.

    The share of stayers in a part is fixed by its cuts, so that a ratio moves with the leavers' shares and with the
    cuts, whose influence times the leavers' density over the stayers' is that of the stayers' distribution function.
    """
    go, stay = rows.leavers, rows.stayers
    gap = go * (rows.y - go @ rows.y) - stay * (rows.y - stay @ rows.y)
    below = (rows.y[:, None] <= cuts) * 1.0
    of_leavers, of_stayers = (share[:, None] * (below - share @ below) for share in (go, stay))
    density = np.array([_density_ratio(rows, cut) for cut in cuts])
    upto = np.pad(of_leavers - of_stayers * density, ((0, 0), (1, 1)))
    return np.column_stack([gap, np.diff(upto, axis=1) / np.bincount(part, weights=stay, minlength=len(cuts) + 1)])


def _density_ratio(rows: _Rows, cut: float) -> float:
    """Leavers' density over stayers' at a point, by a normal kernel with a common width."""
    go, stay = rows.leavers, rows.stayers
    spread = np.sqrt(stay @ (rows.y - stay @ rows.y) ** 2)
    size = min(rows.worth(go), rows.worth(stay))
    kernel = np.exp(-0.5 * ((rows.y - cut) / (1.06 * spread * size**-0.2)) ** 2)
    return float(go @ kernel / (stay @ kernel))


def _dominance(
    rows: _Rows, grid: FloatArray, orders: Sequence[int], reps: int, generator: np.random.Generator
) -> pd.DataFrame:
    """Barrett and Donald's tests of dominance, by multipliers of units."""
    scale = np.sqrt(1 / (1 / rows.worth(rows.leavers) + 1 / rows.worth(rows.stayers)))
    curves = {order: _distribution if order == 1 else _integrated for order in orders}
    known = {order: [curve(rows, w, grid) for w in (rows.leavers, rows.stayers)] for order, curve in curves.items()}
    noise = {order: np.empty((reps, len(grid))) for order in orders}
    for r in range(reps):
        w = _multipliers(rows, generator)
        leavers, stayers = rows.leavers * w, rows.stayers * w
        for order, curve in curves.items():
            centre = known[order][0] * leavers.sum() - known[order][1] * stayers.sum()
            noise[order][r] = curve(rows, leavers - stayers, grid) - centre
    tests = []
    for order, (hypothesis, sign) in product(orders, (("leavers dominate", 1.0), ("stayers dominate", -1.0))):
        statistic = scale * max(float((sign * (known[order][0] - known[order][1])).max()), 0.0)
        as_large = np.sum(scale * (sign * noise[order]).max(axis=1) >= statistic)
        tests.append((hypothesis, order, statistic, float((1 + as_large) / (reps + 1))))
    return pd.DataFrame(tests, columns=["hypothesis", "order", "statistic", "p_value"])
