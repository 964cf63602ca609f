"""Would the suite notice? One-line mutants of the numerics, each run against the tests that reach its function.

A mutant is one small change of one expression inside one function: `<` for `<=`, minus for plus, a negated condition, a
number one off, a call of `sqrt` left out. It dies when a test fails or hangs, and survives when all that reach it pass.

    python tools/mutants.py map                                        which tests reach which functions (once)
    python tools/mutants.py map tests/estimation/test_units.py         the same of some files, added to what is stored
    python tools/mutants.py run --room estimation --count 100 --seed 1
    python tools/mutants.py run --room decomposition --count 50 --seed 1
    python tools/mutants.py run --room estimation --only 17 42 --seed 1    some of them again

Left out, for they change no number: text of errors and warnings, figures, tables, `repr`; tolerances (below 1e-4) and
sizes of blocks (256 and above), which may be any of many values; seeds; `<` for `<=` against a limit that is a fraction
or a constant of the module, which is met with probability zero. Mutants are compiled in memory: no file is changed.

References
----------
Jia, Y. and Harman, M. (2011). An analysis and survey of the development of mutation testing. IEEE Transactions on
Software Engineering 37(5), 649-678.
"""

from __future__ import annotations

import argparse
import ast
import copy
import json
import os
import random
import signal
import sys
import time
import traceback
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.machinery import SourceFileLoader
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "wagegap"
STORE = ROOT / "mutants"
UNMAPPED = ("tests/house/test_notebooks.py", "tests/house/test_readme.py", "tests/house/test_coverage.py")
"""Tests that run in other processes, or for minutes."""

SILENT = {"describe", "summary", "spec_of_table", "heading", "line", "plot", "notes"}
SILENT_CALLS = (
    "default_rng",
    "check_",
    "refuse_",
    "warn",
    "no_column",
    "did_you_mean",
    "listing",
    "track",
    "isinstance",
)
PRELOADED = ("numpy", "pandas", "scipy.stats", "scipy.optimize", "statsmodels.api", "formulaic", "matplotlib.pyplot")
FAILED_ITSELF = 70
NARROW_TESTS, NARROW_FILES, BUDGET = 30, 4, 90.0

COMPARED = {ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq}
COMPARED |= {ast.Is: ast.IsNot, ast.IsNot: ast.Is, ast.In: ast.NotIn, ast.NotIn: ast.In}
COMBINED = {ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult, ast.Pow: ast.Mult}
COMBINED |= {ast.FloorDiv: ast.Mult, ast.Mod: ast.Mult, ast.BitAnd: ast.BitOr, ast.BitOr: ast.BitAnd}
CALLED = {"maximum": "minimum", "minimum": "maximum", "max": "min", "min": "max", "any": "all", "all": "any"}
CALLED |= {"ones": "zeros", "zeros": "ones", "isf": "ppf", "sf": "cdf", "cdf": "sf"}
CALLED |= {"argmax": "argmin", "argmin": "argmax"}
DROPPED = {"sqrt", "log", "exp", "abs", "cumsum", "square", "expm1", "log1p", "diff", "nan_to_num"}


@dataclass(frozen=True)
class Mutant:
    """One change: the module, the function, the line, the place among the module's changes, and its text."""

    path: str
    function: str
    line: int
    index: int
    change: str


# what can be changed ---------------------------------------------------------------------------------------------


def _is_text(node: ast.AST) -> bool:
    text = isinstance(node, ast.Constant) and isinstance(node.value, str)
    return text or isinstance(node, ast.JoinedStr | ast.List | ast.Tuple)


def _is_limit(node: ast.AST) -> bool:
    """Whether an expression holds a fraction, a constant of the module, or a power of two numbers."""
    for one in ast.walk(node):
        fraction = isinstance(one, ast.Constant) and isinstance(one.value, float) and one.value != 0
        named = isinstance(one, ast.Name) and one.id.lstrip("_").isupper() and len(one.id) > 2
        power = isinstance(one, ast.BinOp) and isinstance(one.op, ast.Pow) and isinstance(one.left, ast.Constant)
        if fraction or named or power:
            return True
    return False


def _operators(node: ast.AST) -> Iterator[ast.AST]:
    """A node with another operator."""
    if isinstance(node, ast.Compare):
        for k, operator in enumerate(node.ops):
            if isinstance(operator, ast.Lt | ast.LtE | ast.Gt | ast.GtE) and _is_limit(node):
                continue
            changed = copy.deepcopy(node)
            changed.ops[k] = COMPARED[type(operator)]()
            yield changed
    if isinstance(node, ast.BinOp) and type(node.op) in COMBINED and not (_is_text(node.left) or _is_text(node.right)):
        changed = copy.deepcopy(node)
        changed.op = COMBINED[type(node.op)]()
        yield changed
    if isinstance(node, ast.BoolOp):
        changed = copy.deepcopy(node)
        changed.op = ast.And() if isinstance(node.op, ast.Or) else ast.Or()
        yield changed
    if isinstance(node, ast.AugAssign) and type(node.op) in COMBINED:
        changed = copy.deepcopy(node)
        changed.op = COMBINED[type(node.op)]()
        yield changed


def _values(node: ast.AST) -> Iterator[ast.AST]:
    """A node with another number, or without its sign."""
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub | ast.Not | ast.Invert):
        yield copy.deepcopy(node.operand)
    if isinstance(node, ast.Constant):
        value = node.value
        if isinstance(value, bool):
            yield ast.copy_location(ast.Constant(not value), node)
        elif isinstance(value, int) and abs(value) < 256:
            yield ast.copy_location(ast.Constant(value + 1), node)
        elif isinstance(value, float) and (value == 0 or abs(value) >= 1e-4):
            yield ast.copy_location(ast.Constant(value * 2 if value else 1.0), node)


def _calls(node: ast.AST) -> Iterator[ast.AST]:
    """Another function, or its argument alone; a matrix for its transpose."""
    if isinstance(node, ast.Attribute) and node.attr == "T":
        yield copy.deepcopy(node.value)
    if not isinstance(node, ast.Call):
        return
    name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
    if name in CALLED:
        changed = copy.deepcopy(node)
        if isinstance(changed.func, ast.Attribute):
            changed.func.attr = CALLED[name]
        else:
            changed.func.id = CALLED[name]
        yield changed
    if name in DROPPED and len(node.args) == 1:
        yield copy.deepcopy(node.args[0])


def _statements(node: ast.AST) -> Iterator[ast.AST]:
    """A condition turned round; an assignment to a part of an array left out."""
    if isinstance(node, ast.If | ast.IfExp | ast.While) and not isinstance(node.test, ast.UnaryOp | ast.Compare):
        changed = copy.deepcopy(node)
        changed.test = ast.copy_location(ast.UnaryOp(ast.Not(), changed.test), node.test)
        yield changed
    if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Subscript):
        yield ast.copy_location(ast.Pass(), node)


def _skipped(node: ast.AST) -> bool:
    """Whether a subtree changes no number: errors, warnings, annotations, text."""
    if isinstance(node, ast.Raise | ast.Assert | ast.JoinedStr):
        return True
    if isinstance(node, ast.Call):
        name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        return name.startswith(SILENT_CALLS)
    return False


def changes(node: ast.AST, where: str = "") -> Iterator[tuple[str, ast.AST, ast.AST]]:
    """All changes within a node: the function's qualified name, what is changed, what stands in its place."""
    if isinstance(node, ast.FunctionDef | ast.ClassDef):
        if node.name not in SILENT and not node.name.startswith(("__", "plot_", "draw_")):
            for child in node.body:
                yield from changes(child, f"{where}.{node.name}" if where else node.name)
        return
    if where and not isinstance(node, ast.AnnAssign):
        for kind in (_operators, _values, _calls, _statements):
            yield from ((where, node, changed) for changed in kind(node))
    for child in _children(node):
        yield from changes(child, where)


def _children(node: ast.AST) -> Iterator[ast.AST]:
    """Parts of a node that may change a number."""
    for field, child in ast.iter_fields(node):
        if field not in ("annotation", "returns", "decorator_list"):
            parts = child if isinstance(child, list) else [child]
            yield from (one for one in parts if isinstance(one, ast.AST) and not _skipped(one))


class _Replace(ast.NodeTransformer):
    def __init__(self, target: ast.AST, changed: ast.AST) -> None:
        self.target, self.changed = target, changed

    def visit(self, node: ast.AST) -> Any:
        return self.changed if node is self.target else self.generic_visit(node)


def mutated(path: Path, index: int) -> Any:
    """Code of a module with one change."""
    tree = ast.parse(path.read_text())
    _, node, changed = list(changes(tree))[index]
    tree = ast.fix_missing_locations(_Replace(node, changed).visit(tree))
    return compile(tree, str(path), "exec", dont_inherit=True)


def mutants_of(room: str) -> list[Mutant]:
    """Every mutant of a folder of the package, figures left out."""
    listed = []
    for path in sorted((PACKAGE / room).rglob("*.py")):
        if path.name == "figures.py":
            continue
        for index, (function, node, changed) in enumerate(changes(ast.parse(path.read_text()))):
            before, after = (ast.unparse(one).split("\n")[0][:70] for one in (node, changed))
            name = str(path.relative_to(ROOT))
            listed.append(Mutant(name, function, getattr(node, "lineno", 0), index, f"{before}  ->  {after}"))
    return listed


# which tests reach which functions -------------------------------------------------------------------------------


def functions_by_line(path: Path) -> dict[int, str]:
    """Qualified name of the innermost function that each line of a module's bodies belongs to."""
    names: dict[int, str] = {}

    def walk(node: ast.AST, where: str) -> None:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.FunctionDef | ast.ClassDef):
                name = f"{where}.{child.name}" if where else child.name
                if isinstance(child, ast.FunctionDef):
                    for line in range(child.body[0].lineno, (child.end_lineno or 0) + 1):
                        names[line] = name
                walk(child, name)
            else:
                walk(child, where)

    walk(ast.parse(path.read_text()), "")
    return names


class _Contexts:
    """Tell the coverage measure which test runs, and keep the seconds of each."""

    def __init__(self, measure: Any) -> None:
        self.measure = measure
        self.seconds: dict[str, float] = defaultdict(float)

    def pytest_runtest_logstart(self, nodeid: str, location: Any) -> None:
        self.measure.switch_context(nodeid)

    def pytest_runtest_logreport(self, report: Any) -> None:
        self.seconds[report.nodeid] += report.duration


def map_tests(files: list[str], rooms: list[str], store: Path) -> None:
    """Run tests under a coverage measure, and store which reach which functions, with their seconds."""
    import coverage
    import pytest

    folders = [str(PACKAGE / room / "*") for room in rooms]
    measure = coverage.Coverage(include=folders, data_file=None, config_file=False)
    measure.start()
    contexts = _Contexts(measure)
    options = ["-q", "-p", "no:cacheprovider", "--no-header", "--tb=no"]
    pytest.main([*options, *files], plugins=[contexts])
    measure.stop()
    reached: dict[str, set[str]] = defaultdict(set)
    data = measure.get_data()
    for name in data.measured_files():
        lines = functions_by_line(Path(name))
        for line, tests in data.contexts_by_lineno(name).items():
            if line in lines:
                reached[f"{Path(name).relative_to(ROOT)}:{lines[line]}"].update(test for test in tests if test)
    store.parent.mkdir(exist_ok=True)
    stored = {"seconds": contexts.seconds, "reached": {name: sorted(tests) for name, tests in reached.items()}}
    store.write_text(json.dumps(stored))


def in_children(jobs: list[Callable[[], int]], workers: int, limit: float = 0) -> list[int]:
    """Exit codes of functions, each run in a forked process; -1 where it took longer than the limit."""
    codes = [0] * len(jobs)
    running: dict[int, tuple[int, float]] = {}
    waiting = list(range(len(jobs)))[::-1]
    while waiting or running:
        while waiting and len(running) < workers:
            k = waiting.pop()
            running[_fork(jobs[k])] = (k, time.monotonic())
        pid, status = os.waitpid(-1, os.WNOHANG)
        if pid in running:
            codes[running.pop(pid)[0]] = os.waitstatus_to_exitcode(status)
        else:
            for late, (_, began) in running.items():
                if limit and time.monotonic() - began > limit:
                    os.killpg(late, signal.SIGKILL)
            time.sleep(0.05)
    return codes


def _fork(job: Callable[[], int]) -> int:
    pid = os.fork()
    if pid == 0:
        os.setsid()
        code = FAILED_ITSELF
        try:
            code = job()
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)
    return pid


def _all_files() -> list[str]:
    """Files of tests, and folders of doctests."""
    files = sorted(str(path.relative_to(ROOT)) for path in (ROOT / "tests").rglob("test_*.py"))
    rooms = [f"wagegap/{room}" for room in ("estimation", "decomposition", "regression", "panel", "report")]
    return [name for name in files if name not in UNMAPPED] + rooms


def command_map(arguments: argparse.Namespace) -> None:
    """Map all tests, some files in each process."""
    files = arguments.files or _all_files()
    files.sort(key=lambda name: -(ROOT / name).stat().st_size)
    shares = [share for k in range(arguments.workers) if (share := files[k :: arguments.workers])]

    def job(k: int) -> Callable[[], int]:
        def run() -> int:
            _redirect(STORE / f"map_{k}.log")
            map_tests(shares[k], ["estimation", "decomposition", "regression"], STORE / f"map_{k}.json")
            return 0

        return run

    STORE.mkdir(exist_ok=True)
    in_children([job(k) for k in range(len(shares))], arguments.workers)
    seconds: dict[str, float] = {}
    reached: dict[str, list[str]] = defaultdict(list)
    if arguments.files and (STORE / "map.json").exists():
        stored = json.loads((STORE / "map.json").read_text())
        seconds, reached = stored["seconds"], defaultdict(list, stored["reached"])
    for k in range(len(shares)):
        part = json.loads((STORE / f"map_{k}.json").read_text())
        seconds |= part["seconds"]
        for name, tests in part["reached"].items():
            reached[name] = sorted({*reached[name], *tests})
    (STORE / "map.json").write_text(json.dumps({"seconds": seconds, "reached": reached}))
    print(f"{len(seconds)} tests reach {len(reached)} functions, {sum(seconds.values()):.0f} s under measure")


def _redirect(path: Path) -> None:
    """Send what a child prints to a file."""
    log = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(log, 1)
    os.dup2(log, 2)


# running a mutant ------------------------------------------------------------------------------------------------


class _InOrder:
    """Keep the chosen tests, in the order chosen."""

    def __init__(self, chosen: list[str]) -> None:
        self.rank = {name: k for k, name in enumerate(chosen)}

    def pytest_collection_modifyitems(self, items: list[Any]) -> None:
        kept = [item for item in items if item.nodeid in self.rank]
        items[:] = sorted(kept, key=lambda item: self.rank[item.nodeid])


def _install(mutant: Mutant) -> None:
    """Let the import system compile the mutant in place of its module."""
    path, original = ROOT / mutant.path, SourceFileLoader.get_code
    code = mutated(path, mutant.index)

    def get_code(self: SourceFileLoader, name: str) -> Any:
        return code if Path(self.path) == path else original(self, name)

    SourceFileLoader.get_code = get_code  # type: ignore[method-assign]


def _tests_job(mutant: Mutant, tests: list[str], log: Path) -> Callable[[], int]:
    def run() -> int:
        import pytest

        _redirect(log)
        _install(mutant)
        files = sorted({name.split("::")[0] for name in tests})
        # plain assertions: where pytest rewrites them it reads the files named itself, past the mutant
        options = ["-q", "-x", "-p", "no:cacheprovider", "--no-header", "--tb=line", "--assert=plain"]
        return int(pytest.main([*options, *files], plugins=[_InOrder(tests)]))

    return run


def chosen_tests(mutant: Mutant, reached: dict[str, list[str]], seconds: dict[str, float]) -> list[list[str]]:
    """Tests in three rounds: those that reach few functions; two of every file; all, as far as the budget goes."""
    breadth: dict[str, int] = defaultdict(int)
    for tests in reached.values():
        for name in tests:
            breadth[name] += 1
    tests = reached.get(f"{mutant.path}:{mutant.function}", [])
    ranked = sorted(tests, key=lambda name: breadth[name] * (0.1 + seconds.get(name, 0)))
    narrow: list[str] = []
    for name in ranked:
        files = {one.split("::")[0] for one in [*narrow, name]}
        if len(narrow) < NARROW_TESTS and len(files) <= NARROW_FILES:
            narrow.append(name)
    by_file: dict[str, list[str]] = defaultdict(list)
    for name in sorted(set(tests) - set(narrow), key=lambda name: seconds.get(name, 0)):
        by_file[name.split("::")[0]].append(name)
    # the median test of a file in seconds, and its neighbour: the quickest look at messages alone
    broad = [name for names in by_file.values() for name in names[len(names) // 2 :][:2]]
    remaining, spent = [], 0.0
    for name in sorted(set(tests) - {*narrow, *broad}, key=lambda name: seconds.get(name, 0)):
        spent += seconds.get(name, 0)
        if spent <= BUDGET:
            remaining.append(name)
    return [tests for tests in (narrow, broad, remaining) if tests]


def verdicts(mutants: dict[int, Mutant], workers: int) -> dict[int, str]:
    """Whether each mutant is killed, hangs, survives, or is reached by no test."""
    stored = json.loads((STORE / "map.json").read_text())
    rounds = {n: chosen_tests(one, stored["reached"], stored["seconds"]) for n, one in mutants.items()}
    verdict = {n: "survived" if rounds[n] else "not reached" for n in mutants}
    for k in range(3):
        open_ = [n for n in mutants if verdict[n] == "survived" and len(rounds[n]) > k]
        jobs = [_tests_job(mutants[n], rounds[n][k], STORE / f"mutant_{n}.log") for n in open_]
        for n, code in zip(open_, in_children(jobs, workers, limit=300), strict=True):
            # pytest's codes: 0 all passed, 1 a test failed, 2 its collection did, 5 nothing was collected
            verdict[n] = (
                "hung" if code < 0 else {0: "survived", 5: "survived", 1: "killed", 2: "killed"}.get(code, "failed")
            )
    return verdict


def command_run(arguments: argparse.Namespace) -> None:
    """Draw mutants of a room, run them, and print what survives."""
    listed = mutants_of(arguments.room)
    drawn = random.Random(arguments.seed).sample(listed, min(arguments.count, len(listed)))
    chosen = {n: one for n, one in enumerate(drawn) if not arguments.only or n in arguments.only}
    for name in PRELOADED:
        __import__(name)
    verdict = verdicts(chosen, arguments.workers)
    for n, one in chosen.items():
        if verdict[n] not in ("killed", "hung"):
            print(f"{n:4d} {verdict[n]:11s} {one.path}:{one.line} {one.function}: {one.change}")
    dead = sum(word in ("killed", "hung") for word in verdict.values())
    print(f"{dead} of {len(chosen)} mutants of {arguments.room} died (seed {arguments.seed}, of {len(listed)})")


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(dest="command", required=True)
    mapping = commands.add_parser("map", help="which tests reach which functions")
    mapping.add_argument("files", nargs="*", help="files of tests; all where absent")
    running = commands.add_parser("run", help="draw mutants and run the tests that reach them")
    running.add_argument("--room", default="estimation", help="folder of the package")
    running.add_argument("--count", type=int, default=100)
    running.add_argument("--seed", type=int, default=1)
    running.add_argument("--only", type=int, nargs="*", default=[], help="numbers of some of the mutants drawn")
    for one in (mapping, running):
        one.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    arguments = parser.parse_args()
    os.chdir(ROOT)
    sys.path.insert(0, str(ROOT))
    {"map": command_map, "run": command_run}[arguments.command](arguments)


if __name__ == "__main__":
    main()
