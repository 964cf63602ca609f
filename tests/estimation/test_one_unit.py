"""A cell, group or sample inside one independent unit has no variance between units: refused everywhere."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest
from scipy import sparse

import wagegap as wg
from wagegap.errors import CovarianceError, FewClustersWarning
from wagegap.estimation.covariance.groupings import Grouping, inside_one_unit
from wagegap.estimation.covariance.pairs import Dyads, Places, Spells

C = wg.cov
SAID = "1 of 3 cells (lie inside a single|have a single|have the same weights)"


@pytest.fixture(scope="module")
def workers():
    """Everyone of JPN is in one sampling unit, year and place, and moves from A to B."""
    rng = np.random.default_rng(5)
    n = 600
    frame = pd.DataFrame(
        {"iso": rng.choice(["KOR", "USA", "JPN"], n), "x": rng.normal(size=n), "ai": rng.integers(0, 2, n)}
    )
    away = (frame["iso"] == "JPN").to_numpy()
    frame["psu"] = np.where(away, "JPN0", frame["iso"] + rng.integers(0, 12, n).astype(str))
    frame["stratum"] = frame["iso"].where(frame["iso"] != "JPN", "KOR")
    frame["year"] = np.where(away, 2000, 2000 + rng.integers(0, 8, n))
    frame["lat"] = np.where(away, 35.0, rng.uniform(30, 50, n))
    frame["lon"] = np.where(away, 139.0, rng.uniform(100, 140, n))
    frame["o"], frame["e"] = np.where(away, "A", rng.choice(list("ABCDEFG"), n)), rng.choice(list("HIJKLMN"), n)
    frame["leaves"] = rng.integers(0, 2, n)
    frame["place"] = rng.choice(["stay", "abroad", "field"], n)
    weights = {f"r{i}": np.where(away, 1.2, rng.uniform(0, 2, n)) for i in range(8)}
    return frame.assign(y=0.2 * frame["ai"] + 0.3 * frame["x"] + rng.normal(size=n), one=1, w=1.0, **weights)


COVS = {
    "clusters": "CR1:psu",
    "two-way": "CR0:psu+x",
    "survey": C.Survey("psu"),
    "strata": C.Survey("psu", "stratum"),
    "periods": C.DriscollKraay("year", 1),
    "places": C.Conley("lat", "lon", 50),
    "Bartlett places": C.Conley("lat", "lon", 50, "bartlett"),
    "flows that start in one country": C.Dyadic("o", "e"),
    "Bayesian bootstrap": C.Bootstrap(19, kind="bayesian", cluster="psu", rng=1),
    "pairs bootstrap": C.Bootstrap(19, cluster="psu", rng=1),
    "replicate weights": C.Replicates(tuple(f"r{i}" for i in range(8)), "JK2"),
}


@pytest.mark.public_case("one_unit")
@pytest.mark.parametrize("cov", COVS.values(), ids=COVS)
def test_a_cell_inside_one_unit_is_refused(workers, cov, facts):
    assert facts("public_cases")["one_unit"]["right"]["degrees_of_freedom"] == 0
    weights = {"weights": "w"} if isinstance(cov, C.Replicates) else {}
    with pytest.raises(CovarianceError, match=SAID) as refused:
        wg.fit_premiums(workers, "y ~ ai + x", premium="ai", by="iso", cov=cov, **weights)
    assert "JPN" in str(refused.value)
    left = workers[workers["iso"] != "JPN"]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert (wg.fit_premiums(left, "y ~ ai + x", premium="ai", by="iso", cov=cov, **weights).bse > 0.01).all()


DOORS = {
    "rates": lambda d, cov: wg.fit_rates(d, {"emigration": "leaves"}, by="iso", cov=cov),
    "premiums": lambda d, cov: wg.fit_premiums(d, "y ~ ai + x", premium="ai", by="iso", cov=cov),
    "oaxaca": lambda d, cov: wg.oaxaca(d, "y ~ x", group="iso", groups=("JPN", "USA"), cov=cov),
    "dfl": lambda d, cov: wg.dfl(d, "y ~ x", group="iso", groups=("JPN", "USA"), statistics=("mean",), cov=cov),
    "rif": lambda d, cov: wg.rif_oaxaca(
        d, "y ~ x", group="iso", groups=("JPN", "USA"), statistic="variance", reweight=None, cov=cov
    ),
    "kitagawa": lambda d, cov: wg.kitagawa(d, "leaves", ["ai"], group="iso", groups=("JPN", "USA"), cov=cov),
    "fairlie": lambda d, cov: wg.fairlie(d, "leaves ~ x", group="iso", groups=("JPN", "USA"), cov=cov),
}  # fmt: skip


@pytest.mark.parametrize(
    "name", ["survey", "periods", "places", "Bayesian bootstrap", "flows that start in one country"]
)
@pytest.mark.parametrize("door", DOORS.values(), ids=DOORS)
def test_every_door_refuses_it(workers, door, name):
    with pytest.raises(CovarianceError, match=r"1 of \d (cells|groups) .*(single|same weights).*JPN"):
        door(workers, COVS[name])


WHOLE = {
    "linear": lambda d, cov: wg.fit_linear(d, "y ~ ai + x", cov=cov),
    "instruments": lambda d, cov: wg.fit_linear(d, "y ~ ai", instruments="ai ~ x", cov=cov),
    "flows": lambda d, cov: wg.fit_flows(d.assign(y=np.exp(d["y"])), "y ~ x", cov=cov),
    "exits": lambda d, cov: wg.fit_exits(d, "~ x", exit="leaves", model="logit", by=(), cov=cov),
    "competing exits": lambda d, cov: wg.fit_exits(
        d.assign(abroad=d["place"] == "abroad", field=d["place"] == "field"),
        "~ x",
        by=(),
        cov=cov,
        exit={"abroad": "abroad", "field": "field"},
    ),
    "choice": lambda d, cov: wg.fit_choice(
        pd.DataFrame(
            {
                "who": np.repeat(np.arange(200), 3),
                "where": np.tile(list("abc"), 200),
                "one": 1,
                "pay": d["x"],
                "taken": np.tile([1, 0, 0, 0, 1, 0, 0, 0, 1], 67)[:600],
            }
        ),
        "taken ~ pay",
        chooser="who",
        alternative="where",
        cov=cov,
    ),
    "selection": lambda d, cov: wg.fit_selection(
        d.assign(y=d["y"].where(d["leaves"] == 1)), "y ~ x", selection="leaves ~ x + ai", cov=cov
    ),
}


@pytest.mark.parametrize("cov", [C.DriscollKraay("one", 1), C.Survey("one"), C.Bootstrap(9, "bayesian", "one", rng=1)],
                         ids=str)  # fmt: skip
@pytest.mark.parametrize("door", WHOLE.values(), ids=WHOLE)
def test_a_sample_inside_one_unit(workers, door, cov):
    with pytest.raises(CovarianceError, match=r"1 of 1 cells .*the data|single unit"):
        door(workers, cov)


def test_groups_each_inside_a_unit_of_its_own(workers):
    apart = workers.assign(own=workers["ai"].astype(str))
    for cov in (C.Survey("own"), C.Bootstrap(19, kind="bayesian", cluster="own", rng=1), "CR1:own"):
        with pytest.raises(CovarianceError, match=r"2 of 2 (cells|groups)"):
            wg.oaxaca(apart, "y ~ x", group="ai", cov=cov)


def test_strata_of_one_unit_each_do_not_vary_under_the_bootstrap_either(workers):
    each = workers.assign(half=(workers["x"] > 0).astype(str))
    cov = C.Bootstrap(19, cluster="half", strata="half", rng=1)
    with pytest.raises(CovarianceError, match="same weights in all 19 replicates"):
        wg.fit_linear(each, "y ~ ai", cov=cov)


def test_one_series_of_periods_is_no_single_unit():
    """Newey and West's own case: one unit, many periods; so many less one are the degrees of freedom."""
    rng = np.random.default_rng(3)
    series = pd.DataFrame({"unit": "KOR", "year": np.arange(1980, 2020), "x": rng.normal(size=40)})
    series["y"] = 0.2 * series["x"] + rng.normal(size=40)
    fit = wg.fit_linear(series, "y ~ x", cov=C.NeweyWest("unit", "year", 2))
    assert fit.bse["x"] > 0
    assert fit.estimates.df.tolist() == [39, 39]
    with pytest.raises(CovarianceError, match="single independent unit"):
        wg.fit_linear(series.assign(year=2000), "y ~ x", cov=C.NeweyWest("unit", "year", 2))


def test_which_cells_are_inside_one_unit():
    cells = np.array([0, 0, 0, 1, 1, 1])
    star = Dyads.from_keys("o~d", "s", np.array(list("AAAABA")), np.array(list("BCDBCC")))
    assert inside_one_unit(star, cells, 2).tolist() == [True, True]  # a triangle has a member in common in every two
    path = Dyads.from_keys("o~d", "s", np.array(list("AAAABC")), np.array(list("BCDBCD")))
    assert inside_one_unit(path, cells, 2).tolist() == [True, False]
    near = Places("lat~lon", "s", np.array([0.0, 0.1, 0.2, 0.0, 0.1, 0.2]), np.zeros(6), km=15.0)
    assert inside_one_unit(near, cells, 2).tolist() == [False, False]
    assert inside_one_unit(Places("lat~lon", "s", near.latitude, near.longitude, km=30.0), cells, 2).all()
    years = Spells("year", "s", np.array([1, 1, 1, 1, 2, 1]), lags=1)
    assert inside_one_unit(years, cells, 2).tolist() == [True, False]
    groups = Grouping.from_keys("g", "s", np.array(list("aaaaba")))
    assert inside_one_unit(groups, cells, 2).tolist() == [True, False]
    # what it says of: scores that add up to zero leave rounding
    scores = sparse.csr_array(np.array([[1.0], [2.0], [-3.0], [0], [0], [0]]))
    for pairs in (star, path, years, groups):
        assert abs(pairs.quadratic(scores)[0, 0]) < 1e-12


def test_degrees_of_freedom_are_units_less_one():
    rows = np.arange(4)
    dyads = Dyads.from_keys("o~d", "s", np.array(list("ABCA")), np.array(list("BCDD")))
    assert dyads.degrees(rows) == 3
    assert dyads.degrees(np.array([0, 3])) == 2
    places = Places("lat~lon", "s", np.array([0.0, 0, 1, 2]), np.zeros(4), km=1.0)
    assert (places.degrees(rows), places.degrees(np.array([0, 1]))) == (2, 0)
    units = Grouping.from_keys("u", "s", np.array(list("aabb")))
    spells = Spells("t", "s", np.array([1, 2, 1, 3]), lags=1, units=units)
    assert (spells.degrees(rows), spells.degrees(np.array([0, 1]))) == (1, 1)
    assert Spells("t", "s", np.array([1, 2, 1, 3]), lags=1).degrees(rows) == 2


def test_pair_weights_of_another_kind_are_not_stacked():
    places = Places("lat~lon", "s", np.zeros(2), np.zeros(2), km=10.0)
    years = Spells("t", "s", np.array([1, 2]), lags=1)
    dyads = Dyads.from_keys("o~d", "s", np.array(["A", "B"]), np.array(["B", "C"]))
    groups = Grouping.from_keys("g", "s", np.array(["a", "b"]))
    others = {
        places: [Places("lat~lon", "s", np.zeros(2), np.zeros(2), km=20.0), groups,
                 Places("lat~lon", "s", np.zeros(2), np.zeros(2), km=10.0, kernel="bartlett")],
        years: [Spells("t", "s", np.array([1, 2]), lags=2), Spells("t", "other", np.array([1, 2]), lags=1), groups],
        dyads: [Dyads.from_keys("o~d", "other", np.array(["A"]), np.array(["B"])), groups],
        groups: [Grouping.from_keys("h", "s", np.array(["a"])), Grouping.from_keys("g", "t", np.array(["a"])), years],
    }  # fmt: skip
    for pairs, unlike in others.items():
        assert pairs.stack(pairs).take(np.array([0, 1])).degrees(np.array([0, 1])) == pairs.degrees(np.array([0, 1]))
        for other in unlike:
            with pytest.raises(TypeError, match="can be stacked"):
                pairs.stack(other)


def test_few_clusters_are_warned_of_below_ten(workers):
    for count, warned in ((9, True), (10, False)):
        frame = workers.assign(c=np.arange(len(workers)) % count)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            wg.fit_linear(frame, "y ~ x", cov="CR1:c")
        assert [one.category for one in caught] == ([FewClustersWarning] if warned else [])


@pytest.mark.parametrize("method", ["ols", "eiv", "ml", "simex", "bootstrap"])
def test_links_whose_cells_are_in_one_cluster(method):
    rng = np.random.default_rng(1)
    keys = pd.DataFrame({"iso3": [f"C{i}" for i in range(16)]})
    premium = rng.normal(0.15, 0.08, 16)
    rates = wg.Estimates.from_table(
        keys.assign(b=0.12 - 0.2 * premium + rng.normal(0, 0.02, 16), se=0.01), term="emigration", unit="share"
    )
    premiums = wg.Estimates.from_table(keys.assign(b=premium, se=0.02), term="ai", unit="log")
    with pytest.raises(CovarianceError, match=r"all 16 cells have a single group of 'region' \(Asia\)"):
        wg.fit_link(
            "emigration ~ premium", rates, premiums, data=keys.assign(region="Asia"), method=method, cluster="region"
        )
    with pytest.raises(CovarianceError, match="all 16 cells have a single group"):
        wg.fit_link("emigration ~ 1", rates, None, data=keys.assign(region="Asia"), cluster="region")


@pytest.mark.parametrize(
    "cov", ["CR0:psu", "CR1:psu", C.Survey("psu"), C.DriscollKraay("year", 1), C.Conley("lat", "lon", 50)], ids=str
)
@pytest.mark.parametrize("inside", [0, 1])
def test_holders_of_a_premium_inside_one_unit_are_said(workers, cov, inside):
    """One treated cluster: its own error is no part of the variance, though no sum of scores is zero."""
    rows = workers[workers["iso"] != "JPN"].assign(z=lambda d: d["x"] > 0)
    first = rows[rows["iso"] == "KOR"].iloc[0]
    here = (rows["iso"] == "KOR") & (rows["psu"] == first["psu"])
    rows.loc[here, ["year", "lat", "lon"]] = first[["year", "lat", "lon"]].to_list()
    rows["ai"] = np.where(rows["iso"] == "KOR", np.where(here, inside, 1 - inside), rows["ai"])
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        wg.fit_premiums(rows, "y ~ ai + x", premium="ai", by="iso", cov=cov, min_treated=1, min_comparison=1)
    words = [str(one.message) for one in caught if "all who hold the premium" in str(one.message)]
    assert len(words) == 1
    assert words[0].startswith("in 1 of 2 cells (KOR)")
