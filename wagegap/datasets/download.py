"""Public files that the package knows by name, size and SHA-256, fetched where the user asks for them.

What may be fetched is in `registry.csv`. Nothing is fetched unless asked, nothing is kept in a hidden folder, and no
file takes its name before pooch has found it to be the published one. The surveys of Stack Overflow are published by
Stack Exchange under the Open Database License 1.0, as git-lfs files of the public repository StackExchange/Survey.
"""

from __future__ import annotations

import csv
import hashlib
import os
from dataclasses import dataclass, replace
from functools import cache, partial
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any, overload
from urllib.parse import urlsplit

import pandas as pd

from wagegap._arguments import public
from wagegap.errors import (
    ChecksumError,
    DataError,
    DownloadError,
    ExtraMissingError,
    OptionError,
    OutputError,
    WagegapError,
    check_option,
)

__all__ = ["KnownFile", "data_folder", "difference", "download", "downloads", "published_files"]

_LONGEST_WAIT = 1_000_000
_CHUNK = 1 << 18
_HINTS = {
    404: "The publisher may have moved it: give its present address as url=.",
    403: "Fetch it in a browser and put it in place, or give another address as url=.",
}


@dataclass(frozen=True, slots=True)
class KnownFile:
    """A file as it was published.

    Attributes
    ----------
    name : str
        What users call it.
    year : int
        Of the survey.
    file : str
        Path below the folder of downloads.
    size : int
        Bytes.
    sha256 : str
        Hash, in hexadecimal digits.
    url, terms, source : str
        Address, licence, publisher and title.
    """

    name: str
    year: int
    file: str
    size: int
    sha256: str
    url: str
    terms: str
    source: str


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
    name: Annotated[str | list[str] | tuple[str, ...], "a name or a list of names; downloads() lists them"],
    *,
    folder: str | os.PathLike[str] | None = None,
    overwrite: bool = False,
    url: str | None = None,
    timeout: float = 60.0,
    progress: bool = False,
) -> Path | list[Path]:
    """Fetch public files, and return where they are.

    A file that is there already, with the right size and SHA-256, is not fetched again. Pooch, of the extra
    `data`, fetches and checks the others; one that is cut off leaves nothing, and calling again starts anew.

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
        It could not be fetched in whole, or something else was sent.
    ExtraMissingError
        Pooch is not installed.
    OutputError
        It cannot be written.

    Examples
    --------
    >>> download("stack_overflow_1999", folder=".")
    Traceback (most recent call last):
    wagegap.errors.OptionError: name='stack_overflow_1999' is not known. Did you mean 'stack_overflow_2019'? ...
    """
    names = [name] if isinstance(name, str) else list(name)
    for each in names:
        check_option("name", each, list(published_files()))
    if url is not None and len(names) != 1:
        raise OptionError(f"url= is the address of one file; {len(names)} names are given.")
    if url is not None and not _is_address(url):
        raise OptionError(f"url={url!r} must be an address that begins with http:// or https://.")
    if not 0 < timeout < _LONGEST_WAIT:
        raise OptionError(f"timeout={timeout!r} must be a number of seconds above 0, below {_LONGEST_WAIT:,}.")
    home = data_folder(folder)
    wanted = [published_files()[each] if url is None else replace(published_files()[each], url=url) for each in names]
    paths = [_ensure(one, home, overwrite=overwrite, timeout=timeout, progress=progress) for one in wanted]
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
        name, year, bytes, sha256, terms, source, url, file (below the folder), local: "absent", "altered"
        (another size or hash), "present" (right size), "verified" (right hash).

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
    return pd.DataFrame([
        {
            "name": known.name, "year": known.year, "bytes": known.size, "sha256": known.sha256, "terms": known.terms,
            "source": known.source, "url": known.url, "file": known.file,
            "local": "absent" if home is None else _state(known, home / known.file, verify),
        }
        for known in published_files().values()
    ])  # fmt: skip


def difference(path: Path, known: KnownFile) -> str:
    """Say in what a file differs from the published one; an empty string where in nothing.

    Raises
    ------
    OutputError
        The path is not a file, or cannot be read.
    """
    try:
        with path.open("rb") as handle:
            size = os.fstat(handle.fileno()).st_size
            if size != known.size:
                return f"it has {size:,} bytes, not {known.size:,}"
            sha256 = hashlib.file_digest(handle, "sha256").hexdigest()
    except OSError as error:
        raise OutputError(
            f"{path}, which should be {known.name}, cannot be read: {error.strerror or error}."
        ) from error
    return "" if sha256 == known.sha256 else f"its SHA-256 is {sha256}, not {known.sha256}"


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
    home = Path(named)
    try:
        there = home.is_dir()
    except (OSError, ValueError):  # a name that no folder can have
        there = False
    if not there:
        raise DataError(f"no folder {str(home)!r}: make it first, or name another by folder= or WAGEGAP_DATA.")
    return home


@cache
def published_files() -> dict[str, KnownFile]:
    """Return what may be fetched, by name.

    >>> published_files()["stack_overflow_2019"].file
    'so_survey/stack_overflow_2019.csv'
    """
    text = files("wagegap.datasets").joinpath("registry.csv").read_text(encoding="utf-8")
    return {
        row["name"]: KnownFile(
            row["name"], int(row["year"]), row["file"], int(row["bytes"]), row["sha256"], row["url"], row["terms"],
            row["source"],
        )
        for row in csv.DictReader(text.splitlines())
    }  # fmt: skip


def _is_address(url: Any) -> bool:
    """Whether something is an address of the web, with a host that can be asked for.

    >>> [_is_address(url) for url in ("https://host/file", "ftp://host/file", "http://a..b/", "http://[::1/", 5)]
    [True, False, False, False, False]
    """
    try:
        parts = urlsplit(url)
        return parts.scheme in ("http", "https") and bool((parts.hostname or "").encode("idna")) and parts.port != 0
    except (AttributeError, ValueError):  # no text; brackets without an end, a port that is no number, an empty label
        return False


def _ensure(known: KnownFile, home: Path, *, overwrite: bool, timeout: float, progress: bool) -> Path:
    """Fetch a file unless it is there."""
    target = home / known.file
    present = os.path.lexists(target)
    wrong = difference(target, known) if present else ""
    if wrong and not overwrite:
        raise ChecksumError(
            f"{target} is not {known.name} as published: {wrong}. Move it away, or pass overwrite=True to replace it "
            "by the published file."
        )
    if wrong or not present:
        _fetch(known, target, timeout, progress)
    return target


def _fetch(known: KnownFile, target: Path, timeout: float, progress: bool) -> None:
    """Have pooch fetch a file under another name, check its hash, and move it to its place."""
    try:
        import pooch
    except ImportError as error:
        raise ExtraMissingError("downloads need pooch, of the extra 'data': pip install 'wagegap[data]'.") from error
    pooch.get_logger().setLevel("WARNING")  # it announces each download on stderr
    ask = pooch.HTTPDownloader(
        progressbar=progress, chunk_size=_CHUNK, timeout=timeout, headers={"User-Agent": "wagegap"}
    )
    try:
        pooch.retrieve(known.url, known.sha256, target.name, target.parent, downloader=partial(_receive, known, ask))
    except WagegapError:
        raise
    except ValueError as error:
        raise ChecksumError(
            f"{known.name} from {known.url} has the right size and another SHA-256 than {known.sha256}: it was altered "
            "on the way, or published anew. Nothing was kept; call again to fetch it from the start."
        ) from error
    except OSError as error:
        raise OutputError(
            f"{target} cannot be written: {error.strerror or error}. Give folder= another folder, or mend this one."
        ) from error


def _receive(known: KnownFile, ask: Any, url: str, path: str, _: object) -> None:
    """Write what an address sends, and refuse what cannot be the file.

    Raises
    ------
    DownloadError
        No network, a refusal, a connection lost, something of another size.
    """
    from requests import HTTPError, RequestException

    try:
        ask(url, path, None)
    except HTTPError as error:
        answer: Any = error.response
        hint = _HINTS.get(answer.status_code, "Call again later.")
        raise DownloadError(f"{known.name}: {url} answered {answer.status_code} {answer.reason}. {hint}") from error
    except (RequestException, ValueError) as error:  # the latter for a redirection to what is no address
        raise DownloadError(
            f"{known.name}: {url} cannot be reached, or sent nothing for longer than timeout= allows, or the "
            f"connection was lost ({error}). Nothing was kept; call again."
        ) from error
    if os.path.getsize(path) != known.size:
        raise DownloadError(f"{known.name}: {url} {_sent(Path(path), known)} Nothing was kept.")


def _sent(path: Path, known: KnownFile) -> str:
    """Say what came in place of the file."""
    with path.open("rb") as handle:
        begins = handle.read(64).lstrip().lower()
    if begins.startswith(b"version https://git-lfs"):
        return (
            "sends the pointer of git-lfs, not the file. Files of that kind are at "
            "media.githubusercontent.com/media/OWNER/REPOSITORY/BRANCH/PATH: give such an address as url=."
        )
    if begins.startswith((b"<!doctype html", b"<html")):
        return (
            "sends a page, not the file: a sign-in of the network, or a notice of the server. Open the address in a "
            "browser to see it, or give another as url=."
        )
    return (
        f"sends {path.stat().st_size:,} bytes, the published file has {known.size:,}. The connection was lost, or it "
        "was published anew: call again, or give another address as url=."
    )


def _state(known: KnownFile, path: Path, verify: bool) -> str:
    if not path.is_file():
        return "absent"
    if verify:
        return "altered" if difference(path, known) else "verified"
    return "present" if path.stat().st_size == known.size else "altered"
