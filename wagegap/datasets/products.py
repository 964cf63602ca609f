"""Cross-products in one small file: packed triangles of symmetric matrices, exact to the last bit."""

from __future__ import annotations

import io
import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from wagegap._typing import FloatArray
from wagegap.estimation.cross_products import CellProducts, CrossProducts

__all__ = ["pack", "unpack"]


def pack(products: CrossProducts, path: str | os.PathLike[str]) -> None:
    """Write cross-products."""
    names = list(dict.fromkeys(name for cell in products.cells for name in cell.names))
    about = {
        "formula": products.formula, "source": products.source, "comparison": products.comparison,
        "notes": list(products.notes), "names": names, "keys": products.keys.to_dict("list"),
        "columns": [[names.index(name) for name in cell.names] for cell in products.cells],
        "nobs": [cell.nobs for cell in products.cells],
    }  # fmt: skip
    numbers = np.concatenate(
        [part for c in products.cells for part in (_triangle(c.xtx), _triangle(c.meat), c.xty, [c.yty])]
    )
    with Path(path).open("wb") as file:
        np.savez_compressed(file, about=np.array(json.dumps(about)), numbers=numbers)


def unpack(content: bytes) -> CrossProducts:
    """Read cross-products."""
    with np.load(io.BytesIO(content), allow_pickle=False) as stored:
        about: dict[str, Any] = json.loads(str(stored["about"]))
        numbers = np.asarray(stored["numbers"], dtype=float)
    cells, start = [], 0
    for columns, nobs in zip(about["columns"], about["nobs"], strict=True):
        k = len(columns)
        half = k * (k + 1) // 2
        xtx, meat, xty, yty = np.split(numbers[start : start + 2 * half + k + 1], [half, 2 * half, 2 * half + k])
        names = tuple(about["names"][j] for j in columns)
        cells.append(CellProducts(names, _square(xtx, k), xty, float(yty[0]), int(nobs), _square(meat, k)))
        start += 2 * half + k + 1
    return CrossProducts(
        about["formula"], about["source"], pd.DataFrame(about["keys"]), tuple(cells), about["comparison"],
        tuple(about["notes"]),
    )  # fmt: skip


def _triangle(matrix: FloatArray) -> FloatArray:
    return np.asarray(matrix[np.triu_indices(len(matrix))])


def _square(values: FloatArray, k: int) -> FloatArray:
    out = np.zeros((k, k))
    out[np.triu_indices(k)] = values
    return out + np.triu(out, 1).T
