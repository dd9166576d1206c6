"""Which paths of a history may be used: by the rules that hold now, whatever the commit at which a file is looked at.

The ignore files are those of the work tree. Where one is not there, as in a bare repository or in a sparse checkout,
the one of the checked-out commit counts.
"""

from collections.abc import Callable
from pathlib import Path

from indexer.config import Settings
from indexer.repository import git
from indexer.repository.walk import IGNORE_FILE, IGNORE_FILE_LIMIT, Rules


class HistoryRules(Rules):
    """The rules for paths of any commit of the repository at ``root``."""

    def __init__(self, root: Path, settings: Settings) -> None:
        super().__init__(root, settings)
        head = git.head(root)
        entries = git.ls_tree(root, head) if head is not None else []
        held = {entry.path: entry.blob for entry in entries if entry.is_regular and _is_ignore_file(entry.path)}
        contents = dict(git.cat_file_batch(root, sorted(set(held.values())), IGNORE_FILE_LIMIT))
        self._committed = {path: data for path, blob in held.items() if (data := contents[blob]) is not None}
        self._above = {entry.path.rpartition("/")[0] for entry in entries}

    def content(self, path: str) -> bytes | str | None:
        """As in the class above; what the work tree does not have is taken from the commit."""
        found = super().content(path)
        return self._committed.get(path) if found is None else found

    def digest(self) -> str:
        """A hash of everything that decides about the paths of the checked-out commit, but the settings."""
        self.look(self._above)
        return self.identity


def allowed(root: Path, settings: Settings) -> Callable[[str], bool]:
    """Whether a path may be used."""
    rules = HistoryRules(root, settings)
    return lambda path: rules.reason(path) is None


def _is_ignore_file(path: str) -> bool:
    return path.rpartition("/")[2] == IGNORE_FILE
