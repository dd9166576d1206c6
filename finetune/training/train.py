"""LoRA training on a set: what may be chosen, what is told on the way, what comes of it.

Importing this module imports no torch; ``train`` does, through ``training_loop``. Knows no repository and no registry:
it turns a base's folder and a set's folder into an adapter's folder.
"""

import importlib.util
import json
import time
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Final

from finetune.dataset.build import Manifest
from finetune.training.launch import is_worker, launch
from finetune.training.options import Progress, TrainingOptions, TrainingResult
from indexer.errors import UserError
from indexer.fsio import hash_file
from indexer.prompt.renderer import PROMPT_FORMAT
from lsp_server.weights.adapter_registry import WEIGHTS
from lsp_server.weights.base_model import open_folder

_MAY_CHANGE: Final = frozenset({"max_minutes", "checkpoint_minutes", "processes"})
"""Options with which an interrupted run may be gone on with; with others it begins anew."""


def train(
    base: Path,
    dataset: Path,
    out: Path,
    options: TrainingOptions,
    start: Path | None = None,
    progress: Callable[[Progress], None] | None = None,
) -> TrainingResult:
    """Trains an adapter into ``out``: ``adapter_model.safetensors`` and ``adapter_config.json``, as peft writes them.

    A run that was interrupted goes on from the last checkpoint in ``out/checkpoints``, if base, set and options are
    the same; a finished run removes its checkpoints.

    :param start: folder of an adapter to go on from; None starts anew.
    :raises UserError: what is missing or unusable, and the cure.
    """
    started = time.monotonic()
    if importlib.util.find_spec("torch") is None or importlib.util.find_spec("peft") is None:
        raise UserError("training needs torch, transformers and peft", "pip install 'ondol[model]'")
    folder = open_folder(base)
    if not folder.weights:
        raise UserError(f"{base} holds GGUF only, which cannot be trained", "fetch its safetensors weights")
    manifest = Manifest.from_file(dataset)
    if manifest.base != folder.identity:
        raise UserError(
            f"the set in {dataset} was made for another base than {folder.name}", "build the data set again"
        )
    if manifest.prompt.get("format") != PROMPT_FORMAT:
        raise UserError(f"the set in {dataset} was made for another prompt format", "build the data set again")
    if not manifest.samples:
        raise UserError(f"the set in {dataset} holds no samples", "take in more commits (--since)")
    if options.processes > 1 and not is_worker():
        return launch(base, dataset, out, options, start, progress)
    from finetune.training.loop import run

    settings = {key: value for key, value in asdict(options).items() if key not in _MAY_CHANGE}
    name = json.dumps([folder.identity, manifest.sha256, settings, _hash(start)], sort_keys=True)
    result = run(folder, dataset, dict(manifest.files), out, options, name, start, progress, started)
    return replace(result, notes=(f"{folder.name}: {folder.note}", *result.notes)) if folder.note else result


def _hash(start: Path | None) -> str:
    """What adapter a run goes on from."""
    weights = start / WEIGHTS if start else None
    if weights is None:
        return ""
    if not weights.is_file():
        raise UserError(f"{start} holds no {WEIGHTS}", "name an adapter's folder, or start from the base")
    return hash_file(weights)[1]
