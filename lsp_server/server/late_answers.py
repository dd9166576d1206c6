"""Holds requests open while a model writes, and announces answers that come after their request.

The engine's thread is free meanwhile. A client that hears of a late answer asks again, and the text that was written
answers at once.
Knows neither the model nor the protocol.
"""

import asyncio
import contextlib
import logging
from collections.abc import Callable
from functools import partial
from typing import Any

from lsp_server.server.engine_thread import EngineThread
from lsp_server.server.logs import describe
from lsp_server.server.tasks import Tasks
from lsp_server.types import Later

log = logging.getLogger(__name__)


class LateAnswers:
    """The requests that wait for a model. Lives on the loop.

    :ivar on_ready: called with a document's URI when there is an answer for it; None for clients that do not ask again.
    """

    def __init__(self, thread: EngineThread) -> None:
        self.on_ready: Callable[[str], None] | None = None
        self._thread = thread
        self._tasks = Tasks()

    async def wait(
        self, later: Later, ended: "asyncio.Future[Any]", uri: str | None, wanted: Callable[[], bool]
    ) -> bool:
        """Wait until the model has answered, the request has ended, or its time is over; return whether it was late.

        :param uri: of the document to announce a late answer for; None to announce nothing.
        :param wanted: whether an answer would still fit the document, and no newer request waits for one.
        """
        there = asyncio.get_running_loop().create_future()
        later.when_there(partial(_settle, asyncio.get_running_loop(), there))
        try:
            either: set[asyncio.Future[Any]] = {there, ended}
            await asyncio.wait(either, timeout=later.seconds, return_when=asyncio.FIRST_COMPLETED)
        finally:
            gone = not there.done() and not ended.done()  # its time is over, or the editor takes it back
            if gone and uri is not None and self.on_ready is not None:
                self._tasks.start(self._announce(later, there, uri, wanted))
        return not there.done()

    async def _announce(
        self, later: Later, there: "asyncio.Future[None]", uri: str, wanted: Callable[[], bool]
    ) -> None:
        """Tell the editor about a late answer, if it would be shown."""
        await there
        if not wanted():
            return
        try:
            answer = await self._thread.submit(lambda _: later.finish(), urgent=False).future
        except Exception as error:
            log.error("a late answer failed: %s", describe(error))
            return
        if answer.suggestions and wanted() and self.on_ready is not None:
            self.on_ready(uri)


def _settle(loop: asyncio.AbstractEventLoop, there: "asyncio.Future[None]") -> None:
    """Settle a future from any thread."""

    def settle() -> None:
        if not there.done():
            there.set_result(None)

    with contextlib.suppress(RuntimeError):  # the loop is closed: the server is ending
        loop.call_soon_threadsafe(settle)
