"""Does work in a copy of this process, while this one goes on.

A thread would not do: what takes the time is Python itself, of which one thread runs at a time. A copy is there within
some milliseconds and knows what this process knows. Only a process without other threads is copied, since a lock that
another thread holds would stay locked in the copy.
"""

import contextlib
import gc
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

_ANSWER: Final = b"+"
_CAN_COPY: Final = sys.platform == "linux"
"""On macOS the system's libraries do not survive it; Windows cannot."""


@contextmanager
def in_second_process(work: Callable[[], bytes], *, really: bool = True) -> Iterator[Callable[[], bytes]]:
    """Begin some work; what is given waits for its result.

    Where no copy can be made, or it ended without a result, the work is done when the result is asked for.

    :param work: must not write anything, nor start threads. :param really: False for no copy.
    """
    pid, answer = _copy(work) if really else (-1, -1)
    if pid < 0:
        yield work
        return
    ended = False

    def result() -> bytes:
        nonlocal ended
        with open(answer, "rb", closefd=False) as stream:
            data = stream.read()
        os.waitpid(pid, 0)
        ended = True
        return data[1:] if data[:1] == _ANSWER else work()

    try:
        yield result
    finally:
        if not ended:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
        os.close(answer)


def _copy(work: Callable[[], bytes]) -> tuple[int, int]:
    """Copy this process; the number of the copy and where its answer can be read, or -1 twice."""
    if not _CAN_COPY or threading.active_count() > 1 or (os.cpu_count() or 1) < 2:
        return -1, -1
    reading, writing = os.pipe()
    try:
        pid = os.fork()
    except OSError:  # no process or no memory is left
        os.close(reading)
        os.close(writing)
        return -1, -1
    if pid:
        os.close(writing)
        return pid, reading
    try:
        gc.disable()
        os.close(reading)
        data = _ANSWER + work()
        while data:
            data = data[os.write(writing, data) :]
    finally:
        os._exit(0)  # without what this process would do at its end
