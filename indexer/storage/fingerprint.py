"""Two hashes that say whether an index still fits: one of the code that shapes documents, one of the user's settings.

The first hash is taken from the code, so nobody has to raise a version number when the chunker changes. It covers
the syntax trees without docstrings and comments: only a change of code, of a data file or of a grammar's version makes
Ondol rebuild its indexes. Another version of Python may give other trees and then costs one rebuild too.
"""

import ast
import contextlib
import hashlib
import importlib.util
import json
import sys
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Final

from indexer import fsio
from indexer.config import Settings
from indexer.data_layout import code_hash_cache_file
from indexer.storage import cache_files, generations

_PACKAGE: Final = Path(__file__).parents[1]
_SHAPING_MODULES: Final = (
    "building/prepare",
    "languages/chunking",
    "languages/first_lines",
    "languages/grammars",
    "languages/table",
    "repository/encodings",
    "repository/policy",
    "search/bm25",
    "search/embedding",
    "search/line_table",
    "search/suffix_array",
    "search/token_codes",
    "search/vectors",
    "search/word_prefixes",
    "secrets/assignments",
    "secrets/columns",
    "secrets/cover",
    "secrets/credentials",
    "secrets/formats",
    "secrets/insert_rows",
    "secrets/key_blocks",
    "secrets/masking",
    "secrets/nearby",
    "secrets/prose",
    "secrets/roundabout",
    "secrets/rules",
    "secrets/structures",
    "storage/segment",
    "storage/text_blocks",
    "text/lines",
    "text/particles",
    "text/terms",
    "text/tokens",
)
_CHOOSING_MODULES: Final = ("ignore_patterns", "repository/listing", "repository/walk")
_SHAPING_PACKAGES: Final = (("tree_sitter", "tree_sitter*"), ("kingfisher_sdk", "kingfisher_secret_scanner"))
"""Modules and the packages next to them: grammars cut chunks, the secret scanner masks."""

_VERSIONS_KEPT: Final = 8
"""Installations whose hash is kept: each would otherwise parse again after the other has run."""

_CHOOSING_SETTINGS: Final = (
    "exclude",
    "include_vendored",
    "include_generated",
    "max_file_bytes",
    "max_line_chars",
    "max_index_mb",
)


@cache
def shape() -> str:
    """Hash of everything that shapes a document: code, the shipped embedding, the packages that cut and mask it."""
    digest = hashlib.sha256(f"format {generations.FORMAT} {_code_hash(_SHAPING_MODULES)}".encode())
    for path in sorted(path for path in (_PACKAGE / "data").rglob("*") if path.is_file()):
        digest.update(f"\0{path.relative_to(_PACKAGE).as_posix()}\0".encode())
        digest.update(path.read_bytes())
    for module, package in _SHAPING_PACKAGES:
        digest.update("\0".join(_installed(module, package)).encode())
    return digest.hexdigest()


def outcome(chosen: Settings) -> str:
    """Hash of everything but the ignore files that decides what becomes of a file: code, settings, rules for paths."""
    parts = shape(), settings(chosen), _code_hash(_CHOOSING_MODULES), *_installed("pathspec", "pathspec")
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def _installed(module: str, package: str) -> list[str]:
    """Names and versions of the installed packages whose names begin with ``package``, which lie next to ``module``.

    Importing ``importlib.metadata``, which says the same, takes .06 s.
    """
    found = importlib.util.find_spec(module)
    if found is None or found.origin is None:
        return []
    return sorted(path.name for path in Path(found.origin).parent.parent.glob(f"{package}-*.dist-info"))


def _code_hash(modules: Sequence[str]) -> str:
    """Hash of some modules. Parsing takes up to 0.3 s, so the result is cached under the hash of the sources."""
    sources = [(_PACKAGE / f"{name}.py").read_bytes() for name in modules]
    key = hashlib.sha256(b"\0".join([sys.version.encode(), *sources])).hexdigest()
    file = code_hash_cache_file()
    known = cache_files.read_cache(file)
    if isinstance(known.get(key), str):
        return str(known[key])
    code = "\0".join(code_of(source.decode("utf-8")) for source in sources)
    found = hashlib.sha256(code.encode()).hexdigest()
    with contextlib.suppress(OSError):
        fsio.make_directories(file.parent)
        kept = dict(list(known.items())[-_VERSIONS_KEPT + 1 :])
        cache_files.write_cache(file, {**kept, key: found})
    return found


def code_of(source: str) -> str:
    """A Python module's syntax tree as text, without comments, docstrings, layout and other bare strings."""
    tree = ast.parse(source)
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if isinstance(body, list):
            node.body = [one for one in body if not _is_bare_string(one)]  # type: ignore[attr-defined]
    return ast.dump(tree)


def settings(chosen: Settings) -> str:
    """Hash of the settings that choose which files are read."""
    values = {name: getattr(chosen, name) for name in _CHOOSING_SETTINGS}
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()


def _is_bare_string(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
