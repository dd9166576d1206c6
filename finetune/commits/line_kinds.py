"""Classifies the lines of a text as code, comment or text, by the grammar of the language.

A line whose first token lies in a comment is ``comment``. A line whose first token lies in a string of several lines (a
docstring, a template) is ``text``. All other lines are ``code``, and so is every line where there is no grammar.
"""

from typing import Any

from indexer.languages.grammars import parser
from indexer.text.lines import lines_of, unify_line_ends


class LineKinds:
    """The kinds of the lines of one text.

    :param language: a key of ``indexer.languages.grammars``.
    """

    def __init__(self, text: str, language: str) -> None:
        self._lines = lines_of(text)
        self._root: Any = None
        found = parser(language)
        if found is not None:
            self._root = found.parse(unify_line_ends(text).encode("utf-8", "replace")).root_node

    def of(self, line: int) -> str:
        """Return ``code``, ``comment`` or ``text`` for a line, counted from 0."""
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
