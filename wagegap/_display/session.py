"""What a session shows of an object: a text in the terminal, the same text or its table in a notebook.

An object says in `_in_session` what it is to a reader. One that has nothing to say lists its attributes, each in a
line, arrays and frames by their size. No object of the package is written as the call that would make it: that is a
page of arrays.
"""

from __future__ import annotations

import re
from dataclasses import fields, is_dataclass
from html import escape

from wagegap.errors import shown

__all__ = ["Shown", "escape_markdown"]

_MARKS = re.compile(r"([\\`*_{}\[\]<>#|~$^@])")


def escape_markdown(text: str) -> str:
    r"""Escape what Markdown, its mathematics and the HTML within it would take for marks.

    >>> print(escape_markdown("a|b_c & <script>"))
    a\|b\_c &amp; \<script\>
    """
    return _MARKS.sub(r"\\\1", text).replace("&", "&amp;")


class Shown:
    """An object whose `repr` is its text, and which a notebook shows as HTML or Markdown."""

    __slots__ = ()

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        if "__repr__" not in vars(cls):  # a dataclass writes its own where its class has none
            cls.__repr__ = Shown.__repr__  # type: ignore[method-assign]

    def _in_session(self) -> str:
        """Return what a session shows: the attributes, where a class has nothing better to say."""
        names: list[str] = [field.name for field in fields(self)] if is_dataclass(self) else []
        lines = (f"  {name}: {shown(getattr(self, name))}" for name in names if not name.startswith("_"))
        return "\n".join((type(self).__name__, *lines))

    def _in_short(self) -> str:
        """Return a phrase for messages that name the object."""
        return f"<{type(self).__name__}>"

    def __str__(self) -> str:
        return self._in_session()

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str:
        text = str(self)
        return f"<pre>{escape(text)}</pre>" if _is_laid_out(text) else f"<p>{escape(text)}</p>"

    def _repr_markdown_(self) -> str:
        text = str(self)
        return f"```\n{text.replace('```', '` ` `')}\n```" if _is_laid_out(text) else escape_markdown(text)


def _is_laid_out(text: str) -> bool:
    """Whether blanks and lines of a text say something, as in a table; sentences can be broken anywhere."""
    return "  " in text or "\n " in text
