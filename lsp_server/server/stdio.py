"""Reserves the process's standard input and output for the protocol."""

import os
import sys


def take_stdio() -> tuple[int, int]:
    """Reserve stdin and stdout for the protocol; returns their private descriptors (read, write).

    Afterwards ``print``, C libraries and child processes write to stderr and read nothing.
    """
    read, write = os.dup(0), os.dup(1)
    if os.name == "nt":  # pragma: no cover
        import msvcrt

        msvcrt.setmode(read, os.O_BINARY)  # type: ignore[attr-defined]
        msvcrt.setmode(write, os.O_BINARY)  # type: ignore[attr-defined]
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    sys.stdout = sys.stderr
    return read, write
