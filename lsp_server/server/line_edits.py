"""Follows one line of a document through edits: where it stands now, and what was changed in it.

Lines are strings, with their line ends where a list of them is given; columns count code points.
"""

from collections.abc import Sequence

from lsp_server.common_text import common_ends

Place = tuple[int, int]
Edit = tuple[Place, Place, str] | None
"""Start, end (line, column in any units) and new text; None where the whole text was replaced."""


def body(line: str) -> str:
    """Return a line without its line end."""
    return line.rstrip("\r\n")


def moved(number: int, edits: Sequence[Edit]) -> int | None:
    """Return the number of a line after edits; None where it was joined to the line above or deleted."""
    for edit in edits:
        if edit is None:
            continue
        (first, _), (last, column), text = edit
        grown = text.count("\n") + text.replace("\r\n", "\n").count("\r") - (last - first)
        if last < number or (last == number and column == 0 and text.endswith(("\n", "\r"))):
            number += grown
        elif first < number:
            return None
    return number


def difference(old: str, new: str, column: int) -> tuple[int, str, str]:
    """Return place, removed text and inserted text of one edit that makes ``new`` of ``old``, at the cursor if it can.

    The cases of typing and of Backspace are two comparisons, so that a key in a line of 10,000 characters is cheap.
    """
    grown = len(new) - len(old)
    if grown >= 0 and old[:column] == new[:column] and new.endswith(old[column:]):
        return column, "", new[column : column + grown]
    if grown < 0 and column + grown >= 0 and new == old[: column + grown] + old[column:]:
        return column + grown, old[column + grown : column], ""
    place, end = common_ends(old, new)
    return place, old[place : len(old) - end], new[place : len(new) - end]


def text_from(lines: Sequence[str], number: int, column: int, length: int) -> str:
    """Return up to ``length`` characters from a place on."""
    parts, have = [lines[number][column:]], len(lines[number]) - column
    while have < length and number + 1 < len(lines):
        number += 1
        parts.append(lines[number])
        have += len(lines[number])
    return "".join(parts)[:length]


def stands(lines: Sequence[str], number: int, column: int, text: str) -> bool:
    """Whether a text stands at a place."""
    return text_from(lines, number, column, len(text)) == text
