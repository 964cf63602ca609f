"""The page of every key of a study is what the table of kinds says, and its examples are carried out."""

from __future__ import annotations

import importlib.util
import re
import shutil
import sys
import tomllib
from pathlib import Path

import pytest

import wagegap as wg
from wagegap.report.kinds import CAUTION, COMMON, KINDS
from wagegap.report.study_file import faults, schema
from wagegap.report.study_file.arguments import entries_of
from wagegap.report.study_file.entries import OF_THE_STUDY

ROOT = Path(__file__).resolve().parents[2]
_spec = importlib.util.spec_from_file_location("write_study_keys", ROOT / "tools" / "write_study_keys.py")
assert _spec is not None
assert _spec.loader is not None
tool = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(tool)
sys.path.insert(0, str(ROOT / "tools"))

from fuzzing import samples  # noqa: E402

PAGE = tool.PAGE.read_text(encoding="utf-8")
EXAMPLES = tool.EXAMPLES.read_text(encoding="utf-8")
FILES = {
    "graduates": "workers", "spells": "exit_rows", "choices": "choosers", "flows": "pairs", "migrants": "migrants",
    "changes": "occupations", "regions": "places", "firms": "firms", "countries": "country_table",
}  # fmt: skip
"""Tables of the examples, by what they are called there."""


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    """The study of all examples, beside its data."""
    folder = tmp_path_factory.mktemp("examples")
    made = wg.simulate_panel(
        countries=12, workers=1500, premium_sd=0.25, link_slope=-0.2, link_intercept=0.25, rng=3
    ).panel.frame  # fmt: skip
    codes = dict(zip(sorted(made["iso3"].unique()), samples.COUNTRIES, strict=True))
    workers = made.assign(iso3=made["iso3"].map(codes)).drop(columns=["abroad_next", "new_field_next"])
    workers.to_csv(folder / "workers.csv", index=False)
    for name, table in FILES.items():
        getattr(samples, table)().to_csv(folder / f"{name}.csv", index=False)
    return Path(shutil.copy(tool.EXAMPLES, folder))


def blocks():
    """Blocks of TOML on the page."""
    return re.findall(r"^```toml\n(.*?)^```", PAGE, flags=re.MULTILINE | re.DOTALL)


def keys_under(heading):
    """First cells of the tables under a heading of two or three marks, up to the next of as many."""
    marks = heading.split(" ")[0]
    start = PAGE.index(f"\n{heading}") + 1
    rest = PAGE[start + len(heading) :]
    end = re.search(rf"^#{{2,{len(marks)}}} ", rest, flags=re.MULTILINE)
    return re.findall(r"^\| `(\w+)` \|", rest[: end.start() if end else len(rest)], flags=re.MULTILINE)


def test_the_page_is_what_the_tool_writes():
    assert tool.page() == PAGE, "run: python tools/write_study_keys.py"


@pytest.mark.parametrize("kind", [*KINDS.values(), CAUTION], ids=lambda kind: kind.name)
def test_every_key_of_a_section_is_on_the_page(kind):
    held = keys_under(f"## `{tool.heading(kind)}`")
    made = schema()["properties"][kind.name]
    section = made if kind is CAUTION else made["items"] if kind.listed else made["additionalProperties"]
    assert {*held, *COMMON} == set(section["properties"])
    for name, estimator in kind.estimators.items() if len(kind.estimators) > 1 else ():
        under = keys_under(f'### `{kind.chosen_by} = "{name}"`')
        arguments = set(entries_of(kind, estimator)) - set(tool.own_entries(kind))
        assert set(under) == arguments | set(kind.besides.get(name, ()))


def test_every_key_of_the_study_is_on_the_page():
    assert keys_under("## Above all sections") == list(OF_THE_STUDY)
    assert keys_under("## In every section") == list(COMMON)


def test_examples_on_the_page_are_sections_of_the_study_that_is_carried_out():
    content = tomllib.loads(EXAMPLES)
    shown = set()
    for block in blocks():
        read = tomllib.loads(block)
        for kind, value in read.items():
            if isinstance(value, list) and kind in KINDS:
                assert all(one in content[kind] for one in value)
                shown |= {(kind, one.get(KINDS[kind].chosen_by)) for one in value}
            elif kind in KINDS:
                assert value.items() <= content[kind].items()
                shown |= {(kind, one.get("estimator")) for one in value.values()}
            else:
                assert content[kind] == value
    for kind in KINDS.values():
        default = None if kind.chosen_by not in kind.needs else next(iter(kind.estimators))
        estimators = [default, *list(kind.estimators)[1:]] if len(kind.estimators) > 1 else [None]
        assert {(kind.name, name) for name in estimators} <= shown


def test_the_examples_have_no_fault(path):
    assert faults(path) == ()


def test_the_examples_are_carried_out(path):
    done = wg.study(path)
    content = tomllib.loads(EXAMPLES)
    held = {(section.kind, section.title) for section in done.sections}
    assert {kind for kind, _ in held} >= {"premiums", "rates", "links", "gaps", "exits", "flows", "models"}
    results = sum(len(content[kind]) for kind in KINDS if kind not in ("panels", "covariates")) + 1
    assert len(done.sections) >= results
    assert not [finding.text for finding in done.findings if finding.kind == "refused"]


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ({"horizon": 2}, "{ horizon = 2 }"), (["a", 1.5], '["a", 1.5]'), (True, "true"), ("é", '"é"'),
    ],
)  # fmt: skip
def test_values_are_written_as_a_study_writes_them(value, said):
    assert tool.toml_of(value) == said
    assert tomllib.loads(f"x = {said}") == {"x": value}


def test_kinds_of_values_in_words():
    assert tool.kind_of({"anyOf": [{"type": "string", "format": "column"}, {"type": "array", "items": {
        "type": "string", "format": "column"}}]}) == "column or list of columns"  # fmt: skip
    assert tool.kind_of({"enum": ["a", True]}) == "text or true or false"
    assert tool.kind_of({}) == "any"
    assert tool.limit({"exclusiveMinimum": 0, "exclusiveMaximum": 1}) == "between 0 and 1"
