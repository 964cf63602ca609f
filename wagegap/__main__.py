"""The main job: `python -m wagegap [STUDY.toml] [-o FOLDER]` carries out a study and writes its report.

However it ends, it ends in one line: what went wrong, and which report stands. Text that a study or its data brought is
printed without characters that a terminal would obey, and in the letters that the terminal has.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import textwrap
import threading
import unicodedata
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, NoReturn, TextIO

from wagegap import __version__
from wagegap.errors import WagegapError

if TYPE_CHECKING:
    from wagegap.report.page.files import Study

_UNSEEN = object()
"""In place of the page that stood when the run began, until it has been looked at."""
_REFUSED, _UNPRINTED, _INTERRUPTED = 2, 1, 128
"""Exit codes: nothing done; done, but not printed; by a signal, whose number is added."""


class _Stop(BaseException):
    """A signal that ends the run; not an `Exception`, so that nothing takes it for a failure of its own."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


def main(arguments: Sequence[str] | None = None) -> int:
    """Carry out a study; return the exit code."""
    parser = argparse.ArgumentParser(
        prog="wagegap",
        description="Does pay move people? Carries out a study and writes its report.",
        epilog="Without STUDY the shipped study 'AI talent' is carried out.",
    )
    parser.add_argument("study", nargs="?", help="a study file (TOML)")
    parser.add_argument("-o", "--output", default="wagegap-report", help="folder of the report (%(default)s)")
    parser.add_argument("-q", "--quiet", action="store_true", help="no progress on stderr")
    parser.add_argument("--version", action="version", version=f"wagegap {__version__}")
    options = parser.parse_args(arguments)
    before: Any = _UNSEEN
    _fill_streams()
    try:
        with _stoppable() as signals:
            from wagegap.report.folder import page_mark

            before = page_mark(options.output)
            return _run(options.study, options.output, signals, progress=not options.quiet)
    except WagegapError as error:
        _complain(str(error))
        return _REFUSED
    except KeyboardInterrupt as error:
        _complain(f"interrupted. {_stands(error, options.output, before)}")
        return _INTERRUPTED + signal.SIGINT
    except _Stop as error:
        _complain(f"stopped by {signal.Signals(error.number).name}. {_stands(error, options.output, before)}")
        return _INTERRUPTED + error.number


def _run(source: str | None, output: str, signals: _Signals, *, progress: bool) -> int:
    from wagegap.report.folder import check_folder, recover
    from wagegap.report.study import study

    check_folder(output)
    recover(output)
    done = study(source, progress=progress)
    signals.check()
    page = done.save(output) / "report.html"
    signals.check()
    try:
        _print(sys.stdout, f"{_findings(done)}\nReport: {page}")
    except BrokenPipeError:  # the reader, such as `head`, has seen enough
        _discard(sys.stdout)
    except OSError as error:
        _discard(sys.stdout)
        _complain(f"the findings cannot be printed: {error.strerror or error}. The report is written: {page}")
        return _UNPRINTED
    return 0


def _findings(done: Study) -> str:
    lines = [f"{done.title}\n"]
    for finding in done.findings:
        mark = "" if finding.kind == "finding" else f"[{finding.kind}] "
        said = f"{mark}{finding.about}: {finding.text}"
        lines.append(textwrap.fill(said, width=80, subsequent_indent="    ") + "\n")
    return "\n".join(lines)


def _stands(error: BaseException, output: str, before: Any) -> str:
    """Which report stands after an interruption: saving notes it on the error, and the page that is there shows it."""
    from wagegap.report.folder import NEW, page_mark, standing

    state = standing(output) if before is _UNSEEN or page_mark(output) == before else NEW
    return " ".join(getattr(error, "__notes__", [])) or f"{state}."


# streams -------------------------------------------------------------------------------------------------------------


def _print(stream: TextIO | None, text: str) -> None:
    """Print text; raise `OSError` where there is nowhere to."""
    if stream is None:  # closed before the program began
        raise OSError(9, "stdout is closed")
    encoding = getattr(stream, "encoding", None) or "utf-8"
    shown = "".join(map(_harmless, text)).encode(encoding, "backslashreplace").decode(encoding)
    try:
        print(shown, file=stream, flush=True)
    except ValueError as error:  # closed since
        raise OSError(9, "stdout is closed") from error


def _harmless(char: str) -> str:
    r"""A character, spelt out where a terminal would obey it or hide what follows.

    >>> _harmless("é"), _harmless("\x1b")
    ('é', '\\x1b')
    """
    return char if char == "\n" or unicodedata.category(char) not in ("Cc", "Cf", "Cs") else ascii(char)[1:-1]


def _complain(message: str) -> None:
    """Print a line on stderr, where there is one."""
    with suppress(OSError):
        if sys.stderr is not None:
            _print(sys.stderr, f"wagegap: {message}")


def _fill_streams() -> None:
    """Open what was closed before the program began, so that no file of the report becomes its stdout or stderr."""
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)


def _discard(stream: TextIO | None) -> None:
    """Let a stream that takes nothing end in nothing, so that the interpreter does not complain of it as it ends."""
    with suppress(OSError, ValueError):
        if stream is not None:
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


class _Signals:
    """The signals that ended the run: what they raise is lost where it comes while something is being disposed of."""

    def __init__(self) -> None:
        self._number: int | None = None

    def stop(self, number: int, frame: object) -> NoReturn:
        """End the run."""
        self._number = number
        raise KeyboardInterrupt if number == signal.SIGINT else _Stop(number)

    def check(self) -> None:
        """End the run where a signal should have."""
        if self._number is not None:
            self.stop(self._number, None)


@contextmanager
def _stoppable() -> Iterator[_Signals]:
    """Let the signals that end a program raise, so that nothing half done stays; afterwards as it was."""
    numbers = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]
    if threading.current_thread() is not threading.main_thread():
        numbers = []
    former = {number: signal.getsignal(number) for number in numbers}
    ending = {number: one for number, one in former.items() if one in (signal.SIG_DFL, signal.default_int_handler)}
    signals = _Signals()
    try:
        for number in ending:
            signal.signal(number, signals.stop)
        yield signals
    finally:
        for number, handler in ending.items():
            signal.signal(number, handler)


if __name__ == "__main__":
    raise SystemExit(main())
