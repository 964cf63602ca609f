"""Public files that the package knows by name, size and SHA-256, fetched where the user asks for them.

What may be fetched is in `registry.csv`. Nothing is fetched unless asked, nothing is kept in a hidden folder, and no
file takes its name before it is known to be the published one. The surveys of Stack Overflow are published by Stack
Exchange under the Open Database License 1.0, as git-lfs files of the public repository StackExchange/Survey.
"""

from __future__ import annotations

import csv
import os
import sys
import time
from dataclasses import dataclass, field, replace
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import overload
from urllib.parse import urlsplit

import pandas as pd

from wagegap.datasets.transfer import KnownFile, difference, fetch, part_of
from wagegap.errors import ChecksumError, DataError, OptionError, OutputError, check_option, public

__all__ = ["data_folder", "download", "downloads", "known_file", "year_by_size"]

_EVERY_SECONDS = 0.5
_EVERY_SHARE = 0.1


@overload
def download(
    name: str, *, folder: str | os.PathLike[str] | None = ..., overwrite: bool = ..., url: str | None = ...,
    timeout: float = ..., progress: bool = ...,
) -> Path: ...  # fmt: skip
@overload
def download(
    name: list[str] | tuple[str, ...], *, folder: str | os.PathLike[str] | None = ..., overwrite: bool = ...,
    url: str | None = ..., timeout: float = ..., progress: bool = ...,
) -> list[Path]: ...  # fmt: skip
@public
def download(
    name: str | list[str] | tuple[str, ...],
    *,
    folder: str | os.PathLike[str] | None = None,
    overwrite: bool = False,
    url: str | None = None,
    timeout: float = 60.0,
    progress: bool = False,
) -> Path | list[Path]:
    """Fetch public files, and return where they are.

    A file that is there already, with the right size and SHA-256, is not fetched again. One that is cut off leaves
    NAME.part, which nothing reads; calling again fetches the rest.

    Parameters
    ----------
    name : str, or several
        Names, as `downloads()` lists them.
    folder : path, optional
        A folder that exists; the one that `WAGEGAP_DATA` names where absent.
    overwrite : bool
        Replace a file of that name that is another, once the new one is whole; without it, such a file is an error.
    url : str, optional
        Another address (http or https) of one file: a mirror, or where the publisher moved it. Size and hash must be
        the same.
    timeout : float
        Seconds to wait for the next bytes.
    progress : bool
        Say on stderr how far it is.

    Returns
    -------
    Path, or list of Path
        In the order of the names.

    Raises
    ------
    OptionError
        A name that is not known, an address that is not one.
    DataError
        No folder is named, or it does not exist.
    ChecksumError
        A file that is there, or what was sent, is not the published one.
    DownloadError
        It could not be fetched in whole.
    OutputError
        It cannot be written.

    Examples
    --------
    >>> download("stack_overflow_1999", folder=".")
    Traceback (most recent call last):
    wagegap.errors.OptionError: name='stack_overflow_1999' is not known. Did you mean 'stack_overflow_2019'? ...
    """
    if not isinstance(name, str | list | tuple):
        raise OptionError(f"name={name!r} must be a name, or a list of names; downloads() lists them.")
    names = [name] if isinstance(name, str) else list(name)
    for each in names:
        check_option("name", each, list(_registry()))
    _check_address(url, names)
    if isinstance(timeout, bool) or not isinstance(timeout, int | float) or not timeout > 0:
        raise OptionError(f"timeout={timeout!r} must be a number of seconds above 0.")
    home = data_folder(folder)
    paths = [_ensure(_registry()[each], home, overwrite, url, timeout, progress) for each in names]
    return paths[0] if isinstance(name, str) else paths


@public
def downloads(*, folder: str | os.PathLike[str] | None = None, verify: bool = False) -> pd.DataFrame:
    """Return what `download` can fetch, and what of it is there.

    Parameters
    ----------
    folder : path, optional
        Where to look; the folder that `WAGEGAP_DATA` names where absent, and nowhere without it.
    verify : bool
        Read the files and compare their SHA-256; without it, sizes are compared.

    Returns
    -------
    DataFrame
        name, year, bytes, sha256, terms, source, url, file (below the folder), local: "absent", "part" (cut off),
        "altered" (another size or hash), "present" (right size), "verified" (right hash).

    Raises
    ------
    DataError
        The folder does not exist.

    Examples
    --------
    >>> frame = downloads()
    >>> len(frame), int(frame["bytes"].sum())
    (15, 1344693664)
    """
    home = data_folder(folder) if folder is not None or os.environ.get("WAGEGAP_DATA") else None
    rows = [
        {
            "name": entry.known.name, "year": entry.year, "bytes": entry.known.size, "sha256": entry.known.sha256,
            "terms": entry.terms, "source": entry.source, "url": entry.known.url, "file": entry.file,
            "local": "absent" if home is None else _state(entry.known, home / entry.file, verify),
        }
        for entry in _registry().values()
    ]  # fmt: skip
    return pd.DataFrame(rows)


def year_by_size(size: int) -> int | None:
    """Return the year whose published file has a size; None where none has.

    >>> year_by_size(196_592_730), year_by_size(7)
    (2019, None)
    """
    return next((entry.year for entry in _registry().values() if entry.known.size == size), None)


def known_file(name: str) -> tuple[KnownFile, str]:
    """Return a published file, and its path below the folder of downloads.

    >>> known_file("stack_overflow_2019")[1]
    'so_survey/stack_overflow_2019.csv'
    """
    entry = _registry()[name]
    return entry.known, entry.file


def data_folder(folder: str | os.PathLike[str] | None) -> Path:
    """Return the folder given, or the one that `WAGEGAP_DATA` names.

    Raises
    ------
    DataError, OptionError
    """
    named = folder if folder is not None else os.environ.get("WAGEGAP_DATA")
    if not named:
        raise DataError(
            "no folder for downloads: pass folder=, or set WAGEGAP_DATA to the folder that is to hold them."
        )
    if not isinstance(named, str | os.PathLike):
        raise OptionError(f"folder={named!r} must be the path of a folder.")
    home = Path(named)
    if not home.is_dir():
        raise DataError(f"no folder {str(home)!r}: make it first, or name another by folder= or WAGEGAP_DATA.")
    return home


@dataclass(frozen=True, slots=True)
class _Entry:
    """A line of the registry."""

    known: KnownFile
    year: int
    file: str
    terms: str
    source: str


@cache
def _registry() -> dict[str, _Entry]:
    text = files("wagegap.datasets").joinpath("registry.csv").read_text(encoding="utf-8")
    found = {}
    for row in csv.DictReader(text.splitlines()):
        known = KnownFile(row["name"], row["url"], int(row["bytes"]), row["sha256"])
        found[known.name] = _Entry(known, int(row["year"]), row["file"], row["terms"], row["source"])
    return found


def _check_address(url: str | None, names: list[str]) -> None:
    if url is None:
        return
    if len(names) != 1:
        raise OptionError(f"url= is the address of one file; {len(names)} names are given.")
    if not _is_address(url):
        raise OptionError(f"url={url!r} must be an address that begins with http:// or https://.")


def _is_address(url: object) -> bool:
    """Whether something is an address of the web, with a host that can be asked for.

    >>> [_is_address(url) for url in ("https://host/file", "ftp://host/file", "http://a..b/", "http://[::1/", 5)]
    [True, False, False, False, False]
    """
    if not isinstance(url, str):
        return False
    try:
        parts = urlsplit(url)
        (parts.hostname or "").encode("idna")
        named = bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:  # brackets without an end, a port that is no number, an empty part of a host's name
        return False
    return named and parts.scheme in ("http", "https")


def _ensure(
    entry: _Entry, home: Path, overwrite: bool, url: str | None, timeout: float, progress: bool
) -> Path:  # fmt: skip
    """Fetch a file unless it is there."""
    known = entry.known if url is None else replace(entry.known, url=url)
    target = home / entry.file
    if os.path.lexists(target):
        wrong = difference(target, known)
        if not wrong:
            return target
        if not overwrite:
            raise ChecksumError(
                f"{target} is not {known.name} as published: {wrong}. Move it away, or pass overwrite=True to replace "
                "it by the published file."
            )
    try:
        target.parent.mkdir(exist_ok=True)
    except OSError as error:
        raise OutputError(f"{target.parent} cannot be made: {error.strerror or error}.") from error
    told = _Progress(known, shown=progress)
    try:
        fetch(known, target, timeout=timeout, report=told)
    finally:
        told.end()
    return target


def _state(known: KnownFile, path: Path, verify: bool) -> str:
    if not path.is_file():
        return "part" if part_of(path).is_file() else "absent"
    if verify:
        return "altered" if difference(path, known) else "verified"
    return "present" if path.stat().st_size == known.size else "altered"


@dataclass(slots=True)
class _Progress:
    """Say on stderr how far a file is: on one line of a terminal, else a line for each tenth."""

    known: KnownFile
    shown: bool
    begun: float = field(default_factory=time.monotonic)
    first: int | None = None
    at: float = 0.0
    share: float = 0.0
    open_line: bool = False

    def __call__(self, there: int) -> None:
        if not self.shown:
            return
        self.first = there if self.first is None else self.first
        now, share = time.monotonic(), there / self.known.size
        live = sys.stderr.isatty()
        due = now - self.at >= _EVERY_SECONDS if live else share - self.share >= _EVERY_SHARE
        if not due and there < self.known.size:
            return
        self.at, self.share = now, share
        rate = (there - self.first) / max(now - self.begun, 1e-9) / 1e6
        text = (
            f"{self.known.name}: {there / 1e6:,.1f} of {self.known.size / 1e6:,.1f} MB ({share:.0%}), {rate:.1f} MB/s"
        )
        print(f"\r{text:<78}" if live else text, end="" if live else "\n", file=sys.stderr, flush=True)
        self.open_line = live

    def end(self) -> None:
        if self.open_line:
            print(file=sys.stderr)
