"""Estimates: labelled parameters and where their errors come from. The waist of the package.

Every stage produces an `Estimates`; every test, map, link, table and figure consumes one. The parameters are linear
images of the fitted columns of one or more sources (scores of sampled units, replicates, a stated covariance), so
separately fitted equations can be joined with the covariance their shared units imply, and any smooth function of them
has a covariance by the delta method.

References
----------
Jann, B. (2020). Influence functions continued. A framework for estimating standard errors in reweighting, matching,
and regression adjustment. University of Bern Social Sciences Working Paper 35.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from wagegap._arguments import public, public_class
from wagegap._display.shown_table import ShownTable
from wagegap._display.spec import TableSpec, tabulate_frame
from wagegap._display.text import to_text
from wagegap._typing import Alpha, AnyArray, BoolArray, ColumnNames, Count, FloatArray, IntArray, RngLike, SmallSample
from wagegap._version import reduce_with_version
from wagegap.errors import (
    ColumnError,
    CovarianceError,
    DataError,
    DuplicateKeyError,
    EmptyDataError,
    JoinError,
    MissingValueError,
    OptionError,
    check_keys_meet,
    listing,
    no_column,
    refuse_rows,
    shown,
)
from wagegap.estimation.carriers import as_pandas
from wagegap.estimation.column_types import as_numbers, refuse_sizes
from wagegap.estimation.countries.columns import country_code, hold_countries, levels_meant, near_country, to_read
from wagegap.estimation.covariance.options import CovLike, parse_cov
from wagegap.estimation.covariance.sources import ErrorSource, StatedSource, UnknownSource, welch
from wagegap.estimation.design import check_keys
from wagegap.estimation.hypothesis import TestResult, parse_hypothesis, wald_test
from wagegap.estimation.ledger import Ledger
from wagegap.estimation.named import by_name
from wagegap.estimation.spec import Spec
from wagegap.estimation.units import (
    check_not_mixed,
    check_share,
    check_unit,
    conversion,
    settle_log_points,
    unit_in_heading,
)

__all__ = ["LABELS", "Estimates", "join", "join_estimates"]

LABELS = ("term", "unit", "comparison")
"""Label columns that every parameter has, behind its cell keys."""

_SHOWN = ["estimate", "std_error", "p_value", "conf_low", "conf_high"]

SMALL_SAMPLE: tuple[SmallSample, ...] = ("stata", "fixest", "metafor", "clubsandwich", "joint", "none")


@public_class
@dataclass(frozen=True, eq=False, repr=False)
class Estimates(ShownTable):
    """Labelled parameters with a covariance that travels.

    Attributes
    ----------
    labels : DataFrame
        A row for each parameter: cell keys, then term, unit, comparison.
    values : ndarray, shape (p,)
        The parameters.
    sources : tuple of ErrorSource
        Independent sources of uncertainty.
    maps : tuple of ndarray, each of shape (p, q_r)
        Linear map from the fitted columns of each source to the parameters.
    title : str
        What the parameters are.
    ledger : Ledger or None
        Account of the sample.
    spec : Spec or None
        The call, for `refit`.
    notes : tuple of str
        What a reader should know.

    Raises
    ------
    DataError
        Values, labels and maps whose lengths differ. Users make estimates by a fit or by `from_table`, which say more.

    Examples
    --------
    >>> import pandas as pd
    >>> import wagegap as wg
    >>> published = pd.DataFrame({"iso3": ["KOR", "USA"], "b": [0.06, 0.25], "se": [0.02, 0.03]})
    >>> premiums = wg.Estimates.from_table(published, term="ai", unit="log")
    >>> print(premiums.test("USA = KOR"))
    USA = KOR: 0.190 (0.036), z = 5.27, p < .001
    """

    labels: pd.DataFrame
    values: FloatArray
    sources: tuple[ErrorSource, ...]
    maps: tuple[FloatArray, ...]
    title: str = "Estimates"
    ledger: Ledger | None = None
    spec: Spec | None = None
    notes: tuple[str, ...] = field(default=())

    def __post_init__(self) -> None:
        p = len(self.values)
        if len(self.labels) != p or any(m.shape[0] != p for m in self.maps) or len(self.sources) != len(self.maps):
            raise DataError(f"{p} parameters need as many labels and rows of every map.")
        missing = [name for name in LABELS if name not in self.labels]
        if missing:
            raise ColumnError(f"the labels lack {listing(missing)}.")
        keys = [*self.by, "term"]
        twice = self.labels.duplicated(keys)
        if twice.any():
            example = self.labels.loc[twice, keys].iloc[0].tolist()
            raise DuplicateKeyError(
                f"{int(twice.sum())} parameters have a key that another has, such as {example}: keys are {keys}."
            )

    @property
    def roots(self) -> tuple[ErrorSource, ...]:
        """Sources of error, under the name that they had."""
        message = "Estimates.roots is called sources now; the old name goes in the next version."
        warnings.warn(message, FutureWarning, stacklevel=2)
        return self.sources

    # numbers ---------------------------------------------------------------------------------------------------

    @property
    def by(self) -> list[str]:
        """Names of the cell keys."""
        return [str(name) for name in self.labels.columns if name not in LABELS]

    @cached_property
    def names(self) -> list[str]:
        """One name for each parameter: the cell, and the term where terms differ."""
        cells = [" ".join(str(v) for v in row) for row in self.labels[self.by].itertuples(index=False)]
        terms = self.labels["term"].astype(str).tolist()
        if not self.by:
            return terms
        return cells if len(set(terms)) == 1 else [f"{cell} {term}" for cell, term in zip(cells, terms, strict=True)]

    @property
    def params(self) -> pd.Series[float]:
        """The parameters by name."""
        return pd.Series(self.values, index=self.names, name="estimate")

    @cached_property
    def covariance(self) -> FloatArray:
        """Covariance of the parameters, shape (p, p); NaN where an error is unknown."""
        # V = sum over sources of B V_r B'
        parts = zip(self.sources, self.maps, strict=True)
        return np.asarray(sum(_sandwich(matrix, source) for source, matrix in parts))

    def cov_params(self) -> pd.DataFrame:
        """Return the covariance with names."""
        return pd.DataFrame(self.covariance, index=self.names, columns=self.names)

    @cached_property
    def variances(self) -> FloatArray:
        """Variances of the parameters, shape (p,), without their covariances; NaN where unknown."""
        parts = zip(self.sources, self.maps, strict=True)
        return np.asarray(sum(_sandwich_diagonal(matrix, source) for source, matrix in parts))

    @property
    def bse(self) -> pd.Series[float]:
        """Standard errors; NaN where unknown, or where a variance is negative."""
        known = self.variances.copy()
        negative = np.flatnonzero(known < 0)
        if negative.size:  # rounding of what cancels is zero; any other is no variance
            parts = zip(self.sources, self.maps, strict=True)
            size = sum(_size(matrix[negative], source) for source, matrix in parts)
            known[negative] = np.where(known[negative] < -1e-12 * np.asarray(size), np.nan, 0.0)
        return pd.Series(np.sqrt(known), index=self.names, name="std_error")

    @cached_property
    def df(self) -> FloatArray:
        """Degrees of freedom of each parameter."""
        return np.array([self._degrees([matrix[i] for matrix in self.maps]) for i in range(len(self.values))])

    @property
    def df_resid(self) -> float:
        """Smallest degrees of freedom among the parameters."""
        return float(self.df.min(initial=np.inf))

    @property
    def tvalues(self) -> pd.Series[float]:
        """Estimates over standard errors."""
        with np.errstate(divide="ignore", invalid="ignore"):
            return pd.Series(self.values / self.bse.to_numpy(), index=self.names, name="statistic")

    @property
    def pvalues(self) -> pd.Series[float]:
        """Two-sided p-values, t with `df` degrees of freedom."""
        p = 2 * stats.t.sf(np.abs(self.tvalues.to_numpy()), self.df)
        return pd.Series(p, index=self.names, name="p_value")

    @property
    def nobs(self) -> int:
        """Rows used."""
        return self.ledger.rows_used if self.ledger else len(self.values)

    def conf_int(self, alpha: Alpha = 0.05) -> pd.DataFrame:
        """Return intervals that cover with probability 1 - alpha."""
        half = stats.t.isf(alpha / 2, self.df) * self.bse.to_numpy()
        return pd.DataFrame({"conf_low": self.values - half, "conf_high": self.values + half}, index=self.names)

    def degrees(self, contrast: FloatArray) -> float:
        """Degrees of freedom of a contrast of parameters, shape (p,); Welch's over several sources.

        Parameters
        ----------
        contrast : array of shape (p,)
            Weights of the parameters.
        """
        weights = np.asarray(contrast)
        if weights.shape != self.values.shape or weights.dtype.kind not in "iuf":
            raise OptionError(f"contrast={shown(contrast)} must hold {len(self.values)} numbers, one a parameter.")
        return self._degrees([weights @ matrix for matrix in self.maps])

    def _degrees(self, images: Sequence[FloatArray]) -> float:
        """Degrees of freedom of a contrast that is these contrasts of the sources' columns."""
        used = [(source, image) for source, image in zip(self.sources, images, strict=True) if image.any()]
        df = np.array([source.degrees(image) for source, image in used])
        if len(used) <= 1:
            return float(df.sum()) if used else np.inf
        return welch(np.array([image @ np.nan_to_num(source.covariance()) @ image for source, image in used]), df)

    # questions -------------------------------------------------------------------------------------------------

    def test(self, hypothesis: str | Sequence[str] | AnyArray, value: float | FloatArray = 0.0) -> TestResult:
        """Test linear hypotheses.

        Parameters
        ----------
        hypothesis : str, sequence of str, or ndarray of shape (r, p)
            `"USA = KOR"`, `"USA - KOR = 0.1"`, several in a list, or rows of coefficients.
        value : float or ndarray of shape (r,)
            Right-hand side, where coefficients are given.

        Returns
        -------
        TestResult
            A t test for one row, an F test for several; under CR2 and CR3 an approximate Hotelling test with degrees
            of its own (Pustejovsky and Tipton's HTZ); under a survey's design or replicates of d degrees an adjusted
            Wald test, F(q, d - q + 1) = (d - q + 1)/(d q) W.

        Raises
        ------
        OptionError
            For names that are none of the parameters'.
        CovarianceError
            For a contrast that has no variance left.
        IdentificationError
            For hypotheses whose covariance is singular; the message says its rank.
        """
        rows, right, text = parse_hypothesis(hypothesis, value, self.names)
        self._check_contrasts(rows, text)
        df = min(self.degrees(row) for row in rows)
        images = [(source, rows @ matrix) for source, matrix in zip(self.sources, self.maps, strict=True)]
        used = [(source, image) for source, image in images if image.any()]
        _check_varies(used, len(rows), text)
        # the one source that several contrasts stand on may have degrees of its own for them
        joint = used[0][0].joint_degrees(used[0][1]) if len(rows) > 1 and len(used) == 1 else None
        zero = np.zeros((len(rows), len(rows)))
        covariance = np.asarray(sum((_sandwich(image, source) for source, image in used), start=zero))
        return wald_test(rows @ self.values - right, covariance, df, text, joint=joint)

    def _check_contrasts(self, rows: FloatArray, text: str) -> None:
        """Raise where parameters of units that differ by a factor alone are set side by side without it."""
        units = self.labels["unit"].astype(str).to_numpy()
        for row in rows:
            used = row != 0
            if len(set(units[used])) > 1 and len(set(np.abs(row[used]))) == 1:
                check_not_mixed(units[used].tolist(), text)

    def tidy(self, alpha: Alpha = 0.05) -> pd.DataFrame:
        """Return one row for each parameter, with columns whose names never change."""
        frame = self.labels.drop(columns=["unit", "comparison"]).reset_index(drop=True)
        interval = self.conf_int(alpha)
        return frame.assign(
            estimate=self.values,
            std_error=self.bse.to_numpy(),
            statistic=self.tvalues.to_numpy(),
            p_value=self.pvalues.to_numpy(),
            conf_low=interval["conf_low"].to_numpy(),
            conf_high=interval["conf_high"].to_numpy(),
        )

    def glance(self) -> pd.DataFrame:
        """Return one row about the whole."""
        row = {"n_parameters": len(self.values), "nobs": self.nobs, "covariance": self.describe()}
        weighted_by = self.ledger.weighted_by if self.ledger is not None else ""
        return pd.DataFrame([row | ({"weights": weighted_by} if weighted_by else {})])

    def describe(self) -> str:
        """Say the covariance in one phrase."""
        return "; ".join(dict.fromkeys(source.describe() for source in self.sources))

    def draws(self, reps: Count, *, rng: RngLike = None) -> FloatArray:
        """Multiplier bootstrap: random deviations of the parameters, shape (reps, p).

        Parameters
        ----------
        reps : int
            Number of draws.
        rng : Generator, int or None
            Source of randomness.
        """
        generator, parts = np.random.default_rng(rng), zip(self.sources, self.maps, strict=True)
        return np.asarray(sum(source.draws(generator, reps) @ matrix.T for source, matrix in parts))

    # new objects -----------------------------------------------------------------------------------------------

    def select(self, rows: AnyArray | Sequence[int] | slice | int | None = None, /, **keys: Any) -> Estimates:
        """Keep some parameters: by position or mask, or by labels (`term="ai"`, `iso3=["KOR", "USA"]`).

        Countries are taken by their names or codes, whatever the key that holds them is called.

        Parameters
        ----------
        rows : sequence of int, or mask of shape (p,), optional
            Positions, or which parameters to keep.
        **keys : str or sequence of str
            Values to keep of a cell key, or of `term`, by its name.

        Raises
        ------
        ColumnError
            For a name that is no label.
        OptionError
            For levels that no label can have, and for names that are neither a level nor a country.
        EmptyDataError
            Where no parameter is left.
        """
        mask = np.ones(len(self.values), dtype=bool)
        for name, wanted in keys.items():
            if name not in self.labels:
                raise no_column(name, self.labels.columns, "among the labels")
            values = self._countries_meant(name, _levels_wanted(name, wanted))
            wanted_rows = _holds_one_of(self.labels[name], values)
            if not wanted_rows.all():
                known = self.labels[name].dropna().unique().tolist()
                check_keys_meet(values, known, f"select({name}=...)", ("those wanted", "the labels"))
            mask &= wanted_rows
        chosen = self._chosen(rows, mask)
        if chosen.size == 0:
            hints = [near_country(wanted, self.labels[name].unique()) for name, wanted in keys.items()]
            hint = next(filter(None, hints), "")
            raise EmptyDataError(f"no parameter has {keys}; there are {listing(self.names)}.{hint}")
        return replace(
            self,
            labels=self.labels.iloc[chosen].reset_index(drop=True),
            values=self.values[chosen],
            maps=tuple(matrix[chosen] for matrix in self.maps),
        )

    def _countries_meant(self, name: str, wanted: list[Any]) -> list[Any]:
        """Levels of a label that are wanted, of countries those that their names or codes mean."""
        levels = self.labels[name].dropna().unique().tolist()
        if name not in self.by or all(one in levels for one in wanted) or not hold_countries(self.labels[[name]]):
            return wanted
        check_keys_meet(wanted, levels, f"select({name}=...)", ("those wanted", "the labels"))
        for one in wanted if len(wanted) > 1 else ():
            if isinstance(one, str) and one not in levels and country_code(one) is None:
                raise OptionError(f"select({name}=...): {one!r} is no country.{near_country(one, levels)}")
        return levels_meant(name, wanted, levels)

    def _chosen(self, rows: Any, mask: BoolArray) -> IntArray:
        """Positions of rows that are given as positions, a slice or a mask."""
        if rows is None:
            return np.flatnonzero(mask)
        if isinstance(rows, pd.Series) and rows.dtype == bool:
            rows = by_name(rows, [range(len(mask)), self.names], "the mask")
        try:
            return np.atleast_1d(np.arange(len(mask))[rows if isinstance(rows, slice) else np.asarray(rows)])
        except (IndexError, TypeError, ValueError) as error:
            raise OptionError(
                f"rows={shown(rows)} must be positions among {len(mask)}, a slice of them, or a mask of true and false."
            ) from error

    def map(
        self,
        transform: AnyArray | Callable[[FloatArray], FloatArray],
        *,
        labels: pd.DataFrame | None = None,
        jacobian: Callable[[FloatArray], FloatArray] | None = None,
        title: str | None = None,
    ) -> Estimates:
        """Return functions of the parameters.

        Parameters
        ----------
        transform : ndarray of shape (m, p), or callable
            A linear map, or a smooth function from (p,) to (m,), whose covariance is by the delta method.
        labels : DataFrame, optional
            Labels of the m results; required unless m equals p.
        jacobian : callable, optional
            Derivative of the function, shape (m, p); numerical where absent.
        title : str, optional
            New title.
        """
        if callable(transform):
            values = np.atleast_1d(np.asarray(transform(self.values), dtype=float))
            matrix = jacobian(self.values) if jacobian else _numerical_jacobian(transform, self.values)
        else:
            transform = by_name(transform, [self.names], "the map")
            try:
                matrix = np.atleast_2d(np.asarray(transform, dtype=float))
            except (TypeError, ValueError) as error:
                raise DataError(f"a map is a matrix of numbers, or a function, not {transform!r}.") from error
            if matrix.shape[1] != len(self.values):
                raise DataError(f"a map of {len(self.values)} parameters needs as many columns, not {matrix.shape[1]}.")
            values = matrix @ self.values
        if labels is None and len(values) != len(self.values):
            raise DataError(f"a map to {len(values)} parameters needs labels for them.")
        return replace(
            self,
            labels=self.labels if labels is None else _complete_labels(labels),
            values=values,
            maps=tuple(matrix @ own for own in self.maps),
            title=title or self.title,
        )

    def with_cov(self, cov: CovLike, *, small_sample: SmallSample | None = None) -> Estimates:
        """Return the same estimates under another covariance, where the scores kept allow it.

        Raises
        ------
        CovarianceError
            When they do not; the message names the way.
        """
        parsed = parse_cov(cov)
        sources = tuple(source.with_cov(parsed, small_sample) for source in self.sources)
        return replace(self, sources=sources).announced()

    def announced(self) -> Estimates:
        """Warn, once, of errors that were repaired or are undefined, and return the estimates themselves."""
        for source in self.sources:
            source.announce()
        return self

    def in_unit(self, unit: str) -> Estimates:
        """Return the parameters in another unit that a factor leads to: log points of logs, per cent of shares.

        Parameters
        ----------
        unit : str
            Unit to convert to, such as "log points" or "per cent".

        Raises
        ------
        UnitError
            For a unit that is not known, or that no factor leads to.
        """
        factors = [conversion(str(source), check_unit(unit)) for source in self.labels["unit"]]
        return self.map(np.diag(factors), labels=self.labels.assign(unit=unit))

    def with_unknown(self, at: IntArray, phrase: str) -> Estimates:
        """Return the estimates with errors of some of them unknown, and of what depends on these alone; say why.

        Parameters
        ----------
        at : array of int of shape (m,)
            Positions of the parameters whose errors are unknown.
        phrase : str
            Why, for the notes.
        """
        if not len(at):
            return self
        origin = "; ".join(dict.fromkeys(source.origin for source in self.sources))
        source = UnknownSource(origin, len(at), phrase)
        matrix = np.eye(len(self.values))[:, at]
        return replace(self, sources=(*self.sources, source), maps=(*self.maps, matrix))

    def without_units(self) -> Estimates:
        """Keep the covariance and forget the units: small, but no longer joinable."""
        source = StatedSource(
            "; ".join(source.origin for source in self.sources), self.covariance, self.df, self.describe(),
            len(self.sources) == 1 and self.sources[0].adjusts_wald,
        )  # fmt: skip
        return replace(self, sources=(source,), maps=(np.eye(len(self.values)),))

    def refit(self, data: Any, *, weights: FloatArray | None = None, **changes: Any) -> Any:
        """Fit the same specification to other data, or with other weights or options."""
        if self.spec is None:
            raise OptionError("these estimates were not made by a fit, so they cannot be refitted.")
        return self.spec.refit(data, weights=weights, **changes)

    @classmethod
    def from_table(  # noqa: PLR0913
        cls,
        frame: Any,
        *,
        by: ColumnNames = ("iso3",),
        estimate: str = "b",
        std_error: str | None = "se",
        term: str | None = None,
        unit: str | None = None,
        comparison: str | None = None,
        vcov: AnyArray | pd.DataFrame | None = None,
        source: str = "table",
        as_stated: bool = False,
    ) -> Estimates:
        """Let published figures enter as any stage result.

        Parameters
        ----------
        frame : data frame
            Of pandas, polars or Arrow, or a dict of columns: a row for each parameter.
        by : sequence of str
            Columns of cell keys.
        estimate, std_error : str
            Columns; `std_error=None`, or a missing value, means unknown, never zero.
        term, unit, comparison : str, optional
            A column's name, or one value for all rows. A difference of logs (0.110) has the unit `log`; log points are
            a hundred of them (11.0).
        vcov : array or DataFrame of shape (n, n), optional
            Full covariance, instead of standard errors; with names, those of the rows' index or keys, in their order.
        source : str
            Who states the figures.
        as_stated : bool
            Affirm that numbers declared log points are log points, even where all of them are below 1 in size. Without
            it these are taken as logs for this version, with a `UnitWarning`; the next version refuses them.

        Raises
        ------
        ColumnError, DuplicateKeyError, DataError, UnitError

        Examples
        --------
        >>> import pandas as pd
        >>> published = pd.DataFrame({"iso3": ["KOR", "USA"], "b": [6.0, 25.0], "se": [2.0, 3.0]})
        >>> points = Estimates.from_table(published, term="ai", unit="log points")
        >>> points.in_unit("log").params.tolist()
        [0.06, 0.25]
        """
        frame = as_pandas(frame)
        by = [by] if isinstance(by, str) else list(by)
        if len(set(by)) < len(by):
            raise OptionError(f"by={shown(by)} names a key twice.")
        if len(frame) == 0:
            raise EmptyDataError("the table has no rows: a row for each parameter is needed.")
        for name in [*by, estimate, *([std_error] if std_error is not None and vcov is None else [])]:
            if name not in frame:
                raise no_column(name, frame.columns, "in the table")
        check_keys(frame, by)
        unkeyed = frame[by].isna().any(axis=1)
        refuse_rows(unkeyed, MissingValueError, "", f" rows lack a key ({listing(by)}): fill it in or drop them.")
        labels = frame[by].reset_index(drop=True)
        for name, value, default in zip(LABELS, (term, unit, comparison), (estimate, "none", ""), strict=True):
            labels[name] = frame[value].to_numpy() if value in frame else (value or default)
        for name in labels["unit"].unique():
            check_unit(str(name))
        values = as_numbers(frame[estimate], repr(estimate))
        unusable = f" values of {estimate!r} are missing or infinite: drop these rows."
        refuse_rows(~np.isfinite(values), DataError, "", unusable)
        refuse_sizes(values, repr(estimate), len(values))
        labels["unit"] = settle_log_points(values, labels["unit"].tolist(), as_stated=as_stated)
        # A difference of shares may be negative, so the size alone is held against the unit.
        check_share(np.abs(values[(labels["unit"] == "share").to_numpy()]), "share", f"column {estimate!r}")
        written = {key: labels[key].map(str) if labels[key].dtype == object else labels[key].astype(str) for key in by}
        cells = [" ".join(key) for key in zip(*written.values(), strict=True)]
        terms = [" ".join(pair) for pair in zip(cells, labels["term"].astype(str), strict=True)] if by else []
        vcov = by_name(vcov, [frame.index.tolist(), cells, terms or labels["term"].tolist()], "vcov")
        matrix = _stated_covariance(frame, std_error, vcov)
        return cls(labels, values, (StatedSource(source, matrix),), (np.eye(len(values)),), title=source)

    # strings ---------------------------------------------------------------------------------------------------

    def spec_of_table(self, alpha: Alpha = 0.05) -> TableSpec:
        """Return the estimates as a table, for any renderer."""
        frame = self.tidy(alpha)
        keys = list(frame.columns[: list(frame.columns).index("estimate")])
        if len(keys) > 1 and frame["term"].nunique() == 1:
            keys.remove("term")
        lines = [f"Covariance: {self.describe()}."]
        if self.ledger is not None:
            lines.append(f"Sample: {self.ledger.line()}.")
        return tabulate_frame(
            frame[[*keys, *_SHOWN]], title=self.heading, notes=(*lines, *self.notes), written=to_read(frame[self.by])
        )

    @property
    def unit(self) -> str:
        """Unit of the parameters, or units joined by commas."""
        return ", ".join(dict.fromkeys(self.labels["unit"].astype(str)))

    @property
    def heading(self) -> str:
        """Title with the unit."""
        return f"{self.title}{unit_in_heading(self.unit)}"

    def summary(self, alpha: Alpha = 0.05) -> str:
        """Return the estimates as text, 80 columns wide, the same on every run."""
        return to_text(self.spec_of_table(alpha))

    def _in_session(self) -> str:
        return self.summary()

    def _in_short(self) -> str:
        return f"<Estimates: {self.title}, {len(self.values)} parameters>"

    __reduce__ = reduce_with_version

    def __getstate__(self) -> Mapping[str, Any]:
        kept = self.__dataclass_fields__
        return {name: value for name, value in self.__dict__.items() if name in kept}


@public
def join(first: Any, *others: Any, independent: bool = False, title: str | None = None) -> Estimates:
    """Put estimates side by side, with the covariance that their shared units imply.

    Parameters
    ----------
    first, *others : results or Estimates
        Scores of one source are related through the units they share, replicates of one design through equal
        replicates.
    independent : bool
        Take errors that cannot be related as independent, instead of refusing.
    title : str, optional
        Title of the whole; the titles of the parts, each once, where absent.

    Returns
    -------
    Estimates
        The parameters of all, in order, p in number, with a covariance of shape (p, p).

    Raises
    ------
    ArgumentError, DataError
        Where something is no result.
    JoinError
        When errors cannot be related and `independent` is false, or carry different covariances.

    Examples
    --------
    Premiums and rates of the same workers, with the covariance between them:

    >>> import wagegap as wg
    >>> data = wg.simulate_panel(countries=2, workers=300, rng=1).panel
    >>> premiums = wg.fit_premiums(data, "log(hourly_wage) ~ ai + exper", premium="ai")
    >>> rates = wg.fit_rates(data, {"emigration": "abroad_next"}, among="ai")
    >>> both = wg.join(premiums, rates)
    >>> both.labels["term"].tolist(), both.covariance.shape
    (['ai', 'ai', 'emigration', 'emigration'], (4, 4))
    """
    return join_estimates(first, *others, independent=independent, title=title).announced()


def join_estimates(first: Any, *others: Any, independent: bool = False, title: str | None = None) -> Estimates:
    """Join as `join` does, within a stage that says itself what its errors lack."""
    parts = [_own(first), *map(_own, others)]
    words = title or "; ".join(dict.fromkeys(part.title for part in parts))
    return replace(_join_all(parts, independent=independent), title=words)


def _levels_wanted(name: str, wanted: Any) -> list[Any]:
    """Levels of a label that are chosen, one or several of them."""
    listed = isinstance(wanted, Sequence | np.ndarray | pd.Series | pd.Index | set | range)
    if listed and not isinstance(wanted, str | bytes) and getattr(wanted, "ndim", 1) == 1:
        values = list(wanted)
        if all(isinstance(value, Hashable) for value in values):
            return values
    elif isinstance(wanted, Hashable) and (np.isscalar(wanted) or not hasattr(wanted, "__dict__")):
        return [wanted]
    raise OptionError(f"{name}={shown(wanted)} must be a level of {name!r}, or a list of levels.")


def _holds_one_of(labels: pd.Series[Any], values: Sequence[Any]) -> BoolArray:
    """Rows whose label is one of some values; of values that no column of labels can hold, an error."""
    try:
        return labels.astype(object).isin(values).to_numpy(dtype=bool)  # text of Arrow takes no half characters
    except (TypeError, ValueError) as error:
        raise OptionError(f"{labels.name}={shown(values)} are no levels of {labels.name!r}.") from error


def _join_all(parts: Sequence[Estimates], *, independent: bool) -> Estimates:
    """Join halves, so that what is copied grows with the whole and not with its square."""
    if len(parts) == 1:
        return parts[0]
    half = len(parts) // 2
    first, second = (_join_all(some, independent=independent) for some in (parts[:half], parts[half:]))
    return _join_two(first, second, independent=independent)


def _join_two(a: Estimates, b: Estimates, *, independent: bool) -> Estimates:
    sources, maps = list(a.sources), [np.vstack([m, np.zeros((len(b.values), m.shape[1]))]) for m in a.maps]
    for source, own in zip(b.sources, b.maps, strict=True):
        below = np.vstack([np.zeros((len(a.values), own.shape[1])), own])
        same = next((i for i, candidate in enumerate(sources) if candidate is source), None)
        match = next((i for i, candidate in enumerate(sources) if candidate.relates(source)), None)
        if same is not None:
            maps[same] = np.vstack([maps[same][: len(a.values)], own])
        elif match is not None:
            sources[match] = sources[match].join(source)
            maps[match] = np.hstack([maps[match], below])
        elif independent or isinstance(source, UnknownSource):
            sources.append(source)
            maps.append(below)
        else:
            raise JoinError(
                f"{source.describe()} of {source.origin!r} cannot be related to "
                f"{listing(f'{r.describe()} of {r.origin!r}' for r in a.sources)}: "
                "fit both under one cov= where they are of the same workers; join(..., independent=True) takes the "
                "errors as independent."
            )
    labels = pd.concat([a.labels, b.labels], ignore_index=True)[[*dict.fromkeys([*a.by, *b.by]), *LABELS]]
    return Estimates(
        labels,
        np.concatenate([a.values, b.values]),
        tuple(sources),
        tuple(maps),
        title=f"{a.title}; {b.title}" if a.title != b.title else a.title,
        ledger=a.ledger,
        notes=tuple(dict.fromkeys(a.notes + b.notes)),
    )


def _sandwich(matrix: FloatArray, source: ErrorSource) -> FloatArray:
    """A V A', in which an unknown variance spoils only what depends on it."""
    covariance = source.covariance()
    unknown = np.isnan(np.diag(covariance))
    spoilt = (matrix[:, unknown] != 0).any(axis=1) | source.vanishing(matrix)
    known = np.nan_to_num(covariance) if unknown.any() else covariance
    out = matrix @ known @ matrix.T
    out[spoilt, spoilt] = np.nan
    return np.asarray(out)


def _sandwich_diagonal(matrix: FloatArray, source: ErrorSource) -> FloatArray:
    """Diagonal of A V A', in which an unknown variance spoils only what depends on it."""
    covariance = source.covariance()
    unknown = np.isnan(np.diag(covariance))
    known = np.nan_to_num(covariance) if unknown.any() else covariance
    out = np.einsum("ij,ij->i", matrix @ known, matrix)
    return np.where((matrix[:, unknown] != 0).any(axis=1) | source.vanishing(matrix), np.nan, out)


def _size(matrix: FloatArray, source: ErrorSource) -> FloatArray:
    """(sum_j |a_j| s_j)^2 of each row a, s_j the errors of the columns: what a variance is small beside."""
    errors = np.sqrt(np.abs(np.nan_to_num(np.diag(source.covariance()))))
    return np.asarray((np.abs(matrix) @ errors) ** 2)


def _check_varies(images: Sequence[tuple[ErrorSource, FloatArray]], m: int, text: str) -> None:
    """Refuse contrasts whose variance was negative and is zero after the repair."""
    gone = np.zeros(m, dtype=bool)
    for source, image in images:
        gone |= source.vanishing(image)
    if gone.any():
        raise CovarianceError(
            f"{text}: {int(gone.sum())} of {m} contrasts had a negative variance, and after the repair of the "
            f"covariance none: its rank here is {m - int(gone.sum())} of {m}. Use fewer terms or one cluster, "
            "with_cov(...)."
        )


def _numerical_jacobian(function: Callable[[FloatArray], FloatArray], at: FloatArray) -> FloatArray:
    """Central differences with one step of Richardson extrapolation."""

    # D(h) = (f(x + h) - f(x - h)) / 2h,  f'(x) = (4 D(h/2) - D(h)) / 3 + O(h^4)
    def slopes(steps: FloatArray) -> FloatArray:
        gaps = [np.atleast_1d(function(at + step)) - np.atleast_1d(function(at - step)) for step in np.diag(steps)]
        return np.column_stack(gaps) / (2 * steps)

    steps = 1e-3 * np.maximum(np.abs(at), 1e-2)
    return (4 * slopes(steps / 2) - slopes(steps)) / 3


def _complete_labels(labels: pd.DataFrame) -> pd.DataFrame:
    """Fill in the label columns that a map did not give."""
    defaults = {"term": "value", "unit": "none", "comparison": ""}
    frame = labels.reset_index(drop=True).assign(**{name: defaults[name] for name in LABELS if name not in labels})
    return frame[[c for c in frame.columns if c not in LABELS] + list(LABELS)]


def _stated_covariance(frame: pd.DataFrame, std_error: str | None, vcov: AnyArray | pd.DataFrame | None) -> FloatArray:
    n = len(frame)
    if vcov is not None:
        try:
            matrix = np.asarray(vcov, dtype=float)
        except (TypeError, ValueError) as error:
            raise CovarianceError(f"vcov must be a matrix of numbers: {error}.") from error
        if matrix.shape != (n, n):
            raise CovarianceError(f"vcov has shape {matrix.shape}; {n} rows need ({n}, {n}).")
        known = np.nan_to_num(matrix)
        scale = float(np.abs(known).max()) or 1.0
        if not np.allclose(known, known.T, atol=1e-10 * scale):
            raise CovarianceError("vcov is not symmetric.")
        size = np.sqrt(np.where(np.diag(known) == 0, scale, np.abs(np.diag(known))))
        lowest = float(np.linalg.eigvalsh(known / np.outer(size, size)).min())
        if lowest < -1e-8:
            raise CovarianceError(
                f"vcov is not positive semidefinite: the smallest eigenvalue of its correlations is {lowest:.3g}."
            )
        return matrix
    if std_error is None:
        return np.where(np.eye(n) > 0, np.nan, 0.0)
    errors = as_numbers(frame[std_error], repr(std_error))
    refuse_sizes(errors[np.isfinite(errors)], repr(std_error), n)
    unusable = f" values of {std_error!r} are negative or infinite; leave empty what is unknown."
    refuse_rows((errors < 0) | np.isinf(errors), CovarianceError, "", unusable)
    return np.diag(errors**2)


def _own(result: Any) -> Estimates:
    """The estimates of a result, or the estimates themselves."""
    found = getattr(result, "estimates", result)
    if not isinstance(found, Estimates):
        raise DataError(f"results or Estimates can be joined, not {type(result).__name__}.")
    return found
