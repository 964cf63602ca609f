"""Look through the built documentation: every link within it leads somewhere, and nothing is asked of the network.

Usage: python tools/check_site.py [FOLDER]

Sphinx checks links between pages as it reads them. This reads what it wrote: files and anchors of plain HTML links,
pictures, scripts and style sheets, and the address of whatever a browser would load by itself.
"""

from __future__ import annotations

import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

SITE = Path(__file__).resolve().parent.parent / "docs" / "_build" / "html"
LOADED = {"script": "src", "img": "src", "iframe": "src", "source": "src", "video": "src", "link": "href"}
"""What a browser loads by itself, and where its address stands; a link only where it is a style sheet, icon or font."""
BY_ITSELF = {"stylesheet", "icon", "preload", "modulepreload", "preconnect", "dns-prefetch"}


class Page(HTMLParser):
    """Anchors, links and loaded addresses of one page."""

    def __init__(self, path):
        super().__init__()
        self.anchors, self.links, self.loaded = set(), [], []
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attrs):
        """Note what a tag points to, and what can be pointed at."""
        given = dict(attrs)
        self.anchors.update(given[name] for name in ("id", "name") if given.get(name))
        if tag == "a" and given.get("href"):
            self.links.append(given["href"])
        if (address := given.get(LOADED.get(tag, ""))) and (
            tag != "link" or BY_ITSELF.intersection((given.get("rel") or "").split())
        ):
            self.loaded.append(address)


def main():
    site = Path(sys.argv[1]).resolve() if sys.argv[1:] else SITE
    wrong, counts = check(site)
    print("\n".join(wrong))
    print(f"{counts[0]} pages, {counts[1]} links within the site: {len(wrong)} wrong")
    return 1 if wrong or not counts[1] else 0


def check(site):
    """Return what is wrong, a line each, and how many pages and links were looked at."""
    pages = {path: Page(path) for path in sorted(site.rglob("*.html"))}
    wrong, n_links = [], 0
    for path, page in pages.items():
        where = path.relative_to(site)
        wrong += [f"{where}: asks the network for {address}" for address in page.loaded if urlsplit(address).netloc]
        within = [
            link for link in [*page.links, *page.loaded] if not urlsplit(link).scheme and not urlsplit(link).netloc
        ]
        n_links += len(within)
        wrong += [f"{where}: {link} leads nowhere" for link in within if not leads(link, path, pages)]
    return wrong, (len(pages), n_links)


def leads(link, path, pages):
    """Whether a link from a page leads to a file, and to an anchor that it has."""
    parts = urlsplit(link)
    target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
    if target.is_dir():
        target = target / "index.html"
    if not parts.fragment or target not in pages:
        return target.exists()
    return unquote(parts.fragment) in pages[target].anchors or parts.fragment == "top"


if __name__ == "__main__":
    sys.exit(main())
