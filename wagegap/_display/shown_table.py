"""What a session shows of an object that is a table: its text in the terminal, HTML and Markdown in a notebook."""

from __future__ import annotations

from abc import abstractmethod

from wagegap._display.markup import to_html, to_markdown
from wagegap._display.session import Shown
from wagegap._display.spec import TableSpec
from wagegap._display.text import to_text

__all__ = ["ShownTable"]


class ShownTable(Shown):
    """An object that a table shows."""

    __slots__ = ()

    @abstractmethod
    def spec_of_table(self) -> TableSpec:
        """Return the object as a table, for any renderer."""

    def _in_session(self) -> str:
        return to_text(self.spec_of_table())

    def _repr_html_(self) -> str:
        return to_html(self.spec_of_table())

    def _repr_markdown_(self) -> str:
        return to_markdown(self.spec_of_table())
