"""Doors that take tables other than workers' pay: what must not matter does not, and every result can be shown.

Order of rows, their index, kinds of columns and frames, a further column, the scale of sampling weights and the unit of
a regressor change nothing but what they name; results survive pickling, print within 80 columns and can be drawn.
"""

from __future__ import annotations

import pickle

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

import wagegap as wg
from wagegap.regression.gravity.grogger_hanson import simulate_migrants

matplotlib.use("Agg")


def workers():
    """Six hundred workers of three countries, some of whom are paid, leave, and change field."""
    rng = np.random.default_rng(0)
    n = 600
    frame = pd.DataFrame(
        {
            "iso3": np.array(["FRA", "KOR", "USA"], dtype=object)[np.arange(n) % 3], "ai": rng.integers(2, size=n),
            "exper": rng.integers(1, 30, size=n) * 1.0, "psu": rng.integers(30, size=n), "w": rng.random(n) + 0.5,
            "z": rng.normal(size=n), "leaves": rng.integers(2, size=n), "field": rng.choice(["cs", "law", "med"], n),
            "next_field": rng.choice(["cs", "law", "med"], n),
        }
    )  # fmt: skip
    error = rng.normal(size=n)
    frame["pay"] = np.exp(2 + 0.2 * frame["ai"] + 0.01 * frame["exper"] + 0.4 * error)
    frame["works"] = (frame["z"] + error + rng.normal(size=n) > -0.5).astype(int)
    return frame.assign(paid=frame["pay"].where(frame["works"] == 1))


def sets():
    """Two hundred choosers of three places."""
    rng = np.random.default_rng(3)
    frame = pd.MultiIndex.from_product([range(200), ["us", "kr", "de"]], names=["who", "place"]).to_frame(index=False)
    frame = frame.assign(pay=rng.normal(size=600), w=np.repeat(rng.random(200) + 0.5, 3))
    utility = frame["pay"] + rng.gumbel(size=600)
    return frame.assign(took=(utility == utility.groupby(frame["who"]).transform("max")).astype(int))


def occupations():
    """Moves between ten occupations, stayers among them."""
    rng = np.random.default_rng(1)
    frame = pd.MultiIndex.from_product([range(10), range(10)], names=["left", "entered"]).to_frame(index=False)
    frame = frame.assign(dist=rng.random(100))
    moved = rng.poisson(30 * np.exp(-frame["dist"]))
    return frame.assign(moved=np.where(frame["left"] == frame["entered"], 5000.0, moved))


def places():
    """Fifteen units over twenty periods, with a common factor."""
    rng = np.random.default_rng(2)
    frame = pd.MultiIndex.from_product([range(15), range(20)], names=["unit", "year"]).to_frame(index=False)
    common = rng.normal(size=20).cumsum()[frame["year"]] * rng.normal(size=15)[frame["unit"]]
    frame = frame.assign(x=rng.normal(size=300) + common, w=rng.random(300) + 0.5)
    return frame.assign(y=0.5 * frame["x"] + common + rng.normal(size=300))


def migrants():
    return simulate_migrants(origins=12, destinations=12, rng=1)


PAY = dict(origin_wages=["wo_skilled", "wo_primary"], destination_wages=["wd_skilled", "wd_primary"])
SKILLS = dict(movers=["skilled", "primary"], stayers=["stay_skilled", "stay_primary"])
DOORS = {
    "roy": (workers, lambda d, **o: wg.fit_roy(d, "log(pay) ~ exper", leave="leaves", reps=19, **o)),
    "two steps": (workers, lambda d, **o: wg.fit_selection(d, "log(paid) ~ ai", selection="works ~ ai + z", **o)),
    "likelihood": (
        workers, lambda d, **o: wg.fit_selection(d, "log(paid) ~ ai", selection="works ~ ai + z", method="ml", **o)
    ),
    "places": (
        workers, lambda d, **o: wg.fit_selection(d, "log(pay) ~ ai", selection="field ~ exper + z", method="dahl", **o)
    ),
    "moves": (workers, lambda d, **o: wg.fit_transitions(d, "field", "next_field", by="iso3", **o)),
    "wild": (workers, lambda d, **o: wg.wild_bootstrap(d, "log(pay) ~ ai + exper", "ai", cluster="psu", reps=99, **o)),
    "choice": (
        sets, lambda d, **o: wg.fit_choice(d, "pay + C(place)", chooser="who", alternative="place", chosen="took", **o)
    ),
    "gravity": (
        occupations,
        lambda d, **o: wg.occupation_gravity(d, "dist", origin="left", target="entered", flow="moved", **o),
    ),
    "effects": (places, lambda d, **o: wg.common_correlated_effects(d, "y ~ x", unit="unit", period="year", **o)),
    "migrants": (
        migrants, lambda d, **o: wg.grogger_hanson(d, origin="o", destination="d", costs="dist", **SKILLS, **PAY, **o)
    ),
}  # fmt: skip
WEIGHTED = [name for name in DOORS if name not in ("gravity", "migrants")]
SHUFFLED = np.random.default_rng(5)
CHANGES = {
    "order": lambda frame: frame.iloc[SHUFFLED.permutation(len(frame))],
    "index": lambda frame: frame.set_axis([0] * len(frame)),
    "nullable": lambda frame: frame.convert_dtypes(),
    "arrow types": lambda frame: frame.convert_dtypes(dtype_backend="pyarrow"),
    "categories": lambda frame: frame.astype({c: "category" for c in frame if frame[c].dtype == object}),
    "arrow": lambda frame: pytest.importorskip("pyarrow").Table.from_pandas(frame),
    "polars": lambda frame: pytest.importorskip("polars").from_pandas(frame),
    "more": lambda frame: frame.assign(other=np.nan),
}


def numbers_of(result):
    """Estimates and their errors."""
    tidy = result.tidy()
    return tidy[["estimate", "std_error"]].to_numpy(dtype=float)


# iterations stop at a relative change of about 1e-10, and sums of 600 rows round at 1e-14: 1e-7 tells neither apart
CLOSE = dict(rtol=1e-7, atol=1e-10)


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("door", DOORS)
def test_what_carries_the_rows_does_not_matter(door, change):
    make, fit = DOORS[door]
    np.testing.assert_allclose(numbers_of(fit(CHANGES[change](make()))), numbers_of(fit(make())), **CLOSE)


@pytest.mark.parametrize("door", WEIGHTED)
def test_the_scale_of_sampling_weights_does_not_matter(door):
    make, fit = DOORS[door]
    plain = numbers_of(fit(make(), weights="w"))
    for factor in (1e4, 1e-7):
        scaled = make().assign(w=lambda frame, factor=factor: factor * frame["w"])
        np.testing.assert_allclose(numbers_of(fit(scaled, weights="w")), plain, **CLOSE)
    assert not np.allclose(plain, numbers_of(fit(make())), **CLOSE)


@pytest.mark.parametrize("door", WEIGHTED)
@pytest.mark.parametrize(("value", "kind"), [(-1.0, "negative in 1"), (np.inf, "infinite in 1"), (0.0, "zero in all")])
def test_weights_that_cannot_be_are_refused(door, value, kind):
    make, fit = DOORS[door]
    frame = make()
    frame.loc[frame.index if value == 0 else [3], "w"] = value
    with pytest.raises(wg.errors.DataError, match=kind):
        fit(frame, weights="w")


@pytest.mark.parametrize(
    ("door", "column", "terms"),
    [("two steps", "z", ["z"]), ("choice", "pay", ["pay"]), ("gravity", "dist", ["dist"]), ("effects", "x", ["x"])],
)
def test_the_unit_of_a_regressor_scales_its_coefficient(door, column, terms):
    make, fit = DOORS[door]
    plain, other = (fit(frame).tidy() for frame in (make(), make().assign(**{column: 1000 * make()[column]})))
    factor = np.where(plain["term"].isin(terms), 1000.0, 1.0)[:, None]
    columns = ["estimate", "std_error"]
    np.testing.assert_allclose(factor * other[columns].to_numpy(), plain[columns].to_numpy(), rtol=1e-6, atol=1e-10)


def test_the_currency_of_pay_moves_levels_and_not_logarithms():
    make, fit = DOORS["migrants"]
    pay = [name for names in PAY.values() for name in names]
    plain, other = (
        fit(frame).side_by_side() for frame in (make(), make().assign(**{name: 1000 * make()[name] for name in pay}))
    )
    np.testing.assert_allclose(other["log"], plain["log"], rtol=1e-8)
    np.testing.assert_allclose(1000 * other["linear"], plain["linear"], rtol=1e-8)


@pytest.mark.parametrize("door", DOORS)
def test_results_survive_pickling_and_can_be_shown(door):
    make, fit = DOORS[door]
    result = fit(make())
    again = pickle.loads(pickle.dumps(result))
    assert str(again) == str(result)
    pd.testing.assert_frame_equal(again.tidy(), result.tidy())
    assert max(map(len, str(result).splitlines())) <= 80
    assert result._repr_html_().startswith("<")


@pytest.mark.parametrize("door", [name for name in DOORS if name != "wild"])
def test_results_can_be_drawn_and_set_beside_others(door):
    make, fit = DOORS[door]
    result = fit(make())
    axes = np.ravel(result.plot())  # one for each cell where a cell is a matrix
    assert axes[0].get_xlabel() or axes[0].get_ylabel()
    plt.close(axes[0].figure)
    printed = str(wg.table(result, wg.fit_rates(workers(), "leaves", by="iso3")))
    assert "South Korea" in printed
    assert str(result.tidy()["term"].iloc[0]) in printed


@pytest.mark.parametrize("door", DOORS)
def test_an_empty_table_and_a_misspelt_option_are_refused(door):
    make, fit = DOORS[door]
    with pytest.raises(wg.errors.EmptyDataError, match="no rows"):
        fit(make().head(0))
    with pytest.raises(wg.errors.ArgumentError, match="takes no keyword 'weigths'"):
        fit(make(), weigths="w")


def test_codes_made_decimal_by_missing_values_are_the_same_codes():
    frame = workers().assign(now=lambda d: d["field"].map({"cs": 2512, "law": 2611, "med": 2211}))
    frame["after"] = frame["next_field"].map({"cs": 2512, "law": 2611, "med": 2211}).where(frame.index > 5)
    assert frame["after"].dtype == float
    moves = wg.fit_transitions(frame, "now", "after")
    assert moves.matrix().columns.tolist() == ["2211", "2512", "2611"]
    plain = wg.fit_transitions(workers().loc[6:], "field", "next_field").mobility()
    np.testing.assert_allclose(moves.mobility().values, plain.values, rtol=1e-12)


def test_a_wild_bootstrap_goes_into_a_table():
    make, fit = DOORS["wild"]
    test = fit(make())
    row = test.tidy().iloc[0]
    assert (row["estimate"], row["p_value"]) == (test.estimate, test.p_value)
    assert "ai = 0" in str(wg.table(test))
