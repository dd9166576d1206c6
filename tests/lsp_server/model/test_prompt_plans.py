"""The size of prompts at a measured speed, and what of them stays from key to key."""

import pytest

from lsp_server.model.patience import NEVER_IN_TIME, Patience
from lsp_server.model.prompt_context import PromptContextBuilder
from lsp_server.model.prompt_plans import COLD_SECONDS, LARGEST, SMALLEST, PromptPlans
from lsp_server.types import Document
from tests.support.slow_backend import SlowBackend

LINES = [f"value_{number} = compute({number})\n" for number in range(400)]


def document(text: str) -> Document:
    return Document("file:///a.py", "a.py", "python", 1, text)


class Typist:
    """Types into one document, in front of a model of a given speed; a token is a character."""

    def __init__(self, rate: float) -> None:
        self.backend = SlowBackend()
        self.backend.measured.prompt_rate = rate
        self.plans = PromptPlans(PromptContextBuilder(None), 0.1)

    def at(self, text: str) -> tuple[bytes, int]:
        planned = self.plans.at(self.backend, document(text), len(text))
        self.backend.prefill(planned.prompt)
        return bytes(planned.prompt.ids), planned.new

    def rest(self, text: str) -> bytes | None:
        prompt = self.plans.resting(self.backend, document(text), len(text))
        if prompt is None:
            return None
        self.backend.prefill(prompt)
        self.plans.rested("file:///a.py")
        return bytes(prompt.ids)


@pytest.mark.parametrize(("rate", "most"), [(1000, 400), (300, 120), (10, SMALLEST), (1e6, LARGEST)])
def test_a_cold_prompt_is_as_large_as_what_is_read_in_its_time(rate: float, most: int) -> None:
    ids, new = Typist(rate).at("".join(LINES))
    assert most - 2 * len(LINES[0]) <= len(ids) <= most and new == len(ids)
    assert most == min(LARGEST, max(SMALLEST, int(rate * COLD_SECONDS)))


def test_each_key_only_adds_tokens_at_the_end() -> None:
    typist, text = Typist(1000), "".join(LINES)
    before, _ = typist.at(text)
    for key in "total = sum(values)\nprint(total)\n" * 3:
        text += key
        ids, new = typist.at(text)
        assert ids.startswith(before) and new == 1
        before = ids


def test_while_the_cursor_rests_a_larger_prompt_takes_its_place_when_it_is_computed() -> None:
    typist, text = Typist(600), "".join(LINES)
    small, _ = typist.at(text)
    large = typist.rest(text)
    assert large is not None and len(large) > 4 * len(small) and large.endswith(small)
    assert typist.rest(text) is None  # nothing is left to do
    ids, new = typist.at(text + "x")
    assert (ids, new) == (large + b"x", 1)


def test_an_interrupted_rest_leaves_the_small_prompt() -> None:
    typist, text = Typist(600), "".join(LINES)
    small, _ = typist.at(text)
    assert typist.plans.resting(typist.backend, document(text), len(text)) is not None
    assert typist.at(text + "x") == (small + b"x", 1)


def test_a_jump_within_the_document_begins_a_small_prompt_there() -> None:
    typist = Typist(600)
    typist.rest("".join(LINES))
    planned, new = typist.at("".join(LINES[:100]))
    assert planned.endswith(LINES[99].encode()) and new <= 600 * COLD_SECONDS


def test_a_busy_machine_gets_smaller_prompts_by_itself() -> None:
    typist, text = Typist(2000), "".join(LINES)
    ids, _ = typist.at(text)
    for _ in range(20):
        typist.backend.measured.record(64, 0.32)  # 200 tokens a second now
    typist.backend.computed.clear()
    slower, _ = typist.at(text)
    assert len(slower) < len(ids) / 5


def test_without_a_hurry_the_prompt_is_as_large_as_the_model_takes() -> None:
    typist = Typist(100)
    typist.plans = PromptPlans(PromptContextBuilder(None), None)
    assert typist.at("".join(LINES))[0] == "".join(LINES).encode()
    assert typist.rest("".join(LINES)) is None


def test_a_model_that_is_never_in_time_is_reported_once_and_not_waited_for() -> None:
    said: list[str] = []
    patience = Patience(0.1, said.append)
    for _ in range(3 * NEVER_IN_TIME):
        patience.record(in_time=False)
    assert len(said) == 1 and "not in time" in said[0]
    assert patience.seconds(2.0) == 0.0
    patience.record(in_time=True)
    assert (patience.seconds(2.0), patience.seconds(0.0)) == (2.0, 0.1)


def test_a_rest_that_ends_during_its_search_leaves_the_small_prompt() -> None:
    typist, text = Typist(600), "".join(LINES)
    small, _ = typist.at(text)
    assert typist.plans.resting(typist.backend, document(text), len(text), lambda: True) is None
    assert typist.at(text) == (small, 0)
    assert typist.rest(text) is not None
