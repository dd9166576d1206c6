r"""The editor's documents, character for character: lines as the protocol counts them, edits, position encodings.

A line ends with ``\n``, ``\r\n`` or ``\r`` and with nothing else: form feeds, U+0085 and U+2028 are ordinary
characters (``str.splitlines`` takes them for line ends and moves every later edit to a wrong line).

Knows neither the protocol's types nor files: positions are pairs of numbers.
"""

import re
from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit

from indexer.text.lines import lines_with_ends
from lsp_server.positions import (
    UTF16,
    body_length,
    has_surrogate,
    join_surrogates,
    split_at,
    split_lines,
    units,
)
from lsp_server.reasons import Reason


class Text:
    """A text that is edited by lines and columns.

    The text is a list of lines and, once it was read, one string that edits patch. The offset of the line that was used
    last is remembered, because edits and requests come close together. ``benchmarks/bench_server.py`` measures edit,
    ``text`` and ``offset`` at 100,000 lines.

    :param limit: texts of more code points are not patched as one string; they get no completion.
    :param line_limit: lines of more code points are counted in :attr:`long_lines`.
    """

    def __init__(self, text: str, encoding: str = UTF16, limit: int = 1_000_000, line_limit: int = 20_000) -> None:
        self.encoding = encoding
        self.limit = limit
        self.line_limit = line_limit
        self.set(text)

    def set(self, text: str) -> None:
        """Replace the whole text."""
        text = join_surrogates(text)
        self.lines = split_lines(text)
        self._text: str | None = text
        self._mark = (0, 0)
        self.length = len(text)
        self.long_lines = self._count_long(self.lines)
        self._odd = has_surrogate(text)

    @property
    def text(self) -> str:
        """The whole text."""
        if self._text is None:
            self._text = "".join(self.lines)
        return self._text

    @property
    def broken(self) -> bool:
        """Whether the text holds a lone half of a character, which no encoder accepts."""
        if self._odd:
            self._odd = has_surrogate(self.text)
        return self._odd

    def offset(self, line: int, column: int) -> int:
        """Return the code point offset of a position given in units, clamped into the text."""
        if line >= len(self.lines):
            return self.length
        body = self.lines[line]
        head, _ = split_at(body[: body_length(body)], column, self.encoding)
        return self._start(line) + len(head)

    def position(self, offset: int) -> tuple[int, int]:
        """Return the line and the column in units of a code point offset, clamped into the text."""
        line, start = self._mark
        while offset < start:
            line -= 1
            start -= len(self.lines[line])
        last = len(self.lines) - 1
        while line < last and offset >= start + len(self.lines[line]):
            start += len(self.lines[line])
            line += 1
        self._mark = (line, start)
        body = self.lines[line]
        return line, units(body[: min(offset - start, body_length(body))], self.encoding)

    def replace(self, start: tuple[int, int], end: tuple[int, int], new: str) -> None:
        """Replace the text between two positions (line, column in units); positions past the end are the end."""
        first, left, _ = self._cut(start)
        last, _, right = self._cut(max(start, end))
        seam = left[-1:] + new + right[:1]
        joined = left + new + right
        if has_surrogate(seam):
            self._odd = True
            joined = join_surrogates(joined)
        one_line = "\n" not in new and "\r" not in new
        if first and joined.startswith("\n") and self.lines[first - 1].endswith("\r"):
            first -= 1
            joined = self.lines[first] + joined
        if joined.endswith("\r") and last + 1 < len(self.lines) and self.lines[last + 1].startswith("\n"):
            last += 1
            joined += self.lines[last]
            one_line = False
        if one_line and joined:
            self._splice(first, last, joined, [joined])
        else:
            at_end = last + 1 == len(self.lines)
            self._splice(first, last, joined, split_lines(joined) if at_end else lines_with_ends(joined))

    def _splice(self, first: int, last: int, joined: str, lines: list[str]) -> None:
        old = self.lines[first : last + 1]
        begin = self._start(first)
        removed = sum(map(len, old))
        self.lines[first : last + 1] = lines
        self.length += len(joined) - removed
        self.long_lines += self._count_long(lines) - self._count_long(old)
        if self._text is not None and self.length <= self.limit:
            self._text = self._text[:begin] + joined + self._text[begin + removed :]
        else:
            self._text = None
        self._mark = (first, begin)

    def _cut(self, position: tuple[int, int]) -> tuple[int, str, str]:
        line, column = position
        if line >= len(self.lines):
            return len(self.lines) - 1, self.lines[-1], ""
        whole = self.lines[line]
        size = body_length(whole)
        left, right = split_at(whole[:size] if size != len(whole) else whole, column, self.encoding)
        return line, left, right + whole[size:]

    def _start(self, line: int) -> int:
        at, offset = self._mark
        if line < at // 2:
            at, offset = 0, 0
        if line >= at:
            offset += sum(map(len, self.lines[at:line]))
        else:
            offset -= sum(map(len, self.lines[line:at]))
        self._mark = (line, offset)
        return offset

    def _count_long(self, lines: list[str]) -> int:
        return sum(len(line) > self.line_limit for line in lines)


@dataclass(slots=True)
class OpenDocument:
    """A document that the editor has open.

    :param notebook: key of the notebook, for a cell.
    :param trouble_reported: whether the user was shown why the document gets no completion.
    """

    uri: str
    language_id: str
    version: int
    buffer: Text
    notebook: str | None = None
    trouble_reported: bool = False

    @property
    def trouble(self) -> Reason | None:
        """Why this document gets no completion, or None."""
        if self.buffer.length > self.buffer.limit:
            return Reason.TOO_LARGE
        if self.buffer.long_lines:
            return Reason.LONG_LINE
        return Reason.BROKEN_TEXT if self.buffer.broken else None


@dataclass(slots=True)
class Change:
    """One change of the protocol; without a range it replaces the whole text."""

    text: str
    start: tuple[int, int] | None = None
    end: tuple[int, int] | None = None


def key_of(uri: str) -> str:
    """Return the spelling of a URI under which a document is kept: editors escape the same URI differently."""
    return unquote(uri)


def path_of(uri: str) -> str | None:
    """Return the file system path of a ``file:`` URI, or None. Names that are not UTF-8 keep their bytes."""
    try:
        parts = urlsplit(uri)
    except ValueError:
        return None
    path = unquote(parts.path, errors="surrogateescape")
    if parts.scheme != "file" or "\0" in path:
        return None
    if re.match(r"/[A-Za-z]:", path):
        path = path[1:]
    return f"//{parts.netloc}{path}" if parts.netloc and parts.netloc != "localhost" else path


@dataclass(slots=True)
class Documents:
    """The open documents by key, and for each notebook the keys of its cells in order."""

    encoding: str = UTF16
    limit: int = 1_000_000
    line_limit: int = 20_000
    open: dict[str, OpenDocument] = field(default_factory=dict)
    notebooks: dict[str, list[str]] = field(default_factory=dict)

    def get(self, uri: str) -> OpenDocument | None:
        """Return an open document, or None; nothing is ever read from the disk."""
        return self.open.get(key_of(uri))

    def put(self, uri: str, language_id: str, version: int, text: str, notebook: str | None = None) -> OpenDocument:
        """Open a document, or open it again."""
        document = OpenDocument(
            uri,
            language_id,
            version,
            Text(text, self.encoding, self.limit, self.line_limit),
            key_of(notebook) if notebook else None,
        )
        self.open[key_of(uri)] = document
        return document

    def change(self, uri: str, version: int, changes: list[Change]) -> OpenDocument | None:
        """Apply changes in their order; a change of a document that is not open is ignored (returns None)."""
        document = self.get(uri)
        if document is None:
            return None
        for change in changes:
            if change.start is None or change.end is None:
                document.buffer.set(change.text)
            else:
                document.buffer.replace(change.start, change.end, change.text)
        document.version = version
        return document

    def close(self, uri: str) -> OpenDocument | None:
        """Forget a document."""
        return self.open.pop(key_of(uri), None)

    def set_cells(self, notebook: str, cells: list[str]) -> None:
        """Set the cells of a notebook: the URIs of its code cells, in order."""
        self.notebooks[key_of(notebook)] = [key_of(cell) for cell in cells]

    def cells(self, notebook: str) -> list[OpenDocument]:
        """Return a notebook's open cells in their order."""
        return [self.open[key] for key in self.notebooks.get(key_of(notebook), []) if key in self.open]
