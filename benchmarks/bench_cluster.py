"""Measures the indexing of several repositories on a Ray cluster of this machine against one process; writes JSON.

    PYTHONPATH=. python benchmarks/bench_cluster.py REPOSITORY... [--workers 2] [--out benchmarks/results/cluster.json]

All index the same repositories into new data folders: one after the other with one process (``ondol index --workers
1``); with ``--ray ADDRESS`` on a cluster that runs already; and with ``--ray local``, the start of a cluster included.
``identical`` says whether the segments of all repositories have the same bytes each time.
"""

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from made_on import head, made_on, publish

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


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("repositories", nargs="+", type=Path)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    repositories = [one.resolve() for one in options.repositories]
    result: dict[str, Any] = {"machine": made_on("ray", "ondol"), "workers": options.workers}
    result["repositories"] = [{"name": root.name, "commit": head(root)} for root in repositories]
    with tempfile.TemporaryDirectory() as folder:
        one, running, local = (Path(folder) / name for name in ("one", "running", "local"))
        result["one_process_s"] = round(indexed(repositories, one, "--workers", "1"), 2)
        with tempfile.TemporaryDirectory() as logs, ray_cluster.running(Path(logs), options.workers) as address:
            result["cluster_s"] = round(indexed(repositories, running, "--ray", address), 2)
        workers = ("--workers", str(options.workers))
        result["cluster_with_its_start_s"] = round(indexed(repositories, local, "--ray", "local", *workers), 2)
        result["identical"] = all(
            segments(root, one) == segments(root, running) == segments(root, local) for root in repositories
        )
    result["times_as_fast"] = round(result["one_process_s"] / result["cluster_s"], 2)
    result["times_as_fast_with_its_start"] = round(result["one_process_s"] / result["cluster_with_its_start_s"], 2)
    publish(result, options.out)


if __name__ == "__main__":
    main()
