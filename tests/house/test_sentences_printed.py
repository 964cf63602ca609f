"""Every sentence that the package prints about numbers: one scale in each, no share outside 0 to 100.

The sentences are of the shipped study and of fifty simulated ones, whose premiums and rates are in all kinds of units.
A reader of their own goes through them: it knows units and steps, and nothing of the functions that made the sentences.
Where the same numbers are given in another unit that is said alike, such as logs and log points, the whole text must be
the same: a number that was written by hand, as it is stored, would not be.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pytest

import wagegap as wg
from wagegap.errors import ReliabilityError, WagegapError, WagegapWarning
from wagegap.report.caution import examine
from wagegap.report.sections.stages import premiums_in_words, rates_in_words
from wagegap.report.study import study

# the reader ----------------------------------------------------------------------------------------------------------

NUMBER = r"(?<![\w.,])[+-]?(?:\d[\d,]*\.?\d*|\.\d+)(?:e[+-]?\d+)?(?![\w%])"
UNIT = r"percentage points|per cent|per 1,000|per 10,000|log points|logs?\b|USD\b"
FAMILIES = {
    "per cent": "share", "percentage points": "share", "per 1,000": "share", "per 10,000": "share",
    "log": "log", "logs": "log", "log points": "log", "USD": "pay",
}  # fmt: skip
ALIKE = {"percentage points": "per cent", "logs": "log"}
"""Units with the same factor: a level and its change."""
STEP = re.compile(rf"(one|a|{NUMBER}) ({UNIT}|units?) (?:more|of) premium")
PREMIUM = re.compile(
    rf"(?:premium|'s|\(estimated) (?:were|is|at|of) (?:{NUMBER})(?: ({UNIT}))?"
    rf"(?: instead of (?:{NUMBER})(?: ({UNIT}))?)?"
    rf"|[Pp]remiums (?:differ by|of|from)[^.:;]*?(?:{NUMBER}) ({UNIT})(?: by \w+ and (?:{NUMBER}) ({UNIT}))?"
)
WITH_UNIT = re.compile(rf"({NUMBER}) ({UNIT})")
ENDS_WITH_UNIT = re.compile(rf"({NUMBER}) (?:to|and) ({NUMBER}) ({UNIT})")
PERCENT = re.compile(r"([+-]?\d[\d,]*\.?\d*) %(?! (?:less|more|higher|lower))")
STEP_SAID = re.compile(r"STEP|same step|these bounds|would change by")
"""Bounds are said with their step in the sentence before; a change is no slope."""
CUT_SHORT = re.compile(r"\b(?:of|its|their) outside\b(?! (?:STEM|the)\b)")
"""An outcome named by the last word of its label: "of outside"."""


@dataclass(frozen=True)
class Sentence:
    """A sentence, and whether its levels are of shares."""

    text: str
    of_shares: bool = False


def sentences_of(text: str) -> list[str]:
    """Sentences of a text; a point within a number or before a small letter ends none."""
    flat = " ".join(text.split())
    return re.split(r"(?<=[.!?])\s+(?=[A-Z(\"'])", flat)


def faults_of(sentence: Sentence) -> list[str]:
    """What is wrong with a sentence."""
    steps = set(STEP.findall(sentence.text))
    faults = [f"{len(steps)} steps of premium: {sorted(steps)}"] if len(steps) > 1 else []
    left = STEP.sub("STEP", sentence.text)
    of_premiums = {unit for found in PREMIUM.finditer(left) for unit in found.groups() if unit}
    faults += _mixed(of_premiums)
    left = PREMIUM.sub("PREMIUM", left)
    stated = WITH_UNIT.findall(left)
    faults += _mixed({unit for _, unit in stated})
    if stated and re.search(r"\b[Ss]lopes?\b|\bgo(?:es)? with\b", left) and not STEP_SAID.search(left):
        faults.append("a slope without its step")
    for number in PERCENT.findall(left):
        if not 0 <= _value(number) <= 100:
            faults.append(f"{number} % is no share")
    if sentence.of_shares:
        faults += _outside(left)
    if CUT_SHORT.search(sentence.text):
        faults.append("an outcome cut short")
    return faults


def _mixed(units: set[str]) -> list[str]:
    """Units of one dimension that are more than one."""
    faults = []
    for family in sorted({FAMILIES[unit] for unit in units}):
        those = {ALIKE.get(unit, unit) for unit in units if FAMILIES[unit] == family}
        if len(those) > 1:
            faults.append(f"two scales of one thing: {sorted(those)}")
    return faults


def _outside(text: str) -> list[str]:
    """Levels of shares in per cent that are outside 0 to 100."""
    stated = [(number, unit) for number, unit in WITH_UNIT.findall(text)]
    stated += [(first, unit) for first, _, unit in ENDS_WITH_UNIT.findall(text)]
    return [f"{number} per cent" for number, unit in stated if unit == "per cent" and not 0 <= _value(number) <= 100]


def _value(number: str) -> float:
    return float(number.replace(",", ""))


# the sentences -------------------------------------------------------------------------------------------------------

CODES = (
    "AUS AUT BEL CAN CHE CHL CZE DEU DNK ESP EST FIN FRA GBR GRC HUN IRL ISR ITA JPN KOR LTU NLD NOR NZL POL PRT SVN "
    "SWE USA"
).split()
PREMIUM_UNITS = {
    "log": 1.0, "log points": 100.0, "share": 1.0, "per cent": 100.0, "percentage points": 100.0,
    "currency:USD": 2000.0, "none": 1.0,
}  # fmt: skip
RATE_UNITS = {
    "share": 1.0, "per cent": 100.0, "percentage points": 100.0, "per 1,000": 1e3, "per 10,000": 1e4, "log": 1.0,
    "none": 3.0,
}  # fmt: skip


@dataclass(frozen=True)
class Design:
    """A simulated study: number of countries, units, spread of premiums, and whether errors are known.

    `net` rates may be below zero.
    """

    seed: int
    n: int
    unit: str
    rate_unit: str
    spread: float
    known: bool = True
    net: bool = False


def fifty() -> list[Design]:
    """Every pair of units, with 6 to 30 countries; premiums that are mostly noise, and errors unknown, among them."""
    units, rate_units = list(PREMIUM_UNITS), list(RATE_UNITS)
    return [
        Design(
            i, 6 + (5 * i) % 25, units[i % 7], rate_units[i // 7 % 7], (0.08, 0.02, 0.05)[i % 3], known=i % 8 != 7,
            net=i % 4 == 3,
        )
        for i in range(50)
    ]  # fmt: skip


def drawn(design: Design) -> tuple[wg.Estimates, wg.Estimates, pd.DataFrame]:
    """Premiums, rates and covariates of a simulated study; the rates are near zero, where lines leave the shares."""
    rng = np.random.default_rng(design.seed)
    true = 0.12 + design.spread * rng.normal(size=design.n)
    error = 0.02 * np.exp(0.8 * rng.normal(size=design.n))
    rates = 0.06 - 0.2 * (true - 0.12) + 0.03 * rng.normal(size=design.n)
    rates = rates - 0.06 if design.net else np.clip(np.abs(rates), 0.001, 0.999)
    by, of_rates = PREMIUM_UNITS[design.unit], RATE_UNITS[design.rate_unit]
    frame = pd.DataFrame({
        "iso3": CODES[: design.n], "b": by * (true + error * rng.normal(size=design.n)), "se": by * error,
        "r": of_rates * rates, "rse": of_rates * 0.005, "age": rng.normal(40.0, 5.0, size=design.n),
    })  # fmt: skip
    errors = ("se", "rse") if design.known else (None, None)
    premiums = wg.Estimates.from_table(
        frame, estimate="b", std_error=errors[0], term="premium", by="iso3", unit=design.unit
    )
    rate = wg.Estimates.from_table(
        frame, estimate="r", std_error=errors[1], term="moves", by="iso3", unit=design.rate_unit
    )
    return premiums, rate, frame[["iso3", "age"]]


def questions(
    design: Design, rates: wg.Estimates, premiums: wg.Estimates, covariates: pd.DataFrame
) -> dict[str, Callable[[wg.Link], str]]:
    """What is asked of a link."""
    by, doubled = PREMIUM_UNITS[design.unit], premiums.map(np.eye(design.n) * 0.9)
    return {
        "predict": lambda link: link.predict(country="AUT", premium=0.4 * by).in_words(),
        "predict far": lambda link: link.predict(country="AUT", premium=-3.0 * by).in_words(),
        "outlier": lambda link: link.outlier("BEL").in_words(),
        "swap": lambda link: link.swap(doubled, names=("one", "the other")).in_words(),
        "few": lambda link: link.few_countries(reps=19).in_words(),
        "pool": lambda link: link.pool().in_words(),
        "moderate": lambda link: link.moderate("age", data=covariates).in_words(),
        "sensitivity": lambda link: link.sensitivity().in_words(),
        "table": str,
        "curve": lambda _: wg.specification_curve("moves", rates, {"one": premiums}, methods="ols", reps=19).in_words(),
    }


def asked(link: wg.Link, of_link: dict[str, Callable[[wg.Link], str]], start: int) -> list[str]:
    """What a link says of itself, and what it answers to half of the questions; a refusal says something, too."""
    texts = [" ".join(link.always_printed())]
    names = list(of_link)
    for name in (names * 2)[start % len(names) :][: len(names) // 2]:
        try:
            texts.append(of_link[name](link))
        except WagegapError as error:
            texts.append(f"{error}")
    return texts


def said(design: Design) -> list[str]:
    """Everything that is said of a simulated study."""
    premiums, rates, covariates = drawn(design)
    texts = [premiums_in_words(premiums, ["AUT"]), rates_in_words(rates, ["AUT"])]
    six, rows = rates.labels["iso3"].isin(CODES[:6]).to_numpy(), premiums.labels["iso3"].isin(CODES[:6]).to_numpy()
    years = pd.DataFrame({"iso3": rates.labels["iso3"], "net": rates.values})[six]
    flows = pd.concat([years.assign(year=2018), years.assign(year=2019, net=years["net"].to_numpy()[::-1])])
    texts.append(examine(premiums.select(rows), flows, year=2019, without="AUT", label="Pay").in_words())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", WagegapWarning)
        try:
            link = wg.fit_link("moves ~ premium", rates, premiums, labels={"moves": "the share of movers"})
        except ReliabilityError as error:
            texts.append(str(error))
            link = wg.fit_link("moves ~ premium", rates, premiums, method="ols")
        texts += asked(link, questions(design, rates, premiums, covariates), 3 * design.seed)
        alone = wg.fit_link("moves ~ 1", rates, None, method="meta" if design.known else "ols")
        return [*texts, *alone.always_printed()]


def check(texts: list[str], *, of_shares: bool) -> list[str]:
    """Faults of every sentence of some texts."""
    every = [Sentence(one, of_shares) for text in texts for one in sentences_of(text)]
    return [f"{fault}: {one.text}" for one in every for fault in faults_of(one)]


# the tests -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("start", range(0, 50, 10))
def test_fifty_simulated_studies_say_every_sentence_on_one_scale(start):
    faults, counted = [], 0
    for design in fifty()[start : start + 10]:
        texts = said(design)
        counted += sum(len(sentences_of(text)) for text in texts)
        found = check(texts, of_shares=design.rate_unit == "share" and not design.net)
        faults += [f"{design}: {fault}" for fault in found]
    assert not faults, "\n".join(faults)
    assert counted > 10 * 8


def test_the_shipped_study_says_every_sentence_on_one_scale():
    done = study()
    texts = [finding.text for finding in done.findings]
    assert len(texts) > 15
    predicted = {
        name: link.predict(country=link.cells.names[0], premium=0.2).in_words() for name, link in done.links.items()
    }
    texts += predicted.values()
    for link in done.links.values():
        texts += [*link.always_printed(), link.few_countries(reps=19).in_words()]
    texts += [section.lead for section in done.sections if section.lead]
    texts += [done.headline.answer, done.headline.reason, done.headline.caption]
    texts += [f"{fact.number} {fact.what}." for fact in done.headline.facts]
    faults = check(texts, of_shares=False)
    assert not faults, "\n".join(faults)
    shares = [text for link, text in predicted.items() if done.links[link].cells.units[0] == "share"]
    shares += [finding.text for finding in done.findings if finding.about.startswith("STEM graduates")]
    assert len(shares) > 1
    faults = check(shares, of_shares=True)
    assert not faults, "\n".join(faults)


@pytest.mark.parametrize("n", [8, 16])
@pytest.mark.parametrize(
    ("of", "one", "other"),
    [("premium", "log", "log points"), ("premium", "share", "per cent"), ("rate", "share", "per cent")],
)
def test_the_unit_that_data_come_in_changes_no_sentence(of, one, other, n):
    units = {"unit": "log", "rate_unit": "share"}
    key = "unit" if of == "premium" else "rate_unit"
    first, second = (said(Design(7, n, spread=0.08, net=True, **{**units, key: unit})) for unit in (one, other))
    tables = [1 + at for at, text in enumerate(first[1:]) if "\n" in text]  # of numbers as they are stored
    for at, (a, b) in enumerate(zip(first, second, strict=True)):
        if at not in tables:
            assert a == b


# the reader finds what it is to find ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("10 log points more premium go with -366 per 10,000; without Korea -3.1 per cent.", "two scales"),
        ("10 log points more premium go with -3 per 10,000, 1 log more premium go with -30 per 10,000.", "2 steps"),
        ("True premiums differ by 0.125 log by moments and 5.0 log points by likelihood.", "two scales"),
        ("The premiums are 0.12 log, the errors 3 log points.", "two scales"),
        ("The naive slope is -146.7 per 10,000 (standard error 525.0).", "a slope without its step"),
        ("One would expect Norway's outside between -17,668 and 17,726 per cent.", "-17,668 per cent"),
        ("It would be 104 per cent.", "104 per cent"),
        ("They are 170 % of all rows.", "170 % is no share"),
        ("10 log points of premium go with 3 per 10,000, and one log of premium with 30.", "2 steps"),
        ("A change of outside of 3.0 percentage points.", "an outcome cut short"),
        ("The share of Norway would be 131 per cent.", "131 per cent"),
        ("If its premium were 6 per cent instead of 60 per 1,000, its moves would fall.", "two scales"),
    ],
)
def test_a_planted_fault_is_found(text, fault):
    assert any(found.startswith(fault) for found in check([text], of_shares=True))


@pytest.mark.parametrize(
    "text",
    [
        "10 percentage points more premium go with -37 per 10,000 of moves (95 % interval -90 to +13).",
        "By moments, for the same step: -90 per 10,000 (95 % interval -314 to +133).",
        "The rate of 12.3 per cent would change by -1.0 percentage points.",
        "Seen together, they spread 138 % more than each alone. It is 4 per cent.",
        "If its premium were 6.0 per cent instead of 9.0 per cent, its moves would change by +3.1 per 10,000.",
        "If its premium were 6.0 per cent instead of 9.0 (estimated at 12 per cent), it would change by +3 per 10,000.",
    ],
)
def test_a_right_sentence_passes(text):
    assert check([text], of_shares=True) == []


def test_a_slope_written_as_it_is_stored_is_found(monkeypatch):
    """Slopes per one log beside those per ten log points, as once they were printed."""
    kind = type(wg.fit_link("moves ~ premium", *drawn(fifty()[0])[1::-1], method="ols"))
    by_hand = lambda link: (f"Of {link.params.iloc[-1]:.3g} for 10 log points of premium.",)  # noqa: E731
    monkeypatch.setattr(kind, "always_printed", by_hand)
    first, second = (said(Design(7, 8, unit, "share", 0.08)) for unit in ("log", "log points"))
    assert first != second
