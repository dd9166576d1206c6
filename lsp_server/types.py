"""The nouns of completion: what the engine is asked, and what it answers.

No LSP types and no index types: ``app`` translates from and to the protocol, ``engine`` from and to the index.
Offsets are code points of ``Document.text``.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol


@dataclass(frozen=True, slots=True)
class Document:
    """One version of an open document.

    :param path: relative to the repository's root (POSIX), or None outside it.
    """

    uri: str
    path: str | None
    language: str
    version: int
    text: str


@dataclass(frozen=True, slots=True)
class Popup:
    """The entry that the editor's own completion list has selected; a suggestion must extend it."""

    start: int
    end: int
    text: str


@dataclass(frozen=True, slots=True)
class Request:
    """A cursor in a document, and whether the editor asked by itself or the user did."""

    document: Document
    offset: int
    automatic: bool
    popup: Popup | None = None


@dataclass(frozen=True, slots=True)
class Provenance:
    """Where a suggestion's text comes from; ``line`` counts from 1."""

    path: str
    line: int
    kind: str


@dataclass(frozen=True, slots=True)
class Suggestion:
    """Text to put in place of ``[start, end)``, and the calibrated probability that it is what the author wants."""

    text: str
    start: int
    end: int
    probability: float
    engine: str
    provenance: tuple[Provenance, ...] = ()


@dataclass(frozen=True, slots=True)
class Answer:
    """The engine's answer; ``reason`` says in a word why it holds what it holds (``shown``, ``gate``, ``no-match`` …).

    :param trace: what ``ondol explain`` prints: numbers and names of stages, text only where the user allowed it.
    """

    suggestions: tuple[Suggestion, ...]
    reason: str
    trace: dict[str, Any] = field(default_factory=dict)


class EngineLike(Protocol):
    """What the server needs of ``lsp_server.retrieval.engine.Engine``."""

    def set_index(self, index: Any) -> None: ...  # noqa: D102
    def update(self, document: Document) -> None: ...  # noqa: D102
    def close(self, uri: str) -> None: ...  # noqa: D102
    def complete(self, request: Request, cancelled: Callable[[], bool]) -> Answer: ...  # noqa: D102
