"""What git lists in a work tree: tracked, untracked and ignored files, asked for with two calls at once.

The answers are kept as git printed them. An update compares their hash with that of the update before, and takes them
apart only if they differ.
"""

import hashlib
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from indexer.errors import UserError
from indexer.repository.git import SUSPICIOUS_S, GitWaits, run_git

_UNTRACKED: Final = b"? "
_MODE: Final = slice(2, 8)
_SUBMODULE: Final = b"160000"


@dataclass(frozen=True, slots=True)
class Listing:
    """Two answers of ``git ls-files -z``; paths are POSIX, relative to the root, decoded with ``surrogateescape``.

    :param present: tracked files (``H 100644 <blob> 0<tab>path``) and untracked ones (``? path``).
    :param excluded: ignored files.
    """

    present: bytes
    excluded: bytes

    @property
    def digest(self) -> str:
        """Hash of the tracked and the untracked files."""
        return hashlib.sha256(self.present).hexdigest()

    def tracked(self) -> dict[str, bool]:
        """The tracked paths, and whether each is a submodule."""
        return {
            _text(record[record.index(b"\t") + 1 :]): record[_MODE] == _SUBMODULE
            for record in _split(self.present)
            if not record.startswith(_UNTRACKED)
        }

    def tracks(self, path: str) -> bool:
        """Whether git tracks a path that it listed; quick for one path."""
        return b"\t%s\0" % path.encode("utf-8", "surrogateescape") in self.present

    def untracked(self) -> list[str]:
        """The untracked paths; a folder that git does not look into (a repository) ends in ``/``."""
        return [_text(record[2:]) for record in _split(self.present) if record.startswith(_UNTRACKED)]

    def ignored(self) -> list[str]:
        """The ignored paths; a folder that is ignored as a whole ends in ``/``."""
        return [_text(name) for name in _split(self.excluded)]


def read_listing(root: Path) -> Listing:
    """Ask git for the files of the work tree at ``root``.

    :raises GitWaits: git would wait for ever, because a pipe stands in the place of a `.gitignore`.
    :raises UserError: git refuses, or does not answer.
    """
    with ThreadPoolExecutor(1) as thread:
        excluded = thread.submit(_asked, root, "--others", "--ignored", "--directory")
        present = _asked(root, "-t", "--stage", "--cached", "--others")
        return Listing(present, excluded.result())


def is_read_by_git(path: str) -> bool:
    """Whether git reads the file at this path, in whatever folder, to list others."""
    return path.rpartition("/")[2] == ".gitignore"


def _asked(root: Path, *options: str) -> bytes:
    line = ("ls-files", "-z", "--exclude-standard", *options)
    try:
        return run_git(root, *line, timeout=SUSPICIOUS_S)
    except UserError:
        for folder, folders, names in os.walk(root):
            folders[:] = [name for name in folders if name != ".git"]
            for name in names:
                place = Path(folder) / name
                if is_read_by_git(name) and not place.is_symlink() and not place.is_file():
                    raise GitWaits(f"{place} is not a regular file", "remove it") from None
        return run_git(root, *line)


def _split(output: bytes) -> list[bytes]:
    return output.split(b"\0")[:-1]


def _text(name: bytes) -> str:
    return name.decode("utf-8", "surrogateescape")
