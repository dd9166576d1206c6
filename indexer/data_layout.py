"""Where data lives: one folder per repository under the data directory. The only module that knows these paths."""

import hashlib
import os
import re
import stat
from pathlib import Path

from indexer.config import Settings
from indexer.errors import UserError


def repository_directory(settings: Settings, root: Path) -> Path:
    """The folder for everything Ondol keeps about the repository at ``root``; created with mode 700.

    :raises UserError: the folder cannot be made.
    """
    directory = repository_path(settings, root)
    try:
        for folder in (settings.data_dir, directory.parent, directory):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if os.name == "posix" and stat.S_IMODE(directory.stat().st_mode) != 0o700:
            directory.chmod(0o700)
    except OSError as error:
        raise UserError(
            f"cannot make the folder {directory} ({error.strerror or error})",
            "make it writable or set ONDOL_DATA_DIR to a folder that is",
        ) from error
    return directory


def repository_path(settings: Settings, root: Path) -> Path:
    """Where that folder is, whether or not it has been made."""
    resolved = Path(root).resolve()
    digest = hashlib.sha256(os.fsencode(resolved)).hexdigest()[:12]
    name = re.sub(r"[^A-Za-z0-9._-]", "_", resolved.name)[:64] or "root"
    return settings.data_dir / "repositories" / f"{name}-{digest}"


def index_directory(settings: Settings, root: Path) -> Path:
    """Where the index of the repository at ``root`` is kept, whether or not there is one."""
    return repository_path(settings, root) / "index"


def registry_directory(settings: Settings, root: Path) -> Path:
    """Where the adapters of a repository are kept."""
    return Path(repository_path(settings, root)) / "registry"
