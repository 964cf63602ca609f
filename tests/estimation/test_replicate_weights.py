"""Replicate weights that surveys supply: scales, centres, degrees of freedom, weights below zero, factors."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import linalg

import wagegap as wg
from wagegap.errors import CovarianceError, IdentificationError, JoinError, OptionError

Replicates = wg.cov.Replicates


def slopes(frame, weights, columns=("x",)):
    """(X'WX)^-1 X'Wy, whatever the sign of the weights."""
    x = np.column_stack([np.ones(len(frame)), frame[list(columns)]])
    return np.linalg.solve(x.T @ (x * weights[:, None]), x.T @ (weights * frame["y"].to_numpy()))


@pytest.fixture(scope="module")
def published():
    """200 rows whose publisher states the scale of 80 replicates."""
    rng = np.random.default_rng(18)
    frame = pd.DataFrame(dict(x=rng.normal(size=200), w=rng.uniform(50, 200, 200)))
    frame["y"] = rng.normal(size=200)
    for r in range(80):
        frame[f"r{r}"] = frame["w"] * rng.choice([0.3, 1, 1.7], 200)
    return frame, tuple(f"r{r}" for r in range(80))


@pytest.fixture(scope="module")
def acs(shared):
    frame = pd.read_csv(shared / "refdata" / "survey_sdr_acs_like.csv")
    return frame, tuple(f"PWGTP{r}" for r in range(1, 81))


@pytest.fixture(scope="module")
def differences():
    """Successive differences with factors 1 - 1.3, 1 and 1 + 1.3: a fifth of the weights lie below zero."""
    rng = np.random.default_rng(7)
    signs = linalg.hadamard(32)
    frame = pd.DataFrame(dict(x=rng.normal(size=120), w=rng.integers(20, 90, 120), g=rng.integers(2, size=120)))
    frame["y"] = 1 + 0.5 * frame["x"] + rng.normal(size=120)
    frame["leaves"] = (rng.random(120) < 0.3).astype(int)
    first, second = np.arange(120) % 30 + 1, (np.arange(120) + 1) % 30 + 1
    columns = (1 + 0.65 * (signs[first] - signs[second])) * frame[["w"]].to_numpy()
    names = tuple(f"r{r}" for r in range(32))
    return pd.concat([frame, pd.DataFrame(columns, columns=names)], axis=1), names


def gaps(frame, names, statistic):
    full = statistic(frame["w"].to_numpy())
    return np.array([statistic(frame[name].to_numpy()) for name in names]) - full


# scales, Fay's factor, centre --------------------------------------------------------------------------------------


@pytest.mark.public_case("replicates_scales")
@pytest.mark.parametrize(
    ("kind", "fay"), [(kind, 0.0) for kind in ("JKn", "bootstrap", "BRR", "JK1", "JK2", "Fay", "SDR")] + [("Fay", 0.5)]
)
def test_scales_are_those_of_every_kind(published, facts, kind, fay):
    frame, names = published
    cov = Replicates(names, kind, fay=fay, scales=(0.0065,) * 80)
    found = wg.fit_linear(frame, "y ~ x", weights="w", cov=cov)
    assert round(found.bse["x"], 4) == facts("public_cases")["replicates_scales"]["right"]
    by_hand = np.sqrt(0.0065 * np.sum(gaps(frame, names, lambda w: slopes(frame, w))[:, 1] ** 2))
    assert found.bse["x"] == pytest.approx(by_hand, rel=1e-9)


def test_one_scale_and_one_for_each_are_multiplied(published):
    frame, names = published
    each = tuple(np.linspace(0, 2, 80))
    deviations = gaps(frame, names, lambda w: slopes(frame, w))
    for options, factors in (
        (dict(scale=0.05), np.full(80, 0.05)),
        (dict(scales=each), np.array(each)),
        (dict(scale=0.05, scales=each), 0.05 * np.array(each)),
    ):
        found = wg.fit_linear(frame, "y ~ x", weights="w", cov=Replicates(names, "bootstrap", **options))
        np.testing.assert_allclose(found.cov_params(), (deviations.T * factors) @ deviations, rtol=1e-8)


def test_centres(published):
    """Around the mean of the replicates, of those whose scale is positive."""
    frame, names = published
    scales = tuple(np.where(np.arange(80) < 50, 0.02, 0.0))
    found = wg.fit_linear(frame, "y ~ x", weights="w", cov=Replicates(names, "JKn", scales=scales, centre="mean"))
    values = np.array([slopes(frame, frame[name].to_numpy()) for name in names[:50]])
    around = values - values.mean(axis=0)
    np.testing.assert_allclose(found.cov_params(), 0.02 * around.T @ around, rtol=1e-8)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (dict(kind="bootstrap", scales=(1.0, 2.0)), r"scales has 2 numbers for 80 replicates"),
        (dict(kind="BRR", fay=0.5), r"fay=0\.5 is Fay's factor, which BRR replicates do not have: kind='Fay'"),
        (dict(kind="JK2", scale=-1.0), r"not negative"),
        (dict(kind="JK2", scale=np.nan), r"must be a number"),
        (dict(kind="JK2", centre="middle"), r"centre='middle' is not known"),
        (dict(kind="SRD"), r"Did you mean 'SDR'"),
        (dict(kind="JK2", scales=("a",) * 80), r"must be a number"),
        (dict(kind="JK2", scale="a"), r"must be a number"),
    ],
)
def test_options_that_would_not_be_obeyed_are_refused(published, options, words):
    with pytest.raises(OptionError, match=words):
        Replicates(published[1], **options)


def test_columns_that_are_none_or_twice(published):
    for columns, words in ((None, "must be the name of a column"), (("r0", "r1", "r0"), "names r0 twice")):
        with pytest.raises(OptionError, match=words):
            Replicates(columns, "JK2")


def test_few_noisy_replicates_are_still_of_their_weights(published):
    frame, names = published
    wg.fit_linear(frame, "y ~ x", weights="w", cov=Replicates(names[:2], "JK2"))


@pytest.mark.parametrize(("kind", "words"), [("Fay", "needs Fay's factor"), ("JKn", "needs scales")])
def test_what_a_kind_needs(published, kind, words):
    frame, names = published
    with pytest.raises(OptionError, match=words):
        wg.fit_linear(frame, "y ~ x", weights="w", cov=Replicates(names, kind))


def test_a_panel_and_cov_that_disagree(published):
    frame, names = published
    how = dict(weight="w", replicate_weights=names)
    panel = wg.read_panel(frame, **how, replicate_kind="Fay", fay=0.5)
    plain = wg.fit_linear(panel, "y ~ x")
    same(plain, wg.fit_linear(panel, "y ~ x", cov=Replicates(fay=0.5)))
    same(plain, wg.fit_linear(panel, "y ~ x", cov=Replicates(scale=1 / 20)))
    for cov in (Replicates(kind="BRR"), Replicates(kind="Fay", fay=0.3), Replicates(names, "JK1")):
        with pytest.raises(OptionError, match=r"the panel declares these replicate weights \(Fay, fay=0.5\)"):
            wg.fit_linear(panel, "y ~ x", cov=cov)
    # other columns are other replicates, to which the panel's factor does not belong
    other = wg.fit_linear(panel, "y ~ x", cov=Replicates(names[:40], "BRR"))
    expected = gaps(frame, names[:40], lambda w: slopes(frame, w))
    np.testing.assert_allclose(other.cov_params(), expected.T @ expected / 40, rtol=1e-8)
    for options, words in (
        (dict(replicate_kind="BRR", fay=0.5), "Fay's factor, which BRR"),
        (dict(replicate_kind="Fay"), "needs Fay's factor"),
    ):
        with pytest.raises(OptionError, match=words):
            wg.read_panel(frame, **how, **options)
    with pytest.raises(OptionError, match="without replicate weights"):
        wg.read_panel(frame, weight="w", fay=0.5)


def same(first, second):
    np.testing.assert_allclose(first.bse, second.bse, rtol=1e-12)


def test_replicates_of_other_columns_or_scales_are_not_related(published):
    frame, names = published
    first, second, third = (
        wg.fit_linear(frame, "y ~ x", weights="w", cov=cov).estimates
        for cov in (Replicates(names, "JK2"), Replicates(names[::-1], "JK2"), Replicates(names, "JK2", scale=2.0))
    )
    for other in (second, third):
        with pytest.raises(JoinError, match="cannot be related"):
            wg.join(first, other)


# degrees of freedom ------------------------------------------------------------------------------------------------


def jackknife(frame, stratum, unit, weight):
    """JKn: each unit left out in turn, its stratum's others weighted up; the scales (n_h - 1)/n_h."""
    pairs = frame[[stratum, unit]].drop_duplicates()
    sizes = pairs.groupby(stratum)[unit].nunique()
    columns, scales = {}, []
    for name, number in pairs.itertuples(index=False):
        n, here = sizes[name], (frame[stratum] == name).to_numpy()
        left_out = here & (frame[unit] == number).to_numpy()
        factor = np.where(left_out, 0.0, np.where(here, n / (n - 1), 1.0))
        columns[f"jk{len(columns)}"] = factor * frame[weight].to_numpy()
        scales.append((n - 1) / n)
    return pd.concat([frame, pd.DataFrame(columns)], axis=1), tuple(columns), tuple(scales)


@pytest.mark.shared
@pytest.mark.public_case("jkn_df")
def test_jackknife_of_strata_of_r_survey(shared, facts):
    right = facts("survey_designs")["nhanes_jkn"]
    nhanes = pd.read_csv(shared / "refdata" / "case_nhanes_small.csv")
    frame, names, scales = jackknife(nhanes, "st", "psu", "w")
    assert sorted(scales) == pytest.approx(sorted(right["rscales"]))
    for centre, key in (("mean", "lm"), ("full", "lm_mse")):
        cov = Replicates(names, "JKn", scales=scales, centre=centre)
        found = wg.fit_linear(frame, "HI ~ fem + C(race)", weights="w", cov=cov)
        np.testing.assert_allclose(found.bse, right[key], rtol=1e-9)
        assert (found.estimates.df == facts("public_cases")["jkn_df"]["right"]).all()
    cov = Replicates(names, "JKn", scales=scales, centre="mean")
    domain = wg.fit_linear(wg.read_panel(frame, weight="w").filter("small == 1"), "HI ~ fem", cov=cov)
    np.testing.assert_allclose(domain.bse, right["domain_small"], rtol=1e-9)


@pytest.fixture(scope="module")
def strata():
    rng = np.random.default_rng(4)
    rows = [(h, i) for h, n in enumerate((2, 3, 2, 4, 2, 2, 3)) for i in range(n) for _ in range(12)]
    frame = pd.DataFrame(rows, columns=["stratum", "unit"])
    n = len(frame)
    return frame.assign(x=rng.normal(size=n), y=rng.normal(size=n), w=rng.uniform(1, 3, n), g=rng.integers(2, size=n))


def test_degrees_of_jackknives_are_units_less_strata(strata):
    frame, names, scales = jackknife(strata, "stratum", "unit", "w")
    cov = Replicates(names, "JKn", scales=scales)
    assert (wg.fit_linear(frame, "y ~ x", weights="w", cov=cov).estimates.df == 18 - 7).all()
    frame, names, _ = jackknife(strata.assign(one=0, each=strata["stratum"] * 10 + strata["unit"]), "one", "each", "w")
    found = wg.fit_linear(frame, "y ~ x", weights="w", cov=Replicates(names, "JK1"))
    assert (found.estimates.df == 18 - 1).all()
    # a domain in which three units have rows
    panel = wg.read_panel(frame, weight="w").filter("each in [0, 10, 11]")
    assert (wg.fit_linear(panel, "y ~ x", cov=Replicates(names, "JK1")).estimates.df == 3 - 1).all()


def test_degrees_of_a_difference_of_cells_are_the_smaller(strata):
    frame, names, scales = jackknife(strata, "stratum", "unit", "w")
    frame["few"] = frame["stratum"].isin([0, 1]).astype(int)
    cells = wg.fit_rates(frame, "g", by="few", weights="w", cov=Replicates(names, "JKn", scales=scales), min_rows=1)
    few, others = 5 - 2, 13 - 5
    assert cells.estimates.df.tolist() == [others, few]
    assert cells.estimates.degrees(np.array([1.0, -1.0])) == few


@pytest.mark.parametrize(("kind", "fay"), [("BRR", 0.0), ("Fay", 0.5)])
def test_degrees_of_balanced_replicates_are_the_strata(strata, kind, fay):
    pairs = strata[strata["stratum"].isin([0, 2, 4, 5]) & (strata["unit"] < 2)].reset_index(drop=True)
    signs = linalg.hadamard(16)[:, pairs["stratum"].map({0: 1, 2: 2, 4: 3, 5: 4})]
    factors = 1 + (1 - fay) * signs * np.where(pairs["unit"] == 0, 1, -1)
    names = tuple(f"r{r}" for r in range(16))
    frame = pd.concat([pairs, pd.DataFrame((factors * pairs["w"].to_numpy()).T, columns=names)], axis=1)
    found = wg.fit_linear(frame, "y ~ x", weights="w", cov=Replicates(names, kind, fay=fay))
    assert (found.estimates.df == 4).all()
    cells = wg.fit_rates(frame, "g", by="stratum", weights="w", cov=Replicates(names, kind, fay=fay), min_rows=1)
    assert (cells.estimates.df == 1).all()


def test_joint_tests_of_replicates_are_adjusted(strata):
    frame, names, scales = jackknife(strata, "stratum", "unit", "w")
    found = wg.fit_linear(frame, "y ~ x + g", weights="w", cov=Replicates(names, "JKn", scales=scales))
    test, d = found.test(["x = 0", "g = 0"]), 11
    b, v = found.params.to_numpy()[1:], found.cov_params().to_numpy()[1:, 1:]
    assert (test.df_num, test.df_denom) == (2, d - 1)
    assert test.statistic == pytest.approx((d - 1) / (2 * d) * b @ np.linalg.solve(v, b), rel=1e-10)
    small = found.estimates.without_units().test(["x = 0", "g = 0"])
    assert (small.statistic, small.p_value) == (pytest.approx(test.statistic), pytest.approx(test.p_value))


def test_a_cell_inside_one_unit_has_no_variance_between_units(strata):
    """Fay's replicates multiply the weights of a unit by one factor, and leave its mean what it is."""
    pairs = strata[strata["unit"] < 2].reset_index(drop=True)
    signs = linalg.hadamard(8)[:, pairs["stratum"] + 1 - 0 * pairs["unit"]]
    factors = 1 + 0.5 * signs * np.where(pairs["unit"] == 0, 1, -1)
    names = tuple(f"r{r}" for r in range(8))
    frame = pd.concat([pairs, pd.DataFrame((factors * pairs["w"].to_numpy()).T, columns=names)], axis=1)
    frame["inside"] = ((frame["stratum"] == 3) & (frame["unit"] == 1)).astype(int)
    with pytest.raises(CovarianceError, match=r"1 of 2 cells have the same weights in all 8 replicates"):
        wg.fit_rates(frame, "g", by="inside", weights="w", cov=Replicates(names, "Fay", 0.5), min_rows=1)


# successive differences --------------------------------------------------------------------------------------------


@pytest.mark.shared
def test_successive_differences_of_r_survey(acs, facts):
    right, (frame, names) = facts("survey_designs")["acs_like"], acs
    panel = wg.read_panel(frame, weight="PWGTP", replicate_weights=names, replicate_kind="SDR")
    formula = "logpay ~ stem + female + age + stem:female"
    found = wg.fit_linear(panel, formula)
    np.testing.assert_allclose(found.bse, right["lm"], rtol=1e-9)
    assert (found.estimates.df == right["degf"]).all()
    around = wg.fit_linear(panel, formula, cov=Replicates(centre="mean"))
    np.testing.assert_allclose(around.bse, right["lm_mse_false"], rtol=1e-9)
    assert wg.fit_linear(panel, "logpay ~ 1").bse.iloc[0] == pytest.approx(right["mean"], rel=1e-9)
    domain = wg.fit_linear(panel.filter("stem == 1"), "logpay ~ female")
    np.testing.assert_allclose(domain.bse, right["domain_stem"], rtol=1e-9)
    cells = wg.fit_rates(panel.assign(share=frame["logpay"] / 10), "share", by="female")
    np.testing.assert_allclose(10 * cells.bse, right["by_female"], rtol=1e-9)
    logit = wg.fit_exits(panel, "stem ~ female + age", margins=False)
    np.testing.assert_allclose(logit.params, right["logit"]["estimate"], rtol=1e-6)
    np.testing.assert_allclose(logit.bse, right["logit"]["se"], rtol=1e-6)


def test_weights_below_zero_by_hand(differences):
    frame, names = differences
    assert (frame[list(names)] < 0).to_numpy().mean() > 0.1
    cov = Replicates(names, "SDR")
    deviations = gaps(frame, names, lambda w: slopes(frame, w))
    found = wg.fit_linear(frame, "y ~ x", weights="w", cov=cov)
    np.testing.assert_allclose(found.cov_params(), 4 / 32 * deviations.T @ deviations, rtol=1e-8)
    scaled = wg.fit_linear(frame.assign(x=1e7 + 1e5 * frame["x"]), "y ~ x", weights="w", cov=cov)
    assert 1e5 * scaled.bse["x"] == pytest.approx(found.bse["x"], rel=1e-7)
    premiums = wg.fit_premiums(frame, "y ~ g + x", premium="g", by=(), weights="w", cov=cov)
    deviations = gaps(frame, names, lambda w: slopes(frame, w, ("g", "x")))
    assert premiums.bse.iloc[0] == pytest.approx(np.sqrt(4 / 32 * np.sum(deviations[:, 1] ** 2)), rel=1e-8)
    rates = wg.fit_rates(frame, "leaves", by="g", weights="w", cov=cov)
    for g, error in zip((0, 1), rates.bse, strict=True):
        part = frame[frame["g"] == g]
        shares = gaps(part, names, lambda w, part=part: w @ part["leaves"] / w.sum())
        assert error == pytest.approx(np.sqrt(4 / 32 * shares @ shares), rel=1e-9)


def test_a_gap_of_means_under_weights_below_zero(differences):
    frame, names = differences
    found = wg.oaxaca(frame, "y ~ x", group="g", groups=(1, 0), weights="w", cov=Replicates(names, "SDR"))

    def gap(w):
        inside = (frame["g"] == 1).to_numpy()
        y = frame["y"].to_numpy()
        return w[inside] @ y[inside] / w[inside].sum() - w[~inside] @ y[~inside] / w[~inside].sum()

    deviations = gaps(frame, names, gap)
    right = np.sqrt(4 / 32 * deviations @ deviations)
    assert found.bse.loc["difference total"] == pytest.approx(right, rel=1e-8)


def test_weights_below_zero_are_refused_where_a_model_has_no_fit(differences):
    frame, names = differences
    cov = Replicates(names, "SDR")
    words = r"negative.*fit_linear, fit_premiums \(method='separate'\), fit_rates and oaxaca take them"
    for fit in (
        lambda: wg.fit_exits(frame, "leaves ~ x", weights="w", cov=cov),
        lambda: wg.fit_linear(frame, "y ~ x | g", weights="w", cov=cov),
        lambda: wg.fit_premiums(frame, "y ~ g + x", premium="g", by=(), method="stacked", weights="w", cov=cov),
        lambda: wg.dfl(frame, "y ~ x", group="g", groups=(1, 0), weights="w", cov=cov),
        lambda: wg.rif_oaxaca(frame, "y ~ x", group="g", groups=(1, 0), weights="w", cov=cov),
    ):
        with pytest.raises(CovarianceError, match=words):
            fit()
    with pytest.raises(CovarianceError, match=r"negative \(which kind='SDR' allows\) in 1\d\d of 120 rows"):
        wg.fit_linear(frame, "y ~ x", weights="w", cov=Replicates(names, "bootstrap"))


# factors of the weights --------------------------------------------------------------------------------------------


def test_factors_of_the_weights(published):
    frame, names = published
    factors = frame.assign(**{name: frame[name] / frame["w"] for name in names})
    found = wg.fit_linear(factors, "y ~ x", weights="w", cov=Replicates(names, "BRR", multiplies=True))
    same(found, wg.fit_linear(frame, "y ~ x", weights="w", cov=Replicates(names, "BRR")))
    with pytest.raises(CovarianceError, match=r"average .* a row and the weights .*, .*multiplies=True"):
        wg.fit_linear(factors, "y ~ x", weights="w", cov=Replicates(names, "BRR"))
    with pytest.raises(CovarianceError, match=r"whole weights already, so leave out multiplies=True"):
        wg.fit_linear(frame, "y ~ x", weights="w", cov=Replicates(names, "BRR", multiplies=True))


def test_factors_of_weights_of_mean_one_are_seen_too(published):
    frame, names = published
    factors = frame.assign(**{name: frame[name] / frame["w"] for name in names}, w=frame["w"] / frame["w"].mean())
    with pytest.raises(CovarianceError, match=r"without going with them.*multiplies=True"):
        wg.fit_linear(factors, "y ~ x", weights="w", cov=Replicates(names, "BRR"))
    # of equal weights a factor is a weight
    wg.fit_linear(factors.assign(w=1.0), "y ~ x", weights="w", cov=Replicates(names, "BRR"))


def test_raked_replicates_that_lean_to_their_mean_are_whole(published):
    frame, names = published
    raked = frame.assign(**{name: 0.7 * frame[name] + 0.3 * frame[name].mean() for name in names})
    wg.fit_linear(raked, "y ~ x", weights="w", cov=Replicates(names, "BRR"))


def test_replicates_of_other_weights(published):
    frame, names = published
    with pytest.raises(CovarianceError, match="name the weights that they were made from"):
        wg.fit_linear(frame.assign(one=1.0), "y ~ x", weights="one", cov=Replicates(names, "BRR"))


def test_more_hypotheses_than_replicates(published):
    frame, names = published
    found = wg.fit_linear(frame.assign(z=frame["x"] ** 2, v=frame["x"] ** 3), "y ~ x + z + v", weights="w",
                          cov=Replicates(names[:3], "JK2"))  # fmt: skip
    with pytest.raises(IdentificationError, match=r"3 hypotheses at once are too many.*2\.0 degrees"):
        found.test(["x = 0", "z = 0", "v = 0"])
