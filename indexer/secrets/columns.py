"""Finds secrets in columns whose head names one: files of separated values, AsciiDoc and reStructuredText tables.

Markdown's tables are in ``structures``.
"""

import re
from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Final

from indexer.secrets import rules
from indexer.secrets.cover import Span

HEAD: Final = re.compile(
    r"passw|passphrase|pwd|비밀번호|암호|비번|패스워드|パスワード|密码|secret|token|api[ _-]?key|access[ _-]?key",
    re.IGNORECASE,
)
"""What the head of a column of secrets says."""

_ROWS: Final = 20_000
_QUOTED = r'"(?:[^"\n]|"")*"'
_SIMPLE_RULE = re.compile(r"^={2,}(?: +={2,})+[ \t]*$", re.MULTILINE)
_RUN = re.compile(r"=+")
_DELIMITER = re.compile(r"^\|={3,}[ \t]*$", re.MULTILINE)
_CELL = re.compile(r"\|([^|\n]*)")
_MARK: Final = "`*_\"' \t\r"


def is_cell_secret(value: str) -> bool:
    """Whether the text of a cell below such a head is a secret."""
    return rules.is_secret_value(value, "password", 12)


def separated_values(text: str) -> Iterator[Span]:
    """Yield the secrets of a file of separated values whose first line has the heads."""
    end = text.find("\n")
    if end < 0 or not HEAD.search(text, 0, end):
        return
    separator = max(",;\t|", key=lambda sign: text.count(sign, 0, end))
    cell = re.compile(rf"(?:^|(?<={re.escape(separator)}))(?:{_QUOTED}|[^{re.escape(separator)}\r\n]*)", re.MULTILINE)
    columns = [number for number, match in enumerate(cell.finditer(text, 0, end)) if HEAD.search(match[0])]
    for _ in range(_ROWS):
        start, end = end + 1, text.find("\n", end + 1)
        stop = len(text) if end < 0 else end
        cells = [match.span() for match in cell.finditer(text, start, stop)]
        yield from _judged(text, (cells[number] for number in columns if number < len(cells)))
        if end < 0:
            return


def simple_tables(text: str) -> Iterator[Span]:
    """Yield the secrets of reStructuredText's simple tables: columns below runs of ``=``."""
    for above, below in pairwise(_SIMPLE_RULE.finditer(text)):
        starts = [run.start() for run in _RUN.finditer(above[0])]
        head = text[above.end() : below.start()]
        if head.count("\n") > 4 or not HEAD.search(head):
            continue
        borders = [*starts[1:], 10_000]
        columns = [
            (left, right)
            for left, right in zip(starts, borders, strict=True)
            if any(HEAD.search(line[left:right]) for line in head.split("\n"))
        ]
        position = below.end() + 1
        for line in text[position : position + 40_000].split("\n"):
            if _SIMPLE_RULE.match(line):
                break
            for left, right in columns:
                yield from _judged(text, [(position + min(left, len(line)), position + min(right, len(line)))])
            position += len(line) + 1


def delimited_tables(text: str) -> Iterator[Span]:
    """Yield the secrets of AsciiDoc's tables between ``|===``; cells may stand on lines of their own."""
    borders = [match.span() for match in _DELIMITER.finditer(text)]
    for (_, start), (end, _) in zip(borders[::2], borders[1::2], strict=False):
        head = text[start:end].lstrip("\n").split("\n", 1)[0]
        heads = _CELL.findall(head)
        columns = [number for number, name in enumerate(heads) if HEAD.search(name)]
        if columns:
            cells = list(_CELL.finditer(text, text.find(head, start) + len(head), end))
            chosen = (cell.span(1) for number, cell in enumerate(cells) if number % len(heads) in columns)
            yield from _judged(text, chosen)


def _judged(text: str, cells: "Iterator[Span] | list[Span]") -> Iterator[Span]:
    for left, right in cells:
        while left < right and text[left] in _MARK:
            left += 1
        while left < right and text[right - 1] in _MARK:
            right -= 1
        if is_cell_secret(text[left:right]):
            yield left, right


FINDERS: Final[dict[str, Callable[[str], Iterator[Span]]]] = {
    **dict.fromkeys((".csv", ".tsv", ".psv"), separated_values),
    ".rst": simple_tables,
    **dict.fromkeys((".adoc", ".asciidoc"), delimited_tables),
}
"""Which of these looks at files with which ending."""
