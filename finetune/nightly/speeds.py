"""Measures the speeds that a nightly run is planned by: training, reading a prompt and writing, each for seconds.

It runs the very classes of the training and of the replay. A machine that is busy now is measured as it is now.
"""

import gc
import time
from dataclasses import replace
from typing import Any, Final

from finetune.nightly.plan import Speeds
from finetune.training.options import TrainingOptions
from indexer.config import Settings
from indexer.prompt.renderer import PromptInput
from lsp_server.backends.base import Limits
from lsp_server.backends.loading import load_local
from lsp_server.weights.base_model import ModelFolder

TRAINED: Final = 256
"""Tokens of a measured training step."""

READ: Final = 192
"""Tokens of a measured prompt."""

WRITTEN: Final = 12
TURNS: Final = 2
"""The first turn reads files and fills caches, so the last one counts."""

_LINE: Final = "def total(values):\n    return sum(value * 2 for value in values)\n\n\n"


def measure(base: ModelFolder, settings: Settings, options: TrainingOptions) -> Speeds:
    """Return the speeds of a base on this machine, with the options of a training."""
    prefill, decode = _serving(settings)
    gc.collect()
    training, on_cpu = _training(base, options)
    gc.collect()
    return Speeds(training, prefill, decode, on_cpu)


def _training(base: ModelFolder, options: TrainingOptions) -> tuple[float, bool]:
    """Return the tokens per second of one process times the number of processes, and whether that is on the CPU."""
    import torch

    from finetune.training.lora_model import load
    from lsp_server.backends.torch_backend import pick_device, pick_dtype

    if options.threads is not None:
        torch.set_num_threads(options.threads)
    device = pick_device()
    rows = 1 if device.type == "cpu" else options.rows_per_batch
    model = load(base, replace(options, processes=1, rows_per_batch=rows), None).to(device).train()
    ids = torch.tensor([(base.vocabulary.encode(_LINE) * TRAINED)[:TRAINED]], device=device)
    positions = torch.arange(TRAINED, device=device)[None]
    weights = (positions % 2 == 0).float()
    seconds = 0.0
    for _ in range(TURNS):
        began = time.perf_counter()
        with torch.autocast(device.type, torch.bfloat16, enabled=pick_dtype(device) == torch.bfloat16):
            loss = model(ids, positions, ids.roll(-1, 1), weights)
        loss.backward()
        float(loss.detach())  # waits for a GPU
        seconds = time.perf_counter() - began
    return options.processes * TRAINED / max(1e-6, seconds), device.type == "cpu"


def _serving(settings: Settings) -> tuple[float, float]:
    """Return the tokens per second of reading and of writing."""
    backend: Any = load_local(settings, READ + WRITTEN, lambda problem: None)
    try:
        read = write = 1.0
        for turn in range(TURNS):
            text = f"# {turn}\n" + _LINE * READ
            prompt = backend.render(PromptInput(f"probe_{turn}.py", text[: 2 * READ], ""))
            began = time.perf_counter()
            backend.generate(prompt, Limits(max_tokens=1, single_line=False))
            first = time.perf_counter()
            made = backend.generate(prompt, Limits(max_tokens=WRITTEN, single_line=False, max_lines=WRITTEN))
            read = len(prompt.ids) / max(1e-6, first - began)
            write = max(1, made.forwards) / max(1e-6, time.perf_counter() - first)
        return read, write
    finally:
        backend.close()
