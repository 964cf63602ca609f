"""The schema of studies takes what the check takes, and refuses what no study can say."""

from __future__ import annotations

import copy
import datetime as dt
import json
import tomllib
from importlib.resources import files

import pytest
from studies_of_all_kinds import SECTIONS, everything, place_of

from wagegap.report.kinds import CAUTION, COMMON, KINDS, PUBLISHED
from wagegap.report.study_file import schema
from wagegap.report.study_file.arguments import entries_of
from wagegap.report.study_file.described import about_arguments, first_sentence
from wagegap.report.study_file.entries import OF_SECTIONS, OF_THE_STUDY
from wagegap.report.study_file.json_schema import entry_schema, shipped_names

jsonschema = pytest.importorskip("jsonschema")
SCHEMA = schema()
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)


def refused(content):
    """Where the schema refuses something."""
    return {tuple(error.absolute_path) for error in VALIDATOR.iter_errors(content)}


def test_the_schema_is_one_and_is_plain():
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    assert json.loads(json.dumps(SCHEMA, allow_nan=False)) == SCHEMA
    assert schema() == SCHEMA
    assert schema() is not SCHEMA


def test_a_study_of_everything_is_valid():
    assert refused(everything()) == set()


@pytest.mark.parametrize("name", sorted(
    path.name for path in files("wagegap.report").joinpath("studies").iterdir() if path.name.endswith(".toml")
))  # fmt: skip
def test_shipped_studies_are_valid(name):
    text = files("wagegap.report").joinpath("studies", name).read_text(encoding="utf-8")
    assert refused(tomllib.loads(text)) == set()


@pytest.mark.parametrize(("kind", "estimator"), SECTIONS)
def test_a_key_that_is_not_known_or_not_there(kind, estimator):
    content = everything()
    address, entries = place_of(content, kind, estimator)
    entries["lable"] = "x"
    assert address in refused(content)
    del entries["lable"]
    chosen = KINDS.get(kind, CAUTION)
    needed = [name for name in chosen.needs if name in entries]
    if kind != "caution" and "shipped" not in entries:
        parameters = entries_of(chosen, chosen.estimators[estimator])
        needed += [name for name, one in parameters.items() if one.default is one.empty]
    assert needed or (kind, estimator) in (("covariates", "read_panel"), ("rates", "stock_rates"))
    kept = dict(entries)
    for name in needed:
        if name != chosen.chosen_by:
            del entries[name]
            assert address in refused(content), name
            entries.clear()
            entries.update(kept)


ODD = ({"x": [[{}]]}, [[["x"]]], 3.5, "text", -1, True)

ANYTHING = {"trait", "at", "std_errors", "pilot", "instruments", "base"}
"""Keys whose annotations allow anything, or any value of a column."""


@pytest.mark.parametrize(("kind", "estimator"), SECTIONS)
def test_each_key_refuses_what_it_cannot_hold(kind, estimator):
    content = everything()
    address, entries = place_of(content, kind, estimator)
    chosen = KINDS.get(kind, CAUTION)
    kept = dict(entries)
    names = [*COMMON, *chosen.takes, *(entries_of(chosen, chosen.estimators[estimator]) if kind != "caution" else ())]
    loose = set()
    for name in dict.fromkeys(names):
        found = False
        for value in ODD:
            entries[name] = value
            found = found or any(at[: len(address) + 1] == (*address, name) for at in refused(content))
        entries.clear()
        entries.update(kept)
        loose |= set() if found else {name}
    assert loose <= ANYTHING


@pytest.mark.parametrize("name", OF_THE_STUDY)
def test_each_key_of_the_study(name):
    assert any(at[:1] == (name,) for value in ODD for at in refused({name: value}))
    assert refused({name: OF_THE_STUDY[name].example}) == set()


@pytest.mark.parametrize(
    ("kind", "estimator", "name", "value"),
    [
        ("gaps", "oaxaca", "model", "logit"), ("premiums", "fit_premiums", "shipped", "developer_pay"),
        ("premiums", "fit_premiums", "selection", "~ x"), ("premiums", "fit_premiums", "method", "two-step"),
        ("premiums", "fit_selection", "method", "separate"), ("questions", "pool", "country", "KOR"),
        ("questions", "power", "link", "main"), ("questions", "power", "workers", "w"),
        ("questions", "one_step", "workers", 500), ("rates", "stock_rates", "events", "x"),
        ("panels", "read_panel", "transitions", {"horizn": 1}), ("covariates", "read_panel", "shipped", "income"),
        ("caution", "examine", "flows", "nothing"), ("links", "fit_link", "max_std_error", 0),
    ],
)  # fmt: skip
def test_what_goes_with_one_estimator_alone(kind, estimator, name, value):
    content = everything()
    address, entries = place_of(content, kind, estimator)
    entries[name] = value
    assert any(at[: len(address)] == address for at in refused(content))


def test_published_figures_and_what_is_shipped():
    published = {"path": "x.csv", "by": "iso3", "estimate": "b", "unit": "log"}
    assert refused({"premiums": {"a": published}}) == set()
    assert refused({"premiums": {"a": {**published, "premium": "ai"}}})
    assert refused({"rates": {"a": {**published, "events": "x"}}})
    assert refused({"premiums": {"a": {"shipped": "developer_pay", "premium": "ai"}}}) == set()
    assert refused({"premiums": {"a": {"shipped": "published_premiums", "premium": "ai"}}})
    assert refused({"premiums": {"a": {"shipped": "income"}}}) == set()  # which the check tells
    assert refused({"premiums": {"a": {"premium": "ai"}}})


def test_every_entry_is_explained():
    for kind in KINDS.values():
        published = [PUBLISHED] if "shipped" in kind.places and "panel" in kind.places else []
        for estimator in (*kind.estimators.values(), *published):
            for name in entries_of(kind, estimator):
                if estimator is not PUBLISHED or name != "frame":
                    about = entry_schema(kind, name, estimator).get("description", "")
                    assert len(about) > 5, (kind.name, estimator.__name__, name)
                    assert not about.startswith("As in"), (kind.name, estimator.__name__, name)
    for entries in (OF_THE_STUDY, *OF_SECTIONS.values()):
        assert all(entry.about.endswith((".", "`.")) for entry in entries.values())


def test_names_of_a_literal_are_those_of_the_annotation():
    panels = SCHEMA["properties"]["panels"]["additionalProperties"]["properties"]
    assert panels["worker_scope"]["enum"] == ["country", "global"]
    assert panels["worker_scope"]["default"] == "country"
    assert panels["worker_scope"]["description"] == about_arguments(KINDS["panels"].estimators["read_panel"])[
        "worker_scope"
    ]  # fmt: skip
    assert "talent_migration:ai" in shipped_names(KINDS["rates"])


def test_an_estimator_without_documentation_has_no_words():
    def bare(x: int) -> int:
        return x

    assert about_arguments(bare) == {}
    assert first_sentence("One. Two.") == "One."
    assert first_sentence("no end") == "no end"


def test_dates_are_texts_for_editors():
    content = copy.deepcopy({**everything(), "date": dt.date(2026, 12, 1).isoformat()})
    assert refused(content) == set()
