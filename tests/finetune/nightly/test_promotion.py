"""The promotion gate: of worse, equal, better, broken, foreign, slow and leaking adapters only the better is promoted."""

import random
from collections.abc import Callable
from dataclasses import replace

import pytest

from finetune.evaluation.metrics import ScoredAnswer
from finetune.nightly.promotion import (
    BASE,
    CANDIDATE,
    CURRENT,
    HYBRID_CURRENT,
    HYBRID_NEW,
    LANGUAGE_CASES,
    Decision,
    Trial,
    decide,
)

CASES, FILES = 400, 40


def outcome(number: int, exact: bool, milliseconds: float = 20.0, language: str = "python") -> ScoredAnswer:
    return ScoredAnswer(
        system="",
        case=number,
        commit="c",
        path=f"src/{number % FILES}.py",
        line=number,
        language=language,
        directory="src",
        kind="start",
        nature="code",
        moved=False,
        verbatim=False,
        best="x",
        shown="",
        reason="",
        probability=0.5,
        exact=exact,
        among=exact,
        similarity=0.0,
        names=0,
        names_exact=False,
        names_f1=0.0,
        lines=0,
        lines_right=0,
        right=False,
        whole=False,
        usable=False,
        characters=5,
        saved=0,
        saved_below=0,
        first_ms=milliseconds,
        again_ms=milliseconds / 2,
    )


def arm(share: float, seed: int = 1, **values: object) -> list[ScoredAnswer]:
    """Outcomes of which a share is right; a larger share is right where a smaller one is."""
    rng = random.Random(seed)
    return [outcome(number, rng.random() < share, **values) for number in range(CASES)]  # type: ignore[arg-type]


def trial(candidate: list[ScoredAnswer], base: float = 0.3, serving: float | None = 0.35, **values: object) -> Trial:
    arms = {CANDIDATE: candidate, BASE: arm(base)} | ({CURRENT: arm(serving)} if serving is not None else {})
    return Trial(arms, **values)  # type: ignore[arg-type]


def timed(outcomes: list[ScoredAnswer], length: int, a_pass: float, prompt: float = 30.0) -> list[ScoredAnswer]:
    """The same with a model's work: texts of about ``length`` passes, each taking ``a_pass`` milliseconds; some by ten
    times more, since the machine was busy."""
    rng = random.Random(length)
    out = []
    for one in outcomes:
        passes = rng.randrange(max(1, length - 8), length + 9)
        busy = 10.0 if rng.random() < 0.1 else 1.0
        out.append(replace(one, passes=passes, model_ms=busy * (prompt + a_pass * passes * rng.uniform(0.95, 1.05))))
    return out


BETTER = 0.45
TRIALS: dict[str, tuple[Callable[[], Trial], str | None]] = {
    "better": (lambda: trial(arm(BETTER)), None),
    "the first one, better than the base": (lambda: trial(arm(BETTER), serving=None), None),
    "better, a hair slower": (lambda: trial(arm(BETTER, milliseconds=21.5)), None),
    "worse": (lambda: trial(arm(0.2)), "not clearly better than the current adapter"),
    "equal": (lambda: trial(arm(0.35)), "not clearly better than the current adapter (+0.0"),
    "better than the base, not than the current adapter": (lambda: trial(arm(0.34)), "the current adapter"),
    "better than the current adapter, not than the base": (
        lambda: trial(arm(0.3), 0.3, 0.2),
        "the base with retrieval",
    ),
    "NaN": (lambda: trial(arm(BETTER), problems=("it holds NaN or infinite numbers",)), "NaN"),
    "another base": (lambda: Trial({}, ("it was trained on another base (x)",)), "another base"),
    "too slow": (lambda: trial(arm(BETTER, milliseconds=22.5)), "slower than the current adapter (20.0 to"),
    "a latency of NaN": (lambda: trial(arm(BETTER, milliseconds=float("nan"))), "slower"),
    "a canary": (lambda: trial(arm(BETTER), leaks=("1 of 8 canaries came out",)), "canaries came out"),
    "worse in the hybrid engine": (
        lambda: Trial(trial(arm(BETTER)).systems | {HYBRID_CURRENT: arm(0.5), HYBRID_NEW: arm(0.4)}),
        "worse than now in the hybrid engine",
    ),
    "nothing replayed": (lambda: Trial({}), "nothing was replayed"),
    "no cases": (lambda: Trial({CANDIDATE: [], BASE: []}), "nothing was replayed"),
    "no base to compare with": (lambda: Trial({CANDIDATE: arm(BETTER), CURRENT: arm(0.1)}), "nothing was replayed"),
}


@pytest.mark.parametrize("name", TRIALS)
def test_only_the_better_one_is_promoted(name: str) -> None:
    make, reason = TRIALS[name]
    decision = decide(make())
    assert decision.promote == (reason is None) == (not decision.reasons), decision
    assert reason is None or any(reason in one for one in decision.reasons), decision.reasons


def test_a_small_gain_within_the_noise_is_not_enough() -> None:
    flips = random.Random(5)
    base = arm(0.3)
    noisy = [replace(one, exact=one.exact ^ (flips.random() < 0.1)) for one in base]
    gain = sum(one.exact for one in noisy) - sum(one.exact for one in base)
    lucky = [replace(one, exact=one.exact or number < 3) for number, one in enumerate(base)]
    for candidate in (noisy, lucky):
        decision = decide(Trial({CANDIDATE: candidate, BASE: base}))
        low = decision.figures["gains"][BASE]["low"]
        assert decision.promote == (low > 0)
    assert gain < 40


def mixed(python: float, cobol: float, of_cobol: int) -> list[ScoredAnswer]:
    """Mostly Python, with some cases of another language and another share of exact matches."""
    return [
        replace(one, language="cobol", exact=number % 100 < 100 * cobol) if number < of_cobol else one
        for number, one in enumerate(arm(python))
    ]


def languages(decision: Decision) -> list[str]:
    return [one for one in decision.reasons if one.startswith("worse in cobol")]


def test_a_longer_text_is_not_taken_for_slowness() -> None:
    base = [replace(one, passes=0, best="") if one.case % 3 else one for one in timed(arm(0.3), 14, 4.0)]
    same_pace = decide(Trial({CANDIDATE: timed(arm(BETTER, milliseconds=90.0), 47, 4.0), BASE: base}))
    assert same_pace.promote, same_pace.reasons
    slower = decide(Trial({CANDIDATE: timed(arm(BETTER), 14, 5.2), BASE: base}))
    assert slower.reasons[0].startswith("slower than the base with retrieval for a text of 1"), slower.reasons
    longer_prompt = decide(Trial({CANDIDATE: timed(arm(BETTER), 47, 4.0, prompt=60.0), BASE: base}))
    assert not longer_prompt.promote


def test_no_language_may_lose_more_than_a_point_where_there_are_cases_to_tell() -> None:
    many = LANGUAGE_CASES + 20
    assert languages(decide(Trial({CANDIDATE: mixed(0.6, 0.2, many), BASE: mixed(0.3, 0.3, many)})))
    assert not languages(decide(Trial({CANDIDATE: mixed(0.6, 0.3, many), BASE: mixed(0.3, 0.3, many)})))
    one_less = mixed(0.6, 0.0, 12)
    before = [replace(one, exact=number == 0) for number, one in enumerate(one_less)]
    assert decide(Trial({CANDIDATE: one_less, BASE: before})).promote
    all_lost = decide(Trial({CANDIDATE: mixed(0.9, 0.0, 40), BASE: mixed(0.3, 1.0, 40)}))
    assert languages(all_lost)


def test_moved_lines_do_not_count_and_too_few_cases_tell_nothing() -> None:
    base, better = arm(0.3), arm(BETTER)
    moved = [replace(one, moved=True) for one in better]
    assert not decide(Trial({CANDIDATE: moved, BASE: [replace(one, moved=True) for one in base]})).promote
    few = decide(
        Trial({CANDIDATE: [outcome(n, True) for n in range(20)], BASE: [outcome(n, False) for n in range(20)]})
    )
    assert few.reasons == ("20 cursors in 20 files are too few to judge by (50 in 8 are needed)",)
    one_file = [replace(one, path="a.py") for one in better]
    decision = decide(Trial({CANDIDATE: one_file, BASE: [replace(one, path="a.py") for one in base]}))
    assert "400 cursors in 1 file are" in decision.reasons[0]
