"""Subpopulations through every door: those asked about are a domain, whose sample goes on counting."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import wagegap as wg
from wagegap.errors import CovarianceError, DataError, EmptyDataError, OptionError
from wagegap.regression.gravity.grogger_hanson import simulate_migrants

Survey = wg.cov.Survey("psu", "stratum")


@pytest.fixture(scope="module")
def workers():
    """Nine hundred workers of 45 units in five strata; those asked about live in two thirds of them."""
    rng = np.random.default_rng(21)
    n = 900
    frame = pd.DataFrame(dict(psu=rng.integers(45, size=n), ai=rng.integers(2, size=n), z=rng.normal(size=n)))
    frame = frame.assign(stratum=frame["psu"] % 5, exper=rng.integers(1, 30, n) * 1.0, w=rng.uniform(0.5, 2, n))
    frame["kept"] = ((frame["psu"] < 30) & (rng.random(n) < 0.9)).astype(int)
    shock = rng.normal(size=45)[frame["psu"]]
    error = rng.normal(size=n) + 0.5 * shock
    frame["pay"] = np.exp(2 + 0.2 * frame["ai"] + 0.01 * frame["exper"] + 0.4 * error)
    frame["leaves"] = (rng.normal(size=n) + 0.5 * shock > 0.5).astype(int)
    frame["works"] = (frame["z"] + error + rng.normal(size=n) > -0.5).astype(int)
    frame["paid"] = frame["pay"].where(frame["works"] == 1)
    frame["field"], frame["next_field"] = rng.choice(["cs", "law"], n), rng.choice(["cs", "law"], n)
    frame["flow"] = rng.poisson(np.exp(0.5 + 0.3 * frame["z"]))
    frame["place"], frame["who"] = np.tile(["kr", "us"], n // 2), np.repeat(np.arange(n // 2), 2)
    both = frame["kept"].to_numpy().reshape(-1, 2).min(axis=1)
    took = rng.integers(2, size=n // 2)
    whose = np.repeat(frame["psu"].to_numpy()[::2], 2)
    return frame.assign(took=np.column_stack([took, 1 - took]).ravel(), pair=np.repeat(both, 2), home=whose % 45,
                        region=whose % 5)  # fmt: skip


GROUPS = dict(group="ai", groups=(1, 0))
DOORS = {
    "fit_linear": lambda d, **o: wg.fit_linear(d, "log(pay) ~ ai + exper", **o),
    "fit_premiums": lambda d, **o: wg.fit_premiums(d, "log(pay) ~ ai + exper", premium="ai", by=(), **o),
    "fit_rates": lambda d, **o: wg.fit_rates(d, "leaves", by=(), **o),
    "fit_transitions": lambda d, **o: wg.fit_transitions(d, "field", "next_field", by=(), **o),
    "fit_exits": lambda d, **o: wg.fit_exits(d, "leaves ~ ai + exper", margins=False, **o),
    "fit_flows": lambda d, **o: wg.fit_flows(d, "flow ~ z", **o),
    "fit_selection": lambda d, **o: wg.fit_selection(d, "log(paid) ~ ai", selection="works ~ ai + z", **o),
    "oaxaca": lambda d, **o: wg.oaxaca(d, "log(pay) ~ exper", **GROUPS, **o),
    "rif_oaxaca": lambda d, **o: wg.rif_oaxaca(d, "log(pay) ~ exper", statistic="variance", **GROUPS, **o),
    "dfl": lambda d, **o: wg.dfl(d, "log(pay) ~ exper", statistics=("mean",), **GROUPS, **o),
    "kitagawa": lambda d, **o: wg.kitagawa(d, "leaves", ["field"], **GROUPS, **o),
    "yun": lambda d, **o: wg.yun(d, "leaves ~ exper", **GROUPS, **o),
}
"""Doors that take the design of a survey."""


def numbers(result):
    return result.tidy()[["estimate", "std_error", "p_value"]].to_numpy(dtype=float)


@pytest.mark.parametrize("door", DOORS)
def test_a_subpopulation_is_a_domain_of_the_design(workers, door):
    fit = DOORS[door]
    panel = wg.read_panel(workers, weight="w", cluster="psu", strata="stratum")
    domain = numbers(fit(panel.filter("kept == 1")))
    np.testing.assert_allclose(numbers(fit(panel, subpop="kept == 1")), domain, rtol=1e-12)
    mask = (workers["kept"] == 1).to_numpy()
    values = workers["w"].to_numpy()
    for weights in ("w", values):
        asked = fit(workers, subpop=mask, weights=weights, cov=Survey)
        np.testing.assert_allclose(numbers(asked), domain, rtol=1e-12)
    # the same rows alone know of fewer units
    alone = numbers(fit(workers[mask], weights="w", cov=Survey))
    np.testing.assert_allclose(alone[:, 0], domain[:, 0], rtol=1e-10, atol=1e-14)
    assert not np.allclose(alone[:, 1], domain[:, 1], rtol=1e-6)
    # and the call remembers who was asked about
    again = fit(workers, subpop="kept == 1", weights="w", cov=Survey)
    np.testing.assert_allclose(numbers(again.refit(workers)), domain, rtol=1e-12)


def test_choosers_of_a_subpopulation(workers):
    cov = wg.cov.Survey("home", "region")

    def fit(data, **options):
        return wg.fit_choice(
            data, "z + C(place)", chooser="who", alternative="place", chosen="took", cov=cov, **options
        )

    asked, filtered = fit(workers, subpop="pair == 1"), fit(wg.read_panel(workers).filter("pair == 1"))
    np.testing.assert_allclose(numbers(asked), numbers(filtered), rtol=1e-12)


def test_units_of_a_subpopulation_with_common_effects():
    rng = np.random.default_rng(3)
    frame = pd.MultiIndex.from_product([range(15), range(20)], names=["unit", "year"]).to_frame(index=False)
    common = rng.normal(size=20).cumsum()[frame["year"]]
    frame = frame.assign(x=rng.normal(size=300) + common, kept=(frame["unit"] < 12).astype(int))
    frame["y"] = frame["x"] + common + rng.normal(size=300)
    how = dict(unit="unit", period="year")
    asked = wg.common_correlated_effects(frame, "y ~ x", subpop="kept == 1", **how)
    alone = wg.common_correlated_effects(frame[frame["kept"] == 1], "y ~ x", **how)
    np.testing.assert_allclose(numbers(asked), numbers(alone), rtol=1e-12)


def test_flows_of_some_places():
    flows = simulate_migrants(origins=12, destinations=12, rng=1)
    pay = dict(origin_wages=["wo_skilled", "wo_primary"], destination_wages=["wd_skilled", "wd_primary"])
    how = dict(origin="o", destination="d", costs="dist", movers=["skilled", "primary"],
               stayers=["stay_skilled", "stay_primary"], **pay)  # fmt: skip
    kept = flows["o"].isin(flows["o"].unique()[:9])
    asked = wg.grogger_hanson(flows, subpop=kept.to_numpy(), **how)
    np.testing.assert_allclose(numbers(asked), numbers(wg.grogger_hanson(flows[kept], **how)), rtol=1e-12)


def test_counterfactuals_of_a_subpopulation(workers):
    how = dict(probs=(0.5,), cov=wg.cov.Bootstrap(19, kind="bayesian", rng=1), **GROUPS)
    asked = wg.counterfactual(workers, "log(pay) ~ exper", subpop="kept == 1", **how)
    filtered = wg.counterfactual(wg.read_panel(workers).filter("kept == 1"), "log(pay) ~ exper", **how)
    np.testing.assert_allclose(numbers(asked), numbers(filtered), rtol=1e-12)


def test_who_leaves_in_a_subpopulation(workers):
    """The tests of dominance draw the units of the design: p of pay that goes with the unit is not that of rows."""
    how = dict(leave="leaves", reps=199, rng=1, weights="w")
    asked = wg.fit_roy(workers, "log(pay)", subpop="kept == 1", cov=Survey, **how)
    filtered = wg.fit_roy(wg.read_panel(workers).filter("kept == 1"), "log(pay)", cov=Survey, **how)
    np.testing.assert_allclose(numbers(asked), numbers(filtered), rtol=1e-12)
    pd.testing.assert_frame_equal(asked.dominance, filtered.dominance)
    how = dict(how, leave="moved", reps=999)  # whole units move, by no rule that pay knows of
    whole = workers.assign(moved=(workers["psu"] % 3 == 0).astype(int))
    units, rows = (wg.fit_roy(whole, "log(pay)", cov=cov, **how).dominance["p_value"] for cov in (Survey, "HC1"))
    assert units.min() > 2 * rows.min()


def test_a_subpopulation_that_is_none(workers):
    fit = DOORS["fit_linear"]
    with pytest.raises(EmptyDataError, match="no row has kept == 7"):
        fit(workers, subpop="kept == 7")
    with pytest.raises(DataError, match="true or false for each of the 900 rows"):
        fit(workers, subpop=[True, False])
    with pytest.raises(OptionError, match="pass subpop= to refit"):
        fit(workers, subpop=(workers["kept"] == 1).to_numpy()).refit(workers)


def test_a_subpopulation_without_weight(workers):
    with pytest.raises(DataError, match="zero in all"):
        DOORS["fit_linear"](workers.assign(w=workers["w"] * (workers["kept"] == 0)), subpop="kept == 1", weights="w")


def test_what_takes_no_design_says_so(workers):
    with pytest.raises(CovarianceError, match="by replicates only"):
        wg.counterfactual(workers, "log(pay) ~ exper", **GROUPS, weights="w", cov=Survey)
    with pytest.raises(CovarianceError, match=r"tests of dominance draw rows, the clusters of one column"):
        wg.fit_roy(workers, "log(pay)", leave="leaves", weights="w", cov="CR1:psu+exper")
