"""What is wrong with a study file is one error of its kind, said before any data are read, with the section's name."""

from __future__ import annotations

import hashlib
import json
import os
import time

import pandas as pd
import pytest

from wagegap.errors import CountryError, StudyError, WagegapError
from wagegap.panel.countries import country_name
from wagegap.panel.simulate import simulate_panel
from wagegap.report import study as study_module
from wagegap.report.findings import Part, Section
from wagegap.report.sections.names import file_name, placed
from wagegap.report.study import study
from wagegap.report.study_file import read as study_file
from wagegap.report.study_file import read_study

PUBLISHED = {"shipped": "published_premiums"}
LINK = {"name": "main", "rates": "moves", "premiums": "paid", "formula": "net_migration ~ premium"}
WHOLE = {
    "premiums": {"paid": PUBLISHED}, "rates": {"moves": {"shipped": "talent_migration:ai"}}, "links": [LINK],
}  # fmt: skip


@pytest.fixture
def works():
    """Says that a test reads and estimates."""


@pytest.fixture(autouse=True)
def no_work(monkeypatch, request):
    """Nothing may be read or estimated, but where a test says so."""
    if "works" not in request.fixturenames:
        monkeypatch.setattr(study_module, "_parts", lambda *args, **kwargs: pytest.fail("work was done"))


def links(*changes):
    return {**WHOLE, "links": [{**LINK, **change} for change in changes]}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (links({}, {}), r"\[\[links\]\]: two have the same name, 'main'"),
        (links({}, {"name": "Main"}), "names that some disks take for one, 'main' and 'Main'"),
        (links({"name": "a", "leave_out": ["KOR"]}, {"name": "a_without"}), "two have the same name, 'a_without'"),
        (links({"name": "a", "without_cross_block": True}, {"name": "A_no_cross"}), "some disks take for one"),
        (links({"name": "\u00e9"}, {"name": "e\u0301"}), "some disks take for one"),
        ({"premiums": {"Paid": PUBLISHED, "paid": PUBLISHED}}, r"\[premiums\]: two have names"),
        ({"rates": {"Paid": PUBLISHED, "paid": PUBLISHED}}, r"\[rates\]: two have names"),
        ({**WHOLE, "covariates": {"A": {"shipped": "income"}, "a": {"shipped": "income"}}}, r"\[covariates\]: two"),
        *(
            ({"premiums": {name: PUBLISHED}}, rf"\[premiums\]: .* cannot be a name.*{why}")
            for name, why in [
                ("a/b", "holds '/'"), ("..", "dots"), ("CON", "device"), ("", "empty"), (".a", "begins"),
                ("x" * 500, "longer"), ("a\0b", "cannot be seen"), ("../../etc/cron", "holds '/'"), ("a\\b", "holds"),
            ]
        ),
        (links({"name": "../../out"}), r"\[\[links\]\]: '../../out' cannot be a name"),
        (links({"name": 3}), r"\[\[links\]\] 3: name = 3 must be text"),
        (links({"formula": 3}), "formula = 3 must be text"),
        (links({"formula": "no tilde"}), r"\[\[links\]\] 'main': formula 'no tilde' must read"),
        (links({"rates": ["moves"]}), "must be text"),
        (links({"rates": "move"}), r"\[\[links\]\] 'main': rates 'move' is not defined. Did you mean 'moves'"),
        (links({"max_std_error": "small"}), "must be a number above 0"),
        (links({"max_std_error": float("nan")}), "must be a number above 0"),
        (links({"leave_out": [3, {}]}), "must be a list of countries"),
        (links({"without_cross_block": "yes"}), "must be true or false"),
        (links({"force": 1}), "force=1 must be True or False"),
        (links({"method": "olss"}), "Did you mean 'ols'"),
        ({"premiums": {"a": {"shipped": "developer_pay", "by": {}}}}, r"\[premiums.a\]: by={} must be"),
        ({"premiums": {"a": {"shipped": "developer_pay", "premium": [3]}}}, "must be text"),
        ({"premiums": {"a": {"shipped": "developer_pay", "min_treated": "x"}}}, "must be a whole number"),
        ({**WHOLE, "panels": {"w": {"path": "none.csv", "worker": {"a": 1}}}}, r"\[panels.w\]: worker="),
        ({**WHOLE, "links": {"main": LINK}}, r"each headed \[\[links\]\]"),
        ({**WHOLE, "links": [3]}, r"each headed \[\[links\]\]"),
        ({"premiums": 3}, r"must hold tables such as \[premiums.NAME\]"),
        ({"premiums": {"a": 3}}, r"must hold tables"),
        ({"premiums": [PUBLISHED]}, r"must hold tables"),
        ({"premiums": {"a": {"shipped": 3}}}, r"\[premiums.a\]: shipped = 3 must be text"),
        ({"premiums": {"a": {"shipped": "published"}}}, "Did you mean 'published_premiums'"),
        ({"premiums": {"a": {**PUBLISHED, "label": [1]}}}, r"label = \[1\] must be text"),
        ({"premiums": {"a": {"panel": "w", "premium": "ai"}}}, "panel 'w' is not defined"),
        ({"premiums": {"a": {"panel": "w", "formula": "a ~ b"}}}, "lacks 'premium'"),
        ({"premiums": {"a": {"panel": {}, "premium": "ai"}}}, "panel = {} must be text"),
        ({**WHOLE, "panels": {"w": {}}}, r"\[panels.w\] needs path"),
        ({**WHOLE, "panels": {"w": {"path": 3}}}, "path = 3 must be text"),
        ({**WHOLE, "panels": {"w": {"path": "/etc/passwd"}}}, "no file of a kind that is read"),
        ({**WHOLE, "panels": {"w": {"path": "w.pkl"}}}, "no file of a kind that is read"),
        ({**WHOLE, "panels": {"w": {"path": "w\0.csv"}}}, "cannot be one|no file"),
        ({**WHOLE, "panels": {"w": {"path": "none.csv"}}}, "no file 'none.csv'"),
        ({**WHOLE, "panels": {"w": {"path": "http://a.b/none.csv"}}}, "no file"),
        ({**WHOLE, "panels": {"w": {"path": "none.csv", "server": "x"}}}, "unknown entry 'server'"),
        ({**WHOLE, "panels": {"w": {"path": "none.csv", "wrker": "x"}}}, "Did you mean 'worker'"),
        ({**WHOLE, "covariates": {"x": {"shipped": "income", "path": "x.csv"}}}, "does not take"),
        ({**WHOLE, "caution": 3}, r"\[caution\] must be a table"),
        ({**WHOLE, "caution": {"premiums": "paid", "flows": "x", "year": 2019, "without": "KOR"}}, "nothing shipped"),
        ({**WHOLE, "caution": {"premiums": [], "flows": "x", "year": 2019, "without": "KOR"}}, "must be text"),
        ({**WHOLE, "title": 3}, "title = 3 must be text"),
        ({**WHOLE, "question": ["why"]}, "must be text"),
        ({**WHOLE, "version": {"a": 1}}, "the study says version"),
        ({**WHOLE, "seed": -1}, "whole number"),
        ({**WHOLE, "seed": True}, "whole number"),
        ({**WHOLE, "watch": 3}, "list of countries"),
        ({**WHOLE, "premiums": {3: PUBLISHED}}, "names that are text"),
        ({}, "nothing to do"),
        ({"output": "/tmp/elsewhere", **WHOLE}, "unknown entry 'output'"),
    ],
)  # fmt: skip
def test_a_study_with_a_slip_is_refused_before_the_work(tmp_path, monkeypatch, content, message):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(StudyError, match=message) as refused:
        study(content)
    assert len(str(refused.value)) < 500


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (links({"leave_out": ["Frence"]}), r"\[\[links\]\] 'main': 'leave_out' names no country by 'Frence'"),
        ({**WHOLE, "watch": ["KOR", "Koera"]}, "'watch' names no country by 'Koera'. Did you mean"),
        ({**WHOLE, "watch": [""]}, "'watch' names no country by ''"),
    ],
)
def test_a_country_that_nobody_knows(content, message):
    with pytest.raises(CountryError, match=message):
        study(content)


def nested(depth):
    content = inner = {}
    for _ in range(depth):
        inner["a"] = inner = {}
    return content


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"a = " + b"[" * 5000 + b"]" * 5000, "nested more than"),
        (b"[" + b".".join([b"a"] * 5000) + b"]\nx = 1", "nested more than"),
        (b"title = \"" + "K\u00f6ln".encode("latin-1") + b'"', "byte 11 is not UTF-8"),
        (b"seed = " + b"9" * 10_000, "not a TOML file"),
        (b"\xff\xfe\x00", "not UTF-8"),
        (b"[premiums.a]\n[premiums.a]", "not a TOML file"),
        (b"x" * (2**20 + 1), "are these the data"),
        (b"", "nothing to do"),
    ],
)  # fmt: skip
def test_a_file_that_is_no_study(tmp_path, text, message):
    path = tmp_path / "bad.toml"
    path.write_bytes(text)
    with pytest.raises(StudyError, match=message) as refused:
        study(path)
    assert len(str(refused.value)) < 500


def test_sources_that_are_no_file(tmp_path):
    for source in (tmp_path, tmp_path / "none.toml", "a\0b", "x" * 5000):
        with pytest.raises(StudyError):
            study(source)
    with pytest.raises(StudyError, match="nested"):
        study(nested(5000))
    if hasattr(os, "mkfifo"):
        os.mkfifo(tmp_path / "pipe.toml")
        with pytest.raises(StudyError, match="is no file"):
            study(tmp_path / "pipe.toml")
        os.mkfifo(tmp_path / "pipe.csv")
        with pytest.raises(StudyError, match="is no file"):
            study({**WHOLE, "panels": {"w": {"path": str(tmp_path / "pipe.csv")}}})


def test_refusals_take_no_time():
    start = time.perf_counter()
    for _ in range(20):
        with pytest.raises(StudyError):
            study(links({}, {}))
    assert time.perf_counter() - start < 5


def test_a_mark_of_byte_order_is_no_slip(tmp_path):
    path = tmp_path / "bom.toml"
    path.write_bytes(b'\xef\xbb\xbf[premiums.a]\nshipped = "published_premiums"\n')
    read = read_study(path)
    assert read.digest == hashlib.sha256(path.read_bytes()).hexdigest()


def test_names_that_fall_together_are_numbered():
    tables = [{"a": 1, "A": 2}, {"a": 3, "b": 4}]
    parts = placed([Part(Section(f"s{i}", "gaps", "", tables=tuple(some)), some) for i, some in enumerate(tables)])
    assert [dict(part.tables) for part in parts] == [{"a": 1, "A_2": 2}, {"a_3": 3, "b": 4}]
    assert [part.section.tables for part in parts] == [("a", "A_2"), ("a_3", "b")]
    assert len(file_name("t" * 500)) <= 60
    assert file_name("../../x") == "x"


# hashes --------------------------------------------------------------------------------------------------------------


def sha256sum(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.mark.parametrize("given", ["a path", "another folder"])
def test_hashes_are_those_of_the_files_and_of_no_others(tmp_path, monkeypatch, given):
    for year in (2019, 2020):
        (tmp_path / "data" / str(year)).mkdir(parents=True)
        (tmp_path / "data" / str(year) / "w.csv").write_text(f"x\n{year}\n")
    path = tmp_path / "mine.toml"
    path.write_text(
        '[panels.w]\npath = "data/*/w.csv"\n[panels.alone]\npath = "data/2019/w.csv"\n'
        '[premiums.a]\nshipped = "published_premiums"\n'
    )
    if given == "a path":
        monkeypatch.chdir(tmp_path)
    hashes = read_study("mine.toml" if given == "a path" else path).hashes()
    table = sha256sum(study_file.files("wagegap.datasets").joinpath("tables", "facts.csv"))
    assert hashes == {
        "mine.toml": sha256sum(path),
        "data/2019/w.csv": sha256sum(tmp_path / "data" / "2019" / "w.csv"),
        "data/2020/w.csv": sha256sum(tmp_path / "data" / "2020" / "w.csv"),
        "facts.csv": table,
    }


def test_the_shipped_study_has_the_hash_of_its_file():
    read = read_study(None)
    assert read.digest == sha256sum(study_file.files("wagegap.report").joinpath("studies", "ai_talent.toml"))
    assert set(read.hashes()) == {
        "ai_talent.toml", "developer_pay.npz", "country_premiums.csv", "facts.csv", "stem_graduates.csv",
        "talent_migration.csv", "talent_migration_by_year.csv", "income.csv",
    }  # fmt: skip


@pytest.mark.usefixtures("works")
def test_a_study_without_a_file_says_so(tmp_path):
    done = study({"premiums": {"paid": PUBLISHED}})
    assert set(done.hashes) == {"facts.csv"}
    done.save(tmp_path / "out")
    provenance = json.loads((tmp_path / "out" / "provenance.json").read_text())
    assert provenance["study"] == "given as a mapping, without a file"
    assert set(provenance["files"]) == {
        "report.html", "findings.txt", "summary.json", "figures/premiums_paid.png", "figures/premiums_paid.svg",
        "tables/premiums_paid.csv", "tables/premiums_paid.tex",
    }  # fmt: skip
    assert all(sha256sum(tmp_path / "out" / path) == digest for path, digest in provenance["files"].items())


# countries -----------------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("works")
@pytest.mark.parametrize("column", ["iso3", "Country"])
def test_countries_are_left_out_by_name_or_code_and_watched(tmp_path, column):
    made = simulate_panel(countries=12, workers=1500, premium_sd=0.2, link_slope=-0.2, link_intercept=0.25, rng=3)
    made.panel.frame.rename(columns={"iso3": column}).to_csv(tmp_path / "w.csv", index=False)
    first, other = sorted(made.truth["iso3"])[:2]
    names = {code: country_name(code) for code in (first, other)}

    def carried_out(left_out):
        return study({
            "watch": [other],
            "panels": {"w": {
                "path": str(tmp_path / "w.csv"), "worker": "pid", "country": column, "period": "year",
                "worker_scope": "global",
            }},
            "premiums": {"ai": {"panel": "w", "formula": "log(hourly_wage) ~ ai", "premium": "ai"}},
            "rates": {"leaving": {"panel": "w", "events": {"emigration": "abroad_next"}, "among": "ai"}},
            "links": [{
                "name": "main", "rates": "leaving", "premiums": "ai", "formula": "emigration ~ premium",
                "leave_out": left_out,
            }],
        })  # fmt: skip

    by_name, by_code = carried_out([names[first], "Fiji"]), carried_out([first])
    assert by_name.links["main_without"].nobs == by_code.links["main_without"].nobs == 11
    assert by_name.links["main_without"].slope == by_code.links["main_without"].slope
    absent = [finding for finding in by_name.findings if finding.kind == "absent"]
    assert [finding.text for finding in absent] == ["Fiji cannot be left out: no premium among 12 is theirs."]
    assert f"Link, main, without {names[first]}" in [finding.about for finding in by_name.findings]
    assert any(names[other] in finding.text for finding in by_name.findings)
    none = carried_out(["Fiji"])
    assert set(none.links) == {"main"}


@pytest.mark.usefixtures("works")
def test_countries_cannot_be_left_out_of_what_has_none(tmp_path):
    panel = simulate_panel(countries=3, workers=600, rng=2).panel
    panel.frame.to_csv(tmp_path / "w.csv", index=False)
    content = {
        "panels": {"w": {"path": str(tmp_path / "w.csv"), "worker": "pid", "period": "year", "country": "iso3"}},
        "premiums": {"ai": {"panel": "w", "formula": "log(hourly_wage) ~ ai", "premium": "ai", "by": ["field"]}},
        "rates": {"out": {"panel": "w", "events": {"move": "abroad_next"}, "by": ["field"]}},
        "links": [{
            "name": "main", "rates": "out", "premiums": "ai", "formula": "move ~ premium", "leave_out": ["KOR"],
        }],
    }  # fmt: skip
    with pytest.raises(StudyError, match="leave_out names countries, and its premiums are by field"):
        study(content)


@pytest.mark.usefixtures("works")
def test_errors_of_the_data_keep_their_kind(tmp_path):
    pd.DataFrame({"pay": [1.0, -2.0]}).to_csv(tmp_path / "w.csv", index=False)
    with pytest.raises(WagegapError, match=r"\[panels.w\]: "):
        study({**WHOLE, "panels": {"w": {"path": str(tmp_path / "w.csv"), "wage": "pay"}}})
