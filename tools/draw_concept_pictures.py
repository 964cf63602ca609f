"""Draw the pictures that explain ideas in the documentation: a gap taken apart, a counterfactual, exits, clusters.

Usage: python tools/draw_concept_pictures.py [FOLDER]

Writes decompositions.svg, distributions.svg, mobility.svg and standard_errors.svg into docs, the same files on every
run, from simulated workers. Run it when a figure or an estimator behind one of them changes.
"""

from __future__ import annotations

import sys
import warnings
from pathlib import Path

import numpy as np
import pandas as pd

import wagegap as wg
from wagegap._display.axes import FAINT, INK, PALETTE, name_axes, new_axes

DOCS = Path(__file__).resolve().parent.parent / "docs"
SCHOOLING, LOG_PAY = 0.08, 1.4
"""What a year of schooling is worth, and where the line of the second group begins."""


def main():
    folder = Path(sys.argv[1]) if sys.argv[1:] else DOCS
    for name, draw in PICTURES.items():
        save(draw(), folder / f"{name}.svg")
        print(f"{name}.svg")


def save(ax, path):
    """Write a picture without its date."""
    import matplotlib as mpl

    with mpl.rc_context({"svg.hashsalt": "wagegap"}):
        ax.figure.savefig(path, bbox_inches="tight", metadata={"Date": None}, facecolor="white")


def workers():
    """Two groups whose schooling differs, and what it pays."""
    rng = np.random.default_rng(5)
    group = np.repeat(["men", "women"], 300)
    is_man = group == "men"
    schooling = np.clip(rng.normal(np.where(is_man, 13.5, 12.0), 2.0), 6, 20)
    log_pay = LOG_PAY + 0.22 * is_man + (SCHOOLING + 0.01 * is_man) * schooling + rng.normal(0, 0.25, len(group))
    return pd.DataFrame({"group": group, "schooling": schooling, "log_pay": log_pay, "pay": np.exp(log_pay)})


def gap_of_means():
    """Draw both regression lines, the means on them, and the step from one to the other in two parts."""
    rows = workers()
    ax = new_axes(6.3, 4.2)
    lines = {}
    for (name, part), color in zip(rows.groupby("group"), PALETTE, strict=False):
        ax.scatter(part["schooling"], part["log_pay"], s=7, color=color, alpha=0.25, linewidths=0)
        slope, constant = np.polyfit(part["schooling"], part["log_pay"], 1)
        at = np.array([7.0, 19.0])
        ax.plot(at, constant + slope * at, color=color, lw=1.8)
        ax.text(19.15, constant + slope * 19.0, name, color=color, va="center")
        lines[name] = (slope, constant, part["schooling"].mean())
    (slope, constant, many), (other_slope, other_constant, few) = lines["men"], lines["women"]
    low, between, high = other_constant + other_slope * few, constant + slope * few, constant + slope * many
    for x, start, end, words, side in ((few, low, between, "unexplained", -1), (many, between, high, "explained", 1)):
        ax.annotate("", (x, end), (x, start), arrowprops={"arrowstyle": "<->", "color": INK, "lw": 1.4})
        at_height = start + (end - start) * (0.22 if side < 0 else 0.5)
        ax.text(x + 0.15 * side, at_height, words, ha="right" if side < 0 else "left", va="center", weight="bold")
    ax.plot([few, many], [between, between], color=FAINT, lw=1, ls=":")
    ax.set(xlim=(6.5, 20.6), ylim=(1.6, 3.4))
    return name_axes(ax, x="years of schooling", y="log pay")


def counterfactual_density():
    """Draw the density of pay of both groups, and of one with the other's schooling."""
    gap = wg.dfl(workers(), "log(pay) ~ schooling", group="group", groups=("men", "women"))
    return gap.plot_densities()


def competing_exits():
    """Draw how many have left the country, and the field, after some years."""
    panel = wg.simulate_panel(countries=4, workers=1500, periods=6, rng=8).panel
    leaving = {"abroad": "abroad_next", "another field": "new_field_next"}
    exits = wg.fit_exits(panel, "~ ai + exper", exit=leaving, time="year")
    return wg.figures.plot_incidence(exits, stacked=True)


def errors_by_covariance():
    """Draw one premium under the covariances that a survey of regions may ask for."""
    rng = np.random.default_rng(3)
    rows = wg.simulate_panel(countries=2, workers=1500, periods=2, rng=3).panel.frame.query("iso3 == iso3.iloc[0]")
    region = rng.integers(0, 25, rows["pid"].max() + 1)[rows["pid"]]
    skilled = rng.normal(0, 0.25, 25)[region] + 0.3 > rng.random(len(rows))
    pay = rows["hourly_wage"] * np.exp(rng.normal(0, 0.15, 25)[region] + rng.normal(0.2, 0.3, 25)[region] * skilled)
    rows = rows.assign(region=region, skill=skilled.astype(int), pay=pay, iso3=rows["iso3"].iloc[0])
    panel = wg.read_panel(rows, worker="pid", period="year", wage="pay")
    fits = {
        f"{words} ({cov})": wg.fit_premiums(panel, "log(pay) ~ skill + exper", premium="skill", by=(), cov=cov)
        for words, cov in (
            ("rows independent", "HC1"),
            ("rows of a worker alike", "CR1:worker"),
            ("25 regions alike", "CR1:region"),
            ("and few of them", "CR2:region"),
        )
    }
    rows = pd.concat([fit.tidy().assign(covariance=name) for name, fit in fits.items()])
    ax = new_axes(6.3, 2.2)
    at = np.arange(len(rows))[::-1]
    ax.errorbar(
        100 * rows["estimate"], at, xerr=100 * (rows["conf_high"] - rows["estimate"]), fmt="o", ms=5, color=PALETTE[0]
    )
    ax.set_yticks(at, rows["covariance"])
    ax.set_ylim(-0.6, len(rows) - 0.4)
    return name_axes(ax, x="premium of the skill (log points), 95 % intervals")


PICTURES = {
    "decompositions": gap_of_means,
    "distributions": counterfactual_density,
    "mobility": competing_exits,
    "standard_errors": errors_by_covariance,
}


if __name__ == "__main__":
    warnings.simplefilter("ignore", wg.errors.WagegapWarning)
    main()
