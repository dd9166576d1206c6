"""Trains in several processes of this machine: starts them and reads their messages.

Each process runs ``worker``. The first one prints its progress and its result as lines of JSON. No process listens on
anything but loopback (see ``processes``). For several machines, start the same worker with ``accelerate launch`` on
each (see docs/training.md).
"""

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from finetune.training import processes
from finetune.training.options import Progress, TrainingOptions, TrainingResult
from indexer import fsio
from indexer.errors import UserError

JOB: Final = "job.json"
MARK: Final = "ondol-training "
"""Begins the lines that are messages."""

_POLL_S = 0.5
_FAREWELL_S = 5.0  # how long a process may take to end by itself
_KEPT = 20  # last lines of the processes' output, for the error message


def is_worker() -> bool:
    """Return whether a launcher has started this process as one of several."""
    return int(os.environ.get("WORLD_SIZE", "1")) > 1


def launch(
    base: Path,
    dataset: Path,
    out: Path,
    options: TrainingOptions,
    start: Path | None,
    progress: Callable[[Progress], None] | None,
) -> TrainingResult:
    """Train in ``options.processes`` processes; the parameters are those of ``train.train``.

    :raises UserError: a process reported a problem, or they ended without a result.
    """
    fsio.make_directories(out)
    folders = [str(one.absolute()) if one else None for one in (base, dataset, out, start)]
    job = {"folders": folders, "options": asdict(options), "parent": os.getpid(), "meet": True}
    fsio.replace_file(out / JOB, json.dumps(job).encode())
    store = out / processes.STORE
    fsio.unlink(store)
    started = [_start(rank, options.processes, out) for rank in range(options.processes)]
    threading.Thread(target=_end_together, args=(started,), daemon=True).start()
    try:
        messages, output = _listen(started, progress)
    finally:
        _end(started)
        for name in (JOB, processes.STORE):
            fsio.unlink(out / name)
    if "problem" in messages:
        raise UserError(*messages["problem"])
    if "result" not in messages:
        last = next((row for row in reversed(output) if "Error" in row), output[-1] if output else "no output")
        raise UserError(
            f"training in {options.processes} processes ended ({last[:200]})", "set processes = 1 and try again"
        )
    return TrainingResult.from_stored(messages["result"])


def _start(rank: int, count: int, out: Path) -> "subprocess.Popen[str]":
    """Start one process. Its working directory is not the repository, and Python imports nothing from either."""
    return subprocess.Popen(
        [sys.executable, "-P", str(Path(__file__).with_name("worker.py")), str(out / JOB)],
        cwd=out,
        env={**os.environ, **processes.environment(rank, count)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        stdin=subprocess.DEVNULL,
        text=True,
    )


def _end_together(started: "list[subprocess.Popen[str]]") -> None:
    """End all processes when one of them has failed: the others would wait for it."""
    while any(process.poll() is None for process in started):
        if any(process.poll() for process in started):
            time.sleep(_FAREWELL_S)
            _end(started)
            return
        time.sleep(_POLL_S)


def _end(started: "list[subprocess.Popen[str]]") -> None:
    for process in started:
        if process.poll() is None:
            process.terminate()
    for process in started:
        try:
            process.wait(_FAREWELL_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _listen(
    started: "list[subprocess.Popen[str]]", progress: Callable[[Progress], None] | None
) -> tuple[dict[str, Any], list[str]]:
    """Read the processes' output to its end; return the messages of the first and the last other lines of all."""
    messages: dict[str, Any] = {}
    output: list[str] = []
    others = [threading.Thread(target=_keep_last, args=(process, output), daemon=True) for process in started[1:]]
    for thread in others:
        thread.start()
    first = started[0]
    assert first.stdout is not None
    for row in first.stdout:
        if not row.startswith(MARK):
            _keep(output, row)
            continue
        message = json.loads(row.removeprefix(MARK))
        messages |= message
        if "progress" in message and progress is not None:
            progress(Progress(**message["progress"]))
    first.wait()
    for thread in others:
        thread.join(_FAREWELL_S)
    return messages, output


def _keep_last(process: "subprocess.Popen[str]", output: list[str]) -> None:
    assert process.stdout is not None
    for row in process.stdout:
        _keep(output, row)


def _keep(output: list[str], row: str) -> None:
    output[:] = [*output[1 - _KEPT :], row.strip()]


def send(**message: Any) -> None:
    """Print a message of a worker to the process that started it; only the first worker prints."""
    if os.environ.get("RANK", "0") == "0":
        sys.stdout.write(MARK + json.dumps(message) + "\n")
        sys.stdout.flush()
