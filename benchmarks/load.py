"""Lets several people type at once, and measures what each of them waits for, with any backend.

    python benchmarks/load.py REPO --people 4 --seconds 60
    python benchmarks/load.py REPO --people 8 --backend remote --url http://127.0.0.1:8000 --model coder
    python benchmarks/load.py REPO --people 4 --backend local --base coder.q8_0.gguf --share

REPO is a repository with history, bare or not. The tree from before its last commits is checked out and indexed. Each
person has a server's process of its own, as an editor starts it (with ``--share`` all have one engine), and types other
lines that these commits add, key by key as in ``bench_model_typing.py``: a key each 200 ms, a pause of a second at ends
of lines and at some ends of words, a request after every key. So N people ask about four times N times a second.

Bounded: at most 64 people and 600 seconds, and only a completion server on this machine is asked (``ssh -L`` brings
another one here). Results: keys, requests, the time from a request to its answer (which a key may end before), and how
many pauses had the model's text, for each number of people. A server is large enough for the most people for whom the
share of pauses with the model stays near that of one.
"""

import argparse
import json
import os
import random
import subprocess
import tempfile
import threading
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from bench_model_typing import KEY_S, SEED, Editor, checked_out, editor_of, judged, traces
from bench_server import quantiles
from made_on import load, made_on

from finetune.commits.typed_hunks import TypedHunk
from lsp_server.server.index_process import console_script

MOST_PEOPLE: Final = 64
MOST_SECONDS: Final = 600
LOOPBACK: Final = ("127.0.0.1", "::1", "localhost")


def measure(
    root: Path, indexed: Path, hunks: Sequence[TypedHunk], people: int, seconds: float, arguments: Sequence[str]
) -> dict[str, Any]:
    """Let some people type for a while.

    :param indexed: the data folder with the index. :param arguments: options of ``ondol serve``.
    """
    for file in indexed.rglob("traces.jsonl*"):
        file.unlink()
    with ExitStack() as stack:
        editors = [stack.enter_context(editor_of(root, indexed, *arguments)) for _ in range(people)]
        until = time.monotonic() + seconds
        threads = [
            threading.Thread(target=type_all, args=(editor, hunks[number::people], until, SEED + number))
            for number, editor in enumerate(editors)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        time.sleep(1)  # the last answers
    records = traces(indexed)
    figures = [judged(editor, records) for editor in editors]
    waits = [seconds for editor in editors for seconds in answered(editor)]
    asked = sum(len(key.asked) for editor in editors for key in editor.keys)
    pauses = sum(one["pauses_with_the_model_asked"] for one in figures)
    in_time = sum((one["in_time_share"] or 0) * one["pauses_with_the_model_asked"] for one in figures)
    errors = sum(
        "error" in reply[1] and reply[1]["error"].get("code") != _CANCELLED
        for editor in editors
        for reply in editor.client.replies.values()
    )
    return {
        "people": people,
        "keys": sum(one["keys"] for one in figures),
        "requests": asked,
        "answers": len(waits),
        "errors": errors,
        "answer_ms": quantiles(waits or [0.0]),
        "pauses_with_the_model_asked": pauses,
        "of_them_in_time": round(in_time / pauses, 3) if pauses else None,
        "load": load(),
    }


_CANCELLED: Final = -32800
"""The error of a request that the next key has ended."""


def type_all(editor: Editor, hunks: Sequence[TypedHunk], until: float, seed: int) -> None:
    """Type hunks until the time is over, from the beginning again where they end."""

    rng = random.Random(seed)
    while hunks and time.monotonic() < until:
        for hunk in hunks:
            if time.monotonic() > until:
                break
            editor.type(hunk, rng, KEY_S, until)


def answered(editor: Editor) -> list[float]:
    """Return the seconds from each request to its answer."""
    found = []
    for key in editor.keys:
        for number, (_, at) in enumerate(key.asked):
            seconds = editor.seconds(key, number)
            if seconds is not None:
                found.append(seconds - (at - key.at))
    return found


def arguments_of(options: argparse.Namespace) -> tuple[list[str], dict[str, str]]:
    """Return the options of ``ondol serve`` and the settings for the chosen backend.

    :raises SystemExit: the completion server is not on this machine.
    """
    arguments = ["--backend", options.backend, "--share" if options.share else "--no-share"]
    if options.backend == "local":
        arguments += ["--base", str(options.base.resolve())]
    settings: dict[str, str] = {}
    if options.backend == "remote":
        if urlsplit(options.url).hostname not in LOOPBACK:
            raise SystemExit(f"{options.url} is not on this machine; bring it here, e.g. with ssh -L")
        settings = {"ONDOL_REMOTE_URL": options.url, "ONDOL_REMOTE_MODEL": options.model}
    return arguments, settings


def main() -> None:
    """Measure for each number of people, print and store."""

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("repo", type=Path)
    parser.add_argument("--people", type=int, nargs="+", default=[1, 4], help="one run for each number")
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--commits", type=int, default=40)
    parser.add_argument("--backend", choices=["retrieval", "local", "remote"], default="retrieval")
    parser.add_argument("--base", type=Path, help="a model's folder or GGUF file, for the local backend")
    parser.add_argument("--url", default="http://127.0.0.1:8000", help="a completion server, for the remote backend")
    parser.add_argument("--model", default="", help="its model")
    parser.add_argument("--share", action="store_true", help="let all people's servers share one engine")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    if not all(1 <= people <= MOST_PEOPLE for people in options.people) or not 1 <= options.seconds <= MOST_SECONDS:
        parser.error(f"at most {MOST_PEOPLE} people and {MOST_SECONDS} seconds, at least one")
    if options.backend == "local" and options.base is None:
        parser.error("the local backend needs --base")
    arguments, settings = arguments_of(options)
    os.environ.update(settings)
    with tempfile.TemporaryDirectory(prefix="load-", dir="/tmp" if Path("/tmp").is_dir() else None) as work:
        root, hunks = checked_out(options.repo.resolve(), options.commits, Path(work))
        indexed = Path(work) / "indexed"
        command = [*console_script(), "index", str(root), "--data-dir", str(indexed)]
        subprocess.run(command, check=True, capture_output=True)
        runs = [measure(root, indexed, hunks, people, options.seconds, arguments) for people in options.people]
    text = json.dumps(
        {"machine": made_on(), "command": "load.py", "backend": options.backend, "shared": options.share, "runs": runs},
        indent=1,
    )
    print(text)
    if options.out:
        options.out.parent.mkdir(parents=True, exist_ok=True)
        options.out.write_text(text + "\n")


if __name__ == "__main__":
    main()
