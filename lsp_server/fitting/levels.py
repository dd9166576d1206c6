"""Says which lines belong to another level of the code: a statement between the members of a class, an import in a
function, an end of a statement within parentheses.

tree-sitter accepts many of these, since its grammars are wider than the languages: ``return x;`` in a Java class reads
as a field of the type ``return``.
"""

import re
from collections.abc import Sequence
from typing import Final

from indexer.text.lines import indent_of
from lsp_server.fitting.families import C_FAMILY, HARDWARE, PYTHONS, SCRIPTS
from lsp_server.fitting.marks import Open, State
from lsp_server.fitting.names import head_of
from lsp_server.fitting.surroundings import Surroundings

_ENDED: Final = frozenset({*C_FAMILY, *SCRIPTS, "php", "perl", "java", "csharp", "rust", "go", "dart", "zig", "sql"})
"""Languages whose statements end in a semicolon, and whose parentheses hold none but those of a loop or a resource."""

_TYPE = re.compile(
    r"^(?!.*[()=]|.*\{.*\{)(?:.*\s)?(?:class|struct|union|interface|enum|impl|trait|record|namespace)[\s<]"
)
"""The head of a type's body; one with parentheses may be a function's that returns a type."""

_FUNCTION = re.compile(
    r"^(?!.*\b(?:new|class|struct|record|enum|namespace|object)\b)"
    r".*\)\s*(?:(?:const|noexcept|override|final|throws\s[\w., ]+|->\s*[\w:<>*& ]+)\s*)*\{$"
)
"""The head of a function's body, and of a loop's or condition's."""

_STATEMENTS: Final = {
    **dict.fromkeys(
        (*C_FAMILY, "java", "csharp", "php", "dart"),
        re.compile(r"\s*(?:return|break|continue|goto|throw|if|else|for|while|switch|do|try|catch)\b"),
    ),
    # A method may have any of these names.
    **dict.fromkeys(
        SCRIPTS,
        re.compile(r"\s*(?:(?:if|for|while|switch)\s+\(|(?:return|throw|const|let|var)\s+[\w({\[]|(?:return|break);)"),
    ),
    "rust": re.compile(r"\s*(?:return|let|if|while|loop|match|for\s+\w+\s+in)\b"),
    "go": re.compile(r"\s*(?:(?:return|if|for|switch|go|defer|select|break|continue)\b|[\w, ]+:=)"),
}
"""Lines that stand in a function, not between the members of a type."""

_TOPMOST: Final = {
    **{name: _STATEMENTS[name] for name in (*C_FAMILY, "java", "rust", "go")},
    **dict.fromkeys((*SCRIPTS, *PYTHONS), re.compile(r"(?:return|break|continue)\b(?!\s*[:=.(])")),
}
"""Lines that stand in a function, not at the top of a file, with no blanks before them."""

_LEAVES: Final = re.compile(r"\s*(?:return|yield)\b|\s*(?:break|continue)\s*(?:#|$)")
_OWNS: Final = re.compile(r"\s*(?:async\s+)?(?:(def)|(class))\b")

_DESIGN: Final = re.compile(r"\s*(?:module|package|program|interface(?!\s+class))\s+\w")
"""A unit of a design that stands in no other block."""

_MEMBERS: Final = {
    "cpp": re.compile(r"\s*(?:(?:public|private|protected)\s*:|namespace\s+(?:[\w:]+\s*)?\{)"),
    "java": re.compile(r"\s*(?:import|package)\s+[\w.*]+\s*;|\s*(?:public|private|protected)\s"),
    "kotlin": re.compile(r"\s*(?:import|package)\s+[\w.*]+\s*$"),
    "csharp": re.compile(r"\s*(?:namespace\s|using\s+[\w.]+;|(?:public|private|protected|internal)\s)"),
    **dict.fromkeys(SCRIPTS, re.compile(r"\s*(?:import\s+[\w{*'\"]|export\s)")),
    "rust": re.compile(r"\s*(?:#\[(?:\w+::)*test\]|pub\b)"),
}
"""Lines that never stand in a function."""

_DOCUMENTS: Final = {
    **dict.fromkeys(
        ("csharp", "dart", "java", "kotlin", "rust", "scala", "swift"), re.compile(r"\s*(?:///(?!/)|/\*\*)")
    ),
    # In a function ``/** @var …`` gives a type.
    **dict.fromkeys((*SCRIPTS, "php"), re.compile(r"\s*/\*\*(?!/|\s*@)")),
}
"""Comments that document what follows. Of 35,700 in thirty repositories three stand in a function; in C one of 20."""

_ENUM = re.compile(r"\benum\b")

NEAR: Final = 20
"""Lines above the cursor among which an open parenthesis is believed; farther up it may be closed unseen."""

_ONCE = re.compile(r"\s*#\s*pragma\s+once\b")
_ASIDE = re.compile(r"\s*(?://|/?\*|#)")
_PORT = re.compile(r"\s*\.\w+\s*(?:\(|,\s*$|$)")
_LOOP = re.compile(r"\b(?:for|try|if|switch|while)\b")
_SEMICOLON = re.compile(r";\s*$")


def on_wrong_level(line: str, around: Surroundings) -> bool:
    """Return whether a whole line belongs to another level of the code than the cursor's."""
    language, block = around.language, around.state.code
    if language in C_FAMILY and _ONCE.match(line):
        return any(above.strip() and not _ASIDE.match(above) for above in around.above)
    if language in HARDWARE and _PORT.match(line):
        # In a long list of ports its bracket may stand above what was read.
        return not _in_long_list(around) if block is None else block.mark != "("
    if language in HARDWARE and _DESIGN.match(line):
        return block is not None
    known = around.state.conditions is None or around.state.conditions.far
    if language in _TOPMOST and block is None and known and _TOPMOST[language].match(line):
        return not line[:1].isspace()
    if language in PYTHONS and block is None and _LEAVES.match(line):
        return _outside_function(line, around.above)
    if block is None or block.mark != "{":
        return False
    head = head_of(block, around.above)
    if language in _STATEMENTS and _STATEMENTS[language].match(line):
        return _TYPE.match(head) is not None
    return language in _MEMBERS and _MEMBERS[language].match(line) is not None and _FUNCTION.search(head) is not None


def documents_statement(prefix: str, text: str, around: Surroundings) -> bool:
    """Return whether a text begins a comment that documents a definition, in the body of a function.

    :param prefix: the line before the text, in which no such comment has begun.
    """
    pattern, block = _DOCUMENTS.get(around.language), around.state.code
    if pattern is None or block is None or block.mark != "{" or prefix.strip() not in ("", "/", "//", "/*"):
        return False
    return pattern.match(prefix + text) is not None and _FUNCTION.search(head_of(block, around.above)) is not None


def _in_long_list(around: Surroundings) -> bool:
    """Return whether a port stands above, in a document that was not read from its start."""
    above = next((line for line in reversed(around.above) if line.strip()), "")
    return not around.from_start and _PORT.match(above) is not None


def _outside_function(line: str, above: Sequence[str]) -> bool:
    """Return whether a line of Python stands in the body of a class, not of a function."""
    indent = indent_of(line)
    for other in reversed(above):
        if not other.strip() or indent_of(other) >= indent or other.lstrip().startswith("#"):
            continue
        owner = _OWNS.match(other)
        if owner is not None:
            return owner[2] is not None
        indent = indent_of(other)
    return False


def holds_statements(block: Open, above: Sequence[str]) -> bool:
    """Return whether a block is the body of a function or of a type, which holds no items of a list.

    :param above: the lines above the cursor.
    """
    head = head_of(block, above)
    return block.mark == "{" and (_FUNCTION.search(head) or _TYPE.match(head)) is not None and not _ENUM.search(head)


def ends_in_parentheses(line: str, state: State, around: Surroundings) -> bool:
    """Return whether a line ends a statement though a parenthesis is still open that was opened near it.

    :param state: behind the line.
    """
    code = state.code
    if around.language not in _ENDED or code is None or code.mark != "(" or state.span >= 0 or around.state.faults:
        return False
    if _SEMICOLON.search(line) is None or _LOOP.search(code.head):
        return False
    near = (line, *around.above[-NEAR:])
    return code.own or any(above.strip() == code.head for above in near)
