"""Conditional and nested logit: reference values, brute force, invariances, elasticities, and bad input."""

from __future__ import annotations

import time
import warnings

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import optimize

import wagegap as wg
from wagegap import errors
from wagegap.regression.choice.likelihood import Nests, choice_sets, fit_conditional_logit, fit_nested_logit, respond

PLACES = ["home", "near", "far", "sea"]

# Greene (2012), Econometric Analysis, 7th ed., nested logit of TravelMode by full-information maximum likelihood (fly:
# air; ground: the others; utilities not scaled). Printed to three or four digits.
GREENE = {
    "mode[T.air]": (6.042, 1.199),
    "mode[T.bus]": (4.096, 0.615),
    "mode[T.train]": (5.065, 0.662),
    "gcost": (-0.03159, 0.00816),
    "wait": (-0.11262, 0.01413),
    "air_income": (0.02616, 0.0176),
    "dissimilarity[fly]": (0.5860, 0.1406),
    "dissimilarity[ground]": (0.3890, 0.1237),
}


@pytest.fixture(scope="module")
def expected(facts):
    return facts("mlogit")


@pytest.fixture(scope="module")
def fishing(packaged):
    wide = packaged("Ecdat", "Fishing").drop(columns=["price", "catch"]).reset_index(names="who")
    kinds = {"p": "price", "c": "catch"}
    wide = wide.rename(lambda name: f"{kinds[name[0]]}.{name[1:]}" if name[0] in kinds else name, axis=1)
    long = pd.wide_to_long(wide, ["price", "catch"], i="who", j="place", sep=".", suffix=r"\w+").reset_index()
    return long.assign(took=(long["mode"] == long["place"]).astype(int)).sort_values("who", ignore_index=True)


@pytest.fixture(scope="module")
def canada(shared):
    data = pd.read_csv(shared / "refdata" / "mlogit_ModeCanada4.csv.gz")
    return data.assign(alt=pd.Categorical(data["alt"], ["car", "train", "air", "bus"]))


def make_choices(n=400, places=3, seed=0, beta=(1.0, -0.5)):
    rng = np.random.default_rng(seed)
    sets = pd.DataFrame({"who": np.repeat(np.arange(n), places), "place": np.tile(PLACES[:places], n)})
    sets["pay"], sets["dist"] = rng.normal(size=(2, len(sets)))
    sets["age"] = np.repeat(rng.normal(size=n), places)
    constant = np.tile(np.linspace(0, 0.6, places), n)
    utility = beta[0] * sets["pay"] + beta[1] * sets["dist"] + constant + rng.gumbel(size=len(sets))
    best = utility.to_numpy().reshape(n, places).argmax(axis=1)
    sets["took"] = 0
    sets.loc[np.arange(n) * places + best, "took"] = 1
    return sets


def fit(sets, formula="pay + dist + place", **options):
    given = dict(chooser="who", alternative="place", chosen="took", base="home") | options
    return wg.fit_choice(sets, formula, **given)


# The peer stops early: estimates agree to the digits that its last step left. One Newton step from its estimates leads
# to ours (next test), and its standard errors, which depend on them little, agree to 1e-9.
@pytest.mark.parametrize(
    ("case", "formula", "rtol"),
    [
        ("mlogit_fishing_clogit", "price + catch", 1e-6),
        ("mlogit_fishing_mixed_spec", "place + price + catch + income:place", 1e-6),
        ("mlogit_fishing_mnl_income", "place + income:place", 1e-8),
    ],
)
def test_fishing_agrees_with_mlogit(fishing, expected, case, formula, rtol):
    """mlogit 1.1-3, tol=1e-12."""
    fitted = wg.fit_choice(fishing, formula, chooser="who", alternative="place", chosen="took", base="beach", cov="iid")
    peer = expected[case]
    order = in_order(fitted, peer["names"])
    np.testing.assert_allclose(fitted.params[order], peer["b"], rtol=rtol)
    np.testing.assert_allclose(fitted.bse[order], peer["se"], rtol=1e-9)
    assert fitted.loglik == pytest.approx(peer["ll"], rel=1e-12)


def in_order(fitted, names, alternative="place"):
    """Our terms in the peer's order, whichever side of the colon the formula engine puts the factor on."""
    have = {frozenset(name.replace("[T.", "[").split(":")): name for name in fitted.params.index}
    found = []
    for name in names:
        first, _, level = name.partition(":")
        parts = {f"{alternative}[{level}]"} | ({first} - {"(Intercept)"}) if level else {first}
        found.append(have[frozenset({"iv": {"dissimilarity[public]"}}.get(name, parts))])
    return found


def test_a_newton_step_from_the_peer_leads_to_our_estimates(fishing, expected):
    peer = np.array(expected["mlogit_fishing_clogit"]["b"])
    x = fishing[["price", "catch"]].to_numpy()
    sets = choice_sets(fishing["who"].to_numpy())
    chosen = np.flatnonzero(fishing["took"] == 1)
    fitted = fit_conditional_logit(x, sets, chosen)
    p = respond(peer, x, sets).probability
    apart = x - sets.spread(sets.sums(x * p[:, None]))
    step = np.linalg.solve((apart * p[:, None]).T @ apart, apart[chosen].sum(axis=0))
    np.testing.assert_allclose(peer + step, fitted.params, rtol=1e-10)
    # In standard errors, what is left of the gradient at our estimates and at the peer's.
    assert np.sqrt(fitted.scores.sum(axis=0) @ fitted.bread @ fitted.scores.sum(axis=0)) < 1e-10
    assert np.sqrt(apart[chosen].sum(axis=0) @ step) > 1e-7


CANADA = "alt + cost + freq + ovt + income:alt + ivt:alt"


@pytest.mark.shared
def test_alternative_specific_coefficients_agree_with_mlogit(canada, expected):
    fitted = wg.fit_choice(canada, CANADA, chooser="case", alternative="alt", chosen="choice", base="car", cov="iid")
    peer = expected["mlogit_modecanada"]
    order = in_order(fitted, peer["names"], "alt")
    np.testing.assert_allclose(fitted.params[order], peer["b"], rtol=1e-4)  # the peer stops early
    np.testing.assert_allclose(fitted.bse[order], peer["se"], rtol=1e-8)
    assert fitted.loglik == pytest.approx(peer["ll"], rel=1e-11)


@pytest.mark.shared
def test_nested_logit_agrees_with_mlogit(canada, expected):
    """The peer stops at 1e-4 of a coefficient, with a lower likelihood, and reports inverse products of scores."""
    nests = {"public": ["train", "air", "bus"], "private": "car"}
    options = dict(chooser="case", alternative="alt", chosen="choice", base="car", cov="iid", nests=nests)
    with pytest.warns(errors.DataWarning, match=r"dissimilarity\[public\] 1.616 outside \(0, 1\]"):
        fitted = wg.fit_choice(canada, CANADA, **options)
    peer = expected["mlogit_modecanada_nested"]
    order = in_order(fitted, peer["names"], "alt")
    np.testing.assert_allclose(fitted.params[order], peer["b"], rtol=2e-4)
    assert fitted.loglik == pytest.approx(peer["ll"], rel=1e-9)
    assert fitted.loglik > peer["ll"]
    scores = fitted.estimates.sources[0].scores.toarray() @ np.linalg.inv(fitted.cov_params().to_numpy())
    products = np.sqrt(np.diag(np.linalg.inv(scores.T @ scores)))
    place = [fitted.params.index.get_loc(name) for name in order]
    np.testing.assert_allclose(products[place], peer["se"], rtol=1e-5)


def test_travel_mode_agrees_with_greene(packaged):
    data = packaged("AER", "TravelMode")
    data = data.assign(took=data["choice"] == "yes", air_income=data["income"] * (data["mode"] == "air"))
    fitted = wg.fit_choice(
        data, "mode + gcost + wait + air_income", chooser="individual", alternative="mode", chosen="took", base="car",
        nests={"fly": ["air"], "ground": ["train", "bus", "car"]}, scaled=False, cov="iid",
    )  # fmt: skip
    assert fitted.loglik == pytest.approx(-193.6561, abs=1e-4)
    for name, (estimate, std_error) in GREENE.items():
        assert fitted.params[name] == pytest.approx(estimate, abs=6e-4)
        assert fitted.bse[name] == pytest.approx(std_error, rel=2e-3)


def test_elasticities_at_means_agree_with_mlogit(fishing, expected):
    """mlogit's effects() differentiates numerically, at estimates that stop early (tol left at its default)."""
    fitted = wg.fit_choice(
        fishing, "place + price + catch + income:place", chooser="who", alternative="place", chosen="took", base="beach"
    )
    peer = expected["mlogit_fishing_effects_price"]
    own = fitted.elasticities("price")
    wide = fitted.matrix(own).loc[peer["alts"], peer["alts"]]
    np.testing.assert_allclose(wide.T, peer["rho"], rtol=2e-5)
    # An effect is an elasticity times the probability over the price.
    effects = np.array(peer["effects"])
    prices = np.array([row["price"] for row in peer["at"]])
    probabilities = (effects * prices[:, None] / np.array(peer["rho"])).mean(axis=0)
    np.testing.assert_allclose(wide.T * probabilities / prices[:, None], effects, rtol=5e-4)
    assert (own.bse > 0).all()


def test_conditional_logit_agrees_with_statsmodels():
    from statsmodels.discrete.conditional_models import ConditionalLogit

    sets = make_choices(300)
    x = sets[["pay", "dist"]]
    peer = ConditionalLogit(sets["took"], x, groups=sets["who"]).fit(disp=False, method="newton", tol=1e-12)
    fitted = fit(sets, "pay + dist", cov="iid")
    np.testing.assert_allclose(fitted.params, peer.params, rtol=1e-6)
    np.testing.assert_allclose(fitted.bse, peer.bse, rtol=1e-5)


def brute_loglik(params, sets, nest_of, scaled=True):
    """Nested logit by its definition, chooser by chooser."""
    total = 0.0
    for _, rows in sets.groupby("who"):
        utility = params[0] * rows["pay"].to_numpy() + params[1] * rows["dist"].to_numpy()
        nests = rows["place"].map(nest_of).to_numpy()
        lam = np.where(nests == 0, params[2], params[3])
        z = np.exp(utility / lam) if scaled else np.exp(utility)
        inclusive = {m: np.log(z[nests == m].sum()) for m in set(nests)}
        weight = {m: np.exp((params[2] if m == 0 else params[3]) * inclusive[m]) for m in inclusive}
        j = int(np.flatnonzero(rows["took"] == 1)[0])
        total += np.log(z[j] / np.exp(inclusive[nests[j]]) * weight[nests[j]] / sum(weight.values()))
    return total


@pytest.mark.parametrize("scaled", [True, False])
def test_nested_logit_is_the_maximum_of_its_definition(scaled):
    sets = make_choices(60, 4, seed=2)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", errors.DataWarning)
        fitted = fit(sets, "pay + dist", nests={"a": PLACES[:2], "b": PLACES[2:]}, scaled=scaled, cov="iid")
    nest_of = {place: i // 2 for i, place in enumerate(PLACES)}
    params = fitted.params.to_numpy()
    assert fitted.loglik == pytest.approx(brute_loglik(params, sets, nest_of, scaled), rel=1e-12)
    gradient = optimize.approx_fprime(params, brute_loglik, 1e-6, sets, nest_of, scaled)
    np.testing.assert_allclose(gradient, 0, atol=2e-4)


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10_000), st.booleans())
def test_scores_and_information_by_differences(seed, scaled):
    rng = np.random.default_rng(seed)
    n, size = 12, 5
    x = rng.normal(size=(n * size, 2))
    sets = choice_sets(np.repeat(np.arange(n), size))
    nests = Nests(np.tile([0, 0, 1, 1, 1], n), np.array([0, 1]), scaled)
    params = np.array([0.4, -0.3, *rng.uniform(0.4, 1.6, 2)])

    def logs(p):
        return np.log(respond(p, x, sets, nests).probability)

    found = respond(params, x, sets, nests)
    np.testing.assert_allclose(sets.sums(found.probability), 1, rtol=1e-12)
    for j in range(4):
        step = np.eye(4)[j] * 1e-6
        numeric = (logs(params + step) - logs(params - step)) / 2e-6
        np.testing.assert_allclose(found.slopes[:, j], numeric, atol=1e-7)


def test_sets_of_different_sizes_and_row_order():
    sets = make_choices(300, 4)
    rng = np.random.default_rng(1)
    some = (rng.random(len(sets)) < 0.8) | (sets["took"] == 1)
    sets = sets[some]
    sets = sets[sets.groupby("who")["took"].transform("size") > 1]
    fitted = fit(sets, cov="CR1:who")
    again = fit(sets.sample(frac=1, random_state=3), cov="CR1:who")
    np.testing.assert_allclose(again.params[fitted.params.index], fitted.params, rtol=1e-10)
    np.testing.assert_allclose(again.bse[fitted.params.index], fitted.bse, rtol=1e-8)


def test_base_units_and_utilities_in_common_do_not_matter():
    sets = make_choices(300)
    fitted = fit(sets, "pay + dist + place + age:place")
    other = fit(sets.assign(pay=100 * sets["pay"] + sets["age"]), "pay + dist + place + age:place", base="far")
    assert other.params["pay"] == pytest.approx(fitted.params["pay"] / 100, rel=1e-9)
    assert other.bse["dist"] == pytest.approx(fitted.bse["dist"], rel=1e-8)
    assert other.loglik == pytest.approx(fitted.loglik, rel=1e-12)
    gap = fitted.test("place[T.near] - place[T.far] = 0").estimate[0]
    assert other.params["place[T.near]"] == pytest.approx(gap, rel=1e-7)


def test_frequency_weights_are_repeated_choosers_and_sampling_weights_have_no_scale():
    sets = make_choices(120)
    times = sets["who"] % 3 + 1
    weighted = fit(sets.assign(w=times), weights="w", weight_kind="frequency")
    copies = [sets[times > k].assign(who=lambda f, k=k: f["who"] + 1000 * k) for k in range(3)]
    repeated = fit(pd.concat(copies))
    np.testing.assert_allclose(weighted.params, repeated.params, rtol=1e-9)
    np.testing.assert_allclose(weighted.bse, repeated.bse, rtol=1e-8)
    sampling = [fit(sets.assign(w=c * times), weights="w") for c in (1.0, 7.5)]
    np.testing.assert_allclose(sampling[0].bse, sampling[1].bse, rtol=1e-9)


def test_shares_of_the_sample_and_of_other_pay():
    sets = make_choices(500)
    fitted = fit(sets)
    np.testing.assert_allclose(fitted.alternatives["predicted"], fitted.alternatives["observed"], rtol=1e-8)
    richer = sets.assign(pay=sets["pay"] + (sets["place"] == "home"))
    gain = fitted.shares(richer).params["home"] - fitted.shares().params["home"]
    assert gain > 0.1
    assert fitted.shares(richer).values.sum() == pytest.approx(1)
    np.testing.assert_allclose(fitted.shares(sets).values, fitted.shares().values, rtol=1e-10)
    np.testing.assert_allclose(fitted.shares(sets).covariance, fitted.shares().covariance, atol=1e-14)


@pytest.mark.parametrize("nests", [None, {"abroad": ["near", "far", "sea"], "home": ["home"]}])
def test_elasticities_by_differences_and_substitution_adds_up(nests):
    sets = make_choices(400, 4).assign(wage=lambda f: np.exp(f["pay"]))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", errors.DataWarning)
        fitted = fit(sets, "log(wage) + dist + place", nests=nests)
    wide = fitted.matrix(fitted.elasticities("wage", sets))
    changed = 1e-5
    for place in PLACES:
        ahead, behind = (
            sets.assign(wage=sets["wage"] * np.where(sets["place"] == place, 1 + h, 1)) for h in (changed, -changed)
        )
        numeric = (fitted.shares(ahead).values - fitted.shares(behind).values) / (2 * changed) / fitted.shares().values
        np.testing.assert_allclose(wide[place], numeric, atol=1e-6)
    diversion = fitted.matrix(fitted.substitution(sets))
    np.testing.assert_allclose(diversion.sum(), 1, rtol=1e-10)
    # At one set a conditional logit sends leavers to the others in proportion to their shares.
    typical = fitted.matrix(fitted.substitution())
    if nests is None:
        ratio = typical.loc["near", "home"] / typical.loc["far", "home"]
        assert ratio == pytest.approx(typical.loc["near", "sea"] / typical.loc["far", "sea"], rel=1e-9)
    else:
        assert typical.loc["near", "sea"] > typical.loc["near", "home"]


def test_elasticities_have_delta_method_errors():
    sets = make_choices(400)
    fitted = fit(sets, "pay + dist + place")
    estimates = fitted.elasticities("dist", sets)
    rng = np.random.default_rng(0)
    draws = rng.multivariate_normal(fitted.params, fitted.cov_params(), size=400)
    rows = fitted.model.rows(sets, ["dist"])
    spread = np.std([rows.elasticities(draw, "dist") for draw in draws], axis=0)
    np.testing.assert_allclose(estimates.bse, spread, rtol=0.15)  # Monte Carlo error of 400 draws, 3/sqrt(800)


def test_weights_undo_a_choice_based_sample():
    """Nine tenths of those who stay are not sampled: the constants are off by log 10 without weights, on with them."""
    sets = make_choices(20_000, 3, seed=5)
    shares = sets[sets["took"] == 1]["place"].value_counts(normalize=True).to_dict()
    stays = sets["who"].isin(sets.loc[(sets["place"] == "home") & (sets["took"] == 1), "who"])
    kept = ~stays | (sets["who"] % 10 == 0)
    naive, whole = fit(sets[kept]), fit(sets)
    weighted = fit(sets[kept], population=shares)
    assert naive.params["place[T.near]"] - whole.params["place[T.near]"] == pytest.approx(np.log(10), abs=0.2)
    assert abs(weighted.params["place[T.near]"] - whole.params["place[T.near]"]) < 3 * weighted.bse["place[T.near]"]
    with pytest.raises(errors.OptionError, match="sampling weights"):
        fit(sets[kept], population=shares, cov="iid")
    with pytest.raises(errors.OptionError, match="absent: far"):
        fit(sets[kept], population={"home": 0.5, "near": 0.5})


def test_intervals_cover_the_truth():
    covered, draws = 0, 200
    for seed in range(draws):
        interval = fit(make_choices(200, seed=seed)).conf_int().loc["pay"]
        covered += interval["conf_low"] <= 1.0 <= interval["conf_high"]
    error = 3 * np.sqrt(0.0475 / draws)
    assert 0.93 - error <= covered / draws <= 0.97 + error


def test_clusters_of_choosers_and_the_bootstrap():
    sets = make_choices(300).assign(origin=lambda f: "o" + (f["who"] % 25).astype(str))
    clustered = fit(sets, cov="CR1:origin")
    assert clustered.df_resid == 24
    boot = fit(sets, cov=wg.cov.Bootstrap(200, rng=1))
    np.testing.assert_allclose(boot.bse, fit(sets, cov="HC0").bse, rtol=0.25)
    with pytest.raises(errors.DataError, match="differs within a chooser"):
        fit(sets, cov="CR1:place")
    with pytest.raises(errors.CovarianceError, match="not defined for this model"):
        fit(sets, cov="HC3")


def test_chosen_by_name_by_formula_and_refit():
    sets = make_choices(100)
    where = sets[sets["took"] == 1].set_index("who")["place"]
    plain = fit(sets)
    by_name = fit(sets.assign(went=sets["who"].map(where)), chosen="went")
    by_formula = fit(sets, "took ~ pay + dist + place", chosen=None)
    for other in (by_name, by_formula, plain.refit(sets)):
        np.testing.assert_allclose(other.params, plain.params, rtol=1e-12)
    assert "100 choices among 3 alternatives, base home." in plain.notes


def test_speed_of_five_thousand_choices():
    """5,000 choosers, 6 alternatives, 3 attributes: about 0.009 s of processor time; ten times that is a failure."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(30_000, 3))
    utility = (x @ [1.0, -0.5, 0.3]).reshape(5000, 6) + rng.gumbel(size=(5000, 6))
    sets, chosen = choice_sets(np.repeat(np.arange(5000), 6)), np.arange(5000) * 6 + utility.argmax(axis=1)
    fit_conditional_logit(x, sets, chosen)
    start = time.process_time()
    fitted = fit_conditional_logit(x, sets, chosen)
    assert time.process_time() - start < 0.1
    assert fitted.steps <= 8


# bad input -----------------------------------------------------------------------------------------------------------


def test_choosers_with_two_choices_none_or_a_row_twice():
    sets = make_choices(50)
    with pytest.raises(errors.DataError, match=r"1 of 50 choosers took more than one.*occasion"):
        fit(sets.assign(took=sets["took"].where(sets["who"] != 7, 1)))
    with pytest.raises(errors.DataError, match=r"2 of 50 choosers took nothing"):
        fit(sets.assign(took=sets["took"].where(sets["who"] > 1, 0)))
    with pytest.raises(errors.DuplicateKeyError, match="chooser 0"):
        fit(pd.concat([sets, sets[(sets["who"] == 0) & (sets["took"] == 0)].head(1)]))
    with pytest.raises(errors.DataError, match="neither 0 nor 1"):
        fit(sets.assign(took=sets["took"] * 2))
    with pytest.raises(errors.DataError, match="'no' is neither"):
        fit(sets.assign(took=np.where(sets["took"] == 1, "yes", "no"))[::-1])


def test_an_alternative_never_chosen_is_named():
    sets = make_choices(80, 4)
    gone = sets.groupby("who")["took"].transform(lambda took: took.iloc[3]) == 1
    sets = sets[~gone]
    for base in ("home", "sea"):
        with pytest.raises(errors.IdentificationError, match=r"'sea' is never chosen.*leave its rows out"):
            fit(sets, base=base)
    assert fit(sets, "pay + dist").alternatives.set_index("alternative").loc["sea", "n_chosen"] == 0


def test_what_does_not_vary_or_predicts_perfectly_is_refused():
    sets = make_choices(80)
    with pytest.raises(errors.IdentificationError, match=r"'age' does not vary.*interact it"):
        fit(sets, "pay + age")
    with pytest.raises(errors.IdentificationError, match=r"collinear.*again goes with pay"):
        fit(sets.assign(again=sets["pay"] * 2), "pay + again")
    with pytest.raises(errors.IdentificationError, match=r"perfectly for 80 of 80.*sure"):
        fit(sets.assign(sure=sets["took"] + 0.1 * sets["pay"]), "sure")


def test_missing_rows_take_the_chooser_with_them():
    sets = make_choices(60)
    sets.loc[4, "pay"] = np.nan
    fitted = fit(sets)
    assert "2 of choosers with a row missing" in fitted.estimates.ledger.line()
    np.testing.assert_allclose(fitted.params, fit(sets[sets["who"] != 1]).params, rtol=1e-10)


@pytest.mark.parametrize("scaled", [True, False])
@pytest.mark.parametrize("seed", [0, 5, 10])
def test_a_dissimilarity_that_goes_to_zero_is_refused_in_words(seed, scaled):
    """Alternatives of a nest that share all but a small part of their utility."""
    rng = np.random.default_rng(seed)
    sets = make_choices(120, 4, seed=seed)
    shared = np.where(sets["place"].isin(["near", "far"]), np.repeat(rng.normal(size=120), 4) * 50, 0.0)
    utility = (5 * sets["pay"] + shared + 1e-6 * rng.gumbel(size=480)).to_numpy().reshape(-1, 4)
    sets["took"] = (utility == utility.max(axis=1, keepdims=True)).ravel().astype(int)
    nests = {"abroad": ["near", "far"], "other": ["home", "sea"]}
    with pytest.raises(errors.IdentificationError, match=r"dissimilarity\[.*to zero.*|predicted perfectly"):
        fit(sets, "pay + dist", nests=nests, scaled=scaled)


def test_a_dissimilarity_that_choices_do_not_identify_is_refused():
    """Its likelihood is flat, and what came out was the value to start from with a small error."""
    sets = make_choices(200)
    unknown = r"do not identify dissimilarity\[.*A nest of all alternatives"
    for nests, scaled in (
        ({"all": ["home", "near", "far"]}, True),
        ({"all": ["home", "near", "far"]}, False),
        ({"h": ["home"], "n": ["near"], "f": ["far"]}, False),
    ):
        with pytest.raises(errors.IdentificationError, match=unknown):
            fit(sets, "pay + place", nests=nests, scaled=scaled)
    apart = sets[~((sets["who"] % 2 == 0) & (sets["place"] == "near"))]
    apart = apart[~((apart["who"] % 2 == 1) & (apart["place"] == "far"))]
    apart = apart[apart.groupby("who")["took"].transform("sum") == 1]
    with pytest.raises(errors.IdentificationError, match=unknown):
        fit(apart, "pay", nests={"abroad": ["near", "far"], "home": ["home"]})
    plain, alone = fit(sets, "pay + place"), fit(sets, "pay + place", nests={p: [p] for p in ("home", "near", "far")})
    np.testing.assert_allclose(alone.bse, plain.bse, rtol=1e-9)


def test_population_shares_weigh_each_of_repeated_choosers():
    """Frequencies stay how often a chooser stands; the population's shares are weights beside them."""
    sets = make_choices(120)
    sets["times"] = np.repeat(1 + np.arange(120) % 3, 3)
    copies = [sets[sets["times"] > k].assign(who=lambda f, k=k: f["who"] * 10 + k) for k in range(3)]
    population = {"home": 0.5, "near": 0.3, "far": 0.2}
    for cov in ("HC0", "HC1"):
        weighted = fit(sets, population=population, weights="times", weight_kind="frequency", cov=cov)
        repeated = fit(pd.concat(copies, ignore_index=True), population=population, cov=cov)
        np.testing.assert_allclose(weighted.params, repeated.params, rtol=1e-9)
        np.testing.assert_allclose(weighted.bse, repeated.bse, rtol=1e-9)
        assert weighted.df_resid == repeated.df_resid


def test_bad_options_are_refused():
    sets = make_choices(40)
    for options, words in (
        (dict(base="hme"), "Did you mean 'home'"),
        (dict(chosen=None), "who took what"),
        (dict(nests={"abroad": ["near", "fra"]}), "Did you mean 'far'"),
        (dict(nests={"a": ["near", "far"], "b": ["far"]}), "in two nests"),
        (dict(nests={"abroad": ["near", "far"]}), r"'home' is in no nest.*\{'home': \['home'\]\}"),
        (dict(nests={"home": ["near", "far"]}), "'home' is in no nest"),
        (dict(nests={"abroad": ["near"]}), "'home', 'far' are in no nest"),
        (dict(choser="who"), "Did you mean 'chooser'"),
    ):
        with pytest.raises(errors.OptionError, match=words):
            fit(sets, **options)
    with pytest.raises(errors.OptionError, match="nothing behind a bar"):
        fit(sets, "took ~ pay | place", chosen=None)
    with pytest.raises(errors.OptionError, match="say the same"):
        fit(sets, "took ~ pay")
    with pytest.raises(errors.ColumnError, match="for chooser"):
        fit(sets, chooser="woh")
    with pytest.raises(errors.DataError, match="weights differ"):
        fit(sets.assign(w=np.arange(len(sets)) + 1.0), weights="w")
    with pytest.raises(errors.DataWarning, match="one alternative"):
        fit(sets[(sets["who"] > 0) | (sets["took"] == 1)])
    fitted = fit(sets)
    with pytest.raises(errors.OptionError, match="Did you mean 'pay'"):
        fitted.elasticities("pya")
    with pytest.raises(errors.DataError, match="was not in the fit"):
        fitted.shares(sets.assign(place=sets["place"].replace("far", "mars")))


def test_alternatives_may_be_numbers_and_the_frame_polars():
    polars = pytest.importorskip("polars")
    sets = make_choices(150)
    plain = fit(sets, "pay + place + age:place")
    numbers = sets.assign(place=sets["place"].map({"home": 7, "near": 8, "far": 9}))
    coded = fit(polars.from_pandas(numbers), "pay + place + age:place", base=7)
    assert coded.params["place[T.8]"] == pytest.approx(plain.params["place[T.near]"], rel=1e-9)
    assert len(coded.params) == len(plain.params)
    assert coded.elasticities("pay").params["7 7"] == pytest.approx(plain.elasticities("pay").params["home home"])


def test_results_are_small_and_print():
    import pickle

    fitted = fit(make_choices(100)).without_units()
    assert len(pickle.dumps(fitted)) < 20_000
    assert "conditional logit" in fitted.summary()
    assert 0 < fitted.glance()["pseudo_r2"].item() < 1


def test_a_nested_fit_from_given_values_is_the_same():
    sets = make_choices(200, 4, seed=4)
    x = sets[["pay", "dist"]].to_numpy()
    groups = choice_sets(sets["who"].to_numpy())
    chosen = np.flatnonzero(sets["took"] == 1)
    nests = Nests(np.tile([0, 0, 1, 1], 200), np.array([0, 0]))
    first = fit_nested_logit(x, groups, chosen, nests)
    again = fit_nested_logit(x, groups, chosen, nests, start=np.array([0.1, 0.1, 0.5]))
    np.testing.assert_allclose(again.params, first.params, rtol=1e-8)
