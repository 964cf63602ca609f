"""Do the link's intervals hold the truth? A Monte Carlo over countries, reliability, related errors and their shape.

True premiums P ~ N(0, 1) and rates Y = b P + u with u ~ N(0, .5^2), seen with errors whose covariance is known: of
rates with standard deviations between .15 and .85, of premiums with standard deviations that vary by a factor of three
and average variance (1 - r) / r at reliability r. Within a country the two errors have correlation `rho`; skewed ones
are centred exponentials. Every draw counts, whatever its estimated reliability; the share below one half, where
`fit_link` refuses without `force=True`, is a column of its own.

Run `python benchmarks/link_monte_carlo.py --draws 1000 --csv FILE --markdown FILE`: about ten minutes on one core.
"""

from __future__ import annotations

import argparse
import sys
import time
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd
from scipy import stats

from wagegap.errors import ReliabilityError
from wagegap.estimation.reliability import reliability
from wagegap.regression.link.estimators.eiv import fit_eiv
from wagegap.regression.link.estimators.likelihood import RowLikelihood, fisher_scoring
from wagegap.regression.link.estimators.meta import fit_meta
from wagegap.regression.link.estimators.ml import kent_ratio, maximise, profile_at, ratio_quantile
from wagegap.regression.link.estimators.moments import fit_weighted
from wagegap.regression.link.problem import LinkProblem

COUNTRIES, RELIABILITIES, CORRELATIONS, SLOPES = (6, 10, 20, 40), (0.95, 0.8, 0.6), (0.0, 0.5), (0.0, 1.0)
SHAPES = ("normal", "skewed")
TAU = 0.5


def main() -> None:
    """Run every cell, and print the table."""
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--draws", type=int, default=1000)
    arguments.add_argument("--seed", type=int, default=20251125)
    arguments.add_argument("--csv", type=Path, default=None)
    arguments.add_argument("--markdown", type=Path, default=None)
    options = arguments.parse_args()
    started, rows = time.process_time(), []
    cells = list(product(SHAPES, COUNTRIES, RELIABILITIES, CORRELATIONS, SLOPES))
    for i, cell in enumerate(cells):
        rng = np.random.default_rng([options.seed, i])
        rows += [dict(zip(("shape", "n", "reliability", "rho", "slope"), cell, strict=True), **row)
                 for row in one_cell(rng, options.draws, *cell)]  # fmt: skip
        print(f"{i + 1} of {len(cells)} cells, {time.process_time() - started:.0f} s", file=sys.stderr, flush=True)
        if options.csv is not None:
            pd.DataFrame(rows).to_csv(options.csv, index=False, float_format="%.4f")
    frame = pd.DataFrame(rows)
    text = as_markdown(frame, options.draws)
    print(text)
    if options.markdown is not None:
        options.markdown.write_text(text + "\n", encoding="utf-8")


def one_cell(
    rng: np.random.Generator, draws: int, shape: str, n: int, share: float, rho: float, slope: float
) -> list[dict[str, object]]:
    """Median slope and coverage of every method, and how often its interval is unbounded."""
    p, y, v = draw(rng, draws, shape, n, share, rho, slope)
    found: dict[str, list[tuple[float, float, float]]] = {}
    low = np.zeros(draws, dtype=bool)
    for i in range(draws):
        x = np.column_stack([p[i], np.ones(n)])
        problem = LinkProblem.build(y[i], x, v_x=v[0, i], v_xy=v[1, i], v_y=v[2, i])
        low[i] = reliability(p[i], np.diag(v[0, i])) < 0.5
        methods = least_squares(y[i], x), meta(y[i], x, v[2, i]), moments(problem), weighted(problem)
        for name, triple in ((name, triple) for part in methods for name, triple in part.items()):
            found.setdefault(name, []).append(triple)
    rows = []
    for name, triples in found.items():
        b, lower, upper = np.array(triples).T
        rows.append(summary(name, b, (lower <= slope) & (slope <= upper), ~np.isfinite(upper - lower), low))
    for restricted in (False, True):
        b, holds, unbounded = likelihoods(p, y, v, slope, restricted=restricted)
        name = "likelihood" if restricted else "plain likelihood, F"
        rows.append(summary(name, b, holds, unbounded, low))
    return rows


def draw(
    rng: np.random.Generator, draws: int, shape: str, n: int, share: float, rho: float, slope: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Premiums and rates as observed, shape (draws, n), and the variances and covariances of their errors."""
    size = (draws, n)
    sd_y, sd_p = rng.uniform(0.15, 0.85, size), rng.uniform(0.5, 1.5, size)
    sd_p *= np.sqrt((1 - share) / share / np.mean(sd_p**2, axis=1, keepdims=True))
    first, second = rng.standard_normal((2, *size)) if shape == "normal" else rng.standard_exponential((2, *size)) - 1.0
    true = rng.standard_normal(size)
    y = slope * true + TAU * rng.standard_normal(size) + sd_y * first
    p = true + sd_p * (rho * first + np.sqrt(1 - rho**2) * second)
    return p, y, np.stack([sd_p**2, rho * sd_p * sd_y, sd_y**2])


def least_squares(y: np.ndarray, x: np.ndarray) -> dict[str, tuple[float, float, float]]:
    """The naive slope with HC1 and HC3."""
    n, k = x.shape
    bread = np.linalg.inv(x.T @ x)
    b = bread @ (x.T @ y)
    influence, residual = x @ bread[:, 0], y - x @ b
    leverage = np.einsum("ij,jk,ik->i", x, bread, x)
    errors = {
        "ols HC1": np.sqrt(n / (n - k) * np.sum((influence * residual) ** 2)),
        "ols HC3": np.sqrt(np.sum((influence * residual / (1 - leverage)) ** 2)),
    }
    t = stats.t.isf(0.025, n - k)
    return {name: (b[0], b[0] - t * e, b[0] + t * e) for name, e in errors.items()}


def meta(y: np.ndarray, x: np.ndarray, v: np.ndarray) -> dict[str, tuple[float, float, float]]:
    """Outcome-side meta-regressions: fixed effect with z, REML with Knapp and Hartung's t."""
    out = {}
    for name, tau2, test in (("fixed effect z", "EE", "z"), ("REML knha", "REML", "knha")):
        fit = fit_meta(y, x, v, tau2=tau2, test=test)  # type: ignore[arg-type]
        half = stats.t.isf(0.025, fit.df) * np.sqrt(fit.cov[0, 0])
        out[name] = (fit.params[0], fit.params[0] - half, fit.params[0] + half)
    return out


def moments(problem: LinkProblem) -> dict[str, tuple[float, float, float]]:
    """Corrected moments with sandwich and jackknife errors; where they do not exist, nothing is known."""
    try:
        fit = fit_eiv(problem)
    except ReliabilityError:
        nothing = (np.nan, -np.inf, np.inf)
        return {"moments, sandwich": nothing, "moments, jackknife": nothing}
    t, b = stats.t.isf(0.025, problem.n - problem.k), fit.params[0]
    errors = {"moments, sandwich": np.sqrt(fit.cov[0, 0]), "moments, jackknife": fit.jackknife[0]}
    return {name: (b, b - t * e, b + t * e) for name, e in errors.items()}


def weighted(problem: LinkProblem) -> dict[str, tuple[float, float, float]]:
    """Weighted corrected moments with the jackknife; where some deletion has no slope, nothing is known."""
    try:
        fit = fit_weighted(problem)
    except ReliabilityError:
        return {"weighted moments": (np.nan, -np.inf, np.inf)}
    half = stats.t.isf(0.025, problem.n - problem.k) * np.sqrt(fit.cov[0, 0])
    half = half if np.isfinite(half) else np.inf
    return {"weighted moments": (fit.params[0], fit.params[0] - half, fit.params[0] + half)}


def likelihoods(
    p: np.ndarray, y: np.ndarray, v: np.ndarray, slope: float, *, restricted: bool
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Slopes, whether the profile interval holds the truth, whether it is the whole line; all draws scored at once."""
    draws, n = p.shape
    model = RowLikelihood(p, y, np.ones((n, 1)), v, np.ones((draws, n)), restricted, np.zeros(2))
    theta, value = maximise(model)
    cut = ratio_quantile(n, 2, 1, restricted=restricted)
    wider = kent_ratio(model, theta, 2)
    holds = 2 * (value - profile_at(model, np.full(draws, slope))[1]) <= cut * wider
    # As the slope leaves for infinity the profile falls to that of premiums that do not vary.
    flat = np.tile([0.0, 0.0, 0.5], (draws, 1))
    far = fisher_scoring(model, flat, free=(False, False, True))[1].value
    return theta[:, 0], holds, 2 * (value - far) <= cut * wider


def summary(name: str, b: np.ndarray, holds: np.ndarray, unbounded: np.ndarray, low: np.ndarray) -> dict[str, object]:
    """One row of the table."""
    return {
        "method": name, "median": float(np.nanmedian(b)), "coverage": float(holds.mean()),
        "unbounded": float(unbounded.mean()), "refused": float(low.mean()),
        "coverage_not_refused": float(holds[~low].mean()) if (~low).any() else np.nan, "draws": len(b),
    }  # fmt: skip


def as_markdown(frame: pd.DataFrame, draws: int) -> str:
    """Median slope / coverage by cell, a column for each method."""
    methods = list(dict.fromkeys(frame["method"]))
    lines = [f"{draws:,} draws a cell; median slope / coverage of the 95 % interval.", ""]
    for shape, part in frame.groupby("shape", sort=False):
        heads = ["N", "reliability", "rho", "slope", *methods, "unbounded", "refused"]
        lines += [f"Errors {shape}:", "", f"| {' | '.join(heads)} |", f"|{' --- |' * len(heads)}"]
        for key, cell in part.groupby(["n", "reliability", "rho", "slope"], sort=False):
            by = cell.set_index("method")
            told = [f"{_short(by.loc[m, 'median'])} / {_short(by.loc[m, 'coverage'], 3)}" for m in methods]
            last = by.loc["likelihood"]
            keys = [f"{value:g}" for value in key]
            cells = [*keys, *told, _short(last["unbounded"]), _short(last["refused"])]
            lines.append(f"| {' | '.join(cells)} |")
        lines.append("")
    return "\n".join(lines)


def _short(value: float, digits: int = 2) -> str:
    return f"{value:.{digits}f}".replace("0.", ".", 1) if abs(value) < 1 else f"{value:.{digits}f}"


if __name__ == "__main__":
    main()
