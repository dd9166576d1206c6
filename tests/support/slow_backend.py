"""A model backend that writes a given text slowly, and stops and goes on when a test says so."""

import threading
from collections.abc import Sequence

from indexer.prompt.renderer import Prompt, PromptInput
from lsp_server.backends.base import Generation, Limits


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

    def render(self, parts: PromptInput) -> Prompt:
        return Prompt(tuple(parts.prefix.encode()), "", 0, {})

    def generate(
        self, prompt: Prompt, limits: Limits, cancelled=lambda: False, drafts: Sequence[str] = (), report=None
    ):
        self.generations += 1
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
        return Generation(self.text, "end", (-0.1, -0.3), line_logprob=-0.4)

    def alternatives(self, prompt: Prompt, limits: Limits, count: int, cancelled=lambda: False) -> list[Generation]:
        return [Generation(self.text + "!" * i, "end", (-0.1,)) for i in range(count)]

    def score(self, prompt: Prompt, texts: Sequence[str], cancelled=lambda: False) -> list[float]:
        return [-float(len(t)) for t in texts]

    def close(self) -> None:
        self.closed = True
