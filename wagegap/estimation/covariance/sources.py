"""Where uncertainty comes from: scores of sampled units, replicates, or a covariance someone states.

A source of error holds what is needed for the covariance of a few fitted columns, and for relating them to those of
another source. Scores of one panel join scores of that panel through their shared units, replicates join replicates of
one design; whatever else is joined is joined as independent. The covariance of scores is a signed sum of quadratic
forms over groupings, V = sum_k s_k S'K_k S, each block of columns (a cell, a fit) with its own small-sample factor.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, TypeVar

import numpy as np
from scipy import linalg, sparse

from wagegap._display.session import Shown
from wagegap._progress import track
from wagegap._typing import BoolArray, CodeArray, FloatArray, IntArray, SmallSample
from wagegap.errors import CovarianceError, CovarianceWarning, JoinError, listing, warn
from wagegap.estimation.covariance.clusters import LEVERAGE_ONE, DegreesMatrices, hotelling, satterthwaite
from wagegap.estimation.covariance.definite import Repaired, repair_covariance, repair_eigenvalues
from wagegap.estimation.covariance.groupings import Grouping, PairWeights
from wagegap.estimation.covariance.options import Analytic, Covariance, Robust
from wagegap.estimation.covariance.replication import ReplicateWeights
from wagegap.estimation.covariance.resampling import map_in_order

__all__ = [
    "AbsorbedCount",
    "Block",
    "ErrorSource",
    "ReplicateSource",
    "ScoreSource",
    "StatedSource",
    "UnknownSource",
    "replicate_source",
    "source_of_values",
    "welch",
]

_Kept = TypeVar("_Kept", FloatArray, BoolArray)


class ErrorSource(Shown, ABC):
    """A source of error of a few fitted columns.

    Attributes
    ----------
    origin : str
        Where the errors come from; those of one origin may be related.
    """

    __slots__ = ()
    origin: str

    @property
    @abstractmethod
    def size(self) -> int:
        """Number of fitted columns q."""

    @abstractmethod
    def covariance(self) -> FloatArray:
        """Return the covariance of the fitted columns, shape (q, q)."""

    @abstractmethod
    def degrees(self, contrast: FloatArray) -> float:
        """Return the degrees of freedom of a contrast of the fitted columns."""

    @abstractmethod
    def draws(self, rng: np.random.Generator, reps: int) -> FloatArray:
        """Return random deviations of the fitted columns, shape (reps, q)."""

    @abstractmethod
    def describe(self) -> str:
        """Say the covariance in one phrase."""

    def vanishing(self, contrasts: FloatArray) -> BoolArray:
        """Say which contrasts, shape (m, q), have no variance left after a repair, and so no known error."""
        return np.zeros(len(contrasts), dtype=bool)

    def reported(self, matrix: FloatArray) -> ErrorSource:
        """Say what is made of the columns, by a map of shape (p, q)."""
        return self

    def announce(self) -> None:
        """Warn, once, of what the covariance repairs or leaves undefined."""

    def relates(self, other: ErrorSource) -> bool:
        """Say whether the errors of two sources can be related."""
        return False

    def join(self, other: ErrorSource) -> ErrorSource:
        """Return one source for the columns of both, those of `other` last."""
        raise JoinError(f"nothing is known of the covariance of {self.origin!r} and {other.origin!r}.")

    def joint_degrees(self, contrasts: FloatArray) -> float | None:
        """Return the degrees of a test of several contrasts, shape (m, q), where they are not those of each."""
        return None

    @property
    def adjusts_wald(self) -> bool:
        """Whether tests of several contrasts are adjusted Wald tests, with the degrees of each: a survey's design."""
        return False

    def with_cov(self, cov: Covariance, rule: SmallSample | None) -> ErrorSource:
        """Return the same source under another covariance, where it allows it."""
        raise CovarianceError(f"{self.describe()} of {self.origin!r} cannot be turned into {cov}; refit(data).")


@dataclass(frozen=True, slots=True)
class AbsorbedCount(Shown):
    """Effects that one grouping absorbed.

    Attributes
    ----------
    name : str
        Column of the effects.
    rank : int
        Effects estimated.
    nested_in : tuple of str
        Groupings within whose groups the effects are nested.
    levels : int, optional
        Levels of the grouping, which fixest counts whether or not they are collinear; the rank where absent.
    """

    name: str
    rank: int
    nested_in: tuple[str, ...] = ()
    levels: int | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Block(Shown):
    """One fit: what small-sample factors and degrees of freedom need.

    Attributes
    ----------
    label : str
        The cell.
    nobs : float
        Observations (the sum of frequency weights).
    n_params : int
        Estimated slopes and constants, absorbed effects not counted.
    absorbed : tuple of AbsorbedCount
        Absorbed effects.
    iid : ndarray, shape (r, r), optional
        Covariance of the block's columns under independent errors of equal variance.
    """

    label: str
    nobs: float
    n_params: int
    absorbed: tuple[AbsorbedCount, ...] = ()
    iid: FloatArray | None = None

    def counted(self, rule: SmallSample, clusters: tuple[str, ...]) -> int:
        """Parameters that the rule counts.

        fixest counts the levels of every set of effects that is not nested in a cluster, less one for each further
        set, and one where all are nested; the others count the effects that are estimated.
        """
        if rule != "fixest" or not self.absorbed:
            return self.n_params + sum(effect.rank for effect in self.absorbed)
        apart = [effect for effect in self.absorbed if not any(name in effect.nested_in for name in clusters)]
        if not apart:
            return self.n_params + 1
        return self.n_params + sum(effect.levels or effect.rank for effect in apart) - (len(apart) - 1)


@dataclass(frozen=True, eq=False)
class ScoreSource(ErrorSource):
    """Influence of sampled units on fitted columns.

    Attributes
    ----------
    origin : str
        Data the units belong to.
    scores : sparse array, shape (n, q)
        Row i, column j: influence of row i on fitted column j, before any adjustment.
    column_block : ndarray of int, shape (q,)
        Block of each column.
    row_block : ndarray of int, shape (n,)
        Block of each row.
    blocks : tuple of Block
        The fits.
    groupings : mapping of str to PairWeights
        Groupings of the rows that were kept; `"row"` says which rows are the same observation.
    cov : Analytic
        The covariance in force.
    rule : str
        Small-sample rule.
    leverage : ndarray, shape (n,), optional
        Leverage of each row, for HC2 and HC3.
    repeats : ndarray, shape (n,), optional
        How many observations a row stands for, under frequency weights.
    cluster_degrees : tuple of DegreesMatrices, optional
        One for each block, for CR2 and CR3, whose rows are clusters within blocks.
    undefined : ndarray of bool, shape (q,), optional
        Columns whose variance HC2, HC3, CR2 or CR3 leave undefined: a row, or cluster, of leverage one decides them.
    image : ndarray, shape (p, q), optional
        What is reported of the columns; the columns themselves where absent.
    """

    origin: str
    scores: sparse.csr_array
    column_block: IntArray
    row_block: CodeArray
    blocks: tuple[Block, ...]
    groupings: Mapping[str, PairWeights]
    cov: Analytic
    rule: SmallSample = "stata"
    leverage: FloatArray | None = None
    repeats: FloatArray | None = None
    cluster_degrees: tuple[DegreesMatrices, ...] | None = None
    undefined: BoolArray | None = None
    image: FloatArray | None = None

    def __getstate__(self) -> Mapping[str, Any]:
        return {name: getattr(self, name) for name in self.__dataclass_fields__}

    @property
    def size(self) -> int:
        """Number of fitted columns."""
        return int(self.scores.shape[1])

    def covariance(self) -> FloatArray:
        """Signed sum of quadratic forms, times the blocks' factors; repaired where it is not positive semidefinite."""
        return self._repaired.matrix

    def vanishing(self, contrasts: FloatArray) -> BoolArray:
        """Contrasts whose variance was negative, and nothing else."""
        return self._repaired.vanishing(contrasts)

    @cached_property
    def _repaired(self) -> Repaired:
        if self.cov.model_based:
            return Repaired(self._iid())
        # V_jl = sqrt(c_b(j) c_b(l)) sum_k s_k (S'K_k S)_jl, c_b the small-sample factor of block b
        scale, scores = np.sqrt(self._factors())[self.column_block], self._adjusted()
        terms = self.cov.terms(self.groupings)
        forms = [pairs.quadratic(scores) for _, pairs in terms]
        factor = np.outer(scale, scale)
        whole = np.asarray(sum(sign * form for (sign, _), form in zip(terms, forms, strict=True))) * factor
        if self._leaves_undefined:
            assert self.undefined is not None
            whole[self.undefined] = whole[:, self.undefined] = np.nan
        if self.cov.repair == "eigenvalue":
            return repair_eigenvalues(whole)
        metric = sum(forms) if len(terms) > 1 else terms[0][1].metric(scores)
        if metric is None or self.cov.repair == "none":
            return Repaired(whole)
        metric = np.asarray(metric) * factor
        repaired = repair_covariance(whole, metric)
        if repaired.metric is not None and self.image is not None:
            of_image = (self.image @ matrix @ self.image.T for matrix in (whole, metric))
            if repair_covariance(*of_image).metric is None:
                return Repaired(whole)
        return repaired

    @property
    def _leaves_undefined(self) -> bool:
        """Whether leverages of one matter to the covariance, and some are."""
        adjusted = self.cov.leverages or self.cov.adjusts_clusters
        return adjusted and self.undefined is not None and bool(self.undefined.any())

    def degrees(self, contrast: FloatArray) -> float:
        """t(n - k) for iid and HC, t(G - 1) for CR0 and CR1, units less strata, Satterthwaite for CR2 and CR3."""
        present = np.unique(self.column_block[contrast != 0])
        if present.size == 0:
            return np.inf
        if self.cluster_degrees is not None:
            return satterthwaite(self._cluster_pairs(contrast, contrast))
        if self.cov.independent:
            return self._residual_degrees(contrast, present)
        among = np.arange(len(self.blocks)) if self.rule == "joint" and self.cov.clusters else present
        return self.cov.degrees(self.rule, self._counted(among), self._units_less_one(among))

    def joint_degrees(self, contrasts: FloatArray) -> float | None:
        """Degrees of an approximate Hotelling T-squared of contrasts, shape (m, q): CR2, CR3, and survey designs."""
        if self.cluster_degrees is not None:
            return hotelling(self._cluster_pairs, contrasts)
        return min(self.degrees(contrast) for contrast in contrasts) if self.adjusts_wald else None

    @property
    def adjusts_wald(self) -> bool:
        """Whether the covariance is of a survey's design."""
        return self.cov.adjusts_wald

    def relates(self, other: ErrorSource) -> bool:
        """Scores of one panel."""
        return isinstance(other, ScoreSource) and other.origin == self.origin

    def join(self, other: ErrorSource) -> ScoreSource:
        """Stack rows and columns; units that both have are found by the groupings."""
        if not isinstance(other, ScoreSource):
            raise JoinError("scores can be joined with scores only.")
        mine, theirs = self._as_clusters_of(other), other._as_clusters_of(self)
        return mine._stacked(theirs)

    def _as_clusters_of(self, other: ScoreSource) -> ScoreSource:
        """The same covariance by the name that the other has for it: HC1 of rows that are clusters of their own is CR1.

        n/(n-1) (n-1)/(n-k) = n/(n-k). So meet premiums of a panel that follows workers and the rates of its first wave.
        """
        own, wanted = self.cov, other.cov
        if not (isinstance(own, Robust) and isinstance(wanted, Robust) and self.rule == other.rule == "stata"):
            return self
        if own.kind != "HC1" or wanted.kind != "CR1" or len(wanted.clusters) != 1:
            return self
        units = self.groupings.get(wanted.clusters[0])
        alone = isinstance(units, Grouping) and units.n_groups == len(units.codes)
        return self.with_cov(wanted, None) if alone else self

    def _stacked(self, other: ScoreSource) -> ScoreSource:
        self._check_joinable(other)
        groupings = {name: self.groupings[name].stack(other.groupings[name]) for name in self._common(other)}
        n_blocks = len(self.blocks)
        joined = replace(
            self,
            scores=sparse.csr_array(sparse.block_diag([self.scores, other.scores], format="csr")),
            column_block=np.concatenate([self.column_block, other.column_block + n_blocks]),
            row_block=np.concatenate([self.row_block, other.row_block + np.int32(n_blocks)]),
            blocks=self.blocks + other.blocks,
            groupings=groupings,
            leverage=_stacked(self.leverage, other.leverage),
            undefined=_stacked(self.undefined, other.undefined),
            image=self._joined_image(other),
            repeats=_stacked(self.repeats, other.repeats),
            cluster_degrees=self.cluster_degrees and self.cluster_degrees + (other.cluster_degrees or ()),
        )
        row = joined.groupings.get("row")
        if self.cov.model_based and isinstance(row, Grouping) and row.n_groups < len(row.codes):
            raise JoinError(
                f"{len(row.codes) - row.n_groups:,} observations stand in both results, which cov='iid' cannot relate: "
                "use with_cov('HC1') or a cluster."
            )
        return joined

    def with_cov(self, cov: Covariance, rule: SmallSample | None) -> ScoreSource:
        """Return the same scores under another covariance, where they allow it."""
        changed_rule = rule or self.rule
        if cov.replicated:
            raise CovarianceError(f"cov={cov} needs the workers: call refit(data, cov=...) on the result.")
        if cov == self.cov:
            return replace(self, rule=changed_rule)
        if self.cluster_degrees is not None or cov.adjusts_clusters:
            raise CovarianceError(
                f"{self.cov} cannot be turned into {cov} without the workers: call refit(data, cov={str(cov)!r})."
            )
        changed = replace(self, cov=cov, rule=changed_rule)
        if cov.model_based:
            changed._iid()
        else:
            cov.units(self.groupings)
            changed._adjusted()
        return changed

    def reported(self, matrix: FloatArray) -> ScoreSource:
        """Of a map, shape (p, q), that makes of the columns all that is reported: repair nothing else for its own sake.

        Where the covariance of what is reported has no negative variance, none of what is made of it has.
        """
        plain = matrix.shape == (self.size, self.size) and bool((matrix == np.eye(self.size)).all())
        return replace(self, image=None if plain else matrix)

    @property
    def is_repaired(self) -> bool:
        """Whether variances were negative."""
        return self.cov.indefinite and self._repaired.metric is not None

    def announce(self) -> None:
        """Warn, once, of what the covariance repairs or leaves undefined."""
        self._say_repair()
        self._say_undefined()

    def _say_repair(self) -> None:
        if not self.is_repaired:
            return
        repaired = self._repaired
        how = {"metric": "in the metric of its positive terms", "eigenvalue": "by its plain eigenvalues"}
        negative = f", {repaired.n_negative} of them of negative variance," if repaired.n_negative else ""
        warn(
            f"{self.cov}: the covariance of {self.size} coefficients{negative} is not positive semidefinite (smallest "
            f"eigenvalue {repaired.lowest:.2g} of the size of its terms, negative in {repaired.n_directions} of "
            f"{self.size} directions): it is repaired {how[self.cov.repair]}, and errors are larger than the sum says. "
            "A contrast without variance has no error. Fewer terms, or one cluster, need no repair.",
            CovarianceWarning,
        )

    def _say_undefined(self) -> None:
        if self.undefined is None or not (self.cov.independent or self._leaves_undefined):
            return
        of_image = self.undefined if self.image is None else (self.image[:, self.undefined] != 0).any(axis=1)
        if not of_image.any():
            return
        count, decisive = f"{int(of_image.sum())} of {len(of_image)} coefficients", self._decisive()
        units = "clusters" if self.cov.adjusts_clusters else "rows"
        if self._leaves_undefined:
            result = f"{self.cov} is not defined for {count}, whose errors are unknown"
        elif self.cov.model_based:
            return
        else:
            result = f"{self.cov} errors of {count} are far too small"
        warn(
            f"{result}: the residuals of {len(decisive)} {units} of leverage one ({listing(decisive, 6)}) are zero "
            "whatever the errors are. Leave out the regressor that is theirs alone, pool its level with another, or "
            "use cov='iid'.",
            CovarianceWarning,
        )

    def _decisive(self) -> list[str]:
        """Labels of the rows, or clusters, of leverage one."""
        if self.cluster_degrees is not None:
            group = self.groupings[self.cov.clusters[0]]
            codes = np.concatenate([matrices.groups[matrices.singular] for matrices in self.cluster_degrees])
        else:
            assert self.leverage is not None
            group, codes = self.groupings["row"], np.flatnonzero(self.leverage > 1 - LEVERAGE_ONE)
            codes = group.codes[codes] if isinstance(group, Grouping) else codes
        assert isinstance(group, Grouping)
        labels = (" ".join(str(part[code]) for part in group.labels) for code in np.unique(codes))
        return [f"{group.name} {label.strip()}" for label in labels]

    def draws(self, rng: np.random.Generator, reps: int) -> FloatArray:
        """Multiplier bootstrap: Mammen's two-point weights of clusters (or rows) times their scores."""
        terms = self.cov.terms(self.groupings)
        if len(terms) != 1 or not isinstance(terms[0][1], Grouping) or self._leaves_undefined:
            return _normal_draws(self.covariance(), rng, reps)
        sums = terms[0][1].sums(self._adjusted())
        # w = (1 - sqrt 5)/2 with probability (sqrt 5 + 1)/(2 sqrt 5), else (1 + sqrt 5)/2: E w = 0, E w^2 = E w^3 = 1
        root5 = np.sqrt(5.0)
        high = rng.random((reps, sums.shape[0])) < (root5 - 1) / (2 * root5)
        weights = np.where(high, (1 + root5) / 2, (1 - root5) / 2)
        return np.asarray(weights @ sums) * np.sqrt(self._factors())[self.column_block]

    def describe(self) -> str:
        """Covariance, rule and number of clusters, and whether it was repaired."""
        repaired = ", repaired" if self.is_repaired else ""
        if not self.cov.clusters:
            return str(self.cov) + ("" if self.rule == "stata" else f" ({self.rule})") + repaired
        everything = np.arange(len(self.row_block))
        units = zip(self.cov.units(self.groupings), self.cov.clusters, strict=True)
        counts = [f"{unit.degrees(everything) + 1:,.0f} {name}" for unit, name in units]
        rule = f", {self.rule} factor" if self.cov.kind == "CR1" else ""
        return f"{self.cov} ({' x '.join(counts)}{rule}){repaired}"

    def _adjusted(self) -> sparse.csr_array:
        """Scores with HC2 or HC3 weights and, row by row, the root of frequency weights."""
        # HC2: s_i / sqrt(1 - h_i), HC3: s_i / (1 - h_i); a row of f_i equal observations adds f_i (s_i/f_i)(s_i/f_i)'
        if not self.cov.independent:
            return self.scores
        scale = np.ones(self.scores.shape[0]) if self.repeats is None else 1 / np.sqrt(self.repeats)
        if self.cov.leverages:
            if self.leverage is None:
                raise CovarianceError(
                    f"{self.cov} needs the leverages, which were not kept: refit with cov={str(self.cov)!r}."
                )
            # a row of leverage one has no residual, and what it decides is undefined
            left = np.where(self.leverage > 1 - LEVERAGE_ONE, 1.0, 1 - self.leverage)
            scale *= left ** (-0.5 if self.cov.kind == "HC2" else -1.0)
        return sparse.csr_array(self.scores.multiply(scale[:, None]))

    def _factors(self) -> FloatArray:
        """Small-sample factor of each block."""
        everything = np.arange(len(self.blocks))
        if self.rule == "joint":
            return np.full(len(self.blocks), self._factor(everything))
        return np.array([self._factor(np.array([b])) for b in everything])

    def _factor(self, among: IntArray) -> float:
        nobs = sum(self.blocks[b].nobs for b in among)
        clusters_less_one = self._units_less_one(among) if self.cov.clusters else 0.0
        return self.cov.factor(self.rule, nobs, self._counted(among), clusters_less_one)

    def _counted(self, among: IntArray) -> int:
        """Parameters of some blocks that the rule counts."""
        return sum(self.blocks[b].counted(self.rule, self.cov.clusters) for b in among)

    def _units_less_one(self, among: IntArray) -> float:
        """Degrees of freedom of the rows of some blocks: of the clusters of which there are fewest."""
        rows = np.flatnonzero(np.isin(self.row_block, among))
        return min(unit.degrees(rows) for unit in self.cov.units(self.groupings))

    def _residual_degrees(self, contrast: FloatArray, present: IntArray) -> float:
        """N - k of the block; Welch's over several."""
        df = np.array([b.nobs - b.counted(self.rule, ()) for b in self.blocks], dtype=float)
        if self.rule == "joint":
            return float(df.sum())
        if present.size == 1:
            return float(df[present[0]])
        covariance = self.covariance()
        parts = np.where(self.column_block == present[:, None], contrast, 0.0)
        return welch(np.sum(parts @ covariance * parts, axis=1), df[present])

    def _cluster_pairs(self, contrast: FloatArray, other: FloatArray) -> FloatArray:
        """Covariance of what pairs of clusters add to two contrasts, added over blocks."""
        assert self.cluster_degrees is not None
        group = self.groupings[self.cov.clusters[0]]
        assert isinstance(group, Grouping)
        total = np.zeros((group.n_groups, group.n_groups))
        for b in np.intersect1d(*(self.column_block[c != 0] for c in (contrast, other))):
            codes, columns = group.codes[self.row_block == b], self.column_block == b
            total[np.ix_(codes, codes)] += self.cluster_degrees[b].pairs(contrast[columns], other[columns])
        return total

    def _iid(self) -> FloatArray:
        parts = [block.iid for block in self.blocks if block.iid is not None]
        if len(parts) < len(self.blocks):
            raise CovarianceError("cov='iid' was not kept for every block: refit with cov='iid'.")
        order = np.argsort(self.column_block, kind="stable")
        out = np.zeros((self.size, self.size))
        out[np.ix_(order, order)] = linalg.block_diag(*parts)
        return out

    def _joined_image(self, other: ScoreSource) -> FloatArray | None:
        """What both report of their columns."""
        if self.image is None and other.image is None:
            return None
        images = (np.eye(one.size) if one.image is None else one.image for one in (self, other))
        return np.asarray(linalg.block_diag(*images))

    def _check_joinable(self, other: ScoreSource) -> None:
        if (self.cov, self.rule) != (other.cov, other.rule):
            raise JoinError(
                f"the results carry different covariances ({self.describe()}; {other.describe()}): "
                "give both the same with cov= or with_cov(...)."
            )
        unlike = self.cov.leverages and (self.leverage is None) != (other.leverage is None)
        if unlike or (self.repeats is None) != (other.repeats is None):
            raise JoinError("one result is compressed or frequency-weighted and the other is not: refit them alike.")
        if not set(self.cov.needs) <= set(self._common(other)):
            raise JoinError(
                f"the units behind {self.cov} were not kept in both results, or come from different data: "
                "fit with compress=False from one panel, or join with independent=True."
            )

    def _common(self, other: ScoreSource) -> list[str]:
        """Groupings that both have, with labels of one source."""
        ours, theirs = self.groupings, other.groupings
        return [name for name in ours if name in theirs and ours[name].source == theirs[name].source]


@dataclass(frozen=True, slots=True, eq=False)
class ReplicateSource(ErrorSource):
    """Scaled deviations of replicate estimates from the full-sample estimate.

    Attributes
    ----------
    origin : str
        Survey and kind of replicates; deviations of one design are related through equal replicates.
    deviations : ndarray, shape (R, q)
        Square root of the replicate's scale times (replicate estimate - estimate).
    keys : tuple of (str, int)
        Scope (a country, where countries have designs of their own) and number of each replicate.
    kind : str
        How the replicates were made.
    ranks : ndarray, shape (q,)
        Independent replicates among the rows that each column stands on.
    """

    origin: str
    deviations: FloatArray
    keys: tuple[tuple[str, int], ...]
    kind: str
    ranks: FloatArray

    @property
    def size(self) -> int:
        """Number of fitted columns."""
        return int(self.deviations.shape[1])

    def covariance(self) -> FloatArray:
        """Sum over replicates of scaled squared deviations."""
        return self.deviations.T @ self.deviations

    def degrees(self, contrast: FloatArray) -> float:
        """Rank of the replicates less one, the smallest among the columns that the contrast touches."""
        used = self.ranks[contrast != 0]
        return float(used.min() - 1) if used.size else np.inf

    def joint_degrees(self, contrasts: FloatArray) -> float | None:
        """Degrees of an adjusted Wald test."""
        return min(self.degrees(contrast) for contrast in contrasts)

    @property
    def adjusts_wald(self) -> bool:
        """Always."""
        return True

    def relates(self, other: ErrorSource) -> bool:
        """Replicates of one design."""
        return isinstance(other, ReplicateSource) and (other.origin, other.kind) == (self.origin, self.kind)

    def join(self, other: ErrorSource) -> ReplicateSource:
        """Line up replicates of equal scope and number."""
        if not isinstance(other, ReplicateSource):
            raise JoinError("replicates can be joined with replicates only.")
        keys = tuple(dict.fromkeys(self.keys + other.keys))
        place = {key: i for i, key in enumerate(keys)}
        out = np.zeros((len(keys), self.size + other.size))
        out[[place[key] for key in self.keys], : self.size] = self.deviations
        out[[place[key] for key in other.keys], self.size :] = other.deviations
        return replace(self, deviations=out, keys=keys, ranks=np.concatenate([self.ranks, other.ranks]))

    def draws(self, rng: np.random.Generator, reps: int) -> FloatArray:
        """Normal weights of the replicates times their deviations."""
        return np.asarray(rng.standard_normal((reps, len(self.keys))) @ self.deviations)

    def describe(self) -> str:
        """Kind and number of replicates."""
        return f"{self.kind} replicates ({self._reps})"

    @property
    def _reps(self) -> int:
        return len({number for _, number in self.keys})


@dataclass(frozen=True, slots=True, eq=False)
class StatedSource(ErrorSource):
    """A covariance that is stated: published standard errors, or the inverse of an information matrix.

    Attributes
    ----------
    origin : str
        Who states it.
    matrix : ndarray, shape (q, q)
        Covariance; a NaN variance means unknown, never zero.
    df : float or ndarray of shape (q,)
        Degrees of freedom, of each column where they differ.
    phrase : str
        What it is, for notes.
    adjusted : bool
        Whether tests of several contrasts are adjusted Wald tests, as those of the survey's design that it is of.
    """

    origin: str
    matrix: FloatArray
    df: float | FloatArray = np.inf
    phrase: str = "stated covariance"
    adjusted: bool = False

    @property
    def size(self) -> int:
        """Number of columns."""
        return len(self.matrix)

    def covariance(self) -> FloatArray:
        """Return the matrix."""
        return self.matrix

    def degrees(self, contrast: FloatArray) -> float:
        """Return the degrees stated; Welch's where columns differ."""
        df = np.broadcast_to(np.asarray(self.df, dtype=float), (self.size,))
        used = contrast != 0
        if np.unique(df[used]).size <= 1:
            return float(df[used][0]) if used.any() else np.inf
        return welch(contrast[used] ** 2 * np.nan_to_num(np.diag(self.matrix))[used], df[used])

    def joint_degrees(self, contrasts: FloatArray) -> float | None:
        """Degrees of an adjusted Wald test, where the covariance is of a design."""
        return min(self.degrees(contrast) for contrast in contrasts) if self.adjusted else None

    @property
    def adjusts_wald(self) -> bool:
        """Whether the covariance is of a survey's design."""
        return self.adjusted

    def draws(self, rng: np.random.Generator, reps: int) -> FloatArray:
        """Normal draws with the covariance."""
        return _normal_draws(self.matrix, rng, reps)

    def describe(self) -> str:
        """Return the phrase."""
        return self.phrase


@dataclass(frozen=True, slots=True, eq=False)
class UnknownSource(ErrorSource):
    """Errors of which nothing is known but that they are not zero.

    Attributes
    ----------
    origin : str
        What the columns are of.
    n_columns : int
        Number of columns.
    phrase : str
        Why nothing is known, for notes.
    """

    origin: str
    n_columns: int
    phrase: str

    @property
    def size(self) -> int:
        """Number of columns."""
        return self.n_columns

    def covariance(self) -> FloatArray:
        """NaN variances, and no covariances."""
        return np.where(np.eye(self.n_columns) > 0, np.nan, 0.0)

    def degrees(self, contrast: FloatArray) -> float:
        """No degrees of freedom are taken."""
        return np.inf

    def draws(self, rng: np.random.Generator, reps: int) -> FloatArray:
        """No deviations, as none are known."""
        return np.zeros((reps, self.n_columns))

    def describe(self) -> str:
        """Return the phrase."""
        return self.phrase

    def with_cov(self, cov: Covariance, rule: SmallSample | None) -> UnknownSource:
        """Unknown under every covariance."""
        return self


def replicate_source(
    estimate: FloatArray,
    refit: Callable[[FloatArray], FloatArray],
    replicates: ReplicateWeights,
    scopes: Sequence[str],
    members: Sequence[IntArray],
    names: Sequence[str] = (),
) -> ReplicateSource:
    """Refit with each replicate's weights.

    Parameters
    ----------
    estimate : ndarray, shape (C, r)
        Full-sample coefficients of each cell.
    refit : callable
        From weights (n,) to coefficients (C, r).
    replicates : ReplicateWeights
        The weights.
    scopes : sequence of str, length C
        Scope of each cell's design.
    members : sequence of ndarray of int, length C
        Rows of each cell.
    names : sequence of str, length C, optional
        What messages call the cells; their numbers where absent.
    """
    values = np.empty((len(replicates), *estimate.shape))
    fits = map_in_order(lambda i: refit(replicates.draw(i)), range(len(replicates)), replicates.workers)
    for i, fitted in enumerate(track(fits, "replicates", replicates.progress, total=len(replicates))):
        _check_fitted(fitted, i, len(replicates), names)
        values[i] = fitted
    return source_of_values(estimate, values, replicates, scopes, members)


def source_of_values(
    estimate: FloatArray,
    values: FloatArray,
    replicates: ReplicateWeights,
    scopes: Sequence[str],
    members: Sequence[IntArray],
) -> ReplicateSource:
    """Scaled deviations of the replicates' estimates, shape (R, C, r), from those of the full sample, shape (C, r).

    Raises
    ------
    CovarianceError
        Where a replicate cannot be fitted.
    """
    number, n_cells, r = values.shape
    names = tuple(dict.fromkeys(scopes))
    centre = estimate if replicates.centre == "full" else values[replicates.scale > 0].mean(axis=0)
    gaps = (values - centre) * np.sqrt(replicates.scale)[:, None, None]
    for i in range(number):
        _check_fitted(gaps[i], i, number)
    deviations = np.zeros((len(names), number, n_cells, r))
    for c, scope in enumerate(scopes):
        deviations[names.index(scope), :, c] = gaps[:, c]
    keys = tuple((name, i) for name in names for i in range(number))
    ranks = np.array([replicates.rank(rows) for rows in members], dtype=float)
    flat = deviations.reshape(len(names) * number, n_cells * r)
    return ReplicateSource(replicates.design, flat, keys, replicates.kind, np.repeat(ranks, r))


def _check_fitted(found: FloatArray, i: int, number: int, names: Sequence[str] = ()) -> None:
    """Refuse a replicate that leaves a coefficient of some cell undetermined."""
    if np.isfinite(found).all():
        return
    bad = np.flatnonzero(~np.isfinite(found).all(axis=1)).tolist()
    cells = listing(names[c] or "the data" for c in bad) if names else f"numbers {listing(bad)}"
    raise CovarianceError(
        f"replicate {i + 1} of {number} cannot be fitted in {len(bad)} of {len(found)} cells "
        f"({cells}): too few rows there carry weight. Leave these cells out, or use "
        "Bootstrap(kind='bayesian')."
    )


def welch(variances: FloatArray, df: FloatArray) -> float:
    """Degrees of freedom of a sum of independent parts, from the variance and the degrees of each."""
    # nu = (sum_b v_b)^2 / sum_b v_b^2/nu_b
    total = float(np.sum(variances**2 / df))
    return float(variances.sum() ** 2 / total) if total > 0 else np.inf


def _stacked(first: _Kept | None, second: _Kept | None) -> _Kept | None:
    return None if first is None or second is None else np.concatenate([first, second])


def _normal_draws(covariance: FloatArray, rng: np.random.Generator, reps: int) -> FloatArray:
    """Normal deviations; NaN where a variance is unknown."""
    unknown = np.isnan(np.diag(covariance))
    values, vectors = np.linalg.eigh(np.nan_to_num(covariance) if unknown.any() else covariance)
    root = vectors * np.sqrt(np.maximum(values, 0.0))
    drawn = np.asarray(rng.standard_normal((reps, len(values))) @ root.T)
    return np.where(unknown, np.nan, drawn) if unknown.any() else drawn
