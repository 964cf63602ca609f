"""Where the tests find data that are not part of the project."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

# Tests run side by side; small products on several threads each would slow one another down many times. What reads
# these has not been imported yet.
for _threads in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_threads, "1")

ROOT = Path(__file__).resolve().parent.parent


def _folder(*candidates: Path) -> Path | None:
    return next((path for path in candidates if path.is_dir()), None)


@pytest.fixture(scope="session")
def shared() -> Path:
    """Folder with reference values and data, beside the project."""
    found = _folder(ROOT.parent / "shared")
    if found is None:
        pytest.skip("no folder of reference values beside the project (../shared)")
    return found


@pytest.fixture(scope="session")
def data_folder() -> Path:
    """Folder of local copies of real data: WAGEGAP_DATA, else ../shared/data."""
    named = os.environ.get("WAGEGAP_DATA")
    found = _folder(*([Path(named)] if named else []), ROOT.parent / "shared" / "data")
    if found is None:
        pytest.skip("no local copies of the real data (set WAGEGAP_DATA)")
    return found
