"""The model's thread: what is reused, what is dropped, what is said when there is no answer."""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from indexer.prompt.renderer import Prompt, PromptInput
from lsp_server.backends.base import Generation, Limits
from lsp_server.errors import BackendProblem
from lsp_server.model.prompt_context import Packer
from lsp_server.model.requests import Question
from lsp_server.model.runner import ModelRunner
from lsp_server.types import Document
from tests.support.adapters import point, tiny_base, write_version


class Slow:
    """A backend that writes a given text, a character at a time, when it is let."""

    name = "slow"
    about = {"base": "slow", "format": "none", "runs_on": "a test", "adapter": ""}

    def __init__(self, text: str = "total * 2") -> None:
        self.text = text
        self.gate = threading.Event()
        self.gate.set()
        self.generations = 0
        self.ended: list[str] = []
        self.error: Exception | None = None
        self.closed = False

    def render(self, parts: PromptInput) -> Prompt:
        return Prompt(tuple(parts.prefix.encode()), "", 0, {})

    def generate(
        self, prompt: Prompt, limits: Limits, cancelled=lambda: False, drafts: Sequence[str] = (), progress=None
    ):
        self.generations += 1
        if self.error:
            raise self.error
        for at in range(len(self.text)):
            if progress and at:
                progress(self.text[:at])
            while not self.gate.wait(0.005):
                if cancelled():
                    break
            if cancelled():
                self.ended.append("cancelled")
                return Generation(self.text[:at], "cancelled")
        self.ended.append("end")
        return Generation(self.text, "end", (-0.1, -0.3), line_logprob=-0.4)

    def alternatives(self, prompt: Prompt, limits: Limits, count: int, cancelled=lambda: False) -> list[Generation]:
        return [Generation(self.text + "!" * i, "end", (-0.1,)) for i in range(count)]

    def score(self, prompt: Prompt, texts: Sequence[str], cancelled=lambda: False) -> list[float]:
        return [-float(len(t)) for t in texts]

    def close(self) -> None:
        self.closed = True


def until(condition: Callable[[], bool], seconds: float = 10.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.005)


@pytest.fixture
def made() -> Iterator[tuple[ModelRunner, Slow]]:
    backend = Slow()
    source = ModelRunner(lambda: backend, Packer(None))
    until(lambda: source.state.phase == "ready")
    yield source, backend
    backend.gate.set()
    source.close()
    until(lambda: backend.closed)


def question(prefix: str = "x = ", suffix: str = "\n", copies: tuple[str, ...] = (), count: int = 1) -> Question:
    return Question(
        Document("file:///a.py", "a.py", "python", 1, prefix + suffix), len(prefix), True, copies, count=count
    )


def later(seconds: float = 10.0) -> float:
    return time.monotonic() + seconds


def test_an_answer_with_its_numbers(made: tuple[ModelRunner, Slow]) -> None:
    answer = made[0].ask(question(copies=("a", "bcd"))).wait(later())
    assert (answer.texts, answer.reason, answer.copy_scores) == (("total * 2",), "end", (-1.0, -3.0))
    assert answer.line_logprob == -0.4
    assert answer.trace["context"] == "no-index"


def test_up_to_three_when_asked(made: tuple[ModelRunner, Slow]) -> None:
    assert len(made[0].ask(question(count=3)).wait(later()).texts) == 3


def test_typing_what_was_predicted_needs_no_second_pass(made: tuple[ModelRunner, Slow]) -> None:
    source, backend = made
    source.ask(question()).wait(later())
    ticket = source.ask(question("x = tot"))
    assert ticket.reused
    assert ticket.wait(later()).texts == ("al * 2",)
    assert source.ask(question()).wait(later()).texts == ("total * 2",)
    assert backend.generations == 1
    assert not source.ask(question("x = tar")).reused
    assert not source.ask(question("x = to", "\nother")).reused


def test_an_answer_of_an_older_index_is_not_used_again(made: tuple[ModelRunner, Slow]) -> None:
    source, backend = made
    source.ask(question()).wait(later())
    source.forget()  # another generation of the index, or another adapter
    again = source.ask(question())
    assert not again.reused and again.wait(later()).texts
    backend.gate.clear()
    source.ask(question("y = "))
    until(lambda: backend.generations == 3)
    source.forget()  # while it is being written
    ticket = source.ask(question("y = "))
    assert not ticket.reused
    backend.gate.set()
    assert ticket.wait(later()).texts == ("total * 2",)


def test_a_running_generation_is_joined_and_a_late_one_is_told(made: tuple[ModelRunner, Slow]) -> None:
    source, backend = made
    backend.gate.clear()
    first = source.ask(question())
    assert first.wait(later(0.05)).reason == "late"
    until(lambda: backend.generations == 1)
    again = source.ask(question())
    assert again.reused
    backend.gate.set()
    assert again.wait(later()).texts == ("total * 2",)
    assert backend.generations == 1


def test_a_newer_question_stops_the_older_at_the_next_token(made: tuple[ModelRunner, Slow]) -> None:
    source, backend = made
    backend.gate.clear()
    old = source.ask(question())
    until(lambda: backend.generations == 1)
    middle = source.ask(question("y = "))
    new = source.ask(question("z = "))
    assert middle.wait(later()).reason == "superseded"
    until(lambda: backend.ended == ["cancelled"])
    backend.gate.set()
    assert new.wait(later()).texts == ("total * 2",)
    assert old.wait(later()).reason == "cancelled"
    assert backend.generations == 2


def test_a_cancelled_wait_returns_at_once(made: tuple[ModelRunner, Slow]) -> None:
    source, backend = made
    backend.gate.clear()
    began = time.monotonic()
    assert source.ask(question()).wait(later(), lambda: True).reason == "late"
    assert time.monotonic() - began < 2


def test_prefetch_never_pushes_a_question_aside(made: tuple[ModelRunner, Slow]) -> None:
    source, backend = made
    backend.gate.clear()
    live = source.ask(question())
    assert source.ask(question("y = "), prefetch=True).wait(later()).reason == "busy"
    backend.gate.set()
    assert live.wait(later()).texts
    until(lambda: source.ask(question("q = "), prefetch=True).wait(later()).texts == ("total * 2",))
    assert source.ask(question("q = ")).reused


def test_a_failing_generation_is_told_once_and_the_next_works() -> None:
    told: list[str] = []
    backend = Slow()
    source = ModelRunner(lambda: backend, Packer(None), tell=told.append)
    until(lambda: source.state.phase == "ready")
    backend.error = BackendProblem("the GPU has no memory left", "use a smaller base")
    assert source.ask(question()).wait(later()).reason == "problem"
    assert source.ask(question("y")).wait(later()).reason == "problem"
    backend.error = None
    assert source.ask(question()).wait(later()).texts == ("total * 2",)
    assert told == ["the GPU has no memory left; use a smaller base."]
    source.close()


def test_questions_while_loading_are_answered_by_nothing() -> None:
    gate = threading.Event()
    backend = Slow()

    def load() -> Slow:
        gate.wait(10)
        return backend

    source = ModelRunner(load, Packer(None))
    answer = source.ask(question()).wait(later())
    assert (answer.texts, answer.reason) == ((), "loading")
    gate.set()
    until(lambda: source.state.phase == "ready")
    assert source.ask(question()).wait(later()).texts
    source.close()


def test_a_model_that_cannot_be_loaded_is_told_and_asked_no_more() -> None:
    told: list[str] = []

    def load() -> Slow:
        raise BackendProblem("there is no model folder /m", "name one")

    source = ModelRunner(load, Packer(None), tell=told.append)
    until(lambda: source.state.phase == "problem")
    assert source.ask(question()).wait(later()).reason == "problem"
    until(lambda: told == ["there is no model folder /m; name one."])


def test_a_thousand_questions_in_a_row_leave_one_generation(made: tuple[ModelRunner, Slow]) -> None:
    source, backend = made
    backend.gate.clear()
    tickets = [source.ask(question(f"v{i} = ")) for i in range(1000)]
    backend.gate.set()
    assert tickets[-1].wait(later()).texts == ("total * 2",)
    assert backend.generations <= 100  # as many as its thread was given a turn between two questions


class Adapted(Slow):
    """Takes adapters and remembers which."""

    def __init__(self, folder) -> None:
        super().__init__()
        self.folder = folder
        self.adapters: list[int] = []

    def set_adapter(self, version) -> None:
        self.adapters.append(version.number if version else 0)


def test_a_new_current_is_taken_up_and_a_bad_one_is_told_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tiny_base(tmp_path / "base")
    monkeypatch.setattr("lsp_server.model.runner._LOOK_FOR_ADAPTER_SECONDS", 0.01)
    registry, told = tmp_path / "registry", []
    write_version(registry, 1, folder)
    backend = Adapted(folder)
    source = ModelRunner(lambda: backend, Packer(None), registry, told.append)
    until(lambda: backend.adapters == [1])
    source.ask(question()).wait(later())
    write_version(registry, 2, folder)
    until(lambda: backend.adapters == [1, 2])
    assert not source.ask(question()).reused  # another adapter may say something else
    write_version(registry, 3, folder, config={"r": 4096})
    until(lambda: len(told) == 1)
    assert "version 3 is refused" in told[0]
    point(registry, "1")
    until(lambda: backend.adapters == [1, 2, 1])
    point(registry, "")
    until(lambda: backend.adapters == [1, 2, 1, 0])
    assert len(told) == 1
    source.close()
