"""Poisson gravity with few periods: bias beside the standard error, and do 95 % intervals hold the truth?

Flows as Weidner and Zylkin (2021) simulate them, slope 1, errors related over time within pairs, with the variance of a
flow its mean ("poisson") or the square of it ("constant"), effects of origin and period, destination and period, and
pair, and the first two alone. As fitted, clustered by pair, and with `bias="analytic"`.

Run `python benchmarks/coverage_gravity.py --draws 500`: about three minutes on one core.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests" / "regression"))

from test_gravity_bias import THREE, slopes_of_draw


def main() -> None:
    """Run the draws and print bias, standard errors and coverage, before and after."""
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--draws", type=int, default=500)
    draws = arguments.parse_args().draws
    print(f"{draws:,} draws; each pair of columns: as fitted, corrected")
    print(f"{'variance':<10}{'effects':<8}{'N':>4}{'T':>3}{'bias / SD':>16}{'SE / SD':>16}{'coverage':>16}{'CPU s':>8}")
    for variance in ("poisson", "constant"):
        for places, periods in ((20, 2), (20, 3), (20, 5), (50, 3)):
            report(draws, variance, "three", places, periods)
        report(draws, variance, "two", 20, 3)
    print(f"three Monte Carlo errors: bias / SD {3 / np.sqrt(draws):.3f}, coverage {3 * np.sqrt(0.0475 / draws):.3f}")


def report(draws: int, variance: str, effects: str, places: int, periods: int) -> None:
    """Print one line."""
    start = time.process_time()
    formula = THREE if effects == "three" else "flow ~ x | o^t + d^t"
    found = np.array([slopes_of_draw(seed, places, periods, variance, formula) for seed in range(draws)])
    spread = found[:, :, 0].std(axis=0)
    bias, error, cover = (
        (found[:, :, 0].mean(axis=0) - 1) / spread,
        found[:, :, 1].mean(axis=0) / spread,
        found[:, :, 2],
    )
    numbers = "".join(f"{a:>9.3f}{b:>7.3f}" for a, b in (bias, error, cover.mean(axis=0)))
    taken = time.process_time() - start
    print(f"{variance:<10}{effects:<8}{places:>4}{periods:>3}{numbers}{taken:>8.0f}", flush=True)


if __name__ == "__main__":
    main()
