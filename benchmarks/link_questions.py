"""Are the answers calibrated? Outlier, prediction and moderation on simulated countries.

Realistic countries have the errors of the shipped Stack Overflow premiums (38 countries, true reliability .6), in four
worlds: one spread of true premiums and of rates for all, either growing with the size of the errors, or both. Of each
draw that is not refused: whether the prediction holds the truth for a pair at random, from the lowest to the highest
premium, and for a premium that is a number; the outlier's p-value of a country at random, of the noisiest and of the
most precise (share below .05 and .5; a Kolmogorov-Smirnov test that it is uniform); whether the interval of the slope's
difference between quartiles of a trait holds what it is, the trait exact or estimated.

Textbook countries are those of `link_monte_carlo.py`, with a trait that does not matter, one of them named in advance.

Run `python benchmarks/link_questions.py --draws 300`; one core, a quarter of a second a draw. A question takes the
estimator of the link it is asked of: `--method auto` is slower. `--world` runs one world, `--textbook` the others.
"""

from __future__ import annotations

import argparse
import warnings

import numpy as np
import pandas as pd
from link_monte_carlo import TAU
from scipy import stats

import wagegap as wg

SIGMA, SLOPE = 0.125, 6.4
WORLDS = {
    "one spread": (False, False), "premiums spread with V": (True, False), "rates spread with V": (False, True),
    "both": (True, True),
}  # fmt: skip
LINES = ((20, 0.8, 0.0, 1.0), (20, 0.8, 0.5, 1.0), (20, 0.95, 0.5, 0.0), (40, 0.8, 0.5, 1.0))


def main() -> None:
    """Run what is asked for and print it."""
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--draws", type=int, default=500)
    arguments.add_argument("--method", choices=("moments", "auto", "ml", "eiv"), default="moments")
    arguments.add_argument("--world", choices=list(WORLDS))
    arguments.add_argument("--textbook", action="store_true")
    options = arguments.parse_args()
    warnings.simplefilter("ignore", wg.errors.WagegapWarning)
    if options.textbook:
        textbook(options.draws, options.method)
    else:
        realistic(options.draws, options.method, [options.world] if options.world else list(WORLDS))


def realistic(draws: int, method: str, worlds: list[str]) -> None:
    """Print what every answer is worth in each world."""
    names, v = shipped()
    print("| world | question | draws | covers, or p below .05 | below .5 | KS |")
    print("| --- | --- | --- | --- | --- | --- |")
    for world in worlds:
        answers: dict[str, list[float]] = {}
        for r in range(draws):
            rng = np.random.default_rng([11, list(WORLDS).index(world), r])
            for question, value in answered(rng, names, v, WORLDS[world], method).items():
                answers.setdefault(question, []).append(value)
        for question, values in answers.items():
            numbers = np.array(values)
            numbers = numbers[np.isfinite(numbers)]
            if question.startswith("outlier"):
                figures = f"{np.mean(numbers < 0.05):.3f} | {np.mean(numbers < 0.5):.3f} | "
                figures += f"{stats.kstest(numbers, 'uniform').pvalue:.3f}"
            else:
                figures = f"{numbers.mean():.3f} | | "
            print(f"| {world} | {question} | {len(numbers)} | {figures} |", flush=True)


def shipped() -> tuple[list[str], np.ndarray]:
    """Countries of the shipped Stack Overflow link, and the error variances of their premiums."""
    net, premiums = wg.datasets.talent_migration("ai"), wg.datasets.country_premiums("stack_overflow")
    cells = wg.fit_link("net_migration ~ premium", net, premiums, method="ols").cells
    return list(cells.names), np.diag(cells.block(1, 1))


def answered(
    rng: np.random.Generator, names: list[str], v: np.ndarray, grows: tuple[bool, bool], method: str
) -> dict[str, float]:
    """Ask everything of one draw; nothing where the link is refused."""
    n, wide = len(v), np.sqrt(v / v.mean())
    of_premiums, of_rates = (wide if grow else 1.0 for grow in grows)
    true = SIGMA * of_premiums * rng.standard_normal(n)
    p, trait = true + np.sqrt(v) * rng.standard_normal(n), rng.standard_normal(n)
    differs = 0.5 * SLOPE
    rate = SLOPE * true + of_rates * rng.standard_normal(n)
    turned = rate + (0.5 + differs * true) * trait
    noise = 0.5 * wide
    seen = trait + noise * rng.standard_normal(n)
    premiums, estimated = (_table(names, *given) for given in ((p, np.sqrt(v), "premium"), (seen, noise, "trait")))
    rates, others = (_table(names, y, np.full(n, np.nan), "r") for y in (rate, turned))
    data = pd.DataFrame({"iso3": names, "trait": trait})
    try:
        link = wg.fit_link("r ~ premium", rates, premiums, data=data, method=method)
    except wg.errors.ReliabilityError:
        return {}
    i, other = (int(k) for k in rng.choice(n, 2, replace=False))
    pairs = {"at random": (i, other), "lowest to highest": (int(p.argmin()), int(p.argmax())), "a number": (i, None)}
    out = {}
    for pair, (start, end) in pairs.items():
        answer = link.predict(country=names[start], premium=SIGMA if end is None else names[end])
        moved = rate[start] + SLOPE * ((SIGMA if end is None else true[end]) - true[start])
        out[f"predict, {pair}"] = float(answer.low <= moved <= answer.high)
    for which, at in (("at random", i), ("noisiest", int(v.argmax())), ("most precise", int(v.argmin()))):
        out[f"outlier, {which}"] = link.outlier(names[at]).p_value
    differing = wg.fit_link("r ~ premium", others, premiums, data=data, method=method, force=True)
    posed = ((link, "trait", 0.0, "no difference"), (differing, "trait", differs, "a difference"),
             (differing, estimated, differs, "a difference, trait estimated"))  # fmt: skip
    return out | {f"moderate, {what}": _holds(one, given, slope) for one, given, slope, what in posed}


def _holds(link: wg.Link, trait: object, slope: float) -> float:
    """Whether the interval of a difference holds it; NaN where the answer is refused."""
    try:
        answer = link.moderate(trait)
    except wg.errors.ReliabilityError:
        return float("nan")
    lower, upper = answer.effects[0].quartiles
    return float(answer.low <= slope * (upper - lower) <= answer.high)


def _table(names: list[str], values: np.ndarray, errors: np.ndarray, term: str) -> wg.Estimates:
    frame = pd.DataFrame({"iso3": names, "b": values, "se": errors})
    return wg.Estimates.from_table(frame, std_error="se", term=term)


def textbook(draws: int, method: str) -> None:
    """Print the lines of textbook countries."""
    print("| N | reliability | rho | slope | outlier p, KS | below .05 | prediction covers | moderation covers |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- |")
    for i, (n, share, rho, slope) in enumerate(LINES):
        found = np.array(
            [asked(np.random.default_rng([7, i, r]), n, share, rho, slope, method) for r in range(draws)],
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
