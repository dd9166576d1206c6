"""Tasks of the event loop that are cancelled together, and whose failures are logged."""

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any

from lsp_server.server.logs import describe

log = logging.getLogger(__name__)


class Tasks:
    """The running tasks of one owner."""

    def __init__(self) -> None:
        self._running: set[asyncio.Task[None]] = set()

    def start(self, work: Coroutine[Any, Any, None]) -> None:
        """Run work on the loop."""
        task = asyncio.get_running_loop().create_task(work)
        self._running.add(task)
        task.add_done_callback(self._done)

    def cancel(self) -> None:
        """Cancel every running task."""
        for task in self._running:
            task.cancel()

    def _done(self, task: "asyncio.Task[None]") -> None:
        self._running.discard(task)
        error = None if task.cancelled() else task.exception()
        if error is not None:
            log.error("a task failed: %s", describe(error))
