"""What the fuzzer found and was mended at its mechanism: one typed error each, or a result that says what it lacks."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
import pytest

import wagegap as wg
from wagegap.errors import DataError, EmptyDataError, OptionError
from wagegap.panel.panel import as_panel

N = 240


def workers(**columns):
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        {
            "iso3": np.array(["FRA", "KOR", "USA"], dtype=object)[np.arange(N) % 3],
            "ai": rng.integers(2, size=N),
            "female": rng.integers(2, size=N),
            "pay": np.exp(rng.normal(2, 0.4, N)),
            "how": np.array(["stay", "abroad", "field"], dtype=object)[rng.integers(3, size=N)],
        }
    )
    return frame.assign(**columns)


def countries(seed=7, n=12):
    """A link's premiums, rates and a control."""
    rng = np.random.default_rng(seed)
    premium = rng.normal(0.15, 0.08, n)
    frame = pd.DataFrame({"iso3": [f"C{k}" for k in range(n)], "b": premium, "se": 0.02, "old": rng.random(n) * 20 + 5})
    rates = frame.assign(b=0.2 - 0.5 * premium + rng.normal(0, 0.01, n), se=0.01, term="leaving")
    table = wg.Estimates.from_table
    return table(rates, term="term", unit="share"), table(frame, unit="log"), frame


@pytest.fixture(scope="module")
def premiums():
    return countries()[1]


LISTS = pd.Series([[1]] * N)


@pytest.mark.parametrize("axes", [3, "ax", [1], True, pd.Series([1.0]), object])
def test_axes_are_something_to_draw_on(premiums, axes):
    for draw in (
        lambda: wg.figures.plot_forest(premiums, ax=axes),
        lambda: wg.fit_premiums(workers(), "log(pay) ~ ai", premium="ai", by="iso3").plot(axes),
        lambda: wg.oaxaca(workers(), "log(pay) ~ ai", group="female").plot(ax=axes),
    ):
        with pytest.raises(OptionError, match=r"ax=.* must be one axes of matplotlib"):
            draw()


@pytest.mark.parametrize(
    ("hypothesis", "value", "said"),
    [
        (np.array([["ai", "b"]]), 0.0, "hypothesis=.*must hold numbers alone"),
        (np.full(12, np.nan), 0.0, "coefficients of a hypothesis.*missing"),
        (np.eye(12)[:2], ["ai"], "value=.* must (be a number|hold numbers)"),
        (np.eye(12)[:2], [], "one number, or one for each of the 2 rows"),
        (np.eye(12)[:2], [1.0, 2.0, 3.0], "one number, or one for each of the 2 rows"),
        (np.eye(12)[:2], np.inf, "value=inf must hold finite numbers"),
        (np.zeros((0, 12)), 0.0, "one for each of the 0 rows"),
    ],
)
def test_hypotheses_are_numbers(premiums, hypothesis, value, said):
    with pytest.raises(OptionError, match=said):
        premiums.test(hypothesis, value)


@pytest.mark.parametrize("rows", ["ai", 1.5, [99], {"a": 1}, object(), np.array(["a"])])
def test_rows_are_chosen_by_position_or_mask(premiums, rows):
    with pytest.raises((OptionError, EmptyDataError), match=r"rows=|no parameter has"):
        premiums.select(rows)


@pytest.mark.parametrize("level", [wg.cov.Survey("psu"), [["C1"]], {"C1": 1}])
def test_levels_are_chosen_by_their_names(premiums, level):
    with pytest.raises((OptionError, EmptyDataError), match=r"must be a level of 'iso3', or a list|no parameter has"):
        premiums.select(iso3=level)


def test_what_may_be_chosen_still_is(premiums):
    assert len(premiums.select(slice(2)).values) == 2
    assert len(premiums.select(np.arange(12) < 3).values) == 3
    assert len(premiums.select([0, 5]).values) == 2
    assert len(premiums.select(iso3=("C1", "C2")).values) == 2


def test_keys_stand_once():
    with pytest.raises(OptionError, match=r"by=\['iso3', 'iso3'\] names a key twice"):
        wg.Estimates.from_table(countries()[2], by=["iso3", "iso3"])


def test_looking_for_pickles_says_nothing_of_other_text(tmp_path):
    """The parser of pickles reads text with backslashes as it would be read in Python, and warns of it."""
    path = tmp_path / "table.parquet"
    path.write_bytes(b"S'\\ '\n.")
    with pytest.raises(DataError):
        wg.datasets.read_distances(path)


def test_groups_and_outcomes_that_are_lists_are_refused():
    with pytest.raises(DataError, match="'female' holds a list in 240 of 240 rows"):
        wg.oaxaca(workers(female=LISTS), "log(pay) ~ ai", group="female")
    with pytest.raises(DataError, match="'how' holds a list in 240 of 240 rows"):
        wg.fit_exits(workers(how=LISTS), "how ~ ai", model="multinomial")


@pytest.mark.filterwarnings("ignore::wagegap.errors.FewClustersWarning")
@pytest.mark.parametrize("condition", ["moved > 1", lambda frame: frame["moved"] > 1])
def test_conditions_are_evaluated_again_and_again(condition):
    """The second condition is of the rows that the first has left, whatever labels the data had."""
    rng = np.random.default_rng(0)
    pairs = pd.MultiIndex.from_product([range(8), range(8)], names=["left", "entered"]).to_frame(index=False)
    pairs = pairs.assign(dist=rng.random(64), moved=rng.poisson(20, 64) + 1.0)
    names = dict(origin="left", target="entered", flow="moved", family="gaussian")
    plain = wg.occupation_gravity(pairs, "dist", **names)
    labelled = wg.occupation_gravity(pairs.set_index(pd.Index([f"row {k}" for k in range(64)])), "dist", **names)
    np.testing.assert_allclose(labelled.params, plain.params, rtol=1e-9)  # the same sums
    panel = as_panel(pairs.set_index(np.arange(64) + 100)).filter("left != entered").filter(condition)
    assert len(panel) == 56


@pytest.mark.filterwarnings("ignore::wagegap.errors.ReliabilityWarning")
def test_points_of_a_line_are_numbers():
    rates, premiums, _ = countries()
    link = wg.fit_link("leaving ~ premium", rates, premiums, method="eiv")
    assert all(len(one) == 2 for one in link.line([0.1, 0.2]))
    for at, said in ((["a"], "numbers alone"), ([[0.1], [0.2]], "in one row"), ([np.nan], "finite numbers")):
        with pytest.raises(OptionError, match=said):
            link.line(at)


@pytest.mark.filterwarnings("ignore::wagegap.errors.ReliabilityWarning")
def test_an_extrapolated_covariance_is_one_or_says_what_was_mended():
    """With few draws the curve of the covariance can end where a combination has a negative variance."""
    rates, premiums, data = countries()
    repaired = 0
    for seed in range(6):
        options = dict(data=data, method="simex", draws=5, rng=seed, force=True)
        link = wg.fit_link("leaving ~ premium + old", rates, premiums, **options)
        covariance = np.asarray(link.cov_params())
        size = np.sqrt(np.diag(covariance))
        if not np.isfinite(size).all():
            continue
        # a repaired direction has a variance of zero, up to rounding of the correlations
        assert np.linalg.eigvalsh(covariance / np.outer(size, size))[0] > -1e-9
        repaired += bool(re.search(r"gave \d combinations? of coefficients a negative variance", " ".join(link.notes)))
    assert repaired > 0
