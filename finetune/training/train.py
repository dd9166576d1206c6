"""Trains a LoRA adapter on a data set: from a base's folder and a data set's folder to an adapter's folder.

Importing this module imports no torch; ``train`` does, through ``loop``.
"""

import importlib.util
import json
import logging
import os
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Final

from finetune.dataset.build import Manifest
from finetune.training.launch import is_worker, launch
from finetune.training.options import Progress, TrainingOptions, TrainingResult
from indexer.errors import UserError
from indexer.fsio import hash_file
from indexer.installation import install_command
from indexer.prompt.renderer import PROMPT_FORMAT
from lsp_server.weights.adapter_registry import WEIGHTS
from lsp_server.weights.base_model import ModelFolder, open_folder
from lsp_server.weights.gguf_reader import parts_of

_MAY_CHANGE: Final = frozenset({"max_minutes", "checkpoint_minutes", "processes"})
"""Options that may change when an interrupted run continues; with any other change it starts from scratch."""


def train(
    base: Path,
    dataset: Path,
    out: Path,
    options: TrainingOptions,
    start: Path | None = None,
    progress: Callable[[Progress], None] | None = None,
) -> TrainingResult:
    """Train an adapter into ``out``: ``adapter_model.safetensors`` and ``adapter_config.json``, as peft writes them.

    An interrupted run continues from the last checkpoint in ``out/checkpoints`` if base, data set and options are the
    same. A finished run removes its checkpoints.

    :param start: folder of an adapter to continue; None for a new one.
    :raises UserError: something is missing or unusable; the message says what to do.
    """
    started = time.monotonic()
    require_torch()
    folder = open_folder(base)
    manifest = _usable(folder, dataset)
    if options.processes > 1 and not is_worker():
        return launch(base, dataset, out, options, start, progress)
    from finetune.training.loop import TrainingJob, run

    settings = {key: value for key, value in options.identity().items() if key not in _MAY_CHANGE}
    name = json.dumps([folder.identity, manifest.sha256, settings, _hash(start)], sort_keys=True)
    job = TrainingJob(folder, dataset, dict(manifest.files), out, options, start, name, started)
    from finetune.training.memory import enough_memory

    with enough_memory():
        result = run(job, progress)
    return replace(result, notes=(f"{folder.name}: {folder.note}", *result.notes)) if folder.note else result


def require_torch() -> None:
    """Say so where the packages that training needs are missing, and keep them from the network.

    :raises UserError: one of them is not installed.
    """
    if importlib.util.find_spec("torch") is None or importlib.util.find_spec("peft") is None:
        raise UserError("training needs torch, transformers and peft", f"run: {install_command('model')}")
    # With AVX512-BF16 bitsandbytes, which peft imports, would fetch a faster kernel, or warn that it cannot.
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    logging.getLogger("bitsandbytes").setLevel(logging.ERROR)


def require_trainable(folder: ModelFolder) -> None:
    """Refuse a base whose weights cannot be read for training.

    :raises UserError: it is a split GGUF file, which transformers does not read.
    """
    if not folder.weights and len(parts_of(folder.gguf[0])) > 1:
        raise UserError(f"{folder.name} is a split GGUF file, which cannot be trained", "join its parts into one file")


def _usable(folder: ModelFolder, dataset: Path) -> Manifest:
    """Return the manifest of a data set that a base can be trained on."""
    require_trainable(folder)
    manifest = Manifest.from_file(dataset)
    if manifest.base != folder.identity:
        raise UserError(
            f"the data set in {dataset} was made for another base than {folder.name}", "build the data set again"
        )
    if manifest.prompt.get("format") != PROMPT_FORMAT:
        raise UserError(f"the data set in {dataset} was made for another prompt format", "build the data set again")
    if not manifest.samples:
        raise UserError(f"the data set in {dataset} holds no samples", "use more commits (--since)")
    return manifest


def _hash(start: Path | None) -> str:
    """Return the hash of the adapter that a run starts from; empty for a new one."""
    weights = start / WEIGHTS if start else None
    if weights is None:
        return ""
    if not weights.is_file():
        raise UserError(f"{start} holds no {WEIGHTS}", "name an adapter's folder, or start from the base")
    return hash_file(weights)[1]
