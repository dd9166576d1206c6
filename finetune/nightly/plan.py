"""Plans a nightly run before it begins: how many samples and cursors fit into its time, by measured speeds.

The plan is arithmetic over tokens per second; ``speeds`` measures them. The limits of each phase are kept by the phases
themselves, so a plan that was too hopeful makes a smaller set, a shorter training or fewer cursors, never a late end.
"""

from dataclasses import dataclass
from typing import Final

from finetune.evaluation.model_speed import prompt_limit
from lsp_server.backends.base import RESERVE
from lsp_server.model.factory import PROMPT_TOKENS

SET_SHARE: Final = 0.15
REPLAY_SHARE: Final = 0.45
"""Largest shares of a limited run for the data set and for the replay; training gets the rest."""

LEAST_SAMPLES: Final = 16
LEAST_CASES: Final = 50
"""A plan never takes fewer: with fewer cursors the gate decides nothing."""

STEPS: Final = 32
LEAST_STEP: Final = 2048
"""A limited run takes ``STEPS`` optimizer steps or more, as long as each has ``LEAST_STEP`` tokens."""

_FILLED: Final = 0.8  # share of a sample's tokens that are used on average
_WRITTEN: Final = 16  # tokens that a system writes at a cursor
_ALONE: Final = 0.6  # length of a prompt without context, against one with context


@dataclass(frozen=True, slots=True)
class Speeds:
    """Tokens per second on this machine, as measured.

    :param training: forward and backward pass with the options of the run.
    :param prefill, decode: of the replay's model: reading a prompt, and writing.
    :param on_cpu: whether training runs on the CPU.
    """

    training: float
    prefill: float
    decode: float
    on_cpu: bool = False


@dataclass(frozen=True, slots=True)
class Wish:
    """What a run would do with no limit of time.

    :param samples: of the data set. :param epochs: how often training sees each. :param cases: cursors of the replay.
    :param max_tokens: longest sample. :param tokens_per_step: of training.
    :param adapters: models that are compared: the base, the new adapter and, if there is one, the current adapter.
    """

    samples: int
    epochs: float
    cases: int
    max_tokens: int
    tokens_per_step: int
    adapters: int


@dataclass(frozen=True, slots=True)
class NightPlan:
    """What a run does.

    :param samples, cases: of the data set, and of the replay. :param max_tokens: of a sample and of a packed row.
    :param tokens_per_step: of training: fewer in a short run, which would have three steps of the usual size.
    :param prompt_tokens: longest prompt of the replay.
    :param alone: whether the systems without context take part; they decide nothing, so a short run leaves them out.
    :param set_until, train_until, until: seconds after the start at which each phase ends; None without a limit.
    :param sentence: the plan in words, for the user.
    """

    samples: int
    cases: int
    max_tokens: int
    tokens_per_step: int
    prompt_tokens: int
    alone: bool
    set_until: float | None
    train_until: float | None
    until: float | None
    sentence: str


def unlimited(wish: Wish, sentence: str) -> NightPlan:
    """Return the plan of a run that does all it was asked for."""
    prompt = min(PROMPT_TOKENS, max(64, wish.max_tokens - RESERVE))
    return NightPlan(
        wish.samples,
        wish.cases,
        wish.max_tokens,
        wish.tokens_per_step,
        prompt,
        alone=True,
        set_until=None,
        train_until=None,
        until=None,
        sentence=sentence,
    )


def plan_run(speeds: Speeds, wish: Wish, limit: float | None, spent: float, ends: str = "") -> NightPlan:
    """Return the plan of a run.

    :param limit: seconds from the start to the end of the run; None for no limit.
    :param spent: seconds since the start. :param ends: the time of day at which the limit is reached.
    """
    longest_prompt = PROMPT_TOKENS if limit is None else prompt_limit(speeds.prefill)
    prompt = min(longest_prompt, max(64, wish.max_tokens - RESERVE))
    longest = min(wish.max_tokens, prompt + RESERVE)
    training = wish.samples * wish.epochs * longest * _FILLED / speeds.training
    replay = wish.cases * _case_seconds(speeds, prompt, wish.adapters, alone=True)
    if limit is None:
        took = duration(training + replay)
        return unlimited(wish, f"{_counted(wish)} take about {took} here; --max-minutes would set a limit")
    left = max(0.0, limit - spent)
    set_seconds, replay_room = left * SET_SHARE, left * REPLAY_SHARE
    alone = replay <= replay_room
    each = _case_seconds(speeds, prompt, wish.adapters, alone=alone)
    cases = min(wish.cases, max(LEAST_CASES, int(replay_room / each)))
    replay_seconds = min(replay_room, cases * each)
    room = left - set_seconds - replay_seconds
    affordable = int(room * speeds.training / (wish.epochs * longest * _FILLED))
    samples = min(wish.samples, max(LEAST_SAMPLES, affordable))
    if (samples, cases) == (wish.samples, wish.cases):
        sentence = f"{_counted(wish)} take about {duration(training + replay)} here, done by {ends}"
    else:
        sentence = (
            f"{_counted(wish)} would take {duration(training + replay)} here; "
            f"taking {samples:,} samples and {cases:,} cursors, done by {ends}"
        )
    trained = samples * wish.epochs * longest * _FILLED
    step = min(wish.tokens_per_step, max(LEAST_STEP, int(trained / STEPS)))
    return NightPlan(
        samples,
        cases,
        longest,
        step,
        prompt,
        alone,
        set_until=spent + set_seconds,
        train_until=limit - replay_seconds,
        until=limit,
        sentence=sentence,
    )


def _counted(wish: Wish) -> str:
    return f"{wish.samples:,} samples and {wish.cases:,} cursors"


def _case_seconds(speeds: Speeds, prompt: int, adapters: int, *, alone: bool) -> float:
    """Return the seconds of one cursor: each model reads its prompts once, and each system writes.

    With context, each model writes twice, alone and in the hybrid engine.
    """
    read = prompt * (1 + _ALONE * alone) / speeds.prefill
    written = _WRITTEN * (2 + alone) / speeds.decode
    return max(1e-3, adapters * (read + written))


def duration(seconds: float) -> str:
    """Return a duration for a sentence: seconds, minutes or hours."""
    if seconds < 90:
        return f"{max(2, round(seconds))} seconds"
    if seconds < 5400:
        return f"{round(seconds / 60)} minutes"
    return f"{round(seconds / 3600)} hours"
