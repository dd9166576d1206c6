"""Ends a long job when the process is asked to: by SIGTERM, by SIGINT, which Ctrl-C sends, or with its terminal.

The first signal raises :class:`Stopped` in the main thread, so that the job can report what it has. A second one ends
the process at once.
"""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

_SIGNALS = tuple(getattr(signal, name) for name in ("SIGTERM", "SIGINT", "SIGHUP") if hasattr(signal, name))


class Stopped(BaseException):
    """A signal asked this process to end. No ``Exception``, so that code that goes on after errors does not go on.

    :ivar exit_code: that of a process which the signal ended: 130 after Ctrl-C, 143 after SIGTERM, 129 after SIGHUP.
    """

    def __init__(self, number: int) -> None:
        self.name = signal.Signals(number).name
        self.exit_code = 128 + number
        super().__init__(f"stopped by {'Ctrl-C' if number == signal.SIGINT else self.name}")


@contextmanager
def stopped_by_signals() -> Iterator[None]:
    """Raise :class:`Stopped` at the first signal within the block; for the main thread of a command."""
    before: dict[int, Any] = {}

    def stop(number: int, frame: FrameType | None) -> None:
        for one in before:
            signal.signal(one, signal.SIG_DFL)
        raise Stopped(number)

    for one in _SIGNALS:
        if one in (signal.SIGTERM, signal.SIGINT) or signal.getsignal(one) != signal.SIG_IGN:  # as nohup does
            before[one] = signal.signal(one, stop)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
