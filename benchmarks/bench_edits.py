"""Times next edits over the real protocol.

    python benchmarks/bench_edits.py [--corpus DIR] [--data DIR] [--parts PART ...]

From the end of an edit to the offer, or to none, in a document of 10,000 lines that is alone in its repository (the
first edits are counted by themselves); from the end of an edit whose document has no further place to the end of the
search of the repository, in the corpus of ``bench_index.py`` (a million lines of this machine's Python); and keys with
and without next edits. Next to each time stands the processor time that the server spent for it, which depends less on
what else the machine does. How often offers are right is counted by ``scripts/fit_second_look.py judge``.

Results go to ``results/edits.json``, and as a table into ``docs/next-edits.md``. They hold figures and no code.
"""

import argparse
import json
import re
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench_index import make_corpus
from bench_server import quantiles, source_files, text_of
from clones import environment, put_into
from made_on import made_on

from lsp_server.commands.lsp_client import Client, edit

HERE = Path(__file__).parent
RESULTS = HERE / "results" / "edits.json"
PAGE = HERE.parent / "docs" / "next-edits.md"
BEGIN = "<!-- table: benchmarks/bench_edits.py -->"
SEED = 20261126
LINES, ROUNDS, KEYS, BURST = 10_000, 40, 300, 15
FIRST = 5
"""Edits that meet a server which still loads its rules for secrets and reads the document the first time."""

PARTS = ["document", "repository", "keys"]
TYPED_S = 0.2
"""Between the edits of one offer and the next: without it the server takes them for an editor's own
(``edit_log.BURST``)."""

PAUSE_S = 0.6
"""Longer than the pause after which the server looks for a next edit by itself."""


def speed(ondol: Path, corpus: Path, data: Path, parts: list[str]) -> dict[str, Any]:
    """Time next edits in a document, and in a repository, which is indexed first."""
    found: dict[str, Any] = {}
    if "document" in parts:
        found["document"] = {**_in_document(ondol, corpus), "lines": LINES}
    if {"repository", "keys"}.isdisjoint(parts):
        return {name: {**times, "machine": made_on()} for name, times in found.items()}
    done = subprocess.run(
        [ondol, "index", corpus, "--json", "--data-dir", data], capture_output=True, text=True, check=True
    )
    lines, command = json.loads(done.stdout)["lines"], [str(ondol), "serve", "--stdio", "--data-dir", str(data)]
    if "repository" in parts:
        with _serving(command, corpus) as client:
            found["repository"] = _in_repository(client, corpus)
    if "keys" in parts:
        with ExitStack() as servers:
            clients = {}
            for name, given in (("with", "true"), ("without", "false")):
                there = {"ONDOL_NEXT_EDITS": given}
                clients[name] = servers.enter_context(_serving(command, corpus, there))
            found["keys"] = {name: times.as_dict() for name, times in _keys(clients, corpus).items()}
    return {name: {"lines": lines, **times, "machine": made_on()} for name, times in found.items()}


def processor_time(pid: int) -> float:
    """Return the seconds of processor time of a process, of its ended threads too, to the nanosecond (Linux)."""
    return time.clock_gettime(~pid << 3 | 2)


@dataclass
class _Times:
    """Seconds to each answer, and the processor time that the server spent for it."""

    spent: list[float] = field(default_factory=list)
    used: list[float] = field(default_factory=list)

    def as_dict(self) -> dict[str, Any]:
        """Return quantiles of both in milliseconds."""
        return {"ms": quantiles(self.spent), "processor_ms": quantiles(self.used)}


class _Document:
    """A file of the corpus, open in the editor, or some after each other as one."""

    def __init__(self, client: Client, uri: str, lines: list[str]) -> None:
        self.client, self.uri, self.lines, self.version = client, uri, lines, 1
        client.open(uri, "\n".join(lines))

    def put(self, line: int, new: str) -> None:
        """Replace a line."""
        self.version += 1
        self.client.change(self.uri, self.version, edit(line, 0, new, end=(line, len(self.lines[line]))))
        self.lines[line] = new

    def timed(self, line: int, times: _Times) -> list[dict[str, Any]]:
        """Ask for the next edit behind an edit of a line; return the offers."""
        document = {"uri": self.uri, "version": self.version}
        began, used = time.perf_counter(), processor_time(self.client.process.pid)
        place = {"textDocument": document, "position": {"line": line, "character": 0}}
        offers = self.client.request("textDocument/copilotInlineEdit", place)["edits"]
        times.spent.append(time.perf_counter() - began)
        times.used.append(processor_time(self.client.process.pid) - used)
        return offers

    def typed(self, line: int, key: str, times: _Times) -> None:
        """Type a key at the end of a line, ask for a completion, and wait for the answer."""
        column = len(self.lines[line])
        began, used = time.perf_counter(), processor_time(self.client.process.pid)
        self.version += 1
        self.client.change(self.uri, self.version, edit(line, column, key))
        self.lines[line] += key
        self.client.wait(self.client.ask(self.uri, line, column + 1, automatic=True))
        times.spent.append(time.perf_counter() - began)
        times.used.append(processor_time(self.client.process.pid) - used)

    def close(self) -> None:
        """Close it again."""
        self.client.notify("textDocument/didClose", {"textDocument": {"uri": self.uri}})


def _calls(lines: list[str]) -> dict[str, list[int]]:
    """The lines with a call on them, by the function's name; each line once, the closing bracket at its end."""
    found: dict[str, list[int]] = {}
    for number, line in enumerate(lines):
        if line.endswith(")") and (name := re.match(r"\s*(?:\w+ = )?([\w.]{4,})\([^()]+\)$", line)):
            found.setdefault(name[1], []).append(number)
    return found


@contextmanager
def _serving(command: list[str], folder: Path, given: dict[str, str] | None = None) -> Iterator[Client]:
    """A server with next edits in a folder whose index is there."""
    with Client(command, env=environment(given)) as client:
        client.initialize([folder], encodings=["utf-32"], options={"nextEdits": True})
        client.wait_state("ready", 300)
        yield client


def _in_document(ondol: Path, corpus: Path) -> dict[str, Any]:
    """Two calls of a function get another argument, in a document of 10,000 lines; then the third is asked for."""
    times, first, offered = _Times(), _Times(), 0
    lines = [
        line for path in source_files(corpus, 200, SEED) if path.suffix == ".py" for line in text_of(path).split("\n")
    ]
    with tempfile.TemporaryDirectory(prefix="edits-") as work:
        folder, data = Path(work).resolve() / "alone", Path(work) / "data"
        folder.mkdir()
        (folder / "all.py").write_text("\n".join(lines[:LINES]), "utf-8")
        subprocess.run([ondol, "index", folder, "--data-dir", data], capture_output=True, check=True)
        with _serving([str(ondol), "serve", "--stdio", "--data-dir", str(data)], folder) as client:
            document = _Document(client, (folder / "all.py").as_uri(), lines[:LINES])
            names = [name for name, places in sorted(_calls(document.lines).items()) if 3 <= len(places) <= 40]
            for number, name in enumerate(names[: FIRST + ROUNDS]):
                time.sleep(TYPED_S)
                for line in _calls(document.lines)[name][:2]:
                    document.put(line, f"{document.lines[line][:-1]}, more=0)")
                offered += bool(document.timed(line, first if number < FIRST else times))
    return {**times.as_dict(), "first": first.as_dict(), "offered": offered}


def _in_repository(client: Client, corpus: Path) -> dict[str, Any]:
    """All calls of a function in a file get another argument; then other files of the repository are searched.

    Times at which the document has an offer of its own do not count.
    """
    files = [path for path in source_files(corpus, 4_000, SEED) if path.suffix == ".py"]
    calls = {path: _calls(text_of(path).split("\n")) for path in files}
    used = Counter(name for one in calls.values() for name in one)
    times, offered, of_document = _Times(), 0, 0
    for path, one in calls.items():
        names = [name for name, places in one.items() if 2 <= len(places) <= 4 and 1 < used[name] <= 20]
        if len(times.spent) == ROUNDS or not names:
            continue
        document = _Document(client, path.as_uri(), text_of(path).split("\n"))
        time.sleep(TYPED_S)
        for line in one[names[0]]:
            document.put(line, f"{document.lines[line][:-1]}, more=0)")
        offers = document.timed(line, times)
        if offers and offers[0]["textDocument"]["uri"] == document.uri:
            of_document += 1
            times.spent.pop()
            times.used.pop()
        offered += bool(offers) and offers[0]["textDocument"]["uri"] != document.uri
        document.close()
    return {**times.as_dict(), "offered_in_another_file": offered, "offered_in_the_document": of_document}


def _keys(clients: dict[str, Client], corpus: Path) -> dict[str, _Times]:
    """Type the same keys with each server in turn, in bursts, and time each answer.

    Before each burst there is a pause in which the server looks for a next edit.
    """
    path = next(
        path for path in source_files(corpus, 200, SEED) if path.suffix == ".py" and path.stat().st_size > 50_000
    )
    lines = text_of(path).split("\n")
    documents = {name: _Document(client, path.as_uri(), list(lines)) for name, client in clients.items()}
    found = {name: _Times() for name in clients}
    rows = [n for n, line in enumerate(lines) if BURST + 10 < len(line) < 90 and line.isascii()]
    for number, row in enumerate(rows[:: max(1, len(rows) * BURST // KEYS)]):
        for name in sorted(clients, reverse=bool(number % 2)):
            documents[name].put(row, lines[row][:10])
            time.sleep(PAUSE_S)
            for key in lines[row][10 : 10 + BURST]:
                documents[name].typed(row, key, found[name])
    return found


def speed_table(found: dict[str, Any]) -> str:
    """Return the times as a Markdown table."""
    rows = {
        f"the next place in a document of {LINES:,} lines": found["document"],
        f"the search of a repository of {found['repository']['lines']:,} lines": found["repository"],
        "a key with next edits": found["keys"]["with"],
        "a key without": found["keys"]["without"],
    }
    lines = ["| milliseconds | times | median | p95 | processor: median | p95 |", "|---" * 6 + "|"]
    for name, one in rows.items():
        cells = [one[part][at] for part in ("ms", "processor_ms") for at in ("p50", "p95")]
        lines.append(f"| {name} | {one['ms']['n']} | {' | '.join(f'{cell:.0f}' for cell in cells)} |")
    return "\n".join(lines)


def save(found: dict[str, Any]) -> None:
    """Write everything that was measured."""
    RESULTS.write_text(json.dumps(found, indent=1) + "\n", "utf-8")


def main() -> None:
    """Time next edits."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--parts", nargs="*", choices=PARTS, default=PARTS, help="of the times; others stay")
    parser.add_argument("--corpus", type=Path, help="keep the corpus in this folder, or use the one that is there")
    parser.add_argument("--data", type=Path, help="keep the index in this folder, or use the one that is there")
    parser.add_argument("--lines", type=int, default=1_000_000, help="lines of the corpus")
    parser.add_argument("--ondol", type=Path, default=Path(sys.executable).with_name("ondol"))
    options = parser.parse_args()
    found: dict[str, Any] = json.loads(RESULTS.read_text("utf-8")) if RESULTS.exists() else {}
    found.setdefault("speed", {})
    with tempfile.TemporaryDirectory(prefix="edits-") as work:
        corpus = options.corpus or Path(work) / "corpus"
        if not corpus.exists():
            make_corpus(corpus, options.lines)
        data = (options.data or Path(work) / "data").absolute()
        found["speed"] |= speed(options.ondol, corpus.resolve(), data, options.parts)
    print(json.dumps(found["speed"]))
    save(found)
    put_into(PAGE, speed_table(found["speed"]), BEGIN)


if __name__ == "__main__":
    main()
