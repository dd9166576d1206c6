"""Trains in several processes of this machine: starts them with ``accelerate launch`` and reads their messages.

Each process runs ``worker``. The first one prints its progress and its result as lines of JSON. For several machines,
start the same worker with ``accelerate launch`` on each (see docs/training.md).
"""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from finetune.training.options import Progress, TrainingOptions, TrainingResult
from indexer import fsio
from indexer.errors import UserError

JOB: Final = "job.json"
MARK: Final = "ondol-training "
"""Begins the lines that are messages."""

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
    job = {"folders": folders, "options": asdict(options), "parent": os.getpid()}
    fsio.replace_file(out / JOB, json.dumps(job).encode())
    # The working directory is not the repository: Python must not import modules from there.
    process = subprocess.Popen(
        _command_line(options.processes, out / JOB),
        cwd=out,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        stdin=subprocess.DEVNULL,
        text=True,
    )
    try:
        messages, output = _listen(process, progress)
    finally:
        if process.poll() is None:
            process.terminate()  # accelerate ends its processes
            process.wait()
        fsio.unlink(out / JOB)
    if "problem" in messages:
        raise UserError(*messages["problem"])
    if "result" not in messages:
        last = next((row for row in reversed(output) if "Error" in row), output[-1] if output else "no output")
        raise UserError(
            f"training in {options.processes} processes ended ({last[:200]})", "set processes = 1 and try again"
        )
    return TrainingResult.from_stored(messages["result"])


def _command_line(processes: int, job: Path) -> list[str]:
    accelerate = [sys.executable, "-m", "accelerate.commands.launch"]
    options = {
        "--num_machines": "1",
        "--num_processes": str(processes),
        "--main_process_port": "0",
        "--mixed_precision": "no",
        "--dynamo_backend": "no",
    }
    worker = Path(__file__).with_name("worker.py")
    return [*accelerate, "--multi_gpu", *(word for pair in options.items() for word in pair), str(worker), str(job)]


def _listen(
    process: "subprocess.Popen[str]", progress: Callable[[Progress], None] | None
) -> tuple[dict[str, Any], list[str]]:
    """Read a process's output to its end; return its messages and its last other lines."""
    messages: dict[str, Any] = {}
    output: list[str] = []
    assert process.stdout is not None
    for row in process.stdout:
        if not row.startswith(MARK):
            output = [*output[1 - _KEPT :], row.strip()]
            continue
        message = json.loads(row.removeprefix(MARK))
        messages |= message
        if "progress" in message and progress is not None:
            progress(Progress(**message["progress"]))
    process.wait()
    return messages, output


def send(**message: Any) -> None:
    """Print a message of a worker to the process that started it; only the first worker prints."""
    if os.environ.get("RANK", "0") == "0":
        sys.stdout.write(MARK + json.dumps(message) + "\n")
        sys.stdout.flush()
