"""The doors through which a planted secret could come out of Ondol; each returns the kinds that did, with counts.

Used by ``bench_secrets.py``. A leak is twelve characters of a secret in a row, or all of a shorter one.
"""

import http.client
import json
import random
import re
import socket
import subprocess
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from finetune.dataset.build import build as build_data_set
from finetune.dataset.commit_range import DatasetOptions
from finetune.dataset.shards import TRAIN, VALIDATION, read
from indexer.config import Settings
from indexer.storage.reader import Index
from lsp_server.commands.lsp_client import Client
from tests.support import console
from tests.support.adapters import tiny_base
from tests.support.commit_histories import commit, function
from tests.support.http_model_server import Handler, serving
from tests.support.lsp_client import explanation, real
from tests.support.planted_documents import Plant
from tests.support.repositories import repository

LEAKED = 12
PAGES = ("/", "/use", "/nights", "/models", "/replay")


def leaks(text: str, plants: Sequence[Plant]) -> dict[str, int]:
    """Return how many plants of each kind stand in a text, in part or whole."""
    found: Counter[str] = Counter()
    for plant in plants:
        parts = [gone[at : at + LEAKED] for gone in plant.gone for at in range(0, max(1, len(gone) - LEAKED + 1), 4)]
        found[plant.kind] += any(part in text for part in parts)
    return {kind: count for kind, count in sorted(found.items()) if count}


def unescaped(value: object) -> str:
    """Return what a JSON text says, with its backslashes and quotes as they were."""
    return json.dumps(value, ensure_ascii=False).replace("\\\\", "\\").replace('\\"', '"')


def index_door(root: Path, folder: Path, plants: Sequence[Plant]) -> dict[str, Any]:
    """Return the leaks of the index, as texts and as files, and of searches."""
    console.printed(folder, "index", str(root))
    where = next((folder / "data" / "repositories").glob("*/index"))
    opened = Index.open(where, Settings())
    texts = "\n".join(opened.text(document) for document in opened.documents.values())
    files = b"\n".join(path.read_bytes() for path in where.rglob("*") if path.is_file()).decode("latin-1")
    searched = "".join(
        console.finished(folder, "search", words, "--repo", str(root), "--limit", "200").stdout
        for words in ("password secret token", "key", "connect user login")
    )
    found = {"texts": leaks(texts, plants), "files": leaks(files, plants), "search": leaks(searched, plants)}
    return {"documents": len(opened.documents), **found}


def asked(client: Client, root: Path, plants: Sequence[Plant], *, again: bool) -> str:
    """Open each document, ask behind it or type it again up to its secret, and return all answers."""
    answers: list[Any] = []
    for number, plant in enumerate(plants):
        uri = (root / plant.path).as_uri()
        text = plant.text + "\nvalue = \n"
        client.open(uri, text)
        if not again:
            answers += client.complete(uri, text.count("\n") - 1, 8, automatic=False)
            continue
        typed = plant.text[: plant.text.find(plant.gone[0])]
        other = (root / f"again{number}" / plant.path).as_uri()
        client.open(other, typed)
        for automatic in (True, False):
            last = len(typed.split("\n")[-1].encode("utf-16-le")) // 2
            answers += client.complete(other, typed.count("\n"), last, automatic=automatic)
        answers.append(explanation(client))
        answers.append(next_edits(client, uri, other, text, typed))
    return unescaped(answers)


def next_edits(client: Client, uri: str, other: str, text: str, typed: str) -> Any:
    """Change the name before a secret in one document, and ask for the next edit in one that lacks the change."""
    first, _, rest = text.partition("\n")
    # up to the secret, which may hold the sign too: a secret that was changed is another text, and not looked for
    head = typed if "\n" not in typed else first
    changed = f"{head.replace('=', ':=', 1)}{first[len(head) :]} \n{rest}"
    client.change(uri, 2, {"text": changed})
    line = typed.count("\n")
    where = {"textDocument": {"uri": other, "version": 1}, "position": {"line": line, "character": 0}}
    return client.request("textDocument/copilotInlineEdit", where)


def offers_door(root: Path, folder: Path, plants: Sequence[Plant]) -> dict[str, Any]:
    """Return the leaks of suggestions and edits from unsaved documents and the index, and of what was recorded."""
    with real(folder) as client:
        client.initialize([root], options={"traceText": True, "nextEdits": True})
        client.wait_state("ready")
        said = asked(client, root, plants, again=True)
        log = client.errors.decode("utf-8", "replace")
    records = "\n".join(path.read_text("utf-8", "replace") for path in folder.rglob("*.jsonl*"))
    printed = "".join(
        console.finished(folder, *command, "--repo", str(root)).stdout
        for command in (("explain", "last", "--full"), ("explain", "last", "--json"), ("stats", "--full"), ("doctor",))
    )
    found = {"suggestions": said, "traces": records, "log": log, "explain, stats, doctor": printed}
    return {door: leaks(text, plants) for door, text in found.items()}


def prompts_door(root: Path, folder: Path, plants: Sequence[Plant]) -> dict[str, Any]:
    """Return the leaks of the prompts that a completion server gets."""

    def answer(handler: Handler) -> None:
        handler.body(json.dumps({"choices": [{"text": "x"}]}).encode())

    with (
        serving(answer) as (address, handler),
        real(folder, "--backend", "remote", ONDOL_REMOTE_URL=address, ONDOL_REMOTE_MODEL="team") as client,
    ):
        client.initialize([root], options={"completionReady": True})
        client.wait_state("ready")
        asked(client, root, plants, again=False)
        return {"prompts": len(handler.seen), "leaks": leaks(unescaped(handler.seen), plants)}


def history(root: Path, plants: Sequence[Plant], commits: int = 12) -> Path:
    """Make a repository whose commits add documents with secrets and, to each, functions that look like others."""
    rng = random.Random(1)
    repository(root, {f"src/module_{n}.py": function(rng, 0) * 2 for n in range(6)})
    for number in range(commits):
        files: dict[str, str | bytes] = {plant.path: plant.text for plant in plants[number::commits]}
        files |= {f"src/module_{n}.py": function(rng, 0) * 2 + function(rng, number) for n in range(6)}
        commit(root, files, f"commit {number}")
    return root


def data_set_door(root: Path, folder: Path, plants: Sequence[Plant]) -> dict[str, Any]:
    """Return the leaks of a training data set: its texts, token by token, and its files."""
    base = tiny_base(folder / "base")
    out = folder / "set"
    manifest = build_data_set(root, Settings(), base.path, out, DatasetOptions(max_samples=5000))
    decoded = [
        base.vocabulary.decode(sample.ids if hasattr(sample, "ids") else sample["ids"])
        for split in (TRAIN, VALIDATION)
        for sample in read(out, manifest.files, split)
    ]
    files = b"\n".join(path.read_bytes() for path in out.rglob("*") if path.is_file()).decode("latin-1")
    return {"samples": len(decoded), "texts": leaks("\n".join(decoded), plants), "files": leaks(files, plants)}


def reports_door(root: Path, folder: Path, plants: Sequence[Plant]) -> dict[str, Any]:
    """Return the leaks of the replay, with its page and its cases, of the demonstration, and of the dashboard."""
    page, cases = folder / "replay.html", folder / "cases.jsonl"
    replay = ("eval", str(root), "--commits", "10", "--windows", "1", "--cases", "100", "--every-line")
    done = console.finished(folder, *replay, "--typing", "--hunks", "10", "--html", str(page), "--out", str(cases))
    as_json = console.finished(folder, *replay, "--json")
    demo = console.finished(folder, "demo", str(root), "--still", "--count", "10")
    found = {
        "eval": done.stdout + done.stderr,
        "eval --html": page.read_text() if page.exists() else "",
        "eval --out": unescaped(cases.read_text()) if cases.exists() else "",
        "eval --json": as_json.stdout,
        "demo": demo.stdout + demo.stderr,
        "dashboard": dashboard(root, folder),
    }
    sizes = {name: len(text) for name, text in found.items()}
    return {"characters": sizes, **{door: leaks(text, plants) for door, text in found.items()}}


def dashboard(root: Path, folder: Path) -> str:
    """Return the dashboard's pages."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [str(console.SCRIPT), "dashboard", str(root), "--port", str(port)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=console.environment(folder))
    try:
        assert process.stdout is not None
        found = re.search(r"http://127\.0\.0\.1:(\d+)/\?token=([\w-]+)", process.stdout.readline())
        if not found:
            return ""
        pages = []
        for path in PAGES:
            for _ in range(100):
                connection = http.client.HTTPConnection("127.0.0.1", int(found[1]), timeout=30)
                with suppress(OSError):
                    connection.request("GET", path, headers={"Cookie": f"ondol-{found[1]}={found[2]}"})
                    pages.append(connection.getresponse().read().decode())
                    break
                time.sleep(0.1)
        return "\n".join(pages)
    finally:
        process.terminate()
        process.wait()
