"""Do the intervals of Yun's and Fairlie's decompositions hold the truth?

Two groups of about 450 workers whose logit of leaving has other coefficients and regressors; the truth is the
decomposition of 400,000. Coverage of 95 % intervals, Fairlie's also by the published convention, which takes the
regressors of the matched rows as given.

Run `python benchmarks/coverage_rate_gaps.py --draws 1000`: under a minute on one core.
"""

from __future__ import annotations

import argparse
import sys
from functools import partial
from pathlib import Path

import numpy as np

import wagegap as wg

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests" / "decomposition"))

from test_rate_gaps import drawn

CALL = dict(formula="y ~ x + z", group="g", groups=("a", "b"))
METHODS = {
    "yun": partial(wg.yun, **CALL),
    "fairlie": partial(wg.fairlie, **CALL),
    "fairlie, regressors given": partial(wg.fairlie, **CALL, convention="conditional"),
}


def main() -> None:
    """Run the draws and print coverage by row."""
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--draws", type=int, default=1000)
    draws = arguments.parse_args().draws
    big = drawn(400_000, seed=99)
    for name, method in METHODS.items():
        truth = method(big).estimates
        hits = []
        for seed in range(draws):
            interval = method(drawn(900, 1000 + seed)).conf_int()
            low, high = interval["conf_low"] - 1e-12, interval["conf_high"] + 1e-12
            hits.append(((low <= truth.values) & (truth.values <= high)).to_numpy())
        print(f"{name} ({draws:,} draws)")
        for row, share in zip(truth.names, np.mean(hits, axis=0), strict=True):
            print(f"  {row:<28}{share:.3f}")


if __name__ == "__main__":
    main()
