"""Guesses at the next tokens, to be verified by the model in one pass: copies from the index, and the text so far.

A wrong guess costs a little time and never changes the text. Knows token ids only; how long a guess may be is told by
``pace``.
"""

from collections.abc import Callable, Sequence

UNCONFIRMED, CONFIRMED = "copy", "copy that began right"
ECHOES = {3: "echo of three tokens", 2: "echo of two tokens", 1: "echo of one token"}
"""Grounds of a guess, apart because they are right unequally often: a copy from its start, one whose first tokens the
model has written, and what followed the last three, two or one tokens where they stood before."""


class Drafts:
    """Proposes continuations of a growing list of tokens.

    :param texts: candidate continuations as ids, best first; they start where the generation starts.
    :param prompt: ids of the prompt.
    """

    def __init__(self, texts: Sequence[Sequence[int]], prompt: Sequence[int] = ()) -> None:
        self._texts = [list(text) for text in texts if text]
        self._backwards = [list(reversed(source)) for source in (prompt, *self._texts)]

    def propose(self, written: Sequence[int], length: Callable[[str], int]) -> tuple[str, list[int]]:
        """The ground of a guess, and tokens that may follow ``written``; none where there is no ground.

        :param length: how many tokens to propose on a ground; 0 leaves it to the next one.
        """
        count = len(written)
        for text in self._texts:
            if len(text) > count and text[:count] == list(written):
                ground = CONFIRMED if count else UNCONFIRMED
                limit = length(ground)
                if limit:
                    return ground, text[count : count + limit]
                break
        for size, ground in ECHOES.items():
            if count >= size:
                limit = length(ground)
                found = self._followers(list(written), size, limit) if limit else []
                if found:
                    return ground, found
        return "", []

    def _followers(self, written: list[int], size: int, limit: int) -> list[int]:
        """What followed the last ``size`` tokens where they stood before, in the text itself or in a source."""
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
