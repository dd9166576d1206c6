"""One writer at a time: a lock that the operating system releases when its process ends, however it ends.

The lock is an advisory lock on an open file (``flock``; ``msvcrt`` on Windows), never the existence of the file. The
file holds the process id of the holder, which only the error message uses.
"""

import contextlib
import errno
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from indexer.errors import Locked, UserError

if sys.platform == "win32":
    import msvcrt

    _FAR = 1 << 30
    """The locked byte lies beyond the text, because a locked range cannot be read on Windows."""

    def _acquire(descriptor: int) -> None:
        os.lseek(descriptor, _FAR, os.SEEK_SET)
        try:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        except OSError as error:
            raise BlockingIOError(*error.args) from error
        finally:
            os.lseek(descriptor, 0, os.SEEK_SET)
else:
    import fcntl

    def _acquire(descriptor: int) -> None:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


@contextlib.contextmanager
def hold(path: Path, doing: str = "writing this index", wait_s: float = 0) -> Iterator[None]:
    """Hold the lock ``path`` inside the ``with`` block.

    :param doing: what the holder is doing, for the error message.
    :param wait_s: seconds to wait for a holder to end.
    :raises Locked: another process has the lock still; the error names it.
    :raises UserError: the file system has no locks.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        try:
            _acquire_within(descriptor, wait_s)
        except OSError as error:
            if isinstance(error, BlockingIOError) or error.errno in (errno.EACCES, errno.EAGAIN):
                raise Locked(f"another Ondol process{_holder(descriptor)} is {doing}", _CURE) from None
            raise UserError(
                f"{path} cannot be locked: {error.strerror}",
                "put the data directory on a local disk (--data-dir or ONDOL_DATA_DIR)",
            ) from error
        os.ftruncate(descriptor, 0)
        os.write(descriptor, f"{os.getpid()}\n".encode())
        yield
    finally:
        os.close(descriptor)


def _acquire_within(descriptor: int, wait_s: float) -> None:
    end = time.monotonic() + wait_s
    while True:
        try:
            return _acquire(descriptor)
        except OSError:
            if time.monotonic() >= end:
                raise
        time.sleep(0.05)


_CURE = "wait until it is done, or end it"


def _holder(descriptor: int) -> str:
    with contextlib.suppress(OSError):
        text = os.pread(descriptor, 20, 0) if hasattr(os, "pread") else os.read(descriptor, 20)
        if text.strip().isdigit():
            return f" (PID {int(text)})"
    return ""
