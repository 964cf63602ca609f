"""Which feature of the data sets the estimators apart: the flexible likelihood, and what the link says of it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy import integrate, optimize, stats

import wagegap as wg
from wagegap.errors import ColumnError, CovarianceError, DataError, OptionError, ReliabilityWarning
from wagegap.regression.link.estimators.flexible import FEATURES, fit_features, fit_flexible, ratio_p
from wagegap.regression.link.estimators.flexible_likelihood import VaryingDense, VaryingRows
from wagegap.regression.link.estimators.likelihood import fisher_scoring
from wagegap.regression.link.estimators.ml import fit_ml, likelihood_of
from wagegap.regression.link.problem import LinkProblem

NONE = (False, False, False)
PREMIUMS, RATES, TAILS, ALL = (True, False, False), (False, True, False), (False, False, True), (True, True, True)


def drawn(seed=1, n=40, *, premiums=0.0, rates=0.0, heavy=False, slope=0.8, noise=1.0, controls=0):
    """A problem whose variances are (V / mean of logs) to these powers, errors of premiums fifty-fold apart."""
    rng = np.random.default_rng(seed)
    v = np.exp(np.linspace(-2, 2, n)) * noise
    size = np.exp(np.linspace(-2, 2, n))
    true, u, e, other = rng.standard_normal((4, n))
    if heavy:
        # One chi-squared for a cell: true premium, rate and error alike, of variance one
        true, u, e = np.array([true, u, e]) / np.sqrt(rng.chisquare(3, n))
    true, u = true * size ** (premiums / 2), u * size ** (rates / 2)
    z = np.column_stack([np.ones(n), rng.standard_normal((n, controls))])
    p, y = true + np.sqrt(v) * e, slope * true + u + 0.1 * other + z.sum(axis=1)
    return LinkProblem.build(y, np.column_stack([p, z]), v_x=v, v_y=np.full(n, 0.01), v_xy=np.zeros(n))


def varying(problem, tail=0.0, *, dense=False, restricted=True):
    """Likelihood of a problem in its own units, with the trait standardised."""
    model = likelihood_of(problem, restricted=restricted).model
    trait = np.log(np.diag(problem.v_x[0, 0]))[None]
    more = ((trait - trait.mean()) / trait.std(), np.array([tail]), np.array([3.0, 3.0]))
    if not dense:
        return VaryingRows(model.p, model.y, model.z, model.v, model.used, restricted, model.floor, *more)
    v_p, v_py, v_y = (np.diag(part) for part in model.v[:, 0])
    data, x = np.concatenate([model.p[0], model.y[0]])[None], np.kron(np.eye(2), model.z)[None]
    return VaryingDense(data, x, np.block([[v_p, v_py], [v_py, v_y]])[None], restricted, model.floor, *more)


# the likelihood -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("controls", [0, 2])
@pytest.mark.parametrize("seed", range(4))
def test_without_features_it_is_maximum_likelihood(seed, controls):
    problem = drawn(seed, controls=controls, noise=0.5)
    ours, plain = fit_flexible(problem, features=NONE), fit_ml(problem)
    assert ours.loglik == pytest.approx(plain.loglik, abs=1e-8)
    # Scoring ends where 1e-18 of log likelihood is to be gained, which is 1e-9 standard errors.
    assert ours.slope == pytest.approx(plain.params[0], rel=1e-8)
    assert ours.sigma2 == pytest.approx(plain.sigma2, rel=1e-7)
    assert ours.tau2 == pytest.approx(plain.tau2, rel=1e-7, abs=1e-12)
    assert ours.kent_ratio == pytest.approx(plain.kent_ratio, rel=1e-6)
    # Ends are found to 1e-4 of the root of the fall.
    width = plain.interval[1] - plain.interval[0]
    np.testing.assert_allclose(ours.interval, plain.interval, atol=1e-3 * width)
    assert ours.p_value == pytest.approx(plain.p_value, rel=1e-4, abs=1e-9)


@pytest.mark.parametrize("restricted", [True, False])
@pytest.mark.parametrize("controls", [0, 2])
@pytest.mark.parametrize("tail", [0.0, 0.1, 1 / 3])
def test_gradient_is_the_derivative(tail, controls, restricted):
    model, theta, h = (
        varying(drawn(2, controls=controls), tail, restricted=restricted),
        [0.7, 0.5, 0.3, 0.4, -0.3],
        1e-5,
    )
    for j, found in enumerate(model.at(np.array([theta])).gradient[0]):
        up, down = (np.array([theta]) + sign * h * np.eye(5)[j] for sign in (1, -1))
        numeric = (model.at(up).value[0] - model.at(down).value[0]) / (2 * h)
        # Second differences of 1e-5, and means that are found to 1e-5 standard errors or their square
        assert found == pytest.approx(numeric, rel=1e-5, abs=1e-5)


@pytest.mark.parametrize("controls", [0, 2])
def test_rows_and_dense_agree(controls):
    problem, theta = drawn(3, controls=controls), np.array([[0.7, 0.5, 0.3, 0.4, -0.3]])
    rows, dense = varying(problem).at(theta), varying(problem, dense=True).at(theta)
    np.testing.assert_allclose(rows.value, dense.value, atol=1e-10)
    np.testing.assert_allclose(rows.gradient, dense.gradient, atol=1e-10)
    plain = (varying(problem, dense=d, restricted=False).at(theta).information for d in (False, True))
    np.testing.assert_allclose(*plain, rtol=1e-9, atol=1e-12)


def test_value_of_heavy_tails_is_the_density_of_a_bivariate_t():
    problem, tail = drawn(4, n=12), 0.2
    model = varying(problem, tail, restricted=False)
    theta = np.array([[0.7, 0.5, 0.3, 0.4, -0.3]])
    b, s, t, grow_s, grow_t = theta[0]
    m = model.trait[0]

    def minus(means):
        total = 0.0
        for c in range(problem.n):
            s_c, t_c = s * np.exp(grow_s * m[c]), t * np.exp(grow_t * m[c])
            v_p, v_py, v_y = model.v[:, 0, c]
            # Of this covariance
            shape = (1 - 2 * tail) * np.array([[v_p + s_c, v_py + b * s_c], [v_py + b * s_c, v_y + b * b * s_c + t_c]])
            total += stats.multivariate_t(means, shape, df=1 / tail).logpdf([model.p[0, c], model.y[0, c]])
        return -total

    best = optimize.minimize(minus, [model.p.mean(), model.y.mean()], method="BFGS", options={"gtol": 1e-9})
    # Ours leaves out n log(2 pi).
    assert model.at(theta).value[0] - problem.n * np.log(2 * np.pi) == pytest.approx(-best.fun, abs=1e-8)


def test_restriction_of_heavy_tails_is_near_the_integral_over_the_means():
    model = varying(drawn(5, n=30, heavy=True), 0.2)
    theta, _ = fisher_scoring(model, np.array([[0.7, 0.5, 0.3, 0.4, -0.3]]))
    full = replace(model, restricted=False)
    point = full.at(theta)
    size, (p0, y0) = np.sqrt(np.diag(point.bread[0])), point.means[0]

    def density(p, y):
        moved = replace(full, p=full.p - p, y=full.y - y, z=np.zeros((30, 0)))
        return float(np.exp(moved.at(theta).value[0] - point.value[0]))

    inside, _ = integrate.dblquad(
        lambda y, p: density(p, y), p0 - 6 * size[0], p0 + 6 * size[0], y0 - 6 * size[1], y0 + 6 * size[1],
        epsabs=1e-6, epsrel=1e-4,
    )  # fmt: skip
    integral = point.value[0] + np.log(inside) - np.log(2 * np.pi)
    # Expected information in place of observed, at the maximum: measured .03 to .04 for 30 and 60 cells
    assert model.at(theta).value[0] == pytest.approx(integral, abs=0.1)


# what it finds --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("premiums", "rates"), [(1.0, 0.0), (0.0, 1.0), (0.8, -0.8)])
def test_growth_of_variances_is_recovered(premiums, rates):
    problems = [drawn(seed, 80, premiums=premiums, rates=rates, noise=0.2) for seed in range(15)]
    fits = [fit_flexible(problem, features=(True, True, False), alpha=None) for problem in problems]
    found = np.array([fit.growth for fit in fits])
    error = found.std(axis=0, ddof=1) / np.sqrt(len(fits))
    # Three Monte Carlo errors, and a tenth for the bias of a variance's logarithm
    assert np.all(np.abs(found.mean(axis=0) - [premiums, rates]) < 3 * error + 0.1)
    assert np.all(error < 0.15)


def test_each_feature_is_found_where_it_is_and_seldom_where_it_is_not():
    worlds = {
        "none": {}, "premiums": {"premiums": 1.2}, "rates": {"rates": 1.2}, "tails": {"heavy": True},
    }  # fmt: skip
    found = {}
    for world, features in worlds.items():
        fits = [fit_features(drawn(seed, 50, noise=0.2, **features), alpha=None) for seed in range(8)]
        p = [[ratio_p(2 * (fit.loglik - plain.loglik), fit.features) for fit in alone] for plain, *alone, _ in fits]
        found[world] = np.mean(np.array(p) < 0.05, axis=0)
    for j, name in enumerate(FEATURES):
        assert found[name][j] > 0.6, name
    # Of eight draws at 5 per cent, five or more have a probability of 1.5e-5.
    assert np.all(found["none"] <= 0.5)


def test_where_both_spreads_grow_it_holds_the_slope_that_the_plain_likelihood_loses():
    # Errors as large as the spread of premiums
    problems = [drawn(seed, 60, premiums=1.0, rates=1.0, noise=0.6) for seed in range(10)]
    plain, free = [fit_ml(problem) for problem in problems], [fit_flexible(problem) for problem in problems]
    errors = np.array([[abs(a.params[0] - 0.8), abs(b.slope - 0.8)] for a, b in zip(plain, free, strict=True)])
    assert np.median(errors[:, 1]) < 0.8 * np.median(errors[:, 0])
    covered = np.mean([fit.interval[0] <= 0.8 <= fit.interval[1] for fit in free])
    # .95 less three Monte Carlo errors
    assert covered >= 0.95 - 3 * np.sqrt(0.0475 / 10)


def test_more_features_are_never_less_likely():
    plain, *alone, together = fit_features(drawn(7, noise=0.5))
    assert [fit.features for fit in (plain, *alone, together)] == [NONE, PREMIUMS, RATES, TAILS, ALL]
    assert min(fit.loglik - plain.loglik for fit in alone) >= -1e-9
    assert together.loglik >= max(fit.loglik for fit in alone) - 1e-6


def test_units_and_order_of_rows_do_not_matter():
    problem = drawn(8, premiums=1.0, controls=1, noise=0.5)
    order = np.random.default_rng(0).permutation(problem.n)
    x = problem.x * np.array([100.0, 1.0, 7.0])
    scaled = LinkProblem.build(3 * problem.y, x, v_x=1e4 * problem.v_x, v_y=9 * problem.v_y, v_xy=300 * problem.v_xy)
    fit = fit_flexible(problem)
    for other, unit in ((problem.take(order), 1.0), (scaled, 0.03)):
        again = fit_flexible(other)
        assert again.slope == pytest.approx(unit * fit.slope, rel=1e-5)
        np.testing.assert_allclose(again.interval, unit * np.array(fit.interval), rtol=1e-3)
        np.testing.assert_allclose(again.growth, fit.growth, rtol=1e-4, atol=1e-5)
        assert again.df == fit.df
        assert again.p_value == pytest.approx(fit.p_value, rel=1e-3)


def test_a_trait_in_other_units_has_another_growth_and_nothing_else():
    problem = drawn(9, noise=0.5)
    trait = np.random.default_rng(3).random(problem.n)
    one, ten = fit_flexible(problem, trait), fit_flexible(problem, 10 * trait + 4)
    np.testing.assert_allclose(np.array(ten.growth) * 10, one.growth, rtol=1e-4, atol=1e-5)
    assert ten.slope == pytest.approx(one.slope, rel=1e-6)


def test_p_values_are_of_chi_squared_and_of_half_of_it_for_tails():
    assert ratio_p(stats.chi2.isf(0.05, 1), PREMIUMS) == pytest.approx(0.05)
    assert ratio_p(stats.chi2.isf(0.1, 1), TAILS) == pytest.approx(0.05)
    assert ratio_p(stats.chi2.isf(0.05, 3), ALL) == pytest.approx(
        0.5 * (0.05 + stats.chi2.sf(stats.chi2.isf(0.05, 3), 2))
    )
    assert ratio_p(0.0, TAILS) == 1.0


def test_correlated_rows_have_no_tails():
    problem = drawn(10, n=14, noise=0.3)
    v = problem.v_x[0, 0] + 0.02 * np.sqrt(np.outer(*[np.diag(problem.v_x[0, 0])] * 2))
    joined = LinkProblem.build(problem.y, problem.x, v_x=v, v_y=np.diag(problem.v_y))
    fits = fit_features(joined)
    assert [fit.features for fit in fits] == [NONE, PREMIUMS, RATES, (True, True, False)]
    assert fits[0].slope == pytest.approx(fit_ml(joined).params[0], rel=1e-6)
    assert all(np.isinf(fit.df) for fit in fits)


# the question ---------------------------------------------------------------------------------------------------


def developers(**options):
    net, shipped = wg.datasets.talent_migration("ai"), wg.datasets.country_premiums("stack_overflow")
    return wg.fit_link("net_migration ~ premium", net, shipped, data=wg.datasets.income(), **options)


def published(n=14, seed=1, **columns):
    """A link from a table, with errors of the premiums of different sizes."""
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame({"iso3": [f"C{i:02d}" for i in range(n)], "b": rng.normal(0, 0.3, n), "se": 0.05})
    frame = frame.assign(se=np.linspace(0.02, 0.2, n), old=rng.random(n), rate=0.2 - 0.5 * frame["b"]).assign(**columns)
    frame["rate"] += rng.normal(0, 0.02, n)
    rates = wg.Estimates.from_table(frame, estimate="rate", std_error=None, term="leaving")
    return wg.fit_link(
        "leaving ~ premium", rates, wg.Estimates.from_table(frame), data=frame[["iso3", "old"]], method="ols"
    )


def test_the_developers_data_do_not_say_why():
    with pytest.warns(ReliabilityWarning, match="0.62"):
        answer = developers(method="ml").disagreement()
    # Recorded when it was written; the optimum without features is metafor's.
    assert answer.plain.slope == pytest.approx(-3660.70, abs=0.01)
    assert [fit.slope for fit in answer.alone] == pytest.approx([-3560.5, -5179.7, -3660.7], abs=0.5)
    assert answer.p_values == pytest.approx([0.487, 0.167, 1.0], abs=0.002)
    assert answer.together.slope == pytest.approx(-4899.7, abs=0.5)
    assert answer.moments == pytest.approx(-904.996, abs=0.01)
    assert answer.shown == ()
    assert answer.nearest is None
    words = answer.in_words()
    assert words.startswith("Per 10 log points of premium the likelihood's slope is -366 per 10,000 and that of the ")
    assert "moments -90 per 10,000. The data do not say why" in words


def test_a_feature_that_explains_is_named():
    n, rng = 60, np.random.default_rng(3)
    se = np.exp(np.linspace(-3.5, -1, n))
    true = se * rng.standard_normal(n) * 1.5
    frame = pd.DataFrame({"iso3": [f"C{i:02d}" for i in range(n)], "se": se, "b": true + se * rng.standard_normal(n)})
    frame["rate"] = true + np.where(se < np.median(se), -3, 0) * true + 0.02 * rng.standard_normal(n)
    rates = wg.Estimates.from_table(frame, estimate="rate", std_error=None, term="leaving")
    answer = wg.fit_link("leaving ~ premium", rates, wg.Estimates.from_table(frame), method="ols").disagreement()
    assert "spread of true premiums changes with the size of the error" in answer.tidy()["feature"].tolist()
    assert "premiums" in answer.shown
    # What the sentence says is what the numbers say.
    apart = abs(answer.plain.slope - answer.moments)
    nearer = [fit for fit in answer.alone if abs(fit.slope - answer.moments) < apart]
    assert (answer.nearest is not None) == any(
        fit.features[FEATURES.index(name)] for fit in nearer for name in answer.shown
    )
    start = "They differ, in part at least, because" if answer.nearest else "The data show that"
    assert start in answer.in_words()


def test_tidy_and_figure_hold_every_model():
    answer = published().disagreement(by="old", alpha=0.1)
    frame = answer.tidy()
    assert list(frame.columns) == [
        "feature", "value", "statistic", "p_value", "p_if_picked", "estimate", "conf_low", "conf_high",
    ]  # fmt: skip
    assert frame["feature"].tolist() == [
        "none", "spread of true premiums changes with old", "spread of rates beyond premiums changes with old",
        "heavy tails", "all of them", "weighted moments",
    ]  # fmt: skip
    assert (frame["conf_low"] <= frame["estimate"]).all()
    assert (frame["estimate"] <= frame["conf_high"]).all()
    assert frame["p_if_picked"].iloc[1:4].to_numpy() == pytest.approx(np.minimum(3 * frame["p_value"].iloc[1:4], 1))
    ax = answer.plot()
    assert next(label.get_text() for label in ax.get_yticklabels()) in ("likelihood", "weighted moments")
    assert "90 % intervals" in ax.get_xlabel()


def test_by_another_data_frame_is_by_the_links_own():
    link = published()
    frame = link.call.arguments["data"]
    own, other = link.disagreement(by="old"), link.disagreement(by="age", data=frame.rename(columns={"old": "age"}))
    assert own.together.loglik == other.together.loglik
    assert other.by == "age"


@pytest.mark.parametrize(
    ("ask", "error", "pieces"),
    [
        (lambda: published().disagreement(by="odl"), ColumnError, ("'odl'", "old")),
        (lambda: published(old=1.0).disagreement(by="old"), DataError, ("trait", "same in all 14 cells")),
        (lambda: published(se=0.1).disagreement(), DataError, ("same in all 14 cells", "by=")),
        (lambda: published(n=7).disagreement(), DataError, ("7 cells", "at least 8")),
        (lambda: published(se=[0.0] + [0.1] * 13).disagreement(), CovarianceError, ("1 of 14", "C00", "by=")),
        (lambda: published().disagreement(alpha=2), OptionError, ("alpha=2",)),
        (
            lambda: wg.fit_link("net_migration ~ premium", wg.datasets.talent_migration("ai"),
                                wg.datasets.published_premiums()).disagreement(),
            CovarianceError, ("errors", "unknown"),
        ),
    ],
)  # fmt: skip
def test_what_cannot_be_asked_is_refused_by_name(ask, error, pieces):
    with pytest.raises(error) as raised:
        ask()
    for piece in pieces:
        assert piece in str(raised.value)
