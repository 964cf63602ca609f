"""The truth: intervals of premiums, rates and their differences across countries cover as often as they say.

A share of covered truths is judged against .93 to .97, widened by three Monte Carlo errors, 3 sqrt(.0475 / R), where R
is the number of independent intervals. Countries of one draw are independent but for the few workers who move between
them, so that R is draws times countries; differences are taken over disjoint pairs of countries.
"""

from __future__ import annotations

import numpy as np
import pytest

import wagegap as wg
from wagegap.estimation.covariance.options import Bootstrap

pytestmark = pytest.mark.slow

COUNTRIES = 6
FORMULA = "log(hourly_wage) ~ ai + exper + I(exper**2) + female | educ"
EVENTS = {"emigration": "abroad_next", "switching": "new_field_next"}
PAIRS = [(0, 1), (2, 3), (4, 5)]


def within(covered):
    share, room = float(np.mean(covered)), 3 * np.sqrt(0.0475 / np.size(covered))
    return 0.93 - room <= share <= 0.97 + room, share


def differences(estimates, truth):
    """Whether the intervals of differences across pairs of countries hold the true ones."""
    n = len(truth)
    matrix = np.zeros((len(PAIRS), n))
    for row, (i, j) in enumerate(PAIRS):
        matrix[row, i], matrix[row, j] = 1.0, -1.0
    labels = estimates.labels.iloc[: len(PAIRS)].assign(term=[f"pair {i}" for i in range(len(PAIRS))])
    tidy = estimates.map(matrix, labels=labels).tidy()
    true = matrix @ truth
    return (tidy["conf_low"] <= true) & (true <= tidy["conf_high"])


def covered(result, truth, event=None):
    estimates = result.estimates if event is None else result.estimates.select(term=event)
    assert estimates.labels["iso3"].tolist() == sorted(estimates.labels["iso3"])
    tidy = estimates.tidy()
    return ((tidy["conf_low"] <= truth) & (truth <= tidy["conf_high"])).tolist(), differences(estimates, truth).tolist()


def simulate(seed, design, workers, correlation=0.5):
    return wg.simulate_panel(
        countries=COUNTRIES, workers=workers, periods=2, design=design, error_correlation=correlation, rng=seed
    )


@pytest.mark.parametrize(
    ("design", "cov", "workers", "draws"),
    [
        ("simple", None, 300, 120),
        ("clustered", None, 400, 120),
        ("clustered", "CR2:psu", 400, 60),
        ("stratified", None, 600, 120),
        ("simple", Bootstrap(99, cluster="worker", rng=1), 300, 30),
    ],
)
def test_intervals_cover_the_truth(design, cov, workers, draws):
    hits = {name: [] for name in ("premium", "emigration", "switching")}
    gaps = {name: [] for name in hits}
    for seed in range(draws):
        made = simulate(1_000 + seed, design, workers)
        truth = made.truth.sort_values("iso3")
        premiums = wg.fit_premiums(made.panel, FORMULA, premium="ai", cov=cov)
        rates = wg.fit_rates(made.panel, EVENTS, among="ai", cov=cov)
        for name in hits:
            found = covered(
                *((premiums, truth[name].to_numpy()) if name == "premium" else (rates, truth[name].to_numpy(), name))
            )
            hits[name] += found[0]
            gaps[name] += found[1]
    shares = {name: (within(hits[name]), within(gaps[name])) for name in hits}
    assert all(own[0] and gap[0] for own, gap in shares.values()), shares


def test_the_cross_block_has_the_right_size():
    """The sum of a premium and a rate of the same people: its interval covers with their covariance alone."""
    with_it, without = [], []
    for seed in range(250):
        made = wg.simulate_panel(
            countries=4, workers=250, periods=1, error_correlation=0.95, worker_sd=0.0, wage_sd=1.0, share_treated=0.5,
            link_intercept=0.5, link_slope=0.0, rng=9_000 + seed,
        )  # fmt: skip
        truth = made.truth.sort_values("iso3")
        premiums = wg.fit_premiums(made.panel, "log(hourly_wage) ~ ai", premium="ai", cov="HC1").estimates
        rates = wg.fit_rates(made.panel, {"emigration": "abroad_next"}, among="ai", cov="HC1").estimates
        joined = wg.join(premiums, rates)
        n = len(premiums.values)
        weight = float(np.mean(premiums.bse) / np.mean(rates.bse))  # so that either error counts as much
        matrix = np.hstack([np.eye(n), weight * np.eye(n)])
        own = joined.map(matrix, labels=premiums.labels.assign(term="sum"))
        true = matrix @ np.concatenate([truth["premium"], truth["emigration"]])
        error = np.abs(own.values - true)
        with_it += (error <= 1.96 * own.bse.to_numpy()).tolist()
        apart = np.sqrt(np.diag(premiums.covariance) + weight**2 * np.diag(rates.covariance))
        without += (error <= 1.96 * apart).tolist()
    assert within(with_it)[0], within(with_it)
    assert not within(without)[0], within(without)
