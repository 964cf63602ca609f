"""The report: what a study found, and its files, one page, figures, tables, and where it all comes from."""

from __future__ import annotations

import base64
import functools
import hashlib
import json
import platform
from collections.abc import Mapping
from dataclasses import dataclass, field
from html import escape
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from wagegap._arguments import public_methods
from wagegap._display.axes import written
from wagegap._display.files import save_figure, write_whole
from wagegap._display.markup import POLICY
from wagegap._display.numbers import spaced
from wagegap._display.spec import plain
from wagegap.errors import OutputError
from wagegap.regression.link.result import Link
from wagegap.report.folder import check_folder, same_file, standing, unfit_name, write_folder
from wagegap.report.table import Table

__all__ = ["Finding", "Study", "render_page", "save_study"]

_STYLE = """
:root { color-scheme: light; }
body { font: 16px/1.55 Georgia, 'Times New Roman', serif; color: #1a1a1a; background: #fff; margin: 0; }
main { max-width: 46rem; margin: 0 auto; padding: 1.5rem 1rem 4rem; }
h1 { font-size: 1.7rem; line-height: 1.2; margin: 1rem 0 .5rem; }
h2 { font-size: 1.25rem; margin: 2.5rem 0 .5rem; border-top: 1px solid #ccc; padding-top: 1rem; }
h3 { font-size: 1rem; margin: 1.5rem 0 .25rem; }
p, li { overflow-wrap: anywhere; }
.question { font-style: italic; color: #444; }
.finding { margin: .75rem 0; }
.kind { font: 600 .75rem/1 system-ui, sans-serif; text-transform: uppercase; letter-spacing: .04em; color: #555; }
.refused, .absent, .caution { border-left: 3px solid #b35900; padding-left: .75rem; }
.wide { overflow-x: auto; margin: .5rem 0 1.5rem; }
.wide img { display: block; width: 100%; min-width: 32rem; height: auto; }
table { border-collapse: collapse; font: .85rem/1.4 system-ui, sans-serif; }
details { margin: .5rem 0; }
summary { cursor: pointer; font: .9rem/1.6 system-ui, sans-serif; }
pre { overflow-x: auto; font-size: .8rem; }
.hint { display: none; font: .75rem/1.4 system-ui, sans-serif; color: #555; margin: 0; }
@media (min-width: 36.01rem) {
  h3.drawn { position: absolute; width: 1px; height: 1px; margin: 0; overflow: hidden; clip-path: inset(50%); }
}
@media (max-width: 36rem) { .hint { display: block; } }
"""

_PACKAGES = ("wagegap", "numpy", "scipy", "pandas", "statsmodels", "formulaic", "matplotlib")


@dataclass(frozen=True, slots=True)
class Finding:
    """One finding, in words.

    Attributes
    ----------
    about : str
        Premiums, rates or link it is about.
    text : str
        What was found, with its uncertainty.
    kind : {"finding", "refused", "absent", "caution"}
        What sort of finding it is.
    """

    about: str
    text: str
    kind: str = "finding"


@public_methods
@dataclass(frozen=True, slots=True, eq=False)
class Study:
    """A study carried out.

    Attributes
    ----------
    title, question : str
        From its file.
    findings : tuple of Finding
        In the order of the file.
    tables : mapping of str to Table
        By name.
    figures : mapping of str to (Figure, str)
        Figure and what it shows, by name.
    links : mapping of str to Link
        Fitted links, by name; refused ones are in the findings.
    seed : int
        Of random orders.
    hashes : mapping of str to str
        SHA-256 of the study file and of every file of data it used, by name, as `sha256sum` prints it.
    file : str
        Name of the study file; empty where the study was given as a mapping, which has no file and no hash.
    """

    title: str
    question: str
    findings: tuple[Finding, ...]
    tables: Mapping[str, Table]
    figures: Mapping[str, tuple[Any, str]]
    links: Mapping[str, Link]
    seed: int
    hashes: Mapping[str, str] = field(default_factory=dict)
    file: str = ""

    def text(self) -> str:
        """Return the findings as text."""
        title = plain(self.title)
        lines = [title, "=" * min(len(title), 80), plain(self.question), ""]
        lines += [plain(f"{finding.about}: {finding.text}") for finding in self.findings]
        return "\n".join(lines)

    def save(self, folder: str | Path = "wagegap-report") -> Path:
        """Write report.html, figures, tables and provenance.json into a folder, whole or not at all."""
        return save_study(self, folder)


def save_study(study: Study, folder: str | Path) -> Path:
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


def _check_names(study: Study, folder: str | Path) -> None:
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


def render_page(study: Study, pictures: Mapping[str, bytes]) -> str:
    """Return the report as one page of HTML; pictures are SVG by name."""
    parts = [
        f"<h1>{_escaped(study.title)}</h1>",
        f'<p class="question">{_escaped(study.question)}</p>',
        "<h2>Findings</h2>",
        *map(_paragraph, study.findings),
        "<h2>Figures and tables</h2>",
        *(_item(study, name, pictures) for name in dict.fromkeys([*study.figures, *study.tables])),
        "<h2>Provenance</h2>",
        f"<pre>{escape(json.dumps(_provenance(study), indent=2))}</pre>",
    ]
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f"{POLICY}\n"
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{_escaped(study.title)}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n<main>\n"
        + "\n".join(parts)
        + "\n</main>\n</body>\n</html>\n"
    )


def _escaped(text: str) -> str:
    """Text for a page, in one line, without characters that cannot be seen."""
    return escape(plain(text))


def _paragraph(finding: Finding) -> str:
    kind = "" if finding.kind == "finding" else f'<span class="kind">{_escaped(finding.kind)}</span><br>'
    about = f"<strong>{_escaped(finding.about)}.</strong>"
    return f'<p class="finding {_escaped(finding.kind)}">{kind}{about} {_escaped(finding.text)}</p>'


def _item(study: Study, name: str, pictures: Mapping[str, bytes]) -> str:
    lines = []
    if name in study.figures:
        figure, alt = study.figures[name]
        source = base64.b64encode(pictures[name]).decode("ascii")
        # The figure bears its title; on a narrow screen, where it is cut, the heading shows it whole.
        lines += [
            f'<h3 class="drawn">{_escaped(written(figure.get_suptitle()))}</h3>',
            '<p class="hint">Scroll sideways for the whole figure.</p>',
            f'<div class="wide"><img alt="{_escaped(alt)}" src="data:image/svg+xml;base64,{source}"></div>',
        ]
    if name in study.tables:
        opening = "<details><summary>Table" if lines else f"<details open><summary>{_escaped(spaced(name))}"
        lines += [f"{opening}</summary>", f'<div class="wide">{study.tables[name].html()}</div></details>']
    return "\n".join(lines)


def _write(study: Study, folder: Path) -> None:
    """Write all files into a folder of their own; the last one lists them."""
    pictures: dict[str, bytes] = {}
    for name, (figure, alt) in study.figures.items():
        save_figure(figure, folder / "figures" / name, alt_text=alt)
        pictures[name] = (folder / "figures" / f"{name}.svg").read_bytes()
    for name, table in study.tables.items():
        table.save(folder / "tables" / f"{name}.csv")
        table.save(folder / "tables" / f"{name}.tex")
    write_whole(folder / "report.html", render_page(study, pictures))
    write_whole(folder / "findings.txt", study.text() + "\n")
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    files = {path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in paths}
    write_whole(folder / "provenance.json", json.dumps({**_provenance(study), "files": files}, indent=2) + "\n")


def _provenance(study: Study) -> dict[str, Any]:
    return {
        "title": study.title,
        "study": study.file or "given as a mapping, without a file",
        "seed": study.seed,
        "versions": {"python": platform.python_version(), **{name: _version(name) for name in _PACKAGES}},
        "sha256": dict(study.hashes),
    }


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed"
