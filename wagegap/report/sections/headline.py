"""The first screen of a report: the question's answer in one sentence, why it is no better, and numbers to remember.

Everything is computed from results and said in the user's labels, so that another study has another first screen.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from wagegap._display.sentences import Scale, say
from wagegap.errors import StudyError, check_known, listing
from wagegap.estimation.units import level_of
from wagegap.panel.countries import country_name
from wagegap.regression.link.paragraph import slope_scale_of
from wagegap.regression.link.result import Link
from wagegap.regression.link.verdict import OneEstimate
from wagegap.regression.premiums.premium import Premiums
from wagegap.report.findings import Fact, Headline, Part, Section
from wagegap.report.sections.absences import missing_from, why_missing
from wagegap.report.sections.context import Context, estimates_in, label_of
from wagegap.report.sections.frames import country_key_of

__all__ = ["headline_of"]

_ORDER = ("links", "gaps", "exits", "flows", "models", "systems", "curves", "questions", "premiums", "rates")
"""Kinds of sections by how well they answer a question, where the file names none."""
_LOGS = {"log": 1.0, "log points": 0.01}
"""Units of premiums that have a per cent, and what makes them logs."""


def headline_of(parts: Sequence[Part], context: Context) -> Headline | None:
    """Return the first screen, from the section that `answer` names or the first that can answer."""
    part = _chosen(parts, context)
    if part is None:
        return None
    section = part.section
    name = section.name.removeprefix("link_")
    figure = section.figures[0] if section.figures else ""
    facts = tuple(_facts(part, name, context))[:3]
    if section.kind != "links":
        verdict = "Refused" if any(finding.kind == "refused" for finding in section.findings) else "Estimated"
        return Headline(verdict, section.lead, " ".join(section.notes[:1]), section.name, figure, "", facts)
    link = part.links[name]
    refused = next((finding for finding in section.findings if finding.kind == "refused"), None)
    verdict, answer = ("Not answered", _refused(link)) if refused is not None else _answer(link)
    sentences = (*_reasons(link), _without(parts, section), *_others(parts, section))
    reason = " ".join(sentence for sentence in sentences if sentence)
    return Headline(verdict, answer, reason, section.name, figure, _not_drawn(link, name, context), facts)


def _chosen(parts: Sequence[Part], context: Context) -> Part | None:
    """The part that answers the question."""
    there = [part for part in parts if part.section.kind in _ORDER and part.section.name]
    there.sort(key=lambda part: _ORDER.index(part.section.kind))  # a link comes before the rates of its name
    wanted = context.read.content.get("answer")
    if wanted is not None:
        known = {part.section.name.partition("_")[2]: part for part in reversed(there)}
        check_known([wanted], known, lambda name, hint: StudyError(f"answer = {name!r} names no section.{hint}"))
        return known[str(wanted)]
    return next(iter(there), None)


# the answer ----------------------------------------------------------------------------------------------------------


def _answer(link: Link) -> tuple[str, str]:
    """Verdict and sentence of a link that is given."""
    if not link.cells.premiums:
        return "Estimated", " ".join(link.always_printed()[:1])
    low, high = link.slope_interval()
    scale, outcome = slope_scale_of(link), link.cells.outcome_in_words
    given: dict[str, Any] = {"step": _capital(scale.step), "goes": scale.goes, "outcome": outcome}
    if not link.settled and not np.isfinite([low, high]).all():
        return "Not settled", say(
            "These data do not say. {step} more premium could {go} with any change of {outcome}.",
            go="go", **given,
        )  # fmt: skip
    if not link.settled:
        return "Not settled", say(
            f"These data do not say. {{step}} more premium {{goes}} with anything from {_way(low)} {{low}} to "
            f"{_way(high)} {{high}} in {{outcome}}.", low=scale.size(abs(low)), high=scale.level(abs(high)), **given,
        )  # fmt: skip
    slope = {"slope": scale.level(abs(link.slope)), "interval": scale.interval(low, high)}
    if not np.isfinite([low, high]).all():
        text = f"{{step}} more premium {{goes}} with {_way(link.slope)} {{slope}} in {{outcome}}; its error is unknown."
        return "Estimated", say(text, slope=slope["slope"], **given)
    if low <= 0 <= high:
        return "No clear association", say(
            f"These data show no clear association: {{small}} more premium {{goes}} with {_way(link.slope)} {{slope}} "
            "in {outcome} (95 % interval {interval}).", small=scale.step, **slope, **given,
        )  # fmt: skip
    return "An association", say(
        f"{{step}} more premium {{goes}} with {_way(link.slope)} {{slope}} in {{outcome}} "
        "(95 % interval {interval}).",
        **slope, **given,
    )  # fmt: skip


def _refused(link: Link) -> str:
    """What a link says that rests on premiums which are mostly noise."""
    share = _in_ten(link.reliability if link.reliability is not None else 0.0)
    return f"These data cannot say. Sampling noise makes up {share} of the spread of premiums, too much to correct for."


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _way(value: float) -> str:
    """Which way a change goes."""
    return "a fall of" if value < 0 else "a rise of"


# why -----------------------------------------------------------------------------------------------------------------


def _reasons(link: Link) -> list[str]:
    """On what an answer rests, in a policy reader's words."""
    cells = f"It rests on {link.cells.counted()}."
    if not link.cells.premiums:
        return [cells]
    verdict, scale, lines = link.verdict, slope_scale_of(link), list[str]()
    if verdict is not None and verdict.moments is not None and verdict.likelihood is not None:
        lines.append(_both(verdict.moments, verdict.likelihood, scale))
    elif link.reliability is None:
        lines.append("Errors of the premiums were not published: no interval holds them.")
    else:
        lines.append(f"Sampling noise makes up {_in_ten(link.reliability)} of the spread of premiums.")
    lines += [cells, _without_one(link, scale) if link.settled else ""]
    factor, of_pay = _LOGS.get(link.cells.units[1]), scale.step
    if factor is not None and of_pay.startswith("10 "):
        lines.append(f"({_capital(of_pay)} of premium are about {100 * np.expm1(0.1):.0f} % more pay.)")
    return lines


def _both(moments: OneEstimate, likelihood: OneEstimate, scale: Scale) -> str:
    """Say what two defensible methods find, and how much noise each leaves."""
    inside = [low <= other.slope <= high for (low, high), other in
              ((moments.interval, likelihood), (likelihood.interval, moments))]  # fmt: skip
    opening = "Two defensible methods agree" if all(inside) else "Two defensible methods disagree"
    slopes = say(
        f"{opening}: for the same step one finds {{one}}, the other {{other}}.",
        one=scale.slope(moments.slope).bare_copy(), other=scale.slope(likelihood.slope),
    )  # fmt: skip
    noise = [_in_ten(fit.reliability) for fit in (moments, likelihood)]
    alike = noise[0] == noise[1]
    said = f"{noise[0]} by either" if alike else f"{noise[0]} by one and {noise[1]} by the other"
    return f"{slopes} Of the spread of premiums sampling noise makes up {said}."


def _in_ten(reliability: float) -> str:
    """How much of the spread of premiums is noise.

    >>> _in_ten(0.62), _in_ten(0.98), _in_ten(-0.3)
    ('4 in 10', 'less than 1 in 10', 'all')
    """
    noise = 1.0 - reliability
    if noise >= 0.95:
        return "all" if noise >= 1 else "nearly all"
    return "less than 1 in 10" if noise < 0.05 else f"{max(round(10 * noise), 1)} in 10"


def _without_one(link: Link, scale: Scale) -> str:
    """Say between what the slope stays without any one cell."""
    slopes = link.leave_one_out["slope"].dropna()
    if len(slopes) < 2:
        return ""
    return say(
        "Without any one of them it lies between {low} and {high} for the same step.",
        low=scale.slope(slopes.min()).bare_copy(), high=scale.slope(slopes.max()),
    )  # fmt: skip


def _without(parts: Sequence[Part], section: Section) -> str:
    """What becomes of the slope without the countries that the file leaves out beside it."""
    part = next((part for part in parts if part.section.name == f"{section.name}_without"), None)
    if part is None:
        return ""
    names, link = part.section.title.rpartition(", without ")[2], next(iter(part.links.values()))
    refused = any(finding.kind == "refused" for finding in part.section.findings)
    low, high = link.slope_interval() if link.settled and not refused else (np.nan, np.nan)
    names = " and ".join(names.rsplit(", ", 1))
    if refused:
        return f"Without {names} premiums are too noisy for a corrected slope."
    if not link.settled:
        return f"Without {names} it is not settled either."
    scale = slope_scale_of(link)
    return say(
        "Without {names} it is {slope} for the same step (95 % interval {interval}).", names=names,
        slope=scale.slope(link.slope), interval=scale.interval(low, high),
    ) if np.isfinite([low, high]).all() else say(
        "Without {names} it is {slope} for the same step.", names=names, slope=scale.slope(link.slope)
    )  # fmt: skip


def _others(parts: Sequence[Part], section: Section) -> list[str]:
    """How the other links of the study ended."""
    ended: dict[str, int] = {"settled": 0, "not settled": 0, "refused": 0, "without known errors": 0}
    for part in parts:
        if part.section is section or not part.links:
            continue
        refused = any(finding.kind == "refused" for finding in part.section.findings)
        unknown = all(link.reliability is None for link in part.links.values())
        settled = "settled" if all(link.settled for link in part.links.values()) else "not settled"
        ended["refused" if refused else "without known errors" if unknown else settled] += 1
    counts = [f"{n} {'is' if n == 1 else 'are'} {how}" for how, n in ended.items() if n]
    total = sum(ended.values())
    return [f"Of the other {total} links of this study {listing(counts)}."] if total > 1 else []


def _not_drawn(link: Link, name: str, context: Context) -> str:
    """Which watched countries the picture lacks, and why."""
    missing = missing_from(link, context.watch)
    return " ".join(f"{country_name(iso3)} is not drawn: {why_missing(iso3, name, context)}." for iso3 in missing)


# numbers to remember -------------------------------------------------------------------------------------------------


def _facts(part: Part, name: str, context: Context) -> list[Fact]:
    """Premiums of the watched countries, published and estimated, and how much of the spread is noise."""
    entries = context.entries("links", name) if part.section.kind == "links" else {}
    used = entries.get("premiums", "")
    premiums = context.results.get("premiums", {})
    unknown = [one for one, result in premiums.items() if one != used and estimates_in(result).bse.isna().all()]
    facts = [_watched_fact(one, context) for one in (*unknown[:1], *([used] if used in premiums else []))]
    return [fact for fact in (*facts, _noise_fact(part)) if fact is not None]


def _watched_fact(name: str, context: Context) -> Fact | None:
    """Premiums of the countries watched, in per cent where they can be."""
    result = context.results["premiums"][name]
    label = label_of(context.entries("premiums", name), name)
    shown = result.per_cent() if isinstance(result, Premiums) and result.unit in _LOGS else result
    estimates = estimates_in(shown)
    key = country_key_of(estimates)
    codes = [] if key is None else [iso3 for iso3 in context.watch if iso3 in set(estimates.labels[key])]
    if not codes or key is None or len(estimates.by) != 1:
        return None
    rows = [int(np.flatnonzero(estimates.labels[key] == iso3)[0]) for iso3 in codes]
    scale = level_of(estimates.unit)
    number = say(" and ".join(f"{{v{i}}}" for i in rows), **{f"v{i}": scale.level(estimates.values[i]) for i in rows})
    ends = estimates.conf_int().to_numpy()[rows]
    said = "errors unknown" if np.isnan(ends).any() else "95 % interval " + " and ".join(
        say("{e}", e=scale.interval(low, high, levels=True)) for low, high in ends
    )  # fmt: skip
    lost = [country_name(iso3) for iso3 in context.watch if iso3 not in codes]
    more = f"; {listing(lost)} cannot be told" if lost else ""
    return Fact(
        number.replace(" per cent", " %"), f"{label}: {listing(country_name(iso3) for iso3 in codes)}, {said}{more}"
    )


def _noise_fact(part: Part) -> Fact | None:
    """How much of the spread of the premiums is noise."""
    link = next(iter(part.links.values()), None)
    if link is None or not link.cells.premiums:
        return None
    verdict = link.verdict
    if verdict is not None and verdict.moments is not None and verdict.likelihood is not None:
        shares = list(dict.fromkeys(_in_ten(fit.reliability) for fit in (verdict.moments, verdict.likelihood)))
        tail = ": two defensible methods differ" if len(shares) > 1 else ""
        return Fact(", or ".join(shares), f"of the spread of premiums may be sampling noise{tail}")
    if link.reliability is None:
        return None
    return Fact(_in_ten(link.reliability), "of the spread of premiums is sampling noise")
