"""A million workers in 120 cells: time is not asserted, memory and the size of what is kept are."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

WORKERS, PERIODS = 100_000, 10
SCRIPT = """
import json, pickle, resource, sys
import numpy as np
import pandas as pd
import wagegap as wg

def peak():  # ru_maxrss is in kilobytes on Linux, in bytes on macOS
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)

rng = np.random.default_rng(1)
n, periods = {workers}, {periods}
names = np.array("AUS CAN CHE DEU ESP FRA GBR ITA JPN KOR NLD USA".split(), dtype=object)
def again(values):
    return np.tile(values, periods)
ai, constant = again(rng.integers(2, size=n)), again(rng.normal(size=n))
exper = rng.integers(30, size=n * periods) * 1.0
log_pay = 2 + 0.2 * ai + 0.02 * exper + 0.3 * constant + rng.normal(0, 0.5, n * periods)
frame = pd.DataFrame({{
    "pid": again(np.arange(n)), "iso3": again(names[rng.integers(12, size=n)]),
    "year": np.repeat(2011 + np.arange(periods), n),
    "ai": ai, "exper": exper, "female": again(rng.integers(2, size=n)), "pay": np.exp(log_pay),
    "leaves": (rng.random(n * periods) < 0.1) * 1.0,
}})
panel = wg.read_panel(frame, worker="pid", country="iso3", period="year", wage="pay")
by = ["iso3", "year"]
premiums = wg.fit_premiums(panel, "log(pay) ~ ai + exper + I(exper**2) + female", premium="ai", by=by)
rates = wg.fit_rates(panel, {{"emigration": "leaves"}}, among="ai", by=by)
kept, small = pickle.dumps(premiums), pickle.dumps(premiums.without_units())
joined = wg.join(premiums.estimates, rates.estimates)
v, found = premiums.cov_params(), premiums.cells
cell = frame[(frame["iso3"] == "KOR") & (frame["year"] == 2013)]
x = np.column_stack([np.ones(len(cell)), cell[["ai", "exper"]], cell["exper"] ** 2, cell["female"]])
b = np.linalg.lstsq(x, np.log(cell["pay"]), rcond=None)[0]
e = np.log(cell["pay"]).to_numpy() - x @ b
bread = np.linalg.inv(x.T @ x)
hc1 = bread @ (x * (e**2)[:, None]).T @ x @ bread * len(e) / (len(e) - len(b))
print(json.dumps({{
    "rows": premiums.nobs, "cells": len(found), "cov": premiums.estimates.describe(), "peak": peak(),
    "kept": len(kept), "small": len(small), "joined": list(joined.covariance.shape),
    "same": float(v.loc["KOR 2012", "KOR 2013"] / v.loc["KOR 2013", "KOR 2013"]),
    "other": float(v.loc["KOR 2012", "USA 2012"]),
    "cross": float(np.abs(joined.covariance[:120, 120:]).max()),
    "premium": [float(premiums.params["KOR 2013"]), float(b[1])],
    "error": [float(premiums.bse["KOR 2013"]), float(np.sqrt(hc1[1, 1]))],
    "again": bool((pickle.loads(kept).cov_params().to_numpy() == v.to_numpy()).all()),
}}))
"""


@pytest.fixture(scope="module")
def done():
    pytest.importorskip("resource")
    code = SCRIPT.format(workers=WORKERS, periods=PERIODS)
    environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    made = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=300, env=environment)
    assert made.returncode == 0, made.stderr[-2000:]
    return json.loads(made.stdout)


def test_everyone_is_used_and_repeated_workers_are_one(done):
    assert (done["rows"], done["cells"]) == (1_000_000, 120)
    assert done["cov"].startswith("CR1:worker (100,000 worker")


def test_it_fits_in_two_gigabytes(done):
    assert done["peak"] < 2e9


def test_what_is_kept_is_small(done):
    assert done["kept"] < 200e6
    assert done["small"] < 1e6
    assert done["again"]


def test_a_cell_is_its_own_regression(done):
    """Within a cell each worker stands once, so that CR1 is HC1: n/(n-1) (n-1)/(n-k) is n/(n-k)."""
    assert done["premium"][0] == pytest.approx(done["premium"][1], rel=1e-10)
    assert done["error"][0] == pytest.approx(done["error"][1], rel=1e-9)


def test_shared_workers_relate_periods_and_stages(done):
    """Pay has a part that stays, of variance .09 beside .25: scores of two years are correlated about .26."""
    assert done["joined"] == [240, 240]
    assert done["same"] == pytest.approx(0.09 / 0.34, abs=0.05)
    assert done["other"] == 0.0
    assert done["cross"] > 0.0
