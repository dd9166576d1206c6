"""Files that changed on disk, read so that answers know them before the index does.

An update of the index is a process that takes a second, and ten where other work loads the machine. Until the index has
a changed file, its text is searched as that of an open document is. The rules are those of the index: what git or a
rule leaves out is not read, and the secrets are masked. Its methods name their threads.
"""

from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from indexer.config import Settings
from indexer.errors import UserError
from indexer.repository import policy
from indexer.repository.walk import entries_of
from indexer.types import Source
from lsp_server.server.folder_poll import GONE, Stamp, stamp_of
from lsp_server.types import Document

KEPT: Final = 12
"""Files that are searched in addition to the index, the newest; of more at once (a branch) the rest waits for it."""

LARGEST: Final = 200_000
"""Bytes of a file; a key compares the words of each with those at the cursor."""

LOOKED_AT: Final = 1_000
"""Changed files of which the newest are chosen."""

SCHEME: Final = "ondol-disk:"
"""Begins the names under which engines know these files: an editor's document of the same file has another."""


@dataclass(frozen=True, slots=True)
class ChangedFile:
    """A file as it was read.

    :param blob: git's blob id, by which the index knows the same content.
    :param stamp: time, size and inode on disk before it was read.
    """

    document: Document
    blob: str
    stamp: Stamp


class ChangedFiles:
    """The changed files of the repository at ``root`` that the index does not have yet."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._known: OrderedDict[str, ChangedFile] = OrderedDict()

    def read(self, paths: Sequence[str], settings: Settings) -> list[ChangedFile]:
        """Read the newest of some files, the oldest of these first; on a background thread.

        :param paths: relative to the root; folders stand for the files below them.
        """
        try:
            entries = entries_of(self._root, paths[:LOOKED_AT], settings)
        except UserError:
            return []  # the update of the index says why
        small = sorted((one for one in entries if one.size <= LARGEST), key=lambda one: one.mtime_ns)
        found = []
        for entry in small[-KEPT:]:
            one = policy.read_source(self._root, entry, settings)
            if isinstance(one, Source):
                document = Document(SCHEME + one.path, one.path, one.language, 0, one.text, on_disk=True)
                found.append(ChangedFile(document, one.blob, (entry.mtime_ns, entry.size, entry.inode)))
        return found

    def add(self, files: Iterable[ChangedFile]) -> list[Document]:
        """Take files that were read, and return the documents of those that are as they were; on the engine's thread.

        Two readings of a file may end in the other order; the text that the disk does not have any more is not taken.
        """
        new = [one for one in files if self._stamp(one) == one.stamp]
        for one in new:
            self._known.pop(one.document.path or "", None)
            self._known[one.document.path or ""] = one
        return [one.document for one in new]

    def drop_surplus(self) -> list[str]:
        """Forget all but the newest files, and return the URIs of the others; on the engine's thread."""
        return [self._known.popitem(last=False)[1].document.uri for _ in range(len(self._known) - KEPT)]

    def knows(self, path: str) -> bool:
        """Whether a file, or a file below a folder, is among them; from any thread."""
        return any(one == path or one.startswith(path + "/") for one in list(self._known))

    def drop_gone(self) -> list[str]:
        """Forget files that are no longer there, and return their URIs; on the engine's thread."""
        return self._drop(lambda one: self._stamp(one) == GONE)

    def drop_indexed(self, index: Any) -> list[str]:
        """Forget files that an index holds as they are or that were written since, and return their URIs; on the
        engine's thread."""

        def indexed(one: ChangedFile) -> bool:
            document = index.documents.get(one.document.path)
            return document is not None and document.blob == one.blob

        return self._drop(lambda one: indexed(one) or self._stamp(one) != one.stamp)

    def drop_all(self) -> list[str]:
        """Forget every file, and return their URIs; on the engine's thread."""
        return self._drop(lambda one: True)

    def _drop(self, unwanted: Callable[[ChangedFile], bool]) -> list[str]:
        gone = [path for path, one in self._known.items() if unwanted(one)]
        return [self._known.pop(path).document.uri for path in gone]

    def _stamp(self, one: ChangedFile) -> Stamp:
        return stamp_of(self._root / (one.document.path or ""))
