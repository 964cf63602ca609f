"""The files of a report: page, figures, tables, summary and provenance, written whole or not at all."""

from __future__ import annotations

import functools
import hashlib
import json
import platform
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import pandas as pd

from wagegap._arguments import public_methods
from wagegap._display.files import render_figure, save_figure, write_whole
from wagegap._display.session import Shown
from wagegap._display.text import neutral
from wagegap._version import __version__
from wagegap.errors import OutputError
from wagegap.report.findings import Report
from wagegap.report.folder import check_folder, same_file, standing, unfit_name, write_folder
from wagegap.report.page.document import Picture, render_page
from wagegap.report.page.summary import summary_of

__all__ = ["Study", "save_study"]

_PACKAGES = ("wagegap", "numpy", "scipy", "pandas", "statsmodels", "formulaic", "matplotlib")
_NARROW = 3.7
"""Inches of a figure on a narrow screen."""


@public_methods
@dataclass(frozen=True, slots=True, eq=False)
class Study(Report, Shown):
    """A study carried out: the report, which can be saved."""

    def save(self, folder: str | Path = "wagegap-report") -> Path:
        """Write report.html, figures, tables, summary.json and provenance.json into a folder, whole or not at all."""
        return save_study(self, folder)


def save_study(study: Report, folder: str | Path) -> Path:
    """Write a study's report to a folder, whole or not at all.

    Raises
    ------
    OptionError
        For something that is no path.
    OutputError
        When the folder cannot be written, or a name is none of a file; the message says which report stands.
    """
    check_folder(folder)
    _check_names(study, folder)
    write_folder(folder, functools.partial(_write, study))
    return Path(folder)


def _check_names(study: Report, folder: str | Path) -> None:
    """Raise where a table or a figure has a name that no file can have, or two have one that are the same to a disk."""
    for items in (study.figures, study.tables):
        seen: dict[str, str] = {}
        for name in items:
            why = unfit_name(name)
            alike = seen.setdefault(same_file(name), name)
            if why or alike != name:
                raise OutputError(
                    f"{name[:40]!r} cannot be the name of a file: {why or f'{alike!r} is another'}. {standing(folder)}."
                )


def _write(study: Report, folder: Path) -> None:
    """Write all files into a folder of their own; the last one lists them."""
    pictures: dict[str, Picture] = {}
    for name, (figure, alt) in study.figures.items():
        save_figure(figure, folder / "figures" / name, alt_text=alt)
        pictures[name] = _picture(figure, alt)
    frames = _frames(study)
    for name, table in study.tables.items():
        if name in frames:
            _write_frame(frames[name], folder / "tables" / f"{name}.csv")
        else:
            table.save(folder / "tables" / f"{name}.csv")
        table.save(folder / "tables" / f"{name}.tex")
    provenance = _provenance(study)
    write_whole(folder / "report.html", render_page(study, pictures, provenance))
    write_whole(folder / "findings.txt", study.text() + "\n")
    write_whole(folder / "summary.json", summary_of(study))
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    listed = {path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in paths}
    write_whole(folder / "provenance.json", json.dumps({**provenance, "files": listed}, indent=2) + "\n")


def _picture(figure: Any, alt: str) -> Picture:
    """A figure for a wide and a narrow screen; the wide one for both where names leave a narrow one no room."""
    wide = render_figure(figure, alt_text=alt, title=False)["svg"]
    with warnings.catch_warnings():
        warnings.filterwarnings("error", message="constrained_layout not applied")
        try:
            return Picture(wide, render_figure(figure, alt_text=alt, width=_NARROW, title=False)["svg"])
        except UserWarning:
            return Picture(wide, wide)


def _frames(study: Report) -> dict[str, pd.DataFrame]:
    """Numbers behind tables, of sections that have one table."""
    return {
        section.tables[0]: section.frame
        for section in study.sections
        if section.frame is not None and len(section.tables) == 1
    }


def _write_frame(frame: pd.DataFrame, path: Path) -> None:
    """Write a frame as CSV with every digit, text that a spreadsheet would carry out disarmed."""
    shown = frame.copy()
    for name in shown.columns:
        if not pd.api.types.is_numeric_dtype(shown[name]):
            shown[name] = [neutral(str(value)) if isinstance(value, str) else value for value in shown[name]]
    shown.columns = [neutral(str(name)) for name in shown.columns]
    write_whole(path, shown.to_csv(index=False, na_rep="NA", lineterminator="\n"))


def _provenance(study: Report) -> Mapping[str, Any]:
    return {
        "title": study.title,
        "study": study.file or "given as a mapping, without a file",
        "seed": study.seed,
        "versions": {"python": platform.python_version(), **{name: _version(name) for name in _PACKAGES}},
        "sha256": dict(study.hashes),
    }


def _version(name: str) -> str:
    if name == "wagegap":
        return __version__
    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed"
