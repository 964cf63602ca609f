"""Do the intervals of competing exits hold the truth when the premium is estimated from the same workers?

Eight countries with 250 workers each, whose true premium moves two competing exits; pay residuals go with the
inclination to leave, so that the errors of both stages are related. The premium of each country is fitted, then the
exits on it. Coverage of 95 % intervals with the first stage's errors carried, and with the premiums taken as known.

In a second design forty published premiums are so noisy (reliability .86 and .61) that their coefficient is pulled
towards zero: median slope, whose truth is -2, and coverage, with errors carried and corrected besides.

Run `python benchmarks/coverage_exits.py --draws 1000`: about fifteen minutes on one core.
"""

from __future__ import annotations

import argparse
import sys
import time
import warnings
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests" / "regression"))

from test_exits import draw_of_noisy_premiums, interval_of_draw

from wagegap import fit_exits
from wagegap.errors import ReliabilityWarning


def main() -> None:
    """Run the draws and print coverage."""
    warnings.simplefilter("ignore", ReliabilityWarning)
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--draws", type=int, default=1000)
    draws = arguments.parse_args().draws
    print(f"{'errors of the premiums':<24}{'abroad':>8}{'field':>8}   (95 % intervals, {draws:,} draws)")
    for words, carried in (("carried", True), ("taken as known", False)):
        start = time.process_time()
        covered = np.mean([interval_of_draw(seed, carried=carried) for seed in range(draws)], axis=0)
        print(f"{words:<24}{covered[0]:>8.3f}{covered[1]:>8.3f}   {time.process_time() - start:.0f} s of CPU time")
    print(f"{'noisy premiums':<24}{'median':>8}{'covers':>8}")
    for error in (0.1, 0.2):
        for words, correction in (("carried", None), ("simex", "simex")):
            start = time.process_time()
            slope, covered = np.array([noisy(seed, error, correction) for seed in range(draws)]).T
            said = f"{words}, reliability {0.0625 / (0.0625 + error**2):.2f}"
            spent = time.process_time() - start
            print(f"{said:<24}{np.median(slope):>8.3f}{covered.mean():>8.3f}   {spent:.0f} s of CPU time", flush=True)
    print(f"judged against .93 to .97 widened by three Monte Carlo errors, {3 * np.sqrt(0.0475 / draws):.3f}")


def noisy(seed: int, error: float, correction: str | None) -> tuple[float, bool]:
    """Slope of one draw, and whether its interval holds -2."""
    frame, premium = draw_of_noisy_premiums(seed, error)
    call = dict(premiums=premium, margins=False, cov="HC1", correction=correction, draws=20)
    found = fit_exits(frame, "left ~ premium + age", **call)
    low, high = found.conf_int().loc["premium"]
    return float(found.params["premium"]), bool(low <= -2 <= high)


if __name__ == "__main__":
    main()
