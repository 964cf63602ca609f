"""What the README shows runs as it stands there, and the version is the same wherever it is written."""

from __future__ import annotations

import re
import sys
import tomllib
from pathlib import Path

import matplotlib.pyplot as plt
import pytest

from wagegap import __version__, simulate_panel
from wagegap.__main__ import main

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def run(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "tools")
    import run_readme

    yield run_readme.run
    del sys.modules["run_readme"]
    plt.close("all")


def test_the_calls_of_the_readme_run_and_save_their_files(run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert run(ROOT / "README.md") == ["link.tex", "link.png", "explained.png"]
    assert (tmp_path / "explained.png").read_bytes().startswith(b"\x89PNG")


def test_a_page_whose_calls_fail_or_save_nothing_is_told(run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    page = tmp_path / "page.md"
    page.write_text("```python\n1 / 0\n```\n")
    with pytest.raises(ZeroDivisionError):
        run(page)
    page.write_text('```python\nif False:\n    figure.savefig("a.png")\n```\n')
    with pytest.raises(SystemExit, match=r"1 blocks of Python; not saved: \['a.png'\]"):
        run(page)


def test_the_commands_of_the_readme_lead_from_a_table_to_a_report(tmp_path, monkeypatch, capsys):
    commands = re.findall(
        r"^\.venv/bin/wagegap (.*?) *#", (ROOT / "README.md").read_text(encoding="utf-8"), re.MULTILINE
    )
    assert [command.split()[0] for command in commands] == ["init", "check", "run"]
    monkeypatch.chdir(tmp_path)
    panel = simulate_panel(countries=12, workers=200, premium_sd=0.15, link_slope=-0.1, link_intercept=0.2, rng=3).panel
    columns = ["pid", "iso3", "year", "hourly_wage", "ai", "exper", "female", "educ", "field"]
    panel.frame[columns].rename(columns={"iso3": "Country", "hourly_wage": "pay"}).to_csv("workers.csv", index=False)
    for command in commands:
        assert main(command.split()) == 0, capsys.readouterr().err
    assert (tmp_path / "my_report" / "report.html").stat().st_size > 10_000


def test_one_version_is_written_everywhere():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    cited = re.search(r"^version: (\S+)$", (ROOT / "CITATION.cff").read_text(encoding="utf-8"), re.MULTILINE)
    assert project["version"] == __version__ == cited[1]
    newest = re.search(r"^## .*?(\d+\.\d+\.\d+)", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert newest[1] == __version__
