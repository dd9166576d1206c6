"""Keeps the index of one repository open and up to date while the server runs.

The index is opened in the background. A new generation is noticed by its pointer file. Saved files, changes on disk and
commits start `ondol index` as a child process. Knows no protocol and no engine.
"""

import asyncio
import contextlib
import logging
import threading
import time
from functools import cache
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
from lsp_server.server.memory import give_back_free
from lsp_server.server.tasks import Tasks

log = logging.getLogger(__name__)

AFTER_SAVE_S: Final = 1.0
AFTER_CHANGE_S: Final = 0.25
AFTER_START_S: Final = 1.0
BUSY_S: Final = 20.0
LONGEST_WAIT_S: Final = 60.0

KILLED: Final = (
    "something ended the indexing process, perhaps because memory is short; lower `workers` or `max_index_memory_mb`"
)

QUIET_S: Final = 10.0
"""Changes on disk after this long without an update begin a new series."""

LONGEST_PAUSE: Final = 3
"""Between the updates of a long series of changes (a build that writes files for an hour) is a pause of at most this
many times an update."""

AT_ONCE: Final = 5
"""The first updates of a series follow at once: a user renames a file, commits, and switches branches."""


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

    def prepare_index(self, index: Any) -> None:
        """Leave out of an index that was opened what has gone since it was made; called on a background thread."""

    def take_index(self, index: Any) -> None:
        """Use an index that was opened and prepared."""

    def report(self, state: SessionState, *, message: bool = False) -> None:
        """Take a new state, and show the user its message if ``message`` is true."""


class RepositoryIndex:
    """The index of the repository at ``root``. Lives on the loop."""

    def __init__(self, root: Path, user: IndexUser, host: Host, factories: Factories, tasks: Tasks) -> None:
        self.opened: Any = None
        self._root, self._name = root, root.name
        self._user, self._host, self._factories, self._tasks = user, host, factories, tasks
        self._process: IndexProcess | None = None
        self._running = False
        self._again: bool | None = None  # whether another run is due, and whether from nothing
        self._timer: asyncio.TimerHandle | None = None
        self._stamp: tuple[int, ...] = ()
        self._outdated = False
        self._narrowed = False
        self._killed = False  # the last child was ended by a signal
        self._series = 0
        self._ended = 0.0
        self._update_took = 0.0
        self._directory: Path | None = None
        self._closed = False

    async def start(self) -> None:
        """Open the index, and update it a little later."""
        await self._open()
        if self.opened is not None:
            self._schedule(AFTER_START_S)

    def close(self, *, wait: bool) -> None:
        """Stop the child and the timer.

        :param wait: end the child before this returns, because the process ends.
        """
        self._closed = True
        if self._timer is not None:
            self._timer.cancel()
        if self._process is not None:
            (self._process.kill if wait else self._process.stop)()

    def check(self, stamp: tuple[int, ...]) -> None:
        """Open the index again where another process has made a new generation.

        :param stamp: the pointer file's now, from :meth:`current_stamp`.
        """
        if not self._closed and not self._running and stamp != self._stamp:
            self._tasks.start(self._open_again())

    def update_soon(self) -> None:
        """Update the index once nothing was saved for a while.

        The wait is at least three times as long as the last update took, so that editors which save at every pause do
        not keep a core busy. Open documents are searchable without an update.
        """
        self._schedule(max(AFTER_SAVE_S, min(3 * self._update_took, LONGEST_WAIT_S)))

    def files_changed(self, *, left_out: bool = False) -> None:
        """Update the index at once: files changed on disk, so answers may be outdated.

        :param left_out: whether documents were left out of the open index, which an unchanged one gets back.
        """
        self._outdated = True
        self._narrowed |= left_out
        now = asyncio.get_running_loop().time()
        if now - self._ended > QUIET_S:
            self._series = 0
        pause = min(max(self._series - AT_ONCE + 1, 0), LONGEST_PAUSE) * self._update_took
        self._schedule(max(AFTER_CHANGE_S, self._ended + pause - now), sooner=True)
        if self.opened is not None and self._user.state.name == "ready":
            self._ready()

    def _schedule(self, seconds: float, *, sooner: bool = False) -> None:
        """Update the index after some seconds, instead of the update that waits; ``sooner`` keeps an earlier one."""
        if self._closed:
            return
        loop = asyncio.get_running_loop()
        if self._timer is not None:
            if sooner and loop.time() < self._timer.when() <= loop.time() + seconds:
                return
            self._timer.cancel()
        self._timer = loop.call_later(seconds, self.update)

    def update(self, *, full: bool = False) -> None:
        """Build or update the index in a child process, one at a time.

        :param full: build from nothing.
        """
        if self._closed:
            return
        if self._running:
            self._again = bool(self._again) or full
            return
        self._running = True
        first = self.opened is None
        if first:
            self._user.report(SessionState("indexing", f"indexing {self._name}", 0))
        self._tasks.start(self._run(first=first, full=full))

    async def _run(self, *, first: bool, full: bool) -> None:
        """Run the child as soon as one of the few places for children is free, and open what it made."""
        token = f"ondol-index-{id(self):x}"
        try:
            async with self._factories.slots:
                self._outdated, began = False, time.monotonic()
                self._process = self._factories.index_process(
                    self._root, self._user.settings, lambda p: self._show(p, token, first), full=full
                )
                outcome = await self._process.outcome
        except OSError as error:
            self._user.report(SessionState("problem", f"indexing could not start ({error.strerror})"), message=True)
            return
        finally:
            self._process, self._running = None, False
        if not first:
            self._update_took = time.monotonic() - began
        self._ended, self._series = asyncio.get_running_loop().time(), self._series + 1
        await self._finish(outcome, token, first)

    # Opening

    async def _open(self) -> None:
        settings = self._user.settings
        self._stamp = self.current_stamp()
        self._narrowed = False
        _load_secret_rules()

        def work() -> Any:
            index = self._factories.open_index(settings, self._root)
            self._user.prepare_index(index)
            give_back_free()  # of the index before the last one
            return index

        try:
            self.opened = await background(work, "index-open")
            self._user.take_index(self.opened)
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
        if self.current_stamp() != self._stamp and not self._running:
            await self._open()

    def _missing(self) -> None:
        if self._too_wide():
            message = f"{self._name} is not a project, so it is not indexed; completing from open files"
            self._user.report(SessionState("ready", message))
            return
        self._host.first_index(self._name)
        self.update()

    def _too_wide(self) -> bool:
        from indexer.repository import git

        return git.is_too_wide(self._root)

    def _ready(self) -> None:
        count, generation = len(self.opened.documents), self.opened.generation
        updating = ", updating" if self._outdated else ""
        message = f"{self._name}: {count:,} files indexed{updating}"
        self._user.report(SessionState("ready", message, documents=count, generation=generation))
        if self.opened.problem:
            self._host.show_message(f"Ondol: {self.opened.problem}", problem=True)

    # Running the child

    def _show(self, progress: IndexProgress, token: str, first: bool) -> None:
        if first:
            message = f"indexing {self._name}: {progress.message}"
            self._user.report(SessionState("indexing", message, progress.percent))
            self._host.show_progress(token, f"Ondol: indexing {self._name}", progress)

    async def _finish(self, outcome: IndexOutcome, token: str, first: bool) -> None:
        if first:
            self._host.show_progress(token, "", None)
        if self._closed:
            return
        if outcome.code == 0:
            self._killed = False
            if self.opened is None or self._narrowed or self.current_stamp() != self._stamp:
                await self._open()
            else:
                self._ready()
        else:
            self._failed(outcome)
        again, self._again = self._again, None
        if again:
            self.update(full=True)
        elif again is not None:
            self.files_changed()

    def _failed(self, outcome: IndexOutcome) -> None:
        log.warning("indexing ended with %d: %s", outcome.code, outcome.said)
        if outcome.code == Locked.exit_code:
            if self.opened is None:
                message = f"{self._name} is being indexed by another Ondol process"
                self._user.report(SessionState("indexing", message))
            self._schedule(BUSY_S)
            return
        if outcome.code < 0 and not self._killed:  # by whom is not known: the next one may be spared
            self._killed = True
            self._schedule(BUSY_S)
            return
        ended = KILLED if outcome.code < 0 else f"it ended with {outcome.code}"
        said = outcome.said.removeprefix("ondol: ") or ended
        self._user.report(SessionState("problem", f"the index of {self._name} is not up to date: {said}"), message=True)

    def current_stamp(self) -> tuple[int, ...]:
        """The time, inode and size of the file that names the newest generation; from any thread."""
        settings = self._user.settings
        with contextlib.suppress(OSError, OndolError):
            if self._directory is None or settings.data_dir not in self._directory.parents:
                self._directory = self._factories.index_directory(settings, self._root)
            found = index_pointer_file(self._directory).stat()
            return (found.st_mtime_ns, found.st_ino, found.st_size)
        return ()


@cache
def _load_secret_rules() -> None:
    """Begin to load the rules for secrets, once in a process; a text with a random word waits for them.

    It takes 0.7 s, and 6 s when nothing is cached; other threads run meanwhile. The server ends without waiting for it.
    """
    from indexer.secrets import masking

    def work() -> None:
        with contextlib.suppress(OndolError):
            masking.prepare()

    threading.Thread(target=work, name="secret-rules", daemon=True).start()
