"""Prints every figure of the README with the command that measures it, and the commit, hardware and date of it.

``make report`` prints the table. ``make report CLONES=DIR`` measures all of it again first, for hours. DIR holds
clones of the repositories that ``benchmarks/repositories.json`` names. Each command writes into
``benchmarks/results/``; then the table says which figures of the README are no longer those of the results.
"""

import argparse
import json
import statistics
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from indexer.config import Settings

ROOT: Final = Path(__file__).resolve().parent.parent
RESULTS: Final = ROOT / "benchmarks" / "results"
CLONES: Final = "DIR"
"""Stands in the commands for the folder of clones."""


@dataclass(frozen=True)
class Source:
    """A command, the file that it writes, and on what it was run.

    :param about: commit, hardware and date of the result, as far as it says them.
    """

    command: str
    about: str


@dataclass(frozen=True)
class Figure:
    """A figure as it stands in the README."""

    text: str
    meaning: str
    source: Source


def figures() -> Iterator[Figure]:
    """Yield the figures of the README, in its order, as the results have them."""
    keys, replay, typing = (result(name) for name in ("server", "replay", "typing"))
    where = Source("python benchmarks/bench_server.py --out benchmarks/results/server.json", _about(keys["machine"]))
    engine = keys["typing"]["engine"]
    yield Figure(f"{engine['p50']:.1f} ms", "a key press, median", where)
    yield Figure(f"{engine['p95']:.1f} ms", "a key press, 95th percentile", where)
    runs = [run for run in typing["runs"] if run_is_shipped(run)]
    yield from _typed(runs)
    first = next(report for report in replay["reports"] if report["role"] == "unseen")
    about = _about({**first["machine"], "date": first["made"][:10], "commit": f"version {first['ondol']}"})
    where = Source(f"python benchmarks/bench_replay.py --clones {CLONES}", about)
    unseen = replay["means"]["unseen"]
    for name, meaning in (
        ("coverage", "single cursors at which something was shown"),
        ("precision", "of that, exactly right"),
        ("exact_start", "lines exactly right, at their start"),
        ("exact_within", "lines exactly right, from within"),
    ):
        yield Figure(f"{100 * unseen[name]:.1f} %", meaning, where)


def result(name: str) -> Any:
    """Return a committed result."""
    return json.loads((RESULTS / f"{name}.json").read_text("utf-8"))


def run_is_shipped(run: dict[str, Any]) -> bool:
    """Return whether a run of the typing replay used the gate and the precision that are shipped."""
    return bool(run["gate"] == "words" and run["precision"] == Settings().precision)


def _typed(runs: list[dict[str, Any]]) -> Iterator[Figure]:
    overall = [run["figures"]["overall"] for run in runs]
    where = Source(f"python benchmarks/bench_typing.py --clones {CLONES}", _about(runs[0]["figures"]["machine"]))
    mean = {name: statistics.fmean(one[name]["value"] for one in overall) for name in ("saved", "seen", "right")}
    yield Figure(f"{100 * mean['saved']:.1f} %", "keys saved", where)
    shares = [one["saved"]["value"] for one in overall]
    yield Figure(f"{100 * min(shares):.0f} to {100 * max(shares):.0f} %", "lowest and highest of them", where)
    yield Figure(f"{mean['seen']:.2f}", "texts seen per 100 characters", where)
    yield Figure(f"{100 * mean['right']:.1f} %", "texts accepted whole", where)


def _about(machine: dict[str, Any]) -> str:
    hardware = f"{machine['cores']} cores of {machine['processor']}"
    return ", ".join((machine["commit"], hardware, machine["date"]))


def main() -> int:
    """Measure again if asked to, print the table, and return 1 if the README says something else."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clones", type=Path, help="folder of clones: measure again first")
    clones = parser.parse_args().clones
    if clones is not None:
        for command in dict.fromkeys(one.source.command for one in figures()):
            words = [str(clones.absolute()) if word == CLONES else word for word in command.split()[1:]]
            subprocess.run([sys.executable, *words], cwd=ROOT, check=True)
    readme, wrong = (ROOT / "README.md").read_text("utf-8"), 0
    for source, group in _grouped():
        print(f"{source.command}\n  {source.about}")
        for one in group:
            stands = one.text in readme
            wrong += not stands
            print(f"  {one.text:>8}  {one.meaning}{'' if stands else '  (the README says something else)'}")
    return 1 if wrong else 0


def _grouped() -> list[tuple[Source, list[Figure]]]:
    groups: dict[Source, list[Figure]] = {}
    for one in figures():
        groups.setdefault(one.source, []).append(one)
    return list(groups.items())


if __name__ == "__main__":
    sys.exit(main())
