"""Finds values whose meaning stands in another line: columns of Markdown tables, data of Kubernetes' secrets."""

import re
from itertools import pairwise
from typing import Final

from indexer.secrets import rules
from indexer.secrets.columns import HEAD, is_cell_secret
from indexer.secrets.cover import Span

_RULE = re.compile(r"^[ \t]*\|?[ \t]*:?-{2,}[-: \t]*\|[-:| \t]*$", re.MULTILINE)
_ROWS: Final = 400
_SECRET = re.compile(r"^[ \t]*[\"']?kind[\"']?:[ \t]*[\"']?(?:Sealed)?Secret\b", re.MULTILINE)
_DATA = re.compile(r"^(?P<blanks>[ \t]*)[\"']?(?:data|stringData)[\"']?:[ \t]*\{?[ \t]*\r?\n", re.MULTILINE)
_ENTRY = re.compile(
    r"(?P<blanks>[ \t]+)[\"']?[\w./-]+[\"']?:[ \t]*(?P<quote>[\"']?)"
    r"(?P<value>[^\s\"'#|>](?:[^\n\"'#]|(?<!\s)#){1,4000}?)(?P=quote)[ \t]*,?\r?(?:\n|\Z)"
)
_BLOCK = re.compile(r"(?P<blanks>[ \t]+)[\"']?[\w./-]+[\"']?:[ \t]*[|>][+-]?\d?[ \t]*\r?\n")
_LINE = re.compile(r"(?P<blanks>[ \t]*)(?P<text>[^\n]*?)[ \t]*\r?(?:\n|\Z)")
_CELL_MARK: Final = "`*_\"' \t"


def table_cells(text: str) -> list[Span]:
    """Return the spans of secret values in the columns of Markdown tables whose head names a secret."""
    spans: list[Span] = []
    for rule in _RULE.finditer(text):
        head = text.rfind("\n", 0, max(rule.start() - 1, 0)) + 1, max(rule.start() - 1, 0)
        if not HEAD.search(text, *head):
            continue
        columns = [number for number, cell in enumerate(_cells(text, *head)) if HEAD.search(text[slice(*cell)])]
        line: Span | None = rule.span()
        for _ in range(_ROWS):
            line = _next_line(text, line[1]) if line else None
            if line is None or "|" not in text[slice(*line)]:
                break
            cells = _cells(text, *line)
            for number in columns:
                if number < len(cells) and is_cell_secret(text[slice(*cells[number])]):
                    spans.append(cells[number])
    return spans


def _cells(text: str, start: int, end: int) -> list[Span]:
    """Return the spans of a row's cells, without blanks and marks around them."""
    cells: list[Span] = []
    line = text[start:end]
    at = len(line) - len(line.lstrip())
    if line[at : at + 1] == "|":
        at += 1
    for cell in line[at:].split("|"):
        stripped = cell.strip(_CELL_MARK)
        first = start + at + (cell.find(stripped) if stripped else 0)
        cells.append((first, first + len(stripped)))
        at += len(cell) + 1
    return cells


def _next_line(text: str, end: int) -> Span | None:
    start = text.find("\n", end) + 1
    if not start:
        return None
    stop = text.find("\n", start)
    return start, len(text) if stop < 0 else stop


def secret_data(text: str) -> list[Span]:
    """Return the values below ``data`` and ``stringData`` of Kubernetes' secrets."""
    spans: list[Span] = []
    for part in _documents(text):
        if not _SECRET.search(text, *part):
            continue
        for data in _DATA.finditer(text, *part):
            position, indent = data.end(), len(data["blanks"])
            while (entry := _ENTRY.match(text, position, part[1])) or (entry := _BLOCK.match(text, position, part[1])):
                if len(entry["blanks"]) <= indent:
                    break
                position = entry.end()
                if entry.re is _ENTRY:
                    if not rules.is_stand_in(entry["value"]):
                        spans.append(entry.span("value"))
                    continue
                while (line := _LINE.match(text, position, part[1])) and line.end() > position:
                    if line["text"] and len(line["blanks"]) <= len(entry["blanks"]):
                        break
                    if line["text"]:
                        spans.append(line.span("text"))
                    position = line.end()
    return spans


def _documents(text: str) -> list[Span]:
    """Return the documents of a YAML file."""
    borders = [0, *(match.start() for match in re.finditer(r"^---", text, re.MULTILINE)), len(text)]
    return list(pairwise(borders))
