"""The command: `python -m wagegap`, or `wagegap`; without arguments the main job, the shipped study and its report."""

from __future__ import annotations

from wagegap.report.command.main import main

__all__ = ["main"]

if __name__ == "__main__":
    raise SystemExit(main())
