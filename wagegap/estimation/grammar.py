"""The closed grammar of formulas and conditions: from a text to a syntax tree.

An expression, the inside of `log(...)` or a condition, has columns, numbers, text, lists, arithmetic, comparisons,
`and`, `or`, `not`, `in` and the functions of `estimation.functions`. A side of a formula has the operators of
Wilkinson and Rogers (1973) between expressions. There are no attributes, subscripts, assignments or objects, so that a
text that is read can name nothing but columns and these functions. Nothing is evaluated here.

References
----------
Wilkinson, G. N. and C. E. Rogers (1973). Symbolic description of factorial models for analysis of variance. Applied
Statistics 22, 392-399.
"""

from __future__ import annotations

import ast
import functools
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal, NoReturn, TypeAlias

from wagegap.errors import FormulaError, did_you_mean, listing

__all__ = [
    "CODINGS",
    "METHODS",
    "Call",
    "Chain",
    "Constant",
    "Items",
    "Name",
    "Node",
    "Power",
    "Unary",
    "columns_in",
    "functions_in",
    "parse_condition",
    "parse_side",
    "parts_of",
    "refuse",
    "split_at",
    "written",
]

METHODS = ("between", "fillna", "isin", "isna", "isnull", "notna", "notnull")
"""Functions of a column that may be written behind it, as pandas does: `pay.notna()` for `notna(pay)`."""

CODINGS = (
    *("contr.treatment", "contr.SAS", "contr.sum", "contr.helmert", "contr.diff", "contr.poly"),
    *("Treatment", "Sum", "Helmert", "Diff", "Poly"),
)
"""Codings of the levels of a factor, which stand in `C(...)`, with brackets of their own or without."""

_LONGEST = 200_000  # characters; a sum of ten thousand columns has fewer
_DEEPEST = 40  # brackets within brackets
_MOST_MARKS = 2_000  # operators of one text that are computed row by row
_CONSTANTS = {"True": True, "False": False, "None": None}
_WORDS = ("and", "or", "not", "in", *_CONSTANTS)
_TOKEN = re.compile(
    r"""\s*(?:
    (?P<number>(?:[0-9]+(?:_[0-9]+)*\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?(?![\w.]))
  | (?P<name>(?:[^\W\d]\w*|`[^`]*`)(?:\.[^\W\d]\w*)*)
  | (?P<text>'(?:[^'\\\n]|\\.)*'|"(?:[^"\\\n]|\\.)*")
  | (?P<mark>%in%|\*\*|//|==|!=|<=|>=|[-+*/%^:~|&<>=,()\[\]{}])
  | (?P<end>\Z)
    )""",
    re.VERBOSE,
)
_INSTEAD = {"−": "-", "–": "-", "—": "-", "×": "*", "÷": "/", "·": "*", "‘": "'", "’": "'", "“": '"', "”": '"'}
_INSTEAD |= {"@": "a column's name", "!": "not, or !=", "≠": "!=", "≤": "<=", "≥": ">="}
_INSTEAD |= {"#": "a:b for Stata's a#b, a * b for a##b, and C(x) for i.x"}


@dataclass(frozen=True, slots=True)
class Name:
    """A column."""

    name: str
    at: int = 0


@dataclass(frozen=True, slots=True)
class Constant:
    """A number, text, or True, False, None."""

    value: float | str | bool | None


@dataclass(frozen=True, slots=True)
class Items:
    """A list of constants."""

    items: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Call:
    """A function of arguments, written so, behind its column, or as a bare name; `{...}` is the function `{}`."""

    function: str
    arguments: tuple[Node, ...]
    keywords: tuple[tuple[str, Node], ...] = ()
    form: Literal["call", "method", "bare"] = "call"
    at: int = 0


@dataclass(frozen=True, slots=True)
class Unary:
    """`-`, `+`, `~` or `not` of something."""

    mark: str
    operand: Node


@dataclass(frozen=True, slots=True)
class Power:
    """A base and its exponent."""

    base: Node
    exponent: Node


@dataclass(frozen=True, slots=True)
class Chain:
    """Parts with marks between them, of one level of precedence: `a - b + c` has parts a, b, c and marks -, +."""

    level: Level
    parts: tuple[Node, ...]
    marks: tuple[str, ...]


Node: TypeAlias = Name | Constant | Items | Call | Unary | Power | Chain
Level: TypeAlias = Literal["or", "and", "comparison", "sum", "product", "interaction"]

Levels: TypeAlias = tuple[tuple[Level, tuple[str, ...]], ...]
"""Levels of precedence, the loosest first, with their marks."""

_EXPRESSION: Levels = (
    ("or", ("or", "|")),
    ("and", ("and", "&")),
    ("comparison", ("==", "!=", "<", "<=", ">", ">=", "in", "not")),
    ("sum", ("+", "-")),
    ("product", ("*", "/", "//", "%")),
)
_SIDE: Levels = (
    ("sum", ("+", "-")),
    ("product", ("*", "/", "in", "%in%")),
    ("interaction", (":",)),
)
_NOT_BEFORE = 2  # a `not` stands before a comparison, and within `and`


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str
    start: int
    end: int


def refuse(text: str, at: int, what: str) -> NoReturn:
    """Raise `FormulaError` with the place in a text.

    >>> refuse("log(pay) ~ ai @ 2", 14, "'@' is not read")
    Traceback (most recent call last):
    wagegap.errors.FormulaError: cannot read 'log(pay) ~ ai @ 2': '@' is not read, at character 15.
    """
    start = max(0, min(at - 40, len(text) - 80))
    shown = f"{'...' if start else ''}{text[start : start + 80]}{'...' if start + 80 < len(text) else ''}"
    raise FormulaError(f"cannot read {shown!r}: {what}, at character {at + 1:,}.")


def parse_condition(text: str) -> Node:
    """Read a condition, or any expression of columns.

    Raises
    ------
    FormulaError
        With the place where the text leaves the grammar.

    Examples
    --------
    >>> columns_in(parse_condition("ai == 1 and not `years at work`.isna()"))
    ['ai', 'years at work']
    """
    return _tree(_checked(text), is_side=False)


def parse_side(text: str) -> Node:
    """Read one side of a formula: terms joined by its operators.

    Raises
    ------
    FormulaError
        With the place where the text leaves the grammar.

    Examples
    --------
    >>> columns_in(parse_side("ai*C(educ) + log(`hours a week`) - 1"))
    ['ai', 'educ', 'hours a week']
    """
    return _tree(_checked(text), is_side=True)


@functools.lru_cache(maxsize=512)
def _tree(text: str, *, is_side: bool) -> Node:
    return _Parser(text).whole(_SIDE if is_side else _EXPRESSION)


def _checked(text: object) -> str:
    """A text that is not too long to be read."""
    if not isinstance(text, str):
        raise FormulaError(f"a formula or condition is text such as 'log(wage) ~ skill', not {type(text).__name__}.")
    if len(text) > _LONGEST:
        raise FormulaError(f"a text of {len(text):,} characters is no formula or condition; {_LONGEST:,} are read.")
    return text


def split_at(text: str, mark: str) -> list[str]:
    """Cut a text at a mark that stands outside brackets, quotes and backticks.

    >>> split_at("log(pay) ~ ai | firm", "~")
    ['log(pay) ', ' ai | firm']
    """
    pieces, depth, start = [], 0, 0
    for token in _tokens(_checked(text)):
        depth += {"(": 1, "[": 1, "{": 1, ")": -1, "]": -1, "}": -1}.get(token.text, 0) if token.kind == "mark" else 0
        if token.kind == "mark" and token.text == mark and depth == 0:
            pieces.append(text[start : token.start])
            start = token.end
    return [*pieces, text[start:]]


def parts_of(node: Node) -> tuple[Node, ...]:
    """Nodes that a node is made of."""
    match node:
        case Call(_, arguments, keywords):
            return (*arguments, *(value for _, value in keywords))
        case Items(items):
            return items
        case Unary(_, operand):
            return (operand,)
        case Power(base, exponent):
            return (base, exponent)
        case Chain(_, parts):
            return parts
    return ()


def nodes_in(node: Node) -> Iterator[Node]:
    """Walk through a tree from left to right, the node itself first."""
    yield node
    for part in parts_of(node):
        yield from nodes_in(part)


def columns_in(node: Node) -> list[str]:
    """Return the columns that a tree names, each once, in their order."""
    return list(dict.fromkeys(part.name for part in nodes_in(node) if isinstance(part, Name)))


def functions_in(node: Node) -> set[str]:
    """Return the functions that a tree calls."""
    return {part.function for part in nodes_in(node) if isinstance(part, Call)}


def _tokens(text: str) -> Iterator[_Token]:
    """Cut a text into tokens; the last is its end."""
    place = 0
    while True:
        match = _TOKEN.match(text, place)
        if match is None:
            _refuse_character(text, place)
        kind = str(match.lastgroup)
        yield _Token(kind, match[kind], match.start(kind), match.end())
        if kind == "end":
            return
        place = match.end()


def _refuse_character(text: str, place: int) -> NoReturn:
    """Say which character begins no token, and what stands in its place."""
    at = place + len(text[place:]) - len(text[place:].lstrip())
    char = text[at]
    if char == "." and at and not text[at - 1].isspace():
        refuse(text, at, "nothing is reached by a dot; what is beyond the grammar is passed as a callable")
    if char in "'\"`":
        refuse(text, at, f"the {'backtick' if char == '`' else 'quote'} that opens here is not closed")
    word = re.match(r"[\w.]+", text[at:])
    if word:
        refuse(
            text, at, f"{word[0][:20]!r} is neither a number nor a name (a column of this name stands in `backticks`)"
        )
    instead = f"; write {_INSTEAD[char]}" if char in _INSTEAD else ""
    refuse(text, at, f"{char!r} is no part of a formula or condition{instead}")


class _Parser:
    """Reads the tokens of one text, by descent through the levels of precedence."""

    def __init__(self, text: str) -> None:
        self.text, self.tokens = text, list(_tokens(text))
        self.place, self.depth, self.marks = 0, 0, 0

    def whole(self, levels: Levels) -> Node:
        """Read the text to its end."""
        if self.now.kind == "end":
            raise FormulaError("a formula or condition is empty.")
        node = self.chain(levels, 0)
        if self.now.kind != "end":
            self.refuse_token(levels)
        return node

    @property
    def now(self) -> _Token:
        """The token to be read."""
        return self.tokens[self.place]

    def is_at(self, *marks: str) -> bool:
        """Whether the token to be read is one of these marks or words."""
        return self.now.text in marks and self.now.kind in ("mark", "name")

    def take(self) -> _Token:
        """Go on by a token."""
        self.place += 1
        return self.tokens[self.place - 1]

    def chain(self, levels: Levels, at: int) -> Node:
        """Read parts of the next level with the marks of this one between them."""
        if at == len(levels):
            return self.signed(levels) if levels is _EXPRESSION else self.power(levels)
        if levels is _EXPRESSION and at == _NOT_BEFORE and self.is_at("not"):
            self.take()
            return Unary("not", self.nested(self.chain, levels, at))
        level, marks = levels[at]
        signs = [self.take().text] if levels is _SIDE and level == "sum" and self.is_at("+", "-") else []
        parts, between = [self.chain(levels, at + 1)], []
        while self.is_at(*marks):
            between.append(self.mark(levels, level))
            parts.append(self.chain(levels, at + 1))
        self.marks += len(between) if levels is _EXPRESSION else 0
        if self.marks > _MOST_MARKS:
            refuse(self.text, self.now.start, f"more than {_MOST_MARKS:,} operators stand in one text")
        if signs == ["-"]:  # a side that begins with a minus: `-1 + ai`
            parts[0] = Unary("-", parts[0])
        return Chain(level, tuple(parts), tuple(between)) if between else parts[0]

    def mark(self, levels: Levels, level: Level) -> str:
        """Read a mark; `not in` has two words, and in a side of a formula `+ -` is a minus."""
        mark = self.take().text
        if mark == "not":
            if not self.is_at("in"):
                self.refuse_token(levels)
            return f"not {self.take().text}"
        while levels is _SIDE and level == "sum" and self.is_at("+", "-"):
            mark = "-" if (mark == "-") != (self.take().text == "-") else "+"
        return "in" if mark == "%in%" else mark

    def signed(self, levels: Levels) -> Node:
        """Read signs and what they stand before."""
        if self.is_at("-", "+", "~"):
            return Unary(self.take().text, self.nested(self.signed, levels))
        return self.power(levels)

    def power(self, levels: Levels) -> Node:
        """Read a base and its exponent, if it has one."""
        base = self.operand(levels)
        if not self.is_at("**", "^"):
            return base
        self.take()
        return Power(base, self.nested(self.signed if levels is _EXPRESSION else self.power, levels))

    def nested(self, read: Callable[..., Node], *how: object) -> Node:
        """Read one level deeper."""
        self.depth += 1
        if self.depth > _DEEPEST:
            refuse(self.text, self.now.start, f"more than {_DEEPEST} brackets or signs stand within one another")
        node = read(*how)
        self.depth -= 1
        return node

    def operand(self, levels: Levels) -> Node:
        """Read a column, a constant, a call or what stands in brackets."""
        token = self.now
        if token.kind == "number":
            return Constant(_number(self.take().text))
        if token.kind == "text":
            return self.string(levels)
        if token.kind == "name" and (token.text not in _WORDS or token.text in _CONSTANTS):
            return self.named()
        if self.is_at("("):
            return self.bracketed(levels)
        if self.is_at("[") and levels is _EXPRESSION:
            return self.items("]", self.take())
        if self.is_at("{") and levels is _SIDE:
            return self.braces()
        return self.refuse_token(levels)

    def string(self, levels: Levels) -> Node:
        """Read text in quotes."""
        token = self.take()
        if levels is _SIDE:
            refuse(self.text, token.start, f"text such as {token.text[:20]} stands in a comparison, I(field == 'law')")
        try:
            return Constant(str(ast.literal_eval(token.text)))
        except (SyntaxError, ValueError):
            refuse(self.text, token.start, f"{token.text[:20]} is not text as Python writes it")

    def named(self) -> Node:
        """Read a column, a constant such as True, or a call."""
        token = self.take()
        owner, _, last = token.text.rpartition(".")
        if self.is_at("("):
            if owner and last in METHODS:
                return self.call(last, token, (self.column(owner, token),))
            return self.call(token.text, token, ())
        if token.text in _CONSTANTS:
            return Constant(_CONSTANTS[token.text])
        if self.is_at("["):
            refuse(self.text, self.now.start, f"no part of {token.text[:20]!r} can be taken; pass a callable instead")
        return self.column(token.text, token)

    def column(self, name: str, token: _Token) -> Name:
        """A column, whose name stands in backticks where it is not a plain one."""
        if name.startswith("`"):
            if not name.endswith("`"):
                refuse(self.text, token.start, "nothing is reached by a dot")
            name = name[1:-1]
        return Name(name, token.start)

    def call(self, function: str, token: _Token, first: tuple[Node, ...]) -> Node:
        """Read the arguments of a call."""
        self.take()
        arguments, keywords = list(first), list[tuple[str, Node]]()
        while not self.is_at(")"):
            following = self.tokens[min(self.place + 1, len(self.tokens) - 1)]
            if self.now.kind == "name" and following.text == "=" and following.kind == "mark":
                name = self.take().text
                self.take()
                keywords.append((name, self.nested(self.chain, _EXPRESSION, 0)))
            elif keywords:
                refuse(self.text, self.now.start, "an argument without a name stands before those with one")
            else:
                arguments.append(self.nested(self.chain, _EXPRESSION, 0))
            self.comma(")")
        self.take()
        if function == "C":
            arguments = [*arguments[:1], *map(_as_coding, arguments[1:])]
            keywords = [(name, _as_coding(value)) for name, value in keywords]
        return self.called(
            Call(function, tuple(arguments), tuple(keywords), "method" if first else "call", token.start)
        )

    def called(self, call: Call) -> Node:
        """A call that is read: nothing is taken from what it gives."""
        if self.is_at("[", "("):
            refuse(self.text, self.now.start, f"nothing can be taken from, or called of, what {call.function!r} gives")
        return call

    def comma(self, closing: str) -> None:
        """Go on over a comma, or stay at the bracket that closes."""
        if self.is_at(","):
            self.take()
        elif not self.is_at(closing):
            self.refuse_token(_EXPRESSION)

    def bracketed(self, levels: Levels) -> Node:
        """Read what stands in brackets: an expression, in an expression also a list."""
        opening = self.take()
        if levels is _EXPRESSION and self.is_at(")"):
            refuse(self.text, opening.start, "nothing stands in these brackets")
        inside = self.nested(self.chain, levels, 0)
        if levels is _EXPRESSION and self.is_at(","):
            self.take()
            return self.items(")", opening, (self.item(inside, opening),))
        if not self.is_at(")"):
            self.refuse_token(levels, closing=")")
        self.take()
        return inside

    def items(self, closing: str, opening: _Token, first: tuple[Node, ...] = ()) -> Node:
        """Read a list of constants to its end."""
        items = list(first)
        while not self.is_at(closing):
            items.append(self.item(self.nested(self.chain, _EXPRESSION, 0), opening))
            self.comma(closing)
        self.take()
        return Items(tuple(items))

    def item(self, node: Node, opening: _Token) -> Node:
        """An item of a list, which is a constant."""
        constant = node.operand if isinstance(node, Unary) and node.mark in ("-", "+") else node
        if not isinstance(constant, Constant | Items):
            refuse(self.text, opening.start, "a list holds numbers and text alone")
        return node

    def braces(self) -> Node:
        """Read `{...}`, an expression among the terms of a formula."""
        opening = self.take()
        inside = self.nested(self.chain, _EXPRESSION, 0)
        if not self.is_at("}"):
            self.refuse_token(_EXPRESSION, closing="}")
        self.take()
        return Call("{}", (inside,), at=opening.start)

    def refuse_token(self, levels: Levels, *, closing: str = "") -> NoReturn:
        """Say what stands where it cannot, and what may."""
        token, said = self.now, f"{self.now.text[:20]!r} cannot stand here"
        if token.kind == "end":
            said = f"it ends where {f'{closing!r}' if closing else 'a column or number'} is missing"
        elif levels is _SIDE and token.text in ("==", "!=", "<", "<=", ">", ">=", "=", "&", "and", "or", "not"):
            said += "; a condition stands in brackets, I(educ >= 16), or I(field == 'law')"
        elif token.text == "=":
            said += "; write == to compare"
        elif token.text in ("|", "~"):
            said += "; a formula is 'outcome ~ regressors | absorbed effects', and here is one side of it"
        elif token.kind in ("name", "number", "text"):
            marks = dict.fromkeys(mark for _, of_level in levels for mark in of_level)
            said = f"{token.text[:20]!r} follows without an operator{did_you_mean(token.text, marks)}"
            said += f" (a name with spaces stands in `backticks`; operators: {listing(marks, 20)})"
        refuse(self.text, token.start, said)


def _as_coding(node: Node) -> Node:
    """A coding that is written without brackets, `C(educ, Sum)`."""
    return Call(node.name, (), form="bare", at=node.at) if isinstance(node, Name) and node.name in CODINGS else node


def _number(text: str) -> float:
    """A number as Python reads it, but whole numbers that no column can hold as floats."""
    if re.fullmatch(r"[0-9_]{1,18}", text):
        return int(text)
    return float(text)


# trees as text --------------------------------------------------------------------------------------------------------

_BINDS = {
    "or": 1,
    "and": 2,
    "not": 3,
    "comparison": 4,
    "|": 5,
    "&": 7,
    "sum": 9,
    "product": 10,
    "interaction": 10,
    "unary": 11,
    "power": 12,
}
"""How tightly marks bind as Python writes them, `|` and `&` more tightly than comparisons."""
_LOOSE, _TIGHT = 0, 13


def written(node: Node, *, within: int = _LOOSE) -> str:
    """Write an expression as Python does, with no more brackets than it needs; odd names stand in backticks.

    >>> written(parse_condition("(ai==1)&(`work hours`>=30.)"))
    '(ai == 1) & (`work hours` >= 30.0)'
    >>> written(parse_side("I(exper**2)"))
    'I(exper ** 2)'
    """
    match node:
        case Name(name):
            return name if name.isidentifier() and name not in _WORDS else f"`{name}`"
        case Constant(value):
            return repr(value)
        case Items(items):
            return f"[{', '.join(map(written, items))}]"
        case Call("{}", (inside,)):
            return written(inside)
        case Call():
            return _written_call(node)
    binds, text = _written_operation(node)
    return f"({text})" if binds < within else text


def _written_call(call: Call) -> str:
    arguments = [written(argument) for argument in call.arguments]
    arguments += [f"{name}={written(value)}" for name, value in call.keywords]
    if call.form == "bare":
        return call.function
    if call.form == "method":
        return f"{arguments[0]}.{call.function}({', '.join(arguments[1:])})"
    return f"{call.function}({', '.join(arguments)})"


def _written_operation(node: Unary | Power | Chain) -> tuple[int, str]:
    """How tightly an operation binds, and its text."""
    match node:
        case Unary("not", operand):
            return _BINDS["not"], f"not {written(operand, within=_BINDS['not'])}"
        case Unary(mark, operand):
            return _BINDS["unary"], f"{mark}{written(operand, within=_BINDS['unary'])}"
        case Power(base, exponent):
            return _BINDS["power"], f"{written(base, within=_TIGHT)} ** {written(exponent, within=_BINDS['power'])}"
    same = len(set(node.marks)) == 1
    binds = _BINDS[node.marks[0] if same and node.marks[0] in "|&" else node.level]
    marks = node.marks if same or node.level not in ("or", "and") else (node.level,) * len(node.marks)
    pieces = [written(node.parts[0], within=binds + (node.level == "comparison"))]
    for mark, part in zip(marks, node.parts[1:], strict=True):
        pieces += [mark, written(part, within=binds + 1)]
    return binds, " ".join(pieces)
