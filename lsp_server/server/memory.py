"""Collects garbage in pauses, and gives memory back to the system: when the last document is closed, and now and then
while an index is replaced.

A collection of all objects takes 50 to 110 ms with a document of 10,000 lines, and holds up every thread. Python's own
rule starts it in the middle of a search; it was most of what made the slowest of fifty searches for a next edit slow.

Texts, tokens and syntax trees of documents are many objects; freeing them leaves the C library with free memory that it
keeps for the process. After 60 documents and six of 770 KB the server kept 137 MB more than at its start. An index that
is replaced every few minutes leaves holes as well: 22 MB after eight minutes of typing and saving.
"""

import ctypes
import functools
import gc
import sys
import threading
import time
from typing import Any, Final

PAUSE_S: Final = 10.0
"""Between two times of :func:`give_back_free`."""

DUE: Final = 10
"""Collections of young objects after which a pause is used for all objects; Python's own number."""

OVERDUE: Final = 100
"""The same without a pause; each stands for up to 7,000 objects that were made and not freed."""

ARENAS: Final = 2
_ARENA_MAX: Final = -8  # M_ARENA_MAX of mallopt(3)

_lock = threading.Lock()
_given: list[float] = []


def few_arenas() -> None:
    """Let all threads share two heaps, where the C library (glibc) would give each its own with its own holes.

    The server's threads wait for each other most of the time. Call before threads are started.
    """
    library = _library()
    if library is not None:
        library.mallopt(_ARENA_MAX, ARENAS)


def collect_in_pauses() -> None:
    """Leave the collection of all objects to :func:`use_pause`; without a pause it is only late."""
    young, middle, _ = gc.get_threshold()
    gc.set_threshold(young, middle, OVERDUE)


def use_pause() -> None:
    """Collect all garbage if much was made since the last time."""
    if gc.get_count()[2] >= DUE:
        gc.collect()


def give_back() -> None:
    """Collect garbage, and return free memory to the system where the C library can (glibc). Takes about 50 ms."""
    gc.collect()
    _trim()


def give_back_free() -> None:
    """Return free memory to the system, at most once in ``PAUSE_S``; from a background thread, since it takes 4 ms."""
    now = time.monotonic()
    with _lock:
        if _given and now - _given[0] < PAUSE_S:
            return
        _given[:] = [now]
    _trim()


def _trim() -> None:
    library = _library()
    if library is not None:
        library.malloc_trim(0)


@functools.cache
def _library() -> Any:
    """The C library, if it has these functions; None otherwise."""
    if not sys.platform.startswith("linux"):
        return None
    try:
        library = ctypes.CDLL("libc.so.6")
        return library if library.malloc_trim and library.mallopt else None
    except (OSError, AttributeError):
        return None
