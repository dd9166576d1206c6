"""Runs `ondol index` for a repository as a child process, at low priority, and reports its progress.

Indexing is Python on all cores for minutes; in the server's own process it would delay every keystroke. The child ends
with the server, together with the processes that it started. Knows one command line and its lines of progress, nothing
of what an index is.
"""

import asyncio
import contextlib
import dataclasses
import json
import logging
import os
import signal
import subprocess
import sys
import sysconfig
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from indexer.config import ENVIRONMENT_PREFIX, TABLES, Settings

log = logging.getLogger(__name__)

NICENESS = 10
PATIENCE_S = 1.0

# What the console script does, for an interpreter whose scripts were installed elsewhere. -P keeps the working
# directory off the path: it is the user's repository and may hold a package named `indexer`.
_FALLBACK = ("-P", "-c", "from ondol_start import main; main()")


@dataclass(frozen=True, slots=True)
class IndexProgress:
    """The child's progress: a stage in words and, where it is known, a percentage."""

    message: str
    percent: int | None = None


@dataclass(slots=True)
class IndexOutcome:
    """How the child ended.

    :param code: its exit code.
    :param said: its last line on stderr.
    :param report: what it did, as ``ondol index --json`` prints it.
    """

    code: int
    said: str = ""
    report: dict[str, Any] = field(default_factory=dict)


def console_script() -> list[str]:
    """The command that starts Ondol: the script next to this interpreter, else the interpreter itself."""
    name = "ondol.exe" if os.name == "nt" else "ondol"
    for folder in (Path(sys.executable).parent, Path(sysconfig.get_path("scripts"))):
        if (folder / name).is_file():
            return [str(folder / name)]
    return [sys.executable, *_FALLBACK]


def environment(settings: Settings) -> dict[str, str]:
    """This process's environment with every setting that differs from its default, for a child with equal settings."""
    values = {key: value for key, value in os.environ.items() if not key.startswith(ENVIRONMENT_PREFIX)}
    plain = Settings()
    for setting in dataclasses.fields(settings):
        if setting.name in TABLES:
            continue  # no table concerns the index
        value = getattr(settings, setting.name)
        if value == getattr(plain, setting.name) and setting.name != "data_dir":
            continue
        text = "\n".join(value) if isinstance(value, tuple) else str(value)
        values[ENVIRONMENT_PREFIX + setting.name.upper()] = text
    return values


class IndexProcess:
    """One child. ``outcome`` is set when it has ended.

    :param report: called on the loop for every step of progress.
    :param full: build from nothing, for a damaged index.
    """

    def __init__(self, root: Path, settings: Settings, report: Callable[[IndexProgress], None], *, full: bool = False):
        self._loop = asyncio.get_running_loop()
        self._report = report
        self.outcome: asyncio.Future[IndexOutcome] = self._loop.create_future()
        command = [*console_script(), "index", str(root), "--progress-json"] + (["--full"] if full else [])
        below: dict[str, Any] = {"start_new_session": True}
        if os.name == "nt":  # pragma: no cover
            below = {"creationflags": subprocess.BELOW_NORMAL_PRIORITY_CLASS}  # type: ignore[attr-defined]
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment(settings),
            cwd=root,
            **below,
        )
        if os.name != "nt":
            with contextlib.suppress(OSError):
                os.setpriority(os.PRIO_PROCESS, self._process.pid, NICENESS)
        threading.Thread(target=self._follow, name="index", daemon=True).start()

    def stop(self) -> None:
        """End the child and what it started: by SIGTERM, and after a second by SIGKILL. Does not wait."""
        if self._process.poll() is None:
            self._signal(signal.SIGTERM)
            threading.Thread(target=self._make_sure, name="index-end", daemon=True).start()

    def kill(self) -> None:
        """End the child and what it started at once, before the server exits."""
        if self._process.poll() is not None:
            return
        self._signal(signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(0.3)
        self._signal(getattr(signal, "SIGKILL", signal.SIGTERM))

    def _make_sure(self) -> None:
        try:
            self._process.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            self._signal(getattr(signal, "SIGKILL", signal.SIGTERM))

    def _signal(self, number: int) -> None:
        with contextlib.suppress(OSError):
            if os.name == "nt":  # pragma: no cover
                self._process.terminate()
            else:
                os.killpg(self._process.pid, number)

    def _follow(self) -> None:
        outcome = IndexOutcome(-1)
        tail: list[bytes] = []
        assert self._process.stdout is not None
        assert self._process.stderr is not None
        errors = threading.Thread(target=_drain, args=(self._process.stderr, tail), daemon=True)
        errors.start()
        for line in self._process.stdout:
            message = _parse(line)
            if message is None:
                continue
            if isinstance(message.get("report"), dict):
                outcome.report = message["report"]
            else:
                progress = IndexProgress(str(message.get("phase", "")), int(message.get("percent", 0)))
                self._call(self._report, progress)
        outcome.code = self._process.wait()
        errors.join(1)
        outcome.said = tail[-1].decode("utf-8", "replace").strip() if tail else ""
        self._call(self._settle, outcome)

    def _settle(self, outcome: IndexOutcome) -> None:
        if not self.outcome.done():
            self.outcome.set_result(outcome)

    def _call(self, function: Callable[[Any], None], argument: Any) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed
            self._loop.call_soon_threadsafe(function, argument)


def _drain(stream: Any, tail: list[bytes]) -> None:
    for line in stream:
        if line.strip():
            tail[:] = [*tail[-5:], line]


def _parse(line: bytes) -> dict[str, Any] | None:
    try:
        message = json.loads(line)
    except ValueError:
        return None
    return message if isinstance(message, dict) else None
