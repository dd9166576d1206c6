"""A channel gives whole messages to a reader of any speed, blocks nobody, and notices what does not go on."""

import os
import random
import select
import socket
import sys
import time

import pytest

from lsp_server.relay import channel
from lsp_server.relay.channel import Channel
from lsp_server.server.framing import FramingLost, framed

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="windows share engines on POSIX systems alone")


@pytest.mark.parametrize("kind", ["pipe", "socket"])
def test_messages_of_all_sizes_arrive_whole_and_in_order(kind: str) -> None:
    rng = random.Random(7)
    bodies = [rng.randbytes(rng.choice([1, 100, 4_095, 4_096, 4_097, 300_000])) for _ in range(40)]
    if kind == "pipe":
        read, write = os.pipe()
        ends = [read, write]
    else:
        here, there = socket.socketpair()
        here.setblocking(False)
        there.setblocking(False)
        read, write = here.detach(), there.detach()
        ends = [read, write]
    sender, receiver = Channel(os.open(os.devnull, os.O_RDONLY), write), Channel(read, write)
    try:
        for body in bodies:
            sender.put(framed(body))
        got: list[bytes] = []
        while len(got) < len(bodies):
            if sender.writing and select.select([], [write], [], 0)[1]:
                sender.write()
            if rng.random() < 0.3 and select.select([read], [], [], 0)[0]:
                got += receiver.read() or []
        assert got == bodies
        assert not sender.writing
    finally:
        for descriptor in (*ends, sender.read_fd):
            os.close(descriptor)


def test_the_end_of_the_stream_and_a_reader_that_is_gone_are_told_apart_from_nothing() -> None:
    here, there = socket.socketpair()
    here.setblocking(False)
    one = Channel(here.fileno(), here.fileno())
    assert one.read() == []
    there.close()
    assert one.read() is None
    one.put(b"x")
    with pytest.raises(OSError, match="Broken pipe"):
        one.write()
    here.close()


def test_a_message_that_does_not_end_in_time_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    read, write = os.pipe()
    one = Channel(read, write)
    os.write(write, b"Content-Length: 10\r\n\r\nabc")
    assert one.read() == []
    one.check()  # it may still come
    late = time.monotonic() + channel.STALL_LIMIT_S + 1
    monkeypatch.setattr(channel.time, "monotonic", lambda: late)
    with pytest.raises(FramingLost):
        one.check()
    for descriptor in (read, write):
        os.close(descriptor)
