"""The training run: transformers' Trainer with our loss, our order of rows, our checkpoints, and an end in time.

Started by ``accelerate launch`` it runs on several processes; the first of them alone writes and tells. Knows folders
of a base, a set and an adapter; knows no repository and no registry.
"""

import errno
import json
import math
import sys
import time
from collections.abc import Callable
from dataclasses import asdict
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

import torch
from accelerate import PartialState
from transformers import PrinterCallback, Trainer, TrainerCallback, TrainingArguments, set_seed

from finetune.dataset.shards import TRAIN, VALIDATION, read
from finetune.training import checkpoints
from finetune.training.lora_model import Weighted, adapter_tensors, load, put_adapter, write_adapter
from finetune.training.options import Progress, TrainingOptions, TrainingResult
from finetune.training.sequence_packing import Collator, Row, Rows, Samples, pack, schedule
from indexer.errors import UserError
from lsp_server.backends.torch_backend import pick_device, pick_dtype
from lsp_server.weights.base_model import ModelFolder

CHECKPOINTS: Final = "checkpoints"
VALIDATION_ROWS: Final = 64
NO_SPACE: Final = (errno.ENOSPC, errno.EDQUOT)


class Run:
    """What a run knows of itself: its rows, how far it is, what it has to tell.

    :ivar losses: mean loss of each step so far, also of those before an interruption.
    """

    def __init__(self, options: TrainingOptions, samples: Samples, name: str, out: Path, started: float) -> None:
        self.options, self.name, self.out, self.started = options, name, out, started
        self.samples = samples
        self.state = PartialState()
        rows = pack(samples, options.max_length)
        mean = len(samples.ids) / max(1, len(rows))
        wanted = max(1, round(options.tokens_per_step / mean))
        processes = self.state.num_processes
        self.batch = max(1, min(options.rows_per_batch, -(-wanted // processes)))
        self.accumulation = max(1, round(wanted / (self.batch * processes)))
        self.rows = schedule(rows, options.epochs, options.seed)
        # Every process gets as many batches; accelerate would make up for missing rows by repeating others.
        self.rows += [()] * (-len(self.rows) % (self.batch * processes))
        self.rows_per_step = self.batch * self.accumulation * processes
        self.steps = -(-len(self.rows) // self.rows_per_step)
        self.losses: list[float] = []
        self.notes: list[str] = []
        self.stopped = "done"
        self.resumed_at = 0
        self.saved = started
        self.validation_first: float | None = None

    @property
    def main(self) -> bool:
        """Whether this process is the one that writes and tells."""
        return bool(self.state.is_main_process)

    def note(self, sentence: str) -> None:
        """Tells something once."""
        if sentence not in self.notes:
            self.notes.append(sentence)

    def tokens(self, first: int, last: int) -> int:
        """Tokens of the steps ``[first, last)``."""
        rows = self.rows[first * self.rows_per_step : last * self.rows_per_step]
        return sum(self.samples.length(number) for row in rows for number in row)

    def elapsed(self) -> float:
        """Seconds of this run."""
        return time.monotonic() - self.started

    def spent(self) -> float:
        """The part of the time budget that is used up; 0 without a budget."""
        minutes = self.options.max_minutes
        return 0.0 if minutes is None else self.elapsed() / max(1e-9, 60 * minutes)

    def rate(self, step: int) -> float:
        """Share of the full learning rate: a warm-up, then a cosine to the last step or to the end of the budget."""
        warm = max(1, round(self.options.warmup_share * self.steps))
        if step < warm:
            return (step + 1) / warm
        done = max((step - warm) / max(1, self.steps - warm), self.spent())
        return 0.5 * (1 + math.cos(math.pi * min(1.0, done)))


class LoraTrainer(Trainer):
    """The Trainer with weighted losses summed over a whole step, so that it does not matter how a step is cut up."""

    def __init__(self, run: Run, model: Weighted, args: TrainingArguments, callback: TrainerCallback) -> None:
        self._run = run
        self._parts = 1
        super().__init__(model, args, Collator(run.samples), Rows(run.rows), callbacks=[callback])
        self.remove_callback(PrinterCallback)
        self.model_accepts_loss_kwargs = False
        self.loss_is_scaled_for_ga = True

    def _get_train_sampler(self, train_dataset: Any = None) -> torch.utils.data.Sampler[int]:
        rows: Any = self.train_dataset
        return torch.utils.data.SequentialSampler(rows)  # they are in their order already

    def _get_num_items_in_batch(self, batch_samples: list[dict[str, torch.Tensor]], device: torch.device) -> Any:
        total = torch.stack([batch["weights"].sum() for batch in batch_samples]).sum().clamp(min=1e-6).to(device)
        return self.accelerator.reduce(total, "sum")

    def compute_loss(
        self, model: Any, inputs: dict[str, torch.Tensor], return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> Any:
        """This batch's part of the step's mean loss, times the processes, whose gradients are averaged."""
        loss = model(**inputs) * (self.accelerator.num_processes / num_items_in_batch)
        return (loss, {}) if return_outputs else loss

    def training_step(self, model: Any, inputs: dict[str, torch.Tensor], num_items_in_batch: Any = None) -> Any:
        """As the Trainer's; a batch that the GPU has no memory for is taken in two halves, from then on."""
        rows = len(inputs["input_ids"])
        before = [None if one.grad is None else one.grad.clone() for one in self._trained()] if self._wary else []
        while True:
            size = max(1, -(-rows // self._parts))
            try:
                parts = [{k: v[at : at + size] for k, v in inputs.items()} for at in range(0, rows, size)]
                return sum(super(LoraTrainer, self).training_step(model, part, num_items_in_batch) for part in parts)
            except torch.OutOfMemoryError as error:
                if size == 1 or self._run.state.num_processes > 1:
                    raise _no_memory(size, self._run.options.max_length) from error
            self._parts *= 2
            self._run.note(f"The GPU's memory did not suffice for {size} rows at once: {-(-size // 2)} from then on.")
            for one, gradient in zip(self._trained(), before, strict=True):
                one.grad = gradient
            if torch.cuda.is_available():
                torch.cuda.empty_cache()

    @property
    def _wary(self) -> bool:
        """Whether gradients are kept for the case that memory runs out in the middle of a batch."""
        return bool(self._run.state.num_processes == 1) and self._run.batch > 1

    def _trained(self) -> list[torch.nn.Parameter]:
        model: Any = self.model
        return [one for one in model.parameters() if one.requires_grad]

    def create_scheduler(self, num_training_steps: int, optimizer: Any = None) -> Any:
        """See ``Run.rate``."""
        optimizer = self.optimizer if optimizer is None else optimizer
        self.lr_scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, self._run.rate)
        self._created_lr_scheduler = True
        return self.lr_scheduler

    # Checkpoints: ours instead of pickled ones

    def _save_checkpoint(self, model: Any, trial: Any) -> None:
        run, step = self._run, self.state.global_step
        run.saved = time.monotonic()
        if not run.main:
            return
        schedule: Any = self.lr_scheduler
        numbers = {
            "run": run.name,
            "step": step,
            "losses": run.losses,
            "validation_first": run.validation_first,
            "notes": run.notes,
            "schedule": {name: getattr(schedule, name) for name in ("last_epoch", "_step_count", "_last_lr")},
        }
        trainer = json.dumps({**asdict(self.state), "log_history": [], "stateful_callbacks": {}})
        try:
            checkpoints.save_checkpoint(
                run.out / CHECKPOINTS, step, adapter_tensors(self._bare()), self.optimizer, trainer, numbers
            )
        except OSError as error:
            if error.errno not in NO_SPACE:
                raise
            run.note(f"The disk is full: the checkpoint of step {step} was not written; the one before it is kept.")

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: Any = None) -> None:
        put_adapter(self._bare(), checkpoints.adapter_of(Path(resume_from_checkpoint)))

    def _load_optimizer_and_scheduler(self, checkpoint: str | None) -> None:
        if checkpoint is None:
            return
        checkpoints.restore_optimizer(Path(checkpoint), self.optimizer)
        numbers = json.loads((Path(checkpoint) / checkpoints.NUMBERS).read_text("utf-8"))
        for key, value in numbers["schedule"].items():
            setattr(self.lr_scheduler, key, value)

    def _load_rng_state(self, checkpoint: str | None) -> None:
        if checkpoint is not None:
            checkpoints.restore_random(Path(checkpoint))

    def _bare(self) -> Weighted:
        found: Weighted = self.accelerator.unwrap_model(self.model)
        return found

    def final(self) -> tuple[Weighted, dict[str, torch.Tensor]]:
        """The model and its adapter's tensors, gathered where they are spread over processes."""
        state = self.accelerator.get_state_dict(self.model) if self.is_fsdp_enabled else None
        return self._bare(), adapter_tensors(self._bare(), state)


class RunCallback(TrainerCallback):
    """Follows a run step by step: tells progress, asks for checkpoints, ends it in time."""

    def __init__(self, run: Run, tell: Callable[[Progress], None] | None) -> None:
        self._run = run
        self._tell = tell
        self._begun = time.monotonic()
        self._longest = 0.0
        self._at = time.monotonic()

    def on_train_begin(self, args: Any, state: Any, control: Any, **rest: Any) -> Any:
        """The clock of the speed begins here, behind all loading."""
        self._begun = self._at = time.monotonic()

    def on_log(self, args: Any, state: Any, control: Any, logs: dict[str, float] | None = None, **rest: Any) -> Any:
        """A step's loss, the mean over its weights in all processes."""
        loss = (logs or {}).get("loss")
        if loss is None:
            return
        if not math.isfinite(loss):
            raise UserError(f"training diverged at step {state.global_step}", "lower the learning rate")
        run = self._run
        run.losses.append(loss)
        if self._tell is not None and run.main:
            seconds = max(1e-9, time.monotonic() - self._begun)
            done = state.global_step - run.resumed_at
            speed = run.tokens(run.resumed_at, state.global_step) / seconds
            left = seconds / max(1, done) * (run.steps - state.global_step)
            if run.options.max_minutes is not None:
                left = min(left, max(0.0, 60 * run.options.max_minutes - run.elapsed()))
            self._tell(Progress(state.global_step, run.steps, loss, speed, left, memory()))

    def on_step_end(self, args: Any, state: Any, control: Any, **rest: Any) -> Any:
        """Whether to save, and whether another step still fits into the budget."""
        run, now = self._run, time.monotonic()
        self._longest, self._at = max(self._longest, now - self._at), now
        last = state.global_step >= run.steps
        if not last and now - run.saved >= 60 * run.options.checkpoint_minutes:
            control.should_save = True
        minutes = run.options.max_minutes
        over = minutes is not None and run.elapsed() + self._longest > 60 * minutes
        if minutes is not None and _anywhere(over) and not last:
            control.should_training_stop = True
            run.stopped = "budget"


def run(
    folder: ModelFolder,
    dataset: Path,
    files: dict[str, Any],
    out: Path,
    options: TrainingOptions,
    name: str,
    start: Path | None,
    progress: Callable[[Progress], None] | None,
    started: float,
) -> TrainingResult:
    """Trains; see ``training.train``, which has checked everything that can be checked without torch.

    :param name: tells this run from others, by base, set, options and start.
    """
    args = _arguments(out, options)
    if options.threads is not None:
        torch.set_num_threads(options.threads)
    samples = Samples.gather(read(dataset, files, TRAIN), options.max_length, options.left_weight)
    apart = Samples.gather(read(dataset, files, VALIDATION), options.max_length, 0.0)
    if not len(samples):
        raise UserError(f"{dataset} holds no sample of at most {options.max_length} tokens", "raise max_length")
    current = Run(options, samples, sha256(f"{name} {args.world_size}".encode()).hexdigest(), out, started)
    if samples.too_long:
        current.note(f"{samples.too_long:,} samples of more than {options.max_length:,} tokens were left out.")
    args.per_device_train_batch_size, args.gradient_accumulation_steps = current.batch, current.accumulation
    set_seed(options.seed)
    model = load(folder, options, start)
    trainer = LoraTrainer(current, model, args, RunCallback(current, progress if current.main else None))
    resume = _resume(current, trainer)
    if trainer.is_fsdp_enabled:  # the spread model has no forward pass outside of the training's
        apart = Samples.gather([], options.max_length, 0.0)
    if resume is None:
        current.validation_first = validate(model, apart, options.max_length)
        set_seed(options.seed)
    began = time.monotonic()
    trainer.train(resume_from_checkpoint=str(resume.path) if resume else None)
    seconds = time.monotonic() - began
    steps = int(trainer.state.global_step)
    bare, tensors = trainer.final()
    last = validate(bare, apart, options.max_length)
    if current.main:
        _finish(current, bare, folder.name, tensors)
    current.state.wait_for_everyone()
    tokens = current.tokens(0, steps)
    return TrainingResult(
        steps=steps,
        tokens=tokens,
        seconds=round(time.monotonic() - started, 3),
        loss_first=_mean(current.losses, first=True),
        loss_last=_mean(current.losses, first=False),
        tokens_per_second=round(current.tokens(current.resumed_at, steps) / max(1e-9, seconds), 1),
        peak_bytes=memory(peak=True),
        stopped=current.stopped,
        notes=tuple(current.notes),
        validation_first=current.validation_first,
        validation_last=last,
        processes=int(current.state.num_processes),
    )


def _arguments(out: Path, options: TrainingOptions) -> TrainingArguments:
    """What of the Trainer is used; everything else of it is off."""
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
    args._n_gpu = min(1, args.n_gpu)  # one process, one GPU: several are accelerate's business
    return args


def _resume(run: Run, trainer: LoraTrainer) -> checkpoints.Checkpoint | None:
    """The checkpoint to go on from; those of other runs are removed."""
    folder = run.out / CHECKPOINTS
    found = None if trainer.is_fsdp_enabled else checkpoints.newest(folder, run.name)
    if trainer.is_fsdp_enabled:
        run.saved = math.inf
        run.note("With FSDP no checkpoints are written: an interrupted run begins anew.")
    run.state.wait_for_everyone()
    if run.main:
        checkpoints.clear(folder, keep=found.path if found else None)
    run.state.wait_for_everyone()
    if found is not None:
        run.resumed_at = found.step
        run.losses = list(found.numbers["losses"])
        run.validation_first = found.numbers["validation_first"]
        run.notes = list(dict.fromkeys([*found.numbers["notes"], *run.notes, f"Went on from step {found.step}."]))
    return found


def _finish(run: Run, model: Weighted, base: str, tensors: dict[str, torch.Tensor]) -> None:
    """Writes the adapter; the checkpoints go once it is there."""
    try:
        write_adapter(run.out, model, base, tensors)
    except OSError as error:
        if error.errno not in NO_SPACE:
            raise
        raise UserError(
            f"{run.out} has no space left for the adapter", "free some, and run again: it goes on"
        ) from error
    checkpoints.clear(run.out / CHECKPOINTS)


def validate(model: Weighted, samples: Samples, max_length: int) -> float | None:
    """The mean loss of samples that are not trained on; None if there are none."""
    if not len(samples):
        return None
    device = next(model.parameters()).device
    collate, total, weight = Collator(samples), 0.0, 0.0
    model.eval()
    with torch.no_grad(), torch.autocast(device.type, torch.bfloat16, enabled=pick_dtype(device) == torch.bfloat16):
        rows: list[Row] = pack(samples, max_length)[:VALIDATION_ROWS]
        for row in rows:
            batch = {key: value.to(device) for key, value in collate([row]).items()}
            try:
                total += float(model(**batch))
            except torch.OutOfMemoryError as error:
                raise _no_memory(1, max_length) from error
            weight += float(batch["weights"].sum())
    return round(total / weight, 5) if weight else None


def _no_memory(rows: int, length: int) -> UserError:
    return UserError(
        f"the GPU has no memory for {rows} row{'s' * (rows > 1)} of {length} tokens",
        "lower max_length or rows_per_batch, quantize the base, or take a smaller one",
    )


def memory(*, peak: bool = False) -> int:
    """Bytes in use, or the most there were: of the GPU, or of this process without one. 0 where it is not known."""
    if torch.cuda.is_available():
        return int(torch.cuda.max_memory_allocated() if peak else torch.cuda.memory_allocated())
    if not peak and sys.platform == "linux":
        return int(Path("/proc/self/statm").read_text("ascii").split()[1]) * 4096
    if sys.platform == "win32":
        return 0
    import resource

    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return int(most if sys.platform == "darwin" else most * 1024)


def _anywhere(flag: bool) -> bool:
    """Whether any process says so, so that all of them stop at the same step."""
    if not torch.distributed.is_initialized():
        return flag
    said = torch.tensor(float(flag), device=pick_device())
    torch.distributed.all_reduce(said, torch.distributed.ReduceOp.MAX)
    return bool(said.item())


def _mean(losses: list[float], *, first: bool) -> float:
    count = max(1, len(losses) // 10)
    part = losses[:count] if first else losses[-count:]
    return round(sum(part) / max(1, len(part)), 5)
