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
import linecache
import sys
import threading
import time
from collections.abc import Iterator
from types import CodeType, FunctionType, ModuleType
from typing import Any, Final

PAUSE_S: Final = 0.4
"""Between two times of :func:`give_back_free`."""

DUE: Final = 10
"""Collections of young objects after which a pause is used for all objects; Python's own number."""

OVERDUE: Final = 100
"""The same without a pause; each stands for up to 7,000 objects that were made and not freed."""

ARENAS: Final = 1
_ARENA_MAX: Final = -8  # M_ARENA_MAX of mallopt(3)
_GENERATED: Final = "<attrs generated"

_lock = threading.Lock()
_given: list[float] = []


def few_arenas() -> None:
    """Let all threads share two heaps, where the C library (glibc) would give each its own with its own holes.

    The server's threads wait for each other most of the time. Call before threads are started.
    """
    library = _library()
    if library is not None:
        library.mallopt(_ARENA_MAX, ARENAS)


def forget_class_making(module: ModuleType) -> None:
    """Free what ``attrs`` keeps of how it made a module's classes: 12 MB for the protocol's.

    Each class has a copy of the module's names as the globals of its methods, which use a few of them, and the source
    of its methods for tracebacks.
    """
    made: dict[int, tuple[dict[str, Any], set[str]]] = {}
    for cls in vars(module).values():
        for method in vars(cls).values() if isinstance(cls, type) else ():
            if isinstance(method, FunctionType) and method.__code__.co_filename.startswith(_GENERATED):
                made.setdefault(id(method.__globals__), (method.__globals__, set()))[1].update(_names(method.__code__))
    for names, used in made.values():
        kept = {name: value for name, value in names.items() if name in used or name.startswith("__")}
        names.clear()
        names.update(kept)
    for place in [place for place in linecache.cache if place.startswith(_GENERATED)]:
        del linecache.cache[place]


def _names(code: CodeType) -> Iterator[str]:
    """Yield the global names that code and the functions within it use, and names of attributes."""
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _names(constant)


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


@functools.cache
def give_back_start() -> None:
    """Free what the start has left, once in a process. Takes 100 ms, so the start itself leaves it to a pause.

    The start collects no garbage. Most of it is of the making of the protocol's classes: 10 MB.
    """
    gc.unfreeze()
    gc.collect()
    gc.freeze()
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
