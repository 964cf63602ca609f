"""Power before data are bought: against independent simulation, limits, searches, pilots, and what is refused."""

import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import wagegap as wg
from wagegap.errors import CovarianceError, DataError, OptionError, UnitError
from wagegap.estimation.reliability import reliability
from wagegap.regression.link import simulated
from wagegap.regression.link.estimators.estimator import Options
from wagegap.regression.link.estimators.table import ESTIMATORS
from wagegap.regression.link.problem import LinkProblem
from wagegap.regression.link.questions.few import detectable
from wagegap.regression.link.simulated import LinkDesign, large_sample_error, simulate_links

FIGURES = dict(skilled=0.1, pay_sd=0.5, premium_sd=0.1, rate_sd=0.02)
# A pattern of unequal errors: workers differ fifty-fold between countries, as in the shipped Stack Overflow premiums
UNEVEN = wg.datasets.country_premiums("stack_overflow")


def drawn(v_premium, v_rate, cross, slope, size, seed, *, sd=1.0, tau=1.0):
    """Shares found and refused, and the median width, of links fitted one by one; draws of their own."""
    rng, n = np.random.default_rng(seed), len(v_premium)
    found, refused, widths = 0, 0, []
    blocks = np.diag(v_rate), np.diag(v_premium)[None, None], np.diag(cross)[None]
    root = np.linalg.cholesky(np.array([[v_premium, cross], [cross, v_rate]]).transpose(2, 0, 1) + 1e-12 * np.eye(2))
    for _ in range(size):
        v, e = np.einsum("nij,nj->in", root, rng.normal(size=(n, 2)))
        true = sd * rng.normal(size=n)
        y = slope * true + tau * rng.normal(size=n) + e
        problem = LinkProblem(y, np.column_stack([true + v, np.ones(n)]), (0,), *blocks, ("premium", "Intercept"))
        try:
            fit = ESTIMATORS["moments"].fit(problem, Options(jackknife_df=n - 2))
        except wg.errors.ReliabilityError:
            fit = None
        if fit is None or reliability(true + v, blocks[1][0, 0]) < 0.5:
            refused += 1
            continue
        half = stats.t.isf(0.025, n - 2) * np.sqrt(fit.cov[0, 0])
        found += abs(fit.params[0]) > half
        widths.append(2 * half)
    return found / size, refused / size, np.median(widths)


@pytest.mark.parametrize(
    ("countries", "share", "uneven"), [(10, 0.9, False), (20, 0.6, True), (20, 0.8, False), (38, 0.8, True)]
)
def test_power_and_width_agree_with_simulation(countries, share, uneven):
    size, slope = 1_000, 2.8 / np.sqrt(countries)
    pattern = np.sort(UNEVEN.variances)[((np.arange(countries) + 0.5) / countries * 40).astype(int)]
    v = (pattern / pattern.mean() if uneven else np.ones(countries)) * (1 - share) / share
    if uneven:
        asked = dict(pilot=UNEVEN, pilot_workers=1e6, workers=round(1e6 * pattern.mean() * share / (1 - share)))
    else:
        asked = dict(skilled=0.5, pay_sd=0.5, workers=round(share / (1 - share)))
        v = np.full(countries, 1 / asked["workers"])
    answer = wg.power(
        countries=countries,
        slope=slope,
        premium_sd=1.0,
        rate_sd=1.0,
        rate_unit="none",
        draws=1_000,
        **asked,
    )
    row = answer.tidy().iloc[0]
    found, refused, width = drawn(v, np.zeros(countries), np.zeros(countries), slope, size, 77)
    # 5 % beside the error of the simulation itself: both shares have variance p (1 - p) / 1,000, or less
    noise = 2 * np.sqrt(2 * found * (1 - found) / size)
    assert row["power"] == pytest.approx(found, rel=0.05, abs=noise)
    assert row["width"] == pytest.approx(width, rel=0.05)
    assert row["refused"] == pytest.approx(refused, abs=0.01 + 2 * np.sqrt(2 * refused * (1 - refused) / size))
    assert row["reliability"] == pytest.approx(1 / (1 + v.mean()), rel=1e-3)


def test_parts_of_a_sample_make_up_the_fit_of_the_whole():
    rng = np.random.default_rng(3)
    n, slope = 14, 0.7
    v, vy = rng.uniform(0.1, 0.3, n), rng.uniform(0.2, 0.5, n)
    problems, fitted = [], simulated.corrected_moments
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(simulated, "corrected_moments", lambda p, w: problems.append(p) or fitted(p, w))
        links = simulate_links(LinkDesign(1.0, 0.8, v, vy, 0.5 * np.sqrt(v * vy), controls=1), 20, 5)
    estimates, errors = links._estimates(slope)
    assert (links.df, links.given.any()) == (n - 3, True)
    for r in np.flatnonzero(links.given):
        true = simulated._nested(n, 20, 5, 0)[r]
        whole = replace(problems[r], y=problems[r].y + slope * true)
        fit = ESTIMATORS["moments"].fit(whole, Options(jackknife_df=n - 3.0))
        assert fit.params[0] == pytest.approx(estimates[0, r, 0], rel=1e-9)
        assert np.sqrt(fit.cov[0, 0]) == pytest.approx(errors[0, r, 0], rel=1e-9)


def test_related_errors_agree_with_simulation():
    v, vy = np.full(20, 0.2), np.full(20, 0.4)
    design = LinkDesign(1.0, 0.8, v, vy, 0.5 * np.sqrt(v * vy))
    links = simulate_links(design, 500, 5)
    for slope in (0.6, -0.6):
        found, _, width = drawn(v, vy, design.v_cross, slope, 600, 6, tau=0.8)
        # 5 %, or two standard errors of both shares
        assert links.found(slope, 0.05) == pytest.approx(found, rel=0.05, abs=0.05)
        assert links.width(slope, 0.05) == pytest.approx(width, rel=0.05)
    # One sign of the slope is found more often; the detectable slope is that of the other
    worse = min((1, -1), key=lambda sign: links.found(sign * 0.6, 0.05))
    assert abs(links.found(0.6, 0.05) - links.found(-0.6, 0.05)) > 0.03
    assert links.found(worse * links.detectable(0.8, 0.05), 0.05) == pytest.approx(0.8, abs=0.005)


def test_without_errors_it_is_the_power_of_least_squares():
    n, slope = 80, 0.32
    nothing = np.zeros(n)
    links = simulate_links(LinkDesign(1.0, 1.0, nothing, nothing, nothing), 500, 0)
    # Given p, b^ is normal and t non-central: averaged over sums of squares of p, chi-squared with n - 1
    sums = stats.chi2(n - 1).ppf((np.arange(400) + 0.5) / 400)
    t = stats.t.isf(0.025, n - 2)
    exact = np.mean(stats.nct.sf(t, n - 2, slope * np.sqrt(sums)) + stats.nct.cdf(-t, n - 2, slope * np.sqrt(sums)))
    # The jackknife's error is a little above that of least squares, which costs about .01 with 80 countries
    assert links.found(slope, 0.05) == pytest.approx(exact, abs=0.03)
    assert links.found(0.0, 0.05) == pytest.approx(0.05, abs=0.015)
    assert links.refused == 0


def test_the_formula_of_large_samples_holds_in_large_samples():
    n = 150
    v = np.exp(np.linspace(-1, 1, n)) * 0.15
    design = LinkDesign(1.0, 1.0, v, 0.5 * v, 0.3 * v)
    links, error = simulate_links(design, 150, 0), large_sample_error(design, 0.6)
    assert links.width(0.6, 0.05) == pytest.approx(2 * stats.t.isf(0.025, n - 2) * error, rel=0.05)
    assert links.detectable(0.8, 0.05) == pytest.approx(detectable(error, n - 2.0, 0.05, 0.8), rel=0.1)


def test_infinitely_many_workers_are_premiums_without_error():
    nothing = np.zeros(20)
    exact = simulate_links(LinkDesign(0.1, 0.02, nothing, nothing, nothing), 300, 0)
    answer = wg.power(countries=20, workers=10**9, draws=300, **FIGURES)
    assert answer.solution == pytest.approx(exact.detectable(0.8, 0.05), rel=0.1)
    assert answer.tidy()["reliability"].iloc[0] == pytest.approx(1.0, abs=1e-6)


def test_more_workers_and_more_countries_find_smaller_slopes_and_give_narrower_intervals():
    frame = wg.power(countries=[12, 20, 38], workers=[1_500, 3_000, 6_000], draws=200, **FIGURES).tidy()
    for column in ("slope", "width"):
        table = frame.pivot(index="countries", columns="workers", values=column).to_numpy()
        assert (np.diff(table, axis=0) < 0).all()
        assert (np.diff(table, axis=1) < 0).all()
    assert (frame.groupby("countries")["refused"].diff().dropna() <= 0).all()
    powers = wg.power(countries=[12, 20, 38], workers=1_500, slope=0.2, draws=100, **FIGURES).tidy()["power"]
    assert (np.diff(powers) > 0.05).all()


def test_units_do_not_matter():
    plain = wg.power(countries=20, workers=900, rate=0.05, draws=100, **FIGURES).tidy().iloc[0]
    other = {**FIGURES, "pay_sd": 50.0, "premium_sd": 10.0, "rate_sd": 200.0}
    points = wg.power(
        countries=20, workers=900, rate=500.0, unit="log points", rate_unit="per 10,000", draws=100, **other
    )
    row = points.tidy().iloc[0]
    # 10,000 per share over 100 log points per log
    assert row["slope"] == pytest.approx(100 * plain["slope"], rel=1e-5)
    assert row["width"] == pytest.approx(100 * plain["width"], rel=1e-5)
    assert row[["power", "reliability", "refused"]].to_numpy() == pytest.approx(
        plain[["power", "reliability", "refused"]].to_numpy(), rel=1e-9
    )


def test_what_is_solved_for_gives_what_was_asked():
    options = dict(draws=80, rng=4, **FIGURES)
    slope = wg.power(countries=24, workers=2_000, **options).solution
    # A search ends within one per cent of the number of workers, and shares are steps of 1 / 640
    workers = wg.power(countries=24, slope=slope, **options)
    assert workers.unknown == "workers"
    assert workers.solution == pytest.approx(2_000, rel=0.02)
    assert 0.8 <= workers.tidy()["power"].iloc[0] < 0.82
    countries = wg.power(workers=2_000, slope=slope, **options)
    assert abs(countries.solution - 24) <= 1
    assert wg.power(countries=24, workers=2_000, slope=slope, **options).solution == pytest.approx(0.8, abs=0.001)
    assert wg.power(countries=24, workers=2_000, slope=-slope, **options).solution == pytest.approx(0.8, abs=0.001)


def test_a_width_is_solved_for_by_workers_and_by_countries():
    options = dict(draws=80, width=0.2, **FIGURES)
    for known in (dict(countries=24), dict(workers=2_000)):
        answer = wg.power(**known, **options)
        assert answer.tidy()["width"].iloc[0] == pytest.approx(0.2, rel=0.06)
        assert answer.tidy()["width"].iloc[0] <= 0.2
        assert "about a slope of zero half of the 95 % intervals" in answer.in_words()


def test_a_reliability_says_how_many_workers():
    row = wg.power(countries=38, reliability=0.8, draws=50, **FIGURES).tidy().iloc[0]
    # V = .25 / (.09 n) = .01 * .25
    assert row["workers"] == np.ceil(0.25 / 0.09 / 0.0025)
    assert row["reliability"] == pytest.approx(0.8, abs=1e-3)
    assert wg.power(countries=38, reliability=0.8, slope=0.2, draws=50, **FIGURES).unknown == "power"


def test_the_same_seed_gives_the_same_answer_and_inputs_stay():
    sizes = [900, 1_800]
    one, other = (wg.power(countries=20, workers=sizes, draws=60, rng=7, **FIGURES).tidy() for _ in range(2))
    pd.testing.assert_frame_equal(one, other)
    assert sizes == [900, 1_800]
    assert not one.equals(wg.power(countries=20, workers=sizes, draws=60, rng=8, **FIGURES).tidy())


def test_uneven_workers_have_the_mean_that_is_given():
    design = wg.power(countries=200, workers=900, uneven=0.8, draws=2, **FIGURES).samples.assumed.design(200, 900)
    # V = .25 / (.09 n_c) of a country; 200 quantiles leave out one part in a hundred of both tails
    assert np.mean(0.25 / 0.09 / design.v_premium) == pytest.approx(900, rel=0.02)
    assert np.std(np.log(design.v_premium)) == pytest.approx(0.8, rel=0.02)
    assert (np.diff(design.v_premium) > 0).all()


# pilots ---------------------------------------------------------------------------------------------------------------


def test_a_pilot_of_premiums_brings_its_errors_and_spread():
    panel = wg.simulate_panel(countries=12, workers=400, rng=2).panel
    premiums = wg.fit_premiums(panel, "log(hourly_wage) ~ ai + exper", premium="ai", by="iso3")
    answer = wg.power(pilot=premiums, countries=12, workers=400, rate_sd=0.02, draws=50)
    v = premiums.estimates.variances
    spread = np.var(premiums.params.to_numpy(), ddof=1) - v.mean()
    size = premiums.cells["n"].mean()
    expected = spread / (spread + v.mean() * size / 400)
    # Those who move stand in two countries, so that errors are related a little, which the spread takes account of
    assert answer.tidy()["reliability"].iloc[0] == pytest.approx(expected, rel=2e-3)
    assert answer.samples.assumed.units == ("share", "log")


def test_a_pilot_link_brings_rates_and_controls_too():
    net, premiums = wg.datasets.talent_migration("ai"), UNEVEN
    link = wg.fit_link("net_migration ~ premium", net, premiums, method="ols")
    same = wg.power(pilot=link, pilot_workers=400, countries=38, workers=400, draws=50)
    assert same.tidy()["reliability"].iloc[0] == pytest.approx(link.reliability, abs=0.01)
    answer = wg.power(pilot=link, pilot_workers=400, countries=38, workers=2_000, draws=50)
    assert "per 10,000 or more per 10 log points" in answer.in_words()
    assert answer.samples.assumed.units == ("per 10,000", "log")
    named = wg.power(pilot=link, pilot_workers=400, countries=38, workers=400, draws=50, premium_sd=0.2, rate_sd=100.0)
    assert named.samples.assumed.premium_sd == 0.2
    assert named.samples.assumed.rate_sd == 100.0


# what is said and drawn -----------------------------------------------------------------------------------------------


def test_sentences_say_the_design_the_slope_and_the_width():
    answer = wg.power(countries=38, workers=2_000, draws=200, **FIGURES)
    text = answer.in_words()
    row = answer.tidy().iloc[0]
    assert text.startswith("With 38 countries and 2,000 workers in each, premiums would have a reliability of 0.88:")
    slope, width = (float(number) for number in re.findall(r"(\d\.\d\d) percentage points", text))
    # 100 percentage points, a tenth of a log
    assert (slope, width) == (pytest.approx(10 * row["slope"], abs=0.006), pytest.approx(10 * row["width"], abs=0.006))
    assert max(map(len, str(answer).splitlines())) <= 80


def test_sentences_say_refusals_and_slopes_that_are_never_found():
    text = wg.power(countries=8, workers=300, draws=100, **FIGURES).in_words()
    assert "no slope, however steep, would be found in 80 of 100 samples" in text
    assert re.search(r"In \d+\.\d % of samples no corrected slope would be given", text)
    assert "Below 10 countries fit_link takes the likelihood" in text
    grid = wg.power(countries=[8, 38], workers=1_000, draws=100, **FIGURES)
    assert re.search(r"Over all 2 scenarios the answer lies between .* and there is none in 1\.", grid.in_words())
    with pytest.raises(DataError, match=r"2 scenarios: read \.tidy\(\)\['slope'\]"):
        grid.solution  # noqa: B018


@pytest.mark.parametrize("of", ["slope", "width"])
def test_the_figure_has_a_line_for_each_number_of_countries(of):
    answer = wg.power(countries=[20, 38], workers=[500, 1_000, 4_000], draws=60, **FIGURES)
    ax = answer.plot(of=of)
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["20 countries", "38 countries"]
    assert [text.get_text() for text in ax.texts] == ["reliability 0.5", "reliability 0.8"]
    assert ax.get_xlabel() == "workers in each country"
    assert "percentage points per 10 log points" in ax.get_ylabel()
    drawn_slopes = ax.lines[0].get_ydata()
    expected = 10 * answer.tidy()[of].to_numpy()[:3]
    if of == "slope":
        np.testing.assert_allclose(drawn_slopes, np.where(np.isfinite(expected), expected, np.nan), rtol=1e-9)


# what is refused ------------------------------------------------------------------------------------------------------

LINES = [
    (dict(countries=38), OptionError, "solves for one of countries, workers, slope, and 2 are left out"),
    (dict(countries=38, workers=900, slope=0.1, power=0.8), OptionError, "nothing to solve for: leave out one of"),
    (dict(countries=38, workers=-5), OptionError, "workers=-5"),
    (dict(countries=38, workers=[900, 0]), OptionError, r"workers\[1\]=0"),
    (dict(countries=38, workers=[]), OptionError, "must hold a number at least"),
    (dict(countries=3, workers=900), OptionError, "countries=3 must be from 4"),
    (
        dict(countries=6, workers=900, controls=3),
        OptionError,
        "from 7, the fewest that give an interval with 3 controls",
    ),
    (dict(countries=900, workers=900), OptionError, "to 200"),
    (dict(countries=38, workers=900, skilled=1.5), OptionError, "skilled=1.5 must lie between 0 and 1"),
    (dict(countries=38, workers=900, power=80), OptionError, "power=80 must lie between 0 and 1"),
    (dict(countries=38, workers=900, premium_sd=0.0), OptionError, "premium_sd=0.0 must be a finite number above zero"),
    (dict(countries=38, workers=900, premium_sd=None), OptionError, "needs premium_sd="),
    (dict(countries=38, workers=900, rate=5.0), OptionError, "rate=5 must lie between 0 and 1"),
    (dict(countries=38, workers=900, rate=0.1, rate_unit="count"), OptionError, "mean of a proportion"),
    (dict(countries=38, workers=900, unit="dollars"), UnitError, "'dollars' is not known"),
    (dict(countries=38, workers=900, correlation=1.0), OptionError, "correlation=1 must lie between"),
    (dict(countries=38, workers=900, uneven=-1.0), OptionError, "uneven=-1 must lie between 0"),
    (dict(countries=38, workers=900, controls=-1), OptionError, "controls=-1"),
    (dict(countries=38, workers=900, draws=10**9), OptionError, "draws=1000000000 are more than"),
    (dict(countries=38, workers=10**12), OptionError, "more than"),
    (dict(countries=38, workers=900, premium_sd=1e-9), OptionError, "are as 1.67e+09 to 1"),
    (dict(countries=38, workers=900, slope=1e9), OptionError, "slope= times premium_sd= to rate_sd="),
    (dict(countries=38, slope=0.0), OptionError, "slope=0 is not found however many workers"),
    (dict(countries=38, workers=900, reliability=0.8), OptionError, "reliability= stands in place of workers="),
    (dict(countries=38, width=0.1, power=0.8), OptionError, "two goals"),
    (dict(countries=38, workers=900, width=0.1), OptionError, "nothing to solve for"),
    (dict(countries=38, workers=900, power=0.01), OptionError, "power=0.01 must be above alpha=0.05"),
    (dict(countries=38, workers=900, pilot_workers=9), OptionError, "goes with pilot="),
    (dict(countries=38, workers=900, correlation=0.5), OptionError, "rates have errors with rate= alone"),
    (dict(countries=38, workers=900, pilot=UNEVEN), OptionError, "pilot= says what pay_sd="),
]


@pytest.mark.parametrize(("given", "error", "message"), LINES, ids=[line[2][:40] for line in LINES])
def test_what_cannot_be_is_refused(given, error, message):
    with pytest.raises(error, match=message if "[" in message and "\\" in message else re.escape(message)):
        wg.power(**{**FIGURES, "draws": 20, **given})


def test_goals_out_of_reach_say_what_is_the_best_that_can_be_had():
    with pytest.raises(
        OptionError, match=r"without error would have a slope of 1\.00 percentage points per 10 log.*so often"
    ):
        wg.power(countries=10, slope=0.1, draws=60, **FIGURES)
    with pytest.raises(OptionError, match=r"without error would have a median width of the interval of"):
        wg.power(countries=10, width=0.01, draws=60, **FIGURES)
    with pytest.raises(OptionError, match=r"200 countries of 100 workers \(reliability 0\.26\) would have a slope"):
        wg.power(workers=100, slope=0.1, draws=10, **FIGURES)


def test_pilots_that_do_not_say_it_are_refused():
    with pytest.raises(CovarianceError, match="6 of 6 premiums of the pilot have unknown errors"):
        wg.power(pilot=wg.datasets.published_premiums(), pilot_workers=9, countries=9, workers=9, rate_sd=1.0)
    with pytest.raises(OptionError, match="pilot_workers="):
        wg.power(pilot=UNEVEN, countries=9, workers=9, rate_sd=1.0)
    with pytest.raises(OptionError, match="skilled= goes with rate="):
        wg.power(pilot=UNEVEN, pilot_workers=9, countries=9, workers=9, rate_sd=1.0, skilled=0.1)
    link = wg.fit_link("net_migration ~ premium", wg.datasets.talent_migration("ai"), UNEVEN, method="ols")
    with pytest.raises(OptionError, match="pilot= says what rate=, skilled= would"):
        wg.power(pilot=link, pilot_workers=9, countries=9, workers=9, rate=0.1, skilled=0.1)
    with pytest.raises(OptionError, match="rate_sd= is missing"):
        wg.power(pilot=UNEVEN, pilot_workers=9, countries=9, workers=9)
    flat = pd.DataFrame({"iso3": list("ABCD"), "b": [0.1, 0.11, 0.1, 0.11], "se": 0.1})
    with pytest.raises(DataError, match="spread no more than their sampling errors"):
        wg.power(pilot=wg.Estimates.from_table(flat, term="ai"), pilot_workers=9, countries=9, workers=9, rate_sd=1.0)
    exact = wg.Estimates.from_table(flat.assign(se=0.0), term="ai")
    with pytest.raises(CovarianceError, match="4 of 4 premiums of the pilot have no sampling error"):
        wg.power(pilot=exact, pilot_workers=9, countries=9, workers=9, rate_sd=1.0)
    with pytest.raises(DataError, match="pilot must be a result or Estimates"):
        wg.power(pilot=3, pilot_workers=9, countries=9, workers=9, rate_sd=1.0)
