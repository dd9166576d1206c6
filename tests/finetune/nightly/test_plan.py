"""The plan of a nightly run: what fits into its time by measured speeds, and what it says about it."""

import random
from dataclasses import replace

import pytest

from finetune.nightly.plan import LEAST_CASES, LEAST_SAMPLES, Speeds, Wish, duration, plan_run

SLOW = Speeds(training=75.0, prefill=340.0, decode=70.0)
FAST = Speeds(training=20_000.0, prefill=30_000.0, decode=100.0)
WISH = Wish(samples=4000, epochs=1.0, cases=400, max_tokens=2176, tokens_per_step=16_384, adapters=2)


def test_a_slow_machine_takes_what_fits_and_says_so() -> None:
    made = plan_run(SLOW, WISH, 1800.0, 30.0, "04:10")
    assert made.sentence.startswith("4,000 samples and 400 cursors would take ")
    assert made.sentence.endswith(f"taking {made.samples:,} samples and {made.cases:,} cursors, done by 04:10")
    assert 50 <= made.samples < 400
    assert LEAST_CASES <= made.cases < 400
    assert not made.alone, "systems that decide nothing are left out where time is short"
    assert made.set_until is not None and made.train_until is not None
    assert 30 < made.set_until < made.train_until < 1800.0 == made.until
    assert made.tokens_per_step < WISH.tokens_per_step
    assert made.max_tokens < WISH.max_tokens
    assert made.max_tokens - made.prompt_tokens >= 128, "the answer has room behind the longest prompt"


def test_a_fast_machine_takes_everything() -> None:
    made = plan_run(FAST, WISH, 7200.0, 10.0, "04:10")
    assert (made.samples, made.cases, made.max_tokens, made.alone) == (4000, 400, 2176, True)
    assert made.sentence == f"4,000 samples and 400 cursors take about {made.sentence.split('about ')[1]}"
    assert made.sentence.endswith("done by 04:10")


def test_without_a_limit_everything_is_taken_and_the_time_is_said() -> None:
    made = plan_run(SLOW, WISH, None, 10.0)
    assert (made.samples, made.cases, made.until, made.tokens_per_step) == (4000, 400, None, 16_384)
    assert "hours here; --max-minutes would set a limit" in made.sentence


def test_random_machines_and_limits_never_plan_past_the_end() -> None:
    seed = random.randrange(10**9)
    rng = random.Random(seed)
    for _ in range(500):
        speeds = Speeds(*(10 ** rng.uniform(0, 5) for _ in range(3)))
        wish = replace(
            WISH,
            samples=rng.randint(1, 20_000),
            cases=rng.randint(2, 1000),
            max_tokens=rng.randint(64, 4096),
            adapters=rng.choice((2, 3)),
        )
        limit, spent = 60 * 10 ** rng.uniform(-1, 3), 10 ** rng.uniform(0, 3)
        made = plan_run(speeds, wish, limit, spent, "04:10")
        assert min(wish.samples, LEAST_SAMPLES) <= made.samples <= wish.samples, (seed, speeds, wish)
        assert min(wish.cases, LEAST_CASES) <= made.cases <= wish.cases, (seed, speeds, wish)
        assert made.max_tokens <= wish.max_tokens and made.prompt_tokens <= 2048, (seed, speeds, wish)
        assert made.train_until is not None and made.train_until <= limit, (seed, speeds, wish)
        assert made.tokens_per_step <= wish.tokens_per_step, (seed, speeds, wish)


@pytest.mark.parametrize(
    ("seconds", "said"), [(0.2, "2 seconds"), (80, "80 seconds"), (600, "10 minutes"), (93_600, "26 hours")]
)
def test_durations(seconds: float, said: str) -> None:
    assert duration(seconds) == said
