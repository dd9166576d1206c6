"""The indexes of other repositories that the user's setting ``also_search`` names, for search and completion.

Only the user can name them. What their own settings and ignore files exclude, and what is gone, is left out, as in
their own windows. Knows no protocol.
"""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from indexer import config, fsio
from indexer.config import Settings
from indexer.data_layout import index_below, index_directory, index_pointer_file, repositories_directory
from indexer.errors import IndexMissing, OndolError, UserError
from indexer.repository import git
from lsp_server.server.repository_files import RepositoryFiles

if TYPE_CHECKING:
    from indexer.storage.joined import Guest


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of ``also_search``.

    :ivar index: opened, without what is left out; None where it cannot be searched, or needs not be searched again.
    :ivar error: why it cannot be searched; None where it can.
    """

    named: str
    root: Path | None = None
    index: Any = None
    error: OndolError | None = None


def entries(settings: Settings, root: Path, open_index: Callable[[Settings, Path], Any]) -> Iterator[Entry]:
    """Open what the setting names, in its order; one that cannot be opened stops nothing, and nothing is created.

    :param root: the repository that searches them too.
    """
    seen = {fsio.real_path(root)}
    for named in dict.fromkeys(settings.also_search):
        try:
            place = _root(settings, named)
            index = None if place in seen else _opened(settings, place, open_index)
        except OndolError as error:
            yield Entry(named, error=error)
        except (OSError, ValueError) as error:
            said = UserError(f"this path cannot be used ({error})", "correct it in the setting")
            yield Entry(named, error=said)
        else:
            seen.add(place)
            yield Entry(named, place, index)


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
    searched = replace(settings, also_search=settings.also_search[:MOST])
    for entry in entries(searched, root, open_index):
        if entry.error is not None:
            problems.append(f"also_search: {shown(entry.named)} is not searched: {entry.error}")
        elif entry.index is not None:
            found.append(Guest.of(entry.index, root, len(found) + 1))
    if len(settings.also_search) > MOST:
        problems.append(f"also_search: only the first {MOST} of {len(settings.also_search)} entries are searched.")
    return found, problems


def shown(named: str) -> str:
    """An entry as sentences show it: also an empty one, or one with control characters, can be found."""
    return named if named.strip() and named.isprintable() else json.dumps(named)


def _opened(settings: Settings, place: Path, open_index: Callable[[Settings, Path], Any]) -> Any:
    """The index of the repository at ``place``, without what is left out.

    :raises OndolError: there is none, or nothing of it is left.
    """
    if not place.is_dir():
        raise UserError(f"its folder {place} is gone", "take it out of the setting, or name the folder's new place")
    theirs = replace(config.load(place)[0], data_dir=settings.data_dir)
    if not index_pointer_file(index_directory(theirs, place)).is_file():  # opening would create its folder
        raise IndexMissing(f"there is no index of {place}", f"if it is a repository, run `ondol index {place}`")
    index = open_index(theirs, place)
    RepositoryFiles(place).prepare(index, theirs)
    if not index.documents:
        raise UserError(
            f"nothing in the index of {place} may be searched or is still there", f"run `ondol index {place}`"
        )
    return index


def _root(settings: Settings, named: str) -> Path:
    """The folder of a repository that is named by a path, or by the name of its folder in the data folder.

    :raises UserError: it names no such folder.
    """
    from indexer.storage.generations import Store

    if not named.strip():
        raise UserError("it is empty", "take it out of the setting")
    if "\0" in named:
        raise UserError("no path has a null character", "correct it in the setting")
    if named not in (".", "..") and "/" not in named and "\\" not in named and not named.startswith("~"):
        directory = index_below(repositories_directory(settings) / named)
        if not index_pointer_file(directory).is_file():
            raise IndexMissing(f"there is no index in {directory}", "name the path of the repository's folder")
        return Path(Store(directory).manifest().root)
    try:
        path = Path(named).expanduser()
    except RuntimeError:  # there is no such home folder
        raise UserError(f"there is no folder {named}", "name an existing folder") from None
    if not path.is_absolute():
        raise UserError("a relative path would depend on where the editor was started", "write it in full, or with ~")
    return git.find_root(path)


def joined(index: Any, found: "list[Guest]") -> Any:
    """A repository's index with its guests; the index itself where there are none."""
    if index is None or not found:
        return index
    from indexer.storage.joined import JoinedIndex

    return JoinedIndex(index, found)
