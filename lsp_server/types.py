"""What an engine is, what it is asked and what it answers.

There are no LSP types and no index types here: ``server`` translates from and to the protocol, ``retrieval`` from and
to the index. Offsets are code points of ``Document.text``.
"""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Protocol

from lsp_server.reasons import Reason
from lsp_server.refused_texts import is_refused


@dataclass(frozen=True, slots=True)
class Document:
    """One version of an open document.

    :param path: relative to the repository's root (POSIX), or None outside it.
    :param on_disk: whether it is a file that no editor has open, and that is newer than the index.
    """

    uri: str
    path: str | None
    language: str
    version: int
    text: str
    on_disk: bool = False


@dataclass(frozen=True, slots=True)
class Popup:
    """The entry that the editor's own completion list has selected; a suggestion must extend it."""

    start: int
    end: int
    text: str


@dataclass(frozen=True, slots=True)
class Request:
    """A cursor in a document.

    :param automatic: whether the editor asks while the user types; else the user invoked the completion.
    :param refused: texts of three characters or more that the user refused on the cursor's line, each from the place
        where it was refused. An automatic request gets none of them.
    :param new_form: what the session's edits make of a line that stands elsewhere; None for a line that they leave.
    """

    document: Document
    offset: int
    automatic: bool
    popup: Popup | None = None
    refused: tuple[str, ...] = ()
    new_form: Callable[[str], str | None] | None = field(default=None, compare=False)

    def refuses(self, text: str) -> bool:
        """Whether a text to add at the cursor was refused before on its line."""
        return bool(self.refused) and is_refused(
            text, self.refused, self.document.text[max(self.offset - 1, 0) : self.offset]
        )


@dataclass(frozen=True, slots=True)
class Provenance:
    """Where a suggestion's text comes from; ``line`` counts from 1."""

    path: str
    line: int
    kind: str


@dataclass(frozen=True, slots=True)
class Suggestion:
    """Text to put in place of ``[start, end)``.

    :param probability: calibrated, of being the text that the author wants. :param engine: ``retrieval``, ``model`` or
        ``both``.
    """

    text: str
    start: int
    end: int
    probability: float
    engine: str
    provenance: tuple[Provenance, ...] = ()


class Later(Protocol):
    """What a model adds to an answer, once it is there. All calls come on the engine's thread, but ``when_there``."""

    @property
    def seconds(self) -> float:
        """How long the request is worth keeping open."""
        ...

    def when_there(self, call: Callable[[], None]) -> None:
        """Call a function once there is nothing to wait for, from any thread, possibly at once."""
        ...

    def finish(self, *, late: bool = False) -> "Answer":
        """Return the whole answer: with what the model wrote, or without it where that is not there.

        :param late: whether the request has waited in vain.
        """
        ...


@dataclass(frozen=True, slots=True)
class Answer:
    """The engine's answer.

    :param reason: why it has these suggestions, or none.
    :param trace: what ``ondol explain`` prints: numbers and names of stages, text only where the user allowed it.
    :param later: set while a model is still writing; then this is only what is known without it.
    """

    suggestions: tuple[Suggestion, ...]
    reason: Reason
    trace: dict[str, Any] = field(default_factory=dict)
    later: Later | None = None


def settled(answer: Answer, cancelled: Callable[[], bool] = lambda: False) -> Answer:
    """Return an answer with what the model adds, waited for on this thread; for commands and replays."""
    if answer.later is None:
        return answer
    there = threading.Event()
    answer.later.when_there(there.set)
    until = time.monotonic() + answer.later.seconds
    while not there.wait(max(0.0, min(0.02, until - time.monotonic()))):
        if cancelled() or time.monotonic() >= until:
            break
    return answer.later.finish(late=not there.is_set())


class ModelPhase(StrEnum):
    """Where the model of an engine is in its life."""

    LOADING = "loading"
    READY = "ready"
    PROBLEM = "problem"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True)
class ModelState:
    """What the status line says about a model.

    :param detail: base and adapter once loaded, the cause of a problem, else "".
    """

    phase: ModelPhase
    detail: str = ""


class Engine(Protocol):
    """Completes at cursors of one repository: by retrieval, by a model, or by both."""

    @property
    def state(self) -> ModelState | None:
        """The state of the model; None for an engine that has no model."""
        ...

    def set_index(self, index: Any) -> None:
        """Use another generation of the index from the next request on; may be called from any thread."""
        ...

    def update(self, document: Document) -> None:
        """Take the new text of a document that was opened or changed."""
        ...

    def close(self, uri: str) -> None:
        """Forget a document that was closed."""
        ...

    def accepted(self, document: Document, offset: int) -> None:
        """Prepare the next answer after a suggestion was accepted, with the cursor now at ``offset``."""
        ...

    def prepare(self, stop: Callable[[], bool]) -> None:
        """Work ahead for the key that follows the last request; ``stop`` says whether to end at once."""
        ...

    def complete(self, request: Request, cancelled: Callable[[], bool]) -> Answer:
        """Return at most one suggestion for an automatic request, up to three for an invoked one."""
        ...

    def stop(self) -> None:
        """Free the model; a running generation ends at its next token."""
        ...
