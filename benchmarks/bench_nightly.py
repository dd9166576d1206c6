"""Whole nights on public repositories with the small LLaMA: does adapter + retrieval beat base + retrieval?

    python benchmarks/bench_nightly.py --clones DIR [--only NAME ...] [--base FOLDER] [--work FOLDER]

For each repository the real command, ``ondol finetune``, trains on the history up to the commit named in
``repositories.json`` but for its newest commits, replays those in every arm, and decides. Nothing of the replayed
commits, or of later ones, is in set, index or adapter; the small LLaMA has seen no file of these repositories (its
corpus is listed beside it). Clones, with full history, are looked for in DIR as OWNER+NAME/repo, OWNER+NAME,
OWNER/NAME or NAME.

Results go to ``results/nightly.json``, one repository after the other; with ``--work`` a night that was interrupted
goes on where it was. They hold figures, commit ids, options and seeds, and no line of anybody's code.
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

from finetune.evaluation.systems import systems_of

HERE = Path(__file__).parent
RESULTS = HERE / "results" / "nightly.json"
FIXTURE = HERE.parent / "tests" / "fixtures" / "small_llama"
ONDOL = Path(sys.executable).with_name("ondol")
_FIRST = {"--held-out": 100, "--max-samples": 1200, "--tokens-per-step": 4096}
REPOSITORIES: dict[str, dict[str, int]] = {
    "google/gson": {},
    "gin-gonic/gin": {"--max-samples": 700, "--cases": 300},
    "pallets/flask": _FIRST,
    "encode/httpx": _FIRST,
}
"""What is replayed by default (the first two, in languages that the small LLaMA has never seen) or with ``--only``, and
the options that differ."""


OPTIONS = {
    "--seed": 20261121,
    "--held-out": 200,
    "--cases": 400,
    "--max-samples": 1000,
    "--fim-share": 0.9,
    "--rank": 64,
    "--learning-rate": 0.002,
    "--tokens-per-step": 2048,
    "--max-length": 1024,
    "--left-weight": 0.3,
    "--threads": 1,
}
"""Of each night, but for what ``REPOSITORIES`` says; the others are the command's own."""


def night(repository: dict[str, str], clone: Path, base: Path, work: Path) -> dict[str, Any]:
    """The report of one night, at the commit that is named."""
    copy = work / repository["name"].partition("/")[2]
    if not copy.exists():
        subprocess.run(["git", "clone", "-q", "--bare", "--shared", clone, copy], check=True)
    subprocess.run(["git", "-C", copy, "update-ref", "refs/heads/replayed", repository["commit"]], check=True)
    subprocess.run(["git", "-C", copy, "symbolic-ref", "HEAD", "refs/heads/replayed"], check=True)
    options = OPTIONS | REPOSITORIES.get(repository["name"], {})
    chosen = [str(word) for pair in options.items() for word in pair]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("ONDOL_")}
    done = subprocess.run(
        [ONDOL, "finetune", copy, "--base", base, "--data-dir", work / "data", "--json", *chosen],
        stdout=subprocess.PIPE,
        env={**environment, "HF_HUB_OFFLINE": "1"},
        check=False,
    )
    if done.returncode:
        raise SystemExit(f"ondol finetune failed on {repository['name']}")
    report: dict[str, Any] = json.loads(done.stdout)
    told = {option.lstrip("-"): value for option, value in options.items()}
    return {"repository": repository["name"], "commit": repository["commit"], "options": told, **short(report)}


def short(report: dict[str, Any]) -> dict[str, Any]:
    """What the results keep of a report."""
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
    """Runs the nights and writes the results."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clones", type=Path, required=True)
    parser.add_argument("--only", action="append", help="OWNER/NAME; repeatable (default: two repositories)")
    parser.add_argument("--base", type=Path, default=FIXTURE, help="the base model (default: the small LLaMA)")
    parser.add_argument("--work", type=Path, help="keep clones, sets and adapters here, and go on with what is there")
    chosen = parser.parse_args()
    known = {one["name"]: one for one in json.loads((HERE / "repositories.json").read_text())}
    commit = subprocess.run(["git", "-C", HERE, "rev-parse", "HEAD"], capture_output=True, text=True).stdout.strip()
    for name in chosen.only or list(REPOSITORIES)[:2]:
        clone = find(chosen.clones, name)
        if clone is None:
            print(f"{name}: no clone below {chosen.clones}, left out")
            continue
        with tempfile.TemporaryDirectory(prefix="ondol-night-") as passing:
            work = (chosen.work or Path(passing)).absolute()
            found = {**night(known[name], clone, chosen.base.absolute(), work), "ondol_commit": commit}
        found["load_average"] = round(os.getloadavg()[0], 1)
        before = json.loads(RESULTS.read_text())["nights"] if RESULTS.exists() else []
        nights = [*(one for one in before if one["repository"] != name), found]
        RESULTS.write_text(json.dumps({"nights": nights}, indent=1) + "\n")
        gain = found["differences"]["adapter+retrieval - base+retrieval"]
        print(f"{name}: {found['status']}, adapter + retrieval over base + retrieval {gain}")


if __name__ == "__main__":
    main()
