"""Types lines of past commits at a person's speed, and measures whether the model is there when the person pauses.

    python benchmarks/bench_model_typing.py REPO [REPO ...] --base FILE [--seconds 90] [--label TEXT] [--out FILE]

REPO is a repository with history, bare or not. The tree from before its last commits is checked out and indexed. Lines
that these commits add are typed over the protocol into two servers in turns, one with the model and one without, with a
key each 200 ms; into the one with the model with a pause of a second at ends of words (one of six) and of lines. The
editor behaves as Ondol's own: it asks after every key, and again when the server says that a late answer is there.

Reported are, for each repository and for all together:

- at how many of the pauses at which the model was asked its answer was there 600 ms after the last key,
- how long the keys took at which both servers showed a copy: from the request to the answer, on the engine's thread by
  the clock, and on the processor; and the same two for all keys that both engines were asked about, which are more: a
  copy goes out when the engine has ended,
- how long the first answer of the model took after a file of 500 lines or more was opened, and what it was made of.

Results go to ``results/model_typing.json``, by label.
"""

import argparse
import json
import math
import os
import random
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
from made_on import load, made_on

from finetune.commits.typed_hunks import TypedHunk, draw
from finetune.commits.windows import SkipReport, edits, windows
from indexer.config import Settings
from lsp_server.commands.lsp_client import Client, edit
from lsp_server.server.index_process import console_script

RESULTS: Final = Path(__file__).parent / "results" / "model_typing.json"
KEY_S, PAUSE_S, WANTED_S = 0.2, 1.0, 0.6
OPENED_LINES: Final = 500
OPENED_TRIES: Final = 5
OPENED_VERSION: Final = 1_000_000
"""Tells requests of opened files from those of typed ones."""

LONGEST_S: Final = 20.0
SEED: Final = 20261126
READY: Final = "ondol/completionReady"
_WORD_END: Final = re.compile(r"\w\W")


@dataclass
class Key:
    """One key, and its requests.

    :param pause: whether the typist paused after it. :param asked: ids of the requests, with the time of each.
    """

    at: float
    version: int
    uri: str
    pause: bool
    asked: list[tuple[int, float]] = field(default_factory=list)


class Editor:
    """Types into one server."""

    def __init__(self, client: Client, root: Path) -> None:
        self.client, self.root = client, root
        self.pauses = True
        self.keys: list[Key] = []
        self._announced = 0

    def type(self, hunk: TypedHunk, rng: random.Random, key_s: float, until: float) -> None:
        """Type the lines of a hunk."""
        uri = (self.root / hunk.path).as_uri()
        below = "".join(line + "\n" for line in hunk.after)
        self.client.open(uri, hunk.before + "\n" + below, hunk.language)
        row, version = hunk.before.count("\n"), 1
        time.sleep(PAUSE_S if self.pauses else key_s)
        for line in hunk.lines:
            column = len(line) - len(line.lstrip())
            if column:
                version += 1
                self.client.change(uri, version, edit(row, 0, line[:column]))
            for at in range(column, len(line)):
                version += 1
                self.client.change(uri, version, edit(row, at, line[at]))
                ends = at + 1 == len(line)
                word = bool(_WORD_END.match(line, at)) and rng.random() < 1 / 6
                self._key(uri, version, row, at + 1, key_s, pause=ends or word)
                if time.monotonic() > until:
                    break
            version += 1
            self.client.change(uri, version, edit(row, len(line), "\n"))
            row += 1
            if time.monotonic() > until:
                break
        self.client.notify("textDocument/didClose", {"textDocument": {"uri": uri}})

    def _key(self, uri: str, version: int, row: int, column: int, key_s: float, *, pause: bool) -> None:
        key = Key(time.perf_counter(), version, uri, pause)
        self.keys.append(key)
        self._ask(key, row, column)
        end = key.at + (PAUSE_S if pause and self.pauses else key_s)
        while (left := end - time.perf_counter()) > 0:
            time.sleep(min(0.01, left))
            ready = len(self.client.of(READY)) if pause else 0
            if ready > self._announced:
                self._announced = ready
                self._ask(key, row, column)

    def _ask(self, key: Key, row: int, column: int) -> None:
        key.asked.append((self.client.ask(key.uri, row, column, automatic=True), time.perf_counter()))

    def seconds(self, key: Key, request: int) -> float | None:
        """Return when a request was answered, in seconds after the key; None where it was not."""
        reply = self.client.replies.get(key.asked[request][0])
        return reply[0] - key.at if reply is not None else None


def traces(data: Path) -> dict[tuple[str, int], list[dict[str, Any]]]:
    """Return the server's records by path and version of the document, in their order."""
    found: dict[tuple[str, int], list[dict[str, Any]]] = {}
    for file in sorted(data.rglob("traces.jsonl*"), reverse=True):
        for row in file.read_text("utf-8").splitlines():
            record = json.loads(row)
            if record.get("automatic") and record.get("path"):
                found.setdefault((record["path"], record.get("version", 0)), []).append(record)
    return found


@dataclass
class Asked:
    """A key that the engine was asked about: milliseconds of the engine by the clock and on the processor.

    :param answer: milliseconds to the answer where a copy was shown, else None.
    """

    answer: float | None
    engine: float
    processor: float


def judged(editor: Editor, records: dict[tuple[str, int], list[dict[str, Any]]]) -> dict[str, Any]:
    """Return what happened at the pauses."""
    there, late, reasons = [], 0, {}
    for key in editor.keys:
        path = Path(key.uri.removeprefix("file://")).relative_to(editor.root).as_posix()
        for number, record in enumerate(records.get((path, key.version), ())[: len(key.asked)]):
            trace, seconds = record.get("trace") or {}, editor.seconds(key, number)
            if not key.pause or "model_reason" not in trace or trace["model_reason"] == "copier-certain":
                continue
            if trace.get("model_in_time") and seconds is not None:
                there.append(seconds)
                break
        else:
            asked = [r for r in records.get((path, key.version), ()) if "model_reason" in (r.get("trace") or {})]
            if key.pause and asked and asked[0]["trace"]["model_reason"] != "copier-certain":
                late += 1
        for record in records.get((path, key.version), ())[:1]:
            reasons[record["reason"]] = reasons.get(record["reason"], 0) + key.pause
    asked_at = len(there) + late
    in_time = sum(seconds <= WANTED_S for seconds in there)
    return {
        "keys": len(editor.keys),
        "pauses_with_the_model_asked": asked_at,
        "in_time": in_time,
        "in_time_share": round(in_time / asked_at, 3) if asked_at else None,
        "seconds_to_the_model": _quantiles(there),
        "reasons_at_pauses": reasons,
    }


def engine_keys(
    editor: Editor, records: dict[tuple[str, int], list[dict[str, Any]]]
) -> dict[tuple[str, int, int], Asked]:
    """Return the keys that the engine was asked about, by path, version and number of the key in the run."""
    found = {}
    for number, key in enumerate(editor.keys):
        path = Path(key.uri.removeprefix("file://")).relative_to(editor.root).as_posix()
        for record in records.get((path, key.version), ())[:1]:
            if "engine_ms" not in record:
                continue  # typed through, or ended before it began
            reason, seconds = (record.get("trace") or {}).get("model_reason", "copier-certain"), editor.seconds(key, 0)
            shown = seconds is not None and record["reason"] == "shown" and reason == "copier-certain"
            answer = 1e3 * (seconds - (key.asked[0][1] - key.at)) if seconds is not None and shown else None
            found[path, key.version, number] = Asked(answer, record["engine_ms"], record["engine_cpu_ms"])
    return found


def compared(pairs: Sequence[tuple[Asked, Asked]]) -> dict[str, Any]:
    """Return the milliseconds of keys that both engines were asked about, with the model and without."""
    shown = [(one, other) for one, other in pairs if one.answer is not None and other.answer is not None]
    return {
        "shown_copies": {"keys": len(shown), "answer_ms": _both(shown, "answer"), **_engines(shown)},
        "all_keys": {"keys": len(pairs), **_engines(pairs)},
    }


def _engines(pairs: Sequence[tuple[Asked, Asked]]) -> dict[str, Any]:
    return {f"{name}_ms": _both(pairs, name) for name in ("engine", "processor")}


def _both(pairs: Sequence[tuple[Asked, Asked]], name: str) -> dict[str, Any]:
    return {
        "with": _quantiles([getattr(one, name) for one, _ in pairs]),
        "without": _quantiles([getattr(one, name) for _, one in pairs]),
    }


def _quantiles(values: Sequence[float]) -> dict[str, float] | None:
    if not values:
        return None
    return {f"p{q}": round(float(np.percentile(values, q)), 3) for q in (50, 90, 95)}


def opened(client: Client, root: Path, data: Path) -> list[dict[str, float]]:
    """Return the seconds from opening long files to the model's first answer there, and what they were made of."""
    files = [f for f in sorted(root.rglob("*")) if f.is_file() and f.suffix in _SOURCES and ".git" not in f.parts]
    long = [f for f in files if f.read_text("utf-8", "ignore").count("\n") >= OPENED_LINES]
    found = []
    for file in random.Random(SEED).sample(long, min(len(long), 3 * OPENED_TRIES)):
        lines = file.read_text("utf-8", "ignore").split("\n")
        row = next((n for n in range(len(lines) // 2, len(lines)) if len(lines[n].strip()) > 20), None)
        if row is None:
            continue
        column = len(lines[row].rstrip()) * 2 // 3
        while column and not lines[row][column - 1].isspace():
            column -= 1
        lines[row] = lines[row][:column]
        uri, began = file.as_uri(), time.perf_counter()
        client.open(uri, "\n".join(lines), version=OPENED_VERSION)
        place, asked, trace, record = (file.relative_to(root).as_posix(), OPENED_VERSION), 0, {}, {}
        while not trace.get("model_in_time") and time.perf_counter() - began < LONGEST_S:
            client.complete(uri, row, column, automatic=True)
            took, asked = time.perf_counter() - began, asked + 1
            record = _record(data, place, asked)
            trace = record.get("trace") or {}
            if trace.get("model_reason", "copier-certain") == "copier-certain":
                break  # the model is not asked here
        if trace.get("model_in_time"):
            found.append(
                {
                    "seconds": round(took, 2),
                    "requests": asked,
                    "lines": len(lines),
                    "retrieval": round(record["engine_ms"] / 1e3, 3),
                    "context": trace.get("search_seconds", 0.0),
                    "prompt_and_text": trace["seconds"],
                    "of_processor": round(record["engine_cpu_ms"] / 1e3 + trace["processor_seconds"], 2),
                    "prompt_tokens": trace["prompt_tokens"] - trace["reused"],
                    "passes": trace["forwards"],
                    "drafted": trace["drafted"],
                }
            )
        client.notify("textDocument/didClose", {"textDocument": {"uri": uri}})
        if len(found) == OPENED_TRIES:
            break
    return found


def _record(data: Path, place: tuple[str, int], number: int) -> dict[str, Any]:
    """Return the record of the request with this number at a place, once it is written; nothing if it never is."""
    end = time.monotonic() + 5
    while time.monotonic() < end:
        found = traces(data).get(place, [])
        if len(found) >= number:
            return found[number - 1]
        time.sleep(0.01)
    return {}


_SOURCES: Final = frozenset((".py", ".go", ".c", ".h", ".ts", ".js", ".rs", ".java", ".sv", ".v", ".cc", ".cpp", ".rb"))


def checked_out(repo: Path, commits: int, folder: Path) -> tuple[Path, list[TypedHunk]]:
    """Check the tree from before the last commits out, and return it with hunks of these commits."""
    (window,) = windows(repo, commits, 1)
    hunks = draw(list(edits(repo, window, Settings(), SkipReport())), 200, SEED, SkipReport())
    root = folder / "typed"
    subprocess.run(["git", "clone", "-q", "--shared", "--no-checkout", repo, root], check=True)
    subprocess.run(["git", "-C", root, "checkout", "-q", window.base], check=True)
    return root, hunks


@contextmanager
def editor_of(root: Path, data: Path, *arguments: str) -> Iterator[Editor]:
    """Open the repository in an editor, with its data in ``data``; wait until its index is open."""
    environment = {**os.environ, "ONDOL_DATA_DIR": str(data), "HF_HUB_OFFLINE": "1"}
    with Client([*console_script(), "serve", "--stdio", *arguments], env=environment) as client:
        client.initialize([root], options={"completionReady": True})
        client.wait_state("ready", 300)
        yield Editor(client, root)


def measure(repo: Path, base: Path, seconds: float, commits: int) -> tuple[dict[str, Any], list[tuple[Asked, Asked]]]:
    """Type the same lines into a server with the model and one without, in turns.

    :returns: the figures, and the keys that both engines were asked about.
    """
    with tempfile.TemporaryDirectory(prefix="model-typing-") as work:
        folder = Path(work)
        root, hunks = checked_out(repo, commits, folder)
        indexed, alone = folder / "indexed", folder / "alone"
        command = [*console_script(), "index", str(root), "--data-dir", str(indexed)]
        subprocess.run(command, check=True, capture_output=True)
        shutil.copytree(indexed, alone)
        with (
            editor_of(root, indexed, "--backend", "local", "--base", str(base.resolve())) as editor,
            editor_of(root, alone) as other,
        ):
            first = opened(editor.client, root, indexed)
            other.pauses = False
            rng, again = random.Random(SEED), random.Random(SEED)
            end = time.monotonic() + seconds
            for hunk in hunks:
                if time.monotonic() > end:
                    break
                editor.type(hunk, rng, KEY_S, end)
                other.type(hunk, again, KEY_S, math.inf)
            time.sleep(1)  # the last records
        records, records_alone = traces(indexed), traces(alone)
        asked, asked_alone = engine_keys(editor, records), engine_keys(other, records_alone)
        pairs = [(one, asked_alone[at]) for at, one in asked.items() if at in asked_alone]
        figures = {"opened": first, **judged(editor, records), **compared(pairs)}
    return figures, pairs


def main() -> None:
    """Measure, print and store."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("repos", type=Path, nargs="+")
    parser.add_argument("--base", type=Path, required=True, help="a model's folder or GGUF file")
    parser.add_argument("--seconds", type=float, default=90.0, help="how long to type, for each repository")
    parser.add_argument("--commits", type=int, default=40)
    parser.add_argument("--label", default="")
    parser.add_argument("--out", type=Path, default=RESULTS)
    options = parser.parse_args()
    machine, found, pairs = made_on(), dict[str, Any](), list[tuple[Asked, Asked]]()
    for repo in options.repos:
        repo = repo.resolve()
        name = (repo.parent.name if repo.name in ("repo", ".git") else repo.name).replace("+", "/")
        found[name], some = measure(repo, options.base, options.seconds, options.commits)
        pairs += some
        print(name, json.dumps(found[name]), flush=True)
    first = [one for figures in found.values() for one in figures["opened"]]
    asked, in_time = (sum(one[key] for one in found.values()) for key in ("pauses_with_the_model_asked", "in_time"))
    everything = {
        "pauses_with_the_model_asked": asked,
        "in_time_share": round(in_time / asked, 3) if asked else None,
        **compared(pairs),
        "seconds_from_opening_to_the_model": _quantiles([one["seconds"] for one in first]),
        "of_processor": _quantiles([one["of_processor"] for one in first]),
        "opened_files": len(first),
    }
    kept = json.loads(options.out.read_text("utf-8")) if options.out.exists() else {}
    label = options.label or options.base.name
    kept[label] = {"machine": machine, "load_at_the_end": load(), "all": everything, "repositories": found}
    print(json.dumps(everything, indent=1))
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps(kept, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
