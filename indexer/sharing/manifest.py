"""The manifest of an exported index: which repository and commit, and the manifest of the index itself.

    ondol-index.json    JSON: the checksum, and what it is the checksum of
    files/<sha256>      the files of the index, named by what they hold

It comes from another machine, so everything in it is checked before it is used. No path in it is used as it stands: a
file's place in the export follows from its hash, and its place in the index has to look as Ondol writes it.
"""

import hashlib
import json
import re
from dataclasses import asdict, dataclass
from typing import Any, Final

from indexer.errors import IndexDamaged, IndexTooNew, UserError
from indexer.sharing.places import MANIFEST, Place
from indexer.storage.generations import Manifest, decode_manifest

FORMAT: Final = 1
LARGEST_BYTES: Final = 64 << 20
"""The kernel's 30 million lines have a manifest of less than a megabyte."""

_HASH: Final = re.compile(r"[0-9a-f]{64}")
_COMMIT: Final = re.compile(r"[0-9a-f]{40,64}|")
_MOST: Final = 1 << 45
"""No size or number in a manifest is larger."""


@dataclass(frozen=True, slots=True)
class ExportManifest:
    """What is exported.

    :param repository: name of its folder. :param first_commit: as in ``storage.adoption``; empty without git.
    :param commit: what was checked out; empty without git.
    :param uncommitted: files that differed from the commit.
    :param made: time of the export, seconds since 1970.
    :param before: names of the files of the export before, which stay for those who are reading it.
    :param index: the manifest of the index, without the place of the repository.
    """

    repository: str
    first_commit: str
    commit: str
    uncommitted: int
    made: int
    before: tuple[str, ...]
    index: Manifest

    def encode(self) -> bytes:
        """JSON with a checksum."""
        fields = {name: getattr(self, name) for name in _PLAIN}
        body = json.dumps({"format": FORMAT, **fields, "before": self.before, "index": self.index.encode().decode()})
        return json.dumps({"checksum": _sha256(body), "export": body}).encode()

    @property
    def names(self) -> dict[str, int]:
        """Name and size in bytes of each file of the export."""
        return {record.sha256: record.size for record in self.index.files.values()}


_PLAIN: Final = ("repository", "first_commit", "commit", "uncommitted", "made")


def read_manifest(place: Place) -> ExportManifest:
    """The manifest of an export.

    :raises UserError: there is none, or it is damaged, too large, or of another version.
    """
    try:
        data = place.manifest(LARGEST_BYTES)
    except FileNotFoundError as error:
        raise UserError(
            f"there is no exported index in {place.name}, or one whose copy is not complete: it has no {MANIFEST}",
            "name the folder that `ondol index --export` was given, and copy that file last",
        ) from error
    if len(data) > LARGEST_BYTES:
        raise _damaged(place, f"it is larger than {LARGEST_BYTES >> 20} MiB")
    try:
        return _decoded(data)
    except IndexTooNew as error:
        raise IndexTooNew(f"{error.what}: the export in {place.name}", "update Ondol") from None
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, IndexDamaged) as error:
        raise _damaged(place, str(error) or type(error).__name__) from None


def _decoded(data: bytes) -> ExportManifest:
    outer = json.loads(data)
    body = outer["export"]
    if _sha256(body) != outer["checksum"]:
        raise ValueError("its checksum is wrong")
    fields: dict[str, Any] = json.loads(body)
    if _number(fields["format"]) > FORMAT:
        raise IndexTooNew("a later version of Ondol exported it", "update Ondol")
    for name in ("repository", "first_commit", "commit"):
        if not isinstance(fields[name], str):
            raise TypeError(f"{name} is no text")
    if not _COMMIT.fullmatch(fields["commit"]):
        raise ValueError("commit is none")
    index = decode_manifest(fields["index"].encode(), None)
    _check(index)
    return ExportManifest(
        **{name: fields[name] for name in ("repository", "first_commit", "commit")},
        uncommitted=_number(fields["uncommitted"]),
        made=_number(fields["made"]),
        before=tuple(name for name in fields["before"] if isinstance(name, str) and _HASH.fullmatch(name)),
        index=index,
    )


def _check(index: Manifest) -> None:
    """Raise ``ValueError`` unless all numbers, hashes and names of an index's manifest can be true together."""
    for name in ("shape", "settings"):
        if not isinstance(getattr(index, name), str):
            raise ValueError(f"{name} is no text")
    numbers = [segment.number for segment in index.segments]
    if len(set(numbers)) != len(numbers):
        raise ValueError("a segment stands there twice")
    for segment in index.segments:
        dead = segment.dead
        for value in (*asdict(segment).values(),):
            if not isinstance(value, (tuple, list)):
                _number(value)
        if any(not 0 <= _number(one) < segment.documents for one in dead):
            raise ValueError("a deleted document is not in its segment")
    folders = {f"segments/{number:08d}" for number in numbers} | {f"generations/{_number(index.generation):08d}"}
    for name, record in index.files.items():
        if "/".join(name.split("/")[:2]) not in folders:
            raise ValueError("a file belongs to no segment")
        if not isinstance(record.sha256, str) or not _HASH.fullmatch(record.sha256):
            raise ValueError("a hash is none")
        _number(record.size)
    for value in (index.next_document, index.next_segment, *index.counts.values()):
        _number(value)


def _number(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < _MOST:
        raise ValueError(f"{str(value)[:20]} is not a number that can be there")
    return value


def _damaged(place: Place, why: str) -> UserError:
    return UserError(
        f"the manifest of the export in {place.name} is damaged ({why[:100]})",
        "export the index again, or copy the folder again with this file last",
    )


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
