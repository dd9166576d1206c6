"""Ends the server when the editor's process is gone, also where its pipe stays open in some other process.

Linux tells it through a descriptor of the process, which a new process with the same number cannot be taken for;
elsewhere the number is looked at every two seconds. A number that means nothing here (an editor outside of this
container) is not watched. Imports little, as ``window``.
"""

from __future__ import annotations

import os
import select
import time
from collections.abc import Callable

TYPE_CHECKING = False  # a name that type checkers take for true; `typing` takes .7 MB in each window's process
if TYPE_CHECKING:
    from typing import Final

LOOK_EVERY_S: Final = 2.0
GRACE_S: Final = 5.0
"""The server has this long to end its children and itself; then the process is ended."""

_SYNCHRONIZE: Final = 0x00100000
_WAIT_TIMEOUT: Final = 0x102


def watch(process_id: int | None, ended: Callable[[], None]) -> None:
    """Call ``ended`` when a process has ended, from a thread of its own, and end this process soon afterwards.

    :param process_id: the editor's; None or a process that does not exist here is not watched.
    """
    if process_id is None or process_id <= 0 or process_id == os.getpid():
        return
    wait = _waiter(process_id)
    if wait is None:
        return

    import threading

    def follow() -> None:
        wait()
        ended()
        time.sleep(GRACE_S)
        os._exit(1)

    threading.Thread(target=follow, name="editor-process", daemon=True).start()


def _waiter(process_id: int) -> Callable[[], None] | None:
    """What waits for the end of a process; None where there is no such process."""
    if os.name == "nt":  # pragma: no cover
        return _windows(process_id)
    try:
        descriptor = end_descriptor(process_id)
    except ProcessLookupError:
        return None
    if descriptor is not None:
        return lambda: _until_readable(descriptor)
    return (lambda: _until_gone(process_id)) if _exists(process_id) else None


def end_descriptor(process_id: int) -> int | None:
    """Open what can be read once a process has ended; None where the system has no such descriptors.

    :raises ProcessLookupError: there is no such process.
    """
    if not hasattr(os, "pidfd_open"):
        return None
    try:
        return os.pidfd_open(process_id)
    except OverflowError:
        raise ProcessLookupError(process_id) from None
    except ProcessLookupError:
        raise
    except OSError:
        return None  # an old kernel, or one that forbids it


def _until_readable(descriptor: int) -> None:
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    poll.poll()


def _until_gone(process_id: int) -> None:
    parent = os.getppid()
    while _exists(process_id) and (process_id != parent or os.getppid() == parent):
        time.sleep(LOOK_EVERY_S)


def _exists(process_id: int) -> bool:
    try:
        os.kill(process_id, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except OSError:
        return True
    return True


def _windows(process_id: int) -> Callable[[], None] | None:  # pragma: no cover
    """As :func:`_waiter`; ``os.kill`` with signal 0 would end the process there."""
    import ctypes

    kernel = ctypes.WinDLL("kernel32", use_last_error=True)  # type: ignore[attr-defined]
    handle = kernel.OpenProcess(_SYNCHRONIZE, False, process_id)
    if not handle:
        return None

    def wait() -> None:
        from contextlib import suppress

        with suppress(OSError):
            while kernel.WaitForSingleObject(handle, int(LOOK_EVERY_S * 1000)) == _WAIT_TIMEOUT:
                pass

    return wait
