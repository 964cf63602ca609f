"""Choice and flows beside their peers, in turn in one process: seconds of processor time, and ratios.

Conditional logit (statsmodels; xlogit where installed), multinomial logit (statsmodels), Poisson gravity with origin
and destination effects (statsmodels with dummies; pyfixest where installed), the check for separated rows, and, where
the local copies of the data are (WAGEGAP_DATA, or ../shared/data), scholars between all pairs of countries and years
with origin-year, destination-year and pair effects.

Run `OPENBLAS_NUM_THREADS=1 python benchmarks/mobility.py`: about a minute on one core.
"""

from __future__ import annotations

import importlib.util
import os
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import wagegap as wg
from wagegap.estimation.likelihood.separation import find_separated
from wagegap.regression.choice.likelihood import choice_sets, fit_conditional_logit


def main() -> None:
    """Run every comparison and print it."""
    warnings.simplefilter("ignore")
    print(f"{'':<52}{'CPU s':>9}{'times ours':>12}   estimates less ours")
    conditional_logit()
    multinomial_logit()
    gravity()
    scholars()


def timed(function: Callable[[], Any], repeats: int = 3) -> tuple[float, Any]:
    """Least processor time of some runs, and the last answer."""
    best = np.inf
    for _ in range(repeats):
        start = time.process_time()
        answer = function()
        best = min(best, time.process_time() - start)
    return best, answer


def report(words: str, seconds: float, ours: float, gap: float | None = None) -> None:
    """Print one line."""
    print(f"{words:<52}{seconds:>9.4f}{seconds / ours:>12.1f}   {'' if gap is None else f'{gap:.1e}'}")


def has(package: str) -> bool:
    """Say whether a peer is installed."""
    return importlib.util.find_spec(package) is not None


def conditional_logit(choosers: int = 5_000, alternatives: int = 6) -> None:
    """5,000 choosers, 6 alternatives, 3 attributes."""
    from statsmodels.discrete.conditional_models import ConditionalLogit

    rng = np.random.default_rng(0)
    x = rng.normal(size=(choosers * alternatives, 3))
    utility = (x @ [1.0, -0.5, 0.3]).reshape(choosers, alternatives) + rng.gumbel(size=(choosers, alternatives))
    chosen = np.arange(choosers) * alternatives + utility.argmax(axis=1)
    who = np.repeat(np.arange(choosers), alternatives)
    took = np.zeros(len(x), dtype=int)
    took[chosen] = 1
    names = ["pay", "distance", "language"]
    frame = pd.DataFrame(x, columns=names).assign(who=who, place=np.tile(list("uvwxyz"), choosers), took=took)
    call = dict(chooser="who", alternative="place", chosen="took")
    ours, fitted = timed(lambda: wg.fit_choice(frame, " + ".join(names), **call), 5)
    kernel, _ = timed(lambda: fit_conditional_logit(x, choice_sets(who), chosen), 5)
    print(f"conditional logit, {choosers:,} x {alternatives} x 3")
    report("  wagegap.fit_choice", ours, ours)
    report("  its kernel on arrays", kernel, ours)
    theirs, peer = timed(lambda: ConditionalLogit(took, x, groups=who).fit(disp=False), 1)
    report("  statsmodels ConditionalLogit", theirs, ours, np.abs(peer.params - fitted.params.to_numpy()).max())
    if has("xlogit"):
        from xlogit import MultinomialLogit

        def fit_peer() -> Any:
            model = MultinomialLogit()
            model.fit(x, took, varnames=names, ids=who, alts=frame["place"], verbose=0)
            return model

        theirs, peer = timed(fit_peer)
        report("  xlogit", theirs, ours, np.abs(peer.coeff_ - fitted.params.to_numpy()).max())


def multinomial_logit(choosers: int = 5_000) -> None:
    """Attributes of choosers only, 4 alternatives."""
    import statsmodels.api as sm

    rng = np.random.default_rng(1)
    x = rng.normal(size=(choosers, 3))
    index = np.column_stack([np.zeros(choosers), x @ rng.normal(size=(3, 3))])
    took = (index + rng.gumbel(size=index.shape)).argmax(axis=1)
    wide = pd.DataFrame(x, columns=["a", "b", "c"]).assign(who=np.arange(choosers), went=took)
    long = wide.loc[wide.index.repeat(4)].assign(place=np.tile(np.arange(4), choosers))
    long["took"] = (long["went"] == long["place"]).astype(int)
    long["place"] = long["place"].map({0: "home", 1: "p1", 2: "p2", 3: "p3"})
    call = dict(chooser="who", alternative="place", chosen="took", base="home")
    ours, fitted = timed(lambda: wg.fit_choice(long, "place + a:place + b:place + c:place", **call))
    print(f"multinomial logit, {choosers:,} x 4 x 3")
    report("  wagegap.fit_choice", ours, ours)
    theirs, peer = timed(lambda: sm.MNLogit(took, sm.add_constant(x)).fit(disp=False))
    report("  statsmodels MNLogit", theirs, ours, abs(peer.llf - fitted.loglik) / abs(peer.llf))


def gravity(places: int = 100) -> None:
    """Origin and destination effects; a tenth of the flows at the margin are zero."""
    import statsmodels.api as sm

    rng = np.random.default_rng(2)
    pairs = pd.MultiIndex.from_product([range(places), range(places)], names=["o", "d"]).to_frame(index=False)
    pairs = pairs[pairs["o"] != pairs["d"]].reset_index(drop=True)
    pairs["dist"] = rng.uniform(100, 10_000, len(pairs))
    size = rng.normal(size=places)
    mean = np.exp(8 + size[pairs["o"]] + size[pairs["d"]] - np.log(pairs["dist"]))
    pairs["flow"] = rng.poisson(mean).astype(float)
    call = "flow ~ log(dist) | o + d"
    ours, fitted = timed(lambda: wg.fit_flows(pairs, call, cov="CR1:o", engine="own"))
    print(f"Poisson gravity, {len(pairs):,} pairs, {2 * places} effects")
    report("  wagegap.fit_flows, separation check included", ours, ours)
    dummies = pd.get_dummies(pairs[["o", "d"]].astype(str), drop_first=True).astype(float)
    x = sm.add_constant(np.column_stack([np.log(pairs["dist"]), dummies]))
    glm = sm.GLM(pairs["flow"], x, family=sm.families.Poisson())
    theirs, peer = timed(lambda: glm.fit(cov_type="cluster", cov_kwds={"groups": pairs["o"]}), 1)
    report("  statsmodels GLM with dummies", theirs, ours, abs(peer.params.iloc[1] - fitted.params.iloc[0]))
    if has("pyfixest"):
        import pyfixest as pf

        pf.fepois(call, pairs, vcov={"CRV1": "o"})
        theirs, peer = timed(lambda: pf.fepois(call, pairs, vcov={"CRV1": "o"}))
        report("  pyfixest fepois, warm", theirs, ours, abs(peer.coef().iloc[0] - fitted.params.iloc[0]))


def scholars() -> None:
    """All pairs of countries and years with three sets of effects."""
    folder = Path(os.environ.get("WAGEGAP_DATA", Path(__file__).resolve().parents[2] / "shared" / "data"))
    if not (folder / "scholarly_migration").is_dir():
        print("scholars between all countries: no local copy of the data")
        return
    rows = _corridors(folder)
    moved = rows[rows.groupby(["o", "d"])["flow"].transform("sum") > 0].reset_index(drop=True)
    signs = -(moved["flow"] == 0).to_numpy().astype(int)
    keys = (["o", "year"], ["d", "year"], ["o", "d"])
    effects = [moved.groupby(key).ngroup().to_numpy().astype(np.int32) for key in keys]
    checked, found = timed(lambda: find_separated(signs, moved[["trend"]].to_numpy(), effects), 1)
    print(f"scholars, {len(moved):,} rows of pairs with flows, {sum(int(e.max()) + 1 for e in effects):,} effects")
    ours, fitted = timed(
        lambda: wg.fit_flows(moved, "flow ~ trend | o^year + d^year + o^d", cov="CR1:o", engine="own"), 1
    )
    report("  wagegap.fit_flows, own core", ours, ours)
    report(f"  of which the check ({int(found.rows.sum()):,} rows separated)", checked, ours)
    if has("pyfixest"):
        again, _ = timed(lambda: wg.fit_flows(moved, "flow ~ trend | o^year + d^year + o^d", cov="CR1:o"), 1)
        report("  the same, accelerated by pyfixest", again, ours)
        import pyfixest as pf

        formula = "flow ~ trend | o^year + d^year + o^d"
        theirs, peer = timed(lambda: pf.fepois(formula, moved, vcov={"CRV1": "o"}), 1)
        report("  pyfixest fepois", theirs, ours, abs(peer.coef().iloc[0] - fitted.params.iloc[0]))
    everything, _ = timed(
        lambda: wg.fit_flows(rows, "flow ~ trend | o^year + d^year + o^d", cov="CR1:o", engine="own"), 1
    )
    report(f"  wagegap.fit_flows, all {len(rows):,} rows", everything, ours)


def _corridors(folder: Path) -> pd.DataFrame:
    """Every origin, destination and year, zeros included, with the trend of distance."""
    flows = pd.read_parquet(folder / "scholarly_migration" / "scopus_2024_flows.parquet")
    flows = flows.assign(o=flows["iso3codefrom"].astype(str), d=flows["iso3codeto"].astype(str))
    countries = sorted({*flows["o"], *flows["d"]})
    years = sorted(flows["year"].unique())
    grid = pd.MultiIndex.from_product([countries, countries, years], names=["o", "d", "year"]).to_frame(index=False)
    grid = grid[grid["o"] != grid["d"]].merge(flows[["o", "d", "year", "n_migrations"]], how="left")
    dist = pd.read_parquet(folder / "gravity" / "dist_cepii.parquet", columns=["iso_o", "iso_d", "distw"])
    codes = {"ROM": "ROU"}
    dist = dist.assign(o=dist["iso_o"].astype(str).replace(codes), d=dist["iso_d"].astype(str).replace(codes))
    rows = grid.merge(dist[["o", "d", "distw"]].dropna(), on=["o", "d"])
    rows["flow"] = rows["n_migrations"].fillna(0.0).astype(float)
    rows["trend"] = np.log(rows["distw"]) * (rows["year"] - 2008) / 10
    return rows


if __name__ == "__main__":
    main()
