"""Training on several processes of this machine: starts them by ``accelerate launch`` and listens.

Each process runs ``training_worker``; the first one tells by lines of JSON how far it is and what came of it. Knows no
torch. For several machines, ``accelerate launch`` is called by hand with the same worker (see docs/training.md).
"""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from indexer import fsio
from indexer.errors import UserError

if TYPE_CHECKING:
    from finetune.training.options import Progress, TrainingOptions, TrainingResult

JOB: Final = "job.json"
MARK: Final = "ondol-training "
"""Begins the lines that are meant for us."""

_KEPT = 20  # last lines of what the processes said, for the sentence when they fail


def is_worker() -> bool:
    """Whether a launcher has started this process as one of several."""
    return int(os.environ.get("WORLD_SIZE", "1")) > 1


def launch(
    base: Path,
    dataset: Path,
    out: Path,
    options: "TrainingOptions",
    start: Path | None,
    progress: "Callable[[Progress], None] | None",
) -> "TrainingResult":
    """Trains on ``options.processes`` processes; see ``training.train``.

    :raises UserError: what one of them said, or that they ended without a result.
    """
    from finetune.training.options import Progress, TrainingResult

    fsio.make_directories(out)
    folders = [str(one.absolute()) if one else None for one in (base, dataset, out, start)]
    job = {"folders": folders, "options": asdict(options), "parent": os.getpid()}
    fsio.replace_file(out / JOB, json.dumps(job).encode())
    worker = Path(__file__).with_name("worker.py")
    line = [
        sys.executable,
        "-m",
        "accelerate.commands.launch",
        "--multi_gpu",
        "--num_machines",
        "1",
        "--num_processes",
        str(options.processes),
        "--main_process_port",
        "0",
        "--mixed_precision",
        "no",
        "--dynamo_backend",
        "no",
        str(worker),
        str(out / JOB),
    ]
    # In the folder of ours: a module of the repository's own must not be taken for one of Python's.
    process = subprocess.Popen(
        line, cwd=out, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, text=True
    )
    told: dict[str, Any] = {}
    said: list[str] = []
    try:
        assert process.stdout is not None
        for row in process.stdout:
            if not row.startswith(MARK):
                said = [*said[1 - _KEPT :], row.strip()]
                continue
            message = json.loads(row.removeprefix(MARK))
            told |= message
            if "progress" in message and progress is not None:
                progress(Progress(**message["progress"]))
        process.wait()
    finally:
        if process.poll() is None:
            process.terminate()  # accelerate ends its processes
            process.wait()
        fsio.unlink(out / JOB)
    if "problem" in told:
        raise UserError(*told["problem"])
    if "result" not in told:
        last = next((row for row in reversed(said) if "Error" in row), said[-1] if said else "they said nothing")
        raise UserError(f"training on {options.processes} processes ended ({last[:200]})", "try with one process")
    return TrainingResult(**{**told["result"], "notes": tuple(told["result"]["notes"])})


def tell(**message: Any) -> None:
    """What a worker says to who started it; only the first of them does."""
    if os.environ.get("RANK", "0") == "0":
        print(MARK + json.dumps(message), flush=True)  # noqa: T201
