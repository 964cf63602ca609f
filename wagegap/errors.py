"""Errors and warnings, and the way their messages are built.

Every error descends from `WagegapError` and from the builtin that a caller would catch; every warning from
`WagegapWarning`. A message says what is wrong, where (column, cell), how many, and what to do.
"""

from __future__ import annotations

import difflib
import itertools
import math
import numbers
import os
import re
import reprlib
import sys
import traceback
import warnings
from collections.abc import Callable, Hashable, Iterable, Sequence
from typing import Any, TypeGuard

__all__ = [
    "ArgumentError",
    "ChecksumError",
    "ColumnError",
    "CountryError",
    "CovarianceError",
    "CovarianceWarning",
    "DataError",
    "DataWarning",
    "DownloadError",
    "DuplicateKeyError",
    "EmptyDataError",
    "ExtraMissingError",
    "FewClustersWarning",
    "FormulaError",
    "IdentificationError",
    "IdentificationWarning",
    "JoinError",
    "MassPointWarning",
    "MissingValueError",
    "OptionError",
    "OutputError",
    "ReliabilityError",
    "ReliabilityWarning",
    "SmallCellWarning",
    "StudyError",
    "UnitError",
    "UnitWarning",
    "VersionError",
    "WageError",
    "WagegapError",
    "WagegapWarning",
    "check_alpha",
    "check_axes",
    "check_between_0_and_1",
    "check_column",
    "check_count",
    "check_finite",
    "check_keys_meet",
    "check_known",
    "check_label",
    "check_one_type",
    "check_option",
    "check_options",
    "check_positive",
    "check_rng",
    "did_you_mean",
    "is_number",
    "listing",
    "no_column",
    "refuse_rows",
    "shown",
    "warn",
    "written",
]

_WHOLE = re.compile(r"(-?\d+)(?:\.0*)?")
_ADDRESS = re.compile(r"\b0x[0-9a-f]{6,}")
_LONGEST_WORD, _SHOWN_OF_IT, _LONGEST = 120, 60, 600
"""Characters of a message: of a word or quotation before it is cut, of what is shown of it then, and of the whole."""
_ENDLESS = re.compile(rf"(?<![^\s(\[{{=:,])'(?=\S)[^'\n]{{{_LONGEST_WORD},}}'|\S{{{_LONGEST_WORD},}}")


class WagegapError(Exception):
    """Root of every error that this package raises on purpose.

    A message stays readable whatever the data hold: of what is quoted without end it shows the beginning.
    """

    def __init__(self, *args: object) -> None:
        super().__init__(*(_readable(one) if isinstance(one, str) else one for one in args))


class DataError(WagegapError, ValueError):
    """The data cannot be what the call takes them for."""


class EmptyDataError(DataError):
    """No rows, or none left."""


class WageError(DataError):
    """A wage that is text, zero, negative, missing or infinite."""


class CountryError(DataError):
    """A country that the shipped table does not know."""


class UnitError(DataError):
    """Two units mixed, or a value its unit does not allow."""


class DuplicateKeyError(DataError):
    """Keys that should be unique are not."""


class MissingValueError(DataError):
    """A cluster, weight, stratum or key is missing in some rows."""


class ColumnError(WagegapError, KeyError):
    """A column that the data do not have."""

    def __str__(self) -> str:
        return str(self.args[0]) if self.args else ""


class OptionError(WagegapError, ValueError):
    """An option, method or name that does not exist, or that does not go with another."""


class ArgumentError(OptionError, TypeError):
    """A keyword that the function does not take."""


class FormulaError(WagegapError, ValueError):
    """A formula that cannot be read or evaluated."""


class IdentificationError(WagegapError, ValueError):
    """The data cannot tell the requested parameters apart."""


class CovarianceError(WagegapError, ValueError):
    """The requested covariance cannot be had from what is kept, or is not a covariance."""


class JoinError(WagegapError, ValueError):
    """Two results whose errors cannot be related without a further assumption."""


class ReliabilityError(WagegapError, ValueError):
    """The premium is measured too badly for a corrected interval.

    Attributes
    ----------
    finding : str
        What was found, which a report says.
    remedy : str
        What a caller may do; the message ends with it.
    """

    def __init__(self, finding: str, remedy: str = "") -> None:
        super().__init__(f"{finding} {remedy}".rstrip())
        self.finding, self.remedy = finding, remedy


class StudyError(WagegapError, ValueError):
    """A study file that cannot be carried out."""


class OutputError(WagegapError, OSError):
    """The output cannot be written; nothing was."""


class DownloadError(WagegapError, OSError):
    """A file that could not be fetched in whole; what was fetched of it is kept apart."""


class ChecksumError(DataError):
    """A file that is not, byte for byte, the one that was published."""


class ExtraMissingError(WagegapError, ImportError):
    """An optional dependency is not installed."""


class VersionError(WagegapError, ImportError):
    """Something that another version of this package pickled."""


class WagegapWarning(UserWarning):
    """Root of every warning that this package gives."""


class DataWarning(WagegapWarning):
    """Rows or values the user should look at."""


class UnitWarning(WagegapWarning, FutureWarning):
    """Numbers whose size does not go with the unit declared for them, which the next version may refuse."""


class SmallCellWarning(WagegapWarning):
    """Cells left out because they are too small."""


class IdentificationWarning(WagegapWarning):
    """Columns dropped because they are collinear."""


class MassPointWarning(DataWarning):
    """Many have the same pay at a quantile, so that its distribution jumps there."""


class FewClustersWarning(WagegapWarning):
    """Too few clusters for the usual approximations."""


class CovarianceWarning(WagegapWarning):
    """A covariance that had to be repaired, or is not defined for some parameters."""


class ReliabilityWarning(WagegapWarning):
    """The premium is measured with much error."""


def shown(value: object, limit: int = 60) -> str:
    """Return a value as Python writes it, cut at `limit` characters; of arrays, frames and the like, kind and size.

    Numbers and text of numpy are written as plain ones. Nothing that a value does when it is written gets out.

    >>> shown("ols"), shown(["ai", 3]), shown("x" * 5000, limit=8)
    ("'ols'", "['ai', 3]", "'xxxxxxx...")
    >>> import numpy as np
    >>> shown(np.float64(0.5)), shown(np.zeros((2, 3))), shown({"at": np.zeros(2)})
    ('0.5', '<ndarray of shape (2, 3)>', "{'at': <ndarray of shape (2,)>}")
    """
    return _cut(_Writer(limit).repr(value), limit)


class _Writer(reprlib.Repr):
    """Writes values of any kind, the first items of what holds many, in about so many characters."""

    def __init__(self, limit: int) -> None:
        super().__init__()
        self.maxstring = self.maxother = self.maxlong = 2 * limit
        self.maxdict = self.maxlist

    def repr1(self, x: Any, level: int) -> str:
        try:
            shape = getattr(x, "shape", None)
            if isinstance(x, str | bytes):
                return repr(x[: self.maxstring])
            if isinstance(shape, tuple) and shape:
                return f"<{type(x).__name__} of shape {shape}>"
            if shape == () and hasattr(x, "item"):
                return super().repr1(x.item(), level)
            if isinstance(x, type):
                return f"<class {x.__name__}>"
            return " ".join(super().repr1(x, level).split())
        except Exception:
            return f"<{type(x).__name__}>"

    def repr_instance(self, x: Any, _: int) -> str:
        in_short = getattr(type(x), "_in_short", None)  # of what a session shows as a page
        text = (repr(x) if in_short is None else in_short(x))[: self.maxother]
        return f"<{type(x).__name__}>" if _ADDRESS.search(text) else text


def written(value: object, write: Callable[[object], str] = repr) -> str:
    """Return a value as Python writes it, however long, or its type where it cannot be written.

    >>> written(["KOR", 3])
    "['KOR', 3]"
    """
    try:
        return write(value)
    except Exception:  # whatever the value's own code raises
        return f"<{type(value).__name__}>"


def _cut(text: str, limit: int) -> str:
    """The beginning of a text that is longer than `limit`."""
    return text if len(text) <= limit else f"{text[:limit]}..."


def _readable(message: str) -> str:
    """A message in which no word or quotation runs on, nor the whole."""
    if len(message) <= _LONGEST_WORD:
        return message
    text = _ENDLESS.sub(lambda match: f"{match[0][:_SHOWN_OF_IT]}...", message)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 150]} ... {text[-145:]}"


def listing(items: Iterable[object], limit: int = 8) -> str:
    """Join items by commas, the first `limit` of them, saying how many more there are; each is cut where it is long.

    >>> listing(["KOR", "USA", "JPN"], limit=2)
    'KOR, USA and 1 more'
    """
    texts = [_cut(written(item, str), 250) for item in items]
    if len(texts) <= limit:
        return ", ".join(texts)
    return f"{', '.join(texts[:limit])} and {len(texts) - limit} more"


def did_you_mean(word: object, options: Iterable[object]) -> str:
    """Return `" Did you mean 'x'?"`, or an empty string where nothing is near.

    >>> did_you_mean("HC11", ["HC1", "iid"]), did_you_mean("KRO", ["UKR", "KOR"])
    (" Did you mean 'HC1'?", " Did you mean 'KOR'?")
    """
    if not isinstance(word, str | int | os.PathLike) or len(str(word)) > _LONGEST_WORD:
        return ""
    names = [str(option) for option in options]
    # Of two letters swapped in a short name, difflib sees only one that is right.
    near = [name for name in names if sorted(name) == sorted(str(word)) and name != word]
    near = near or difflib.get_close_matches(str(word), names, n=1, cutoff=0.6)
    if not near:
        lowered = {name.lower(): name for name in names}
        near = [lowered[name] for name in difflib.get_close_matches(str(word).lower(), lowered, n=1, cutoff=0.6)]
    return f" Did you mean {near[0]!r}?" if near else ""


def no_column(name: object, columns: Iterable[object], purpose: str = "") -> ColumnError:
    """Return the error for a column that is not there, with the nearest name or all of them.

    >>> print(no_column("ia", ["ai", "exper"], "for premium"))
    no column 'ia' for premium. Did you mean 'ai'?
    >>> print(no_column("skill", ["ai", "exper"]))
    no column 'skill'. There are: ai, exper.
    """
    known = list(columns)
    hint = did_you_mean(name, known) or f" There are: {listing(known, 12)}."
    return ColumnError(f"no column {shown(name)}{' ' if purpose else ''}{purpose}.{hint}")


def check_column(name: object, columns: Iterable[object], purpose: str = "") -> None:
    """Raise unless `name` is one column, not a list of them, and is there.

    >>> check_column("iso3", ["iso3", "year"], "for origin")
    >>> check_column(["iso3"], ["iso3", "year"], "for origin")
    Traceback (most recent call last):
    wagegap.errors.OptionError: ['iso3'] for origin must be the name of one column.
    """
    said = f"{shown(name)}{' ' if purpose else ''}{purpose}"
    if name is None or not isinstance(name, Hashable) or isinstance(name, tuple):
        raise OptionError(f"{said} must be the name of one column.")
    known = list(columns)
    if not _is_one_of(name, known):
        raise no_column(name, known, purpose)


def check_rng(name: str, rng: object) -> None:
    """Raise `OptionError` unless `rng` is a numpy generator, a whole number that seeds one, or None.

    >>> check_rng("rng", 1)
    """
    seeds = not isinstance(rng, bool) and isinstance(rng, numbers.Integral) and int(rng) >= 0
    if not (rng is None or seeds or hasattr(rng, "bit_generator")):
        raise OptionError(
            f"{name}={shown(rng)} must be a numpy Generator, a whole number that is not negative (a seed), or None."
        )


def is_number(value: object) -> TypeGuard[float]:
    """Whether numpy computes with a value: a number of Python's or numpy's own, no truth value or fraction.

    >>> is_number(0.5), is_number(True)
    (True, False)
    """
    plain = isinstance(value, int | float) and not isinstance(value, bool)
    return plain or (isinstance(value, numbers.Real) and hasattr(value, "dtype"))


def check_alpha(name: str, alpha: object) -> None:
    """Raise `OptionError` unless `alpha` is a number between 0 and 1.

    >>> check_alpha("alpha", 0.05)
    """
    if not is_number(alpha) or not 0 < float(alpha) < 1 or 1 - float(alpha) == 1:
        raise OptionError(f"{name}={shown(alpha)} must lie between 0 and 1: 0.05 gives 95 % intervals.")


def check_axes(name: str, axes: object) -> None:
    """Raise `OptionError` unless something can be drawn on: axes of matplotlib, or None.

    >>> check_axes("ax", None)
    """
    if axes is not None and (isinstance(axes, type) or not all(hasattr(axes, part) for part in ("plot", "figure"))):
        raise OptionError(f"{name}={shown(axes)} must be one axes of matplotlib, as plt.subplots() gives, or None.")


def check_between_0_and_1(name: str, value: object) -> None:
    """Raise `OptionError` unless a value is a number between 0 and 1.

    >>> check_between_0_and_1("power", 0.8)
    """
    if not is_number(value) or not 0 < float(value) < 1:
        raise OptionError(f"{name}={shown(value)} must lie between 0 and 1.")


def check_label(name: str, value: object) -> None:
    """Raise `OptionError` unless a value can stand in a column and is compared with others: a number, a text, a date.

    >>> check_label("base", "KOR")
    """
    try:
        plain = isinstance(value, Hashable) and not isinstance(value, tuple) and bool(value == value)
    except (TypeError, ValueError):
        plain = False
    if not plain or callable(value):
        raise OptionError(f"{name}={shown(value)} must be one value of a column.")


def check_finite(name: str, value: object) -> None:
    """Raise `OptionError` unless a value is a finite number.

    >>> check_finite("value", 0.5)
    """
    if not is_number(value) or not math.isfinite(float(value)):
        raise OptionError(f"{name}={shown(value)} must be a finite number.")


def check_positive(name: str, value: object) -> None:
    """Raise `OptionError` unless a value is a finite number above zero.

    >>> check_positive("premium_sd", 0.1)
    """
    if not is_number(value) or not 0 < float(value) < math.inf:
        raise OptionError(f"{name}={shown(value)} must be a finite number above zero.")


def check_count(name: str, value: object, least: int = 1) -> None:
    """Raise unless a number is a whole number of at least `least`."""
    if isinstance(value, bool) or not isinstance(value, numbers.Integral) or value < least:
        raise OptionError(f"{name}={shown(value)} must be a whole number, at least {least}.")


def check_keys_meet(
    first: Iterable[object], second: Iterable[object], what: str, names: tuple[str, str] = ("one side", "the other")
) -> None:
    """Raise `DataError` where keys of two sides do not meet, and would but for their type, capitals or spaces.

    Keys that are equal in Python meet, such as 2020 and 2020.0; keys without a counterpart may stand on one side.

    Parameters
    ----------
    first, second : iterables of keys
        None of them missing; repeated ones count once.
    what : str
        What the keys are of, for messages.
    names : (str, str)
        What the sides are called.

    Examples
    --------
    >>> check_keys_meet([2020, 2021], [2020.0, 2022.0], "key 'year'")
    >>> check_keys_meet(["KOR", "usa"], ["KOR", "USA"], "key 'iso3'", ("rates", "premiums"))
    Traceback (most recent call last):
    ...
    wagegap.errors.DataError: key 'iso3': 1 of 2 values of rates would meet one of premiums but for their type, ...
    """
    one, two = dict.fromkeys(first), dict.fromkeys(second)
    unlike = {isinstance(key, str) for key in one} != {isinstance(key, str) for key in two}
    for (keys, others), (own, other) in (((one, two), names), ((two, one), names[::-1])):
        lonely = {_plain_key(key, zeros=not unlike): key for key in keys if key not in others}
        near = {_plain_key(key, zeros=not unlike): key for key in others} if lonely else {}
        pairs = [(key, near[plain]) for plain, key in lonely.items() if plain in near]
        if pairs:
            examples = listing((f"{shown(key)} and {shown(match)}" for key, match in pairs), 3)
            raise DataError(
                f"{what}: {len(pairs):,} of {len(keys):,} values of {own} would meet one of {other} but for their "
                f"type, capitals or spaces: {examples}. Make them alike, with .astype(int), .astype(str), .str.upper() "
                "or .str.strip()."
            )


def check_one_type(values: Iterable[object], what: str) -> None:
    """Raise `DataError` where one key is written in two types, such as 1 and '1'.

    >>> check_one_type([1, "1", "2"], "'pid'")
    Traceback (most recent call last):
    ...
    wagegap.errors.DataError: 'pid' has 1 value in two types, such as 1 and '1', which would count as two: ...
    """
    seen: dict[str, object] = {}
    pairs = []
    for value in dict.fromkeys(values):
        known = seen.setdefault(_plain_key(value), value)
        if isinstance(known, str) != isinstance(value, str):
            pairs.append(f"{shown(known)} and {shown(value)}")
    if pairs:
        many = "1 value" if len(pairs) == 1 else f"{len(pairs):,} values"
        raise DataError(
            f"{what} has {many} in two types, such as {pairs[0]}, which would count as two: make the column one type, "
            "with .astype(str) or pandas.to_numeric."
        )


def _plain_key(key: object, *, zeros: bool = False) -> str:
    """A key without its type, capitals and spaces, '1' of 1, 1.0 and ' 1', and unless kept without leading zeros."""
    text = written(key, str).strip().casefold().removesuffix(" 00:00:00").removesuffix("t00:00:00.000000000")
    number = _WHOLE.fullmatch(text)
    if number is None:
        return text
    return number[1] if zeros else number[1].lstrip("0") or "0"


def check_known(names: Iterable[object], known: Iterable[object], error: Callable[[object, str], WagegapError]) -> None:
    """Raise an error for the first name that is not known; `error` is given it, and a hint at the nearest known one.

    >>> check_known(["ai", "iso"], ["ai", "iso3"], lambda name, hint: OptionError(f"no {name}.{hint}"))
    Traceback (most recent call last):
    wagegap.errors.OptionError: no iso. Did you mean 'iso3'?
    """
    options = list(known)
    for name in names:
        if not _is_one_of(name, options):
            raise error(name, did_you_mean(name, options))


def check_option(name: str, value: object, options: Sequence[object]) -> None:
    """Raise `OptionError` unless `value` is one of `options`.

    >>> check_option("method", "ml", ["ml", "eiv"])
    """
    if _is_one_of(value, options):
        return
    known = listing((repr(option) for option in options), limit=20)
    raise OptionError(f"{name}={shown(value)} is not known.{did_you_mean(value, options)} Known: {known}.")


def _is_one_of(value: object, options: Sequence[object]) -> bool:
    """Whether a value equals one of some; arrays, and what cannot tell whether it equals another, do not."""
    try:
        return isinstance(value, Hashable) and value in options
    except (TypeError, ValueError):
        return False


def check_options(**given: tuple[object, Sequence[object]]) -> None:
    """Raise `OptionError` unless every value is one of its options.

    >>> check_options(method=("ml", ["ml", "eiv"]), density=("r", ["r", "stata"]))
    """
    for name, (value, options) in given.items():
        check_option(name, value, options)


def refuse_rows(bad: Any, kind: type[WagegapError], before: str, after: str, values: Any = None) -> None:
    """Raise where any row is bad, with how many of how many between the two pieces of the message.

    Of `values`, shape (n,), the first bad one stands for `{first}` in the second piece.

    >>> import numpy as np
    >>> refuse_rows(np.array([False, True]), MissingValueError, "'iso3' is missing in ", " rows: fill it in.")
    Traceback (most recent call last):
    wagegap.errors.MissingValueError: 'iso3' is missing in 1 of 2 rows: fill it in.
    """
    count = int(bad.sum())
    if count:
        first = "" if values is None else f"{values[bad][0]:g}"
        raise kind(f"{before}{count:,} of {len(bad):,}{after.replace('{first}', first)}")


def warn(message: str, category: type[WagegapWarning]) -> None:
    """Warn once, pointing at the first line outside this package."""
    frames = (frame for frame, _ in traceback.walk_stack(sys._getframe()))
    inside = itertools.takewhile(lambda frame: frame.f_globals.get("__name__", "").split(".")[0] == "wagegap", frames)
    warnings.warn(message, category, stacklevel=1 + sum(1 for _ in inside))
