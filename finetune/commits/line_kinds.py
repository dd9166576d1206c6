"""Tells code from comments and running text, line by line, by the grammar of the language.

A line whose first token lies in a comment is "comment"; in a string of several lines (a docstring, a template) "text";
all others are "code". Where no grammar fits, every line is "code". This module knows one text at a time.
"""

from typing import Any, Final

from indexer.languages.grammars import parser
from indexer.text.lines import lines_of, unify_line_ends

NATURES: Final = ("code", "comment", "text")


class Natures:
    """The natures of the lines of one text."""

    def __init__(self, text: str, language: str) -> None:
        self._lines = lines_of(text)
        self._root: Any = None
        made = parser(language)
        if made is not None:
            self._root = made.parse(unify_line_ends(text).encode("utf-8", "replace")).root_node

    def of(self, line: int) -> str:
        """The nature of a line, counted from 0."""
        text = self._lines[line]
        body = text.lstrip()
        if self._root is None or not body:
            return "code"
        column = len(text[: len(text) - len(body)].encode("utf-8", "replace"))
        node = self._root.descendant_for_point_range((line, column), (line, column + 1))
        while node is not None:
            if "comment" in node.type:
                return "comment"
            inside = node.start_point.row < line or node.end_point.row > line
            if inside and ("string" in node.type or node.type in ("heredoc_body", "text", "raw_text")):
                return "text"
            node = node.parent
        return "code"
