"""Runs the language server for a while as an editor would, and looks for faults, stale answers and what grows.

    python benchmarks/soak.py --minutes 120 --repo ~/product --out benchmarks/results/soak.json

It works in a copy of the repository: thirty documents are typed in, saved, closed and opened again; files come, go and
change their names; branches are switched; a second folder is opened and closed. Half of the changes are reported as an
editor with a file watcher does, the others must be noticed. A file with words of its own shows whether answers follow:
``stale`` counts answers with the words of a file whose deletion was reported before, ``late`` changes that no answer
followed in time. Resident memory and open descriptors are sampled all the time. The exit code is 1 if something is
wrong.
"""

import argparse
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from bench_server import resident, server, source_files
from made_on import made_on

from lsp_server.commands.lsp_client import Client, edit

DOCUMENTS = 30
SAMPLE_S = 10.0
SETTLED_S = 1800.0
LATE_S = 60.0
"""A change that no answer follows after this time counts as late; long, because other work may load the machine."""


@dataclass
class Seen:
    """What happened.

    :ivar follow: seconds from a change on disk to the first answer that knows it.
    :ivar samples: seconds since the start, resident memory in MB, that of it which is no file, open descriptors.
    """

    requests: int = 0
    answers: int = 0
    errors: int = 0
    stale: int = 0
    late: int = 0
    late_changes: list[str] = field(default_factory=list)
    actions: dict[str, int] = field(default_factory=dict)
    follow: list[float] = field(default_factory=list)
    samples: list[tuple[float, float, float, int]] = field(default_factory=list)


def git(root: Path, *arguments: str) -> None:
    """Run git in the copy."""
    named = ["-c", "user.name=A", "-c", "user.email=a@a.invalid", "-c", "commit.gpgsign=false"]
    subprocess.run(["git", *named, *arguments], cwd=root, check=True, capture_output=True)


class Soak:
    """One server, its editor, and the copy of a repository."""

    def __init__(self, root: Path, second: Path, client: Client, seed: int) -> None:
        self.root, self.second, self.client = root, second, client
        self.random = random.Random(seed)
        self.seen = Seen()
        self.texts: dict[Path, str] = {}
        self.versions: dict[Path, int] = {}
        self.marks = 0
        self.with_second = False
        self.said: list[str] = []

    # Documents

    def open(self, path: Path) -> None:
        """Open a file of the copy."""
        self.texts[path] = path.read_text("utf-8", "replace")
        self.versions[path] = 1
        self.client.open(path.as_uri(), self.texts[path], "python")

    def close(self, path: Path) -> None:
        """Close it again."""
        self.client.notify("textDocument/didClose", {"textDocument": {"uri": path.as_uri()}})
        del self.texts[path]

    def type(self) -> None:
        """Type a line that stands elsewhere in a document again, and ask at each key."""
        path = self.random.choice(list(self.texts))
        lines = self.texts[path].split("\n")
        line, wanted = self.random.randrange(len(lines)), self.random.choice(lines).strip()[:20]
        for at, character in enumerate("\n" + wanted):
            row, column = (line, len(lines[line].rstrip("\r"))) if at == 0 else (line + 1, at - 1)
            self.versions[path] += 1
            self.client.change(path.as_uri(), self.versions[path], edit(row, column, character))
            if at:
                self.ask(path, row, column + 1)
        lines.insert(line + 1, wanted)
        self.texts[path] = "\n".join(lines)

    def ask(self, path: Path, line: int, column: int, *, automatic: bool = True) -> list[Any]:
        """Ask for a completion and count its result."""
        self.seen.requests += 1
        reply = self.client.wait(self.client.ask(path.as_uri(), line, column, automatic=automatic))
        self.seen.errors += "error" in reply
        items: list[Any] = (reply.get("result") or {}).get("items", [])
        self.seen.answers += bool(items)
        return items

    def save(self) -> None:
        """Write a document to disk as it is."""
        path = self.random.choice(list(self.texts))
        path.write_text(self.texts[path], "utf-8")
        self.client.notify("textDocument/didSave", {"textDocument": {"uri": path.as_uri()}})

    def reopen(self) -> None:
        """Close a document and open it again."""
        path = self.random.choice(list(self.texts))
        self.close(path)
        self.open(path)

    # Files

    def offered(self, mark: str) -> bool:
        """Whether the words of a file with words of its own are offered after the first of them."""
        path, begun = self.root / "soak_question.py", f"    return {mark}_"
        self.client.open(path.as_uri(), f"def soak_{mark}(amount):\n{begun}")
        items = self.ask(path, 1, len(begun), automatic=False)
        self.client.notify("textDocument/didClose", {"textDocument": {"uri": path.as_uri()}})
        self.said = [item["insertText"] for item in items]
        return any("register" in item["insertText"] for item in items)

    def until(self, mark: str, offered: bool) -> None:
        """Wait until answers know a change; note how long that took."""
        began = time.monotonic()
        while self.offered(mark) != offered:
            if time.monotonic() - began > LATE_S:
                self.seen.late += 1
                state = self.client.of("ondol/status")[-1]["message"]
                self.seen.late_changes.append(f"{mark}, offered before: {not offered}; {state}; {self.said}")
                return
            time.sleep(0.1)
        self.seen.follow.append(round(time.monotonic() - began, 2))

    def files(self) -> None:
        """Make a file, give it another name, delete it."""
        self.marks += 1
        mark = "".join(self.random.choice("bdfgklmnprst") + self.random.choice("aeiou") for _ in range(4))
        reported = self.random.random() < 0.5
        first, then = (self.root / f"soak_{self.marks}_{name}.py" for name in ("a", "b"))
        first.write_text(f"def soak_{mark}(amount):\n    return {mark}_register.append(amount, {self.marks})\n")
        self.tell(reported, (first, 1))
        self.until(mark, offered=True)
        first.rename(then)
        self.tell(reported, (first, 3), (then, 1))
        self.until(mark, offered=True)
        then.unlink()
        self.tell(reported, (then, 3))
        if reported and self.offered(mark):
            self.seen.stale += 1
        self.until(mark, offered=False)

    def tell(self, reported: bool, *events: tuple[Path, int]) -> None:
        """Report changes of files as an editor does, or do not."""
        if reported:
            changes = [{"uri": path.as_uri(), "type": kind} for path, kind in events]
            self.client.notify("workspace/didChangeWatchedFiles", {"changes": changes})

    def branch(self) -> None:
        """Commit a file on another branch, and switch back: the file is gone."""
        self.marks += 1
        mark = "".join(self.random.choice("bdfgklmnprst") + self.random.choice("aeiou") for _ in range(4))
        git(self.root, "checkout", "-q", "-f", "-B", "soak-other")
        name = f"soak_branch_{self.marks}.py"
        (self.root / name).write_text(f"def soak_{mark}(amount):\n    return {mark}_register.insert(amount)\n")
        git(self.root, "add", "-A")
        git(self.root, "commit", "-q", "-m", "other")
        self.until(mark, offered=True)
        git(self.root, "checkout", "-q", "-f", "soak-main")
        self.until(mark, offered=False)

    def folder(self) -> None:
        """Open a second folder, or close it."""
        self.with_second = not self.with_second
        one = [{"uri": self.second.as_uri(), "name": "second"}]
        event = {"added": one if self.with_second else [], "removed": [] if self.with_second else one}
        self.client.notify("workspace/didChangeWorkspaceFolders", {"event": event})

    # The run

    def run(self, seconds: float, pause: float) -> None:
        """Do random things for a while, with a pause of some seconds after each."""
        kinds = [self.type] * 20 + [self.save] * 4 + [self.reopen] * 3 + [self.files] * 2 + [self.branch, self.folder]
        began = time.monotonic()
        sampled = -SAMPLE_S
        while (now := time.monotonic() - began) < seconds:
            if now - sampled >= SAMPLE_S:
                sampled = now
                pid = self.client.process.pid
                descriptors = len(os.listdir(f"/proc/{pid}/fd"))  # noqa: PTH208
                all_of, own = (round(resident(pid, name) / 1e6, 1) for name in ("VmRSS", "RssAnon"))
                self.seen.samples.append((round(now, 1), all_of, own, descriptors))
            action = self.random.choice(kinds)
            self.seen.actions[action.__name__] = self.seen.actions.get(action.__name__, 0) + 1
            action()
            time.sleep(pause)


def summary(seen: Seen, status: dict[str, Any]) -> dict[str, Any]:
    """The figures of a run; slopes are of what comes after half an hour, or of the second half of a shorter run."""
    settled = min(SETTLED_S, seen.samples[-1][0] / 2)
    half = [sample for sample in seen.samples if sample[0] >= settled]

    def slope(column: int) -> float:
        times, values = [one[0] for one in half], [one[column] for one in half]
        return round(float(np.polyfit(times, values, 1)[0]) * 3600, 1) if len(half) > 2 else 0.0

    follow = sorted(seen.follow) or [0.0]
    rest = {key: value for key, value in asdict(seen).items() if key not in ("follow", "samples")}
    return {
        **rest,
        "faults": status["faults"],
        "follow_s": {"n": len(seen.follow), "p50": follow[len(follow) // 2], "max": follow[-1]},
        "memory_mb": {"first": seen.samples[0][1], "last": half[-1][1], "slope_per_hour": slope(1)},
        "without_files_mb": {"first": seen.samples[0][2], "last": half[-1][2], "slope_per_hour": slope(2)},
        "descriptors": {"first": seen.samples[0][3], "most": max(one[3] for one in seen.samples), "last": half[-1][3]},
    }


def main() -> None:
    """Read the options, run, and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repo", type=Path, required=True, help="a git repository; it is cloned")
    parser.add_argument("--minutes", type=float, default=120.0)
    parser.add_argument("--pause", type=float, default=1.0, help="seconds between two actions (default 1)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="ondol-soak-") as scratch:
        root, second = Path(scratch) / "copy", Path(scratch) / "second"
        subprocess.run(["git", "clone", "-q", "--shared", str(given.repo), str(root)], check=True)
        git(root, "checkout", "-q", "-B", "soak-main")
        second.mkdir()
        for path in source_files(root, 5, given.seed):
            shutil.copy(path, second)
        with server(Path(scratch) / "data") as client:
            client.initialize([root])
            client.wait_state("ready", 1200)
            soak = Soak(root, second, client, given.seed)
            for path in source_files(root, DOCUMENTS, given.seed):
                soak.open(path)
            soak.run(60 * given.minutes, given.pause)
            found = summary(soak.seen, client.command("ondol.status"))
    wrong = [name for name in ("errors", "stale", "late", "faults") if found[name]]
    result = {
        "minutes": given.minutes,
        "pause_s": given.pause,
        "seed": given.seed,
        **found,
        "wrong": wrong,
        **made_on(),
    }
    if given.out:
        given.out.write_text(json.dumps(result, indent=2) + "\n", "utf-8")
    print(json.dumps(result, indent=2))
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
