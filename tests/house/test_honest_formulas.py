"""Honest formulas and conditions: what the grammar of docs/formulas.md promises, each against numpy and pandas.

Every line is a text and a computation of the same in Python. Names and sums of the columns that a formula makes stand
in tests/reference/formulas.json, computed before formulas had a grammar of their own, so that no formula changes what
it means, and no result the names of its rows.
"""

from __future__ import annotations

import functools

import numpy as np
import pandas as pd
import pytest
from scipy.interpolate import CubicSpline

import wagegap as wg
from wagegap.estimation.formula import design_matrix, split_formula, split_offset

N = 24


@functools.cache
def workers():
    """Two dozen workers of three countries, with columns of every kind and some odd names."""
    i = np.arange(N)
    return pd.DataFrame(
        {
            "pay": np.exp(2 + 0.1 * (i % 7) + 0.05 * i), "exper": 1.0 + i % 9, "age": 25.0 + (7 * i) % 31,
            "educ": 1 + i % 3, "ai": (i // 2) % 2, "female": (i // 3) % 2, "z": np.cos(i + 0.5),
            "x": np.sin(1.0 + 2 * i), "w": 0.5 + (i % 5) / 4, "year": 2020 + i % 4,
            "field": np.array(["cs", "law", "med", "art"])[(i * i // 5 + i) % 4],
            "iso3": np.array(["FRA", "KOR", "USA"])[(i // 4) % 3], "firm": np.array(["a", "b", "c"])[(i * i) % 3],
            "member": i % 5 > 1, "kids": pd.array((3 * i) % 4, dtype="Int64"),
            "level": pd.Categorical(np.array(["low", "mid", "top"])[(i // 8) % 3], ["top", "mid", "low"], ordered=True),
            "highest degree": np.array(["BA", "MA"])[(i // 5) % 2], "years (of) work": 2.0 + i % 6, "2nd job": i % 2,
            "pay.usd": 3.0 + i % 8, "größe": 160.0 + i, "job_1": i % 3 * 1.0,
        }
    )  # fmt: skip


def ones(d):
    return np.ones(len(d))


def dummies(column, *levels):
    """A column of 0 and 1 for each level."""
    return [(np.asarray(column) == level).astype(float) for level in levels]


def levels(column):
    """Levels in their order: those of a category, else sorted."""
    return list(column.cat.categories) if hasattr(column, "cat") else sorted(set(column))


def factor(column, base=None):
    """Dummies of all levels but one, the first where none is named."""
    all_levels = levels(column)
    base = all_levels[0] if base is None else base
    return dummies(column, *(level for level in all_levels if level != base))


def coded(column, codes):
    """Columns of a factor under a matrix of contrasts, a row for each level."""
    return list((np.column_stack(dummies(column, *levels(column))) @ np.asarray(codes)).T)


def times(first, second):
    """Products of two blocks of columns, the first varying fastest."""
    return [a * b for b in second for a in first]


def powers_orthogonal(values, degree):
    """Orthonormal polynomials by Gram and Schmidt (QR), signs such that leading coefficients are positive."""
    q, r = np.linalg.qr(np.vander(values - values.mean(), degree + 1, increasing=True))
    return list((q * np.sign(np.diag(r)))[:, 1:].T)


def de_boor(values, knots, degree):
    """Values of all B-splines on a vector of knots, by the recursion of Cox and de Boor."""
    last = np.flatnonzero(np.diff(knots))[-1]
    inside = [
        ((knots[j] <= values) & ((values < knots[j + 1]) | ((j == last) & (values == knots[-1])))).astype(float)
        for j in range(len(knots) - 1)
    ]
    for k in range(1, degree + 1):
        inside = [
            _share(values - knots[j], knots[j + k] - knots[j]) * inside[j]
            + _share(knots[j + k + 1] - values, knots[j + k + 1] - knots[j + 1]) * inside[j + 1]
            for j in range(len(inside) - 1)
        ]
    return inside


def _share(above, below):
    return above / below if below else np.zeros_like(above)


def b_splines(values, inner, degree=3):
    """B-splines with given inner knots, the first left out (the constant is in the formula)."""
    ends = np.repeat([values.min(), values.max()], degree + 1)
    return de_boor(values, np.sort(np.concatenate([ends, inner])), degree)[1:]


def splines(values, knots, ends="natural"):
    """Cubic splines that are one at a knot of theirs and zero at the others."""
    heights = np.eye(len(knots)) if ends == "natural" else np.eye(len(knots) - 1)[[*range(len(knots) - 1), 0]]
    return list(CubicSpline(knots, heights, bc_type=ends)(values).T)


def spread(values, intervals):
    """Knots that cut the distinct values into as many intervals of as many values each."""
    return np.quantile(np.unique(values), np.linspace(0, 1, intervals + 1))


def scaled(column):
    return (column - column.mean()) / column.std(ddof=1)


# Right sides: expression, columns behind the constant -----------------------------------------------------------------

SUMS = [
    ("1", lambda d: []),
    ("exper", lambda d: [d.exper]),
    ("exper + age", lambda d: [d.exper, d.age]),
    ("ai + exper + age + z", lambda d: [d.ai, d.exper, d.age, d.z]),
    ("1 + exper", lambda d: [d.exper]),
    ("exper + exper", lambda d: [d.exper]),
    ("educ + exper + educ", lambda d: [d.educ, d.exper]),
    ("exper + age - age", lambda d: [d.exper]),
    ("(exper + age) - age", lambda d: [d.exper]),
    ("  exper  +age ", lambda d: [d.exper, d.age]),
    ("exper\n+ age", lambda d: [d.exper, d.age]),
    ("(exper + age)", lambda d: [d.exper, d.age]),
    ("member", lambda d: [d.member]),
    ("kids", lambda d: [d.kids]),
    ("kids + member + exper", lambda d: [d.kids, d.member, d.exper]),
    ("größe", lambda d: [d["größe"]]),
    ("job_1 + x", lambda d: [d.job_1, d.x]),
    ("`pay.usd`", lambda d: [d["pay.usd"]]),
    ("`years (of) work`", lambda d: [d["years (of) work"]]),
    ("`2nd job` + exper", lambda d: [d["2nd job"], d.exper]),
    ("`exper`", lambda d: [d.exper]),
]
WITHOUT_CONSTANT = [
    ("exper - 1", lambda d: [d.exper]),
    ("0 + exper", lambda d: [d.exper]),
    ("-1 + exper + age", lambda d: [d.exper, d.age]),
    ("exper + age + 0", lambda d: [d.exper, d.age]),
    ("log(exper) + age - 1", lambda d: [np.log(d.exper), d.age]),
    ("field - 1", lambda d: dummies(d.field, *levels(d.field))),
    ("0 + C(educ) + exper", lambda d: [*dummies(d.educ, 1, 2, 3), d.exper]),
    ("field:exper - 1", lambda d: [part * d.exper for part in dummies(d.field, *levels(d.field))]),
]
PRODUCTS = [
    ("exper:age", lambda d: [d.exper * d.age]),
    ("exper*age", lambda d: [d.exper, d.age, d.exper * d.age]),
    ("exper * age * z", lambda d: [d.exper, d.age, d.z, d.exper * d.age, d.exper * d.z, d.age * d.z,
                                   d.exper * d.age * d.z]),
    ("(exper + age)**2", lambda d: [d.exper, d.age, d.exper * d.age]),
    ("(exper + age)^2", lambda d: [d.exper, d.age, d.exper * d.age]),
    ("(exper + age + z)**2", lambda d: [d.exper, d.age, d.z, d.exper * d.age, d.exper * d.z, d.age * d.z]),
    ("exper * (age + z)", lambda d: [d.exper, d.age, d.z, d.exper * d.age, d.exper * d.z]),
    ("exper:(age + z)", lambda d: [d.exper * d.age, d.exper * d.z]),
    ("exper/age", lambda d: [d.exper, d.exper * d.age]),
    ("age %in% exper", lambda d: [d.exper, d.exper * d.age]),
    ("exper*age - exper:age", lambda d: [d.exper, d.age]),
    ("exper*age - age", lambda d: [d.exper, d.exper * d.age]),
    ("ai*female", lambda d: [d.ai, d.female, d.ai * d.female]),
    ("ai:female + exper", lambda d: [d.exper, d.ai * d.female]),
    ("exper + z + exper:z", lambda d: [d.exper, d.z, d.exper * d.z]),
]  # fmt: skip
NUMBERS = [
    ("log(exper)", lambda d: [np.log(d.exper)]),
    ("np.log(exper)", lambda d: [np.log(d.exper)]),
    ("log(pay) + exper", lambda d: [np.log(d.pay), d.exper]),
    ("log(pay + 1)", lambda d: [np.log(d.pay + 1)]),
    ("log10(pay)", lambda d: [np.log10(d.pay)]),
    ("log2(pay)", lambda d: [np.log2(d.pay)]),
    ("np.log10(pay) + np.log2(pay)", lambda d: [np.log10(d.pay), np.log2(d.pay)]),
    ("np.log1p(pay)", lambda d: [np.log1p(d.pay)]),
    ("exp(z)", lambda d: [np.exp(d.z)]),
    ("np.exp(z)", lambda d: [np.exp(d.z)]),
    ("np.expm1(z)", lambda d: [np.expm1(d.z)]),
    ("np.sqrt(exper)", lambda d: [np.sqrt(d.exper)]),
    ("np.abs(z)", lambda d: [np.abs(d.z)]),
    ("np.sign(z)", lambda d: [np.sign(d.z)]),
    ("np.floor(pay) + np.ceil(pay)", lambda d: [np.floor(d.pay), np.ceil(d.pay)]),
    ("np.round(pay, 1)", lambda d: [np.round(d.pay, 1)]),
    ("np.maximum(exper, 5)", lambda d: [np.maximum(d.exper, 5)]),
    ("np.minimum(exper, age)", lambda d: [np.minimum(d.exper, d.age)]),
    ("np.where(exper > 5, 1, 0)", lambda d: [(d.exper > 5) * 1]),
    ("np.where(exper > 5, exper, 5)", lambda d: [np.maximum(d.exper, 5)]),
    ("np.clip(exper, 2, 6)", lambda d: [d.exper.clip(2, 6)]),
    ("I(exper**2)", lambda d: [d.exper**2]),
    ("I(exper ** 2)", lambda d: [d.exper**2]),
    ("exper + I(exper**2)", lambda d: [d.exper, d.exper**2]),
    ("exper + I(exper**2 / 100)", lambda d: [d.exper, d.exper**2 / 100]),
    ("exper + I(exper**2) + I(exper**3)", lambda d: [d.exper, d.exper**2, d.exper**3]),
    ("I(age/10)", lambda d: [d.age / 10]),
    ("I(exper + age)", lambda d: [d.exper + d.age]),
    ("I(exper - age)", lambda d: [d.exper - d.age]),
    ("I(exper * age)", lambda d: [d.exper * d.age]),
    ("I(-exper)", lambda d: [-d.exper]),
    ("I(age // 10)", lambda d: [d.age // 10]),
    ("I(age % 10)", lambda d: [d.age % 10]),
    ("I((age - 40)**2)", lambda d: [(d.age - 40) ** 2]),
    ("I(1 / exper)", lambda d: [1 / d.exper]),
    ("I(exper**0.5)", lambda d: [d.exper**0.5]),
    ("I(exper**-1)", lambda d: [d.exper**-1.0]),
    ("I(2*exper + 1e-3*age)", lambda d: [2 * d.exper + 1e-3 * d.age]),
    ("I(log(pay) - 1)", lambda d: [np.log(d.pay) - 1]),
    ("I(np.log(pay)**2)", lambda d: [np.log(d.pay) ** 2]),
    ("log(pay / exper)", lambda d: [np.log(d.pay / d.exper)]),
    ("np.log(pay) * ai", lambda d: [np.log(d.pay), d.ai, np.log(d.pay) * d.ai]),
    ("log(exper):age", lambda d: [np.log(d.exper) * d.age]),
    ("{exper + age}", lambda d: [d.exper + d.age]),
    ("{exper**2} + age", lambda d: [d.exper**2, d.age]),
    ("{log(pay) - 1}", lambda d: [np.log(d.pay) - 1]),
    ("I(exper > 5)", lambda d: [d.exper > 5]),
    ("I(exper >= 5) + age", lambda d: [d.exper >= 5, d.age]),
    ("I((exper > 2) & (age < 50))", lambda d: [(d.exper > 2) & (d.age < 50)]),
    ("I((exper > 8) | (age < 30))", lambda d: [(d.exper > 8) | (d.age < 30)]),
    ("I(~(exper > 5))", lambda d: [~(d.exper > 5)]),
    ("I((exper > 5) * age)", lambda d: [(d.exper > 5) * d.age]),
    ("I(field == 'law')", lambda d: [d.field == "law"]),
    ('I(field != "law")', lambda d: [d.field != "law"]),
    ("I(field == 'law') * exper", lambda d: [d.field == "law", d.exper, (d.field == "law") * d.exper]),
    ("I(educ == 3)", lambda d: [d.educ == 3]),
    ("log(`pay.usd`)", lambda d: [np.log(d["pay.usd"])]),
    ("I(`years (of) work`**2)", lambda d: [d["years (of) work"] ** 2]),
    ("np.log(`years (of) work` + 1) + exper", lambda d: [np.log(d["years (of) work"] + 1), d.exper]),
    ("exp(-z)", lambda d: [np.exp(-d.z)]),
    ("log(kids + 1)", lambda d: [np.log(d.kids.astype(float) + 1)]),
    ("np.log(np.sqrt(exper) + 1)", lambda d: [np.log(np.sqrt(d.exper) + 1)]),
    ("log(größe)", lambda d: [np.log(d["größe"])]),
    ("I(exper*1_000)", lambda d: [d.exper * 1000]),
    ("I(.5*exper + 2.)", lambda d: [0.5 * d.exper + 2]),
]  # fmt: skip
NEW_NAMES = [
    ("log1p(pay)", lambda d: [np.log1p(d.pay)]),
    ("expm1(z)", lambda d: [np.expm1(d.z)]),
    ("sqrt(exper)", lambda d: [np.sqrt(d.exper)]),
    ("abs(z)", lambda d: [np.abs(d.z)]),
    ("sign(z)", lambda d: [np.sign(d.z)]),
    ("floor(pay)", lambda d: [np.floor(d.pay)]),
    ("ceil(pay)", lambda d: [np.ceil(d.pay)]),
    ("round(pay)", lambda d: [np.round(d.pay)]),
    ("round(pay, 1)", lambda d: [np.round(d.pay, 1)]),
    ("where(exper > 5, 1, 0)", lambda d: [(d.exper > 5) * 1]),
    ("clip(exper, 2, 6)", lambda d: [d.exper.clip(2, 6)]),
]
FACTORS = [
    ("field", lambda d: factor(d.field)),
    ("C(field)", lambda d: factor(d.field)),
    ("C(educ)", lambda d: factor(d.educ)),
    ("C(year)", lambda d: factor(d.year)),
    ("C(kids)", lambda d: factor(d.kids.astype(float))),
    ("member + C(member)", lambda d: [d.member * 1.0, *factor(d.member * 1.0)]),
    ("level", lambda d: factor(d.level)),
    ("C(level)", lambda d: factor(d.level)),
    ("exper + field", lambda d: [d.exper, *factor(d.field)]),
    ("C(educ) + exper", lambda d: [*factor(d.educ), d.exper]),
    ("C(educ) + field", lambda d: [*factor(d.educ), *factor(d.field)]),
    ("`highest degree`", lambda d: factor(d["highest degree"])),
    ("C(`highest degree`)", lambda d: factor(d["highest degree"])),
    ("C(`2nd job`)", lambda d: factor(d["2nd job"])),
    ("C(field, Treatment('law'))", lambda d: factor(d.field, "law")),
    ('C(field, Treatment("law"))', lambda d: factor(d.field, "law")),
    ("C(field, Treatment(reference='law'))", lambda d: factor(d.field, "law")),
    ("C(field, contr.treatment('med'))", lambda d: factor(d.field, "med")),
    ("C(field, contr.treatment(base='med'))", lambda d: factor(d.field, "med")),
    ("C(field, contr.treatment)", lambda d: factor(d.field)),
    ("C(field, contr.SAS)", lambda d: factor(d.field, "med")),
    ("C(educ, Treatment(2))", lambda d: factor(d.educ, 2)),
    ("C(year, Treatment(2022))", lambda d: factor(d.year, 2022)),
    ("C(year, contr.treatment(base=2023))", lambda d: factor(d.year, 2023)),
    ("C(educ, contr.sum)", lambda d: coded(d.educ, [[1, 0], [0, 1], [-1, -1]])),
    ("C(educ, Sum)", lambda d: coded(d.educ, [[1, 0], [0, 1], [-1, -1]])),
    ("C(educ, contr.helmert)", lambda d: coded(d.educ, [[-1, -1], [1, -1], [0, 2]])),
    ("C(educ, Helmert)", lambda d: coded(d.educ, [[-1, -1], [1, -1], [0, 2]])),
    ("C(educ, contr.poly)", lambda d: coded(d.educ, np.array([[-1, 1], [0, -2], [1, 1]]) / np.sqrt([2, 6]))),
    ("C(educ, Poly)", lambda d: coded(d.educ, np.array([[-1, 1], [0, -2], [1, 1]]) / np.sqrt([2, 6]))),
    ("C(educ, contr.diff)", lambda d: coded(d.educ, np.array([[-2, -1], [1, -1], [1, 2]]) / 3)),
    ("C(educ, levels=[3, 2, 1])", lambda d: dummies(d.educ, 2, 1)),
    ("C(field, levels=['law', 'med', 'cs', 'art'])", lambda d: dummies(d.field, "med", "cs", "art")),
    ("C(field):exper", lambda d: [part * d.exper for part in dummies(d.field, *levels(d.field))]),
    ("field:exper", lambda d: [part * d.exper for part in dummies(d.field, *levels(d.field))]),
    ("field*exper", lambda d: [*factor(d.field), d.exper, *(part * d.exper for part in factor(d.field))]),
    ("C(educ)*ai", lambda d: [*factor(d.educ), d.ai, *(part * d.ai for part in factor(d.educ))]),
    ("ai + ai:C(educ)", lambda d: [d.ai, *(part * d.ai for part in factor(d.educ))]),
    ("C(educ):C(female)", lambda d: [*factor(d.female), *times(factor(d.educ), dummies(d.female, 0, 1))]),
    ("C(educ)*C(female)",
     lambda d: [*factor(d.educ), *factor(d.female), *times(factor(d.educ), factor(d.female))]),
    ("C(educ):log(exper)", lambda d: [part * np.log(d.exper) for part in dummies(d.educ, 1, 2, 3)]),
    ("C(member):exper", lambda d: [part * d.exper for part in dummies(d.member * 1.0, 0.0, 1.0)]),
    ("C(educ) + C(educ):exper", lambda d: [*factor(d.educ), *(part * d.exper for part in dummies(d.educ, 1, 2, 3))]),
    ("C(field, Treatment('law')):exper + exper",
     lambda d: [d.exper, *(part * d.exper for part in factor(d.field, "law"))]),
]  # fmt: skip
OF_WHOLE_COLUMNS = [
    ("center(exper)", lambda d: [d.exper - d.exper.mean()]),
    ("scale(exper)", lambda d: [scaled(d.exper)]),
    ("standardize(exper)", lambda d: [(d.exper - d.exper.mean()) / d.exper.std(ddof=0)]),
    ("scale(log(pay))", lambda d: [scaled(np.log(d.pay))]),
    ("center(exper) * ai", lambda d: [d.exper - d.exper.mean(), d.ai, (d.exper - d.exper.mean()) * d.ai]),
    ("I(center(age)**2)", lambda d: [(d.age - d.age.mean()) ** 2]),
    ("poly(exper)", lambda d: powers_orthogonal(d.exper, 1)),
    ("poly(exper, 2)", lambda d: powers_orthogonal(d.exper, 2)),
    ("poly(age, degree=3)", lambda d: powers_orthogonal(d.age, 3)),
    ("poly(exper, 2, raw=True)", lambda d: [d.exper, d.exper**2]),
    ("poly(exper, 2) + ai", lambda d: [*powers_orthogonal(d.exper, 2), d.ai]),
    ("bs(age, knots=[35, 45])", lambda d: b_splines(d.age, [35, 45])),
    ("bs(age, knots=[40], degree=2)", lambda d: b_splines(d.age, [40], 2)),
    ("bs(age, df=4)", lambda d: b_splines(d.age, [np.quantile(d.age, 0.5)])),
    ("bs(age, df=5, degree=3)", lambda d: b_splines(d.age, np.quantile(d.age, [1 / 3, 2 / 3]))),
    ("bs(age, 4)", lambda d: b_splines(d.age, [np.quantile(d.age, 0.5)])),
    ("bs(age, df=4) + ai", lambda d: [*b_splines(d.age, [np.quantile(d.age, 0.5)]), d.ai]),
    ("cr(age, df=3)", lambda d: splines(d.age, spread(d.age, 2))),
    ("cs(age, df=4)", lambda d: splines(d.age, spread(d.age, 3))),
    ("cc(age, df=4)", lambda d: splines(d.age, spread(d.age, 4), "periodic")),
    ("cr(age, knots=[35, 45])", lambda d: splines(d.age, [d.age.min(), 35, 45, d.age.max()])),
]
RIGHT_SIDES = {
    "sums": SUMS, "no constant": WITHOUT_CONSTANT, "products": PRODUCTS, "numbers": NUMBERS, "new names": NEW_NAMES,
    "factors": FACTORS, "whole columns": OF_WHOLE_COLUMNS,
}  # fmt: skip

# Left sides, and what stands in offset(...) ---------------------------------------------------------------------------

LEFT_SIDES = [
    ("pay", lambda d: d.pay),
    ("log(pay)", lambda d: np.log(d.pay)),
    ("np.log(pay)", lambda d: np.log(d.pay)),
    ("np.log1p(pay)", lambda d: np.log1p(d.pay)),
    ("log(pay + 1)", lambda d: np.log(d.pay + 1)),
    ("I(pay / 1000)", lambda d: d.pay / 1000),
    ("{pay / 1000}", lambda d: d.pay / 1000),
    ("I(pay > 10)", lambda d: d.pay > 10),
    ("I(field == 'law')", lambda d: d.field == "law"),
    ("I((exper > 2) & (age < 50))", lambda d: (d.exper > 2) & (d.age < 50)),
    ("I(log(pay) - 1)", lambda d: np.log(d.pay) - 1),
    ("`pay.usd`", lambda d: d["pay.usd"]),
    ("log(`pay.usd`)", lambda d: np.log(d["pay.usd"])),
    ("member", lambda d: d.member),
    ("kids", lambda d: d.kids),
]
OFFSETS = [
    ("x + offset(log(w))", "x", lambda d: [np.log(d.w)]),
    ("offset(w) + x", "x", lambda d: [d.w]),
    ("offset(2*w)", "1", lambda d: [2 * d.w]),
    ("x + offset(log(w)) + offset(z)", "x", lambda d: [np.log(d.w), d.z]),
    ("x + offset(np.log(w + 1)) - 1", "x - 1", lambda d: [np.log(d.w + 1)]),
    ("x + offset(`pay.usd`)", "x", lambda d: [d["pay.usd"]]),
]

# What is absorbed behind the bar: the same slopes as with dummies -----------------------------------------------------

BARS = [
    ("pay ~ exper | field", "pay ~ exper + C(field)"),
    ("log(pay) ~ exper + age | educ", "log(pay) ~ exper + age + C(educ)"),
    ("pay ~ exper | field + educ", "pay ~ exper + C(field) + C(educ)"),
    ("pay ~ exper | educ^female", "pay ~ exper + C(educ):C(female)"),
    ("pay ~ exper | educ ^ female", "pay ~ exper + C(educ):C(female)"),
    ("pay ~ exper | iso3 + educ^female", "pay ~ exper + C(iso3) + C(educ):C(female)"),
    ("pay ~ exper | `highest degree`", "pay ~ exper + C(`highest degree`)"),
    ("pay ~ exper|field", "pay ~ exper + C(field)"),
    ("pay ~ exper + I(exper**2) | iso3", "pay ~ exper + I(exper**2) + C(iso3)"),
    ("log(pay) ~ exper + I((ai == 1) | (female == 1)) | educ",
     "log(pay) ~ exper + I((ai == 1) | (female == 1)) + C(educ)"),
    ("pay~exper+age|educ", "pay ~ exper + age + C(educ)"),
]  # fmt: skip

# Conditions: text, mask of rows; `gap` is a column with missing values ------------------------------------------------

COMPARISONS = [
    ("ai == 1", lambda d: d.ai == 1),
    ("ai != 1", lambda d: d.ai != 1),
    ("exper > 3", lambda d: d.exper > 3),
    ("exper >= 3", lambda d: d.exper >= 3),
    ("exper<3", lambda d: d.exper < 3),
    ("exper <= 3", lambda d: d.exper <= 3),
    ("z > -0.5", lambda d: d.z > -0.5),
    ("z < 1e-1", lambda d: d.z < 0.1),
    ("pay > .5", lambda d: d.pay > 0.5),
    ("3 < exper", lambda d: d.exper > 3),
    ("3 < exper < 7", lambda d: (d.exper > 3) & (d.exper < 7)),
    ("3 <= exper <= 7", lambda d: (d.exper >= 3) & (d.exper <= 7)),
    ("2 < exper < age < 40", lambda d: (d.exper > 2) & (d.exper < d.age) & (d.age < 40)),
    ("exper > educ", lambda d: d.exper > d.educ),
    ("exper == exper", lambda d: d.exper == d.exper),
    ("iso3 == 'KOR'", lambda d: d.iso3 == "KOR"),
    ('iso3 == "KOR"', lambda d: d.iso3 == "KOR"),
    ("iso3 != 'KOR'", lambda d: d.iso3 != "KOR"),
    ("'KOR' == iso3", lambda d: d.iso3 == "KOR"),
    ("iso3 < 'M'", lambda d: d.iso3 < "M"),
    ("iso3 != field", lambda d: d.iso3 != d.field),
    ("level == 'mid'", lambda d: d.level == "mid"),
    ("year == 2021", lambda d: d.year == 2021),
    ("kids == 2", lambda d: d.kids == 2),
    ("kids > 0", lambda d: d.kids > 0),
    ("member == True", lambda d: d.member),
    ("member == False", lambda d: ~d.member),
    ("größe > 170", lambda d: d["größe"] > 170),
    ("`highest degree` == 'BA'", lambda d: d["highest degree"] == "BA"),
    ("`2nd job` == 1", lambda d: d["2nd job"] == 1),
    ("`years (of) work` > 4", lambda d: d["years (of) work"] > 4),
    ("`pay.usd` >= 5", lambda d: d["pay.usd"] >= 5),
    ("`exper` > 3", lambda d: d.exper > 3),
    ("iso3 == 'Côte d’Ivoire' or ai == 1", lambda d: d.ai == 1),
]
LOGIC = [
    ("ai == 1 and female == 0", lambda d: (d.ai == 1) & (d.female == 0)),
    ("ai == 1 or female == 0", lambda d: (d.ai == 1) | (d.female == 0)),
    ("not ai == 1", lambda d: d.ai != 1),
    ("not (ai == 1 and exper > 3)", lambda d: ~((d.ai == 1) & (d.exper > 3))),
    ("ai == 1 and female == 0 or exper > 7", lambda d: ((d.ai == 1) & (d.female == 0)) | (d.exper > 7)),
    ("ai == 1 and (female == 0 or exper > 7)", lambda d: (d.ai == 1) & ((d.female == 0) | (d.exper > 7))),
    ("not ai == 1 and exper > 3", lambda d: (d.ai != 1) & (d.exper > 3)),
    ("(ai == 1) & (female == 0)", lambda d: (d.ai == 1) & (d.female == 0)),
    ("(ai == 1) | (female == 0)", lambda d: (d.ai == 1) | (d.female == 0)),
    ("~(ai == 1)", lambda d: d.ai != 1),
    ("ai == 1 & female == 0", lambda d: (d.ai == 1) & (d.female == 0)),
    ("ai == 1 | exper > 7", lambda d: (d.ai == 1) | (d.exper > 7)),
    ("(exper > 2) & ~(iso3 == 'KOR')", lambda d: (d.exper > 2) & (d.iso3 != "KOR")),
    ("iso3 == 'KOR' or iso3 == 'USA'", lambda d: d.iso3 != "FRA"),
    ("iso3 == 'KOR' and kids > 0 and member", lambda d: (d.iso3 == "KOR") & (d.kids > 0) & d.member),
    ("member and exper > 3", lambda d: d.member & (d.exper > 3)),
    ("not member", lambda d: ~d.member),
    ("~member", lambda d: ~d.member),
    ("not (exper % 7 == 0 and year == 2021)", lambda d: ~((d.exper % 7 == 0) & (d.year == 2021))),
    ("exper < 5 or exper.isna()", lambda d: d.exper < 5),
]
MEMBERS = [
    ("iso3 in ['KOR', 'USA']", lambda d: d.iso3.isin(["KOR", "USA"])),
    ("iso3 not in ['KOR', 'USA']", lambda d: ~d.iso3.isin(["KOR", "USA"])),
    ("iso3 in ('KOR', 'USA')", lambda d: d.iso3.isin(["KOR", "USA"])),
    ("iso3 in ['KOR']", lambda d: d.iso3 == "KOR"),
    ("year in [2020, 2022]", lambda d: d.year.isin([2020, 2022])),
    ("year in (2020, 2021)", lambda d: d.year.isin([2020, 2021])),
    ("year not in [2020]", lambda d: d.year != 2020),
    ("exper in [1, 2, 3.0]", lambda d: d.exper.isin([1, 2, 3])),
    ("iso3 == ['KOR', 'USA']", lambda d: d.iso3.isin(["KOR", "USA"])),
    ("iso3 != ['KOR', 'USA']", lambda d: ~d.iso3.isin(["KOR", "USA"])),
    ("field in ['cs', 'law'] and ai == 1", lambda d: d.field.isin(["cs", "law"]) & (d.ai == 1)),
    ("not iso3 in ['KOR']", lambda d: d.iso3 != "KOR"),
    ("`highest degree` in ['BA']", lambda d: d["highest degree"] == "BA"),
    ("z in [-1, -2] or ai == 1", lambda d: d.ai == 1),
]
METHODS = [
    ("gap.isna()", lambda d: d.gap.isna()),
    ("gap.notna()", lambda d: d.gap.notna()),
    ("gap.isnull()", lambda d: d.gap.isna()),
    ("gap.notnull()", lambda d: d.gap.notna()),
    ("not gap.isna()", lambda d: d.gap.notna()),
    ("~gap.isna()", lambda d: d.gap.notna()),
    ("gap.notna() and ai == 1", lambda d: d.gap.notna() & (d.ai == 1)),
    ("word.notna()", lambda d: d.word.notna()),
    ("`gap in pay`.isna()", lambda d: d["gap in pay"].isna()),
    ("iso3.isin(['KOR', 'USA'])", lambda d: d.iso3.isin(["KOR", "USA"])),
    ("~iso3.isin(['KOR', 'USA'])", lambda d: ~d.iso3.isin(["KOR", "USA"])),
    ("not iso3.isin(['KOR'])", lambda d: d.iso3 != "KOR"),
    ("exper.between(3, 6)", lambda d: d.exper.between(3, 6)),
    ("exper.between(3, 6) and member", lambda d: d.exper.between(3, 6) & d.member),
    ("not exper.between(3, 6)", lambda d: ~d.exper.between(3, 6)),
]
CALCULATED = [
    ("exper + age > 40", lambda d: d.exper + d.age > 40),
    ("age - exper >= 25", lambda d: d.age - d.exper >= 25),
    ("exper * 2 < age", lambda d: d.exper * 2 < d.age),
    ("pay / exper > 3", lambda d: d.pay / d.exper > 3),
    ("exper % 2 == 0", lambda d: d.exper % 2 == 0),
    ("exper // 2 == 1", lambda d: d.exper // 2 == 1),
    ("exper ** 2 > 20", lambda d: d.exper**2 > 20),
    ("exper**2 + z > 20", lambda d: d.exper**2 + d.z > 20),
    ("-exper < -3", lambda d: -d.exper < -3),
    ("-(exper + 1) < -3", lambda d: -(d.exper + 1) < -3),
    ("+exper > 3", lambda d: d.exper > 3),
    ("2 * (exper - 1) > age / 5", lambda d: 2 * (d.exper - 1) > d.age / 5),
    ("-exper ** 2 < -20", lambda d: -(d.exper**2) < -20),
    ("abs(z) < 0.5", lambda d: np.abs(d.z) < 0.5),
    ("log(pay) > 2.5", lambda d: np.log(d.pay) > 2.5),
    ("log10(pay) > 1", lambda d: np.log10(d.pay) > 1),
    ("log1p(pay) > 2.5", lambda d: np.log1p(d.pay) > 2.5),
    ("exp(z) > 1", lambda d: np.exp(d.z) > 1),
    ("expm1(z) > 0", lambda d: np.expm1(d.z) > 0),
    ("sqrt(exper) > 2", lambda d: np.sqrt(d.exper) > 2),
    ("floor(pay) == 10", lambda d: np.floor(d.pay) == 10),
    ("ceil(pay) == 10", lambda d: np.ceil(d.pay) == 10),
    ("log(`pay.usd`) > 1.5", lambda d: np.log(d["pay.usd"]) > 1.5),
    ("ai", lambda d: d.ai == 1),
    ("member", lambda d: d.member),
    ("ai * female", lambda d: d.ai * d.female == 1),
]
NEW_CONDITIONS = [
    ("isna(gap)", lambda d: d.gap.isna()),
    ("notna(gap)", lambda d: d.gap.notna()),
    ("isin(iso3, ['KOR', 'USA'])", lambda d: d.iso3.isin(["KOR", "USA"])),
    ("between(exper, 3, 6)", lambda d: d.exper.between(3, 6)),
    ("not isna(gap) and ai == 1", lambda d: d.gap.notna() & (d.ai == 1)),
    ("np.log(pay) > 2.5", lambda d: np.log(d.pay) > 2.5),
    ("round(pay) == 10", lambda d: np.round(d.pay) == 10),
    ("log2(pay) > 3", lambda d: np.log2(d.pay) > 3),
    ("np.abs(z) < 0.5", lambda d: np.abs(d.z) < 0.5),
]
CONDITIONS = {
    "comparisons": COMPARISONS, "and or not": LOGIC, "members": MEMBERS, "methods": METHODS, "calculated": CALCULATED,
    "new": NEW_CONDITIONS,
}  # fmt: skip
EVENTS = [
    ("exper > 3", lambda d: d.exper > 3),
    ("ai == 1", lambda d: d.ai == 1),
    ("ai", lambda d: d.ai),
    ("member", lambda d: d.member),
    ("iso3 != 'KOR'", lambda d: d.iso3 != "KOR"),
    ("field == 'law' or field == 'med'", lambda d: d.field.isin(["law", "med"])),
    ("year in [2020, 2021]", lambda d: d.year.isin([2020, 2021])),
    ("gap > 3", lambda d: (d.gap > 3).astype(float).where(d.gap.notna())),
    ("gap > 3 or ai == 1", lambda d: ((d.gap > 3) | (d.ai == 1)).astype(float).where(d.gap.notna())),
    ("gap.isna()", lambda d: d.gap.isna()),
    ("1 - ai", lambda d: 1 - d.ai),
    ("ai * female", lambda d: d.ai * d.female),
    ("exper / 10", lambda d: d.exper / 10),
    ("`2nd job` == 1", lambda d: d["2nd job"] == 1),
    ("`pay.usd` >= 5", lambda d: d["pay.usd"] >= 5),
    ("3 < exper <= 6", lambda d: (d.exper > 3) & (d.exper <= 6)),
    ("not member", lambda d: ~d.member),
]

# Columns that are called like a function, an operator or a module -----------------------------------------------------

NAMESAKES = [
    ("log", lambda d: [d["log"]]),
    ("log(exper)", lambda d: [np.log(d.exper)]),
    ("log(log)", lambda d: [np.log(d["log"])]),
    ("exper + I(log**2)", lambda d: [d.exper, d["log"] ** 2]),
    ("np + exper", lambda d: [d["np"], d.exper]),
    ("C(exper > 5) + C", lambda d: [d.exper > 5, d["C"]]),
    ("`in` + exper", lambda d: [d["in"], d.exper]),
]


def with_gaps():
    d = workers().assign(gap=lambda d: d.exper.where(d.index % 4 != 1), word=lambda d: d.field.where(d.index % 3 != 1))
    return d.assign(**{"gap in pay": d["gap"]})


def lines(tables):
    return [pytest.param(*line, id=f"{kind}: {line[0]}") for kind, table in tables.items() for line in table]


@pytest.mark.parametrize(("text", "same"), lines(RIGHT_SIDES))
def test_a_right_side_is_what_numpy_computes(text, same):
    frame = workers()
    matrix = design_matrix(frame, text)
    constant = [] if matrix.names[0] != "Intercept" else [np.ones(N)]
    expected = [np.asarray(column, dtype=float) for column in same(frame)]
    assert bool(constant) == ((text, same) not in WITHOUT_CONSTANT)
    np.testing.assert_allclose(matrix.values, np.column_stack([*constant, *expected]), rtol=1e-9, atol=1e-12)


def test_right_sides_keep_names_and_values(facts):
    """The sums tell columns and their rows apart: of x, and of x times the number of its row."""
    kept, moved = facts("formulas"), {}
    for text, columns in kept.items():
        matrix = design_matrix(workers(), text)
        names, sums = list(matrix.names), _sums(matrix.values)
        same = names == list(columns) and np.allclose(sums, list(columns.values()), rtol=1e-9, atol=1e-9)
        moved |= {} if same else {text: (names, sums)}
    assert not moved
    told = {text for table in RIGHT_SIDES.values() for text, _ in table}
    assert set(kept) == told - {text for text, _ in NEW_NAMES if not text.startswith(("abs", "round"))}


def _sums(values):
    """Sums over rows of x, and of x times the number of its row, for each column."""
    return [[float(column.sum()), float(column @ np.arange(1, len(column) + 1))] for column in values.T]


@pytest.mark.parametrize(("text", "same"), [pytest.param(*line, id=line[0]) for line in LEFT_SIDES])
def test_a_left_side_is_what_numpy_computes(text, same):
    frame = workers()
    slope = wg.fit_linear(frame, f"{text} ~ x").params["x"]
    y, x = np.asarray(same(frame), dtype=float), frame["x"]
    assert slope == pytest.approx(np.cov(x, y)[0, 1] / x.var(), rel=1e-9)


@pytest.mark.parametrize(("text", "others", "same"), [pytest.param(*line, id=line[0]) for line in OFFSETS])
def test_an_offset_is_cut_out_of_the_regressors(text, others, same):
    regressors, offsets = split_offset(text)
    assert design_matrix(workers(), regressors).names == design_matrix(workers(), others).names
    values = [design_matrix(workers(), offset).values[:, -1] for offset in offsets]
    np.testing.assert_allclose(values, same(workers()), rtol=1e-12)


@pytest.mark.parametrize(("absorbed", "dummies"), [pytest.param(*line, id=line[0]) for line in BARS])
def test_what_stands_behind_the_bar_is_absorbed(absorbed, dummies):
    names = [name for name in design_matrix(workers(), split_formula(absorbed).regressors).names if name != "Intercept"]
    first, second = (wg.fit_linear(workers(), formula, singletons="keep", cov="iid") for formula in (absorbed, dummies))
    np.testing.assert_allclose(first.params[names], second.params[names], rtol=1e-8)


@pytest.mark.parametrize(("text", "same"), lines(CONDITIONS))
def test_a_condition_is_what_pandas_computes(text, same):
    frame = with_gaps()
    mask = np.asarray(same(frame), dtype=bool)
    assert mask.any(), "a condition that holds for nobody tells nothing"
    kept = wg.read_panel(frame, country_names="keep").filter(text)
    assert kept.row_ids.tolist() == np.flatnonzero(mask).tolist()


@pytest.mark.parametrize(("text", "same"), [pytest.param(*line, id=line[0]) for line in EVENTS])
def test_an_event_is_missing_where_a_column_of_its_is(text, same):
    frame = with_gaps()
    rate = wg.fit_rates(frame, {"event": text}, by=[], min_rows=1).params.iloc[0]
    assert rate == pytest.approx(np.nanmean(np.asarray(same(frame), dtype=float)), rel=1e-12)


@pytest.mark.parametrize(("text", "same"), [pytest.param(*line, id=line[0]) for line in NAMESAKES])
def test_columns_may_be_called_like_functions(text, same):
    i = np.arange(N)
    frame = workers().assign(**{"log": 1.0 + i % 4, "np": i % 5 * 1.0, "C": i % 6 * 1.0, "in": i % 4})
    expected = [np.ones(N), *(np.asarray(column, dtype=float) for column in same(frame))]
    np.testing.assert_allclose(design_matrix(frame, text).values, np.column_stack(expected), rtol=1e-12)


def test_there_are_two_hundred():
    tables = [*RIGHT_SIDES.values(), *CONDITIONS.values(), LEFT_SIDES, OFFSETS, BARS, EVENTS, NAMESAKES]
    assert sum(map(len, tables)) > 200
    assert all(len({line[0] for line in table}) == len(table) for table in tables)
