"""LoRA training on a set: what may be chosen, what is told on the way, what comes of it.

Importing this module imports no torch; ``train`` does, through ``training_loop``. Knows no repository and no registry:
it turns a base's folder and a set's folder into an adapter's folder.
"""

import importlib.util
import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Final

from finetune.dataset.build import Manifest
from finetune.training.launch import is_worker, launch
from indexer.errors import UserError
from indexer.fsio import hash_file
from indexer.prompt.renderer import PROMPT_FORMAT
from lsp_server.weights.adapter_registry import WEIGHTS
from lsp_server.weights.base_model import open_folder

_MAY_CHANGE: Final = frozenset({"max_minutes", "checkpoint_minutes", "processes"})
"""Options with which an interrupted run may be gone on with; with others it begins anew."""


@dataclass(frozen=True, slots=True)
class TrainingOptions:
    """How to train.

    :param rank, alpha: of LoRA, on all linear layers.
    :param learning_rate: peak; a cosine schedule with a warm-up of ``warmup_share`` of the steps.
    :param tokens_per_step: gradient accumulation: tokens whose losses make one optimizer step, over all processes.
    :param max_length: tokens of a packed row; longer samples are left out and counted.
    :param rows_per_batch: rows computed at once; halved when the GPU's memory does not suffice.
    :param max_minutes: wall clock after which training stops with what it has; None for no limit.
    :param left_weight: weight in the loss of what is not the middle (0: the middle alone).
    :param quantize: QLoRA, the base in 4 bits; needs bitsandbytes and CUDA.
    :param checkpoint_minutes: wall clock between checkpoints; 0 writes one after each step.
    :param processes: on this machine, one a GPU; without GPUs, on CPUs.
    :param threads: of torch on a CPU; None for all cores. Beside busy neighbours fewer are several times as fast.
    :param gradient_checkpointing: computes activations twice to hold fewer; None: on CUDA only.
    """

    rank: int = 16
    alpha: int = 32
    dropout: float = 0.0
    learning_rate: float = 2e-4
    warmup_share: float = 0.05
    weight_decay: float = 0.0
    epochs: float = 1.0
    tokens_per_step: int = 16_384
    max_length: int = 2176
    rows_per_batch: int = 4
    max_minutes: float | None = None
    seed: int = 0
    left_weight: float = 0.0
    quantize: bool = False
    checkpoint_minutes: float = 5.0
    gradient_checkpointing: bool | None = None
    threads: int | None = None
    processes: int = 1


@dataclass(frozen=True, slots=True)
class Progress:
    """How far training is: steps, the last step's mean loss, speed, seconds left, and bytes of memory in use."""

    step: int
    steps: int
    loss: float
    tokens_per_second: float
    eta_seconds: float
    memory_bytes: int


@dataclass(frozen=True, slots=True)
class TrainingResult:
    """What came of it.

    :param tokens: tokens trained on, in all steps and processes. :param seconds: wall clock of this run.
    :param loss_first, loss_last: mean loss of the first and of the last tenth of the steps.
    :param peak_bytes: of the GPU's memory, or of the process's on a CPU.
    :param stopped: ``done``, or ``budget`` where ``max_minutes`` ended it.
    :param notes: sentences that a person should read, such as a halved batch.
    :param validation_first, validation_last: loss on the validation samples before and after; None without any.
    """

    steps: int
    tokens: int
    seconds: float
    loss_first: float
    loss_last: float
    tokens_per_second: float
    peak_bytes: int
    stopped: str
    notes: tuple[str, ...] = ()
    validation_first: float | None = None
    validation_last: float | None = None
    processes: int = 1


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
        raise UserError(f"the set in {dataset} was made for another base than {folder.name}", "build the set again")
    if manifest.prompt.get("format") != PROMPT_FORMAT:
        raise UserError(f"the set in {dataset} was made for another prompt format", "build the set again")
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
