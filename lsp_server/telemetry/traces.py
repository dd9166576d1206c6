"""Traces: one local record per completion request; ``explanations`` makes sentences of it.

Records hold numbers, names of stages and the position in the repository; text only where the user allows it
(``trace_text``). They stay on this machine, in a ring of two files that only the user can read.

This module knows no engine: whatever an answer's trace holds is stored and printed as it is.
"""

import json
import logging
import os
import queue
import threading
import time
from collections import OrderedDict
from pathlib import Path
from typing import Any, Final

from indexer.config import Settings
from indexer.data_layout import records_file
from indexer.errors import UserError
from lsp_server.reasons import Reason

log = logging.getLogger(__name__)

TRACE_BYTES: Final = 1_000_000
STATS_BYTES: Final = 4_000_000
RECORD_BYTES: Final = 64_000
KEPT_IN_MEMORY: Final = 200
AGAIN_S: Final = 5.0
"""A ring that could not be written is tried again after this time: its disk may come back."""


class Ring:
    """Records as JSON lines in a file and its predecessor, together at most twice ``limit`` bytes, mode 600.

    Only :class:`Recorder` writes, on its thread, so that a slow disk delays no completion.
    """

    def __init__(self, path: Path, limit: int) -> None:
        self.path = path
        self.limit = limit

    def append(self, record: dict[str, Any]) -> None:
        """Write one record; one that is too large loses its ``trace``.

        :raises OSError: it cannot be written.
        """
        line = _line(record)
        if len(line) > RECORD_BYTES:
            line = _line({key: value for key, value in record.items() if key not in ("trace", "text")})
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0)
        descriptor = os.open(self.path, flags, 0o600)
        try:
            if os.fstat(descriptor).st_size + len(line) > self.limit:
                os.close(descriptor)
                descriptor = -1
                self.path.replace(self._older())
                descriptor = os.open(self.path, flags, 0o600)
            os.write(descriptor, line)
        finally:
            if descriptor >= 0:
                os.close(descriptor)

    def read(self) -> list[dict[str, Any]]:
        """Return the records, oldest first; lines that are no records are left out.

        :raises OSError: there are some, and they cannot be read.
        """
        records = []
        for path in (self._older(), self.path):
            try:
                data = path.read_bytes()
            except (FileNotFoundError, NotADirectoryError):
                continue
            records += _records(data.decode("utf-8", "replace"))
        return records

    def state(self) -> tuple[tuple[int, int, int], ...]:
        """Return inode, size and time of the files that are there: what is equal was not written meanwhile."""
        found = []
        for path in (self._older(), self.path):
            try:
                at = path.stat()
            except OSError:
                continue
            found.append((at.st_ino, at.st_size, at.st_mtime_ns))
        return tuple(found)

    def _older(self) -> Path:
        return self.path.with_name(self.path.name + ".1")


def _records(text: str) -> list[dict[str, Any]]:
    """Return the records of a file. Its lines are read as one array, four times as fast, unless one is damaged."""
    lines = [line for line in text.split("\n") if line.startswith("{")]
    try:
        return [record for record in json.loads(f"[{','.join(lines)}]") if isinstance(record, dict)]
    except (ValueError, RecursionError):
        pass
    records = []
    for line in lines:
        try:
            records.append(json.loads(line))
        except (ValueError, RecursionError):
            continue
    return records


def _line(record: dict[str, Any]) -> bytes:
    return json.dumps(record, separators=(",", ":"), default=str).encode() + b"\n"


class Recorder:
    """The thread that writes rings. After a failure it logs one line, and tries that ring again after a while."""

    def __init__(self) -> None:
        self._queue: queue.Queue[tuple[Ring, dict[str, Any]] | None] = queue.Queue(maxsize=10_000)
        self._given_up: dict[Path, float] = {}
        self._thread: threading.Thread | None = None

    def put(self, ring: Ring | None, record: dict[str, Any]) -> None:
        """Queue a record; called from the loop. Without a ring, or with a full queue, the record is dropped."""
        if ring is None or time.monotonic() < self._given_up.get(ring.path, 0.0):
            return
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="records", daemon=True)
            self._thread.start()
        try:
            self._queue.put_nowait((ring, record))
        except queue.Full:
            log.warning("records are dropped: the disk is slow")

    def close(self, seconds: float = 0.5) -> None:
        """Write what is queued, for at most this long."""
        if self._thread is not None:
            try:
                self._queue.put_nowait(None)
            except queue.Full:
                return
            self._thread.join(seconds)

    def _run(self) -> None:
        while (item := self._queue.get()) is not None:
            ring, record = item
            try:
                ring.append(record)
                if self._given_up.pop(ring.path, None) is not None:
                    log.info("%s is written again", ring.path.name)
            except (OSError, TypeError, ValueError) as error:
                if ring.path not in self._given_up:
                    log.warning("%s cannot be written (%s); records are dropped", ring.path.name, type(error).__name__)
                self._given_up[ring.path] = time.monotonic() + AGAIN_S


def ring_of(settings: Settings, root: Path | None, name: str, limit: int) -> Ring | None:
    """Return the ring of a repository, or of documents outside of any; None if the data directory is not usable."""
    try:
        return Ring(records_file(settings, root, name), limit)
    except (UserError, OSError):
        return None


class Traces:
    """The last records of this process, by id; each is also written to its ring."""

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder
        self._recent: OrderedDict[str, dict[str, Any]] = OrderedDict()

    def add(self, ring: Ring | None, record: dict[str, Any]) -> None:
        """Keep a record; it needs an ``id``."""
        record = {"time": round(time.time(), 3), **record}
        self._recent[str(record["id"])] = record
        while len(self._recent) > KEPT_IN_MEMORY:
            self._recent.popitem(last=False)
        self._recorder.put(ring, _without_text(record))

    def find(self, wanted: str | None) -> dict[str, Any] | None:
        """Return the record of an id, or the last one."""
        return find(list(self._recent.values()), wanted)


def find(records: list[dict[str, Any]], wanted: str | None) -> dict[str, Any] | None:
    """Return the newest record with this id or with a suggestion of this id; None and ``last`` mean the newest.

    ``last`` prefers requests that the editor did not withdraw, because withdrawn ones explain nothing.
    """
    if wanted is None or wanted in ("", "last"):
        answered = [
            r
            for r in records
            if r.get("reason") not in (Reason.SUPERSEDED, Reason.CANCELLED, Reason.STALE, Reason.NO_NEXT_EDIT)
        ]
        answered = answered or records
        return answered[-1] if answered else None
    for record in reversed(records):
        if record.get("id") == wanted or wanted in record.get("items", []):
            found: dict[str, Any] = record
            return found
    return None


def model_in_time(records: list[dict[str, Any]], since: float = 0.0) -> tuple[int, int]:
    """Return how often a model answered while its request was open, and how many requests no key has ended before.

    :param since: seconds since the epoch.
    """
    ends = [
        trace["model_in_time"]
        for record in records
        if float(record.get("time", 0)) >= since
        and isinstance(trace := record.get("trace"), dict)
        and "model_in_time" in trace
    ]
    return sum(map(bool, ends)), len(ends)


def _without_text(record: dict[str, Any]) -> dict[str, Any]:
    """The record as it goes to disk: of a text that was held back, its length; the text stays in memory."""
    trace = record.get("trace")
    if not isinstance(trace, dict) or not isinstance(trace.get("held"), dict):
        return record
    held = {name: value for name, value in trace["held"].items() if name != "text"}
    held["characters"] = len(trace["held"].get("text") or "")
    return {**record, "trace": {**trace, "held": held}}
