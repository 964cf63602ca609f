"""A report as PDF: printed by a browser that is installed, without a window and without the network."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
from contextlib import suppress
from pathlib import Path

from wagegap.errors import OutputError

__all__ = ["find_browser", "print_pdf"]

_BROWSERS = (
    "chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome", "chromium-headless-shell",
    "headless_shell", "msedge", "microsoft-edge",
)  # fmt: skip
_SECONDS = 60.0
_OPTIONS = (
    "--headless", "--disable-gpu", "--no-first-run", "--no-default-browser-check", "--disable-extensions",
    "--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-default-apps",
    "--metrics-recording-only", "--no-pings", "--host-resolver-rules=MAP * ~NOTFOUND", "--proxy-server=127.0.0.1:9",
    "--no-pdf-header-footer", "--print-to-pdf-no-header", "--run-all-compositor-stages-before-draw",
)  # fmt: skip
"""No name of a host is resolved, and what has none goes to a port where nothing listens."""


def find_browser() -> str | None:
    """Return the path of Chromium, Chrome or Edge, None where none is on PATH."""
    return next((found for name in _BROWSERS if (found := shutil.which(name))), None)


def print_pdf(page: Path, target: Path, *, seconds: float = _SECONDS) -> Path:
    """Print a page to a PDF by a browser that is installed.

    Parameters
    ----------
    page : Path
        The report.
    target : Path
        The PDF; it is replaced whole, or not at all.
    seconds : float
        How long the browser may take.

    Returns
    -------
    Path
        The PDF.

    Raises
    ------
    OutputError
        Where no browser is found, it takes too long, or it prints nothing.
    """
    browser = find_browser()
    if browser is None:
        raise OutputError(
            f"no PDF was printed: neither Chromium, Chrome nor Edge is on PATH. Open {page} in a browser and print it."
        )
    with tempfile.TemporaryDirectory(prefix=".wagegap-pdf-", dir=target.parent) as room:
        made = Path(room, "report.pdf").resolve()
        command = [browser, *_OPTIONS, f"--user-data-dir={Path(room, 'profile').resolve()}", f"--print-to-pdf={made}"]
        if hasattr(os, "geteuid") and os.geteuid() == 0:
            command.append("--no-sandbox")  # which it refuses to have as root
        said = _run([*command, page.resolve().as_uri()], seconds)
        if not made.is_file() or made.read_bytes()[:5] != b"%PDF-":
            raise OutputError(f"no PDF was printed: {browser} {said}. Open {page} in a browser and print it.")
        os.replace(made, target)
    return target


def _run(command: list[str], seconds: float) -> str:
    """Run a browser, with whatever it starts, for so long at most; say how it ended."""
    try:
        child = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            start_new_session=True,
        )  # fmt: skip
    except OSError as error:
        return f"cannot be started ({error.strerror or error})"
    try:
        return f"ended with code {child.wait(seconds)}"
    except subprocess.TimeoutExpired:
        return f"took longer than {seconds:g} seconds"
    finally:
        with suppress(OSError):
            os.killpg(child.pid, signal.SIGKILL) if hasattr(os, "killpg") else child.kill()
        child.wait()
