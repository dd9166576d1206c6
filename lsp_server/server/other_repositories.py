"""The indexes of other repositories that the user's setting ``also_search`` names, for search and completion.

Only the user can name them. What their own settings and ignore files exclude, and what is gone, is left out, as in
their own windows. Knows no protocol.
"""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from indexer import config, fsio
from indexer.config import Settings
from indexer.data_layout import index_below, repositories_directory
from indexer.errors import OndolError
from indexer.repository import git
from lsp_server.server.repository_files import RepositoryFiles

if TYPE_CHECKING:
    from indexer.storage.joined import Guest


def guests(
    settings: Settings, root: Path, open_index: Callable[[Settings, Path], Any]
) -> "tuple[list[Guest], list[str]]":
    """Open the other indexes; on a background thread.

    :param root: the repository that searches them too; it is no guest of its own.
    :returns: the indexes, and a sentence for each that cannot be used.
    """
    if not settings.also_search:
        return [], []
    from indexer.storage.joined import MOST, Guest

    found: list[Guest] = []
    problems: list[str] = []
    for named in dict.fromkeys(settings.also_search[:MOST]):
        try:
            place = _root(settings, named)
            if place in (fsio.real_path(root), *(guest.index.root for guest in found)):
                continue
            theirs = replace(config.load(place)[0], data_dir=settings.data_dir)
            index = open_index(theirs, place)
            RepositoryFiles(place).prepare(index, theirs)
        except OndolError as error:
            problems.append(f"also_search: {named} is not searched: {error}")
        else:
            found.append(Guest.of(index, root, len(found) + 1))
    if len(settings.also_search) > MOST:
        problems.append(f"also_search: only the first {MOST} of {len(settings.also_search)} entries are searched.")
    return found, problems


def _root(settings: Settings, named: str) -> Path:
    """The folder of a repository that is named by a path, or by the name of its folder in the data folder."""
    from indexer.storage.generations import Store

    if "/" not in named and "\\" not in named and not named.startswith("~"):
        return Path(Store(index_below(repositories_directory(settings) / named)).manifest().root)
    try:
        return git.find_root(Path(named).expanduser())
    except RuntimeError:  # there is no such home folder
        return git.find_root(Path(named))


def joined(index: Any, found: "list[Guest]") -> Any:
    """A repository's index with its guests; the index itself where there are none."""
    if index is None or not found:
        return index
    from indexer.storage.joined import JoinedIndex

    return JoinedIndex(index, found)
