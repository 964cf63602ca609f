"""How errors are related: the one grammar of the `cov` option.

A covariance is a string, `"iid"`, `"HC0"` to `"HC3"`, `"CR0:psu"` to `"CR3:psu"` (kind, colon, cluster; two clusters
joined by a plus are two-way, and so on), or one of the small frozen objects of this module: a survey design, dyads,
nearness in space or time, replicate weights, a bootstrap. `parse_cov` says what is meant, once, for every stage.

Each object answers for itself, so that nobody asks for its type: what it needs of the panel (`pair_weights`, or
`replicate_weights`), of which signed terms the covariance of scores consists, V = sum_k s_k S'K_k S (`terms`), by which
small-sample factor it is multiplied (`factor`), and its degrees of freedom (`units`, `degrees`). `replicated` tells
those that refit from those that stand on scores.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import reduce
from itertools import combinations
from numbers import Real
from typing import Annotated, Any, ClassVar, Literal, Protocol, Self, TypeAlias

import numpy as np

from wagegap._arguments import public, public_class, public_methods
from wagegap._typing import (
    AnyArray,
    CodeArray,
    Count,
    CovarianceRepair,
    FloatArray,
    IntArray,
    ReplicateKind,
    RngLike,
    SmallSample,
    WeightKind,
)
from wagegap.errors import (
    CovarianceError,
    OptionError,
    check_count,
    check_keys_meet,
    did_you_mean,
    listing,
    refuse_rows,
)
from wagegap.estimation.covariance.groupings import Grouping, PairWeights
from wagegap.estimation.covariance.pairs import Dyads, Places, Spells, check_kernel
from wagegap.estimation.covariance.replication import (
    Centre,
    ReplicateWeights,
    bootstrap_weights,
    check_whole,
    replicate_scale,
)
from wagegap.estimation.covariance.resampling import GivenWeights
from wagegap.estimation.covariance.survey_design import (
    Lonely,
    MultistageGrouping,
    StratifiedGrouping,
    sampling_fractions,
    stratum_in_words,
)

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
    "check_fay",
    "parse_cov",
    "replicate_scale",
]


def __dir__() -> list[str]:
    """Names that a user of `wagegap.cov` has."""
    return sorted(name for name in __all__ if name[0].isupper())


_HC = ("HC0", "HC1", "HC2", "HC3")
_CR = ("CR0", "CR1", "CR2", "CR3")
LonelyAlias: TypeAlias = Literal["fail", "missing", "remove", "centered", "scaled"]
"""Names of R's survey.lonely.psu and of Stata's singleunit()."""
_LONELY: dict[Lonely | LonelyAlias, Lonely] = {
    "fail": "raise", "missing": "raise", "remove": "certainty", "centered": "adjust", "scaled": "average",
    "raise": "raise", "certainty": "certainty", "adjust": "adjust", "average": "average",
}  # fmt: skip
_SPELLINGS = ("iid", *_HC, "CR0:cluster", "CR1:cluster", "CR2:cluster", "CR3:cluster", "CR1:first+second")


class RowLabels(Protocol):
    """What a covariance asks of a panel about some of its rows."""

    @property
    def source(self) -> str:
        """Name of the data."""

    @property
    def fingerprint(self) -> str:
        """Name of this very data."""

    @property
    def row_ids(self) -> IntArray:
        """Number of each row at the door."""

    def __len__(self) -> int: ...

    def groupings(self, rows: IntArray, extra: Sequence[str] = ()) -> dict[str, Grouping]:
        """Return the declared groupings of some rows, and those by `extra` columns."""

    def ids(self, name: str, rows: IntArray) -> AnyArray:
        """Return a column that identifies something."""

    def numbers(self, name: str, rows: IntArray) -> FloatArray:
        """Return a column of numbers, NaN where it holds none."""

    def periods(self, name: str, rows: IntArray) -> AnyArray:
        """Return numbers that rise with the periods of a column."""

    def sampled(self, columns: Sequence[str]) -> tuple[RowLabels, IntArray]:
        """Return the whole sample, rows that were filtered out included, and the place of each row in it."""


@public_methods
class _Option:
    """What every covariance answers; each says where it differs."""

    __slots__ = ()
    by_country: ClassVar[bool] = False
    """Whether equal replicate numbers of two countries are unrelated."""

    @property
    def kind(self) -> str | None:
        """Name of the kind: `"HC1"`, `"Survey"`, `"JK2"`."""

    @property
    def clusters(self) -> tuple[str, ...]:
        """Columns (or `"worker"`) of the clusters, empty where there are none."""
        return ()

    @property
    def model_based(self) -> bool:
        """Whether errors are taken as independent and of equal variance: iid."""
        return self.kind == "iid"

    @property
    def independent(self) -> bool:
        """Whether errors of different rows are taken as uncorrelated: iid and HC."""
        return self.kind in ("iid", *_HC)

    @property
    def leverages(self) -> bool:
        """Whether residuals are adjusted by the leverages of rows: HC2 and HC3."""
        return self.kind in ("HC2", "HC3")

    @property
    def adjusts_clusters(self) -> bool:
        """Whether residuals are adjusted by the hat matrices of clusters: CR2 and CR3."""
        return self.kind in ("CR2", "CR3")

    @property
    def indefinite(self) -> bool:
        """Whether a variance may come out negative: a signed sum, or a kernel that cuts off."""
        return False

    @property
    def repair(self) -> CovarianceRepair:
        """What is done with negative variances."""
        return "metric"

    def declared(self, columns: Sequence[str], kind: ReplicateKind | None, fay: float) -> Self:
        """Fill in the replicates that a panel declares, where they are meant."""
        return self

    def drawn_by(self, unit: str) -> Self:
        """Draw units of a column, where rows would be drawn and those of a unit belong together."""
        return self

    def check_weights(self, kind: WeightKind | None) -> None:
        """Sampling weights refuse errors that take their scale for precision."""
        if kind == "sampling" and self.model_based:
            raise OptionError(
                "cov='iid' would read sampling weights as precision, which they are not: use 'HC1', a cluster or the "
                "survey's design; or declare weight_kind='analytic' if the weights are inverse variances."
            )

    def pair_weights(self, panel: RowLabels, rows: IntArray) -> dict[str, PairWeights]:
        """Return the pair weights of some rows that no column groups, by name."""
        return {}


@public_methods
class _Analytic(_Option):
    """A covariance of scores, V = sum_k s_k S'K_k S; by default with one term, K by the object's name."""

    __slots__ = ()
    replicated: ClassVar[Literal[False]] = False
    adjusts_wald: ClassVar[bool] = False
    """Whether tests of several hypotheses are adjusted Wald tests, F(q, d - q + 1) = (d - q + 1)/(d q) W."""

    @property
    def kind(self) -> str:
        """Name of the kind."""
        return type(self).__name__

    @property
    def needs(self) -> tuple[str, ...]:
        """Names of the pair weights that two joined results must have in common."""
        return (str(self),)

    def units(self, groupings: Mapping[str, PairWeights]) -> list[PairWeights]:
        """Return the pair weights whose units count for degrees of freedom, the fewest deciding."""
        if str(self) not in groupings:
            raise CovarianceError(
                f"cov={self}: its pairs of rows were not kept with the scores; call refit(data, cov=...)."
            )
        return [groupings[str(self)]]

    def terms(self, groupings: Mapping[str, PairWeights]) -> list[tuple[int, PairWeights]]:
        """Return the signs s_k and pair weights K_k."""
        return [(1, unit) for unit in self.units(groupings)]

    def factor(self, rule: SmallSample, nobs: float, n_params: int, degrees: float) -> float:
        """Return the small-sample factor, `degrees` being the units less one."""
        return 1.0

    def degrees(self, rule: SmallSample, n_params: int, degrees: float) -> float:
        """Return the degrees of freedom of a contrast, `degrees` being the units less one."""
        return degrees


@public_methods
class _Replicated(_Option):
    """A covariance of estimates refitted with other weights."""

    __slots__ = ()
    replicated: ClassVar[Literal[True]] = True


@public_class
@dataclass(frozen=True, slots=True)
class Robust(_Analytic):
    """Analytic covariance from scores.

    Attributes
    ----------
    kind : str
        `"iid"`, `"HC0"` to `"HC3"`, `"CR0"` to `"CR3"`.
    clusters : tuple of str
        Columns (or `"worker"`) within whose values errors may be correlated.
    repair : {"metric", "eigenvalue", "none"}
        What is done where the sum is not positive semidefinite: negative variances are set to zero in the metric of the
        positive terms, whatever the units and the coding of regressors; negative eigenvalues are, as Cameron, Gelbach
        and Miller (2011) propose; or nothing, and a negative variance has no error.

    Raises
    ------
    OptionError
        An unknown kind, or one with clusters that takes none.

    Examples
    --------
    >>> import wagegap as wg
    >>> panel = wg.simulate_panel(countries=2, workers=300, rng=1).panel
    >>> robust = wg.cov.Robust("CR1", ("psu",))
    >>> premiums = wg.fit_premiums(panel, "log(hourly_wage) ~ ai", premium="ai", cov=robust)   # as cov="CR1:psu"
    >>> premiums.glance()["covariance"].item()
    'CR1:psu (80 psu, stata factor)'
    """

    kind: str = field()
    clusters: tuple[str, ...] = ()
    repair: CovarianceRepair = field(default="metric")

    def __str__(self) -> str:
        return f"{self.kind}:{'+'.join(self.clusters)}" if self.clusters else self.kind

    @property
    def indefinite(self) -> bool:
        """Whether there are several clusters."""
        return len(self.clusters) > 1

    @property
    def needs(self) -> tuple[str, ...]:
        """Names of the groupings that two joined results must have in common."""
        return self.clusters or ("row",)

    def units(self, groupings: Mapping[str, PairWeights]) -> list[PairWeights]:
        """Return the grouping of each cluster, or of rows."""
        return list(self._groupings(groupings))

    def terms(self, groupings: Mapping[str, PairWeights]) -> list[tuple[int, PairWeights]]:
        """Return the signs and groupings: for several clusters inclusion and exclusion of their intersections."""
        # V = sum over sets A of clusters of (-1)^(|A| + 1) S'K_A S, K_A one where all clusters of A are equal
        single = self._groupings(groupings)
        return [
            ((-1) ** (size + 1), reduce(Grouping.cross, group))
            for size in range(1, len(single) + 1)
            for group in combinations(single, size)
        ]

    def factor(self, rule: SmallSample, nobs: float, n_params: int, degrees: float) -> float:
        """Return the small-sample factor of HC1 and CR1 by the convention's name."""
        # HC1: n/(n - k). CR1: G/(G - 1) (n - 1)/(n - k), or G/(G - 1) (clubSandwich), or G/(G - k) (metafor)
        if rule == "none" or self.kind not in ("HC1", "CR1"):
            return 1.0
        if self.kind == "HC1":
            return nobs / (nobs - n_params) if nobs > n_params else np.inf
        if degrees < 1:
            raise CovarianceError("a single cluster has no variance between clusters: cluster on a finer column.")
        g = degrees + 1
        if rule == "metafor" and g <= n_params:
            raise CovarianceError(f"{g:.0f} clusters for {n_params} parameters: metafor's factor needs more clusters.")
        if rule == "metafor":
            return g / (g - n_params)
        if rule == "clubsandwich":
            return g / degrees
        return g / degrees * (nobs - 1) / (nobs - n_params) if nobs > n_params else np.inf

    def degrees(self, rule: SmallSample, n_params: int, degrees: float) -> float:
        """Return G - 1, or metafor's G - k."""
        return degrees + 1 - n_params if rule == "metafor" else degrees

    def _groupings(self, groupings: Mapping[str, PairWeights]) -> list[Grouping]:
        kept = {name: group for name, group in groupings.items() if isinstance(group, Grouping)}
        missing = [name for name in self.needs if name not in kept]
        if missing:
            names = listing(name for name in groupings if name != "row") or "none"
            raise CovarianceError(
                f"cov={self}: {missing[0]!r} was not kept with the scores (kept: {names}). "
                f"Pass cov={str(self)!r} to the fit, or declare the column in read_panel, or call refit(data)."
            )
        return [kept[name] for name in self.needs]


@public_class
@dataclass(frozen=True, slots=True)
class Survey(_Analytic):
    """Taylor linearisation of a stratified sample of units, drawn in one stage or several.

    V = sum_h (1 - f_h) n_h/(n_h - 1) sum_i (s_hi - s_h/n_h)(s_hi - s_h/n_h)', s_hi the sum of scores of unit i in
    stratum h, n_h the units sampled there, f_h = n_h/N_h with `fpc` and nil without. Units are counted over the whole
    sample, the rows that a panel has filtered out among them: a domain, and a cell of `by`, keeps the design. Degrees
    of freedom are the units that have rows in the domain less the strata that have (R's `degf`); tests of several
    hypotheses are adjusted Wald tests.

    Attributes
    ----------
    psu : str or tuple of str
        Column of primary sampling units, numbered anew in each stratum or not; `"row"` or `"worker"` where these were
        drawn. With `fpc` the units of every stage, the first first.
    strata : str, optional
        Column of strata.
    lonely : {"raise", "certainty", "adjust", "average"}
        What a stratum with a single sampled unit is: an error; a unit sampled with certainty, which adds nothing; a
        deviation from the mean of all, which is nil; or as the average of the others. Also known by R's names (fail,
        remove) and by Stata's (missing, centered, scaled).
    fpc : str or tuple of str, optional
        Column of the number of units in the population of each stratum, or of the share that was sampled, and so on
        for the units of further stages within those before; infinite for a stratum drawn with replacement.
    lonely_domains : bool
        Whether a stratum of which a domain holds a single unit is treated as lonely, under `"adjust"` and `"average"`
        (R's `survey.adjust.domain.lonely`).

    Raises
    ------
    OptionError
        More stages of `fpc` than of `psu`, or a treatment of lonely units that the design does not have.

    Examples
    --------
    >>> str(Survey("psu", "stratum", lonely="centered"))
    'Survey(stratum/psu, lonely adjust)'
    """

    adjusts_wald: ClassVar[bool] = True

    psu: Annotated[str | tuple[str, ...], "the name of a column, or of one for each stage"]
    strata: Annotated[str, "the name of one column: strata are of the first stage"] | None = None
    lonely: Lonely | LonelyAlias = "raise"
    fpc: Annotated[str | tuple[str, ...], "the name of a column, or of one for each stage"] | None = None
    lonely_domains: bool = False

    def __post_init__(self) -> None:
        for name in ("psu", "fpc"):
            columns = None if name == "fpc" and self.fpc is None else _names(name, getattr(self, name))
            object.__setattr__(self, name, columns[0] if columns is not None and len(columns) == 1 else columns)
        object.__setattr__(self, "lonely", _LONELY[self.lonely])
        if len(self.stages) > 1 and len(self._populations) != len(self.stages):
            raise OptionError(
                f"psu={self.psu!r} has {len(self.stages)} stages and fpc={self.fpc!r} {len(self._populations)}: later "
                "stages count where each has the size of its population; with replacement name the first alone."
            )
        if len(self._populations) > len(self.stages):
            raise OptionError(f"fpc={self.fpc!r} has more stages than psu={self.psu!r}: one for each.")
        if len(self.stages) > 1 and self.lonely == "average":
            raise OptionError("lonely='average' is for one stage: choose 'certainty' or 'adjust' with several.")
        if self.lonely_domains and self.lonely not in ("adjust", "average"):
            raise OptionError(f"lonely_domains goes with lonely='adjust' or 'average', not {self.lonely!r}.")

    def __str__(self) -> str:
        design = "/".join([*([self.strata] if self.strata else []), *self.stages])
        more = "" if self.lonely == "raise" else f", lonely {self.lonely}{' in domains' if self.lonely_domains else ''}"
        return f"Survey({design}{f', fpc {listing(self._populations)}' if self.fpc else ''}{more})"

    @property
    def needs(self) -> tuple[str, ...]:
        """Names of the groupings that two joined results must have in common."""
        return ("row", str(self))

    def pair_weights(self, panel: RowLabels, rows: IntArray) -> dict[str, PairWeights]:
        """Return the design of the rows, with the units of every stratum counted over the whole sample."""
        names = [*self.stages, *([self.strata] if self.strata else [])]
        sample, places = panel.sampled([*names, *self._populations])
        everywhere = sample.groupings(np.arange(len(sample)), names)
        first = StratifiedGrouping.of_sample(
            everywhere[self.stages[0]], everywhere[self.strata] if self.strata else None
        )
        stages = tuple(
            replace(stage, lonely=_LONELY[self.lonely], lonely_domains=self.lonely_domains).take(places[rows])
            for stage in self._with_populations(first, sample, everywhere)
        )
        if self.lonely == "raise":
            _refuse_single(stages)
        return {str(self): stages[0] if len(stages) == 1 else MultistageGrouping(stages)}

    def _with_populations(
        self, first: StratifiedGrouping, sample: RowLabels, everywhere: Mapping[str, Grouping]
    ) -> list[StratifiedGrouping]:
        """Stages with the share of the variance of each that finite populations leave."""
        # stage r of the strata h: c_h = f^(1) ... f^(r-1) (1 - f_h^(r)), f the shares of those that h lies in
        above, stage, stages = np.ones(len(sample)), first, []
        for number, column in enumerate(self._populations):
            if number:
                stage = StratifiedGrouping.of_sample(everywhere[self.stages[number]], stage.units)
            fraction = sampling_fractions(stage, sample.numbers(column, np.arange(len(sample))), column)
            of_stratum = np.zeros(stage.strata.n_groups)
            of_stratum[stage.strata.codes] = above
            stages.append(stage.with_shares(of_stratum * (1 - fraction)))
            above = above * fraction[stage.strata.codes]
        return stages or [first]

    @property
    def stages(self) -> tuple[str, ...]:
        """Columns of the units of every stage."""
        return (self.psu,) if isinstance(self.psu, str) else self.psu

    @property
    def _populations(self) -> tuple[str, ...]:
        return () if self.fpc is None else (self.fpc,) if isinstance(self.fpc, str) else self.fpc


@public_class
@dataclass(frozen=True, slots=True)
class Dyadic(_Analytic):
    """Rows are pairs, such as flows; those with a member in common may be correlated (Aronow, Samii and Assenova 2015).

    Attributes
    ----------
    origin, destination : str
        Columns of the two members.
    repair : {"metric", "eigenvalue", "none"}
        What is done where the sum is not positive semidefinite: negative variances are set to zero in the metric of the
        positive terms, whatever the units and the coding of regressors; negative eigenvalues are, as Cameron, Gelbach
        and Miller (2011) propose; or nothing, and a negative variance has no error.

    Raises
    ------
    OptionError
        A repair that is not known.

    Examples
    --------
    >>> import wagegap as wg
    >>> pairs = wg.cov.Dyadic("origin", "destination")      # cov=pairs, of fit_flows or fit_linear
    >>> str(pairs)
    'Dyadic(origin~destination)'
    """

    origin: str
    destination: str
    repair: CovarianceRepair = field(default="metric")

    @property
    def indefinite(self) -> bool:
        """Whether a variance may come out negative: yes."""
        return True

    def __str__(self) -> str:
        return f"Dyadic({self.origin}~{self.destination})"

    def pair_weights(self, panel: RowLabels, rows: IntArray) -> dict[str, PairWeights]:
        """Return the dyads of some rows."""
        first, second = (panel.ids(column, rows) for column in (self.origin, self.destination))
        check_keys_meet(first.tolist(), second.tolist(), f"cov={self}", (repr(self.origin), repr(self.destination)))
        return {str(self): Dyads.from_keys(str(self), panel.source, first, second)}


@public_class
@dataclass(frozen=True, slots=True)
class Conley(_Analytic):
    """Rows whose places are near may be correlated (Conley 1999).

    Attributes
    ----------
    lat, lon : str
        Columns of latitude and longitude, degrees.
    km : float
        Distance from which on rows are uncorrelated.
    kernel : {"uniform", "bartlett"}
        Weight of nearer pairs.
    repair : {"metric", "eigenvalue", "none"}
        What is done where the sum is not positive semidefinite: negative variances are set to zero in the metric of
        the covariance of uncorrelated places, whatever the units and the coding of regressors; negative eigenvalues
        are; or nothing, and a negative variance has no error.

    Raises
    ------
    OptionError
        A kernel or repair that is not known, or a distance that is not above zero.

    Examples
    --------
    >>> import wagegap as wg
    >>> import pandas as pd
    >>> places = pd.DataFrame({"lat": [37.6, 35.2, 35.9, 36.4, 37.5], "lon": [127.0, 129.1, 128.6, 127.4, 127.0]})
    >>> places["pay"], places["ai"] = [31.0, 24.0, 26.0, 29.0, 30.0], [1, 0, 0, 1, 1]
    >>> fit = wg.fit_linear(places, "log(pay) ~ ai", cov=wg.cov.Conley("lat", "lon", km=100))
    >>> fit.bse.shape
    (2,)
    """

    lat: str
    lon: str
    km: float
    kernel: Literal["uniform", "bartlett"] = "uniform"
    repair: CovarianceRepair = field(default="metric")

    def __post_init__(self) -> None:
        check_kernel(self.km, self.kernel)

    @property
    def indefinite(self) -> bool:
        """Whether a variance may come out negative: yes."""
        return True

    def __str__(self) -> str:
        return f"Conley({self.lat}~{self.lon}, {self.km:g} km, {self.kernel})"

    def pair_weights(self, panel: RowLabels, rows: IntArray) -> dict[str, PairWeights]:
        """Return the places of some rows."""
        latitude, longitude = panel.numbers(self.lat, rows), panel.numbers(self.lon, rows)
        return {str(self): Places(str(self), panel.source, latitude, longitude, self.km, self.kernel)}


@public_class
@dataclass(frozen=True, slots=True)
class DriscollKraay(_Analytic):
    """Rows of near periods may be correlated, whatever their unit (Driscoll and Kraay 1998).

    Attributes
    ----------
    period : str
        Column of periods, in the order of time also where they are text, such as wave 8 to wave 11.
    lags : int
        Lags up to which rows are correlated, with Bartlett's weights. A lag is a step between the periods that occur,
        whatever their distance: surveys of every second year have a first lag.

    Raises
    ------
    OptionError
        A number of lags below zero.

    Examples
    --------
    >>> import wagegap as wg
    >>> panel = wg.simulate_panel(countries=2, workers=100, periods=4, rng=1).panel
    >>> fit = wg.fit_linear(panel, "log(hourly_wage) ~ ai", cov=wg.cov.DriscollKraay("year", lags=1))
    >>> fit.bse.shape
    (2,)
    """

    period: str
    lags: int

    def __post_init__(self) -> None:
        check_count("lags", self.lags, 0)

    def __str__(self) -> str:
        return f"DriscollKraay({self.period}, {self.lags} lags)"

    def pair_weights(self, panel: RowLabels, rows: IntArray) -> dict[str, PairWeights]:
        """Return the periods of some rows."""
        return {str(self): Spells(str(self), panel.source, panel.periods(self.period, rows), int(self.lags))}


@public_class
@dataclass(frozen=True, slots=True)
class NeweyWest(_Analytic):
    """Rows of near periods of one unit may be correlated (Newey and West 1987).

    Attributes
    ----------
    unit, period : str
        Columns of units (or `"worker"`) and periods, these in the order of time also where they are text.
    lags : int
        Lags up to which rows are correlated, with Bartlett's weights. A lag is a step between the periods that occur
        in the rows of any unit, whatever their distance.

    Raises
    ------
    OptionError
        A number of lags below zero.

    Examples
    --------
    >>> import wagegap as wg
    >>> panel = wg.simulate_panel(countries=2, workers=100, periods=4, rng=1).panel
    >>> fit = wg.fit_linear(panel, "log(hourly_wage) ~ ai", cov=wg.cov.NeweyWest("worker", "year", lags=1))
    >>> fit.bse.shape
    (2,)
    """

    unit: str
    period: str
    lags: int

    def __post_init__(self) -> None:
        check_count("lags", self.lags, 0)

    def __str__(self) -> str:
        return f"NeweyWest({self.unit}, {self.period}, {self.lags} lags)"

    def pair_weights(self, panel: RowLabels, rows: IntArray) -> dict[str, PairWeights]:
        """Return the periods of some rows within their units."""
        units = panel.groupings(rows, [self.unit])[self.unit]
        return {str(self): Spells(str(self), panel.source, panel.periods(self.period, rows), int(self.lags), units)}


@public_class
@dataclass(frozen=True, slots=True)
class BeckKatz:
    """Errors of units are correlated within a period, alike in all periods (Beck and Katz 1995); for `fit_linear`.

    Attributes
    ----------
    unit, period : str
        Columns; every unit must stand in every period once.

    Raises
    ------
    OptionError
        A name that is no text.

    Examples
    --------
    >>> import wagegap as wg
    >>> import pandas as pd
    >>> rows = pd.DataFrame({"firm": [*"AAABBB"], "year": [1, 2, 3] * 2, "x": [0, 1, 2, 1, 3, 2]})
    >>> rows["y"] = [1.0, 2, 4, 3, 5, 4]
    >>> fit = wg.fit_linear(rows, "y ~ x", unit="firm", period="year", cov=wg.cov.BeckKatz("firm", "year"))
    >>> fit.bse.shape
    (2,)
    """

    unit: str
    period: str

    def __str__(self) -> str:
        return f"BeckKatz({self.unit}, {self.period})"


@public_class
@dataclass(frozen=True, slots=True)
class Replicates(_Replicated):
    """Replicate weights that the survey supplies: V = sum_r c_r (b_r - b)(b_r - b)'.

    Degrees of freedom are the rank of the replicate weights, of the rows of a domain or cell, less one (R's `degf`): of
    JKn the units less the strata, of BRR the strata. Tests of several hypotheses are adjusted Wald tests.

    Attributes
    ----------
    columns : tuple of str
        Replicate weight columns, whole-sample scale; empty for those the panel declares.
    kind : {"BRR", "Fay", "JK1", "JK2", "JKn", "bootstrap", "SDR"}, optional
        How they were made, which says c_r: 1/R, 1/(R (1 - fay)^2), (R - 1)/R, 1, `scales`, 1/(R - 1), 4/R; SDR are
        the successive differences of ACS and CPS, whose weights may be negative. The panel's kind where absent.
    fay : float
        Fay's factor, for kind Fay, which needs it unless `scales` or `scale` are given: they are the whole of c_r, and
        hold it already.
    scales : tuple of float, optional
        c_r of each replicate, in place of the kind's (R's `rscales`); JKn needs them: (n_h - 1)/n_h of its stratum.
    scale : float, optional
        One c for all, or a factor of `scales` (R's `scale`).
    centre : {"full", "mean"}
        What replicates deviate from: the estimate of the full sample (R's `mse = TRUE`, Stata's `mse`), or their own
        mean, over those whose scale is positive.
    multiplies : bool
        Whether the columns are factors of the weights (R's `combined.weights = FALSE`).

    Raises
    ------
    OptionError
        A kind that is not known, Fay's factor where it does not belong, scales below zero or without a kind.

    Examples
    --------
    >>> import wagegap as wg
    >>> panel = wg.simulate_panel(countries=2, workers=200, rng=1).panel
    >>> rows = panel.frame.assign(**{f"rep{r}": (panel.frame["psu"] % 4 != r) * 4 / 3 for r in range(4)})
    >>> jackknife = wg.cov.Replicates(("rep0", "rep1", "rep2", "rep3"), kind="JK1")
    >>> fit = wg.fit_linear(rows, "log(hourly_wage) ~ ai", weights="weight", cov=jackknife)
    >>> fit.glance()["covariance"].item()
    'JK1 replicates (4)'
    """

    by_country: ClassVar[bool] = True

    columns: Annotated[str | tuple[str, ...], "the name of a column, or a list of them"] = ()
    kind: ReplicateKind | None = None
    fay: float = 0.0
    scales: tuple[float, ...] | None = None
    scale: float | None = None
    centre: Centre = "full"
    multiplies: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "columns", _names("columns", self.columns) if self.columns != () else ())
        check_fay(self.fay, self.kind)
        if self.scales is not None:
            object.__setattr__(self, "scales", tuple(self.scales))
        factors = [*(self.scales or ()), *([] if self.scale is None else [self.scale])]
        if not all(map(_is_factor, factors)) or self.scale == 0:
            raise OptionError("scales and scale must be numbers that are not negative.")
        if self.scales is not None and self.columns and len(self.scales) != len(self.columns):
            raise OptionError(
                f"scales has {len(self.scales)} numbers for {len(self.columns)} replicates: one for each."
            )

    def __str__(self) -> str:
        count = f", {len(self.columns)} replicates" if self.columns else ""
        return f"Replicates({self.kind or 'declared'}{count})"

    def declared(self, columns: Sequence[str], kind: ReplicateKind | None, fay: float) -> Self:
        """Fill in what a panel declares."""
        same = not self.columns or self.columns == tuple(columns)
        if same and kind is not None and (self.kind not in (None, kind) or (self.fay and fay and self.fay != fay)):
            theirs, ours = f"{kind}, fay={fay:g}", f"{self.kind or kind}, fay={self.fay:g}"
            raise OptionError(
                f"the panel declares these replicate weights ({theirs}) and cov others ({ours}): say one."
            )
        chosen = self.kind or kind
        scaled = self.scales is not None or self.scale is not None
        own = self.fay or (fay if chosen == "Fay" and same and not scaled else 0.0)
        known = replace(self, columns=self.columns or tuple(columns), kind=chosen, fay=own)
        if not known.columns or known.kind is None:
            raise CovarianceError(
                "replicates need columns and a kind: read_panel(..., replicate_weights=[...], replicate_kind='JK2') or "
                "wagegap.cov.Replicates(columns, kind)."
            )
        return known

    def replicate_weights(self, panel: RowLabels, rows: IntArray, weights: FloatArray | None) -> ReplicateWeights:
        """Return the weights of every replicate for some rows of a panel, whose weights in the fit are given."""
        if weights is None:
            raise CovarianceError(
                "replicate weights go with the weights they were made from, and none are given: "
                "read_panel(..., weight=) or weights= (ones, where the sample is not weighted)."
            )
        assert self.kind is not None
        scale = replicate_scale(self.kind, len(self.columns), self.fay, self.scales, self.scale)
        matrix = np.column_stack([panel.numbers(name, rows) for name in self.columns])
        if self.kind == "SDR":
            bad, words = ~np.isfinite(matrix), "missing, text or infinite"
        else:
            bad, words = ~(np.isfinite(matrix) & (matrix >= 0)), "missing, text or negative (which kind='SDR' allows)"
        refuse_rows(
            bad.any(axis=1), CovarianceError, f"replicate weights are {words} in ",
            " rows: keep the cells that have them (countries without replicates need a covariance of their own).",
        )  # fmt: skip
        if self.multiplies:
            matrix = matrix * weights[:, None]
        check_whole(matrix, weights, multiplied=self.multiplies)
        made = hashlib.sha256("|".join([*self.columns, self.centre, str(self.multiplies)]).encode() + scale.tobytes())
        design = f"{panel.source}|{self.kind}|{made.hexdigest()[:16]}"
        return ReplicateWeights(GivenWeights(matrix), None, None, scale, self.kind, design, centre=self.centre)


@public_class
@dataclass(frozen=True, slots=True)
class Bootstrap(_Replicated):
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

    Raises
    ------
    OptionError
        A kind that is not known, fewer than two resamples, clusters beside what fixes them.

    Examples
    --------
    >>> import wagegap as wg
    >>> panel = wg.simulate_panel(countries=2, workers=300, rng=1).panel
    >>> bootstrap = wg.cov.Bootstrap(99, cluster="psu", rng=1)
    >>> premiums = wg.fit_premiums(panel, "log(hourly_wage) ~ ai", premium="ai", cov=bootstrap)
    >>> premiums.bse.shape
    (2,)
    """

    reps: int = 999
    kind: Literal["pairs", "bayesian"] = "pairs"
    cluster: str | None = None
    rng: RngLike = None
    strata: str | None = None
    workers: Count = 1
    progress: bool = False

    def __post_init__(self) -> None:
        check_count("reps", self.reps, 2)

    def __str__(self) -> str:
        more = "".join(f", {word}" for word in (self.cluster, self.strata and f"within {self.strata}") if word)
        return f"Bootstrap({self.reps}, {self.kind}{more})"

    def drawn_by(self, unit: str) -> Self:
        """Draw units of a column, where rows would be drawn."""
        return replace(self, cluster=self.cluster or unit)

    def replicate_weights(self, panel: RowLabels, rows: IntArray, weights: FloatArray | None) -> ReplicateWeights:
        """Return the weights of every resample for some rows of a panel, whose weights in the fit are given.

        Units are drawn among all rows of the panel, so that two stages of one panel draw the same.
        """
        drawn = hashlib.sha256(panel.row_ids.tobytes()).hexdigest()[:16]
        units = _codes(panel, self.cluster or "row")
        strata = None if self.strata is None else _codes(panel, self.strata)
        design = f"{panel.source}#{panel.fingerprint}#{drawn}|{self.kind}|{self.cluster}"
        draws = bootstrap_weights(
            units, rows, weights, design, reps=self.reps, kind=self.kind, rng=self.rng, strata=strata
        )
        return replace(draws, workers=self.workers, progress=self.progress)


Analytic: TypeAlias = Robust | Survey | Dyadic | Conley | DriscollKraay | NeweyWest
Covariance: TypeAlias = Analytic | Replicates | Bootstrap
CovLike: TypeAlias = str | Covariance


@public
def parse_cov(cov: CovLike | BeckKatz) -> Covariance:
    """Say what a `cov` option means.

    >>> parse_cov("CR1:firm+year")
    Robust(kind='CR1', clusters=('firm', 'year'), repair='metric')
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
            f"cov={cov!r} is not known.{did_you_mean(kind, ('iid', *_HC, *_CR))} Known: {', '.join(_SPELLINGS)}; a "
            "bootstrap is wg.cov.Bootstrap(999, rng=1)."
        )
    if kind in _CR and not names:
        raise OptionError(f"cov={cov!r} names no cluster: write {kind}:COLUMN, for example {kind}:psu.")
    if kind not in _CR and names:
        raise OptionError(f"cov={cov!r}: {kind} takes no cluster; write CR1:{names[0]}.")
    if len(names) > 1 and kind in ("CR2", "CR3"):
        raise OptionError(f"cov={cov!r}: {kind} is defined for one cluster; use CR1:{'+'.join(names)}.")
    return Robust(kind, names)


def _is_factor(value: object) -> bool:
    return isinstance(value, Real) and 0 <= float(value) < np.inf


def _names(option: str, given: Any) -> tuple[str, ...]:
    """Names of columns, one or several, each once."""
    names = (given,) if isinstance(given, str) else given
    if not isinstance(names, Sequence) or not names or not all(isinstance(name, str) for name in names):
        raise OptionError(f"{option}={given!r} must be the name of a column, or several names.")
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise OptionError(f"{option} names {listing(twice)} twice.")
    return tuple(names)


@public
def check_fay(fay: float, kind: ReplicateKind | None) -> None:
    """Raise unless Fay's factor is one, and goes with the kind of replicates.

    >>> check_fay(0.5, "Fay")
    """
    if not isinstance(fay, int | float) or not 0 <= fay < 1:
        raise OptionError(f"fay={fay!r} must be in [0, 1).")
    if fay and kind not in (None, "Fay"):
        raise OptionError(f"fay={fay:g} is Fay's factor, which {kind} replicates do not have: kind='Fay'.")


def _refuse_single(stages: Sequence[StratifiedGrouping]) -> None:
    """Raise where a stratum, or a unit of a stage before, has a single sampled unit."""
    for number, stage in enumerate(stages, 1):
        single = stage.single
        if single:
            where = "strata have a single unit" if number == 1 else f"units have a single unit of stage {number}"
            raise CovarianceError(
                f"{len(single)} of {stage.strata.n_groups} {where}, such as {stratum_in_words(single[0])}, and so no "
                "variance within: Survey(..., lonely='certainty') where it was sampled with certainty, 'adjust' for "
                "its deviation from the mean of all, 'average' for the variance of the others; or merge strata."
            )


def _codes(panel: RowLabels, name: str) -> CodeArray:
    """Unit of every row of a panel: the row itself, its worker, or its value in a column."""
    everything = np.arange(len(panel))
    return everything.astype(np.int32) if name == "row" else panel.groupings(everything, [name])[name].codes
