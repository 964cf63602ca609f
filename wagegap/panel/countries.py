"""Country names as ISO 3166 codes, from a shipped table of names and the spellings that common sources use.

Spellings are compared without case, accents, punctuation and a leading article. Only what the table lists is accepted:
a name that is merely near to one of them is refused, with the near one named.
"""

from __future__ import annotations

import csv
import re
import unicodedata
from collections.abc import Sequence
from functools import cache
from importlib.resources import files
from typing import Any

import numpy as np
import pandas as pd

from wagegap._typing import AnyArray
from wagegap.errors import CountryError, MissingValueError, did_you_mean, listing, refuse_rows

__all__ = ["country_code", "country_name", "normalise_countries"]

_NAMED = 8
_LETTERS = str.maketrans({"ø": "o", "ł": "l", "đ": "d", "ı": "i", "ß": "ss", "æ": "ae", "œ": "oe", "'": "", ".": ""})


def normalise_countries(names: pd.Series[Any] | Sequence[Any] | AnyArray) -> AnyArray:
    """Return ISO 3166 codes of three letters for codes of two or three letters and for English names.

    Parameters
    ----------
    names : array-like of str, shape (n,)
        Codes and names, whatever their case, accents and punctuation.

    Returns
    -------
    ndarray of object, shape (n,)
        Such as "KOR"; Kosovo, which has no code of its own, is "XKX".

    Raises
    ------
    MissingValueError
        Where a name is missing or blank. A csv file's "NA" is read as missing; Namibia can be written "NAM".
    CountryError
        Where a name is not in the table.

    References
    ----------
    ISO 3166-1. Spellings as in tables of the World Bank, OECD, UN, Stack Overflow, Kaggle and LinkedIn.

    Examples
    --------
    >>> normalise_countries(["Korea, Rep.", "us", "Türkiye"]).tolist()
    ['KOR', 'USA', 'TUR']
    """
    column = names if isinstance(names, pd.Series) else pd.Series(list(names), dtype=object)
    label = "the country column" if column.name is None else repr(column.name)
    codes, values = pd.factorize(column)
    written = [str(value).strip() for value in values]
    blank = [-1, *(i for i, text in enumerate(written) if not text)]
    refuse_rows(
        np.isin(codes, blank), MissingValueError, f"{label} has no country in ",
        " rows: filter them out, or fill them in ('NA' in a csv file is read as missing: write Namibia as NAM).",
    )  # fmt: skip
    iso3 = [_spellings().get(_folded(text)) for text in written]
    unknown = [i for i, code in enumerate(iso3) if code is None]
    if unknown:
        rows = int(np.isin(codes, unknown).sum())
        words = [written[i] for i in unknown]
        hints = [did_you_mean(word, _written()).strip() for word in words[:_NAMED]]
        shown = [f"{word!r} ({hint})" if hint else repr(word) for word, hint in zip(words, hints, strict=False)]
        raise CountryError(
            f"{label} has {len(unknown):,} names in {rows:,} of {len(column):,} rows that are no known country: "
            f"{listing([*shown, *words[_NAMED:]], _NAMED)}. Correct them, filter them out, or read with "
            "country_names='keep'."
        )
    return np.array(iso3, dtype=object)[codes]


def country_code(word: str) -> str | None:
    """Return the code of three letters of a code or English name, None where the table has none.

    >>> country_code("Korea, Republic of"), country_code("Elsewhere")
    ('KOR', None)
    """
    return _spellings().get(_folded(word))


def country_name(iso3: str) -> str:
    """Return the English short name of a code; a code that is not known stays as it is.

    >>> country_name("KOR")
    'South Korea'
    """
    return _names().get(iso3, iso3)


def _folded(text: str) -> str:
    """Write a name without case, accents, punctuation, `the` in front, and with `saint` in full."""
    plain = unicodedata.normalize("NFKD", text.lower().translate(_LETTERS)).encode("ascii", "ignore").decode()
    words = re.sub(r"[^a-z0-9]+", " ", plain.replace("&", " and ")).strip()
    return re.sub(r"^st (?=.)", "saint ", re.sub(r"^the (?=.)", "", words))


@cache
def _rows() -> tuple[dict[str, str], ...]:
    text = files("wagegap.panel").joinpath("countries.csv").read_text(encoding="utf-8")
    return tuple(csv.DictReader(text.splitlines()))


@cache
def _names() -> dict[str, str]:
    return {row["iso3"]: row["name"] for row in _rows()}


@cache
def _written() -> dict[str, str]:
    """Codes by name and spelling, as a user would write them."""
    return {word: row["iso3"] for row in _rows() for word in (row["name"], *filter(None, row["aliases"].split("|")))}


@cache
def _spellings() -> dict[str, str]:
    codes = {row[kind]: row["iso3"] for row in _rows() for kind in ("iso3", "iso2")}
    return {_folded(word): code for word, code in (codes | _written()).items()}
