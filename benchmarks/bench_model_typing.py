"""Types lines of past commits at a person's speed, and measures whether the model is there when the person pauses.

    python benchmarks/bench_model_typing.py REPO --base FOLDER [--seconds 150] [--label TEXT] [--out FILE]

REPO is a repository with history, bare or not. The tree from before its last commits is checked out and indexed. Lines
that these commits add are typed into the server's process over its protocol, with a key each 200 ms and a pause of a
second at ends of words (one of six) and of lines. The editor behaves as Ondol's own: it asks after every key, and again
when the server says that a late answer is there.

Reported are: at how many of the pauses at which the model was asked its answer was there 600 ms after the last key; how
long keys took at which a copy was shown, with the model and, typed again, without; and how long the first answer of the
model took after a file of 500 lines or more was opened. Results go to ``results/model_typing.json``, by label.
"""

import argparse
import json
import os
import random
import re
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
from made_on import made_on

from finetune.commits.typed_hunks import TypedHunk, draw
from finetune.commits.windows import SkipReport, edits, windows
from indexer.config import Settings
from lsp_server.commands.lsp_client import Client, edit
from lsp_server.server.index_process import console_script

RESULTS: Final = Path(__file__).parent / "results" / "model_typing.json"
KEY_S, PAUSE_S, WANTED_S = 0.2, 1.0, 0.6
FAST_KEY_S: Final = 0.05
"""Between two keys where there is no model: nothing works in between."""

OPENED_LINES: Final = 500
OPENED_TRIES: Final = 5
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
        self.keys: list[Key] = []
        self._announced = 0

    def type(self, hunk: TypedHunk, rng: random.Random, key_s: float, until: float) -> None:
        """Type the lines of a hunk."""
        uri = (self.root / hunk.path).as_uri()
        below = "".join(line + "\n" for line in hunk.after)
        self.client.open(uri, hunk.before + "\n" + below, hunk.language)
        row, version = hunk.before.count("\n"), 1
        time.sleep(PAUSE_S if key_s == KEY_S else FAST_KEY_S)
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
        end = key.at + (PAUSE_S if pause and key_s == KEY_S else key_s)
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


def judged(editor: Editor, records: dict[tuple[str, int], list[dict[str, Any]]]) -> dict[str, Any]:
    """Return what happened at the pauses, and the milliseconds of keys at which a copy was shown."""
    there, late, reasons, copies = [], 0, {}, []
    for key in editor.keys:
        path = Path(key.uri.removeprefix("file://")).relative_to(editor.root).as_posix()
        for number, record in enumerate(records.get((path, key.version), ())[: len(key.asked)]):
            trace, seconds = record.get("trace") or {}, editor.seconds(key, number)
            if seconds is not None and record["reason"] == "shown" and trace.get("model_in_time") is None:
                copies.append(1e3 * (seconds - (key.asked[number][1] - key.at)))
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
        "in_time_share": round(in_time / asked_at, 3) if asked_at else None,
        "seconds_to_the_model": _quantiles(there),
        "shown_copies": len(copies),
        "shown_copy_ms": _quantiles(copies),
        "reasons_at_pauses": reasons,
    }


def _quantiles(values: Sequence[float]) -> dict[str, float] | None:
    if not values:
        return None
    return {f"p{q}": round(float(np.percentile(values, q)), 3) for q in (50, 90, 95)}


def opened(client: Client, root: Path) -> list[float]:
    """Return the seconds from opening long files to the model's first answer there."""
    files = [f for f in sorted(root.rglob("*")) if f.is_file() and f.suffix in _SOURCES and ".git" not in f.parts]
    long = [f for f in files if f.read_text("utf-8", "ignore").count("\n") >= OPENED_LINES]
    seconds = []
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
        client.open(uri, "\n".join(lines))
        explained = ""
        while "model_in_time: True" not in explained and time.perf_counter() - began < LONGEST_S:
            client.complete(uri, row, column, automatic=True)
            took = time.perf_counter() - began
            explained = client.command("ondol.explain")
            if "model_in_time" not in explained:
                break  # the model is not asked here
        if "model_in_time" in explained:
            seconds.append(took)
        client.notify("textDocument/didClose", {"textDocument": {"uri": uri}})
        if len(seconds) == OPENED_TRIES:
            break
    return seconds


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


def measure(repo: Path, base: Path, seconds: float, commits: int) -> dict[str, Any]:
    """Type with the model, then the same keys without."""
    with tempfile.TemporaryDirectory(prefix="model-typing-") as work:
        folder = Path(work)
        root, hunks = checked_out(repo, commits, folder)
        indexed = folder / "indexed"
        command = [*console_script(), "index", str(root), "--data-dir", str(indexed)]
        subprocess.run(command, check=True, capture_output=True)
        found: dict[str, Any] = {}
        with editor_of(root, indexed, "--backend", "local", "--base", str(base.resolve())) as editor:
            found["seconds_from_opening_to_the_model"] = [round(one, 2) for one in opened(editor.client, root)]
            typed = _type(editor, hunks, KEY_S, time.monotonic() + seconds)
        found["with_model"] = judged(editor, traces(indexed))
        for file in indexed.rglob("traces.jsonl*"):
            file.unlink()
        with editor_of(root, indexed) as editor:
            _type(editor, hunks[:typed], FAST_KEY_S, time.monotonic() + seconds / 2)
        found["without_model"] = judged(editor, traces(indexed))
    return found


def _type(editor: Editor, hunks: Sequence[TypedHunk], key_s: float, until: float) -> int:
    """Type hunks until the time is over; return how many were begun."""
    rng = random.Random(SEED)
    for number, hunk in enumerate(hunks):
        if time.monotonic() > until:
            return number
        editor.type(hunk, rng, key_s, until)
    return len(hunks)


def main() -> None:
    """Measure, print and store."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("repo", type=Path)
    parser.add_argument("--base", type=Path, required=True, help="a model's folder or GGUF file")
    parser.add_argument("--seconds", type=float, default=150.0, help="how long to type with the model")
    parser.add_argument("--commits", type=int, default=40)
    parser.add_argument("--label", default="")
    parser.add_argument("--out", type=Path, default=RESULTS)
    options = parser.parse_args()
    figures = measure(options.repo.resolve(), options.base, options.seconds, options.commits)
    kept = json.loads(options.out.read_text("utf-8")) if options.out.exists() else {}
    name = options.label or f"{options.base.name}, {options.repo.resolve().parent.name}"
    kept[name] = {"machine": made_on(), **figures}
    print(json.dumps(kept[name], indent=1))
    options.out.parent.mkdir(parents=True, exist_ok=True)
    options.out.write_text(json.dumps(kept, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main()
