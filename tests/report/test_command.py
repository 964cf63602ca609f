"""The command ends in one line and a code, whatever becomes of its streams, its disk, and itself."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import wagegap
from wagegap.__main__ import main
from wagegap.errors import OutputError
from wagegap.report.command.arguments import COMMANDS, EXAMPLES, SHELLS
from wagegap.report.folder import page_mark
from wagegap.report.pdf import find_browser, print_pdf

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


# the commands --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["inti", "x.csv"], "'inti' is neither a command nor a file. Did you mean 'init'? Commands: run, init, check"),
        (["run", "--pfd"], "wagegap run does not take '--pfd'. Did you mean '--pdf'?"),
        (["init", "a.csv", "--exmaple", "b"], "wagegap init does not take '--exmaple'. Did you mean '--example'?"),
        (["completion", "powershell"], "invalid choice: 'powershell'"),
        (["check"], "the following arguments are required: STUDY"),
        (["check", "none.toml"], "cannot read the study none.toml: No such file or directory"),
        (["none.toml"], "cannot read the study none.toml: No such file or directory"),
        (["init", "none.csv"], "no file"),
    ],
)
def test_a_wrong_command_is_one_line_with_a_hint(tmp_path, monkeypatch, capsys, words, said):
    monkeypatch.chdir(tmp_path)
    assert main(words) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert said in printed.err
    assert len(printed.err.splitlines()) == 1
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("words", [[], *([name] for name in COMMANDS)])
def test_help_is_one_screen_with_an_example_first(capsys, words):
    with pytest.raises(SystemExit) as ended:
        main([*words, "--help"])
    assert ended.value.code == 0
    printed = capsys.readouterr().out
    lines = printed.splitlines()
    assert len(lines) <= 40
    assert max(map(len, lines)) <= 115
    assert printed.index("example:") < printed.index("options:")


def test_run_and_a_study_alone_are_the_same(small, monkeypatch, capsys):
    monkeypatch.chdir(small.parent)
    assert main(["run", "small.toml", "-q", "-o", "one"]) == 0
    ran = capsys.readouterr().out
    assert main(["-q", "small.toml", "-o", "two"]) == 0
    assert capsys.readouterr().out == ran.replace("Report: one", "Report: two")


def test_check_tells_every_fault_with_its_line(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "s.toml").write_text(
        'watch = ["Frence"]\n[premiums.p]\nshipped = "published_premiums"\nlable = "x"\n# DECIDE: wage: which one?\n'
    )
    assert main(["check", "s.toml"]) == 2
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "s.toml:5: to decide: wage: which one?"
    assert lines[1].startswith("s.toml:1: 'watch' names no country by 'Frence'. Did you mean 'France'?")
    assert lines[2].startswith("s.toml:4: [premiums.p] has an unknown entry 'lable'. Did you mean 'label'?")
    assert lines[3] == "2 faults. Mend them, then: wagegap check s.toml"
    (tmp_path / "s.toml").write_text('[premiums.p]\nshipped = "published_premiums"\n')
    assert main(["check", "s.toml"]) == 0
    assert capsys.readouterr().out == "nothing wrong: it has 1 premium (p).\nNext: wagegap run s.toml\n"


def test_datasets_lists_what_there_is(capsys):
    from wagegap.datasets import catalogue, downloads
    from wagegap.report.shipped import SHIPPED, check_shipped

    assert main(["datasets"]) == 0
    printed = capsys.readouterr().out
    specs = re.findall(r'shipped = "([\w:]+)"', printed)
    assert {spec.partition(":")[0] for spec in specs} == set(SHIPPED)
    for spec in specs:
        check_shipped("datasets", spec)
    assert all(name in printed for name in (*downloads()["name"], *catalogue()["reader"]))
    assert "countries 6: AUS, CAN, FRA, GBR, KOR, USA" in printed
    assert "unit      per 10,000 (net_migration)" in printed


@pytest.mark.parametrize("shell", SHELLS)
def test_completion_knows_every_command(tmp_path, capsys, shell):
    assert main(["completion", shell]) == 0
    script = capsys.readouterr().out
    assert all(word in script for word in (*COMMANDS, *EXAMPLES, "premium", "pdf"))
    path = shutil.which(shell)
    if path is not None:
        (tmp_path / "script").write_text(script)
        subprocess.run([path, "-n", str(tmp_path / "script")], check=True, timeout=60)


def test_completion_completes_in_bash(tmp_path, capsys):
    bash = shutil.which("bash")
    if bash is None:
        pytest.skip("no bash")
    main(["completion", "bash"])
    (tmp_path / "study.toml").touch()
    asked = {"wagegap ch": "check", "wagegap init --ex": "--example", "wagegap init --example wor": "worker_panel",
             "wagegap run st": "study.toml"}  # fmt: skip
    script = capsys.readouterr().out
    for line, expected in asked.items():
        words = line.split(" ")
        code = (
            f"{script}\nCOMP_WORDS=({' '.join(words)}); COMP_CWORD={len(words) - 1}; _wagegap; echo ${{COMPREPLY[@]}}"
        )
        ran = subprocess.run([bash, "-c", code], capture_output=True, text=True, cwd=tmp_path, check=True, timeout=60)
        assert ran.stdout.split() == [expected], line


# a PDF ---------------------------------------------------------------------------------------------------------------


def test_the_report_as_pdf(small, monkeypatch, capsys):
    if find_browser() is None:
        pytest.skip("no Chromium, Chrome or Edge")
    monkeypatch.chdir(small.parent)
    assert main(["run", "small.toml", "-q", "-o", "out", "--pdf"]) == 0
    assert capsys.readouterr().out.endswith(f"PDF: {Path('out', 'report.pdf')}\n")
    content = (small.parent / "out" / "report.pdf").read_bytes()
    assert content.startswith(b"%PDF-")
    assert content.rstrip().endswith(b"%%EOF")
    assert not list((small.parent / "out").glob(".wagegap-pdf-*"))


def test_without_a_browser_the_report_stands(small, monkeypatch, capsys):
    monkeypatch.chdir(small.parent)
    monkeypatch.setattr("wagegap.report.pdf.shutil.which", lambda name: None)
    assert main(["run", "small.toml", "-q", "-o", "out", "--pdf"]) == 0
    printed = capsys.readouterr()
    assert "no PDF was printed: neither Chromium, Chrome nor Edge is on PATH" in printed.err
    assert "PDF" not in printed.out.splitlines()[-1]
    assert (small.parent / "out" / "report.html").is_file()


def test_a_browser_that_hangs_is_ended_with_all_it_started(tmp_path, monkeypatch):
    browser = tmp_path / "chromium"
    browser.write_text(f"#!/bin/sh\nsleep 600 &\necho $! > {tmp_path}/child\nwait\n")
    browser.chmod(0o755)
    monkeypatch.setattr("wagegap.report.pdf.find_browser", lambda: str(browser))
    (tmp_path / "report.html").write_text("<p>")
    (tmp_path / "report.pdf").write_bytes(b"an older one")
    with pytest.raises(OutputError, match="took longer than 1 seconds"):
        print_pdf(tmp_path / "report.html", tmp_path / "report.pdf", seconds=1)
    assert (tmp_path / "report.pdf").read_bytes() == b"an older one"
    child = int((tmp_path / "child").read_text())
    state = Path(f"/proc/{child}/stat")
    assert not state.exists() or state.read_text().split()[2] == "Z"
