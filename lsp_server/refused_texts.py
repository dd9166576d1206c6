"""Decides whether a text is one that was refused before on the cursor's line. Texts are compared, not positions."""

from collections.abc import Iterable
from typing import Final

SHORT: Final = 3
"""Refused texts of fewer characters are compared as a whole: a refused ``s`` must not keep every word with s away."""


def is_refused(text: str, refused: Iterable[str], before: str) -> bool:
    """Return whether a text begins with a refused one, or a refused one with it, in whole words.

    Blanks at both ends do not count, nor does a run of the mark before the cursor at the beginning: the text behind a
    rule of dashes is the same after each further dash.

    :param before: text before the cursor; only its last character is used.
    """
    mark = "" if not before or before[-1].isalnum() or before[-1] == "_" else before[-1]
    own = _bare(text, mark)
    return bool(own) and any(_same(own, _bare(one, mark)) for one in refused)


def _bare(text: str, mark: str) -> str:
    return text.lstrip(f"{mark} \t").rstrip() or text.strip()


def _same(own: str, refused: str) -> bool:
    if len(refused) < SHORT:
        return own.split("\n", 1)[0].rstrip() == refused.split("\n", 1)[0].rstrip()
    return _begins(own, refused) or _begins(refused, own)


def _begins(text: str, beginning: str) -> bool:
    """Return whether a text begins with another one, and not with a part of a word."""
    if not text.startswith(beginning):
        return False
    after, last = text[len(beginning) : len(beginning) + 1], beginning[-1]
    return not ((after.isalnum() or after == "_") and (last.isalnum() or last == "_"))
