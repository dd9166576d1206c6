r"""The editor's documents, character for character: lines as the protocol counts them, edits, position encodings.

A line ends with ``\n``, ``\r\n`` or ``\r`` and with nothing else: form feeds, U+0085 and U+2028 are ordinary
characters (``str.splitlines`` takes them for line ends and moves every later edit to a wrong line).

Knows neither the protocol's types nor files: positions are pairs of numbers.
"""

import re
from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit

from lsp_server.positions import UTF16
from lsp_server.reasons import Reason
from lsp_server.server.text_buffer import Text


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
