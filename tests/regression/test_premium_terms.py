"""What a premium is: at which values of what it is crossed with, of which step, and several of them jointly."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import statsmodels.formula.api as smf

import wagegap as wg
from wagegap.errors import ColumnError, IdentificationError, IdentificationWarning, OptionError, SmallCellWarning


@pytest.fixture(scope="module")
def workers():
    """1,200 workers of two countries, whose premium of AI differs with sex, experience and education."""
    rng = np.random.default_rng(5)
    n = 1200
    frame = pd.DataFrame({
        "iso3": rng.choice(["KOR", "USA"], n), "ai": rng.integers(2, size=n), "cloud": rng.integers(2, size=n),
        "female": rng.integers(2, size=n), "exper": rng.integers(1, 30, n).astype(float),
        "educ": rng.choice(["college", "master", "school"], n, p=[0.5, 0.2, 0.3]), "w": rng.integers(1, 4, n) / 2.0,
        "field": rng.choice(["cs", "law", "med"], n),
    })  # fmt: skip
    premium = 0.2 - 0.1 * frame["female"] + 0.004 * frame["exper"] + 0.1 * (frame["educ"] == "master")
    log_pay = 2 + premium * frame["ai"] + 0.1 * frame["cloud"] + 0.02 * frame["exper"] - 0.1 * frame["female"]
    return frame.assign(pay=np.exp(log_pay + 0.4 * rng.normal(size=n)))


def fit(rows, right, premium, **options):
    return wg.fit_premiums(rows, f"log(pay) ~ {right}", premium=premium, **{"by": "iso3", "cov": "HC1", **options})


def by_country(rows, right, **options):
    """The same regressions by statsmodels."""
    cells = dict(iter(rows.groupby("iso3")))
    if "weights" in options:
        name = options.pop("weights")
        return {
            iso3: smf.wls(f"np.log(pay) ~ {right}", cell, weights=cell[name]).fit(cov_type="HC1", use_t=True)
            for iso3, cell in cells.items()
        }
    return {
        iso3: smf.ols(f"np.log(pay) ~ {right}", cell).fit(cov_type="HC1", use_t=True) for iso3, cell in cells.items()
    }


def contrast(model, weights):
    """Value and error of a sum of coefficients."""
    row = np.array([weights.get(name, 0.0) for name in model.params.index])
    return float(row @ model.params), float(np.sqrt(row @ model.cov_params().to_numpy() @ row))


# at which values -----------------------------------------------------------------------------------------------------


def test_a_coefficient_beside_a_product_says_where_it_is_the_premium(workers):
    found = fit(workers, "ai * female + exper", "ai")
    models = by_country(workers, "ai * female + exper")
    np.testing.assert_allclose(found.params, [m.params["ai"] for m in models.values()], rtol=1e-9)
    assert found.title == "Premium of ai at female = 0"
    assert set(found.estimates.labels["comparison"]) == {"not ai (female = 0)"}
    assert any("at='mean' gives the average" in note for note in found.notes)
    assert "at female = 0" in found.summary()
    assert "at female = 0" in found.plot().get_xlabel()
    alone = fit(workers, "ai + female + exper", "ai")
    assert (alone.title, alone.notes) == ("Premium of ai", ())


@pytest.mark.parametrize(
    ("right", "premium", "said"),
    [
        ("ai * educ", "ai", "educ = college"),
        ("ai * C(educ)", "ai", "educ = college"),
        ("ai * exper", "ai", "exper = 0"),
        ("ai + exper + I(ai * exper)", "ai", "I(ai * exper) = 0"),
        ("ai + log(exper) + ai:log(exper)", "ai", "log(exper) = 0"),
        ("exper + I(exper**2)", "exper", "exper = 0"),
        ("field * female", "field", "female = 0"),
        ("C(ai) * female", "ai", "female = 0"),
        ("ai * female * educ", "ai", "female = 0, educ = college"),
        ("ai * C(educ, contr.treatment('master'))", "ai", "educ = master"),
        ("ai * C(educ, contr.sum)", "ai", "educ, as it is coded, = 0"),
    ],
)
def test_every_kind_of_product_is_said(workers, right, premium, said):
    found = fit(workers, right, premium)
    assert f"at {said}" in found.title
    assert found.estimates.labels["comparison"].str.endswith(f"({said})").all()


def test_at_a_value_is_the_coefficient_of_the_recoded_regression(workers):
    moved = workers.assign(female=1 - workers["female"], exper=workers["exper"] - 10)
    right = "ai * female + ai * exper + ai * educ"
    found = fit(workers, right, "ai", at={"female": 1, "exper": 10, "educ": "master"})
    other = fit(moved.assign(educ=moved["educ"].replace("master", "a master")), right, "ai")
    np.testing.assert_allclose(found.params, other.params, rtol=1e-9)
    np.testing.assert_allclose(found.cov_params(), other.cov_params(), rtol=1e-8)
    assert found.title == "Premium of ai at educ = master, exper = 10, female = 1"
    assert found.notes == ()


@pytest.mark.parametrize("weights", [None, "w"])
@pytest.mark.parametrize(
    "right", ["ai * female + exper", "ai + female + exper + I(ai * female)", "ai + exper + female:ai"]
)
def test_the_average_is_at_the_means_of_the_cell(workers, right, weights):
    options = {} if weights is None else {"weights": weights}
    found = fit(workers, right, "ai", at="mean", **options)
    assert "averaged over female" in found.title
    for iso3, model in by_country(workers, right, **options).items():
        cell = workers[workers["iso3"] == iso3]
        mean = np.average(cell["female"], weights=None if weights is None else cell[weights])
        product = next(name for name in model.params.index if "female" in name and "ai" in name)
        value, error = contrast(model, {"ai": 1.0, product: mean})
        np.testing.assert_allclose([found.params[iso3], found.bse[iso3]], [value, error], rtol=1e-8)


def test_the_average_over_a_factor_and_a_spline(workers):
    found = fit(workers, "ai * educ + ai * bs(exper, df=4)", "ai", at="mean")
    for iso3, cell in workers.groupby("iso3"):  # by hand: everybody with and without the skill
        model = smf.ols("np.log(pay) ~ ai * educ + ai * bs(exper, df=4, include_intercept=False)", cell).fit()
        gap = model.predict(cell.assign(ai=1)) - model.predict(cell.assign(ai=0))
        # the knots of the spline are those of all rows here, and of the cell there: close, not equal
        assert found.params[iso3] == pytest.approx(gap.mean(), abs=0.01)
    pooled = fit(workers, "ai * educ + ai * bs(exper, df=4)", "ai", at="mean", by=())
    model = smf.ols("np.log(pay) ~ ai * educ + ai * bs(exper, df=4, include_intercept=False)", workers).fit()
    gap = model.predict(workers.assign(ai=1)) - model.predict(workers.assign(ai=0))
    assert pooled.params.iloc[0] == pytest.approx(gap.mean(), rel=1e-8)


def test_the_average_of_every_level_of_a_category(workers):
    found = fit(workers, "field * female + exper", "field", at="mean", base="law")
    for iso3, cell in workers.groupby("iso3"):
        model = smf.ols("np.log(pay) ~ C(field, Treatment('law')) * female + exper", cell).fit()
        for level in ("cs", "med"):
            gap = model.predict(cell.assign(field=level)) - model.predict(cell.assign(field="law"))
            assert found.params[f"{iso3} field[T.{level}]"] == pytest.approx(gap.mean(), rel=1e-8)


def test_the_average_of_an_amount_is_of_one_more_unit(workers):
    found = fit(workers, "exper + I(exper**2) + ai", "exper", at="mean", by=())
    model = smf.ols("np.log(pay) ~ exper + I(exper**2) + ai", workers).fit()
    gap = model.predict(workers.assign(exper=workers["exper"] + 1)) - model.predict(workers)
    assert found.params.iloc[0] == pytest.approx(gap.mean(), rel=1e-9)


@pytest.mark.parametrize("cov", ["HC0", "CR1:educ", wg.cov.Bootstrap(29, rng=1)])
@pytest.mark.filterwarnings("ignore::wagegap.errors.FewClustersWarning")
def test_the_average_of_stacked_cells_keeps_common_slopes(workers, cov):
    right = "ai * female + exper"
    found = fit(workers, right, "ai", at="mean", method="stacked", cov=cov)
    parts = fit(workers, right, ["ai"], method="stacked", cov=cov)
    model = smf.ols("np.log(pay) ~ 0 + iso3 + iso3:ai + female + exper + ai:female", workers).fit()
    for iso3, cell in workers.groupby("iso3"):
        mean = cell["female"].mean()
        value = model.params[f"iso3[{iso3}]:ai"] + mean * model.params["ai:female"]
        assert found.params[iso3] == pytest.approx(value, rel=1e-8)
        assert parts.params[iso3] == pytest.approx(model.params[f"iso3[{iso3}]:ai"], rel=1e-8)


def test_the_average_leaves_out_singletons_and_keeps_the_knots(workers):
    alone = workers.assign(firm=np.where(workers.index < 30, workers.index + 100, workers.index % 20))
    alone.loc[alone.index < 5, "educ"] = "only here"
    found = fit(alone, "ai * bs(exper, df=4) + ai * educ | firm", "ai", at="mean", by=())
    columns = "ai * bs(exper, df=4, include_intercept=False) + ai * educ"
    known = alone.replace({"educ": {"only here": "college"}})  # rows with a dummy of their own say nothing of it
    every = smf.ols(f"np.log(pay) ~ {columns} + C(firm)", known).fit()
    gap = every.predict(known.assign(ai=1)) - every.predict(known.assign(ai=0))
    sample = alone.index >= 30
    assert found.params.iloc[0] == pytest.approx(gap[sample].mean(), rel=1e-7)


def test_a_cell_of_one_kind_has_an_average(workers):
    women = workers[(workers["iso3"] == "USA") | (workers["female"] == 1)]
    with pytest.warns(IdentificationWarning, match="female = 1"):
        found = fit(women, "ai * female + exper", "ai", at="mean")
    alone = fit(women[women["iso3"] == "KOR"], "ai + exper", "ai")
    assert found.params["KOR"] == pytest.approx(alone.params["KOR"], rel=1e-9)
    assert found.bse["KOR"] == pytest.approx(alone.bse["KOR"], rel=1e-9)


def test_what_at_cannot_be_is_said(workers):
    right = "ai * female + exper"
    for at, message in (
        ("average", "Known: 'mean', or a dict"),
        ({"femal": 1}, "Did you mean 'female'"),
        ({"exper": 1}, "It differs with female"),
        ({"female": "yes"}, "is a number"),
    ):
        with pytest.raises(OptionError, match=message):
            fit(workers, right, "ai", at=at)
    with pytest.raises(OptionError, match=r"no level 'mster'.*Did you mean 'master'"):
        fit(workers, "ai * educ", "ai", at={"educ": "mster"})
    with pytest.raises(OptionError, match="crossed with nothing"):
        fit(workers, "ai + exper", "ai", at={"female": 1})
    with pytest.raises(OptionError, match="leave out at"):
        wg.fit_premiums(wg.datasets.developer_pay(), premium="ai", at="mean")
    assert fit(workers, "ai + exper", "ai", at="mean").title == "Premium of ai"


# products, and several premiums --------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["ai:female", "female:ai"])
def test_a_product_is_the_difference_of_premiums(workers, name):
    found = fit(workers, "ai * female + exper", name)
    of, other = name.split(":")
    assert found.title == f"Difference of premiums, {name}"
    assert set(found.estimates.labels["comparison"]) == {f"premium of {of} at {other} = 0"}
    for iso3, model in by_country(workers, "ai * female + exper").items():
        np.testing.assert_allclose(
            [found.params[iso3], found.bse[iso3]], [model.params["ai:female"], model.bse["ai:female"]], rtol=1e-8
        )
    holders = workers.query("ai == 1 and female == 1").groupby("iso3").size()
    assert found.cells["n_treated"].tolist() == holders.tolist()


def test_products_with_a_factor_and_with_an_amount(workers):
    levels = fit(workers, "ai * educ", "ai:educ")
    assert levels.estimates.labels["term"].unique().tolist() == ["ai:educ[T.master]", "ai:educ[T.school]"]
    assert set(levels.estimates.labels["comparison"]) == {"premium of ai at educ = college"}
    of_factor = fit(workers, "C(ai) * female", "C(ai):female")
    assert set(of_factor.estimates.labels["comparison"]) == {"premium of ai at female = 0"}
    amount = fit(workers, "ai * exper", "ai:exper")
    assert set(amount.estimates.labels["comparison"]) == {"premium of ai at exper one lower"}


@pytest.mark.parametrize("method", ["separate", "stacked"])
@pytest.mark.parametrize(
    "premium", [["ai", "cloud"], ["ai", "ai:female"], ["ai", "cloud", "ai:female"], ["field", "ai"]]
)
def test_several_premiums_are_joint(workers, premium, method):
    right = "ai * female + cloud + field + exper"
    found = fit(workers, right, premium, method=method, cov="HC0")
    terms = found.estimates.labels["term"].unique().tolist()
    assert len(found.params) == 2 * len(terms)
    dummies = {"field[T.law]": "field[T.law]", "field[T.med]": "field[T.med]"}
    if method == "separate":
        for iso3, cell in workers.groupby("iso3"):
            model = smf.ols(f"np.log(pay) ~ {right}", cell).fit(cov_type="HC0")
            wanted, names = [dummies.get(term, term) for term in terms], [f"{iso3} {term}" for term in terms]
            np.testing.assert_allclose(found.params[names], model.params[wanted], rtol=1e-8)
            np.testing.assert_allclose(
                found.cov_params().loc[names, names], model.cov_params().loc[wanted, wanted], rtol=1e-7
            )
    else:  # one at a time has the same slopes only where what is shared is: the last of several is checked by join
        own = " + ".join(f"iso3:{term}" for term in premium)
        shared = " + ".join(
            term for term in ("ai", "female", "cloud", "field", "exper", "ai:female") if term not in premium
        )
        model = smf.ols(f"np.log(pay) ~ 0 + iso3 + {own} + {shared}", workers).fit(cov_type="HC0")
        for term in terms:
            stem, _, level = term.partition("[")
            name = f"iso3[KOR]:{stem}" + (f"[{level}" if level else "")
            assert found.params[f"KOR {term}"] == pytest.approx(model.params[name], rel=1e-7)
            assert found.bse[f"KOR {term}"] == pytest.approx(model.bse[name], rel=1e-6)


def test_several_premiums_make_one_table_and_go_on(workers):
    found = fit(workers, "ai * female + cloud", ["ai", "cloud"])
    assert found.title == "Premiums of ai (female = 0), cloud"
    assert found.premium == "ai, cloud"
    assert "United States cloud" in found.summary()
    assert found.test("KOR ai = KOR cloud").df_denom > 0
    assert found.per_cent().unit == "per cent"
    assert found.estimates.select(term="cloud").names == ["KOR", "USA"]
    again = found.refit(workers)
    np.testing.assert_allclose(again.params, found.params, rtol=1e-12)
    np.testing.assert_allclose(
        found.with_cov("HC0").bse, fit(workers, "ai * female + cloud", ["ai", "cloud"], cov="HC0").bse
    )
    joined = wg.join(fit(workers, "ai + exper", "ai"), fit(workers, "cloud + exper", "cloud"))
    assert np.any(joined.covariance[:2, 2:])


def test_each_of_several_premiums_needs_holders_of_its_own(workers):
    thin = workers.assign(cloud=np.where((workers["iso3"] == "KOR") & (workers.index > 40), 0, workers["cloud"]))
    with pytest.warns(SmallCellWarning, match=r"1 of 4 premiums are left out.*KOR cloud"):
        found = fit(thin, "ai + cloud", ["ai", "cloud"])
    assert found.params.index.tolist() == ["KOR ai", "USA ai", "USA cloud"]
    row = found.absent.iloc[0]
    korean = thin[thin["iso3"] == "KOR"]
    assert (row["term"], row["n_treated"], row["n_comparison"]) == (
        "cloud", korean["cloud"].sum(), (korean["cloud"] == 0).sum(),
    )  # fmt: skip
    none = workers.assign(cloud=np.where(workers["iso3"] == "KOR", 1, workers["cloud"]))
    with pytest.raises(IdentificationError, match=r"KOR .cloud: everybody holds the premium"):
        fit(none, "ai + cloud", ["ai", "cloud"])
    with pytest.warns(SmallCellWarning), pytest.warns(IdentificationWarning):
        found = fit(none, "ai + cloud", ["ai", "cloud"], empty_cells="exclude")
    assert found.absent["reason"].tolist() == ["everybody holds the premium"]


def test_premiums_that_are_none_are_said(workers):
    for premium, error, message in (
        ("bs(exper, df=4)", OptionError, "4 columns"),
        (["ai", "clod"], ColumnError, "Did you mean 'cloud'"),
        ("ai:femal", ColumnError, "Did you mean 'ai:female'"),
        ([], OptionError, "must name a regressor"),
        ("iso3:ai", ColumnError, "Regressors: "),
    ):
        with pytest.raises(error, match=message):
            fit(workers, "ai * female + cloud + bs(exper, df=4)", premium)
    with pytest.raises(OptionError, match="goes with one premium"):
        fit(workers, "ai + cloud", ["ai", "cloud"], base=0)
    with pytest.raises(OptionError, match="coded by contrasts"):
        fit(workers, "C(field, contr.sum) + exper", "field")


# what one unit is ----------------------------------------------------------------------------------------------------


CODES = {
    "one_two": (lambda ai: ai + 1, "Premium of skill = 2", "skill = 1"),
    "zero_one": (lambda ai: ai, "Premium of skill", "not skill"),
    "truth": (lambda ai: ai == 1, "Premium of skill", "not skill"),
    "yes_no": (lambda ai: np.where(ai == 1, "yes", "no"), "Premium of skill = yes", "skill = no"),
    "category": (lambda ai: pd.Categorical(np.where(ai == 1, 2, 1)), "Premium of skill = 2", "skill = 1"),
    "seven_eight": (lambda ai: ai + 7.0, "Premium of skill = 8", "skill = 7"),
}


@pytest.mark.parametrize("code", CODES)
def test_a_code_of_two_values_says_who_holds_it(workers, code):
    made, title, comparison = CODES[code]
    found = fit(workers.assign(skill=made(workers["ai"])), "skill + exper", "skill")
    right = fit(workers, "ai + exper", "ai")
    np.testing.assert_allclose(found.params, right.params, rtol=1e-9)
    np.testing.assert_allclose(found.bse, right.bse, rtol=1e-9)
    assert found.title == title
    assert set(found.estimates.labels["comparison"]) == {comparison}
    pd.testing.assert_frame_equal(found.cells.drop(columns="sigma"), right.cells.drop(columns="sigma"))


def test_a_code_of_two_values_obeys_the_smallest_cell(workers):
    coded = workers.assign(ai=workers["ai"] + 1)
    few = coded[(coded["iso3"] == "USA") | (coded["ai"] == 1) | (coded.index < 40)]
    with pytest.warns(SmallCellWarning, match="KOR"):
        found = fit(few, "ai + exper", "ai")
    assert found.params.index.tolist() == ["USA"]


@pytest.mark.parametrize(("low", "high"), [(-1, 1), (0, 100), (1, 5), (0, 0.5)])
def test_a_step_of_more_than_one_is_refused_with_advice(workers, low, high):
    coded = workers.assign(skill=np.where(workers["ai"] == 1, high, low))
    with pytest.raises(OptionError, match=rf"two values {low:g} and {high:g}.*recode it to 0 and 1"):
        fit(coded, "skill + exper", "skill")
    slope = fit(coded, "I(skill) + exper", "I(skill)")
    np.testing.assert_allclose(slope.params * (high - low), fit(workers, "ai + exper", "ai").params, rtol=1e-9)
    assert set(slope.estimates.labels["comparison"]) == {"I(skill) one lower"}


def test_an_amount_is_compared_with_one_unit_less(workers):
    found = fit(workers, "exper + female", "exper")
    assert set(found.estimates.labels["comparison"]) == {"exper one lower"}
    assert found.cells["n_treated"].tolist() == found.cells["n"].tolist()


def test_weights_given_follow_the_rows_that_are_kept(workers):
    """A cell without holders is left out, and with it the weights of its rows."""
    rows = workers.assign(ai=np.where(workers["iso3"] == "KOR", 0, workers["ai"]))
    with pytest.warns(SmallCellWarning):
        by_name = fit(rows, "ai + exper", "ai", weights="w", empty_cells="exclude")
    with pytest.warns(SmallCellWarning):
        given = fit(rows, "ai + exper", "ai", weights=rows["w"], empty_cells="exclude")
    np.testing.assert_array_equal(given.estimates.values, by_name.estimates.values)
    model = smf.wls("np.log(pay) ~ ai + exper", rows[rows["iso3"] == "USA"], weights=rows["w"][rows["iso3"] == "USA"])
    assert given.estimates.values[0] == pytest.approx(model.fit().params["ai"], rel=1e-10)
