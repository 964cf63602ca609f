"""Carrying out a study from the command line: its report, its findings in text, a PDF and a browser where asked."""

from __future__ import annotations

import argparse
import textwrap
import webbrowser
from pathlib import Path
from typing import TYPE_CHECKING

from wagegap.errors import OutputError
from wagegap.report.command.signals import Signals
from wagegap.report.command.streams import complain
from wagegap.report.folder import check_folder, recover
from wagegap.report.pdf import print_pdf
from wagegap.report.study import study

if TYPE_CHECKING:
    from wagegap.report.page.files import Study

__all__ = ["carried_out"]


def carried_out(options: argparse.Namespace, signals: Signals) -> tuple[Path, str]:
    """Write the report of a study; return its page, and the findings in text."""
    check_folder(options.output)
    recover(options.output)
    done = study(options.study, progress=not options.quiet)
    signals.check()
    page = done.save(options.output) / "report.html"
    signals.check()
    said = [_findings(done), f"Report: {page}"]
    if options.pdf:
        said += _printed(page)
    if options.open:
        webbrowser.open(page.resolve().as_uri())
    return page, "\n".join(said)


def _printed(page: Path) -> list[str]:
    """Print the page; without a browser the report stands all the same, and a line says what is missing."""
    try:
        return [f"PDF: {print_pdf(page, page.with_suffix('.pdf'))}"]
    except OutputError as error:
        complain(str(error))
        return []


def _findings(done: Study) -> str:
    lines = [f"{done.title}\n"]
    if done.headline is not None:
        answer = f"{done.headline.verdict}. {done.headline.answer} {done.headline.reason}"
        lines.append(textwrap.fill(answer, width=80) + "\n")
    for finding in done.findings:
        mark = "" if finding.kind == "finding" else f"[{finding.kind}] "
        said = f"{mark}{finding.about}: {finding.text}"
        lines.append(textwrap.fill(said, width=80, subsequent_indent="    ") + "\n")
    return "\n".join(lines)
