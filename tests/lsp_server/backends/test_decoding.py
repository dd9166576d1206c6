"""The decode loop with a model made of arithmetic: drafts change no text, the cache is reused, stops and cancels work."""

import itertools
import random
import time
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer, decoders, models, pre_tokenizers

from indexer.prompt.renderer import Prompt
from indexer.prompt.tokenizer import Vocabulary
from indexer.text.lines import indent_of
from lsp_server.backends.base import Limits
from lsp_server.backends.decoding import Decoder
from lsp_server.backends.judged_texts import later_lines
from lsp_server.backends.stop_rules import StopRules
from lsp_server.errors import BackendProblem

END = 256


def bytes_vocabulary() -> Vocabulary:
    """A byte's id is its place in the sorted alphabet; the end token follows."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokenizer = Tokenizer(models.BPE(vocab={c: i for i, c in enumerate(alphabet)}, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens(["<end>"])
    return Vocabulary(tokenizer.to_str(), {"eos_token": "<end>"})


VOCABULARY = bytes_vocabulary()


class Oracle:
    """Always writes the same text after the prompt, wherever the cache was cut; counts the tokens it is fed."""

    def __init__(self, prompt: Sequence[int], text: str, context: int = 4096) -> None:
        self.sequence = [*prompt, *VOCABULARY.encode(text), END]
        self.context = context
        self.cache: list[int] = []
        self.fed = 0
        self.passes = 0
        self.copied = 0

    def feed(self, tokens: Sequence[int], last: int) -> tuple[list[list[int]], list[list[float]]]:
        self.cache += tokens
        self.fed += len(tokens)
        self.passes += 1
        places = range(len(self.cache) - last, len(self.cache))
        self.predicted = places
        best = [self._next(place) for place in places]
        return [[b, (b + 1) % 256, (b + 2) % 256] for b in best], [[-0.1, -2.0, -3.0] for _ in best]

    def _next(self, place: int) -> int:
        agrees = self.cache[: place + 1] == self.sequence[: place + 1]
        return self.sequence[place + 1] if agrees and place + 1 < len(self.sequence) else 7

    def among(self, place: int, ids: Sequence[int]) -> tuple[list[int], list[float]]:
        wanted = self._next(self.predicted[place])
        order = sorted(ids, key=lambda i: (i != wanted, i))[:3]
        return order, [-0.2, -2.0, -3.0][: len(order)]

    def masses(self, place: int, groups: Sequence[Sequence[int]], given: Sequence[int] = ()) -> list[float]:
        wanted = self._next(self.predicted[place])
        return [-0.1 if wanted in group else -5.0 for group in groups]

    def state(self) -> np.ndarray:
        self.copied += 1
        return np.array(self.cache)

    def restore(self, state: np.ndarray, tokens: Sequence[int]) -> None:
        assert state.tolist() == list(tokens)
        self.cache = state.tolist()

    def keep(self, length: int) -> None:
        del self.cache[length:]

    def likelihoods(self, token: int, continuations: Sequence[Sequence[int]], given: Sequence[int] = ()) -> list[float]:
        return [-float(len(c)) for c in continuations]


def prompt_of(ids: Sequence[int], held: str = "") -> Prompt:
    return Prompt(tuple(ids), held, 0, {})


PROMPT = VOCABULARY.encode("total = ")


def run(text: str, limits: Limits | None = None, drafts: Sequence[str] = (), held: str = ""):
    model = Oracle(PROMPT, text)
    decoder = Decoder(model, VOCABULARY, frozenset([END]), clock=itertools.count().__next__)  # passes cost the same
    return decoder.generate(prompt_of(PROMPT, held), limits or Limits(single_line=False), drafts=drafts), model


@settings(max_examples=150)
@given(
    st.text("ab =\n(", max_size=40),
    st.lists(st.text("ab =\n(", max_size=40), max_size=3),
    st.booleans(),
    st.text("ab =("),
)
def test_drafts_never_change_the_text(text: str, drafts: list[str], single: bool, held: str) -> None:
    limits = Limits(single_line=single, max_tokens=30, max_lines=3)
    held = held[:3] if single else text[:2]
    plain, _ = run(text, limits, held=held)
    drafted, _ = run(text, limits, drafts, held)
    assert (drafted.text, drafted.reason, drafted.tokens) == (plain.text, plain.reason, plain.tokens)


def test_the_likelihood_of_a_line_counts_its_end() -> None:
    assert run("abc")[0].line_logprob == pytest.approx(-0.4)
    assert run("ab\ncd")[0].line_logprob == pytest.approx(-0.3)
    assert run("abc", Limits(max_tokens=2))[0].line_logprob is None


def test_the_likelihood_of_each_further_line_counts_its_end() -> None:
    assert later_lines(["a", "a\n", "a\nb", "a\nb\nc"], [-1.0, -2.0, -4.0, -8.0], ended=True) == (-12.0,)
    assert later_lines(["a", "a\n ", "a\n b", "a\n b\n", "a\n b\nc"], [-1.0] * 5, ended=True) == (-2.0, -1.0)
    assert later_lines(["a", "a\n ", "a\n b", "a\n b\n", "a\n b\nc"], [-1.0] * 5, ended=False) == (-2.0,)
    assert later_lines(["a"], [-1.0], ended=True) == later_lines([], [], ended=True) == ()


def test_a_right_draft_saves_passes_and_a_wrong_one_costs_none() -> None:
    plain, _ = run("price * count")
    right, _ = run("price * count", drafts=["price * count"])
    wrong, _ = run("price * count", drafts=["zzz"])
    assert plain.forwards == 13
    assert right.forwards <= 2 and right.accepted >= 12
    assert wrong.forwards == plain.forwards


def test_a_draft_is_verified_with_the_prompt() -> None:
    made, model = run("ab", Limits(single_line=False, max_tokens=2), drafts=["ab"])
    assert (made.text, made.forwards, model.passes) == ("ab", 0, 1)


def test_a_repetition_in_the_text_is_drafted() -> None:
    made, _ = run("-+" * 20, Limits(single_line=False, max_tokens=40))
    assert made.text == "-+" * 20
    assert made.forwards <= 20  # 39 without drafts


def test_the_cache_is_reused_between_keystrokes() -> None:
    model = Oracle(PROMPT, "price")
    decoder = Decoder(model, VOCABULARY, frozenset([END]))
    first = decoder.generate(prompt_of(PROMPT), Limits())
    assert (first.text, first.reused) == ("price", 0)
    model.fed = 0
    typed = decoder.generate(prompt_of(model.sequence[: len(PROMPT) + 2]), Limits())
    assert typed.text == "ice"
    assert typed.reused == len(PROMPT) + 1  # all but the last token, whose prediction is needed
    assert decoder.generate(prompt_of([1, 2, 3]), Limits()).reused == 0


def test_cancel_ends_within_one_token() -> None:
    model = Oracle(PROMPT, "a" * 60)
    calls = []

    def cancelled() -> bool:
        calls.append(model.passes)
        return len(calls) > 5

    made = Decoder(model, VOCABULARY, frozenset([END])).generate(prompt_of(PROMPT), Limits(), cancelled)
    assert made.reason == "cancelled"
    assert model.passes == calls[-1]  # no pass after the cancel was seen
    assert made.text == "a" * len(made.tokens)


def test_a_deadline_returns_the_text_so_far() -> None:
    late = Limits(deadline=time.monotonic() - 1)
    assert run("abc", late)[0].reason == "time"


def test_a_cancelled_prompt_stays_in_the_cache() -> None:
    long = VOCABULARY.encode("x" * 1000)
    model = Oracle(long, "y")
    decoder = Decoder(model, VOCABULARY, frozenset([END]), clock=itertools.count().__next__)  # passes of 32 tokens
    ticks = iter([False, False, True])
    assert decoder.generate(prompt_of(long), Limits(), lambda: next(ticks)).reason == "cancelled"
    assert decoder.generate(prompt_of(long), Limits()).reused == 64


@pytest.mark.parametrize(
    ("text", "limits", "expected", "reason"),
    [
        ("1\nb", Limits(), "1", "line"),
        ("1", Limits(), "1", "end"),
        ("\nfoo", Limits(), "", "line"),
        ("a\nb\nc\nd", Limits(single_line=False, max_lines=2), "a\nb", "lines"),
        ("a" * 99, Limits(max_tokens=9), "a" * 9, "tokens"),
        (
            "x:\n        a\n        b\n    c\n",
            Limits(single_line=False, base_indent=4),
            "x:\n        a\n        b",
            "block",
        ),
        ("x\n    y\n\n    z\nq\n", Limits(single_line=False, base_indent=4), "x\n    y\n\n    z", "block"),
        ("{\n    a;\n}\nb;\n", Limits(single_line=False), "{\n    a;\n}", "block"),
        ("한국어\n", Limits(), "한국어", "line"),
        ("return value", Limits(more_until=0.0), "return", "time"),
        ("값, 이름", Limits(more_until=0.0), "값,", "time"),
        ("word", Limits(more_until=0.0, max_tokens=3), "wor", "tokens"),
    ],
)
def test_stops(text: str, limits: Limits, expected: str, reason: str) -> None:
    made, _ = run(text, limits)
    assert (made.text, made.reason) == (expected, reason)


def test_a_text_whose_time_is_over_keeps_its_whole_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    ticks = itertools.count()
    monkeypatch.setattr("lsp_server.backends.decoding.time.monotonic", lambda: float(next(ticks)))
    made, _ = run("x:\n    y\n    z\n", Limits(single_line=False, more_until=14.0))
    assert (made.text, made.reason) == ("x:", "lines")


class Fork(Oracle):
    """Prefers its first text, and continues the other one once it has begun."""

    def __init__(self, prompt: Sequence[int], *texts: str) -> None:
        super().__init__(prompt, "")
        self.sequences = [[*prompt, *VOCABULARY.encode(text), END] for text in texts]

    def _next(self, place: int) -> int:
        agree = (s for s in self.sequences if s[: place + 1] == self.cache[: place + 1] and place + 1 < len(s))
        return next(agree, [7] * (place + 2))[place + 1]


def test_token_healing_writes_the_demanded_text_and_removes_it() -> None:
    assert run("    x\n", held="    ", limits=Limits())[0].text == "x"
    for drafts in ((), ("nt(x)",), ("tal",), ("ce",)):
        model = Fork(PROMPT, "total", "print(x)", "price")
        made = Decoder(model, VOCABULARY, frozenset([END])).generate(prompt_of(PROMPT, "pri"), Limits(), drafts=drafts)
        assert (made.text, made.reason) == ("nt(x)", "end"), drafts
    chances = [-0.2] * 3 + [-0.1] * 5
    assert made.logprobs == pytest.approx(chances), "what is typed counts as one of what may have been typed"
    several = Decoder(model, VOCABULARY, frozenset([END])).alternatives(prompt_of(PROMPT, "pri"), Limits(), 3)
    assert [one.text for one in several] == ["nt(x)"], "of bytes, one alone begins it"


def test_nan_is_a_problem_and_the_next_request_works() -> None:
    model = Oracle(PROMPT, "abc")
    feed = model.feed
    model.feed = lambda tokens, last: (feed(tokens, last)[0], [[float("nan")] * 3] * last)  # type: ignore[method-assign]
    decoder = Decoder(model, VOCABULARY, frozenset([END]))
    with pytest.raises(BackendProblem, match="NaN"):
        decoder.generate(prompt_of(PROMPT), Limits())
    model.feed = feed  # type: ignore[method-assign]
    again = decoder.generate(prompt_of(PROMPT), Limits())
    assert (again.text, again.reused) == ("abc", 0)


def test_a_prompt_longer_than_the_context_is_refused() -> None:
    model = Oracle(PROMPT, "a", context=4)
    with pytest.raises(BackendProblem, match="8 tokens"):
        Decoder(model, VOCABULARY, frozenset([END])).generate(prompt_of(PROMPT), Limits())


def test_a_full_cache_ends_the_text() -> None:
    model = Oracle(PROMPT, "a" * 50, context=len(PROMPT) + 5)
    made = Decoder(model, VOCABULARY, frozenset([END])).generate(prompt_of(PROMPT), Limits(), drafts=["a" * 50])
    assert made.reason == "tokens"
    assert len(model.cache) <= model.context


def test_alternatives_differ() -> None:
    model = Oracle(PROMPT, "x")
    made = Decoder(model, VOCABULARY, frozenset([END])).alternatives(prompt_of(PROMPT), Limits(max_tokens=1), 3)
    assert len({m.text for m in made}) == len(made) == 3
    assert made[0].text == "x"


def test_score_keeps_the_prompt_in_the_cache() -> None:
    model = Oracle(PROMPT, "abc")
    decoder = Decoder(model, VOCABULARY, frozenset([END]))
    assert decoder.score(prompt_of(PROMPT), ["ab", "a"]) == [-3.0, -2.0]  # their ends count
    assert decoder.generate(prompt_of(PROMPT), Limits()).reused == len(PROMPT) - 1


def test_random_walks_over_one_cache_agree_with_fresh_ones() -> None:
    seed = random.randrange(1 << 30)
    print("seed", seed)
    rng = random.Random(seed)
    model = Oracle(PROMPT, "price * amount + price * 2\nnext")
    decoder = Decoder(model, VOCABULARY, frozenset([END]))
    for _ in range(200):
        ids = model.sequence[: rng.randrange(1, len(model.sequence) - 2)]
        limits = Limits(single_line=rng.random() < 0.5, max_tokens=rng.randrange(1, 20))
        drafts = [VOCABULARY.decode(model.sequence[len(ids) : len(ids) + rng.randrange(9)]) + "?"]
        fresh = Decoder(Oracle(PROMPT, "price * amount + price * 2\nnext"), VOCABULARY, frozenset([END]))
        assert (
            decoder.generate(prompt_of(ids), limits, drafts=drafts).text == fresh.generate(prompt_of(ids), limits).text
        )


def test_an_echo_of_the_following_line_is_removed() -> None:
    assert StopRules.without_echo("a\n    return b", "\n    return b\n") == "a"
    assert StopRules.without_echo("a\n    return b", "\n    return c\n") == "a\n    return b"
    assert indent_of("\t x") == 5


def test_given_texts_are_judged_as_far_as_the_model_agrees_and_one_token_further() -> None:
    made, _ = run("one two\nthree", Limits(), drafts=["one two", "one other", "else"])
    own, (same, parted, other) = made.own, made.judged
    assert own is not None and own.ends[-1] == len("one two") and own.over == -0.1
    assert same == own
    agreed = sum(one == -0.1 for one in parted.logprobs)
    assert parted.logprobs == (*[-0.1] * agreed, -5.0) and "one two"[: parted.ends[agreed - 1]] == "one "
    assert (other.logprobs, other.over, parted.over) == ((-5.0,), None, None)


def test_the_prompt_of_the_document_before_is_not_computed_again() -> None:
    """States of the last documents are kept, also that of a prompt that was interrupted."""
    first, second = list(range(200, 220)) * 12, list(range(100, 120)) * 12
    model = Oracle(first, "x")
    decoder = Decoder(model, VOCABULARY, frozenset([END]), clock=itertools.count().__next__)  # small passes
    assert decoder.prefill(prompt_of(first))
    assert decoder.cached(prompt_of(first)) == len(first) - 1
    calls = iter([*[False] * 5, True])
    assert not decoder.prefill(prompt_of(second), lambda: next(calls))
    part = decoder.cached(prompt_of(second))
    assert 0 < part < len(second)
    fed = model.fed
    made = decoder.generate(prompt_of(first), Limits())
    assert (made.text, made.reused, model.fed - fed) == ("x", len(first) - 1, 1 + made.forwards)
    assert decoder.cached(prompt_of(second)) == part
    decoder.forget()
    assert decoder.cached(prompt_of(first)) == 0
