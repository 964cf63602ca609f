"""Reweighting and the decompositions by it: other software's values, influence functions, identities, coverage."""

from __future__ import annotations

import json
import pickle

import designs
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import integrate, optimize, stats

import wagegap as wg
from wagegap.decomposition.distributions.dfl import dfl
from wagegap.decomposition.distributions.reweighting import parse_trim, reweight
from wagegap.decomposition.distributions.statistics import DENSITY_RULES, Distribution, parse_statistics, quantile
from wagegap.errors import ColumnError, DataError, DataWarning, IdentificationError, OptionError, WagegapError
from wagegap.estimation.formula import design_matrix

MODELS = ("logit", "probit", "cloglog", "cells")
SATURATED = "union * (education + experience) + education * experience"


def samples(n=(400, 300), seed=0, discrete=False):
    """Two samples of regressors, outcomes and weights."""
    rng = np.random.default_rng(seed)
    out = []
    for size, shift in zip(n, (0.0, 0.5), strict=True):
        x = np.column_stack([np.ones(size), rng.normal(size=size) + shift, rng.random(size) < 0.3 + 0.3 * shift])
        if discrete:
            x[:, 1] = np.clip(np.round(x[:, 1]), -1, 1)
        y = x @ np.array([1.0, 0.3, 0.4]) + shift / 2 + rng.normal(size=size)
        out.append((x, y, rng.exponential(size=size) + 0.1))
    return out


def frame(n=(500, 400), seed=0):
    """A table of workers of two groups."""
    rng = np.random.default_rng(seed)
    parts = []
    for name, size, shift in (("A", n[0], 0.3), ("B", n[1], 0.0)):
        level = rng.choice(["low", "middle", "high"], size=size, p=[0.4 - shift, 0.3, 0.3 + shift])
        exper = np.round(rng.gamma(4, 3, size=size) + 4 * shift)
        pay = 1 + shift + 0.3 * (level == "high") + 0.02 * exper + rng.normal(scale=0.4 + shift, size=size)
        parts.append(pd.DataFrame({"place": name, "level": level, "exper": exper, "pay": pay}))
    table = pd.concat(parts, ignore_index=True)
    return table.assign(psu=rng.integers(40, size=len(table)), w=rng.integers(1, 4, size=len(table)))


# values of other software ---------------------------------------------------------------------------------------------


def men8305(shared, name="men8305.parquet", case="ddecompose_men8305_dfl"):
    reference = json.loads((shared / "reference" / f"{case}.json").read_text())
    table = pd.read_parquet(shared / "refdata" / name)
    for column, levels in reference["data"]["factor_levels"].items():
        table[column] = pd.Categorical(table[column].astype(str), categories=levels)
    return table, reference["results"]


def as_ddecompose(table, regressors):
    """Distributions of 2003-05, of 1983-85, and of 1983-85 reweighted, with weights as they stand; and the factors."""
    matrix = design_matrix(table, regressors)
    x, names = matrix.values, matrix.names
    y, w, late = (
        np.log(table["wage"].to_numpy()),
        table["weights"].to_numpy(),
        (table["year"] == "2003-2005").to_numpy(),
    )
    weights = reweight(x[~late], x[late], (w[~late], w[late]), names=names)

    def sort(values, own):
        order = np.argsort(values, kind="stable")
        return Distribution(values[order], own[order], None, np.cumsum(own[order]))

    return [sort(y[late], w[late]), sort(y[~late], w[~late]), sort(y[~late], weights.weights)], weights


def parts_of(value, distributions):
    first, second, between = (value(one) for one in distributions)
    return [first - second, between - second, first - between]


def check_ddecompose(results, distributions, weights):
    """ddecompose 1.0.0, R 4.2.2. Its quantiles and variance count sum(w) observations, so weights are not rescaled."""
    factors = results["reweighting_factor_quantiles"]
    np.testing.assert_allclose(
        np.quantile(weights.factor, [row["probs"] for row in factors]), [row["Psi_X1"] for row in factors], rtol=1e-8
    )
    names = ("Observed difference", "Composition effect", "Structure effect")
    for row in results["quantiles"]:
        mine = parts_of(lambda one, p=row["probs"]: quantile(one, p), distributions)
        # R stops glm at a relative change of 1e-8 in the deviance, which moves one interpolated quantile by 2e-9
        np.testing.assert_allclose(mine, [row[name] for name in names], rtol=1e-8, atol=1e-8)
    rule = DENSITY_RULES["r"]
    mean, variance = (parse_statistics(name)[0].build for name in ("mean", "variance"))
    other = {row["statistic"]: [row[name] for name in names] for row in results["other"]}
    np.testing.assert_allclose(parts_of(lambda one: mean(one, rule).value, distributions), other["Mean"], rtol=1e-8)
    np.testing.assert_allclose(  # divisor sum(w) - 1
        parts_of(lambda one: variance(one, rule).value * one.total / (one.total - 1), distributions),
        other["Variance"],
        rtol=1e-8,
    )
    gini = parse_statistics("gini")[0].build
    level = [Distribution(np.exp(one.y), one.weights, None, one.cumulative) for one in distributions]
    # of exp(y); rifreg integrates the Lorenz curve by integrate(), with a relative tolerance of 1e-4
    np.testing.assert_allclose(
        parts_of(lambda one: gini(one, rule).value, level),
        next(value for name, value in other.items() if name.startswith("Gini")),
        atol=2e-5,
    )
    wide = parts_of(lambda one: quantile(one, 0.9) - quantile(one, 0.1), distributions)
    np.testing.assert_allclose(wide, other["Interquantile range p90-p10"], rtol=1e-8, atol=1e-8)


def test_factors_of_a_logit_of_r(facts):
    log, rows = facts("reweighting")["men_as_women"], designs.workers().dropna(subset="lnwage")
    levels = [rows["isco"] == level for level in range(2, 10)]
    x = np.column_stack([np.ones(len(rows)), rows[["educ", "exper", "tenure"]], *levels]).astype(float)
    women = (rows["female"] == 1).to_numpy()
    factor = reweight(x[~women], x[women]).factor
    np.testing.assert_allclose(np.quantile(factor, log["probs"]), log["factor"], rtol=1e-8)


@pytest.mark.parametrize("reference", ["A", "B"])
def test_reweighted_statistics_of_r(facts, reference):
    """Mean and variance of log pay, Gini of pay."""
    rows = designs.workers().dropna(subset="lnwage").assign(pay=lambda frame: np.exp(frame["lnwage"]))
    expected, call = facts("reweighting")[f"dfl_{reference}"], {"group": "female", "groups": (0, 1)}
    for outcome, statistics, place in (("lnwage", ("mean", "variance"), slice(0, 2)), ("pay", ("gini",), slice(2, 3))):
        formula = f"{outcome} ~ educ + exper + tenure + C(isco)"
        gap = dfl(rows, formula, reference=reference, statistics=statistics, **call)
        totals = gap.totals()
        for component, values in expected.items():
            own = totals.values[(totals.labels["component"] == component).to_numpy()]
            np.testing.assert_allclose(own, values[place], rtol=0, atol=1e-10, err_msg=component)


@pytest.mark.shared
@pytest.mark.parametrize(
    ("case", "regressors"),
    [("ddecompose_men8305_dfl", SATURATED), ("ddecompose_men8305_dfl_boot50", "union + experience + education")],
)
def test_agrees_with_ddecompose(shared, case, regressors):
    table, results = men8305(shared, case=case)
    check_ddecompose(results, *as_ddecompose(table, regressors))


@pytest.mark.shared
def test_agrees_with_ddecompose_and_print_on_the_full_sample(shared):
    """Fortin, Lemieux and Firpo (2011), table 5 panel A; 403,477 men."""
    table, results = men8305(shared, "men8305_full.parquet", "ddecompose_men8305full_dfl_flf2011_table5A")
    table["weights"] *= len(table) / table["weights"].sum()
    distributions, weights = as_ddecompose(table, SATURATED)
    check_ddecompose(results, distributions, weights)
    printed = json.loads((shared / "reference" / "published_flf2011.json").read_text())["table5"]["A_dfl"]
    variance = parse_statistics("variance")[0].build
    mine = parts_of(lambda one: variance(one, DENSITY_RULES["r"]).value, distributions)
    np.testing.assert_allclose(mine, [printed[name][0][3] for name in ("total", "composition", "wage")], atol=1.1e-4)
    gini = parse_statistics("gini")[0].build
    mine = parts_of(lambda one: gini(one, DENSITY_RULES["r"]).value, distributions)
    np.testing.assert_allclose(mine, [printed[name][0][4] for name in ("total", "composition", "wage")], atol=1.1e-4)


@pytest.mark.shared
def test_weights_of_the_reweighted_oaxaca(shared):
    """ddecompose 1.0.0: men reweighted to the characteristics of women, 51 columns."""
    reference = json.loads((shared / "reference" / "ddecompose_nlys00_ob_reweighted.json").read_text())
    table = pd.read_csv(shared / "refdata" / "nlys00.csv")
    for column, levels in reference["data"]["factor_levels"].items():
        table[column] = pd.Categorical(table[column].astype(str), categories=levels)
    regressors = (
        "age + (central_city + msa) * region + (black + hispanic) * (education + afqt) + family_responsibility * "
        "(years_worked_civilian + years_worked_military) + part_time * industry"
    )
    x = design_matrix(table, regressors).values
    men = (table["female"] == "no").to_numpy()
    rows = reference["results"]["reweighting_factor_quantiles"]
    factor = reweight(x[men], x[~men]).factor
    np.testing.assert_allclose(
        np.quantile(factor, [row["probs"] for row in rows]), [row["Psi_X1"] for row in rows], rtol=1e-8
    )


# Values of the sample men8305 by ddecompose 1.0.0 (R 4.2.2), dfl_decompose(log(wage) ~ SATURATED), as printed there.
MEN8305 = {"mean": (0.0620549613, 0.0805874056, -0.0185324444), "variance": (0.0621117324, 0.0234984722, 0.0386132602)}


@pytest.mark.shared
def test_the_public_call_gives_the_same(shared):
    table, _ = men8305(shared)
    gap = dfl(
        table, f"log(wage) ~ {SATURATED}", group="year", groups=("2003-2005", "1983-1985"), reference="B",
        statistics=("mean", "variance"), weights="weights",
    )  # fmt: skip
    mine = gap.totals().values.reshape(2, 3)
    np.testing.assert_allclose(mine[0], MEN8305["mean"], atol=1e-9)
    np.testing.assert_allclose(mine[1], MEN8305["variance"], rtol=2e-4)  # divisor sum(w), not sum(w) - 1
    assert gap.unit == "log, none"


def test_sorted_out_by_hand():
    """Cells: shares of the target over shares of the source."""
    source, target = np.array([0.0, 0, 0, 1]), np.array([0.0, 1, 1, 1])
    x = [np.column_stack([np.ones(4), one]) for one in (source, target)]
    for model in MODELS:
        weights = reweight(*x, model=model)
        np.testing.assert_allclose(weights.factor, [1 / 3, 1 / 3, 1 / 3, 3], rtol=1e-9)
        np.testing.assert_allclose(weights.propensity[0], [0.25, 0.25, 0.25, 0.75], rtol=1e-9)


# weights -------------------------------------------------------------------------------------------------------------


def test_cells_are_the_saturated_model():
    (xs, _, ws), (xt, _, wt) = samples(discrete=True)
    dummies = [np.column_stack([np.ones(len(x)), x[:, 1] == 0, x[:, 1] == 1, x[:, 2], (x[:, 1] == 0) * x[:, 2],
                                (x[:, 1] == 1) * x[:, 2]]) for x in (xs, xt)]  # fmt: skip
    exact = reweight(xs, xt, (ws, wt), model="cells")
    for model in ("logit", "probit", "cloglog"):
        np.testing.assert_allclose(reweight(*dummies, (ws, wt), model=model).factor, exact.factor, rtol=1e-8)
    balance = exact.balance(["1", "x", "z"])
    assert balance["column"].tolist() == ["x", "z"]
    np.testing.assert_allclose(balance["difference_after"], 0, atol=1e-12)
    assert (balance["difference_before"].abs() > 0.1).all()


def test_equal_rows_fitted_as_one_change_nothing(monkeypatch):
    (xs, ys, ws), (xt, _, wt) = samples((900, 900), discrete=True)
    few = reweight(xs, xt, (ws, wt))
    assert len(few._rows.first) < 900
    alone = (np.arange(1800), np.arange(1800))
    monkeypatch.setattr("wagegap.decomposition.distributions.reweighting._cells", lambda x, always: alone)
    rows = reweight(xs, xt, (ws, wt))
    assert len(rows._rows.first) == 1800
    np.testing.assert_allclose(few.factor, rows.factor, rtol=1e-9)
    draws = np.random.default_rng(0).exponential(size=(6, 1800))
    np.testing.assert_allclose(
        few.replicate(draws[:, :900], draws[:, 900:]), rows.replicate(draws[:, :900], draws[:, 900:]), rtol=1e-6
    )
    derivative = (ys - ys.mean()) / ws.sum()
    for mine, other in zip(few.influence(derivative), rows.influence(derivative), strict=True):
        np.testing.assert_allclose(mine, other, rtol=1e-7, atol=1e-12)


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("trim", ["none", "share:0.02"])
def test_influence_is_the_derivative_in_the_weights(model, trim):
    (xs, ys, ws), (xt, _, wt) = samples((150, 120), seed=4, discrete=model == "cells")
    base = reweight(xs, xt, (ws, wt), model=model, trim=trim)
    inside = base.factor > 0

    def spread(source, target):
        factor = base.replicate(source[None], target[None])[0]
        c = source * factor
        mean = c @ ys / c.sum()
        return np.array([c @ (ys - mean) ** 2 / c.sum(), (c * ys).sum()])

    c = base.weights
    mean = c @ ys / c.sum()
    variance = c @ (ys - mean) ** 2 / c.sum()
    derivative = np.column_stack([((ys - mean) ** 2 - variance) / c.sum(), ys]) * inside[:, None]
    own, other = base.influence(derivative)
    own = own + derivative * c[:, None]
    np.testing.assert_allclose(own[:, 0].sum() + other[:, 0].sum(), 0, atol=1e-10)
    for i in (0, 11, 57):
        for weights, influence, side in ((ws, own, 0), (wt, other, 1)):
            step = np.zeros(len(weights))
            step[i] = 1e-4 * weights[i]
            moved = [spread(*((ws + s * step, wt) if side == 0 else (ws, wt + s * step))) for s in (1, -1)]
            np.testing.assert_allclose((moved[0] - moved[1]) / 2e-4, influence[i], rtol=2e-4, atol=2e-6)


@pytest.mark.parametrize("model", MODELS)
def test_replicates_equal_refits(model):
    (xs, _, ws), (xt, _, wt) = samples(discrete=model == "cells")
    base = reweight(xs, xt, (ws, wt), model=model)
    rng = np.random.default_rng(1)
    source, target = ws * rng.exponential(size=(4, len(ws))), wt * rng.exponential(size=(4, len(wt)))
    again = base.replicate(source, target)
    for r in range(4):
        np.testing.assert_allclose(again[r], reweight(xs, xt, (source[r], target[r]), model=model).factor, rtol=1e-6)


def test_share_trims_as_ddecompose_does():
    """The example of ddecompose's documentation: 2 of 100 rows carry what 90 of 100 need."""
    a = [np.r_[np.ones(2), np.zeros(98)], np.r_[np.ones(90), np.zeros(10)]]
    x = [np.column_stack([np.ones(100), one]) for one in a]
    kept = reweight(*x, trim="share")
    for mask, level in zip(kept.kept, a, strict=True):
        np.testing.assert_array_equal(~mask, level == 1)
    assert reweight(*x, trim="share:0.6").kept[0].all()
    row = kept.overlap().iloc[0]
    assert (row["trimmed_source"], row["trimmed_target"]) == (2, 90)


def test_crump_keeps_the_sample_of_least_variance():
    (xs, _, _), (xt, _, _) = samples((500, 500), seed=8)
    xt[:, 1] += 2
    trimmed = reweight(xs, xt, trim="crump")
    p = np.concatenate(trimmed.propensity)
    g = np.sort(1 / (p * (1 - p)))
    best = g[np.argmin(np.cumsum(g) / np.arange(1, 1001) ** 2)]
    kept = np.concatenate(trimmed.kept)
    np.testing.assert_array_equal(kept, 1 / (p * (1 - p)) <= best * (1 + 1e-9))
    assert 0 < (~kept).sum() < 1000
    # Crump et al.: the bound satisfies 1 / (a (1 - a)) = 2 E[g | kept], up to a step of the sample
    assert best <= 2 * g[g <= best].mean() * (1 + 1e-9)
    fixed = reweight(xs, xt, trim="crump:0.1")
    np.testing.assert_array_equal(np.concatenate(fixed.kept), (p >= 0.1) & (p <= 0.9))
    even = reweight(xt, xt[::-1], trim="crump")
    assert np.concatenate(even.kept).all()


@pytest.mark.parametrize("model", MODELS)
def test_rows_without_a_like_in_the_source_are_no_overlap(model):
    source = np.column_stack([np.ones(60), np.tile([0.0, 1], 30), np.zeros(60)])
    target = np.column_stack([np.ones(40), np.tile([0.0, 1], 20), np.r_[np.ones(4), np.zeros(36)]])
    with pytest.raises(IdentificationError, match=r"no overlap: 4 of 40 rows of USA, with 10 % of its weight"):
        reweight(source, target, model=model, groups=("KOR", "USA"))
    trimmed = reweight(source, target, model=model, trim="crump")
    np.testing.assert_array_equal(trimmed.kept[1], target[:, 2] == 0)
    np.testing.assert_allclose(trimmed.factor[:2], trimmed.factor[0])


@pytest.mark.parametrize("model", MODELS)
def test_rows_without_a_like_in_the_target_get_no_weight(model):
    source = np.column_stack([np.ones(60), np.tile([0.0, 1], 30), np.r_[np.ones(6), np.zeros(54)]])
    target = np.column_stack([np.ones(40), np.tile([0.0, 1, 1, 1], 10), np.zeros(40)])
    weights = reweight(source, target, model=model)
    assert not weights.factor[:6].any()
    assert (weights.propensity[0][:6] == 0).all()
    np.testing.assert_allclose(weights.factor[6:8] * (54 / 60), [0.5, 1.5], rtol=1e-9)
    own, other = weights.influence(np.ones(60))
    np.testing.assert_allclose(own.sum() + other.sum(), 0, atol=1e-9)
    assert np.isfinite(weights.replicate(np.ones((5, 60)), np.ones((5, 40)))).all()


def test_complete_separation_is_no_overlap():
    source = np.column_stack([np.ones(50), np.linspace(0, 1, 50)])
    target = np.column_stack([np.ones(50), np.linspace(2, 3, 50)])
    for trim in ("none", "crump"):
        with pytest.raises(IdentificationError, match="no overlap: 50 of 50 rows"):
            reweight(source, target, trim=trim)


def test_poor_overlap_warns_once():
    table = frame((300, 300), seed=3)
    table["exper"] += 60.0 * (table["place"] == "A") * (np.arange(600) % 50 > 0)
    table.loc[table.index[-4:], "exper"] = 75
    with pytest.warns(DataWarning, match="poor overlap in 1 of 1 reweighted samples") as caught:
        dfl(table, "pay ~ exper", group="place", statistics="mean", reference="B")
    assert len(caught) == 1


@pytest.mark.parametrize("trim", ["nine", "crump:0.7", "share:x", "none:0.1", "share:2", 0.1])
def test_unknown_trims(trim):
    with pytest.raises(OptionError, match="trim="):
        parse_trim(trim)


@pytest.mark.parametrize(
    ("weights", "words"),
    [((np.zeros(400), None), "sum to zero"), ((None, np.r_[-1.0, np.ones(299)]), "1 of 300 weights of target")],
)
def test_bad_weights(weights, words):
    (xs, _, _), (xt, _, _) = samples()
    with pytest.raises(DataError, match=words):
        reweight(xs, xt, weights)


def test_fewer_rows_than_columns():
    (xs, _, _), (xt, _, _) = samples()
    with pytest.raises(DataError, match="target has 2 rows for 3 columns"):
        reweight(xs, xt[:2])


# decompositions ------------------------------------------------------------------------------------------------------

CALL = dict(group="place", groups=("A", "B"), statistics=("mean", "variance", "quantile", "gini"))
FORMULA = "pay ~ level + exper"


def test_parts_sum_and_levels_are_those_of_the_groups():
    table = frame()
    gap = dfl(table, FORMULA, **CALL)
    values = gap.estimates.values.reshape(6, 3)
    np.testing.assert_allclose(values[:, 0], values[:, 1] + values[:, 2], atol=1e-13)
    a, b = (table.loc[table["place"] == name, "pay"].to_numpy() for name in "AB")
    np.testing.assert_allclose(values[0, 0], a.mean() - b.mean())
    np.testing.assert_allclose(values[1, 0], a.var() - b.var())
    np.testing.assert_allclose(values[2:5, 0], np.quantile(a, [0.1, 0.5, 0.9]) - np.quantile(b, [0.1, 0.5, 0.9]))
    assert gap.levels.labels["term"].tolist()[:3] == ["first", "second", "counterfactual"]
    # the gap of means of two samples has the variance of two means
    one = gap.with_cov("HC0").estimates.select(component="difference", measure="mean")
    np.testing.assert_allclose(one.bse.iloc[0] ** 2, a.var() / len(a) + b.var() / len(b), rtol=1e-10)


def test_the_counterfactual_mean_is_a_weighted_mean():
    table = frame()
    gap = dfl(table, FORMULA, **{**CALL, "statistics": "mean"})
    weights = gap.weights
    pay = table["pay"].to_numpy()[weights["row"]]
    counterfactual = np.average(pay, weights=weights["factor"])
    np.testing.assert_allclose(gap.levels.values[2], counterfactual, rtol=1e-12)
    assert set(table["place"].to_numpy()[weights["row"]]) == {"A"}


def test_swapping_groups_and_reference_turns_the_signs():
    table = frame()
    one = dfl(table, FORMULA, **{**CALL, "groups": ("A", "B")}, reference="A")
    other = dfl(table, FORMULA, **{**CALL, "groups": ("B", "A")}, reference="B")
    np.testing.assert_allclose(one.estimates.values, -other.estimates.values, atol=1e-12)
    np.testing.assert_allclose(one.bse.to_numpy(), other.bse.to_numpy(), rtol=1e-9)


def test_a_sequence_sums_and_ends_at_the_whole():
    table = frame()
    whole = dfl(table, "pay ~ level * exper", **CALL, reference="B")
    steps = dfl(table, "pay ~ level * exper", **CALL, reference="B", sequence=["exper", "level"])
    np.testing.assert_allclose(steps.totals().values, whole.totals().values, atol=1e-13)
    np.testing.assert_allclose(steps.totals().bse, whole.totals().bse, rtol=1e-9)
    detail = steps.detail("explained").estimates.values.reshape(6, 2)
    np.testing.assert_allclose(detail.sum(axis=1), steps.totals().select(component="explained").values, atol=1e-13)
    alone = dfl(table, "pay ~ exper", **CALL, reference="B")
    np.testing.assert_allclose(detail[:, 0], alone.totals().select(component="explained").values, atol=1e-12)
    turned = dfl(table, "pay ~ level * exper", **CALL, reference="B", sequence=["level"])
    assert turned.detail("explained").estimates.labels["term"].tolist()[:2] == ["level", "exper"]
    assert "Sequence: level, then exper" in turned.summary()
    assert len(steps.overlap) == 2


def test_a_sequence_of_groups_of_variables():
    table = frame().assign(female=lambda t: np.arange(len(t)) % 2)
    call = {**CALL, "statistics": "mean"}
    gap = dfl(table, "pay ~ level + exper + I(exper**2) + female", **call, sequence=[["exper", "female"], "level"])
    assert gap.detail("explained").estimates.labels["term"].tolist() == ["exper + female", "level"]
    first = dfl(table, "pay ~ exper + I(exper**2) + female", **call)
    np.testing.assert_allclose(gap.detail("explained").estimates.values[0], first.totals().values[1], atol=1e-12)


@pytest.mark.parametrize("reference", ["A", "B"])
@pytest.mark.parametrize("model", ["logit", "cells"])
def test_analytic_errors_equal_the_bootstrap(reference, model):
    table = frame((700, 600)).assign(exper=lambda t: t["exper"] > 12)
    call = {**CALL, "reference": reference, "reweight": model, "sequence": ["exper", "level"]}
    analytic = dfl(table, FORMULA, **call)
    reps = 300
    drawn = dfl(table, FORMULA, **call, cov=wg.cov.Bootstrap(reps, rng=1))
    np.testing.assert_allclose(drawn.estimates.values, analytic.estimates.values, atol=1e-12)
    ratio = drawn.bse.to_numpy() / analytic.bse.to_numpy()
    # a standard error from R draws errs by 1 / sqrt(2 R); four of them. The bootstrap of a quantile hangs on the few
    # values around it and errs by n^(-1/4) besides (Hall and Martin 1988), all the more for a small step.
    error = 4 / np.sqrt(2 * reps)
    labels = analytic.estimates.labels
    quantiles = labels["measure"].str.startswith("quantile").to_numpy()
    totals = (labels["term"] == "total").to_numpy()
    np.testing.assert_allclose(ratio[~quantiles], 1, atol=error)
    np.testing.assert_allclose(ratio[quantiles & totals], 1, atol=error + 0.15)


def test_the_propensity_matters_for_the_errors():
    """Where regressors say nearly all, composition is a gap of their means; known weights forget the target's error."""
    table = frame((900, 200)).assign(pay=lambda t: 0.5 * t["exper"] + 1e-3 * t["pay"])
    gap = dfl(table, "pay ~ exper", **{**CALL, "statistics": "mean"}).with_cov("HC0")
    error = gap.estimates.select(component="explained").bse.iloc[0]
    a, b = (table.loc[table["place"] == name, "pay"] for name in "AB")
    np.testing.assert_allclose(error**2, a.var() / len(a) + b.var() / len(b), rtol=0.1)
    factor = gap.weights["factor"].to_numpy()
    known = (a - a.mean()) / len(a) - factor * (a - gap.levels.values[2]) / factor.sum()
    assert np.sqrt((known**2).sum()) < 0.6 * error


@pytest.mark.filterwarnings("ignore:poor overlap", "ignore:Mass points")
@settings(max_examples=8, deadline=None)
@given(seed=st.integers(0, 1000), model=st.sampled_from(["logit", "probit"]))
def test_frequency_weights_are_repeated_rows(seed, model):
    table = frame((150, 120), seed=seed)
    call = {**CALL, "reweight": model, "cov": "HC1"}
    again = table.loc[np.repeat(table.index, table["w"])].reset_index(drop=True)
    weighted = dfl(table, FORMULA, **call, weights="w", weight_kind="frequency")
    rows = dfl(again, FORMULA, **call)
    np.testing.assert_allclose(weighted.estimates.values, rows.estimates.values, atol=1e-9)
    np.testing.assert_allclose(weighted.bse.to_numpy(), rows.bse.to_numpy(), rtol=1e-6)


@pytest.mark.filterwarnings("ignore:poor overlap")
@settings(max_examples=8, deadline=None)
@given(seed=st.integers(0, 1000), scale=st.floats(1e-3, 1e5))
def test_row_order_scale_of_weights_and_units_do_not_matter(seed, scale):
    table = frame((150, 120), seed=seed)
    call = {**CALL, "statistics": ("mean", "quantile", "gini")}
    one = dfl(table, FORMULA, **call, weights="w")
    mixed = table.sample(frac=1, random_state=seed).assign(w=lambda t: t["w"] * scale, exper=lambda t: t["exper"] / 7)
    other = dfl(mixed, FORMULA, **call, weights="w")
    np.testing.assert_allclose(one.estimates.values, other.estimates.values, atol=1e-9)
    np.testing.assert_allclose(one.bse.to_numpy(), other.bse.to_numpy(), rtol=1e-6)


@pytest.mark.parametrize("weights", [{}, {"weights": "w"}, {"weights": "w", "weight_kind": "frequency"}])
@pytest.mark.parametrize("errors", [("HC1", "stata"), ("HC0", "stata"), ("HC1", "none")])
def test_without_scores_the_covariance_is_the_same(weights, errors):
    table = frame((400, 400))
    table["place"] = np.where(np.arange(800) % 3, table["place"], "C")
    call = {**CALL, "groups": "pairs", "statistics": ("mean", "gini"), **weights}
    call |= {"cov": errors[0], "small_sample": errors[1]}
    kept, lean = dfl(table, FORMULA, **call), dfl(table, FORMULA, **call, keep_units=False)
    np.testing.assert_allclose(lean.estimates.covariance, kept.estimates.covariance, rtol=1e-9, atol=1e-14)
    assert lean.df_resid == kept.df_resid


def test_given_replicate_weights():
    table = frame()
    columns = [f"r{i}" for i in range(20)]
    rng = np.random.default_rng(2)
    drawn = pd.DataFrame(table["w"].to_numpy()[:, None] * rng.exponential(size=(len(table), 20)), columns=columns)
    cov = wg.cov.Replicates(tuple(columns), "bootstrap")
    call = {**CALL, "statistics": ("mean", "interquantile_range:0.75,0.25")}
    both = pd.concat([table, drawn], axis=1)
    gap = dfl(both, FORMULA, **call, weights="w", cov=cov)
    again = [dfl(both, FORMULA, **call, weights=name).estimates.values for name in columns]
    expected = np.sqrt(((np.array(again) - gap.estimates.values) ** 2).sum(axis=0) / 19)
    np.testing.assert_allclose(gap.bse.to_numpy(), expected, rtol=1e-5)


def test_the_same_draws_give_the_same_numbers(monkeypatch):
    table = frame()
    call = {**CALL, "cov": wg.cov.Bootstrap(12, rng=3)}
    whole = dfl(table, FORMULA, **call)
    monkeypatch.setattr("wagegap.decomposition.distributions.dfl._AT_ONCE", 5 * len(table))
    np.testing.assert_allclose(dfl(table, FORMULA, **call).bse, whole.bse, rtol=1e-5)


def test_two_equal_groups_have_no_gap():
    half = frame((200, 200)).query("place == 'A'")
    table = pd.concat([half, half.assign(place="B")], ignore_index=True)
    gap = dfl(table, FORMULA, **CALL)
    np.testing.assert_allclose(gap.estimates.values, 0, atol=1e-10)


def test_cells_clusters_and_several_groups_jointly():
    table = frame((400, 400)).assign(year=lambda t: np.where(np.arange(len(t)) % 2, 2020, 2021))
    gap = dfl(table, FORMULA, **{**CALL, "statistics": "mean"}, by="year", cov="CR1:psu")
    assert gap.estimates.by == ["year", "component"]
    assert abs(gap.estimates.covariance[0, 3]) > 0
    alone = dfl(table[table["year"] == 2020], FORMULA, **{**CALL, "statistics": "mean"}, cov="CR1:psu")
    np.testing.assert_allclose(gap.estimates.select(year=2020).values, alone.estimates.values, atol=1e-12)
    third = table.assign(place=np.where(np.arange(len(table)) % 3, table["place"], "C"))
    many = dfl(third, FORMULA, **{**CALL, "groups": ("*", "B"), "statistics": "mean"})
    assert many.comparisons["direction"].tolist() == ["A minus B", "C minus B"]
    assert many.estimates.covariance[0, 3] > 0  # both gaps subtract the same group


def test_trimmed_rows_leave_the_gap():
    table = frame()
    gap = dfl(table, FORMULA, **{**CALL, "statistics": "mean"}, trim="crump:0.35", reference="B")
    row = gap.overlap.iloc[0]
    assert row["trimmed_source"] > 0
    kept = gap.weights[gap.weights["factor"] > 0]["row"]
    np.testing.assert_allclose(gap.levels.values[1], table["pay"].to_numpy()[kept].mean())
    assert "Trimmed by crump:0.35" in gap.summary()


def test_user_functions_and_ranges():
    table = frame()

    def top_share(y, w):
        order = np.argsort(y)
        run = np.cumsum(w[order]) / w.sum()
        return float((w * y)[order][run > 0.9].sum() / (w @ y))

    gap = dfl(table, FORMULA, **{**CALL, "statistics": ("interquantile_range:0.9,0.1", top_share, "quantile")})
    values = gap.estimates.select(component="difference").values
    np.testing.assert_allclose(values[0], values[4] - values[2], atol=1e-12)
    assert gap.estimates.labels["measure"].unique()[1] == "top_share"
    assert np.isfinite(gap.bse).all()


def test_a_group_may_be_called_minus():
    table = frame().replace({"place": {"A": "net minus tax", "B": "gross"}})
    gap = dfl(table, FORMULA, **{**CALL, "groups": ("net minus tax", "gross"), "statistics": "mean"})
    labels = [text.get_text() for text in gap.plot_densities().get_legend().get_texts()]
    assert labels == ["net minus tax", "gross", "counterfactual"]


def test_densities_are_densities():
    gap = dfl(frame((3000, 3000)), FORMULA, **{**CALL, "statistics": "mean"})
    at = gap.densities["at"].to_numpy()
    for name in ("first", "second", "counterfactual"):
        curve = gap.densities[name].to_numpy()
        np.testing.assert_allclose(integrate.trapezoid(curve, at), 1, atol=2e-3)
    mean = integrate.trapezoid(at * gap.densities["counterfactual"], at)
    np.testing.assert_allclose(mean, gap.levels.values[2], atol=5e-3)
    ax = gap.plot_densities()
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["A", "B", "counterfactual"]
    with pytest.raises(OptionError, match="no key"):
        gap.plot_densities(year=3)


def test_what_is_kept_and_refitted():
    table = frame()
    gap = dfl(table, FORMULA, **CALL)
    assert len(pickle.loads(pickle.dumps(gap)).weights) == 500
    small = gap.without_units()
    assert len(small.weights) == 0
    np.testing.assert_allclose(small.bse, gap.bse)
    again = gap.refit(table, statistics="mean")
    np.testing.assert_allclose(again.estimates.values, gap.estimates.values[:3])
    assert dfl(table, FORMULA, **CALL, keep_units=False).weights.empty


def test_inequality_of_logarithms_is_said():
    table = frame().assign(pay=lambda t: np.exp(t["pay"]))
    gap = dfl(table, "log(pay) ~ level", **{**CALL, "statistics": ("mean", "gini")})
    assert "gini: of the logarithm itself" in gap.summary()
    assert gap.estimates.labels["unit"].tolist() == ["log"] * 3 + ["none"] * 3


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        (dict(statistics="varance"), OptionError, "Did you mean 'variance'"),
        (dict(statistics="quantile", probs=(1.2,)), OptionError, "1.2"),
        (dict(reweight="logitt"), OptionError, "Did you mean 'logit'"),
        (dict(trim="crumb"), OptionError, "Did you mean 'crump'"),
        (dict(reference="C"), OptionError, "reference="),
        (dict(sequence=["levle"]), OptionError, "Did you mean 'level'"),
        (dict(sequence=["level", "level"]), OptionError, "brought in twice"),
        (dict(group="plaec"), ColumnError, "Did you mean 'place'"),
        (dict(statistics=lambda y, w: float("nan")), DataError, "nan"),
        (dict(weights=np.zeros(900)), WagegapError, "weight"),
        (dict(trm="none"), OptionError, "Did you mean 'trim'"),
    ],
)
def test_bad_input(change, error, words):
    with pytest.raises(error, match=words):
        dfl(frame(), FORMULA, **{**CALL, **change})


def test_all_equal_outcomes_and_tiny_groups():
    table = frame()
    with pytest.raises(DataError, match="in all rows"):
        dfl(table.assign(pay=1.0), FORMULA, **CALL)
    with pytest.raises(DataError, match="no density"):
        dfl(table.assign(pay=table["pay"].where(table["place"] == "A", 1.0)), FORMULA, **CALL)
    small = pd.concat([table[table["place"] == "A"], table[table["place"] == "B"].head(3)])
    with pytest.raises(IdentificationError, match="no more rows than"):
        dfl(small, FORMULA, **CALL)


# coverage ------------------------------------------------------------------------------------------------------------

SHARES, TRUE_MEAN, TRUE_SD = {"A": 0.6, "B": 0.3}, {"A": (1.2, 2.0), "B": (1.0, 1.5)}, {"A": 0.6, "B": 0.4}


def mixture(structure, composition):
    """Mean, variance and median of the structure of one group at the composition of another."""
    share, (low, high), sd = SHARES[composition], TRUE_MEAN[structure], TRUE_SD[structure]
    mean = (1 - share) * low + share * high
    variance = sd**2 + share * (1 - share) * (high - low) ** 2

    def below(point):
        return (1 - share) * stats.norm.cdf(point, low, sd) + share * stats.norm.cdf(point, high, sd) - 0.5

    return np.array([mean, variance, optimize.brentq(below, -5, 9, xtol=1e-13)])


def draw_mixture(rng, n):
    parts = []
    for name in "AB":
        x = (rng.random(n) < SHARES[name]).astype(float)
        low, high = TRUE_MEAN[name]
        pay = np.where(x == 1, high, low) + TRUE_SD[name] * rng.normal(size=n)
        parts.append(pd.DataFrame({"place": name, "x": x, "pay": pay}))
    return pd.concat(parts, ignore_index=True)


def test_intervals_cover_the_truth():
    """95 % intervals of every component; judged against .93 to .97 widened by three Monte Carlo errors."""
    a, b, c = mixture("A", "A"), mixture("B", "B"), mixture("A", "B")
    truth = np.column_stack([a - b, a - c, c - b]).ravel()
    rng, reps, hits = np.random.default_rng(5), 120, 0
    for _ in range(reps):
        gap = dfl(draw_mixture(rng, 500), "pay ~ x", group="place", statistics=("mean", "variance", "quantile:0.5"))
        interval = gap.conf_int()
        hits = hits + ((interval["conf_low"] <= truth) & (truth <= interval["conf_high"])).to_numpy()
    slack = 3 * np.sqrt(0.0475 / reps)
    rates = hits / reps
    assert ((rates > 0.93 - slack) & (rates < 0.97 + slack)).all(), rates
