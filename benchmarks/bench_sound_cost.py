"""Measures what fitting a text costs at a key, in documents of 10,000 lines in six languages.

    python benchmarks/bench_sound_cost.py --clones DIR

A document is made of the files of one public repository, one behind the other. Random lines are typed key by key: at
each key the author's own rest of the line and a copied block of three lines are fitted. ``new line`` is the first key
after a jump to another place, ``key`` any later one on the same line, ``all`` both. ``one_jump_in_seven`` is all of the
first seven keys at each place. Times are processor time of the thread, in milliseconds. ``skipped`` counts the texts
whose syntax was not checked since it takes too long; the trace then says so. Results go to
``results/sound_cost.json``.
"""

import argparse
import json
import random
import subprocess
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from clones import find
from made_on import made_on

from lsp_server.fitting.fitter import Fitter
from lsp_server.fitting.place import Fitted
from lsp_server.types import Document

HERE = Path(__file__).parent
RESULTS = HERE / "results" / "sound_cost.json"
LINES, PLACES, SEED = 10_000, 40, 20261126
KEYS = 7
"""Keys of a place that count for ``one_jump_in_seven``."""

SOURCES = (
    ("python", "tornadoweb/tornado", (".py",)),
    ("go", "nats-io/nats-server", (".go",)),
    ("c", "redis/redis", (".c", ".h")),
    ("typescript", "trpc/trpc", (".ts",)),
    ("systemverilog", "chipsalliance/caliptra-rtl", (".sv", ".svh")),
    ("java", "mockito/mockito", (".java",)),
)


def document(clone: Path, endings: Sequence[str]) -> list[str]:
    """Return the first lines of a repository's files with such names."""

    def git(*words: str) -> str:
        run = subprocess.run(["git", "-C", clone, *words], capture_output=True, check=True)
        return run.stdout.decode("utf-8", "replace")

    lines: list[str] = []
    for name in git("ls-tree", "-r", "--name-only", "HEAD").split("\n"):
        if name.endswith(tuple(endings)):
            lines += git("show", f"HEAD:{name}").split("\n")
        if len(lines) >= LINES:
            break
    return lines[:LINES]


def keys(lines: Sequence[str], rng: random.Random) -> Iterator[tuple[int, bool, Document, int, str]]:
    """Yield a key's number on its line, whether its text is the first one there, document, cursor and the text."""
    for place in range(PLACES):
        row = rng.randrange(200, len(lines) - 20)
        while not lines[row].strip():
            row = (row + 1) % (len(lines) - 4)
        body = lines[row].rstrip()
        start = len(body) - len(body.lstrip())
        for column in range(start, len(body)):
            text = "\n".join([*lines[:row], body[:column], *lines[row + 1 :]])
            offset = sum(len(line) + 1 for line in lines[:row]) + column
            shown = Document("file:///long", None, "", place, text)
            for number, added in enumerate((body[column:], "\n".join([body[column:], *lines[row + 1 : row + 3]]))):
                key = column - start
                yield key, key == number == 0, shown, offset, added


def measured(language: str, lines: Sequence[str]) -> dict[str, float | int]:
    """Return the figures of one language."""
    fitter, times, sevenths = Fitter(), {True: list[float](), False: list[float]()}, list[float]()
    skipped = 0
    for key, first, shown, offset, text in keys(lines, random.Random(SEED)):
        asked = Document(shown.uri, None, language, shown.version, shown.text)
        started = time.thread_time()
        fitted = fitter.fit(asked, offset, text)
        times[first].append(1e3 * (time.thread_time() - started))
        sevenths += times[first][-1:] if key < KEYS else []
        skipped += isinstance(fitted, Fitted) and fitted.skipped == "too slow"
    found: dict[str, float | int] = {"lines": len(lines), "texts": len(times[True]) + len(times[False])}
    for first, name in ((False, "key"), (True, "new_line")):
        values = sorted(times[first])
        found |= {f"{name}_p50_ms": round(values[len(values) // 2], 2)}
        found |= {f"{name}_p95_ms": round(values[int(0.95 * len(values))], 2)}
    for name, values in (("all", sorted(times[True] + times[False])), ("one_jump_in_seven", sorted(sevenths))):
        found |= {f"{name}_p95_ms": round(values[int(0.95 * len(values))], 2)}
    return {**found, "skipped": skipped}


def main() -> None:
    """Measure the repositories that have a clone."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clones", type=Path, required=True, help="folder with the clones")
    options = parser.parse_args()
    rows = []
    for language, name, endings in SOURCES:
        clone = find(options.clones, name)
        if clone is None:
            print(f"{name}: no clone in {options.clones}, skipped", flush=True)
            continue
        row = {"language": language, "repository": name, **measured(language, document(clone, endings))}
        print(json.dumps(row), flush=True)
        rows.append(json.dumps(row))
    about = {"seed": SEED, "machine": made_on()}
    body = ",\n".join(rows)
    RESULTS.write_text(f'{json.dumps(about)[:-1]},\n "rows": [\n{body}\n]}}\n', "utf-8")


if __name__ == "__main__":
    main()
