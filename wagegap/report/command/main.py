"""The command `wagegap`: however it ends, it ends in one line, what went wrong, and which report stands."""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from wagegap.errors import WagegapError
from wagegap.report.command.arguments import parsed
from wagegap.report.command.signals import Signals, Stop, stoppable
from wagegap.report.command.streams import complain, discard, fill_streams, put

__all__ = ["main"]

_UNSEEN = object()
"""In place of the page that stood when the run began, until it has been looked at."""
_REFUSED, _UNPRINTED, _INTERRUPTED = 2, 1, 128
"""Exit codes: nothing done; done, but not printed; by a signal, whose number is added."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Carry out a command; return the exit code."""
    fill_streams()
    try:
        options = parsed(arguments)
    except WagegapError as error:
        complain(str(error))
        return _REFUSED
    return _run(options) if options.command == "run" else _other(options)


def _run(options: argparse.Namespace) -> int:
    """Carry out a study; however it ends, say which report stands."""
    before: Any = _UNSEEN
    try:
        with stoppable() as signals:
            from wagegap.report.folder import page_mark

            before = page_mark(options.output)
            return _study(options, signals)
    except WagegapError as error:
        complain(str(error))
        return _REFUSED
    except KeyboardInterrupt as error:
        complain(f"interrupted. {_stands(error, options.output, before)}")
        return _INTERRUPTED + signal.SIGINT
    except Stop as error:
        complain(f"stopped by {signal.Signals(error.number).name}. {_stands(error, options.output, before)}")
        return _INTERRUPTED + error.number


def _study(options: argparse.Namespace, signals: Signals) -> int:
    from wagegap.report.command import run

    page, said = run.carried_out(options, signals)
    try:
        put(sys.stdout, said)
    except BrokenPipeError:  # the reader, such as `head`, has seen enough
        discard(sys.stdout)
    except OSError as error:
        discard(sys.stdout)
        complain(f"the findings cannot be printed: {error.strerror or error}. The report is written: {page}")
        return _UNPRINTED
    return 0


def _stands(error: BaseException, output: str, before: Any) -> str:
    """Which report stands after an interruption: saving notes it on the error, and the page that is there shows it."""
    from wagegap.report.folder import NEW, page_mark, standing

    state = standing(output) if before is _UNSEEN or page_mark(output) == before else NEW
    return " ".join(getattr(error, "__notes__", [])) or f"{state}."


# what answers without a report ---------------------------------------------------------------------------------------


def _other(options: argparse.Namespace) -> int:
    try:
        with stoppable():
            text, code = _ANSWERS[options.command](options)
            if text:
                put(sys.stdout, text)
            return code
    except WagegapError as error:
        complain(str(error))
        return _REFUSED
    except BrokenPipeError:
        discard(sys.stdout)
        return 0
    except OSError as error:
        discard(sys.stdout)
        complain(f"the answer cannot be printed: {error.strerror or error}.")
        return _UNPRINTED
    except KeyboardInterrupt:
        complain("interrupted. Nothing was written.")
        return _INTERRUPTED + signal.SIGINT
    except Stop as error:
        complain(f"stopped by {signal.Signals(error.number).name}. Nothing was written.")
        return _INTERRUPTED + error.number


def _init(options: argparse.Namespace) -> tuple[str, int]:
    from wagegap.report.command.init import initialised

    return initialised(options)


def _check(options: argparse.Namespace) -> tuple[str, int]:
    from wagegap.report.command.check import checked

    return checked(options.study)


def _datasets(_: argparse.Namespace) -> tuple[str, int]:
    from wagegap.report.command.datasets import listed

    return listed(), 0


def _schema(_: argparse.Namespace) -> tuple[str, int]:
    from wagegap.report.command.check import schema_text

    return schema_text(), 0


def _completion(options: argparse.Namespace) -> tuple[str, int]:
    from wagegap.report.command.completion import completion_of

    return completion_of(options.shell), 0


_ANSWERS: Mapping[str, Callable[[argparse.Namespace], tuple[str, int]]] = MappingProxyType(
    {"init": _init, "check": _check, "datasets": _datasets, "schema": _schema, "completion": _completion}
)
"""What each command prints, and its exit code."""
