"""Designs of surveys: domains, lonely strata, finite populations, degrees of freedom and joint tests."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import sparse, stats

import wagegap as wg
from wagegap.errors import ColumnError, CovarianceError, IdentificationError, MissingValueError, OptionError

Survey = wg.cov.Survey


def linearised(scores, frame, *, strata, psu, counts, shares=None, lonely="certainty", in_domains=False):
    """V = sum_h c_h n_h/(n_h - 1) sum_i (s_hi - s_h/n_h)(s_hi - s_h/n_h)' written out, stratum by stratum.

    `counts` are the units sampled in each stratum; units without rows are zeros. What a single unit adds, in the sample
    or among the rows, is as in R survey.
    """
    total, strata_of_rows, averaged = 0.0, frame[strata].unique(), 0
    for name in strata_of_rows:
        at = (frame[strata] == name).to_numpy()
        sums = np.array([scores[at & (frame[psu] == unit).to_numpy()].sum(axis=0) for unit in frame[psu][at].unique()])
        n, share = counts[name], 1.0 if shares is None else shares[name]
        alone = share > 0 and (n == 1 or (in_domains and len(sums) == 1))
        if alone and lonely == "average":
            continue
        averaged += 1
        if n == 1:
            total = total + (share * sums.T @ sums if lonely == "adjust" else 0.0)
            continue
        sums = np.vstack([sums, np.zeros((n - len(sums), sums.shape[1]))])
        gaps = sums if alone and lonely == "adjust" else sums - sums.mean(axis=0)
        total = total + share * n / (n - 1) * gaps.T @ gaps
    return total * len(strata_of_rows) / averaged if lonely == "average" else total


def influence(frame, columns=("x",)):
    """Influence of each row on the coefficients of y on a constant and columns, weighted by w."""
    x = np.column_stack([np.ones(len(frame)), frame[list(columns)]])
    w, y = frame["w"].to_numpy(), frame["y"].to_numpy()
    bread = np.linalg.inv(x.T @ (x * w[:, None]))
    return (x * (w * (y - x @ bread @ (x.T @ (w * y))))[:, None]) @ bread


@pytest.fixture(scope="module")
def sample():
    """Units numbered 1, 2, ... anew in each stratum, as surveys publish them; a small domain in some of them."""
    rng = np.random.default_rng(12)
    sizes = {"a": 3, "b": 2, "c": 4, "d": 2, "e": 3}
    rows = [
        (stratum, unit + 1) for stratum, n in sizes.items() for unit in range(n) for _ in range(rng.integers(6, 15))
    ]
    frame = pd.DataFrame(rows, columns=["stratum", "psu"])
    n = len(frame)
    shock = rng.normal(size=20)[pd.factorize(frame["stratum"] + frame["psu"].astype(str))[0]]
    frame = frame.assign(x=rng.normal(size=n), w=rng.uniform(1, 5, n), domain=(rng.random(n) < 0.15).astype(int))
    frame.loc[frame["stratum"] == "d", "domain"] = (frame["psu"] == 1).astype(int)
    return frame.assign(y=0.5 * frame["x"] + 0.4 * shock + rng.normal(size=n), leaves=(rng.random(n) < 0.3).astype(int))


@pytest.fixture(scope="module")
def counts(sample):
    return sample.groupby("stratum")["psu"].nunique().to_dict()


def declared(frame):
    return wg.read_panel(frame, weight="w", cluster="psu", strata="stratum")


# domains -----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def nhanes(shared):
    return pd.read_csv(shared / "refdata" / "case_nhanes_small.csv")


@pytest.mark.shared
@pytest.mark.public_case("survey_domain")
def test_a_domain_keeps_the_design(nhanes, facts):
    right = facts("public_cases")["survey_domain"]
    panel = wg.read_panel(nhanes, weight="w", cluster="psu", strata="st")
    found = wg.fit_linear(panel.filter("small == 1"), "HI ~ fem")
    np.testing.assert_allclose(found.bse, [right["right_intercept_se"], right["right"]], rtol=1e-6)


def test_a_filtered_panel_counts_the_units_of_all(sample, counts):
    found = wg.fit_linear(declared(sample).filter("domain == 1"), "y ~ x")
    inside = sample[sample["domain"] == 1]
    right = linearised(influence(inside), inside, strata="stratum", psu="psu", counts=counts)
    np.testing.assert_allclose(found.cov_params(), right, rtol=1e-10)
    units = len(inside[["stratum", "psu"]].drop_duplicates())
    assert (found.estimates.df == units - inside["stratum"].nunique()).all()


def test_filters_in_a_row_and_designs_that_are_asked_for(sample, counts):
    once = wg.fit_linear(declared(sample).filter("domain == 1 and x > -1"), "y ~ x")
    panel = wg.read_panel(sample, weight="w").filter("x > -1").assign(other=1.0).filter("domain == 1")
    twice = wg.fit_linear(panel, "y ~ x", cov=Survey("psu", "stratum"))
    np.testing.assert_allclose(twice.bse, once.bse, rtol=1e-12)


def test_cells_and_those_asked_about_are_domains(sample, counts):
    panel = declared(sample)
    filtered = wg.fit_rates(panel.filter("domain == 1"), "leaves", by=[], min_rows=1)
    among = wg.fit_rates(panel, "leaves", among="domain", by=[], min_rows=1)
    cells = wg.fit_rates(panel, "leaves", by="domain", min_rows=1).estimates.select(domain=1)
    np.testing.assert_allclose(among.bse, filtered.bse, rtol=1e-12)
    np.testing.assert_allclose(cells.bse, filtered.bse, rtol=1e-12)
    assert among.estimates.df[0] == cells.df[0] == filtered.estimates.df[0]


def test_rows_dropped_at_the_door_and_rows_without_weight_are_of_the_sample(sample, counts):
    out = (sample["stratum"] == "b") & (sample["psu"] == 1)
    rest = sample[~out]
    right = linearised(influence(rest), rest, strata="stratum", psu="psu", counts=counts)
    pay = sample.assign(pay=np.where(out, -1.0, 10.0))
    panel = wg.read_panel(pay, weight="w", cluster="psu", strata="stratum", wage="pay", invalid_wage="drop")
    np.testing.assert_allclose(wg.fit_linear(panel, "y ~ x").cov_params(), right, rtol=1e-10)
    weightless = declared(sample.assign(w=np.where(out, 0.0, sample["w"])))
    np.testing.assert_allclose(wg.fit_linear(weightless, "y ~ x").cov_params(), right, rtol=1e-10)


def test_rows_filtered_out_for_want_of_a_unit_or_a_weight_are_not_counted(sample, counts):
    strangers = [sample.head(3).assign(psu=np.nan), sample.head(2).assign(psu=99, w=np.nan)]
    panel = wg.read_panel(pd.concat([sample, *strangers], ignore_index=True), weight="w")
    found = wg.fit_linear(panel.filter("psu.notna() and w.notna()"), "y ~ x", cov=Survey("psu", "stratum"))
    np.testing.assert_allclose(found.bse, wg.fit_linear(declared(sample), "y ~ x").bse, rtol=1e-12)


def test_rows_asked_about_without_a_unit_are_refused(sample):
    panel = wg.read_panel(sample.assign(psu=sample["psu"].where(sample["x"] < 1.5)), weight="w").filter("x > 0")
    with pytest.raises(MissingValueError, match="'psu' is missing in"):
        wg.fit_linear(panel, "y ~ x", cov=Survey("psu", "stratum"))


def test_a_domain_is_related_to_the_whole(sample, counts):
    """Their joint covariance is that of influences on both, zero outside of the domain."""
    panel = declared(sample)
    whole, domain = wg.fit_linear(panel, "y ~ x"), wg.fit_linear(panel, "y ~ x", subpop="domain == 1").estimates
    joined = wg.join(whole, domain.map(np.eye(2), labels=domain.labels.assign(term=["a", "b"])))
    inside = (sample["domain"] == 1).to_numpy()
    scores = np.zeros((len(sample), 4))
    scores[:, :2], scores[inside, 2:] = influence(sample), influence(sample[inside])
    right = linearised(scores, sample, strata="stratum", psu="psu", counts=counts)
    np.testing.assert_allclose(joined.covariance, right, rtol=1e-9, atol=1e-14)


def test_a_design_that_is_not_known_of_all_rows_is_refused(sample):
    panel = declared(sample).filter("domain == 1").assign(psu=1)
    with pytest.raises(ColumnError, match=r"'psu' was added or changed after rows.*before filter"):
        wg.fit_linear(panel, "y ~ x")


def test_strata_without_clusters_are_a_design_of_rows_or_workers(sample):
    panel = wg.read_panel(sample.assign(who=np.arange(len(sample))), weight="w", strata="stratum", worker="who")
    found = wg.fit_linear(panel, "y ~ x")
    sizes = sample["stratum"].value_counts().to_dict()
    each = sample.assign(psu=np.arange(len(sample)))
    right = linearised(influence(each), each, strata="stratum", psu="psu", counts=sizes)
    np.testing.assert_allclose(found.cov_params(), right, rtol=1e-10)
    assert found.estimates.df[0] == len(sample) - 5


# lonely strata -----------------------------------------------------------------------------------------------------

LONELY = ["certainty", "adjust", "average"]


@pytest.mark.shared
@pytest.mark.parametrize("lonely", LONELY)
def test_lonely_strata_of_r_survey(nhanes, facts, lonely):
    right = facts("survey_designs")["nhanes_lonely"][lonely]
    alone = ((nhanes["st"] == 75) & (nhanes["psu"] == 2)) | ((nhanes["st"] == 76) & (nhanes["psu"] == 1))
    panel = wg.read_panel(nhanes[~alone], weight="w")
    cov = Survey("psu", "st", lonely=lonely)
    mean, slopes = wg.fit_linear(panel, "HI ~ 1", cov=cov), wg.fit_linear(panel, "HI ~ fem + C(race)", cov=cov)
    assert mean.bse.iloc[0] == pytest.approx(right["mean"], rel=1e-9)
    assert mean.estimates.df[0] == right["degf"]
    np.testing.assert_allclose(slopes.bse, right["lm"], rtol=1e-9)
    domain = wg.fit_linear(panel.filter("small == 1"), "HI ~ fem", cov=cov)
    np.testing.assert_allclose(domain.bse, right["domain_small"], rtol=1e-9)


@pytest.mark.parametrize("in_domains", [False, True])
@pytest.mark.parametrize("lonely", LONELY)
def test_lonely_strata_by_hand(sample, lonely, in_domains):
    if lonely == "certainty" and in_domains:
        pytest.skip("a unit sampled with certainty is one in every domain")
    single = sample[~((sample["stratum"] == "b") & (sample["psu"] == 2))]
    assert single.loc[(single["domain"] == 1) & (single["stratum"] == "d"), "psu"].nunique() == 1
    counts = single.groupby("stratum")["psu"].nunique().to_dict()
    cov = Survey("psu", "stratum", lonely=lonely, lonely_domains=in_domains)
    whole = wg.fit_linear(single, "y ~ x", weights="w", cov=cov)
    how = dict(strata="stratum", psu="psu", counts=counts, lonely=lonely, in_domains=in_domains)
    np.testing.assert_allclose(whole.cov_params(), linearised(influence(single), single, **how), rtol=1e-10)
    inside = single[single["domain"] == 1]
    right = linearised(influence(inside), inside, **how)
    filtered = wg.fit_linear(wg.read_panel(single, weight="w").filter("domain == 1"), "y ~ x", cov=cov)
    np.testing.assert_allclose(filtered.cov_params(), right, rtol=1e-10)
    cells = wg.fit_rates(single, "leaves", by="domain", weights="w", cov=cov, min_rows=1)
    right = linearised(influence(inside.assign(y=inside["leaves"]), ()), inside, **how)
    assert cells.bse.loc["1"] == pytest.approx(np.sqrt(right[0, 0]), rel=1e-10)
    assert np.linalg.eigvalsh(cells.cov_params()).min() > 0


def test_lonely_strata_are_told_and_known_by_other_names(sample):
    single = sample[~((sample["stratum"] == "b") & (sample["psu"] == 2))]
    with pytest.raises(CovarianceError, match=r"1 of 5 strata have a single unit, such as b.*'adjust'.*'average'"):
        wg.fit_linear(declared(single), "y ~ x")
    # a domain without rows in the stratum does not meet it
    assert np.isfinite(wg.fit_linear(declared(single).filter("stratum != 'b'"), "y ~ x").bse).all()
    names = {"fail": "raise", "missing": "raise", "remove": "certainty", "centered": "adjust", "scaled": "average"}
    for theirs, ours in names.items():
        assert Survey("psu", lonely=theirs) == Survey("psu", lonely=ours)
    with pytest.raises(OptionError, match=r"Did you mean 'average'"):
        Survey("psu", lonely="averaged")
    with pytest.raises(OptionError, match=r"lonely_domains goes with lonely='adjust' or 'average'"):
        Survey("psu", lonely_domains=True)


def test_every_stratum_lonely_has_no_average(sample):
    single = sample[sample["psu"] == 1]
    with pytest.raises(CovarianceError):
        wg.fit_linear(single, "y ~ x", weights="w", cov=Survey("psu", "stratum", lonely="average")).cov_params()


def test_another_rule_for_lonely_strata_needs_the_workers(sample):
    found = wg.fit_linear(sample, "y ~ x", weights="w", cov=Survey("psu", "stratum"))
    with pytest.raises(CovarianceError, match="refit"):
        found.estimates.with_cov(Survey("psu", "stratum", lonely="adjust"))


# finite populations ------------------------------------------------------------------------------------------------


@pytest.mark.shared
@pytest.mark.parametrize("fpc", [None, "fpc"])
def test_finite_populations_of_r_survey(shared, facts, fpc):
    right = facts("survey_designs")["districts"]["with_fpc" if fpc else "without_fpc"]
    frame = pd.read_csv(shared / "refdata" / "survey_apiclus1.csv").assign(score=lambda f: f["api00"] / 1000)
    frame["wide"] = (frame["sch.wide"] == "Yes").astype(int)
    panel, cov = wg.read_panel(frame, weight="pw"), Survey("dnum", fpc=fpc)
    found = wg.fit_linear(panel, "api00 ~ ell + meals + wide", cov=cov)
    np.testing.assert_allclose(found.bse, right["lm"], rtol=1e-9)
    assert found.cov_params().iloc[0, 1] == pytest.approx(right["lm_covariance_01"], rel=1e-9)
    assert (found.estimates.df == right["degf"]).all()
    domain = wg.fit_linear(panel.filter("stype == 'E'"), "api00 ~ ell + meals", cov=cov)
    np.testing.assert_allclose(domain.bse, right["domain_E_lm"], rtol=1e-9)
    cells = wg.fit_rates(panel, "score", by="stype", cov=cov, min_rows=1)
    np.testing.assert_allclose(1000 * cells.bse, right["by_stype"], rtol=1e-9)


def test_two_stages_of_r_survey(facts, typed):
    right, frame = facts("survey_designs")["mu284"], typed("mu284").assign(w=lambda f: f["n1"] / 5 * f["n2"] / 3)
    both = wg.fit_linear(frame, "y1 ~ 1", weights="w", cov=Survey(("id1", "id2"), fpc=("n1", "n2")))
    first = wg.fit_linear(frame, "y1 ~ 1", weights="w", cov=Survey("id1", fpc="n1"))
    assert both.params.iloc[0] == pytest.approx(right["estimate"], rel=1e-12)
    assert both.bse.iloc[0] == pytest.approx(right["mean"], rel=1e-9)
    assert first.bse.iloc[0] == pytest.approx(right["first_stage_mean"], rel=1e-9)
    assert both.estimates.df[0] == right["degf"]
    shares = frame.assign(n1=5 / frame["n1"], n2=3 / frame["n2"])
    again = wg.fit_linear(shares, "y1 ~ 1", weights="w", cov=Survey(("id1", "id2"), fpc=("n1", "n2")))
    assert again.bse.iloc[0] == pytest.approx(right["mean"], rel=1e-9)


def test_stages_by_hand_also_in_a_domain(sample, counts):
    """V = sum_h (1 - f_h) V_h + sum_h f_h sum_i (1 - f_hi) V_hi, households within units within strata."""
    rng = np.random.default_rng(3)
    frame = sample.assign(home=rng.integers(3, size=len(sample)))
    frame["N"] = frame["stratum"].map({"a": 9, "b": 2, "c": 40, "d": np.inf, "e": 5})
    frame["unit"] = frame["stratum"] + frame["psu"].astype(str)
    homes = frame.groupby("unit")["home"].nunique()
    frame["M"] = frame["unit"].map(2 * homes)
    panel, cov = wg.read_panel(frame, weight="w"), Survey(("psu", "home"), "stratum", fpc=("N", "M"))
    for part, rows in ((panel, frame), (panel.filter("domain == 1"), frame[frame["domain"] == 1])):
        scores = influence(rows)
        fraction = {h: counts[h] / n for h, n in frame.groupby("stratum")["N"].first().items()}
        above = linearised(scores, rows, strata="stratum", psu="psu", counts=counts,
                           shares={h: 1 - f for h, f in fraction.items()})  # fmt: skip
        below = linearised(scores, rows, strata="unit", psu="home", counts=homes.to_dict(),
                           shares={unit: fraction[unit[0]] * 0.5 for unit in homes.index})  # fmt: skip
        np.testing.assert_allclose(wg.fit_linear(part, "y ~ x", cov=cov).cov_params(), above + below, rtol=1e-10)


def test_a_population_sampled_whole_adds_nothing_and_is_not_lonely(sample):
    single = sample[~((sample["stratum"] == "b") & (sample["psu"] == 2))]
    frame = single.assign(N=single["stratum"].map({"a": 9, "b": 1, "c": 40, "d": 7, "e": 5}))
    found = wg.fit_linear(frame, "y ~ x", weights="w", cov=Survey("psu", "stratum", fpc="N"))
    certain = wg.fit_linear(frame.assign(N=frame["N"] + (frame["stratum"] == "b")), "y ~ x", weights="w",
                            cov=Survey("psu", "stratum", lonely="certainty", fpc="N"))  # fmt: skip
    np.testing.assert_allclose(found.bse, certain.bse, rtol=1e-12)


def test_what_was_sampled_whole_is_averaged_with_the_others(sample):
    """Of strata b and d with one unit each, b is its population: d alone is as the average of the four others."""
    single = sample[~(sample["stratum"].isin(["b", "d"]) & (sample["psu"] == 2))]
    counts = single.groupby("stratum")["psu"].nunique().to_dict()
    shares = {h: 1 - counts[h] / n for h, n in {"a": 9, "b": 1, "c": 40, "d": 7, "e": 5}.items()}
    frame = single.assign(N=single["stratum"].map({"a": 9, "b": 1, "c": 40, "d": 7, "e": 5}))
    found = wg.fit_linear(frame, "y ~ x", weights="w", cov=Survey("psu", "stratum", lonely="average", fpc="N"))
    right = linearised(influence(single), single, strata="stratum", psu="psu", counts=counts, shares=shares,
                       lonely="average")  # fmt: skip
    np.testing.assert_allclose(found.cov_params(), right, rtol=1e-10)
    share = frame.assign(N=1 - frame["stratum"].map(shares))  # the same as shares, one of which is 1
    again = wg.fit_linear(share, "y ~ x", weights="w", cov=Survey("psu", "stratum", lonely="average", fpc="N"))
    np.testing.assert_allclose(again.bse, found.bse, rtol=1e-12)


def test_domains_of_different_strata_are_joined_with_their_populations(sample, counts):
    frame = sample.assign(N=sample["stratum"].map({"a": 9, "b": 4, "c": 40, "d": 7, "e": 5}))
    panel, cov = wg.read_panel(frame, weight="w"), Survey("psu", "stratum", fpc="N")
    first, second = (
        wg.fit_rates(panel, "leaves", subpop=words, by=[], min_rows=1, cov=cov).estimates
        for words in ("stratum in ['a', 'b', 'c']", "stratum in ['c', 'd', 'e']")
    )
    joined = wg.join(first, second.map(np.eye(1), labels=second.labels.assign(term="other")))
    scores = np.zeros((len(frame), 2))
    for column, strata in enumerate((["a", "b", "c"], ["c", "d", "e"])):
        inside = frame["stratum"].isin(strata).to_numpy()
        scores[inside, [column]] = influence(frame[inside].assign(y=frame["leaves"]), ())[:, 0]
    shares = {h: 1 - counts[h] / n for h, n in {"a": 9, "b": 4, "c": 40, "d": 7, "e": 5}.items()}
    right = linearised(scores, frame, strata="stratum", psu="psu", counts=counts, shares=shares)
    np.testing.assert_allclose(joined.covariance, right, rtol=1e-10)


def test_three_stages_by_hand(sample, counts):
    """The third stage, people within homes, has the shares of both stages above it."""
    rng = np.random.default_rng(3)
    frame = sample.assign(home=rng.integers(3, size=len(sample)), who=np.arange(len(sample)), N=60.0)
    frame["unit"] = frame["stratum"] + frame["psu"].astype(str)
    frame["place"] = frame["unit"] + frame["home"].astype(str)
    homes, people = frame.groupby("unit")["home"].nunique(), frame["place"].value_counts()
    frame["M"], frame["K"] = frame["unit"].map(2 * homes), frame["place"].map(people + 4.0)
    cov = Survey(("psu", "home", "who"), "stratum", fpc=("N", "M", "K"), lonely="certainty")
    found = wg.fit_linear(frame, "y ~ x", weights="w", cov=cov)
    scores, first = influence(frame), {h: n / 60 for h, n in counts.items()}
    parts = [
        linearised(scores, frame, strata="stratum", psu="psu", counts=counts,
                   shares={h: 1 - f for h, f in first.items()}),
        linearised(scores, frame, strata="unit", psu="home", counts=homes.to_dict(),
                   shares={unit: first[unit[0]] * 0.5 for unit in homes.index}),
        linearised(scores, frame, strata="place", psu="who", counts=people.to_dict(),
                   shares={at: first[at[0]] * 0.5 * (1 - n / (n + 4)) for at, n in people.items()}),
    ]  # fmt: skip
    np.testing.assert_allclose(found.cov_params(), sum(parts), rtol=1e-10)


@pytest.mark.parametrize(
    ("population", "error", "words"),
    [
        (
            lambda f: np.where(f["stratum"] == "c", 3.0, 50.0),
            CovarianceError,
            r"smaller than the sample in 1 of 5.*4 .* 3",
        ),
        (lambda f: np.arange(len(f)) + 60.0, CovarianceError, r"differs within 5 of 5 strata"),
        (lambda f: np.where(f["stratum"] == "a", np.nan, 50.0), MissingValueError, r"'N' is missing or text in"),
        (lambda f: np.where(f["stratum"] == "a", -1.0, 50.0), CovarianceError, r"not positive in"),
        (lambda f: np.where(f["stratum"] == "a", 0.5, 50.0), CovarianceError, r"below 1 in 1 of 5 strata \(a\)"),
    ],
)
def test_populations_that_cannot_be(sample, population, error, words):
    with pytest.raises(error, match=words):
        wg.fit_linear(sample.assign(N=population), "y ~ x", weights="w", cov=Survey("psu", "stratum", fpc="N"))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (dict(psu=("a", "b")), r"2 stages and fpc=None 0"),
        (dict(psu=("a", "b"), fpc="N"), r"later stages count where each"),
        (dict(psu="a", fpc=("N", "M")), r"more stages than psu"),
        (dict(psu=("a", "b"), fpc=("N", "M"), lonely="average"), r"for one stage"),
        (dict(psu="a", strata=("s", "t")), r"name of one column"),
        (dict(psu=None), r"psu=None must be the name"),
        (dict(psu="a", fpc=700), r"fpc=700 must be the name"),
        (dict(psu=("a", "a"), fpc=("N", "M")), r"psu names a twice"),
    ],
)
def test_designs_that_would_not_be_obeyed_are_refused(options, words):
    with pytest.raises(OptionError, match=words):
        Survey(**options)


def test_multipliers_vary_as_the_design_says(sample):
    """Sums of scores times multipliers have the variance of the quadratic form: 20,000 draws, within 4 %."""
    for part in (declared(sample), declared(sample).filter("stratum == 'c' and psu == 1")):
        scores = np.cos(np.arange(len(part)))[:, None]
        design = Survey("psu", "stratum").pair_weights(part, np.arange(len(part)))["Survey(stratum/psu)"]
        generator = np.random.default_rng(1)
        draws = np.array([design.multipliers(generator) @ scores[:, 0] for _ in range(20_000)])
        assert draws.var() == pytest.approx(design.quadratic(sparse.csr_array(scores))[0, 0], rel=0.04)


# joint tests -------------------------------------------------------------------------------------------------------

RACE = [f"C(race)[T.{level}] = 0" for level in (2, 3, 4)]


@pytest.mark.shared
@pytest.mark.public_case("survey_joint")
@pytest.mark.parametrize("case", ["linear", "domain_female"])
def test_joint_tests_are_adjusted(nhanes, facts, case):
    right = facts("survey_designs")["nhanes_wald"][case]
    panel = wg.read_panel(nhanes, weight="w", cluster="psu", strata="st")
    if case == "linear":
        found = wg.fit_linear(panel, "HI ~ fem + C(age) + C(race)")
    else:
        found = wg.fit_linear(panel.filter("fem == 1"), "HI ~ C(age) + C(race)")
    test, adjusted = found.test(RACE), right["stata_adjusted"]
    assert test.statistic == pytest.approx(adjusted["F"], rel=1e-8)
    assert [test.df_num, test.df_denom] == adjusted["df"]
    assert test.p_value == pytest.approx(adjusted["p"], rel=1e-7)
    if case == "linear":
        public = facts("public_cases")["survey_joint"]["right"]["adjusted_wald"]
        assert (round(test.statistic, 2), round(test.p_value, 3)) == (public["f"], public["p"])
        assert [test.df_num, test.df_denom] == public["df"]


@pytest.mark.shared
def test_joint_tests_of_logits_are_adjusted(nhanes, facts):
    """R stops at 1e-8 of the deviance, which leaves 5e-6 of F."""
    right = facts("survey_designs")["nhanes_wald"]["logit"]
    panel = wg.read_panel(nhanes, weight="w", cluster="psu", strata="st")
    found = wg.fit_exits(panel, "HI ~ fem + C(age) + C(race)", margins=False)
    np.testing.assert_allclose(sorted(found.bse), sorted(right["se"]), rtol=1e-5)
    test, adjusted = found.test(RACE), right["stata_adjusted"]
    assert test.statistic == pytest.approx(adjusted["F"], rel=1e-5)
    assert (test.df_denom, test.p_value) == (adjusted["df"][1], pytest.approx(adjusted["p"], rel=1e-4))


def test_joint_tests_by_hand(sample, counts):
    frame = sample.assign(z=np.sin(sample["x"] * 3), v=np.cos(sample["w"]))
    found = wg.fit_linear(declared(frame), "y ~ x + z + v")
    rows, d = found.test(["x = 0", "z = 0", "v = 0"]), 14 - 5
    b, v = found.params.to_numpy()[1:], found.cov_params().to_numpy()[1:, 1:]
    right = (d - 3 + 1) / (d * 3) * b @ np.linalg.solve(v, b)
    assert rows.statistic == pytest.approx(right, rel=1e-10)
    assert (rows.df_num, rows.df_denom) == (3, d - 2)
    assert rows.p_value == pytest.approx(stats.f.sf(right, 3, d - 2), rel=1e-10)
    # a test of one is not adjusted, nor one that stands on no design
    assert found.test("x = 0").df_denom == d
    plain = found.estimates.with_cov("HC1").test(["x = 0", "z = 0"])
    assert plain.df_denom == len(sample) - 4


def test_joint_tests_of_more_hypotheses_than_degrees_are_refused(sample):
    inside = declared(sample).filter("stratum in ['b', 'd']")
    found = wg.fit_linear(inside, "y ~ x + I(x ** 2) + I(x ** 3)")
    assert found.estimates.df[0] == 2
    with pytest.raises(IdentificationError, match=r"3 hypotheses at once are too many.*2\.0 degrees of freedom"):
        found.test(["x = 0", "I(x ** 2) = 0", "I(x ** 3) = 0"])
