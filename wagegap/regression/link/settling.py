"""A result of which some coefficients may not be settled: these are NaN in every number that it gives, intervals apart.

One place says what "not settled" does to coefficients, errors and frames; links and systems of links say which of their
terms it is true of, and what their intervals are.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from wagegap._typing import Alpha, BoolArray
from wagegap.estimation.result import Result

__all__ = ["SettlingResult"]


@dataclass(frozen=True, eq=False, repr=False)
class SettlingResult(Result):
    """Numbers that are NaN where they are not settled.

    Attributes
    ----------
    estimates : Estimates
        Coefficients, settled or not.
    """

    @property
    def settled_terms(self) -> BoolArray:
        """Whether each coefficient is settled."""
        return np.ones(len(self.estimates.values), dtype=bool)

    @property
    def params(self) -> pd.Series[float]:
        """Coefficients by term; NaN where they are not settled."""
        return super().params.where(self.settled_terms)

    @property
    def bse(self) -> pd.Series[float]:
        """Standard errors by term; NaN where the coefficients are not settled."""
        return super().bse.where(self.settled_terms)

    @property
    def tvalues(self) -> pd.Series[float]:
        """Coefficients over their errors; NaN where they are not settled."""
        return super().tvalues.where(self.settled_terms)

    @property
    def pvalues(self) -> pd.Series[float]:
        """Two-sided p-values; NaN where the coefficients are not settled."""
        return super().pvalues.where(self.settled_terms)

    def cov_params(self) -> pd.DataFrame:
        """Return the joint covariance with names; NaN beside a coefficient that is not settled."""
        both = self.settled_terms[:, None] & self.settled_terms
        return super().cov_params().where(both)

    def tidy(self, alpha: Alpha = 0.05) -> pd.DataFrame:
        """Return one row for each coefficient, its numbers NaN where it is not settled, its interval as it is given."""
        numbers = {"estimate": self.params, "std_error": self.bse, "statistic": self.tvalues, "p_value": self.pvalues}
        frame = super().tidy(alpha).assign(**{name: values.to_numpy() for name, values in numbers.items()})
        frame[["conf_low", "conf_high"]] = self.conf_int(alpha)[["conf_low", "conf_high"]].to_numpy()
        return frame
