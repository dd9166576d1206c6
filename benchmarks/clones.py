"""Where the clones of public repositories lie that benchmarks replay. Fetches nothing."""

from pathlib import Path


def find(clones: Path, name: str) -> Path | None:
    """The clone of OWNER/NAME below a folder."""
    joined = name.replace("/", "+")
    for place in (f"{joined}/repo", joined, name, name.rpartition("/")[2]):
        if (clones / place).is_dir():
            return clones / place
    return None
