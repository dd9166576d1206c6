"""What this machine can carry: its cores, its memory, and how large a model fits into it. For ``ondol doctor``."""

import os
from pathlib import Path
from typing import Any, Final

from lsp_server.backends import memory

_BYTES_OF_A_PARAMETER: Final = 0.6
"""In a file of 4 bits (Q4_K_M): 4.8 bits."""

_REST: Final = 1.0e9
"""Bytes for the cache, the rest of the model and other programs."""

_QUICK: Final = 0.2e9
"""Parameters from which one core computes a prompt of 384 tokens in more than 2 s; with 0.135e9 it took 1.2 s."""


def describe() -> dict[str, Any]:
    """Facts about the machine, and one sentence about the models that fit."""
    total, free = memory.total(), memory.available()
    gpu = Path("/dev/nvidia0").exists() or Path("/dev/dxg").exists()
    facts: dict[str, Any] = {"cores": os.cpu_count() or 1, "gpu": gpu}
    if total is not None:
        facts["memory_gb"] = round(total / 1e9, 1)
    if free is not None:
        facts |= {"free_gb": round(free / 1e9, 1), "carries": carried(free, gpu=gpu)}
    return facts


def carried(free: int, *, gpu: bool) -> str:
    """Which models fit into ``free`` bytes of memory.

    :param gpu: there is a GPU, whose own memory counts for a model that runs on it.
    """
    parameters = (free - _REST) / _BYTES_OF_A_PARAMETER
    if parameters < 0.1e9:
        return "no model fits; retrieval needs none"
    fits = f"a GGUF of 4 bits with up to {parameters / 1e9:.1f}B parameters fits"
    if gpu:
        return f"{fits} into memory; on the GPU its own memory decides"
    quick = min(parameters, _QUICK * max(1, (os.cpu_count() or 2) - 1))
    return (
        f"{fits}; to keep up with typing without a GPU, up to about {quick / 1e9:.1f}B (estimated, not measured here)"
    )
