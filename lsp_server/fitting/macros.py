"""Takes macros out of code before it is parsed: their names and arguments are no part of the grammar.

Whoever reads ``EXPORT_API int f(void);`` knows by its capitals that the first word may stand for nothing. tree-sitter
does not, and one such line makes the lines around it an error, so that no text near it could be checked.
"""

import re
from collections.abc import Sequence
from typing import Final

from indexer.text.lines import leading_blanks
from lsp_server.fitting.families import C_FAMILY, HARDWARE

_NAME: Final = r"[A-Z][A-Z\d_]{3,}"
_ATTRIBUTE = re.compile(r"\b__attribute__\s*\((?:[^()]|\((?:[^()]|\((?:[^()]|\([^()]*\))*\))*\))*\)")
_WORD = re.compile(rf"\b{_NAME}\b|::template\b|\b__attribute__\b")
_OPERATOR = re.compile(r"(?<=,)\s*(?:[=!<>]=|[<>])(?=\s*,)")
"""An operator that a macro takes as an argument, as in frameworks for tests (``check(a, ==, b);``)."""
_BEFORE = re.compile(
    rf"^(\s*(?:template\s*<[^;{{}}]*>\s*|static\s+|inline\s+)*)(?:{_NAME}\s+)+(?=[A-Za-z_][\w:<>, ]*[\s*&>]+[A-Za-z_])"
)
"""Names of macros before a declaration; what follows still has a type and a name."""
_OF_TYPE = re.compile(rf"\b(class|struct|union|enum)\s+{_NAME}(?:\s*\([^()]*\))?\s+(?=[A-Za-z_])")
"""A macro between the word that begins a type and its name."""
_ARGUMENTS: Final = r"(?:\s*\([^()]*(?:\([^()]*\)[^()]*)*\))"
_BEHIND = re.compile(
    rf"(?<=\))((?:\s*(?:const|override|final))*)(?:\s+{_NAME}{_ARGUMENTS}?)+(?=\s*(?:(?:override|final)\b|[;{{:=]|$))"
)
_BEHIND_NAME = re.compile(
    r"^(\s*(?:(?:mutable|static|const|volatile|extern|struct|unsigned)\s+)*"
    r"(?!(?:return|else|case|throw|delete|new|goto|typedef|using|class|enum|union)\b)[A-Za-z_][\w:]*(?:<[^;{}]*>)?[\s*&]+"
    rf"[a-z_]\w*(?:\[[^\]]*\])*)(?:\s+{_NAME}{_ARGUMENTS})+(?=\s*(?:[;=]|$))"
)
"""Macros behind the name of a variable, as annotations of locks are (``int n GUARDED_BY(mu);``)."""
_KEYWORDS: Final = (
    "alignas|auto|bool|case|char|class|const|consteval|constexpr|constinit|co_await|co_return|co_yield|delete|double|else|enum"
    "|explicit|extern|float|friend|goto|inline|int|long|mutable|namespace|new|operator|register|restrict|return|short|signed"
    "|static|struct|template|thread_local|throw|typedef|typename|union|unsigned|using|virtual|void|volatile"
)
_UNKNOWN = re.compile(
    rf"^(\s*)(?!(?:{_KEYWORDS})\b)[A-Za-z_]\w*\s+(?!(?:and|or|operator|const|volatile)\b)(?=[A-Za-z_][\w:]*(?:<[^;{{}}()]*>)?[\s*&]+[A-Za-z_]\w*\s*\()"
)
"""A word that is no keyword before the type of a function: two names in a row are no declaration."""
_SPECIFIERS: Final = (
    "static|extern|inline|const|volatile|register|constexpr|virtual|friend|explicit|mutable|thread_local"
)
_TYPE_BEFORE: Final = (
    rf"^(\s*(?:(?:{_SPECIFIERS})\s+)*"
    rf"(?!(?:{_SPECIFIERS}|enum|struct|union|class|return|case|goto|else|typedef|namespace|throw|new)\b)"
    r"[A-Za-z_]\w*(?:[\w\s*&]*[\s*&])?)"
)
_BETWEEN = re.compile(rf"{_TYPE_BEFORE}\b{_NAME}\s+(?=[A-Za-z_]\w*\s*\()")
"""A macro between the type and the name of a function."""
_AT_END = re.compile(rf"{_TYPE_BEFORE}\b{_NAME}\s*$")
"""The same, where the name stands on the next line."""
_ALONE = re.compile(rf"^\s*{_NAME}\s*;?\s*$")
_BLOCK = re.compile(rf"^{_NAME}\s*\(.*\)\s*(?=\{{?\s*$)")
"""A macro that begins a function at the left margin, as frameworks for tests have it (``TEST_CASE("a") {``)."""
_INNER_BLOCK = re.compile(rf"^(\s+){_NAME}\s*\(.*\)\s*(?=\{{\s*$)")
"""The same within a function (``SECTION("a") {``)."""
_EACH: Final = r"\w*(?i:for_?each)\w*"
_PAIRED: Final = r"\([^()]*(?:\([^()]*(?:\([^()]*\)[^()]*)*\)[^()]*)*\)"
_LOOP: Final = {
    "c": re.compile(
        rf"^(\s+)(?!(?:if|for|while|switch|return|sizeof|case|else|do)\b)[a-z_]\w*\s*{_PAIRED}\s*(?=\{{\s*$)"
    ),
    **dict.fromkeys(("cpp", "objc"), re.compile(rf"^(\s+){_EACH}\s*{_PAIRED}\s*(?=\{{\s*$)")),
}
"""A macro that begins a loop. In C it may have any name, since no function stands in another one. A keyword before the
brackets begins a literal (``return (struct a) {``)."""
_LOOP_OF_ONE = re.compile(rf"^(\s+){_EACH}\s*{_PAIRED}\s*$")
"""The same with one statement as its body, on the next line."""
_STATEMENT = re.compile(r"\s*[\w(*]")
"""The beginning of a statement; a line that begins with ``.`` or ``->`` goes on with the one before."""

LONGEST: Final = 400
"""Characters of the longest line that macros are looked for in: some patterns take time with its square."""

_ESCAPED_END = re.compile(r"\s*\\\s*$")

_CALL = re.compile(rf"^\s*{_NAME}\s*\(")
_OF_REFERENCE = re.compile(r"(?<=[\w>])\s*(?:const\s*)?[&*]+(?=\s*[,)])")
"""What makes an argument of a macro a type, which no function takes (``CHECK_THROWS_AS(f(), error&);``)."""

_HARDWARE: Final = re.compile(
    r"^\s*`(?!if|els|end|inc|def|und|tim)\w+(?:\s*\([^()]*(?:\([^()]*\)[^()]*)*\))?\s*;?\s*(?://.*)?$"
)
"""A macro that stands alone on a line, for statements or declarations."""


def without_macros(language: str, lines: Sequence[str]) -> list[str]:
    """Return lines without the macros that stand for nothing in the grammar; as many lines as there were.

    Where no macro is found the lines are returned as they are.
    """
    if language in HARDWARE:
        return ["" if "`" in line and _HARDWARE.match(line) else line for line in lines]
    if language not in C_FAMILY:
        return list(lines)
    found = []
    for line, below in zip(lines, [*lines[1:], ""], strict=False):
        if len(line) > LONGEST:
            found.append(line)
            continue
        plain = _plain(line, below) if _WORD.search(line) else line
        plain = _UNKNOWN.sub(r"\1", plain)
        found.append(_with_plain_loop(language, plain, below) if "(" in plain else plain)
    return found


def as_in_definition(lines: Sequence[str], above: Sequence[str], below: Sequence[str], inside: bool) -> list[str]:
    """Return lines with the backslashes that a definition of several lines asks for, and without those of another one.

    :param above, below: the lines around the cursor. :param inside: whether a definition goes on at the cursor's line.
    """
    if not inside:
        own = any(line.lstrip().startswith("#") for line in lines)
        return list(lines) if own else [_ESCAPED_END.sub("", line) for line in lines]
    if not below or not _ESCAPED_END.search(below[0]):
        return list(lines)
    column = len(above[-1].rstrip()) - 1 if above else 0
    return [line if _ESCAPED_END.search(line) else line.rstrip().ljust(column - 1) + " \\" for line in lines]


def with_plain_arguments(line: str) -> str:
    """Return a line whose macros take no operators as arguments."""
    return _OPERATOR.sub(" 0", line)


def _plain(line: str, below: str) -> str:
    if line.lstrip().startswith("#"):
        return line
    if _ALONE.match(line):
        return ""
    line = _ATTRIBUTE.sub("", line)
    line = _OF_TYPE.sub(r"\1 ", line.replace("::template ", "::"))
    if _BLOCK.match(line) and (line.rstrip().endswith("{") or below.strip() == "{"):
        return _BLOCK.sub("void f() ", line)
    line = _INNER_BLOCK.sub(r"\1if (x) ", line)
    line = _BETWEEN.sub(r"\1", line)
    if not below.strip() or below[:1].isalpha():
        line = _AT_END.sub(r"\1", line)
    if _CALL.match(line):
        line = _OF_REFERENCE.sub("", line)
    return _BEHIND_NAME.sub(r"\1", _BEHIND.sub(r"\1", _BEFORE.sub(r"\1", line)))


def _with_plain_loop(language: str, line: str, below: str) -> str:
    """Return a line with a condition in the place of a macro that begins a loop."""
    deeper = len(leading_blanks(below)) > len(leading_blanks(line))
    if deeper and _STATEMENT.match(below) and _LOOP_OF_ONE.match(line):
        return _LOOP_OF_ONE.sub(r"\1if (x)", line)
    return _LOOP[language].sub(r"\1if (x) ", line)
