"""How much memory this machine has left, and whether a model fits into it."""

import os
from pathlib import Path
from typing import Final

from lsp_server.errors import BackendProblem

_REST: Final = 1 << 28
"""Bytes that a model needs besides its weights and its cache, and that other programs should keep."""


def available() -> int | None:
    """Bytes that a process may still take; None where the system does not say."""
    found = [value for value in (_linux(), _control_group()) if value is not None]
    return min(found) if found else None


def total() -> int | None:
    """Bytes of memory that this machine has; None where the system does not say."""
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, OSError, ValueError):
        return None


def check(name: str, needed: int) -> None:
    """Refuse a model that does not fit.

    :param needed: bytes of its weights and its cache.
    :raises BackendProblem: less is available.
    """
    free = available()
    if free is not None and needed + _REST > free:
        raise BackendProblem(
            f"{name} needs {(needed + _REST) / 1e9:.1f} GB of memory, and {free / 1e9:.1f} GB are free",
            "use a smaller model or one of fewer bits, or close other programs",
        )


def _linux() -> int | None:
    try:
        for line in Path("/proc/meminfo").read_text(encoding="ascii").splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    except (OSError, ValueError, IndexError):
        pass
    return None


def _control_group() -> int | None:
    """What the control group of a container leaves; files in the cache count as free."""
    folder = Path("/sys/fs/cgroup")
    try:
        limit, used = (int((folder / name).read_text(encoding="ascii")) for name in ("memory.max", "memory.current"))
        rows = (folder / "memory.stat").read_text(encoding="ascii").splitlines()
    except (OSError, ValueError):
        return None
    cached = next((int(row.split()[1]) for row in rows if row.startswith("inactive_file ")), 0)
    return max(0, limit - used + cached)
