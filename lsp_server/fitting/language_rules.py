"""The form of a language's lexical rules: what its comments, strings, brackets and block words look like.

All patterns are matched within one line. ``language_table`` holds the rules of each language, ``marks`` reads text with
them. At the end stand the patterns that several languages have.
"""

import re
from dataclasses import dataclass, field
from functools import cached_property
from typing import Final

_AROUND = re.compile(r"\(\?[^)]*\)\*?")
"""Groups of a pattern, all but the text that ends a string: what must stand before it or behind it."""


@dataclass(frozen=True, eq=False)
class LanguageRules:
    """The lexical rules of one language; two are the same only if they are one object.

    :param comments: patterns of comments that end with the line.
    :param strings: patterns of whole strings, and of whatever else holds marks that count for nothing.
    :param spans: patterns of strings and comments that may go on over lines: how they begin, and how they end.
    :param quotes: marks of strings that end with their line.
    :param heredoc: pattern of the beginning of a heredoc: marks, and the word that ends it.
    :param words: block words: the word that opens -> the words that close it.
    :param phrases: the same for a pattern of what opens, where the word alone does not tell.
    :param word_form: pattern around such a word, with ``{}`` for it.
    :param word_ends: pattern of the words that close; "" for those of ``words`` and ``phrases``.
    :param directives: pattern of a preprocessor's opening, middle and closing word. They are nested independently of
        the code, and each alternative between them continues the same code.
    :param tags: whether blocks are tags (``<name>`` to ``</name>``).
    :param brackets: whether brackets count.
    :param ignore_case: whether the words may be written in capitals.
    :param indented: whether blocks are indented only, and opened by a colon.
    :param hanging: pattern of a line's beginning that ends the head of a block which began on an earlier line; how far
        that block is indented is not known.
    :param middles: a word at the start of a line that continues a block -> words of the lines that open such blocks.
    :param inside: whether such a block is still open there (``if … else … end``), unlike ``if { … } else``.
    :param plain: pattern of text within which nothing else begins, so that it is passed over at once; "" for none. With
        it a line is read in half the time.
    :param unit: the blanks of one level where neither the document nor the repository says, "" for the source's.
    """

    comments: tuple[str, ...] = (r"//.*",)
    strings: tuple[str, ...] = ()
    spans: tuple[tuple[str, str], ...] = ((r"/\*", r"\*/"),)
    quotes: str = "\"'"
    heredoc: str = ""
    words: dict[str, tuple[str, ...]] = field(default_factory=dict)
    phrases: dict[str, tuple[str, ...]] = field(default_factory=dict)
    word_form: str = r"(?<![\w.$@:`])(?:{})(?![\w?!:])"
    word_ends: str = ""
    directives: tuple[str, str, str] | None = None
    tags: bool = False
    brackets: bool = True
    ignore_case: bool = False
    indented: bool = False
    hanging: str = ""
    middles: dict[str, frozenset[str]] = field(default_factory=dict)
    inside: bool = False
    plain: str = ""
    unit: str = ""

    @cached_property
    def pattern(self) -> re.Pattern[str]:
        """The pattern of everything that counts on a line; the name of the group that matches is its kind."""
        quoted = "|".join(rf"{mark}(?:[^{mark}\\]|\\.)*{mark}" for mark in self.quotes)
        closing = {word for closers in (*self.words.values(), *self.phrases.values()) for word in closers}
        ends = self.word_ends or (self.word_form.format("|".join(sorted(closing))) if closing else "")
        parts = [
            ("plain", self.plain),
            ("comment", "|".join(self.comments)),
            ("heredoc", self.heredoc),
            ("string", "|".join(self.strings)),
            ("span", "|".join(begin for begin, _ in self.spans)),
            ("quoted", quoted),
            ("quote", f"[{self.quotes}]" if self.quotes else ""),
            ("endword", ends),
            ("open", r"[(\[{]" if self.brackets else ""),
            ("close", r"[)\]}]" if self.brackets else ""),
            ("endtag", r"</[A-Za-z][\w:.-]*\s*>|(?<!<)/>" if self.tags else ""),
            ("tag", r"<[A-Za-z][\w:.-]*" if self.tags else ""),
            *zip(("condition", "alternative", "endcondition"), self.directives or ("", "", ""), strict=True),
            ("phrase", "|".join(self.phrases)),
            ("word", self.word_form.format("|".join(self.words)) if self.words else ""),
            ("other", r"\w+ *"),  # so that the patterns are not tried again at every letter of a word
        ]
        joined = "|".join(f"(?P<{name}>{pattern})" for name, pattern in parts if pattern)
        return re.compile(joined, re.IGNORECASE if self.ignore_case else 0)

    @cached_property
    def span_ends(self) -> tuple[tuple[re.Pattern[str], re.Pattern[str]], ...]:
        """For each span, the patterns of its beginning and of its end."""
        return tuple((re.compile(begin), re.compile(end)) for begin, end in self.spans)

    def end_of_span(self, span: int) -> str:
        """Return the text that ends a string or comment, given by its number; "" where that is no fixed text."""
        end = _AROUND.sub("", self.spans[span][1]).removeprefix("^").removesuffix(r"\b").replace("\\", "")
        return "" if end == "$" else end

    def begins_as_it_ends(self, span: int) -> bool:
        """Return whether a string, given by its number, begins with the quotes that end it."""
        end = self.end_of_span(span)
        return end != "" and not end.strip("\"'`") and end in self.spans[span][0] and not self.ends_with_line(span)

    def ends_on_own_line(self, span: int) -> bool:
        """Return whether what ends a string or comment, given by its number, stands at the start of a line."""
        return self.spans[span][1].startswith("^")

    def ends_with_line(self, span: int) -> bool:
        """Return whether a string, given by its number, goes on only behind an escaped line end."""
        return self.spans[span][0].endswith(r"\\$")

    def closers(self, line: str, start: int, text: str) -> tuple[str, ...]:
        """Return what closes a word or phrase that stands at ``start`` of a line."""
        return self.words.get(text.lower() if self.ignore_case else text) or next(
            closers for pattern, closers in self._phrases if pattern.match(line, start)
        )

    @cached_property
    def _phrases(self) -> tuple[tuple[re.Pattern[str], tuple[str, ...]], ...]:
        flags = re.IGNORECASE if self.ignore_case else 0
        return tuple((re.compile(pattern, flags), closers) for pattern, closers in self.phrases.items())

    @cached_property
    def directive_patterns(self) -> tuple[re.Pattern[str], ...] | None:
        """The compiled patterns of ``directives``."""
        return tuple(map(re.compile, self.directives)) if self.directives else None

    def unclosed_directives(self, text: str) -> int:
        """Return how many more directives a text opens than it closes; below zero where it closes more."""
        if self._directive is None:
            return 0
        found = self._directive.findall(text)
        return len(found) - 2 * sum(map(bool, found))

    @cached_property
    def _directive(self) -> re.Pattern[str] | None:
        """What opens a directive, or closes one in its only group.

        It begins with a fixed letter, which is found at once.
        """
        if self.directives is None:
            return None
        opens, _, closes = (part.removeprefix(r"^\s*") for part in self.directives)
        return re.compile(f"{opens[0]}(?:{opens[1:]}|({closes[1:]}))")

    @cached_property
    def middle(self) -> re.Pattern[str] | None:
        """The pattern of closing marks and a word that continues a block, at the start of a line."""
        words = "|".join(self.middles)
        return (
            re.compile(rf"\s*(?P<closers>(?:[)\]}}]|\bend\b)*)\s*(?P<word>{words})\b(?!\s*(?:=[^=>]|\.|->))")
            if words
            else None
        )


def names(text: str) -> frozenset[str]:
    """Return the words of a text, for ``LanguageRules.middles``."""
    return frozenset(text.split())


IF: Final = names("if")

BLOCK_COMMENT: Final = (r"/\*", r"\*/")

HASH: Final = r"(?:^|(?<=\s))#.*"
"""A comment behind a ``#`` that is no part of a word."""

GOES_ON: Final = (r'"(?:[^"\\]|\\.)*\\$', r'(?<!\\)"')
"""A string that goes on behind an escaped line end."""
