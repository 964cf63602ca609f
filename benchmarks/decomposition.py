"""How long decompositions take, beside other software and beside the floor that the hardware sets.

Each measurement is a process of its own, one after the other, with the same number of BLAS threads, so that neither
caches nor memory carry over; CPU seconds are the smallest of a few repetitions, after one call that loads what is
loaded on use. The floor is one symmetric cross-product (BLAS syrk) of the same columns. Peers run where they are
installed: statsmodels always, `oaxaca` from PyPI, and R's ddecompose and oaxaca where Rscript and the packages are.
Where a peer would take hours, it runs a few bootstrap replications and its time is scaled ("estimated").

    python benchmarks/decomposition.py                      # all tasks at the sizes they are meant for
    python benchmarks/decomposition.py --tasks twofold bootstrap --n 100000 --no-peers
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

COVARIATES = 20


@dataclass(frozen=True)
class Task:
    """What is timed, at which size, and the seconds it should stay under."""

    words: str
    n: int
    target: float | None
    peers: tuple[str, ...] = ()


TASKS = {
    "twofold": Task(
        "twofold, analytic errors", 10**6, 0.8, ("core", "floor", "statsmodels", "pypi-oaxaca", "R-ddecompose")
    ),
    "pooled": Task("twofold at pooled coefficients, analytic errors", 10**6, None),
    "bootstrap": Task("twofold, 500 pairs bootstraps", 10**6, 10.0, ("statsmodels", "R-ddecompose", "R-oaxaca")),
    "rif": Task("RIF at 19 quantiles, point", 10**6, 1.5),
    "rif-bootstrap": Task("RIF at 19 quantiles, 100 bootstraps", 10**6, 15.0),
    "rif-reweighted": Task("reweighted RIF at 19 quantiles, 100 bootstraps", 10**4, 3.0),
    "dfl": Task("DFL at 19 quantiles, 100 bootstraps", 10**4, 0.5),
    "qr": Task("counterfactual, 100 quantile regressions, 100 bootstraps", 2_000, 3.0),
    "logit": Task("counterfactual, logit distribution regression, 100 bootstraps", 2_000, 2.0),
}
BOOTSTRAPS = 500


def simulate(n: int) -> Any:
    """Two groups (45 % in the first), 20 covariates of which five are binary, errors that depend on the regressors."""
    import numpy as np
    import pandas as pd

    rng = np.random.default_rng(20251125)
    columns: dict[str, Any] = {"g": (rng.random(n) < 0.45).astype(int)}
    y = 2.0 + 0.2 * columns["g"]
    for j in range(COVARIATES):
        x = rng.normal(size=n)
        x += 0.1 * columns["g"] if j % 2 else 0.0
        x = (x > 0.3).astype(float) if j >= 15 else x
        y = y + (0.02 + 0.005 * j * columns["g"]) * x
        columns[f"x{j}"] = x
    columns["y"] = y + 0.4 * rng.normal(size=n) * (1 + 0.2 * np.abs(columns["x0"]))
    return pd.DataFrame(columns)


NAMES = [f"x{j}" for j in range(COVARIATES)]
FORMULA = f"y ~ {' + '.join(NAMES)}"
GROUPS: dict[str, Any] = {"group": "g", "groups": (1, 0)}


def own_call(task: str, data: Any) -> Callable[[], Any]:
    """Return the public call of a task."""
    import numpy as np

    import wagegap as wg

    many = tuple(float(p) for p in np.round(np.arange(1, 20) / 20, 2))
    boot = wg.cov.Bootstrap(100, rng=1)
    calls: dict[str, tuple[str, dict[str, Any]]] = {
        "twofold": ("oaxaca", {}),
        "pooled": ("oaxaca", {"reference": "pooled"}),
        "bootstrap": ("oaxaca", {"cov": wg.cov.Bootstrap(BOOTSTRAPS, rng=1)}),
        "rif": ("rif_oaxaca", {"probs": many, "convention": "none"}),
        "rif-bootstrap": ("rif_oaxaca", {"probs": many, "cov": boot}),
        "rif-reweighted": ("rif_oaxaca", {"probs": many, "cov": boot, "reweight": "logit"}),
        "dfl": ("dfl", {"statistics": "quantile", "probs": many, "cov": boot}),
        "qr": ("counterfactual", {"model": "qr", "regressions": 100, "probs": many, "cov": boot}),
        "logit": ("counterfactual", {"model": "logit", "probs": many, "cov": boot}),
    }
    name, options = calls[task]
    function = getattr(wg, name)
    return lambda: function(data, FORMULA, **GROUPS, **options)


def core_call(data: Any) -> Callable[[], Any]:
    """Return the numeric core of the twofold decomposition: moments, coefficients and sums of squared scores."""
    import numpy as np

    from wagegap.estimation.least_squares.moments import fit_mean_slopes, row_blocks

    x = np.column_stack([np.ones(len(data)), data[NAMES].to_numpy()])
    y, first = data["y"].to_numpy(), data["g"].to_numpy() == 1
    parts = [(y[at], np.ascontiguousarray(x[at])) for at in (first, ~first)]

    def run() -> None:
        for own_y, own_x in parts:
            fit = fit_mean_slopes(own_y, own_x)
            for rows in row_blocks(len(own_y)):
                z = own_x[rows] - fit.about
                scores = np.hstack([z, z * fit.residuals[rows, None]])
                scores.T @ scores

    return run


def floor_call(data: Any) -> Callable[[], Any]:
    """Return one symmetric cross-product of all columns."""
    import numpy as np
    from scipy.linalg import blas

    z = np.asfortranarray(np.column_stack([np.ones(len(data)), data[NAMES].to_numpy(), data["y"].to_numpy()]))
    return lambda: blas.dsyrk(1.0, z, trans=1)


def peer_call(software: str, task: str, data: Any, reps: int) -> tuple[Callable[[], Any], float]:
    """Return the peer's call, and by what its seconds are multiplied."""
    if software == "core":
        return core_call(data), 1.0
    if software == "floor":
        return floor_call(data), 1.0
    if software == "pypi-oaxaca":
        from oaxaca import Oaxaca

        return lambda: Oaxaca().fit(FORMULA, data, "g").two_fold(weights={1: 1.0, 0: 0.0}), 1.0
    import statsmodels.api as sm
    from statsmodels.stats.oaxaca import OaxacaBlinder

    def run() -> Any:
        x = sm.add_constant(data[[*NAMES, "g"]], prepend=False)
        boot = {"std": True, "n": reps} if task == "bootstrap" else {}
        return OaxacaBlinder(data["y"], x, "g").three_fold(**boot)

    return run, BOOTSTRAPS / reps if task == "bootstrap" else 1.0


def measure(task: str, software: str, n: int, repeats: int, reps: int) -> dict[str, Any]:
    """Time one call: smallest CPU and wall seconds, and the peak of the process in gigabytes."""
    data = simulate(n)
    loaded = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    call, scale = (own_call(task, data), 1.0) if software == "wagegap" else peer_call(software, task, data, reps)
    if software == "wagegap":
        small = simulate(2_000)
        own_call("twofold", small)()
    cpu, wall = [], []
    for _ in range(repeats):
        start, started = time.process_time(), time.perf_counter()
        call()
        cpu.append(time.process_time() - start)
        wall.append(time.perf_counter() - started)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    return {"cpu": min(cpu) * scale, "wall": min(wall) * scale, "peak": peak, "data": loaded / 1e6, "scaled": scale > 1}


R_CODE = {
    ("R-ddecompose", "twofold"): "ddecompose::ob_decompose({f}, data = d, group = g, reference_0 = FALSE)",
    ("R-ddecompose", "bootstrap"): (
        "ddecompose::ob_decompose({f}, data = d, group = g, reference_0 = FALSE, bootstrap = TRUE, "
        "bootstrap_iterations = {reps})"
    ),
    ("R-oaxaca", "bootstrap"): "oaxaca::oaxaca({f} | g, data = d, R = {reps})",
}


def measure_in_r(task: str, software: str, n: int, reps: int) -> dict[str, Any] | None:
    """Time an R package where there is one; None where it is not installed."""
    package, rscript = software.removeprefix("R-"), shutil.which("Rscript")
    if rscript is None or (software, task) not in R_CODE:
        return None
    call = R_CODE[software, task].format(f=FORMULA, reps=reps)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "data.csv"
        simulate(n).to_csv(path, index=False)
        code = (
            f'if (!requireNamespace("{package}", quietly = TRUE)) quit(status = 3); d <- read.csv("{path}"); '
            f"t <- system.time({call}); cat(sum(t[1:2]), t[3])"
        )
        done = subprocess.run([rscript, "-e", code], capture_output=True, text=True, check=False)
    if done.returncode:
        return None
    scale = BOOTSTRAPS / reps if task == "bootstrap" else 1.0
    cpu, wall = (scale * float(part) for part in done.stdout.split()[-2:])
    return {"cpu": cpu, "wall": wall, "peak": float("nan"), "data": float("nan"), "scaled": scale > 1}


def measure_apart(task: str, software: str, n: int, options: argparse.Namespace) -> dict[str, Any] | None:
    """Time in a process of its own; None where the software is not there."""
    if software.startswith("R-"):
        return measure_in_r(task, software, n, options.peer_reps)
    if software == "pypi-oaxaca" and importlib.util.find_spec("oaxaca") is None:
        return None
    threads = dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"), str(options.threads))
    command = [sys.executable, __file__, "--measure", task, software, "--n", str(n)]
    command += ["--repeats", str(options.repeats), "--peer-reps", str(options.peer_reps)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env={**os.environ, **threads})
    if done.returncode:
        print(f"  {software}: {done.stderr.strip().splitlines()[-1]}", file=sys.stderr)
        return None
    return dict(json.loads(done.stdout))


def report(task: str, options: argparse.Namespace) -> None:
    """Print a task's table: seconds, memory, and how many times wagegap's."""
    what = TASKS[task]
    n = options.n or what.n
    print(f"\n{what.words}, n = {n:,}, {options.threads} BLAS thread(s)")
    own = measure_apart(task, "wagegap", n, options)
    rows = [("wagegap", own)]
    if options.peers:
        rows += [(name, measure_apart(task, name, n, options)) for name in what.peers]
    for name, found in rows:
        if found is None:
            print(f"  {name:14} not available")
            continue
        ratio = f"{found['cpu'] / own['cpu']:8.2f} x" if own else ""
        note = " estimated" if found["scaled"] else ""
        if name == "wagegap" and what.target is not None and n == what.n:
            note = f" target {what.target:g} s"
        print(f"  {name:14} {found['cpu']:9.3f} s CPU {found['wall']:9.3f} s {found['peak']:6.2f} GB {ratio}{note}")


def main(arguments: Sequence[str] | None = None) -> None:
    """Time the tasks asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tasks", nargs="+", choices=list(TASKS), default=list(TASKS))
    parser.add_argument("--n", type=int, help="rows, instead of those each task is meant for")
    parser.add_argument("--threads", type=int, default=1, help="BLAS threads")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--peer-reps", type=int, default=3, help="bootstrap replications of a peer, then scaled")
    parser.add_argument("--no-peers", dest="peers", action="store_false")
    parser.add_argument("--measure", nargs=2, metavar=("TASK", "SOFTWARE"), help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.measure:
        task, software = options.measure
        print(json.dumps(measure(task, software, options.n, options.repeats, options.peer_reps)))
        return
    for task in options.tasks:
        report(task, options)


if __name__ == "__main__":
    main()
