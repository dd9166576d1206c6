"""Runs a training from the data set's samples to the adapter's files.

Under ``accelerate launch`` it runs in several processes; only the first of them writes files and reports.
"""

import math
import time
from collections.abc import Callable
from dataclasses import astuple, dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import torch
from transformers import TrainingArguments, set_seed

from finetune.dataset.shards import TRAIN, VALIDATION, read
from finetune.training import checkpoints
from finetune.training.lora_model import Weighted, fixed_length, load, write_adapter
from finetune.training.memory import memory, no_memory
from finetune.training.options import Progress, TrainingOptions, TrainingResult
from finetune.training.run import Run, Validated
from finetune.training.sequence_packing import Collator, Row, Samples, pack
from finetune.training.trainer import CHECKPOINTS, NO_SPACE, LoraTrainer, RunCallback
from indexer.errors import UserError
from lsp_server.backends.torch_backend import pick_device, pick_dtype
from lsp_server.weights.base_model import ModelFolder


@dataclass(frozen=True, slots=True)
class TrainingJob:
    """What to train.

    :param dataset: folder of the data set; ``files`` are its shards as its manifest lists them.
    :param out: folder for the adapter and the checkpoints.
    :param start: folder of an adapter to continue; None for a new one.
    :param name: identity of the run: base, data set, options and start.
    :param started: time of the start, by the monotonic clock.
    """

    base: ModelFolder
    dataset: Path
    files: dict[str, Any]
    out: Path
    options: TrainingOptions
    start: Path | None
    name: str
    started: float


def run(job: TrainingJob, progress: Callable[[Progress], None] | None) -> TrainingResult:
    """Train an adapter; ``training.train`` has already checked everything that can be checked without torch.

    :raises UserError: no sample is short enough, the model cannot be loaded, or memory or disk space runs out.
    """
    options = job.options
    if options.threads is not None:
        torch.set_num_threads(options.threads)
    validation = Samples.gather(read(job.dataset, job.files, VALIDATION), options.max_length, 0.0)
    current, args = _prepare(job)
    set_seed(options.seed)
    model = load(job.base, options, job.start)
    trainer = LoraTrainer(current, model, args, RunCallback(current, progress if current.main else None))
    resume = _resume(current, trainer)
    if trainer.is_fsdp_enabled:  # a model that is spread over processes has no forward pass outside of training
        validation = Samples.gather([], options.max_length, 0.0)
    if resume is None:
        current.validation_first = validate(current, model, validation)
        set_seed(options.seed)
    began = time.monotonic()
    trainer.train(resume_from_checkpoint=str(resume.path) if resume else None)
    seconds = time.monotonic() - began
    steps = int(trainer.state.global_step)
    bare, tensors = trainer.final()
    validation_last = validate(current, bare, validation)
    if current.main:
        _finish(current, bare, job.base.name, tensors)
    current.state.wait_for_everyone()
    return TrainingResult(
        steps=steps,
        tokens=current.tokens(0, steps),
        seconds=round(time.monotonic() - job.started, 3),
        loss_first=_mean(current.losses, first=True),
        loss_last=_mean(current.losses, first=False),
        tokens_per_second=round(current.tokens(current.resumed_at, steps) / max(1e-9, seconds), 1),
        peak_bytes=memory(peak=True),
        stopped=current.stopped,
        notes=tuple(current.notes),
        validation_first=current.validation_first,
        validation_last=validation_last,
        processes=int(current.state.num_processes),
    )


def _prepare(job: TrainingJob) -> tuple[Run, TrainingArguments]:
    """Return the state of a new run over the job's samples, and the Trainer's arguments."""
    options = job.options
    args = _arguments(job.out, options)
    samples = Samples.gather(read(job.dataset, job.files, TRAIN), options.max_length, options.prompt_loss_weight)
    if not len(samples):
        raise UserError(
            f"{job.dataset} holds no sample of at most {options.max_length} tokens",
            "raise max_length in the [finetune] table",
        )
    name = sha256(f"{job.name} {args.world_size}".encode()).hexdigest()
    current = Run(options, samples, name, job.out, job.started)
    if samples.too_long:
        current.note(f"{samples.too_long:,} samples of more than {options.max_length:,} tokens were left out.")
    args.per_device_train_batch_size, args.gradient_accumulation_steps = current.batch, current.accumulation
    return current, args


def _arguments(out: Path, options: TrainingOptions) -> TrainingArguments:
    """Return the Trainer's arguments; everything that is not used is off."""
    device = pick_device()
    dtype = pick_dtype(device)
    args = TrainingArguments(
        output_dir=str(out / CHECKPOINTS),
        num_train_epochs=1,
        learning_rate=options.learning_rate,
        weight_decay=options.weight_decay,
        max_grad_norm=1.0,
        optim="adamw_torch",
        adam_beta2=0.99,
        bf16=dtype == torch.bfloat16,
        fp16=dtype == torch.float16 and device.type == "cuda",
        use_cpu=device.type == "cpu",
        logging_steps=1,
        logging_nan_inf_filter=False,
        save_strategy="no",
        report_to=[],
        disable_tqdm=True,
        log_level="error",
        seed=options.seed,
        remove_unused_columns=False,
        dataloader_pin_memory=device.type == "cuda",
        dataloader_num_workers=0,
        ddp_find_unused_parameters=False,
    )
    args._n_gpu = min(1, args.n_gpu)  # one GPU for each process; accelerate starts several processes
    return args


def _resume(run: Run, trainer: LoraTrainer) -> checkpoints.Checkpoint | None:
    """Return the checkpoint to continue from; remove those of other runs."""
    folder = run.out / CHECKPOINTS
    found = None if trainer.is_fsdp_enabled else checkpoints.newest(folder, run.name)
    if trainer.is_fsdp_enabled:
        run.saved = math.inf
        run.note("With FSDP no checkpoints are written: an interrupted run starts from scratch.")
    run.state.wait_for_everyone()
    if run.main:
        checkpoints.clear(folder, keep=found.path if found else None)
    run.state.wait_for_everyone()
    if found is not None:
        run.resumed_at = found.step
        run.losses = list(found.numbers["losses"])
        run.validation_first = found.numbers["validation_first"]
        run.validated = Validated(*found.numbers.get("validated", astuple(run.validated)))
        run.notes = list(
            dict.fromkeys([*found.numbers["notes"], *run.notes, f"Training continued from step {found.step}."])
        )
    return found


def _finish(run: Run, model: Weighted, base: str, tensors: dict[str, torch.Tensor]) -> None:
    """Write the adapter, then remove the checkpoints."""
    try:
        write_adapter(run.out, model, base, tensors)
    except OSError as error:
        if error.errno not in NO_SPACE:
            raise
        raise UserError(
            f"{run.out} has no space left for the adapter", "free some space and run again: training continues"
        ) from error
    checkpoints.clear(run.out / CHECKPOINTS)


def validate(run: Run, model: Weighted, samples: Samples) -> float | None:
    """Return the mean loss of samples that are not trained on; None if there are none.

    In a run with a time limit the first call ends when a share of the limit is over, and later calls take as many rows.
    """
    if not len(samples):
        return None
    options, began, done, first = run.options, time.monotonic(), 0, run.validated.seconds is None
    device = next(model.parameters()).device
    collate, total, weight = Collator(samples, fixed_length(options.max_length)), 0.0, 0.0
    model.eval()
    with torch.no_grad(), torch.autocast(device.type, torch.bfloat16, enabled=pick_dtype(device) == torch.bfloat16):
        rows: list[Row] = pack(samples, options.max_length)[: run.validated.rows]
        for row in rows:
            batch = {key: value.to(device) for key, value in collate([row]).items()}
            try:
                total += float(model(**batch))
            except torch.OutOfMemoryError as error:
                raise no_memory(1, options.max_length) from error
            weight += float(batch["weights"].sum())
            done += 1
            if first and done < len(rows) and run.is_validated_long_enough(time.monotonic() - began):
                run.note(f"The time limit cut the validation samples to {done:,} of {len(rows):,} rows.")
                break
    if first:
        run.validated = Validated(done, time.monotonic() - began)
    return round(total / weight, 5) if weight else None


def _mean(losses: list[float], *, first: bool) -> float:
    count = max(1, len(losses) // 10)
    part = losses[:count] if first else losses[-count:]
    return round(sum(part) / max(1, len(part)), 5)
