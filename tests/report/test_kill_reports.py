"""Reports that are killed while they are written: a small run of tools/kill_reports.py, which has the full one."""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(os.name != "posix", reason="signals and limits of POSIX")
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def kill_reports():
    path = ROOT / "tools" / "kill_reports.py"
    spec = importlib.util.spec_from_file_location("kill_reports", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_a_killed_run_leaves_the_older_or_the_newer_report(kill_reports, tmp_path):
    tally = kill_reports.run_all(1, 1, tmp_path, parts=("savings", "calls"), stride=40)
    assert tally.faults == []
    states = {state for _, state in tally.outcomes}
    assert states <= {"old", "new", "had to be undone", "whole at once", "undone by the next run"}
    assert sum(n for (kind, _), n in tally.outcomes.items() if kind.startswith("ENOSPC")) >= 3


def test_the_script_would_see_a_mixture(kill_reports, tmp_path):
    tally = kill_reports.Tally(tmp_path)
    for name in ("old", "new"):
        tally.reference(name, kill_reports.small_study(name).save)
    folder = kill_reports.place(tally, tmp_path / "room")
    tally.judge("untouched", folder, said="The old report stands", expected={"before": "old", "after": "new"})
    assert tally.faults == []
    tally.judge("a lie", folder, said="The new report stands", expected={"before": "old", "after": "new"})
    (folder / "report.html").write_bytes((tmp_path / "reference-new" / "report.html").read_bytes())
    tally.judge("a mixture", folder)
    (folder / "notes.txt").unlink()
    (folder / ".wagegap-work").mkdir()
    tally.judge("leftovers", folder)
    assert [fault.split(":")[0] for fault in tally.faults] == [
        "a lie", "a mixture", "leftovers", "leftovers", "leftovers",
    ]  # fmt: skip
