"""The input door: what is read, and what is refused with what words."""

from __future__ import annotations

import sys

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from wagegap.errors import (
    ColumnError,
    CountryError,
    DataError,
    DataWarning,
    DuplicateKeyError,
    EmptyDataError,
    ExtraMissingError,
    MissingValueError,
    OptionError,
    UnitError,
    WageError,
)
from wagegap.panel.load import read_panel


def workers(**columns):
    base = {"pid": [1, 2, 3, 4], "iso3": ["KOR", "KOR", "USA", "USA"], "year": [2020] * 4, "pay": [10.0, 20, 30, 40]}
    return pd.DataFrame({**base, **columns})


ROLES = dict(worker="pid", country="iso3", period="year", wage="pay")


def write(frame, path):
    if path.suffix == ".parquet":
        frame.to_parquet(path)
    elif path.suffix == ".dta":
        frame.to_stata(path, write_index=False)
    elif path.suffix == ".sav":
        pytest.importorskip("pyreadstat").write_sav(frame, str(path))
    elif path.suffix == ".xlsx":
        pytest.importorskip("openpyxl")
        frame.to_excel(path, index=False)
    else:
        frame.to_csv(path, index=False)
    return path


@pytest.mark.parametrize("name", ["a.csv", "a.csv.gz", "a.parquet", "a.dta", "a.sav", "a.xlsx", "odd[1].csv"])
def test_files_of_every_kind(tmp_path, name):
    path = write(workers(other=[1.0, 2, 3, 4], more=["a", "b", "c", "d"]), tmp_path / name)
    whole = read_panel(path, **ROLES)
    assert whole.frame["pay"].tolist() == [10, 20, 30, 40]
    assert whole.frame["iso3"].tolist() == ["KOR", "KOR", "USA", "USA"]
    assert whole.source == name
    assert "more" in whole.frame
    narrow = read_panel(str(path), **ROLES, columns=["other"])
    assert set(narrow.frame) == {"pid", "iso3", "year", "pay", "other"}


def test_columns_include_units_and_replicates(tmp_path):
    path = write(workers(rate=0.5, w0=1.0, w1=1.0, w2=2.0, x=0), tmp_path / "a.csv")
    for source in (path, pd.read_csv(path)):
        panel = read_panel(
            source, wage="pay", weight="w0", replicate_weights="w", replicate_kind="JK2", units={"rate": "share"},
            columns=["iso3"],
        )  # fmt: skip
        assert set(panel.frame) == {"pay", "rate", "w0", "w1", "w2", "iso3"}
        assert panel.roles.replicate_weights == ("w1", "w2")
        assert panel.roles.units == (("rate", "share"),)


def test_globs_are_put_below_each_other(tmp_path, capsys):
    for year in (2020, 2021):
        write(workers(year=year), tmp_path / f"w{year}.csv")
    panel = read_panel(tmp_path / "w*.csv", **ROLES, progress=True)
    assert panel.frame["year"].value_counts().to_dict() == {2020: 4, 2021: 4}
    assert "files read: 100%" in capsys.readouterr().err


class Stream:
    """Only an Arrow stream, as DuckDB relations and others offer."""

    def __init__(self, frame):
        self.table = pa.Table.from_pandas(frame)

    def __arrow_c_stream__(self, requested_schema=None):
        return self.table.__arrow_c_stream__(requested_schema)


class Convertible:
    def __init__(self, frame):
        self.frame = frame

    def to_pandas(self):
        return self.frame


def polars_frame(frame):
    return pytest.importorskip("polars").from_pandas(frame)


@pytest.mark.parametrize("make", [pa.Table.from_pandas, Stream, Convertible, polars_frame, lambda f: f.to_dict("list")])
def test_frames_of_every_kind_are_the_same_panel(make):
    here, there = read_panel(workers(), **ROLES), read_panel(make(workers()), **ROLES)
    pd.testing.assert_frame_equal(here.frame, there.frame, check_dtype=False)
    assert here.fingerprint == there.fingerprint


def test_inputs_are_not_changed():
    rows = workers(iso3=["Korea, Rep.", "KR", "us", "USA"], pay=["10", "x", "30", "-4"]).set_index(
        np.array([7, 3, 3, 9])
    )
    before = rows.copy(deep=True)
    panel = read_panel(rows, **ROLES, invalid_wage="drop")
    pd.testing.assert_frame_equal(rows, before)
    assert panel.frame.index.tolist() == [0, 1]
    assert panel.row_ids.tolist() == [0, 2]


BAD_PAY = [10.0, 0.0, -3.0, np.nan, np.inf, -np.inf, "much", 20.0]


def bad_wages():
    return pd.DataFrame({"pay": pd.Series(BAD_PAY, dtype=object), "w": np.arange(1.0, 9.0)})


def test_wages_that_cannot_be_are_counted_by_kind():
    with pytest.raises(WageError) as caught:
        read_panel(bad_wages(), wage="pay")
    said = str(caught.value)
    assert "6 of 8 rows" in said
    for part in ("1 text", "1 missing", "2 infinite", "1 zero", "1 negative", "row 1: 0.0", "row 2: -3.0", "'drop'"):
        assert part in said
    assert "np.float64" not in said


def test_wages_dropped_are_in_the_ledger_with_their_weight():
    panel = read_panel(bad_wages(), wage="pay", weight="w", invalid_wage="drop")
    assert panel.frame["pay"].tolist() == [10.0, 20.0]
    assert panel.ledger.rows_used == 2
    assert panel.ledger.weight_used == 1 + 8
    lost = {loss.reason: (loss.rows, loss.weight) for loss in panel.ledger.losses}
    assert lost["infinite pay"] == (2, 5 + 6)
    assert lost["text pay"] == (1, 7)
    assert panel.row_ids.tolist() == [0, 7]


def test_wages_kept_as_missing_are_noted():
    panel = read_panel(bad_wages(), wage="pay", invalid_wage="missing")
    assert panel.frame["pay"].isna().tolist() == [False] + [True] * 6 + [False]
    assert panel.ledger.losses == ()
    assert "missing in 6 rows" in panel.ledger.notes[0]


def test_no_wage_left_is_an_error():
    with pytest.raises(EmptyDataError):
        read_panel({"pay": [0.0, -1.0]}, wage="pay", invalid_wage="drop")


WORDS = [
    (dict(rows={}), EmptyDataError, "no rows"),
    (dict(worker="pidd"), ColumnError, "Did you mean 'pid'"),
    (dict(weight="paye"), ColumnError, "Did you mean 'pay'"),
    (dict(cluster=["iso"]), ColumnError, "Did you mean 'iso3'"),
    (dict(columns=["yaer"]), ColumnError, "Did you mean 'year'"),
    (dict(units={"ratee": "share"}, rows=dict(rate=0.1)), ColumnError, "Did you mean 'rate'"),
    (
        dict(rows=dict(iso3=["KOR", "Koera", "USA", "Untied States"])),
        CountryError,
        r"2 names in 2 of 4.*'United States'",
    ),
    (dict(rows=dict(iso3=["KOR", None, "USA", "USA"])), MissingValueError, "'iso3' has no country in 1 of 4"),
    (
        dict(rows=dict(iso3=["KOR", None, "USA", "USA"]), country_names="keep"),
        MissingValueError,
        "'iso3', declared as country, is missing in 1 of 4",
    ),
    (dict(rows=dict(pid=[1.0, np.nan, 2, 3])), MissingValueError, "'pid', declared as worker, is missing in 1 of 4"),
    (dict(rows=dict(year=[2020, 2020, None, None])), MissingValueError, "'year', declared as period.* in 2 of 4"),
    (dict(rows=dict(psu=[1, 1, None, 2]), cluster="psu"), MissingValueError, "'psu', declared as cluster.* in 1 of 4"),
    (
        dict(rows=dict(s=[1, None, None, 2]), strata="s"),
        MissingValueError,
        "'s', declared as cluster or stratum.* 2 of 4",
    ),
    (dict(rows=dict(pid=[1, 1, 1, 2])), DuplicateKeyError, r"1 of 4.*iso3 KOR, pid 1, year 2020.*duplicates='keep'"),
    (dict(rows=dict(pid=[1, 1, 3, 2]), period=None), DuplicateKeyError, "declare period="),
    (dict(rows=dict(pid=[1, 2, 1, 3]), worker_scope="global"), DuplicateKeyError, "1 of 4"),
    (dict(rows=dict(rate=[0.1, 1.3, 0, 1]), units={"rate": "share"}), UnitError, "per cent"),
    (dict(rows=dict(rate=[0.1, -0.3, 0, 1]), units={"rate": "share"}), UnitError, "rate: 1 of 4"),
    (dict(rows=dict(rate=["a", "0.3", "0", "1"]), units={"rate": "share"}), UnitError, "text in 4 of 4"),
    (dict(units={"pay": "shaer"}), UnitError, "Did you mean 'share'"),
    (dict(weight="pay", weight_kind="smapling"), OptionError, "Did you mean 'sampling'"),
    (dict(weight_kind="sampling"), OptionError, "without weight"),
    (dict(invalid_wage="droop"), OptionError, "Did you mean 'drop'"),
    (dict(country_names="kep"), OptionError, "Did you mean 'keep'"),
    (dict(duplicates="kep"), OptionError, "Did you mean 'keep'"),
    (dict(worker_scope="globl"), OptionError, "Did you mean 'global'"),
    (dict(replicate_weights=["pay"]), OptionError, "go together"),
    (dict(replicate_kind="JK2"), OptionError, "go together"),
    (dict(replicate_weights="pay", replicate_kind="JK22"), OptionError, "Did you mean 'JK2'"),
    (dict(replicate_weights="rep", replicate_kind="JK2"), ColumnError, "no column matches"),
    (dict(replicate_weights="(", replicate_kind="JK2"), OptionError, "no regular expression"),
    (dict(fay=1.5), OptionError, "fay"),
]


@pytest.mark.parametrize(("call", "kind", "words"), WORDS)
def test_what_is_wrong_is_said_at_the_door(call, kind, words):
    call = dict(call)
    changed = call.pop("rows", None)
    rows = workers().head(0) if changed == {} else workers(**(changed or {}))
    with pytest.raises(kind, match=words):
        read_panel(rows, **{**ROLES, **call})


def test_columns_of_one_name_are_refused():
    rows = workers()
    rows.columns = ["pid", "pay", "year", "pay"]
    with pytest.raises(ColumnError, match="'pay'"):
        read_panel(rows, wage="pay")


@pytest.mark.parametrize(
    ("name", "content", "kind", "words"),
    [
        ("none.csv", None, DataError, "Did you mean"),
        ("a.csv", b"", EmptyDataError, "no rows"),
        ("a.csv", b"pid,pay\n", EmptyDataError, "no rows"),
        ("a.csv", b"a,b\n1,2\n3,4,5\n", DataError, "cannot be read as .csv"),
        ("a.csv", b"a\n\xff\xfe\n", DataError, "cannot be read as .csv"),
        ("a.parquet", b"nothing of the kind", DataError, "cannot be read as .parquet"),
        ("a.dta", b"nothing of the kind", DataError, "cannot be read as .dta"),
        ("a.json", b"{}", DataError, "Known: .csv"),
    ],
)
def test_files_that_cannot_be_read(tmp_path, name, content, kind, words):
    (tmp_path / "nine.csv").write_text("pid\n1\n")
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(kind, match=words):
        read_panel(tmp_path / name)


def test_a_missing_extra_is_named(tmp_path, monkeypatch):
    (tmp_path / "a.sav").write_bytes(b"")
    monkeypatch.setitem(sys.modules, "pyreadstat", None)
    with pytest.raises(ExtraMissingError, match=r"wagegap\[data\]"):
        read_panel(tmp_path / "a.sav")


@pytest.mark.parametrize(
    "codes", [[99997.0, 99997.0], [9999.0, 9999.0], [999.0] * 3, [999998.0, 999999.0] * 2, [9999999.0] * 2]
)
def test_wages_that_may_be_codes_are_named_and_kept(codes):
    rows = pd.DataFrame({"pay": [10.5, 20, 30, *codes]})
    with pytest.warns(
        DataWarning, match=rf"'pay' is .*{codes[-1]:,.0f} in \d rows, and at most 30 in all others"
    ) as told:
        panel = read_panel(rows, wage="pay")
    assert len(told) == 1
    assert panel.frame["pay"].tolist() == rows["pay"].tolist()
    assert panel.filter(f"pay < {min(codes):.0f}").frame["pay"].max() == 30


@pytest.mark.parametrize(
    "pay", [[10.0, 9999], [60_000.0, 99_999, 99_999], [99.0, 99, 10], [9990.0, 9990, 1], [9999.0] * 3]
)
def test_wages_that_are_high_or_capped_are_no_codes(pay):
    assert len(read_panel({"pay": pay}, wage="pay")) == len(pay)


def test_what_is_declared_is_kept():
    rows = workers(w=[1.0, 2, 3, 4], psu=[1, 1, 2, 2], s="a")
    panel = read_panel(rows, **ROLES, weight="w", cluster="psu", strata="s", source_name="survey")
    assert (panel.roles.weight_kind, panel.roles.cluster, panel.roles.strata) == ("sampling", ("psu",), "s")
    assert panel.ledger.weight_read == 10
    assert panel.source == "survey"


def test_duplicates_can_be_kept():
    panel = read_panel(workers(pid=[1, 1, 1, 2]), **ROLES, duplicates="keep")
    assert len(panel) == 4
    assert not panel.keyed


def test_country_names_can_be_kept():
    panel = read_panel(workers(iso3=["Here", "Here", "There", "There"]), **ROLES, country_names="keep")
    assert panel.frame["iso3"].tolist() == ["Here", "Here", "There", "There"]


@pytest.mark.shared
def test_ids_that_repeat_across_countries(data_folder):
    path = data_folder / "piaac" / "piaac_c1.parquet"
    if not path.exists():
        pytest.skip("no local copy of the PIAAC table")
    rows = pd.read_parquet(path, columns=["iso3", "pid"])
    rows = rows[rows["iso3"].isin(["KOR", "JPN"])]
    assert rows["pid"].duplicated().any()
    panel = read_panel(rows, worker="pid", country="iso3")
    worker = panel.groupings(np.arange(len(panel)))["worker"]
    assert worker.n_groups == len(rows)
    assert panel.keyed
    with pytest.raises(DuplicateKeyError):
        read_panel(rows, worker="pid", country="iso3", worker_scope="global")


@pytest.mark.shared
def test_survey_answers_that_are_no_country_are_named(data_folder):
    path = data_folder / "so_survey" / "so_micro.parquet"
    if not path.exists():
        pytest.skip("no local copy of the Stack Overflow table")
    rows = pd.read_parquet(path, columns=["country", "iso3", "year"]).dropna(subset="country")
    with pytest.raises(CountryError, match="Other"):
        read_panel(rows, country="country")
    named = rows[rows["iso3"].notna() & (rows["country"] != "S. Georgia & S. Sandwich Isls.")]  # coded as Georgia there
    panel = read_panel(named, country="country", period="year")
    assert len(panel) > 50_000
    assert (panel.frame["country"].astype(str) == named["iso3"].astype(str).to_numpy()).all()


def test_rows_that_are_the_same_throughout_can_be_left_out():
    rows = workers(pid=[1, 2, 3, 4])
    twice = pd.concat([rows, rows.iloc[:2]])
    panel = read_panel(twice, **ROLES, duplicates="drop")
    pd.testing.assert_frame_equal(panel.frame, read_panel(rows, **ROLES).frame)
    assert "2 of 6 rows are the same in every column as an earlier one" in str(panel.ledger)
    with pytest.raises(DuplicateKeyError, match=r"same in every column: pass duplicates='drop'"):
        read_panel(twice, **ROLES)
    other = pd.concat([twice, rows.iloc[:1].assign(pay=99.0)])
    with pytest.raises(DuplicateKeyError, match="1 of 5 rows"):
        read_panel(other, **ROLES, duplicates="drop")
