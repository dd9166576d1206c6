"""Measures how long each page of ``ondol dashboard`` takes with many versions, many events and a large index.

    python benchmarks/bench_dashboard.py [REPOSITORY] [--versions 100] [--events 100000] [--lines 1000000] [--out FILE]

REPOSITORY is any folder; without it, the corpus of ``bench_index.py`` is made, with that many lines. Its index is built
in a temporary data folder, to which versions, nightly reports and events of half a year are added. The pages come over
HTTP from the real command; each is asked for three times, and the first and the median time are written down, with the
processor time of the first and the bytes of the page. ``--keep`` serves them until it is ended.
"""

import argparse
import http.client
import json
import os
import random
import re
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from bench_index import make_corpus
from made_on import made_on

from finetune.nightly.promotion import BASE, CANDIDATE, CURRENT
from indexer.config import Settings
from indexer.data_layout import (
    STATS,
    index_directory,
    nightly_reports_directory,
    records_file,
    registry_directory,
)
from indexer.repository import git
from indexer.storage.generations import Store
from lsp_server.server.index_process import console_script

PORT = 18_642
LANGUAGES = ("python", "systemverilog", "c", "go")


def estimate(rng: random.Random, value: float, width: float) -> dict[str, float]:
    """A figure with an interval."""
    return {
        "value": value,
        "low": value - rng.uniform(0.5, 1) * width,
        "high": value + rng.uniform(0.5, 1) * width,
        "count": 400,
    }


def add_versions(registry: Path, reports: Path, count: int, rng: random.Random) -> None:
    """Write manifests and nightly reports of a series of versions, one a night; every third was promoted."""
    reports.mkdir(parents=True, exist_ok=True)
    history, gain = [], 0.0
    for number in range(1, count + 1):
        made = (datetime.now(UTC) - timedelta(days=count - number)).isoformat(timespec="seconds")
        gain += rng.uniform(-0.004, 0.008)
        exact = estimate(rng, 0.2 + gain, 0.03)
        gains = {BASE: estimate(rng, gain, 0.02), CURRENT: estimate(rng, rng.uniform(-0.01, 0.01), 0.015)}
        good = number % 3 == 0
        record = {
            "format": 1,
            "version": number,
            "made": made,
            "base": {"name": "granite-3b-code-base-2k", "identity": "x"},
            "commits": {"count": rng.randrange(20, 200), "newest": "0" * 40},
            "dataset": {"samples": rng.randrange(500, 5000)},
            "training": {"loss_first": 1.4, "loss_last": rng.uniform(0.7, 1.0), "steps": 300},
            "settings": {"training": {"rank": 16, "learning_rate": 0.0002, "epochs": 1.0}},
            "metrics": {
                "systems": {CANDIDATE: {"exact": exact}, BASE: {"exact": estimate(rng, 0.2, 0.03)}},
                "gains": gains,
                "languages": {BASE: {name: estimate(rng, gain, 0.05) for name in LANGUAGES}},
            },
            "verdict": "promoted" if good else "kept back",
            "files": {},
        }
        folder = registry / "versions" / str(number)
        folder.mkdir(parents=True)
        (folder / "manifest.json").write_text(json.dumps(record))
        history += [{"what": "added", "version": number, "at": made}]
        history += [{"what": "promoted", "version": number, "at": made}] if good else []
        figures = {name: {"overall": {"exact": one["exact"]}} for name, one in record["metrics"]["systems"].items()}
        run = {
            "made": made,
            "status": record["verdict"],
            "summary": "210 commits, 1,940 samples",
            "replay": {"systems": figures},
        }
        (reports / f"{number:04}.json").write_text(json.dumps(run))
    (registry / "history.json").write_text(json.dumps(history))
    (registry / "current").write_text(f"{3 * (count // 3)}\n")


def events(count: int, rng: random.Random) -> str:
    """Records of shown, accepted and kept texts over the last 180 days, as JSON lines."""
    start, lines = time.time() - 180 * 86_400, []
    for number in range(count // 2):
        at = round(start + 180 * 86_400 * number / (count // 2), 1)
        facts = {
            "id": f"{number:x}",
            "language": rng.choice(LANGUAGES),
            "engine": rng.choice(("retrieval", "retrieval", "model")),
        }
        lines.append({"time": at, "event": "shown", **facts, "characters": 24, "lines": 1})
        taken = rng.random() < 0.55 + 0.15 * number / count
        lines.append({"time": at + 1, "event": "accepted" if taken else "dismissed", **facts, "characters": 24})
        if taken and number % 5 == 0:
            lines[-2:] = [
                lines[-1],
                {
                    "time": at + 300,
                    "event": "retained",
                    **facts,
                    "after": 300,
                    "kept": rng.random() ** 0.2,
                    "similarity": 1.0,
                },
            ]
    return "".join(json.dumps(line, separators=(",", ":")) + "\n" for line in lines)


class Browser:
    """Asks the dashboard for pages, with its cookie."""

    def __init__(self, token: str) -> None:
        self._cookie = f"ondol-{PORT}={token}"

    def get(self, path: str) -> tuple[float, int]:
        """Return the seconds and the bytes of a page."""
        began = time.perf_counter()
        connection = http.client.HTTPConnection("127.0.0.1", PORT, timeout=120)
        connection.request("GET", path, headers={"Cookie": self._cookie})
        answer = connection.getresponse()
        body = answer.read()
        connection.close()
        if answer.status != 200:
            raise SystemExit(f"{path}: {answer.status} {body[:200]!r}")
        return time.perf_counter() - began, len(body)


def measured(browser: Browser, path: str, process: int) -> dict[str, float]:
    """Ask three times for a page; ``cpu_s`` is the processor time of the server for the first of them."""
    before = _processor_seconds(process)
    first, size = browser.get(path)
    spent = _processor_seconds(process) - before
    times = [first, *(browser.get(path)[0] for _ in range(2))]
    median = round(statistics.median(times), 3)
    return {"first_s": round(times[0], 3), "median_s": median, "cpu_s": round(spent, 2), "bytes": size}


def _processor_seconds(process: int) -> float:
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def pages(versions: int, file: str) -> dict[str, str]:
    """The pages that are measured, by name."""
    return {
        "overview": "/",
        "use": "/use",
        "use of one language": "/use?language=python&engine=all",
        "search": "/search?text=read+the+header",
        "playground": f"/playground?file={file}&line=20",
        "index": "/index",
        "nights": "/nights",
        "models": "/models",
        "models compared": f"/models?a={versions}&b={versions - 1}",
        "question": f"/models?ask=promote&version={versions - 1}",
        "replay": "/replay",
    }


def main() -> None:
    """Build the data, serve it and measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("repository", type=Path, nargs="?")
    parser.add_argument("--lines", type=int, default=1_000_000)
    parser.add_argument("--versions", type=int, default=100)
    parser.add_argument("--events", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--data-dir", type=Path, help="keep the data here and use an index that is there already")
    parser.add_argument("--keep", action="store_true", help="serve the pages until it is ended")
    parser.add_argument("--out", type=Path)
    asked = parser.parse_args()
    rng = random.Random(asked.seed)
    with tempfile.TemporaryDirectory() as folder:
        root = git.find_root(asked.repository or _corpus(Path(folder) / "corpus", asked.lines))
        data = (asked.data_dir or Path(folder) / "data").absolute()
        settings = Settings(data_dir=data)
        store = Store(index_directory(settings, root))
        if not (store.directory / "CURRENT").exists():
            subprocess.run([*console_script(), "index", root, "--data-dir", data, "--quiet"], check=True)
        counts = store.manifest().counts
        registry = registry_directory(settings, root)
        if not (registry / "versions").exists():
            add_versions(registry, nightly_reports_directory(settings, root), asked.versions, rng)
            records_file(settings, root, STATS).write_text(events(asked.events, rng))
        command = [*console_script(), "dashboard", root, "--port", str(PORT), "--data-dir", data]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            try:
                assert process.stdout is not None
                address = process.stdout.readline().strip()
                found = re.search(r"token=(\S+)", address)
                assert found
                browser = Browser(found[1])
                _wait(browser, process)
                files = sorted(str(path.relative_to(root)) for path in root.rglob("*") if path.is_file())
                file = next(path for path in files if re.search(r"\.(py|go|c|sv|java)$", path))
                result = {
                    name: measured(browser, path, process.pid) for name, path in pages(asked.versions, file).items()
                }
                document: dict[str, Any] = {"asked": {"versions": asked.versions, "events": asked.events}, **made_on()}
                document |= {
                    "index": {key: counts[key] for key in ("documents", "lines") if key in counts},
                    "pages": result,
                }
                print(json.dumps(document, indent=1))
                if asked.out:
                    asked.out.write_text(json.dumps(document, indent=1) + "\n")
                if asked.keep:
                    print(address, flush=True)
                    process.wait()
            finally:
                process.terminate()


def _corpus(target: Path, lines: int) -> Path:
    """Make the corpus of the benchmark of the index, as a repository."""
    make_corpus(target, lines)
    subprocess.run(["git", "init", "-q", target], check=True)
    return target


def _wait(browser: Browser, process: "subprocess.Popen[str]") -> None:
    for _ in range(240):
        try:
            browser.get("/replay")
            return
        except OSError:
            if process.poll() is not None:
                sys.exit("the dashboard has ended")
            time.sleep(0.25)


if __name__ == "__main__":
    main()
