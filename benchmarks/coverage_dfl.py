"""Do the intervals of the reweighting decomposition hold the truth? A Monte Carlo with a known counterfactual.

Two groups of workers. In group A experience x ~ N(.5, 1) and 60 % hold the skill z, in group B x ~ N(0, 1) and 35 %.
The log odds of belonging to a group are then linear in x and z, so that the logit is right. Pay is

    y = 2.0 + .35 x + .5 z + .6 e  in A,    y = 1.8 + .25 x + .3 z + .4 e  in B,    e ~ N(0, 1),

a mixture of two normal distributions for any composition, of which every statistic is known. Composition is brought in
as x, then z. Half of the cells carry sampling weights that vary by chance.

Run `python benchmarks/coverage_dfl.py --draws 1000 --csv FILE --markdown FILE`: about ten minutes on one core.
"""

from __future__ import annotations

import argparse
import sys
import time
import warnings
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd
from scipy import integrate, optimize, stats

from wagegap.decomposition.distributions.dfl import dfl
from wagegap.errors import DataWarning

MEAN_X, SHARE_Z = {"A": 0.5, "B": 0.0}, {"A": 0.60, "B": 0.35}
PAY = {"A": (2.0, 0.35, 0.5, 0.6), "B": (1.8, 0.25, 0.3, 0.4)}
SIZES, REFERENCES, WEIGHTED = (250, 1000), ("A", "B"), (False, True)
STATISTICS = ("mean", "variance", "quantile", "gini")
PROBS = (0.1, 0.5, 0.9)


def main() -> None:
    """Run every cell, and print the table."""
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--draws", type=int, default=1000)
    arguments.add_argument("--seed", type=int, default=20251125)
    arguments.add_argument("--csv", type=Path, default=None)
    arguments.add_argument("--markdown", type=Path, default=None)
    options = arguments.parse_args()
    warnings.simplefilter("ignore", DataWarning)  # of samples with poor overlap, which count like all others
    started, frames = time.process_time(), []
    cells = list(product(SIZES, REFERENCES, WEIGHTED))
    for i, (n, reference, weighted) in enumerate(cells):
        rng = np.random.default_rng([options.seed, i])
        found = one_cell(rng, options.draws, n, reference, weighted=weighted)
        frames.append(found.assign(n=n, reference=reference, weighted=weighted))
        print(f"{i + 1} of {len(cells)} cells, {time.process_time() - started:.0f} s", file=sys.stderr, flush=True)
    frame = pd.concat(frames, ignore_index=True)
    if options.csv is not None:
        frame.to_csv(options.csv, index=False, float_format="%.5f")
    text = as_markdown(frame, options.draws)
    print(text)
    if options.markdown is not None:
        options.markdown.write_text(text + "\n", encoding="utf-8")


def one_cell(rng: np.random.Generator, draws: int, n: int, reference: str, *, weighted: bool) -> pd.DataFrame:
    """Coverage, bias and the ratio of the mean standard error to the standard deviation, for every component."""
    truth = true_components(reference)
    values, errors, hits = [], [], []
    for _ in range(draws):
        gap = dfl(
            draw(rng, n), "pay ~ x + z", group="place", groups=("A", "B"), statistics=STATISTICS, probs=PROBS,
            sequence=["x", "z"], reference=reference, weights="w" if weighted else None,
        )  # fmt: skip
        interval = gap.conf_int()
        values.append(gap.estimates.values)
        errors.append(gap.bse.to_numpy())
        hits.append((interval["conf_low"] <= truth) & (truth <= interval["conf_high"]))
    estimate = np.array(values)
    return gap.estimates.labels[["measure", "component", "term"]].assign(
        truth=truth,
        bias=estimate.mean(axis=0) - truth,
        deviation=estimate.std(axis=0, ddof=1),
        error_ratio=np.mean(errors, axis=0) / estimate.std(axis=0, ddof=1),
        coverage=np.mean(hits, axis=0),
    )


def draw(rng: np.random.Generator, n: int) -> pd.DataFrame:
    """Return n workers of each group."""
    parts = []
    for place, (constant, slope, premium, sigma) in PAY.items():
        x, z = MEAN_X[place] + rng.normal(size=n), (rng.random(n) < SHARE_Z[place]).astype(float)
        pay = constant + slope * x + premium * z + sigma * rng.normal(size=n)
        parts.append(pd.DataFrame({"place": place, "x": x, "z": z, "pay": pay, "w": 0.3 + rng.exponential(size=n)}))
    return pd.concat(parts, ignore_index=True)


def true_components(reference: str) -> np.ndarray:
    """Difference, explained, by x and by z, unexplained, of every statistic."""
    other = "B" if reference == "A" else "A"
    own, step, last = (
        true_statistics(reference, x, z) for x, z in ((reference,) * 2, (other, reference), (other,) * 2)
    )
    far = true_statistics(other, other, other)
    sign = 1 if reference == "A" else -1
    parts = [own - far, own - last, own - step, step - last, last - far]
    return sign * np.column_stack(parts).ravel()


def true_statistics(pay: str, x: str, z: str) -> np.ndarray:
    """Mean, variance, three quantiles and Gini of the pay structure of one group at given compositions."""
    constant, slope, premium, sigma = PAY[pay]
    share, spread = SHARE_Z[z], float(np.hypot(slope, sigma))
    low = constant + slope * MEAN_X[x]

    def below(point: float) -> float:
        without, held = stats.norm.cdf(point, low, spread), stats.norm.cdf(point, low + premium, spread)
        return float((1 - share) * without + share * held)

    mean, variance = low + share * premium, spread**2 + share * (1 - share) * premium**2
    quantiles = [optimize.brentq(lambda q, p=p: below(q) - p, low - 9, low + 9, xtol=1e-13) for p in PROBS]
    overlap = integrate.quad(lambda t: below(t) * (1 - below(t)), low - 8, low + 9, epsabs=1e-12, limit=200)[0]
    return np.array([mean, variance, *quantiles, overlap / mean])


def as_markdown(frame: pd.DataFrame, draws: int) -> str:
    """Lay out the coverage, a row for each component and a column for each cell."""
    slack = 3 * np.sqrt(0.0475 / draws)
    cell = frame["n"].astype(str) + " " + frame["reference"] + np.where(frame["weighted"], " w", "")
    columns = list(dict.fromkeys(cell))
    wide = frame.assign(cell=cell).pivot_table(
        index=["measure", "component", "term"], columns="cell", values="coverage", sort=False
    )[columns]
    outside = int(((wide < 0.93 - slack) | (wide > 0.97 + slack)).to_numpy().sum())
    lines = [
        f"Coverage of 95 % intervals over {draws:,} draws; rows per group, reference, w: sampling weights. "
        f"{outside} of {wide.size} are outside .93 to .97 widened by three Monte Carlo errors ({slack:.3f}).",
        "",
        "| measure | component | " + " | ".join(columns) + " |",
        "| --- " * (2 + len(columns)) + "|",
    ]
    for (measure, component, term), row in wide.iterrows():
        name = component if term == "total" else f"{component}: {term}"
        lines.append(f"| {measure} | {name} | " + " | ".join(f"{value:.3f}" for value in row) + " |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
