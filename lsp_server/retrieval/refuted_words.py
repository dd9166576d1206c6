"""Remembers words that a document's author did not write where the best option expected them.

Lines that are typed one after another are alike. Where the best option was wrong on one of them, it is likely to be
wrong at the same place of the next. So a word is less probable behind the tokens behind which something else was
written lately, until it is written there.
"""

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from indexer.text.tokens import TOKEN
from lsp_server.retrieval.word_tree import WordTree

AGREEMENT: Final = 6
"""Tokens before a word that have to be the same."""

KEPT: Final = 48
"""Words of a document that are remembered, at most; the last ones."""

LEFT: Final = 0.4
"""Part of its probability that such a word keeps."""

TAIL: Final = 400
"""Characters of a line before a word that are read, at most: a line may have a million."""

Floats = NDArray[np.float64]
Context = tuple[str, ...]


class RefutedWords:
    """The refuted words of one document."""

    def __init__(self) -> None:
        # Each word with the tokens before it, the last one at the end.
        self._words: dict[tuple[str, Context], None] = {}
        self._judged: set[str] = set()
        self._line: object = None

    def follow(self, line: object, above: Sequence[str], typed: str, predicted: Mapping[str, str]) -> None:
        """Compare what the best options said at earlier keys of a line with what is written of it.

        :param line: tells one line from another. :param above: the lines before it. :param typed: its text before the
            cursor. :param predicted: for earlier beginnings of the line, the text of the best option.
        """
        if line is not self._line:
            self._line, self._judged = line, set()
        for prefix, text in predicted.items():
            if prefix in self._judged or not typed.startswith(prefix):
                continue
            expected = _next_word(prefix, text)
            if expected is None:
                continue
            begin, word = expected
            written = TOKEN.search(typed, begin)
            if written is None or written.end() >= len(typed):
                continue  # the word is not finished
            self._judged.add(prefix)
            found = word, _context(above, prefix[max(0, begin - TAIL) : begin])
            self._words.pop(found, None)
            if written[0] != word:
                self._words[found] = None
        while len(self._words) > KEPT:
            del self._words[next(iter(self._words))]

    def weighed(self, above: Sequence[str], typed: str, tree: WordTree, words: Floats) -> Floats:
        """Return the probability of each word, given that those which were refuted before are less probable.

        What they lose goes to the other words at the same place, in proportion.

        :param words: the probability of each node of the tree.
        """
        expected = {word for word, _ in self._words}
        out, typed = words, typed[-TAIL:]
        for node in range(1, len(tree.text)) if expected else ():
            if tree.ends[node]:
                continue
            whole = typed + tree.text[node]
            # The first word may go on with one that is typed in part.
            last = tree.word(node).lstrip() if tree.parent[node] else TOKEN.findall(whole[-200:])[-1]
            if last in expected and (last, _context(above, whole[: len(whole) - len(last)])) in self._words:
                out = words.copy() if out is words else out
                rest, lost = max(1.0 - out[node], 1e-9), out[node] * (1.0 - LEFT)
                siblings = tree.children[tree.parent[node]]
                kept = out[node] * LEFT
                out[siblings] = np.minimum(out[siblings] * (1.0 + lost / rest), 1.0)
                out[node] = kept
        return out


def _next_word(prefix: str, text: str) -> tuple[int, str] | None:
    """Return where the word (or the blanks before it) begins that a text goes on with, and the whole word.

    The author may set other blanks before it.
    """
    start = max(0, len(prefix) - TAIL)
    whole = prefix[start:] + text
    end = len(prefix) - start + len(text) - len(text.lstrip(" \t"))
    for match in TOKEN.finditer(whole):
        if match.end() > end:
            return min(start + match.start(), len(prefix)), match[0]
    return None


def _context(above: Sequence[str], before: str) -> Context:
    """Return the last tokens before a word, the nearest last; line ends are tokens."""
    tokens = TOKEN.findall(before)
    for line in reversed(above[-4:]):
        if len(tokens) >= AGREEMENT:
            break
        tokens = [*TOKEN.findall(line), "\n", *tokens]
    return tuple(tokens[-AGREEMENT:])
