"""Cache files: one JSON object each, with its checksum. Losing one costs only time."""

import hashlib
import json
from pathlib import Path
from typing import Any

from indexer import fsio


def read_cache(path: Path) -> dict[str, Any]:
    """The object in a cache file, or an empty one if it is absent, damaged or unreadable."""
    try:
        digest, _, body = fsio.read(path).partition(b"\n")
        if _digest(body) != digest:
            return {}
        value = json.loads(body)
        return value if isinstance(value, dict) else {}
    except (OSError, ValueError):
        return {}


def write_cache(path: Path, value: dict[str, Any]) -> None:
    """Replace a cache file. It is not durable; its checksum shows damage."""
    body = json.dumps(value, separators=(",", ":")).encode()
    fsio.replace_file(path, _digest(body) + b"\n" + body, durable=False)


def boot_id() -> str:
    """The id of this run of the machine; empty if unknown."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()
    except OSError:
        return ""


def _digest(data: bytes) -> bytes:
    return hashlib.sha256(data).hexdigest().encode()
