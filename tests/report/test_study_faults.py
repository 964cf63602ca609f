"""Everything that is wrong with a study is told at once, with its line: every kind of section, every key of each."""

from __future__ import annotations

import datetime as dt
import re
import tomllib

import pytest
from studies_of_all_kinds import SECTIONS, everything, place_of, write_tables

from wagegap.errors import CountryError, StudyError
from wagegap.report.kinds import CAUTION, COMMON, KINDS
from wagegap.report.study_file import faults, read_study
from wagegap.report.study_file.arguments import arguments_of, entries_of
from wagegap.report.study_file.entries import OF_SECTIONS, OF_THE_STUDY
from wagegap.report.study_file.faults import Place


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder with the tables that the sections are of."""
    made = tmp_path_factory.mktemp("tables")
    write_tables(made)
    return made


@pytest.fixture
def here(folder, monkeypatch):
    """Paths start from the folder with the tables."""
    monkeypatch.chdir(folder)
    return folder


def said(content):
    """Address and text of every fault."""
    return {(fault.address, fault.text) for fault in faults(content)}


def alone(kind, estimator):
    """A study of one section, and what leads to it."""
    content = everything()
    address, entries = place_of(content, kind, estimator)
    if kind == "caution":
        return {kind: entries}, (kind,), entries
    if isinstance(content[kind], list):
        return {kind: [entries]}, (kind, 0), entries
    return {kind: {address[-1]: entries}}, address, entries


# what is right -------------------------------------------------------------------------------------------------------


def test_every_kind_and_estimator_has_a_section_here():
    assert set(SECTIONS) == {(kind.name, name) for kind in (*KINDS.values(), CAUTION) for name in kind.estimators}


@pytest.mark.usefixtures("here")
def test_a_study_of_everything_has_no_fault():
    assert faults(everything()) == ()
    assert read_study(everything()).seed == 3


def test_every_entry_of_a_kind_is_described():
    for kind in (*KINDS.values(), CAUTION):
        for entry in (*COMMON, *kind.places, *kind.takes, *kind.refers, *kind.renamed):
            assert entry in OF_SECTIONS[""] or entry in OF_SECTIONS.get(kind.name, {}), (kind.name, entry)
        held = {entry for one in kind.estimators.values() for entry in entries_of(kind, one)}
        for entry in OF_SECTIONS.get(kind.name, {}):
            assert entry in held or entry in (*kind.takes, *kind.places, *kind.refers, kind.chosen_by), entry
    for entry, value in OF_THE_STUDY.items():
        if entry != "answer":
            assert said({entry: value.example}) == said({})


# what is wrong -------------------------------------------------------------------------------------------------------

ODD = (dt.time(3), {"x": [[{}]]}, [[[dt.time(3)]]], 3.5, "text", -1, True)
"""Values of which each key refuses one at least."""

ANYTHING = {
    ("links", "fit_link", "instruments"),
    ("questions", "moderate", "trait"), ("questions", "moderate", "at"), ("questions", "sensitivity", "std_errors"),
    ("questions", "power", "pilot"),
}  # fmt: skip
"""Keys whose annotations allow anything, so that only the estimator can judge them."""


@pytest.mark.parametrize(("kind", "estimator"), SECTIONS)
def test_each_key_refuses_what_it_cannot_hold(kind, estimator):
    content, address, entries = alone(kind, estimator)
    before = said(content)
    place = Place(KINDS.get(kind, CAUTION), "", address, dict(entries))
    known = arguments_of(place)[0].known
    kept = dict(entries)
    for entry in known:
        found = False
        for value in ODD:
            entries[entry] = value
            found = found or any(at[: len(address) + 1] == (*address, entry) for at, _ in said(content) - before)
        entries.clear()
        entries.update(kept)
        assert found != ((kind, estimator, entry) in ANYTHING), entry


@pytest.mark.parametrize("entry", OF_THE_STUDY)
def test_each_key_of_the_study_refuses_what_it_cannot_hold(entry):
    assert any(at == (entry,) for value in ODD for at, _ in said({entry: value}))


@pytest.mark.parametrize(("kind", "estimator"), SECTIONS)
def test_a_key_that_is_not_known(kind, estimator):
    content, address, entries = alone(kind, estimator)
    entries["lable"] = "x"
    told = [text for at, text in said(content) if at == (*address, "lable")]
    assert len(told) == 1
    assert "has an unknown entry 'lable'. Did you mean 'label'?" in told[0]


@pytest.mark.parametrize(("kind", "estimator"), SECTIONS)
def test_a_key_that_is_needed(kind, estimator):
    content, address, entries = alone(kind, estimator)
    place = Place(KINDS.get(kind, CAUTION), "", address, dict(entries))
    kept, before = dict(entries), said(content)
    needed = [*arguments_of(place)[0].needed, *(name for name in place.kind.places if name in entries)]
    assert needed
    for entry in needed:
        del entries[entry]
        told = [text for _, text in said(content) - before]
        assert any(f"lacks {entry!r}" in text or "needs p" in text for text in told), entry
        entries.clear()
        entries.update(kept)


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize(
    ("kind", "estimator", "entry", "value", "message"),
    [
        ("premiums", "fit_premiums", "panel", "ww", "panel 'ww' is not defined. Did you mean 'w'?"),
        ("premiums", "fit_premiums", "estimator", "fit_premium", "Did you mean 'fit_premiums'?"),
        ("premiums", "fit_premiums", "places", "iso3", "It is an entry of estimator = 'fit_selection'."),
        ("premiums", "fit_premiums", "shipped", "developer_pay", "takes its data from one of panel, shipped, path"),
        ("premiums", "fit_premiums", "path", "w.csv", "takes its data from one of panel, shipped, path"),
        ("gaps", "yun", "estimator", "yunn", "Did you mean 'yun'?"),
        ("gaps", "oaxaca", "formula", "log(pay) ~ ai + exec(x)", "cannot read|no function|exec"),
        ("gaps", "oaxaca", "formula", "pay", "must read 'outcome ~ regressors'"),
        ("gaps", "kitagawa", "subpop", "ai ==", "cannot read 'ai =='"),
        ("rates", "fit_rates", "among", "__import__('os')", "cannot read|no function"),
        ("flows", "fit_choice", "formula", "pay + ", "cannot read"),
        ("links", "fit_link", "rates", "leeving", "rates 'leeving' is not defined. Did you mean 'leaving'?"),
        ("links", "fit_link", "covariates", "world", "covariates 'world' is not defined. Defined: countries."),
        ("links", "fit_link", "leave_out", ["Frence"], "'leave_out' names no country by 'Frence'. Did you mean 'Fran"),
        ("links", "fit_link", "method", "mll", "Did you mean 'ml'?"),
        ("systems", "fit_link_system", "premiums", "a", "premiums 'a' is not defined"),
        ("systems", "fit_link_system", "formulas", ["emigration premium"], "must read 'outcome ~ regressors'"),
        ("curves", "specification_curve", "premiums", ["ai", "aii"], "premiums 'aii' is not defined"),
        ("questions", "predict", "link", "mian", "link 'mian' is not defined. Did you mean 'main'?"),
        ("questions", "predict", "country", "Frence", "Did you mean 'France'?"),
        ("questions", "predict", "ask", "predicted", "ask = 'predicted' is not known. Did you mean 'predict'?"),
        ("questions", "swap", "swap_in", "secnd", "Did you mean 'second'?"),
        ("questions", "moderate", "data", "income", "data 'income' is not defined"),
        ("questions", "one_step", "workers", "v", "workers 'v' is not defined"),
        ("questions", "power", "link", "main", "unknown entry 'link'"),
        ("questions", "power", "workers", "w", "workers="),
        ("tables", "table", "of", ["ai", "mian"], "of 'mian' is not defined. Did you mean 'main'?"),
        ("figures", "forest", "plot", "forst", "plot = 'forst' is not known. Did you mean 'forest'?"),
        ("caution", "examine", "without", "Frence", "'without' names no country by 'Frence'"),
        ("caution", "examine", "flows", "income:x", "says too much"),
        ("caution", "examine", "flows", "talent_migration:ai", "flows must be yearly"),
        ("panels", "read_panel", "transitions", {"horizn": 2}, "unknown entry 'horizn'. Did you mean 'horizon'?"),
        ("panels", "read_panel", "transitions", {"horizon": "x"}, "horizon='x' must be a whole number"),
        ("panels", "read_panel", "path", "w.cvs", "names no file of a kind that is read"),
        ("panels", "read_panel", "path", "v.csv", "no file 'v.csv'"),
        ("covariates", "read_panel", "shipped", "incom", "Did you mean 'income'?"),
    ],
)  # fmt: skip
def test_a_slip_is_told_in_its_place(kind, estimator, entry, value, message):
    content = everything()
    address, entries = place_of(content, kind, estimator)
    entries[entry] = value
    told = [fault for fault in faults(content) if fault.address[: len(address)] == address]
    assert any(message in fault.text or re.search(message, fault.text) for fault in told), told


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize(
    ("section", "message"),
    [
        ({"shipped": "income"}, "is a table of covariates, not estimates"),
        ({"shipped": "published_premiums", "by": ["iso3"]}, "shipped estimates do not take: by"),
        ({"shipped": "talent_migration:law"}, "skill='law' is not known. Known: 'ai', 'data_science'"),
        ({"shipped": "developer_pay"}, "lacks 'premium'"),
        ({"path": "country_table.csv", "estimate": "bb"}, "names 'bb', and country_table.csv has no such column. Did"),
        ({"path": "country_table.csv", "premium": "ai"}, "unknown entry 'premium'. It is an entry of estimator"),
        ({}, 'needs panel = "NAME"'),
    ],
)  # fmt: skip
def test_where_premiums_come_from(section, message):
    told = [fault.text for fault in faults({"premiums": {"x": section}})]
    assert any(message in text for text in told), told


# columns -------------------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize(
    ("kind", "estimator", "entry", "value", "name", "hint"),
    [
        ("panels", "read_panel", "worker", "pidd", "pidd", "Did you mean 'pid'?"),
        ("panels", "read_panel", "units", {"rat": "share"}, "rat", ""),
        ("panels", "read_panel", "replicate_weights", "SPFWT", "SPFWT", ""),
        ("premiums", "fit_premiums", "formula", "log(hourly_wage) ~ aii", "aii", "Did you mean 'ai'?"),
        ("premiums", "fit_premiums", "formula", "log(hourly_wage) ~ ai | firmm", "firmm", ""),
        ("premiums", "fit_premiums", "formula", "log(hourlywage) ~ ai", "hourlywage", "Did you mean 'hourly_wage'?"),
        ("premiums", "fit_premiums", "premium", ["ai", "cloud"], "cloud", ""),
        ("premiums", "fit_premiums", "by", ["iso3", "yaer"], "yaer", "Did you mean 'year'?"),
        ("premiums", "fit_premiums", "weights", "wt", "wt", ""),
        ("premiums", "fit_premiums", "subpop", "femal == 1", "femal", "Did you mean 'female'?"),
        ("premiums", "fit_selection", "selection", "works ~ zz", "zz", ""),
        ("rates", "fit_rates", "events", {"e": "abroad_nxt"}, "abroad_nxt", "Did you mean 'abroad_next'?"),
        ("rates", "fit_rates", "events", {"e": "new_occupation_next"}, "new_occupation_next", ""),
        ("rates", "stock_rates", "domestic", "domestc", "domestc", "Did you mean 'domestic'?"),
        ("gaps", "kitagawa", "factors", ["ai", "educc"], "educc", "Did you mean 'educ'?"),
        ("gaps", "oaxaca", "group", "sex", "sex", ""),
        ("exits", "fit_roy", "leave", "leavs > 0", "leavs", "Did you mean 'leaves'?"),
        ("flows", "fit_flows", "formula", "moves ~ offset(log(stok)) | origin", "stok", "Did you mean 'stock'?"),
        ("flows", "fit_choice", "formula", "pay + cst", "cst", "Did you mean 'cost'?"),
        ("flows", "grogger_hanson", "movers", ["skilled", "x"], "x", ""),
        ("models", "fit_linear", "instruments", "x ~ ofer", "ofer", "Did you mean 'offer'?"),
        ("models", "wild_bootstrap", "cluster", "frim", "frim", "Did you mean 'firm'?"),
    ],
)  # fmt: skip
def test_a_column_that_the_file_lacks(kind, estimator, entry, value, name, hint):
    content = everything()
    address, entries = place_of(content, kind, estimator)
    if entry == "premium":
        entries["formula"] = "log(hourly_wage) ~ ai"
    entries[entry] = value
    (fault,) = [fault for fault in faults(content) if fault.address == (*address, entry)]
    assert f"{entry} names {name!r}, and " in fault.text
    assert hint in fault.text
    assert hint or " There are: " in fault.text or "Did you mean" in fault.text


@pytest.mark.usefixtures("here")
def test_columns_that_are_not_read_and_those_that_transitions_make():
    content = everything()
    content["panels"]["w"] |= {"columns": ["ai", "educ", "exper", "female", "psu", "weight"]}
    assert faults(content) == ()
    content["panels"]["w"]["columns"].remove("educ")
    assert [fault.text for fault in faults(content)] == [
        "[premiums.ai]: formula names 'educ', which columns = [...] of the panel leaves out: add it there."
    ]
    content["panels"]["w"]["columns"].append("educ")
    del content["panels"]["w"]["transitions"]
    told = {fault.text.partition(", and")[0] for fault in faults(content)}
    assert "[rates.leaving]: events names 'abroad_next'" in told
    assert "[rates.moves]: destination names 'next_field'" in told


@pytest.mark.usefixtures("here")
def test_an_expression_that_cannot_be_read_is_no_column():
    content = everything()
    content["rates"]["leaving"]["events"] = {"e": "log(x"}
    (fault,) = [fault for fault in faults(content) if fault.section == "[rates.leaving]"]
    assert fault.text == (
        "[rates.leaving]: events: cannot read 'log(x': it ends where a column or number is missing, at character 6."
    )


@pytest.mark.usefixtures("here")
def test_a_name_of_several_sections_is_that_of_the_link_or_is_refused():
    content = everything()
    content["gaps"]["published"] = content["gaps"]["yun"]
    content["tables"][0]["of"] = ["published"]
    (fault,) = faults(content)
    assert fault.text == (
        "[[tables]] 'both': of 'published' is the name of 2 sections: write 'premiums.published' or 'gaps.published'."
    )
    content["tables"][0]["of"] = ["gaps.published", "premiums.ai"]
    assert faults(content) == ()
    content["rates"]["main"] = content["rates"]["leaving"]
    content["tables"][0]["of"] = ["main"]
    assert faults(content) == ()


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize(
    ("kind", "estimator", "entry", "value"),
    [
        ("links", "fit_link", "formula", "emigation ~ premium"),
        ("systems", "fit_link_system", "formulas", ["switching ~ premium", "emigation ~ premium"]),
        ("curves", "specification_curve", "outcome", "emigation"),
    ],
)
def test_an_outcome_that_the_rates_do_not_have(kind, estimator, entry, value):
    content = everything()
    address, entries = place_of(content, kind, estimator)
    entries[entry] = value
    (fault,) = faults(content)
    assert fault.address == (*address, entry)
    assert fault.text.endswith(
        ": the outcome 'emigation' is none of the rates 'leaving'. Did you mean 'emigration'? They are: emigration, "
        "switching."
    )


def test_headings_of_every_kind_of_file(folder, tmp_path):
    import pandas as pd

    rows = pd.DataFrame({"pay": [1.0, 2.0], "skill": [0, 1]})
    rows.to_csv(tmp_path / "a.csv.gz", index=False)
    rows.to_csv(tmp_path / "a.tsv", index=False, sep="\t")
    rows.to_parquet(tmp_path / "a.parquet")
    rows.to_stata(tmp_path / "a.dta", write_index=False)
    rows.to_excel(tmp_path / "a.xlsx", index=False)
    rows.to_csv(tmp_path / "semi.csv", index=False, sep=";", decimal=",")
    for name in ("a.csv.gz", "a.tsv", "a.parquet", "a.dta", "a.xlsx"):
        content = {"panels": {"w": {"path": str(tmp_path / name), "wage": "payy"}}, "premiums": {"p": {
            "panel": "w", "formula": "log(pay) ~ skill", "premium": "skill"}}}  # fmt: skip
        (fault,) = faults(content)
        assert "wage names 'payy'" in fault.text, name
    content["panels"]["w"] = {"path": str(tmp_path / "semi.csv"), "wage": "pay"}
    (fault,) = faults(content)
    assert "sep=" in fault.text
    content["panels"]["w"] |= {"sep": ";", "decimal": ","}
    assert faults(content) == ()
    (tmp_path / "a.csv").write_bytes((tmp_path / "a.parquet").read_bytes())
    content["panels"]["w"] = {"path": str(tmp_path / "a.csv")}
    (fault,) = faults(content)
    assert "holds a parquet file" in fault.text
    assert fault.address == ("panels", "w", "path")


# lines ---------------------------------------------------------------------------------------------------------------

SLIPS = '''\
title = "A study"
watch = ["Frence"]

[premiums.paid]
shipped = "published_premiums"
lable = """
many
lines"""

[rates.moves]
shipped = "talent_migration:law"

[[links]]
name = "main"
rates = "moves"
premiums = "pade"
formula = "net_migration premium"

[[links]]
name = "other"
leave_out = [
    "KOR",
    "Frence",
]
'''


def test_all_faults_of_a_file_with_their_lines(tmp_path):
    path = tmp_path / "study.toml"
    path.write_text(SLIPS)
    told = faults(path)
    rows = SLIPS.splitlines()
    assert [(fault.line, fault.section) for fault in told] == [
        (2, "the study"), (6, "[premiums.paid]"), (11, "[rates.moves]"), (16, "[[links]] 'main'"),
        (17, "[[links]] 'main'"), (19, "[[links]] 'other'"), (19, "[[links]] 'other'"), (19, "[[links]] 'other'"),
        (21, "[[links]] 'other'"),
    ]  # fmt: skip
    for fault in told:
        assert isinstance(fault.address[-1], int) or str(fault.address[-1]) in rows[fault.line - 1]
    with pytest.raises(StudyError) as refused:
        read_study(path)
    first, head, *further = str(refused.value).splitlines()
    assert first == told[0].text
    assert head == "9 faults in all, this one at line 2:"
    assert further[0] == "  line 6: [premiums.paid] has an unknown entry 'lable'. Did you mean 'label'?"
    assert further[-1] == "  and 5 more, at lines 17, 19, 19, 19, 21: `wagegap check` prints each."


def test_one_fault_is_said_as_it_is_and_keeps_its_kind(tmp_path):
    path = tmp_path / "study.toml"
    path.write_text('watch = ["Frence"]\n[premiums.paid]\nshipped = "published_premiums"\n')
    with pytest.raises(CountryError) as refused:
        read_study(path)
    assert str(refused.value) == faults(path)[0].text
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("text", "line"), [("a = 1\nb = \n", 2), ('x = "\n', 1), ("[a]\n[a]\n", 2), ("a = 1\n\na = 2\n", 3)]
)
def test_what_is_no_toml_has_its_line(tmp_path, text, line):
    path = tmp_path / "study.toml"
    path.write_text(text)
    with pytest.raises(tomllib.TOMLDecodeError):
        tomllib.loads(text)
    (fault,) = faults(path)
    assert (fault.line, fault.section) == (line, "the study")
    with pytest.raises(StudyError, match="not a TOML file"):
        read_study(path)


def test_a_byte_that_is_no_text_has_its_line(tmp_path):
    path = tmp_path / "study.toml"
    path.write_bytes(b"a = 1\nb = '\xff'\n")
    (fault,) = faults(path)
    assert fault.line == 2


def test_faults_come_without_lines_where_there_is_no_file():
    assert {fault.line for fault in faults({"titel": "x"})} == {0}


def test_the_shipped_study_has_no_fault():
    assert faults(None) == ()
