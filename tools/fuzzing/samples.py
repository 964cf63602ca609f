"""Small tables, a fresh copy each time: workers, spells, choosers, flows, panels of places, and keys by country.

Everything is drawn with a seed of its own, so that a case is the same in every process.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, wraps

import numpy as np
import pandas as pd

__all__ = [
    "choosers",
    "country_table",
    "exit_rows",
    "firms",
    "migrants",
    "moves",
    "occupations",
    "pairs",
    "places",
    "workers",
]

COUNTRIES = ("AUS", "CAN", "DEU", "FRA", "GBR", "ITA", "JPN", "KOR", "NLD", "SWE", "TUR", "USA")


def _fresh(make: Callable[[], pd.DataFrame]) -> Callable[[], pd.DataFrame]:
    """Make a table once, and copy it for each who asks."""
    kept = cache(make)

    @wraps(make)
    def copied() -> pd.DataFrame:
        return kept().copy()

    return copied


@_fresh
def workers() -> pd.DataFrame:
    """Two hundred and forty workers of three countries and two years; some are not paid, leave, or change field."""
    rng = np.random.default_rng(0)
    n = 240
    fields = np.array(["art", "law", "med"], dtype=object)
    ai, exper = rng.integers(2, size=n), rng.integers(1, 30, size=n) * 1.0
    z, error = rng.normal(size=n), rng.normal(size=n)
    field = fields[rng.integers(3, size=n)]
    frame = pd.DataFrame(
        {
            "pid": np.arange(n),
            "iso3": np.array(["FRA", "KOR", "USA"], dtype=object)[np.arange(n) % 3],
            "year": 2020 + np.arange(n) // 3 % 2,
            "ai": ai,
            "female": rng.integers(2, size=n),
            "exper": exper,
            "educ": np.array(["low", "mid", "high"], dtype=object)[rng.integers(3, size=n)],
            "field": field,
            "next_field": np.where(rng.random(n) < 0.7, field, fields[rng.integers(3, size=n)]),
            "psu": rng.integers(24, size=n),
            "strat": np.arange(n) % 2,
            "w": rng.random(n) + 0.5,
            "z": z,
            "leaves": (rng.random(n) < 0.3) * 1.0,
            "abroad": (rng.random(n) < 0.2) * 1,
            "lat": rng.random(n) * 50,
            "lon": rng.random(n) * 50,
        }
    )
    frame["psu"] = frame["psu"] * 2 + frame["strat"]
    frame["pay"] = np.exp(2 + 0.2 * ai + 0.01 * exper - 0.1 * frame["female"] + 0.4 * error)
    frame["works"] = (z + error + rng.normal(size=n) > -0.7).astype(int)
    frame["paid"] = frame["pay"].where(frame["works"] == 1)
    weights = {f"r{k}": frame["w"] * (1 + 0.3 * rng.normal(size=n).clip(-2, 2)) for k in range(1, 9)}
    return frame.assign(**weights)


@_fresh
def exit_rows() -> pd.DataFrame:
    """Ninety workers over three periods: who stays, leaves the field, leaves the country."""
    rng = np.random.default_rng(1)
    frame = pd.MultiIndex.from_product([range(90), [1, 2, 3]], names=["pid", "t"]).to_frame(index=False)
    n = len(frame)
    frame = frame.assign(
        iso3=np.repeat(np.array(["FRA", "KOR", "USA"], dtype=object), 90),
        skill=np.repeat(rng.integers(2, size=90), 3),
        pay=rng.normal(2, 0.5, n),
        w=np.repeat(rng.random(90) + 0.5, 3),
    )
    utility = np.c_[np.full(n, 1.2), 0.3 * frame["skill"], 0.2 * frame["pay"]] + rng.gumbel(size=(n, 3))
    frame["how"] = np.array(["stay", "abroad", "field"], dtype=object)[utility.argmax(1)]
    gone = (frame["how"] != "stay").groupby(frame["pid"]).cumsum() - (frame["how"] != "stay")
    frame = frame[gone == 0].reset_index(drop=True)
    return frame.assign(gone=(frame["how"] != "stay").astype(int))


@_fresh
def choosers() -> pd.DataFrame:
    """Eighty choosers of four places."""
    rng = np.random.default_rng(2)
    frame = pd.MultiIndex.from_product([range(80), ["us", "ca", "kr", "de"]], names=["who", "place"])
    frame = frame.to_frame(index=False).assign(pay=rng.normal(size=320), cost=rng.random(320))
    frame["w"] = np.repeat(rng.random(80) + 0.5, 4)
    utility = frame["pay"] - frame["cost"] + rng.gumbel(size=320)
    return frame.assign(took=(utility == utility.groupby(frame["who"]).transform("max")).astype(int))


@_fresh
def pairs() -> pd.DataFrame:
    """Moves between eight countries in two years."""
    rng = np.random.default_rng(3)
    grid = pd.MultiIndex.from_product([COUNTRIES[:8], COUNTRIES[:8], [2018, 2019]])
    frame = grid.to_frame(index=False).set_axis(["origin", "destination", "year"], axis=1)
    frame = frame[frame["origin"] != frame["destination"]].reset_index(drop=True)
    n = len(frame)
    frame = frame.assign(dist=rng.random(n) * 9 + 1, contig=rng.integers(2, size=n), stock=1000.0)
    return frame.assign(moves=rng.poisson(40 / frame["dist"]), leaving=rng.beta(2, 8, size=n))


@_fresh
def moves() -> pd.DataFrame:
    """Moves between six countries, none of them zero, without a year."""
    rng = np.random.default_rng(8)
    grid = pd.MultiIndex.from_product([COUNTRIES[:6], COUNTRIES[:6]], names=["origin", "destination"])
    frame = grid.to_frame(index=False).query("origin != destination").reset_index(drop=True)
    return frame.assign(moves=rng.poisson(20, len(frame)) + 1)


@_fresh
def occupations() -> pd.DataFrame:
    """Moves between eight occupations, stayers among them."""
    rng = np.random.default_rng(4)
    frame = pd.MultiIndex.from_product([range(8), range(8)], names=["left", "entered"]).to_frame(index=False)
    frame = frame.assign(dist=rng.random(64))
    moved = rng.poisson(30 * np.exp(-frame["dist"]))
    return frame.assign(moved=np.where(frame["left"] == frame["entered"], 2000.0, moved))


@_fresh
def places() -> pd.DataFrame:
    """Twelve units over fourteen periods, with a common factor and an instrument."""
    rng = np.random.default_rng(5)
    frame = pd.MultiIndex.from_product([range(12), range(2000, 2014)], names=["unit", "year"]).to_frame(index=False)
    n = len(frame)
    common = rng.normal(size=14).cumsum()[frame["year"] - 2000] * rng.normal(size=12)[frame["unit"]]
    frame = frame.assign(offer=rng.normal(size=n), w=rng.random(n) + 0.5, region=frame["unit"] % 4)
    frame["x"] = frame["offer"] + rng.normal(size=n) + common
    return frame.assign(y=0.5 * frame["x"] + common + rng.normal(size=n))


@_fresh
def firms() -> pd.DataFrame:
    """A hundred and twenty workers of fifteen firms."""
    rng = np.random.default_rng(6)
    frame = pd.DataFrame({"firm": np.arange(120) % 15, "x": rng.normal(size=120), "z": rng.normal(size=120)})
    return frame.assign(w=rng.random(120) + 0.5, y=frame["x"] + rng.normal(size=15)[frame["firm"]])


@_fresh
def migrants() -> pd.DataFrame:
    """Skilled and unskilled migrants between eight origins and six destinations."""
    from wagegap.regression.gravity.grogger_hanson import simulate_migrants

    return simulate_migrants(origins=8, destinations=6, rng=1)


@_fresh
def country_table() -> pd.DataFrame:
    """Twelve countries: a premium and a rate with their errors, controls, a cluster."""
    rng = np.random.default_rng(7)
    n = len(COUNTRIES)
    premium = rng.normal(0.15, 0.08, n)
    return pd.DataFrame(
        {
            "iso3": np.array(COUNTRIES, dtype=object),
            "b": premium,
            "se": np.full(n, 0.02),
            "rate": 0.2 - 0.5 * premium + rng.normal(0, 0.01, n),
            "rate_se": np.full(n, 0.01),
            "gdp": np.exp(rng.normal(10, 0.3, n)),
            "old": rng.random(n) * 20 + 5,
            "inst": premium + rng.normal(0, 0.03, n),
            "region": np.array(["east", "west", "south"], dtype=object)[np.arange(n) % 3],
            "abroad": rng.integers(50, 200, n) * 1.0,
            "domestic": rng.integers(500, 900, n) * 1.0,
            "part_se": 5.0,
        }
    )
