"""Finds passwords that comments and documents for people give behind their name: ``# password: ...``, ``비번: ...``.

A comment may also name the value that stands before it: ``init("..."); // keystore password``.

Nothing quotes such a value, and in code a word in its place is a type or a variable. So a comment mark must stand
before the name (or the file be a document), nothing but the value may follow on the line, and the value must look like
a password and not like a word with a number.
"""

import re
from typing import Final

from indexer.secrets import rules
from indexer.secrets.cover import Span

_DOCUMENT_NAMES = re.compile(r"\.(?:txt|text|md|markdown|rst|adoc|asciidoc|org|wiki)$")
_COMMENT: Final = re.compile(
    r"(?:^|[ \t])(?:#+(?![{\w]*[{(])|//+|--+|/\*+|<!--|;+|%+|(?i:rem\b))[!*]{0,2}[^\n]*\Z|^[ \t]*(?:\*+|')[ \t][^\n]*\Z"
)
_DOCUMENT_LINE = re.compile(r"^[ \t>]*(?:[-*+•][ \t]+)?[*_]{0,2}(?:[^\W\d_]+[ \t]+){0,3}\Z")
_GIVEN = re.compile(
    r"[*_]{0,2}(?:[ \t]?\([^()\n]{1,20}\))?[ \t]{0,4}(?:(?P<sign>[:=：])[*_]{0,2}[ \t]{0,4}|(?P<blank>[ \t]{1,4}))"
    r"(?P<value>[^\s\"'`,;(){}\[\]<>/\\]{8,64})"
    r"(?=[ \t]*(?:\r?\n|\Z|[,;]|[ \t](?:#|//|--|\*/|-->|\()|입니다|이다|임))"
)
# The value before a comment that names it: quoted, or the whole value of a setting.
_COMMENTED = re.compile(
    r"(?:(?P<quote>[\"'`])(?P<quoted>(?:(?!(?P=quote))[^\s\\]){6,128})(?P=quote)"
    r"|[:=][ \t]*(?P<bare>[^\s\"'`(){}\[\]<>,;]{6,128}))"
    r"[ \t)\]},;]{0,8}(?://+|\#+|--|/\*+|;+)[ \t]*(?P<words>(?:[^\W\d]{1,20}[ ,/:]{1,2}){0,5})\Z"
)
_AFTER_NAME = re.compile(r"(?:[ ,]{1,2}(?:of|for|to|in|on)\b[^\n=:\"']{0,40}|[ \t.]*(?:\*/)?[ \t]*)(?=\r?\n|\Z)")
_KOREAN = re.compile(r"[가-힣]")


def is_document(path: str) -> bool:
    """Whether a path, in lower case, is that of text for people."""
    return bool(_DOCUMENT_NAMES.search(path))


def in_prose(text: str, start: int, end: int, kind: str, document: bool) -> Span | None:
    """Return the value that a comment or a document gives to the name at ``[start, end)``.

    :param document: whether the file is text for people, where a line may begin with the name.
    """
    match = _GIVEN.match(text, end)
    if match is None or (match["blank"] and not _KOREAN.search(text, start, end)):
        return None
    before = text[max(text.rfind("\n", 0, start) + 1, start - 160) : start]
    if not _COMMENT.search(before) and not (document and match["sign"] and _DOCUMENT_LINE.match(before)):
        return None
    value = match["value"].rstrip(".*_")
    if not rules.is_noted_secret(value, kind, sign=bool(match["sign"])):
        return None
    return match.start("value"), match.start("value") + len(value)


def commented(text: str, start: int, end: int, kind: str) -> Span | None:
    """Return the value on the line before a comment that ends with the name at ``[start, end)``."""
    line = text.rfind("\n", 0, start) + 1
    if not _AFTER_NAME.match(text, end):
        return None
    match = _COMMENTED.search(text, max(line, start - 300), start)
    if match is None:
        return None
    if match["bare"] is not None:
        return match.span("bare") if rules.is_noted_secret(match["bare"], kind) else None
    return match.span("quoted") if rules.is_secret_value(match["quoted"], kind) else None
