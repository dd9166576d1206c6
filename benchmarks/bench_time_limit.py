"""A nightly run with a time limit: does it end in time, how much memory does it take, and what does it decide?

    python benchmarks/bench_time_limit.py REPO --base FILE [--minutes 30] [--out FILE]

Runs the real command, ``ondol finetune REPO --max-minutes``, with an empty data folder, and adds up the memory of all
its processes every three seconds (proportional set size, so that shared pages count once). Results go to
``results/time_limit.json``, by repository: minutes, memory, all systems, the decision. They hold no code. Linux.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any, Final

from bench_nightly import short
from made_on import head, made_on

RESULTS: Final = Path(__file__).parent / "results" / "time_limit.json"
ONDOL: Final = Path(sys.executable).with_name("ondol")
LOOK_S: Final = 3.0


def family(process: int) -> list[int]:
    """Return a process and all that come from it."""
    found = [process]
    for number in found:
        children = Path(f"/proc/{number}/task/{number}/children")
        try:
            found += [int(one) for one in children.read_text("ascii").split()]
        except OSError:
            continue  # it has ended
    return found


def memory_gb(process: int) -> float:
    """Return the proportional set size of a process and all that come from it."""
    kilobytes = 0
    for number in family(process):
        try:
            lines = Path(f"/proc/{number}/smaps_rollup").read_text("ascii").splitlines()
        except OSError:
            continue
        kilobytes += sum(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
    return kilobytes * 1024 / 1e9


def limited_run(repo: Path, base: Path, minutes: float, data: Path) -> dict[str, Any]:
    """Make one nightly run and return its report with its minutes and its peak memory.

    :raises SystemExit: the command failed.
    """
    command = [ONDOL, "finetune", repo, "--base", base, "--max-minutes", str(minutes), "--data-dir", data, "--json"]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("ONDOL_")}
    began, peak = time.monotonic(), 0.0
    with subprocess.Popen(command, stdout=subprocess.PIPE, env={**environment, "HF_HUB_OFFLINE": "1"}) as process:
        printed: list[bytes] = []
        stdout = process.stdout
        assert stdout is not None
        reader = threading.Thread(target=lambda: printed.append(stdout.read()))
        reader.start()
        while process.poll() is None:
            peak = max(peak, memory_gb(process.pid))
            time.sleep(LOOK_S)
        reader.join()
    if process.returncode:
        raise SystemExit(f"ondol finetune ended with {process.returncode}")
    return {
        "limit_minutes": minutes,
        "minutes": round((time.monotonic() - began) / 60, 1),
        "peak_gb": round(peak, 2),
        **short(json.loads(printed[0])),
    }


def main() -> None:
    """Make the run, print and store."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("repo", type=Path)
    parser.add_argument("--base", type=Path, required=True, help="a model's folder or GGUF file")
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--name", help="of the repository in the results (default: its folder's name)")
    parser.add_argument("--out", type=Path, default=RESULTS)
    options = parser.parse_args()
    repo = options.repo.resolve()
    began = made_on("torch", "transformers", "peft")
    with tempfile.TemporaryDirectory(prefix="ondol-time-limit-") as data:
        found = limited_run(repo, options.base.resolve(), options.minutes, Path(data))
    kept = json.loads(options.out.read_text("utf-8")) if options.out.exists() else {}
    kept[options.name or repo.name] = {"at": head(repo), "measured_on": began, **found}
    print(json.dumps(kept[options.name or repo.name], indent=1))
    options.out.write_text(json.dumps(kept, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
