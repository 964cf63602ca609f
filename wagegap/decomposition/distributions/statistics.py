"""Statistics of a weighted distribution, each with its recentred influence function.

The influence function of a statistic says how it moves when a little weight is put on one value; the recentred
influence function (RIF) adds the statistic itself, so that its mean is the statistic. A RIF holds quantities that are
estimated as well (a quantile, the density there, a mean), and so each statistic also says how its RIF moves with those
and how they move with the data: what the standard error of a RIF regression needs.

Two conventions of quantiles and densities exist. In R's (`density()`, `Hmisc::wtd.quantile`, package rifreg) the kernel
is Gaussian, the bandwidth Silverman's rule of thumb without regard to weights, the density is read off 512 points
within four bandwidths, and values equal to the quantile lie below it. In Stata's (`pctile`, `kdensity`) the kernel is
Epanechnikov's with support of sqrt(5) bandwidths, evaluated exactly, a quantile is the mean of two neighbours where
n p is whole, and values equal to it lie above.

Where many have the same pay (a minimum wage, a top code, bands, round figures) the distribution function jumps at the
quantile, and the mean of q + (p - 1{y <= q}) / f(q) is q + (p - F(q)) / f(q), not q. At such a mass point the function
is recentred at F(q) instead of p, so that its mean is the quantile. What counts as one: more than half a per cent of
the weight at a value, one observation of it apart. Pay to the cent has about .0006 at a cent (a density of .06 a
dollar) and stays as it is in samples of any size; pay rounded to a quarter has .015. Software that others use (rifreg,
ddecompose, Stata's rifvar) does not recentre: rule "peers".

References
----------
Firpo, S., N. Fortin and T. Lemieux (2009). Unconditional quantile regressions. Econometrica 77, 953-973.
Firpo, S., N. Fortin and T. Lemieux (2018). Decomposing wage distributions using recentered influence function
regressions. Econometrics 6(2), 28.
Cowell, F. and E. Flachaire (2007). Income distribution and inequality measurement: the problem of extreme values.
Journal of Econometrics 141, 1044-1072.
Essama-Nssah, B. and P. Lambert (2012). Influence functions for policy impact analysis. Research on Economic Inequality
20, 135-159.
Silverman, B. (1986). Density Estimation for Statistics and Data Analysis. Chapman and Hall.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Literal, TypeAlias

import numpy as np

from wagegap._typing import BoolArray, FloatArray
from wagegap.errors import DataError, OptionError, check_option, check_options, did_you_mean, refuse_rows

__all__ = [
    "DENSITY_RULES",
    "STATISTICS",
    "TIED",
    "CustomStatistic",
    "DensityRule",
    "Distribution",
    "Function",
    "MassPoint",
    "MassPointRule",
    "Recentred",
    "Statistic",
    "StatisticLike",
    "Step",
    "bandwidth",
    "density_at",
    "density_rule",
    "distribution",
    "influence_of",
    "mass_points_of",
    "parse_statistics",
    "quantile",
    "quantile_targets",
    "recentres",
    "share_out",
    "tied_share",
]

Function: TypeAlias = Callable[[FloatArray], FloatArray]
MassPointRule: TypeAlias = Literal["recentred", "peers"]

TIED = 0.005
"""Share of the weight at one value, one observation apart, above which the value is a mass point."""

_GRID = 512
_KNOTS = 400
_ROOT5 = float(np.sqrt(5.0))


# conventions ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class DensityRule:
    """How quantiles, and densities at them, are estimated.

    Attributes
    ----------
    quantile : {"hmisc", "pctile"}
        Between neighbours by position (R), or the value at n p, the mean of two where n p is whole (Stata).
    ties : {"below", "above"}
        Side of the quantile on which values equal to it lie.
    kernel : {"gaussian", "epanechnikov"}
        Kernel with a standard deviation of one bandwidth.
    binned : bool
        Read off R's 512 points; else evaluated exactly.
    iqr_divisor : float
        What the interquartile range is divided by in the rule of thumb: 1.34 (R), 1.349 (Stata).
    weighted_bandwidth : bool
        Whether weights enter the rule of thumb.
    bandwidth : float, optional
        Bandwidth in units of the outcome; the rule of thumb where absent.
    mass_points : {"recentred", "peers"}
        Where the distribution jumps at a quantile: recentred, so that the mean of the RIF is the quantile; or as other
        software has it, whose mean is not.
    recentred_at : tuple of float
        Probabilities at which it is recentred wherever the quantile lies, so that a gap has both sides alike.
    """

    quantile: Literal["hmisc", "pctile"] = "hmisc"
    ties: Literal["below", "above"] = "below"
    kernel: Literal["gaussian", "epanechnikov"] = "gaussian"
    binned: bool = True
    iqr_divisor: float = 1.34
    weighted_bandwidth: bool = False
    bandwidth: float | None = None
    mass_points: MassPointRule = "recentred"
    recentred_at: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        check_options(
            mass_points=(self.mass_points, ("recentred", "peers")),
            quantile=(self.quantile, ("hmisc", "pctile")),
            ties=(self.ties, ("below", "above")),
            kernel=(self.kernel, ("gaussian", "epanechnikov")),
        )
        if self.bandwidth is not None and not (np.isfinite(self.bandwidth) and self.bandwidth > 0):
            raise OptionError(f"bandwidth={self.bandwidth!r} must be positive, in units of the outcome.")

    def below(self, y: FloatArray, point: float) -> BoolArray:
        """Say which values lie below a point, ties on the side of the convention."""
        return y <= point if self.ties == "below" else y < point

    def shape(self, u: FloatArray) -> FloatArray:
        """Kernel at u bandwidths."""
        if self.kernel == "gaussian":
            return np.asarray(np.exp(-0.5 * u * u) / np.sqrt(2 * np.pi))
        return np.where(np.abs(u) < _ROOT5, 0.75 * (1 - u * u / 5) / _ROOT5, 0.0)

    def slope(self, u: FloatArray) -> FloatArray:
        """Derivative of the kernel at u bandwidths."""
        if self.kernel == "gaussian":
            return -u * self.shape(u)
        return np.where(np.abs(u) < _ROOT5, -0.3 * u / _ROOT5, 0.0)

    @property
    def support(self) -> float:
        """Bandwidths beyond which the kernel is zero, to double precision."""
        return 8.5 if self.kernel == "gaussian" else _ROOT5


DENSITY_RULES = {
    "r": DensityRule(),
    "stata": DensityRule("pctile", "above", "epanechnikov", False, 1.349, True),
}


def density_rule(
    density: str | DensityRule,
    bandwidth: float | None = None,
    kernel: Literal["gaussian", "epanechnikov"] | None = None,
    mass_points: MassPointRule | None = None,
) -> DensityRule:
    """Return the convention that an option names, with another bandwidth, kernel or rule of mass points where given.

    >>> density_rule("stata", bandwidth=0.1).bandwidth
    0.1
    """
    if not isinstance(density, DensityRule):
        check_option("density", density, tuple(DENSITY_RULES))
        density = DENSITY_RULES[density]
    return replace(
        density,
        kernel=density.kernel if kernel is None else kernel,
        bandwidth=density.bandwidth if bandwidth is None else float(bandwidth),
        mass_points=density.mass_points if mass_points is None else mass_points,
    )


# distributions -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, eq=False)
class Distribution:
    """Values of a sample in order, with weights that add up to the number of observations.

    Attributes
    ----------
    y : ndarray, shape (n,)
        Values, smallest first.
    weights : ndarray, shape (n,)
        Weights in that order.
    counts : ndarray, shape (n,), optional
        Observations behind each row; one each where absent.
    cumulative : ndarray, shape (n,)
        Running sums of the weights.
    """

    y: FloatArray
    weights: FloatArray
    counts: FloatArray | None
    cumulative: FloatArray = field(repr=False)

    @property
    def total(self) -> float:
        """Sum of the weights."""
        return float(self.cumulative[-1])

    @property
    def effective(self) -> float:
        """Number of observations of equal weight that would vary as much: W^2 / sum w^2."""
        counts = 1.0 if self.counts is None else np.where(self.counts > 0, self.counts, 1.0)
        return self.total**2 / float(np.sum(self.weights**2 / counts))

    @property
    def is_weighted(self) -> bool:
        """Whether the weights are anything but the observations behind each row."""
        return bool((self.weights != (1.0 if self.counts is None else self.counts)).any())

    def mean(self, values: FloatArray) -> float:
        """Weighted mean of one number for each row, in the order of the rows."""
        return float(self.weights @ values) / self.total

    def window(self, point: float, width: float) -> slice:
        """Rows whose values lie within a distance of a point."""
        return slice(
            int(np.searchsorted(self.y, point - width, side="left")),
            int(np.searchsorted(self.y, point + width, side="right")),
        )


def distribution(y: FloatArray, weights: FloatArray | None = None, counts: FloatArray | None = None) -> Distribution:
    """Sort the values of a sample.

    Parameters
    ----------
    y : ndarray, shape (n,)
        Values.
    weights : ndarray, shape (n,), optional
        Weights, zero or more, of any scale.
    counts : ndarray, shape (n,), optional
        Observations behind each row (frequency weights, or draws of a bootstrap): they say how many observations
        quantiles and bandwidths count.

    Raises
    ------
    DataError
        For values that are not finite, or weights that are negative or add up to zero.

    Examples
    --------
    >>> distribution(np.array([3.0, 1.0, 2.0])).y
    array([1., 2., 3.])
    """
    y = np.asarray(y, dtype=float)
    if y.size == 0 or not np.isfinite(y).all():
        raise DataError(f"the outcome must be finite numbers; {int((~np.isfinite(y)).sum()):,} of {y.size:,} are not.")
    order = None if bool((y[1:] >= y[:-1]).all()) else np.argsort(y, kind="stable")
    given = counts if weights is None else weights
    raw = np.ones(len(y)) if given is None else np.asarray(given, dtype=float)
    refuse_rows(~(np.isfinite(raw) & (raw >= 0)), DataError, "", " weights are missing, infinite or negative.")
    if not raw.sum() > 0:
        raise DataError(f"the weights of {len(raw):,} rows add up to zero.")
    if order is not None:
        y, raw = y[order], raw[order]
        counts = None if counts is None else np.asarray(counts, dtype=float)[order]
    observations = float(len(y)) if counts is None else float(np.sum(counts))
    scaled = raw if weights is None else raw * (observations / raw.sum())
    return Distribution(y, scaled, counts, np.cumsum(scaled))


def quantile(sample: Distribution, prob: float, rule: Literal["hmisc", "pctile"] = "hmisc") -> float:
    """Return a weighted quantile.

    Parameters
    ----------
    sample : Distribution
        The values.
    prob : float
        Probability, between 0 and 1.
    rule : {"hmisc", "pctile"}
        Position 1 + (N - 1) p, between neighbours where it is not whole; or N p, the mean of two where it is whole.

    Examples
    --------
    >>> sample = distribution(np.array([1.0, 2.0, 3.0, 5.0]))
    >>> quantile(sample, 0.5), quantile(sample, 0.25), quantile(sample, 0.25, "pctile")
    (2.5, 1.75, 1.5)
    """
    return _positioned(sample.y, sample.cumulative, prob, rule)


def quantile_targets(
    total: FloatArray, prob: FloatArray, rule: Literal["hmisc", "pctile"]
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return the running weights at which a quantile and its neighbour are found, and the share of the neighbour.

    Parameters
    ----------
    total : ndarray
        Sum of the weights.
    prob : ndarray, broadcast against the total
        Probability.
    rule : {"hmisc", "pctile"}
        See `quantile`.
    """
    # Hmisc: h = 1 + (W - 1) p lies between the values at the whole positions l = floor(h) and l + 1,
    # q = (1 - (h - l)) y_(l) + (h - l) y_(l+1). Stata: q = (y_(W p) + y_(W p + 1)) / 2 where W p is whole.
    slack = 1e-12 * total
    if rule == "pctile":
        return total * prob - slack, total * prob + slack, np.full(np.shape(total * prob), 0.5)
    position = np.where(total > 1, 1 + (total - 1) * prob, total * prob)
    low = np.maximum(np.floor(position + slack), np.minimum(1.0, total))
    return low - slack, np.minimum(low + 1, total) - slack, np.maximum(position - low, 0.0)


def _positioned(y: FloatArray, cumulative: FloatArray, prob: float, rule: Literal["hmisc", "pctile"]) -> float:
    """Quantile of sorted values with running weights."""
    low, high, share = quantile_targets(cumulative[-1], np.asarray(prob), rule)
    first, second = y[np.minimum(np.searchsorted(cumulative, (low, high)), len(y) - 1)]
    return float(first if first == second else (1 - share) * first + share * second)


def tied_share(sample: Distribution, points: FloatArray) -> FloatArray:
    """Return the share of the weight that is tied at some points, in the shape of the points.

    Of a point between two values it is the larger of theirs. One observation of each value is left out, so that the
    share is zero where no two are equal, however heavy.

    >>> tied_share(distribution(np.array([1.0, 2.0, 2.0, 2.0])), np.array([1.0, 1.5, 2.0]))
    array([0. , 0.5, 0.5])
    """
    # W(v) (1 - 1 / n(v)) / W at the nearest values v on either side, which are the point itself where it is one
    ends, count = np.append(0.0, sample.cumulative), len(sample.y)
    counts = np.arange(count + 1.0) if sample.counts is None else np.append(0.0, np.cumsum(sample.counts))
    below = np.maximum(np.searchsorted(sample.y, points, side="right") - 1, 0)
    above = np.minimum(np.searchsorted(sample.y, points, side="left"), count - 1)
    tied = np.zeros(np.shape(points))
    for value in (sample.y[below], sample.y[above]):
        low, high = (np.searchsorted(sample.y, value, side=side) for side in ("left", "right"))
        number = np.maximum(counts[high] - counts[low], 1.0)
        tied = np.maximum(tied, (ends[high] - ends[low]) * (1 - 1 / number) / sample.total)
    return tied


def bandwidth(sample: Distribution, rule: DensityRule) -> float:
    """Return the bandwidth of a convention: 0.9 min(s, IQR / 1.34) N^(-1/5), unless the rule states one.

    Raises
    ------
    DataError
        When all values are equal.

    Examples
    --------
    >>> round(bandwidth(distribution(np.arange(10.0)), DENSITY_RULES["r"]), 6)
    1.719286
    """
    if rule.bandwidth is not None:
        return rule.bandwidth
    counts = np.ones(len(sample.y)) if sample.counts is None else sample.counts
    n, w = float(counts.sum()), sample.weights if rule.weighted_bandwidth else counts
    # h = .9 min(s, IQR / d) N^(-1/5), Silverman (1986, equation 3.31); s with divisor N - 1, d of the convention
    centred = sample.y - float(w @ sample.y) / w.sum()
    spread = float(np.sqrt(w @ centred**2 / w.sum() * n / (n - 1))) if n > 1 else 0.0
    low, high = (_positioned(sample.y, np.cumsum(w), p, rule.quantile) for p in (0.25, 0.75))
    inner = (high - low) / rule.iqr_divisor
    if spread <= 1e-14 * max(abs(float(sample.y[0])), abs(float(sample.y[-1])), 1e-300):
        raise DataError("the outcome is the same in all rows, and so has no density; nothing is left to decompose.")
    return float(0.9 * (min(spread, inner) if inner > 0 else spread) * n**-0.2)


# recentred influence functions ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Step:
    """A jump of a function: `height` at values below `point`, ties as `ties` says."""

    point: float
    ties: Literal["below", "above"]
    height: float


def _no_quantities(y: FloatArray) -> FloatArray:
    """Columns of a RIF in which nothing is estimated, shape (b, 0)."""
    return np.empty((len(y), 0))


@dataclass(frozen=True, slots=True, eq=False)
class Recentred:
    """A statistic of one sample and its recentred influence function,

    RIF(y) = base + sum of the steps that y lies below + smooth(y).

    Attributes
    ----------
    value : float
        The statistic.
    base : float
        Constant of the RIF.
    steps : tuple of Step
        Its jumps.
    smooth : callable, optional
        The rest of it: from values (b,) to (b,).
    nuisance : callable
        Influence of a value on each estimated quantity in the RIF: from (b,) to (b, r).
    slopes : callable
        Derivatives of the RIF with respect to those quantities: from (b,) to (b, r).
    minimum : float
        Multiple of E_t min(y, t), the mean of the lesser of y and another value of the sample, that `smooth` holds, as
        the RIF of the Gini does.
    """

    value: float
    base: float = 0.0
    steps: tuple[Step, ...] = ()
    smooth: Function | None = None
    nuisance: Function = _no_quantities
    slopes: Function = _no_quantities
    minimum: float = 0.0

    def rif(self, y: FloatArray) -> FloatArray:
        """Recentred influence function at some values, shape (b,)."""
        out = np.full(len(y), self.base)
        for step in self.steps:
            out += step.height * (y <= step.point if step.ties == "below" else y < step.point)
        return out if self.smooth is None else out + self.smooth(y)

    def influence(self, y: FloatArray) -> FloatArray:
        """Influence function at some values, shape (b,)."""
        return self.rif(y) - self.value


Builder: TypeAlias = Callable[[Distribution, DensityRule], Recentred]


@dataclass(frozen=True, slots=True, eq=False)
class Statistic:
    """A statistic by name.

    Attributes
    ----------
    name : str
        Name with its parameter, such as `"quantile(0.1)"`.
    family : str
        Name without it.
    probs : tuple of float
        Probabilities of quantiles and Lorenz ordinates, smallest first.
    build : callable
        From a distribution and a convention to the statistic with its RIF.
    of_median : float, optional
        The line it counts up to, as a multiple of the median.
    """

    name: str
    family: str
    probs: tuple[float, ...]
    build: Builder
    of_median: float | None = None

    def unit(self, outcome: str) -> str:
        """Return the unit of the statistic, given that of the outcome."""
        return {"share_below": "share"}.get(self.family, outcome if self.family in _IN_UNITS else "none")


@dataclass(frozen=True, slots=True, eq=False)
class CustomStatistic:
    """A statistic of the user's own.

    Attributes
    ----------
    value : callable
        From values (n,) and weights (n,) to a number; it must not depend on the scale of the weights or on the order.
    rif : callable, optional
        From values (n,) and weights (n,) to the recentred influence function (n,); by small changes of the weights
        where absent, which needs a `value` that is smooth in them.
    name : str
        What to call it.
    """

    value: Callable[[FloatArray, FloatArray], float]
    rif: Callable[[FloatArray, FloatArray], FloatArray] | None = None
    name: str = "custom"


StatisticLike: TypeAlias = str | Callable[[FloatArray, FloatArray], float] | CustomStatistic | Statistic


@dataclass(frozen=True, slots=True)
class MassPoint:
    """A quantile (or a line) at which a distribution jumps, so that its influence function says little of its errors.

    Attributes
    ----------
    name : str
        Which quantile or line.
    prob : float
        Probability of the quantile that it depends on.
    point : float
        Where it lies.
    share : float
        Share of the weight that is tied there.
    is_wide : bool
        Whether that is more than a standard error of F(q), sqrt(p (1 - p) / n). Below it rounding adds less than 4 per
        cent to the error of the quantile (a variance of share^2 / 12 beside p (1 - p) / n); above, analytic errors do
        not hold.
    """

    name: str
    prob: float
    point: float
    share: float
    is_wide: bool


def mass_points_of(statistic: Statistic, sample: Distribution, rule: DensityRule) -> tuple[MassPoint, ...]:
    """Return the mass points that a statistic stands on: at its quantiles, or at the line it counts up to.

    Lorenz ordinates stand on a quantile too, but are integrals up to it and do not jump with it.

    >>> sample = distribution(np.array([1.0, 2.0, 2.0, 2.0, 3.0]))
    >>> mass_points_of(parse_statistics("quantile", probs=0.5)[0], sample, DENSITY_RULES["r"])
    (MassPoint(name='quantile(0.5)', prob=0.5, point=2.0, share=0.4, is_wide=True),)
    """
    probs = statistic.probs if statistic.family in _JUMPING else ()
    places = [(f"quantile({p:g})", p, quantile(sample, p, rule.quantile)) for p in probs]
    if statistic.of_median is not None:
        median, multiple = quantile(sample, 0.5, rule.quantile), statistic.of_median
        places = [("quantile(0.5)", 0.5, median), (f"{multiple:g} median", 0.5, multiple * median)]
    tied = tied_share(sample, np.array([point for _, _, point in places]))
    return tuple(
        MassPoint(name, p, point, float(share), bool(share > np.sqrt(p * (1 - p) / sample.effective)))
        for (name, p, point), share in zip(places, tied, strict=True)
        if share > TIED
    )


def influence_of(
    statistics: Sequence[Statistic],
    y: FloatArray,
    weights: FloatArray | None = None,
    *,
    counts: FloatArray | None = None,
    rule: DensityRule | None = None,
) -> tuple[FloatArray, FloatArray]:
    """Return statistics of a sample, and the influence function of each at every row.

    Parameters
    ----------
    statistics : sequence of Statistic
        See `parse_statistics`.
    y : ndarray, shape (n,)
        Values.
    weights, counts : ndarray, shape (n,), optional
        Weights, and observations behind each row.
    rule : DensityRule, optional
        Convention of quantiles and densities; R's where absent.

    Returns
    -------
    values : ndarray, shape (m,)
        The statistics.
    influence : ndarray, shape (n, m)
        Influence functions in the order of the rows, neither weighted nor divided by n.

    Examples
    --------
    >>> values, influence = influence_of(parse_statistics(["mean", "variance"]), np.array([1.0, 2.0, 6.0]))
    >>> values.round(6), influence[:, 0]
    (array([3.      , 4.666667]), array([-2., -1.,  3.]))
    """
    sample = distribution(y, weights, counts)
    recentred = [statistic.build(sample, rule or DENSITY_RULES["r"]) for statistic in statistics]
    return (
        np.array([one.value for one in recentred]),
        np.column_stack([one.influence(np.asarray(y, dtype=float)) for one in recentred]),
    )


# building blocks -----------------------------------------------------------------------------------------------------


def _moment(sample: Distribution, function: Function) -> Recentred:
    """Mean of a function of the outcome, whose RIF is the function."""
    return Recentred(sample.mean(function(sample.y)), smooth=function)


def _compose(
    parts: Sequence[Recentred], value: float, gradient: Sequence[float], hessian: FloatArray | None = None
) -> Recentred:
    """RIF of a smooth function T = g(T_1, ..., T_r) of statistics; the T_j are estimated in it as well."""
    # RIF = T + sum_j g_j (RIF_j - T_j), g_j the gradient at the T_j
    pairs = list(zip(gradient, parts, strict=True))
    base = value + sum(g * (part.base - part.value) for g, part in pairs)
    steps = tuple(replace(step, height=g * step.height) for g, part in pairs for step in part.steps)
    continuous = [(g, part.smooth) for g, part in pairs if part.smooth is not None]

    def smooth(y: FloatArray) -> FloatArray:
        return np.asarray(np.sum([g * function(y) for g, function in continuous], axis=0))

    def influences(y: FloatArray) -> FloatArray:
        return np.column_stack([part.influence(y) for part in parts])

    # Quantities in it: those of the parts, with slopes g_j dRIF_j, and the T_j themselves, which move the gradient:
    # dRIF / dT_j = sum_l g_jl (RIF_l - T_l), as the terms in g_j cancel
    def nuisance(y: FloatArray) -> FloatArray:
        return np.hstack([*(part.nuisance(y) for part in parts), *([] if hessian is None else [influences(y)])])

    def slopes(y: FloatArray) -> FloatArray:
        curved = [] if hessian is None else [influences(y) @ hessian]
        return np.hstack([*(g * part.slopes(y) for g, part in pairs), *curved])

    minimum = sum(g * part.minimum for g, part in pairs)
    return Recentred(value, base, steps, smooth if continuous else None, nuisance, slopes, minimum)


def density_at(sample: Distribution, point: float, rule: DensityRule, width: float) -> float:
    """Return the kernel density at a point by a convention, with a bandwidth.

    >>> round(density_at(distribution(np.arange(9.0)), 4.0, DENSITY_RULES["stata"], 1.0), 6)
    0.111803
    """
    return _kernel(sample, point, rule, width)[0]


def _kernel(
    sample: Distribution, point: float, rule: DensityRule, width: float
) -> tuple[float, float, float, Function]:
    """Density at a point by the convention, and exactly; its slope there; and each value's part of it."""
    # f(q) = sum_i w_i K((q - y_i) / h) / (W h),  f'(q) = sum_i w_i K'((q - y_i) / h) / (W h^2)
    near = sample.window(point, rule.support * width)
    u = (point - sample.y[near]) / width
    w = sample.weights[near] / sample.total
    exact = float(w @ rule.shape(u)) / width
    value = _binned_density(sample, point, rule, width) if rule.binned else exact
    slope = float(w @ rule.slope(u)) / width**2
    return value, exact, slope, lambda y: rule.shape((point - y) / width) / width


def share_out(place: FloatArray, weights: FloatArray, number: int) -> FloatArray:
    """Return weights shared out between the two nearest of so many points 0, 1, ..., number - 1.

    >>> share_out(np.array([0.25, 1.0]), np.array([4.0, 1.0]), 3)
    array([3., 2., 0.])
    """
    below = np.minimum(place.astype(np.intp), number - 2)
    share = place - below
    mass = np.bincount(below, weights * (1 - share), number) + np.bincount(below + 1, weights * share, number)
    return mass.astype(float, copy=False)


def _binned_density(sample: Distribution, point: float, rule: DensityRule, width: float) -> float:
    """R's density() asked for one point: linear binning on 512 points within four bandwidths, two of them averaged."""
    low, span = point - 4 * width, 8 * width
    rows = sample.window(point, 4 * width * (1 + 2 / (_GRID - 1)))
    cell = (sample.y[rows] - low) / (span / (_GRID - 1)) + 1
    inside = (cell >= 0) & (cell < _GRID + 1)
    mass = share_out(cell[inside], sample.weights[rows][inside] / sample.total, _GRID + 2)
    shape = rule.shape(np.arange(_GRID, dtype=np.float64) * (2 * span / (2 * _GRID - 1) / width)) / width
    distance = np.abs(np.arange(_GRID)[:, None] - (_GRID - 1) // 2 - np.arange(2))
    return float(mass[1 : _GRID + 1] @ shape[distance].mean(axis=1))


def recentres(sample: Distribution, points: float | FloatArray, prob: float, rule: DensityRule) -> BoolArray:
    """Say at which points the RIF of a quantile is recentred: at mass points, unless the rule is the peers'."""
    if rule.mass_points == "peers" or prob in rule.recentred_at:
        return np.full(np.shape(points), rule.mass_points != "peers")
    return np.asarray(tied_share(sample, np.asarray(points)) > TIED)


def _quantile(sample: Distribution, rule: DensityRule, prob: float) -> Recentred:
    """RIF of a quantile, q + (p - 1{y <= q}) / f(q); at a mass point q + (F(q) - 1{y <= q}) / f(q)."""
    width = bandwidth(sample, rule)
    point = quantile(sample, prob, rule.quantile)
    f, exact, slope, at = _kernel(sample, point, rule, width)
    if not f > 1e-12 / width:
        raise DataError(
            f"the density at the quantile {prob:g} ({point:.6g}) is zero with a bandwidth of {width:.3g}: give a "
            "larger bandwidth, or another probability."
        )
    share = sample.mean(rule.below(sample.y, point).astype(float))
    centre = share if recentres(sample, point, prob, rule) else prob

    # Estimated in it are q, with IF_q = (F(q) - 1{y <= q}) / f, and f(q), with IF_f = K_h(q - y) - f + f'(q) IF_q
    def nuisance(y: FloatArray) -> FloatArray:
        moved = (share - rule.below(y, point)) / f
        return np.column_stack([moved, at(y) - exact + slope * moved])

    # dRIF / dq = 1 - K_h(q - y) / f, the jump smoothed by the kernel;  dRIF / df = (1{y <= q} - p) / f^2
    def slopes(y: FloatArray) -> FloatArray:
        return np.column_stack([1 - at(y) / f, (rule.below(y, point) - centre) / f**2])

    return Recentred(point, point + centre / f, (Step(point, rule.ties, -1 / f),), nuisance=nuisance, slopes=slopes)


def _generalized_lorenz(sample: Distribution, rule: DensityRule, prob: float) -> Recentred:
    """Mean of the outcome below a quantile, times its share: GL(p) = E y 1{y <= q} + q (p - F(q))."""
    # RIF = (y - q) 1{y <= q} + q p, in which q is estimated: dRIF / dq = p - 1{y <= q}
    inner = _quantile(sample, rule, prob)
    point = inner.value

    def smooth(y: FloatArray) -> FloatArray:
        return np.where(rule.below(y, point), y - point, 0.0)

    return Recentred(
        sample.mean(smooth(sample.y)) + point * prob,
        point * prob,
        smooth=smooth,
        nuisance=lambda y: inner.nuisance(y)[:, :1],
        slopes=lambda y: np.asarray(prob - rule.below(y, point), dtype=float)[:, None],
    )


def _mean_of_lesser(sample: Distribution) -> Recentred:
    """M = E min(y, t) over pairs of the sample, whose RIF is 2 E_t min(y, t) - M."""
    # m(y) = E_t min(y, t) = y (1 - F(y)) + E t 1{t <= y}, linear between the values of the sample
    y, w = sample.y, sample.weights / sample.total
    at = y * (1.0 - np.cumsum(w)) + np.cumsum(w * y)
    value = float(w @ at)

    def least(values: FloatArray) -> FloatArray:
        return np.where(values < y[0], values, np.interp(values, y, at))

    return Recentred(
        value,
        -value,
        smooth=lambda v: 2.0 * least(v),
        nuisance=lambda v: 2 * (least(v) - value)[:, None],
        slopes=lambda v: np.full((len(v), 1), -1.0),
        minimum=2.0,
    )


# statistics ----------------------------------------------------------------------------------------------------------


def _mean(sample: Distribution, _rule: DensityRule) -> Recentred:
    return _moment(sample, lambda y: np.array(y, dtype=float))


def _variance(sample: Distribution, _rule: DensityRule) -> Recentred:
    """E (y - mu)^2, with divisor n."""
    # s^2 = m_2 - m_1^2 of y less its mean: gradient (-2 m_1, 1) at m_1 = 0
    centre = sample.mean(sample.y)
    first, second = _moment(sample, lambda y: y - centre), _moment(sample, lambda y: (y - centre) ** 2)
    return _compose([first, second], second.value, (0.0, 1.0), np.array([[-2.0, 0.0], [0.0, 0.0]]))


def _standard_deviation(sample: Distribution, rule: DensityRule) -> Recentred:
    variance = _variance(sample, rule)
    if not variance.value > 0:
        raise DataError("the outcome is the same in all rows: its standard deviation has no influence function.")
    sigma = float(np.sqrt(variance.value))
    return _compose([variance], sigma, (0.5 / sigma,), np.array([[-0.25 / sigma**3]]))


def _gini(sample: Distribution, rule: DensityRule) -> Recentred:
    """1 - E min(y, t) / mu."""
    ratio = _ratio(_mean_of_lesser(sample), _positive_mean(sample, rule, "gini"))
    return _compose([ratio], 1 - ratio.value, (-1.0,))


def _lorenz(sample: Distribution, rule: DensityRule, prob: float) -> Recentred:
    """GL(p) / mu."""
    return _ratio(_generalized_lorenz(sample, rule, prob), _positive_mean(sample, rule, "lorenz"))


def _theil(sample: Distribution, rule: DensityRule) -> Recentred:
    """E (y / mu) log(y / mu) = nu / mu - log mu, with nu = E y log y."""
    _check_positive(sample, "theil")
    nu, mean = _moment(sample, lambda y: y * np.log(y)), _mean(sample, rule)
    v, mu = nu.value, mean.value
    hessian = np.array([[0.0, -1 / mu**2], [-1 / mu**2, 2 * v / mu**3 + 1 / mu**2]])
    return _compose([nu, mean], v / mu - float(np.log(mu)), (1 / mu, -v / mu**2 - 1 / mu), hessian)


def _mld(sample: Distribution, rule: DensityRule) -> Recentred:
    """Mean log deviation, log mu - E log y."""
    _check_positive(sample, "mld")
    logs, mean = _moment(sample, np.log), _mean(sample, rule)
    mu = mean.value
    return _compose([logs, mean], float(np.log(mu)) - logs.value, (-1.0, 1 / mu), np.diag([0.0, -1 / mu**2]))


def _atkinson(sample: Distribution, rule: DensityRule, epsilon: float) -> Recentred:
    """1 - h(nu) / mu: h = nu^(1/(1-e)), nu = E y^(1-e); for e = 1 h = exp(nu), nu = E log y."""
    _check_positive(sample, "atkinson")
    mean, power = _mean(sample, rule), 1 - epsilon
    mu = mean.value
    if abs(power) < 1e-12:
        inner = _moment(sample, np.log)
        level = first = second = float(np.exp(inner.value))  # h = h' = h''
    else:
        inner = _moment(sample, lambda y: y**power)
        level = float(inner.value ** (1 / power))
        first = level / (power * inner.value)  # h'
        second = first * (1 / power - 1) / inner.value  # h''
    hessian = np.array([[-second / mu, first / mu**2], [first / mu**2, -2 * level / mu**3]])
    return _compose([inner, mean], 1 - level / mu, (-first / mu, level / mu**2), hessian)


def _interquantile(sample: Distribution, rule: DensityRule, probs: tuple[float, float], *, ratio: bool) -> Recentred:
    """Upper quantile less, or over, the lower one."""
    low, high = (_quantile(sample, rule, p) for p in probs)
    if not ratio:
        return _compose([high, low], high.value - low.value, (1.0, -1.0))
    if not low.value > 0:
        raise DataError(f"the quantile {probs[0]:g} is {low.value:.6g}: a ratio of quantiles needs a positive one.")
    return _ratio(high, low)


def _ratio(above: Recentred, below: Recentred) -> Recentred:
    """A / B, with gradient (1 / B, -A / B^2)."""
    a, b = above.value, below.value
    return _compose([above, below], a / b, (1 / b, -a / b**2), np.array([[0.0, -1 / b**2], [-1 / b**2, 2 * a / b**3]]))


def _share_below(sample: Distribution, _rule: DensityRule, line: float) -> Recentred:
    """Share with an outcome under a line that is given, whose RIF is 1{y < line}."""
    return Recentred(sample.mean((sample.y < line).astype(float)), 0.0, (Step(line, "above", 1.0),))


def _share_below_median(sample: Distribution, rule: DensityRule, multiple: float) -> Recentred:
    """Share with an outcome under a line c q that is a multiple of the median, which is estimated."""
    width = bandwidth(sample, rule)
    median = _quantile(sample, rule, 0.5)
    line = multiple * median.value
    f_median, _, _, at_median = _kernel(sample, median.value, rule, width)
    f_line, exact, slope, at_line = _kernel(sample, line, rule, width)
    scale = multiple * f_line

    # RIF = 1{y < c q} + c f(c q) (RIF_q - q). Estimated in it are q and f(q), as in a quantile, and f(c q):
    # IF = K_h(c q - y) - f(c q) + f'(c q) c IF_q
    def nuisance(y: FloatArray) -> FloatArray:
        moved = median.nuisance(y)
        return np.column_stack([moved, at_line(y) - exact + slope * multiple * moved[:, 0]])

    # dRIF / dq = c (K_h(c q - y) - f(c q) K_h(q - y) / f(q)),  dRIF / df(q) = -c f(c q) IF_q / f(q),
    # dRIF / df(c q) = c IF_q
    def slopes(y: FloatArray) -> FloatArray:
        along = multiple * (at_line(y) - f_line * at_median(y) / f_median)
        influence = median.influence(y)
        return np.column_stack([along, -scale * influence / f_median, multiple * influence])

    share = _share_below(sample, rule, line)
    steps = (*share.steps, *(replace(step, height=scale * step.height) for step in median.steps))
    return Recentred(share.value, scale * (median.base - median.value), steps, nuisance=nuisance, slopes=slopes)


def _positive_mean(sample: Distribution, rule: DensityRule, name: str) -> Recentred:
    mean = _mean(sample, rule)
    if not mean.value > 0:
        raise DataError(f"{name}: the mean of the outcome is {mean.value:.6g}; it must be positive.")
    return mean


def _check_positive(sample: Distribution, name: str) -> None:
    bad = (sample.y <= 0) & (sample.weights > 0)
    refuse_rows(bad, DataError, f"{name} is defined for positive outcomes; ", " are zero or negative.")


# statistics of the user's ---------------------------------------------------------------------------------------------


def _custom(sample: Distribution, _rule: DensityRule, given: CustomStatistic) -> Recentred:
    """A function of values and weights, with its RIF as given or found by small changes of the weights."""
    value = _call(given, sample.y, sample.weights)
    if given.rif is None:
        knots, influence = _numerical_influence(given, sample, value)
    else:
        knots = sample.y
        influence = np.asarray(given.rif(sample.y, sample.weights), dtype=float) - value
        if influence.shape != knots.shape or not np.isfinite(influence).all():
            raise DataError(
                f"the RIF of {given.name!r} must return a finite number for each of {len(knots):,} rows; it "
                f"returned shape {influence.shape} with {int((~np.isfinite(influence)).sum()):,} not finite."
            )
    return Recentred(value, value, smooth=lambda y: np.interp(y, knots, influence))


def _call(given: CustomStatistic, y: FloatArray, weights: FloatArray) -> float:
    value = float(given.value(y, weights))
    if not np.isfinite(value):
        raise DataError(
            f"the statistic {given.name!r} returned {value} for {len(y):,} rows: a number is needed for every sample."
        )
    return value


def _numerical_influence(given: CustomStatistic, sample: Distribution, value: float) -> tuple[FloatArray, FloatArray]:
    """Influence function at distinct values, at most 400 of them, by second-order differences in the weights."""
    first = np.flatnonzero(np.r_[True, np.diff(sample.y) > 0])
    chosen = first if len(first) <= _KNOTS else first[np.linspace(0, len(first) - 1, _KNOTS).astype(np.intp)]
    step = 1e-4

    def mixed(row: int, h: float) -> float:
        weights = sample.weights * (1 - h)
        weights[row] += h * sample.total
        return _call(given, sample.y, weights)

    # IF(y) = d/dh T((1 - h) F + h 1{y}) at h = 0, by (4 T(h) - 3 T(0) - T(2 h)) / (2 h)
    differences = [4 * mixed(row, step) - 3 * value - mixed(row, 2 * step) for row in chosen]
    knots, influence = sample.y[chosen], np.array(differences) / (2 * step)
    return knots, influence - sample.mean(np.interp(sample.y, knots, influence))


# names ---------------------------------------------------------------------------------------------------------------

_PLAIN: dict[str, Builder] = {
    "mean": _mean,
    "variance": _variance,
    "standard_deviation": _standard_deviation,
    "gini": _gini,
    "theil": _theil,
    "mld": _mld,
}
_BY_PROB = {"quantile": _quantile, "lorenz": _lorenz, "generalized_lorenz": _generalized_lorenz}
_BY_PAIR = ("interquantile_range", "interquantile_ratio")
_BY_NUMBER = ("atkinson", "share_below")
_JUMPING = ("quantile", *_BY_PAIR)
_IN_UNITS = ("mean", "quantile", "standard_deviation", "interquantile_range", "generalized_lorenz")

STATISTICS: tuple[str, ...] = (*_PLAIN, *_BY_PROB, *_BY_PAIR, *_BY_NUMBER)


def parse_statistics(
    statistic: StatisticLike | Sequence[StatisticLike], probs: Sequence[float] = (0.1, 0.5, 0.9)
) -> tuple[Statistic, ...]:
    """Say which statistics are meant.

    Parameters
    ----------
    statistic : str, callable, CustomStatistic, or sequence of them
        Names of `STATISTICS`, with their parameter behind a colon or in parentheses: `"atkinson:0.5"`,
        `"share_below:10"` (a line in units of the outcome), `"share_below:0.6 median"`; probabilities may stand there
        as well, `"quantile:0.9"`, `"interquantile_range:0.75,0.25"`. A callable takes values and weights and returns a
        number.
    probs : sequence of float
        Probabilities of quantiles and Lorenz ordinates that are named without one; ranges and ratios take the largest
        and the smallest.

    Raises
    ------
    OptionError
        For an unknown name, a probability outside (0, 1), or a parameter that is missing or no number.

    Examples
    --------
    >>> [one.name for one in parse_statistics(["quantile", "gini"], probs=(0.1, 0.9))]
    ['quantile(0.1)', 'quantile(0.9)', 'gini']
    """
    several = isinstance(statistic, Sequence) and not isinstance(statistic, str)
    wanted: Sequence[StatisticLike] = statistic if several else (statistic,)  # type: ignore[assignment]
    levels = tuple(_probability(p) for p in np.atleast_1d(np.asarray(probs, dtype=float)))
    out = [one for each in wanted for one in _parse_one(each, levels)]
    if not out:
        raise OptionError("no statistic is named: give statistic='quantile' with probs, or another of its names.")
    repeated = {one.name for one in out if sum(other.name == one.name for other in out) > 1}
    if repeated:
        raise OptionError(f"{min(repeated)!r} is asked for twice.")
    return tuple(out)


def _parse_one(given: StatisticLike, probs: tuple[float, ...]) -> list[Statistic]:
    """Statistics that one entry means: several for a name that takes probabilities."""
    if isinstance(given, Statistic):
        return [given]
    if callable(given):
        name = getattr(given, "__name__", "custom")
        given = CustomStatistic(given, None, "custom" if name == "<lambda>" else name)
    if isinstance(given, CustomStatistic):
        return [Statistic(given.name, given.name, (), partial(_custom, given=given))]
    if not isinstance(given, str):
        raise OptionError(f"statistic={given!r} is neither a name nor a function of values and weights.")
    return _by_name(given, probs)


def _by_name(given: str, probs: tuple[float, ...]) -> list[Statistic]:
    name, _, parameter = (part.strip() for part in given.rstrip(")").replace("(", ":").partition(":"))
    if name not in STATISTICS:
        raise OptionError(
            f"statistic={given!r} is not known.{did_you_mean(name, STATISTICS)} Known: {', '.join(STATISTICS)}."
        )
    if name in _PLAIN:
        if parameter:
            raise OptionError(f"statistic={given!r}: {name} takes no parameter.")
        return [Statistic(name, name, (), _PLAIN[name])]
    if name in _BY_NUMBER:
        return [_by_number(name, parameter)]
    levels = tuple(_probability(p) for p in _numbers(name, parameter)) if parameter else probs
    if name in _BY_PROB:
        return [Statistic(f"{name}({p:g})", name, (p,), partial(_BY_PROB[name], prob=p)) for p in levels]
    low, high = min(levels), max(levels)
    if low == high:
        raise OptionError(f"{name} needs two different probabilities: probs=(0.9, 0.1).")
    build = partial(_interquantile, probs=(low, high), ratio=name == "interquantile_ratio")
    return [Statistic(f"{name}({high:g}, {low:g})", name, (low, high), build)]


def _by_number(name: str, parameter: str) -> Statistic:
    """A statistic with a number: the aversion to inequality, or a line."""
    if not parameter:
        raise OptionError(
            f"{name} needs a number: 'atkinson:0.5'." if name == "atkinson"
            else "share_below needs a line: 'share_below:10', or 'share_below:0.6 median'."
        )  # fmt: skip
    number = _numbers(name, parameter.removesuffix("median").strip(" *"))[0]
    if name == "atkinson":
        if not number > 0:
            raise OptionError(f"atkinson:{number:g}: the aversion to inequality must be positive.")
        return Statistic(f"atkinson({number:g})", name, (), partial(_atkinson, epsilon=number))
    if parameter.endswith("median"):
        return Statistic(
            f"share_below({number:g} median)", name, (), partial(_share_below_median, multiple=number), number
        )
    return Statistic(f"share_below({number:g})", name, (), partial(_share_below, line=number))


def _numbers(name: str, text: str) -> tuple[float, ...]:
    try:
        values = tuple(float(part) for part in text.split(","))
    except ValueError:
        values = (np.nan,)
    if not np.isfinite(values).all():
        raise OptionError(f"{name}:{text!r} is no number.")
    return values


def _probability(value: float) -> float:
    if not 0 < value < 1:
        raise OptionError(f"probs: {value:g} is no probability between 0 and 1: the median is 0.5, not 50.")
    return float(value)
