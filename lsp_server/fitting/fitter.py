"""Fits every text that is suggested to its place: copies, the model's own text and the answers of servers.

``place`` says what fits at one cursor; what does not change while one types is kept here.
"""

from typing import TYPE_CHECKING, Any

from lsp_server.fitting.indentation import RepositoryUnits
from lsp_server.fitting.place import Fitted, Place, Rejected
from lsp_server.fitting.surroundings_cache import SurroundingsCache
from lsp_server.fitting.syntax import SyntaxCheck
from lsp_server.types import Document

if TYPE_CHECKING:
    from indexer.storage.reader import Index


def traced(result: Fitted | Rejected, trace: dict[str, Any]) -> Fitted | None:
    """Return a text that fits, else None; ``trace`` receives what was cut, or why nothing fits."""
    if isinstance(result, Rejected):
        trace.setdefault("rejected", []).append(result.reason)
        return None
    if result.cut:
        trace.setdefault("cut", []).extend(result.cut)
    if result.skipped:
        trace["syntax_not_checked"] = result.skipped
    return result


class Fitter:
    """Fits texts to cursors; keeps what does not change while one types. For one thread."""

    def __init__(self) -> None:
        self._cache = SurroundingsCache()
        self._repository = RepositoryUnits(None)
        self._syntax = SyntaxCheck()

    def set_index(self, index: "Index | None") -> None:
        """Ask the files of this index where a document itself does not say with what it is indented."""
        self._repository = RepositoryUnits(index)

    def unit(self, document: Document, offset: int) -> str | None:
        """Return the blanks of one level in a document, or None where nothing says so."""
        place = Place(self._cache, document, offset, self._syntax)
        return place.unit or self._repository.unit(document.language, document.path)

    def update(self, document: Document) -> None:
        """Take the text of a document that was opened or changed; what stood there before the user began is kept."""
        self._cache.update(document)

    def forget(self, uri: str) -> None:
        """Forget a document that was closed."""
        self._cache.forget(uri)

    def defined_twice(self, document: Document, offset: int, text: str) -> bool:
        """Return whether a text makes the cursor's line one that gives a name which its scope has already."""
        return Place(self._cache, document, offset, self._syntax).defined_twice(text)

    def may_end(self, document: Document, offset: int, text: str) -> bool:
        """Return whether the beginning of a line may end where it does, though nothing follows it.

        It opens no bracket or string, ends in no operator, and adds no syntax error to the document.
        """
        return Place(self._cache, document, offset, self._syntax).may_end(text)

    def fit(
        self, document: Document, offset: int, text: str, *, whole: bool = True, automatic: bool = False
    ) -> Fitted | Rejected:
        """Fit a text to a cursor.

        :param text: what follows the cursor, one line or more.
        :param whole: False for the beginning of a line, whose rest the user goes on to type.
        :param automatic: whether nobody asked for it: then a line must stand without the lines that would follow.
        """
        return Place(self._cache, document, offset, self._syntax).fit(text, whole, automatic)
