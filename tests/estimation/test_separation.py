"""Complete separation: the data sets of ppmlhdfe, brute force, and invariances."""

from __future__ import annotations

import json

import designs
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wagegap.estimation.likelihood.separation import find_separated


def signs_of(y):
    return -(np.asarray(y) == 0).astype(int)


def codes_of(*keys):
    return [np.unique(np.asarray(key), return_inverse=True)[1].ravel().astype(np.int32) for key in keys]


def as_dummies(x, effects):
    return np.column_stack([x, *(np.eye(int(c.max()) + 1)[c] for c in effects)])


def find_in(data):
    """Separated rows of a table with columns y, x1, ... and id1, ..."""
    effects = codes_of(*(data[c] for c in data if c.startswith("id")))
    x = data[[c for c in data if c.startswith("x")]].to_numpy(float)
    return find_separated(signs_of(data.y), x if effects else np.column_stack([np.ones(len(data)), x]), effects)


@pytest.mark.parametrize("number", range(1, 19))
def test_the_rows_that_the_definition_flags(separated_rows, number):
    data = designs.sparse_flows(number)
    np.testing.assert_array_equal(find_in(data).rows, separated_rows(data))


@pytest.mark.shared
def test_the_rows_that_ppmlhdfe_flags(shared, separated_rows):
    """Test suite of ppmlhdfe (Correia, Guimaraes and Zylkin): a flag for each row, all 18 files."""
    counted = json.loads((shared / "reference" / "ppml_separation.json").read_text())["results"]
    for number in range(1, 19):
        data = pd.read_csv(shared / "refdata" / "ppmlhdfe_separation" / f"{number:02d}.csv")
        found = find_in(data).rows
        np.testing.assert_array_equal(found, data.separated == 1, err_msg=f"{number}")
        np.testing.assert_array_equal(found, separated_rows(data), err_msg=f"{number}")
        assert found.sum() == counted[f"{number:02d}.csv"]["n_separated"]


def test_a_level_without_flows_and_what_it_takes_with_it():
    """Origin 2 sends nobody; without its rows destination 2 receives nobody either."""
    origin, destination = codes_of([0, 0, 1, 1, 2, 2, 0], [0, 1, 0, 1, 0, 2, 2])
    y = np.array([3, 1, 2, 5, 0, 0, 0])
    found = find_separated(signs_of(y), np.empty((7, 0)), [origin, destination])
    assert found.rows.tolist() == [False] * 4 + [True] * 3
    np.testing.assert_array_equal(found.rows, found.by_level)


def test_zero_flows_between_two_worlds():
    """Two groups of countries that exchange nobody: flows from the first to the second are separated, or all are."""
    origin, destination = np.divmod(np.arange(16), 4)
    same = (origin < 2) == (destination < 2)
    y = np.where(same, 1 + np.arange(16), 0)
    one_way = same | (origin < 2)
    effects = codes_of(origin[one_way], destination[one_way])
    found = find_separated(signs_of(y[one_way]), np.empty((one_way.sum(), 0)), effects)
    np.testing.assert_array_equal(found.rows, ~same[one_way])
    # With zeros both ways a fall of one is a rise of the other: nothing is separated.
    both = find_separated(signs_of(y), np.empty((16, 0)), codes_of(origin, destination))
    assert not both.rows.any()


def test_shares_at_both_bounds():
    """A share of one for all with a dummy, of zero for some without it: the dummy separates the former only."""
    x = np.column_stack([np.ones(6), [1.0, 1, 0, 0, 0, 0]])
    share = np.array([1.0, 1.0, 0.0, 0.4, 0.6, 1.0])
    signs = (share == 1).astype(int) - (share == 0).astype(int)
    assert find_separated(signs, x).rows.tolist() == [True, True, False, False, False, False]
    perfect = find_separated(np.array([1, 1, -1, -1]), x[:4])
    assert perfect.rows.all()


def test_everything_is_zero():
    assert find_separated(-np.ones(4, dtype=int), np.ones((4, 1))).rows.all()
    assert find_separated(-np.ones(4, dtype=int), np.empty((4, 0)), codes_of([0, 0, 1, 1])).by_level.all()


def random_flows(seed, groupings=3):
    rng = np.random.default_rng(seed)
    sizes = rng.integers(3, 7), rng.integers(3, 7), rng.integers(1, 5)
    i, j, t = (a.ravel() for a in np.meshgrid(*(np.arange(s) for s in sizes), indexing="ij"))
    some = rng.random(len(i)) < 0.8
    i, j, t = i[some], j[some], t[some]
    x = np.column_stack([rng.random(len(i)) < 0.1, rng.normal(size=len(i)), rng.integers(0, 3, len(i))]).astype(float)
    y = rng.poisson(np.exp(rng.normal(-1.2, 1, len(i))))
    keys = [(i * 100 + t, j * 100 + t, i * 100 + j), (i, j), (i,)][3 - groupings]
    return y, x, codes_of(*keys)


@pytest.mark.parametrize("groupings", [1, 2, 3])
def test_absorbed_effects_are_dummies(groupings):
    """The reductions for one, two and more groupings flag what the programme in all dummies flags."""
    beyond = 0
    for seed in range(40):
        y, x, effects = random_flows(seed, groupings)
        if not y.any():
            continue
        found = find_separated(signs_of(y), x, effects)
        plain = find_separated(signs_of(y), as_dummies(x, effects))
        np.testing.assert_array_equal(found.rows, plain.rows, err_msg=f"seed {seed}")
        beyond += bool((found.rows & ~found.by_level).any())
    assert beyond > 3


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 3))
def test_order_units_and_a_second_look(seed, groupings):
    y, x, effects = random_flows(seed, groupings)
    found = find_separated(signs_of(y), x, effects).rows
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(y))
    turned = find_separated(signs_of(y[order]), x[order][:, ::-1] * [1e3, 1.0, -1e-3], [c[order] for c in effects])
    np.testing.assert_array_equal(turned.rows, found[order])
    left = ~found
    assert not (found & (y > 0)).any()
    if left.any():
        again = find_separated(signs_of(y[left]), x[left], codes_of(*(c[left] for c in effects)))
        assert not again.rows.any()


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000))
def test_every_flag_has_a_witness(seed):
    """By definition: a combination that leaves the other rows alone pushes the flagged rows down, and no others."""
    from scipy import optimize

    y, x, effects = random_flows(seed, 2)
    found = find_separated(signs_of(y), x, effects).rows
    design = as_dummies(x, effects)
    design = design / np.maximum(np.abs(design).max(axis=0), 1e-300)
    zero = y == 0
    for row in np.flatnonzero(zero)[:6]:
        bounds = [(-1e3, 1e3)] * design.shape[1]
        solved = optimize.linprog(
            design[row], A_ub=design[zero], b_ub=np.zeros(zero.sum()), A_eq=design[~zero], b_eq=np.zeros((~zero).sum()),
            bounds=bounds,
        )  # fmt: skip
        assert (solved.fun < -1e-6) == found[row]
