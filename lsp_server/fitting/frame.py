"""The frame of a window that is parsed: the heads of the blocks around it, and what closes these blocks.

A head of several lines begins with one that parses in no grammar without the others (``module m #(``). The lines that
are missing are mostly above the window, so the head is ended here as short as its language allows.
"""

import re
from collections.abc import Iterator, Sequence
from typing import Final

from indexer.text.lines import leading_blanks
from lsp_server.fitting.families import C_FAMILY, HARDWARE, PYTHONS, SCRIPTS
from lsp_server.fitting.marks import START, Condition, LineReader, Open, State, opened
from lsp_server.fitting.names import head_of
from lsp_server.fitting.surroundings import Surroundings

_NO_PARENTHESES: Final = frozenset({"go", "rust", "swift"})
_ENDED: Final = frozenset({*C_FAMILY, "java", "csharp", "php", "rust", "dart", *HARDWARE})
"""Languages whose statements end in a semicolon."""

ABOVE: Final = 3
"""Lines above the cursor, at most, the last of which that is not empty asks for a next one."""

_COMMENT = re.compile(r"(?:^|\s+)(?://|#|--).*$")
_GOES_WITH = re.compile(r"[})\]]|end\b|else\b|elsif\b|elif\b")
_CONDITION = re.compile(r"\s*(?:\}?\s*else\s+)?(?:if|for|foreach|while|switch|catch|match|select|try)\b")
_VALUE = re.compile(r"(?:[=,(:?&|]|=>|\breturn|\basync)\s*$")
_TRY = re.compile(r"(?:\}\s*)?try\b")
TRY_ENDS: Final = {
    **dict.fromkeys(("java", "csharp", *SCRIPTS), " finally {}"),
    "cpp": " catch (...) {}",
}
"""What follows the block of a ``try``."""

_NAMED_ENDS: Final = frozenset(
    ("if", "process", "record", "units", "protected", "block", "case", "loop", "generate", "component")
)
"""Blocks of VHDL whose end has their name."""

_PHP_TAG = re.compile(r"<\?(?:php\b|=)|\?>")

_PYTHON_HEAD = re.compile(r"\s*(?:async\s+)?(?:def|class|if|elif|while|for|with)\b")
_DESIGN = re.compile(r"(?:module|interface|program|class)\b")
_TYPE: Final = re.compile(r"(?:struct|class|union|enum)\b(?!.*[()])")
_ENUM: Final = re.compile(r"\benum\s+\w+[^;]*\{$")
_LIST: Final = re.compile(r"(?:=|\breturn)\s*(?:new\b.*|\[.*\]\s*(?:\(.*\))?.*|'|\w*)\{\s*$")


def heads(outer: Open | None, above: Sequence[str], reader: LineReader, language: str) -> list[str]:
    """Return a line for each line that begins blocks around a window, the outermost first.

    :param outer: the innermost of them. :param above: the lines above the window.
    """
    lines: list[str] = []
    groups: list[tuple[str, list[Open]]] = []
    for node in reversed(opened(outer)):
        head = head_of(node, above)
        if groups and groups[-1][0] == head:
            groups[-1][1].append(node)  # one line may open several
        else:
            groups.append((head, [node]))
    for head, nodes in groups:
        blanks = " " * nodes[0].indent
        if head.startswith(">"):  # parameters of a type stand before it
            head = "class x {"
        # A line that goes on with a block (} else {) does not begin one by itself.
        if _GOES_WITH.match(head):
            lines.append(blanks + _condition(nodes[-1].mark, language))
        else:
            line = _ended(head, [node.mark for node in nodes], reader, language)
            lines.append(blanks + line + _after_constants(nodes[-1], above, language))
    return lines


def _after_constants(node: Open, above: Sequence[str], language: str) -> str:
    """Return the mark that ends the constants of an enumeration of Java, if that stands above the window."""
    if language != "java" or not _ENUM.search(node.head):
        return ""
    for line in reversed(above):
        if line.strip() == node.head:
            return ""
        if line.rstrip().endswith(";"):
            return " ;"
    return ""


def in_php(above: Sequence[str]) -> bool:
    """Return whether what follows some lines is PHP, not the text around it."""
    tags = _PHP_TAG.findall("\n".join(above))
    return not tags or tags[-1] != "?>"


def _condition(mark: str, language: str) -> str:
    """Return the head of a block that an ``else`` may follow."""
    if mark == "{":
        return "if x {" if language in _NO_PARENTHESES else "if (x) {"
    return "if (x) begin" if mark == "begin" and language in HARDWARE else mark


def _ended(head: str, marks: list[str], reader: LineReader, language: str) -> str:
    """Return a head that opens these marks and no others."""
    found = [node.mark for node in reversed(opened(reader.read(head, START).code))]
    if found == marks or marks == ["("] or "{" in found:
        return head
    at = next((n for n, mark in enumerate(head) if mark == "(" and _open_at(head, n)), len(head))
    if language in HARDWARE:
        if marks[-1] == "begin":
            return "if (x) begin"
        return head[:at].rstrip("# ") + ";" if marks[0][:1].isalpha() and len(marks) == 1 else head
    if marks == ["{"] and found[:1] == ["("]:
        if _CONDITION.match(head):
            return "try {" if _TRY.match(head) else _condition("{", language)
        arrow = " => {" if language in SCRIPTS and _VALUE.search(head[:at]) else " {"
        return f"{head[:at]}(){arrow}"
    return head


def _open_at(head: str, at: int) -> bool:
    depth = 0
    for mark in head[at:]:
        depth += (mark in "([") - (mark in ")]")
        if depth == 0:
            return False
    return True


def last_code(around: Surroundings) -> str:
    """Return the last line above that holds code, without its comment."""
    code = (_without_comment(line, around.reader) for line in reversed(around.above[-ABOVE:]))
    return next((line for line in code if line), "")


def _without_comment(line: str, reader: LineReader) -> str:
    return (_COMMENT.sub("", line) if reader.ends_in_comment(line) else line).rstrip()


def may_be_arrow(around: Surroundings) -> bool:
    """Return whether a parenthesis is open that may begin an arrow function or its type."""
    block = around.state.code
    arrows = around.language in SCRIPTS and block is not None and block.mark == "("
    return arrows and block is not None and _VALUE.search(block.head.rstrip("(").rstrip()) is not None


def ends(state: State, outer: State, language: str) -> str:
    """Return the lines that close what is open behind a window, the innermost first.

    :param outer: what is open before the window: directives from there are not ended.
    """
    lines: list[str] = []
    known, condition = [*_conditions(outer)], state.conditions if language in C_FAMILY else None
    for node in opened(state.code):
        while condition is not None and condition not in known and not condition.far and condition.code is node:
            lines.append("#endif")
            condition = condition.below
        lines.append(_end(node, language))
    lines += ["#endif" for one in _conditions(State(conditions=condition)) if one not in known and not one.far]
    return "".join(line + "\n" for line in lines)


def _conditions(state: State) -> Iterator[Condition]:
    condition = state.conditions
    while condition is not None:
        yield condition
        condition = condition.below


def fillers(around: Surroundings) -> list[str]:
    """Return lines one of which may stand at the cursor, where the line above asks for a next one."""
    last = last_code(around)
    blanks, body = leading_blanks(last), last.strip()
    if around.language in PYTHONS:
        return [blanks + "    pass"] if body.endswith(":") else [blanks + "x"]
    item = [last[:-1]] if body.endswith(",") else []
    # A function's head may go on in too many ways.
    statement = [blanks + "x;", blanks + ";"] if around.language in _ENDED and not body.endswith(")") else []
    return [*item, blanks + "x", *statement]


def closer(node: Open, language: str) -> str:
    """Return what closes a mark."""
    end = node.closers[0]
    if language == "vhdl" and end == "end":
        word = re.split(r"\W", node.mark.lower(), maxsplit=1)[0]
        return f"end {word};" if word in _NAMED_ENDS else "end;"
    return end + (">" if end.startswith("</") else "")


def _end(node: Open, language: str) -> str:
    """Return what closes a mark, and ends its statement where it is the outermost list of one."""
    end = closer(node, language)
    if node.below is not None and node.below.mark in "([":
        return end
    if node.mark in "([" and language not in HARDWARE:
        if language in PYTHONS:
            return end + ": pass" if _PYTHON_HEAD.match(node.head) else end
        if _CONDITION.match(node.head):
            return end + " {}"
        if node.head.startswith("@"):
            return end + " class x {}"
        return end + ";" if language in _ENDED and not node.head.startswith(("class", "interface")) else end
    if node.mark in "([":
        return end + " x ();" if node.head.endswith("#(") and not _DESIGN.match(node.head) else end + ";"
    if language in SCRIPTS and node.head == "import {":
        return end + ' from "x"'
    if node.mark == "{" and _TRY.match(node.head):
        return end + TRY_ENDS.get(language, "")
    if node.mark != "{" or language not in _ENDED:
        return end
    if node.head.startswith("typedef"):
        return end + " x;"
    typed = language in C_FAMILY | HARDWARE and _TYPE.match(node.head)
    return end + ";" if typed or _LIST.search(node.head) else end
