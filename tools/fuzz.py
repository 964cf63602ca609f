"""Will anything untyped escape? Valid calls of every public name, each spoilt one to three ways, and what comes back.

    python tools/fuzz.py --count 10000 --jobs 2        the full run, an hour or so; exit code 1 when anything is wrong
    python tools/fuzz.py --seed 3 --count 500          five hundred others
    python tools/fuzz.py --only fit_link --count 200   one door, or all whose names begin so
    python tools/fuzz.py --replay 1000017              the call of one case, and what becomes of it
    python tools/fuzz.py --doors                       the doors

Counts are printed by door and class (`fuzzing/judge.py` says what each class is), then the places of what is wrong,
with the number of one case of each.
"""

from __future__ import annotations

import argparse
import contextlib
import itertools
import os
import sys
import tempfile
import time
import traceback
import warnings
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parent), str(Path(__file__).resolve().parents[1])]
os.environ.setdefault("MPLBACKEND", "Agg")
for _threads in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_threads, "1")

from fuzzing.cases import SEEDS, Outcome, build, carry_out, door_of, doors, warm_up  # noqa: E402
from fuzzing.judge import CLASSES, FAULTS  # noqa: E402
from fuzzing.workers import LIMIT, carry_out_all  # noqa: E402


def cases(seed: int, count: int, only: str = "") -> Iterator[int]:
    """Numbers of so many cases of a seed, of some doors alone where they are named."""
    numbers = range(seed * SEEDS, (seed + 1) * SEEDS)
    chosen = numbers if not only else (number for number in numbers if door_of(number).startswith(only))
    return itertools.islice(chosen, count)


def outcomes(numbers: Iterator[int], jobs: int, limit: int = LIMIT) -> Iterator[Outcome]:
    """Carry out cases; one that hung or ended its process is an outcome like any other."""
    for number, outcome, seconds in carry_out_all(numbers, jobs=jobs, limit=limit):
        if isinstance(outcome, Outcome):
            yield Outcome(outcome.number, outcome.door, outcome.kind, outcome.where, seconds)
        elif outcome == "hung":
            yield Outcome(number, door_of(number), "hung", f"no answer within {limit} s", seconds)
        else:
            yield Outcome(number, door_of(number), "untyped", str(outcome), seconds)


class Report:
    """Counts by door and class, and the places of what is wrong."""

    def __init__(self) -> None:
        self.counts: dict[str, Counter[str]] = defaultdict(Counter)
        self.places: dict[tuple[str, str], list[int]] = defaultdict(list)
        self.slowest: list[tuple[float, int, str]] = []

    def add(self, outcome: Outcome) -> None:
        """Count one outcome."""
        self.counts[outcome.door][outcome.kind] += 1
        if outcome.kind in FAULTS:
            self.places[outcome.kind, outcome.where].append(outcome.number)
        self.slowest = sorted([*self.slowest, (outcome.seconds, outcome.number, outcome.door)], reverse=True)[:5]

    @property
    def totals(self) -> Counter[str]:
        """Cases by class."""
        return sum(self.counts.values(), Counter())

    @property
    def faults(self) -> int:
        """Cases in which something is wrong."""
        return sum(self.totals[kind] for kind in FAULTS)

    def __str__(self) -> str:
        heading = f"{'door':<42}" + "".join(f"{kind:>10}" for kind in CLASSES)
        rows = dict(sorted(self.counts.items())) | {"all": self.totals}
        lines = [heading] + [
            f"{name[:41]:<42}" + "".join(f"{counts[kind] or '.':>10}" for kind in CLASSES)
            for name, counts in rows.items()
        ]
        for (kind, where), numbers in sorted(self.places.items(), key=lambda item: -len(item[1])):
            lines.append(
                f"{kind.upper():<9}{len(numbers):>5}  {where}\n{'':16}--replay {numbers[0]}  ({door_of(numbers[0])})"
            )
        lines += [
            "slowest: " + ", ".join(f"{seconds:.1f} s {number} ({door})" for seconds, number, door in self.slowest)
        ]
        return "\n".join(lines)


def replay(number: int) -> int:
    """Print the call of a case and what becomes of it, with the whole traceback of an error."""
    home = tempfile.mkdtemp(prefix="replay-")
    with contextlib.chdir(home):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            warm_up()
            case = build(number)
        print(f"case {number}: {case.door}, in {home}\n  {case.call}")
        for change in case.changes:
            print(f"  - {change.what}")
        print(
            "again in Python:\n  import sys; sys.path.insert(0, 'tools'); from fuzzing.cases import build\n"
            f"  call = build({number}).call; call.args, call.kwargs; call()"
        )
        try:
            print(case.call())
        except Exception:
            traceback.print_exc()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            verdict, _ = carry_out(build(number).call)
    print(f"{verdict.kind}: {verdict.where}")
    return int(verdict.kind in FAULTS)


def main() -> int:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--count", type=int, default=300)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--only", default="", help="doors whose names begin so")
    parser.add_argument("--replay", type=int, help="number of a case")
    parser.add_argument("--doors", action="store_true")
    options = parser.parse_args()
    if options.doors:
        print("\n".join(sorted(doors())))
        return 0
    if options.replay is not None:
        return replay(options.replay)
    report, started = Report(), time.monotonic()
    for done, outcome in enumerate(outcomes(cases(options.seed, options.count, options.only), options.jobs), 1):
        report.add(outcome)
        if done % 100 == 0:
            print(f"{done:,} of {options.count:,}, {time.monotonic() - started:.0f} s", file=sys.stderr, flush=True)
    print(report)
    print(f"{sum(report.totals.values()):,} cases, seed {options.seed}, {time.monotonic() - started:.0f} s")
    return int(report.faults > 0)


if __name__ == "__main__":
    raise SystemExit(main())
