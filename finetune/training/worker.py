"""One process of a training in several processes; ``launch`` or ``accelerate launch`` starts it with a job's file.

The file holds ``{"folders": [base, data set, out, start or null], "options": {...}, "parent": process id or null,
"meet": whether the processes are all on this machine and meet through a file}``.
"""

import json
import os
import sys
import threading
import time
from dataclasses import asdict
from pathlib import Path
from typing import Final

from finetune.training import processes
from finetune.training.launch import send
from finetune.training.options import TrainingOptions
from finetune.training.train import train
from indexer.errors import UserError

_POLL_SECONDS: Final = 2.0


def main() -> None:
    """Train, send the result, and exit with 1 if the user has to fix something."""
    job = json.loads(Path(sys.argv[1]).read_text("utf-8"))
    if job.get("parent") and os.name != "nt":
        threading.Thread(target=_end_with, args=(int(job["parent"]),), daemon=True).start()
    base, dataset, out, start = (Path(one) if one else None for one in job["folders"])
    if base is None or dataset is None or out is None:
        raise ValueError("the job's file lacks the base, the data set, or the folder for the adapter")
    options = TrainingOptions.from_stored(job["options"])
    if job.get("meet"):
        processes.meet(out / processes.STORE)
    try:
        result = train(base, dataset, out, options, start, lambda step: send(progress=asdict(step)))
    except UserError as error:
        send(problem=[error.what, error.cure])
        raise SystemExit(1) from error
    send(result=asdict(result))


def _end_with(parent: int) -> None:
    """End this process when the process that started the training is gone, so that no later run meets it."""
    while True:
        try:
            os.kill(parent, 0)
        except ProcessLookupError:
            os._exit(1)
        except PermissionError:
            pass
        time.sleep(_POLL_SECONDS)


if __name__ == "__main__":
    main()
