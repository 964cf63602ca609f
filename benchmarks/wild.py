"""Wild cluster bootstrap beside pyfixest, in turn in one process: seconds of processor time, fits included.

The peer runs where both pyfixest and wildboottest are installed. It counts strictly larger draws, and so do we here:
where all vectors are taken the p-values are equal; random draws differ by their simulation. It gives no interval.

100,000 rows in 12 clusters, 9,999 draws: Rademacher's signs, of which wagegap takes all 4,096 vectors, and Webb's.

Run `OPENBLAS_NUM_THREADS=1 python benchmarks/wild.py`: some seconds.
"""

from __future__ import annotations

import importlib.util
import time

import numpy as np
import pandas as pd

import wagegap as wg


def main() -> None:
    """Run and print both, twice, so that the second time is warm."""
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.normal(size=(100_000, 4)), columns=["y", "a", "b", "c"])
    frame["g"] = rng.integers(0, 12, len(frame))
    for multipliers in ("rademacher", "webb"):
        for _ in range(2):
            start = time.process_time()
            call = dict(cluster="g", multipliers=multipliers, ties="strict")
            ours = wg.wild_bootstrap(frame, "y ~ a + b + c", "a", **call)
            print(f"{multipliers}: wagegap {time.process_time() - start:.3f} s, p = {ours.p_value:.4f}")
            start = time.process_time()
            low, high = ours.conf_int()
            print(f"{multipliers}: wagegap's interval {time.process_time() - start:.3f} s, [{low:.5f}, {high:.5f}]")
            if all(importlib.util.find_spec(name) for name in ("pyfixest", "wildboottest")):
                import pyfixest as pf

                start = time.process_time()
                fit = pf.feols("y ~ a + b + c", frame, vcov={"CRV1": "g"})
                test = fit.wildboottest(param="a", reps=9_999, cluster="g", weights_type=multipliers, seed=0)
                print(f"{multipliers}: pyfixest {time.process_time() - start:.3f} s, p = {test['Pr(>|t|)']:.4f}")


if __name__ == "__main__":
    main()
