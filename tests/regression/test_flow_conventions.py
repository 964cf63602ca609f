"""What flows and exits hold to at the door: separated rows, effects alone, offsets, repeated rows, information."""

from __future__ import annotations

import warnings

import designs
import numpy as np
import pandas as pd
import pytest

import wagegap as wg
from wagegap import errors

SETS = range(1, 19)
EFFECTS_ALONE = (2, 3, 4, 12, 13)


@pytest.fixture(scope="module")
def separation_set(shared):
    return lambda number: pd.read_csv(shared / "refdata" / "ppmlhdfe_separation" / f"{number:02d}.csv")


def fit_columns(data, **options):
    """Flows on all x, with all id absorbed."""
    regressors = [name for name in data if name.startswith("x")]
    effects = [name for name in data if name.startswith("id")]
    formula = f"y ~ {' + '.join(regressors) or '1'}" + (f" | {' + '.join(effects)}" if effects else "")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", errors.IdentificationWarning)
        warnings.simplefilter("ignore", errors.CovarianceWarning)  # rows of leverage one
        return wg.fit_flows(data, formula, **{"cov": "HC1", **options})


def repeated_flows(n=240, seed=0):
    """Counts, shares and movers among those at risk, with offsets and numbers of equal rows."""
    rng = np.random.default_rng(seed)
    data = pd.DataFrame({"x": rng.normal(size=n), "g": rng.integers(0, 8, n), "pop": rng.uniform(1, 50, n)})
    data["times"], data["n"] = rng.integers(1, 5, n), rng.integers(5, 30, n)
    data["flow"] = rng.poisson(data["pop"] * np.exp(0.3 * data["x"] - 1))
    data["moved"] = rng.binomial(data["n"], 1 / (1 + np.exp(0.3 - 0.4 * data["x"])))
    return data.assign(share=data["moved"] / data["n"])


# separation ----------------------------------------------------------------------------------------------------------


@pytest.mark.shared
@pytest.mark.filterwarnings("ignore:HC1 errors of 2 of 3 coefficients are far too:wagegap.errors.CovarianceWarning")
@pytest.mark.public_case("ppml_effects_only")
@pytest.mark.parametrize("number", SETS)
def test_separated_rows_are_those_flagged_in_the_data(separation_set, number):
    data = separation_set(number)
    fitted = fit_columns(data)
    assert fitted.separated["row"].tolist() == np.flatnonzero(data["separated"] == 1).tolist()
    singletons = sum(loss.rows for loss in fitted.ledger.losses if loss.reason.startswith("singletons"))
    assert fitted.nobs == len(data) - len(fitted.separated) - singletons
    assert np.isfinite([fitted.deviance, fitted.loglik]).all()
    assert (len(fitted.params) == 0) == (number in EFFECTS_ALONE)


@pytest.mark.shared
@pytest.mark.public_case("ppml_11")
def test_a_row_whose_mean_is_far_below_its_outcome_leaves_the_steps_their_digits(separation_set, facts):
    """The case's two numbers are the constant and the slope. One row has two movers and a mean of 6e-14."""
    right, data = facts("public_cases")["ppml_11"]["right"], separation_set(11)
    fitted = fit_columns(data, cov="iid")
    assert fitted.params.round(6).tolist() == pytest.approx([right["estimate"], right["se"]], abs=5e-6)
    agree_with_poisson_of_statsmodels(fitted, data["y"], data[["x1"]])


def agree_with_poisson_of_statsmodels(fitted, y, x, **options):
    sm = pytest.importorskip("statsmodels.api")
    peer = sm.GLM(y, sm.add_constant(x), family=sm.families.Poisson(), **options).fit(tol=1e-14, maxiter=200)
    np.testing.assert_allclose(fitted.params, np.asarray(peer.params), rtol=1e-9)
    np.testing.assert_allclose(fitted.bse, np.asarray(peer.bse), rtol=1e-8)
    assert fitted.deviance == pytest.approx(peer.deviance, rel=1e-10)
    assert fitted.loglik == pytest.approx(peer.llf, rel=1e-10)


@pytest.mark.parametrize("far", [-40.0, -700.0, -3e5])
@pytest.mark.parametrize("scale", [1.0, 1e8, 1e-8])
def test_a_row_far_from_the_others_does_not_stop_the_steps(far, scale):
    rng = np.random.default_rng(2)
    x = np.append(rng.normal(-2.5, 1, 300), far)
    y = np.append(rng.poisson(np.exp(3 + x[:-1])), 2)
    fitted = wg.fit_flows(pd.DataFrame({"y": y, "x": x * scale}), "y ~ x", cov="iid")
    score = y - np.exp(fitted.params["Intercept"] + fitted.params["x"] * scale * x)
    np.testing.assert_allclose([score.sum() / y.sum(), score @ x / np.abs(y * x).sum()], 0, atol=1e-9)


@pytest.mark.parametrize("engine", ["own", "auto"])
def test_a_row_far_from_the_others_does_not_stop_the_steps_beside_effects(engine):
    rng = np.random.default_rng(2)
    x, g = np.append(rng.normal(-2.5, 1, 300), -700.0), np.arange(301) % 5
    y = np.append(rng.poisson(np.exp(3 + x[:-1])), 2)
    data = pd.DataFrame({"y": y, "x": x, "g": g})
    absorbed = wg.fit_flows(data, "y ~ x | g", cov="HC1", engine=engine)
    dummies = wg.fit_flows(data, "y ~ x + C(g)", cov="HC1")
    assert absorbed.params["x"] == pytest.approx(dummies.params["x"], rel=1e-8)
    assert absorbed.bse["x"] == pytest.approx(dummies.bse["x"], rel=1e-6)


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("effects", ["", " | g"])
@pytest.mark.filterwarnings("ignore:.*leverage one:wagegap.errors.CovarianceWarning")
def test_one_flow_that_dwarfs_the_others_leaves_them_their_digits(seed, effects):
    """The likelihood lost is next to nothing beside the large flow: z, which rests on small ones, was off by .00007."""
    rng = np.random.default_rng(seed)
    data = pd.DataFrame({"x": rng.normal(size=200), "z": rng.random(200) < 0.15, "g": np.arange(200) % 7})
    data = data.assign(z=data["z"].astype(float), large=(np.arange(200) == 0).astype(float))
    data["y"] = rng.poisson(np.exp(0.5 * data["x"] - data["z"] + 1)).astype(float)
    plain = wg.fit_flows(data.iloc[1:], f"y ~ x + z{effects}", cov="HC0")
    data.loc[0, "y"] = 10.0 ** (6 + 2 * seed)
    fitted = wg.fit_flows(data, f"y ~ x + z + large{effects}", cov="HC0")
    np.testing.assert_allclose(fitted.params[["x", "z"]], plain.params[["x", "z"]], atol=1e-9)
    np.testing.assert_allclose(fitted.bse[["x", "z"]], plain.bse[["x", "z"]], rtol=1e-6)


@pytest.mark.parametrize("link", ["logit", "probit", "cloglog"])
@pytest.mark.filterwarnings("ignore:.*leverage one:wagegap.errors.CovarianceWarning")
def test_one_share_of_many_leaves_the_others_their_digits(link):
    for seed in range(6):
        data = repeated_flows(150, seed).assign(large=(np.arange(150) == 0).astype(float))
        plain = wg.fit_flows(data.iloc[1:], "moved ~ x", family="binomial", trials="n", link=link, cov="HC0")
        data.loc[0, ["moved", "n"]] = (3 * 10**11, 10**12)
        fitted = wg.fit_flows(data, "moved ~ x + large", family="binomial", trials="n", link=link, cov="HC0")
        assert fitted.params["x"] == pytest.approx(plain.params["x"], abs=1e-7)
        assert fitted.bse["x"] == pytest.approx(plain.bse["x"], rel=1e-6)


def test_effects_alone_find_the_separated_rows_and_their_fit(separated_rows):
    for number in (1, 2, 3, 5, 9, 13):
        data = designs.sparse_flows(number)
        data = data[[name for name in data if not name.startswith("x")]]
        fitted = fit_columns(data)
        flagged = separated_rows(data)
        assert fitted.separated["row"].tolist() == np.flatnonzero(flagged).tolist(), number
        ones = wg.fit_flows(data[~flagged].assign(one=1.0), "y ~ " + " + ".join(f"C({c})" for c in data if c != "y"))
        assert fitted.deviance == pytest.approx(ones.deviance, rel=1e-9, abs=1e-9)
        assert fitted.params.empty
        assert fitted.tidy().empty
        assert fitted.glance()["nobs"].item() == (~flagged).sum()


@pytest.mark.parametrize("formula", ["flow ~ 1 | g", "flow ~ | g", "flow ~ offset(log(pop)) | g"])
def test_effects_alone_read_and_print(formula):
    fitted = wg.fit_flows(repeated_flows(), formula)
    assert "The effects stand alone: no coefficient is estimated." in str(fitted)
    assert np.isfinite(fitted.deviance)


@pytest.mark.parametrize("family", ["fractional", "binomial"])
def test_effects_alone_of_shares(family):
    data = repeated_flows()
    data.loc[data["g"] == 3, ["moved", "share"]] = 0
    outcome, trials = ("share", None) if family == "fractional" else ("moved", "n")
    fitted = wg.fit_flows(data, f"{outcome} ~ 1 | g", family=family, trials=trials)
    assert fitted.separated["row"].tolist() == np.flatnonzero(data["g"] == 3).tolist()


# offsets -------------------------------------------------------------------------------------------------------------


def test_an_offset_agrees_with_statsmodels():
    data = repeated_flows()
    fitted = wg.fit_flows(data, "flow ~ x + offset(log(pop))", cov="iid")
    agree_with_poisson_of_statsmodels(fitted, data["flow"], data[["x"]], offset=np.log(data["pop"]))
    agree_with_poisson_of_statsmodels(fitted, data["flow"], data[["x"]], exposure=data["pop"].to_numpy())


def test_an_offset_beside_effects_is_one_beside_dummies():
    data = repeated_flows()
    absorbed = wg.fit_flows(data, "flow ~ x + offset(log(pop)) | g", cov="HC1")
    dummies = wg.fit_flows(data, "flow ~ x + offset(log(pop)) + C(g)", cov="HC1")
    assert absorbed.params["x"] == pytest.approx(dummies.params["x"], rel=1e-9)
    assert absorbed.bse["x"] == pytest.approx(dummies.bse["x"], rel=1e-8)


@pytest.mark.parametrize("options", [{}, {"family": "fractional"}, {"family": "gaussian"}])
def test_an_offset_is_taken_from_its_own_coefficient(options):
    """An offset of c x moves the coefficient of x by minus c, and no error."""
    data = repeated_flows()
    outcome = "share" if options.get("family") == "fractional" else "flow"
    plain = wg.fit_flows(data, f"{outcome} ~ x", **options)
    moved = wg.fit_flows(data, f"{outcome} ~ x + offset(2*x)", **options)
    assert moved.params["x"] == pytest.approx(plain.params["x"] - 2, rel=1e-9)
    assert moved.bse["x"] == pytest.approx(plain.bse["x"], rel=1e-8)
    halves = wg.fit_flows(data, f"{outcome} ~ offset(x) + x + offset(x) ", **options)
    np.testing.assert_allclose(halves.params, moved.params, rtol=1e-9)


def test_an_offset_in_replicates():
    data = repeated_flows()
    boot = wg.cov.Bootstrap(60, rng=1)
    shifted, plain = (wg.fit_flows(data, f"flow ~ x{more}", cov=boot) for more in (" + offset(x)", ""))
    np.testing.assert_allclose(shifted.bse, plain.bse, rtol=1e-6)


@pytest.mark.parametrize(
    ("formula", "kind", "words"),
    [
        ("flow ~ x - offset(pop)", errors.FormulaError, "term of its own"),
        ("flow ~ x:offset(pop)", errors.FormulaError, "term of its own"),
        ("flow ~ x + offset()", errors.FormulaError, "term of its own"),
        ("flow ~ x + offset(population)", errors.ColumnError, "'population'"),
        (
            "flow ~ x + offset(log(pop - 100))",
            errors.DataError,
            r"offset\(log\(pop - 100\)\) is not a finite",
        ),
    ],
)
def test_an_offset_that_cannot_be_read_is_refused(formula, kind, words):
    with pytest.raises(kind, match=words):
        wg.fit_flows(repeated_flows(), formula)


@pytest.mark.parametrize("fit", [wg.fit_linear, wg.fit_exits])
def test_offsets_are_refused_elsewhere(fit):
    data = repeated_flows().assign(left=lambda f: (f["share"] > 0.5) * 1)
    with pytest.raises(errors.FormulaError, match="for fit_flows alone"):
        fit(data, "left ~ x + offset(pop)")


# repeated rows -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("cov", ["iid", "HC0", "HC1", "HC2", "HC3", "CR1:g", "CR2:g", "CR3:g"])
@pytest.mark.parametrize(
    ("formula", "options"),
    [
        ("flow ~ x + offset(log(pop))", {}),
        ("flow ~ x | g", {}),
        ("share ~ x | g", {"family": "fractional"}),
        ("share ~ x", {"family": "fractional", "link": "probit"}),
        ("moved ~ x", {"family": "binomial", "trials": "n", "link": "cloglog"}),
    ],
)
@pytest.mark.filterwarnings("ignore::wagegap.errors.FewClustersWarning")
def test_frequency_weights_are_repeated_rows(formula, options, cov):
    data = repeated_flows()
    rows = data.loc[data.index.repeat(data["times"])].reset_index(drop=True)
    weighted = wg.fit_flows(data, formula, weights="times", weight_kind="frequency", cov=cov, **options)
    repeated = wg.fit_flows(rows, formula, cov=cov, **options)
    np.testing.assert_allclose(weighted.params, repeated.params, rtol=1e-8)
    np.testing.assert_allclose(weighted.bse, repeated.bse, rtol=1e-8)
    assert weighted.df_resid == pytest.approx(repeated.df_resid, rel=1e-8)
    assert weighted.deviance == pytest.approx(repeated.deviance, rel=1e-10)
    assert weighted.loglik == pytest.approx(repeated.loglik, rel=1e-10, nan_ok=True)
    effects = weighted.marginal_effects(), repeated.marginal_effects()
    np.testing.assert_allclose(effects[0].values, effects[1].values, rtol=1e-8)
    np.testing.assert_allclose(effects[0].bse, effects[1].bse, rtol=1e-8)


def test_frequency_weights_agree_with_statsmodels():
    sm = pytest.importorskip("statsmodels.api")
    data = repeated_flows()
    fitted = wg.fit_flows(data, "moved ~ x", family="binomial", trials="n", weights="times", weight_kind="frequency",
                          cov="iid")  # fmt: skip
    counts = np.column_stack([data["moved"], data["n"] - data["moved"]])
    peer = sm.GLM(counts, sm.add_constant(data[["x"]]), sm.families.Binomial(), freq_weights=data["times"]).fit()
    np.testing.assert_allclose(fitted.params, np.asarray(peer.params), rtol=1e-8)
    np.testing.assert_allclose(fitted.bse, np.asarray(peer.bse), rtol=1e-6)
    assert fitted.loglik == pytest.approx(peer.llf, rel=1e-9)


# information ---------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def swiss(packaged):
    data = packaged("AER", "SwissLabor")
    return data.assign(works=(data["participation"] == "yes").astype(int), one=1)


WORKS = "works ~ income + age + I(age**2) + education + youngkids + foreign"


@pytest.mark.public_case("information")
@pytest.mark.parametrize("door", ["exits", "fractional", "binomial"])
def test_one_information_matrix_by_one_name(swiss, facts, door):
    right = facts("public_cases")["information"]["right"]
    for information in ("observed", "expected"):
        options = dict(cov="HC0", small_sample="none", information=information)
        if door == "exits":
            fitted = wg.fit_exits(swiss, WORKS, model="probit", **options)
        else:
            trials = "one" if door == "binomial" else None
            fitted = wg.fit_flows(swiss, WORKS, family=door, link="probit", trials=trials, **options)
        assert fitted.bse["youngkids"] == pytest.approx(right[f"youngkids_se_{information}"], abs=5e-5)


@pytest.mark.parametrize("link", ["probit", "cloglog"])
@pytest.mark.parametrize("cov", ["iid", "HC0", "HC1"])
def test_exits_and_flows_have_the_errors_of_statsmodels(swiss, link, cov):
    """The observed information is that of its discrete models, the expected that of its generalised linear ones."""
    sm = pytest.importorskip("statsmodels.api")
    links = {"probit": sm.families.links.Probit(), "cloglog": sm.families.links.CLogLog()}
    x = np.column_stack([np.ones(len(swiss)), swiss[["income", "age"]], swiss["age"] ** 2,
                         swiss[["education", "youngkids"]], swiss["foreign"] == "yes"])  # fmt: skip
    peer = sm.GLM(swiss["works"], x, sm.families.Binomial(links[link])).fit(tol=1e-14, maxiter=200)
    order = ["Intercept", "income", "age", "I(age**2)", "education", "youngkids", "foreign[T.yes]"]
    n, k = x.shape
    for information in ("observed", "expected"):
        hessian = -peer.model.hessian(peer.params, observed=information == "observed")
        bread = np.linalg.inv(hessian)
        scores = peer.model.score_obs(peer.params)
        matrix = bread if cov == "iid" else bread @ scores.T @ scores @ bread * (n / (n - k) if cov == "HC1" else 1)
        options = dict(cov=cov, information=information)
        exits = wg.fit_exits(swiss, WORKS, model=link, **options)
        flows = wg.fit_flows(swiss, WORKS, family="binomial", trials="one", link=link, **options)
        for fitted in (exits, flows):
            named = fitted.bse.rename(lambda name: name.replace(" ", ""))
            np.testing.assert_allclose(named[order], np.sqrt(np.diag(matrix)), rtol=1e-6)


def test_canonical_links_have_one_information(swiss):
    for options in (dict(family="binomial", trials="one"), dict(family="poisson"), dict(family="gaussian")):
        fits = [wg.fit_flows(swiss, WORKS, cov="HC2", information=i, **options) for i in ("observed", "expected")]
        np.testing.assert_allclose(fits[0].bse, fits[1].bse, rtol=1e-12)
    fits = [wg.fit_exits(swiss, WORKS, model="logit", information=i) for i in ("observed", "expected")]
    np.testing.assert_allclose(fits[0].bse, fits[1].bse, rtol=1e-12)


@pytest.mark.filterwarnings("ignore:CR2.g is not defined for 8 of 9 coefficients:wagegap.errors.CovarianceWarning")
@pytest.mark.parametrize("link", ["probit", "cloglog"])
@pytest.mark.parametrize("information", ["observed", "expected"])
def test_the_information_beside_absorbed_effects_is_that_beside_dummies(link, information):
    data = repeated_flows().assign(k=np.arange(240) % 12)
    options = dict(family="fractional", link=link, information=information)
    for cov in ("iid", "HC1", "HC2", "CR2:k"):
        absorbed = wg.fit_flows(data, "share ~ x | g", cov=cov, **options)
        dummies = wg.fit_flows(data, "share ~ x + C(g)", cov=cov, **options)
        assert absorbed.bse["x"] == pytest.approx(dummies.bse["x"], rel=1e-7)


def test_an_information_that_is_not_known_is_refused(swiss):
    for fit, options in ((wg.fit_exits, {}), (wg.fit_flows, {"family": "fractional"})):
        with pytest.raises(errors.OptionError, match="Did you mean 'observed'"):
            fit(swiss, WORKS, information="observd", **options)


@pytest.mark.parametrize("model", ["logit", "probit", "cloglog"])
def test_decompositions_of_rates_have_both_informations(swiss, model):
    """Given the regressors, the errors of Fairlie's parts are quadratic forms in the covariance of the coefficients."""
    formula = "works ~ age + education + youngkids"
    call = dict(group="foreign", groups=("no", "yes"), model=model, cov="HC0", small_sample="none")
    for fit in (wg.yun, wg.fairlie):
        observed, expected = (fit(swiss, formula, **call, information=i).bse for i in ("observed", "expected"))
        assert np.allclose(observed, expected, rtol=1e-12) == (model == "logit")
        np.testing.assert_allclose(observed, expected, rtol=0.2)
        with pytest.raises(errors.OptionError, match="Did you mean 'observed'"):
            fit(swiss, formula, **call, information="observd")


def test_the_probit_of_two_steps_has_both_informations(swiss):
    sm = pytest.importorskip("statsmodels.api")
    data = swiss.assign(pay=np.where(swiss["works"] == 1, swiss["income"] + swiss["age"] / 10, np.nan))
    for information in ("observed", "expected"):
        found = wg.fit_selection(
            data, "pay ~ education", selection="works ~ age + youngkids + education", cov="iid", information=information
        )
        x = sm.add_constant(swiss[["age", "youngkids", "education"]])
        peer = sm.GLM(swiss["works"], x, sm.families.Binomial(sm.families.links.Probit())).fit(tol=1e-14)
        bread = np.linalg.inv(-peer.model.hessian(peer.params, observed=information == "observed"))
        errors_of = found.estimates.select(equation="selection").bse
        np.testing.assert_allclose(errors_of, np.sqrt(np.diag(bread)), rtol=1e-6)
    with pytest.raises(errors.OptionError, match="observed information alone"):
        wg.fit_selection(data, "pay ~ education", selection="works ~ age", method="ml", information="expected")
