"""Questions to a model about changed lines, and the jobs that answer them.

The prompt is a list of changes as in a diff: each line before and after, then the line in question before. A model that
was trained on code goes on with the line after. Changes stand in the order in which they were made, so that the next
prompt mostly begins like this one and little of it is computed again. Knows neither the model nor the thread that runs
it.
"""

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from lsp_server.reasons import Reason

PATIENCE_SECONDS: Final = 10.0
"""A question that is older is not answered: the cursor stands there no more, or the model serves completions."""


@dataclass(frozen=True, slots=True)
class LineQuestion:
    """A line that may be changed as others were before. All texts are without blanks at their ends.

    :param path: of the line's document. :param pairs: changed lines before and after, the newest last.
    :param drafts: what the line may be then; they save time where the model agrees and never change its text.
    """

    path: str
    pairs: tuple[tuple[str, str], ...]
    line: str
    drafts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ChangedLine:
    """What a model made of a line.

    :param text: empty where it made nothing, for ``reason``.
    :param trace: numbers for ``ondol explain``; no text.
    """

    text: str
    reason: str
    trace: dict[str, Any] = field(default_factory=dict)


class LineJob:
    """One question, from its beginning to its answer."""

    def __init__(self, question: LineQuestion) -> None:
        self.question = question
        self.until = time.monotonic() + PATIENCE_SECONDS
        self.answer: ChangedLine | None = None
        self._cancelled = threading.Event()
        self._lock = threading.Lock()
        self._callbacks: list[Callable[[], None]] = []

    @property
    def cancelled(self) -> bool:
        """Whether nobody wants the answer any more."""
        return self._cancelled.is_set() or time.monotonic() >= self.until

    def cancel(self) -> None:
        """Want no answer any more; a running generation ends at its next token."""
        self._cancelled.set()
        self.end(nothing(Reason.CANCELLED))

    def end(self, answer: ChangedLine) -> None:
        """Take the answer, and call whoever waits for it; the first answer counts."""
        with self._lock:
            self.answer = self.answer or answer
            waiting, self._callbacks = self._callbacks, []
        for call in waiting:
            call()

    def when_ended(self, call: Callable[[], None]) -> None:
        """Call a function once the answer is there, from the model's thread; at once if it is there already."""
        with self._lock:
            if self.answer is None:
                self._callbacks.append(call)
                return
        call()


def nothing(reason: str) -> ChangedLine:
    """Return the answer that is none."""
    return ChangedLine("", reason)


def text_of(pairs: Sequence[tuple[str, str]], line: str) -> str:
    """Return the prompt as text."""
    return "".join(f"-{before}\n+{after}\n\n" for before, after in pairs) + f"-{line}\n+"
