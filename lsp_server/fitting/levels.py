"""Says which lines belong to another level of the code: a statement between the members of a class, an import in a
function, an end of a statement within parentheses.

tree-sitter accepts many of these, since its grammars are wider than the languages: ``return x;`` in a Java class reads
as a field of the type ``return``.
"""

import re
from typing import Final

from lsp_server.fitting.marks import State
from lsp_server.fitting.names import head_of
from lsp_server.fitting.surroundings import Surroundings

_C: Final = ("c", "cpp", "objc")
_ENDED: Final = frozenset({*_C, "java", "csharp", "javascript", "typescript", "tsx", "php", "rust", "go", "dart"})
"""Languages whose statements end in a semicolon, and whose parentheses hold none but those of a loop or a resource."""

_TYPE = re.compile(r"^(?!.*[()=]|.*\{.*\{)(?:.*\s)?(?:class|struct|union|interface|enum|impl|trait|record)\s")
"""The head of a type's body; one with parentheses may be a function's that returns a type."""

_FUNCTION = re.compile(
    r"^(?!.*\b(?:new|class|struct|record|enum|namespace|object)\b)"
    r".*\)\s*(?:(?:const|noexcept|override|final|throws\s[\w., ]+|->\s*[\w:<>*& ]+)\s*)*\{$"
)
"""The head of a function's body, and of a loop's or condition's."""

_STATEMENTS: Final = {
    **dict.fromkeys(
        ("cpp", "java", "csharp", "php", "dart"),
        re.compile(r"\s*(?:return|break|continue|goto|throw|if|else|for|while|switch|do|try|catch)\b"),
    ),
    "rust": re.compile(r"\s*(?:return|let|if|while|loop|match|for\s+\w+\s+in)\b"),
}
"""Lines that stand in a function, not between the members of a type."""

_MEMBERS: Final = {
    "cpp": re.compile(r"\s*(?:(?:public|private|protected)\s*:|namespace\s+(?:[\w:]+\s*)?\{)"),
    "java": re.compile(r"\s*(?:import|package)\s+[\w.*]+\s*;|\s*(?:public|private|protected)\s"),
    "kotlin": re.compile(r"\s*(?:import|package)\s+[\w.*]+\s*$"),
    "csharp": re.compile(r"\s*(?:namespace\s|(?:public|private|protected|internal)\s)"),
}
"""Lines that never stand in a function."""

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
    if language in _C and _ONCE.match(line):
        return any(above.strip() and not _ASIDE.match(above) for above in around.above)
    if language in ("systemverilog", "verilog") and _PORT.match(line):
        return block is None or block.mark != "("
    if block is None or block.mark != "{":
        return False
    head = head_of(block, around.above)
    if language in _STATEMENTS and _STATEMENTS[language].match(line):
        return _TYPE.match(head) is not None
    return language in _MEMBERS and _MEMBERS[language].match(line) is not None and _FUNCTION.search(head) is not None


def ends_in_parentheses(line: str, state: State, around: Surroundings) -> bool:
    """Return whether a line ends a statement though a parenthesis is still open that was opened near it.

    :param state: behind the line.
    """
    code = state.code
    if around.language not in _ENDED or code is None or code.mark != "(" or state.span >= 0 or around.state.faults:
        return False
    if _SEMICOLON.search(line) is None or _LOOP.search(code.head):
        return False
    return code.own or any(above.strip() == code.head for above in around.above[-NEAR:])
