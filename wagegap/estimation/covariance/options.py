"""How errors are related: the one grammar of the `cov` option.

A covariance is a string, `"iid"`, `"HC0"` to `"HC3"`, `"CR0:psu"` to `"CR3:psu"` (kind, colon, cluster; two clusters
joined by a plus are two-way, and so on), or one of the small frozen objects of this module: a survey design, dyads,
nearness in space or time, replicate weights, a bootstrap. Nothing here computes; `parse_cov` says what is meant, once,
for every stage.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np

from wagegap._typing import FloatArray, ReplicateKind, RngLike
from wagegap.errors import OptionError, check_option, check_rng, did_you_mean

__all__ = [
    "Analytic",
    "BeckKatz",
    "Bootstrap",
    "Conley",
    "CovLike",
    "Covariance",
    "DriscollKraay",
    "Dyadic",
    "NeweyWest",
    "Replicates",
    "Robust",
    "Survey",
    "parse_cov",
    "replicate_scale",
]

_HC = ("HC0", "HC1", "HC2", "HC3")
_CR = ("CR0", "CR1", "CR2", "CR3")
_REPLICATE_KINDS = ("BRR", "Fay", "JK1", "JK2", "JKn", "bootstrap")
_SPELLINGS = ("iid", *_HC, "CR0:cluster", "CR1:cluster", "CR2:cluster", "CR3:cluster", "CR1:first+second")


@dataclass(frozen=True, slots=True)
class Robust:
    """Analytic covariance from scores.

    Attributes
    ----------
    kind : str
        `"iid"`, `"HC0"` to `"HC3"`, `"CR0"` to `"CR3"`.
    clusters : tuple of str
        Columns (or `"worker"`) within whose values errors may be correlated.
    """

    kind: str
    clusters: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.kind}:{'+'.join(self.clusters)}" if self.clusters else self.kind


@dataclass(frozen=True, slots=True)
class Survey:
    """Taylor linearisation of a stratified, clustered sample (with-replacement approximation).

    Attributes
    ----------
    psu : str
        Column of primary sampling units.
    strata : str, optional
        Column of strata.
    lonely : {"raise", "certainty"}
        What a stratum with a single unit is: an error, or a unit sampled with certainty (no variance).
    """

    psu: str
    strata: str | None = None
    lonely: Literal["raise", "certainty"] = "raise"

    def __post_init__(self) -> None:
        check_option("lonely", self.lonely, ("raise", "certainty"))

    def __str__(self) -> str:
        return f"Survey({self.strata}/{self.psu})" if self.strata else f"Survey({self.psu})"


@dataclass(frozen=True, slots=True)
class Dyadic:
    """Rows are pairs, such as flows; those with a member in common may be correlated (Aronow, Samii and Assenova 2015).

    Attributes
    ----------
    origin, destination : str
        Columns of the two members.
    """

    origin: str
    destination: str

    def __str__(self) -> str:
        return f"Dyadic({self.origin}~{self.destination})"


@dataclass(frozen=True, slots=True)
class Conley:
    """Rows whose places are near may be correlated (Conley 1999).

    Attributes
    ----------
    lat, lon : str
        Columns of latitude and longitude, degrees.
    km : float
        Distance from which on rows are uncorrelated.
    kernel : {"uniform", "bartlett"}
        Weight of nearer pairs.
    """

    lat: str
    lon: str
    km: float
    kernel: Literal["uniform", "bartlett"] = "uniform"

    def __post_init__(self) -> None:
        check_option("kernel", self.kernel, ("uniform", "bartlett"))
        if not self.km > 0:
            raise OptionError(f"km={self.km!r} must be a positive distance.")

    def __str__(self) -> str:
        return f"Conley({self.lat}~{self.lon}, {self.km:g} km, {self.kernel})"


@dataclass(frozen=True, slots=True)
class DriscollKraay:
    """Rows of near periods may be correlated, whatever their unit (Driscoll and Kraay 1998).

    Attributes
    ----------
    period : str
        Column of periods.
    lags : int
        Lags up to which rows are correlated, with Bartlett's weights.
    """

    period: str
    lags: int

    def __post_init__(self) -> None:
        _check_lags(self.lags)

    def __str__(self) -> str:
        return f"DriscollKraay({self.period}, {self.lags} lags)"


@dataclass(frozen=True, slots=True)
class NeweyWest:
    """Rows of near periods of one unit may be correlated (Newey and West 1987).

    Attributes
    ----------
    unit, period : str
        Columns of units (or `"worker"`) and periods.
    lags : int
        Lags up to which rows are correlated, with Bartlett's weights.
    """

    unit: str
    period: str
    lags: int

    def __post_init__(self) -> None:
        _check_lags(self.lags)

    def __str__(self) -> str:
        return f"NeweyWest({self.unit}, {self.period}, {self.lags} lags)"


@dataclass(frozen=True, slots=True)
class BeckKatz:
    """Errors of units are correlated within a period, alike in all periods (Beck and Katz 1995); for `fit_linear`.

    Attributes
    ----------
    unit, period : str
        Columns; every unit must stand in every period once.
    """

    unit: str
    period: str

    def __str__(self) -> str:
        return f"BeckKatz({self.unit}, {self.period})"


@dataclass(frozen=True, slots=True)
class Replicates:
    """Replicate weights that the survey supplies.

    Attributes
    ----------
    columns : tuple of str
        Replicate weight columns, whole-sample scale; empty for those the panel declares.
    kind : {"BRR", "Fay", "JK1", "JK2", "JKn", "bootstrap"}, optional
        How they were made; the panel's kind where absent.
    fay : float
        Fay's factor, for kind Fay.
    scales : tuple of float, optional
        A scale per replicate, for JKn; (n_h - 1)/n_h of the stratum of each replicate.
    """

    columns: tuple[str, ...] = ()
    kind: ReplicateKind | None = None
    fay: float = 0.0
    scales: tuple[float, ...] | None = None

    def __post_init__(self) -> None:
        given: str | tuple[str, ...] = self.columns
        names = (given,) if isinstance(given, str) else tuple(given)
        object.__setattr__(self, "columns", names)
        if self.kind is not None:
            check_option("kind", self.kind, _REPLICATE_KINDS)
        if not 0 <= self.fay < 1:
            raise OptionError(f"fay={self.fay!r} must be in [0, 1).")

    def __str__(self) -> str:
        count = f", {len(self.columns)} replicates" if self.columns else ""
        return f"Replicates({self.kind or 'declared'}{count})"


@dataclass(frozen=True, slots=True)
class Bootstrap:
    """Pairs bootstrap of rows or of clusters.

    Attributes
    ----------
    reps : int
        Number of resamples.
    kind : {"pairs", "bayesian"}
        Multinomial counts, or exponential weights of mean one.
    cluster : str, optional
        Column (or `"worker"`) whose values are drawn together; rows where absent.
    rng : Generator, int or None
        Source of randomness.
    strata : str, optional
        Column within whose values units are drawn, each as often as it has units: the groups of a decomposition, say.
        Results whose draws differ in this cannot be joined.
    workers : int
        Threads; the numbers do not depend on them.
    progress : bool
        Say on stderr how far it is.
    """

    reps: int = 999
    kind: Literal["pairs", "bayesian"] = "pairs"
    cluster: str | None = None
    rng: RngLike = None
    strata: str | None = None
    workers: int = 1
    progress: bool = False

    def __post_init__(self) -> None:
        check_option("kind", self.kind, ("pairs", "bayesian"))
        check_rng(self.rng)
        for name, least in (("reps", 2), ("workers", 1)):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int | np.integer):
                raise OptionError(f"{name}={value!r} must be a whole number.")
            if value < least:
                raise OptionError(f"{name}={value} is too few: at least {least}.")

    def __str__(self) -> str:
        more = "".join(f", {word}" for word in (self.cluster, self.strata and f"within {self.strata}") if word)
        return f"Bootstrap({self.reps}, {self.kind}{more})"


Analytic: TypeAlias = Robust | Survey | Dyadic | Conley | DriscollKraay | NeweyWest
Covariance: TypeAlias = Analytic | Replicates | Bootstrap
CovLike: TypeAlias = str | Covariance


def parse_cov(cov: CovLike | BeckKatz) -> Covariance:
    """Say what a `cov` option means.

    >>> parse_cov("CR1:firm+year")
    Robust(kind='CR1', clusters=('firm', 'year'))
    """
    if not isinstance(cov, str):
        if isinstance(cov, Covariance):
            return cov
        if isinstance(cov, BeckKatz):
            raise OptionError(f"cov={cov} is a covariance of fit_linear; elsewhere DriscollKraay is near to it.")
        raise OptionError(f"cov={cov!r} is neither a string nor an object of wagegap.cov.")
    kind, _, clusters = cov.partition(":")
    names = tuple(name.strip() for name in clusters.split("+") if name.strip())
    if kind not in ("iid", *_HC, *_CR):
        raise OptionError(
            f"cov={cov!r} is not known.{did_you_mean(kind, ('iid', *_HC, *_CR))} Known: {', '.join(_SPELLINGS)}."
        )
    if kind in _CR and not names:
        raise OptionError(f"cov={cov!r} names no cluster: write {kind}:COLUMN, for example {kind}:psu.")
    if kind not in _CR and names:
        raise OptionError(f"cov={cov!r}: {kind} takes no cluster; write CR1:{names[0]}.")
    if len(names) > 1 and kind in ("CR2", "CR3"):
        raise OptionError(f"cov={cov!r}: {kind} is defined for one cluster; use CR1:{'+'.join(names)}.")
    return Robust(kind, names)


def _check_lags(lags: object) -> None:
    if isinstance(lags, bool) or not isinstance(lags, int | np.integer) or lags < 0:
        raise OptionError(f"lags={lags!r} must be a whole number, 0 or more.")


def replicate_scale(kind: ReplicateKind, n: int, fay: float, scales: tuple[float, ...] | None) -> FloatArray:
    """Return the factor of each replicate's squared deviation, shape (n,).

    BRR 1/R; Fay 1/(R (1 - f)^2); JK1 (R - 1)/R; JK2 1; JKn as given; bootstrap 1/(R - 1).

    >>> replicate_scale("JK2", 2, 0.0, None)
    array([1., 1.])
    """
    if n < 2:
        raise OptionError(f"{n} replicate is too few for a variance: at least 2.")
    if kind == "JKn":
        if scales is None or len(scales) != n:
            raise OptionError(f"JKn needs scales, one for each of the {n} replicates: (n_h - 1)/n_h of its stratum.")
        return np.asarray(scales, dtype=float)
    value = {"BRR": 1 / n, "Fay": 1 / (n * (1 - fay) ** 2), "JK1": (n - 1) / n, "JK2": 1.0, "bootstrap": 1 / (n - 1)}
    return np.full(n, value[kind])
