"""The engine's thread: it runs requests before updates and skips cancelled work, and the loop never waits for it.

A pool would not help: the engine is Python, and on pygls's pool 40 cancelled requests delayed a live one by 14 s
(measured). Here a cancelled job that has not begun costs nothing, and a running one sees its flag between the engine's
stages. Knows neither the engine nor the protocol.
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
    """Work for the engine's thread; ``future`` belongs to the loop.

    :param work: called with a function that returns whether the job was cancelled.
    """

    def __init__(self, work: Callable[[Callable[[], bool]], T], loop: asyncio.AbstractEventLoop) -> None:
        self._work = work
        self._loop = loop
        self._flag = threading.Event()
        self.future: asyncio.Future[T] = loop.create_future()

    def cancel(self) -> None:
        """Skip the work if it has not begun, and set its flag if it has. Leaves ``future`` to the caller."""
        self._flag.set()

    @property
    def cancelled(self) -> bool:
        """Whether :meth:`cancel` was called."""
        return self._flag.is_set()

    def run(self) -> None:
        """Do the work on this thread, and hand its result or its error to the loop."""
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

        call_on(self._loop, settle)


class Worker:
    """The thread and its two queues. The first job starts it; as a daemon it never delays the exit.

    :ivar begun: jobs that were begun.
    """

    def __init__(self) -> None:
        self.begun = 0
        self._urgent: deque[Job[Any]] = deque()
        self._later: deque[Job[Any]] = deque()
        self._wake = threading.Condition()
        self._closed = False
        self._thread: threading.Thread | None = None

    @property
    def urgent_waits(self) -> bool:
        """Whether urgent work waits for the running job."""
        return bool(self._urgent)

    def put(self, job: Job[Any], *, urgent: bool) -> None:
        """Queue a job after equally urgent ones."""
        with self._wake:
            (self._urgent if urgent else self._later).append(job)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="engine", daemon=True)
                self._thread.start()
            self._wake.notify()

    def close(self) -> None:
        """End the thread after the running job."""
        with self._wake:
            self._closed = True
            self._wake.notify()

    def _run(self) -> None:
        while True:
            with self._wake:
                while not (self._urgent or self._later or self._closed):
                    self._wake.wait()
                if self._closed:
                    return
                job = self._urgent.popleft() if self._urgent else self._later.popleft()
            self.begun += 1
            try:
                job.run()
            except Exception as error:
                log.error("a job of the engine's thread failed: %s", describe(error))
            del job


class EngineThread:
    """The work of one editor on the engine's thread.

    :param worker: the thread; several editors may share it. None for a thread of this editor alone.
    """

    def __init__(self, worker: Worker | None = None) -> None:
        self._worker = worker or Worker()
        self._shared = worker is not None
        self._jobs: set[Job[Any]] = set()
        self._closed = False

    def submit(self, work: Callable[[Callable[[], bool]], T], *, urgent: bool = True) -> Job[T]:
        """Queue work after equally urgent work; call from the loop. A closed one skips the work."""
        job: Job[T] = Job(work, asyncio.get_running_loop())
        if self._closed:
            job.cancel()
            job.future.cancel()
            return job
        self._jobs.add(job)
        job.future.add_done_callback(lambda _: self._jobs.discard(job))
        self._worker.put(job, urgent=urgent)
        return job

    @property
    def urgent_waits(self) -> bool:
        """Whether urgent work waits for the running job, which may be long and had better end."""
        return self._worker.urgent_waits

    def close(self) -> None:
        """Take no more work and skip the waiting jobs; the running job sees its flag."""
        self._closed = True
        for job in self._jobs:
            job.cancel()
        if not self._shared:
            self._worker.close()


def background(work: Callable[[], T], name: str) -> asyncio.Future[T]:
    """Do slow work (opening an index, imports) on a daemon thread of its own, which never delays the exit."""
    job: Job[T] = Job(lambda _: work(), asyncio.get_running_loop())
    threading.Thread(target=job.run, name=name, daemon=True).start()
    return job.future


def call_on(loop: asyncio.AbstractEventLoop, call: Callable[[], None]) -> None:
    """Call something on a loop, from any thread; nothing where the loop is closed: the server is ending."""
    with contextlib.suppress(RuntimeError):
        loop.call_soon_threadsafe(call)
