"""An interpolated n-gram model of repository and document: the baseline for comparison with the other systems.

It predicts the next token by how often it followed the last few tokens, mixes longer contexts with shorter ones
(Jelinek-Mercer), adds the counts of the document to those of the repository, and continues greedily to the end of the
line. ``ondol eval --system retrieval --system ngram`` compares both at the same cursors. It serves no editor, has no
gate, and gives no suggestion to automatic requests.
"""

import re
from collections.abc import Callable, Iterable
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from finetune.evaluation.baseline import Baseline
from lsp_server.reasons import Reason
from lsp_server.types import Answer, Request, Suggestion

Ids = NDArray[np.int32]

ORDER: Final = 6
"""Tokens of context, at most; a seventh did not change the results."""

BACK_OFF: Final = 0.5
"""Number of observations that the shorter context weighs in the mixture."""

DOCUMENT: Final = 0.5
"""Share of the document's counts in the mixture; the rest is the repository's."""

COUNTED: Final = 5000
"""Occurrences of a context that are counted, at most; of more, every n-th one is."""

LONGEST: Final = 60
"""Tokens of a continuation, at most."""

_TOKEN = re.compile(r"\n|[^\S\n]+|[^\W\d]\w*|\d+|[^\w\s]")
_BETWEEN_LINES = re.compile(r"\s*\n\s*")
_GAP: Final = -1
_WORD_AT_END = re.compile(r"[^\W\d]\w*$")
_END_OF_LINE: Final = "\n"


class Words:
    """Numbers the tokens of repository and document alike."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}
        self.spelled: list[str] = []

    def ids(self, text: str) -> Ids:
        """Return the numbers of the tokens of a text, without blanks at the ends of lines and without blank lines."""
        numbers, spelled = self._numbers, self.spelled
        out = []
        for token in _TOKEN.findall(_BETWEEN_LINES.sub("\n", text)):
            number = numbers.get(token)
            if number is None:
                number = numbers[token] = len(spelled)
                spelled.append(token)
            out.append(number)
        return np.array(out, np.int32)


class Counts:
    """Counts which token follows which context: positions sorted by the tokens before them, nearest first."""

    def __init__(self, ids: Ids) -> None:
        self._ids = np.concatenate((np.full(ORDER, _GAP, np.int32), ids))
        places = np.arange(ORDER, len(self._ids))
        columns = [self._ids[places - back] for back in range(ORDER, 0, -1)]
        self._order = places[np.lexsort(columns)] if len(places) else places
        self._first = self._ids[self._order - 1]

    def following(self, context: Ids) -> list[tuple[dict[int, int], int]]:
        """Return, for each length of context that occurs, how often each token followed, and the sum."""
        found: list[tuple[dict[int, int], int]] = []
        low, high = 0, len(self._order)
        for back in range(1, min(ORDER, len(context)) + 1):
            column = self._first if back == 1 else self._ids[self._order[low:high] - back]
            start, stop = (
                np.searchsorted(column, context[-back], "left"),
                np.searchsorted(column, context[-back], "right"),
            )
            low, high = (int(start), int(stop)) if back == 1 else (low + int(start), low + int(stop))
            if low == high:
                break
            step = max(1, (high - low) // COUNTED)
            tokens, counts = np.unique(self._ids[self._order[low:high:step]], return_counts=True)
            tokens, counts = tokens[tokens != _GAP], counts[tokens != _GAP]
            found.append((dict(zip(tokens.tolist(), counts.tolist(), strict=True)), int(counts.sum())))
        return found


def mixed(levels: list[tuple[dict[int, int], int]]) -> dict[int, float]:
    """Return the probabilities of the next token: the counts of each context mixed with those of the shorter one."""
    mixture: dict[int, float] = {}
    for counts, total in levels:
        shorter = mixture
        mixture = {token: BACK_OFF * value / (total + BACK_OFF) for token, value in shorter.items()}
        for token, count in counts.items():
            mixture[token] = mixture.get(token, 0.0) + count / (total + BACK_OFF)
    return mixture


class Ngram(Baseline):
    """The baseline, as an engine."""

    def __init__(self) -> None:
        self._words = Words()
        self._repository = Counts(np.zeros(0, np.int32))

    def set_index(self, index: Any) -> None:
        """Count the texts of an index."""
        self._words = Words()
        texts = () if index is None else (index.text(document) for document in index.documents.values())
        self._repository = Counts(self._join(texts))

    def complete(self, request: Request, cancelled: Callable[[], bool]) -> Answer:
        """Return the greedy rest of the line; nothing for an automatic request."""
        if request.automatic:
            return Answer((), Reason.BASELINE)
        text, offset = request.document.text, request.offset
        start = text.rfind("\n", 0, offset) + 1
        end = len(text) if (found := text.find("\n", offset)) < 0 else found
        document = Counts(self._join((text[:start], text[end:])))
        rest = self._rest_of_line(text[:offset], document)
        suggestions = (Suggestion(rest, offset, offset, 0.0, "ngram", ()),) if rest.strip() else ()
        return Answer(suggestions, Reason.SHOWN if suggestions else Reason.NO_MATCH)

    def _join(self, texts: Iterable[str]) -> Ids:
        gap = np.full(1, _GAP, np.int32)  # keeps the end of one text apart from the start of the next
        parts = [part for text in texts for part in (self._words.ids("\n" + text.strip() + "\n"), gap)]
        return np.concatenate(parts) if parts else np.zeros(0, np.int32)

    def _rest_of_line(self, prefix: str, document: Counts) -> str:
        """Return greedy tokens after a text; a word at its end may continue or be complete."""
        word = _WORD_AT_END.search(prefix)
        partial = word[0] if word else ""
        known = prefix[: len(prefix) - len(partial)]
        context = self._words.ids("\n" + "\n".join(known.split("\n")[-20:]))
        written = ""
        for _ in range(LONGEST):
            token = self._next(context, document, partial)
            if token is None or (spelled := self._words.spelled[token]) == _END_OF_LINE:
                break
            written += spelled[len(partial) :]
            partial = ""
            context = np.append(context, np.int32(token))
        return written.rstrip()

    def _next(self, context: Ids, document: Counts, partial: str) -> int | None:
        """Return the most probable next token among those that start with ``partial``."""
        mixture: dict[int, float] = {}
        for counts, share in ((document, DOCUMENT), (self._repository, 1 - DOCUMENT)):
            for token, value in mixed(counts.following(context)).items():
                mixture[token] = mixture.get(token, 0.0) + share * value
        spelled = self._words.spelled
        fitting = {token: value for token, value in mixture.items() if spelled[token].startswith(partial)}
        return max(fitting, key=lambda token: fitting[token]) if fitting else None
