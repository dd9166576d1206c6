"""The language of a file, by its name, by what an editor calls it or by its first lines, and its grammar.

Grammars are compiled parsers from wheels, which download nothing when they run. Each is loaded on first use; a grammar
that is not installed is no error: its files are then cut into windows of lines.
"""

import importlib
import re
from functools import cache
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from indexer.languages.first_lines import language_name
from indexer.languages.table import LANGUAGES

if TYPE_CHECKING:
    from tree_sitter import Language as Grammar
    from tree_sitter import Parser

UNKNOWN = "text"

_CPLUSPLUS = re.compile(
    r"^\s*(?:class\s+\w|namespace\b|template\s*<|using\s+\w|public:|private:|protected:|#\s*include\s*<[a-z_]+>)|\bstd::",
    re.MULTILINE,
)

_BY_EXTENSION = {extension: language.name for language in LANGUAGES.values() for extension in language.extensions}
_BY_FILE_NAME = {name: language.name for language in LANGUAGES.values() for name in language.file_names}
_BY_EDITOR_ID = {name: name for name in LANGUAGES} | {
    editor_id: language.name for language in LANGUAGES.values() for editor_id in language.editor_ids
}


def language_of(path: str) -> str:
    """The language of a file by its name alone; ``"text"`` if the name is not known."""
    name = path.rpartition("/")[2]
    known = _BY_FILE_NAME.get(name)
    if known is not None:
        return known
    stem, dot, extension = name.rpartition(".")
    if dot and stem:
        found = _BY_EXTENSION.get(f".{extension.lower()}")
        if found is not None:
            return found
    if name.startswith(("Dockerfile.", "Makefile.", "Jenkinsfile.")):
        return _BY_FILE_NAME[name.partition(".")[0]]
    return UNKNOWN


def language_of_text(path: str, text: str) -> str:
    """The language of a file by its name, or else by what its first lines say; ``"text"`` if neither is known.

    A file that ends in ``.txt`` is text: it may show a script.
    """
    by_name = language_of(path)
    if by_name != UNKNOWN or path.lower().endswith(".txt"):
        return by_name
    return _BY_EDITOR_ID.get(language_name(text), UNKNOWN)


def language_of_document(language_id: str, path: str, text: str = "") -> str:
    """The language of an open document, by its file name, by the editor's ``languageId`` or by its first lines.

    The file name comes first, as in the index: some editors call a ``.svh`` file ``verilog``.

    :param path: "" where the document has none. :param text: the document.
    """
    by_name = language_of(PurePosixPath(path).name) if path else UNKNOWN
    by_editor = by_name if by_name != UNKNOWN else _BY_EDITOR_ID.get(language_id.lower(), UNKNOWN)
    return by_editor if by_editor != UNKNOWN else language_of_text(path, text)


def language_in(language: str, path: str, text: str) -> str:
    """The language that a text is parsed as: a ``.h`` file with C++ in it goes by the name of C."""
    if language == "c" and path.endswith(".h") and _CPLUSPLUS.search(text):
        return "cpp"
    return language


@cache
def grammar(language: str) -> "Grammar | None":
    """The compiled grammar of a language, loaded once; None if there is none or its wheel is not installed."""
    known = LANGUAGES.get(language)
    if known is None or known.module is None:
        return None
    from tree_sitter import Language as Grammar  # takes 23 ms, which finding a language by name does not need

    try:
        module = importlib.import_module(known.module)
        return Grammar(getattr(module, known.function)())
    except (ImportError, AttributeError, ValueError):
        # ValueError: the wheel's grammar has an ABI that the installed tree-sitter does not read.
        return None


def parser(language: str) -> "Parser | None":
    """A new parser for a language (parsers must not be shared between threads), or None without a grammar."""
    found = grammar(language)
    if found is None:
        return None
    from tree_sitter import Parser

    return Parser(found)


def missing_grammars() -> list[str]:
    """Names of languages whose grammar should be installed and cannot be loaded, for ``ondol doctor``."""
    return [name for name, known in LANGUAGES.items() if known.module is not None and grammar(name) is None]
