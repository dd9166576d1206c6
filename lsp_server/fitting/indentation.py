"""Indents copied lines as their new document does: levels are carried over, not characters.

A document's own lines tell with what it is indented. Where none is yet, ``.editorconfig`` says it, else other files of
its language in the repository, else the language's custom.
"""

import math
import re
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from indexer.text.lines import TAB_COLUMNS, columns, leading_blanks, lines_of
from lsp_server.fitting.editorconfig import unit as configured_unit
from lsp_server.fitting.marks import rules_of

if TYPE_CHECKING:
    from indexer.storage.reader import Index

SAMPLE: Final = 5
"""Files of a language that are asked for their indentation."""

SAMPLE_BYTES: Final = 60_000
"""Size of the largest of them."""

BEGINS_BLOCK: Final = re.compile(r"(?:[{:]|\b(?:begin|do|then|is|loop))\s*$")

_WIDTHS: Final = range(1, 9)
_COMMENT: Final = ("*", "//", "#", "--")
_ACCESS = re.compile(r"(?:public|private|protected|signals|Q_\w+)(?: slots)?:$")
"""Labels that many styles of C++ indent by half a level."""


def unit_of(lines: Sequence[str], others: Sequence[str] = ()) -> str | None:
    """Return the blanks of one level of some lines: a tab or blanks; None where nothing is indented.

    The steps behind lines that begin a block tell it, where there are some: many styles indent blocks by two columns
    and continued lines by four.

    :param others: more lines, which do not follow the first ones at once: the step to them tells nothing.
    """
    widths, blocks = Counter[int](), Counter[int]()
    tabs = spaces = previous = 0
    begins = False
    for number, line in enumerate((*lines, *others)):
        body = line.lstrip(" \t")
        if number == len(lines):
            begins, previous = False, len(line)
        if not body or body.startswith(_COMMENT) or _ACCESS.match(body):
            continue
        blanks = line[: len(line) - len(body)]
        tabs += blanks[:1] == "\t"
        spaces += blanks[:1] == " "
        step = len(blanks) - previous if "\t" not in blanks else 0
        if step > 0:
            widths[step] += 1
            blocks[step] += begins
        begins, previous = BEGINS_BLOCK.search(line) is not None, len(blanks)
    if tabs > spaces:
        return "\t"
    widths = blocks if blocks.total() else widths
    likely = [width for width in _WIDTHS if widths[width] * 3 >= max(widths.values(), default=0) > 0]
    # Continued lines are aligned with what stands above them: a wide step that is rarer tells nothing.
    best = max(likely, key=lambda width: (widths[width], -width), default=None)
    return " " * best if best is not None else None


def width_of(unit: str) -> int:
    """Return the columns of one level."""
    return TAB_COLUMNS if unit == "\t" else len(unit)


def blanks_of(step: int, source: str | None, unit: str) -> str:
    """Return the blanks for a step in another document's columns.

    :param step: columns in the source, not negative. :param source: its unit; None: ``unit``.
    :param unit: the document's unit.
    """
    levels, rest = divmod(step, width_of(source or unit))
    return unit * levels + " " * rest


def deepened(blanks: str, step: int, source: str | None, unit: str) -> str:
    """Return the blanks of a line that is a step deeper than another one, or less deep.

    :param blanks: of the other line. :param step: columns in the source.
    """
    if step >= 0:
        return blanks + blanks_of(step, source, unit)
    kept = max(0, columns(blanks) - columns(blanks_of(-step, source, unit)))
    return blanks_of(kept, unit, unit)


def in_unit(lines: Sequence[str], base: str, unit: str | None) -> list[str]:
    """Return a model's lines in the document's unit, where one is of tabs and the other of blanks.

    :param base: the blanks before the line that they follow. :param unit: the document's unit.
    """
    marks = {line[0] for line in lines if line[:1] in (" ", "\t") and line.strip()}
    if unit is None or len(marks) != 1 or unit[0] in marks:
        return list(lines)
    common = math.gcd(*(columns(leading_blanks(line)) for line in lines if line.strip()))
    # Lines that are all two levels deep have a common step of two.
    source = "\t" if marks == {"\t"} else " " * (4 if common % 4 == 0 else 2 if common % 2 == 0 else common)
    depth = columns(base) // width_of(unit)
    levels = [columns(leading_blanks(line)) // width_of(source) - depth for line in lines]
    if min(level for level, line in zip(levels, lines, strict=True) if line.strip()) < 0:
        return list(lines)
    return [
        base + unit * level + line.lstrip(" \t") if line.strip() else line
        for level, line in zip(levels, lines, strict=True)
    ]


class RepositoryUnits:
    """The units of a repository's languages, for documents that have no indentation yet."""

    def __init__(self, index: "Index | None") -> None:
        self._index = index
        self._languages: dict[str, str | None] = {}

    def unit(self, language: str, path: str | None) -> str | None:
        """Return the blanks of one level in a new document, or None where nothing says so."""
        configured = None
        if self._index is not None and path:
            configured = configured_unit(self._index.root, path)
        return configured or self._of_language(language) or rules_of(language).unit or None

    def _of_language(self, language: str) -> str | None:
        if language not in self._languages:
            self._languages[language] = self._counted(language)
        return self._languages[language]

    def _counted(self, language: str) -> str | None:
        """Return the unit that most of some files of a language have."""
        if self._index is None:
            return None
        found: Counter[str] = Counter()
        for document in self._index.documents.values():
            if document.language == language and document.size <= SAMPLE_BYTES:
                unit = unit_of(lines_of(self._index.text(document)))
                if unit is not None:
                    found[unit] += 1
                if found.total() >= SAMPLE:
                    break
        return found.most_common(1)[0][0] if found else None


def tabbed(language: str, line: str) -> bool:
    """Return whether a line's tab has a meaning of its own: it marks the commands of a rule in a Makefile."""
    return language == "make" and leading_blanks(line).startswith("\t")
