"""The panel: filters, weights, and who is who."""

from __future__ import annotations

import pickle
import time
from dataclasses import FrozenInstanceError

import numpy as np
import pandas as pd
import pytest

from wagegap.errors import ColumnError, DataError, EmptyDataError, FormulaError, MissingValueError
from wagegap.panel.load import read_panel
from wagegap.panel.panel import as_panel

ROWS = pd.DataFrame(
    {
        "pid": [1, 1, 2, 1, 1, 2],
        "iso3": ["KOR", "KOR", "KOR", "USA", "USA", "USA"],
        "year": [2020, 2021, 2020, 2020, 2021, 2020],
        "pay": [10.0, 11, 12, 13, 14, 15],
        "w": [1.0, 2, 3, 4, 5, 6],
        "psu": [1, 1, 2, 1, 1, 2],
        "s": ["a", "a", "b", "a", "a", "b"],
    }
)
EVERY = np.arange(6)


def panel(rows=ROWS, **roles):
    declared = dict(worker="pid", country="iso3", period="year", wage="pay", source_name="survey")
    return read_panel(rows, **{**declared, **roles})


def labelled(grouping):
    """Label of each row."""
    return list(zip(*(part[grouping.codes].tolist() for part in grouping.labels), strict=True))


def test_groups_are_source_scope_and_id():
    found = panel(cluster="psu", strata="s").groupings(EVERY, ["iso3", "year", "pay"])
    assert set(found) == {"row", "worker", "psu", "s", "iso3", "year", "pay"}
    assert {g.source for g in found.values()} == {"survey"}
    assert labelled(found["row"])[:2] == [("KOR", 1, 2020), ("KOR", 1, 2021)]
    assert labelled(found["worker"])[::3] == [("KOR", 1), ("USA", 1)]
    assert found["worker"].n_groups == found["psu"].n_groups == found["s"].n_groups == 4
    assert labelled(found["iso3"])[0] == ("", "KOR")
    assert labelled(found["year"])[0] == ("", 2020)
    assert labelled(found["pay"])[0] == ("KOR", 10.0)


def test_global_ids_cross_countries():
    rows = ROWS.assign(year=[2020, 2021, 2020, 2022, 2023, 2022])
    found = panel(rows, worker_scope="global").groupings(EVERY)
    assert set(labelled(found["worker"])) == {("", 1), ("", 2)}
    assert labelled(found["row"])[3] == ("USA", 1, 2022)


def test_without_a_country_there_is_one_scope():
    rows = ROWS.head(3)
    found = panel(rows, country=None).groupings(np.arange(3), ["psu"])
    assert labelled(found["worker"]) == [("", 1), ("", 1), ("", 2)]
    assert labelled(found["psu"])[0] == ("", 1)


def test_rows_without_a_key_are_known_by_number_in_this_very_data():
    repeated = ROWS.assign(year=2020)
    kept = panel(repeated, duplicates="keep")
    whole = kept.groupings(EVERY)["row"]
    assert whole.source == f"survey#{kept.fingerprint}"
    part = kept.filter("pid == 2")
    some = part.groupings(np.arange(2))["row"]
    assert some.source == whole.source  # though the rows left would have a key of their own
    assert labelled(some) == [(2,), (5,)]
    changed = panel(repeated.assign(pay=[10.0, 11, 12, 13, 14, 16]), duplicates="keep")
    assert changed.groupings(EVERY)["row"].source != whole.source


def test_filtered_panels_match_their_units():
    whole = panel()
    ai, young = whole.filter("pay > 11"), whole.filter(whole.frame["pay"] < 14)
    first, second = (p.groupings(np.arange(len(p)))["row"] for p in (ai, young))
    assert (ai.source, ai.fingerprint) == (whole.source, whole.fingerprint)
    assert first.stack(second).n_groups == 6
    assert set(labelled(first)) & set(labelled(second)) == {("KOR", 2, 2020), ("USA", 1, 2020)}


def test_a_key_that_is_overwritten_is_none():
    assert not panel().assign(pid=1, year=2020).keyed
    assert panel().assign(pay=1.0).keyed


@pytest.mark.parametrize("column", ["pid", "iso3", "year", "psu", "s"])
def test_a_missing_id_is_an_error_only_where_it_is_used(column):
    values = ROWS[column].astype(object)
    values[5] = None
    broken = panel(cluster="psu", strata="s").assign(**{column: values})
    with pytest.raises(MissingValueError, match=f"'{column}' is missing in 1 of 6"):
        broken.groupings(EVERY, [column])
    assert len(broken.groupings(np.arange(5), [column])["row"].codes) == 5


def test_a_misspelt_cluster_is_an_error():
    with pytest.raises(ColumnError, match="Did you mean 'psu'"):
        panel().groupings(EVERY, ["pus"])


@pytest.mark.parametrize(
    ("values", "kind", "words"),
    [
        ([1, np.nan, 2, np.nan, 3, 4], MissingValueError, "missing or text in 2 of 6"),
        (["1", "x", "2", "3", "4", "5"], MissingValueError, "missing or text in 6 of 6"),
        ([1, -1, np.inf, -np.inf, 0, 1], DataError, "negative in 1 and infinite in 2 of 6"),
        ([0] * 6, DataError, "zero in all 6"),
        ([1, 2, 2.5, 3, 0.5, 1], DataError, "whole numbers; 2 of 6"),
    ],
)
def test_weights_that_cannot_be(values, kind, words):
    with pytest.raises(kind, match=words):
        panel(ROWS.assign(w=values), weight="w", weight_kind="frequency").weights(EVERY)


def test_weights_of_rows():
    assert panel().weights(EVERY) is None
    assert panel(weight="w").weights(np.array([5, 0])).tolist() == [6.0, 1.0]


def test_losses_are_in_the_ledger_with_their_weight():
    left = panel(weight="w").filter("pay > 11", reason="low pay").filter(np.array([True, False, True, True]))
    assert [(loss.reason, loss.rows, loss.weight) for loss in left.ledger.losses] == [
        ("low pay", 2, 3.0),
        ("filtered out", 1, 4.0),
    ]
    assert left.frame.index.equals(pd.RangeIndex(3))
    assert left.row_ids.tolist() == [2, 4, 5]


def conditions():
    frame = panel().frame
    yes = pd.Series([True, None, False, True, None, False], dtype="boolean")
    return [
        ("iso3 == 'KOR' and pay < 12", [0, 1]),
        (frame["pay"] > 13, [4, 5]),
        ((frame["pay"] > 13).to_numpy(), [4, 5]),
        (yes, [0, 3]),
        (yes.astype(object), [0, 3]),
        ([1, 0, 0, 0, 0, 1], [0, 5]),
        (frame["pay"].gt(13).astype(float).where(frame["pay"] < 15), [4]),
    ]


@pytest.mark.parametrize(("condition", "rows"), conditions())
def test_conditions(condition, rows):
    assert panel().filter(condition).row_ids.tolist() == rows


@pytest.mark.parametrize(
    ("condition", "kind", "words"),
    [
        ("payy > 1", ColumnError, "'payy'.*Did you mean 'pay'"),
        ("pay >", FormulaError, "it ends where a column or number is missing, at character 6"),
        ("pay > 100", EmptyDataError, "pay > 100"),
        ("pay", DataError, "neither"),
        ("1", DataError, "each of the 6 rows"),
        ([True], DataError, "each of the 6 rows"),
        (pd.Series([True] * 6, index=[5, 4, 3, 2, 1, 0]), DataError, "to_numpy"),
    ],
)
def test_conditions_that_cannot_be(condition, kind, words):
    with pytest.raises(kind, match=words):
        panel().filter(condition)


def test_a_panel_is_not_changed():
    first = panel()
    second = first.assign(ai=1, double=lambda frame: 2 * frame["pay"])
    assert "ai" not in first.frame
    assert second.frame["double"].tolist() == (2 * ROWS["pay"]).tolist()
    with pytest.raises(FrozenInstanceError):
        first.source = "other"


def test_the_data_at_the_door_are_a_copy():
    rows = ROWS.copy()
    first = as_panel(rows)
    rows.loc[0, "pay"] = -1.0
    assert first.frame.loc[0, "pay"] == 10.0


def test_text_is_the_same_every_time():
    first, second = panel(weight="w").filter("pay > 10"), panel(weight="w").filter("pay > 10")
    assert repr(first) == repr(second)
    assert "survey" in repr(first)
    assert "5 of 6 rows; lost: 1 not pay > 10" in repr(first)
    assert "worker pid" in repr(first)
    html = first._repr_html_()
    assert html == second._repr_html_()
    assert "not pay &gt; 10" in html
    assert "worker pid" in html


def test_pickles():
    first = panel(cluster="psu")
    again = pickle.loads(pickle.dumps(first))
    pd.testing.assert_frame_equal(first.frame, again.frame)
    assert (first.roles, first.ledger, first.fingerprint) == (again.roles, again.ledger, again.fingerprint)


def test_as_panel():
    first = panel()
    assert as_panel(first) is first
    bare = as_panel(ROWS)
    assert bare.roles.declared() == {}
    assert bare.weights(EVERY) is None
    assert bare.groupings(EVERY)["row"].source == f"data#{bare.fingerprint}"
    with pytest.raises(DataError, match="int is not a data frame"):
        as_panel(3)
    with pytest.raises(EmptyDataError):
        as_panel(pd.DataFrame())


def test_fingerprints_see_every_value_and_are_cheap():
    n = 300_000
    rows = pd.DataFrame(
        {"x": np.arange(n, dtype=float), "who": np.arange(n).astype(str), "at": ["KOR", "USA"] * (n // 2)}
    )
    started = time.perf_counter()
    first = as_panel(rows).fingerprint
    assert time.perf_counter() - started < 3
    assert as_panel(rows.copy()).fingerprint == first
    for row in (1, n // 2 + 1, n - 1):
        changed = rows.copy()
        changed.loc[row, "x"] += 0.5
        assert as_panel(changed).fingerprint != first
    assert as_panel(rows.rename(columns={"x": "z"})).fingerprint != first
    assert (
        as_panel(pd.DataFrame({"x": [[1], [2]]})).fingerprint != as_panel(pd.DataFrame({"x": [[1], [3]]})).fingerprint
    )
