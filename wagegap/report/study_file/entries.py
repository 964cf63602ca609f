"""Entries that are a study's own, and no argument of an estimator: what they hold, and what they are for."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Annotated, Any, TypeAlias

from wagegap._arguments import flaw_in
from wagegap._typing import Count, Formula, Theme
from wagegap.errors import OptionError, is_number, shown

__all__ = [
    "OF_SECTIONS",
    "OF_THE_STUDY",
    "Country",
    "Entry",
    "check_above_0",
    "check_country_list",
    "check_seed",
    "entry_of",
    "own_flaw",
]


def check_above_0(name: str, value: object) -> None:
    """Raise `OptionError` unless a value is a number above 0."""
    if not is_number(value) or not value > 0:
        raise OptionError(f"{name}={shown(value)} must be a number above 0.")


def check_seed(name: str, value: object) -> None:
    """Raise `OptionError` unless a value is a whole number of at least 0."""
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise OptionError(f"{name}={shown(value)} must be a whole number of at least 0.")


def check_country_list(name: str, value: object) -> None:
    """Raise `OptionError` unless a value is text, or a list of texts; whether they are countries is asked elsewhere."""
    if not isinstance(value, str | list | tuple) or not all(isinstance(one, str) for one in value):
        raise OptionError(f"{name}={shown(value)} must be a list of countries, such as ['KOR', 'USA'].")


_Flag: TypeAlias = Annotated[bool, "true or false"]
_Texts: TypeAlias = str | Sequence[str]
_Seed: TypeAlias = Annotated[int, check_seed]
_Above0: TypeAlias = Annotated[float, check_above_0]
Country: TypeAlias = Annotated[str, "a country, by its English name or ISO code"]
Countries: TypeAlias = Annotated[Country | Sequence[Country], check_country_list]


@dataclass(frozen=True, slots=True)
class Entry:
    """An entry of a study.

    Attributes
    ----------
    takes : object
        The annotation of what it holds.
    about : str
        What it is for, in a sentence.
    example : object
        A value.
    default : object
        What an absent one stands for; None where nothing does.
    """

    takes: Any
    about: str
    example: Any
    default: Any = None


OF_THE_STUDY: Mapping[str, Entry] = MappingProxyType({
    "version": Entry(str, "The version of this package that the study was written for.", "0.8", "0.3"),
    "title": Entry(str, "What the report is called.", "AI talent: does pay move it?", "Study"),
    "question": Entry(str, "The question that the first screen answers.", "Does pay keep scarce skills?"),
    "author": Entry(_Texts, "Who answers for the study.", "A. Researcher"),
    "date": Entry(str | dt.date, "When it was written.", "2026-12-01"),
    "notes": Entry(_Texts, "What a reader should know of it.", "A first look."),
    "watch": Entry(Countries, "Countries that every finding and figure is to show.", ["South Korea", "USA"], []),
    "seed": Entry(_Seed, "Seed of random orders and draws.", 1, 0),
    "answer": Entry(
        str, "The section whose result answers the question on the first screen; the first link where absent.", "main"
    ),
    "theme": Entry(Theme, "The look of the figures.", "light", "light"),
})  # fmt: skip
"""Entries that stand above all sections."""

_NAMED = Entry(str, "What other sections call it; files of the report are called so too.", "main")
_RATES = Entry(str, "The section of rates, `[rates.NAME]`.", "leaving")
_PREMIUMS = Entry(str, "The section of premiums, `[premiums.NAME]`.", "ai")
_COVARIATES = Entry(str, "The section of controls, `[covariates.NAME]`.", "income")
_OF = Entry(
    _Texts, "Sections whose results it shows, by name; where several have one name the link, or `gaps.NAME`.", ["main"]
)  # fmt: skip

OF_SECTIONS: Mapping[str, Mapping[str, Entry]] = MappingProxyType({
    "": {
        "label": Entry(str, "What the section is called in sentences and figures; its name where absent.", "AI work"),
        "title": Entry(str, "The heading of the section in the report; the label where absent.", "Pay of AI work"),
        "source": Entry(str, "A sentence on where the data come from, printed under figures and among the sources.",
                        "Survey of workers, 2024."),
        "estimator": Entry(str, "What estimates it.", ""),
        "path": Entry(str, "A file of data (csv, csv.gz, tsv, parquet, dta, sav, xlsx), or a pattern of several, from "
                           "the folder of the study.", "workers.csv"),
        "panel": Entry(str, "The section of workers, `[panels.NAME]`.", "workers"),
        "shipped": Entry(str, "Data that come with the package: `wagegap datasets` lists them.", "developer_pay"),
        "name": _NAMED, "rates": _RATES, "premiums": _PREMIUMS, "covariates": _COVARIATES, "of": _OF,
    },
    "panels": {
        "transitions": Entry(
            Annotated[bool | Mapping[str, Any], "true, or a table such as { horizon = 2 }"],
            "Add what each worker does next: `abroad_next`, `new_field_next`, `new_occupation_next`; a table gives the "
            "`horizon`.", True, False,
        ),
    },
    "premiums": {
        "premium": Entry(str, "The regressor whose coefficient, corrected for selection, is the premium.", "ai"),
    },
    "links": {
        "formula": Entry(
            Formula, "`event ~ premium + controls | effects`: the outcome is a term of the rates, `premium` what the "
            "premiums give, controls are columns of the covariates.",
            "net_migration ~ premium + log(gdp_per_head)",
        ),
        "workers": Entry(str, "The workers behind both stages, `[panels.NAME]`, for `split` and `bootstrap`.", "w"),
        "max_std_error": Entry(_Above0, "Leave out premiums whose standard error is this large or larger.", 0.35),
        "leave_out": Entry(
            Countries, "Countries without which the link is fitted once more, beside the whole.", ["Iran", "PHL"], []
        ),
        "without_cross_block": Entry(
            _Flag, "Fit it once more as if the errors of rates and premiums were independent.", True, False
        ),
        "sensitivity": Entry(_Flag, "Show what errors that are assumed would make of the slope.", True, False),
    },
    "exits": {
        "premiums": Entry(
            str, "Premiums, `[premiums.NAME]`, which the formula has by their cells as a column `premium`.", "ai"
        ),
    },
    "curves": {
        "premiums": Entry(_Texts, "Sections of premiums, `[premiums.NAME]`, each tried in turn.", ["ai", "stem"]),
    },
    "questions": {
        "ask": Entry(str, "What is asked.", "predict"),
        "name": Entry(str, "What the question is called; `ask` and the link where absent.", "korea"),
        "link": Entry(str, "The link that is asked, by its name.", "main"),
        "swap_in": Entry(str, "The other premiums, `[premiums.NAME]`, of `ask = \"swap\"`.", "published"),
        "data": Entry(str, "The section of controls, `[covariates.NAME]`, where traits are.", "income"),
        "workers": Entry(str, "The section of workers, `[panels.NAME]`, of `ask = \"one_step\"`.", "workers"),
        "country": Entry(Country, "The country asked about.", "South Korea"),
    },
    "figures": {"plot": Entry(str, "What is drawn.", "forest")},
    "caution": {
        "flows": Entry(str, "Shipped yearly rates.", "talent_migration_by_year:ai"),
        "year": Entry(Count, "The year of the headline.", 2019),
        "without": Entry(Country, "The country that is left out to see what rests on it.", "South Korea"),
    },
})  # fmt: skip
"""Entries of sections, those of any kind under an empty name."""


def entry_of(kind: str, name: str) -> Entry | None:
    """Return what is known of an entry of a kind of section that is no argument; None where it is one.

    >>> entry_of("links", "leave_out").default
    []
    """
    return OF_SECTIONS.get(kind, {}).get(name) or OF_SECTIONS[""].get(name)


def own_flaw(entry: Entry, name: str, value: object) -> str:
    """Say why a value is not what an entry holds, in the words of a study; an empty string where it is.

    >>> own_flaw(OF_THE_STUDY["title"], "title", 3)
    'title = 3 must be text.'
    """
    flaw = flaw_in(entry.takes, name, value)
    kind = f", not {type(value).__name__}."
    return flaw.replace(f"{name}=", f"{name} = ", 1).removesuffix(kind) + ("." if flaw.endswith(kind) else "")
