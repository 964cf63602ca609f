"""Country names as ISO 3166 codes, from a shipped table of names and the spellings that common sources use.

Spellings are compared without case, accents, punctuation and the order of their words, abbreviations (Dem., Rep., N.,
Eq., Is.) in full. Only what the table lists is accepted. A name that is merely near to one of them is refused, with the
near one named where it is one state's alone; a former state and an aggregate are refused as such. A column that holds
nothing but numbers is read by ISO's numeric codes, which the ledger says, or refused.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from wagegap._typing import AnyArray
from wagegap.errors import CountryError, DataWarning, MissingValueError, did_you_mean, listing, refuse_rows, warn
from wagegap.estimation.countries.columns import country_code, country_key, country_name, hold_countries
from wagegap.estimation.countries.spellings import code_of, near_name, no_country, numeric_codes, numeric_no_country
from wagegap.estimation.design import check_keys

__all__ = [
    "country_code",
    "country_key",
    "country_name",
    "hold_countries",
    "normalise_countries",
    "read_countries",
]

_NAMED = 8


def normalise_countries(names: pd.Series[Any] | Sequence[Any] | AnyArray) -> AnyArray:
    """Return ISO 3166 codes of three letters for codes of two or three letters, English names and numeric codes.

    Parameters
    ----------
    names : array-like of str or of numbers, shape (n,)
        Codes and names, whatever their case, accents, punctuation and abbreviations; or ISO 3166 numeric codes, as
        numbers or as text, where all are.

    Returns
    -------
    ndarray of object, shape (n,)
        Such as "KOR"; Kosovo, which has no code of its own, is "XKX".

    Raises
    ------
    MissingValueError
        Where a name is missing or blank. A csv file's "NA" is read as missing; Namibia can be written "NAM".
    CountryError
        Where a name is not in the table, or a number is no ISO 3166 numeric code.

    References
    ----------
    ISO 3166-1. Spellings as in tables of the World Bank, OECD, UN, Stack Overflow, Kaggle and LinkedIn.

    Examples
    --------
    >>> normalise_countries(["Korea, Rep.", "us", "Türkiye", "Dem. Rep. Congo"]).tolist()
    ['KOR', 'USA', 'TUR', 'COD']
    >>> normalise_countries([410, 36]).tolist()
    ['KOR', 'AUS']
    """
    return read_countries(names)[0]


def read_countries(
    names: pd.Series[Any] | Sequence[Any] | AnyArray, meant: Mapping[str, str] | None = None
) -> tuple[AnyArray, tuple[str, ...]]:
    """Return codes as `normalise_countries` does, and what a ledger should say of how they were read.

    Names that `meant` has are taken for the countries that it says, by their names or codes.
    """
    column = names if isinstance(names, pd.Series) else pd.Series(list(names), dtype=object)
    label = "the country column" if column.name is None else repr(column.name)
    said = _check_meant(meant or {}, column, label)
    if meant:
        column = column.map(lambda value: meant.get(value, value))
    name = str(column.name or "country")
    check_keys(column.to_frame(name), [name])
    codes, values = pd.factorize(column)
    written = [str(value).strip() for value in values]
    blank = [-1, *(i for i, text in enumerate(written) if not text)]
    refuse_rows(
        np.isin(codes, blank), MissingValueError, f"{label} has no country in ",
        " rows: filter them out, or fill them in ('NA' in a csv file is read as missing: write Namibia as NAM).",
    )  # fmt: skip
    figures = [_figure(value) for value in values]
    if figures and None not in figures:
        iso3, notes = _by_number([int(figure or 0) for figure in figures], written, codes, label)
    else:
        iso3, notes = _by_name(written, codes, label), ()
    return np.array(iso3, dtype=object)[codes], (*said, *notes)


def _check_meant(meant: Mapping[str, str], column: pd.Series[Any], label: str) -> tuple[str, ...]:
    """What is said of names that a user explains; refused where one stands nowhere, or is given no country."""
    there = set(column.dropna().unique())
    for name, country in meant.items():
        if name not in there:
            raise CountryError(f"country_names: {name!r} is not in {label}.{did_you_mean(name, map(str, there))}")
        if not isinstance(country, str) or code_of(country) is None:
            raise CountryError(f"country_names: {name!r} is said to be {_explained(str(country))}, no known country.")
    if not meant:
        return ()
    pairs = listing((f"{name!r} as {country_name(str(code_of(country)))}" for name, country in meant.items()), _NAMED)
    return (f"{label} is read with {pairs}",)


def _figure(value: Any) -> int | None:
    """Whole number that a value is or spells; None for everything else."""
    if isinstance(value, str):
        found = re.fullmatch(r"\s*(\d{1,18})(?:\.0*)?\s*", value)
        return int(found[1]) if found else None
    number = isinstance(value, int | float | np.integer | np.floating) and not isinstance(value, bool)
    return int(value) if number and float(value).is_integer() else None


def _by_name(written: Sequence[str], codes: AnyArray, label: str) -> list[str]:
    iso3 = [code_of(text) for text in written]
    unknown = [i for i, code in enumerate(iso3) if code is None]
    if unknown:
        rows = int(np.isin(codes, unknown).sum())
        words = [written[i] for i in unknown]
        names, kinds = ("name", "is") if len(unknown) == 1 else ("names", "are")
        raise CountryError(
            f"{label} has {len(unknown):,} {names} in {rows:,} of {len(codes):,} rows that {kinds} no known country: "
            f"{listing([*map(_explained, words[:_NAMED]), *words[_NAMED:]], _NAMED)}. Say what is meant, with "
            f"country_names={{{words[0]!r}: 'KOR'}} and the code of the country, filter them out, or read with "
            "country_names='keep'."
        )
    return [code for code in iso3 if code is not None]


def _explained(word: str) -> str:
    """A name that is no country, and what it is or may have been meant for."""
    other = no_country(word)
    if other is not None:
        return f"{word!r} ({other})"
    if _figure(word) is not None:
        return f"{word!r} (a number: numeric codes are read where the whole column holds them)"
    near = near_name(word)
    return repr(word) if near is None else f"{word!r} (Did you mean {near!r}?)"


def _by_number(
    figures: Sequence[int], written: Sequence[str], codes: AnyArray, label: str
) -> tuple[list[str], tuple[str, ...]]:
    """Countries of a column of numbers: ISO's numeric codes all, which is said, or an error."""
    known = numeric_codes()
    unknown = [i for i, figure in enumerate(figures) if figure not in known]
    if unknown:
        rows = int(np.isin(codes, unknown).sum())
        others = [numeric_no_country(figures[i]) for i in unknown[:_NAMED]]
        shown = [f"{written[i]} ({other})" if other else written[i] for i, other in zip(unknown, others, strict=False)]
        raise CountryError(
            f"{label} holds numbers, and {len(unknown):,} of its {len(figures):,} values, in {rows:,} of "
            f"{len(codes):,} rows, are no ISO 3166 numeric codes: "
            f"{listing([*shown, *(written[i] for i in unknown[_NAMED:])], _NAMED)}. Where they are the survey's own "
            "codes, give the names of countries in their place, such as frame[column].map({1: 'KOR', 2: 'USA'}), or "
            "read with country_names='keep'."
        )
    iso3 = [known[figure] for figure in figures]
    pairs = listing((f"{text} {code}" for text, code in zip(written, iso3, strict=True)), _NAMED)
    if all(figure < 100 and len(text) < 3 for figure, text in zip(figures, written, strict=True)):
        warn(
            f"{label} holds no number above 99; they were read as ISO 3166 numeric codes ({pairs}). Where they are the "
            "survey's own codes, give the names of countries in their place.",
            DataWarning,
        )
    return iso3, (f"{label} holds numbers, read as ISO 3166 numeric codes: {pairs}",)
