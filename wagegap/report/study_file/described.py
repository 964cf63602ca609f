"""What arguments are for, in the words of their estimators' documentation."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from typing import Any

from wagegap.report.kinds import KINDS

__all__ = ["about_arguments", "first_sentence"]

_HEADING = re.compile(r"^(?P<names>\w[\w, ]*?)(?: : .*)?$")
_SECTION = re.compile(r"^Parameters\n-+\n(?P<text>.*?)(?=^\w[\w ]*\n-+\n|\Z)", re.MULTILINE | re.DOTALL)
_AS_IN = re.compile(r"^(?:As|[^.]*, as) in `(?P<name>\w+)`(?:[.:;,]\s*(?P<more>.*))?$")


@cache
def about_arguments(function: Callable[..., Any]) -> Mapping[str, str]:
    """Return what each argument of a function is for; empty where the program runs without its documentation.

    What is said to be as in another estimator is said as there.

    >>> from wagegap.regression.premiums.premium import fit_premiums
    >>> from wagegap.regression.rates.mobility import fit_rates
    >>> about_arguments(fit_rates)["by"]
    "Cell keys; the panel's country where absent."
    >>> about_arguments(fit_rates)["weights"] == about_arguments(fit_premiums)["weights"]
    True
    """
    section = _SECTION.search(inspect.getdoc(function) or "")
    said: dict[str, str] = {}
    for names, lines in _blocks(section["text"].splitlines() if section else []):
        said |= dict.fromkeys(names, " ".join(" ".join(lines).split()))
    return {name: _followed(name, text) for name, text in said.items()}


def first_sentence(text: str) -> str:
    """Return the first sentence of a text.

    >>> first_sentence("Cell keys, i.e. columns. All where absent.")
    'Cell keys, i.e. columns.'
    """
    found = re.match(r".*?[^.][.](?=\s+[A-Z`\"{])", text)
    return found[0] if found else text


def _blocks(lines: Iterable[str]) -> Iterable[tuple[list[str], list[str]]]:
    """Names that a block of documentation is about, and its lines."""
    names: list[str] = []
    inside: list[str] = []
    for line in lines:
        heading = _HEADING.match(line) if line and not line[0].isspace() else None
        if heading:
            if names:
                yield names, inside
            names, inside = [name.strip() for name in heading["names"].split(",")], []
        else:
            inside.append(line.strip())
    if names:
        yield names, inside


def _followed(name: str, text: str) -> str:
    """A text, or what it refers to, with what it adds."""
    other = _AS_IN.match(text)
    known = {one: estimator for kind in KINDS.values() for one, estimator in kind.estimators.items()}
    if other is None or other["name"] not in known:
        return text
    there = about_arguments(known[other["name"]]).get(name, "")
    more = other["more"] or ""
    return " ".join(part for part in (there, more[:1].upper() + more[1:]) if part) or text
