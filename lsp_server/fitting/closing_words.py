"""Says which ends name another block than the one that is open: ``end if;`` in a loop, ``endif()`` in ``foreach``.

Marks tell how many blocks are open. In VHDL any ``end`` closes any of them; CMake, SQL and tags of JSX have no marks
at all. Here the words are compared. Where the open block is not known, every end is allowed.
"""

import re
from collections.abc import Callable, Sequence
from typing import Final

from indexer.text.lines import indent_of
from lsp_server.fitting.surroundings import Surroundings

_VHDL_END = re.compile(r"\s*end\s+(?:postponed\s+)?([a-z]+)\b", re.IGNORECASE)
_VHDL_BLOCKS: Final = frozenset(
    {"if", "case", "loop", "process", "generate", "architecture", "entity", "component", "record", "block", "package"}
)

_CMAKE_END = re.compile(r"\s*end(if|foreach|while|function|macro|block)\s*\(", re.IGNORECASE)
_CMAKE_BEGIN = re.compile(r"\s*(if|foreach|while|function|macro|block)\s*\(", re.IGNORECASE)

_SQL_END = re.compile(r"\s*end\s+(if|loop)\b", re.IGNORECASE)
_SQL_BEGIN = re.compile(r"\s*(if)\b(?!.*\bend\s+if\b)|[^-]*\b(loop)\s*(?:--.*)?$", re.IGNORECASE)
_SQL_OTHER = re.compile(r".*\b(?:case|begin|end)\b", re.IGNORECASE)

_COMMENT = re.compile(r"\s*(?:--|#|/?\*)")

_TAG_END = re.compile(r"\s*</([\w.:-]*)>?\s*$")
_TAG_BEGIN = re.compile(r"\s*<([A-Za-z][\w.:-]*)?(?![\w.:-])")
_TAG_WHOLE = re.compile(r".*(?:</|/>)")
_TAG_GOES_ON = re.compile(r"\s*/?>")


def closes_another(line: str, around: Surroundings) -> bool:
    """Return whether a line ends a block of another kind, or of another name, than the innermost open one."""
    check = _CHECKS.get(around.language)
    return check is not None and check(line, around)


def _in_vhdl(line: str, around: Surroundings) -> bool:
    found, block = _VHDL_END.match(line), around.state.code
    if found is None or block is None:
        return False
    kind, named = block.mark.split(" ", 1)[0].lower(), found[1].lower()
    return kind in _VHDL_BLOCKS and named in _VHDL_BLOCKS and kind != named


def _in_cmake(line: str, around: Surroundings) -> bool:
    found = _CMAKE_END.match(line)
    return found is not None and _differs(found[1], _innermost(around.above, _CMAKE_BEGIN, _CMAKE_END))


def _in_sql(line: str, around: Surroundings) -> bool:
    found = _SQL_END.match(line)
    return found is not None and _differs(found[1], _innermost(around.above, _SQL_BEGIN, _SQL_END, _SQL_OTHER))


def _differs(named: str, kind: str | None) -> bool:
    return kind is not None and kind != named.lower()


def _innermost(
    above: Sequence[str], begin: re.Pattern[str], end: re.Pattern[str], other: re.Pattern[str] | None = None
) -> str | None:
    """Return the word that begins the innermost block which is open behind some lines; None if it is not known.

    :param other: lines of blocks that are not counted: nothing is known beyond them.
    """
    closed = 0
    for line in reversed(above):
        if _COMMENT.match(line):
            continue
        if end.match(line):
            closed += 1
        elif found := begin.match(line):
            if not closed:
                return next(word for word in found.groups() if word).lower()
            closed -= 1
        elif other is not None and other.match(line):
            return None
    return None


def _in_tags(line: str, around: Surroundings) -> bool:
    """See the module. A tag that is alone on its line is closed at the same indentation."""
    found = _TAG_END.match(line)
    if found is None:
        return False
    indent = indent_of(line)
    for other in reversed(around.above):
        if not other.strip() or indent_of(other) > indent or _TAG_GOES_ON.match(other):
            continue
        begin = _TAG_BEGIN.match(other)
        alone = begin is not None and indent_of(other) == indent and not _TAG_WHOLE.match(other)
        return alone and begin is not None and (begin[1] or "") != found[1]
    return False


_CHECKS: Final[dict[str, Callable[[str, Surroundings], bool]]] = {
    "vhdl": _in_vhdl,
    "cmake": _in_cmake,
    "sql": _in_sql,
    **dict.fromkeys(("tsx", "javascript", "vue", "svelte", "html", "xml"), _in_tags),
}
