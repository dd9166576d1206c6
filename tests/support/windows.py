"""Windows of one user that share an engine: real processes, with their sockets in a folder of the test."""

import contextlib
import os
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.lsp_client import Client, real
from tests.support.waiting import eventually


class Windows:
    """Opens windows whose data are in ``folder``, and knows their engine."""

    def __init__(self, folder: Path, runtime: Path) -> None:
        self.folder, self.runtime = folder, runtime

    def open(self, *arguments: str, **env: str) -> Client:
        """The server of a window, as users start it."""
        given = {"XDG_RUNTIME_DIR": str(self.runtime), **env}
        return real(self.folder, *(arguments or ("--share",)), **given)

    def engines(self) -> list[int]:
        """The processes that serve windows now."""
        found = []
        for path in sorted((self.runtime / "ondol").glob("*.lock")):
            with contextlib.suppress(ValueError, OSError):
                pid = int(path.read_text())
                if "--engine" in Path(f"/proc/{pid}/cmdline").read_text():
                    found.append(pid)
        return found

    def engine(self) -> int:
        """The one engine."""
        (pid,) = self.engines()
        return pid

    def kill(self) -> int:
        """End the engine as a crash does; returns its process."""
        pid = self.engine()
        os.kill(pid, signal.SIGKILL)
        return pid

    def log(self) -> str:
        """What the engines have logged."""
        return (self.folder / "data" / "engine.log").read_text()


@pytest.fixture
def windows(tmp_path: Path) -> Iterator[Windows]:
    """Windows with a folder for sockets whose path is short enough."""
    with tempfile.TemporaryDirectory(prefix="ondol-test-", dir="/tmp") as runtime:
        made = Windows(tmp_path, Path(runtime))
        yield made
        for pid in made.engines():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGTERM)
        eventually(lambda: not made.engines())
