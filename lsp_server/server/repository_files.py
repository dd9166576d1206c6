"""Which indexed files of one repository may be used now: those that are still there and that no rule excludes.

The index follows the disk a second or two later. Until then, documents that are gone or excluded are left out of the
open index. Its methods name their threads. Knows no protocol.
"""

import os
import stat
import time
import weakref
from collections.abc import Iterable
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, Final

from indexer.config import Settings
from indexer.data_layout import index_directory, index_pointer_file
from indexer.errors import OndolError
from indexer.repository.git_folder import changing_files
from indexer.repository.policy import accepts_path
from indexer.repository.walk import IGNORE_FILE, Rules
from lsp_server.server.folder_poll import FolderPoll, Found
from lsp_server.server.rule_files import SETTINGS_FILE, RuleFiles

if TYPE_CHECKING:
    from indexer.storage.segment import IndexedDocument


RULES_NEW_S: Final = 600.0
"""An index that is opened within this time after the rules changed may have been begun under the rules before. Asking
the rules about every document costs 15 us each, so it is not done for every index."""


class RepositoryFiles:
    """The files below ``root``. One for each open repository."""

    def __init__(self, root: Path) -> None:
        self.rules = RuleFiles(root)
        self._root = root
        self._settings = Settings()
        self._folders: frozenset[str] = frozenset()
        self._poll: FolderPoll | None = None
        self._narrow_until = time.monotonic() + RULES_NEW_S
        self._prepared: weakref.ref[Any] | None = None

    def prepare(self, index: Any, settings: Settings) -> None:
        """Leave out of an index that was just opened what is gone or excluded; on a background thread.

        Of a further generation under the same rules, only the documents are looked at that the open one does not use:
        the update that made it has just looked at every file, and what goes is left out of the open one.
        """
        before = self._prepared() if self._prepared is not None else None
        self._prepared = weakref.ref(index)
        if before is not None and self.is_current(settings):
            self._look_at_others(index, before, settings)
        else:
            index.leave_out(lambda document: self._missing(document.path))
            if not self.is_current(settings) or time.monotonic() < self._narrow_until:
                self.narrow(index, settings)
        paths = list(index.documents)
        self._folders = frozenset(_with_parents(path.rpartition("/")[0] for path in paths))
        if self._poll is None:
            self._poll = FolderPoll(self._root, self.is_wanted, changing_files(self._root))
        self._poll.use(paths, _made_ns(self._root, settings))

    def _look_at_others(self, index: Any, before: Any, settings: Settings) -> None:
        """Leave out what is gone or excluded of the documents that another generation does not have, or left out."""
        rules, used = Rules(self._root, settings), before.documents

        def unwanted(document: "IndexedDocument") -> bool:
            other = used.get(document.path)
            if other is not None and other.id == document.id:
                return False
            return self._missing(document.path) or _is_excluded(document, rules, settings)

        index.leave_out(unwanted)
        self.rules.add(rules.files)

    def is_current(self, settings: Settings) -> bool:
        """Whether the rules that were applied last are those of these settings and of the disk."""
        return settings == self._settings and not self.rules.changed()

    def narrow(self, index: Any, settings: Settings) -> int:
        """Leave out what the settings or the ignore files on disk exclude; return how many documents that were."""
        if not self.is_current(settings):
            self._narrow_until = time.monotonic() + RULES_NEW_S
        self._settings = settings
        self.rules.applied()
        rules = Rules(self._root, settings)

        count: int = index.leave_out(lambda document: _is_excluded(document, rules, settings))
        self.rules.add(rules.files)
        return count

    def leave_out(self, index: Any, gone: Iterable[str]) -> int:
        """Leave out files, and everything below folders, that are no longer there; return how many documents."""
        names = frozenset(gone)

        def unwanted(document: "IndexedDocument") -> bool:
            path = document.path
            return not names.isdisjoint(_with_parents([path])) and self._missing(path)

        count: int = index.leave_out(unwanted)
        return count

    def is_indexed(self, index: Any, path: str) -> bool:
        """Whether a path is a document of the index or a folder with documents."""
        return path in index.documents or path in self._folders

    def is_wanted(self, path: str) -> bool:
        """Whether a file of this name could be indexed."""
        return accepts_path(path, self._settings) is None

    def look(self, budget: int, seconds: float) -> Found:
        """What changed on disk since the last look; on one background thread at a time."""
        return self._poll.look(budget, seconds) if self._poll is not None else Found()

    def _missing(self, path: str) -> bool:
        try:
            return not stat.S_ISREG(os.lstat(f"{self._root}/{path}").st_mode)
        except FileNotFoundError:
            return True
        except (OSError, ValueError):
            return not (self._root / path).parent.is_dir()


def _made_ns(root: Path, settings: Settings) -> int:
    """When the newest generation of the index was made, in ns."""
    try:
        return index_pointer_file(index_directory(settings, root)).stat().st_mtime_ns
    except (OSError, OndolError):
        return time.time_ns()


def _is_excluded(document: "IndexedDocument", rules: Rules, settings: Settings) -> bool:
    return document.size > settings.max_file_bytes or rules.reason(document.path) is not None


def is_rule_file(path: str) -> bool:
    """Whether the file at this path below the root excludes others."""
    return path == SETTINGS_FILE or PurePosixPath(path).name == IGNORE_FILE


def _with_parents(paths: Iterable[str]) -> set[str]:
    found: set[str] = set()
    for path in paths:
        while path and path not in found:
            found.add(path)
            path = path.rpartition("/")[0]
    return found
