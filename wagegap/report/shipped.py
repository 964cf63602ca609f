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

__all__ = ["SHIPPED", "check_shipped", "load_shipped", "shipped_hash"]

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


def check_shipped(where: str, spec: str) -> None:
    """Raise `StudyError` where a study asks for something that is not shipped, such as 'talent_migration:law'."""
    kind, _, argument = spec.partition(":")
    check_known([kind], SHIPPED, lambda name, hint: StudyError(f"{where}: nothing shipped is called {name!r}.{hint}"))
    takes = list(inspect.signature(SHIPPED[kind][0]).parameters.values())
    if argument and not takes:
        raise StudyError(f"{where}: shipped = {spec!r} says too much; write shipped = {kind!r}.")
    if not argument and takes and takes[0].default is inspect.Parameter.empty:
        raise StudyError(f"{where}: shipped = {spec!r} must say which {takes[0].name}: '{kind}:NAME'.")


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
