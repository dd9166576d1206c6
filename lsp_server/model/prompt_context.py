"""Chooses what a prompt holds besides the file itself, and keeps the choice while the user types on.

There are four sources: lines of the repository that follow the same tokens as the cursor; chunks that search finds for
the lines around it; definitions of imported names that are used nearby; and the user's last edits elsewhere. The choice
holds for a few lines of typing, because a changed context makes the model's cache useless. The same builder makes
training samples, so that training and serving prompts are equal.

This module knows the index and documents; it knows no model. The text of the index has its secrets masked, that of
an open file covered (``indexer.secrets.documents``); in a prompt both are ``REDACTED``.
"""

import math
import re
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as Late
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Protocol

from indexer.prompt.renderer import ContextPiece, PromptInput
from indexer.search.suffix_search import find
from indexer.secrets.cover import shortened
from indexer.text.lines import lines_of, unify_line_ends
from indexer.types import Chunk, Hit
from lsp_server.backends.base import Cancelled
from lsp_server.model.imported_definitions import Modules, definitions
from lsp_server.model.recent_edits import RecentEdits
from lsp_server.model.similar_context import SimilarLine, similar_lines
from lsp_server.types import Document

RETRIEVAL_SECONDS = 0.1
_QUERY_BEFORE, _QUERY_AFTER = 12, 4  # lines around the cursor that are searched for
_HITS = 6
_SIMILAR, _ABOVE = 3, 4  # pieces with similar lines, and lines above the similar one in each
_LOOKED_AT = 64  # matches of each segment
_SAME_PLACE_LINES = 3  # lines that the cursor may move before the context is chosen again
_KEPT_SECONDS = 60.0
_LOOK_SECONDS = 0.02  # between two looks whether a search that nothing limits is still wanted
_WINDOW_CHARS = 24_000  # of the file before the cursor; no prompt has room for more
_SUFFIX_CHARS = 12_000
_WORD = re.compile(r"[A-Za-z_]\w{2,}")


class ContextSource(Protocol):
    """What a builder needs of an index; :class:`IndexSource` gives it for ``indexer.storage.reader.Index``."""

    @property
    def generation(self) -> int:
        """A number that changes when the repository's text may have changed."""
        ...

    @property
    def paths(self) -> list[str]:
        """The paths of all documents."""
        ...

    def search(self, text: str, limit: int, path: str) -> list[Hit]:
        """Return chunks that fit ``text``, best first, none of ``path``."""
        ...

    def similar(self, ids: Sequence[int], limit: int, path: str) -> list[SimilarLine]:
        """Return lines of files other than ``path`` that follow these token ids, the longest agreement first."""
        ...

    def after(self, chunk: Chunk) -> Chunk | None:
        """Return the chunk that follows in the same file."""
        ...

    def text(self, path: str) -> str | None:
        """Return the text of a document; None if there is none."""
        ...


class IndexSource:
    """An opened ``indexer.storage.reader.Index`` as a source of context."""

    def __init__(self, index: Any) -> None:
        self._index = index
        self.generation: int = index.generation
        self.paths: list[str] = list(index.documents)

    def search(self, text: str, limit: int, path: str) -> list[Hit]:
        """See :class:`ContextSource`."""
        from indexer.search.hybrid import search

        return search(self._index, text, limit, exclude_path=path, near_path=path)

    def similar(self, ids: Sequence[int], limit: int, path: str) -> list[SimilarLine]:
        """See :class:`ContextSource`."""
        found = []
        for segment in self._index.segments.values():
            matches = find(segment.suffix, ids, _LOOKED_AT)
            documents, lines, _ = segment.suffix.locate(matches.positions)
            rows = zip(documents.tolist(), lines.tolist(), matches.lengths.tolist(), strict=True)
            for document, line, length in rows:
                about = segment.documents[document]
                if about.live and about.path != path:
                    found.append(SimilarLine(about.path, line, length))
        near = path.rpartition("/")[0]
        found.sort(key=lambda one: (-one.agreement, one.path.rpartition("/")[0] != near, one.path, one.line))
        return found[:limit]

    def after(self, chunk: Chunk) -> Chunk | None:
        """See :class:`ContextSource`."""
        document = self._index.document(chunk.path)
        chunks = self._index.chunks(document) if document else []
        return next((c for c in chunks if c.start_line >= chunk.end_line), None)

    def text(self, path: str) -> str | None:
        """See :class:`ContextSource`."""
        document = self._index.document(path)
        return None if document is None else str(self._index.text(document))


@dataclass(frozen=True, slots=True)
class PromptContext:
    """The parts of a prompt, and the result of choosing its context.

    :param reason: ``found``, ``kept``, or why the context is empty: ``no-index``, ``no-hits``, ``late``, ``failed``.
    """

    parts: PromptInput
    reason: str
    trace: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Choice:
    uri: str
    line: int
    generation: int
    at: float
    context: tuple[ContextPiece, ...]


class PromptContextBuilder:
    """Builds the prompt context of a session. Called by one thread at a time.

    :param lines: lines of a piece of context; fewer for models with a short context.
    """

    def __init__(self, source: ContextSource | None, repository: str = "repository", lines: int = 16) -> None:
        self._source = source
        self._modules = Modules(source.paths) if source else None
        self._paths = frozenset(source.paths) if source else frozenset()
        self._repository = repository
        self._lines = lines
        self._choice: _Choice | None = None
        self._pending: Future[tuple[ContextPiece, ...]] | None = None
        self._pool: ThreadPoolExecutor | None = None
        self.edits = RecentEdits()

    def set_source(self, source: ContextSource | None) -> None:
        """Use another index from now on."""
        self._source, self._modules, self._choice = source, Modules(source.paths) if source else None, None
        self._paths = frozenset(source.paths) if source else frozenset()

    @property
    def generation(self) -> int:
        """The generation of the index; 0 for none."""
        return self._source.generation if self._source else 0

    def knows(self, context: Sequence[ContextPiece], path: str | None) -> bool:
        """Whether all pieces come from files that are still in the index, or from the file itself."""
        return all(piece.path in self._paths or piece.path == path for piece in context)

    def close(self, uri: str) -> None:
        """Forget a document that was closed, and what was chosen for it."""
        self.edits.close(uri)
        if self._choice is not None and self._choice.uri == uri:
            self._choice = None

    def build(
        self,
        document: Document,
        offset: int,
        seconds: float | None = RETRIEVAL_SECONDS,
        cancelled: Cancelled | None = None,
    ) -> PromptContext:
        """Return the parts of the prompt at ``offset``.

        :param seconds: how long to wait for the search; one that is late goes on. None: no limit.
        :param cancelled: ends the wait as well.
        """
        path = _path(document)
        line = document.text.count("\n", 0, offset)
        kept = self._kept(document.uri, line)
        if kept is not None:
            return PromptContext(self.parts(document, offset, kept), "kept", {"pieces": len(kept)})
        began = time.perf_counter()
        reason, context = self._chosen(document, offset, path, line, seconds, cancelled)
        if context:
            self._choice = _Choice(document.uri, line, self.generation, time.monotonic(), context)
        trace = {"pieces": len(context), "search_seconds": round(time.perf_counter() - began, 4)}
        return PromptContext(self.parts(document, offset, context), reason, trace)

    def _kept(self, uri: str, line: int) -> tuple[ContextPiece, ...] | None:
        choice = self._choice
        if choice is None or choice.uri != uri or abs(choice.line - line) > _SAME_PLACE_LINES:
            return None
        fresh = choice.generation == self.generation and time.monotonic() - choice.at < _KEPT_SECONDS
        return choice.context if fresh else None

    def _chosen(
        self,
        document: Document,
        offset: int,
        path: str,
        line: int,
        seconds: float | None,
        cancelled: Cancelled | None,
    ) -> tuple[str, tuple[ContextPiece, ...]]:
        recent = [ContextPiece(e.path or path, shortened(e.text)) for e in self.edits.elsewhere(document.uri, line, 2)]
        if self._source is None:
            return ("found" if recent else "no-index"), tuple(recent)
        source, modules = self._source, self._modules
        work = partial(_retrieve, source, modules, document.text, offset, path, self._lines)
        try:
            alone = seconds is None and cancelled is None
            found = work() if alone else self._in_time(work, math.inf if seconds is None else seconds, cancelled)
        except Late:
            return ("found" if recent else "late"), tuple(recent)
        except Exception as error:  # a failing index must not fail the completion
            return ("found" if recent else f"failed: {type(error).__name__}"), tuple(recent)
        context = (*recent, *found)
        return ("found" if context else "no-hits"), context

    def _in_time(
        self, work: Callable[[], tuple[ContextPiece, ...]], seconds: float, cancelled: Cancelled | None
    ) -> tuple[ContextPiece, ...]:
        """Run the search on another thread; one that is late goes on, and finds its files cached the next time.

        :raises Late: it took too long, was cancelled, or an earlier one still runs.
        """
        if self._pending is not None and not self._pending.done():
            if cancelled is None:
                raise Late
            _result(self._pending, seconds, cancelled)
        if self._pool is None:
            self._pool = ThreadPoolExecutor(1, thread_name_prefix="retrieval")
        self._pending = self._pool.submit(work)
        return _result(self._pending, seconds, cancelled)

    def begin(self, text: str, offset: int) -> int:
        """Return where the text before a cursor begins that a prompt may hold."""
        begin = 0 if offset <= _WINDOW_CHARS else text.find("\n", offset - _WINDOW_CHARS) + 1
        return begin if 0 < begin <= offset else max(0, offset - _WINDOW_CHARS) if offset > _WINDOW_CHARS else 0

    def parts(
        self, document: Document, offset: int, context: tuple[ContextPiece, ...], begin: int | None = None
    ) -> PromptInput:
        """Return the parts of a prompt with this context.

        :param begin: where the text before the cursor begins; None for as early as useful.
        """
        text = document.text
        begin = self.begin(text, offset) if begin is None else begin
        prefix, suffix = shortened(text[begin:offset]), shortened(text[offset : offset + _SUFFIX_CHARS])
        return PromptInput(_path(document), unify_line_ends(prefix), unify_line_ends(suffix), context, self._repository)


def _result(
    running: Future[tuple[ContextPiece, ...]], seconds: float, cancelled: Cancelled | None
) -> tuple[ContextPiece, ...]:
    """Return the result of a search.

    :raises Late: it is not there after ``seconds``, or was cancelled before.
    """
    end = time.monotonic() + seconds
    while True:
        left = end - time.monotonic()
        try:
            return running.result(left if cancelled is None else min(left, _LOOK_SECONDS))
        except Late:
            if cancelled is None or cancelled() or time.monotonic() >= end:
                raise


def _path(document: Document) -> str:
    return document.path or document.uri.rpartition("/")[2] or "untitled"


def _retrieve(
    source: ContextSource, modules: Modules | None, text: str, offset: int, path: str, lines: int
) -> tuple[ContextPiece, ...]:
    """Return pieces from the repository, the most useful first."""
    before = text[max(0, offset - 4_000) : offset].split("\n")[-_QUERY_BEFORE:]
    after = text[offset : offset + 2_000].split("\n")[:_QUERY_AFTER]
    query = "\n".join([*before, *after])
    taken: set[tuple[str, int]] = set()
    similar_pieces = _similar_pieces(source, text, offset, path, lines, taken)
    pieces: list[ContextPiece] = []
    for hit in source.search(query, _HITS, path):
        start, body = focus(hit.chunk, source.after(hit.chunk), query, lines)
        region = (hit.chunk.path, start // max(1, lines // 2))
        if body.strip() and region not in taken:
            taken.add(region)
            pieces.append(ContextPiece(hit.chunk.path, unify_line_ends(body)))
    defined = definitions(text[:20_000], query, path, modules, source.text) if modules else []
    fresh = (one for one in defined if (one.path, one.line // max(1, lines // 2)) not in taken)
    known = [ContextPiece(one.path, unify_line_ends(one.text)) for one in fresh]
    return (*similar_pieces, *pieces[:2], *known[:3], *pieces[2:])


def _similar_pieces(
    source: ContextSource, text: str, offset: int, path: str, lines: int, taken: set[tuple[str, int]]
) -> list[ContextPiece]:
    """Return pieces around lines that follow the same tokens as the cursor."""
    pieces: list[ContextPiece] = []
    chosen: list[tuple[str, int]] = []
    for similar in similar_lines(text, offset, path, lambda ids, limit: source.similar(ids, limit, path)):
        first = max(0, similar.line - _ABOVE)
        if any(other == similar.path and abs(line - first) < lines for other, line in chosen):
            continue
        body = text if similar.path == path else source.text(similar.path)
        if body is None:
            continue
        rows = "\n".join(lines_of(body)[first : first + lines])
        pieces.append(ContextPiece(similar.path, shortened(rows) + "\n"))
        chosen.append((similar.path, first))
        taken.add((similar.path, first // max(1, lines // 2)))
        if len(pieces) == _SIMILAR:
            break
    return pieces


def focus(chunk: Chunk, following: Chunk | None, query: str, lines: int) -> tuple[int, str]:
    """Return the lines of a hit that are most like the query, and as many after them.

    :returns: the first line (from 0, in the file) and the text.
    """
    rows = chunk.text.split("\n")
    if rows and not rows[-1]:
        rows.pop()
    if following is not None and following.start_line == chunk.end_line:
        rows += following.text.split("\n")[:lines]
    wanted = set(_WORD.findall(query))
    half = max(1, lines // 2)
    words = [set(_WORD.findall(row)) & wanted for row in rows]
    last = min(len(rows), chunk.end_line - chunk.start_line)
    best, best_score = 0, -1
    for start in range(max(1, last - half + 1)):
        score = len(set().union(*words[start : start + half]))
        if score > best_score:
            best, best_score = start, score
    return chunk.start_line + best, "\n".join(rows[best : best + lines]) + "\n"
