"""Which files of git change when another commit, branch or index is checked out; it starts no git.

In a clone they stand in ``.git``. In a linked worktree and in a submodule ``.git`` is a file that names the folder, and
a worktree shares the branches of its main repository, whose folder ``commondir`` names. Branches are files, lines of
``packed-refs``, or tables of a reftable. Nothing is read but these two pointers, 4 KiB at most of each.
"""

import os
import stat
from pathlib import Path
from typing import Final

_OWN: Final = ("HEAD", "index", "logs/HEAD", "reftable/tables.list")
"""Files of one checkout: its commit, its index, and its own references."""

_SHARED: Final = ("packed-refs", "reftable/tables.list")
_POINTER_LIMIT: Final = 4096
_PREFIX: Final = "gitdir:"


def git_folder(root: Path) -> Path | None:
    """The folder that holds ``HEAD`` and ``index`` of the work tree at ``root``; None for a plain folder."""
    dot_git = root / ".git"
    try:
        if dot_git.is_dir():
            return dot_git
    except OSError:
        return None
    named = _pointer(root, ".git")
    if named is None or not named.startswith(_PREFIX):
        return None
    return root / named.removeprefix(_PREFIX).strip()


def changing_files(root: Path) -> tuple[Path, ...]:
    """The files of git whose times change with a commit, a checkout, a rebase or a stash; none for a plain folder.

    Some of them may not exist yet.
    """
    own = git_folder(root)
    if own is None:
        return ()
    named = _pointer(own, "commondir")
    shared = own / named if named else own
    return tuple(dict.fromkeys([*(own / name for name in _OWN), *(shared / name for name in _SHARED)]))


def _pointer(folder: Path, name: str) -> str | None:
    try:
        descriptor = os.open(folder / name, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOFOLLOW", 0))
    except (OSError, ValueError):
        return None
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):  # before fdopen, which refuses a folder
        os.close(descriptor)
        return None
    with os.fdopen(descriptor, "rb") as file:
        return file.read(_POINTER_LIMIT).decode("utf-8", "surrogateescape").strip()
