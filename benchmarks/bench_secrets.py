"""Plants made-up secrets and counts what comes out of every door; counts masked lines of public repositories.

    PYTHONPATH=. python benchmarks/bench_secrets.py --clones DIR --out benchmarks/results/secrets.json

The doors are: the index (all texts that it holds, and its files as they are), `ondol search`, suggestions and next
edits from saved and unsaved documents, explanations, prompts on the wire of a completion server, traces, statistics and
logs, training data sets, the replay with its reports, the demonstration, and the dashboard (``secret_doors.py``). Of
public repositories the masked lines are counted by detector and their places listed, without their text. The time to
mask a document of 10,000 lines after a key is the processor time of the thread, which depends little on other load.
"""

import argparse
import json
import random
import subprocess
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bench_server import quantiles
from clones import find as find_clone
from made_on import made_on
from secret_doors import data_set_door, history, index_door, offers_door, prompts_door, reports_door

from indexer.config import Settings
from indexer.repository.policy import source_from_bytes
from indexer.secrets import masking
from indexer.secrets.assignments import named
from indexer.secrets.cover import COVER, covered
from indexer.secrets.credentials import credentials
from indexer.secrets.documents import DocumentMasker
from indexer.types import Source
from tests.support.planted_documents import Plant, planted
from tests.support.repositories import repository

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


def masked_lines(clone: Path) -> dict[str, Any]:
    """Return how many lines of a repository are masked, by the detector that finds them first."""
    lines, kinds, places = 0, Counter[str](), []
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
            taken = [number for number in rows_of if left.pop(number, 0)]
            kinds[name] += len(taken)
            places += [f"{path}:{number + 1} {name}" for number in taken]
    by = {kind: count for kind, count in kinds.items() if count}
    return {"lines": lines, "masked": sum(kinds.values()), "by": by, "places": places[:40]}


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


def doors(plants: list[Plant], some: list[Plant]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield each door with what came out of it.

    :param some: the plants that are typed into documents of a server.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        root = repository(folder / "repo", {plant.path: plant.text for plant in plants[::2]})
        yield "index", index_door(root, folder, plants)
        yield "offers", {"plants": len(some), **offers_door(root, folder, some)}
        yield "prompts", {"plants": len(some), **prompts_door(root, folder, some)}
        past = history(folder / "past", plants)
        yield "data_set", {"plants": len(plants), **data_set_door(past, folder, plants)}
        yield "reports", {"plants": len(plants), **reports_door(past, folder, plants)}


def planted_secrets(options: argparse.Namespace) -> dict[str, Any]:
    """Return what came out of the doors, and how long a key's masking takes."""
    plants = planted(random.Random(options.seed))
    some = random.Random(options.seed).sample(plants, int(len(plants) * options.share))
    result: dict[str, Any] = {"machine": made_on(), "seed": options.seed, "plants": len(plants)}
    result |= {"kinds": len({plant.kind for plant in plants}), "key_ms": key_time(options.keys, options.seed)}
    print(json.dumps(result, indent=1), flush=True)
    for door, found in doors(plants, some):
        result[door] = found
        print(json.dumps({door: found}, indent=1), flush=True)
    return result


def main() -> None:
    """Run everything and write the result."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clones", type=Path, help="folder of local clones; without it no repository is looked at")
    parser.add_argument("--repos", nargs="*", default=REPOSITORIES, help="OWNER/NAME of each")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keys", type=int, default=1000)
    parser.add_argument("--share", type=float, default=1.0, help="share of the plants that the server's doors get")
    parser.add_argument("--lines-only", action="store_true", help="only count masked lines; keep what --out holds")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    masking.prepare()
    result: dict[str, Any] = {}
    if options.lines_only:
        if options.out and options.out.exists():
            result = json.loads(options.out.read_text())
    else:
        result = planted_secrets(options)
    clones = [(name, find_clone(options.clones, name)) for name in options.repos] if options.clones else []
    result["repositories"] = {name: masked_lines(clone) for name, clone in clones if clone is not None}
    print(json.dumps(result["repositories"], indent=1), flush=True)
    if options.out:
        options.out.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
