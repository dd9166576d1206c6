"""A set on disk: JSON lines in shards, listed with size and hash in a manifest that is written last.

A folder without a manifest is no set. Knows neither how samples are made nor how they are trained on.
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
    """Writes a set into a folder; what an earlier set left there is removed first.

    :ivar files: name -> size, hash and samples of each finished shard. :ivar counts: split -> samples.
    """

    folder: Path
    files: dict[str, dict[str, Any]] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=lambda: {TRAIN: 0, VALIDATION: 0})
    _open: dict[str, list[bytes]] = field(default_factory=lambda: {TRAIN: [], VALIDATION: []})

    def __post_init__(self) -> None:
        fsio.make_directories(self.folder)
        fsio.unlink(self.folder / MANIFEST)  # first: from here on there is no set
        for split in self._open:
            for path in self.folder.glob(f"{split}-*.jsonl"):
                fsio.unlink(path)

    def add(self, split: str, sample: Mapping[str, Any]) -> None:
        """Takes one sample."""
        self._open[split].append(json.dumps(sample, separators=(",", ":")).encode() + b"\n")
        self.counts[split] += 1
        if len(self._open[split]) == SAMPLES_PER_SHARD:
            self._close(split)

    def finish(self) -> str:
        """Writes what is left; returns the hash of the set: of the hashes of its shards in their order."""
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
    """Makes the shards a set."""
    fsio.replace_file(folder / MANIFEST, (json.dumps(manifest, indent=1) + "\n").encode())


def read(folder: Path, files: Mapping[str, Mapping[str, Any]], split: str) -> Iterator[dict[str, Any]]:
    """The samples of a split, in order.

    :raises UserError: a shard is missing, or is not what the manifest describes.
    """
    for name in sorted(files):
        if name.startswith(split):
            path = folder / name
            try:
                data = fsio.read(path)
            except OSError:
                raise UserError(f"{path} is missing from the set", "build the data set again") from None
            if sha256(data).hexdigest() != files[name]["sha256"]:
                raise UserError(f"{path} is not what its manifest describes", "build the data set again")
            for line in data.splitlines():
                yield json.loads(line)


def path_key(path: str) -> str:
    """The key under which a manifest lists a path: tells whether a file was seen without naming it."""
    return sha256(path.encode("utf-8", "surrogateescape")).hexdigest()[:32]
