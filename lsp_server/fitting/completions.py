"""What a line may go on with, so that it is the beginning of a statement of several lines and no error."""

import re
from typing import Final

from indexer.text.lines import leading_blanks
from lsp_server.fitting.marks import State

Way = tuple[str, str]
"""What follows a line: in the brackets and blocks that it leaves open, and behind what closes them."""

_SEMICOLON: Final = (("", ";"), (" x", ""), (" x", ";"), ("", " {}"), (" x", " {}"), ("", " : x;"))
_C: Final = (*_SEMICOLON, (" int x;", " x;"), (" x", " x;"))
_SCRIPT: Final = (
    *((" x", ""), ("", " : x"), (" x", " : x"), ("", ' from "x"'), ("", ' "x"'), ("", " {}"), (" x", " {}")),
    *(("", "> = x"), ("", ">(x)"), ("", " ? x : x")),
)
_HARDWARE: Final = (("", ";"), (" x", ";"))
_DECLARED: Final = (("", " int x;"), ("", " class x {}"), ("", " x() {}"), ("", " int x"), ("", " fun x() {}"))
_LABELLED: Final = ("", " assert property (x);")

WAYS: Final[dict[str, tuple[Way, ...]]] = {
    **dict.fromkeys(("java", "csharp", "rust", "php", "dart", "kotlin", "swift"), _SEMICOLON),
    **dict.fromkeys(("c", "cpp", "objc"), _C),
    **dict.fromkeys(("javascript", "typescript", "tsx"), _SCRIPT),
    **dict.fromkeys(("python", "starlark"), ((" x", ""), ("", ": pass"), (" x", ": pass"), (" x", " else x"))),
    "go": ((" x", ""), ("", "{}"), (" x", " {}"), ("", " x:")),
    "bash": ((" x", ""), ("", " { x; }"), ("", "; then x; fi"), ("", "; do x; done")),
    "ruby": ((" x", ""), ("", " : x")),
    **dict.fromkeys(
        ("systemverilog", "verilog"), (*_HARDWARE, (";", ""), (" logic x;", " x;"), (" x", " x;"), _LABELLED)
    ),
    "vhdl": (*_HARDWARE, ("", " is end;"), ("", " then end if;"), ("", " loop end loop;"), ("", " x;"), (" x", " x;")),
    **dict.fromkeys(("html", "xml"), ((">", ""), ("", ">"), ("", "/>"))),
    "css": (("", ";"), ("", " x;"), ("", " {}")),
    "json": (("", " 1"), ("", ": 1")),
}
"""The ways of each language; languages that are not named have none."""

_VHDL_BLOCKS: Final = {
    "process": ("\nbegin", " process;"),
    "block": ("\nbegin", " block;"),
    "if": ("", " if;"),
    "case": ("\nwhen others =>", " case;"),
    "loop": ("", " loop;"),
    "generate": ("", " generate;"),
    "record": ("\nx : y;", " record;"),
    "protected": ("", " protected;"),
    "component": ("", " component;"),
    **dict.fromkeys(("architecture", "function", "procedure", "return", "is"), ("\nbegin", ";")),
}
"""What a block holds at least, and what follows its ``end``."""

_TRY: Final = re.compile(r"\s*(?:\}\s*)?try\b")
_FOR: Final = re.compile(r"\s*for\s*\([^()]*(?:\([^()]*\)[^()]*)*;[^;]*$")
_DO: Final = re.compile(r"\s*do\b")
_ANNOTATED: Final = re.compile(r"\s*@(?!interface)\w")
_ANGLES: Final = re.compile(r"(?<![-=])>|(?<=[\w>])<|(?<=template )<|<\s*$")
_TYPES: Final = (
    *(("> = x", ""), (">", ";"), (" x>", ";"), (" x>", " x;"), (" x>", " = x"), (" x>", "() {}"), (" x>", " {}")),
    (" x>", "()"),
    (" class x> class x;", ""),
)
_GENERIC: Final = frozenset(("java", "csharp", "rust", "kotlin", "swift", "dart", "cpp", "typescript", "tsx"))
_OVERRIDES: Final = re.compile(r"\s*@Override\s*$")
_CASE: Final = re.compile(r"\b(?:case[xz]?|randcase)\b")
_ELEMENT: Final = re.compile(r"<([A-Za-z][\w.]*)(?:\s[^<>]*)?>?\s*$")


def ways(language: str, line: str, state: State) -> tuple[Way, ...]:
    """Return what a line may go on with in its language.

    :param state: what is open behind the line.
    """
    head = _of_head(language, line)
    if language in _GENERIC and _in_types(line):
        head = (*head, *_TYPES)
    if _OVERRIDES.match(line):
        return head  # a method, which stands in no other method
    found = (*head, *WAYS.get(language, ()))
    opened = state.code if state.code is not None and state.code.head == line.strip() else None
    if opened is not None and language == "vhdl":
        word = re.split(r"\W", opened.mark, maxsplit=1)[0].lower()
        return (*((_VHDL_BLOCKS[word],) if word in _VHDL_BLOCKS else ()), *found)
    if opened is not None and language in ("systemverilog", "verilog") and _CASE.match(opened.mark):
        return (("\n1: ;", ""), *found)
    element = _ELEMENT.search(line) if language in ("tsx", "javascript") else None
    if element is not None:
        end = f"</{element[1]}>"
        return (("", end), ("", ">" + end), ("", " />"), *found)
    return (*found, ("", ",")) if opened is not None and found else found


def _of_head(language: str, line: str) -> tuple[Way, ...]:
    """Return what follows the head of a block that does not end with the block, an annotation, or a question."""
    python, cpp = language in ("python", "starlark"), language in ("cpp", "objc")
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
    if line.rstrip().endswith("?"):
        return (" x : x", ";"), (" x : x", "")
    if _ANNOTATED.match(line):
        return (("", f"{indent}def x(): pass"),) if python else _DECLARED
    return ()


def _in_types(line: str) -> bool:
    """Return whether a line leaves a list of types open, which no bracket counts."""
    depth = 0
    for mark in _ANGLES.findall(line):
        depth += 1 if mark[0] == "<" else -1
    return depth > 0
