"""Measures the speeds that a nightly run is planned by: training, reading a prompt and writing, each for seconds.

It runs the very classes of the training. The fastest of a few turns counts, since another program may work in one.
"""

import gc
import math
import time
from dataclasses import replace
from typing import Final

from finetune.evaluation.model_speed import LINE, TURNS, serving_speed
from finetune.nightly.plan import Speeds
from finetune.training.options import TrainingOptions
from indexer.config import Settings
from lsp_server.weights.base_model import ModelFolder

TRAINED: Final = 256
"""Tokens of a measured training step."""


def measure(base: ModelFolder, settings: Settings, options: TrainingOptions) -> Speeds:
    """Return the speeds of a base on this machine, with the options of a training."""
    prefill, decode = serving_speed(settings)
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
    ids = torch.tensor([(base.vocabulary.encode(LINE) * TRAINED)[:TRAINED]], device=device)
    positions = torch.arange(TRAINED, device=device)[None]
    weights = (positions % 2 == 0).float()
    fastest = math.inf
    for _ in range(TURNS):
        began = time.perf_counter()
        with torch.autocast(device.type, torch.bfloat16, enabled=pick_dtype(device) == torch.bfloat16):
            loss = model(ids, positions, ids.roll(-1, 1), weights)
        loss.backward()
        float(loss.detach())  # waits for a GPU
        fastest = min(fastest, time.perf_counter() - began)
    return options.processes * TRAINED / max(1e-6, fastest), device.type == "cpu"
