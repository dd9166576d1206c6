"""The model's thread: what is reused, what is dropped, what is said when there is no answer."""

import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from indexer.types import Hit
from lsp_server.errors import BackendProblem
from lsp_server.model.prompt_context import PromptContextBuilder
from lsp_server.model.requests import ModelRequest
from lsp_server.model.runner import OPENED_SECONDS, ModelRunner
from lsp_server.model.similar_context import SimilarLine
from lsp_server.types import Document
from tests.support.adapters import point, tiny_base, write_version
from tests.support.slow_backend import SlowBackend
from tests.support.waiting import eventually


@pytest.fixture
def made() -> Iterator[tuple[ModelRunner, SlowBackend]]:
    backend = SlowBackend()
    source = ModelRunner(lambda: backend, PromptContextBuilder(None))
    eventually(lambda: source.state.phase == "ready")
    yield source, backend
    backend.gate.set()
    source.close()
    eventually(lambda: backend.closed)


def request(prefix: str = "x = ", suffix: str = "\n", copies: tuple[str, ...] = (), count: int = 1) -> ModelRequest:
    return ModelRequest(
        Document("file:///a.py", "a.py", "python", 1, prefix + suffix), len(prefix), True, copies, count=count
    )


def later(seconds: float = 10.0) -> float:
    return time.monotonic() + seconds


def test_an_answer_with_its_numbers(made: tuple[ModelRunner, SlowBackend]) -> None:
    answer = made[0].ask(request(copies=("a", "bcd"))).wait(later())
    assert (answer.texts, answer.reason) == (("total * 2",), "end")
    assert {text: one.logprobs for text, one in answer.judged.items()} == {"a": (-1.0,), "bcd": (-3.0,)}
    assert answer.line_logprob == -0.4
    assert answer.trace["context"] == "no-index"


def test_up_to_three_when_asked(made: tuple[ModelRunner, SlowBackend]) -> None:
    assert len(made[0].ask(request(count=3)).wait(later()).texts) == 3


def test_typing_what_was_predicted_needs_no_second_pass(made: tuple[ModelRunner, SlowBackend]) -> None:
    source, backend = made
    source.ask(request()).wait(later())
    ticket = source.ask(request("x = tot"))
    assert ticket.reused
    assert ticket.wait(later()).texts == ("al * 2",)
    assert source.ask(request()).wait(later()).texts == ("total * 2",)
    assert backend.generations == 1
    assert not source.ask(request("x = tar")).reused
    assert not source.ask(request("x = to", "\nother")).reused


def test_an_answer_of_an_older_index_is_not_used_again(made: tuple[ModelRunner, SlowBackend]) -> None:
    source, backend = made
    source.ask(request()).wait(later())
    source.forget()  # another generation of the index, or another adapter
    again = source.ask(request())
    assert not again.reused and again.wait(later()).texts
    backend.gate.clear()
    source.ask(request("y = "))
    eventually(lambda: backend.generations == 3)
    source.forget()  # while it is being written
    ticket = source.ask(request("y = "))
    assert not ticket.reused
    backend.gate.set()
    assert ticket.wait(later()).texts == ("total * 2",)


def test_a_running_generation_is_joined_and_a_late_one_is_reported(made: tuple[ModelRunner, SlowBackend]) -> None:
    source, backend = made
    backend.gate.clear()
    first = source.ask(request())
    assert first.wait(later(0.05)).reason == "late"
    eventually(lambda: backend.generations == 1)
    again = source.ask(request())
    assert again.reused
    backend.gate.set()
    assert again.wait(later()).texts == ("total * 2",)
    assert backend.generations == 1


def test_a_newer_question_stops_the_older_at_the_next_token(made: tuple[ModelRunner, SlowBackend]) -> None:
    source, backend = made
    backend.gate.clear()
    old = source.ask(request())
    eventually(lambda: backend.generations == 1)
    middle = source.ask(request("y = "))
    new = source.ask(request("z = "))
    assert middle.wait(later()).reason == "superseded"
    eventually(lambda: backend.ended == ["cancelled"])
    backend.gate.set()
    assert new.wait(later()).texts == ("total * 2",)
    assert old.wait(later()).reason == "cancelled"
    assert backend.generations == 2


def test_a_cancelled_wait_returns_at_once(made: tuple[ModelRunner, SlowBackend]) -> None:
    source, backend = made
    backend.gate.clear()
    began = time.monotonic()
    assert source.ask(request()).wait(later(), lambda: True).reason == "late"
    assert time.monotonic() - began < 2


def test_prefetch_never_pushes_a_question_aside(made: tuple[ModelRunner, SlowBackend]) -> None:
    source, backend = made
    backend.gate.clear()
    live = source.ask(request())
    assert source.ask(request("y = "), prefetch=True).wait(later()).reason == "busy"
    backend.gate.set()
    assert live.wait(later()).texts
    eventually(lambda: source.ask(request("q = "), prefetch=True).wait(later()).texts == ("total * 2",))
    assert source.ask(request("q = ")).reused


def test_a_failing_generation_is_told_once_and_the_next_works() -> None:
    problems: list[str] = []
    backend = SlowBackend()
    source = ModelRunner(lambda: backend, PromptContextBuilder(None), report=problems.append)
    eventually(lambda: source.state.phase == "ready")
    backend.error = BackendProblem("the GPU has no memory left", "use a smaller base")
    assert source.ask(request()).wait(later()).reason == "problem"
    assert source.ask(request("y")).wait(later()).reason == "problem"
    backend.error = None
    assert source.ask(request()).wait(later()).texts == ("total * 2",)
    assert problems == ["the GPU has no memory left; use a smaller base."]
    source.close()


def test_questions_while_loading_are_answered_by_nothing() -> None:
    gate = threading.Event()
    backend = SlowBackend()

    def load() -> SlowBackend:
        gate.wait(10)
        return backend

    source = ModelRunner(load, PromptContextBuilder(None))
    answer = source.ask(request()).wait(later())
    assert (answer.texts, answer.reason) == ((), "loading")
    gate.set()
    eventually(lambda: source.state.phase == "ready")
    assert source.ask(request()).wait(later()).texts
    source.close()


def test_a_model_that_cannot_be_loaded_is_told_and_asked_no_more() -> None:
    problems: list[str] = []

    def load() -> SlowBackend:
        raise BackendProblem("there is no model folder /m", "name one")

    source = ModelRunner(load, PromptContextBuilder(None), report=problems.append)
    eventually(lambda: source.state.phase == "problem")
    assert source.ask(request()).wait(later()).reason == "problem"
    eventually(lambda: problems == ["there is no model folder /m; name one."])


def test_a_thousand_questions_in_a_row_leave_one_generation(made: tuple[ModelRunner, SlowBackend]) -> None:
    source, backend = made
    backend.gate.clear()
    tickets = [source.ask(request(f"v{i} = ")) for i in range(1000)]
    backend.gate.set()
    assert tickets[-1].wait(later()).texts == ("total * 2",)
    assert backend.generations <= 100  # as many as its thread was given a turn between two questions


class Adapted(SlowBackend):
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
    registry, problems = tmp_path / "registry", []
    write_version(registry, 1, folder)
    backend = Adapted(folder)
    source = ModelRunner(lambda: backend, PromptContextBuilder(None), registry, problems.append)
    eventually(lambda: backend.adapters == [1])
    source.ask(request()).wait(later())
    write_version(registry, 2, folder)
    eventually(lambda: backend.adapters == [1, 2])
    assert not source.ask(request()).reused  # another adapter may say something else
    write_version(registry, 3, folder, config={"r": 4096})
    eventually(lambda: len(problems) == 1)
    assert "version 3 is refused" in problems[0]
    point(registry, "1")
    eventually(lambda: backend.adapters == [1, 2, 1])
    point(registry, "")
    eventually(lambda: backend.adapters == [1, 2, 1, 0])
    assert len(problems) == 1
    source.close()


class SlowSearch:
    """A source of context whose searches take until a test lets them end."""

    generation, paths = 1, ("b.py",)

    def __init__(self) -> None:
        self.begun, self.go = threading.Event(), threading.Event()

    def search(self, text: str, limit: int, path: str) -> list[Hit]:
        self.begun.set()
        assert self.go.wait(20)
        return []

    def similar(self, ids: Sequence[int], limit: int, path: str) -> list[SimilarLine]:
        return []

    def text(self, path: str) -> str | None:
        return None


def test_a_request_does_not_wait_for_the_search_for_an_opened_document(
    made: tuple[ModelRunner, SlowBackend],
) -> None:
    source, backend = made
    backend.measured.prompt_rate = 500.0
    search = SlowSearch()
    source.context_builder.set_source(search)
    source.opened(request().document)
    assert search.begun.wait(20) and not backend.computed
    try:
        assert source.ask(request()).wait(later()).texts == ("total * 2",)
        assert not search.go.is_set()
    finally:
        search.go.set()


def test_no_prompt_is_computed_for_a_document_that_was_closed(made: tuple[ModelRunner, SlowBackend]) -> None:
    source, backend = made
    backend.measured.prompt_rate = 500.0
    source.opened(request().document)
    source.closed(request().document.uri)
    time.sleep(3 * OPENED_SECONDS)
    assert not backend.computed
    source.opened(request().document)
    eventually(lambda: backend.computed)
