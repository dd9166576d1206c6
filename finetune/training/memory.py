"""Memory in use, and the errors when none is left."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch

from indexer.errors import UserError


def memory(*, peak: bool = False) -> int:
    """Return the bytes of memory in use, or the peak, of the GPU or else of this process; 0 if it is unknown."""
    if torch.cuda.is_available():
        return int(torch.cuda.max_memory_allocated() if peak else torch.cuda.memory_allocated())
    if not peak and sys.platform == "linux":
        return int(Path("/proc/self/statm").read_text("ascii").split()[1]) * 4096
    if sys.platform == "win32":
        return 0
    import resource

    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return int(most if sys.platform == "darwin" else most * 1024)


def no_memory(rows: int, length: int) -> UserError:
    """Return the error for a batch that does not fit the GPU."""
    return UserError(
        f"the GPU has no memory for {rows} row{'s' * (rows > 1)} of {length} tokens",
        "lower max_length in the [finetune] table, set quantize = true there, or use a smaller base",
    )


@contextmanager
def enough_memory() -> Iterator[None]:
    """Turn the errors of a CPU without memory into one for the user; a GPU's are handled where rows can be halved.

    :raises UserError: memory does not suffice.
    """
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        if isinstance(error, RuntimeError) and "allocate memory" not in str(error):
            raise
        raise UserError(
            "this machine has no memory left for the model",
            "lower max_length in the [finetune] table, end other programs, or use a smaller base",
        ) from error
