"""Where local copies of public files are: the path given, or the folder that `WAGEGAP_DATA` names. Nowhere else."""

from __future__ import annotations

import os
from pathlib import Path

from wagegap.errors import DataError, did_you_mean

__all__ = ["local_file"]


def local_file(path: str | os.PathLike[str] | None, name: str) -> Path:
    """Return the path of a local copy of `name`, a path below the folder that `WAGEGAP_DATA` names.

    Parameters
    ----------
    path : path, optional
        The file itself, wherever it is; the copy in the folder where absent.
    name : str
        Such as `so_survey/so_micro.parquet`.

    Raises
    ------
    DataError
        No such file, no such folder, or no folder named.

    Examples
    --------
    >>> local_file("nowhere.csv", "so_survey/so_micro.parquet")
    Traceback (most recent call last):
    wagegap.errors.DataError: no file 'nowhere.csv'. It should be a copy of so_survey/so_micro.parquet.
    """
    if path is not None:
        given = Path(path)
        if not given.is_file():
            near = [str(beside) for beside in given.parent.iterdir()] if given.parent.is_dir() else []
            raise DataError(f"no file {str(given)!r}.{did_you_mean(given, near)} It should be a copy of {name}.")
        return given
    folder = os.environ.get("WAGEGAP_DATA")
    if folder is None:
        raise DataError(f"no local copy of {name}: give its path, or set WAGEGAP_DATA to the folder that holds it.")
    found = Path(folder) / name
    if not found.exists():
        raise DataError(f"no file {name} in the folder that WAGEGAP_DATA names ({folder}).")
    return found
