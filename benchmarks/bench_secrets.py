"""Plants made-up secrets and counts what comes out of every door; counts masked lines of public repositories.

    PYTHONPATH=. python benchmarks/bench_secrets.py --clones DIR --out benchmarks/results/secrets.json

The doors are: the index (all texts that it holds, and its files as they are), `ondol search`, suggestions from saved
and unsaved documents, prompts on the wire of a completion server, traces and logs. A leak is twelve characters of a
secret in a row. Of public repositories the masked lines are counted by detector, without their text. The time to mask
a document of 10,000 lines after a key is the processor time of the thread, which depends little on other load.
"""

import argparse
import json
import random
import subprocess
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

from bench_index import machine
from bench_server import quantiles
from clones import find as find_clone

from indexer.config import Settings
from indexer.repository.policy import source_from_bytes
from indexer.secrets import masking
from indexer.secrets.assignments import named
from indexer.secrets.cover import COVER, covered
from indexer.secrets.credentials import credentials
from indexer.secrets.documents import DocumentMasker
from indexer.storage.reader import Index
from indexer.types import Source
from lsp_server.commands.lsp_client import Client
from tests.support import console
from tests.support.http_model_server import Handler, serving
from tests.support.lsp_client import real
from tests.support.planted_documents import Plant, planted
from tests.support.repositories import repository

LEAKED = 12
REPOSITORIES = (
    *(
        "pallets/werkzeug",
        "jekyll/jekyll",
        "dropwizard/dropwizard",
        "hyperium/hyper",
        "openhwgroup/cva6",
        "vitejs/vite",
    ),
    *("google/leveldb", "prometheus/prometheus", "square/okhttp"),
)
"""Looked at while the rules were made; name others with ``--repos`` for figures of unseen ones."""


def leaks(text: str, plants: list[Plant]) -> dict[str, int]:
    """Return how many plants of each kind stand in a text, in part or whole."""
    found: Counter[str] = Counter()
    for plant in plants:
        parts = [gone[at : at + LEAKED] for gone in plant.gone for at in range(0, max(1, len(gone) - LEAKED + 1), 4)]
        found[plant.kind] += any(part in text for part in parts)
    return {kind: count for kind, count in sorted(found.items()) if count}


def index_door(root: Path, folder: Path, plants: list[Plant]) -> dict[str, Any]:
    """Return the leaks of the index and of a search for each kind."""
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


def asked(client: Client, root: Path, plants: list[Plant], *, again: bool) -> str:
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
    return json.dumps(answers, ensure_ascii=False).replace("\\\\", "\\").replace('\\"', '"')


def offers_door(root: Path, folder: Path, plants: list[Plant]) -> dict[str, Any]:
    """Return the leaks of suggestions from unsaved documents and from the index, and of what was recorded of them."""
    with real(folder) as client:
        client.initialize([root], options={"traceText": True, "nextEdits": True})
        client.wait_state("ready")
        said = asked(client, root, plants, again=True)
        log = client.errors.decode("utf-8", "replace")
    records = "\n".join(path.read_text("utf-8", "replace") for path in folder.rglob("*.jsonl*"))
    return {"suggestions": leaks(said, plants), "traces": leaks(records, plants), "log": leaks(log, plants)}


def prompts_door(root: Path, folder: Path, plants: list[Plant]) -> dict[str, Any]:
    """Return the leaks of the prompts that a completion server gets."""

    def answer(handler: Handler) -> None:
        handler.body(json.dumps({"choices": [{"text": "x"}]}).encode())

    with (
        serving(answer) as (address, handler),
        real(folder, "--backend", "remote", ONDOL_REMOTE_URL=address, ONDOL_REMOTE_MODEL="team") as client,
    ):
        client.initialize([root])
        client.wait_state("ready")
        asked(client, root, plants, again=False)
        seen = json.dumps(handler.seen, ensure_ascii=False).replace("\\\\", "\\").replace('\\"', '"')
    return {"prompts": len(handler.seen), "leaks": leaks(seen, plants)}


def masked_lines(clone: Path) -> dict[str, Any]:
    """Return how many lines of a repository are masked, by the detector that finds them first."""
    lines, kinds = 0, Counter[str]()
    listed = subprocess.run(["git", "-C", clone, "ls-tree", "-r", "HEAD"], capture_output=True, text=True, check=True)
    rows = [row.split(None, 3) for row in listed.stdout.splitlines()]
    for _, kind, blob, path in rows:
        done = subprocess.run(["git", "-C", clone, "cat-file", "blob", blob], capture_output=True, check=False)
        if kind != "blob" or done.returncode:
            continue
        source = source_from_bytes(path, done.stdout, Settings())
        if not isinstance(source, Source):
            continue
        lines += source.text.count("\n")
        text = done.stdout.decode("utf-8", "replace")
        spans = masking.find(text, path) if source.masked else []
        left = Counter(number for number, line in enumerate(covered(text, spans).split("\n")) if COVER in line)
        for name, found in (
            ("key over several lines, table", masking.find_far(text, path) if spans else []),
            ("name", named(text, path) if spans else []),
            ("words around it", credentials(text, path) if spans else []),
            ("format, or the same value again", spans),
        ):
            rows_of = [n for n, line in enumerate(covered(text, masking.merged(found)).split("\n")) if COVER in line]
            kinds[name] += sum(left.pop(number, 0) for number in rows_of)
    return {"lines": lines, "masked": sum(kinds.values()), "by": {k: n for k, n in kinds.items() if n}}


def key_time(keys: int, seed: int) -> dict[str, float]:
    """Return how long masking a document of 10,000 lines takes after a key, in milliseconds of the thread's time."""
    rng = random.Random(seed)
    lines = [f"    result_{n} = compute(item_{n}, rate={n % 7})  # step {n}" for n in range(10_000)]
    for plant in rng.sample(planted(rng), 10):
        lines[rng.randrange(len(lines))] += "\n" + plant.text
    text = "\n".join(lines)
    masker = DocumentMasker("src/module.py")
    masker.mask(text)
    times, at = [], 0
    for key in range(keys):
        at = rng.randrange(len(text)) if key % 40 == 0 else at + 1
        text = text[:at] + rng.choice("abcdef_=(1 \n") + text[at:]
        began = time.thread_time()
        masker.mask(text)
        times.append(time.thread_time() - began)
    return quantiles(times)


def main() -> None:
    """Run everything and write the result."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clones", type=Path, help="folder of local clones; without it no repository is looked at")
    parser.add_argument("--repos", nargs="*", default=REPOSITORIES, help="OWNER/NAME of each")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keys", type=int, default=1000)
    parser.add_argument("--share", type=float, default=1.0, help="share of the plants that the server's doors get")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    masking.prepare()
    plants = planted(random.Random(options.seed))
    some = random.Random(options.seed).sample(plants, int(len(plants) * options.share))
    result: dict[str, Any] = {"machine": machine(), "seed": options.seed, "plants": len(plants)}
    result |= {"kinds": len({plant.kind for plant in plants}), "key_ms": key_time(options.keys, options.seed)}
    print(json.dumps(result, indent=1), flush=True)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        root = repository(folder / "repo", {plant.path: plant.text for plant in plants[::2]})
        result["index"] = index_door(root, folder, plants)
        result["offers"] = {"plants": len(some), **offers_door(root, folder, some)}
        result["prompts"] = {"plants": len(some), **prompts_door(root, folder, some)}
    print(json.dumps({key: result[key] for key in ("index", "offers", "prompts")}, indent=1), flush=True)
    clones = [(name, find_clone(options.clones, name)) for name in options.repos] if options.clones else []
    result["repositories"] = {name: masked_lines(clone) for name, clone in clones if clone is not None}
    print(json.dumps(result["repositories"], indent=1), flush=True)
    if options.out:
        options.out.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
