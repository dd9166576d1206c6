"""The editor's own help while a text is typed: closing brackets and quotes, and the indentation after Enter.

What the editor inserts takes no key, with ghost text and without.
"""

import re
from typing import Final

from lsp_server.hangul import keys

CLOSERS: Final = {"(": ")", "[": "]", "{": "}", '"': '"', "'": "'", "`": "`"}
QUOTES: Final = "\"'`"

INDENT: Final = re.compile(r"\n[ \t]*")


def keys_of(want: str, closing: dict[int, int], start: int, end: int) -> int:
    """Return the keys that a part of a text takes without ghost texts: what the editor inserts is free."""
    free = set(closing.values())
    free |= {line for one in closing.items() if (line := own_line(want, *one)) is not None}
    for match in INDENT.finditer(want):
        free.update(range(match.start() + 1, match.end()))
    return sum(len(keys(want[at])) for at in range(start, end) if at not in free)


def own_line(want: str, opening: int, closing: int) -> int | None:
    """Return where the line of a closing bracket begins, if Enter behind the opening one puts it there."""
    begin = want.rfind("\n", 0, closing)
    block = want[opening] in "([{" and want[opening + 1] == "\n" and begin > opening + 1
    return begin if block and not want[begin:closing].strip() else None


def closing_marks(want: str) -> dict[int, int]:
    """Return for each opening bracket or quote that the editor closes the place of its closing one.

    Only what the text itself closes, nested properly; nothing within quotes, and no quote next to a letter.
    """
    found: dict[int, int] = {}
    at = 0
    stack: list[tuple[str, int]] = []
    while at < len(want):
        letter = want[at]
        if letter in QUOTES:
            end = want.find(letter, at + 1)
            line = want.find("\n", at)
            in_word = want[at - 1 : at].isalnum()
            if not in_word and end > at and (line < 0 or end < line) and want[end - 1] != "\\":
                found[at] = end
                at = end
        elif letter in CLOSERS:
            stack.append((letter, at))
        elif letter in ")]}" and stack:
            opening, place = stack.pop()
            if CLOSERS[opening] == letter:
                found[place] = at
            else:
                stack.clear()
        at += 1
    return found
