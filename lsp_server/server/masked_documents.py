"""Covers the secrets of open documents before an engine or the search for edits sees them.

Everything that leaves the server (suggestions, prompts, edits, traces) is made of these documents, so that a secret
cannot be in it. A covered document has the offsets and lines of the document itself. Runs on the engine's thread.
"""

from dataclasses import replace
from functools import lru_cache
from typing import Final

from indexer.secrets.cover import COVER, PLACEHOLDER
from indexer.secrets.documents import MaskedDocuments
from indexer.secrets.masking import mask
from lsp_server.server.documents import path_of
from lsp_server.types import Document

_SUFFIXES: Final = {"markdown": "md", "bash": "sh", "shellscript": "sh", "python": "py", "dockerfile": "dockerfile"}
"""Suffixes for documents without a file, by which the rules know settings files, by language."""


class SecretCover:
    """Covers documents; keeps what it found from version to version. For one thread."""

    def __init__(self) -> None:
        self._documents = MaskedDocuments()
        self._views = MaskedDocuments()

    def document(self, document: Document) -> Document:
        """Return a document with its secrets covered."""
        text = self._documents.mask(document.uri, rules_path(document), document.text)
        return document if text is document.text else replace(document, text=text)

    def without_secret_lines(self, uri: str, path: str, text: str) -> str:
        r"""Return a text with ``\n`` as line ends in which lines with a secret are empty: nothing is proposed there."""
        masked = self._documents.known(uri, path, text)  # the document itself, if its line ends are such
        return blank_secret_lines(self._views.mask(uri, path, text) if masked is None else masked)

    def forget(self, uri: str) -> None:
        """Forget a document that was closed."""
        self._documents.forget(uri)
        self._views.forget(uri)


def rules_path(document: Document) -> str:
    """Return the path by which the rules judge a document; a name with the language's suffix where it has none."""
    known = document.path or path_of(document.uri)
    return known or f"untitled.{_SUFFIXES.get(document.language, document.language)}"


def blank_secret_lines(text: str) -> str:
    """Return a masked text in which the lines with a secret are empty."""
    if COVER not in text and PLACEHOLDER not in text:
        return text
    return "\n".join("" if COVER in line or PLACEHOLDER in line else line for line in text.split("\n"))


@lru_cache(1_000)
def holds_secret(lines: tuple[str, ...], path: str) -> bool:
    """Return whether some lines hold a secret, or the placeholder of one."""
    text = "\n".join(lines)
    return COVER in text or PLACEHOLDER in text or mask(text, path)[1] > 0
