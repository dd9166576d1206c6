"""Runs the searches for next edits on the engine's thread, behind what is urgent, and keeps the last answer."""

import asyncio
import time
from typing import Any, Final

from lsp_server.edits.offered import Offer
from lsp_server.server.edit_search import Asked, next_edit
from lsp_server.server.engine_thread import EngineThread, Job

TRIES: Final = 40
RETRY_S: Final = 0.03

REUSED_S: Final = 2.0
"""An editor that hears of a next edit asks for it at once: for so long the answer is the one that was found."""


class EditSearches:
    """The searches of one editor. Lives on the loop."""

    def __init__(self, thread: EngineThread) -> None:
        self._thread = thread
        self._running: set[Job[Any]] = set()
        self._found: tuple[Asked, float, Offer | None] | None = None

    def cancel(self) -> None:
        """End the running searches: a key came."""
        for job in self._running:
            job.cancel()

    def forget(self) -> None:
        """Search again at the next request, since something else may be offered now."""
        self._found = None

    async def search(self, asked: Asked) -> Offer | None:
        """Search, and begin again where something urgent came in between; None also where a key ended it."""
        if self._found is not None and self._found[0].same(asked) and time.monotonic() - self._found[1] < REUSED_S:
            asked.searched.update(self._found[0].searched)
            return self._found[2]
        for _ in range(TRIES):
            job = self._thread.submit(
                lambda cancelled: next_edit(asked, lambda: cancelled() or self._thread.urgent_waits), urgent=False
            )
            self._running.add(job)
            try:
                finished, offer = await job.future
            except asyncio.CancelledError:
                if not job.cancelled:
                    job.cancel()
                    raise
                return None
            finally:
                self._running.discard(job)
            if finished:
                self._found = asked, time.monotonic(), offer
                return offer
            await asyncio.sleep(RETRY_S)
        return None
