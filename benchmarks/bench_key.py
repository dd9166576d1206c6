"""Measures what a key costs the retrieval engine, and compares it with another version.

    python benchmarks/bench_key.py --repo ~/product --data DIR [--against CHECKOUT] [--out FILE]

Lines of the repository's files are typed again, character by character, in this process, without a server. Each key is
an edit and an automatic request. The times are processor time of the engine's thread, so that other work on the machine
counts less. ``--against`` names a checkout of another version: both type the same lines in turns, three times each, and
the result holds their ratio and in how many keys their suggestions differ. Two versions need the same index format.

``--part`` names a folder of the repository. A copy of that folder alone is indexed as well, and the same lines of its
files are typed with both indexes in turns: the result holds how the times grow from the part to the whole.

Without ``--repo`` it makes the corpus of ``bench_index.py``.
"""

import argparse
import json
import os
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from bench_index import make_corpus
from bench_server import SCRIPT, quantiles, source_files, text_of
from made_on import made_on, publish

HERE = Path(__file__).resolve().parent
ROUNDS, ROWS = 3, 4


def type_lines(repo: Path, data: Path, part: str, files: int, seed: int) -> dict[str, Any]:
    """Type ``ROWS`` lines of some files of a folder with the engine that this process imports."""
    from indexer.config import Settings
    from indexer.data_layout import index_directory
    from indexer.storage.reader import Index
    from lsp_server.retrieval.engine import RetrievalEngine
    from lsp_server.types import Document, Request

    settings = replace(Settings(), data_dir=data)
    engine = RetrievalEngine(settings, Index.open(index_directory(settings, repo), settings))
    prepare = getattr(engine, "prepare", lambda stop: None)
    rng, seconds, shown = random.Random(seed), [], []
    for path in source_files(repo / part, files, seed):
        lines = text_of(path).split("\n")
        rows = [number for number, line in enumerate(lines) if 20 < len(line) < 90 and line.isascii()]
        for row in sorted(rng.sample(rows, min(ROWS, len(rows)))):
            for column in range(len(lines[row]) + 1):
                before = "\n".join([*lines[:row], lines[row][:column]])
                text = "\n".join([before, *lines[row + 1 :]])
                document = Document(path.as_uri(), path.relative_to(repo).as_posix(), "", len(seconds), text)
                began = time.thread_time()
                engine.update(document)
                answer = engine.complete(Request(document, len(before), True), lambda: False)
                seconds.append(time.thread_time() - began)
                shown.append([one.text for one in answer.suggestions])
                prepare(lambda: False)
    return {"seconds": seconds, "shown": shown}


def typed_by(checkout: Path, asked: argparse.Namespace, repo: Path, data: Path) -> dict[str, Any]:
    """Let the version of a checkout type the lines, in a process of its own."""
    given = ["--child", "--repo", repo, "--data", data, "--files", str(asked.files), "--seed", str(asked.seed)]
    given += ["--part", asked.part]
    done = subprocess.run(
        [sys.executable, HERE / "bench_key.py", *given],
        env={**os.environ, "PYTHONPATH": str(checkout)},
        stdout=subprocess.PIPE,
        check=True,
    )
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def measure(asked: argparse.Namespace, repo: Path, data: Path, part: Path) -> dict[str, Any]:
    """Return the times of this version, and those of the other version or of the part where one is named.

    :param part: the repository that holds the part alone; its index is in the same data folder.
    """
    arms = {"this": (HERE.parent, repo)}
    if asked.against:
        arms["other"] = (asked.against.resolve(), repo)
    if asked.part:
        arms["part"] = (HERE.parent, part)
    rounds: dict[str, list[dict[str, Any]]] = {name: [] for name in arms}
    for _ in range(ROUNDS):
        for name, (checkout, root) in arms.items():
            rounds[name].append(typed_by(checkout, asked, root, data))
    result: dict[str, Any] = {name: [quantiles(one["seconds"]) for one in found] for name, found in rounds.items()}
    for arm, called in (("other", "ratio"), ("part", "growth")):
        for quantile in ("p50", "p95") if arm in arms else ():
            this, other = (statistics.median(one[quantile] for one in result[name]) for name in ("this", arm))
            result[f"{quantile}_{called}"] = round(this / other, 3)
    if asked.against:
        pairs = list(zip(rounds["this"][0]["shown"], rounds["other"][0]["shown"], strict=True))
        result["keys_that_differ"] = sum(one != other for one, other in pairs)
    return result


def index(repo: Path, data: Path) -> int:
    """Index a repository; return its lines."""
    done = subprocess.run([SCRIPT, "index", repo, "--data-dir", data, "--json"], stdout=subprocess.PIPE, check=True)
    return int(json.loads(done.stdout)["lines"])


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repo", type=Path, help="A repository (default: the corpus).")
    parser.add_argument("--lines", type=int, default=1_000_000, help="Lines of the corpus.")
    parser.add_argument("--data", type=Path, help="Keep the index in this folder, or use the one that is there.")
    parser.add_argument("--against", type=Path, help="A checkout of another version.")
    parser.add_argument("--part", default="", help="A folder of the repository, for example `net`.")
    parser.add_argument("--files", type=int, default=12, help="Files in which lines are typed.")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path, help="Write the results here as well.")
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.child:
        print(json.dumps(type_lines(asked.repo, asked.data, asked.part, asked.files, asked.seed)))
        return
    with tempfile.TemporaryDirectory(prefix="ondol-bench-") as scratch:
        repo = asked.repo.resolve() if asked.repo else Path(scratch) / "corpus"
        if not asked.repo:
            make_corpus(repo, asked.lines)
        data = (asked.data or Path(scratch) / "data").absolute()
        lines = {"this": index(repo, data)}
        part = Path(scratch) / "part"
        if asked.part:
            shutil.copytree(repo / asked.part, part / asked.part, symlinks=True)
            lines["part"] = index(part, data)
        publish({"machine": made_on(), "lines": lines, **measure(asked, repo, data, part)}, asked.out)


if __name__ == "__main__":
    main()
