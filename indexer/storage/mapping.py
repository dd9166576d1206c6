"""Maps files into memory without keeping them open.

Python's own ``mmap`` keeps a descriptor for every map (until Python 3.13), and an index has a dozen files for each of
its segments: fifty small repositories took 712 descriptors, where macOS allows a process 256. The system needs none:
a map stays valid when its file is closed, and when it is removed.
"""

import ctypes
import functools
import mmap
import os
import sys
import weakref
from pathlib import Path
from typing import Any


def map_file(path: Path) -> memoryview:
    """A read-only memory map of a file; it stays valid when the file is removed, and holds no descriptor on POSIX."""
    with path.open("rb") as stream:
        size = os.fstat(stream.fileno()).st_size
        if size == 0:
            return memoryview(b"")
        if sys.version_info >= (3, 13):  # pragma: no cover
            return memoryview(mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ, trackfd=False))
        library = _system()
        if library is None:
            return memoryview(mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ))
        address = library.mmap(None, size, mmap.PROT_READ, mmap.MAP_SHARED, stream.fileno(), 0)
    if address in (None, ctypes.c_void_p(-1).value):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), str(path))
    held = (ctypes.c_ubyte * size).from_address(address)
    end = weakref.finalize(held, library.munmap, address, size)
    end.atexit = False  # other threads may still read
    return memoryview(held).cast("B").toreadonly()


@functools.cache
def _system() -> Any:
    """The C library with ``mmap`` and ``munmap``; None where offsets have not 64 bits, and on Windows."""
    if os.name != "posix" or ctypes.sizeof(ctypes.c_void_p) != 8:
        return None
    library = ctypes.CDLL(None, use_errno=True)
    library.mmap.restype = ctypes.c_void_p
    whole = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_int64)
    library.mmap.argtypes = whole
    library.munmap.argtypes = (ctypes.c_void_p, ctypes.c_size_t)
    return library
