"""Times how long answers take to follow a change on disk, in each way in which a folder can belong to git.

    PYTHONPATH=. python benchmarks/bench_freshness.py --repo CLONE --out benchmarks/results/freshness.json

The repository is copied as a clone, as a linked worktree, as a submodule that is opened as a folder, and as a subfolder
that is opened alone. In each, a file with words of its own is made, renamed, deleted, committed, and brought and taken
away by a switch of branches; the server is asked again and again until its answer shows the change. Each change happens
once with an editor that reports it and once without. Seconds depend on what else the machine does: the load is part of
the result, and so is an update alone (``update_alone``), on the clock and of processors, under the same load.
``--load N`` runs N processes that compute meanwhile.
"""

import argparse
import contextlib
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from made_on import load, made_on
from soak import git

from lsp_server.commands.lsp_client import Client
from tests.support import console
from tests.support.lsp_client import explanation, real

KINDS = ("clone", "worktree", "submodule", "subfolder")
WATCHES = {"workspace": {"workspaceFolders": True, "didChangeWatchedFiles": {"dynamicRegistration": True}}}
LATE_S = 60.0


def opened_folder(kind: str, bare: Path, folder: Path) -> tuple[Path, Path]:
    """Make a copy of this kind; return the folder to open and the folder in which files are made."""
    clone = folder / "clone"
    subprocess.run(["git", "clone", "-q", "--shared", str(bare), str(clone)], check=True)
    if kind == "worktree":
        git(clone, "worktree", "add", "-q", "-b", "linked", str(folder / "linked"))
        return folder / "linked", folder / "linked"
    if kind == "submodule":
        outer = folder / "outer"
        subprocess.run(["git", "init", "-q", str(outer)], check=True)
        git(outer, "-c", "protocol.file.allow=always", "submodule", "add", "-q", str(clone), "inner")
        git(outer, "commit", "-q", "-m", "outer")
        return outer / "inner", outer / "inner"
    if kind == "subfolder":
        inner = max((path for path in clone.iterdir() if path.is_dir() and path.name != ".git"), key=size)
        return inner, inner
    return clone, clone


def size(folder: Path) -> int:
    """Return the bytes of the files below a folder."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


class Changes:
    """One server with one folder, and a file that comes and goes."""

    def __init__(self, client: Client, root: Path, place: Path, reports: bool) -> None:
        self.client, self.root, self.place, self.reports = client, root, place, reports
        self.number = 0

    def code(self) -> str:
        """Return a file whose second line no other file has."""
        mark = f"quartz_ledger_{self.number}"
        body = f"    {mark}_entry.append(amount, keeper)\n    return {mark}_total(keeper)\n"
        return f"def weigh_{mark}(amount, keeper):\n{body}"

    def offered(self, said: str = "") -> bool:
        """Whether the second line is offered, and ``said`` stands in the explanation."""
        mark = f"quartz_ledger_{self.number}"
        uri = (self.root / "ask_here.py").as_uri()
        self.client.open(uri, f"def weigh_{mark}(amount, keeper):\n    ")
        items = self.client.complete(uri, 1, 4)
        explained = explanation(self.client) if said else ""
        self.client.notify("textDocument/didClose", {"textDocument": {"uri": uri}})
        return any(f"{mark}_entry" in item["insertText"] for item in items or []) and said in explained

    def tell(self, *events: tuple[Path, int]) -> None:
        """Report changes as an editor does that watches files."""
        if self.reports:
            changes = [{"uri": path.as_uri(), "type": kind} for path, kind in events]
            self.client.notify("workspace/didChangeWatchedFiles", {"changes": changes})

    def until(self, met: Callable[[], bool]) -> float:
        """Return the seconds until an answer shows the change."""
        began = time.monotonic()
        while not met():
            if time.monotonic() - began > LATE_S:
                return LATE_S
            time.sleep(0.02)
        return time.monotonic() - began

    def series(self) -> dict[str, float]:
        """Return the seconds of each change, one after the other."""
        self.number += 1
        file, renamed = (self.place / f"{name}_{self.number}.py" for name in ("first", "renamed"))
        branch = f"side{self.number}{int(self.reports)}"
        times = {}
        file.write_text(self.code())
        self.tell((file, 1))
        times["new"] = self.until(self.offered)
        file.rename(renamed)
        self.tell((file, 3), (renamed, 1))
        times["renamed"] = self.until(lambda: self.offered(renamed.name))
        renamed.unlink()
        self.tell((renamed, 3))
        times["deleted"] = self.until(lambda: not self.offered())
        self.number += 1
        git(self.place, "switch", "-q", "-c", branch)
        file.write_text(self.code())
        git(self.place, "add", "-A", ".")
        git(self.place, "commit", "-q", "-m", "more")
        self.tell((file, 1))
        times["commit"] = self.until(self.offered)
        git(self.place, "switch", "-q", "-")
        self.tell((file, 3))
        times["switch away"] = self.until(lambda: not self.offered())
        git(self.place, "switch", "-q", branch)
        self.tell((file, 1))
        times["switch back"] = self.until(self.offered)
        git(self.place, "switch", "-q", "-")
        self.tell((file, 3))
        self.until(lambda: not self.offered())
        return times


def one_kind(kind: str, bare: Path, repeats: int) -> dict[str, Any]:
    """Return the seconds of each change in a folder of this kind."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        root, place = opened_folder(kind, bare, folder)
        report = json.loads(console.printed(folder, "index", str(root), "--json"))
        found: dict[str, Any] = {"lines": report["lines"], "files": report["files"]}
        for reports in (True, False):
            times: dict[str, list[float]] = {}
            with real(folder) as client:
                client.initialize([root], capabilities=WATCHES if reports else None)
                client.wait_state("ready")
                changes = Changes(client, root, place, reports)
                changes.number = 100 * int(reports)
                for _ in range(repeats):
                    for change, seconds in changes.series().items():
                        times.setdefault(change, []).append(round(seconds, 2))
            rows = {change: {"median": statistics.median(all_of), "all": all_of} for change, all_of in times.items()}
            found["reported" if reports else "noticed"] = rows
        (place / "alone.py").write_text("alone = 1\n")
        found["update_alone"] = timed(lambda: console.printed(folder, "index", str(root)))
        return found


def timed(work: Callable[[], object]) -> dict[str, float]:
    """Return the seconds that a child process takes, on the clock and of processors."""
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    work()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {"seconds": round(time.monotonic() - began, 2), "processor_seconds": round(used, 2)}


@contextlib.contextmanager
def loaded(count: int) -> Iterator[None]:
    """Run processes that compute at normal priority."""
    running = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(count)]
    try:
        yield
    finally:
        for process in running:
            process.kill()


def main() -> None:
    """Run all kinds and write the result."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repo", type=Path, required=True, help="a clone of a repository of 100,000 lines or more")
    parser.add_argument("--kinds", nargs="*", default=KINDS, choices=KINDS)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--load", type=int, default=0, help="processes that compute meanwhile")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    result: dict[str, Any] = {
        "machine": made_on(),
        "repository": options.repo.parent.name,
        "load_processes": options.load,
    }
    result["load_before"] = load()
    with loaded(options.load):
        for kind in options.kinds:
            result[kind] = one_kind(kind, options.repo.resolve(), options.repeats)
            print(json.dumps({kind: result[kind]}, indent=1), flush=True)
    result["load_after"] = load()
    if options.out:
        options.out.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
