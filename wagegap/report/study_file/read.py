"""A study file, and what is wrong with it: all that can be told before any data are read.

A study is text that people send each other. It names columns, functions of the closed grammar, files of the kinds that
are read, and parts of itself; it names no file that is written. Whatever else it says is refused here, once, with the
section it stands in.
"""

from __future__ import annotations

import glob
import hashlib
import inspect
import os
import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

import pandas as pd

from wagegap._arguments import flaw_of
from wagegap.errors import CountryError, StudyError, WagegapError, check_known, did_you_mean, listing
from wagegap.estimation.countries.spellings import near_name
from wagegap.estimation.formula import split_formula
from wagegap.panel.countries import country_code, normalise_countries
from wagegap.panel.files import SUFFIXES
from wagegap.panel.load import read_panel
from wagegap.regression.link.fit import fit_link
from wagegap.regression.premiums.premium import fit_premiums
from wagegap.regression.rates.mobility import fit_rates
from wagegap.report.folder import same_file, unfit_name
from wagegap.report.shipped import SHIPPED, check_shipped, shipped_hash

__all__ = [
    "CAUTION_NEEDS",
    "LINK_TAKES",
    "StudyFile",
    "check_call",
    "countries",
    "read_study",
    "section",
    "without",
]

_VERSIONS = ("0.3", "0.4", "0.5", "0.6", "0.7", "0.8")
"""Versions of this package whose studies it reads; a study that names none is read like one of the first."""

_SECTIONS = (
    "version", "title", "question", "watch", "seed", "panels", "premiums", "rates", "covariates", "links", "caution",
)  # fmt: skip
_KINDS = ("panels", "premiums", "rates", "covariates")
_DOORS: dict[str, tuple[Callable[..., Any], tuple[str, ...]]] = {
    "panels": (read_panel, ("path",)),
    "covariates": (read_panel, ("path", "shipped")),
    "premiums": (fit_premiums, ("label", "panel", "shipped")),
    "rates": (fit_rates, ("label", "panel", "shipped")),
}
"""What the sections of a kind are given to, and which entries they have besides its parameters."""

LINK_NEEDS = ("name", "rates", "premiums", "formula")
LINK_TAKES = (*LINK_NEEDS, "covariates", "max_std_error", "leave_out", "without_cross_block", "sensitivity")
FIT_TAKES = ("method", "cluster", "tau2", "test", "labels", "force")
CAUTION_NEEDS = ("premiums", "flows", "year", "without")

_LARGEST, _DEEPEST = 2**20, 20
"""Bytes of a study file, and tables within tables."""
_TEXTS = ("title", "question", "label", "panel", "shipped", "path", "formula", "name", "rates", "premiums",
          "covariates", "flows", "without")  # fmt: skip


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
    """

    content: Mapping[str, Any]
    folder: Path
    name: str = ""
    digest: str = ""

    @property
    def seed(self) -> int:
        """Seed of random orders."""
        return whole("seed", self.content.get("seed", 0))

    @property
    def watch(self) -> list[str]:
        """Codes of the countries that every finding is to mention."""
        return countries("watch", self.content.get("watch", []))

    def hashes(self) -> dict[str, str]:
        """SHA-256 of every file that the study uses, itself first, by the name it has in the study."""
        digests = {self.name: self.digest} if self.name else {}
        for _, _, options in _sections(self.content):
            if "shipped" in options:
                digests |= shipped_hash(options["shipped"])
            elif "path" in options:
                digests |= {self._name(path): _digest(path) for path in files_of(options["path"], self.folder)}
        caution = self.content.get("caution")
        return digests | (shipped_hash(caution["flows"]) if caution else {})

    def _name(self, path: str) -> str:
        there = Path(path)
        return (there.relative_to(self.folder) if there.is_relative_to(self.folder) else there).as_posix()


def read_study(source: str | Path | Mapping[str, Any] | None) -> StudyFile:
    """Read a study and check it: the shipped one where there is no source.

    Raises
    ------
    StudyError
        For a file that cannot be read, or a study that cannot be carried out.
    """
    if source is None:
        shipped = files("wagegap.report").joinpath("studies", "ai_talent.toml")
        read = _parsed(shipped.read_bytes(), Path(), shipped.name)
    elif isinstance(source, Mapping):
        read = StudyFile(dict(source), Path())
    elif isinstance(source, str | Path):
        read = _parsed(_bytes_of(Path(source)), Path(source).parent, Path(source).name)
    else:
        raise StudyError(f"a study is a path to a TOML file, or its content, not {type(source).__name__}.")
    _check_content(read)
    return read


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
        content = tomllib.loads(data.decode("utf-8-sig"))
    except RecursionError:
        raise StudyError(f"{name} is not a study: tables or lists are nested more than {_DEEPEST} deep.") from None
    except UnicodeDecodeError as error:
        raise StudyError(
            f"{name} is not a TOML file: byte {error.start + 1} is not UTF-8. Save it as UTF-8 and run it again."
        ) from error
    except ValueError as error:  # of TOML, and of numbers with thousands of digits
        raise StudyError(f"{name} is not a TOML file: {str(error)[:200]}.") from error
    return StudyFile(content, folder, name, hashlib.sha256(data).hexdigest())


# before the work -----------------------------------------------------------------------------------------------------


def _check_content(read: StudyFile) -> None:
    """Raise `StudyError` for whatever the file alone shows to be wrong."""
    content = read.content
    _check_depth(content)
    check_entries("the study", content, _SECTIONS)
    version = content.get("version", _VERSIONS[0])
    if str(version) not in _VERSIONS:
        raise StudyError(
            f"the study says version = {_short(version)}; this version of wagegap reads studies of "
            f"{listing(_VERSIONS)}. Write version = {_VERSIONS[-1]!r} and run it again: what it does not know, it "
            "names."
        )
    if not content.get("premiums") and not content.get("rates"):
        raise StudyError("the study defines neither [premiums.NAME] nor [rates.NAME]: there is nothing to do.")
    _check_texts("the study", content, ("title", "question"))
    _ = read.seed, read.watch
    for kind in _KINDS:
        _check_names(f"[{kind}]", [name for name, _ in section(content, kind)])
    for kind, name, options in _sections(content):
        _check_section(kind, f"[{kind}.{name}]", options, content, read.folder)
    _check_links(content)
    if "caution" in content:
        _check_caution(content)


def _check_section(kind: str, where: str, options: Mapping[str, Any], content: Mapping[str, Any], folder: Path) -> None:
    """Raise unless a section has the entries that its kind needs, and no others."""
    _check_texts(where, options)
    door, further = _DOORS[kind]
    given = without(options, *further)
    check_call(where, door, 1, given, needed="panel" in options)
    if "formula" in options:
        _check_formula(where, options["formula"])
    if "shipped" in options:
        check_shipped(where, options["shipped"])
        if kind == "covariates" and len(options) > 1:
            raise StudyError(f"{where} has entries that a shipped table does not take: {listing(given) or 'path'}.")
    elif kind in ("panels", "covariates"):
        if "path" not in options:
            raise StudyError(f'{where} needs path = "FILE" (or shipped = "NAME", of {listing(SHIPPED)}).')
        _check_path(where, options["path"], folder)
    else:
        defined(f"{where}: panel", content.get("panels", {}), options.get("panel", ""))


def _check_path(where: str, path: str, folder: Path) -> None:
    """Raise unless a path names files that are there, of a kind that is read."""
    if not path.lower().endswith(SUFFIXES):
        raise StudyError(f"{where}: path = {_short(path)} names no file of a kind that is read: {listing(SUFFIXES)}.")
    try:
        found = files_of(path, folder)
    except (OSError, ValueError) as error:
        raise StudyError(f"{where}: path = {_short(path)} cannot be one: {error}.") from error
    if not found:
        beside = (folder / path).parent
        near = did_you_mean(folder / path, beside.iterdir()) if os.path.isdir(beside) else ""
        raise StudyError(f"{where}: no file {str(folder / path)!r}.{near}")
    odd = [name for name in found if not os.path.isfile(name)]
    if odd:
        raise StudyError(f"{where}: {odd[0]!r} is no file.")


def _check_links(content: Mapping[str, Any]) -> None:
    links = content.get("links", [])
    if not isinstance(links, list) or not all(isinstance(options, Mapping) for options in links):
        raise StudyError("links must be tables, each headed [[links]].")
    names: list[str] = []
    for options in links:
        check_entries("[[links]]", options, (*LINK_TAKES, *FIT_TAKES))
        name = options.get("name", "")
        where = f"[[links]] {_short(name)}"
        check_entries(where, options, options, LINK_NEEDS)
        _check_texts(where, options)
        _check_formula(where, options["formula"])
        for kind in ("rates", "premiums", "covariates"):
            if kind in options:
                defined(f"{where}: {kind}", content.get(kind, {}), options[kind])
        number = options.get("max_std_error", 1.0)
        if isinstance(number, bool) or not isinstance(number, int | float) or not number > 0:
            raise StudyError(f"{where}: max_std_error = {_short(number)} must be a number above 0.")
        for name_of_flag in ("without_cross_block", "sensitivity"):
            flag = options.get(name_of_flag, False)
            if not isinstance(flag, bool):
                raise StudyError(f"{where}: {name_of_flag} = {_short(flag)} must be true or false.")
        check_kinds(where, fit_link, without(options, *LINK_TAKES))
        left_out = countries("leave_out", options.get("leave_out", []), where)
        names += [name, *([f"{name}_no_cross"] if options.get("without_cross_block") else [])]
        names += [f"{name}_without"] if left_out else []
        names += [f"{name}_sensitivity"] if options.get("sensitivity") else []
    _check_names("[[links]]", names)


def _check_caution(content: Mapping[str, Any]) -> None:
    options = content["caution"]
    if not isinstance(options, Mapping):
        raise StudyError(f"[caution] must be a table with {listing(CAUTION_NEEDS)}.")
    check_entries("[caution]", options, CAUTION_NEEDS, CAUTION_NEEDS)
    _check_texts("[caution]", options)
    defined("[caution]: premiums", content.get("premiums", {}), options["premiums"])
    check_shipped("[caution]", options["flows"])
    whole("[caution] year", options["year"])


def _check_names(where: str, names: Sequence[str]) -> None:
    """Raise where a name cannot be part of a file's, or two are one to a disk."""
    seen: dict[str, str] = {}
    for name in names:
        why = unfit_name(name)
        if why:
            raise StudyError(f"{where}: {_short(name)} cannot be a name, as files are called so: {why}.")
        alike = seen.setdefault(same_file(name), name)
        if alike is not name or names.count(name) > 1:
            same = "the same name" if alike == name else f"names that some disks take for one, {alike!r} and {name!r}"
            raise StudyError(f"{where}: two have {same}{f', {name!r}' if alike == name else ''}; rename one of them.")


def _check_texts(where: str, options: Mapping[str, Any], names: Iterable[str] = _TEXTS) -> None:
    for name in names:
        if name in options and not isinstance(options[name], str):
            raise StudyError(f"{where}: {name} = {_short(options[name])} must be text.")


def _check_formula(where: str, formula: str) -> None:
    try:
        split_formula(formula)
    except WagegapError as error:
        raise StudyError(f"{where}: {error}") from error


def _check_depth(content: Mapping[str, Any]) -> None:
    """Raise for tables and lists that are nested deeper than any study is, or keys that are no text."""
    level: list[Any] = [content]
    for _ in range(_DEEPEST):
        tables = [item for item in level if isinstance(item, Mapping)]
        if not all(isinstance(key, str) for table in tables for key in table):
            raise StudyError("a study's entries have names that are text.")
        inside = [value for table in tables for value in table.values()]
        level = inside + [value for item in level if isinstance(item, list | tuple) for value in item]
        if not level:
            return
    raise StudyError(f"the study is not one: tables or lists are nested more than {_DEEPEST} deep.")


# what sections share -------------------------------------------------------------------------------------------------


def section(content: Mapping[str, Any], kind: str) -> list[tuple[str, Mapping[str, Any]]]:
    """Return the sections of a kind with their names."""
    tables = content.get(kind, {})
    if not isinstance(tables, Mapping) or not all(isinstance(value, Mapping) for value in tables.values()):
        raise StudyError(f"[{kind}] must hold tables such as [{kind}.NAME].")
    return list(tables.items())


def _sections(content: Mapping[str, Any]) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    return ((kind, name, options) for kind in _KINDS for name, options in section(content, kind))


def check_entries(where: str, entries: Iterable[str], known: Iterable[str], needed: Iterable[str] = ()) -> None:
    """Raise `StudyError` for an entry that is not known, or a needed one that is not there."""
    check_known(entries, known, lambda name, hint: StudyError(f"{where} has an unknown entry {_short(name)}.{hint}"))
    check_known(needed, entries, lambda name, _: StudyError(f"{where} lacks {name!r}."))


def check_call(
    where: str, function: Callable[..., Any], n_given: int, entries: Mapping[str, Any], *, needed: bool = True
) -> None:
    """Raise unless entries are parameters of a function beyond the first ones, and (where `needed`) all it needs."""
    parameters = dict(list(inspect.signature(function).parameters.items())[n_given:])
    required = [name for name, value in parameters.items() if value.default is value.empty]
    check_entries(where, entries, parameters, required if needed else ())
    check_kinds(where, function, entries)


def check_kinds(where: str, function: Callable[..., Any], entries: Mapping[str, Any]) -> None:
    """Raise for an entry of a kind that its parameter of a public function does not take."""
    for name, value in entries.items():
        flaw = flaw_of(function, name, value)
        if flaw:
            raise StudyError(f"{where}: {flaw}")


def defined(kind: str, known: Mapping[str, Any], name: Any) -> Any:
    """Return what a part of the study is called by another."""
    there = listing(known)
    check_known(
        [name], known, lambda _, hint: StudyError(f"{kind} {_short(name)} is not defined.{hint} Defined: {there}.")
    )
    return known[name]


def without(entries: Mapping[str, Any], *names: str) -> dict[str, Any]:
    """Return entries but for some."""
    return {name: value for name, value in entries.items() if name not in names}


def whole(name: str, value: object) -> int:
    """Return a whole number of at least 0."""
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise StudyError(f"{name} = {_short(value)} must be a whole number of at least 0.")
    return value


def countries(name: str, value: object, where: str = "") -> list[str]:
    """Return the codes of countries that an entry names, by code or name.

    Raises
    ------
    StudyError, CountryError
        For something that is no list of names, or a name that is no country's.
    """
    begins = f"{where}: " if where else ""
    names = [value] if isinstance(value, str) else value
    if not isinstance(names, Sequence) or not all(isinstance(one, str) for one in names):
        raise StudyError(f"{begins}{name} = {_short(value)} must be a list of countries, such as ['KOR', 'USA'].")
    try:
        return [str(iso3) for iso3 in normalise_countries(pd.Series(list(names), name=name, dtype=object))]
    except WagegapError as error:
        odd = next((one for one in names if country_code(one) is None), "")
        near = near_name(odd)
        hint = f" Did you mean {near!r}?" if near else ""
        raise CountryError(
            f"{begins}{name!r} names no country by {_short(odd)}.{hint} Give its English name or its ISO code."
        ) from error


def files_of(path: str, folder: Path) -> list[str]:
    """Return the files that a path or a pattern of paths names."""
    text = str(folder / path)
    return [text] if os.path.exists(text) else sorted(glob.glob(text))


def _digest(path: str) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
