"""How fast a model computes on this machine now, measured from its own passes.

A busy machine or a laptop on battery is slower at once, and so gets smaller prompts. Knows no model.
"""

from typing import Final

PROMPT_PASS: Final = 16
"""Tokens of a pass from which it tells the speed of prompts."""

_NEW: Final = 0.3
"""Weight of the newest pass in the mean."""

_EXPECTED: Final = 24
"""Tokens of an answer: nine of ten lines have fewer."""

_LEAST_WAIT, _LONGEST_WAIT = 0.3, 4.0


class Speed:
    """Seconds of a model's passes. Used by one thread; others may read.

    :ivar prompt_rate: tokens of a prompt per second; 0.0 while it is not known.
    :ivar token_seconds: seconds for one token of an answer; 0.0 while they are not known.
    """

    def __init__(self) -> None:
        self.prompt_rate = 0.0
        self.token_seconds = 0.0

    def record(self, tokens: int, seconds: float) -> None:
        """Record what a pass over ``tokens`` tokens took."""
        if tokens >= PROMPT_PASS:
            self.prompt_rate = _mean(self.prompt_rate, tokens / max(seconds, 1e-9))
        elif tokens == 1:
            self.token_seconds = _mean(self.token_seconds, seconds)

    def tokens_in(self, seconds: float) -> int:
        """Return how many tokens of a prompt are computed in this time."""
        return int(self.prompt_rate * seconds)

    def wait(self, prompt_seconds: float) -> float:
        """Return how many seconds an answer is worth waiting for: twice what it should take.

        :param prompt_seconds: what the prompt may take.
        """
        return max(_LEAST_WAIT, min(_LONGEST_WAIT, 2 * (prompt_seconds + _EXPECTED * self.token_seconds)))


def _mean(before: float, new: float) -> float:
    return (1 - _NEW) * before + _NEW * new if before else new
