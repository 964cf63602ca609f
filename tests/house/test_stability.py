"""What docs/stability.md promises and can be checked: public names, their keywords, columns, keys of studies, draws.

`stability.json` holds them as they are in this minor version. A name, keyword, column or key may come; one that is
there goes only after a version in which its old form worked and warned. The numbers of a seed change only with the
minor version. `python tests/house/test_stability.py` records all of it anew, and refuses to within a minor version.
"""

from __future__ import annotations

import inspect
import json
import sys
from pathlib import Path

import numpy as np
import pytest

import wagegap as wg

RECORDED = Path(__file__).with_name("stability.json")
MINOR = ".".join(wg.__version__.split(".")[:2])
POLICY = "docs/stability.md says how a public name goes: its old form works and warns for a minor version first."
RETIRING = {"wagegap.oaxaca_offers", "wagegap.Estimates.roots"}  # warned since 0.5
# The same draws give estimates that differ by rounding, 1e-12 between versions of BLAS; other draws, by 1e-3 and more.
ROUNDING = 1e-8


def recorded():
    return json.loads(RECORDED.read_text(encoding="utf-8"))


# names ---------------------------------------------------------------------------------------------------------------


def rooms():
    """Public names by room: of the checks in `errors` and what `cov` needs itself, none is public."""
    return {
        "wagegap": list(wg.__all__),
        "wagegap.cov": [name for name in wg.cov.__all__ if inspect.isclass(getattr(wg.cov, name))],
        "wagegap.datasets": list(wg.datasets.__all__),
        "wagegap.figures": list(wg.figures.__all__),
        "wagegap.errors": [name for name in wg.errors.__all__ if inspect.isclass(getattr(wg.errors, name))],
        "wagegap.Estimates": [name for name in dir(wg.Estimates) if not name.startswith("_")],
        "wagegap.Panel": [name for name in dir(wg.Panel) if not name.startswith("_")],
    }


def keywords():
    """Parameters of everything public that is called, by name."""
    places = {"wagegap": wg, "cov": wg.cov, "datasets": wg.datasets, "figures": wg.figures}
    names = rooms()
    names["wagegap"] = sorted({*names["wagegap"]} - {"Estimates", "Panel"})  # made by their readers, not by a call
    return {
        f"{room}.{name}": list(inspect.signature(getattr(place, name)).parameters)
        for room, place in places.items()
        for name in names["wagegap" if room == "wagegap" else f"wagegap.{room}"]
        if callable(getattr(place, name))
    }


def lasting(by_room):
    """Names and keywords but for those that warn already."""
    return {
        room: [name for name in names if f"{room}.{name}" not in RETIRING]
        for room, names in by_room.items()
        if room not in RETIRING
    }


@pytest.mark.parametrize("what", ["names", "keywords"])
def test_no_public_name_or_keyword_goes_without_a_word(what):
    now = {"names": rooms, "keywords": keywords}[what]()
    gone = {
        room: missing
        for room, names in recorded()[what].items()
        if (missing := sorted(set(names) - set(now.get(room, ()))))
    }
    assert not gone, f"no longer there: {gone}. {POLICY}"


@pytest.mark.parametrize("name", sorted(set(wg.__all__) - {"cov", "datasets", "errors", "figures"}))
def test_a_public_name_says_what_it_is(name):
    assert inspect.getdoc(getattr(wg, name))


# columns and keys ----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def panel():
    return wg.simulate_panel(countries=10, workers=60, rng=1).panel


def results(panel):
    premiums = wg.fit_premiums(panel, "log(hourly_wage) ~ ai", premium="ai", by="iso3")
    rates = wg.fit_rates(panel, {"emigration": "abroad_next"}, by="iso3")
    return {
        "premiums": premiums,
        "rates": rates,
        "link": wg.fit_link("emigration ~ premium", rates, premiums, method="ols", force=True),
        "linear": wg.fit_linear(panel, "log(hourly_wage) ~ ai + exper"),
        "gap": wg.oaxaca(panel, "log(hourly_wage) ~ exper + educ", group="female", groups=(0, 1)),
    }


def shown(panel):
    """Columns, attributes and methods of results, by what they are of."""
    return {
        name: {
            "tidy": list(result.tidy()),
            "glance": list(result.glance()),
            "names": [one for one in dir(type(result)) if not one.startswith("_") and one != "roots"],
        }
        for name, result in results(panel).items()
    }


def test_columns_and_methods_of_results_keep_their_names(panel):
    now = shown(panel)
    gone = {
        f"{name}, {place}": missing
        for name, places in recorded()["results"].items()
        for place, wanted in places.items()
        if (missing := sorted(set(wanted) - set(now[name][place])))
    }
    assert not gone, f"no longer there: {gone}. {POLICY}"


STUDY = {
    "study": [
        "version", "title", "question", "watch", "seed", "panels", "premiums", "rates", "covariates", "links",
        "caution",
    ],
    "links": [
        "name", "rates", "premiums", "formula", "covariates", "max_std_error", "leave_out", "without_cross_block",
        "sensitivity", "labels", "method", "cluster", "tau2", "test", "force",
    ],
    "caution": ["premiums", "flows", "year", "without"],
}  # fmt: skip
PUBLISHED = {"premiums": {"published": {"shipped": "published_premiums"}}}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({**{key: {} for key in STUDY["study"]}, "version": MINOR, "seed": 0, "watch": []}, "defines neither"),
        ({**PUBLISHED, "links": [dict.fromkeys(STUDY["links"], "x") | {"formula": "x ~ y"}]}, "'x' is not defined"),
        ({**PUBLISHED, "caution": dict.fromkeys(STUDY["caution"], "x")}, "'x' is not defined"),
    ],
    ids=list(STUDY),
)
def test_keys_of_a_study_are_known(content, message):
    """A key that were not known would be refused by name before what is said here."""
    with pytest.raises(wg.errors.StudyError, match=message):
        wg.study(content)


@pytest.mark.parametrize("version", ["0.3", "0.4", "0.5", MINOR])
def test_studies_of_every_version_are_read(version):
    with pytest.raises(wg.errors.StudyError, match="defines neither"):
        wg.study({"version": version})


# draws ---------------------------------------------------------------------------------------------------------------


def draws(panel, seed=1):
    """First numbers of what draws, by procedure."""
    premiums, rates, log_pay = results(panel)["premiums"], results(panel)["rates"], "log(hourly_wage) ~ ai"

    def resampled(**options):
        cov = wg.cov.Bootstrap(5, rng=seed, **options)
        return wg.fit_premiums(panel, log_pay, premium="ai", by="iso3", cov=cov).bse[:3]

    def wild(multipliers):
        options = dict(cluster="worker", reps=5, rng=seed, multipliers=multipliers)
        return wg.wild_bootstrap(panel, log_pay, "ai", **options).distribution

    def link(method, **options):
        return wg.fit_link("emigration ~ premium", rates, premiums, method=method, force=True, rng=seed, **options)

    orders = dict(group="female", groups=(0, 1), detail="terms", order="random", reps=5, rng=seed)
    values = {
        "simulate_panel": wg.simulate_panel(countries=2, workers=9, rng=seed).panel.frame["hourly_wage"][:5],
        "Bootstrap, pairs": resampled(),
        "Bootstrap, pairs of clusters": resampled(cluster="psu"),
        "Bootstrap, bayesian": resampled(kind="bayesian"),
        "Estimates.draws": premiums.estimates.draws(2, rng=seed)[:, :3].ravel(),
        "wild_bootstrap, rademacher": wild("rademacher"),
        "wild_bootstrap, webb": wild("webb"),
        "wild_bootstrap, mammen": wild("mammen"),
        "permutation of a link": [link("ols").permutation.p_value],
        "simex of a link": link("simex", draws=20).params,
        "two-stage bootstrap of a link": link("bootstrap", workers=panel, draws=20).bse,
        "fairlie, random orders": wg.fairlie(panel, "ai ~ exper + educ", **orders).params[1:],
    }
    return {name: np.asarray(numbers, dtype=float).tolist() for name, numbers in values.items()}


@pytest.mark.filterwarnings("ignore::wagegap.errors.WagegapWarning")
def test_draws_of_a_seed_are_kept_within_a_minor_version(panel):
    changed = differing(draws(panel), recorded()["draws"])
    assert not changed, f"other draws of the same seed: {changed}. docs/stability.md keeps them within a minor version."


@pytest.mark.filterwarnings("ignore::wagegap.errors.WagegapWarning")
def test_other_draws_would_be_noticed(panel):
    """Every number recorded depends on the draws, by far more than the tolerance."""
    assert differing(draws(panel, seed=2), recorded()["draws"], tolerance=1e-4) == sorted(recorded()["draws"])


def differing(now, before, tolerance=ROUNDING):
    """Procedures whose numbers are others."""
    assert set(before) <= set(now)
    return sorted(name for name in before if not np.allclose(now[name], before[name], rtol=tolerance, atol=0))


# the record ----------------------------------------------------------------------------------------------------------


def test_the_record_is_of_this_minor_version():
    said = "a new minor version: run python tests/house/test_stability.py, and name in CHANGELOG.md what it changes"
    assert recorded()["minor"] == MINOR, said


def record():
    """Write the record of a new minor version; within one, only what has come."""
    panel = wg.simulate_panel(countries=10, workers=60, rng=1).panel
    new = {"minor": MINOR, "names": lasting(rooms()), "keywords": lasting(keywords())}
    new |= {"results": shown(panel), "draws": draws(panel)}
    if RECORDED.exists() and recorded()["minor"] == MINOR:
        gone = [name for room, names in recorded()["names"].items() for name in set(names) - set(new["names"][room])]
        if gone or differing(new["draws"], recorded()["draws"]):
            raise SystemExit(f"{MINOR} is recorded, and these changed: {gone or 'draws'}. {POLICY}")
    RECORDED.write_text(json.dumps(new, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(record())
