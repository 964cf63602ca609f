"""Which column of the data means what: worker, country, period, wage, weight, design."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from wagegap._display.session import Shown
from wagegap._typing import ReplicateKind, WeightKind

__all__ = ["Roles"]


@dataclass(frozen=True, slots=True)
class Roles(Shown):
    """Columns by role; a role that nobody declared is absent.

    Attributes
    ----------
    worker, country, period, wage, field, occupation : str, optional
        Columns of identity, place, time, pay and work.
    weight : str, optional
        Column of weights.
    weight_kind : {"sampling", "analytic", "frequency"}, optional
        What the weights are.
    cluster : tuple of str
        Columns within whose values (of one country) errors may be correlated; the first is the sampling unit.
    strata : str, optional
        Column of strata.
    replicate_weights : tuple of str
        Columns of replicate weights.
    replicate_kind : str, optional
        How they were made.
    fay : float
        Fay's factor.
    worker_scope : {"country", "global"}
        Whether a worker's id means the same person in every country.
    units : tuple of (str, str)
        Units of columns.
    """

    worker: str | None = None
    country: str | None = None
    period: str | None = None
    wage: str | None = None
    field: str | None = None
    occupation: str | None = None
    weight: str | None = None
    weight_kind: WeightKind | None = None
    cluster: tuple[str, ...] = ()
    strata: str | None = None
    replicate_weights: tuple[str, ...] = ()
    replicate_kind: ReplicateKind | None = None
    fay: float = 0.0
    worker_scope: Literal["country", "global"] = "country"
    units: tuple[tuple[str, str], ...] = ()

    def declared(self) -> dict[str, str]:
        """Columns by role, in words, the replicate weights counted."""
        columns = {
            name: str(getattr(self, name))
            for name in ("worker", "country", "period", "wage", "field", "occupation", "weight", "strata")
            if getattr(self, name) is not None
        }
        if self.cluster:
            columns["cluster"] = ", ".join(self.cluster)
        if self.replicate_weights:
            columns["replicates"] = f"{len(self.replicate_weights)} {self.replicate_kind}"
        return columns
