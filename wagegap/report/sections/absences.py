"""Why a country is not in a link: it has no premium, no rate, or was left out."""

from __future__ import annotations

from wagegap.panel.countries import country_name, hold_countries
from wagegap.regression.link.result import Link
from wagegap.regression.premiums.premium import Premiums
from wagegap.report.sections.context import Context, estimates_in
from wagegap.report.sections.frames import country_key_of

__all__ = ["missing_from", "why_missing"]


def missing_from(link: Link, codes: list[str]) -> list[str]:
    """Return those of some countries that a link of countries does not hold."""
    keys = link.cells.keys
    key = next((key for key in keys.columns if hold_countries(keys[[key]])), None)
    return [] if key is None else [iso3 for iso3 in codes if iso3 not in set(keys[key])]


def why_missing(iso3: str, name: str, context: Context) -> str:
    """Say why a country is not in the link of that name."""
    entries = context.entries("links", name)
    for kind, word in (("premiums", "premium"), ("rates", "rate")):
        result = context.results.get(kind, {}).get(entries.get(kind, ""))
        if result is None:
            continue
        estimates = estimates_in(result)
        key = country_key_of(estimates)
        absent = result.absent if isinstance(result, Premiums) else None
        if absent is not None and key in absent and (absent[key] == iso3).any():
            row = absent[absent[key] == iso3].iloc[0]
            return f"{row['n_treated']} of its {row['n']} rows hold the skill, too few for a premium"
        if key is None or iso3 not in set(estimates.labels[key]):
            return f"{country_name(iso3)} has no {word} here"
    return "it was left out"
