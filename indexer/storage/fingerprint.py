"""Two hashes that say whether an index still fits: one of the code that shapes documents, one of the user's choices.

The code's hash is taken from the sources and data files themselves, so that nobody has to remember to raise a version
number: a changed chunker makes a new index, at the price of one needless rebuild for a changed comment.
"""

import hashlib
import importlib.util
import json
from pathlib import Path
from typing import Final

from indexer.config import Settings
from indexer.storage import generations

_SHAPING_MODULES: Final = (
    "building/prepare",
    "languages/chunking",
    "languages/grammars",
    "languages/table",
    "repository/encodings",
    "repository/policy",
    "search/bm25",
    "search/embedding",
    "search/suffix_array",
    "search/vectors",
    "search/word_prefixes",
    "secrets/masking",
    "secrets/rules",
    "storage/segment",
    "text/lines",
    "text/terms",
    "text/tokens",
)
_CHOOSING_SETTINGS: Final = ("exclude", "include_vendored", "include_generated", "max_file_bytes", "max_line_chars")


def shape() -> str:
    """Hash of everything that shapes a document: our modules, the shipped embedding, versions of the grammars."""
    here = Path(__file__).parents[1]
    digest = hashlib.sha256(f"format {generations.FORMAT}".encode())
    paths = [here / f"{name}.py" for name in _SHAPING_MODULES]
    paths += sorted(path for path in (here / "data").rglob("*") if path.is_file())
    for path in paths:
        if path.exists():
            digest.update(f"\0{path.relative_to(here).as_posix()}\0".encode())
            digest.update(path.read_bytes())
    found = importlib.util.find_spec("tree_sitter")
    if found is not None and found.origin is not None:
        installed = Path(found.origin).parent.parent
        digest.update("\0".join(sorted(path.name for path in installed.glob("tree_sitter*.dist-info"))).encode())
    return digest.hexdigest()


def settings(chosen: Settings) -> str:
    """Hash of the settings that choose which files are read."""
    values = {name: getattr(chosen, name) for name in _CHOOSING_SETTINGS}
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()
