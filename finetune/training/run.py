"""The state of a training run: its rows, its schedule, its losses and its notes."""

import math
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from accelerate import PartialState

from finetune.training.options import TrainingOptions
from finetune.training.sequence_packing import Samples, pack, schedule

VALIDATION_ROWS: Final = 64
"""Rows of the validation samples that the loss is measured on, at most."""

VALIDATION_SHARE: Final = 0.05
"""Share of a limited run that the loss before training may take; the loss after it is measured on the same rows."""


@dataclass(frozen=True, slots=True)
class Validated:
    """What the loss on validation samples is measured on.

    :param rows: how many, at most. :param seconds: what they took before training; None before they were measured.
    """

    rows: int = VALIDATION_ROWS
    seconds: float | None = None


class Run:
    """The state of one training run.

    :param name: identity of the run: base, data set, options and start.
    :param started: time of the start, by the monotonic clock.
    :ivar rows: all rows in the order of training, padded so that every process gets the same number of batches.
    :ivar losses: mean loss of each step so far, also of the steps before an interruption.
    :ivar stopped: ``done`` or ``budget``, see ``TrainingResult``.
    :ivar resumed_at: the step that the run continued from; 0 for a new run.
    :ivar saved: time of the last checkpoint.
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
        # Empty rows fill up the last batches: accelerate would repeat other rows instead.
        self.rows += [()] * (-len(self.rows) % (self.batch * processes))
        self.rows_per_step = self.batch * self.accumulation * processes
        self.steps = -(-len(self.rows) // self.rows_per_step)
        self.losses: list[float] = []
        self.notes: list[str] = []
        self.stopped = "done"
        self.resumed_at = 0
        self.saved = started
        self.validation_first: float | None = None
        self.validated = Validated()

    @property
    def main(self) -> bool:
        """Whether this process writes files and reports."""
        return bool(self.state.is_main_process)

    def note(self, sentence: str) -> None:
        """Add a sentence for the user, once."""
        if sentence not in self.notes:
            self.notes.append(sentence)

    def tokens(self, first: int, last: int) -> int:
        """Return the number of tokens in the steps ``[first, last)``."""
        rows = self.rows[first * self.rows_per_step : last * self.rows_per_step]
        return sum(self.samples.length(number) for row in rows for number in row)

    def elapsed(self) -> float:
        """Return the seconds since the start."""
        return time.monotonic() - self.started

    def spent(self) -> float:
        """Return the used share of the time limit; 0 without a limit."""
        minutes = self.options.max_minutes
        return 0.0 if minutes is None else self.elapsed() / max(1e-9, 60 * minutes)

    def is_validated_long_enough(self, seconds: float) -> bool:
        """Return whether the loss before training has taken its share of the time limit; never without a limit."""
        minutes = self.options.max_minutes
        return minutes is not None and seconds > 60 * minutes * VALIDATION_SHARE

    def is_over(self, step_seconds: float) -> bool:
        """Return whether the limit leaves no time for another step and the loss on validation samples after it."""
        minutes = self.options.max_minutes
        return minutes is not None and self.elapsed() + step_seconds + (self.validated.seconds or 0.0) > 60 * minutes

    def rate(self, step: int) -> float:
        """Return the share of the peak learning rate: a warm-up, then a cosine to the last step or the time limit."""
        warm = max(1, round(self.options.warmup_share * self.steps))
        if step < warm:
            return (step + 1) / warm
        done = max((step - warm) / max(1, self.steps - warm), self.spent())
        return 0.5 * (1 + math.cos(math.pi * min(1.0, done)))
