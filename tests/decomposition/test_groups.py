"""Groups of any name and rows of any order in every decomposition, and gaps of zero."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import wagegap as wg
from wagegap._display.axes import literal
from wagegap.errors import CovarianceError, OptionError

# names are data -------------------------------------------------------------------------------------------------------


def people(n=240, seed=0):
    rng = np.random.default_rng(seed)
    data = pd.DataFrame(
        {"x": rng.normal(size=n), "z": rng.choice(list("abc"), n), "is_first": rng.integers(0, 2, n) > 0}
    )
    data["y"] = 0.3 * data["x"] + 0.2 * data["is_first"] + rng.normal(size=n)
    return data.assign(e=(data["y"] > 0).astype(int))


DOORS = {
    "oaxaca": lambda data, **call: wg.oaxaca(data, "y ~ x + z", **call),
    "rif_oaxaca": lambda data, **call: wg.rif_oaxaca(data, "y ~ x + z", probs=(0.3, 0.7), **call),
    "rif_oaxaca reweighted": lambda data, **call: wg.rif_oaxaca(
        data, "y ~ x + z", statistic="variance", reweight="logit", **call
    ),
    "dfl": lambda data, **call: wg.dfl(data, "y ~ x + z", statistics=("mean", "variance"), **call),
    "counterfactual": lambda data, **call: wg.counterfactual(
        data, "y ~ x", model="loc", probs=(0.3, 0.5, 0.7), cov=wg.cov.Bootstrap(5, kind="bayesian", rng=1), **call
    ),
    "kitagawa": lambda data, **call: wg.kitagawa(data, "e", ["z"], **call),
    "fairlie": lambda data, **call: wg.fairlie(data, "e ~ x + z", **call),
    "yun": lambda data, **call: wg.yun(data, "e ~ x + z", **call),
}
ODD = [
    ("net minus tax", "gross"), ("a = b", "c"), ("x:y", "x"), ("A, B", "C"), ("", "full"), (1.5, 2.5), (True, False),
    ("total", "difference"), ("x", "y"), ("first", "second"), ("nan", "None"), ("*", "pairs"), ("%d", "{}"),
    ((1, 2), (3, 4)), ("a\nb", "$c_d$"), (pd.Timestamp("2020"), pd.Timestamp("2021")),
]  # fmt: skip


@pytest.mark.public_case("minus")
@pytest.mark.parametrize("door", DOORS)
def test_groups_of_any_name_are_the_same_groups(door, facts):
    """Numbers, rows and figures are those of groups called one and two, and both names stand in the comparisons."""
    import matplotlib.pyplot as plt

    data = people()
    plain = DOORS[door](
        data.assign(g=np.where(data["is_first"], "one", "two")), group="g", groups=("one", "two")
    ).estimates.values
    for names in [tuple(facts("public_cases")["minus"]["right"]["groups"]), *ODD]:
        column = pd.Series([names[0] if first else names[1] for first in data["is_first"]], index=data.index)
        gap = DOORS[door](data.assign(g=column), group="g", groups=names)
        np.testing.assert_array_equal(gap.estimates.values, plain, err_msg=repr(names))
        sizes = gap.comparisons.iloc[0]
        assert sizes[["n_first", "n_second"]].tolist() == [data["is_first"].sum(), (~data["is_first"]).sum()]
        assert str(names[0]) in sizes["name_first"]
        assert str(names[1]) in sizes["name_second"]
        assert len(gap.summary()) > 0
        gap.plot()
        if hasattr(gap, "plot_densities"):
            ax = gap.plot_densities()
            names_drawn = [literal(sizes["name_first"]), literal(sizes["name_second"])]
            assert [line.get_label() for line in ax.get_lines()][:2] == names_drawn
        plt.close("all")


@pytest.mark.parametrize("door", ["kitagawa", "oaxaca"])
@pytest.mark.parametrize("column", ["cell_of_factors", "x:y", "a b", "total", "share", "component", "1"])
def test_the_column_of_the_groups_may_have_any_name(door, column):
    data = people()
    plain = DOORS[door](data, group="is_first", groups=(True, False))
    other = DOORS[door](data.rename(columns={"is_first": column}), group=column, groups=(True, False))
    np.testing.assert_array_equal(other.estimates.values, plain.estimates.values)


@pytest.mark.parametrize("name", ["share", "component", "measure", "at", "row", "hypothesis", "band_low", "column"])
def test_cells_keyed_by_a_column_that_results_have_are_refused(name):
    data = people().assign(**{name: lambda d: np.where(np.arange(len(d)) % 2, "p", "q")})
    with pytest.raises(OptionError, match=f"by='{name}': results have a column of this name"):
        wg.oaxaca(data, "y ~ x", group="is_first", groups=(True, False), by=name)


@pytest.mark.parametrize("options", [{}, {"cov": "CR1:firm"}, {"keep_units": False}, {"convention": "stata"}], ids=str)
@pytest.mark.parametrize("door", ["oaxaca", "rif_oaxaca", "rif_oaxaca reweighted", "dfl", "kitagawa", "fairlie", "yun"])
def test_a_cell_of_several_is_as_by_itself(door, options):
    """Estimates, errors, degrees of freedom: neither factors nor degrees count the rows or clusters of other cells."""
    if set(options) - {"cov"} and door not in ("oaxaca", "rif_oaxaca"):
        pytest.skip("an option of two doors")
    data = pd.concat([people(240).assign(iso="KOR"), people(500, seed=1).assign(iso="USA")], ignore_index=True)
    data["firm"] = data["iso"] + np.random.default_rng(1).integers(0, 15, len(data)).astype(str)
    call = dict(group="is_first", groups=(True, False), **options)
    together = DOORS[door](data, by="iso", **call)
    for iso in ("KOR", "USA"):
        alone = DOORS[door](data[data["iso"] == iso], **call)
        for whole, one in ((together, alone), (together.levels, alone.levels)):
            rows = whole.tidy().query("iso == @iso")
            columns = ["estimate", "std_error", "p_value", "conf_low", "conf_high"]
            np.testing.assert_allclose(rows[columns], one.tidy()[columns], rtol=1e-9, atol=1e-13)


@pytest.mark.parametrize("door", ["oaxaca", "rif_oaxaca"])
def test_one_factor_for_all_cells_by_name(door):
    """N / (N - 1) of all rows instead of each cell's, with scores or without."""
    data = pd.concat([people(240).assign(iso="KOR"), people(500, seed=1).assign(iso="USA")], ignore_index=True)
    call = dict(group="is_first", groups=(True, False), by="iso")
    own, joint = (DOORS[door](data, small_sample=rule, **call) for rule in ("stata", "joint"))
    lean = DOORS[door](data, small_sample="joint", keep_units=False, **call)
    n = own.estimates.labels["iso"].map({"KOR": 240, "USA": 500}).to_numpy()
    with np.errstate(invalid="ignore"):
        ratio = (joint.bse / own.bse).to_numpy()
    expected = np.sqrt(740 / 739 * (n - 1) / n)
    np.testing.assert_allclose(ratio[~np.isnan(ratio)], expected[~np.isnan(ratio)], rtol=1e-9)
    np.testing.assert_allclose(lean.bse, joint.bse, rtol=1e-9, atol=1e-15)


ONE_UNIT = {
    "survey": wg.cov.Survey("firm"),
    "driscoll kraay": wg.cov.DriscollKraay("year", 1),
    "conley": wg.cov.Conley("lat", "lon", 50),
    "dyadic": wg.cov.Dyadic("origin", "goal"),
    "bayesian": wg.cov.Bootstrap(9, kind="bayesian", cluster="firm", rng=1),
    "pairs": wg.cov.Bootstrap(9, cluster="firm", rng=1),
    "clusters": "CR1:firm",
}


@pytest.mark.public_case("one_unit")
@pytest.mark.parametrize("cov", ONE_UNIT.values(), ids=ONE_UNIT)
@pytest.mark.parametrize("door", [door for door in DOORS if door != "counterfactual"])
def test_a_group_inside_one_unit_is_refused(door, cov):
    data = people()
    rng, one = np.random.default_rng(0), ~data["is_first"].to_numpy()
    data["firm"] = np.where(one, 0, rng.integers(1, 15, len(data)))
    data["year"] = np.where(one, 2000, rng.integers(2001, 2015, len(data)))
    data["lat"] = np.where(one, 35.0, rng.uniform(30, 50, len(data)))
    data["lon"] = np.where(one, 139.0, rng.uniform(100, 140, len(data)))
    data["origin"] = np.where(one, "A", rng.choice(list("BCDEFGH"), len(data)))
    data["goal"] = np.where(one, "Z", rng.choice(list("STUVWXY"), len(data)))
    with pytest.raises(CovarianceError, match=r"1 of 2 (groups|cells)"):
        DOORS[door](data, group="is_first", groups=(True, False), cov=cov)


@pytest.mark.parametrize(("model", "title"), [("logit", "rate"), ("lpm", "rate"), ("probit", "predicted rate")])
def test_yun_says_which_gap_it_is(model, title):
    """The mean probability is the rate under logit and the linear model, and not under probit."""
    data = people()
    gap = wg.yun(data, "e ~ x + z", group="is_first", groups=(True, False), model=model)
    first, second = (data.loc[data["is_first"] == name, "e"].mean() for name in (True, False))
    assert (abs(gap.totals().values[0] - (first - second)) < 1e-9) == (title == "rate")
    assert f"Gap of the {title} of e" in gap.summary()
    assert gap.levels.title == f"{title.capitalize()} of e"


@pytest.mark.parametrize("cov", ["HC1", "CR1:firm", wg.cov.Survey("firm"), wg.cov.Bootstrap(19, rng=1)], ids=str)
@pytest.mark.parametrize("door", ["oaxaca", "rif_oaxaca", "dfl", "kitagawa"])
def test_two_tests_of_one_hypothesis_have_one_p(door, cov):
    data = people().assign(firm=np.random.default_rng(3).integers(0, 20, 240))
    gap = DOORS[door](data, group="is_first", groups=(True, False), cov=cov)
    p_values = gap.tidy()["p_value"].to_numpy()
    for row, p in zip(np.eye(len(p_values)), p_values, strict=True):
        if p > 0:  # not of a term that is zero by construction
            assert gap.test(row[None]).p_value == pytest.approx(p, rel=1e-10)


# order of rows, and gaps of zero --------------------------------------------------------------------------------------


@pytest.mark.parametrize("match", ["quantiles", "draws"])
@pytest.mark.parametrize("weights", [None, "w"])
def test_fairlie_does_not_depend_on_the_order_of_rows(match, weights):
    """Regressors that many rows share, whose ranks are ties: estimates and errors to rounding."""
    rng = np.random.default_rng(2)
    data = people(500).assign(u=rng.integers(0, 2, 500), w=rng.integers(1, 4, 500))
    call = dict(group="is_first", groups=(True, False), match=match, reps=20, rng=1, weights=weights)
    one = wg.fairlie(data, "e ~ z + u", **call)
    for seed in range(3):
        other = wg.fairlie(data.sample(frac=1, random_state=seed), "e ~ z + u", **call)
        np.testing.assert_allclose(other.estimates.values, one.estimates.values, atol=1e-13)
        np.testing.assert_allclose(other.bse, one.bse, rtol=1e-9)


def test_fairlie_with_frequency_weights_is_fairlie_of_repeated_rows():
    rng = np.random.default_rng(2)
    data = people(400).assign(u=rng.integers(0, 2, 400), w=rng.integers(1, 4, 400))
    call = dict(group="is_first", groups=(True, False), cov="HC0")
    weighted = wg.fairlie(data, "e ~ z + u", weights="w", weight_kind="frequency", **call)
    rows = wg.fairlie(data.loc[np.repeat(data.index, data["w"])].reset_index(drop=True), "e ~ z + u", **call)
    np.testing.assert_allclose(weighted.estimates.values, rows.estimates.values, atol=1e-12)
    np.testing.assert_allclose(weighted.bse, rows.bse, rtol=1e-9)
    drawn = [
        wg.fairlie(table, "e ~ z + u", match="draws", reps=30, rng=1, **call, **weights).estimates.values
        for table, weights in (
            (data, {"weights": "w", "weight_kind": "frequency"}),
            (data.loc[np.repeat(data.index, data["w"])].reset_index(drop=True), {}),
        )
    ]
    np.testing.assert_allclose(*drawn, atol=1e-12)


@pytest.mark.parametrize("door", [door for door in DOORS if door not in ("yun", "counterfactual")])
def test_a_gap_of_zero_has_no_shares(door):
    """Both groups the same people: shares are missing and a note says why; nothing is divided by rounding."""
    half = people()
    data = pd.concat([half.assign(g="one"), half.assign(g="two")], ignore_index=True)
    gap = DOORS[door](data, group="g", groups=("one", "two"))
    assert gap.tidy()["share"].isna().all()
    for method in ("delta", "fieller"):
        shares = gap.shares(method=method)
        assert shares[["share", "std_error"]].isna().all(axis=None)
    assert "A gap of zero has no shares" in gap.summary().replace("\n", " ")
    gap.plot()


def test_a_gap_of_rounding_has_no_shares():
    """Explained and unexplained of .2 that cancel to the last digit: their shares would be ten to the fifteenth."""
    x = np.r_[np.tile([0.0, 2.0], 60), np.tile([1.0, 3.0], 60)]
    noise = np.tile([0.1, 0.1, -0.1, -0.1], 60)
    data = pd.DataFrame({"x": x, "g": np.repeat(["one", "two"], 120)})
    data["y"] = 0.2 * x + noise + np.where(data["g"] == "one", 0.2, 0.0)
    gap = wg.oaxaca(data, "y ~ x", group="g", groups=("one", "two"))
    assert gap.totals().values == pytest.approx([0.0, -0.2, 0.2], abs=1e-12)
    assert gap.tidy()["share"].isna().all()


@pytest.mark.parametrize("door", ["rif_oaxaca", "dfl"])
def test_inequality_of_a_logarithm_is_said_to_be_that(door):
    data = people().assign(pay=lambda d: np.exp(d["y"] + 6))
    name = "statistic" if door == "rif_oaxaca" else "statistics"
    call = {"group": "is_first", "groups": (True, False), name: ["gini", "share_below:0.9 median", "variance"]}
    notes = " ".join(getattr(wg, door)(data, "log(pay) ~ x", **call).notes)
    assert "gini, share_below(0.9 median): of the logarithm itself" in notes
    assert "logarithm" not in " ".join(getattr(wg, door)(data, "pay ~ x", **call).notes)
