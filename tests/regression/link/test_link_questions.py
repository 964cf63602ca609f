"""Questions asked of a link: right where the truth is known, and in words that cannot be misread."""

from __future__ import annotations

import itertools
import pickle
import textwrap
import time
from functools import partial

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import wagegap as wg
from wagegap.errors import (
    ColumnError,
    CovarianceError,
    DataError,
    EmptyDataError,
    MissingValueError,
    OptionError,
    ReliabilityError,
    UnitError,
)
from wagegap.regression.link.problem import LinkProblem
from wagegap.regression.link.questions.curve import specification_curve
from wagegap.regression.link.questions.shrunken import shrunken_premiums

pytestmark = pytest.mark.filterwarnings("ignore::wagegap.errors.ReliabilityWarning")


def tables(seed, n=20, share=0.8, rho=0.5, slope=1.0, differs=0.0):
    """Rates, premiums and a trait of simulated countries, with the true rates and premiums."""
    rng = np.random.default_rng(seed)
    sd_y, sd_p = rng.uniform(0.15, 0.85, n), rng.uniform(0.5, 1.5, n)
    sd_p *= np.sqrt((1 - share) / share / np.mean(sd_p**2))
    a, c, true, trait, own = rng.standard_normal((5, n))
    rate = slope * true + differs * true * trait + 0.5 * own
    p = true + sd_p * (rho * a + np.sqrt(1 - rho**2) * c)
    names, cross = [f"C{i}" for i in range(n)], np.diag(rho * sd_p * sd_y)
    frame = pd.DataFrame({"iso3": names * 2, "b": [*(rate + sd_y * a), *p], "term": np.repeat(["r", "premium"], n)})
    v = np.block([[np.diag(sd_y**2), cross], [cross, np.diag(sd_p**2)]])
    both = wg.Estimates.from_table(frame, term="term", vcov=v)
    data = pd.DataFrame({"iso3": names, "trait": trait})
    return both.select(term="r"), both.select(term="premium"), data, rate, true


def asked(seed, **design):
    """A link on simulated countries, with the true rates and premiums."""
    rates, premiums, data, rate, true = tables(seed, **design)
    return wg.fit_link("r ~ premium", rates, premiums, data=data, force=True), rate, true


@pytest.fixture(scope="module")
def link():
    return asked(1)[0]


@pytest.fixture(scope="module")
def published():
    net = wg.datasets.talent_migration("ai")
    return wg.fit_link("net_migration ~ premium", net, wg.datasets.published_premiums())


def drawn(ax):
    """The figure renders, and holds something."""
    ax.figure.canvas.draw()
    return bool(ax.lines or ax.collections or ax.patches)


def test_answers_are_calibrated():
    """The country is named in advance; `benchmarks/link_questions.py` runs 500 draws of several designs."""
    p, held, same = [], [], []
    for seed in range(60):
        link, rate, true = asked(seed)
        p.append(link.outlier("C0").p_value)
        answer = link.predict(country="C0", premium=true[0] + 1)
        held.append(answer.low <= rate[0] + 1.0 <= answer.high)
        try:
            moderation = link.moderate("trait", force=True)
        except ReliabilityError:
            continue
        same.append(moderation.low <= 0 <= moderation.high)
    assert len(same) >= 55
    assert stats.kstest(p, "uniform").pvalue > 0.01
    # .93 at least, less three Monte Carlo errors; the moderation interval is the wider of two, and may hold too often.
    slack = 3 * np.sqrt(0.0475 / 60)
    assert 0.93 - slack <= np.mean(held) <= min(0.97 + slack, 1.0)
    assert np.mean(same) >= 0.93 - slack


# outlier -------------------------------------------------------------------------------------------------------------


def test_outlier_without_errors_is_the_studentised_residual(published):
    import statsmodels.api as sm

    x = np.column_stack([published.cells.p[:, 0], np.ones(6)])
    theirs = sm.OLS(published.cells.y, x).fit().get_influence().resid_studentized_external
    for i, name in enumerate(published.cells.names):
        answer = published.outlier(name)
        assert answer.deviation == pytest.approx(theirs[i], rel=1e-8)
        assert answer.p_value == pytest.approx(2 * stats.t.sf(abs(theirs[i]), 3), rel=1e-8)
        assert answer.p_if_picked == pytest.approx(min(1, 6 * answer.p_value))


def test_an_outlier_is_found_and_said(link):
    rates, premiums = link.call.arguments["rates"], link.call.arguments["premiums"]
    shifted = rates.values.copy()
    shifted[3] += 8.0
    moved = wg.fit_link("r ~ premium", _with(rates, shifted), premiums, force=True)
    answer = moved.outlier("C3")
    assert answer.p_value < 0.01
    assert answer.rate > answer.high
    assert "outside" in answer.in_words()
    assert "named in advance" in answer.in_words()
    # The left-out country moves nothing: its own rate does not reach the line it is held against.
    assert answer.expected == pytest.approx(link.outlier("C3").expected, rel=1e-6)
    assert drawn(answer.plot())
    assert "inside" in link.outlier("C3").in_words()


def _with(estimates, values):
    from dataclasses import replace

    return replace(estimates, values=values)


def test_misspelt_keywords_are_answered(link):
    for question, wrong, right in (
        (link.few_countries, "powr", "power"), (link.moderate, "forse", "force"), (link.swap, "nmes", "names"),
    ):  # fmt: skip
        with pytest.raises(wg.errors.ArgumentError, match=f"Did you mean '{right}'"):
            question(*(() if question == link.few_countries else ("trait",)), **{wrong: 1})


def test_unknown_country_is_answered_with_the_nearest(link):
    with pytest.raises(DataError, match="Did you mean 'C1'"):
        link.outlier("c1")


# prediction ----------------------------------------------------------------------------------------------------------


def test_prediction_is_the_country_moved_along_the_line(link):
    shrunken = shrunken_premiums(link).values
    answer = link.predict(country="C2", premium=0.5)
    assert answer.own_premium == pytest.approx(shrunken[2])
    assert answer.estimated == link.cells.p[2, 0]
    assert answer.change == pytest.approx(link.slope * (0.5 - shrunken[2]))
    # Errors of rate and premium go together: the premium's distance from the mean says something of the rate's error.
    assert answer.rate == pytest.approx(
        link.cells.y[2] - shrunken_premiums(link).move(2, 0.5, 1.0).shift + answer.change
    )
    assert drawn(answer.plot())


def test_prediction_says_when_it_extrapolates(link):
    values = shrunken_premiums(link).values
    # Within the range of noisy premiums, beyond that of the shrunken ones.
    beyond = 0.5 * (link.cells.p.max() + values.max())
    far, near = (link.predict(country="C0", premium=float(at)) for at in (beyond, values.max() - 0.01))
    assert far.extrapolates
    assert not near.extrapolates
    assert "an extrapolation" in far.in_words()
    assert "extrapolation" not in near.in_words()
    assert "causal" in far.in_words()


def test_another_countrys_premium_has_an_error_too(link):
    by_name = link.predict(country="C0", premium="C1")
    by_value = link.predict(country="C0", premium=float(shrunken_premiums(link).values[1]))
    assert by_name.rate == pytest.approx(by_value.rate)
    assert by_name.high - by_name.low > by_value.high - by_value.low


def test_prediction_without_errors_says_so(published):
    answer = published.predict(country="KOR", premium="USA")
    assert not answer.known
    assert "error of the premiums is unknown" in answer.in_words()


# moderation ----------------------------------------------------------------------------------------------------------


def test_a_slope_that_differs_is_found():
    found = [asked(s, n=60, share=0.95, differs=1.0)[0].moderate("trait", force=True) for s in range(5)]
    assert all(answer.low > 0 for answer in found)
    assert "more than sampling error explains" in found[0].in_words()


def test_moderation_refuses_noise_and_missing_traits(link):
    with pytest.raises(ColumnError, match="Did you mean 'trait'"):
        link.moderate("triat")
    with pytest.raises(MissingValueError, match="C3"):
        link.moderate("trait", data=link.call.arguments["data"].query("iso3 != 'C3'"))
    with pytest.raises(ReliabilityError, match="cannot be told"):
        asked(1, share=0.35)[0].moderate("trait")


# swap -----------------------------------------------------------------------------------------------------------------


def test_the_same_source_changes_nothing(link):
    answer = link.swap(link.call.arguments["premiums"], force=True)
    assert answer.difference == pytest.approx(0.0, abs=1e-9)
    assert answer.correlation == pytest.approx(1.0)
    assert "do not differ significantly" in answer.in_words()
    assert drawn(answer.plot())
    assert answer.tidy()["source"].tolist()[-1] == "difference"


def test_swap_keeps_the_countries_of_both():
    net, first = wg.datasets.talent_migration("ai"), wg.datasets.country_premiums("stack_overflow")
    second = wg.datasets.country_premiums("kaggle")
    link = wg.fit_link("net_migration ~ premium", net, first, method="ols")
    answer = link.swap(second, names=("Stack Overflow", "Kaggle"))
    both = set(link.cells.names) & set(second.labels["iso3"])
    assert set(answer.first.cells.names) == set(answer.second.cells.names) <= both
    with pytest.raises(UnitError, match="per cent"):
        link.swap(wg.datasets.published_premiums())


# specification curve ----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def sources():
    net, income = wg.datasets.talent_migration("ai"), wg.datasets.income()
    return net, {name: wg.datasets.country_premiums(name) for name in ("stack_overflow", "kaggle")}, income


def test_specifications_are_the_fits_one_by_one(sources):
    net, premiums, income = sources
    curve = specification_curve(
        "net_migration", net, premiums, data=income, controls=["log(gdp_per_head)"], methods=["ols", "eiv"], reps=19
    )
    assert len(curve.frame) == 8
    for row in curve.frame.itertuples():
        controls = "" if row.controls == "none" else f" + {row.controls}"
        one = wg.fit_link(
            f"net_migration ~ premium{controls}", net, premiums[row.source], data=income, method=row.method, force=True
        )
        if row.refused:
            assert one.reliability < 0.5
            continue
        assert row.estimate == pytest.approx(one.slope, rel=1e-8)
        if row.method == "ols":
            assert row.std_error == pytest.approx(float(one.bse["premium"]), rel=1e-8)
        assert row.reliability == pytest.approx(one.reliability)


def test_curve_in_words_and_figure(sources):
    net, premiums, income = sources
    curve = specification_curve("net_migration", net, premiums, data=income, controls=["log(gdp_per_head)"], reps=49)
    assert "dealt to countries at random" in curve.in_words()
    assert drawn(curve.plot())
    assert curve.tidy()["estimate"].is_monotonic_increasing
    again = specification_curve("net_migration", net, premiums, data=income, controls=["log(gdp_per_head)"], reps=49)
    np.testing.assert_array_equal(curve.null_shares, again.null_shares)


def test_null_of_the_curve_has_its_size(link):
    """With rates that have nothing to do with premiums, p-values of the curve are not small too often."""
    small = 0
    for seed in range(40):
        rates, premiums, data, *_ = tables(seed, n=15, slope=0.0, rho=0.0, share=0.95)
        curve = specification_curve("r", rates, {"a": premiums}, data=data, controls=["trait"], reps=49)
        small += curve.p_value <= 0.1
    assert small / 40 <= 0.1 + 3 * np.sqrt(0.09 / 40)


def test_a_thousand_specifications_in_ten_seconds(capsys):
    link = asked(1, n=40, share=0.9)[0]
    rng = np.random.default_rng(0)
    data = pd.DataFrame(rng.standard_normal((40, 6)), columns=list("abcdef")).assign(iso3=link.cells.names)
    samples = {"all": (), **{f"without {c}": (c,) for c in link.cells.names[:4]}}
    start = time.process_time()
    curve = specification_curve(
        "r", link.call.arguments["rates"], {"x": link.call.arguments["premiums"]}, data=data, controls=list("abcdef"),
        samples=samples, reps=499,
        progress=True,
    )  # fmt: skip
    # Measured at two seconds of one core; the bound is the promise.
    assert time.process_time() - start < 10
    assert len(curve.frame) == 64 * 5 * 3
    assert "sources and controls: 100%" in capsys.readouterr().err


def test_curve_without_any_specification_is_refused(published):
    with pytest.raises(EmptyDataError, match="no specification"):
        specification_curve(
            "net_migration", wg.datasets.talent_migration("ai"), {"published": wg.datasets.published_premiums()},
            methods=["eiv"],
        )  # fmt: skip


# one step, pooling, and what all answers share ------------------------------------------------------------------------


@pytest.fixture(scope="module")
def micro():
    made = wg.simulate_panel(countries=8, workers=300, premium_sd=0.2, link_slope=-0.2, link_intercept=0.25, rng=3)
    premiums = wg.fit_premiums(made.panel, "log(hourly_wage) ~ ai + exper", premium="ai", by="iso3")
    rates = wg.fit_rates(made.panel, {"emigration": "abroad_next"}, among="ai", by="iso3")
    return made.panel, wg.fit_link("emigration ~ premium", rates, premiums, force=True)


def test_one_step_is_the_micro_regression_by_brute_force(micro):
    panel, link = micro
    answer = link.one_step(panel, event="abroad_next", skill="ai", controls="exper")
    f = panel.frame
    p = f["iso3"].map(dict(zip(link.cells.names, link.cells.p[:, 0], strict=True))).to_numpy(dtype=float)
    dummies = pd.get_dummies(f["iso3"]).to_numpy(dtype=float)
    x = np.column_stack([f["ai"] * p, f["ai"], f["exper"], dummies]).astype(float)
    y, clusters = f["abroad_next"].to_numpy(dtype=float), f["iso3"].to_numpy()
    import statsmodels.api as sm

    theirs = sm.OLS(y, x).fit(cov_type="cluster", cov_kwds={"groups": pd.factorize(clusters)[0]})
    assert answer.slope == pytest.approx(theirs.params[0], rel=1e-8)
    assert answer.std_error == pytest.approx(theirs.bse[0], rel=1e-8)
    rest = np.delete(x, 0, axis=1)
    null = y - rest @ np.linalg.lstsq(rest, y, rcond=None)[0]
    row, names = np.linalg.pinv(x)[0], np.unique(clusters)
    left = x @ np.linalg.pinv(x)
    member = np.array([clusters == name for name in names], dtype=float)

    def t(signs):
        e = null * (np.array(signs) @ member)
        influence = member @ (row * (e - left @ e))
        return (row @ e) / np.sqrt(influence @ influence)

    own = abs(t(np.ones(8)))
    beyond = [abs(t(signs)) >= own * (1 - 1e-9) for signs in itertools.product((-1.0, 1.0), repeat=8)]
    assert answer.enumerated
    assert answer.p_wild == pytest.approx(np.mean(beyond))
    assert "in two steps" in answer.in_words()
    assert drawn(answer.plot())


def test_pooling_is_the_conditional_mean(link):
    pooled = link.pool()
    frame = pooled.tidy()
    assert (frame["pooled_premium_error"] <= frame["premium_error"] + 1e-9).all()
    assert (frame["pooled_rate_error"] <= frame["rate_error"] + 1e-9).all()
    assert frame["pooled_premium"].std() < frame["premium"].std()
    assert drawn(pooled.plot())
    assert drawn(pooled.plot_caterpillar())
    assert "not for regressions" in pooled.in_words()


def test_pooled_figures_are_nearer_the_truth():
    before, after = [], []
    for seed in range(25):
        link, _, true = asked(seed, share=0.6)
        frame = link.pool().tidy()
        before.append(np.mean((frame["premium"] - true) ** 2))
        after.append(np.mean((frame["pooled_premium"] - true) ** 2))
    assert np.mean(after) < 0.8 * np.mean(before)


def test_answers_are_frozen_and_say_themselves(link):
    answers = [
        link.outlier("C0"), link.predict(country="C0", premium=1.0), link.moderate("trait", force=True), link.pool(),
        link.few_countries(reps=99),
    ]  # fmt: skip
    for answer in answers:
        assert str(answer) == textwrap.fill(answer.in_words(), 80)
        assert answer.in_words().endswith((".", ")"))
        assert len(answer.tidy())
        with pytest.raises(AttributeError):
            answer.alpha = 0.1
    assert pickle.loads(pickle.dumps(link)).slope == link.slope


# bad input -----------------------------------------------------------------------------------------------------------


def published_like(names, values, se, term):
    return wg.Estimates.from_table(pd.DataFrame({"iso3": names, "b": values, "se": se}), term=term)


def test_two_countries():
    names = ["KOR", "USA"]
    rates, premiums = published_like(names, [0.1, 0.2], 0.01, "r"), published_like(names, [0.1, 0.3], 0.01, "p")
    with pytest.raises(DataError, match=r"2 cells \(KOR, USA\) for 2 coefficients"):
        wg.fit_link("r ~ premium", rates, premiums)


def test_identical_premiums():
    names = list("ABCDE")
    rates = published_like(names, np.arange(5.0), 0.1, "r")
    with pytest.raises(wg.errors.WagegapError, match="premium"):
        wg.fit_link("r ~ premium", rates, published_like(names, np.full(5, 0.2), 0.01, "p"))


def test_covariance_that_is_none():
    frame = pd.DataFrame({"iso3": ["A", "B"], "b": [0.1, 0.2]})
    with pytest.raises(CovarianceError, match="positive semidefinite"):
        wg.Estimates.from_table(frame, vcov=np.array([[1.0, 2.0], [2.0, 1.0]]))
    x = np.column_stack([np.arange(4.0), np.ones(4)])
    with pytest.raises(CovarianceError, match="exceed what the two variances allow"):
        LinkProblem.build(np.arange(4.0), x, v_x=np.full(4, 0.1), v_y=np.full(4, 0.1), v_xy=np.full(4, 0.2))


def test_different_countries_are_named():
    rates = published_like(list("ABCDEF"), np.arange(6.0), 0.1, "r")
    premiums = published_like(list("CDEFGH"), [0.1, 0.9, 0.3, 0.7, 0.2, 0.1], 0.01, "p")
    link = wg.fit_link("r ~ premium", rates, premiums)
    assert link.nobs == 4
    assert "not in premium (A, B)" in str(link.ledger)
    assert "G, H" in " ".join(link.cells.ledger.notes)
    with pytest.raises(EmptyDataError, match="no cell has both"):
        wg.fit_link("r ~ premium", rates, published_like(["X", "Y"], [0.1, 0.2], 0.01, "p"))


def test_country_missing_in_the_covariates_is_named():
    names = list("ABCDEFGH")
    rng = np.random.default_rng(0)
    rates, premiums = (published_like(names, rng.standard_normal(8), 0.1, t) for t in ("r", "p"))
    data = pd.DataFrame({"iso3": names[:-1], "w": [1.0, 2.0, np.nan, 3.0, 1.0, 5.0, 2.0]})
    link = wg.fit_link("r ~ premium + w", rates, premiums, data=data)
    assert link.nobs == 6
    said = str(link.ledger) + " ".join(link.cells.ledger.notes)
    assert "not in data (H)" in said
    assert "missing covariates: C" in said


def test_more_regressors_than_countries():
    names = list("ABCDE")
    rng = np.random.default_rng(0)
    rates, premiums = (published_like(names, rng.standard_normal(5), 0.1, t) for t in ("r", "p"))
    data = pd.DataFrame(rng.standard_normal((5, 4)), columns=list("stuv")).assign(iso3=names)
    with pytest.raises(DataError, match=r"5 cells \(A, B, C, D, E\) for 6 coefficients"):
        wg.fit_link("r ~ premium + s + t + u + v", rates, premiums, data=data)


def test_instrument_constant_across_countries():
    names = list("ABCDEFGH")
    rng = np.random.default_rng(0)
    rates, premiums = (published_like(names, rng.standard_normal(8), 0.1, t) for t in ("r", "p"))
    data = pd.DataFrame({"iso3": names, "z": 1.0})
    with pytest.raises(wg.errors.IdentificationError, match="same everywhere"):
        wg.fit_link("r ~ premium", rates, premiums, data=data, method="iv", instruments="z")
    with pytest.raises(OptionError, match="go together"):
        wg.fit_link("r ~ premium", rates, premiums, data=data, method="iv")
    with pytest.raises(ColumnError, match="Did you mean 'z'"):
        wg.fit_link("r ~ premium", rates, premiums, data=data, method="iv", instruments="Z")
    with pytest.raises(MissingValueError, match="missing in 1 of 8 cells: H"):
        wg.fit_link("r ~ premium", rates, premiums, data=data.iloc[:7], method="ols").call.again(
            data=data.assign(z=[*range(7), np.nan]), method="iv", instruments="z"
        )


def test_instrument_of_the_same_workers(micro):
    _, link = micro
    with pytest.raises(CovarianceError, match="method='split'"):
        link.call.again(method="iv", instruments=link.call.arguments["premiums"])


def test_options_that_do_not_exist_or_do_not_fit():
    names = list("ABCDEFGH")
    rng = np.random.default_rng(0)
    rates = published_like(names, rng.uniform(size=8), 0.1, "r")
    premiums = published_like(names, rng.standard_normal(8), 0.1, "p")
    with pytest.raises(OptionError, match="Did you mean 'simex'"):
        wg.fit_link("r ~ premium", rates, premiums, method="simx")
    with pytest.raises(OptionError, match="workers=panel"):
        wg.fit_link("r ~ premium", rates, premiums, method="split")
    with pytest.raises(OptionError, match="whole number"):
        wg.fit_link("r ~ premium", rates, premiums, method="simex", draws=0)
    with pytest.raises(DataError, match="outside"):
        wg.fit_link("r ~ premium", premiums.map(np.eye(8), labels=rates.labels), premiums, method="fractional")
    with pytest.raises(CovarianceError, match="unknown is not zero"):
        wg.fit_link("r ~ premium", rates, published_like(names, rng.standard_normal(8), np.nan, "p"), method="simex")


def test_a_sample_leaves_out_countries_whose_names_have_blanks():
    years, places = (2018, 2019), ["South Korea", "Korea", "South Africa", "USA", "Japan", "France", "Chile"]
    frame = pd.DataFrame([(place, year) for place in places for year in years], columns=["land", "year"])
    b = np.linspace(0.0, 0.6, len(frame)) + 0.1 * np.cos(np.arange(len(frame)))
    table = partial(wg.Estimates.from_table, by=["land", "year"], std_error=None)
    premiums, rates = table(frame.assign(b=b), term="ai"), table(frame.assign(b=np.sin(np.arange(14.0))), term="net")
    curve = wg.specification_curve(
        "net", rates, {"mine": premiums}, methods=["ols"], samples={"all": (), "without": ["South Korea"]}, reps=9
    )
    slopes = curve.frame.set_index("sample")["estimate"]
    kept = (frame["land"] != "South Korea").to_numpy()
    expected = np.polyfit(b[kept], np.sin(np.arange(14.0))[kept], 1)[0]
    assert slopes["without"] == pytest.approx(expected, rel=1e-9)
    assert slopes["all"] != pytest.approx(expected, rel=1e-3)


def test_a_country_that_is_known_is_never_taken_for_another():
    both = wg.datasets.stem_graduates()
    link = wg.fit_link("outside ~ premium", both.select(term="outside"), both.select(term="premium"), method="ols")
    with pytest.raises(DataError, match=r"no cell 'North Korea' in the link\. North Korea is not among them\. Cells: "):
        link.outlier("North Korea")
    assert link.outlier("Korea").country == link.outlier("KOR").country
