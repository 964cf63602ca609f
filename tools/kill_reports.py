"""Kill runs that write a report, at random times and with a full disk, and see which report stands.

    python tools/kill_reports.py                 # everything; prints a table
    python tools/kill_reports.py --runs 5 --seed 3

A folder holds an older report and a file of its user. Then a newer report is written over it, by a small process that
does nothing but save two reports in turn, and by the whole command on a small study. They are killed by SIGINT, SIGTERM
and SIGKILL, at times drawn at random, half of them while files are moved. The disk is full at every call in turn
that needs room (ENOSPC injected), for files beyond a size (RLIMIT_FSIZE), and in truth, on a disk of its own in memory
where the system lets one be made. Each time the folder must hold, byte for byte, the older report or the newer one and
the user's file; at once, but after SIGKILL, where the next run sees to it; nothing of `.wagegap-*` stays; and what the
process said of the report that stands is true.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import warnings
from collections import Counter
from pathlib import Path

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGKILL)
SAID = {
    "Nothing was written": "nothing", "The old report stands": "before", "The new report stands": "after",
    "run it again": "half",
}  # fmt: skip
STUDY = """
title = "{title}"
watch = ["KOR"]
[premiums.{name}]
shipped = "published_premiums"
"""
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parent.parent)}


def content(folder):
    """Hash of every file of a folder, by path."""
    paths = [path for path in folder.rglob("*") if path.is_file()]
    return {path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest() for path in paths}


def small_study(which):
    """A study whose report is quick to draw; one of two that differ in files and words."""
    import pandas as pd

    from wagegap.estimation.estimates import Estimates
    from wagegap.report.figures import add_title, plot_forest
    from wagegap.report.findings import Finding
    from wagegap.report.page.files import Study
    from wagegap.report.table import table

    codes = ["AUS", "CAN", "KOR"]
    estimates = Estimates.from_table(pd.DataFrame({"iso3": codes, "b": [0.1, 0.2, 0.3], "se": 0.02}), term="ai")
    names = ("both", f"only_{which}")
    figures = {name: (add_title(plot_forest(estimates), f"{which} {name}").figure, f"{which} {name}") for name in names}
    tables = {name: table(estimates, title=f"{which} {name}") for name in names}
    return Study(which, "?", (Finding(which, which),), tables, figures, {}, 1)


def save_in_turn(folder, out):
    """Save the two studies in turn until a signal comes; say what is being done, and at the end which report stands."""
    from wagegap.report.command.signals import Stop, stoppable

    print("ready", file=out, flush=True)
    try:
        with stoppable():
            while True:
                for which in ("new", "old"):
                    study = small_study(which)  # anew: a figure drawn twice is not the same to the last bit
                    print(f"writing {which}", file=out, flush=True)
                    study.save(folder)
                    print(f"written {which}", file=out, flush=True)
    except (KeyboardInterrupt, Stop) as error:
        print("said", *getattr(error, "__notes__", []), file=out, flush=True)


def saving(folder):
    """Begin a process that saves in turn; return its id and what it says."""
    out, into = os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of threads, which wait for work
        child = os.fork()
    if child:
        os.close(into)
        return child, os.fdopen(out)
    try:
        obey_signals()
        signal.alarm(60)  # a child that nothing ended ends itself
        save_in_turn(folder, os.fdopen(into, "w"))
    finally:
        os._exit(0)


def obey_signals():
    """Take signals as a program in the foreground does: of one in the background they may be ignored from the start."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)


class Tally:
    """Outcomes by kind of failure, and what was wrong."""

    def __init__(self, room):
        self.room, self.outcomes, self.faults = room, Counter(), []
        self.states = {}

    def reference(self, name, write):
        """Write a report and keep what it is."""
        folder = self.room / f"reference-{name}"
        write(folder)
        self.states[name] = content(folder)
        return folder

    def judge(self, kind, folder, *, said="", expected=None, recovered=True):
        """Hold a folder against the two reports; `expected` says which is the one before and the one after."""
        there = content(folder)
        mine = there.pop("notes.txt", None)
        state = next((name for name, files in self.states.items() if files == there), "neither")
        self.outcomes[kind, state if recovered else "to be undone"] += 1
        if mine is None:
            self.faults.append(f"{kind}: the user's file is gone")
        if state == "neither":
            self.faults.append(f"{kind}: neither report: {sorted(there)}")
        left = [path.name for path in folder.parent.rglob(".wagegap-*")]
        if left:
            self.faults.append(f"{kind}: left {left}")
        claim = next((meaning for words, meaning in SAID.items() if words in said), None)
        if expected and claim in expected and expected[claim] != state:
            self.faults.append(f"{kind}: {said!r} is false: {state} stands")
        if said and claim in (None, "half"):
            self.faults.append(f"{kind}: said {said!r}")
        return state


def place(tally, room, name="old"):
    """A folder with a report and a file of its user."""
    folder = room / "report"
    shutil.rmtree(room, ignore_errors=True)
    room.mkdir()
    shutil.copytree(tally.room / f"reference-{name}", folder)
    (folder / "notes.txt").write_text("mine")
    return folder


def in_motion(folder, rng):
    """Wait until files are being moved, and up to some milliseconds more."""
    end = time.monotonic() + 5
    while not (folder / ".wagegap-work" / "journal.json").exists() and time.monotonic() < end:
        pass
    time.sleep(rng.random() * 0.004)


def kill_savings(tally, runs, rng):
    """Kill the process that saves in turn."""
    from wagegap.report.folder import recover

    for i in range(runs * len(SIGNALS)):
        number = SIGNALS[i % len(SIGNALS)]
        folder = place(tally, tally.room / "savings")
        child, said_by = saving(folder)
        with said_by:
            said_by.readline()
            in_motion(folder, rng) if (i // len(SIGNALS)) % 2 else time.sleep(rng.random() * 1.5)
            os.kill(child, number)
            lines = said_by.read().splitlines()
        os.waitpid(child, 0)
        target = [line.split()[1] for line in lines if line.startswith("writing")][-1:] or ["new"]
        said = "".join(line for line in lines if line.startswith("said")).removeprefix("said").strip()
        kind = f"saving, {number.name}"
        halfway = bool(list(folder.parent.rglob(".wagegap-*")))
        if number == signal.SIGKILL:
            tally.outcomes[kind, "had to be undone" if halfway else "whole at once"] += 1
            recover(folder)
        before = [line.split()[1] for line in lines if line.startswith("written")][-1:] or ["old"]
        tally.judge(kind, folder, said=said, expected={"before": before[0], "after": target[0]})


def kill_commands(tally, runs, rng):
    """Kill the whole command."""
    study = tally.room / "new.toml"
    line = [sys.executable, "-m", "wagegap", str(study), "-q", "-o", "report"]
    start = time.monotonic()
    room = place(tally, tally.room / "command", "older").parent
    subprocess.run(line, cwd=room, env=ENVIRONMENT, check=True, stdout=subprocess.DEVNULL)
    long = time.monotonic() - start
    for i in range(runs * len(SIGNALS)):
        number = SIGNALS[i % len(SIGNALS)]
        folder = place(tally, tally.room / "command", "older")
        with subprocess.Popen(
            line,
            cwd=folder.parent,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=ENVIRONMENT,
            preexec_fn=obey_signals,
        ) as run:
            in_motion(folder, rng) if (i // len(SIGNALS)) % 2 else time.sleep(rng.random() * 1.2 * long)
            run.send_signal(number)
            _, errors = run.communicate()
        kind = f"command, {number.name}"
        said = errors.strip() if errors.startswith("wagegap: ") else ""
        if "Traceback" in errors and "wagegap" in errors.split("Traceback")[0]:
            tally.faults.append(f"{kind}: {errors}")
        if run.returncode not in (0, -number, 128 + number):
            started = "report.folder" in errors or said
            tally.faults.append(f"{kind}: code {run.returncode}{f': {errors}' if started else ''}")
        if number == signal.SIGKILL:
            halfway = bool(list(folder.parent.rglob(".wagegap-*")))
            tally.outcomes[kind, "had to be undone" if halfway else "whole at once"] += 1
            from wagegap.report.folder import recover

            recover(folder)
        tally.judge(kind, folder, said=said, expected={"before": "older", "after": "newer"})


def fill_by_call(tally, stride=1):
    """Let every call that needs room fail in turn, once and from then on."""
    from wagegap.errors import OutputError
    from wagegap.report.folder import recover

    for lasting in (False, True):
        at = 1
        while True:
            folder = place(tally, tally.room / "calls")
            said, reached, study = "", False, small_study("new")
            with failing(at, lasting) as count:
                try:
                    study.save(folder)
                except OutputError as error:
                    said = str(error)
                reached = count[0] >= at
            if not reached:
                break
            kind = f"ENOSPC {'from one call on' if lasting else 'at one call'}"
            if "run it again" in said:
                tally.outcomes[kind, "undone by the next run"] += 1
                recover(folder)
                said = ""
            tally.judge(kind, folder, said=said, expected={"before": "old", "after": "new"})
            at += stride


class failing:
    """Within it, the `at`-th call that needs room fails (and, where `lasting`, all after it)."""

    CALLS = ("mkdir", "rename", "replace", "link", "fsync", "open", "fdopen")

    def __init__(self, at, lasting):
        self.at, self.lasting, self.count = at, lasting, [0]
        self.real = {name: getattr(os, name) for name in self.CALLS}

    def __enter__(self):
        for name in self.CALLS:
            setattr(os, name, self.call(name))
        return self.count

    def __exit__(self, *error):
        for name, real in self.real.items():
            setattr(os, name, real)

    def call(self, name):
        """Return a call that fails in its turn."""

        def failing_call(*args, **kwargs):
            if name == "open" and not args[1] & os.O_CREAT:
                return self.real[name](*args, **kwargs)
            self.count[0] += 1
            if self.count[0] >= self.at if self.lasting else self.count[0] == self.at:
                raise OSError(28, "No space left on device")
            return self.real[name](*args, **kwargs)

        return failing_call


def fill_by_size(tally, runs, rng):
    """Let no file grow beyond a size."""
    study, limits = tally.room / "new.toml", resource.getrlimit(resource.RLIMIT_FSIZE)
    line = [sys.executable, "-m", "wagegap", str(study), "-q", "-o", "report"]
    for _ in range(runs):
        folder = place(tally, tally.room / "sizes", "older")
        size = int(10 ** rng.uniform(1, 5.3))
        ran = subprocess.run(
            line, cwd=folder.parent, capture_output=True, text=True, env=ENVIRONMENT,
            preexec_fn=lambda size=size: resource.setrlimit(resource.RLIMIT_FSIZE, (size, limits[1])),
        )  # fmt: skip
        said = ran.stderr.strip() if ran.returncode else ""
        if "Traceback" in ran.stderr:
            tally.faults.append(f"RLIMIT_FSIZE {size}: {ran.stderr}")
        tally.judge("RLIMIT_FSIZE", folder, said=said, expected={"before": "older", "after": "newer"})


def fill_a_disk(tally, runs, rng):
    """Fill a disk of its own, in memory."""
    disk = tally.room / "disk"
    disk.mkdir()
    for _ in range(runs):
        size = rng.randrange(150, 330)
        command = ["mount", "-t", "tmpfs", "-o", f"size={size}k", "tmpfs", str(disk)]
        if subprocess.run(command, capture_output=True).returncode:
            tally.outcomes["a full disk", "not possible here"] += 1
            return
        try:
            folder = place(tally, disk / "room", "older")
            line = [sys.executable, "-m", "wagegap", str(tally.room / "new.toml"), "-q", "-o", str(folder)]
            ran = subprocess.run(line, cwd=tally.room, capture_output=True, text=True, env=ENVIRONMENT)
            said = ran.stderr.strip() if ran.returncode else ""
            if "Traceback" in ran.stderr:
                tally.faults.append(f"disk of {size} kB: {ran.stderr}")
            tally.judge("a full disk", folder, said=said, expected={"before": "older", "after": "newer"})
        finally:
            subprocess.run(["umount", str(disk)], check=True)


PARTS = ("savings", "commands", "calls", "sizes", "disk")


def run_all(runs, seed, room, *, parts=PARTS, stride=1, told=lambda tally: None):
    """Run the parts, and tell after each; return outcomes and faults."""
    rng, tally = random.Random(seed), Tally(room)
    for name in ("old", "new"):
        tally.reference(name, small_study(name).save)
    if {"commands", "sizes", "disk"} & set(parts):
        for name, title in (("older", "older"), ("newer", "new")):
            path = room / f"{title}.toml"
            path.write_text(STUDY.format(title=title, name=title))
            line = [sys.executable, "-m", "wagegap", str(path), "-q", "-o"]
            tally.reference(
                name, lambda folder, line=line: subprocess.run([*line, str(folder)], check=True, env=ENVIRONMENT,
                                                               stdout=subprocess.DEVNULL),
            )  # fmt: skip
    jobs = {
        "savings": lambda: kill_savings(tally, runs, rng), "commands": lambda: kill_commands(tally, runs, rng),
        "calls": lambda: fill_by_call(tally, stride), "sizes": lambda: fill_by_size(tally, runs, rng),
        "disk": lambda: fill_a_disk(tally, runs, rng),
    }  # fmt: skip
    for part in parts:
        jobs[part]()
        told(tally)
    return tally


def show(tally):
    """Print what happened so far, a line for each kind of failure."""
    for kind in dict.fromkeys(kind for kind, _ in tally.outcomes):
        figures = {state: n for (one, state), n in tally.outcomes.items() if one == kind}
        print(f"{kind:28}{'  '.join(f'{state} {n}' for state, n in figures.items())}")
    print(f"faults {len(tally.faults)}", *tally.faults, sep="\n  ", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=50, help="of each signal and size (%(default)s)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS)
    options = parser.parse_args()
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell may have had it ignored
    with tempfile.TemporaryDirectory() as room:
        tally = run_all(options.runs, options.seed, Path(room), parts=options.parts, told=show)
    return bool(tally.faults)


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
    raise SystemExit(main())
