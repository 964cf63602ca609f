"""The report as one page of HTML: the answer first, then a chapter a question, then where it all comes from.

The page asks the network for nothing and runs nothing but the few lines that sort its tables, which its policy names by
their hash. Whatever a study or its data brought is escaped.
"""

from __future__ import annotations

import base64
import hashlib
import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from html import escape
from importlib.resources import files
from typing import Any
from urllib.parse import quote

from wagegap._display.axes import written
from wagegap._display.markup import policy
from wagegap._display.numbers import spaced
from wagegap._display.spec import plain
from wagegap.report.findings import Finding, Headline, Report, Section
from wagegap.report.page.chapters import Chapter, chapters_of, refused_and_absent

__all__ = ["Picture", "render_page"]


@dataclass(frozen=True, slots=True)
class Picture:
    """A figure as the page shows it.

    Attributes
    ----------
    wide, narrow : bytes
        SVG for a wide and a narrow screen.
    """

    wide: bytes
    narrow: bytes


def render_page(report: Report, pictures: Mapping[str, Picture], provenance: Mapping[str, Any]) -> str:
    """Return the report as one page of HTML; pictures are by name."""
    chapters, script = chapters_of(report), _resource("sort.js")
    findings = report.findings if not report.sections else _homeless(report)
    parts = [
        *_opening(report, pictures),
        *(_chapter(report, chapter, pictures) for chapter in chapters),
        _findings("others", "Findings", findings) if findings else "",
        _findings("not", "Refused and absent", refused_and_absent(report.findings)),
        *_ending(report, provenance),
    ]
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f"{policy(script_hash=digest)}\n"
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{_escaped(report.title)}</title>\n<style>{_resource('style.css')}</style>\n</head>\n<body>\n"
        '<a class="skip" href="#answer">To the answer</a>\n<div class="page">\n'
        f"{_contents(report, chapters)}\n<main>\n"
        + "\n".join(part for part in parts if part)
        + f"\n</main>\n</div>\n<script>{script}</script>\n</body>\n</html>\n"
    )


@cache
def _resource(name: str) -> str:
    return files("wagegap.report.page").joinpath(name).read_text(encoding="utf-8")


def _escaped(text: str) -> str:
    """Text for a page, in one line, without characters that cannot be seen."""
    return escape(plain(text))


def _prose(text: str) -> str:
    """A sentence for a page, its negative numbers with a minus, per cent signs by their numbers.

    >>> _prose("from -3 to 4 (-0.5), R&D-based, 2015-19") == "from \u22123 to 4 (\u22120.5), R&amp;D-based, 2015-19"
    True
    """
    return re.sub(r"(?<=\d) %", "\u00a0%", re.sub(r"(?<![\w.])-(?=\.?\d)", "\u2212", _escaped(text)))


def _homeless(report: Report) -> list[Finding]:
    """Findings of no section of the page."""
    placed = {id(finding) for section in report.sections if section.name for finding in section.findings}
    return [finding for finding in report.findings if id(finding) not in placed and finding.kind == "finding"]


# first screen --------------------------------------------------------------------------------------------------------


def _opening(report: Report, pictures: Mapping[str, Picture]) -> list[str]:
    """Title, question, answer, picture and numbers to remember."""
    said = [report.about[name] for name in ("author", "date") if report.about.get(name)]
    lines = [f"<h1>{_escaped(report.title)}</h1>"]
    lines += [f'<p class="lead">{_escaped(report.question)}</p>'] if report.question else []
    lines += [f'<p class="byline">{_escaped(", ".join(said))}</p>'] if said else []
    if report.headline is None:
        return [*lines, '<div id="answer"></div>']
    return [*lines, *_headline(report, report.headline, pictures)]


def _headline(report: Report, headline: Headline, pictures: Mapping[str, Picture]) -> list[str]:
    why = f' <a href="#{_anchor(headline.section)}">The whole account</a>'
    lines = [
        '<section id="answer" class="answer" aria-label="The answer">',
        f'<p class="tag">{_escaped(headline.verdict)}</p>',
        f'<p class="said">{_prose(headline.answer)}</p>',
        f"<p>{_prose(headline.reason)}{why}</p>",
        "</section>",
    ]
    if headline.figure in pictures:
        lines.append(_figure(report, headline.figure, pictures[headline.figure], headline.caption))
    if headline.facts:
        facts = [f"<li><strong>{_prose(fact.number)}</strong>{_prose(fact.what)}</li>" for fact in headline.facts]
        lines.append(f'<ul class="facts">{"".join(facts)}</ul>')
    return lines


def _contents(report: Report, chapters: list[Chapter]) -> str:
    """The table of contents at the side."""
    entries = [("answer", "The answer")] if report.headline is not None else []
    entries += [(chapter.anchor, chapter.title) for chapter in chapters]
    entries += [("not", "Refused and absent")] if refused_and_absent(report.findings) else []
    entries += [("how", "Data and methods")]
    items = [f'<li><a href="#{anchor}">{_escaped(title)}</a></li>' for anchor, title in entries]
    return f'<nav aria-label="Contents"><ol>{"".join(items)}</ol></nav>'


# chapters ------------------------------------------------------------------------------------------------------------


def _anchor(name: str) -> str:
    """The name of a section as an anchor of the page."""
    return f"s-{quote(name, safe='')}"


def _chapter(report: Report, chapter: Chapter, pictures: Mapping[str, Picture]) -> str:
    inside = [_section(report, section, pictures) for section in chapter.sections]
    return "\n".join([f'<section id="{chapter.anchor}">', f"<h2>{_escaped(chapter.title)}</h2>", *inside, "</section>"])


def _section(report: Report, section: Section, pictures: Mapping[str, Picture]) -> str:
    """A section: its sentence, its pictures, and folded beneath them everything else."""
    refused = any(finding.kind == "refused" for finding in section.findings)
    lines = [f'<article id="{_anchor(section.name)}"{_class(refused)}>']
    lines += [f"<h3>{_escaped(section.title)}</h3>"] if section.title else []
    lines += ['<p class="tag">Refused</p>'] if refused else []
    lines += [f'<p class="say">{_prose(section.lead)}</p>'] if section.lead else []
    headline = report.headline.figure if report.headline is not None else ""
    for name in section.figures:
        shown = name in pictures and name != headline
        lines += [_figure(report, name, pictures[name], source=section.source)] if shown else []
    if headline in section.figures:
        lines.append('<p class="say">Its picture is <a href="#answer">at the top</a>.</p>')
    return "\n".join([*lines, *_folded(report, section), "</article>"])


def _class(refused: bool) -> str:
    return ' class="refused"' if refused else ""


def _folded(report: Report, section: Section) -> list[str]:
    """Everything in full: sentences, sample and covariance, tables."""
    full = [finding.text for finding in section.findings if finding.text != section.lead]
    inside = [f"<p>{_prose(text)}</p>" for text in (*full, *section.notes)]
    files_of = [link for name in section.tables for link in _links(report, name, "table")]
    inside += [_table(report, name) for name in section.tables if name in report.tables]
    inside += [f'<p class="files">{" · ".join(files_of)}</p>'] if files_of else []
    if not inside:
        return []
    unfolded = " open" if not section.figures and not section.lead else ""  # a table by itself is what is shown
    return [f"<details{unfolded}><summary>Numbers, sample, how it was estimated</summary>", *inside, "</details>"]


def _table(report: Report, name: str) -> str:
    html = report.tables[name].html().replace("<table", '<table class="sortable"', 1)
    return f'<div class="wide" tabindex="0" role="region" aria-label="{_escaped(spaced(name))}">{html}</div>'


def _links(report: Report, name: str, kind: str) -> list[str]:
    """Links to the files of a table or a figure, beside the page."""
    folder, suffixes = ("tables", ("csv", "tex")) if kind == "table" else ("figures", ("svg", "png"))
    known = report.tables if kind == "table" else report.figures
    return [
        f'<a href="{folder}/{quote(name)}.{suffix}">{suffix.upper()}</a>' for suffix in suffixes if name in known
    ]  # fmt: skip


def _figure(report: Report, name: str, picture: Picture, caption: str = "", source: str = "") -> str:
    figure, alt = report.figures[name]
    sides = {side: base64.b64encode(data).decode("ascii") for side, data in _sides(picture).items()}
    title = written(figure.get_suptitle())
    ended = title if title.endswith(("?", "!", ".")) else f"{title}."
    said = [*([ended] if title else []), *(text for text in (report.captions.get(name), caption) if text)]
    said += [f"Source: {source.rstrip('.')}."] if source else []
    return "\n".join([
        "<figure><picture>",
        f'<source media="(max-width: 520px)" srcset="data:image/svg+xml;base64,{sides["narrow"]}">',
        f'<img alt="{_escaped(alt)}" src="data:image/svg+xml;base64,{sides["wide"]}">',
        "</picture>",
        f'<figcaption>{_prose(" ".join(said))} <span class="files">{" · ".join(_links(report, name, "figure"))}'
        "</span></figcaption></figure>",
    ])  # fmt: skip


def _sides(picture: Picture) -> dict[str, bytes]:
    return {"wide": picture.wide, "narrow": picture.narrow}


def _findings(anchor: str, title: str, findings: list[Finding] | tuple[Finding, ...]) -> str:
    if not findings:
        return ""
    return "\n".join(
        [f'<section id="{anchor}">', f"<h2>{title}</h2>", *map(_paragraph, findings), "</section>"]
    )  # fmt: skip


def _paragraph(finding: Finding) -> str:
    kind = "" if finding.kind == "finding" else f'<span class="tag">{_escaped(finding.kind)}</span><br>'
    about = f"<strong>{_escaped(finding.about)}.</strong>"
    return f'<p class="finding {_escaped(finding.kind)}">{kind}{about} {_prose(finding.text)}</p>'


# data and methods ----------------------------------------------------------------------------------------------------


def _ending(report: Report, provenance: Mapping[str, Any]) -> list[str]:
    """Sources, methods with references, words, and what was run on what."""
    return [
        '<section id="how">',
        "<h2>Data and methods</h2>",
        *([f"<p>{_escaped(report.about['notes'])}</p>"] if report.about.get("notes") else []),
        *_sources(report),
        *_methods(report),
        *_glossary(report),
        "<h3>Provenance</h3>",
        _provenance(provenance),
        "</section>",
    ]


def _sources(report: Report) -> list[str]:
    rows = [(section.title, section.source) for section in report.sections if section.source]
    if not rows:
        return []
    cells = [f'<tr><th scope="row">{_escaped(title)}</th><td>{_escaped(source)}</td></tr>' for title, source in rows]
    return ["<h3>Sources</h3>", _facts("Sources", cells)]


def _methods(report: Report) -> list[str]:
    """What was done, each method once, with its reference."""
    known = tomllib.loads(_resource("methods.toml"))
    used = [name for name in dict.fromkeys(m for section in report.sections for m in section.methods) if name in known]
    if not used:
        return []
    items = [
        f"<dt>{_escaped(known[name]['what'])}</dt><dd>{_escaped(known[name]['reference'])}</dd>" for name in used
    ]  # fmt: skip
    return ["<h3>Methods</h3>", f"<dl>{''.join(items)}</dl>"]


def _glossary(report: Report) -> list[str]:
    """Words that occur in this report, explained."""
    headline = report.headline
    texts = [finding.text for finding in report.findings]
    texts += [section.lead for section in report.sections]
    texts += [headline.answer, headline.reason] if headline is not None else []
    text = " ".join(texts).lower()
    entries = tomllib.loads(_resource("glossary.toml"))["word"]
    used = [entry for entry in entries if any(word.lower() in text for word in entry["words"])]
    if not used or not report.sections:
        return []
    items = [f"<dt>{_escaped(entry['term'])}</dt><dd>{_escaped(entry['means'])}</dd>" for entry in used]
    return ["<h3>Words</h3>", f"<dl>{''.join(items)}</dl>"]


def _provenance(provenance: Mapping[str, Any]) -> str:
    """Study file, seed, versions, and the SHA-256 of every file read."""
    pairs = [("Study", provenance["study"]), ("Seed", str(provenance["seed"]))]
    pairs.append(("Versions", ", ".join(f"{name} {one}" for name, one in provenance["versions"].items())))
    rows = [f'<tr><th scope="row">{_escaped(name)}</th><td>{_escaped(text)}</td></tr>' for name, text in pairs]
    rows += [
        f'<tr><th scope="row">{_escaped(name)}</th><td>SHA-256 <code>{_escaped(digest)}</code></td></tr>'
        for name, digest in provenance["sha256"].items()
    ]
    return _facts("Provenance", rows)


def _facts(name: str, rows: Sequence[str]) -> str:
    """A table of facts, which scrolls, by keys too, where the screen is narrow."""
    region = f'<div class="wide" tabindex="0" role="region" aria-label="{name}">'
    return f'{region}<table class="plain"><tbody>{"".join(rows)}</tbody></table></div>'
