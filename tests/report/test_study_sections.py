"""A study of one's own workers that has a section of every kind, from its file to its report."""

from __future__ import annotations

import itertools
import json
import re
import tomllib

import pandas as pd
import pytest

from wagegap.errors import StudyError
from wagegap.panel.simulate import simulate_panel
from wagegap.report.kinds import KINDS
from wagegap.report.study import study

OWN = """
version = "0.8"
title = "Own workers"
question = "Do they leave?"
author = ["A. Person", "B. Person"]
date = 2026-12-01
watch = ["South Korea", "Germany"]
seed = 3

[panels.workers]
path = "workers.csv"
worker = "pid"
country = "Country"
period = "year"
wage = "hourly_wage"
field = "field"
worker_scope = "global"
transitions = true

[premiums.ai]
label = "Premium of AI work"
panel = "workers"
formula = "log(hourly_wage) ~ ai + exper + female | educ"
premium = "ai"
by = ["Country"]
source = "Simulated workers"

[rates.moves]
label = "What workers with AI skills do next"
panel = "workers"
events = { emigration = "abroad_next", switching = "new_field_next" }
among = "ai"
by = ["Country"]

[rates.published]
path = "rates.csv"
by = ["nation"]
estimate = "rate"
std_error = "error"
term = "leaving"
unit = "share"

[[links]]
name = "main"
title = "Do workers with AI skills leave?"
rates = "moves"
premiums = "ai"
formula = "emigration ~ premium"

[[links]]
name = "published"
rates = "published"
premiums = "ai"
formula = "leaving ~ premium"

[gaps.sex]
label = "Women and men"
panel = "workers"
formula = "log(hourly_wage) ~ exper + educ + ai"
group = "female"
groups = [0, 1]

[gaps.leaving]
estimator = "kitagawa"
panel = "workers"
outcome = "abroad_next"
factors = "educ"
group = "female"

[exits.who]
panel = "workers"
formula = "~ ai + exper"
exit = { abroad = "abroad_next", field = "new_field_next" }

[models.pay]
panel = "workers"
formula = "log(hourly_wage) ~ ai + exper"

[systems.both]
rates = "moves"
premiums = "ai"
formulas = ["emigration ~ premium", "switching ~ premium"]

[curves.every]
outcome = "emigration"
rates = "moves"
premiums = ["ai"]
reps = 19

[[questions]]
ask = "outlier"
link = "main"
country = "Korea"
title = "Is Korea an outlier?"

[[questions]]
ask = "outlier"
link = "main"
country = "Germany"

[[questions]]
ask = "predict"
link = "main"
country = "South Korea"
premium = 0.2

[[tables]]
name = "links"
of = ["main", "published"]

[[figures]]
name = "side_by_side"
plot = "forest"
of = ["ai"]
title = "Premiums once more"
"""


@pytest.fixture(scope="module")
def own(tmp_path_factory):
    folder = tmp_path_factory.mktemp("own")
    made = simulate_panel(
        countries=14, workers=700, periods=3, premium_sd=0.2, link_slope=-0.2, link_intercept=0.25, rng=3
    )
    frame = made.panel.frame.drop(columns=["abroad_next", "new_field_next"]).rename(columns={"iso3": "Country"})
    frame.to_csv(folder / "workers.csv", index=False)
    rates = pd.DataFrame({"nation": made.truth["iso3"], "rate": 0.3 - 0.2 * made.truth["premium"], "error": 0.01})
    rates.to_csv(folder / "rates.csv", index=False)
    (folder / "own.toml").write_text(OWN, encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def carried_out(own):
    return study(own / "own.toml")


def test_every_kind_of_section_is_tried_here_or_elsewhere():
    here = set(tomllib.loads(OWN)) & set(KINDS)
    assert set(KINDS) - here == {"covariates", "flows"}  # in test_main_job, and below


def test_every_section_says_what_it_found(carried_out):
    leads = {section.name: section.lead for section in carried_out.sections}
    assert re.fullmatch(
        r"Across 14 countries the premium is .* log points on average \(95 % interval .*", leads["premiums_ai"]
    )
    assert re.search(r"14 countries, from [\d.]+ \(\w+.*\) to [\d.]+ per cent", leads["rates_moves"])
    assert re.search(r"10 log points more premium go with -\d.* percentage points of emigration", leads["link_main"])
    assert "of which explained" in leads["gaps_sex"]
    assert "log points" in leads["gaps_sex"]
    assert "percentage points" in leads["gaps_leaving"]
    assert "abroad: ai +" in leads["exits_who"]
    assert "log points" in leads["models_pay"]
    assert leads["systems_both"].startswith("Emigration: 10 log points more premium go with -")
    assert leads["curves_every"].startswith("Of 3 specifications")
    assert "one would expect South Korea" in leads["question_outlier_main"]
    assert leads["question_outlier_main_2"].startswith("Germany is not in the link")
    assert carried_out.about == {"author": "A. Person, B. Person", "date": "2026-12-01"}


def test_the_first_link_answers_and_watched_countries_are_accounted_for(carried_out):
    headline = carried_out.headline
    assert headline.section == "link_main"
    assert headline.verdict == "An association"
    assert "percentage points in emigration" in headline.answer
    assert headline.caption == "Germany is not drawn: Germany has no premium here."
    assert any("Germany is not in the link: Germany has no premium here." in one.text for one in carried_out.findings)
    assert any(fact.what.startswith("Premium of AI work: South Korea, 95 % interval") for fact in headline.facts)


def test_rates_of_a_table_meet_premiums_of_a_panel_by_country(carried_out):
    assert carried_out.links["published"].nobs == 14


def test_the_report_of_every_kind_is_written(carried_out, tmp_path):
    folder = carried_out.save(tmp_path / "out")
    summary = json.loads((folder / "summary.json").read_text(encoding="utf-8"))
    assert summary["author"] == "A. Person, B. Person"
    assert {section["kind"] for section in summary["sections"]} >= {"premiums", "gaps", "exits", "questions", "curves"}
    page = (folder / "report.html").read_text(encoding="utf-8")
    for title in ("Where do gaps come from?", "Who leaves, and how?", "Questions asked of it", "Is Korea an outlier?"):
        assert title in page
    assert "Source: Simulated workers." in page
    for name in ("gaps_sex", "systems_both", "table_links"):
        assert (folder / "tables" / f"{name}.csv").is_file()


def test_an_answer_that_names_nothing_is_refused():
    content = {"premiums": {"paid": {"shipped": "published_premiums"}}, "answer": "payed"}
    with pytest.raises(StudyError, match="Did you mean 'paid'"):
        study(content)


def test_a_link_that_is_refused_answers_no_question():
    content = {
        "premiums": {"paid": {"shipped": "country_premiums:kaggle"}},
        "rates": {"moves": {"shipped": "talent_migration:ai"}},
        "covariates": {"income": {"shipped": "income"}},
        "links": [{"name": "main", "rates": "moves", "premiums": "paid", "covariates": "income",
                   "formula": "net_migration ~ premium + log(gdp_per_head)", "max_std_error": 0.35}],
        "questions": [{"ask": "outlier", "link": "main", "country": "KOR"}],
    }  # fmt: skip
    done = study(content)
    assert done.headline.verdict == "Not answered"
    assert done.headline.answer.startswith("These data cannot say. Sampling noise makes up 7 in 10")
    refused = [finding for finding in done.findings if finding.kind == "refused"]
    assert refused[1].text.startswith("No answer is given, as the link is refused: ")


def test_flows_between_places(tmp_path):
    pairs = itertools.permutations(enumerate(["AUT", "CHE", "DEU", "FRA"]), 2)
    rows = [(a, b, 100 + 10 * i + 7 * j, abs(i - j)) for (i, a), (j, b) in pairs]
    pd.DataFrame(rows, columns=["origin", "destination", "movers", "distance"]).to_csv(tmp_path / "f.csv", index=False)
    done = study({
        "panels": {"table": {"path": str(tmp_path / "f.csv")}},
        "flows": {"all": {"panel": "table", "formula": "movers ~ log(distance) | origin + destination"}},
        "premiums": {"paid": {"shipped": "published_premiums"}},
    })  # fmt: skip
    assert "log(distance)" in next(section.lead for section in done.sections if section.name == "flows_all")
