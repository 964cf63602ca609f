"""The main job: from a study file to a report that opens, and nothing half written when it cannot."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest

from wagegap.__main__ import main
from wagegap.errors import DuplicateKeyError, OutputError, StudyError
from wagegap.estimation.estimates import Estimates
from wagegap.panel.simulate import simulate_panel
from wagegap.regression.link.fit import fit_link
from wagegap.report.caution import examine
from wagegap.report.figures import plot_forest
from wagegap.report.page.files import save_study
from wagegap.report.study import study


def test_the_caution_is_printed_exactly(done):
    text = next(f.text for f in done.findings if f.kind == "caution")
    assert "r = .43, permutation p = .40 of 720 orders, ties counted" in text
    assert "without KOR r = -.11" in text
    assert ".73 (2015), .66 (2016), .63 (2017), .37 (2018); mean of years .64" in text


def test_the_verdict_of_the_caution_is_computed():
    both = np.array([[0.1, 0.1], [0.2, 0.2], [0.3, 0.3], [0.4, 0.4], [0.5, 0.5]])
    codes = ["AUS", "CAN", "FRA", "GBR", "KOR"]
    premiums = Estimates.from_table(pd.DataFrame({"iso3": codes, "b": both[:, 0], "se": 0.01}), term="premium")
    flows = pd.DataFrame({"iso3": codes * 2, "year": [2018] * 5 + [2019] * 5, "net": [*both[:, 1], *both[::-1, 1]]})
    text = examine(premiums, flows, year=2018, without="KOR").in_words()
    assert text.startswith("Premiums against net migration of 2018, 5 countries: r = 1.00, permutation p = ")
    assert "Without KOR the association of 2018 stays as it is (1.00)" in text
    assert "the test rejects at 5 % in 2 of 2 years" in text
    alone = flows.assign(net=np.where(flows["iso3"] == "KOR", 10.0, flows["net"] * ([1, -1, 1, -1, 1] * 2)))
    text = examine(premiums, alone, year=2018, without="KOR", label="Mine").in_words()
    assert text.startswith('Premiums of "Mine" against')
    assert "Without KOR the association of 2018 changes its sign (" in text


CODES = ["AUS", "CAN", "DEU", "FRA", "GBR", "JPN", "KOR", "USA"]


def examined(nets, values=None, **options):
    """The caution of eight countries; a list of rates for each year from 2017 on."""
    n = len(nets[0])
    b = np.arange(n, dtype=float) if values is None else values
    premiums = Estimates.from_table(pd.DataFrame({"iso3": CODES[:n], "b": b}), std_error=None, term="premium")
    flows = pd.concat([
        pd.DataFrame({"iso3": CODES[:n], "year": 2017 + i, "net": net}) for i, net in enumerate(nets)
    ])  # fmt: skip
    return examine(premiums, flows, **{"year": 2017, "without": "KOR" if n > 6 else "CAN", **options})


@pytest.mark.public_case("caution")
def test_a_perfect_association_in_all_years_is_no_caution():
    text = examined([np.arange(8.0), 2.0 * np.arange(8), 5.0 + np.arange(8)]).in_words()
    assert "r = 1.00, permutation p = .00 of 40320 orders, ties counted; without KOR r = 1.00." in text
    assert "Other years: 1.00 (2018), 1.00 (2019); mean of years 1.00." in text
    assert "Without KOR the association of 2017 stays as it is (1.00); the test rejects at 5 % in 3 of 3 years." in text
    assert "carry" not in text


@pytest.mark.parametrize(
    ("net", "said"),
    [
        ([1, 3, 2, 3, 1, 2, 40, 2.4], "loses more than half of its size"),
        ([0, 4, 1, 5, 2, 3, 30, 4], "keeps at least half of its size"),
        ([0, 1, 2, 3, 4, 5, -3, 7], "is larger"),
        ([3, 2, 2, 1, 1, 0, 40, 0], "changes its sign"),
    ],
)
def test_the_caution_says_what_becomes_of_the_association(net, said):
    premium, rates = np.arange(8.0), np.array(net, dtype=float)
    with_korea, without = np.corrcoef(premium, rates)[0, 1], np.corrcoef(*np.delete([premium, rates], 6, axis=1))[0, 1]
    ends = " to ".join(f"{r:.2f}".replace("0.", ".") for r in (with_korea, without))
    assert f"Without KOR the association of 2017 {said} ({ends})" in examined([rates]).in_words()


def test_the_caution_of_one_year_names_no_others():
    text = examined([np.arange(8.0)]).in_words()
    assert "Other years" not in text
    assert text.endswith("in 1 of 1 years.")


def test_rates_that_do_not_vary_have_no_association():
    text = examined([np.arange(8.0), np.ones(8)], year=2018).in_words()
    assert "2018, 8 countries: r = undefined" in text
    assert "cannot be told" in text
    assert "the test rejects at 5 % in 1 of 2 years, and is not defined in 1" in text


def test_the_caution_names_what_it_is_of_and_what_it_left_out():
    short = [1.0, 2.0, 3.0, 4.0, 5.0, np.nan]
    text = examined([short, short], label="Law", outcome="departures").in_words()
    assert text.startswith('Premiums of "Law" against departures of 2017, 5 countries')
    assert text.endswith("Left out, without a number in every year: JPN.")
    twice = Estimates.from_table(
        pd.DataFrame({"iso3": CODES * 2, "b": 1.0, "field": ["a"] * 8 + ["b"] * 8}),
        by=["iso3", "field"],
        std_error=None,
    )
    flows = pd.DataFrame({"iso3": CODES, "year": 2017, "net": np.arange(8.0)})
    with pytest.raises(DuplicateKeyError, match="one number of each iso3: 8 premiums"):
        examine(twice, flows, year=2017, without="KOR")
    with pytest.raises(DuplicateKeyError, match="one number of each iso3 and year"):
        examine(twice.select(field="a"), pd.concat([flows, flows]), year=2017, without="KOR")


def test_findings_name_the_cells_of_the_study(tmp_path):
    panel = simulate_panel(countries=3, workers=600, rng=2).panel
    panel.frame.assign(pay=panel.frame["hourly_wage"]).to_csv(tmp_path / "workers.csv", index=False)
    made = study({
        "title": "Fields", "watch": ["KOR"],
        "panels": {"w": {"path": str(tmp_path / "workers.csv"), "worker": "pid", "period": "year", "country": "iso3"}},
        "premiums": {
            "by_field": {
                "label": "AI by field", "panel": "w", "formula": "pay ~ ai * female", "premium": ["ai", "ai:female"],
                "by": ["field"],
            },
        },
    })  # fmt: skip
    about = [finding.about for finding in made.findings]
    assert about == ["AI by field: ai", "AI by field: ai:female"]
    assert all(re.match(r"\d+ cells by field, mean -?[\d.]+ \([\d.]+\); ", finding.text) for finding in made.findings)
    assert list(made.figures) == ["premiums_by_field_ai", "premiums_by_field_ai_female"]
    assert "ai of 4 estimates, with 95 % intervals. Highest: engineering" in made.figures["premiums_by_field_ai"][1]
    assert not any("countries" in alt or "(none)" in alt for _, alt in made.figures.values())
    made.save(tmp_path / "report")


def test_sentences_and_figures_name_cells_that_are_no_countries():
    names = ["law", "CHE", "engineering", "medicine", "arts", "education"]  # CHE is chemistry here
    frame = pd.DataFrame({"field": names, "b": [0.1, 0.2, 0.3, 0.4, 0.5, 0.6], "se": 0.02})
    premiums = Estimates.from_table(frame, by=["field"], term="ai", unit="log")
    rates = Estimates.from_table(
        frame.assign(b=[0.5, 0.4, 0.45, 0.3, 0.2, 0.25]), by=["field"], term="out", unit="share"
    )
    link = fit_link("out ~ premium", rates, premiums, method="ols")
    said = [
        link.few_countries(reps=99).in_words(), link.predict(country="CHE", premium=0.3).in_words(),
        link.outlier("law").in_words(), link.pool().in_words(),
    ]  # fmt: skip
    assert not any("countr" in text or "Switzerland" in text for text in said)
    assert "With 6 cells" in said[0]
    assert "across 6 cells were causal and CHE's premium" in said[1]
    assert "From the 5 other cells" in said[2]
    assert "CHE" in [text.get_text() for text in plot_forest(premiums).get_yticklabels()]
    countries = rates.map(np.eye(6), labels=rates.labels.rename(columns={"field": "land"}).assign(
        land=["KOR", "USA", "JPN", "DEU", "FRA", "CHE"]))  # fmt: skip
    assert "Switzerland" in [text.get_text() for text in plot_forest(countries).get_yticklabels()]


def test_every_slope_of_a_finding_is_for_one_step(done):
    text = next(f.text for f in done.findings if f.about == "Link, developers")
    link = done.links["developers"]
    assert "The slope is not settled: 10 log points more premium go with a change of net migration" in text
    assert "By likelihood, for the same step: -366 per 10,000" in text
    assert f"Naive slope, for the same step: {link.naive().slope / 10:.1f}" in text
    slopes = link.leave_one_out["slope"].dropna() / 10
    assert f"is between {slopes.min():.0f} (without" in text


# Per 10 log points, as contracted: hulls of moments and likelihood, and none of them excludes zero.
NOT_SETTLED = {
    "developers": (-899, 133),
    "developers_income": (-597, 618),
    "developers_data_science": (-1343, 172),
    "stem_switching": (-113, 27),
}


def test_the_shipped_links_are_not_settled(done):
    for name, expected in NOT_SETTLED.items():
        link = done.links[name]
        factor = 10.0 if name == "stem_switching" else 0.1
        assert not link.settled
        assert tuple(round(factor * end) for end in link.slope_interval()) == expected
        assert "[" in str(done.tables[f"link_{name}"])
    assert not any("significan" in finding.text for finding in done.findings)


def test_refusals_and_absences_are_findings(done):
    absent = [f.text for f in done.findings if f.kind == "absent"]
    assert absent == ["South Korea is absent: 17 holders among 282 (fewer than 20 premium holders)."]
    refused = {f.about: f.text for f in done.findings if f.kind == "refused"}
    assert set(refused) == {
        "Link, developers, without Iran, Philippines",
        "Link, developers income, without Iran, Philippines",
        "Link, data scientists income",
    }
    names = ("developers_without", "developers_income_without", "data_scientists_income")
    assert all(done.links[name].method == "ols" for name in names)
    assert (
        "The naive slope for 10 log points of premium is +4.8 per 10,000 (standard error 21.9, 36 cells)."
        in refused["Link, developers income, without Iran, Philippines"]
    )


def test_naive_slopes_are_those_of_the_plain_chain(done):
    alone, given = done.links["developers"].naive(), done.links["developers_income"].naive()
    assert (round(alone.slope), round(alone.bse["premium"]), alone.nobs) == (-147, 525, 38)
    assert (round(given.slope), round(given.bse["premium"]), given.nobs) == (303, 141, 38)
    alone, given = done.links["developers_without"], done.links["developers_income_without"]
    assert (round(alone.slope), round(alone.bse["premium"]), alone.nobs) == (-752, 467, 36)
    assert (round(given.slope), round(given.bse["premium"]), given.nobs) == (48, 219, 36)


def test_the_cross_block_matters(done):
    with_it, without = done.links["stem_switching"], done.links["stem_switching_no_cross"]
    assert np.any(with_it.cells.block(1, 0))
    assert not np.any(without.cells.block(1, 0))
    assert with_it.slope != pytest.approx(without.slope, rel=1e-3)


class Page(HTMLParser):
    def __init__(self):
        super().__init__()
        self.images, self.outside, self.links, self.anchors = [], [], [], set()

    def handle_starttag(self, tag, attributes):
        found = dict(attributes)
        if tag == "img":
            self.images.append(found)
        for name in ("src", "srcset"):
            if not found.get(name, "data:").startswith("data:"):
                self.outside.append(found[name])
        if "href" in found:
            self.links.append(found["href"])
        if "id" in found:
            self.anchors.add(found["id"])


def test_the_report_is_whole_and_self_contained(done, folder):
    page = Page()
    html = (folder / "report.html").read_text(encoding="utf-8")
    page.feed(html)
    assert len(page.images) == len(done.figures)
    assert all(image["alt"] for image in page.images)
    assert page.outside == []
    assert page.links
    for link in page.links:  # to a place on the page, or to a file beside it
        assert link[1:] in page.anchors if link.startswith("#") else (folder / link).is_file(), link
    for name in done.figures:
        assert (folder / "figures" / f"{name}.png").stat().st_size > 5_000
        assert (folder / "figures" / f"{name}.svg").stat().st_size > 5_000
    for name in done.tables:
        assert (folder / "tables" / f"{name}.csv").stat().st_size > 50
        assert "tabular" in (folder / "tables" / f"{name}.tex").read_text(encoding="utf-8")
    provenance = json.loads((folder / "provenance.json").read_text(encoding="utf-8"))
    assert provenance["seed"] == 1
    assert {"python", "numpy", "pandas", "statsmodels"} <= set(provenance["versions"])
    assert all(re.fullmatch("[0-9a-f]{64}", value) for value in provenance["sha256"].values())


def test_an_unwritable_folder_leaves_nothing(done, tmp_path):
    blocked = tmp_path / "a file"
    blocked.write_text("mine")
    with pytest.raises(OutputError, match="Nothing was written"):
        save_study(done, blocked)
    with pytest.raises(OutputError, match="Nothing was written"):
        save_study(done, blocked / "below")
    assert blocked.read_text() == "mine"
    assert list(tmp_path.iterdir()) == [blocked]


def write_study(tmp_path, text):
    made = simulate_panel(countries=12, workers=1500, premium_sd=0.2, link_slope=-0.2, link_intercept=0.25, rng=3)
    made.panel.frame.to_csv(tmp_path / "workers.csv", index=False)
    pd.DataFrame({"iso3": made.truth["iso3"], "gdp": np.linspace(1, 5, 12)}).to_csv(tmp_path / "macro.csv", index=False)
    path = tmp_path / "mine.toml"
    path.write_text(text, encoding="utf-8")
    return path


OWN = """
version = "0.4"
title = "Mine <b>&"
[panels.workers]
path = "workers.csv"
worker = "pid"
country = "iso3"
period = "year"
wage = "hourly_wage"
worker_scope = "global"
[premiums.ai]
panel = "workers"
formula = "log(hourly_wage) ~ ai + exper + I(exper**2) + female | educ"
premium = "ai"
by = ["iso3"]
[rates.leaving]
panel = "workers"
events = { emigration = "abroad_next" }
among = "ai"
by = ["iso3"]
[covariates.macro]
path = "macro.csv"
country = "iso3"
[[links]]
name = "main"
rates = "leaving"
premiums = "ai"
formula = "emigration ~ premium + gdp"
covariates = "macro"
"""


def test_a_study_of_ones_own(tmp_path, capsys):
    path = write_study(tmp_path, OWN)
    assert main([str(path), "-o", str(tmp_path / "report")]) == 0
    printed = capsys.readouterr()
    assert "emigration" in printed.out
    assert "panels: 100%" in printed.err
    html = (tmp_path / "report" / "report.html").read_text(encoding="utf-8")
    assert "Mine &lt;b&gt;&amp;" in html
    hashes = json.loads((tmp_path / "report" / "provenance.json").read_text())["sha256"]
    assert {"workers.csv", "macro.csv"} <= set(hashes)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (('version = "0.4"', 'version = "1.7"'), "says version = '1.7'.* reads studies of 0.3, 0.4"),
        (("[premiums.ai]", "[premium.ai]"), "Did you mean 'premiums'"),
        (('premiums = "ai"', 'premiums = "ais"'), "Did you mean 'ai'"),
        (('panel = "workers"\nformula', 'panel = "worker"\nformula'), "Did you mean 'workers'"),
        (('premium = "ai"', 'premiun = "ai"'), "premiun"),
        (('name = "main"', 'nane = "main"'), "Did you mean 'name'"),
        (("[[links]]", "[[links"), "not a TOML file"),
        (('formula = "emigration ~ premium + gdp"\n', ""), "lacks 'formula'"),
    ],
)
def test_a_study_with_a_slip_says_which(tmp_path, change, message):
    path = write_study(tmp_path, OWN.replace(*change))
    with pytest.raises(StudyError, match=message):
        study(path)


def test_a_study_without_a_version_is_read_like_one_of_the_first(tmp_path):
    path = write_study(tmp_path, OWN.replace('version = "0.4"\n', ""))
    assert list(study(path).links) == ["main"]


def test_the_command_prints_errors_without_a_traceback(tmp_path, capsys):
    assert main([str(tmp_path / "none.toml")]) == 2
    assert "cannot read the study" in capsys.readouterr().err
    with pytest.raises(SystemExit) as stop:
        main(["--version"])
    assert stop.value.code == 0
