"""A text fitted to a cursor, for the tests of fitting."""

from indexer.languages.grammars import language_of
from lsp_server.fitting.fitter import Fitter
from lsp_server.fitting.place import Fitted
from lsp_server.types import Document


def fit(path: str, text: str, written: str, before: str | None = None, *, automatic: bool = False) -> str | None:
    """What is inserted of a whole text at the mark ‸; None where it is rejected.

    :param before: the document as it was when the user came to this place.
    """
    fitter = Fitter()
    if before is not None:
        fitter.update(Document(f"file:///{path}", path, language_of(path), 1, before))
    document = Document(f"file:///{path}", path, language_of(path), 2, text.replace("‸", ""))
    fitter.update(document)
    made = fitter.fit(document, text.index("‸"), written, automatic=automatic)
    return made.text if isinstance(made, Fitted) else None
