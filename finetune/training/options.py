"""The options, the progress and the result of a training run. Imports no torch."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final

NEW_ROWS: Final = "new_rows.safetensors"
"""The file with the trained rows of new tokens: name of the base's matrix -> its rows, in the order of the tokens."""

_EARLIER_NAMES: Final = {"left_weight": "prompt_loss_weight"}
"""Names of options in files of an earlier version -> their names now."""


@dataclass(frozen=True, slots=True)
class TrainingOptions:
    """How to train.

    :param rank, alpha: of LoRA, on all linear layers.
    :param dropout: of LoRA's input.
    :param learning_rate: peak of the rate: a warm-up over ``warmup_share`` of the steps, then a cosine.
    :param tokens_per_step: tokens of one optimizer step, over all processes; gradients are accumulated.
    :param max_length: tokens of a packed row; longer samples are left out and counted.
    :param rows_per_batch: rows computed at once; halved if the GPU's memory does not suffice. On a CPU more than one is
        no faster and takes more memory, so the nightly job computes one there.
    :param max_minutes: wall clock after which training stops and keeps its result; None for no limit.
    :param prompt_loss_weight: weight of the prompt's tokens in the loss (0: only the middle counts).
    :param quantize: QLoRA, the base in 4 bits; needs bitsandbytes and CUDA.
    :param checkpoint_minutes: wall clock between checkpoints; 0 writes one after each step.
    :param processes: processes on this machine, one for each GPU, or on the CPU.
    :param threads: torch's threads on a CPU; None for all cores. On a busy machine fewer can be several times faster.
    :param new_tokens: ids whose rows in the embedding and in the output matrix are trained too; the adapter's folder
        then holds them in ``NEW_ROWS``.
    :param gradient_checkpointing: computes activations twice to hold fewer; None: on CUDA, and on a CPU where those of
        a row would take more than a gigabyte.
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
    prompt_loss_weight: float = 0.0
    quantize: bool = False
    checkpoint_minutes: float = 5.0
    gradient_checkpointing: bool | None = None
    threads: int | None = None
    processes: int = 1
    new_tokens: tuple[int, ...] = ()

    @classmethod
    def from_stored(cls, stored: Mapping[str, Any]) -> "TrainingOptions":
        """Return the options of a file, also of one that an earlier version wrote.

        :raises TypeError: the file holds something that is not an option.
        """
        known = {_EARLIER_NAMES.get(name, name): value for name, value in stored.items()}
        return cls(**{**known, "new_tokens": tuple(known.get("new_tokens", ()))})

    def identity(self) -> dict[str, Any]:
        """Return the options under the names that the identity of a run has always used.

        An interrupted run continues only under the same identity, so a renamed option keeps its first name here.
        """
        first_names = {now: earlier for earlier, now in _EARLIER_NAMES.items()}
        found = {first_names.get(name, name): value for name, value in asdict(self).items()}
        if not self.new_tokens:
            del found["new_tokens"]
        return found


@dataclass(frozen=True, slots=True)
class Progress:
    """The progress of training: steps, the last step's mean loss, speed, seconds left, and memory in use in bytes."""

    step: int
    steps: int
    loss: float
    tokens_per_second: float
    eta_seconds: float
    memory_bytes: int


@dataclass(frozen=True, slots=True)
class TrainingResult:
    """The result of a training run.

    :param tokens: tokens trained on, in all steps and processes.
    :param seconds: wall clock of this run.
    :param loss_first, loss_last: mean loss of the first and of the last tenth of the steps.
    :param peak_bytes: peak memory of the GPU, or of the process on a CPU.
    :param stopped: ``done``, or ``budget`` if ``max_minutes`` ended the run.
    :param notes: sentences for the user, such as one about a halved batch.
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

    @classmethod
    def from_stored(cls, stored: Mapping[str, Any]) -> "TrainingResult":
        """Return the result that a file or a message holds."""
        return cls(**{**stored, "notes": tuple(stored["notes"])})
