"""What a file holds by its content, held against what its name says, before any reader is given it.

A file is opened as what its name ends with, and only where its first bytes agree: a workbook called x.csv is named for
what it is, and a pickle, which can run any code when it is opened, is never opened under any name. Addresses are not
fetched; pipes, devices and folders are not files of rows. What is packed is not unpacked beyond a bound: the larger of
256 MiB and a hundred times the packed size, more than tables of rows need.
"""

from __future__ import annotations

import base64
import errno
import gzip
import io
import os
import pickletools
import re
import stat
import warnings
import zipfile
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, BinaryIO, cast
from xml.parsers import expat

from wagegap.errors import DataError, OptionError, listing, shown

__all__ = ["check_content", "check_path", "open_text", "parquet_columns"]

_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.\-]*://")
_BASE64 = re.compile(rb"[A-Za-z0-9+/]{64,}={0,2}")
_PICKLES = (".pkl", ".pickle", ".joblib", ".p")
_PICKLE = "a Python pickle, which can run any code when it is opened"
_SEEN = 512
_TEXT_PICKLE = 2**20
"""A pickle of protocol 0 is text; files up to this size are looked through for one."""
_RUNNING = ("REDUCE", "BUILD", "INST", "OBJ", "NEWOBJ", "NEWOBJ_EX")
_LEAST, _TIMES = 2**28, 100
_CHUNK = 2**16
_MAGIC: Mapping[bytes, str] = MappingProxyType(
    {
        b"PAR1": ".parquet", b"$FL2": ".sav", b"$FL3": ".sav", b"<stata_dta>": ".dta", b"\x1f\x8b": ".gz",
        b"\x80\x02": _PICKLE, b"\x80\x03": _PICKLE, b"\x80\x04": _PICKLE, b"\x80\x05": _PICKLE,
        b"\x93NUMPY": "an array of numpy", b"\x89HDF\r\n": "an HDF5 file", b"ARROW1": "an Arrow (Feather) file",
        b"FEA1": "a Feather file", b"BZh": "a bzip2 archive", b"\xfd7zXZ": "an xz archive",
        b"\x28\xb5\x2f\xfd": "a zstd archive", b"7z\xbc\xaf": "a 7z archive", b"Rar!": "a rar archive",
        b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1": "an old Excel workbook (xls)", b"%PDF": "a PDF", b"ORC": "an ORC file",
        b"SQLite format 3\0": "a SQLite database", b"RDX": "data of R", b"\x89PNG": "an image", b"MZ\x90": "a program",
        b"\x7fELF": "a program",
    }
)  # fmt: skip
"""What files begin with: a suffix that is read, or what it is."""
_KINDS: Mapping[str, str] = MappingProxyType(
    {
        ".parquet": "a parquet file", ".sav": "an SPSS file", ".dta": "a Stata file", ".gz": "a gzip archive",
        ".xlsx": "an xlsx workbook", ".csv": "text",
    }
)  # fmt: skip
_EXPECTED: Mapping[str, str] = MappingProxyType({".csv.gz": ".gz", ".tsv": ".csv"})
"""What the content of a suffix is, where it is not the suffix's own."""


def check_path(path: Any) -> str:
    """Return the text of a path, which is no address.

    Raises
    ------
    DataError, OptionError

    Examples
    --------
    >>> check_path("https://example.org/rows.csv")
    Traceback (most recent call last):
    ...
    wagegap.errors.DataError: 'https://example.org/rows.csv' is an address: nothing is fetched from the network. ...
    """
    text = os.fspath(path)
    if not isinstance(text, str):
        raise OptionError(f"a path must be text, not {type(text).__name__}.")
    if "\0" in text:
        raise DataError(f"{text!r} holds a zero character, which no path has.")
    if _ADDRESS.match(text):
        raise DataError(
            f"{text!r} is an address: nothing is fetched from the network. Download the file first, hold its SHA-256 "
            "against the publisher's, and give the path of the copy."
        )
    try:
        os.stat(text)
    except UnicodeEncodeError as error:
        raise DataError(f"{text!r} holds half a character, which no path has.") from error
    except OSError as error:
        if error.errno == errno.ENAMETOOLONG:
            raise DataError(f"{shown(text)} is longer than a path can be.") from error
    return text


def check_content(path: str, suffix: str) -> None:
    """Raise unless a path is a file, and holds what its suffix says.

    Raises
    ------
    DataError
        A folder, pipe or device; a pickle; a file of another kind, which is named.
    """
    lowered = path.lower()
    if lowered.endswith(_PICKLES):
        raise _refusal(path, _PICKLE)
    mode = os.stat(path).st_mode
    if not stat.S_ISREG(mode):
        kind = "a folder: give its files, such as 'folder/*.csv'" if stat.S_ISDIR(mode) else "a pipe or device, no file"
        raise DataError(f"{path!r} is {kind}.")
    held, expected = _held(path), _EXPECTED.get(suffix, suffix)
    if held == _PICKLE or (suffix and held not in (expected, None)):
        raise _refusal(path, held, expected)
    if held == ".xlsx":
        _check_workbook(path)


def parquet_columns(path: str, wanted: Callable[[str], bool] | None) -> list[str] | None:
    """Return which columns of a parquet file are wanted; None for all.

    Refused where the file names a type of Python's own, or these columns hold far more values than it has bytes.

    Raises
    ------
    DataError
    """
    import pyarrow.parquet as pq

    if _has_pickled_type(path):
        raise DataError(f"{path!r} holds a pickled type of Python, which is not opened: write plain columns.")
    about = pq.read_metadata(path)
    columns = None if wanted is None else list(filter(wanted, pq.read_schema(path).names))
    width = about.num_columns if columns is None else len(columns)
    values, most = about.num_rows * width * 8, _most(os.path.getsize(path))
    if values > most:
        raise DataError(
            f"{path!r} says that it holds {about.num_rows:,} rows of {width:,} columns, {values:,} bytes when read, in "
            f"{os.path.getsize(path):,}: more than {most:,} are not read. Choose columns=, or split the file."
        )
    return columns


def _has_pickled_type(path: str) -> bool:
    """Whether the footer of a parquet file holds a schema of Arrow with a type of Python's own, which is a pickle.

    Read from the bytes: Arrow itself may unpickle the type as soon as it looks at the schema.
    """
    size = os.path.getsize(path)
    with open(path, "rb") as file:
        file.seek(max(size - 8, 0))
        length = int.from_bytes(file.read(4), "little")
        file.seek(max(size - 8 - length, 0))
        footer = file.read(length)
    # a byte that counts the text may read like its first letter: each of four beginnings is tried
    texts = (match[0].rstrip(b"=")[shift:] for match in _BASE64.finditer(footer) for shift in range(4))
    return any(b"arrow.py_extension_type" in base64.b64decode(text[: len(text) // 4 * 4]) for text in texts)


def open_text(path: str) -> BinaryIO:
    """Open a text file, unpacked where it is packed; reading ends in an error beyond the bound of what is unpacked."""
    if not path.lower().endswith(".gz"):
        return open(path, "rb")
    bounded = _Bounded(cast("BinaryIO", gzip.GzipFile(path)), path, _most(os.path.getsize(path)))
    return cast("BinaryIO", io.BufferedReader(bounded, 4 * _CHUNK))


class _Bounded(io.RawIOBase):
    """A packed file that is read up to so many bytes."""

    def __init__(self, file: BinaryIO, path: str, most: int) -> None:
        self._file, self._path, self._most, self._read = file, path, most, 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        n = self._file.readinto(buffer)  # type: ignore[attr-defined]
        self._read += n
        if self._read > self._most:
            raise DataError(
                f"{self._path!r} unpacks to more than {self._most:,} bytes, a hundred times its own size: it is not "
                "read further. Unpack it where it is to be read all the same."
            )
        return int(n)

    def close(self) -> None:
        self._file.close()
        super().close()


def _most(packed: int) -> int:
    """How many bytes so many may unpack to."""
    return max(_LEAST, _TIMES * packed)


def _held(path: str) -> str | None:
    """What a file holds by its first bytes: a suffix that is read, or words; None where it says nothing."""
    with open(path, "rb") as file:
        start = file.read(_SEEN)
    known = next((kind for magic, kind in _MAGIC.items() if start.startswith(magic)), None)
    if known is not None:
        return known
    if start.startswith(b"PK\x03\x04"):
        return _held_by_zip(path)
    if len(start) > 3 and 105 <= start[0] <= 119 and start[1] in (1, 2) and start[2:4] == b"\x01\0":
        return ".dta"
    text = start.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if text.startswith((b"<!doctype", b"<html", b"<?xml", b"<table")):
        return "a page of HTML or XML"
    if re.match(rb'[\[{]\s*["{\[]', text):
        return "JSON"
    if re.match(rb"[(\]}cil]", start) and os.path.getsize(path) <= _TEXT_PICKLE and _is_pickle(path):
        return _PICKLE
    return None


def _held_by_zip(path: str) -> str | None:
    """What a zip archive holds; None where it is broken, which its reader says."""
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError):
        return None
    if any(name.lower().startswith("xl/") for name in names):
        return ".xlsx"
    if names and all(name.endswith(".npy") for name in names):
        return "arrays of numpy (npz)"
    return f"a zip archive of {listing(map(repr, names), 3)}"


def _is_pickle(path: str) -> bool:
    """Whether a file is, to its last byte, a pickle of text that would run something; nothing of it is carried out."""
    with open(path, "rb") as file:
        content = file.read()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # of backslashes in text that is no pickle
            codes = [(code.name, place) for code, _, place in pickletools.genops(content)]
    except Exception:  # whatever the parser makes of text that is no pickle
        return False
    return any(name in _RUNNING for name, _ in codes) and codes[-1][1] == len(content) - 1


def _refusal(path: str, held: str, expected: str = "") -> DataError:
    """The error for a file that holds something else than its name says."""
    what = _KINDS.get(held, held)
    if held == _PICKLE:
        return DataError(f"{path!r} holds {what}: none is read. Write the table as parquet or csv where it was made.")
    if held == ".gz":
        cure = "let its name end with .csv.gz, or unpack it"
    elif held in _KINDS:
        cure = f"let its name end with {held}"
    else:
        cure = "write it as csv, parquet or xlsx"
    return DataError(f"{path!r} holds {what}, not {_KINDS[expected]}: {cure}.")


def _check_workbook(path: str) -> None:
    """Raise where a workbook unpacks to far more than it should, or its XML defines entities."""
    with zipfile.ZipFile(path) as book:
        unpacked, most = sum(entry.file_size for entry in book.infolist()), _most(os.path.getsize(path))
        if unpacked > most:
            raise DataError(f"{path!r} unpacks to {unpacked:,} bytes; more than {most:,} are not read.")
        for entry in book.infolist():
            if entry.filename.lower().endswith((".xml", ".rels")) and _has_doctype(book, entry):
                raise DataError(f"{path!r} defines entities in {entry.filename!r}, which no workbook needs: not read.")


def _has_doctype(book: zipfile.ZipFile, entry: zipfile.ZipInfo) -> bool:
    """Whether a part of a workbook has a document type, which stands before its first element."""
    found: list[bool] = []
    parser = expat.ParserCreate()
    parser.StartDoctypeDeclHandler = lambda *_: found.append(True)
    parser.StartElementHandler = lambda *_: found.append(False)
    with book.open(entry) as part:
        while not found and (chunk := part.read(_CHUNK)):
            try:
                parser.Parse(chunk)
            except expat.ExpatError:
                break
    return bool(found) and found[0]
