"""Attacks through every door that takes text: none runs, writes or reads anything, and each is one typed error.

The table is in attacks.py, which a process of its own carries out under a hook of the interpreter. Beside it stands the
control: the same texts do harm where an engine evaluates them, so that the watch is known to see it.
"""

from __future__ import annotations

import json
import os
import queue
import subprocess
import sys
import threading
from collections import Counter
from pathlib import Path

import attacks
import pytest

SECONDS = 2.0  # of the processor, for a text that is refused
WAITS = 120.0  # of the clock, before a call counts as hung
LONGEST = 700  # characters of a message

CALCULATED = {
    "10**10**10 == exper", "1e999999*exper", "exper**1000000", "(exper + age)**1000000", "exper**9**9**9",
    "I(9**9**9**9)", "I(exper**(9**9**9))", "9**9**9**9", "2**2**2**2**2**2", "-9**9**9", "round(exper, 10**9)",
}  # fmt: skip
"""Towers of powers, which cost nothing in floats: they are infinite, or one, and a door may have a use for that."""
NAMES = {attack.name for attack in attacks.BOMBS if set(attack.text[:9]) <= set("+-0.9") or "99999" in attack.text}
"""Signs and digits without end: a sum of one column, or a number that is written long."""
HONEST = {
    "formulas": {*CALCULATED, *NAMES, *(attack.name for attack in attacks.BOMBS if "I(exper+1)" in attack.text)},
    "conditions": {*CALCULATED, *NAMES, "[]"},
    "options": {*NAMES, "exper + ", "exper ++", "exper = 1"},
    "files": {"workers.csv/"},
}
"""Texts that are an attack at most doors, and at some of a group no more than what they say."""


def carry_out(folder, group):
    """Outcomes of every attack at every door of a group; after a hang the rest in a new process."""
    outcomes, start = [], 0
    while True:
        finished, running = _run(_laid_out(folder / str(start)), group, start)
        outcomes += finished
        if running is None:
            return outcomes
        nothing = {"message": "", "length": 0, "seconds": WAITS, "seen": [], "changed": []}
        outcomes.append({**running, "error": "hang", **nothing})
        start = running["number"] + 1


def _laid_out(folder):
    folder.mkdir()
    attacks.lay_out(folder)
    return folder


def _started(folder, *arguments):
    """The table of attacks as a program."""
    path = str(Path(attacks.wg.__file__).parents[1])
    return subprocess.Popen(
        [sys.executable, attacks.__file__, *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": path, "OPENBLAS_NUM_THREADS": "1", "MPLBACKEND": "agg"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        encoding="utf-8",
    )


def _run(folder, group, start):
    """Outcomes until the end, or until a call hangs or ends the process, and the attempt that did."""
    outcomes, running = [], None
    with _started(folder, group, str(start)) as process:
        lines: queue.Queue[str] = queue.Queue()
        threading.Thread(target=_forwarded, args=(process.stdout, lines), daemon=True).start()
        try:
            while line := lines.get(timeout=WAITS):
                said = json.loads(line)
                if "seen" in said:
                    outcomes.append({**(running or {}), **said})
                running = None if "seen" in said else said
        except queue.Empty:
            process.kill()
    assert running or process.returncode == 0, f"the attacks on {group} ended before their time"
    return outcomes, running


def _forwarded(stream, lines):
    for line in stream:
        lines.put(line)
    lines.put("")


@pytest.fixture(scope="module", params=attacks.GROUPS)
def outcomes(request, tmp_path_factory):
    """A group of doors, and what came of every attack on them."""
    return request.param, carry_out(tmp_path_factory.mktemp(request.param), request.param)


LOOKS = ("glob.", "pathlib.Path.glob", "os.listdir ", "os.scandir ")
"""What a reader of files does to find one, and names that are near."""


def _faults(outcome, harmless, group):
    """What is wrong with the outcome of an attack."""
    seen = set(outcome["seen"]) - harmless - {"exec <string> "}  # an empty class that names the columns of a row
    if group == "files":
        begins = f"open {repr(str(Path(outcome['attack'])))[:40]}"
        opened = {event for event in seen if event.startswith(begins) and event.endswith("'r'")}
        seen = {event for event in seen - opened if not event.startswith(LOOKS)}
    said = {
        "changed": bool(outcome["changed"]), "seen": bool(seen),
        "untyped": outcome["error"].startswith(("untyped", "hang")), "no error": not outcome["error"],
        "slow": outcome["seconds"] > SECONDS, "long": outcome["length"] > LONGEST,
    }  # fmt: skip
    return [name for name, holds in said.items() if holds]


def test_no_attack_gets_through(outcomes):
    group, tried = outcomes
    harmless = {one["door"]: set(one["seen"]) for one in tried if "innocent" in one}
    faults = [
        (fault, one["door"], one["attack"], one["error"], one["message"][:200], one["changed"], one["seen"][:4])
        for one in tried
        if "attack" in one
        for fault in _faults(one, harmless[one["door"]], group)
        if not (fault == "no error" and one["attack"] in HONEST[group])
    ]
    assert not faults, "\n".join(map(str, faults[:40]))


def test_each_door_takes_what_is_honest(outcomes):
    """What is refused there is refused for what it says."""
    _, tried = outcomes
    refused = {one["door"]: one["message"] for one in tried if one.get("innocent") and one["error"]}
    assert not refused


def test_sixty_attacks_are_tried_at_every_door(outcomes):
    group, tried = outcomes
    counts = Counter(one["door"] for one in tried if "attack" in one)
    assert set(counts) == set(attacks.GROUPS[group][0]())
    assert min(counts.values()) >= 60


def test_what_is_tried_does_harm_where_it_is_evaluated(tmp_path):
    """In an engine that evaluates text the watch sees every live attack, but those that its version does not know."""
    with _started(_laid_out(tmp_path / "control"), "control") as process:
        lines = process.stdout.readlines()
    assert process.returncode == 0
    controls = [json.loads(line) for line in lines if line.startswith("{")]
    idle = [one for one in controls if not (one["changed"] or one["seen"])]
    assert len(controls) == sum(bool(attack.engine) for attack in attacks.ATTACKS) > 100
    assert not [one for one in idle if "AttributeError" not in one["error"]]
    assert len(idle) <= 5
