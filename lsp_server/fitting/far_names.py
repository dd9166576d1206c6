"""Finds out whether a line gives a name that its scope has beyond the lines that are read around the cursor.

A class of tests or a list may be thousands of lines long. What is open at far lines is not known. A far line is taken
to be of the same scope where it has the same blanks before it, and no end of a block between has fewer (where blocks
have no ends: no line).
"""

import re
from collections.abc import Iterator
from functools import lru_cache
from itertools import chain
from typing import Final

from indexer.text.lines import indent_of, leading_blanks
from lsp_server.fitting.name_table import RULES
from lsp_server.fitting.names import LONGEST, OVERLOAD, gives, names_given
from lsp_server.fitting.surroundings import Surroundings

CHARACTERS: Final = 100_000
"""Characters above the cursor, and below it, that are looked at, at most."""

TRIED: Final = 100
"""Lines with the name on either side that are looked at, at most."""


def defined_far(line: str, around: Surroundings, text: str, offset: int) -> bool:
    """Return whether a line gives a name that its scope has beyond the lines that are read.

    :param line: the whole line of the cursor. :param text: the document. :param offset: of the cursor.
    """
    rules, block, indent = RULES.get(around.language), around.state.code, indent_of(line)
    # Where a block's lines are not indented deeper than its head, blanks do not say where it ends.
    if rules is None or (block.indent >= indent if block is not None else indent > 0 and not rules.indented):
        return False
    blanks = leading_blanks(line)
    leaves = _leaving(around.language, len(blanks))
    for rule, key in names_given(line, around, around.state):
        below = () if around.rewritten(line) else _below(text, offset, key[1], around)
        for at, start, stop in chain(_above(text, offset, key[1], around), below):
            other = _line_at(text, at)
            if (
                leading_blanks(other) != blanks
                or not gives(rule, key, other)
                or OVERLOAD.search(_line_before(text, at))
            ):
                continue
            if leaves.search(text, start, stop) is None:
                return True
    return False


def _above(text: str, offset: int, name: str, around: Surroundings) -> Iterator[tuple[int, int, int]]:
    """Yield where lines with a name stand above those that were read, and from where to where a scope must last."""
    line = text.rfind("\n", 0, offset) + 1
    at = line - sum(map(len, around.above)) - len(around.above)
    start = max(0, line - CHARACTERS)
    for _ in range(0 if around.from_start else TRIED):
        at = text.rfind(name, start, max(at, start))
        if at < 0:
            return
        end = text.find("\n", at) + 1
        at = text.rfind("\n", 0, at) + 1
        yield at, end, line


def _below(text: str, offset: int, name: str, around: Surroundings) -> Iterator[tuple[int, int, int]]:
    """Yield the same for lines below those that were read."""
    line = text.find("\n", offset) + 1
    at = line + sum(map(len, around.below)) + len(around.below)
    stop = line + CHARACTERS
    for _ in range(TRIED if line else 0):
        at = text.find(name, at, stop)
        if at < 0:
            return
        begin = text.rfind("\n", 0, at) + 1
        yield begin, line, begin
        at = begin + len(_line_at(text, begin))


def _line_at(text: str, start: int) -> str:
    end = text.find("\n", start)
    return text[start : end if 0 <= end < start + LONGEST else start + LONGEST].rstrip("\r")


def _line_before(text: str, start: int) -> str:
    return _line_at(text, text.rfind("\n", 0, max(0, start - 1)) + 1) if start else ""


@lru_cache(maxsize=256)
def _leaving(language: str, blanks: int) -> re.Pattern[str]:
    """Return the pattern of a line that leaves a scope: one with fewer blanks, or one beyond which names are free.

    Where blocks have ends, the line must be one: labels and the lines of strings may have any number of blanks.
    """
    rules = RULES[language]
    leaves = r"(?!--|[#/*`])\S" if rules.indented else r"(?:[)\]}]|(?i:end)|(?:fi|done|esac|until)\b)"
    fewer = rf"[ \t]{{0,{blanks - 1}}}{leaves}" if blanks else "(?!)"
    return re.compile(rf"^(?:{fewer}{'|' + rules.ends if rules.ends else ''})", re.MULTILINE)
