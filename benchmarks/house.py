"""Has the package become slower? Public calls timed beside a yardstick, and compared with another version's.

The yardstick is a product and a QR factorisation of fixed matrices by numpy, timed before and after each call in the
same process: a ratio to it says what a call costs on this machine under this load. Best of five, processor time of the
user, one thread. Only public names are used, so that the file runs with any version of the package on the path.

    python benchmarks/house.py --save before.json                      # with the old version
    python benchmarks/house.py --save after.json --against before.json

prints seconds and ratios, then new ratio / old ratio, and marks what is above 1.15. Several rounds in turn, of which
`--save` keeps the least ratio of every call, quieten a busy machine. About a minute a round on one core.
"""

from __future__ import annotations

import os

for _threads in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[_threads] = "1"  # read by numpy when it is first imported

import argparse
import json
import resource
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import wagegap as wg

SLOWER = 1.15
LEAST = 0.2  # seconds: what is shorter is timed several times at once
Call = Callable[[], Any]


def main(arguments: Sequence[str] | None = None) -> None:
    """Time every task that is asked for, print the table, and keep or compare it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tasks", nargs="+", metavar="WORD", default=[""], help="tasks whose names begin so")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--save", type=Path, help="keep the least ratio of each task in this JSON file")
    parser.add_argument("--against", type=Path, help="compare with the ratios in this JSON file")
    chosen = parser.parse_args(arguments)
    warnings.simplefilter("ignore")
    ratios = {}
    print(f"wagegap {wg.__version__}\n{'task':<48}{'seconds':>9}{'ratio':>9}")
    for make in TASKS:
        for name, call in make().items():
            if name.startswith(tuple(chosen.tasks)):
                seconds, ratios[name] = measure(call, chosen.repeats)
                print(f"{name:<48}{seconds:>9.3f}{ratios[name]:>9.2f}", flush=True)
    if chosen.save:
        keep(ratios, chosen.save)
    if chosen.against:
        compare(ratios, json.loads(chosen.against.read_text(encoding="utf-8")))


def measure(call: Call, repeats: int) -> tuple[float, float]:
    """Seconds of a call, and their ratio to the yardstick's, each the least of some runs in turn."""
    call()  # imports, caches
    times = int(np.ceil(LEAST / max(timed(call), 1e-3)))
    ours, yardstick = [], [timed(stand, 3)]
    for _ in range(repeats):
        ours.append(timed(call, times))
        yardstick.append(timed(stand, 3))
    return min(ours), min(ours) / min(yardstick)


def timed(call: Call, times: int = 1) -> float:
    """Processor seconds of a call, without those of the system, whose price of memory varies tenfold with load."""
    start = resource.getrusage(resource.RUSAGE_SELF).ru_utime
    for _ in range(times):
        call()
    return (resource.getrusage(resource.RUSAGE_SELF).ru_utime - start) / times


_FIXED = np.random.default_rng(0).normal(size=(60_000, 24))


def stand() -> None:
    """X'X and X = QR of 60,000 x 24: some hundredths of a second."""
    _FIXED.T @ _FIXED
    np.linalg.qr(_FIXED)


def keep(ratios: dict[str, float], path: Path) -> None:
    """Write the least ratios of this round and of those before it."""
    before = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    least = before | {name: min(ratio, before.get(name, np.inf)) for name, ratio in ratios.items()}
    path.write_text(json.dumps(least, indent=1), encoding="utf-8")


def compare(ratios: dict[str, float], others: dict[str, float]) -> None:
    """Print the ratio of ratios of every task that both have."""
    print(f"\n{'task':<48}{'new / old':>18}")
    for name in [name for name in ratios if name in others]:
        relative = ratios[name] / others[name]
        print(f"{name:<48}{relative:>9.2f}{'  slower' if relative > SLOWER else ''}")


def premiums_and_rates() -> dict[str, Call]:
    """200,000 workers in 40 countries."""
    rng = np.random.default_rng(1)
    n = 200_000
    frame = pd.DataFrame(
        {
            "iso3": rng.choice([f"C{i:02}" for i in range(40)], n), "psu": rng.integers(2_000, size=n),
            "ai": rng.integers(2, size=n), "exper": rng.uniform(0, 40, n), "female": rng.integers(2, size=n),
            "educ": rng.choice(["a", "b", "c"], n), "leaves": rng.random(n) < 0.1, "switches": rng.random(n) < 0.2,
        }
    )  # fmt: skip
    frame = frame.astype({"leaves": float, "switches": float})
    frame["pay"] = np.exp(2 + 0.2 * frame["ai"] + 0.02 * frame["exper"] + rng.normal(0, 0.5, n))
    formula = "log(pay) ~ ai + exper + I(exper**2) + female | educ"
    premiums = dict(premium="ai", by="iso3")
    events = dict(events={"emigration": "leaves", "switching": "switches"}, among="ai", by="iso3")
    return {
        "premiums, HC1": lambda: wg.fit_premiums(frame, formula, cov="HC1", **premiums),
        "premiums, CR1": lambda: wg.fit_premiums(frame, formula, cov="CR1:psu", **premiums),
        "premiums, stacked": lambda: wg.fit_premiums(frame, formula, cov="CR1:psu", method="stacked", **premiums),
        "rates, HC1": lambda: wg.fit_rates(frame, cov="HC1", **events),
        "rates, CR1": lambda: wg.fit_rates(frame, cov="CR1:psu", **events),
    }


def gaps() -> dict[str, Call]:
    """Two groups, 20 regressors: 200,000 rows for means, 100,000 for distributions."""
    rng = np.random.default_rng(2)
    n = 200_000
    x = rng.normal(size=(n, 20))
    names = [f"x{i}" for i in range(20)]
    frame = pd.DataFrame(x, columns=names).assign(female=rng.integers(2, size=n))
    frame["y"] = x @ rng.normal(0, 0.1, 20) + 0.1 * frame["female"] + rng.normal(size=n)
    long, short = f"y ~ {' + '.join(names)}", "y ~ x0 + x1 + x2 + x3 + x4"
    half = frame.head(100_000)
    call = dict(group="female", groups=(0, 1))
    deciles = tuple(i / 10 for i in range(1, 10))
    return {
        "oaxaca, 200,000 x 20": lambda: wg.oaxaca(frame, long, cov="HC1", **call),
        "oaxaca, pooled": lambda: wg.oaxaca(frame, long, cov="HC1", reference="pooled", **call),
        "rif_oaxaca, nine deciles": lambda: wg.rif_oaxaca(half, short, probs=deciles, cov="HC1", **call),
        "dfl, 100,000": lambda: wg.dfl(half, short, cov="HC1", **call),
    }


def exits() -> dict[str, Call]:
    """50,000 workers who stay, leave the country, or leave the field."""
    rng = np.random.default_rng(3)
    n = 50_000
    frame = pd.DataFrame(rng.normal(size=(n, 4)), columns=list("abcd"))
    utility = np.column_stack([np.full(n, 1.5), 0.3 * frame["a"], 0.3 * frame["b"]]) + rng.gumbel(size=(n, 3))
    frame["abroad_next"], frame["field_next"] = (utility.argmax(axis=1) == way for way in (1, 2))
    frame = frame.astype(float)
    call = dict(exit={"abroad": "abroad_next", "field": "field_next"}, model="multinomial", cov="HC1")
    return {
        "exits, multinomial": lambda: wg.fit_exits(frame, "~ a + b + c + d", **call),
        "exits, without margins": lambda: wg.fit_exits(frame, "~ a + b + c + d", margins=False, **call),
    }


def choices() -> dict[str, Call]:
    """5,000 choosers, 6 alternatives, 3 attributes."""
    rng = np.random.default_rng(4)
    n, m = 5_000, 6
    x = rng.normal(size=(n * m, 3))
    utility = (x @ [1.0, -0.5, 0.3]).reshape(n, m) + rng.gumbel(size=(n, m))
    frame = pd.DataFrame(x, columns=list("abc"))
    frame = frame.assign(who=np.repeat(np.arange(n), m), place=np.tile(list("uvwxyz"), n))
    frame["took"] = (utility == utility.max(axis=1, keepdims=True)).ravel().astype(int)
    call = dict(chooser="who", alternative="place", chosen="took")
    return {"choice, 5,000 x 6": lambda: wg.fit_choice(frame, "a + b + c", **call)}


def flows() -> dict[str, Call]:
    """Flows between 245 places, about 60,000, with effects of origin and destination."""
    rng = np.random.default_rng(5)
    places = 245
    o, d = (axis.ravel() for axis in np.indices((places, places)))
    frame = pd.DataFrame({"o": o, "d": d, "dist": rng.uniform(100, 10_000, places**2)}).query("o != d")
    size = rng.normal(size=places)
    mean = np.exp(3 + size[frame["o"]] + size[frame["d"]] - 0.8 * np.log(frame["dist"] / 1_000))
    frame["flow"] = rng.poisson(mean).astype(float)
    return {"flows, 60,000, two effects": lambda: wg.fit_flows(frame, "flow ~ log(dist) | o + d", cov="CR1:o")}


def links() -> dict[str, Call]:
    """40 countries, whose premiums and rates are published with errors."""
    rng = np.random.default_rng(6)
    n = 40
    names = [f"C{i:02}" for i in range(n)]
    premium = rng.normal(0.2, 0.1, n)

    def published(term: str, values: np.ndarray, unit: str) -> Any:
        frame = pd.DataFrame({"iso3": names, "b": values + rng.normal(0, 0.02, n), "se": 0.02, "term": term})
        return wg.Estimates.from_table(frame, estimate="b", std_error="se", term="term", unit=unit)

    premiums = published("premium", premium, "log")
    second = published("premium", premium, "log")
    rates = published("emigration", 0.3 - 0.3 * premium + rng.normal(0, 0.02, n), "share")
    data = pd.DataFrame({"iso3": names, "gdp": rng.normal(size=n), "age": rng.normal(size=n)})
    curve = dict(data=data, controls=["gdp", "age"], methods=["ols", "eiv"], reps=199)
    return {
        "link, ml": lambda: wg.fit_link("emigration ~ premium", rates, premiums, method="ml"),
        "link, corrected moments": lambda: wg.fit_link("emigration ~ premium + gdp", rates, premiums, data=data),
        "specification_curve": lambda: wg.specification_curve(
            "emigration", rates, {"one": premiums, "two": second}, **curve
        ),
    }


def wild() -> dict[str, Call]:
    """20,000 rows in 20 clusters, 9,999 draws."""
    rng = np.random.default_rng(7)
    frame = pd.DataFrame(rng.normal(size=(20_000, 4)), columns=list("yabc")).assign(g=rng.integers(20, size=20_000))
    return {"wild_bootstrap, 9,999": lambda: wg.wild_bootstrap(frame, "y ~ a + b + c", "a", cluster="g", reps=9_999)}


def selection() -> dict[str, Call]:
    """20,000 workers, of whom two thirds stay and are paid."""
    rng = np.random.default_rng(8)
    u, e, z, x, w = rng.normal(size=(5, 20_000))
    pay = np.where(z + x + u > -0.7, 1 + 0.5 * x + 0.1 * w + 0.8 * u + 0.3 * e, np.nan)
    frame = pd.DataFrame({"pay": pay, "x": x, "w": w, "z": z})
    call = dict(formula="pay ~ x + w", selection="~ x + w + z")
    return {
        "selection, two steps": lambda: wg.fit_selection(frame, **call),
        "selection, ml": lambda: wg.fit_selection(frame, method="ml", **call),
    }


TASKS = (premiums_and_rates, gaps, exits, choices, flows, links, wild, selection)

if __name__ == "__main__":
    main()
