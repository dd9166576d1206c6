"""Questions about changed lines: what the model reads, and that requests for completions go first."""

import time
from collections.abc import Iterator

import pytest

from lsp_server.model import line_questions
from lsp_server.model.line_changes import changed_line
from lsp_server.model.line_questions import LineJob, LineQuestion, text_of
from lsp_server.model.prompt_context import PromptContextBuilder
from lsp_server.model.requests import ModelRequest
from lsp_server.model.runner import ModelRunner
from lsp_server.types import Document
from tests.support.slow_backend import SlowBackend
from tests.support.waiting import eventually

PAIRS = (("a(1)", "a(1, x)"), ("a(2)", "a(2, x)"), ("a(3)", "a(3, x)"), ("a(4)", "a(4, x)"))
QUESTION = LineQuestion("a.py", PAIRS, "a(5)", ("a(5, y)",))


@pytest.fixture
def made() -> Iterator[tuple[ModelRunner, SlowBackend]]:
    backend = SlowBackend("a(5, x)")
    runner = ModelRunner(lambda: backend, PromptContextBuilder(None))
    eventually(lambda: runner.state.phase == "ready")
    yield runner, backend
    backend.gate.set()
    runner.close()
    eventually(lambda: backend.closed)


def completion() -> ModelRequest:
    return ModelRequest(Document("file:///b.py", "b.py", "python", 1, "x = \n"), 4, True)


def answered(job: LineJob) -> str:
    eventually(lambda: job.answer is not None)
    assert job.answer is not None
    return job.answer.text


def test_changes_come_in_their_order_and_the_line_last() -> None:
    assert text_of(PAIRS[:2], "a(5)") == "-a(1)\n+a(1, x)\n\n-a(2)\n+a(2, x)\n\n-a(5)\n+"


def test_the_model_writes_the_line(made: tuple[ModelRunner, SlowBackend]) -> None:
    job = made[0].ask_line(QUESTION)
    assert answered(job) == "a(5, x)"
    assert job.answer is not None
    assert job.answer.trace["changes"] == 4


def test_a_completion_ends_the_question_which_begins_again(made: tuple[ModelRunner, SlowBackend]) -> None:
    runner, backend = made
    backend.gate.clear()
    job = runner.ask_line(QUESTION)
    eventually(lambda: backend.generations == 1)
    ticket = runner.ask(completion())
    eventually(lambda: backend.generations == 2)  # the completion's, while the question waits
    assert backend.ended == ["cancelled"]
    assert job.answer is None
    backend.gate.set()
    assert ticket.wait(time.monotonic() + 10).texts
    assert answered(job) == "a(5, x)"
    assert backend.generations == 3


def test_a_completion_that_waits_goes_before_a_question(made: tuple[ModelRunner, SlowBackend]) -> None:
    runner, backend = made
    backend.gate.clear()
    runner.ask(completion())
    eventually(lambda: backend.generations == 1)
    job = runner.ask_line(QUESTION)
    time.sleep(0.05)
    assert (job.answer, backend.generations) == (None, 1)
    backend.gate.set()
    assert answered(job) == "a(5, x)"


def test_a_question_that_nobody_wants_ends(made: tuple[ModelRunner, SlowBackend]) -> None:
    runner, backend = made
    backend.gate.clear()
    job = runner.ask_line(QUESTION)
    eventually(lambda: backend.generations == 1)
    job.cancel()
    assert answered(job) == ""
    older = runner.ask_line(QUESTION)
    newer = runner.ask_line(QUESTION)
    assert answered(older) == ""
    backend.gate.set()
    assert answered(newer) == "a(5, x)"


def test_a_question_is_not_answered_for_ever(
    made: tuple[ModelRunner, SlowBackend], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(line_questions, "PATIENCE_SECONDS", 0.1)
    made[1].gate.clear()
    assert answered(made[0].ask_line(QUESTION)) == ""


def test_a_model_that_fails_or_is_not_there_answers_nothing(made: tuple[ModelRunner, SlowBackend]) -> None:
    runner, backend = made
    backend.error = ValueError("no")
    job = runner.ask_line(QUESTION)
    assert answered(job) == ""
    assert job.answer is not None
    assert job.answer.reason == "problem"
    runner.close()
    assert answered(runner.ask_line(QUESTION)) == ""


def test_a_slow_model_reads_fewer_changes() -> None:
    for rate, changes in ((1_000, 4), (15, 2)):
        backend = SlowBackend("a(5, x)")
        backend.measured.prompt_rate = rate
        made = changed_line(backend, QUESTION, lambda: False, time.monotonic() + 10)
        assert made.trace["changes"] == changes
    backend = SlowBackend("a(5, x)")
    backend.measured.prompt_rate = 1
    assert changed_line(backend, LineQuestion("a.py", PAIRS, "b" * 90), lambda: False, 0).reason == "late"
