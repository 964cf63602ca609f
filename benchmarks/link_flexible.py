"""Should the likelihood whose variances may grow, with heavy tails, be the default of the link?

It would have to cover in every world of `link_realistic.py` and be shorter than the weighted moments. Here it stands
beside them and beside the plain likelihood, every draw counted, with how often each feature is found: in the world
without any that is the size of its test.

Run `python benchmarks/link_flexible.py --draws 300`: about an hour on one core.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from itertools import product

import numpy as np
from link_realistic import LINE, WORLDS, Design, draw, problem_of
from scipy import stats

from wagegap.errors import ReliabilityError
from wagegap.regression.link.estimators.flexible import fit_features, fit_flexible, ratio_p
from wagegap.regression.link.estimators.ml import fit_ml
from wagegap.regression.link.estimators.moments import fit_weighted
from wagegap.regression.link.problem import LinkProblem

SOURCES = {"stack_overflow": 38, "kaggle": 48, "piaac": 20}
METHODS = ("likelihood", "flexible", "moments")


def main(arguments: Sequence[str] | None = None) -> None:
    """Print a line of the table for each design as it is done."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--draws", type=int, default=300)
    parser.add_argument("--sources", nargs="+", choices=SOURCES, default=list(SOURCES))
    parser.add_argument("--worlds", nargs="+", choices=WORLDS, default=["normal", "t", "noisy", "spread", "both"])
    parser.add_argument("--slopes", nargs="+", type=float, default=[0.8, 0.0])
    chosen = parser.parse_args(arguments)
    print("| V | world | slope |", *(f"{name} |" for name in METHODS), "p < .05: premiums, rates, tails, all |")
    for source, slope, world in product(chosen.sources, chosen.slopes, chosen.worlds):
        design = Design(source, SOURCES[source], 0.6, world, slope)
        sample = draw(np.random.default_rng(20261201), chosen.draws, design)
        fits = [of_draw(problem_of(sample, i)) for i in range(chosen.draws)]
        cells = [summary(np.array([fit[j] for fit in fits]), sample.truth) for j in range(len(METHODS))]
        found = np.mean(np.array([fit[3] for fit in fits]) < 0.05, axis=0)
        print(
            f"| {source} | {world} | {slope:g} |",
            " | ".join(cells),
            "|",
            ", ".join(f"{f:.2f}" for f in found),
            "|",
            flush=True,
        )


def of_draw(problem: LinkProblem) -> tuple[list[float], list[float], list[float], list[float]]:
    """Slope and interval by each method, and p-values of the features."""
    plain, free, (first, *rest) = fit_ml(problem), fit_flexible(problem), fit_features(problem, alpha=None)
    p_values = [ratio_p(2 * (fit.loglik - first.loglik), fit.features) for fit in rest]
    try:
        fit = fit_weighted(problem)
        half = float(stats.t.isf(0.025, problem.n - 2) * np.sqrt(fit.cov[0, 0]))
        moments = [fit.params[0], *((fit.params[0] - half, fit.params[0] + half) if np.isfinite(half) else LINE)]
    except ReliabilityError:
        moments = [np.inf, *LINE]
    return [plain.params[0], *plain.interval], [free.slope, *free.interval], moments, p_values


def summary(fits: np.ndarray, truth: np.ndarray) -> str:
    """Coverage, median absolute error, median length of bounded intervals, share of unbounded ones."""
    slopes, ends = fits[:, 0], fits[:, 1:]
    bounded = np.isfinite(ends).all(axis=1)
    covers = np.mean((ends[:, 0] <= truth) & (truth <= ends[:, 1]))
    length = float(np.median(np.ptp(ends[bounded], axis=1))) if bounded.any() else np.nan
    error = float(np.median(np.abs(slopes - truth)))
    return f"{covers:.3f} / {error:.2f} / {length:.2f} / {1 - bounded.mean():.2f}"


if __name__ == "__main__":
    main()
