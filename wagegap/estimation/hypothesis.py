"""Linear hypotheses in words: `"USA 2024 = KOR 2024"`, and the Wald test of them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import linalg, stats

from wagegap._arguments import public_methods
from wagegap._display.numbers import say_p
from wagegap._display.session import Shown
from wagegap._typing import AnyArray, FloatArray
from wagegap.errors import IdentificationError, OptionError, did_you_mean, listing, shown
from wagegap.estimation.column_types import given_numbers

__all__ = ["TestResult", "parse_hypothesis", "wald_test"]

_SINGULAR = 1e-13  # eigenvalue of a correlation matrix, relative to the largest, that is rounding
_PIECE = re.compile(r"(^\s*[-+]|\s[-+]\s|^)\s*((?:(?!\s[-+]\s).)+)", re.DOTALL)
_NUMBER = re.compile(r"\s*(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?\s*$")


@public_methods
@dataclass(frozen=True, slots=True)
class TestResult(Shown):
    """A test of linear hypotheses.

    Attributes
    ----------
    hypothesis : str
        What is tested.
    estimate : tuple of float
        Left side less right side, a value for each row.
    std_error : tuple of float
        Standard error of each.
    statistic : float
        t for one row, F for several.
    df_num, df_denom : float
        Degrees of freedom.
    p_value : float
        Two-sided.
    """

    __test__ = False

    hypothesis: str
    estimate: tuple[float, ...]
    std_error: tuple[float, ...]
    statistic: float
    df_num: int
    df_denom: float
    p_value: float

    def __str__(self) -> str:
        if self.df_num == 1:
            letter = "z" if np.isinf(self.df_denom) else f"t({self.df_denom:.1f})"
            return (
                f"{self.hypothesis}: {self.estimate[0]:.3f} ({self.std_error[0]:.3f}), "
                f"{letter} = {self.statistic:.2f}, {say_p(self.p_value)}"
            )
        return f"{self.hypothesis}: F({self.df_num}, {self.df_denom:.1f}) = {self.statistic:.2f}, {say_p(self.p_value)}"


def parse_hypothesis(
    hypothesis: str | Sequence[str] | AnyArray, value: float | FloatArray, names: Sequence[str]
) -> tuple[FloatArray, FloatArray, str]:
    """Return rows of coefficients, right-hand sides and the text."""
    if isinstance(hypothesis, np.ndarray):
        rows = np.atleast_2d(given_numbers("hypothesis", hypothesis, finite=False))
        if not np.isfinite(rows).all():
            raise OptionError("the coefficients of a hypothesis must be numbers, none of them missing or infinite.")
        if rows.ndim > 2 or rows.shape[1] != len(names):
            raise OptionError(f"a hypothesis on {len(names)} parameters needs as many columns, not {rows.shape[-1]}.")
        right = given_numbers("value", value)
        if right.shape not in ((), (1,), (len(rows),)) or not len(rows):
            raise OptionError(
                f"value={shown(value)} must be one number, or one for each of the {len(rows)} rows of the hypothesis."
            )
        return rows, np.broadcast_to(right, (len(rows),)), f"{len(rows)} linear hypotheses"
    if not isinstance(hypothesis, str | Sequence):
        raise OptionError(f"{shown(hypothesis)} is no hypothesis: give text such as 'USA = KOR', or coefficients.")
    texts = [hypothesis] if isinstance(hypothesis, str) else [str(text) for text in hypothesis]
    if not texts:
        raise OptionError(f"hypothesis={shown(hypothesis)} restricts nothing: give text such as 'USA = KOR'.")
    parsed = [_parse_row(text, names) for text in texts]
    return np.array([row for row, _ in parsed]), np.array([right for _, right in parsed]), "; ".join(texts)


def wald_test(
    gap: FloatArray, covariance: FloatArray, df: float, text: str, *, joint: float | None = None
) -> TestResult:
    """Test that a vector of estimates is zero; `joint` is eta of an approximate Hotelling T-squared."""
    variances = np.diag(covariance)
    errors = tuple(float(e) for e in np.sqrt(np.where(variances < 0, np.nan, variances)))
    estimate = tuple(float(g) for g in gap)
    if len(gap) == 1:
        t = float(gap[0] / errors[0]) if errors[0] > 0 else np.nan
        return TestResult(text, estimate, errors, t, 1, df, float(2 * stats.t.sf(abs(t), df)))
    shrunk, df = (1.0, df) if joint is None else _hotelling(len(gap), joint)
    statistic = shrunk * _quadratic(gap, covariance) / len(gap)
    p = stats.chi2.sf(statistic * len(gap), len(gap)) if np.isinf(df) else stats.f.sf(statistic, len(gap), df)
    return TestResult(text, estimate, errors, statistic, len(gap), df, float(p))


def _quadratic(gap: FloatArray, covariance: FloatArray) -> float:
    """d'V^-1 d, of a covariance that has full rank in the units of its own errors."""
    size = np.sqrt(np.diag(covariance))
    if not (np.isfinite(size) & (size > 0)).all():
        raise IdentificationError(
            f"{int((~(size > 0)).sum())} of the {len(gap)} hypotheses have an error that is unknown or zero: test the "
            "others."
        )
    values, vectors = linalg.eigh(covariance / np.outer(size, size))
    rank = int((values > _SINGULAR * values[-1]).sum())
    if rank < len(gap):
        raise IdentificationError(
            f"the covariance of the {len(gap)} hypotheses has rank {rank}: they are not independent, or their clusters "
            "are too few. Test fewer."
        )
    return float(np.sum((vectors.T @ (gap / size)) ** 2 / values))


def _hotelling(q: int, eta: float) -> tuple[float, float]:
    """What turns a Wald statistic over q into F, (eta - q + 1)/eta, and the denominator's degrees, eta - q + 1."""
    left = eta - q + 1
    if not left > 0:
        raise IdentificationError(
            f"{q} hypotheses at once are too many for these clusters, units or replicates, whose covariance has "
            f"{eta:.1f} degrees of freedom: test fewer, or, of clusters, use wild_bootstrap."
        )
    return left / eta, left


def _parse_row(text: str, names: Sequence[str]) -> tuple[FloatArray, float]:
    """Coefficients and constant of one hypothesis."""
    left, equals, right = text.partition("=")
    row, constant = _parse_side(left, names)
    if equals:
        other, other_constant = _parse_side(right, names)
        row, constant = row - other, constant - other_constant
    if not row.any():
        raise OptionError(f"the hypothesis {text!r} restricts nothing.")
    return row, -constant


def _parse_side(text: str, names: Sequence[str]) -> tuple[FloatArray, float]:
    """Split a sum at plus and minus signs that stand free, and read each piece."""
    row, constant = np.zeros(len(names)), 0.0
    position = {name: i for i, name in enumerate(names)}
    for sign, piece in _PIECE.findall(text.strip()):
        factor = -1.0 if sign.strip() == "-" else 1.0
        if _NUMBER.match(piece):
            constant += factor * _finite(piece)
            continue
        # Names of powers and interactions hold asterisks themselves.
        coefficient, star, name = ("", "", piece) if piece.strip() in position else _split_coefficient(piece)
        if star:
            if not _NUMBER.match(coefficient):
                raise OptionError(f"{coefficient.strip()!r} in {text!r} is not a number.")
            factor *= _finite(coefficient)
        name = name.strip()
        if name not in position:
            raise OptionError(f"no parameter {name!r}.{did_you_mean(name, names)} There are {listing(names)}.")
        row[position[name]] += factor
    return row, constant


def _finite(number: str) -> float:
    """A number of a hypothesis."""
    value = float(number)
    if not np.isfinite(value):
        raise OptionError(f"{shown(number)} in a hypothesis is larger than any number.")
    return value


def _split_coefficient(piece: str) -> tuple[str, str, str]:
    """Split `2 * name` at the first asterisk, so that the name may hold more of them."""
    before, star, after = piece.partition("*")
    return (before, star, after) if _NUMBER.match(before) else piece.rpartition("*")
