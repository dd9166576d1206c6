"""What may be chosen for a training run, what is reported on the way, and what comes of it. Imports no torch."""

from dataclasses import dataclass


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
