"""Series given beside the data are aligned on the index, everything else stands in the order of the rows."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import wagegap as wg
from wagegap.errors import DataError, DuplicateKeyError


@pytest.fixture(scope="module")
def rows():
    rng = np.random.default_rng(8)
    frame = pd.DataFrame({"x": rng.normal(size=300), "w": rng.uniform(0.1, 5, 300)})
    frame["y"] = 0.3 * frame.x + rng.normal(size=300) * frame.w
    return frame.assign(
        d=(frame.x > 0).astype(int), g=np.where(frame.w > 2, "a", "b"), left=(frame.y > 0).astype(int), place="KOR"
    )


@pytest.fixture(scope="module")
def shuffled(rows):
    return rows.sample(frac=1, random_state=2)


@pytest.mark.public_case("weights_series")
def test_weights_are_aligned_on_the_index(facts, rows, shuffled):
    right = facts("public_cases")["weights_series"]["right"]
    for weights in ("w", shuffled.w, rows.w, rows.w.sample(frac=1, random_state=3), shuffled.w.to_numpy()):
        slope = wg.fit_linear(shuffled, "y ~ x", weights=weights).params["x"]
        assert slope == pytest.approx(right, abs=1e-3)  # .2765, rounded twice


def test_weights_of_all_rows_serve_those_that_are_kept(rows):
    named = rows.rename("r{}".format)
    for frame in (rows, named, rows.set_index(pd.MultiIndex.from_product([range(30), range(10)]))):
        some = frame[frame.x > -0.5].sort_values("y")
        expected = wg.fit_linear(some, "y ~ x", weights="w").params
        pd.testing.assert_series_equal(wg.fit_linear(some, "y ~ x", weights=frame.w).params, expected)
        pd.testing.assert_series_equal(wg.fit_linear(some, "y ~ x", weights=some.w).params, expected)


def test_a_resampled_frame_takes_the_weight_of_each_label(rows):
    drawn = rows.sample(frac=1, replace=True, random_state=1)
    expected = wg.fit_linear(drawn, "y ~ x", weights="w").params
    pd.testing.assert_series_equal(wg.fit_linear(drawn, "y ~ x", weights=rows.w).params, expected)


DOORS = {
    "premiums": lambda data, w: wg.fit_premiums(data, "y ~ d + x", premium="d", by="place", weights=w),
    "rates": lambda data, w: wg.fit_rates(data, {"left": "left"}, by="place", weights=w),
    "exits": lambda data, w: wg.fit_exits(data, "left ~ x", weights=w),
    "oaxaca": lambda data, w: wg.oaxaca(data, "y ~ x", group="g", weights=w),
    "rif_oaxaca": lambda data, w: wg.rif_oaxaca(data, "y ~ x", group="g", weights=w),
    "dfl": lambda data, w: wg.dfl(data, "y ~ x", group="g", weights=w),
    "kitagawa": lambda data, w: wg.kitagawa(data, "left", "d", group="g", weights=w),
    "fairlie": lambda data, w: wg.yun(data, "left ~ x", group="g", weights=w),
    "flows": lambda data, w: wg.fit_flows(data, "left ~ x", weights=w),
}


@pytest.mark.parametrize("door", DOORS.values(), ids=DOORS.keys())
def test_every_door_aligns_weights(rows, shuffled, door):
    expected = door(shuffled, "w").estimates.values
    np.testing.assert_allclose(door(shuffled, rows["w"]).estimates.values, expected, rtol=1e-10)
    with pytest.raises(DataError, match="300 rows: their index lacks 1 of the labels"):
        door(shuffled, rows["w"].drop(index=7))


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        (lambda w: w.iloc[:-1], DataError, "299 weights for 300 rows: their index lacks 1 .* such as 299"),
        (lambda w: w.rename("r{}".format), DataError, "lacks 300 of the labels"),
        (lambda w: pd.concat([w, w.iloc[:2]]), DuplicateKeyError, "2 labels that several values share, such as 0"),
        (lambda w: w.to_numpy()[:-1], DataError, "299 weights for 300 rows"),
    ],
)
def test_what_cannot_be_aligned_is_refused(rows, shuffled, change, error, message):
    with pytest.raises(error, match=message):
        wg.fit_linear(shuffled, "y ~ x", weights=change(rows.w))


def test_a_panel_knows_its_own_labels_and_those_of_the_frame(rows, shuffled):
    panel = wg.read_panel(rows.iloc[100:], country="place").filter("x > 0")
    expected = wg.fit_linear(panel, "y ~ x", weights="w").params
    for weights in (rows.w, panel.frame.w, panel.frame.w.to_numpy()):
        pd.testing.assert_series_equal(wg.fit_linear(panel, "y ~ x", weights=weights).params, expected)
    for series in (rows.w, panel.frame.w):
        assert panel.assign(again=series).frame["again"].equals(panel.frame["w"])
    turned = wg.read_panel(shuffled, country="place")  # labels 0 to 299 mean two things
    for call in (
        lambda: wg.fit_linear(turned, "y ~ x", weights=rows.w),
        lambda: turned.assign(again=rows.w),
        lambda: turned.filter(rows.x > 0),
    ):
        with pytest.raises(DataError, match=r"that of panel\.frame, and also, in another order"):
            call()
    for series in (turned.frame.w, turned.frame["w"].fillna(0), 1 * turned.frame.w):  # made from the panel itself
        assert turned.assign(again=series).frame["again"].equals(turned.frame["w"])
        assert len(turned.filter(series > 1)) == int((turned.frame["w"] > 1).sum())
    same = wg.fit_linear(turned, "y ~ x", weights=shuffled.w).params
    pd.testing.assert_series_equal(same, wg.fit_linear(shuffled, "y ~ x", weights="w").params)


def test_polars_and_arrow_stand_in_the_order_of_the_rows(shuffled):
    pl, pa = pytest.importorskip("polars"), pytest.importorskip("pyarrow")
    expected = wg.fit_linear(shuffled, "y ~ x", weights="w").params
    for weights in (pl.Series(shuffled.w.to_numpy()), pa.array(shuffled.w.to_numpy()), shuffled.w.tolist()):
        pd.testing.assert_series_equal(wg.fit_linear(shuffled, "y ~ x", weights=weights).params, expected)


@pytest.mark.parametrize("kind", ["category", "Int64", "boolean", "string", "datetime64[ns, UTC]", "float32"])
def test_columns_that_are_added_keep_their_type(rows, kind):
    days = pd.Timestamp("2020", tz="UTC") + pd.to_timedelta(rows["d"], "D")
    series = (days if kind.startswith("datetime") else rows["d"]).astype(kind)
    last = wg.read_panel(rows.rename("r{}".format).iloc[::-1]).assign(again=series.rename("r{}".format)).frame["again"]
    some = wg.read_panel(rows.iloc[50:]).assign(again=series).frame["again"]
    whole = wg.read_panel(rows).assign(again=series).frame["again"]
    assert [column.dtype for column in (last, some, whole)] == [series.dtype] * 3
    assert last.tolist() == series.tolist()[::-1]
    assert some.tolist() == series.tolist()[50:]
    assert whole.tolist() == series.tolist()
