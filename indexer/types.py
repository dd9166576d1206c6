"""The records that all three packages share: plain, frozen, without behaviour.

Paths are POSIX, relative to the repository's root, decoded with ``surrogateescape`` (a name need not be UTF-8).
Lines are counted from 0 in code and from 1 in everything a user reads. Offsets are code points of the decoded
text, never bytes and never UTF-16 units.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Entry:
    """A file as the walk found it; the four numbers together show cheaply whether it may have changed."""

    path: str
    size: int
    mtime_ns: int
    ctime_ns: int
    inode: int


def absent(path: str) -> Entry:
    """The entry of a file that is not there."""
    return Entry(path, -1, -1, -1, -1)


@dataclass(frozen=True, slots=True)
class Skip:
    """A file, or a part of one, that is left out; ``reason`` is a constant of ``policy`` or ``building.prepare``."""

    path: str
    reason: str


@dataclass(frozen=True, slots=True)
class Source:
    """A file that the policy accepts: decoded, secrets masked.

    :param blob: git's blob id of the raw bytes (SHA-1, hexadecimal), also outside git.
    :param language: a key of ``languages.table.LANGUAGES``, or ``"text"``.
    :param masked: number of secrets replaced in ``text``.
    """

    path: str
    blob: str
    language: str
    text: str
    encoding: str
    masked: int


@dataclass(frozen=True, slots=True)
class Chunk:
    """The unit of search: whole lines ``[start_line, end_line)`` of one file.

    :param header: path and enclosing signature, one line, put before the text for search and prompts.
    """

    path: str
    language: str
    start_line: int
    end_line: int
    header: str
    text: str


@dataclass(frozen=True, slots=True)
class Hit:
    """A chunk that a search found; ``score`` is the fused score, ``parts`` maps each retriever to its own."""

    chunk: Chunk
    score: float
    parts: dict[str, float]
