"""Do the intervals of the RIF decomposition hold the truth? A Monte Carlo with known RIF regressions.

Two groups of workers. In group A experience x ~ N(1, 1) and 60 % hold the skill z, in group B x ~ N(.5, 1) and 35 %.
The log odds of belonging to a group are then linear in x and z, so that the logit is right. Pay is

    y = 2.0 + .35 x + .5 z + .6 e  in A,    y = 1.8 + .25 x + .3 z + .4 e  in B,    e ~ N(0, 1),

so that y given z is normal, and every quantile, density and RIF regression is known, under any composition.

Run `python benchmarks/coverage_rif.py --draws 1000 --csv FILE --markdown FILE`: about fifteen minutes on one core.
"""

from __future__ import annotations

import argparse
import sys
import time
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd
from scipy import optimize, stats

from wagegap.decomposition.distributions.rif_oaxaca import rif_oaxaca

MEAN_X, SHARE_Z = {"A": 1.0, "B": 0.5}, {"A": 0.60, "B": 0.35}
PAY = {"A": (2.0, 0.35, 0.5, 0.6), "B": (1.8, 0.25, 0.3, 0.4)}
SIZES, REWEIGHT, DENSITIES = (500, 2000), (None, "logit"), ("r", "stata")
STATISTICS = ("quantile", "variance", "gini")
PROBS = tuple(i / 10 for i in range(1, 10))
TERMS = ("Intercept", "x", "z")


def main() -> None:
    """Run every cell, and print the table."""
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--draws", type=int, default=1000)
    arguments.add_argument("--seed", type=int, default=20251125)
    arguments.add_argument("--csv", type=Path, default=None)
    arguments.add_argument("--markdown", type=Path, default=None)
    options = arguments.parse_args()
    started, frames = time.process_time(), []
    cells = list(product(SIZES, REWEIGHT, DENSITIES))
    for i, (n, reweight, density) in enumerate(cells):
        rng = np.random.default_rng([options.seed, i])
        found = one_cell(rng, options.draws, n, reweight=reweight, density=density)
        name = f"{n} {'reweighted' if reweight else 'plain'} {density}"
        frames.append(found.assign(cell=name))
        print(f"{i + 1} of {len(cells)} cells, {time.process_time() - started:.0f} s", file=sys.stderr, flush=True)
    frame = pd.concat(frames, ignore_index=True)
    if options.csv is not None:
        frame.to_csv(options.csv, index=False, float_format="%.5f")
    text = as_markdown(frame, options.draws)
    print(text)
    if options.markdown is not None:
        options.markdown.write_text(text + "\n", encoding="utf-8")


def one_cell(rng: np.random.Generator, draws: int, n: int, *, reweight: str | None, density: str) -> pd.DataFrame:
    """Coverage, bias and the ratio of the mean standard error to the standard deviation, for every component."""
    truth = true_components(reweighted=reweight is not None)
    values, errors, hits = [], [], []
    for _ in range(draws):
        gap = rif_oaxaca(
            draw(rng, n), "pay ~ x + z", group="place", groups=("A", "B"), statistic=STATISTICS, probs=PROBS,
            reweight=reweight, density=density,
        )  # fmt: skip
        interval = gap.conf_int()
        values.append(gap.estimates.values)
        errors.append(gap.bse.to_numpy())
        hits.append((interval["conf_low"] <= truth) & (truth <= interval["conf_high"]))
    estimate = np.array(values)
    with np.errstate(invalid="ignore"):
        ratio = np.mean(errors, axis=0) / estimate.std(axis=0, ddof=1)
    return gap.estimates.labels[["measure", "component", "term"]].assign(
        truth=truth,
        bias=estimate.mean(axis=0) - truth,
        deviation=estimate.std(axis=0, ddof=1),
        error_ratio=ratio,
        coverage=np.mean(hits, axis=0),
    )


def draw(rng: np.random.Generator, n: int) -> pd.DataFrame:
    """Return n workers of each group."""
    parts = []
    for place, (constant, slope, premium, sigma) in PAY.items():
        x, z = MEAN_X[place] + rng.normal(size=n), (rng.random(n) < SHARE_Z[place]).astype(float)
        pay = constant + slope * x + premium * z + sigma * rng.normal(size=n)
        parts.append(pd.DataFrame({"place": place, "x": x, "z": z, "pay": pay}))
    return pd.concat(parts, ignore_index=True)


def true_components(*, reweighted: bool) -> np.ndarray:
    """Return every component of every statistic, total and by term, in the order of the result."""
    a, b, c = Population("A", "A"), Population("B", "B"), Population("A", "B")
    out = []
    for name in [*PROBS, "variance", "gini"]:
        b_a, b_b, b_c = (one.coefficients(name) for one in (a, b, c))
        if reweighted:
            parts = [(a.mean - c.mean) * b_a, c.mean * (b_a - b_c), b.mean * (b_c - b_b), (c.mean - b.mean) * b_c]
        else:
            parts = [(a.mean - b.mean) * b_a, b.mean * (b_a - b_b)]
        out.append(sum(part.sum() for part in parts))
        for part in parts:
            out += [part.sum(), *part]
    return np.array(out)


class Population:
    """The pay structure of one group with the composition of another."""

    def __init__(self, pay: str, composition: str) -> None:
        constant, self.slope, premium, sigma = PAY[pay]
        mu, share = MEAN_X[composition], SHARE_Z[composition]
        self.mu, self.weights, self.held = mu, np.array([1 - share, share]), np.array([0.0, 1.0])
        self.level = constant + self.slope * mu + premium * self.held
        self.spread = float(np.hypot(self.slope, sigma))
        self.mean = np.array([1.0, mu, share])
        self.products = np.array([[1, mu, share], [mu, mu**2 + 1, mu * share], [share, mu * share, share]])

    def coefficients(self, name: float | str) -> np.ndarray:
        """Return the coefficients of the RIF regression of a quantile, the variance or the Gini."""
        moments = self._quantile(float(name)) if not isinstance(name, str) else self._smooth(name)
        return np.linalg.solve(self.products, moments)

    def _quantile(self, p: float) -> np.ndarray:
        """E (1, x, z) RIF from the normal distribution of (x, y) given z."""

        def standard(q: float) -> np.ndarray:
            return (q - self.level) / self.spread

        q = optimize.brentq(lambda at: float(self.weights @ stats.norm.cdf(standard(at))) - p, -9, 14, xtol=1e-13)
        below, height = stats.norm.cdf(standard(q)), stats.norm.pdf(standard(q)) / self.spread
        f = float(self.weights @ height)
        with_x = self.mu * below - self.slope * height
        sums = np.array([self.weights @ below, self.weights @ with_x, self.weights @ (below * self.held)])
        return (q + p / f) * self.mean - sums / f

    def _smooth(self, name: str) -> np.ndarray:
        """E (1, x, z) RIF on a fine grid of pay."""
        y = np.linspace(self.level.min() - 9 * self.spread, self.level.max() + 9 * self.spread, 40_001)
        density = stats.norm.pdf(y[:, None], self.level, self.spread) * self.weights * (y[1] - y[0])
        total, mean = density.sum(axis=1), float(y @ density.sum(axis=1))
        if name == "variance":
            rif = (y - mean) ** 2
        else:
            above = (stats.norm.sf(y[:, None], self.level, self.spread) * self.weights).sum(axis=1)
            lesser = y * above + np.cumsum(y * total) - y * total / 2
            rif = 1 + float(lesser @ total) / mean**2 * y - 2 / mean * lesser
        x = self.mu + self.slope / self.spread**2 * (y[:, None] - self.level)
        return np.array([rif @ total, np.sum(rif[:, None] * x * density), rif @ density @ self.held])


def as_markdown(frame: pd.DataFrame, draws: int) -> str:
    """Lay out the coverage, a row for each component and a column for each cell."""
    slack = 3 * np.sqrt(0.0475 / draws)
    judged = frame[frame["deviation"] > 1e-12]
    columns = list(dict.fromkeys(judged["cell"]))
    wide = judged.pivot_table(index=["measure", "component", "term"], columns="cell", values="coverage", sort=False)
    wide = wide[columns]
    low, high = 0.93 - slack, 0.97 + slack
    outside = int(((wide < low) | (wide > high)).to_numpy().sum())
    lines = [
        f"Coverage of 95 % intervals over {draws:,} draws; rows per group, plain or reweighted, density. {outside} of "
        f"{int(wide.notna().to_numpy().sum())} are outside .93 to .97 widened by three Monte Carlo errors "
        f"({slack:.3f}).",
        "",
        "| measure | component | " + " | ".join(columns) + " |",
        "| --- " * (2 + len(columns)) + "|",
    ]
    for (measure, component, term), row in wide.iterrows():
        name = component if term == "total" else f"{component}: {term}"
        cells = " | ".join("" if np.isnan(value) else f"{value:.3f}" for value in row)
        lines.append(f"| {measure} | {name} | {cells} |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
