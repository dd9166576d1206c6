"""Cuts a file's text into chunks: whole definitions, joined to 20-60 lines and at most 2,000 characters.

Each file is parsed once. A cursor then walks the tree and enters only nodes that are too big for a chunk; this takes a
few per cent of the parsing time, at any depth of nesting. The walk collects *cuts*: lines where a chunk may begin.
Comments, decorators and attributes stay with the code after them. Without a grammar, without a tree in time, and inside
nodes that cannot be divided, cuts are made at paragraphs and then at any line.

Lines end as in the language server protocol (``\\n``, ``\\r\\n``, ``\\r``). Chunking raises on no text.
"""

import re
import time
from bisect import bisect_right
from collections import Counter
from dataclasses import dataclass, field
from functools import cache
from itertools import accumulate

from tree_sitter import Node, Parser, TreeCursor

from indexer.languages.grammars import grammar, language_in, parser
from indexer.languages.table import LANGUAGES
from indexer.text.lines import lines_with_ends
from indexer.text.terms import terms
from indexer.types import Chunk

MIN_LINES = 20
MAX_LINES = 60
MAX_CHARS = 2_000
# Processor seconds of this thread that one parse may take: ordinary code needs 0.1 to 0.2 s per megabyte, random bytes
# 4 s. Beyond it the file is cut without a tree.
_PARSE_SECONDS = 0.5
_PARSE_SECONDS_PER_BYTE = 4e-6
_READ_BYTES = 65_536
_SIGNATURE_CHARS = 120
_HEADER_CHARS = 300
# A node of more lines than this may begin a chunk once the chunk before it is long enough, as a definition may.
_LONG_LINES = 4
# A node with more children per line than this is a table of data; its lines are cut without walking its children.
_DENSE = 8

_TRAILING_COMMENT = re.compile(r":\s+#.*")
_LEADING = frozenset({"decorator", "attribute_item", "inner_attribute_item", "attribute_list", "attribute_group"})
_NO_SCOPE = -1


@dataclass(slots=True)
class _Cuts:
    """Lines where a chunk may begin, ascending, with their properties.

    ``boundary``: a definition or another long node begins, so a chunk that is long enough may end before it.
    ``scopes`` holds (number of the scope around it, first line, signature).
    """

    lines: list[int] = field(default_factory=list)
    leading: list[bool] = field(default_factory=list)
    boundary: list[bool] = field(default_factory=list)
    scope: list[int] = field(default_factory=list)
    scopes: list[tuple[int, int, str]] = field(default_factory=list)

    def add(self, line: int, leading: bool, boundary: bool, scope: int) -> None:
        self.lines.append(line)
        self.leading.append(leading)
        self.boundary.append(boundary)
        self.scope.append(scope)

    def header(self, path: str, line: int, scope: int) -> str:
        """Path and the signatures of the scopes that were open before ``line``, outermost first."""
        signatures: list[str] = []
        room = _HEADER_CHARS
        while scope != _NO_SCOPE and room > 0:
            scope, first, signature = self.scopes[scope]
            if first < line and signature:
                signatures.append(signature)
                room -= len(signature)
        return ": ".join([_one_line(path), *reversed(signatures)])


@dataclass(frozen=True, slots=True)
class _Kinds:
    """Node kinds of one grammar, by number."""

    leading: frozenset[int]
    definitions: frozenset[int]


def chunk(text: str, language: str, path: str) -> list[Chunk]:
    """Cut a text into chunks, in order and disjoint. They cover every line that is not blank, with its exact text.

    :param language: a key of ``language_table.LANGUAGES``, or anything else for a text without a grammar.
    :param path: used for the header, and to tell C++ headers from C.
    A single line longer than 2,000 characters is a chunk of its own.
    """
    lines = lines_with_ends(text)
    if not lines:
        return []
    starts = [0, *accumulate(map(len, lines))]
    cuts = _syntax_cuts(text, lines, starts, language, path) or _paragraph_cuts(lines)
    chunks = []
    for first, end, scope in _pack(cuts, lines, starts):
        while first < end and not lines[first].strip():
            first += 1
        while first < end and not lines[end - 1].strip():
            end -= 1
        if first < end:
            body = text[starts[first] : starts[end]]
            chunks.append(Chunk(path, language, first, end, cuts.header(path, first, scope), body))
    return chunks


def _one_line(text: str) -> str:
    return " ".join(text.split())


# --- cuts from a syntax tree -----------------------------------------------------------------------------------------


@cache
def _kinds(language: str) -> _Kinds:
    found = grammar(language)
    assert found is not None  # a parser of this language exists
    definitions = frozenset(LANGUAGES[language].definitions)
    leading_ids, definition_ids = set(), set()
    for number in range(found.node_kind_count):
        if not (found.node_kind_is_named(number) and found.node_kind_is_visible(number)):
            continue
        name = found.node_kind_for_id(number) or ""
        if "comment" in name or name in _LEADING:
            leading_ids.add(number)
        elif name in definitions:
            definition_ids.add(number)
    return _Kinds(frozenset(leading_ids), frozenset(definition_ids))


def _syntax_cuts(text: str, lines: list[str], starts: list[int], language: str, path: str) -> _Cuts | None:
    """Cuts at the nodes of a parse, or None where there is no grammar or no tree in time."""
    name = language_in(language, path, text)
    maker = parser(name)
    if maker is None:
        return None
    if "\r" in text:  # tree-sitter counts rows by \n alone: the same number of bytes, and rows that agree with ours
        text = re.sub(r"\r(?!\n)", "\n", text)
    data = text.encode("utf-8", "surrogatepass")
    cursor = _parse(maker, data)
    if cursor is None:
        return None
    return _Walk(lines, starts, _kinds(name)).run(cursor)


def _parse(maker: Parser, data: bytes) -> TreeCursor | None:
    """A cursor at the root, or None when the parse took too long."""
    deadline = time.thread_time() + _PARSE_SECONDS + _PARSE_SECONDS_PER_BYTE * len(data)

    def read(offset: int, _point: object) -> bytes:
        return data[offset : offset + _READ_BYTES]

    def late(_offset: int, _has_error: bool) -> bool:
        return time.thread_time() > deadline

    try:
        return maker.parse(read, progress_callback=late).walk()
    except ValueError:
        return None


class _Walk:
    """One pre-order walk that goes down only where a node is too big for a chunk."""

    def __init__(self, lines: list[str], starts: list[int], kinds: _Kinds) -> None:
        self._lines = lines
        self._starts = starts
        self._kinds = kinds
        self._cuts = _Cuts()
        self._covered = -1  # the last line that a node seen so far reaches

    def run(self, cursor: TreeCursor) -> _Cuts:
        """Visit the tree below the cursor's node."""
        if not cursor.goto_first_child():
            return self._cuts
        open_scopes: list[int] = []  # one entry for each level gone down
        scope = _NO_SCOPE
        while True:
            node = cursor.node
            assert node is not None
            first, last = self._rows(node)
            if self._enters(node, first, last):
                inner = self._open(node, first, last, scope)
                if cursor.goto_first_child():
                    open_scopes.append(scope)
                    scope = inner
                    continue
            self._cut(node, first, last, scope)
            self._covered = max(self._covered, last)
            while not cursor.goto_next_sibling():
                if not open_scopes:
                    return self._cuts
                cursor.goto_parent()
                scope = open_scopes.pop()

    def _rows(self, node: Node) -> tuple[int, int]:
        first, (last, column) = node.start_point[0], node.end_point
        if column == 0 and last > first:
            last -= 1
        end = len(self._lines) - 1
        return min(first, end), min(last, end)

    def _enters(self, node: Node, first: int, last: int) -> bool:
        if last == first:
            return False
        rows = last - first + 1
        if rows <= MAX_LINES and self._starts[last + 1] - self._starts[first] <= MAX_CHARS:
            return False
        return node.child_count <= _DENSE * rows

    def _open(self, node: Node, first: int, last: int, scope: int) -> int:
        """Cut before a node that is gone into; the scope inside it."""
        self._cut(node, first, last, scope)
        self._covered = max(self._covered, first)
        if node.kind_id not in self._kinds.definitions:
            return scope
        self._cuts.scopes.append((scope, first, self._signature(node, first)))
        return len(self._cuts.scopes) - 1

    def _cut(self, node: Node, first: int, last: int, scope: int) -> None:
        kind = node.kind_id
        leading = kind in self._kinds.leading
        boundary = last - first >= _LONG_LINES or kind in self._kinds.definitions
        if first > self._covered:
            if node.is_named:
                self._cuts.add(first, leading, boundary, scope)
        elif self._cuts.lines and self._cuts.lines[-1] == first:
            # the first child of a node that was gone into, on the same line
            self._cuts.leading[-1] = self._cuts.leading[-1] or leading
            self._cuts.boundary[-1] = self._cuts.boundary[-1] or boundary

    def _signature(self, node: Node, first: int) -> str:
        """The text from a definition's first line to its body, in one line."""
        body = node.child_by_field_name("body")
        if body is None:
            found = self._lines[first]
        else:
            row, column = body.start_point
            row = min(row, first + 8)
            found = "".join(self._lines[first:row])
            if row == body.start_point[0] and row < len(self._lines):
                found += self._lines[row].encode("utf-8", "surrogatepass")[:column].decode("utf-8", "replace")
        found = _one_line(_TRAILING_COMMENT.sub(":", found))[:_SIGNATURE_CHARS].rstrip(" {(:=")
        return found.removesuffix(" begin")


# --- cuts without a tree ---------------------------------------------------------------------------------------------


def _paragraph_cuts(lines: list[str]) -> _Cuts:
    """A cut at each line that follows a blank one, and at the first."""
    cuts = _Cuts()
    blank = True
    for number, line in enumerate(lines):
        empty = not line.strip()
        if blank and not empty:
            cuts.add(number, False, True, _NO_SCOPE)
        blank = empty
    return cuts


# --- packing ---------------------------------------------------------------------------------------------------------


def _atoms(cuts: _Cuts, lines: list[str]) -> list[tuple[int, int, bool, int]]:
    """Tile all lines: (first, end, boundary, scope). Leading comments join what follows without a blank line."""
    atoms: list[tuple[int, int, bool, int]] = []
    count = len(lines)
    start, scope, waiting = 0, _NO_SCOPE, True
    for number, line in enumerate(cuts.lines):
        if not waiting:
            start, scope = line, cuts.scope[number]
        elif number:
            pass  # a leading comment stays the beginning of this atom
        else:
            scope = cuts.scope[number]
        end = cuts.lines[number + 1] if number + 1 < len(cuts.lines) else count
        waiting = cuts.leading[number] and end < count and bool(lines[end - 1].strip())
        if not waiting:
            atoms.append((start, end, cuts.boundary[number], scope))
    if not atoms:
        atoms.append((0, count, True, _NO_SCOPE))
    return atoms


def _pack(cuts: _Cuts, lines: list[str], starts: list[int]) -> list[tuple[int, int, int]]:
    """Join atoms to spans (first line, end line, scope) within the limits; divide atoms beyond them."""
    spans: list[tuple[int, int, int]] = []
    first, end, scope = 0, 0, _NO_SCOPE
    for atom_first, atom_end, boundary, atom_scope in _atoms(cuts, lines):
        if end > first:
            full = atom_end - first > MAX_LINES or starts[atom_end] - starts[first] > MAX_CHARS
            if not full and not (boundary and end - first >= MIN_LINES):
                end = atom_end
                continue
            spans.append((first, end, scope))
        first, end, scope = atom_first, atom_end, atom_scope
        if end - first > MAX_LINES or starts[end] - starts[first] > MAX_CHARS:
            *whole, (first, end) = _windows(first, end, lines, starts)
            spans.extend((a, b, scope) for a, b in whole)
    if end > first:
        spans.append((first, end, scope))
    return spans


def _windows(first: int, end: int, lines: list[str], starts: list[int]) -> list[tuple[int, int]]:
    """Divide lines that hold no usable cut, after a blank line if there is one in the second half of a window."""
    windows = []
    while first < end:
        stop = min(end, first + MAX_LINES, bisect_right(starts, starts[first] + MAX_CHARS) - 1)
        stop = max(stop, first + 1)
        if stop < end:
            for cut in range(stop, first + (stop - first) // 2, -1):
                if not lines[cut - 1].strip():
                    stop = cut
                    break
        windows.append((first, stop))
        first = stop
    return windows


def chunk_terms(piece: Chunk) -> str:
    """The terms of a chunk for BM25, joined by spaces; a repeated one stands there twice.

    BM25 hardly tells three from two, and counts of one bit make the index smaller by .022 of its source (two segments
    of a kernel). Over seven repositories (gin, gson, ibex, libuv, okhttp, scrapy, vue) recall at 10 of the next chunk
    is .320 instead of .323, together with vectors .325 instead of .323; of questions .272 instead of .268.
    """
    counts = Counter(terms(f"{piece.header}\n{piece.text}"))
    return " ".join([f"{term} {term}" if count > 1 else term for term, count in counts.items()])
