"""Regressions from sufficient statistics: cross-products by cell instead of rows.

Least squares needs of the rows no more than X'X, X'y and y'y; robust standard errors need the sum of squared scores
besides. Kept by cell, they give coefficients and standard errors equal to those of the row fit, and hold no person's
row.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import linalg

from wagegap._display.session import Shown
from wagegap._typing import FloatArray
from wagegap.errors import DataError, IdentificationError, did_you_mean

__all__ = ["CellProducts", "CrossProducts", "solve_products"]


@dataclass(frozen=True, slots=True, eq=False)
class CellProducts(Shown):
    """Cross-products of one cell, over the columns that have values there.

    Attributes
    ----------
    names : tuple of str
        Columns of the regression, linearly independent.
    xtx : ndarray, shape (k, k)
        X'X.
    xty : ndarray, shape (k,)
        X'y.
    yty : float
        y'y.
    nobs : int
        Rows.
    meat : ndarray, shape (k, k)
        Sum of squared scores, sum e^2 x x', at the least squares fit.
    """

    names: tuple[str, ...]
    xtx: FloatArray
    xty: FloatArray
    yty: float
    nobs: int
    meat: FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class CrossProducts(Shown):
    """Cross-products of a regression by cell: what `fit_premiums` takes in place of workers.

    Attributes
    ----------
    formula : str
        The regression in words.
    source : str
        Where the rows came from.
    keys : DataFrame
        Cell keys, a row for each cell.
    cells : tuple of CellProducts
        The products, in the order of the keys.
    comparison : str
        Who the premium compares with.
    notes : tuple of str
        What a reader should know of the data.
    """

    formula: str
    source: str
    keys: pd.DataFrame
    cells: tuple[CellProducts, ...]
    comparison: str = ""
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if len(self.keys) != len(self.cells):
            raise DataError(f"{len(self.keys)} keys for {len(self.cells)} cells of cross-products.")

    def __repr__(self) -> str:
        rows = sum(cell.nobs for cell in self.cells)
        return f"<CrossProducts: {self.source}, {len(self.cells)} cells, {rows:,} rows behind them, {self.formula}>"


def solve_products(cell: CellProducts, premium: str, where: str) -> tuple[float, float, float, float]:
    """Return coefficient, HC0 variance, residual variance and count of holders of a 0/1 premium.

    Raises
    ------
    IdentificationError
        When the column is absent in the cell.
    """
    if premium not in cell.names:
        raise IdentificationError(f"no {premium!r} among the columns of {where}.{did_you_mean(premium, cell.names)}")
    scale = np.sqrt(np.diag(cell.xtx))
    factor = linalg.cho_factor(cell.xtx / np.outer(scale, scale))
    coef = linalg.cho_solve(factor, cell.xty / scale) / scale
    j = cell.names.index(premium)
    unit = np.zeros(len(scale))
    unit[j] = 1.0
    row = linalg.cho_solve(factor, unit / scale) / scale
    squares = cell.yty - coef @ cell.xty
    free = cell.nobs - len(scale)
    return float(coef[j]), float(row @ cell.meat @ row), float(squares / free), float(cell.xtx[j, j])
