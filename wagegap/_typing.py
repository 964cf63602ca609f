"""Array and option aliases, used by every room of the house; `Annotated` ones hold the rule that a type cannot say."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from wagegap.errors import (
    check_alpha,
    check_axes,
    check_between_0_and_1,
    check_count,
    check_finite,
    check_label,
    check_positive,
    check_rng,
)

FloatArray: TypeAlias = NDArray[np.float64]
IntArray: TypeAlias = NDArray[np.intp]
CodeArray: TypeAlias = NDArray[np.int32]
BoolArray: TypeAlias = NDArray[np.bool_]
AnyArray: TypeAlias = NDArray[Any]

WeightKind: TypeAlias = Literal["sampling", "analytic", "frequency"]
ReplicateKind: TypeAlias = Literal["BRR", "Fay", "JK1", "JK2", "JKn", "bootstrap", "SDR"]
SmallSample: TypeAlias = Literal["stata", "fixest", "metafor", "clubsandwich", "joint", "none"]
CovarianceRepair: TypeAlias = Literal["metric", "eigenvalue", "none"]
Information: TypeAlias = Literal["observed", "expected"]
Singletons: TypeAlias = Literal["drop", "keep"]
PremiumMethod: TypeAlias = Literal["separate", "stacked"]
Tau2Method: TypeAlias = Literal["EE", "DL", "HE", "HS", "SJ", "ML", "REML", "EB", "PM"]
MetaTest: TypeAlias = Literal["z", "t", "knha"]
Condition: TypeAlias = Annotated[str | Callable[..., Any], "text such as 'exper > 5', or a callable of the data frame"]
"""A condition on rows, or an expression of columns: a text, or a callable of the data frame."""
AxesLike: TypeAlias = Annotated[Any, check_axes]
"""Axes of matplotlib to draw on, or None for new ones."""
RngLike: TypeAlias = Annotated[np.random.Generator | int | None, check_rng]
Alpha: TypeAlias = Annotated[float, check_alpha]
Count: TypeAlias = Annotated[int, check_count]
Share: TypeAlias = Annotated[float, check_between_0_and_1]
Finite: TypeAlias = Annotated[float, check_finite]
Positive: TypeAlias = Annotated[float, check_positive]
ColumnName: TypeAlias = Annotated[str, "the name of one column"]
ColumnNames: TypeAlias = Annotated[ColumnName | Sequence[ColumnName], "the name of a column, or a list of columns"]
Theme: TypeAlias = Literal["light", "dark", "print"]
Watched: TypeAlias = Annotated[str | Sequence[str], "names or codes of countries or cells, such as ('KOR', 'USA')"]
"""Cells that stand out in a figure."""
Formula: TypeAlias = Annotated[str, "text such as 'log(wage) ~ ai + exper'"]
Labels: TypeAlias = Annotated[Mapping[str, str], "a dict of name -> label"]
Label: TypeAlias = Annotated[Any, check_label]
FrameLike: TypeAlias = Any
"""Any data frame: pandas, polars, Arrow, a dict of columns. What it is, and holds, is asked where it is read."""
