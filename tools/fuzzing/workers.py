"""Processes that carry out cases and can be ended: one that takes too long, or dies, costs its own case alone."""

from __future__ import annotations

import multiprocessing
import os
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from multiprocessing.connection import Connection, wait
from typing import Any

__all__ = ["LIMIT", "carry_out_all"]

LIMIT = 20
"""Seconds of processor time that a case has."""
_WALL = 10
"""A case that sleeps is ended after so many times the limit."""
_CASES_OF_A_PROCESS = 400
"""A process is replaced after so many cases, so that memory is bounded."""
_MEMORY = 6 * 2**30
_THREADS = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "POLARS_MAX_THREADS")


def _serve(pipe: Connection, limit: int, runner: str) -> None:
    """Carry out the cases that come through a pipe, each within its seconds, in a folder of its own."""
    home = tempfile.mkdtemp(prefix="fuzz-")
    os.chdir(home)
    _bound_memory()
    _cut_off()
    module, name = runner.split(":")
    run = getattr(__import__(module, fromlist=[name]), name)
    pipe.send("ready")
    try:
        while (number := pipe.recv()) is not None:
            _bound_seconds(limit)
            started = time.process_time()
            outcome = run(number)
            pipe.send((outcome, time.process_time() - started))
    except (EOFError, BrokenPipeError):
        pass
    finally:
        os.chdir("/")
        shutil.rmtree(home, ignore_errors=True)


def _bound_memory() -> None:
    try:
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    except (ImportError, ValueError, OSError):  # no such limits on this system
        pass


def _bound_seconds(limit: int) -> None:
    """Let the system end this process when the case has had its seconds, whatever it is doing."""
    try:
        import resource

        used = resource.getrusage(resource.RUSAGE_SELF)
        resource.setrlimit(
            resource.RLIMIT_CPU, (int(used.ru_utime + used.ru_stime) + limit + 1, resource.RLIM_INFINITY)
        )
    except (ImportError, ValueError, OSError):  # the time on the wall remains
        pass


def _cut_off() -> None:
    """No case may ask the network for anything."""
    import socket

    def refuse(*args: Any, **kwargs: Any) -> None:
        raise OSError(101, "no network for the fuzzer")

    socket.socket.connect = refuse  # type: ignore[method-assign, assignment]


class _Worker:
    """A process with its pipe, the case it is at, and since when."""

    def __init__(self, limit: int, runner: str) -> None:
        context = multiprocessing.get_context("spawn")
        self.pipe, theirs = context.Pipe()
        self.process = context.Process(target=_serve, args=(theirs, limit, runner), daemon=True)
        self.process.start()
        theirs.close()
        self.case: int | None = None
        self.since = time.monotonic()
        self.done = 0

    def give(self, number: int) -> None:
        self.case, self.since = number, time.monotonic()
        self.pipe.send(number)

    def end(self) -> int | None:
        """End it; return the exit code it had of itself."""
        self.process.join(timeout=1)
        code = self.process.exitcode
        if code is None:
            self.process.kill()
            self.process.join()
        self.pipe.close()
        return code


def carry_out_all(
    numbers: Iterable[int], *, jobs: int = 1, limit: int = LIMIT, runner: str = "fuzzing.cases:run"
) -> Iterator[tuple[int, Any, float]]:
    """Carry out cases in several processes; yields number, outcome (or "hung", or how the process died) and seconds."""
    for name in _THREADS:
        os.environ.setdefault(name, "1")
    os.environ.setdefault("MPLBACKEND", "Agg")
    waiting = iter(numbers)
    workers = [_Worker(limit, runner) for _ in range(jobs)]
    try:
        while workers:
            ready = wait([worker.pipe for worker in workers], timeout=1)
            for worker in list(workers):
                if worker.pipe in ready:
                    yield from _heard(worker)
                elif worker.case is not None and time.monotonic() - worker.since > _WALL * limit:
                    yield worker.case, "hung", time.monotonic() - worker.since
                    worker.process.kill()
                    worker.case = None
                    worker.done = -1
                else:
                    continue
                _next(worker, workers, waiting, limit, runner)
    finally:
        for worker in workers:
            worker.process.kill()


def _heard(worker: _Worker) -> Iterator[tuple[int, Any, float]]:
    """What came through a pipe: an outcome, or its end."""
    try:
        said = worker.pipe.recv()
    except (EOFError, ConnectionResetError):
        if worker.case is not None:
            code = worker.end()
            ended = "hung" if code == -getattr(signal, "SIGXCPU", 24) else f"the process died: {_named(code)}"
            yield worker.case, ended, time.monotonic() - worker.since
        worker.case, worker.done = None, -1
        return
    if said == "ready":
        return
    outcome, seconds = said
    assert worker.case is not None
    yield worker.case, outcome, seconds
    worker.case = None
    worker.done += 1


def _named(code: int | None) -> str:
    try:
        return signal.Signals(-code).name if code is not None and code < 0 else f"exit code {code}"
    except ValueError:
        return f"exit code {code}"


def _next(worker: _Worker, workers: list[_Worker], waiting: Iterator[int], limit: int, runner: str) -> None:
    """Give a worker its next case; replace one that died or is old; take it from the list when nothing is left."""
    number = next(waiting, None)
    if number is None:
        if worker.done >= 0:
            worker.pipe.send(None)
            worker.end()
        workers.remove(worker)
        return
    if worker.done < 0 or worker.done >= _CASES_OF_A_PROCESS:
        if worker.done >= 0:
            worker.pipe.send(None)
            worker.end()
        workers.remove(worker)
        worker = _Worker(limit, runner)
        workers.append(worker)
        worker.pipe.recv()  # ready
    worker.give(number)


if sys.platform == "win32":  # the limits are of Unix; the time on the wall is all there is
    _WALL = 1
