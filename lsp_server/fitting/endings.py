"""Where a line can end: what asks for a next line or for more on the same one, and what begins a block."""

import re
from typing import Final

from lsp_server.fitting.marks import LineReader, State

NO_END: Final = re.compile(
    r"(?:[.,(\[{=+*/%&|^~<!?:@#$\\-](?<!\*/)(?<!\+\+)(?<!--)|(?:^|[\s=(])['\"`]"
    r"|\b(?:and|or|not|in|is|as|extends|implements|new|instanceof))\s*$"
)
BEGINS: Final = re.compile(r"\s*(?:return|throw|raise|yield|await|new|case|goto|import|typedef|assign|delete)\s*")
_UNFINISHED = re.compile(r"(?:[:,\\]|&&|\|\||[=+*/?]|\b(?:and|or|not|then|do|else))$|^@[\w.]+(?:\(.*\))?$")

_HEAD = re.compile(r"\s*(?:async\s+)?(?:if|elif|else|for|while|def|class|with|try|except|finally)\b")

_QUOTE = re.compile(r"[\"'`]")


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
