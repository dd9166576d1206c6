"""The index on disk: generations that are written once, a manifest with the hash of every file, and one pointer.

    index/
      LOCK                        the writer's lock
      CURRENT                     two lines, this generation and the one before: ``00000007 <sha256 of its manifest>``
      generations/00000007/       manifest.json and bm25/, the files of tantivy
      segments/00000003/          immutable sets of documents, shared by generations
      hints, report, verified     caches with their own checksum; losing them costs only time

Nothing that a generation lists is ever changed. A generation is complete and durable before ``CURRENT`` names it, so a
process that ends at any point leaves the old state or the new one. Files that do not match their recorded hash are not
used: the generation before is opened and the problem is reported. Nothing is deleted because it could not be read.

This module handles files and hashes; ``segment`` and ``search.bm25`` own their contents.
"""

import contextlib
import hashlib
import json
import os
import re
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Final

from indexer import fsio, lock
from indexer.data_layout import index_lock_file, index_pointer_file, verified_cache_file
from indexer.errors import IndexDamaged, IndexMissing, IndexTooNew, UserError
from indexer.storage.cache_files import boot_id, read_cache, write_cache
from indexer.storage.write_errors import explained

FORMAT: Final = 3
"""Version of the directory's layout and of every table in it."""

OLDEST_FORMAT: Final = 1
"""The oldest one that can be read, until the index is rebuilt (``earlier_format``)."""

GENERATIONS_KEPT: Final = 2
RACY_NS: Final = 2_000_000_000
"""A file changed this recently may change again within the same tick of its clock: so its times prove nothing yet."""

_NAME = re.compile(r"\d{8}")
_MEMBER = re.compile(
    r"(segments|generations)/\d{8}/(bm25/)?[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}|"
    r"generations/\d{8}/bm25/\.managed\.json"
)
_CTIME, _SIZE = 1, 3
"""Places in a file's mark: inode, time of its last change of any kind, time of its content, size."""

_ATTEMPTS = 5
_BUILD = "run `ondol index` in the repository"
_REBUILD = "rebuild it with `ondol index --full`"


@dataclass(frozen=True, slots=True)
class FileRecord:
    """The recorded size of a file in bytes and its SHA-256, hexadecimal."""

    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class SegmentRecord:
    """A segment of one generation.

    :param bytes: size of all its documents' text, dead or alive.
    :param dead: local numbers of its deleted documents, in order.
    :param dead_bytes: size of their text.
    :param dead_since: time of the first deletion, seconds since 1970; 0 if no document is deleted.
    """

    number: int
    documents: int
    bytes: int
    dead: tuple[int, ...] = ()
    dead_bytes: int = 0
    dead_since: int = 0


@dataclass(frozen=True, slots=True)
class Manifest:
    """One generation. ``files`` maps POSIX paths below the index directory to their records.

    :param shape: hash of everything that shapes documents (chunker, lexer, embedding, policy version ...).
    :param settings: hash of the user's settings that choose documents (exclusions, limits).
    :param counts: figures for people: files, chunks, lines, bytes ...
    """

    generation: int
    root: str
    shape: str
    settings: str
    next_document: int
    next_segment: int
    segments: tuple[SegmentRecord, ...]
    files: dict[str, FileRecord]
    counts: dict[str, int] = field(default_factory=dict)
    format: int = FORMAT

    @property
    def digest(self) -> str:
        """The SHA-256 of the manifest as it is stored."""
        return _sha256(self.encode())

    def encode(self) -> bytes:
        """Canonical JSON; the last member is the checksum of all before."""
        body = json.dumps(asdict(self), sort_keys=True, separators=(",", ":"))
        return json.dumps({"checksum": _sha256(body.encode()), "manifest": body}).encode()


@dataclass(frozen=True, slots=True)
class Opened:
    """A generation that passed its checks; ``problem`` is a sentence if it is not the one that ``CURRENT`` names."""

    manifest: Manifest
    problem: str | None = None


class Store:
    """The index directory ``directory``; reading needs no lock, writing needs :meth:`writing`."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.generations = directory / "generations"
        self.segments = directory / "segments"
        self._checked: tuple[int, dict[str, list[int]]] = (0, {})

    # Reading

    def open(self, *, verify: bool = False) -> Opened:
        """Open the newest generation whose files match its manifest.

        :param verify: hash every file, also those that were hashed since the machine started and have not changed.
        :raises IndexMissing: there is none. :raises IndexDamaged: there is none that passes.
        :raises IndexTooNew: the newest one has a later format.
        """
        self._check_owner()
        for _ in range(_ATTEMPTS):
            pointers = self._pointers()
            opened, problem = self._first_whole(pointers, verify)
            # What is missing may have been removed by a writer that has since committed something newer.
            if problem is None or pointers[:1] == self._pointers()[:1]:
                break
        if opened is not None:
            return opened
        raise problem or IndexMissing(f"there is no index in {self.directory}", _BUILD)

    def _first_whole(
        self, pointers: list[tuple[int, str | None]], verify: bool
    ) -> tuple[Opened | None, IndexDamaged | None]:
        """The first of some generations that passes its checks, and what was wrong with the ones before it."""
        problem = None
        for number, digest in pointers:
            try:
                manifest = self._manifest(number, digest)
                self._check_files(manifest, verify)
            except IndexDamaged as error:
                problem = problem or error
                continue
            notice = f"{problem.what}; generation {number} is used instead." if problem else None
            return Opened(manifest, notice), problem
        return None, problem

    def manifest(self) -> Manifest:
        """The manifest that ``CURRENT`` names, its files unchecked; for a quick look at what is there."""
        for number, digest in self._pointers():
            with contextlib.suppress(IndexDamaged):
                return self._manifest(number, digest)
        raise IndexMissing(f"there is no index in {self.directory}", _BUILD)

    def names(self, manifest: Manifest) -> bool:
        """Whether ``CURRENT`` names this generation first, so that a reader opens it without a complaint."""
        return self._pointers()[:1] == [(manifest.generation, manifest.digest)]

    def _pointers(self) -> list[tuple[int, str | None]]:
        """The generations to try, with their hash if known: those of ``CURRENT``, then all, newest first."""
        try:
            text = fsio.read(index_pointer_file(self.directory)).decode("ascii", "replace")
        except FileNotFoundError:
            text = ""
        lines = [re.fullmatch(r"(\d{8}) ([0-9a-f]{64})", line) for line in text.split("\n")[:GENERATIONS_KEPT]]
        named = {int(match[1]): match[2] for match in lines if match}
        first = [int(lines[0][1])] if lines[0] else []
        order = [*first, *reversed(_numbers(self.generations)), *named]
        return [(number, named.get(number)) for number in dict.fromkeys(order)]

    def _manifest(self, number: int, digest: str | None) -> Manifest:
        path = self.generations / _name(number) / "manifest.json"
        try:
            data = fsio.read(path)
        except FileNotFoundError:
            raise IndexDamaged(f"generation {number} of the index has lost its manifest", _REBUILD) from None
        if digest is not None and _sha256(data) != digest:
            raise IndexDamaged(f"the manifest of generation {number} does not match its hash", _REBUILD)
        return decode_manifest(data, number)

    def _check_files(self, manifest: Manifest, verify: bool) -> None:
        boot = boot_id()
        cached = {} if verify else read_cache(verified_cache_file(self.directory)).get(boot, {})
        now = fsio.now_ns()
        marks: dict[str, list[int]] = {}
        for name, record in manifest.files.items():
            path = self.directory / name
            try:
                mark = self._mark(name)
                if mark[_SIZE] != record.size:
                    raise IndexDamaged(f"{name} of the index has {mark[_SIZE]} bytes, not {record.size}", _REBUILD)
                if cached.get(name) != mark and fsio.hash_file(path) != (record.size, record.sha256):
                    raise IndexDamaged(f"{name} of the index does not match its hash", _REBUILD)
            except (FileNotFoundError, NotADirectoryError):
                raise IndexDamaged(f"{name} of the index is missing", _REBUILD) from None
            marks[name] = mark
        self._checked = manifest.generation, marks
        old = {name: mark for name, mark in marks.items() if now - mark[_CTIME] > RACY_NS}
        if boot and old != cached and not verify:
            with contextlib.suppress(OSError):
                write_cache(verified_cache_file(self.directory), {boot: old})

    def _mark(self, name: str) -> list[int]:
        """What shows cheaply whether a file of the index may have changed."""
        status = os.stat(f"{self.directory}/{name}")  # noqa: PTH116  there may be a thousand files
        return [status.st_ino, status.st_ctime_ns, status.st_mtime_ns, status.st_size]

    def keep_checked(self, manifest: Manifest) -> None:
        """Record that files of a new generation were hashed when the one before was opened, whose files they still are.

        Each update links the files of the ranked search into its own folder and removes older links. Both change the
        time by which :meth:`open` sees that a file may have changed, so that it would hash all of them again. Only the
        writer, who made these links, calls this, at its end.
        """
        boot = boot_id()
        generation, checked = self._checked
        marks = {}
        for name in manifest.files:
            before = checked.get(name.replace(f"/{_name(manifest.generation)}/bm25/", f"/{_name(generation)}/bm25/"))
            if before is not None:
                mark = self._mark(name)
                if [*mark[:_CTIME], *mark[_CTIME + 1 :]] == [*before[:_CTIME], *before[_CTIME + 1 :]]:
                    marks[name] = mark
        if boot and marks:
            with contextlib.suppress(OSError):
                write_cache(verified_cache_file(self.directory), {boot: marks})

    def _check_owner(self) -> None:
        if os.name == "nt" or not self.directory.is_dir():
            return
        owner = self.directory.stat().st_uid
        if os.geteuid() not in (owner, 0):
            raise UserError(f"the index in {self.directory} belongs to another user", "choose another --data-dir")

    # Writing

    @contextlib.contextmanager
    def writing(self) -> Iterator[None]:
        """Hold the writer's lock, and first remove the leftovers of an interrupted writer.

        :raises Locked: another process is writing. :raises UserError: no space is left.
        """
        with explained(self.directory):
            fsio.make_directories(self.directory)
            self._check_owner()
            with lock.hold(index_lock_file(self.directory)):
                for directory in (self.generations, self.segments):
                    fsio.make_directories(directory)
                self.sweep()
                try:
                    yield
                except BaseException:
                    with contextlib.suppress(OSError):
                        self.sweep()
                    raise

    def sweep(self) -> None:
        """Remove unfinished directories, which end in ``.tmp``."""
        for directory in (self.generations, self.segments):
            for child in sorted(directory.glob("*.tmp")):
                fsio.remove_tree(child)

    def stage(self, directory: Path, number: int) -> Path:
        """Create an unfinished directory for a segment or a generation."""
        staged = directory / f"{_name(number)}.tmp"
        fsio.remove_tree(staged)
        fsio.mkdir(staged)
        return staged

    def publish(self, staged: Path) -> Path:
        """Turn an unfinished directory into a finished one, durably; a leftover of the same name is removed."""
        fsio.fsync_dir(staged)
        final = staged.with_suffix("")
        if final.exists():
            fsio.remove_tree(final)
        fsio.rename(staged, final)
        fsio.fsync_dir(final.parent)
        return final

    def commit(self, staged: Path, manifest: Manifest, previous: Manifest | None) -> None:
        """Publish the generation staged in ``staged`` and point ``CURRENT`` to it."""
        data = manifest.encode()
        fsio.write_file(staged / "manifest.json", data)
        self.publish(staged)
        lines = f"{_name(manifest.generation)} {_sha256(data)}\n"
        if previous is not None:
            lines += f"{_name(previous.generation)} {previous.digest}\n"
        fsio.replace_file(index_pointer_file(self.directory), lines.encode())

    def collect(self, keep: list[Manifest]) -> None:
        """Remove all generations but ``keep``, and the segments that none of these lists.

        A file that a reader on Windows has open is removed the next time.
        """
        segments = {segment.number for manifest in keep for segment in manifest.segments}
        kept = {manifest.generation for manifest in keep}
        for directory, wanted in ((self.generations, kept), (self.segments, segments)):
            for number in _numbers(directory):
                if number not in wanted:
                    with contextlib.suppress(PermissionError):
                        fsio.remove_tree(directory / _name(number))

    def remove_unlisted(self, unwanted: Callable[[Manifest], bool]) -> None:
        """Remove what an interrupted update left: generations and segments that those of ``CURRENT`` do not list.

        Nothing is removed where one of these cannot be read.

        :param unwanted: whether the generation before must go as well.
        """
        with contextlib.suppress(IndexDamaged, IndexTooNew):
            named = [self._manifest(number, digest) for number, digest in self._pointers() if digest is not None]
            if named:
                self.collect([*named[:1], *(one for one in named[1:] if not unwanted(one))])

    def next_generation(self) -> int:
        """A number that no generation has, finished or not."""
        return max([*_numbers(self.generations), 0]) + 1

    def next_segment(self) -> int:
        """A number that no segment has, finished or not."""
        return max([*_numbers(self.segments), -1]) + 1

    def size(self, manifest: Manifest) -> int:
        """Bytes of all files of one generation."""
        return sum(record.size for record in manifest.files.values())


def decode_manifest(data: bytes, number: int | None) -> Manifest:
    """The manifest in ``data``, its checksum, format and paths checked.

    :param number: the generation that it has to be of; None for any.
    """
    damaged = IndexDamaged(f"the manifest of generation {number} cannot be read", _REBUILD)
    try:
        outer = json.loads(data)
        body = outer["manifest"]
        if _sha256(body.encode()) != outer["checksum"]:
            raise damaged
        fields = json.loads(body)
        if fields["format"] > FORMAT:
            raise IndexTooNew(
                f"a later version of Ondol wrote the index (format {fields['format']}, this one reads {FORMAT})",
                "update Ondol, or rebuild the index with `ondol index --full`",
            )
        if fields["format"] < OLDEST_FORMAT or number not in (None, fields["generation"]):
            raise damaged
        fields["segments"] = tuple(
            SegmentRecord(**{**segment, "dead": tuple(segment["dead"])}) for segment in fields["segments"]
        )
        fields["files"] = {name: FileRecord(**record) for name, record in fields["files"].items()}
        manifest = Manifest(**fields)
    except (ValueError, KeyError, TypeError, AttributeError):
        raise damaged from None
    if not all(_MEMBER.fullmatch(name) for name in manifest.files):
        raise damaged
    return manifest


def record_files(directory: Path, below: Path) -> dict[str, FileRecord]:
    """Hash the files under ``below``, a folder in ``directory``; keys are POSIX paths relative to ``directory``."""
    return {
        path.relative_to(directory).as_posix(): FileRecord(*fsio.hash_file(path))
        for path in sorted(below.rglob("*"))
        if path.is_file()
    }


def _numbers(directory: Path) -> list[int]:
    try:
        return sorted(int(child.name) for child in os.scandir(directory) if _NAME.fullmatch(child.name))
    except FileNotFoundError:
        return []


def _name(number: int) -> str:
    return f"{number:08d}"


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
