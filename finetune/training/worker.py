"""One process of a training run on several; ``accelerate launch`` starts it with a job's file.

The file holds ``{"folders": [base, set, out, start or null], "options": {...}, "parent": process number or null}``.
"""

import json
import os
import sys
import threading
import time
from dataclasses import asdict
from pathlib import Path
from typing import Final

_LOOK_SECONDS: Final = 2.0


def main() -> None:
    """Trains, tells what came of it, and exits with 1 where a person has to cure something."""
    from finetune.training.launch import tell
    from finetune.training.options import TrainingOptions
    from finetune.training.train import train
    from indexer.errors import UserError

    job = json.loads(Path(sys.argv[1]).read_text("utf-8"))
    if job.get("parent") and os.name != "nt":
        threading.Thread(target=_end_with, args=(int(job["parent"]),), daemon=True).start()
    base, dataset, out, start = (Path(one) if one else None for one in job["folders"])
    if base is None or dataset is None or out is None:
        raise ValueError("the job names no base, no set, or no place for the adapter")
    options = TrainingOptions(**job["options"])
    try:
        result = train(base, dataset, out, options, start, lambda told: tell(progress=asdict(told)))
    except UserError as error:
        tell(problem=[error.what, error.cure])
        raise SystemExit(1) from error
    tell(result=asdict(result))


def _end_with(parent: int) -> None:
    """Ends this process when the one that asked for the training is gone: the next night would meet it."""
    while True:
        try:
            os.kill(parent, 0)
        except ProcessLookupError:
            os._exit(1)
        except PermissionError:
            pass
        time.sleep(_LOOK_SECONDS)


if __name__ == "__main__":
    main()
