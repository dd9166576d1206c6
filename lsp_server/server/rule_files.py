"""Notices that a file which excludes others was written, with a few looks at the disk for each request.

Those are `.ondol.toml` and `.ondolignore` at the root, and every other `.ondolignore` that was there when the rules
were applied last. A new one in a folder is noticed with the folder. Knows neither index nor protocol.
"""

import threading
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from indexer.repository.walk import IGNORE_FILE

SETTINGS_FILE: Final = ".ondol.toml"
RULE_FILES: Final = frozenset({IGNORE_FILE, SETTINGS_FILE})
FILES_KEPT: Final = 50


class RuleFiles:
    """The files of one repository that exclude others. May be used from several threads.

    :param root: None for documents outside of any repository, which have no such files.
    """

    def __init__(self, root: Path | None) -> None:
        self._root = root
        self._lock = threading.Lock()
        self._stamps: dict[Path, tuple[int, ...]] = {}
        self.applied()

    def applied(self) -> None:
        """Take note that the rules are applied as they are from now on; call before they are read."""
        if self._root is None:
            return
        with self._lock:
            names = {self._root / name for name in RULE_FILES} | set(self._stamps)
        stamps = {path: _stamp(path) for path in names}
        with self._lock:
            self._stamps = stamps

    def add(self, names: Iterable[str]) -> None:
        """Watch these ignore files below the root as well."""
        if self._root is None:
            return
        paths = [self._root / name for name in list(names)[:FILES_KEPT]]
        with self._lock:
            self._stamps = {**{path: _stamp(path) for path in paths}, **self._stamps}

    def changed(self) -> bool:
        """Whether one of them was written, made or removed since the rules were applied."""
        with self._lock:
            stamps = self._stamps
        return any(_stamp(path) != before for path, before in stamps.items())


def _stamp(path: Path) -> tuple[int, ...]:
    try:
        status = path.stat()
    except (OSError, ValueError):
        return ()
    return status.st_mtime_ns, status.st_size, status.st_ino
