"""Cleans what models and servers answer: control strings, code fences, characters that nobody sees, and repetition.

Every cut has a name, which goes into the trace. Text of copies passes :func:`visible` only.
"""

import re
from typing import Final

from indexer.prompt.control_strings import CONTROL
from indexer.secrets.cover import COVER
from indexer.text.lines import unify_line_ends
from indexer.text.printable import is_hidden

LONGEST_LINE: Final = 400
"""Characters of the longest line that is suggested."""

LONGEST: Final = 4_000
"""Characters of the longest suggestion."""

REPEATED: Final = 3
"""Repetitions in a row of lines, or of a part of a line, from which a text counts as endless."""

PERIOD: Final = 12
"""Lines of the longest group of lines whose repetition is recognized."""

_LINE_END = re.compile("[\x0b\x0c\x85\u2028\u2029]")
"""What ends a line in addition to the ends that every editor knows."""

_BLANK = re.compile("[\xa0\u1680\u2000-\u200a\u202f\u205f\u3000]")

_PROSE = re.compile(r"[^\n`]*:\s*\n(?=\s*(?:```|~~~))")
_FENCE_TAIL = re.compile(r"(?<=[^`\s])[ \t]*```\s*$")
_BLANK_LINES = re.compile(r"(?<=\S)(?:[ \t]*\n){4,}")
_TERMINAL = re.compile(
    r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]"
    r"|(?:\x1b[\]PX^_]|[\x9d\x90\x98\x9e\x9f])[^\x07\x1b\x9c\n]*(?:\x07|\x1b\\|\x9c)?"
    r"|\x1b[ -/]*[0-~]"
)
_UNFINISHED = re.compile(r"<(?:[|\uff5c][\w\u2581:/.-]{2,48}[|\uff5c]?|/s|fim[_-]\w*)$")
"""The beginning of a control string at the end of an answer that was cut off."""

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")
_FENCE_START = re.compile(r"\s*(?:```|~~~)[\w+#.-]*[ \t]*\n")
_FENCE_END = re.compile(r"^[ \t]*(?:```|~~~)[\w+#.-]*[ \t]*$", re.MULTILINE)
_TAIL = re.compile(r"(?P<unit>[^\n]*?[A-Za-z]{3}[^\n]*?)(?P=unit){3,}[^\n]{0,8}$", re.MULTILINE)
_SHORT_TAIL = re.compile(r"(?P<unit>[^\n]{0,16}?\w[^\n]{0,16}?)(?P=unit){15,}[^\n]{0,16}$", re.MULTILINE)
FENCED: Final = frozenset({"markdown", "mdx", "rst", "asciidoc", "text", "plaintext"})
"""Languages whose documents may hold fences of code."""


def visible(text: str) -> str:
    """Return a text without escape sequences, control characters, and characters that are invisible or turn text."""
    text = _CONTROL.sub("", _TERMINAL.sub("", text)) if not text.isprintable() else text
    if text.isascii():
        return text
    return "".join(mark for mark in text if mark in "\n\r\t" or mark == COVER or not is_hidden(mark))


def cleaned(text: str, line: str, language: str, document: str = "") -> tuple[str, tuple[str, ...]]:
    """Return a model's text as it may be suggested, and the names of what was cut.

    :param line: the cursor's line before the cursor. :param document: control strings that stand in it are text.
    """
    cut: list[str] = []

    def take(name: str, shorter: str) -> str:
        if shorter != text:
            cut.append(name)
        return shorter

    text = take("line-ends", unify_line_ends(_LINE_END.sub("\n", text)))
    # What nobody sees may stand within a control string.
    text = take("characters", _with_plain_blanks(visible(text), document + line))
    text = take("control-string", _before_control(text, document))
    if language not in FENCED:
        text = take("fence", _unfenced(text))
    text = take("repeated-line-start", _without_line_start(text, line))
    text = take("length", _limited(text))
    text = take("repetition", _finite(text))
    return text.rstrip() if not text.strip() else text.rstrip("\n"), tuple(cut)


def _with_plain_blanks(text: str, document: str) -> str:
    """Return a text with plain blanks for those that only look so, unless the document holds them too."""
    return text if text.isascii() else _BLANK.sub(lambda found: found[0] if found[0] in document else " ", text)


def _before_control(text: str, document: str) -> str:
    for found in CONTROL.finditer(text):
        if found[0] not in document:
            return text[: found.start()].removesuffix("\u2581")
    begun = _UNFINISHED.search(text)
    return text[: begun.start()] if begun and begun[0] not in document else text


def _unfenced(text: str) -> str:
    said = _PROSE.match(text)
    text = text[said.end() :] if said else text
    start = _FENCE_START.match(text)
    text = text[start.end() :] if start else text
    end = _FENCE_END.search(text)
    return text[: end.start()].rstrip("\n") if end else _FENCE_TAIL.sub("", text)


def _without_line_start(text: str, line: str) -> str:
    """Return the text without the beginning of the line, where it is written a second time."""
    typed, body = line.strip(), text.lstrip(" \t")
    # max(max( is a call in a call; x = max(x = max( is none.
    again = len(typed) >= 3 and re.search(r"\w", typed) and (" " in typed or typed[-1] not in "([{,.")
    if not again or not body.startswith(typed):
        return text
    rest = body[len(typed) :]
    if re.match(r"\w", rest) and re.match(r"\w", typed[-1:]):
        return text  # a longer word that begins like it
    return rest.lstrip(" ") if line[-1:].isspace() else rest


def _finite(text: str) -> str:
    """Return the text up to where it begins to repeat itself."""
    blank = _BLANK_LINES.search(text)
    text = text[: blank.start()] if blank else text
    lines = text.split("\n")
    for at in range(len(lines)):
        for period in range(1, PERIOD + 1):
            unit = lines[at : at + period]
            if not re.search(r"\w", "".join(unit)):
                continue
            if all(lines[at + n * period : at + (n + 1) * period] == unit for n in range(1, REPEATED)):
                return "\n".join(lines[: at + period])
    found = (_TAIL.search(text) or _SHORT_TAIL.search(text)) if len(text) <= LONGEST else None
    return text[: found.end("unit")] if found else text


def _limited(text: str) -> str:
    lines = text[:LONGEST].split("\n") if len(text) > LONGEST else text.split("\n")
    if len(text) > LONGEST:
        lines = lines[:-1]
    kept = next((n for n, one in enumerate(lines) if len(one) > LONGEST_LINE), len(lines))
    return "\n".join(lines[:kept])
