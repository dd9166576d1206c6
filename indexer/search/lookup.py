"""Finds chunks for a person who asks: definitions of the names in the question first, then as they are ranked."""

import re
from collections.abc import Iterable
from typing import Final

from indexer.search.definitions import definition_line
from indexer.search.hybrid import Searchable, search
from indexer.types import Hit

POOL: Final = 300
"""Hits among which definitions are looked for: a name's uses can fill the first ones."""

_PER_FILE: Final = 2
_IDENTIFIER = re.compile(r"[^\W\d]\w*")


def look_up(index: Searchable, text: str, limit: int) -> list[tuple[Hit, int | None]]:
    """Return the chunks to show, each with the line, from 0, at which it defines a name that was asked for."""
    words = frozenset(_IDENTIFIER.findall(text))
    return _chosen(search(index, text, max(limit, POOL), per_file=None), _names(words), limit)


def _names(words: frozenset[str]) -> frozenset[str]:
    """The words whose definitions are wanted: a single word, or those of a question that are names of code."""
    return (
        words if len(words) == 1 else frozenset(word for word in words if "_" in word or word[1:].lower() != word[1:])
    )


def _chosen(hits: Iterable[Hit], names: frozenset[str], limit: int) -> list[tuple[Hit, int | None]]:
    """The hits to show, each with the line at which it defines one of ``names``: definitions first, else as ranked."""
    every = [(hit, definition_line(hit.chunk, names)) for hit in hits]
    every.sort(key=lambda pair: pair[1] is None)
    chosen: list[tuple[Hit, int | None]] = []
    in_file: dict[str, int] = {}
    for hit, defined in every:
        in_file[hit.chunk.path] = in_file.get(hit.chunk.path, 0) + 1
        if in_file[hit.chunk.path] <= _PER_FILE:
            chosen.append((hit, defined))
        if len(chosen) == limit:
            break
    return chosen
