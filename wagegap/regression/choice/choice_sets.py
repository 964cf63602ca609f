"""Choice sets: from rows of choosers and alternatives to arrays, and a fitted model at other rows.

Rows of a chooser, and within them of a nest, stand together. The column of alternatives has its base first; of the
columns that a formula makes of it those of the base are left out where the others make them up. What a result keeps of
the model knows no chooser: names, levels, nests, and the alternatives' means.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from numbers import Number
from typing import Any

import numpy as np
import pandas as pd

from wagegap._display.session import Shown
from wagegap._typing import AnyArray, FloatArray, IntArray
from wagegap.errors import (
    ColumnError,
    DataError,
    DataWarning,
    DuplicateKeyError,
    EmptyDataError,
    IdentificationError,
    OptionError,
    check_column,
    did_you_mean,
    listing,
    shown,
    warn,
)
from wagegap.estimation.cellwise import Rows
from wagegap.estimation.column_types import number_or_nan
from wagegap.estimation.design import Design, check_keys
from wagegap.estimation.formula import FormulaParts, design_matrix, required_columns, split_formula
from wagegap.panel.events import column_of
from wagegap.panel.panel import Panel
from wagegap.panel.rows import prepare
from wagegap.regression.choice.likelihood import ChoiceSets, Nests, choice_sets, respond

__all__ = [
    "ChoiceColumns",
    "ChoiceModel",
    "ChoiceRows",
    "Choices",
    "NestTree",
    "read_choices",
    "reweighted",
    "typical_means",
]

_STEP = 1e-4
_STATEFUL = r"(?<!\w)(?:scale|center|standardize|poly|bs|cs|cr|cc|te|lag)\s*\("


@dataclass(frozen=True, slots=True)
class ChoiceColumns(Shown):
    """What a formula is made of, and whose choice it is.

    Attributes
    ----------
    regressors : str
        Right-hand side, with the constant that codes the alternatives' dummies against the base.
    outcome : str
        Left-hand side, or the column of what is chosen.
    chooser, alternative : str
        Columns.
    """

    regressors: str
    outcome: str
    chooser: str
    alternative: str

    @classmethod
    def of(cls, formula: str, chooser: str, alternative: str, chosen: str | None) -> ChoiceColumns:
        """Read the formula.

        Raises
        ------
        OptionError, FormulaError
        """
        bare = "~" not in str(formula)
        if bare and chosen is None:
            raise OptionError("who took what? Give chosen='column', or a formula 'taken ~ pay + ...'.")
        if not bare and chosen is not None:
            raise OptionError(f"chosen={chosen!r} and the left side of {formula!r} say the same: give one.")
        parts = FormulaParts(str(chosen), formula) if bare else split_formula(formula)
        if parts.effects:
            raise OptionError(
                "a choice model has nothing behind a bar: what choosers have in common over a set drops out anyway."
            )
        regressors = re.sub(r"\s*-\s*1\s*$|^\s*0\s*\+\s*|\s*\+\s*0\s*$", "", parts.regressors)
        return cls(regressors, parts.outcome, chooser, alternative)


@dataclass(frozen=True, slots=True)
class NestTree:
    """Nests as asked for."""

    nests: Mapping[str, Sequence[Any]] | None
    common: bool
    scaled: bool

    def of_levels(self, levels: Sequence[Any]) -> tuple[Nests | None, list[str]]:
        """Nest of each alternative, and the names of the dissimilarities.

        Raises
        ------
        OptionError
        """
        if self.nests is None:
            return None, []
        nest_of = self._named(levels)
        members = [nest_of[level] for level in levels]
        nests, asked = list(dict.fromkeys(members)), set(nest_of.values())
        estimated = [nest in asked and (members.count(nest) > 1 or not self.scaled) for nest in nests]
        numbered = np.where(estimated, 0 if self.common else np.cumsum(estimated) - 1, -1).astype(np.intp)
        names = [f"dissimilarity[{nest}]" for nest in itertools.compress(nests, estimated)]
        if self.common and names:
            names = ["dissimilarity"]
        return Nests(np.array([nests.index(nest) for nest in members]), numbered, self.scaled), names

    def _named(self, levels: Sequence[Any]) -> dict[Any, str]:
        """Nest of each alternative that is in one."""
        if not isinstance(self.nests, Mapping):
            raise OptionError(f"nests={self.nests!r} must be a dict of nest -> alternatives.")
        nest_of: dict[Any, str] = {}
        for name, members in self.nests.items():
            for member in [members] if isinstance(members, str) else members:
                if member not in levels:
                    raise OptionError(
                        f"nest {name!r}: no alternative {member!r}.{did_you_mean(member, levels)} "
                        f"Alternatives: {listing(levels, 12)}."
                    )
                if member in nest_of:
                    raise OptionError(f"{member!r} is in two nests, {nest_of[member]!r} and {name!r}.")
                nest_of[member] = str(name)
        absent = [level for level in levels if level not in nest_of]
        if absent:
            alone = ", ".join(f"{str(level)!r}: [{level!r}]" for level in absent[:3])
            raise OptionError(
                f"{listing(repr(level) for level in absent)} {'is' if len(absent) == 1 else 'are'} in no nest: put "
                f"{'it' if len(absent) == 1 else 'each'} in one; what stands alone is a nest of its own, {{{alone}}}."
            )
        return nest_of


@dataclass(frozen=True, slots=True, eq=False)
class ChoiceRows(Shown):
    """Rows at which a model is evaluated, those of a chooser and nest together.

    Attributes
    ----------
    x : ndarray, shape (n, k)
        Attributes.
    sets : ChoiceSets
        Choosers.
    level : ndarray of int, shape (n,)
        Alternative of each row.
    nests : Nests, optional
        Nests.
    count : int
        Number of alternatives.
    slopes : dict of str -> ndarray, shape (n, k)
        Derivative of the attributes in the logarithm of a column.
    weights : ndarray, shape (N,)
        Weights of choosers.
    """

    x: FloatArray
    sets: ChoiceSets
    level: IntArray
    nests: Nests | None
    count: int
    slopes: Mapping[str, FloatArray]
    weights: FloatArray

    def shares(self, params: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Predicted shares, and their derivative in the parameters."""
        # S_j = sum_i w_i P_ij / sum_i w_i,   dS_j = sum_i w_i P_ij d log P_ij / sum_i w_i
        response = respond(params, self.x, self.sets, self.nests)
        load = response.probability * self.sets.spread(self.weights) / self.weights.sum()
        slopes = [self.sums_by_level(load * slope) for slope in response.slopes.T]
        return self.sums_by_level(load), np.column_stack(slopes)

    def sums_by_level(self, values: FloatArray) -> FloatArray:
        """Sums over the rows of each alternative, shape (J,)."""
        return np.asarray(np.bincount(self.level, weights=values, minlength=self.count), dtype=float)

    def elasticities(self, params: FloatArray, variable: str) -> FloatArray:
        """Elasticities of j in k, shape (J J,), averaged with the probabilities of j."""
        # e_jk = sum_i w_i P_ij (d log P_ij / d V_ik) (dV_ik / d log z) / sum_i w_i P_ij
        gain = self.slopes[variable] @ params[: self.x.shape[1]]
        numerator, denominator = self._responses(params, gain)
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.asarray(numerator / denominator[:, None]).ravel()

    def diversion(self, params: FloatArray) -> FloatArray:
        """Share of k's loss that j gains, shape (J J,)."""
        # D_jk = -(dS_j / dV_k) / (dS_k / dV_k)
        numerator, _ = self._responses(params, np.ones(len(self.x)))
        with np.errstate(invalid="ignore", divide="ignore"):
            out = -numerator / np.diag(numerator)[None, :]
        np.fill_diagonal(out, np.nan)
        return out.ravel()

    def _responses(self, params: FloatArray, gain: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Sums of w P_j d log P_j / d V_k times k's gain, shape (J, J), and of w P_j."""
        response = respond(params, self.x, self.sets, self.nests)
        load = response.probability * self.sets.spread(self.weights)
        nest = self.level if self.nests is None else self.nests.codes
        chooser = self.sets.spread(np.arange(len(self.sets.starts)))
        # d log P_j / d V_k = s_k (1[j = k] + 1[same nest] (l_k - 1) q_k - l_k P_k), with the s, l, q, P of k
        terms = np.column_stack([
            gain * response.scale,
            (response.dissimilarity - 1) * response.within,
            -response.dissimilarity * response.probability,
        ])  # fmt: skip
        out = np.zeros((self.count, self.count))
        for k in range(self.count):
            at = np.flatnonzero(self.level == k)
            of_k = np.zeros((len(self.sets.starts), 3))
            of_k[chooser[at]] = terms[at]
            scale, within, every = of_k[chooser].T
            same = nest == (nest[at[0]] if at.size else -1)
            out[:, k] = self.sums_by_level(load * scale * ((self.level == k) + same * within + every))
        return out, self.sums_by_level(load)


@dataclass(frozen=True, slots=True, eq=False)
class ChoiceModel(Shown):
    """What a result keeps to evaluate the model, no chooser among it.

    Attributes
    ----------
    columns : ChoiceColumns
        Formula and columns.
    levels : list
        Alternatives, the base first.
    names : tuple of str
        Columns of the attributes.
    nests : Nests, optional
        Nest of each alternative.
    variables : tuple of str
        Numbers in the formula.
    means : DataFrame, optional
        Columns of the formula at the alternatives' means, the last J rows.
    sample_shares : tuple of ndarray
        Predicted shares in the sample, with their derivative.
    """

    columns: ChoiceColumns
    levels: list[Any]
    names: tuple[str, ...]
    nests: Nests | None
    variables: tuple[str, ...] = ()
    means: pd.DataFrame | None = None
    sample_shares: tuple[FloatArray, FloatArray] = (np.empty(0), np.empty((0, 0)))

    def typical(self, variables: Sequence[str] = ()) -> ChoiceRows:
        """One set at the alternatives' means."""
        if self.means is None:
            raise OptionError("a formula with columns that depend on other rows (center, splines) needs data=.")
        level = np.arange(len(self.levels))
        order = self.order(np.zeros_like(level), level)
        last = len(self.means) - len(level) + order
        x = self.attributes(self.means)[last]
        slopes = {name: self.slope(self.means, name)[last] for name in variables}
        return self.of(x, choice_sets(np.zeros_like(level)), level[order], slopes)

    def rows(self, frame: pd.DataFrame, variables: Sequence[str] = ()) -> ChoiceRows:
        """Rows of other data, with the derivatives in some columns."""
        columns = self.columns
        needed = required_columns(columns.regressors, frame)
        for name in (columns.chooser, columns.alternative):
            check_column(name, frame.columns)
        frame = frame[list(dict.fromkeys([*needed, columns.chooser, columns.alternative]))]
        missing = frame.isna().any(axis=1)
        if missing.any():
            raise DataError(f"{int(missing.sum()):,} rows have missing values: leave their sets out.")
        chooser, level = pd.factorize(frame[columns.chooser])[0], _codes_of(frame[columns.alternative], self.levels)
        order = self.order(chooser, level)
        frame = frame.assign(**{columns.alternative: _categorical(frame[columns.alternative], self.levels)}).iloc[order]
        slopes = {name: self.slope(frame, name) for name in variables if _is_number(frame, name)}
        return self.of(self.attributes(frame), choice_sets(chooser[order]), level[order], slopes)

    def of(self, x: FloatArray, sets: ChoiceSets, level: IntArray, slopes: Mapping[str, FloatArray]) -> ChoiceRows:
        """Rows from their arrays."""
        nests = None if self.nests is None else replace(self.nests, codes=self.nests.codes[level])
        return ChoiceRows(x, sets, level, nests, len(self.levels), slopes, np.ones(len(sets.starts)))

    def attributes(self, frame: pd.DataFrame) -> FloatArray:
        """Columns of the attributes; they must be those of the fit."""
        matrix = design_matrix(frame, self.columns.regressors)
        absent = [name for name in self.names if name not in matrix.names]
        if absent:
            raise DataError(f"the data give no {listing(absent)}: they must have every level of the fit.")
        return matrix.values[:, [matrix.names.index(name) for name in self.names]]

    def slope(self, frame: pd.DataFrame, name: str) -> FloatArray:
        """Derivative of the attributes in the logarithm of a column, by central differences."""
        ahead, behind = (self.attributes(frame.assign(**{name: frame[name] * (1 + h)})) for h in (_STEP, -_STEP))
        return (ahead - behind) / (2 * _STEP)

    def order(self, chooser: IntArray, level: IntArray) -> IntArray:
        """Order in which rows of a chooser, and of a nest, stand together."""
        nest = level if self.nests is None else self.nests.codes[level]
        return np.asarray(np.lexsort((level, nest, chooser)))


@dataclass(frozen=True, slots=True, eq=False)
class Choices:
    """Choice sets of a fit, sorted by chooser and nest.

    Attributes
    ----------
    choosers : Rows
        A row for each chooser, with the weights and errors of choosers.
    frame : DataFrame, n rows
        Columns of the formula.
    model : ChoiceModel
        Names and levels.
    rows : ChoiceRows
        Arrays; weights of choosers.
    chosen : ndarray of int, shape (N,)
        Row taken.
    dissimilarities : list of str
        Their names.
    """

    choosers: Rows
    frame: pd.DataFrame
    model: ChoiceModel
    rows: ChoiceRows
    chosen: IntArray
    dissimilarities: list[str]


def read_choices(panel: Panel, columns: ChoiceColumns, base: Any, tree: NestTree, how: Mapping[str, Any]) -> Choices:
    """Choice sets from a panel.

    Parameters
    ----------
    panel : Panel
        A row for each chooser and alternative.
    columns : ChoiceColumns
        Formula and columns.
    base : object
        Alternative whose constants are zero; the first where None.
    tree : NestTree
        Nests.
    how : mapping
        Options of `panel.rows.prepare`: cov, small_sample, weights, weight_kind.

    Raises
    ------
    ColumnError, OptionError, FormulaError, DataError, DuplicateKeyError, EmptyDataError, IdentificationError
    """
    column_of(panel, columns.chooser, "for chooser")
    levels = _levels(column_of(panel, columns.alternative, "for alternative"), base)
    panel = panel.with_columns(**{columns.alternative: _categorical(panel.frame[columns.alternative], levels)})
    rows = _rows(panel, columns, how)
    nests, dissimilarities = tree.of_levels(levels)
    model = ChoiceModel(columns, levels, (), nests)
    chooser = rows.codes(columns.chooser).astype(np.intp)
    level = rows.columns([columns.alternative])[columns.alternative].cat.codes.to_numpy().astype(np.intp)
    order = model.order(chooser, level)
    design, level, sets = rows.design, level[order], choice_sets(chooser[order])
    rows = rows.with_design(y=design.y[order], x=design.x[order], rows=design.rows[order])
    _check_sets(rows.column(columns.chooser)[sets.starts].astype(object), rows.design, sets, level)
    rows = replace(rows, design=_without_base(rows.design, sets, columns.alternative, levels[0]))
    choosers = _choosers(rows, columns.chooser, sets)
    _check_taken(rows.design, level, levels)
    model = replace(model, names=rows.design.names)
    at = model.of(rows.design.x, sets, level, {})
    at = at if choosers.weights is None else replace(at, weights=choosers.weights)
    frame = rows.columns(required_columns(columns.regressors, panel.frame))
    return Choices(choosers, frame, model, at, np.flatnonzero(rows.design.y == 1), dissimilarities)


def _levels(column: pd.Series[Any], base: Any) -> list[Any]:
    """Alternatives, the base first."""
    present = column.dropna()
    if isinstance(column.dtype, pd.CategoricalDtype):
        levels = [level for level in column.cat.categories if (present == level).any()]
    else:
        levels = _sorted(np.asarray(pd.unique(present)))
    if len(levels) < 2:
        raise EmptyDataError(f"{column.name!r} has {len(levels)} alternative: a choice needs two.")
    if base is None:
        return levels
    if base not in levels:
        raise OptionError(
            f"base={shown(base)} is no alternative.{did_you_mean(base, levels)} There are: {listing(levels)}."
        )
    return [base, *(level for level in levels if level != base)]


def _sorted(values: AnyArray) -> list[Any]:
    try:
        return sorted(values.tolist())
    except TypeError:
        return sorted(values.tolist(), key=str)


def _categorical(column: pd.Series[Any], levels: Sequence[Any]) -> pd.Categorical:
    return pd.Categorical(column.astype(object), categories=list(levels))


def _codes_of(column: pd.Series[Any], levels: Sequence[Any]) -> IntArray:
    codes = pd.Index(list(levels)).get_indexer(pd.Index(column.astype(object)))
    if (codes < 0).any():
        odd = column[codes < 0].iloc[0]
        raise DataError(f"alternative {odd!r} was not in the fit.{did_you_mean(odd, levels)}")
    return np.asarray(codes, dtype=np.intp)


def _rows(panel: Panel, columns: ChoiceColumns, how: Mapping[str, Any]) -> Rows:
    """Attributes and what is taken, without choosers who lack a row."""
    outcome, frame = columns.outcome, panel.frame
    values = _taken(frame, columns, outcome) if outcome in frame else None
    parts = FormulaParts(outcome, columns.regressors, (), (columns.chooser, columns.alternative), values)
    rows = prepare(panel, parts, by=(), **how)
    taken = np.isin(rows.design.y, (0.0, 1.0))
    if not taken.all():
        first = rows.design.y[~taken][0]
        raise DataError(f"{outcome!r} is neither 0 nor 1 in {int((~taken).sum()):,} rows, first {first:g}.")
    weights = rows.access.weights(np.arange(len(panel)))
    lost = np.ones(len(panel), dtype=bool) if weights is None else weights > 0
    lost[rows.design.rows] = False
    if lost.any():
        chooser = rows.columns([columns.chooser])[columns.chooser]
        incomplete = chooser.isin(frame.loc[lost, columns.chooser].dropna()).to_numpy()
        rows = rows.keep(~incomplete, "of choosers with a row missing")
        if not len(rows):
            raise EmptyDataError(f"every chooser lacks something in some row.\n{rows.design.ledger}")
    return rows


def _taken(frame: pd.DataFrame, columns: ChoiceColumns, outcome: str) -> AnyArray:
    """0/1 of what is taken, from numbers, truth values, or the alternative's name."""
    column = frame[outcome]
    if pd.api.types.is_numeric_dtype(column) and not isinstance(column.dtype, pd.CategoricalDtype):
        return number_or_nan(column)
    check_keys(frame, [outcome])
    said = column.astype(object)
    levels = set(frame[columns.alternative].cat.categories)
    odd = [word for word in pd.unique(said.dropna()) if word not in levels]
    if odd:
        raise DataError(
            f"{outcome!r} must be 0 or 1, or name the alternative taken; {odd[0]!r} is neither."
            f"{did_you_mean(odd[0], levels)} To turn text into 0 and 1 write \"I({outcome} == 'yes') ~ ...\"."
        )
    same = (said == frame[columns.alternative].astype(object)).astype(float)
    return same.where(said.notna(), np.nan).to_numpy()


def _check_sets(chooser: AnyArray, design: Design, sets: ChoiceSets, level: IntArray) -> None:
    """Raise unless every chooser took one of several different alternatives."""
    count = sets.sums(design.y)
    several, none = chooser[count > 1], chooser[count == 0]
    if len(several):
        raise DataError(
            f"{len(several):,} of {len(chooser):,} choosers took more than one alternative (such as {several[0]!r}): "
            "a choice is one; give each occasion a chooser of its own."
        )
    if len(none):
        raise DataError(
            f"{len(none):,} of {len(chooser):,} choosers took nothing (such as {none[0]!r}): leave them out, or add "
            "the alternative they took."
        )
    owner = sets.spread(np.arange(len(sets.starts)))
    twice = pd.Series(owner * (int(level.max()) + 1) + level).duplicated().to_numpy()
    if twice.any():
        who = chooser[owner[twice][0]]
        raise DuplicateKeyError(
            f"{int(twice.sum()):,} rows have a chooser and alternative that another has, such as chooser {who!r}."
        )
    alone = int((sets.counts == 1).sum())
    if alone:
        warn(f"{alone:,} of {len(chooser):,} choosers have one alternative, and say nothing.", DataWarning)


def _without_base(design: Design, sets: ChoiceSets, alternative: str, base: Any) -> Design:
    """Leave out the constant, and columns of the base that the other alternatives' columns make up."""
    keep = np.array([column.name != "Intercept" for column in design.columns])
    for j, column in enumerate(design.columns):
        if (alternative, base) in column.levels:
            total = design.x[:, [other.term == column.term for other in design.columns]].sum(axis=1)
            keep[j] = (total != sets.spread(total[sets.starts])).any()
    if not keep.any():
        raise ColumnError("the formula has no attribute: name columns that differ between alternatives.")
    return design.keep_columns(keep)


def _check_taken(design: Design, level: IntArray, levels: Sequence[Any]) -> None:
    """Raise where an alternative nobody took has a constant."""
    taken = np.bincount(level, weights=design.y, minlength=len(levels)) > 0
    constants = [_constant_of(column, level) for column in design.x.T]
    for j in np.flatnonzero(~taken).tolist():
        if j in constants or (j == 0 and any(constant is not None for constant in constants)):
            raise IdentificationError(
                f"alternative {levels[j]!r} is never chosen in {int(design.y.sum()):,} choices, so that its constant "
                "has no finite estimate: leave its rows out, merge it with another, or drop the constants."
            )


def _constant_of(column: FloatArray, level: IntArray) -> int | None:
    """Alternative that a column is the indicator of."""
    at = np.unique(level[column != 0])
    return int(at[0]) if len(at) == 1 and np.ptp(column[level == at[0]]) == 0 else None


def _choosers(rows: Rows, chooser: str, sets: ChoiceSets) -> Rows:
    """A row for each chooser; raise where weights or clusters cut through a set."""
    choosers = rows.of_units(chooser, sets.starts)
    weights = rows.weights
    unlike = 0 if weights is None else int((weights != sets.spread(weights[sets.starts])).sum())
    if unlike:
        raise DataError(
            f"weights differ between the rows of a chooser in {unlike:,} of {len(rows):,} rows: they are the "
            "chooser's, the same in every row."
        )
    everyone = replace(rows, asked=choosers.cov)
    for name in choosers.cov.clusters:
        codes = everyone.cluster_codes(name)
        cut = int((codes != sets.spread(codes[sets.starts])).sum())
        if cut:
            raise DataError(f"cluster {name!r} differs within a chooser, in {cut:,} of {len(codes):,} rows.")
    return choosers


def reweighted(choices: Choices, population: Mapping[Any, float]) -> Choices:
    """Weigh choosers by the population's share of what they took over the sample's."""
    levels = choices.model.levels
    if not isinstance(population, Mapping) or not all(isinstance(v, Number) for v in population.values()):
        raise OptionError(f"population={population!r} must be a dict of alternative -> share.")
    unknown = [name for name in population if name not in levels]
    if unknown or len(population) < len(levels):
        absent = [level for level in levels if level not in population]
        raise OptionError(
            f"population={dict(population)!r} must give a share for each alternative; unknown: "
            f"{listing(unknown) or 'none'}, absent: {listing(absent) or 'none'}."
        )
    shares = np.array([float(population[level]) for level in levels])
    if (shares <= 0).any() or abs(shares.sum() - 1) > 1e-6:
        raise OptionError(f"population={dict(population)!r}: shares must be positive and add up to one.")
    taken = choices.rows.level[choices.chosen]
    given = choices.rows.weights
    sampled = np.bincount(taken, weights=given, minlength=len(levels)) / given.sum()
    weights = given * (shares / np.where(sampled > 0, sampled, 1.0))[taken]
    choices.choosers.cov.check_weights("sampling")
    kind = choices.choosers.weight_kind
    choosers = choices.choosers.weighted(weights, "analytic" if kind == "analytic" else "sampling")
    return replace(choices, choosers=choosers, rows=replace(choices.rows, weights=weights))


def typical_means(choices: Choices) -> dict[str, Any]:
    """Rows at the alternatives' means, behind one row for each level of the other columns."""
    columns, rows = choices.model.columns, choices.rows
    used = choices.frame.drop(columns=columns.alternative, errors="ignore")
    needed: list[str] = used.columns.tolist()
    weights = rows.sets.spread(rows.weights)
    total = rows.sums_by_level(weights)
    numbers = [name for name in needed if _is_number(used, name)]
    typical = {
        name: rows.sums_by_level(weights * used[name].to_numpy(dtype=float)) / total
        if name in numbers
        else [used[name].mode().iloc[0]] * len(total)
        for name in needed
    }
    means = pd.DataFrame(typical, index=range(len(total)))
    means[columns.alternative] = pd.Categorical(choices.model.levels, categories=choices.model.levels)
    anchors = [means.iloc[[0]].assign(**{n: [level]}) for n in needed if n not in numbers for level in used[n].unique()]
    stateful = re.search(_STATEFUL, columns.regressors) is not None
    return dict(variables=tuple(numbers), means=None if stateful else pd.concat([*anchors, means], ignore_index=True))


def _is_number(frame: pd.DataFrame, name: str) -> bool:
    column = frame[name]
    return bool(pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column))
