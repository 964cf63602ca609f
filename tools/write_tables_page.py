"""Write docs/tables.md, the page of public tables, from the cards of wagegap.datasets.

Usage: python tools/write_tables_page.py
"""

from __future__ import annotations

import textwrap
from pathlib import Path

from wagegap import datasets

PAGE = Path(__file__).resolve().parent.parent / "docs" / "tables.md"
MARK = "| reader | what | unit | coverage | terms |\n| --- | --- | --- | --- | --- |\n"
AFTER = "\nTerms are as recalled"


def main():
    """Replace the table and the list of traps; what stands before and between them stays."""
    before, rest = PAGE.read_text(encoding="utf-8").split(MARK)
    between = rest[rest.index(AFTER) : rest.index("## Traps")]
    cards = [datasets.describe(name) for name in datasets.catalogue()["reader"]]
    rows = "".join(f"| `{c.reader}` | {c.what} | {c.unit} | {c.coverage} | {c.terms} |\n" for c in cards)
    PAGE.write_text(f"{before}{MARK}{rows}{between}{traps(cards)}", encoding="utf-8")


def traps(cards):
    """What goes wrong with each table."""
    text = "## Traps, and what the readers do about them\n"
    for card in cards:
        text += f"\n**{card.what}** (`{card.reader}`; {card.source})\n\n"
        for trap in card.traps:
            text += textwrap.fill(trap, 118, initial_indent="- ", subsequent_indent="  ") + "\n"
    return text


if __name__ == "__main__":
    main()
