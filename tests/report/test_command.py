"""The command ends in one line and a code, whatever becomes of its streams, its disk, and itself."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import wagegap
from wagegap.__main__ import main
from wagegap.report.folder import page_mark

pytestmark = pytest.mark.skipif(os.name != "posix", reason="signals and streams of POSIX")

resource = pytest.importorskip("resource", reason="limits of POSIX")
ENV = {**os.environ, "PYTHONPATH": str(Path(wagegap.__file__).parents[1])}
SMALL = """
title = "Pay in K\u00f6ln \u2013 \ud55c\uad6d \\u001b[31m"
[premiums.published]
shipped = "published_premiums"
"""


@pytest.fixture
def small(tmp_path):
    path = tmp_path / "small.toml"
    path.write_text(SMALL, encoding="utf-8")
    return path


def command(small, *redirects, env=None, out="out"):
    """Run the command through a shell, with its streams as they are said to be."""
    line = f'exec "{sys.executable}" -m wagegap "{small.name}" -q -o {out} {" ".join(redirects)}'
    return subprocess.run(
        ["sh", "-c", line],
        cwd=small.parent,
        capture_output=True,
        timeout=120,
        env={**ENV, **(env or {})},
    )


@pytest.mark.parametrize("env", [{"PYTHONIOENCODING": "ascii"}])
def test_a_narrow_terminal_is_given_what_it_can_show(small, env):
    ran = command(small, env=env)
    assert ran.returncode == 0, ran.stderr
    assert ran.stderr == b""
    assert b"\x1b" not in ran.stdout  # nothing of a study is obeyed by a terminal
    assert b"Report: out" in ran.stdout
    assert (small.parent / "out" / "report.html").is_file()


@pytest.mark.parametrize(
    ("redirects", "code", "said"),
    [
        ([">&-"], 1, "stdout is closed. The report is written: out"),
        (["> /dev/full"], 1, "No space left on device. The report is written: out"),
        (["> /dev/full", "2> /dev/full"], 1, ""),
        (["<&-", "2>&-", ">&-"], 1, ""),
    ],
)
def test_streams_that_take_nothing_cost_no_report(small, redirects, code, said):
    if any("/dev/full" in redirect for redirect in redirects) and not os.path.exists("/dev/full"):
        pytest.skip("no /dev/full")
    ran = command(small, *redirects)
    assert ran.returncode == code, ran.stderr
    assert said in ran.stderr.decode()
    assert len(ran.stderr.splitlines()) == bool(said)
    page = (small.parent / "out" / "report.html").read_bytes()
    assert page.startswith(b"<!doctype html>")
    assert page.rstrip().endswith(b"</html>")


def test_a_reader_that_has_seen_enough_is_no_failure(small):
    ran = command(small, "| true; exit ${PIPESTATUS:-0}")
    assert ran.stderr == b""
    assert (small.parent / "out" / "report.html").is_file()


def test_progress_on_a_stderr_that_takes_nothing(small):
    if not os.path.exists("/dev/full"):
        pytest.skip("no /dev/full")
    line = f'exec "{sys.executable}" -m wagegap "{small.name}" -o out 2> /dev/full'
    ran = subprocess.run(["sh", "-c", line], cwd=small.parent, capture_output=True, timeout=120, env=ENV)
    assert (ran.returncode, (small.parent / "out" / "report.html").is_file()) == (0, True)


@pytest.mark.parametrize("output", ["", " ", "a\0b", "x" * 300])
def test_an_output_that_is_no_folder_is_one_line(small, monkeypatch, capsys, output):
    monkeypatch.chdir(small.parent)
    assert main([str(small), "-o", output]) == 2
    printed = capsys.readouterr()
    assert len(printed.err.splitlines()) == 1
    assert printed.err.startswith("wagegap: ")
    assert sorted(path.name for path in small.parent.iterdir()) == ["small.toml"]


def limited():
    """Let no file grow beyond 4 kB, as a disk that is full does."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))


def test_a_disk_that_fills_leaves_the_old_report(small):
    line = [sys.executable, "-m", "wagegap", "small.toml", "-q", "-o", "out"]
    for said in ("Nothing was written", "The old report stands"):
        ran = subprocess.run(
            line, cwd=small.parent, capture_output=True, timeout=120, preexec_fn=limited, text=True,
            env=ENV,
        )  # fmt: skip
        assert ran.returncode == 2
        assert said in ran.stderr
        assert len(ran.stderr.splitlines()) == 1
        if said.startswith("Nothing"):
            assert sorted(path.name for path in small.parent.iterdir()) == ["small.toml"]
            assert command(small).returncode == 0
    assert (small.parent / "out" / "report.html").stat().st_size > 4096
    assert not list(small.parent.rglob(".wagegap-*"))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_stopped_run_says_which_report_stands(small, number):
    line = [sys.executable, "-m", "wagegap", "small.toml", "-o", "out"]
    run = subprocess.Popen(
        line, cwd=small.parent, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=ENV,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),  # not as in the background
    )  # fmt: skip
    while not re.search(rb"premiums", chunk := run.stderr.read1(4096)):  # it has begun
        assert chunk
        time.sleep(0.01)
    run.send_signal(number)
    _, rest = run.communicate(timeout=60)
    assert run.returncode == 128 + number
    assert re.search(rb"wagegap: (interrupted|stopped by SIGTERM)\. Nothing was written\.\s*\Z", rest), rest
    assert b"Traceback" not in rest
    assert sorted(path.name for path in small.parent.iterdir()) == ["small.toml"]


def test_the_command_leaves_the_handlers_of_signals(small, monkeypatch, capsys):
    monkeypatch.chdir(small.parent)
    former = [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT)]
    assert main([str(small), "-q"]) == 0
    assert [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT)] == former
    assert "wagegap-report" in capsys.readouterr().out


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130), (signal.SIGHUP, 129)])
def test_a_signal_that_is_lost_on_the_way_ends_the_run_all_the_same(small, monkeypatch, request, capsys, number, code):
    def lost(*args, **kwargs):
        try:
            signal.raise_signal(number)
        except BaseException:  # as where an object is disposed of
            return "never written"

    monkeypatch.chdir(small.parent)
    former = signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)
    request.addfinalizer(lambda: signal.signal(number, former))  # ignored where the tests run in the background
    monkeypatch.setattr("wagegap.report.command.run.study", lost)
    assert main([str(small), "-o", "out"]) == code
    assert capsys.readouterr().err.endswith("Nothing was written.\n")
    assert not (small.parent / "out").exists()


def test_a_signal_after_the_report_does_not_deny_it(small, monkeypatch, capsys):
    def interrupted(*args):
        raise KeyboardInterrupt

    monkeypatch.chdir(small.parent)
    monkeypatch.setattr("wagegap.report.command.main.put", interrupted)
    for _ in range(2):
        assert main([str(small), "-o", "out", "-q"]) == 130
        assert capsys.readouterr().err == "wagegap: interrupted. The new report stands.\n"
    assert (small.parent / "out" / "report.html").is_file()


def test_a_signal_before_the_first_look_does_not_make_a_report_new(small, monkeypatch, capsys):
    monkeypatch.chdir(small.parent)
    (small.parent / "out").mkdir()
    (small.parent / "out" / "report.html").write_text("an older one")
    looked = []

    def interrupted(folder):
        looked.append(folder)
        if len(looked) == 1:
            raise KeyboardInterrupt
        return page_mark(folder)

    monkeypatch.setattr("wagegap.report.folder.page_mark", interrupted)
    assert main([str(small), "-o", "out", "-q"]) == 130
    assert capsys.readouterr().err == "wagegap: interrupted. The old report stands.\n"
