"""Measures several windows of one user: memory and the latency of a key, with a shared engine and without.

    python benchmarks/bench_windows.py --out benchmarks/results/windows.json
    python benchmarks/bench_windows.py --repo ~/product --windows 4

All windows have the same repository open. Without ``--repo`` it makes the corpus of ``bench_index.py``. Memory is that
of all processes of the windows together (Linux): ``own_bytes`` is what is in no file, ``bytes`` counts mapped files,
by the share of each process; both are read right after the last key, and once more after 15 s. Keys are typed as in
``bench_server.py``: in one window while the others rest, then in all windows at the same time, which no user does. Only
ratios within one run mean something on a busy machine.
"""

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from bench_index import PACKAGES, make_corpus
from bench_server import SCRIPT, quantiles, source_files, text_of
from made_on import load, made_on, publish

from lsp_server.commands.lsp_client import Client, edit

REST_S = 15
"""The engine gives free memory back twice a second while it works; this is long after that."""


def memory(pids: set[int]) -> dict[str, int]:
    """The memory of processes, in bytes: what is in no file, and all of it by the share of each process."""
    found = {"Pss": 0, "Pss_Anon": 0}
    for pid in pids:
        for row in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            name, _, rest = row.partition(":")
            if name in found:
                found[name] += int(rest.split()[0]) * 1024
    return {"own_bytes": found["Pss_Anon"], "bytes": found["Pss"], "processes": len(pids)}


def processes(runtime: Path) -> set[int]:
    """The running processes of this measurement: those with its folder of sockets in their environment."""
    mark, found = f"XDG_RUNTIME_DIR={runtime}".encode(), set()
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                if mark in (folder / "environ").read_bytes().split(b"\0"):
                    found.add(int(folder.name))
            except OSError:
                continue
    return found


def type_keys(client: Client, paths: list[Path], keys: int, seed: int) -> list[float]:
    """Type lines of files again; returns the seconds from each key to its answer."""
    rng, seconds = random.Random(seed), []
    for path in paths:
        lines = text_of(path).split("\n")
        rows = [n for n, line in enumerate(lines) if 20 < len(line) < 90 and line.isascii()]
        uri, version = path.as_uri(), 1
        client.open(uri, "\n".join(lines), path.suffix[1:])
        for row in sorted(rng.sample(rows, min(4, len(rows)))):
            version += 1
            client.change(uri, version, edit(row, 0, "", (row, len(lines[row]))))
            for column, key in enumerate(lines[row]):
                version += 1
                client.change(uri, version, edit(row, column, key))
                began = time.perf_counter()
                client.wait(client.ask(uri, row, column + 1, automatic=True))
                seconds.append(time.perf_counter() - began)
                time.sleep(0.02)
                if len(seconds) == keys:
                    return seconds
        client.notify("textDocument/didClose", {"textDocument": {"uri": uri}})
    return seconds


def measure(repo: Path, data: Path, windows: int, keys: int, option: str) -> dict[str, Any]:
    """Open windows, type in the first one, then in all."""
    with ExitStack() as stack:
        runtime = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="ondol-windows-", dir="/tmp")))
        env = {key: value for key, value in os.environ.items() if not key.startswith("ONDOL_")}
        env["XDG_RUNTIME_DIR"] = str(runtime)
        command = [str(SCRIPT), "serve", "--stdio", option, "--data-dir", str(data)]
        clients = [stack.enter_context(Client(command, env=env)) for _ in range(windows)]
        for client in clients:
            client.initialize([repo])
            client.wait_state("ready", 300)
        files = [source_files(repo, max(4, keys // 60), seed) for seed in range(windows)]
        for client, paths in zip(clients, files, strict=True):
            type_keys(client, paths, 40, 7)  # every window has used its index
        one = type_keys(clients[0], files[0], keys, 1)
        typed: list[list[float]] = [[] for _ in clients]

        def work(number: int) -> None:
            typed[number] = type_keys(clients[number], files[number], keys, 2 + number)

        threads = [threading.Thread(target=work, args=(number,)) for number in range(windows)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        typed_memory = memory(processes(runtime))
        time.sleep(REST_S)
        all_at_once = [seconds for found in typed for seconds in found]
        return {
            "windows": windows,
            "memory": typed_memory,
            "memory_at_rest": memory(processes(runtime)),
            "one_types": quantiles(one),
            "all_type": quantiles(all_at_once),
        }


def main() -> None:
    """Measure everything."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repo", type=Path, help="An existing repository (default: the corpus).")
    parser.add_argument("--lines", type=int, default=1_000_000, help="Lines of the corpus.")
    parser.add_argument("--data", type=Path, help="Keep the index in this folder, or use the one that is there.")
    parser.add_argument("--windows", type=int, default=4)
    parser.add_argument("--keys", type=int, default=200, help="Keys typed in each window and round.")
    parser.add_argument("--out", type=Path, help="Write the results here as well.")
    options = parser.parse_args()
    if not sys.platform.startswith("linux"):
        parser.error("memory is read from /proc, which only Linux has")
    with tempfile.TemporaryDirectory(prefix="ondol-bench-") as scratch:
        repo = options.repo or Path(scratch) / "corpus"
        if not repo.exists():
            make_corpus(repo, options.lines)
        data, repo = (options.data or Path(scratch) / "data").absolute(), repo.resolve()
        done = subprocess.run(
            [SCRIPT, "index", repo, "--json", "--data-dir", data], capture_output=True, text=True, check=True
        )
        index = json.loads(done.stdout)
        result: dict[str, Any] = {
            "machine": made_on(*PACKAGES),
            "command": "bench_windows.py",
            "index": {key: index[key] for key in ("files", "lines", "text_bytes", "index_bytes")},
            "alone": [measure(repo, data, count, options.keys, "--no-share") for count in (1, options.windows)],
            "shared": [measure(repo, data, count, options.keys, "--share") for count in (1, options.windows)],
            "load_after": load(),
        }
    one, many = result["alone"][0], result["shared"][1]
    for name, kind in (("", "memory"), ("_at_rest", "memory_at_rest")):
        ratio = many[kind]["own_bytes"] / one[kind]["own_bytes"]
        result[f"memory_of_the_windows_against_one{name}"] = round(ratio, 2)
    result["p95_shared_against_alone"] = round(many["one_types"]["p95"] / one["one_types"]["p95"], 2)
    publish(result, options.out)


if __name__ == "__main__":
    main()
