"""What a line may go on with, so that it is the beginning of a statement of several lines and no error."""

import re
from typing import Final

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

_CASE: Final = re.compile(r"\b(?:case[xz]?|randcase)\b")
_ELEMENT: Final = re.compile(r"<([A-Za-z][\w.]*)(?:\s[^<>]*)?>?\s*$")


def ways(language: str, line: str, state: State) -> tuple[Way, ...]:
    """Return what a line may go on with in its language.

    :param state: what is open behind the line.
    """
    found = WAYS.get(language, ())
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
