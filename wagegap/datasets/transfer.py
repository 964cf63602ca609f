"""Fetching one known file: its bytes go to NAME.part, and take its name only once size and SHA-256 are right.

A transfer that breaks off keeps the part, and the next one asks for the rest (`Range`, RFC 9110, section 14); where the
server sends the whole file instead, it starts anew. Pooch checks hashes but starts anew each time; a file of 200
megabytes over a poor line needs the other kind, and the standard library has all it takes.

One process at a time writes a part: it holds a lock on the open file, which ends with the process, however it ends.
Where the system knows no such locks, the hash still decides.
"""

from __future__ import annotations

import hashlib
import http.client
import os
import re
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BufferedRandom
from pathlib import Path
from typing import Any

from wagegap.errors import ChecksumError, DownloadError, OutputError, WagegapError

__all__ = ["KnownFile", "difference", "fetch", "part_of"]

_CHUNK = 1 << 18
_ATTEMPTS = 5
_NO_RANGE = 416


@dataclass(frozen=True, slots=True)
class KnownFile:
    """A file as it was published.

    Attributes
    ----------
    name : str
        What users call it.
    url : str
        Address.
    size : int
        Bytes.
    sha256 : str
        Hash, in hexadecimal digits.
    """

    name: str
    url: str
    size: int
    sha256: str


def part_of(target: Path) -> Path:
    """Return the path of what has been fetched of a file so far.

    >>> part_of(Path("survey.csv")).name
    'survey.csv.part'
    """
    return target.with_name(f"{target.name}.part")


def difference(path: Path, wanted: KnownFile) -> str:
    """Say in what a file differs from the published one; an empty string where in nothing.

    Raises
    ------
    OutputError
        The path is not a file, or cannot be read.
    """
    try:
        size = path.stat().st_size
        if path.is_dir():
            raise OutputError(f"{path} is a folder, where {wanted.name} should be.")
        if size != wanted.size:
            return f"it has {size:,} bytes, not {wanted.size:,}"
        with path.open("rb") as handle:
            found = hashlib.file_digest(handle, "sha256").hexdigest()
    except WagegapError:
        raise
    except OSError as error:
        raise OutputError(f"{path} cannot be read: {error.strerror or error}.") from error
    return "" if found == wanted.sha256 else f"its SHA-256 is {found}, not {wanted.sha256}"


def fetch(wanted: KnownFile, target: Path, *, timeout: float, report: Callable[[int], None]) -> None:
    """Fetch a file whole, resuming what is there of it.

    Parameters
    ----------
    wanted : KnownFile
        What it must be.
    target : Path
        Where it goes, in a folder that exists.
    timeout : float
        Seconds to wait for the server's next bytes.
    report : callable
        Told the number of bytes that are there, as they come.

    Raises
    ------
    DownloadError
        No network, a refusal, a page in place of the file, a connection lost, another process at the same file.
    ChecksumError
        The file is whole, and another; nothing of it is kept.
    OutputError
        It cannot be written.
    """
    with _held(part_of(target), wanted) as part:
        if target.is_file() and part.size == 0 and not difference(target, wanted):
            return  # another process was at it until now
        if part.size > wanted.size or (part.size == wanted.size and part.sha256 != wanted.sha256):
            part.restart()
        if part.size < wanted.size:
            with _telling(wanted, part):
                _receive(wanted, part, timeout, report)
        if part.sha256 != wanted.sha256:
            found = part.sha256
            part.restart()
            raise ChecksumError(
                f"{wanted.name} from {wanted.url} has the right size and SHA-256 {found}, not {wanted.sha256}: it was "
                "altered on the way, or published anew. Nothing was kept; call again to fetch it from the start."
            )
        part.become(target)


class _Part:
    """Bytes fetched so far, open for more, with their hash."""

    def __init__(self, path: Path, handle: BufferedRandom) -> None:
        self.path = path
        self._handle = handle
        self._digest = hashlib.file_digest(handle, "sha256")
        self.size = handle.seek(0, os.SEEK_END)

    @property
    def sha256(self) -> str:
        return self._digest.hexdigest()

    def take(self, chunk: bytes) -> None:
        with _writing(self.path):
            self._handle.write(chunk)
            self._handle.flush()
        self._digest.update(chunk)
        self.size += len(chunk)

    def restart(self) -> None:
        with _writing(self.path):
            self._handle.truncate(0)
            self._handle.seek(0)
        self._digest, self.size = hashlib.sha256(), 0

    def remove(self) -> None:
        self._let_go()
        self.path.unlink(missing_ok=True)

    def become(self, target: Path) -> None:
        with _writing(target):
            os.fsync(self._handle.fileno())
            self._let_go()
            os.replace(self.path, target)

    def _let_go(self) -> None:
        if sys.platform == "win32":  # which moves and removes no open file; elsewhere, the lock is held to the end
            self._handle.close()


@contextmanager
def _writing(path: Path) -> Iterator[None]:
    """Turn what the disk refuses into an error of this package."""
    try:
        yield
    except OSError as error:
        raise OutputError(
            f"{path} cannot be written: {error.strerror or error}. Give folder= another folder, or mend this one; what "
            "was fetched before is kept."
        ) from error


@contextmanager
def _held(path: Path, wanted: KnownFile) -> Iterator[_Part]:
    """Open a part that no other process writes."""
    for _ in range(_ATTEMPTS):
        with _writing(path):
            handle = path.open("a+b")
        with handle:
            if not _lock(handle):
                break
            if not _is_still(path, handle):  # moved to its place by another process, between opening and locking
                continue
            handle.seek(0)
            part = _Part(path, handle)
            try:
                yield part
            finally:
                if part.size == 0:
                    part.remove()
            return
    raise DownloadError(
        f"another process is fetching {wanted.name} into {path}: wait for it, or give this one another folder."
    )


def _lock(handle: BufferedRandom) -> bool:
    """Whether the file is now ours; where there are no locks, say yes."""
    if sys.platform == "win32":
        return True
    import fcntl

    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return True
    return True


def _is_still(path: Path, handle: BufferedRandom) -> bool:
    try:
        return os.path.samestat(os.fstat(handle.fileno()), path.stat())
    except FileNotFoundError:
        return False


@contextmanager
def _telling(wanted: KnownFile, part: _Part) -> Iterator[None]:
    """Turn what goes wrong on the way into an error that says what is there and how to go on."""
    try:
        yield
    except WagegapError:
        raise
    except KeyboardInterrupt:
        raise KeyboardInterrupt(f"{wanted.name}: interrupted. {_kept(wanted, part)}") from None
    except urllib.error.HTTPError as error:
        error.close()
        raise DownloadError(_refused(wanted, error)) from error
    except urllib.error.URLError as error:
        raise DownloadError(
            f"{wanted.name}: {wanted.url} cannot be reached ({error.reason}). {_kept(wanted, part)}"
        ) from error
    except TimeoutError as error:
        raise DownloadError(
            f"{wanted.name}: {wanted.url} sent nothing for longer than timeout= allows. {_kept(wanted, part)}"
        ) from error
    except (OSError, http.client.HTTPException, ValueError) as error:  # a redirection to what is no address, too
        raise DownloadError(f"{wanted.name}: the connection was lost ({error!r}). {_kept(wanted, part)}") from error


def _kept(wanted: KnownFile, part: _Part) -> str:
    if part.size == 0:
        return "Nothing was fetched; call again to try once more."
    return (
        f"{part.size:,} of {wanted.size:,} bytes are in {part.path.name}; call again to fetch the rest, from where it "
        "broke off."
    )


def _refused(wanted: KnownFile, error: urllib.error.HTTPError) -> str:
    if error.code in (http.client.NOT_FOUND, http.client.GONE):
        hint = "The publisher may have moved it: give its present address as url=."
    elif error.code in (http.client.UNAUTHORIZED, http.client.FORBIDDEN):
        hint = "Fetch it in a browser and put it in place, or give another address as url=."
    else:
        hint = "Call again later."
    return f"{wanted.name}: {wanted.url} answered {error.code} {error.reason}. {hint}"


def _receive(wanted: KnownFile, part: _Part, timeout: float, report: Callable[[int], None]) -> None:
    response, start = _ask(wanted, part.size, timeout)
    with response:
        chunk = response.read1(_CHUNK)
        if start == 0:
            _check_content(wanted, chunk, response.headers.get("Content-Type", ""))
        _check_encoding(wanted, response.headers.get("Content-Encoding", ""))
        _check_length(wanted, response.headers.get("Content-Length"), start)
        if start != part.size:
            part.restart()
        while chunk:
            if part.size + len(chunk) > wanted.size:
                part.restart()
                raise DownloadError(
                    f"{wanted.name}: {wanted.url} sends more than the {wanted.size:,} bytes of the published file. "
                    "Nothing was kept; give another address as url=."
                )
            part.take(chunk)
            report(part.size)
            chunk = response.read1(_CHUNK)
    if part.size < wanted.size:
        raise DownloadError(f"{wanted.name}: the connection was lost. {_kept(wanted, part)}")


def _ask(wanted: KnownFile, have: int, timeout: float) -> tuple[Any, int]:
    """Ask for the rest of a file; return the answer, and the byte at which it starts."""
    if have:
        try:
            response = _open(wanted.url, timeout, have)
        except urllib.error.HTTPError as error:
            if error.code != _NO_RANGE:
                raise
            error.close()
        else:
            if response.status == http.client.OK:
                return response, 0
            if _continues(response.headers.get("Content-Range", ""), have, wanted.size):
                return response, have
            response.close()
    response = _open(wanted.url, timeout)
    if response.status != http.client.OK:
        response.close()
        raise DownloadError(f"{wanted.name}: {wanted.url} answered {response.status} instead of sending the file.")
    return response, 0


def _open(url: str, timeout: float, start: int = 0) -> Any:
    """Ask for an address over http or https; redirections to anything else are not followed."""
    headers = {"User-Agent": "wagegap", "Accept-Encoding": "identity"}
    if start:
        headers["Range"] = f"bytes={start}-"
    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.ProxyHandler, urllib.request.UnknownHandler, urllib.request.HTTPHandler,
        urllib.request.HTTPSHandler, urllib.request.HTTPRedirectHandler, urllib.request.HTTPDefaultErrorHandler,
        urllib.request.HTTPErrorProcessor,
    ):  # fmt: skip
        opener.add_handler(handler())
    return opener.open(urllib.request.Request(url, headers=headers), timeout=timeout)


def _continues(content_range: str, start: int, size: int) -> bool:
    """Whether an answer is the rest of this file.

    >>> _continues("bytes 10-99/100", 10, 100), _continues("bytes 0-99/100", 10, 100)
    (True, False)
    """
    found = re.fullmatch(r"bytes (\d+)-(\d+)/(\d+|\*)", content_range.strip())
    if found is None:
        return False
    first, last, total = found.groups()
    return int(first) == start and int(last) == size - 1 and total in (str(size), "*")


def _check_content(wanted: KnownFile, chunk: bytes, kind: str) -> None:
    """Raise where the beginning of an answer shows that it is not the file."""
    begins = chunk.lstrip()[:64].lower()
    if begins.startswith(b"version https://git-lfs"):
        raise DownloadError(
            f"{wanted.name}: {wanted.url} sends the pointer of git-lfs, not the file. Files of that kind are at "
            "media.githubusercontent.com/media/OWNER/REPOSITORY/BRANCH/PATH: give such an address as url=."
        )
    if kind.lower().startswith("text/html") or begins.startswith((b"<!doctype html", b"<html")):
        raise DownloadError(
            f"{wanted.name}: {wanted.url} sends a page, not the file: a sign-in of the network, or a notice of the "
            "server. Open the address in a browser to see it, or give another as url=."
        )


def _check_encoding(wanted: KnownFile, encoding: str) -> None:
    """Raise where a server packs what was asked for as it is: a part of packed bytes could not be continued."""
    if encoding.strip().lower() not in ("", "identity"):
        raise DownloadError(
            f"{wanted.name}: {wanted.url} sends the file packed ({encoding}), though it was asked not to. Nothing of "
            "it was kept; give another address as url=."
        )


def _check_length(wanted: KnownFile, declared: str | None, start: int) -> None:
    """Raise where the server says beforehand that its file is another."""
    if declared is not None and declared.isdigit() and int(declared) != wanted.size - start:
        raise DownloadError(
            f"{wanted.name}: {wanted.url} has a file of {int(declared) + start:,} bytes, the published one has "
            f"{wanted.size:,}. It may have been published anew; nothing was fetched of it."
        )
