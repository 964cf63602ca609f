"""Spellings of countries: how they are compared, what their abbreviations stand for, and which of them are near.

A spelling is a set of words: `Korea, Dem. Rep.` and `Dem. Rep. of Korea` are one. An abbreviation stands for several
words (`S.`: South, Southern); a name is known where one state alone has a spelling that it can stand for.

A near spelling has the same number of words, all but one or two of them equal, and those within the reach of a slip of
the keys: one letter in words of four and five, two in longer ones (left out, put in, changed, swapped with the next).
A word that is itself part of some spelling is no slip: `North Korea` is never near to `South Korea`, nor `Niger` to
`Nigeria`. Where spellings of two states are near, none is named.

References
----------
ISO 3166-1. United Nations Statistics Division, Standard country or area codes for statistical use (M49).
"""

from __future__ import annotations

import csv
import itertools
import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from importlib.resources import files
from types import MappingProxyType

__all__ = ["code_of", "folded", "names", "near_name", "no_country", "numeric_codes", "numeric_no_country"]

_LETTERS = str.maketrans({"ø": "o", "ł": "l", "đ": "d", "ı": "i", "ß": "ss", "æ": "ae", "œ": "oe", "'": "", "’": "",
                          "`": "", "´": ""})  # fmt: skip
_SILENT = frozenset({"the", "of", "and"})
_TWICE = re.compile(r"\s*(.+?)\s*(?:\((.+)\)|\[(.+)\]|(?: [-–]|:|,) (.+))\s*")
"""A name and its code."""
_LONGEST = 200
"""Characters of a name; what is longer is none."""
_MOST = 64
"""So many readings of a name's abbreviations are tried."""
_FIRST_OF_MANY = 100
"""Numbers below are rather a survey's own codes than regions of M49."""

_ABBREVIATIONS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "n": ("north", "northern", "new"), "no": ("north",), "nth": ("north",), "s": ("south", "southern"),
        "so": ("south",), "sth": ("south",), "e": ("east", "eastern"), "w": ("west", "western"),
        "c": ("central",), "cent": ("central",), "centr": ("central",), "eq": ("equatorial",), "equat": ("equatorial",),
        "afr": ("african", "africa"), "am": ("american",), "amer": ("american",), "dom": ("dominican",),
        "dem": ("democratic",), "rep": ("republic",), "repub": ("republic",), "peop": ("peoples",), "ppl": ("peoples",),
        "fed": ("federal", "federated", "federation", "federative"), "soc": ("socialist",), "is": ("islands", "island"),
        "isl": ("islands", "island", "islamic"), "isls": ("islands",), "isds": ("islands",), "i": ("island",),
        "st": ("saint", "state"), "ste": ("saint",), "sts": ("states",), "terr": ("territory", "territories"),
        "ter": ("territory", "territories"), "brit": ("british",), "br": ("british",), "fr": ("french",),
        "gt": ("great",), "un": ("united",), "utd": ("united",), "us": ("united states",), "uk": ("united kingdom",),
        "usa": ("united states america",), "pr": ("peoples republic",), "dr": ("democratic republic",),
        "pdr": ("peoples democratic republic",), "dpr": ("democratic peoples republic",),
        "ir": ("islamic republic",), "rb": ("bolivarian republic",), "fyr": ("former yugoslav republic",),
        "sar": ("special administrative region",), "prov": ("province",), "herz": ("herzegovina",),
        "barb": ("barbuda",), "gren": ("grenadines",), "vin": ("vincent",), "miq": ("miquelon",), "tob": ("tobago",),
        "sandw": ("sandwich",), "antarc": ("antarctic",), "dutch": ("dutch", "netherlands"), "neth": ("netherlands",),
    }
)  # fmt: skip


def folded(text: str) -> str:
    """Write a name without case, accents, punctuation, `the`, `of` and `and`, its words in the order of the alphabet.

    >>> folded("Korea, Dem. People's Rep. of"), folded("U. S. A."), folded("S.Sudan")
    ('dem korea peoples rep', 'usa', 's sudan')
    """
    return " ".join(sorted(_words(text)))


def code_of(text: str) -> str | None:
    """Return the code of three letters of a code or name, None where no state or several can be meant.

    >>> code_of("N. Korea"), code_of("Eq. Guinea"), code_of("Congo (Kinshasa)"), code_of("Iran (IRN)")
    ('PRK', 'GNQ', 'COD', 'IRN')
    """
    named = _codes().get(text.strip().upper()) or _looked_up(text, _spellings())
    if named is not None or _looked_up(text, _others()) is not None:
        return named
    twice = _TWICE.fullmatch(text) if len(text) <= _LONGEST else None
    if twice is None:
        return None
    pieces = {_codes().get(piece.upper()) or _looked_up(piece, _spellings()) for piece in twice.groups() if piece}
    return pieces.pop() if len(pieces) == 1 else None


def no_country(text: str) -> str | None:
    """Return what a name is that is none of a country: a former state, an aggregate, one of several; else None.

    >>> no_country("Total"), no_country("USSR")
    ('an aggregate, no country', 'a former state: the Soviet Union, fifteen states since 1991')
    """
    return _looked_up(text, _others())


def near_name(text: str) -> str | None:
    """Return the one spelling that a misspelt name is near to, None where there is none, or two states have one.

    >>> near_name("Germny"), near_name("Untied States"), near_name("North Koera"), near_name("Nigera")
    ('Germany', 'United States', 'North Korea', None)
    """
    near: dict[str, tuple[int, str]] = {}
    for reading in dict.fromkeys(_readings(_words(text))):
        odd = [word for word in reading if word not in _vocabulary()]
        for spelling, key, meant in _candidates().get(len(reading), ()) if 0 < len(odd) <= 2 else ():
            slips = _slips(odd, [word for word in key if word not in reading])
            if slips is not None and slips < near.get(meant, (_MOST, ""))[0]:
                near[meant] = slips, spelling
    (one, *more) = near or ("",)
    return None if more or one not in names() else near[one][1]


@cache
def names() -> Mapping[str, str]:
    """Short names by code."""
    return MappingProxyType({row["iso3"]: row["name"] for row in _table("countries.csv")})


@cache
def numeric_codes() -> Mapping[int, str]:
    """Codes of three letters by ISO's numeric ones."""
    return MappingProxyType({int(row["numeric"]): row["iso3"] for row in _table("countries.csv") if row["numeric"]})


def numeric_no_country(figure: int) -> str | None:
    """Return what a numeric code of the United Nations is that is none of a country of today; else None.

    >>> numeric_no_country(890)
    'a former state: Yugoslavia: BIH, HRV, MKD, MNE, SRB, SVN and XKX since 1991-2008'
    """
    if figure < _FIRST_OF_MANY:
        return None
    return next((_said(row) for row in _table("no_countries.csv") if row["numeric"] == str(figure)), None)


def _words(text: str) -> tuple[str, ...]:
    """Words of a name in plain small letters; initials that follow one another are one."""
    plain = unicodedata.normalize("NFKD", text.lower().translate(_LETTERS)).encode("ascii", "ignore").decode()
    spaced = re.sub(r"\.(?=[a-z]{2})|(?<=[a-z]{2})\.", " ", plain).replace(".", "")
    joined = re.sub(r"\b[a-z](?: [a-z]\b)+", lambda found: found[0].replace(" ", ""), spaced)
    words = re.sub(r"[^a-z0-9]+", " ", joined.replace("&", " and "))
    return tuple(word for word in words.split() if word not in _SILENT)


def _readings(words: tuple[str, ...]) -> Iterable[tuple[str, ...]]:
    """Words as they stand, and with abbreviations in full, each reading in order; a single word is no abbreviation."""
    yield tuple(sorted(words))
    if len(words) > 1:
        choices = [(*_ABBREVIATIONS.get(word, ()), word) for word in words]
        for chosen in itertools.islice(itertools.product(*choices), _MOST):
            yield tuple(sorted(" ".join(chosen).split()))


def _looked_up(text: str, table: Mapping[str, str]) -> str | None:
    """What a name stands for in a table, as it stands or else in full; None where that is nothing, or several."""
    words = _words(text)
    plain = table.get(" ".join(sorted(words)))
    if plain is not None:
        return plain
    meant = {table[key] for reading in _readings(words) if (key := " ".join(reading)) in table}
    return meant.pop() if len(meant) == 1 else None


@cache
def _table(name: str) -> tuple[dict[str, str], ...]:
    text = files("wagegap.estimation.countries").joinpath(name).read_text(encoding="utf-8")
    return tuple(csv.DictReader(text.splitlines()))


@cache
def _written() -> Mapping[str, str]:
    """Codes by name and spelling, as a user would write them."""
    pairs = [
        (word, row["iso3"])
        for row in _table("countries.csv")
        for word in (row["name"], row["official"], *row["aliases"].split("|"))
        if word
    ]
    return MappingProxyType(dict(pairs))


@cache
def _codes() -> Mapping[str, str]:
    return MappingProxyType({row[kind]: row["iso3"] for row in _table("countries.csv") for kind in ("iso3", "iso2")})


@cache
def _spellings() -> Mapping[str, str]:
    return _with_readings(_written())


@cache
def _others() -> Mapping[str, str]:
    """What names of no country are, by spelling."""
    rows = _table("no_countries.csv")
    return _with_readings({name: _said(row) for row in rows for name in row["names"].split("|")})


def _with_readings(spelt: Mapping[str, str]) -> Mapping[str, str]:
    """Meanings by folded spelling, and by its readings in full where no other name has them."""
    plain = {folded(word): meant for word, meant in spelt.items()}
    full = {" ".join(reading): meant for word, meant in spelt.items() for reading in _readings(_words(word))}
    return MappingProxyType(full | plain)


def _said(row: Mapping[str, str]) -> str:
    before = {"former": "a former state: ", "ambiguous": "not one country: "}
    return before.get(row["kind"], "") + row["says"]


@cache
def _candidates() -> Mapping[int, list[tuple[str, tuple[str, ...], str]]]:
    """Spellings with their words in order and what they mean, those of no country among them, by number of words."""
    others = {name: _said(row) for row in _table("no_countries.csv") for name in row["names"].split("|")}
    by_count: dict[int, list[tuple[str, tuple[str, ...], str]]] = {}
    for word, meant in [*_written().items(), *others.items()]:
        key = tuple(sorted(_words(word)))
        by_count.setdefault(len(key), []).append((word, key, meant))
    return by_count


@cache
def _vocabulary() -> frozenset[str]:
    words = (word for spellings in _candidates().values() for _, key, _ in spellings for word in key)
    return frozenset(words) | frozenset(_ABBREVIATIONS)


def _slips(odd: Sequence[str], missing: Sequence[str]) -> int | None:
    """Slips between words of a name that are in no spelling and those of a spelling that it lacks; None beyond that."""
    if len(odd) != len(missing):
        return None
    pairings = ([_apart(a, b) for a, b in zip(odd, order, strict=True)] for order in itertools.permutations(missing))
    totals = [sum(apart or 0 for apart in pairs) for pairs in pairings if None not in pairs]
    return min(totals, default=None)


def _apart(a: str, b: str) -> int | None:
    """Letters left out, put in, changed or swapped with the next between two words; None beyond a slip.

    d(i, j) = min of d(i-1, j) + 1, d(i, j-1) + 1, d(i-1, j-1) + [a_i != b_j], and d(i-2, j-2) + 1 where the last two
    letters are swapped (Damerau 1964, in the form of optimal string alignment).
    """
    most = 0 if min(len(a), len(b)) < 4 else 1 if len(a) < 6 else 2
    if abs(len(a) - len(b)) > most or len({*a} ^ {*b}) > 2 * most or most == 0:
        return None
    before: list[int] = []
    last: list[int] = []
    row = list(range(len(b) + 1))
    for i, letter in enumerate(a, 1):
        before, last, row = last, row, [i]
        for j, other in enumerate(b, 1):
            steps = [last[j] + 1, row[j - 1] + 1, last[j - 1] + (letter != other)]
            if i > 1 and j > 1 and letter == b[j - 2] and a[i - 2] == other:
                steps.append(before[j - 2] + 1)
            row.append(min(steps))
    return row[-1] if row[-1] <= most else None
