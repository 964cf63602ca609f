"""Files are what their content says: pickles, addresses, pipes and bombs are refused, each in one sentence."""

from __future__ import annotations

import gzip
import io
import json
import os
import pickle
import zipfile
import zlib
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from wagegap import datasets, errors, read_panel
from wagegap.panel import file_contents

ROWS = pd.DataFrame({"iso3": ["KOR", "USA", "JPN"], "pay": [20.0, 30.0, 25.0], "year": [2019, 2020, 2021]})
SUFFIXES = (".csv", ".csv.gz", ".tsv", ".parquet", ".dta", ".sav", ".xlsx")


class Ran:
    """Makes a file where it is unpickled."""

    def __init__(self, path):
        self.path = str(path)

    def __reduce__(self):
        return Path.touch, (Path(self.path),)


def content(write, suffix):
    """The bytes of a file that a function writes."""

    def make(folder):
        path = folder / f"made{suffix}"
        write(path)
        return path.read_bytes()

    return make


def zipped(name, text):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr(name, text)
    return file.getvalue()


def saved(array, save=np.save):
    file = io.BytesIO()
    save(file, array)
    return file.getvalue()


CONTENTS = {
    "an xlsx workbook": content(lambda path: ROWS.to_excel(path, index=False), ".xlsx"),
    "a parquet file": content(ROWS.to_parquet, ".parquet"),
    "a Stata file": content(lambda path: ROWS.to_stata(path, write_index=False), ".dta"),
    "a gzip archive": lambda _: gzip.compress(b"iso3,pay\nKOR,1\n"),
    "a zip archive of 'rows.csv'": lambda _: zipped("rows.csv", "iso3,pay\nKOR,1\n"),
    "arrays of numpy": lambda _: saved(np.arange(3), np.savez),
    "an array of numpy": lambda _: saved(np.arange(3)),
    "a page of HTML or XML": lambda _: b"<!DOCTYPE html><html><table><tr><td>1</td></tr></table></html>",
    "JSON": lambda _: json.dumps([{"iso3": "KOR"}]).encode(),
    "an Arrow": content(ROWS.to_feather, ".feather"),
    "a bzip2 archive": lambda _: b"BZh91AY&SY",
    "an old Excel workbook": lambda _: b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600),
}
OWN = {"an xlsx workbook": ".xlsx", "a parquet file": ".parquet", "a Stata file": ".dta", "a gzip archive": ".csv.gz"}


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("kind", CONTENTS)
def test_content_under_another_name(kind, suffix, tmp_path):
    if kind == "an xlsx workbook":
        pytest.importorskip("openpyxl")
    if OWN.get(kind) == suffix:
        return
    path = tmp_path / f"rows{suffix}"
    path.write_bytes(CONTENTS[kind](tmp_path))
    cure = f"let its name end with {OWN[kind]}" if kind in OWN else "write it as csv"
    with pytest.raises(errors.DataError, match=rf"rows\{suffix}' holds {kind}.*, not .*: {cure}"):
        read_panel(path)


@pytest.mark.parametrize("name", [*(f"rows{suffix}" for suffix in SUFFIXES), "rows.pkl", "rows.joblib", "rows.pickle"])
@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_pickles_are_never_opened(name, protocol, tmp_path):
    path, trace = tmp_path / name, tmp_path / "ran"
    path.write_bytes(pickle.dumps(Ran(trace), protocol))
    with pytest.raises(errors.DataError, match=r"holds a Python pickle, which can run any code.*parquet or csv"):
        read_panel(path)
    with pytest.raises(errors.DataError, match="holds a Python pickle"):
        datasets.read_income(path=path)
    with pytest.raises(errors.DataError, match="holds a Python pickle"):
        datasets.read_stack_overflow_year(2019, path)
    assert not trace.exists()
    pickle.loads(path.read_bytes())  # the same bytes run where they are opened
    assert trace.exists()


def test_packed_pickles_and_arrays_of_objects_run_nothing(tmp_path):
    trace = tmp_path / "ran"
    pickled = pickle.dumps(Ran(trace))
    objects = np.array([Ran(trace)], dtype=object)
    for name, held in (
        ("rows.csv.gz", gzip.compress(pickled)), ("rows.csv", zlib.compress(pickled)), ("rows.csv", saved(objects)),
        ("rows.parquet", pickled + b"PAR1"), ("rows.xlsx", zipped("xl/workbook.xml", pickled)),
        ("rows.npz", saved(objects)),
    ):  # fmt: skip
        (tmp_path / name).write_bytes(held)
        with pytest.raises(errors.WagegapError):
            read_panel(tmp_path / name)
    assert not trace.exists()


def test_a_pickled_type_of_arrow_runs_nothing(tmp_path):
    import pyarrow as pa
    import pyarrow.parquet as pq

    trace, path = tmp_path / "ran", tmp_path / "rows.parquet"
    field = pa.field("pay", pa.binary(), metadata={
        "ARROW:extension:name": "arrow.py_extension_type", "ARROW:extension:metadata": pickle.dumps(Ran(trace), 0),
    })  # fmt: skip
    pq.write_table(pa.table([pa.array([b"1"], pa.binary())], schema=pa.schema([field])), path)
    with pytest.raises(errors.DataError, match="holds a pickled type of Python"):
        read_panel(path)
    assert not trace.exists()


@pytest.mark.parametrize(
    "address",
    ["http://example.org/a.csv", "https://example.org/a.parquet", "s3://bucket/a.parquet", "file:///etc/passwd",
     "ftp://example.org/a.dta", "gs://b/a.csv", "HTTP://example.org/a.csv", "memory://a.csv"],
)  # fmt: skip
def test_addresses_are_not_fetched(address):
    for call in (read_panel, lambda path: datasets.read_income(path=path), lambda path: datasets.read_piaac(path)):
        with pytest.raises(errors.DataError, match=r"is an address: nothing is fetched.*Download.*SHA-256"):
            call(address)


def test_no_files_of_rows(tmp_path):
    with pytest.raises(errors.DataError, match="zero character"):
        read_panel("rows\0.csv")
    with pytest.raises(errors.DataError, match="is a folder: give its files"):
        read_panel(tmp_path)
    (tmp_path / "rows.csv").mkdir()
    with pytest.raises(errors.DataError, match="is a folder"):
        read_panel(tmp_path / "rows.csv")
    (tmp_path / "rows.txt").write_text("a,b\n1,2\n")
    with pytest.raises(errors.DataError, match="no file of a kind that is read"):
        read_panel(tmp_path / "rows.txt")
    with pytest.raises(errors.OptionError, match="must be text, not bytes"):
        read_panel(Bytes())


class Bytes(os.PathLike):
    """A path in bytes."""

    def __fspath__(self):
        return b"rows.csv"


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="a system without pipes")
def test_pipes_and_devices(tmp_path):
    os.mkfifo(tmp_path / "pipe.csv")
    os.symlink("/dev/zero", tmp_path / "zero.csv")
    for path in (tmp_path / "pipe.csv", tmp_path / "zero.csv", "/dev/zero", tmp_path / "*.csv"):
        with pytest.raises(errors.DataError, match="is a pipe or device"):
            read_panel(path)


def test_archives_that_unpack_without_end(tmp_path, monkeypatch):
    monkeypatch.setattr(file_contents, "_LEAST", 2**20)
    path = tmp_path / "rows.csv.gz"
    path.write_bytes(gzip.compress(b"a,b\n" + b"1,2\n" * 2**20))
    assert path.stat().st_size < 2**20 / 100
    with pytest.raises(errors.DataError, match=r"unpacks to more than 1,048,576 bytes"):
        read_panel(path)
    path.write_bytes(gzip.compress(b"a,b\n" + b"1,2\n" * 2**17))
    assert len(read_panel(path)) == 2**17


def test_workbooks_that_unpack_without_end_or_define_entities(tmp_path, monkeypatch):
    pytest.importorskip("openpyxl")
    path = tmp_path / "rows.xlsx"
    ROWS.to_excel(path, index=False)
    with zipfile.ZipFile(path) as book:
        parts = {name: book.read(name) for name in book.namelist()}
    laughs = b"<!DOCTYPE x [<!ENTITY a 'ha'><!ENTITY b '&a;&a;&a;&a;'>]>"
    sheet = parts["xl/worksheets/sheet1.xml"]
    head, body = sheet.split(b"?>", 1) if sheet.startswith(b"<?xml") else (b"<?xml version='1.0'", sheet)
    for place in (laughs, b"<!-- " + b"x" * 200_000 + b" -->" + laughs):
        with zipfile.ZipFile(path, "w") as book:
            for name, part in (parts | {"xl/worksheets/sheet1.xml": head + b"?>" + place + body}).items():
                book.writestr(name, part)
        with pytest.raises(errors.DataError, match=r"defines entities in 'xl/worksheets/sheet1.xml'"):
            read_panel(path)
    monkeypatch.setattr(file_contents, "_LEAST", 2**16)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as book:
        for name, part in (parts | {"xl/media/image.bin": bytes(2**24)}).items():
            book.writestr(name, part)
    with pytest.raises(errors.DataError, match=r"unpacks to 16,\d+,\d+ bytes; more than"):
        read_panel(path)


def test_parquet_that_holds_far_more_values_than_bytes(tmp_path, monkeypatch):
    monkeypatch.setattr(file_contents, "_LEAST", 2**20)
    path = tmp_path / "rows.parquet"
    pd.DataFrame({"a": np.zeros(2**19), "b": np.zeros(2**19)}).to_parquet(path)
    with pytest.raises(errors.DataError, match=r"524,288 rows of 2 columns.*Choose columns="):
        read_panel(path)
    monkeypatch.setattr(file_contents, "_LEAST", 2**23)
    assert len(read_panel(path)) == 2**19


def test_text_that_looks_like_something_else_is_read(tmp_path):
    path = tmp_path / "rows.csv"
    for text in ("country\nKorea\n.", "ilo,pay\n1,2\n", "(lp0\n1\n", "PK,b\n1,2\n", "]a,b\n1,2\n", "id\nl.\n"):
        path.write_text(text)
        assert len(read_panel(path)) >= 1
