"""transformers' Trainer with a weighted loss, a fixed order of rows, checkpoints without pickle, and a time limit."""

import errno
import json
import math
import time
from collections.abc import Callable
from dataclasses import asdict, astuple
from pathlib import Path
from typing import Any, Final

import torch
from transformers import PrinterCallback, Trainer, TrainerCallback, TrainingArguments

from finetune.training import checkpoints
from finetune.training.lora_model import Weighted, adapter_tensors, fixed_length, put_adapter
from finetune.training.memory import memory, no_memory
from finetune.training.options import Progress
from finetune.training.run import Run
from finetune.training.sequence_packing import Collator, Rows
from indexer.errors import UserError
from lsp_server.backends.torch_backend import pick_device

CHECKPOINTS: Final = "checkpoints"
NO_SPACE: Final = (errno.ENOSPC, errno.EDQUOT)


class LoraTrainer(Trainer):
    """A Trainer that normalises the weighted loss over a whole step, however the step is divided into batches."""

    def __init__(self, run: Run, model: Weighted, args: TrainingArguments, callback: TrainerCallback) -> None:
        self._run = run
        self._parts = 1
        collate = Collator(run.samples, fixed_length(run.options.max_length))
        super().__init__(model, args, collate, Rows(run.rows), callbacks=[callback])
        self.remove_callback(PrinterCallback)
        self.model_accepts_loss_kwargs = False
        self.loss_is_scaled_for_ga = True

    def _get_train_sampler(self, train_dataset: Any = None) -> torch.utils.data.Sampler[int]:
        rows: Any = self.train_dataset
        return torch.utils.data.SequentialSampler(rows)  # the rows are in the order of training

    def _get_num_items_in_batch(self, batch_samples: list[dict[str, torch.Tensor]], device: torch.device) -> Any:
        total = torch.stack([batch["weights"].sum() for batch in batch_samples]).sum().clamp(min=1e-6).to(device)
        return self.accelerator.reduce(total, "sum")

    def compute_loss(
        self, model: Any, inputs: dict[str, torch.Tensor], return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> Any:
        """Return this batch's part of the step's mean loss, times the processes, whose gradients are averaged."""
        loss = model(**inputs) * (self.accelerator.num_processes / num_items_in_batch)
        return (loss, {}) if return_outputs else loss

    def training_step(self, model: Any, inputs: dict[str, torch.Tensor], num_items_in_batch: Any = None) -> Any:
        """Do one step; halve the batches from now on if the GPU's memory does not suffice."""
        rows = len(inputs["input_ids"])
        before = [None if one.grad is None else one.grad.clone() for one in self._trained()] if self._wary else []
        while True:
            size = max(1, -(-rows // self._parts))
            try:
                parts = [{k: v[at : at + size] for k, v in inputs.items()} for at in range(0, rows, size)]
                return sum(super(LoraTrainer, self).training_step(model, part, num_items_in_batch) for part in parts)
            except torch.OutOfMemoryError as error:
                if size == 1 or self._run.state.num_processes > 1:
                    raise no_memory(size, self._run.options.max_length) from error
            self._parts *= 2
            self._run.note(
                f"The GPU's memory does not hold {size} rows at once, so batches have {-(-size // 2)} rows from now on."
            )
            for one, gradient in zip(self._trained(), before, strict=True):
                one.grad = gradient
            if torch.cuda.is_available():
                torch.cuda.empty_cache()

    @property
    def _wary(self) -> bool:
        """Whether gradients are kept in case memory runs out within a batch."""
        return bool(self._run.state.num_processes == 1) and self._run.batch > 1

    def _trained(self) -> list[torch.nn.Parameter]:
        model: Any = self.model
        return [one for one in model.parameters() if one.requires_grad]

    def create_scheduler(self, num_training_steps: int, optimizer: Any = None) -> Any:
        """Create the schedule of ``Run.rate``."""
        optimizer = self.optimizer if optimizer is None else optimizer
        self.lr_scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, self._run.rate)
        self._created_lr_scheduler = True
        return self.lr_scheduler

    # The Trainer would pickle its checkpoints; the next methods write and read ``checkpoints`` instead.

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
            "validated": astuple(run.validated),
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
            run.note(f"The disk is full: the checkpoint of step {step} was not written; the previous one is kept.")

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
        """Return the model and its adapter's tensors, gathered if they are spread over processes."""
        state = self.accelerator.get_state_dict(self.model) if self.is_fsdp_enabled else None
        return self._bare(), adapter_tensors(self._bare(), state)


class RunCallback(TrainerCallback):
    """Follows a run step by step: reports progress, requests checkpoints, and stops at the time limit."""

    def __init__(self, run: Run, report: Callable[[Progress], None] | None) -> None:
        self._run = run
        self._report = report
        self._begun = time.monotonic()
        self._longest = 0.0
        self._at = time.monotonic()

    def on_train_begin(self, args: Any, state: Any, control: Any, **rest: Any) -> Any:
        """Start to measure the speed, after all loading."""
        self._begun = self._at = time.monotonic()

    def on_log(self, args: Any, state: Any, control: Any, logs: dict[str, float] | None = None, **rest: Any) -> Any:
        """Record a step's loss, the weighted mean over all processes, and report progress."""
        loss = (logs or {}).get("loss")
        if loss is None:
            return
        if not math.isfinite(loss):
            raise UserError(
                f"training diverged at step {state.global_step}", "lower learning_rate in the [finetune] table"
            )
        run = self._run
        run.losses.append(loss)
        if self._report is not None and run.main:
            seconds = max(1e-9, time.monotonic() - self._begun)
            done = state.global_step - run.resumed_at
            speed = run.tokens(run.resumed_at, state.global_step) / seconds
            left = seconds / max(1, done) * (run.steps - state.global_step)
            if run.options.max_minutes is not None:
                left = min(left, max(0.0, 60 * run.options.max_minutes - run.elapsed()))
            self._report(Progress(state.global_step, run.steps, loss, speed, left, memory()))

    def on_step_end(self, args: Any, state: Any, control: Any, **rest: Any) -> Any:
        """Decide whether to save a checkpoint, and whether another step fits into the time limit."""
        run, now = self._run, time.monotonic()
        self._longest, self._at = max(self._longest, now - self._at), now
        last = state.global_step >= run.steps
        if not last and now - run.saved >= 60 * run.options.checkpoint_minutes:
            control.should_save = True
        if run.options.max_minutes is not None and _anywhere(run.is_over(self._longest)) and not last:
            control.should_training_stop = True
            run.stopped = "budget"


def _anywhere(flag: bool) -> bool:
    """Return whether the flag is set in any process, so that all of them stop at the same step."""
    if not torch.distributed.is_initialized():
        return flag
    said = torch.tensor(float(flag), device=pick_device())
    torch.distributed.all_reduce(said, torch.distributed.ReduceOp.MAX)
    return bool(said.item())
