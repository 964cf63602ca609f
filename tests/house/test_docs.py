"""The documentation says what there is: every public name, option and link, and nothing that does not exist."""

from __future__ import annotations

import ast
import importlib
import inspect
import re
from pathlib import Path

import pytest
from test_stability import rooms

import wagegap as wg
from wagegap.estimation.result import Result
from wagegap.regression.link.fitted import Answer

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
PAGES = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md")),
    *(path for path in sorted(DOCS.rglob("*.md")) if not {"generated", "_build"} & set(path.relative_to(DOCS).parts)),
]
REFERENCE = sorted((DOCS / "reference").glob("*.md"))
DIRECTIVE = re.compile(r"^\.\. auto(?:function|class|exception):: (\S+)$", re.M)
RETIRING = {"wagegap.oaxaca_offers"}  # warns, and names what took its place
INSIDE = {"FittedLink", "SettlingResult"}  # bases whose methods stand under the results that have them


def public():
    """Every public callable by its full name."""
    names = {room: entries for room, entries in rooms().items() if room not in ("wagegap.Estimates", "wagegap.Panel")}
    for room, entries in names.items():
        place = wg if room == "wagegap" else getattr(wg, room.partition(".")[2])
        yield from (
            (f"{room}.{name}", getattr(place, name)) for name in entries if not inspect.ismodule(getattr(place, name))
        )


def documented():
    """Names in the reference, in order."""
    return [name for page in REFERENCE for name in DIRECTIVE.findall(page.read_text(encoding="utf-8"))]


def resolve(name):
    """Import what a dotted name says: the longest part that is a module, and attributes of it."""
    parts = name.split(".")
    for end in range(len(parts), 0, -1):
        try:
            found = importlib.import_module(".".join(parts[:end]))
        except ImportError:
            continue
        for part in parts[end:]:
            found = getattr(found, part)
        return found
    raise ImportError(name)


def below(kind):
    """Every subclass that the package defines."""
    for one in kind.__subclasses__():
        if one.__module__.startswith("wagegap."):
            yield one
        yield from below(one)


# reference -----------------------------------------------------------------------------------------------------------


def test_every_public_name_is_in_the_reference():
    assert {name for name, _ in public()} - set(documented()) == set()


def test_every_name_of_the_reference_is_there_once():
    names = documented()
    assert sorted(names) == sorted(set(names))
    assert [name for name in names if resolve(name) is None] == []


def test_every_result_and_answer_is_in_the_reference():
    importlib.import_module("wagegap.report.study")  # which imports every room
    for name, _ in public():
        resolve(name)
    known = {resolve(name) for name in documented() if inspect.isclass(resolve(name))}
    kinds = {kind for base in (Result, Answer) for kind in below(base) if not kind.__name__.startswith("_")}
    classes = {f"{kind.__module__}.{kind.__qualname__}" for kind in kinds if kind.__name__ not in INSIDE}
    assert classes - {f"{kind.__module__}.{kind.__qualname__}" for kind in known} == set()


def test_formula_and_sources_of_every_estimator_are_in_the_reference():
    """They stand in the docstring of its module; doors to several estimators, and what estimates nothing, have none."""
    shown = {
        name for page in REFERENCE for name in re.findall(r"automodule:: (\S+)$", page.read_text("utf-8"), flags=re.M)
    }
    doors = {"fit_link": "estimators", "power": "estimators"}
    nothing = {"read_panel", "simulate_panel", "study", "table"}
    for name, thing in public():
        short = name.removeprefix("wagegap.")
        if name.count(".") > 1 or not inspect.isroutine(thing) or short in {*nothing, *doors} or name in RETIRING:
            continue
        assert thing.__module__ in shown, name
    for module in sorted(shown):
        assert "\nReferences\n---" in (resolve(module).__doc__ or ""), module
    assert len([module for module in shown if ".link.estimators." in module]) >= 10


# docstrings ----------------------------------------------------------------------------------------------------------


def sections(text):
    """Sections of a numpydoc docstring by name."""
    marks = list(re.finditer(r"^(\w[\w ]*)\n-{3,}$", text, re.M))
    ends = [mark.start() for mark in marks[1:]] + [len(text)] * bool(marks)
    return {mark[1]: text[mark.end() : end].strip("\n") for mark, end in zip(marks, ends, strict=True)}


def entries(section):
    """Names, type and description of each entry of a section."""
    blocks = re.split(r"^(?=\S)", section, flags=re.M)
    for block in filter(None, blocks):
        head, _, body = block.partition("\n")
        names, _, kind = head.partition(" : ")
        yield [name.strip(" *") for name in names.split(",")], kind, body


def lacks(name, thing):
    """What a docstring lacks."""
    text = inspect.getdoc(thing) or ""
    found = sections(text)
    yield from (f"one section {part}" for part in found if len(re.findall(rf"^{part}\n---", text, re.M)) > 1)
    arguments = list(inspect.signature(thing).parameters)
    described = found.get("Parameters", "") if inspect.isroutine(thing) else found.get("Attributes", "")
    named = {one for names, _, _ in entries(described) for one in names}
    yield from (f"{one} is not described" for one in arguments if one not in named and inspect.isroutine(thing))
    yield from (part for part in ("Examples",) if ">>> " not in found.get(part, ""))
    if inspect.isroutine(thing) and "Returns" not in found:
        yield "Returns"
    if arguments and "Raises" not in found and name != "wagegap.datasets.Source":
        yield "Raises"
    for names, kind, body in entries(described):
        if re.search(r"\bndarray\b|\barray\b(?! of Axes)", kind) and "shape" not in f"{kind} {body}":
            yield f"the shape of {names[0]}"


@pytest.mark.parametrize(
    ("name", "thing"),
    [
        (name, thing)
        for name, thing in public()
        if name not in RETIRING and not (inspect.isclass(thing) and issubclass(thing, BaseException))
    ],
    ids=lambda one: one if isinstance(one, str) else "",
)
def test_docstrings_say_what_a_user_must_know(name, thing):
    assert list(lacks(name, thing)) == []


def test_errors_and_methods_say_what_they_are():
    kinds = {thing for _, thing in public() if inspect.isclass(thing)} | set(below(Result)) | set(below(Answer))
    silent = [
        f"{kind.__name__}.{name}"
        for kind in kinds
        for name in [*vars(kind), "__doc__"]
        if not name.startswith("_") or name == "__doc__"
        if (name == "__doc__" or callable(getattr(kind, name)) or isinstance(vars(kind)[name], property))
        and not inspect.getdoc(kind if name == "__doc__" else getattr(kind, name))
    ]
    assert silent == []


SAID_ONCE = {"alpha", "ax", "cov", "small_sample", "hypothesis", "value", "data", "weights", "changes", "options"}
"""Words that mean the same in every method, said in docs/reference/results.md; options are those of the question."""


def test_every_option_of_a_method_is_described():
    kinds = {Result, Answer, *below(Result), *below(Answer), wg.Estimates, wg.Panel}
    silent = []
    for kind in kinds:
        for name, method in vars(kind).items():
            if name.startswith("_") or not inspect.isfunction(method):
                continue
            named = {
                one
                for names, _, _ in entries(sections(inspect.getdoc(method) or "").get("Parameters", ""))
                for one in names
            }
            options = list(inspect.signature(method).parameters)[1:]
            silent += [f"{kind.__name__}.{name}: {one}" for one in options if one not in named | SAID_ONCE]
    assert silent == []
    page = (DOCS / "reference" / "results.md").read_text(encoding="utf-8")
    assert [word for word in SAID_ONCE - {"changes", "options"} if f"`{word}`" not in page] == []


# pages ---------------------------------------------------------------------------------------------------------------


def anchors(page):
    """What links to a page may point at, by the rule of GitHub that the site follows."""
    heads = re.findall(r"^#{1,6} (.+)$", re.sub(r"^```.*?^```", "", page.read_text("utf-8"), flags=re.M | re.S), re.M)
    plain = [re.sub(r"\[([^]]*)\]\([^)]*\)|[`*]", r"\1", head) for head in heads]
    return {re.sub(r"[^\w\- ]", "", head.lower()).strip().replace(" ", "-") for head in plain}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_and_anchors_lead_somewhere(page):
    text = re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.M | re.S)
    wrong = []
    for link, anchor in re.findall(r"\]\((?!https?:|mailto:)([^)#\s]*)(?:#([^)\s]+))?\)", text):
        target = (page.parent / link).resolve() if link else page
        if not target.exists() or (anchor and target.suffix == ".md" and anchor not in anchors(target)):
            wrong.append(f"{link}#{anchor}")
    assert wrong == []


@pytest.mark.parametrize(
    "page", [page for page in PAGES if page.name != "CHANGELOG.md"], ids=lambda page: str(page.relative_to(ROOT))
)
def test_pages_name_what_exists(page):
    named = set(re.findall(r"\bwg\.([A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*)", page.read_text(encoding="utf-8")))
    missing = []
    for name in sorted(named):
        place = wg
        for part in name.split("."):
            if not hasattr(place, part):
                missing.append(f"wg.{name}")
                break
            place = getattr(place, part)
    assert missing == []


def cells(page):
    """Code cells of a page, that is their options and their code."""
    return re.findall(r"^```\{code-cell\} python\n(.*?)^```$", page.read_text(encoding="utf-8"), re.M | re.S)


EXECUTED = [page for page in PAGES if cells(page)]


def test_every_question_has_code_output_and_a_picture():
    how_to = [page for page in sorted((DOCS / "how_to").glob("*.md")) if page.name != "index.md"]
    listed = (DOCS / "how_to" / "index.md").read_text(encoding="utf-8")
    assert len(how_to) >= 11
    assert [page.stem for page in how_to if f":link: {page.stem}\n" not in listed] == []
    bare = [page.stem for page in how_to if not any("alt: " in cell for cell in cells(page))]
    assert set(bare) <= {"table_for_a_paper"}


@pytest.mark.parametrize("page", EXECUTED, ids=lambda page: page.stem)
def test_code_of_pages_reads_and_pictures_are_described(page):
    for cell in cells(page):
        options, _, code = cell.rpartition("\n---\n") if cell.startswith("---\n") else ("", "", cell)
        code = re.sub(r"\A(?::\w.*\n)+", "", code)
        ast.parse(code)
        assert max(map(len, code.splitlines())) <= LINE, code
        if code.rstrip().endswith(".figure"):
            assert re.search(r"alt: \w.{20,}", options), code


LINE = 88
"""Letters that a line of code on a page has room for."""


def test_every_figure_is_in_the_gallery():
    gallery = (DOCS / "gallery.md").read_text(encoding="utf-8")
    assert [name for name in wg.figures.__all__ if f"wg.figures.{name}(" not in gallery] == []


def test_pages_of_concepts_have_the_pictures_that_a_tool_draws(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "tools")
    pictures = importlib.import_module("draw_concept_pictures").PICTURES
    for name in pictures:
        assert re.search(rf"!\[\w[^]]{{40,}}\]\({name}\.svg\)", (DOCS / f"{name}.md").read_text(encoding="utf-8"))
        assert (DOCS / f"{name}.svg").stat().st_size > 10_000


# README --------------------------------------------------------------------------------------------------------------


def test_the_picture_of_the_readme_is_what_its_sentence_says(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "tools")
    link, figure = importlib.import_module("draw_readme_picture").draw()
    text = " ".join((ROOT / "README.md").read_text(encoding="utf-8").split())
    change = re.search(r"anywhere from (\S+) to (\S+) per 10,000", link.slope_in_words())
    noise = [round(100 * (1 - one.reliability)) for one in (link.verdict.moments, link.verdict.likelihood)]
    assert f"In {link.nobs} countries, 10 log points more premium go with a change" in text
    assert f"anywhere from {change[1]} to {change[2]} per 10,000" in text
    assert f"by one, {noise[0]} % of the spread of premiums is sampling noise, by the other {noise[1]} %" in text
    assert "docs/developers.svg" in text
    assert len(figure.axes) == 1


# guarantees ----------------------------------------------------------------------------------------------------------


def test_the_test_behind_each_guarantee_exists():
    text = (DOCS / "guarantees.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (?!promise|---)([^|]+) \| (.+) \|$", text, re.M)
    assert len(rows) >= 30
    for promise, behind in rows:
        tests = re.findall(r"`([\w/]+\.py)::(test_\w+)`", behind)
        assert tests, promise
        for path, name in tests:
            assert f"def {name}(" in (ROOT / path).read_text(encoding="utf-8"), f"{promise}: {path}::{name}"
