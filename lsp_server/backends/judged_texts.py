"""How likely a model finds given texts, read off the passes that it makes while it writes a text of its own.

Every pass yields the probability of every next token. So as long as a given text agrees with what the model writes, the
probabilities of its tokens cost nothing, and so does that of the first token that differs. Knows token ids only.
"""

from collections.abc import Callable, Sequence
from typing import Final

from indexer.prompt.tokenizer import Vocabulary
from lsp_server.backends.base import Judgement

Masses = Callable[[list[Sequence[int]]], list[float]]
"""For each group of ids the log-probability that the next token is one of them."""

NEVER: Final = float("-inf")


class JudgedTexts:
    """The texts that are judged during one generation.

    :param texts: lines that may follow the cursor.
    :param healing: what token healing makes the model write before them.
    :param line_ends: the tokens that end a line: those that begin with a line break, and those that end a generation.
    """

    def __init__(self, texts: Sequence[str], vocabulary: Vocabulary, healing: str, line_ends: Sequence[int]) -> None:
        encoded = [vocabulary.encode_with_offsets(healing + text) for text in texts]
        self.ids = [ids for ids, _ in encoded]
        self._ends = [[max(0, end - len(healing)) for _, end in offsets] for _, offsets in encoded]
        self._line_ends = line_ends
        self._found: list[list[float]] = [[] for _ in texts]
        self._over: list[float | None] = [None for _ in texts]
        self._agreeing = list(range(len(texts)))
        self._endings: list[float] = []

    def look(self, written: Sequence[int], masses: Masses, *, may_end: bool) -> None:
        """Read the probabilities of a position off the last pass; call once for each, before its token is written.

        :param written: the tokens before. :param may_end: whether what token healing demands is written.
        """
        at = len(written)
        if at:
            self._agreeing = [n for n in self._agreeing if self.ids[n][at - 1 : at] == [written[-1]]]
        groups: list[Sequence[int]] = [self.ids[n][at : at + 1] or self._line_ends for n in self._agreeing]
        found = masses([*groups, self._line_ends] if may_end else groups)
        self._endings.append(found[-1] if may_end else NEVER)
        for number, mass in zip(self._agreeing, found, strict=False):
            if at < len(self.ids[number]):
                self._found[number].append(mass)
            else:
                self._over[number] = mass

    def judgements(self) -> tuple[Judgement, ...]:
        """Return what is known about each text."""
        return tuple(
            Judgement(tuple(ends[: len(found)]), tuple(found), over)
            for ends, found, over in zip(self._ends, self._found, self._over, strict=True)
        )

    def own(self, texts: Sequence[str], logprobs: Sequence[float]) -> Judgement:
        """Return what is known about the first line of the model's own text.

        :param texts: the text after each token, without what token healing demands.
        """
        ends: list[int] = []
        for at, text in enumerate(texts):
            line = text.find("\n")
            if line >= 0:
                begins = line == (ends[-1] if ends else 0)
                kept, end = (at, self._endings[at]) if begins else (at + 1, 0.0)
                return Judgement((*ends, line)[:kept], tuple(logprobs[:kept]), end)
            ends.append(len(text))
        over = self._endings[len(texts)] if len(self._endings) > len(texts) else None
        return Judgement(tuple(ends), tuple(logprobs[: len(ends)]), over)


def later_lines(texts: Sequence[str], logprobs: Sequence[float], *, ended: bool) -> tuple[float, ...]:
    """Return the log-probability of each line after the first, with its end, given all before it.

    A token counts for the line in which it begins.

    :param texts: the text after each token. :param logprobs: of each token.
    :param ended: whether the last line came to its end, too; else it is left out.
    """
    found: list[float] = []
    line = 0
    for text, logprob in zip(texts, logprobs, strict=True):
        found += [0.0] * (line + 1 - len(found))
        found[line] += logprob
        line = text.count("\n")
    whole = found if ended else found[:line]
    return tuple(whole[1:])
