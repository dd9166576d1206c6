"""What a result was measured on: machine, packages, commit, day and load."""

import json
import os
import subprocess
import time
from importlib import metadata
from pathlib import Path
from typing import Any, Final

from finetune.evaluation.machine import machine

HERE: Final = Path(__file__).resolve().parent


def made_on(*packages: str) -> dict[str, Any]:
    """Return the machine, the commit, today's date, the load and the versions of ``packages``.

    The date is part of the result: a clone of the project need not hold the commit that was measured.
    """
    found = {**machine(), "commit": head(HERE), "date": time.strftime("%Y-%m-%d"), "load": load(), "loop_ms": loop_ms()}
    return {**found, "packages": {name: metadata.version(name) for name in packages}} if packages else found


def publish(result: dict[str, Any], out: Path | None) -> None:
    """Print a result, and write it where ``out`` says."""
    text = json.dumps(result, indent=1)
    print(text)
    if out:
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text(text + "\n", encoding="utf-8")


def loop_ms() -> float:
    """Return the processor time of a million additions in Python, in milliseconds; the least of five.

    A shared machine is not equally fast at all times, even when nothing else runs on it.
    """
    times = []
    for _ in range(5):
        began, total = time.process_time(), 0
        for number in range(1_000_000):
            total += number
        times.append(time.process_time() - began)
    return round(1e3 * min(times), 1)


def load() -> list[float]:
    """Return the load averages of one, five and fifteen minutes."""
    return [round(one, 1) for one in os.getloadavg()]


def head(repository: Path) -> str:
    """Return the commit that a repository stands at; nothing outside of one."""
    asked = ["git", "-C", str(repository), "rev-parse", "HEAD"]
    return subprocess.run(asked, capture_output=True, text=True, check=False).stdout.strip()
