"""Finds the files of a repository or a plain folder, and lists every file that is left out.

In a git repository git reports tracked, untracked and ignored files; elsewhere this module reads ``.gitignore`` files.
``.ondolignore`` files, in the same syntax and at any level, leave out more. Links are not followed, so loops and links
out of the root do no harm. Only ignore files are opened; ``policy`` checks contents.
"""

import contextlib
import hashlib
import os
import stat
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pathspec

from indexer import fsio
from indexer.config import Settings
from indexer.errors import UserError
from indexer.ignore_patterns import compile_lines
from indexer.repository import git, policy
from indexer.repository.listing import Listing, read_listing
from indexer.types import Entry, Skip, absent

IGNORE_FILE = ".ondolignore"
IGNORE_FILE_LIMIT = 64 * 1024


def walk(root: Path, settings: Settings) -> tuple[list[Entry], list[Skip]]:
    """All files under ``root`` that may be read, and all others with the reason; both sorted by path.

    A folder that is left out as a whole is one entry, whose path ends in ``/``.

    :raises UserError: there is no such folder, it is a bare repository, or git refuses.
    """
    check(root)
    rules = Rules(root, settings)
    found = listed(root, rules)
    skips = {skip.path: skip for skip in found.skips}
    entries: list[Entry] = []
    for path, tracked in found.files.items():
        entry, reason = look_at(root, path, rules, settings, tracked=tracked)
        if reason is None:
            entries.append(entry)
        else:
            skips[path] = Skip(path, reason)
    for skip in rules.problems:
        skips[skip.path] = skip
    return sorted(entries, key=lambda entry: entry.path), sorted(skips.values(), key=lambda skip: skip.path)


def check(root: Path) -> None:
    """Whether a folder can be walked.

    :raises UserError: there is no such folder, or it is a bare repository.
    """
    if not root.is_dir():
        raise UserError(f"there is no folder {root}", "name an existing folder")
    if git.is_bare(root):
        raise UserError(f"{root} is a bare repository, so it has no files", "clone it and index the clone")


@dataclass(frozen=True, slots=True)
class Listed:
    """The files of a work tree before any is looked at.

    :param files: by path, whether git tracks it.
    :param skips: what is left out without a look: submodules, ignored files, folders.
    """

    files: dict[str, bool]
    skips: list[Skip]


def listed(root: Path, rules: "Rules") -> Listed:
    """The files of a work tree from git, or from the folder itself where there is no git, or git would wait for a pipe.

    :raises UserError: git refuses.
    """
    if git.is_repository(root):
        with contextlib.suppress(git.GitWaits):
            return listed_by_git(read_listing(root))
    return listed_in_folder(root, rules)


def entries_of(root: Path, paths: Sequence[str], settings: Settings) -> list[Entry]:
    """Of some files, and of the files below some folders in git, those that :func:`walk` would return.

    :raises UserError: git refuses, or does not answer.
    """
    rules = Rules(root, settings)
    found = [look_at(root, path, rules, settings) for path in _listed(root, paths, rules)]
    return [entry for entry, reason in found if reason is None]


def look_at(
    root: Path, path: str, rules: "Rules", settings: Settings, *, tracked: bool = False
) -> tuple[Entry, str | None]:
    """A file, and why it may not be read, or None.

    :param tracked: git tracks it, so it may be absent from the work tree.
    """
    try:
        status = os.lstat(f"{root}/{path}")
    except (OSError, ValueError) as error:
        if tracked:
            return absent(path), policy.ABSENT
        missing = isinstance(error, (FileNotFoundError, NotADirectoryError))
        return absent(path), rules.reason(path) or (policy.VANISHED if missing else policy.UNREADABLE)
    entry = Entry(path, status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino)
    reason = rules.reason(path) or _reason_of_mode(status.st_mode)
    if reason is None and rules.beneath_link(path):
        reason = policy.LINK
    if reason is None and entry.size > settings.max_file_bytes:
        reason = policy.TOO_LARGE
    return entry, reason


class Rules:
    """Which files are left out by their path: settings, ``.ondolignore`` at every level, the names in ``policy``.

    They apply to one path at a time, so that a document open in an editor follows the same rules.

    :ivar problems: ignore files, or lines of them, that could not be used.
    """

    def __init__(self, root: Path, settings: Settings, name: str = IGNORE_FILE) -> None:
        self._root = root
        self._settings = settings
        self._name = name
        self._specs: dict[str, pathspec.GitIgnoreSpec | None] = {}
        self._folders: dict[str, bool] = {"": False}
        self._chains: dict[str, list[tuple[str, pathspec.GitIgnoreSpec]]] = {}
        self._own = _own_data(root, settings)
        self._prefix = f"{root}/"
        self._read_as: dict[str, str] = {}
        self._links: dict[str, bool] = {"": False}
        self.problems: list[Skip] = []

    @property
    def files(self) -> list[str]:
        """The ignore files with patterns that were read so far."""
        return [f"{folder}/{self._name}" if folder else self._name for folder, spec in self._specs.items() if spec]

    @property
    def folders(self) -> list[str]:
        """The folders that were looked at so far, for an ignore file in them or for a link in their place."""
        return sorted(self._specs.keys() | self._links.keys())

    def look(self, folders: Iterable[str]) -> None:
        """Look at some folders and those above them, so that :attr:`identity` covers them."""
        for folder in folders:
            self._specs_for(folder)
            self._is_beneath_link(folder)

    @property
    def identity(self) -> str:
        """A hash of what was found in :attr:`folders`: while it is the same, no path below them is judged otherwise.

        The settings are not in it, nor the folders where nothing was found.
        """
        found = [self._name, str(self._own), *(f"{path}\0{held}" for path, held in sorted(self._read_as.items()))]
        found += sorted(f"{folder}/" for folder, linked in self._links.items() if linked)
        return hashlib.sha256("\n".join(found).encode("utf-8", "surrogatepass")).hexdigest()

    def reason(self, path: str) -> str | None:
        """Why the file at ``path`` is left out by its name, or None."""
        if self._own is not None and (path + "/").startswith(self._own):
            return policy.OWN_DATA
        reason = policy.accepts_path(path, self._settings)
        if reason is None and self.ignores(path):
            reason = policy.ONDOLIGNORED
        return reason

    def ignores(self, path: str) -> bool:
        """Whether an ignore file leaves out ``path``; a folder's path ends in ``/``.

        As in git, the deepest matching file decides, but nothing inside an ignored folder is included again.
        """
        parent = path.rstrip("/").rpartition("/")[0]
        if self._ignores_folder(parent):
            return True
        for folder, spec in self._specs_for(parent):
            verdict = spec.check_file(path[len(folder) + 1 :] if folder else path).include
            if verdict is not None:
                return verdict
        return False

    def beneath_link(self, path: str) -> bool:
        """Whether one of the folders above a file is a link: the file is then outside, or has another path too."""
        return self._is_beneath_link(path.rpartition("/")[0])

    def _is_beneath_link(self, folder: str) -> bool:
        known = self._links.get(folder)
        if known is None:
            above = self._is_beneath_link(folder.rpartition("/")[0])
            known = self._links[folder] = above or _is_link(self._prefix + folder)
        return known

    def _ignores_folder(self, folder: str) -> bool:
        known = self._folders.get(folder)
        if known is None:
            known = self._folders[folder] = self.ignores(folder + "/")
        return known

    def _specs_for(self, folder: str) -> "list[tuple[str, pathspec.GitIgnoreSpec]]":
        """The patterns for what lies in a folder, with the folders that they stand in, the deepest first."""
        known = self._chains.get(folder)
        if known is None:
            spec = self._spec(folder)
            above = self._specs_for(folder.rpartition("/")[0]) if folder else []
            known = self._chains[folder] = [(folder, spec), *above] if spec is not None else above
        return known

    def _spec(self, folder: str) -> pathspec.GitIgnoreSpec | None:
        if folder not in self._specs:
            self._specs[folder] = self._read(f"{folder}/{self._name}" if folder else self._name)
        return self._specs[folder]

    def _read(self, path: str) -> pathspec.GitIgnoreSpec | None:
        """The patterns of the ignore file at ``path``, None if there are none; unusable lines are recorded."""
        data = self.content(path)
        if data is None:
            return None
        if isinstance(data, str):
            if data != policy.VANISHED:
                self.problems.append(Skip(path, data))
                self._read_as[path] = data
            return None
        self._read_as[path] = git.blob_id(data)
        spec, bad = compile_lines(data.decode("utf-8", "surrogateescape").splitlines())
        self.problems += [Skip(f"{path}:{number}", policy.BAD_PATTERN) for number in bad]
        return spec if spec.patterns else None

    def content(self, path: str) -> bytes | str | None:
        """What the ignore file at ``path`` holds, or why it cannot be read; None if there is none."""
        try:
            os.lstat(self._prefix + path)  # a sixth of the time of opening every folder above it
        except (FileNotFoundError, NotADirectoryError):
            return None
        except (OSError, ValueError):
            pass
        return policy.read_bytes(self._root, path, IGNORE_FILE_LIMIT)


def excluded(root: Path, path: str, settings: Settings) -> str | None:
    """Why the one file ``path`` is left out by its name, or None; for many paths keep a :class:`Rules`."""
    return Rules(root, settings).reason(path)


def _listed(root: Path, paths: Sequence[str], rules: Rules) -> list[str]:
    """Of some files, those in folders that are entered and that no ``.gitignore`` leaves out."""
    if git.is_repository(root):
        return [path for path in git.listed(root, paths) if not path.endswith("/")] if paths else []
    gitignore = Rules(root, Settings(), ".gitignore")

    @cache
    def entered(folder: str) -> bool:
        above = folder.rpartition("/")[0]
        return not folder or (entered(above) and _reason_of_folder(root, folder, rules, gitignore) is None)

    return [path for path in paths if entered(path.rpartition("/")[0]) and not gitignore.ignores(path)]


def listed_by_git(listing: Listing) -> Listed:
    """What git's answers say."""
    files: dict[str, bool] = {}
    skips = [Skip(path, policy.IGNORED) for path in listing.ignored()]
    for path, submodule in listing.tracked().items():
        if submodule:
            skips.append(Skip(path, policy.SUBMODULE))
        else:
            files[path] = True
    for path in listing.untracked():
        if path.endswith("/"):
            skips.append(Skip(path, policy.SUBMODULE))
        else:
            files[path] = False
    return Listed(files, skips)


def listed_in_folder(root: Path, rules: Rules) -> Listed:
    """The files of a folder outside git."""
    skips: dict[str, Skip] = {}
    files = dict.fromkeys(_plain_files(root, rules, skips), False)
    return Listed(files, list(skips.values()))


def _plain_files(root: Path, rules: Rules, skips: dict[str, Skip]) -> Iterator[str]:
    """Files of a folder outside git; folders that are left out are not entered."""
    gitignore = Rules(root, Settings(), ".gitignore")
    pending = [""]
    while pending:
        folder = pending.pop()
        try:
            with os.scandir(root / folder) as listing:
                items = sorted(listing, key=lambda item: item.name)
        except FileNotFoundError:
            skips[folder + "/"] = Skip(folder + "/", policy.VANISHED)
            continue
        except OSError:
            skips[folder + "/"] = Skip(folder + "/", policy.UNREADABLE)
            continue
        for item in items:
            path = f"{folder}/{item.name}" if folder else item.name
            if not item.is_dir(follow_symlinks=False):
                if gitignore.ignores(path):
                    skips[path] = Skip(path, policy.IGNORED)
                else:
                    yield path
                continue
            reason = _reason_of_folder(root, path, rules, gitignore)
            if reason is None:
                pending.append(path)
            else:
                skips[path + "/"] = Skip(path + "/", reason)


def _reason_of_folder(root: Path, path: str, rules: Rules, gitignore: Rules) -> str | None:
    """Why a folder of a plain tree is not entered, checked with one name inside it."""
    try:
        return _reason_by_content(root, path, rules, gitignore)
    except OSError:  # a path that is too long, for example
        return policy.UNREADABLE


def _reason_by_content(root: Path, path: str, rules: Rules, gitignore: Rules) -> str | None:
    if git.is_repository(root / path):
        return policy.SUBMODULE
    if gitignore.ignores(path + "/"):
        return policy.IGNORED
    if rules.ignores(path + "/"):
        return policy.ONDOLIGNORED
    if (root / path / "pyvenv.cfg").is_file():
        return policy.VENDORED
    reason = rules.reason(path + "/x")
    return policy.BAD_PATH if reason is None and policy.bad_path(path) else reason


def _is_link(path: str) -> bool:
    try:
        return stat.S_ISLNK(os.lstat(path).st_mode)
    except (OSError, ValueError):
        return False


def _reason_of_mode(mode: int) -> str | None:
    if stat.S_ISLNK(mode):
        return policy.LINK
    return None if stat.S_ISREG(mode) else policy.SPECIAL


def _own_data(root: Path, settings: Settings) -> str | None:
    """Ondol's data directory relative to ``root``, ending in ``/``, if it lies inside (a home folder)."""
    try:
        inside = fsio.real_path(settings.data_dir).relative_to(fsio.real_path(root))
    except (ValueError, OSError):
        return None
    return inside.as_posix() + "/" if inside.parts else None
