"""The page on formulas and conditions says what the grammar reads: its tables are the grammar's, its examples run."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest
from test_honest_formulas import with_gaps

import wagegap as wg
from wagegap.errors import FormulaError
from wagegap.estimation import expressions, formula, grammar
from wagegap.estimation.formula import design_matrix, split_formula
from wagegap.estimation.functions import FUNCTIONS

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "formulas.md").read_text(encoding="utf-8")


def tables(heading):
    """Rows of the tables under a heading, cells as they stand."""
    section = re.split(r"^## ", PAGE, flags=re.MULTILINE)
    text = next(part for part in section if part.startswith(f"{heading}\n"))
    return [
        [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in table.splitlines()[2:]]
        for table in re.findall(r"(?:^\|.*\n)+", text, flags=re.MULTILINE)
    ]


def code(cell):
    """What stands in backticks in a cell."""
    return [mark.replace("\\|", "|") for mark in re.findall(r"(?<!`)`([^`]+)`(?!`)", cell)]


def test_the_tables_of_functions_are_those_of_the_grammar():
    listed = {"as numpy": {}, "of columns": {}, "terms": {}, "codings": {}}
    for kind, table in zip(listed, tables("Functions"), strict=True):
        listed[kind] = {code(name)[0]: says for name, says in table}
    own = {name: function for name, function in FUNCTIONS.items() if not name.startswith("np.")}
    assert {name: says for table in listed.values() for name, says in table.items()} == {
        name: function.says for name, function in own.items()
    }
    assert set(listed["as numpy"]) == {name for name in own if f"np.{name}" in FUNCTIONS}
    assert set(listed["of columns"]) == set(grammar.METHODS)
    assert set(listed["codings"]) == set(grammar.CODINGS)


@pytest.mark.parametrize(
    ("heading", "levels", "beside"),
    [
        ("Operators of expressions", grammar._EXPRESSION, {"~", "not in", "**", "^"}),
        ("Operators of formulas", grammar._SIDE, {"~", "|", "**", "^"}),
    ],
)
def test_the_tables_of_operators_are_those_of_the_grammar(heading, levels, beside):
    (table,) = tables(heading)
    marks = {mark for _, of_level in levels for mark in of_level}
    if levels is grammar._SIDE:
        marks.remove("in")  # how `%in%` is kept
    assert {mark for row in table for mark in code(row[0])} == marks | beside


def test_names_numbers_and_operators_are_read_as_the_page_says():
    frame = with_gaps()
    (names,), (expressions,), (terms,) = map(
        tables, ("Columns, numbers and text", "Operators of expressions", "Operators of formulas")
    )
    columns = code(names[0][0]) + re.findall(r"`` (`[^`]+`) ``", names[1][0]) + code(names[2][0])
    assert len(columns) == 6
    assert [design_matrix(frame, name).names[1] for name in columns] == [name.strip("`") for name in columns]
    for number in code(names[3][0]):
        assert grammar.parse_condition(number) == grammar.Constant(float(number))
    conditions = [text for row in expressions for text in code(row[1])]
    panel = wg.read_panel(frame)
    assert len([panel.filter(text) for text in [*conditions, "ai == 1 | exper > 20"]]) == 4
    same = [code(row[1]) for row in terms if len(code(row[1])) == 2 and "exper" in row[1]]
    assert all(design_matrix(frame, short).names == design_matrix(frame, long).names for short, long in same)
    assert len(same) == 1


def test_the_limits_of_the_page_are_those_that_hold():
    said = re.search(r"brackets (\S+) deep, (\S+)\s+operators .*, (\S+) terms .*, splines of (\S+) columns", PAGE)
    kept = grammar._DEEPEST, grammar._MOST_MARKS, formula._MOST_TERMS, expressions._MOST
    assert [int(number.replace(",", "")) for number in said.groups()] == list(kept)


def test_the_messages_of_the_page_are_those_that_are_said():
    panel = wg.read_panel(with_gaps())
    (refused,) = tables("What is refused")
    assert len(refused) == 5
    for text, said in refused:
        with pytest.raises(FormulaError) as error:
            panel.filter(code(text)[0])
        assert str(error.value) == said


def test_the_calls_of_the_page_run(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "tools")
    import run_readme

    run_readme.run(ROOT / "docs" / "formulas.md")
    del sys.modules["run_readme"]


def test_spellings_of_other_packages_that_are_the_same_are_read():
    (table,) = tables("From other packages")
    same = [text for theirs, here in table for text in code(theirs) if here == "the same" and "fe" not in text]
    assert len(same) == 5
    for text in same:
        assert design_matrix(with_gaps(), text).values.shape[0] == len(with_gaps())
    assert split_formula("y ~ x | fe1^fe2").effects == ("fe1^fe2",)
