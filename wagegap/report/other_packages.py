"""Results of statsmodels, linearmodels and pyfixest as a table reads them, by what they offer; none is imported.

Each says its coefficients under names of its own: `params` with `bse` in statsmodels, with `std_errors` in
linearmodels; `tidy()` with "Estimate" in pyfixest. What is read is put under the names of this package's own frames.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

__all__ = ["OtherResult", "read_other"]

_OF_PYFIXEST = {
    "Estimate": "estimate", "Std. Error": "std_error", "t value": "statistic", "Pr(>|t|)": "p_value",
    "2.5%": "conf_low", "97.5%": "conf_high",
}  # fmt: skip
_STATISTICS: Mapping[str, tuple[str, ...]] = {
    "nobs": ("nobs", "_N"),
    "r2": ("rsquared", "_r2"),
    "r2_adjusted": ("rsquared_adj", "_adj_r2"),
    "r2_within": ("rsquared_within", "_r2_within"),
}
"""Statistics of a fit, and the attributes that hold them."""


@dataclass(frozen=True, slots=True, eq=False)
class OtherResult:
    """A result of another package, read once.

    Attributes
    ----------
    frame : DataFrame
        term, estimate, std_error and, where they are given, statistic, p_value, conf_low, conf_high.
    statistics : dict
        Observations and shares explained, by name.
    """

    frame: pd.DataFrame
    statistics: dict[str, Any]


def read_other(result: Any) -> OtherResult | None:
    """Read a result of another package; None where it offers nothing that is known.

    >>> import statsmodels.api as sm
    >>> fit = sm.OLS([1.0, 2.0, 4.0], sm.add_constant(pd.Series([0.0, 1.0, 2.0], name="x"))).fit()
    >>> read_other(fit).frame[["term", "estimate"]].round(3).values.tolist()
    [['const', 0.833], ['x', 1.5]]
    """
    frame = _of_pyfixest(result) if callable(getattr(result, "tidy", None)) else _of_params(result)
    return None if frame is None else OtherResult(frame, _statistics(result))


def _of_pyfixest(result: Any) -> pd.DataFrame | None:
    """The tidy frame of pyfixest, terms in its index."""
    frame = result.tidy()
    if not isinstance(frame, pd.DataFrame) or not {"Estimate", "Std. Error"} <= set(frame.columns):
        return None
    named = frame.rename(columns=_OF_PYFIXEST)
    terms = [str(term) for term in frame.index]
    return named[[name for name in _OF_PYFIXEST.values() if name in named]].assign(term=terms).pipe(_term_first)


def _of_params(result: Any) -> pd.DataFrame | None:
    """Coefficients of statsmodels and linearmodels, series or arrays."""
    params = getattr(result, "params", None)
    errors = getattr(result, "bse", getattr(result, "std_errors", None))
    if params is None or errors is None or np.ndim(params) != 1:
        return None
    names = params.index if isinstance(params, pd.Series) else getattr(result.model, "exog_names", range(len(params)))
    columns = {"estimate": params, "std_error": errors}
    for name, attributes in {"statistic": ("tvalues", "tstats"), "p_value": ("pvalues",)}.items():
        value = next((getattr(result, one) for one in attributes if getattr(result, one, None) is not None), None)
        columns |= {} if value is None else {name: value}
    if callable(getattr(result, "conf_int", None)):
        interval = np.asarray(result.conf_int(), dtype=float)
        columns |= {"conf_low": interval[:, 0], "conf_high": interval[:, 1]}
    values = {name: np.asarray(column, dtype=float) for name, column in columns.items()}
    return pd.DataFrame(values).assign(term=[str(name) for name in names]).pipe(_term_first)


def _term_first(frame: pd.DataFrame) -> pd.DataFrame:
    return frame[["term", *(name for name in frame.columns if name != "term")]].reset_index(drop=True)


def _statistics(result: Any) -> dict[str, Any]:
    """Numbers about the whole, where the fit has them; one that it cannot give is none."""
    found: dict[str, Any] = {}
    for name, attributes in _STATISTICS.items():
        for attribute in attributes:
            value = _number(result, attribute)
            if value is not None and name not in found:
                found[name] = int(value) if name == "nobs" and value.is_integer() else value
    return found


def _number(result: Any, attribute: str) -> float | None:
    try:
        value = float(getattr(result, attribute))
    except (AttributeError, TypeError, ValueError, NotImplementedError):
        return None
    return value if np.isfinite(value) else None
