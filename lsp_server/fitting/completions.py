"""What a line may go on with, so that it is the beginning of a statement of several lines and no error."""

import re
from typing import Final

from indexer.text.lines import leading_blanks
from lsp_server.fitting.families import HARDWARE, PYTHONS, SCRIPTS
from lsp_server.fitting.marks import State

Way = tuple[str, str]
"""What follows a line: in the brackets and blocks that it leaves open, and behind what closes them."""

_SEMICOLON: Final = (("", ";"), (" x", ""), (" x", ";"), ("", " {}"), (" x", " {}"), ("", " : x;"))
_C: Final = (*_SEMICOLON, (" int x;", " x;"), (" x", " x;"))
_CPP: Final = (*_C, (" x()", " {}"), ("", " {};"))
_SCRIPT: Final = (
    *((" x", ""), ("", " : x"), (" x", " : x"), ("", ' from "x"'), ("", ' "x"'), ("", " {}"), (" x", " {}")),
    *(("", "> = x"), ("", ">(x)"), ("", " ? x : x"), (" ? x : x", ": x")),
)
_PYTHON: Final = ((" x", ""), ("", ":"), ("", ": pass"), (" x", ": pass"), (" x", " else x"), (" else x", ""))
_HARDWARE: Final = (("", ";"), (" x", ";"), (" x = 0", ";"))
_ITEMS: Final = ((" .x()", ""), (" parameter x = 0", ""), (" input x", ""), (" x", ""), (" x: 0", ""))
_DECLARED: Final = (("", " int x;"), ("", " class x {}"), ("", " x() {}"), ("", " int x"), ("", " fun x() {}"))
_ATTRIBUTED: Final = (
    *_DECLARED,
    ("", " x,"),
    ("", " fn x() {}"),
    ("", " struct x;"),
    ("", " function x() {}"),
    ("", " x: u8,"),
)
_LABELLED: Final = ("", " assert property (x);")

WAYS: Final[dict[str, tuple[Way, ...]]] = {
    **dict.fromkeys(("java", "csharp", "rust", "php", "dart", "kotlin", "swift"), _SEMICOLON),
    **dict.fromkeys(("c", "objc"), _C),
    "cpp": _CPP,
    **dict.fromkeys(SCRIPTS, _SCRIPT),
    **dict.fromkeys(PYTHONS, _PYTHON),
    "go": ((" x", ""), ("", "{}"), (" x", " {}"), ("", " x:")),
    "bash": ((" x", ""), ("", " { x; }"), ("", "; then x; fi"), ("", "; do x; done")),
    "ruby": ((" x", ""), ("", " : x")),
    **dict.fromkeys(
        HARDWARE,
        (*_HARDWARE, (";", ""), (" logic x;", " x;"), (" x", " x;"), _LABELLED, *_ITEMS),
    ),
    "vhdl": (
        *(*_HARDWARE, ("", " is end;"), ("", " then end if;"), ("", " loop end loop;"), ("", " x;"), (" x", " x;")),
        *((" x : y", ";"), (" x => y", ";"), (" x : y", " return z;"), (" x : y", " is begin end;")),
    ),
    **dict.fromkeys(("html", "xml"), ((">", ""), ("", ">"), ("", "/>"))),
    "css": (("", ";"), ("", " x;"), ("", " {}")),
    "json": (("", " 1"), ("", ": 1")),
    "lua": ((" x", ""), ("", " then end"), ("", " do end"), ("", " = x")),
    "toml": (),
}
"""The ways of each language; languages that are not named have none."""

_ON_THE_SAME_LINE: Final[dict[str, tuple[Way, ...]]] = {
    "python": (("", " in x:"), ("", " in x: pass"), ("", " import x")),
    **dict.fromkeys(HARDWARE, (("", " = x;"), (" = x", " = x;"))),
    **dict.fromkeys(("c", "cpp", "java", "csharp", "rust"), (("", " = x;"), ("", "(x);"), (" x", " = x;"))),
}
"""What a line that is still typed may go on with as well."""

_VHDL_BODIES: Final = {
    **dict.fromkeys(("process", "block", "architecture", "function", "procedure", "return", "is"), "\nbegin"),
    "case": "\nwhen others =>",
    "record": "\nx : y;",
}
"""What a block of VHDL holds at least."""

_TRY: Final = re.compile(r"\s*(?:\}\s*|return\s+|[^\"]*=\s*)?try\b")
_FOR: Final = re.compile(r"\s*for\s*\([^()]*(?:\([^()]*\)[^()]*)*;[^;]*$")
_DO: Final = re.compile(r"\s*do\b")
_ANNOTATED: Final = re.compile(r"\s*@(?!interface)\w")
_ATTRIBUTE: Final = {
    "csharp": re.compile(r"\s*\[.*\]\s*$"),
    "rust": re.compile(r"\s*#\[.*\]\s*$"),
    "php": re.compile(r"\s*#\[.*\]\s*$"),
}
"""An attribute on a line of its own."""

_QUERY: Final = re.compile(r"\b(?:from|join)\s+(?:\w+\s+)?\w+\s+in\b")
"""A part of a query, which ends with what it selects."""
_ITEM_OF_CASE: Final = re.compile(r"[^()]+\)\s*$")
_QUESTION: Final = re.compile(r"\s*\?\s")
_NEXT_ITEM: Final = {
    **dict.fromkeys(("java", "csharp"), " int x"),
    **dict.fromkeys(("kotlin", "swift", "scala"), " x: Int"),
    "rust": " x: u8",
    "php": " $x",
    **dict.fromkeys(("c", "cpp"), ' "x"'),
}
"""What may follow a comma where a name may not: a parameter with a type or a mark, the text of an assertion."""

_ANGLES: Final = re.compile(r"(?<![-=])>|(?<=[\w>])<|(?<=template )<|<\s*$")
_TYPES: Final = (
    *(("> = x", ""), (">", ";"), (" x>", ";"), (" x>", " x;"), (" x>", " = x"), (" x>", "() {}"), (" x>", " {}")),
    *((" x>", ""), (" x>", "()")),
    (" class x> class x;", ""),
)
_GENERIC: Final = frozenset(("java", "csharp", "rust", "kotlin", "swift", "dart", "cpp", "typescript", "tsx"))
_OVERRIDES: Final = re.compile(r"\s*@Override\s*$")
_WITH_START: Final = re.compile(r"\s*(?:\}\s*else\s+)?(if|switch|for)\b[^;]*:=[^;]*$")
"""A condition or loop of Go that begins with an assignment."""

_CONDITION: Final = re.compile(r"\s*(?:\}?\s*else\s+)?(?:if|elif|while|switch)\s*\(")
_END: Final = re.compile(r"^(?!.*//).*[\w)\]}\"'`]\s*$")
"""A line that ends its statement where line ends do, if it can."""

_LINES_END: Final = frozenset(("go", "kotlin", "swift"))

_CASE: Final = re.compile(r"\b(?:case[xz]?|randcase)\b")
_ELEMENT: Final = re.compile(r"<([A-Za-z][\w.]*)(?:\s[^<>]*)?>?\s*$")


def ways(language: str, line: str, state: State, *, same_line: bool = False) -> tuple[Way, ...]:
    """Return what a line may go on with in its language.

    :param state: what is open behind the line. :param same_line: whether it may go on before its end too.
    """
    head = _of_head(language, line)
    if same_line:
        head = (*head, *_ON_THE_SAME_LINE.get(language, ()))
    elif _ended(language, line, state):
        return () if language == "go" else head
    depth = _types_open(line) if language in _GENERIC else 0
    if depth > 0:
        ends = ">" * depth
        head = (
            *head,
            *_TYPES,
            ("", ends + " {}"),
            (" x" + ends, " {};"),
            (" x" + ends, " x;"),
            (" x" + ends, " : x {};"),
        )
    if _OVERRIDES.match(line):
        return head  # a method, which stands in no other method
    found = (*head, *WAYS.get(language, ()))
    opened = state.code if state.code is not None and state.code.head == line.strip() else None
    if opened is not None and language == "vhdl":
        word = re.split(r"\W", opened.mark, maxsplit=1)[0].lower()
        return (_VHDL_BODIES.get(word, ""), ""), *found
    if opened is not None and language in HARDWARE and _CASE.match(opened.mark):
        return (("\n1: ;", ""), *found)
    element = _ELEMENT.search(line) if language in ("tsx", "javascript") else None
    if element is not None:
        end = f"</{element[1]}>"
        return (("", end), ("", ">" + end), ("", " />"), *found)
    in_condition = opened is not None and opened.below is not None and _CONDITION.fullmatch(opened.below.head)
    return (*found, ("", ",")) if opened is not None and found and not in_condition else found


def _ended(language: str, line: str, state: State) -> bool:
    """Return whether the end of a line ends its statement."""
    within = state.code is not None and state.code.mark in "([{"
    if language in PYTHONS:
        return not within
    if line.rstrip().endswith(";"):
        return not within or (state.code is not None and state.code.mark == "{")
    return language in _LINES_END and _END.search(line) is not None


def _of_head(language: str, line: str) -> tuple[Way, ...]:
    """Return what follows the head of a block that does not end with the block, an annotation, or a question."""
    python, cpp = language in PYTHONS, language in ("cpp", "objc")
    indent = "\n" + leading_blanks(line)
    if _TRY.match(line):
        end = f"{indent}except x: pass" if python else " catch (...) {}" if cpp else " finally {}"
        return ("", end), ("", " {}" + end)
    if _DO.match(line) and not python:
        return ("", " while (x);"), ("", " ; while (x);"), ("", " {} while (x);")
    if _OVERRIDES.match(line):
        return (("", " void x() {}"),)
    if _FOR.match(line):
        return (" x; x", " {}"), (" x", " {}"), ("", " {}")
    if language == "go" and (question := _WITH_START.match(line)) is not None:
        more = "; x; x {}" if question[1] == "for" else "; x {}"
        return ("", more), (" x", more)
    if line.rstrip().endswith("?"):
        return (" x : x", ";"), (" x : x", "")
    if language == "csharp" and _QUERY.search(line):
        return (" select x", ""), (" select x", ";"), ("", " select x"), ("", " select x;")
    if language == "bash" and _ITEM_OF_CASE.match(line):
        return (("", " x;;"),)
    if _QUESTION.match(line):
        return (" : x", ";"), (" : x", "")
    if language in _NEXT_ITEM and line.rstrip().endswith(","):
        item = _NEXT_ITEM[language]
        return (item, ""), (item, ";"), (item, " {}")
    if language in _ATTRIBUTE and _ATTRIBUTE[language].match(line):
        return _ATTRIBUTED
    if _ANNOTATED.match(line):
        return (("", f"{indent}def x(): pass"),) if python else _DECLARED
    return ()


def _types_open(line: str) -> int:
    """Return how many lists of types a line leaves open, which no bracket counts."""
    depth = 0
    for mark in _ANGLES.findall(line):
        depth += 1 if mark[0] == "<" else -1
    return depth
