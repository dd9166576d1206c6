"""A data set on disk: JSON lines in shards, listed with size and hash in a manifest that is written last.

A folder without a manifest is not a data set.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

from indexer import fsio
from indexer.errors import UserError

MANIFEST: Final = "manifest.json"
TRAIN: Final = "train"
VALIDATION: Final = "validation"

SAMPLES_PER_SHARD: Final = 1000


@dataclass
class Shards:
    """Writes a data set into a folder, and first removes an earlier one.

    :ivar files: name -> size, hash and number of samples of each finished shard.
    :ivar counts: split -> number of samples.
    """

    folder: Path
    files: dict[str, dict[str, Any]] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=lambda: {TRAIN: 0, VALIDATION: 0})
    _open: dict[str, list[bytes]] = field(default_factory=lambda: {TRAIN: [], VALIDATION: []})

    def __post_init__(self) -> None:
        fsio.make_directories(self.folder)
        fsio.unlink(self.folder / MANIFEST)  # first, so that an unfinished folder is not a data set
        for split in self._open:
            for path in self.folder.glob(f"{split}-*.jsonl"):
                fsio.unlink(path)

    def add(self, split: str, sample: Mapping[str, Any]) -> None:
        """Add one sample."""
        self._open[split].append(json.dumps(sample, separators=(",", ":")).encode() + b"\n")
        self.counts[split] += 1
        if len(self._open[split]) == SAMPLES_PER_SHARD:
            self._close(split)

    def finish(self) -> str:
        """Write the last shards; return the hash of the set, which is that of its shards' hashes in their order."""
        for split in self._open:
            self._close(split)
        listed = "".join(f"{name} {entry['sha256']}\n" for name, entry in sorted(self.files.items()))
        return sha256(listed.encode()).hexdigest()

    def _close(self, split: str) -> None:
        lines, self._open[split] = self._open[split], []
        if lines:
            name = f"{split}-{sum(one.startswith(split) for one in self.files):05d}.jsonl"
            data = b"".join(lines)
            digest = fsio.write_file(self.folder / name, data)
            self.files[name] = {"size": len(data), "sha256": digest, "samples": len(lines)}


def write_manifest(folder: Path, manifest: Mapping[str, Any]) -> None:
    """Write the manifest, which makes the shards a data set."""
    fsio.replace_file(folder / MANIFEST, (json.dumps(manifest, indent=1) + "\n").encode())


def read(folder: Path, files: Mapping[str, Mapping[str, Any]], split: str) -> Iterator[dict[str, Any]]:
    """Yield the samples of a split, in order.

    :raises UserError: a shard is missing or differs from its manifest.
    """
    for name in sorted(files):
        if name.startswith(split):
            path = folder / name
            try:
                data = fsio.read(path)
            except OSError:
                raise UserError(f"{path} is missing from the data set", "build the data set again") from None
            if sha256(data).hexdigest() != files[name]["sha256"]:
                raise UserError(f"{path} differs from its manifest", "build the data set again")
            for line in data.splitlines():
                yield json.loads(line)


def path_key(path: str) -> str:
    """Return the key under which a manifest lists a path: a hash, so that the manifest does not name the file."""
    return sha256(path.encode("utf-8", "surrogateescape")).hexdigest()[:32]
