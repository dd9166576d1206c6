"""Guesses at the next tokens: copies from the index, and repetitions of the text so far.

The model verifies a guess in one pass. A wrong guess costs a little time and never changes the text. Knows token ids
only; ``draft_length`` chooses the length of a guess.
"""

from collections.abc import Callable, Sequence

UNCONFIRMED, CONFIRMED = "copy", "copy that began right"
ECHOES = {3: "echo of three tokens", 2: "echo of two tokens", 1: "echo of one token"}
"""Sources of a guess, apart because they are right at different rates: a copy from its start, a copy whose first tokens
the model has written, and what followed an earlier occurrence of the last three, two or one tokens."""


class DraftSources:
    """Proposes continuations of a growing list of tokens.

    :param texts: candidate continuations as ids, best first; they start where the generation starts.
    :param prompt: ids of the prompt.
    """

    def __init__(self, texts: Sequence[Sequence[int]], prompt: Sequence[int] = ()) -> None:
        self.prompt = prompt
        self._texts = [list(text) for text in texts if text]
        self._backwards = [list(reversed(source)) for source in (prompt, *self._texts)]

    def propose(self, written: Sequence[int], length: Callable[[str], int]) -> tuple[str, list[int]]:
        """The source of a guess, and tokens that may follow ``written``; no tokens where no source has any.

        :param length: how many tokens to propose from a source; 0 passes on to the next source.
        """
        count = len(written)
        source, rest = self.copy(written)
        if rest and (limit := length(source)):
            return source, rest[:limit]
        for size, source in ECHOES.items():
            if count >= size:
                limit = length(source)
                found = self._followers(list(written), size, limit) if limit else []
                if found:
                    return source, found
        return "", []

    def copy(self, written: Sequence[int]) -> tuple[str, list[int]]:
        """The rest of the best text that begins with ``written``, and what a guess from it counts as."""
        count = len(written)
        for text in self._texts:
            if len(text) > count and text[:count] == list(written):
                return CONFIRMED if count else UNCONFIRMED, text[count:]
        return "", []

    def _followers(self, written: list[int], size: int, limit: int) -> list[int]:
        """What followed an earlier occurrence of the last ``size`` tokens, in the text itself or in a source."""
        tail = written[: -size - 1 : -1]
        for backwards in (written[::-1], *self._backwards):
            at = 0
            while True:
                try:
                    at = backwards.index(tail[0], at + 1)
                except ValueError:
                    break
                if backwards[at : at + size] == tail:
                    return backwards[max(0, at - limit) : at][::-1]
        return []
