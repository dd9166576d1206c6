"""Measures the indexing of several repositories on a Ray cluster of this machine against one process; writes JSON.

    PYTHONPATH=. python benchmarks/bench_cluster.py REPOSITORY... [--workers 2] [--rounds 3]
        [--out benchmarks/results/cluster.json]

All index the same repositories into new data folders: one after the other with one process (``ondol index --workers
1``); with ``--ray ADDRESS`` on a cluster that runs already; and with ``--ray local``, the start of a cluster included.
The cluster that runs has indexed a small repository before: in its first seconds it is not ready for work yet. The
results have the seconds of each round, and compare the medians. ``identical`` says whether the segments of all
repositories have the same bytes each time.
"""

import argparse
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from made_on import head, load, made_on, publish

from indexer.config import Settings
from indexer.data_layout import index_directory
from indexer.storage.generations import Store
from tests.support import ray_cluster


def indexed(repositories: list[Path], data: Path, *options: str) -> float:
    """Index repositories with one command; the seconds that it takes."""
    command = [
        sys.executable,
        "-m",
        "ondol_start",
        "index",
        *map(str, repositories),
        "--data-dir",
        str(data),
        "--quiet",
    ]
    began = time.monotonic()
    if os.spawnv(os.P_WAIT, sys.executable, [*command, *options]):
        raise SystemExit("the indexing failed")
    return time.monotonic() - began


def segments(repository: Path, data: Path) -> dict[str, Any]:
    """The files of the segments of a repository's index, with their hashes."""
    files = Store(index_directory(Settings(data_dir=data), repository)).manifest().files
    return {name: record for name, record in files.items() if name.startswith("segments/")}


def first_repository(folder: Path) -> Path:
    """Make a repository of one file, which a cluster indexes before it is measured."""
    repository = folder / "first"
    repository.mkdir()
    (repository / "first.py").write_text("def first():\n    return 1\n")
    return repository


def one_round(repositories: list[Path], workers: int) -> tuple[dict[str, float], bool]:
    """Index in all three ways; the seconds of each, and whether the segments are identical."""
    seconds = {}
    with tempfile.TemporaryDirectory() as folder:
        first = first_repository(Path(folder))
        one, running, local = (Path(folder) / name for name in ("one", "running", "local"))
        seconds["one_process_s"] = indexed(repositories, one, "--workers", "1")
        with tempfile.TemporaryDirectory() as logs, ray_cluster.running(Path(logs), workers) as address:
            indexed([first], Path(folder) / "data", "--ray", address)
            seconds["cluster_s"] = indexed(repositories, running, "--ray", address)
        seconds["cluster_with_its_start_s"] = indexed(repositories, local, "--ray", "local", "--workers", str(workers))
        identical = all(
            segments(root, one) == segments(root, running) == segments(root, local) for root in repositories
        )
    return seconds, identical


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("repositories", nargs="+", type=Path)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    repositories = [one.resolve() for one in options.repositories]
    result: dict[str, Any] = {"machine": made_on("ray", "ondol"), "workers": options.workers}
    result["repositories"] = [{"name": root.name, "commit": head(root)} for root in repositories]
    rounds = [one_round(repositories, options.workers) for _ in range(options.rounds)]
    for way in rounds[0][0]:
        result[way] = [round(seconds[way], 2) for seconds, _ in rounds]
    result["identical"] = all(identical for _, identical in rounds)
    result["load_after"] = load()
    one, running, local = (statistics.median(result[way]) for way in rounds[0][0])
    result["times_as_fast"] = round(one / running, 2)
    result["times_as_fast_with_its_start"] = round(one / local, 2)
    publish(result, options.out)


if __name__ == "__main__":
    main()
