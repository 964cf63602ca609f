"""Draw the pictures of docs/estimated_regressors.md from the shipped link of developers and the benchmark's rows.

Run `python tools/draw_link_pictures.py --results FILE`, FILE being what `benchmarks/link_realistic.py --keep FILE`
wrote; without it the two pictures of the benchmark stay as they are. Same input, same files.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import sys
import warnings
from pathlib import Path
from types import ModuleType
from typing import Any

import matplotlib as mpl
import numpy as np

import wagegap as wg
from wagegap.regression.link.estimators.moments import fit_weighted

mpl.use("Agg")
import matplotlib.pyplot as plt

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"
INK, PALE, NAIVE, MOMENTS, LIKELIHOOD = "#1f2d3a", "#b9c6d1", "#7f93a5", "#1b6ca8", "#c8552b"
STYLE = {
    "svg.hashsalt": "wagegap", "svg.fonttype": "path", "font.family": "DejaVu Sans", "font.size": 9,
    "axes.spines.top": False, "axes.spines.right": False, "axes.edgecolor": INK, "axes.labelcolor": INK,
    "xtick.color": INK, "ytick.color": INK, "text.color": INK, "legend.frameon": False,
}  # fmt: skip


def main() -> None:
    """Draw every picture for which there is input."""
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--results", type=Path)
    results = arguments.parse_args().results
    warnings.simplefilter("ignore", wg.errors.ReliabilityWarning)
    link = wg.fit_link(
        "net_migration ~ premium", wg.datasets.talent_migration("ai"), wg.datasets.country_premiums("stack_overflow")
    )
    with mpl.rc_context(STYLE):
        save(draw_lines(link), "link_lines")
        save(draw_spread(link), "link_spread")
        save(draw_shrunken(link), "link_shrunken")
        save(draw_weights(link), "link_weights")
        if results is not None:
            rows = [json.loads(line) for line in results.read_text(encoding="utf-8").splitlines()]
            save(draw_coverage(rows), "link_coverage")
            save(draw_printed(rows), "link_printed")


def save(fig: Any, name: str) -> None:
    """Write the same file on every run."""
    fig.savefig(DOCS / f"{name}.svg", metadata={"Date": None}, bbox_inches="tight")
    plt.close(fig)


def arrays(link: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray, list[str]]:
    """Premiums, rates, variances of the premiums' errors and names of the cells."""
    problem = link.setup.problem
    return problem.premiums[:, 0], problem.y, np.diag(problem.v_x[0, 0]), list(link.cells.names)


def draw_lines(link: Any) -> Any:
    """Countries with the errors of their premiums, and three lines through them."""
    p, y, v, names = arrays(link)
    fig, ax = plt.subplots(figsize=(7.2, 4.2))
    precise = v <= np.median(v)
    for half, color, label in ((~precise, PALE, "the less precise half"), (precise, INK, "the more precise half")):
        ax.errorbar(
            100 * p[half], y[half], xerr=100 * np.sqrt(v[half]), fmt="o", color=color, ms=4, lw=1, label=label, zorder=2
        )
    for code, name in (("IRN", "Iran"), ("PHL", "Philippines"), ("USA", "United States"), ("IND", "India")):
        at = names.index(code)
        ax.annotate(name, (100 * p[at], y[at]), textcoords="offset points", xytext=(6, 5), fontsize=8)
    x = np.array([-0.62, 0.78])
    low, high = y.min() - 60, y.max() + 60
    for part, color, name in ((link.naive(), NAIVE, "naive"), (link.moments, MOMENTS, "weighted moments"),
                              (link.likelihood, LIKELIHOOD, "likelihood")):  # fmt: skip
        constant = part.params["Intercept"]
        label = f"{name}: {part.slope / 10:.0f} for 10 log points"
        ax.plot(100 * x, constant + part.slope * x, color=color, lw=2, label=label, zorder=3)
    ax.set(xlim=(-68, 80), ylim=(low, high), ylabel="net migration of people with AI skills,\nper 10,000")
    ax.set_xlabel("premium of developers who do AI work, log points, with its standard error")
    ax.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0), fontsize=8)
    return fig


def draw_spread(link: Any) -> Any:
    """How much premiums spread beyond their errors, by how precise they are, and the one variance of each estimator."""
    p, _, v, _ = arrays(link)
    order = np.array_split(np.argsort(v), 3)
    fig, ax = plt.subplots(figsize=(6.2, 3.6))
    noise = [float(v[part].mean()) for part in order]
    beyond = [max(float(np.var(p[part], ddof=1)) - n, 0.0) for part, n in zip(order, noise, strict=True)]
    at = np.arange(3)
    ax.bar(at - 0.2, noise, 0.36, color=PALE, label="mean variance of the errors")
    ax.bar(at + 0.2, beyond, 0.36, color=INK, label="what premiums spread by beyond them")
    for x, value in (*zip(at - 0.2, noise, strict=True), *zip(at + 0.2, beyond, strict=True)):
        ax.annotate(
            f"{value:.4f}" if value else "none",
            (x, value),
            textcoords="offset points",
            xytext=(0, 3),
            ha="center",
            fontsize=8,
        )
    verdict = link.verdict
    for one, color, name in ((verdict.moments, MOMENTS, "moments"), (verdict.likelihood, LIKELIHOOD, "likelihood")):
        ax.axhline(
            one.sigma**2, color=color, lw=1.6, ls="--", label=f"variance of true premiums, {name}: {one.sigma**2:.4f}"
        )
    ax.set_xticks(at, ["most precise third", "middle third", "least precise third"])
    ax.set_ylabel("variance of premiums (logs)")
    ax.legend(loc="upper left", fontsize=8)
    return fig


def draw_shrunken(link: Any) -> Any:
    """Premiums as seen, and shrunk to their mean by either estimator's variance, with the line through each."""
    p, y, v, names = arrays(link)
    verdict = link.verdict
    cases = ((np.inf, NAIVE, "as seen"), (verdict.moments.sigma, MOMENTS, "shrunk with the moments' sigma, 12.5"),
             (verdict.likelihood.sigma, LIKELIHOOD, "shrunk with the likelihood's sigma, 5.0"))  # fmt: skip
    fig, axes = plt.subplots(1, 3, figsize=(10.5, 3.4), sharex=True, sharey=True)
    for ax, (sigma, color, title) in zip(axes, cases, strict=True):
        shrunk = shrunken(p, v, sigma)
        slope, constant = np.polyfit(shrunk, y, 1)
        ax.plot(100 * shrunk, y, "o", color=INK, ms=3.5)
        x = np.array([-0.5, 0.62])
        ax.plot(100 * x, constant + slope * x, color=color, lw=2)
        for code in ("IRN", "PHL", "IND"):
            at = names.index(code)
            ax.annotate(code, (100 * shrunk[at], y[at]), textcoords="offset points", xytext=(5, 4), fontsize=8)
        ax.set_title(f"{title}\n{slope / 10:.0f} for 10 log points", fontsize=9)
        ax.set(xlabel="premium, log points", xlim=(-50, 62), ylim=(y.min() - 60, y.max() + 60))
    axes[0].set_ylabel("net migration, per 10,000")
    fig.subplots_adjust(wspace=0.08)
    return fig


def shrunken(p: np.ndarray, v: np.ndarray, sigma: float) -> np.ndarray:
    """Premiums shrunk to their mean weighted by precision, each by sigma^2 / (sigma^2 + V)."""
    if not np.isfinite(sigma):
        return p
    weights = 1 / (v + sigma**2)
    mean = weights @ p / weights.sum()
    return mean + sigma**2 * weights * (p - mean)


def draw_weights(link: Any) -> Any:
    """The corrected slope under weights 1 / (V + s^2), from 1 / V to equal ones."""
    _, _, v, _ = arrays(link)
    problem = link.setup.problem
    j = problem.estimated[0]
    spreads = np.concatenate([[0.0], np.geomspace(0.005, 1.0, 60)])
    fits = [fit_weighted(problem, weights=1 / (v + s**2)) for s in spreads]
    slopes = np.array([fit.params[j] for fit in fits]) / 10
    t = 2.028 * np.sqrt([fit.cov[j, j] for fit in fits]) / 10
    fig, ax = plt.subplots(figsize=(6.8, 3.6))
    ax.fill_between(spreads, slopes - t, slopes + t, color=MOMENTS, alpha=0.13, lw=0, label="95 % interval (jackknife)")
    ax.plot(spreads, slopes, color=MOMENTS, lw=2, label="corrected slope under weights 1 / (V + s²)")
    moments, likelihood = link.moments, link.likelihood
    ax.plot(
        link.verdict.moments.sigma,
        moments.slope / 10,
        "o",
        color=MOMENTS,
        ms=7,
        label="weighted moments: s = 12.5 log points",
    )
    low, high = (end / 10 for end in likelihood.slope_interval())
    at = link.verdict.likelihood.sigma
    middle = likelihood.slope / 10
    around = [[middle - low], [high - middle]]
    ax.errorbar([at], [middle], yerr=around, fmt="s", color=LIKELIHOOD, ms=6, lw=1.4, label="likelihood: s = 5.0")
    ax.axhline(0, color=INK, lw=0.8)
    ax.set_xscale("symlog", linthresh=0.02, linscale=0.4)
    ax.set_xticks([0, 0.02, 0.05, 0.125, 0.3, 1], ["0\nweights 1 / V", "2", "5", "12.5", "30", "100\nnearly equal"])
    ax.minorticks_off()
    ax.set(xlim=(0, 1), ylabel="slope, per 10,000\nfor 10 log points", xlabel="s in the weights, log points")
    ax.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0), fontsize=8)
    return fig


def benchmark() -> ModuleType:
    """The benchmark, for the names of its worlds."""
    spec = importlib.util.spec_from_file_location("link_realistic", ROOT / "benchmarks" / "link_realistic.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules["link_realistic"] = module
    spec.loader.exec_module(module)
    return module


PANELS = (("stack_overflow", 38, "Stack Overflow, N 38"), ("kaggle", 48, "Kaggle, N 48"), ("piaac", 20, "PIAAC, N 20"),
          ("stack_overflow", 6, "Stack Overflow, N 6"))  # fmt: skip


def panel_rows(rows: list[dict[str, Any]], source: str, n: int, worlds: list[str]) -> list[dict[str, Any]]:
    """Rows of a panel at reliability .6 and slope .8, a row for each world."""
    found = {
        row["world"]: row
        for row in rows
        if (row["source"], row["n"], row["share"], row["slope"]) == (source, n, 0.6, 0.8)
    }
    return [found[world] for world in worlds]


def draw_coverage(rows: list[dict[str, Any]]) -> Any:
    """Coverage of each estimator alone, and of what is printed, by world and table."""
    titles = {key: world.title for key, world in benchmark().WORLDS.items()}
    worlds = list(titles)
    fig, axes = plt.subplots(1, len(PANELS), figsize=(10.5, 4.2), sharey=True)
    at = np.arange(len(worlds))[::-1]
    for ax, (source, n, title) in zip(axes, PANELS, strict=True):
        part = panel_rows(rows, source, n, worlds)
        ax.axvspan(0.93, 0.98, color=PALE, alpha=0.4, lw=0)
        for key, color, marker, label in (
            ("ols_covers", NAIVE, "x", "naive, HC3"), ("ml_covers", LIKELIHOOD, "s", "likelihood"),
            ("moments_covers", MOMENTS, "o", "weighted moments"), ("covers", INK, "D", "what is printed"),
        ):  # fmt: skip
            ax.plot([row[key] for row in part], at, marker, color=color, ms=4.5, label=label, alpha=0.9)
        ax.set(xlim=(0.22, 1.03), xlabel="coverage")
        ax.set_title(title, fontsize=9)
        ax.grid(axis="y", color=PALE, lw=0.4)
    axes[0].set_yticks(at, [titles[world] for world in worlds])
    fig.legend(
        *axes[0].get_legend_handles_labels(), loc="lower center", ncols=4, bbox_to_anchor=(0.5, -0.06), fontsize=9
    )
    fig.subplots_adjust(wspace=0.08)
    return fig


def draw_printed(rows: list[dict[str, Any]]) -> Any:
    """How often one slope is printed, a hull, the whole line, or a refusal."""
    titles = {key: world.title for key, world in benchmark().WORLDS.items()}
    worlds = list(titles)
    fig, axes = plt.subplots(1, len(PANELS), figsize=(10.5, 3.8), sharey=True)
    at = np.arange(len(worlds))[::-1]
    for ax, (source, n, title) in zip(axes, PANELS, strict=True):
        part, left = panel_rows(rows, source, n, worlds), np.zeros(len(worlds))
        for key, color, label in (("settled", MOMENTS, "one slope, settled"), ("hulls", "#e3b97f", "hull"),
                                  ("lines", LIKELIHOOD, "whole line"), ("refused", PALE, "refused")):  # fmt: skip
            shares = np.array([row[key] for row in part])
            if key == "settled":
                # A settled interval that is the whole line counts as one
                shares = 1 - sum(np.array([row[name] for row in part]) for name in ("hulls", "lines", "refused"))
            ax.barh(at, shares, 0.72, left=left, color=color, label=label)
            left += shares
        ax.set(xlim=(0, 1), xlabel="share of draws", xticks=[0, 0.5])
        ax.set_title(title, fontsize=9)
    axes[0].set_yticks(at, [titles[world] for world in worlds])
    fig.legend(
        *axes[0].get_legend_handles_labels(), loc="lower center", ncols=4, bbox_to_anchor=(0.5, -0.08), fontsize=9
    )
    fig.subplots_adjust(wspace=0.08)
    return fig


if __name__ == "__main__":
    main()
