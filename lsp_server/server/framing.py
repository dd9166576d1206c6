"""Cuts the stream of the protocol into messages. Imports little, since each window's process has it in memory."""

import re

from indexer.errors import Fault

MAX_BODY = 16 * 2**20
MAX_HEADER_LINE = 8 * 2**10
STALL_CHECK_S = 0.4
STALL_LIMIT_S = 15.0
LOST_FRAMING = 3

_HEADER = re.compile(rb"([A-Za-z0-9!#$%&'*+.^_`|~-]+):[ \t]*(.*?)[ \t]*")
_PARTIAL_HEADER = re.compile(rb"[A-Za-z0-9!#$%&'*+.^_`|~-]*(?::[^\n]*)?\r?")
_LENGTH_IN_BODY = re.compile(rb"[}\]]\s*Content-Length:", re.IGNORECASE)


class FramingLost(Fault):
    """The next message cannot be found in the stream any more."""


class Framer:
    """Cuts a stream of bytes into message bodies; has no input or output of its own.

    Header names are case-insensitive, lines may end with a lone LF, unknown headers are ignored. Where the next message
    may begin is in doubt, it raises :class:`FramingLost`; sizes are refused before anything is allocated.
    """

    def __init__(self) -> None:
        self._data = bytearray()
        self._length: int | None = None
        self._in_header = False
        self._body = False

    def feed(self, data: bytes) -> list[bytes]:
        """Take bytes as they arrive; returns the bodies that are complete."""
        self._data += data
        bodies: list[bytes] = []
        while self._step(bodies):
            pass
        return bodies

    @property
    def waiting(self) -> bool:
        """Whether the stream is in the middle of a message."""
        return self._body or self._in_header or bool(self._data)

    def check_stalled(self) -> None:
        """Check a message that does not go on.

        :raises FramingLost: its body already holds the header of a further message.
        """
        if self._body and _LENGTH_IN_BODY.search(self._data):
            raise FramingLost("a message is shorter than its Content-Length")

    def _step(self, bodies: list[bytes]) -> bool:
        if self._body:
            length = self._length or 0
            if len(self._data) < length:
                return False
            bodies.append(bytes(self._data[:length]))
            del self._data[:length]
            self._body, self._length = False, None
            return True
        end = self._data.find(b"\n")
        if end < 0:
            if len(self._data) > MAX_HEADER_LINE or not _PARTIAL_HEADER.fullmatch(self._data):
                raise FramingLost("no header where a message should begin")
            return False
        line = bytes(self._data[:end]).removesuffix(b"\r")
        del self._data[: end + 1]
        self._header_line(line)
        return True

    def _header_line(self, line: bytes) -> None:
        if not line:
            if self._in_header and self._length is None:
                raise FramingLost("a message without Content-Length")
            self._body, self._in_header = self._in_header, False
            return
        match = _HEADER.fullmatch(line) if len(line) <= MAX_HEADER_LINE else None
        if match is None:
            raise FramingLost("no header where a message should begin")
        self._in_header = True
        if match[1].lower() != b"content-length":
            return
        if not match[2].isdigit() or len(match[2]) > 12 or int(match[2]) > MAX_BODY:
            raise FramingLost(f"a Content-Length that is not a number up to {MAX_BODY}")
        if self._length is not None and self._length != int(match[2]):
            raise FramingLost("two different Content-Length headers")
        self._length = int(match[2])


def framed(body: bytes) -> bytes:
    """A message as it is sent."""
    return b"Content-Length: %d\r\n\r\n%s" % (len(body), body)
