"""Which cells have a premium: the least numbers of holders and of others, to the one."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import wagegap as wg
from wagegap.errors import EmptyDataError, SmallCellWarning


def cells(sizes):
    """Workers of cells of so many holders and others."""
    parts = [
        pd.DataFrame({"iso3": name, "ai": np.repeat([1, 0], [holders, others])})
        for name, (holders, others) in sizes.items()
    ]
    frame = pd.concat(parts, ignore_index=True)
    return frame.assign(pay=np.exp(0.3 * frame["ai"] + np.sin(np.arange(len(frame)))))


def premiums(sizes, **options):
    return wg.fit_premiums(cells(sizes), "log(pay) ~ ai", premium="ai", by="iso3", **options)


def test_as_many_as_the_minimum_are_enough():
    found = premiums({"A": (20, 30), "B": (60, 60)})
    assert found.params.index.tolist() == ["A", "B"]
    assert premiums({"A": (7, 9), "B": (60, 60)}, min_treated=7, min_comparison=9).params.index.tolist() == ["A", "B"]


@pytest.mark.parametrize("short", [(20, 29), (19, 30)])
def test_one_fewer_is_too_few(short):
    with pytest.warns(SmallCellWarning, match="fewer than 20 holders or 30 others: A"):
        found = premiums({"A": short, "B": (60, 60)})
    assert found.params.index.tolist() == ["B"]
    assert found.absent[["n_treated", "n_comparison"]].to_numpy().tolist() == [list(short)]


@pytest.mark.parametrize("options", [{"min_treated": 8, "min_comparison": 9}, {"min_treated": 7, "min_comparison": 10}])
def test_no_cell_with_enough_says_the_largest(options):
    with pytest.raises(EmptyDataError, match="largest has 7 and 9"):
        premiums({"A": (7, 9)}, **options)
