"""Are the answers calibrated? Outlier, prediction and moderation on simulated countries, the country named in advance.

The countries of `link_monte_carlo.py`, with a trait that does not matter. Over the draws: whether the outlier's p-value
is uniform (Kolmogorov and Smirnov), how often the prediction interval holds the country's true rate under one more unit
of premium, and how often the interval of the slope's difference between quartiles of the trait holds zero.

Run `python benchmarks/link_questions.py --draws 500 --method ml`; one core, about two minutes a line. A question takes
the estimator of the link it is asked of: `--method moments` asks them of the weighted moments.
"""

from __future__ import annotations

import argparse
import warnings

import numpy as np
import pandas as pd
from link_monte_carlo import TAU
from scipy import stats

import wagegap as wg

LINES = ((20, 0.8, 0.0, 1.0), (20, 0.8, 0.5, 1.0), (20, 0.95, 0.5, 0.0), (40, 0.8, 0.5, 1.0))


def main() -> None:
    """Run every line and print it."""
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--draws", type=int, default=500)
    arguments.add_argument("--method", choices=("ml", "moments", "eiv"), default="ml")
    options = arguments.parse_args()
    warnings.simplefilter("ignore", wg.errors.ReliabilityWarning)
    print("| N | reliability | rho | slope | outlier p, KS | below .05 | prediction covers | moderation covers |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- |")
    for i, (n, share, rho, slope) in enumerate(LINES):
        found = np.array(
            [
                asked(np.random.default_rng([7, i, r]), n, share, rho, slope, options.method)
                for r in range(options.draws)
            ],
            dtype=float,
        )
        ks = stats.kstest(found[:, 0], "uniform").pvalue
        held = np.nanmean(found, axis=0)
        print(
            f"| {n} | {share:g} | {rho:g} | {slope:g} | {ks:.2f} | {np.mean(found[:, 0] < 0.05):.3f} | {held[1]:.3f} | "
            f"{held[2]:.3f} |",
            flush=True,
        )


def asked(
    rng: np.random.Generator, n: int, share: float, rho: float, slope: float, method: str
) -> tuple[float, float, float]:
    """p-value of the outlier, whether the prediction holds the truth, whether the moderation interval holds zero."""
    sd_y, sd_p = rng.uniform(0.15, 0.85, n), rng.uniform(0.5, 1.5, n)
    sd_p *= np.sqrt((1 - share) / share / np.mean(sd_p**2))
    first, second, true, trait, own = rng.standard_normal((5, n))
    rate = slope * true + TAU * own
    p = true + sd_p * (rho * first + np.sqrt(1 - rho**2) * second)
    names = [f"C{i}" for i in range(n)]
    cross = np.diag(rho * sd_p * sd_y)
    frame = pd.DataFrame({"iso3": names * 2, "b": [*(rate + sd_y * first), *p], "term": np.repeat(["r", "premium"], n)})
    v = np.block([[np.diag(sd_y**2), cross], [cross, np.diag(sd_p**2)]])
    both = wg.Estimates.from_table(frame, term="term", vcov=v)
    data = pd.DataFrame({"iso3": names, "trait": trait})
    link = wg.fit_link(
        "r ~ premium", both.select(term="r"), both.select(term="premium"), data=data, method=method, force=True
    )
    answer = link.predict(country="C0", premium=true[0] + 1)
    held = answer.low <= rate[0] + slope <= answer.high
    try:
        moderation = link.moderate("trait", force=True)
        differs = float(moderation.low <= 0 <= moderation.high)
    except wg.errors.ReliabilityError:
        differs = np.nan
    return link.outlier("C0").p_value, float(held), differs


if __name__ == "__main__":
    main()
