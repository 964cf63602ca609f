"""A study: sources, premiums, rates, links and whatever else its small TOML file names, carried out as one report.

Nothing is hidden: a link that is refused for low reliability, a country that is too small, cells that do not match are
findings like any other.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

from wagegap._arguments import public
from wagegap._display.spec import plain
from wagegap._display.themes import apply_theme
from wagegap._progress import track
from wagegap.errors import IdentificationWarning, ReliabilityWarning, SmallCellWarning
from wagegap.report.findings import Part
from wagegap.report.page.files import Study
from wagegap.report.sections.answers import question_part
from wagegap.report.sections.cautions import caution_part
from wagegap.report.sections.composed import figure_part, table_part
from wagegap.report.sections.context import Context
from wagegap.report.sections.fits import fit_part
from wagegap.report.sections.headline import headline_of
from wagegap.report.sections.links import link_parts
from wagegap.report.sections.names import placed
from wagegap.report.sections.stages import covariates, panel_of, stage_part
from wagegap.report.study_file import read_study, section

__all__ = ["study"]

_SAID = ("author", "date", "notes")
"""Entries of a study that the report repeats as they are."""


@public
def study(
    source: Annotated[str | Path | Mapping[Any, Any], "the path of a TOML file, or its content"] | None = None,
    *,
    progress: bool = False,
) -> Study:
    """Carry out a study.

    Parameters
    ----------
    source : path or mapping, optional
        A study file or its content; the shipped study "AI talent" where absent.
    progress : bool
        Say on stderr what is being done.

    Returns
    -------
    Study

    Raises
    ------
    StudyError
        For a file that cannot be read or names what it does not define; errors of the data pass through.

    Examples
    --------
    >>> import wagegap as wg
    >>> sections = {"premiums": {"published": {"shipped": "published_premiums", "label": "Bank of Korea"}}}
    >>> report = wg.study({"title": "Six countries", **sections})
    >>> report.title
    'Six countries'
    """
    read = read_study(source)
    hashes = read.hashes()
    context = Context(read)
    with warnings.catch_warnings():
        # These warnings are findings of the report, which names the cells and the reliability.
        for category in (SmallCellWarning, IdentificationWarning, ReliabilityWarning):
            warnings.simplefilter("ignore", category)
        parts = placed(_parts(context, progress=progress))
        headline = headline_of(parts, context)
    for ax in (ax for part in parts for figure, _ in part.figures.values() for ax in figure.axes):
        apply_theme(ax, read.content.get("theme", "light"))
    return Study(
        title=plain(read.content.get("title", "Study")),
        question=plain(read.content.get("question", "")),
        findings=tuple(finding for part in parts for finding in part.section.findings),
        tables={name: item for part in parts for name, item in part.tables.items()},
        figures={name: item for part in parts for name, item in part.figures.items()},
        captions={name: text for part in parts for name, text in part.captions.items()},
        links={name: item for part in parts for name, item in part.links.items()},
        seed=read.seed,
        hashes=hashes,
        file=read.name,
        sections=tuple(part.section for part in parts),
        headline=headline,
        about={name: _said(read.content[name]) for name in _SAID if name in read.content},
    )


def _said(entry: Any) -> str:
    """What the report repeats, in one line: a text, a date, or several texts."""
    return ", ".join(map(plain, entry)) if isinstance(entry, list | tuple) else plain(str(entry))


def _parts(context: Context, *, progress: bool) -> Iterator[Part]:
    """Carry out everything in the file: what links need first, then the links, then what is asked of them."""
    content = context.read.content
    for name, options in track(section(content, "panels"), "panels", progress):
        panel = panel_of(f"[panels.{name}]", {"source_name": name, **options}, context)
        context.keep("panels", name, panel)
    for kind in ("premiums", "rates"):
        for name, options in track(section(content, kind), kind, progress):
            yield _kept(context, kind, name, stage_part(kind, name, options, context))
    for name, options in section(content, "covariates"):
        context.keep("covariates", name, covariates(f"[covariates.{name}]", options, context))
    for options in track(content.get("links", []), "links", progress):
        yield from _links(options, context)
    for kind in ("systems", "curves", "gaps", "exits", "flows", "models"):
        for name, options in track(section(content, kind), kind, progress):
            yield _kept(context, kind, name, fit_part(kind, name, options, context))
    yield from _asked(context, progress=progress)


def _links(options: Mapping[str, Any], context: Context) -> Iterator[Part]:
    """Parts of a link, whose fits later sections may name."""
    for part in link_parts(options, context):
        refused = next((one.text for one in part.section.findings if one.kind == "refused"), None)
        for name, link in part.links.items():
            context.keep("links", name, link)
            if refused is not None:
                context.refused[name] = refused
        yield part


def _asked(context: Context, *, progress: bool) -> Iterator[Part]:
    """Questions, the caution, and what is composed of results."""
    content = context.read.content
    for options in track(content.get("questions", []), "questions", progress):
        yield question_part(options, context)
    if "caution" in content:
        yield caution_part(content["caution"], context)
    for kind, carry_out in (("figures", figure_part), ("tables", table_part)):
        for options in content.get(kind, []):
            yield carry_out(options, context)


def _kept(context: Context, kind: str, name: str, part: Part) -> Part:
    """A part whose result later sections may name."""
    if part.result is not None:
        context.keep(kind, name, part.result)
    return part
