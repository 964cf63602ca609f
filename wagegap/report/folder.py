"""The folder of a report: when a run ends, however it ends, a whole report stands there, the earlier or the new one.

A folder that does not exist yet is finished under another name beside its place, and appears by one rename.

A folder that exists may hold files of its user, which are never moved, copied or removed; so it is not swapped for
another one. The new files are finished in a work folder within it, the report's earlier files get a second name there
(a hard link; a copy where the disk knows none), and a journal is written. Then each new file takes the place of the
earlier one by a rename, and what only the earlier report had goes. Removing the journal makes the new report the one
that stands. Whoever finds a journal puts the earlier files back: there is one direction only, it needs no room on the
disk, and it may be broken off and begun again. Signals wait while files are moved, so that nothing but a kill or a loss
of power leaves a journal behind, which the next run undoes before it does anything else. The page itself is one file:
at every instant a reader has the earlier or the new one.

Which files are a report's own stands in its provenance.json with their SHA-256: a file that was changed since is its
user's, and stays. A lock on a file of the work folder lets a second run wait; the system lifts it when its holder ends,
so that what a killed run left is told from the work of a living one.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
import signal
import stat
import sys
import threading
import time
import unicodedata
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import Any, Self

from wagegap._display.files import write_whole
from wagegap.errors import OptionError, OutputError

__all__ = [
    "FILES",
    "FOLDERS",
    "NEW",
    "check_folder",
    "page_mark",
    "recover",
    "same_file",
    "standing",
    "unfit_name",
    "write_folder",
]

FILES = ("report.html", "findings.txt", "summary.json", "provenance.json")
FOLDERS = {"figures": (".png", ".svg"), "tables": (".csv", ".tex")}
"""Folders of a report, and what the names of their files end with."""

NOTHING, EARLIER, NEW = "Nothing was written", "The old report stands", "The new report stands"

_WORK, _JOURNAL, _LOCK = ".wagegap-work", "journal.json", "lock"
_PATIENCE = 60.0
"""Seconds that a run waits for another one that writes to the same folder."""
_LONGEST = 120
"""Letters that a name may have."""
_MARKS = frozenset('/\\:*?"<>|')
_DEVICES = {"con", "prn", "aux", "nul", *(f"{port}{i}" for port in ("com", "lpt") for i in range(1, 10))}
_ENDING = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]
_INVISIBLE = ("Cc", "Cf", "Cs", "Zl", "Zp")


# before the work -----------------------------------------------------------------------------------------------------


def unfit_name(name: str) -> str:
    """Say why a name cannot be that of a file on every system; an empty string where it can.

    >>> unfit_name("developers"), unfit_name("a/b"), unfit_name("CON")
    ('', "it holds '/'", 'it is the name of a device on Windows')
    """
    held = sorted(_MARKS.intersection(name))
    if not name.strip(" ."):
        return "it is empty" if not name else "it is nothing but dots and spaces"
    if held:
        return f"it holds {held[0]!r}"
    if any(unicodedata.category(char) in _INVISIBLE for char in name):
        return "it holds a character that cannot be seen"
    if name[0] in ". " or name[-1] in ". ":
        return "it begins or ends with a dot or a space"
    if name.split(".")[0].strip().casefold() in _DEVICES:
        return "it is the name of a device on Windows"
    if len(name.encode()) > _LONGEST:
        return f"it is longer than {_LONGEST} letters"
    return ""


def same_file(name: str) -> str:
    """What names have in common that some disks take for one: capitals, and accents written in two ways.

    >>> same_file("Main") == same_file("main")
    True
    """
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())


def check_folder(folder: str | os.PathLike[str]) -> None:
    """Raise where a report cannot be written to a folder, before any work is done for it.

    Raises
    ------
    OptionError
        For something that is no path, or an empty one.
    OutputError
        For a folder that cannot be written.
    """
    if not isinstance(folder, str | os.PathLike) or not str(folder).strip():
        raise OptionError(f"the folder of the report is {folder!r}; name one, such as 'wagegap-report'.")
    try:
        target = _target(folder)
        places = [target, *(target / name for name in FOLDERS)] if target.is_dir() else [target]
        for place in places:
            _check_place(place, within=place != target)
        taken = [name for name in FILES if (target / name).is_dir()]
    except (OSError, ValueError) as error:
        raise _refusal(folder, error, standing(folder)) from error
    if taken:
        raise OutputError(f"cannot write the report to {folder}: {taken[0]} is a folder there. {standing(folder)}.")


def _check_place(place: Path, *, within: bool) -> None:
    there = next(path for path in (place, *place.parents) if os.path.lexists(path))
    if within and place.is_symlink():
        raise NotADirectoryError(errno.ENOTDIR, f"{place} is a link, where a folder of its own should be")
    if not there.is_dir():
        raise NotADirectoryError(errno.ENOTDIR, f"{there} is a file, not a folder")
    if not os.access(there, os.W_OK | os.X_OK):
        raise PermissionError(errno.EACCES, f"no permission to write to {there}")


def _target(folder: str | os.PathLike[str]) -> Path:
    """Where a folder is, links resolved."""
    return Path(os.path.realpath(folder))


def page_mark(folder: str | os.PathLike[str]) -> tuple[int, int] | None:
    """What tells the page in a folder from one that another run has written; None where there is none."""
    try:
        page = (_target(folder) / FILES[0]).stat()
    except (OSError, ValueError):
        return None
    return (page.st_ino, page.st_mtime_ns) if stat.S_ISREG(page.st_mode) else None


def standing(folder: str | os.PathLike[str]) -> str:
    """Say what stands in a folder to which nothing was written.

    >>> standing("a folder that is not there")
    'Nothing was written'
    """
    return NOTHING if page_mark(folder) is None else EARLIER


# whole or nothing ----------------------------------------------------------------------------------------------------


def write_folder(folder: str | os.PathLike[str], write: Callable[[Path], None]) -> None:
    """Write a report to a folder, whole or not at all.

    Parameters
    ----------
    folder : path
        Where to. Its user's files in it stay as they are.
    write : callable
        Writes all files of the report into the folder that it is given, and says in provenance.json which they are.

    Raises
    ------
    OptionError, OutputError
        When the folder cannot be written. The message says which report stands, and so does a note on an interruption
        or any other error.
    """
    check_folder(folder)
    target = _target(folder)
    state = standing(target)
    try:
        with _SignalsHeld() as signals:
            recover(target)
            state = standing(target)
            with _parents(target), _work(target, signals) as work:
                signals.let_through()
                try:
                    write(work / "new")
                finally:
                    signals.hold()
                _replace(target, work) if target.is_dir() else _appear(target, work)
                state = NEW
    except OSError as error:
        raise _refusal(folder, error, _after(target, state)) from error
    except BaseException as error:
        error.add_note(f"{_after(target, state)}.")
        raise


def recover(folder: str | os.PathLike[str]) -> None:
    """Undo what a run that was killed has left half done, and remove its work folder.

    Raises
    ------
    OutputError
        Where this cannot be done.
    """
    target = _target(folder)
    try:
        for path in (target / _WORK, _beside(target)):
            if path.is_dir() and not path.is_symlink():
                _recover_from(target, path)
    except OSError as error:
        raise _refusal(folder, error, _after(target, standing(target))) from error


def _recover_from(target: Path, work: Path) -> None:
    with _SignalsHeld():
        lock = _try_lock(work)
        if lock is None:  # of a run that goes on
            return
        try:
            _undo(target, work)
        finally:
            _leave(work, lock)


def _refusal(folder: object, error: Exception, state: str) -> OutputError:
    cause = error.__cause__ if isinstance(error, OutputError) and isinstance(error.__cause__, OSError) else error
    if isinstance(cause, OutputError):
        return cause
    said = cause.strerror if isinstance(cause, OSError) and cause.strerror else str(cause)
    return OutputError(f"cannot write the report to {folder}: {said}. {state}; mend that, or choose another folder.")


def _after(target: Path, state: str) -> str:
    """What stands after a failure."""
    if (target / _WORK / _JOURNAL).exists():
        return (
            "Files were being moved, and could not be put back: run it again, which first puts back what stood there, "
            f"from {target / _WORK}"
        )
    return state


def _appear(target: Path, work: Path) -> None:
    """Give a finished folder its name."""
    _sync_folders(work / "new")
    os.rename(work / "new", target)
    with suppress(OSError):
        _sync(target.parent)


def _replace(target: Path, work: Path) -> None:
    """Put the new files into a folder that exists; on any failure put back what was there."""
    new, earlier = _files(work / "new"), _earlier(target)
    taken = [path for path in new if (target / path).is_dir()]
    if taken:
        raise IsADirectoryError(errno.EISDIR, f"{target / taken[0]} is a folder, where a file should go")
    old = [path for path in dict.fromkeys([*new, *earlier]) if os.path.lexists(target / path)]
    for path in old:
        _keep(target / path, work / "old" / path)
    made = [name for name in FOLDERS if not (target / name).exists()]
    try:
        _write_journal(work, {"old": old, "new": new, "made": made})
        for name in made:
            (target / name).mkdir()
        for path in new:
            os.replace(work / "new" / path, target / path)
        for path in set(old).difference(new):
            os.unlink(target / path)
        _sync_folders(target)
        os.unlink(work / _JOURNAL)
    except BaseException:
        _undo(target, work)
        raise
    with suppress(OSError):
        _sync(work)


def _undo(target: Path, work: Path) -> None:
    """Put the earlier files back, where a journal says that they were being replaced."""
    journal = _read_journal(work)
    if journal is None:
        return
    for path in journal["old"]:
        if os.path.lexists(work / "old" / path):  # else it is back already
            os.replace(work / "old" / path, target / path)
    for path in set(journal["new"]).difference(journal["old"]):
        (target / path).unlink(missing_ok=True)
    for name in journal["made"]:
        with suppress(OSError):
            (target / name).rmdir()
    _sync_folders(target)
    os.unlink(work / _JOURNAL)


def _earlier(target: Path) -> list[str]:
    """Files of the report that stands in a folder, as it left them."""
    try:
        listed = json.loads((target / "provenance.json").read_text(encoding="utf-8"))["files"]
        pairs = [(path, digest) for path, digest in listed.items() if _is_own(path)]
    except (OSError, ValueError, RecursionError, KeyError, TypeError, AttributeError):
        return []
    return [path for path, digest in pairs if _digest(target / path) == digest]


def _digest(path: Path) -> str | None:
    """SHA-256 of a file that is no link; None where there is none."""
    try:
        return None if path.is_symlink() else hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError:
        return None


def _is_own(path: object) -> bool:
    """Whether a path can be one of a report's files, relative to its folder."""
    if not isinstance(path, str):
        return False
    folder, _, name = path.rpartition("/")
    return path in FILES or (folder in FOLDERS and name.endswith(FOLDERS[folder]) and not unfit_name(name))


def _files(folder: Path) -> list[str]:
    """Files of a report below a folder, relative to it."""
    paths = (path.relative_to(folder).as_posix() for path in folder.rglob("*") if not path.is_dir())
    return sorted(path for path in paths if _is_own(path))


# the work folder -----------------------------------------------------------------------------------------------------


@contextmanager
def _work(target: Path, signals: _SignalsHeld) -> Iterator[Path]:
    """Open a work folder, with an empty folder `new`, that no other run has; afterwards remove it."""
    path, lock = _locked(target, signals)
    try:
        _undo(target, path)
        _clear(path)
        for name in (f"{side}/{folder}" for side in ("new", "old") for folder in FOLDERS):
            (path / name).mkdir(parents=True)
        yield path
    finally:
        _leave(path, lock)


def _work_folder(target: Path) -> Path:
    """Within the folder where it exists, as its parent may not be writable; else beside its place."""
    return target / _WORK if target.is_dir() else _beside(target)


def _beside(target: Path) -> Path:
    return target.parent / f".wagegap-{hashlib.sha256(os.fsencode(target.name)).hexdigest()[:12]}"


def _locked(target: Path, signals: _SignalsHeld) -> tuple[Path, int]:
    """Make a work folder and lock it; wait where another run has it."""
    end = time.monotonic() + _PATIENCE
    while time.monotonic() < end:
        path = _work_folder(target)
        lock = _try_lock(path)
        if lock is not None and path == _work_folder(target):
            return path, lock
        if lock is not None:  # the folder came to be while this run waited
            _leave(path, lock)
        signals.let_through()
        time.sleep(0.05)
        signals.hold()
    raise TimeoutError(errno.ETIMEDOUT, f"another run has been writing there for {_PATIENCE:.0f} seconds")


def _try_lock(path: Path) -> int | None:
    """Lock a work folder, made where it is not there; None where another run has it."""
    if path.is_symlink():
        path.unlink()
    path.mkdir(exist_ok=True)
    try:
        lock = os.open(path / _LOCK, os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0), 0o600)
    except FileNotFoundError:  # removed by the run that had it
        return None
    except OSError:
        with suppress(OSError):
            path.rmdir()
        raise
    try:
        if _lock(lock) and os.path.samestat(os.fstat(lock), os.stat(path / _LOCK)):
            return lock
    except FileNotFoundError:
        pass
    os.close(lock)
    return None


def _lock(descriptor: int) -> bool:
    """Lock an open file until it is closed; True also where the disk knows no locks."""
    try:
        if sys.platform == "win32":
            import msvcrt

            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        return error.errno not in (errno.EWOULDBLOCK, errno.EACCES, errno.EDEADLK)
    return True


def _leave(path: Path, lock: int) -> None:
    """Remove a work folder, unless it holds what an undoing needs, and let go of its lock."""
    try:
        if not (path / _JOURNAL).exists():
            _clear(path)
            if sys.platform != "win32":  # there an open file cannot be removed
                with suppress(OSError):
                    (path / _LOCK).unlink()
                    path.rmdir()
    finally:
        os.close(lock)
    if sys.platform == "win32":
        with suppress(OSError):
            (path / _LOCK).unlink()
            path.rmdir()


def _clear(path: Path) -> None:
    """Empty a work folder, but for its lock."""
    with suppress(OSError):
        for entry in path.iterdir():
            if entry.is_dir() and not entry.is_symlink():
                shutil.rmtree(entry, ignore_errors=True)
            elif entry.name != _LOCK:
                entry.unlink(missing_ok=True)


@contextmanager
def _parents(target: Path) -> Iterator[None]:
    """Make the folders above one; on a failure remove those that were made."""
    made = [path for path in target.parents if not path.exists()]
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        yield
    except BaseException:
        for path in made:
            with suppress(OSError):
                path.rmdir()
        raise


def _keep(path: Path, second: Path) -> None:
    """Give a file a second name, or make a copy where the disk knows no second names."""
    try:
        os.link(path, second, follow_symlinks=False)
    except OSError:
        shutil.copy2(path, second, follow_symlinks=False)
        if not second.is_symlink():
            _sync(second)


def _write_journal(work: Path, entries: dict[str, list[str]]) -> None:
    _sync_folders(work / "old")
    write_whole(work / _JOURNAL, json.dumps(entries))
    _sync(work)


def _read_journal(work: Path) -> dict[str, list[str]] | None:
    """What was being moved; None where nothing was."""
    try:
        entries: Any = json.loads((work / _JOURNAL).read_text(encoding="utf-8"))
        paths = {side: [path for path in entries[side] if _is_own(path)] for side in ("old", "new")}
        return {**paths, "made": [name for name in entries["made"] if name in FOLDERS]}
    except FileNotFoundError:
        return None
    except (ValueError, RecursionError, KeyError, TypeError) as error:
        raise OSError(errno.EINVAL, f"{work / _JOURNAL} is no journal of a report: {error}") from error


def _sync(path: Path) -> None:
    """See to it that a file, or the names in a folder, are on the disk."""
    if sys.platform == "win32" and path.is_dir():
        return
    descriptor = os.open(path, os.O_RDONLY if path.is_dir() else os.O_RDWR)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _sync_folders(folder: Path) -> None:
    for path in (folder, *(folder / name for name in FOLDERS)):
        if path.is_dir():
            _sync(path)


class _SignalsHeld:
    """Lets signals that end a run wait until the block is through; only the main thread is interrupted by them."""

    def __init__(self) -> None:
        self._former: dict[int, Any] = {}
        self._waiting: list[int] = []

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            handlers = {number: signal.getsignal(number) for number in _ENDING}
            self._former = {number: one for number, one in handlers.items() if one not in (None, signal.SIG_IGN)}
        self.hold()
        return self

    def __exit__(self, *error: object) -> None:
        self.let_through()

    def hold(self) -> None:
        """Let signals wait."""
        for number in self._former:
            signal.signal(number, self._wait)

    def let_through(self) -> None:
        """Let signals do what they did before the block, those that have waited first."""
        for number, handler in self._former.items():
            signal.signal(number, handler)
        while self._waiting:
            signal.raise_signal(self._waiting.pop())

    def _wait(self, number: int, frame: FrameType | None) -> None:
        if number not in self._waiting:
            self._waiting.append(number)
