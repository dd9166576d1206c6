"""Texts that fill-in-the-middle is learnt from: the repository's own code, and installed packages with free licences.

Nothing is fetched. A package counts if its metadata names a permissive licence and no other; Python's own library
counts too. Secrets are masked as everywhere.
"""

import random
import sysconfig
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import Any, Final

from finetune.commits.allowed import allowed
from finetune.commits.windows import is_code
from finetune.dataset.samples import RawSample
from finetune.dataset.spans import Spans
from indexer.config import Settings
from indexer.languages.grammars import language_of
from indexer.repository import git
from indexer.repository.git import cat_file_batch
from indexer.repository.policy import source_from_bytes
from indexer.text.lines import unify_line_ends
from indexer.types import Skip

PERMISSIVE: Final = ("mit", "bsd", "apache", "isc", "psf", "python software foundation", "zlib", "unlicense", "0bsd")
NOT_PERMISSIVE: Final = ("gpl", "mpl", "mozilla", "proprietary", "commercial", "epl", "cddl")
LONGEST_FILE: Final = 200_000
SPANS_OF_FILE: Final = 6


def own_texts(root: Path, settings: Settings, seed: int) -> Iterator[tuple[str, str]]:
    """Yield path and text of the code at ``HEAD``, in an order that the seed draws."""
    head = git.head(root)
    if head is None:
        return
    allows = allowed(root, settings)
    entries = [one for one in git.ls_tree(root, head) if one.is_regular and is_code(one.path) and allows(one.path)]
    random.Random(f"{seed}:own").shuffle(entries)
    for entry in entries:
        for _, data in cat_file_batch(root, [entry.blob], settings.max_file_bytes):
            yield from _text(entry.path, data or b"", settings)


def installed_texts(settings: Settings, seed: int) -> Iterator[tuple[str, str]]:
    """Yield path and text of installed code with permissive licences, in an order that the seed draws."""
    files = [(path.name, path) for path in sorted(Path(sysconfig.get_path("stdlib")).glob("*.py"))]
    for package in metadata.distributions():
        if is_permissive(package.metadata):
            found = [one for one in package.files or () if is_code(str(one)) and "test" not in str(one).lower()]
            files += [(str(one), Path(str(package.locate_file(one)))) for one in found]
    random.Random(f"{seed}:installed").shuffle(files)
    for name, path in files:
        try:
            data = path.read_bytes() if path.stat().st_size <= LONGEST_FILE else b""
        except OSError:
            continue  # listed in the metadata, but removed since
        yield from _text(name, data, settings)


def is_permissive(about: Any) -> bool:
    """Return whether a package's metadata (an ``email.message.Message``) names a permissive licence and no other."""
    named = [about.get("License-Expression") or "", (about.get("License") or "")[:200]]
    named += [one for one in about.get_all("Classifier") or () if one.startswith("License ::")]
    words = " ".join(named).lower()
    return any(one in words for one in PERMISSIVE) and not any(one in words for one in NOT_PERMISSIVE)


def _text(path: str, data: bytes, settings: Settings) -> Iterator[tuple[str, str]]:
    source = source_from_bytes(path, data, settings) if data else None
    if source is not None and not isinstance(source, Skip) and source.text.strip():
        yield path, unify_line_ends(source.text)


def spans_of(texts: Iterator[tuple[str, str]], seed: int, longest: int) -> Iterator[RawSample]:
    """Yield middles of at most ``longest`` characters: a few of each text."""
    for path, text in texts:
        rng = random.Random(f"{seed}:{path}")
        cutter = Spans(text, language_of(path))
        for _ in range(SPANS_OF_FILE):
            span = cutter.draw(rng, 0, len(text))
            if span is not None and span.end - span.start <= longest:
                yield RawSample(span.kind, path, text, span.start, span.end)
