"""Selection: Heckman, many places, corrected gaps, and the Roy model's diagnostics."""

from __future__ import annotations

import inspect
import json

import designs
import numpy as np
import pandas as pd
import pytest
from scipy import stats

import wagegap as wg
from wagegap.decomposition.means.oaxaca_selection import oaxaca_selection
from wagegap.errors import (
    CovarianceError,
    DataError,
    EmptyDataError,
    IdentificationError,
    IdentificationWarning,
    OptionError,
    ReliabilityWarning,
)
from wagegap.estimation.likelihood.heckman import fit_heckman, fit_two_step
from wagegap.estimation.likelihood.multinomial import softmax
from wagegap.regression.selection.corrections import dahl_terms, dubin_mcfadden_terms, lee_terms
from wagegap.regression.selection.roy import fit_roy
from wagegap.regression.selection.selection import fit_selection

MROZ = "wage ~ exper + I(exper**2) + educ + city", "lfp ~ age + I(age**2) + faminc + kids + educ"
# R 4.2.2, sampleSelection 1.2.12 on Mroz87. Two steps agree to rounding; its maximum likelihood stops early, at
# estimates 5e-8 and standard errors 3e-8 away from where the gradient vanishes.
TWO_STEP = {"educ": (0.417017384045264, 0.100249687331796), "lambda": (-1.09761942010664, 1.26598561345715)}
ML = {"educ": (0.457005090501619, 0.0732299246165899), "sigma": (3.10837624871355, 0.113832773794078),
      "rho": (-0.13195860102981, 0.165127099110876)}  # fmt: skip
ML_LOGLIK = -1581.25767551968
# Own computation (numpy and statsmodels) of the decomposition by Heckman's two steps for women, jann_oaxaca.csv.
OFFERS = {"difference": 0.1645790240840035, "endowments": 0.08584361852787757, "coefficients": 0.07368124223529073,
          "interaction": 0.005054163320835427}  # fmt: skip
LAMBDA = (-0.032497914344534216, 0.06511159918965304)
WOMEN = "lfp ~ age + agesq + married + divorced + kids6 + kids714"


@pytest.fixture(scope="module")
def mroz(packaged):
    data = packaged("sampleSelection", "Mroz87")
    return data.assign(kids=((data["kids5"] + data["kids618"]) > 0) * 1.0)


@pytest.fixture(scope="module")
def jann(shared):
    return pd.read_csv(shared / "refdata" / "jann_oaxaca.csv")


@pytest.fixture(scope="module")
def values(facts):
    return facts("heckman")


def arrays(n=600, seed=0, rho=0.6):
    rng = np.random.default_rng(seed)
    x, z = rng.normal(size=(2, n))
    u, v = rng.normal(size=(2, n))
    e = rho * u + np.sqrt(1 - rho**2) * v
    selected = 0.2 + 0.5 * x + 0.8 * z + u > 0
    y = 1 + 0.5 * x + 0.7 * e
    return y, np.column_stack([np.ones(n), x]), selected, np.column_stack([np.ones(n), x, z]), rng.random(n) + 0.5


def frame_of(n=600, seed=0, rho=0.6):
    y, x, selected, z, w = arrays(n, seed, rho)
    own = {"pay": np.where(selected, y, np.nan), "x": x[:, 1], "z": z[:, 2], "works": selected * 1, "w": w}
    return pd.DataFrame({**own, "cl": np.arange(n) % 50, "iso3": np.where(np.arange(n) % 2, "KOR", "USA")})


def movers(n=3000, seed=0):
    """Three places; pay in each goes with the taste for it."""
    rng = np.random.default_rng(seed)
    x, z1, z2 = rng.normal(size=(3, n))
    taste = rng.gumbel(size=(n, 3))
    utility = np.column_stack([np.zeros(n), 0.3 * x + z1, -0.3 + z2]) + taste
    place = utility.argmax(axis=1)
    # centred tastes, so that the mean error of everybody is zero
    error = 0.4 * (taste - np.euler_gamma)[np.arange(n), place] + 0.3 * rng.normal(size=n)
    pay = 1 + 0.5 * x + 0.2 * place + error
    return pd.DataFrame({"pay": pay, "x": x, "z1": z1, "z2": z2, "place": np.array(["home", "kor", "usa"])[place]})


# agreement -----------------------------------------------------------------------------------------------------------


def test_two_steps_of_r(mroz, values):
    found = fit_selection(mroz, MROZ[0], selection=MROZ[1], cov="iid")
    for name, (b, se) in TWO_STEP.items():
        assert found.params[f"outcome {name}"] == pytest.approx(b, rel=1e-10)
        assert found.bse[f"outcome {name}"] == pytest.approx(se, rel=1e-10)
    expected = values["heckit_mroz_2step"]
    b, se = found.params.to_numpy(), found.bse.to_numpy()
    order = np.r_[6:12, 0:6, 12, 13]  # selection comes first there
    np.testing.assert_allclose(b[order], np.array(expected["est"], dtype=float), rtol=1e-8)
    np.testing.assert_allclose(se[order][:12], np.array(expected["se"][:12], dtype=float), rtol=1e-8)


def test_maximum_likelihood_of_r(mroz, values):
    found = fit_selection(mroz, MROZ[0], selection=MROZ[1], method="ml", cov="iid")
    params, bse = (s.rename(lambda name: name.split(" ", 1)[1]) for s in (found.params, found.bse))
    for name in ("sigma", "rho"):
        assert params[name] == pytest.approx(ML[name][0], rel=1e-7)
        assert bse[name] == pytest.approx(ML[name][1], rel=1e-6)
    expected = values["heckit_mroz_ml"]
    order = np.r_[5:11, 0:5, 11, 12]
    np.testing.assert_allclose(found.params.to_numpy()[order], expected["est"], rtol=1e-7)
    np.testing.assert_allclose(found.bse.to_numpy()[order], expected["se"], rtol=1e-6)
    x = np.column_stack([np.ones(len(mroz)), mroz["exper"], mroz["exper"] ** 2, mroz["educ"], mroz["city"]])
    z = np.column_stack([np.ones(len(mroz)), mroz["age"], mroz["age"] ** 2, mroz["faminc"], mroz["kids"], mroz["educ"]])
    fit = fit_heckman(mroz["wage"].to_numpy(float), x, (mroz["lfp"] == 1).to_numpy(), z)
    assert fit.loglik == pytest.approx(ML_LOGLIK, rel=1e-12)
    assert np.abs(fit.influence.sum(axis=0)).max() < 1e-9


def agree_with_the_corrected_gap(jann, expected):
    women = fit_selection(jann[jann["female"] == 1], "lnwage ~ educ + exper + tenure", selection=WOMEN, cov="iid")
    outcome = women.estimates.select(equation="outcome")
    np.testing.assert_allclose(outcome.values, list(expected["women"].values()), rtol=1e-9)
    np.testing.assert_allclose(outcome.bse, list(expected["women_se"].values()), rtol=1e-8)
    np.testing.assert_allclose(
        women.params[["error sigma", "error rho"]], [expected["sigma"], expected["rho"]], rtol=1e-8
    )
    gap = oaxaca_selection(jann, "lnwage ~ educ + exper + tenure", group="female", groups=(0, 1), selection={1: WOMEN},
                           threefold=True)  # fmt: skip
    totals = gap.totals()
    np.testing.assert_allclose(totals.values, [expected[name] for name in totals.labels["component"]], rtol=1e-10)
    np.testing.assert_allclose(gap.levels.values, [expected["prediction_1"], expected["prediction_2"]], rtol=1e-10)
    return outcome, gap


def test_corrected_gap_of_women(facts):
    expected = facts("heckman_gap")["gap"]
    _, gap = agree_with_the_corrected_gap(designs.workers(), expected)
    assert gap.nobs == sum(expected["nobs"])


def test_corrected_gap_of_swiss_women(jann, shared):
    expected = json.loads((shared / "reference" / "own_heckman_jann.json").read_text())["results"]
    outcome, gap = agree_with_the_corrected_gap(jann, expected)
    assert (outcome.values[-1], outcome.bse.iloc[-1]) == pytest.approx(LAMBDA, rel=1e-8)
    totals = gap.totals()
    np.testing.assert_allclose(totals.values, [OFFERS[name] for name in totals.labels["component"]], rtol=1e-10)
    assert gap.nobs == 751 + 888


def test_corrected_gap_without_selection_is_oaxaca():
    """A selection equation of one group changes nothing in the other; least squares on the paid is `oaxaca`."""
    data = frame_of(800).assign(g=lambda d: d["cl"] % 2)
    corrected = oaxaca_selection(data, "pay ~ x", group="g", groups=(0, 1), selection={1: "works ~ x + z"}, cov="HC0")
    plain = wg.oaxaca(data, "pay ~ x", group="g", groups=(0, 1), cov="HC0")
    own = corrected.levels
    assert own.values[0] == pytest.approx(plain.levels.values[0], rel=1e-12)
    assert own.bse.iloc[0] == pytest.approx(plain.levels.bse.iloc[0], rel=1e-10)


def test_rows_without_regressors_of_selection_are_left_out():
    """Of both groups, whether they are paid or not."""
    data = frame_of(800).assign(g=lambda d: d["cl"] % 2)
    gone = np.arange(len(data)) % 9 == 0
    call = dict(group="g", groups=(0, 1), selection="works ~ x + z")
    found = oaxaca_selection(data.assign(z=data["z"].mask(gone)), "pay ~ x", **call)
    without = oaxaca_selection(data[~gone].reset_index(drop=True), "pay ~ x", **call)
    np.testing.assert_allclose(found.estimates.values, without.estimates.values, rtol=1e-10)
    np.testing.assert_allclose(found.bse, without.bse, rtol=1e-8)


@pytest.mark.parametrize("order", [None, 1, 2])
def test_a_regressor_of_pay_and_of_selection_stays_what_it_is(order):
    """Two steps by hand for each group; those who are not paid keep their regressors of selection."""
    from statsmodels.discrete.discrete_model import Probit

    rng = np.random.default_rng(0)
    data = pd.DataFrame({"x": rng.normal(3, 1, 600), "q": rng.normal(size=600), "g": rng.choice(["a", "b"], 600)})
    shock = rng.normal(size=600)
    data["works"] = (data["q"] + 0.5 * data["x"] + shock > 1.0).astype(int)
    data["pay"] = (2 + 0.3 * data["x"] + 0.5 * shock + rng.normal(size=600)).where(data["works"] == 1)
    table = data if order is None else data.sample(frac=1, random_state=order)
    gap = oaxaca_selection(table, "pay ~ x", group="g", groups=("a", "b"), selection="works ~ x + q")
    for level, name in zip(gap.levels.values, "ab", strict=True):
        of_group = data[data["g"] == name]
        z = np.column_stack([np.ones(len(of_group)), of_group[["x", "q"]]])
        index = z @ Probit(of_group["works"], z).fit(disp=0, tol=1e-12).params
        paid = (of_group["works"] == 1).to_numpy()
        x = z[paid, :2]
        mills = stats.norm.pdf(index[paid]) / stats.norm.cdf(index[paid])
        coef = np.linalg.lstsq(np.column_stack([x, mills]), of_group["pay"][paid], rcond=None)[0][:2]
        assert level == pytest.approx(x.mean(axis=0) @ coef, rel=1e-8)


def test_the_old_name_warns_and_calls_the_new_one():
    data = frame_of(300).assign(g=lambda d: d["cl"] % 2)
    call = {"group": "g", "groups": (0, 1), "selection": {1: "works ~ x + z"}}
    with pytest.warns(FutureWarning, match="called oaxaca_selection"):
        old = wg.oaxaca_offers(data, "pay ~ x", **call)
    np.testing.assert_array_equal(old.params, wg.oaxaca_selection(data, "pay ~ x", **call).params)
    assert inspect.signature(wg.oaxaca_offers) == inspect.signature(wg.oaxaca_selection)


# influence -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kernel", [fit_two_step, fit_heckman])
def test_influence_is_the_derivative_in_the_weights(kernel):
    y, x, selected, z, _ = arrays(300)

    def values_of(w):
        fit = kernel(y, x, selected, z, w)
        if kernel is fit_heckman:
            return np.concatenate([fit.selection, fit.params, [fit.sigma, fit.rho]])
        return np.concatenate([fit.selection.params, fit.second.params, [fit.sigma, fit.rho]])

    influence = kernel(y, x, selected, z, np.ones(300)).influence
    for i in (0, 7, 200):
        step = 1e-4 * (np.arange(300) == i)
        numeric = (values_of(1 + step) - values_of(1 - step)) / 2e-4
        np.testing.assert_allclose(influence[i], numeric, rtol=1e-4, atol=1e-9)


@pytest.mark.parametrize("method", ["lee", "dubin-mcfadden", "dahl"])
def test_influence_of_many_places(method):
    data = movers(500)
    call = dict(formula="pay ~ x", selection="place ~ x + z1 + z2", method=method, cov="HC0", probabilities="home")
    found = fit_selection(data, **call)
    (source,), (matrix,) = found.estimates.sources, found.estimates.maps
    for i in (0, 9, 333):
        ends = []
        for sign in (1, -1):
            w = np.ones(500)
            w[i] += sign * 1e-4
            ends.append(fit_selection(data, **call, weights=w, weight_kind="analytic").estimates.values)
        numeric = (ends[0] - ends[1]) / 2e-4
        np.testing.assert_allclose(matrix @ source.scores[[i]].toarray()[0], numeric, rtol=1e-3, atol=1e-7)


def test_terms_have_their_derivatives():
    index = np.random.default_rng(0).normal(size=(5, 2))
    makes = (
        lambda p: lee_terms(p, 1),
        lambda p: dubin_mcfadden_terms(p, 1, "abc"),
        lambda p: dahl_terms(p, [1, 0], 3, "abc"),
    )
    for make in makes:
        own = make(softmax(index))
        for j, step in enumerate(1e-6 * np.eye(2)):
            numeric = (make(softmax(index + step)).values - make(softmax(index - step)).values) / 2e-6
            np.testing.assert_allclose(own.slopes[:, :, j], numeric, atol=1e-8)
    assert dahl_terms(softmax(index), [1], 2, "abc").names == ("P[b]", "P[b]^2")


def test_lees_term_with_two_places_is_the_inverse_mills_ratio_of_its_probability():
    from scipy import stats

    p = np.array([[0.7, 0.3], [0.2, 0.8]])
    quantile = stats.norm.ppf(p[:, 1])
    np.testing.assert_allclose(lee_terms(p, 1).values[:, 0], stats.norm.pdf(quantile) / p[:, 1], rtol=1e-12)


# truth ---------------------------------------------------------------------------------------------------------------


def test_corrections_recover_the_slope():
    data = frame_of(20_000, rho=0.8)
    for method in ("two-step", "ml"):
        found = fit_selection(data, "pay ~ x", selection="works ~ x + z", method=method)
        own = found.premium("x")
        assert abs(own.values[0] - 0.5) < 4 * own.bse.iloc[0]
        assert abs(found.uncorrected.params["x"] - 0.5) > 6 * found.uncorrected.bse["x"]
        assert abs(found.params["error rho"] - 0.8) < 4 * found.bse["error rho"]


def test_a_likelihood_that_rises_to_the_edge_is_refused():
    with pytest.raises(IdentificationError, match="rises to rho = 1"):
        fit_selection(frame_of(2000, rho=1.0), "pay ~ x", selection="works ~ x + z", method="ml")


def test_a_correlation_beyond_one_is_said():
    """Lambda's coefficient is three standard deviations of what is left of pay."""
    data = frame_of(3000, rho=0.0).assign(cell=lambda f: np.arange(len(f)) % 2)
    works = data["works"] == 1
    rng = np.random.default_rng(1)
    index = data["z"] + 0.5 * data["x"]
    lifted = np.where((data["cell"] == 1) & works, 3 * np.exp(-index) + 0.05 * rng.normal(size=len(data)), data["pay"])
    with pytest.warns(
        IdentificationWarning, match=r"rho, a correlation, is 1\.\d+ in 1: .*means? nothing.*method='ml'"
    ):
        found = fit_selection(data.assign(pay=lifted), "pay ~ 1", selection="works ~ x + z", by="cell")
    assert any("rho, a correlation" in note for note in found.notes)


def test_many_places_recover_the_slope():
    data = movers(30_000)
    for method in ("lee", "dubin-mcfadden", "dahl"):
        found = fit_selection(data, "pay ~ x", selection="place ~ x + z1 + z2", method=method, degree=3)
        own = found.premium("x", place="kor")
        assert abs(own.values[0] - 0.5) < 4 * own.bse.iloc[0], method
        plain = found.uncorrected.select(equation="outcome of kor", term="x")
        assert abs(plain.values[0] - 0.5) > 4 * plain.bse.iloc[0]


@pytest.mark.filterwarnings("ignore:rho, a correlation:wagegap.errors.IdentificationWarning")
def test_intervals_cover_with_both_steps():
    """150 draws, .95 within three Monte Carlo errors (.053)."""
    hits = []
    for seed in range(150):
        data = frame_of(400, seed, rho=0.7)
        rows = [
            fit_selection(data, "pay ~ x", selection="works ~ x + z", method=m).estimates for m in ("two-step", "ml")
        ]
        chosen = [own.select(equation="outcome", term="x").conf_int() for own in rows]
        hits.append([bool(((c["conf_low"] <= 0.5) & (c["conf_high"] >= 0.5)).iloc[0]) for c in chosen])
    covered = np.mean(hits, axis=0)
    assert ((covered > 0.93 - 0.054) & (covered < 0.97 + 0.054)).all(), covered


def test_errors_are_those_of_the_bootstrap():
    data = frame_of(800)
    call = dict(formula="pay ~ x", selection="works ~ x + z")
    analytic = fit_selection(data, **call)
    drawn = fit_selection(data, **call, cov=wg.cov.Bootstrap(200, rng=1))
    assert np.abs(np.log(drawn.bse / analytic.bse)).max() < 0.25  # 200 draws: .05; four of them, skewness
    pair = data.index.isin([data["works"].idxmax(), data["works"].idxmin()]) * 1.0  # one works, the other does not
    with pytest.raises(CovarianceError, match="cannot be fitted"):
        fit_selection(data.assign(pair=pair), "pay ~ x", selection="works ~ x + z + pair",
                      cov=wg.cov.Bootstrap(20, rng=1))  # fmt: skip


# the waist -----------------------------------------------------------------------------------------------------------


def test_a_premium_beside_a_product_says_where_it_is():
    data = frame_of(400, 1).assign(w=np.arange(400) % 2)
    found = fit_selection(data, "pay ~ x * w", selection="works ~ x + z + w")
    assert found.premium("x").title == "Premium of x at w = 0, selection corrected"
    assert fit_selection(data, "pay ~ x + w", selection="works ~ x + z + w").premium("x").title == (
        "Premium of x, selection corrected"
    )


def test_cells_join_and_reach_the_link():
    data = pd.concat([frame_of(400, seed).assign(iso3=f"C{seed:02d}", out=seed / 20) for seed in range(8)])
    panel = wg.read_panel(data.assign(left=(np.arange(len(data)) % 5 == 0) * 1.0), source_name="cells")
    found = fit_selection(panel, "log(pay + 10) ~ x", selection="works ~ x + z", by="iso3", cov="HC1")
    premiums = found.premium("x")
    assert premiums.by == ["iso3"]
    assert premiums.unit == "log"
    alone = fit_selection(panel.filter("iso3 == 'C03'"), "log(pay + 10) ~ x", selection="works ~ x + z", cov="HC1")
    np.testing.assert_allclose(found.estimates.select(iso3="C03").bse, alone.bse, rtol=1e-10)
    rates = wg.fit_rates(panel, {"left": "left"}, by="iso3", cov="HC1")
    with pytest.warns(ReliabilityWarning):
        link = wg.fit_link("left ~ premium", rates, premiums, force=True)
    assert np.isfinite(link.likelihood.slope)
    both = wg.join(found.estimates, rates.estimates)
    cross = both.covariance[: len(found.estimates.values), len(found.estimates.values) :]
    assert np.abs(cross).max() > 0


def test_corrected_and_plain_estimates_can_be_compared():
    found = fit_selection(frame_of(500), "pay ~ x", selection="works ~ x + z", cov="CR1:cl")
    plain = found.uncorrected.labels.assign(equation="plain")[["equation", "term", "unit", "comparison"]]
    both = wg.join(found.estimates, type(found.uncorrected)(
        plain, found.uncorrected.values, found.uncorrected.sources, found.uncorrected.maps))  # fmt: skip
    test = both.test("outcome x = plain x")
    assert 0 <= test.p_value <= 1
    assert found.without_units().bse.equals(found.bse)
    assert found.with_cov("HC0").uncorrected.describe() == "HC0"


def test_selected_are_those_with_an_outcome_where_nothing_else_is_said():
    data = frame_of(400)
    one = fit_selection(data, "pay ~ x", selection="works ~ x + z")
    two = fit_selection(data, "pay ~ x", selection="~ x + z")
    np.testing.assert_allclose(one.params, two.params, rtol=1e-12)
    lost = data.assign(pay=data["pay"].where(np.arange(400) > 20))
    fewer = fit_selection(lost, "pay ~ x", selection="works ~ x + z")
    assert "selected without pay or its regressors" in fewer.ledger.line()
    assert fewer.nobs == 400 - int(data["works"][:21].sum())


# bad input -----------------------------------------------------------------------------------------------------------


def test_selection_without_an_exclusion_warns():
    with pytest.warns(IdentificationWarning, match="shape of the error's distribution alone"):
        fit_selection(frame_of(1000), "pay ~ x + z", selection="works ~ x + z")


def test_bad_input():
    data, many = frame_of(300), movers(300)
    cases = [
        (DataError, "everybody", lambda: fit_selection(data.dropna(), "pay ~ x", selection="works ~ x + z")),
        (DataError, "must be 0/1", lambda: fit_selection(data, "pay ~ x", selection="cl ~ z")),
        (OptionError, "is no place.*Did you mean 'kor'", lambda: fit_selection(
            many, "pay ~ x", selection="place ~ x + z1", method="lee", places="korr")),
        (OptionError, "place of each worker", lambda: fit_selection(many, "pay ~ x", selection="~ z1", method="dahl")),
        (OptionError, "Did you mean 'two-step'", lambda: fit_selection(
            data, "pay ~ x", selection="~ z", method="twostep")),
        (CovarianceError, "not defined for method='lee'", lambda: fit_selection(
            many, "pay ~ x", selection="place ~ x + z1", method="lee", cov="iid")),
        (CovarianceError, "not defined", lambda: fit_selection(data, "pay ~ x", selection="~ z", cov="HC2")),
        (IdentificationError, "in KOR, .*separated", lambda: fit_selection(
            data.assign(copy=1 - 2 * data["works"]), "pay ~ x", selection="works ~ x + copy", by="iso3")),
        (IdentificationError, "single place", lambda: fit_selection(
            many.assign(place="home"), "pay ~ x", selection="place ~ z1", method="dahl")),
        (OptionError, "as C\\(...\\)", lambda: fit_selection(data, "pay ~ x | cl", selection="~ z")),
        (OptionError, "cannot be pooled", lambda: oaxaca_selection(
            data, "pay ~ x", group="iso3", selection="works ~ z", reference="pooled")),
        (OptionError, "is no level", lambda: oaxaca_selection(
            data, "pay ~ x", group="iso3", selection={"KOT": "works ~ z"})),
    ]  # fmt: skip
    for kind, words, make in cases:
        with pytest.raises(kind, match=words):
            make()
    with pytest.raises(OptionError, match="place= one of"):
        fit_selection(many, "pay ~ x", selection="place ~ x + z1 + z2", method="lee").premium("x")


# Roy -----------------------------------------------------------------------------------------------------------------


def leavers(n, seed, slope):
    rng = np.random.default_rng(seed)
    pay = rng.normal(size=n)
    return pd.DataFrame({"pay": pay, "age": rng.normal(size=n), "leaves": (slope * pay + rng.normal(size=n) > 1) * 1})


def test_selection_ratios_by_hand():
    data = leavers(2000, 0, 0.5)
    found = fit_roy(data, "pay", leave="leaves", parts=4, reps=49)
    stay, go = (data.loc[data["leaves"] == k, "pay"].to_numpy() for k in (0, 1))
    cuts = np.sort(stay)[(np.ceil(len(stay) * np.arange(1, 4) / 4) - 1).astype(int)]
    ratios = [np.mean(np.searchsorted(cuts, go) == p) / np.mean(np.searchsorted(cuts, stay) == p) for p in range(4)]
    np.testing.assert_allclose(found.params.iloc[1:], ratios, rtol=1e-10)
    assert found.params.iloc[0] == pytest.approx(go.mean() - stay.mean())
    boot = fit_roy(data, "pay", leave="leaves", parts=4, reps=49, cov=wg.cov.Bootstrap(300, rng=1))
    assert np.abs(np.log(boot.bse / found.bse)).max() < 0.2


@pytest.mark.parametrize(("slope", "verdict"), [(0.6, "positive"), (-0.6, "negative"), (0.0, "none")])
def test_dominance_says_which_way_selection_goes(slope, verdict):
    found = fit_roy(leavers(2000, 1, slope), "pay ~ age", leave="leaves", reps=299)
    assert found.verdict() == verdict
    assert found.verdict(order=2) == verdict
    ax = found.plot()
    assert [t.get_text() for t in ax.get_legend().get_texts()] == ["leavers", "stayers"]


def test_dominance_holds_its_size():
    """At the edge of the null, equal distributions: rejections at most .05 and three Monte Carlo errors, .096."""
    p = []
    for seed in range(200):
        rng = np.random.default_rng(seed)
        data = pd.DataFrame({"pay": rng.normal(size=300), "leaves": rng.integers(2, size=300)})
        p.append(fit_roy(data, "pay", leave="leaves", reps=99).dominance["p_value"].to_numpy())
    assert (np.mean(np.array(p) < 0.05, axis=0) < 0.096).all()


def test_dominance_of_the_second_order_by_hand():
    """The integral of a distribution function up to z is the mean of what falls short of z."""
    data = pd.DataFrame({"pay": [0.0, 0, 2, 1, 1, 5], "leaves": [1, 1, 1, 0, 0, 0]})
    found = fit_roy(data, "pay", leave="leaves", parts=2, reps=9, cov="HC1").dominance
    points = np.unique(data["pay"])
    go, stay = (np.maximum(points[:, None] - part.to_numpy(), 0).mean(axis=1)
                for part in (data["pay"][:3], data["pay"][3:]))  # fmt: skip
    expected = np.sqrt(1 / (1 / 3 + 1 / 3)) * np.array([(go - stay).max(), max((stay - go).max(), 0.0)])
    np.testing.assert_allclose(found.loc[found["order"] == 2, "statistic"], expected, atol=1e-12)


def test_frequency_weights_of_roy_are_repeated_rows():
    """p-values are of different draws: three Monte Carlo errors of a difference of two of 999, .067 at most."""
    data = leavers(300, 3, 0.1)
    times = np.random.default_rng(1).integers(1, 9, 300)
    weighted = fit_roy(data.assign(k=times), "pay", leave="leaves", weights="k", weight_kind="frequency")
    repeated = fit_roy(data.loc[data.index.repeat(times)].reset_index(drop=True), "pay", leave="leaves")
    np.testing.assert_allclose(weighted.params, repeated.params, rtol=1e-10)
    np.testing.assert_allclose(weighted.bse, repeated.bse, rtol=1e-9)
    one, two = weighted.dominance, repeated.dominance
    np.testing.assert_allclose(one["statistic"], two["statistic"], rtol=1e-9, atol=1e-12)
    assert np.abs(one["p_value"] - two["p_value"]).max() < 0.067


@pytest.mark.parametrize("cov", ["iid", "HC1"])
def test_frequency_weights_of_selection_are_repeated_rows(cov):
    data = frame_of(300)
    times = np.arange(300) % 3 + 1
    weighted, repeated = (
        fit_selection(rows, "pay ~ x", selection="~ x + z", cov=cov, **weights)
        for rows, weights in (
            (data.assign(k=times), {"weights": "k", "weight_kind": "frequency"}),
            (data.loc[data.index.repeat(times)].reset_index(drop=True), {}),
        )
    )
    for one, two in ((weighted, repeated), (weighted.uncorrected, repeated.uncorrected)):
        np.testing.assert_allclose(one.params, two.params, rtol=1e-9)
        np.testing.assert_allclose(one.bse, two.bse, rtol=1e-8)
    pd.testing.assert_frame_equal(weighted.cells, repeated.cells)


def test_bad_input_of_roy():
    data = leavers(200, 0, 0.5)
    with pytest.raises(EmptyDataError, match="nobody to compare"):
        fit_roy(data.assign(leaves=0), "pay", leave="leaves")
    with pytest.raises(DataError, match="too few values"):
        fit_roy(data.assign(pay=data["pay"] > 0), "pay", leave="leaves")
    with pytest.raises(OptionError, match="at least two parts"):
        fit_roy(data, "pay", leave="leaves", parts=1)
    with pytest.raises(CovarianceError, match="is not defined for this model"):
        fit_roy(data, "pay", leave="leaves", cov="iid")
