"""A model backend that writes a given text slowly, and stops and goes on when a test says so."""

import threading
from collections.abc import Sequence

from indexer.prompt.renderer import Prompt, PromptInput, PromptSize
from lsp_server.backends.base import Generation, Judgement, Limits
from lsp_server.backends.kept_states import common
from lsp_server.backends.speed import Speed


class SlowBackend:
    """Write ``text`` a character at a time while ``gate`` is set."""

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
        self.measured = Speed()
        self.computed: list[tuple[int, ...]] = []

    @property
    def speed(self) -> Speed:
        return self.measured

    def size(self, whole: int, suffix: int | None = None) -> PromptSize:
        return PromptSize(whole, whole // 2, 0)

    def render(self, parts: PromptInput, size: PromptSize | None = None) -> Prompt:
        lines, start = parts.prefix, 0
        if size is not None and len(lines) > size.whole:
            start = lines.find("\n", len(lines) - size.whole) + 1
        return Prompt(tuple(lines[start:].encode()), "", 0, {}, start)

    def cached(self, prompt: Prompt) -> int:
        return max((common(have, prompt.ids) for have in self.computed), default=0)

    def prefill(self, prompt: Prompt, cancelled=lambda: False) -> bool:
        self.computed.append(prompt.ids)
        return True

    def generate(
        self, prompt: Prompt, limits: Limits, cancelled=lambda: False, drafts: Sequence[str] = (), report=None
    ):
        self.generations += 1
        self.computed.append(prompt.ids)
        if self.error:
            raise self.error
        for at in range(len(self.text)):
            if report and at:
                report(self.text[:at])
            while not self.gate.wait(0.005):
                if cancelled():
                    break
            if cancelled():
                self.ended.append("cancelled")
                return Generation(self.text[:at], "cancelled")
        self.ended.append("end")
        own = Judgement((len(self.text),), (-0.1,), -0.3)
        judged = tuple(Judgement((len(text),), (-float(len(text)),)) for text in drafts)
        return Generation(self.text, "end", (-0.1, -0.3), line_logprob=-0.4, own=own, judged=judged)

    def alternatives(
        self, prompt: Prompt, limits: Limits, count: int, cancelled=lambda: False, drafts: Sequence[str] = ()
    ) -> list[Generation]:
        judged = tuple(Judgement((len(text),), (-float(len(text)),)) for text in drafts)
        return [Generation(self.text + "!" * i, "end", (-0.1,), judged=judged) for i in range(count)]

    def score(self, prompt: Prompt, texts: Sequence[str], cancelled=lambda: False) -> list[float]:
        return [-float(len(t)) for t in texts]

    def close(self) -> None:
        self.closed = True
