"""Finds lines that follow the same tokens as the cursor: what comes next there may come next here.

It searches the repository's token suffix index, and the parts of the open document that the prompt does not hold; once
with the line as far as it is typed, once from the line's start. This module knows no prompts and no models.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from indexer.search.suffix_array import DEPTH
from indexer.text.lines import lines_of
from indexer.text.tokens import lex
from lsp_server.retrieval.found_columns import agreements

LEAST: Final = 4
"""Tokens that have to agree; with two, as many of the authors' lines are in the context, with six, a tenth fewer."""

_BEFORE, _AFTER = 2_500, 900
"""Characters around the cursor that are part of every prompt."""

_REACH: Final = 60_000
"""Characters of the open document on either side that are searched."""

_CONTEXT: Final = 3_000
_MOST: Final = 12
_UNFINISHED: Final = re.compile(r"\w+\Z")


@dataclass(frozen=True, slots=True)
class SimilarLine:
    """A line (from 0) of a file, and how many tokens up to it agree with those before the cursor."""

    path: str
    line: int
    agreement: int


Ask = Callable[[Sequence[int], int], Sequence[SimilarLine]]
"""Returns lines of the repository that follow token ids, up to a limit, the longest agreement first."""


def similar_lines(text: str, offset: int, path: str, ask: Ask) -> list[SimilarLine]:
    """Return similar lines, the longest agreement first; those of the open document have its ``path``."""
    prefix = text[max(0, offset - _CONTEXT) : offset]
    typed, started = _UNFINISHED.sub("", prefix), prefix[: prefix.rfind("\n") + 1]
    found: dict[tuple[str, int], SimilarLine] = {}
    for context in {typed: None, started: None}:
        ids = _ids(context)[-DEPTH:]
        if not ids:
            continue
        for line in (*_in_document(text, offset, path, ids), *ask(ids, _MOST)):
            known = found.get((line.path, line.line))
            if line.agreement >= LEAST and (known is None or known.agreement < line.agreement):
                found[line.path, line.line] = line
    return sorted(found.values(), key=lambda line: (-line.agreement, line.path != path, line.path, line.line))


def _ids(text: str) -> list[int]:
    """Return the tokens of a text, without a line end that it does not have."""
    ids: list[int] = lex(text).ids.tolist()
    return ids if text.endswith(("\n", "\r")) else ids[:-1]


def _in_document(text: str, offset: int, path: str, ids: Sequence[int]) -> list[SimilarLine]:
    """Return lines of the open document that are too far from the cursor to be in the prompt."""
    found = []
    before = text[: max(0, offset - _BEFORE)]
    skipped = max(0, len(before) - _REACH)
    after = offset + _AFTER
    for start, part in ((skipped, before[skipped:]), (after, text[after : after + _REACH])):
        if not part:
            continue
        lexed = lex(part)
        similar, lengths = agreements(lexed.ids, list(ids))
        ends, first = np.cumsum(lexed.counts), len(lines_of(text[:start])) - 1
        for best in np.argsort(-lengths, kind="stable")[:_MOST].tolist():
            line = first + int(np.searchsorted(ends, similar[best], side="right"))
            found.append(SimilarLine(path, line, int(lengths[best])))
    return found
