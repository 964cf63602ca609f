"""Formulas and conditions are read by a closed grammar: what it reads, what it means, and that nothing else is run."""

import ast
import pickle
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import wagegap as wg
from wagegap.errors import ColumnError, DataError, FormulaError, OptionError
from wagegap.estimation.conditions import condition_values
from wagegap.estimation.formula import changed_matrices, design_matrix
from wagegap.estimation.functions import FUNCTIONS
from wagegap.estimation.grammar import CODINGS, METHODS, parse_condition, parse_side, written

ROWS = pd.DataFrame(
    {
        "age": [20, 35, 50, 65],
        "ai": [0, 1, 1, 0],
        "pay": [10.0, np.nan, 30.0, 40.0],
        "field": ["law", "cs", None, "cs"],
        "years at work": [1.0, 2.0, 3.0, 4.0],
        "pay.log": [1.0, 2.0, 3.0, 4.0],
        "class": [1, 1, 2, 2],
        "day": pd.to_datetime(["2020-01-01", "2020-06-01", "2021-01-01", None]),
        "small": np.array([100, 120, 50, 1], dtype=np.int8),
    }
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("age > 30", [False, True, True, True]),
        ("30 < age <= 50", [False, True, True, False]),
        ("age > 30 & ai == 1", [False, True, True, False]),
        ("age > 60 | ai == 1 and age < 40", [False, True, False, True]),
        ("not ai", [True, False, False, True]),
        ("~(ai == 1)", [True, False, False, True]),
        ("not (age > 30) or age == 65", [True, False, False, True]),
        ("field == 'cs'", [False, True, False, True]),
        ("field in ['law', 'med']", [True, False, False, False]),
        ("field not in ('law',)", [False, True, True, True]),
        ("field == ['law', 'cs']", [True, True, False, True]),
        ("field.isna()", [False, False, True, False]),
        ("notna(field) and pay.notna()", [True, False, False, True]),
        ("pay != 10", [False, True, True, True]),
        ("age.between(35, 50)", [False, True, True, False]),
        ("age.isin([20, 65])", [True, False, False, True]),
        ("fillna(pay, 0) == 0", [False, True, False, False]),
        ("`years at work` >= 3 and `years at work`.notna()", [False, False, True, True]),
        ("pay.log > 1 and class == 1", [False, True, False, False]),
        ("day >= '2020-06-01'", [False, True, True, False]),
        ("age % 10 == 5", [False, True, False, True]),
        ("-age < -30 and age // 2 > 20", [False, False, True, True]),
        ("age == max(age)", [False, False, False, True]),
        ("max(age, 40) == 40", [True, True, False, False]),
        ("age^2 == 400 or age**2 == 2500", [True, False, True, False]),
        ("small * 2 > 127", [True, True, False, False]),
        ("where(ai == 1, age, 0) > 40", [False, False, True, False]),
        ("clip(age, 30, 50) == 50", [False, False, True, True]),
    ],
)
def test_conditions_mean_what_pandas_would_compute(text, expected):
    assert list(condition_values(ROWS, text, "for a test")) == expected


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("age >", "character 6"),
        ("age == @ai", "character 8"),
        ("age + = 2", "character 7"),
        ("(age", "character 5"),
        ("age ai", "character 5"),
        ("'a", "character 1"),
        ("age == 1x", "character 8"),
        ("field == 'cs'.upper()", "character 14"),
        ("age[0] == 1", "character 4"),
        ("[i for i in age]", "character 1"),
        ("f'{age}' == 1", "character 2"),
        ("log(age).real > 1", "character 9"),
        ("age = 1", "character 5"),
    ],
)
def test_what_leaves_the_grammar_is_refused_with_its_place(text, place):
    with pytest.raises(FormulaError, match=place):
        condition_values(ROWS, text, "for a test")


@pytest.mark.parametrize(
    ("text", "error", "words"),
    [
        ("aeg > 1", ColumnError, "Did you mean 'age'"),
        ("age.values > 1", FormulaError, "nothing is reached by a dot"),
        ("np.pi > age", FormulaError, "nothing is reached by a dot"),
        ("age.to_csv('x')", FormulaError, "'age.to_csv' in .* is no function"),
        ("lgo(age) > 1", FormulaError, "Did you mean 'log'"),
        ("log(age, 2) > 1", FormulaError, "takes 1 arguments, not 2"),
        ("C(age) == 1", FormulaError, "stands in no other function"),
        ("offset(age) == 1", FormulaError, "fit_flows alone"),
        ("field == 1", FormulaError, "is text and is compared with the number 1"),
        ("age == 'old'", FormulaError, "holds numbers and is compared with the text"),
        ("field + 1 > 2", DataError, "is text"),
        ("age and ai", FormulaError, "'age' is neither true nor false"),
        ("field in age", FormulaError, "a column and a list"),
        ("age + [1] > 2", FormulaError, "a list"),
        ("day > 5", FormulaError, "cannot be compared"),
        (3, FormulaError, "not int"),
        (["age > 1"], FormulaError, "not list"),
        ("a" * 300_000, FormulaError, "300,000 characters"),
        ("(" * 10_000 + "age" + ")" * 10_000, FormulaError, "within one another"),
        ("age ** 'x' > 1", FormulaError, "the text 'x'"),
    ],
)
def test_what_means_nothing_is_one_typed_error(text, error, words):
    with pytest.raises(error, match=words):
        condition_values(ROWS, text, "for a test")


def test_a_tower_of_powers_costs_nothing():
    assert not condition_values(ROWS, "age > 9**9**9**9", "for a test").any()


@pytest.mark.parametrize("text", ["(age + ai + pay)**40", "*".join(["age", "ai", "pay", "class", "small"] * 8)])
def test_a_formula_of_millions_of_terms_is_refused(text):
    with pytest.raises(FormulaError, match="terms"):
        design_matrix(ROWS.dropna(), text)


def test_a_caret_within_an_expression_is_a_power():
    # of whole numbers Python's own mark would be an exclusive or, without a word
    np.testing.assert_array_equal(design_matrix(ROWS, "I(age^2) - 1").values[:, 0], ROWS["age"] ** 2)


def test_names_with_dots_are_columns_where_there_is_one():
    assert design_matrix(ROWS, "pay.log + class").names == ("Intercept", "pay.log", "class")
    with pytest.raises(FormulaError, match="reached by a dot"):
        design_matrix(ROWS, "age.values")


@pytest.mark.parametrize(
    "text", ["I(age - mean(age))", "center(age)", "bs(age, df=4)", "I(age / max(age))", "scale(age):ai", "poly(age, 2)"]
)
def test_what_is_learnt_of_a_column_is_kept_for_changed_rows(text):
    rows = pd.DataFrame({"age": np.linspace(20.0, 60.0, 9), "ai": [0, 1, 0] * 3})
    same = changed_matrices(rows, text, [{"age": rows["age"].to_numpy()}, {"age": 40.0}])
    np.testing.assert_allclose(same[0], design_matrix(rows, text).values, rtol=1e-14)  # the same sums
    np.testing.assert_allclose(same[1][4], design_matrix(rows, text).values[4], rtol=1e-14)


def test_the_engine_of_formulas_is_given_no_text_of_the_users(monkeypatch):
    def evaluated(*_, **__):
        raise AssertionError("the formula engine evaluates text")

    monkeypatch.setattr("formulaic.materializers.base.stateful_eval", evaluated)
    text = "log(age)*C(class, contr.treatment(base=2)) + bs(`years at work`, df=4) + {age + 1}:ai + scale(age)"
    assert design_matrix(ROWS, text).values.shape[0] == len(ROWS)


RUNS_CODE = {"eval", "exec", "compile", "__import__", "system", "popen", "Popen", "read_pickle"}
OWN_CODE = {
    ("_arguments.py", "eval"),  # annotations, of the package's own functions
    ("pdf.py", "subprocess.Popen"),  # the browser that prints a report: no study names it, or a word of its command
}


def calls_in_the_package():
    for path in Path(wg.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call):
                yield path.name, node, ast.unparse(node.func)


def test_nothing_in_the_package_evaluates_text():
    ran = {
        (file, name)
        for file, _, name in calls_in_the_package()
        if name.rpartition(".")[2] in RUNS_CODE and name != "re.compile"
    }
    assert ran == OWN_CODE
    queries = [node for _, node, name in calls_in_the_package() if name.endswith(".query")]  # pandas', of constants
    assert queries
    assert all(isinstance(node.args[0], ast.Constant) for node in queries)


def test_nothing_in_the_package_opens_pickles():
    loads = {name for _, _, name in calls_in_the_package() if name.rpartition(".")[2] in ("load", "loads")}
    assert loads <= {"json.loads", "json.load", "np.load", "tomllib.load", "tomllib.loads"}
    allowed = [k.value for _, node, _ in calls_in_the_package() for k in node.keywords if k.arg == "allow_pickle"]
    assert allowed
    assert all(ast.unparse(value) == "False" for value in allowed)


def test_a_callable_is_what_goes_beyond_the_grammar():
    panel = wg.simulate_panel(countries=3, workers=400, rng=2).panel
    words = wg.fit_rates(panel, {"emigration": "abroad_next"}, among="ai == 1 and exper > 5", by="iso3")
    code = wg.fit_rates(
        panel,
        {"emigration": lambda frame: frame["abroad_next"]},
        among=lambda frame: (frame["ai"] == 1) & frame["exper"].gt(5),
        by="iso3",
    )
    np.testing.assert_array_equal(words.params, code.params)
    np.testing.assert_array_equal(words.estimates.covariance, code.estimates.covariance)
    assert len(panel.filter(lambda frame: frame["exper"] > 5)) == len(panel.filter("exper > 5"))


def test_a_callable_is_left_out_of_a_pickle_and_refit_asks_for_it():
    panel = wg.simulate_panel(countries=3, workers=400, rng=2).panel
    rates = wg.fit_rates(panel, {"emigration": "abroad_next"}, among=lambda frame: frame["ai"] == 1, by="iso3")
    opened = pickle.loads(pickle.dumps(rates))
    with pytest.raises(OptionError, match=re.escape("among by value or by a callable")):
        opened.refit(panel)
    np.testing.assert_array_equal(opened.refit(panel, among="ai == 1").params, rates.params)


def test_a_callable_is_given_a_copy():
    panel = wg.simulate_panel(countries=3, workers=100, rng=2).panel
    before = panel.frame.copy()

    def careless(frame):
        frame["ai"] = 0
        return frame["exper"] > 5

    panel.filter(careless)
    pd.testing.assert_frame_equal(panel.frame, before)


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (lambda frame: frame["nope"] > 1, "failed: KeyError"),
        (lambda frame: 1 / 0, "failed: ZeroDivisionError"),
        (lambda frame: True, "a value for each"),
        (lambda frame: [True], "1 values"),
        (lambda: True, "failed: TypeError"),
    ],
)
def test_a_callable_that_fails_is_one_typed_error(code, words):
    panel = wg.simulate_panel(countries=3, workers=100, rng=2).panel
    with pytest.raises(DataError, match=words):
        panel.filter(code)


NUMBERS = st.integers(0, 99).map(str) | st.floats(0.1, 99, allow_nan=False).map(lambda x: f"{x:.3f}")
EXPRESSIONS = st.recursive(
    NUMBERS | st.sampled_from(["a", "b"]),
    lambda inner: (
        st.tuples(inner, st.sampled_from(["+", "-", "*"]), inner).map(lambda t: f"{t[0]} {t[1]} {t[2]}")
        | inner.map(lambda text: f"({text})")
        | inner.map(lambda text: f"-({text})")
        | inner.map(lambda text: f"abs({text})")
    ),
    max_leaves=12,
)


@given(EXPRESSIONS)
@settings(max_examples=200, deadline=None)
def test_arithmetic_is_that_of_python(text):
    frame = pd.DataFrame({"a": [3.0], "b": [-0.5]})
    value = condition_values(frame, text, "for a test")
    expected = eval(text, {"__builtins__": {"abs": abs}}, {"a": 3.0, "b": -0.5})
    got = value.iloc[0] if isinstance(value, pd.Series) else value
    assert got == pytest.approx(expected, rel=1e-12, abs=1e-12)  # both in floats, in the same order
    assert written(parse_condition(written(parse_condition(text)))) == written(parse_condition(text))


def test_what_is_written_is_read_as_the_same_tree():
    texts = [
        *("(a + b) * c ** 2", "a - (b - c)", "not (a == 1 and b == 2)", "(a == 1) & (b == 2) | c", "a in [1, 'x']"),
        *("log(`a b`) ** -1", "C(a, Sum)", "C(a, levels=[1, 2])", "(a + b + c) / d", "a < b < c", "x.isna()"),
    ]
    for text in texts:
        read = parse_side if text.startswith("C(") else parse_condition
        again = written(read(text))
        assert written(read(again)) == again


def test_the_table_of_functions_is_whole():
    assert set(CODINGS) <= set(FUNCTIONS)
    assert set(METHODS) <= set(FUNCTIONS)
    assert all(function.says for function in FUNCTIONS.values())
