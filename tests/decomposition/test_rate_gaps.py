"""Gaps of rates: Kitagawa and Das Gupta, Fairlie, Yun; agreement, identities, errors, bad input."""

from __future__ import annotations

import json

import designs
import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from hypothesis import given, settings
from hypothesis import strategies as st

import wagegap as wg
from wagegap.decomposition.rates.dasgupta import decompose_rates
from wagegap.decomposition.rates.switching import (
    Side,
    SwitchPlan,
    match_draws,
    match_quantiles,
    switch_gradient,
    switch_parts,
)
from wagegap.errors import CovarianceError, DataError, IdentificationError, OptionError, UnitError

FORMULA = "homecomp ~ female + age + hsgrad + somecol + college + married + prevmar"
BLOCKS = {"educ": ["hsgrad", "somecol", "college"], "marstat": ["married", "prevmar"]}
ORDER = ["female", "age", "educ", "marstat"]
# Own computation from the published formulas (numpy; statsmodels for the likelihoods), homecomp.csv, white minus black:
# explained and unexplained by Yun at the first group's coefficients, to 1e-10, the accuracy of both optima.
YUN = {"logit": (0.08047402215117305, 0.22078855899348782), "probit": (0.07936910140578946, 0.22295271579827103)}


@pytest.fixture(scope="module")
def households():
    return designs.households()


@pytest.fixture(scope="module")
def homes(shared):
    data = pd.read_csv(shared / "refdata" / "homecomp.csv")
    return data[(data["white"] == 1) | (data["black"] == 1)]


@pytest.fixture(scope="module")
def reference(shared):
    return json.loads((shared / "reference" / "own_fairlie_yun_homecomp.json").read_text())["results"]


def drawn(n=1500, seed=0, link="logit"):
    rng = np.random.default_rng(seed)
    group = rng.integers(2, size=n)
    x, z = rng.normal(size=n) + 0.5 * group, rng.integers(3, size=n)
    index = -1 + 0.6 * x + 0.3 * z * (1 + group) - 0.2 * group
    p = {"logit": lambda v: 1 / (1 + np.exp(-v)), "cloglog": lambda v: 1 - np.exp(-np.exp(v - 1))}[link](index)
    return pd.DataFrame({"y": (rng.random(n) < p) * 1.0, "x": x, "z": z, "g": np.where(group == 1, "b", "a"),
                         "w": 0.5 + rng.random(n), "cl": rng.integers(60, size=n)})  # fmt: skip


def rows_of(result, component):
    tidy = result.tidy()
    return tidy[tidy["component"] == component].set_index("term")["estimate"]


# Yun -----------------------------------------------------------------------------------------------------------------


def agree_with_yun(homes, expected, model):
    found = wg.yun(homes, FORMULA, group="black", groups=(0, 1), model=model)
    published = [expected["yun_ref0"][name] for name in ("explained", "unexplained")]
    np.testing.assert_allclose(found.totals().values[1:], published, rtol=1e-10)
    for component in ("explained", "unexplained"):
        rows = rows_of(found, component).rename({"Intercept": "_cons"})
        for name, value in expected["yun_ref0"][f"{component}_by"].items():
            assert rows[name] == pytest.approx(value, abs=1e-10)
    np.testing.assert_allclose(found.levels.values, [expected["pred00"], expected["pred11"]], rtol=1e-10)
    other = wg.yun(homes, FORMULA, group="black", groups=(0, 1), model=model, reference="B", detail="none")
    np.testing.assert_allclose(other.totals().values[1:], list(expected["yun_ref1"].values()), rtol=1e-9)
    return found


@pytest.mark.parametrize("model", ["logit", "probit"])
def test_yun_of_the_published_formula(households, facts, model):
    agree_with_yun(households, facts("rate_gaps")[model], model)


def test_yun_of_homes_with_a_computer(homes, reference):
    for model, totals in YUN.items():
        found = agree_with_yun(homes, reference[model], model)
        np.testing.assert_allclose(found.totals().values[1:], totals, rtol=1e-10)


def test_yun_with_a_linear_index_is_oaxaca():
    data = drawn()
    call = dict(formula="y ~ x + C(z)", group="g", groups=("a", "b"), cov="HC1")
    linear, means = wg.yun(data, **call, model="lpm"), wg.oaxaca(data, **call)
    np.testing.assert_allclose(linear.params, means.params, rtol=1e-8, atol=1e-12)
    np.testing.assert_allclose(linear.bse, means.bse, rtol=2e-3, atol=1e-10)  # HC1 counts parameters by fit there


@pytest.mark.parametrize("model", ["logit", "probit", "cloglog"])
def test_influence_of_yun_is_the_derivative_in_the_weights(model):
    data = drawn(300)
    call = dict(formula="y ~ x + z", group="g", groups=("a", "b"), model=model, cov="HC0")
    found = wg.yun(data, **call)
    (source,), (matrix,) = found.estimates.sources, found.estimates.maps
    order = np.concatenate([np.flatnonzero(data["g"] == g) for g in "ab"])
    for i in (0, 5, 250):
        ends = []
        for sign in (1, -1):
            w = np.ones(len(data))
            w[order[i]] += sign * 1e-4
            ends.append(wg.yun(data, **call, weights=w, weight_kind="analytic").estimates.values)
        np.testing.assert_allclose(
            matrix @ source.scores[[order[i]]].toarray()[0], (ends[0] - ends[1]) / 2e-4, rtol=1e-4, atol=1e-9
        )


def test_base_categories_do_not_matter_once_normalised():
    data = drawn().assign(z=lambda d: d["z"].map({0: "low", 1: "mid", 2: "top"}))
    call = dict(formula="y ~ x + z", group="g", groups=("a", "b"), normalize="z")
    one = wg.yun(data, **call)
    other = wg.yun(data.assign(z=pd.Categorical(data["z"], categories=["top", "low", "mid"])), **call)
    np.testing.assert_allclose(one.estimates.values, other.estimates.values, rtol=1e-8)
    np.testing.assert_allclose(one.bse, other.bse, rtol=1e-8)


# Fairlie -------------------------------------------------------------------------------------------------------------


def agree_with_fairlie(homes, reference, model, order):
    """4,000 random subsamples there: within four of their simulation errors, ours of the same size counted too."""
    call = dict(formula=FORMULA, group="black", groups=(0, 1), model=model, detail=BLOCKS,
                order=ORDER if order == "fixed" else "all")  # fmt: skip
    expected = reference[model][f"fairlie_ref0_{order}_order"]
    draws = wg.fairlie(homes, **call, match="draws", reps=1000, rng=1)
    exact = wg.fairlie(homes, **call)
    for name, value in expected.items():
        assert rows_of(draws, "explained")[name] == pytest.approx(value["mean"], abs=4 * np.sqrt(5) * value["mc_se"])
        assert rows_of(exact, "explained")[name] == pytest.approx(value["mean"], abs=4 * value["mc_se"])
    gap = reference[model]["pred00"] - reference[model]["pred10"]
    assert exact.totals().values[1] == pytest.approx(gap, rel=1e-10)  # matching all of both groups loses nobody


@pytest.mark.parametrize("model", ["logit", "probit"])
@pytest.mark.parametrize("order", ["fixed", "random"])
def test_fairlie_of_the_published_procedure(households, facts, model, order):
    agree_with_fairlie(households, facts("rate_gaps"), model, order)


def test_fairlie_of_homes_with_a_computer(homes, reference):
    for model in ("logit", "probit"):
        for order in ("fixed", "random"):
            agree_with_fairlie(homes, reference, model, order)


def test_shapley_values_are_the_mean_over_all_orders():
    from itertools import permutations

    every = SwitchPlan.orders([list(p) for p in permutations(range(4))], 4)
    shapley = SwitchPlan.all_orders(4)
    place = {tuple(row): sign for row, sign in zip(shapley.subsets.tolist(), shapley.signs, strict=True)}
    for subset, sign in zip(every.subsets.tolist(), every.signs, strict=True):
        np.testing.assert_allclose(place[tuple(subset)], sign, atol=1e-12)


def test_weights_are_repeated_rows_in_quantile_matching():
    rng = np.random.default_rng(1)
    x = [np.column_stack([np.ones(n), rng.normal(size=(n, 2))]) for n in (30, 20)]
    times = [rng.integers(1, 4, size=len(part)) for part in x]
    coef, blocks, plan = np.array([0.2, 0.7, -0.5]), np.array([[1.0, 1, 0], [0, 0, 1.0]]), SwitchPlan.all_orders(2)
    weighted = [Side.of(part, t.astype(float), coef, blocks) for part, t in zip(x, times, strict=True)]
    repeated = [
        Side.of(np.repeat(part, t, axis=0), np.ones(t.sum()), coef, blocks) for part, t in zip(x, times, strict=True)
    ]
    for sides in (weighted, repeated):
        pairs = match_quantiles(*sides)
        found = (
            switch_parts(*sides, pairs, "logit", plan),
            switch_gradient(*sides, pairs, blocks, "logit", plan),
        )
        if sides is weighted:
            first = found
    np.testing.assert_allclose(found[0], first[0], rtol=1e-9)
    np.testing.assert_allclose(found[1], first[1], rtol=1e-9, atol=1e-14)


def test_gradient_of_fairlie_at_fixed_pairs():
    rng = np.random.default_rng(2)
    x = [np.column_stack([np.ones(n), rng.normal(size=(n, 2))]) for n in (30, 20)]
    coef, blocks, plan = np.array([0.2, 0.7, -0.5]), np.array([[1.0, 1, 0], [0, 0, 1.0]]), SwitchPlan.all_orders(2)

    def at(b):
        return [Side.of(part, np.ones(len(part)), b, blocks) for part in x]

    pairs = match_draws(*at(coef), 5, np.random.default_rng(0))
    gradient = switch_gradient(*at(coef), pairs, blocks, "probit", plan)
    for j, step in enumerate(1e-6 * np.eye(3)):
        up, down = (switch_parts(*at(coef + s * step), pairs, "probit", plan) for s in (1, -1))
        np.testing.assert_allclose(gradient[:, j], (up - down) / 2e-6, atol=1e-8)


def test_errors_of_fairlie_are_those_of_the_bootstrap():
    data = drawn(1500)
    call = dict(formula="y ~ x + z", group="g", groups=("a", "b"))
    full = wg.fairlie(data, **call)
    boot = wg.fairlie(data, **call, cov=wg.cov.Bootstrap(300, rng=1, strata="g"))
    ratio = boot.bse / full.bse
    # 300 draws: .04 each; four of them, and the smoothing of ranks
    assert ((ratio > 0.8) & (ratio < 1.2)).all(), ratio
    given = wg.fairlie(data, **call, convention="conditional")
    assert (given.bse.to_numpy()[1:4] < full.bse.to_numpy()[1:4]).all()


def test_order_of_rows_and_seeds():
    data = drawn(600)
    call = dict(formula="y ~ x + z", group="g", groups=("a", "b"))
    one, two = wg.fairlie(data, **call), wg.fairlie(data.sample(frac=1, random_state=3), **call)
    np.testing.assert_allclose(one.estimates.values, two.estimates.values, rtol=1e-9)
    np.testing.assert_allclose(one.bse, two.bse, rtol=1e-6)
    first, again = (wg.fairlie(data, **call, match="draws", reps=50, rng=4).estimates.values for _ in range(2))
    np.testing.assert_array_equal(first, again)
    other = wg.fairlie(data, **call, order="random", reps=2000, rng=4)
    np.testing.assert_allclose(other.estimates.values, one.estimates.values, atol=2e-3)


@pytest.mark.parametrize("reference", ["A", "B", "pooled", "neumark"])
def test_references_of_fairlie(reference):
    data = drawn()
    found = wg.fairlie(data, "y ~ x + z", group="g", groups=("a", "b"), reference=reference, cov="CR1:cl")
    x = sm.add_constant(data[["x", "z"]].to_numpy(dtype=float))
    second = (data["g"] == "b").to_numpy() * 1.0
    rows = {"A": second == 0, "B": second == 1}.get(reference, np.ones(len(data), dtype=bool))
    more = np.column_stack([x, second]) if reference == "pooled" else x
    fit = sm.Logit(data["y"][rows].to_numpy(), more[rows]).fit(disp=0, tol=1e-12)
    p = 1 / (1 + np.exp(-x @ fit.params[:3]))
    assert found.totals().values[1] == pytest.approx(p[second == 0].mean() - p[second == 1].mean(), rel=1e-8)
    assert found.totals().values[0] == pytest.approx(data.groupby("g")["y"].mean().diff().iloc[1] * -1, rel=1e-12)


# Kitagawa and Das Gupta ----------------------------------------------------------------------------------------------


def test_kitagawa_by_its_formula():
    table = pd.DataFrame({"g": list("aabb"), "age": ["young", "old"] * 2, "n": [60, 40, 500, 500],
                          "rate": [0.2, 0.4, 0.1, 0.3]})  # fmt: skip
    found = wg.kitagawa(table, "rate", "age", group="g", size="n", detail="cells")
    s, r = np.array([[0.4, 0.6], [0.5, 0.5]]), np.array([[0.4, 0.2], [0.3, 0.1]])
    composition, rates = ((s[0] - s[1]) * r.mean(axis=0)).sum(), (r[0] - r[1]) * s.mean(axis=0)
    np.testing.assert_allclose(found.totals().values, [0.08, composition, rates.sum()], rtol=1e-12)
    np.testing.assert_allclose(found.detail("rates").estimates.values, rates, rtol=1e-12)


def test_das_guptas_two_factors():
    """Das Gupta (1993), cross-classified by two factors: the standardisation formulas written out."""
    rng = np.random.default_rng(0)
    levels = np.array([[a, b] for a in range(3) for b in range(2)])
    n, r = rng.integers(10, 100, (2, 6)).astype(float), rng.random((2, 6))
    found = decompose_rates(n, r, levels)

    def effects(sizes):
        t = sizes.reshape(3, 2)
        a = np.sqrt(t / t.sum(axis=0) * t.sum(axis=1, keepdims=True) / t.sum())
        b = np.sqrt(t / t.sum(axis=1, keepdims=True) * t.sum(axis=0) / t.sum())
        return a.ravel(), b.ravel()

    (a1, b1), (a2, b2) = effects(n[0]), effects(n[1])
    first = (r[0] + r[1]) / 2 * (b1 + b2) / 2 @ (a1 - a2)
    second = (r[0] + r[1]) / 2 * (a1 + a2) / 2 @ (b1 - b2)
    third = (a1 * b1 + a2 * b2) / 2 @ (r[0] - r[1])
    np.testing.assert_allclose(found.values, [first, second, third], rtol=1e-12)


DEATHS = {  # Das Gupta (1993), table 5.3: population in thousands and deaths per thousand, by race and age
    (1985, "white"): (
        [3041, 11577, 27450, 32711, 35480, 27411, 19555, 19795, 15254, 8022, 2472],
        [9.163, 0.462, 0.248, 0.929, 1.084, 1.810, 4.715, 12.187, 27.728, 64.068, 157.570],
    ),
    (1985, "other"): (
        [707, 2692, 6473, 6841, 6547, 4352, 3034, 2540, 1749, 804, 236],
        [17.208, 0.738, 0.328, 1.103, 2.045, 3.724, 8.052, 17.812, 34.128, 68.276, 125.161],
    ),
    (1970, "white"): (
        [2968, 11484, 34614, 30992, 21983, 20314, 20928, 16897, 11339, 5720, 1315],
        [18.469, 0.751, 0.391, 1.146, 1.287, 2.672, 6.636, 15.691, 34.723, 79.763, 176.837],
    ),
    (1970, "other"): (
        [535, 2162, 6120, 4781, 3096, 2718, 2363, 1767, 1149, 448, 117],
        [36.993, 1.352, 0.541, 2.040, 3.523, 6.746, 12.967, 24.471, 45.091, 74.902, 123.205],
    ),
}


@pytest.mark.public_case("dasgupta")
@pytest.mark.parametrize("factors", [["race", "age"], ["age", "race"], ["both"]])
def test_das_guptas_example_of_death_rates(facts, factors):
    """Printed to five digits: rate, race and age effect per thousand, whatever the order of the factors."""
    right = facts("public_cases")["dasgupta"]["right"]["example_5_3"]
    table = pd.concat([
        pd.DataFrame({"year": year, "race": race, "age": range(11), "n": n, "rate": np.array(rate) / 1000})
        for (year, race), (n, rate) in DEATHS.items()
    ], ignore_index=True)  # fmt: skip
    table["both"] = table["race"] + table["age"].astype(str)
    gap = wg.kitagawa(table, "rate", factors, group="year", groups=(1985, 1970), size="n")
    found = gap.tidy().set_index("term")["estimate"] * 1000
    totals = gap.totals().tidy().set_index("component")["estimate"] * 1000
    assert totals["rates"] == pytest.approx(right["rate"], abs=5e-6)
    assert totals["composition"] == pytest.approx(right["race"] + right["age"], abs=1e-5)
    for name in set(factors) - {"both"}:
        assert found[name] == pytest.approx(right[name], abs=5e-6)


@pytest.mark.public_case("dasgupta")
def test_the_rate_effect_of_mortgages_refused_is_that_of_their_cells(facts, packaged):
    """The four cells of a bad history and being single, as one factor or as two: estimates and errors."""
    right = facts("public_cases")["dasgupta"]["right"]["hmda_rate_effect"]
    data = packaged("AER", "HMDA").assign(
        refused=lambda d: (d["deny"] == "yes").astype(int), history=lambda d: d["chist"].astype(int) > 1
    )
    data["both"] = data["history"].astype(str) + data["single"].astype(str)
    call = dict(group="afam", groups=("yes", "no"), detail="none")
    one, two = (wg.kitagawa(data, "refused", f, **call) for f in ("both", ["history", "single"]))
    assert one.estimates.values[2] == pytest.approx(right, abs=5e-7)
    np.testing.assert_allclose(two.estimates.values, one.estimates.values, rtol=1e-12)
    np.testing.assert_allclose(two.bse, one.bse, rtol=1e-10)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10_000), factors=st.integers(2, 4))
def test_the_rate_effect_does_not_depend_on_how_many_factors_name_the_cells(seed, factors):
    """With empty cells, by cell too, and its derivatives in sizes and rates."""
    rng = np.random.default_rng(seed)
    levels = np.array(np.meshgrid(*[np.arange(2)] * factors)).reshape(factors, -1).T
    n = rng.integers(0, 4, (2, len(levels))).astype(float) + (np.arange(len(levels)) == 0)
    r = rng.random((2, len(levels)))
    cells = list(np.arange(len(levels))[:, None])
    several, single = (
        decompose_rates(n, r, levels, cells),
        decompose_rates(n, r, np.arange(len(levels))[:, None], cells),
    )
    np.testing.assert_allclose(several.values[factors:], single.values[1:], atol=1e-14)
    np.testing.assert_allclose(several.values[:factors].sum(), single.values[0], atol=1e-13)
    for name in ("by_size", "by_rate"):
        many, one = getattr(several, name), getattr(single, name)
        np.testing.assert_allclose(many[:, factors:], one[:, 1:], atol=1e-14)
        np.testing.assert_allclose(many[:, :factors].sum(axis=1), one[:, 0], atol=1e-12)


def test_a_factor_that_is_alike_in_both_groups_and_unrelated_to_the_other_has_no_part():
    """Shares are products of the margins: the part of each factor is that of its own margin, at mean rates."""
    a, b = np.array([[0.3, 0.7], [0.5, 0.5]]), np.array([0.2, 0.8])
    levels = np.array([[i, j] for i in range(2) for j in range(2)])
    n = np.array([np.outer(a[g], b).ravel() for g in range(2)]) * 100
    r = np.array([[0.1, 0.2, 0.3, 0.5], [0.2, 0.2, 0.4, 0.4]])
    found = decompose_rates(n, r, levels).values
    composition = (n[0] - n[1]) / 100 @ r.mean(axis=0)
    np.testing.assert_allclose(found[:2], [composition, 0.0], atol=1e-15)


@pytest.mark.parametrize("cells", [None, [[0], [1, 2], [3, 4, 5]]])
def test_derivatives_in_sizes(cells):
    rng = np.random.default_rng(3)
    levels = np.array([[a, b] for a in range(3) for b in range(2)])
    n, r = rng.integers(10, 100, (2, 6)).astype(float), rng.random((2, 6))
    parts = None if cells is None else [np.array(part) for part in cells]
    found = decompose_rates(n, r, levels, parts)
    for g, c in np.ndindex(2, 6):
        ends = []
        for sign in (1, -1):
            moved = n.copy()
            moved[g, c] += sign * 1e-4
            ends.append(decompose_rates(moved, r, levels, parts).values)
        np.testing.assert_allclose(found.by_size[g, :, c], (ends[0] - ends[1]) / 2e-4, atol=1e-9)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10_000), factors=st.integers(1, 4))
def test_parts_of_any_number_of_factors_add_up(seed, factors):
    rng = np.random.default_rng(seed)
    levels = np.array(np.meshgrid(*[np.arange(2)] * factors)).reshape(factors, -1).T
    n = rng.integers(0, 50, (2, len(levels))).astype(float) + (np.arange(len(levels)) == 0)
    r = rng.random((2, len(levels)))
    found = decompose_rates(n, r, levels)
    gap = (n * r).sum(axis=1) / n.sum(axis=1)
    assert found.values.sum() == pytest.approx(gap[0] - gap[1], abs=1e-12)
    np.testing.assert_allclose(decompose_rates(n[::-1], r[::-1], levels).values, -found.values, atol=1e-12)


def test_workers_and_their_table_agree():
    data = drawn().assign(young=lambda d: d["x"] > 0)
    workers = wg.kitagawa(data, "y", ["young", "z"], group="g", groups=("a", "b"), cov="HC0")
    table = data.groupby(["g", "young", "z"], as_index=False).agg(rate=("y", "mean"), n=("y", "size"))
    tables = wg.kitagawa(table, "rate", ["young", "z"], group="g", groups=("a", "b"), size="n")
    np.testing.assert_allclose(workers.estimates.values, tables.estimates.values, rtol=1e-10)
    np.testing.assert_allclose(workers.bse, tables.bse, rtol=1e-8)
    np.testing.assert_allclose(workers.levels.bse, tables.levels.bse, rtol=1e-8)
    shares = table.assign(n=table["n"] / table.groupby("g")["n"].transform("sum"))
    assert wg.kitagawa(shares, "rate", ["young", "z"], group="g", groups=("a", "b"), size="n").bse.isna().all()


def test_influence_of_kitagawa_is_the_derivative_in_the_weights():
    data = drawn(400)
    call = dict(outcome="y", factors=["z"], group="g", groups=("a", "b"), cov="HC0", detail="cells")
    found = wg.kitagawa(data, **call)
    (source,), (matrix,) = found.estimates.sources, found.estimates.maps
    order = np.concatenate([np.flatnonzero(data["g"] == g) for g in "ab"])
    for i in (0, 300):
        ends = []
        for sign in (1, -1):
            w = np.ones(len(data))
            w[order[i]] += sign * 1e-4
            ends.append(wg.kitagawa(data, **call, weights=w, weight_kind="analytic").estimates.values)
        np.testing.assert_allclose(
            matrix @ source.scores[[order[i]]].toarray()[0], (ends[0] - ends[1]) / 2e-4, rtol=1e-4, atol=1e-10
        )


def test_derivatives_where_either_group_lacks_a_cell():
    """A cell that a group lacks has the other's rate, whichever of the two it is."""
    rng = np.random.default_rng(0)
    levels = np.array([[a, b] for a in range(3) for b in range(2)])
    n, r = rng.integers(10, 100, (2, 6)).astype(float), rng.random((2, 6))
    n[0, 2] = n[1, 4] = 0
    found = decompose_rates(n, r, levels)
    for g, c in np.ndindex(2, 6):
        ends = []
        for sign in (1, -1):
            moved = r.copy()
            moved[g, c] += sign * 1e-6
            ends.append(decompose_rates(n, moved, levels).values)
        np.testing.assert_allclose(found.by_rate[g, :, c], (ends[0] - ends[1]) / 2e-6, atol=1e-8)


def test_a_cell_that_one_group_lacks_is_composition():
    table = pd.DataFrame({"g": list("aaabb"), "age": ["x", "y", "z", "x", "y"], "n": [10, 10, 20, 30, 30],
                          "rate": [0.1, 0.2, 0.9, 0.1, 0.2]})  # fmt: skip
    found = wg.kitagawa(table, "rate", "age", group="g", size="n", detail="none")
    np.testing.assert_allclose(found.params, [0.525 - 0.15, 0.525 - 0.15, 0.0], atol=1e-12)


def test_replicates_and_countries_together():
    data = drawn(800).assign(iso3=lambda d: np.where(np.arange(len(d)) % 2, "KOR", "USA"))
    call = dict(outcome="y", factors="z", group="g", groups=("a", "b"), by="iso3")
    both, alone = wg.kitagawa(data, **call), wg.kitagawa(data[data["iso3"] == "KOR"], **call)
    np.testing.assert_allclose(both.estimates.select(iso3="KOR").bse, alone.bse, rtol=1e-9)
    boot = wg.kitagawa(data, **call, cov=wg.cov.Bootstrap(200, rng=1))
    assert np.abs(np.log(boot.totals().bse / both.totals().bse)).max() < 0.25
    gap = wg.yun(data, "y ~ x", group="g", groups=("a", "b"), by="iso3")
    assert gap.comparisons["iso3"].tolist() == ["KOR", "USA"]


# all of them ---------------------------------------------------------------------------------------------------------


@settings(max_examples=8, deadline=None)
@given(seed=st.integers(0, 1000), scale=st.floats(0.01, 100))
def test_swapping_groups_and_units(seed, scale):
    data = drawn(500, seed)
    for call in (
        lambda d, groups, ref: wg.fairlie(d, "y ~ x + z", group="g", groups=groups, reference=ref),
        lambda d, groups, ref: wg.yun(d, "y ~ x + z", group="g", groups=groups, reference=ref),
    ):
        one, two = call(data, ("a", "b"), "A"), call(data, ("b", "a"), "B")
        np.testing.assert_allclose(one.estimates.values, -two.estimates.values, rtol=1e-7, atol=1e-10)
        np.testing.assert_allclose(one.bse, two.bse, rtol=1e-5, atol=1e-10)
        scaled = call(data.assign(x=data["x"] * scale), ("a", "b"), "A")
        np.testing.assert_allclose(one.estimates.values, scaled.estimates.values, rtol=1e-6, atol=1e-9)


def test_sampling_weights_have_no_scale():
    data = drawn(500)
    for call in (
        lambda d: wg.fairlie(d, "y ~ x + z", group="g", groups=("a", "b"), weights="w"),
        lambda d: wg.yun(d, "y ~ x + z", group="g", groups=("a", "b"), weights="w"),
        lambda d: wg.kitagawa(d, "y", "z", group="g", groups=("a", "b"), weights="w"),
    ):
        one, two = call(data), call(data.assign(w=data["w"] * 1e3))
        np.testing.assert_allclose(one.estimates.values, two.estimates.values, rtol=1e-8, atol=1e-12)
        np.testing.assert_allclose(one.bse, two.bse, rtol=1e-6, atol=1e-12)


def test_intervals_of_yun_and_fairlie_cover():
    """Truth by a large sample; 80 draws, three Monte Carlo errors, .08."""
    big = drawn(400_000, seed=99)
    hits = []
    calls = (
        lambda d: wg.yun(d, "y ~ x + z", group="g", groups=("a", "b")),
        lambda d: wg.fairlie(d, "y ~ x + z", group="g", groups=("a", "b")),
    )
    truth = [call(big).estimates.values for call in calls]
    for seed in range(80):
        data = drawn(900, seed)
        found = [call(data).conf_int() for call in calls]
        hits.append(np.concatenate([
            (f["conf_low"] <= t + 1e-12) & (t <= f["conf_high"] + 1e-12) for f, t in zip(found, truth, strict=True)
        ]))  # fmt: skip
    covered = np.mean(hits, axis=0)
    assert (covered > 0.95 - 0.08).all(), covered


def test_bad_input():
    data = drawn(300)
    call = dict(formula="y ~ x", group="g", groups=("a", "b"))
    cases = [
        (UnitError, "outside 0 to 1", lambda: wg.yun(data.assign(y=100 * data["y"]), **call)),
        (UnitError, "outside 0 to 1", lambda: wg.kitagawa(data.assign(y=100 * data["y"]), "y", "z", group="g")),
        (IdentificationError, "single value in a", lambda: wg.fairlie(
            data.assign(y=np.where(data["g"] == "a", 0.0, data["y"])), **call)),
        (IdentificationError, "first group of a minus b.*separated", lambda: wg.yun(
            data.assign(x=np.where(data["g"] == "a", data["y"], data["x"])), **call)),
        (OptionError, "no block", lambda: wg.fairlie(data, **call, order=["xx"])),
        (OptionError, "every block once", lambda: wg.fairlie(data, "y ~ x + z", group="g", order=["x"])),
        (OptionError, "nothing to switch", lambda: wg.fairlie(data, "y ~ 1", group="g")),
        (OptionError, "Did you mean 'logit'", lambda: wg.yun(data, **call, model="logit ")),
        (OptionError, "2\\^13 subsets", lambda: wg.fairlie(
            data.assign(k=np.arange(300) % 14), "y ~ C(k)", group="g", detail="columns")),
        (OptionError, "cut numbers", lambda: wg.kitagawa(
            pd.concat([data] * 10).assign(x=np.arange(3000)), "y", "x", group="g")),
        (OptionError, "leave weights and cov out", lambda: wg.kitagawa(data, "y", "z", group="g", size="w", cov="HC0")),
        (CovarianceError, "is not defined for this model", lambda: wg.yun(data, **call, cov="HC3")),
        (CovarianceError, "is not defined for this model", lambda: wg.kitagawa(data, "y", "z", group="g", cov="iid")),
    ]  # fmt: skip
    for kind, words, make in cases:
        with pytest.raises(kind, match=words):
            make()
    with pytest.raises(DataError, match="a gap needs two groups"):
        wg.kitagawa(data[data["g"] == "a"], "y", "z", group="g")


def test_a_group_is_data_and_its_name_may_hold_the_word_minus():
    data = drawn(400).replace({"g": {"a": "net minus tax", "b": "gross"}})
    call = dict(group="g", groups=("net minus tax", "gross"))
    n = data["g"].value_counts()
    for found in (
        wg.fairlie(data, "y ~ x + z", **call),
        wg.yun(data, "y ~ x + z", **call),
        wg.kitagawa(data, "y", "z", **call),
    ):
        assert f"Rows: {n['net minus tax']} net minus tax, {n['gross']} gross." in found.summary().replace("\n  ", " ")
        assert found.comparisons["direction"].tolist() == ["net minus tax minus gross"]
        assert found.comparisons[["name_first", "name_second"]].iloc[0].tolist() == ["net minus tax", "gross"]
        assert found.plot().get_xlabel().startswith("net minus tax minus gross")


def test_summaries_and_figures():
    found = wg.fairlie(drawn(400), "y ~ x + z", group="g", groups=("a", "b"), convention="conditional")
    assert "a minus b" in found.summary()
    assert "given the regressors of the matched rows" in found.summary().replace("\n  ", " ")
    assert found.plot(component="explained") is not None
    assert found.refit(drawn(400, 1)).nobs == 400
