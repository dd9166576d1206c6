"""Memory in use, and the error when a GPU has none left."""

import sys
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
