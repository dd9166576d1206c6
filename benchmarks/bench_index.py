"""Measures the index at a million lines: build, memory, size, update, opening, search, export and import.

    python benchmarks/bench_index.py --out benchmarks/results/index.json

The corpus is Python's standard library and installed packages, copied into a folder and committed (``--corpus`` keeps
it for the next run, or names a repository, which is changed). With ``--data`` an index of it that exists is updated,
and nothing else is measured; this is how a large repository is measured again:

    python benchmarks/bench_index.py --corpus linux --data data --out benchmarks/results/index_kernel.json

"Times parse" compares the build with parsing the same bytes once
with tree-sitter, in one process, in this run. Run it on an otherwise idle machine; results hold the load
before and after.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

from made_on import load, made_on

SUFFIXES = {".py", ".pyi", ".c", ".h", ".cpp", ".hpp", ".js", ".ts", ".css", ".toml", ".sh"}
SKIPPED_FOLDERS = {"__pycache__", "site-packages", "dist-packages", ".git"}
PACKAGES = ("numpy", "faiss-cpu", "tantivy", "tokenizers", "tree-sitter", "ondol")


def make_corpus(target: Path, lines: int) -> None:
    """Copies sources of this machine's Python until there are ``lines`` lines."""
    paths = sysconfig.get_paths()
    roots = [Path(paths["stdlib"]), Path(paths["purelib"]), Path(paths["platlib"]), Path("/usr/lib/python3")]
    roots += [Path("/usr/include"), Path("/usr/share")]
    found = 0
    for number, root in enumerate(dict.fromkeys(roots)):
        for path in sorted(root.rglob("*")):
            if found >= lines:
                return
            inside = path.relative_to(root)
            if path.suffix not in SUFFIXES or SKIPPED_FOLDERS & set(inside.parts) or not path.is_file():
                continue
            data = path.read_bytes()
            if path.is_symlink() or len(data) > 1_000_000 or not data:
                continue
            copy = target / f"part{number}" / inside
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_bytes(data)
            found += data.count(b"\n")
    raise SystemExit(f"only {found} lines of source on this machine; install more packages")


def parse_once(corpus: Path) -> dict[str, float]:
    """What it takes to parse the corpus once with tree-sitter in this process."""
    from indexer.languages.grammars import language_of, parser

    files = []
    for path in sorted(corpus.rglob("*")):
        if path.is_file() and (found := parser(language_of(path.as_posix()))) is not None:
            files.append((found, path.read_bytes()))
    started, used = time.perf_counter(), time.process_time()
    for found, data in files:
        found.parse(data)
    seconds, cpu = time.perf_counter() - started, time.process_time() - used
    return {"seconds": round(seconds, 2), "cpu_seconds": round(cpu, 2), "bytes": sum(len(data) for _, data in files)}


class TreeMemory(threading.Thread):
    """Watches the resident memory of a process and its descendants; pages shared by several count for each."""

    def __init__(self, pid: int) -> None:
        super().__init__(daemon=True)
        self.pid = pid
        self.peak = 0
        self.stopped = threading.Event()

    def run(self) -> None:
        """Samples ten times a second."""
        while not self.stopped.wait(0.1):
            self.peak = max(self.peak, sum(map(_resident, _tree(self.pid))))


def _tree(pid: int) -> list[int]:
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        for task in Path(f"/proc/{pid}/task").iterdir():
            if task.name != str(pid):
                children += (task / "children").read_text().split()
    except OSError:
        return []
    return [pid, *(inner for child in children for inner in _tree(int(child)))]


def _resident(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGESIZE")
    except (OSError, ValueError):
        return 0


def ondol(data: Path, *args: str) -> tuple[str, dict[str, float]]:
    """Runs the console script in a process of its own: its output, seconds and peak memory of its process tree."""
    script = Path(sys.executable).with_name("ondol")
    before = os.times()
    started = time.perf_counter()
    process = subprocess.Popen([script, *args, "--data-dir", str(data)], stdout=subprocess.PIPE, text=True)
    memory = TreeMemory(process.pid)
    memory.start()
    output, _ = process.communicate()
    seconds = time.perf_counter() - started
    memory.stopped.set()
    memory.join()
    if process.returncode:
        raise SystemExit(f"ondol {' '.join(args)} failed with {process.returncode}")
    after = os.times()
    cpu = after.children_user + after.children_system - before.children_user - before.children_system
    return output, {"seconds": round(seconds, 3), "cpu_seconds": round(cpu, 3), "peak_bytes": memory.peak}


def measure_sharing(corpus: Path, data: Path, scratch: Path) -> dict[str, Any]:
    """Exports the index, and makes it ready in another data folder, which knows nothing of the corpus, by an import."""
    share, second = str(scratch / "share"), scratch / "second"
    exported = ondol(data, "index", str(corpus), "--export", share, "--json")[1]
    output, imported = ondol(second, "index", str(corpus), "--import", share, "--json")
    report = json.loads(output)
    figures = {name: report[name] for name in ("files", "lines", "index_bytes", "added", "removed")}
    again = ondol(second, "index", str(corpus), "--import", share, "--json")[1]
    return {"export": exported, "import": {**imported, **figures}, "import_again": again}


def measure_update(corpus: Path, data: Path, rounds: int, files: list[Path]) -> list[dict[str, Any]]:
    """Appends a function with a new name to a file, updates, opens the index and finds the name, in fresh processes."""
    measured = []
    for number in range(rounds):
        name = f"quizzical_walrus_{number}"
        append_function(files[(number * 997) % len(files)], name)
        report, update = ondol(data, "index", str(corpus), "--json")
        hits, search = ondol(data, "search", name, "--repo", str(corpus), "--json", "--limit", "5")
        found = [hit for hit in json.loads(hits) if name in hit["text"]]
        if not found:
            raise SystemExit(f"{name} was not found after the update")
        measured.append(
            {
                "index": update,
                "search": search,
                "inside_seconds": json.loads(report)["seconds"],
                "until_found_seconds": round(update["seconds"] + search["seconds"], 3),
                "until_found_cpu_seconds": round(update["cpu_seconds"] + search["cpu_seconds"], 3),
            }
        )
    return measured


def measure_commits(corpus: Path, data: Path, commits: int, files: list[Path]) -> dict[str, Any]:
    """Commits changes of three files each, updates once, checks out the commit before them, and updates again."""
    git(corpus, "add", "-A")
    git(corpus, "commit", "-q", "--allow-empty", "-m", "before")
    for number in range(commits):
        changed = [files[(number * 3 + place) * 7919 % len(files)] for place in range(3)]
        for place, path in enumerate(changed):
            append_function(path, f"committed_heron_{number}_{place}")
        git(corpus, "commit", "-q", "-m", str(number), "--", *map(str, changed))
    report, forward = ondol(data, "index", str(corpus), "--json")
    git(corpus, "checkout", "-q", f"HEAD~{commits}")
    back_report, back = ondol(data, "index", str(corpus), "--json")
    counts = ("added", "removed", "revived")
    return {
        "commits": commits,
        "forward": {**forward, **{name: json.loads(report)[name] for name in counts}},
        "back": {**back, **{name: json.loads(back_report)[name] for name in counts}},
    }


def sources(corpus: Path, left_out: list[list[str]]) -> list[Path]:
    """Files of usual size in Python or C that the index holds."""
    without = {corpus / path for path, _ in left_out}
    found = [path for path in sorted(corpus.rglob("*.[cp]*")) if path.suffix in (".py", ".c") and path not in without]
    return [path for path in found if path.is_file() and 5_000 < path.stat().st_size < 30_000]


def append_function(path: Path, name: str) -> None:
    """Appends a function to a file of Python or C."""
    python = f"\n\ndef {name}():\n    return {len(name)}\n"
    with path.open("a", encoding="utf-8") as stream:
        stream.write(python if path.suffix == ".py" else f"\n\nint {name}(void)\n{{\n\treturn {len(name)};\n}}\n")


def git(root: Path, *args: str) -> None:
    """Runs git as somebody without a configuration."""
    someone = ("-c", "user.name=A", "-c", "user.email=a@a.invalid", "-c", "gc.auto=0")
    subprocess.run(["git", "-C", str(root), *someone, *args], check=True, stdout=subprocess.DEVNULL)


def measure_reading(data: Path, corpus: Path) -> dict[str, Any]:
    """Opening, and searching for lines of the corpus, in this process."""
    from dataclasses import replace

    from indexer.config import load
    from indexer.data_layout import index_directory
    from indexer.search.hybrid import search
    from indexer.storage.reader import Index

    settings = replace(load(corpus)[0], data_dir=data)
    opened = []
    for _ in range(5):
        started = time.perf_counter()
        index = Index.open(index_directory(settings, corpus))
        opened.append(time.perf_counter() - started)
    documents = list(index.documents.values())
    queries = [
        index.chunks(document)[0].text for document in documents[:: max(1, len(documents) // 200)] if document.chunks
    ]
    search(index, queries[0], 5)
    times = []
    for query in queries:
        started = time.perf_counter()
        search(index, query, 5)
        times.append(time.perf_counter() - started)
    return {"open_ms": _quantiles(opened), "search_ms": _quantiles(times), "segments": len(index.segments)}


def _quantiles(seconds: list[float]) -> dict[str, float]:
    ordered = sorted(seconds)
    return {
        name: round(1000 * ordered[min(len(ordered) - 1, int(share * len(ordered)))], 2)
        for name, share in (("p50", 0.5), ("p95", 0.95), ("max", 1.0))
    }


def files_by_component(directory: Path) -> dict[str, int]:
    """Bytes of an index by the kind of its files."""
    sizes: dict[str, int] = {}
    newest = max((directory / "generations").iterdir())
    for path in [*newest.rglob("*"), *(directory / "segments").rglob("*")]:
        if path.is_file():
            kind = "bm25" if path.parent.name == "bm25" else path.name
            sizes[kind] = sizes.get(kind, 0) + path.stat().st_size
    return sizes


def measure_everything(corpus: Path, data: Path, scratch: Path, options: argparse.Namespace) -> dict[str, Any]:
    """Builds an index, and then measures all there is."""
    results: dict[str, Any] = {}
    parse = results["parse_once"] = parse_once(corpus)
    output, build = ondol(data, "index", str(corpus), "--workers", str(options.workers), "--json")
    report = json.loads(output)
    results["build"] = {
        **build,
        "times_parse": round(build["seconds"] / parse["seconds"], 2),
        "times_parse_cpu": round(build["cpu_seconds"] / parse["cpu_seconds"], 2),
        "times_source_bytes": round(report["index_bytes"] / report["text_bytes"], 3),
        **{name: report[name] for name in ("files", "chunks", "lines", "text_bytes", "index_bytes", "skipped")},
    }
    results["components"] = files_by_component(Path(report["directory"]))
    results |= measure_updates(corpus, data, options)
    results["sharing"] = measure_sharing(corpus, data, scratch)
    results["read"] = measure_reading(data, corpus)
    return results


def measure_updates(corpus: Path, data: Path, options: argparse.Namespace) -> dict[str, Any]:
    """Updates where nothing, one file, and many commits changed. The first one, whatever it finds, does not count."""
    report = json.loads(ondol(data, "index", str(corpus), "--json", "--skipped")[0])
    files = sources(corpus, report["skips"])
    return {
        "repository": {name: report[name] for name in ("files", "lines", "index_bytes")},
        "nothing_changed": [ondol(data, "index", str(corpus), "--json")[1] for _ in range(options.updates)],
        "update_one_file": measure_update(corpus, data, options.updates, files),
        "update_commits": measure_commits(corpus, data, options.commits, files),
    }


def main() -> None:
    """Measures and writes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lines", type=int, default=1_080_000)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--updates", type=int, default=5)
    parser.add_argument("--commits", type=int, default=100)
    parser.add_argument("--corpus", type=Path, help="use this folder; made if it is not there (it is changed)")
    parser.add_argument("--data", type=Path, help="update the index in this data folder, and measure nothing else")
    parser.add_argument("--out", type=Path, help="where the results go (default: standard output)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        corpus = (options.corpus or Path(scratch) / "corpus").resolve()
        if not corpus.exists():
            make_corpus(corpus, options.lines)
        if not (corpus / ".git").exists():
            git(corpus, "init", "-q")
            git(corpus, "add", "-A", "-f")
            git(corpus, "commit", "-q", "-m", "corpus")
        results: dict[str, Any] = {"machine": made_on(*PACKAGES)}
        if options.data:
            results |= measure_updates(corpus, options.data.resolve(), options)
        else:
            results |= measure_everything(corpus, Path(scratch) / "data", Path(scratch), options)
        results["machine"]["load_after"] = load()
    text = json.dumps(results, indent=1)
    if options.out:
        options.out.parent.mkdir(parents=True, exist_ok=True)
        options.out.write_text(text + "\n")
    print(text)


if __name__ == "__main__":
    if shutil.which("git") is None:
        raise SystemExit("git is needed")
    main()
