"""Indexes of small repositories, and their content in a form that can be compared."""

import hashlib
from dataclasses import replace
from pathlib import Path
from typing import Any

from indexer.building.build import build
from indexer.config import Settings
from indexer.data_layout import index_directory
from indexer.storage.reader import Index


def settings(data: Path, **values: Any) -> Settings:
    """Settings with the data folder ``data`` and two workers."""
    return replace(Settings(data_dir=data, workers=2), **values)


def updated(root: Path, data: Path, **options: Any) -> Index:
    """Build or update the index of ``root``, and open it."""
    chosen = settings(data)
    build(root, chosen, **options)
    return Index.open(index_directory(chosen, root))


def directory(root: Path, data: Path) -> Path:
    """The folder of the index of ``root``."""
    return index_directory(settings(data), root)


def holds(index: Index) -> dict[str, Any]:
    """Everything about the documents that count, by path, without ids and positions in files."""
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
