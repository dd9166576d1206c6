"""Finds secrets in the rows of an ``INSERT`` whose columns name them.

A row far from the head of its statement is not looked at: after a key, only the lines around it are masked again.
"""

import re
from collections.abc import Iterator
from typing import Final

from indexer.secrets import rules
from indexer.secrets.cover import Span

_HEAD: Final = re.compile(
    r"\binsert\s{1,9}(?:ignore\s{1,9})?into\s{1,9}[\w.\"`\[\]]{1,120}\s{0,9}\((?P<columns>[^()]{1,1500})\)\s{0,9}"
    r"(?:overriding\s\w{4,8}\svalue\s{1,9})?(?P<rows>values?\b|select\b)\s{0,40}",
    re.IGNORECASE,
)
_CELL: Final = re.compile(
    r"\s*(?:N?'(?P<value>(?:[^'\n\\]|''|\\.){0,512})'|\"(?P<double>[^\"\n]{0,512})\"|(?:[^'\"(),;]|\((?:[^()]|\([^()]*\))*\)){1,512}"
    r")\s*(?P<end>,|\)|;|\Z)"
)
_NEXT_ROW: Final = re.compile(r"\s*,?\s*\(")
_LINES: Final = 14


def insert_rows(text: str, lowered: str) -> Iterator[Span]:
    """Yield the secrets in columns whose name announces one.

    :param lowered: the text in lower case, of the same length.
    """
    if "insert" not in lowered:
        return
    for head in _HEAD.finditer(text):
        kinds = [rules.kind_of_name(name.strip(' \t\r\n`"[]')) for name in head["columns"].split(",")]
        if not any(kind in ("password", "strict") for kind in kinds):
            continue
        last = head.end()
        for _ in range(_LINES):
            following = text.find("\n", last)
            last = len(text) if following < 0 else following + 1
        if head["rows"].lower() == "select":
            yield from _row(text, head.end(), last, kinds)[0]
            continue
        position = head.end()
        while (row := _NEXT_ROW.match(text, position, last)) is not None:
            found, position = _row(text, row.end(), last, kinds)
            yield from found


def _row(text: str, position: int, last: int, kinds: list[str | None]) -> tuple[list[Span], int]:
    """Return the secrets of the row that begins at ``position``, and where it ends."""
    found: list[Span] = []
    for kind in kinds:
        cell = _CELL.match(text, position, last)
        if cell is None:
            break
        position = cell.end()
        group = "value" if cell["value"] is not None else "double"
        value = cell[group]
        if value and kind in ("password", "strict") and rules.is_secret_value(value, kind):
            found.append(cell.span(group))
        if cell["end"] != ",":
            break
    return found, position
