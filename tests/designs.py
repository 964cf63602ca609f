"""Samples made by a formula: the same numbers on every machine, so that other software's values for them can be kept.

Coordinates are fractional parts of multiples of square roots of primes, which fill (0, 1) evenly; normal ones are
their normal quantiles.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy.special import expit, ndtri

PRIMES = (2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53)


def even(n: int, j: int) -> np.ndarray:
    """Evenly spread numbers in (0, 1), the j-th coordinate."""
    return np.modf(np.arange(1, n + 1) * np.sqrt(PRIMES[j]))[0]


def normal(n: int, j: int) -> np.ndarray:
    return ndtri(even(n, j))


def workers(n: int = 1200) -> pd.DataFrame:
    """Women and men with schooling, experience, tenure and an occupation; some have no pay."""
    female = (even(n, 0) < 0.48).astype(int)
    educ = 9 + np.floor(9 * even(n, 1)) - 0.5 * female
    exper = np.round(35 * even(n, 2) ** 1.3, 1)
    tenure = np.round(exper * 0.7 * even(n, 3), 2)
    isco = 1 + np.floor(9 * even(n, 4)).astype(int)
    age = np.round(educ + exper + 6)
    kids6, kids714 = (even(n, 5) < 0.25).astype(int), (even(n, 6) < 0.3).astype(int)
    status = np.floor(3 * even(n, 7)).astype(int)
    taste = normal(n, 8)
    works = 1.6 - 0.02 * age - 0.9 * female * kids6 - 0.4 * female * kids714 - 0.3 * female * (status == 1) + taste > 0
    noise = 0.3 * taste + 0.9 * normal(n, 9)
    pay = 1.9 + 0.08 * educ + 0.012 * exper + 0.01 * tenure - 0.05 * isco - 0.15 * female + 0.005 * female * educ
    return pd.DataFrame(
        {
            "female": female, "educ": educ, "exper": exper, "tenure": tenure, "isco": isco, "age": age,
            "agesq": age**2, "kids6": kids6, "kids714": kids714, "married": (status == 1).astype(int),
            "divorced": (status == 2).astype(int), "lfp": works.astype(int), "wt": 0.5 + 2 * even(n, 10),
            "lnwage": np.where(works, pay + 0.35 * (1 + 0.02 * exper) * noise, np.nan),
        }
    )  # fmt: skip


def households(n: int = 900) -> pd.DataFrame:
    """Two groups, a binary outcome and characteristics in blocks of dummies."""
    black = (even(n, 0) < 0.3).astype(int)
    school, status = even(n, 1) + 0.1 * black, even(n, 2) - 0.15 * black
    rows = pd.DataFrame(
        {
            "black": black, "female": (even(n, 3) < 0.5 + 0.1 * black).astype(int),
            "age": 20 + np.floor(45 * even(n, 4)), "hsgrad": ((school > 0.2) & (school <= 0.55)) * 1,
            "somecol": ((school > 0.55) & (school <= 0.8)) * 1, "college": (school < 0.2) * 1,
            "married": (status > 0.45) * 1, "prevmar": ((status > 0.25) & (status <= 0.45)) * 1,
        }
    )  # fmt: skip
    index = -0.6 - 0.7 * black + 0.2 * rows["female"] - 0.01 * rows["age"] + 0.4 * rows["hsgrad"]
    index = index + 0.9 * rows["somecol"] + 1.5 * rows["college"] + 0.5 * rows["married"] + 0.2 * rows["prevmar"]
    return rows.assign(homecomp=(even(n, 5) < expit(index)) * 1)


def trade(places: int = 16, years: int = 4) -> pd.DataFrame:
    """Flows between all pairs of places over years, with and without an agreement; a tenth of them zero."""
    grid = pd.MultiIndex.from_product([range(places), range(places), range(years)], names=["i", "j", "t"])
    rows = grid.to_frame(index=False).query("i != j").reset_index(drop=True)
    n = len(rows)
    east, north = 10 * even(places, 0), 10 * even(places, 1)
    i, j, t = (rows[name].to_numpy() for name in "ijt")
    distance = 0.3 + np.hypot(east[i] - east[j], north[i] - north[j])
    low, high = np.minimum(i, j), np.maximum(i, j)
    starts = np.floor(7 * even(places**2, 2))[low * places + high]
    size = normal(places, 3)
    mean = np.exp(2 + size[i] + 0.8 * size[j] + 0.1 * t - 0.7 * np.log(distance) + 0.25 * (t >= starts))
    flow = np.round(mean * np.exp(0.8 * normal(n, 4)), 3) * (even(n, 5) > 0.1)
    return pd.DataFrame(
        {
            "isoexp": [f"P{k:02d}" for k in i], "isoimp": [f"P{k:02d}" for k in j], "year": 2000 + 4 * t, "trade": flow,
            "ln_distw": np.log(distance), "contig": (distance < 2.5) * 1, "fta": (t >= starts) * 1,
            "comlang_off": (even(places**2, 6)[low * places + high] < 0.2) * 1,
        }
    )  # fmt: skip


def schools(strata: int = 3, districts: int = 15) -> pd.DataFrame:
    """Schools drawn by type, or in districts, with weights and the numbers in the population they were drawn from."""
    n = 180
    kind = np.floor(strata * even(n, 0)).astype(int)
    ell, meals, mobility = (np.round(k * even(n, j) ** p, 1) for k, j, p in ((60, 1, 2), (90, 2, 1), (30, 3, 1.5)))
    score = 850 - 2 * ell - 1.5 * meals - mobility + 20 * kind + 45 * normal(n, 4)
    drawn = np.bincount(kind)
    return pd.DataFrame(
        {
            "api00": np.round(score), "ell": ell, "meals": meals, "mobility": mobility,
            "stype": np.array(["E", "H", "M"])[kind], "dnum": np.floor(districts * even(n, 5) ** 1.2).astype(int),
            "pw": np.array([4400, 750, 1000])[kind] / drawn[kind], "fpc": np.array([4400, 750, 1000])[kind],
        }
    )  # fmt: skip


def sparse_flows(number: int) -> pd.DataFrame:
    """Small tables with many zeros: columns x1, x2, ... and id1, id2, ...; some point one way wherever y is zero."""
    n, effects, regressors = 12 + 4 * number, number % 4, 1 + number % 3
    y = np.maximum(0, np.floor(7 * even(n, 0)) - 3)
    rows = {"y": y}
    for j in range(1, regressors + 1):
        rows[f"x{j}"] = np.floor(4 * even(n, j)) - 1
    if number % 2:  # not negative where y is zero, and zero elsewhere
        rows[f"x{regressors + 1}"] = (y == 0) * np.floor(2.5 * even(n, 8))
    if number % 5 == 0:  # so only once the first column is taken from it
        rows[f"x{regressors + 2}"] = rows["x1"] - (y == 0) * np.floor(1.5 * even(n, 9))
    for j in range(1, effects + 1):
        rows[f"id{j}"] = np.floor((3 + number / 2) * even(n, 4 + j)).astype(int)
    return pd.DataFrame(rows)
