"""An interpolated n-gram model of the repository and the document: the baseline that every engine has to beat.

It is the oldest way to complete code without a language model: the next token by how often it followed the last few
tokens, longer contexts backing off to shorter ones (Jelinek-Mercer mixing), the document's own counts beside the
repository's, greedily to the end of the line. ``ondol eval --arm retrieval --arm ngram`` puts it to the same cursors.
It is an arm for comparison and serves no editor; it knows no gate and is never asked unasked.
"""

import re
from collections.abc import Callable, Iterable
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from lsp_server.reasons import Reason
from lsp_server.types import Answer, Document, ModelState, Request, Suggestion

Ids = NDArray[np.int32]

ORDER: Final = 6
"""Tokens of context at most; a seventh changed nothing."""

BACK_OFF: Final = 0.5
"""How many observations the shorter context's opinion counts for."""

DOCUMENT: Final = 0.5
"""Share of the document's own counts in the mixture; the rest is the repository's."""

COUNTED: Final = 5000
"""Places of one context that are counted; of more, as many are taken evenly."""

LONGEST: Final = 60
"""Tokens of a continuation at most."""

_TOKEN = re.compile(r"\n|[^\S\n]+|[^\W\d]\w*|\d+|[^\w\s]")
_BETWEEN_LINES = re.compile(r"\s*\n\s*")
_GAP: Final = -1
_WORD_AT_END = re.compile(r"[^\W\d]\w*$")
_END_OF_LINE: Final = "\n"


class Words:
    """Numbers for tokens, the same for repository and document."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}
        self.spelled: list[str] = []

    def ids(self, text: str) -> Ids:
        """The tokens of a text; blanks at either end of a line are none, nor are blank lines."""
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
    """What followed which context in some texts: positions sorted by the tokens before them, nearest first."""

    def __init__(self, ids: Ids) -> None:
        self._ids = np.concatenate((np.full(ORDER, _GAP, np.int32), ids))
        places = np.arange(ORDER, len(self._ids))
        columns = [self._ids[places - back] for back in range(ORDER, 0, -1)]
        self._order = places[np.lexsort(columns)] if len(places) else places
        self._first = self._ids[self._order - 1]

    def following(self, context: Ids) -> list[tuple[dict[int, int], int]]:
        """For each length of context from one token up, while it occurs: how often which token followed; the sum."""
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
    """Probabilities of the next token: each context's counts, drawn towards the shorter one's opinion."""
    opinion: dict[int, float] = {}
    for counts, total in levels:
        shorter = opinion
        opinion = {token: BACK_OFF * value / (total + BACK_OFF) for token, value in shorter.items()}
        for token, count in counts.items():
            opinion[token] = opinion.get(token, 0.0) + count / (total + BACK_OFF)
    return opinion


class Ngram:
    """The baseline, with the engine's interface."""

    def __init__(self) -> None:
        self._words = Words()
        self._repository = Counts(np.zeros(0, np.int32))

    @property
    def state(self) -> ModelState | None:
        """Return None: there is no language model to load."""
        return None

    def accepted(self, document: Document, offset: int) -> None:
        """Do nothing: a replay accepts no suggestion."""

    def stop(self) -> None:
        """Do nothing: there is no model to free."""

    def set_index(self, index: Any) -> None:
        """Counts the texts of an index."""
        self._words = Words()
        texts = () if index is None else (index.text(document) for document in index.documents.values())
        self._repository = Counts(self._join(texts))

    def update(self, document: Document) -> None:
        """Nothing: a document is counted when it is asked about."""

    def close(self, uri: str) -> None:
        """Nothing is kept of a document."""

    def complete(self, request: Request, cancelled: Callable[[], bool]) -> Answer:
        """The greedy rest of the line; nothing unasked."""
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
        gap = np.full(1, _GAP, np.int32)  # nothing is learnt of how one text follows another
        parts = [part for text in texts for part in (self._words.ids("\n" + text.strip() + "\n"), gap)]
        return np.concatenate(parts) if parts else np.zeros(0, np.int32)

    def _rest_of_line(self, prefix: str, document: Counts) -> str:
        """Greedy tokens after a text; a word at its end may go on or be whole."""
        begun = _WORD_AT_END.search(prefix)
        partial = begun[0] if begun else ""
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
        """The most probable next token, of those that go on with what is begun."""
        opinion: dict[int, float] = {}
        for counts, share in ((document, DOCUMENT), (self._repository, 1 - DOCUMENT)):
            for token, value in mixed(counts.following(context)).items():
                opinion[token] = opinion.get(token, 0.0) + share * value
        spelled = self._words.spelled
        fitting = {token: value for token, value in opinion.items() if spelled[token].startswith(partial)}
        return max(fitting, key=lambda token: fitting[token]) if fitting else None
