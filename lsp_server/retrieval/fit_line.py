"""Fits a continuation to its line: to the typed text and to the text behind the cursor.

This module knows strings alone.
"""

import re

_WORD = re.compile(r"\w")
_CLOSERS = re.compile(r"[)\]}>'\"`;:,\s]+$")
_PAIRS = {")": "(", "]": "[", "}": "{"}


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
        return None
    return text.lstrip() if not prefix or prefix[-1:].isspace() else text


def fit(text: str, behind: str) -> tuple[str, int] | None:
    """Fit a continuation to the text behind the cursor.

    :returns: the text to insert and how many characters behind the cursor it replaces; None if the two do not fit.
    """
    rest = behind.rstrip()
    if not rest:
        return text, 0
    if text.endswith(rest) and len(text) > len(rest):
        return text, len(rest)
    if text.startswith(rest):
        return text, len(rest)
    if _CLOSERS.fullmatch(rest):
        return _close(text, rest)
    # Mid-line: only what comes before the text behind.
    at = text.find(rest)
    if at > 0:
        return text[:at], 0
    return None


def _close(text: str, closers: str) -> tuple[str, int] | None:
    """Fit a text to closing marks behind the cursor: those that the text closes itself are replaced."""
    surplus = _unopened(text)
    if not surplus:
        return text, 0
    if closers.startswith(surplus) or text.endswith(closers):
        return text, min(len(surplus), len(closers))
    if surplus.startswith(closers.strip()):
        return text, len(closers)
    return None


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
