"""Matches of one source as columns, before those of all sources are joined.

``match_finder`` finds them; ``matches`` holds the joined ones.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from indexer.search.suffix_array import DEPTH
from indexer.text.tokens import END, WORD
from lsp_server.retrieval.cursor import WINDOW, Ids
from lsp_server.retrieval.matches import Ints, Matches, MatchSource

if TYPE_CHECKING:
    from lsp_server.retrieval.cursor import LexedText

FORM: Final = 24
"""Tokens before a match whose form is compared with that of the tokens before the cursor."""

_NO_TOKEN: Final = 0xFFFFFFFE
"""Equals no token, and is no word."""


@dataclass(frozen=True, slots=True)
class MatchQuery:
    """What is looked for: the tokens before the cursor, under one reading of it.

    :param reading: number of the reading. :param context: token ids, the nearest last.
    :param partial: the unfinished word that a match has to continue; "" behind a whole word.
    """

    reading: int
    context: list[int]
    partial: str


@dataclass(frozen=True, slots=True)
class FoundColumns:
    """Matches of one source as columns, as in ``Matches``; a single number stands for a whole column.

    :param before: uint32 ``(matches, FORM)``; the tokens before each match, the nearest last.
    """

    source: MatchSource
    length: Ints
    weight: NDArray[np.float64] | float
    text: Ints | int
    line: Ints
    token: Ints
    hit: Ints | int
    indent: Ints
    previous: Ints
    window: Ids
    before: Ids


def agreements(ids: Ids, context: Sequence[int]) -> tuple[Ints, Ints]:
    """Return every position of ``ids`` behind the context's last token, and in how many tokens it agrees."""
    if not context or len(ids) < 2:
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    positions = np.flatnonzero(ids[:-1] == context[-1]) + 1
    lengths = np.ones(len(positions), np.int64)
    rows = np.arange(len(positions))
    for back in range(1, min(DEPTH, len(context))):
        at = positions[rows] - 1 - back
        rows = rows[(at >= 0) & (ids[at] == context[-1 - back])]
        if not len(rows):
            break
        lengths[rows] += 1
    return positions, lengths


def in_text(
    source: MatchSource, number: int, text: "LexedText", found: tuple[Ints, Ints, Ints], hit: Ints | int
) -> FoundColumns:
    """Return the columns of matches in a lexed text.

    :param number: of the text in ``SourceTexts``. :param found: positions, lengths of agreement, and lines.
    """
    positions, lengths, line = found
    padded = np.concatenate((text.ids, np.zeros(WINDOW, np.uint32)))
    indents = text.lexed.indents
    return FoundColumns(
        source=source,
        length=lengths,
        weight=1.0,
        text=number,
        line=line,
        token=positions - text.line_starts[line],
        hit=hit,
        indent=indents[line].astype(np.int64),
        previous=_previous(indents, line),
        window=padded[positions[:, None] + np.arange(WINDOW)],
        before=tokens_before(text.ids, positions),
    )


def as_matches(found: Sequence[tuple[MatchQuery, FoundColumns]]) -> Matches:
    """Return all columns as matches, with their form compared with that of their queries."""
    sizes = [len(columns.length) for _, columns in found]

    def column(name: str) -> Any:
        parts = [getattr(columns, name) for _, columns in found]
        return np.concatenate(
            [
                part if isinstance(part, np.ndarray) else np.full(size, part)
                for part, size in zip(parts, sizes, strict=True)
            ]
        )

    reading = np.repeat([query.reading for query, _ in found], sizes)
    return Matches(
        reading=reading,
        source=np.repeat([int(columns.source) for _, columns in found], sizes),
        length=column("length"),
        weight=column("weight"),
        text=column("text"),
        line=column("line"),
        token=column("token"),
        hit=column("hit"),
        indent=column("indent"),
        previous=column("previous"),
        form=_form({query.reading: query.context for query, _ in found}, reading, column("before")),
        changes=np.zeros(len(reading), np.int64),
        window=column("window"),
    )


def _form(contexts: dict[int, list[int]], reading: Ints, before: Ids) -> Ints:
    """Return in how many tokens before each match the form is that of the tokens before the cursor.

    :param contexts: by the number of their reading. :param before: ``(matches, FORM)``.
    """
    own = np.full((max(contexts) + 1, FORM), _NO_TOKEN, np.uint32)
    for number, context in contexts.items():
        own[number, FORM - min(FORM, len(context)) :] = context[-FORM:]
    cursor = own[reading]
    alike = (before == cursor) | (((before & cursor & WORD) == WORD) & (before != END))
    unlike = ~alike[:, ::-1]
    form: Ints = np.where(unlike.any(axis=1), unlike.argmax(axis=1), FORM)
    return form


def tokens_before(ids: Ids, positions: Ints) -> Ids:
    """Return the ``FORM`` tokens before each position, the nearest last."""
    at = positions[:, None] - np.arange(FORM, 0, -1)
    before: Ids = np.where(at >= 0, ids[np.maximum(at, 0)], END).astype(np.uint32)
    return before


def _previous(indents: NDArray[np.uint8], line: Ints) -> Ints:
    """Return the indentation of the last line that is not blank before each line."""
    rows = np.arange(len(indents))
    last = np.maximum.accumulate(np.where(indents != 255, rows, 0))
    before = last[np.maximum(line - 1, 0)]
    return np.where(line > 0, indents[before], 0).astype(np.int64)
