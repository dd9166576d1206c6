"""Guesses at the next tokens, to be verified by the model in one pass: copies from the index, and the prompt itself.

A wrong guess costs a little time and never changes the text. Knows token ids only.
"""

from collections.abc import Sequence

_NGRAM = 3  # shorter overlaps are coincidences: on code they are right too seldom to pay for the wider pass


class Drafts:
    """Proposes continuations of a growing list of tokens.

    :param texts: candidate continuations as ids, best first; they start where the generation starts.
    :param prompt: ids of the prompt, searched for the last few generated tokens.
    """

    def __init__(self, texts: Sequence[Sequence[int]], prompt: Sequence[int] = ()) -> None:
        self._texts = [list(t) for t in texts if t]
        self._sources = [*self._texts, list(prompt)]

    def propose(self, written: Sequence[int], limit: int) -> list[int]:
        """At most ``limit`` tokens that may follow ``written``; nothing where there is no ground for a guess."""
        count = len(written)
        for text in self._texts:
            if len(text) > count and text[:count] == list(written):
                return text[count : count + limit]
        if count < _NGRAM:
            return []
        tail = list(written[-_NGRAM:])
        for source in self._sources:
            at = _last_occurrence(source, tail)
            if at >= 0:
                return source[at : at + limit]
        return []


def _last_occurrence(source: list[int], tail: list[int]) -> int:
    """Where the last occurrence of ``tail`` that is followed by something ends, or -1."""
    size = len(tail)
    last = tail[-1]
    for end in range(len(source) - 1, size - 1, -1):
        if source[end - 1] == last and source[end - size : end] == tail:
            return end
    return -1
