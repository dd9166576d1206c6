"""Small repositories for the tests of the index, and what an index holds in a form that can be compared."""

import hashlib
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from indexer.building.build import build
from indexer.config import Settings
from indexer.data_layout import index_directory
from indexer.storage.reader import Index

SCRIPT = Path(sys.executable).with_name("ondol")

FILES = {
    "src/walrus.py": "import os\n\n\ndef feed_walrus(fish: int) -> int:\n    return fish * 2\n",
    "src/heron.py": "def heron_height(cm):\n    # 왜가리 높이\n    return cm / 100\n",
    "src/deep/badger.c": "#include <stdio.h>\n\nint badger_count(void)\n{\n    return 7;\n}\n",
    "README.md": "# Animals\n\nCounts of walrus and badger.\n",
}


@pytest.fixture(name="tmp_path")
def in_memory() -> Iterator[Path]:
    """In memory where there is such a place: tests of the index sync thousands of files; no disk is needed."""
    memory = Path("/dev/shm")
    folder = memory if os.access(memory, os.W_OK) else None
    with tempfile.TemporaryDirectory(dir=folder, ignore_cleanup_errors=True) as name:
        yield Path(name)


def write(root: Path, files: dict[str, str | bytes]) -> None:
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())


def git(root: Path, *args: str) -> str:
    environment = {
        **os.environ,
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_AUTHOR_NAME": "t",
        "GIT_AUTHOR_EMAIL": "t@example.org",
        "GIT_COMMITTER_NAME": "t",
        "GIT_COMMITTER_EMAIL": "t@example.org",
    }
    done = subprocess.run(
        ["git", "-c", "protocol.file.allow=always", *args], cwd=root, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def repository(root: Path, files: dict[str, str | bytes] | None = None) -> Path:
    """A git repository with one commit of ``files``."""
    root.mkdir(parents=True, exist_ok=True)
    git(root, "init", "-q", "-b", "main")
    write(root, FILES if files is None else files)
    git(root, "add", "-A")
    git(root, "commit", "-q", "-m", "first", "--allow-empty")
    return root


def settings(data: Path, **values: Any) -> Settings:
    return replace(Settings(data_dir=data, workers=2), **values)


def updated(root: Path, data: Path, **options: Any) -> Index:
    """Builds or updates, and opens."""
    chosen = settings(data)
    build(root, chosen, **options)
    return Index.open(index_directory(chosen, root))


def directory(root: Path, data: Path) -> Path:
    return index_directory(settings(data), root)


def holds(index: Index) -> dict[str, Any]:
    """Everything about the documents that count, by path, without ids and places."""
    found = {}
    for path, document in index.documents.items():
        segment = index.segments[document.segment]
        first = int(segment.chunk_counts[: document.local].sum())
        vectors = segment.vectors()[first : first + document.chunks]
        chunks = [(chunk.start_line, chunk.end_line, chunk.header, chunk.text) for chunk in index.chunks(document)]
        lexed = segment.lexed()[document.local]
        tokens = hashlib.sha256(lexed.ids.tobytes() + lexed.counts.tobytes() + lexed.indents.tobytes()).hexdigest()
        text = index.text(document)
        found[path] = (document.blob, document.language, text, chunks, vectors.tobytes(), document.masked, tokens)
    return found


def run(*args: str | Path, data: Path | None = None, cwd: Path | None = None, **options: Any) -> Any:
    """The real console script."""
    environment = {**os.environ, **({"ONDOL_DATA_DIR": str(data)} if data else {}), **options.pop("env", {})}
    return subprocess.run(
        [*options.pop("prefix", []), SCRIPT, *args],
        env=environment,
        cwd=cwd,
        capture_output=True,
        text=True,
        errors="replace",
        timeout=120,
        **options,
    )
