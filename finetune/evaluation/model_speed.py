"""Measures how fast a model reads and writes on this machine, and says how long prompts of a replay may be.

It runs the very classes that serve an editor. A machine that is busy all the time is measured as it is.
"""

import time
from typing import Any, Final

from indexer.config import Settings
from indexer.prompt.renderer import PromptInput
from lsp_server.backends.base import Limits
from lsp_server.backends.loading import load_local
from lsp_server.model.factory import PROMPT_TOKENS

SHORTEST_PROMPT: Final = 512
PROMPT_SECONDS: Final = 2.0
"""On a slow machine prompts are as long as the model reads in this time, since a server could not wait for longer ones
either; but at least ``SHORTEST_PROMPT`` tokens."""

READ: Final = 192
"""Tokens of a measured prompt."""

WRITTEN: Final = 12
TURNS: Final = 3
"""The fastest turn counts: the first one fills caches, and another program may work during any of them."""

LINE: Final = "def total(values):\n    return sum(value * 2 for value in values)\n\n\n"
_GRAIN: Final = 64


def prompt_limit(prefill: float) -> int:
    """Return how many tokens a prompt may have.

    :param prefill: tokens of a prompt that the model reads in a second.
    """
    return min(PROMPT_TOKENS, max(SHORTEST_PROMPT, round(prefill * PROMPT_SECONDS / _GRAIN) * _GRAIN))


def serving_speed(settings: Settings) -> tuple[float, float]:
    """Return the tokens per second of reading and of writing."""
    backend: Any = load_local(settings, READ + WRITTEN, lambda problem: None)
    try:
        read = write = 0.0
        for turn in range(TURNS):
            text = f"# {turn}\n" + LINE * READ
            prompt = backend.render(PromptInput(f"probe_{turn}.py", text[: 2 * READ], ""))
            began = time.perf_counter()
            backend.generate(prompt, Limits(max_tokens=1, single_line=False))
            first = time.perf_counter()
            made = backend.generate(prompt, Limits(max_tokens=WRITTEN, single_line=False, max_lines=WRITTEN))
            ended = time.perf_counter()
            read = max(read, len(prompt.ids) / max(1e-6, first - began))
            write = max(write, max(1, made.forwards) / max(1e-6, ended - first))
        return read, write
    finally:
        backend.close()
