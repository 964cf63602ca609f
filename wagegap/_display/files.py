"""Figures and other files, written whole or not at all: the same figure gives the same bytes."""

from __future__ import annotations

import io
import os
import secrets
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Literal, TypeAlias

from wagegap._display.axes import FONT, Figure, styled
from wagegap._display.fitting import fit_texts
from wagegap._display.spec import plain
from wagegap._display.themes import dark_style
from wagegap.errors import OptionError, OutputError, check_option

__all__ = ["render_figure", "save_figure", "write_whole"]

FigureFormat: TypeAlias = Literal["png", "svg", "pdf"]

_METADATA: dict[str, dict[str, str | None]] = {
    "png": {"Software": None},
    "svg": {"Date": None, "Creator": None},
    "pdf": {"CreationDate": None, "Creator": None, "Producer": None},
}
_LIKE_FONT = "Verdana, Geneva, sans-serif"
_ALT_FIELD = {"png": "Description", "svg": "Title", "pdf": "Subject"}


def save_figure(
    figure: Figure,
    path: str | os.PathLike[str],
    *,
    alt_text: str,
    formats: Sequence[FigureFormat] = ("png", "svg"),
    dpi: int = 200,
) -> tuple[Path, ...]:
    """Save a figure in several formats: the same figure gives the same bytes.

    All formats are drawn before the first is written, and each file is written whole or not at all.

    Parameters
    ----------
    figure : Figure
        The figure.
    path : str or path
        Where to, without a suffix.
    alt_text : str
        What the figure shows, for those who cannot see it; kept in the files.
    formats : sequence of {"png", "svg", "pdf"}
        Formats, each of which gives its suffix.
    dpi : int
        Pixels per inch of a png.

    Returns
    -------
    tuple of Path
        The files.

    Raises
    ------
    OptionError
        For an unknown format, or without an alternative text.
    OutputError
        When a file cannot be written.
    """
    drawn = render_figure(figure, alt_text=alt_text, formats=formats, dpi=dpi)
    return tuple(write_whole(f"{os.fspath(path)}.{kind}", data) for kind, data in drawn.items())


def render_figure(
    figure: Figure,
    *,
    alt_text: str,
    formats: Sequence[FigureFormat] = ("svg",),
    dpi: int = 200,
    width: float | None = None,
    title: bool = True,
) -> dict[str, bytes]:
    """Return a figure in several formats as it would be saved; afterwards it is as it was.

    Parameters
    ----------
    figure, alt_text, formats, dpi
        As in `save_figure`.
    width : float, optional
        Width in inches to draw it in, for a narrow page; its own where absent.
    title : bool
        Whether the title above it is drawn; a page that has it as a heading needs none.

    Raises
    ------
    OptionError
        For an unknown format, or without an alternative text.
    """
    for kind in formats:
        check_option("format", kind, tuple(_METADATA))
    if not plain(alt_text):
        raise OptionError("alt_text is empty; say in a sentence what the figure shows.")
    drawn: dict[str, bytes] = {}
    with styled(), _resized(figure, width, title=title):
        figure.draw_without_rendering()
        engine = figure.get_layout_engine()
        figure.set_layout_engine("none")
        try:
            for kind in formats:
                buffer = io.BytesIO()
                metadata = _METADATA[kind] | {_ALT_FIELD[kind]: plain(alt_text)}
                figure.savefig(buffer, format=kind, dpi=dpi, metadata=metadata, facecolor="auto", bbox_inches=None)
                drawn[kind] = _styled_svg(buffer.getvalue()) if kind == "svg" else buffer.getvalue()
        finally:
            figure.set_layout_engine(engine or "none")
    return drawn


@contextmanager
def _resized(figure: Figure, width: float | None, *, title: bool) -> Iterator[None]:
    """Give a figure another width, or no title, within the block."""
    size, heading = figure.get_size_inches().copy(), figure._suptitle  # type: ignore[attr-defined]
    try:
        if width is not None:
            figure.set_size_inches(width, size[1])
            fit_texts(figure)
        if heading is not None and not title:
            heading.set_visible(False)
            heading.set_in_layout(False)
        yield
    finally:
        figure.set_size_inches(*size)
        if width is not None:
            fit_texts(figure)
        if heading is not None and not title:
            heading.set_visible(True)
            heading.set_in_layout(True)


def _styled_svg(svg: bytes) -> bytes:
    """Name fonts to fall back on, as wide as the one that texts were placed with, and the colours on a dark page."""
    styled_text = svg.replace(f"'{FONT}'".encode(), f"'{FONT}', {_LIKE_FONT}".encode())
    return styled_text.replace(b"</style>", b"</style>\n  <style>" + dark_style().encode() + b"</style>", 1)


def write_whole(path: str | os.PathLike[str], content: str | bytes) -> Path:
    """Write a file whole or not at all, by way of a temporary file in the same folder.

    Parameters
    ----------
    path : str or path
        Where to; a file there is replaced and keeps its permissions.
    content : str or bytes
        What; strings are encoded as UTF-8.

    Returns
    -------
    Path
        Where it stands.

    Raises
    ------
    OutputError
        When it cannot be written; what stood there still does.
    """
    target = Path(os.path.realpath(path))
    data = content.encode("utf-8") if isinstance(content, str) else content
    if not target.parent.is_dir():
        raise OutputError(f"{Path(path)} was not written: there is no folder {target.parent}; make it first.")
    if target.is_dir():
        raise OutputError(f"{Path(path)} was not written: it is a folder; name a file in it.")
    temporary = target.parent / f".{target.name[:80]}.{secrets.token_hex(6)}.tmp"
    try:
        _write_synced(temporary, data)
        if target.exists():
            os.chmod(temporary, stat.S_IMODE(target.stat().st_mode))
        os.replace(temporary, target)
    except OSError as error:
        raise OutputError(f"{Path(path)} was not written: {error.strerror or error}.") from error
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
    return Path(path)


def _write_synced(path: Path, data: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o666)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
