"""Finds and copies the local clones of public repositories for the benchmarks; it downloads nothing."""

import subprocess
from pathlib import Path


def find(clones: Path, name: str) -> Path | None:
    """Return the clone of OWNER/NAME below a folder, or None."""
    joined = name.replace("/", "+")
    for place in (f"{joined}/repo", joined, name, name.rpartition("/")[2]):
        if (clones / place).is_dir():
            return clones / place
    return None


def copy_at(clone: Path, commit: str, target: Path) -> Path:
    """Make a bare copy of a clone whose history ends with a commit, and return it; it shares the clone's objects."""
    subprocess.run(["git", "clone", "-q", "--bare", "--shared", clone, target], check=True)
    subprocess.run(["git", "-C", target, "update-ref", "refs/heads/replayed", commit], check=True)
    subprocess.run(["git", "-C", target, "symbolic-ref", "HEAD", "refs/heads/replayed"], check=True)
    return target
