"""Errors of rows that are near in space or time, or share a member, against sums over all pairs of rows."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import wagegap as wg
from wagegap.errors import ColumnError, CovarianceError, DataError, MissingValueError, OptionError
from wagegap.estimation.covariance.options import Conley, DriscollKraay, Dyadic, NeweyWest
from wagegap.estimation.estimates import join
from wagegap.panel.load import read_panel
from wagegap.regression.premiums.premium import fit_premiums

N = 300
CITIES = {"Seoul": (37.6, 127.0), "Incheon": (37.5, 126.7), "Tokyo": (35.7, 139.7), "Osaka": (34.7, 135.5)}


@pytest.fixture(scope="module")
def rows():
    rng = np.random.default_rng(0)
    city = rng.choice(list(CITIES), N)
    lat, lon = np.array([CITIES[name] for name in city]).T
    frame = pd.DataFrame(
        {"o": rng.choice(list("abcdef"), N), "d": rng.choice(list("abcdef"), N), "lat": lat, "lon": lon,
         "year": rng.integers(2010, 2018, N), "unit": rng.integers(0, 30, N), "ai": rng.integers(0, 2, N),
         "x": rng.normal(size=N), "cell": rng.choice(["p", "q"], N)}
    )  # fmt: skip
    return frame.assign(y=0.2 * frame["ai"] + rng.normal(size=N) + 0.1 * frame["year"])


def brute(rows, weights):
    x = np.column_stack([np.ones(len(rows)), rows["ai"], rows["x"]])
    bread = np.linalg.inv(x.T @ x)
    scores = x * (rows["y"] - x @ (bread @ x.T @ rows["y"])).to_numpy()[:, None]
    return (bread @ scores.T @ weights @ scores @ bread)[1, 1]


def kilometres(rows):
    up, round_ = np.radians(rows["lat"].to_numpy()), np.radians(rows["lon"].to_numpy())
    cos = np.sin(up)[:, None] * np.sin(up) + np.cos(up)[:, None] * np.cos(up) * np.cos(round_[:, None] - round_)
    return 6371.01 * np.arccos(np.clip(cos, -1, 1))


def weights(rows, cov):
    if isinstance(cov, Dyadic):
        o, d = rows["o"].to_numpy(), rows["d"].to_numpy()
        pairs = [(a[:, None], b[None, :]) for a in (o, d) for b in (o, d)]
        return np.any([a == b for a, b in pairs], axis=0).astype(float)
    if isinstance(cov, Conley):
        far = kilometres(rows)
        near = far <= cov.km if cov.kernel == "uniform" else np.maximum(1 - far / cov.km, 0)
        return np.asarray(near, dtype=float)
    lag = np.abs(rows["year"].to_numpy()[:, None] - rows["year"].to_numpy())
    kernel = np.maximum(1 - lag / (cov.lags + 1), 0)
    return (
        kernel * (rows["unit"].to_numpy()[:, None] == rows["unit"].to_numpy()) if cov.__class__ is NeweyWest else kernel
    )


COVS = [
    Dyadic("o", "d"), Conley("lat", "lon", 100.0), Conley("lat", "lon", 600.0, "bartlett"), DriscollKraay("year", 2),
    NeweyWest("unit", "year", 1),
]  # fmt: skip


@pytest.mark.parametrize("cov", COVS, ids=str)
def test_a_premium_by_hand(rows, cov):
    premium = fit_premiums(rows, "y ~ ai + x", premium="ai", cov=cov)
    assert premium.estimates.covariance[0, 0] == pytest.approx(brute(rows, weights(rows, cov)), rel=1e-9)
    assert str(cov) in premium.summary().replace("\n", " ")


@pytest.mark.parametrize("cov", COVS, ids=str)
def test_cells_joined_equal_cells_fitted_together(rows, cov):
    panel = read_panel(rows, source_name="rows")
    together = fit_premiums(panel, "y ~ ai + x", premium="ai", by="cell", cov=cov)
    parts = [
        fit_premiums(panel.filter(f"cell == '{c}'"), "y ~ ai + x", premium="ai", by="cell", cov=cov).estimates
        for c in ("p", "q")
    ]
    np.testing.assert_allclose(join(*parts).covariance, together.estimates.covariance, rtol=1e-9, atol=1e-14)
    assert abs(together.estimates.covariance[0, 1]) > 0


def test_what_is_missing_is_named(rows):
    with pytest.raises(ColumnError, match="origin"):
        fit_premiums(rows, "y ~ ai", premium="ai", cov=Dyadic("origin", "d"))
    with pytest.raises(MissingValueError, match="'o' is missing in 1"):
        fit_premiums(rows.assign(o=rows["o"].where(rows.index > 0)), "y ~ ai", premium="ai", cov=Dyadic("o", "d"))
    with pytest.raises(CovarianceError, match="refit"):
        fit_premiums(rows, "y ~ ai", premium="ai").with_cov(Dyadic("o", "d"))
    with pytest.raises(OptionError, match="km=0"):
        Conley("lat", "lon", 0)
    with pytest.raises(OptionError, match="lags=-1"):
        DriscollKraay("year", -1)


# keys that read alike ------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def table():
    """Flows between all of twelve places, whose errors have a part of either place."""
    rng = np.random.default_rng(3)
    origin, destination = (places.ravel() for places in np.meshgrid(np.arange(12), np.arange(12)))
    frame = pd.DataFrame({"o": origin, "d": destination})
    frame = frame[frame["o"] != frame["d"]].reset_index(drop=True)
    u, v = rng.normal(size=(2, 12))
    frame["ai"] = u[frame["o"]] + u[frame["d"]] + rng.normal(size=len(frame))
    return frame.assign(y=v[frame["o"]] + v[frame["d"]] + rng.normal(size=len(frame)), x=0.0)


@pytest.mark.parametrize(
    ("change", "count"),
    [
        (lambda d: d.astype(str), 12),
        (lambda d: " " + d.astype(str), 12),
        (lambda d: d.astype(str).astype(object).where(d != 3, 3), 11),
    ],
    ids=["text", "blanks", "some"],
)
def test_members_of_another_type_are_refused(table, change, count):
    with pytest.raises(DataError, match=rf"Dyadic\(o~d\): {count} of 12 values of 'o' would meet one of 'd' but for"):
        wg.fit_linear(table.assign(d=change(table["d"])), "y ~ ai", cov=Dyadic("o", "d"))


def test_members_of_another_case_are_refused_and_of_another_name_are_not(table):
    named = table.assign(o="p" + table["o"].astype(str), d="p" + table["d"].astype(str))
    whole = wg.fit_linear(table, "y ~ ai", cov=Dyadic("o", "d"))
    alike = wg.fit_linear(named, "y ~ ai", cov=Dyadic("o", "d"))
    np.testing.assert_allclose(alike.bse, whole.bse, rtol=1e-12)
    floats = wg.fit_linear(table.assign(d=table["d"].astype(float)), "y ~ ai", cov=Dyadic("o", "d"))
    np.testing.assert_allclose(floats.bse, whole.bse, rtol=1e-12)
    with pytest.raises(DataError, match=r"12 of 12 values of 'o' would meet one of 'd'.*'p1' and 'P1'"):
        wg.fit_linear(named.assign(d=named["d"].str.upper()), "y ~ ai", cov=Dyadic("o", "d"))
    # ids that differ by case alone, and stand on both sides, are members of their own
    both = named.assign(o=named["o"].where(table["o"] != 3, "P1"), d=named["d"].where(table["d"] != 3, "P1"))
    assert wg.fit_linear(both, "y ~ ai", cov=Dyadic("o", "d")).bse["ai"] == pytest.approx(whole.bse["ai"], rel=1e-12)


def test_results_whose_members_read_alike_are_not_joined_in_silence(table):
    named = table.assign(o="p" + table["o"].astype(str), d="p" + table["d"].astype(str))
    upper = named.assign(o=named["o"].str.upper(), d=named["d"].str.upper())
    first, second = (
        wg.fit_premiums(read_panel(frame, source_name="flows"), "y ~ ai", premium="ai", cov=Dyadic("o", "d")).estimates
        for frame in (named, upper)
    )
    relabelled = second.map(np.eye(1), labels=second.labels.assign(term="other"))
    with pytest.raises(DataError, match="12 of 12 values of one result would meet one of the other"):
        join(first, relabelled)
