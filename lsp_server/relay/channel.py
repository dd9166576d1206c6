"""Both directions of a stream of messages, driven by a loop that says when the system would not block."""

from __future__ import annotations

import os
import select
import time
from collections import deque

from lsp_server.server.framing import STALL_CHECK_S, STALL_LIMIT_S, Framer, FramingLost

TYPE_CHECKING = False  # a name that type checkers take for true; `typing` takes .7 MB in each window's process
if TYPE_CHECKING:
    from typing import Final

READ_BYTES: Final = 2**16


class Channel:
    """A stream of messages in and out.

    :param read_fd: descriptor to read from. :param write_fd: descriptor to write to; it may block.
    """

    def __init__(self, read_fd: int, write_fd: int) -> None:
        self.read_fd, self.write_fd = read_fd, write_fd
        self._framer = Framer()
        self._out: deque[memoryview] = deque()
        self._last = time.monotonic()

    @property
    def writing(self) -> bool:
        """Whether bytes wait to be written."""
        return bool(self._out)

    @property
    def waiting(self) -> bool:
        """Whether the stream is in the middle of a message."""
        return self._framer.waiting

    def put(self, data: bytes) -> None:
        """Send bytes when there is room."""
        self._out.append(memoryview(data))

    def read(self) -> list[bytes] | None:
        """Read what is there, when the descriptor is readable; None at the stream's end.

        :raises FramingLost: see :class:`Framer`.
        """
        try:
            data = os.read(self.read_fd, READ_BYTES)
        except BlockingIOError:
            return []
        except OSError:
            data = b""
        self._last = time.monotonic()
        return self._framer.feed(data) if data else None

    def write(self) -> None:
        """Write as much as a pipe takes at once that is writable.

        :raises OSError: the reader is gone.
        """
        try:
            written = os.write(self.write_fd, self._out[0][: select.PIPE_BUF])
        except BlockingIOError:
            return
        self._out[0] = self._out[0][written:]
        if not self._out[0]:
            self._out.popleft()

    def check(self) -> None:
        """Check a message that does not go on. :raises FramingLost: it cannot end any more, or not in time."""
        silent = time.monotonic() - self._last
        if not self.waiting or silent < STALL_CHECK_S:
            return
        self._framer.check_stalled()
        if silent > STALL_LIMIT_S:
            raise FramingLost(f"a message that did not end within {STALL_LIMIT_S:.0f} s")

    def flush(self, seconds: float) -> None:
        """Write what waits, for so long at most."""
        end, poll = time.monotonic() + seconds, select.poll()
        poll.register(self.write_fd, select.POLLOUT)
        while self._out and (left := end - time.monotonic()) > 0:
            try:
                if poll.poll(1000 * left):
                    self.write()
            except OSError:
                return
