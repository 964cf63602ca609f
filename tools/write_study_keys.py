"""Write docs/study_keys.md, the page of every key of a study, from the table of kinds and what is said of arguments.

Usage: python tools/write_study_keys.py

The examples are the sections of tools/study_examples.toml, which the tests carry out.
"""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

from wagegap.report.kinds import CAUTION, COMMON, KINDS, PUBLISHED
from wagegap.report.study_file.arguments import entries_of
from wagegap.report.study_file.described import first_sentence
from wagegap.report.study_file.entries import OF_THE_STUDY
from wagegap.report.study_file.json_schema import entry_schema, own_entries, schema
from wagegap.report.study_file.lines import lines_of

ROOT = Path(__file__).resolve().parents[1]
PAGE, EXAMPLES = ROOT / "docs" / "study_keys.md", ROOT / "tools" / "study_examples.toml"
WORDS = {
    "string": "text", "number": "number", "integer": "whole number", "boolean": "true or false", "array": "list",
    "object": "table",
}  # fmt: skip

HEAD = """\
# Every key of a study

A study is a text file in [TOML](https://toml.io): entries `key = value` above all sections, then sections, each under
its heading. `wagegap init DATA` writes a first one, `wagegap check STUDY.toml` says everything that is wrong with it,
line by line, `wagegap run STUDY.toml` carries it out, and `wagegap schema` prints the schema by which an editor
completes keys and explains them. What becomes of a study is on the page of [the report](report.md).

Any entry of a section that is not its own is an argument of its estimator, with the name, the values and the default
that it has in Python. Columns are named as the file names them. Formulas and conditions are texts, read by a
[closed grammar](formulas.md). Countries are given by English name or ISO code. Paths start from the folder of the
study. In the tables *needed* stands where a key has no default and cannot be left out; a dash where there is none and
it can.

This page is written by `tools/write_study_keys.py` from the table by which studies are checked; every example on it is
a section of one study that the tests carry out.
"""


def main():
    """Write the page."""
    PAGE.write_text(page(), encoding="utf-8")


def page():
    """The page, from the first line to the last."""
    text = EXAMPLES.read_text(encoding="utf-8")
    parts = [HEAD, contents(), "## Above all sections\n", block(cut(text, ("version",), whole=True))]
    parts.append(table([(name, _own(name)) for name in OF_THE_STUDY], ()))
    parts += ["## In every section\n", table([(name, entry_schema(KINDS["links"], name, None)) for name in COMMON], ())]
    parts += [section(kind, text) for kind in (*KINDS.values(), CAUTION)]
    return "\n".join(parts)


def _own(name):
    return schema()["properties"][name]


def heading(kind):
    """How a section of a kind is headed."""
    return "[caution]" if kind is CAUTION else f"[[{kind.name}]]" if kind.listed else f"[{kind.name}.NAME]"


def contents():
    """A line for each kind of section."""
    rows = [
        f"| [`{heading(kind)}`](#{anchor(kind)}) | {kind.about} | {listed(kind)} |"
        for kind in (*KINDS.values(), CAUTION)
    ]
    return "\n".join(["| section | what for | estimators |", "| --- | --- | --- |", *rows, ""])


def anchor(kind):
    """What a heading is linked by."""
    return heading(kind).strip("[]").lower().replace(".", "")


def listed(kind):
    """The estimators of a kind, in a line."""
    if kind is CAUTION or len(kind.estimators) == 1:
        return ""
    return ", ".join(f"`{name}`" for name in kind.estimators)


def section(kind, text):
    """What the page says of a kind of section."""
    parts = [f"## `{heading(kind)}`\n", f"{kind.about}\n", block(example_of(kind, next(iter(kind.estimators)), text))]
    own = [name for name in own_entries(kind) if name not in COMMON]
    if own:
        needed = [name for name in kind.needs if name in own]
        parts.append(table([(name, entry_schema(kind, name, None)) for name in own], needed))
    if kind is CAUTION:
        return "\n".join(parts)
    for number, (name, estimator) in enumerate(kind.estimators.items()):
        parts += estimator_parts(kind, name, estimator, text, number)
    if "shipped" in kind.places and "panel" in kind.places:
        parts += ["### Published figures of a file (`path`)\n", block(published_of(kind, text))]
        parts.append(table(arguments(kind, PUBLISHED), ()))
    return "\n".join(part for part in parts if part)


def estimator_parts(kind, name, estimator, text, number):
    """What the page says of an estimator of a kind."""
    rows = [(entry, one) for entry, one in arguments(kind, estimator) if entry not in own_entries(kind)]
    rows += [(entry, entry_schema(kind, entry, None)) for entry in kind.besides.get(name, ())]
    if not rows and len(kind.estimators) == 1:
        return []
    needed = [entry for entry, one in entries_of(kind, estimator).items() if one.default is one.empty]
    said = f'`{kind.chosen_by} = "{name}"`'
    title = said if len(kind.estimators) > 1 else f"Arguments of `{name}`"
    default = ", the default" if number == 0 and len(kind.estimators) > 1 and kind.chosen_by not in kind.needs else ""
    first = first_paragraph(estimator)
    example = block(example_of(kind, name, text)) if number else ""
    return [f"### {title}{default}\n", f"{first}\n", example, table(rows, (*needed, *kind.besides.get(name, ())))]


def arguments(kind, estimator):
    """Entries that are arguments of an estimator, with their schemas, and an example where one uses them."""
    used = values_used(kind)
    made = {name: entry_schema(kind, name, estimator) for name in entries_of(kind, estimator)}
    return [(name, {**({"examples": [used[name]]} if name in used else {}), **one}) for name, one in made.items()]


def values_used(kind):
    """The first value of each entry in the examples of a kind."""
    content = tomllib.loads(EXAMPLES.read_text(encoding="utf-8"))[kind.name]
    sections = content if isinstance(content, list) else content.values()
    return {name: value for entries in reversed(list(sections)) for name, value in entries.items()}


def first_paragraph(function):
    """What a function does, in its documentation's first line."""
    return " ".join((function.__doc__ or "").strip().split("\n\n")[0].split())


# examples ------------------------------------------------------------------------------------------------------------


def example_of(kind, estimator, text):
    """The section of the examples that is of an estimator, as it is written there."""
    content = tomllib.loads(text)[kind.name]
    if kind is CAUTION:
        return cut(text, (kind.name,))
    sections = list(enumerate(content)) if kind.listed else list(content.items())
    first = next(iter(kind.estimators))
    for key, entries in sections:
        chosen = entries.get(kind.chosen_by, None if is_published(entries) else first)
        if chosen == estimator:
            return cut(text, (kind.name, key))
    raise LookupError(f"tools/study_examples.toml has no section of {kind.name} with {estimator}.")


def published_of(kind, text):
    """The section of the examples that takes published figures from a file."""
    content = tomllib.loads(text)[kind.name]
    return cut(text, (kind.name, next(key for key, entries in content.items() if is_published(entries))))


def is_published(entries):
    """Whether a section takes published figures from a file."""
    return "estimate" in entries


def cut(text, address, *, whole=False):
    """The lines of a section, from its heading to the next; of what stands above all sections, all of it."""
    lines = text.splitlines()
    start = lines_of(text)[address] - 1
    ends = [i for i in range(start + 1, len(lines)) if lines[i].startswith("[")]
    return "\n".join(lines[start : ends[0] if ends else len(lines)]).rstrip()


def block(toml):
    """A block of TOML."""
    return f"```toml\n{toml}\n```\n"


# tables --------------------------------------------------------------------------------------------------------------


def table(rows, needed):
    """A table of keys."""
    if not rows:
        return ""
    lines = ["| key | what | type | default | values |", "| --- | --- | --- | --- | --- |"]
    for name, made in rows:
        about = cell(first_sentence(made.get("description", "")))
        default = "needed" if name in needed else f"`{toml_of(made['default'])}`" if "default" in made else "-"
        lines.append(f"| `{name}` | {about} | {kind_of(made)} | {cell(default)} | {cell(values(made))} |")
    return "\n".join([*lines, ""])


def cell(text):
    """A text that can stand in a cell of a table."""
    return " ".join(text.split()).replace("|", "\\|")


def kind_of(made):
    """What a value is, in words."""
    if "anyOf" in made:
        words = [kind_of(one) for one in made["anyOf"]]
        return " or ".join(dict.fromkeys(word for word in words if word)) or "any"
    if "enum" in made:
        return " or ".join(dict.fromkeys("true or false" if isinstance(one, bool) else "text" for one in made["enum"]))
    if made.get("type") == "array":
        inside = kind_of(made.get("items", {})) if "items" in made else ""
        return f"list of {plural(inside)}" if inside not in ("", "any") else "list"
    if "format" in made:
        return made["format"]
    types = made.get("type")
    return " or ".join(WORDS[one] for one in types) if isinstance(types, list) else WORDS.get(types, "any")


def plural(words):
    """Kinds of values, several of each."""
    several = {
        "text": "texts", "column": "columns", "formula": "formulas", "condition": "conditions", "country": "countries",
        "number": "numbers", "whole number": "whole numbers", "list": "lists",
    }  # fmt: skip
    return " or ".join(several.get(word, word) for word in words.split(" or "))


def values(made):
    """Values that are allowed, or an example of one."""
    known = [one for part in (made, *made.get("anyOf", ())) for one in part.get("enum", ())]
    if known:
        return ", ".join(f"`{toml_of(one)}`" for one in known)
    limits = [limit(part) for part in (made, *made.get("anyOf", ()))]
    said = next((one for one in limits if one), "")
    examples = [f"`{toml_of(one)}`" for one in made.get("examples", ()) if one != ""][:4]
    return "; ".join(part for part in (said, f"such as {', '.join(examples)}" if examples else "") if part)


def limit(made):
    """Between which numbers a value lies."""
    low, high = made.get("exclusiveMinimum"), made.get("exclusiveMaximum")
    if low is not None and high is not None:
        return f"between {low} and {high}"
    return f"above {low}" if low is not None else f"at least {made['minimum']}" if "minimum" in made else ""


def toml_of(value):
    """A value as a study writes it."""
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{key} = {toml_of(one)}" for key, one in value.items()) + " }"
    if isinstance(value, list):
        return "[" + ", ".join(map(toml_of, value)) + "]"
    return json.dumps(value, ensure_ascii=False)


if __name__ == "__main__":
    main()
