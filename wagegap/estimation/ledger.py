"""The sample account: rows read, rows used, and each loss by its reason, in rows and in share of weight."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pandas as pd

from wagegap._arguments import public_methods
from wagegap._display.session import Shown
from wagegap._display.shown_table import ShownTable
from wagegap._display.spec import TableSpec, tabulate_frame

__all__ = ["Ledger", "Loss"]


@dataclass(frozen=True, slots=True)
class Loss(Shown):
    """Rows lost for one reason.

    Attributes
    ----------
    reason : str
        Why, in words.
    rows : int
        How many rows.
    weight : float
        Their weight (rows, where nothing is weighted).
    """

    reason: str
    rows: int
    weight: float


@public_methods
@dataclass(frozen=True, slots=True)
class Ledger(ShownTable):
    """Account of a sample; append-only.

    Attributes
    ----------
    rows_read : int
        Rows at the door.
    weight_read : float
        Weight at the door (rows, where nothing is weighted).
    losses : tuple of Loss
        In the order in which they were found.
    notes : tuple of str
        Anything else a reader should know of the sample.
    weighted_by : str
        The weights in force and their kind; empty for none.
    """

    rows_read: int
    weight_read: float
    losses: tuple[Loss, ...] = ()
    notes: tuple[str, ...] = ()
    weighted_by: str = ""

    @property
    def rows_used(self) -> int:
        """Rows left after every loss."""
        return self.rows_read - sum(loss.rows for loss in self.losses)

    @property
    def weight_used(self) -> float:
        """Weight left after every loss."""
        return self.weight_read - sum(loss.weight for loss in self.losses)

    def lose(self, reason: str, rows: int, weight: float | None = None) -> Ledger:
        """Return the ledger with one more loss; without rows it stays as it is."""
        if rows == 0:
            return self
        loss = Loss(reason, int(rows), float(rows if weight is None else weight))
        return replace(self, losses=(*self.losses, loss))

    def note(self, *texts: str) -> Ledger:
        """Return the ledger with further notes."""
        return replace(self, notes=(*self.notes, *texts))

    def to_frame(self) -> pd.DataFrame:
        """Return one row per step: step, rows, share of rows, share of weight."""
        steps = [("read", self.rows_read, self.weight_read)]
        steps += [(loss.reason, -loss.rows, -loss.weight) for loss in self.losses]
        steps.append(("used", self.rows_used, self.weight_used))
        frame = pd.DataFrame(steps, columns=["step", "rows", "weight"])
        frame["share_rows"] = frame["rows"] / max(self.rows_read, 1)
        frame["share_weight"] = frame["weight"] / (self.weight_read or 1.0)
        return frame[["step", "rows", "share_rows", "share_weight"]]

    def line(self) -> str:
        """Return the account in one line."""
        weighted = f"; weighted by {self.weighted_by}" if self.weighted_by else ""
        if not self.losses:
            return f"{self.rows_used:,} rows, none lost{weighted}"
        lost = ", ".join(f"{loss.rows:,} {loss.reason}" for loss in self.losses)
        return f"{self.rows_used:,} of {self.rows_read:,} rows; lost: {lost}{weighted}"

    def spec_of_table(self) -> TableSpec:
        """Return the account as a table, for any renderer."""
        frame = self.to_frame()
        shares = {f"{name}, %": 100 * frame[f"share_{name}"] for name in ("rows", "weight")}
        return tabulate_frame(frame[["step", "rows"]].assign(**shares), digits=1, notes=self.notes)

    def _in_session(self) -> str:
        lines = [f"{'rows read':<44}{self.rows_read:>14,}"]
        for loss in self.losses:
            share = 100 * loss.weight / (self.weight_read or 1.0)
            lines.append(f"  lost: {loss.reason:<36.36}{-loss.rows:>14,}   {share:5.1f} % of weight")
        lines.append(f"{'rows used':<44}{self.rows_used:>14,}")
        return "\n".join([*lines, *(f"  note: {note}" for note in self.notes)])
