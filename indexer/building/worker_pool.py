"""Worker processes with a limit per file: a file that hangs a parser or crashes its process is skipped, no other file.

:meth:`Pool.prepare` and :meth:`Pool.suffix` take jobs; :meth:`Pool.results` gives results as they become ready. One
thread per worker sends jobs to it and reads its results; the caller's thread checks the time limits. When a worker ends
in the middle of a batch, its current file is skipped with a reason and a new worker continues with the rest.

``worker`` defines the jobs; this module handles processes and messages.
"""

import contextlib
import os
import queue
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import astuple, dataclass, field
from pathlib import Path
from typing import IO

from indexer.building import prepare, worker
from indexer.building.worker import Limits
from indexer.config import Settings
from indexer.errors import Fault
from indexer.storage.segment import Prepared
from indexer.text.tokens import Lexed
from indexer.types import Entry, Skip

COMMAND = (sys.executable, "-P", "-c", "from indexer.building.worker import main; main()")
"""``-P``: the working directory may be a repository with a ``json.py`` of its own."""

_TICK = 0.2
_STARTS = 3
_CRASHES_IN_A_ROW = 20
"""After this many crashes in a row the workers are at fault, not the files."""


@dataclass(slots=True)
class _Batch:
    """Files still to prepare, in order; ``known`` maps a path to the blob ids that the index already has."""

    entries: deque[Entry]
    known: dict[str, list[str]]


@dataclass(slots=True)
class _Suffix:
    key: int
    documents: Sequence[Lexed]


@dataclass(slots=True)
class FileResult:
    """The result for one file.

    :param result: the prepared document, the reason why the file is left out, or the blob id of a known document.
    :param last_words: the last line of error output of a process that ended at this file.
    """

    entry: Entry
    result: Prepared | Skip | str
    last_words: str = ""


@dataclass(slots=True)
class SuffixFiles:
    """The suffix index of the job ``key``."""

    key: int
    files: dict[str, bytes]


@dataclass(slots=True)
class _Process:
    """A running worker, its current file, and when that file was started."""

    popen: "subprocess.Popen[bytes]"
    errors: IO[bytes]
    since: float = 0.0
    timed_out: bool = False
    lock: threading.Lock = field(default_factory=threading.Lock)


class Pool:
    """Up to ``count`` worker processes, each started when there is work for it.

    :param command: the command line of a worker; tests pass a misbehaving one.
    """

    def __init__(
        self,
        root: Path,
        settings: Settings,
        count: int,
        limits: Limits | None = None,
        *,
        embed: bool = True,
        command: Sequence[str] = COMMAND,
    ) -> None:
        self._limits = limits or Limits()
        self._start = worker.start_message(root, settings, self._limits, embed=embed)
        self._command = list(command)
        self._jobs: queue.PriorityQueue[tuple[int, int, _Batch | _Suffix | None]] = queue.PriorityQueue()
        self._results: queue.Queue[FileResult | SuffixFiles | BaseException] = queue.Queue()
        self._pending = 0
        self._sequence = 0
        self._processes: dict[int, _Process] = {}
        self._closed = False
        self._crashes = 0
        self._threads = [threading.Thread(target=self._serve, args=(i,), daemon=True) for i in range(count)]
        for thread in self._threads:
            thread.start()

    def __enter__(self) -> "Pool":
        return self

    def __exit__(self, *_: object) -> None:
        """End all workers at once."""
        self._closed = True
        for _thread in self._threads:
            self._put(-1, None)
        for thread in self._threads:
            while thread.is_alive():
                for process in list(self._processes.values()):
                    process.popen.kill()
                thread.join(_TICK)

    def prepare(self, entries: Sequence[Entry], known: dict[str, list[str]]) -> None:
        """Queue entries; each gives one :class:`FileResult`."""
        self._pending += len(entries)
        self._put(1, _Batch(deque(entries), known))

    def leave(self, reason: str) -> None:
        """Leave out every file whose batch has not begun, with this reason."""
        kept = []
        with contextlib.suppress(queue.Empty):
            while True:
                job = self._jobs.get_nowait()
                if isinstance(job[2], _Batch):
                    for entry in job[2].entries:
                        self._results.put(FileResult(entry, Skip(entry.path, reason)))
                else:
                    kept.append(job)
        for job in kept:
            self._jobs.put(job)

    def suffix(self, key: int, documents: Sequence[Lexed]) -> None:
        """Queue a suffix index. It is built before further files are prepared, because that frees memory."""
        self._pending += 1
        self._put(0, _Suffix(key, documents))

    def results(self) -> Iterator[FileResult | SuffixFiles]:
        """Yield the results of all jobs, including jobs that are queued meanwhile.

        :raises Fault: workers cannot be started.
        """
        while self._pending:
            try:
                result = self._results.get(timeout=_TICK)
            except queue.Empty:
                self._watch()
                continue
            if isinstance(result, BaseException):
                raise result
            self._pending -= 1
            yield result

    def _put(self, priority: int, job: _Batch | _Suffix | None) -> None:
        self._sequence += 1
        self._jobs.put((priority, self._sequence, job))

    def _watch(self) -> None:
        """End workers that exceed the elapsed time for one file."""
        now = time.monotonic()
        for process in list(self._processes.values()):
            with process.lock:
                if process.since and now - process.since > self._limits.wall_seconds:
                    process.timed_out = True
                    process.popen.kill()

    # In a worker's thread

    def _serve(self, slot: int) -> None:
        try:
            while (job := self._jobs.get()[2]) is not None and not self._closed:
                if isinstance(job, _Suffix):
                    self._build_suffix(slot, job)
                else:
                    self._prepare_batch(slot, job)
        except BaseException as error:
            if not self._closed:
                self._results.put(error)
        finally:
            self._end(slot)

    def _build_suffix(self, slot: int, job: _Suffix) -> None:
        for _ in range(_STARTS):
            process = self._process(slot)
            with contextlib.suppress(OSError):
                worker.send(_stdin(process), {"job": "suffix"}, worker.encode_lexed(job.documents))
                if (message := worker.receive(_stdout(process))) is not None:
                    names, blobs = message[0]["names"], message[1]
                    self._results.put(SuffixFiles(job.key, dict(zip(names, map(bytes, blobs), strict=True))))
                    return
            self._end(slot)
            if self._closed:
                return
        raise Fault("a worker process ended three times while it sorted a segment; is there enough memory?")

    def _prepare_batch(self, slot: int, batch: _Batch) -> None:
        while batch.entries and not self._closed:
            process = self._process(slot)
            if self._feed(process, batch) or self._closed:
                continue
            entry = batch.entries.popleft()
            reason, output = self._reason(process), _tail(process.errors)
            self._end(slot)
            self._crashes = self._crashes + 1 if reason == prepare.CRASH else 0
            if self._crashes >= _CRASHES_IN_A_ROW:
                raise Fault(f"worker processes crash at every file: {output[-500:] or 'they print nothing'}")
            self._results.put(FileResult(entry, Skip(entry.path, reason), output.rpartition("\n")[2]))

    def _feed(self, process: _Process, batch: _Batch) -> bool:
        """Send a batch and collect its results; False if the process ended at the first of the remaining entries."""
        entries = list(batch.entries)
        known = [batch.known.get(entry.path, []) for entry in entries]
        try:
            worker.send(
                _stdin(process), {"job": "prepare", "entries": [astuple(entry) for entry in entries], "known": known}
            )
        except OSError:
            return False
        try:
            for entry in entries:
                with process.lock:
                    process.since = time.monotonic()
                if (message := worker.receive(_stdout(process))) is None:
                    return False
                self._crashes = 0
                batch.entries.popleft()
                self._results.put(FileResult(entry, worker.decode_outcome(entry.path, *message)))
            return True
        finally:
            if not batch.entries:
                with process.lock:
                    process.since = 0.0

    def _process(self, slot: int) -> _Process:
        """The ready worker of a slot, started if there is none."""
        output = ""
        if slot in self._processes:
            return self._processes[slot]
        for _ in range(_STARTS):
            if self._closed:
                raise Fault("the workers were ended")
            errors = tempfile.TemporaryFile()  # noqa: SIM115 - closed in _end
            popen = subprocess.Popen(self._command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors)
            process = self._processes[slot] = _Process(popen, errors)
            with contextlib.suppress(OSError):
                worker.send(_stdin(process), self._start)
                if worker.receive(_stdout(process)) is not None:
                    return process
            output = _tail(errors)
            self._end(slot)
        raise Fault(f"worker processes cannot be started: {output or 'they end at once'}")

    def _reason(self, process: _Process) -> str:
        """Why a process ended at a file: timeout, memory or crash."""
        status = process.popen.wait()
        if process.timed_out or (os.name != "nt" and status == -signal.SIGXCPU):
            return prepare.TIMEOUT
        output = _tail(process.errors)
        # tree-sitter prints a message and aborts; the kernel's out-of-memory killer prints nothing.
        if "failed to allocate" in output or "MemoryError" in output or (os.name != "nt" and status == -signal.SIGKILL):
            return prepare.MEMORY
        return prepare.CRASH

    def _end(self, slot: int) -> None:
        process = self._processes.pop(slot, None)
        if process is None:
            return
        process.popen.kill()
        process.popen.wait()
        for stream in (process.popen.stdin, process.popen.stdout, process.errors):
            if stream is not None:
                with contextlib.suppress(OSError):
                    stream.close()


def _stdin(process: _Process) -> IO[bytes]:
    assert process.popen.stdin is not None
    return process.popen.stdin


def _stdout(process: _Process) -> IO[bytes]:
    assert process.popen.stdout is not None
    return process.popen.stdout


def _tail(errors: IO[bytes]) -> str:
    """The last part of a process's error output."""
    with contextlib.suppress(OSError, ValueError):
        errors.seek(max(0, errors.seek(0, os.SEEK_END) - 2000))
        return errors.read().decode("utf-8", "replace").strip()
    return ""
