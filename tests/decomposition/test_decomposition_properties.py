"""What must hold for every decomposition of means, whatever the data: identities and invariances."""

from __future__ import annotations

import numpy as np
import pandas as pd
from hypothesis import given, settings
from hypothesis import strategies as st

import wagegap as wg
from wagegap.estimation.covariance.options import Bootstrap

SEEDS = st.integers(0, 10_000)
REFERENCES = st.sampled_from(["A", "B", "pooled", "neumark", "cotton", "reimers", 0.3])
COVS = st.sampled_from(["HC0", "HC1", "CR1:firm"])
FORMULA = "pay ~ educ + exper + field"
bounded = settings(max_examples=12, deadline=None, derandomize=True)


def workers(seed, n=240):
    """Two groups of any sizes, scales, correlations and error variances, drawn from the seed."""
    rng = np.random.default_rng(seed)
    female = (rng.random(n) < rng.uniform(0.25, 0.75)).astype(int)
    educ = rng.normal(12, rng.uniform(0.5, 3), size=n) + rng.normal() * female
    exper = rng.gamma(2.0, 5.0, size=n) + 0.3 * educ
    field = rng.choice(["arts", "law", "med"], size=n, p=[0.5, 0.3, 0.2])
    slopes = rng.normal(size=(2, 5))
    x = np.column_stack([np.ones(n), educ, exper, field == "law", field == "med"])
    pay = (x * slopes[female]).sum(axis=1) + rng.uniform(0.1, 2) * rng.normal(size=n) * (1 + 0.2 * female)
    return pd.DataFrame(
        {
            "female": female, "educ": educ, "exper": exper, "field": field, "pay": pay,
            "firm": rng.integers(25, size=n), "w": rng.gamma(3.0, 1.0, size=n) + 0.05,
            "times": rng.integers(1, 4, size=n),
        }
    )  # fmt: skip


def oaxaca(rows, formula=FORMULA, **options):
    return wg.oaxaca(rows, formula, **{"group": "female", "groups": (0, 1), "detail": "columns", **options})


def values(result, component=None, term=None):
    frame = result.tidy()
    chosen = (frame["component"] == (component or frame["component"])) & (frame["term"] == (term or frame["term"]))
    return frame.loc[chosen].set_index("term")[["estimate", "std_error"]]


def same(first, second, rtol=1e-8):
    """Equal by name: estimates, and standard errors where the replicates or scores allow it."""
    a, b = (result.tidy().set_index(["component", "term"]) for result in (first, second))
    b = b.loc[a.index]
    scale = np.abs(a["estimate"]).max()
    np.testing.assert_allclose(b["estimate"], a["estimate"], rtol=rtol, atol=rtol * scale)
    np.testing.assert_allclose(b["std_error"], a["std_error"], rtol=100 * rtol, atol=rtol * scale)


@bounded
@given(SEEDS, REFERENCES, st.sampled_from([False, True, "reverse"]), st.sampled_from([None, "w"]))
def test_parts_sum(seed, reference, threefold, weights):
    rows = workers(seed)
    found = oaxaca(rows, reference=reference, threefold=threefold, weights=weights)
    totals = found.totals().values
    scale = np.abs(found.params).max()
    np.testing.assert_allclose(totals[1:].sum(), totals[0], atol=1e-9 * scale)
    for component in found.components[1:]:
        detail = found.detail(component).estimates.values
        np.testing.assert_allclose(
            detail.sum(), values(found, component, "total")["estimate"].iloc[0], atol=1e-9 * scale
        )
    w = rows["w"] if weights else pd.Series(1.0, index=rows.index)
    means = [np.average(part["pay"], weights=w[part.index]) for _, part in rows.groupby("female")]
    np.testing.assert_allclose(totals[0], means[0] - means[1], rtol=1e-9, atol=1e-9 * scale)
    np.testing.assert_allclose(found.levels.values, means, rtol=1e-9, atol=1e-9 * scale)


@settings(bounded, max_examples=6)
@given(SEEDS, COVS, st.sampled_from([None, "w"]), st.sampled_from([(), "field"]))
def test_swapping_the_groups(seed, cov, weights, normalize):
    rows = workers(seed)
    options = {"cov": cov, "weights": weights, "normalize": normalize}

    def mirrored(forth, back, component, other=None):
        a, b = values(forth, component), values(back, other or component)
        scale = np.abs(a["estimate"]).max() + 1e-12
        np.testing.assert_allclose(b["estimate"], -a["estimate"], rtol=1e-7, atol=1e-8 * scale)
        np.testing.assert_allclose(b["std_error"], a["std_error"], rtol=1e-6, atol=1e-8 * scale)

    for reference, opposite in (
        ("A", "B"),
        ("B", "A"),
        *((name, name) for name in ("pooled", "neumark", "cotton", "reimers")),
    ):
        forth = oaxaca(rows, reference=reference, **options)
        back = oaxaca(rows, groups=(1, 0), reference=opposite, **options)
        for component in ("difference", "explained", "unexplained"):
            mirrored(forth, back, component)
    forth, back = oaxaca(rows, threefold=True, **options), oaxaca(rows, groups=(1, 0), threefold=True, **options)
    e, c, i = (values(forth, name)["estimate"] for name in ("endowments", "coefficients", "interaction"))
    for name, expected in {"endowments": -(e + i), "coefficients": -(c + i), "interaction": i}.items():
        np.testing.assert_allclose(values(back, name)["estimate"], expected, rtol=1e-7, atol=1e-8)
    reverse = oaxaca(rows, groups=(1, 0), threefold="reverse", **options)
    for name, sign in {"endowments": -1, "coefficients": -1, "interaction": -1}.items():
        np.testing.assert_allclose(
            values(reverse, name)["estimate"], sign * values(forth, name)["estimate"], rtol=1e-7, atol=1e-8
        )


@bounded
@given(SEEDS, REFERENCES, COVS)
def test_frequency_weights_are_repeated_rows(seed, reference, cov):
    rows = workers(seed)
    short = oaxaca(rows, reference=reference, cov=cov, weights="times", weight_kind="frequency")
    full = oaxaca(rows.loc[rows.index.repeat(rows["times"])].reset_index(drop=True), reference=reference, cov=cov)
    same(short, full)


@bounded
@given(SEEDS, REFERENCES, COVS, st.sampled_from([1e-3, 7.0, 1e6]))
def test_sampling_weights_have_no_scale(seed, reference, cov, scale):
    rows = workers(seed)
    same(
        oaxaca(rows, reference=reference, cov=cov, weights="w"),
        oaxaca(rows.assign(w=scale * rows["w"]), reference=reference, cov=cov, weights="w"),
    )


@bounded
@given(SEEDS, REFERENCES, st.sampled_from(["law", "med"]), st.sampled_from(["HC1", "CR1:firm"]))
def test_the_base_is_irrelevant_after_normalisation(seed, reference, base, cov):
    rows = workers(seed)
    found = []
    for level in ("arts", base):
        term = f"C(field, Treatment({level!r}))"
        result = oaxaca(rows, f"pay ~ educ*{term} + exper", normalize="field", reference=reference, cov=cov)
        frame = result.tidy().assign(term=lambda d, term=term: d["term"].str.replace(term, "field", regex=False))
        frame["term"] = frame["term"].str.replace("[T.", "[", regex=False)
        frame["term"] = frame["term"].str.replace(r"\[([a-z]+)\.0\]", r"[\1]", regex=True)
        found.append(frame.set_index(["component", "term"])[["estimate", "std_error"]])
    assert set(found[0].index) == set(found[1].index)
    scale = np.abs(found[0]["estimate"]).max()
    np.testing.assert_allclose(found[1].loc[found[0].index], found[0], rtol=1e-6, atol=1e-8 * scale)


@bounded
@given(SEEDS, REFERENCES, COVS)
def test_order_of_rows_and_columns_is_irrelevant(seed, reference, cov):
    rows = workers(seed)
    first = oaxaca(rows, reference=reference, cov=cov)
    shuffled = rows.sample(frac=1, random_state=seed).reset_index(drop=True)
    same(first, oaxaca(shuffled, reference=reference, cov=cov))
    same(first, oaxaca(rows, "pay ~ field + exper + educ", reference=reference, cov=cov))


@bounded
@given(SEEDS, REFERENCES, COVS, st.sampled_from([1e-6, 1e-2, 1e3, 1e6]))
def test_the_unit_of_a_regressor_is_irrelevant(seed, reference, cov, scale):
    rows = workers(seed)
    first = oaxaca(rows, reference=reference, cov=cov)
    same(first, oaxaca(rows.assign(exper=scale * rows["exper"]), reference=reference, cov=cov), rtol=1e-7)


@bounded
@given(SEEDS, REFERENCES, st.sampled_from([0.01, 100.0]))
def test_the_unit_of_the_outcome_carries_through(seed, reference, scale):
    rows = workers(seed)
    first, second = oaxaca(rows, reference=reference), oaxaca(rows.assign(pay=scale * rows["pay"]), reference=reference)
    np.testing.assert_allclose(second.params, scale * first.params, rtol=1e-8, atol=1e-9 * scale)
    np.testing.assert_allclose(second.bse, scale * first.bse, rtol=1e-8, atol=1e-9 * scale)
    np.testing.assert_allclose(second.tidy()["share"], first.tidy()["share"], rtol=1e-7, atol=1e-7)


@bounded
@given(SEEDS, REFERENCES, st.sampled_from(["HC1", "CR1:firm"]), st.booleans())
def test_units_kept_or_not(seed, reference, cov, threefold):
    rows = workers(seed)
    options = {"reference": reference, "cov": cov, "threefold": threefold}
    same(oaxaca(rows, keep_units=True, **options), oaxaca(rows, keep_units=False, **options), rtol=1e-9)


@settings(max_examples=6, deadline=None, derandomize=True)
@given(SEEDS, REFERENCES, st.sampled_from(["pairs", "bayesian"]))
def test_bootstrap_and_influence_functions_agree(seed, reference, kind):
    """600 resamples: 1/sqrt(1200) = .029 of the error, four times that, and as much for n = 800 finite."""
    rows = workers(seed, n=800)
    call = {"reference": reference, "detail": "none"}
    boot = oaxaca(rows, cov=Bootstrap(600, kind=kind, rng=seed), **call)
    exact = oaxaca(rows, cov="HC0", **call)
    np.testing.assert_allclose(boot.params, exact.params, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(boot.bse, exact.bse, rtol=0.2)
