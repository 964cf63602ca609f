"""A report's folder is the earlier report or the new one, wherever writing it is broken off."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import sys
import threading
import time
import warnings
from pathlib import Path

import pytest

from wagegap.errors import OptionError, OutputError
from wagegap.report import folder as folders
from wagegap.report.folder import EARLIER, NEW, NOTHING, check_folder, recover, unfit_name, write_folder

OLD_NAMES = ("figures/a.svg", "figures/stale.svg", "tables/a.csv")
NEW_NAMES = ("figures/a.svg", "figures/b.svg", "tables/a.csv", "tables/b.csv")
OWN = ("notes.txt", "figures/mine.png", "tables/other.csv", "data/raw.csv")


def writer(names, text):
    """What writes a small report: the page, a file for each name, and the list of all."""

    def write(folder):
        for name in ("report.html", *names):
            (folder / name).write_text(f"{text} {name}", encoding="utf-8")
        files = {p.relative_to(folder).as_posix(): digest(p) for p in folder.rglob("*") if p.is_file()}
        (folder / "provenance.json").write_text(json.dumps({"by": text, "files": files}), encoding="utf-8")

    return write


def digest(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def content(folder):
    """Every file below a folder, work folders included, by path."""
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in sorted(folder.rglob("*")) if not p.is_dir()}


def place(tmp_path, case):
    """A folder to write to (absent; with an earlier report; with that and files of its user's), all of it before."""
    target = tmp_path / "out" / "report"
    if case != "absent":
        write_folder(target, writer(OLD_NAMES, "old"))
    if case == "used":
        for name in OWN:
            (target / name).parent.mkdir(exist_ok=True)
            (target / name).write_text(f"mine {name}")
    return target


def wanted(tmp_path, case):
    """What is there before and after: content of everything below tmp_path."""
    target = place(tmp_path / "wanted", case)
    before = content(tmp_path / "wanted")
    write_folder(target, writer(NEW_NAMES, "new"))
    return before, content(tmp_path / "wanted")


CASES = ("absent", "earlier", "used")


@pytest.fixture
def fast(monkeypatch):
    """Without waiting for the disk."""
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)


@pytest.mark.parametrize("case", CASES)
def test_stale_files_go_and_those_of_the_user_stay(tmp_path, case):
    target = place(tmp_path, case)
    write_folder(target, writer(NEW_NAMES, "new"))
    there = set(content(target))
    assert there == {"report.html", "provenance.json", *NEW_NAMES, *(OWN if case == "used" else ())}
    assert [p.name for p in (tmp_path / "out").iterdir()] == ["report"]
    assert all(text.startswith(b"mine") for name, text in content(target).items() if name in OWN)


def test_a_file_that_was_changed_since_is_its_users(tmp_path):
    target = place(tmp_path, "earlier")
    (target / "figures" / "stale.svg").write_text("edited by hand")
    write_folder(target, writer(NEW_NAMES, "new"))
    assert (target / "figures" / "stale.svg").read_text() == "edited by hand"


@pytest.mark.parametrize(
    "listed",
    [
        {"../../victim.txt": None, "/etc/hostname": None, "figures/../../victim.txt": None, "notes.txt": None},
        ["figures/a.svg"], {"figures/a.svg": 3}, {"": "", "figures/": "", "figures/..": ""}, None, "report.html",
    ],
)  # fmt: skip
def test_a_list_of_files_removes_nothing_but_files_of_a_report(tmp_path, listed):
    target = place(tmp_path, "used")
    victim = tmp_path / "out" / "victim.txt"
    victim.write_text("keep me")
    hashes = {path: digest(target / path) for path in listed if (target / path).is_file()} if listed else listed
    named = {**listed, **hashes} if isinstance(listed, dict) else listed
    (target / "provenance.json").write_text(json.dumps({"files": named}))
    write_folder(target, writer(NEW_NAMES, "new"))
    assert victim.read_text() == "keep me"
    assert (target / "notes.txt").read_text() == "mine notes.txt"
    assert (target / "figures" / "stale.svg").is_file()  # nothing says whose it is


def lines_run(action, at=None, event=None):
    """Run something; an event takes place at one of the lines of the module. Returns how many lines there are."""
    count, files = 0, {folders.__file__}

    def trace(frame, kind, _):
        nonlocal count
        if frame.f_code.co_filename not in files:
            return None
        if kind == "line":
            count += 1
            if count == at:
                event()
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        action()
    finally:
        sys.settrace(before)
    return count


def interrupted(tmp_path, case, at, number):
    """Write a report, and have a signal arrive at a line."""
    target = place(tmp_path, case)
    raised = []
    former = signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job ignores it
    try:
        lines_run(lambda: write_folder(target, writer(NEW_NAMES, "new")), at, lambda: signal.raise_signal(number))
    except KeyboardInterrupt as error:
        raised.append(error)
    finally:
        signal.signal(signal.SIGINT, former)
    return raised[0] if raised else None


@pytest.mark.usefixtures("fast")
@pytest.mark.parametrize("case", ["absent", "used"])
def test_an_interruption_leaves_the_one_or_the_other(tmp_path, case):
    before, after = wanted(tmp_path, case)
    (tmp_path / "0").mkdir()
    target = place(tmp_path / "0", case)
    lines = lines_run(lambda: write_folder(target, writer(NEW_NAMES, "new")))
    assert lines > 100
    said = set()
    for at in range(1, lines + 1, 5):
        room = tmp_path / str(at)
        room.mkdir()
        error = interrupted(room, case, at, signal.SIGINT)
        assert error is not None, at
        there = content(room)
        notes = getattr(error, "__notes__", [])
        said.update(notes)
        if there != before:
            leftover = [name for name in there if ".wagegap-" in name]
            recover(room / "out" / "report")
            assert content(room) in (before, after), at
            assert not leftover or content(room) == before, at
            assert NEW + "." in notes or content(room) == before or at > lines - 6, at
        elif notes:
            assert notes == [f"{NOTHING if case == 'absent' else EARLIER}."], at
    assert said == {f"{NEW}.", f"{NOTHING if case == 'absent' else EARLIER}."}


@pytest.mark.skipif(not hasattr(os, "fork"), reason="a process is killed")
@pytest.mark.usefixtures("fast")
@pytest.mark.parametrize("case", ["absent", "used"])
def test_a_kill_is_undone_by_the_next_run(tmp_path, case):
    before, after = wanted(tmp_path, case)
    (tmp_path / "0").mkdir()
    target = place(tmp_path / "0", case)
    lines = lines_run(lambda: write_folder(target, writer(NEW_NAMES, "new")))
    halfway = 0
    for at in range(1, lines + 1, 9):
        room = tmp_path / str(at)
        room.mkdir()
        target = place(room, case)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # of threads, which wait for work
            child = os.fork()
        if child == 0:
            lines_run(lambda: write_folder(target, writer(NEW_NAMES, "new")), at, lambda: os._exit(9))  # noqa: B023
            os._exit(0)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9
        left = content(room)
        halfway += left not in (before, after)
        page = left.get("out/report/report.html")
        assert page in (before.get("out/report/report.html"), after["out/report/report.html"]), at
        recover(target)
        assert content(room) in (before, after), at
        write_folder(target, writer(NEW_NAMES, "new"))
        assert content(room) == after, at
    assert halfway > (5 if case == "used" else -1)


CALLS = ("mkdir", "rename", "replace", "link", "fsync", "open", "fdopen")


@pytest.mark.usefixtures("fast")
@pytest.mark.parametrize("lasting", [False, True])
@pytest.mark.parametrize("case", CASES)
def test_a_full_disk_at_any_call_leaves_the_one_or_the_other(tmp_path, case, lasting, monkeypatch):
    before, after = wanted(tmp_path, case)
    count, fails_at = 0, 0

    def failing(name):
        real = getattr(os, name)

        def call(*args, **kwargs):
            nonlocal count
            if name == "open" and not args[1] & os.O_CREAT:  # reading needs no room
                return real(*args, **kwargs)
            count += 1
            if count >= fails_at if lasting else count == fails_at:
                raise OSError(28, "No space left on device")
            return real(*args, **kwargs)

        return call

    outcomes, causes = set(), set()
    for at in range(1, 400):
        room = tmp_path / f"{at}"
        target = place(room, case)
        with monkeypatch.context() as patched:
            count, fails_at = 0, at
            for name in CALLS:
                patched.setattr(os, name, failing(name))
            try:
                write_folder(target, writer(NEW_NAMES, "new"))
                said = NEW
            except OutputError as error:
                said = next(state for state in (NEW, EARLIER, NOTHING, "run it again") if state in str(error))
                causes.add("No space left on device" in str(error))
            if count < at:
                break
        outcomes.add(said)
        if said != "run it again":
            assert content(room) == (after if said == NEW else before), at
        recover(target)
        assert content(room) == (after if said == NEW else before), at
    else:
        pytest.fail("the calls do not end")
    assert at > 15
    assert causes == {True}
    assert outcomes >= {NOTHING if case == "absent" else EARLIER}
    assert "run it again" not in outcomes or lasting


def test_signals_of_others_are_left_as_they_were(tmp_path):
    former = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    write_folder(tmp_path / "report", writer(NEW_NAMES, "new"))
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == former


def test_runs_at_once_wait_for_one_another(tmp_path):
    target = tmp_path / "report"
    failed = []

    def run(text):
        def write(folder):
            writer(NEW_NAMES, text)(folder)
            time.sleep(0.02)

        try:
            for _ in range(3):
                write_folder(target, write)
        except Exception as error:
            failed.append(error)

    runs = [threading.Thread(target=run, args=(f"run{i}",)) for i in range(4)]
    for one in runs:
        one.start()
    while any(one.is_alive() for one in runs):
        time.sleep(0.001)
    assert not failed
    texts = {text.split()[0] for name, text in content(target).items() if name != "provenance.json"}
    assert len(texts) == 1
    assert [p.name for p in tmp_path.iterdir()] == ["report"]


def test_a_run_does_not_wait_for_ever(tmp_path, monkeypatch):
    monkeypatch.setattr(folders, "_PATIENCE", 0.2)
    target = place(tmp_path, "earlier")
    inside, through = threading.Event(), threading.Event()

    def slow(folder):
        inside.set()
        through.wait(10)
        writer(NEW_NAMES, "slow")(folder)

    first = threading.Thread(target=write_folder, args=(target, slow))
    first.start()
    inside.wait(10)
    recover(target)  # what another run is at is no leftover
    with pytest.raises(OutputError, match=r"another run has been writing there .* The old report stands"):
        write_folder(target, writer(NEW_NAMES, "second"))
    through.set()
    first.join()
    assert (target / "report.html").read_text().startswith("slow")


@pytest.mark.parametrize("folder", ["", "  ", None, 3, b"out", ["out"], Path("out\0"), "out\0", "x" * 300, "a/" * 3000])
def test_what_is_no_folder_is_refused_before_the_work(tmp_path, monkeypatch, folder):
    monkeypatch.chdir(tmp_path)
    with pytest.raises((OptionError, OutputError)):
        check_folder(folder)
    with pytest.raises((OptionError, OutputError)):
        write_folder(folder, writer(NEW_NAMES, "new"))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(os.name != "posix", reason="links need a privilege elsewhere")
def test_folders_that_cannot_be_written_are_refused_before_the_work(tmp_path):
    target = place(tmp_path, "earlier")
    for name, kind in (("figures", "file"), ("tables", "link"), ("report.html", "folder")):
        kept = tmp_path / "kept"
        (target / name).rename(kept)
        {"file": Path.touch, "folder": Path.mkdir, "link": lambda path: path.symlink_to(tmp_path)}[kind](target / name)
        with pytest.raises(OutputError, match=rf"{name} is a {kind}"):
            check_folder(target)
        (target / name).rmdir() if kind == "folder" else (target / name).unlink()
        kept.rename(target / name)
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    with pytest.raises(OutputError):
        check_folder(tmp_path / "loop")
    with pytest.raises(OutputError, match="is a file, not a folder"):
        check_folder(target / "report.html" / "below")


@pytest.mark.skipif(os.name != "posix", reason="links need a privilege elsewhere")
def test_links_are_followed_to_the_folder_and_no_further(tmp_path):
    target = place(tmp_path, "earlier")
    outside = tmp_path / "outside.txt"
    outside.write_text("not the report's")
    (target / "report.html").unlink()
    (target / "report.html").symlink_to(outside)
    (tmp_path / "link").symlink_to(target)
    write_folder(tmp_path / "link", writer(NEW_NAMES, "new"))
    assert (tmp_path / "link").is_symlink()
    assert not (target / "report.html").is_symlink()
    assert outside.read_text() == "not the report's"


def test_a_journal_of_others_cannot_reach_out_of_the_folder(tmp_path):
    target = place(tmp_path, "used")
    victim = tmp_path / "out" / "victim.txt"
    victim.write_text("keep me")
    work = target / ".wagegap-work"
    (work / "old" / "figures").mkdir(parents=True)
    (work / "journal.json").write_text(json.dumps({
        "old": ["../victim.txt", "notes.txt"], "new": ["../victim.txt", "notes.txt", "figures/../../victim.txt"],
        "made": ["../../out", "data"],
    }))  # fmt: skip
    before = content(target)
    recover(target)
    assert victim.read_text() == "keep me"
    assert content(target) == {name: text for name, text in before.items() if ".wagegap-" not in name}
    work.mkdir()
    (work / "journal.json").write_text("no journal")
    with pytest.raises(OutputError, match="is no journal of a report"):
        recover(target)


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("", "empty"), ("..", "nothing but dots"), ("a/b", "holds '/'"), ("a\\b", "holds"), ("a\0", "cannot be seen"),
        (".hidden", "begins or ends"), ("end ", "begins or ends"), ("CON", "device"), ("nul.x", "device"),
        ("x" * 121, "longer"), ("a\nb", "cannot be seen"), ("\u202eabc", "cannot be seen"), ("c:d", "holds ':'"),
        ("\ud800", "cannot be seen"),
    ],
)  # fmt: skip
def test_names_that_no_file_can_have(name, why):
    assert why in unfit_name(name)


@pytest.mark.parametrize("name", ["main", "Ärzte und Pflege", "한국", "field_T.law_ai", "a.b", "conference"])
def test_names_that_a_file_can_have(name):
    assert unfit_name(name) == ""
