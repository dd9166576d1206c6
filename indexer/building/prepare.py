"""Prepares one file for the index: read, apply the policy, decode, mask, cut into chunks, lex, find terms, embed.

This runs in worker processes, or in the building process for a few files. The result is a
:class:`~indexer.storage.segment.Prepared` document, or the reason why there is none.
"""

from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from indexer.config import Settings
from indexer.languages.chunking import chunk, chunk_terms
from indexer.repository.policy import read_source
from indexer.search.word_prefixes import words_of
from indexer.storage.segment import Prepared
from indexer.storage.text_blocks import pack_text
from indexer.text.tokens import lex
from indexer.types import Chunk, Entry, Skip, Source

if TYPE_CHECKING:
    from indexer.search.embedding import Encoder

TIMEOUT = "timeout"
MEMORY = "memory"
CRASH = "crash"
"""Reasons for leaving a file out: it exceeded a limit, or the process ended at it."""


class Preparer:
    """Prepares files of one repository; the encoder is loaded for the first document.

    :param embed: False for an index without vectors.
    """

    def __init__(self, root: Path, settings: Settings, *, embed: bool = True) -> None:
        self._root = root
        self._settings = settings
        self._embed = embed
        self._encoder: Encoder | None = None

    def prepare(self, entry: Entry, known: Collection[str]) -> Prepared | Skip | str:
        """The document of a file, the reason why it is left out, or its blob id if that is one of ``known``."""
        try:
            source = read_source(self._root, entry, self._settings)
            if isinstance(source, Skip):
                return source
            return source.blob if source.blob in known else self.document(source)
        except MemoryError:
            return Skip(entry.path, MEMORY)

    def document(self, source: Source) -> Prepared:
        """Compute everything that the index keeps of a file."""
        chunks = chunk(source.text, source.language, source.path)
        tokens: set[str] = set()
        lexed = lex(source.text, tokens)
        return Prepared(
            path=source.path,
            blob=source.blob,
            language=source.language,
            encoding=source.encoding,
            masked=source.masked,
            lines=len(lexed.counts),
            size=len(source.text.encode("utf-8", "surrogatepass")),
            packed=pack_text(source.text, [piece.header for piece in chunks]),
            spans=np.array([(piece.start_line, piece.end_line) for piece in chunks], np.int32).reshape(-1, 2),
            vectors=self._vectors(chunks),
            terms=[chunk_terms(piece) for piece in chunks],
            words=words_of(tokens),
            lexed=lexed,
        )

    def _vectors(self, chunks: list[Chunk]) -> "np.ndarray[tuple[int, int], np.dtype[np.float32]]":
        if not self._embed:
            return np.empty((len(chunks), 0), np.float32)
        if self._encoder is None:
            from indexer.search.embedding import Encoder

            self._encoder = Encoder.load()
        return self._encoder.encode([f"{piece.header}\n{piece.text}" for piece in chunks])
