"""Finds the local clones of public repositories for the benchmarks; it downloads nothing."""

from pathlib import Path


def find(clones: Path, name: str) -> Path | None:
    """Return the clone of OWNER/NAME below a folder, or None."""
    joined = name.replace("/", "+")
    for place in (f"{joined}/repo", joined, name, name.rpartition("/")[2]):
        if (clones / place).is_dir():
            return clones / place
    return None
