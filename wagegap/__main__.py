"""The main job: `python -m wagegap [STUDY.toml] [-o FOLDER]` carries out a study and writes its report."""

from __future__ import annotations

import argparse
import os
import sys
import textwrap
from collections.abc import Sequence
from pathlib import Path

from wagegap import __version__
from wagegap.errors import WagegapError


def main(arguments: Sequence[str] | None = None) -> int:
    """Carry out a study; return the exit code."""
    parser = argparse.ArgumentParser(
        prog="wagegap",
        description="Does pay move people? Carries out a study and writes its report.",
        epilog="Without STUDY the shipped study 'AI talent' is carried out.",
    )
    parser.add_argument("study", nargs="?", help="a study file (TOML)")
    parser.add_argument("-o", "--output", default="wagegap-report", help="folder of the report (%(default)s)")
    parser.add_argument("-q", "--quiet", action="store_true", help="no progress on stderr")
    parser.add_argument("--version", action="version", version=f"wagegap {__version__}")
    options = parser.parse_args(arguments)
    try:
        return _run(options.study, options.output, progress=not options.quiet)
    except WagegapError as error:
        print(f"wagegap: {error}", file=sys.stderr)
        return 2
    except BrokenPipeError:  # the reader, such as `head`, has seen enough; the report is written
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except KeyboardInterrupt:
        print("wagegap: interrupted; nothing was written.", file=sys.stderr)
        return 130


def _run(source: str | None, output: str, *, progress: bool) -> int:
    from wagegap.report.page import check_folder
    from wagegap.report.study import study

    check_folder(Path(output))
    done = study(source, progress=progress)
    folder = done.save(output)
    print(f"{done.title}\n")
    for finding in done.findings:
        mark = "" if finding.kind == "finding" else f"[{finding.kind}] "
        print(textwrap.fill(f"{mark}{finding.about}: {finding.text}", width=80, subsequent_indent="    "), end="\n\n")
    print(f"Report: {folder / 'report.html'}", flush=True)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
