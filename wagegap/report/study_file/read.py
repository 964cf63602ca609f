"""A study file, and all that is wrong with it: said at once, with lines, before any data are read.

A study is text that people send each other. It names columns, functions of the closed grammar, files of the kinds that
are read, and parts of itself; it names no file that is written. Whatever else it says is refused, with the section and
the line it stands in.
"""

from __future__ import annotations

import hashlib
import os
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from importlib.resources import files
from pathlib import Path
from typing import Any

from wagegap.errors import StudyError, did_you_mean
from wagegap.report.kinds import KINDS
from wagegap.report.shipped import shipped_hash
from wagegap.report.study_file.check import DEEPEST, content_faults
from wagegap.report.study_file.faults import Fault, raise_faults
from wagegap.report.study_file.lines import line_of, lines_of
from wagegap.report.study_file.parts import countries, files_of

__all__ = ["StudyFile", "faults", "read_study"]

_LARGEST = 2**20
"""Bytes of a study file."""
_AT_LINE = re.compile(r"\(at line (\d+)")


@dataclass(frozen=True, slots=True)
class StudyFile:
    """A study as its file says it.

    Attributes
    ----------
    content : mapping
        Its entries and sections, checked.
    folder : Path
        Where its paths start from.
    name : str
        Of the file; empty where the content was given without one.
    digest : str
        SHA-256 of the file; empty where there is none.
    text : str
        Of the file; empty where there is none.
    """

    content: Mapping[str, Any]
    folder: Path
    name: str = ""
    digest: str = ""
    text: str = ""

    @property
    def seed(self) -> int:
        """Seed of random orders."""
        return int(self.content.get("seed", 0))

    @property
    def watch(self) -> list[str]:
        """Codes of the countries that every finding is to mention."""
        return countries("watch", self.content.get("watch", []))

    def hashes(self) -> dict[str, str]:
        """SHA-256 of every file that the study uses, itself first, by the name it has in the study."""
        digests = {self.name: self.digest} if self.name else {}
        for options in self._sections():
            if "shipped" in options:
                digests |= shipped_hash(options["shipped"])
            elif "path" in options:
                digests |= {self._name(path): _digest(path) for path in files_of(options["path"], self.folder)}
        caution = self.content.get("caution")
        return digests | (shipped_hash(caution["flows"]) if caution else {})

    def _sections(self) -> Iterator[Mapping[str, Any]]:
        """Entries of every section that can say where its data come from."""
        for kind in KINDS.values():
            if kind.places:
                yield from self.content.get(kind.name, {}).values()

    def _name(self, path: str) -> str:
        there = Path(path)
        return (there.relative_to(self.folder) if there.is_relative_to(self.folder) else there).as_posix()


def read_study(source: str | Path | Mapping[str, Any] | None) -> StudyFile:
    """Read a study and check it: the shipped one where there is no source.

    Raises
    ------
    StudyError
        For a file that cannot be read, or a study that cannot be carried out: the first fault in full, and how many
        others there are, with their lines.
    CountryError
        Where nothing is wrong but countries that nobody knows.
    """
    read = _read(source)
    raise_faults(_faults(read))
    return read


def faults(source: str | Path | Mapping[str, Any] | None) -> tuple[Fault, ...]:
    """Return everything that is wrong with a study, in the order of its lines.

    Parameters
    ----------
    source : path or mapping
        A study file or its content; the shipped study where None.

    Returns
    -------
    tuple of Fault
        Each with its line (0 where there is no file), section and text; none of a study that can be carried out.

    Raises
    ------
    StudyError
        For a file that is not there, or is none.

    Examples
    --------
    >>> paid = {"shipped": "published_premiums", "lable": "Pay"}
    >>> for fault in faults({"watch": ["Frence"], "premiums": {"paid": paid}}):
    ...     print(fault.text)
    'watch' names no country by 'Frence'. Did you mean 'France'? Give its English name or its ISO code.
    [premiums.paid] has an unknown entry 'lable'. Did you mean 'label'?
    """
    try:
        read = _read(source)
    except _NoToml as error:
        at = _AT_LINE.search(str(error))
        return (Fault(int(at[1]) if at else error.line, "the study", str(error)),)
    return _faults(read)


class _NoToml(StudyError):
    """A file that is no TOML; `line` where its reader does not say it."""

    line = 0


def _faults(read: StudyFile) -> tuple[Fault, ...]:
    """Faults of a study by line."""
    said = list(content_faults(read.content, read.folder))
    if not read.text or not said:
        return tuple(said)
    lines = lines_of(read.text)
    return tuple(sorted((replace(one, line=line_of(lines, one.address)) for one in said), key=lambda one: one.line))


def _read(source: str | Path | Mapping[str, Any] | None) -> StudyFile:
    if source is None:
        shipped = files("wagegap.report").joinpath("studies", "ai_talent.toml")
        return _parsed(shipped.read_bytes(), Path(), shipped.name)
    if isinstance(source, Mapping):
        return StudyFile(dict(source), Path())
    if isinstance(source, str | Path):
        return _parsed(_bytes_of(Path(source)), Path(source).parent, Path(source).name)
    raise StudyError(f"a study is a path to a TOML file, or its content, not {type(source).__name__}.")


def _bytes_of(path: Path) -> bytes:
    try:
        if path.exists() and not path.is_file():
            raise StudyError(f"cannot read the study {path}: it is no file.")
        if path.is_file() and path.stat().st_size > _LARGEST:
            raise StudyError(
                f"cannot read the study {path}: it has {path.stat().st_size:,} bytes. A study is a small text file "
                "that names its data; are these the data?"
            )
        return path.read_bytes()
    except OSError as error:
        hint = did_you_mean(path, path.parent.glob("*.toml")) if os.path.isdir(path.parent) else ""
        raise StudyError(f"cannot read the study {path}: {error.strerror}.{hint}") from error
    except ValueError as error:
        raise StudyError(f"cannot read the study {str(path)!r}: {error}.") from error


def _parsed(data: bytes, folder: Path, name: str) -> StudyFile:
    try:
        text = data.decode("utf-8-sig")
        content = tomllib.loads(text)
    except RecursionError:
        raise StudyError(f"{name} is not a study: tables or lists are nested more than {DEEPEST} deep.") from None
    except UnicodeDecodeError as error:
        odd = _NoToml(
            f"{name} is not a TOML file: byte {error.start + 1} is not UTF-8. Save it as UTF-8 and run it again."
        )
        odd.line = data[: error.start].count(b"\n") + 1
        raise odd from error
    except ValueError as error:  # of TOML, and of numbers with thousands of digits
        raise _NoToml(f"{name} is not a TOML file: {str(error)[:200]}.") from error
    return StudyFile(content, folder, name, hashlib.sha256(data).hexdigest(), text)


def _digest(path: str) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
