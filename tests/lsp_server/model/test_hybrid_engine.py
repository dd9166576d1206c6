"""The hybrid engine: when the model is asked, which line wins, what is sent in time."""

import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

import numpy as np
import pytest

from indexer.config import Settings
from lsp_server.backends.base import Generation, Judgement
from lsp_server.model.factory import Models
from lsp_server.model.fusion import FEATURES, Fusion, Kind
from lsp_server.model.hybrid_engine import HybridEngine
from lsp_server.model.patience import Patience
from lsp_server.model.prompt_context import PromptContextBuilder
from lsp_server.model.requests import model_request
from lsp_server.model.runner import ModelRunner
from lsp_server.reasons import Reason
from lsp_server.retrieval.engine import JudgedWords, Proposals
from lsp_server.retrieval.gate import Choice
from lsp_server.retrieval.word_tree import WordTree, words_of
from lsp_server.types import Answer, Document, Popup, Request, Suggestion, settled
from tests.support.slow_backend import SlowBackend
from tests.support.waiting import eventually

WEIGHTS = {
    Kind.AGREED: {"constant": 2.0, "copied": 1.0},
    Kind.COPIED: {"copied": 1.0, "logprob": 0.5},
    Kind.UNKNOWN: {"copied": 1.0},
    Kind.OWN: {"constant": 6.0, "logprob": 8.0},
}
FUSION = Fusion({kind: tuple(given.get(name, 0.0) for name in FEATURES[kind]) for kind, given in WEIGHTS.items()})


class Copies:
    """A retrieval engine with fixed suggestions.

    :ivar retrievals: whether the request was automatic, for each retrieval.
    """

    def __init__(self, *found: tuple[str, float], reason: str = "shown", threshold: float = 0.5) -> None:
        self.found, self.reason, self.threshold = found, Reason(reason), threshold
        self.retrievals: list[bool] = []
        self.index: object = None

    def set_index(self, index: object) -> None:
        self.index = index

    def update(self, document: Document) -> None: ...

    def close(self, uri: str) -> None: ...

    def propose(self, request: Request, cancelled: Callable[[], bool]) -> Proposals:
        self.retrievals.append(request.automatic)
        verdict = None if self.reason is Reason.SHOWN and self.found else self.reason
        if verdict is Reason.SHOWN:
            verdict = Reason.NO_MATCH

        def suggest(text: str, probability: float) -> Callable[[], Suggestion]:
            return lambda: Suggestion(text, request.offset, request.offset, probability, "retrieval")

        def make(choice: Choice) -> Suggestion:
            return suggest(choice.text, choice.probability)()

        trace = {"threshold": self.threshold} if self.found else {}
        options = tuple(suggest(*one) for one in self.found)
        tree, words = self.words()
        judged = JudgedWords(tree, words, lambda decision: None, make) if self.found else None
        texts = tuple(text for text, _ in self.found)
        return Proposals(verdict, trace, options[0] if options else lambda: Reason.NO_MATCH, options, texts, judged)

    def words(self) -> tuple[WordTree, np.ndarray]:
        """The words of all texts; the first word of a text has its probability, the others are nearly sure."""
        tree, words = WordTree(), [0.0]
        for number, (text, probability) in enumerate(self.found):
            node = 0
            for word in (*words_of(text), ""):
                words.append(0.99 if node else probability)
                node = tree.add(node, word, number)
        return tree, np.array(words)


class Scored(SlowBackend):
    """A model with fixed likelihoods of the copies."""

    def __init__(
        self,
        text: str,
        logprob: float = -0.2,
        scores: dict[str, float] | None = None,
        lines: tuple[float, ...] = (),
    ) -> None:
        super().__init__(text)
        self.logprob, self.scores, self.lines = logprob, scores or {}, lines

    def generate(self, prompt, limits, cancelled=lambda: False, drafts=(), report=None):
        made = super().generate(prompt, limits, cancelled, drafts, report)
        return replace(made, line_logprob=self.logprob, own=None, lines=self.lines, judged=self.judged(drafts))

    def alternatives(self, prompt, limits, count, cancelled=lambda: False, drafts=()):
        made = [self.text, self.text + " + 1", self.text + " + 2"][:count]
        return [Generation(t, "end", line_logprob=self.logprob, judged=self.judged(drafts)) for t in made]

    def judged(self, drafts: Sequence[str]) -> tuple[Judgement, ...]:
        return tuple(Judgement((len(text),), (self.scores.get(text, -20.0),)) for text in drafts)


class Waiting(HybridEngine):
    """Wait for the model as a command does."""

    def complete(self, request: Request, cancelled: Callable[[], bool]) -> Answer:
        return settled(super().complete(request, cancelled), cancelled)


@pytest.fixture
def hybrid() -> Iterator[Callable[..., HybridEngine]]:
    sources: list[ModelRunner] = []

    def make(retrieval: Copies, backend: SlowBackend, **changes) -> HybridEngine:
        source = ModelRunner(lambda: backend, PromptContextBuilder(None))
        sources.append(source)
        eventually(lambda: source.state.phase == "ready")
        settings = replace(Settings(), deadline_ms=5_000, **changes)
        return Waiting(settings, retrieval, source, FUSION)

    yield make
    for source in sources:
        source.close()


def request(prefix: str = "x = ", suffix: str = "\n", automatic: bool = True, popup: Popup | None = None) -> Request:
    return Request(Document("file:///a.py", "a.py", "python", 1, prefix + suffix), len(prefix), automatic, popup)


def question(asked: Request):
    return model_request(Settings(), asked)


def live() -> bool:
    return False


def test_what_retrieval_shows_automatically_goes_out_without_the_model(hybrid) -> None:
    backend = Scored("wrong")
    answer = hybrid(Copies(("right()", 0.7)), backend).complete(request(), live)
    assert [s.text for s in answer.suggestions] == ["right()"]
    assert (backend.generations, answer.trace["model_reason"]) == (0, Reason.RETRIEVAL_CERTAIN)


def test_a_line_of_the_model_is_shown_where_retrieval_is_unsure(hybrid) -> None:
    retrieval = Copies(("copied()", 0.2), reason="gate")
    answer = hybrid(retrieval, Scored("written()")).complete(request(), live)
    [shown] = answer.suggestions
    assert (shown.text, shown.engine, answer.reason) == ("written()", "model", "shown")
    assert retrieval.retrievals == [True]


def test_a_copy_that_the_model_would_write_too_is_more_probable_than_either(hybrid) -> None:
    retrieval = Copies(("same()", 0.6))
    answer = hybrid(retrieval, Scored("same()", scores={"same()": -0.2})).complete(request(automatic=False), live)
    shown = answer.suggestions[0]
    assert (shown.text, shown.engine) == ("same()", "both")
    assert shown.probability > 0.7


def test_a_copy_that_the_model_finds_absurd_is_withdrawn(hybrid) -> None:
    answer = hybrid(Copies(("absurd()", 0.7), reason="gate"), Scored("", logprob=-9.0)).complete(request(), live)
    assert (answer.suggestions, answer.reason) == ((), "gate")


def test_where_the_model_is_late_the_answer_of_retrieval_goes_out_at_the_deadline(hybrid) -> None:
    backend = Scored("never")
    engine = hybrid(Copies(("copied()", 0.2), reason="gate"), backend)
    engine._patience = Patience(0.06)
    backend.gate.clear()
    began = time.monotonic()
    answer = engine.complete(request(), live)
    assert time.monotonic() - began < 2
    assert (answer.suggestions, answer.reason, answer.trace["model_reason"]) == ((), "gate", "late")
    backend.gate.set()
    eventually(lambda: backend.ended == ["end"])
    answer = engine.complete(request(), live)  # the generation went on and serves the next request
    assert answer.trace["model_reused"] is True
    assert answer.trace["model_reason"] == "end"


@pytest.mark.parametrize("reason", ["in-word", "in-number", "indent-first"])
def test_display_rules_hold_for_the_model_too(hybrid, reason: str) -> None:
    backend = Scored("text")
    answer = hybrid(Copies(("copied()", 0.7), reason=reason), backend).complete(request(), live)
    assert (answer.suggestions, answer.reason, backend.generations) == ((), reason, 0)


def test_with_the_editors_popup_open_only_retrieval_answers(hybrid) -> None:
    backend = Scored("text")
    hybrid(Copies(("copied()", 0.7)), backend).complete(request(popup=Popup(0, 1, "x")), live)
    assert backend.generations == 0


def test_an_invoked_request_gets_up_to_three(hybrid) -> None:
    answer = hybrid(Copies(("copied()", 0.3)), Scored("own", scores={"copied()": -4.0})).complete(
        request(automatic=False), live
    )
    assert [s.text for s in answer.suggestions] == ["own", "copied()", "own + 1"]
    assert [s.engine for s in answer.suggestions] == ["model", "retrieval", "model"]


def test_nothing_copied_and_nothing_written_is_the_answer_of_retrieval(hybrid) -> None:
    answer = hybrid(Copies(reason="no-match"), Scored("")).complete(request(), live)
    assert (answer.suggestions, answer.reason) == ((), "no-match")


def test_the_model_alone_where_nothing_is_copied(hybrid) -> None:
    answer = hybrid(Copies(reason="no-match"), Scored("written()")).complete(request(), live)
    assert [s.text for s in answer.suggestions] == ["written()"]
    unsure = hybrid(Copies(reason="no-match"), Scored("written()", logprob=-4.0)).complete(request(), live)
    assert (unsure.suggestions, unsure.reason) == ((), "no-match")
    short = hybrid(Copies(reason="no-match"), Scored("own")).complete(request(), live)
    assert (short.suggestions, short.reason) == ((), "saves-little")


def test_several_lines_where_a_block_opens_and_one_where_text_follows(hybrid) -> None:
    engine = hybrid(Copies(reason="no-match"), Scored("the_amount\n    before", lines=(-0.01,)))
    assert question(request("if x:\n    ")).single_line is False
    assert question(request("if x:")).single_line is False
    assert question(request("x = ")).single_line is True
    assert question(request("    ", "):\n")).single_line is True
    [shown] = engine.complete(request("if x:\r\n    ", "\r\n"), live).suggestions
    assert shown.text == "the_amount\r\n    before"  # with the document's own line ends


@pytest.mark.parametrize(
    ("lines", "shown"),
    [((), 1), ((-0.02,), 2), ((-0.02, -0.02), 3), ((-0.02, -2.0), 2), ((-2.0, -0.02), 1), ((-0.41, -0.41), 2)],
)
def test_further_lines_of_the_model_are_shown_as_far_as_it_is_sure_of_each(hybrid, lines, shown) -> None:
    engine = hybrid(Copies(reason="no-match"), Scored("the_amount\n    before\n    behind", lines=lines))
    [one] = engine.complete(request("if x:\n    "), live).suggestions
    assert one.text == "\n".join(("the_amount", "    before", "    behind")[:shown])
    [whole, *_] = engine.complete(request("if x:\n    ", automatic=False), live).suggestions
    assert whole.text.count("\n") == 2


def test_the_models_indentation_is_left_to_the_tab_key(hybrid) -> None:
    engine = hybrid(Copies(reason="no-match"), Scored("    return 1"))
    automatic = engine.complete(request("def f():\n", "\n"), live)
    assert (automatic.suggestions, automatic.reason) == ((), "indent-first")
    [shown, *_] = engine.complete(request("def f():\n", "\n", automatic=False), live).suggestions
    assert shown.text == "    return 1"


def test_every_alternative_is_fitted_to_the_line(hybrid) -> None:
    """Closing marks behind the cursor, and the document's line ends, for the second and third text too."""
    answer = hybrid(Copies(reason="no-match"), Scored("a)")).complete(request("f(", ")\r\n", automatic=False), live)
    text = "f()"
    made = [text[: s.start] + s.text + text[s.end :] for s in answer.suggestions]
    assert made[0] == "f(a)"
    assert len(made) == len(set(made)) == 3


def test_copy_scores_are_those_of_the_copies_of_now(hybrid) -> None:
    """The automatic request after an invoked one reuses what the model said about the copies."""
    backend = Scored("own()", logprob=-12.0, scores={"the_first()": -0.1, "the_second()": -9.0})
    engine = hybrid(Copies(("the_first()", 0.9), ("the_second()", 0.05), reason="gate"), backend)
    engine.complete(request(automatic=False), live)
    answer = engine.complete(request(), live)
    assert answer.trace["model_reused"] is True
    [shown] = answer.suggestions
    first_word = 1 / (1 + math.exp(-(math.log(0.9 / 0.1) - 0.05)))
    assert shown.text == "the_first()" and shown.probability == pytest.approx(first_word * 0.99**3, abs=0.01)


def test_alternatives_of_an_invoked_request_are_never_shown_automatically(hybrid) -> None:
    """The next automatic request reuses the answer to an invoked one, but not its doubtful texts."""
    engine = hybrid(Copies(("copied()", 0.1), reason="gate"), Scored("own", logprob=-9.0))
    assert len(engine.complete(request(automatic=False), live).suggestions) == 3
    automatic = engine.complete(request(), live)
    assert automatic.trace["model_reused"] is True
    assert (automatic.suggestions, automatic.reason) == ((), "gate")


def test_a_secret_in_the_models_text_is_not_shown(hybrid) -> None:
    secret = '"ghp_' + "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8" + '"'
    answer = hybrid(Copies(reason="no-match"), Scored(secret)).complete(request("token = "), live)
    assert answer.suggestions == ()


def test_a_closing_mark_behind_the_cursor_is_not_doubled(hybrid) -> None:
    answer = hybrid(Copies(reason="no-match"), Scored("first, second)")).complete(request("f(", ")\n"), live)
    [shown] = answer.suggestions
    text = "f()\n"
    assert text[: shown.start] + shown.text + text[shown.end :] == "f(first, second)\n"


def test_prefetch_after_an_accept_answers_the_next_request(hybrid) -> None:
    backend = Scored("next()")
    engine = hybrid(Copies(reason="no-match"), backend)
    document = request("x = right()\n").document
    engine.accepted(document, 12)
    eventually(lambda: backend.ended == ["end"])
    answer = engine.complete(Request(document, 12, True), live)
    assert answer.trace["model_reused"] is True
    assert backend.generations == 1


def test_a_part_of_the_models_line_is_shown_where_its_end_is_doubtful(hybrid) -> None:
    class Doubtful(Scored):
        def generate(self, prompt, limits, cancelled=lambda: False, drafts=(), report=None):
            made = super().generate(prompt, limits, cancelled, drafts, report)
            return replace(made, own=Judgement((8, 15, 24), (-0.01, -0.01, -3.0), -0.1))

    answer = hybrid(Copies(reason="no-match"), Doubtful("registry.append" + "(doubtful)")).complete(request(), live)
    [shown] = answer.suggestions
    assert (shown.text, shown.engine) == ("registry.append", "model")


def test_what_stands_below_is_not_written_again_by_the_model(hybrid) -> None:
    below = "\nx = written()\n"
    answer = hybrid(Copies(reason="no-match"), Scored("written()")).complete(request(suffix=below), live)
    assert (answer.suggestions, answer.reason) == ((), "stands-below")


def test_retrieval_alone_needs_no_model() -> None:
    retrieval = Copies()
    assert Models().with_model(Settings(), None, retrieval) is retrieval


def test_a_model_that_cannot_be_loaded_leaves_retrieval(tmp_path) -> None:
    problems: list[str] = []
    settings = replace(Settings(), backend="local", base_model=str(tmp_path / "absent"), data_dir=tmp_path)
    engine = Models().with_model(settings, tmp_path, Copies(("copied()", 0.7)), problems.append)
    assert isinstance(engine, HybridEngine)
    eventually(lambda: engine.state.phase == "problem")
    answer = engine.complete(request(), live)
    assert [s.text for s in answer.suggestions] == ["copied()"]
    eventually(lambda: len(problems) == 1)
    assert "there is no model " in problems[0]


@pytest.mark.parametrize("reason", ["shown", "gate", "line-ends", "no-match", "in-word", "does-not-fit"])
@pytest.mark.parametrize("automatic", [True, False])
def test_a_request_costs_one_retrieval(hybrid, reason: str, automatic: bool) -> None:
    copies = Copies(*([] if reason == "no-match" else [("copied()", 0.4), ("other()", 0.2)]), reason=reason)
    hybrid(copies, Scored("own()")).complete(request(automatic=automatic), live)
    assert copies.retrievals == [automatic]


def test_where_the_gate_refuses_the_model_scores_the_copies_of_an_invoked_request(hybrid) -> None:
    found = [(f"copy{n}()", 0.3 - n / 100) for n in range(5)]
    scores = {text: -0.1 * n for n, (text, _) in enumerate(found)}
    engine = hybrid(Copies(*found, reason="gate", threshold=0.1), Scored("", scores=scores))
    answer = engine.complete(request(), live)
    assert answer.trace["blended"]
