"""What workers did next, by hand and against a plain loop."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from wagegap.errors import DataError, DuplicateKeyError, MissingValueError, OptionError
from wagegap.panel.load import read_panel

SPELLS = pd.DataFrame(
    [
        # worker, country, year, field, occupation
        (1, "KOR", 2020, "cs", "dev"),
        (1, "KOR", 2021, "med", "doctor"),
        (1, "USA", 2022, "med", "doctor"),
        (2, "KOR", 2020, "cs", "dev"),
        (2, "USA", 2022, "cs", "dev"),  # not observed in 2021
        (3, "USA", 2020, "cs", "dev"),  # not observed again
        (4, "USA", 2021, "cs", None),
        (4, "USA", 2022, "cs", "dev"),
    ],
    columns=["pid", "iso3", "year", "field", "occ"],
)
ROLES = dict(worker="pid", country="iso3", period="year", field="field", occupation="occ", worker_scope="global")
NAN = np.nan


def read(rows=SPELLS, **roles):
    return read_panel(rows, **{**ROLES, **roles})


def column(panel, name):
    return panel.frame[name].tolist()


def same(found, expected):
    np.testing.assert_array_equal(np.array(found, dtype=float), np.array(expected, dtype=float))


def test_next_outcomes():
    after = read().transitions()
    same(column(after, "abroad_next"), [0, 1, NAN, NAN, NAN, NAN, 0, NAN])
    same(column(after, "new_field_next"), [1, 0, NAN, NAN, NAN, NAN, 0, NAN])
    same(column(after, "new_occupation_next"), [1, 0, NAN, NAN, NAN, NAN, NAN, NAN])
    same(column(after, "gap"), [1, 1, NAN, 2, NAN, NAN, 1, NAN])
    missing = [value if isinstance(value, str) else None for value in column(after, "next_country")]
    assert missing == ["KOR", "USA", None, None, None, None, "USA", None]
    assert after.frame["next_occupation"].iloc[6] == "dev"


def test_two_periods_on():
    after = read().transitions(horizon=2)
    same(column(after, "abroad_next"), [1, NAN, NAN, 1, NAN, NAN, NAN, NAN])
    same(column(after, "new_field_next"), [1, NAN, NAN, 0, NAN, NAN, NAN, NAN])
    same(column(read().transitions(horizon=5), "abroad_next"), [NAN] * 8)


def test_what_is_not_known_is_counted():
    note = read().transitions().ledger.notes[0]
    assert "known for 3 of 8 rows" in note
    assert "3 are in the last periods, 1 are observed again only later, 1 are not observed again" in note


def test_moves_are_not_seen_through_local_ids():
    after = read(worker_scope="country").transitions()
    assert "abroad_next" not in after.frame
    assert "next_country" not in after.frame
    same(column(after, "new_field_next"), [1, NAN, NAN, NAN, NAN, NAN, 0, NAN])
    assert any("moves abroad cannot be seen" in note for note in after.ledger.notes)


def test_uneven_periods_and_replaced_columns_are_noted():
    rows = SPELLS.assign(year=SPELLS["year"].replace(2022, 2024), gap=7)
    notes = read(rows).transitions().ledger.notes
    assert any("unevenly spaced (2020, 2021, 2024)" in note for note in notes)
    assert any("replaced the columns gap" in note for note in notes)
    same(column(read(rows).transitions(), "abroad_next"), column(read().transitions(), "abroad_next"))


@pytest.mark.parametrize(
    ("roles", "assigned", "options", "kind", "words"),
    [
        (dict(worker=None), {}, {}, DataError, "role worker"),
        (dict(period=None, duplicates="keep"), {}, {}, DataError, "role period"),
        ({}, {}, dict(horizon=0), OptionError, "at least 1"),
        ({}, dict(year=2020), {}, DuplicateKeyError, "4 of 8"),
        ({}, dict(year=[2020, 2021, 2022, None, 2022, 2020, 2021, 2022]), {}, MissingValueError, "'year'.* 1 of 8"),
        ({}, dict(pid=[None, 1, 1, 2, 2, 3, 4, 4]), {}, MissingValueError, "'pid'.* 1 of 8"),
    ],
)
def test_what_cannot_be_followed(roles, assigned, options, kind, words):
    panel = read(**roles).assign(**assigned)
    with pytest.raises(kind, match=words):
        panel.transitions(**options)


@pytest.mark.parametrize("horizon", [1, 2])
@pytest.mark.parametrize("scope", ["global", "country"])
def test_against_a_loop(horizon, scope):
    rng = np.random.default_rng(5)
    full = pd.DataFrame({"pid": np.repeat(np.arange(60), 5), "year": np.tile(np.arange(2000, 2005), 60)})
    rows = full.assign(
        iso3=rng.choice(["KOR", "USA", "JPN"], 300), field=rng.choice(["a", "b"], 300), occ=rng.choice(["x", "y"], 300)
    ).sample(frac=0.7, random_state=1)
    rows["field"] = rows["field"].astype("category")
    after = read(rows, worker_scope=scope).transitions(horizon=horizon).frame
    at = {(r.iso3 if scope == "country" else "", r.pid, r.year): r for r in rows.itertuples()}
    moved, switched, gaps = [], [], []
    for r in rows.itertuples():
        scoped = r.iso3 if scope == "country" else ""
        later = at.get((scoped, r.pid, r.year + horizon))
        moved.append(NAN if later is None else float(later.iso3 != r.iso3))
        switched.append(NAN if later is None else float(later.field != r.field))
        gaps.append(next((float(g) for g in range(1, 5) if (scoped, r.pid, r.year + g) in at), NAN))
    same(after["new_field_next"], switched)
    same(after["gap"], gaps)
    if scope == "global":
        same(after["abroad_next"], moved)
