"""Tables as files: delimited text for machines, and a way to write any file whole or not at all.

Delimited text holds the raw numbers, to the last digit, not what a reader was shown. A number that is unknown is `NA`,
a cell that has none is empty; both read as missing.
"""

from __future__ import annotations

import csv
import io
import math
import os
import secrets
import stat
from contextlib import suppress
from pathlib import Path

from wagegap._display.spec import Cell, TableSpec
from wagegap.errors import OutputError

__all__ = ["to_csv", "write_whole"]


def to_csv(spec: TableSpec, *, delimiter: str = ",") -> str:
    """Write a table as delimited text.

    Parameters
    ----------
    spec : TableSpec
        The table.
    delimiter : str
        Character between cells.

    Returns
    -------
    str
        A header line and a line for each row: group and measure where the table has them, row, then the cells. Titles
        and notes are left out.

    Examples
    --------
    >>> from wagegap._display.spec import Cell, make_row, make_table
    >>> print(to_csv(make_table(["USA"], [make_row("premium", [Cell("0.25", 0.2513)])])))
    row,USA
    premium,0.2513
    <BLANKLINE>
    """
    grouped = any(row.group for row in spec.rows)
    measured = any(row.measure for row in spec.rows)
    named = spec.has_stub or any(row.name for row in spec.rows)
    buffer = io.StringIO()
    writer = csv.writer(buffer, delimiter=delimiter, lineterminator="\n")
    leading = ["group"] * grouped + [spec.stub_header or "row"] * named + ["measure"] * measured
    names = [column.name or column.header for column in spec.columns]
    headers = [f"{c.group}: {name}" if c.group else name for c, name in zip(spec.columns, names, strict=True)]
    writer.writerow([*leading, *headers])
    for row in spec.rows:
        start = [row.group] * grouped + [row.name] * named + [row.measure] * measured
        writer.writerow([*start, *(_raw(cell) for cell in row.cells)])
    return buffer.getvalue()


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


def _raw(cell: Cell) -> str:
    if cell.value is None:
        return cell.text
    if isinstance(cell.value, float):
        return "NA" if math.isnan(cell.value) else repr(cell.value)
    return str(cell.value)
