"""The ways in which a text can be put before the text that stands behind the cursor on its line.

A text may close what closing marks behind the cursor close as well, or go on to text that stands there already. Which
way is sound is decided by its caller, who knows what is open. This module knows strings alone.
"""

import re
from collections.abc import Iterator, Sequence
from typing import Final

from indexer.text.particles import joined

_WORD = re.compile(r"\w")
_CLOSERS = re.compile(r"[)\]}>'\"`;:,\s]+$")
_FIRST_CLOSERS = re.compile(r"\s*(?P<mark>[)\]}>'\"`])[)\]}>'\"`;:,\s]*")
_ITEM_ENDS = re.compile(r"(?:[\]}\"'\w])$")
_ITEM_BEGINS = re.compile(r"[\"'{\[\w-]")
_PORT = re.compile(r"\s*(?:(?:signal|constant|variable)\s+)?\w+(?:\s*,\s*\w+)*\s*:(?!=)\s*\S", re.IGNORECASE)
_TABLE = re.compile(r"\bcreate\b.*\btable\b", re.IGNORECASE)
_COLUMN = re.compile(r"\s*[\w\"`\[\]]+\s+\w")
_PAIRS = {")": "(", "]": "[", "}": "{"}

_CALL = re.compile(
    r"(?:^|[=(\[{,.:;!&|?+<>~-]|\b(?:return|await|yield|throw|new|raise|not|and|or|in|assign|go|defer))\s*(?P<name>[\w.$:]+)$"
)
_NO_CALL: Final = frozenset(
    (
        *("if", "for", "while", "switch", "catch", "elif", "until", "unless", "match", "when", "with", "foreach"),
        *("func", "function", "def", "fn", "return", "case", "always", "always_ff", "always_comb", "constexpr"),
    )
)


def continuation(text: str, prefix: str, partial: str) -> str | None:
    """Return what of a copied line's rest is still to be written.

    :param text: the rest of the line that is copied. :param prefix: the line before the cursor.
    :param partial: the unfinished word that ``text`` has to begin with; "" behind a whole word.
    :returns: None if the text does not continue the line here.
    """
    if partial:
        text = text.lstrip()
        if not text.startswith(partial) or not _WORD.match(text[len(partial) :]):
            return None
        return text[len(partial) :]
    if _WORD.match(text) and _WORD.match(prefix[-1:]):
        return joined(prefix, text)  # a particle alone stands behind a word
    return text.lstrip() if not prefix or prefix[-1:].isspace() else text


def placements(text: str, behind: str) -> Iterator[tuple[str, int]]:
    """Yield what to insert and how many characters behind the cursor it replaces, the likeliest first.

    Nothing is yielded where the text does not lead to the text behind the cursor.
    """
    rest = behind.rstrip()
    if not rest:
        yield text, 0
        return
    if len(text) > len(rest) and text.endswith(rest):
        yield text, len(rest)
    if text.startswith(rest):
        yield text, len(rest)
    if not _CLOSERS.fullmatch(rest):
        at = text.find(rest)
        if at > 0:  # within the line: only what comes before the text behind
            yield text[:at], 0
        marks = _FIRST_CLOSERS.match(rest)
        for length in range(marks.end() if marks else 0, 0, -1):
            if text.endswith(rest[:length]):
                yield text, length
        if marks:
            yield from ((text[:at], 0) for at in range(len(text) - 1, 0, -1) if text.startswith(marks["mark"], at))
        return
    for length in range(len(rest) - 1, 0, -1):
        if text.endswith(rest[:length]):
            yield text, length
    surplus = _unopened(text)
    if surplus and rest.startswith(surplus):
        yield text, len(surplus)
    if not surplus:
        yield text, 0
    if surplus.startswith(rest):
        yield text, len(rest)
    # Up to where the text begins to close what the marks behind the cursor close.
    for at in range(len(text) - 1, 0, -1):
        if text[at] == rest[0]:
            yield text[:at], 0


def _unopened(text: str) -> str:
    """Return the closing brackets of a text that it has not opened."""
    depth: list[str] = []
    surplus = []
    for mark in text:
        if mark in "([{":
            depth.append(mark)
        elif mark in _PAIRS:
            if depth and depth[-1] == _PAIRS[mark]:
                depth.pop()
            elif not depth:
                surplus.append(mark)
    return "".join(surplus)


def with_comma(lines: list[str], below: Sequence[str], strict: bool) -> list[str]:
    """Return the lines of a text that ends with an item of a JSON list, with the comma that the next item asks for.

    :param below: the lines below the cursor. :param strict: whether a comma behind the last item is an error.
    """
    following = next((line.strip() for line in below if line.strip()), "")
    last = lines[-1].rstrip()
    if _ITEM_ENDS.search(last) and _ITEM_BEGINS.match(following):
        return [*lines[:-1], last + ","]
    if strict and last.endswith(",") and following[:1] in ("}", "]"):
        return [*lines[:-1], last[:-1]]
    return lines


def with_separator(language: str, head: str, lines: list[str], below: Sequence[str]) -> list[str]:
    """Return the lines of a text that ends with a port or generic of VHDL or a column of SQL, with the mark before the
    next one.

    :param head: the line that began the list. :param below: the lines below the cursor.
    """
    following = next((line for line in below if line.strip() and not line.lstrip().startswith("--")), "")
    last = lines[-1].rstrip()
    if language == "sql" and _TABLE.search(head):
        mark, item = ",", _COLUMN
    elif language == "vhdl":
        mark, item = ";", _PORT
    else:
        return lines
    items = item.match(last) and item.match(following)
    return [*lines[:-1], last + mark] if items and "--" not in last and last[-1] not in ";,(:=" else lines


def in_call(prefix: str) -> bool:
    """Return whether the innermost bracket that is open before the cursor is that of a call."""
    depth = 0
    for at in range(len(prefix) - 1, -1, -1):
        if prefix[at] in ")]}":
            depth += 1
        elif prefix[at] in "([{":
            depth -= 1
            if depth < 0:
                found = _CALL.search(prefix[:at].rstrip()) if prefix[at] == "(" else None
                return found is not None and found["name"] not in _NO_CALL
    return False
