"""Questions of a study, asked of a link, or of a design before data are bought: answers in words and a figure."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

from wagegap._display.spec import plain
from wagegap.errors import ReliabilityError
from wagegap.panel.countries import country_code, country_name
from wagegap.regression.link.fitted import Answer
from wagegap.report.findings import Finding, Part, Section
from wagegap.report.kinds import COMMON, KINDS, estimator_of
from wagegap.report.sections.absences import missing_from, why_missing
from wagegap.report.sections.context import Context, call
from wagegap.report.sections.names import file_name
from wagegap.report.sections.pictures import picture_of
from wagegap.report.study_file import countries, without
from wagegap.report.table import table

__all__ = ["question_part"]

_TITLES = {
    "predict": "What if the premium of {country} were another?",
    "outlier": "Is {country} an exception?",
    "few_countries": "Can so few countries tell?",
    "moderate": "Does the slope differ with {trait}?",
    "swap": "Does another source of premiums say the same?",
    "one_step": "Do single workers say the same?",
    "pool": "What are premiums, seen together?",
    "disagreement": "Why do two methods disagree?",
    "sensitivity": "What if the premiums had other errors?",
    "power": "How many countries and workers would it take?",
}
"""Headings of questions that the file gives none."""
_SWAP_IN = "swap_in"
"""The entry by which a swap names the other premiums, which its function takes by place."""


def question_part(entries: Mapping[str, Any], context: Context) -> Part:
    """Ask what the file asks."""
    ask = entries["ask"]
    name = entries.get("name") or "_".join([ask, *([entries["link"]] if "link" in entries else [])])
    where = f"[[questions]] {name!r}"
    title = plain(entries.get("title", "")) or plain(entries.get("label", "")) or _title(ask, entries)
    key = f"question_{file_name(name)}"
    refusal = _no_answer(entries, context)
    if refusal is not None:
        finding = Finding(title, *refusal)
        return Part(Section(key, "questions", title, lead=finding.text, findings=(finding,), methods=(ask,)))
    try:
        answer = call(where, estimator_of("questions", entries, where), *_asked(entries, context, where),
                      **_arguments(entries, context, where))  # fmt: skip
    except ReliabilityError as error:
        finding = Finding(title, f"No answer is given: {error.finding}", "refused")
        return Part(Section(key, "questions", title, lead=finding.text, findings=(finding,), methods=(ask,)))
    return _answered(key, title, answer, ask)


def _no_answer(entries: Mapping[str, Any], context: Context) -> tuple[str, str] | None:
    """Why a question has no answer, and of which kind this is: its link is refused, its country is not in it."""
    name = entries.get("link", "")
    if name in context.refused:
        return f"No answer is given, as the link is refused: {context.refused[name]}", "refused"
    link = context.results.get("links", {}).get(name)
    if link is None or not isinstance(entries.get("country"), str):
        return None
    missing = missing_from(link, countries("country", [entries["country"]]))
    if not missing:
        return None
    return f"{country_name(missing[0])} is not in the link: {why_missing(missing[0], name, context)}.", "absent"


def _title(ask: str, entries: Mapping[str, Any]) -> str:
    """What a question is called where the file does not say."""
    country = entries.get("country", "")
    code = country_code(country) if isinstance(country, str) else None
    return _TITLES[ask].format(country=country if code is None else country_name(code), trait=entries.get("trait", ""))


def _asked(entries: Mapping[str, Any], context: Context, where: str) -> list[Any]:
    """What the question is asked of: a link, and workers or the other premiums where these are its matter."""
    asked = [context.result("links", entries["link"], where)] if "link" in entries else []
    if "workers" in entries and entries["ask"] == "one_step":
        asked.append(context.result("panels", entries["workers"], where))
    if _SWAP_IN in entries:
        asked.append(context.result("premiums", entries[_SWAP_IN], where))
    return asked


def _arguments(entries: Mapping[str, Any], context: Context, where: str) -> dict[str, Any]:
    """Entries as arguments: what names another section is what that gave."""
    named = {"workers", _SWAP_IN} if entries["ask"] in ("one_step", "swap") else set()
    options = without(entries, "ask", "link", "name", *COMMON, *named)
    if isinstance(options.get("data"), str):
        options["data"] = context.result(KINDS["questions"].refers["data"], options["data"], where)
    if "rng" in inspect.signature(estimator_of("questions", entries, where)).parameters:
        options.setdefault("rng", context.seed)
    return options


def _answered(key: str, title: str, answer: Any, ask: str) -> Part:
    said = answer.in_words() if isinstance(answer, Answer) else str(answer)
    pictures = {key: picture_of(answer.plot(), title)} if isinstance(answer, Answer) else {}
    frame = answer.tidy() if hasattr(answer, "tidy") else None
    tables = {key: table(frame, title=title, layout="long")} if frame is not None and "estimate" in frame else {}
    section = Section(
        key, "questions", title, lead=said, findings=(Finding(title, said),), figures=tuple(pictures),
        tables=tuple(tables), frame=frame, methods=(ask,),
    )  # fmt: skip
    return Part.drawn(section, pictures, tables=tables, result=answer)
