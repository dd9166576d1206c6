"""Whether the text of an open document is that of its file: then the file was changed outside the editor."""

import stat
from pathlib import Path
from typing import Final

from indexer.repository.encodings import decode
from lsp_server.positions import body_length, split_lines
from lsp_server.server.documents import OpenDocument, path_of

LARGEST: Final = 4_000_000
"""Larger files are not read, since they get no edits."""


def is_on_disk(document: OpenDocument) -> bool:
    """Return whether a document has the lines of its file, whatever their ends are."""
    path = path_of(document.uri)
    if path is None:
        return False
    try:
        found = Path(path).stat()
        if not stat.S_ISREG(found.st_mode) or not document.buffer.length <= found.st_size <= LARGEST:
            return False
        text, _ = decode(Path(path).read_bytes())
    except (OSError, ValueError):
        return False
    return [line[: body_length(line)] for line in split_lines(text)] == [
        line[: body_length(line)] for line in document.buffer.lines
    ]
