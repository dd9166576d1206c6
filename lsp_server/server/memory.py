"""Gives memory back to the system when the last document is closed.

Texts, tokens and syntax trees of documents are many objects; freeing them leaves the C library with free memory that it
keeps for the process. After 60 documents and six of 770 KB the server kept 137 MB more than at its start.
"""

import ctypes
import functools
import gc
import sys
from typing import Any


def give_back() -> None:
    """Collect garbage, and return free memory to the system where the C library can (glibc). Takes about 50 ms."""
    gc.collect()
    trim = _trim()
    if trim is not None:
        trim(0)


@functools.cache
def _trim() -> Any:
    if not sys.platform.startswith("linux"):
        return None
    try:
        return ctypes.CDLL("libc.so.6").malloc_trim
    except (OSError, AttributeError):
        return None
