"""Pages of the site that live elsewhere in the repository: the changelog, the notebooks, the shipped study's report.

They are written to `docs/generated`, anew at each build. Links are rewritten, so that the same text leads somewhere in
the repository and on the site: a link to one of these pages, or from one of them to a page of `docs`, becomes a link
within the site; one to another file of the repository is a download.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

DOCS = Path(__file__).resolve().parent
ROOT = DOCS.parent
GENERATED = DOCS / "generated"
STANDING = GENERATED / "pages"
"""Pages that stand by themselves: they are copied into the site as they are."""
PAGES = {
    ROOT / "CHANGELOG.md": GENERATED / "changelog.md",
    ROOT / "CONTRIBUTING.md": GENERATED / "contributing.md",
    ROOT / "SECURITY.md": GENERATED / "security.md",
    ROOT / "tools" / "README.md": GENERATED / "tools.md",
    ROOT / "tests" / "reference" / "README.md": GENERATED / "reference_values.md",
    **{path: GENERATED / "notebooks" / path.name for path in sorted((ROOT / "notebooks").glob("*.ipynb"))},
}
LINK = re.compile(r"(?<!!)\]\((?!https?:|mailto:|#|/)([^)#\s]+)(#[^)\s]*)?\)")


def fetch_pages() -> None:
    """Write every page that lives elsewhere."""
    shutil.rmtree(GENERATED, ignore_errors=True)
    for path, page in PAGES.items():
        page.parent.mkdir(parents=True, exist_ok=True)
        page.write_text(with_links(path.read_text(encoding="utf-8"), path, page), encoding="utf-8")


def write_report() -> None:
    """Carry out the shipped study, and keep its report as a page of the site that stands by itself."""
    subprocess.run(
        [sys.executable, "-m", "wagegap", "-q", "-o", str(STANDING / "report")],
        check=True,
        stdout=subprocess.DEVNULL,
        cwd=ROOT,
    )


def leave_report_out() -> None:
    """Put a line in place of the report, so that links to it lead somewhere."""
    page = STANDING / "report" / "report.html"
    page.parent.mkdir(parents=True)
    page.write_text("<!doctype html><title>Left out</title>This build left the report out.\n", encoding="utf-8")


def relink(app: Any, name: str, source: list[str]) -> None:
    """Rewrite the links of a page of `docs` as Sphinx reads it."""
    path = Path(app.env.doc2path(name))
    if GENERATED not in path.parents:
        source[0] = with_links(source[0], path, path)


def with_links(text: str, home: Path, page: Path) -> str:
    """Rewrite the links of a text that stands at `home` for the place of `page`."""

    def lead(link: re.Match[str]) -> str:
        target = (home.parent / link[1]).resolve()
        place = PAGES.get(target, target)
        way = f"/{place.relative_to(DOCS).as_posix()}" if DOCS in place.parents else os.path.relpath(place, page.parent)
        return f"]({way}{link[2] or ''})"

    return LINK.sub(lead, text)
