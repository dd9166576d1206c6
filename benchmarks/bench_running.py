"""Times what a running server offers after a file was written, and when it has the index of the update.

    python benchmarks/bench_running.py --repo ~/product --data DIR [--out FILE]

The data folder has to hold the repository's index; the server updates it as in an editor. The editor reports the file
that is written, in which a function with new names stands behind the rest, and asks for that function in a new document
again and again: how long until it is offered, until the server has the next generation of the index, how much processor
time it took for all of it, and how long the requests took meanwhile. The file is as it was at the end.
"""

import argparse
import os
import statistics
import time
from pathlib import Path
from typing import Any

from bench_server import SCRIPT
from made_on import made_on, publish

from lsp_server.commands.lsp_client import Client

WATCHES = {"workspace": {"workspaceFolders": True, "didChangeWatchedFiles": {"dynamicRegistration": True}}}
LATE_S = 120.0


def processor_seconds(pid: int) -> float:
    """Return the processor time of a process and of those that it waited for."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")


class Typist:
    """An editor that asks for a function in a document of its own."""

    def __init__(self, client: Client, folder: Path, suffix: str) -> None:
        self._client = client
        self._uri = (folder / f"ask_here{suffix}").as_uri()
        self._open = False
        self.seconds: list[float] = []

    def offers(self, name: str) -> bool:
        """Whether the function's first line is offered."""
        began = time.perf_counter()
        if self._open:
            self._client.notify("textDocument/didClose", {"textDocument": {"uri": self._uri}})
        self._client.open(self._uri, f"int weigh_{name}(int amount, int keeper)\n{{\n\t", "c")
        self._open = True
        found = self._client.complete(self._uri, 2, 1)
        self.seconds.append(time.perf_counter() - began)
        return any(f"{name}_entry" in one["insertText"] for one in found or [])

    def generation(self) -> Any:
        """The generation of the index that the server has."""
        return self._client.of("ondol/status")[-1].get("generation")


def function(name: str) -> str:
    """A function of names that stand nowhere else."""
    lines = f"\t{name}_entry(amount, keeper);\n\treturn {name}_sum(keeper);\n"
    return f"int weigh_{name}(int amount, int keeper)\n{{\n{lines}}}\n"


def wait(done: Any, pause: float) -> float:
    """Return the seconds until ``done`` holds."""
    began = time.perf_counter()
    while not done():
        if time.perf_counter() - began > LATE_S:
            raise TimeoutError("the server did not come to it")
        time.sleep(pause)
    return time.perf_counter() - began


def measure(client: Client, repo: Path, rounds: int) -> list[dict[str, float]]:
    """Write a file and wait for it, some times over."""
    file = max(repo.rglob("*.c"), key=lambda path: (path.stat().st_size < 20_000, path.stat().st_size))
    before = file.read_bytes()
    found = []
    try:
        for number in range(rounds):
            typist = Typist(client, repo, ".c")
            name, generation = f"quartz{number}_{os.getpid()}", typist.generation()
            used = processor_seconds(client.process.pid)
            began = time.perf_counter()
            file.write_bytes(before + function(name).encode())
            change = {"uri": file.as_uri(), "type": 2}
            client.notify("workspace/didChangeWatchedFiles", {"changes": [change]})
            offered = wait(lambda typist=typist, name=name: typist.offers(name), 0.02)
            wait(lambda typist=typist, old=generation: not typist.offers("nothing") and typist.generation() != old, 0.1)
            found.append(
                {
                    "offered_s": round(offered, 2),
                    "new_generation_s": round(time.perf_counter() - began, 2),
                    "processor_s": round(processor_seconds(client.process.pid) - used, 2),
                    "request_p50_ms": round(1e3 * statistics.median(typist.seconds)),
                    "request_max_ms": round(1e3 * max(typist.seconds)),
                }
            )
            time.sleep(4)
    finally:
        file.write_bytes(before)
    return found


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repo", type=Path, required=True, help="A repository with files of C.")
    parser.add_argument("--data", type=Path, required=True, help="The data folder with its index.")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--settle", type=float, default=12, help="Seconds before the first change.")
    parser.add_argument("--out", type=Path, help="Write the results here as well.")
    asked = parser.parse_args()
    made = made_on()
    repo = asked.repo.resolve()
    with Client([str(SCRIPT), "serve"], env={**os.environ, "ONDOL_DATA_DIR": str(asked.data.absolute())}) as client:
        client.initialize([repo], capabilities=WATCHES)
        client.wait_state("ready")
        time.sleep(asked.settle)
        rounds = measure(client, repo, asked.rounds)
    publish({"machine": made, "files": "one of C, reported", "rounds": rounds}, asked.out)


if __name__ == "__main__":
    main()
