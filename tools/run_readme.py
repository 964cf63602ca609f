"""Run the Python that the README shows, figures included, as a reader would: block after block in one session.

Usage: python tools/run_readme.py [FILE]

Blocks run in a new folder; every file that they are said to save must be there afterwards, and hold something.
"""

from __future__ import annotations

import os
import re
import sys
import tempfile
from pathlib import Path

README = Path(__file__).resolve().parent.parent / "README.md"
BLOCK = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)
SAVED = re.compile(r"\.save(?:fig)?\(\"([^\"]+)\"\)")


def main():
    import matplotlib as mpl
    import pandas as pd

    mpl.use("Agg")
    page = Path(sys.argv[1]).resolve() if sys.argv[1:] else README
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        files = run(page)
        print(f"{page.name} runs with pandas {pd.__version__}, matplotlib {mpl.__version__}: {', '.join(files)}")
        os.chdir(page.parent)  # a folder that one stands in cannot be removed everywhere


def run(page):
    """Run the blocks of a page in the current folder, and return the names of the files that they saved."""
    blocks = BLOCK.findall(page.read_text(encoding="utf-8"))
    session = {"__name__": "readme"}
    for block in blocks:
        exec(compile(block, str(page), "exec"), session)
    files = SAVED.findall("\n".join(blocks))
    empty = [name for name in files if not Path(name).is_file() or not Path(name).stat().st_size]
    if empty or not blocks:
        raise SystemExit(f"{page.name}: {len(blocks)} blocks of Python; not saved: {empty}")
    return files


if __name__ == "__main__":
    main()
