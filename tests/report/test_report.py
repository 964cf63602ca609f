"""What a reader of the report meets: an answer first, then chapters, and numbers that programs can read."""

from __future__ import annotations

import html
import json
import re

import numpy as np
import pandas as pd
import pytest

from wagegap.errors import ReliabilityError
from wagegap.estimation.estimates import Estimates
from wagegap.regression.link.fit import fit_link
from wagegap.report.page.chapters import chapters_of
from wagegap.report.sections.headline import _answer, _in_ten, _reasons


def text_of(page):
    """Words of a page, tags taken away."""
    without = re.sub(r"<(script|style)>.*?</\1>", " ", page, flags=re.DOTALL)
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", without)).replace("\u00a0", " ").split())


@pytest.fixture(scope="module")
def page(folder):
    return (folder / "report.html").read_text(encoding="utf-8")


def test_the_first_screen_holds_answer_interval_unit_and_reason(page):
    screen = text_of(page[page.index("<main>") : page.index('<section id="pay">')])
    assert screen.startswith("AI talent: does pay move it?")
    assert "Not settled These data do not say." in screen
    assert (
        "10 log points more premium go with anything from a fall of 899 to a rise of 133 per 10,000 in net migration "
        "of people with AI skills."
    ) in screen
    assert (
        "Two defensible methods disagree: for the same step one finds \u221290, the other \u2212366 per 10,000."
        in screen
    )
    assert "It rests on 38 countries." in screen
    assert "South Korea is not drawn: 17 of its 282 rows hold the skill, too few for a premium." in screen
    assert "6.0 % and 25.0 % Bank of Korea, published" in screen
    assert "11.7 % Stack Overflow, AI work among developers: United States, 95 % interval 7.6 to 15.7" in screen
    assert screen.count("<img") == 0
    assert len(screen.split()) < 280  # one screen


def test_nothing_on_the_page_is_an_argument_of_python(page):
    words = text_of(page)
    for argument in ("force=", "method=", "None", "NaN", "KeyError", "Traceback"):
        assert argument not in words, argument


def test_every_chapter_is_in_the_contents_and_picture_comes_before_the_fold(done, page):
    contents = re.search(r"<nav.*?</nav>", page, re.DOTALL).group(0)
    for chapter in chapters_of(done):
        assert f'href="#{chapter.anchor}"' in contents
        assert f'<section id="{chapter.anchor}">' in page
    articles = re.findall(r"<article.*?</article>", page, re.DOTALL)
    assert len(articles) == sum(len(chapter.sections) for chapter in chapters_of(done))
    for article in articles:
        if "<figure>" in article and "<details>" in article:
            assert article.index("<figure>") < article.index("<details>")


def test_what_is_refused_is_a_finding_in_plain_words(done, page):
    refused = text_of(page[page.index('<section id="not">') : page.index('<section id="how">')])
    assert refused.count("No corrected interval is given: reliability of the premiums is") == 3
    assert "South Korea is absent: 17 holders among 282" in refused
    error = ReliabilityError("too noisy.", "force=True reports it anyway.")
    assert (str(error), error.finding) == ("too noisy. force=True reports it anyway.", "too noisy.")


def test_methods_have_references_and_words_are_explained(page):
    ending = text_of(page[page.index('<section id="how">') :])
    assert "Fuller, W. A. (1987). Measurement Error Models" in ending
    assert "Fisher, R. A. (1935)" in ending  # of the caution
    assert "log points A hundred times a difference of logarithms" in ending
    assert "Oaxaca" not in ending  # nothing was decomposed
    assert "SHA-256" in ending


def test_the_summary_holds_the_numbers_with_keys_and_units(done, folder):
    summary = json.loads((folder / "summary.json").read_text(encoding="utf-8"))
    assert summary["answer"]["verdict"] == "Not settled"
    by_name = {section["name"]: section for section in summary["sections"]}
    link = pd.DataFrame(by_name["link_developers"]["numbers"])
    moments = link[(link["estimator"] == "moments") & (link["term"] == "premium")].iloc[0]
    fitted = done.links["developers"].moments
    assert moments["estimate"] == pytest.approx(fitted.params["premium"], rel=1e-8)  # JSON keeps ten digits
    settled = link[(link["estimator"] == "not settled") & (link["term"] == "premium")].iloc[0]
    assert pd.isna(settled["estimate"])
    assert settled["conf_low"] == pytest.approx(done.links["developers"].slope_interval()[0], rel=1e-8)


def test_tables_have_keys_names_and_units_as_columns(folder):
    frame = pd.read_csv(folder / "tables" / "premiums_published.csv")
    assert list(frame.columns[:4]) == ["iso3", "country", "term", "estimate"]
    assert set(frame["unit"]) == {"per cent"}
    assert frame.set_index("country").loc["South Korea", "estimate"] == 6.0
    assert frame["std_error"].isna().all()
    link = pd.read_csv(folder / "tables" / "link_developers.csv")
    assert {"term", "estimator", "estimate", "conf_low", "unit"} <= set(link.columns)
    assert all(pd.api.types.is_numeric_dtype(link[name]) for name in ("estimate", "std_error", "conf_low"))


def test_alternative_texts_claim_no_interval_that_is_not_there(done):
    figures = {name: alt for name, (_, alt) in done.figures.items()}
    assert "without intervals" in figures["rates_ai_migration"]
    assert "without intervals" in figures["premiums_published"]
    assert "95 %" in figures["premiums_developers"]
    assert "United States" in figures["link_developers"]


_UNITS = re.compile(
    r"\((log points|per cent|percentage points|per 10,000|share|log)\b|standard error|per 10 |p-value|specifications"
)


def test_every_axis_of_numbers_has_a_unit_and_shares_stay_within_bounds(done):
    seen = 0
    for name, (figure, _) in done.figures.items():
        for ax in figure.axes:
            for side, label in (("x", " ".join(ax.get_xlabel().split())), ("y", " ".join(ax.get_ylabel().split()))):
                if not label:
                    continue  # rows by name, or a bar of colours, whose unit the figure says
                seen += 1
                assert _UNITS.search(label), (name, label)
                if label.startswith(("outside (per cent)", "the share of STEM graduates")) and "given" not in label:
                    low, high = ax.get_xlim() if side == "x" else ax.get_ylim()
                    assert low >= -0.02, (name, low)  # drawn as shares, read in per cent
                    assert high <= 1.02, (name, high)
    assert seen > 20


CODES = ["AUS", "AUT", "BEL", "CAN", "CHE", "CHL", "CZE", "DEU", "DNK", "ESP", "FIN", "FRA", "GBR", "GRC", "HUN"]


def linked(slope, noise, **options):
    """A link of fifteen countries whose premiums are known well."""
    rng = np.random.default_rng(3)
    premium = rng.normal(0.2, 0.15, len(CODES))
    frame = pd.DataFrame({"iso3": CODES, "b": premium, "se": 0.01})
    rates = frame.assign(b=0.3 + slope * premium + rng.normal(0, noise, len(CODES)))
    return fit_link(
        "leaving ~ premium", Estimates.from_table(rates, term="leaving", unit="share"),
        Estimates.from_table(frame, term="premium", unit="log", **options), rng=1,
    )  # fmt: skip


def test_a_settled_link_is_answered_with_its_interval():
    link = linked(-0.4, 0.01)
    low, high = link.slope_interval()
    verdict, answer = _answer(link)
    assert verdict == "An association"
    size = f"{abs(10 * link.slope):.2f}"
    assert answer == (
        f"10 log points more premium go with a fall of {size} percentage points in leaving (95 % interval "
        f"{10 * low:.2f} to {10 * high:.2f})."
    )
    reason = " ".join(_reasons(link))
    assert "Sampling noise makes up less than 1 in 10" in reason or "makes up less than 1 in 10 by either" in reason
    assert "Without any one of them it lies between" in reason


def test_no_association_is_said_as_such():
    verdict, answer = _answer(linked(0.0, 0.05))
    assert verdict == "No clear association"
    assert answer.startswith("These data show no clear association: 10 log points more premium go with a ")


@pytest.mark.parametrize(
    ("reliability", "said"),
    [(0.62, "4 in 10"), (0.21, "8 in 10"), (0.96, "less than 1 in 10"), (0.04, "nearly all"), (-0.1, "all")],
)
def test_noise_in_tenths(reliability, said):
    assert _in_ten(reliability) == said
