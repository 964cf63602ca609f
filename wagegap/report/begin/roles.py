"""Which column is the worker, the country, the period, the wage and the weight, told by names and by what they hold."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field

import numpy as np

from wagegap.errors import StudyError, WagegapError, check_known, listing
from wagegap.estimation.countries.spellings import code_of, numeric_codes
from wagegap.estimation.periods import order_periods
from wagegap.report.begin.guesses import Decision, Guess
from wagegap.report.begin.names import plain_name, rank
from wagegap.report.begin.replicates import Replication, find_replicates
from wagegap.report.begin.seen import Column, Table

__all__ = ["ASKED", "RoleGuesses", "find_roles"]

ASKED = ("worker", "country", "period", "wage", "premium")
"""What a person may say, and is asked on a terminal."""
_AMOUNTS = 12
"""Values that a column of pay has at least."""
_LOGS = re.compile(
    r"(?:l|ln|log)_?(?:hr|hourly|real|monthly|annual|weekly)?_?(?:wages?\d{0,4}|earn\w*|pay|sal\w*|inc\w*|comp\w*)"
)
_HIGHEST_LOG = 25.0
_BANDS = 40


@dataclass(frozen=True, slots=True)
class RoleGuesses:
    """What the columns of a table were taken for.

    Attributes
    ----------
    of : mapping of role to Guess
        Such as "worker".
    decisions : tuple of Decision
        What a person must decide before anything can be estimated.
    notes : tuple of str
        What was not taken, and why.
    options : mapping
        Further arguments of `read_panel`.
    replication : Replication, optional
        Replicate weights.
    """

    of: Mapping[str, Guess]
    decisions: tuple[Decision, ...] = ()
    notes: tuple[str, ...] = ()
    options: Mapping[str, object] = field(default_factory=dict)
    replication: Replication | None = None

    def column(self, role: str) -> str | None:
        """Return the column of a role, None where none was found."""
        return self.of[role].value if role in self.of else None

    @property
    def taken(self) -> set[str]:
        """Columns that have a role."""
        replicates = self.replication.columns if self.replication else ()
        return {guess.value for guess in self.of.values()} | set(replicates)


def find_roles(table: Table, said: Mapping[str, str]) -> RoleGuesses:
    """Find the roles of a table's columns; `said` names those that a person has told.

    Raises
    ------
    StudyError
        Where a column that was named is not there.
    """
    check_known(said, ASKED, lambda name, hint: StudyError(f"{name!r} is no role that init asks for.{hint}"))
    check_known(
        [name for name in said.values() if name], table.columns,
        lambda name, hint: StudyError(f"{table.path.name} has no column {name!r}.{hint}"),
    )  # fmt: skip
    found: dict[str, Guess] = {role: Guess(role, name, "as you said") for role, name in said.items() if name}
    found.pop("premium", None)
    ruled_out = {role for role, name in said.items() if not name}
    notes: list[str] = []
    for role, find in _FINDERS.items():
        if role not in found and role not in ruled_out:
            guess = find(table, {one.value for one in found.values()} | _premium(said), notes)
            if guess is not None:
                found[role] = guess
    decisions = [] if "wage" in found else [_no_wage(table, found)]
    replication = find_replicates(table, found["weight"].value if "weight" in found else None)
    options = _options(table, found)
    return RoleGuesses(found, tuple(decisions), tuple(notes), options, replication)


def _premium(said: Mapping[str, str]) -> set[str]:
    return {said["premium"]} if said.get("premium") else set()


def _by_name(
    table: Table, role: str, taken: Collection[str], fits: Callable[[Column], bool], worst: int | None = None
) -> Guess | None:
    """The column with the most telling name, of those that hold what the role has."""
    ranks = [(rank(role, name), i, name) for i, name in enumerate(table.columns) if name not in taken]
    named = sorted((place, i, name) for place, i, name in ranks if place is not None)
    named = [one for one in named if fits(table.columns[one[2]]) and (worst is None or one[0] <= worst)]
    if not named:
        return None
    column = table.columns[named[0][2]]
    return Guess(role, column.name, f"by its name, {column.n_levels:,} values", tuple(name for *_, name in named[1:4]))


def _complete(column: Column, role: str, notes: list[str]) -> bool:
    if column.n_missing:
        notes.append(f"{column.name} is missing in {column.n_missing:,} rows: it is not taken as {role}")
    return not column.n_missing


def _worker(table: Table, taken: Collection[str], notes: list[str]) -> Guess | None:
    def fits(column: Column) -> bool:
        many = column.n_levels >= max(20, 0.02 * table.n) or column.n_levels == table.n > 1
        return many and column.holds in ("numbers", "words") and not column.codes and (
            column.holds == "words" or column.whole) and _complete(column, "worker", notes)  # fmt: skip

    return _by_name(table, "worker", taken, fits)


def _country(table: Table, taken: Collection[str], notes: list[str]) -> Guess | None:
    """The column of countries: by its values under any name, or by its name where most values are countries."""
    shares = {name: _countries(column) for name, column in table.columns.items() if name not in taken}
    by_values = [name for name, share in shares.items() if share == 1.0 and table.columns[name].n_levels >= 2]
    ranks = {name: rank("country", name) for name in shares}
    named = [name for name, share in shares.items() if ranks[name] is not None and (share >= 0.5 or ranks[name] == 0)]
    good = sorted({*by_values, *named}, key=lambda name: (-shares[name], 9 if ranks[name] is None else ranks[name]))
    good = [name for name in good if table.columns[name].n_levels <= 0.5 * table.n or table.n < 400]
    good = [name for name in good if table.columns[name].holds in ("words", "numbers")]
    if not good:
        return None
    best = table.columns[good[0]]
    said = f"{best.n_levels} values, {shares[best.name]:.0%} of them names or codes of countries"
    return Guess("country", best.name, said, tuple(good[1:4]))


def _countries(column: Column) -> float:
    """Share of the values of a column that are countries."""
    if not 0 < column.n_levels <= 400:
        return 0.0
    if column.holds == "words":
        known = [code_of(str(value)) is not None for value in column.levels]
        return 0.0 if column.banded or column.plain_binary else sum(known) / len(known)
    if column.holds == "numbers" and column.whole and rank("country", column.name) is not None:
        codes = numeric_codes()
        return sum(int(value) in codes for value in column.levels) / column.n_levels
    return 0.0


def _period(table: Table, taken: Collection[str], notes: list[str]) -> Guess | None:
    def fits(column: Column) -> bool:
        if column.n_levels > min(400, max(table.n - 1, 1)) or column.holds == "nothing":
            return False
        if column.holds == "numbers" and not (column.whole and _are_periods(column)):
            return False
        try:
            order_periods(column.values)
        except WagegapError as error:
            notes.append(f"{column.name} is not taken as period: {error}")
            return False
        return _complete(column, "period", notes)

    return _by_name(table, "period", taken, fits)


def _are_periods(column: Column) -> bool:
    """Whether numbers are years, or few and close to each other."""
    known = column.numbers[np.isfinite(column.numbers)]
    low, high = known.min(), known.max()
    return 1900 <= low <= high <= 2100 or (low >= 0 and high < 400 and column.n_levels <= 60) or low >= 190001


def _wage(table: Table, taken: Collection[str], notes: list[str]) -> Guess | None:
    def fits(column: Column) -> bool:
        amounts = column.holds in ("numbers", "numbers and words") and column.n_levels >= _AMOUNTS
        return amounts and not column.banded and not _are_bands(column)

    guess = _by_name(table, "wage", taken, fits)
    wide = _wide(table)
    if guess is None or (wide is not None and guess.value in wide[1]):
        return None
    near = [name for name in (guess.value, *guess.others) if rank("wage", name) == rank("wage", guess.value)]
    level = next((name for name in near if not _is_log(table.columns[name])), guess.value)
    column = table.columns[level]
    known = column.numbers[np.isfinite(column.numbers)]
    why = f"by its name, from {known.min():,.4g} to {known.max():,.4g}{', logarithms' if _is_log(column) else ''}"
    return Guess("wage", level, why, tuple(name for name in (guess.value, *guess.others) if name != level))


def _is_log(column: Column) -> bool:
    """Whether a column of pay holds logarithms: by its name, or since it has negative values and no large ones.

    Where most cells cannot be read as numbers, as with a decimal comma among words, nothing is told by the others.
    """
    known = column.numbers[np.isfinite(column.numbers)]
    small = 2 * len(known) > int(column.values.notna().sum()) and known.max() < _HIGHEST_LOG
    negative = len(known) > 0 and (known < 0).mean() > 0.001
    return small and (negative or _LOGS.fullmatch(plain_name(column.name)) is not None)


def _are_bands(column: Column) -> bool:
    """Whether whole numbers are codes of bands: 1, 2, 3, ... without a gap."""
    known = np.unique(column.numbers[np.isfinite(column.numbers)])
    return column.whole and 1 < len(known) <= _BANDS and known[0] in (0, 1) and bool((np.diff(known) == 1).all())


def _no_wage(table: Table, found: Mapping[str, Guess]) -> Decision:
    """What must be decided where no column holds amounts of pay."""
    named = [column for name, column in table.columns.items() if rank("wage", name) is not None]
    banded = next((one for one in named if one.banded or (one.holds == "numbers" and _are_bands(one))), None)
    if banded is not None:
        return Decision(
            "wage",
            f"{banded.name} holds bands ({listing(map(str, banded.levels), 4)}), not amounts. Make a column of numbers "
            "of it, such as the middle of each band and 1.3 times the bound of the open one, and name it as wage.",
            (banded.name,),
        )  # fmt: skip
    wide = _wide(table)
    if wide is not None:
        stem, names = wide
        worker = repr(found["worker"].value) if "worker" in found else "WORKER"
        mark = stem[-1] if stem[-1] in "_.- " else ""
        return Decision(
            "wage",
            f"the table is wide, a column of pay for each period ({listing(names, 4)}). Make a row for each worker and "
            f"period and begin again: pandas.wide_to_long(frame, {stem.removesuffix(mark)!r}, i={worker}, j='year', "
            f"sep={mark!r}).reset_index().to_csv('long.csv', index=False)",
            tuple(names),
        )  # fmt: skip
    taken = {guess.value for guess in found.values()}
    amounts = [
        name for name, column in table.columns.items()
        if name not in taken and column.holds == "numbers" and column.n_levels >= _AMOUNTS and not _counts_rows(column)
    ]  # fmt: skip
    text = "no column is called like pay, and what is not called so cannot be told from other amounts. Say which is: "
    text += f"wagegap init {table.path.name} --wage COLUMN."
    if not amounts:
        text = "no column holds amounts: a premium needs pay."
    return Decision("wage", text, tuple(amounts[:8]))


def _counts_rows(column: Column) -> bool:
    """Whether a column numbers the rows."""
    numbers = column.as_they_stand
    return len(numbers) > 1 and bool((np.diff(numbers) == 1).all()) and numbers[0] in (0, 1)


def _wide(table: Table) -> tuple[str, list[str]] | None:
    """Stem and columns of pay by period, such as wage_2019, wage_2020."""
    stems: dict[str, list[str]] = {}
    for name in table.columns:
        parted = re.fullmatch(r"(.*?[^\d])((?:19|20)?\d\d)", name)
        if parted and rank("wage", parted[1]) is not None:
            stems.setdefault(parted[1], []).append(name)
    return max(((s, names) for s, names in stems.items() if len(names) > 1), key=lambda one: len(one[1]), default=None)


def _weight(table: Table, taken: Collection[str], notes: list[str]) -> Guess | None:
    body = any(re.search(r"height|bmi|stature", plain_name(name)) for name in table.columns)

    def fits(column: Column) -> bool:
        constant = column.n_levels < 2 and find_replicates(table, column.name) is None
        if column.holds != "numbers" or constant or (body and rank("weight", column.name) != 0):
            return False
        known = column.numbers
        if np.isnan(known).any() or (known < 0).any():
            notes.append(f"{column.name} is not taken as weight: it is missing or negative in some rows")
            return False
        return True

    return _by_name(table, "weight", taken, fits)


def _category(role: str) -> Callable[[Table, Collection[str], list[str]], Guess | None]:
    def find(table: Table, taken: Collection[str], notes: list[str]) -> Guess | None:
        def fits(column: Column) -> bool:
            worded = column.holds == "words" or (column.holds == "numbers" and column.whole)
            return worded and 2 < column.n_levels <= min(1_000, 0.5 * table.n) and not column.banded

        return _by_name(table, role, taken, fits)

    return find


def _group(role: str) -> Callable[[Table, Collection[str], list[str]], Guess | None]:
    def find(table: Table, taken: Collection[str], notes: list[str]) -> Guess | None:
        def fits(column: Column) -> bool:
            worded = column.holds == "words" or (column.holds == "numbers" and column.whole)
            return worded and 2 <= column.n_levels < table.n and _complete(column, role, notes)

        return _by_name(table, role, taken, fits)

    return find


_FINDERS: Mapping[str, Callable[[Table, Collection[str], list[str]], Guess | None]] = {
    "period": _period, "country": _country, "wage": _wage, "weight": _weight, "worker": _worker,
    "cluster": _group("cluster"), "strata": _group("strata"), "field": _category("field"),
    "occupation": _category("occupation"),
}  # fmt: skip
"""How each role is found, in this order: what one has taken, no later one takes."""


def _options(table: Table, found: Mapping[str, Guess]) -> dict[str, object]:
    """Arguments of `read_panel` that the values of the roles ask for."""
    options: dict[str, object] = {}
    if "wage" in found:
        column = table.columns[found["wage"].value]
        if _is_log(column):
            options["units"] = {column.name: "log"}
            odd = bool(np.isnan(column.as_they_stand).any())
        else:
            odd = not bool((np.nan_to_num(column.as_they_stand, nan=-1.0) > 0).all())
        if odd:
            options["invalid_wage"] = "missing"
    if "country" in found and _countries(table.columns[found["country"].value]) < 0.5:
        options["country_names"] = "keep"
    if "worker" in found:
        options |= _worker_options(table, found)
    return options


def _worker_options(table: Table, found: Mapping[str, Guess]) -> dict[str, object]:
    """Whether ids cross countries, and whether a worker stands in several rows of a country and period."""
    options: dict[str, object] = {}
    names = {role: found[role].value for role in ("worker", "country", "period") if role in found}
    frame = table.frame
    if "country" in names and "period" in names:
        moved = frame.groupby(names["worker"], observed=True)[names["country"]].nunique()
        twice = frame.drop_duplicates(list(names.values())).duplicated([names["worker"], names["period"]])
        if (moved > 1).any() and not twice.any():
            options["worker_scope"] = "global"
    keys = [name for role, name in names.items() if role != "country" or "worker_scope" not in options]
    if frame.duplicated(keys).any():
        options["duplicates"] = "keep" if frame.drop_duplicates().duplicated(keys).any() else "drop"
    return options
