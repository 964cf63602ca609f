"""Poisson gravity without the bias of many effects: Stata's values, identities, bad input, and the truth."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest

import wagegap as wg
from wagegap import errors
from wagegap.regression.gravity.bias_terms import gravity_bias

THREE = "flow ~ x | o^t + d^t + o^d"

# ppml_fe_bias 1.1 (Stata) on the ppmlhdfe example (its third: 5,950 rows, 1,190 pairs), trade on fta with three sets of
# effects: estimate, bias, and standard errors clustered by pair before and after, as its output prints them.
STATA = {"estimate": 0.1924455, "bias": 0.0060619547, "before": 0.0419527, "after": 0.0527904093}


def simulate(places=20, periods=3, variance="poisson", seed=0, effects=1 / 16):
    """Flows as Weidner and Zylkin (2021) simulate them: slope 1, errors related over time within pairs."""
    rng = np.random.default_rng(seed)
    origin, destination = rng.normal(0, effects, (2, places, 1, periods))
    own = rng.normal(0, effects, (places, places, 1))
    index = origin + destination.transpose(1, 0, 2) + own
    x, z = own[..., 0] + rng.normal(0, 0.5, (places, places)), rng.normal(size=(places, places))
    xs, zs = np.empty_like(index), np.empty_like(index)
    for t in range(periods):
        x = xs[..., t] = x / 2 + index[..., t] - own[..., 0] + rng.normal(0, 0.5, x.shape)
        z = zs[..., t] = 0.3 * z + np.sqrt(1 - 0.3**2) * rng.normal(size=z.shape)
    mean = np.exp(xs + index)
    spread = np.log1p(1 / mean if variance == "poisson" else np.ones_like(mean))
    flow = mean * np.exp(np.sqrt(spread) * zs - spread / 2)
    o, d, t = (axis.ravel() for axis in np.indices(mean.shape))
    frame = pd.DataFrame({"o": o, "d": d, "t": t, "x": xs.ravel(), "flow": flow.ravel()})
    return frame[frame["o"] != frame["d"]].reset_index(drop=True)


def slopes_of_draw(seed, places=20, periods=3, variance="poisson", formula=THREE):
    """Slope, standard error and whether the 95 % interval holds 1: as fitted, and corrected."""
    frame = simulate(places, periods, variance, seed)
    pairs = frame.assign(pair=frame["o"] * places + frame["d"])
    fits = [
        wg.fit_flows(pairs, formula, cov="CR1:pair", small_sample="clubsandwich"),
        wg.fit_flows(frame, formula, bias="analytic"),
    ]
    ends = [fit.conf_int().loc["x"].to_numpy(dtype=float) for fit in fits]
    return [(f.params["x"], f.bse["x"], low <= 1 <= high) for f, (low, high) in zip(fits, ends, strict=True)]


@pytest.fixture(scope="module")
def trade(shared):
    data = pd.read_stata(shared / "refdata" / "EXAMPLE_TRADE_FTA_DATA.dta")
    return data[data["category"] == "TOTAL"].reset_index(drop=True)


@pytest.fixture(scope="module")
def flows():
    return simulate(8, 3, "constant", seed=1)


@pytest.mark.shared
def test_agrees_with_stata(trade):
    formula = "trade ~ fta | isoexp^year + isoimp^year + isoexp^isoimp"
    fitted = wg.fit_flows(trade, formula, bias="analytic")
    # Seven and ten printed digits.
    assert fitted.bias["fta"] == pytest.approx(STATA["bias"], rel=1e-8)
    assert fitted.params["fta"] + fitted.bias["fta"] == pytest.approx(STATA["estimate"], abs=5e-8)
    # The symmetric root on both sides of what Stata's inverse stands on one side of: equal in expectation.
    assert fitted.bse["fta"] == pytest.approx(STATA["after"], rel=3e-4)
    raw = wg.fit_flows(trade.assign(pair=trade["isoexp"].astype(str) + trade["isoimp"].astype(str)), formula,
                       cov="CR1:pair", small_sample="clubsandwich")  # fmt: skip
    assert raw.bse["fta"] == pytest.approx(STATA["before"], rel=2e-6)
    assert fitted.deviance == raw.deviance
    assert any("less their bias with few periods (year)" in note for note in fitted.notes)
    assert not any("bias='analytic' corrects both" in note for note in fitted.notes)
    assert any("bias='analytic' corrects both" in note for note in raw.notes)


@pytest.mark.shared
def test_one_sided_correction_is_statas(trade):
    """Leverage by a projection on dummies, and the inverse on one side: Stata's standard error to its last digit."""
    fitted = wg.fit_flows(trade, "trade ~ fta | isoexp^year + isoimp^year + isoexp^isoimp")
    from wagegap.regression.gravity.irls import fit_irls

    codes = [trade.groupby(list(key)).ngroup().to_numpy().astype(np.int32)
             for key in (("isoexp", "year"), ("isoimp", "year"), ("isoexp", "isoimp"))]  # fmt: skip
    y = trade["trade"].to_numpy(dtype=float)
    fit = fit_irls(y, trade[["fta"]].to_numpy(dtype=float), codes)
    assert fit.params[0] == pytest.approx(fitted.params["fta"], rel=1e-8)
    hat, bread = _hat(fit, codes), 1 / np.sum(fit.mean * fit.x[:, 0] ** 2)
    total = 0.0
    for rows in np.split(np.argsort(codes[2], kind="stable"), np.cumsum(np.bincount(codes[2]))[:-1]):
        e, x = (y - fit.mean)[rows], fit.x[rows, 0]
        # I - P on what the pair's own effect leaves; P in units of the root of the mean.
        root = np.sqrt(fit.mean[rows])
        left = np.eye(len(rows)) - hat[np.ix_(rows, rows)]
        total += (x * root) @ np.linalg.pinv(left, rcond=1e-9) @ (e / root) * (x @ e)
    assert np.sqrt(total * 1190 / 1189) * bread == pytest.approx(STATA["after"], rel=1e-7)


def _hat(fit, codes):
    """Projection on the regressors and all dummies under the weights of the fit, shape (n, n)."""
    dummies = [np.eye(int(c.max()) + 1)[c] for c in codes]
    x = np.column_stack([fit.x, *dummies]) * np.sqrt(fit.mean)[:, None]
    values, vectors = np.linalg.eigh((x / np.linalg.norm(x, axis=0)).T @ (x / np.linalg.norm(x, axis=0)))
    kept = values > 1e-10
    basis = (x / np.linalg.norm(x, axis=0)) @ (vectors[:, kept] / np.sqrt(values[kept]))
    return basis @ basis.T


@pytest.mark.parametrize("holes", [False, True])
@pytest.mark.parametrize("formula", [THREE, "flow ~ x | o^t + d^t"])
def test_residuals_are_those_of_a_projection_on_dummies(flows, formula, holes):
    """CR2 by pair with every effect as a dummy, in brute force."""
    frame = flows[(flows["o"] * 5 + flows["d"] * 3 + flows["t"]) % 7 > 0].reset_index(drop=True) if holes else flows
    from wagegap.regression.gravity.irls import fit_irls

    codes = [frame.groupby(list(key)).ngroup().to_numpy().astype(np.int32) for key in ("ot", "dt", "od")]
    used = codes if formula == THREE else codes[:2]
    fit = fit_irls(frame["flow"].to_numpy(), frame[["x"]].to_numpy(), used)
    left = np.eye(len(frame)) - _hat(fit, used)
    scores = []
    for pair in range(int(codes[2].max()) + 1):
        rows = np.flatnonzero(codes[2] == pair)
        root = np.sqrt(fit.mean[rows])
        values, vectors = np.linalg.eigh(left[np.ix_(rows, rows)])
        values = np.where(values > 1e-9, values, np.inf)
        e = vectors @ ((vectors.T @ ((frame["flow"].to_numpy() - fit.mean)[rows] / root)) / np.sqrt(values))
        scores.append((fit.x[rows, 0] * root) @ e)
    fitted = wg.fit_flows(frame, formula, bias="analytic")
    g = len(scores)
    expected = np.sqrt(np.sum(np.square(scores)) * g / (g - 1)) / np.sum(fit.mean * fit.x[:, 0] ** 2)
    # The same by another way; Poisson steps end at a change of the index of 1e-9.
    assert fitted.bse["x"] == pytest.approx(expected, rel=1e-6)
    assert fitted.bias["x"] != 0 if formula == THREE else fitted.bias["x"] == 0


def _fit_dummies(x, y, dummies):
    """Slope, means, and the regressor without the dummies under these means; Newton steps by least squares."""
    index = np.log(y + y.mean())
    for _ in range(60):
        mean = np.exp(index)
        root = np.sqrt(mean)[:, None]
        columns = np.column_stack([x, dummies])
        slopes = np.linalg.lstsq(columns * root, (index + (y - mean) / mean) * root[:, 0], rcond=1e-12)[0]
        index = columns @ slopes
    mean = np.exp(index)
    root = np.sqrt(mean)[:, None]
    return slopes[0], mean, x - dummies @ np.linalg.lstsq(dummies * root, x * root[:, 0], rcond=1e-12)[0]


def test_bias_by_its_definition(flows):
    """Weidner and Zylkin (2021), with every effect as a dummy and third derivatives as tensors.

    Of a pair with flows y_t, means l_t, L = sum l, p = l / L: score S = y - p sum y, information H = L (diag p - pp'),
    third derivatives G = -L k3(p), the third cumulants of a draw from p. By origin i (and by destination),

        B = sum_i { -tr[H_i^- sum_j H X S'] + tr[(sum_j G X) H_i^- (sum_j S S') H_i^-] / 2 },
        bias = N / (N - 1) * (sum B) / W.
    """
    rows = flows.sort_values(["o", "d", "t"])
    pairs, periods = rows.groupby(["o", "d"]).ngroup().to_numpy(), rows["t"].nunique()
    keys = [rows.groupby(["o", "t"]).ngroup(), rows.groupby(["d", "t"]).ngroup(), pairs]
    dummies = np.column_stack([np.eye(int(np.max(key)) + 1)[np.asarray(key)] for key in keys])
    x, y = rows["x"].to_numpy(), rows["flow"].to_numpy()
    slope, mean, left = _fit_dummies(x, y, dummies)
    means, x_left, flow = (values.reshape(-1, periods) for values in (mean, left, y))
    p = means / means.sum(axis=1, keepdims=True)
    one = np.eye(periods)
    score = flow - p * flow.sum(axis=1, keepdims=True)
    information = means[:, :, None] * (one - p[:, None, :])
    # k3 = d_abc p_a - d_ab p_a p_c - d_ac p_a p_b - d_bc p_a p_b + 2 p_a p_b p_c
    third = np.einsum("na,ab,ac->nabc", p, one, one) + 2 * np.einsum("na,nb,nc->nabc", p, p, p)
    for term in ("na,ab,nc->nabc", "na,ac,nb->nabc", "na,bc,nb->nabc"):
        third -= np.einsum(term, p, one, p)
    third *= -means.sum(axis=1)[:, None, None, None]
    crossed = np.einsum("nab,nb,nc->nac", information, x_left, score)
    curved = np.einsum("nabc,nc->nab", third, x_left)
    total, places = 0.0, rows["o"].nunique()
    for side in ("o", "d"):
        of_pair = rows[side].to_numpy()[::periods]
        for place in range(places):
            mine = of_pair == place
            inverse = np.linalg.pinv(information[mine].sum(axis=0), rcond=1e-10)
            meat = score[mine].T @ score[mine]
            total -= np.trace(inverse @ crossed[mine].sum(axis=0))
            total += np.trace(curved[mine].sum(axis=0) @ inverse @ meat @ inverse) / 2
    fitted = wg.fit_flows(flows, THREE, bias="analytic")
    expected = total / np.sum(mean * left**2) * places / (places - 1)
    assert fitted.bias["x"] == pytest.approx(expected, rel=1e-8)
    assert fitted.params["x"] + fitted.bias["x"] == pytest.approx(slope, rel=1e-8)


def test_balanced_leverage_is_exact_in_a_balanced_table():
    o, d, t = (axis.ravel() for axis in np.indices((6, 6, 3)))
    x = np.random.default_rng(0).normal(size=(6, 6, 3))
    for axis in range(3):
        x = x - x.mean(axis=axis, keepdims=True)
    e = np.random.default_rng(1).normal(size=(6, 6, 3))
    call = (e.ravel(), np.ones(108), 1e-4 * x.reshape(-1, 1), o, d, t)
    for pairs in (True, False):
        exact, balanced = (gravity_bias(*call, pairs=pairs, exact_up_to=m).residuals for m in (1_000, 0))
        # Regressors, which are not balanced, share in both.
        assert np.corrcoef(exact, balanced)[0, 1] > 0.999
        within = e - e.mean(axis=2, keepdims=True) if pairs else e
        flat = gravity_bias(e.ravel(), np.ones(108), np.zeros((108, 0)), o, d, t, pairs=pairs, exact_up_to=0).residuals
        # Each of two sets of six leaves 5/6 of the variance, so that the root of the inverse is 6/5.
        np.testing.assert_allclose(flat, 6 / 5 * within.ravel(), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("change", ["order", "names", "scale", "effects", "unit", "swap"])
def test_correction_is_free_of_order_names_and_units(flows, change):
    raw = wg.fit_flows(flows, THREE, bias="analytic")
    frame, formula, factor = flows, THREE, 1.0
    if change == "order":
        frame = flows.sample(frac=1, random_state=0)
    elif change == "names":
        frame = flows.assign(o="c" + flows["o"].astype(str), d=10 - flows["d"], t=2000 + 5 * flows["t"])
    elif change == "scale":
        frame = flows.assign(flow=1e4 * flows["flow"])
    elif change == "unit":
        frame, factor = flows.assign(x=100 * flows["x"]), 0.01
    elif change == "swap":
        frame = flows.rename(columns={"o": "d", "d": "o"})
    else:
        formula = "flow ~ x | d^o + t^d + o^t"
    other = wg.fit_flows(frame, formula, bias="analytic")
    # Poisson steps end at a change of the index of 1e-9.
    for name in ("params", "bse", "bias"):
        assert getattr(other, name)["x"] == pytest.approx(factor * getattr(raw, name)["x"], rel=1e-6)


@pytest.mark.filterwarnings("ignore::wagegap.errors.FewClustersWarning")
def test_clusters_of_whole_pairs_are_taken_and_results_join(flows):
    by_origin = wg.fit_flows(flows, THREE, bias="analytic", cov="CR1:o")
    by_pair = wg.fit_flows(flows, THREE, bias="analytic")
    assert by_origin.params["x"] == by_pair.params["x"]
    assert by_origin.bse["x"] != by_pair.bse["x"]
    assert "CR1:o^d (56 o^d" in str(by_pair)
    square = wg.fit_flows(flows, THREE.replace("x", "I(x ** 2)"), bias="analytic")
    both = wg.join(by_pair, square).cov_params().to_numpy()
    assert np.sqrt(np.diag(both)) == pytest.approx([by_pair.bse["x"], square.bse.iloc[0]], rel=1e-12)
    assert both[0, 1] != 0
    again = by_pair.refit(flows)
    assert (again.params["x"], again.bias["x"]) == (by_pair.params["x"], by_pair.bias["x"])
    lean = wg.fit_flows(flows, THREE, bias="analytic", keep_units=False)
    assert lean.bse["x"] == pytest.approx(by_pair.bse["x"], rel=1e-12)


def test_one_period_of_pairs_has_no_bias(flows):
    fitted = wg.fit_flows(flows[flows["t"] == 0], "flow ~ x | o + d", bias="analytic")
    raw = wg.fit_flows(flows[flows["t"] == 0], "flow ~ x | o + d", cov="HC1", small_sample="none")
    assert fitted.params["x"] == raw.params["x"]
    assert fitted.bias["x"] == 0
    assert fitted.bse["x"] > raw.bse["x"]
    assert any("without bias" in note for note in fitted.notes)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (dict(bias="analytical"), "Did you mean 'analytic'"),
        (dict(family="gaussian"), "family='poisson'"),
        (dict(formula="flow ~ x"), "not for none"),
        (dict(formula="flow ~ x | o^t + d"), "not for"),
        (dict(formula="flow ~ x | o + d + t"), "not for"),
        (dict(weights="w"), "without weights"),
        (dict(cov="HC1"), "HC1 does not go with"),
        (dict(cov="CR2:o"), "CR2:o does not go with"),
        (dict(cov="CR1:t"), "part the rows of a pair"),
        (dict(cov=wg.cov.Bootstrap(10)), "does not go with"),
    ],
)
def test_bad_input(flows, change, words):
    call = dict(formula=THREE, bias="analytic") | change
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with pytest.raises(errors.OptionError, match=words):
            wg.fit_flows(flows.assign(w=1.0), **call)


def test_periods_are_said_or_few(flows):
    square = flows[flows["o"] < 3].copy()
    with pytest.raises(errors.OptionError, match="say which is the period"):
        wg.fit_flows(square, THREE, bias="analytic")
    panel = wg.read_panel(square, period="t")
    assert "(t)" in " ".join(wg.fit_flows(panel, THREE, bias="analytic").notes)


def test_a_flow_stands_once(flows):
    with pytest.raises(errors.DataError, match="56 rows repeat"):
        wg.fit_flows(pd.concat([flows, flows[flows["t"] == 0]], ignore_index=True), THREE, bias="analytic")


@pytest.mark.slow
def test_bias_shrinks_and_intervals_hold_the_truth():
    """Twenty places, three periods, the variance of a flow its mean; `benchmarks/coverage_gravity.py` has more."""
    draws = 250
    found = np.array([slopes_of_draw(seed) for seed in range(draws)])
    spread = found[:, :, 0].std(axis=0)
    bias = (found[:, :, 0].mean(axis=0) - 1) / spread
    # Three errors of simulation of a mean in units of its spread; what is left is of second order.
    assert bias[0] > 3 / np.sqrt(draws)
    assert abs(bias[1]) < min(bias[0] / 2, 3 / np.sqrt(draws) + 0.05)
    error = found[:, :, 1].mean(axis=0) / spread
    # A standard deviation of 250 draws is known to 3 / sqrt(500) = .13.
    assert error[0] + 0.03 < error[1] < 1.13
    cover = found[:, :, 2].mean(axis=0)
    assert cover[1] > cover[0] + 0.02
    assert cover[1] > 0.95 - 3 * np.sqrt(0.0475 / draws)
