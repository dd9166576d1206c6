"""Whole nightly runs on public repositories with the small LLaMA: does adapter + retrieval beat base + retrieval?

    python benchmarks/bench_nightly.py --clones DIR [--only NAME ...] [--base FOLDER] [--work FOLDER]

For each repository the real command, ``ondol finetune``, trains on the history up to the commit named in
``repositories.json``, except for its newest commits, replays those in every system, and decides. Data set, index and
adapter hold nothing of the replayed commits or of later ones. The small LLaMA has seen no file of these repositories (a
list of its corpus is next to it). Clones with full history are looked for in DIR as OWNER+NAME/repo, OWNER+NAME,
OWNER/NAME or NAME.

Results go to ``results/nightly.json``, one repository after the other. With ``--work`` an interrupted run continues.
The results hold figures, commit ids, settings and seeds, and no line of code.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from clones import find
from made_on import made_on

from finetune.evaluation.systems import systems_of

HERE = Path(__file__).parent
RESULTS = HERE / "results" / "nightly.json"
FIXTURE = HERE.parent / "tests" / "fixtures" / "small_llama"
ONDOL = Path(sys.executable).with_name("ondol")
_FIRST = {"held_out_commits": 100, "max_samples": 1200, "tokens_per_step": 4096}
REPOSITORIES: dict[str, dict[str, int]] = {
    "google/gson": {},
    "gin-gonic/gin": {"max_samples": 700, "replay_cases": 300},
    "pallets/flask": _FIRST,
    "encode/httpx": _FIRST,
}
"""The repositories and the settings that differ. The first two run by default; their languages are new to the small
LLaMA. ``--only`` chooses others."""

SETTINGS = {
    "seed": 20261121,
    "held_out_commits": 200,
    "replay_cases": 400,
    "max_samples": 1000,
    "fim_share": 0.9,
    "rank": 64,
    "learning_rate": 0.002,
    "tokens_per_step": 2048,
    "max_length": 1024,
    "prompt_loss_weight": 0.3,
    "threads": 1,
}
"""The ``[finetune]`` table of every run, except for what ``REPOSITORIES`` changes."""


def nightly_run(repository: dict[str, str], clone: Path, base: Path, work: Path) -> dict[str, Any]:
    """Return the report of one run at the named commit."""
    copy = work / repository["name"].partition("/")[2]
    if not copy.exists():
        subprocess.run(["git", "clone", "-q", "--bare", "--shared", clone, copy], check=True)
    subprocess.run(["git", "-C", copy, "update-ref", "refs/heads/replayed", repository["commit"]], check=True)
    subprocess.run(["git", "-C", copy, "symbolic-ref", "HEAD", "refs/heads/replayed"], check=True)
    settings = SETTINGS | REPOSITORIES.get(repository["name"], {})
    environment = {name: value for name, value in os.environ.items() if not name.startswith("ONDOL_")}
    environment |= {f"ONDOL_FINETUNE_{name.upper()}": str(value) for name, value in settings.items()}
    done = subprocess.run(
        [ONDOL, "finetune", copy, "--base", base, "--data-dir", work / "data", "--json"],
        stdout=subprocess.PIPE,
        env={**environment, "HF_HUB_OFFLINE": "1"},
        check=False,
    )
    if done.returncode:
        raise SystemExit(f"ondol finetune failed on {repository['name']}")
    report: dict[str, Any] = json.loads(done.stdout)
    return {"repository": repository["name"], "commit": repository["commit"], "options": settings, **short(report)}


def short(report: dict[str, Any]) -> dict[str, Any]:
    """Return the part of a report that the results keep."""
    replay = report["replay"]
    arms = {
        name: {key: arm["overall"][key] for key in ("cases", "exact", "exact_start", "exact_within", "saved")}
        | {"latency_ms": arm["latency_ms"]}
        for name, arm in systems_of(replay).items()
    }
    differences = {f"{row['to']} - {row['from']}": row["exact"] for row in replay["differences"]}
    kept = ("status", "reasons", "commits", "decision", "machine", "base", "ondol", "made", "seconds", "notes")
    training = {key: value for key, value in report["training"].items() if key != "notes"}
    dataset = {key: report["dataset"][key] for key in ("samples", "tokens", "sha256", "kinds", "validation", "seconds")}
    return {
        **{key: report[key] for key in kept},
        "dataset": dataset,
        "training": training,
        "cases": replay["cases"],
        "files": replay["files"],
        "moved": replay["moved"],
        "arms": arms,
        "differences": differences,
    }


def main() -> None:
    """Run the job on each repository and write the results."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clones", type=Path, required=True)
    parser.add_argument("--only", action="append", help="OWNER/NAME; repeatable (default: two repositories)")
    parser.add_argument("--base", type=Path, default=FIXTURE, help="the base model (default: the small LLaMA)")
    parser.add_argument(
        "--work", type=Path, help="keep clones, data sets and adapters here, and continue an interrupted run"
    )
    chosen = parser.parse_args()
    known = {one["name"]: one for one in json.loads((HERE / "repositories.json").read_text())}
    for name in chosen.only or list(REPOSITORIES)[:2]:
        clone = find(chosen.clones, name)
        if clone is None:
            print(f"{name}: no clone below {chosen.clones}, left out")
            continue
        with tempfile.TemporaryDirectory(prefix="ondol-night-") as passing:
            work = (chosen.work or Path(passing)).absolute()
            found = {**nightly_run(known[name], clone, chosen.base.absolute(), work), "measured_on": made_on()}
        before = json.loads(RESULTS.read_text())["nights"] if RESULTS.exists() else []
        nights = [*(one for one in before if one["repository"] != name), found]
        RESULTS.write_text(json.dumps({"nights": nights}, indent=1) + "\n")
        gain = found["differences"]["adapter+retrieval - base+retrieval"]
        print(f"{name}: {found['status']}, adapter + retrieval over base + retrieval {gain}")


if __name__ == "__main__":
    main()
