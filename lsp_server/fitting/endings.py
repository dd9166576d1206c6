"""Where a line can end: what asks for a next line or for more on the same one, and what begins a block."""

import re
from typing import Final

from lsp_server.fitting.completions import WAYS
from lsp_server.fitting.families import HARDWARE
from lsp_server.fitting.frame import last_code
from lsp_server.fitting.levels import holds_statements
from lsp_server.fitting.marks import LineReader, State
from lsp_server.fitting.surroundings import Surroundings

NO_END: Final = re.compile(
    r"(?:[.,(\[{=+*/%&|^~<!?:@#$\\-](?<!\*/)(?<!\+\+)(?<!--)(?<!\$[<^@?*%+#!-])|(?:^|[\s=(])['\"`]"
    r"|\b(?:and|or|not|in|is|as|extends|implements|new|instanceof))\s*$"
)
BEGINS: Final = re.compile(r"\s*(?:return|throw|raise|yield|await|new|case|goto|import|typedef|assign|delete)\s*")
_QUOTE_OPENS = re.compile(r"(?:^|[\s(=])([\"'`])\s*$")
_BASE = re.compile(r"'[sS]?[bBoOdDhH]?$")
"""In Verilog, the beginning of a number with a base (``8'h``) or of a cast (``int'``)."""
_UNFINISHED = re.compile(r"(?:[:,\\]|&&|\|\||[=+*/?]|\b(?:and|or|not|then|do|else))$|^@[\w.]+(?:\(.*\))?$")

_HEAD = re.compile(r"\s*(?:async\s+)?(?:if|elif|else|for|while|def|class|with|try|except|finally)\b")

_NOT_ALONE = re.compile(
    r"^\s*(?:\}\s*)?(?:(?:try|do|repeat|@.*)\b|(?:else\s+)?(?:if|for|while|else)\b[^{:]*\)?$"
    r"|(?:case\b|template\s*<[^>]*).*,$)"
)

_DIRECTIVE = re.compile(r"^\s*#")

_GOES_ON_ANYHOW = re.compile(r"\\\s*$")

_ITEM = re.compile(r"\s*(?:[\w.]+|\"(?:[^\"\\]|\\.)*\"|\{.*\}),\s*")

_ASKS = re.compile(r"[,(\[{<=&|:]$")

_WHOLE_HEADS: Final = frozenset({"json", "yaml", "toml", "html", "xml", "css", "vhdl"})
"""Languages without conditions and loops whose body is the next line."""

_GOES_ON = re.compile(r"(?:[\\(\[.&|=+*/?<-]|\b(?:and|or|not|in|is|then|do|else|select))\s*$")

_QUOTE = re.compile(r"[\"'`]")


def may_stop(line: str, language: str, *, prose: bool, part: bool) -> bool:
    """Return whether a line may end where it does: not behind an operator, nor within a number with a base.

    :param prose: whether it ends in a comment or a string. :param part: whether more of it follows. A part does not end
        in a quote that opens something there.
    """
    if not prose:
        return NO_END.search(line) is None and not (language in HARDWARE and _BASE.search(line))
    found = _QUOTE_OPENS.search(line) if part else None
    return found is None or line.count(found[1]) % 2 == 0


def begins_block(line: str, state: State) -> bool:
    """Return whether a line begins a block, whose other lines its user writes next.

    :param state: behind the line.
    """
    if state.code is not None and state.code.own:
        return state.code.mark not in "(["
    return line.rstrip().endswith(":")


def lacks_colon(line: str, state: State) -> bool:
    """Return whether a line of Python ends in the head of a block without the colon that must follow.

    :param state: behind the line.
    """
    within = state.span >= 0 or (state.code is not None and state.code.mark in "([{")
    return not within and ":" not in line and not line.endswith("\\") and _HEAD.match(line) is not None


def goes_on(line: str, state: State) -> bool:
    """Return whether a line asks for a next one; a comma within brackets ends an item.

    :param state: behind the line.
    """
    if line.rstrip().endswith(",") and state.code is not None and state.code.mark in "([{":
        return False
    return _UNFINISHED.search(line.strip()) is not None


def reopens_string(reader: LineReader, state: State, prefix: str, text: str) -> bool:
    """Return whether a text ends the string that is open at the cursor and leaves another one open.

    :param state: what is open before the line. :param prefix: the line before the text.
    """
    if reader.read(prefix + text, state).faults <= state.faults:
        return False
    ends = (found.end() for found in _QUOTE.finditer(text))
    return any(reader.read(prefix + text[:end], state).faults == state.faults for end in ends)


def may_go_on(line: str, around: Surroundings) -> bool:
    """Return whether a line is more than an item of a list that nothing has begun."""
    if not _ITEM.fullmatch(line):
        return True
    block, last = around.state.code, last_code(around)
    if last.endswith("{") and block is not None and holds_statements(block, around.above):
        return False
    return _ASKS.search(last) is not None


def unread(line: str, state: State, around: Surroundings) -> bool:
    """Return whether a line says nothing without the next one, and nobody knows what that may be."""
    language, block = around.language, around.state.code
    if not _unfinished(line, state, language):
        return False
    # What stands in a list depends on its head there: parameters, ports, members of a modport.
    if language in HARDWARE and line.rstrip().endswith("(") and (block is None or block.mark not in "([{"):
        return True
    return language not in WAYS or _is_directive(line, language) or _GOES_ON_ANYHOW.search(line) is not None


def _unfinished(line: str, state: State, language: str) -> bool:
    """Return whether a line says nothing without the next one."""
    if line.rstrip().endswith(",") and not _NOT_ALONE.match(line):
        # Within brackets that were opened before it a comma ends an item.
        return state.code is None or state.code.mark not in "([{" or state.code.own
    if _GOES_ON.search(line) is not None or _is_directive(line, language):
        return True
    return language not in _WHOLE_HEADS and _NOT_ALONE.match(line) is not None


def _is_directive(line: str, language: str) -> bool:
    """Return whether a line is a directive, or an attribute of what follows (``#[test]``)."""
    return line.lstrip().startswith("`") if language in HARDWARE else _DIRECTIVE.match(line) is not None
