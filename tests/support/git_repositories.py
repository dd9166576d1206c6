"""Repositories for the tests, made with git itself and nobody's configuration."""

import os
import subprocess
from pathlib import Path

ENVIRONMENT = {
    "PATH": os.environ["PATH"],
    "HOME": "/nonexistent",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_AUTHOR_NAME": "A",
    "GIT_AUTHOR_EMAIL": "a@a.invalid",
    "GIT_COMMITTER_NAME": "A",
    "GIT_COMMITTER_EMAIL": "a@a.invalid",
    "GIT_AUTHOR_DATE": "2024-01-01T00:00:00Z",
    "GIT_COMMITTER_DATE": "2024-01-01T00:00:00Z",
}


def git(root: Path, *args: str) -> str:
    """Run git as a user would, with none of Ondol's precautions."""
    done = subprocess.run(
        ["git", "-c", "protocol.file.allow=always", "-c", "init.defaultBranch=main", *args],
        cwd=root,
        env=ENVIRONMENT,
        check=True,
        capture_output=True,
        text=True,
        timeout=60,
    )
    return done.stdout.strip()


def place(root: Path, path: str, content: str | bytes) -> Path:
    """Write one file and the folders above it."""
    target = root / path
    target.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(content, bytes):
        target.write_bytes(content)
    else:
        target.write_text(content, encoding="utf-8")
    return target


def repository(root: Path, files: dict[str, str | bytes], commit: bool = True) -> Path:
    """A repository at ``root`` with these files, committed unless told otherwise."""
    root.mkdir(parents=True, exist_ok=True)
    git(root, "init", "-q")
    for path, content in files.items():
        place(root, path, content)
    if commit:
        git(root, "add", "-A", "-f")
        git(root, "commit", "-q", "--allow-empty", "-m", "first")
    return root
