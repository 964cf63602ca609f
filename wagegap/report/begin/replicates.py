"""Replicate weights of a table: which columns they are, and by their ratios to the weight how they were made."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np

from wagegap._typing import FloatArray
from wagegap.report.begin.names import plain_name
from wagegap.report.begin.seen import Table

__all__ = ["Replication", "find_replicates"]

_STEM = re.compile(r"(.*?\D)_?0*(\d+)")
_FEWEST = 8
_CALLED = re.compile(r"rep|brr|w(?:eigh|g)?h?t|wgt|pwgtp|spfwt|fay|jk|jack|boot|bsw|^[brf]w$")
_TOLERANCE = 0.01
_BY_NAME = {"pwgtp": "SDR", "repwtp": "SDR", "repwt": "SDR", "repwgt": "SDR", "wgtp": "SDR"}
"""ACS and CPS."""


@dataclass(frozen=True, slots=True)
class Replication:
    """Columns of replicate weights.

    Attributes
    ----------
    stem : str
        What their names begin with, as a regular expression.
    columns : tuple of str
        Their names.
    kind : str
        How they were made; empty where that cannot be told.
    why : str
        What speaks for it.
    fay : float
        Fay's factor, where it is of this kind.
    """

    stem: str
    columns: tuple[str, ...]
    kind: str
    why: str
    fay: float = 0.0


def find_replicates(table: Table, weight: str | None) -> Replication | None:
    """Return the replicate weights of a table, None where it has none."""
    series: dict[str, dict[int, str]] = {}
    for name, column in table.columns.items():
        parted = _STEM.fullmatch(name)
        if parted and column.holds == "numbers" and name != weight:
            series.setdefault(parted[1], {})[int(parted[2])] = name
    called = {stem: names for stem, names in series.items() if _CALLED.search(plain_name(stem))}
    if not called:
        return None
    stem, names = max(called.items(), key=lambda pair: len(pair[1]))
    columns = tuple(names[number] for number in sorted(names) if number > 0)
    if len(columns) < _FEWEST or sorted(n for n in names if n) != list(range(1, len(columns) + 1)):
        return None
    kind, why, fay = _kind(table, columns, weight, plain_name(stem))
    return Replication(f"{re.escape(stem)}[0-9]+$", columns, kind, why, fay)


def _kind(table: Table, columns: tuple[str, ...], weight: str | None, stem: str) -> tuple[str, str, float]:
    """How they were made, why this is thought, and Fay's factor."""
    if weight is not None:
        base = table.columns[weight].numbers
        some = np.isfinite(base) & (base > 0)
        ratios = np.column_stack([table.columns[name].numbers[some] / base[some] for name in columns])
        seen = _by_ratios(ratios)
        if seen is not None:
            return seen
    if stem in _BY_NAME:
        return _BY_NAME[stem], f"columns of ACS and CPS are called {stem}", 0.0
    named = {"brr": "BRR", "jk1": "JK1", "jk2": "JK2", "jkn": "JKn", "boot": "bootstrap", "bsw": "bootstrap"}
    kind = next((kind for word, kind in named.items() if word in stem), "")
    return kind, f"they are called {stem}" if kind else "neither name nor values tell how they were made", 0.0


def _by_ratios(ratios: FloatArray) -> tuple[str, str, float] | None:
    """What the ratios of replicate weights to the weight are those of."""
    values, shares = _frequent(ratios)
    said = f"their ratios to the weight are {', '.join(f'{value:g}' for value in values[:4])}"
    if _are(values, (0.2929, 1.0, 1.7071)):
        return "SDR", said, 0.0
    if _are(values, (0.0, 2.0)):
        return "BRR", said, 0.0
    if _are(values, (0.0, 1.0, 2.0)) and shares[values.index(1.0)] > 0.5:
        return "JK2", said, 0.0
    if len(values) == 2 and 0 < values[0] < 1 and abs(values[0] + values[1] - 2) < _TOLERANCE:
        return "Fay", said, round(values[0], 3)
    if len(values) == 2 and values[0] == 0 and abs(values[1] - ratios.shape[1] / (ratios.shape[1] - 1)) < _TOLERANCE:
        return "JK1", said, 0.0
    if len(values) > 3 and values[:3] == [0.0, 1.0, 2.0] and 0.2 < shares[0] < 0.5:
        return "bootstrap", f"{said}, as of rows drawn again", 0.0
    return None


def _frequent(ratios: FloatArray) -> tuple[list[float], list[float]]:
    """Values that make up nearly all of the ratios, in their order, with their shares."""
    found, counts = np.unique(np.round(ratios[np.isfinite(ratios)], 2), return_counts=True)
    kept = counts > 0.002 * counts.sum()
    return found[kept].tolist(), (counts[kept] / counts.sum()).tolist()


def _are(values: list[float], expected: tuple[float, ...]) -> bool:
    return len(values) == len(expected) and bool(np.allclose(values, expected, atol=_TOLERANCE))
