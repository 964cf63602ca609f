"""Array and option aliases, used by every room of the house."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

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
Condition: TypeAlias = str | Callable[..., Any]
"""A condition on rows, or an expression of columns: a text, or a callable of the data frame."""
RngLike: TypeAlias = np.random.Generator | int | None
