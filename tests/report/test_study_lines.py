"""The line of every key of a study file is the one it is written in, whatever way of TOML it is written."""

from __future__ import annotations

import tomllib
from importlib.resources import files

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wagegap.report.study_file.lines import line_of, lines_of

MIXED = '''\
# [not.a.section]
title = "a # b"  # seed = 3
question = """
seed = 9
[premiums.fake]
quoted \\""" still
"""
other = \'\'\'
[[links]]
name = 1\'\'\'\'
"odd \\"key" = 'C:\\'
when = [1979-05-27 07:32:00, 1979-05-27, 07:32:00]

[panels.w]
path = "w.csv"
units.rate = "share"
units . "other rate" = "share"
transitions = { horizon = 2, deep = { a = [{ b = 1 }, { c = "}" }] } }

[premiums . 'main']
by = [
    "iso3",   # a comment, with ] and "
    "field",
]

[[links]]
name = "a"

[links.labels]
x = "y"

[[links]]
name = "b"
[[links.inside]]
k = 1
[links.inside.under]
k = 2
'''


def keys_of(value, address=()):
    """What leads to every key and item of content."""
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in inside:
        yield (*address, key)
        yield from keys_of(item, (*address, key))


def test_every_way_to_write_a_key():
    lines, text = lines_of(MIXED), MIXED.splitlines()
    assert set(lines) == set(keys_of(tomllib.loads(MIXED)))
    at = {address: text[line - 1] for address, line in lines.items()}
    assert at["title",] == 'title = "a # b"  # seed = 3'
    assert at['odd "key',] == '"odd \\"key" = \'C:\\\''
    assert at["panels", "w"] == "[panels.w]"
    assert at["panels", "w", "units", "other rate"] == 'units . "other rate" = "share"'
    assert at["premiums", "main", "by", 1] == '    "field",'
    assert at["panels", "w", "transitions", "deep", "a", 1, "c"].startswith("transitions")
    assert (at["links", 0], at["links", 0, "labels", "x"]) == ("[[links]]", 'x = "y"')
    assert lines["links", 1] > lines["links", 0, "labels", "x"]
    assert at["links", 1, "inside", 0, "under", "k"] == "k = 2"


def test_windows_ends_of_lines_count_as_one():
    assert lines_of('a = 1\r\n\r\nb = """\r\n"""\r\nc = 2\r\n') == {("a",): 1, ("b",): 3, ("c",): 5}


def test_what_is_not_there_is_placed_where_it_would_stand():
    lines = lines_of("[[links]]\nname = 'a'")
    assert line_of(lines, ("links", 0, "formula")) == 1
    assert line_of(lines, ("version",)) == 0


# any content, in any way of writing ----------------------------------------------------------------------------------

NAMES = st.one_of(
    st.sampled_from(["a", "b", "key", "a-b", "3", "_"]), st.text(alphabet="ab .#[]=\"'\\\n\u00e9\t", max_size=4)
)
PLAIN = st.one_of(
    st.integers(-99, 99), st.booleans(), st.text(alphabet="ab #=[]{},\"'\\\n\u00e9", max_size=8), st.floats(-1, 1)
)
VALUES = st.recursive(PLAIN, lambda inner: st.one_of(
    st.lists(inner, max_size=3), st.dictionaries(NAMES, inner, max_size=3)
), max_leaves=10)  # fmt: skip
CONTENT = st.dictionaries(NAMES, VALUES, max_size=5)


class Writer:
    """Writes content as TOML in ways that are drawn, and notes the line of each key."""

    def __init__(self, draw):
        self.draw, self.text, self.lines = draw, "", {}

    def choose(self, *ways):
        return self.draw(st.sampled_from(ways))

    def note(self, address):
        self.lines.setdefault(address, self.text.count("\n") + 1)

    def key(self, name):
        plain = name != "" and all(char.isascii() and (char.isalnum() or char in "_-") for char in name)
        if plain and self.choose(True, False):
            return name
        if "'" not in name and "\n" not in name and self.choose(True, False):
            return f"'{name}'"
        return '"' + self.escaped(name) + '"'

    def escaped(self, text):
        return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("\t", "\\t")

    def plain(self, value):
        if not isinstance(value, str):
            return str(value).lower() if isinstance(value, bool) else repr(value)
        if self.choose(True, False):
            return '"""\n' + value.replace("\\", "\\\\").replace('"', '\\"') + '"""'
        if "'" not in value and self.choose(True, False):
            return f"'''\n{value}'''"
        return '"' + self.escaped(value) + '"'

    def inline(self, value, address):
        if isinstance(value, list):
            self.text += "["
            for place, item in enumerate(value):
                self.text += self.choose("", "\n", " # ] , \n", " ")
                self.note((*address, place))
                self.inline(item, (*address, place))
                self.text += "," if place < len(value) - 1 else self.choose("", ",")
            self.text += self.choose("", "\n", "# [\n") + "]"
        elif isinstance(value, dict):
            self.text += "{ "
            for place, (name, item) in enumerate(value.items()):
                self.text += ", " if place else ""
                self.entry(name, item, address)
            self.text += " }"
        else:
            self.text += self.plain(value)

    def entry(self, name, value, address):
        self.note((*address, name))
        self.text += self.key(name)
        if isinstance(value, dict) and len(value) == 1 and self.choose(True, False):
            ((inner, item),) = value.items()
            self.note((*address, name, inner))
            self.text += self.choose(".", " . ") + self.key(inner)
            address, name, value = (*address, name), inner, item
        self.text += self.choose(" = ", "=")
        self.inline(value, (*address, name))

    def table(self, content, address, heading):
        tables = {}
        for name, value in content.items():
            lists = isinstance(value, list) and value != [] and all(isinstance(item, dict) for item in value)
            if (lists or isinstance(value, dict)) and self.choose(True, False):
                tables[name] = value
                continue
            self.entry(name, value, address)
            self.text += self.choose("\n", "  # x = 1\n", "\n\n")
        for name, value in tables.items():
            names = f"{heading}.{self.key(name)}" if heading else self.key(name)
            for place, item in enumerate(value if isinstance(value, list) else [value]):
                self.text += self.choose("", "\n", "# [a.b]\n")
                inner = (*address, name, place) if isinstance(value, list) else (*address, name)
                self.note((*address, name))
                self.note(inner)
                self.text += f"[[{names}]]\n" if isinstance(value, list) else f"[ {names} ] # x\n"
                self.table(item, inner, names)


@settings(max_examples=300, deadline=None)
@given(content=CONTENT, data=st.data())
def test_every_key_that_is_read_stands_in_its_line(content, data):
    writer = Writer(data.draw)
    writer.table(content, (), "")
    read = tomllib.loads(writer.text)
    lines = lines_of(writer.text)
    assert set(lines) == set(keys_of(read))
    assert lines == writer.lines


STUDIES = files("wagegap.report").joinpath("studies")


@pytest.mark.parametrize("name", sorted(path.name for path in STUDIES.iterdir() if path.name.endswith(".toml")))
def test_every_key_of_a_shipped_study(name):
    text = STUDIES.joinpath(name).read_text(encoding="utf-8")
    rows = text.splitlines()
    lines = lines_of(text)
    assert set(lines) == set(keys_of(tomllib.loads(text)))
    assert all(str(key) in rows[line - 1] for (*_, key), line in lines.items() if isinstance(key, str))
