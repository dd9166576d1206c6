"""One thread for the engine: requests before updates, cancelled work is skipped, and the loop is never blocked.

A pool would not help: the engine is Python, and on a pool 40 cancelled requests delayed a live one by 14 s (measured
with pygls's own). Here a cancelled job that has not begun costs nothing, and one that runs sees its flag between the
engine's stages.

This module knows neither the engine nor the protocol.
"""

import asyncio
import contextlib
import logging
import threading
from collections import deque
from collections.abc import Callable
from typing import Any, Generic, TypeVar

from lsp_server.server.logs import describe

T = TypeVar("T")
log = logging.getLogger(__name__)


class Job(Generic[T]):
    """Work for the worker's thread; ``future`` belongs to the loop.

    :param work: called with a function that says whether to stop.
    """

    def __init__(self, work: Callable[[Callable[[], bool]], T], loop: asyncio.AbstractEventLoop) -> None:
        self._work = work
        self._loop = loop
        self._flag = threading.Event()
        self.future: asyncio.Future[T] = loop.create_future()

    def cancel(self) -> None:
        """Skip the work if it has not begun; tell it to stop if it has. ``future`` is left to the caller."""
        self._flag.set()

    @property
    def cancelled(self) -> bool:
        """Whether :meth:`cancel` was called."""
        return self._flag.is_set()

    def run(self) -> None:
        """Do the work on this thread and hand the result, or what was raised, to the loop."""
        if self._flag.is_set():
            self._settle(None, None)
            return
        try:
            result = self._work(self._flag.is_set)
        except BaseException as error:
            self._settle(None, error)
            return
        self._settle(result, None)

    def _settle(self, result: T | None, error: BaseException | None) -> None:
        def settle() -> None:
            if self.future.done():
                return
            if self._flag.is_set():
                self.future.cancel()
            elif error is not None:
                self.future.set_exception(error)
            else:
                self.future.set_result(result)  # type: ignore[arg-type]

        with contextlib.suppress(RuntimeError):  # the loop is closed: the server is on its way out
            self._loop.call_soon_threadsafe(settle)


class Worker:
    """The thread and its two queues; started by the first job, a daemon, so that it never holds up the exit."""

    def __init__(self) -> None:
        self._urgent: deque[Job[Any]] = deque()
        self._later: deque[Job[Any]] = deque()
        self._wake = threading.Condition()
        self._closed = False
        self._thread: threading.Thread | None = None

    def submit(self, work: Callable[[Callable[[], bool]], T], *, urgent: bool = True) -> Job[T]:
        """Queue work behind what is equally urgent; call from the loop."""
        job: Job[T] = Job(work, asyncio.get_running_loop())
        with self._wake:
            (self._urgent if urgent else self._later).append(job)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="engine", daemon=True)
                self._thread.start()
            self._wake.notify()
        return job

    def close(self) -> None:
        """Take no more work, drop what waits; the running job is left to its flag."""
        with self._wake:
            self._closed = True
            for job in (*self._urgent, *self._later):
                job.cancel()
            self._wake.notify()

    def _run(self) -> None:
        while True:
            with self._wake:
                while not (self._urgent or self._later or self._closed):
                    self._wake.wait()
                if self._closed:
                    return
                job = self._urgent.popleft() if self._urgent else self._later.popleft()
            try:
                job.run()
            except Exception as error:
                log.error("the engine's thread met %s", describe(error))
            del job


def background(work: Callable[[], T], name: str) -> asyncio.Future[T]:
    """Do slow work (opening an index, imports) on a thread of its own that never holds up the exit."""
    job: Job[T] = Job(lambda _: work(), asyncio.get_running_loop())
    threading.Thread(target=job.run, name=name, daemon=True).start()
    return job.future
