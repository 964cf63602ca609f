"""Every door takes any frame: of another library, order, index or type, and weights on any scale.

The doors of premiums and rates are looked at in their own files; here are those that take other rows.
"""

from __future__ import annotations

import pickle
import warnings

import numpy as np
import pandas as pd
import pytest

import wagegap as wg
from wagegap.regression.gravity.grogger_hanson import simulate_migrants


def leavers():
    rng = np.random.default_rng(0)
    return pd.DataFrame(
        {"pay": np.exp(rng.normal(2, 0.4, 400)), "educ": rng.choice(["a", "b"], 400),
         "leaves": rng.integers(2, size=400) * 1.0, "w": rng.random(400) + 0.5}
    )  # fmt: skip


def occupations():
    rng = np.random.default_rng(0)
    frame = pd.MultiIndex.from_product([range(8), range(8)], names=["left", "entered"]).to_frame(index=False)
    frame["dist"] = abs(frame["left"] - frame["entered"]) / 10
    frame["moved"] = np.where(frame["dist"] == 0, 5000, rng.poisson(300 * np.exp(-frame["dist"])))
    return frame


def panel_of_places():
    rng = np.random.default_rng(0)
    frame = pd.MultiIndex.from_product([range(20), range(12)], names=["o", "t"]).to_frame(index=False)
    frame["gdp"] = rng.normal(size=12)[frame["t"]] * rng.uniform(0.5, 2, 20)[frame["o"]] + rng.normal(size=240)
    return frame.assign(flow=frame["gdp"] / 2 + rng.normal(size=240), w=rng.random(240) + 0.5)


def sets():
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"who": np.repeat(np.arange(200), 3), "place": np.tile(["home", "near", "far"], 200)})
    frame["pay"] = rng.normal(size=600)
    utility = (frame["pay"] + rng.gumbel(size=600)).to_numpy().reshape(200, 3)
    frame["took"] = (utility == utility.max(axis=1, keepdims=True)).ravel() * 1.0
    return frame.assign(w=np.repeat(rng.random(200) + 0.5, 3))


def stayers():
    rng = np.random.default_rng(1)
    u, z, x = rng.normal(size=(3, 800))
    stays = z + x + u > 0
    pay = np.where(stays, 1 + 0.5 * x + 0.8 * u + 0.3 * rng.normal(size=800), np.nan)
    return pd.DataFrame({"pay": pay, "stays": stays * 1.0, "x": x, "z": z, "w": rng.random(800) + 0.5})


def moves():
    rng = np.random.default_rng(1)
    now = rng.choice(["cs", "law", "med"], 600)
    later = np.where(rng.random(600) < 0.7, now, rng.choice(["cs", "law", "med"], 600))
    return pd.DataFrame({"field": now, "next_field": later, "w": rng.random(600) + 0.5})


def firms():
    rng = np.random.default_rng(1)
    frame = pd.DataFrame({"firm": np.repeat(np.arange(12), 10), "x": rng.normal(size=120), "w": rng.random(120) + 0.5})
    return frame.assign(y=0.2 * frame["x"] + rng.normal(size=12)[frame["firm"]] + rng.normal(size=120))


def gravity(frame):
    columns = {"movers": "", "stayers": "stay_", "origin_wages": "wo_", "destination_wages": "wd_"}
    named = {side: [f"{mark}skilled", f"{mark}primary"] for side, mark in columns.items()}
    return wg.grogger_hanson(frame, origin="o", destination="d", costs="log(dist)", **named)


CHOICE = dict(chooser="who", alternative="place", chosen="took")
NESTS = {"abroad": ["near", "far"], "home": ["home"]}
DOORS = {
    "roy": (leavers, lambda d, **o: wg.fit_roy(d, "log(pay) ~ educ", leave="leaves", reps=9, **o)),
    "gravity of skills": (lambda: simulate_migrants(8, 12, rng=1), gravity),
    "gravity of occupations": (
        occupations, lambda d: wg.occupation_gravity(d, "dist", origin="left", target="entered", flow="moved"),
    ),
    "common effects": (
        panel_of_places, lambda d, **o: wg.common_correlated_effects(d, "flow ~ gdp", unit="o", period="t", **o),
    ),
    "choice": (sets, lambda d, **o: wg.fit_choice(d, "pay + place", **CHOICE, **o)),
    "nests": (sets, lambda d, **o: wg.fit_choice(d, "pay", **CHOICE, nests=NESTS, **o)),
    "two steps": (stayers, lambda d, **o: wg.fit_selection(d, "pay ~ x", selection="stays ~ x + z", **o)),
    "Heckman": (stayers, lambda d, **o: wg.fit_selection(d, "pay ~ x", selection="stays ~ x + z", method="ml", **o)),
    "moves": (moves, lambda d, **o: wg.fit_transitions(d, "field", "next_field", **o)),
    "wild": (firms, lambda d, **o: wg.wild_bootstrap(d, "y ~ x", "x", cluster="firm", reps=99, **o)),
}  # fmt: skip
WEIGHTED = sorted(set(DOORS) - {"gravity of skills", "gravity of occupations"})
FRAMES = {
    "row order": lambda frame: frame.sample(frac=1, random_state=0),
    "one index": lambda frame: frame.set_index(np.zeros(len(frame), dtype=int)),
    "index of text": lambda frame: frame.set_index(pd.Index([f"row {i}" for i in range(len(frame))])),
    "polars": lambda frame: pytest.importorskip("polars").from_pandas(frame),
    "arrow": lambda frame: pytest.importorskip("pyarrow").Table.from_pandas(frame),
    "nullable": lambda frame: frame.convert_dtypes(),
    "arrow types": lambda frame: frame.convert_dtypes(dtype_backend="pyarrow"),
    "objects": lambda frame: frame.astype(object),
    "categories": lambda frame: frame.astype({name: "category" for name in frame if frame[name].dtype != float}),
    "odd columns": lambda frame: frame.assign(_weights=1, _taken=2, _event=3, exit=4, premium=5, **{"a b": 6}),
}


def numbers(found):
    """Estimates and standard errors."""
    tidy = found.tidy()
    return tidy[["estimate", "std_error"]].to_numpy()


def fitted(name, change=lambda frame: frame, **options):
    make, fit = DOORS[name]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", wg.errors.WagegapWarning)
        return fit(change(make()), **options)


@pytest.mark.parametrize("kind", FRAMES)
@pytest.mark.parametrize("name", sorted(set(DOORS)))
def test_frames_of_every_kind_give_the_same(name, kind):
    # sums in another order; Newton's steps stop within 1e-9 of a standard error
    np.testing.assert_allclose(numbers(fitted(name, FRAMES[kind])), numbers(fitted(name)), rtol=1e-7, atol=1e-12)


@pytest.mark.parametrize("factor", [1e-9, 1e6])
@pytest.mark.parametrize("name", WEIGHTED)
def test_sampling_weights_have_no_scale(name, factor):
    scaled = fitted(name, lambda frame: frame.assign(w=factor * frame["w"]), weights="w")
    # as above
    np.testing.assert_allclose(numbers(scaled), numbers(fitted(name, weights="w")), rtol=1e-7, atol=1e-12)


@pytest.mark.parametrize("name", WEIGHTED)
def test_rows_of_weight_zero_are_as_if_dropped(name):
    kept = fitted(name, lambda frame: frame[frame.index % 12 >= 3], weights="w")
    zero = fitted(name, lambda frame: frame.assign(w=frame["w"].where(frame.index % 12 >= 3, 0.0)), weights="w")
    # the same rows in the same order
    np.testing.assert_allclose(numbers(zero), numbers(kept), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("name", sorted(set(DOORS)))
def test_results_survive_a_pickle_and_data_stay_as_they_are(name):
    make, fit = DOORS[name]
    data = make()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", wg.errors.WagegapWarning)
        found = fit(data)
    pd.testing.assert_frame_equal(data, make())
    again = pickle.loads(pickle.dumps(found))
    assert str(again) == str(found)
    assert str(wg.table(again)) == str(wg.table(found))
    assert max(map(len, str(found).splitlines())) <= 80


@pytest.mark.parametrize("unit", [1e-12, 1e12])
@pytest.mark.parametrize("name", ["two steps", "Heckman"])
def test_selection_has_no_units(name, unit):
    plain = fitted(name).tidy()["std_error"]
    scaled = fitted(name, lambda frame: frame.assign(z=unit * frame["z"])).tidy()
    found = scaled["std_error"].where(scaled["term"] != "z", unit * scaled["std_error"])
    np.testing.assert_allclose(found, plain, rtol=1e-6)  # columns are scaled before they are solved for
