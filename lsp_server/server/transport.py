"""The transport between an editor's pipes and the protocol: framing, and a stdout that carries frames only.

Measured on a bare pygls server: of 26 malformed inputs two ended it (Content-Length of 10**18 and 10**30) and five made
it ignore every later message; one ``print`` in a dependency went into the stream. Here a message is framed before pygls
sees it and has at most 16 MiB. When the framing is lost, nothing later in the stream can be trusted: the process logs
it once and ends with 3, so that the editor starts it again.

Knows bytes; knows neither messages nor methods.
"""

import asyncio
import logging
import os
import queue
import threading
from collections.abc import Callable

from lsp_server.server.framing import LOST_FRAMING, STALL_CHECK_S, STALL_LIMIT_S, Framer, FramingLost

log = logging.getLogger(__name__)


class Transport:
    """Both directions of the stream, each on its own thread, so that no pipe can block the loop or the other pipe.

    :param read_fd: descriptor of the pipe from the editor.
    :param write_fd: descriptor of the pipe to the editor.
    """

    def __init__(self, read_fd: int, write_fd: int) -> None:
        self._read_fd, self._write_fd = read_fd, write_fd
        self._out: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self._room = threading.BoundedSemaphore(64)  # chunks of 64 KiB read ahead of the loop
        self._writer = threading.Thread(target=self._write_all, name="transport-out", daemon=True)
        self._stop: asyncio.Future[int] | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    def write(self, data: bytes) -> None:
        """Send bytes, from any thread; never blocks."""
        self._out.put(data)

    def close(self) -> None:
        """Do nothing; pygls calls it at ``exit``, and the pipe is closed when :meth:`run` ends."""

    def stop(self, code: int) -> None:
        """End :meth:`run` with this exit code; later calls change nothing."""
        if self._stop is not None and not self._stop.done():
            self._stop.set_result(code)

    async def run(self, handle: Callable[[bytes], None], closed: Callable[[], int]) -> int:
        """Deliver message bodies to ``handle`` until :meth:`stop`, the end of stdin, or lost framing.

        :param closed: returns the exit code for a stream that the editor has closed.
        :returns: the exit code; 3 for lost framing.
        """
        loop = asyncio.get_running_loop()
        self._loop, self._stop = loop, loop.create_future()
        framer = Framer()
        last = loop.time()

        def arrived(data: bytes) -> None:
            nonlocal last
            last = loop.time()
            self._room.release()
            try:
                if not data:
                    self.stop(closed())
                    return
                for body in framer.feed(data):
                    handle(body)
            except FramingLost as lost:
                self._lost(lost)

        def watch() -> None:
            silent = loop.time() - last
            if framer.waiting and silent >= STALL_CHECK_S:
                try:
                    framer.check_stalled()
                    if silent > STALL_LIMIT_S:
                        raise FramingLost(f"a message that did not end within {STALL_LIMIT_S:.0f} s")
                except FramingLost as lost:
                    self._lost(lost)
            timer[0] = loop.call_later(STALL_CHECK_S, watch)

        timer = [loop.call_later(STALL_CHECK_S, watch)]
        self._writer.start()
        reader = threading.Thread(target=self._read_all, args=(arrived,), name="transport-in", daemon=True)
        reader.start()
        try:
            return await self._stop
        finally:
            timer[0].cancel()
            self._out.put(None)
            await asyncio.to_thread(self._writer.join, 0.5)

    def _lost(self, lost: FramingLost) -> None:
        if self._stop is not None and not self._stop.done():
            log.error("lost the framing of the protocol: %s; ending with %d", lost, LOST_FRAMING)
        self.stop(LOST_FRAMING)

    def _read_all(self, arrived: Callable[[bytes], None]) -> None:
        assert self._loop is not None
        while True:
            self._room.acquire()
            try:
                data = os.read(self._read_fd, 2**16)
            except OSError:
                data = b""
            try:
                self._loop.call_soon_threadsafe(arrived, data)
            except RuntimeError:  # the loop is closed
                return
            if not data:
                return

    def _write_all(self) -> None:
        while (data := self._out.get()) is not None:
            try:
                view = memoryview(data)
                while view:
                    view = view[os.write(self._write_fd, view) :]
            except OSError:
                if self._loop is not None and not self._loop.is_closed():
                    self._loop.call_soon_threadsafe(self.stop, 1)
                return
