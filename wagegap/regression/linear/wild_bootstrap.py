"""Wild cluster bootstrap of a linear model: a test that holds where clusters are few.

In y = x'b + a + e, with errors that may be correlated within clusters, the cluster-robust t of a hypothesis R b = r is
compared with its distribution over draws in which the residuals of a cluster change sign or size together. The null is
imposed on them unless asked otherwise, and where 2^G vectors of signs are no more than the draws asked for, all of them
are taken: the p-value then has no error of simulation. The values that such tests do not reject make an interval.

References
----------
Cameron, A. C., J. Gelbach and D. Miller (2008). Bootstrap-based improvements for inference with clustered errors.
Review of Economics and Statistics 90, 414-427.
MacKinnon, J. and M. Webb (2017). Wild bootstrap inference for wildly different cluster sizes. Journal of Applied
Econometrics 32, 233-254.
Roodman, D., M. Nielsen, J. MacKinnon and M. Webb (2019). Fast and wild: bootstrap inference in Stata using boottest.
Stata Journal 19, 4-60.
"""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd

from wagegap._arguments import public, public_methods
from wagegap._display.numbers import say_p
from wagegap._display.session import Shown
from wagegap._typing import (
    Alpha,
    AnyArray,
    ColumnName,
    Count,
    Finite,
    FloatArray,
    Formula,
    RngLike,
    Singletons,
    WeightKind,
)
from wagegap.errors import (
    DataError,
    FewClustersWarning,
    IdentificationError,
    OptionError,
    warn,
)
from wagegap.estimation.cellwise import Rows, say_collinear
from wagegap.estimation.covariance.options import Robust
from wagegap.estimation.design import Design
from wagegap.estimation.hypothesis import parse_hypothesis
from wagegap.estimation.identification import check_identified
from wagegap.estimation.least_squares.absorb import effects_rank
from wagegap.estimation.least_squares.fit import combination_in_words
from wagegap.estimation.ledger import Ledger
from wagegap.estimation.likelihood.wild import Multipliers, WildDraws, WildProblem, draw_wild, pose
from wagegap.panel.panel import as_panel
from wagegap.panel.rows import prepare

__all__ = ["WildBootstrap", "wild_bootstrap"]

_COARSE = 0.05
_SMALL_P = 0.001


@public_methods
@dataclass(frozen=True, slots=True, eq=False, repr=False)
class WildBootstrap(Shown):
    """A wild cluster bootstrap test.

    Attributes
    ----------
    hypothesis : str
        What is tested.
    estimate : float
        Left side of the hypothesis less its right side.
    std_error : float
        Its cluster-robust standard error (CR1, Stata's factor).
    statistic : float
        Their ratio, t.
    p_value : float
        Two-sided.
    ties : str
        Whether draws as large as the statistic were counted.
    distribution : ndarray, shape (draws,)
        t of every draw.
    smallest : float
        Smallest p-value that could come out, ties counted.
    enumerated : bool
        Whether the draws are all vectors of multipliers, each with its probability.
    restricted : bool
        Whether the null was imposed on the residuals.
    multipliers : str
        Their distribution.
    cluster : str
        What was clustered on.
    clusters : int
        Clusters.
    nobs : int
        Observations.
    ledger : Ledger
        Rows read, used and lost.
    value : float
        Right side of the hypothesis.
    draws : WildDraws
        The draws as functions of that value.
    """

    hypothesis: str
    estimate: float
    std_error: float
    statistic: float
    p_value: float
    ties: str
    distribution: FloatArray
    smallest: float
    enumerated: bool
    restricted: bool
    multipliers: str
    cluster: str
    clusters: int
    nobs: int
    ledger: Ledger
    value: float
    draws: WildDraws

    def p_value_at(self, value: float) -> float:
        """Return the p-value with another right side of the hypothesis, from the same draws."""
        return self.draws.p_value_at(value - self.value, ties=self.ties == "count")

    def conf_int(self, alpha: Alpha = 0.05) -> tuple[float, float]:
        """Return the interval of right sides that the test does not reject: p is at least `alpha` at its ends.

        With the null imposed the draws are taken again at every value; without, the interval is the estimate and its
        standard error times a quantile of |t|. Where several stretches are not rejected, the interval spans them.

        Parameters
        ----------
        alpha : float
            One less the coverage.

        Returns
        -------
        tuple of float
            Both infinite, with a warning, where no p-value below `alpha` can come out.

        Raises
        ------
        OptionError

        Examples
        --------
        >>> import numpy as np, pandas as pd
        >>> import wagegap as wg
        >>> rng = np.random.default_rng(1)
        >>> data = pd.DataFrame({"firm": np.repeat(np.arange(10), 20), "x": rng.normal(size=200)})
        >>> data["y"] = 0.2 * data.x + rng.normal(size=10)[data.firm] + rng.normal(size=200)
        >>> test = wg.wild_bootstrap(data, "y ~ x", "x", cluster="firm")
        >>> low, high = test.conf_int()
        >>> test.p_value_at(low - 1e-6) < 0.05 <= test.p_value_at(low)
        True
        """
        low, high = (self.value + end for end in self.draws.interval(alpha, ties=self.ties == "count"))
        if not np.isfinite([low, high]).all():
            warn(
                f"the {100 * (1 - alpha):g} % interval is the whole line: with {self.clusters:,} clusters of "
                f"{self.cluster!r} no value has a p below {alpha:g}." + _more_vectors(self.multipliers),
                FewClustersWarning,
            )
        return low, high

    def in_words(self) -> str:
        """Say what was tested and found."""
        how = "all" if self.enumerated else "random"
        null = "the null imposed" if self.restricted else "the null not imposed"
        counted = "ties counted" if self.ties == "count" else "strictly larger draws counted"
        p = f"p = {self.p_value:.4f}" if self.p_value >= _SMALL_P else say_p(self.p_value)
        text = (
            f"{self.hypothesis}: {self.estimate:.4g} ({self.std_error:.4g}), t = {self.statistic:.2f}, wild bootstrap "
            f"{p} ({how} {len(self.distribution):,} {self.multipliers} draws of {self.clusters:,} "
            f"clusters of {self.cluster}, {null}, {counted})."
        )
        if self.smallest > _COARSE:
            return text + f" No p-value below {self.smallest:.3f} could come out of so few clusters."
        low, high = (self.value + end for end in self.draws.interval(_COARSE, ties=self.ties == "count"))
        return f"{text} 95 % interval [{low:.4g}, {high:.4g}]."

    def tidy(self) -> pd.DataFrame:
        """Return one row, of which `std_error` and `statistic` are the cluster-robust ones, `p_value` the bootstrap's.

        Examples
        --------
        >>> import numpy as np
        >>> rng = np.random.default_rng(1)
        >>> data = {"firm": np.repeat(np.arange(12), 5), "x": rng.normal(size=60), "y": rng.normal(size=60)}
        >>> wild_bootstrap(data, "y ~ x", "x", cluster="firm", reps=99).tidy().columns.tolist()
        ['term', 'estimate', 'std_error', 'statistic', 'p_value']
        """
        numbers = {name: getattr(self, name) for name in ("estimate", "std_error", "statistic", "p_value")}
        return pd.DataFrame([{"term": self.hypothesis, **numbers}])

    def _in_session(self) -> str:
        return textwrap.fill(self.in_words(), 80)


@public
def wild_bootstrap(  # noqa: PLR0913
    data: Any,
    formula: Formula,
    hypothesis: str | AnyArray,
    *,
    cluster: ColumnName,
    value: Finite = 0.0,
    multipliers: Multipliers = "rademacher",
    restricted: bool = True,
    reps: Count = 9_999,
    ties: Literal["count", "strict"] = "count",
    rng: RngLike = 0,
    weights: str | FloatArray | None = None,
    weight_kind: WeightKind | None = None,
    singletons: Singletons = "drop",
) -> WildBootstrap:
    """Test a linear hypothesis about a least squares fit by the wild cluster bootstrap.

    Parameters
    ----------
    data : Panel or data frame
        A row for each observation.
    formula : str
        `outcome ~ regressors`, or `outcome ~ regressors | effects` to absorb.
    hypothesis : str or ndarray, shape (k,)
        One restriction on the coefficients, such as `"ai"`, `"ai = 0.1"` or `"ai = exper"`, or its coefficients.
    cluster : str
        Column of clusters; `"worker"` for the panel's workers, `"row"` where each row is one.
    value : float
        Value under the null, of a hypothesis without an equals sign.
    multipliers : {"rademacher", "webb", "mammen"}
        Distribution of the multipliers. Webb's six points give more vectors where clusters are fewer than about ten.
    restricted : bool
        Impose the null on the residuals, which is better in small samples, or not.
    reps : int
        Random draws, where there are more vectors of multipliers than that; otherwise each is taken once.
    ties : {"count", "strict"}
        Count draws as large as the statistic, the data's own among them, so that no p-value is zero where the null is
        imposed; or strictly larger ones only.
    rng : Generator, int or None
        Source of random draws.
    weights, weight_kind, singletons
        As in `fit_premiums`.

    Returns
    -------
    WildBootstrap

    Raises
    ------
    ColumnError, OptionError, FormulaError, EmptyDataError, IdentificationError

    Examples
    --------
    >>> import numpy as np, pandas as pd
    >>> import wagegap as wg
    >>> rng = np.random.default_rng(1)
    >>> data = pd.DataFrame({"firm": np.repeat(np.arange(8), 20), "x": rng.normal(size=160)})
    >>> data["y"] = 0.2 * data.x + rng.normal(size=8)[data.firm] + rng.normal(size=160)
    >>> test = wg.wild_bootstrap(data, "y ~ x", "x", cluster="firm")
    >>> len(test.distribution), test.enumerated, test.smallest
    (256, True, 0.0078125)
    """
    panel = as_panel(data)
    if cluster == "row" and (weight_kind or panel.roles.weight_kind) == "frequency":
        raise OptionError("cluster='row' with frequency weights: a row stands for several; name a column of clusters.")
    rows = prepare(panel, formula, by=(), cov=Robust("CR1", (cluster,)), weights=weights, weight_kind=weight_kind)
    rows = rows.without_singletons(singletons)
    design = rows.design
    if np.ptp(design.y) == 0:
        raise DataError(
            f"{design.outcome!r} is {design.y[0]:g} in all {len(design.y):,} rows: there is nothing to explain."
        )
    row, null, text = _restriction(hypothesis, value, design.names)
    try:
        problem = pose(
            design.y, design.x, row, rows.cluster_codes(cluster), null=null, restricted=restricted,
            weights=rows.weights, effects=design.effects,
        )  # fmt: skip
    except IdentificationError as error:
        raise IdentificationError(f"{error}{_reason(design)}") from error
    say_collinear([("", combination_in_words(one, design.names)) for one in problem.collinear if one.made_of])
    draws = draw_wild(problem, multipliers=multipliers, reps=reps, rng=rng)
    if draws.smallest > _COARSE and draws.enumerated:
        warn(
            f"{len(problem.own)} clusters of {cluster!r}: no p-value below {draws.smallest:.3f} can come out."
            + _more_vectors(multipliers),
            FewClustersWarning,
        )
    return _result(rows, problem, draws, (text, null), cluster, restricted=restricted, ties=ties)


def _reason(design: Design) -> str:
    """Say which regressors are not identified, and why."""
    try:
        check_identified(design.without_constant() if design.effects else design)
    except IdentificationError as error:
        return f" {str(error)[:1].upper()}{str(error)[1:]}"
    return ""


def _more_vectors(multipliers: str) -> str:
    return "" if multipliers == "webb" else " multipliers='webb' has more vectors."


def _restriction(hypothesis: str | AnyArray, value: float, names: Sequence[str]) -> tuple[FloatArray, float, str]:
    """One row of coefficients, its value under the null, and the text; the name of a coefficient stands for itself."""
    if isinstance(hypothesis, str) and hypothesis.strip() in names:
        name = hypothesis.strip()
        return np.eye(len(names))[list(names).index(name)], value, f"{name} = {value:g}"
    rows, right, text = parse_hypothesis(hypothesis, value, names)
    if not np.isfinite(rows).all():
        raise OptionError("the coefficients of a hypothesis must be numbers, none of them missing or infinite.")
    if len(rows) != 1:
        raise OptionError(f"a wild bootstrap tests one restriction at a time, not {len(rows)}.")
    if isinstance(hypothesis, str) and "=" not in hypothesis:
        return rows[0], float(right[0]) + value, f"{text.strip()} = {value:g}"
    return rows[0], float(right[0]), text


def _result(
    rows: Rows,
    problem: WildProblem,
    draws: WildDraws,
    hypothesis: tuple[str, float],
    cluster: str,
    *,
    restricted: bool,
    ties: Literal["count", "strict"],
) -> WildBootstrap:
    """Scale the statistic as CR1 does, and say everything."""
    nobs, groups = float(rows.observations.sum()), len(problem.own)
    df = nobs - problem.rank - effects_rank(rows.design.effects)
    if df <= 0:
        raise IdentificationError(f"there are {nobs:g} observations for {nobs - df:g} parameters: drop controls.")
    factor = float(np.sqrt(groups / (groups - 1) * (nobs - 1) / df))
    return WildBootstrap(
        hypothesis[0], problem.estimate, factor * draws.error, draws.statistic / factor,
        draws.p_value(ties=ties == "count"), ties, draws.drawn / factor, draws.smallest, draws.enumerated, restricted,
        draws.multipliers, cluster, groups, int(nobs), rows.design.ledger, hypothesis[1], draws,
    )  # fmt: skip
