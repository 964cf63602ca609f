"""Model studies that are shipped, and the data that belong to them: typed from their source, or simulated when copied.

Simulated data are made anew from a fixed seed, so that no rows need to be shipped, and the same file comes every time.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib.resources import files
from types import MappingProxyType

import numpy as np
import pandas as pd

from wagegap._typing import FloatArray, IntArray
from wagegap.panel.countries import country_name
from wagegap.panel.simulate import simulate_panel

__all__ = ["example_files"]

_SEED = 15
_COUNTRIES = ("KOR", "USA", "JPN", "DEU", "GBR", "FRA", "CAN", "AUS", "NLD", "SWE", "ITA", "ESP")
"""In place of those that the simulation draws."""
_REPLICATES, _FAY = 40, 0.5


def example_files(name: str) -> dict[str, bytes]:
    """Return a model study and its data, by the names of their files.

    >>> list(example_files("published_figures")), list(example_files("ai_talent"))
    (['published_figures.toml', 'published_figures.csv'], ['ai_talent.toml'])
    """
    shipped = files("wagegap.report").joinpath("studies")
    contents = {f"{name}.toml": shipped.joinpath(f"{name}.toml").read_bytes()}
    if name in _SIMULATED:
        text = _SIMULATED[name]().to_csv(index=False, lineterminator="\n")
        contents[f"{name}.csv"] = text.encode()
    elif shipped.joinpath(f"{name}.csv").is_file():
        contents[f"{name}.csv"] = shipped.joinpath(f"{name}.csv").read_bytes()
    return contents


def _worker_panel() -> pd.DataFrame:
    """Workers of twelve countries in two years, as a survey would write them: names of countries, yes and no."""
    made = simulate_panel(
        countries=12, workers=350, periods=2, premium_sd=0.1, link_slope=-0.4, wage_sd=0.35, worker_sd=0.2,
        share_treated=0.4, rng=_SEED,
    ).panel.frame  # fmt: skip
    countries = dict(zip(made["iso3"].unique(), map(country_name, _COUNTRIES), strict=False))
    yes_no = {0: "no", 1: "yes"}
    return pd.DataFrame(
        {
            "person": made["pid"], "country": made["iso3"].map(countries), "year": made["year"],
            "hourly_pay": made["hourly_wage"].round(2), "ai": made["ai"].map(yes_no),
            "experience": made["exper"].astype(int), "female": made["female"].map(yes_no), "education": made["educ"],
            "field": made["field"],
        }
    )  # fmt: skip


def _replicate_weights() -> pd.DataFrame:
    """A survey of six countries with a weight and Fay's replicates of it: of each pair of units one counts for more."""
    rng = np.random.default_rng(_SEED)
    made = simulate_panel(
        countries=6, workers=900, periods=1, premium_sd=0.12, wage_sd=0.4, design="stratified", rng=_SEED
    ).panel.frame
    n, countries = len(made), dict(zip(made["iso3"].unique(), _COUNTRIES, strict=False))
    employed = rng.random(n) < 0.9
    unit = np.asarray(made.groupby(["iso3", "stratum", "psu"]).ngroup(), dtype=np.intp)
    table = pd.DataFrame(
        {
            "cntry": made["iso3"].map(countries), "pay_hour": made["hourly_wage"].round(2).where(employed),
            "stem": made["ai"],
            "age": (made["exper"] + 22).astype(int), "female": made["female"], "employed": employed.astype(int),
            "outside_field": made["new_field_next"].where(employed), "weight": made["weight"].round(4),
        }
    )  # fmt: skip
    weights = _halves(unit // 2, unit % 2, rng) * table["weight"].to_numpy()[:, None]
    names = [f"repwgt{i}" for i in range(1, _REPLICATES + 1)]
    return pd.concat([table, pd.DataFrame(weights.round(4), columns=names, index=table.index)], axis=1)


def _halves(pair: IntArray, side: IntArray, rng: np.random.Generator) -> FloatArray:
    """Factors of Fay's replicates, shape (n, replicates): 2 - k for one unit of each pair, k for the other."""
    chosen = rng.integers(0, 2, size=(pair.max() + 1, _REPLICATES))
    return np.where(chosen[pair] == side[:, None], 2.0 - _FAY, _FAY)


_SIMULATED: Mapping[str, Callable[[], pd.DataFrame]] = MappingProxyType(
    {"worker_panel": _worker_panel, "replicate_weights": _replicate_weights}
)
