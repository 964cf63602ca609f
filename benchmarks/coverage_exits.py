"""Do the intervals of competing exits hold the truth when the premium is estimated from the same workers?

Eight countries with 250 workers each, whose true premium moves two competing exits; pay residuals go with the
inclination to leave, so that the errors of both stages are related. The premium of each country is fitted, then the
exits on it. Coverage of 95 % intervals with the first stage's errors carried, and with the premiums taken as known.

Run `python benchmarks/coverage_exits.py --draws 1000`: about three minutes on one core.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

from test_exits import interval_of_draw


def main() -> None:
    """Run the draws and print coverage."""
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--draws", type=int, default=1000)
    draws = arguments.parse_args().draws
    print(f"{'errors of the premiums':<24}{'abroad':>8}{'field':>8}   (95 % intervals, {draws:,} draws)")
    for words, carried in (("carried", True), ("taken as known", False)):
        start = time.process_time()
        covered = np.mean([interval_of_draw(seed, carried=carried) for seed in range(draws)], axis=0)
        print(f"{words:<24}{covered[0]:>8.3f}{covered[1]:>8.3f}   {time.process_time() - start:.0f} s of CPU time")
    print(f"judged against .93 to .97 widened by three Monte Carlo errors, {3 * np.sqrt(0.0475 / draws):.3f}")


if __name__ == "__main__":
    main()
