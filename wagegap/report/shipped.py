"""What a study may name as shipped: premiums, rates and tables of this package, and the file that each is read from."""

from __future__ import annotations

import functools
import hashlib
import inspect
from collections.abc import Callable, Mapping
from importlib.resources import files
from types import MappingProxyType
from typing import Any

from wagegap import datasets
from wagegap.errors import StudyError, WagegapError, check_known
from wagegap.estimation.estimates import Estimates

__all__ = ["SHIPPED", "check_shipped", "load_shipped", "shipped_hash", "source_of"]

_stem = functools.cache(datasets.stem_graduates)
"""One object for premiums and rates, so that their covariance is kept."""


def _stem_graduates(term: str = "") -> Estimates:
    return _stem().select(term=term) if term else _stem()


SHIPPED: Mapping[str, tuple[Callable[..., Any], str]] = MappingProxyType(
    {
        "developer_pay": (datasets.developer_pay, "developer_pay.npz"),
        "country_premiums": (datasets.country_premiums, "country_premiums.csv"),
        "published_premiums": (datasets.published_premiums, "facts.csv"),
        "stem_graduates": (_stem_graduates, "stem_graduates.csv"),
        "talent_migration": (datasets.talent_migration, "talent_migration.csv"),
        "talent_migration_by_year": (datasets.talent_migration_by_year, "talent_migration_by_year.csv"),
        "income": (datasets.income, "income.csv"),
    }
)
"""Loader and table of each, by name."""

_PIAAC = "OECD, Survey of Adult Skills (PIAAC), cycle 1, public use files; estimated by this package"
_LINKEDIN = "World Bank and LinkedIn, Digital Data for Development (CC BY 3.0)"
_SOURCES: Mapping[str, str] = MappingProxyType(
    {
        "developer_pay": (
            "Stack Overflow, Annual Developer Survey 2015-17, 2019, 2024 and 2025 (Open Database Licence); sums over "
            "at least a hundred respondents"
        ),
        "country_premiums:stack_overflow": "Stack Overflow, Annual Developer Survey; estimated by this package",
        "country_premiums:kaggle": (
            "Kaggle, Machine Learning and Data Science Survey 2019-22; estimated by this package"
        ),
        "country_premiums:piaac": _PIAAC,
        "published_premiums": "Bank of Korea, BOK Issue Note of 5 December 2025",
        "stem_graduates": _PIAAC,
        "talent_migration": _LINKEDIN,
        "talent_migration_by_year": _LINKEDIN,
        "income": (
            "World Bank, GDP per head at purchasing power parity, 2017 dollars, mean 2015-19, by way of Our World in "
            "Data (CC BY 4.0)"
        ),
    }
)
"""Where what is shipped comes from, as tables/NOTICE.md has it; by name, or by argument where sources differ."""


def check_shipped(where: str, spec: str) -> None:
    """Raise `StudyError` where a study asks for something that is not shipped, such as 'talent_migration:law'."""
    kind, _, argument = spec.partition(":")
    check_known([kind], SHIPPED, lambda name, hint: StudyError(f"{where}: nothing shipped is called {name!r}.{hint}"))
    takes = list(inspect.signature(SHIPPED[kind][0]).parameters.values())
    if argument and not takes:
        raise StudyError(f"{where}: shipped = {spec!r} says too much; write shipped = {kind!r}.")
    if not argument and takes and takes[0].default is inspect.Parameter.empty:
        raise StudyError(f"{where}: shipped = {spec!r} must say which {takes[0].name}: '{kind}:NAME'.")


def source_of(spec: str) -> str:
    """Say where something shipped comes from.

    >>> source_of("talent_migration:ai")
    'World Bank and LinkedIn, Digital Data for Development (CC BY 3.0)'
    """
    return _SOURCES[spec] if spec in _SOURCES else _SOURCES[spec.partition(":")[0]]


def load_shipped(where: str, spec: str) -> Any:
    """Load what a study asks for; errors name the section."""
    check_shipped(where, spec)
    kind, _, argument = spec.partition(":")
    try:
        return SHIPPED[kind][0](*([argument] if argument else []))
    except WagegapError as error:
        raise type(error)(f"{where}: {error}") from error


def shipped_hash(spec: str) -> dict[str, str]:
    """Return the SHA-256 of the table that something shipped is read from, by its name.

    >>> list(shipped_hash("stem_graduates:premium"))
    ['stem_graduates.csv']
    """
    table = SHIPPED[spec.partition(":")[0]][1]
    content = files("wagegap.datasets").joinpath("tables", table).read_bytes()
    return {table: hashlib.sha256(content).hexdigest()}
