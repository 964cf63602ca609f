"""The report for programs: its answer, and every number with its keys and unit, as JSON."""

from __future__ import annotations

import json
from typing import Any

from wagegap._display.spec import plain
from wagegap.report.findings import Report

__all__ = ["summary_of"]


def summary_of(report: Report) -> str:
    """Return the report's answers and numbers as JSON: nothing that is missing is a number."""
    headline = report.headline
    content: dict[str, Any] = {"title": report.title, "question": report.question, **report.about}
    if headline is not None:
        facts = [{"number": fact.number, "what": fact.what} for fact in headline.facts]
        content["answer"] = {
            "verdict": headline.verdict, "answer": headline.answer, "reason": headline.reason,
            "section": headline.section, "facts": facts,
        }  # fmt: skip
    content["sections"] = [
        {
            "name": section.name, "kind": section.kind, "title": section.title, "lead": section.lead,
            "findings": [{"about": one.about, "kind": one.kind, "text": one.text} for one in section.findings],
            "methods": list(section.methods), "source": section.source,
            "numbers": [] if section.frame is None else json.loads(section.frame.to_json(orient="records")),
        }
        for section in report.sections
    ]  # fmt: skip
    return json.dumps(_plain(content), indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def _plain(content: Any) -> Any:
    """The same without characters that cannot be seen or written."""
    if isinstance(content, str):
        return plain(content)
    if isinstance(content, dict):
        return {plain(name): _plain(value) for name, value in content.items()}
    return [_plain(value) for value in content] if isinstance(content, list) else content
