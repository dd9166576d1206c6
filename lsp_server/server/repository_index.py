"""Keeps the index of one repository open and up to date while the server runs.

The index is opened in the background. A new generation is noticed by its pointer file, another commit by git's files;
saved files and commits start `ondol index` as a child process. Knows no protocol and no engine.
"""

import asyncio
import contextlib
import logging
import time
from pathlib import Path
from typing import Any, Final, Protocol

from indexer.config import Settings
from indexer.data_layout import index_pointer_file
from indexer.errors import IndexDamaged, IndexMissing, Locked, OndolError
from lsp_server.server.engine_thread import background
from lsp_server.server.factories import Factories
from lsp_server.server.host import Host, SessionState
from lsp_server.server.index_process import IndexOutcome, IndexProcess, IndexProgress
from lsp_server.server.logs import describe
from lsp_server.server.tasks import Tasks

log = logging.getLogger(__name__)

CHECK_EVERY_S: Final = 1.0
AFTER_SAVE_S: Final = 1.0
AFTER_START_S: Final = 3.0
BUSY_S: Final = 20.0
LONGEST_WAIT_S: Final = 60.0


class IndexUser(Protocol):
    """The session that uses an index."""

    @property
    def settings(self) -> Settings:
        """The settings that hold now."""
        ...

    @property
    def state(self) -> SessionState:
        """The state that was reported last."""
        ...

    def use_index(self, index: Any) -> None:
        """Take an index that was opened; called on a background thread."""

    def report(self, state: SessionState, *, message: bool = False) -> None:
        """Take a new state, and show the user its message if ``message`` is true."""


class RepositoryIndex:
    """The index of the repository at ``root``. Lives on the loop."""

    def __init__(self, root: Path, user: IndexUser, host: Host, factories: Factories, tasks: Tasks) -> None:
        self.opened: Any = None
        self._root, self._name = root, root.name
        self._user, self._host, self._factories, self._tasks = user, host, factories, tasks
        self._process: IndexProcess | None = None
        self._again: bool | None = None  # whether another run is due, and whether from nothing
        self._timer: asyncio.TimerHandle | None = None
        self._stamp: tuple[int, ...] = ()
        self._head: tuple[int, ...] = ()
        self._checked = 0.0
        self._update_took = 0.0
        self._directory: Path | None = None
        self._closed = False

    async def start(self) -> None:
        """Open the index, and update it a little later."""
        self._head = self._head_stamp()
        await self._open()
        if self.opened is not None:
            self.update_soon(AFTER_START_S)

    def close(self) -> None:
        """Stop the child and the timer; call before the process ends."""
        self._closed = True
        if self._timer is not None:
            self._timer.cancel()
        if self._process is not None:
            self._process.kill()

    def check(self, now: float) -> None:
        """Notice a new generation or another commit checked out; cheap, at most once a second."""
        if self._closed or now - self._checked < CHECK_EVERY_S:
            return
        self._checked = now
        if self._process is None:
            head = self._head_stamp()
            if head != self._head:
                self._head = head
                self.update_soon()
        if self._current_stamp() != self._stamp:
            self._tasks.start(self._open_again())

    def update_soon(self, seconds: float = AFTER_SAVE_S) -> None:
        """Update the index once nothing was saved for a while.

        The wait is at least three times as long as the last update took, so that editors which save at every pause do
        not keep a core busy. Open documents are searchable without an update.
        """
        if self._closed:
            return
        seconds = max(seconds, min(3 * self._update_took, LONGEST_WAIT_S))
        if self._timer is not None:
            self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_later(seconds, self.update)

    def update(self, *, full: bool = False) -> None:
        """Build or update the index in a child process, one at a time.

        :param full: build from nothing.
        """
        if self._closed:
            return
        if self._process is not None:
            self._again = bool(self._again) or full
            return
        first = self.opened is None
        if first:
            self._user.report(SessionState("indexing", f"indexing {self._name}", 0))
        token = f"ondol-index-{id(self):x}"
        try:
            self._process = self._factories.index_process(
                self._root, self._user.settings, lambda p: self._show(p, token, first), full=full
            )
        except OSError as error:
            self._user.report(SessionState("problem", f"indexing could not start ({error.strerror})"), message=True)
            return
        self._tasks.start(self._finish(self._process, token, first))

    # Opening

    async def _open(self) -> None:
        settings = self._user.settings
        self._stamp = self._current_stamp()

        def work() -> Any:
            index = self._factories.open_index(settings, self._root)
            self._user.use_index(index)
            _load_secret_rules()
            return index

        try:
            self.opened = await background(work, "index-open")
        except IndexMissing:
            self._missing()
        except IndexDamaged as error:
            log.warning("damaged index: %s", error)
            self._host.show_message(f"Ondol's index of {self._name} is damaged and is being rebuilt.")
            self.update(full=True)
        except Exception as error:
            log.error("the index was not opened: %s", describe(error))
            said = str(error) if isinstance(error, OndolError) else f"{type(error).__name__}, see the log"
            problem = SessionState("problem", f"the index of {self._name} cannot be used: {said}")
            self._user.report(problem, message=True)
        else:
            self._ready()

    async def _open_again(self) -> None:
        if self._current_stamp() != self._stamp and self._process is None:
            await self._open()

    def _missing(self) -> None:
        if self._too_wide():
            message = f"{self._name} is not a project, so it is not indexed; completing from open files"
            self._user.report(SessionState("ready", message))
            return
        self._host.show_message(
            f"Ondol is indexing {self._name} for the first time; until then it completes from open files."
        )
        self.update()

    def _too_wide(self) -> bool:
        """Whether the folder is the file system's root or the user's home without being a repository."""
        from indexer.repository import git

        wide = self._root == Path(self._root.anchor) or self._root == Path.home()
        return wide and not git.is_repository(self._root)

    def _ready(self) -> None:
        count, generation = len(self.opened.documents), self.opened.generation
        message = f"{self._name}: {count:,} files indexed"
        self._user.report(SessionState("ready", message, documents=count, generation=generation))
        if self.opened.problem:
            self._host.show_message(f"Ondol: {self.opened.problem}", problem=True)

    # Running the child

    def _show(self, progress: IndexProgress, token: str, first: bool) -> None:
        if first:
            message = f"indexing {self._name}: {progress.message}"
            self._user.report(SessionState("indexing", message, progress.percent))
            self._host.show_progress(token, f"Ondol: indexing {self._name}", progress)

    async def _finish(self, process: IndexProcess, token: str, first: bool) -> None:
        began = time.monotonic()
        outcome = await process.outcome
        self._process = None
        if not first:
            self._update_took = time.monotonic() - began
        if first:
            self._host.show_progress(token, "", None)
        if self._closed:
            return
        if outcome.code == 0:
            if self.opened is None or self._current_stamp() != self._stamp:
                await self._open()
            elif self._user.state.name != "ready":
                self._ready()
        else:
            self._failed(outcome)
        again, self._again = self._again, None
        if again is not None:
            self.update(full=again)

    def _failed(self, outcome: IndexOutcome) -> None:
        log.warning("indexing ended with %d: %s", outcome.code, outcome.said)
        if outcome.code == Locked.exit_code:
            if self.opened is None:
                message = f"{self._name} is being indexed by another Ondol process"
                self._user.report(SessionState("indexing", message))
            self.update_soon(BUSY_S)
            return
        said = outcome.said or f"it ended with {outcome.code}"
        self._user.report(SessionState("problem", f"the index of {self._name} is not up to date: {said}"), message=True)

    # Stamps of files, which change when the files do

    def _current_stamp(self) -> tuple[int, ...]:
        settings = self._user.settings
        with contextlib.suppress(OSError, OndolError):
            if self._directory is None or settings.data_dir not in self._directory.parents:
                self._directory = self._factories.index_directory(settings, self._root)
            found = index_pointer_file(self._directory).stat()
            return (found.st_mtime_ns, found.st_ino, found.st_size)
        return ()

    def _head_stamp(self) -> tuple[int, ...]:
        stamps = []
        for name in ("HEAD", "logs/HEAD"):
            with contextlib.suppress(OSError):
                stamps.append((self._root / ".git" / name).stat().st_mtime_ns)
        return tuple(stamps)


def _load_secret_rules() -> None:
    """Load the rules for secrets in the background: it takes 0.3 s, for which the first keystroke would wait."""
    from indexer.secrets import masking

    with contextlib.suppress(OndolError):
        masking.prepare()
