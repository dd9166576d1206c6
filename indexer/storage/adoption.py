"""Finds the data of a repository whose folder was renamed or moved, and data of repositories that are gone.

Data are kept under a hash of the repository's path. In the same folder stand its path and its first commit, so that
the index, adapters and records of a folder that is gone can be taken over by the folder with the same first commit.
"""

import json
from dataclasses import dataclass
from pathlib import Path

from indexer import fsio
from indexer.config import Settings
from indexer.data_layout import (
    index_below,
    index_directory,
    index_pointer_file,
    origin_file,
    repositories_directory,
    repository_directory,
    repository_path,
)
from indexer.errors import OndolError, UserError
from indexer.repository import git
from indexer.storage.generations import Store


@dataclass(frozen=True, slots=True)
class Orphan:
    """Data of a repository whose folder is gone.

    :param root: where the repository was. :param first_commit: empty if unknown.
    """

    directory: Path
    root: str
    first_commit: str

    @property
    def size(self) -> int:
        """Bytes on disk."""
        return sum(path.lstat().st_size for path in self.directory.rglob("*") if path.is_file())


def remember(settings: Settings, root: Path) -> None:
    """Record the path and the first commit of a repository with its data; does nothing if it stands there already."""
    file = origin_file(repository_path(settings, root))
    if _origin(file).get("root") != str(root):
        fsio.replace_file(file, json.dumps({"root": str(root), "first_commit": first_commit(root)}).encode())


def first_commit(root: Path) -> str:
    """The commits without parents in the history of a repository; empty where there are none."""
    if not git.is_repository(root):
        return ""
    try:
        return " ".join(sorted(git.run_git(root, "rev-list", "--max-parents=0", "HEAD").decode("ascii").split()))
    except UserError:
        return ""


def orphans(settings: Settings) -> list[Orphan]:
    """The data of all repositories whose folders are gone. A disk that is not mounted looks the same."""
    folder = repositories_directory(settings)
    found = []
    try:
        directories = sorted(folder.iterdir())
    except OSError:
        return []
    for directory in directories:
        known = _origin(origin_file(directory))
        root = known.get("root") or _root_of_index(directory)
        if root and _is_gone(root):
            found.append(Orphan(directory, root, known.get("first_commit", "")))
    return found


def _is_gone(root: str) -> bool:
    """Whether there is nothing at a path; one that may not be looked at is not gone."""
    try:
        Path(root).stat()
    except (FileNotFoundError, NotADirectoryError):
        return True
    except (OSError, ValueError):
        return False
    return False


def adopt(settings: Settings, root: Path) -> list[str]:
    """Take over the data of the one repository that is gone and had the same first commit, if ``root`` has no index.

    :returns: sentences for the user.
    """
    if index_pointer_file(index_directory(settings, root)).exists():
        return []
    mine = first_commit(root)
    same = [one for one in orphans(settings) if mine and one.first_commit == mine]
    if len(same) != 1:
        return []
    _move(same[0], settings, root)
    return [f"the data of {same[0].root} are used: that folder is gone and this one has the same first commit."]


def take_over(settings: Settings, root: Path, former: Path) -> str:
    """Take over the data of the folder ``former``, which is gone; what ``root`` has of its own stays.

    It needs no common commit: for folders without git, and after a change of the history's beginning.

    :returns: a sentence for the user.
    :raises UserError: there are no such data, or the folder is still there.
    """
    if former.exists() and former != root:
        raise UserError(f"{former} is still there, and its data are its own", "move or delete that folder first")
    gone = orphans(settings)
    found = next((one for one in gone if Path(one.root) == former), None)
    if found is None:
        known = ", ".join(one.root for one in gone) or "none"
        raise UserError(f"there are no data of a folder {former} that is gone", f"name one of these: {known}")
    repository_directory(settings, root)
    _move(found, settings, root)
    return f"the data of {found.root} are used."


def _move(orphan: Orphan, settings: Settings, root: Path) -> None:
    """Move the data of a repository that is gone to those of ``root``, which keeps what it has."""
    own = repository_path(settings, root)
    if index_below(own).exists() and not index_pointer_file(index_below(own)).exists():
        fsio.remove_tree(index_below(own))  # empty, or of a build that did not end
    for entry in sorted(orphan.directory.iterdir()):
        if not (own / entry.name).exists():
            fsio.rename(entry, own / entry.name)
    if _origin(origin_file(own)).get("root") == orphan.root:
        fsio.unlink(origin_file(own))
    fsio.remove_tree(orphan.directory)


def _origin(file: Path) -> dict[str, str]:
    try:
        found = json.loads(fsio.read(file))
    except (OSError, ValueError):
        return {}
    return {str(key): str(value) for key, value in found.items()} if isinstance(found, dict) else {}


def _root_of_index(directory: Path) -> str:
    try:
        return Store(index_below(directory)).manifest().root
    except (OndolError, OSError):
        return ""
