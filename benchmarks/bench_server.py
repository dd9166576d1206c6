"""Measures the language server from an editor's side: start, first completion, latency while typing, memory.

    python benchmarks/bench_server.py --out benchmarks/results/server.json
    python benchmarks/bench_server.py --repo ~/product

All times are measured over the real protocol on stdio, from the writing of a message to the reading of its reply.
Without ``--repo`` it makes the corpus of ``bench_index.py`` (a million lines of this machine's Python). For typing,
lines of the repository's files are typed again character by character; each keystroke is an edit and an automatic
request. They are typed twice: one key right after the other's answer, and with the pauses of a fast typist. Answers
that are the rest of the suggestion being typed are counted separately, because they cost nothing. Run it on an
otherwise idle machine; the results hold the load before and after.
"""

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from bench_index import PACKAGES, make_corpus
from made_on import load, made_on, publish

from lsp_server.commands.lsp_client import Client, edit

SCRIPT = Path(sys.executable).with_name("ondol")


PAUSE = 0.1
"""Seconds between two keys of a fast typist. The server works ahead in them, and laptops slow their processor down."""


def quantiles(seconds: list[float]) -> dict[str, float]:
    """Quantiles in milliseconds."""
    ordered = sorted(seconds)
    at = {"p50": 0.5, "p95": 0.95, "p99": 0.99, "max": 1.0}
    found = {name: round(1000 * ordered[min(len(ordered) - 1, int(s * len(ordered)))], 2) for name, s in at.items()}
    return {"n": len(ordered), **found}


def resident(pid: int, field: str) -> int:
    """``VmRSS`` or ``VmHWM`` of a process, in bytes."""
    for row in Path(f"/proc/{pid}/status").read_text().splitlines():
        if row.startswith(field + ":"):
            return int(row.split()[1]) * 1024
    return 0


def processor_time(pid: int) -> float:
    """Seconds of processor time of a process, which depend little on other load."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def server(data: Path) -> Client:
    """A server with its data in ``data``."""
    env = {key: value for key, value in os.environ.items() if not key.startswith("ONDOL_")}
    return Client([str(SCRIPT), "serve", "--stdio", "--data-dir", str(data)], env=env)


def source_files(repo: Path, count: int, seed: int) -> list[Path]:
    """Some source files of ordinary size."""
    wanted = {".py", ".java", ".sv", ".go", ".js", ".ts", ".c", ".h", ".rs", ".rb", ".kt"}
    files = [
        p for p in sorted(repo.rglob("*")) if p.suffix in wanted and p.is_file() and 2_000 < p.stat().st_size < 200_000
    ]
    return random.Random(seed).sample(files, min(count, len(files)))


def text_of(path: Path) -> str:
    """A file's text with LF line ends."""
    return path.read_bytes().decode("utf-8", "replace").replace("\r\n", "\n").replace("\r", "\n")


def measure_start(repo: Path, data: Path, rounds: int) -> dict[str, Any]:
    """From the start of the process to the reply to ``initialize``, and to the first completions."""
    initialize, first, indexed = [], [], []
    processor: list[list[float]] = [[], []]
    path = source_files(repo, 1, 1)[0]
    text = text_of(path)
    for _ in range(rounds):
        with server(data) as client:
            client.initialize([repo])
            initialize.append(client.replies[1][0] - client.began)
            processor[0].append(processor_time(client.process.pid))
            client.open(path.as_uri(), text)
            client.complete(path.as_uri(), 10, 0)
            first.append(time.perf_counter() - client.began)
            client.wait_state("ready", 120)
            client.complete(path.as_uri(), 11, 0)
            indexed.append(time.perf_counter() - client.began)
            processor[1].append(processor_time(client.process.pid))
    return {
        "to_initialize": quantiles(initialize),
        "to_first_answer": quantiles(first),
        "to_first_answer_with_index": quantiles(indexed),
        "processor_to_initialize": quantiles(processor[0]),
        "processor_to_first_answer_with_index": quantiles(processor[1]),
    }


def measure_typing(repo: Path, data: Path, keys: int, seed: int, pause: float = 0.0) -> dict[str, Any]:
    """Type lines of the repository's own files, keystroke by keystroke, with ``pause`` seconds before each."""
    rng = random.Random(seed)
    asked: list[float] = []
    through: list[float] = []
    shown = 0
    with server(data) as client:
        client.initialize([repo])
        client.wait_state("ready", 120)
        files = source_files(repo, max(4, keys // 120), seed)
        used = processor_time(client.process.pid)
        for path in files:
            lines = text_of(path).split("\n")
            rows = [n for n, line in enumerate(lines) if 20 < len(line) < 90 and line.isascii()]
            if len(rows) < 5:
                continue
            uri = path.as_uri()
            client.open(uri, "\n".join(lines), path.suffix[1:])
            last, version = None, 1
            for row in sorted(rng.sample(rows, min(4, len(rows)))):
                version += 1
                client.change(uri, version, edit(row, 0, "", (row, len(lines[row]))))
                for column, key in enumerate(lines[row]):
                    version += 1
                    time.sleep(pause)
                    client.change(uri, version, edit(row, column, key))
                    began = time.perf_counter()
                    reply = client.wait(client.ask(uri, row, column + 1, automatic=True))
                    seconds = time.perf_counter() - began
                    items = (reply.get("result") or {"items": []})["items"]
                    identifier = items[0]["command"]["arguments"][0]["id"] if items else None
                    shown += bool(items)
                    (through if identifier is not None and identifier == last else asked).append(seconds)
                    last = identifier
                if len(asked) >= keys:
                    break
            client.notify("textDocument/didClose", {"textDocument": {"uri": uri}})
            if len(asked) >= keys:
                break
        used = processor_time(client.process.pid) - used
        memory = {
            "rss_bytes": resident(client.process.pid, "VmRSS"),
            "peak_bytes": resident(client.process.pid, "VmHWM"),
        }
    per_key = round(1000 * used / max(1, len(asked)), 2)
    return {
        "engine": quantiles(asked),
        "processor_ms_per_key": per_key,
        "typed_through": quantiles(through or [0.0]),
        "shown": shown,
        **memory,
    }


def measure_long_document(data: Path, keys: int) -> dict[str, Any]:
    """Edit a document of 100,000 lines that gets completions, and one that is over the limit."""
    found = {}
    with server(data) as client:
        client.initialize()
        client.wait_state("ready", 60)
        for name, line in (
            ("100,000 lines, 0.9 MB", "a=%5d;\n"),
            ("100,000 lines, 3.6 MB", "    value_%d = compute(a, b)\n"),
        ):
            uri = f"untitled:{name}"
            client.open(uri, "".join(line % n for n in range(100_000)))
            client.command("ondol.status")
            rng, edits, completions = random.Random(5), [], []
            for key in range(keys):
                if key % 20 == 0:
                    row = rng.randrange(100_000)
                began = time.perf_counter()
                client.change(uri, key + 2, edit(row, 3, "x"))
                client.command("ondol.status")
                edits.append(time.perf_counter() - began)
            for key in range(keys // 10):
                client.change(uri, 10_000 + key, edit(row, 3, "y"))
                began = time.perf_counter()
                client.complete(uri, row, 4, automatic=True)
                completions.append(time.perf_counter() - began)
            found[name] = {"edit_and_reply": quantiles(edits), "completion": quantiles(completions)}
    return found


def main() -> None:
    """Measure everything."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repo", type=Path, help="An existing repository (default: the corpus).")
    parser.add_argument("--lines", type=int, default=1_000_000, help="Lines of the corpus.")
    parser.add_argument("--corpus", type=Path, help="Keep the corpus in this folder, or use the one that is there.")
    parser.add_argument("--data", type=Path, help="Keep the index in this folder, or use the one that is there.")
    parser.add_argument("--keys", type=int, default=600, help="Keys that reach the engine.")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path, help="Write the results here as well.")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="ondol-bench-") as scratch:
        repo = options.repo or options.corpus or Path(scratch) / "corpus"
        if not repo.exists():
            make_corpus(repo, options.lines)
        data = (options.data or Path(scratch) / "data").absolute()
        repo = repo.resolve()
        done = subprocess.run(
            [SCRIPT, "index", repo, "--json", "--data-dir", data], capture_output=True, text=True, check=True
        )
        index = json.loads(done.stdout)
        result = {
            "machine": made_on(*PACKAGES),
            "command": "bench_server.py",
            "index": {key: index[key] for key in ("files", "lines", "text_bytes", "index_bytes")},
            "start": measure_start(repo, data, options.rounds),
            "typing": measure_typing(repo, data, options.keys, options.seed),
            "typing_with_pauses": measure_typing(repo, data, options.keys, options.seed, PAUSE),
            "long_documents": measure_long_document(Path(scratch) / "empty", 300),
            "load_after": load(),
        }
    publish(result, options.out)


if __name__ == "__main__":
    main()
